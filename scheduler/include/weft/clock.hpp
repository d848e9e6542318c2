// Units of time, and which clock a runtime follows.
#pragma once

#include <chrono>
#include <cstdint>

namespace weft::inline v0 {

/// Of time limits and periods. Any std::chrono duration of whole units converts to it.
using Duration = std::chrono::nanoseconds;
/// A moment of the runtime's clock, steady or virtual; see now().
using TimePoint = std::chrono::steady_clock::time_point;

/// A wait without end. Whatever would overflow the clock means the same (CPP-21).
inline constexpr Duration forever = Duration::max();

/// What a runtime's timers and time limits follow.
enum class Clock : std::uint8_t {
  steady,        ///< std::chrono::steady_clock
  virtual_time,  ///< stands still until Runtime::advance(); for tests
};

}  // namespace weft
