// SEMANTICS section 8.

#include <functional>
#include <stdexcept>

#include "tests/conformance/puppet.hpp"

namespace weft::test {
namespace {

using Monitors = RuntimeTest;
using MonitorsInVirtualTime = VirtualTimeTest;
INSTANTIATE_TEST_SUITE_P(Workers, Monitors, worker_counts(), ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Workers, MonitorsInVirtualTime, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Monitors, Mon1EachCallMakesAMonitorOfItsOwn) {
  run([&] {
    const Pid target = spawn(receive_forever);
    const MonitorRef first = monitor(target);
    const MonitorRef second = monitor(target);
    EXPECT_NE(first, second);
    EXPECT_EQ(std::hash<MonitorRef>{}(first), std::hash<MonitorRef>{}(MonitorRef{first}));
    EXPECT_EQ(rt.info(target)->monitored_by.size(), 2u);
    EXPECT_EQ(rt.info(self())->monitors.size(), 2u);
    kill(target);
    EXPECT_EQ(await_down(second).reason, ExitReason::killed);
    EXPECT_EQ(await_down(first).reason, ExitReason::killed);
  });
}

TEST_P(Monitors, Mon1AMonitorIsOneWay) {
  run([&] {
    const Pid target = spawn(puppet);
    const Pid watcher = spawn(puppet);
    ask(watcher, [target] { monitor(target); });
    kill_and_wait(watcher);
    EXPECT_TRUE(ask(target, mailbox_is_empty));
  });
}

TEST_P(MonitorsInVirtualTime, Mon2ThereIsExactlyOneDown) {
  run([&] {
    for (int round = 0; round < 100; ++round) {
      const Pid target = spawn([] { receive<Go>(); });
      send(target, Go{});
      const MonitorRef ref = monitor(target);  // Races with the end.
      kill(target);
      EXPECT_EQ(await_down(ref).pid, target);
      settle();
      EXPECT_TRUE(mailbox_is_empty());
    }
  });
}

TEST_P(Monitors, Mon2DownTellsWhoAndWhy) {
  run([&] {
    const Pid target = spawn(receive_forever);
    const MonitorRef ref = monitor(target);
    exit(target, ExitReason::of(5));
    const Down down = await<Down>();
    EXPECT_EQ(down.ref, ref);
    EXPECT_EQ(down.pid, target);
    EXPECT_EQ(down.name, "");
    EXPECT_EQ(down.reason, ExitReason::of(5));
    EXPECT_EQ(down.tag, std::nullopt);
    EXPECT_TRUE(rt.info(self())->monitors.empty());
  });
}

TEST_P(Monitors, Mon3TheDeadAreNoproc) {
  run([&] {
    const Pid dead = dead_pid();
    const Down down = await_down(monitor(dead));
    EXPECT_EQ(down.pid, dead);
    EXPECT_EQ(down.reason, ExitReason::noproc);
    EXPECT_EQ(rt.stats().active_monitors, 0u);
  });
}

TEST_P(Monitors, Mon4DownOfANamedTargetCarriesTheName) {
  run([&] {
    const Pid target = spawn(SpawnOptions{.name = "service"}, receive_forever);
    const MonitorRef ref = monitor("service");
    kill(target);
    const Down down = await_down(ref);
    EXPECT_EQ(down.name, "service");
    EXPECT_EQ(down.reason, ExitReason::killed);
  });
}

TEST_P(Monitors, Mon4AnUnknownNameIsNoproc) {
  run([&] {
    const Down down = await_down(monitor("nobody"));
    EXPECT_EQ(down.name, "nobody");
    EXPECT_EQ(down.reason, ExitReason::noproc);
  });
}

TEST_P(MonitorsInVirtualTime, Mon4ANameGivenToAnotherDoesNotMoveTheMonitor) {
  run([&] {
    const Pid first = spawn(SpawnOptions{.name = "service"}, receive_forever);
    const MonitorRef ref = monitor("service");
    unregister("service");
    const Pid second = spawn(SpawnOptions{.name = "service"}, receive_forever);
    kill(second);
    settle();
    EXPECT_TRUE(mailbox_is_empty());
    exit(first, ExitReason::of(5));
    EXPECT_EQ(await_down(ref).reason, ExitReason::of(5));
  });
}

TEST_P(Monitors, Mon5AMonitorOfOneselfIsAllowed) {
  run([&] {
    const MonitorRef ref = monitor(self());
    EXPECT_TRUE(mailbox_is_empty());
    EXPECT_TRUE(demonitor(ref));
  });
  run([&] { monitor(self()); });  // And ends with it set.
}

TEST_P(MonitorsInVirtualTime, Mon6AfterDemonitorNoDownArrives) {
  run([&] {
    const Pid target = spawn(receive_forever);
    EXPECT_TRUE(demonitor(monitor(target)));
    EXPECT_TRUE(rt.info(target)->monitored_by.empty());
    kill(target);
    settle();
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(MonitorsInVirtualTime, Mon6DemonitorTakesOnlyItsOwnMonitor) {
  run([&] {
    const Pid target = spawn(receive_forever);
    const MonitorRef first = monitor(target);
    const MonitorRef second = monitor(target);
    demonitor(first);
    kill(target);
    await_down(second);
    settle();
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(MonitorsInVirtualTime, Mon6AQueuedDownStaysWithoutFlush) {
  run([&] {
    const Monitored fired = spawn_monitor([] {});
    settle();
    EXPECT_TRUE(demonitor(fired.ref));
    EXPECT_TRUE(poll<Down>());
  });
}

TEST_P(MonitorsInVirtualTime, Mon6FlushTakesTheQueuedDownOutOfItsPlace) {
  run([&] {
    const Monitored kept = spawn_monitor([] {});
    send(self(), Int{1});
    const Monitored flushed = spawn_monitor([] {});
    settle();
    send(self(), Int{2});
    EXPECT_TRUE(demonitor(flushed.ref, {.flush = true}));
    EXPECT_EQ(poll<Down>()->ref, kept.ref);
    EXPECT_EQ(receive_any().take<Int>().n, 1);
    EXPECT_EQ(receive_any().take<Int>().n, 2);
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(MonitorsInVirtualTime, Mon6InfoTellsWhetherTheMonitorWasThere) {
  run([&] {
    const Pid target = spawn(receive_forever);
    EXPECT_TRUE(demonitor(monitor(target), {.info = true}));
    EXPECT_TRUE(demonitor(monitor(target), {.flush = true, .info = true}));

    const Monitored fired = spawn_monitor([] {});
    settle();
    EXPECT_FALSE(demonitor(fired.ref, {.info = true}));
    EXPECT_FALSE(demonitor(fired.ref, {.flush = true, .info = true}));  // One had to be flushed.
    EXPECT_TRUE(demonitor(fired.ref, {.flush = true, .info = true}));   // None is left to flush.
    EXPECT_FALSE(demonitor(fired.ref, {.info = true}));
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(MonitorsInVirtualTime, Mon6InfoIsRightWhenDemonitorRacesWithTheEnd) {
  run([&] {
    for (int round = 0; round < 200; ++round) {
      const Monitored target = spawn_monitor([] {});
      for (int i = 0; i < round % 4; ++i) yield();
      const bool removed = demonitor(target.ref, {.info = true});
      EXPECT_EQ(poll<Down>().has_value(), !removed);
      settle();
      EXPECT_TRUE(mailbox_is_empty());
    }
  });
}

TEST_P(MonitorsInVirtualTime, Mon6FlushLeavesNothingWhenItRacesWithTheEnd) {
  run([&] {
    for (int round = 0; round < 200; ++round) {
      const Monitored target = spawn_monitor([] {});
      for (int i = 0; i < round % 4; ++i) yield();
      demonitor(target.ref, {.flush = true});
      settle();
      EXPECT_TRUE(mailbox_is_empty());
    }
  });
}

TEST_P(Monitors, Mon7DemonitorOfAFiredMonitorSucceeds) {
  run([&] {
    const Monitored fired = spawn_monitor([] {});
    await_down(fired.ref);
    EXPECT_TRUE(demonitor(fired.ref));
    EXPECT_TRUE(demonitor(fired.ref));
    EXPECT_TRUE(demonitor(fired.ref, {.flush = true}));
    EXPECT_NO_THROW(demonitor(MonitorRef{}));
  });
}

TEST_P(Monitors, Mon7ARefOfAnotherProcessIsOutOfReach) {
  run([&] {
    const Pid target = spawn(receive_forever);
    const Pid stranger = spawn(puppet);
    const MonitorRef ref = monitor(target);
    ask(stranger, [ref] { demonitor(ref, {.flush = true}); });
    EXPECT_EQ(rt.info(target)->monitored_by.size(), 1u);
    kill(target);
    EXPECT_EQ(await_down(ref).reason, ExitReason::killed);
  });
}

TEST_P(Monitors, Mon7WhatDemonitorTellsOfARefOfAnotherProcess) {
  run([&] {
    const Pid stranger = spawn(puppet);
    const MonitorRef ref = monitor(spawn(receive_forever));
    bool found = true, unflushed = false;
    ask(stranger, [&] {
      found = demonitor(ref, {.info = true});
      unflushed = demonitor(ref, {.flush = true, .info = true});
    });
    EXPECT_FALSE(found);
    EXPECT_TRUE(unflushed);  // No DOWN had to be flushed (MON-6).
  });
}

TEST_P(MonitorsInVirtualTime, Mon8AWatchersEndTakesItsMonitorsAway) {
  run([&] {
    const Pid target = spawn(receive_forever);
    for (int i = 0; i < 20; ++i) {
      spawn([target, i] {
        for (int n = 0; n < 5; ++n) monitor(target);
        if (i % 2 == 0) throw std::runtime_error("a watcher that crashes");
      });
    }
    settle();
    EXPECT_TRUE(rt.info(target)->monitored_by.empty());
    EXPECT_EQ(rt.stats().active_monitors, 0u);
  });
}

TEST_P(MonitorsInVirtualTime, Mon9AWatchersEndDoesNotTouchTheTarget) {
  run([&] {
    const Pid target = spawn(puppet);
    spawn([target] {
      monitor(target);
      exit(ExitReason::of(1));
    });
    settle();
    EXPECT_TRUE(rt.is_alive(target));
    EXPECT_TRUE(ask(target, mailbox_is_empty));
  });
}

TEST_P(Monitors, Mon9ANormalEndFiresDown) {
  run([&] {
    const Pid target = spawn([] { receive<Go>(); });
    const MonitorRef ref = monitor(target);
    send(target, Go{});
    EXPECT_EQ(await_down(ref).reason, ExitReason::normal);
  });
}

TEST_P(Monitors, Mon10TheTagComesBackInDown) {
  run([&] {
    const Pid target = spawn(receive_forever);
    const MonitorRef ref = monitor(target, {.tag = "backend"_atom});
    kill(target);
    EXPECT_EQ(await_down(ref).tag, "backend"_atom);
    EXPECT_EQ(await_down(monitor(target, {.tag = "gone"_atom})).tag, "gone"_atom);
  });
}

TEST_P(MonitorsInVirtualTime, Mon11AMonitorOfTheDyingReportsNoproc) {
  run([&] {
    for (int round = 0; round < 100; ++round) {
      const Pid target = round % 2 == 0 ? spawn(receive_forever) : spawn([] {
        for (;;) checkpoint();
      });
      if (round % 3 == 0) yield();
      kill(target);
      const Down down = await_down(monitor(target));
      EXPECT_EQ(down.pid, target);
      EXPECT_EQ(down.reason, ExitReason::noproc);
      settle();
      EXPECT_TRUE(mailbox_is_empty());
    }
  });
}

// A kill that the target has not met yet: its stack, names and groups are still there, so it is too early for a Down.
TEST_P(Monitors, Lif6ADownOfTheDyingComesWhenItsNameIsFree) {
  run([&] {
    for (int round = 0; round < 100; ++round) {
      const Pid target = spawn({.name = "wanted", .groups = {"those"}}, receive_forever);
      if (round % 2 == 0) yield();
      kill(target);
      EXPECT_EQ(await_down(monitor(target)).reason, ExitReason::noproc);
      EXPECT_EQ(whereis("wanted"), std::nullopt);
      EXPECT_TRUE(members("those").empty());
      EXPECT_EQ(send(target, 1), SendResult::no_process);
    }
  });
}

}  // namespace
}  // namespace weft::test
