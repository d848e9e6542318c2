// Finding and expiring keys, and the commands that serve values of any type.
#include "tools/kv/keyspace.hpp"

#include <algorithm>
#include <limits>

#include "tools/kv/text.hpp"

namespace kv {

namespace {

constexpr auto kLater = [](const auto& a, const auto& b) { return a.when > b.when; };

}  // namespace

Keyspace::Node* Keyspace::find(std::string_view key, Moment now) {
  Node* node = table_.find(key);
  if (node != nullptr && node->value.expires <= now) {
    erase(*node);
    return nullptr;
  }
  return node;
}

/// The node of `key`. If it was not there, or has expired, its value is an empty string.
Keyspace::Node& Keyspace::find_or_insert(std::string_view key, Moment now) {
  Node& node = *table_.find_or_insert(key).first;
  if (node.value.expires <= now) {
    set_expiry(node, kNever);
    node.value.value = std::string();
  }
  return node;
}

void Keyspace::erase(Node& node) {
  set_expiry(node, kNever);
  table_.erase(node.key);
}

void Keyspace::set_expiry(Node& node, Moment when) {
  if (node.value.expires != kNever) --keys_with_expiry_;
  node.value.expires = when;
  if (when == kNever) return;
  ++keys_with_expiry_;
  deadlines_.push_back({when, node.key});
  std::push_heap(deadlines_.begin(), deadlines_.end(), kLater);
  // A client that sets an expiry again and again leaves stale entries only.
  if (deadlines_.size() > 2 * keys_with_expiry_ + 64) rebuild_deadlines();
}

void Keyspace::rebuild_deadlines() {
  deadlines_.clear();
  table_.for_each([this](const Node& node) {
    if (node.value.expires != kNever) deadlines_.push_back({node.value.expires, node.key});
  });
  std::make_heap(deadlines_.begin(), deadlines_.end(), kLater);
}

std::optional<Moment> Keyspace::next_deadline() const noexcept {
  if (deadlines_.empty()) return std::nullopt;
  return deadlines_.front().when;
}

void Keyspace::expire_due(Moment now, std::size_t max_steps) {
  for (; max_steps > 0 && !deadlines_.empty() && deadlines_.front().when <= now; --max_steps) {
    std::pop_heap(deadlines_.begin(), deadlines_.end(), kLater);
    const std::string key = std::move(deadlines_.back().key);
    deadlines_.pop_back();
    (void)find(key, now);  // K2
  }
}

void Keyspace::del(const Execution& execution) {
  std::int64_t erased = 0;
  for (const std::string_view key : execution.args.subspan(1)) {
    if (Node* node = find(key, execution.now)) {
      erase(*node);
      ++erased;
    }
  }
  execution.reply.integer(erased);
}

void Keyspace::exists(const Execution& execution) {
  const Args keys = execution.args.subspan(1);
  execution.reply.integer(std::count_if(keys.begin(), keys.end(), [&](auto key) { return find(key, execution.now) != nullptr; }));
}

void Keyspace::keys(const Execution& execution) {
  const std::string_view pattern = execution.args[1];
  std::vector<std::string_view> found;
  table_.for_each([&](const Node& node) {
    if (node.value.expires > execution.now && glob_matches(pattern, node.key)) found.emplace_back(node.key);
  });
  execution.reply.array(found.size());
  for (const std::string_view key : found) execution.reply.bulk(key);
}

void Keyspace::dbsize(const Execution& execution) { execution.reply.integer(static_cast<std::int64_t>(table_.size())); }

void Keyspace::flushall(const Execution& execution) {
  const Args args = execution.args;
  if (args.size() > 2 || (args.size() == 2 && !equals_ignoring_case(args[1], "async") && !equals_ignoring_case(args[1], "sync"))) {
    return execution.reply.error(kSyntaxError);
  }
  table_.clear();
  std::vector<Deadline>().swap(deadlines_);
  keys_with_expiry_ = 0;
  execution.reply.simple("OK");
}

void Keyspace::expire(const Execution& execution) { expire_in(execution, Unit::seconds); }

void Keyspace::pexpire(const Execution& execution) { expire_in(execution, Unit::milliseconds); }

void Keyspace::ttl(const Execution& execution) { time_left(execution, Unit::seconds); }

void Keyspace::pttl(const Execution& execution) { time_left(execution, Unit::milliseconds); }

void Keyspace::expire_in(const Execution& execution, Unit unit) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kSmallest = std::numeric_limits<std::int64_t>::min();
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
  for (const std::string_view option : execution.args.subspan(3)) {
    if (equals_ignoring_case(option, "nx")) {
      nx = true;
    } else if (equals_ignoring_case(option, "xx")) {
      xx = true;
    } else if (equals_ignoring_case(option, "gt")) {
      gt = true;
    } else if (equals_ignoring_case(option, "lt")) {
      lt = true;
    } else {
      return execution.reply.error(std::string("ERR Unsupported option ").append(option));
    }
  }
  if (nx && (xx || gt || lt)) return execution.reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
  if (gt && lt) return execution.reply.error("ERR GT and LT options at the same time are not compatible");

  const std::optional<std::int64_t> amount = parse_integer(execution.args[2]);
  if (!amount) return execution.reply.error(kNotAnInteger);
  const std::int64_t factor = unit == Unit::seconds ? 1000 : 1;
  if (*amount > kLargest / factor || *amount < kSmallest / factor || *amount * factor > kLargest - execution.now.count()) {
    const std::string_view name = unit == Unit::seconds ? "expire" : "pexpire";
    return execution.reply.error(std::string("ERR invalid expire time in '").append(name).append("' command"));
  }
  const Moment when = execution.now + Moment(*amount * factor);

  Node* node = find(execution.args[1], execution.now);
  if (node == nullptr) return execution.reply.integer(0);
  const Moment current = node->value.expires;
  const bool refused = (nx && current != kNever) || (xx && current == kNever) || (gt && when <= current) || (lt && when >= current);
  if (refused) return execution.reply.integer(0);
  if (when <= execution.now) {
    erase(*node);
  } else {
    set_expiry(*node, when);
  }
  execution.reply.integer(1);
}

void Keyspace::time_left(const Execution& execution, Unit unit) {
  const Node* node = find(execution.args[1], execution.now);
  if (node == nullptr) return execution.reply.integer(-2);
  if (node->value.expires == kNever) return execution.reply.integer(-1);
  const std::int64_t left = (node->value.expires - execution.now).count();
  execution.reply.integer(unit == Unit::seconds ? left / 1000 + (left % 1000 >= 500 ? 1 : 0) : left);
}

void Keyspace::persist(const Execution& execution) {
  Node* node = find(execution.args[1], execution.now);
  const bool had_expiry = node != nullptr && node->value.expires != kNever;
  if (had_expiry) set_expiry(*node, kNever);
  execution.reply.integer(had_expiry ? 1 : 0);
}

}  // namespace kv
