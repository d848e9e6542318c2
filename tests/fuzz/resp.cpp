// RequestParser. The first byte of an input says how the rest is cut into reads. R1: the cuts change nothing. R2: memory follows the
// bytes that arrived. A request that was found is the same when it is written as an array of bulks and parsed again.
#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.hpp"
#include "tools/kv/resp.hpp"

namespace {

using weft::fuzz::require;
using Request = std::vector<std::string>;

struct Parsed {
  std::vector<Request> requests;
  bool failed = false;
  std::string error;
  friend bool operator==(const Parsed&, const Parsed&) = default;
};

constexpr kv::ParserLimits kLimits{.max_bulk_bytes = 4096, .max_arguments = 1024, .max_line_bytes = 1024, .max_request_bytes = 16384};

/// Feeds `bytes` in reads of at most `read` bytes; 0: as much as there is room for.
Parsed parse(std::string_view bytes, std::size_t read) {
  kv::RequestParser parser(kLimits);
  Parsed parsed;
  std::size_t arrived = 0;
  while (!parsed.failed) {
    kv::ParseStatus status;
    while ((status = parser.next()) == kv::ParseStatus::request) {
      require(!parser.args().empty(), "a request has arguments");
      parsed.requests.emplace_back(parser.args().begin(), parser.args().end());
    }
    if (status == kv::ParseStatus::error) {
      parsed.failed = true;
      parsed.error = parser.error();
      require(parser.next() == kv::ParseStatus::error, "after an error there are only errors");
      break;
    }
    if (bytes.empty()) break;
    const std::span<char> space = parser.free_space();
    require(!space.empty(), "there is room for the next read");
    require(parser.capacity_bytes() <= std::size_t{512} * 1024 + 4 * arrived, "memory follows what arrived (R2)");
    const std::size_t count = std::min({bytes.size(), space.size(), read == 0 ? bytes.size() : read});
    std::memcpy(space.data(), bytes.data(), count);
    parser.commit(count);
    arrived += count;
    bytes.remove_prefix(count);
  }
  return parsed;
}

std::string written(const Request& request) {
  std::string bytes;
  kv::ReplyWriter writer(bytes);
  writer.array(request.size());
  for (const std::string& argument : request) writer.bulk(argument);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes = weft::fuzz::as_text(data + 1, size - 1);
  const Parsed whole = parse(bytes, 0);
  require(parse(bytes, data[0] % 16 + 1) == whole, "the result does not depend on how reads cut the bytes (R1)");
  for (const Request& request : whole.requests) {
    // An inline request may have more or longer arguments than the limits of arrays allow.
    const bool fits = std::all_of(request.begin(), request.end(), [](const auto& a) { return a.size() <= kLimits.max_bulk_bytes; });
    if (!fits || request.size() > static_cast<std::size_t>(kLimits.max_arguments)) continue;
    const Parsed again = parse(written(request), data[0] % 16 + 1);
    require(!again.failed && again.requests.size() == 1 && again.requests[0] == request, "a request survives being written and parsed");
  }
  return 0;
}
