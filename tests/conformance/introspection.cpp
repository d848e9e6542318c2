// SEMANTICS.md section 17.
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class Introspection : public VirtualTimeTest {
 protected:
  /// Runs `body` in a runtime of its own that logs at `level`; the runtime is gone, hence all is told, when this returns.
  template <class F>
  void run_logged(LogBook& book, LogLevel level, F body) {
    RuntimeOptions logging = options;
    logging.clock = Clock::steady;
    logging.log_level = level;
    logging.log = sink_into(book);
    Runtime runtime(logging);
    body(runtime);
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, Introspection, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Introspection, Inf1InfoOfADeadProcessIsEmpty) {
  run([&] {
    EXPECT_FALSE(rt.info(dead_pid()));
    EXPECT_FALSE(rt.info(Pid{}));
  });
}

TEST_P(Introspection, Inf1InfoShowsWhatAProcessIs) {
  run([&] {
    const Pid child = spawn({.name = "clerk", .label = "office clerk", .groups = {"office"}, .trap_exit = true}, receive_forever);
    settle();
    const std::optional<ProcessInfo> found = rt.info(child);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->pid, child);
    EXPECT_EQ(found->parent, self());
    EXPECT_EQ(found->status, ProcessStatus::waiting);
    EXPECT_THAT(found->names, ElementsAre("clerk"));
    EXPECT_THAT(found->groups, ElementsAre("office"));
    EXPECT_EQ(found->label, "office clerk");
    EXPECT_TRUE(found->trap_exit);
    EXPECT_EQ(found->priority, Priority::normal);
    EXPECT_EQ(found->mailbox_depth, 0u);
  });
}

TEST_P(Introspection, Inf1AProcessFindsItselfRunning) {
  run([&] { EXPECT_EQ(rt.info(self()).value().status, ProcessStatus::running); });
}

TEST_P(Introspection, Inf1ARootProcessHasNoParent) {
  run([&] {
    EXPECT_FALSE(parent());
    EXPECT_FALSE(rt.info(self()).value().parent);
    EXPECT_EQ(ask(spawn(puppet), [] { return parent(); }), self());
  });
}

TEST_P(Introspection, Inf1InfoShowsRelations) {
  run([&] {
    const Pid one = spawn(receive_forever);
    const Pid two = spawn(receive_forever);
    link(one);
    link(two);
    const MonitorRef ref = monitor(two);
    const std::optional<ProcessInfo> mine = rt.info(self());
    EXPECT_THAT(mine->links, UnorderedElementsAre(one, two));
    EXPECT_THAT(mine->monitors, ElementsAre(ref));
    EXPECT_THAT(rt.info(two).value().links, ElementsAre(self()));
    EXPECT_THAT(rt.info(two).value().monitored_by, ElementsAre(self()));
    unlink(one);
    unlink(two);
    demonitor(ref);
    EXPECT_THAT(rt.info(self()).value().links, IsEmpty());
    EXPECT_THAT(rt.info(self()).value().monitors, IsEmpty());
    EXPECT_THAT(rt.info(two).value().links, IsEmpty());
    EXPECT_THAT(rt.info(two).value().monitored_by, IsEmpty());
  });
}

TEST_P(Introspection, Inf2OnesOwnJustSentMessagesAreVisible) {
  run([&] {
    spawn({.limit = {.capacity = 100}}, [this, test = self()] {
      send(self(), Int{1});
      send(self(), Int{2});
      const std::size_t depth = rt.info(self()).value().mailbox_depth;
      send(test, Answer<std::size_t>{depth});
    });
    EXPECT_EQ(await<Answer<std::size_t>>().value, 2u);
  });
}

TEST_P(Introspection, Inf3EveryMonitorIsOneWatcher) {
  run([&] {
    const Pid watched = spawn(receive_forever);
    monitor(watched);
    monitor(watched);
    EXPECT_THAT(rt.info(watched).value().monitored_by, ElementsAre(self(), self()));
  });
}

