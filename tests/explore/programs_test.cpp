// Small whole programs: names, timers, calls, blocking sections, bounded mailboxes; and bugs of users that are found.
#include "tests/explore/find.hpp"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

struct Add {
  int value;
};
struct Sum {
  int value;
};
struct Tick {};

TEST(ExplorePrograms, ANameBelongsToOneAndIsFreeAfterItsDown) {
  sim::explore({.seeds = 5'000, .workers = 3}, [](Runtime& rt) {
    rt.run([] {
      int holders = 0;
      const auto claim = [&holders] {
        try {
          register_name("leader", self());
        } catch (const NameTaken&) {
          return;
        }
        sim::require(++holders == 1, "two hold one name");
        yield();
        --holders;
      };
      (void)spawn_monitor(claim);
      (void)spawn_monitor(claim);
      receive<Down>();
      receive<Down>();
      sim::require(!whereis("leader"), "the name is free when all were told (LIF-6)");
    });
  });
}

TEST(ExplorePrograms, WhereisOrSpawnMakesOne) {
  sim::explore({.seeds = 4'000, .workers = 3}, [](Runtime& rt) {
    rt.run([] {
      const Pid me = self();
      for (int i = 0; i < 3; ++i) {
        spawn([me] { send(me, whereis_or_spawn("one", [] { receive<Tick>(); })); });
      }
      const Pid found = receive<Pid>();
      sim::require(receive<Pid>() == found && receive<Pid>() == found, "all found the same process");
    });
  });
}

TEST(ExplorePrograms, ATimerFiresOnceOrIsCancelled) {
  sim::explore({.seeds = 6'000}, [](Runtime& rt) {
    rt.run([] {
      const TimerRef first = send_after(1ms, self(), Tick{});
      const TimerRef second = send_after(1ms, self(), Tick{});
      receive<Tick>();
      const int cancelled = (cancel_timer(first) ? 1 : 0) + (cancel_timer(second) ? 1 : 0);
      const int fired = receive_for<Tick>(1s) ? 1 : 0;
      sim::require(cancelled + fired == 1, "one was received; the other was cancelled or is");
    });
  });
}

TEST(ExplorePrograms, AnHourPassesAtOnce) {
  sim::explore({.seeds = 500}, [](Runtime& rt) {
    const TimePoint start = rt.now();
    rt.run([] { sleep_for(1h); });
    sim::require(rt.now() - start == 1h, "time stands still while somebody runs");
  });
}

TEST(ExplorePrograms, ACallIsAnsweredOrTellsOfTheEnd) {
  sim::explore({.seeds = 5'000, .workers = 3}, [](Runtime& rt) {
    rt.run([] {
      const Pid server = spawn([] {
        int sum = 0;
        for (int i = 0; i < 2; ++i) {
          receive([&](Call<Add> one) { reply(one.from, Sum{sum += one.request.value}); });
        }
      });
      int answers = 0, ends = 0;
      for (int i = 0; i < 3; ++i) {
        try {
          (void)call<Sum>(server, Add{1}, 1h);
          ++answers;
        } catch (const CallFailed&) {
          ++ends;
        }
      }
      sim::require(answers == 2 && ends == 1, "the server answers twice and ends");
    });
  });
}

TEST(ExplorePrograms, ACallThatIsGivenUpLeavesNothing) {
  sim::explore({.seeds = 5'000, .workers = 3}, [](Runtime& rt) {
    rt.run([] {
      const Pid server = spawn([] {
        for (int i = 0; i < 2; ++i) {
          const auto one = receive<Call<Add>>();
          sleep_for(1ms);
          reply(one.from, Sum{one.request.value});
        }
      });
      for (int i = 0; i < 3; ++i) {
        try {
          sim::require(call<Sum>(server, Add{i}, 1ms).value == i, "the reply is that of this call");
        } catch (const TimedOut&) {
        } catch (const CallFailed&) {
        }
      }
      sleep_for(10ms);
      sim::require(!receive_any_for(0ms), "neither a late reply nor a Down is left");
      sim::require(info(self())->monitors.empty() && info(self())->mailbox_depth == 0, "no call is left");
    });
  });
}

TEST(ExplorePrograms, ACallerThatIsKilledLeavesNoMonitor) {
  sim::explore({.seeds = 5'000, .workers = 3}, [](Runtime& rt) {
    rt.run([] {
      const Pid server = spawn([] {
        for (;;) receive([](Call<Add> one) { reply(one.from, Sum{one.request.value}); });
      });
      const Monitored caller = spawn_monitor([server] {
        for (int i = 0; i < 2; ++i) (void)call<Sum>(server, Add{i}, 1h);
      });
      kill(caller.pid);
      receive<Down>();
      sim::require(info(server)->monitored_by.empty(), "a dead caller watches nobody (MON-8)");
      sim::require(call<Sum>(server, Add{5}, 1h).value == 5, "the server serves on");
    });
  });
}

TEST(ExplorePrograms, ABlockingSectionEndsAfterItsProcessWasKilled) {
  sim::explore({.seeds = 4'000}, [](Runtime& rt) {
    rt.run([] {
      const Pid me = self();
      const Monitored worker = spawn_monitor([me] {
        const int on_the_stack = 7;
        const int got = blocking([&on_the_stack, me] {
          send(me, Tick{});
          return on_the_stack;
        });
        sim::require(got == 7, "the section sees its process's stack");
      });
      kill(worker.pid);
      receive<Down>();
    });
  });
}

