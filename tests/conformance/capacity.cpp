// SEMANTICS.md section 15. send_wait has its own file.
#include <gmock/gmock.h>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// On a virtual clock, so that settle() tells when a receiver has looked at what it got.
class Capacity : public VirtualTimeTest {
 protected:
  /// A process that lets its mailbox fill until ints_of() asks.
  static Pid spawn_reader(MailboxLimit limit) { return spawn({.trap_exit = true, .limit = limit}, read_ints_on_exit, self()); }

  std::size_t depth_of(Pid pid) { return rt.info(pid).value().mailbox_depth; }
};
INSTANTIATE_TEST_SUITE_P(Workers, Capacity, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Capacity, Cap1AMailboxIsUnboundedByDefault) {
  run([&] {
    const auto dropped = rt.stats().dropped;
    const Pid reader = spawn({.trap_exit = true}, read_ints_on_exit, self());
    constexpr int kMany = 50'000;
    for (int n = 0; n < kMany; ++n) ASSERT_EQ(send(reader, Int{n}), SendResult::queued);
    EXPECT_EQ(ints_of(reader).size(), static_cast<std::size_t>(kMany));
    EXPECT_EQ(rt.stats().dropped, dropped);
  });
}

TEST_P(Capacity, Cap1TheRuntimesLimitHoldsForEveryProcess) {
  RuntimeOptions limited = options;
  limited.mailbox = {.capacity = 2};
  rebuild(limited);
  JoinHandle reader = rt.start({.trap_exit = true}, [] {
    receive<Exit>();
    exit(ExitReason::of(static_cast<int>(queued_ints().size())));
  });
  EXPECT_EQ(rt.send(reader.pid(), Int{1}), SendResult::queued);
  EXPECT_EQ(rt.send(reader.pid(), Int{2}), SendResult::queued);
  EXPECT_EQ(rt.send(reader.pid(), Int{3}), SendResult::shed);
  rt.exit(reader.pid(), ExitReason::shutdown);
  EXPECT_EQ(reader.join(), ExitReason::of(2));
}

TEST_P(Capacity, Cap1AProcessMayHaveItsOwnLimit) {
  run([&] {
    const Pid small = spawn_reader({.capacity = 1});
    const Pid large = spawn_reader({.capacity = 3});
    for (int n = 1; n <= 4; ++n) {
      send(small, Int{n});
      send(large, Int{n});
    }
    EXPECT_THAT(ints_of(small), ElementsAre(1));
    EXPECT_THAT(ints_of(large), ElementsAre(1, 2, 3));
  });
}

TEST_P(Capacity, Cap2AtCapacityTheNewestIsShed) {
  run([&] {
    const auto dropped = rt.stats().dropped;
    const Pid reader = spawn_reader({.capacity = 3});
    for (int n = 1; n <= 3; ++n) EXPECT_EQ(send(reader, Int{n}), SendResult::queued);
    for (int n = 4; n <= 5; ++n) EXPECT_EQ(send(reader, Int{n}), SendResult::shed);
    EXPECT_EQ(rt.stats().dropped, dropped + 2);
    EXPECT_THAT(ints_of(reader), ElementsAre(1, 2, 3));
  });
}

TEST_P(Capacity, Cap2AShedMessageIsDestroyed) {
  run([&] {
    auto token = std::make_shared<int>();
    const Pid reader = spawn_reader({.capacity = 1});
    send(reader, Int{1});
    EXPECT_EQ(send(reader, Carrier{token}), SendResult::shed);
    EXPECT_EQ(token.use_count(), 1);
  });
}

TEST_P(Capacity, Cap2ThereIsRoomAgainOnceAMessageIsTaken) {
  run([&] {
    const Pid reader = spawn({.limit = {.capacity = 1}}, [test = self()] {
      for (;;) send(test, receive<Int>());
    });
    for (int n = 1; n <= 100; ++n) {
      ASSERT_EQ(send(reader, Int{n}), SendResult::queued);
      ASSERT_EQ(await<Int>().n, n);
    }
  });
}

TEST_P(Capacity, ShedOldestKeepsTheNewest) {
  run([&] {
    const auto dropped = rt.stats().dropped;
    const Pid reader = spawn_reader({.capacity = 3, .overflow = Overflow::shed_oldest});
    for (int n = 1; n <= 5; ++n) EXPECT_EQ(send(reader, Int{n}), SendResult::queued);
    EXPECT_EQ(rt.stats().dropped, dropped + 2);
    EXPECT_EQ(depth_of(reader), 3u);
    EXPECT_THAT(ints_of(reader), ElementsAre(3, 4, 5));
  });
}

