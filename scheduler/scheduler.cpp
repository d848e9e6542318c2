#include "scheduler/scheduler.hpp"

#include <algorithm>
#include <array>
#include <string>

#include "mailbox/base/assert.hpp"
#include "scheduler/watchdog.hpp"

namespace weft::inline v0::scheduler {
namespace {

StackPoolOptions stack_options(const SchedulerOptions& options) {
  StackPoolOptions made;
  made.guard = options.guard;
  // Each worker keeps up to two batches in stock, which are nobody's: they do not count.
  made.max_stacks = options.max_stacks + options.workers * 2 * StackPool::kBatch;
  if constexpr (base::kThreadSanitizer) {
    made.create_tsan_fiber = &make_tool_fiber;
    made.destroy_tsan_fiber = &destroy_tool_fiber;
  }
  return made;
}

constexpr std::chrono::seconds kBlockingIdle{10};

}  // namespace

Scheduler::Scheduler(const SchedulerOptions& options, Host& host)
    : options_(options),
      host_(host),
      stacks_(stack_options(options)),
      idle_(options.workers),
      injected_(run_next_link<Fiber>()),
      outside_wheel_(options.clock == Clock::steady ? steady_ns() : 0),
      blocking_(options.blocking_threads, kBlockingIdle) {
  workers_.reserve(options.workers);
  for (unsigned i = 0; i < options.workers; ++i) workers_.push_back(std::make_unique<Worker>(*this, i));
}

Scheduler::~Scheduler() { stop(); }

void Scheduler::start(const std::function<void(Worker&)>& set_up) {
  for (auto& worker : workers_) set_up(*worker);
  try {
    // Its ticks are real time, and explored processes do not hold their workers.
    if (!base::exploring()) watchdog_ = std::make_unique<Watchdog>(*this);
    for (auto& worker : workers_) worker->thread_ = Thread("worker " + std::to_string(worker->index()), [w = worker.get()] { w->loop(); });
  } catch (...) {
    stop();
    throw;
  }
}

void Scheduler::stop() noexcept {
  stopping_.store(true, std::memory_order_seq_cst);
  for (unsigned i = 0; i < workers_.size(); ++i) wake(i);
  for (auto& worker : workers_) {
    if (worker->thread_.joinable()) worker->thread_.join();
  }
  // Who is at the end of a job may still call all of this, and the host: the pool goes before either does.
  if (watchdog_ != nullptr) watchdog_->end();
  blocking_.drain();
}

void Scheduler::ready(Fiber& fiber) noexcept {
  Worker* worker = Worker::here();
  if (worker != nullptr && &worker->scheduler_ == this) {
    if (worker->current() != nullptr) {
      worker->ready(fiber);
    } else {
      worker->ready_from_idle(fiber);
    }
    return;
  }
  inject(fiber);
}

void Scheduler::inject(Fiber& fiber) noexcept {
  injected_.push(&fiber);
  notify();
  worker_woke();  // Or is about to: if it does not, the watchdog sees to it.
}

void Scheduler::notify() noexcept {
  if (workers_.size() == 1) {
    // The only worker is awake, or its publisher is another thread and must look.
    Worker* worker = Worker::here();
    if (worker != nullptr && &worker->scheduler_ == this) return;
  }
  if (!idle_.should_notify()) return;
  const int sleeper = idle_.claim_sleeper();
  if (sleeper >= 0) wake(static_cast<unsigned>(sleeper));
}

void Scheduler::notify_if_work() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // Between giving up the search and the look (IdleSet, I3).
  if (work_anywhere()) notify();
}

void Scheduler::wake(unsigned index) noexcept {
  base::explore_point("wake");
  workers_[index]->parker_.unpark();
  // Between the token and the look for a leader; a leader announces itself and then looks for the token (Worker::sleep).
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (poll_leader_.load(std::memory_order_seq_cst) == static_cast<int>(index)) poller_.interrupt();
}

bool Scheduler::work_anywhere() const noexcept {
  if (!injected_.empty()) return true;
  for (const auto& worker : workers_) {
    if (!worker->queue_.empty() || !worker->high_.empty() || !worker->low_.empty()) return true;
  }
  return false;
}

// --- time ------------------------------------------------------------------------------------------------------------------------

TimerWheel& Scheduler::wheel_here() noexcept {
  Worker* worker = Worker::here();
  return worker != nullptr && &worker->scheduler_ == this ? worker->wheel : outside_wheel_;
}

void Scheduler::timer_added_from_outside() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // Between the timer and the look at the sleeper (TimerWheel::add).
  wake(0);
}

