#include "scheduler/parker.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "mailbox/base/assert.hpp"
#include "mailbox/base/explore.hpp"

namespace weft::inline v0::scheduler {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t), "the kernel reads the word itself");

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

/// Sleeps while the word holds `value`; false once the deadline has passed. FUTEX_WAIT_BITSET because its timeout is absolute and on
/// CLOCK_MONOTONIC, which is the steady clock: an early return needs no arithmetic.
bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value, std::int64_t deadline_ns) noexcept {
  if (base::exploring()) {
    return base::explore_wait(
        "parked", [&] { return word.load(std::memory_order_relaxed) != value; }, deadline_ns);
  }
  timespec deadline{};
  if (deadline_ns > 0) {  // The kernel refuses negative times; they are past, and so is zero.
    deadline.tv_sec = static_cast<std::time_t>(deadline_ns / kNanosecondsPerSecond);
    deadline.tv_nsec = static_cast<long>(deadline_ns % kNanosecondsPerSecond);
  }
  const timespec* timeout = deadline_ns == Parker::kForever ? nullptr : &deadline;
  const long answer = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value, timeout, nullptr, FUTEX_BITSET_MATCH_ANY);
  if (answer == 0) return true;
  WEFT_ASSERT(errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT, "a futex wait ends by a wake, a change, a signal or its deadline");
  return errno != ETIMEDOUT;
}

}  // namespace

ParkResult Parker::park(std::int64_t deadline_ns) noexcept {
  base::explore_point("park worker");
  std::uint32_t seen = kNothing;
  // Relaxed: kNothing was written by this thread, going to sleep publishes nothing, and a failure leaves the token to the exchange.
  if (state_.compare_exchange_strong(seen, kAsleep, std::memory_order_relaxed, std::memory_order_relaxed)) {
    while (state_.load(std::memory_order_relaxed) == kAsleep && futex_wait(state_, kAsleep, deadline_ns)) {
    }
  }
  base::explore_point("park worker: take token");
  // acquire pairs with the release in unpark(). An exchange even after a timeout: a token that came at the last moment is taken, not
  // overwritten (P1), and it reads the last token left, whose release sequence holds all earlier ones (P2).
  return state_.exchange(kNothing, std::memory_order_acquire) == kToken ? ParkResult::woken : ParkResult::timed_out;
}

bool Parker::unpark() noexcept {
  base::explore_point("unpark");
  // Always a write, never only a look at a token already there: whoever left it may have been seen and gone before our work was
  // published, and a look would order nothing for us (P2). An exchange also continues the release sequence of the earlier tokens.
  // release pairs with the acquire in park().
  if (state_.exchange(kToken, std::memory_order_release) != kAsleep) return false;
  if (base::exploring()) return true;
  syscall(SYS_futex, &state_, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, nullptr, nullptr, 0);
  return true;
}

}  // namespace weft::scheduler
