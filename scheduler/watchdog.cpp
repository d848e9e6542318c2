#include "scheduler/watchdog.hpp"

#include <sys/prctl.h>

#include "scheduler/scheduler.hpp"

namespace weft::scheduler {
namespace {

constexpr auto kTick = std::chrono::milliseconds(5);
constexpr int kQuietTicks = 200;  // A second without work, and the watchdog stops ticking.

}  // namespace

Watchdog::Watchdog(Scheduler& scheduler) : scheduler_(scheduler), seen_(scheduler.worker_count()), thread_([this] { run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Watchdog::wake() noexcept {
  {
    const std::lock_guard<std::mutex> hold(mutex_);
    dormant_.store(false, std::memory_order_seq_cst);
  }
  changed_.notify_one();
}

bool Watchdog::pause() noexcept {
  std::unique_lock<std::mutex> hold(mutex_);
  if (dormant_.load(std::memory_order_relaxed)) {
    changed_.wait(hold, [this] { return ending_ || !dormant_.load(std::memory_order_relaxed); });
  } else {
    changed_.wait_for(hold, kTick, [this] { return ending_; });
  }
  return ending_;
}

void Watchdog::run() noexcept {
  prctl(PR_SET_NAME, "weft-watchdog");
  int quiet_ticks = 0;
  while (!pause()) {
    const std::int64_t now = Scheduler::steady_ns();
    const bool asleep = scheduler_.idle_.counters().sleeping == scheduler_.worker_count();
    quiet_ticks = asleep ? quiet_ticks + 1 : 0;
    for (unsigned i = 0; i < scheduler_.worker_count(); ++i) look_after(i, now);
    if (quiet_ticks >= kQuietTicks) {
      quiet_ticks = 0;
      // seq_cst: a worker that wakes leaves the sleepers first and reads dormant_ after; we do the reverse. One of us sees the other.
      dormant_.store(true, std::memory_order_seq_cst);
      std::atomic_thread_fence(std::memory_order_seq_cst);  // The sleepers are read relaxed.
      if (scheduler_.idle_.counters().sleeping != scheduler_.worker_count()) dormant_.store(false, std::memory_order_seq_cst);
    }
  }
}

void Watchdog::look_after(unsigned index, std::int64_t now) noexcept {
  Worker& worker = scheduler_.worker(index);
  Seen& seen = seen_[index];
  const std::uint64_t switches = worker.counters.switches.load(std::memory_order_relaxed);
  Fiber* fiber = worker.current();
  constexpr std::uint64_t kFew = 64;
  if (fiber == nullptr || switches - seen.switches > kFew) {
    seen = Seen{switches, now, false};
    return;
  }
  // Slow: it may be long until it looks at timers and descriptors by itself.
  worker.attention_.store(true, std::memory_order_relaxed);
  if (switches != seen.switches) {
    seen = Seen{switches, now, false};
    return;
  }
  // Stuck in one process. Its neighbours in the run queue can be stolen; the one in the last-in slot, and timers, need help.
  if (scheduler_.worker_count() > 1) {
    scheduler_.in_hand_.fetch_add(1, std::memory_order_seq_cst);
    if (Fiber* waiting = worker.lifo_.steal()) scheduler_.inject(*waiting);
    scheduler_.in_hand_.fetch_sub(1, std::memory_order_seq_cst);
    scheduler_.notify_if_work();
  }
  if (scheduler_.options_.clock == Clock::steady) {
    bool fired = false;
    const auto fire = [&](TimerWheel& wheel) {
      if (wheel.next_deadline() > now) return;
      scheduler_.fire_due(wheel, now);
      fired = true;
    };
    fire(worker.wheel);
    if (index == 0) fire(scheduler_.outside_wheel_);
    // A periodic timer was put back into the wheel by us: its worker may have gone to sleep in between, and must look again.
    if (fired) scheduler_.wake(index);
  }
  int nobody = kNoLeader;
  if (scheduler_.poller_.active() && scheduler_.poll_leader_.compare_exchange_strong(nobody, kWatchdogLeads, std::memory_order_seq_cst)) {
    worker.poll_descriptors(0);
    scheduler_.poll_leader_.store(kNoLeader, std::memory_order_seq_cst);
    // A worker that went to sleep meanwhile found us leading and did not lead: it sleeps on its parker, and unlike a worker we do not
    // come back to lead. Either it announced its sleep before its look at the leader, and is seen here, or it sees our store.
    scheduler_.notify();
  }
  const std::int64_t limit = scheduler_.options_.watchdog_ns;
  if (limit > 0 && !seen.reported && now - seen.since_ns >= limit) {
    seen.reported = true;
    scheduler_.host_.holds_worker(fiber, index, now - seen.since_ns);
  }
}

}  // namespace weft::scheduler
