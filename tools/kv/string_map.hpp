// A hash table from strings to values, looked up by string_view.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/kv/hash.hpp"

namespace kv {

/// Open addressing, linear probing. A slot holds the hash and a pointer: a search reads one cache line of slots and one node, growing
/// moves slots only, and nodes keep their addresses. Erasing shifts the slots behind it back, so that no tombstones gather.
///
/// T1  The size of slots_ is a power of two or 0, and at least a quarter of it is free: each search ends at an empty slot.
/// T2  Every slot between the place where a node belongs (its hash masked) and the slot where it is, is taken.
///
/// One thread at a time.
template <class V>
class StringMap {
 public:
  struct Node {
    std::string key;
    V value{};
  };

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

  /// The node of `key`, or null. It stays where it is until its key is erased.
  [[nodiscard]] Node* find(std::string_view key) const noexcept {
    if (slots_.empty()) return nullptr;
    return slots_[locate(key, hash_key(key))].node.get();
  }

  /// The node of `key`, made with an empty value if there was none; true if it was made.
  std::pair<Node*, bool> find_or_insert(std::string_view key) {
    if (4 * (size_ + 1) > 3 * slots_.size()) rehash(slots_.empty() ? kSmallest : 2 * slots_.size());
    const std::uint64_t hash = hash_key(key);
    Slot& slot = slots_[locate(key, hash)];
    if (slot.node != nullptr) return {slot.node.get(), false};
    slot.node = std::make_unique<Node>(Node{std::string(key), V{}});
    slot.hash = hash;
    ++size_;
    return {slot.node.get(), true};
  }

  /// `key` may be the one in the node.
  bool erase(std::string_view key) {
    if (slots_.empty()) return false;
    std::size_t hole = locate(key, hash_key(key));
    if (slots_[hole].node == nullptr) return false;
    slots_[hole].node.reset();
    --size_;
    for (std::size_t next = after(hole); slots_[next].node != nullptr; next = after(next)) {
      // A node may move to the hole only if the hole is not before the place where the node belongs (T2).
      const std::size_t distance_now = (next - slots_[next].hash) & mask();
      const std::size_t distance_to_hole = (next - hole) & mask();
      if (distance_now < distance_to_hole) continue;
      slots_[hole] = std::move(slots_[next]);
      hole = next;
    }
    if (slots_.size() > kSmallest && 8 * size_ < slots_.size()) rehash(slots_.size() / 2);
    return true;
  }

  void clear() noexcept {
    std::vector<Slot>().swap(slots_);
    size_ = 0;
  }

  /// Calls f(node) for each node, in no particular order. f must not change the table.
  template <class F>
  void for_each(F&& f) const {
    for (const Slot& slot : slots_) {
      if (slot.node != nullptr) f(*slot.node);
    }
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::unique_ptr<Node> node;
  };
  static constexpr std::size_t kSmallest = 8;

  [[nodiscard]] std::size_t mask() const noexcept { return slots_.size() - 1; }
  [[nodiscard]] std::size_t after(std::size_t index) const noexcept { return (index + 1) & mask(); }

  /// The slot of `key`, or the empty one where it would go.
  [[nodiscard]] std::size_t locate(std::string_view key, std::uint64_t hash) const noexcept {
    std::size_t index = hash & mask();
    while (slots_[index].node != nullptr && (slots_[index].hash != hash || slots_[index].node->key != key)) index = after(index);
    return index;
  }

  void rehash(std::size_t slots) {
    std::vector<Slot> old(slots);
    old.swap(slots_);
    for (Slot& slot : old) {
      if (slot.node == nullptr) continue;
      std::size_t index = slot.hash & mask();
      while (slots_[index].node != nullptr) index = after(index);
      slots_[index] = std::move(slot);
    }
  }

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace kv
