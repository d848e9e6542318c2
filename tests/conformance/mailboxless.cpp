// SEMANTICS.md section 18.
#include <gmock/gmock.h>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void sleep_forever() { sleep_for(forever); }

class Mailboxless : public VirtualTimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Mailboxless, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Mailboxless, Mbx1EveryReceiveIsRefused) {
  run([&] {
    spawn({.mailbox = false}, [test = self()] {
      const bool all = throws<NoMailbox>([] { receive<Int>(); }) && throws<NoMailbox>([] { receive_for<Int>(0ms); }) &&
                       throws<NoMailbox>([] { receive_any(); }) && throws<NoMailbox>([] { receive_any_for(1ms); }) &&
                       throws<NoMailbox>([] { receive([](Int) {}); });
      send(test, Answer<bool>{all});
    });
    EXPECT_TRUE(await<Answer<bool>>().value);
  });
}

TEST_P(Mailboxless, Mbx1TheErrorNamesThePid) {
  run([&] {
    const Pid child = spawn({.mailbox = false}, [test = self()] { send(test, Text{text_of<NoMailbox>([] { receive_any(); })}); });
    EXPECT_THAT(await<Text>().text, HasSubstr(child.to_string()));
  });
}

TEST_P(Mailboxless, Mbx1WhatIsSentToItIsDropped) {
  run([&] {
    auto token = std::make_shared<int>();
    const Pid child = spawn({.name = "deaf", .mailbox = false}, sleep_forever);
    EXPECT_NE(send(child, Carrier{token}), SendResult::queued);
    EXPECT_NE(send("deaf", Carrier{token}), SendResult::queued);
    EXPECT_EQ(token.use_count(), 1);
    EXPECT_TRUE(rt.is_alive(child));
  });
}

TEST_P(Mailboxless, Mbx2ItCannotTrapAnExitSignal) {
  run([&] {
    const Monitored child = spawn_monitor({.trap_exit = true, .mailbox = false}, sleep_forever);
    exit(child.pid, ExitReason::shutdown);
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::shutdown);
  });
}

TEST_P(Mailboxless, Mbx2ItCannotTrapALinkedExit) {
  run([&] {
    const Monitored child = spawn_monitor({.trap_exit = true, .mailbox = false}, [] {
      spawn_link([] { exit(ExitReason::shutdown); });
      sleep_forever();
    });
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::shutdown);
  });
}

TEST_P(Mailboxless, Mbx2DownAndTimerMessagesAreDropped) {
  run([&] {
    const Pid watched = spawn(receive_forever);
    auto token = std::make_shared<int>();
    const Pid child = spawn({.mailbox = false}, [watched] {
      monitor(watched);
      sleep_forever();
    });
    send_after(1ms, child, Carrier{token});
    kill_and_wait(watched);
    sleep_for(5ms);
    EXPECT_TRUE(rt.is_alive(child));
    EXPECT_EQ(token.use_count(), 1);
  });
}

TEST_P(Mailboxless, Mbx2ADroppedDownIsDestroyed) {
  run([&] {
    auto token = std::make_shared<int>();
    const Pid watched = spawn([token] {
      receive<Go>();
      exit(ExitReason::of(token));
    });
    const Pid child = spawn({.mailbox = false}, [watched] {
      monitor(watched);
      for (;;) sleep_for(kTick);
    });
    settle();
    send(watched, Go{});
    sleep_for(5 * kTick);
    EXPECT_EQ(rt.info(child)->mailbox_depth, 0u);
    EXPECT_EQ(token.use_count(), 1) << "the DOWN has the reason still";
  });
}

TEST_P(Mailboxless, Mbx3LinksWorkBothWays) {
  run([&] {
    trap_exit(true);
    const Pid victim = spawn_link({.mailbox = false}, sleep_forever);
    EXPECT_THAT(rt.info(victim).value().links, ElementsAre(self()));
    kill(victim);
    EXPECT_EQ(await<Exit>().reason, ExitReason::killed);

    const Pid peer = spawn(receive_forever);
    const Monitored child = spawn_monitor({.mailbox = false}, [peer] {
      link(peer);
      sleep_forever();
    });
    settle();
    exit(peer, ExitReason::shutdown);
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::shutdown);
  });
}

TEST_P(Mailboxless, Mbx3NamesMonitorsAndKillWork) {
  run([&] {
    const Monitored child = spawn_monitor({.name = "deaf", .mailbox = false}, sleep_forever);
    EXPECT_EQ(whereis("deaf"), child.pid);
    kill(child.pid);
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::killed);
    EXPECT_FALSE(whereis("deaf"));
  });
}

TEST_P(Mailboxless, Mbx3ItMaySend) {
  run([&] {
    spawn({.mailbox = false}, [test = self()] { send(test, Int{7}); });
    EXPECT_EQ(await<Int>().n, 7);
  });
}

}  // namespace
}  // namespace weft::test
