// The inside of a Runtime: the process table and everything that acts on it.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <weft/error.hpp>
#include <weft/info.hpp>
#include <weft/runtime.hpp>
#include <weft/send.hpp>
#include <weft/signal.hpp>
#include <weft/timer.hpp>

#include "registry/groups.hpp"
#include "registry/names.hpp"
#include "registry/slot_table.hpp"
#include "runtime/census.hpp"
#include "runtime/control_block.hpp"
#include "runtime/counters.hpp"
#include "scheduler/backtrace.hpp"
#include "scheduler/scheduler.hpp"
#include "scheduler/stack_signal.hpp"

namespace weft::inline v0::detail {

// --- exceptions that only the base of a stack catches ----------------------------------------------------------------------------

/// Unwinds a doomed process. No std::exception, so no handler for those swallows it; `catch (...)` that does meets it again (CPP-1).
struct ProcessUnwind {};
/// Unwinds a process that hibernates, carrying its next body.
struct HibernateUnwind {
  const BodyType* type;
  std::shared_ptr<void> body;
};

// --- records ---------------------------------------------------------------------------------------------------------------------

/// A link: one record on the lists of both processes. When one of them dies, it becomes the other's Exit message (CPP-23).
struct LinkRecord {
  Envelope envelope;
  Exit exit;  // the payload: at message_type<Exit>.offset
  struct Half {
    registry::Hook hook;
    Pid pid;  // of the process on whose list it hangs
    bool is_second = false;
    bool too_late = false;  // that process was ending when it was linked: its peer is told noproc (LNK-3)
  } half[2];
};

/// A monitor: hangs on the target's list, and stands in the watcher's RefTable. When the target dies it becomes the Down.
struct MonitorRecord {
  Envelope envelope;
  Down down;  // the payload
  registry::Hook hook;
  bool too_late = false;  // the target was ending when the monitor was made: the Down says noproc (MON-11)
};
static_assert(offsetof(LinkRecord, exit) == payload_offset(alignof(Exit)));
static_assert(offsetof(MonitorRecord, down) == payload_offset(alignof(Down)));

/// A timer with a message, in a table of its own: a TimerRef is slot and number.
///
/// `lock` guards everything but the wheel's part of `node`; order of locks: timer, process, wheel.
struct TimerRecord {
  enum class State : std::uint8_t { free, armed };
  scheduler::TimerNode node;  // first: found from it
  std::uint32_t slot_index = 0;
  TimerRecord* next_free = nullptr;
  base::SpinLock lock;
  State state = State::free;
  bool cancelled = false;  // a periodic timer whose firing is under way
  std::uint64_t number = 0;
  scheduler::TimerWheel* wheel = nullptr;
  std::int64_t deadline_ns = 0;
  std::int64_t period_ns = 0;
  Envelope* message = nullptr;
  Envelope* (*clone)(Envelope*) = nullptr;  // periodic: a copy for each firing
  Destination destination{Pid{}};
  registry::Hook hook;  // on the list of the process it sends to, where that is known: a pid, or the owner of an alias
  [[nodiscard]] Pid target() const noexcept {
    switch (destination.kind()) {
      case Destination::Kind::pid:
        return destination.pid();
      case Destination::Kind::alias:
        return RefAccess::owner(destination.alias());
      case Destination::Kind::name:
        break;
    }
    return Pid{};
  }
};

/// Throws std::bad_alloc.
MonitorRecord* make_monitor_record();

struct JoinState {
  base::Mutex mutex;
  std::condition_variable done_changed;
  bool done = false;  // the process is dead, and everybody was told
  bool gone = false;  // its stack is unwound too: later than `done` for an orphaned blocking section (BLK-6)
  ExitReason reason;
  RuntimeCore* core = nullptr;  // an identity, not to be followed: the runtime may be gone
  Pid pid;
  std::vector<std::pair<RuntimeCore*, Pid>> waiters;  // processes, each of its own runtime
};

struct WorkerLocal final : scheduler::HostLocal {
  explicit WorkerLocal(RuntimeCore& runtime);
  ~WorkerLocal() override;
  RuntimeCore& core;
  registry::SlotCache<ControlBlock> slots;
  registry::SlotCache<TimerRecord> timer_slots;
  MonitorRecord* call_record = nullptr;  // of a call that ended, for the next one of whatever process
  Counters counters;
};

/// Of a thread of the blocking pool while it runs a process's section (BLK).
struct BlockingSection {
  RuntimeCore* core = nullptr;
  ControlBlock* process = nullptr;
  Pid pid;
};

enum class Registered : std::uint8_t { yes, taken, no_process };

// --- the runtime -----------------------------------------------------------------------------------------------------------------

class RuntimeCore final : public scheduler::Host {
 public:
  explicit RuntimeCore(RuntimeOptions options);
  ~RuntimeCore() override;

