// A thread that stands still at one of the places that exploration knows, until a test lets it go on.
#pragma once

#include <string>
#include <string_view>

namespace weft::test {

/// Stops one thread at a point of weft's own code (base::explore_point), as the kernel may at any instruction, for as long as the test
/// wants. Nobody else is held up. One at a time in the program.
class Stop {
 public:
  enum class Who {
    a_worker,         // the first thread of any runtime's that comes by
    a_watchdog,       // of any runtime's
    a_marked_thread,  // the first that called mark(), and did not come by since
  };

  /// The thread that comes by the place for the time `passes + 1` stops.
  explicit Stop(std::string_view place, Who who = Who::a_worker, int passes = 0);
  ~Stop() { let_go(); }
  Stop(const Stop&) = delete;
  Stop& operator=(const Stop&) = delete;

  /// The calling thread is meant, at its next point of that name: called by a process just before the call that is to be stopped in.
  static void mark() noexcept;

  /// Waits until a thread stands there. False when none came for longer than any machine takes.
  [[nodiscard]] bool reached();
  /// Does it stand there still?
  [[nodiscard]] bool holds();
  void let_go();
};

}  // namespace weft::test
