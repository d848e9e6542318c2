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
#include <new>
#include <utility>

#include <concurrentqueue/concurrentqueue.h>

#include "mailbox/base/explore.hpp"
#include "mailbox/base/spin_wait.hpp"
#include "scheduler/thread_life.hpp"

namespace weft::inline v0::scheduler {
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

/// permits      one for each job in the queue; after `stopping`, one for each thread that is to leave
/// available    B1; any thread. B2 needs only that its changes have one order; acq_rel keeps each change where it stands in the code
/// outstanding  jobs accepted and not returned; any thread
/// mutex        guards threads, ended, and the decision to start or to leave
struct BlockingPool::State {
  State(std::size_t max_threads, std::chrono::milliseconds idle_keep, StartThread start_thread)
      : max_threads(std::max<std::size_t>(max_threads, 1)),
        idle_keep(std::min<std::chrono::milliseconds>(idle_keep, kLongest)),
        start_thread(std::move(start_thread)) {}

  static constexpr std::chrono::hours kLongest{24 * 365};  // In nanoseconds it must not overflow (CPP-21).

  enum class Growth : std::uint8_t { served, no_thread };
  [[nodiscard]] Growth grow() noexcept;
  void serve(std::list<std::thread>::iterator self) noexcept;
  [[nodiscard]] BlockingJob* take() noexcept;
  [[nodiscard]] bool leave(std::list<std::thread>::iterator self) noexcept;
  void one_less_outstanding() noexcept;
  void finish() noexcept;

