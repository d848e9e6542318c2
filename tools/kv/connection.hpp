// One client: a process that reads requests, has the shards run them, and writes the replies.
#pragma once

#include <cstdint>

#include <weft/net.hpp>

#include "tools/kv/server_state.hpp"

namespace kv {

/// The group of all connections.
inline constexpr const char* kConnections = "connections";

/// The body of a connection's process.
void serve_client(weft::net::TcpStream stream, ClientPlace place, std::uint64_t id);

}  // namespace kv