TEST_P(Introspection, Inf4ALabelCanBeChangedAndNeedNotBeUnique) {
  run([&] {
    const Pid other = spawn({.label = "worker"}, receive_forever);
    set_label("worker");
    EXPECT_EQ(rt.info(self()).value().label, "worker");
    EXPECT_EQ(rt.info(other).value().label, "worker");
    set_label("foreman");
    EXPECT_EQ(rt.info(self()).value().label, "foreman");
    EXPECT_EQ(rt.info(other).value().label, "worker");
  });
}

TEST_P(Introspection, Inf5TheLogIsSilentByDefault) {
  LogBook book;
  {
    RuntimeOptions silent = options;
    silent.log = sink_into(book);
    Runtime runtime(silent);
    runtime.start([] { throw std::runtime_error("boom"); }).join();
  }
  EXPECT_EQ(book.count(), 0u);
}

TEST_P(Introspection, Inf5ACrashIsAnError) {
  LogBook book;
  run_logged(book, LogLevel::error, [](Runtime& runtime) {
    runtime.start([] { throw std::runtime_error("boom"); }).join();
    runtime.start([] {}).join();
  });
  EXPECT_EQ(book.count(LogLevel::error), 1u);
  EXPECT_EQ(book.count(), 1u);
}

TEST_P(Introspection, Inf5AKilledProcessIsAWarning) {
  LogBook book;
  run_logged(book, LogLevel::warn, [](Runtime& runtime) {
    JoinHandle victim = runtime.start(receive_forever);
    runtime.kill(victim.pid());
    victim.join();
  });
  EXPECT_EQ(book.count(LogLevel::warn), 1u);
  EXPECT_EQ(book.count(LogLevel::error), 0u);
}

TEST_P(Introspection, Inf5ACleanExitIsInfo) {
  LogBook book;
  run_logged(book, LogLevel::info, [](Runtime& runtime) { runtime.start([] {}).join(); });
  EXPECT_EQ(book.count(LogLevel::info), 1u);
  EXPECT_EQ(book.count(), 1u);
}

TEST_P(Introspection, Inf5ARequestToKillIsInfo) {
  LogBook book;
  run_logged(book, LogLevel::info, [](Runtime& runtime) {
    JoinHandle victim = runtime.start(receive_forever);
    runtime.kill(victim.pid());
    victim.join();
  });
  EXPECT_EQ(book.count(LogLevel::info), 1u);
}

TEST_P(Introspection, Inf5ASpawnIsDebug) {
  LogBook book;
  run_logged(book, LogLevel::debug, [](Runtime& runtime) { runtime.start([] {}).join(); });
  EXPECT_EQ(book.count(LogLevel::debug), 1u);
}

TEST_P(Introspection, Inf5LevelsAboveTheChosenOneAreLeftOut) {
  LogBook book;
  run_logged(book, LogLevel::warn, [](Runtime& runtime) { runtime.start([] {}).join(); });
  EXPECT_EQ(book.count(), 0u);
}

TEST_P(Introspection, Inf6TheCensusCountsLabelsAndGroups) {
  run([&] {
    std::vector<Pid> workers;
    for (int i = 0; i < 3; ++i) workers.push_back(spawn({.label = "worker", .groups = {"day shift"}}, receive_forever));
    spawn({.label = "foreman"}, receive_forever);
    spawn(receive_forever);
    EXPECT_THAT(rt.census(), UnorderedElementsAre(Pair("worker", 3u), Pair("day shift", 3u), Pair("foreman", 1u)));
    kill_and_wait(workers.front());
    EXPECT_THAT(rt.census(), UnorderedElementsAre(Pair("worker", 2u), Pair("day shift", 2u), Pair("foreman", 1u)));
  });
}

TEST_P(Introspection, Inf6TheCensusFollowsLabelsAndMembership) {
  run([&] {
    set_label("worker");
    join("day shift");
    EXPECT_THAT(rt.census(), UnorderedElementsAre(Pair("worker", 1u), Pair("day shift", 1u)));
    set_label("foreman");
    leave("day shift");
    EXPECT_THAT(rt.census(), UnorderedElementsAre(Pair("foreman", 1u)));
  });
}

