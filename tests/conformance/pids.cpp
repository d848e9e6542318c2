// SEMANTICS section 2.

#include <algorithm>
#include <compare>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <type_traits>
#include <unordered_set>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using Pids = RuntimeTest;
INSTANTIATE_TEST_SUITE_P(Workers, Pids, worker_counts(), ::testing::PrintToStringParamName());

static_assert(std::is_trivially_copyable_v<Pid> && sizeof(Pid) == 8);
static_assert(std::is_same_v<std::compare_three_way_result_t<Pid>, std::strong_ordering>);

TEST_P(Pids, Pid1IsAComparableHashableValue) {
  run([&] {
    const Pid first = spawn(receive_forever);
    const Pid second = spawn(receive_forever);
    const Pid copy = first;
    EXPECT_EQ(copy, first);
    EXPECT_NE(first, second);
    EXPECT_TRUE((first < second) != (second < first));
    EXPECT_EQ((std::unordered_set<Pid>{first, copy, second}).size(), 2u);
    EXPECT_EQ(std::hash<Pid>{}(copy), std::hash<Pid>{}(first));
    EXPECT_TRUE(first);
    EXPECT_FALSE(Pid{});
    EXPECT_NE(first.to_string(), second.to_string());
  });
}

TEST_P(Pids, Pid1APidMayBeHeldAfterTheRuntimeKnowsItNoMore) {
  run([&] {
    const Pid dead = dead_pid();
    EXPECT_EQ(dead, Pid{dead});
    EXPECT_FALSE(dead.to_string().empty());
    EXPECT_FALSE(rt.is_alive(dead));
    EXPECT_FALSE(rt.info(dead));
  });
}

TEST_P(Pids, Pid2NoPidIsEverGivenTwice) {
  run([&] {
    std::set<Pid> seen;
    for (int i = 0; i < 2'000; ++i) EXPECT_TRUE(seen.insert(dead_pid()).second);
  });
}

TEST_P(Pids, Pid2NothingSentToAStalePidReachesALaterProcess) {
  run([&] {
    const Pid stale = dead_pid();
    std::vector<Pid> successors;
    for (int i = 0; i < 200; ++i) successors.push_back(spawn(puppet));

    EXPECT_EQ(send(stale, Text{"for the dead"}), SendResult::no_process);
    kill(stale);
    exit(stale, ExitReason::of(1));
    EXPECT_EQ(await_down(monitor(stale)).reason, ExitReason::noproc);
    EXPECT_FALSE(rt.is_alive(stale));

    for (const Pid successor : successors) {
      EXPECT_NE(successor, stale);
      EXPECT_TRUE(ask(successor, mailbox_is_empty));
    }
  });
}

TEST_P(Pids, Pid3LaterSpawnsOfOneProcessHaveGreaterPids) {
  run([&] {
    Pid previous = spawn(receive_forever);
    for (int i = 0; i < 200; ++i) {
      const Pid next = i % 2 == 0 ? spawn(receive_forever) : dead_pid();
      EXPECT_LT(previous, next);
      previous = next;
    }
  });
}

TEST_P(Pids, Pid5ListHasEveryLiveProcessOnceAndNoDeadOne) {
  run([&] {
    std::set<Pid> alive{self()};
    for (int i = 0; i < 200; ++i) alive.insert(spawn(receive_forever));
    std::set<Pid> dead;
    for (int i = 0; i < 50; ++i) dead.insert(dead_pid());

    const std::vector<Pid> listed = rt.list();
    const std::set<Pid> unique(listed.begin(), listed.end());
    EXPECT_EQ(unique.size(), listed.size());
    EXPECT_TRUE(std::includes(unique.begin(), unique.end(), alive.begin(), alive.end()));
    for (const Pid pid : dead) EXPECT_FALSE(unique.contains(pid));
  });
}

TEST_P(Pids, Pid5AnyListedPidMayBeSentToWhileProcessesComeAndGo) {
  run([&] {
    const Pid churn = spawn([] {
      for (;;) {
        for (int i = 0; i < 20; ++i) spawn([] { yield(); });
        dead_pid();
      }
    });
    const Pid steady = spawn(receive_forever);
    for (int round = 0; round < 50; ++round) {
      const std::vector<Pid> listed = rt.list();
      EXPECT_EQ(std::set<Pid>(listed.begin(), listed.end()).size(), listed.size());
      EXPECT_TRUE(contains(listed, steady));
      for (const Pid pid : listed) send(pid, Text{"hello"});
    }
    kill_and_wait(churn);
  });
}

Pid spawned_by_a_move;

/// The part of a pid that a later process may have too: "<0.107." of "<0.107.3>".
std::string slot_of(Pid pid) {
  const std::string text = pid.to_string();
  return text.substr(0, text.rfind('.') + 1);
}

TEST_P(Pids, Pid4ASlotIsNotLetWhileABlockingSectionHoldsTheStackOfItsProcess) {
  const auto leave = std::make_shared<Gate>();
  run([&] {
    const Monitored orphan = spawn_monitor([leave, test = self()] {
      blocking([leave, test] {
        send(test, Go{});
        leave->pass();
      });
    });
    await<Go>();
    kill_and_wait(orphan.pid);
    EXPECT_FALSE(is_alive(orphan.pid));
    // Slots are let again at once, the one that was given back last before others.
    for (int i = 0; i < 1'000; ++i) EXPECT_NE(slot_of(dead_pid()), slot_of(orphan.pid));
    leave->open();
  });
}

/// A body each of whose moves spawns.
struct SpawnsWhenMoved {
  SpawnsWhenMoved() = default;
  SpawnsWhenMoved(SpawnsWhenMoved&&) {
    spawned_by_a_move = spawn([] {});
  }
  void operator()() const {}
};

TEST_P(Pids, Pid3WhatTheMoveOfABodySpawnsComesBeforeIt) {
  run([] {
    for (int i = 0; i < 100; ++i) {
      const Pid pid = spawn(SpawnsWhenMoved{});
      EXPECT_LT(spawned_by_a_move, pid);
    }
  });
}

}  // namespace
}  // namespace weft::test
