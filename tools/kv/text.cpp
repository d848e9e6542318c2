#include "tools/kv/text.hpp"

#include <algorithm>
#include <charconv>

namespace kv {

namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Whether the set that opens before `at` holds `byte`. Leaves `at` behind the set; an unclosed set ends with the pattern.
bool matches_set(std::string_view pattern, std::size_t& at, unsigned char byte) noexcept {
  const auto pattern_byte = [&](std::size_t index) { return static_cast<unsigned char>(pattern[index]); };
  const bool negated = at < pattern.size() && pattern[at] == '^';
  if (negated) ++at;
  bool found = false;
  for (; at < pattern.size() && pattern[at] != ']'; ++at) {
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      found |= pattern_byte(++at) == byte;
    } else if (at + 2 < pattern.size() && pattern[at + 1] == '-') {
      const auto [low, high] = std::minmax({pattern_byte(at), pattern_byte(at + 2)});
      found |= low <= byte && byte <= high;
      at += 2;
    } else {
      found |= pattern_byte(at) == byte;
    }
  }
  if (at < pattern.size()) ++at;
  return found != negated;
}

/// Whether the element at `at`, which is no `*`, matches `byte`. Leaves `at` behind the element.
bool matches_element(std::string_view pattern, std::size_t& at, char byte) noexcept {
  switch (pattern[at]) {
    case '?':
      ++at;
      return true;
    case '[':
      return matches_set(pattern, ++at, static_cast<unsigned char>(byte));
    case '\\':
      if (at + 1 < pattern.size()) ++at;
      [[fallthrough]];
    default:
      return pattern[at++] == byte;
  }
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  const std::string_view digits = text.front() == '-' ? text.substr(1) : text;
  if (digits.front() == '0' && text.size() > 1) return std::nullopt;
  return value;
}

void append_integer(std::string& out, std::int64_t value) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string lowercase(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

std::string uppercase(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c); });
  return result;
}

std::string_view quotable(std::string_view text) noexcept { return text.substr(0, std::min<std::size_t>(text.find('\0'), 128)); }

std::string wrong_number_of_arguments(std::string_view command) {
  return std::string("ERR wrong number of arguments for '").append(command).append("' command");
}

bool glob_matches(std::string_view pattern, std::string_view text) noexcept {
  constexpr std::size_t kNone = std::string_view::npos;
  std::size_t at = 0;
  std::size_t position = 0;
  // Going back to the last `*` alone is enough: what an earlier one could swallow more of, the last one can as well.
  std::size_t after_star = kNone;
  std::size_t star_position = 0;
  while (position < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      after_star = ++at;
      star_position = position;
    } else if (at < pattern.size() && matches_element(pattern, at, text[position])) {
      ++position;
    } else if (after_star != kNone) {
      at = after_star;
      position = ++star_position;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

}  // namespace kv
