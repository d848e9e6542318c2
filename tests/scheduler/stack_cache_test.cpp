#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "scheduler/stack_pool.hpp"
#include "tests/scheduler/sizes.hpp"

namespace weft::inline v0::scheduler {
namespace {

TEST(StackCache, HandsOutTheStackGivenBackLastAndFlushesTheOldest) {
  StackPool pool;
  StackCache cache(pool);
  std::vector<Stack*> stacks;
  for (int i = 0; i < 96; ++i) stacks.push_back(cache.take());
  EXPECT_EQ(pool.stats().live, 96U);
  for (Stack* stack : stacks) cache.give(stack);
  EXPECT_EQ(pool.stats().live, 64U) << "the third magazine went to the depot";
  for (std::size_t i = 96; i > 0; --i) EXPECT_EQ(cache.take(), stacks[i - 1]) << i;
  for (Stack* stack : stacks) cache.give(stack);
  cache.flush();
  EXPECT_EQ(pool.stats().live, 0U);
}

TEST(StackCache, PassesOtherSizesOnToThePool) {
  StackPool pool;
  StackCache cache(pool);
  Stack* large = cache.take(kMiB);
  ASSERT_NE(large, nullptr);
  EXPECT_EQ(large->bytes, kMiB);
  cache.give(large);
  EXPECT_EQ(pool.take(kMiB), large);
  pool.give(large);
}

// Each round a thread takes a few stacks, and gives back some of its own and some that another thread left for it.
TEST(StackPoolStress, AStackHasOneHolderAtATime) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 3000;
  StackPoolOptions options;
  options.max_idle_bytes = kKiB * 64 * 200;
  options.trim_keep_bytes = 0;
  StackPool pool(options);
  std::array<std::atomic<Stack*>, 16> exchange{};
  std::atomic<int> conflicts{0};
  std::atomic<int> working{kThreads};

  const auto hold = [&](Stack* stack, std::uint64_t holder) {
    std::uint64_t nobody = 0;
    // relaxed: the pool must order one holder after another; TSan checks that by the plain write below.
    if (!stack->owner.compare_exchange_strong(nobody, holder, std::memory_order_relaxed)) ++conflicts;
    *const_cast<volatile std::byte*>(stack->top() - 1) = std::byte{1};
  };
  const auto release = [&](Stack* stack) { stack->owner.store(0, std::memory_order_relaxed); };
  const auto work = [&](std::uint64_t id) {
    std::mt19937 random(static_cast<unsigned>(id));
    StackCache cache(pool);
    std::vector<Stack*> held;
    for (int round = 0; round < kRounds; ++round) {
      const auto batch = random() % 48;
      for (auto i = batch; i > 0; --i) {
        Stack* stack = random() % 8 == 0 ? pool.take(random() % 64 == 0 ? 256 * kKiB : 0) : cache.take();
        if (stack == nullptr) {
          ++conflicts;
          continue;
        }
        hold(stack, id);
        held.push_back(stack);
      }
      while (held.size() > random() % 96) {
        Stack* stack = held.back();
        held.pop_back();
        release(stack);
        // acq_rel: the next holder must see what the last one wrote.
        if (random() % 4 == 0) stack = exchange[random() % exchange.size()].exchange(stack, std::memory_order_acq_rel);
        if (stack == nullptr) continue;
        if (random() % 8 == 0) {
          pool.give(stack);
        } else {
          cache.give(stack);
        }
      }
    }
    for (Stack* stack : held) {
      release(stack);
      cache.give(stack);
    }
    working.fetch_sub(1, std::memory_order_relaxed);
  };
  std::vector<std::thread> threads;
  for (std::uint64_t id = 1; id <= kThreads; ++id) threads.emplace_back(work, id);
  int nowhere = 0;
  while (working.load(std::memory_order_relaxed) != 0) {
    pool.trim(64);
    EXPECT_EQ(pool.find(&nowhere), nullptr);  // Beside growth: S2.
  }
  for (std::thread& thread : threads) thread.join();
  for (std::atomic<Stack*>& left : exchange) {
    if (Stack* stack = left.load(std::memory_order_relaxed)) pool.give(stack);
  }
  EXPECT_EQ(conflicts.load(), 0);
  EXPECT_EQ(pool.stats().live, 0U);
}

}  // namespace
}  // namespace weft::scheduler
