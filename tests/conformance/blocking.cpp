// SEMANTICS.md section 14.
#include <gmock/gmock.h>

#include <atomic>
#include <barrier>
#include <memory>
#include <vector>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

/// What a test shares with a blocking section; by shared_ptr, since the section may outlive the process and the test's frame.
struct Section {
  Gate leave, gone;
  std::atomic<bool> left{false};

  /// Tells `test` that the section runs, then holds its thread until `leave` opens.
  void hold(Pid test) {
    send(test, Go{});
    leave.pass();
    left = true;
  }
};

class Blocking : public RuntimeTest {
 protected:
  /// A process that stands in a blocking section until `leave` opens; `gone` opens once what the section captured is destroyed.
  Monitored spawn_blocked(SpawnOptions options = {}) {
    return spawn_monitor(std::move(options), [test = self(), section = section_] {
      const auto captured = std::shared_ptr<Section>(section.get(), [keep = section](Section* held) { held->gone.open(); });
      blocking([test, captured] { captured->hold(test); });
    });
  }

  void TearDown() override {
    section_->leave.open();
    RuntimeTest::TearDown();
  }

  std::shared_ptr<Section> section_ = std::make_shared<Section>();
};
INSTANTIATE_TEST_SUITE_P(Workers, Blocking, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Blocking, Blk1ASectionGivesItsResult) {
  run([&] {
    EXPECT_EQ(blocking([] { return 7; }), 7);
    EXPECT_EQ(*blocking([] { return std::make_unique<int>(8); }), 8);
    blocking([] {});
  });
}

TEST_P(Blocking, Blk1ASectionKnowsItsProcess) {
  run([&] {
    EXPECT_EQ(blocking([] { return self(); }), self());
    blocking([] { send(self(), Int{7}); });
    EXPECT_EQ(await<Int>().n, 7);
  });
}

TEST_P(Blocking, Blk1NothingInASectionMaySuspend) {
  run([&] {
    send(self(), Int{7});
    blocking([] {
      EXPECT_THROW(receive<Int>(), NotInProcess);
      EXPECT_THROW(sleep_for(1ms), NotInProcess);
      EXPECT_THROW(call<Int>(self(), Int{}), Error);
    });
    EXPECT_EQ(await<Int>().n, 7);
  });
}

TEST_P(Blocking, Blk1WhatEscapesASectionBecomesTheExitReason) {
  run([&] {
    const Monitored child = spawn_monitor([] { blocking([] { throw std::runtime_error("the disk is full"); }); });
    const ExitReason reason = await_down(child.ref).reason;
    EXPECT_EQ(reason.kind(), Atom("error"));
    EXPECT_THAT(std::string(reason.what()), HasSubstr("the disk is full"));
  });
}

TEST_P(Blocking, Blk1ASectionDoesNotHoldAWorker) {
  run([&] {
    for (unsigned i = 0; i < GetParam(); ++i) spawn_blocked();
    await<Go>();
    const Pid other = spawn(puppet);
    EXPECT_EQ(ask(other, [] { return 7; }), 7);
    section_->leave.open();
  });
}

TEST_P(Blocking, Blk1AsManySectionsRunAtOnceAsThePoolHasThreads) {
  RuntimeOptions two = options;
  two.blocking_threads = 2;
  rebuild(two);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::barrier both(2);  // With one thread nobody would get past it.
  run([&] {
    std::vector<MonitorRef> watched;
    for (int i = 0; i < 20; ++i) {
      watched.push_back(spawn_monitor([&] {
                          blocking([&] {
                            const int now_inside = ++inside;
                            for (int seen = most; seen < now_inside && !most.compare_exchange_weak(seen, now_inside);) {
                            }
                            both.arrive_and_wait();
                            --inside;
                          });
                        }).ref);
    }
    for (const MonitorRef& ref : watched) EXPECT_TRUE(await_down(ref).reason.is_normal());
  });
  EXPECT_EQ(most, 2);
}

TEST_P(Blocking, Blk1AMessageSentDuringASectionIsThereAfterwards) {
  run([&] {
    const Pid child = spawn([test = self(), section = section_] {
      blocking([=] { section->hold(test); });
      send(test, Answer<std::vector<int>>{queued_ints()});
    });
    await<Go>();
    for (int n = 1; n <= 3; ++n) send(child, Int{n});
    EXPECT_TRUE(rt.is_alive(child));  // Answered after the sends have arrived (ORD-9).
    section_->leave.open();
    EXPECT_THAT(await<Answer<std::vector<int>>>().value, ::testing::ElementsAre(1, 2, 3));
  });
}

