// Guarded stacks for fibers: a shared depot of slabs and, for each worker, a cache in front of it.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "mailbox/base/cache_line.hpp"
#include "mailbox/base/explore.hpp"
#include "mailbox/base/spin_lock.hpp"

namespace weft::inline v0::scheduler {

/// What stands below the lowest usable byte of a stack.
enum class GuardMode : std::uint8_t {
  automatic,      // Guard markers where the kernel and the tools at work allow them, else mprotect.
  guard_markers,  // MADV_GUARD_INSTALL, Linux 6.13: faults, and does not split the mapping.
  mprotect,       // Faults, but costs two mappings a stack: used up to a budget.
  canary,         // Does not fault: an overflow is found only when the stack is given back.
};

/// Describes one stack. It lives outside the stack's own memory, so that an idle stack costs no page, and as long as the pool.
///
/// base, bytes, guard_bytes, index, guard, direct   written before the stack is first handed out, then constant
/// next, tsan_fiber, tool_uses   whoever holds the stack; in the depot its lock
/// chain, count       the depot, under its lock
/// owner              whoever holds the stack; any thread and any signal handler may read it
struct alignas(base::kCacheLine) Stack {
  std::byte* base = nullptr;  // Lowest address, where the guard begins.
  std::size_t bytes = 0;      // From base to the highest address, guard included: a power of two.
  Stack* next = nullptr;
  void* tsan_fiber = nullptr;           // Pooled with the stack; null unless StackPoolOptions::create_tsan_fiber is set.
  std::atomic<std::uint64_t> owner{0};  // A pid, so that an overflow handler can name it; the pool never writes it.
  Stack* chain = nullptr;
  std::uint32_t guard_bytes = 0;
  std::uint32_t index = 0;              // Position in its slab.
  std::uint32_t count = 0;              // Of a batch, kept in its first stack.
  GuardMode guard = GuardMode::canary;  // Never automatic.
  std::uint8_t size_class = 0;
  bool direct = false;         // Not of the default class, or guarded by a canary: StackCache::give() must look closer.
  std::uint8_t tool_uses = 0;  // How often its thread sanitizer context was left for ever, modulo 256.

