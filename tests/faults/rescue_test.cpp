// What a thread that stands still has in its hands, and who sees to it meanwhile.
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "tests/faults/newcomers.hpp"
#include "tests/faults/stop.hpp"

namespace weft::test {
namespace {

struct Line {
  int number = 0;
};

/// A process that writes down the number of the last note it read; 0 ends it.
class Reader {
 public:
  explicit Reader(Runtime& rt)
      : process_(rt.start([this] {
          while (const int number = receive<Line>().number) last_.store(number);
        })) {}
  ~Reader() { process_.join(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  [[nodiscard]] Pid pid() const { return process_.pid(); }
  [[nodiscard]] bool reads(int number) const {
    return eventually([&] { return last_.load() == number; });
  }

 private:
  std::atomic<int> last_{0};
  JoinHandle process_;
};

TEST(StandingWorker, WhatItWouldRunNextRunsElsewhere) {
  Runtime rt({.workers = 2});
  Reader reader(rt);
  Stop stop("send", Stop::Who::a_marked_thread);
  JoinHandle standing = rt.start([to = reader.pid()] {
    send(to, Line{1});  // Wakes the reader into this worker's last-in slot.
    Stop::mark();
    send(to, Line{0});
  });
  ASSERT_TRUE(stop.reached());
  EXPECT_TRUE(reader.reads(1));
  EXPECT_TRUE(stop.holds());
  stop.let_go();
  EXPECT_EQ(standing.join(), ExitReason::normal);
}

TEST(StandingWorker, WhatItSpawnedRunsElsewhere) {
  constexpr int kChildren = 1000;
  Runtime rt({.workers = 2});
  std::atomic<int> ran{0};
  Stop stop("send", Stop::Who::a_marked_thread);
  JoinHandle standing = rt.start([&ran] {
    for (int i = 0; i < kChildren; ++i) {
      spawn([&ran] { ran.fetch_add(1); });
    }
    Stop::mark();
    send(self(), Line{1});
  });
  ASSERT_TRUE(stop.reached());
  EXPECT_TRUE(eventually([&] { return ran.load() == kChildren; })) << ran.load();
  EXPECT_TRUE(stop.holds());
  stop.let_go();
  EXPECT_EQ(standing.join(), ExitReason::normal);
}

TEST(StandingWorker, ItsTimersFireWhileAProcessHoldsIt) {
  Runtime rt({.workers = 2});
  Reader reader(rt);
  Stop stop("send", Stop::Who::a_marked_thread);
  JoinHandle standing = rt.start([to = reader.pid()] {
    send_after(1ms, to, Line{1});
    Stop::mark();
    send(to, Line{0});
  });
  ASSERT_TRUE(stop.reached());
  EXPECT_TRUE(reader.reads(1));
  EXPECT_TRUE(stop.holds());
  stop.let_go();
  EXPECT_EQ(standing.join(), ExitReason::normal);
}

TEST(StandingWorker, ATimerThatFiresIsNotCountedOnceItsProcessHasEnded) {
  Runtime rt({.workers = 2});
  Stop stop("timer disarmed");
  JoinHandle waiting = rt.start([] {
    send_after(1ms, self(), Line{1});
    receive_forever();
  });
  ASSERT_TRUE(stop.reached());
  rt.kill(waiting.pid());
  EXPECT_EQ(waiting.join(), ExitReason::killed);
  EXPECT_EQ(rt.stats().active_timers, 0u);
  EXPECT_TRUE(stop.holds());
  stop.let_go();
}

// The watchdog fires the first of a crowd of timers for a worker that a process holds, and stands still. Then the worker is free again.
TEST(StandingWatchdog, TimersFireInOrderThoughTwoThreadsSeeToThem) {
  constexpr int kTimers = 200;
  Runtime rt({.workers = 2});
  std::atomic<bool> held{true};
  std::atomic<int> next{1};
  std::atomic<bool> in_order{true};
  JoinHandle reader = rt.start([&] {
    while (next.load() <= kTimers) {
      if (receive<Line>().number != next.fetch_add(1)) in_order.store(false);
    }
  });
  Stop stop("push", Stop::Who::a_watchdog);
  JoinHandle holder = rt.start([&, to = reader.pid()] {
    const TimePoint start = now();
    for (int i = 1; i <= kTimers; ++i) send_after(start + 20ms + i * 1us, to, Line{i});
    while (held.load()) {
    }
  });
  ASSERT_TRUE(stop.reached());
  held.store(false);
  EXPECT_EQ(holder.join(), ExitReason::normal);
  expect_others_go_on(rt);
  EXPECT_TRUE(stop.holds());
  stop.let_go();
  EXPECT_TRUE(eventually([&] { return next.load() > kTimers; }));
  EXPECT_TRUE(in_order.load());
  rt.shutdown();
}

// The watchdog has what a worker would have run next in its hands, and stands still. Then the workers have nothing to do and sleep.
TEST(StandingWatchdog, WhatItHasInItsHandsIsNotAtRest) {
  Runtime rt({.workers = 2});
  std::atomic<bool> held{true};
  std::atomic<bool> ran{false};
  std::atomic<bool> other_is_held{false};
  JoinHandle reader = rt.start([&] {
    receive<Line>();
    ran.store(true);
  });
  rt.run_until_idle();
  JoinHandle other = rt.start([&] {  // Or it would steal what is to be found by the watchdog.
    other_is_held.store(true);
    while (held.load()) {
    }
  });
  ASSERT_TRUE(eventually([&] { return other_is_held.load(); }));
  Stop stop("inject", Stop::Who::a_watchdog);
  JoinHandle holder = rt.start([&, to = reader.pid()] {
    send(to, Line{1});  // Wakes the reader into this worker's last-in slot.
    while (held.load()) {
    }
  });
  ASSERT_TRUE(stop.reached());
  held.store(false);
  EXPECT_EQ(holder.join(), ExitReason::normal);
  EXPECT_EQ(other.join(), ExitReason::normal);
  std::thread later([&] {
    std::this_thread::sleep_for(50ms);  // Time for a wrong answer.
    stop.let_go();
  });
  rt.run_until_idle();
  EXPECT_TRUE(ran.load());
  later.join();
  EXPECT_EQ(reader.join(), ExitReason::normal);
}

// The last steps of a blocking section use the whole runtime, also when the process whose section it was has ended already.
TEST(StandingPoolThread, HoldsTheEndOfTheRuntimeUp) {
  auto rt = std::make_unique<Runtime>(RuntimeOptions{.workers = 2});
  Stop stop("should notify", Stop::Who::a_marked_thread);
  JoinHandle caller = rt->start([] { blocking([] { Stop::mark(); }); });
  ASSERT_TRUE(stop.reached());
  EXPECT_EQ(caller.join(), ExitReason::normal);
  std::atomic<bool> gone{false};
  std::thread end([&] {
    rt.reset();
    gone.store(true);
  });
  EXPECT_TRUE(stop.holds());
  EXPECT_FALSE(gone.load());
  stop.let_go();
  end.join();
}

class StandingWithoutAProcess : public ::testing::TestWithParam<const char*> {};

// The worker on which the process waited stands still on its way to sleep, or back, with the end of that wait among its timers.
TEST_P(StandingWithoutAProcess, ItsTimersFireAndOthersAreWoken) {
  Runtime rt({.workers = 2});
  Stop stop(GetParam(), Stop::Who::a_marked_thread);
  std::atomic<bool> through{false};
  JoinHandle sleeper = rt.start([&] {
    Stop::mark();
    (void)receive_for<Line>(20ms);
    through.store(true);
    receive<Line>();
  });
  ASSERT_TRUE(stop.reached());
  EXPECT_TRUE(eventually([&] { return through.load(); }));
  expect_others_go_on(rt);
  EXPECT_TRUE(stop.holds());
  stop.let_go();
  rt.send(sleeper.pid(), Line{});
  EXPECT_EQ(sleeper.join(), ExitReason::normal);
}

INSTANTIATE_TEST_SUITE_P(Places, StandingWithoutAProcess,
                         ::testing::Values("begin search", "announce sleep: bit", "announce sleep: count", "sleep: last look",
                                           "park worker", "park worker: take token", "cancel sleep"),
                         [](const auto& info) { return std::to_string(info.index); });

TEST(StandingWorker, TheLockOfAProcessHoldsUpOnlyWhoNeedsIt) {
  Runtime rt({.workers = 3});
  JoinHandle victim = rt.start([] { receive_forever(); });
  Stop stop("push", Stop::Who::a_marked_thread);
  JoinHandle killer = rt.start([pid = victim.pid()] {
    Stop::mark();
    exit(pid, ExitReason::kill);  // Stands in the push of the wake-up, which is under the victim's lock.
  });
  ASSERT_TRUE(stop.reached());
  rt.run([pid = victim.pid()] { EXPECT_EQ(send(pid, Line{1}), SendResult::queued); });
  JoinHandle watcher = rt.start([pid = victim.pid()] {
    const MonitorRef ref = monitor(pid);  // Waits for the lock.
    EXPECT_EQ(receive<Down>().ref, ref);
  });
  EXPECT_TRUE(stop.holds());
  EXPECT_FALSE(victim.join_for(Duration::zero()));
  stop.let_go();
  EXPECT_EQ(victim.join(), ExitReason::killed);
  EXPECT_EQ(watcher.join(), ExitReason::normal);
  EXPECT_EQ(killer.join(), ExitReason::normal);
}

// Who reads the stack of a waiting process stands still on the way. The process goes on, and hibernates.
TEST(StandingReader, ReadsNoStackThatWasGivenBackMeanwhile) {
  Runtime rt({.workers = 1});
  JoinHandle process = rt.start([] {
    receive<Line>();
    hibernate([] { receive<Line>(); });
  });
  rt.run_until_idle();
  Stop stop("push", Stop::Who::a_marked_thread);
  std::vector<std::string> frames;
  std::thread standing([&] {
    Stop::mark();
    frames = rt.backtrace(process.pid());
  });
  ASSERT_TRUE(stop.reached());
  rt.send(process.pid(), Line{1});
  // When somebody else has come to an end, the one before him on the only worker is at rest again.
  rt.run([] { yield(); });
  stop.let_go();
  standing.join();
  EXPECT_TRUE(frames.empty()) << frames.front();
  rt.send(process.pid(), Line{2});
  EXPECT_EQ(process.join(), ExitReason::normal);
}

class StandingPlainThread : public ::testing::TestWithParam<const char*> {};

// All workers sleep, and the one who was about to wake them stands still.
TEST_P(StandingPlainThread, HoldsNobodyElseUp) {
  Runtime rt({.workers = 2});
  Reader reader(rt);
  rt.run_until_idle();
  Stop stop(GetParam(), Stop::Who::a_marked_thread);
  std::thread standing([&] {
    Stop::mark();
    rt.send(reader.pid(), Line{0});
  });
  ASSERT_TRUE(stop.reached());
  expect_others_go_on(rt);
  EXPECT_TRUE(stop.holds());
  stop.let_go();
  standing.join();
}

INSTANTIATE_TEST_SUITE_P(Places, StandingPlainThread,
                         ::testing::Values("push", "push: exchange", "inject", "inject: enqueue", "should notify", "claim sleeper",
                                           "claim sleeper: bit", "wake", "unpark"),
                         [](const auto& info) { return std::to_string(info.index); });

// A plain thread stands still in a spawn that was not refused, and the runtime stops meanwhile (SHU-3).
TEST(StandingSpawner, IsRefusedWhenTheRuntimeHasStopped) {
  Runtime rt({.workers = 1});
  Stop stop("spawn: not refused", Stop::Who::a_marked_thread);
  bool ran = false;
  std::thread standing([&] {
    Stop::mark();
    SpawnOptions named;
    named.name = "late";
    EXPECT_THROW(rt.spawn(named, [&ran] { ran = true; }), LimitExceeded);
  });
  ASSERT_TRUE(stop.reached());
  EXPECT_TRUE(rt.stop(std::chrono::hours(1)).survivors.empty());
  stop.let_go();
  standing.join();
  EXPECT_FALSE(ran);
  EXPECT_EQ(rt.list().size(), 0u);
  EXPECT_FALSE(rt.whereis("late").has_value());
  EXPECT_EQ(rt.stats().live, 0u);
}

TEST(StandingSpawner, IsWaitedForWhereItsProcessIsJustBeingCounted) {
  Runtime rt({.workers = 1});
  std::atomic<bool> ended{false};
  const auto tell = [](std::atomic<bool>* told) { told->store(true); };
  Stop stop("spawn: count", Stop::Who::a_marked_thread);
  std::thread standing([&] {
    Stop::mark();
    rt.spawn([held = std::unique_ptr<std::atomic<bool>, decltype(tell)>(&ended, tell)] { receive<Line>(); });
  });
  ASSERT_TRUE(stop.reached());
  std::future<StopReport> stopped = std::async(std::launch::async, [&] { return rt.stop(std::chrono::hours(1)); });
  // One that returns too early has some time to do so; one that waits is not asked how long.
  EXPECT_EQ(stopped.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  EXPECT_FALSE(ended.load());
  stop.let_go();
  standing.join();
  EXPECT_TRUE(stopped.get().survivors.empty());
  EXPECT_TRUE(ended.load());
}

}  // namespace
}  // namespace weft::test
