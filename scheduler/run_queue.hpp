// RunQueue: the runnable processes of one worker, open to thieves.  LifoSlot: the one process it runs next.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

#include "mailbox/base/assert.hpp"
#include "mailbox/base/cache_line.hpp"
#include "mailbox/base/explore.hpp"
#include "scheduler/queue_memory.hpp"

namespace weft::inline v0::scheduler {

/// Unbounded first-in first-out ring of `T*`: its owner pushes and pops, any thread steals half. `T` has a member `T* run_next`.
///
/// R1  Positions only grow: [head_, tail_) are the queued items, position p lies in slot p mod capacity. 64 bits never wrap, so a
///     compare-and-swap of head_ that succeeds proves that head_ did not move since it was read: no ABA.
/// R2  Only a successful CAS of head_ takes items, the owner's pop() included. Every item is taken once.
/// R3  A slot is written again only after the owner has read a head_ past the position it held.
/// R4  A ring that was outgrown is never written again and lives until the destructor: a thief may still be reading it.
/// R5  push() never fails. Where memory for a larger ring is refused, items are chained through run_next, behind the ring in order,
///     and move into it as soon as there is room. Thieves do not see them before that.
///
/// head_                 anyone, by CAS only
/// tail_, ring_          written by the owner, read by anyone
/// head_seen_            the owner only; some earlier value of head_
/// overflow_first_/last_ the owner only                     overflow_size_  written by the owner, read by anyone
/// T::run_next           the owner, while the item is in the overflow chain
///
/// The owner is one thread at a time (a worker); the two queues of a steal have different owners. Nothing waits: a CAS that fails
/// means that another one took something. The items are not owned.
template <class T>
class RunQueue {
 public:
  static constexpr std::size_t kFirstCapacity = 256;

  /// Throws std::bad_alloc.
  RunQueue() {
    Ring* first = Ring::create(kFirstCapacity, nullptr);
    if (first == nullptr) throw std::bad_alloc();
    ring_.store(first, std::memory_order_relaxed);  // Whoever hands the queue to other threads publishes this too.
  }
  RunQueue(const RunQueue&) = delete;
  RunQueue& operator=(const RunQueue&) = delete;
  ~RunQueue() {
    for (Ring* ring = ring_.load(std::memory_order_relaxed); ring != nullptr;) {
      Ring* previous = ring->previous;
      Ring::destroy(ring);
      ring = previous;
    }
  }

  /// Owner. Appends `item`; never fails.
  void push(T* item) noexcept {
    Ring* const ring = ring_.load(std::memory_order_relaxed);
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (overflow_first_ != nullptr || tail - head_seen_ > ring->mask) [[unlikely]]
      return push_slowly(item);
    base::explore_point("append");
    ring->slot(tail).store(item, std::memory_order_relaxed);
    // release: as in append().
    tail_.store(tail + 1, std::memory_order_release);
  }

  /// Owner. Takes the oldest item; null when there is none, in the ring or behind it.
  [[nodiscard, gnu::always_inline]] T* pop() noexcept {
    T* item = take_oldest();
    while (overflow_first_ != nullptr) [[unlikely]] {  // R5: each round moves at least the room that the last take left.
        drain_overflow();
        if (item != nullptr) break;
        item = take_oldest();
      }
    return item;
  }

  /// Owner of `mine`. Moves half of what is queued here, rounded up: the oldest into `*first`, to be run, the others behind `mine`.
  /// Returns how many; 0, with `*first` untouched, when there was nothing. Fewer than half when `mine` cannot grow, or when the
  /// owner or another thief wins the race for what is left.
  [[nodiscard]] std::size_t steal_half_into(RunQueue& mine, T** first) noexcept {
    WEFT_ASSERT(this != &mine, "a worker steals from another worker's queue");
    // Copy, then claim, a chunk at a time. One claim for all of it would lose against an owner that pops while thousands are copied;
    // claiming before copying would make the owner wait for, or grow around, a thief that lost its core.
    std::array<T*, kStealChunk> copied;
    std::size_t chunk = kStealChunk;
    std::size_t goal = 0;
    std::size_t taken = 0;
    for (;;) {
      base::explore_point("steal");
      // acquire, head_ before tail_: who moved head_ here had seen a tail_ at least as large and released it with its CAS, so the
      // difference is never negative.
      std::uint64_t head = head_.load(std::memory_order_acquire);
      base::explore_point("steal: tail");
      // acquire pairs with the release in append(): slots, ring_ and what the items point to are as they were when it was stored.
      const std::uint64_t tail = tail_.load(std::memory_order_acquire);
      const std::size_t half = static_cast<std::size_t>((tail - head + 1) / 2);
      if (taken == 0) goal = half;  // Final once a CAS confirms `head`; a stale one may make it too large.
      const std::size_t to_run = taken == 0 ? 1 : 0;
      std::size_t count = std::min({chunk, half, goal - taken});
      if (count > to_run) count = std::min(count, to_run + mine.reserve(count - to_run));
      if (count == 0) return taken;
      base::explore_point("steal: ring");
      // acquire pairs with the release in grow(): the copies in a newer ring are complete. If that ring was filled from a position
      // past `head`, or the slots have new tenants (R3), head_ has moved and the CAS fails.
      const Ring* ring = ring_.load(std::memory_order_acquire);
      for (std::size_t i = 0; i < count; ++i) copied[i] = ring->slot(head + i).load(std::memory_order_relaxed);
      base::explore_point("steal: claim");
      // release: our slot reads come before any new tenant that the owner writes after reading this head_ (R3), and later readers of
      // head_ see a tail_ not behind it. Nothing is learned from the old value, so no acquire.
      if (head_.compare_exchange_strong(head, head + count, std::memory_order_release, std::memory_order_relaxed)) {
        if (to_run != 0) *first = copied[0];
        mine.append(copied.data() + to_run, count - to_run);
        taken += count;
        chunk = std::min(chunk * 2, kStealChunk);
      } else if (chunk > 1) {
        chunk /= 2;  // A shorter copy is likelier to win.
      } else if (taken != 0) {
        return taken;
      }
    }
  }

