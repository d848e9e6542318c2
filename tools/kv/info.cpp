#include "tools/kv/info.hpp"

#include <unistd.h>

#include <algorithm>
#include <string_view>

#include <weft/weft.hpp>

#include "tools/kv/text.hpp"

namespace kv {

namespace {

constexpr std::string_view kRedisVersion = "7.0.15";  // the one whose replies are followed

class InfoText {
 public:
  explicit InfoText(Args names) : names_(names) {}

  /// Starts a section; false if it was not asked for.
  bool section(std::string_view title) {
    const bool wanted = names_.empty() || std::any_of(names_.begin(), names_.end(), [&](std::string_view name) {
                          return equals_ignoring_case(name, title) || equals_ignoring_case(name, "all") ||
                                 equals_ignoring_case(name, "default") || equals_ignoring_case(name, "everything");
                        });
    if (!wanted) return false;
    if (!text_.empty()) text_ += "\r\n";
    text_.append("# ").append(title).append("\r\n");
    return true;
  }

  void field(std::string_view name, std::string_view value) { text_.append(name).append(":").append(value).append("\r\n"); }
  void field(std::string_view name, std::uint64_t value) { field(name, std::to_string(value)); }

  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  Args names_;
  std::string text_;
};

}  // namespace

std::string info_text(const ServerState& state, std::int64_t keys, Args names) {
  InfoText info(names);
  if (info.section("Server")) {
    const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - state.started);
    info.field("redis_version", kRedisVersion);
    info.field("redis_mode", "standalone");
    info.field("process_id", static_cast<std::uint64_t>(::getpid()));
    info.field("tcp_port", state.options.port);
    info.field("uptime_in_seconds", static_cast<std::uint64_t>(uptime.count()));
  }
  if (info.section("Clients")) {
    info.field("connected_clients", state.clients.load(std::memory_order_relaxed));
    info.field("maxclients", state.options.max_clients);
  }
  if (info.section("Stats")) {
    info.field("total_connections_received", state.connections.load(std::memory_order_relaxed));
    info.field("total_commands_processed", state.commands.load(std::memory_order_relaxed));
  }
  if (info.section("weft")) {
    const weft::Stats stats = weft::stats();
    info.field("workers", stats.workers);
    info.field("shards", state.options.shards);
    info.field("processes", stats.live);
    info.field("spawned", stats.spawned);
    info.field("finished", stats.finished);
    info.field("messages", stats.messages_sent);
    info.field("steals", stats.steals);
    info.field("parks", stats.parks);
    info.field("sheds", stats.shed);
    info.field("dead_letters", stats.dead_letters);
    info.field("links", stats.active_links);
    info.field("monitors", stats.active_monitors);
    info.field("timers", stats.active_timers);
  }
  if (info.section("Keyspace") && keys > 0) info.field("db0", "keys=" + std::to_string(keys) + ",expires=0,avg_ttl=0");
  return std::move(info).take();
}

}  // namespace kv
