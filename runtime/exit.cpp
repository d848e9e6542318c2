// How a process runs and ends.
#include <cxxabi.h>

#include <exception>
#include <new>
#include <typeinfo>
#include <utility>

#include "mailbox/base/demangle.hpp"
#include "runtime/caller.hpp"

namespace weft::inline v0::detail {
namespace {

std::string demangled(const std::type_info* type) {
  if (type == nullptr) return "an exception of another language";
  return base::demangled(type->name());
}

/// Made when the first runtime starts: a crash for want of memory needs a reason that needs none.
}  // namespace

const ExitReason& out_of_memory() {
  static const ExitReason reason = ExitReason::error("std::bad_alloc", "out of memory while a process crashed");
  return reason;
}

namespace {

template <class Make>
ExitReason reason_or_out_of_memory(Make make) noexcept {
  try {
    return make();
  } catch (...) {
    return out_of_memory();
  }
}

}  // namespace

ExitReason current_exception_reason() noexcept {
  try {
    throw;
  } catch (const ExitException& exit) {
    return exit.reason();
  } catch (const std::exception& error) {
    return reason_or_out_of_memory([&] { return ExitReason::error(demangled(&typeid(error)), error.what()); });
  } catch (...) {
    return reason_or_out_of_memory([] { return ExitReason::uncaught(demangled(abi::__cxa_current_exception_type())); });
  }
}

void RuntimeCore::fix_reason(ControlBlock& self, const ExitReason& reason) noexcept {
  const std::lock_guard<base::SpinLock> hold(self.lock);
  const Life life = self.life.load(std::memory_order_relaxed);
  if (life == Life::dead) return;  // An orphan: it was told (BLK-6).
  if (life == Life::alive) self.reason = reason;
  self.life.store(Life::exiting, std::memory_order_release);
}

// Apart from run(), so that who wants no stacks in the log pays nothing for them.
[[gnu::noinline]] void RuntimeCore::run_watched(ControlBlock& self) {
  struct Watch : scheduler::ThrowWatch {
    explicit Watch(ControlBlock& process) : self(process) {}
    ~Watch() { keep_origin(self, std::move(origin)); }
    ControlBlock& self;
  } watch(self);
  // These are no crashes.
  watch.wants = [](const std::type_info& type) noexcept {
    return type != typeid(ProcessUnwind) && type != typeid(HibernateUnwind) && type != typeid(ExitException);
  };
  watch.call(self.body_type->run, self.body());
}

void RuntimeCore::keep_origin(ControlBlock& self, std::unique_ptr<scheduler::Backtrace> origin) noexcept {
  if (origin == nullptr) return;
  std::unique_ptr<Extras> fresh(new (std::nothrow) Extras);
  const std::lock_guard<base::SpinLock> hold(self.lock);
  if (!self.extras) self.extras = std::move(fresh);
  if (self.extras) self.extras->origin.swap(origin);
}

// Most ends: a body returned that owns nothing, of a process that nothing is tied to, except perhaps watchers. Then of the steps of LIF-5
// all but the sixth and the eighth have nothing to do, and one look under the lock tells.
inline bool RuntimeCore::end_plainly(ControlBlock& self) noexcept {
  if (self.body_type->destroy != nullptr || !ControlBlock::is_small(*self.body_type) || wants(LogLevel::error)) return false;
  bool watched = false;
  {
    const std::lock_guard<base::SpinLock> hold(self.lock);
    if (self.life.load(std::memory_order_relaxed) != Life::alive || self.has_ties()) return false;
    watched = !self.monitored_by.empty();
    self.generation.store(self.pid.generation() + 1, std::memory_order_release);
    self.life.store(Life::dead, std::memory_order_release);
  }
  self.body_type = nullptr;
  if (self.wakes_at.load(std::memory_order_relaxed) != kNever) [[unlikely]]
    forget_wake_timer(self);
  process_quota_.give_back();
  Envelope* const unread = self.inbox.close();
  if (watched) tell_watchers(self);  // The reason is that of every process that lives: normal.
  if (self.saved.front() != nullptr) discard(self.saved.release());
  if (unread != nullptr) discard(unread);
  // Only now: a destructor of a message may have been on another worker for a while.
  WorkerLocal& local = local_of(*scheduler::Worker::here());
  add(local.counters.finished);
  local.slots.give(&self);
  one_less();
  return true;
}

void RuntimeCore::run(scheduler::Fiber& fiber) noexcept {
  auto& self = static_cast<ControlBlock&>(fiber);
  self.stack.load(std::memory_order_relaxed)->owner.store(self.pid.id(), std::memory_order_relaxed);
  if (self.hibernated) {
    // Woken by a message, or by something that is none: then it sleeps on.
    drain(self);
    if (!has_messages(self) && go_to_sleep(self)) return;
    self.hibernated = false;
    self.waiting.store(Waiting::nothing, std::memory_order_relaxed);
  }
  if (self.life.load(std::memory_order_acquire) == Life::alive) {
    self.started.store(true, std::memory_order_relaxed);
    bool hibernates = false;
    try {
      if (watches_throws_) [[unlikely]] {
        run_watched(self);
      } else {
        self.body_type->run(self.body());
        if (end_plainly(self)) return;
      }
      // A body that swallowed the unwinding and returned ends with the reason fixed before (CPP-1).
      fix_reason(self, ExitReason::normal);
    } catch (const ProcessUnwind&) {
      fix_reason(self, ExitReason::normal);
    } catch (const HibernateUnwind& next) {
      drop_body(self);
      hibernates = true;
      try {
        place_body(self, *next.type, next.body.get());
      } catch (...) {
        hibernates = false;
        fix_reason(self, current_exception_reason());
      }
    } catch (...) {
      fix_reason(self, current_exception_reason());
    }
    if (hibernates && go_to_sleep(self)) return;
  }
  finish(self);
}

bool RuntimeCore::go_to_sleep(ControlBlock& self) noexcept {
  drain(self);
  if (self.life.load(std::memory_order_acquire) != Life::alive) {
    fix_reason(self, ExitReason::normal);
    return false;
  }
  // It waits without a deadline: a timer that an earlier wait left in its wheel would have it take a stack for nothing.
  if (self.wakes_at.load(std::memory_order_relaxed) != kNever) forget_wake_timer(self);
  // Nothing of the process is on this stack any more, so it may be woken, and run elsewhere, from try_park() on.
  self.hibernated = true;
  const bool has_mail = has_messages(self);
  self.stack.store(nullptr, std::memory_order_relaxed);
  self.waiting.store(Waiting::hibernated, std::memory_order_relaxed);
  self.budget = fresh_slice();
  if (has_mail || !self.inbox.try_park()) scheduler.ready(self);
  return true;
}

bool RuntimeCore::has_messages(ControlBlock& self) noexcept {
  if (!self.shares_queue()) return self.saved.front() != nullptr || self.call.has_answer();
  const std::lock_guard<base::SpinLock> hold(self.lock);
  return self.saved.front() != nullptr;
}

void RuntimeCore::refuse(scheduler::Fiber& fiber) noexcept {
  auto& self = static_cast<ControlBlock&>(fiber);
  fix_reason(self, reason_or_out_of_memory([&] {
               return ExitReason::error("weft::LimitExceeded", "no stack of " + std::to_string(self.wanted_stack_bytes) +
                                                                   " bytes for process " + self.pid.to_string() + ": the limit of " +
                                                                   std::to_string(options.max_stacks) +
                                                                   " stacks is reached, or memory is exhausted");
             }));
  finish(self);
}

void RuntimeCore::finish(ControlBlock& self) noexcept {
  drop_body(self);  // Step 2: captures are gone before anybody is told.
  if (self.told) {
    // An orphan, for which everything but this was done when it was killed (BLK-6); or one whose last steps met std::terminate.
    const bool was_orphan = self.orphan;
    if (const std::unique_ptr<Extras> extras = take_extras(self); extras != nullptr && extras->join != nullptr)
      complete_gone(*extras->join);
    give_back(self);
    if (was_orphan) orphan_gone();
    one_less();
    return;
  }
  fix_reason(self, ExitReason::normal);
  if (wants(LogLevel::error)) log_end(self);
  die(self);
  give_back(self);
  one_less();  // Last of all: from here on ~Runtime may find nothing left to wait for.
}

// The numbers are those of LIF-5.
void RuntimeCore::die(ControlBlock& self, Counted counted) noexcept {
  cancel_timers_of(self);  // 3
  if (self.wakes_at.load(std::memory_order_relaxed) != kNever) forget_wake_timer(self);
  release_groups(self);  // 4
  release_names(self);   // 5
  // Of step 8, here already: while the inbox is open, a Down that is on its way has its place there, and its record stays ours.
  withdraw_monitors(self);
  {
    // 6: the time of death. Under the lock, so that nobody adds a relation, a timer or a name after.
    const std::lock_guard<base::SpinLock> hold(self.lock);
    self.generation.store(self.pid.generation() + 1, std::memory_order_release);
    self.life.store(Life::dead, std::memory_order_release);
  }
  process_quota_.give_back();
  Envelope* unread = self.inbox.close();
  tell_links(self);     // 7
  tell_watchers(self);  // 8
  // 9: nothing is locked, and the dying process is current, while destructors of messages run. They may send.
  discard(self.saved.release());
  discard(unread);
  die_told(self, counted);
}

void RuntimeCore::die_told(ControlBlock& self, Counted counted) noexcept {
  std::unique_ptr<Extras> extras = take_extras(self);
  self.told = true;
  const ExitReason reason = std::exchange(self.reason, ExitReason::normal);
  if (extras != nullptr) {
    for (const Pid waiter : extras->room_waiters) kick(waiter);
    if (!extras->label.empty()) census_changed();
  }
  if (counted == Counted::yes) count(&Counters::finished);
  if (extras == nullptr || extras->join == nullptr) return;
  complete_join(*extras->join, reason, !self.orphan);  // 10
  if (self.orphan) {
    // Its stack is to be told of yet: finish() does that.
    const std::lock_guard<base::SpinLock> hold(self.lock);
    self.extras = std::move(extras);
  }
}

std::unique_ptr<Extras> RuntimeCore::take_extras(ControlBlock& self) noexcept {
  const std::lock_guard<base::SpinLock> hold(self.lock);
  return std::move(self.extras);
}

namespace {

// Under join.mutex, so that a waiter, and with it its runtime, stays while it is kicked: it takes itself off the list before it goes.
void kick_waiters(JoinState& join) noexcept {
  join.done_changed.notify_all();
  for (const auto& [core, waiter] : join.waiters) core->kick(waiter);
}

}  // namespace

void complete_join(JoinState& join, const ExitReason& reason, bool gone) noexcept {
  const std::lock_guard<base::Mutex> hold(join.mutex);
  join.done = true;
  join.gone = gone;
  join.reason = reason;
  kick_waiters(join);
}

void complete_gone(JoinState& join) noexcept {
  const std::lock_guard<base::Mutex> hold(join.mutex);
  join.gone = true;
  kick_waiters(join);
}

void hibernate_with(const BodyType& type, void* body) {
  ControlBlock& self = process_here("hibernate");
  if (!self.has_mailbox.load(std::memory_order_relaxed)) {
    throw NoMailbox("hibernate() in process " + self.pid.to_string() + ", which has no mailbox to wake it");
  }
  // The body that runs now is destroyed by the base of the stack, after unwinding; until then the next one travels with the exception.
  void* const space = move_to_heap(type, body);
  const BodyType* const kept = &type;
  throw HibernateUnwind{kept, std::shared_ptr<void>(space, [kept](void* next) {
                          if (kept->destroy != nullptr) kept->destroy(next);
                          ::operator delete(next, std::align_val_t(kept->align));
                        })};
}

}  // namespace weft::detail

namespace weft::inline v0 {

void exit(ExitReason reason) {
  (void)detail::process_here("exit");
  throw ExitException(std::move(reason));
}

}  // namespace weft
