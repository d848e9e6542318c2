// SEMANTICS.md section 13. FLG-4, FLG-6 and FLG-7 have no public face.
#include <gmock/gmock.h>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::ElementsAre;

class Flags : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Flags, worker_counts(), ::testing::PrintToStringParamName());

/// Touches most of `kBytes` of stack.
template <std::size_t kBytes>
int use_stack() {
  volatile char frame[kBytes];
  for (std::size_t i = 0; i < kBytes; i += 1024) frame[i] = static_cast<char>(i >> 10);
  return frame[1024];
}

TEST_P(Flags, Flg1TrapExitGivesTheOldValue) {
  run([&] {
    EXPECT_FALSE(trap_exit(true));
    EXPECT_TRUE(trap_exit(true));
    EXPECT_TRUE(trap_exit(false));
    EXPECT_FALSE(trap_exit(false));
  });
}

TEST_P(Flags, Flg1SetPriorityGivesTheOldValue) {
  run([&] {
    EXPECT_EQ(set_priority(Priority::high), Priority::normal);
    EXPECT_EQ(set_priority(Priority::low), Priority::high);
    EXPECT_EQ(rt.info(self()).value().priority, Priority::low);
  });
}

TEST_P(Flags, Flg2SpawnOptionsHoldWhenSpawnReturns) {
  run([&] {
    const Pid child = spawn(
        {
            .name = "clerk",
            .label = "office clerk",
            .groups = {"office"},
            .link = true,
            .trap_exit = true,
            .priority = Priority::low,
        },
        receive_forever);
    const std::optional<ProcessInfo> found = rt.info(child);
    ASSERT_TRUE(found);
    EXPECT_THAT(found->names, ElementsAre("clerk"));
    EXPECT_EQ(found->label, "office clerk");
    EXPECT_THAT(found->groups, ElementsAre("office"));
    EXPECT_THAT(found->links, ElementsAre(self()));
    EXPECT_TRUE(found->trap_exit);
    EXPECT_EQ(found->priority, Priority::low);
    unlink(child);
  });
}

TEST_P(Flags, Flg2TheDefaultsAreErlangs) {
  run([&] {
    const std::optional<ProcessInfo> found = rt.info(spawn(receive_forever));
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->names.empty());
    EXPECT_TRUE(found->label.empty());
    EXPECT_TRUE(found->groups.empty());
    EXPECT_TRUE(found->links.empty());
    EXPECT_FALSE(found->trap_exit);
    EXPECT_EQ(found->priority, Priority::normal);
  });
}

TEST_P(Flags, Flg2TheLinkOptionNeedsAProcessToLinkTo) {
  const auto spawned = rt.stats().spawned;
  EXPECT_THROW(rt.spawn({.link = true}, receive_forever), NotInProcess);
  EXPECT_EQ(rt.stats().spawned, spawned);
}

TEST_P(Flags, Flg2AProcessGetsTheStackItAskedFor) {
  run([&] {
    const Monitored child = spawn_monitor({.stack_bytes = 1u << 20}, [] { use_stack<(1u << 19)>(); });
    EXPECT_TRUE(await_down(child.ref).reason.is_normal());
  });
}

TEST_P(Flags, Flg3ALowProcessRunsBesideSaturatingNormalOnes) {
  run([&] {
    for (unsigned i = 0; i < 2 * GetParam(); ++i) {
      spawn([] {
        for (;;) yield();
      });
    }
    spawn({.priority = Priority::low}, [test = self()] { send(test, Pong{}); });
    await<Pong>();
  });
}

TEST_P(Flags, Flg3ARequestToALowProcessPassesSaturatingHighOnes) {
  JoinHandle low = rt.start({.priority = Priority::low}, receive_forever);
  for (unsigned i = 0; i < 2 * GetParam(); ++i) {
    rt.spawn({.priority = Priority::high}, [] {
      for (;;) yield();
    });
  }
  EXPECT_TRUE(rt.is_alive(low.pid()));
  EXPECT_TRUE(rt.info(low.pid()));
  rt.kill(low.pid());
  EXPECT_EQ(low.join_for(kPatience), ExitReason::killed);
}

TEST_P(Flags, Flg5AHibernatedProcessContinuesInNextWhenAMessageComes) {
  run([&] {
    const Pid sleeper = spawn([test = self()] {
      send(test, Go{});
      hibernate([test] { send(test, Answer<int>{await<Int>().n}); });
    });
    await<Go>();
    send(sleeper, Int{7});
    EXPECT_EQ(await<Answer<int>>().value, 7);
  });
}

