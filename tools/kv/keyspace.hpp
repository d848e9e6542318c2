// The data of one shard, and the commands that work on it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "tools/kv/resp.hpp"
#include "tools/kv/string_map.hpp"

namespace kv {

/// A moment: milliseconds since the epoch of whichever clock the caller keeps to.
using Moment = std::chrono::milliseconds;
inline constexpr Moment kNever = Moment::max();

/// One command to run. args[0] is its name in lower case, and there are as many arguments as its arity says.
struct Execution {
  Args args;
  Moment now;
  ReplyWriter& reply;
};

/// Strings, lists and hashes by key. Each command is a member function that writes exactly one reply, as redis-server words it.
///
/// K1  A list or hash in the table is never empty: who takes its last element erases the key.
/// K2  A key whose `expires` has passed is not there for any command. The first that meets it erases it; expire_due() erases the rest.
/// K3  Each key with an `expires` has an entry of that moment in deadlines_. Other entries may be there too: they are stale.
///
/// One thread at a time; no clock of its own.
class Keyspace {
 public:
  using Handler = void (Keyspace::*)(const Execution&);

  explicit Keyspace(std::size_t max_string_bytes = std::size_t{512} << 20) : max_string_bytes_(max_string_bytes) {}

  /// Keys, among them those that have expired but have not been met since.
  [[nodiscard]] std::size_t size() const noexcept { return table_.size(); }

  /// Not later than the first moment at which a key expires.
  [[nodiscard]] std::optional<Moment> next_deadline() const noexcept;

  /// Erases what has expired by `now`, doing a bounded part of the work: the caller goes on while next_deadline() has passed.
  void expire_due(Moment now, std::size_t max_steps);

  // Any type of value.
  void del(const Execution&);
  void exists(const Execution&);
  void keys(const Execution&);
  void dbsize(const Execution&);
  void flushall(const Execution&);
  void expire(const Execution&);
  void pexpire(const Execution&);
  void ttl(const Execution&);
  void pttl(const Execution&);
  void persist(const Execution&);

  // Strings.
  void get(const Execution&);
  void set(const Execution&);
  void getset(const Execution&);
  void append(const Execution&);
  void strlen(const Execution&);
  void incr(const Execution&);
  void decr(const Execution&);
  void incrby(const Execution&);
  void decrby(const Execution&);
  void mget_one(const Execution&);  // one key's part of MGET: its element alone
  void mset_one(const Execution&);  // one pair's part of MSET

  // Lists.
  void lpush(const Execution&);
  void rpush(const Execution&);
  void lpop(const Execution&);
  void rpop(const Execution&);
  void llen(const Execution&);
  void lrange(const Execution&);

  // Hashes.
  void hset(const Execution&);
  void hget(const Execution&);
  void hdel(const Execution&);
  void hgetall(const Execution&);

 private:
  using List = std::deque<std::string>;
  using Hash = StringMap<std::string>;
  using Value = std::variant<std::string, std::unique_ptr<List>, std::unique_ptr<Hash>>;
  struct Entry {
    Value value;
    Moment expires = kNever;
  };
  using Table = StringMap<Entry>;
  using Node = Table::Node;
  struct Deadline {
    Moment when;
    std::string key;
  };
  enum class End { front, back };
  enum class Unit { seconds, milliseconds };

  Node* find(std::string_view key, Moment now);
  Node& find_or_insert(std::string_view key, Moment now);
  void erase(Node& node);
  void set_expiry(Node& node, Moment when);
  void rebuild_deadlines();

  /// The value of type T at `key`; null if there is no such key. nullopt if it has another type: then the error has been written.
  template <class T>
  std::optional<T*> find_as(const Execution& execution, std::string_view key);
  /// Makes an empty value of type T at `key`, which is not there.
  template <class T>
  T& make(const Execution& execution, std::string_view key);

  void assign(Node& node, std::string_view bytes);
  void add(const Execution& execution, std::int64_t delta);
  void push(const Execution& execution, End end);
  void pop(const Execution& execution, End end);
  void expire_in(const Execution& execution, Unit unit);
  void time_left(const Execution& execution, Unit unit);

  std::size_t max_string_bytes_;
  Table table_;
  std::vector<Deadline> deadlines_;  // a heap, the earliest first
  std::size_t keys_with_expiry_ = 0;
};

inline constexpr std::string_view kWrongType = "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kSyntaxError = "ERR syntax error";

template <class T>
std::optional<T*> Keyspace::find_as(const Execution& execution, std::string_view key) {
  Node* node = find(key, execution.now);
  if (node == nullptr) return nullptr;
  if constexpr (std::is_same_v<T, std::string>) {
    if (auto* value = std::get_if<std::string>(&node->value.value)) return value;
  } else {
    if (auto* value = std::get_if<std::unique_ptr<T>>(&node->value.value)) return value->get();
  }
  execution.reply.error(kWrongType);
  return std::nullopt;
}

template <class T>
T& Keyspace::make(const Execution& execution, std::string_view key) {
  Value& value = find_or_insert(key, execution.now).value.value;
  if constexpr (std::is_same_v<T, std::string>) {
    return std::get<std::string>(value);
  } else {
    return *value.template emplace<std::unique_ptr<T>>(std::make_unique<T>());
  }
}

}  // namespace kv
