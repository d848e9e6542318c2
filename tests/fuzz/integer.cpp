// parse_integer(): takes exactly the texts that append_integer() writes.
#include <cerrno>
#include <cstdlib>
#include <string>

#include "tests/fuzz/fuzz.hpp"
#include "tools/kv/text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(weft::fuzz::as_text(data, size));
  const std::optional<std::int64_t> value = kv::parse_integer(text);
  // The number that the C library finds in it, written again: the same text if, and only if, it is in the one form.
  errno = 0;
  const long long expected = std::strtoll(text.c_str(), nullptr, 10);
  std::string written;
  kv::append_integer(written, expected);
  const bool is_integer = errno == 0 && written == text;
  weft::fuzz::require(value.has_value() == is_integer, "integers are taken in their one form and in no other");
  weft::fuzz::require(!value || *value == expected, "an integer has its value");
  return 0;
}
