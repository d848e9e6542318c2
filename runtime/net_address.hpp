// Between net's addresses, paths and what the system calls take.
#pragma once

#include <weft/net.hpp>

#include <string>
#include <string_view>

#include "runtime/net_syscall.hpp"

namespace weft::inline v0::detail {

struct AddressAccess {
  static net::Address from_name(const sys::Name& name) noexcept;
  static sys::Name to_name(const net::Address& address) noexcept;
};

/// Throws BadArgument for a path that is empty or does not fit.
sys::Name unix_name(std::string_view path);

/// "127.0.0.1:80", "/run/x.sock", "@abstract", "an unnamed socket": for texts of errors.
std::string describe(const sys::Name& name);

}  // namespace weft::detail
