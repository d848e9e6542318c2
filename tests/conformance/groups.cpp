// SEMANTICS.md section 11.
#include <gmock/gmock.h>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class Groups : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Groups, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Groups, Grp1AGroupHasManyMembersAndAMemberManyGroups) {
  run([&] {
    const Pid other = spawn(receive_forever);
    EXPECT_TRUE(join("red"));
    EXPECT_TRUE(join("red", other));
    EXPECT_TRUE(join("blue"));
    EXPECT_THAT(members("red"), UnorderedElementsAre(self(), other));
    EXPECT_THAT(members("blue"), UnorderedElementsAre(self()));
    EXPECT_THAT(groups(), UnorderedElementsAre("red", "blue"));
    EXPECT_THAT(rt.info(self()).value().groups, UnorderedElementsAre("red", "blue"));
  });
}

TEST_P(Groups, Grp1GroupsGivenAtSpawnHoldAtOnce) {
  run([&] {
    const Pid member = spawn({.groups = {"red", "blue"}}, receive_forever);
    EXPECT_THAT(members("red"), UnorderedElementsAre(member));
    EXPECT_THAT(members("blue"), UnorderedElementsAre(member));
  });
}

TEST_P(Groups, Grp1ADeadPidCannotJoin) {
  run([&] {
    EXPECT_FALSE(join("red", dead_pid()));
    EXPECT_THAT(members("red"), IsEmpty());
    EXPECT_THAT(groups(), IsEmpty());
  });
}

TEST_P(Groups, Grp1LeavingAGroupOneIsNotInIsFalse) {
  run([&] {
    const Pid member = spawn({.groups = {"red"}}, receive_forever);
    EXPECT_FALSE(leave("red"));
    EXPECT_FALSE(leave("blue"));
    EXPECT_THAT(members("red"), UnorderedElementsAre(member));
  });
}

TEST_P(Groups, Grp1AnEmptyGroupDisappears) {
  run([&] {
    join("red");
    EXPECT_TRUE(leave("red"));
    EXPECT_THAT(groups(), IsEmpty());
  });
}

TEST_P(Groups, Grp2JoiningTwiceIsLeftByLeavingOnce) {
  run([&] {
    join("red");
    join("red");
    EXPECT_THAT(members("red"), UnorderedElementsAre(self()));
    EXPECT_TRUE(leave("red"));
    EXPECT_THAT(members("red"), IsEmpty());
  });
}

TEST_P(Groups, Grp3MembershipIsGoneOnceDownHasCome) {
  run([&] {
    for (int round = 0; round < 200; ++round) {
      const Monitored member = spawn_monitor({.groups = {"red"}}, receive_forever);
      kill(member.pid);
      await_down(member.ref);
      ASSERT_THAT(members("red"), IsEmpty());
      ASSERT_THAT(groups(), IsEmpty());
    }
  });
}

TEST_P(Groups, Grp4KillGroupKillsEachMemberAndCountsThem) {
  run([&] {
    std::vector<MonitorRef> watched;
    for (int i = 0; i < 20; ++i) {
      watched.push_back(spawn_monitor({.groups = {"red"}, .trap_exit = i % 2 == 0}, receive_forever).ref);
    }
    const Pid bystander = spawn({.groups = {"blue"}}, receive_forever);
    EXPECT_EQ(kill_group("red"), 20u);
    for (const MonitorRef ref : watched) EXPECT_EQ(await_down(ref).reason, ExitReason::killed);
    EXPECT_TRUE(rt.is_alive(bystander));
  });
}

TEST_P(Groups, Grp4KillingAnUnknownGroupIsZero) {
  run([&] { EXPECT_EQ(kill_group("nobody"), 0u); });
}

TEST_P(Groups, Grp4ADeadMemberIsNotCounted) {
  run([&] {
    const Pid first = spawn({.groups = {"red"}}, receive_forever);
    spawn({.groups = {"red"}}, receive_forever);
    kill_and_wait(first);
    EXPECT_EQ(kill_group("red"), 1u);
  });
}

TEST_P(Groups, Grp4KillingAGroupIsOneLineInTheLog) {
  LogBook book;
  {
    RuntimeOptions logging = options;
    logging.log_level = LogLevel::info;
    logging.log = sink_into(book);
    Runtime runtime(logging);
    runtime.run([] {
      for (int i = 0; i < 50; ++i) spawn({.groups = {"red"}}, receive_forever);
      kill_group("red");
    });
  }
  EXPECT_GE(book.count(LogLevel::info), 1u);
  EXPECT_LE(book.count(LogLevel::info), 2u);  // The summary, and perhaps the clean exit of run()'s own process.
}

TEST_P(Groups, Grp5LeavingMayRaceWithDeath) {
  run([&] {
    for (int round = 0; round < 200; ++round) {
      const Monitored member = spawn_monitor({.groups = {"red"}}, [] { leave("red"); });
      ASSERT_NO_THROW(leave("red", member.pid));
      await_down(member.ref);
      ASSERT_THAT(members("red"), IsEmpty());
    }
  });
}

TEST_P(Groups, ABroadcastReachesEveryMemberOnce) {
  run([&] {
    const Pid test = self();
    constexpr int kMembers = 10;
    for (int i = 0; i < kMembers; ++i) {
      spawn({.groups = {"red"}}, [test] {
        const int heard = await<Int>().n;
        send(test, Answer<int>{poll<Int>() ? -1 : heard});
      });
    }
    EXPECT_EQ(broadcast("red", Int{7}), static_cast<std::size_t>(kMembers));
    for (int i = 0; i < kMembers; ++i) EXPECT_EQ(await<Answer<int>>().value, 7);
    EXPECT_EQ(broadcast("nobody", Int{7}), 0u);
  });
}

}  // namespace
}  // namespace weft::test
