// What the C++ peers share: clock, scale, quantiles, and the one line format, `row <TAB> value <TAB> unit`.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string>
#include <vector>

namespace harness {

/// Exit status of a program that has no such group of rows.
inline constexpr int kNoSuchGroup = 3;

using Values = std::vector<double>;

/// The published size, times WEFT_BENCH_SCALE.
inline int scaled(int published) {
  const char* scale = std::getenv("WEFT_BENCH_SCALE");
  return scale ? std::max(1, static_cast<int>(published * std::atof(scale) + 0.5)) : published;
}

inline std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
inline double ns_per_item(std::int64_t start, double items) { return static_cast<double>(now_ns() - start) / items; }
inline double millions_per_second(std::int64_t start, double items) { return items * 1000 / static_cast<double>(now_ns() - start); }

inline void report(const std::string& row, const char* unit, double value) {
  std::printf("%s\t%.8g\t%s\n", row.c_str(), value, unit);
  std::fflush(stdout);
}

/// The second of two measurements: the first has filled the allocator and the pools.
template <class Body>
auto warm(Body body) {
  body();
  return body();
}

/// Reorders `values`.
inline double quantile(Values& values, double q) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(q * static_cast<double>(values.size())))];
}

inline double resident_bytes() {
  long all = 0, resident = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (!file || std::fscanf(file, "%ld %ld", &all, &resident) != 2) std::abort();
  std::fclose(file);
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

inline double cpu_ns() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto ns = [](timeval t) { return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_usec) * 1e3; };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

/// Leaves of the largest full ten-way tree that the scale allows.
inline std::int64_t skynet_leaves() {
  std::int64_t leaves = 10;
  while (leaves * 10 <= scaled(1'000'000)) leaves *= 10;
  return leaves;
}

/// xorshift64
struct Random {
  std::uint64_t state;
  explicit Random(std::uint64_t seed) : state(seed * 0x9E3779B97F4A7C15ull | 1) {}
  std::uint64_t operator()() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
  }
};

}  // namespace harness
