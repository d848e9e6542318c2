#include "tests/stress/scenarios.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace weft::stress {

namespace {

constexpr std::array kScenarios{
    Scenario{"graph", "a random graph of processes that do everything to each other at once", graph},
    Scenario{"kill_storm", "up to 1,000,000 processes killed from all sides", kill_storm},
    Scenario{"cascade", "one exit runs along a chain of up to 1,000,000 links", cascade},
    Scenario{"registration_race", "many processes want few names, and die with them", registration_race},
    Scenario{"timer_race", "timers are cancelled while they fire", timer_race},
    Scenario{"stolen_sender", "a sender is moved to another worker between two sends", stolen_sender},
    Scenario{"overload", "bounded mailboxes get 100 times what they hold, and signals too", overload},
    Scenario{"spawn_limits", "processes, stacks and timers at their limits", spawn_limits},
    Scenario{"shutdown", "the runtime stops at a random moment", shutdown_any_time},
    Scenario{"host_threads", "plain threads come, use the runtime and go", host_threads},
    Scenario{"planted_violation", "breaks an invariant: a test of this program", planted_violation, true},
    Scenario{"planted_hang", "waits for ever: a test of this program", planted_hang, true},
};

}  // namespace

std::span<const Scenario> scenarios() noexcept { return kScenarios; }

const Scenario* find_scenario(std::string_view name) noexcept {
  const auto found = std::find_if(kScenarios.begin(), kScenarios.end(), [&](const Scenario& scenario) { return scenario.name == name; });
  return found == kScenarios.end() ? nullptr : std::to_address(found);
}

}  // namespace weft::stress
