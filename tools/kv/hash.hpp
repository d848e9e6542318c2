// The hash of a key. One value serves two purposes, which must not look at the same bits: the table of a shard uses the low half,
// the choice of the shard the high half. Otherwise all keys of a shard would crowd into a few places of its table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kv {

/// SipHash-1-3 under a key drawn when the program starts, so that no client can prepare keys that collide.
[[nodiscard]] std::uint64_t hash_key(std::string_view key) noexcept;

/// The shard, of `shards`, that owns `key`.
[[nodiscard]] inline std::size_t shard_of(std::string_view key, std::size_t shards) noexcept {
  return static_cast<std::size_t>(((hash_key(key) >> 32) * shards) >> 32);
}

}  // namespace kv
