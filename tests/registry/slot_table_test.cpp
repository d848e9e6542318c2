#include "registry/slot_table.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace weft::inline v0::registry {
namespace {

struct Slot {
  std::uint32_t slot_index = 0;
  Slot* next_free = nullptr;
  int tenant = 0;
};

TEST(SlotTable, GivesEachSlotToOneTenant) {
  SlotTable<Slot> table(1000);
  SlotCache<Slot> cache(table);
  std::set<Slot*> rented;
  while (Slot* slot = cache.take()) {
    EXPECT_TRUE(rented.insert(slot).second);
    EXPECT_EQ(table.find(slot->slot_index), slot);
  }
  EXPECT_EQ(rented.size(), 1000u);
  for (Slot* slot : rented) cache.give(slot);
  EXPECT_NE(cache.take(), nullptr);
}

TEST(SlotTable, FindKnowsOnlySlotsThatWereMade) {
  SlotTable<Slot> table(1000);
  EXPECT_EQ(table.find(0), nullptr);
  SlotCache<Slot> cache(table);
  Slot* slot = cache.take();
  EXPECT_EQ(table.find(slot->slot_index), slot);
  EXPECT_EQ(table.find(999), nullptr);
  cache.give(slot);
}

TEST(SlotTable, T2TwoThreadsNeverHoldTheSameSlot) {
  SlotTable<Slot> table(4096);
  const auto churn = [&table](int me) {
    SlotCache<Slot> cache(table);
    std::vector<Slot*> held;
    for (int round = 0; round < 20'000; ++round) {
      if (round % 3 != 2) {
        Slot* slot = cache.take();
        ASSERT_NE(slot, nullptr);
        slot->tenant = me;
        held.push_back(slot);
      }
      if (held.size() > 500 || round % 3 == 2) {
        ASSERT_EQ(held.back()->tenant, me);
        cache.give(held.back());
        held.pop_back();
      }
    }
    for (Slot* slot : held) cache.give(slot);
  };
  std::thread one(churn, 1), two(churn, 2);
  one.join();
  two.join();
}

}  // namespace
}  // namespace weft::registry
