#include "tools/kv/options.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>

#include "tools/kv/text.hpp"

namespace kv {

namespace {

constexpr std::string_view kUsage =
    "usage: weft_kv [option value]...\n"
    "  --port N         port to listen on (6379); 0: any that is free\n"
    "  --bind ADDRESS   address to listen on (127.0.0.1)\n"
    "  --workers N      threads that run processes (default: as many as the machine grants)\n"
    "  --shards N       processes that share the keys (default: one a worker)\n"
    "  --max-clients N  connections at once (10000)\n"
    "  --max-value N    largest value, in bytes (536870912)\n";

/// Empty, or what is wrong with `text` for the option `name`.
template <class T>
std::string read_number(std::string_view name, std::string_view text, std::int64_t smallest, std::int64_t largest, T& number) {
  const std::optional<std::int64_t> value = parse_integer(text);
  if (!value || *value < smallest || *value > largest) {
    return std::string(name)
        .append(" takes a number from ")
        .append(std::to_string(smallest))
        .append(" to ")
        .append(std::to_string(largest))
        .append(", not '")
        .append(text)
        .append("'");
  }
  number = static_cast<T>(*value);
  return {};
}

std::string apply(std::string_view name, std::optional<std::string_view> value, Options& options) {
  static constexpr std::string_view kNames[] = {"--port", "--bind", "--workers", "--shards", "--max-clients", "--max-value"};
  if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames)) return "there is no option '" + std::string(name) + "'";
  if (!value || value->empty()) return std::string(name) + " takes a value";
  if (name == "--port") return read_number(name, *value, 0, std::numeric_limits<std::uint16_t>::max(), options.port);
  if (name == "--workers") return read_number(name, *value, 0, 1024, options.workers);
  if (name == "--shards") return read_number(name, *value, 1, 1024, options.shards);
  if (name == "--max-clients") return read_number(name, *value, 1, std::int64_t{1} << 20, options.max_clients);
  if (name == "--max-value") return read_number(name, *value, 1, std::int64_t{512} << 20, options.max_value_bytes);
  options.bind = *value;
  return {};
}

}  // namespace

std::variant<Options, Usage> parse_options(int argc, const char* const* argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") return Usage{std::string(kUsage), 0};
    const std::size_t equals = argument.find('=');
    std::optional<std::string_view> value;
    if (equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else if (i + 1 < argc) {
      value = argv[++i];
    }
    const std::string wrong = apply(argument.substr(0, equals), value, options);
    if (!wrong.empty()) return Usage{"weft_kv: " + wrong + "\n" + std::string(kUsage), 2};
  }
  return options;
}

Settings settings_of(const Options& options) {
  return {
      {"bind", options.bind},
      {"port", std::to_string(options.port)},
      {"maxclients", std::to_string(options.max_clients)},
      {"proto-max-bulk-len", std::to_string(options.max_value_bytes)},
      {"databases", "1"},
      {"timeout", "0"},
      {"maxmemory", "0"},
      {"save", ""},
      {"appendonly", "no"},
  };
}

}  // namespace kv
