#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "mailbox/base/cache_line.hpp"
#include "mailbox/base/explore.hpp"

namespace weft::inline v0::scheduler {

/// Figures of one moment, for statistics.
struct IdleCounters {
  unsigned searching;        ///< Workers looking for work, and wake-ups under way.
  unsigned sleeping;         ///< Workers that have announced their sleep.
  std::uint64_t wakes;       ///< Sleepers claimed since the start.
  std::uint64_t bare_wakes;  ///< Times a waker raised the searching count and found no sleeper.
};

/// Which workers sleep, how many search, and whom to wake for new work. Waking itself is the caller's business, and so is whether a
/// worker sleeps on its Parker or in the poller.
///
/// Publish work, then `if (set.should_notify()) wake(set.claim_sleeper())`. A worker without work:
///
///   begin_search(w), look everywhere;
///     found: put what it will not run now into its own queue, then
///            if (end_search(w) && there is work anywhere) notify as above;
///     none:  announce_sleep(w), look everywhere once more;
///            work: cancel_sleep(w).    none: sleep, and whatever ends the sleep, cancel_sleep(w).
///            After cancel_sleep() false the worker is searching already, else it begins again.
///
/// "Everywhere" is each place from which another worker could take work: the injection queue and all rings, not the LIFO slots.
/// Moving work from one such place to another is publishing it: while under way it is in neither.
///
/// I1  searching_ is the number of holders of a searching count: workers between begin_search() and end_search() or announce_sleep(),
///     a waker inside claim_sleeper() or claim_one_more(), a claimed sleeper from then on until it ends its search.
/// I2  A bit in sleepers_ is set only by its worker, and cleared once: by the worker, which goes on without a count, or by a waker,
///     whose count it inherits. A stray token in a Parker therefore means nothing; cancel_sleep() tells who ended the sleep.
/// I3  Whoever publishes work and sees a positive searching_ may leave: whoever later takes the count to zero looks again. A worker
///     going to sleep and the last searcher that found work look at the work; a waker that found no sleeper looks at the sleepers.
/// I4  Hence no work stays where a thief could take it while a worker sleeps and nobody searches (tests/models/idle.pml).
///
/// searching_, sleepers_      anyone, by atomic read-modify-write; one line, since who needs one needs the other
/// searches_[w].holds_count   worker w only
///
/// Every "publish, then look" here has a sequentially consistent fence in between, and of two such fences one is first: the thread
/// behind the second sees what the thread of the first published. So the operations around them may be relaxed.
class IdleSet {
 public:
  static constexpr unsigned kMaxWorkers = 1024;

  /// Throws std::bad_alloc. `workers` is 1 to kMaxWorkers; all are awake and not searching.
  explicit IdleSet(unsigned workers);
  IdleSet(const IdleSet&) = delete;
  IdleSet& operator=(const IdleSet&) = delete;

  /// Any thread, after publishing work. Whether to call claim_sleeper(): nobody searches and somebody sleeps.
  [[nodiscard]] bool should_notify() const noexcept {
    // Between our work and our look (I3). Without it both loads may be done before the work is visible: a worker that then looks for
    // the last time, before the work and after our loads, sleeps on it.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    base::explore_point("should notify");
    return searching_.load(std::memory_order_relaxed) == 0 && any_sleeper();
  }

  /// Any thread. Picks a sleeper and gives it a searching count; the caller must then wake it. -1 when nobody needs waking: another one
  /// searches, or nobody sleeps.
  [[nodiscard]] int claim_sleeper() noexcept;

  /// As claim_sleeper(), also while others search. For who sees work that nobody takes: a searcher, or a waker, whose thread the system
  /// lets stand still keeps its count, and because of it all others leave the work to it.
  [[nodiscard]] int claim_one_more() noexcept;

  /// Worker `w`, without a count.
  void begin_search(unsigned w) noexcept;

  /// Worker `w`, which has found work and published what it does not run itself. True for the last searcher: others may have counted
  /// on it, so it looks at all work again and notifies if there is some.
  [[nodiscard]] bool end_search(unsigned w) noexcept;

  /// Worker `w`, searching. From here on it may be claimed. It must look at all work once more, then sleep or cancel.
  void announce_sleep(unsigned w) noexcept;

  /// Worker `w`, once per announce_sleep(): after a last look that saw work, and after every return from sleep. True: nobody claimed it,
  /// it is awake and does not search. False: a waker did, and it searches with the waker's count; the waker's token may yet come.
  [[nodiscard]] bool cancel_sleep(unsigned w) noexcept;

  /// Any thread.
  [[nodiscard]] IdleCounters counters() const noexcept;

 private:
  static constexpr unsigned kBits = 64;

  struct alignas(base::kCacheLine) Search {
    bool holds_count = false;
  };

  [[nodiscard]] bool& holds_count(unsigned w) noexcept;
  /// For the holder of a count, which becomes the sleeper's. -1 when nobody sleeps.
  [[nodiscard]] int take_sleeper() noexcept;
  [[nodiscard]] bool any_sleeper() const noexcept {
    for (unsigned i = 0; i < words_; ++i) {
      if (sleepers_[i].load(std::memory_order_relaxed) != 0) return true;
    }
    return false;
  }

  const unsigned workers_;
  const unsigned words_;
  const std::unique_ptr<Search[]> searches_;
  alignas(base::kCacheLine) std::atomic<unsigned> searching_{0};
  std::array<std::atomic<std::uint64_t>, kMaxWorkers / kBits> sleepers_{};
  std::atomic<std::uint64_t> wakes_{0};
  std::atomic<std::uint64_t> bare_wakes_{0};
};

}  // namespace weft::scheduler
