// What the command line says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "tools/kv/session.hpp"

namespace kv {

struct Options {
  std::string bind = "127.0.0.1";
  std::uint16_t port = 6379;  // 0: one that is free
  unsigned workers = 0;       // 0: the runtime's default
  std::size_t shards = 0;     // 0: one a worker
  std::size_t max_clients = 10000;
  std::size_t max_value_bytes = std::size_t{512} << 20;
};

/// A text to print instead of serving.
struct Usage {
  std::string text;
  int exit_code;
};

[[nodiscard]] std::variant<Options, Usage> parse_options(int argc, const char* const* argv);

/// What CONFIG GET shows.
[[nodiscard]] Settings settings_of(const Options& options);

}  // namespace kv
