// The text of a name, eight bytes at a time: as words, and hashed.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace weft::inline v0::registry {

static_assert(std::endian::native == std::endian::little, "the first byte of a word is its lowest");

/// The eight bytes at `at`.
[[nodiscard]] inline std::uint64_t word_at(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// The 1 to 7 bytes at `at`, filled up with zeros; reads nothing behind them.
[[nodiscard]] inline std::uint64_t part_at(const char* at, std::size_t bytes) noexcept {
  if (bytes >= 4) {  // Two halves that may overlap.
    std::uint32_t low, high;
    std::memcpy(&low, at, sizeof low);
    std::memcpy(&high, at + bytes - sizeof high, sizeof high);
    return low | std::uint64_t{high} << 8 * (bytes - 4);
  }
  const auto byte = [at](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(at[i])} << 8 * i; };
  return byte(0) | byte(bytes / 2) | byte(bytes - 1);
}

/// Calls `visit(word)` for each word of `text`, the last one filled up with zeros, until it answers false. True: it never did.
template <class Visit>
[[gnu::always_inline]] inline bool for_each_word(std::string_view text, Visit visit) noexcept {
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; at += 8, left -= 8) {
    if (!visit(word_at(at))) return false;
  }
  return left == 0 || visit(part_at(at, left));
}

/// What makes one table's hash differ from another's.
struct HashKey {
  std::uint64_t first;
  std::uint64_t second;
};

/// Hashes a text that is not empty. Each step multiplies two words that are both masked with the key, so which texts collide depends on
/// it: whoever chooses names without knowing it cannot make them fall together. It is no cipher, and hides nothing from one who sees
/// hashes.
[[nodiscard]] inline std::uint32_t hash_of(std::string_view text, const HashKey& key) noexcept {
  __extension__ using Wide = unsigned __int128;
  const auto fold = [](std::uint64_t a, std::uint64_t b) {
    const Wide product = Wide{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15u;
  const char* at = text.data();
  std::size_t left = text.size();
  std::uint64_t hash = key.first + left * kOdd;  // Added, not masked in: no byte of the text can make up for another length.
  for (; left > 16; at += 16, left -= 16) hash = fold(word_at(at) ^ key.second, word_at(at + 8) ^ hash);
  // The last 1 to 16 bytes: two words that overlap, or less than one.
  hash = left >= 8 ? fold(word_at(at) ^ key.second, word_at(at + left - 8) ^ hash) : fold(part_at(at, left) ^ key.second, hash);
  return static_cast<std::uint32_t>(fold(hash, kOdd) >> 16);
}

}  // namespace weft::registry
