#include "runtime/io_wait.hpp"

#include <array>

#include "runtime/caller.hpp"

namespace weft::inline v0::detail {

IoWait wait_fd(int fd, std::uint32_t interest, Duration timeout, int& error) {
  using scheduler::Poller;
  ControlBlock& self = process_here("wait_fd");
  Poller& poller = current_core()->scheduler.poller();
  std::int64_t deadline = current_core()->deadline_after(timeout, "wait_fd");
  const std::uint64_t token = self.pid.id();
  self.descriptor_event.store(0, std::memory_order_relaxed);
  const int armed = poller.arm(fd, interest, token);
  if (armed == Poller::kReadyNow) return IoWait::ready;
  if (armed != 0) {
    error = armed;
    return IoWait::ready;
  }
  struct Disarm {
    Poller& poller;
    int fd;
    std::uint64_t token;
    bool done = false;
    ~Disarm() {
      // Unwinding: an event that is on its way already finds a dead process.
      if (!done) poller.disarm(fd, token);
    }
  } armed_here{poller, fd, token};
  for (;;) {
    if (const std::uint32_t event = self.descriptor_event.load(std::memory_order_acquire); event != 0) {
      armed_here.done = true;
      return (event & Poller::kClosed) != 0 ? IoWait::closed : IoWait::ready;
    }
    if (deadline != kNever && current_core()->scheduler.now_ns() >= deadline) {
      if (poller.disarm(fd, token)) {
        armed_here.done = true;
        return IoWait::timed_out;
      }
      deadline = kNever;  // Its event is on the way: it must not be mistaken for one of the next wait.
    }
    park(self, deadline, Waiting::descriptor);
    current_core()->drain(self);
    meet_doom(self);
  }
}

void forget_fd(int fd) noexcept {
  RuntimeCore* core = current_core();
  if (core == nullptr) return;
  std::array<scheduler::Poller::Event, 2> waiters;
  const std::size_t n = core->scheduler.poller().forget(fd, waiters);
  for (std::size_t i = 0; i < n; ++i) core->descriptor_ready(waiters[i].token, waiters[i].ready);
}

void RuntimeCore::descriptor_ready(std::uint64_t token, std::uint32_t ready) noexcept {
  const Pid pid = Pid::from_id(token);
  ControlBlock* const block = slot_of(pid);
  if (block == nullptr) return;
  bool wake = false;
  {
    const std::lock_guard<base::SpinLock> hold(block->lock);
    if (!is_tenant(*block, pid)) return;
    // release pairs with the acquire in wait_fd().
    block->descriptor_event.store(ready, std::memory_order_release);
    wake = kick_locked(*block);
  }
  if (wake) scheduler.ready(*block);
}

}  // namespace weft::detail
