// SEMANTICS.md section 25, as far as a program can see it. CPP-1 to CPP-3 are in cpp_unwinding.cpp, destruction is in
// cpp_destruction.cpp, CPP-14 in sendable.cpp.
#include <unwind.h>

#include <cstdlib>
#include <exception>
#include <functional>
#include <thread>
#include <vector>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

class CppHazards : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, CppHazards, worker_counts(), ::testing::PrintToStringParamName());

/// The text of the exception being handled.
std::string handled_text() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  }
}

TEST_P(CppHazards, Cpp4ACatchBlockMaySuspendAndEndOnAnotherWorker) {
  run([&] {
    constexpr int kProcesses = 64;
    for (int i = 0; i < kProcesses; ++i) {
      spawn([test = self(), i] {
        const std::string own = std::to_string(i), inner = "inner " + own;
        bool right = true;
        try {
          try {
            fail(own.c_str());
          } catch (const std::runtime_error&) {
            for (int turn = 0; turn < 50; ++turn) {
              yield();
              right = right && handled_text() == own && std::uncaught_exceptions() == 0;
              try {
                throw std::logic_error(inner);
              } catch (const std::logic_error&) {
                yield();
                right = right && handled_text() == inner;
              }
              right = right && handled_text() == own;
            }
            throw;
          }
        } catch (const std::runtime_error& again) {
          right = right && again.what() == own;
        }
        right = right && std::current_exception() == nullptr;
        send(test, Answer<bool>{right});
      });
    }
    for (int i = 0; i < kProcesses; ++i) EXPECT_TRUE(await<Answer<bool>>().value);
  });
}

TEST_P(CppHazards, Cpp4AMessageMayBeAwaitedInACatchBlock) {
  run([&] {
    constexpr int kProcesses = 32;
    std::vector<Pid> waiting;
    for (int i = 0; i < kProcesses; ++i) {
      waiting.push_back(spawn([test = self(), i] {
        try {
          fail(std::to_string(i).c_str());
        } catch (const std::exception& error) {
          await<Go>();
          send(test, Answer<bool>{error.what() == std::to_string(i) && handled_text() == error.what()});
        }
      }));
    }
    for (const Pid pid : waiting) send(pid, Go{});
    for (int i = 0; i < kProcesses; ++i) EXPECT_TRUE(await<Answer<bool>>().value);
  });
}

TEST_P(CppHazards, Cpp4TheUncaughtCountBelongsToTheProcess) {
  run([&] {
    constexpr int kProcesses = 32;
    for (int i = 0; i < kProcesses; ++i) {
      spawn([test = self(), throwing = i % 2 == 0] {
        bool right = true;
        try {
          const AtEnd guard{[&] {
            const int expected = throwing ? 1 : 0;
            for (int turn = 0; turn < 20; ++turn) {
              throws<Error>([] { yield(); });  // Whether or not this may suspend here, the count must be right after it.
              right = right && std::uncaught_exceptions() == expected;
            }
          }};
          if (throwing) fail("boom");
        } catch (const std::runtime_error&) {
        }
        send(test, Answer<bool>{right && std::uncaught_exceptions() == 0});
      });
    }
    for (int i = 0; i < kProcesses; ++i) EXPECT_TRUE(await<Answer<bool>>().value);
  });
}

TEST_P(CppHazards, Cpp5AProcessIsItselfOnWhateverWorkerItWakes) {
  run([&] {
    constexpr int kProcesses = 32;
    for (int i = 0; i < kProcesses; ++i) {
      spawn([test = self(), runtime = &rt] {
        const Pid own = self();
        bool right = true;
        for (int turn = 0; turn < 500; ++turn) {
          yield();
          right = right && self() == own && Runtime::of_self() == runtime && parent() == test;
        }
        send(test, Answer<bool>{right});
      });
    }
    for (int i = 0; i < kProcesses; ++i) EXPECT_TRUE(await<Answer<bool>>().value);
  });
}

TEST_P(CppHazards, Cpp7ReceivingInsideAPredicateIsRefused) {
  run([&] {
    send(self(), Int{7});
    send(self(), Text{"there"});
    EXPECT_THROW(receive(when(
                     [](const Int&) {
                       receive<Text>();
                       return true;
                     },
                     [](Int) {})),
                 Error);
    EXPECT_EQ(poll<Int>().value().n, 7);
    EXPECT_EQ(poll<Text>().value().text, "there");
  });
}

TEST_P(CppHazards, Cpp24APredicateMayThrow) {
  run([&] {
    send(self(), Int{7});
    const auto throwing = [](const Int&) -> bool { throw std::out_of_range("undecided"); };
    EXPECT_THROW(receive(when(throwing, [](Int) {})), std::out_of_range);
    EXPECT_EQ(poll<Int>().value().n, 7);
  });
}

