// SEMANTICS section 5; receive_since() has its own file.

#include <atomic>
#include <chrono>
#include <stdexcept>

#include "tests/conformance/puppet.hpp"

namespace weft::test {
namespace {

using Receiving = RuntimeTest;
using ReceivingInVirtualTime = VirtualTimeTest;
INSTANTIATE_TEST_SUITE_P(Workers, Receiving, worker_counts(), ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Workers, ReceivingInVirtualTime, worker_counts(), ::testing::PrintToStringParamName());

constexpr auto is_even = [](const Int& message) { return message.n % 2 == 0; };
constexpr auto number_of = [](Int message) { return message.n; };

void send_self_numbers(int first, int last) {
  for (int n = first; n <= last; ++n) send(self(), Int{n});
}

void expect_exactly(std::vector<int> numbers) {
  for (const int n : numbers) EXPECT_EQ(receive_any().take<Int>().n, n);
  EXPECT_TRUE(mailbox_is_empty());
}

TEST_P(Receiving, Rcv1TheOldestMatchIsTakenAndTheRestKeepsItsOrder) {
  run([&] {
    send_self_numbers(1, 6);
    EXPECT_EQ(receive(when(is_even, number_of)), 2);
    EXPECT_EQ(receive(when(is_even, number_of)), 4);
    expect_exactly({1, 3, 5, 6});
  });
}

TEST_P(Receiving, Rcv1TheOldestMessageCountsNotTheFirstHandler) {
  run([&] {
    send(self(), Text{"older"});
    send(self(), Int{1});
    EXPECT_EQ(receive([](Int) { return 1; }, [](Text) { return 2; }), 2);
    EXPECT_EQ(receive([](Int) { return 1; }, [](Text) { return 2; }), 1);
  });
}

TEST_P(Receiving, Rcv1AMessageThatSeveralHandlersAcceptGoesToTheFirst) {
  run([&] {
    send_self_numbers(1, 2);
    const auto pick = [] {
      return receive(
          when(is_even, [](Int) { return 1; }), [](Int) { return 2; }, [](Message) { return 3; });
    };
    EXPECT_EQ(pick(), 2);
    EXPECT_EQ(pick(), 1);
    send(self(), Text{"neither"});
    EXPECT_EQ(pick(), 3);
  });
}

TEST_P(Receiving, Rcv2SkippedMessagesComeBeforeYoungerOnes) {
  run([&] {
    send_self_numbers(1, 3);
    send(self(), Text{"wanted"});
    await<Text>();
    send_self_numbers(4, 5);
    expect_exactly({1, 2, 3, 4, 5});
  });
}

TEST_P(Receiving, Rcv3ExitsAndDownsQueueAmongTheOtherMessages) {
  run([&] {
    trap_exit(true);
    const Pid peer = spawn(puppet);
    const Pid receiver = self();
    const MonitorRef ref = monitor(peer);
    tell(peer, [receiver] {
      send(receiver, Int{1});
      exit(receiver, ExitReason::of(2));
      send(receiver, Int{3});
      exit(ExitReason::of(4));
    });
    EXPECT_EQ(receive_any().take<Int>().n, 1);
    EXPECT_EQ(receive_any().take<Exit>().from, peer);
    EXPECT_EQ(receive_any().take<Int>().n, 3);
    EXPECT_EQ(receive_any().take<Down>().ref, ref);
  });
}

TEST_P(ReceivingInVirtualTime, Rcv3TimerMessagesQueueAmongTheOtherMessages) {
  run([&] {
    send(self(), Int{1});
    send_after(1ms, self(), Int{2});
    sleep_for(5ms);
    send(self(), Int{3});
    expect_exactly({1, 2, 3});
  });
}

TEST_P(Receiving, Rcv4AThrowingPredicateConsumesNothing) {
  run([&] {
    send_self_numbers(1, 3);
    const auto refuses_two = [](const Int& message) -> bool {
      if (message.n == 2) throw std::logic_error("two");
      return false;
    };
    for (int attempt = 0; attempt < 3; ++attempt) EXPECT_THROW(receive(when(refuses_two, number_of)), std::logic_error);
    EXPECT_EQ(rt.info(self())->mailbox_depth, 3u);
    expect_exactly({1, 2, 3});
  });
}

TEST_P(Receiving, Rcv5AZeroTimeoutScansEverythingOnceAndNeverWaits) {
  run([&] {
    send_self_numbers(1, 100);
    send(self(), Text{"last"});
    EXPECT_FALSE(receive_for<Pong>(Duration::zero()));
    EXPECT_TRUE(receive_for<Text>(Duration::zero()));
    EXPECT_FALSE(receive_for<Text>(Duration::zero()));
    EXPECT_EQ(receive([](Pong) { return 1; }, after(Duration::zero(), [] { return 2; })), 2);
    for (int n = 1; n <= 100; ++n) EXPECT_EQ(receive_any_for(Duration::zero())->take<Int>().n, n);
    EXPECT_FALSE(receive_any_for(Duration::zero()));
  });
}

TEST_P(Receiving, Rcv5AZeroTimeoutFindsWhatAnotherProcessHasSentBefore) {
  run([&] {
    const Pid peer = spawn(puppet);
    const Pid receiver = self();
    for (int round = 0; round < 100; ++round) {
      ask(peer, [receiver] { send(receiver, Text{"sent before the answer"}); });
      EXPECT_TRUE(poll<Text>());
    }
  });
}

TEST_P(Receiving, Rcv5ATimeoutAloneIsAReceive) {
  run([&] {
    send_self_numbers(1, 1);
    EXPECT_EQ(receive(after(Duration::zero(), [] { return 7; })), 7);
    expect_exactly({1});
  });
}

TEST_P(ReceivingInVirtualTime, Rcv6ForeverWaitsAndCanBeKilled) {
  run([&] {
    const Monitored waiter = spawn_monitor([] { receive_for<Never>(forever); });
    sleep_for(100ms);
    EXPECT_TRUE(rt.is_alive(waiter.pid));
    kill(waiter.pid);
    EXPECT_EQ(await_down(waiter.ref).reason, ExitReason::killed);
  });
}

TEST_P(Receiving, Rcv7ATimeoutNeverFiresEarly) {
  run([&] {
    for (const Duration wait : {Duration(1), Duration(50us), Duration(999us), Duration(1001us), Duration(3ms)}) {
      const auto start = std::chrono::steady_clock::now();
      EXPECT_FALSE(receive_for<Never>(wait));
      EXPECT_GE(std::chrono::steady_clock::now() - start, wait);
    }
  });
}

TEST_P(ReceivingInVirtualTime, Rcv7OtherMessagesNeitherRestartNorExtendTheTimeout) {
  struct Waited {
    Duration time;
  };
  run([&] {
    const Pid judge = self();
    const Pid waiter = spawn([judge] {
      const TimePoint start = now();
      EXPECT_FALSE(receive_for<Never>(10ms));
      send(judge, Waited{now() - start});
    });
    for (int i = 0; i < 40; ++i) {
      settle();
      send(waiter, Int{i});
    }
    const Duration waited = await<Waited>().time;
    EXPECT_GE(waited, 10ms);
    EXPECT_LT(waited, 20ms);
  });
}

TEST_P(ReceivingInVirtualTime, Rcv7AWaitThatEndedEarlyChangesNoLaterOne) {
  run([&] {
    const Pid me = self();
    for (const Duration wait : {20ms, 50ms, 5ms, 200ms}) {
      spawn([me] { send(me, Go{}); });
      EXPECT_TRUE(receive_for<Go>(wait));
      const TimePoint start = now();
      EXPECT_FALSE(receive_for<Never>(wait));
      EXPECT_GE(now() - start, wait);
      EXPECT_LT(now() - start, wait + 3 * kTick);
    }
    // And a sleep is none the shorter.
    spawn([me] { send(me, Go{}); });
    EXPECT_TRUE(receive_for<Go>(5ms));
    const TimePoint start = now();
    sleep_for(30ms);
    EXPECT_GE(now() - start, 30ms);
  });
}

TEST_P(Receiving, Rcv8AMessageThatRacesWithTheTimeoutIsNeverLost) {
  run([&] {
    const Pid peer = spawn(puppet);
    const Pid receiver = self();
    for (int round = 0; round < 300; ++round) {
      tell(peer, [receiver, round] {
        const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(round % 50);
        while (std::chrono::steady_clock::now() < until) checkpoint();
        send(receiver, Int{round});
      });
      std::optional<Int> message = receive_for<Int>(25us);
      if (!message) message = await<Int>();
      EXPECT_EQ(message->n, round);
      EXPECT_FALSE(poll<Int>());
    }
  });
}

TEST_P(Receiving, Rcv9ANegativeTimeoutIsRefusedAndTakesNothing) {
  run([&] {
    send_self_numbers(1, 2);
    EXPECT_THROW(receive_for<Int>(-1ns), BadArgument);
    EXPECT_THROW(receive_any_for(Duration::min()), BadArgument);
    EXPECT_THROW(receive([](Int) {}, after(-1ms, [] {})), BadArgument);
    expect_exactly({1, 2});
  });
}

TEST_P(ReceivingInVirtualTime, Rcv9ATimeoutBeyondTheClockMeansForever) {
  run([&] {
    for (const Duration wait : {forever, forever - 1ns, forever - 1h}) {
      const Monitored waiter = spawn_monitor([wait] { EXPECT_TRUE(receive_for<Go>(wait)); });
      sleep_for(100ms);
      EXPECT_TRUE(rt.is_alive(waiter.pid));
      send(waiter.pid, Go{});
      EXPECT_EQ(await_down(waiter.ref).reason, ExitReason::normal);
    }
  });
}

TEST_P(ReceivingInVirtualTime, Rcv10OtherSignalsDoNotWakeTheBody) {
  run([&] {
    std::atomic<int> looks = 0;
    const Pid waiter = spawn([&looks] {
      receive(when(
          [&looks](const Int& message) {
            ++looks;
            return message.n == 2;
          },
          [](Int) {}));
    });
    send(waiter, Int{1});
    settle();
    EXPECT_EQ(looks, 1);
    link(waiter);
    monitor(waiter);
    rt.info(waiter);
    unlink(waiter);
    exit(waiter, ExitReason::normal);
    settle();
    EXPECT_EQ(looks, 1);
    kill_and_wait(waiter);
  });
}

TEST_P(Receiving, Rcv10AnInfoRequestNeverEatsAWakeUp) {
  run([&] {
    const Pid ponger = spawn([] {
      for (;;) send(receive<Ping>().from, Pong{});
    });
    const Pid asker = spawn([ponger] {
      for (;;) Runtime::of_self()->info(ponger);
    });
    for (int round = 0; round < 500; ++round) {
      send(ponger, Ping{self()});
      await<Pong>();
    }
    kill_and_wait(asker);
  });
}

TEST_P(ReceivingInVirtualTime, Rcv11AWaitingReceiveDoesNotLookAgainAtWhatItHasRefused) {
  constexpr int kBacklog = 200;
  run([&] {
    std::atomic<int> looks = 0;
    const Monitored waiter = spawn_monitor([&looks] {
      receive<Go>();
      receive(when(
                  [&looks](const Int&) {
                    ++looks;
                    return false;
                  },
                  [](Int) {}),
              [](Text) {});
    });
    for (int i = 0; i < kBacklog; ++i) send(waiter.pid, Int{i});
    send(waiter.pid, Go{});
    for (int i = 0; i < kBacklog; ++i) {
      settle();
      send(waiter.pid, Int{i});
    }
    send(waiter.pid, Text{"wanted"});
    await_down(waiter.ref);
    EXPECT_GE(looks, 2 * kBacklog);
    EXPECT_LE(looks, 4 * kBacklog);  // Looking again at each wake-up would make it a hundred times as many.
  });
}

TEST_P(Receiving, Rcv11ACallLeavesABacklogAsItWas) {
  constexpr int kBacklog = 1'000;
  run([&] {
    const Pid server = spawn([] {
      for (;;) receive([](Call<Int> request) { reply(request.from, Int{request.request.n * 2}); });
    });
    send_self_numbers(1, kBacklog);
    for (int n = 0; n < 20; ++n) EXPECT_EQ((call<Int>(server, Int{n}).n), 2 * n);
    EXPECT_EQ(rt.info(self())->mailbox_depth, static_cast<std::size_t>(kBacklog));
    for (int n = 1; n <= kBacklog; ++n) ASSERT_EQ(receive_any().take<Int>().n, n);
  });
}

TEST_P(Receiving, Rcv12ReceivingNeedsAProcess) {
  EXPECT_THROW(receive<Int>(), NotInProcess);
  EXPECT_THROW(receive_any_for(Duration::zero()), NotInProcess);
}

TEST_P(Receiving, Rcv12ReceivingNeedsAMailbox) {
  JoinHandle handle = rt.start(SpawnOptions{.mailbox = false}, [] {
    EXPECT_THROW(receive<Int>(), NoMailbox);
    EXPECT_THROW(receive_any_for(Duration::zero()), NoMailbox);
  });
  EXPECT_EQ(handle.join(), ExitReason::normal);
}

TEST_P(Receiving, Rcv12ReceivingIsRefusedWhileUnwinding) {
  struct ReceivesAtTheEnd {
    ~ReceivesAtTheEnd() { EXPECT_THROW(receive_for<Int>(Duration::zero()), ProcessExiting); }
  };
  run([&] {
    const Monitored child = spawn_monitor([] {
      const ReceivesAtTheEnd at_the_end;
      receive<Go>();
      receive<Never>();
    });
    send(child.pid, Int{1});
    send(child.pid, Go{});
    kill(child.pid);
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::killed);
  });
}

}  // namespace
}  // namespace weft::test
