// Starting processes, and what a process can do with itself.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <weft/atom.hpp>
#include <weft/capacity.hpp>
#include <weft/clock.hpp>
#include <weft/exit_reason.hpp>
#include <weft/pid.hpp>
#include <weft/ref.hpp>

namespace weft::inline v0 {

class Runtime;

/// Who goes first among the runnable processes of a worker. Low ones run too, about an eighth as often (FLG-3).
enum class Priority : std::uint8_t { low, normal, high };

/// How a process starts. Every member has an initialiser, so that `{.name = "x"}` compiles without warnings.
struct SpawnOptions {
  std::string name{};                    ///< registered before spawn returns; NameTaken if it is taken, and no process was made
  std::string label{};                   ///< free text for logs and the census; not unique (INF-4)
  std::vector<std::string> groups{};     ///< joined before spawn returns
  bool link = false;                     ///< to the spawning process, from before the first instruction (LIF-9)
  bool trap_exit = false;                ///< as trap_exit(true) before the first instruction
  bool mailbox = true;                   ///< false: nothing can be received, and exits cannot be trapped (MBX)
  MailboxLimit limit{};                  ///< default: the runtime's
  std::size_t stack_bytes = 0;           ///< rounded up to a power of two from 64 KiB to 256 MiB; 0: the runtime's default
  Priority priority = Priority::normal;  ///< from the first run on
};

/// When an alias stops working by itself (ALI-2).
enum class AliasMode : std::uint8_t {
  explicit_unalias,  ///< never: until unalias()
  reply,             ///< with the first message through it
  demonitor,         ///< of a monitor: with demonitor() or the DOWN
  reply_demonitor,   ///< of a monitor: as both; the first message through it ends the monitor too
};

/// What a monitor brings besides the Down.
struct MonitorOptions {
  std::optional<AliasMode> alias{};  ///< make an alias with the monitor: MonitorRef::alias()
  std::optional<Atom> tag{};         ///< comes back in Down::tag
};

/// What spawn_monitor() gives.
struct Monitored {
  Pid pid;         ///< of the child
  MonitorRef ref;  ///< which its Down will carry
};

namespace detail {

class RuntimeCore;
struct JoinState;

/// What the runtime does with the body of a process.
struct BodyType {
  std::size_t bytes;
  std::size_t align;
  void (*move)(void* to, void* from);
  void (*run)(void* body);
  void (*destroy)(void* body) noexcept;  // null: nothing to do
};

template <class F, class... Args>
struct Body {
  F function;
  [[no_unique_address]] std::tuple<Args...> arguments;
  void run() {
    std::apply([this](Args&... args) { (void)std::invoke(std::move(function), std::move(args)...); }, arguments);
  }
};

template <class B>
constexpr auto destroy_of() noexcept -> void (*)(void*) noexcept {
  if constexpr (std::is_trivially_destructible_v<B>) {
    return nullptr;
  } else {
    return [](void* body) noexcept { static_cast<B*>(body)->~B(); };
  }
}

template <class B>
inline constexpr BodyType body_type{
    .bytes = sizeof(B),
    .align = alignof(B),
    .move = [](void* to, void* from) { ::new (to) B(std::move(*static_cast<B*>(from))); },
    .run = [](void* body) { static_cast<B*>(body)->run(); },
    .destroy = destroy_of<B>(),
};

struct SpawnRequest {
  const BodyType* type;
  void* body;                               // moved out of
  const SpawnOptions* options = nullptr;    // null: all defaults
  const MonitorOptions* monitor = nullptr;  // not null: monitor the child, and set `ref`
  bool link = false;
  bool joinable = false;  // set `join`
  MonitorRef ref{};
  std::shared_ptr<JoinState> join{};
};

/// In the calling process's runtime, with nothing but a body asked for.
Pid spawn_plain_process(const BodyType& type, void* body);
/// Null `core`: the calling process's runtime.
Pid spawn_process(RuntimeCore* core, SpawnRequest& request);
Pid whereis_or_spawn_process(RuntimeCore* core, std::string_view name, SpawnRequest& request);

template <class T>
concept NotOptions = !std::is_same_v<std::remove_cvref_t<T>, SpawnOptions> && !std::is_same_v<std::remove_cvref_t<T>, MonitorOptions>;

template <class F, class... Args>
concept Startable = NotOptions<F> && std::is_invocable_v<F, Args...>;

template <class F, class... Args>
Body<F, Args...> make_body(F f, Args... args) {
  static_assert(std::is_invocable_v<F, Args...>, "weft: the body must be callable with these arguments");
  static_assert(std::is_nothrow_destructible_v<F>, "weft: the body's destructor must not throw");
  return Body<F, Args...>{std::move(f), std::tuple<Args...>(std::move(args)...)};
}

template <class F, class... Args>
Pid spawn_with(RuntimeCore* core, const SpawnOptions* options, bool link, F f, Args... args) {
  auto body = make_body(std::move(f), std::move(args)...);
  if (core == nullptr && options == nullptr && !link) return spawn_plain_process(body_type<decltype(body)>, &body);
  SpawnRequest request{.type = &body_type<decltype(body)>, .body = &body, .options = options, .link = link};
  return spawn_process(core, request);
}

template <class F, class... Args>
Monitored spawn_monitor_with(const SpawnOptions* options, const MonitorOptions& monitor, F f, Args... args) {
  auto body = make_body(std::move(f), std::move(args)...);
  SpawnRequest request{.type = &body_type<decltype(body)>, .body = &body, .options = options, .monitor = &monitor};
  const Pid pid = spawn_process(nullptr, request);
  return {pid, request.ref};
}

}  // namespace detail

/// @{
/// Starts a process that runs `f(args...)`, everything moved in, and returns its address at once (LIF-1).
///
/// Order:   the process can be addressed, and has its name and groups, when this returns; it may also have ended already.
/// Threads: processes. From plain threads use Runtime::spawn.
/// Errors:  NotInProcess; LimitExceeded (RuntimeOptions::max_processes); NameTaken; BadArgument (options); std::bad_alloc; what moving
///          `f` throws. In each case no process was made. Where no stack can be had when the process first runs, it ends with an error
///          of type weft::LimitExceeded.
template <class F, class... Args>
requires detail::NotOptions<F> Pid spawn(F f, Args... args) {
  return detail::spawn_with(nullptr, nullptr, false, std::move(f), std::move(args)...);
}
template <class F, class... Args>
Pid spawn(SpawnOptions options, F f, Args... args) {
  return detail::spawn_with(nullptr, &options, false, std::move(f), std::move(args)...);
}
/// @}

/// @{
/// As spawn(), linked to the caller from before the child's first instruction (LIF-9).
template <class F, class... Args>
requires detail::NotOptions<F> Pid spawn_link(F f, Args... args) {
  return detail::spawn_with(nullptr, nullptr, true, std::move(f), std::move(args)...);
}
template <class F, class... Args>
Pid spawn_link(SpawnOptions options, F f, Args... args) {
  return detail::spawn_with(nullptr, &options, true, std::move(f), std::move(args)...);
}
/// @}

/// @{
/// As spawn(), monitored by the caller from before the child's first instruction: the DOWN carries the true reason (LIF-9).
template <class F, class... Args>
requires detail::NotOptions<F> Monitored spawn_monitor(F f, Args... args) {
  return detail::spawn_monitor_with(nullptr, MonitorOptions{}, std::move(f), std::move(args)...);
}
template <class F, class... Args>
Monitored spawn_monitor(SpawnOptions options, F f, Args... args) {
  return detail::spawn_monitor_with(&options, MonitorOptions{}, std::move(f), std::move(args)...);
}
template <class F, class... Args>
Monitored spawn_monitor(MonitorOptions monitor, F f, Args... args) {
  return detail::spawn_monitor_with(nullptr, monitor, std::move(f), std::move(args)...);
}
/// @}

/// The process registered as `name`, or one that is started with `f` and registered. Of several callers at once, all get the same
/// process, and no loser's body ever runs (LIF-11). Errors: as spawn() and register_name().
template <class F>
Pid whereis_or_spawn(std::string_view name, F f) {
  auto body = detail::make_body(std::move(f));
  detail::SpawnRequest request{.type = &detail::body_type<decltype(body)>, .body = &body};
  return detail::whereis_or_spawn_process(nullptr, name, request);
}

// --- the calling process ---------------------------------------------------------------------------------------------------------

/// The calling process; a null Pid on a plain thread. Inside blocking() the process that called it.
Pid self();
/// Who spawned the calling process; nothing for one that a plain thread spawned (LIF-12).
std::optional<Pid> parent();
/// The runtime's clock: steady or virtual. Outside a process the steady clock.
TimePoint now();
/// A new unique reference, for hand-written protocols; see receive_since(). Threads: processes.
Ref make_ref();

/// Lets other runnable processes of this worker go first.
void yield();
/// A point where exits and kills act, and where the slice may end; for loops that call nothing else of weft (CPP-1).
void checkpoint();
/// Suspends the caller for at least `d`; never early (TIM-5). Messages wait. Errors: BadArgument for a negative duration.
void sleep_for(Duration d);
/// The same until `t` of the runtime's clock; a moment that has passed is as yield().
void sleep_until(TimePoint t);

/// The old value. A change of priority holds from the next time the process becomes runnable (FLG-3).
Priority set_priority(Priority priority);
/// Whether exit signals become messages; the old value. Signals received before the call were judged by the old value (EXR-9).
/// Errors: NoMailbox in a process without one (MBX-2).
bool trap_exit(bool on);
/// Free text for logs, dumps and the census (INF-4). Errors: NotInProcess; std::bad_alloc.
void set_label(std::string label);

namespace detail {
[[noreturn]] void hibernate_with(const BodyType& type, void* body);
}

/// Gives the caller's stack back, after unwinding it, until a message comes; then `next()` runs as the process's body (FLG-5).
///
/// An idle hibernated process costs its control block and `next`. A message that waits already, also one that was deferred by
/// selective receive, wakes it at once. Errors: NoMailbox.
template <class F>
[[noreturn]] void hibernate(F next) {
  auto body = detail::make_body(std::move(next));
  detail::hibernate_with(detail::body_type<decltype(body)>, &body);
}

}  // namespace weft
