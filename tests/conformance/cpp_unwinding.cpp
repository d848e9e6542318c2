// SEMANTICS.md section 25, CPP-1 to CPP-3: being ended by force, and what destructors may do then.
#include <gmock/gmock.h>

#include <functional>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::IsEmpty;

class CppUnwinding : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, CppUnwinding, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(CppUnwinding, Cpp1AKillRunsEveryDestructor) {
  run([&] {
    auto token = std::make_shared<int>();
    const std::function<void(int)> descend = [&](int depth) {
      const Carrier local{token};
      if (depth > 0) return descend(depth - 1);
      receive_forever();
    };
    const Monitored child = spawn_monitor([&descend, test = self()] {
      send(test, Go{});
      descend(20);
    });
    await<Go>();
    kill(child.pid);
    await_down(child.ref);
    EXPECT_EQ(token.use_count(), 1);
  });
}

TEST_P(CppUnwinding, Cpp1ASwallowedKillIsMetAgainAtEveryRuntimeCall) {
  const auto met = std::make_shared<std::atomic<int>>(0);
  run([&] {
    const Monitored child = spawn_monitor([met, test = self()] {
      const auto wait_for_the_kill = [=] {
        send(test, Go{});
        receive_any();
      };
      const std::function<void()> calls[] = {wait_for_the_kill,    [=] { send(test, Int{7}); }, [] { yield(); },
                                             [] { checkpoint(); }, [] { sleep_for(1h); },       [] { receive_for<Int>(0ms); }};
      for (const auto& call_it : calls) {
        try {
          call_it();
        } catch (...) {
          ++*met;
        }
      }
    });
    await<Go>();
    kill(child.pid);
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::killed);
    EXPECT_EQ(*met, 6);
    EXPECT_FALSE(poll<Int>());
  });
}

TEST_P(CppUnwinding, Cpp1ReturningAfterASwallowStillEndsWithTheRecordedReason) {
  run([&] {
    const Monitored child = spawn_monitor([test = self()] {
      try {
        send(test, Go{});
        receive_forever();
      } catch (...) {
      }
    });
    await<Go>();
    exit(child.pid, ExitReason::of(Atom("evicted")));
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::of(Atom("evicted")));
  });
}

TEST_P(CppUnwinding, Cpp1AnExceptionThrownInsteadDoesNotChangeTheReason) {
  run([&] {
    const Monitored child = spawn_monitor([test = self()] {
      try {
        send(test, Go{});
        receive_forever();
      } catch (...) {
        throw std::runtime_error("instead");
      }
    });
    await<Go>();
    kill(child.pid);
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::killed);
  });
}

TEST_P(CppUnwinding, Cpp1AKillIsNeitherAStdExceptionNorAnExitException) {
  run([&] {
    const Monitored child = spawn_monitor([test = self()] {
      try {
        send(test, Go{});
        receive_forever();
      } catch (const std::exception&) {
        ADD_FAILURE() << "a handler for std::exception saw the kill";
      } catch (const ExitException&) {
        ADD_FAILURE() << "a handler for exit(R) saw the kill";
      }
    });
    await<Go>();
    kill(child.pid);
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::killed);
  });
}

TEST_P(CppUnwinding, Cpp1OnesOwnExitCanBeCaught) {
  run([&] {
    try {
      exit(ExitReason::shutdown);
    } catch (const std::exception&) {
      ADD_FAILURE() << "exit(R) is no std::exception";
    } catch (const ExitException& caught) {
      EXPECT_EQ(caught.reason(), ExitReason::shutdown);
    }
    send(self(), Int{7});
    EXPECT_EQ(await<Int>().n, 7);
  });
}

TEST_P(CppUnwinding, Cpp1ACheckpointIsAPlaceToDie) {
  run([&] {
    const Monitored child = spawn_monitor([] {
      for (;;) checkpoint();
    });
    kill(child.pid);
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::killed);
  });
}

/// In a process: lets a new child unwind by a kill with `in_destructor` in its way; returns once it is gone.
template <class F>
ExitReason unwind_through(F in_destructor) {
  const Monitored child = spawn_monitor([test = self(), in_destructor] {
    const AtEnd guard{in_destructor};
    send(test, Go{});
    receive_forever();
  });
  await<Go>();
  kill(child.pid);
  return await_down(child.ref).reason;
}

TEST_P(CppUnwinding, Cpp2WhatADestructorSendsArrivesBeforeExitAndDown) {
  run([&] {
    trap_exit(true);
    const Monitored child = spawn_monitor({.link = true}, [test = self()] {
      const AtEnd guard{[test] { send(test, Text{"farewell"}); }};
      send(test, Go{});
      receive_forever();
    });
    await<Go>();
    kill(child.pid);
    EXPECT_EQ(receive_any().take<Text>().text, "farewell");
    await<Exit>();
    await_down(child.ref);
  });
}

