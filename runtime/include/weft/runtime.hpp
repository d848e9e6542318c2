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
  std::size_t max_stacks = std::size_t{1} << 24;     ///< processes that have begun and are not hibernated; 64 more for each worker, at most
  std::size_t max_timers = std::size_t{1} << 24;     ///< of send_after and its relatives; waits with a time limit do not count
  MailboxLimit mailbox{};                            ///< of processes that do not choose their own
  Clock clock = Clock::steady;                       ///< of timers and time limits
  LogLevel log_level = LogLevel::off;                ///< the least important level that reaches `log`
  LogSink log{};                                     ///< where lines go; without one nothing is logged
  DeadLetterSink dead_letters{};                     ///< who hears of messages that reached nobody
  /// Told of each census: so long after the first change of a label or a membership, hence at most once in that time, and not while
  /// nothing changes (INF-6). Without a sink the same goes to the log at info, if it is that fine. Called on a thread of its own.
  CensusSink census{};
  Duration census_interval = std::chrono::seconds(2);  ///< how long a census waits for further changes
  std::size_t blocking_threads = 64;                   ///< most threads of the blocking pool
  Duration watchdog = std::chrono::milliseconds(500);  ///< a process that holds its worker so long is named in the log, at warn; 0: never
  StackGuard stack_guard = StackGuard::automatic;      ///< the kind that is tried first
  bool host_polls = false;                             ///< descriptors are watched by Runtime::poll_once() alone, never by the workers
  bool overflow_handler = false;                       ///< install the SIGSEGV handler that names the process whose stack overflowed
  bool log_stacks = true;  ///< the log's report of a crash, and of a process that holds its worker, shows the stack
  /// A signal that nothing else uses, for instance SIGURG, with which weft stops a worker for some microseconds while the stack of the
  /// process on it is read: for dump(), backtrace() and the watchdog's report. 0: no handler, and running processes show no stack. All
  /// runtimes of a program that choose one choose the same. System calls that are not restarted after a handler may end with EINTR.
  int stack_signal = 0;
};

/// Who was still there when stop() gave up waiting for them to end.
struct StopReport {
  std::vector<Pid> survivors;        ///< empty when all have ended
  std::vector<ProcessInfo> details;  ///< of each: its names, groups, label and parent
};

/// A process that a host thread started ended otherwise than by returning.
class ProcessExited : public Error {
 public:
  /// For weft itself.
  ProcessExited(const std::string& text, ExitReason reason) : Error(text), reason_(std::move(reason)) {}
  /// What it ended with.
  const ExitReason& reason() const noexcept { return reason_; }

 private:
  ExitReason reason_;
};

/// Waits for the end of one process. Copyable; valid for ever, also after the runtime.
class JoinHandle {
 public:
  /// For weft itself: use Runtime::start().
  explicit JoinHandle(std::shared_ptr<detail::JoinState> state) noexcept : state_(std::move(state)) {}
  /// Of the process, also when it is gone.
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

  /// @{
  /// As weft::spawn. From a process of this runtime the caller is the parent; from elsewhere there is none, and `link` is a NotInProcess.
  template <class F, class... Args>
  requires detail::NotOptions<F> Pid spawn(F f, Args... args) {
    return detail::spawn_with(core_.get(), nullptr, false, std::move(f), std::move(args)...);
  }
  template <class F, class... Args>
  Pid spawn(SpawnOptions options, F f, Args... args) {
    return detail::spawn_with(core_.get(), &options, false, std::move(f), std::move(args)...);
  }
  /// @}
  /// As weft::whereis_or_spawn.
  template <class F>
  Pid whereis_or_spawn(std::string_view name, F f) {
    auto body = detail::make_body(std::move(f));
    detail::SpawnRequest request{.type = &detail::body_type<decltype(body)>, .body = &body};
    return detail::whereis_or_spawn_process(core_.get(), name, request);
  }
  /// @{
  /// As spawn(), with a handle to wait for its end.
  template <class F, class... Args>
  requires detail::NotOptions<F> JoinHandle start(F f, Args... args) { return start_with(nullptr, std::move(f), std::move(args)...); }
  template <class F, class... Args>
  JoinHandle start(SpawnOptions options, F f, Args... args) {
    return start_with(&options, std::move(f), std::move(args)...);
  }
  /// @}