TEST_P(Introspection, Inf7AJoinHandleGivesTheReasonOfEveryEnd) {
  JoinHandle clean = rt.start([] {});
  JoinHandle crash = rt.start([] { throw std::runtime_error("boom"); });
  JoinHandle exited = rt.start([] { exit(ExitReason::of(Atom("done"))); });
  JoinHandle killed = rt.start(receive_forever);
  rt.kill(killed.pid());
  EXPECT_EQ(clean.join(), ExitReason::normal);
  EXPECT_EQ(crash.join().what(), "boom");
  EXPECT_EQ(exited.join().kind(), Atom("done"));
  EXPECT_EQ(killed.join(), ExitReason::killed);
}

TEST_P(Introspection, Inf7AProcessMayBeJoinedOftenAndByMany) {
  JoinHandle handle = rt.start(receive_forever);
  std::vector<JoinHandle> joiners;
  for (int i = 0; i < 4; ++i) joiners.push_back(rt.start([handle]() mutable { exit(handle.join()); }));
  rt.run_until_idle();
  for (const JoinHandle& joiner : joiners) EXPECT_TRUE(rt.is_alive(joiner.pid()));
  rt.exit(handle.pid(), ExitReason::shutdown);
  for (JoinHandle& joiner : joiners) EXPECT_EQ(joiner.join(), ExitReason::shutdown);
  EXPECT_EQ(handle.join(), ExitReason::shutdown);
  EXPECT_EQ(handle.join(), ExitReason::shutdown);
}

TEST_P(Introspection, Inf7JoiningParksTheProcessNotTheWorker) {
  run([&] {
    JoinHandle handle = rt.start(puppet);
    const Pid joiner = spawn([handle]() mutable { handle.join(); });
    settle();
    EXPECT_EQ(rt.info(joiner).value().status, ProcessStatus::waiting);
    EXPECT_EQ(ask(handle.pid(), [] { return 7; }), 7);
  });
}

TEST_P(Introspection, Inf7AJoiningProcessCanBeKilled) {
  run([&] {
    JoinHandle handle = rt.start(receive_forever);
    const Monitored joiner = spawn_monitor([handle]() mutable { handle.join(); });
    settle();
    kill(joiner.pid);
    EXPECT_EQ(await_down(joiner.ref).reason, ExitReason::killed);
    EXPECT_TRUE(rt.is_alive(handle.pid()));
  });
}

TEST_P(Introspection, Inf7JoinForGivesUpInTime) {
  run([&] {
    JoinHandle handle = rt.start(receive_forever);
    const TimePoint start = now();
    EXPECT_FALSE(handle.join_for(5ms));
    EXPECT_GE(now() - start, 5ms);
    EXPECT_FALSE(handle.join_for(0ms));
    kill(handle.pid());
    EXPECT_EQ(handle.join_for(5s), ExitReason::killed);
  });
}

TEST_P(Introspection, Inf7JoinReturnsOnlyAfterTeardown) {
  for (int round = 0; round < 100; ++round) {
    JoinHandle handle = rt.start({.name = "clerk", .groups = {"office"}}, receive_forever);
    rt.kill(handle.pid());
    handle.join();
    ASSERT_FALSE(rt.whereis("clerk"));
    ASSERT_THAT(rt.members("office"), IsEmpty());
    ASSERT_FALSE(rt.info(handle.pid()));
  }
}

TEST_P(Introspection, Inf7JoiningOneselfIsAnError) {
  run([&] {
    const JoinHandle handle = rt.start([test = self()] {
      JoinHandle own = receive<JoinHandle>();
      send(test, Answer<bool>{throws<Error>([&] { own.join(); })});
    });
    send(handle.pid(), handle);
    EXPECT_TRUE(await<Answer<bool>>().value);
  });
}

