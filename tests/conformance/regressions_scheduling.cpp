// Defects that were cured: who runs, who is told, and who waits for whom. SEMANTICS.md sections 1, 10, 13, 20 and 25.
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <sstream>

#include <weft/net.hpp>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

class RegressionsScheduling : public RuntimeTest {
 protected:
  /// Twice as many processes as there are workers, which want to run all the time.
  void saturate(Priority priority) {
    for (unsigned i = 0; i < 2 * GetParam(); ++i) {
      spawn({.priority = priority}, [] {
        for (;;) yield();
      });
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, RegressionsScheduling, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(RegressionsScheduling, Cpp15AWokenPollLeaderSleepsAgain) {
  JoinHandle waiting = rt.start([] {
    net::TcpListener listener = net::TcpListener::listen(net::Address::loopback(0));
    listener.accept();  // From now on a worker that sleeps waits for descriptors.
  });
  const Pid woken = rt.spawn(receive_forever);
  for (const Pid pid : {waiting.pid(), woken}) {
    EXPECT_TRUE(eventually([&] {
      const std::optional<ProcessInfo> found = rt.info(pid);
      return found && found->status == ProcessStatus::waiting;
    }));
  }
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(5ms);  // The quiet before and after is what is looked at: a worker that spins parks thousands of times.
    rt.send(woken, Int{i});
  }
  const std::uint64_t before = rt.stats().parks;
  std::this_thread::sleep_for(50ms);
  EXPECT_LT(rt.stats().parks - before, 500u);
}

/// The processor time of each thread but this one.
std::map<pid_t, std::int64_t> cpu_time_of_others() {
  std::map<pid_t, std::int64_t> times;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    const auto thread = static_cast<pid_t>(std::stol(entry.path().filename().string()));
    constexpr int kOfAThread = 6;  // Of these clocks' numbers, as the kernel makes them of a thread's.
    timespec time{};
    if (thread == ::gettid() || ::clock_gettime((~thread << 3) | kOfAThread, &time) != 0) continue;
    times[thread] = time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
  }
  return times;
}

TEST_P(RegressionsScheduling, Design311WithEverythingParkedTheProcessorTimeStandsStill) {
#ifdef WEFT_TEST_UNDER_TSAN
  GTEST_SKIP() << "the tool has a thread of its own, which ticks";
#endif
  for (int i = 0; i < 1'000; ++i) rt.spawn(receive_forever);
  rt.spawn([] { sleep_for(1h); });
  rt.spawn([] { net::TcpListener::listen(net::Address::loopback(0)).accept(); });
  // Not one nanosecond in a tenth of a second. It takes a second without work until the last thread stops looking.
  EXPECT_TRUE(eventually([] {
    const auto before = cpu_time_of_others();
    std::this_thread::sleep_for(100ms);
    return cpu_time_of_others() == before;
  }));
}

TEST_P(RegressionsScheduling, Flg3NoPriorityStarvesBehindTheOthers) {
  run([&] {
    saturate(Priority::high);
    saturate(Priority::low);
    for (const Priority priority : {Priority::low, Priority::normal, Priority::high}) {
      spawn({.priority = priority}, [test = self(), priority] {
        for (int turn = 0; turn < 10; ++turn) yield();
        send(test, Answer<Priority>{priority});
      });
    }
    std::vector<Priority> done;
    for (int i = 0; i < 3; ++i) done.push_back(await<Answer<Priority>>().value);
    for (const Priority priority : {Priority::low, Priority::normal, Priority::high}) EXPECT_TRUE(contains(done, priority));
  });
}

TEST_P(RegressionsScheduling, Design39APairThatWakesEachOtherDoesNotOutrunWhatItSpawns) {
  if (GetParam() != 1) GTEST_SKIP() << "with several workers the system may let one rest that holds what the pair spawned";
  run([this] {
    std::uint64_t most = 0;
    for (int round = 0; round < 2'000; ++round) {
      for (int i = 0; i < 20; ++i) spawn([] { yield(); });
      await_down(spawn_monitor([] {}).ref);
      most = std::max(most, rt.stats().live);
    }
    EXPECT_LT(most, 4'000u);  // of 40,000
  });
}

TEST_P(RegressionsScheduling, Cpp1WhoWasWokenByAProcessThatNeverYieldsRunsElsewhere) {
  if (GetParam() == 1) GTEST_SKIP() << "needs a second worker";
  run([] {
    std::atomic<bool> ran{false};
    const Pid neighbour = spawn([&] {
      receive<Go>();
      ran = true;
    });
    spawn([&, neighbour, test = self()] {
      send(neighbour, Go{});  // Takes the place that its own worker would look at next.
      const auto deadline = std::chrono::steady_clock::now() + kPatience;
      while (!ran && std::chrono::steady_clock::now() < deadline) {
      }
      send(test, Answer<bool>{ran});
    });
    EXPECT_TRUE(await<Answer<bool>>().value);
  });
}

/// A message of which each copy is reported.
struct Copied {
  std::shared_ptr<std::function<void()>> report;
  explicit Copied(std::function<void()> on_copy) : report(std::make_shared<std::function<void()>>(std::move(on_copy))) {}
  Copied(const Copied& other) : report(other.report) { (*report)(); }
  Copied(Copied&&) noexcept = default;
};

TEST_P(RegressionsScheduling, Tim5APeriodicTimerThatTheWatchdogFiredIsItsWorkersAgain) {
  if (GetParam() != 1) GTEST_SKIP() << "needs to know which worker sleeps";
  struct Fired {
    std::atomic<std::thread::id> worker{};
    std::atomic<bool> by_another{false};
    std::atomic<bool> by_the_worker{false};
  };
  const auto fired = std::make_shared<Fired>();  // The last copy may be under way when the timer is cancelled.
  const auto on_copy = [this, fired] {
    if (std::this_thread::get_id() == fired->worker.load()) {
      fired->by_the_worker = true;
    } else if (!fired->by_another) {
      const std::uint64_t before = rt.stats().parks;
      fired->by_another = true;  // Lets go of the worker, which finds no timer and goes to sleep.
      EXPECT_TRUE(eventually([&] { return rt.stats().parks > before; }));
    }
  };
  TimerRef timer;
  rt.start([&] {
      fired->worker = std::this_thread::get_id();
      timer = send_every(5ms, "nobody", Copied(on_copy));
      while (!fired->by_another) {
      }
    }).join();
  EXPECT_TRUE(eventually([&] { return fired->by_the_worker.load(); }));
  rt.cancel_timer(timer);
}

TEST_P(RegressionsScheduling, Cpp3TheSlotOfATerminatedProcessMayBeLetBeforeItsStackIsLeft) {
  constexpr int kRounds = 50, kOthers = 8;
  for (int round = 0; round < kRounds; ++round) {
    JoinHandle broken = rt.start(promise_not_to_fail);
    std::vector<JoinHandle> others;
    for (int i = 0; i < kOthers; ++i) {
      others.push_back(rt.start([i] {
        send(self(), Int{i});
        EXPECT_EQ(await<Int>().n, i);
      }));
    }
    EXPECT_EQ(broken.join().kind(), Atom("error"));
    for (JoinHandle& other : others) EXPECT_TRUE(other.join().is_normal());
  }
}

TEST_P(RegressionsScheduling, Shu3AStopThatGivesUpDoesNotSilenceAnother) {
  std::atomic<bool> released{false};
  Gate running;
  rt.spawn([&] {
    running.open();
    while (!released) {  // Never calls the runtime.
    }
  });
  running.pass();
  const auto start = std::chrono::steady_clock::now();
  StopReport patient;
  std::thread other([&] { patient = rt.stop(kPatience); });
  EXPECT_EQ(rt.stop(1ms).survivors.size(), 1u);
  released = true;
  other.join();
  EXPECT_TRUE(patient.survivors.empty());
  EXPECT_LT(std::chrono::steady_clock::now() - start, kPatience / 2);
}

TEST_P(RegressionsScheduling, Cpp1AMemberOfItsRuntimeThatAProcessCallsMeetsItsKill) {
  const Pid somebody = rt.spawn(receive_forever);
  std::ostringstream out;
  const std::vector<std::pair<const char*, std::function<void()>>> members{
      {"register_name", [&] { rt.register_name("somebody", somebody); }},
      {"unregister", [&] { rt.unregister("nobody"); }},
      {"whereis", [&] { rt.whereis("nobody"); }},
      {"registered", [&] { rt.registered(); }},
      {"join", [&] { rt.join("group", somebody); }},
      {"leave", [&] { rt.leave("another group", somebody); }},
      {"members", [&] { rt.members("group"); }},
      {"groups", [&] { rt.groups(); }},
      {"kill_group", [&] { rt.kill_group("another group"); }},
      {"is_alive", [&] { rt.is_alive(somebody); }},
      {"list", [&] { rt.list(); }},
      {"info", [&] { rt.info(somebody); }},
      {"set_label", [&] { rt.set_label(somebody, "label"); }},
      {"stats", [&] { rt.stats(); }},
      {"census", [&] { rt.census(); }},
      {"dump", [&] { rt.dump(out, DumpStacks::no); }},
      {"backtrace", [&] { rt.backtrace(somebody); }},
      {"exit", [&] { rt.exit(somebody, ExitReason::normal); }},
      {"shutdown", [&] { rt.shutdown(); }},
  };
  for (const auto& [name, call] : members) {
    Gate runs, killed;
    bool went_on = false;
    JoinHandle caller = rt.start([&, call = call] {
      runs.open();
      killed.pass();
      call();
      went_on = true;
    });
    runs.pass();
    rt.kill(caller.pid());
    killed.open();
    EXPECT_EQ(caller.join(), ExitReason::killed);
    EXPECT_FALSE(went_on) << name;
  }
}

TEST_P(RegressionsScheduling, Design39ALoopOfMembersOfItsRuntimeLetsOthersRun) {
  if (GetParam() != 1) GTEST_SKIP() << "with several workers another may run them";
  run([this] {
    bool ran = false;
    spawn([&ran] { ran = true; });
    for (int i = 0; i < 100'000 && !ran; ++i) rt.is_alive(self());
    EXPECT_TRUE(ran);
    receive_for<Never>(Duration::zero());
  });
}

TEST_P(RegressionsScheduling, Ord8AProcessThatKillsItselfThroughItsRuntimeDoesNotGoOn) {
  bool went_on = false;
  JoinHandle process = rt.start([&] {
    rt.kill(self());
    went_on = true;
  });
  EXPECT_EQ(process.join(), ExitReason::killed);
  EXPECT_FALSE(went_on);
}

// Fresh runtimes give their first processes the same pid, which means somebody else in each.

TEST_P(RegressionsScheduling, Exr6AProcessOfAnotherRuntimeWithTheSamePidIsNotTheReceiver) {
  Runtime other(options);
  JoinHandle target = rt.start(receive_forever);
  JoinHandle namesake = other.start([&] {
    ASSERT_EQ(self(), target.pid());
    rt.exit(target.pid(), ExitReason::normal);  // Of itself it would be the end.
  });
  EXPECT_TRUE(namesake.join().is_normal());
  EXPECT_TRUE(rt.is_alive(target.pid()));
}

TEST_P(RegressionsScheduling, Exr6AnExitSignalFromAProcessOfAnotherRuntimeNamesNoSender) {
  Runtime other(options);
  std::optional<Exit> told;
  JoinHandle target = rt.start({.trap_exit = true}, [&] { told = await<Exit>(); });
  other.run([&] { rt.exit(target.pid(), ExitReason::shutdown); });
  EXPECT_TRUE(target.join().is_normal());
  ASSERT_TRUE(told);
  EXPECT_EQ(told->from, Pid{});
  EXPECT_EQ(told->reason, ExitReason::shutdown);
}

TEST_P(RegressionsScheduling, Inf7AProcessMayJoinOneOfAnotherRuntimeThatHasItsPid) {
  Runtime other(options);
  JoinHandle joined = rt.start([] { receive<Go>(); });
  JoinHandle joiner = other.start([&] {
    ASSERT_EQ(self(), joined.pid());
    EXPECT_EQ(joined.join(), ExitReason::normal);
  });
  rt.send(joined.pid(), Go{});
  EXPECT_EQ(joiner.join(), ExitReason::normal);
}

TEST_P(RegressionsScheduling, Lif9SpawnMonitorTellsTheTrueReasonHoweverEarlyTheChildIsKilled) {
  std::atomic<bool> over{false};
  std::thread killer([&] {
    while (!over) rt.kill_group("doomed");
  });
  run([] {
    for (int i = 0; i < 500; ++i) {
      const Monitored child = spawn_monitor({.groups = {"doomed"}}, receive_forever);
      EXPECT_EQ(await_down(child.ref).reason, ExitReason::killed);
    }
  });
  over = true;
  killer.join();
}

TEST_P(RegressionsScheduling, Nam6ANameThatIsTakenAndFreedAtOnceEndsWithItsOwner) {
  constexpr int kRounds = 10, kTries = 200;
  for (int round = 0; round < kRounds; ++round) {
    JoinHandle owner = rt.start(receive_forever);
    std::atomic<bool> over{false};
    std::thread freeing([&] {
      while (!over) rt.unregister("contested");
    });
    for (int i = 0; i < kTries; ++i) {
      try {
        rt.register_name("contested", owner.pid());
      } catch (const NameTaken&) {
      }
    }
    over = true;
    freeing.join();
    const std::optional<ProcessInfo> found = rt.info(owner.pid());
    ASSERT_TRUE(found);
    EXPECT_EQ(rt.whereis("contested").has_value(), contains(found->names, std::string("contested")));
    rt.kill(owner.pid());
    owner.join();
    EXPECT_FALSE(rt.whereis("contested"));
    EXPECT_TRUE(rt.registered().empty());
  }
}

}  // namespace
}  // namespace weft::test
