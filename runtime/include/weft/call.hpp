// Requests and replies.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <weft/clock.hpp>
#include <weft/error.hpp>
#include <weft/exit_reason.hpp>
#include <weft/message.hpp>
#include <weft/pid.hpp>
#include <weft/ref.hpp>
#include <weft/send.hpp>

namespace weft::inline v0 {

/// The process called is dead, was never there, died before it replied, or is the caller itself. reason() says which.
class CallFailed : public Error {
 public:
  /// @{
  /// For weft itself; the reason is noproc where none is given.
  explicit CallFailed(const std::string& text) : Error(text), reason_(ExitReason::noproc) {}
  CallFailed(const std::string& text, ExitReason reason) : Error(text), reason_(std::move(reason)) {}
  /// @}
  /// noproc where there was nobody to call, calling_self for a call to oneself, else the server's own.
  const ExitReason& reason() const noexcept { return reason_; }

 private:
  ExitReason reason_;
};

/// Where a reply goes: copyable, may be kept and answered later, by anyone; only the first answer has an effect.
class From {
 public:
  From() = default;
  /// Who called; null in a From that was default-constructed.
  Pid pid() const noexcept { return pid_; }
  /// Through which the reply goes; off after the first one, and after the caller gave up.
  Alias alias() const noexcept { return detail::RefAccess::alias(pid_, number_); }

  /// @{
  /// For weft itself.
  From(Pid pid, std::uint64_t number) noexcept : pid_(pid), number_(number) {}
  std::uint64_t number() const noexcept { return number_; }
  /// @}

 private:
  Pid pid_;
  std::uint64_t number_ = 0;
};

/// What call() and request() put into the server's mailbox.
template <class Request>
struct Call {
  From from;        ///< to reply to
  Request request;  ///< what was asked
};

namespace detail {

/// A reply on its way; the number first, so that it is found without knowing R.
template <class R>
struct Reply {
  std::uint64_t number;
  R value;
};

struct PendingCall {
  MonitorRef ref;
  Pid target;
  Alias alias{};                              // where the call went to one
  std::unique_ptr<const std::string> name{};  // where it went to one; apart, so that a call is moved in a few instructions
};
/// Monitors the destination, with an alias for the reply. Throws CallFailed for an unknown name and for the caller itself.
PendingCall begin_call(const Destination& to);
/// What the server sees of it.
inline From from_of(const PendingCall& call) noexcept { return {RefAccess::owner(call.ref), RefAccess::number(call.ref)}; }
/// Sends the request; takes the envelope over.
void send_call(const PendingCall& call, Envelope* request);
std::string call_destination(const PendingCall& call);
/// Throws BadArgument for a negative one.
void check_timeout(const char* call, Duration timeout);
/// Waits for the reply. Null when the time is over: the call is pending still. Throws CallFailed.
EnvelopePtr wait_for_reply(const PendingCall& call, Duration timeout);
/// Forgets the call: a late reply vanishes, no Down is left behind (GS-4).
void abandon_call(const PendingCall& call) noexcept;
[[noreturn]] void call_timed_out(const PendingCall& call, Duration timeout);
[[noreturn]] void wrong_reply(const PendingCall& call, const MessageType& expected, const MessageType& got);
void post_reply(const From& from, Envelope* envelope);

/// Sends it, moved out of `request`.
template <class Request>
void send_request(const PendingCall& call, Request& request) {
  send_call(call, make_envelope<weft::Call<Request>>(weft::Call<Request>{from_of(call), std::move(request)}));
}

template <class R>
R open_reply(const PendingCall& call, EnvelopePtr envelope) {
  if (!same_type(*envelope->type, message_type<Reply<R>>)) wrong_reply(call, message_type<Reply<R>>, *envelope->type);
  return std::move(payload_of<Reply<R>>(*envelope)->value);
}

}  // namespace detail

/// Answers a call. Does nothing if the caller no longer waits. Threads: as send().
template <Sendable R>
void reply(const From& from, R value) {
  detail::post_reply(from, detail::make_envelope<detail::Reply<R>>(detail::Reply<R>{from.number(), std::move(value)}));
}

/// A request under way. Its reply is taken by wait() alone. Move-only; belongs to the process that made it.
template <class R>
class Pending {
 public:
  /// For weft itself.
  explicit Pending(detail::PendingCall call) noexcept : call_(std::move(call)) {}
  /// Takes the request over; `other` is no longer pending.
  Pending(Pending&& other) noexcept : call_(std::exchange(other.call_, {})) {}
  /// Exchanges the two requests.
  Pending& operator=(Pending&& other) noexcept {
    std::swap(call_, other.call_);
    return *this;
  }
  /// As abandon().
  ~Pending() { abandon(); }

  /// The reply. Errors: TimedOut, and then it is pending still; CallFailed; BadArgument when the reply was taken or abandoned before.
  R wait(Duration timeout = forever) {
    if (!call_.ref) throw BadArgument("Pending::wait: the reply was taken or abandoned before");
    detail::EnvelopePtr envelope;
    try {
      envelope = detail::wait_for_reply(call_, timeout);
    } catch (const CallFailed&) {
      call_ = {};
      throw;
    }
    if (!envelope) detail::call_timed_out(call_, timeout);
    call_.ref = {};
    return detail::open_reply<R>(call_, std::move(envelope));
  }
  /// Forgets the request: a late reply vanishes.
  void abandon() noexcept {
    if (call_.ref) detail::abandon_call(std::exchange(call_, {}));
  }
  /// For weft itself.
  const detail::PendingCall& call() const noexcept { return call_; }
  /// Whether the reply was neither taken nor abandoned; not whether it is there.
  bool pending() const noexcept { return static_cast<bool>(call_.ref); }

 private:
  detail::PendingCall call_;
};

/// Sends `request` in a Call and returns at once; the answer is taken with Pending::wait(). Errors: CallFailed for an unknown name and
/// for the caller itself; a dead process fails the wait.
template <class R, Sendable Request>
Pending<R> request(Destination to, Request request) {
  Pending<R> pending(detail::begin_call(to));
  detail::send_request(pending.call(), request);
  return pending;
}

/// Sends `request` to a server as Call<Request> and waits for reply(from, R).
///
/// On a monitor and an alias: a dead server is known at once, a late reply after a time-out vanishes (GS-3, GS-4). The wait does not
/// look at what waited before the call (RCV-11). A timeout of zero sends, then throws TimedOut.
/// Threads: processes; suspends. From plain threads use Runtime::call.
/// Errors:  TimedOut; CallFailed with the reason: noproc, the server's own, calling_self; BadArgument for a negative timeout.
template <class R, Sendable Request>
R call(Destination to, Request request, Duration timeout = std::chrono::seconds(5)) {
  detail::check_timeout("call", timeout);
  Pending<R> pending(detail::begin_call(to));
  detail::send_request(pending.call(), request);
  return pending.wait(timeout);
}

}  // namespace weft
