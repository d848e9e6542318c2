#pragma once

#include <atomic>
#include <cstdint>

namespace weft::inline v0::scheduler {

/// Orders the threads that use a moodycamel queue: one that begins has acquired what all released that ended before.
///
/// moodycamel knows a thread by the address of a thread-local, so one that gets the place of an ended thread goes on with that one's
/// stream. The system orders the two inside, where neither the language nor ThreadSanitizer sees it.
class ThreadLife {
 public:
  /// At each use of a queue; acts at a thread's first.
  static void begin() noexcept { static thread_local const ThreadLife life; }

  ThreadLife(const ThreadLife&) = delete;
  ThreadLife& operator=(const ThreadLife&) = delete;
  ~ThreadLife() { ended_.fetch_add(1, std::memory_order_release); }

 private:
  ThreadLife() noexcept { (void)ended_.load(std::memory_order_acquire); }

  static inline constinit std::atomic<std::uint64_t> ended_{0};
};

}  // namespace weft::scheduler
