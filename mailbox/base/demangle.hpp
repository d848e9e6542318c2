#pragma once

#include <cxxabi.h>

#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>

namespace weft::inline v0::base {

/// The readable name of a mangled type or function, without the version that is in every name of weft: "weft::Error". Names that are
/// not mangled stay as they are. Throws std::bad_alloc.
inline std::string demangled(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string readable = text != nullptr ? text : name;
  std::free(text);
  constexpr std::string_view kVersioned = "weft::v0::";
  for (std::size_t at = readable.find(kVersioned); at != std::string::npos; at = readable.find(kVersioned, at)) {
    readable.erase(at + 6, 4);
  }
  return readable;
}

}  // namespace weft::base
