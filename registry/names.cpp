#include "registry/names.hpp"

#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "mailbox/base/assert.hpp"
#include "mailbox/base/explore.hpp"

namespace weft::inline v0::registry {
namespace {

using Hold = std::lock_guard<base::SpinLock>;

constexpr std::size_t kFirstCapacity = 16;  // slots of a shard's first array
constexpr std::size_t kChunkBytes = 1024;
constexpr int kTries = 4;  // misses that are not believed before a reader takes the lock

// Nodes of one, two and five cache lines. A text is kept as whole words.
constexpr std::array<std::size_t, 3> kNodeBytes{64, 128, 320};
constexpr std::size_t text_bytes(std::size_t size_class) { return kNodeBytes[size_class] - sizeof(Name); }
static_assert(text_bytes(0) == 24 && text_bytes(2) >= Names::kLongest + 1);
constexpr std::size_t size_class_of(std::size_t length) { return length <= text_bytes(0) ? 0 : length <= text_bytes(1) ? 1 : 2; }

HashKey draw_key() noexcept {
  HashKey key{0x243F6A8885A308D3u, 0x13198A2E03707344u};
  if (base::kExplore) return key;  // The same seed gives the same schedule, and which names share a lock is part of it.
  if (getrandom(&key, sizeof key, GRND_NONBLOCK) == sizeof key) return key;
  // No entropy yet, or no such system call: what an outsider does not see either.
  key.first ^= static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) * 0x9E3779B97F4A7C15u;
  key.second ^= reinterpret_cast<std::uintptr_t>(&key) * 0x9E3779B97F4A7C15u;
  return key;
}

// A reader may meet `name` at any time (N2). release: who sees a word of the new text, length or pid sees that `sequence` left its old
// value, too.
void write(Name& name, std::string_view text, Pid pid) noexcept {
  base::explore_point("name: write");
  std::atomic<std::uint64_t>* word = name.words();
  for_each_word(text, [&](std::uint64_t bytes) {
    (word++)->store(bytes, std::memory_order_release);
    return true;
  });
  name.length.store(static_cast<std::uint16_t>(text.size()), std::memory_order_release);
  name.pid.store(pid.id(), std::memory_order_release);
}

// acquire: pairs with write(), so that the look at `sequence` that follows is not older than what was read.
[[gnu::always_inline]] inline bool has_text(const Name& name, std::string_view text) noexcept {
  if (name.length.load(std::memory_order_acquire) != text.size()) return false;
  const std::atomic<std::uint64_t>* word = name.words();
  return for_each_word(text, [&](std::uint64_t bytes) { return (word++)->load(std::memory_order_acquire) == bytes; });
}

}  // namespace

std::string Name::text() const {
  std::string made(length.load(std::memory_order_relaxed), '\0');
  for (std::size_t at = 0; at < made.size(); at += 8) {
    const std::uint64_t word = words()[at / 8].load(std::memory_order_relaxed);
    std::memcpy(made.data() + at, &word, std::min<std::size_t>(8, made.size() - at));
  }
  return made;
}

// --- memory ----------------------------------------------------------------------------------------------------------------------

/// An array of slots, of which there is a power of two; they follow it in memory.
struct Names::Slots {
  explicit constexpr Slots(std::size_t capacity) noexcept : mask(capacity - 1) {}
  [[nodiscard]] static Slots* make(std::size_t capacity) {
    auto* const made = ::new (::operator new(sizeof(Slots) + capacity * sizeof(Slot))) Slots(capacity);
    for (std::size_t i = 0; i < capacity; ++i) ::new (static_cast<void*>(made->first() + i)) Slot;
    return made;
  }
  void operator delete(void* memory) noexcept { ::operator delete(memory); }
  [[nodiscard]] Slot* first() noexcept { return reinterpret_cast<Slot*>(this + 1); }
  [[nodiscard]] Slot& at(std::size_t i) noexcept { return first()[i]; }
  [[nodiscard]] const Slot& at(std::size_t i) const noexcept { return reinterpret_cast<const Slot*>(this + 1)[i]; }
  [[nodiscard]] std::size_t capacity() const noexcept { return mask + 1; }
  [[nodiscard]] std::size_t home(std::uint32_t hash) const noexcept { return (hash >> kShardBits) & mask; }

