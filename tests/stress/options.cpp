#include "tests/stress/options.hpp"

#include <charconv>
#include <optional>
#include <random>
#include <string_view>

#include "tests/stress/scenarios.hpp"

namespace weft::stress {

namespace {

constexpr std::string_view kUsage =
    "usage: weft_stress [--scenario NAME|all] [--seconds N] [--workers W] [--seed S] [--patience N] [--list] [--help]\n"
    "  --scenario NAME  one of --list; all: one after the other (all)\n"
    "  --seconds N      for how long each scenario works (10)\n"
    "  --workers W      worker threads of each runtime; 0: as many as the machine grants (0)\n"
    "  --seed S         what the random choices start from (drawn, and printed)\n"
    "  --patience N     seconds after which an unanswered signal is a hang (60; 180 under a sanitizer)\n"
    "exit code: 0 when every invariant held, 1 when one did not, 2 for a bad command line\n";

Usage bad(const std::string& text) { return {"weft_stress: " + text + "\n" + std::string(kUsage), 2}; }

Usage list() {
  std::string text;
  for (const Scenario& scenario : scenarios()) {
    if (scenario.hidden) continue;
    text.append(scenario.name).append(20 - scenario.name.size(), ' ').append(scenario.what).append("\n");
  }
  return {text, 0};
}

std::optional<std::uint64_t> number(std::string_view text, std::uint64_t smallest, std::uint64_t largest) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value < smallest || value > largest) return std::nullopt;
  return value;
}

}  // namespace

std::variant<Options, Usage> parse_options(int argc, const char* const* argv) {
  constexpr std::uint64_t kOneWeek = 7 * 24 * 3600;
  Options options;
  // std::random_device gives 32 bits; a seed is typed by hand, so that is plenty.
  options.settings.seed = std::random_device{}();
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--help" || name == "-h") return Usage{std::string(kUsage), 0};
    if (name == "--list") return list();
    if (name != "--scenario" && name != "--seconds" && name != "--workers" && name != "--seed" && name != "--patience") {
      return bad("no option " + std::string(name));
    }
    if (i + 1 == argc) return bad(std::string(name) + " needs a value");
    const std::string_view text = argv[++i];
    if (name == "--scenario") {
      if (text != "all" && find_scenario(text) == nullptr) return bad("no scenario '" + std::string(text) + "'; --list names them");
      options.scenario = text;
      continue;
    }
    const bool is_seed = name == "--seed";
    const bool is_workers = name == "--workers";
    const auto value = number(text, is_seed || is_workers ? 0 : 1, is_seed ? UINT64_MAX : is_workers ? 1024 : kOneWeek);
    if (!value) return bad(std::string(name) + " does not take '" + std::string(text) + "'");
    if (is_seed) options.settings.seed = *value;
    if (is_workers) options.settings.workers = static_cast<unsigned>(*value);
    if (name == "--seconds") options.settings.duration = std::chrono::seconds(*value);
    if (name == "--patience") options.settings.patience = std::chrono::seconds(*value);
  }
  return options;
}

}  // namespace weft::stress
