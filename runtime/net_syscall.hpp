// The system calls of weft::net, with the error as a negative result.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

/// `errno` is a thread's own, its address may be computed once per function, and a process that suspends may wake on another thread: a
/// function that waits must not read it. These are never inlined, read it at once and hand it over as a value: what they return is the
/// system call's result or, below zero, -errno.
namespace weft::inline v0::detail::sys {

/// Any socket address with its size.
struct Name {
  sockaddr_storage storage{};
  socklen_t size_bytes = 0;

  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
};

int open_stream(int family) noexcept;  // Non-blocking, closed on exec.
int open_datagram(int family) noexcept;
int connect(int fd, const Name& peer) noexcept;
int bind(int fd, const Name& local) noexcept;
int listen(int fd, int backlog) noexcept;
int accept(int fd) noexcept;  // As open_stream().
int set_option(int fd, int level, int option, int value) noexcept;
int local_name(int fd, Name& name) noexcept;
int peer_name(int fd, Name& name) noexcept;
int type(int fd) noexcept;  // SOCK_STREAM, SOCK_DGRAM
int shutdown(int fd, int how) noexcept;
int close(int fd) noexcept;
/// At least 1 when `fd` is ready for `events` or broken, 0 when not.
int look(int fd, short events) noexcept;
std::ptrdiff_t receive(int fd, void* bytes, std::size_t size_bytes) noexcept;
std::ptrdiff_t send(int fd, const void* bytes, std::size_t size_bytes) noexcept;
std::ptrdiff_t send(int fd, iovec* pieces, std::size_t count) noexcept;
/// The size of the datagram, also of one that did not fit.
std::ptrdiff_t receive_from(int fd, void* bytes, std::size_t size_bytes, Name& sender) noexcept;
/// To the connected peer if `to` is null.
std::ptrdiff_t send_to(int fd, const void* bytes, std::size_t size_bytes, const Name* to) noexcept;

}  // namespace weft::detail::sys
