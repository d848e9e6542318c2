// SEMANTICS section 3. ORD-4, ORD-5 and ORD-11 promise nothing that could be seen.

#include <atomic>
#include <map>

#include "tests/conformance/puppet.hpp"

namespace weft::test {
namespace {

using Ordering = RuntimeTest;
using OrderingInVirtualTime = VirtualTimeTest;
INSTANTIATE_TEST_SUITE_P(Workers, Ordering, worker_counts(), ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Workers, OrderingInVirtualTime, worker_counts(), ::testing::PrintToStringParamName());

struct Numbered {
  Pid from;
  int n;
};

TEST_P(Ordering, Ord1MessagesOfOneSenderArriveInOrderThoughItIsStolen) {
  constexpr int kMessages = 5'000;
  run([&] {
    const Pid receiver = self();
    spawn([receiver] {
      for (int i = 0; i < kMessages; ++i) {
        send(receiver, Int{i});
        if (i % 7 == 0) yield();
      }
    });
    for (int i = 0; i < kMessages; ++i) ASSERT_EQ(await<Int>().n, i);
  });
}

TEST_P(Ordering, Ord1MessagesOfAPlainThreadArriveInOrder) {
  constexpr int kMessages = 5'000;
  JoinHandle receiver = rt.start([] {
    for (int i = 0; i < kMessages; ++i) EXPECT_EQ(await<Int>().n, i);
  });
  for (int i = 0; i < kMessages; ++i) rt.send(receiver.pid(), Int{i});
  EXPECT_EQ(receiver.join(), ExitReason::normal);
}

TEST_P(Ordering, Ord1ExitSignalsKeepTheirPlaceAmongMessages) {
  constexpr int kPairs = 500;
  run([&] {
    trap_exit(true);
    const Pid receiver = self();
    spawn([receiver] {
      for (int i = 0; i < kPairs; ++i) {
        send(receiver, Int{i});
        exit(receiver, ExitReason::of(i));
      }
    });
    for (int i = 0; i < kPairs; ++i) {
      Message first = receive_any();
      ASSERT_TRUE(first.is<Int>());
      EXPECT_EQ(first.get_if<Int>()->n, i);
      Message second = receive_any();
      ASSERT_TRUE(second.is<Exit>());
      EXPECT_EQ(second.get_if<Exit>()->reason, ExitReason::of(i));
    }
  });
}

TEST_P(Ordering, Ord1AMonitorSetBeforeAMessageSeesWhatTheMessageCauses) {
  run([&] {
    for (int round = 0; round < 200; ++round) {
      const Pid child = spawn([] {
        receive<Go>();
        exit(ExitReason::of(1));
      });
      const MonitorRef ref = monitor(child);
      send(child, Go{});
      EXPECT_EQ(await_down(ref).reason, ExitReason::of(1));
    }
  });
}

TEST_P(OrderingInVirtualTime, Ord1AnUnlinkBeforeTheOwnExitHoldsIt) {
  run([&] {
    const Pid peer = spawn(receive_forever);
    for (int round = 0; round < 100; ++round) {
      spawn([peer] {
        link(peer);
        unlink(peer);
        exit(ExitReason::of(1));
      });
    }
    settle();
    EXPECT_TRUE(rt.is_alive(peer));
  });
}

TEST_P(Ordering, Ord2PidNameAndAliasShareOneOrder) {
  constexpr int kMessages = 900;
  run([&] {
    const Pid receiver = self();
    register_name("receiver");
    const Alias alias = make_alias(AliasMode::explicit_unalias);
    spawn([=] {
      for (int i = 0; i < kMessages; i += 3) {
        send(receiver, Int{i});
        send("receiver", Int{i + 1});
        send(alias, Int{i + 2});
      }
    });
    for (int i = 0; i < kMessages; ++i) ASSERT_EQ(await<Int>().n, i);
  });
}

TEST_P(Ordering, Ord2ANamedSendComesBeforeTheSendersDown) {
  run([&] {
    register_name("receiver");
    for (int round = 0; round < 200; ++round) {
      spawn_monitor([] { send("receiver", Go{}); });
      EXPECT_TRUE(receive_any().is<Go>());
      EXPECT_TRUE(receive_any().is<Down>());
    }
  });
}

TEST_P(Ordering, Ord3ExitAndDownComeAfterEveryMessageOfTheDead) {
  constexpr int kMessages = 50;
  run([&] {
    trap_exit(true);
    const Pid receiver = self();
    for (int round = 0; round < 100; ++round) {
      spawn_monitor(SpawnOptions{.link = true}, [receiver] {
        for (int i = 0; i < kMessages; ++i) send(receiver, Int{i});
      });
      for (int i = 0; i < kMessages; ++i) {
        Message next = receive_any();
        ASSERT_TRUE(next.is<Int>());
        ASSERT_EQ(next.get_if<Int>()->n, i);
      }
      await<Exit>();
      await<Down>();
    }
  });
}

TEST_P(Ordering, Ord3WhatADestructorSendsComesBeforeDown) {
  struct SaysGoodbye {
    Pid to;
    ~SaysGoodbye() { send(to, Go{}); }
  };
  run([&] {
    const Pid receiver = self();
    const Monitored child = spawn_monitor([receiver] {
      const SaysGoodbye at_the_end{receiver};
      send(receiver, Pong{});
      receive<Never>();
    });
    await<Pong>();
    kill(child.pid);
    EXPECT_TRUE(receive_any().is<Go>());
    EXPECT_TRUE(receive_any().is<Down>());
  });
}

TEST_P(Ordering, Ord6AProcessThatNeverReceivesIsLinkedMonitoredAskedAndKilled) {
  run([&] {
    trap_exit(true);
    const Pid busy = spawn([] {
      for (;;) checkpoint();
    });
    link(busy);
    const MonitorRef ref = monitor(busy);
    const auto about = rt.info(busy);
    ASSERT_TRUE(about);
    EXPECT_TRUE(contains(about->links, self()));
    EXPECT_TRUE(contains(about->monitored_by, self()));
    kill(busy);
    EXPECT_EQ(await_down(ref).reason, ExitReason::killed);
    EXPECT_EQ(await<Exit>().reason, ExitReason::killed);
  });
}

TEST_P(Ordering, Ord6AProcessThatNeverCallsTheRuntimeIsAnsweredFor) {
  std::atomic<bool> started = false, leave = false;
  JoinHandle spinner = rt.start([&] {
    started = true;
    while (!leave) {
    }
    checkpoint();
    ADD_FAILURE() << "a killed process went on past a runtime call";
  });
  ASSERT_TRUE(eventually([&] { return started.load(); }));
  EXPECT_TRUE(rt.is_alive(spinner.pid()));
  EXPECT_EQ(rt.info(spinner.pid())->pid, spinner.pid());
  rt.kill(spinner.pid());
  EXPECT_FALSE(rt.is_alive(spinner.pid()));
  EXPECT_FALSE(rt.info(spinner.pid()));
  leave = true;
  EXPECT_EQ(spinner.join(), ExitReason::killed);
}

TEST_P(Ordering, Ord7NoMessageSentAfterATerminatingSignalIsSeen) {
  run([&] {
    for (int round = 0; round < 200; ++round) {
      const Monitored child = spawn_monitor([] {
        for (;;) receive([](Int) {}, [](Text) { ADD_FAILURE() << "saw what was sent after the end"; });
      });
      send(child.pid, Int{0});
      exit(child.pid, ExitReason::shutdown);
      send(child.pid, Text{"too late"});
      EXPECT_EQ(await_down(child.ref).reason, ExitReason::shutdown);
    }
  });
}

// A predicate may take in what arrived, the signal among it, and refuse: the rest of the receive sees neither.
TEST_P(Ordering, Ord7NoMessageSentAfterATerminatingSignalIsSeenThoughAPredicateTookItIn) {
  if (GetParam() == 1) GTEST_SKIP() << "the predicate holds a worker while the other process sends";
  run([&] {
    std::atomic<bool> looking{false}, sent{false};
    const Monitored child = spawn_monitor([&] {
      const Alias alias = make_alias(AliasMode::explicit_unalias);
      send(self(), Int{0});
      const auto refuse = [&](const Int&) {
        looking = true;
        while (!sent) std::this_thread::yield();
        unalias(alias);
        return false;
      };
      receive(when(refuse, [](Int) {}), [](Text) { ADD_FAILURE() << "saw what was sent after the end"; });
    });
    while (!looking) std::this_thread::yield();
    exit(child.pid, ExitReason::kill);
    send(child.pid, Text{"too late"});
    sent = true;
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::killed);
  });
}

TEST_P(Ordering, Ord8AnExitSignalToOneselfActsBeforeTheCallReturns) {
  run([&] {
    const Monitored child = spawn_monitor([] {
      exit(self(), ExitReason::of(1));
      ADD_FAILURE() << "went on";
    });
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::of(1));
  });
}

