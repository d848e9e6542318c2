// The commands on strings.
#include <limits>

#include "tools/kv/keyspace.hpp"
#include "tools/kv/text.hpp"

namespace kv {

namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kSmallest = std::numeric_limits<std::int64_t>::min();

void write_string(ReplyWriter& reply, const std::string* value) {
  if (value == nullptr) return reply.null_bulk();
  reply.bulk(*value);
}

struct SetOptions {
  bool only_if_absent = false;
  bool only_if_present = false;
  bool keep_expiry = false;
  bool get_old = false;
  std::int64_t unit_milliseconds = 0;  // of `expires_in`; 0: no expiry was given
  std::string_view expires_in{};
};

/// nullopt: the options contradict each other, or one is unknown.
std::optional<SetOptions> parse_set_options(Args options) {
  SetOptions result;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string_view option = options[i];
    if (equals_ignoring_case(option, "nx") && !result.only_if_present) {
      result.only_if_absent = true;
    } else if (equals_ignoring_case(option, "xx") && !result.only_if_absent) {
      result.only_if_present = true;
    } else if (equals_ignoring_case(option, "get")) {
      result.get_old = true;
    } else if (equals_ignoring_case(option, "keepttl") && result.unit_milliseconds == 0) {
      result.keep_expiry = true;
    } else {
      const bool seconds = equals_ignoring_case(option, "ex");
      const std::int64_t unit = seconds ? 1000 : 1;
      const bool fits = !result.keep_expiry && (result.unit_milliseconds == 0 || result.unit_milliseconds == unit);
      if ((!seconds && !equals_ignoring_case(option, "px")) || !fits || i + 1 == options.size()) return std::nullopt;
      result.unit_milliseconds = unit;
      result.expires_in = options[++i];
    }
  }
  return result;
}

}  // namespace

void Keyspace::assign(Node& node, std::string_view bytes) {
  if (auto* string = std::get_if<std::string>(&node.value.value)) {
    string->assign(bytes);
    // A short value in the room of a long one that it replaced would keep that room for ever.
    if (string->capacity() > 2 * bytes.size() + 64) string->shrink_to_fit();
  } else {
    node.value.value = std::string(bytes);
  }
}

void Keyspace::get(const Execution& execution) {
  if (const auto value = find_as<std::string>(execution, execution.args[1])) write_string(execution.reply, *value);
}

void Keyspace::mget_one(const Execution& execution) {
  const Node* node = find(execution.args[1], execution.now);
  write_string(execution.reply, node == nullptr ? nullptr : std::get_if<std::string>(&node->value.value));
}

void Keyspace::mset_one(const Execution& execution) {
  Node& node = find_or_insert(execution.args[1], execution.now);
  set_expiry(node, kNever);
  assign(node, execution.args[2]);
  execution.reply.simple("OK");
}

void Keyspace::set(const Execution& execution) {
  const std::string_view key = execution.args[1];
  if (execution.args.size() == 3) return mset_one(execution);
  const std::optional<SetOptions> options = parse_set_options(execution.args.subspan(3));
  if (!options) return execution.reply.error(kSyntaxError);

  Moment expires = kNever;
  if (options->unit_milliseconds != 0) {
    const std::optional<std::int64_t> amount = parse_integer(options->expires_in);
    if (!amount) return execution.reply.error(kNotAnInteger);
    const std::int64_t unit = options->unit_milliseconds;
    if (*amount <= 0 || *amount > kLargest / unit || *amount * unit > kLargest - execution.now.count()) {
      return execution.reply.error("ERR invalid expire time in 'set' command");
    }
    expires = execution.now + Moment(*amount * unit);
  }

  Node* node = find(key, execution.now);
  if (options->get_old) {
    const auto* old = node == nullptr ? nullptr : std::get_if<std::string>(&node->value.value);
    if (node != nullptr && old == nullptr) return execution.reply.error(kWrongType);
    write_string(execution.reply, old);
  }
  if ((options->only_if_absent && node != nullptr) || (options->only_if_present && node == nullptr)) {
    if (!options->get_old) execution.reply.null_bulk();
    return;
  }
  if (node == nullptr) node = &find_or_insert(key, execution.now);
  assign(*node, execution.args[2]);
  if (!options->keep_expiry) set_expiry(*node, expires);
  if (!options->get_old) execution.reply.simple("OK");
}

void Keyspace::getset(const Execution& execution) {
  const auto value = find_as<std::string>(execution, execution.args[1]);
  if (!value) return;
  write_string(execution.reply, *value);
  Node& node = find_or_insert(execution.args[1], execution.now);
  set_expiry(node, kNever);
  assign(node, execution.args[2]);
}

void Keyspace::append(const Execution& execution) {
  const std::string_view tail = execution.args[2];
  const auto found = find_as<std::string>(execution, execution.args[1]);
  if (!found) return;
  const std::size_t length = *found == nullptr ? 0 : (*found)->size();
  if (length + tail.size() > max_string_bytes_) {
    return execution.reply.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  }
  std::string& value = *found != nullptr ? **found : make<std::string>(execution, execution.args[1]);
  value.append(tail);
  execution.reply.integer(static_cast<std::int64_t>(value.size()));
}

void Keyspace::strlen(const Execution& execution) {
  const auto value = find_as<std::string>(execution, execution.args[1]);
  if (value) execution.reply.integer(*value == nullptr ? 0 : static_cast<std::int64_t>((*value)->size()));
}

void Keyspace::incr(const Execution& execution) { add(execution, 1); }

void Keyspace::decr(const Execution& execution) { add(execution, -1); }

void Keyspace::incrby(const Execution& execution) {
  const std::optional<std::int64_t> delta = parse_integer(execution.args[2]);
  if (!delta) return execution.reply.error(kNotAnInteger);
  add(execution, *delta);
}

void Keyspace::decrby(const Execution& execution) {
  const std::optional<std::int64_t> delta = parse_integer(execution.args[2]);
  if (!delta) return execution.reply.error(kNotAnInteger);
  if (*delta == kSmallest) return execution.reply.error("ERR decrement would overflow");
  add(execution, -*delta);
}

void Keyspace::add(const Execution& execution, std::int64_t delta) {
  const auto found = find_as<std::string>(execution, execution.args[1]);
  if (!found) return;
  std::int64_t number = 0;
  if (*found != nullptr) {
    const std::optional<std::int64_t> old = parse_integer(**found);
    if (!old) return execution.reply.error(kNotAnInteger);
    number = *old;
  }
  if (delta > 0 ? number > kLargest - delta : number < kSmallest - delta) {
    return execution.reply.error("ERR increment or decrement would overflow");
  }
  number += delta;
  std::string& value = *found != nullptr ? **found : make<std::string>(execution, execution.args[1]);
  value.clear();
  append_integer(value, number);
  execution.reply.integer(number);
}

}  // namespace kv
