// The end of a runtime.
#include <algorithm>
#include <unordered_set>

#include "runtime/core.hpp"

namespace weft::inline v0::detail {

std::size_t RuntimeCore::signal_all(const ExitReason& reason) {
  std::size_t signalled = 0;
  for (const Pid pid : list()) {
    if (!is_alive(pid)) continue;
    ++signalled;
    if (reason == ExitReason::kill) {
      kill_one(pid);
    } else {
      exit_signal(Pid{}, pid, reason);
    }
  }
  return signalled;
}

void RuntimeCore::kill_one(Pid pid) noexcept {
  ControlBlock& block = *slot_of(pid);
  bool wake = false;
  {
    const std::lock_guard<base::SpinLock> hold(block.lock);
    if (is_tenant(block, pid)) wake = doom(block, ExitReason::killed);
  }
  if (wake) scheduler.ready(block);
}

std::size_t RuntimeCore::kill_all() { return signal_all(ExitReason::kill); }

bool RuntimeCore::wait_until_empty(std::chrono::steady_clock::time_point deadline) {
  if (base::exploring())
    return base::explore_wait(
        "until empty", [this] { return is_empty(); }, Duration(deadline.time_since_epoch()).count());
  std::unique_lock<std::mutex> hold(empty_mutex_);
  stop_waits_.fetch_add(1, std::memory_order_seq_cst);
  const bool empty = empty_.wait_until(hold, deadline, [this] { return is_empty(); });
  stop_waits_.fetch_sub(1, std::memory_order_seq_cst);
  return empty;
}

StopReport RuntimeCore::stop(Duration deadline) {
  if (deadline < Duration::zero()) throw BadArgument("stop() with a negative deadline");
  if (current_core() == this || (blocking_section() != nullptr && blocking_section()->core == this)) {
    throw BadArgument("stop() called by a process: it would wait for its caller");
  }
  const auto now = [] { return TimePoint(Duration(scheduler::Scheduler::steady_ns())); };
  const auto after = [&now](Duration d) {
    constexpr auto kLong = std::chrono::hours(24 * 365);
    return now() + std::min<Duration>(d, kLong);
  };
  refusing_spawns_.store(true, std::memory_order_seq_cst);
  const auto until_asked = after(deadline);
  // Each process is asked once; one whose spawn passed the refusal just before it was raised is found in a later round.
  std::unordered_set<Pid> asked;
  bool empty = false;
  for (;;) {
    for (const Pid pid : list()) {
      if (asked.insert(pid).second) exit_signal(Pid{}, pid, ExitReason::shutdown);
    }
    empty = wait_until_empty(std::min(until_asked, now() + std::chrono::milliseconds(100)));
    if (empty || now() >= until_asked) break;
  }
  if (!empty) {
    // As long again for the kills, but not for ever where none was given: half a second serves a process that calls the runtime at all.
    const Duration grace = std::min<Duration>(std::max<Duration>(deadline, std::chrono::milliseconds(500)), std::chrono::hours(1));
    const auto until = after(grace);
    do {
      kill_all();
    } while (!wait_until_empty(std::min(until, now() + std::chrono::milliseconds(50))) && now() < until);
  }
  StopReport report;
  for (const Pid pid : list()) {
    report.survivors.push_back(pid);
    report.details.push_back(describe_survivor(pid));
  }
  return report;
}

ProcessInfo RuntimeCore::describe_survivor(Pid pid) {
  ProcessInfo made;
  made.pid = pid;
  made.status = ProcessStatus::exiting;
  ControlBlock& block = *slot_of(pid);
  const std::lock_guard<base::SpinLock> hold(block.lock);
  if (!is_tenant(block, pid)) return made;
  made.parent = block.parent;
  if (block.extras) {
    made.names = block.extras->name_texts();
    made.groups = block.extras->groups;
    made.label = block.extras->label;
  }
  return made;
}

}  // namespace weft::detail