TEST_P(CppHazards, Cpp24APredicateMaySend) {
  run([&] {
    send(self(), Int{7});
    receive(when(
        [](const Int& i) {
          send(self(), Text{"seen"});
          return i.n == 7;
        },
        [](Int) {}));
    EXPECT_EQ(poll<Text>().value().text, "seen");
  });
}

TEST_P(CppHazards, Cpp24AHandlerThatThrowsHasTakenItsMessage) {
  run([&] {
    send(self(), Int{7});
    EXPECT_THROW(receive([](Int) { throw std::out_of_range("far"); }), std::out_of_range);
    EXPECT_FALSE(poll<Int>());
  });
}

TEST_P(CppHazards, Cpp24ALogSinkMayThrow) {
  RuntimeOptions throwing = options;
  throwing.log_level = LogLevel::debug;
  throwing.log = [](LogLevel, std::string_view) { throw std::runtime_error("the log is full"); };
  rebuild(throwing);
  run([&] {
    const Monitored crash = spawn_monitor([] { fail("boom"); });
    EXPECT_EQ(await_down(crash.ref).reason.what(), "boom");
    const Monitored clean = spawn_monitor([] {});
    EXPECT_TRUE(await_down(clean.ref).reason.is_normal());
    EXPECT_EQ(ask(spawn(puppet), [] { return 7; }), 7);
  });
}

TEST_P(CppHazards, Cpp24ALogSinkMayCallIn) {
  std::atomic<Runtime*> target{nullptr};
  std::atomic<int> called{0};
  RuntimeOptions calling = options;
  calling.log_level = LogLevel::debug;
  calling.log = [&](LogLevel, std::string_view) {
    if (Runtime* runtime = target) {
      ++called;
      runtime->list();
      runtime->stats();
      runtime->whereis("clerk");
      runtime->send("clerk", Int{7});
    }
  };
  {
    Runtime runtime(calling);
    target = &runtime;
    runtime.run([] {
      spawn({.name = "clerk"}, receive_forever);
      await_down(spawn_monitor([] { fail("boom"); }).ref);
      dead_pid();
    });
    runtime.stop(kPatience);
    target = nullptr;
  }
  EXPECT_GT(called, 0);
}

TEST_P(CppHazards, Cpp24ADeadLetterSinkMayThrow) {
  RuntimeOptions throwing = options;
  throwing.dead_letters = [](const DeadLetter&) { throw std::runtime_error("no room for letters"); };
  rebuild(throwing);
  run([&] {
    EXPECT_EQ(send(dead_pid(), Int{7}), SendResult::no_process);
    EXPECT_EQ(send("nobody", Int{7}), SendResult::no_process);
  });
}

TEST_P(CppHazards, ABodyThatThrowsEndsWithTypeAndText) {
  run([&] {
    const Monitored child = spawn_monitor([] { throw std::out_of_range("far"); });
    const ExitReason reason = await_down(child.ref).reason;
    EXPECT_EQ(reason, ExitReason::error("std::out_of_range", "far"));
    EXPECT_EQ(reason.kind(), Atom("error"));
  });
}

TEST_P(CppHazards, ABodyMayThrowAnything) {
  run([&] {
    const Monitored child = spawn_monitor([] { throw 7; });
    EXPECT_FALSE(await_down(child.ref).reason.is_normal());
  });
}

struct CountedError : std::runtime_error {
  CountedError() : std::runtime_error("counted") { ++living; }
  CountedError(const CountedError& other) : std::runtime_error(other) { ++living; }
  ~CountedError() override { --living; }
  inline static std::atomic<int> living{0};
};

TEST_P(CppHazards, Cpp12TheExceptionItselfDoesNotOutliveItsProcess) {
  run([&] {
    const Monitored child = spawn_monitor([] { throw CountedError(); });
    const ExitReason reason = await_down(child.ref).reason;
    EXPECT_EQ(CountedError::living, 0);
    EXPECT_EQ(reason.what(), "counted");
  });
}

struct ThrowsWhenMoved {
  ThrowsWhenMoved() = default;
  ThrowsWhenMoved(ThrowsWhenMoved&&) { throw std::runtime_error("fragile"); }
};

TEST_P(CppHazards, Snd5AMessageWhoseMoveThrowsIsNotSent) {
  run([&] {
    EXPECT_THROW(send(self(), ThrowsWhenMoved{}), std::runtime_error);
    EXPECT_TRUE(mailbox_is_empty());
    send(self(), Int{7});
    EXPECT_EQ(await<Int>().n, 7);
  });
}

