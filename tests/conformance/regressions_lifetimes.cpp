// Defects that were cured: who may outlive whom, and what a death leaves behind. SEMANTICS.md sections 1, 8, 14, 16 and 25.
#include <weft/stream.hpp>

#include "tests/conformance/probes.hpp"

// LeakSanitizer's, where it is linked.
extern "C" [[gnu::weak]] void __lsan_disable();
extern "C" [[gnu::weak]] void __lsan_enable();

namespace weft::test {
namespace {

class RegressionsLifetimes : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, RegressionsLifetimes, worker_counts(), ::testing::PrintToStringParamName());

/// Sends the caller a message whose destructor meets std::terminate. Its memory is lost, as is all that an abandoned stack owns.
void send_oneself_a_bomb() {
  if (__lsan_disable != nullptr) __lsan_disable();
  send(self(), OnDestruction([] { fail("promise broken"); }));
  if (__lsan_enable != nullptr) __lsan_enable();
}

/// A body of which one move, counted from the first, breaks its promise.
struct BrokenByAMove {
  int* moves_left;
  explicit BrokenByAMove(int* moves) : moves_left(moves) {}
  BrokenByAMove(BrokenByAMove&& other) noexcept : moves_left(other.moves_left) {
    if (--*moves_left == 0) fail("promise broken");
  }
  void operator()() const {}
};

TEST_P(RegressionsLifetimes, Lif1ASpawnThatMeetsTerminateInTheBodysMoveLeavesNoChild) {
  for (int moves = 1, last = 0; last == 0; ++moves) {
    int left = moves;
    JoinHandle spawner = rt.start([&left] {
      if (__lsan_disable != nullptr) __lsan_disable();  // What an abandoned stack owns is lost.
      spawn_monitor(SpawnOptions{.name = "child", .groups = {"children"}, .link = true}, BrokenByAMove(&left));
      if (__lsan_enable != nullptr) __lsan_enable();
      receive<Down>();
    });
    last = spawner.join().is_normal() ? moves : 0;
    EXPECT_FALSE(rt.whereis("child")) << moves;
    EXPECT_TRUE(rt.members("children").empty());
    EXPECT_TRUE(rt.list().empty());
    EXPECT_EQ(rt.stats().active_links, 0u);
    ASSERT_LT(moves, 20);
  }
}

TEST_P(RegressionsLifetimes, Lif1ASpawnThatMeetsTerminateInTheBodysMoveGivesItsPlaceBack) {
  RuntimeOptions few;
  few.workers = GetParam();
  few.max_processes = 6;
  Runtime small(few);
  enum class How { plain, linked, monitored };
  for (const How how : {How::plain, How::linked, How::monitored}) {
    for (int moves = 1, last = 0; last == 0; ++moves) {
      for (int round = 0; round < 4; ++round) {
        int left = moves;
        JoinHandle spawner = small.start([&left, how] {
          if (__lsan_disable != nullptr) __lsan_disable();  // What an abandoned stack owns is lost.
          if (how == How::plain) spawn(BrokenByAMove(&left));
          if (how == How::linked) spawn_link(BrokenByAMove(&left));
          if (how == How::monitored) spawn_monitor(BrokenByAMove(&left));
          if (__lsan_enable != nullptr) __lsan_enable();
        });
        last = spawner.join().is_normal() ? moves : 0;
      }
      ASSERT_LT(moves, 20);
    }
  }
  EXPECT_TRUE(small.stop(kPatience).survivors.empty());
}

TEST_P(RegressionsLifetimes, Mon3AMonitorOfAPidThatNeverHadASlotEndsWithItsOwner) {
  run([] {
    const Pid nobody = Pid::from_parts(5000, 1);
    EXPECT_EQ(await_down(monitor(nobody)).reason, ExitReason::noproc);
    const Monitored child = spawn_monitor([nobody] { monitor(nobody); });
    EXPECT_TRUE(await_down(child.ref).reason.is_normal());
  });
}

TEST_P(RegressionsLifetimes, Mon8WatchersAndTargetsMayDieTogether) {
  constexpr int kRounds = 20, kEach = 8, kMonitorsOfEach = 4;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<JoinHandle> all;
    std::vector<Pid> targets;
    for (int i = 0; i < kEach; ++i) {
      all.push_back(rt.start({.groups = {"both"}}, receive_forever));
      targets.push_back(all.back().pid());
    }
    std::atomic<int> ready{0};
    Gate watched;
    for (int i = 0; i < kEach; ++i) {
      all.push_back(rt.start({.groups = {"both"}}, [&, targets] {
        for (int k = 0; k < kMonitorsOfEach; ++k) {
          for (const Pid target : targets) monitor(target);
        }
        if (++ready == kEach) watched.open();
        receive_forever();
      }));
    }
    watched.pass();
    rt.kill_group("both");
    for (JoinHandle& each : all) EXPECT_EQ(each.join(), ExitReason::killed);
    EXPECT_EQ(rt.stats().active_monitors, 0u);
  }
}