TEST_P(Capacity, ShedOldestAlsoEvictsWhatTheReceiverHasDeferred) {
  run([&] {
    auto token = std::make_shared<int>();
    const Pid reader = spawn_reader({.capacity = 2, .overflow = Overflow::shed_oldest});
    send(reader, Carrier{token});
    send(reader, Int{1});
    settle();  // The reader has seen both and waits on for an Exit.
    send(reader, Int{2});
    settle();
    EXPECT_EQ(token.use_count(), 1);
    EXPECT_EQ(depth_of(reader), 2u);
    EXPECT_THAT(ints_of(reader), ElementsAre(1, 2));
  });
}

TEST_P(Capacity, OverflowExitEndsTheReceiver) {
  run([&] {
    const Monitored reader =
        spawn_monitor({.trap_exit = true, .limit = {.capacity = 2, .overflow = Overflow::exit}}, [] { receive<Never>(); });
    EXPECT_EQ(send(reader.pid, Int{1}), SendResult::queued);
    EXPECT_EQ(send(reader.pid, Int{2}), SendResult::queued);
    settle();
    EXPECT_TRUE(rt.is_alive(reader.pid));
    send(reader.pid, Int{3});
    EXPECT_FALSE(await_down(reader.ref).reason.is_normal());
  });
}

TEST_P(Capacity, Cap3SignalsAreNeverShed) {
  run([&] {
    constexpr std::size_t kChildren = 20;
    spawn({.trap_exit = true, .limit = {.capacity = 1}}, [test = self()] {
      send(self(), Int{1});
      std::vector<Pid> children;
      for (std::size_t i = 0; i < kChildren; ++i) {
        children.push_back(spawn_link(receive_forever));
        monitor(children.back());
      }
      for (const Pid child : children) exit(child, ExitReason::shutdown);
      std::size_t exits = 0, downs = 0;
      while (exits < kChildren || downs < kChildren) receive([&](Exit) { ++exits; }, [&](Down) { ++downs; });
      send(test, Answer<std::vector<int>>{queued_ints()});
    });
    EXPECT_THAT(await<Answer<std::vector<int>>>().value, ElementsAre(1));
  });
}

TEST_P(Capacity, Cap3AFullProcessCanBeLinkedMonitoredAndKilled) {
  run([&] {
    trap_exit(true);
    const Pid reader = spawn_reader({.capacity = 1});
    send(reader, Int{1});
    link(reader);
    const MonitorRef ref = monitor(reader);
    kill(reader);
    EXPECT_EQ(await<Exit>().reason, ExitReason::killed);
    EXPECT_EQ(await_down(ref).reason, ExitReason::killed);
  });
}

TEST_P(Capacity, Cap3TheReplyToACallIsNeverShed) {
  run([&] {
    const Pid server = spawn([] {
      for (;;) {
        const auto asked = receive<Call<Int>>();
        reply(asked.from, Text{"here"});
      }
    });
    spawn({.limit = {.capacity = 1}}, [test = self(), server] {
      send(self(), Int{1});
      const Text answer = call<Text>(server, Int{2});
      send(test, Text{answer.text});
    });
    EXPECT_EQ(await<Text>().text, "here");
  });
}

TEST_P(Capacity, Cap4DepthCountsWhatIsDeferred) {
  run([&] {
    spawn({.limit = {.capacity = 100}}, [this, test = self()] {
      std::vector<std::size_t> depths;
      for (int n = 1; n <= 3; ++n) send(self(), Int{n});
      depths.push_back(depth_of(self()));
      receive(when([](const Int& i) { return i.n == 2; }, [](Int) {}));
      depths.push_back(depth_of(self()));
      receive<Int>();
      depths.push_back(depth_of(self()));
      receive<Int>();
      depths.push_back(depth_of(self()));
      send(test, Answer<std::vector<std::size_t>>{depths});
    });
    EXPECT_THAT(await<Answer<std::vector<std::size_t>>>().value, ElementsAre(3, 2, 1, 0));
  });
}

TEST_P(Capacity, Cap4DepthCountsSystemMessages) {
  run([&] {
    const Pid watcher = spawn({.limit = {.capacity = 1}}, [watched = dead_pid()] {
      for (int i = 0; i < 5; ++i) monitor(watched);
      receive<Never>();
    });
    settle();
    EXPECT_EQ(depth_of(watcher), 5u);
  });
}

TEST_P(Capacity, Cap8DepthIsCountedWithoutALimitToo) {
  run([&] {
    const Pid reader = spawn([] {
      receive<Go>();  // What lies before it is deferred.
      receive<Never>();
    });
    for (int n = 0; n < 5; ++n) send(reader, Int{n});
    send(reader, Go{});
    settle();
    EXPECT_EQ(depth_of(reader), 5u);
  });
}

