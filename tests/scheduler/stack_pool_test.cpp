#include "scheduler/stack_pool.hpp"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "tests/scheduler/sizes.hpp"

namespace weft::inline v0::scheduler {
namespace {

void touch(std::byte* address) { *const_cast<volatile std::byte*>(address) = std::byte{1}; }

std::size_t mappings() {
  std::ifstream maps("/proc/self/maps");
  std::size_t lines = 0;
  for (std::string line; std::getline(maps, line);) ++lines;
  return lines;
}

std::size_t page_bytes() { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

std::size_t resident_pages(const Stack& stack) {
  std::vector<unsigned char> resident(stack.bytes / page_bytes());
  EXPECT_EQ(::mincore(stack.base, stack.bytes, resident.data()), 0);
  return static_cast<std::size_t>(std::count_if(resident.begin(), resident.end(), [](unsigned char page) { return (page & 1) != 0; }));
}

std::vector<Stack*> take_many(StackPool& pool, std::size_t count, std::size_t bytes = 0) {
  std::vector<Stack*> stacks;
  for (std::size_t i = 0; i < count; ++i) stacks.push_back(pool.take(bytes));
  return stacks;
}

void give_all(StackPool& pool, const std::vector<Stack*>& stacks) {
  for (Stack* stack : stacks) pool.give(stack);
}

StackPoolOptions with_guard(GuardMode mode) {
  StackPoolOptions options;
  options.guard = mode;
  return options;
}

int overflows_seen = 0;
void count_overflow(const Stack&) noexcept { ++overflows_seen; }

StackPoolOptions counting_overflows() {
  overflows_seen = 0;
  StackPoolOptions options = with_guard(GuardMode::canary);
  options.on_overflow = count_overflow;
  return options;
}

TEST(StackPool, RoundsARequestUpToItsSizeClass) {
  StackPool pool;
  const std::array<std::array<std::size_t, 2>, 9> cases{{{0, 64 * kKiB},
                                                         {1, 64 * kKiB},
                                                         {64 * kKiB, 64 * kKiB},
                                                         {64 * kKiB + 1, 128 * kKiB},
                                                         {256 * kKiB, 256 * kKiB},
                                                         {kMiB, kMiB},
                                                         {kMiB + 1, 2 * kMiB},
                                                         {200 * kMiB, 256 * kMiB},
                                                         {256 * kMiB, 256 * kMiB}}};
  for (const auto& [asked, got] : cases) {
    Stack* stack = pool.take(asked);
    ASSERT_NE(stack, nullptr) << asked;
    EXPECT_EQ(stack->bytes, got) << asked;
    touch(stack->top() - 1);
    touch(stack->limit());
    pool.give(stack);
  }
  EXPECT_EQ(pool.take(StackPool::kMaxStackBytes + 1), nullptr);
  EXPECT_EQ(pool.stats().live, 0U);
}

TEST(StackPool, HandsOutTheStackGivenBackLast) {
  StackPool pool;
  const std::vector<Stack*> stacks = take_many(pool, 100);
  give_all(pool, stacks);
  std::vector<Stack*> again = take_many(pool, 100);
  std::reverse(again.begin(), again.end());
  EXPECT_EQ(again, stacks);
  give_all(pool, again);
}

TEST(StackPool, HandsOutEachStackOnce) {
  StackPool pool;
  const std::vector<Stack*> stacks = take_many(pool, 1000);
  EXPECT_EQ(std::set<Stack*>(stacks.begin(), stacks.end()).size(), stacks.size());
  give_all(pool, stacks);
}

TEST(StackPool, ShiftsTheTopsOfNeighboursApartButKeepsThemAligned) {
  StackPool pool;
  const std::vector<Stack*> stacks = take_many(pool, 16);
  std::set<std::size_t> offsets;
  for (const Stack* stack : stacks) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(stack->top()) % 16, 0U);
    const auto offset = static_cast<std::size_t>(stack->base + stack->bytes - stack->top());
    EXPECT_LT(offset, kKiB);
    offsets.insert(offset);
  }
  EXPECT_EQ(offsets.size(), 8U);
  give_all(pool, stacks);
}

TEST(StackPoolDeath, AGuardFaultsInEveryModeThatPromisesIt) {
  for (const GuardMode mode : {GuardMode::automatic, GuardMode::guard_markers, GuardMode::mprotect}) {
    StackPool pool(with_guard(mode));
    for (const std::size_t bytes : {64 * kKiB, kMiB}) {
      // More than one round of growth, so that a guard is checked at the end of a batch as well.
      const std::vector<Stack*> stacks = take_many(pool, 130, bytes);
      for (Stack* stack : {stacks.front(), stacks[63], stacks[64], stacks.back()}) {
        ASSERT_NE(stack->guard, GuardMode::canary);
        touch(stack->limit());
        EXPECT_DEATH(touch(stack->limit() - 1), "");
        EXPECT_DEATH(touch(stack->base), "");
      }
      give_all(pool, stacks);
    }
  }
}

TEST(StackPoolDeath, AGuardOutlivesDecommit) {
  StackPoolOptions options;
  options.max_idle_bytes = 0;
  StackPool pool(options);
  Stack* stack = pool.take(0);
  touch(stack->limit());
  pool.give(stack);
  EXPECT_EQ(resident_pages(*stack), 0U);
  ASSERT_EQ(pool.take(0), stack);
  EXPECT_DEATH(touch(stack->limit() - 1), "");
  pool.give(stack);
}

// From here on this process lives on a kernel without guard markers and without process_madvise.
void become_an_older_kernel() {
  constexpr unsigned kGuardInstall = 102;
  const auto refuse = [](unsigned error) { return sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error); };
  std::array<sock_filter, 8> rules{sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                                   sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_madvise, 0, 1),
                                   refuse(ENOSYS),
                                   sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
                                   sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
                                   sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kGuardInstall, 0, 1),
                                   refuse(EINVAL),
                                   sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{static_cast<unsigned short>(rules.size()), rules.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) ::_exit(2);
}

