// What a runtime counts: what may be used up, and what happened.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <weft/pid.hpp>

#include "mailbox/base/cache_line.hpp"

namespace weft::inline v0::detail {

/// How many of something may be used at once. Counted only where somebody set a limit below the table's own, so that nobody else pays.
class Quota {
 public:
  explicit Quota(std::size_t limit) noexcept : limit_(limit), counts_(limit < (std::size_t{1} << Pid::kIndexBits)) {}
  [[nodiscard]] bool take() noexcept {
    if (!counts_) return true;
    std::size_t used = used_.load(std::memory_order_relaxed);
    while (used < limit_) {
      if (used_.compare_exchange_weak(used, used + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  void give_back() noexcept {
    if (counts_) used_.fetch_sub(1, std::memory_order_relaxed);
  }

 private:
  const std::size_t limit_;
  const bool counts_;
  std::atomic<std::size_t> used_{0};
};

/// Counters of one worker, or of all other threads together. The owner of a worker's adds without a locked operation.
struct alignas(base::kCacheLine) Counters {
  std::atomic<std::uint64_t> spawned{0}, finished{0}, messages{0}, shed{0}, dead_letters{0}, exits{0}, downs{0};
  // Made minus gone; of one worker alone they may wrap below zero.
  std::atomic<std::uint64_t> links{0}, monitors{0}, timers{0};
};

}  // namespace weft::detail
