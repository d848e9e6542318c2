// SEMANTICS.md section 10.
#include <gmock/gmock.h>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class Names : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Names, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Names, Nam1ATakenNameIsRefused) {
  run([&] {
    const Pid owner = spawn(receive_forever);
    register_name("clerk", owner);
    EXPECT_THAT(text_of<NameTaken>([] { register_name("clerk"); }), HasSubstr("clerk"));
    EXPECT_EQ(whereis("clerk"), owner);
  });
}

TEST_P(Names, Nam1AProcessMayNotTakeItsOwnNameTwice) {
  run([&] {
    register_name("clerk");
    EXPECT_THROW(register_name("clerk"), NameTaken);
    EXPECT_EQ(whereis("clerk"), self());
  });
}

TEST_P(Names, Nam1ADeadPidIsRefused) {
  run([&] {
    const Pid dead = dead_pid();
    EXPECT_THAT(text_of<NoSuchProcess>([=] { register_name("ghost", dead); }), HasSubstr(dead.to_string()));
    EXPECT_FALSE(whereis("ghost"));
  });
}

TEST_P(Names, Nam1AnExitingPidIsRefused) {
  const HeldInDestructor dying(rt, {});
  EXPECT_THROW(rt.register_name("ghost", dying.pid()), NoSuchProcess);
  EXPECT_FALSE(rt.whereis("ghost"));
}

TEST_P(Names, Nam1AnEmptyNameIsRefused) {
  run([&] { EXPECT_THROW(register_name(""), BadArgument); });
}

TEST_P(Names, Nam1ASpawnUnderATakenNameMakesNoProcess) {
  run([&] {
    register_name("clerk");
    const auto spawned = rt.stats().spawned;
    EXPECT_THROW(spawn({.name = "clerk", .groups = {"office"}}, receive_forever), NameTaken);
    EXPECT_EQ(rt.stats().spawned, spawned);
    EXPECT_TRUE(members("office").empty());
  });
}

TEST_P(Names, Nam1ANameGivenAtSpawnHoldsAtOnce) {
  run([&] {
    const Pid clerk = spawn({.name = "clerk"}, receive_forever);
    EXPECT_EQ(whereis("clerk"), clerk);
  });
}

TEST_P(Names, Nam1OnlyOneOfManyContendersWins) {
  run([&] {
    constexpr int kContenders = 64;
    const Pid judge = self();
    std::vector<Pid> contenders;
    for (int i = 0; i < kContenders; ++i) {
      contenders.push_back(spawn([judge] {
        await<Go>();
        const bool won = !throws<NameTaken>([] { register_name("crown"); });
        send(judge, Answer<Pid>{won ? self() : Pid{}});
        receive_forever();
      }));
    }
    for (const Pid contender : contenders) send(contender, Go{});
    std::vector<Pid> winners;
    for (int i = 0; i < kContenders; ++i) {
      if (const Pid winner = await<Answer<Pid>>().value) winners.push_back(winner);
    }
    ASSERT_EQ(winners.size(), 1u);
    EXPECT_EQ(whereis("crown"), winners.front());
  });
}

TEST_P(Names, Nam2AProcessMayHaveSeveralNames) {
  run([&] {
    register_name("jekyll");
    register_name("hyde");
    EXPECT_EQ(whereis("jekyll"), self());
    EXPECT_EQ(whereis("hyde"), self());
    EXPECT_THAT(rt.info(self()).value().names, UnorderedElementsAre("jekyll", "hyde"));
  });
}

TEST_P(Names, Nam3AllNamesAreReleasedAtExit) {
  run([&] {
    const Monitored clerk = spawn_monitor({.name = "jekyll"}, [] { register_name("hyde"); });
    await_down(clerk.ref);
    EXPECT_FALSE(whereis("jekyll"));
    EXPECT_FALSE(whereis("hyde"));
  });
}

TEST_P(Names, Nam3ANameIsHeldUntilTheStackIsUnwound) {
  const HeldInDestructor dying(rt, {.name = "clerk"});
  const Pid successor = rt.spawn(receive_forever);
  EXPECT_THROW(rt.register_name("clerk", successor), NameTaken);
}

TEST_P(Names, Nam4TheNameIsFreeOnceDownHasCome) {
  run([&] {
    for (int round = 0; round < 300; ++round) {
      const Monitored clerk = spawn_monitor({.name = "clerk"}, receive_forever);
      kill(clerk.pid);
      await_down(clerk.ref);
      ASSERT_NO_THROW(register_name("clerk"));
      unregister("clerk");
    }
  });
}

TEST_P(Names, Nam4TheNameIsFreeOnceTheExitHasCome) {
  run([&] {
    trap_exit(true);
    for (int round = 0; round < 300; ++round) {
      const Pid clerk = spawn_link({.name = "clerk"}, receive_forever);
      kill(clerk);
      EXPECT_EQ(await<Exit>().from, clerk);
      ASSERT_NO_THROW(register_name("clerk"));
      unregister("clerk");
    }
  });
}

TEST_P(Names, Nam4AMessageByNameToAnExitingProcessVanishes) {
  auto token = std::make_shared<int>();
  {
    const HeldInDestructor dying(rt, {.name = "clerk"});
    EXPECT_NO_THROW(rt.send("clerk", Carrier{token}));
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST_P(Names, Nam5UnregisteringAnUnknownNameIsFalse) {
  run([&] { EXPECT_FALSE(unregister("nobody")); });
}

TEST_P(Names, Nam5UnregisteringLeavesTheProcessAlone) {
  run([&] {
    const Pid clerk = spawn({.name = "clerk"}, puppet);
    EXPECT_TRUE(unregister("clerk"));
    EXPECT_FALSE(whereis("clerk"));
    EXPECT_EQ(ask(clerk, [] { return self(); }), clerk);
  });
}

TEST_P(Names, Nam6AnExitDoesNotReleaseASuccessorsName) {
  run([&] {
    const Pid first = spawn({.name = "clerk"}, receive_forever);
    const Pid second = spawn(receive_forever);
    unregister("clerk");
    register_name("clerk", second);
    kill_and_wait(first);
    EXPECT_EQ(whereis("clerk"), second);
  });
}

TEST_P(Names, Nam7RegisteredListsNamesUntilDown) {
  run([&] {
    const Pid clerk = spawn({.name = "clerk"}, receive_forever);
    register_name("runner");
    EXPECT_THAT(registered(), UnorderedElementsAre("clerk", "runner"));
    kill_and_wait(clerk);
    EXPECT_THAT(registered(), UnorderedElementsAre("runner"));
  });
}

}  // namespace
}  // namespace weft::test
