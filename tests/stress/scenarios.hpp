// All scenarios. Each is one file, and one function that works until the run's time is over and requires its invariants as it goes.
#pragma once

#include <span>
#include <string_view>

#include "tests/stress/run.hpp"

namespace weft::stress {

struct Scenario {
  std::string_view name;
  std::string_view what;
  void (*run)(Run& run);
  bool hidden = false;  // not part of `all`: for tests of the program itself
};

[[nodiscard]] std::span<const Scenario> scenarios() noexcept;
/// Null if there is none of that name.
[[nodiscard]] const Scenario* find_scenario(std::string_view name) noexcept;

void graph(Run& run);
void kill_storm(Run& run);
void cascade(Run& run);
void registration_race(Run& run);
void timer_race(Run& run);
void stolen_sender(Run& run);
void overload(Run& run);
void spawn_limits(Run& run);
void shutdown_any_time(Run& run);
void host_threads(Run& run);
void planted_violation(Run& run);
void planted_hang(Run& run);

}  // namespace weft::stress
