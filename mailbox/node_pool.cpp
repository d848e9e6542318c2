// Memory of envelopes: per-thread magazines over a shared depot, because memory allocated on one thread and freed on another is an
// order of magnitude dearer from malloc (docs/decisions.md).
//
// N1  A magazine is touched by its own thread only; a batch in the depot by the holder of the depot's lock only.
// N2  Nodes of one size class are interchangeable; their memory goes back to the system never: the pool is as large as the most
//     messages that were ever in flight. It belongs to no runtime, so that a Message may outlive the one it came through.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <mutex>
#include <string>
#include <unordered_map>

#include <weft/message.hpp>
#include "mailbox/base/assert.hpp"
#include "mailbox/base/demangle.hpp"
#include "mailbox/base/explore.hpp"
#include "mailbox/base/sanitizer.hpp"
#include "mailbox/base/spin_lock.hpp"

namespace weft::inline v0::detail {

constexpr std::size_t kClasses = std::size(kPooledBytes);
constexpr std::uint32_t kBatch = 128;
constexpr std::size_t kChunkNodes = 1024;

struct FreeNode {
  FreeNode* next;
  FreeNode* next_batch;
};

/// A thread's own free nodes of one class: `hot` is used, `cold` is one full batch in reserve, so that a thread at the boundary does
/// not go to the depot at every call.
struct Magazine {
  FreeNode* hot = nullptr;
  FreeNode* cold = nullptr;
  // Until its first use as if full, though there is nothing: so a thread that only frees takes the slow path once as well, where it is
  // registered to be cleaned up after.
  std::uint32_t hot_count = kBatch;
};

struct Magazines {
  std::array<Magazine, kClasses> of;
};

}  // namespace weft::detail

extern "C" {
/// Only thread_magazines() may name it.
__attribute__((used, visibility("hidden"), tls_model("initial-exec"))) constinit thread_local weft::detail::Magazines weft_thread_magazines;
}

namespace weft::inline v0::detail {
namespace {

/// Batches of kBatch free nodes of one class, and the untouched rest of the newest chunk.
class Depot {
 public:
  /// A chain of kBatch nodes, or null when memory is exhausted.
  FreeNode* take(std::size_t node_bytes) noexcept {
    const std::lock_guard<base::SpinLock> hold(lock_);
    if (FreeNode* batch = batches_) {
      batches_ = batch->next_batch;
      return batch;
    }
    if (fresh_ == fresh_end_) {
      fresh_ = static_cast<std::byte*>(std::aligned_alloc(64, node_bytes * kChunkNodes));
      fresh_end_ = fresh_ == nullptr ? nullptr : fresh_ + node_bytes * kChunkNodes;
      if (fresh_ == nullptr) return nullptr;
    }
    FreeNode* chain = nullptr;
    for (std::uint32_t i = 0; i < kBatch; ++i) {
      auto* node = ::new (fresh_ + (kBatch - 1 - i) * node_bytes) FreeNode;
      node->next = chain;
      chain = node;
    }
    fresh_ += kBatch * node_bytes;
    return chain;
  }
  void give(FreeNode* batch) noexcept {
    const std::lock_guard<base::SpinLock> hold(lock_);
    batch->next_batch = batches_;
    batches_ = batch;
  }

