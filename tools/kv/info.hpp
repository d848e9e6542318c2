// The text of INFO.
#pragma once

#include <cstdint>
#include <string>

#include "tools/kv/resp.hpp"
#include "tools/kv/server_state.hpp"

namespace kv {

/// The sections that `names` asks for; all of them if it is empty. `keys`: in all shards.
[[nodiscard]] std::string info_text(const ServerState& state, std::int64_t keys, Args names);

}  // namespace kv
