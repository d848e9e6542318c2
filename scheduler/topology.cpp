#include "scheduler/topology.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace weft::inline v0::scheduler {
namespace {

namespace fs = std::filesystem;

enum class Version : std::uint8_t { v1, v2 };

/// A mounted hierarchy that controls CPU time.
struct Mount {
  Version version;
  fs::path root;   // the cgroup that is visible at `point`
  fs::path point;  // where
};

bool lists(std::string_view commas, std::string_view word) {
  while (!commas.empty()) {
    const std::size_t end = std::min(commas.find(','), commas.size());
    if (commas.substr(0, end) == word) return true;
    commas.remove_prefix(std::min(end + 1, commas.size()));
  }
  return false;
}

/// mountinfo writes a blank in a path as \040, and likewise tab, newline and backslash.
std::string unescaped(std::string_view text) {
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) && is_octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

/// Lines of proc/self/mountinfo: "id parent major:minor root point options [tag...] - type source super_options".
std::vector<Mount> cpu_mounts(const fs::path& root) {
  std::vector<Mount> mounts;
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string ignored, visible, point, word, type, options;
    words >> ignored >> ignored >> ignored >> visible >> point;
    while (words >> word && word != "-") {
    }
    words >> type >> ignored >> options;
    if (type == "cgroup2") {
      mounts.push_back({Version::v2, unescaped(visible), unescaped(point)});
    } else if (type == "cgroup" && lists(options, "cpu")) {
      mounts.push_back({Version::v1, unescaped(visible), unescaped(point)});
    }
  }
  return mounts;
}

/// This process's cgroup in the hierarchy of `version`, from lines "id:controllers:path"; version 2 is the one without controllers.
std::optional<fs::path> own_cgroup(const fs::path& root, Version version) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    if (first == std::string::npos) continue;
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    if (version == Version::v2 ? controllers.empty() : lists(controllers, "cpu")) return fs::path(line.substr(second + 1));
  }
  return std::nullopt;
}

/// `inner` seen from `outer`; empty when `inner` is not below it, as in a container that sees its own cgroup as the root.
fs::path below(const fs::path& inner, const fs::path& outer) {
  const fs::path relative = inner.lexically_normal().lexically_relative(outer.lexically_normal());
  return relative.empty() || relative == "." || *relative.begin() == ".." ? fs::path() : relative;
}

std::optional<std::int64_t> parsed(std::string_view text) {
  std::int64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

std::string word_of(const fs::path& path, int index) {
  std::ifstream file(path);
  std::string word;
  for (int i = 0; i <= index; ++i) {
    if (!(file >> word)) return {};
  }
  return word;
}

/// The limit that `directory` itself sets.
unsigned limit_of(const fs::path& directory, Version version) {
  constexpr std::int64_t kDefaultPeriodUs = 100'000;
  const bool is_v2 = version == Version::v2;
  // cpu.max is "quota period", a quota of "max" being none; in version 1 a negative quota is none.
  const std::optional<std::int64_t> quota = parsed(word_of(directory / (is_v2 ? "cpu.max" : "cpu.cfs_quota_us"), 0));
  if (!quota || *quota <= 0) return kNoCoreLimit;
  const std::int64_t period =
      parsed(is_v2 ? word_of(directory / "cpu.max", 1) : word_of(directory / "cpu.cfs_period_us", 0)).value_or(kDefaultPeriodUs);
  if (period <= 0) return kNoCoreLimit;
  return static_cast<unsigned>(std::min<std::int64_t>((*quota - 1) / period + 1, kNoCoreLimit));
}

}  // namespace

unsigned affinity_cores() {
  // The kernel answers EINVAL while the mask is smaller than its own.
  for (std::size_t cores = CPU_SETSIZE; cores <= (std::size_t{1} << 20); cores *= 2) {
    const std::size_t words = CPU_ALLOC_SIZE(cores) / sizeof(cpu_set_t) + 1;
    const auto mask = std::make_unique<cpu_set_t[]>(words);
    const std::size_t bytes = words * sizeof(cpu_set_t);
    if (sched_getaffinity(0, bytes, mask.get()) == 0) return static_cast<unsigned>(std::max(CPU_COUNT_S(bytes, mask.get()), 1));
    if (errno != EINVAL) break;
  }
  return std::max(std::thread::hardware_concurrency(), 1U);
}

unsigned cgroup_core_limit(const std::filesystem::path& root) {
  unsigned limit = kNoCoreLimit;
  for (const Mount& mount : cpu_mounts(root)) {
    const std::optional<fs::path> own = own_cgroup(root, mount.version);
    if (!own) continue;
    fs::path inside = below(*own, mount.root);
    const fs::path top = root / mount.point.relative_path();
    // A quota binds everything below the cgroup that sets it.
    for (;;) {
      limit = std::min(limit, limit_of(top / inside, mount.version));
      if (inside.empty()) break;
      inside = inside.parent_path();
    }
  }
  return limit;
}

unsigned usable_cores(const std::filesystem::path& root) { return std::min(affinity_cores(), cgroup_core_limit(root)); }

}  // namespace weft::scheduler
