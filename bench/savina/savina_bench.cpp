// The Savina programs under Google Benchmark: savina_<name>/workers:<N>, for one worker, two, and all that the machine grants.
//
// --scale=F or WEFT_BENCH_SCALE=F does the F-fold of the published work; the flag goes before the variable. A run whose result is wrong
// is reported as an error, and the exit code is 1. The counter `value` is the median time of a run in milliseconds.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <set>

#include "bench/savina/savina.hpp"

namespace {

bool any_failed = false;

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void measure(benchmark::State& state, const savina::Entry& entry, savina::Scale scale) {
  using Clock = std::chrono::steady_clock;
  try {
    weft::Runtime runtime({.workers = static_cast<unsigned>(state.range(0))});
    std::vector<double> milliseconds;
    for ([[maybe_unused]] auto _ : state) {
      state.PauseTiming();
      const std::unique_ptr<savina::Program> program = entry.make(scale);
      state.ResumeTiming();
      const auto start = Clock::now();
      savina::run(runtime, *program);
      milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
      state.PauseTiming();
      program->check();
      state.ResumeTiming();
    }
    state.counters["value"] = median(milliseconds);
    state.SetLabel("ms");
  } catch (const std::exception& error) {
    any_failed = true;
    state.SkipWithError(error.what());
  }
}

double parse_scale(const std::string& text) {
  char* end = nullptr;
  const double factor = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') throw std::invalid_argument("the scale must be a number, not '" + text + "'");
  return factor;
}

/// Takes --scale out of the arguments.
savina::Scale scale_of(std::vector<char*>& arguments) {
  constexpr std::string_view kFlag = "--scale=";
  const char* variable = std::getenv("WEFT_BENCH_SCALE");
  double factor = variable ? parse_scale(variable) : 1;
  std::erase_if(arguments, [&](const char* argument) {
    const std::string_view text = argument;
    if (!text.starts_with(kFlag)) return false;
    factor = parse_scale(std::string(text.substr(kFlag.size())));
    return true;
  });
  return savina::Scale(factor);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::vector<char*> arguments(argv, argv + argc);
    const savina::Scale scale = scale_of(arguments);
    // One repetition is one run: Google Benchmark would else repeat it until half a second of this thread's processor time has passed. It
    // comes first, so that the caller's flags prevail.
    std::string once = "--benchmark_min_time=1e-9";
    arguments.insert(arguments.begin() + 1, once.data());

    std::set<unsigned> workers{1, 2};
    workers.insert(weft::Runtime().stats().workers);
    for (const savina::Entry& entry : savina::programs()) {
      auto* one = benchmark::RegisterBenchmark(("savina_" + std::string(entry.name)).c_str(), measure, entry, scale);
      one->ArgName("workers")->Unit(benchmark::kMillisecond);
      for (const unsigned count : workers) one->Arg(count);
    }
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
  } catch (const std::exception& error) {
    std::cerr << "savina_bench: " << error.what() << '\n';
    return 2;
  }
  return any_failed ? 1 : 0;
}
