// SEMANTICS section 6. EXR-11 concerns limits that the API does not offer.

#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "tests/conformance/puppet.hpp"

namespace weft::test {
namespace {

using ExitReasons = RuntimeTest;
using ExitSignals = VirtualTimeTest;
INSTANTIATE_TEST_SUITE_P(Workers, ExitReasons, worker_counts(), ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Workers, ExitSignals, worker_counts(), ::testing::PrintToStringParamName());

/// What a process that runs `body` ends with.
template <class F>
ExitReason end_of(F body) {
  return await_down(spawn_monitor(std::move(body)).ref).reason;
}

TEST_P(ExitReasons, Exr1ReasonsCompareByValue) {
  EXPECT_EQ(ExitReason::of(5), ExitReason::of(5));
  EXPECT_FALSE(ExitReason::of(5) == ExitReason::of(6));
  EXPECT_FALSE(ExitReason::of(5) == ExitReason::of(std::string("5")));
  EXPECT_EQ(ExitReason::of("overload"_atom), ExitReason::of("overload"_atom));
  EXPECT_EQ(ExitReason::error("type", "text"), ExitReason::error("type", "text"));
  EXPECT_FALSE(ExitReason::error("type", "text") == ExitReason::error("type", "other"));
  EXPECT_FALSE(ExitReason::kill == ExitReason::killed);
  EXPECT_FALSE(ExitReason::shutdown == ExitReason::shutdown_with(1));
}

TEST_P(ExitReasons, Exr1ReasonsTellTheirKindAndPayload) {
  EXPECT_EQ(ExitReason::normal.kind(), "normal"_atom);
  EXPECT_EQ(ExitReason::shutdown.kind(), "shutdown"_atom);
  EXPECT_EQ(ExitReason::kill.kind(), "kill"_atom);
  EXPECT_EQ(ExitReason::killed.kind(), "killed"_atom);
  EXPECT_EQ(ExitReason::noproc.kind(), "noproc"_atom);
  EXPECT_EQ(ExitReason::timeout.kind(), "timeout"_atom);
  EXPECT_EQ(ExitReason::noconnection.kind(), "noconnection"_atom);
  EXPECT_EQ(ExitReason::of("overload"_atom).kind(), "overload"_atom);
  EXPECT_EQ(ExitReason::error("type", "text").kind(), "error"_atom);
  EXPECT_EQ(ExitReason::shutdown_with(1).kind(), "shutdown"_atom);

  EXPECT_TRUE(ExitReason::normal.is_normal());
  EXPECT_FALSE(ExitReason::shutdown.is_normal());
  const ExitReason custom = ExitReason::of(std::string("disk full"));
  ASSERT_NE(custom.get_if<std::string>(), nullptr);
  EXPECT_EQ(*custom.get_if<std::string>(), "disk full");
  EXPECT_EQ(custom.get_if<int>(), nullptr);
  EXPECT_EQ(*ExitReason::shutdown_with(3).get_if<int>(), 3);
}

TEST_P(ExitReasons, Exr2TheProcessEndsWithTheReasonItGave) {
  run([&] {
    for (const ExitReason& reason : {ExitReason::normal, ExitReason::shutdown, ExitReason::kill, ExitReason::killed, ExitReason::of(5)}) {
      EXPECT_EQ(end_of([reason] { exit(reason); }), reason);
    }
  });
}

TEST_P(ExitReasons, Exr2AnExitCanBeCaught) {
  run([&] {
    const ExitReason reason = end_of([] {
      try {
        exit(ExitReason::of(5));
      } catch (const ExitException& exit_exception) {
        EXPECT_EQ(exit_exception.reason(), ExitReason::of(5));
      }
    });
    EXPECT_EQ(reason, ExitReason::normal);
  });
}

TEST_P(ExitReasons, Exr2AHandlerForErrorsDoesNotCatchAnExit) {
  run([&] {
    const ExitReason reason = end_of([] {
      try {
        exit(ExitReason::of(5));
      } catch (const std::exception&) {
        ADD_FAILURE() << "an exit is no std::exception";
      }
    });
    EXPECT_EQ(reason, ExitReason::of(5));
  });
}

TEST_P(ExitReasons, Exr3AnUncaughtErrorIsTheReason) {
  run([&] {
    const ExitReason reason = end_of([] { throw std::out_of_range("row 17"); });
    EXPECT_EQ(reason.kind(), "error"_atom);
    EXPECT_FALSE(reason.is_normal());
    EXPECT_NE(reason.what().find("row 17"), std::string_view::npos);
  });
}

TEST_P(ExitReasons, Exr3AnUncaughtThrowOfAnythingElseIsNocatch) {
  run([&] { EXPECT_EQ(end_of([] { throw 17; }).kind(), "nocatch"_atom); });
}

TEST_P(ExitReasons, Exr3ACrashIsLogged) {
  struct Log {
    std::mutex mutex;
    std::string errors;
  };
  const auto log = std::make_shared<Log>();
  RuntimeOptions logging = options;
  logging.log_level = LogLevel::error;
  logging.log = [log](LogLevel level, std::string_view line) {
    const std::lock_guard lock(log->mutex);
    if (level == LogLevel::error) log->errors += line;
  };
  rebuild(logging);
  rt.start([] { throw std::runtime_error("row 17"); }).join();
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(log->mutex);
    return log->errors.find("row 17") != std::string::npos;
  }));
}