TEST_P(Capacity, Cap5OnlyUserMessagesFillAMailbox) {
  run([&] {
    const Pid reader = spawn({.trap_exit = true, .limit = {.capacity = 2}}, [test = self(), watched = dead_pid()] {
      for (int i = 0; i < 10; ++i) monitor(watched);
      read_ints_on_exit(test);
    });
    settle();
    EXPECT_EQ(send(reader, Int{1}), SendResult::queued);
    EXPECT_EQ(send(reader, Int{2}), SendResult::queued);
    EXPECT_EQ(send(reader, Int{3}), SendResult::shed);
    EXPECT_EQ(depth_of(reader), 12u);
    EXPECT_THAT(ints_of(reader), ElementsAre(1, 2));
  });
}

TEST_P(Capacity, Cap6AStreamIsAUserMessage) {
  run([&] {
    const Pid reader = spawn_reader({.capacity = 1});
    auto first = stream();
    auto second = stream();
    EXPECT_EQ(send(reader, std::move(first.second)), SendResult::queued);
    EXPECT_EQ(depth_of(reader), 1u);
    EXPECT_EQ(send(reader, std::move(second.second)), SendResult::shed);
    EXPECT_THAT(ints_of(reader), IsEmpty());
  });
}

TEST_P(Capacity, Cap7RacingSendersNeverOvershoot) {
  run([&] {
    constexpr std::size_t kCapacity = 10;
    constexpr int kSenders = 8, kEach = 200;
    const auto dropped = rt.stats().dropped;
    const Pid reader = spawn_reader({.capacity = kCapacity});
    for (int s = 0; s < kSenders; ++s) {
      spawn([test = self(), reader] {
        std::size_t queued = 0;
        for (int n = 0; n < kEach; ++n) queued += send(reader, Int{n}) == SendResult::queued ? 1 : 0;
        send(test, Answer<std::size_t>{queued});
      });
    }
    std::size_t queued = 0;
    for (int s = 0; s < kSenders; ++s) queued += await<Answer<std::size_t>>().value;
    settle();
    EXPECT_EQ(queued, kCapacity);
    EXPECT_EQ(depth_of(reader), kCapacity);
    EXPECT_EQ(rt.stats().dropped - dropped, std::size_t{kSenders} * kEach - kCapacity);
    EXPECT_EQ(ints_of(reader).size(), kCapacity);
  });
}

TEST_P(Capacity, Cap7RacingSendersWhileTheReceiverReadsLoseNothingThatWasQueued) {
  run([&] {
    constexpr int kSenders = 4, kEach = 500;
    const Pid reader = spawn({.trap_exit = true, .limit = {.capacity = 3}}, [test = self()] {
      std::size_t taken = 0;
      for (bool more = true; more;) receive([&](Int) { ++taken; }, [&](Exit) { more = false; });
      taken += queued_ints().size();
      send(test, Answer<std::size_t>{taken});
    });
    for (int s = 0; s < kSenders; ++s) {
      spawn([test = self(), reader] {
        int queued = 0;
        for (int n = 0; n < kEach; ++n) queued += send(reader, Int{n}) == SendResult::queued ? 1 : 0;
        send(test, Answer<int>{queued});
      });
    }
    std::size_t queued = 0;
    for (int s = 0; s < kSenders; ++s) queued += static_cast<std::size_t>(await<Answer<int>>().value);
    settle();  // ORD-4: the exit below is ordered with no other sender's messages.
    exit(reader, ExitReason::shutdown);
    EXPECT_EQ(await<Answer<std::size_t>>().value, queued);
  });
}

TEST_P(Capacity, Cap9ASendToOneselfIsAUserMessage) {
  run([&] {
    spawn({.limit = {.capacity = 1}}, [test = self()] {
      send(self(), Int{1});
      const SendResult second = send(self(), Int{2});
      send(test, Answer<SendResult>{second});
    });
    EXPECT_EQ(await<Answer<SendResult>>().value, SendResult::shed);
  });
}

TEST_P(Capacity, Cap9ASendByNameIsAUserMessage) {
  run([&] {
    const Pid reader = spawn({.name = "clerk", .trap_exit = true, .limit = {.capacity = 1}}, read_ints_on_exit, self());
    EXPECT_EQ(send("clerk", Int{1}), SendResult::queued);
    EXPECT_EQ(send("clerk", Int{2}), SendResult::shed);
    EXPECT_THAT(ints_of(reader), ElementsAre(1));
  });
}

}  // namespace
}  // namespace weft::test
