// What the scheduler knows of a process: something runnable that may own a stack.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "scheduler/context.hpp"

namespace weft::inline v0::scheduler {

struct Stack;
class Worker;

enum class Urgency : std::uint8_t { low, normal, high };

/// One schedulable thing. A process derives from it.
///
/// F1  A fiber is in exactly one of these places: running on one worker, on one run queue, or nowhere (suspended). Whoever moves it
///     from "nowhere" to a run queue won that right by one atomic operation of the layer above (Inbox, I2).
/// F2  Its fields are touched by whoever holds it in that sense; a run queue hands them over. `urgency` and `run_next` too. Anybody may
///     read which stack it has: a stack's header outlives its use. After the end of a process it names one that is another's.
struct Fiber : Execution {
  std::atomic<Stack*> stack{nullptr};             // null: not started, or hibernated; taken when a worker first runs it
  Fiber* run_next = nullptr;                      // a run queue's overflow chain
  std::uint32_t wanted_stack_bytes = 0;           // 0 is the default class
  std::atomic<Urgency> urgency{Urgency::normal};  // written by its own process only

  /// For whoever holds it.
  [[nodiscard]] bool has_stack() const noexcept { return stack.load(std::memory_order_relaxed) != nullptr; }
};

/// What the layer above does for the scheduler. One object per scheduler; called from many workers at once.
class Host {
 public:
  Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  virtual ~Host() = default;
  /// Runs `fiber` on its own stack until it is through with the stack; the fiber may be gone, or another, when this returns.
  virtual void run(Fiber& fiber) noexcept = 0;
  /// No stack could be had for `fiber`: called on a worker's own stack, in place of run().
  virtual void refuse(Fiber& fiber) noexcept = 0;
  /// On each worker's thread, before anything else.
  virtual void worker_started() noexcept = 0;
  /// Timers that expired, already unlinked from their wheel.
  virtual void fire(struct TimerNode** nodes, std::size_t count) noexcept = 0;
  /// A descriptor that was armed with `token` is ready.
  virtual void descriptor_ready(std::uint64_t token, std::uint32_t ready) noexcept = 0;
  /// `fiber` has held its worker for `held_ns`. Called by the watchdog thread; the fiber may have moved on meanwhile.
  virtual void holds_worker(Fiber* fiber, unsigned worker, std::int64_t held_ns) noexcept = 0;
};

}  // namespace weft::scheduler
