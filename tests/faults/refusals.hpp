// What the system refuses, or answers, on a test's behalf: this program has pthread_create, mmap, mprotect and clock_gettime of its own.
#pragma once

#include <cstdint>

namespace weft::test {

/// While one lives, the system makes no thread, or only some: `let_through` at first, then one in `every` is refused.
class NoThreads {
 public:
  explicit NoThreads(int let_through = 0, int every = 1);
  ~NoThreads();
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;
  [[nodiscard]] int refused() const;
};

/// While one lives, one in `every` mappings and changes of protection is refused with ENOMEM. The C library's own memory is left alone.
class NoMappings {
 public:
  explicit NoMappings(int every = 1);
  ~NoMappings();
  NoMappings(const NoMappings&) = delete;
  NoMappings& operator=(const NoMappings&) = delete;
  [[nodiscard]] int refused() const;
};

/// While one lives, the steady clock stands still but for what the test moves it. The system's own waits go by the real one: they end too
/// early while this one stands, and too late after a jump, as seen from the program.
class HandSetClock {
 public:
  HandSetClock();
  ~HandSetClock();
  HandSetClock(const HandSetClock&) = delete;
  HandSetClock& operator=(const HandSetClock&) = delete;
  void advance(std::int64_t nanoseconds);
  /// How often it was looked at.
  [[nodiscard]] std::uint64_t looks() const;
};

}  // namespace weft::test
