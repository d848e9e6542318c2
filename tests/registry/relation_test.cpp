#include "registry/relation.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace weft::inline v0::registry {
namespace {

TEST(HookList, KeepsOrderAndLetsAnyHookGo) {
  HookList list;
  Hook a, b, c;
  for (Hook* hook : {&a, &b, &c}) list.push_back(*hook);
  list.remove(b);
  EXPECT_FALSE(b.is_linked());
  EXPECT_EQ(list.front(), &a);
  EXPECT_EQ(list.after(a), &c);
  EXPECT_EQ(list.after(c), nullptr);
  list.push_back(b);
  list.remove(a);
  EXPECT_EQ(list.front(), &c);
  EXPECT_EQ(list.after(c), &b);
  list.remove(b);
  EXPECT_EQ(list.after(c), nullptr);
  list.remove(c);
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.front(), nullptr);
  list.push_back(a);
  EXPECT_EQ(list.front(), &a);
  EXPECT_EQ(list.after(a), nullptr);
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

}  // namespace
}  // namespace weft::registry