  // --- processes: spawn.cpp, exit.cpp
  Pid spawn(SpawnRequest& request);
  /// As spawn(), by a process that runs on a worker of this runtime, with nothing but a body asked for.
  Pid spawn_plain(ControlBlock& parent, WorkerLocal& local, const BodyType& type, void* body);
  /// As spawn_plain(), with a link or a monitor.
  Pid spawn_tied(ControlBlock& parent, SpawnRequest& request);
  Pid whereis_or_spawn(std::string_view name, SpawnRequest& request);
  /// Fixes the reason of a process that ends by itself, if no signal did before (LIF-4).
  void fix_reason(ControlBlock& self, const ExitReason& reason) noexcept;
  /// The whole end of a process whose body returned, if nobody has to be told of it. False: nothing was done.
  bool end_plainly(ControlBlock& self) noexcept;
  /// The exit sequence of LIF-5 for a process whose stack is unwound; the slot is free after.
  void finish(ControlBlock& self) noexcept;
  /// Its steps 3 to 10: nothing of the process can be seen after. The slot is not given back yet. Not counted is who was never spawned.
  enum class Counted : std::uint8_t { no, yes };
  void die(ControlBlock& self, Counted counted = Counted::yes) noexcept;
  /// Its last part, when all were told and the messages are gone.
  void die_told(ControlBlock& self, Counted counted = Counted::yes) noexcept;
  [[nodiscard]] static std::unique_ptr<Extras> take_extras(ControlBlock& self) noexcept;
  void end_in_terminate(ControlBlock& self) noexcept;
  /// Gives back the slot of one that nobody can address yet.
  void give_up(ControlBlock& child) noexcept;
  /// Ends a process that can be addressed and has not run.
  void undo_spawn(ControlBlock& child) noexcept;
  /// For one that met std::terminate while it moved a body: those whose bodies these were never run.
  void undo_spawns_of(ControlBlock& parent) noexcept;
  void give_back(ControlBlock& self) noexcept;
  /// Parks a process whose stack is unwound until a message comes. False: it is doomed.
  bool go_to_sleep(ControlBlock& self) noexcept;
  [[nodiscard]] bool has_messages(ControlBlock& self) noexcept;

  // --- finding
  /// The slot a pid names, whoever rents it now; null for an index that never was.
  [[nodiscard]] ControlBlock* slot_of(Pid pid) const noexcept { return processes.find(pid.index()); }
  /// For a caller that holds `block.lock`: whether `pid` is its tenant, and not past its death.
  [[nodiscard]] static bool is_tenant(const ControlBlock& block, Pid pid) noexcept {
    return block.generation.load(std::memory_order_relaxed) == pid.generation() && block.life.load(std::memory_order_relaxed) != Life::dead;
  }
  [[nodiscard]] bool is_alive(Pid pid) const noexcept;
  /// No process is left, no stack of one, and none is just being counted. The last is asked first: who was, is counted then.
  [[nodiscard]] bool is_empty() const noexcept {
    return outside_counts_.load(std::memory_order_seq_cst) == 0 && live() == 0 && orphans_.load(std::memory_order_seq_cst) == 0;
  }

