// SEMANTICS section 1.

#include <atomic>
#include <memory>

#include "tests/conformance/puppet.hpp"

namespace weft::test {
namespace {

using Lifecycle = RuntimeTest;
using LifecycleInVirtualTime = VirtualTimeTest;
INSTANTIATE_TEST_SUITE_P(Workers, Lifecycle, worker_counts(), ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Workers, LifecycleInVirtualTime, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Lifecycle, Lif1AMessageSentRightAfterSpawnIsReceived) {
  run([&] {
    for (int round = 0; round < 200; ++round) {
      const Pid child = spawn([] { send(receive<Ping>().from, Pong{}); });
      EXPECT_EQ(send(child, Ping{self()}), SendResult::queued);
      await<Pong>();
    }
  });
}

TEST_P(Lifecycle, Lif1ANewPidCanBeLinkedMonitoredNamedAndKilledAtOnce) {
  run([&] {
    trap_exit(true);
    const Pid child = spawn(receive_forever);
    EXPECT_TRUE(rt.is_alive(child));
    link(child);
    const MonitorRef ref = monitor(child);
    register_name("child", child);
    EXPECT_EQ(whereis("child"), child);
    kill(child);
    EXPECT_EQ(await<Exit>().reason, ExitReason::killed);
    EXPECT_EQ(await_down(ref).reason, ExitReason::killed);
  });
}

TEST_P(Lifecycle, Lif2NoBodyCodeRunsOnceExiting) {
  std::atomic<int> steps = 0;
  run([&] {
    const Monitored killed = spawn_monitor([&] {
      receive<Never>();
      ++steps;
    });
    const Monitored ended = spawn_monitor([&] {
      exit(self(), ExitReason::shutdown);
      ++steps;
    });
    kill(killed.pid);
    await_down(killed.ref);
    await_down(ended.ref);
  });
  EXPECT_EQ(steps, 0);
}

TEST_P(LifecycleInVirtualTime, Lif2AParkedProcessIsWaitingAndTheCallerRunning) {
  run([&] {
    const Pid parked = spawn(receive_forever);
    settle();
    EXPECT_EQ(rt.info(parked)->status, ProcessStatus::waiting);
    EXPECT_EQ(rt.info(self())->status, ProcessStatus::running);
  });
}

TEST_P(Lifecycle, Lif3TheEndOfTheBodyIsANormalExit) {
  EXPECT_EQ(rt.start([] {}).join(), ExitReason::normal);
}

TEST_P(Lifecycle, Lif4TheFirstReasonStands) {
  run([&] {
    for (int round = 0; round < 100; ++round) {
      const Monitored child = spawn_monitor(receive_forever);
      exit(child.pid, ExitReason::of(1));
      exit(child.pid, ExitReason::of(2));
      kill(child.pid);
      EXPECT_EQ(await_down(child.ref).reason, ExitReason::of(1));
    }
  });
}

TEST_P(Lifecycle, Lif4AKillDuringUnwindingDoesNotChangeTheReason) {
  struct AsksToBeKilled {
    Pid killer;
    ~AsksToBeKilled() { send(killer, Go{}); }
  };
  run([&] {
    const Pid killer = self();
    const Monitored child = spawn_monitor([killer] {
      const AsksToBeKilled last_act{killer};
      exit(ExitReason::of(1));
    });
    await<Go>();  // Sent while unwinding: the reason is fixed already.
    kill(child.pid);
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::of(1));
  });
}

TEST_P(Lifecycle, Lif4LinkMonitorAndJoinSeeTheSameReason) {
  run([&] {
    trap_exit(true);
    JoinHandle handle = rt.start(receive_forever);
    link(handle.pid());
    const MonitorRef ref = monitor(handle.pid());
    exit(handle.pid(), ExitReason::of(7));
    EXPECT_EQ(await<Exit>().reason, ExitReason::of(7));
    EXPECT_EQ(await_down(ref).reason, ExitReason::of(7));
    EXPECT_EQ(handle.join(), ExitReason::of(7));
  });
}

TEST_P(Lifecycle, Lif5StackAndCapturesAreGoneBeforeDownAndExit) {
  run([&] {
    trap_exit(true);
    for (const ExitReason& reason : {ExitReason::kill, ExitReason::shutdown}) {
      auto held = std::make_shared<int>(0);
      const std::weak_ptr<int> watched = held;
      const Monitored child = spawn_monitor([held = std::move(held)] {
        const auto on_the_stack = held;
        receive_forever();
      });
      exit(child.pid, reason);
      await_down(child.ref);
      EXPECT_TRUE(watched.expired());
    }
    auto held = std::make_shared<int>(0);
    const std::weak_ptr<int> watched = held;
    const Pid child = spawn_link([held = std::move(held)] { receive<Go>(); });
    send(child, Go{});
    await<Exit>();
    EXPECT_TRUE(watched.expired());
  });
}

TEST_P(Lifecycle, Lif5ABodyThatNeverRanIsDestroyedBeforeDown) {
  run([&] {
    for (int round = 0; round < 100; ++round) {
      auto held = std::make_shared<int>(0);
      const std::weak_ptr<int> watched = held;
      const Monitored child = spawn_monitor([held = std::move(held)] { receive_forever(); });
      kill(child.pid);
      EXPECT_EQ(await_down(child.ref).reason, ExitReason::killed);
      EXPECT_TRUE(watched.expired());
    }
  });
}

TEST_P(Lifecycle, Lif5TimersToADeadPidAreCancelled) {
  run([&] {
    const Pid child = spawn(receive_forever);
    const TimerRef timer = send_after(1h, child, Go{});
    kill_and_wait(child);
    EXPECT_EQ(read_timer(timer), std::nullopt);
    EXPECT_EQ(rt.stats().active_timers, 0u);
  });
}

TEST_P(Lifecycle, Lif5UnreadMessagesAreDestroyedBeforeJoinReturns) {
  JoinHandle handle = rt.start([] { receive<Never>(); });
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  rt.send(handle.pid(), std::move(held));
  rt.kill(handle.pid());
  EXPECT_EQ(handle.join(), ExitReason::killed);
  EXPECT_TRUE(watched.expired());
}

TEST_P(Lifecycle, Lif6DownMeansThatEverythingVisibleIsGone) {
  run([&] {
    for (int round = 0; round < 100; ++round) {
      const Monitored child = spawn_monitor(SpawnOptions{.name = "service", .groups = {"services"}}, receive_forever);
      kill(child.pid);
      await_down(child.ref);
      EXPECT_EQ(whereis("service"), std::nullopt);
      EXPECT_FALSE(rt.is_alive(child.pid));
      EXPECT_FALSE(rt.info(child.pid));
      EXPECT_FALSE(contains(rt.list(), child.pid));
      EXPECT_TRUE(members("services").empty());
      EXPECT_NO_THROW(register_name("service"));
      unregister("service");
    }
  });
}

TEST_P(Lifecycle, Lif6ExitMeansThatEverythingVisibleIsGone) {
  run([&] {
    trap_exit(true);
    for (int round = 0; round < 100; ++round) {
      const Pid child = spawn_link(SpawnOptions{.name = "service", .groups = {"services"}}, [] { receive<Go>(); });
      send(child, Go{});
      await<Exit>();
      EXPECT_EQ(whereis("service"), std::nullopt);
      EXPECT_FALSE(rt.is_alive(child));
      EXPECT_FALSE(rt.info(child));
      EXPECT_TRUE(members("services").empty());
      EXPECT_NO_THROW(register_name("service"));
      unregister("service");
    }
  });
}

TEST_P(Lifecycle, Lif7AFreeNameMeansThatTheGroupsAreLeft) {
  run([&] {
    for (int round = 0; round < 50; ++round) {
      const Pid child = spawn(SpawnOptions{.name = "service", .groups = {"services"}}, [] { receive<Go>(); });
      send(child, Go{});
      while (whereis("service")) yield();
      EXPECT_TRUE(members("services").empty());
    }
  });
}

TEST_P(Lifecycle, Lif8AWatcherThatIsAlsoLinkedGetsBothExitAndDown) {
  run([&] {
    trap_exit(true);
    const Monitored child = spawn_monitor(SpawnOptions{.link = true}, [] { receive<Go>(); });
    send(child.pid, Go{});
    bool exited = false, down = false;  // In either order: nobody may rely on one.
    for (int i = 0; i < 2; ++i) {
      receive([&](Exit) { exited = true; }, [&](Down) { down = true; }, after(kPatience, [] {}));
    }
    EXPECT_TRUE(exited && down);
  });
}

TEST_P(Lifecycle, Lif9ALinkedChildIsLinkedBeforeItsFirstInstruction) {
  run([&] {
    trap_exit(true);
    const Pid parent_pid = self();
    for (int round = 0; round < 100; ++round) {
      const Pid child = spawn_link([parent_pid] {
        EXPECT_EQ(Runtime::of_self()->info(self())->links, std::vector{parent_pid});
        exit(ExitReason::of(7));
      });
      const Exit message = await<Exit>();
      EXPECT_EQ(message.from, child);
      EXPECT_EQ(message.reason, ExitReason::of(7));
    }
  });
}

TEST_P(Lifecycle, Lif9AMonitoredChildNeverReportsNoproc) {
  run([&] {
    for (int round = 0; round < 500; ++round) {
      const Monitored child = spawn_monitor([] { exit(ExitReason::of(7)); });
      const Down down = await_down(child.ref);
      EXPECT_EQ(down.pid, child.pid);
      EXPECT_EQ(down.reason, ExitReason::of(7));
    }
  });
}

TEST_P(Lifecycle, Lif10NoLinkedChildOutlivesADyingParent) {
  struct Orphan {
    JoinHandle handle;
  };
  run([&] {
    const Pid witness = self();
    for (int round = 0; round < 100; ++round) {
      spawn([witness] {
        send(witness, Orphan{Runtime::of_self()->start(SpawnOptions{.link = true}, receive_forever)});
        exit(ExitReason::of(3));
      });
      EXPECT_EQ(await<Orphan>().handle.join(), ExitReason::of(3));
    }
  });
}

TEST_P(Lifecycle, Lif11WhereisOrSpawnReturnsTheIncumbent) {
  run([&] {
    const Pid incumbent = spawn(SpawnOptions{.name = "service"}, receive_forever);
    EXPECT_EQ(whereis_or_spawn("service", [] { ADD_FAILURE() << "the loser's body ran"; }), incumbent);
  });
}

TEST_P(Lifecycle, Lif11RacingCallersGetOneWinnerAndNoOtherBodyRuns) {
  constexpr int kCallers = 32;
  struct Got {
    Pid pid;
  };
  std::atomic<int> bodies = 0;
  run([&] {
    const Pid referee = self();
    std::atomic<int>* const counter = &bodies;
    for (int i = 0; i < kCallers; ++i) {
      spawn([=] {
        const Pid winner = whereis_or_spawn("service", [=] {
          ++*counter;
          send(receive<Ping>().from, Pong{});
          receive_forever();
        });
        send(referee, Got{winner});
      });
    }
    const Pid winner = await<Got>().pid;
    for (int i = 1; i < kCallers; ++i) EXPECT_EQ(await<Got>().pid, winner);
    EXPECT_EQ(whereis("service"), winner);
    send(winner, Ping{self()});
    await<Pong>();
  });
  EXPECT_EQ(bodies, 1);
}

TEST_P(Lifecycle, Lif12AProcessRecordsItsParentAndARootHasNone) {
  run([&] {
    EXPECT_EQ(parent(), std::nullopt);
    const Pid child = spawn(puppet);
    EXPECT_EQ(ask(child, [] { return parent(); }), self());
    EXPECT_EQ(rt.info(child)->parent, self());
  });
}

}  // namespace
}  // namespace weft::test
