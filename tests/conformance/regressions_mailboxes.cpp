// Defects that were cured: mailboxes, calls, aliases and timers. SEMANTICS.md sections 5, 9, 12, 14, 15 and 21.
#include <weft/call.hpp>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

class RegressionsMailboxes : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, RegressionsMailboxes, worker_counts(), ::testing::PrintToStringParamName());

class RegressionsInVirtualTime : public VirtualTimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, RegressionsInVirtualTime, worker_counts(), ::testing::PrintToStringParamName());

struct Question {};

/// Answers every call with 1.
void answer_all() {
  for (;;) receive([](Call<Question> asked) { reply(asked.from, 1); });
}

TEST_P(RegressionsInVirtualTime, Cpp15AParkedReceiverWakesAfterAnEviction) {
  run([] {
    for (const bool by_kill : {false, true}) {
      const Monitored full = spawn_monitor({.limit = {.capacity = 2, .overflow = Overflow::shed_oldest}}, [] { receive<Go>(); });
      settle();
      for (int i = 0; i < 3; ++i) send(full.pid, Int{i});
      settle();
      send(full.pid, Int{3});  // Finds the receiver parked.
      if (by_kill) {
        kill(full.pid);
      } else {
        send(full.pid, Go{});
      }
      EXPECT_EQ(await_down(full.ref).reason, by_kill ? ExitReason::killed : ExitReason::normal);
    }
  });
}

TEST_P(RegressionsMailboxes, Cap7TheRoomOfADeadReceiverIsNotItsSuccessors) {
  constexpr int kRoom = 10;
  auto hook = std::make_shared<std::function<void()>>();  // The sink may outlive this frame.
  RuntimeOptions watching = options;
  watching.dead_letters = [hook](const DeadLetter& letter) {
    if (letter.reason == DeadLetterReason::shed && *hook) std::exchange(*hook, nullptr)();
  };
  rebuild(watching);
  JoinHandle victim = rt.start({.limit = {.capacity = 1, .overflow = Overflow::shed_oldest}}, [] { receive<Go>(); });
  rt.send(victim.pid(), Int{0});
  Pid successor;
  *hook = [&] {  // The second message has taken the first one's place, and is not in the mailbox yet.
    rt.kill(victim.pid());
    victim.join();
    rt.run([&] {
      int tries = 4;  // One of the next processes gets the slot that was freed on this worker.
      do {
        successor = spawn({.limit = {.capacity = kRoom, .overflow = Overflow::shed_newest}}, [] { receive<Go>(); });
      } while (--tries > 0 && successor.index() != victim.pid().index());
    });
  };
  rt.send(victim.pid(), Int{1});
  ASSERT_TRUE(successor);
  for (int i = 0; i < kRoom; ++i) EXPECT_EQ(rt.send(successor, Int{i}), SendResult::queued);
  EXPECT_EQ(rt.send(successor, Int{kRoom}), SendResult::shed);
}

TEST_P(RegressionsInVirtualTime, Ali1ACallThroughAnInactiveAliasIsNotDelivered) {
  run([] {
    const Pid server = spawn(puppet);
    const Alias alias = ask(server, [] {
      const Alias made = make_alias(AliasMode::explicit_unalias);
      unalias(made);
      return made;
    });
    EXPECT_THROW(call<int>(alias, Question{}, 10ms), TimedOut);
    EXPECT_FALSE(ask(server, [] { return poll<Call<Question>>().has_value(); }));
  });
}

