// Messages that are sent later.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include <weft/clock.hpp>
#include <weft/message.hpp>
#include <weft/ref.hpp>
#include <weft/send.hpp>

namespace weft::inline v0 {

/// What a timer made by start_timer() delivers.
struct Timeout {
  TimerRef ref;     ///< of the timer that fired
  Message message;  ///< what start_timer() was given
};

namespace detail {

struct TimerRequest {
  TimePoint at{};
  Duration in{};      // used when `relative`
  Duration period{};  // send_every
  bool relative = true;
  bool as_timeout = false;
  Envelope* (*clone)(Envelope*) = nullptr;
};
/// Null `core`: the calling process's runtime. Takes the envelope over in every case.
TimerRef start_timer(RuntimeCore* core, const TimerRequest& request, const Destination& to, Envelope* message);
std::optional<Duration> cancel_timer(RuntimeCore* core, TimerRef ref);
std::optional<Duration> read_timer(RuntimeCore* core, TimerRef ref);

template <class M>
Envelope* clone_envelope(Envelope* original) {
  return make_envelope<M>(std::as_const(*payload_of<M>(*original)));
}

template <Sendable M>
TimerRef start(RuntimeCore* core, TimerRequest request, const Destination& to, M message) {
  return start_timer(core, request, to, make_envelope<M>(std::move(message)));
}

}  // namespace detail

/// @{
/// Sends `message` to `to` after `d`, or at `t`, of the runtime's clock; never early (TIM-5).
///
/// A timer to a pid ends with that process; a name is resolved when the timer fires (TIM-2). The message counts as a user message and
/// may be shed (TIM-8). Zero is legal and still asynchronous. Threads: processes (Runtime has the same verbs for plain threads).
/// Errors: BadArgument for a negative duration; LimitExceeded (RuntimeOptions::max_timers); NotInProcess; std::bad_alloc.
template <Sendable M>
TimerRef send_after(Duration d, Destination to, M message) {
  return detail::start(nullptr, {.in = d}, to, std::move(message));
}
template <Sendable M>
TimerRef send_after(TimePoint t, Destination to, M message) {
  return detail::start(nullptr, {.at = t, .relative = false}, to, std::move(message));
}
/// @}
/// @{
/// As send_after(); what arrives is a Timeout with the timer's reference and the message.
template <Sendable M>
TimerRef start_timer(Duration d, Destination to, M message) {
  return detail::start(nullptr, {.in = d, .as_timeout = true}, to, std::move(message));
}
template <Sendable M>
TimerRef start_timer(TimePoint t, Destination to, M message) {
  return detail::start(nullptr, {.at = t, .relative = false, .as_timeout = true}, to, std::move(message));
}
/// @}
/// Sends a copy of `message` every `period`, first after one period. Deadlines are multiples of the period: lateness does not add up,
/// and periods that passed unserved are skipped. Ends with cancel_timer(), or with the process it sends to.
/// Errors: as send_after(); BadArgument for a period of zero.
template <Sendable M>
requires std::copy_constructible<M> TimerRef send_every(Duration period, Destination to, M message) {
  return detail::start(nullptr, {.in = period, .period = period, .clone = &detail::clone_envelope<M>}, to, std::move(message));
}

/// The time that was left, if the timer was pending: then its message was not and will not be sent. Nothing if it fired, was cancelled,
/// or never was (TIM-3). Any process may cancel any timer.
std::optional<Duration> cancel_timer(TimerRef ref);
/// The time left, if the timer is pending (TIM-4).
std::optional<Duration> read_timer(TimerRef ref);

/// What cancel_timer_async() answers with.
struct TimerCancelled {
  TimerRef ref;                  ///< that was asked about
  std::optional<Duration> left;  ///< as cancel_timer() returns it
};
/// What read_timer_async() answers with.
struct TimerRead {
  TimerRef ref;                  ///< that was asked about
  std::optional<Duration> left;  ///< as read_timer() returns it
};
/// @{
/// As cancel_timer() and read_timer(), but the answer arrives at the caller as a message (TIM-4).
void cancel_timer_async(TimerRef ref);
void read_timer_async(TimerRef ref);
/// @}

}  // namespace weft
