#include "runtime/net_call.hpp"

#include <weft/weft.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>

#include "mailbox/base/assert.hpp"
#include "runtime/io_wait.hpp"
#include "runtime/net_address.hpp"
#include "scheduler/poller.hpp"

namespace weft::inline v0::detail {

namespace {

// Long enough not to burn a core while descriptors are short, short enough not to be felt once one is free.
constexpr Duration kPause = std::chrono::milliseconds(10);

std::string millis(Duration duration) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%.10g ms", std::chrono::duration<double, std::milli>(duration).count());
  return text.data();
}

}  // namespace

// --- Descriptor -------------------------------------------------------------------------------------------------------------------------

Descriptor::Descriptor(Descriptor&& other) noexcept
    : known_to(other.known_to.load(std::memory_order_relaxed)),
      fd_(other.fd_),
      // Nobody else is inside or coming (contract of the owner), so this is no race and needs no order.
      state_(other.state_.exchange(kClosed, std::memory_order_relaxed)) {
  WEFT_ASSERT((state_.load(std::memory_order_relaxed) & ~kClosed) == 0, "a socket was moved while a call used it");
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this == &other) return *this;
  close();
  WEFT_ASSERT(state_.load(std::memory_order_relaxed) == kClosed, "a socket was assigned to while a call used it");
  known_to.store(other.known_to.load(std::memory_order_relaxed), std::memory_order_relaxed);
  fd_ = other.fd_;
  const std::uint32_t state = other.state_.exchange(kClosed, std::memory_order_relaxed);
  WEFT_ASSERT((state & ~kClosed) == 0, "a socket was moved while a call used it");
  state_.store(state, std::memory_order_relaxed);
  return *this;
}

int Descriptor::enter() const noexcept {
  std::uint32_t state = state_.load(std::memory_order_relaxed);
  do {
    if ((state & kClosed) != 0) return -1;
    // relaxed: entering publishes nothing, and what it must not overtake, close(2), needs our leave() first (N2).
  } while (!state_.compare_exchange_weak(state, state + kUser, std::memory_order_relaxed));
  return fd_;
}

void Descriptor::leave() const noexcept {
  // release: our system calls happen before the close. acquire, for the one that closes: after those of all others.
  if (state_.fetch_sub(kUser, std::memory_order_acq_rel) != (kUser | kClosed)) return;
  forget_fd(fd_);
  sys::close(fd_);
}

void Descriptor::close() noexcept {
  std::uint32_t state = state_.load(std::memory_order_relaxed);
  do {
    if ((state & kClosed) != 0) return;
    // Enters while it closes the door, so that the number stays ours below. acq_rel: who is woken by what follows sees kClosed.
  } while (!state_.compare_exchange_weak(state, (state | kClosed) + kUser, std::memory_order_acq_rel, std::memory_order_relaxed));
  if (state != 0) {
    // First the shutdown: a call that is about to wait then finds the socket ready, whichever of the two it comes after.
    sys::shutdown(fd_, SHUT_RDWR);
    forget_fd(fd_);
  }
  leave();
}

// --- Deadline, Call ---------------------------------------------------------------------------------------------------------------------

void begin_call(std::string_view name, Duration timeout) {
  if (timeout < Duration::zero()) throw BadArgument(std::string(name) + "(): the timeout is negative: " + millis(timeout));
  if (!self()) throw NotInProcess(std::string(name) + "() called outside a process");
  checkpoint();
}

Duration Deadline::remaining() {
  if (timeout_ == forever || timeout_ == Duration::zero()) return timeout_;
  const TimePoint present = now();
  if (!started_) {
    started_ = true;
    end_ = timeout_ < TimePoint::max() - present ? present + timeout_ : TimePoint::max();
  }
  if (end_ == TimePoint::max()) return forever;
  return std::max<Duration>(end_ - present, Duration::zero());
}

Call::Call(Descriptor& descriptor, std::string_view name, Duration timeout, const sys::Name* target)
    : descriptor_(descriptor), name_(name), target_(target), timeout_(timeout), deadline_(timeout) {
  begin_call(name.substr(0, name.find(' ')), timeout);
  fd_ = descriptor.enter();
  if (fd_ < 0) throw_net_error(std::string(name.substr(0, name.find(' '))) + "() on a closed socket", EBADF);
}

void Call::wait(std::uint32_t interest) {
  const Duration remaining = deadline_.remaining();
  if (remaining == Duration::zero()) time_out({});
  // Another runtime's poller knows nothing of this descriptor, and ours may remember another under its number.
  const void* runtime = Runtime::of_self();
  if (descriptor_.known_to.load(std::memory_order_relaxed) != runtime) interest |= scheduler::Poller::kRecheck;
  int error = 0;
  const IoWait outcome = wait_fd(fd_, interest, remaining, error);
  fail_if_closed();
  if (error != 0) fail(error);
  if (outcome == IoWait::closed) fail(EBADF);
  if (outcome == IoWait::timed_out) time_out({});
  // Only now is it certain that it was registered. relaxed: a stale value costs a re-check.
  descriptor_.known_to.store(runtime, std::memory_order_relaxed);
}

void Call::pause(int error) {
  const Duration remaining = deadline_.remaining();
  if (remaining == Duration::zero()) time_out(std::generic_category().message(error));
  sleep_for(std::min(kPause, remaining));
  fail_if_closed();
}

void Call::go_on() {
  checkpoint();
  fail_if_closed();
}

void Call::fail_if_closed() const {
  if (descriptor_.is_closed()) throw_net_error(text() + ", closed by another process meanwhile", EBADF);
}

void Call::fail(int error) const {
  fail_if_closed();  // What the shutdown in close() causes is not the peer's doing.
  throw_net_error(text(), error);
}

void Call::time_out(std::string_view why) const {
  std::string message = text() + " timed out after " + millis(timeout_);
  if (!why.empty()) message.append(": ").append(why);
  throw TimedOut(message);
}

std::string Call::text() const {
  sys::Name name;
  std::string where;
  if (target_ != nullptr) {
    name = *target_;
  } else if (sys::peer_name(fd_, name) < 0) {
    // A listener, a socket for datagrams, or a connection that broke: our own end still tells which it was.
    where = sys::local_name(fd_, name) < 0 ? "(local a broken socket)" : "(local " + describe(name) + ")";
  }
  if (where.empty()) where = describe(name);
  const char* const kind = name.storage.ss_family == AF_UNIX ? "Unix" : sys::type(fd_) == SOCK_DGRAM ? "Udp" : "Tcp";
  return std::string(kind).append(name_).append(" ").append(where);
}

net::Address local_address_of(const Descriptor& descriptor, std::string_view call) {
  sys::Name name;
  call_once(descriptor, call, [&](int fd) { return sys::local_name(fd, name); });
  return AddressAccess::from_name(name);
}

void throw_net_error(const std::string& what, int error) {
  throw net::NetError(what + ": " + std::generic_category().message(error) + " (errno " + std::to_string(error) + ")", error);
}

}  // namespace weft::detail
