// Registered names: from text to a process. Looked up without a lock, changed under one of a few.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <weft/pid.hpp>

#include "mailbox/base/cache_line.hpp"
#include "mailbox/base/spin_lock.hpp"
#include "registry/name_text.hpp"
#include "registry/relation.hpp"

namespace weft::inline v0::registry {

/// A name of a process, or a node that is free. Its text follows it in memory, as whole words. As a hook it is on the list of its
/// process, guarded by that process's lock, or on a shard's list of free nodes, guarded by the shard's.
struct Name : Hook {
  std::atomic<std::uint64_t> sequence{0};  // odd: registered (N2)
  std::atomic<std::uint64_t> pid{0};
  std::atomic<std::uint16_t> length{0};
  std::uint8_t size_class = 0;  // constant
  std::uint32_t hash = 0;       // guarded as the hook is

  [[nodiscard]] std::atomic<std::uint64_t>* words() noexcept { return reinterpret_cast<std::atomic<std::uint64_t>*>(this + 1); }
  [[nodiscard]] const std::atomic<std::uint64_t>* words() const noexcept {
    return reinterpret_cast<const std::atomic<std::uint64_t>*>(this + 1);
  }
  /// For who holds the lock of the process that has the name. Throws std::bad_alloc.
  [[nodiscard]] std::string text() const;
};

/// Name to process. Says nothing of liveness: the runtime adds a name only under the process's lock, while it lives, and removes all
/// of a process's names before its death is told (NAM-3).
///
/// The table is split into shards by hash. A shard is an array of slots with linear probing: a name stands at its hash's home or behind
/// it, with no empty slot between. Removal fills the gap with a later entry, so there are no marks of what was removed, and an array is
/// replaced only by one of twice its size.
///
/// N1  A node is of the table for ever: free nodes wait in their shard for the next name of their size class, and an array that was
///     outgrown stays as it was. A late look is always at a node and at an array. So a shard never holds more nodes of a size than the
///     most that were registered at a time and one chunk, and the outgrown arrays together are smaller than the one in use.
/// N2  `sequence` counts a node's registrations and removals. It is made even before, and odd after, the node is written; a reader that
///     sees the same odd number before and after it compared the text and took the pid has seen one name's, which was registered then.
///     So a hit is sound however the reader came to the node. An addition counts last, when the name has its slot, and a removal first:
///     the count is the moment of both.
/// N3  A name that stays registered is met by every walk from its home during which `moves` stays the same even number: additions fill
///     empty slots and move nothing. `moves` is odd while entries move. So a miss is believed only if `moves` was even and did not
///     change; after some tries the reader looks again under the shard's lock.
/// N4  A name is added and removed under the lock of its process and then that of its shard. Whoever holds the first may therefore read
///     and follow the process's list, and knows that its nodes are registered.
///
/// moves, slots      written under the shard's lock; read by anybody
/// a node's sequence, pid, length, text, a slot     the same
/// the rest of a shard     under its lock
class Names {
 public:
  static constexpr std::size_t kLongest = 255;

  /// What a look at a name found: good for remove() for as long as nobody else removed it.
  struct Entry {
    Name* name = nullptr;
    std::uint64_t sequence = 0;
    Pid pid;
    std::uint32_t hash = 0;
    explicit operator bool() const noexcept { return name != nullptr; }
  };
  enum class Added : std::uint8_t { yes, taken, no_room };

  /// With a key of its own, drawn at random.
  Names();
  explicit Names(const HashKey& key) noexcept : key_(key) {}
  ~Names();
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  /// Takes no lock and no locked operation, but for a miss while other names of the shard are removed again and again.
  [[nodiscard]] std::optional<Pid> find(std::string_view name) const noexcept;
  [[nodiscard]] Entry entry(std::string_view name) const noexcept;

  /// `taken` when somebody has the name (NAM-1). `no_room`: nothing was done; call make_room(), without locks, and try again. By who
  /// holds the lock of `mine`, the list of the names of `pid`. Needs 1 to kLongest bytes.
  [[nodiscard]] Added add(std::string_view name, Pid pid, HookList& mine) noexcept;
  /// Gets memory for a name like this one. Throws std::bad_alloc, and then nothing changed.
  void make_room(std::string_view name);
  /// Removes the name if it still is what was found (NAM-6). By who holds the lock of `mine`, the list of `entry.pid`.
  bool remove(const Entry& entry, HookList& mine) noexcept;
  /// Removes the first name of `mine`, which has one. By who holds the lock of `mine`.
  void remove_front(HookList& mine) noexcept;

  [[nodiscard]] std::size_t size() const noexcept;

 private:
  struct Slot {
    std::atomic<std::uint32_t> hash{0};  // of the name there, so that a walk touches no other node and growth none
    std::atomic<Name*> name{nullptr};    // null: empty
  };
  struct Slots;
  struct Chunk;
  struct NoSlots;
  static constexpr unsigned kShardBits = 4;
  static constexpr std::size_t kSizeClasses = 3;

  struct alignas(base::kCacheLine) Shard {
    // What readers read: one line.
    std::atomic<std::uint64_t> moves{0};
    std::atomic<Slots*> slots;
    // What writers write.
    alignas(base::kCacheLine) mutable base::SpinLock lock;
    std::atomic<std::size_t> size{0};  // written under the lock
    std::array<Hook*, kSizeClasses> free{};
    Chunk* chunks = nullptr;

    Shard() noexcept;
  };

  // `take(entry)` makes what the caller wants to know of the entry; nothing found makes one of its values with none.
  template <class Take>
  [[nodiscard]] static auto walk(const Slots& slots, std::string_view name, std::uint32_t hash, Take take) noexcept;
  template <class Take>
  [[nodiscard]] auto look(std::string_view name, Take take) const noexcept;
  template <class Take>
  [[nodiscard]] static auto look_among_moves(const Shard& shard, std::string_view name, std::uint32_t hash, Take take) noexcept;
  [[nodiscard]] static bool is_full(const Shard& shard) noexcept;
  static void move_to(Shard& shard, Slots& larger) noexcept;
  static void take_out(Shard& shard, Name& name, std::uint32_t hash, HookList& mine) noexcept;
  static void free_up(Shard& shard, std::size_t at) noexcept;
  [[nodiscard]] Shard& shard_of(std::uint32_t hash) noexcept { return shards_[hash % shards_.size()]; }
  [[nodiscard]] const Shard& shard_of(std::uint32_t hash) const noexcept { return shards_[hash % shards_.size()]; }

  const HashKey key_;
  std::array<Shard, std::size_t{1} << kShardBits> shards_;
};

}  // namespace weft::registry
