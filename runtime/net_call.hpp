// One call of a socket object: who calls, on what, until when, and how it waits and fails.
#pragma once

#include <weft/clock.hpp>
#include <weft/net.hpp>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/net_syscall.hpp"

namespace weft::inline v0::detail {

/// What every call that may suspend does first: throws BadArgument and NotInProcess, and is a runtime call like any other, so that a
/// process whose sockets are always ready still yields and can be killed.
void begin_call(std::string_view name, Duration timeout);

/// The end of a call's wait, on the clock of the runtime. Reads the clock only once the call has to wait.
class Deadline {
 public:
  explicit Deadline(Duration timeout) noexcept : timeout_(timeout) {}
  Duration remaining();  ///< Zero when it has passed; forever stays forever.

 private:
  Duration timeout_;
  TimePoint end_{};
  bool started_ = false;
};

/// Keeps the descriptor open while the call is inside. `name` goes on from "Tcp", "Unix" or "Udp" in texts: "Stream::read from".
class Call {
 public:
  /// For an established descriptor: the peer in texts is asked of the system.
  Call(Descriptor& descriptor, std::string_view name, Duration timeout) : Call(descriptor, name, timeout, nullptr) {}
  /// For calls that name their peer: so do their texts.
  Call(Descriptor& descriptor, std::string_view name, Duration timeout, const sys::Name& target)
      : Call(descriptor, name, timeout, &target) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() { descriptor_.leave(); }

  [[nodiscard]] int fd() const noexcept { return fd_; }
  /// Suspends until the descriptor may be ready for `interest` (scheduler::Poller's bits).
  void wait(std::uint32_t interest);
  /// Sleeps a moment because the system is out of what `error` says. Throws TimedOut when the deadline passes.
  void pause(int error);
  /// Meets a kill and the budget between two system calls that succeed; fails if the object was closed meanwhile.
  void go_on();
  void fail_if_closed() const;
  [[noreturn]] void fail(int error) const;

 private:
  Call(Descriptor& descriptor, std::string_view name, Duration timeout, const sys::Name* target);
  [[noreturn]] void time_out(std::string_view why) const;
  std::string text() const;

  Descriptor& descriptor_;
  std::string_view name_;
  const sys::Name* target_;
  Duration timeout_;
  Deadline deadline_;
  int fd_;
};

/// A system call that does not wait, on a descriptor that stays open for as long as it runs. Throws NetError naming `call`.
template <class F>
void call_once(const Descriptor& descriptor, std::string_view call, F system_call);

net::Address local_address_of(const Descriptor& descriptor, std::string_view call);

[[noreturn]] void throw_net_error(const std::string& what, int error);

template <class F>
void call_once(const Descriptor& descriptor, std::string_view call, F system_call) {
  const int fd = descriptor.enter();
  if (fd < 0) throw_net_error(std::string(call) + " on a closed socket", EBADF);
  const int result = system_call(fd);
  descriptor.leave();
  if (result < 0) throw_net_error(std::string(call), -result);
}

}  // namespace weft::detail
