#include "scheduler/timer_wheel.hpp"

#include <algorithm>
#include <bit>
#include <mutex>

#include "mailbox/base/assert.hpp"

namespace weft::inline v0::scheduler {
namespace {

std::uint64_t tick_of(std::int64_t ns) noexcept { return static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)); }

TimerNode& node_of(TimerLink& link) noexcept { return reinterpret_cast<TimerNode&>(link); }

}  // namespace

TimerWheel::TimerWheel(std::int64_t now_ns) noexcept : time_(tick_of(now_ns)) {
  for (auto& level : slots_) {
    for (Slot& slot : level) slot.ring = {&slot.ring, &slot.ring};
  }
}

bool TimerWheel::add(TimerNode& node, std::int64_t deadline_ns) noexcept {
  const std::lock_guard guard(lock_);
  WEFT_ASSERT(!node.is_linked(), "a timer is in one wheel at a time");
  node.deadline_ns = deadline_ns;
  place(node);
  add_to_size(1);
  if (deadline_ns >= next_deadline_.load(std::memory_order_relaxed)) return false;
  next_deadline_.store(deadline_ns, std::memory_order_relaxed);
  return true;
}

bool TimerWheel::cancel(TimerNode& node) noexcept {
  const std::lock_guard guard(lock_);
  if (!node.is_linked()) return false;
  unlink(node);
  add_to_size(static_cast<std::size_t>(-1));
  if (size() == 0) next_deadline_.store(kNever, std::memory_order_relaxed);
  return true;
}

std::size_t TimerWheel::collect(std::int64_t now_ns, TimerNode** out, std::size_t max) noexcept {
  Batch batch{out, max, 0};
  for (unsigned hold = 0; hold < kHoldsPerCall; ++hold) {
    if (collect_one_hold(tick_of(now_ns), batch) == Hold::drained || batch.count == max) break;
  }
  return batch.count;
}

TimerWheel::Hold TimerWheel::collect_one_hold(std::uint64_t now, Batch& batch) noexcept {
  const std::lock_guard guard(lock_);
  const std::size_t collected_before = batch.count;
  unsigned moves = 0;
  Hold result = Hold::drained;
  for (;;) {
    // The slot being cascaded overlaps all lower levels in time, so it comes first (W2).
    if ((cascading_ != 0 && !cascade(moves)) || (time_ <= now && !take_current(batch, moves))) {
      result = Hold::more_due;
      break;
    }
    if (time_ >= now) break;
    advance_to(std::min(earliest_tick(), now));
  }
  add_to_size(collected_before - batch.count);

  std::uint64_t next = result == Hold::more_due ? std::min(time_, now) : earliest_tick();
  if (size() == 0) next = static_cast<std::uint64_t>(kNever);
  next_deadline_.store(static_cast<std::int64_t>(next), std::memory_order_relaxed);
  return result;
}

/// Moves the nodes of the slot that `time_` entered to lower levels. False: kMovesPerHold was reached.
bool TimerWheel::cascade(unsigned& moves) noexcept {
  Slot& slot = current_slot(cascading_);
  while (slot.ring.next != &slot.ring) {
    if (moves == kMovesPerHold) return false;
    ++moves;
    // From both ends in turn: two chains of cache misses overlap, where a walk along one waits for each. With 100,000 timers spread over
    // one second this took a third off the time of a cascade. A few nodes keep their order, though nobody may rely on it.
    TimerNode& node = node_of(moves > kKeptInOrder && moves % 2 == 0 ? *slot.ring.prev : *slot.ring.next);
    unlink(node);
    place(node);
  }
  cascading_ = 0;
  return true;
}

/// Hands out the nodes whose tick is `time_`. False: some are left.
bool TimerWheel::take_current(Batch& batch, unsigned& moves) noexcept {
  Slot& slot = current_slot(0);
  while (slot.ring.next != &slot.ring) {
    if (moves == kMovesPerHold || batch.count == batch.max) return false;
    ++moves;
    TimerNode& node = node_of(*slot.ring.next);
    unlink(node);
    batch.out[batch.count++] = &node;
  }
  return true;
}

/// A lower bound of all ticks; no slot starts below it except the current one. The maximum of a tick when there is no node.
std::uint64_t TimerWheel::earliest_tick() const noexcept {
  for (unsigned level = 0; level < kLevels; ++level) {
    if (occupied_[level] != 0) return slots_[level][static_cast<unsigned>(std::countr_zero(occupied_[level]))].earliest;
  }
  return static_cast<std::uint64_t>(kNever);
}

/// Sets the clock forward. No node has a tick below `tick`, and no slot is being cascaded. At most one slot that holds nodes is entered:
/// below the highest digit that changes all levels are empty, since their nodes came before.
void TimerWheel::advance_to(std::uint64_t tick) noexcept {
  const unsigned level = (63U - static_cast<unsigned>(std::countl_zero((tick ^ time_) | 1))) / kSlotBits;
  time_ = tick;
  if (level != 0 && current_slot(level).ring.next != &current_slot(level).ring) cascading_ = level;
}

TimerWheel::Slot& TimerWheel::current_slot(unsigned level) noexcept { return slots_[level][(time_ >> (level * kSlotBits)) % kSlots]; }

void TimerWheel::place(TimerNode& node) noexcept {
  const std::uint64_t tick = std::max(tick_of(node.deadline_ns), time_);
  const unsigned level = (63U - static_cast<unsigned>(std::countl_zero((tick ^ time_) | 1))) / kSlotBits;
  const auto index = static_cast<unsigned>((tick >> (level * kSlotBits)) % kSlots);
  Slot& slot = slots_[level][index];
  const std::uint64_t bit = std::uint64_t{1} << index;
  slot.earliest = (occupied_[level] & bit) != 0 ? std::min(slot.earliest, tick) : tick;
  occupied_[level] |= bit;
  node.level = static_cast<std::uint8_t>(level);
  node.slot = static_cast<std::uint8_t>(index);
  TimerLink* const last = slot.ring.prev;
  node.link = {&slot.ring, last};
  last->next = &node.link;
  slot.ring.prev = &node.link;
}

void TimerWheel::unlink(TimerNode& node) noexcept {
  TimerLink* const next = node.link.next;
  TimerLink* const prev = node.link.prev;
  prev->next = next;
  next->prev = prev;
  node.link = {};
  // Both neighbours are the same only when they are the slot itself: the node was its last.
  if (next == prev) occupied_[node.level] &= ~(std::uint64_t{1} << node.slot);
}

void TimerWheel::add_to_size(std::size_t change) noexcept {
  size_.store(size_.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
}

}  // namespace weft::scheduler
