// SEMANTICS ALI-5 and RCV-11 for request() and Pending.

#include "tests/conformance/puppet.hpp"

namespace weft::test {
namespace {

using Requests = RuntimeTest;
using RequestsInVirtualTime = VirtualTimeTest;
INSTANTIATE_TEST_SUITE_P(Workers, Requests, worker_counts(), ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Workers, RequestsInVirtualTime, worker_counts(), ::testing::PrintToStringParamName());

void double_numbers() {
  for (;;) receive([](Call<Int> request) { reply(request.from, Int{2 * request.request.n}); });
}

TEST_P(Requests, Ali5RepliesFindTheirRequestsInAnyOrder) {
  run([&] {
    const Pid server = spawn(double_numbers);
    std::vector<Pending<Int>> pending;
    for (int n = 0; n < 20; ++n) pending.push_back(request<Int>(server, Int{n}));
    for (int n = 19; n >= 0; --n) EXPECT_EQ(pending[n].wait(kPatience).n, 2 * n);
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(RequestsInVirtualTime, Ali5AnAbandonedRequestLeavesNothingBehind) {
  run([&] {
    const Pid server = spawn([] {
      const auto request = receive<Call<Int>>();
      receive<Go>();
      reply(request.from, Int{2});
      receive_forever();
    });
    auto pending = request<Int>(server, Int{1});
    pending.abandon();
    send(server, Go{});
    settle();
    EXPECT_TRUE(mailbox_is_empty());
    EXPECT_TRUE(rt.info(server)->monitored_by.empty());
  });
}

TEST_P(RequestsInVirtualTime, Ali5ADeadServerFailsTheRequestAndLeavesNoDown) {
  run([&] {
    const Pid server = spawn([] {
      receive<Call<Int>>();
      exit(ExitReason::of(5));
    });
    auto pending = request<Int>(server, Int{1});
    try {
      pending.wait(kPatience);
      ADD_FAILURE() << "there was nobody to answer";
    } catch (const CallFailed& failed) {
      EXPECT_EQ(failed.reason(), ExitReason::of(5));
    }
    settle();
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(RequestsInVirtualTime, Ali5TheEndOfTheServerOfTwoRequestsIsToldToTheirWaitersAlone) {
  run([&] {
    const Pid server = spawn([] { receive<Go>(); });
    auto first = request<Int>(server, Int{1});
    auto second = request<Int>(server, Int{2});
    send(server, Go{});
    settle();
    EXPECT_FALSE(receive_any_for(Duration::zero()));
    EXPECT_THROW(first.wait(kPatience), CallFailed);
    EXPECT_THROW(second.wait(kPatience), CallFailed);
  });
}

TEST_P(RequestsInVirtualTime, Ali5ACallerWithoutAMailboxLearnsOfTheServersEnd) {
  run([&] {
    const Monitored dead = spawn_monitor([] {});
    await_down(dead.ref);
    const SpawnOptions no_mailbox{.mailbox = false};
    const Monitored caller = spawn_monitor(no_mailbox, [server = dead.pid] { EXPECT_THROW(call<Int>(server, Int{1}), CallFailed); });
    EXPECT_TRUE(await_down(caller.ref).reason.is_normal());
  });
}

TEST_P(RequestsInVirtualTime, Ali5AReplyThatCameEndsTheMonitorAndWaitsForItsRequest) {
  run([&] {
    const Pid server = spawn(double_numbers);
    auto pending = request<Int>(server, Int{1});
    settle();
    EXPECT_FALSE(poll<Never>());  // Takes in what came.
    EXPECT_EQ(rt.info(self())->mailbox_depth, 1u);
    EXPECT_TRUE(rt.info(self())->monitors.empty());
    EXPECT_TRUE(rt.info(server)->monitored_by.empty());
    kill(server);
    settle();
    EXPECT_TRUE(mailbox_is_empty());
    EXPECT_EQ(pending.wait(kPatience).n, 2);
    EXPECT_EQ(rt.info(self())->mailbox_depth, 0u);
  });
}

TEST_P(RequestsInVirtualTime, Ali5AbandoningAnAnsweredRequestDestroysTheReply) {
  struct Held {
    std::shared_ptr<int> value;
  };
  run([&] {
    const auto value = std::make_shared<int>(1);
    const Pid server = spawn([value] {
      const auto request = receive<Call<Int>>();
      reply(request.from, Held{value});
    });
    auto pending = request<Held>(server, Int{1});
    settle();
    EXPECT_FALSE(poll<Never>());
    EXPECT_EQ(value.use_count(), 2);
    pending.abandon();
    EXPECT_EQ(value.use_count(), 1);
    EXPECT_EQ(rt.info(self())->mailbox_depth, 0u);
  });
}

TEST_P(Requests, Ali5ACallIsMadeWhileARequestIsPending) {
  run([&] {
    const Pid server = spawn(double_numbers);
    const Pid slow = spawn([] {
      const auto request = receive<Call<Int>>();
      receive<Go>();
      reply(request.from, Int{-1});
      receive_forever();
    });
    auto pending = request<Int>(slow, Int{1});
    EXPECT_EQ(rt.info(self())->monitors.size(), 1u);
    for (int n = 0; n < 3; ++n) EXPECT_EQ(call<Int>(server, Int{n}, kPatience).n, 2 * n);
    send(slow, Go{});
    EXPECT_EQ(pending.wait(kPatience).n, -1);
    EXPECT_EQ(call<Int>(server, Int{7}, kPatience).n, 14);
    EXPECT_TRUE(rt.info(self())->monitors.empty());
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(RequestsInVirtualTime, Ali5AReplyAfterTheServersEndVanishes) {
  run([&] {
    const Pid other = spawn([] {
      const From from = receive<From>();
      receive<Go>();
      reply(from, Int{1});
    });
    const Pid server = spawn([other] { send(other, receive<Call<Int>>().from); });
    auto pending = request<Int>(server, Int{1});
    settle();
    EXPECT_FALSE(poll<Never>());  // Takes the Down in.
    send(other, Go{});
    settle();
    EXPECT_THROW(pending.wait(kPatience), CallFailed);
    EXPECT_TRUE(mailbox_is_empty());
    EXPECT_EQ(rt.info(self())->mailbox_depth, 0u);
  });
}

TEST_P(RequestsInVirtualTime, Ali5ACallerKilledInACallLeavesNothingBehind) {
  run([&] {
    const Pid server = spawn([] {
      for (;;) {
        const auto request = receive<Call<Int>>();
        receive<Go>();
        reply(request.from, Int{1});
      }
    });
    for (int round = 0; round < 3; ++round) {
      const Pid caller = spawn([server] { (void)call<Int>(server, Int{1}, kPatience); });
      settle();
      EXPECT_EQ(rt.info(server)->monitored_by.size(), 1u);
      kill_and_wait(caller);
      EXPECT_TRUE(rt.info(server)->monitored_by.empty());
      send(server, Go{});
      settle();
      EXPECT_TRUE(mailbox_is_empty());
    }
  });
}

TEST_P(RequestsInVirtualTime, Ali5EachCallHasItsOwnTimeOut) {
  run([&] {
    const Pid server = spawn(double_numbers);
    const Pid silent = spawn(receive_forever);
    for (const Duration timeout : {20ms, 50ms, 5ms, 30ms}) {
      EXPECT_EQ(call<Int>(server, Int{1}, timeout).n, 2);
      const TimePoint start = now();
      EXPECT_THROW((call<Int>(silent, Int{1}, timeout)), TimedOut);
      EXPECT_GE(now() - start, timeout);
      EXPECT_LT(now() - start, timeout + 3 * kTick);
    }
  });
}

TEST_P(RequestsInVirtualTime, Flg5AReplyWakesWhoHibernates) {
  run([&] {
    const Pid me = self();
    for (const bool comes_before : {false, true}) {
      const Pid server = spawn([] {
        const auto request = receive<Call<Int>>();
        receive<Go>();
        reply(request.from, Int{3});
      });
      spawn([me, server, comes_before] {
        auto pending = request<Int>(server, Int{1});
        if (comes_before) {
          send(server, Go{});
          settle();
          EXPECT_FALSE(poll<Never>());
        }
        hibernate([me, pending = std::move(pending)]() mutable { send(me, pending.wait(kPatience)); });
      });
      settle();
      settle();
      if (!comes_before) send(server, Go{});
      EXPECT_EQ(await<Int>().n, 3);
    }
  });
}

// To be woken takes a stack, of which there may be none.
TEST(RequestsWithoutStacks, Flg5TheTimerOfAnEarlierWaitDoesNotWakeWhoHibernates) {
  RuntimeOptions few;
  few.workers = 1;
  few.clock = Clock::virtual_time;
  few.max_stacks = 4;
  Runtime rt(few);
  const Pid server = rt.spawn(double_numbers);
  const JoinHandle sleeper = rt.start([server] {
    EXPECT_EQ(call<Int>(server, Int{1}, 300ms).n, 2);
    hibernate([] { receive<Go>(); });
  });
  rt.advance(1ms);
  EXPECT_EQ(rt.info(sleeper.pid())->waiting_for, "message (hibernated)");
  for (int i = 0; i < 200; ++i) rt.spawn([] { receive<Go>(); });  // As many as get a stack stay.
  rt.advance(1s);
  EXPECT_TRUE(rt.is_alive(sleeper.pid()));
}

}  // namespace
}  // namespace weft::test
