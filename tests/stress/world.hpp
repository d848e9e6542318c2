// A runtime that is looked over when a scenario is done with it.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <thread>

#include <weft/weft.hpp>

#include "tests/stress/run.hpp"

namespace weft::stress {

/// A runtime with the run's number of workers. finish() requires that nothing is left of what the scenario did.
class World {
 public:
  explicit World(Run& run, RuntimeOptions options = {});
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Runtime& runtime() noexcept { return *runtime_; }
  Runtime* operator->() noexcept { return runtime_.get(); }

  /// Waits until no process is left, then requires: no process, name, group, link, monitor, timer or stack; after the runtime is gone
  /// no message or body, thread or descriptor more than before it.
  void finish();
  /// The same without waiting: processes may be alive, and end with the runtime.
  void finish_at_once();

 private:
  void require_empty();
  void destroy();

  Run& run_;
  const std::size_t descriptors_before_, threads_before_;
  std::unique_ptr<Runtime> runtime_;
};

/// Waits, on a plain thread, for what no event tells: true as soon as `holds()`, false after the run's patience.
template <class Predicate>
bool eventually(Run& run, const char* what, Predicate holds) {
  const Run::Awaiting awaiting(run, what);
  const TimePoint deadline = std::chrono::steady_clock::now() + run.patience();
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(200us);
  }
  return true;
}

}  // namespace weft::stress
