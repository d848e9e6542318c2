// All workers of one runtime, and what they share: the way in, the sleepers, the stacks, the poller, the clock.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include <weft/clock.hpp>
#include "scheduler/blocking_pool.hpp"
#include "scheduler/fiber.hpp"
#include "scheduler/idle_set.hpp"
#include "scheduler/injection_queue.hpp"
#include "scheduler/poller.hpp"
#include "scheduler/stack_pool.hpp"
#include "scheduler/worker.hpp"

namespace weft::inline v0::scheduler {

class Watchdog;

/// Who polls descriptors: the index of a worker that sleeps in the poller, or one of these. kLooks: a worker, which does not wait.
inline constexpr int kNoLeader = -1, kWatchdogLeads = -2, kHostLeads = -3, kLooks = -4;

struct SchedulerOptions {
  unsigned workers = 1;
  std::size_t stack_bytes = std::size_t{64} * 1024;
  std::size_t max_stacks = std::size_t{1} << 24;
  GuardMode guard = GuardMode::automatic;
  Clock clock = Clock::steady;
  std::size_t blocking_threads = 64;
  std::int64_t watchdog_ns = 0;  // 0: no reports
  bool host_polls = false;       // nobody polls but poll_from_outside()
};

class Scheduler {
 public:
  Scheduler(const SchedulerOptions& options, Host& host);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Starts the threads; `set_up(worker)` runs first, on the calling thread, for each.
  void start(const std::function<void(Worker&)>& set_up);
  /// Ends the threads, those of the blocking pool last. Everything runnable has been run, and nothing becomes runnable any more: the caller
  /// sees to that.
  void stop() noexcept;

  /// Makes `fiber` runnable from any thread: here when the caller is one of our workers, else through the injection queue.
  void ready(Fiber& fiber) noexcept;
  /// As ready(), but always through the injection queue.
  void inject(Fiber& fiber) noexcept;
  /// Around a time in which the caller has a fiber that nobody can see: suspended, but the right to make it runnable is the caller's (F1).
  /// The runtime is not quiet meanwhile.
  void hold_fiber() noexcept { in_hand_.fetch_add(1, std::memory_order_seq_cst); }
  void let_fiber_go() noexcept { in_hand_.fetch_sub(1, std::memory_order_seq_cst); }
  /// Wakes one sleeping worker if there is reason to: work was published that its publisher will not run next.
  void notify() noexcept;
  /// Wakes worker `index`, which looks at everything again.
  void wake(unsigned index) noexcept;

  /// Nanoseconds of the runtime's clock: steady, or virtual.
  [[nodiscard]] std::int64_t now_ns() const noexcept {
    return options_.clock == Clock::steady ? steady_ns() : virtual_ns_.load(std::memory_order_acquire);
  }
  [[nodiscard]] static std::int64_t steady_ns() noexcept {
    if (base::exploring()) return base::explored_ns();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  [[nodiscard]] Clock clock() const noexcept { return options_.clock; }

  /// Virtual clock only: moves the time forward to `target_ns`, firing timers in order of expiry, each wave run until idle.
  void advance_to(std::int64_t target_ns);
  /// Blocks until every worker sleeps and nothing is runnable, queued for a worker, or running on the blocking pool.
  void wait_until_quiet();

  /// The wheel for timers started by the calling thread.
  [[nodiscard]] TimerWheel& wheel_here() noexcept;
  /// Called after a thread that is no worker added a timer to wheel_here().
  void timer_added_from_outside() noexcept;

  /// For a thread that is no worker: polls, and reports to the host what is ready. Returns how many waiters that were; 0 at once when
  /// somebody else polls. Waits for `timeout_ns` (negative: no limit) where options().host_polls, else only looks.
  std::size_t poll_from_outside(std::int64_t timeout_ns) noexcept;

  [[nodiscard]] unsigned worker_count() const noexcept { return static_cast<unsigned>(workers_.size()); }
  [[nodiscard]] Worker& worker(unsigned index) noexcept { return *workers_[index]; }
  [[nodiscard]] StackPool& stacks() noexcept { return stacks_; }
  [[nodiscard]] Poller& poller() noexcept { return poller_; }
  [[nodiscard]] BlockingPool& blocking() noexcept { return blocking_; }
  [[nodiscard]] Host& host() noexcept { return host_; }
  [[nodiscard]] const SchedulerOptions& options() const noexcept { return options_; }

 private:
  friend class Worker;
  friend class Watchdog;

  /// Wakes somebody if a thief would find something: for the last searcher that stops looking.
  void notify_if_work() noexcept;
  [[nodiscard]] bool work_anywhere() const noexcept;
  [[nodiscard]] bool is_quiet() const noexcept;
  void fire_due(TimerWheel& wheel, std::int64_t now) noexcept;
  /// The caller leads (poll_leader_).
  std::size_t poll_descriptors(std::int64_t timeout_ns) noexcept;
  /// For a leader that is no worker, and so does not lead when it next has nothing to do.
  void give_up_lead() noexcept;
  /// A worker that goes to sleep says so to threads that wait for quiet.
  void worker_sleeps() noexcept;
  void worker_woke() noexcept;

  const SchedulerOptions options_;
  Host& host_;
  StackPool stacks_;
  Poller poller_;
  IdleSet idle_;
  InjectionQueue injected_;
  TimerWheel outside_wheel_;  // timers of threads that are no workers; worker 0 looks after it
  std::atomic<std::int64_t> virtual_ns_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<int> poll_leader_{kNoLeader};
  std::atomic<int> in_hand_{0};  // fibers that somebody holds and no queue has: the watchdog, or an observer
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Watchdog> watchdog_;
  BlockingPool blocking_;  // Destroyed first: the tail of a job uses all of the above.

  std::mutex quiet_mutex_;
  std::condition_variable quiet_;
  std::atomic<int> quiet_waiters_{0};
};

}  // namespace weft::scheduler
