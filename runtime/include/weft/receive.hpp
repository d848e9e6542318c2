// Receiving.
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <weft/clock.hpp>
#include <weft/message.hpp>
#include <weft/ref.hpp>

namespace weft::inline v0 {

namespace detail {

struct ControlBlock;

template <class Pred, class F>
struct When {
  Pred pred;
  F f;
};
template <class F>
struct After {
  Duration d;
  F f;
};

template <class F>
struct callable;
template <class R, class... A>
struct callable<R(A...)> {
  using result = R;
  static constexpr std::size_t arity = sizeof...(A);
  using arguments = std::tuple<A...>;
};
template <class C, class R, class... A>
struct callable<R (C::*)(A...)> : callable<R(A...)> {};
template <class C, class R, class... A>
struct callable<R (C::*)(A...) const> : callable<R(A...)> {};
template <class C, class R, class... A>
struct callable<R (C::*)(A...) noexcept> : callable<R(A...)> {};
template <class C, class R, class... A>
struct callable<R (C::*)(A...) const noexcept> : callable<R(A...)> {};
template <class R, class... A>
struct callable<R (*)(A...)> : callable<R(A...)> {};
template <class R, class... A>
struct callable<R (*)(A...) noexcept> : callable<R(A...)> {};

template <class H>
struct handler {};
template <class H>
requires requires { &H::operator(); }
struct handler<H> : callable<decltype(&H::operator())> {};
template <class R, class A>
struct handler<R (*)(A)> : callable<R(A)> {};
template <class R, class A>
struct handler<R (*)(A) noexcept> : callable<R(A)> {};
template <class P, class F>
struct handler<When<P, F>> : handler<F> {};
template <class F>
struct handler<After<F>> : handler<F> {};

template <class H>
concept Handler = requires {
  typename handler<std::decay_t<H>>::result;
};

template <class H>
inline constexpr bool is_after = false;
template <class F>
inline constexpr bool is_after<After<F>> = true;
template <class F>
inline constexpr bool is_after<const After<F>> = true;

template <class H>
struct message_of {
  using signature = handler<std::decay_t<H>>;
  static_assert(signature::arity == 1, "weft: a handler takes exactly one message");
  using type = std::remove_cvref_t<std::tuple_element_t<0, typename signature::arguments>>;
};

template <class... R>
struct receive_result : std::type_identity<void> {};
template <class... R>
requires(!(std::is_void_v<R> || ...)) && requires { typename std::common_type_t<R...>; }
struct receive_result<R...> : std::common_type<R...> {};

template <class... H>
using receive_result_t = typename receive_result<typename handler<std::decay_t<H>>::result...>::type;

/// One call of receive: walks what waits, and suspends for more.
class Reception {
 public:
  /// Throws what a wrong call throws. `since`: only messages younger than that reference's number are looked at (RCV-11).
  Reception(const char* call, std::uint64_t since);
  Reception(const char* call, Duration timeout, std::uint64_t since);
  // No destructor: a process that is killed while it waits is unwound with nothing to do here. Whatever leaves early unpins before.
  Reception(const Reception&) = delete;
  Reception& operator=(const Reception&) = delete;

  /// The next message not looked at yet, oldest first: suspends until there is one. Null when the time is over. It stays in the mailbox.
  Envelope* next();
  /// Takes the message that next() gave out of the mailbox.
  void take(Envelope& envelope);

  /// While a predicate runs: nothing may suspend (CPP-7), and a throw leaves the mailbox as it was (RCV-4).
  class Guard {
   public:
    explicit Guard(Reception& reception) noexcept;
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    bool returned(bool accepted) noexcept {
      threw_ = false;
      return accepted;
    }

   private:
    Reception& reception_;
    bool threw_ = true;
  };

