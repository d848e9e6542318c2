#include "scheduler/watchdog.hpp"

#include <sys/prctl.h>

#include "scheduler/scheduler.hpp"

namespace weft::inline v0::scheduler {
namespace {

constexpr auto kTick = std::chrono::milliseconds(5);
constexpr std::int64_t kTickNs = std::chrono::nanoseconds(kTick).count();
constexpr int kQuietTicks = 200;  // A second without work, and the watchdog stops ticking.
// Free stacks that nobody took in that time give their pages back, so many at once.
constexpr int kTrimTicks = 1000;
constexpr std::size_t kTrimStacks = 1024;

}  // namespace

Watchdog::Watchdog(Scheduler& scheduler) : scheduler_(scheduler), seen_(scheduler.worker_count()), thread_([this] { run(); }) {}

Watchdog::~Watchdog() { end(); }

void Watchdog::end() noexcept {
  if (!thread_.joinable()) return;
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
  int trim_ticks = 0;
  while (!pause()) {
    const std::int64_t now = Scheduler::steady_ns();
    const bool asleep = scheduler_.idle_.counters().sleeping == scheduler_.worker_count();
    quiet_ticks = asleep ? quiet_ticks + 1 : 0;
    for (unsigned i = 0; i < scheduler_.worker_count(); ++i) look_after(i, now);
    wake_for_work_that_lies();
    if (++trim_ticks >= kTrimTicks) {
      trim_ticks = 0;
      scheduler_.stacks_.trim(kTrimStacks);
    }
    if (quiet_ticks >= kQuietTicks) {
      quiet_ticks = 0;
      trim_all();
      // seq_cst: a worker that wakes leaves the sleepers first and reads dormant_ after; we do the reverse. One of us sees the other.
      dormant_.store(true, std::memory_order_seq_cst);
      std::atomic_thread_fence(std::memory_order_seq_cst);  // The sleepers are read relaxed.
      if (scheduler_.idle_.counters().sleeping != scheduler_.worker_count()) dormant_.store(false, std::memory_order_seq_cst);
    }
  }
}

void Watchdog::trim_all() noexcept {
  // The first call marks what is free, later ones trim what still is. A worker that wakes needs us for other things.
  std::size_t left = scheduler_.stacks_.trim(kTrimStacks);
  while (left != 0 && scheduler_.idle_.counters().sleeping == scheduler_.worker_count()) left = scheduler_.stacks_.trim(kTrimStacks);
}

// For workers that run processes and will not look soon. Afterwards it wakes one that sleeps, if there is one, to wait for descriptors.
void Watchdog::poll_if_nobody_does() noexcept {
  int nobody = kNoLeader;
  if (scheduler_.options_.host_polls || !scheduler_.poller_.active() ||
      !scheduler_.poll_leader_.compare_exchange_strong(nobody, kWatchdogLeads, std::memory_order_seq_cst)) {
    return;
  }
  scheduler_.in_hand_.fetch_add(1, std::memory_order_seq_cst);  // What it finds is on no queue yet, and the worker may sleep by now.
  (void)scheduler_.poll_descriptors(0);
  scheduler_.in_hand_.fetch_sub(1, std::memory_order_seq_cst);
  scheduler_.give_up_lead();
}

void Watchdog::wake_for_work_that_lies() noexcept {
  const bool lies = scheduler_.idle_.counters().sleeping != 0 && scheduler_.work_anywhere();
  // Seen once it may be on its way. Seen twice, whoever is to see to it, the publisher, a searcher or a claimed sleeper, stands still.
  if (lies && work_lay_) {
    const int sleeper = scheduler_.idle_.claim_one_more();
    if (sleeper >= 0) scheduler_.wake(static_cast<unsigned>(sleeper));
  }
  work_lay_ = lies;
}

void Watchdog::stand_in(Worker& worker, unsigned index, std::int64_t due_ns, std::int64_t now) noexcept {
  // What is in its run queue can be stolen; what is in the last-in slot, and timers, need help.
  if (scheduler_.worker_count() > 1 && !worker.lifo_.empty()) {
    scheduler_.in_hand_.fetch_add(1, std::memory_order_seq_cst);
    if (Fiber* waiting = worker.lifo_.steal()) scheduler_.inject(*waiting);
    scheduler_.in_hand_.fetch_sub(1, std::memory_order_seq_cst);
  }
  if (scheduler_.options_.clock == Clock::steady) {
    bool fired = false;
    const auto fire = [&](TimerWheel& wheel) {
      if (wheel.next_deadline() > due_ns) return;
      scheduler_.fire_due(wheel, now);
      fired = true;
    };
    fire(worker.wheel);
    if (index == 0) fire(scheduler_.outside_wheel_);
    // A periodic timer was put back into the wheel by us: its worker may have gone to sleep in between, and must look again.
    if (fired) scheduler_.wake(index);
  }
}

void Watchdog::look_after(unsigned index, std::int64_t now) noexcept {
  Worker& worker = scheduler_.worker(index);
  Seen& seen = seen_[index];
  const std::uint64_t switches = worker.counters.switches.load(std::memory_order_relaxed);
  Fiber* fiber = worker.current();
  constexpr std::uint64_t kFew = 256;  // So many take it past a look at descriptors (Worker::housekeep).
  if (switches - seen.switches > kFew) {
    seen = Seen{switches, now, false};
    return;
  }
  // Slow: it may be long until it looks at timers and descriptors by itself.
  if (fiber != nullptr) {
    worker.attention_.store(true, std::memory_order_relaxed);
    poll_if_nobody_does();
  }
  if (switches != seen.switches) {
    seen = Seen{switches, now, false};
    return;
  }
  if (fiber == nullptr) {
    // Asleep, or its thread stands still. Who sleeps, wakes when a timer is due: it is given a tick's time for that.
    seen.since_ns = now;
    stand_in(worker, index, now - kTickNs, now);
    return;
  }
  stand_in(worker, index, now, now);
  if (scheduler_.worker_count() > 1) scheduler_.notify_if_work();
  const std::int64_t limit = scheduler_.options_.watchdog_ns;
  if (limit > 0 && !seen.reported && now - seen.since_ns >= limit) {
    seen.reported = true;
    scheduler_.host_.holds_worker(fiber, index, now - seen.since_ns);
  }
}

}  // namespace weft::scheduler
