// The private half of a mailbox: what was received and not yet consumed, oldest first.
#pragma once

#include <atomic>
#include <cstddef>

#include <weft/message.hpp>
#include "mailbox/inbox.hpp"

namespace weft::inline v0::mailbox {

using detail::Envelope;

/// A message that needs no judgement on reception: meant for this tenant, and sent by pid.
[[nodiscard]] inline bool is_ordinary(const Envelope& in_flight, std::uint64_t generation) noexcept {
  return in_flight.kind == EnvelopeKind::user && in_flight.alias == 0 && in_flight.stamp == generation;
}

/// What `receive` scans. Touched by its owner only; size() may be read by anybody.
///
/// S1  The `next` links visit the envelopes in order of reception, and `stamp` grows along them (RCV-1). Removal from the middle
///     leaves the order of the others alone (RCV-2).
class SaveQueue {
 public:
  [[nodiscard]] Envelope* front() const noexcept { return head_; }
  [[nodiscard]] Envelope* back() const noexcept { return tail_; }

  void append(Envelope& envelope) noexcept {
    envelope.stamp = next_number();
    envelope.next = nullptr;
    envelope.prev = tail_;
    if (tail_ != nullptr) {
      tail_->next = &envelope;
    } else {
      head_ = &envelope;
    }
    tail_ = &envelope;
    size_.store(size_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  /// What was taken from an inbox, on its way into the queue.
  struct Arrived {
    Envelope* numbered;  // oldest first, linked by `next`: has its number and its place among the arrived
    Envelope* rest;      // newest first, older than what is numbered; if there is any, the inbox was not one of ordinary messages
  };
  /// Numbers what is ordinary, the newest first. One pass, for what the usual case costs: nothing else arrived, and `rest` is null.
  [[nodiscard]] Arrived number_ordinary(Inbox::Taken taken, std::uint64_t generation) noexcept {
    if (taken.count == Inbox::kMany) [[unlikely]]
      return {nullptr, taken.newest};  // How many numbers are needed is not known.
    std::uint64_t number = number_ += taken.count;
    Envelope* younger = nullptr;
    Envelope* at = taken.newest;
    for (;;) {
      if (!is_ordinary(*at, generation)) [[unlikely]]
        return {younger, at};
      Envelope* const older = at->next;
      at->stamp = number--;
      at->next = younger;
      if (older == nullptr) return {at, nullptr};
      at->prev = older;
      younger = at;
      at = older;
    }
  }
  /// Appends a whole inbox of ordinary messages, once numbered.
  void append(Arrived arrived, Inbox::Taken taken) noexcept {
    arrived.numbered->prev = tail_;
    if (tail_ != nullptr) {
      tail_->next = arrived.numbered;
    } else {
      head_ = arrived.numbered;
    }
    tail_ = taken.newest;
    size_.store(size_.load(std::memory_order_relaxed) + static_cast<std::uint32_t>(taken.count), std::memory_order_relaxed);
  }
  /// Undoes number_ordinary(): everything that arrived as it came in flight, oldest first.
  [[nodiscard]] static Envelope* unnumbered(Arrived arrived, std::uint64_t generation) noexcept {
    for (Envelope* at = arrived.numbered; at != nullptr; at = at->next) {
      at->stamp = generation;
      at->alias = 0;
    }
    return reverse_in_front_of(arrived.numbered, arrived.rest);
  }

  void remove(Envelope& envelope) noexcept {
    if (envelope.prev != nullptr) {
      envelope.prev->next = envelope.next;
    } else {
      head_ = envelope.next;
    }
    if (envelope.next != nullptr) {
      envelope.next->prev = envelope.prev;
    } else {
      tail_ = envelope.prev;
    }
    size_.store(size_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  }

  /// One sequence numbers what is received and the references its owner makes, so that a reference is its own receive marker: an
  /// envelope older than the reference has a smaller stamp (RCV-11).
  [[nodiscard]] std::uint64_t next_number() noexcept { return ++number_; }

  /// The oldest envelope younger than `marker`. Costs as many steps as there are such envelopes, whatever lies before them.
  [[nodiscard]] Envelope* first_after(std::uint64_t marker) const noexcept {
    Envelope* found = nullptr;
    for (Envelope* at = tail_; at != nullptr && at->stamp > marker; at = at->prev) found = at;
    return found;
  }

  /// Everything, oldest first, linked by `next`; the queue is empty after.
  [[nodiscard]] Envelope* release() noexcept {
    Envelope* chain = head_;
    head_ = tail_ = nullptr;
    size_.store(0, std::memory_order_relaxed);
    return chain;
  }
  /// For the next owner.
  void reset() noexcept { number_ = 0; }

  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  Envelope* head_ = nullptr;
  Envelope* tail_ = nullptr;
  std::uint64_t number_ = 0;
  std::atomic<std::uint32_t> size_{0};
};

}  // namespace weft::mailbox