TEST_P(RegressionsLifetimes, Str3AWriterMayOutliveTheRuntimeOfAReaderThatWasKilledInRead) {
  std::optional<StreamWriter> writer;
  Gate made;
  JoinHandle reader = rt.start([&] {
    auto ends = stream(100);
    writer.emplace(std::move(ends.first));
    made.open();
    ends.second.read();
  });
  made.pass();
  EXPECT_TRUE(eventually([&] {
    const std::optional<ProcessInfo> found = rt.info(reader.pid());
    return found && found->waiting_for == "stream";
  }));
  rebuild(options);  // Kills the reader, and ends its runtime.
  EXPECT_EQ(reader.join(), ExitReason::killed);
  writer.reset();
}

TEST_P(RegressionsLifetimes, Blk6RunReturnsOnlyOnceTheStackOfAnOrphanIsUnwound) {
  Gate inside, leave;
  std::atomic<bool> unwound{false};
  Pid body;
  std::thread killer([&] {
    inside.pass();
    rt.kill(body);
    EXPECT_FALSE(rt.is_alive(body));
    for (int i = 0; i < 1'000; ++i) std::this_thread::yield();  // A chance for run() to return too early.
    leave.open();
  });
  EXPECT_THROW(rt.run([&] {
    body = self();
    const AtEnd unwinding{[&] { unwound = true; }};
    blocking([&] {
      inside.open();
      leave.pass();
    });
  }),
               ProcessExited);
  EXPECT_TRUE(unwound);
  killer.join();
}

TEST_P(RegressionsLifetimes, Cpp14TheBodyOfRunDoesNotOutliveACallerThatIsKilled) {
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round) {
    std::atomic<bool> frame_lives{false}, outlived{false};
    Gate inside;
    JoinHandle caller = rt.start([&] {
      const AtEnd leaving{[&] { frame_lives = false; }};
      frame_lives = true;
      rt.run([&] {
        const AtEnd last_use{[&] { outlived = outlived || !frame_lives; }};
        inside.open();
        receive_forever();
      });
    });
    inside.pass();
    rt.kill(caller.pid());
    EXPECT_EQ(caller.join(), ExitReason::killed);
    EXPECT_TRUE(eventually([&] { return rt.stats().live == 0; }));
    EXPECT_FALSE(outlived);
  }
}

TEST_P(RegressionsLifetimes, Cpp3AnOrphanThatMeetsTerminateIsGoneForTheRuntimeToo) {
  Gate inside, leave;
  JoinHandle orphan = rt.start([&] {
    try {
      blocking([&] {
        inside.open();
        leave.pass();
      });
    } catch (...) {
      promise_not_to_fail();
    }
  });
  inside.pass();
  rt.kill(orphan.pid());
  EXPECT_EQ(orphan.join(), ExitReason::killed);
  leave.open();
  rebuild(options);  // The old runtime waits for its orphans.
}

TEST_P(RegressionsLifetimes, Cpp9AWorkerDestroysMessagesAfterOneWhoseDestructorMetTerminate) {
  JoinHandle destroys = rt.start([] {
    send_oneself_a_bomb();
    receive_any();
  });
  EXPECT_EQ(destroys.join().kind(), Atom("error"));
  JoinHandle leaves = rt.start(send_oneself_a_bomb);  // Its reason is fixed before its mailbox is destroyed.
  EXPECT_TRUE(leaves.join().is_normal());
  const auto token = std::make_shared<int>();
  for (unsigned i = 0; i < 8 * GetParam(); ++i) {
    JoinHandle next = rt.start([token] {
      send(self(), Carrier{token});
      send(self(), Carrier{token});
      receive_any();
    });
    EXPECT_TRUE(next.join().is_normal());
    EXPECT_EQ(token.use_count(), 1);
  }
}

