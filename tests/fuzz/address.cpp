// Addresses: numeric hosts, each either refused or printed in a form that gives the same address again; and paths of Unix sockets.
#include <string>

#include <weft/error.hpp>
#include <weft/net.hpp>

#include "runtime/net_address.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using weft::fuzz::require;

void parse_host(std::string_view host, std::uint16_t port) {
  try {
    const weft::net::Address address = weft::net::Address::parse(host, port);
    require(address.port() == port, "an address keeps its port");
    std::string text = address.to_string();
    text.resize(text.rfind(':'));
    if (text.front() == '[') text = text.substr(1, text.size() - 2);
    require(weft::net::Address::parse(text, port).to_string() == address.to_string(), "an address survives being printed and parsed");
  } catch (const weft::BadArgument&) {
  }
}

void name_socket(std::string_view path) {
  try {
    const auto name = weft::detail::unix_name(path);
    const std::string expected = path.front() == '\0' ? "@" + std::string(path.substr(1)) : std::string(path);
    require(weft::detail::describe(name) == expected, "the path of a socket is printed as it was given");
  } catch (const weft::BadArgument&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view text = weft::fuzz::as_text(data + 2, size - 2);
  parse_host(text, static_cast<std::uint16_t>(data[0] * 256 + data[1]));
  name_socket(text);
  return 0;
}
