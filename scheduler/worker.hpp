// One scheduler thread: find a fiber, run it, steal, sleep.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "mailbox/base/cache_line.hpp"
#include "mailbox/base/explore.hpp"
#include "scheduler/fiber.hpp"
#include "scheduler/parker.hpp"
#include "scheduler/run_queue.hpp"
#include "scheduler/stack_pool.hpp"
#include "scheduler/thread.hpp"
#include "scheduler/timer_wheel.hpp"

extern "C" {
/// The worker of this thread, or null. Only Worker::here() may read it.
extern thread_local weft::scheduler::Worker* weft_this_worker __attribute__((tls_model("initial-exec")));
}

namespace weft::inline v0::scheduler {

class Scheduler;

/// What happens once a stack was left; runs on the stack that was switched to. `left` is the fiber that suspends.
using AfterLeave = void (*)(void* left) noexcept;

struct WorkerCounters {
  std::atomic<std::uint64_t> steals{0};
  std::atomic<std::uint64_t> sleeps{0};
  std::atomic<std::uint64_t> switches{0};  // also the watchdog's sign of life
};

/// The layer above keeps what it wants per worker by deriving from this.
class HostLocal {
 public:
  HostLocal() = default;
  HostLocal(const HostLocal&) = delete;
  HostLocal& operator=(const HostLocal&) = delete;
  virtual ~HostLocal() = default;
};

/// Who touches what: `lifo_` and the run queues as their classes say; `wheel` is locked; `current_` and the counters are written by
/// the worker and read by the watchdog; all else is the worker's own.
class Worker {
 public:
  Worker(Scheduler& scheduler, unsigned index);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// The calling thread's worker, null on any other thread. Not kept over a suspension: a volatile read of the thread's own slot, which
  /// no compiler may merge with an earlier one (a plain thread_local may: CPP-5).
  [[gnu::always_inline]] static Worker* here() noexcept {
    Worker* worker;
#if defined(__x86_64__) && !defined(__clang_analyzer__)
    asm volatile(
        "movq weft_this_worker@gottpoff(%%rip), %0\n\t"
        "movq %%fs:(%0), %0"
        : "=r"(worker));
#elif defined(__aarch64__) && !defined(__clang_analyzer__)
    std::uintptr_t place;
    asm volatile(
        "adrp %0, :gottprel:weft_this_worker\n\t"
        "ldr %0, [%0, #:gottprel_lo12:weft_this_worker]\n\t"
        "mrs %1, tpidr_el0\n\t"
        "ldr %0, [%1, %0]"
        : "=&r"(worker), "=&r"(place));
#endif
    return worker;
  }

  [[nodiscard]] Fiber* current() const noexcept { return current_.load(std::memory_order_acquire); }
  [[nodiscard]] unsigned index() const noexcept { return index_; }
  /// The kernel's number of the worker's thread; 0 until it started.
  [[nodiscard]] pid_t thread_id() const noexcept { return thread_id_.load(std::memory_order_relaxed); }
  [[nodiscard]] Scheduler& scheduler() const noexcept { return scheduler_; }

  /// Leaves the stack of `self`, the current fiber, then calls `then(self)`. Returns when `self` was made ready and a worker picked it.
  static void suspend(Fiber& self, AfterLeave then) noexcept;
  /// Goes to the end of the run queue. Returns at once when nothing else is runnable here.
  static void yield(Fiber& self) noexcept;
  /// As yield(), for a fiber that used up its budget: timers, descriptors and injected work are looked at first.
  static void end_slice(Fiber& self) noexcept;
  /// For a fiber whose frames must not be unwound: never returns to it, and its stack goes back to the pool. `run` counts as returned.
  [[noreturn]] static void abandon_stack(Stack& stack) noexcept;

  /// Makes `fiber` runnable here, to run next unless something else takes that place. From a fiber on this worker.
  void ready(Fiber& fiber) noexcept {
    if (fiber.urgency.load(std::memory_order_relaxed) != Urgency::normal) [[unlikely]]
      return ready_urgent(fiber);
    if (base::explore_choice("ready: last", 4, 1) == 0) return ready_last(fiber);  // Which of the two is not promised.
    // The newest runs next: its message is warm. Whom it displaces is left over for others, so only then somebody is woken.
    if (Fiber* displaced = lifo_.exchange(&fiber)) ready_displaced(*displaced);
  }
  /// Makes `fiber` runnable here, from the worker's own stack, which runs one of those next and tells others of what is left over then:
  /// timers, descriptors and injected work come in crowds, and a wake-up for each would cost more than the work.
  void ready_from_idle(Fiber& fiber) noexcept;
  /// Makes `fiber` runnable here, behind everything that is.
  void ready_last(Fiber& fiber) noexcept;

