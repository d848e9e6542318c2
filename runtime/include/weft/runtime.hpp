// The runtime as its host program sees it.
#pragma once

#include <exception>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <weft/call.hpp>
#include <weft/capacity.hpp>
#include <weft/clock.hpp>
#include <weft/error.hpp>
#include <weft/info.hpp>
#include <weft/name.hpp>
#include <weft/process.hpp>
#include <weft/send.hpp>
#include <weft/signal.hpp>
#include <weft/timer.hpp>

namespace weft::inline v0 {

/// How stacks are guarded against overflow. Kernels before 6.13 have no guard markers; there `automatic` falls back (README, limits).
enum class StackGuard : std::uint8_t { automatic, markers, mprotect, canary };

/// Fixed when the runtime starts.
struct RuntimeOptions {
  unsigned workers = 0;                              ///< 0: what affinity and cgroup quota grant
  std::size_t stack_bytes = std::size_t{64} * 1024;  ///< default size of a process's stack
  std::size_t max_processes = std::size_t{1} << 24;  ///< at most 16,777,216
  std::size_t max_stacks = std::size_t{1} << 24;     ///< processes that have begun to run and are not hibernated
  std::size_t max_timers = std::size_t{1} << 24;     ///< of send_after and its relatives; waits with a time limit do not count
  MailboxLimit mailbox{};                            ///< of processes that do not choose their own
  Clock clock = Clock::steady;
  LogLevel log_level = LogLevel::off;
  LogSink log{};
  DeadLetterSink dead_letters{};
  std::size_t blocking_threads = 64;                   ///< most threads of the blocking pool
  Duration watchdog = std::chrono::milliseconds(500);  ///< a process that holds its worker so long is named in the log, at warn; 0: never
  StackGuard stack_guard = StackGuard::automatic;
  bool overflow_handler = false;  ///< install the SIGSEGV handler that names the process whose stack overflowed
};

/// Who was still there when stop() gave up waiting for them to end.
struct StopReport {
  std::vector<Pid> survivors;
  std::vector<ProcessInfo> details;
};

/// A process that a host thread started ended otherwise than by returning.
class ProcessExited : public Error {
 public:
  ProcessExited(const std::string& text, ExitReason reason) : Error(text), reason_(std::move(reason)) {}
  const ExitReason& reason() const noexcept { return reason_; }

 private:
  ExitReason reason_;
};

/// Waits for the end of one process. Copyable; valid for ever, also after the runtime.
class JoinHandle {
 public:
  explicit JoinHandle(std::shared_ptr<detail::JoinState> state) noexcept : state_(std::move(state)) {}
  Pid pid() const noexcept;
  /// Waits until the process is gone and everybody was told (INF-7). A process that calls it is suspended, a plain thread blocked.
  /// Errors: BadArgument for a process that joins itself.
  ExitReason join();
  /// The same for at most `d`; nothing when it still lives.
  std::optional<ExitReason> join_for(Duration d);

 private:
  std::shared_ptr<detail::JoinState> state_;
};

/// A process system: workers, processes, names. Several may live in one program and know nothing of each other.
///
/// Threads: every member may be called from any thread, processes of this and other runtimes included, unless it says otherwise.
class Runtime {
 public:
  /// Starts the workers. Errors: BadArgument for options that cannot be; LimitExceeded when the system gives no thread; std::bad_alloc.
  explicit Runtime(RuntimeOptions options = {});
  /// Kills every process, waits until all are gone, joins the threads. Not from a process of this runtime: that ends the program.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// The runtime of the calling process, null outside one.
  static Runtime* of_self() noexcept;

  /// As weft::spawn. From a process of this runtime the caller is the parent; from elsewhere there is none, and `link` is a NotInProcess.
  template <class F, class... Args>
  requires detail::NotOptions<F> Pid spawn(F f, Args... args) {
    return detail::spawn_with(core_.get(), nullptr, false, std::move(f), std::move(args)...);
  }
  template <class F, class... Args>
  Pid spawn(SpawnOptions options, F f, Args... args) {
    return detail::spawn_with(core_.get(), &options, false, std::move(f), std::move(args)...);
  }
  template <class F>
  Pid whereis_or_spawn(std::string_view name, F f) {
    auto body = detail::make_body(std::move(f));
    detail::SpawnRequest request{.type = &detail::body_type<decltype(body)>, .body = &body};
    return detail::whereis_or_spawn_process(core_.get(), name, request);
  }
  /// As spawn(), with a handle to wait for its end.
  template <class F, class... Args>
  requires detail::NotOptions<F> JoinHandle start(F f, Args... args) { return start_with(nullptr, std::move(f), std::move(args)...); }
  template <class F, class... Args>
  JoinHandle start(SpawnOptions options, F f, Args... args) {
    return start_with(&options, std::move(f), std::move(args)...);
  }

  /// Runs `body` as a process, waits for it, and gives its result. It may capture references: the caller waits.
  /// Errors: what the body threw; ProcessExited if it ended by exit() or a signal.
  template <class F>
  auto run(F body) -> std::invoke_result_t<F> {
    return run_with(SpawnOptions{}, std::move(body));
  }
  template <class F>
  auto run(SpawnOptions options, F body) -> std::invoke_result_t<F> {
    return run_with(std::move(options), std::move(body));
  }

