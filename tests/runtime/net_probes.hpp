// What the tests of sockets and pipes share.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <weft/net.hpp>

namespace weft::test {

inline std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

inline bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// The error `f` fails with; 0 and a failed test if it does not.
template <class F>
int net_error(F f) {
  try {
    f();
  } catch (const net::NetError& error) {
    return error.code();
  }
  ADD_FAILURE() << "no NetError";
  return 0;
}

/// The text of the E that `f` throws.
template <class E, class F>
std::string text_of(F f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "not thrown";
  return {};
}

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    for (const int fd : ends) ::close(fd);
  }
  void write() const { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
  std::array<int, 2> ends{-1, -1};
};

}  // namespace weft::test
