// Who polls when the one who polled goes away.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "scheduler/scheduler.hpp"

namespace weft::inline v0::scheduler {
namespace {

using namespace std::chrono_literals;

struct Job : Fiber {
  std::function<void()> body;
};

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    for (const int fd : ends) ::close(fd);
  }
  void write() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
  std::array<int, 2> ends{-1, -1};
};

bool eventually(const std::function<bool()>& there) {
  for (const auto end = std::chrono::steady_clock::now() + 5s; std::chrono::steady_clock::now() < end;) {
    if (there()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return there();
}

class FakeHost : public Host {
 public:
  void run(Fiber& fiber) noexcept override { static_cast<Job&>(fiber).body(); }
  void refuse(Fiber&) noexcept override {}
  void worker_started() noexcept override {}
  void fire(TimerNode**, std::size_t) noexcept override {}
  void descriptor_ready(std::uint64_t token, std::uint32_t) noexcept override { on_ready(token); }
  void holds_worker(Fiber*, unsigned, std::int64_t) noexcept override {}
  std::function<void(std::uint64_t)> on_ready = [](std::uint64_t) {};
};

// The watchdog polls for a worker that is stuck. While it does, the process that held the worker lets go, and the worker goes to sleep:
// it cannot lead, and must not be left asleep with nobody leading.
TEST(PollLead, AWorkerThatSleptWhileTheWatchdogPolledTakesTheLeadAfterwards) {
  const Pipe first;
  const Pipe second;
  std::atomic<bool> let_go{false};
  std::atomic<bool> second_seen{false};
  FakeHost host;
  Job stuck;
  Scheduler scheduler({.workers = 1}, host);
  host.on_ready = [&](std::uint64_t token) {
    if (token == 2) second_seen.store(true);
    if (token != 1) return;
    let_go.store(true);
    // The watchdog, somewhere before it gives up the lead, loses its core for as long as the worker takes to fall asleep.
    EXPECT_TRUE(eventually([&] { return scheduler.worker(0).current() == nullptr && scheduler.worker(0).counters.sleeps.load() > 0; }));
    std::this_thread::sleep_for(10ms);
  };
  stuck.body = [&] {
    while (!let_go.load()) std::this_thread::sleep_for(1ms);
  };
  ASSERT_EQ(scheduler.poller().arm(first.ends[0], Poller::kRead | Poller::kRecheck, 1), 0);
  ASSERT_EQ(scheduler.poller().arm(second.ends[0], Poller::kRead | Poller::kRecheck, 2), 0);
  scheduler.ready(stuck);
  scheduler.start([](Worker&) {});
  ASSERT_TRUE(eventually([&] { return scheduler.worker(0).current() == &stuck; }));
  first.write();
  ASSERT_TRUE(eventually([&] { return let_go.load(); }));
  std::this_thread::sleep_for(100ms);
  second.write();
  EXPECT_TRUE(eventually([&] { return second_seen.load(); }));
  scheduler.stop();
}

// Two processes wake each other in turn. Each computes for a while, so their worker switches too seldom to poll by itself, and not so
// seldom that it is stuck. What is put in the last-in slot wakes nobody, so nobody else would poll.
TEST(PollLead, TheWatchdogPollsForAWorkerWhoseProcessesAreSlow) {
  const Pipe pipe;
  std::atomic<int> seen_by_the_watchdog{0};
  std::atomic<bool> enough{false};
  bool one_ended = false;
  FakeHost host;
  Job one;
  Job other;
  Scheduler scheduler({.workers = 1}, host);
  const auto watch = [&] { EXPECT_EQ(scheduler.poller().arm(pipe.ends[0], Poller::kRead | Poller::kRecheck, 1), 0); };
  host.on_ready = [&](std::uint64_t) {
    if (Worker::here() == nullptr) ++seen_by_the_watchdog;
    watch();  // The byte is still there: it is ready again at once.
  };
  const auto compute = [] { std::this_thread::sleep_for(200us); };
  one.body = [&] {
    while (!enough.load()) {
      compute();
      scheduler.ready(other);
      Worker::suspend(one, nullptr);
    }
    one_ended = true;
    scheduler.ready(other);
  };
  other.body = [&] {
    while (!one_ended) {
      compute();
      scheduler.ready(one);
      Worker::suspend(other, nullptr);
    }
  };
  watch();
  pipe.write();
  scheduler.ready(one);
  scheduler.start([](Worker&) {});
  EXPECT_TRUE(eventually([&] { return seen_by_the_watchdog.load() >= 10; }));
  enough.store(true);
  EXPECT_TRUE(eventually([&] { return scheduler.worker(0).current() == nullptr; }));
  scheduler.stop();
}

// One who polls beside the leader could take the interrupt that is meant for the leader, which would then sleep on.
TEST(PollLead, AWorkerThatIsBusyDoesNotPollWhileAnotherLeads) {
  const Pipe first;
  const Pipe second;
  std::atomic<bool> leads{false};
  std::atomic<bool> let_go{false};
  std::atomic<bool> second_seen{false};
  FakeHost host;
  Job busy;
  Scheduler scheduler({.workers = 2}, host);
  host.on_ready = [&](std::uint64_t token) {
    if (token == 2) second_seen.store(true);
    if (token != 1) return;
    leads.store(true);
    while (!let_go.load()) std::this_thread::sleep_for(1ms);
  };
  busy.body = [&] {
    second.write();
    constexpr int kManyLooks = 10'000;  // Of a worker at its timers and descriptors, far fewer.
    for (int i = 0; i < kManyLooks; ++i) Worker::yield(busy);
    EXPECT_FALSE(second_seen.load());
    let_go.store(true);
  };
  ASSERT_EQ(scheduler.poller().arm(first.ends[0], Poller::kRead | Poller::kRecheck, 1), 0);
  ASSERT_EQ(scheduler.poller().arm(second.ends[0], Poller::kRead | Poller::kRecheck, 2), 0);
  scheduler.start([](Worker&) {});
  first.write();
  ASSERT_TRUE(eventually([&] { return leads.load(); }));
  scheduler.ready(busy);
  EXPECT_TRUE(eventually([&] { return second_seen.load(); }));
  scheduler.stop();
}

}  // namespace
}  // namespace weft::scheduler
