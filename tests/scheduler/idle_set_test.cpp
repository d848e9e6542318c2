#include "scheduler/idle_set.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "scheduler/injection_queue.hpp"
#include "scheduler/parker.hpp"
#include "scheduler/run_queue.hpp"

namespace weft::inline v0::scheduler {
namespace {

void go_to_sleep(IdleSet& set, unsigned w) {
  set.begin_search(w);
  set.announce_sleep(w);
}

TEST(IdleSet, NobodyIsWokenWhileAllAreAwake) {
  IdleSet set(2);
  EXPECT_FALSE(set.should_notify());
  EXPECT_EQ(set.claim_sleeper(), -1);
  EXPECT_EQ(set.counters().searching, 0u);  // Given back.
  EXPECT_EQ(set.counters().bare_wakes, 1u);
}

TEST(IdleSet, AClaimedSleeperSearchesOnBehalfOfItsWaker) {
  IdleSet set(2);
  go_to_sleep(set, 1);
  EXPECT_EQ(set.counters().sleeping, 1u);
  EXPECT_EQ(set.counters().searching, 0u);
  EXPECT_TRUE(set.should_notify());
  EXPECT_EQ(set.claim_sleeper(), 1);
  EXPECT_EQ(set.counters().searching, 1u);
  EXPECT_EQ(set.counters().sleeping, 0u);
  EXPECT_EQ(set.counters().wakes, 1u);
  EXPECT_FALSE(set.cancel_sleep(1));
  EXPECT_TRUE(set.end_search(1));
  EXPECT_EQ(set.counters().searching, 0u);
}

TEST(IdleSet, ASecondWakerLeavesItToTheFirst) {
  IdleSet set(2);
  go_to_sleep(set, 0);
  go_to_sleep(set, 1);
  EXPECT_EQ(set.claim_sleeper(), 0);
  EXPECT_FALSE(set.should_notify());
  EXPECT_EQ(set.claim_sleeper(), -1);
  EXPECT_FALSE(set.cancel_sleep(0));
  EXPECT_TRUE(set.end_search(0));
  EXPECT_TRUE(set.should_notify());
  EXPECT_EQ(set.claim_sleeper(), 1);
}

TEST(IdleSet, ASearchingWorkerMakesWakingNeedless) {
  IdleSet set(2);
  go_to_sleep(set, 0);
  set.begin_search(1);
  EXPECT_FALSE(set.should_notify());
  EXPECT_EQ(set.claim_sleeper(), -1);
  EXPECT_TRUE(set.end_search(1));
  EXPECT_TRUE(set.should_notify());
}

TEST(IdleSet, AWorkerThatWakesByItselfIsNotSearching) {
  IdleSet set(1);
  go_to_sleep(set, 0);
  EXPECT_TRUE(set.cancel_sleep(0));
  EXPECT_EQ(set.counters().sleeping, 0u);
  EXPECT_EQ(set.counters().searching, 0u);
  EXPECT_EQ(set.claim_sleeper(), -1);
  go_to_sleep(set, 0);
  EXPECT_EQ(set.claim_sleeper(), 0);
}

TEST(IdleSet, OnlyTheLastSearcherLooksAgain) {
  IdleSet set(3);
  set.begin_search(0);
  set.begin_search(1);
  set.begin_search(2);
  EXPECT_FALSE(set.end_search(1));
  EXPECT_FALSE(set.end_search(2));
  EXPECT_TRUE(set.end_search(0));
}

TEST(IdleSet, FindsSleepersBeyondTheFirstWord) {
  IdleSet set(IdleSet::kMaxWorkers);
  for (unsigned w : {64u, 129u, IdleSet::kMaxWorkers - 1}) {
    go_to_sleep(set, w);
    EXPECT_TRUE(set.should_notify());
    EXPECT_EQ(set.claim_sleeper(), static_cast<int>(w));
    EXPECT_FALSE(set.cancel_sleep(w));
    EXPECT_TRUE(set.end_search(w));
    EXPECT_FALSE(set.should_notify());
  }
}

/// Bounds a test that would hang if a wake-up were lost. Nothing depends on its length but how long a failure takes.
constexpr std::chrono::seconds kWatchdog{60};

struct Task {
  Task* run_next = nullptr;
  Task* first_child = nullptr;  // Tasks that this one makes runnable.
  std::size_t children = 0;
  std::latch* meeting = nullptr;  // Where it waits, holding its worker, for the other tasks that meet there.
  std::size_t times_run = 0;      // Plain: the queues hand it over.
};

/// Workers as the scheduler has them, without fibers: rings, injection, parkers and the idle set.
class Workers {
 public:
  explicit Workers(unsigned count) : idle_(count), workers_(count) {
    for (unsigned w = 0; w < count; ++w) workers_[w].thread = std::thread([this, w] { loop(w); });
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() {
    stopping_.store(true, std::memory_order_seq_cst);
    for (Worker& worker : workers_) worker.parker.unpark();
    for (Worker& worker : workers_) worker.thread.join();
  }

  void inject(Task& task) {
    injected_.push(&task);
    notify();
  }

  void await_runs(std::size_t count) {
    await("tasks", [&] { return runs_.load(std::memory_order_acquire) >= count; });
  }

  /// Until all sleep, and checks that nothing is left over.
  void expect_quiet() {
    await("sleep", [&] {  // Both: a worker that goes to sleep says so before it lowers the count.
      const IdleCounters now = idle_.counters();
      return now.sleeping == workers_.size() && now.searching == 0;
    });
    EXPECT_FALSE(anything_to_do());
    EXPECT_EQ(injected_.approximate_size(), 0u);
  }

  [[nodiscard]] IdleCounters counters() const { return idle_.counters(); }

 private:
  struct Worker {
    RunQueue<Task> ring;
    Parker parker;
    std::thread thread;
  };

  template <class Condition>
  void await(const char* what, Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + kWatchdog;
    while (!condition()) {
      std::this_thread::yield();
      if (std::chrono::steady_clock::now() < deadline) continue;
      const IdleCounters now = idle_.counters();
      std::fprintf(stderr, "stuck waiting for %s: %zu runs, %u searching, %u sleeping, %zu injected\n", what, runs_.load(), now.searching,
                   now.sleeping, injected_.approximate_size());
      std::abort();  // The threads cannot be joined.
    }
  }

  void notify() {
    if (!idle_.should_notify()) return;
    if (const int w = idle_.claim_sleeper(); w >= 0) workers_[static_cast<std::size_t>(w)].parker.unpark();
  }

  [[nodiscard]] bool anything_to_do() const {
    if (!injected_.empty()) return true;
    for (const Worker& worker : workers_) {
      if (!worker.ring.empty()) return true;
    }
    return false;
  }

  Task* take_injected(unsigned w) {
    void* batch[4];
    const std::size_t count = injected_.pop_bulk(batch, 4);
    for (std::size_t i = 1; i < count; ++i) workers_[w].ring.push(static_cast<Task*>(batch[i]));
    return count == 0 ? nullptr : static_cast<Task*>(batch[0]);
  }

  Task* look_everywhere(unsigned w) {
    Task* task = take_injected(w);
    for (std::size_t i = 1; task == nullptr && i < workers_.size(); ++i) {
      (void)workers_[(w + i) % workers_.size()].ring.steal_half_into(workers_[w].ring, &task);
    }
    return task;
  }

  void loop(unsigned w) {
    Worker& self = workers_[w];
    bool searching = false;
    for (;;) {
      Task* task = self.ring.pop();
      if (task == nullptr) {
        if (!searching) idle_.begin_search(w);
        searching = true;
        task = look_everywhere(w);
      }
      if (task != nullptr) {
        if (searching && idle_.end_search(w) && anything_to_do()) notify();
        searching = false;
        run(self, *task);
        continue;
      }
      idle_.announce_sleep(w);
      if (stopping_.load(std::memory_order_seq_cst)) {
        (void)idle_.cancel_sleep(w);
        return;
      }
      if (!anything_to_do()) self.parker.park(Parker::kForever);
      searching = !idle_.cancel_sleep(w);
    }
  }

  void run(Worker& self, Task& task) {
    for (std::size_t i = 0; i < task.children; ++i) {
      self.ring.push(&task.first_child[i]);
      notify();
    }
    if (task.meeting != nullptr) task.meeting->arrive_and_wait();
    ++task.times_run;
    runs_.fetch_add(1, std::memory_order_release);
  }

  IdleSet idle_;
  InjectionQueue injected_{run_next_link<Task>()};
  std::vector<Worker> workers_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> runs_{0};
};

TEST(IdleProtocol, OneTaskAtATimeAlwaysFindsAWorker) {
  Workers workers(3);
  std::vector<Task> tasks(2'000);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    workers.inject(tasks[i]);
    workers.await_runs(i + 1);
  }
  workers.expect_quiet();
  for (const Task& task : tasks) ASSERT_EQ(task.times_run, 1u);
}

TEST(IdleProtocol, RunsEveryTaskOfManyThreadsOnce) {
  constexpr std::size_t kProducers = 3;
  constexpr std::size_t kEach = 4'000;
  constexpr std::size_t kChildren = 4;
  Workers workers(4);
  std::vector<std::vector<Task>> parents(kProducers), children(kProducers);
  std::vector<std::thread> producers;
  for (std::size_t p = 0; p < kProducers; ++p) {
    parents[p] = std::vector<Task>(kEach);
    children[p] = std::vector<Task>(kEach * kChildren);
    producers.emplace_back([&, p] {
      for (std::size_t i = 0; i < kEach; ++i) {
        parents[p][i].first_child = &children[p][i * kChildren];
        parents[p][i].children = kChildren;
        workers.inject(parents[p][i]);
        if (i % 16 == 0) std::this_thread::yield();  // Lets workers fall asleep now and then.
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  workers.await_runs(kProducers * kEach * (1 + kChildren));
  workers.expect_quiet();
  for (std::size_t p = 0; p < kProducers; ++p) {
    for (const Task& task : parents[p]) ASSERT_EQ(task.times_run, 1u);
    for (const Task& task : children[p]) ASSERT_EQ(task.times_run, 1u);
  }
}

TEST(IdleProtocol, NoWorkerSleepsWhileATaskWaits) {  // I4: tasks that meet need as many workers as there are tasks, at once.
  constexpr unsigned kWorkers = 4;
  constexpr int kRounds = 3'000;
  Workers workers(kWorkers);
  std::size_t runs = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::latch meeting(kWorkers);
    Task tasks[kWorkers];
    for (Task& task : tasks) task.meeting = &meeting;
    std::thread other;
    switch (round % 3) {
      case 0:  // All from one thread.
        for (Task& task : tasks) workers.inject(task);
        break;
      case 1:  // From two threads at once.
        other = std::thread([&] {
          workers.inject(tasks[0]);
          workers.inject(tasks[1]);
        });
        workers.inject(tasks[2]);
        workers.inject(tasks[3]);
        break;
      default:  // One task that makes the others.
        tasks[0].first_child = &tasks[1];
        tasks[0].children = kWorkers - 1;
        workers.inject(tasks[0]);
    }
    runs += kWorkers;
    workers.await_runs(runs);
    if (other.joinable()) other.join();
    for (const Task& task : tasks) ASSERT_EQ(task.times_run, 1u);
  }
  workers.expect_quiet();
}

TEST(IdleProtocol, WorkersSleepWhenThereIsNothingToDo) {
  Workers workers(2);
  Task task;
  workers.inject(task);
  workers.await_runs(1);
  workers.expect_quiet();
  const std::uint64_t wakes = workers.counters().wakes;
  EXPECT_LE(wakes, 1u);  // One task wakes one worker at most: no torch is passed on to look for nothing.
}

}  // namespace
}  // namespace weft::scheduler
