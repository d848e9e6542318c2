// The one place where a process waits for a descriptor.
#pragma once

#include <weft/clock.hpp>

#include <cstdint>

namespace weft::inline v0::detail {

enum class IoWait : std::uint8_t { ready, timed_out, closed };

/// Suspends the calling process until `fd` is ready for `interest` (scheduler::Poller::kRead/kWrite, its flags beside them) or the
/// deadline. Throws NotInProcess and the kill token, nothing of net. `error` gets an errno of the poller, or stays as it is.
IoWait wait_fd(int fd, std::uint32_t interest, Duration timeout, int& error);

/// Called before close(): those who wait for `fd` are woken with IoWait::closed. Any thread; outside a process it may do nothing.
void forget_fd(int fd) noexcept;

}  // namespace weft::detail
