#pragma once

#include <cstddef>

namespace weft::inline v0::scheduler {

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;

}  // namespace weft::inline v0::scheduler
