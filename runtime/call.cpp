#include <weft/call.hpp>

#include <weft/signal.hpp>

#include "runtime/caller.hpp"

namespace weft::inline v0::detail {

// --- the one call in the control block -------------------------------------------------------------------------------------------
//
// Its record hangs on the list of the process called, as every monitor's does, and only that process's lock is needed to put it there
// and to take it off: the caller's own side is the slot, which nobody else changes. Whoever takes the record off the list owns it. If
// that was a death, the record is a Down that comes through our inbox: as the answer if it is met before another one, and else it finds
// no call with its number, and falls out. If it was the caller, another call uses it again.

inline MonitorRef RuntimeCore::open_call(ControlBlock& self, Pid to) {
  if (!self.call.is_free() || !self.plain_mailbox.load(std::memory_order_relaxed)) return {};
  ControlBlock* const block = slot_of(to);
  if (block == nullptr) return {};
  WorkerLocal& local = local_of(*scheduler::Worker::here());
  if (local.call_record == nullptr) local.call_record = make_monitor_record();
  MonitorRecord& record = *local.call_record;
  const std::uint64_t number = self.saved.next_number();
  const MonitorRef ref = RefAccess::monitor(self.pid, number, true);
  record.down.ref = ref;
  record.down.pid = to;
  record.envelope.kind = EnvelopeKind::lost;
  {
    const std::lock_guard<base::SpinLock> hold(block->lock);
    if (!is_tenant(*block, to)) return {};
    record.too_late = block->life.load(std::memory_order_relaxed) != Life::alive;  // MON-11
    block->monitored_by.push_back(record.hook);
  }
  local.call_record = nullptr;
  self.call.open(number, record);
  add(local.counters.monitors);
  return ref;
}

void RuntimeCore::withdraw_call(ControlBlock& self) noexcept {
  MonitorRecord& record = self.call.record();
  {
    ControlBlock& server = *slot_of(record.down.pid);
    const std::lock_guard<base::SpinLock> hold(server.lock);
    if (!record.hook.is_linked()) return;
    server.monitored_by.remove(record.hook);
  }
  WorkerLocal& local = local_of(*scheduler::Worker::here());
  add(local.counters.monitors, static_cast<std::uint64_t>(-1));
  if (MonitorRecord* const another = std::exchange(local.call_record, &record)) destroy_envelope(&another->envelope);
}

bool RuntimeCore::take_as_answer(ControlBlock& self, Envelope& envelope) noexcept {
  if (!self.call.is_open() || envelope.stamp != self.pid.generation()) return false;
  if (envelope.kind == EnvelopeKind::reply) {
    if (envelope.alias != self.call.number()) return false;
    withdraw_call(self);
  } else if (&envelope != &self.call.record().envelope) {
    return false;
  }
  self.call.put_answer(envelope);
  return true;
}

// --- calls -----------------------------------------------------------------------------------------------------------------------

void check_timeout(const char* call, Duration timeout) {
  if (timeout < Duration::zero()) {
    throw BadArgument(std::string(call) + "() with a negative timeout of " + std::to_string(timeout.count()) + " ns");
  }
}

namespace {

[[gnu::noinline]] PendingCall begin_call_specially(ControlBlock& self, const Destination& to) {
  RuntimeCore& core = *current_core();
  Pid target;
  std::unique_ptr<const std::string> name;
  switch (to.kind()) {
    case Destination::Kind::pid:
      target = to.pid();
      break;
    case Destination::Kind::alias:
      target = RefAccess::owner(to.alias());
      break;
    case Destination::Kind::name: {
      const std::optional<Pid> found = core.whereis(to.name());
      if (!found) throw CallFailed("call to \"" + to.name() + "\": no process has that name", ExitReason::noproc);
      target = *found;
      name = std::make_unique<const std::string>(to.name());
      break;
    }
  }
  if (target == self.pid) {
    throw CallFailed("call to " + to.to_string() + ": the caller itself", ExitReason::of(Atom("calling_self")));
  }
  MonitorRef ref = core.open_call(self, target);
  if (!ref) {
    core.drain(self);  // What is here already is older than the reference, and will not be looked at (RCV-11).
    MonitorOptions options;
    options.alias = AliasMode::reply_demonitor;
    ref = core.monitor(self, target, {}, options, true);
  }
  return {ref, target, to.kind() == Destination::Kind::alias ? to.alias() : Alias{}, std::move(name)};
}

}  // namespace

PendingCall begin_call(const Destination& to) {
  ControlBlock& self = process_here("call");
  if (to.kind() == Destination::Kind::pid && to.pid() != self.pid) [[likely]] {
    if (const MonitorRef ref = current_core()->open_call(self, to.pid())) return {.ref = ref, .target = to.pid()};
  }
  return begin_call_specially(self, to);
}

void send_call(const PendingCall& call, Envelope* request) {
  if (call.alias) {
    current_core()->post_to_alias(call.alias, request);
  } else {
    current_core()->post(call.target, request, call.name != nullptr ? std::string_view(*call.name) : std::string_view());
  }
}

namespace {

/// Whether `envelope` ends the call with that number: its reply, or the Down of its monitor.
bool ends_call(Envelope& envelope, std::uint64_t number) noexcept {
  return (envelope.kind == EnvelopeKind::reply && *static_cast<std::uint64_t*>(envelope.payload()) == number) ||
         (envelope.kind == EnvelopeKind::lost && RefAccess::number(reinterpret_cast<MonitorRecord&>(envelope).down.ref) == number);
}

/// Takes the answer out of the save queue, if it is there behind `looked_at`, which moves on.
Envelope* take_from_queue(ControlBlock& self, std::uint64_t number, std::uint64_t& looked_at) noexcept {
  // A shared queue changes under evicting senders; for all others the lock is our own and free.
  std::unique_lock<base::SpinLock> hold(self.lock, std::defer_lock);
  if (self.shares_queue()) hold.lock();
  for (Envelope* at = self.saved.first_after(looked_at); at != nullptr; at = at->next) {
    looked_at = at->stamp;
    if (ends_call(*at, number)) {
      self.saved.remove(*at);
      return at;
    }
  }
  return nullptr;
}

bool is_over(std::int64_t deadline) { return deadline != kNever && current_core()->scheduler.now_ns() >= deadline; }

/// The answer to the call in the slot. Null when the time is over.
inline Envelope* wait_in_slot(ControlBlock& self, std::int64_t deadline, bool look_once) {
  for (bool waited = false;; waited = true) {
    RuntimeCore::drain(self);
    meet_doom(self);
    if (self.call.has_answer()) return self.call.take();
    if (look_once || (waited && is_over(deadline))) return nullptr;
    park(self, deadline, Waiting::call);
  }
}

/// The same for a call that is in the RefTable.
[[gnu::noinline]] Envelope* wait_in_queue(ControlBlock& self, std::uint64_t number, std::int64_t deadline, bool look_once) {
  std::uint64_t looked_at = number;
  for (bool waited = false;; waited = true) {
    RuntimeCore::drain(self);
    meet_doom(self);
    if (Envelope* const answer = take_from_queue(self, number, looked_at)) return answer;
    if (look_once || (waited && is_over(deadline))) return nullptr;
    park(self, deadline, Waiting::call);
  }
}

[[noreturn, gnu::noinline]] void refuse_foreign_wait(const ControlBlock& self, const PendingCall& call) {
  throw BadArgument("Pending::wait in process " + self.pid.to_string() + " for a request of process " +
                    RefAccess::owner(call.ref).to_string());
}

[[noreturn, gnu::noinline]] void call_failed(const PendingCall& call, Envelope* down) {
  const EnvelopePtr envelope(down);
  const ExitReason reason = static_cast<Down*>(envelope->payload())->reason;
  throw CallFailed("call to " + call_destination(call) + ": " + reason.to_string(), reason);
}

}  // namespace

EnvelopePtr wait_for_reply(const PendingCall& call, Duration timeout) {
  ControlBlock& self = process_here("call");
  if (RefAccess::owner(call.ref) != self.pid) [[unlikely]]
    refuse_foreign_wait(self, call);
  const std::int64_t deadline = current_core()->deadline_after(timeout, "call");
  const bool look_once = timeout == Duration::zero();
  const std::uint64_t number = RefAccess::number(call.ref);
  const bool in_slot = self.call.number() == number;
  Envelope* const answer = in_slot ? wait_in_slot(self, deadline, look_once) : wait_in_queue(self, number, deadline, look_once);
  if (answer != nullptr && answer->kind == EnvelopeKind::lost) [[unlikely]]
    call_failed(call, answer);
  return EnvelopePtr(answer);
}

std::string call_destination(const PendingCall& call) {
  return call.name == nullptr ? call.target.to_string() : "\"" + *call.name + "\" (" + call.target.to_string() + ")";
}

void abandon_call(const PendingCall& call) noexcept {
  ControlBlock* const self = current_process();
  if (self == nullptr || self->pid != RefAccess::owner(call.ref) || self->life.load(std::memory_order_relaxed) == Life::dead) return;
  RuntimeCore& core = *current_core();
  const std::uint64_t number = RefAccess::number(call.ref);
  // A reply or a Down that came before is waiting still, and nobody else would ever take it.
  Envelope* found = nullptr;
  if (self->call.number() == number) {
    if (self->call.is_open()) core.withdraw_call(*self);
    found = self->call.take();
  } else {
    (void)core.withdraw(*self, number);
    if (self->no_suspend != 0) return;  // Inside a predicate the mailbox stays as it is.
    std::uint64_t looked_at = number;
    found = take_from_queue(*self, number, looked_at);
  }
  if (found != nullptr) core.destroy_message(*found);
}

void call_timed_out(const PendingCall& call, Duration timeout) {
  throw TimedOut("call to " + call_destination(call) + ": no reply within " + std::to_string(timeout.count() / 1'000'000) + " ms");
}

void wrong_reply(const PendingCall& call, const MessageType& expected, const MessageType& got) {
  const std::string text = "call to " + call_destination(call) + ": replied with " + std::string(type_name(got)) + ", expected " +
                           std::string(type_name(expected));
  throw CallFailed(text, ExitReason::error("weft::CallFailed", text));
}

void post_reply(const From& from, Envelope* envelope) {
  envelope->kind = EnvelopeKind::reply;
  post(nullptr, from.alias(), envelope);
}

}  // namespace weft::detail
