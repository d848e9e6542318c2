#include "scheduler/blocking_pool.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <ctime>
#include <list>
#include <mutex>
#include <utility>

#include <concurrentqueue/concurrentqueue.h>

#include "mailbox/base/spin_wait.hpp"

namespace weft::scheduler {
namespace {

/// A counting semaphore on a futex. std::counting_semaphore of GCC 12 can sleep through a release (its bug 104928).
class Permits {
 public:
  void release(int count) noexcept {
    // release pairs with the acquire in try_acquire(): the taker sees what was done before, the job in the queue above all.
    permits_.fetch_add(count, std::memory_order_release);
    syscall(SYS_futex, word(), FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
  }

  /// False: no permit came for `wait`, measured on the monotonic clock.
  [[nodiscard]] bool acquire_for(std::chrono::nanoseconds wait) noexcept {
    const auto start = std::chrono::steady_clock::now();
    for (;;) {
      if (try_acquire()) return true;
      const std::chrono::nanoseconds left = wait - (std::chrono::steady_clock::now() - start);
      if (left <= std::chrono::nanoseconds::zero()) return false;
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
      const timespec timeout{static_cast<std::time_t>(seconds.count()), static_cast<long>((left - seconds).count())};
      // The kernel compares with 0 under its own lock, so a release between our look and our sleep is not missed.
      syscall(SYS_futex, word(), FUTEX_WAIT_PRIVATE, 0, &timeout, nullptr, 0);
    }
  }

 private:
  [[nodiscard]] bool try_acquire() noexcept {
    int seen = permits_.load(std::memory_order_relaxed);
    while (seen > 0) {
      // acquire: see release().
      if (permits_.compare_exchange_weak(seen, seen - 1, std::memory_order_acquire, std::memory_order_relaxed)) return true;
    }
    return false;
  }

  [[nodiscard]] int* word() noexcept { return reinterpret_cast<int*>(&permits_); }

  static_assert(sizeof(std::atomic<int>) == sizeof(int), "the kernel reads the word itself");
  std::atomic<int> permits_{0};
};

}  // namespace

/// permits_      one for each job in the queue; after `stopping_`, one for each thread that is to leave
/// available_    B1; any thread. B2 needs only that its changes have one order; acq_rel keeps each change where it stands in the code
/// outstanding_  jobs accepted and not returned; any thread
/// mutex_        guards threads_, ended_, and the decision to start or to leave
struct BlockingPool::State {
  State(std::size_t max_threads, std::chrono::milliseconds idle_keep, StartThread start_thread)
      : max_threads_(std::max<std::size_t>(max_threads, 1)),
        idle_keep_(std::min<std::chrono::milliseconds>(idle_keep, kLongest)),
        start_thread_(std::move(start_thread)) {}

  static constexpr std::chrono::hours kLongest{24 * 365};  // In nanoseconds it must not overflow (CPP-21).

  enum class Growth : std::uint8_t { served, no_thread };
  [[nodiscard]] Growth grow() noexcept;
  void serve(std::list<std::thread>::iterator self) noexcept;
  [[nodiscard]] BlockingJob* take() noexcept;
  [[nodiscard]] bool leave(std::list<std::thread>::iterator self) noexcept;
  void one_less_outstanding() noexcept;
  void finish() noexcept;

