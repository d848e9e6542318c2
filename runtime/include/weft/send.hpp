// Sending.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <weft/atom.hpp>
#include <weft/clock.hpp>
#include <weft/message.hpp>
#include <weft/pid.hpp>
#include <weft/ref.hpp>

namespace weft::inline v0 {

/// What became of a send; a hint (SND-2). Ignoring it is fine: asynchronous sends never fail because of the receiver (SND-1).
enum class SendResult : std::uint8_t {
  queued,      ///< it is in the mailbox, which does not mean that anybody will read it
  shed,        ///< the full mailbox refused it (CAP-2)
  no_process,  ///< no such process, name or alias, or it has no mailbox
};

/// Where something is sent: a process, a registered name (resolved when it is used), or an alias.
class Destination {
 public:
  /// @{
  /// A pid, an alias or a name, so that a call takes any of them.
  Destination(Pid pid) noexcept : kind_(Kind::pid), pid_(pid) {}
  Destination(Alias alias) noexcept : kind_(Kind::alias), alias_(alias) {}
  Destination(Atom name) : kind_(Kind::name), name_(name.text()) {}
  Destination(std::string_view name) : kind_(Kind::name), name_(name) {}
  Destination(const char* name) : kind_(Kind::name), name_(name) {}
  Destination(const std::string& name) : kind_(Kind::name), name_(name) {}
  /// @}

  /// @{
  /// What it is, and that; the others are null or empty.
  enum class Kind : std::uint8_t { pid, name, alias };
  Kind kind() const noexcept { return kind_; }
  Pid pid() const noexcept { return pid_; }
  const Alias& alias() const noexcept { return alias_; }
  const std::string& name() const noexcept { return name_; }
  /// @}
  /// "<0.1.2>", "name", or "an alias of <0.1.2>"
  std::string to_string() const;

 private:
  Kind kind_;
  Pid pid_;
  Alias alias_;
  std::string name_;
};

namespace detail {
class RuntimeCore;
// Null `core`: the calling process's runtime. The envelope is taken over in every case, also when these throw.
SendResult post(RuntimeCore* core, Pid to, Envelope* envelope);
SendResult post(RuntimeCore* core, std::string_view name, Envelope* envelope);
SendResult post(RuntimeCore* core, const Alias& alias, Envelope* envelope);
SendResult post_waiting(Pid to, Envelope* envelope, Duration timeout);
}  // namespace detail

/// @{
/// Moves `message` to the mailbox of `to` and returns at once.
///
/// Returns: a hint. Exact is `no_process` for a process whose DOWN the caller has received, and for an unknown name.
/// Order:   two sends from one process to one other arrive in that order, however addressed, even if the sender is stolen by another
///          worker in between (ORD-1, ORD-2). Nothing is promised across different senders.
/// Limits:  the receiver's capacity, if it has one, counts user messages; signals are never shed (CAP-3).
/// Threads: processes; blocking(f) and destructors of messages too. No lock; a system call only to wake a sleeping worker.
/// Errors:  NotInProcess on a plain thread (use Runtime::send); std::bad_alloc for the envelope, and then nothing was sent (SND-5).
template <Sendable M>
SendResult send(Pid to, M message) {
  return detail::post(nullptr, to, detail::make_envelope<M>(std::move(message)));
}
template <Sendable M>
SendResult send(std::string_view name, M message) {
  return detail::post(nullptr, name, detail::make_envelope<M>(std::move(message)));
}
template <Sendable M>
SendResult send(Atom name, M message) {
  return detail::post(nullptr, name.text(), detail::make_envelope<M>(std::move(message)));
}
template <Sendable M>
SendResult send(Alias to, M message) {
  return detail::post(nullptr, to, detail::make_envelope<M>(std::move(message)));
}
/// @}
/// @{
/// Passes a received message on, whatever its type. An empty Message is a BadArgument.
SendResult send(Pid to, Message message);
SendResult send(std::string_view name, Message message);
/// @}

/// As send(), but suspends the caller while the receiver's mailbox is full.
///
/// Returns: `queued` or `no_process`; never `shed`. Errors: TimedOut after `timeout`, and then nothing was sent; BadArgument for a
/// negative timeout; NotInProcess on a plain thread.
template <Sendable M>
SendResult send_wait(Pid to, M message, Duration timeout = forever) {
  return detail::post_waiting(to, detail::make_envelope<M>(std::move(message)), timeout);
}

}  // namespace weft