  /// Anyone. Whether a thief would find nothing now; what overflowed (R5) does not count, since nobody but the owner can take it.
  /// As the last look before sleeping it belongs after a sequentially consistent fence (IdleSet): the loads themselves are weak.
  [[nodiscard]] bool empty() const noexcept { return stealable() == 0; }

  /// Anyone. How many are queued, overflow included; exact for the owner while nobody steals, otherwise a recent figure.
  [[nodiscard]] std::size_t size() const noexcept { return stealable() + overflow_size_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kStealChunk = 32;

  /// Capacity (a power of two) and link, followed in the same block by the slots.
  struct Ring {
    std::uint64_t mask;
    Ring* previous;

    static Ring* create(std::size_t capacity, Ring* previous) noexcept {
      static_assert(alignof(std::atomic<T*>) <= alignof(Ring) && sizeof(Ring) % alignof(std::atomic<T*>) == 0);
      void* memory = allocate_queue_memory(sizeof(Ring) + capacity * sizeof(std::atomic<T*>));
      if (memory == nullptr) return nullptr;
      Ring* ring = ::new (memory) Ring{capacity - 1, previous};
      // Every slot starts an atomic's life: a thief with an outdated head_ may read one that was never used.
      for (std::size_t i = 0; i < capacity; ++i) ::new (static_cast<void*>(&ring->slot(i))) std::atomic<T*>(nullptr);
      return ring;
    }
    static void destroy(Ring* ring) noexcept { free_queue_memory(ring); }

    [[nodiscard]] std::size_t capacity() const noexcept { return static_cast<std::size_t>(mask) + 1; }
    [[nodiscard]] std::atomic<T*>& slot(std::uint64_t position) noexcept {
      return reinterpret_cast<std::atomic<T*>*>(this + 1)[position & mask];
    }
    [[nodiscard]] const std::atomic<T*>& slot(std::uint64_t position) const noexcept {
      return reinterpret_cast<const std::atomic<T*>*>(this + 1)[position & mask];
    }
  };

  [[nodiscard]] std::size_t stealable() const noexcept {
    // acquire, head_ before tail_: as in steal_half_into(), never negative.
    const std::uint64_t head = head_.load(std::memory_order_acquire);
    return static_cast<std::size_t>(tail_.load(std::memory_order_acquire) - head);
  }

  /// Owner. Room for as many of `wanted` more items as can be had, by growing if need be. None while items wait in the overflow
  /// chain: they are older.
  [[nodiscard]] std::size_t reserve(std::size_t wanted) noexcept {
    if (overflow_first_ != nullptr) return 0;
    return room_for(wanted);
  }

  [[nodiscard]] std::size_t room_for(std::size_t wanted) noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);  // Relaxed: the owner's own store.
    const std::size_t capacity = ring_.load(std::memory_order_relaxed)->capacity();
    std::size_t used = static_cast<std::size_t>(tail - head_seen_);
    if (capacity - used >= wanted) [[likely]]
      return wanted;
    // acquire pairs with the release of every CAS of head_: those thieves have read the slots that we now write again (R3).
    base::explore_point("grow: head");
    head_seen_ = head_.load(std::memory_order_acquire);
    used = static_cast<std::size_t>(tail - head_seen_);
    if (capacity - used >= wanted || grow(used + wanted)) return wanted;
    return capacity - used;
  }