  // --- messages: send.cpp
  SendResult post(Pid to, Envelope* envelope, std::string_view name = {}) noexcept;
  /// As post(), by a process on `worker`, which is one of this runtime's.
  [[gnu::always_inline]] inline SendResult post_from(scheduler::Worker& worker, Pid to, Envelope* envelope,
                                                     std::string_view name = {}) noexcept;
  SendResult post_specially(Pid to, Envelope* envelope, std::string_view name) noexcept;
  SendResult post_by_name(std::string_view name, Envelope* envelope) noexcept;
  SendResult post_to_alias(const Alias& alias, Envelope* envelope) noexcept;
  SendResult post_to(const Destination& destination, Envelope* envelope) noexcept;
  /// Puts a signal's envelope into the inbox of `to`; false when it is dead, and the envelope stays the caller's.
  bool push_signal(Pid to, Envelope& envelope) noexcept;
  void dead_letter(DeadLetterReason reason, Pid to, std::string_view name, Envelope& envelope) noexcept;
  SendResult push_message(ControlBlock& block, Pid to, Envelope* envelope, std::string_view name) noexcept;
  SendResult post_bounded(ControlBlock& block, Pid to, Envelope* envelope, std::string_view name) noexcept;
  void overflow_ends(ControlBlock& block, Pid to) noexcept;
  void destroy_message(Envelope& envelope) noexcept;
  enum class Room : std::uint8_t { taken, full, overflowed, gone };
  /// A place in the bounded mailbox of `to`, which rents `block`, for one user message; `gone` when it does not any more. The count
  /// carries its tenant's generation, so that a late sender or a stale message never changes a successor's.
  Room take_room(ControlBlock& block, Pid to) noexcept;
  void free_room(ControlBlock& block, std::uint64_t generation) noexcept {
    if (give_room(block, generation)) tell_room_waiters(block);
  }
  /// Its first part, which needs no lock. True: somebody waits for room, and is to be told, by a caller that holds no lock.
  [[nodiscard]] static bool give_room(ControlBlock& block, std::uint64_t generation) noexcept;
  void tell_room_waiters(ControlBlock& block) noexcept;

  // --- signals: signal.cpp. Each is received when the call returns (C3 of control_block.hpp).
  void exit_signal(Pid from, Pid to, const ExitReason& reason);
  void link(ControlBlock& self, Pid to);
  void unlink(ControlBlock& self, Pid to) noexcept;
  /// `for_call`: the alias takes nothing but the reply of a call.
  MonitorRef monitor(ControlBlock& self, Pid to, std::string_view name, const MonitorOptions& options, bool for_call = false);
  /// For spawn(): ties a child that nobody can address yet to its parent (LIF-9). Throws std::bad_alloc, and then nothing was tied.
  void tie_child(ControlBlock& parent, ControlBlock& child, bool linked, const MonitorOptions* monitored, MonitorRef& ref);
  bool demonitor(ControlBlock& self, const MonitorRef& ref, const DemonitorOptions& options);
  /// Ends the monitor with that number, with its alias if the mode says so. True if it was there: then no Down of it was or will be
  /// received.
  bool withdraw(ControlBlock& self, std::uint64_t number) noexcept;
  /// A monitor with an alias in `self.call`. Null when that is in use, the mailbox is not a plain one, or `to` is not alive.
  MonitorRef open_call(ControlBlock& self, Pid to);
  /// Ends the monitor and the alias of the call in `self.call`, which is open.
  void withdraw_call(ControlBlock& self) noexcept;
  /// `envelope` was received and is of no ordinary kind. True: it answers the call in `self.call`, and was put there.
  bool take_as_answer(ControlBlock& self, Envelope& envelope) noexcept;
  /// Takes a received Down of that monitor out of the save queue. False when there is none.
  bool take_down(ControlBlock& self, std::uint64_t number) noexcept;
  void tell_links(ControlBlock& self) noexcept;
  void tell_watchers(ControlBlock& self) noexcept;
  void withdraw_monitors(ControlBlock& self) noexcept;
  /// Fixes the reason of `block` and wakes it, if no terminating event came first (LIF-4). Under block.lock.
  /// True: the caller makes it runnable after unlocking.
  [[nodiscard]] bool doom(ControlBlock& block, const ExitReason& reason) noexcept;
  /// Makes `pid` look again at what it waits for.
  void kick(Pid pid) noexcept;
  /// Under block.lock. True: the caller makes it runnable after unlocking.
  [[nodiscard]] bool kick_locked(ControlBlock& block) noexcept;

