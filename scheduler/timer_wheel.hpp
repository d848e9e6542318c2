// One worker's timers: a hierarchical timing wheel with exact deadlines.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "mailbox/base/cache_line.hpp"
#include "mailbox/base/spin_lock.hpp"

namespace weft::inline v0::scheduler {

struct TimerLink {
  TimerLink* next = nullptr;
  TimerLink* prev = nullptr;
};

/// A timer, to be embedded in what waits for it. `tag` is the embedder's; the rest is the wheel's, protected by the wheel's lock from
/// add() until cancel() returned true or collect() handed the node out.
struct TimerNode {
  TimerLink link;                ///< `link.next` is null exactly while the node is in no wheel
  std::int64_t deadline_ns = 0;  ///< as given to add()
  std::uint32_t tag = 0;         ///< for the embedder: for example, which worker's wheel holds the node
  std::uint8_t level = 0;
  std::uint8_t slot = 0;

  /// For whoever the node belongs to at the moment (W3); on a node in a wheel the answer may be out of date at once.
  [[nodiscard]] bool is_linked() const noexcept { return link.next != nullptr; }
};
static_assert(std::is_standard_layout_v<TimerNode>, "a node is found from its first member");

/// Timers by deadline. Any thread may call anything; one short lock inside.
///
/// Eleven levels of 64 slots. A slot of level k is 64^k ns wide, so a slot of level 0 is one deadline and nothing is rounded. A node is
/// placed by the highest bit in which its tick differs from `time_`. When the clock enters a slot of a higher level, its nodes move to
/// lower levels ("cascade"), a bounded number per hold of the lock. Ticks are deadlines; one already past counts as `time_`.
///
/// W1  No linked node has a tick below `time_`, and `time_` never runs ahead of the latest `now_ns` of a collect(): never early (TIM-5).
/// W2  A node on level k agrees with `time_` in all digits above k. Its digit k is larger, except on level 0, and in the slot that is
///     being cascaded, of level `cascading_`. So all of a level comes before all of the next, and slots of a level are in order.
/// W3  A node belongs to its embedder while it is in no wheel, to the wheel from add(), and to its embedder again once cancel()
///     returned true or, if collect() handed it out, once the collector is done with it.
/// W4  `earliest` of an occupied slot is at most each tick in it, and at least the slot's start. Cancelling leaves it as it is.
/// W5  `next_deadline_` is at most each linked node's tick, and at most `now_ns` while a collect() left work behind.
///
/// lock_                   guards everything below it and the wheel's part of each linked node
/// next_deadline_, size_   written under the lock, read by anyone; relaxed, they publish nothing
///
/// Cancel against collect: both hold the lock, so one of them gets the node. Whoever is told `false` by cancel() knows that the node
/// fired or is about to: a collector may still hold its address, so its memory must outlive that collector (a type-stable slot, or a
/// mark that the collector sets when it is done). The wheel itself never touches a node after handing it out, and the node may be
/// added again at once. Hence a collector must not read the wheel's part of what it collected, and must recognise by a number of
/// its embedder's that a firing is out of date.
class TimerWheel {
 public:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  /// `now_ns`: where the clock stands. An earlier value is right too, but costs the first timers an additional move.
  explicit TimerWheel(std::int64_t now_ns) noexcept;
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// Links `node`, which is in no wheel. True: it now is the earliest, so a worker that sleeps until the old next_deadline() must wake.
  /// For that, the caller puts a seq_cst fence between add() and its look at the sleeper's state, and the worker one between announcing
  /// its sleep and reading next_deadline().
  bool add(TimerNode& node, std::int64_t deadline_ns) noexcept;

  /// True: `node` was linked in this wheel, now is not, and will not fire. False: see above. O(1).
  [[nodiscard]] bool cancel(TimerNode& node) noexcept;

  /// Unlinks up to `max` nodes with a deadline of at most `now_ns` into `out`, in the order of their deadlines; equal ones in any order.
  /// Returns how many.
  ///
  /// One call does a bounded amount of work (at worst a few 100 us), so a mass of timers never stalls a worker (TIM-7); the lock is given
  /// up after every kMovesPerHold nodes. Call again if next_deadline() <= now_ns afterwards, even if it returned 0: there is more to do.
  /// Calling it early is cheap and keeps cascades small: worth it now and then on a busy worker, and once after a long sleep.
  [[nodiscard]] std::size_t collect(std::int64_t now_ns, TimerNode** out, std::size_t max) noexcept;

  /// When collect() will have something to do: a lower bound of the earliest deadline, kNever when empty. Exact until the earliest timer
  /// (of all, or of its slot) is cancelled, which costs one early wake-up: the collect that comes too soon makes it exact again.
  [[nodiscard]] std::int64_t next_deadline() const noexcept { return next_deadline_.load(std::memory_order_relaxed); }

  /// Raised by who collects until it has fired what it got: two would fire their shares in whichever order they go on (TIM-5).
  std::atomic<bool> firing{false};

  /// Linked nodes.
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  static constexpr unsigned kSlotBits = 6;
  static constexpr unsigned kSlots = 1U << kSlotBits;
  static constexpr unsigned kLevels = (63 + kSlotBits - 1) / kSlotBits;
  static constexpr unsigned kMovesPerHold = 128;  // At a cache miss each, 10 to 20 us.
  static constexpr unsigned kKeptInOrder = 16;
  static constexpr unsigned kHoldsPerCall = 16;

  struct Slot {
    TimerLink ring;  // Circular; first member, so that the end of the ring is the slot itself.
    std::uint64_t earliest = 0;
  };

  enum class Hold : std::uint8_t { drained, more_due };
  struct Batch {
    TimerNode** out;
    std::size_t max;
    std::size_t count;
  };

  [[nodiscard]] Slot& current_slot(unsigned level) noexcept;
  void place(TimerNode& node) noexcept;
  void unlink(TimerNode& node) noexcept;
  void advance_to(std::uint64_t tick) noexcept;
  [[nodiscard]] bool cascade(unsigned& moves) noexcept;
  [[nodiscard]] bool take_current(Batch& batch, unsigned& moves) noexcept;
  [[nodiscard]] std::uint64_t earliest_tick() const noexcept;
  [[nodiscard]] Hold collect_one_hold(std::uint64_t now, Batch& batch) noexcept;
  void add_to_size(std::size_t change) noexcept;

  alignas(base::kCacheLine) base::SpinLock lock_;
  std::atomic<std::int64_t> next_deadline_{kNever};
  std::atomic<std::size_t> size_{0};
  std::uint64_t time_;
  unsigned cascading_ = 0;  // The level whose current slot still holds nodes to be cascaded; 0: none.
  std::array<std::uint64_t, kLevels> occupied_{};
  std::array<std::array<Slot, kSlots>, kLevels> slots_;
};

}  // namespace weft::scheduler
