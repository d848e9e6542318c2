#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

namespace weft::inline v0::scheduler {

enum class ParkResult { woken, timed_out };

/// Where one worker sleeps: a token that anyone may leave and that one thread waits for.
///
/// P1  A token left before or during a park ends it: no unpark() is lost. Tokens do not add up.
/// P2  What every thread wrote before its unpark() is visible after the park() that took the token, also when several threads left
///     one and only the last could be seen.
/// P3  A system call is made by park() only if there is no token, and by unpark() only if the state was asleep.
///
/// state_  anyone writes kToken; kNothing and kAsleep are written by the parking thread only
///
/// std::atomic::wait knows no deadline, hence the futex. Outlives every unpark() under way.
class Parker {
 public:
  static constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

  Parker() = default;
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  /// Takes the token, sleeping until there is one or the steady clock reaches `deadline_ns`. One thread at a time.
  ParkResult park(std::int64_t deadline_ns) noexcept;

  /// The parking thread, which is about to sleep elsewhere and has announced that: takes the token, if there is one. seq_cst: after
  /// the announcement, as the waker looks for the announcement after leaving the token.
  [[nodiscard]] bool take_token() noexcept { return state_.exchange(kNothing, std::memory_order_seq_cst) == kToken; }

  /// Leaves the token, and wakes the thread if it sleeps. Any thread. Returns whether that took a system call.
  bool unpark() noexcept;

 private:
  static constexpr std::uint32_t kNothing = 0;
  static constexpr std::uint32_t kToken = 1;
  static constexpr std::uint32_t kAsleep = 2;

  std::atomic<std::uint32_t> state_{kNothing};
};

}  // namespace weft::scheduler