TEST(StackPoolDeath, AnOlderKernelGetsMprotectGuardsAndSingleAdvice) {
  EXPECT_EXIT(
      {
        become_an_older_kernel();
        StackPoolOptions options;
        options.max_idle_bytes = 0;
        StackPool pool(options);
        const StackBatch batch = pool.take_batch(8);
        for (Stack* stack = batch.head; stack != nullptr; stack = stack->next) touch(stack->limit());
        pool.give_batch(batch);
        Stack* stack = pool.take(0);
        const bool as_expected = pool.stats().mode == GuardMode::mprotect && stack->guard == GuardMode::mprotect && high_water(*stack) == 0;
        if (!as_expected) ::_exit(3);
        ::signal(SIGSEGV, SIG_DFL);  // A sanitizer would report it first.
        touch(stack->base);
      },
      testing::KilledBySignal(SIGSEGV), "");
}

TEST(StackPool, FallsBackToCanariesWhenTheMprotectBudgetIsSpent) {
  StackPoolOptions options = with_guard(GuardMode::mprotect);
  options.mprotect_budget = 10;
  {
    StackPool pool(options);
    const std::vector<Stack*> stacks = take_many(pool, 300);
    EXPECT_EQ(std::count_if(stacks.begin(), stacks.end(), [](Stack* stack) { return stack->guard == GuardMode::mprotect; }), 10);
    EXPECT_EQ(pool.stats().mode, GuardMode::mprotect);
    EXPECT_EQ(pool.stats().with_mprotect, 10U);
    EXPECT_EQ(pool.stats().with_canary, pool.stats().live + pool.stats().decommitted - 10);
    StackPool neighbour(options);
    Stack* stack = neighbour.take(0);
    EXPECT_EQ(stack->guard, GuardMode::canary) << "the budget is the program's, not the pool's";
    neighbour.give(stack);
    give_all(pool, stacks);
  }
  StackPool later(options);
  Stack* stack = later.take(0);
  EXPECT_EQ(later.stats().with_mprotect, 10U) << "a pool that ends returns its part of the budget";
  later.give(stack);
}

