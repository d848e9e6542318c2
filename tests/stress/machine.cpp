#include "tests/stress/machine.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mutex>
#include <string>

namespace weft::stress {

namespace {

/// Whoever opens a file here holds it, so that nobody counts another's: the progress is reported by a thread of its own.
std::mutex files_mutex;

/// The number behind `key` in a file of lines such as "Threads:  12 kB"; `otherwise` where there is none.
std::uint64_t field(const char* path, const std::string& key, std::uint64_t otherwise) {
  const std::lock_guard<std::mutex> hold(files_mutex);
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    std::uint64_t value = 0;
    if (word == key && file >> value) return value;
  }
  return otherwise;
}

/// A file that holds one number; no limit where it holds none.
std::uint64_t number_in(const char* path) {
  const std::lock_guard<std::mutex> hold(files_mutex);
  std::uint64_t value = std::numeric_limits<std::uint64_t>::max();
  std::ifstream file(path);
  if (!(file >> value)) return std::numeric_limits<std::uint64_t>::max();
  return value;
}

}  // namespace

std::size_t open_descriptors() {
  using Directory = std::filesystem::directory_iterator;
  const std::lock_guard<std::mutex> hold(files_mutex);
  // The listing itself holds one.
  return static_cast<std::size_t>(std::distance(Directory("/proc/self/fd"), Directory())) - 1;
}

std::size_t threads() { return field("/proc/self/status", "Threads:", 0); }

std::uint64_t resident_bytes() { return field("/proc/self/status", "VmRSS:", 0) * 1024; }

std::uint64_t available_memory_bytes() {
  const std::uint64_t machine = field("/proc/meminfo", "MemAvailable:", std::uint64_t{4} << 20) * 1024;
  const std::uint64_t limit = number_in("/sys/fs/cgroup/memory.max");
  const std::uint64_t used = number_in("/sys/fs/cgroup/memory.current");
  if (limit == std::numeric_limits<std::uint64_t>::max() || used >= limit) return machine;
  return std::min(machine, limit - used);
}

}  // namespace weft::stress
