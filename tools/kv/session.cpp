#include "tools/kv/session.hpp"

#include <algorithm>
#include <optional>

#include "tools/kv/commands.hpp"
#include "tools/kv/keyspace.hpp"
#include "tools/kv/text.hpp"

namespace kv {

namespace {

/// Whether args[1] is this subcommand.
bool names(Args args, std::string_view subcommand) { return equals_ignoring_case(args[1], subcommand); }

void describe(const Command& command, ReplyWriter& reply) {
  const KeyPositions keys = key_positions(command);
  reply.array(10);
  reply.bulk(command.name);
  reply.integer(command.arity);
  reply.array(1);
  reply.simple(command.access == Access::write ? "write" : command.access == Access::read ? "readonly" : "fast");
  reply.integer(keys.first);
  reply.integer(keys.last);
  reply.integer(keys.step);
  for (int empty = 0; empty < 4; ++empty) reply.array(0);  // categories, tips, key specifications, subcommands
}

}  // namespace

void Session::ping(Args args, ReplyWriter& reply) {
  if (args.size() > 2) return reply.error(wrong_number_of_arguments("ping"));
  if (subscriptions_ != 0) {
    reply.array(2);
    reply.bulk("pong");
    return reply.bulk(args.size() == 2 ? args[1] : "");
  }
  if (args.size() == 2) return reply.bulk(args[1]);
  reply.simple("PONG");
}

void Session::echo(Args args, ReplyWriter& reply) { reply.bulk(args[1]); }

void Session::select(Args args, ReplyWriter& reply) {
  const std::optional<std::int64_t> index = parse_integer(args[1]);
  if (!index) return reply.error(kNotAnInteger);
  if (*index != static_cast<std::int32_t>(*index)) {
    return reply.error("ERR value is out of range, value must between -2147483648 and 2147483647");
  }
  if (*index != 0) return reply.error("ERR DB index is out of range");
  reply.simple("OK");
}

void Session::client(Args args, ReplyWriter& reply) {
  if (names(args, "id")) return reply.integer(static_cast<std::int64_t>(id_));
  if (names(args, "getname")) return name_.empty() ? reply.null_bulk() : reply.bulk(name_);
  if (names(args, "setname")) {
    if (!std::all_of(args[2].begin(), args[2].end(), [](char c) { return c >= '!' && c <= '~'; })) {
      return reply.error("ERR Client names cannot contain spaces, newlines or special characters.");
    }
    name_ = args[2];
  }
  reply.simple("OK");
}

void Session::config(Args args, ReplyWriter& reply) {
  std::vector<const Settings::value_type*> shown;
  for (const Settings::value_type& setting : settings_) {
    const Args patterns = args.subspan(2);
    const auto matches = [&](std::string_view pattern) { return glob_matches(lowercase(pattern), setting.first); };
    if (std::any_of(patterns.begin(), patterns.end(), matches)) shown.push_back(&setting);
  }
  reply.array(2 * shown.size());
  for (const Settings::value_type* setting : shown) {
    reply.bulk(setting->first);
    reply.bulk(setting->second);
  }
}

// There is no COMMAND DOCS: told so, redis-cli uses the help texts that it brings along.
void Session::command(Args args, ReplyWriter& reply) {
  const std::span<const Command> all = commands();
  if (args.size() > 1 && names(args, "count")) return reply.integer(static_cast<std::int64_t>(all.size()));
  if (args.size() <= 2) {
    reply.array(all.size());
    for (const Command& command : all) describe(command, reply);
    return;
  }
  reply.array(args.size() - 2);
  for (const std::string_view name : args.subspan(2)) {
    if (const Command* command = find_command(name)) {
      describe(*command, reply);
    } else {
      reply.null_array();
    }
  }
}

void Session::reset(Args, ReplyWriter& reply) {
  name_.clear();
  reply.simple("RESET");
}

void Session::quit(Args, ReplyWriter& reply) {
  closing_ = true;
  reply.simple("OK");
}

}  // namespace kv
