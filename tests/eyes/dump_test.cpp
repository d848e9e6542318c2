// Stacks of living processes, and the dump of a runtime.
#include <gmock/gmock.h>
#include <signal.h>

#include <sstream>

#include "tests/eyes/places.hpp"

namespace weft::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class Eyes : public RuntimeTest {
 protected:
  std::string dump(DumpStacks stacks = DumpStacks::yes) {
    std::ostringstream out;
    rt.dump(out, stacks);
    return out.str();
  }
  /// The lines that a dump has for `pid`.
  std::string dump_of(Pid pid) {
    const std::string all = dump();
    const std::size_t begin = all.find("\n" + pid.to_string() + " ");
    if (begin == std::string::npos) return {};
    return all.substr(begin + 1, all.find("\n<", begin + 1) - begin);
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, Eyes, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Eyes, ADumpShowsWhereAWaitingProcessWaits) {
  const JoinHandle waiter = rt.start({.name = "waiter", .label = "one who waits"}, eyes_waits_here);
  rt.run_until_idle();
  const std::string found = dump_of(waiter.pid());
  EXPECT_THAT(found, HasSubstr(" waiting for message "));
  EXPECT_THAT(found, HasSubstr("label=one who waits"));
  EXPECT_THAT(found, HasSubstr("name=waiter"));
  EXPECT_THAT(found, HasSubstr("weft::test::eyes_waits_here()"));
  EXPECT_THAT(found, HasSubstr("places.cpp:"));
  EXPECT_THAT(found, AllOf(Not(HasSubstr("fiber_main")), Not(HasSubstr("Worker::suspend"))));
}

TEST_P(Eyes, ADumpWithoutStacksWakesNobody) {
  const JoinHandle waiter = rt.start(eyes_waits_here);
  rt.run_until_idle();
  EXPECT_THAT(dump(DumpStacks::no), Not(HasSubstr("eyes_waits_here")));
}

TEST_P(Eyes, ADumpShowsEveryKindOfWait) {
  const JoinHandle sleeper = rt.start([] { sleep_for(1h); });
  const JoinHandle caller = rt.start([to = rt.spawn(receive_forever)] { call<int>(to, Int{1}, 1h); });
  const JoinHandle joiner = rt.start([handle = sleeper]() mutable { handle.join(); });
  const auto gate = std::make_shared<Gate>();
  const auto inside = std::make_shared<Gate>();
  const JoinHandle blocked = rt.start([gate, inside] {
    blocking([&] {
      inside->open();
      gate->pass();
    });
  });
  inside->pass();
  const auto waits = [&](const JoinHandle& handle, const char* what) {
    return eventually([&] {
      const std::optional<ProcessInfo> found = rt.info(handle.pid());
      return found && found->waiting_for == what && !rt.backtrace(handle.pid()).empty();
    });
  };
  EXPECT_TRUE(waits(sleeper, "sleep"));
  EXPECT_TRUE(waits(caller, "call"));
  EXPECT_TRUE(waits(joiner, "join"));
  EXPECT_TRUE(waits(blocked, "blocking"));
  gate->open();
}

TEST_P(Eyes, AHibernatedProcessHasNoStack) {
  const JoinHandle idle = rt.start([] { hibernate(receive_forever); });
  rt.run_until_idle();
  EXPECT_THAT(rt.backtrace(idle.pid()), IsEmpty());
  EXPECT_THAT(dump_of(idle.pid()), HasSubstr("message (hibernated)"));
}

TEST_P(Eyes, ADeadProcessHasNoStack) {
  JoinHandle gone = rt.start([] {});
  gone.join();
  EXPECT_THAT(rt.backtrace(gone.pid()), IsEmpty());
  EXPECT_THAT(rt.backtrace(Pid{}), IsEmpty());
}

TEST_P(Eyes, AProcessSeesItsOwnStack) {
  const std::vector<std::string> frames = rt.run([&] { return rt.backtrace(self()); });
  ASSERT_THAT(frames, Not(IsEmpty()));
  EXPECT_THAT(frames.back(), HasSubstr("dump_test.cpp:"));  // how weft calls a body is not shown
}

TEST_P(Eyes, AProcessThatWasLookedAtStillWaitsForTheSame) {
  run([&] {
    const Monitored waiter = spawn_monitor([] {
      eyes_waits_here();
      exit(ExitReason::of(Atom("answered")));
    });
    EXPECT_TRUE(rt.is_alive(waiter.pid));
    for (int i = 0; i < 100; ++i) {
      (void)rt.backtrace(waiter.pid);
      yield();
    }
    EXPECT_TRUE(rt.is_alive(waiter.pid));
    send(waiter.pid, Pong{});
    EXPECT_EQ(receive<Down>().reason, ExitReason::of(Atom("answered")));
  });
}

// The right to wake a process passes between its senders, its killers, timers and two observers, thousands of times.
TEST_P(Eyes, ProcessesMaySendDieAndBeKilledWhileTheirStacksAreRead) {
  std::atomic<bool> over{false};
  std::atomic<int> read{0};
  std::vector<std::thread> observers;
  for (int i = 0; i < 2; ++i) {
    observers.emplace_back([&] {
      while (!over.load(std::memory_order_relaxed)) {
        for (const Pid pid : rt.list()) {
          if (!rt.backtrace(pid).empty()) read.fetch_add(1, std::memory_order_relaxed);
        }
        std::ostringstream out;
        rt.dump(out);
      }
    });
  }
  run([&] {
    // Until enough was seen: who waits for an answer is read in the middle of it.
    constexpr int kEnough = 200;
    for (int round = 0; round < 20 || read.load(std::memory_order_relaxed) < kEnough; ++round) {
      std::vector<Monitored> echoes;
      for (int i = 0; i < 8; ++i) {
        echoes.push_back(spawn_monitor([] {
          for (;;) {
            const Answer<Pid> from = receive<Answer<Pid>>();
            sleep_for(10us);
            send(from.value, Pong{});
          }
        }));
      }
      for (int i = 0; i < 10; ++i) {
        for (const Monitored& echo : echoes) send(echo.pid, Answer<Pid>{self()});
        for (std::size_t n = 0; n < echoes.size(); ++n) await<Pong>();
      }
      for (const Monitored& echo : echoes) kill(echo.pid);
      for (const Monitored& echo : echoes) EXPECT_EQ(await_down(echo.ref).reason, ExitReason::killed);
    }
  });
  over.store(true);
  for (std::thread& observer : observers) observer.join();
}

TEST_P(Eyes, ARunningProcessIsSaidToRun) {
  std::atomic<bool> go{false};
  const auto started = std::make_shared<Gate>();
  JoinHandle busy = rt.start([&go, started] {
    started->open();
    eyes_spins_here(go);
  });
  started->pass();
  EXPECT_THAT(rt.backtrace(busy.pid()), IsEmpty());
  EXPECT_THAT(dump_of(busy.pid()), HasSubstr(" running on worker "));
  go.store(true);
  busy.join();
}

TEST_P(Eyes, ARunningProcessShowsItsStackWhereASignalIsGiven) {
#ifdef WEFT_TEST_UNDER_TSAN
  GTEST_SKIP() << "ThreadSanitizer keeps signals back while a thread computes";
#endif
  RuntimeOptions with_signal = options;
  with_signal.stack_signal = SIGURG;
  rebuild(with_signal);
  std::atomic<bool> go{false};
  const auto started = std::make_shared<Gate>();
  JoinHandle busy = rt.start([&go, started] {
    started->open();
    eyes_spins_here(go);
  });
  started->pass();
  // A loaded machine may not let the worker run for a while.
  std::vector<std::string> frames;
  EXPECT_TRUE(eventually([&] { return !(frames = rt.backtrace(busy.pid())).empty(); }));
  go.store(true);
  EXPECT_THAT(frames, Contains(HasSubstr("eyes_spins_here")));
  busy.join();
}

// Whatever instruction the signal meets, switches between stacks included: the stack is read, or it is said that it cannot be.
TEST_P(Eyes, BusyProcessesMayBeInterruptedAnywhere) {
#ifdef WEFT_TEST_UNDER_TSAN
  GTEST_SKIP() << "ThreadSanitizer keeps signals back while a thread computes";
#endif
  RuntimeOptions with_signal = options;
  with_signal.stack_signal = SIGURG;
  rebuild(with_signal);
  std::atomic<bool> over{false};
  std::vector<JoinHandle> players;
  for (int i = 0; i < 2; ++i) {
    players.push_back(rt.start([&over] {
      while (!over.load(std::memory_order_relaxed)) yield();
    }));
  }
  int read = 0;
  EXPECT_TRUE(eventually([&] {
    for (const JoinHandle& player : players) read += rt.backtrace(player.pid()).empty() ? 0 : 1;
    return read >= 300;
  }));
  over.store(true);
  for (JoinHandle& player : players) player.join();
}

TEST_P(Eyes, RuntimesOfAProgramUseOneSignal) {
  RuntimeOptions wrong = options;
  wrong.stack_signal = SIGKILL;
  EXPECT_THROW(Runtime{wrong}, BadArgument);
  wrong.stack_signal = -1;
  EXPECT_THROW(Runtime{wrong}, BadArgument);
  RuntimeOptions with_signal = options;
  with_signal.stack_signal = SIGURG;
  const Runtime first(with_signal);
  const Runtime second(with_signal);
  with_signal.stack_signal = SIGUSR2;
  EXPECT_THROW(Runtime{with_signal}, BadArgument);
}

}  // namespace
}  // namespace weft::test