  /// The initial stack pointer, 16-byte aligned. Stacks lie a power of two apart, so without an offset the hot ends of all of them
  /// would compete for the same few sets of the cache.
  [[nodiscard]] std::byte* top() const noexcept { return base + bytes - (index * 128U) % 1024U; }
  /// The lowest byte that may be used.
  [[nodiscard]] std::byte* limit() const noexcept { return base + guard_bytes; }
  [[nodiscard]] bool in_guard(const void* address) const noexcept {
    return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(base) < guard_bytes;
  }
};
static_assert(sizeof(Stack) == base::kCacheLine, "one line for each stack: a million of them add 64 MB");

/// False: something wrote below the lowest usable byte of `stack`. Stacks with a faulting guard are always intact.
/// The canary is a run of zero bytes: a fresh or decommitted stack has it without being written to, so it costs no page.
[[nodiscard]] bool canary_intact(const Stack& stack) noexcept;

/// Bytes from the top down to the deepest non-zero byte written since the stack was last decommitted, by whichever fibers had it.
/// Exact to a page while pages are swapped out. Reads the whole stack: for diagnostics. While the stack runs the figure may be stale.
[[nodiscard]] std::size_t high_water(const Stack& stack) noexcept;

struct StackPoolOptions {
  /// What is tried first. Where it cannot be had, the next one of the enumeration stands in.
  GuardMode guard = GuardMode::automatic;
  /// Most stacks handed out at once. Those waiting in a StackCache count.
  std::size_t max_stacks = std::numeric_limits<std::size_t>::max();
  /// Address space of the first slab of a class and of later ones, which double. Address space only: memory follows use.
  std::size_t first_slab_bytes = std::size_t{64} << 20;
  std::size_t max_slab_bytes = std::size_t{1} << 30;
  /// Guards made with mprotect, over all pools of the program, since the kernel counts its mappings (vm.max_map_count, 65,530).
  std::size_t mprotect_budget = 16'000;
  /// Free stacks of one class that may keep their pages, in bytes of stack: what is given back beyond it is decommitted at once.
  std::size_t max_idle_bytes = std::size_t{1} << 30;
  /// What trim() leaves alone, in the same unit.
  std::size_t trim_keep_bytes = std::size_t{64} << 20;
  /// Fills Stack::tsan_fiber when a stack is first handed out; the second empties it when the pool ends. Both or none.
  void* (*create_tsan_fiber)() noexcept = nullptr;
  void (*destroy_tsan_fiber)(void*) noexcept = nullptr;
  /// A broken canary at give(). Memory next to the stack is already overwritten, so the default names the owner and aborts.
  void (*on_overflow)(const Stack&) noexcept = nullptr;
};

struct StackPoolStats {
  GuardMode mode = GuardMode::automatic;  // What the next new stack gets first.
  std::size_t slabs = 0;
  std::size_t reserved_bytes = 0;
  std::size_t with_guard_markers = 0;  // All stacks ever made, by guard.
  std::size_t with_mprotect = 0;
  std::size_t with_canary = 0;
  std::size_t live = 0;         // Handed out; those waiting in a StackCache count.
  std::size_t idle = 0;         // In the depot with their pages.
  std::size_t decommitted = 0;  // In the depot without pages, fresh ones included.
};

/// Stacks linked by `next`, the last one's null.
struct StackBatch {
  Stack* head = nullptr;
  std::size_t count = 0;
};

/// The shared depot. Any thread may call anything; the pool ends after the last stack is back.
///
/// S1  A stack is in exactly one place: a list of its depot, a StackBatch, a StackCache, or with a fiber.
/// S2  A slab is published once, entirely described, and withdrawn only when the pool ends; its headers below `opened` are constructed.
///     find() rests on this: it takes no lock.
/// S3  Every stack in `cold` has no pages: it is fresh, or was decommitted after its last use.
/// S4  System calls are made outside a depot's spin lock. Growth is one thread at a time, under grow_mutex_.
///
/// depots_[c].warm, idle, cold                         any thread, under depots_[c].lock
/// depots_[c].slab, next_slab_bytes, and slab_count_   under grow_mutex_
/// slabs_, Slab::opened                                written under grow_mutex_, read by anyone
/// live_, made_                                        counters, any thread
class StackPool {
 public:
  static constexpr std::size_t kMinStackBytes = std::size_t{64} << 10;
  static constexpr std::size_t kMaxStackBytes = std::size_t{256} << 20;
  static constexpr std::size_t kBatch = 32;

  explicit StackPool(const StackPoolOptions& options = {}) noexcept;
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  ~StackPool();

  /// A stack of at least `bytes`, guard included, rounded up to a power of two; 0 asks for the default, 64 KiB.
  /// Null: max_stacks are out, the system has no more memory or address space, or `bytes` is above kMaxStackBytes.
  [[nodiscard]] Stack* take(std::size_t bytes) noexcept;
  /// Takes back a stack that no fiber runs on, and checks its canary if it has one.
  void give(Stack* stack) noexcept;

  /// 1 to `most` stacks of the default class, or an empty batch where take() would return null.
  [[nodiscard]] StackBatch take_batch(std::size_t most) noexcept;
  /// Takes back stacks of the default class. The caller has checked their canaries.
  void give_batch(StackBatch batch) noexcept;

  /// Decommits up to `most` stacks that nobody took since the last call, but leaves trim_keep_bytes of each class.
  /// Returns the free stacks above that: zero means that another call would find nothing until stacks are given back.
  std::size_t trim(std::size_t most) noexcept;

  /// The stack that `address` lies in, guard included, or null. Async-signal-safe. Stack::in_guard() tells an overflow.
  [[nodiscard]] Stack* find(const void* address) const noexcept;

  [[nodiscard]] StackPoolStats stats() noexcept;

 private:
  friend class StackCache;

  struct Slab;

