#include <weft/net.hpp>

#include <cerrno>

#include "runtime/net_address.hpp"
#include "runtime/net_call.hpp"
#include "runtime/net_syscall.hpp"
#include "scheduler/poller.hpp"

namespace weft::inline v0::net {

using detail::AddressAccess;
using detail::Call;
using scheduler::Poller;
namespace sys = detail::sys;

UdpSocket UdpSocket::bind(const Address& local, UdpOptions options) {
  const sys::Name name = AddressAccess::to_name(local);
  const std::string call = "UdpSocket::bind to " + detail::describe(name);
  const int fd = sys::open_datagram(name.storage.ss_family);
  if (fd < 0) detail::throw_net_error(call + ": no socket", -fd);
  detail::Descriptor descriptor(fd);
  int error = options.reuse_port ? sys::set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) : 0;
  if (error == 0) error = sys::bind(fd, name);
  if (error != 0) detail::throw_net_error(call, -error);
  return UdpSocket(std::move(descriptor));
}

void UdpSocket::connect(const Address& peer) {
  const sys::Name name = AddressAccess::to_name(peer);
  detail::call_once(descriptor_, "UdpSocket::connect to " + detail::describe(name), [&name](int fd) { return sys::connect(fd, name); });
}

UdpSocket::Received UdpSocket::receive_from(std::span<std::byte> buffer, Duration timeout) {
  if (buffer.empty()) throw BadArgument("UdpSocket::receive_from(): the buffer is empty, every datagram would be lost in it");
  Call call(descriptor_, "Socket::receive_from", timeout);
  for (;;) {
    sys::Name sender;
    const std::ptrdiff_t got = sys::receive_from(call.fd(), buffer.data(), buffer.size(), sender);
    if (got >= 0) {
      call.fail_if_closed();  // A socket that is shut down gives 0 bytes.
      return {static_cast<std::size_t>(got), AddressAccess::from_name(sender)};
    }
    if (got == -EAGAIN) {
      call.wait(Poller::kRead);
    } else if (got != -EINTR) {
      call.fail(static_cast<int>(-got));
    }
  }
}

void UdpSocket::send_to(const Address& peer, std::span<const std::byte> bytes, Duration timeout) { send_one(&peer, bytes, timeout); }

void UdpSocket::send(std::span<const std::byte> bytes, Duration timeout) { send_one(nullptr, bytes, timeout); }

void UdpSocket::send_one(const Address* peer, std::span<const std::byte> bytes, Duration timeout) {
  sys::Name name;
  if (peer != nullptr) name = AddressAccess::to_name(*peer);
  Call call = peer == nullptr ? Call(descriptor_, "Socket::send to", timeout) : Call(descriptor_, "Socket::send_to", timeout, name);
  for (;;) {
    const std::ptrdiff_t sent = sys::send_to(call.fd(), bytes.data(), bytes.size(), peer == nullptr ? nullptr : &name);
    if (sent >= 0) return;
    if (sent == -EAGAIN) {
      call.wait(Poller::kWrite);
    } else if (sent != -EINTR) {
      call.fail(static_cast<int>(-sent));
    }
  }
}

Address UdpSocket::local_address() const { return detail::local_address_of(descriptor_, "UdpSocket::local_address()"); }

}  // namespace weft::net
