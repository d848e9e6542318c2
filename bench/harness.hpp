// What every benchmark program is made of: rows, their figures, and a runtime of so many workers to measure them in.
//
// A program fills a Suite and runs it. Each row is the benchmark `<row>/workers:<N>` of Google Benchmark, for N of 1, 2 and all cores. One
// repetition is one piece of work of the published size; its figure is the counter `value`, in the unit that is the label. The times that
// Google Benchmark itself prints are those of the whole repetition, preparations included, and mean nothing else.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <weft/weft.hpp>

namespace weft::bench {

using namespace std::chrono_literals;

/// A piece of work came to a wrong result: its row is an error, not a figure.
class WrongResult : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
inline void expect(bool holds, const char* what) {
  if (!holds) throw WrongResult(what);
}

/// `published` times WEFT_BENCH_SCALE (1 when not set), but at least `least`.
std::size_t scaled(std::size_t published, std::size_t least = 1);

/// Real time since it was made.
class Stopwatch {
 public:
  double ns() const { return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start_).count(); }
  double ns_per(std::size_t items) const { return ns() / static_cast<double>(items); }
  double millions_per_second(std::size_t items) const { return static_cast<double>(items) * 1000 / ns(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The q-quantile, 0 to 1. Sorts.
double quantile(std::vector<double>& values, double q);
/// Memory of this program that is in RAM.
double resident_bytes();
/// WrongResult unless the machine has pages for n processes of `bytes` each, and some to spare: else it would start to swap or to kill.
void need_memory(std::size_t n, std::size_t bytes);
/// Processor time that this program has used, of all its threads.
double cpu_ns();

/// The same sequence on every machine, one for each seed.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed * 0x9E3779B97F4A7C15u | 1) {}
  std::uint64_t operator()() noexcept {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

 private:
  std::uint64_t state_;
};

/// How long a piece of work waits for a message that must come. Longer than any row takes on a slow and loaded machine.
inline constexpr Duration kPatience = 5min;

/// The next T. WrongResult if none comes: a lost message must not become a benchmark that hangs.
template <class T>
T await() {
  return receive([](T message) { return message; }, after(kPatience, []() -> T { throw WrongResult("a message that must come did not"); }));
}
/// The end of a process that was told to end.
inline void await_end(const JoinHandle& process) {
  expect(JoinHandle(process).join_for(kPatience).has_value(), "a process that must end did not");
}
/// From a plain thread: until no process is left.
void await_empty(Runtime& runtime);

struct Row {
  std::string name;
  std::string unit;
};

/// One figure for each row that it serves. Called on the main thread, once for each repetition.
using Work = std::function<std::vector<double>(Runtime&)>;

enum class Where {
  shared_process,  ///< all repetitions in one runtime of this program
  own_process,     ///< each repetition in a child of its own, where nothing was allocated before: for figures of memory and processor time
};

class Suite {
 public:
  /// One row.
  void add(std::string name, std::string unit, std::function<double(Runtime&)> work, Where where = Where::shared_process);
  /// Several rows that one piece of work yields, in their order: it is done once for all of them. Left out with fewer workers.
  void add(std::vector<Row> rows, Work work, Where where = Where::shared_process, unsigned least_workers = 1);
  /// Takes Google Benchmark's flags, measures and prints. To be returned from main(): 1 for a bad flag or a wrong result.
  int run(int argc, char** argv);

 private:
  struct Entry {
    std::vector<Row> rows;
    Work work;
    Where where;
    unsigned least_workers;
  };
  std::vector<Entry> entries_;
};

}  // namespace weft::bench
