#include "scheduler/injection_queue.hpp"

#include <concurrentqueue/concurrentqueue.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <mutex>

#include "mailbox/base/spin_lock.hpp"
#include "scheduler/queue_memory.hpp"

namespace weft::scheduler {
namespace {

struct Traits : moodycamel::ConcurrentQueueDefaultTraits {
  // No rotation by quota: it would add to the rotation by call (J3) and could cancel it for batches as large as the quota.
  static const std::uint32_t EXPLICIT_CONSUMER_CONSUMPTION_QUOTA_BEFORE_ROTATE = std::numeric_limits<std::uint32_t>::max();

  static void* malloc(std::size_t bytes) { return allocate_queue_memory(bytes); }
  static void free(void* memory) { free_queue_memory(memory); }
};

/// An item in one of moodycamel's blocks, read and written atomically. The queue counts the emptied slots of a block with release but
/// not acquire (1.0.3, Block::set_many_empty), so to the language a consumer's read of a slot races with the producer that fills the
/// recycled block, although the control dependency on the count keeps them apart on every machine. Relaxed suffices: what the item
/// points to is published by the queue's tail index.
class Slot {
 public:
  explicit Slot(void* item) noexcept { set(item); }
  Slot(Slot&& other) noexcept { set(other); }
  Slot& operator=(Slot&& other) noexcept {
    set(other);
    return *this;
  }
  ~Slot() = default;
  operator void*() noexcept { return std::atomic_ref(item_).load(std::memory_order_relaxed); }

 private:
  void set(void* item) noexcept { std::atomic_ref(item_).store(item, std::memory_order_relaxed); }

  void* item_;  // Without an initialiser, which would be a plain write.
};

}  // namespace

/// spill_first, spill_last  whoever holds spill_lock        spill_size  written under the lock, read by anyone
struct InjectionQueue::State {
  explicit State(RunNextLink link_of_items) : link(link_of_items) {}

  const RunNextLink link;
  moodycamel::ConcurrentQueue<Slot, Traits> queue;
  base::SpinLock spill_lock;
  void* spill_first = nullptr;
  void* spill_last = nullptr;
  std::atomic<std::size_t> spill_size{0};

  void spill(void* item) noexcept {
    const std::lock_guard guard(spill_lock);
    link.set(item, nullptr);
    if (spill_first == nullptr) {
      spill_first = item;
    } else {
      link.set(spill_last, item);
    }
    spill_last = item;
    // Relaxed: read without the lock it is only a hint, and J1's count keeps the reader coming back.
    spill_size.fetch_add(1, std::memory_order_relaxed);
  }

  std::size_t take_spilled(void** out, std::size_t max) noexcept {
    const std::lock_guard guard(spill_lock);
    std::size_t count = 0;
    while (count < max && spill_first != nullptr) {
      out[count++] = spill_first;
      spill_first = link.get(spill_first);
    }
    spill_size.fetch_sub(count, std::memory_order_relaxed);
    return count;
  }
};

InjectionQueue::InjectionQueue(RunNextLink link) : state_(std::make_unique<State>(link)) {}

InjectionQueue::~InjectionQueue() = default;

void InjectionQueue::push(void* item) noexcept {
  // Relaxed, for the idle protocol's fence orders it against the look for a sleeper, and who takes the item sees it counted: the
  // item is published after it, by moodycamel or by the lock.
  pending_.fetch_add(1, std::memory_order_relaxed);
  if (!state_->queue.enqueue(Slot(item))) [[unlikely]] state_->spill(item);
}

std::size_t InjectionQueue::pop_bulk(void** out, std::size_t max) noexcept {
  if (max == 0 || empty()) return 0;
  std::size_t count = 0;
  // The spilled first: behind a queue that is never empty they would wait for ever.
  if (state_->spill_size.load(std::memory_order_relaxed) != 0) [[unlikely]] count = state_->take_spilled(out, max);
  if (count < max) {
    moodycamel::ConsumerToken next_producer(state_->queue);  // J3: each token made starts one producer further.
    count += state_->queue.try_dequeue_bulk(next_producer, out + count, max - count);
  }
  // Relaxed: a late decrement only makes somebody look once more; it cannot come before our taking, which read what the push wrote
  // after its increment, so the count never falls below zero.
  if (count != 0) pending_.fetch_sub(count, std::memory_order_relaxed);
  return count;
}

}  // namespace weft::scheduler
