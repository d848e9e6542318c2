#include "scheduler/injection_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

#include "tests/scheduler/no_memory.hpp"

namespace weft::inline v0::scheduler {
namespace {

struct Entry {
  Entry* run_next = nullptr;
  std::size_t times_taken = 0;  // Plain: the queue hands it over.
};

TEST(InjectionQueue, IsEmptyAtFirst) {
  InjectionQueue queue(run_next_link<Entry>());
  void* out[1];
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.approximate_size(), 0u);
  EXPECT_EQ(queue.pop_bulk(out, 1), 0u);
}

// moodycamel knows threads by the address of a thread-local, and the system gives a new thread the place of one that ended: it goes on with
// that one's stream. Nothing but the queue itself orders the two here, for the flag does not.
TEST(InjectionQueue, AThreadInThePlaceOfAnEndedOneComesAfterIt) {
  InjectionQueue queue(run_next_link<Entry>());
  std::vector<Entry> items(40);
  std::atomic<std::size_t> pushed{0};
  const auto every_other = [&](std::size_t turn) {
    for (std::size_t i = turn; i < items.size(); i += 2) {
      while (pushed.load(std::memory_order_relaxed) != i) std::this_thread::yield();
      std::thread([&] { queue.push(&items[i]); }).join();
      pushed.store(i + 1, std::memory_order_relaxed);
    }
  };
  std::thread even([&] { every_other(0); });
  std::thread odd([&] { every_other(1); });
  even.join();
  odd.join();
  std::vector<void*> out(items.size());
  std::size_t taken = 0;
  while (const std::size_t count = queue.pop_bulk(out.data() + taken, out.size() - taken)) taken += count;
  EXPECT_EQ(taken, items.size());
}

TEST(InjectionQueue, KeepsTheOrderOfOneThread) {
  InjectionQueue queue(run_next_link<Entry>());
  std::vector<Entry> items(100);
  for (Entry& item : items) queue.push(&item);
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(queue.approximate_size(), items.size());
  std::size_t next = 0;
  void* out[7];
  while (const std::size_t count = queue.pop_bulk(out, 7)) {
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(out[i], &items[next++]);
  }
  EXPECT_EQ(next, items.size());
  EXPECT_TRUE(queue.empty());
}

TEST(InjectionQueue, TakesNoMoreThanAskedFor) {
  InjectionQueue queue(run_next_link<Entry>());
  Entry a, b;
  queue.push(&a);
  queue.push(&b);
  void* out[2] = {nullptr, nullptr};
  EXPECT_EQ(queue.pop_bulk(out, 0), 0u);
  EXPECT_EQ(queue.pop_bulk(out, 1), 1u);
  EXPECT_EQ(out[0], &a);
  EXPECT_EQ(out[1], nullptr);
  EXPECT_EQ(queue.approximate_size(), 1u);
}

TEST(InjectionQueue, LosesNothingWithoutMemory) {
  InjectionQueue queue(run_next_link<Entry>());
  std::vector<Entry> items(1000);
  std::thread([&] {  // A thread that never pushed before: its stream itself needs memory.
    const NoMemory none;
    for (Entry& item : items) queue.push(&item);
  })
      .join();
  EXPECT_EQ(queue.approximate_size(), items.size());
  void* out[16];
  std::size_t taken = 0;
  while (const std::size_t count = queue.pop_bulk(out, 16)) {
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(out[i], &items[taken++]);
  }
  EXPECT_EQ(taken, items.size());
  EXPECT_TRUE(queue.empty());
}

TEST(InjectionQueue, LosesNothingWhenMemoryRunsOutHalfWay) {
  InjectionQueue queue(run_next_link<Entry>());
  std::vector<Entry> items(20'000);
  for (std::size_t i = 0; i < items.size(); ++i) {
    std::optional<NoMemory> none;
    if (i % 8'000 > 2'000) none.emplace();
    queue.push(&items[i]);
  }
  void* out[64];
  while (const std::size_t count = queue.pop_bulk(out, 64)) {
    for (std::size_t i = 0; i < count; ++i) ++static_cast<Entry*>(out[i])->times_taken;
  }
  for (const Entry& item : items) ASSERT_EQ(item.times_taken, 1u);
  EXPECT_TRUE(queue.empty());
}

TEST(InjectionQueue, AFloodFromOneThreadDoesNotHoldUpAnother) {
  for (const bool flood_came_first : {true, false}) {
    InjectionQueue queue(run_next_link<Entry>());
    std::vector<Entry> flood(3'000);
    Entry single;
    std::latch pushed(1), finished(1);
    const auto push_flood = [&] {
      for (Entry& item : flood) queue.push(&item);
    };
    if (!flood_came_first) queue.push(&single);
    std::thread other([&] {  // Alive to the end, so that it keeps a stream of its own.
      push_flood();
      pushed.count_down();
      finished.wait();
    });
    pushed.wait();
    if (flood_came_first) queue.push(&single);
    bool found = false;
    for (int calls = 0; calls < 3; ++calls) {  // Two streams, so every second call starts with the short one.
      void* out[512];
      const std::size_t count = queue.pop_bulk(out, 512);
      for (std::size_t i = 0; i < count; ++i) found = found || out[i] == &single;
    }
    EXPECT_TRUE(found);
    finished.count_down();
    other.join();
  }
}

TEST(InjectionQueue, NeitherTheQueueNorItsOverflowHoldsUpTheOther) {
  for (const bool single_is_queued : {true, false}) {
    InjectionQueue queue(run_next_link<Entry>());
    std::vector<Entry> flood(5'000);  // More than the queue proper holds.
    Entry single;
    if (single_is_queued) queue.push(&single);
    {
      std::optional<NoMemory> none;
      std::thread other([&] {
        if (single_is_queued) none.emplace();  // Then all of the flood overflows.
        for (std::size_t i = 0; i < (single_is_queued ? flood.size() : 4'096); ++i) queue.push(&flood[i]);
        none.reset();
      });
      other.join();
    }
    if (!single_is_queued) queue.push(&single);  // No place left: it overflows.
    bool found = false;
    for (int calls = 0; calls < 2; ++calls) {
      void* out[64];
      const std::size_t count = queue.pop_bulk(out, 64);
      for (std::size_t i = 0; i < count; ++i) found = found || out[i] == &single;
    }
    EXPECT_TRUE(found);
  }
}

TEST(InjectionQueue, ManyThreadsPushAndTakeEachItemOnce) {
  constexpr std::size_t kPushers = 3;
  constexpr std::size_t kEach = 40'000;
  InjectionQueue queue(run_next_link<Entry>());
  std::array<std::vector<Entry>, kPushers> items;
  std::atomic<std::size_t> taken{0};
  std::vector<std::thread> threads;
  for (auto& own : items) own = std::vector<Entry>(kEach);
  for (auto& own : items) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < kEach; ++i) {
        std::optional<NoMemory> none;
        if (i % 64 < 8) none.emplace();
        queue.push(&own[i]);
      }
    });
  }
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      void* out[32];
      while (taken.load(std::memory_order_relaxed) < kPushers * kEach) {
        const std::size_t count = queue.pop_bulk(out, 32);
        for (std::size_t k = 0; k < count; ++k) ++static_cast<Entry*>(out[k])->times_taken;
        taken.fetch_add(count, std::memory_order_relaxed);
        if (count == 0) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& own : items) {
    for (const Entry& item : own) ASSERT_EQ(item.times_taken, 1u);
  }
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace weft::scheduler
