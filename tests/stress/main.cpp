// weft_stress: runs scenarios that try to break weft, and says whether they did.
#include <exception>
#include <iostream>
#include <variant>

#include "tests/stress/machine.hpp"
#include "tests/stress/options.hpp"
#include "tests/stress/progress.hpp"
#include "tests/stress/scenarios.hpp"

namespace weft::stress {

namespace {

bool run_scenario(const Scenario& scenario, const Settings& settings) {
  Run run(scenario.name, settings);
  {
    const Progress progress(run, scenario.name);
    try {
      scenario.run(run);
    } catch (const std::exception& error) {
      run.require(false, "the scenario threw: ", error.what());
    }
    run.require_flat_memory();
  }
  const std::size_t broken = run.violations().size();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - run.started()).count();
  std::cout << (broken == 0 ? "held   " : "FAILED ") << scenario.name << ": " << run.operations() << " operations and " << run.checks()
            << " checks in " << seconds << " s, " << broken << " broken invariants, seed " << settings.seed << std::endl;
  return broken == 0;
}

int run_all(const Options& options) {
  int failed = 0;
  for (const Scenario& scenario : scenarios()) {
    if (options.scenario == "all" ? scenario.hidden : options.scenario != scenario.name) continue;
    if (!run_scenario(scenario, options.settings)) ++failed;
  }
  std::cout << (failed == 0 ? "verdict: every invariant held" : "verdict: invariants were broken") << ", seed " << options.settings.seed
            << std::endl;
  return failed == 0 ? 0 : 1;
}

}  // namespace

}  // namespace weft::stress

int main(int argc, char** argv) {
  const auto parsed = weft::stress::parse_options(argc, argv);
  if (const auto* usage = std::get_if<weft::stress::Usage>(&parsed)) {
    (usage->exit_code == 0 ? std::cout : std::cerr) << usage->text;
    return usage->exit_code;
  }
  return weft::stress::run_all(std::get<weft::stress::Options>(parsed));
}
