// Ends, links, monitors, and slots that are let again.
#include "tests/explore/find.hpp"

namespace weft::test {
namespace {

struct Go {};
struct Done {};

TEST(ExploreSignals, OneDownForEachMonitorWhateverRacesWithTheEnd) {
  sim::explore({.seeds = 5'000}, [](Runtime& rt) {
    rt.run([] {
      const Pid target = spawn([] { receive<Go>(); });
      const Pid me = self();
      spawn([target, me] {
        const MonitorRef ref = monitor(target);
        const Down down = receive<Down>();
        sim::require(down.ref == ref && down.pid == target, "the Down is of this monitor");
        sim::require(!receive_for<Down>(std::chrono::seconds(1)), "one Down for one monitor");
        send(me, Done{});
      });
      spawn([target] { exit(target, ExitReason::shutdown); });
      send(target, Go{});
      receive<Done>();
    });
  });
}

TEST(ExploreSignals, NoDownAfterDemonitor) {
  sim::explore({.seeds = 5'000}, [](Runtime& rt) {
    rt.run([] {
      const Pid target = spawn([] {});
      const MonitorRef ref = monitor(target);
      demonitor(ref, {.flush = true});
      sim::require(!receive_for<Down>(std::chrono::seconds(1)), "a Down was received after demonitor");
    });
  });
}

TEST(ExploreSignals, AChildThatIsKilledBeforeItHasItsNameIsSpawnedAllTheSame) {
  sim::explore({.seeds = 5'000}, [](Runtime& rt) {
    rt.run([] {
      spawn([test = self()] {
        for (const Pid pid : list()) {
          if (pid != test && pid != self()) kill(pid);
        }
      });
      const Pid child = spawn({.name = "child"}, [] { receive<Go>(); });
      monitor(child);
      send(child, Go{});
      sim::require(receive<Down>().pid == child, "the pid that spawn gave");
      sim::require(!whereis("child"), "a dead process holds its name");
    });
  });
}

/// Two linked processes, of which one ends while the other unlinks.
void unlink_against_exit(Runtime& rt) {
  rt.run([] {
    trap_exit(true);
    const Pid child = spawn_link([] {});
    const Pid other = spawn_link([] { receive<Go>(); });
    unlink(child);
    unlink(other);
    send(other, Go{});
    // What came before the unlink may be here; after it nothing comes.
    while (receive_for<Exit>(Duration::zero())) {
    }
    sim::require(!receive_for<Exit>(std::chrono::seconds(1)), "an Exit came after unlink");
  });
}

TEST(ExploreSignals, NoExitAfterUnlink) { sim::explore({.seeds = 5'000}, unlink_against_exit); }

TEST(ExploreSignalsDeathTest, APlantedMissingSecondLookCrashesAndTheCrashNamesItsSeed) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH((void)sim::try_explore({.seeds = 5'000, .planted = {"links: told without a second look"}}, unlink_against_exit),
               "WEFT_EXPLORE_SEED=[0-9]+");
}

TEST(ExploreSignals, LinkedProcessesEndTogetherWhoeverIsKilled) {
  sim::explore({.seeds = 5'000, .workers = 3}, [](Runtime& rt) {
    rt.run([] {
      std::vector<Monitored> ring;
      for (int i = 0; i < 3; ++i) {
        const Pid before = ring.empty() ? Pid{} : ring.back().pid;
        ring.push_back(spawn_monitor([before] {
          if (before) link(before);
          receive<Done>();
        }));
      }
      kill(ring[sim::choose(ring.size())].pid);
      // The links are made while the kill is under way; who links to a dead one ends by that.
      for (int i = 0; i < 3; ++i) {
        const std::optional<Down> down = receive_for<Down>(std::chrono::seconds(1));
        if (!down) break;
        sim::require(!is_alive(down->pid), "a dead pid stays dead");
      }
    });
  });
}

/// A kill that was meant for a process whose slot has a successor by the time it comes.
void kill_against_reuse(Runtime& rt) {
  rt.run([] {
    const Pid old = spawn([] {});
    spawn([old] {
      for (int i = 0; i < 4; ++i) {
        kill(old);
        yield();
      }
    });
    for (int i = 0; i < 6; ++i) {
      (void)spawn_monitor([] {
        for (int turn = 0; turn < 3; ++turn) yield();
      });
      const Down down = receive<Down>();
      sim::require(down.reason == ExitReason::normal, "a successor in the slot got its predecessor's signal");
    }
  });
}

TEST(ExploreSignals, ASignalForADeadProcessDoesNotReachItsSuccessor) { sim::explore({.seeds = 5'000}, kill_against_reuse); }

TEST(ExploreSignals, APlantedSignalToAnyTenantIsFound) {
  const sim::Report found = find({.seeds = 5'000, .planted = {"exit signal: to any tenant"}}, "predecessor", kill_against_reuse);
  EXPECT_LE(found.runs, 2'000u);
}

TEST(ExploreSignals, AMessageForADeadProcessDoesNotReachItsSuccessor) {
  sim::explore({.seeds = 5'000}, [](Runtime& rt) {
    rt.run([] {
      const Pid old = spawn([] {});
      spawn([old] { send(old, Done{}); });
      for (int i = 0; i < 4; ++i) {
        spawn_monitor([] { sim::require(!receive_for<Done>(Duration::zero()), "a predecessor's message"); });
        const Down down = receive<Down>();
        sim::require(down.reason == ExitReason::normal, down.reason.to_string());
      }
    });
  });
}

TEST(ExploreSignals, AKillMeetsAWaitOfEveryKind) {
  sim::explore({.seeds = 6'000}, [](Runtime& rt) {
    rt.run([] {
      const Pid me = self();
      const std::uint64_t kind = sim::choose(5);
      const Monitored waits = spawn_monitor([kind, me] {
        switch (kind) {
          case 0:
            receive<Go>();
            break;
          case 1:
            sleep_for(std::chrono::hours(1));
            break;
          case 2:
            (void)call<Done>(me, Go{}, std::chrono::hours(1));
            break;
          case 3:
            (void)blocking([] { return 1; });
            break;
          default:
            hibernate([] { receive<Go>(); });
        }
      });
      kill(waits.pid);
      const ExitReason reason = receive<Down>().reason;
      sim::require(reason == ExitReason::killed || (kind == 3 && reason == ExitReason::normal), reason.to_string());
    });
  });
}

TEST(ExploreSignals, TheEndOfARuntimeEndsEverybody) {
  sim::explore({.seeds = 5'000, .workers = 3}, [](Runtime& rt) {
    rt.run([] {
      for (int i = 0; i < 3; ++i) {
        spawn([] {
          spawn_link([] { receive<Go>(); });
          receive<Go>();
        });
      }
    });
  });
}

// The process that ends wakes who joins it, through a runtime that may end itself once its process has gone.
TEST(ExploreSignals, Inf7AJoinFromAnotherRuntimeMayEndWithThatRuntimeAsTheJoinedProcessEnds) {
  sim::explore({.seeds = 4'000}, [] {
    Runtime rt({.workers = 1});
    const JoinHandle joined = rt.start([] { receive<Go>(); });
    {
      Runtime other({.workers = 1});
      const Pid joiner = other.spawn([handle = JoinHandle(joined)]() mutable { handle.join(); });
      rt.send(joined.pid(), Go{});
      other.kill(joiner);
    }
    sim::require(JoinHandle(joined).join().is_normal(), "it met no signal");
  });
}

}  // namespace
}  // namespace weft::test