  /// Batches linked by Stack::chain, so that moving a batch of any size is a few instructions.
  struct List {
    void push(Stack* stack) noexcept;
    void push_batch(StackBatch batch) noexcept;
    [[nodiscard]] Stack* pop() noexcept;
    /// The newest batch, or `most` stacks of it. The list is not empty.
    [[nodiscard]] StackBatch pop_batch(std::size_t most) noexcept;

    Stack* head = nullptr;
    std::size_t stacks = 0;
  };

  /// take() prefers warm, then idle, then cold. trim() decommits idle, then turns warm into idle.
  struct alignas(base::kCacheLine) Depot {
    [[nodiscard]] List* first_filled() noexcept;
    [[nodiscard]] bool has_room_for(std::size_t count, std::size_t most) const noexcept;

    base::SpinLock lock;
    List warm, idle, cold;
    Slab* slab = nullptr;
    std::size_t next_slab_bytes = 0;
  };

  static constexpr std::size_t kClasses = std::bit_width(kMaxStackBytes / kMinStackBytes);
  static constexpr std::size_t kMaxSlabs = 1024;

  [[nodiscard]] static std::size_t class_bytes(std::size_t size_class) noexcept { return kMinStackBytes << size_class; }
  [[nodiscard]] std::size_t reserve_live(std::size_t wanted) noexcept;
  void release_live(std::size_t count) noexcept;
  void prepare(Stack& stack) const noexcept;
  [[nodiscard]] bool grow(std::size_t size_class) noexcept;
  [[nodiscard]] bool add_slab(std::size_t size_class) noexcept;
  [[nodiscard]] std::size_t open_stacks(Slab& slab, std::size_t wanted) noexcept;
  void guard_stacks(Stack* stacks, std::size_t count) noexcept;
  void check_canary(Stack& stack) noexcept;
  void decommit(StackBatch batch) noexcept;

  const StackPoolOptions options_;
  const std::size_t page_bytes_;
  const std::size_t smallest_class_;
  const GuardMode mode_;

  alignas(base::kCacheLine) std::atomic<std::size_t> live_{0};
  std::array<Depot, kClasses> depots_;
  base::Mutex grow_mutex_;
  std::size_t slab_count_ = 0;
  std::array<std::atomic<Slab*>, kMaxSlabs> slabs_{};
  std::array<std::atomic<std::size_t>, 4> made_{};  // By GuardMode.
};

/// One worker's stacks of the default class: two magazines, last in, first out. Its owner alone touches it.
///
/// loaded_ takes and gives; spare_ waits behind it. So a worker goes to the depot about once in kBatch calls, whatever the order of its
/// takes and gives, and what it hands back is what it used least recently.
class StackCache {
 public:
  explicit StackCache(StackPool& pool) noexcept : pool_(pool) {}
  StackCache(const StackCache&) = delete;
  StackCache& operator=(const StackCache&) = delete;
  ~StackCache() { flush(); }

  /// As StackPool::take().
  [[nodiscard]] Stack* take(std::size_t bytes = 0) noexcept {
    if (bytes > StackPool::kMinStackBytes) [[unlikely]]
      return pool_.take(bytes);
    if (loaded_.head == nullptr && !reload()) [[unlikely]]
      return nullptr;
    Stack* stack = loaded_.head;
    loaded_.head = stack->next;
    --loaded_.count;
    return stack;
  }

  /// As StackPool::give(). Any stack of the pool, whoever took it.
  void give(Stack* stack) noexcept {
    if (stack->direct && give_direct(stack)) [[unlikely]]
      return;
    if (loaded_.count == StackPool::kBatch) [[unlikely]]
      unload();
    stack->next = loaded_.head;
    loaded_.head = stack;
    ++loaded_.count;
  }

  /// Hands everything back to the pool.
  void flush() noexcept;

 private:
  [[nodiscard]] bool reload() noexcept;
  void unload() noexcept;
  [[nodiscard]] bool give_direct(Stack* stack) noexcept;

  StackPool& pool_;
  StackBatch loaded_;
  StackBatch spare_;
};

}  // namespace weft::scheduler
