// What a server author relies on and no single rule says: arguments, results, circular links, the race for a name.
#include <gmock/gmock.h>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::Each;
using ::testing::UnorderedElementsAre;

class Behaviours : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Behaviours, worker_counts(), ::testing::PrintToStringParamName());

void report(Pid to, int number, std::string text) { send(to, Text{std::to_string(number) + text}); }

TEST_P(Behaviours, ArgumentsAreMovedIn) {
  run([&] {
    spawn([](Pid to, std::unique_ptr<int> number, std::string text) { report(to, *number, std::move(text)); }, self(),
          std::make_unique<int>(7), std::string(" of them"));
    EXPECT_EQ(await<Text>().text, "7 of them");
  });
}

TEST_P(Behaviours, EverySpawningVerbTakesArgumentsAndOptionsFirst) {
  run([&] {
    const std::string text = "!";
    spawn(report, self(), 1, text);
    spawn({.label = "x"}, report, self(), 2, text);
    spawn_link(report, self(), 3, text);
    spawn_link({.label = "x"}, report, self(), 4, text);
    spawn_monitor(report, self(), 5, text);
    spawn_monitor({.label = "x"}, report, self(), 6, text);
    rt.spawn(report, self(), 7, text);
    rt.spawn({.label = "x"}, report, self(), 8, text);
    rt.start(report, self(), 9, text);
    std::vector<std::string> heard;
    for (int i = 0; i < 9; ++i) heard.push_back(await<Text>().text);
    EXPECT_THAT(heard, UnorderedElementsAre("1!", "2!", "3!", "4!", "5!", "6!", "7!", "8!", "9!"));
  });
}

TEST_P(Behaviours, AnArgumentIsTheChildsOwnCopy) {
  run([&] {
    std::string text = "before";
    const Pid child = spawn(
        [](Pid to, std::string copy) {
          await<Go>();
          send(to, Text{std::move(copy)});
        },
        self(), text);
    text = "after";
    send(child, Go{});
    EXPECT_EQ(await<Text>().text, "before");
  });
}

TEST_P(Behaviours, ArgumentsAreDestroyedBeforeDown) {
  run([&] {
    auto token = std::make_shared<int>();
    const Monitored child = spawn_monitor([](const std::shared_ptr<int>&) { receive_forever(); }, token);
    kill(child.pid);
    await_down(child.ref);
    EXPECT_EQ(token.use_count(), 1);
  });
}

TEST_P(Behaviours, ABodyMayBeMoveOnly) {
  run([&] {
    spawn([test = self(), number = std::make_unique<int>(7)] { send(test, Int{*number}); });
    EXPECT_EQ(await<Int>().n, 7);
  });
}

TEST_P(Behaviours, RunGivesTheBodysValue) {
  EXPECT_EQ(rt.run([] { return 7; }), 7);
  EXPECT_EQ(*rt.run([] { return std::make_unique<int>(8); }), 8);
}

TEST_P(Behaviours, RunRethrowsWhatEndedTheBody) {
  EXPECT_THROW(rt.run([] { throw std::out_of_range("far"); }), std::out_of_range);
  EXPECT_EQ(rt.run([] { return 7; }), 7);
}

TEST_P(Behaviours, RunOfAKilledBodyThrowsProcessExited) {
  try {
    rt.run([] { kill(self()); });
    ADD_FAILURE() << "the body was killed";
  } catch (const ProcessExited& error) {
    EXPECT_EQ(error.reason(), ExitReason::killed);
  }
}

// The reason is then of the kind that an exception of the body's own would leave.
TEST_P(Behaviours, RunOfABodyThatALinkedChildsExceptionEndsThrowsProcessExited) {
  const auto body = [] {
    spawn_link([] { throw std::out_of_range("far"); });
    receive<int>();
  };
  EXPECT_THAT([&] { rt.run(body); }, ::testing::ThrowsMessage<ProcessExited>(::testing::HasSubstr("far")));
}

TEST_P(Behaviours, RunOfABodyThatThrowsWhileASignalUnwindsItThrowsProcessExited) {
  const auto body = [] {
    spawn_link([] { throw std::out_of_range("far"); });
    try {
      receive<int>();
    } catch (...) {
      throw std::logic_error("near");
    }
  };
  EXPECT_THAT([&] { rt.run(body); }, ::testing::ThrowsMessage<ProcessExited>(::testing::HasSubstr("far")));
}

TEST_P(Behaviours, RunOfABodyThatExitsWithAnErrorThrowsProcessExited) {
  EXPECT_THROW(rt.run([] { exit(ExitReason::error("Broken", "beyond repair")); }), ProcessExited);
}

TEST_P(Behaviours, RunOfABodyThatFailsAfterItHibernatedThrowsProcessExited) {
  const auto body = [] {
    send(self(), 1);
    hibernate([] { throw std::out_of_range("far"); });
  };
  EXPECT_THAT([&] { rt.run(body); }, ::testing::ThrowsMessage<ProcessExited>(::testing::HasSubstr("far")));
}