TEST_P(RegressionsLifetimes, Cpp7NothingInTheDestructorOfAMessageThatAProcessHoldsMaySuspend) {
  bool refused = false;
  run([&] {
    send(self(), OnDestruction([&] { refused = throws<Error>([] { sleep_for(1ms); }); }));
    { const Message held = receive_any(); }
    EXPECT_TRUE(refused);
  });
}

TEST_P(RegressionsLifetimes, Cpp9ADestructorThatSendsHasRunWhenItsMessageIsGone) {
  run([] {
    const Pid sink = spawn(receive_forever);
    constexpr int kProcesses = 8, kMessages = 1'000;  // Several time slices, which end in a destructor's send as well.
    for (int i = 0; i < kProcesses; ++i) {
      spawn([test = self(), sink] {
        int late = 0;
        for (int k = 0; k < kMessages; ++k) {
          bool ran = false;
          send(self(), OnDestruction([&ran, sink] {
                 for (int n = 0; n < 3; ++n) send(sink, Int{n});
                 ran = true;
               }));
          { const Message held = receive_any(); }
          if (!ran) ++late;
        }
        send(test, Answer<int>{late});
      });
    }
    for (int i = 0; i < kProcesses; ++i) EXPECT_EQ(await<Answer<int>>().value, 0);
  });
}

TEST_P(RegressionsLifetimes, Cpp9ADestructorMayTryToSendOnAPlainThread) {
  JoinHandle dead = rt.start([] {});
  dead.join();
  std::optional<SendResult> result;
  rt.send(dead.pid(), OnDestruction([&, to = dead.pid()] { result = send(to, Int{1}); }));
  EXPECT_EQ(result, SendResult::no_process);
  bool asked = false;
  rt.send(dead.pid(), OnDestruction([&] {
            EXPECT_TRUE(demonitor(MonitorRef{}));
            unlink(Pid{});
            asked = true;
          }));
  EXPECT_TRUE(asked);
}

TEST_P(RegressionsLifetimes, Inf8AProcessWhoseEndMeetsTerminateInAMessageIsCountedAsFinished) {
  run([] { spawn(send_oneself_a_bomb); });  // Without a handle: nothing but the count tells of its end.
  EXPECT_TRUE(eventually([&] { return rt.stats().live == 0; }));
  rebuild(options);  // The old runtime waits for the count.
}

/// A body whose moves are counted, and whose last one may fail: that into the process.
struct FailsToMove {
  static inline int moves = 0, allowed = 0;
  FailsToMove() = default;
  FailsToMove(FailsToMove&&) {
    if (++moves == allowed) throw std::runtime_error("does not move");
  }
  void operator()() const {}
};

TEST_P(RegressionsLifetimes, Lif1ASpawnWhoseBodyFailsToMoveIsNeverCounted) {
  run([this] {
    for (const std::string& name : {std::string(), std::string("immovable")}) {
      const auto spawn_it = [&name] { return name.empty() ? spawn(FailsToMove()) : spawn(SpawnOptions{.name = name}, FailsToMove()); };
      FailsToMove::moves = FailsToMove::allowed = 0;
      await_down(monitor(spawn_it()));
      FailsToMove::allowed = FailsToMove::moves;
      const Stats before = rt.stats();
      for (int i = 0; i < 100; ++i) {
        FailsToMove::moves = 0;
        EXPECT_THROW(spawn_it(), std::runtime_error);
      }
      const Stats after = rt.stats();
      EXPECT_EQ(after.spawned, before.spawned);
      EXPECT_EQ(after.live, before.live);
      EXPECT_EQ(whereis("immovable"), std::nullopt);
    }
  });
}

TEST_P(RegressionsLifetimes, Cpp9WhatTheDestructorOfACaptureSendsArrives) {
  run([] {
    constexpr int kMessages = 5'000;  // More than a time slice.
    const auto send_all = [to = self()] {
      for (int i = 0; i < kMessages; ++i) send(to, Int{i});
    };
    const Monitored child = spawn_monitor([captured = OnDestruction(send_all)] {});
    EXPECT_TRUE(await_down(child.ref).reason.is_normal());
    EXPECT_EQ(queued_ints().size(), static_cast<std::size_t>(kMessages));
  });
}

}  // namespace
}  // namespace weft::test
