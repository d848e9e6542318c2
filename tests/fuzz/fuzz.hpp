// What fuzz targets share. A target is one file with LLVMFuzzerTestOneInput(); it aborts when a property does not hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace weft::fuzz {

/// A property of the parser. An abort, not an assertion: it holds in every build, and libFuzzer keeps the input that broke it.
inline void require(bool held, const char* property) {
  if (held) return;
  std::fprintf(stderr, "BROKEN PROPERTY: %s\n", property);
  std::abort();
}

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

/// Cuts `text` at its first newline: what is before it is given, and taken off.
inline std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace weft::fuzz