 private:
  void begin_specially(const char* call);
  inline Envelope* look_from(Envelope* candidate) noexcept;
  inline Envelope* look_further() noexcept;
  Envelope* look_further_shared() noexcept;
  inline Envelope* look() noexcept;
  Envelope* look_again();
  Envelope* next_arrived();
  Envelope* first_arrived();
  [[nodiscard]] bool wait();
  void take_shared(Envelope& envelope);
  inline void meet_doom();
  void unpin() noexcept;

  ControlBlock* self_;
  std::uint64_t looked_at_;  // numbers up to this were looked at
  Envelope* at_ = nullptr;
  std::int64_t deadline_ns_;  // if timed_
  bool timed_ = false;        // there is an after()
  bool look_once_ = false;    // of zero
  bool shared_ = false;       // the save queue is shared with evicting senders
  bool simple_ = true;        // neither timed nor shared
};

template <class F>
decltype(auto) call_with(F& f, EnvelopePtr envelope) {
  using M = typename message_of<F>::type;
  if constexpr (std::is_same_v<M, Message>) {
    return f(Message(std::move(envelope)));
  } else {
    // The message leaves its envelope before the handler runs: a handler may run for ever.
    M message = std::move(*payload_of<M>(*envelope));
    if constexpr (std::is_trivially_destructible_v<M>) {
      free_envelope(envelope.release());
    } else {
      envelope.reset();
    }
    return f(std::move(message));
  }
}

template <class H>
bool accepts(H&, Envelope& envelope, Reception&) {
  using M = typename message_of<H>::type;
  if constexpr (!std::is_same_v<M, Message>) {
    return same_type(*envelope.type, message_type<M>);
  } else {
    return true;
  }
}
template <class M, class W>
bool accepts_when(W& handler, Envelope& envelope, Reception& reception) {
  Reception::Guard guard(reception);
  if constexpr (!std::is_same_v<M, Message>) {
    return guard.returned(same_type(*envelope.type, message_type<M>) && handler.pred(std::as_const(*payload_of<M>(envelope))));
  } else {
    Message view{EnvelopePtr(&envelope)};
    struct Unview {
      Message& view;
      ~Unview() { (void)view.release().release(); }
    } const unview{view};
    return guard.returned(handler.pred(std::as_const(view)));
  }
}
template <class P, class F>
bool accepts(When<P, F>& handler, Envelope& envelope, Reception& reception) {
  return accepts_when<typename message_of<F>::type>(handler, envelope, reception);
}
template <class P, class F>
bool accepts(const When<P, F>& handler, Envelope& envelope, Reception& reception) {
  return accepts_when<typename message_of<F>::type>(handler, envelope, reception);
}

template <class F>
F& function_of(F& handler) {
  return handler;
}
template <class P, class F>
F& function_of(When<P, F>& handler) {
  return handler.f;
}
template <class P, class F>
const F& function_of(const When<P, F>& handler) {
  return handler.f;
}

/// The time of the handler that is an after(), of which there is one.
template <class... H>
Duration timeout_of(const H&... handlers) {
  Duration timeout{};
  const auto look = [&timeout]([[maybe_unused]] const auto& handler) {
    if constexpr (is_after<std::remove_cvref_t<decltype(handler)>>) timeout = handler.d;
  };
  (look(handlers), ...);
  return timeout;
}

// Tries one handler; what it returns goes to `result`. True when the message was taken.
template <class R, class H, class Result>
bool try_handler(H& handler, Envelope& envelope, Reception& reception, Result& result) {
  if constexpr (is_after<H>) {
    return false;
  } else {
    if (!accepts(handler, envelope, reception)) return false;
    reception.take(envelope);
    if constexpr (std::is_void_v<R>) {
      (void)result;
      (void)call_with(function_of(handler), EnvelopePtr(&envelope));
    } else {
      result.emplace(call_with(function_of(handler), EnvelopePtr(&envelope)));
    }
    return true;
  }
}

struct Nothing {};

template <class R, class... H>
R receive_loop(Reception& reception, H&... handlers) {
  std::conditional_t<std::is_void_v<R>, Nothing, std::optional<R>> result;
  while (Envelope* envelope = reception.next()) {
    if (!(try_handler<R>(handlers, *envelope, reception, result) || ...)) continue;
    if constexpr (std::is_void_v<R>) {
      return;
    } else {
      return std::move(*result);
    }
  }
  if constexpr ((is_after<H> || ...)) {
    auto time_out = [&](auto& handler) {
      if constexpr (is_after<std::remove_cvref_t<decltype(handler)>>) {
        if constexpr (std::is_void_v<R>) {
          (void)handler.f();
        } else {
          result.emplace(handler.f());
        }
      }
    };
    (time_out(handlers), ...);
  }
  if constexpr (!std::is_void_v<R>) return std::move(*result);
}

template <class... H>
receive_result_t<H...> receive_from(const char* call, std::uint64_t since, H&... handlers) {
  static_assert(sizeof...(H) > 0, "weft: receive() needs a handler");
  static_assert((int{is_after<H>} + ...) <= 1, "weft: receive() takes one after()");
  if constexpr ((is_after<H> || ...)) {
    Reception reception(call, timeout_of(handlers...), since);
    return receive_loop<receive_result_t<H...>>(reception, handlers...);
  } else {
    Reception reception(call, since);
    return receive_loop<receive_result_t<H...>>(reception, handlers...);
  }
}

std::uint64_t number_to_receive_since(Ref ref);

}  // namespace detail

/// A handler that takes only messages for which `pred(message)` is true. The predicate may look and may throw; it may not wait.
template <class Pred, class F>
detail::When<Pred, F> when(Pred pred, F f) {
  return {std::move(pred), std::move(f)};
}
/// Last in receive(): bounds the wait. Zero looks once and never waits (RCV-5).
template <class F>
detail::After<F> after(Duration d, F f) {
  return {d, std::move(f)};
}

/// Takes the oldest message that some handler accepts, and gives it to the first handler that does. Others stay where they are (RCV-1).
///
/// A handler takes one message type, by value or const reference; one that takes a Message by value takes any. Returns what the handler
/// returns, in the common type of all of them; void if one returns void.
///
/// Order:   messages of one sender in the order sent; exits, downs and timeouts in the same queue (RCV-3).
/// Time:    with after(d, f): counts from the call, is not restarted by messages that fit nobody, never ends early (RCV-7).
/// Threads: processes with a mailbox. Suspends; the caller may go on on another worker.
/// Errors:  NotInProcess, NoMailbox, ProcessExiting, BadArgument for a negative duration: each leaves the mailbox as it was. What a
///          predicate throws does too (RCV-4). If a handler throws, its message is consumed.
template <detail::Handler... Handlers>
auto receive(Handlers&&... handlers) -> detail::receive_result_t<Handlers...> {
  return detail::receive_from<std::remove_reference_t<Handlers>...>("receive", 0, handlers...);
}

/// As receive(), but looks only at messages that arrived after `ref` was made: its cost does not grow with what waited before (RCV-11).
/// A reference of another process is a BadArgument.
template <detail::Handler... Handlers>
auto receive_since(Ref ref, Handlers&&... handlers) -> detail::receive_result_t<Handlers...> {
  return detail::receive_from<std::remove_reference_t<Handlers>...>("receive_since", detail::number_to_receive_since(ref), handlers...);
}

/// The oldest T; waits for it.
template <class T>
T receive() {
  return receive([](T message) { return message; });
}
/// The oldest T, or nothing when none came within `d`. Zero looks once.
template <class T>
std::optional<T> receive_for(Duration d) {
  return receive([](T message) { return std::optional<T>(std::move(message)); }, after(d, [] { return std::optional<T>(); }));
}
/// The oldest message of any type; waits for it.
Message receive_any();
/// The same, or nothing when none came within `d`. Zero looks once.
std::optional<Message> receive_any_for(Duration d);

}  // namespace weft
