// What the command line of weft_stress says.
#pragma once

#include <string>
#include <variant>

#include "tests/stress/run.hpp"

namespace weft::stress {

struct Options {
  std::string scenario = "all";
  Settings settings;
};

/// A text to print instead of running anything.
struct Usage {
  std::string text;
  int exit_code;
};

[[nodiscard]] std::variant<Options, Usage> parse_options(int argc, const char* const* argv);

}  // namespace weft::stress
