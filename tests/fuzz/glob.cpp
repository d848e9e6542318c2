// glob_matches(): an input is a pattern, a newline and a text. Compared with a matcher that follows the definition, one byte at a time,
// and remembers which pairs of positions can be reached.
#include <algorithm>
#include <vector>

#include "tests/fuzz/fuzz.hpp"
#include "tools/kv/text.hpp"

namespace {

/// What one element of a pattern matches, and where the next one begins.
struct Element {
  bool accepts;
  std::size_t next;
};

Element set_at(std::string_view pattern, std::size_t at, unsigned char byte) {
  bool negated = false;
  bool found = false;
  if (at < pattern.size() && pattern[at] == '^') {
    negated = true;
    ++at;
  }
  while (at < pattern.size() && pattern[at] != ']') {
    unsigned char low = static_cast<unsigned char>(pattern[at]);
    unsigned char high = low;
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      low = high = static_cast<unsigned char>(pattern[at + 1]);
      at += 2;
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      high = static_cast<unsigned char>(pattern[at + 2]);
      at += 3;
    } else {
      at += 1;
    }
    if (low > high) std::swap(low, high);
    found = found || (byte >= low && byte <= high);
  }
  return {found != negated, std::min(at + 1, pattern.size())};
}

Element element_at(std::string_view pattern, std::size_t at, char byte) {
  if (pattern[at] == '?') return {true, at + 1};
  if (pattern[at] == '[') return set_at(pattern, at + 1, static_cast<unsigned char>(byte));
  if (pattern[at] == '\\' && at + 1 < pattern.size()) return {pattern[at + 1] == byte, at + 2};
  return {pattern[at] == byte, at + 1};
}

bool matches_by_definition(std::string_view pattern, std::string_view text) {
  // reached[p]: the pattern from p on has to match what is left of the text.
  std::vector<char> reached(pattern.size() + 1, 0);
  const auto pass_stars = [&] {
    for (std::size_t p = 0; p < pattern.size(); ++p) {
      if (reached[p] != 0 && pattern[p] == '*') reached[p + 1] = 1;
    }
  };
  reached[0] = 1;
  pass_stars();
  for (const char byte : text) {
    std::vector<char> next(pattern.size() + 1, 0);
    for (std::size_t p = 0; p < pattern.size(); ++p) {
      if (reached[p] == 0) continue;
      if (pattern[p] == '*') {
        next[p] = 1;
      } else if (const Element element = element_at(pattern, p, byte); element.accepts) {
        next[element.next] = 1;
      }
    }
    reached.swap(next);
    pass_stars();
  }
  return reached[pattern.size()] != 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = weft::fuzz::as_text(data, std::min<std::size_t>(size, 512));
  const std::string_view pattern = weft::fuzz::take_line(text);
  weft::fuzz::require(kv::glob_matches(pattern, text) == matches_by_definition(pattern, text), "a glob matches what its definition says");
  return 0;
}
