#pragma once

#include <atomic>
#include <cstdint>

#include "mailbox/base/explore.hpp"
#include "mailbox/base/spin_wait.hpp"

namespace weft::inline v0::base {

/// A lock of one byte for critical sections of a few dozen instructions that call nothing unknown and never suspend.
/// Works with std::lock_guard. Not recursive. Not on the path of send and receive (DESIGN 3.4).
class SpinLock {
 public:
  void lock() noexcept {
    explore_wait("lock", [this] { return locked_.load(std::memory_order_relaxed) == 0; });
    // acquire pairs with the release in unlock(): the section sees what the last holder wrote.
    if (locked_.exchange(1, std::memory_order_acquire) != 0) [[unlikely]]
      lock_held();
  }
  [[nodiscard]] bool try_lock() noexcept {
    explore_point("try lock");
    return locked_.load(std::memory_order_relaxed) == 0 && locked_.exchange(1, std::memory_order_acquire) == 0;
  }
  void unlock() noexcept { locked_.store(0, std::memory_order_release); }

 private:
  // Apart, so that what holds a lock for a few instructions is not all waiting.
  [[gnu::noinline, gnu::cold]] void lock_held() noexcept {
    do {
      SpinWait wait;
      while (locked_.load(std::memory_order_relaxed) != 0) wait.once();  // Read only: no line transfer while it is held.
    } while (locked_.exchange(1, std::memory_order_acquire) != 0);
  }

  std::atomic<std::uint8_t> locked_{0};
};

}  // namespace weft::base