  std::size_t mask;
  Slots* outgrown = nullptr;  // the one before, which readers may be at
};

/// What a shard has before its first name: one slot, which is always empty, because it alone is a full array.
struct Names::NoSlots {
  Slots head{1};
  Slot slot;
  static NoSlots shared;
};
constinit Names::NoSlots Names::NoSlots::shared{};

/// Free nodes of one size, got at once.
struct Names::Chunk {
  [[nodiscard]] static Chunk* make(std::size_t size_class) {
    const std::size_t bytes = kNodeBytes[size_class];
    const std::size_t count = (kChunkBytes - base::kCacheLine) / bytes;
    auto* const memory = static_cast<std::byte*>(::operator new(base::kCacheLine + count * bytes, std::align_val_t(base::kCacheLine)));
    auto* const made = ::new (static_cast<void*>(memory)) Chunk;
    made->size_class = size_class;
    for (std::size_t i = count; i-- > 0;) {
      auto* const name = ::new (static_cast<void*>(memory + base::kCacheLine + i * bytes)) Name;
      for (std::size_t w = 0; w < text_bytes(size_class) / 8; ++w)
        ::new (static_cast<void*>(name->words() + w)) std::atomic<std::uint64_t>{0};
      name->size_class = static_cast<std::uint8_t>(size_class);
      name->next = made->first;
      made->first = name;
      if (made->last == nullptr) made->last = name;
    }
    return made;
  }
  void operator delete(void* memory) noexcept { ::operator delete(memory, std::align_val_t(base::kCacheLine)); }

  Chunk* next = nullptr;
  Hook* first = nullptr;
  Hook* last = nullptr;
  std::size_t size_class = 0;
};

Names::Shard::Shard() noexcept : slots(&NoSlots::shared.head) {}

Names::Names() : Names(draw_key()) {}

Names::~Names() {
  for (Shard& shard : shards_) {
    for (Slots* slots = shard.slots.load(std::memory_order_relaxed); slots != nullptr && slots != &NoSlots::shared.head;) {
      delete std::exchange(slots, slots->outgrown);
    }
    while (shard.chunks != nullptr) delete std::exchange(shard.chunks, shard.chunks->next);
  }
}

std::size_t Names::size() const noexcept {
  std::size_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.size.load(std::memory_order_relaxed);
  return sum;
}

// Half of the slots stay empty: walks are short, and end.
bool Names::is_full(const Shard& shard) noexcept {
  return 2 * (shard.size.load(std::memory_order_relaxed) + 1) > shard.slots.load(std::memory_order_relaxed)->capacity();
}

void Names::make_room(std::string_view name) {
  Shard& shard = shard_of(hash_of(name, key_));
  const std::size_t size_class = size_class_of(name.size());
  bool wants_slots, wants_nodes;
  std::size_t capacity;
  {
    const Hold hold(shard.lock);
    wants_slots = is_full(shard);
    wants_nodes = shard.free[size_class] == nullptr;
    capacity = shard.slots.load(std::memory_order_relaxed)->capacity();
  }
  // Got without the lock, and kept even if somebody else was quicker: others want nodes, too.
  std::unique_ptr<Slots> larger(wants_slots ? Slots::make(std::max(kFirstCapacity, 2 * capacity)) : nullptr);
  std::unique_ptr<Chunk> chunk(wants_nodes ? Chunk::make(size_class) : nullptr);
  const Hold hold(shard.lock);
  if (larger != nullptr && shard.slots.load(std::memory_order_relaxed)->capacity() < larger->capacity()) move_to(shard, *larger.release());
  if (chunk != nullptr) {
    chunk->last->next = std::exchange(shard.free[size_class], chunk->first);
    chunk->next = std::exchange(shard.chunks, chunk.get());
    (void)chunk.release();
  }
}

