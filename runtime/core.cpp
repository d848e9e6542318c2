#include "runtime/caller.hpp"

#include <signal.h>

#include <algorithm>

#include "runtime/debugger.hpp"
#include "runtime/sim.hpp"
#include "runtime/symbols.hpp"
#include "runtime/terminate.hpp"
#include "scheduler/topology.hpp"

namespace weft::inline v0::detail {
namespace {

scheduler::SchedulerOptions scheduler_options(const RuntimeOptions& options) {
  scheduler::SchedulerOptions made;
  made.workers = options.workers;
  made.max_stacks = options.max_stacks;
  made.clock = options.clock;
  made.blocking_threads = options.blocking_threads;
  made.watchdog_ns = options.watchdog.count();
  made.host_polls = options.host_polls;
  switch (options.stack_guard) {
    case StackGuard::automatic:
      made.guard = scheduler::GuardMode::automatic;
      break;
    case StackGuard::markers:
      made.guard = scheduler::GuardMode::guard_markers;
      break;
    case StackGuard::mprotect:
      made.guard = scheduler::GuardMode::mprotect;
      break;
    case StackGuard::canary:
      made.guard = scheduler::GuardMode::canary;
      break;
  }
  return made;
}

RuntimeOptions checked(RuntimeOptions options) {
  const auto refuse = [](const std::string& what) { throw BadArgument("RuntimeOptions: " + what); };
  constexpr std::size_t kMost = std::size_t{1} << Pid::kIndexBits;
  if (options.workers == 0) options.workers = scheduler::usable_cores();
  if (options.workers > scheduler::IdleSet::kMaxWorkers) {
    refuse("workers is " + std::to_string(options.workers) + ", the limit is " + std::to_string(scheduler::IdleSet::kMaxWorkers));
  }
  if (options.max_processes == 0 || options.max_processes > kMost) {
    refuse("max_processes is " + std::to_string(options.max_processes) + ", allowed are 1 to " + std::to_string(kMost));
  }
  if (options.max_timers == 0 || options.max_timers > kMost) {
    refuse("max_timers is " + std::to_string(options.max_timers) + ", allowed are 1 to " + std::to_string(kMost));
  }
  if (options.max_stacks == 0) refuse("max_stacks is 0: no process could run");
  if (options.blocking_threads == 0) refuse("blocking_threads is 0: blocking() would never return");
  if (options.stack_bytes > scheduler::StackPool::kMaxStackBytes) {
    refuse("stack_bytes is " + std::to_string(options.stack_bytes) + ", the limit is " +
           std::to_string(scheduler::StackPool::kMaxStackBytes));
  }
  if (options.mailbox.capacity == 0) refuse("a mailbox of capacity 0");
  if (options.watchdog < Duration::zero()) refuse("a negative watchdog time");
  if (options.census_interval <= Duration::zero()) refuse("a census_interval of zero or less");
  if (options.stack_signal < 0 || options.stack_signal > SIGRTMAX || options.stack_signal == SIGSEGV) {
    refuse("stack_signal is " + std::to_string(options.stack_signal) + ", which is no signal for that");
  }
  return options;
}

/// Workers keep free slots in stock, so a table needs some more than may be used at once.
std::size_t table_slots(std::size_t used_at_most, unsigned workers) {
  constexpr std::size_t kMost = std::size_t{1} << Pid::kIndexBits;
  return std::min(kMost, used_at_most + (workers + 1) * 2 * registry::SlotTable<ControlBlock>::kBatch);
}

thread_local BlockingSection* section_here = nullptr;
[[maybe_unused]] const base::ThreadPart section_part([]() noexcept -> void* { return &section_here; }, sizeof section_here);

}  // namespace

BlockingSection* blocking_section() noexcept { return section_here; }
void enter_blocking_section(BlockingSection* section) noexcept { section_here = section; }

WorkerLocal::WorkerLocal(RuntimeCore& runtime) : core(runtime), slots(runtime.processes), timer_slots(runtime.timers) {}
WorkerLocal::~WorkerLocal() {
  if (call_record != nullptr) destroy_envelope(&call_record->envelope);
}

RuntimeCore::RuntimeCore(RuntimeOptions wanted)
    : options(checked(std::move(wanted))),
      processes(table_slots(options.max_processes, options.workers)),
      timers(table_slots(options.max_timers, options.workers)),
      stack_signal_(options.stack_signal),
      scheduler(scheduler_options(options), *this),
      process_quota_(options.max_processes),
      timer_quota_(options.max_timers),
      outside_slots_(processes),
      outside_timer_slots_(timers),
      started_ns_(scheduler::Scheduler::steady_ns()) {
  census_.core = this;
  census_.timer.tag = kCensusTimer;
  watches_throws_ = options.log_stacks && wants(LogLevel::error);
  notes_spawns_ = wants(LogLevel::debug) || wants_census();
  contain_terminate();
  no_suspend_counter = []() noexcept -> std::uint16_t* {
    ControlBlock* self = current_process();
    return self == nullptr ? nullptr : &self->no_suspend;
  };
  (void)out_of_memory();
  switch (stack_signal_.state()) {
    case scheduler::StackSignal::State::none:
    case scheduler::StackSignal::State::installed:
      break;
    case scheduler::StackSignal::State::other_number:
      throw BadArgument("RuntimeOptions: stack_signal is " + std::to_string(options.stack_signal) +
                        ", and another runtime of this program has chosen another one");
    case scheduler::StackSignal::State::refused:
      throw BadArgument("RuntimeOptions: stack_signal is " + std::to_string(options.stack_signal) +
                        ", for which the system allows no handler");
  }
  if (options.overflow_handler) report_overflow(*this);
  try {
    scheduler.start([this](scheduler::Worker& worker) { worker.host_local = std::make_unique<WorkerLocal>(*this); });
  } catch (const std::bad_alloc&) {
    if (options.overflow_handler) forget_overflow(*this);
    throw;
  } catch (const std::system_error& failed) {
    if (options.overflow_handler) forget_overflow(*this);
    throw LimitExceeded("the system gives no thread for " + std::to_string(options.workers) + " workers: " + failed.what());
  }
  show_to_debugger(*this);
}

RuntimeCore::~RuntimeCore() {
  refusing_spawns_.store(true, std::memory_order_seq_cst);
  kill_all();
  {
    std::unique_lock<std::mutex> hold(empty_mutex_);
    stop_waits_.fetch_add(1, std::memory_order_seq_cst);
    // A spawn that passed the refusal just before it was raised may still appear: kill again until none is left.
    while (!is_empty()) {
      constexpr std::chrono::milliseconds kPatience{20};
      if (base::exploring()) {
        hold.unlock();
        base::explore_wait(
            "until empty", [this] { return is_empty(); }, base::explored_ns() + std::chrono::nanoseconds(kPatience).count());
        hold.lock();
      } else {
        empty_.wait_for(hold, kPatience);
      }
      hold.unlock();
      kill_all();
      hold.lock();
    }
  }
  if (base::exploring()) explored_end(*this);
  scheduler.stop();
  hide_from_debugger(*this);  // Late, so that it can be seen who holds up the end.
  // Timers to names outlive processes; they end here.
  for (std::size_t i = 0; i < timers.committed(); ++i) {
    TimerRecord& record = *timers.find(i);
    if (record.message != nullptr) destroy_envelope(std::exchange(record.message, nullptr));
  }
  if (options.overflow_handler) forget_overflow(*this);
}

void RuntimeCore::one_less() noexcept {
  // seq_cst on both sides: the waiter raises stop_waits_ and reads the counters; we count and read stop_waits_.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  base::explore_point("one less");
  if (stop_waits_.load(std::memory_order_seq_cst) == 0) return;
  const std::lock_guard<std::mutex> hold(empty_mutex_);
  empty_.notify_all();
}

std::uint64_t RuntimeCore::total(std::atomic<std::uint64_t> Counters::*counter) const noexcept {
  std::uint64_t sum = (outside_.*counter).load(std::memory_order_acquire);
  auto& workers = const_cast<scheduler::Scheduler&>(scheduler);
  for (unsigned i = 0; i < workers.worker_count(); ++i) {
    const auto* local = static_cast<const WorkerLocal*>(workers.worker(i).host_local.get());
    if (local != nullptr) sum += (local->counters.*counter).load(std::memory_order_acquire);
  }
  return sum;
}

std::uint64_t RuntimeCore::live() const noexcept {
  const std::uint64_t finished = total(&Counters::finished);  // First: the difference is never below the truth.
  return total(&Counters::spawned) - finished;
}

bool RuntimeCore::is_alive(Pid pid) const noexcept {
  ControlBlock* block = slot_of(pid);
  if (block == nullptr || !pid) return false;
  base::explore_point("is alive");
  // Generation after life: a successor's life never passes for ours, because the generation is raised before the slot is let again.
  const Life life = block->life.load(std::memory_order_acquire);
  return life == Life::alive && block->generation.load(std::memory_order_acquire) == pid.generation();
}

// --- the calling process ---------------------------------------------------------------------------------------------------------

RuntimeCore& core_outside_worker(const char* call) {
  if (BlockingSection* section = blocking_section()) {
    if (!section->core->is_alive(section->pid)) {
      throw ProcessExiting(std::string(call) + "() in the blocking section of process " + section->pid.to_string() + ", which is dead");
    }
    return *section->core;
  }
  throw NotInProcess(std::string(call) + "() called outside a process; use the Runtime's member of that name");
}

ControlBlock& process_here_even_exiting(const char* call) {
  if (ControlBlock* self = current_process()) return *self;
  if (blocking_section() != nullptr) {
    throw NotInProcess(std::string(call) + "() called inside blocking(): it could suspend, and a pool thread has nothing to suspend");
  }
  throw NotInProcess(std::string(call) + "() called outside a process");
}

namespace {

[[noreturn, gnu::noinline]] void refuse_exiting(const ControlBlock& self, const char* call) {
  throw ProcessExiting(std::string(call) + "() called while process " + self.pid.to_string() + " unwinds");
}

/// In a destructor during unwinding the token may not be thrown: the call is refused (CPP-2). So it is when the body is gone already,
/// and destructors of its captures or of unread messages run.
bool unwinds(const ControlBlock& self) noexcept { return std::uncaught_exceptions() != 0 || self.body_type == nullptr; }

[[noreturn]] inline void unwind(ControlBlock& self) {
  self.unwound = true;
  // A loop that swallows the token again and again must not keep the others from running.
  if (--self.budget == 0) {
    self.budget = fresh_slice();
    if (self.no_suspend == 0 && self.life.load(std::memory_order_relaxed) != Life::dead) scheduler::Worker::end_slice(self);
  }
  throw ProcessUnwind{};
}

}  // namespace

[[gnu::noinline]] ControlBlock& process_here_slowly(const char* call) {
  ControlBlock& self = process_here_even_exiting(call);
  if (self.life.load(std::memory_order_relaxed) != Life::alive) [[unlikely]] {
    if (unwinds(self)) refuse_exiting(self, call);
    unwind(self);
  }
  if (self.no_suspend != 0) [[unlikely]] {
    throw BadArgument(std::string(call) + "() called inside a predicate or a message's destructor of process " + self.pid.to_string() +
                      ": nothing may suspend there");
  }
  checkpoint(self);
  return self;
}

[[gnu::noinline]] void meet_doom_now(ControlBlock& self) {
  if (unwinds(self)) refuse_exiting(self, "a waiting call");
  unwind(self);
}

void checkpoint(ControlBlock& self) {
  if (--self.budget == 0) [[unlikely]] {
    self.budget = fresh_slice();
    self.reductions.store(self.reductions.load(std::memory_order_relaxed) + kSlice, std::memory_order_relaxed);
    if (self.no_suspend == 0) scheduler::Worker::end_slice(self);
  }
  if (self.life.load(std::memory_order_relaxed) != Life::alive) [[unlikely]] {
    if (!unwinds(self)) unwind(self);
  }
}

// Most deadlines are not reached, and most processes wait with much the same time-out again and again. So a timer stays in its wheel when
// the wait ends, and a wait that finds one which fires soon enough needs none. It may then fire too soon: the process looks at the clock,
// as all who park do, and comes here again.
//
// `wakes_at` is a promise that a kick comes at that time: fire() takes it back under the lock before it kicks. Who still reads it after
// the timer was collected has that kick before it, so it is woken too soon, but not never. Taken back once too often, by a firing that
// was overtaken by a cancel and the next add, it costs what is done here: whether or not the node is in a wheel, cancel() takes it out.
[[gnu::noinline]] void park_until(ControlBlock& self, std::int64_t deadline_ns, Waiting waiting) {
  scheduler::Worker& worker = *scheduler::Worker::here();
  if (self.wake_worker != ControlBlock::kNoWorker) (void)worker.scheduler().worker(self.wake_worker).wheel.cancel(self.wake_timer);
  self.wake_worker = static_cast<std::uint16_t>(worker.index());
  self.wakes_at.store(deadline_ns, std::memory_order_relaxed);
  worker.wheel.add(self.wake_timer, deadline_ns);
  park_for_ever(self, waiting);
}

void RuntimeCore::forget_wake_timer(ControlBlock& self) noexcept {
  self.wakes_at.store(kNever, std::memory_order_relaxed);
  (void)scheduler.worker(self.wake_worker).wheel.cancel(self.wake_timer);
}

void park(ControlBlock& self, std::int64_t deadline_ns, Waiting waiting) {
  if (self.wakes_at.load(std::memory_order_relaxed) > deadline_ns) [[unlikely]]
    return park_until(self, deadline_ns, waiting);
  park_for_ever(self, waiting);
}

void park_left(void* self) noexcept {
  auto& process = *static_cast<ControlBlock*>(self);
  if (!process.inbox.try_park()) scheduler::Worker::here()->ready_last(process);
}

// --- waking ----------------------------------------------------------------------------------------------------------------------

bool RuntimeCore::kick_locked(ControlBlock& block) noexcept {
  if (block.kick_pending) return false;
  block.kick_pending = true;
  block.kick.stamp = block.generation.load(std::memory_order_relaxed);
  switch (block.inbox.push_kick(block.kick)) {
    case mailbox::Inbox::Push::woke:
      return true;
    case mailbox::Inbox::Push::queued:
      return false;
    case mailbox::Inbox::Push::closed:
      block.kick_pending = false;
      return false;
  }
  return false;
}

void RuntimeCore::kick(Pid pid) noexcept {
  ControlBlock* block = slot_of(pid);
  if (block == nullptr) return;
  bool wake = false;
  {
    const std::lock_guard<base::SpinLock> hold(block->lock);
    if (is_tenant(*block, pid)) wake = kick_locked(*block);
  }
  if (wake) scheduler.ready(*block);
}

bool RuntimeCore::doom(ControlBlock& block, const ExitReason& reason) noexcept {
  if (block.life.load(std::memory_order_relaxed) != Life::alive) return false;
  block.reason = reason;
  // release: whoever sees the process doomed sees why.
  block.life.store(Life::doomed, std::memory_order_release);
  return kick_locked(block);
}

namespace {

ControlBlock* waiter_of(scheduler::TimerNode& node) noexcept {
  // Conditionally supported for a type with a base class, and supported by both compilers this library is built with.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
  return reinterpret_cast<ControlBlock*>(reinterpret_cast<std::byte*>(&node) - offsetof(ControlBlock, wake_timer));
#pragma GCC diagnostic pop
}

}  // namespace

void RuntimeCore::fire(scheduler::TimerNode** nodes, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    scheduler::TimerNode* node = nodes[i];
    if (node->tag == kProcessTimer) {
      // Of a wait with a deadline. The process looks at the clock itself, so waking it, or a successor in its slot, is never wrong.
      ControlBlock* block = waiter_of(*node);
      bool wake = false;
      {
        const std::lock_guard<base::SpinLock> hold(block->lock);
        block->wakes_at.store(kNever, std::memory_order_relaxed);
        // Who hibernates has no deadline: this is of an earlier wait.
        const bool may_wait = block->life.load(std::memory_order_relaxed) != Life::dead &&
                              block->waiting.load(std::memory_order_relaxed) != Waiting::hibernated;
        if (may_wait) wake = kick_locked(*block);
      }
      if (wake) scheduler.ready(*block);
    } else if (node->tag == kCensusTimer) {
      census_due();
    } else {
      fire_one(*reinterpret_cast<TimerRecord*>(node));
    }
  }
}

void RuntimeCore::holds_worker(scheduler::Fiber* fiber, unsigned worker, std::int64_t held_ns) noexcept {
  if (!wants(LogLevel::warn)) return;
  auto& block = *static_cast<ControlBlock*>(fiber);
  try {
    std::string who;
    Pid pid;
    {
      const std::lock_guard<base::SpinLock> hold(block.lock);
      if (block.life.load(std::memory_order_relaxed) == Life::dead) return;
      pid = Pid::from_parts(block.slot_index, block.generation.load(std::memory_order_relaxed));
      who = pid.to_string();
      if (block.extras && !block.extras->label.empty()) who += " (" + block.extras->label + ")";
    }
    std::string line = "process " + who + " has held worker " + std::to_string(worker) + " for " + std::to_string(held_ns / 1'000'000) +
                       " ms without calling the runtime";
    scheduler::Backtrace stack;
    if (options.log_stacks && read_running_stack(block, pid, worker, stack)) line += stack_lines(stack);
    log(LogLevel::warn, line);
  } catch (const std::bad_alloc&) {
    // A report is not worth more than that.
  }
}

}  // namespace weft::detail
