#include "runtime/net_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace weft::inline v0 {

namespace {

template <class T>
detail::sys::Name name_of(const T& address) noexcept {
  detail::sys::Name name;
  static_assert(sizeof address <= sizeof name.storage);
  std::memcpy(&name.storage, &address, sizeof address);
  name.size_bytes = sizeof address;
  return name;
}

template <class T>
T read_as(const detail::sys::Name& name) noexcept {
  T address;
  std::memcpy(&address, &name.storage, sizeof address);
  return address;
}

detail::sys::Name ipv4_name(std::uint32_t host, std::uint16_t port) noexcept {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(host);
  address.sin_port = htons(port);
  return name_of(address);
}

std::string describe_unix(const detail::sys::Name& name) {
  const auto address = read_as<sockaddr_un>(name);
  constexpr std::size_t kHead = offsetof(sockaddr_un, sun_path);
  const std::size_t size = std::min<std::size_t>(name.size_bytes, sizeof address);
  if (size <= kHead) return "an unnamed socket";
  const std::string_view path(address.sun_path, size - kHead);
  if (path.front() == '\0') return "@" + std::string(path.substr(1));
  return std::string(path.substr(0, path.find('\0')));
}

}  // namespace

namespace net {

Address Address::loopback(std::uint16_t port) noexcept { return detail::AddressAccess::from_name(ipv4_name(INADDR_LOOPBACK, port)); }

Address Address::any(std::uint16_t port) noexcept { return detail::AddressAccess::from_name(ipv4_name(INADDR_ANY, port)); }

Address Address::parse(std::string_view host, std::uint16_t port) {
  const std::string text(host);
  // The C functions would stop at a zero byte and take what is before it.
  if (text.find('\0') == std::string::npos) {
    sockaddr_in v4{};
    if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      return detail::AddressAccess::from_name(name_of(v4));
    }
    sockaddr_in6 v6{};
    if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      return detail::AddressAccess::from_name(name_of(v6));
    }
  }
  throw BadArgument("Address::parse(): '" + text + "' is no numeric IPv4 or IPv6 address");
}

std::uint16_t Address::port() const noexcept {
  const detail::sys::Name name = detail::AddressAccess::to_name(*this);
  return ntohs(name.storage.ss_family == AF_INET6 ? read_as<sockaddr_in6>(name).sin6_port : read_as<sockaddr_in>(name).sin_port);
}

std::string Address::to_string() const { return detail::describe(detail::AddressAccess::to_name(*this)); }

}  // namespace net

namespace detail {

net::Address AddressAccess::from_name(const sys::Name& name) noexcept {
  net::Address address;
  const std::size_t size = std::min<std::size_t>(name.size_bytes, address.bytes_.size());
  std::memcpy(address.bytes_.data(), &name.storage, size);
  address.size_bytes_ = static_cast<std::uint32_t>(size);
  return address;
}

sys::Name AddressAccess::to_name(const net::Address& address) noexcept {
  sys::Name name;
  std::memcpy(&name.storage, address.bytes_.data(), address.size_bytes_);
  name.size_bytes = address.size_bytes_;
  return name;
}

sys::Name unix_name(std::string_view path) {
  sockaddr_un address{};
  // The terminating zero of a file's path must fit as well; an abstract name has none.
  const bool abstract = !path.empty() && path.front() == '\0';
  if (path.empty()) throw BadArgument("the path of a Unix socket is empty");
  if (path.size() + (abstract ? 0 : 1) > sizeof address.sun_path) {
    throw BadArgument("the path of a Unix socket has " + std::to_string(path.size()) + " bytes, the limit is " +
                      std::to_string(sizeof address.sun_path - 1) + ": " + std::string(path));
  }
  if (!abstract && path.find('\0') != std::string_view::npos) throw BadArgument("the path of a Unix socket contains a zero byte");
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  sys::Name name = name_of(address);
  name.size_bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
  return name;
}

std::string describe(const sys::Name& name) {
  if (name.storage.ss_family == AF_UNIX) return describe_unix(name);
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (name.storage.ss_family == AF_INET6) {
    const auto address = read_as<sockaddr_in6>(name);
    ::inet_ntop(AF_INET6, &address.sin6_addr, text.data(), text.size());
    return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(address.sin6_port));
  }
  const auto address = read_as<sockaddr_in>(name);
  ::inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
  return std::string(text.data()) + ":" + std::to_string(ntohs(address.sin_port));
}

}  // namespace detail
}  // namespace weft
