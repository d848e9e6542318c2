#include "scheduler/blocking_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "mailbox/base/spin_wait.hpp"

namespace weft::inline v0::scheduler {
namespace {

using namespace std::chrono_literals;
using Submit = BlockingPool::Submit;

constexpr auto kLong = 1h;  // Idle threads stay.

/// A count that a test waits for, with a bound that only a failing test reaches.
class Count {
 public:
  void add(std::size_t n = 1) {
    const std::lock_guard guard(mutex_);
    count_ += n;
    changed_.notify_all();
  }
  [[nodiscard]] bool reaches(std::size_t n) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 60s, [&] { return count_ >= n; });
  }
  [[nodiscard]] std::size_t value() {
    const std::lock_guard guard(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
};

struct FunctionJob : BlockingJob {
  explicit FunctionJob(std::function<void()> f) : body(std::move(f)) {
    run = [](BlockingJob* job) { static_cast<FunctionJob*>(job)->body(); };
  }
  std::function<void()> body;
};

/// Starts threads until told to fail, and counts those that began and those that ended.
struct Starter {
  std::atomic<bool> fails{false};
  std::atomic<std::size_t> started{0};
  Count ended;

  BlockingPool::StartThread hook() {
    return [this](std::function<void()> body) {
      if (fails.load()) throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
      started.fetch_add(1);
      return std::thread([this, body = std::move(body)] {
        body();
        ended.add();
      });
    };
  }
};

TEST(BlockingPool, StartsNoThreadBeforeTheFirstJob) {
  const BlockingPool pool(4, kLong);
  EXPECT_EQ(pool.threads(), 0U);
  EXPECT_EQ(pool.outstanding(), 0U);
}

TEST(BlockingPool, RunsAJobOnAnotherThreadAndShowsItWhatWasWritten) {
  int input = 0;
  int output = 0;
  std::thread::id where;
  FunctionJob job([&] {
    output = input + 1;
    where = std::this_thread::get_id();
  });
  {
    BlockingPool pool(4, kLong);
    input = 41;
    ASSERT_EQ(pool.submit(job), Submit::accepted);
  }
  EXPECT_EQ(output, 42);
  EXPECT_NE(where, std::this_thread::get_id());
}

TEST(BlockingPool, WhoReadsThatNoJobIsOutstandingSeesWhatTheJobsDid) {
  int plain = 0;
  FunctionJob job([&] { ++plain; });
  BlockingPool pool(1, kLong);
  for (int round = 1; round <= 100; ++round) {
    ASSERT_EQ(pool.submit(job), Submit::accepted);
    while (pool.outstanding() != 0) std::this_thread::yield();
    ASSERT_EQ(plain, round);
  }
}

TEST(BlockingPool, JobsThatWaitForEachOtherAllRunWhileTheMaximumIsNotReached) {
  constexpr std::size_t kJobs = 8;
  Count arrived;
  std::atomic<std::size_t> met{0};
  std::vector<std::unique_ptr<FunctionJob>> jobs;
  BlockingPool pool(kJobs, kLong);
  for (int round = 0; round < 50; ++round) {
    for (std::size_t i = 0; i < kJobs; ++i) {
      const std::size_t all = (static_cast<std::size_t>(round) + 1) * kJobs;
      jobs.push_back(std::make_unique<FunctionJob>([&, all] {
        arrived.add();
        if (arrived.reaches(all)) met.fetch_add(1);
      }));
      ASSERT_EQ(pool.submit(*jobs.back()), Submit::accepted);
    }
    ASSERT_TRUE(arrived.reaches((static_cast<std::size_t>(round) + 1) * kJobs));
    while (pool.outstanding() != 0) std::this_thread::yield();
  }
  EXPECT_EQ(met.load(), 50 * kJobs);
  EXPECT_LE(pool.threads(), kJobs);
}

TEST(BlockingPool, AFreeThreadIsUsedAgain) {
  Starter starter;
  FunctionJob job([] {});
  BlockingPool pool(8, kLong, starter.hook());
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(pool.submit(job), Submit::accepted);
    while (pool.outstanding() != 0) std::this_thread::yield();
  }
  EXPECT_EQ(starter.started.load(), 1U);
}

TEST(BlockingPool, BeyondTheMaximumAJobWaitsItsTurn) {
  Count running;
  Count gate;
  Count done;
  FunctionJob holder([&] {
    running.add();
    EXPECT_TRUE(gate.reaches(1));
  });
  FunctionJob second_holder(holder.body);
  FunctionJob late([&] { done.add(); });
  BlockingPool pool(2, kLong);
  ASSERT_EQ(pool.submit(holder), Submit::accepted);
  ASSERT_EQ(pool.submit(second_holder), Submit::accepted);
  ASSERT_TRUE(running.reaches(2));
  ASSERT_EQ(pool.submit(late), Submit::accepted);
  EXPECT_EQ(pool.threads(), 2U);
  EXPECT_EQ(pool.outstanding(), 3U);
  EXPECT_EQ(done.value(), 0U);
  gate.add();
  EXPECT_TRUE(done.reaches(1));
}

TEST(BlockingPool, TenThousandJobsFromSeveralThreadsRunOnceEach) {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kJobs = 2'500;
  struct CountedJob : BlockingJob {
    std::atomic<int> runs{0};
  };
  std::vector<std::vector<CountedJob>> jobs;
  for (std::size_t t = 0; t < kThreads; ++t) jobs.emplace_back(kJobs);
  for (const auto idle_keep : {std::chrono::milliseconds(0), std::chrono::milliseconds(kLong)}) {
    BlockingPool pool(6, idle_keep);
    std::vector<std::thread> submitters;
    for (std::size_t t = 0; t < kThreads; ++t) {
      submitters.emplace_back([&, t] {
        for (CountedJob& job : jobs[t]) {
          job.run = [](BlockingJob* self) { static_cast<CountedJob*>(self)->runs.fetch_add(1, std::memory_order_relaxed); };
          ASSERT_EQ(pool.submit(job), Submit::accepted);
        }
      });
    }
    for (std::thread& submitter : submitters) submitter.join();
  }
  for (const auto& each : jobs) {
    for (const CountedJob& job : each) ASSERT_EQ(job.runs.load(), 2);
  }
}

TEST(BlockingPool, AJobMayDestroyItselfAndSubmitAnother) {
  Count done;
  struct Chain : BlockingJob {
    BlockingPool* pool;
    Count* done;
    int left;
  };
  BlockingPool pool(2, kLong);
  auto* first = new Chain;
  first->pool = &pool;
  first->done = &done;
  first->left = 100;
  first->run = [](BlockingJob* job) {
    const std::unique_ptr<Chain> self(static_cast<Chain*>(job));
    self->done->add();
    if (self->left == 1) return;
    auto next = std::make_unique<Chain>(*self);
    --next->left;
    if (self->pool->submit(*next) == Submit::accepted) static_cast<void>(next.release());
  };
  ASSERT_EQ(pool.submit(*first), Submit::accepted);
  EXPECT_TRUE(done.reaches(100));
}

TEST(BlockingPool, TheDestructorWaitsForJobsThatJobsSubmit) {
  std::atomic<int> ran{0};
  Count gate;
  auto pool = std::make_unique<BlockingPool>(1, kLong);
  FunctionJob last([&] { ran.fetch_add(1); });
  FunctionJob first([&, raw = pool.get()] {
    EXPECT_TRUE(gate.reaches(1));
    EXPECT_EQ(raw->submit(last), Submit::accepted);
    ran.fetch_add(1);
  });
  ASSERT_EQ(pool->submit(first), Submit::accepted);
  std::thread opener([&] { gate.add(); });
  pool.reset();
  EXPECT_EQ(ran.load(), 2);
  opener.join();
}

TEST(BlockingPool, IdleThreadsEndAndLaterJobsStillRun) {
  Starter starter;
  BlockingPool pool(4, 1ms, starter.hook());
  for (int round = 0; round < 20; ++round) {
    Count running;
    Count gate;
    const auto body = [&] {
      running.add();
      EXPECT_TRUE(gate.reaches(1));
    };
    FunctionJob first(body), second(body), third(body);
    for (FunctionJob* job : {&first, &second, &third}) ASSERT_EQ(pool.submit(*job), Submit::accepted);
    ASSERT_TRUE(running.reaches(3));
    gate.add();
    while (pool.outstanding() != 0) std::this_thread::yield();
    ASSERT_TRUE(starter.ended.reaches(starter.started.load()));
    ASSERT_EQ(pool.threads(), 0U);
  }
}

TEST(BlockingPool, WithoutAnyThreadAFailedStartIsReportedAndTheJobStaysTheCallers) {
  Starter starter;
  int ran = 0;
  FunctionJob job([&] { ++ran; });
  BlockingPool pool(4, kLong, starter.hook());
  starter.fails = true;
  EXPECT_EQ(pool.submit(job), Submit::no_thread);
  EXPECT_EQ(pool.submit(job), Submit::no_thread);
  EXPECT_EQ(pool.outstanding(), 0U);
  starter.fails = false;
  EXPECT_EQ(pool.submit(job), Submit::accepted);
  while (pool.outstanding() != 0) std::this_thread::yield();
  EXPECT_EQ(ran, 1);
}

TEST(BlockingPool, WithAnotherThreadAliveAFailedStartOnlyMakesTheJobWait) {
  Starter starter;
  Count running;
  Count gate;
  Count done;
  FunctionJob holder([&] {
    running.add();
    EXPECT_TRUE(gate.reaches(1));
  });
  FunctionJob waiting([&] { done.add(); });
  BlockingPool pool(4, kLong, starter.hook());
  ASSERT_EQ(pool.submit(holder), Submit::accepted);
  ASSERT_TRUE(running.reaches(1));
  starter.fails = true;
  ASSERT_EQ(pool.submit(waiting), Submit::accepted);
  EXPECT_EQ(pool.threads(), 1U);
  gate.add();
  EXPECT_TRUE(done.reaches(1));
}

TEST(BlockingPool, NoAcceptedJobIsLostWhileStartsFailAndIdleThreadsEnd) {
  constexpr std::size_t kThreads = 3;
  constexpr int kJobs = 1'000;
  Starter starter;
  std::atomic<std::size_t> submits{0};
  std::atomic<std::size_t> accepted{0};
  std::atomic<std::size_t> ran{0};
  FunctionJob job([&] { ran.fetch_add(1); });  // It has no state of its own, so it may be queued many times.
  {
    const BlockingPool::StartThread start = starter.hook();
    BlockingPool pool(3, 0ms, [&](std::function<void()> body) {
      if (submits.load() % 3 == 0) throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
      return start(std::move(body));
    });
    std::vector<std::thread> submitters;
    for (std::size_t t = 0; t < kThreads; ++t) {
      submitters.emplace_back([&] {
        for (int i = 0; i < kJobs; ++i) {
          submits.fetch_add(1);
          if (pool.submit(job) == Submit::accepted) accepted.fetch_add(1);
          if (i % 8 == 0) std::this_thread::yield();
        }
      });
    }
    for (std::thread& submitter : submitters) submitter.join();
  }
  EXPECT_GT(accepted.load(), 0U);
  EXPECT_EQ(ran.load(), accepted.load());
}

TEST(BlockingPool, AThreadDoesNotLeaveOnceAJobCountsOnIt) {
  // One job at a time, submitted just when the thread of the one before looks for more work, finds none, and means to leave.
  Count done;
  FunctionJob job([&] { done.add(); });
  BlockingPool pool(4, 0ms);
  for (std::size_t round = 1; round <= 1'000; ++round) {
    for (std::size_t i = 0; i < round % 40; ++i) static_cast<void>(pool.threads());  // A varying moment later.
    ASSERT_EQ(pool.submit(job), Submit::accepted);
    ASSERT_TRUE(done.reaches(round));
    while (pool.outstanding() != 0) base::cpu_relax();
  }
}

TEST(BlockingPool, AMaximumOfZeroCountsAsOne) {
  Count done;
  FunctionJob job([&] { done.add(); });
  BlockingPool pool(0, std::chrono::milliseconds::max());
  ASSERT_EQ(pool.submit(job), Submit::accepted);
  EXPECT_TRUE(done.reaches(1));
}

}  // namespace
}  // namespace weft::scheduler
