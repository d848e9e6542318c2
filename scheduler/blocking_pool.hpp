// Threads for calls that block, so that a worker need not.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

namespace weft::inline v0::scheduler {

/// A call to be made by a pool thread; embedded in what it is about.
struct BlockingJob {
  /// Called once with the job itself. Must not throw. The pool does not touch the job after this call began, so it may destroy the job.
  void (*run)(BlockingJob*) = nullptr;
};

/// Elastic pool: a thread for each job that runs or waits, up to a maximum; beyond that, jobs wait their turn in no promised order.
///
/// B1  `available` = threads that are idle or on their way to a job, minus jobs submitted and not taken. A submit that finds it
///     at 0 or below starts a thread if it may: a job never waits behind a running one while the maximum is not reached.
/// B2  A thread leaves only while `available` is positive, which it decides under the mutex that guards starting and counting threads.
///     A submitter lowers `available` first and counts threads under the same mutex; so whoever it counts will serve its job.
/// B3  A job enters the queue only after B2 found or started a thread, or one was available. No job is ever in a queue without a thread.
class BlockingPool {
 public:
  enum class Submit : std::uint8_t {
    accepted,   ///< `run` will be called
    no_thread,  ///< the system gave no thread and the pool has none
    no_memory,  ///< for the queue
  };
  /// Starts a thread that calls its argument; throws when it cannot. For tests; the default makes a std::thread.
  using StartThread = std::function<std::thread(std::function<void()>)>;

  /// At most `max_threads` threads (a maximum of 0 counts as 1), none at first. An idle one ends after `idle_keep`.
  BlockingPool(std::size_t max_threads, std::chrono::milliseconds idle_keep);
  BlockingPool(std::size_t max_threads, std::chrono::milliseconds idle_keep, StartThread start_thread);

  ~BlockingPool();

  /// Waits until every submitted job has run, those that jobs submit meanwhile too, and joins all threads; the destructor does so if nobody
  /// did. Nothing is submitted afterwards. Not to be called by a job.
  void drain() noexcept;

  /// Hands `job` over to a pool thread; what the caller wrote before is visible to it. Unless accepted, the job still is the caller's.
  /// Any thread, also a job's, but none that races with the destructor. A lock and a thread's creation only when no thread is free.
  [[nodiscard]] Submit submit(BlockingJob& job) noexcept;

  /// Jobs submitted that did not return yet; one may count shortly after it returned, never the other way round. What the jobs that no
  /// longer count did is visible to the caller.
  [[nodiscard]] std::size_t outstanding() const noexcept;

  /// Threads that live. A hint.
  [[nodiscard]] std::size_t threads() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weft::scheduler