TEST_P(Blocking, Blk2AKillTakesEffectWhileTheNativeCodeRuns) {
  run([&] {
    const Monitored child = spawn_blocked({.name = "clerk", .groups = {"office"}});
    await<Go>();
    kill(child.pid);
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::killed);
    EXPECT_FALSE(section_->left);
    EXPECT_FALSE(whereis("clerk"));
    EXPECT_TRUE(members("office").empty());
    EXPECT_FALSE(rt.is_alive(child.pid));
    EXPECT_FALSE(rt.info(child.pid));
    EXPECT_THAT(rt.list(), Not(Contains(child.pid)));
  });
}

TEST_P(Blocking, Blk2AnExitSignalTakesEffectAtOnceWithItsReason) {
  run([&] {
    trap_exit(true);
    const Monitored child = spawn_blocked({.link = true});
    await<Go>();
    exit(child.pid, ExitReason::shutdown);
    EXPECT_EQ(await<Exit>().reason, ExitReason::shutdown);
    EXPECT_EQ(await_down(child.ref).reason, ExitReason::shutdown);
    EXPECT_FALSE(section_->left);
  });
}

TEST_P(Blocking, Blk3WhatASectionHoldsLivesUntilItReturns) {
  run([&] {
    const Monitored child = spawn_blocked();
    await<Go>();
    kill(child.pid);
    await_down(child.ref);
    EXPECT_GT(section_.use_count(), 1);
    EXPECT_FALSE(section_->left);
  });
  section_->leave.open();
  section_->gone.pass();
  EXPECT_TRUE(section_->left);
}

TEST_P(Blocking, Blk4WhatAnOrphanedSectionSendsIsDropped) {
  run([&] {
    const Monitored child = spawn_monitor([test = self(), section = section_] {
      const AtEnd unwound{[section] { section->gone.open(); }};
      blocking([=] {
        section->hold(test);
        send(test, Text{"from the grave"});
      });
    });
    await<Go>();
    kill(child.pid);
    await_down(child.ref);
    section_->leave.open();
    blocking([section = section_] { section->gone.pass(); });
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(Blocking, Blk5RequestsDoNotWaitForASection) {
  run([&] {
    trap_exit(true);
    const Monitored child = spawn_blocked();
    await<Go>();
    register_name("clerk", child.pid);
    EXPECT_EQ(whereis("clerk"), child.pid);
    link(child.pid);
    const MonitorRef ref = monitor(child.pid);
    const std::optional<ProcessInfo> found = rt.info(child.pid);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->monitored_by.size(), 2u);
    EXPECT_THAT(found->links, ::testing::ElementsAre(self()));
    EXPECT_TRUE(demonitor(ref));
    unlink(child.pid);
    EXPECT_FALSE(section_->left);
  });
}

TEST_P(Blocking, Cpp16AProcessInASectionRunsNowhereElseWhateverItIsSent) {
  run([&] {
    const Monitored child = spawn_monitor({.trap_exit = true}, [test = self(), section = section_] {
      blocking([=] { section->hold(test); });
      send(test, Answer<bool>{section->left});
    });
    await<Go>();
    for (int n = 0; n < 100; ++n) {
      send(child.pid, Int{n});
      exit(child.pid, ExitReason::shutdown);
      demonitor(monitor(child.pid));
      link(child.pid);
      unlink(child.pid);
      EXPECT_TRUE(rt.info(child.pid));
    }
    EXPECT_TRUE(mailbox_is_empty());
    section_->leave.open();
    EXPECT_TRUE(await<Answer<bool>>().value) << "it went on while its section ran";
    EXPECT_TRUE(await_down(child.ref).reason.is_normal());
  });
}

TEST_P(Blocking, Blk6TheStackIsUnwoundOnlyAfterTheSectionReturns) {
  auto token = std::make_shared<int>();
  run([&] {
    const Monitored child = spawn_monitor([test = self(), section = section_, token] {
      const AtEnd unwound{[section] { section->gone.open(); }};
      blocking([=] { section->hold(test); });
    });
    await<Go>();
    kill(child.pid);
    await_down(child.ref);
    EXPECT_GT(token.use_count(), 1);
  });
  section_->leave.open();
  section_->gone.pass();
  EXPECT_TRUE(section_->left);
}

}  // namespace
}  // namespace weft::test