void Names::move_to(Shard& shard, Slots& larger) noexcept {
  Slots& old = *shard.slots.load(std::memory_order_relaxed);
  for (std::size_t from = 0; from < old.capacity(); ++from) {
    Name* const name = old.at(from).name.load(std::memory_order_relaxed);
    if (name == nullptr) continue;
    const std::uint32_t hash = old.at(from).hash.load(std::memory_order_relaxed);
    std::size_t to = larger.home(hash);
    while (larger.at(to).name.load(std::memory_order_relaxed) != nullptr) to = (to + 1) & larger.mask;
    larger.at(to).hash.store(hash, std::memory_order_relaxed);
    larger.at(to).name.store(name, std::memory_order_relaxed);
  }
  if (&old != &NoSlots::shared.head) larger.outgrown = &old;
  const std::uint64_t moves = shard.moves.load(std::memory_order_relaxed);
  shard.moves.store(moves + 1, std::memory_order_relaxed);
  // release: publishes the filled array, and that `moves` changed: who goes on in the old array finds there what was there (N1), and does
  // not believe a miss.
  shard.slots.store(&larger, std::memory_order_release);
  shard.moves.store(moves + 2, std::memory_order_release);
}

// --- looking ---------------------------------------------------------------------------------------------------------------------

// All loads of what a writer may change meanwhile are acquire, and the writers' stores release: whatever comes of a later change makes the
// next look at `sequence` or `moves` see that change.
template <class Take>
[[gnu::always_inline]] inline auto Names::walk(const Slots& slots, std::string_view name, std::uint32_t hash, Take take) noexcept {
  const std::size_t home = slots.home(hash), mask = slots.mask;
  for (std::size_t step = 0; step <= mask; ++step) {  // Counted: while entries move, the empty slot may always be elsewhere.
    const Slot& slot = slots.at((home + step) & mask);
    Name* const met = slot.name.load(std::memory_order_acquire);
    if (met == nullptr) break;
    if (slot.hash.load(std::memory_order_acquire) != hash) continue;
    const std::uint64_t sequence = met->sequence.load(std::memory_order_acquire);
    if (sequence % 2 == 0 || !has_text(*met, name)) continue;
    const Pid pid = Pid::from_id(met->pid.load(std::memory_order_acquire));
    base::explore_point("name: look again");
    if (met->sequence.load(std::memory_order_relaxed) == sequence) return take(Entry{met, sequence, pid, hash});  // N2
  }
  return decltype(take(Entry{})){};
}

template <class Take>
[[gnu::always_inline]] inline auto Names::look(std::string_view name, Take take) const noexcept {
  using Found = decltype(take(Entry{}));
  if (name.size() - 1 >= kLongest) return Found{};
  const std::uint32_t hash = hash_of(name, key_);
  const Shard& shard = shard_of(hash);
  // acquire: what is read next is not older (N3).
  const std::uint64_t moves = shard.moves.load(std::memory_order_acquire);
  if (const Found found = walk(*shard.slots.load(std::memory_order_acquire), name, hash, take)) return found;
  base::explore_point("name: missed");
  if (moves % 2 == 0 && shard.moves.load(std::memory_order_relaxed) == moves) [[likely]]
    return Found{};
  return look_among_moves(shard, name, hash, take);
}

template <class Take>
[[gnu::noinline]] auto Names::look_among_moves(const Shard& shard, std::string_view name, std::uint32_t hash, Take take) noexcept {
  using Found = decltype(take(Entry{}));
  for (int tries = 1; tries < kTries; ++tries) {
    const std::uint64_t moves = shard.moves.load(std::memory_order_acquire);
    if (const Found found = walk(*shard.slots.load(std::memory_order_acquire), name, hash, take)) return found;
    base::explore_point("name: missed again");
    if (moves % 2 == 0 && shard.moves.load(std::memory_order_relaxed) == moves) return Found{};
  }
  const Hold hold(shard.lock);
  return walk(*shard.slots.load(std::memory_order_relaxed), name, hash, take);
}

Names::Entry Names::entry(std::string_view name) const noexcept {
  return look(name, [](const Entry& found) { return found; });
}

std::optional<Pid> Names::find(std::string_view name) const noexcept {
  const Pid found = look(name, [](const Entry& entry) { return entry.pid; });
  return found ? std::optional(found) : std::nullopt;
}

// --- changing --------------------------------------------------------------------------------------------------------------------