  // --- receiving: receive.cpp
  /// Moves what arrived to the save queue. False when there was nothing. By `self`.
  static bool drain(ControlBlock& self) noexcept;
  static void drain_plain(ControlBlock& self) noexcept;
  bool drain_specially(ControlBlock& self) noexcept;
  /// Its inner part, for the owner, or, where the save queue is shared, for a sender that holds the lock already. Returns what fell
  /// out on the way (stale, alias off, monitor withdrawn), for discard() without the lock.
  enum class Locked : std::uint8_t { no, already };
  [[nodiscard]] Envelope* sort_in(ControlBlock& block, Locked locked) noexcept;
  [[nodiscard]] Envelope* sort_chain(ControlBlock& block, Envelope* arrived, Locked locked) noexcept;
  static void finish_drain(ControlBlock& self, mailbox::SaveQueue::Arrived arrived) noexcept;
  void after_drain(ControlBlock& self, Envelope* dropped, bool replies) noexcept;
  /// After `envelope` left the mailbox of `block`: its place is free.
  void left_mailbox(ControlBlock& block, Envelope& envelope) noexcept;
  /// Destroys a chain of envelopes that fell out in sort_in(), and frees their places in the mailbox of `block`.
  void discard_dropped(Envelope* chain, ControlBlock& block) noexcept;
  /// Destroys a chain of envelopes whose receiver is dead.
  void discard(Envelope* chain) noexcept;
  /// Monitors that a message through their alias ended (AliasMode::reply_demonitor).
  void withdraw_replied(ControlBlock& self) noexcept;

  // --- names and groups: name.cpp
  void register_name(std::string_view name, Pid pid);
  /// The same without an error for what others may have done: the name taken, the process killed.
  [[nodiscard]] Registered try_register(std::string_view name, Pid pid);
  bool unregister(std::string_view name) noexcept;
  [[nodiscard]] std::optional<Pid> whereis(std::string_view name) const;
  bool join_group(std::string_view group, Pid pid);
  bool leave_group(std::string_view group, Pid pid) noexcept;
  std::size_t kill_group(std::string_view group);
  void release_names(ControlBlock& self) noexcept;
  void release_groups(ControlBlock& self) noexcept;

  // --- timers: timer.cpp
  TimerRef start_timer(std::int64_t deadline_ns, std::int64_t period_ns, const Destination& destination, Envelope* message,
                       Envelope* (*clone)(Envelope*), bool as_timeout);
  std::optional<Duration> cancel_timer(const TimerRef& ref) noexcept;
  std::optional<Duration> read_timer(const TimerRef& ref) noexcept;
  void cancel_timers_of(ControlBlock& self) noexcept;
  /// Takes out a timer that a wait left behind (`wakes_at`), for a process that ends.
  void forget_wake_timer(ControlBlock& self) noexcept;
  /// now + d on the runtime's clock; saturated (CPP-21). Throws BadArgument for a negative d.
  [[nodiscard]] inline std::int64_t deadline_after(Duration d, const char* call) const;
  [[noreturn]] static void refuse_duration(Duration d, const char* call);
  [[nodiscard]] std::int64_t deadline_at(TimePoint t) const noexcept;

  // --- knowing: info.cpp, dump.cpp, census.cpp
  [[nodiscard]] std::optional<ProcessInfo> info(Pid pid);
  [[nodiscard]] std::vector<Pid> list() const;
  [[nodiscard]] Stats stats() const;
  [[nodiscard]] std::map<std::string, std::size_t> census();
  void dump(std::ostream& out, DumpStacks stacks);
  [[nodiscard]] std::vector<std::string> backtrace(Pid pid);
  bool set_label(Pid pid, std::string label);
  [[nodiscard]] std::vector<std::string> registered();
  [[nodiscard]] std::map<std::string, std::size_t> group_sizes();
  [[nodiscard]] std::vector<std::string> group_names();
  template <class Visit>
  void for_each_extras(Visit visit);
  [[nodiscard]] static Pid link_peer(registry::Hook& hook, const ControlBlock& self) noexcept;
  [[nodiscard]] static MonitorRecord& monitor_of(registry::Hook& hook) noexcept;
  [[nodiscard]] bool wants(LogLevel level) const noexcept { return level <= options.log_level && options.log != nullptr; }
  void log(LogLevel level, std::string_view line) noexcept;
  void log_end(ControlBlock& self) noexcept;
  [[nodiscard]] bool notes_spawns() const noexcept { return notes_spawns_; }
  /// Called only if notes_spawns().
  void note_spawn(Pid pid, const std::string& label) noexcept;
  [[nodiscard]] bool wants_census() const noexcept { return wants(LogLevel::info) || options.census != nullptr; }
  /// A label or a membership came or went: a census will tell (INF-6). Takes the lock of a timer wheel.
  void census_changed() noexcept;