TEST_P(CppUnwinding, Cpp2ADestructorMayWithdrawWhatItsProcessHolds) {
  run([&] {
    const Pid peer = spawn(puppet);
    const Monitored child = spawn_monitor([test = self(), peer] {
      link(peer);
      const MonitorRef watch = monitor(peer);
      const TimerRef timer = send_after(1h, test, Int{7});
      const AtEnd guard{[=] {
        unlink(peer);
        send(test, Answer<bool>{demonitor(watch)});
        send(test, Answer<bool>{cancel_timer(timer).has_value()});
      }};
      send(test, Go{});
      receive_forever();
    });
    await<Go>();
    kill(child.pid);
    EXPECT_TRUE(await<Answer<bool>>().value);
    EXPECT_TRUE(await<Answer<bool>>().value);
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::killed);
    EXPECT_EQ(ask(peer, [] { return 7; }), 7);
  });
}

TEST_P(CppUnwinding, Cpp2WhatCannotBeDoneWhileUnwindingIsRefused) {
  run([&] {
    const Pid peer = spawn(receive_forever);
    JoinHandle handle = rt.start(receive_forever);
    const std::vector<std::pair<std::string, std::function<void()>>> calls = {
        {"receive", [] { receive<Int>(); }},
        {"receive_for", [] { receive_for<Int>(1ms); }},
        {"receive_any", [] { receive_any(); }},
        {"receive with handlers", [] { receive([](Int) {}); }},
        {"call", [peer] { call<Int>(peer, Int{}); }},
        {"join", [handle]() mutable { handle.join(); }},
        {"sleep_for", [] { sleep_for(1ms); }},
        {"link", [peer] { link(peer); }},
        {"monitor", [peer] { monitor(peer); }},
        {"spawn", [] { spawn(receive_forever); }},
        {"register_name", [] { register_name("late"); }},
    };
    unwind_through([calls, test = self()] {
      std::string allowed;
      for (const auto& [name, call_it] : calls) {
        if (!throws<ProcessExiting>(call_it)) allowed += name + " ";
      }
      send(test, Text{allowed});
    });
    EXPECT_EQ(await<Text>().text, "");
    EXPECT_FALSE(whereis("late"));
    EXPECT_THAT(rt.info(peer).value().links, IsEmpty());
    EXPECT_THAT(rt.info(peer).value().monitored_by, IsEmpty());
  });
}

TEST_P(CppUnwinding, Cpp3NoRuntimeCallFromADestructorSurfacesTheKill) {
  run([&] {
    const Pid peer = spawn(receive_forever);
    const ExitReason reason = unwind_through([peer] {
      for (int i = 0; i < 100; ++i) send(peer, Int{i});  // A throw from here would end the program.
      unlink(peer);
      cancel_timer(TimerRef{});
      demonitor(MonitorRef{});
    });
    EXPECT_EQ(reason, ExitReason::killed);
  });
}

TEST_P(CppUnwinding, Err4WhatLooksAndWhatWithdrawsThrowsNothingInADyingProcess) {
  run([&] {
    const Pid peer = spawn({.name = "peer"}, receive_forever);
    const Alias alias = make_alias(AliasMode::explicit_unalias);
    const ExitReason reason = unwind_through([=] {
      for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(is_alive(peer));
        EXPECT_TRUE(info(peer));
        EXPECT_EQ(whereis("peer"), peer);
        EXPECT_FALSE(unregister("nobody"));
        EXPECT_FALSE(leave("nothing"));
        EXPECT_FALSE(unalias(alias)) << "it is another process's";
        EXPECT_FALSE(read_timer(TimerRef{}));
        kill(Pid{});
      }
    });
    EXPECT_EQ(reason, ExitReason::killed) << "an error in a destructor would have been the reason";
    EXPECT_TRUE(unalias(alias));
  });
}

TEST_P(CppUnwinding, Cpp3AnExceptionThatEscapesANoexceptFunctionEndsThatProcessOnly) {
  run([&] {
    const Pid bystander = spawn(puppet);
    const Monitored child = spawn_monitor([] { promise_not_to_fail(); });
    const ExitReason reason = await_down(child.ref).reason;
    EXPECT_EQ(reason.kind(), Atom("error"));
    EXPECT_EQ(ask(bystander, [] { return 7; }), 7);
  });
}

}  // namespace
}  // namespace weft::test
