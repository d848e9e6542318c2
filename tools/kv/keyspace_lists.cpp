// The commands on lists.
#include <algorithm>

#include "tools/kv/keyspace.hpp"
#include "tools/kv/text.hpp"

namespace kv {

void Keyspace::lpush(const Execution& execution) { push(execution, End::front); }

void Keyspace::rpush(const Execution& execution) { push(execution, End::back); }

void Keyspace::lpop(const Execution& execution) { pop(execution, End::front); }

void Keyspace::rpop(const Execution& execution) { pop(execution, End::back); }

void Keyspace::push(const Execution& execution, End end) {
  const auto found = find_as<List>(execution, execution.args[1]);
  if (!found) return;
  List& list = *found != nullptr ? **found : make<List>(execution, execution.args[1]);
  for (const std::string_view element : execution.args.subspan(2)) {
    if (end == End::front) {
      list.emplace_front(element);
    } else {
      list.emplace_back(element);
    }
  }
  execution.reply.integer(static_cast<std::int64_t>(list.size()));
}

void Keyspace::pop(const Execution& execution, End end) {
  if (execution.args.size() > 3) return execution.reply.error(wrong_number_of_arguments(execution.args[0]));
  const std::string_view key = execution.args[1];
  const bool counted = execution.args.size() == 3;
  std::size_t count = 1;
  if (counted) {
    const std::optional<std::int64_t> wanted = parse_integer(execution.args[2]);
    if (!wanted || *wanted < 0) return execution.reply.error("ERR value is out of range, must be positive");
    count = static_cast<std::size_t>(*wanted);
  }
  const auto found = find_as<List>(execution, key);
  if (!found) return;
  if (*found == nullptr) return counted ? execution.reply.null_array() : execution.reply.null_bulk();

  List& list = **found;
  count = std::min(count, list.size());
  if (counted) execution.reply.array(count);
  for (; count > 0; --count) {
    if (end == End::front) {
      execution.reply.bulk(list.front());
      list.pop_front();
    } else {
      execution.reply.bulk(list.back());
      list.pop_back();
    }
  }
  if (list.empty()) erase(*find(key, execution.now));  // K1
}

void Keyspace::llen(const Execution& execution) {
  const auto list = find_as<List>(execution, execution.args[1]);
  if (list) execution.reply.integer(*list == nullptr ? 0 : static_cast<std::int64_t>((*list)->size()));
}

void Keyspace::lrange(const Execution& execution) {
  const std::optional<std::int64_t> start = parse_integer(execution.args[2]);
  const std::optional<std::int64_t> stop = parse_integer(execution.args[3]);
  if (!start || !stop) return execution.reply.error(kNotAnInteger);
  const auto list = find_as<List>(execution, execution.args[1]);
  if (!list) return;
  const auto size = *list == nullptr ? 0 : static_cast<std::int64_t>((*list)->size());
  const std::int64_t first = std::max<std::int64_t>(*start < 0 ? *start + size : *start, 0);
  const std::int64_t last = std::min(*stop < 0 ? *stop + size : *stop, size - 1);
  if (first > last) return execution.reply.array(0);
  execution.reply.array(static_cast<std::size_t>(last - first + 1));
  const auto begin = (*list)->begin();
  std::for_each(begin + first, begin + last + 1, [&](const std::string& element) { execution.reply.bulk(element); });
}

}  // namespace kv