  /// As weft::send. A thread is one sender: what it sends to one process arrives in order (CPP-13).
  template <Sendable M>
  SendResult send(Pid to, M message) {
    return detail::post(core_.get(), to, detail::make_envelope<M>(std::move(message)));
  }
  template <Sendable M>
  SendResult send(std::string_view name, M message) {
    return detail::post(core_.get(), name, detail::make_envelope<M>(std::move(message)));
  }
  template <Sendable M>
  SendResult send(Atom name, M message) {
    return detail::post(core_.get(), name.text(), detail::make_envelope<M>(std::move(message)));
  }
  template <Sendable M>
  SendResult send(Alias to, M message) {
    return detail::post(core_.get(), to, detail::make_envelope<M>(std::move(message)));
  }
  SendResult send(Pid to, Message message);
  /// As weft::call, through a process made for it (GS-15); blocks the thread.
  template <class R, Sendable Request>
  R call(Destination to, Request request, Duration timeout = std::chrono::seconds(5)) {
    return run([&] { return weft::call<R>(std::move(to), std::move(request), timeout); });
  }
  template <Sendable M>
  TimerRef send_after(Duration d, Destination to, M message) {
    return detail::start(core_.get(), {.in = d}, to, std::move(message));
  }
  template <Sendable M>
  TimerRef start_timer(Duration d, Destination to, M message) {
    return detail::start(core_.get(), {.in = d, .as_timeout = true}, to, std::move(message));
  }
  template <Sendable M>
  requires std::copy_constructible<M> TimerRef send_every(Duration period, Destination to, M message) {
    return detail::start(core_.get(), {.in = period, .period = period, .clone = &detail::clone_envelope<M>}, to, std::move(message));
  }
  std::optional<Duration> cancel_timer(TimerRef ref);
  std::optional<Duration> read_timer(TimerRef ref);

  void exit(Pid pid, ExitReason reason);
  void kill(Pid pid);

  void register_name(std::string name, Pid pid);
  bool unregister(std::string_view name);
  std::optional<Pid> whereis(std::string_view name);
  std::vector<std::string> registered();
  bool join(std::string group, Pid pid);
  bool leave(std::string_view group, Pid pid);
  std::vector<Pid> members(std::string_view group);
  std::vector<std::string> groups();
  template <Sendable M>
  std::size_t broadcast(std::string_view group, const M& message) {
    return detail::broadcast(core_.get(), group, message);
  }
  std::size_t kill_group(std::string_view group);

  bool is_alive(Pid pid);
  std::vector<Pid> list();
  std::optional<ProcessInfo> info(Pid pid);
  /// False for a dead process (INF-4).
  bool set_label(Pid pid, std::string label);
  Stats stats();
  /// Live processes by label and members by group; a text that is both counts both (INF-6).
  std::map<std::string, std::size_t> census();
  /// One line for each process, and the counters.
  void dump(std::ostream& out);
  TimePoint now();

  /// Orderly end (SHU-3): every process gets an exit signal `shutdown`; what lives at the deadline is killed; what does not meet its kill
  /// within as long again, because it never calls the runtime, is reported. New spawns are refused from the start. Not from a process.
  StopReport stop(Duration deadline);
  /// Kills every process and returns how many were alive; does not wait (SHU-2).
  std::size_t shutdown();

  /// Clock::virtual_time only, else BadArgument: moves the time on, running what becomes due in order, until all is quiet at the new time.
  void advance(Duration d);
  /// Blocks until every process is parked and nothing is under way. Not from a process.
  void run_until_idle();

  /// For weft itself.
  detail::RuntimeCore& core() noexcept { return *core_; }

 private:
  template <class F, class... Args>
  JoinHandle start_with(const SpawnOptions* options, F f, Args... args) {
    auto body = detail::make_body(std::move(f), std::move(args)...);
    detail::SpawnRequest request{.type = &detail::body_type<decltype(body)>, .body = &body, .options = options, .joinable = true};
    detail::spawn_process(core_.get(), request);
    return JoinHandle(std::move(request.join));
  }
  template <class F>
  auto run_with(SpawnOptions options, F body) -> std::invoke_result_t<F> {
    using R = std::invoke_result_t<F>;
    std::conditional_t<std::is_void_v<R>, bool, std::optional<R>> result{};
    std::exception_ptr error;
    bool returned = false;
    auto wrapped = detail::make_body([&] {
      try {
        if constexpr (std::is_void_v<R>) {
          body();
        } else {
          result.emplace(body());
        }
        returned = true;
      } catch (...) {
        error = std::current_exception();
        throw;
      }
    });
    detail::SpawnRequest request{.type = &detail::body_type<decltype(wrapped)>, .body = &wrapped, .options = &options, .joinable = true};
    detail::spawn_process(core_.get(), request);
    const ExitReason reason = wait_for_run(request.join);
    if (error && ended_by_exception(reason)) std::rethrow_exception(error);
    if (!returned) throw_exited(request.join, reason);
    if constexpr (!std::is_void_v<R>) return std::move(*result);
  }
  static bool ended_by_exception(const ExitReason& reason) noexcept {
    return reason.kind() == detail::atoms::error || reason.kind() == detail::atoms::nocatch;
  }
  [[noreturn]] static void throw_exited(const std::shared_ptr<detail::JoinState>& join, const ExitReason& reason);
  /// Waits until the process, and its stack, are gone.
  ExitReason wait_for_run(const std::shared_ptr<detail::JoinState>& join);

  std::unique_ptr<detail::RuntimeCore> core_;
};

}  // namespace weft
