// The thread that looks after workers which cannot look after themselves.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace weft::inline v0::scheduler {

class Scheduler;
class Worker;

/// Ticks while any worker is awake, and stands still while all sleep: idle costs nothing (DESIGN 3.11).
///
/// For a worker that did not switch since the last tick, be it that a process holds it or that its thread gets no core, it puts what waits
/// in the worker's last-in slot where thieves find it and fires the timers of the worker's wheel; if a process holds it, it names that
/// after the configured time. For one that switches seldom as well it polls descriptors that nobody polls, and has an idle worker go on
/// with that. When work lies about while workers sleep, it wakes one.
/// From time to time, and before it stands still, it gives the pages of stacks that nobody needed for a while back to the system.
class Watchdog {
 public:
  explicit Watchdog(Scheduler& scheduler);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Stops ticking for good.
  void end() noexcept;

  /// A worker woke, or is to be woken: makes sure that the watchdog ticks. A load, unless it stood still.
  void worker_woke() noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);  // We left the sleepers relaxed.
    if (dormant_.load(std::memory_order_relaxed)) wake();
  }

 private:
  struct Seen {
    std::uint64_t switches = 0;
    std::int64_t since_ns = 0;
    bool reported = false;
  };

  void run() noexcept;
  void look_after(unsigned index, std::int64_t now) noexcept;
  /// Does for a worker what it does not do itself; its timers that were due at `due_ns`.
  void stand_in(Worker& worker, unsigned index, std::int64_t due_ns, std::int64_t now) noexcept;
  /// Wakes a worker if there was work at two ticks while some slept.
  void wake_for_work_that_lies() noexcept;
  void poll_if_nobody_does() noexcept;
  void wake() noexcept;
  /// Gives the pages of all free stacks back but for what the pool keeps.
  void trim_all() noexcept;
  /// True when it was told to end.
  bool pause() noexcept;

  Scheduler& scheduler_;
  std::vector<Seen> seen_;
  bool work_lay_ = false;  // at the last tick, while workers slept
  std::atomic<bool> dormant_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace weft::scheduler