  const std::size_t max_threads_;
  const std::chrono::milliseconds idle_keep_;
  const StartThread start_thread_;
  moodycamel::ConcurrentQueue<BlockingJob*> queue_;
  std::mutex take_mutex_;  // One taker at a time: see take().
  Permits permits_;
  std::atomic<std::ptrdiff_t> available_{0};
  std::atomic<std::size_t> outstanding_{0};
  std::atomic<std::size_t> live_{0};  // threads_.size(); written under the mutex.
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable drained_;
  std::list<std::thread> threads_;
  std::list<std::thread> ended_;  // To be joined by the next thread that starts or leaves, or at the end.
};

BlockingPool::BlockingPool(std::size_t max_threads, std::chrono::milliseconds idle_keep)
    : BlockingPool(max_threads, idle_keep, [](std::function<void()> body) { return std::thread(std::move(body)); }) {}

BlockingPool::BlockingPool(std::size_t max_threads, std::chrono::milliseconds idle_keep, StartThread start_thread)
    : state_(std::make_unique<State>(max_threads, idle_keep, std::move(start_thread))) {}

BlockingPool::~BlockingPool() { state_->finish(); }

std::size_t BlockingPool::outstanding() const noexcept {
  // acquire pairs with the decrement in one_less_outstanding(): whoever reads 0 sees all that the jobs did.
  return state_->outstanding_.load(std::memory_order_acquire);
}

std::size_t BlockingPool::threads() const noexcept { return state_->live_.load(std::memory_order_relaxed); }

// Never inlined, by link-time optimisation either: the queue finds its producer by the address of a thread-local, which must not be
// computed before a suspension of the calling process and used after it.
[[gnu::noinline]] BlockingPool::Submit BlockingPool::submit(BlockingJob& job) noexcept {
  State& state = *state_;
  state.outstanding_.fetch_add(1, std::memory_order_relaxed);
  // The claim comes before the look at the threads (B2); the mutex in grow() orders the two for whoever leaves.
  if (state.available_.fetch_sub(1, std::memory_order_acq_rel) <= 0 && state.grow() == State::Growth::no_thread) {
    state.available_.fetch_add(1, std::memory_order_acq_rel);
    state.one_less_outstanding();
    return Submit::no_thread;
  }
  if (!state.queue_.enqueue(&job)) {
    state.available_.fetch_add(1, std::memory_order_acq_rel);
    state.one_less_outstanding();
    return Submit::no_memory;
  }
  state.permits_.release(1);
  return Submit::accepted;
}

/// Starts a thread if the maximum allows it. no_thread: that failed, and no other thread can serve the caller's job.
BlockingPool::State::Growth BlockingPool::State::grow() noexcept {
  std::list<std::thread> ended;
  Growth growth = Growth::served;
  {
    const std::lock_guard guard(mutex_);
    ended.swap(ended_);
    // At 0 a thread became free for the caller's job while it waited here.
    if (available_.load(std::memory_order_relaxed) < 0 && threads_.size() < max_threads_) {
      std::list<std::thread> fresh;
      try {
        fresh.emplace_back();
        const auto self = fresh.begin();
        // The new thread uses `self` in leave() only, under the mutex: it is in its list by then.
        fresh.front() = start_thread_([this, self] { serve(self); });
        threads_.splice(threads_.end(), fresh);
        live_.store(threads_.size(), std::memory_order_relaxed);
        available_.fetch_add(1, std::memory_order_acq_rel);
      } catch (...) {  // Of whatever kind, system_error or bad_alloc: there is no thread.
        if (threads_.empty()) growth = Growth::no_thread;
      }
    }
  }
  for (std::thread& thread : ended) thread.join();
  return growth;
}

void BlockingPool::State::serve(std::list<std::thread>::iterator self) noexcept {
  for (;;) {
    if (!permits_.acquire_for(idle_keep_)) {
      if (leave(self)) return;
      continue;
    }
    // acquire pairs with the release in finish(), which gives out no permit of this kind while a job is outstanding.
    if (stopping_.load(std::memory_order_acquire)) return;
    BlockingJob* job = take();
    job->run(job);
    one_less_outstanding();
    available_.fetch_add(1, std::memory_order_acq_rel);
  }
}

/// The caller holds a permit, so there is a job.
BlockingJob* BlockingPool::State::take() noexcept {
  // moodycamel 1.0.3 gives a block back to its producers when the last taker of it is done, but that taker does not acquire what the
  // others of the block released: formally their reads race with the producer's next writes, and ThreadSanitizer says so. With the
  // takers in one order they do not. The lock costs nothing beside the wake-up of a thread.
  const std::lock_guard guard(take_mutex_);
  BlockingJob* job = nullptr;
  for (base::SpinWait wait; !queue_.try_dequeue(job);) wait.once();  // It may look empty while another producer is in the middle.
  return job;
}

/// Takes an idle thread out of the pool, unless a job counts on it (B2).
bool BlockingPool::State::leave(std::list<std::thread>::iterator self) noexcept {
  std::list<std::thread> ended;
  {
    const std::lock_guard guard(mutex_);
    // From here on finish() has a permit for this thread, and joins it.
    if (stopping_.load(std::memory_order_relaxed)) return false;
    std::ptrdiff_t seen = available_.load(std::memory_order_relaxed);
    do {
      if (seen <= 0) return false;
    } while (!available_.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_relaxed));
    ended.swap(ended_);
    ended_.splice(ended_.end(), threads_, self);
    live_.store(threads_.size(), std::memory_order_relaxed);
  }
  for (std::thread& thread : ended) thread.join();
  return true;
}

void BlockingPool::State::one_less_outstanding() noexcept {
  // acq_rel: the one who reaches zero has seen the end of every other job, and finish() after it.
  if (outstanding_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::lock_guard guard(mutex_);
  drained_.notify_all();
}

void BlockingPool::State::finish() noexcept {
  std::list<std::thread> remaining;
  {
    std::unique_lock lock(mutex_);
    // acquire pairs with the decrement in one_less_outstanding().
    drained_.wait(lock, [this] { return outstanding_.load(std::memory_order_acquire) == 0; });
    // release pairs with the acquire in serve(); written under the mutex for leave().
    stopping_.store(true, std::memory_order_release);
    remaining.swap(threads_);
    permits_.release(static_cast<int>(remaining.size()));
    remaining.splice(remaining.end(), ended_);
  }
  for (std::thread& thread : remaining) thread.join();
}

}  // namespace weft::scheduler
