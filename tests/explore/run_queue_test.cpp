// A worker's queue between its owner and thieves: R1 to R5 and L1 of scheduler/run_queue.hpp.
#include <array>

#include "scheduler/run_queue.hpp"
#include "tests/explore/find.hpp"

namespace weft::test {
namespace {

struct Item {
  Item* run_next = nullptr;
  int taken = 0;
};

using Queue = scheduler::RunQueue<Item>;

void take(Item* item) {
  if (item != nullptr) sim::require(++item->taken == 1, "an item is taken once (R2)");
}

void drain(Queue& queue) {
  while (Item* item = queue.pop()) take(item);
}

void owner_and_thieves() {
  std::array<Item, 6> items;
  Queue queue;
  const auto steal = [&queue] {
    Queue mine;
    for (int i = 0; i < 2; ++i) {
      Item* first = nullptr;
      (void)queue.steal_half_into(mine, &first);
      take(first);
    }
    drain(mine);
  };
  sim::Thread first("first thief", steal);
  sim::Thread second("second thief", steal);
  for (std::size_t i = 0; i < items.size(); ++i) {
    queue.push(&items[i]);
    if (i % 3 == 2) take(queue.pop());
  }
  drain(queue);
  first.join();
  second.join();
  drain(queue);
  for (const Item& item : items) sim::require(item.taken == 1, "no item is lost");
}

TEST(ExploreRunQueue, EachItemIsTakenOnce) { sim::explore({.seeds = 20'000}, owner_and_thieves); }

TEST(ExploreRunQueue, APlantedPopWithoutAClaimIsFound) {
  const sim::Report found = find({.seeds = 2'000, .planted = {"run queue: pop without a claim"}}, "taken once", owner_and_thieves);
  EXPECT_LE(found.runs, 500u);
}

TEST(ExploreRunQueue, AThiefMayComeWhileTheRingGrows) {
  sim::explore({.seeds = 300}, [] {
    constexpr std::size_t kItems = Queue::kFirstCapacity + 8;
    std::array<Item, kItems> items;
    Queue queue;
    for (std::size_t i = 0; i < Queue::kFirstCapacity - 2; ++i) queue.push(&items[i]);
    sim::Thread thief("thief", [&queue] {
      Queue mine;
      Item* first = nullptr;
      (void)queue.steal_half_into(mine, &first);
      take(first);
      drain(mine);
    });
    for (std::size_t i = Queue::kFirstCapacity - 2; i < kItems; ++i) queue.push(&items[i]);
    drain(queue);
    thief.join();
    drain(queue);
    for (const Item& item : items) sim::require(item.taken == 1, "no item is lost");
  });
}

TEST(ExploreRunQueue, TheLastInSlotHandsOutOnce) {
  sim::explore({.seeds = 20'000}, [] {
    std::array<Item, 4> items;
    scheduler::LifoSlot<Item> slot;
    sim::Thread thief("thief", [&slot] {
      take(slot.steal());
      take(slot.steal());
    });
    for (Item& item : items) take(slot.exchange(&item));
    take(slot.take());
    thief.join();
    for (const Item& item : items) sim::require(item.taken == 1, "no item is lost (L1)");
  });
}

}  // namespace
}  // namespace weft::test