TEST_P(Behaviours, RuntimesLiveSideBySide) {
  Runtime other(options);
  const Pid here = rt.spawn({.name = "clerk"}, puppet);
  const Pid there = other.spawn({.name = "clerk"}, puppet);
  EXPECT_EQ(rt.whereis("clerk"), here);
  EXPECT_EQ(other.whereis("clerk"), there);
  rt.run([&] { EXPECT_EQ(ask(here, [] { return Runtime::of_self(); }), &rt); });
  other.run([&] { EXPECT_EQ(ask(there, [] { return Runtime::of_self(); }), &other); });
}

TEST_P(Behaviours, Lif11WhereisOrSpawnGivesTheIncumbent) {
  run([&] {
    register_name("clerk");
    const auto spawned = rt.stats().spawned;
    EXPECT_EQ(whereis_or_spawn("clerk", receive_forever), self());
    EXPECT_EQ(rt.stats().spawned, spawned);
  });
}

TEST_P(Behaviours, Lif11WhereisOrSpawnSpawnsUnderTheName) {
  run([&] {
    const Pid clerk = whereis_or_spawn("clerk", puppet);
    EXPECT_EQ(whereis("clerk"), clerk);
    EXPECT_EQ(ask(clerk, [] { return self(); }), clerk);
  });
}

TEST_P(Behaviours, Lif11ARaceForANameHasOneWinnerAndNoLosersBodyRuns) {
  run([&] {
    constexpr int kContenders = 32, kRounds = 20;
    for (int round = 0; round < kRounds; ++round) {
      const auto bodies = std::make_shared<std::atomic<int>>(0);
      std::vector<Pid> contenders;
      for (int i = 0; i < kContenders; ++i) {
        contenders.push_back(spawn([test = self(), bodies] {
          await<Go>();
          const Pid winner = whereis_or_spawn("crown", [bodies] {
            ++*bodies;
            puppet();
          });
          send(test, Answer<Pid>{winner});
        }));
      }
      for (const Pid contender : contenders) send(contender, Go{});
      std::vector<Pid> winners;
      for (int i = 0; i < kContenders; ++i) winners.push_back(await<Answer<Pid>>().value);
      ASSERT_THAT(winners, Each(winners.front()));
      ASSERT_EQ(ask(winners.front(), [] { return self(); }), winners.front());
      ASSERT_EQ(*bodies, 1);
      kill_and_wait(winners.front());
    }
  });
}

TEST_P(Behaviours, Lif11AfterTheIncumbentsDownWhereisOrSpawnGivesASuccessor) {
  run([&] {
    Pid last = whereis_or_spawn("clerk", puppet);
    for (int round = 0; round < 100; ++round) {
      kill_and_wait(last);
      const Pid next = whereis_or_spawn("clerk", puppet);
      ASSERT_NE(next, last);
      ASSERT_EQ(ask(next, [] { return 7; }), 7);
      last = next;
    }
  });
}

TEST_P(Behaviours, ACircleOfLinksFallsTogetherWithTheFirstReason) {
  run([&] {
    constexpr std::size_t kMembers = 50;
    std::vector<Monitored> circle;
    for (std::size_t i = 0; i < kMembers; ++i) circle.push_back(spawn_monitor(puppet));
    for (std::size_t i = 0; i < kMembers; ++i) ask(circle[i].pid, [next = circle[(i + 1) % kMembers].pid] { link(next); });
    tell(circle[7].pid, [] { exit(ExitReason::of(Atom("broken"))); });
    for (const Monitored& member : circle) EXPECT_EQ(await_down(member.ref).reason, ExitReason::of(Atom("broken")));
  });
}

TEST_P(Behaviours, AFullyLinkedGroupFallsTogether) {
  run([&] {
    constexpr std::size_t kMembers = 12;
    std::vector<Monitored> group;
    for (std::size_t i = 0; i < kMembers; ++i) group.push_back(spawn_monitor(puppet));
    for (const Monitored& one : group) {
      for (const Monitored& other : group) ask(one.pid, [peer = other.pid] { link(peer); });
    }
    kill(group.front().pid);
    for (const Monitored& member : group) EXPECT_EQ(await_down(member.ref).reason, ExitReason::killed);
  });
}

TEST_P(Behaviours, ATrappingMemberOutlivesItsCircle) {
  run([&] {
    trap_exit(true);
    const Pid one = spawn_link(puppet);
    const Pid two = spawn_link(puppet);
    ask(one, [two] { link(two); });
    tell(one, [] { throw std::runtime_error("boom"); });
    const Exit first = await<Exit>();
    const Exit second = await<Exit>();
    EXPECT_THAT((std::vector{first.from, second.from}), UnorderedElementsAre(one, two));
    EXPECT_EQ(first.reason.what(), "boom");
    EXPECT_EQ(first.reason, second.reason);
  });
}

}  // namespace
}  // namespace weft::test
