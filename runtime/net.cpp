#include <weft/net.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "runtime/io_wait.hpp"
#include "runtime/net_address.hpp"
#include "runtime/net_call.hpp"
#include "runtime/net_syscall.hpp"
#include "scheduler/poller.hpp"

namespace weft::inline v0::net {

namespace {

using detail::Call;
using detail::Descriptor;
using detail::throw_net_error;
using scheduler::Poller;
namespace sys = detail::sys;

constexpr std::size_t kPiecesPerCall = 64;  // 1 KiB of the process's stack.

Descriptor open_stream(const sys::Name& name, std::string_view call) {
  const int fd = sys::open_stream(name.storage.ss_family);
  if (fd < 0) throw_net_error(std::string(call) + " " + detail::describe(name) + ": no socket", -fd);
  return Descriptor(fd);
}

// Repeating connect() on a socket that is connecting tells the state without a second kind of call: EALREADY, success, or what went wrong.
// It is also what EINTR asks for.
void connect_to(Descriptor& descriptor, const sys::Name& peer, Duration timeout) {
  Call call(descriptor, "Stream::connect to", timeout, peer);
  for (;;) {
    const int error = -sys::connect(call.fd(), peer);
    switch (error) {
      case 0:
      case EISCONN:
        return;
      case EINTR:
        break;
      case EINPROGRESS:
      case EALREADY:
        call.wait(Poller::kWrite);
        break;
      case EAGAIN:  // TCP: no free port, which is final. Unix: the backlog is full, of which no readiness tells.
        if (peer.storage.ss_family != AF_UNIX) call.fail(error);
        call.pause(error);
        break;
      default:
        call.fail(error);
    }
  }
}

Descriptor listen_at(const sys::Name& local, const ListenOptions& options, std::string_view call) {
  // The kernel would take it for its own limit.
  if (options.backlog < 0)
    throw BadArgument(std::string(call) + " " + detail::describe(local) + ": a backlog of " + std::to_string(options.backlog));
  Descriptor descriptor = open_stream(local, call);
  int error = 0;
  const bool tcp = local.storage.ss_family != AF_UNIX;
  if (tcp) error = sys::set_option(descriptor.fd(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (error == 0 && tcp && options.reuse_port) error = sys::set_option(descriptor.fd(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (error == 0) error = sys::bind(descriptor.fd(), local);
  if (error == 0) error = sys::listen(descriptor.fd(), options.backlog);
  if (error != 0) throw_net_error(std::string(call) + " " + detail::describe(local), -error);
  return descriptor;
}

/// Drops the first `size_bytes` bytes of [first, last); returns where the rest begins.
iovec* advance(iovec* first, const iovec* last, std::size_t size_bytes) {
  while (first != last && size_bytes >= first->iov_len) size_bytes -= (first++)->iov_len;
  if (first != last) {
    first->iov_base = static_cast<std::byte*>(first->iov_base) + size_bytes;
    first->iov_len -= size_bytes;
  }
  return first;
}

}  // namespace

// --- StreamSocket -----------------------------------------------------------------------------------------------------------------------

std::size_t StreamSocket::read(std::span<std::byte> buffer, Duration timeout) {
  if (buffer.empty()) throw BadArgument("Stream::read(): the buffer is empty, its 0 bytes would look like the end of the stream");
  Call call(descriptor_, "Stream::read from", timeout);
  for (;;) {
    const std::ptrdiff_t got = sys::receive(call.fd(), buffer.data(), buffer.size());
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) {
      call.fail_if_closed();
      return 0;
    }
    if (got == -EAGAIN) {
      call.wait(Poller::kRead);
    } else if (got != -EINTR) {
      call.fail(static_cast<int>(-got));
    }
  }
}

void StreamSocket::write_all(std::span<const std::byte> bytes, Duration timeout) {
  Call call(descriptor_, "Stream::write_all to", timeout);
  while (!bytes.empty()) {
    const std::ptrdiff_t sent = sys::send(call.fd(), bytes.data(), bytes.size());
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
      if (!bytes.empty()) call.go_on();
    } else if (sent == -EAGAIN) {
      call.wait(Poller::kWrite);
    } else if (sent != -EINTR) {
      call.fail(static_cast<int>(-sent));
    }
  }
}

void StreamSocket::write_all(std::span<const std::span<const std::byte>> pieces, Duration timeout) {
  Call call(descriptor_, "Stream::write_all to", timeout);
  std::array<iovec, kPiecesPerCall> batch;
  while (!pieces.empty()) {
    iovec* first = batch.data();
    iovec* last = first;
    for (; !pieces.empty() && last != first + batch.size(); pieces = pieces.subspan(1)) {
      // iovec is for reading and writing; sendmsg() only reads.
      if (!pieces.front().empty()) *last++ = {const_cast<std::byte*>(pieces.front().data()), pieces.front().size()};
    }
    while (first != last) {
      const std::ptrdiff_t sent = sys::send(call.fd(), first, static_cast<std::size_t>(last - first));
      if (sent >= 0) {
        first = advance(first, last, static_cast<std::size_t>(sent));
        if (first != last || !pieces.empty()) call.go_on();
      } else if (sent == -EAGAIN) {
        call.wait(Poller::kWrite);
      } else if (sent != -EINTR) {
        call.fail(static_cast<int>(-sent));
      }
    }
  }
}

void StreamSocket::shutdown_write() {
  detail::call_once(descriptor_, "Stream::shutdown_write()", [](int fd) { return sys::shutdown(fd, SHUT_WR); });
}

// --- ListenSocket -----------------------------------------------------------------------------------------------------------------------

Descriptor ListenSocket::accept_next(Duration timeout) {
  Call call(descriptor_, "Listener::accept", timeout);
  for (;;) {
    const int fd = sys::accept(call.fd());
    if (fd >= 0) return Descriptor(fd);
    switch (-fd) {
      case EAGAIN:
        call.wait(Poller::kRead);
        break;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        call.pause(-fd);
        break;
      // Errors of the connection that was next, not of ours: accept(2) hands them on, and the next may be sound.
      case EINTR:
      case ECONNABORTED:
      case ENETDOWN:
      case EPROTO:
      case ENOPROTOOPT:
      case EHOSTDOWN:
      case ENONET:
      case EHOSTUNREACH:
      case ENETUNREACH:
      case EPERM:
      case ETIMEDOUT:
        call.go_on();
        break;
      default:
        call.fail(-fd);
    }
  }
}

// --- Tcp --------------------------------------------------------------------------------------------------------------------------------

TcpStream TcpStream::connect(const Address& peer, Duration timeout) {
  detail::begin_call("TcpStream::connect", timeout);  // Before a socket is made.
  const sys::Name name = detail::AddressAccess::to_name(peer);
  Descriptor descriptor = open_stream(name, "TcpStream::connect to");
  connect_to(descriptor, name, timeout);
  return TcpStream(std::move(descriptor));
}

void TcpStream::set_nodelay(Switch value) {
  const int on = value == Switch::on ? 1 : 0;
  detail::call_once(descriptor_, "TcpStream::set_nodelay()", [on](int fd) { return sys::set_option(fd, IPPROTO_TCP, TCP_NODELAY, on); });
}

Address TcpStream::local_address() const { return detail::local_address_of(descriptor_, "TcpStream::local_address()"); }

Address TcpStream::peer_address() const {
  sys::Name name;
  detail::call_once(descriptor_, "TcpStream::peer_address()", [&](int fd) { return sys::peer_name(fd, name); });
  return detail::AddressAccess::from_name(name);
}

TcpListener TcpListener::listen(const Address& local, ListenOptions options) {
  return TcpListener(listen_at(detail::AddressAccess::to_name(local), options, "TcpListener::listen on"));
}

TcpStream TcpListener::accept(Duration timeout) { return TcpStream(accept_next(timeout)); }

Address TcpListener::local_address() const { return detail::local_address_of(descriptor_, "TcpListener::local_address()"); }

// --- Unix -------------------------------------------------------------------------------------------------------------------------------

UnixStream UnixStream::connect(std::string_view path, Duration timeout) {
  detail::begin_call("UnixStream::connect", timeout);
  const sys::Name name = detail::unix_name(path);
  Descriptor descriptor = open_stream(name, "UnixStream::connect to");
  connect_to(descriptor, name, timeout);
  return UnixStream(std::move(descriptor));
}

UnixListener UnixListener::listen(std::string_view path, ListenOptions options) {
  return UnixListener(listen_at(detail::unix_name(path), options, "UnixListener::listen on"));
}

UnixStream UnixListener::accept(Duration timeout) { return UnixStream(accept_next(timeout)); }

// --- Descriptors of others --------------------------------------------------------------------------------------------------------------

Readiness wait_fd(int fd, Interest interest, Duration timeout) {
  detail::begin_call("wait_fd", timeout);
  const bool read = interest == Interest::read;
  // Ready already is common and costs one system call this way instead of a registration; and a timeout of 0 gets a true answer.
  const int found = sys::look(fd, read ? POLLIN : POLLOUT);
  if (found > 0) return Readiness::ready;
  int error = found < 0 ? -found : 0;
  if (error == EINTR) error = 0;
  detail::IoWait outcome = detail::IoWait::timed_out;
  if (error == 0 && timeout > Duration::zero()) {
    outcome = detail::wait_fd(fd, (read ? Poller::kRead : Poller::kWrite) | Poller::kTransient, timeout, error);
  }
  if (error == 0 && outcome == detail::IoWait::closed) error = EBADF;
  if (error != 0) throw_net_error("wait_fd() of descriptor " + std::to_string(fd), error);
  return outcome == detail::IoWait::ready ? Readiness::ready : Readiness::timed_out;
}

void forget_fd(int fd) noexcept { detail::forget_fd(fd); }

}  // namespace weft::net