TEST_P(Ordering, Ord8SignalsToOneselfKeepTheirOrder) {
  run([&] {
    trap_exit(true);
    send(self(), Int{1});
    exit(self(), ExitReason::of(2));
    send(self(), Int{3});
    EXPECT_EQ(receive_any().take<Int>().n, 1);
    EXPECT_EQ(receive_any().take<Exit>().reason, ExitReason::of(2));
    EXPECT_EQ(receive_any().take<Int>().n, 3);
  });
}

TEST_P(Ordering, Ord9AKilledProcessIsNotAliveForTheKiller) {
  run([&] {
    for (int round = 0; round < 200; ++round) {
      const Pid victim = round % 2 == 0 ? spawn(receive_forever) : spawn([] {
        for (;;) checkpoint();
      });
      if (round % 3 == 0) yield();
      kill(victim);
      EXPECT_FALSE(rt.is_alive(victim));
      EXPECT_FALSE(rt.info(victim));
    }
  });
}

TEST_P(Ordering, Ord9AKilledProcessIsNotAliveForAPlainThread) {
  for (int round = 0; round < 200; ++round) {
    const Pid victim = rt.spawn(receive_forever);
    rt.exit(victim, ExitReason::of(1));
    EXPECT_FALSE(rt.is_alive(victim));
    EXPECT_FALSE(rt.info(victim));
  }
}

