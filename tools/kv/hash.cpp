#include "tools/kv/hash.hpp"

#include <bit>
#include <cstring>
#include <random>

namespace kv {

namespace {

struct Seed {
  std::uint64_t low;
  std::uint64_t high;
};

Seed draw_seed() {
  std::random_device device;
  const auto word = [&] { return (static_cast<std::uint64_t>(device()) << 32) | device(); };
  return {word(), word()};
}

const Seed kSeed = draw_seed();

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void round() noexcept {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }

  void absorb(std::uint64_t word) noexcept {
    v3 ^= word;
    round();
    v0 ^= word;
  }
};

/// The 1 to 7 bytes at `at`, the first one lowest.
std::uint64_t load_tail(const char* at, std::size_t size) noexcept {
  if (size >= sizeof(std::uint32_t)) {
    std::uint32_t first = 0;
    std::uint32_t last = 0;  // They overlap, in bytes that are the same.
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(&first, at, sizeof first);
    std::memcpy(&last, at + size - sizeof last, sizeof last);
    return first | (static_cast<std::uint64_t>(last) << (8 * (size - sizeof last)));
  }
  const auto byte = [&](std::size_t index) { return static_cast<std::uint64_t>(static_cast<unsigned char>(at[index])) << (8 * index); };
  return byte(0) | byte(size / 2) | byte(size - 1);
}

}  // namespace

std::uint64_t hash_key(std::string_view key) noexcept {
  SipState state{kSeed.low ^ 0x736f6d6570736575, kSeed.high ^ 0x646f72616e646f6d, kSeed.low ^ 0x6c7967656e657261,
                 kSeed.high ^ 0x7465646279746573};
  const char* at = key.data();
  std::size_t left = key.size();
  std::uint64_t word = 0;
  for (; left >= sizeof word; at += sizeof word, left -= sizeof word) {
    std::memcpy(&word, at, sizeof word);
    state.absorb(word);
  }
  word = left == 0 ? 0 : load_tail(at, left);
  state.absorb(word | (static_cast<std::uint64_t>(key.size()) << 56));
  state.v2 ^= 0xff;
  state.round();
  state.round();
  state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace kv
