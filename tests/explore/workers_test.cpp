// Workers that sleep, are woken and steal, in a whole runtime.
#include <atomic>

#include "tests/explore/find.hpp"

namespace weft::test {
namespace {

struct Ping {
  Pid from;
};
struct Pong {};

/// Wake-ups from outside, one after the other, with workers that go to sleep in between. A lost one leaves everybody waiting.
void injected_wake_ups(Runtime& rt) {
  const JoinHandle echo = rt.start([] {
    for (int i = 0; i < 3; ++i) receive<Ping>();
  });
  for (int i = 0; i < 3; ++i) rt.send(echo.pid(), Ping{});
  JoinHandle(echo).join();
}

TEST(ExploreWorkers, WhatIsInjectedIsRun) {
  sim::explore({.seeds = 5'000, .workers = 1}, injected_wake_ups);
  sim::explore({.seeds = 10'000, .workers = 2}, injected_wake_ups);
  sim::explore({.seeds = 5'000, .workers = 3}, injected_wake_ups);
}

TEST(ExploreWorkers, APlantedSleepWithoutALastLookIsFound) {
  const sim::Report found =
      find({.seeds = 5'000, .workers = 2, .planted = {"worker: sleep without a last look"}}, "everybody waits", injected_wake_ups);
  EXPECT_LE(found.runs, 2'000u);
  EXPECT_NE(found.what.find("waits at \"parked\""), std::string::npos) << found.what;
}

void crowd(Runtime& rt) {
  rt.run([] {
    const Pid me = self();
    for (int i = 0; i < 8; ++i) {
      spawn([me] {
        send(me, Ping{self()});
        receive<Pong>();
        send(me, Pong{});
      });
    }
    for (int i = 0; i < 8; ++i) send(receive<Ping>().from, Pong{});
    for (int i = 0; i < 8; ++i) receive<Pong>();
  });
}

TEST(ExploreWorkers, StolenProcessesRunOnceAndAllRun) {
  sim::explore({.seeds = 4'000, .workers = 2}, crowd);
  sim::explore({.seeds = 4'000, .workers = 4}, crowd);
}

TEST(ExploreWorkers, OneThatStandsStillDelaysNobodyForEver) {
  sim::explore({.seeds = 3'000, .workers = 3, .faults = {.stall = 0.01}}, crowd);
}

TEST(ExploreWorkers, TwoHostThreadsAndARuntimeOfTheirOwn) {
  sim::explore({.seeds = 3'000}, [] {
    Runtime rt({.workers = 2});
    std::atomic<int> got{0};
    const JoinHandle counter = rt.start([&got] {
      for (int i = 0; i < 4; ++i) {
        receive<Pong>();
        got.fetch_add(1);
      }
    });
    const auto send_two = [&] {
      rt.send(counter.pid(), Pong{});
      rt.send(counter.pid(), Pong{});
    };
    sim::Thread other("other host", send_two);
    send_two();
    JoinHandle(counter).join();
    sim::require(got.load() == 4, "all arrived");
  });
}

TEST(ExploreWorkers, PrioritiesDoNotStarveEachOther) {
  sim::explore({.seeds = 2'000}, [](Runtime& rt) {
    rt.run([] {
      const Pid me = self();
      for (const Priority priority : {Priority::low, Priority::normal, Priority::high}) {
        spawn(SpawnOptions{.priority = priority}, [me] {
          for (int i = 0; i < 3; ++i) yield();
          send(me, Pong{});
        });
      }
      for (int i = 0; i < 3; ++i) receive<Pong>();
    });
  });
}

}  // namespace
}  // namespace weft::test
