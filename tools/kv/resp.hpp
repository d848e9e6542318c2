// The wire format, RESP2: requests are parsed out of bytes as these arrive, replies are appended to a string.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kv {

/// A request: its name and its arguments.
using Args = std::span<const std::string_view>;

struct ParserLimits {
  std::size_t max_bulk_bytes = std::size_t{512} << 20;
  std::int64_t max_arguments = std::int64_t{1} << 20;
  std::size_t max_line_bytes = std::size_t{64} << 10;    // an inline request, or the line that announces a count or a length
  std::size_t max_request_bytes = std::size_t{1} << 30;  // one whole array; an inline request is a line
};

enum class ParseStatus { request, incomplete, error };

/// Finds requests in a stream of bytes, wherever reads cut it.
///
/// R1  The result depends on the bytes alone, never on how reads cut them.
/// R2  Memory follows the bytes that have arrived. What a client announces (counts, lengths) allocates nothing.
/// R3  No byte is looked at more than twice while a request is incomplete: a client that trickles costs what another one costs.
///
/// The bytes of buffer_ in [begin_, end_) have arrived and belong to no finished request; parsing has come to at_. Slices count from
/// begin_, because the buffer moves when it grows.
class RequestParser {
 public:
  explicit RequestParser(ParserLimits limits = {}) : limits_(limits) {}

  /// Where the next read may write; never empty. Invalidates args().
  [[nodiscard]] std::span<char> free_space();

  /// Tells that the first `bytes` of free_space() have been written.
  void commit(std::size_t bytes) noexcept;

  /// Looks for the next request. After `error` the stream has no meaning any more: every later call gives `error` as well.
  [[nodiscard]] ParseStatus next();

  /// The request just found, at least one argument; valid until next() or free_space() is called.
  [[nodiscard]] Args args() const noexcept { return args_; }

  /// Redis's text for the error, without its `-`.
  [[nodiscard]] std::string_view error() const noexcept { return error_; }

  [[nodiscard]] std::size_t capacity_bytes() const noexcept { return capacity_; }

 private:
  struct Slice {
    std::size_t offset;
    std::size_t length;
  };
  enum class Step { done, more, failed };
  static constexpr std::size_t kSmallestRead = 4096;
  static constexpr std::size_t kLargestRead = std::size_t{64} << 10;

  Step parse_inline();
  Step parse_array();
  Step parse_bulk();
  Step split_line(std::size_t line_end);
  std::optional<std::int64_t> take_plain_header(char kind) noexcept;
  Step find_line_end(char last, std::string_view too_long, std::size_t& line_end);
  Step fail(std::string_view text);
  void finish_request();
  void reallocate(std::size_t capacity);

  ParserLimits limits_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t at_ = 0;
  std::size_t scanned_ = 0;  // [at_, scanned_) holds no end of line (R3)
  std::size_t end_ = 0;
  std::size_t wanted_bytes_ = kSmallestRead;  // how much to read at once; grows while reads fill it

  std::int64_t bulks_left_ = 0;    // of the array at hand; 0 between requests
  std::int64_t bulk_length_ = -1;  // of the bulk whose header has been read; -1 before that
  std::vector<Slice> slices_;
  std::vector<std::string_view> args_;
  std::string error_;
};

/// Appends replies to a string that the caller owns.
class ReplyWriter {
 public:
  explicit ReplyWriter(std::string& out) noexcept : out_(out) {}

  void simple(std::string_view text);
  /// `text` starts with its kind, such as `ERR`. Ends of lines in it become spaces: a client's bytes may be quoted in it.
  void error(std::string_view text);
  void integer(std::int64_t value);
  void bulk(std::string_view bytes);
  void null_bulk();
  void array(std::size_t count);
  void null_array();

 private:
  void header(char kind, std::int64_t value);

  std::string& out_;
};

}  // namespace kv