  const std::size_t max_threads;
  const std::chrono::milliseconds idle_keep;
  const StartThread start_thread;
  moodycamel::ConcurrentQueue<BlockingJob*> queue;
  std::mutex take_mutex;  // One taker at a time: see take().
  Permits permits;
  std::atomic<std::ptrdiff_t> available{0};
  std::atomic<std::size_t> outstanding{0};
  std::atomic<std::size_t> live{0};  // threads.size(); written under the mutex.
  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::condition_variable drained;
  std::list<std::thread> threads;
  std::list<std::thread> ended;  // To be joined by the next thread that starts or leaves, or at the end.
};

BlockingPool::BlockingPool(std::size_t max_threads, std::chrono::milliseconds idle_keep)
    : BlockingPool(max_threads, idle_keep, [](std::function<void()> body) { return std::thread(std::move(body)); }) {}

BlockingPool::BlockingPool(std::size_t max_threads, std::chrono::milliseconds idle_keep, StartThread start_thread)
    : state_(std::make_unique<State>(max_threads, idle_keep, std::move(start_thread))) {}

BlockingPool::~BlockingPool() { drain(); }

void BlockingPool::drain() noexcept { state_->finish(); }

std::size_t BlockingPool::outstanding() const noexcept {
  // acquire pairs with the decrement in one_less_outstanding(): whoever reads 0 sees all that the jobs did.
  return state_->outstanding.load(std::memory_order_acquire);
}

std::size_t BlockingPool::threads() const noexcept { return state_->live.load(std::memory_order_relaxed); }

// Never inlined, by link-time optimisation either: the queue finds its producer by the address of a thread-local, which must not be
// computed before a suspension of the calling process and used after it.
[[gnu::noinline]] BlockingPool::Submit BlockingPool::submit(BlockingJob& job) noexcept {
  State& state = *state_;
  state.outstanding.fetch_add(1, std::memory_order_relaxed);
  if (base::exploring()) {
    // A thread of the exploration for each job: how real ones are kept is not part of what is explored.
    try {
      base::explore_thread("blocking", [&state, &job] {
        job.run(&job);
        state.one_less_outstanding();
      });
    } catch (const std::bad_alloc&) {  // Before the thread runs.
      state.one_less_outstanding();
      return Submit::no_memory;
    }
    return Submit::accepted;
  }
  // The claim comes before the look at the threads (B2); the mutex in grow() orders the two for whoever leaves.
  if (state.available.fetch_sub(1, std::memory_order_acq_rel) <= 0 && state.grow() == State::Growth::no_thread) {
    state.available.fetch_add(1, std::memory_order_acq_rel);
    state.one_less_outstanding();
    return Submit::no_thread;
  }
  ThreadLife::begin();
  if (!state.queue.enqueue(&job)) {
    state.available.fetch_add(1, std::memory_order_acq_rel);
    state.one_less_outstanding();
    return Submit::no_memory;
  }
  state.permits.release(1);
  return Submit::accepted;
}

/// Starts a thread if the maximum allows it. no_thread: that failed, and no other thread can serve the caller's job.
BlockingPool::State::Growth BlockingPool::State::grow() noexcept {
  std::list<std::thread> to_join;
  Growth growth = Growth::served;
  {
    const std::lock_guard guard(mutex);
    to_join.swap(ended);
    // At 0 a thread became free for the caller's job while it waited here.
    if (available.load(std::memory_order_relaxed) < 0 && threads.size() < max_threads) {
      std::list<std::thread> fresh;
      try {
        fresh.emplace_back();
        const auto self = fresh.begin();
        // The new thread uses `self` in leave() only, under the mutex: it is in its list by then.
        fresh.front() = start_thread([this, self] { serve(self); });
        threads.splice(threads.end(), fresh);
        live.store(threads.size(), std::memory_order_relaxed);
        available.fetch_add(1, std::memory_order_acq_rel);
      } catch (...) {  // Of whatever kind, system_error or bad_alloc: there is no thread.
        if (threads.empty()) growth = Growth::no_thread;
      }
    }
  }
  for (std::thread& thread : to_join) thread.join();
  return growth;
}

void BlockingPool::State::serve(std::list<std::thread>::iterator self) noexcept {
  for (;;) {
    if (!permits.acquire_for(idle_keep)) {
      if (leave(self)) return;
      std::this_thread::yield();  // Its job is about to be queued.
      continue;
    }
    // acquire pairs with the release in finish(), which gives out no permit of this kind while a job is outstanding.
    if (stopping.load(std::memory_order_acquire)) return;
    BlockingJob* job = take();
    job->run(job);
    available.fetch_add(1, std::memory_order_acq_rel);  // First: who then sees nothing outstanding finds this thread free.
    one_less_outstanding();
  }
}

/// The caller holds a permit, so there is a job.
BlockingJob* BlockingPool::State::take() noexcept {
  // moodycamel 1.0.3 gives a block back to its producers when the last taker of it is done, but that taker does not acquire what the
  // others of the block released: formally their reads race with the producer's next writes, and ThreadSanitizer says so. With the
  // takers in one order they do not. The lock costs nothing beside the wake-up of a thread.
  const std::lock_guard guard(take_mutex);
  BlockingJob* job = nullptr;
  for (base::SpinWait wait; !queue.try_dequeue(job);) wait.once();  // It may look empty while another producer is in the middle.
  return job;
}

/// Takes an idle thread out of the pool, unless a job counts on it (B2).
bool BlockingPool::State::leave(std::list<std::thread>::iterator self) noexcept {
  std::list<std::thread> to_join;
  {
    const std::lock_guard guard(mutex);
    // From here on finish() has a permit for this thread, and joins it.
    if (stopping.load(std::memory_order_relaxed)) return false;
    std::ptrdiff_t seen = available.load(std::memory_order_relaxed);
    do {
      if (seen <= 0) return false;
    } while (!available.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_relaxed));
    to_join.swap(ended);
    ended.splice(ended.end(), threads, self);
    live.store(threads.size(), std::memory_order_relaxed);
  }
  for (std::thread& thread : to_join) thread.join();
  return true;
}

void BlockingPool::State::one_less_outstanding() noexcept {
  // acq_rel: the one who reaches zero has seen the end of every other job, and finish() after it.
  if (outstanding.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const std::lock_guard guard(mutex);
  drained.notify_all();
}

void BlockingPool::State::finish() noexcept {
  std::list<std::thread> remaining;
  base::explore_wait("until the blocking pool is idle", [this] { return outstanding.load(std::memory_order_acquire) == 0; });
  {
    std::unique_lock lock(mutex);
    // acquire pairs with the decrement in one_less_outstanding().
    drained.wait(lock, [this] { return outstanding.load(std::memory_order_acquire) == 0; });
    // release pairs with the acquire in serve(); written under the mutex for leave().
    stopping.store(true, std::memory_order_release);
    remaining.swap(threads);
    permits.release(static_cast<int>(remaining.size()));
    remaining.splice(remaining.end(), ended);
  }
  for (std::thread& thread : remaining) thread.join();
}

}  // namespace weft::scheduler
