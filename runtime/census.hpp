// When a census is due (INF-6).
#pragma once

#include <atomic>
#include <cstdint>

#include "scheduler/blocking_pool.hpp"
#include "scheduler/timer_wheel.hpp"

namespace weft::inline v0::detail {

class RuntimeCore;

/// One periodic task for a runtime: so long after a change, at most once in that time, and never while nothing changes.
///
/// N1  `generation` counts changes. A change that finds the task at rest starts its timer; so what happens until it fires is one census.
/// N2  The task is at rest, waits for its timer, or counts on the blocking pool; `busy` is false at rest only. Whoever sets it has the
///     task. It rests before it looks at `generation` again, and a change counts before it looks at `busy`: both sequentially
///     consistent, so one of the two starts the timer for a change that came while the census was taken.
struct CensusTask : scheduler::BlockingJob {
  scheduler::TimerNode timer;
  std::atomic<std::uint64_t> generation{0};
  std::atomic<bool> busy{false};
  RuntimeCore* core = nullptr;
};

}  // namespace weft::detail
