#include "scheduler/idle_set.hpp"

#include <bit>

#include "mailbox/base/assert.hpp"
#include "mailbox/base/explore.hpp"

namespace weft::inline v0::scheduler {

IdleSet::IdleSet(unsigned workers)
    : workers_(workers), words_((workers + kBits - 1) / kBits), searches_(std::make_unique<Search[]>(workers)) {
  WEFT_ASSERT(workers >= 1 && workers <= kMaxWorkers, "the number of workers is checked before the scheduler is built");
}

bool& IdleSet::holds_count(unsigned w) noexcept {
  WEFT_ASSERT(w < workers_, "a worker's number is below their count");
  return searches_[w].holds_count;
}

int IdleSet::take_sleeper() noexcept {
  for (unsigned i = 0; i < words_; ++i) {
    // The lowest first: under light load the same few workers stay warm and the others sleep on.
    for (std::uint64_t word = sleepers_[i].load(std::memory_order_relaxed); word != 0;) {
      const std::uint64_t bit = word & (~word + 1);
      base::explore_point("claim sleeper: bit");
      // release pairs with the acquire in cancel_sleep(): a sleeper that notices before its token comes finds the caller's work.
      // Weaker, it would search once in vain before its next last look.
      word = sleepers_[i].fetch_and(~bit, std::memory_order_release);
      if ((word & bit) != 0) {
        wakes_.fetch_add(1, std::memory_order_relaxed);
        return static_cast<int>(i * kBits) + std::countr_zero(bit);  // I2: our count is the sleeper's now.
      }
      word &= ~bit;  // It cancelled first.
    }
  }
  return -1;
}

int IdleSet::claim_sleeper() noexcept {
  for (;;) {
    base::explore_point("claim sleeper");
    unsigned nobody = 0;
    // Only one waker at a time. Relaxed: the caller's fence stands before it, and a sleeper missed here is found by the look below.
    if (!searching_.compare_exchange_strong(nobody, 1, std::memory_order_relaxed, std::memory_order_relaxed)) return -1;
    if (const int sleeper = take_sleeper(); sleeper >= 0) return sleeper;
    base::explore_point("claim sleeper: none");
    bare_wakes_.fetch_add(1, std::memory_order_relaxed);
    searching_.fetch_sub(1, std::memory_order_relaxed);
    // I3: while we held the count, another publisher may have left because of it, and a worker may have looked before that one
    // published, and gone to sleep behind our back. The fence puts our look after the count is back, as in should_notify().
    std::atomic_thread_fence(std::memory_order_seq_cst);
    base::explore_point("claim sleeper: look again");
    if (!any_sleeper()) return -1;
  }
}

int IdleSet::claim_one_more() noexcept {
  searching_.fetch_add(1, std::memory_order_relaxed);
  if (const int sleeper = take_sleeper(); sleeper >= 0) return sleeper;
  bare_wakes_.fetch_add(1, std::memory_order_relaxed);
  if (searching_.fetch_sub(1, std::memory_order_relaxed) != 1) return -1;
  std::atomic_thread_fence(std::memory_order_seq_cst);  // As in claim_sleeper(): we may have been the last to hold a count.
  return any_sleeper() ? claim_sleeper() : -1;
}

void IdleSet::begin_search(unsigned w) noexcept {
  WEFT_ASSERT(!holds_count(w), "a worker holds at most one searching count");
  holds_count(w) = true;
  base::explore_point("begin search");
  searching_.fetch_add(1, std::memory_order_relaxed);  // Relaxed: nothing is promised by raising it, only by lowering it.
}

bool IdleSet::end_search(unsigned w) noexcept {
  WEFT_ASSERT(holds_count(w), "only a searching worker can end its search");
  holds_count(w) = false;
  base::explore_point("end search");
  // release: what this worker has moved into its own queue is visible to whoever lowers the count after it, through the chain of
  // read-modify-writes, and then fences and looks. Weaker, work that was in nobody's queue while moved could be seen by neither.
  if (searching_.fetch_sub(1, std::memory_order_release) != 1) return false;
  // Between the count and the caller's look at all work (I3). It also acquires what earlier searchers released.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return true;
}

void IdleSet::announce_sleep(unsigned w) noexcept {
  WEFT_ASSERT(holds_count(w), "a worker searches before it sleeps");
  holds_count(w) = false;
  base::explore_point("announce sleep: bit");
  sleepers_[w / kBits].fetch_or(std::uint64_t{1} << (w % kBits), std::memory_order_relaxed);
  base::explore_point("announce sleep: count");
  searching_.fetch_sub(1, std::memory_order_relaxed);
  // Between these two, whose own order does not matter, and the caller's last look: a publisher that misses either has fenced before
  // us, and we see its work. Without it the look may be done first, and work published in between would have no taker. It also
  // acquires what earlier searchers released.
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

bool IdleSet::cancel_sleep(unsigned w) noexcept {
  WEFT_ASSERT(!holds_count(w), "a sleeper holds no searching count");
  const std::uint64_t bit = std::uint64_t{1} << (w % kBits);
  base::explore_point("cancel sleep");
  // acquire pairs with the release in claim_sleeper().
  if ((sleepers_[w / kBits].fetch_and(~bit, std::memory_order_acquire) & bit) != 0) return true;
  holds_count(w) = true;
  return false;
}

IdleCounters IdleSet::counters() const noexcept {
  unsigned sleeping = 0;
  for (unsigned i = 0; i < words_; ++i) sleeping += static_cast<unsigned>(std::popcount(sleepers_[i].load(std::memory_order_relaxed)));
  return {.searching = searching_.load(std::memory_order_relaxed),
          .sleeping = sleeping,
          .wakes = wakes_.load(std::memory_order_relaxed),
          .bare_wakes = bare_wakes_.load(std::memory_order_relaxed)};
}

}  // namespace weft::scheduler