TEST_P(Flags, Flg5HibernatingWithAMessageQueuedWakesAtOnce) {
  run([&] {
    spawn([test = self()] {
      send(self(), Int{7});
      hibernate([test] { send(test, Answer<int>{await<Int>().n}); });
    });
    EXPECT_EQ(await<Answer<int>>().value, 7);
  });
}

TEST_P(Flags, Flg5HibernatingKeepsTheMailboxInOrder) {
  run([&] {
    spawn([test = self()] {
      for (int n = 1; n <= 4; ++n) send(self(), Int{n});
      receive(when([](const Int& i) { return i.n == 2; }, [](Int) {}));
      hibernate([test] { send(test, Answer<std::vector<int>>{queued_ints()}); });
    });
    EXPECT_THAT(await<Answer<std::vector<int>>>().value, ElementsAre(1, 3, 4));
  });
}

TEST_P(Flags, Flg5HibernatingKeepsWhatTheProcessIs) {
  run([&] {
    const Pid sleeper = spawn_link({.name = "clerk", .label = "office clerk", .groups = {"office"}}, [test = self()] {
      trap_exit(true);
      send(test, Answer<Pid>{self()});
      hibernate([test] {
        await<Go>();
        send(test, Answer<Pid>{self()});
        receive_forever();
      });
    });
    EXPECT_EQ(await<Answer<Pid>>().value, sleeper);
    send(sleeper, Go{});
    EXPECT_EQ(await<Answer<Pid>>().value, sleeper);
    const std::optional<ProcessInfo> found = rt.info(sleeper);
    ASSERT_TRUE(found);
    EXPECT_THAT(found->names, ElementsAre("clerk"));
    EXPECT_EQ(found->label, "office clerk");
    EXPECT_THAT(found->groups, ElementsAre("office"));
    EXPECT_THAT(found->links, ElementsAre(self()));
    EXPECT_TRUE(found->trap_exit);
    unlink(sleeper);
  });
}

TEST_P(Flags, Flg5HibernatingDestroysWhatTheOldStackHeld) {
  run([&] {
    auto token = std::make_shared<int>();
    spawn([test = self(), &token] {
      const Carrier local{token};
      send(self(), Go{});
      hibernate([test, &token] { send(test, Answer<long>{token.use_count()}); });
    });
    EXPECT_EQ(await<Answer<long>>().value, 1);
  });
}

TEST_P(Flags, Flg5AHibernatedProcessCanBeKilledAndItsNextIsDestroyedBeforeDown) {
  run([&] {
    auto token = std::make_shared<int>();
    const Monitored sleeper = spawn_monitor([test = self(), token] {
      send(test, Go{});
      hibernate([token] { ADD_FAILURE() << "nothing woke it"; });
    });
    await<Go>();
    kill(sleeper.pid);
    EXPECT_EQ(await_down(sleeper.ref).reason, ExitReason::killed);
    EXPECT_EQ(token.use_count(), 1);
  });
}

TEST_P(Flags, Flg5AHibernatedProcessWakesForTheExitItTraps) {
  run([&] {
    const Pid sleeper = spawn([test = self()] {
      trap_exit(true);
      send(test, Go{});
      hibernate([test] { send(test, Answer<ExitReason>{await<Exit>().reason}); });
    });
    await<Go>();
    exit(sleeper, ExitReason::shutdown);
    EXPECT_EQ(await<Answer<ExitReason>>().value, ExitReason::shutdown);
  });
}

TEST_P(Flags, Flg5WhatIsNoMessageDoesNotWakeAHibernatedProcess) {
  run([&] {
    const Pid sleeper = spawn([test = self()] {
      const Alias off = make_alias(AliasMode::explicit_unalias);
      unalias(off);
      send(test, Answer<Alias>{off});
      hibernate([test] { send(test, Answer<bool>{poll<Int>().has_value()}); });
    });
    const Alias off = await<Answer<Alias>>().value;
    while (rt.info(sleeper)->waiting_for != "message (hibernated)") yield();
    send(off, Go{});
    while (rt.info(sleeper) && rt.info(sleeper)->mailbox_depth != 0) yield();  // It took that in, and dropped it.
    send(sleeper, Int{7});
    EXPECT_TRUE(await<Answer<bool>>().value);
  });
}

TEST_P(Flags, Flg5HibernatingMayBeRepeated) {
  run([&] {
    struct Counter {
      Pid test;
      int left;
      void operator()() const {
        if (poll<Go>() && left == 0) {
          send(test, Pong{});
          return;
        }
        hibernate(Counter{test, left - 1});
      }
    };
    const Pid sleeper = spawn(Counter{self(), 100});
    for (int i = 0; i <= 100; ++i) send(sleeper, Go{});
    await<Pong>();
  });
}

}  // namespace
}  // namespace weft::test
