#include <weft/net.hpp>

#include <netdb.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include <weft/blocking.hpp>

#include "runtime/net_address.hpp"
#include "runtime/net_call.hpp"

namespace weft::inline v0::net {

namespace {

struct Lookup {
  int code = 0;
  int error = 0;  // errno, for EAI_SYSTEM
  std::vector<Address> found;
};

Lookup look_up(const std::string& host, std::uint16_t port) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;  // Else each address comes once for every kind of socket.
  const std::string service = std::to_string(port);
  addrinfo* first = nullptr;
  Lookup result;
  result.code = ::getaddrinfo(host.c_str(), service.c_str(), &wanted, &first);
  result.error = errno;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(first, &::freeaddrinfo);
  if (result.code != 0) return result;
  for (const addrinfo* at = first; at != nullptr; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    detail::sys::Name name;
    std::copy_n(reinterpret_cast<const char*>(at->ai_addr), at->ai_addrlen, reinterpret_cast<char*>(&name.storage));
    name.size_bytes = at->ai_addrlen;
    result.found.push_back(detail::AddressAccess::from_name(name));
  }
  if (result.found.empty()) result.code = EAI_NONAME;
  return result;
}

}  // namespace

std::vector<Address> resolve(std::string_view host, std::uint16_t port) {
  if (host.empty()) throw BadArgument("resolve(): the host is empty");
  if (host.find('\0') != std::string_view::npos) throw BadArgument("resolve(): the host contains a zero byte");
  std::string name(host);
  Lookup result = blocking([&name, port] { return look_up(name, port); });
  if (result.code == 0) return std::move(result.found);
  const std::string why = result.code == EAI_SYSTEM ? std::generic_category().message(result.error) : ::gai_strerror(result.code);
  throw ResolveError("resolve(): no address of '" + name + "': " + why, result.code);
}

TcpStream TcpStream::connect(std::string_view host, std::uint16_t port, Duration timeout) {
  detail::begin_call("TcpStream::connect", timeout);
  const std::vector<Address> addresses = resolve(host, port);
  detail::Deadline deadline(timeout);
  for (std::size_t i = 0; i + 1 < addresses.size(); ++i) {
    try {
      return connect(addresses[i], deadline.remaining());
    } catch (const NetError&) {
      // The next may be reachable; the last one's error is the caller's. A time-out is for all of them, so there is none to try then.
    }
  }
  return connect(addresses.back(), deadline.remaining());
}

}  // namespace weft::net