void Scheduler::fire_due(TimerWheel& wheel, std::int64_t now) noexcept {
  constexpr std::size_t kMost = 64;
  std::array<TimerNode*, kMost> due;
  // acquire and release: what one fired comes before what the next one fires. Who finds it raised need not wait: its timers stay due.
  if (wheel.firing.exchange(true, std::memory_order_acquire)) return;
  const std::size_t n = wheel.collect(now, due.data(), kMost);
  if (n != 0) host_.fire(due.data(), n);
  wheel.firing.store(false, std::memory_order_release);
}

void Scheduler::advance_to(std::int64_t target_ns) {
  WEFT_ASSERT(options_.clock == Clock::virtual_time, "only a virtual clock is moved by hand");
  for (;;) {
    wait_until_quiet();
    std::int64_t next = outside_wheel_.next_deadline();
    for (auto& worker : workers_) next = std::min(next, worker->wheel.next_deadline());
    if (next > target_ns) break;
    if (next > virtual_ns_.load(std::memory_order_relaxed)) virtual_ns_.store(next, std::memory_order_release);
    const std::int64_t now = virtual_ns_.load(std::memory_order_relaxed);
    fire_due(outside_wheel_, now);
    for (auto& worker : workers_) fire_due(worker->wheel, now);
  }
  if (target_ns > virtual_ns_.load(std::memory_order_relaxed)) virtual_ns_.store(target_ns, std::memory_order_release);
  wait_until_quiet();
}

// --- descriptors -----------------------------------------------------------------------------------------------------------------

std::size_t Scheduler::poll_descriptors(std::int64_t timeout_ns) noexcept {
  constexpr std::size_t kMost = 64;
  std::array<Poller::Event, kMost> events;
  const std::size_t n = poller_.poll(timeout_ns, events.data(), kMost);
  if (n != 0) base::explore_point("descriptors are ready");
  for (std::size_t i = 0; i < n; ++i) host_.descriptor_ready(events[i].token, events[i].ready);
  return n;
}

std::size_t Scheduler::poll_from_outside(std::int64_t timeout_ns) noexcept {
  int nobody = kNoLeader;
  if (!poll_leader_.compare_exchange_strong(nobody, kHostLeads, std::memory_order_seq_cst)) return 0;
  // Opened also when nothing was armed yet: a poller that is not open does not wait, and knows nothing of what is armed meanwhile.
  if (options_.host_polls && timeout_ns != 0) (void)poller_.descriptor();
  const std::size_t n = poll_descriptors(options_.host_polls ? timeout_ns : 0);
  give_up_lead();
  return n;
}

void Scheduler::give_up_lead() noexcept {
  poll_leader_.store(kNoLeader, std::memory_order_seq_cst);
  if (options_.host_polls) return;
  // A worker that went to sleep meanwhile could not take the lead. Let one go to sleep again.
  std::atomic_thread_fence(std::memory_order_seq_cst);  // Between giving up the lead and the look at the sleepers.
  const int sleeper = idle_.claim_sleeper();
  if (sleeper >= 0) wake(static_cast<unsigned>(sleeper));
}

bool Scheduler::is_quiet() const noexcept {
  // Blocking jobs first: one that ends makes its process runnable before it stops counting. Then the workers: with all asleep, only a
  // claimed one (which no longer counts as asleep) or injected work could start anything.
  if (blocking_.outstanding() != 0 || in_hand_.load(std::memory_order_seq_cst) != 0) return false;
  const auto all_asleep = [this] {
    const IdleCounters now = idle_.counters();
    return now.sleeping == workers_.size() && now.searching == 0;
  };
  if (!all_asleep()) return false;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return !work_anywhere() && in_hand_.load(std::memory_order_seq_cst) == 0 && all_asleep();
}

void Scheduler::worker_sleeps() noexcept {
  if (quiet_waiters_.load(std::memory_order_seq_cst) == 0) return;
  const std::lock_guard<std::mutex> hold(quiet_mutex_);
  quiet_.notify_all();
}

void Scheduler::worker_woke() noexcept {
  if (watchdog_ != nullptr) watchdog_->worker_woke();
}

void Scheduler::wait_until_quiet() {
  if (base::exploring()) {
    base::explore_wait("until quiet", [this] { return is_quiet(); });
    return;
  }
  std::unique_lock<std::mutex> hold(quiet_mutex_);
  quiet_waiters_.fetch_add(1, std::memory_order_seq_cst);
  // The blocking pool does not tell when it drains: hence the second reason to look, a short wait.
  while (!is_quiet()) quiet_.wait_for(hold, std::chrono::milliseconds(1));
  quiet_waiters_.fetch_sub(1, std::memory_order_seq_cst);
}

}  // namespace weft::scheduler
