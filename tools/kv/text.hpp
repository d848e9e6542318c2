// Small questions about byte strings that the protocol asks everywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kv {

/// The integer that `text` spells, in the one form that Redis accepts: no sign but `-`, no leading zero, no space, no overflow.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text) noexcept;

void append_integer(std::string& out, std::int64_t value);

/// ASCII only: command names and options are ASCII.
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;
[[nodiscard]] std::string lowercase(std::string_view text);
[[nodiscard]] std::string uppercase(std::string_view text);

/// What Redis quotes of a client's bytes in an error: up to the first zero byte, and no more than 128.
[[nodiscard]] std::string_view quotable(std::string_view text) noexcept;

/// Redis's error of that kind; `command` in lower case.
[[nodiscard]] std::string wrong_number_of_arguments(std::string_view command);

/// Redis's glob: `*`, `?`, `[abc]`, `[^a-z]`, and `\` before a byte that stands for itself. Time is bounded by pattern x text.
[[nodiscard]] bool glob_matches(std::string_view pattern, std::string_view text) noexcept;

}  // namespace kv
