#include <weft/runtime.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <system_error>

#include "runtime/caller.hpp"

namespace weft::inline v0 {

using detail::RuntimeCore;

namespace {

/// A member called by a process of this very runtime is one of its runtime calls: its budget is used up, and a doom is met.
RuntimeCore& counted(std::unique_ptr<RuntimeCore>& core) {
  if (detail::ControlBlock* self = detail::current_process(); self != nullptr && detail::current_core() == core.get()) {
    detail::checkpoint(*self);
  }
  return *core;
}

}  // namespace

Runtime::Runtime(RuntimeOptions options) : core_(std::make_unique<RuntimeCore>(std::move(options))) { core_->face = this; }

Runtime::~Runtime() {
  const detail::BlockingSection* section = detail::blocking_section();
  if (detail::current_core() == core_.get() || (section != nullptr && section->core == core_.get())) {
    std::fputs("weft: a process destroyed the Runtime it runs in\n", stderr);
    std::abort();
  }
}

Runtime* Runtime::of_self() noexcept {
  if (detail::current_process() != nullptr) return detail::current_core()->face;
  if (const detail::BlockingSection* section = detail::blocking_section()) return section->core->face;
  return nullptr;
}

SendResult Runtime::send(Pid to, Message message) {
  detail::EnvelopePtr envelope = message.release();
  if (!envelope) throw BadArgument("send() of an empty Message");
  envelope->kind = detail::EnvelopeKind::user;
  envelope->counted = false;
  envelope->alias = 0;
  return detail::post(core_.get(), to, envelope.release());
}

std::optional<Duration> Runtime::cancel_timer(TimerRef ref) { return core_->cancel_timer(ref); }
std::optional<Duration> Runtime::read_timer(TimerRef ref) { return core_->read_timer(ref); }

void Runtime::exit(Pid pid, ExitReason reason) {
  if (core_->wants(LogLevel::info)) core_->log(LogLevel::info, "exit signal to process " + pid.to_string() + ": " + reason.to_string());
  // Only a process of this runtime is a sender here: pids of another mean nothing (EXR-6).
  core_->exit_signal(of_self() == this ? weft::self() : Pid{}, pid, reason);
  (void)counted(core_);  // To oneself it is acted on before the return (ORD-8).
}
void Runtime::kill(Pid pid) { exit(pid, ExitReason::kill); }

void Runtime::register_name(std::string name, Pid pid) { counted(core_).register_name(name, pid); }
bool Runtime::unregister(std::string_view name) { return counted(core_).unregister(name); }
std::optional<Pid> Runtime::whereis(std::string_view name) { return counted(core_).whereis(name); }
std::vector<std::string> Runtime::registered() { return counted(core_).registered(); }
bool Runtime::join(std::string group, Pid pid) { return counted(core_).join_group(group, pid); }
bool Runtime::leave(std::string_view group, Pid pid) { return counted(core_).leave_group(group, pid); }
std::vector<Pid> Runtime::members(std::string_view group) { return counted(core_).groups.members(group); }
std::vector<std::string> Runtime::groups() { return counted(core_).group_names(); }
std::size_t Runtime::kill_group(std::string_view group) { return counted(core_).kill_group(group); }

bool Runtime::is_alive(Pid pid) { return counted(core_).is_alive(pid); }
std::vector<Pid> Runtime::list() { return counted(core_).list(); }
std::optional<ProcessInfo> Runtime::info(Pid pid) { return counted(core_).info(pid); }
bool Runtime::set_label(Pid pid, std::string label) { return counted(core_).set_label(pid, std::move(label)); }
Stats Runtime::stats() { return counted(core_).stats(); }
std::map<std::string, std::size_t> Runtime::census() { return counted(core_).census(); }
void Runtime::dump(std::ostream& out, DumpStacks stacks) { counted(core_).dump(out, stacks); }
std::vector<std::string> Runtime::backtrace(Pid pid) { return counted(core_).backtrace(pid); }
TimePoint Runtime::now() { return TimePoint(Duration(core_->scheduler.now_ns())); }

StopReport Runtime::stop(Duration deadline) { return core_->stop(deadline); }
std::size_t Runtime::shutdown() { return counted(core_).kill_all(); }

void Runtime::advance(Duration d) {
  if (core_->options.clock != Clock::virtual_time) throw BadArgument("advance() of a runtime whose clock is steady");
  if (detail::current_process() != nullptr) throw BadArgument("advance() called by a process: it would wait for its caller");
  core_->scheduler.advance_to(core_->deadline_after(d, "advance"));
}

void Runtime::run_until_idle() {
  if (detail::current_process() != nullptr) throw BadArgument("run_until_idle() called by a process: it would wait for its caller");
  core_->scheduler.wait_until_quiet();
}

std::exception_ptr Runtime::exception_that_ends_the_body() noexcept {
  // A signal that came first has fixed the reason, whatever the body threw while it unwound.
  if (detail::current_process()->life.load(std::memory_order_relaxed) != detail::Life::alive) return nullptr;
  try {
    throw;
  } catch (const ExitException&) {
    return nullptr;
  } catch (const detail::HibernateUnwind&) {
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

int Runtime::poll_fd() {
  const int fd = core_->scheduler.poller().descriptor();
  if (fd < 0) throw LimitExceeded("poll_fd(): the system gives no descriptor: " + std::generic_category().message(-fd));
  return fd;
}

std::size_t Runtime::poll_once(Duration timeout) {
  if (timeout < Duration::zero()) throw BadArgument("poll_once() with a negative timeout");
  if (detail::current_process() != nullptr) throw BadArgument("poll_once() called by a process: it would hold up its worker");
  return core_->scheduler.poll_from_outside(timeout == forever ? -1 : timeout.count());
}

void Runtime::throw_exited(const std::shared_ptr<detail::JoinState>& join, const ExitReason& reason) {
  throw ProcessExited("process " + join->pid.to_string() + " ended before its body returned: " + reason.to_string(), reason);
}

// --- join handles ----------------------------------------------------------------------------------------------------------------

Pid JoinHandle::pid() const noexcept { return state_ ? state_->pid : Pid{}; }

ExitReason JoinHandle::join() { return *join_for(forever); }

namespace {

using Milestone = bool detail::JoinState::*;

/// Blocks a plain thread. False when the time is over first.
bool block_until(detail::JoinState& state, Milestone reached, Duration d) {
  if (base::exploring()) {
    const std::int64_t now = base::explored_ns();
    const std::int64_t deadline = d.count() < base::Explorer::kForever - now ? now + d.count() : base::Explorer::kForever;
    return base::explore_wait(
        "join", [&] { return state.mutex.is_free() && state.*reached; }, deadline);
  }
  std::unique_lock<std::mutex> hold(state.mutex);
  const auto there = [&] { return state.*reached; };
  if (d <= std::chrono::hours(24 * 365)) return state.done_changed.wait_for(hold, d, there);
  state.done_changed.wait(hold, there);
  return true;
}

/// Suspends the process `self`, calling `woken` after each wake-up. False when the time is over first.
template <class Woken>
bool suspend_until(detail::ControlBlock& self, detail::JoinState& state, Milestone reached, std::int64_t deadline, Woken woken) {
  struct Leave {  // A waiter that is killed or gives up: its runtime may be gone when the other process ends.
    detail::JoinState& state;
    std::pair<RuntimeCore*, Pid> mine;
    ~Leave() {
      const std::lock_guard<base::Mutex> hold(state.mutex);
      std::erase(state.waiters, mine);
    }
  } const leave{state, {detail::current_core(), self.pid}};
  for (;;) {
    {
      // Never held over a suspension. The joined process may be of another runtime: completion kicks through the waiter's.
      const std::lock_guard<base::Mutex> hold(state.mutex);
      if (state.*reached) return true;
      if (std::find(state.waiters.begin(), state.waiters.end(), leave.mine) == state.waiters.end()) state.waiters.push_back(leave.mine);
    }
    if (deadline != detail::kNever && detail::current_core()->scheduler.now_ns() >= deadline) return false;
    detail::park(self, deadline, detail::Waiting::join);
    detail::current_core()->drain(self);
    woken();
  }
}

}  // namespace

std::optional<ExitReason> JoinHandle::join_for(Duration d) {
  if (d < Duration::zero()) throw BadArgument("join_for() with a negative duration");
  if (!state_) throw BadArgument("join() of a moved-from handle");
  detail::JoinState& state = *state_;
  bool ended = false;
  if (detail::current_process() == nullptr) {
    ended = block_until(state, &detail::JoinState::done, d);
  } else {
    detail::ControlBlock& self = detail::process_here("join");
    if (self.pid == state.pid && state.core == detail::current_core()) {
      throw BadArgument("process " + self.pid.to_string() + " joins itself");
    }
    const std::int64_t deadline = detail::current_core()->deadline_after(d, "join_for");
    ended = suspend_until(self, state, &detail::JoinState::done, deadline, [&self] { detail::meet_doom(self); });
  }
  if (!ended) return std::nullopt;
  const std::lock_guard<base::Mutex> hold(state.mutex);
  return state.reason;
}

ExitReason Runtime::wait_for_run(const std::shared_ptr<detail::JoinState>& join) {
  detail::JoinState& state = *join;
  if (detail::ControlBlock* self = detail::current_process()) {
    // The body may refer to our stack, so we cannot go before it has gone: a kill of ours is passed on to it, and met after.
    bool passed_on = false;
    suspend_until(*self, state, &detail::JoinState::gone, detail::kNever, [&] {
      if (passed_on || self->life.load(std::memory_order_relaxed) == detail::Life::alive) return;
      passed_on = true;
      core_->exit_signal(Pid{}, state.pid, ExitReason::kill);
    });
    detail::meet_doom(*self);
  } else {
    (void)block_until(state, &detail::JoinState::gone, forever);
  }
  const std::lock_guard<base::Mutex> hold(state.mutex);
  return state.reason;
}

}  // namespace weft
