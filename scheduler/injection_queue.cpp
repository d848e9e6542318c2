#include "scheduler/injection_queue.hpp"

#include <concurrentqueue/concurrentqueue.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>

#include "mailbox/base/explore.hpp"
#include "mailbox/base/spin_lock.hpp"
#include "scheduler/queue_memory.hpp"
#include "scheduler/thread_life.hpp"

namespace weft::inline v0::scheduler {
namespace {

constexpr std::size_t kBlocks = 128;
constexpr std::size_t kCapacity = kBlocks * moodycamel::ConcurrentQueueDefaultTraits::BLOCK_SIZE;

struct Traits : moodycamel::ConcurrentQueueDefaultTraits {
  // No rotation by quota: it would add to the rotation by call (J3) and could cancel it for batches as large as the quota.
  static const std::uint32_t EXPLICIT_CONSUMER_CONSUMPTION_QUOTA_BEFORE_ROTATE = std::numeric_limits<std::uint32_t>::max();

  static const std::size_t IMPLICIT_INITIAL_INDEX_SIZE = kBlocks;  // One thread may fill them all; a larger index is never allocated.

  static void* malloc(std::size_t bytes) { return allocate_queue_memory(bytes); }
  static void free(void* memory) { free_queue_memory(memory); }
};

/// An item in one of moodycamel's blocks, read and written atomically: version 1.0.3 counts the emptied slots of a block with release
/// but not acquire (Block::set_many_empty), so to the language a consumer's read of a slot races with the producer that fills the
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

/// queue                    any thread; its blocks are all made here, before any other thread comes, and push() allocates only for a
///                          thread's first. Blocks made later would be read by producers that meet on the free list without having
///                          acquired their making (FreeList::try_get, after its failed compare-and-swap).
/// spill_first, spill_last  whoever holds spill_lock        spill_size  written under the lock, read by anyone
/// turn                     any thread, a relaxed counter
struct InjectionQueue::State {
  explicit State(RunNextLink link_of_items) : link(link_of_items), queue(kCapacity) {}

  const RunNextLink link;
  moodycamel::ConcurrentQueue<Slot, Traits> queue;
  base::SpinLock spill_lock;
  void* spill_first = nullptr;
  void* spill_last = nullptr;
  std::atomic<std::size_t> spill_size{0};
  std::atomic<unsigned> turn{0};

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
    if (max == 0 || spill_size.load(std::memory_order_relaxed) == 0) return 0;
    const std::lock_guard guard(spill_lock);
    std::size_t count = 0;
    while (count < max && spill_first != nullptr) {
      out[count++] = spill_first;
      spill_first = link.get(spill_first);
    }
    spill_size.fetch_sub(count, std::memory_order_relaxed);
    return count;
  }

  std::size_t take_queued(void** out, std::size_t max) noexcept {
    if (max == 0) return 0;
    moodycamel::ConsumerToken next_producer(queue);  // J3: each token made starts one producer further.
    return queue.try_dequeue_bulk(next_producer, out, max);
  }
};

InjectionQueue::InjectionQueue(RunNextLink link) : state_(std::make_unique<State>(link)) {}

InjectionQueue::~InjectionQueue() = default;

// Never inlined, by link-time optimisation either: moodycamel finds the thread's stream by the address of a thread-local, which must
// not be computed before a suspension of the calling process and used after it.
[[gnu::noinline]] void InjectionQueue::push(void* item) noexcept {
  ThreadLife::begin();
  base::explore_point("inject");
  // Relaxed, for the idle protocol's fence orders it against the look for a sleeper, and who takes the item sees it counted: the
  // item is published after it, by moodycamel or by the lock.
  pending_.fetch_add(1, std::memory_order_relaxed);
  base::explore_point("inject: enqueue");
  if (!state_->queue.try_enqueue(Slot(item))) [[unlikely]]
    state_->spill(item);
}

std::size_t InjectionQueue::pop_bulk(void** out, std::size_t max) noexcept {
  if (max == 0 || empty()) return 0;
  base::explore_point("take injected");
  // By turns, so that neither waits for ever behind the other.
  const bool spilled_first = state_->turn.fetch_add(1, std::memory_order_relaxed) % 2 == 0;
  std::size_t count = spilled_first ? state_->take_spilled(out, max) : state_->take_queued(out, max);
  count += spilled_first ? state_->take_queued(out + count, max - count) : state_->take_spilled(out + count, max - count);
  base::explore_point("take injected: count");
  // Relaxed: a late decrement only makes somebody look once more; it cannot come before our taking, which read what the push wrote
  // after its increment, so the count never falls below zero.
  if (count != 0) pending_.fetch_sub(count, std::memory_order_relaxed);
  return count;
}

}  // namespace weft::scheduler