  // --- shutdown.cpp
  StopReport stop(Duration deadline);
  std::size_t kill_all();
  std::size_t signal_all(const ExitReason& reason);
  void kill_one(Pid pid) noexcept;
  bool wait_until_empty(std::chrono::steady_clock::time_point deadline);
  [[nodiscard]] ProcessInfo describe_survivor(Pid pid);
  /// A process ended: tells those that wait for the last one.
  void one_less() noexcept;
  [[nodiscard]] std::uint64_t live() const noexcept;

  // --- scheduler::Host
  void run(scheduler::Fiber& fiber) noexcept override;
  void refuse(scheduler::Fiber& fiber) noexcept override;
  void worker_started() noexcept override;
  void fire(scheduler::TimerNode** nodes, std::size_t count) noexcept override;
  void descriptor_ready(std::uint64_t token, std::uint32_t ready) noexcept override;
  void holds_worker(scheduler::Fiber* fiber, unsigned worker, std::int64_t held_ns) noexcept override;

  /// Adds `n` to a counter of the calling worker, or of all other threads together.
  void count(std::atomic<std::uint64_t> Counters::*counter, std::uint64_t n = 1) noexcept;
  [[nodiscard]] std::uint64_t total(std::atomic<std::uint64_t> Counters::*counter) const noexcept;
  [[nodiscard]] WorkerLocal* worker_local() noexcept;

  Runtime* face = nullptr;
  RuntimeCore* next_for_debugger = nullptr;  // debugger.hpp
  RuntimeOptions options;
  registry::SlotTable<ControlBlock> processes;
  registry::SlotTable<TimerRecord> timers;
  registry::Names names;
  registry::Groups groups;

 private:
  // Before the scheduler, whose blocking pool may still be counting when all else is gone.
  CensusTask census_;
  scheduler::StackSignal stack_signal_;  // outlives the workers: its signal may be pending for one of their threads

 public:
  scheduler::Scheduler scheduler;

  /// A process died with a blocking section under way, and its stack was unwound (BLK-6).
  void orphan_appears() noexcept { orphans_.fetch_add(1, std::memory_order_seq_cst); }
  void orphan_gone() noexcept { orphans_.fetch_sub(1, std::memory_order_seq_cst); }

 private:
  /// Not under the block's lock: its owner may need that to finish what is waited for.
  static std::size_t depth(const ControlBlock& block) noexcept;
  struct StackSeen {
    bool read = false;
    int worker = -1;  // it was found running there
  };
  /// Reads the stack of `pid`, whatever it is doing, if that can be done.
  StackSeen read_stack(Pid pid, scheduler::Backtrace& into) noexcept;
  /// True: the process was parked, and the caller has the right, and the duty, to make it runnable.
  [[nodiscard]] bool take_parked(ControlBlock& block, Pid pid) noexcept;
  /// By the signal of RuntimeOptions::stack_signal. False without one, or if the process does not run there any more.
  bool read_running_stack(ControlBlock& block, Pid pid, unsigned worker, scheduler::Backtrace& into) noexcept;
  void start_census_timer() noexcept;
  void census_due() noexcept;
  void take_census() noexcept;
  void dump_one(std::ostream& out, Pid pid, DumpStacks stacks);
  /// Runs the body, and keeps where an exception that leaves it came from.
  void run_watched(ControlBlock& self);
  static void keep_origin(ControlBlock& self, std::unique_ptr<scheduler::Backtrace> origin) noexcept;
  bool receive_special(ControlBlock& block, Envelope& envelope) noexcept;
  void report_dropped(ControlBlock& self, Envelope& envelope) noexcept;
  /// Counts a process that has no parent in this runtime, or throws LimitExceeded because stop() came between (SHU-3). With a parent
  /// nothing can: that one is left.
  void count_outside_spawn();
  /// A free slot, out of the stock of a worker or of all other threads. Throws LimitExceeded.
  ControlBlock& rent_slot(WorkerLocal* local);
  TimerRecord* rent_timer() noexcept;
  void give_timer_back(TimerRecord& record) noexcept;
  void timer_ended() noexcept;  // it neither fires nor can be cancelled any more
  void fire_one(TimerRecord& record) noexcept;
  Envelope* disarm(TimerRecord& record) noexcept;
  enum class Told : std::uint8_t { nothing, wake, message };
  [[nodiscard]] Told link_exit(ControlBlock& survivor, const ExitReason& reason) noexcept;
  LinkRecord* find_link(ControlBlock& a, ControlBlock& b) noexcept;

