// The commands on hashes.
#include "tools/kv/keyspace.hpp"
#include "tools/kv/text.hpp"

namespace kv {

void Keyspace::hset(const Execution& execution) {
  const Args args = execution.args;
  if (args.size() % 2 != 0) return execution.reply.error(wrong_number_of_arguments("hset"));
  const auto found = find_as<Hash>(execution, args[1]);
  if (!found) return;
  Hash& hash = *found != nullptr ? **found : make<Hash>(execution, args[1]);
  std::int64_t added = 0;
  for (std::size_t i = 2; i < args.size(); i += 2) {
    const auto [field, is_new] = hash.find_or_insert(args[i]);
    field->value = args[i + 1];
    added += is_new ? 1 : 0;
  }
  execution.reply.integer(added);
}

void Keyspace::hget(const Execution& execution) {
  const auto hash = find_as<Hash>(execution, execution.args[1]);
  if (!hash) return;
  const Hash::Node* field = *hash == nullptr ? nullptr : (*hash)->find(execution.args[2]);
  if (field == nullptr) return execution.reply.null_bulk();
  execution.reply.bulk(field->value);
}

void Keyspace::hdel(const Execution& execution) {
  const std::string_view key = execution.args[1];
  const auto hash = find_as<Hash>(execution, key);
  if (!hash) return;
  std::int64_t erased = 0;
  if (*hash != nullptr) {
    for (const std::string_view field : execution.args.subspan(2)) erased += (*hash)->erase(field) ? 1 : 0;
    if ((*hash)->empty()) erase(*find(key, execution.now));  // K1
  }
  execution.reply.integer(erased);
}

void Keyspace::hgetall(const Execution& execution) {
  const auto hash = find_as<Hash>(execution, execution.args[1]);
  if (!hash) return;
  if (*hash == nullptr) return execution.reply.array(0);
  execution.reply.array(2 * (*hash)->size());
  (*hash)->for_each([&](const Hash::Node& field) {
    execution.reply.bulk(field.key);
    execution.reply.bulk(field.value);
  });
}

}  // namespace kv
