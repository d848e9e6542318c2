// Commands as a shard runs them: an input is a stream of requests. Each command that is run writes exactly one well-formed reply.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.hpp"
#include "tools/kv/commands.hpp"
#include "tools/kv/keyspace.hpp"
#include "tools/kv/resp.hpp"
#include "tools/kv/text.hpp"

namespace {

using weft::fuzz::require;

constexpr std::size_t kMaxStringBytes = std::size_t{1} << 16;
constexpr std::size_t kNotAReply = std::string_view::npos;

/// The length of the one reply that `bytes` begin with.
std::size_t reply_length(std::string_view bytes) {
  const std::size_t line = bytes.find("\r\n");
  if (line == std::string_view::npos || line == 0) return kNotAReply;
  const std::size_t after_line = line + 2;
  if (bytes[0] == '+' || bytes[0] == '-') return after_line;
  const std::optional<std::int64_t> number = kv::parse_integer(bytes.substr(1, line - 1));
  if (!number) return kNotAReply;
  if (bytes[0] == ':' || (*number == -1 && (bytes[0] == '$' || bytes[0] == '*'))) return after_line;
  if (*number < 0) return kNotAReply;
  if (bytes[0] == '$') {
    const std::size_t end = after_line + static_cast<std::size_t>(*number);
    return end + 2 <= bytes.size() && bytes.substr(end, 2) == "\r\n" ? end + 2 : kNotAReply;
  }
  if (bytes[0] != '*') return kNotAReply;
  std::size_t at = after_line;
  for (std::int64_t i = 0; i < *number; ++i) {
    const std::size_t length = reply_length(bytes.substr(at));
    if (length == kNotAReply) return kNotAReply;
    at += length;
  }
  return at;
}

/// Whether a shard is given this request as it stands: one for several keys arrives there in parts.
bool is_one_part(const kv::Command& command, std::size_t arguments) {
  switch (command.route) {
    case kv::Route::key:
    case kv::Route::every_shard:
      return true;
    case kv::Route::each_key:
      return arguments == 2;
    case kv::Route::each_pair:
      return arguments == 3;
    default:
      return false;
  }
}

void run(kv::Keyspace& keyspace, kv::Args request, kv::Moment now) {
  const kv::CheckedRequest checked = kv::check_request(request);
  require((checked.command == nullptr) == !checked.error.empty(), "a request is run or refused with a text");
  if (checked.command == nullptr || checked.command->on_shard == nullptr || !is_one_part(*checked.command, request.size())) return;
  std::vector<std::string_view> args(request.begin(), request.end());
  args[0] = checked.command->name;
  std::string out;
  kv::ReplyWriter reply(out);
  (keyspace.*checked.command->on_shard)({args, now, reply});
  require(reply_length(out) == out.size(), "a command writes exactly one reply");
  std::string merged;
  const std::string_view part = out;
  kv::merge_replies(checked.command->merge, {&part, 1}, merged);
  require(reply_length(merged) == merged.size(), "one part makes one reply");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kv::Keyspace keyspace(kMaxStringBytes);
  kv::RequestParser parser({.max_bulk_bytes = kMaxStringBytes});
  kv::Moment now{1'000'000};
  std::string_view bytes = weft::fuzz::as_text(data, size);
  while (!bytes.empty()) {
    const std::span<char> space = parser.free_space();
    const std::size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    parser.commit(count);
    bytes.remove_prefix(count);
    kv::ParseStatus status;
    while ((status = parser.next()) == kv::ParseStatus::request) {
      run(keyspace, parser.args(), now);
      // Time passes unevenly, so that keys expire while others are set.
      now += kv::Moment(parser.args()[0].size() * 37);
      keyspace.expire_due(now, 2);
    }
    if (status == kv::ParseStatus::error) break;
  }
  return 0;
}
