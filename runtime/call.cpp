#include <weft/call.hpp>

#include <weft/signal.hpp>

#include "runtime/core.hpp"

namespace weft::inline v0::detail {

void check_timeout(const char* call, Duration timeout) {
  if (timeout < Duration::zero()) {
    throw BadArgument(std::string(call) + "() with a negative timeout of " + std::to_string(timeout.count()) + " ns");
  }
}

PendingCall begin_call(const Destination& to) {
  ControlBlock& self = process_here("call");
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
  core.drain(self);  // What is here already is older than the reference, and will not be looked at (RCV-11).
  MonitorOptions options;
  options.alias = AliasMode::reply_demonitor;
  const MonitorRef ref = core.monitor(self, target, {}, options, true);
  return {ref, target, to.kind() == Destination::Kind::alias ? to.alias() : Alias{}, std::move(name)};
}

void send_call(const PendingCall& call, Envelope* request) {
  if (call.alias) {
    current_core()->post_to_alias(call.alias, request);
  } else {
    current_core()->post(call.target, request, call.name != nullptr ? std::string_view(*call.name) : std::string_view());
  }
}

EnvelopePtr wait_for_reply(const PendingCall& call, Duration timeout) {
  ControlBlock& self = process_here("call");
  const std::uint64_t number = RefAccess::number(call.ref);
  if (RefAccess::owner(call.ref) != self.pid) {
    throw BadArgument("Pending::wait in process " + self.pid.to_string() + " for a request of process " +
                      RefAccess::owner(call.ref).to_string());
  }
  const std::int64_t deadline = current_core()->deadline_after(timeout, "call");
  std::uint64_t looked_at = number;
  for (;;) {
    RuntimeCore& core = *current_core();
    core.drain(self);
    meet_doom(self);
    Envelope* found = nullptr;
    {
      // A shared queue changes under evicting senders; for all others the lock is our own and free.
      if (self.shares_queue()) self.lock.lock();
      for (Envelope* at = self.saved.first_after(looked_at); at != nullptr; at = at->next) {
        looked_at = at->stamp;
        const bool answers = at->kind == EnvelopeKind::reply && *static_cast<std::uint64_t*>(at->payload()) == number;
        const bool fails = at->kind == EnvelopeKind::down && RefAccess::number(reinterpret_cast<MonitorRecord*>(at)->down.ref) == number;
        if (answers || fails) {
          found = at;
          self.saved.remove(*at);
          break;
        }
      }
      if (self.shares_queue()) self.lock.unlock();
    }
    if (found != nullptr) {
      EnvelopePtr envelope(found);
      if (envelope->kind == EnvelopeKind::reply) return envelope;
      const ExitReason reason = static_cast<Down*>(envelope->payload())->reason;
      throw CallFailed("call to " + call_destination(call) + ": " + reason.to_string(), reason);
    }
    if (timeout == Duration::zero() || (deadline != kNever && core.scheduler.now_ns() >= deadline)) return {};
    park(self, deadline, Waiting::call);
  }
}

std::string call_destination(const PendingCall& call) {
  return call.name == nullptr ? call.target.to_string() : "\"" + *call.name + "\" (" + call.target.to_string() + ")";
}

void abandon_call(const PendingCall& call) noexcept {
  ControlBlock* const self = current_process();
  if (self == nullptr || self->pid != RefAccess::owner(call.ref) || self->life.load(std::memory_order_relaxed) == Life::dead) return;
  RuntimeCore& core = *current_core();
  const std::uint64_t number = RefAccess::number(call.ref);
  (void)core.withdraw(*self, number);
  if (self->no_suspend != 0) return;  // Inside a predicate the mailbox stays as it is.
  // A reply or a Down that came before is waiting still, and nobody else would ever take it.
  Envelope* found = nullptr;
  {
    const std::lock_guard<base::SpinLock> hold(self->lock);
    for (Envelope* at = self->saved.first_after(number); at != nullptr; at = at->next) {
      if ((at->kind == EnvelopeKind::reply && *static_cast<std::uint64_t*>(at->payload()) == number) ||
          (at->kind == EnvelopeKind::down && RefAccess::number(reinterpret_cast<MonitorRecord*>(at)->down.ref) == number)) {
        found = at;
        self->saved.remove(*at);
        break;
      }
    }
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