Names::Added Names::add(std::string_view text, Pid pid, HookList& mine) noexcept {
  WEFT_ASSERT(text.size() - 1 < kLongest, "a name has 1 to 255 bytes");
  const std::uint32_t hash = hash_of(text, key_);
  Shard& shard = shard_of(hash);
  const std::size_t size_class = size_class_of(text.size());
  const Hold hold(shard.lock);
  Slots& slots = *shard.slots.load(std::memory_order_relaxed);
  std::size_t at = slots.home(hash);
  for (; Name* const met = slots.at(at).name.load(std::memory_order_relaxed); at = (at + 1) & slots.mask) {
    if (slots.at(at).hash.load(std::memory_order_relaxed) == hash && has_text(*met, text)) return Added::taken;
  }
  Hook* const hook = shard.free[size_class];
  if (hook == nullptr || is_full(shard)) return Added::no_room;
  shard.free[size_class] = hook->next;
  Name& name = *static_cast<Name*>(hook);
  write(name, text, pid);
  name.hash = hash;
  slots.at(at).hash.store(hash, std::memory_order_relaxed);
  // release: who finds the node there sees its making, and the slot's hash.
  slots.at(at).name.store(&name, std::memory_order_release);
  base::explore_point("name: registered");
  // The registration, and last: a reader may hold the node from long ago, and who learns of the name from that one must meet it. release:
  // who sees it odd sees the text and the pid (N2), and the entry.
  name.sequence.store(name.sequence.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  shard.size.store(shard.size.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  mine.push_back(name);
  return Added::yes;
}

bool Names::remove(const Entry& entry, HookList& mine) noexcept {
  Shard& shard = shard_of(entry.hash);
  const Hold hold(shard.lock);
  if (entry.name->sequence.load(std::memory_order_relaxed) != entry.sequence) return false;
  take_out(shard, *entry.name, entry.hash, mine);
  return true;
}

void Names::remove_front(HookList& mine) noexcept {
  Name& name = *static_cast<Name*>(mine.front());
  Shard& shard = shard_of(name.hash);
  const Hold hold(shard.lock);
  take_out(shard, name, name.hash, mine);
}

inline void Names::take_out(Shard& shard, Name& name, std::uint32_t hash, HookList& mine) noexcept {
  // From here on it is nobody's. relaxed: nothing was written that depends on it yet; write() will say so with its first store.
  name.sequence.store(name.sequence.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  const Slots& slots = *shard.slots.load(std::memory_order_relaxed);
  std::size_t at = slots.home(hash);
  while (slots.at(at).name.load(std::memory_order_relaxed) != &name) at = (at + 1) & slots.mask;
  free_up(shard, at);
  shard.size.store(shard.size.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  mine.remove(name);
  name.next = std::exchange(shard.free[name.size_class], &name);
}

// Empties the slot at `hole` after its entry was removed: entries behind it that may not stand behind an empty slot move up.
inline void Names::free_up(Shard& shard, std::size_t hole) noexcept {
  Slots& slots = *shard.slots.load(std::memory_order_relaxed);
  const std::uint64_t moves = shard.moves.load(std::memory_order_relaxed);
  bool moved = false;
  for (std::size_t at = (hole + 1) & slots.mask;; at = (at + 1) & slots.mask) {
    Name* const next = slots.at(at).name.load(std::memory_order_relaxed);
    if (next == nullptr) break;
    const std::uint32_t hash = slots.at(at).hash.load(std::memory_order_relaxed);
    const std::size_t from_home = (at - slots.home(hash)) & slots.mask;
    if (from_home < ((at - hole) & slots.mask)) continue;  // Its home is behind the hole.
    if (!moved) {
      // relaxed: the stores that follow are release, and so is this for who sees one of them (N3).
      shard.moves.store(moves + 1, std::memory_order_relaxed);
      moved = true;
    }
    base::explore_point("name: move");
    slots.at(hole).hash.store(hash, std::memory_order_release);
    slots.at(hole).name.store(next, std::memory_order_release);
    hole = at;
  }
  base::explore_point("name: empty");
  slots.at(hole).name.store(nullptr, std::memory_order_release);
  // release: who sees it even sees where the entries are now.
  if (moved) shard.moves.store(moves + 2, std::memory_order_release);
}

}  // namespace weft::registry
