// A system that gives no threads or no memory, and a clock that does what it likes.
#include <atomic>
#include <filesystem>
#include <iterator>
#include <memory>
#include <vector>

#include "tests/faults/newcomers.hpp"
#include "tests/faults/refusals.hpp"

namespace weft::test {
namespace {

struct Note {
  int number = 0;
};

std::ptrdiff_t threads_of_this_program() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
}

// --- threads -------------------------------------------------------------------------------------------------------------------------

TEST(NoThread, ARuntimeIsNotMadeAndLeavesNothing) {
  constexpr unsigned kWorkers = 8;
  const std::ptrdiff_t before = threads_of_this_program();
  for (unsigned given = 0; given < kWorkers + 1; ++given) {  // The watchdog is one of them.
    const NoThreads refusal(static_cast<int>(given));
    EXPECT_THROW(Runtime({.workers = kWorkers}), LimitExceeded) << given;
    EXPECT_EQ(refusal.refused(), 1);
  }
  EXPECT_TRUE(eventually([&] { return threads_of_this_program() == before; }));
  Runtime rt({.workers = kWorkers});
  expect_others_go_on(rt);
}

/// So many processes at once, each in a blocking section; how many had one, the others having been told that there is no thread.
int block_at_once(Runtime& rt, int processes) {
  std::atomic<int> served{0};
  std::atomic<int> told{0};
  std::vector<JoinHandle> callers;
  for (int i = 0; i < processes; ++i) {
    callers.push_back(rt.start([&] {
      try {
        if (blocking([] { return 7; }) == 7) served.fetch_add(1);
      } catch (const LimitExceeded&) {
        told.fetch_add(1);
      }
    }));
  }
  for (JoinHandle& caller : callers) EXPECT_EQ(caller.join(), ExitReason::normal);
  EXPECT_EQ(served.load() + told.load(), processes);
  return served.load();
}

TEST(NoThread, EachBlockingSectionRunsOrSaysWhyNot) {
  Runtime rt({.workers = 2});
  {
    const NoThreads refusal;
    EXPECT_EQ(block_at_once(rt, 100), 0);
    EXPECT_GT(refusal.refused(), 0);
  }
  {
    const NoThreads refusal(0, 2);
    (void)block_at_once(rt, 500);
    EXPECT_GT(refusal.refused(), 0);
  }
  EXPECT_EQ(block_at_once(rt, 100), 100);
  {
    const NoThreads refusal;  // There are threads by now, so there is always one to wait for.
    EXPECT_EQ(block_at_once(rt, 500), 500);
  }
}

// --- memory --------------------------------------------------------------------------------------------------------------------------

class NoMemoryOneIn : public ::testing::TestWithParam<int> {};

// More processes at once than there are stacks in stock, while the system gives no mapping, or only some.
TEST_P(NoMemoryOneIn, EachProcessRunsOrItsEndSaysWhyNot) {
  constexpr int kProcesses = 3000;
  Runtime rt({.workers = 2});
  rt.run([] {
    const NoMappings refusal(GetParam());
    int ran = 0;
    const Pid me = self();
    for (int i = 0; i < kProcesses; ++i) {
      try {
        (void)spawn_monitor([me, i] {
          send(me, Note{i});
          receive<Note>();
        });
        ++ran;
      } catch (const LimitExceeded&) {
        // No slot.
      }
    }
    int without_stack = 0;
    for (int i = 0; i < ran; ++i) {
      receive([](Note) {},
              [&](const Down& down) {
                EXPECT_EQ(down.reason.what().find("no stack"), 0u) << down.reason.to_string();
                ++without_stack;
              });
    }
    if (GetParam() == 1) {
      EXPECT_GT(without_stack, 0);
    }
    for (const Pid pid : Runtime::of_self()->list()) {
      if (pid != me) send(pid, Note{});
    }
    EXPECT_GT(refusal.refused(), 0);
    for (int i = without_stack; i < ran; ++i) EXPECT_EQ(receive<Down>().reason, ExitReason::normal);
  });
  EXPECT_TRUE(rt.stop(kPatience).survivors.empty());  // A Down comes before its sender is counted as gone.
  const Stats left = rt.stats();
  EXPECT_EQ(left.spawned, left.finished);
  EXPECT_EQ(left.active_monitors, 0u);
}

TEST_P(NoMemoryOneIn, AfterwardsAllIsAsBefore) {
  Runtime rt({.workers = 2});
  {
    const NoMappings refusal(GetParam());
    for (int i = 0; i < 2000; ++i) {
      try {
        rt.spawn([] { receive_for<Note>(1ms); });
      } catch (const LimitExceeded&) {
      }
    }
    EXPECT_TRUE(eventually([&] { return rt.stats().live == 0; }));
  }
  expect_others_go_on(rt);
}

INSTANTIATE_TEST_SUITE_P(Mappings, NoMemoryOneIn, ::testing::Values(1, 2, 3));

// --- the clock -----------------------------------------------------------------------------------------------------------------------

class HandSet : public ::testing::TestWithParam<unsigned> {
 protected:
  /// The workers have looked at the clock again and again, so they would have fired what is due.
  void until_looked() {
    const std::uint64_t before = clock_.looks();
    ASSERT_TRUE(eventually([&] { return clock_.looks() > before + 200; }));
  }
  HandSetClock clock_;
};

TEST_P(HandSet, TimersFireOnceInOrderAndNotWhileTheClockStands) {
  constexpr int kTimers = 200;
  Runtime rt({.workers = GetParam()});
  std::vector<int> seen;
  std::atomic<int> count{0};
  std::atomic<bool> set{false};
  std::atomic<bool> timed_out{false};
  JoinHandle reader = rt.start([&] {
    for (int i = kTimers; i > 0; --i) send_after(i * 1ms, self(), Note{i});
    set.store(true);
    for (int i = 0; i < kTimers; ++i) {
      seen.push_back(receive<Note>().number);
      count.store(i + 1);
    }
    if (!receive_for<Note>(1h)) timed_out.store(true);
  });
  // So that each worker looks at its timers, whatever the system's clock says.
  std::vector<JoinHandle> busy;
  std::atomic<bool> stopping{false};
  for (unsigned i = 0; i < GetParam(); ++i) {
    busy.push_back(rt.start([&] {
      while (!stopping.load()) yield();
    }));
  }
  ASSERT_TRUE(eventually([&] { return set.load(); }));
  until_looked();
  EXPECT_EQ(count.load(), 0) << "the clock has not moved";
  clock_.advance(std::chrono::nanoseconds(50ms).count());
  EXPECT_TRUE(eventually([&] { return count.load() == 50; }));
  until_looked();
  EXPECT_EQ(count.load(), 50);
  clock_.advance(std::chrono::nanoseconds(24h).count());
  EXPECT_TRUE(eventually([&] { return count.load() == kTimers; }));
  until_looked();
  EXPECT_FALSE(timed_out.load());
  clock_.advance(std::chrono::nanoseconds(1h).count() - 1);
  until_looked();
  EXPECT_FALSE(timed_out.load()) << "a nanosecond early";
  clock_.advance(1);
  EXPECT_EQ(reader.join(), ExitReason::normal);
  EXPECT_TRUE(timed_out.load());
  stopping.store(true);
  for (JoinHandle& one : busy) EXPECT_EQ(one.join(), ExitReason::normal);
  for (int i = 0; i < kTimers; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], i + 1);
}

// The system's clock says that it is time, weft's does not: a worker that looks too early goes back to sleep, and nobody notices.
TEST_P(HandSet, ATimerThatTheSystemFindsDueBeforeTheClockDoesIsNotEarly) {
  Runtime rt({.workers = GetParam()});
  std::atomic<bool> waits{false};
  JoinHandle sleeper = rt.start([&] {
    waits.store(true);
    sleep_for(2ms);
  });
  ASSERT_TRUE(eventually([&] { return waits.load(); }));
  until_looked();
  EXPECT_FALSE(sleeper.join_for(Duration::zero()));
  clock_.advance(std::chrono::nanoseconds(2ms).count() - 1);
  until_looked();
  EXPECT_FALSE(sleeper.join_for(Duration::zero()));
  clock_.advance(1);
  EXPECT_EQ(sleeper.join(), ExitReason::normal);
}

INSTANTIATE_TEST_SUITE_P(Workers, HandSet, ::testing::Values(1u, 2u, 8u));

}  // namespace
}  // namespace weft::test
