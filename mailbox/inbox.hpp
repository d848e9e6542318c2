// The shared half of a mailbox: one word that is queue head and sleep state at once.
#pragma once

#include <atomic>
#include <cstdint>

#include <weft/message.hpp>
#include "mailbox/base/explore.hpp"

namespace weft::inline v0::mailbox {

using detail::Envelope;
using detail::EnvelopeKind;

/// Turns a chain that is linked from the newest to the oldest around, in front of what is younger; returns the oldest.
inline Envelope* reverse_in_front_of(Envelope* younger, Envelope* newest) noexcept {
  while (newest != nullptr) {
    Envelope* const older = newest->next;
    newest->next = younger;
    younger = newest;
    newest = older;
  }
  return younger;
}

/// Lock-free inbox of one process. Many threads push, one owner takes; the word also says whether the owner sleeps.
///
/// I1  The word is kEmpty (owner awake, nothing queued), kParked (owner asleep, nothing queued), kClosed (no owner), or the newest
///     node, whose `next` chain ends at the oldest. Pushes are linearised by their compare-and-swap: one total order for messages and
///     kicks from all senders, so ORD-1 holds also for a sender that was stolen between two pushes.
/// I2  Whoever replaces kParked, and nobody else, must make the owner runnable. The owner is on no run queue then.
/// I3  A node belongs to its pusher until the compare-and-swap succeeds. Nobody ever reads through the word but the owner, and the
///     owner takes the whole list at once: there is no ABA.
/// I4  kParked is published only after the owner's stack was left (try_park is called by whoever runs next).
/// I5  An inbox is type-stable memory: a late push may meet the word of a successor in the slot. Each node is stamped with the
///     generation it is meant for, and the owner drops foreign stamps.
///
/// The upper 16 bits count the messages of the list, saturating: mailbox depth for observers at no cost to senders.
/// Modelled in tests/models/mailbox.pml.
class Inbox {
 public:
  enum class Push : std::uint8_t { queued, woke, closed };

  /// Adds `message`. `woke`: the caller must make the owner runnable (I2). `closed`: the node still belongs to the caller.
  [[nodiscard]] Push push(Envelope& message) noexcept { return push_node(message, kCountOne); }
  /// The same for a kick, which is no message and counts as none.
  [[nodiscard]] Push push_kick(Envelope& kick) noexcept { return push_node(kick, 0); }

  /// Owner: everything pushed so far, oldest first, linked by `next`; null when there is nothing.
  [[nodiscard]] Envelope* take_all() noexcept {
    base::explore_point("take all");
    // A relaxed look costs no locked operation; what it misses arrived later than this call, or try_park() will see it.
    if (word_.load(std::memory_order_relaxed) == kEmpty) return nullptr;
    base::explore_point("take all: exchange");
    // acquire pairs with the release in push(); release: an observer that sees the empty word sees that its messages are being sorted.
    const std::uint64_t seen = word_.exchange(kEmpty, std::memory_order_acq_rel);
    return reversed(seen);
  }

  /// Owner, when has_mail(): everything pushed so far, linked from the newest to the oldest, and how many messages they are.
  struct Taken {
    Envelope* newest;
    std::size_t count;  // kMany: that many, or more
  };
  static constexpr std::size_t kMany = 0xFFFF;
  [[nodiscard]] Taken take_newest_first() noexcept {
    base::explore_point("take newest first");
    const std::uint64_t seen = word_.exchange(kEmpty, std::memory_order_acq_rel);  // As in take_all().
    return {pointer(seen), static_cast<std::size_t>(seen >> kCountShift)};
  }

  /// On behalf of an owner that may sleep, or go to sleep, meanwhile: as take_all(), but a sleeping owner stays asleep.
  [[nodiscard]] Envelope* take_all_for_owner() noexcept {
    base::explore_point("take all for owner");
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    while (seen > kClosed) {
      base::explore_point("take all for owner: exchange");
      // acquire pairs with the release in push().
      if (word_.compare_exchange_weak(seen, kEmpty, std::memory_order_acquire, std::memory_order_relaxed)) return reversed(seen);
    }
    return nullptr;
  }

