#include "registry/names.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "registry/relation.hpp"

namespace weft::inline v0::registry {
namespace {

const Pid kOne = Pid::from_parts(1, 1), kTwo = Pid::from_parts(2, 1);

TEST(Names, Nam1ANameIsTakenOnce) {
  Names names;
  EXPECT_TRUE(names.add("clerk", kOne));
  EXPECT_FALSE(names.add("clerk", kTwo));
  EXPECT_FALSE(names.add("clerk", kOne));
  EXPECT_EQ(names.find("clerk"), kOne);
}

TEST(Names, Nam6RemovalComparesTheOwner) {
  Names names;
  ASSERT_TRUE(names.add("clerk", kOne));
  EXPECT_FALSE(names.remove("clerk", kTwo));
  EXPECT_EQ(names.find("clerk"), kOne);
  EXPECT_TRUE(names.remove("clerk", kOne));
  EXPECT_FALSE(names.find("clerk"));
  EXPECT_EQ(names.size(), 0u);
}

TEST(Names, OfManyThreadsOneGetsTheName) {
  for (int round = 0; round < 100; ++round) {
    Names names;
    std::atomic<int> winners{0};
    std::vector<std::thread> threads;
    for (std::uint32_t t = 1; t <= 4; ++t) {
      threads.emplace_back([&, t] { winners += names.add("contested", Pid::from_parts(t, 1)) ? 1 : 0; });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(winners, 1);
  }
}

// The memory of what one thread takes off is used again by another: a tool that watches memory must see it come and go.
TEST(Names, MemoryOfANameGoesFromThreadToThread) {
  constexpr int kRounds = 200, kBatch = 50;
  Names names;
  std::atomic<int> turn{0};  // Relaxed, so that the table alone orders the two.
  const auto take_turns = [&](int mine, auto act) {
    for (int round = 0; round < kRounds; ++round) {
      while (turn.load(std::memory_order_relaxed) != 2 * round + mine) std::this_thread::yield();
      for (int i = 0; i < kBatch; ++i) EXPECT_TRUE(act("name " + std::to_string(i)));
      turn.store(2 * round + mine + 1, std::memory_order_relaxed);
    }
  };
  std::thread remover([&] { take_turns(1, [&](const std::string& name) { return names.remove(name, kOne); }); });
  take_turns(0, [&](const std::string& name) { return names.add(name, kOne); });
  remover.join();
  EXPECT_EQ(names.size(), 0u);
}

TEST(Groups, Grp1MembersAreASetInTheOrderOfJoining) {
  Groups groups;
  EXPECT_TRUE(groups.add("office", kTwo));
  EXPECT_TRUE(groups.add("office", kOne));
  EXPECT_FALSE(groups.add("office", kTwo));
  EXPECT_EQ(groups.members("office"), (std::vector<Pid>{kTwo, kOne}));
  EXPECT_FALSE(groups.remove("office", Pid::from_parts(3, 1)));
  EXPECT_TRUE(groups.remove("office", kTwo));
  EXPECT_EQ(groups.members("office"), std::vector<Pid>{kOne});
  EXPECT_TRUE(groups.remove("office", kOne));
  EXPECT_TRUE(groups.members("office").empty());
}

TEST(Groups, HolesOfManyLeaversAreSqueezedOut) {
  Groups groups;
  for (std::uint32_t i = 1; i <= 1'000; ++i) ASSERT_TRUE(groups.add("crowd", Pid::from_parts(i, 1)));
  for (std::uint32_t i = 1; i <= 1'000; ++i) {
    if (i % 10 == 0) continue;
    ASSERT_TRUE(groups.remove("crowd", Pid::from_parts(i, 1)));
  }
  const std::vector<Pid> left = groups.members("crowd");
  ASSERT_EQ(left.size(), 100u);
  for (std::size_t i = 0; i < left.size(); ++i) EXPECT_EQ(left[i], Pid::from_parts(static_cast<std::uint32_t>(10 * (i + 1)), 1));
}

TEST(HookList, KeepsOrderAndLetsAnyHookGo) {
  HookList list;
  Hook a, b, c;
  for (Hook* hook : {&a, &b, &c}) list.push_back(*hook);
  HookList::remove(b);
  EXPECT_FALSE(b.is_linked());
  EXPECT_EQ(list.front(), &a);
  EXPECT_EQ(list.after(a), &c);
  EXPECT_EQ(list.after(c), nullptr);
}

TEST(LockPair, TwoThreadsThatTakeThemInOppositeOrderDoNotWaitForEachOther) {
  base::SpinLock x, y;
  int guarded = 0;
  const auto work = [&](base::SpinLock& first, base::SpinLock& second) {
    for (int i = 0; i < 20'000; ++i) {
      const LockPair hold(first, second);
      ++guarded;
    }
  };
  std::thread one([&] { work(x, y); }), two([&] { work(y, x); });
  one.join();
  two.join();
  EXPECT_EQ(guarded, 40'000);
  const LockPair same(x, x);
}

TEST(Pid, HashSpreadsTenantsOfOneSlot) {
  std::unordered_set<std::size_t> hashes;
  for (std::uint64_t g = 1; g <= 1'000; ++g) hashes.insert(std::hash<Pid>{}(Pid::from_parts(7, g)));
  EXPECT_EQ(hashes.size(), 1'000u);
}

TEST(Pid, TextNamesSlotAndGeneration) { EXPECT_EQ(Pid::from_parts(107, 3).to_string(), "<0.107.3>"); }

}  // namespace
}  // namespace weft::registry