TEST(StackPool, FindsABrokenCanaryWhenTheStackIsGivenBack) {
  StackPool pool(counting_overflows());
  StackCache cache(pool);
  for (const std::size_t offset : {std::size_t{0}, std::size_t{100}, std::size_t{255}}) {
    Stack* direct = pool.take(0);
    EXPECT_TRUE(canary_intact(*direct));
    touch(direct->limit());
    EXPECT_TRUE(canary_intact(*direct)) << "the lowest usable byte is no part of it";
    touch(direct->base + offset);
    EXPECT_FALSE(canary_intact(*direct));
    pool.give(direct);
    Stack* cached = cache.take();
    EXPECT_TRUE(canary_intact(*cached)) << "a new holder finds it whole";
    touch(cached->base + offset);
    cache.give(cached);
  }
  EXPECT_EQ(overflows_seen, 6);
}

TEST(StackPool, ACanaryCostsNoPage) {
  StackPool pool(counting_overflows());
  Stack* stack = pool.take(0);
  EXPECT_EQ(resident_pages(*stack), 0U);
  pool.give(stack);
  EXPECT_EQ(overflows_seen, 0);
}

TEST(StackPoolDeath, ABrokenCanaryNamesTheOwnerAndAborts) {
  StackPool pool(with_guard(GuardMode::canary));
  Stack* stack = pool.take(0);
  stack->owner.store(0xabc, std::memory_order_relaxed);
  EXPECT_DEATH(
      {
        touch(stack->base);
        pool.give(stack);
      },
      "overflowed.*0xabc");
  pool.give(stack);
}

TEST(StackPool, RefusesWhatIsAboveTheLimitUntilAStackIsGivenBack) {
  StackPoolOptions options;
  options.max_stacks = 40;
  StackPool pool(options);
  const std::vector<Stack*> stacks = take_many(pool, 40);
  EXPECT_EQ(pool.take(0), nullptr);
  EXPECT_EQ(pool.take(kMiB), nullptr);
  EXPECT_EQ(pool.take_batch(32).head, nullptr);
  pool.give(stacks.front());
  EXPECT_EQ(pool.take(0), stacks.front());
  give_all(pool, stacks);

  StackCache cache(pool);
  std::vector<Stack*> cached;
  while (Stack* stack = cache.take()) cached.push_back(stack);
  EXPECT_EQ(cached.size(), 40U) << "a cache reaches the whole limit, though it is no multiple of a batch";
  for (Stack* stack : cached) cache.give(stack);
}