  /// Owner: true when a push arrived since the last take. A hint.
  [[nodiscard]] bool has_mail() const noexcept { return word_.load(std::memory_order_relaxed) > kClosed; }

  /// On behalf of the owner, whose stack was left (I4): true when it now sleeps; false when something arrived, so that it is runnable.
  [[nodiscard]] bool try_park() noexcept {
    base::explore_point("park process");
    if (base::planted("inbox: park by look and store")) return park_by_look_and_store();
    std::uint64_t expected = kEmpty;
    // release publishes the owner's saved registers to the waker that replaces kParked.
    return word_.compare_exchange_strong(expected, kParked, std::memory_order_acq_rel, std::memory_order_relaxed);
  }

  /// The slot gets an owner, who is awake. Everything the owner's fields hold is published to senders by this store.
  void open() noexcept {
    base::explore_point("open");
    word_.store(kEmpty, std::memory_order_release);
  }

  /// The owner is gone: what was queued, oldest first. Later pushes answer `closed`.
  [[nodiscard]] Envelope* close() noexcept {
    base::explore_point("close");
    return reversed(word_.exchange(kClosed, std::memory_order_acq_rel));
  }

  /// acquire pairs with the release in try_park(): what the owner saved before is visible.
  [[nodiscard]] bool is_parked() const noexcept { return word_.load(std::memory_order_acquire) == kParked; }
  [[nodiscard]] std::size_t count() const noexcept {
    return static_cast<std::size_t>(word_.load(std::memory_order_acquire) >> kCountShift);
  }

 private:
  static constexpr std::uint64_t kEmpty = 0, kParked = 1, kClosed = 2;
  static constexpr int kCountShift = 48;
  static constexpr std::uint64_t kCountOne = std::uint64_t{1} << kCountShift;
  static constexpr std::uint64_t kCountMask = ~(kCountOne - 1);
  static_assert(kCountMask >> kCountShift == kMany);

  [[gnu::always_inline]] Push push_node(Envelope& node, std::uint64_t weight) noexcept {
    // acquire, here and where the exchange fails, pairs with close(): who is told `closed` may destroy the node, which may be a record
    // that the owner read before it closed.
    base::explore_point("push");
    std::uint64_t seen = word_.load(std::memory_order_acquire);
    for (;;) {
      if (seen == kClosed) return Push::closed;
      node.next = seen > kClosed ? pointer(seen) : nullptr;
      const std::uint64_t count = seen & kCountMask;
      const std::uint64_t grown = count == kCountMask ? count : count + weight;
      const std::uint64_t mine = reinterpret_cast<std::uintptr_t>(&node) | grown;
      base::explore_point("push: exchange");
      // release publishes the node to who takes it; acquire, when kParked is replaced, sees the registers that the owner's successor
      // saved before try_park(), so that the waker may hand the owner to another thread.
      if (word_.compare_exchange_weak(seen, mine, std::memory_order_acq_rel, std::memory_order_acquire)) {
        return seen == kParked ? Push::woke : Push::queued;
      }
    }
  }

  /// A planted fault: what comes between the look and the store is lost.
  bool park_by_look_and_store() noexcept {
    if (word_.load(std::memory_order_relaxed) != kEmpty) return false;
    base::explore_point("park process: store");
    word_.store(kParked, std::memory_order_release);
    return true;
  }

  static Envelope* pointer(std::uint64_t word) noexcept {
    return reinterpret_cast<Envelope*>(static_cast<std::uintptr_t>(word & ~kCountMask));
  }
  static Envelope* reversed(std::uint64_t word) noexcept {
    return (word & ~kCountMask) > kClosed ? reverse_in_front_of(nullptr, pointer(word)) : nullptr;
  }

  std::atomic<std::uint64_t> word_{kClosed};
};
static_assert(sizeof(Inbox) == 8, "a mailbox is one word");

}  // namespace weft::mailbox
