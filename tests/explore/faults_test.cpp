// Faults on request, and what explore() says.
#include <array>
#include <cstdio>
#include <cstdlib>

#include "tests/explore/find.hpp"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

struct Job {
  int number;
};

/// A worker that its supervisor starts afresh: whoever kills it, the job is done in the end.
void supervised(Runtime& rt) {
  rt.run([] {
    int starts = 0;
    for (;;) {
      sim::require(++starts < 1000, "no progress");
      (void)spawn_monitor([] {
        for (int i = 0; i < 3; ++i) sleep_for(1ms);
      });
      if (receive<Down>().reason == ExitReason::normal) return;
    }
  });
}

TEST(ExploreFaults, AKillAtAnySuspensionIsSurvivedBySupervision) { sim::explore({.seeds = 3'000, .faults = {.kill = 0.2}}, supervised); }

TEST(ExploreFaults, AProgramThatDoesNotExpectAKillIsFound) {
  find({.seeds = 500, .faults = {.kill = 0.1}}, "everybody waits", [](Runtime& rt) {
    rt.run([] {
      const Pid me = self();
      spawn([me] {
        sleep_for(1ms);
        send(me, Job{1});
      });
      receive<Job>();
    });
  });
}

TEST(ExploreFaults, WhoIsKilledCanBeChosen) {
  sim::explore({.seeds = 200, .faults = {.kill = 1, .may_kill = [](Pid) { return false; }}}, supervised);
}

TEST(ExploreFaults, AMessageMayBeShedAlthoughThereIsRoom) {
  find({.seeds = 200, .faults = {.shed = 0.1}}, "a job was refused", [](Runtime& rt) {
    rt.run([] {
      const Pid worker = spawn(SpawnOptions{.limit = {.capacity = 100}}, [] {
        for (;;) receive<Job>();
      });
      for (int i = 0; i < 5; ++i) sim::require(send(worker, Job{i}) == SendResult::queued, "a job was refused");
    });
  });
}

TEST(ExploreFaults, DelayedMessagesKeepTheirSendersOrder) {
  sim::explore({.seeds = 3'000, .faults = {.delay = 0.3, .stall = 0.01}}, [](Runtime& rt) {
    rt.run([] {
      const Monitored reader = spawn_monitor(SpawnOptions{.limit = {.capacity = 100}}, [] {
        for (int i = 0; i < 3; ++i) sim::require(receive<Job>().number == i, "one sender's messages are in order");
      });
      for (int i = 0; i < 3; ++i) send(reader.pid, Job{i});
      receive<Down>();
    });
  });
}

TEST(ExploreFaults, InAHurryATimeLimitMayPassFirst) {
  const auto program = [](Runtime& rt) {
    rt.run([] {
      const Pid me = self();
      spawn([me] { send(me, Job{1}); });
      sim::require(receive_for<Job>(1h).has_value(), "the time limit passed");
    });
  };
  EXPECT_FALSE(sim::try_explore({.seeds = 500}, program).failed) << "time passes when everybody waits";
  find({.seeds = 2'000, .faults = {.hurry = 0.2}}, "the time limit passed", program);
}

TEST(ExploreFaults, TimeDoesNotTurnBackHoweverOftenItIsInAHurry) {
  sim::explore({.seeds = 1, .faults = {.hurry = 1}, .max_steps = 20'000'000}, [](Runtime& rt) {
    rt.run([] {
      TimePoint before = now();
      for (int i = 0; i < 2'000'000; ++i) {
        yield();
        sim::require(now() >= before, "time goes on");
        before = now();
      }
      sim::require(!receive_for<Job>(1h), "a time limit ends a wait");
    });
  });
}

// --- what explore() says ---------------------------------------------------------------------------------------------------------

TEST(Explore, AFailureNamesItsSeedAndTheLastDecisions) {
  const auto program = [](Runtime& rt) { rt.run([] { throw std::runtime_error("as planned"); }); };
  try {
    sim::explore({.seeds = 3, .first_seed = 17}, program);
    FAIL() << "it did not throw";
  } catch (const sim::Failed& failed) {
    const std::string text = failed.what();
    EXPECT_NE(text.find("seed 17, fails: std::runtime_error: as planned"), std::string::npos) << text;
    EXPECT_NE(text.find("WEFT_EXPLORE_SEED=17"), std::string::npos) << text;
    EXPECT_FALSE(failed.report().decisions.empty());
    EXPECT_LE(failed.report().decisions.size(), sim::Options{}.decisions_kept);
  }
}

TEST(Explore, ARunThatDoesNotEndIsGivenUp) {
  find({.seeds = 1, .max_steps = 5'000}, "more than 5000 steps", [](Runtime& rt) {
    rt.run([] {
      for (;;) yield();
    });
  });
}

TEST(Explore, AFailureLeavesTheNextExplorationAlone) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(sim::try_explore({.seeds = 1}, [](Runtime& rt) { rt.run([] { sim::require(false, "at once"); }); }).failed);
    sim::explore({.seeds = 20}, supervised);
  }
}

TEST(Explore, AnOrdinaryRuntimeInTheSameProgramIsOrdinary) {
  sim::explore({.seeds = 5}, supervised);
  Runtime rt({.workers = 2});
  EXPECT_EQ(rt.run([] { return 7; }), 7);
  EXPECT_THROW(sim::require(true, ""), Error);
  EXPECT_THROW((void)sim::choose(2), Error);
  EXPECT_THROW(rt.run([] { sim::explore({}, [] {}); }), Error);
}

TEST(Explore, RefusesChancesThatAreNone) {
  EXPECT_THROW(sim::explore({.faults = {.kill = 1.5}}, [] {}), BadArgument);
  EXPECT_THROW(sim::explore({.faults = {.shed = -0.1}}, [] {}), BadArgument);
  EXPECT_THROW(sim::explore({.seeds = 0}, [] {}), BadArgument);
}

}  // namespace
}  // namespace weft::test
