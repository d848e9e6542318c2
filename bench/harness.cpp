#include "bench/harness.hpp"

#include <benchmark/benchmark.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>

namespace weft::bench {
namespace {

double scale() {
  const char* text = std::getenv("WEFT_BENCH_SCALE");
  if (text == nullptr) return 1;
  double value = 0;
  const std::string_view view(text);
  const auto [end, error] = std::from_chars(view.data(), view.data() + view.size(), value);
  if (error != std::errc{} || end != view.data() + view.size() || !(value > 0)) {
    std::fprintf(stderr, "WEFT_BENCH_SCALE: '%s' is not a number above 0\n", text);
    std::exit(2);
  }
  return value;
}

cpu_set_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) throw std::runtime_error("sched_getaffinity failed");
  return set;
}

/// While it lives, this thread and those it starts run on the first `cores` usable cores only, as if the program ran under taskset. With
/// one worker a host thread so shares the worker's core.
class Pinning {
 public:
  explicit Pinning(unsigned cores) : before_(usable_cores()) {
    cpu_set_t some;
    CPU_ZERO(&some);
    unsigned taken = 0;
    for (int core = 0; core < CPU_SETSIZE && taken < cores; ++core) {
      if (!CPU_ISSET(core, &before_)) continue;
      CPU_SET(core, &some);
      ++taken;
    }
    ::sched_setaffinity(0, sizeof some, &some);
  }
  Pinning(const Pinning&) = delete;
  Pinning& operator=(const Pinning&) = delete;
  ~Pinning() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_;
};

std::set<unsigned> worker_counts() {
  const cpu_set_t set = usable_cores();
  const auto all = static_cast<unsigned>(CPU_COUNT(&set));
  std::set<unsigned> counts{1, std::min(2u, all), all};
  return counts;
}

RuntimeOptions options_for(unsigned workers) { return {.workers = workers, .log_level = LogLevel::off, .watchdog = 0s}; }

// What the child of measure_in_child() writes: 'v' and the figures as text, or 'e' and what went wrong.
std::vector<double> parse_report(const std::string& report, std::size_t rows) {
  if (report.empty()) throw WrongResult("the process that measured it died");
  if (report.front() == 'e') throw WrongResult(report.substr(1));
  std::vector<double> values;
  const char* at = report.data() + 1;
  for (char* end = nullptr;; at = end) {
    const double value = std::strtod(at, &end);
    if (end == at) break;
    values.push_back(value);
  }
  if (values.size() != rows) throw WrongResult("the process that measured it reported too few figures");
  return values;
}

[[noreturn]] void report_and_leave(int fd, const Work& work, unsigned workers) {
  std::string report = "v";
  try {
    const Pinning pinning(workers);
    Runtime runtime(options_for(workers));
    for (const double value : work(runtime)) report += ' ' + std::to_string(value);
    if (::write(fd, report.data(), report.size()) < 0) ::_exit(1);
    ::_exit(0);  // A million processes need not be unwound first.
  } catch (const std::exception& error) {
    report = std::string("e") + error.what();
  }
  (void)!::write(fd, report.data(), report.size());
  ::_exit(1);
}

/// This program must have no second thread: the child has a copy of the calling one only.
std::vector<double> measure_in_child(const Work& work, unsigned workers, std::size_t rows) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("no fork");
  if (child == 0) {
    ::close(ends[0]);
    report_and_leave(ends[1], work, workers);
  }
  ::close(ends[1]);
  std::string report;
  char buffer[512];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;) report.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return parse_report(report, rows);
}

struct Sample {
  std::vector<double> values;
  std::string error;
};

/// One piece of work on so many workers, and what came of it so far. The n-th repetition of each of its rows shows the n-th sample.
class Measurement {
 public:
  Measurement(const Work& work, Where where, std::size_t rows, unsigned workers)
      : work_(work), where_(where), rows_(rows), workers_(workers) {}

  const Sample& sample(std::size_t repetition) {
    while (samples_.size() <= repetition) samples_.push_back(measure());
    return samples_[repetition];
  }
  /// Ends the runtime, so that the next measurement has the machine for itself.
  void rest() {
    runtime_.reset();
    pinning_.reset();
  }

