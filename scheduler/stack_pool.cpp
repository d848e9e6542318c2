// Longer than most files here: taking, growing, guarding and trimming are the few places that keep S1 to S4, and are checked together.
#include "scheduler/stack_pool.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "mailbox/base/assert.hpp"

namespace weft::inline v0::scheduler {
namespace {

constexpr int kGuardInstall = 102;        // MADV_GUARD_INSTALL, younger than the C library's headers.
constexpr std::size_t kAdviceBatch = 64;  // 1 KiB of ranges: it may run on a fiber's stack.
constexpr std::size_t kOpenBytes = std::size_t{8} << 20;
constexpr std::size_t kCanaryBytes = 256;
constexpr std::size_t kValgrindSlabBytes = std::size_t{16} << 20;

// Shared by all pools because the limit on mappings is the program's.
std::atomic<std::size_t> mprotect_guards{0};

std::size_t system_page_bytes() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

// Valgrind knows neither guard markers nor process_madvise, and refuses to reserve 64 GiB. It always preloads a library of its own.
bool under_valgrind() noexcept {
  const char* preload = std::getenv("LD_PRELOAD");
  return preload != nullptr && std::strstr(preload, "vgpreload") != nullptr;
}

bool markers_work(std::size_t page_bytes) noexcept {
  void* page = ::mmap(nullptr, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  const bool works = ::madvise(page, page_bytes, kGuardInstall) == 0;
  ::munmap(page, page_bytes);
  return works;
}

GuardMode choose_mode(GuardMode wanted, std::size_t page_bytes) noexcept {
  if (wanted == GuardMode::automatic && under_valgrind()) return GuardMode::mprotect;
  if (wanted == GuardMode::automatic || wanted == GuardMode::guard_markers) {
    return markers_work(page_bytes) ? GuardMode::guard_markers : GuardMode::mprotect;
  }
  return wanted;
}

StackPoolOptions fit(StackPoolOptions options) noexcept {
  WEFT_ASSERT((options.create_tsan_fiber == nullptr) == (options.destroy_tsan_fiber == nullptr), "tsan hooks come in pairs");
  if (under_valgrind()) {
    options.first_slab_bytes = std::min(options.first_slab_bytes, kValgrindSlabBytes);
    options.max_slab_bytes = std::min(options.max_slab_bytes, kValgrindSlabBytes);
  }
  options.max_slab_bytes = std::max(options.max_slab_bytes, options.first_slab_bytes);
  return options;
}

/// Gives one advice on many ranges, where possible in one system call.
class Adviser {
 public:
  explicit Adviser(int advice) noexcept : advice_(advice) {}

  [[nodiscard]] bool full() const noexcept { return count_ == kAdviceBatch; }

  void add(void* start, std::size_t bytes) noexcept { ranges_[count_++] = {start, bytes}; }

  /// The number of ranges, from the first added, that took the advice.
  std::size_t apply() noexcept {
    std::size_t done = count_ > 1 ? apply_at_once() : 0;
    while (done < count_ && ::madvise(ranges_[done].iov_base, ranges_[done].iov_len, advice_) == 0) ++done;
    count_ = 0;
    return done;
  }

 private:
  // A pidfd is opened each time: one kept over a fork would name the parent. Where the call is unknown or forbidden this fails quickly.
  std::size_t apply_at_once() noexcept {
    if (under_valgrind()) return 0;
    const long self = ::syscall(SYS_pidfd_open, ::getpid(), 0);
    if (self < 0) return 0;
    const long advised = ::syscall(SYS_process_madvise, self, ranges_.data(), count_, advice_, 0);
    ::close(static_cast<int>(self));
    std::size_t done = 0;
    for (long left = advised; done < count_ && left >= static_cast<long>(ranges_[done].iov_len); ++done) {
      left -= static_cast<long>(ranges_[done].iov_len);
    }
    return done;
  }

  const int advice_;
  std::size_t count_ = 0;
  std::array<iovec, kAdviceBatch> ranges_;
};

// Reads what other fibers left on their stacks: redzones of abandoned frames would alarm ASan, and a copy would be instrumented again.
__attribute__((no_sanitize("address", "thread"))) const std::byte* first_nonzero(const std::byte* from, const std::byte* end) noexcept {
  using Word [[gnu::may_alias]] = volatile std::uint64_t;
  while (from != end && *reinterpret_cast<const Word*>(from) == 0) from += sizeof(std::uint64_t);
  return from;
}

}  // namespace

bool canary_intact(const Stack& stack) noexcept {
  return stack.guard != GuardMode::canary || first_nonzero(stack.base, stack.limit()) == stack.limit();
}

std::size_t high_water(const Stack& stack) noexcept {
  const std::size_t page_bytes = system_page_bytes();
  // The canary's page is the lowest usable one too.
  std::byte* const lowest = stack.guard == GuardMode::canary ? stack.base : stack.limit();
  std::byte* const end = stack.base + stack.bytes;
  std::array<unsigned char, 512> resident;
  for (std::byte* first = lowest; first != end;) {
    const std::size_t pages = std::min(resident.size(), static_cast<std::size_t>(end - first) / page_bytes);
    const bool known = ::mincore(first, pages * page_bytes, resident.data()) == 0;
    for (std::size_t i = 0; i < pages; ++i, first += page_bytes) {
      // A page that was never touched must stay so: reading it would map the zero page and leave a page table behind.
      if (!known || (resident[i] & 1) == 0) continue;
      const std::byte* deepest = first_nonzero(first, first + page_bytes);
      if (deepest != first + page_bytes) return static_cast<std::size_t>(end - deepest);
    }
  }
  return 0;
}

struct StackPool::Slab {
  std::byte* base = nullptr;
  std::size_t bytes = 0;
  Stack* headers = nullptr;
  std::uint32_t capacity = 0;
  std::uint8_t size_class = 0;
  std::atomic<std::uint32_t> opened{0};
};

void StackPool::List::push(Stack* stack) noexcept {
  const bool starts_batch = head == nullptr || head->count >= kBatch;
  stack->next = starts_batch ? nullptr : head;
  stack->count = starts_batch ? 1 : head->count + 1;
  stack->chain = starts_batch ? head : head->chain;
  head = stack;
  ++stacks;
}

void StackPool::List::push_batch(StackBatch batch) noexcept {
  batch.head->count = static_cast<std::uint32_t>(batch.count);
  batch.head->chain = head;
  head = batch.head;
  stacks += batch.count;
}

Stack* StackPool::List::pop() noexcept {
  Stack* stack = head;
  if (stack->next == nullptr) {
    head = stack->chain;
  } else {
    head = stack->next;
    head->count = stack->count - 1;
    head->chain = stack->chain;
  }
  --stacks;
  return stack;
}

StackBatch StackPool::List::pop_batch(std::size_t most) noexcept {
  StackBatch batch;
  if (head->count <= most) {
    batch = {head, head->count};
    head = batch.head->chain;
    stacks -= batch.count;
    return batch;
  }
  while (batch.count < most) {
    Stack* stack = pop();
    stack->next = batch.head;
    batch = {stack, batch.count + 1};
  }
  return batch;
}

StackPool::List* StackPool::Depot::first_filled() noexcept {
  if (warm.head != nullptr) return &warm;
  if (idle.head != nullptr) return &idle;
  return cold.head != nullptr ? &cold : nullptr;
}

bool StackPool::Depot::has_room_for(std::size_t count, std::size_t most) const noexcept {
  return warm.stacks + idle.stacks + count <= most;
}

StackPool::StackPool(const StackPoolOptions& options) noexcept
    : options_(fit(options)),
      page_bytes_(system_page_bytes()),
      // With pages of 64 KiB a stack of 64 KiB would be all guard.
      smallest_class_(std::bit_width(std::max(kMinStackBytes, std::bit_ceil(4 * page_bytes_)) / kMinStackBytes) - 1U),
      mode_(choose_mode(options.guard, page_bytes_)) {
  for (Depot& depot : depots_) depot.next_slab_bytes = options_.first_slab_bytes;
}

StackPool::~StackPool() {
  // relaxed: whoever gave a stack back is ordered before the end of the pool by the caller.
  WEFT_ASSERT(live_.load(std::memory_order_relaxed) == 0, "every stack is back before its pool ends");
  for (std::size_t i = 0; i < slab_count_; ++i) {
    // relaxed twice: nobody else is left.
    Slab* slab = slabs_[i].load(std::memory_order_relaxed);
    for (std::uint32_t k = 0; k < slab->opened.load(std::memory_order_relaxed); ++k) {
      Stack& stack = slab->headers[k];
      if (stack.tsan_fiber != nullptr) options_.destroy_tsan_fiber(stack.tsan_fiber);
      stack.~Stack();
    }
    ::munmap(slab->base, slab->bytes);
    ::munmap(slab->headers, slab->capacity * sizeof(Stack));
    delete slab;
  }
  const std::size_t budget_used = made_[static_cast<std::size_t>(GuardMode::mprotect)].load(std::memory_order_relaxed);
  mprotect_guards.fetch_sub(budget_used, std::memory_order_relaxed);
}

Stack* StackPool::take(std::size_t bytes) noexcept {
  if (bytes > kMaxStackBytes || reserve_live(1) == 0) return nullptr;
  const std::size_t size_class = std::max<std::size_t>(
      smallest_class_, bytes <= kMinStackBytes ? 0 : static_cast<std::size_t>(std::bit_width((bytes - 1) / kMinStackBytes)));
  Depot& depot = depots_[size_class];
  for (;;) {
    Stack* stack = nullptr;
    {
      const std::lock_guard hold(depot.lock);
      if (List* list = depot.first_filled()) stack = list->pop();
    }
    if (stack != nullptr) {
      prepare(*stack);
      return stack;
    }
    if (!grow(size_class)) {
      release_live(1);
      return nullptr;
    }
  }
}

StackBatch StackPool::take_batch(std::size_t most) noexcept {
  const std::size_t reserved = reserve_live(most);
  if (reserved == 0) return {};
  Depot& depot = depots_[smallest_class_];
  StackBatch batch;
  do {
    const std::lock_guard hold(depot.lock);
    if (List* list = depot.first_filled()) batch = list->pop_batch(reserved);
  } while (batch.head == nullptr && grow(smallest_class_));
  release_live(reserved - batch.count);
  for (Stack* stack = batch.head; stack != nullptr && options_.create_tsan_fiber != nullptr; stack = stack->next) prepare(*stack);
  return batch;
}

void StackPool::give(Stack* stack) noexcept {
  check_canary(*stack);
  Depot& depot = depots_[stack->size_class];
  bool kept = false;
  {
    const std::lock_guard hold(depot.lock);
    kept = depot.has_room_for(1, options_.max_idle_bytes / stack->bytes);
    if (kept) depot.warm.push(stack);
  }
  if (!kept) {
    stack->next = nullptr;
    decommit({stack, 1});
    const std::lock_guard hold(depot.lock);
    depot.cold.push(stack);
  }
  release_live(1);
}

void StackPool::give_batch(StackBatch batch) noexcept {
  if (batch.head == nullptr) return;
  Depot& depot = depots_[smallest_class_];
  bool kept = false;
  {
    const std::lock_guard hold(depot.lock);
    kept = depot.has_room_for(batch.count, options_.max_idle_bytes / class_bytes(smallest_class_));
    if (kept) depot.warm.push_batch(batch);
  }
  if (!kept) {
    decommit(batch);
    const std::lock_guard hold(depot.lock);
    depot.cold.push_batch(batch);
  }
  release_live(batch.count);
}

std::size_t StackPool::trim(std::size_t most) noexcept {
  std::size_t above = 0;
  for (std::size_t size_class = smallest_class_; size_class < kClasses; ++size_class) {
    Depot& depot = depots_[size_class];
    const std::size_t keep = options_.trim_keep_bytes / class_bytes(size_class);
    for (;;) {
      StackBatch batch;
      {
        const std::lock_guard hold(depot.lock);
        const std::size_t with_pages = depot.warm.stacks + depot.idle.stacks;
        if (most != 0 && depot.idle.head != nullptr && with_pages > keep) {
          batch = depot.idle.pop_batch(std::min({kAdviceBatch, most, with_pages - keep}));
        } else {
          if (depot.idle.head == nullptr) std::swap(depot.idle, depot.warm);
          above += with_pages > keep ? with_pages - keep : 0;
        }
      }
      if (batch.head == nullptr) break;
      most -= batch.count;
      decommit(batch);
      const std::lock_guard hold(depot.lock);
      depot.cold.push_batch(batch);
    }
  }
  return above;
}

Stack* StackPool::find(const void* address) const noexcept {
  for (const std::atomic<Slab*>& entry : slabs_) {
    // acquire pairs with the release in add_slab(): the slab's description is complete (S2).
    const Slab* slab = entry.load(std::memory_order_acquire);
    if (slab == nullptr) return nullptr;
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(slab->base);
    if (offset >= slab->bytes) continue;
    const std::size_t index = offset / class_bytes(slab->size_class);
    // acquire pairs with the release in grow(): the headers below it are constructed (S2).
    return index < slab->opened.load(std::memory_order_acquire) ? &slab->headers[index] : nullptr;
  }
  return nullptr;
}

StackPoolStats StackPool::stats() noexcept {
  const auto made = [this](GuardMode mode) { return made_[static_cast<std::size_t>(mode)].load(std::memory_order_relaxed); };
  StackPoolStats stats;
  stats.mode = mode_;
  stats.with_guard_markers = made(GuardMode::guard_markers);
  stats.with_mprotect = made(GuardMode::mprotect);
  stats.with_canary = made(GuardMode::canary);
  stats.live = live_.load(std::memory_order_relaxed);
  for (Depot& depot : depots_) {
    const std::lock_guard hold(depot.lock);
    stats.idle += depot.warm.stacks + depot.idle.stacks;
    stats.decommitted += depot.cold.stacks;
  }
  for (const std::atomic<Slab*>& entry : slabs_) {
    const Slab* slab = entry.load(std::memory_order_acquire);  // As in find().
    if (slab == nullptr) break;
    ++stats.slabs;
    stats.reserved_bytes += slab->bytes;
  }
  return stats;
}

std::size_t StackPool::reserve_live(std::size_t wanted) noexcept {
  // relaxed: a count alone; the stacks themselves are handed over by the depot's lock.
  std::size_t now = live_.load(std::memory_order_relaxed);
  std::size_t granted = 0;
  do {
    granted = std::min(wanted, options_.max_stacks - std::min(now, options_.max_stacks));
  } while (granted != 0 && !live_.compare_exchange_weak(now, now + granted, std::memory_order_relaxed, std::memory_order_relaxed));
  return granted;
}

void StackPool::release_live(std::size_t count) noexcept { live_.fetch_sub(count, std::memory_order_relaxed); }

void StackPool::prepare(Stack& stack) const noexcept {
  if (options_.create_tsan_fiber != nullptr && stack.tsan_fiber == nullptr) stack.tsan_fiber = options_.create_tsan_fiber();
}

// Opens the next stacks of a class. True: the depot may have some now.
bool StackPool::grow(std::size_t size_class) noexcept {
  const std::lock_guard growing(grow_mutex_);
  Depot& depot = depots_[size_class];
  {
    const std::lock_guard hold(depot.lock);
    if (depot.first_filled() != nullptr) return true;  // Another thread grew it while this one waited.
  }
  // relaxed: opened is written under grow_mutex_ only.
  if (depot.slab == nullptr || depot.slab->opened.load(std::memory_order_relaxed) == depot.slab->capacity) {
    if (!add_slab(size_class)) return false;
  }
  Slab& slab = *depot.slab;
  const std::uint32_t first = slab.opened.load(std::memory_order_relaxed);
  const std::size_t wanted = std::clamp<std::size_t>(kOpenBytes / class_bytes(size_class), 1, slab.capacity - first);
  const std::size_t count = open_stacks(slab, wanted);
  if (count == 0) return false;
  // release pairs with the acquire in find(): headers before their number (S2).
  slab.opened.store(first + static_cast<std::uint32_t>(count), std::memory_order_release);

  const std::lock_guard hold(depot.lock);
  for (std::size_t i = count; i > 0; --i) depot.cold.push(&slab.headers[first + i - 1]);
  return true;
}

bool StackPool::add_slab(std::size_t size_class) noexcept {
  if (slab_count_ == kMaxSlabs) return false;
  const std::size_t stack_bytes = class_bytes(size_class);
  Depot& depot = depots_[size_class];
  std::size_t capacity = std::max<std::size_t>(depot.next_slab_bytes / stack_bytes, 1);

  // Closed at first, and opened as stacks are needed: systems that account for every writable page charge what is in use only.
  // MAP_STACK keeps huge pages away on newer kernels. Under a limit on address space a smaller slab may still fit.
  const auto reserve = [](std::size_t bytes, int protection) {
    return ::mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  };
  void* memory = reserve(capacity * stack_bytes, PROT_NONE);
  while (memory == MAP_FAILED && capacity > 1) {
    capacity /= 2;
    memory = reserve(capacity * stack_bytes, PROT_NONE);
  }
  if (memory == MAP_FAILED) return false;
  const std::size_t bytes = capacity * stack_bytes;
  // Before any stack is used: a huge page would give every stack in it all of its memory. Kernels without huge pages answer EINVAL.
  ::madvise(memory, bytes, MADV_NOHUGEPAGE);

  void* headers = reserve(capacity * sizeof(Stack), PROT_READ | PROT_WRITE);
  Slab* slab = headers == MAP_FAILED ? nullptr : new (std::nothrow) Slab;
  if (slab == nullptr) {
    ::munmap(memory, bytes);
    if (headers != MAP_FAILED) ::munmap(headers, capacity * sizeof(Stack));
    return false;
  }
  slab->base = static_cast<std::byte*>(memory);
  slab->bytes = bytes;
  slab->headers = static_cast<Stack*>(headers);
  slab->capacity = static_cast<std::uint32_t>(capacity);
  slab->size_class = static_cast<std::uint8_t>(size_class);
  // release pairs with the acquire in find(): the description before the slab (S2).
  slabs_[slab_count_++].store(slab, std::memory_order_release);
  depot.slab = slab;
  depot.next_slab_bytes = std::min(2 * std::max(bytes, stack_bytes), options_.max_slab_bytes);
  return true;
}

// Returns how many stacks it opened and guarded: fewer than wanted when memory is short.
std::size_t StackPool::open_stacks(Slab& slab, std::size_t wanted) noexcept {
  const std::size_t stack_bytes = class_bytes(slab.size_class);
  const std::uint32_t first = slab.opened.load(std::memory_order_relaxed);  // relaxed: under grow_mutex_.
  std::byte* start = slab.base + first * stack_bytes;
  while (wanted > 0 && ::mprotect(start, wanted * stack_bytes, PROT_READ | PROT_WRITE) != 0) wanted /= 2;
  for (std::size_t i = 0; i < wanted; ++i) {
    Stack* stack = new (&slab.headers[first + i]) Stack;
    stack->base = start + i * stack_bytes;
    stack->bytes = stack_bytes;
    stack->index = first + static_cast<std::uint32_t>(i);
    stack->size_class = slab.size_class;
  }
  guard_stacks(&slab.headers[first], wanted);
  return wanted;
}

void StackPool::guard_stacks(Stack* stacks, std::size_t count) noexcept {
  std::size_t marked = 0;
  if (mode_ == GuardMode::guard_markers) {
    Adviser adviser(kGuardInstall);
    for (std::size_t next = 0; next < count && marked == next; marked += adviser.apply()) {
      while (next < count && !adviser.full()) adviser.add(stacks[next++].base, page_bytes_);
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    Stack& stack = stacks[i];
    if (i < marked) {
      stack.guard = GuardMode::guard_markers;
    } else if (mode_ != GuardMode::canary && mprotect_guards.fetch_add(1, std::memory_order_relaxed) < options_.mprotect_budget &&
               ::mprotect(stack.base, page_bytes_, PROT_NONE) == 0) {
      stack.guard = GuardMode::mprotect;
    } else {
      if (mode_ != GuardMode::canary) mprotect_guards.fetch_sub(1, std::memory_order_relaxed);
      stack.guard = GuardMode::canary;
    }
    stack.guard_bytes = static_cast<std::uint32_t>(stack.guard == GuardMode::canary ? kCanaryBytes : page_bytes_);
    stack.direct = stack.size_class != smallest_class_ || stack.guard == GuardMode::canary;
    made_[static_cast<std::size_t>(stack.guard)].fetch_add(1, std::memory_order_relaxed);
  }
}

void StackPool::check_canary(Stack& stack) noexcept {
  if (canary_intact(stack)) return;
  if (options_.on_overflow == nullptr) {
    std::fprintf(stderr, "weft: a stack of %zu bytes overflowed; its last owner was %#llx\n", stack.bytes,
                 static_cast<unsigned long long>(stack.owner.load(std::memory_order_relaxed)));
    std::abort();
  }
  options_.on_overflow(stack);
  ::madvise(stack.base, stack.bytes, MADV_DONTNEED);  // Makes the canary whole again.
}

// Guard markers and protections outlast it.
void StackPool::decommit(StackBatch batch) noexcept {
  Adviser adviser(MADV_DONTNEED);
  for (Stack* stack = batch.head; stack != nullptr; stack = stack->next) {
    adviser.add(stack->base, stack->bytes);
    if (adviser.full()) adviser.apply();
  }
  adviser.apply();
}

void StackCache::flush() noexcept {
  pool_.give_batch(loaded_);
  pool_.give_batch(spare_);
  loaded_ = spare_ = {};
}

bool StackCache::reload() noexcept {
  if (spare_.head != nullptr) {
    loaded_ = spare_;
    spare_ = {};
  } else {
    loaded_ = pool_.take_batch(StackPool::kBatch);
  }
  return loaded_.head != nullptr;
}

void StackCache::unload() noexcept {
  pool_.give_batch(spare_);
  spare_ = loaded_;
  loaded_ = {};
}

// True: the stack is dealt with.
bool StackCache::give_direct(Stack* stack) noexcept {
  if (stack->size_class != pool_.smallest_class_) {
    pool_.give(stack);
    return true;
  }
  pool_.check_canary(*stack);
  return false;
}

}  // namespace weft::scheduler
