// How many cores this program may really use.
#pragma once

#include <filesystem>
#include <limits>

namespace weft::inline v0::scheduler {

inline constexpr unsigned kNoCoreLimit = std::numeric_limits<unsigned>::max();

/// Cores that the calling thread's affinity mask allows; at least 1.
[[nodiscard]] unsigned affinity_cores();

/// The CPU quota of this process's cgroup or of the tightest one around it, in whole cores, rounded up; at least 1. kNoCoreLimit when
/// there is none. Reads cgroup v1 and v2, both in one system too. `root` is the directory that holds proc/ and sys/.
/// What cannot be read limits nothing.
[[nodiscard]] unsigned cgroup_core_limit(const std::filesystem::path& root);

/// The default number of workers: the smaller of the two. A worker beyond it would be throttled in the middle of a process.
[[nodiscard]] unsigned usable_cores(const std::filesystem::path& root = "/");

}  // namespace weft::scheduler
