// SEMANTICS.md section 20. SHU-1 needs supervision trees.
#include <gmock/gmock.h>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Shutdown : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Shutdown, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Shutdown, Shu2ShutdownSignalsEveryProcessAndSaysHowMany) {
  std::vector<JoinHandle> processes;
  for (int i = 0; i < 50; ++i) processes.push_back(rt.start({.trap_exit = i % 2 == 0}, receive_forever));
  EXPECT_EQ(rt.shutdown(), 50u);
  for (JoinHandle& process : processes) EXPECT_FALSE(process.join().is_normal());
  EXPECT_EQ(rt.shutdown(), 0u);
}

TEST_P(Shutdown, Shu2EveryProcessIsTornDownInFull) {
  auto token = std::make_shared<int>();
  std::vector<JoinHandle> processes;
  for (int i = 0; i < 20; ++i) {
    const auto started = std::make_shared<Gate>();
    processes.push_back(rt.start({.name = "clerk " + std::to_string(i), .groups = {"office"}}, [token, started] {
      const Carrier local{token};
      started->open();
      receive_forever();
    }));
    started->pass();
    rt.send(processes.back().pid(), Carrier{token});
  }
  rt.shutdown();
  for (JoinHandle& process : processes) process.join();
  EXPECT_EQ(token.use_count(), 1);
  EXPECT_FALSE(rt.whereis("clerk 0"));
  EXPECT_THAT(rt.members("office"), IsEmpty());
}

TEST_P(Shutdown, Shu2AProcessThatSwallowsEverythingStillEnds) {
  const auto started = std::make_shared<Gate>();
  JoinHandle stubborn = rt.start([started] {
    for (int i = 0; i < 100; ++i) {
      try {
        started->open();
        receive_any();
      } catch (...) {
      }
    }
  });
  started->pass();
  rt.shutdown();
  EXPECT_FALSE(stubborn.join().is_normal());
}

TEST_P(Shutdown, Shu3AfterStopNoUserCodeRuns) {
  const auto unwound = std::make_shared<std::atomic<int>>(0);
  constexpr int kProcesses = 100;
  const auto started = std::make_shared<std::atomic<int>>(0);
  for (int i = 0; i < kProcesses; ++i) {
    rt.spawn([unwound, started] {
      const AtEnd count{[&] { ++*unwound; }};
      ++*started;
      for (;;) yield();
    });
  }
  ASSERT_TRUE(eventually([&] { return *started == kProcesses; }));
  EXPECT_THAT(rt.stop(kPatience).survivors, IsEmpty());
  EXPECT_EQ(*unwound, kProcesses);
  EXPECT_EQ(rt.stats().live, 0u);
}

TEST_P(Shutdown, Shu3StopOfAnIdleRuntimeReturnsAndMayBeRepeated) {
  EXPECT_THAT(rt.stop(kPatience).survivors, IsEmpty());
  EXPECT_THAT(rt.stop(kPatience).survivors, IsEmpty());
}

TEST_P(Shutdown, Shu3AStoppedRuntimeRefusesSpawns) {
  rt.stop(kPatience);
  const auto spawned = rt.stats().spawned;
  EXPECT_THROW(rt.spawn(receive_forever), Error);
  EXPECT_EQ(rt.stats().spawned, spawned);
}

TEST_P(Shutdown, Shu3ASpawnFromADyingRuntimeLeavesNobodyBehind) {
  for (int i = 0; i < 10; ++i) {
    rt.spawn([] {
      for (;;) {
        spawn(receive_forever);
        yield();
      }
    });
  }
  EXPECT_THAT(rt.stop(kPatience).survivors, IsEmpty());
  EXPECT_EQ(rt.stats().live, 0u);
}

/// A body of which one move, counted from the first, calls something.
struct BusyInAMove {
  int* moves_left;
  std::function<void()>* call;
  BusyInAMove(int* moves, std::function<void()>* what) : moves_left(moves), call(what) {}
  BusyInAMove(BusyInAMove&& other) noexcept : moves_left(other.moves_left), call(other.call) {
    if (--*moves_left == 0) (*call)();
  }
  void operator()() const { receive_forever(); }
};

