#include "runtime/net_syscall.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace weft::inline v0::detail::sys {

namespace {

template <class T>
T result_or_error(T result) noexcept {
  return result < 0 ? static_cast<T>(-errno) : result;
}

}  // namespace

[[gnu::noinline]] int open_stream(int family) noexcept {
  return result_or_error(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

[[gnu::noinline]] int open_datagram(int family) noexcept {
  return result_or_error(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

[[gnu::noinline]] int connect(int fd, const Name& peer) noexcept { return result_or_error(::connect(fd, peer.get(), peer.size_bytes)); }

[[gnu::noinline]] int bind(int fd, const Name& local) noexcept { return result_or_error(::bind(fd, local.get(), local.size_bytes)); }

[[gnu::noinline]] int listen(int fd, int backlog) noexcept { return result_or_error(::listen(fd, backlog)); }

[[gnu::noinline]] int accept(int fd) noexcept { return result_or_error(::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)); }

[[gnu::noinline]] int set_option(int fd, int level, int option, int value) noexcept {
  return result_or_error(::setsockopt(fd, level, option, &value, sizeof value));
}

[[gnu::noinline]] int local_name(int fd, Name& name) noexcept {
  name.size_bytes = sizeof name.storage;
  return result_or_error(::getsockname(fd, name.get(), &name.size_bytes));
}

[[gnu::noinline]] int peer_name(int fd, Name& name) noexcept {
  name.size_bytes = sizeof name.storage;
  return result_or_error(::getpeername(fd, name.get(), &name.size_bytes));
}

[[gnu::noinline]] int type(int fd) noexcept {
  int value = 0;
  socklen_t size = sizeof value;
  const int result = result_or_error(::getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size));
  return result < 0 ? result : value;
}

[[gnu::noinline]] int shutdown(int fd, int how) noexcept { return result_or_error(::shutdown(fd, how)); }

[[gnu::noinline]] int close(int fd) noexcept { return result_or_error(::close(fd)); }

[[gnu::noinline]] int look(int fd, short events) noexcept {
  pollfd entry{fd, events, 0};
  const int count = result_or_error(::poll(&entry, 1, 0));
  return count > 0 && (entry.revents & POLLNVAL) != 0 ? -EBADF : count;
}

[[gnu::noinline]] std::ptrdiff_t receive(int fd, void* bytes, std::size_t size_bytes) noexcept {
  return result_or_error(::recv(fd, bytes, size_bytes, 0));
}

[[gnu::noinline]] std::ptrdiff_t send(int fd, const void* bytes, std::size_t size_bytes) noexcept {
  return result_or_error(::send(fd, bytes, size_bytes, MSG_NOSIGNAL));
}

[[gnu::noinline]] std::ptrdiff_t send(int fd, iovec* pieces, std::size_t count) noexcept {
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = count;
  return result_or_error(::sendmsg(fd, &message, MSG_NOSIGNAL));
}

[[gnu::noinline]] std::ptrdiff_t receive_from(int fd, void* bytes, std::size_t size_bytes, Name& sender) noexcept {
  sender.size_bytes = sizeof sender.storage;
  return result_or_error(::recvfrom(fd, bytes, size_bytes, MSG_TRUNC, sender.get(), &sender.size_bytes));
}

[[gnu::noinline]] std::ptrdiff_t send_to(int fd, const void* bytes, std::size_t size_bytes, const Name* to) noexcept {
  return result_or_error(
      ::sendto(fd, bytes, size_bytes, MSG_NOSIGNAL, to == nullptr ? nullptr : to->get(), to == nullptr ? 0 : to->size_bytes));
}

}  // namespace weft::detail::sys
