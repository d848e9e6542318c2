#pragma once

#include <cstddef>

namespace weft::inline v0::base {

/// Bytes that travel together between cores. Our own constant: std::hardware_destructive_interference_size warns under GCC 12 because
/// its value may differ between translation units.
inline constexpr std::size_t kCacheLine = 64;

}  // namespace weft::base