TEST_P(Shutdown, Shu3WhoIsSpawnedJustAfterStopBeganIsAskedLikeTheOthers) {
  Gate spawns;
  std::optional<ExitReason> end;
  rt.spawn({.trap_exit = true}, [&] {
    // Once it was asked itself, stop() has listed whom it asks, and the child is not among them.
    std::function<void()> until_asked = [&] {
      spawns.open();
      while (rt.info(self())->mailbox_depth == 0) {
      }
    };
    int moves = 0;
    const Monitored first = spawn_monitor(BusyInAMove(&moves, &until_asked));
    kill(first.pid);
    await_down(first.ref);
    int last = -moves;  // The move into the process, which comes when the spawn was not refused.
    const Monitored late = spawn_monitor(BusyInAMove(&last, &until_asked));
    end = await_down(late.ref).reason;
  });
  spawns.pass();
  EXPECT_THAT(rt.stop(kPatience).survivors, IsEmpty());
  EXPECT_EQ(end, ExitReason::shutdown);
}

TEST_P(Shutdown, Tim9TimersFireUntilTheLastProcessIsGone) {
  std::atomic<bool> tidied_up{false};
  const auto started = std::make_shared<Gate>();
  rt.spawn({.trap_exit = true}, [&tidied_up, started] {
    started->open();
    receive<Exit>();
    sleep_for(1ms);
    send_after(1ms, self(), Go{});
    receive<Go>();
    tidied_up = true;
  });
  started->pass();
  EXPECT_THAT(rt.stop(kPatience).survivors, IsEmpty());
  EXPECT_TRUE(tidied_up);
}

TEST_P(Shutdown, Shu3StopSaysWhoSurvivedItsDeadline) {
  const auto started = std::make_shared<Gate>();
  const auto gate = std::make_shared<Gate>();
  JoinHandle stubborn = rt.start({.name = "mule", .label = "stubborn"}, [started, gate] {
    started->open();
    gate->pass();  // No runtime call, hence nowhere to die.
    receive_forever();
  });
  started->pass();
  const StopReport report = rt.stop(20ms);
  gate->open();
  EXPECT_THAT(report.survivors, ElementsAre(stubborn.pid()));
  ASSERT_EQ(report.details.size(), 1u);
  EXPECT_EQ(report.details[0].pid, stubborn.pid());
  EXPECT_EQ(report.details[0].label, "stubborn");
  EXPECT_THAT(report.details[0].names, ElementsAre("mule"));
  stubborn.join();
}

TEST_P(Shutdown, Shu3StoppingFromAProcessIsRefused) {
  run([&] {
    EXPECT_THROW(rt.stop(1ms), BadArgument);
    EXPECT_THROW(blocking([&] { rt.stop(1ms); }), BadArgument);
    EXPECT_THROW(rt.run_until_idle(), BadArgument);
  });
  EXPECT_THROW(rt.stop(-1ms), BadArgument);
  EXPECT_EQ(rt.run([] { return 7; }), 7) << "no refused call began to stop anything";
}

TEST_P(Shutdown, Shu4AStoppedRuntimeAnswersHarmlessly) {
  const Pid stopped = rt.spawn({.name = "clerk"}, receive_forever);
  rt.stop(kPatience);
  EXPECT_EQ(rt.send(stopped, Int{7}), SendResult::no_process);
  EXPECT_EQ(rt.send("clerk", Int{7}), SendResult::no_process);
  EXPECT_FALSE(rt.is_alive(stopped));
  EXPECT_FALSE(rt.info(stopped));
  EXPECT_FALSE(rt.whereis("clerk"));
  EXPECT_THAT(rt.list(), IsEmpty());
  EXPECT_NO_THROW(rt.kill(stopped));
  EXPECT_NO_THROW(rt.exit(stopped, ExitReason::shutdown));
}

TEST_P(Shutdown, TheDestructorEndsEveryProcessAndWaits) {
  auto token = std::make_shared<int>();
  {
    Runtime runtime(options);
    for (int i = 0; i < 50; ++i) {
      const Pid pid = runtime.spawn([token] { receive_forever(); });
      runtime.send(pid, Carrier{token});
    }
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST_P(Shutdown, StoppingOneRuntimeLeavesAnotherAlone) {
  const Pid server = rt.spawn([] {
    for (;;) {
      const auto asked = receive<Call<Int>>();
      reply(asked.from, Int{asked.request.n + 1});
    }
  });
  {
    Runtime other(options);
    other.spawn(receive_forever);
    other.stop(kPatience);
  }
  EXPECT_EQ(rt.call<Int>(server, Int{7}).n, 8);
}

}  // namespace
}  // namespace weft::test
