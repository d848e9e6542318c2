#include "scheduler/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <deque>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

namespace weft::inline v0::scheduler {
namespace {

constexpr std::int64_t kMilli = 1'000'000;
constexpr std::int64_t kSecond = 1'000 * kMilli;
constexpr std::int64_t kStart = 1'234'567'890'123;

/// Calls collect() until it has nothing more to do.
std::vector<TimerNode*> collect_all(TimerWheel& wheel, std::int64_t now, std::size_t max = 64) {
  std::vector<TimerNode*> due;
  std::vector<TimerNode*> out(max);
  do {
    const std::size_t n = wheel.collect(now, out.data(), max);
    due.insert(due.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(n));
  } while (wheel.next_deadline() <= now && wheel.size() != 0);
  return due;
}

TEST(TimerWheel, FiresAtItsDeadlineAndNotANanosecondBefore) {
  for (unsigned bit = 0; bit < 62; ++bit) {
    TimerWheel wheel(kStart);
    TimerNode node;
    const std::int64_t deadline = kStart + (std::int64_t{1} << bit);
    wheel.add(node, deadline);
    EXPECT_TRUE(collect_all(wheel, kStart).empty()) << bit;
    EXPECT_TRUE(collect_all(wheel, deadline - 1).empty()) << bit;
    EXPECT_TRUE(node.is_linked());
    EXPECT_EQ(collect_all(wheel, deadline), std::vector<TimerNode*>{&node}) << bit;
    EXPECT_FALSE(node.is_linked());
    EXPECT_EQ(wheel.size(), 0U);
    EXPECT_EQ(wheel.next_deadline(), TimerWheel::kNever);
  }
}

TEST(TimerWheel, Tim5DifferentDeadlinesFireInTheirOrderWhateverTheOrderOfAdding) {
  std::mt19937_64 random(1);
  TimerWheel wheel(kStart);
  std::deque<TimerNode> nodes(5'000);
  for (TimerNode& node : nodes) wheel.add(node, kStart + static_cast<std::int64_t>(random() % (10 * kSecond)));
  const std::vector<TimerNode*> due = collect_all(wheel, kStart + 10 * kSecond);
  ASSERT_EQ(due.size(), nodes.size());
  EXPECT_TRUE(std::is_sorted(due.begin(), due.end(), [](const auto* a, const auto* b) { return a->deadline_ns < b->deadline_ns; }));
}

TEST(TimerWheel, ADeadlineInThePastFiresAtTheNextCollect) {
  TimerWheel wheel(kStart);
  std::array<TimerNode, 4> nodes;
  wheel.add(nodes[0], kStart - 1);
  wheel.add(nodes[1], 0);
  wheel.add(nodes[2], -5);
  wheel.add(nodes[3], std::numeric_limits<std::int64_t>::min());
  EXPECT_LE(wheel.next_deadline(), kStart);
  EXPECT_EQ(collect_all(wheel, kStart).size(), nodes.size());
}

TEST(TimerWheel, Tim6HugeDeadlinesWork) {
  TimerWheel wheel(kStart);
  std::array<TimerNode, 5> nodes;
  const std::array<std::int64_t, 5> deadlines{kStart + (std::int64_t{1} << 31) * kMilli, kStart + (std::int64_t{1} << 32) * kMilli,
                                              kStart + (std::int64_t{1} << 33) * kMilli, TimerWheel::kNever - 1, TimerWheel::kNever};
  for (std::size_t i = 0; i < nodes.size(); ++i) wheel.add(nodes[i], deadlines[i]);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    EXPECT_EQ(wheel.next_deadline(), deadlines[i]);
    EXPECT_TRUE(collect_all(wheel, deadlines[i] - 1).empty()) << i;
    EXPECT_EQ(collect_all(wheel, deadlines[i]), std::vector<TimerNode*>{&nodes[i]}) << i;
  }
}

TEST(TimerWheel, CancelIsTrueExactlyWhileTheTimerIsPending) {
  TimerWheel wheel(kStart);
  TimerNode node;
  EXPECT_FALSE(wheel.cancel(node));
  wheel.add(node, kStart + kMilli);
  EXPECT_TRUE(wheel.cancel(node));
  EXPECT_FALSE(wheel.cancel(node));
  EXPECT_EQ(wheel.next_deadline(), TimerWheel::kNever);
  EXPECT_TRUE(collect_all(wheel, kStart + kMilli).empty());
  wheel.add(node, kStart + 2 * kMilli);
  EXPECT_EQ(collect_all(wheel, kStart + 2 * kMilli).size(), 1U);
  EXPECT_FALSE(wheel.cancel(node));
}

TEST(TimerWheel, AddTellsWhenASleeperMustWakeEarlier) {
  TimerWheel wheel(kStart);
  std::array<TimerNode, 4> nodes;
  EXPECT_TRUE(wheel.add(nodes[0], kStart + 5 * kMilli));
  EXPECT_FALSE(wheel.add(nodes[1], kStart + 5 * kMilli));
  EXPECT_FALSE(wheel.add(nodes[2], kStart + 6 * kMilli));
  EXPECT_TRUE(wheel.add(nodes[3], kStart + 4 * kMilli));
  EXPECT_EQ(wheel.next_deadline(), kStart + 4 * kMilli);
  for (TimerNode& node : nodes) EXPECT_TRUE(wheel.cancel(node));
}

TEST(TimerWheel, AnIdleWorkerWakesOnceForOneFarTimer) {
  for (const std::int64_t delay : {kMilli, kSecond, 3'600 * kSecond, 34'560'000 * kSecond}) {
    TimerWheel wheel(kStart);
    TimerNode node;
    wheel.add(node, kStart + delay);
    std::int64_t now = kStart;
    int wake_ups = 0;
    while (wheel.size() != 0) {
      now = std::max(now, wheel.next_deadline());  // Sleep until then.
      TimerNode* out = nullptr;
      static_cast<void>(wheel.collect(now, &out, 1));
      ++wake_ups;
    }
    EXPECT_EQ(now, kStart + delay);
    EXPECT_EQ(wake_ups, 1);
  }
}

TEST(TimerWheel, AnIdleWorkerWakesFewTimesForManyFarTimersOfWhichMostWereCancelled) {
  TimerWheel wheel(kStart);
  std::deque<TimerNode> cancelled(1'000);
  TimerNode last;
  for (std::size_t i = 0; i < cancelled.size(); ++i) wheel.add(cancelled[i], kStart + kSecond + static_cast<std::int64_t>(i) * kMilli);
  wheel.add(last, kStart + 10 * kSecond);
  for (TimerNode& node : cancelled) ASSERT_TRUE(wheel.cancel(node));
  std::int64_t now = kStart;
  int wake_ups = 0;
  while (wheel.size() != 0) {
    now = std::max(now, wheel.next_deadline());
    TimerNode* out = nullptr;
    static_cast<void>(wheel.collect(now, &out, 1));
    ++wake_ups;
  }
  EXPECT_EQ(now, kStart + 10 * kSecond);
  EXPECT_LE(wake_ups, 2);
}

TEST(TimerWheel, Tim7AMassOfEqualDeadlinesIsHandedOutInChunks) {
  constexpr std::size_t kMass = 100'000;
  constexpr std::size_t kChunk = 64;
  TimerWheel wheel(kStart);
  const auto nodes = std::make_unique<TimerNode[]>(kMass);
  const std::int64_t deadline = kStart + 3 * kSecond;
  for (std::size_t i = 0; i < kMass; ++i) wheel.add(nodes[i], deadline);
  std::array<TimerNode*, kChunk> out;
  std::size_t handed_out = 0;
  std::size_t calls = 0;
  while (wheel.next_deadline() <= deadline) {
    const std::size_t n = wheel.collect(deadline, out.data(), out.size());
    ASSERT_LE(n, kChunk);
    for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(out[i]->tag++, 0U);  // None twice.
    handed_out += n;
    ASSERT_EQ(wheel.size(), kMass - handed_out);
    ASSERT_LT(++calls, 2 * kMass / kChunk);
  }
  EXPECT_EQ(handed_out, kMass);
}

TEST(TimerWheel, CancelWorksInTheMiddleOfAMassThatIsBeingMovedDown) {
  constexpr std::size_t kMass = 20'000;  // More than one call moves, so that the second call finds the first one's work half done.
  TimerWheel wheel(kStart);
  const auto nodes = std::make_unique<TimerNode[]>(kMass);
  for (std::size_t i = 0; i < kMass; ++i) wheel.add(nodes[i], kStart + 3 * kSecond + static_cast<std::int64_t>(i % 97));
  const std::int64_t now = kStart + 3 * kSecond;
  TimerNode* out = nullptr;
  EXPECT_EQ(wheel.collect(now, &out, 1), 0U);
  EXPECT_LE(wheel.next_deadline(), now);
  TimerNode added_meanwhile;
  wheel.add(added_meanwhile, now + 1);
  std::size_t cancelled = 0;
  for (std::size_t i = 0; i < kMass; i += 2) cancelled += wheel.cancel(nodes[i]) ? 1 : 0;
  EXPECT_EQ(cancelled, kMass / 2);
  const std::vector<TimerNode*> due = collect_all(wheel, now + 97);
  EXPECT_EQ(due.size(), kMass / 2 + 1);
  EXPECT_TRUE(std::is_sorted(due.begin(), due.end(), [](const auto* a, const auto* b) { return a->deadline_ns < b->deadline_ns; }));
}

TEST(TimerWheel, ACollectorWhoseClockIsBehindTakesNothingEarly) {
  TimerWheel wheel(kStart);
  TimerNode node;
  EXPECT_TRUE(collect_all(wheel, kStart + kSecond).empty());
  wheel.add(node, kStart + kSecond + 1);
  EXPECT_TRUE(collect_all(wheel, kStart).empty());
  EXPECT_TRUE(collect_all(wheel, kStart + kSecond).empty());
  EXPECT_EQ(collect_all(wheel, kStart + kSecond + 1).size(), 1U);
}

TEST(TimerWheel, BehavesLikeASortedMapUnderRandomUse) {
  for (const unsigned seed : {1U, 2U, 3U, 4U, 5U, 6U}) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::int64_t now = seed % 2 == 0 ? 0 : kStart;
    TimerWheel wheel(now);
    std::deque<TimerNode> nodes(1'000);
    std::multimap<std::int64_t, TimerNode*> model;
    std::map<TimerNode*, std::multimap<std::int64_t, TimerNode*>::iterator> linked;
    const auto delay = [&] { return static_cast<std::int64_t>(random() >> (24 + random() % 40)); };  // Every magnitude up to 18 minutes.
    for (int step = 0; step < 60'000; ++step) {
      TimerNode& node = nodes[random() % nodes.size()];
      const auto found = linked.find(&node);
      const auto choice = random() % 16;
      if (choice < 9) {
        if (found == linked.end()) {
          const std::int64_t deadline = now + delay();
          wheel.add(node, deadline);
          linked.emplace(&node, model.emplace(deadline, &node));
        }
      } else if (choice < 12) {
        ASSERT_EQ(wheel.cancel(node), found != linked.end());
        if (found != linked.end()) {
          model.erase(found->second);
          linked.erase(found);
        }
      } else {
        now += choice == 15 && !model.empty() ? std::max<std::int64_t>(model.begin()->first - now, 0) : delay() / 64;
        std::int64_t last = 0;
        for (TimerNode* due : collect_all(wheel, now, 1 + random() % 32)) {
          ASSERT_LE(due->deadline_ns, now);
          ASSERT_GE(due->deadline_ns, last);
          last = due->deadline_ns;
          const auto entry = linked.find(due);
          ASSERT_NE(entry, linked.end());
          model.erase(entry->second);
          linked.erase(entry);
        }
        ASSERT_TRUE(model.empty() || model.begin()->first > now);
      }
      ASSERT_EQ(wheel.size(), model.size());
      if (!model.empty()) {
        ASSERT_LE(wheel.next_deadline(), model.begin()->first);
      } else {
        ASSERT_EQ(wheel.next_deadline(), TimerWheel::kNever);
      }
    }
    EXPECT_EQ(collect_all(wheel, TimerWheel::kNever).size(), model.size());
  }
}

TEST(TimerWheel, EveryTimerEitherFiresOnceOrIsCancelledOnceWhenThreadsRace) {
  constexpr int kOwners = 3;
  constexpr int kRounds = 100'000;
  constexpr std::size_t kOwn = 8;
  struct Timer {
    TimerNode node;
    std::atomic<std::uint32_t> fired{0};  // Set by a collector when it is done with the node.
  };
  static_assert(std::is_standard_layout_v<Timer>);
  TimerWheel wheel(0);
  std::vector<std::array<Timer, kOwn>> timers(kOwners);
  std::atomic<std::int64_t> clock{0};
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> fired{0};
  std::atomic<std::uint64_t> cancelled{0};
  std::atomic<std::uint64_t> added{0};
  std::barrier ready(kOwners + 1);

  const auto collect_once = [&] {
    std::array<TimerNode*, 16> out;
    const std::int64_t now = clock.fetch_add(700, std::memory_order_relaxed);
    const std::size_t n = wheel.collect(now, out.data(), out.size());
    for (std::size_t i = 0; i < n; ++i) reinterpret_cast<Timer*>(out[i])->fired.fetch_add(1, std::memory_order_release);
    fired.fetch_add(n, std::memory_order_relaxed);
  };
  const auto collector = [&] {
    ready.arrive_and_wait();
    while (!stop.load(std::memory_order_acquire)) {
      collect_once();
      std::this_thread::yield();
    }
  };
  const auto owner = [&](std::size_t who) {
    std::mt19937_64 random(who);
    ready.arrive_and_wait();
    std::array<bool, kOwn> armed{};
    for (int round = 0; round < kRounds; ++round) {
      if (random() % 3 == 0) collect_once();
      const std::size_t which = random() % kOwn;
      Timer& timer = timers[who][which];
      if (!armed[which]) {
        wheel.add(timer.node, clock.load(std::memory_order_relaxed) + static_cast<std::int64_t>(random() % 20'000));
        added.fetch_add(1, std::memory_order_relaxed);
        armed[which] = true;
      } else if (wheel.cancel(timer.node)) {
        cancelled.fetch_add(1, std::memory_order_relaxed);
        armed[which] = false;
        ASSERT_EQ(timer.fired.load(std::memory_order_relaxed), 0U);
      } else {
        while (timer.fired.load(std::memory_order_acquire) == 0) std::this_thread::yield();
        ASSERT_EQ(timer.fired.exchange(0, std::memory_order_relaxed), 1U);
        armed[which] = false;
      }
    }
    for (std::size_t which = 0; which < kOwn; ++which) {
      if (!armed[which]) continue;
      if (wheel.cancel(timers[who][which].node)) {
        cancelled.fetch_add(1, std::memory_order_relaxed);
      } else {
        while (timers[who][which].fired.load(std::memory_order_acquire) == 0) std::this_thread::yield();
      }
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t who = 0; who < kOwners; ++who) threads.emplace_back(owner, who);
  std::thread service(collector);
  for (std::thread& thread : threads) thread.join();
  stop.store(true, std::memory_order_release);
  service.join();
  EXPECT_EQ(wheel.size(), 0U);
  EXPECT_GT(fired.load(), 0U);
  EXPECT_GT(cancelled.load(), 0U);
  EXPECT_EQ(fired.load() + cancelled.load(), added.load());
}

}  // namespace
}  // namespace weft::scheduler
