// The processes that own the data, and the one that keeps them alive.
#pragma once

#include <cstddef>
#include <string>

#include <weft/weft.hpp>

namespace kv {

/// The name of shard `index`, whichever process that is at the moment.
[[nodiscard]] std::string shard_name(std::size_t index);

struct ShardOptions {
  std::size_t shards;
  std::size_t max_string_bytes;
};

/// Sent to the supervisor's `starter` once all shards can be found by name.
struct ShardsReady {};

/// The body of the supervisor, which traps exits: starts the shards, and starts one again, empty, when it ends. Ends with its starter, and
/// the shards end with it.
void supervise_shards(ShardOptions options, weft::Pid starter);

}  // namespace kv
