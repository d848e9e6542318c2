#include <weft/blocking.hpp>

#include <atomic>

#include "runtime/caller.hpp"

namespace weft::inline v0::detail {
namespace {

/// One run through the pool, between the process and the pool thread.
///
/// state: kRunning until f returned; then kDone. A process that was killed meanwhile, and so has no inbox to be woken through, suspends
/// as kOrphan: whoever replaces kOrphan by kDone makes it runnable. One word, one winner.
struct Job final : scheduler::BlockingJob {
  enum State : int { kRunning, kOrphan, kDone };
  std::atomic<int> state{kRunning};
  BlockingWork* work = nullptr;  // the process's, which does not leave before kDone
  std::shared_ptr<Job> itself;   // until the pool thread is through
  BlockingSection section;
};

void run_job(scheduler::BlockingJob* base) {
  auto& job = static_cast<Job&>(*base);
  const std::shared_ptr<Job> keep = std::move(job.itself);
  enter_blocking_section(&job.section);
  job.work->run();
  enter_blocking_section(nullptr);
  RuntimeCore& core = *job.section.core;
  base::explore_point("blocking: done");
  // acq_rel: publishes the result to the process, and sees the orphan's saved registers.
  if (job.state.exchange(Job::kDone, std::memory_order_acq_rel) == Job::kOrphan) {
    core.scheduler.ready(*job.section.process);
  } else {
    core.kick(job.section.pid);
  }
}

/// Of the orphan that leaves its stack just now. One per thread is enough: it is read by whoever runs next on this worker.
void suspend_orphan(ControlBlock& self, Job& job) {
  self.orphan_wait = &job.state;
  scheduler::Worker::suspend(self, [](void* left) noexcept {
    auto& process = *static_cast<ControlBlock*>(left);
    base::explore_point("blocking: orphan suspends");
    int expected = Job::kRunning;
    // release publishes the saved registers to the pool thread that replaces kOrphan.
    if (!process.orphan_wait->compare_exchange_strong(expected, Job::kOrphan, std::memory_order_acq_rel)) {
      scheduler::Worker::here()->ready_last(process);
    }
  });
}

}  // namespace

void run_blocking(const std::shared_ptr<BlockingWork>& work) {
  ControlBlock& self = process_here("blocking");
  RuntimeCore& core = *current_core();
  const auto job = std::make_shared<Job>();
  job->run = &run_job;
  job->work = work.get();
  job->itself = job;
  job->section = {&core, &self, self.pid};
  switch (core.scheduler.blocking().submit(*job)) {
    case scheduler::BlockingPool::Submit::accepted:
      break;
    case scheduler::BlockingPool::Submit::no_thread:
      job->itself.reset();
      throw LimitExceeded("blocking(): the system gives no thread for the pool");
    case scheduler::BlockingPool::Submit::no_memory:
      job->itself.reset();
      throw std::bad_alloc();
  }
  while (job->state.load(std::memory_order_acquire) != Job::kDone) {
    if (self.life.load(std::memory_order_acquire) == Life::alive) {
      park(self, kNever, Waiting::blocking);
      core.drain(self);
    } else {
      // Killed: everybody is told now (BLK-2). The stack, which the section may refer to, is unwound when the section returns (BLK-6).
      core.orphan_appears();
      self.orphan = true;
      core.fix_reason(self, ExitReason::killed);
      if (core.wants(LogLevel::error)) core.log_end(self);
      core.die(self);
      while (job->state.load(std::memory_order_acquire) != Job::kDone) suspend_orphan(self, *job);
      meet_doom(self);
    }
  }
  meet_doom(self);
}

}  // namespace weft::detail