TEST_P(RegressionsInVirtualTime, Gs4APendingThatIsDroppedAfterAWrongWaitLeavesNothing) {
  run([] {
    const Pid server = spawn(answer_all);
    {
      Pending<int> pending = request<int>(server, Question{});
      EXPECT_THROW(pending.wait(-1ns), BadArgument);
    }
    settle();
    EXPECT_TRUE(info(self())->monitors.empty());
    kill(server);
    settle();
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(RegressionsInVirtualTime, Gs3AMessageThroughTheAliasOfACallIsNoReply) {
  run([] {
    const Pid server = spawn([] { receive([](Call<Question> asked) { send(asked.from.alias(), 1); }); });
    Pending<int> pending = request<int>(server, Question{});
    EXPECT_THROW(pending.wait(1s), CallFailed);  // The server's death is known, instead of waiting for ever.
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(RegressionsMailboxes, Rcv11CallsStayFastWhileMonitorsComeAndGo) {
  run([] {
    const Pid server = spawn(answer_all);
    MonitorRef last = monitor(server);
    for (int i = 0; i < 10'000; ++i) {  // One is always held, so the oldest is never the last.
      const MonitorRef next = monitor(server);
      EXPECT_TRUE(demonitor(last, {.info = true}));
      last = next;
    }
    for (int i = 0; i < 100; ++i) EXPECT_EQ(call<int>(server, Question{}), 1);
    EXPECT_EQ(info(self())->monitors.size(), 1u);
  });
}

TEST_P(RegressionsMailboxes, Mon6APredicateMayFlushTheDownThatItLooksAt) {
  run([] {
    const Monitored child = spawn_monitor([] {});
    const ExitReason reason = receive(when(
                                          [&](const Down& down) {
                                            demonitor(down.ref, {.flush = true});
                                            return true;
                                          },
                                          [](Down down) { return down.reason; }),
                                      after(kPatience, [] { return ExitReason::timeout; }));
    EXPECT_EQ(reason, ExitReason::normal);
    EXPECT_TRUE(mailbox_is_empty());
    EXPECT_EQ(info(self())->mailbox_depth, 0u);
    EXPECT_TRUE(child.pid);
  });
}

TEST_P(RegressionsMailboxes, Cpp1AProcessThatSwallowsItsKillInALoopDoesNotHoldItsWorker) {
  std::atomic<bool> enough{false};
  Gate started, swallowed;
  JoinHandle stubborn = rt.start([&] {
    started.open();
    while (!enough) {
      try {
        receive<Never>();
      } catch (...) {
        swallowed.open();
      }
    }
  });
  started.pass();  // A process that is killed before that never runs.
  rt.kill(stubborn.pid());
  swallowed.pass();
  for (unsigned i = 0; i < 2 * GetParam(); ++i) EXPECT_TRUE(rt.start([] {}).join_for(kPatience));
  enough = true;
  EXPECT_EQ(stubborn.join(), ExitReason::killed);
}

TEST_P(RegressionsMailboxes, Cpp1AProcessThatCallsTheRuntimeInDestructorsAloneCanBeKilled) {
  Gate started;
  JoinHandle sending = rt.start([&] {
    for (;;) {
      const AtEnd each{[] { send(Pid{}, Int{1}); }};
      started.open();
    }
  });
  started.pass();
  rt.kill(sending.pid());
  EXPECT_EQ(sending.join_for(kPatience), ExitReason::killed);
}

TEST_P(RegressionsMailboxes, Blk4AnOrphanedSectionNeitherStartsTimersNorEndsOthers) {
  run([&] {
    struct Section {
      Gate leave, gone;
    };
    const auto section = std::make_shared<Section>();
    const Pid bystander = spawn(receive_forever);
    const Monitored child = spawn_monitor([test = self(), section, bystander] {
      const AtEnd unwound{[section] { section->gone.open(); }};
      blocking([=] {
        send(test, Go{});
        section->leave.pass();
        EXPECT_THROW(send_after(0ms, test, Int{1}), ProcessExiting);
        EXPECT_THROW(exit(bystander, ExitReason::shutdown), ProcessExiting);
      });
    });
    await<Go>();
    kill(child.pid);
    await_down(child.ref);
    section->leave.open();
    blocking([section] { section->gone.pass(); });
    EXPECT_TRUE(is_alive(bystander));
    EXPECT_EQ(rt.stats().active_timers, 0u);
    EXPECT_TRUE(mailbox_is_empty());
  });
}

/// A body that is in a blocking section when it is moved for the nth time, and goes on as if nothing had ended there.
struct MovesInASection {
  struct Shared {
    Gate there, leave, gone;
    std::atomic<bool> in_section{false};
  };
  MovesInASection(Pid to, int nth, std::shared_ptr<Shared> shared) : to(to), moves_left(nth), shared(std::move(shared)) {}
  MovesInASection(MovesInASection&& other) noexcept : to(other.to), moves_left(other.moves_left - 1), shared(other.shared) {
    if (moves_left != 0) return;
    try {
      blocking([this] {
        shared->in_section = true;
        shared->there.open();
        shared->leave.pass();
      });
    } catch (...) {
    }
  }
  void operator()() const { send(to, Go{}); }
  Pid to;
  int moves_left;
  std::shared_ptr<Shared> shared;
};

TEST_P(RegressionsMailboxes, Blk4WhoDiedWhileItMovedABodySpawnsNobody) {
  run([&] {
    for (const bool with_options : {false, true}) {
      // Which of the moves is the one into the process is the library's affair; some of these do not come.
      for (int nth = 1; nth <= 8; ++nth) {
        const auto shared = std::make_shared<MovesInASection::Shared>();
        const auto spawned = rt.stats().spawned;
        const Monitored parent = spawn_monitor([test = self(), shared, nth, with_options] {
          const AtEnd unwound{[shared] { shared->gone.open(); }};
          MovesInASection body(test, nth, shared);
          if (with_options) {
            spawn({.label = "child"}, std::move(body));
          } else {
            spawn(std::move(body));
          }
          shared->there.open();
        });
        blocking([shared] { shared->there.pass(); });
        kill(parent.pid);
        await_down(parent.ref);
        shared->leave.open();
        blocking([shared] { shared->gone.pass(); });
        EXPECT_EQ(rt.stats().spawned - spawned, shared->in_section ? 1u : 2u) << "move " << nth;
        EXPECT_TRUE(shared->in_section || nth > 1);
        if (!shared->in_section) await<Go>();
        EXPECT_TRUE(mailbox_is_empty());
      }
    }
  });
}

TEST_P(RegressionsInVirtualTime, Tim2APeriodicTimerToAnAliasEndsWithTheOwner) {
  run([&] {
    const Monitored owner = spawn_monitor([] { send_every(10ms, make_alias(AliasMode::explicit_unalias), Int{1}); });
    await_down(owner.ref);
    EXPECT_EQ(rt.stats().active_timers, 0u);
  });
}

TEST_P(RegressionsMailboxes, Tim2ATimerToAProcessThatUnwindsEndsWithIt) {
  Pid dying;
  {
    const HeldInDestructor held(rt, {});
    dying = held.pid();
    for (int i = 0; i < 100; ++i) rt.send_every(1h, dying, Int{i});
  }
  EXPECT_EQ(rt.stats().active_timers, 0u);
  for (int i = 0; i < 100; ++i) rt.send_every(1h, dying, Int{i});
  EXPECT_EQ(rt.stats().active_timers, 0u);
}

TEST_P(RegressionsMailboxes, Tim2NoTimerIsLeftWhenItsStartRacesWithADeath) {
  std::vector<std::string> groups;
  for (int i = 0; i < 50; ++i) groups.push_back("g" + std::to_string(i));  // They make the exit sequence long.
  for (const bool slow : {false, true}) {
    std::atomic<Pid> target{Pid{}};
    std::atomic<bool> over{false};
    std::thread starter([&] {
      while (!over) rt.send_every(1h, target.load(), Int{1});
    });
    for (int death = 0; death < 100; ++death) {
      JoinHandle dying = rt.start({.groups = slow ? groups : std::vector<std::string>{}}, [] { yield(); });
      target = dying.pid();
      EXPECT_TRUE(dying.join().is_normal());
    }
    over = true;
    starter.join();
    EXPECT_EQ(rt.stats().active_timers, 0u);
  }
}

}  // namespace
}  // namespace weft::test