  /// Body of the thread.
  void loop() noexcept;
  /// Body of every stack.
  [[noreturn]] static void fiber_main() noexcept;

  TimerWheel wheel;
  WorkerCounters counters;
  std::unique_ptr<HostLocal> host_local;  // per-worker data of the layer above

 private:
  friend class Scheduler;
  friend class Watchdog;

  [[gnu::always_inline]] inline Fiber* pick() noexcept;
  [[gnu::always_inline]] inline Fiber* pick_now() noexcept;
  void ready_urgent(Fiber& fiber) noexcept;
  void ready_displaced(Fiber& fiber) noexcept;
  /// Ends a run of the last-in slot: its fiber goes behind everything that is runnable here.
  void put_lifo_last() noexcept;
  Fiber* pick_mixed() noexcept;
  RunQueue<Fiber>& queue_for(Fiber& fiber) noexcept;
  Fiber* find() noexcept;
  Fiber* steal() noexcept;
  Fiber* take_injected() noexcept;
  void housekeep() noexcept;
  void sleep() noexcept;
  /// Polls, if nobody else does. False when somebody does, or only the host program may.
  bool lead_poller(std::int64_t timeout_ns) noexcept;
  Fiber* search() noexcept;
  [[nodiscard]] std::int64_t sleep_deadline() const noexcept;
  /// Gives a first-time fiber a stack. False when none could be had.
  bool equip(Fiber& fiber) noexcept;
  void run_from_idle(Fiber& fiber) noexcept;
  [[gnu::always_inline]] inline void leave(Execution& from, Fiber* next, AfterLeave then, void* left, bool last) noexcept;
  [[gnu::always_inline]] inline void finish_switch() noexcept;
  void give_back(Stack& stack) noexcept;
  [[noreturn]] static void leave_for_ever(Stack& stack, Fiber* next) noexcept;
  [[nodiscard]] bool is_due(std::uint32_t tick) const noexcept {
    return tick % kHousekeepingTicks == 0 || attention_.load(std::memory_order_relaxed);
  }

  static constexpr std::uint32_t kHousekeepingTicks = 64;  // switches between two looks at timers, descriptors and injected work
  static constexpr std::uint32_t kLifoBudget = 32;         // runs from the last-in slot before all of the run queue gets its turn
  static constexpr std::uint32_t kHighRun = 8;             // turns with high first, before one of the others
  static constexpr std::uint32_t kLowEvery = 8;            // FLG-3

  Scheduler& scheduler_;
  const unsigned index_;
  Execution idle_;  // the thread's own stack
  ExceptionState* exceptions_ = nullptr;
  AfterLeave after_leave_ = nullptr;
  void* left_ = nullptr;
  Execution graveyard_;          // where leaving for ever writes what nobody reads
  Fiber* unequipped_ = nullptr;  // picked on a fiber's stack, but no stack for it could be had
  std::uint32_t tick_ = 0;
  std::uint32_t lifo_budget_ = kLifoBudget;
  std::uint32_t low_turn_ = 0;
  std::uint32_t mixed_turn_ = 0;
  std::uint32_t polls_ = 0;
  bool left_over_ = false;  // ready_from_idle() was called since a fiber ran
  bool mixed_ = false;      // fibers of other than normal urgency were seen here lately
  std::uint64_t random_;
  StackCache stacks_;
  Thread thread_;
  std::atomic<pid_t> thread_id_{0};

  alignas(base::kCacheLine) std::atomic<Fiber*> current_{nullptr};
  std::atomic<bool> attention_{false};  // look after timers, descriptors and injected work at the next switch; set by the watchdog too
  LifoSlot<Fiber> lifo_;
  RunQueue<Fiber> queue_;
  RunQueue<Fiber> high_;
  RunQueue<Fiber> low_;
  alignas(base::kCacheLine) Parker parker_;
};

}  // namespace weft::scheduler
