// A table of type-stable slots: flat, addressed by index, its memory never given to another type.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>

#include "mailbox/base/assert.hpp"
#include "mailbox/base/cache_line.hpp"
#include "mailbox/base/spin_lock.hpp"

namespace weft::inline v0::registry {

/// Slots of type T, each made once and destroyed with the table. T has `std::uint32_t slot_index` and `T* next_free`, both the table's
/// while a slot is free.
///
/// T1  A slot below `committed()` stays readable until the table ends, whoever rents it: a late look-up meets a live object, if a
///     foreign one, and tells by the generation.
/// T2  A slot is rented to one tenant at a time; rent() and give_back() are ordered by the lock, or by the cache's single owner.
template <class T>
class SlotTable {
 public:
  static constexpr std::size_t kBatch = 64;

  /// Reserves addresses for `capacity` slots; memory is committed as slots are first rented. Throws std::bad_alloc.
  explicit SlotTable(std::size_t capacity) : capacity_(capacity) {
    const std::size_t bytes = round_up(capacity * sizeof(T), kCommitBytes);
    void* memory = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    slots_ = static_cast<T*>(memory);
    reserved_bytes_ = bytes;
    // A hint: random look-ups over many slots miss the TLB less. Not for the first part: a small program should stay small.
    if (bytes > kCommitBytes) madvise(static_cast<std::byte*>(memory) + kCommitBytes, bytes - kCommitBytes, MADV_HUGEPAGE);
  }
  ~SlotTable() {
    for (std::size_t i = 0; i < made_; ++i) slots_[i].~T();
    munmap(slots_, reserved_bytes_);
  }
  SlotTable(const SlotTable&) = delete;
  SlotTable& operator=(const SlotTable&) = delete;

  /// The slot at `index`, or null when no slot was ever made there.
  [[nodiscard]] T* find(std::size_t index) const noexcept {
    // acquire pairs with the release in make_batch(): the constructed slot is visible.
    return index < committed_.load(std::memory_order_acquire) ? slots_ + index : nullptr;
  }
  [[nodiscard]] std::size_t committed() const noexcept { return committed_.load(std::memory_order_acquire); }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  /// A chain of 1 to kBatch free slots linked by next_free; null when the table is full or memory is exhausted.
  [[nodiscard]] T* take_batch() noexcept {
    const std::lock_guard<base::SpinLock> hold(lock_);
    if (free_ != nullptr) {
      T* chain = free_;
      T* last = chain;
      for (std::size_t i = 1; i < kBatch && last->next_free != nullptr; ++i) last = last->next_free;
      free_ = last->next_free;
      last->next_free = nullptr;
      return chain;
    }
    return make_batch();
  }

  /// Takes back a chain that ends at `last`.
  void give_batch(T* first, T* last) noexcept {
    const std::lock_guard<base::SpinLock> hold(lock_);
    last->next_free = free_;
    free_ = first;
  }

 private:
  static constexpr std::size_t kCommitBytes = std::size_t{2} << 20;
  static constexpr std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

  T* make_batch() noexcept {
    const std::size_t want = std::min(kBatch, capacity_ - made_);
    if (want == 0) return nullptr;
    const std::size_t needed = (made_ + want) * sizeof(T);
    if (needed > accessible_bytes_) {
      const std::size_t grown = round_up(needed, kCommitBytes);
      if (mprotect(slots_, grown, PROT_READ | PROT_WRITE) != 0) return nullptr;
      accessible_bytes_ = grown;
    }
    T* chain = nullptr;
    for (std::size_t i = want; i-- > 0;) {
      T* slot = ::new (static_cast<void*>(slots_ + made_ + i)) T;
      slot->slot_index = static_cast<std::uint32_t>(made_ + i);
      slot->next_free = chain;
      chain = slot;
    }
    made_ += want;
    // release publishes the constructed slots to find().
    committed_.store(made_, std::memory_order_release);
    return chain;
  }

  T* slots_ = nullptr;
  std::size_t capacity_;
  std::size_t reserved_bytes_ = 0;
  std::atomic<std::size_t> committed_{0};
  alignas(base::kCacheLine) base::SpinLock lock_;  // guards what follows
  T* free_ = nullptr;
  std::size_t made_ = 0;
  std::size_t accessible_bytes_ = 0;
};

/// One thread's stock of free slots. Touched by its owner only.
template <class T>
class SlotCache {
 public:
  explicit SlotCache(SlotTable<T>& table) : table_(table) {}
  ~SlotCache() {
    while (hot_ != nullptr) flush();
  }
  SlotCache(const SlotCache&) = delete;
  SlotCache& operator=(const SlotCache&) = delete;

  [[nodiscard]] T* take() noexcept {
    if (hot_ == nullptr) {
      hot_ = table_.take_batch();
      if (hot_ == nullptr) return nullptr;
      count_ = 0;
      for (T* slot = hot_; slot != nullptr; slot = slot->next_free) ++count_;
    }
    T* slot = hot_;
    hot_ = slot->next_free;
    --count_;
    return slot;
  }
  void give(T* slot) noexcept {
    slot->next_free = hot_;
    hot_ = slot;
    if (++count_ >= 2 * SlotTable<T>::kBatch) flush();
  }

 private:
  // Gives up to a batch of the most recently used back, in one chain.
  void flush() noexcept {
    T* first = hot_;
    T* last = first;
    std::size_t n = 1;
    while (n < SlotTable<T>::kBatch && last->next_free != nullptr) last = last->next_free, ++n;
    hot_ = last->next_free;
    count_ -= n;
    table_.give_batch(first, last);
  }

  SlotTable<T>& table_;
  T* hot_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace weft::registry