TEST(StackPoolDeath, ReturnsNullWhenAddressSpaceIsShort) {
  EXPECT_EXIT(
      {
        StackPool pool;
        Stack* before = pool.take(0);
        rlimit limit{};
        limit.rlim_cur = limit.rlim_max = 64 * kMiB;
        ::setrlimit(RLIMIT_AS, &limit);
        const bool refused = pool.take(256 * kMiB) == nullptr;
        pool.give(before);
        ::_exit(refused && pool.take(0) == before ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(StackPool, GrowsSlabBySlabAndFindsEveryStack) {
  StackPoolOptions options;
  options.first_slab_bytes = 256 * kKiB;
  options.max_slab_bytes = kMiB;
  StackPool pool(options);
  const std::vector<Stack*> stacks = take_many(pool, 60);
  EXPECT_EQ(pool.stats().slabs, 5U) << "4, 8, 16, 16 and 16 stacks";
  for (Stack* stack : stacks) {
    EXPECT_EQ(pool.find(stack->base), stack);
    EXPECT_TRUE(stack->in_guard(stack->base));
    EXPECT_EQ(pool.find(stack->limit() - 1), stack);
    EXPECT_TRUE(stack->in_guard(stack->limit() - 1));
    EXPECT_EQ(pool.find(stack->limit()), stack);
    EXPECT_FALSE(stack->in_guard(stack->limit()));
    EXPECT_EQ(pool.find(stack->base + stack->bytes - 1), stack);
    EXPECT_FALSE(stack->in_guard(stack->base - 1));
  }
  int elsewhere = 0;
  EXPECT_EQ(pool.find(&elsewhere), nullptr);
  EXPECT_EQ(pool.find(nullptr), nullptr);
  give_all(pool, stacks);
}

TEST(StackPool, FindsNothingInTheUnopenedPartOfASlab) {
  StackPool pool;
  Stack* stack = pool.take(0);
  const std::byte* slab = stack->base - stack->index * stack->bytes;
  EXPECT_NE(pool.find(slab), nullptr);
  EXPECT_EQ(pool.find(slab + pool.stats().reserved_bytes - 1), nullptr);
  pool.give(stack);
}

StackPool* faulting_pool = nullptr;

void report_overflow(int, siginfo_t* info, void*) {
  const Stack* stack = faulting_pool->find(info->si_addr);
  ::_exit(stack != nullptr && stack->in_guard(info->si_addr) ? static_cast<int>(stack->owner.load(std::memory_order_relaxed)) : 1);
}

TEST(StackPoolDeath, ASignalHandlerCanNameTheOwnerOfAnOverflowedStack) {
  StackPool pool;
  faulting_pool = &pool;
  const std::vector<Stack*> stacks = take_many(pool, 3);
  stacks[1]->owner.store(42, std::memory_order_relaxed);
  EXPECT_EXIT(
      {
        struct sigaction action {};
        action.sa_sigaction = report_overflow;
        action.sa_flags = SA_SIGINFO;
        ::sigaction(SIGSEGV, &action, nullptr);
        touch(stacks[1]->limit() - 8);
      },
      testing::ExitedWithCode(42), "");
  give_all(pool, stacks);
}

TEST(StackPool, GivesBackThePagesOfWhatExceedsTheIdleAllowance) {
  StackPoolOptions options;
  options.max_idle_bytes = kKiB * 64 * 4;
  StackPool pool(options);
  const std::vector<Stack*> stacks = take_many(pool, 10);
  for (Stack* stack : stacks) std::memset(stack->limit(), 1, stack->bytes - stack->guard_bytes);
  give_all(pool, stacks);
  EXPECT_EQ(pool.stats().idle, 4U);
  for (std::size_t i = 0; i < stacks.size(); ++i) {
    EXPECT_EQ(resident_pages(*stacks[i]) == 0, i >= 4) << i;
    EXPECT_EQ(high_water(*stacks[i]) == 0, i >= 4) << i;
  }
}

TEST(StackPool, TrimTakesThePagesOfStacksThatStayedIdleSinceTheLastTrim) {
  StackPoolOptions options;
  options.trim_keep_bytes = kKiB * 64 * 10;
  StackPool pool(options);
  StackCache cache(pool);
  std::vector<Stack*> stacks;
  for (std::size_t i = 0; i < 416; ++i) stacks.push_back(cache.take());
  for (Stack* stack : stacks) touch(stack->top() - 1);
  for (Stack* stack : stacks) cache.give(stack);
  cache.flush();
  const auto resident = [&] {
    std::size_t pages = 0;
    for (const Stack* stack : stacks) pages += resident_pages(*stack);
    return pages;
  };
  EXPECT_EQ(pool.trim(1000), 406U);
  EXPECT_EQ(resident(), 416U) << "none has been idle for a whole interval yet";
  const std::vector<Stack*> busy = take_many(pool, 100);
  give_all(pool, busy);
  EXPECT_EQ(pool.trim(50), 356U);
  EXPECT_EQ(resident(), 366U) << "no more than it was asked for";
  EXPECT_EQ(pool.trim(1000), 90U);
  EXPECT_EQ(resident(), 100U) << "the hundred in use since the first trim are left";
  for (const Stack* stack : busy) EXPECT_EQ(resident_pages(*stack), 1U);
  EXPECT_EQ(pool.trim(1000), 0U);
  EXPECT_EQ(resident(), 10U);
  EXPECT_EQ(pool.trim(1000), 0U);
  EXPECT_EQ(pool.stats().idle, 10U);
}

TEST(StackPool, HighWaterTellsTheDeepestByteUsed) {
  for (const GuardMode mode : {GuardMode::automatic, GuardMode::mprotect, GuardMode::canary}) {
    StackPool pool(with_guard(mode));
    Stack* stack = pool.take(256 * kKiB);
    EXPECT_EQ(high_water(*stack), 0U);
    std::byte* end = stack->base + stack->bytes;
    for (const std::size_t depth : {std::size_t{8}, std::size_t{4096}, std::size_t{4104}, std::size_t{200'000}}) {
      touch(end - depth);
      EXPECT_EQ(high_water(*stack), depth);
    }
    EXPECT_EQ(resident_pages(*stack), 3U) << "looking costs no page";
    pool.give(stack);
  }
}

TEST(StackPool, AHundredThousandStacksStayAFewMappings) {
  StackPool pool;
  if (pool.stats().mode != GuardMode::guard_markers) GTEST_SKIP() << "no guard markers here";
  const std::size_t before = mappings();
  const std::vector<Stack*> stacks = take_many(pool, 100'000);
  ASSERT_EQ(std::count(stacks.begin(), stacks.end(), nullptr), 0);
  EXPECT_LT(mappings(), before + 1'000);  // Split mappings would be 200,000. The sanitizers add some of their own.
  EXPECT_GE(pool.stats().with_guard_markers, 100'000U);
  EXPECT_EQ(pool.stats().with_canary, 0U);
  give_all(pool, stacks);
}

int fibers_made = 0;
void* make_fiber() noexcept { return &++fibers_made; }
void end_fiber(void*) noexcept { --fibers_made; }

TEST(StackPool, PoolsTheSanitizersFiberWithTheStack) {
  StackPoolOptions options;
  options.create_tsan_fiber = make_fiber;
  options.destroy_tsan_fiber = end_fiber;
  {
    StackPool pool(options);
    for (int round = 0; round < 3; ++round) give_all(pool, take_many(pool, 5));
    EXPECT_EQ(fibers_made, 5);
    const std::vector<Stack*> warm = take_many(pool, 5);
    const StackBatch fresh = pool.take_batch(StackPool::kBatch);
    EXPECT_EQ(fibers_made, 5 + static_cast<int>(fresh.count));
    pool.give_batch(fresh);
    give_all(pool, warm);
  }
  EXPECT_EQ(fibers_made, 0);
}

TEST(StackPool, ABatchNeverExceedsWhatWasAskedFor) {
  StackPool pool;
  std::vector<StackBatch> batches;
  std::set<Stack*> seen;
  std::size_t taken = 0;
  for (const std::size_t most : {std::size_t{1}, std::size_t{7}, std::size_t{32}, std::size_t{5}, std::size_t{100}}) {
    const StackBatch batch = pool.take_batch(most);
    EXPECT_GE(batch.count, 1U);
    EXPECT_LE(batch.count, most);
    std::size_t walked = 0;
    for (Stack* stack = batch.head; stack != nullptr; stack = stack->next, ++walked) seen.insert(stack);
    EXPECT_EQ(walked, batch.count);
    taken += batch.count;
    batches.push_back(batch);
  }
  EXPECT_EQ(seen.size(), taken);
  EXPECT_EQ(pool.stats().live, taken);
  for (const StackBatch& batch : batches) pool.give_batch(batch);
  EXPECT_EQ(pool.stats().live, 0U);
}

}  // namespace
}  // namespace weft::scheduler
