// The tree of processes.
//
//   root ─┬─ supervisor ─── shard.0 … shard.N-1    restarted, empty, when they die
//         ├─ listener                              spawns one connection a client
//         └─ signals                               waits for SIGTERM and SIGINT
//
// The root traps exits. Its three children are linked to it: one that ends on its own ends the server. Connections are linked to nobody; a
// connection that fails concerns its client alone. One that subscribes to channels has two helpers (subscriber.hpp).
#pragma once

#include "tools/kv/options.hpp"

namespace kv {

/// Blocks SIGTERM and SIGINT in the calling thread, and in those it starts from now on, so that serve() can wait for them.
void block_stop_signals();

/// The root process: serves until SIGTERM or SIGINT, then ends all others. Gives the exit code. Throws weft::Error if it cannot listen.
[[nodiscard]] int serve(Options options);

}  // namespace kv