TEST_P(Introspection, Inf8SpawnedMinusFinishedIsLive) {
  run([&] {
    const Stats before = rt.stats();
    std::vector<Pid> living;
    for (int i = 0; i < 10; ++i) living.push_back(spawn(receive_forever));
    for (int i = 0; i < 5; ++i) dead_pid();
    settle();
    Stats after = rt.stats();
    EXPECT_EQ(after.spawned - before.spawned, 15u);
    EXPECT_EQ(after.finished - before.finished, 5u);
    EXPECT_EQ(after.live - before.live, 10u);
    EXPECT_EQ(after.spawned - after.finished, after.live);
    for (const Pid pid : living) kill_and_wait(pid);
    settle();
    after = rt.stats();
    EXPECT_EQ(after.live, before.live);
    EXPECT_EQ(after.spawned - after.finished, after.live);
  });
}

TEST_P(Introspection, Inf8LinksMonitorsAndTimersAreCounted) {
  run([&] {
    const Stats before = rt.stats();
    const Pid peer = spawn(receive_forever);
    link(peer);
    const MonitorRef ref = monitor(peer);
    const TimerRef timer = send_after(1h, peer, Int{});
    const Stats with = rt.stats();
    EXPECT_EQ(with.active_links, before.active_links + 1);
    EXPECT_EQ(with.active_monitors, before.active_monitors + 1);
    EXPECT_EQ(with.active_timers, before.active_timers + 1);
    unlink(peer);
    demonitor(ref);
    cancel_timer(timer);
    const Stats without = rt.stats();
    EXPECT_EQ(without.active_links, before.active_links);
    EXPECT_EQ(without.active_monitors, before.active_monitors);
    EXPECT_EQ(without.active_timers, before.active_timers);
  });
}

TEST_P(Introspection, Inf9ProcessesThatQueryEachOtherDoNotDeadlock) {
  run([&] {
    constexpr int kRounds = 500;
    const auto querier = [this, test = self()] {
      const Pid other = receive<Answer<Pid>>().value;
      for (int i = 0; i < kRounds; ++i) {
        rt.info(other);
        rt.is_alive(other);
      }
      send(test, Pong{});
      receive_forever();
    };
    const Pid one = spawn(querier);
    const Pid two = spawn(querier);
    send(one, Answer<Pid>{two});
    send(two, Answer<Pid>{one});
    await<Pong>();
    await<Pong>();
  });
}

TEST_P(Introspection, Inf9AProcessThatNeverReceivesIsServed) {
  const auto gate = std::make_shared<Gate>();
  const auto started = std::make_shared<Gate>();
  JoinHandle busy = rt.start({.label = "busy"}, [gate, started] {
    started->open();
    gate->pass();
  });
  started->pass();
  EXPECT_TRUE(rt.is_alive(busy.pid()));
  const std::optional<ProcessInfo> found = rt.info(busy.pid());
  gate->open();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->label, "busy");
  EXPECT_EQ(found->status, ProcessStatus::running);
  busy.join();
}

/// Writes to every kibibyte of the next `kibibytes` of stack.
[[gnu::noinline]] void use_kibibytes(int kibibytes) {
  char kibibyte[1024];
  kibibyte[0] = 1;
  asm volatile("" : : "r"(kibibyte) : "memory");  // Somebody may read it: it stays whole.
  if (kibibytes > 1) use_kibibytes(kibibytes - 1);
  asm volatile("" : : "r"(kibibyte) : "memory");
}

TEST_P(Introspection, Inf9TheHighWaterMarkOfALargeStackIsFound) {
  constexpr std::size_t kStack = std::size_t{256} << 20, kUsed = std::size_t{10} << 20;
  const Pid large = rt.spawn({.stack_bytes = kStack}, [] {
    use_kibibytes(kUsed / 1024);
    receive_forever();
  });
  ASSERT_TRUE(eventually([&] { return rt.info(large)->status == ProcessStatus::waiting; }));
  const std::size_t found = rt.info(large)->stack_high_water;
  EXPECT_GE(found, kUsed);
  EXPECT_LT(found, kStack / 2);
}

}  // namespace
}  // namespace weft::test
