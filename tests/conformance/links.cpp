// SEMANTICS section 7.

#include "tests/conformance/puppet.hpp"

namespace weft::test {
namespace {

using Links = RuntimeTest;
using LinksInVirtualTime = VirtualTimeTest;
INSTANTIATE_TEST_SUITE_P(Workers, Links, worker_counts(), ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Workers, LinksInVirtualTime, worker_counts(), ::testing::PrintToStringParamName());

using LinkList = std::vector<Pid>;

TEST_P(Links, Lnk1EitherSideMayEndALink) {
  run([&] {
    const Pid peer = spawn(puppet);
    const Pid me = self();
    link(peer);
    EXPECT_EQ(rt.info(me)->links, LinkList{peer});
    EXPECT_EQ(rt.info(peer)->links, LinkList{me});
    ask(peer, [me] { unlink(me); });
    EXPECT_TRUE(rt.info(me)->links.empty());
    EXPECT_TRUE(rt.info(peer)->links.empty());
  });
}

TEST_P(LinksInVirtualTime, Lnk1APairHasOneLinkHoweverOftenItIsMade) {
  run([&] {
    trap_exit(true);
    const Pid peer = spawn(puppet);
    const Pid me = self();
    for (int i = 0; i < 3; ++i) {
      link(peer);
      ask(peer, [me] { link(me); });
    }
    EXPECT_EQ(rt.info(me)->links, LinkList{peer});
    EXPECT_EQ(rt.stats().active_links, 1u);
    kill(peer);
    await<Exit>();
    settle();
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(Links, Lnk1OneUnlinkUndoesManyLinks) {
  run([&] {
    const Pid peer = spawn(receive_forever);
    link(peer);
    link(peer);
    unlink(peer);
    EXPECT_TRUE(rt.info(self())->links.empty());
    kill_and_wait(peer);
  });
}

TEST_P(Links, Lnk2ALinkToOneselfIsNothing) {
  run([&] {
    EXPECT_NO_THROW(link(self()));
    EXPECT_TRUE(rt.info(self())->links.empty());
    EXPECT_NO_THROW(unlink(self()));
  });
}

TEST_P(Links, Lnk3ALinkToTheDeadThrowsUnlessTrapping) {
  run([&] {
    const Pid dead = dead_pid();
    EXPECT_THROW(link(dead), NoSuchProcess);
    EXPECT_TRUE(mailbox_is_empty());
    trap_exit(true);
    EXPECT_NO_THROW(link(dead));
    const Exit message = await<Exit>();
    EXPECT_EQ(message.from, dead);
    EXPECT_EQ(message.reason, ExitReason::noproc);
    EXPECT_TRUE(rt.info(self())->links.empty());
  });
}

TEST_P(Links, Lif6AnExitOfALinkToTheDyingComesWhenItsNameIsFree) {
  run([&] {
    trap_exit(true);
    for (int round = 0; round < 100; ++round) {
      const Pid target = spawn({.name = "wanted"}, receive_forever);
      if (round % 2 == 0) yield();
      kill(target);
      link(target);
      const Exit message = await<Exit>();
      EXPECT_EQ(message.from, target);
      EXPECT_EQ(message.reason, ExitReason::noproc);
      EXPECT_EQ(whereis("wanted"), std::nullopt);
      EXPECT_TRUE(mailbox_is_empty());
      EXPECT_TRUE(rt.info(self())->links.empty());
    }
  });
}

TEST_P(Links, Lnk4TheCallerIsLinkedAtOnce) {
  run([&] {
    const Pid busy = spawn([] {
      for (;;) checkpoint();
    });
    link(busy);
    EXPECT_TRUE(contains(rt.info(self())->links, busy));
    unlink(busy);
    EXPECT_FALSE(contains(rt.info(self())->links, busy));
    kill_and_wait(busy);
  });
}

TEST_P(LinksInVirtualTime, Lnk5AfterUnlinkThePeersEndHasNoEffect) {
  run([&] {
    const Pid peer = spawn(receive_forever);
    link(peer);
    unlink(peer);
    exit(peer, ExitReason::of(1));
    settle();  // Not trapping: an exit signal would have ended this body.
    EXPECT_FALSE(rt.is_alive(peer));
  });
}

TEST_P(LinksInVirtualTime, Lnk5UnlinkAndOneZeroTimeoutReceiveLeaveACleanState) {
  run([&] {
    trap_exit(true);
    for (int round = 0; round < 200; ++round) {
      const Pid peer = spawn([] {
        receive<Go>();
        exit(ExitReason::of(1));
      });
      link(peer);
      send(peer, Go{});  // The peer dies while the link is taken away.
      if (round % 2 == 0) yield();
      unlink(peer);
      poll<Exit>();
      settle();
      EXPECT_TRUE(mailbox_is_empty());
      EXPECT_TRUE(rt.info(self())->links.empty());
    }
  });
}

TEST_P(Links, Lnk5UnlinkOfAStrangerOrTheDeadIsNothing) {
  run([&] {
    const Pid stranger = spawn(receive_forever);
    EXPECT_NO_THROW(unlink(stranger));
    EXPECT_NO_THROW(unlink(dead_pid()));
    EXPECT_TRUE(rt.is_alive(stranger));
  });
}

TEST_P(Links, Lnk6ALinkMadeAgainIsActive) {
  run([&] {
    trap_exit(true);
    for (int round = 0; round < 100; ++round) {
      const Pid peer = spawn(receive_forever);
      link(peer);
      unlink(peer);
      link(peer);
      EXPECT_EQ(rt.info(self())->links, LinkList{peer});
      exit(peer, ExitReason::of(1));
      EXPECT_EQ(await<Exit>().reason, ExitReason::of(1));
    }
  });
}

TEST_P(LinksInVirtualTime, Lnk7APeerThatUnlinksAndDiesIsEitherSilentOrHonest) {
  run([&] {
    trap_exit(true);
    const Pid me = self();
    for (int round = 0; round < 100; ++round) {
      const Pid peer = spawn([me] {
        receive<Go>();
        unlink(me);
        exit(ExitReason::of(1));
      });
      link(peer);
      send(peer, Go{});
      if (round % 2 == 0) yield();
      link(peer);
      settle();
      if (const auto message = poll<Exit>()) {
        EXPECT_EQ(message->from, peer);
        EXPECT_TRUE(message->reason == ExitReason::noproc || message->reason == ExitReason::of(1));
      }
      EXPECT_TRUE(mailbox_is_empty());
      EXPECT_TRUE(rt.info(me)->links.empty());
    }
  });
}

TEST_P(LinksInVirtualTime, Lnk8LinkingFromBothSidesAtOnceGivesOneLink) {
  run([&] {
    for (int round = 0; round < 100; ++round) {
      const Pid a = spawn(puppet);
      const Pid b = spawn(puppet);
      tell(a, [b] { link(b); });
      tell(b, [a] { link(a); });
      settle();
      EXPECT_EQ(rt.info(a)->links, LinkList{b});
      EXPECT_EQ(rt.info(b)->links, LinkList{a});
      EXPECT_EQ(rt.stats().active_links, 1u);
      exit(a, ExitReason::of(1));
      settle();
      EXPECT_FALSE(rt.is_alive(b));
    }
  });
}

TEST_P(LinksInVirtualTime, Lnk8LinkAndUnlinkAtOnceLeaveBothSidesAgreeing) {
  run([&] {
    const Pid a = spawn(puppet);
    const Pid b = spawn(puppet);
    for (int round = 0; round < 200; ++round) {
      tell(a, [b] {
        link(b);
        unlink(b);
        link(b);
      });
      tell(b, [a] {
        unlink(a);
        link(a);
        unlink(a);
      });
      settle();
      EXPECT_EQ(contains(rt.info(a)->links, b), contains(rt.info(b)->links, a));
      EXPECT_EQ(rt.stats().active_links, rt.info(a)->links.size());
    }
  });
}

TEST_P(Links, Lnk9NoHalfLinkOutlivesAProcess) {
  run([&] {
    trap_exit(true);
    for (int round = 0; round < 100; ++round) {
      const Pid peer = spawn_link(receive_forever);
      kill(peer);
      await<Exit>();
      EXPECT_TRUE(rt.info(self())->links.empty());
    }
    EXPECT_EQ(rt.stats().active_links, 0u);
  });
}

void grow_chain(int length, Pid builder) {
  if (length == 0) {
    send(builder, Ping{self()});
  } else {
    spawn_link([length, builder] { grow_chain(length - 1, builder); });
  }
  receive_forever();
}

TEST_P(Links, Lnk10ALongChainOfLinksDiesWithoutRecursion) {
  run([&] {
    const Pid builder = self();
    const Monitored head = spawn_monitor([builder] { grow_chain(kManyProcesses, builder); });
    const Pid tail = await<Ping>().from;
    exit(tail, ExitReason::of(1));
    EXPECT_EQ(await_down(head.ref).reason, ExitReason::of(1));
  });
  EXPECT_TRUE(eventually([&] { return rt.stats().live == 0; }));
}

TEST_P(Links, Lnk10AHubReachesEachOfItsManyLinks) {
  run([&] {
    const Pid counter = self();
    const Pid hub = spawn(receive_forever);
    for (int i = 0; i < kManyProcesses; ++i) {
      spawn(SpawnOptions{.trap_exit = true}, [counter, hub] {
        link(hub);
        send(counter, Go{});
        const Exit message = receive<Exit>();
        EXPECT_EQ(message.from, hub);
        EXPECT_EQ(message.reason, ExitReason::killed);
        send(counter, Pong{});
      });
    }
    for (int i = 0; i < kManyProcesses; ++i) await<Go>();
    kill(hub);
    for (int i = 0; i < kManyProcesses; ++i) await<Pong>();
  });
}

}  // namespace
}  // namespace weft::test
