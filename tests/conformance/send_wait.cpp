// SEMANTICS.md section 15: back-pressure as the sender's choice.
#include <gmock/gmock.h>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::HasSubstr;

class SendWait : public VirtualTimeTest {
 protected:
  /// A process of capacity 1, filled with Int{0}. It takes one Int for each Exit and passes it on.
  static Monitored spawn_full(Overflow overflow = Overflow::shed_newest) {
    const Monitored full = spawn_monitor({.trap_exit = true, .limit = {.capacity = 1, .overflow = overflow}}, [test = self()] {
      for (;;) {
        receive<Exit>();
        send(test, receive<Int>());
      }
    });
    EXPECT_EQ(send(full.pid, Int{0}), SendResult::queued);
    return full;
  }

  /// Has a process of spawn_full() take its next Int. An exit signal, since that needs no room.
  static int next_of(Pid full) {
    exit(full, ExitReason::shutdown);
    return await<Int>().n;
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, SendWait, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(SendWait, Cap2SendWaitReturnsAtOnceWhereThereIsRoom) {
  run([&] {
    const TimePoint start = now();
    EXPECT_EQ(send_wait(self(), Int{7}), SendResult::queued);
    EXPECT_EQ(await<Int>().n, 7);
    EXPECT_EQ(now(), start);
  });
}

TEST_P(SendWait, Cap2SendWaitSuspendsUntilThereIsRoom) {
  run([&] {
    const Pid full = spawn_full().pid;
    const auto dropped = rt.stats().dropped;
    spawn([test = self(), full] { send(test, Answer<SendResult>{send_wait(full, Int{1})}); });
    sleep_for(10ms);
    EXPECT_FALSE(poll<Answer<SendResult>>());
    EXPECT_EQ(next_of(full), 0);
    EXPECT_EQ(await<Answer<SendResult>>().value, SendResult::queued);
    EXPECT_EQ(next_of(full), 1);
    EXPECT_EQ(rt.stats().dropped, dropped);
  });
}

TEST_P(SendWait, Cap2SendWaitNeitherEvictsNorOverflows) {
  run([&] {
    for (const Overflow overflow : {Overflow::shed_oldest, Overflow::exit}) {
      const Pid full = spawn_full(overflow).pid;
      EXPECT_THROW(send_wait(full, Int{1}, 5ms), TimedOut);
      EXPECT_TRUE(rt.is_alive(full));
      EXPECT_EQ(next_of(full), 0);
    }
  });
}

TEST_P(SendWait, Cap2SendWaitGivesUpAtItsDeadline) {
  run([&] {
    const Pid full = spawn_full().pid;
    auto token = std::make_shared<int>();
    const TimePoint start = now();
    EXPECT_THAT(text_of<TimedOut>([&] { send_wait(full, Carrier{token}, 5ms); }), HasSubstr(full.to_string()));
    EXPECT_GE(now() - start, 5ms);
    EXPECT_EQ(token.use_count(), 1);
    EXPECT_EQ(rt.info(full).value().mailbox_depth, 1u);
    EXPECT_EQ(next_of(full), 0);
  });
}

TEST_P(SendWait, Cap2ASendWaitThatGaveUpLeavesTheRoomToOthers) {
  run([&] {
    const Pid full = spawn_full().pid;
    EXPECT_THROW(send_wait(full, Int{1}, 5ms), TimedOut);
    next_of(full);
    EXPECT_EQ(send(full, Int{2}), SendResult::queued);
    EXPECT_EQ(next_of(full), 2);
  });
}

TEST_P(SendWait, Rcv9ANegativeDurationIsRefused) {
  run([&] {
    EXPECT_THROW(send_wait(self(), Int{1}, -1ms), BadArgument);
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(SendWait, Snd1ADeadReceiverIsNoProcess) {
  run([&] { EXPECT_EQ(send_wait(dead_pid(), Int{1}), SendResult::no_process); });
}

TEST_P(SendWait, Snd1TheReceiversDeathEndsTheWait) {
  run([&] {
    const Pid full = spawn_full().pid;
    auto token = std::make_shared<int>();
    spawn([test = self(), full, token]() mutable {
      const SendResult result = send_wait(full, Carrier{std::move(token)});
      send(test, Answer<SendResult>{result});
    });
    settle();
    EXPECT_FALSE(poll<Answer<SendResult>>());
    kill(full);
    EXPECT_EQ(await<Answer<SendResult>>().value, SendResult::no_process);
    EXPECT_EQ(token.use_count(), 1);
  });
}

TEST_P(SendWait, Snd5ASenderKilledWhileWaitingHasSentNothing) {
  run([&] {
    const Pid full = spawn_full().pid;
    auto token = std::make_shared<int>();
    const Monitored sender = spawn_monitor([full, token]() mutable { send_wait(full, Carrier{std::move(token)}); });
    settle();
    kill(sender.pid);
    EXPECT_EQ(await_down(sender.ref).reason, ExitReason::killed);
    EXPECT_EQ(token.use_count(), 1);
    EXPECT_EQ(next_of(full), 0);
    settle();
    EXPECT_EQ(rt.info(full).value().mailbox_depth, 0u);
  });
}

TEST_P(SendWait, Ord1OneSendersMessagesStayInOrder) {
  run([&] {
    const Pid full = spawn_full().pid;
    spawn([full] {
      for (int n = 1; n <= 50; ++n) send_wait(full, Int{n});
    });
    for (int n = 0; n <= 50; ++n) ASSERT_EQ(next_of(full), n);
  });
}

TEST_P(SendWait, Cap7ManyWaitersAllGetInAndNoneIsShed) {
  run([&] {
    constexpr int kSenders = 8, kEach = 100;
    const auto dropped = rt.stats().dropped;
    const Pid reader = spawn({.limit = {.capacity = 2}}, [test = self()] {
      std::vector<int> next(kSenders, 0);
      bool in_order = true;
      for (int i = 0; i < kSenders * kEach; ++i) {
        const int n = receive<Int>().n;
        const auto sender = static_cast<std::size_t>(n / kEach);
        in_order = in_order && n % kEach == next[sender]++;
      }
      send(test, Answer<bool>{in_order});
    });
    for (int s = 0; s < kSenders; ++s) {
      spawn([reader, s] {
        for (int n = 0; n < kEach; ++n) send_wait(reader, Int{s * kEach + n});
      });
    }
    EXPECT_TRUE(await<Answer<bool>>().value);
    EXPECT_EQ(rt.stats().dropped, dropped);
  });
}

}  // namespace
}  // namespace weft::test