TEST(ExplorePrograms, SendWaitWaitsForAPlace) {
  for (const double shed : {0.0, 0.2}) {
    sim::explore({.seeds = 3'000, .faults = {.shed = shed}}, [](Runtime& rt) {
      rt.run([] {
        const SpawnOptions bounded{.limit = {.capacity = 1}};
        const Monitored reader = spawn_monitor(bounded, [] {
          for (int i = 0; i < 4; ++i) receive<Add>();
        });
        for (int who = 0; who < 2; ++who) {
          spawn([to = reader.pid] {
            for (int i = 0; i < 2; ++i) (void)send_wait(to, Add{i}, forever);
          });
        }
        receive<Down>();
      });
    });
  }
}

TEST(ExplorePrograms, TheOldestIsShed) {
  sim::explore({.seeds = 4'000}, [](Runtime& rt) {
    rt.run([] {
      const Pid me = self();
      const SpawnOptions bounded{.limit = {.capacity = 1, .overflow = Overflow::shed_oldest}};
      const Pid reader = spawn(bounded, [me] {
        int last = -1;
        while (last != 4) {
          const int got = receive<Add>().value;
          sim::require(got > last, "what is left is in order");
          last = got;
        }
        send(me, Tick{});
      });
      for (int i = 0; i < 5; ++i) {
        // Refused only while the one before it is being taken: then none waits that could be shed.
        while (send(reader, Add{i}) == SendResult::shed) yield();
      }
      receive<Tick>();
    });
  });
}

// One sender alone: what it found empty stays so until its next message. Whose place is free a moment after its message was taken is full
// without one, and there is nothing to shed.
TEST(ExplorePrograms, Cap2NothingIsShedByAnEmptyMailbox) {
  sim::explore({.seeds = 4'000}, [](Runtime& rt) {
    rt.run([] {
      const SpawnOptions bounded{.limit = {.capacity = 1, .overflow = Overflow::shed_oldest}};
      const Pid reader = spawn(bounded, [] {
        for (;;) receive<Add>();
      });
      for (int i = 0; i < 5; ++i) {
        const bool was_empty = info(reader)->mailbox_depth == 0;
        const SendResult sent = send(reader, Add{i});
        sim::require(sent == SendResult::queued || !was_empty, "an empty mailbox refuses a message");
      }
    });
  });
}

// The sender that evicts takes the receiver's messages in for it: between two looks at a lock, the inbox is empty and the queue is not.
TEST(ExplorePrograms, Rcv5WhatWasThereBeforeALookIsFoundWhileASenderEvicts) {
  sim::explore({.seeds = 4'000}, [](Runtime& rt) {
    rt.run([] {
      const SpawnOptions bounded{.limit = {.capacity = 1, .overflow = Overflow::shed_oldest}};
      const Monitored reader = spawn_monitor(bounded, [] {
        (void)monitor(Pid{});  // Nobody: its DOWN is there when this returns.
        sim::require(receive([](const Down&) { return true; }, after(0s, [] { return false; })), "it was there before the look");
      });
      spawn([to = reader.pid] {
        for (int i = 0; i < 4; ++i) (void)send(to, Add{i});
      });
      receive<Down>();
    });
  });
}

TEST(ExplorePrograms, StopAsksKillsAndReports) {
  sim::explore({.seeds = 2'000}, [](Runtime& rt) {
    rt.spawn([] {
      trap_exit(true);
      for (;;) receive<Exit>();
    });
    rt.spawn([] { receive<Tick>(); });
    sim::require(rt.stop(1s).survivors.empty(), "the kill after the deadline is met");
  });
}

// --- what a user may get wrong ---------------------------------------------------------------------------------------------------

/// Looks the counter up, and sends to what it found: in between a successor may have taken the name.
void send_to_whoever_it_was(Runtime& rt) {
  rt.run([] {
    const auto counter = [] {
      register_name("counter", self());
      receive<Add>();
    };
    const Monitored first = spawn_monitor(counter);
    while (!whereis("counter")) yield();
    spawn([to = first.pid] { kill(to); });
    const std::optional<Pid> found = whereis("counter");
    if (!found) return;
    sim::require(send(*found, Add{1}) == SendResult::queued, "the counter was found and is gone");
  });
}

TEST(ExplorePrograms, ARaceBetweenWhereisAndSendIsFound) {
  const sim::Report found = find({.seeds = 2'000}, "found and is gone", send_to_whoever_it_was);
  EXPECT_LE(found.runs, 500u);
}

TEST(ExplorePrograms, AnUpdateLostBetweenTwoCallsIsFound) {
  struct Read {};
  const auto program = [](Runtime& rt) {
    const int sum = rt.run([] {
      const Pid cell = spawn([] {
        int value = 0;
        for (;;) {
          receive([&](Call<Read> one) { reply(one.from, value); }, [&](Add add) { value = add.value; });
        }
      });
      for (int i = 0; i < 2; ++i) {
        spawn_monitor([cell] {
          const int seen = call<int>(cell, Read{});
          send(cell, Add{seen + 1});
        });
      }
      receive<Down>();
      receive<Down>();
      return call<int>(cell, Read{});
    });
    if (sum != 2) throw std::runtime_error("the sum is " + std::to_string(sum));
  };
  EXPECT_LE(find({.seeds = 2'000}, "the sum is 1", program).runs, 500u);
}

TEST(ExplorePrograms, TwoThatWaitForEachOtherAreADeadlock) {
  const auto program = [](Runtime& rt) {
    rt.run([] {
      const Pid me = self();
      const Pid other = spawn(SpawnOptions{.label = "other one"}, [me] {
        receive<Add>();
        send(me, Sum{1});
      });
      receive<Sum>();
      send(other, Add{1});
    });
  };
  const sim::Report found = find({.seeds = 1}, "everybody waits", program);
  EXPECT_NE(found.what.find("host waits at \"join\""), std::string::npos) << found.what;
  EXPECT_NE(found.what.find("> \"other one\" waits for message"), std::string::npos) << found.what;
}

}  // namespace
}  // namespace weft::test