 private:
  Sample measure() {
    try {
      if (where_ == Where::own_process) return {measure_in_child(work_, workers_, rows_), {}};
      if (!runtime_) {
        pinning_ = std::make_unique<Pinning>(workers_);
        runtime_ = std::make_unique<Runtime>(options_for(workers_));
      }
      return {work_(*runtime_), {}};
    } catch (const std::exception& error) {
      return {{}, error.what()};
    }
  }

  const Work& work_;
  const Where where_;
  const std::size_t rows_;
  const unsigned workers_;
  std::unique_ptr<Pinning> pinning_;
  std::unique_ptr<Runtime> runtime_;  // after pinning_, so that it ends first
  std::vector<Sample> samples_;
};

}  // namespace

std::size_t scaled(std::size_t published, std::size_t least) {
  return std::max(least, static_cast<std::size_t>(std::llround(static_cast<double>(published) * scale())));
}

double quantile(std::vector<double>& values, double q) {
  std::sort(values.begin(), values.end());
  return values.at(std::min(values.size() - 1, static_cast<std::size_t>(q * static_cast<double>(values.size()))));
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double all = 0;
  double resident = 0;
  if (!(statm >> all >> resident)) throw std::runtime_error("/proc/self/statm cannot be read");
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

void need_memory(std::size_t n, std::size_t bytes) {
  std::ifstream info("/proc/meminfo");
  for (std::string word; info >> word;) {
    std::size_t kibibytes = 0;
    if (word != "MemAvailable:" || !(info >> kibibytes)) continue;
    expect(kibibytes > (n * bytes + n * bytes / 4) / 1024, "not enough free memory on this machine");
    return;
  }
}

double cpu_ns() {
  timespec used{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) throw std::runtime_error("no clock of processor time");
  return static_cast<double>(used.tv_sec) * 1e9 + static_cast<double>(used.tv_nsec);
}

void await_empty(Runtime& runtime) {
  const Stopwatch since;
  while (runtime.stats().live != 0) {
    expect(since.ns() < std::chrono::duration<double, std::nano>(kPatience).count(), "processes that must end did not");
    std::this_thread::sleep_for(1ms);
  }
}

void Suite::add(std::string name, std::string unit, std::function<double(Runtime&)> work, Where where) {
  add(
      {{std::move(name), std::move(unit)}}, [work = std::move(work)](Runtime& runtime) { return std::vector{work(runtime)}; }, where);
}

void Suite::add(std::vector<Row> rows, Work work, Where where, unsigned least_workers) {
  entries_.push_back({std::move(rows), std::move(work), where, least_workers});
}

int Suite::run(int argc, char** argv) {
  // One repetition is one piece of work, however short: Google Benchmark would else repeat it until half a second has passed. It comes
  // first, so that the caller's flags prevail.
  std::string once = "--benchmark_min_time=1e-9";
  std::vector<char*> arguments(argv, argv + argc);
  arguments.insert(arguments.begin() + 1, once.data());
  int count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 1;

  bool wrong = false;
  Measurement* last = nullptr;
  for (const unsigned workers : worker_counts()) {
    for (const Entry& entry : entries_) {
      if (workers < entry.least_workers) continue;
      const auto measurement = std::make_shared<Measurement>(entry.work, entry.where, entry.rows.size(), workers);
      for (std::size_t index = 0; index < entry.rows.size(); ++index) {
        const Row& row = entry.rows[index];
        auto show = [&, measurement, index, repetition = std::size_t{0}](benchmark::State& state) mutable {
          if (last != nullptr && last != measurement.get()) last->rest();
          last = measurement.get();
          for ([[maybe_unused]] auto _ : state) {
            const Sample& sample = measurement->sample(repetition++);
            if (!sample.error.empty()) {
              wrong = true;
              state.SkipWithError(sample.error.c_str());
              break;
            }
            state.counters["value"] = sample.values.at(index);
          }
          state.SetLabel(row.unit);
        };
        benchmark::RegisterBenchmark((row.name + "/workers:" + std::to_string(workers)).c_str(), std::move(show));
      }
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  if (last != nullptr) last->rest();
  benchmark::Shutdown();
  return wrong ? 1 : 0;
}

}  // namespace weft::bench
