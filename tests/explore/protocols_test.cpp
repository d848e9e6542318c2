// More protocols between processes: groups, aliases, streams, periodic timers, links from both sides, joins.
#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "tests/explore/find.hpp"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

struct Knock {};
struct Ask {
  Alias to;
};
struct Answer {
  int from;
};

TEST(ExploreProtocols, TwoThatLinkToEachOtherHaveOneLink) {
  sim::explore({.seeds = 5'000, .workers = 3}, [](Runtime& rt) {
    rt.run([] {
      trap_exit(true);
      const Pid me = self();
      const Pid other = spawn([me] {
        trap_exit(true);
        link(me);
        receive<Knock>();
      });
      link(other);
      send(other, Knock{});
      sim::require(receive<Exit>().from == other, "the end of the other is told");
      sim::require(!receive_for<Exit>(1s), "and once (LNK-1)");
    });
  });
}

TEST(ExploreProtocols, AChildThatEndsAtOnceIsHeardOf) {
  sim::explore({.seeds = 5'000, .workers = 3}, [](Runtime& rt) {
    rt.run([] {
      trap_exit(true);
      const Pid child = spawn_link([] {});
      const Exit told = receive<Exit>();
      sim::require(told.from == child && told.reason == ExitReason::normal, "a link that was tied before the child ran (LIF-9)");
    });
  });
}

TEST(ExploreProtocols, AGroupHasNoDeadMembersWhenTheirEndWasTold) {
  sim::explore({.seeds = 4'000, .workers = 3}, [](Runtime& rt) {
    rt.run([] {
      for (int i = 0; i < 3; ++i) {
        (void)spawn_monitor([] {
          join("crowd");
          if (sim::choose(2) == 0) leave("crowd");
        });
      }
      spawn([] { kill_group("crowd"); });
      for (int i = 0; i < 3; ++i) receive<Down>();
      sim::require(members("crowd").empty(), "a dead member");
    });
  });
}

TEST(ExploreProtocols, AnAliasTakesOneReply) {
  sim::explore({.seeds = 5'000, .workers = 3}, [](Runtime& rt) {
    rt.run([] {
      const Alias alias = make_alias(AliasMode::reply);
      for (int i = 0; i < 2; ++i) {
        spawn([i, alias] { send(alias, Answer{i}); });
      }
      receive<Answer>();
      sim::require(!receive_for<Answer>(1s), "a second answer came through");
    });
  });
}

TEST(ExploreProtocols, AfterUnaliasNothingComes) {
  sim::explore({.seeds = 5'000}, [](Runtime& rt) {
    rt.run([] {
      const Alias alias = make_alias(AliasMode::explicit_unalias);
      spawn([alias] { send(alias, Answer{1}); });
      const bool before = receive_for<Answer>(Duration::zero()).has_value();
      unalias(alias);
      while (receive_for<Answer>(Duration::zero())) sim::require(!before, "the answer came twice");
      sim::require(!receive_for<Answer>(1s), "an answer came after unalias");
    });
  });
}

TEST(ExploreProtocols, ATimedOutCallLeavesNothingBehind) {
  sim::explore({.seeds = 5'000}, [](Runtime& rt) {
    rt.run([] {
      const Pid server = spawn([] {
        receive([](Call<Knock> one) {
          sleep_for(1ms);
          reply(one.from, Answer{1});
        });
      });
      try {
        (void)call<Answer>(server, Knock{}, 1ms);
      } catch (const TimedOut&) {
      } catch (const CallFailed&) {
      }
      sim::require(!receive_any_for(1s), "a late reply or a Down was left (GS-4)");
    });
    sim::require(rt.stats().active_monitors == 0, "a monitor was left");
  });
}

TEST(ExploreProtocols, APeriodicTimerStopsWhenItIsCancelled) {
  sim::explore({.seeds = 4'000}, [](Runtime& rt) {
    rt.run([] {
      const TimerRef every = send_every(1ms, self(), Knock{});
      receive<Knock>();
      receive<Knock>();
      if (sim::choose(2) == 0) sleep_for(1ms);
      cancel_timer(every);
      while (receive_for<Knock>(Duration::zero())) {
      }
      sim::require(!receive_for<Knock>(1s), "it fired after it was cancelled");
    });
    sim::require(rt.stats().active_timers == 0, "a timer was left");
  });
}

TEST(ExploreProtocols, ATimerEndsWithItsProcess) {
  sim::explore({.seeds = 4'000}, [](Runtime& rt) {
    rt.run([] {
      const Monitored owner = spawn_monitor([] {
        send_after(1ms, self(), Knock{});
        send_every(1ms, self(), Knock{});
        receive<Knock>();
      });
      if (sim::choose(2) == 0) kill(owner.pid);
      receive<Down>();
      sleep_for(10ms);
    });
    sim::require(rt.stats().active_timers == 0, "a timer was left");
  });
}

TEST(ExploreProtocols, AStreamGivesEveryByteAndEndsWithItsWriter) {
  sim::explore({.seeds = 3'000}, [](Runtime& rt) {
    rt.run([] {
      auto [writer, reader] = stream(2);
      spawn([out = std::move(writer)]() mutable {
        const std::array<std::byte, 5> bytes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}};
        (void)out.write(bytes);
      });
      std::size_t got = 0;
      while (const auto chunk = reader.read()) got += chunk->size();
      sim::require(got == 5, "bytes were lost");
    });
  });
}

TEST(ExploreProtocols, EverybodyWhoJoinsHearsTheEnd) {
  sim::explore({.seeds = 4'000, .workers = 3}, [](Runtime& rt) {
    const JoinHandle one = rt.start([] { yield(); });
    const JoinHandle process = rt.start([one] { sim::require(JoinHandle(one).join() == ExitReason::normal, "its end"); });
    sim::Thread host("second host", [one] { sim::require(JoinHandle(one).join() == ExitReason::normal, "its end"); });
    sim::require(JoinHandle(one).join() == ExitReason::normal, "its end");
    sim::require(JoinHandle(process).join() == ExitReason::normal, "the end of who joined it");
  });
}

TEST(ExploreProtocols, ASupervisedTreeEndsFromTheTop) {
  sim::explore({.seeds = 3'000, .workers = 3, .faults = {.kill = 0.02}}, [](Runtime& rt) {
    rt.run([] {
      const Monitored top = spawn_monitor([] {
        for (int i = 0; i < 2; ++i) {
          spawn_link([] {
            spawn_link([] { receive<Knock>(); });
            receive<Knock>();
          });
        }
        receive<Knock>();
      });
      exit(top.pid, ExitReason::shutdown);
      receive<Down>();
      for (int turn = 0; list().size() > 1; ++turn) {
        sim::require(turn < 10, "somebody outlives the tree");
        sleep_for(1ms);
      }
    });
  });
}

}  // namespace
}  // namespace weft::test