TEST_P(ExitReasons, Exr4AnExitSignalToTheDeadSucceeds) {
  run([&] {
    const Pid dead = dead_pid();
    EXPECT_NO_THROW(exit(dead, ExitReason::of(1)));
    EXPECT_NO_THROW(kill(dead));
  });
  const Pid dead = run([] { return self(); });
  EXPECT_NO_THROW(rt.exit(dead, ExitReason::of(1)));
}

TEST_P(ExitReasons, Exr5ALinkCarriesAnEndOnlyWhileItIsThere) {
  run([&] {
    const Monitored victim = spawn_monitor(puppet);
    const Monitored former = spawn_monitor(puppet);
    const Monitored linked = spawn_monitor(puppet);
    ask(victim.pid, [=] {
      link(former.pid);
      link(linked.pid);
      unlink(former.pid);
    });
    tell(former.pid, [] { exit(ExitReason::kill); });
    await_down(former.ref);
    EXPECT_EQ(ask(victim.pid, [] { return 7; }), 7);
    tell(linked.pid, [] { exit(ExitReason::kill); });
    EXPECT_EQ(await_down(victim.ref).reason, ExitReason::kill) << "what a link tells is a reason, and no order to be killed";
  });
}

TEST_P(ExitReasons, Exr4AnExitSignalLeavesALinkInPlace) {
  run([&] {
    trap_exit(true);
    const Pid peer = spawn_link(SpawnOptions{.trap_exit = true}, puppet);
    exit(peer, ExitReason::of(1));
    EXPECT_EQ(ask(peer, [] { return await<Exit>(); }).reason, ExitReason::of(1));
    EXPECT_EQ(rt.info(self())->links, std::vector{peer});
    kill(peer);
    EXPECT_EQ(await<Exit>().reason, ExitReason::killed);
  });
}

// The decision table EXR-6: a test per row and, within it, the columns "not trapping" and "trapping".

enum class Trap { no, yes };

struct Fate {
  std::optional<ExitReason> died;
  std::optional<Exit> told;
};

class DecisionTable : public VirtualTimeTest {
 protected:
  /// What becomes of a process once `signal(its pid)` has taken effect.
  template <class F>
  static Fate fate(Trap trap, F signal) {
    const Monitored target = spawn_monitor(SpawnOptions{.trap_exit = trap == Trap::yes}, puppet);
    signal(target.pid);
    settle();
    if (const auto down = poll<Down>()) return {down->reason, std::nullopt};
    Fate survived{std::nullopt, ask(target.pid, [] { return poll<Exit>(); })};
    EXPECT_FALSE(ask(target.pid, [] { return poll<Exit>(); }));
    kill(target.pid);
    await_down(target.ref);
    return survived;
  }

  static void expect_ignored(const Fate& fate) {
    EXPECT_FALSE(fate.died);
    EXPECT_FALSE(fate.told);
  }
  static void expect_died(const Fate& fate, const ExitReason& reason) { EXPECT_EQ(fate.died, reason); }
  static void expect_told(const Fate& fate, Pid from, const ExitReason& reason) {
    EXPECT_FALSE(fate.died);
    ASSERT_TRUE(fate.told);
    EXPECT_EQ(fate.told->from, from);
    EXPECT_EQ(fate.told->reason, reason);
  }

  static auto from_another(ExitReason reason) {
    return [reason](Pid target) { exit(target, reason); };
  }
  static auto from_itself(ExitReason reason) {
    return [reason](Pid target) {
      tell(target, [reason] {
        try {
          exit(self(), reason);
        } catch (const std::exception&) {
          ADD_FAILURE() << "the body caught its end";
        } catch (const ExitException&) {
          ADD_FAILURE() << "the body caught its end";
        }
      });
    };
  }
  /// A process links to the target and exits; its pid goes to `*peer`.
  static auto by_link(ExitReason reason, Pid* peer) {
    return [reason, peer](Pid target) {
      *peer = spawn([reason, target] {
        link(target);
        exit(reason);
      });
    };
  }