  /// @{
  /// Runs `body` as a process, waits for it, and gives its result. It may capture references: the caller waits.
  /// Threads: any; a process that calls it is suspended, a plain thread blocked.
  /// Errors:  what the body threw; ProcessExited if it ended by exit() or a signal; those of spawn().
  template <class F>
  auto run(F body) -> std::invoke_result_t<F> {
    return run_with(SpawnOptions{}, std::move(body));
  }
  template <class F>
  auto run(SpawnOptions options, F body) -> std::invoke_result_t<F> {
    return run_with(std::move(options), std::move(body));
  }
  /// @}

  /// @{
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
  /// @}
  /// As weft::call, through a process made for it (GS-15); blocks the thread.
  template <class R, Sendable Request>
  R call(Destination to, Request request, Duration timeout = std::chrono::seconds(5)) {
    return run([&] { return weft::call<R>(std::move(to), std::move(request), timeout); });
  }
  /// @{
  /// As the free functions of these names. Errors: those, but never NotInProcess.
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
  /// @}

  /// @{
  /// As weft::exit(Pid, ExitReason) and weft::kill. From a plain thread Exit::from is a null Pid.
  void exit(Pid pid, ExitReason reason);
  void kill(Pid pid);
  /// @}

  /// @{
  /// As the free functions of these names.
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
  /// @}

  /// @{
  /// As the free functions of these names. A thread, like a process, sees the effect of what it did before (ORD-9).
  bool is_alive(Pid pid);
  std::vector<Pid> list();
  std::optional<ProcessInfo> info(Pid pid);
  /// @}
  /// False for a dead process (INF-4).
  bool set_label(Pid pid, std::string label);
  /// The counters.
  Stats stats();
  /// Live processes by label and members by group, just now; a text that is both counts both (INF-6).
  std::map<std::string, std::size_t> census();
  /// The counters, and for each process a line (status, what it waits for, label, names, groups, sizes) and its stack, a line for each
  /// frame. No stack have processes that did not begin or are hibernated; those that run show one with RuntimeOptions::stack_signal;
  /// those that were about to run show none. For a runtime at work: each process is read at its own moment.
  void dump(std::ostream& out, DumpStacks stacks = DumpStacks::yes);
  /// One process's stack as in dump(), innermost frame first. Empty where dump() shows none, and for a dead process.
  std::vector<std::string> backtrace(Pid pid);
  /// Its clock: steady or virtual.
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

  /// For a host program with a loop of its own: readable, for poll() or in an epoll set (level-triggered), while a descriptor that a
  /// process waits for may be ready. Then it is time for poll_once(). The number stays the same and ours: do not close it or read from it.
  /// Errors: LimitExceeded when the system gives no descriptor.
  int poll_fd();
  /// Makes the processes runnable whose descriptors are ready, some dozens at most, and returns how many those were. The workers run them.
  ///
  /// With RuntimeOptions::host_polls this alone ends a wait for a descriptor, and it waits up to `timeout` for one; it may return 0 early.
  /// Nothing else wakes it: who waits for other things too has poll_fd() beside them in a set of their own, and calls this with 0. Without
  /// host_polls idle workers watch the descriptors, and this does it once, without waiting; 0 if one of them is at it. Timers and messages
  /// need neither. Threads: any but a process's; 0 at once while another is in it. Errors: BadArgument in a process; a negative timeout.
  std::size_t poll_once(Duration timeout = Duration::zero());

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
        error = exception_that_ends_the_body();
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
  /// In a handler around a whole body: the exception, or null where it is weft's own: an exit(), a signal, a hibernation.
  static std::exception_ptr exception_that_ends_the_body() noexcept;
  [[noreturn]] static void throw_exited(const std::shared_ptr<detail::JoinState>& join, const ExitReason& reason);
  /// Waits until the process, and its stack, are gone.
  ExitReason wait_for_run(const std::shared_ptr<detail::JoinState>& join);

  std::unique_ptr<detail::RuntimeCore> core_;
};

}  // namespace weft
