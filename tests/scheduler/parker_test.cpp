#include "scheduler/parker.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace weft::inline v0::scheduler {
namespace {

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

TEST(Parker, TakesATokenLeftBeforeWithoutSleeping) {
  Parker parker;
  EXPECT_FALSE(parker.unpark());  // Nobody sleeps: no system call.
  EXPECT_EQ(parker.park(Parker::kForever), ParkResult::woken);
}

TEST(Parker, TokensDoNotAddUp) {
  Parker parker;
  EXPECT_FALSE(parker.unpark());
  EXPECT_FALSE(parker.unpark());
  EXPECT_EQ(parker.park(Parker::kForever), ParkResult::woken);
  EXPECT_EQ(parker.park(0), ParkResult::timed_out);
}

TEST(Parker, APastDeadlineDoesNotSleep) {
  Parker parker;
  EXPECT_EQ(parker.park(-1), ParkResult::timed_out);
  EXPECT_EQ(parker.park(0), ParkResult::timed_out);
  EXPECT_EQ(parker.park(now_ns()), ParkResult::timed_out);
  EXPECT_FALSE(parker.unpark());  // A timeout leaves the parker awake.
  EXPECT_EQ(parker.park(0), ParkResult::woken);
}

TEST(Parker, SleepsUntilItsDeadlineOnTheSteadyClock) {
  Parker parker;
  const std::int64_t deadline = now_ns() + 2'000'000;
  EXPECT_EQ(parker.park(deadline), ParkResult::timed_out);
  EXPECT_GE(now_ns(), deadline);
}

TEST(Parker, TwoThreadsWakeEachOtherInTurn) {
  constexpr int kRounds = 20'000;
  Parker ours, theirs;
  int turn = 0;  // Plain: handed over by the tokens alone (P2).
  std::thread other([&] {
    for (int i = 0; i < kRounds; ++i) {
      theirs.park(Parker::kForever);
      ++turn;
      ours.unpark();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    theirs.unpark();
    ours.park(Parker::kForever);
    ASSERT_EQ(turn, i + 1);
  }
  other.join();
}

TEST(Parker, OneParkSeesWhatEveryWakerWrote) {
  for (int round = 0; round < 500; ++round) {
    Parker parker;
    int written[2] = {0, 0};
    std::atomic<int> done{0};
    const auto wake = [&](int i) {
      written[i] = 1;
      parker.unpark();
      done.fetch_add(1, std::memory_order_relaxed);  // Orders nothing.
    };
    std::thread a(wake, 0), b(wake, 1);
    while (done.load(std::memory_order_relaxed) != 2) std::this_thread::yield();
    ASSERT_EQ(parker.park(Parker::kForever), ParkResult::woken);
    EXPECT_EQ(written[0] + written[1], 2);
    a.join();
    b.join();
  }
}

TEST(Parker, NoTokenIsLostAroundADeadline) {
  constexpr int kTokens = 3'000;
  Parker parker;
  std::atomic<int> received{0};
  std::thread sleeper([&] {
    for (int i = 0; i < kTokens; ++i) {
      int attempt = i;
      while (parker.park(now_ns() + (attempt++ % 60) * 1'000) == ParkResult::timed_out) {
      }
      received.store(i + 1, std::memory_order_relaxed);
    }
  });
  for (int i = 0; i < kTokens; ++i) {
    parker.unpark();
    while (received.load(std::memory_order_relaxed) != i + 1) std::this_thread::yield();
  }
  sleeper.join();
  EXPECT_EQ(parker.park(0), ParkResult::timed_out);
}

}  // namespace
}  // namespace weft::scheduler
