// weft_differential: plays scripts (script.hpp) on weft, and prints what happened. tools/differential compares it with Erlang.
#include <charconv>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

#include "tests/differential/conductor.hpp"

namespace {

constexpr std::string_view kUsage =
    "usage: weft_differential [--workers W] [--lose-a-down] FILE\n"
    "  --workers W    worker threads; 0: as many as the machine grants (0)\n"
    "  --lose-a-down  a planted error: in each script the first DOWN that is seen disappears\n"
    "Prints the trace of each script in FILE. Exit code: 0, or 2 for a bad command line or file.\n";

int refuse(const std::string& why) {
  std::cerr << "weft_differential: " << why << '\n' << kUsage;
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  weft::differential::Conductor::Settings settings;
  std::string file;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") return std::cout << kUsage, 0;
    if (argument == "--lose-a-down") {
      settings.loses_a_down = true;
    } else if (argument == "--workers") {
      const std::string_view value = i + 1 < argc ? argv[++i] : "";
      const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), settings.workers);
      if (error != std::errc{} || stop != value.data() + value.size() || settings.workers > 1024) {
        return refuse("--workers does not take '" + std::string(value) + "'");
      }
    } else if (argument.starts_with('-') || !file.empty()) {
      return refuse("no option " + std::string(argument));
    } else {
      file = argument;
    }
  }
  if (file.empty()) return refuse("no file of scripts given");
  std::ifstream in(file);
  if (!in) return refuse("cannot read " + file);
  try {
    const auto scripts = weft::differential::read_scripts(in);
    weft::differential::Conductor conductor(settings);
    for (const auto& script : scripts) {
      conductor.play(script, std::cout);
      std::cout.flush();  // A crash in the next script must not take this trace with it.
    }
  } catch (const weft::differential::BadScript& error) {
    std::cerr << "weft_differential: " << file << ": " << error.what() << '\n';
    return 2;
  }
  return std::cout.flush() ? 0 : 2;
}
