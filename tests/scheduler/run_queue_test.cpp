#include "scheduler/run_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "tests/scheduler/no_memory.hpp"

namespace weft::inline v0::scheduler {
namespace {

struct Item {
  Item* run_next = nullptr;
  std::size_t number = 0;  // Plain, and read by who takes the item: ThreadSanitizer checks that queues hand it over.
  std::size_t times_taken = 0;
};

std::vector<Item> make_items(std::size_t count) {
  std::vector<Item> items(count);
  for (std::size_t i = 0; i < count; ++i) items[i].number = i;
  return items;
}

void push_all(RunQueue<Item>& queue, std::vector<Item>& items) {
  for (Item& item : items) queue.push(&item);
}

/// Pops `count` items and expects them numbered from `first` on.
void expect_run(RunQueue<Item>& queue, std::size_t first, std::size_t count) {
  for (std::size_t i = first; i < first + count; ++i) {
    Item* item = queue.pop();
    ASSERT_NE(item, nullptr);
    ASSERT_EQ(item->number, i);
  }
}

constexpr std::size_t kCapacity = RunQueue<Item>::kFirstCapacity;

TEST(RunQueue, IsEmptyAtFirst) {
  RunQueue<Item> queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.pop(), nullptr);
}

TEST(RunQueue, PopsInTheOrderOfPushes) {
  RunQueue<Item> queue;
  auto items = make_items(10);
  push_all(queue, items);
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(queue.size(), 10u);
  expect_run(queue, 0, 10);
  EXPECT_EQ(queue.pop(), nullptr);
}

TEST(RunQueue, KeepsItsOrderWhileTheRingTurnsAndGrows) {
  RunQueue<Item> queue;
  auto items = make_items(20'000);
  std::size_t pushed = 0;
  std::size_t popped = 0;
  while (pushed < items.size()) {
    for (int i = 0; i < 5 && pushed < items.size(); ++i) queue.push(&items[pushed++]);
    expect_run(queue, popped, 2);
    popped += 2;
  }
  EXPECT_EQ(queue.size(), pushed - popped);
  expect_run(queue, popped, pushed - popped);
  EXPECT_TRUE(queue.empty());
}

TEST(RunQueue, AThiefTakesTheOlderHalfRoundedUpAndRunsTheOldest) {
  for (std::size_t count : {1u, 2u, 3u, 10u, 31u, 63u, 64u, 65u, 255u, 1001u}) {
    SCOPED_TRACE(count);
    RunQueue<Item> victim, thief;
    auto items = make_items(count);
    push_all(victim, items);
    Item* first = nullptr;
    const std::size_t half = (count + 1) / 2;
    ASSERT_EQ(victim.steal_half_into(thief, &first), half);
    ASSERT_EQ(first, &items[0]);
    EXPECT_EQ(thief.size(), half - 1);
    EXPECT_EQ(victim.size(), count - half);
    expect_run(thief, 1, half - 1);
    expect_run(victim, half, count - half);
  }
}

TEST(RunQueue, AThiefFindsNothingInAnEmptyQueue) {
  RunQueue<Item> victim, thief;
  Item untouched;
  Item* first = &untouched;
  EXPECT_EQ(victim.steal_half_into(thief, &first), 0u);
  EXPECT_EQ(first, &untouched);
}

TEST(RunQueue, WhatAThiefTakesGoesBehindWhatItHas) {
  RunQueue<Item> victim, thief;
  auto items = make_items(3 * kCapacity);
  thief.push(&items[0]);
  for (std::size_t i = 1; i < items.size(); ++i) victim.push(&items[i]);
  Item* first = nullptr;
  const std::size_t taken = victim.steal_half_into(thief, &first);
  ASSERT_EQ(taken, items.size() / 2);
  EXPECT_EQ(first, &items[1]);
  EXPECT_EQ(thief.pop(), &items[0]);
  expect_run(thief, 2, taken - 1);
}

TEST(RunQueue, AThiefThatCannotGrowTakesWhatFits) {
  RunQueue<Item> victim, thief;
  auto own = make_items(kCapacity - 6);
  auto items = make_items(1000);
  push_all(thief, own);
  push_all(victim, items);
  Item* first = nullptr;
  {
    const NoMemory none;
    EXPECT_EQ(victim.steal_half_into(thief, &first), 7u);  // One to run, six for the ring.
    EXPECT_EQ(first, &items[0]);
    EXPECT_EQ(victim.steal_half_into(thief, &first), 1u);
    EXPECT_EQ(first, &items[7]);
  }
  expect_run(thief, 0, own.size());
  expect_run(thief, 1, 6);
  expect_run(victim, 8, items.size() - 8);
}

TEST(RunQueue, LosesNothingAndKeepsItsOrderWhenItCannotGrow) {
  RunQueue<Item> queue;
  auto items = make_items(4 * kCapacity);
  const NoMemory none;
  push_all(queue, items);
  EXPECT_EQ(queue.size(), items.size());
  expect_run(queue, 0, items.size());
  EXPECT_EQ(queue.pop(), nullptr);
  EXPECT_EQ(queue.size(), 0u);
}

TEST(RunQueue, WhatOverflowedBecomesStealableOnceThereIsRoom) {
  RunQueue<Item> queue, thief;
  auto items = make_items(2 * kCapacity);
  const NoMemory none;
  push_all(queue, items);
  Item* first = nullptr;
  ASSERT_EQ(queue.steal_half_into(thief, &first), kCapacity / 2);  // Half of the ring: thieves do not see the overflow.
  EXPECT_EQ(queue.size(), items.size() - kCapacity / 2);
  EXPECT_EQ(queue.pop(), &items[kCapacity / 2]);
  ASSERT_EQ(queue.steal_half_into(thief, &first), kCapacity / 2);  // The owner has filled the ring up.
  expect_run(queue, kCapacity + 1, kCapacity - 1);
}

TEST(RunQueue, AQueueEmptiedByThievesStillHasItsOverflow) {
  RunQueue<Item> queue, thief;
  auto items = make_items(kCapacity + 3);
  const NoMemory none;
  push_all(queue, items);
  while (!queue.empty()) {
    Item* first = nullptr;
    ASSERT_NE(queue.steal_half_into(thief, &first), 0u);
  }
  EXPECT_EQ(queue.size(), 3u);
  expect_run(queue, kCapacity, 3);
}

TEST(RunQueue, PushesGoBehindTheOverflowAlsoWhenMemoryIsBack) {
  RunQueue<Item> queue;
  auto items = make_items(4 * kCapacity);
  std::optional<NoMemory> none(std::in_place);
  for (std::size_t i = 0; i < 2 * kCapacity; ++i) queue.push(&items[i]);
  none.reset();
  for (std::size_t i = 2 * kCapacity; i < items.size(); ++i) queue.push(&items[i]);
  RunQueue<Item> thief;
  Item* first = nullptr;
  EXPECT_EQ(queue.steal_half_into(thief, &first), 2 * kCapacity);  // All of it is in the ring again.
  expect_run(queue, 2 * kCapacity, 2 * kCapacity);
}

TEST(LifoSlot, GivesBackWhatWasPutInOrDisplaced) {
  LifoSlot<Item> slot;
  Item a, b;
  EXPECT_TRUE(slot.empty());
  EXPECT_EQ(slot.take(), nullptr);
  EXPECT_EQ(slot.steal(), nullptr);
  EXPECT_EQ(slot.exchange(&a), nullptr);
  EXPECT_FALSE(slot.empty());
  EXPECT_EQ(slot.exchange(&b), &a);
  EXPECT_EQ(slot.take(), &b);
  EXPECT_EQ(slot.exchange(&a), nullptr);
  EXPECT_EQ(slot.steal(), &a);
  EXPECT_TRUE(slot.empty());
}

TEST(LifoSlot, HandsEachItemToOneTaker) {
  LifoSlot<Item> slot;
  auto items = make_items(50'000);
  std::atomic<bool> done{false};
  const auto take = [](Item* item) {
    if (item != nullptr) ++item->times_taken;
  };
  std::thread thief([&] {
    while (!done.load(std::memory_order_relaxed)) take(slot.steal());
  });
  for (std::size_t i = 0; i < items.size(); ++i) {
    take(slot.exchange(&items[i]));
    if (i % 3 == 0) take(slot.take());
  }
  take(slot.take());
  done.store(true, std::memory_order_relaxed);
  thief.join();
  for (const Item& item : items) ASSERT_EQ(item.times_taken, 1u);
}

/// An owner that pushes and pops in bursts, and thieves that run what they steal, until every item was taken.
void stress(bool owner_has_memory, std::size_t count, std::size_t longest_burst) {
  RunQueue<Item> victim;
  auto items = make_items(count);
  std::atomic<std::size_t> taken{0};
  const auto take = [&](Item* item) {
    ++item->times_taken;
    taken.fetch_add(1, std::memory_order_relaxed);
  };
  std::vector<std::thread> thieves;
  for (int i = 0; i < 3; ++i) {
    thieves.emplace_back([&] {
      RunQueue<Item> mine;
      while (taken.load(std::memory_order_relaxed) < count) {
        Item* item = nullptr;
        if (victim.steal_half_into(mine, &item) == 0) {
          std::this_thread::yield();
          continue;
        }
        for (std::size_t last = 0; item != nullptr; item = mine.pop()) {
          EXPECT_GE(item->number, last) << "one steal takes in the order of pushes";
          last = item->number;
          take(item);
        }
      }
    });
  }
  {
    std::optional<NoMemory> none;
    if (!owner_has_memory) none.emplace();
    std::minstd_rand random(7);
    std::size_t last = 0;
    const auto pop = [&] {
      Item* item = victim.pop();
      if (item == nullptr) return false;
      EXPECT_GE(item->number, last) << "the owner pops in the order of pushes";
      last = item->number;
      take(item);
      return true;
    };
    for (std::size_t next = 0; next < count;) {
      for (std::size_t burst = random() % longest_burst; burst != 0 && next < count; --burst) victim.push(&items[next++]);
      for (std::size_t burst = random() % longest_burst; burst != 0 && pop(); --burst) {
      }
    }
    while (pop()) {
    }
  }
  for (std::thread& thief : thieves) thief.join();
  for (const Item& item : items) ASSERT_EQ(item.times_taken, 1u) << item.number;
  EXPECT_TRUE(victim.empty());
  EXPECT_EQ(victim.size(), 0u);
}

TEST(RunQueue, OwnerAndThievesTakeEachItemOnce) { stress(true, 200'000, 64); }

TEST(RunQueue, OwnerAndThievesTakeEachItemOnceWhileItGrows) { stress(true, 200'000, 5'000); }

TEST(RunQueue, OwnerAndThievesTakeEachItemOnceWhileItCannotGrow) { stress(false, 200'000, 5'000); }

TEST(RunQueue, TwoWorkersMayStealFromEachOther) {
  constexpr std::size_t kItems = 100'000;
  auto items = make_items(kItems);
  RunQueue<Item> queues[2];
  std::atomic<std::size_t> taken{0};
  const auto work = [&](int self) {
    for (std::size_t i = static_cast<std::size_t>(self); i < kItems; i += 2) {
      queues[self].push(&items[i]);
      if (i % 7 != 0) continue;
      Item* item = queues[self].pop();
      if (item == nullptr) (void)queues[1 - self].steal_half_into(queues[self], &item);
      if (item == nullptr) continue;
      ++item->times_taken;
      taken.fetch_add(1, std::memory_order_relaxed);
    }
    while (taken.load(std::memory_order_relaxed) < kItems) {
      Item* item = queues[self].pop();
      if (item == nullptr) (void)queues[1 - self].steal_half_into(queues[self], &item);
      if (item == nullptr) {
        std::this_thread::yield();
        continue;
      }
      ++item->times_taken;
      taken.fetch_add(1, std::memory_order_relaxed);
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  for (const Item& item : items) ASSERT_EQ(item.times_taken, 1u) << item.number;
}

}  // namespace
}  // namespace weft::scheduler