TEST_P(Ordering, Ord9InfoCountsTheCallersEarlierSends) {
  run([&] {
    const Pid receiver = spawn([] { receive<Never>(); });
    for (int i = 0; i < 3; ++i) send(receiver, Int{i});
    EXPECT_EQ(rt.info(receiver)->mailbox_depth, 3u);
    send(self(), Int{0});
    EXPECT_EQ(rt.info(self())->mailbox_depth, 1u);
  });
}

TEST_P(Ordering, Ord10ManySendersDownsNeverOvertakeTheirMessages) {
  constexpr int kSenders = 16, kMessages = 300;
  run([&] {
    const Pid receiver = self();
    for (int s = 0; s < kSenders; ++s) {
      spawn_monitor([receiver] {
        for (int i = 0; i < kMessages; ++i) send(receiver, Numbered{self(), i});
      });
    }
    std::map<Pid, int> seen;
    for (int downs = 0; downs < kSenders;) {
      receive([&](Numbered m) { EXPECT_EQ(m.n, seen[m.from]++); },
              [&](Down down) {
                EXPECT_EQ(seen[down.pid], kMessages);
                ++downs;
              },
              after(kPatience, [] { throw std::runtime_error("a sender is lost"); }));
    }
  });
}

}  // namespace
}  // namespace weft::test