 private:
  base::SpinLock lock_;
  FreeNode* batches_ = nullptr;
  std::byte* fresh_ = nullptr;
  std::byte* fresh_end_ = nullptr;
};
static_assert(kChunkNodes % kBatch == 0, "a chunk is whole batches");

std::array<Depot, kClasses> depots;

/// Partial batches of threads that ended. The depot takes whole batches only.
struct Leftovers {
  base::SpinLock lock;
  std::array<FreeNode*, kClasses> chain{};
};
Leftovers leftovers;

/// Gives a thread's magazines back when it ends.
struct Cleaner {
  ~Cleaner() {
    for (std::size_t i = 0; i < kClasses; ++i) {
      Magazine& magazine = weft_thread_magazines.of[i];
      if (magazine.cold != nullptr) depots[i].give(magazine.cold);
      const std::lock_guard<base::SpinLock> hold(leftovers.lock);
      while (FreeNode* node = magazine.hot) {
        magazine.hot = node->next;
        node->next = leftovers.chain[i];
        leftovers.chain[i] = node;
      }
      magazine = Magazine{};
    }
  }
  void registered() const noexcept {}
};

void clean_up_at_thread_end() {
  static thread_local Cleaner cleaner;
  cleaner.registered();
}

// A volatile read, or laundered behind a call: the caller may be a process that is on another thread at its next call, so no compiler
// may keep the address (CPP-5).
#if defined(__x86_64__)
[[gnu::always_inline]] inline Magazines& thread_magazines() {
  Magazines* address;
  asm volatile(
      "movq %%fs:0, %0\n\t"
      "addq weft_thread_magazines@gottpoff(%%rip), %0"
      : "=r"(address)
      :
      : "cc");
  return *address;
}
#else
[[gnu::noinline]] Magazines& thread_magazines() {
  Magazines* address = &weft_thread_magazines;
  asm volatile("" : "+r"(address));
  return *address;
}
#endif

[[gnu::noinline]] bool refill(Magazine& magazine, std::size_t size_class) noexcept {
  clean_up_at_thread_end();
  if (magazine.cold != nullptr) {
    magazine.hot = std::exchange(magazine.cold, nullptr);
    magazine.hot_count = kBatch;
    return true;
  }
  {
    const std::lock_guard<base::SpinLock> hold(leftovers.lock);
    if (FreeNode* chain = std::exchange(leftovers.chain[size_class], nullptr)) {
      // At most kBatch of them: a longer chain would break the count of a full batch.
      FreeNode* last = chain;
      std::uint32_t count = 1;
      while (count < kBatch && last->next != nullptr) last = last->next, ++count;
      leftovers.chain[size_class] = std::exchange(last->next, nullptr);
      magazine.hot = chain;
      magazine.hot_count = count;
      return true;
    }
  }
  magazine.hot = depots[size_class].take(kPooledBytes[size_class]);
  if (magazine.hot == nullptr) return false;
  magazine.hot_count = kBatch;
  return true;
}

[[gnu::noinline]] void spill(Magazine& magazine, std::size_t size_class) noexcept {
  clean_up_at_thread_end();
  if (magazine.hot != nullptr) {
    if (magazine.cold != nullptr) depots[size_class].give(magazine.cold);
    magazine.cold = std::exchange(magazine.hot, nullptr);
  }
  magazine.hot_count = 0;
}

[[gnu::noinline]] Envelope* allocate_after_refill(const MessageType& type) {
  if (!refill(thread_magazines().of[type.size_class], type.size_class)) throw std::bad_alloc();
  return allocate_envelope(type);
}

[[gnu::noinline]] Envelope* allocate_on_heap(const MessageType& type) {
  void* const memory = ::operator new(type.bytes, std::align_val_t(std::max<std::size_t>(type.align, alignof(Envelope))));
  auto* envelope = ::new (memory) Envelope;
  envelope->type = &type;
  envelope->size_class = kHeapClass;
  return envelope;
}

[[gnu::noinline]] void free_after_spill(Envelope* envelope) noexcept {
  spill(thread_magazines().of[envelope->size_class], envelope->size_class);
  free_envelope(envelope);
}

[[gnu::noinline]] void free_on_heap(Envelope* envelope) noexcept {
  ::operator delete(envelope, std::align_val_t(std::max<std::size_t>(envelope->type->align, alignof(Envelope))));
}

}  // namespace

// Here and below, what is rare is a call in tail position: a fast path without a call of its own needs no stack frame.
[[gnu::noinline]] Envelope* allocate_envelope(const MessageType& type) {
  const std::uint8_t size_class = type.size_class;
  if (base::kSanitizedMemory || size_class == kHeapClass) [[unlikely]]
    return allocate_on_heap(type);
  Magazine& magazine = thread_magazines().of[size_class];
  FreeNode* const node = magazine.hot;
  if (node == nullptr) [[unlikely]]
    return allocate_after_refill(type);
  magazine.hot = node->next;
  --magazine.hot_count;
  auto* envelope = ::new (static_cast<void*>(node)) Envelope;
  envelope->type = &type;
  envelope->size_class = size_class;
  return envelope;
}

[[gnu::noinline]] void free_envelope(Envelope* envelope) noexcept {
  const std::uint8_t size_class = envelope->size_class;
  if (size_class == kHeapClass) [[unlikely]]
    return free_on_heap(envelope);
  Magazine& magazine = thread_magazines().of[size_class];
  if (magazine.hot_count == kBatch) [[unlikely]]
    return free_after_spill(envelope);
  auto* node = ::new (static_cast<void*>(envelope)) FreeNode;
  node->next = magazine.hot;
  magazine.hot = node;
  ++magazine.hot_count;
}

namespace {

/// Envelopes whose destruction was asked for while another's is under way on this thread: they wait for it to end, so that messages
/// nested in messages take no stack (CPP-9). A destructor does not suspend, so the thread is the same throughout.
struct Destruction {
  bool under_way = false;
  Envelope* waiting = nullptr;
};
constinit thread_local Destruction destruction_storage;

[[gnu::noinline]] Destruction& destruction_here() {
  Destruction* address = &destruction_storage;
  asm volatile("" : "+r"(address));
  return *address;
}

[[maybe_unused]] const base::ThreadPart destruction_part([]() noexcept -> void* { return &destruction_here(); }, sizeof(Destruction));

[[gnu::noinline]] void destroy_with_nested(Envelope* envelope) noexcept {
  Destruction& here = destruction_here();
  if (here.under_way) {
    envelope->next = here.waiting;
    here.waiting = envelope;
    return;
  }
  here.under_way = true;
  std::uint16_t* const guard = no_suspend_counter != nullptr ? no_suspend_counter() : nullptr;
  if (guard != nullptr) ++*guard;
  while (envelope != nullptr) {
    envelope->type->destroy(envelope->payload());
    free_envelope(envelope);
    envelope = here.waiting;
    if (envelope != nullptr) here.waiting = envelope->next;
  }
  if (guard != nullptr) --*guard;
  here.under_way = false;
}

}  // namespace

constinit NoSuspendCounter no_suspend_counter = nullptr;

bool destruction_under_way() noexcept { return destruction_here().under_way; }

void forget_destruction() noexcept {
  Destruction& here = destruction_here();
  here.under_way = false;
  while (Envelope* envelope = here.waiting) {
    here.waiting = envelope->next;
    destroy_with_nested(envelope);
  }
}

void destroy_envelope(Envelope* envelope) noexcept {
  if (envelope->type->destroy == nullptr) {
    free_envelope(envelope);
  } else {
    destroy_with_nested(envelope);
  }
}

std::string_view type_name(const MessageType& type) noexcept {
  // Types are few and live as long as the program: each name is demangled once and kept.
  static base::SpinLock lock;
  static auto& names = *new std::unordered_map<const std::type_info*, std::string>;
  try {
    const std::lock_guard<base::SpinLock> hold(lock);
    std::string& name = names[type.info];
    if (name.empty()) name = base::demangled(type.info->name());
    return name;
  } catch (...) {
    return type.info->name();  // Out of memory: the mangled name needs none.
  }
}

}  // namespace weft::detail