TEST_P(CppHazards, Cpp13HostThreadsComeAndGo) {
  constexpr int kThreads = 100, kEach = 20;
  struct Numbered {
    int thread, n;
  };
  JoinHandle receiver = rt.start([] {
    std::vector<int> next(kThreads, 0);
    for (int i = 0; i < kThreads * kEach; ++i) {
      const Numbered got = await<Numbered>();
      if (next[static_cast<std::size_t>(got.thread)]++ != got.n) throw std::runtime_error("a thread's messages changed places");
    }
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([this, t, to = receiver.pid()] {
      EXPECT_FALSE(self());
      for (int n = 0; n < kEach; ++n) rt.send(to, Numbered{t, n});
      rt.kill(rt.spawn(receive_forever));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(receiver.join().what(), "");
}

TEST_P(CppHazards, Cpp15NoWakeUpIsLostBetweenProcesses) {
  run([&] {
    constexpr int kPairs = 4, kRounds = 2000;
    for (int i = 0; i < kPairs; ++i) {
      spawn([test = self()] {
        const Pid echo = spawn_link([] {
          for (;;) send(receive<Ping>().from, Pong{});
        });
        for (int round = 0; round < kRounds; ++round) {
          send(echo, Ping{self()});
          receive<Pong>();
        }
        send(test, Go{});
        exit(ExitReason::shutdown);
      });
    }
    for (int i = 0; i < kPairs; ++i) await<Go>();
  });
}

TEST_P(CppHazards, Cpp15NoWakeUpFromAPlainThreadIsLost) {
  const Pid server = rt.spawn([] {
    for (;;) {
      const auto asked = receive<Call<Int>>();
      reply(asked.from, Int{asked.request.n + 1});
    }
  });
  for (int n = 0; n < 1000; ++n) ASSERT_EQ(rt.call<Int>(server, Int{n}, kPatience).n, n + 1);
}

/// Links to a chain of `left` more processes and hibernates, so that the chain has no stacks.
struct ChainLink {
  Pid test;
  int left;
  void operator()() const {
    if (left > 0) {
      spawn_link(ChainLink{test, left - 1});
    } else {
      send(test, Answer<Pid>{self()});
    }
    hibernate(receive_forever);
  }
};

TEST_P(CppHazards, Cpp18AChainOf100000LinkedProcessesFalls) {
  run([&] {
    const auto before = rt.stats().live;
    const Monitored head = spawn_monitor(ChainLink{self(), 100'000});
    const MonitorRef tail = monitor(await<Answer<Pid>>().value);
    exit(head.pid, ExitReason::of(Atom("broken")));
    EXPECT_EQ(await_down(head.ref).reason, ExitReason::of(Atom("broken")));
    EXPECT_EQ(await_down(tail).reason, ExitReason::of(Atom("broken")));
    while (rt.stats().live > before) yield();
  });
}

TEST_P(CppHazards, Cpp18AStarOf100000LinkedProcessesFalls) {
  run([&] {
    constexpr std::size_t kRays = 100'000;
    const auto before = rt.stats().live;
    const Monitored hub = spawn_monitor([test = self()] {
      for (std::size_t i = 0; i < kRays; ++i) spawn_link([] { hibernate(receive_forever); });
      send(test, Go{});
      receive_forever();
    });
    await<Go>();
    EXPECT_EQ(rt.info(hub.pid).value().links.size(), kRays);
    kill(hub.pid);
    await_down(hub.ref);
    while (rt.stats().live > before) yield();
  });
}

TEST_P(CppHazards, Cpp20AnUnwinderStopsAtTheFirstFrameOfAProcess) {
  const auto walk = [] {
    int frames = 0;
    const _Unwind_Reason_Code end = _Unwind_Backtrace(
        [](_Unwind_Context*, void* count) { return ++*static_cast<int*>(count) < 1'000 ? _URC_NO_REASON : _URC_NORMAL_STOP; }, &frames);
    EXPECT_EQ(end, _URC_END_OF_STACK);
    EXPECT_LT(frames, 1'000);
  };
  run([&] {
    walk();
    for (int i = 0; i < 10; ++i) {  // Some of them on the stack that the one before left.
      const Monitored child = spawn_monitor(walk);
      EXPECT_TRUE(await_down(child.ref).reason.is_normal());
    }
  });
}

TEST_P(CppHazards, Cpp21DurationsBeyondTheClockMeanForever) {
  run([&] {
    const Pid child = spawn([test = self()] {
      const auto first = receive_for<Int>(Duration::max());
      const auto second = receive_for<Int>(Duration::max() - 1ns);
      send(test, Int{first->n + second->n});
      sleep_until(TimePoint::max());
    });
    send(child, Int{3});
    send(child, Int{4});
    EXPECT_EQ(await<Int>().n, 7);
    EXPECT_TRUE(rt.is_alive(child));
  });
}

TEST(CppHazardsDeathTest, Cpp11StaticObjectsMayHoldMessagesReasonsAndAtomsWhenTheProgramEnds) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        static std::vector<Message> kept;
        static std::vector<ExitReason> reasons;
        static const AtEnd last{[] {
          if (Atom("made when the program ends").text().empty()) std::_Exit(1);
        }};
        {
          Runtime rt;
          rt.run([] {
            send(self(), Text{std::string(1'000, 'x')});
            kept.push_back(receive_any());
            reasons.push_back(ExitReason::error("Type", "text"));
          });
        }
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace weft::test
