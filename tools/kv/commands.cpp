#include "tools/kv/commands.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "tools/kv/text.hpp"

namespace kv {

namespace {

using K = Keyspace;
using S = Session;

constexpr Command on_session(std::string_view name, int arity, S::Handler handler) {
  return {name, arity, Access::none, Route::session, Merge::first, nullptr, handler};
}

constexpr Command with(std::span<const Subcommand> subcommands, Command command) {
  command.subcommands = subcommands;
  return command;
}

constexpr Command on_connection(std::string_view name, int arity) { return {name, arity, Access::none, Route::connection}; }

constexpr Command also_when_subscribed(Command command) {
  command.when_subscribed = true;
  return command;
}

constexpr Command on_key(std::string_view name, int arity, Access access, K::Handler handler) {
  return {name, arity, access, Route::key, Merge::first, handler};
}

constexpr Access kRead = Access::read;
constexpr Access kWrite = Access::write;

constexpr Subcommand kOfClient[] = {{"setname", 3}, {"getname", 2}, {"setinfo", 4}, {"id", 2}};
constexpr Subcommand kOfConfig[] = {{"get", -3}};
constexpr Subcommand kOfCommand[] = {{"count", 2}, {"info", -2}};

constexpr std::array kCommands = {
    also_when_subscribed(on_session("ping", -1, &S::ping)),
    on_session("echo", 2, &S::echo),
    on_session("select", 2, &S::select),
    with(kOfClient, on_session("client", -2, &S::client)),
    with(kOfConfig, on_session("config", -2, &S::config)),
    with(kOfCommand, on_session("command", -1, &S::command)),
    also_when_subscribed(on_session("reset", 1, &S::reset)),
    also_when_subscribed(on_session("quit", -1, &S::quit)),

    on_connection("info", -1),
    on_connection("debug", -2),
    on_connection("publish", 3),
    also_when_subscribed(on_connection("subscribe", -2)),
    also_when_subscribed(on_connection("unsubscribe", -1)),

    on_key("get", 2, kRead, &K::get),
    on_key("set", -3, kWrite, &K::set),
    on_key("getset", 3, kWrite, &K::getset),
    on_key("append", 3, kWrite, &K::append),
    on_key("strlen", 2, kRead, &K::strlen),
    on_key("incr", 2, kWrite, &K::incr),
    on_key("decr", 2, kWrite, &K::decr),
    on_key("incrby", 3, kWrite, &K::incrby),
    on_key("decrby", 3, kWrite, &K::decrby),

    on_key("lpush", -3, kWrite, &K::lpush),
    on_key("rpush", -3, kWrite, &K::rpush),
    on_key("lpop", -2, kWrite, &K::lpop),
    on_key("rpop", -2, kWrite, &K::rpop),
    on_key("llen", 2, kRead, &K::llen),
    on_key("lrange", 4, kRead, &K::lrange),

    on_key("hset", -4, kWrite, &K::hset),
    on_key("hget", 3, kRead, &K::hget),
    on_key("hdel", -3, kWrite, &K::hdel),
    on_key("hgetall", 2, kRead, &K::hgetall),

    on_key("expire", -3, kWrite, &K::expire),
    on_key("pexpire", -3, kWrite, &K::pexpire),
    on_key("ttl", 2, kRead, &K::ttl),
    on_key("pttl", 2, kRead, &K::pttl),
    on_key("persist", 2, kWrite, &K::persist),

    Command{"mget", -2, kRead, Route::each_key, Merge::elements, &K::mget_one},
    Command{"mset", -3, kWrite, Route::each_pair, Merge::first, &K::mset_one},
    Command{"del", -2, kWrite, Route::each_key, Merge::sum, &K::del},
    Command{"exists", -2, kRead, Route::each_key, Merge::sum, &K::exists},
    Command{"keys", 2, kRead, Route::every_shard, Merge::concatenation, &K::keys},
    Command{"dbsize", 1, kRead, Route::every_shard, Merge::sum, &K::dbsize},
    Command{"flushall", -1, kWrite, Route::every_shard, Merge::first, &K::flushall},
};

/// Length and ends tell most names apart, in any case of letters. `name` is not empty.
constexpr std::size_t kBuckets = 256;
std::size_t bucket_of(std::string_view name) noexcept {
  const auto letter = [](char c) { return static_cast<unsigned char>(c) & 0x1fU; };
  return (7 * letter(name.front()) + 31 * letter(name.back()) + 97 * name.size()) % kBuckets;
}

std::string unknown_command(Args args) {
  std::string quoted;
  for (std::size_t i = 1; i < args.size() && quoted.size() < 128; ++i) {
    quoted += '\'';
    quoted += quotable(args[i]).substr(0, 128 - (quoted.size() - 1));
    quoted += "' ";
  }
  std::string text = "ERR unknown command '";
  text += quotable(args[0]);
  text += "', with args beginning with: ";
  return text += quoted;
}

/// As redis-server writes it: "client", "client|setname".
std::string full_name(const Command& command, Args args) {
  std::string name(command.name);
  if (!command.subcommands.empty() && args.size() > 1) name.append("|").append(lowercase(args[1]));
  return name;
}

/// Empty if args[1] is a subcommand of `command` with as many arguments as it takes.
std::string subcommand_error(const Command& command, Args args) {
  const auto found = std::find_if(command.subcommands.begin(), command.subcommands.end(),
                                  [&](const Subcommand& candidate) { return equals_ignoring_case(args[1], candidate.name); });
  if (found == command.subcommands.end()) {
    return std::string("ERR unknown subcommand '")
        .append(quotable(args[1]))
        .append("'. Try ")
        .append(uppercase(command.name))
        .append(" HELP.");
  }
  return accepts_count(found->arity, args.size()) ? std::string() : wrong_number_of_arguments(full_name(command, args));
}

/// The number in the first line of an integer or array reply.
std::int64_t reply_number(std::string_view reply) { return parse_integer(reply.substr(1, reply.find('\r') - 1)).value_or(0); }

}  // namespace

std::span<const Command> commands() noexcept { return kCommands; }

const Command* find_command(std::string_view name) noexcept {
  static const auto by_name = [] {
    std::array<std::vector<const Command*>, kBuckets> result;
    for (const Command& command : kCommands) result[bucket_of(command.name)].push_back(&command);
    return result;
  }();
  if (name.empty()) return nullptr;
  for (const Command* command : by_name[bucket_of(name)]) {
    if (equals_ignoring_case(command->name, name)) return command;
  }
  return nullptr;
}

KeyPositions key_positions(const Command& command) noexcept {
  switch (command.route) {
    case Route::key:
      return {1, 1, 1};
    case Route::each_key:
      return {1, -1, 1};
    case Route::each_pair:
      return {1, -1, 2};
    case Route::session:
    case Route::connection:
    case Route::every_shard:
      break;
  }
  return {0, 0, 0};
}

bool accepts_count(int arity, std::size_t arguments) noexcept {
  return arity >= 0 ? arguments == static_cast<std::size_t>(arity) : arguments >= static_cast<std::size_t>(-arity);
}

CheckedRequest check_request(Args args) {
  const Command* command = find_command(args[0]);
  if (command == nullptr) return {nullptr, unknown_command(args)};
  const bool odd_pair = command->route == Route::each_pair && args.size() % 2 == 0;
  if (!accepts_count(command->arity, args.size()) || odd_pair) return {nullptr, wrong_number_of_arguments(command->name)};
  if (command->subcommands.empty() || args.size() == 1) return {command, {}};
  std::string error = subcommand_error(*command, args);
  return {error.empty() ? command : nullptr, error};
}

std::string not_when_subscribed(const Command& command, Args args) {
  return std::string("ERR Can't execute '")
      .append(full_name(command, args))
      .append("': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context");
}

void merge_replies(Merge merge, std::span<const std::string_view> parts, std::string& out) {
  const auto error = std::find_if(parts.begin(), parts.end(), [](std::string_view part) { return part.front() == '-'; });
  if (error != parts.end()) {
    out += *error;
    return;
  }
  ReplyWriter reply(out);
  switch (merge) {
    case Merge::first:
      out += parts.front();
      return;
    case Merge::sum: {
      std::int64_t sum = 0;
      for (const std::string_view part : parts) sum += reply_number(part);
      return reply.integer(sum);
    }
    case Merge::elements:
      reply.array(parts.size());
      for (const std::string_view part : parts) out += part;
      return;
    case Merge::concatenation: {
      std::int64_t count = 0;
      for (const std::string_view part : parts) count += reply_number(part);
      reply.array(static_cast<std::size_t>(count));
      for (const std::string_view part : parts) out += part.substr(part.find('\n') + 1);
      return;
    }
  }
}

}  // namespace kv