  const ExitReason other_ = ExitReason::of(5);
};
INSTANTIATE_TEST_SUITE_P(Workers, DecisionTable, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(DecisionTable, Exr6NormalFromAnother) {
  run([&] {
    expect_ignored(fate(Trap::no, from_another(ExitReason::normal)));
    expect_told(fate(Trap::yes, from_another(ExitReason::normal)), self(), ExitReason::normal);
  });
}

TEST_P(DecisionTable, Exr6KillFromAnother) {
  run([&] {
    expect_died(fate(Trap::no, from_another(ExitReason::kill)), ExitReason::killed);
    expect_died(fate(Trap::yes, from_another(ExitReason::kill)), ExitReason::killed);
    expect_died(fate(Trap::yes, [](Pid target) { kill(target); }), ExitReason::killed);
  });
}

TEST_P(DecisionTable, Exr6AnythingElseFromAnother) {
  run([&] {
    for (const ExitReason& reason : {ExitReason::shutdown, ExitReason::killed, ExitReason::noproc, ExitReason::shutdown_with(1),
                                     ExitReason::error("t", "w"), other_}) {
      expect_died(fate(Trap::no, from_another(reason)), reason);
      expect_told(fate(Trap::yes, from_another(reason)), self(), reason);
    }
  });
}

TEST_P(DecisionTable, Exr6NormalFromItself) {
  run([&] {
    expect_died(fate(Trap::no, from_itself(ExitReason::normal)), ExitReason::normal);
    Pid target;
    const Fate told = fate(Trap::yes, [&](Pid pid) { from_itself(ExitReason::normal)(target = pid); });
    expect_told(told, target, ExitReason::normal);
  });
}

TEST_P(DecisionTable, Exr6KillFromItself) {
  run([&] {
    expect_died(fate(Trap::no, from_itself(ExitReason::kill)), ExitReason::killed);
    expect_died(fate(Trap::yes, from_itself(ExitReason::kill)), ExitReason::killed);
  });
}

TEST_P(DecisionTable, Exr6AnythingElseFromItself) {
  run([&] {
    for (const ExitReason& reason : {ExitReason::shutdown, ExitReason::killed, other_}) {
      expect_died(fate(Trap::no, from_itself(reason)), reason);
      Pid target;
      const Fate told = fate(Trap::yes, [&](Pid pid) { from_itself(reason)(target = pid); });
      expect_told(told, target, reason);
    }
  });
}

TEST_P(DecisionTable, Exr6NormalByALink) {
  run([&] {
    Pid peer;
    expect_ignored(fate(Trap::no, by_link(ExitReason::normal, &peer)));
    const Fate told = fate(Trap::yes, by_link(ExitReason::normal, &peer));
    expect_told(told, peer, ExitReason::normal);
  });
}

TEST_P(DecisionTable, Exr6KillByALink) {
  run([&] {
    Pid peer;
    expect_died(fate(Trap::no, by_link(ExitReason::kill, &peer)), ExitReason::kill);
    const Fate told = fate(Trap::yes, by_link(ExitReason::kill, &peer));
    expect_told(told, peer, ExitReason::kill);
  });
}

TEST_P(DecisionTable, Exr6AnythingElseByALink) {
  run([&] {
    Pid peer;
    for (const ExitReason& reason : {ExitReason::killed, ExitReason::shutdown, ExitReason::noproc, other_}) {
      expect_died(fate(Trap::no, by_link(reason, &peer)), reason);
      const Fate told = fate(Trap::yes, by_link(reason, &peer));
      expect_told(told, peer, reason);
    }
  });
}

TEST_P(DecisionTable, Exr6AnythingByALinkThatIsNoMore) {
  run([&] {
    for (const ExitReason& reason : {ExitReason::normal, ExitReason::kill, ExitReason::killed, other_}) {
      const auto unlinked_by_the_peer = [reason](Pid target) {
        spawn([reason, target] {
          link(target);
          unlink(target);
          exit(reason);
        });
      };
      const auto unlinked_by_the_target = [reason](Pid target) {
        const Pid peer = spawn(puppet);
        ask(peer, [target] { link(target); });
        ask(target, [peer] { unlink(peer); });
        tell(peer, [reason] { exit(reason); });
      };
      for (const Trap trap : {Trap::no, Trap::yes}) {
        expect_ignored(fate(trap, unlinked_by_the_peer));
        expect_ignored(fate(trap, unlinked_by_the_target));
      }
    }
  });
}

TEST_P(ExitSignals, Exr6ANormalExitLeavesALinkedProcessAlive) {
  const Pid survivor = rt.spawn(receive_forever);
  rt.spawn([survivor] { link(survivor); });
  rt.run_until_idle();
  EXPECT_TRUE(rt.is_alive(survivor));
}

TEST_P(ExitSignals, Exr6APlainThreadSignalsLikeAnotherProcess) {
  const Pid survivor = rt.spawn(receive_forever);
  rt.exit(survivor, ExitReason::normal);
  rt.run_until_idle();
  EXPECT_TRUE(rt.is_alive(survivor));
  JoinHandle target = rt.start(receive_forever);
  rt.exit(target.pid(), ExitReason::kill);
  EXPECT_EQ(target.join(), ExitReason::killed);
}

/// The reasons with which three linked processes die when `end` is done to the last of them.
template <class F>
void expect_chain_to_die(F end, const ExitReason& reason) {
  std::vector<Monitored> chain;
  for (int i = 0; i < 3; ++i) {
    chain.push_back(spawn_monitor(puppet));
    if (i > 0) ask(chain[i].pid, [previous = chain[i - 1].pid] { link(previous); });
  }
  end(chain.back().pid);
  for (const Monitored& member : chain) EXPECT_EQ(await_down(member.ref).reason, reason);
}

TEST_P(ExitReasons, Exr7AChainOfLinksCarriesTheReasonUnchanged) {
  run([&] {
    expect_chain_to_die([](Pid end) { kill(end); }, ExitReason::killed);
    expect_chain_to_die([](Pid end) { tell(end, [] { exit(ExitReason::kill); }); }, ExitReason::kill);
    expect_chain_to_die([](Pid end) { exit(end, ExitReason::of(5)); }, ExitReason::of(5));
  });
}

TEST_P(ExitReasons, Exr8ShutdownPropagatesThroughLinks) {
  run([&] {
    expect_chain_to_die([](Pid end) { tell(end, [] { exit(ExitReason::shutdown); }); }, ExitReason::shutdown);
    expect_chain_to_die([](Pid end) { exit(end, ExitReason::shutdown_with(1)); }, ExitReason::shutdown_with(1));
  });
}

TEST_P(ExitReasons, Exr9ASignalReceivedBeforeTheFlagIsSetIsNotTrapped) {
  std::atomic<bool> started = false, signalled = false;
  JoinHandle target = rt.start([&] {
    started = true;
    while (!signalled) {
    }
    trap_exit(true);
    receive_forever();
  });
  ASSERT_TRUE(eventually([&] { return started.load(); }));
  rt.exit(target.pid(), ExitReason::of(5));
  signalled = true;
  EXPECT_EQ(target.join(), ExitReason::of(5));
}

TEST_P(ExitReasons, Exr9ASignalReceivedAfterTheFlagIsClearedIsNotTrapped) {
  run([&] {
    const Monitored target = spawn_monitor(SpawnOptions{.trap_exit = true}, puppet);
    ask(target.pid, [] { trap_exit(false); });
    exit(target.pid, ExitReason::of(5));
    EXPECT_EQ(await_down(target.ref).reason, ExitReason::of(5));
  });
}

TEST_P(ExitReasons, Exr10AQueuedExitMessageStaysAMessageWhenTheFlagIsCleared) {
  run([&] {
    trap_exit(true);
    exit(self(), ExitReason::of(5));
    EXPECT_TRUE(trap_exit(false));
    EXPECT_EQ(await<Exit>().reason, ExitReason::of(5));
  });
}

TEST_P(ExitReasons, Exr10TheFlagBelongsToItsProcess) {
  run([&] {
    EXPECT_FALSE(trap_exit(true));
    EXPECT_TRUE(trap_exit(true));
    const Pid plain = spawn(puppet);
    const Pid trapping = spawn(SpawnOptions{.trap_exit = true}, puppet);
    EXPECT_FALSE(rt.info(plain)->trap_exit);
    EXPECT_TRUE(rt.info(trapping)->trap_exit);
    EXPECT_TRUE(ask(trapping, [] { return trap_exit(false); }));
    EXPECT_FALSE(rt.info(trapping)->trap_exit);
  });
}

}  // namespace
}  // namespace weft::test