  Quota process_quota_;
  Quota timer_quota_;
  Counters outside_;             // threads that are no workers
  base::SpinLock outside_lock_;  // guards the two caches
  registry::SlotCache<ControlBlock> outside_slots_;
  registry::SlotCache<TimerRecord> outside_timer_slots_;
  std::uint64_t outside_last_child_ = 0;  // PID-3 for plain threads, under outside_lock_
  std::atomic<std::uint64_t> timer_numbers_{0};
  std::atomic<std::uint64_t> orphans_{0};         // dead processes whose stack waits for a blocking section to return
  std::atomic<std::uint64_t> outside_counts_{0};  // calls of count_outside_spawn() under way
  std::atomic<bool> refusing_spawns_{false};
  bool notes_spawns_ = false;    // constant: for the log or for the census
  bool watches_throws_ = false;  // constant: crash reports show stacks
  std::mutex empty_mutex_;
  std::condition_variable empty_;
  std::int64_t started_ns_ = 0;
  std::atomic<int> stop_waits_{0};  // threads that wait for the last process
};

// --- the calling process ---------------------------------------------------------------------------------------------------------

/// The process that runs on this thread's stack, or null.
[[nodiscard]] inline ControlBlock* current_process() noexcept {
  scheduler::Worker* worker = scheduler::Worker::here();
  return worker == nullptr ? nullptr : static_cast<ControlBlock*>(worker->current());
}
[[nodiscard]] inline WorkerLocal& local_of(const scheduler::Worker& worker) noexcept {
  return *static_cast<WorkerLocal*>(worker.host_local.get());
}
/// The runtime of the calling worker thread; null elsewhere.
[[nodiscard]] inline RuntimeCore* current_core() noexcept {
  scheduler::Worker* worker = scheduler::Worker::here();
  return worker == nullptr ? nullptr : &local_of(*worker).core;
}
/// What the exception that is being handled makes of an exit reason (EXR-3).
[[nodiscard]] ExitReason current_exception_reason() noexcept;
/// The reason of a crash for want of memory; made when the first runtime starts, because it needs memory itself.
const ExitReason& out_of_memory();
void complete_join(JoinState& join, const ExitReason& reason, bool gone) noexcept;
void complete_gone(JoinState& join) noexcept;
[[nodiscard]] BlockingSection* blocking_section() noexcept;
void enter_blocking_section(BlockingSection* section) noexcept;

/// Throws BadArgument or LimitExceeded for a name or group that cannot be.
void check_process_name(std::string_view what, std::string_view name);
/// Moves a body into memory of its own, made with operator new for the type's alignment.
[[nodiscard]] void* move_to_heap(const BodyType& type, void* body);
/// Moves a body into `block`.
void place_body(ControlBlock& block, const BodyType& type, void* body);
/// Destroys the body, with what it captured, if it is still there.
void drop_body(ControlBlock& block) noexcept;

inline bool RuntimeCore::drain(ControlBlock& self) noexcept {
  if (!self.plain_mailbox.load(std::memory_order_relaxed)) [[unlikely]]
    return current_core()->drain_specially(self);
  if (!self.inbox.has_mail()) return false;
  drain_plain(self);
  return true;
}
inline WorkerLocal* RuntimeCore::worker_local() noexcept {
  scheduler::Worker* const worker = scheduler::Worker::here();
  return worker == nullptr || &worker->scheduler() != &scheduler ? nullptr : &local_of(*worker);
}
/// For a worker's own counter: no locked operation. release: who sees the last process finished (live()) sees what it did.
inline void add(std::atomic<std::uint64_t>& mine, std::uint64_t n = 1) noexcept {
  mine.store(mine.load(std::memory_order_relaxed) + n, std::memory_order_release);
}

inline void RuntimeCore::count(std::atomic<std::uint64_t> Counters::*counter, std::uint64_t n) noexcept {
  if (WorkerLocal* local = worker_local()) {
    add(local->counters.*counter, n);
  } else {
    (outside_.*counter).fetch_add(n, std::memory_order_release);
  }
}

inline constexpr std::int64_t kNever = scheduler::TimerWheel::kNever;

inline std::int64_t RuntimeCore::deadline_after(Duration d, const char* call) const {
  if (d < Duration::zero()) [[unlikely]]
    refuse_duration(d, call);
  if (d == forever) return kNever;  // No need to know the time.
  const std::int64_t now = scheduler.now_ns();
  return d.count() >= kNever - now ? kNever : now + d.count();
}

}  // namespace weft::detail