  /// Owner. A ring for at least `needed` items takes over; false when there is no memory for it.
  [[nodiscard]] bool grow(std::size_t needed) noexcept {
    Ring* old_ring = ring_.load(std::memory_order_relaxed);
    Ring* new_ring = Ring::create(std::bit_ceil(std::max(needed, old_ring->capacity() * 2)), old_ring);
    if (new_ring == nullptr) return false;
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    for (std::uint64_t position = head_seen_; position != tail; ++position) {
      new_ring->slot(position).store(old_ring->slot(position).load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    base::explore_point("grow: ring");
    // release pairs with the acquire in steal_half_into(): a thief that uses the new ring finds it filled. The next release of tail_
    // comes later, so a thief that sees a position only the new ring has also sees the new ring.
    ring_.store(new_ring, std::memory_order_release);
    return true;
  }

  /// Owner, after reserve(): appends `count` items and shows them all at once.
  void append(T* const* items, std::size_t count) noexcept {
    if (count == 0) return;
    Ring* ring = ring_.load(std::memory_order_relaxed);
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < count; ++i) ring->slot(tail + i).store(items[i], std::memory_order_relaxed);
    base::explore_point("append");
    // release pairs with the acquire loads of tail_: a thief that sees the position sees the slot and the item behind it.
    tail_.store(tail + count, std::memory_order_release);
  }

  /// Owner. The oldest item in the ring, or null.
  [[nodiscard]] T* take_oldest() noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    const Ring* ring = ring_.load(std::memory_order_relaxed);
    base::explore_point("pop");
    std::uint64_t head = head_.load(std::memory_order_relaxed);  // Relaxed: the CAS below tells whether it is outdated.
    while (head != tail) {
      T* item = ring->slot(head).load(std::memory_order_relaxed);  // Written by this thread.
      base::explore_point("pop: claim");
      if (base::planted("run queue: pop without a claim")) {
        head_.store(head + 1, std::memory_order_release);
        return item;
      }
      // release: whoever reads this head_ sees a tail_ not behind it. Failure: only the number matters, the slots are our own.
      if (head_.compare_exchange_weak(head, head + 1, std::memory_order_release, std::memory_order_relaxed)) return item;
    }
    return nullptr;
  }

  [[gnu::noinline]] void push_slowly(T* item) noexcept {
    if (overflow_first_ == nullptr && reserve(1) != 0) {
      append(&item, 1);
    } else {
      push_overflow(item);
    }
  }

  void push_overflow(T* item) noexcept {
    item->run_next = nullptr;
    if (overflow_first_ == nullptr) {
      overflow_first_ = item;
    } else {
      overflow_last_->run_next = item;
    }
    overflow_last_ = item;
    overflow_size_.store(overflow_size_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    drain_overflow();  // Memory may be back, and thieves may have made room.
  }

  /// Owner. Moves what fits from the chain into the ring, oldest first.
  void drain_overflow() noexcept {
    std::size_t left = overflow_size_.load(std::memory_order_relaxed);
    for (std::size_t room = room_for(left); room != 0 && overflow_first_ != nullptr; --room, --left) {
      T* item = overflow_first_;
      overflow_first_ = item->run_next;  // Read before append(): from then on the item may run elsewhere and be queued again.
      append(&item, 1);
    }
    overflow_size_.store(left, std::memory_order_relaxed);
  }

  alignas(base::kCacheLine) std::atomic<std::uint64_t> head_{0};
  // What the owner writes; apart from head_, which thieves write.
  alignas(base::kCacheLine) std::atomic<std::uint64_t> tail_{0};
  std::atomic<Ring*> ring_{nullptr};
  std::uint64_t head_seen_ = 0;
  T* overflow_first_ = nullptr;
  T* overflow_last_ = nullptr;
  std::atomic<std::size_t> overflow_size_{0};
};

/// Room for the one process that its owner, a worker, runs next; another thread may take it away when the worker does not get to it.
///
/// L1  What was put in is handed out once: to exchange(), take() or steal(), whichever swaps it out.
///
/// item_  the owner puts in; anyone takes out, by exchange only
template <class T>
class LifoSlot {
 public:
  /// Owner. Puts `item` in and returns what it displaces, or null.
  [[nodiscard]] T* exchange(T* item) noexcept {
    base::explore_point("last-in slot: put");
    // release pairs with the acquire in steal(): the thief sees the item as its owner left it. What comes out was put in by this
    // thread, so no acquire.
    return item_.exchange(item, std::memory_order_release);
  }

  /// Owner. Empties the slot.
  [[nodiscard]] T* take() noexcept {
    base::explore_point("last-in slot: take");
    // Relaxed throughout: what is in here was put in by this thread. The load spares an empty slot the locked operation; it cannot
    // miss an item, since nobody else puts one in.
    if (item_.load(std::memory_order_relaxed) == nullptr) return nullptr;
    return item_.exchange(nullptr, std::memory_order_relaxed);
  }

  /// Anyone. Empties the slot.
  [[nodiscard]] T* steal() noexcept {
    base::explore_point("last-in slot: steal");
    if (item_.load(std::memory_order_relaxed) == nullptr) return nullptr;  // Read only: no line transfer for an empty slot.
    // acquire pairs with the release in exchange(); weaker, the thief could run a half-written process.
    return item_.exchange(nullptr, std::memory_order_acquire);
  }

  /// Anyone.
  [[nodiscard]] bool empty() const noexcept { return item_.load(std::memory_order_relaxed) == nullptr; }

 private:
  alignas(base::kCacheLine) std::atomic<T*> item_{nullptr};
};

}  // namespace weft::scheduler
