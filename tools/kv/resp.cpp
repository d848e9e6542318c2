#include "tools/kv/resp.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "tools/kv/text.hpp"

namespace kv {

namespace {

bool is_blank(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool ends_word(char c) noexcept { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\0'; }

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The byte that the escape sequence at `at` stands for, inside double quotes. Leaves `at` behind it.
char unescape(const char*& at, const char* end) noexcept {
  if (end - at >= 4 && at[1] == 'x' && hex_digit(at[2]) >= 0 && hex_digit(at[3]) >= 0) {
    const int value = hex_digit(at[2]) * 16 + hex_digit(at[3]);
    at += 4;
    return static_cast<char>(value);
  }
  const char c = at[1];
  at += 2;
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

/// Writes the word at `at` to `out`, without its quotes. Null when a quote is not closed, or is closed inside a word; else the word's end.
/// `out` may be `at`: a word never grows.
char* unquote_word(const char*& at, const char* end, char* out) noexcept {
  char quote = '\0';
  while (true) {
    if (quote == '\0') {
      if (at == end || ends_word(*at)) return out;
      if (*at == '"' || *at == '\'') {
        quote = *at++;
      } else {
        *out++ = *at++;
      }
    } else if (at == end) {
      return nullptr;
    } else if (*at == quote) {
      if (++at != end && !is_blank(*at) && *at != '\0') return nullptr;
      return out;
    } else if (quote == '"' && *at == '\\' && end - at >= 2) {
      *out++ = unescape(at, end);
    } else if (quote == '\'' && *at == '\\' && end - at >= 2 && at[1] == '\'') {
      *out++ = '\'';
      at += 2;
    } else {
      *out++ = *at++;
    }
  }
}

}  // namespace

std::span<char> RequestParser::free_space() {
  args_.clear();
  if (begin_ == end_) {
    begin_ = at_ = scanned_ = end_ = 0;
    // A large request does not make its client's connection large for ever.
    if (capacity_ > kLargestRead || capacity_ < wanted_bytes_) reallocate(wanted_bytes_);
  } else if (capacity_ - end_ < wanted_bytes_) {
    const std::size_t pending = end_ - begin_;
    // Both ways leave at least as much room as was moved: the cost of moving is proportional to the bytes read.
    if (std::max(pending, wanted_bytes_) <= capacity_ / 2) {
      std::memmove(buffer_.get(), buffer_.get() + begin_, pending);
      at_ -= begin_;
      scanned_ -= std::min(scanned_, begin_);
      end_ -= begin_;
      begin_ = 0;
    } else {
      reallocate(2 * pending + wanted_bytes_);
    }
  }
  return {buffer_.get() + end_, capacity_ - end_};
}

void RequestParser::commit(std::size_t bytes) noexcept {
  if (bytes == capacity_ - end_) wanted_bytes_ = std::min(2 * wanted_bytes_, kLargestRead);
  end_ += bytes;
}

ParseStatus RequestParser::next() {
  args_.clear();
  if (!error_.empty()) return ParseStatus::error;
  while (true) {
    if (bulks_left_ == 0) {
      begin_ = at_;
      slices_.clear();
      if (at_ == end_) return ParseStatus::incomplete;
    }
    const bool is_array = bulks_left_ > 0 || buffer_[at_] == '*';
    const Step step = is_array ? parse_array() : parse_inline();
    if (step == Step::failed) return ParseStatus::error;
    if (step == Step::more) return ParseStatus::incomplete;
    if (slices_.empty()) continue;  // An empty line or an empty array is no request.
    finish_request();
    return ParseStatus::request;
  }
}

RequestParser::Step RequestParser::parse_inline() {
  std::size_t line_end = 0;
  const Step step = find_line_end('\n', "ERR Protocol error: too big inline request", line_end);
  if (step != Step::done) return step;
  const std::size_t next_line = line_end + 1;
  if (line_end > at_ && buffer_[line_end - 1] == '\r') --line_end;
  const Step split = split_line(line_end);
  at_ = scanned_ = next_line;
  return split;
}

RequestParser::Step RequestParser::split_line(std::size_t line_end) {
  const char* at = buffer_.get() + at_;
  const char* end = buffer_.get() + line_end;
  while (true) {
    while (at != end && is_blank(*at)) ++at;
    if (at == end || *at == '\0') return Step::done;
    // Unquoting in place is safe: this line is complete, so it is parsed once.
    char* word = buffer_.get() + (at - buffer_.get());
    const char* word_end = unquote_word(at, end, word);
    if (word_end == nullptr) return fail("ERR Protocol error: unbalanced quotes in request");
    slices_.push_back({static_cast<std::size_t>(word - buffer_.get()) - begin_, static_cast<std::size_t>(word_end - word)});
  }
}

RequestParser::Step RequestParser::parse_array() {
  if (bulks_left_ == 0) {
    std::optional<std::int64_t> count = take_plain_header('*');
    if (!count) {
      std::size_t line_end = 0;
      const Step step = find_line_end('\r', "ERR Protocol error: too big mbulk count string", line_end);
      if (step != Step::done) return step;
      count = parse_integer({buffer_.get() + at_ + 1, line_end - at_ - 1});
      at_ = scanned_ = line_end + 2;
    }
    if (!count || *count > limits_.max_arguments) return fail("ERR Protocol error: invalid multibulk length");
    if (*count <= 0) return Step::done;
    bulks_left_ = *count;
    bulk_length_ = -1;
  }
  while (bulks_left_ > 0) {
    const Step step = parse_bulk();
    if (step != Step::done) return step;
    --bulks_left_;
  }
  return Step::done;
}

RequestParser::Step RequestParser::parse_bulk() {
  if (bulk_length_ < 0) {
    std::optional<std::int64_t> length = take_plain_header('$');
    if (!length) {
      std::size_t line_end = 0;
      const Step step = find_line_end('\r', "ERR Protocol error: too big bulk count string", line_end);
      if (step != Step::done) return step;
      if (buffer_[at_] != '$') {
        std::string text = "ERR Protocol error: expected '$', got '";
        text += buffer_[at_];
        text += '\'';
        return fail(text);
      }
      length = parse_integer({buffer_.get() + at_ + 1, line_end - at_ - 1});
      at_ = scanned_ = line_end + 2;
    }
    if (!length || *length < 0 || static_cast<std::uint64_t>(*length) > limits_.max_bulk_bytes) {
      return fail("ERR Protocol error: invalid bulk length");
    }
    bulk_length_ = *length;
    if (at_ - begin_ + static_cast<std::size_t>(*length) + 2 > limits_.max_request_bytes) {
      return fail("ERR Protocol error: too big request");
    }
  }
  // The two bytes behind a bulk are skipped unread, as Redis does it.
  const auto length = static_cast<std::size_t>(bulk_length_);
  if (end_ - at_ < length + 2) return Step::more;
  slices_.push_back({at_ - begin_, length});
  at_ += length + 2;
  scanned_ = at_;
  bulk_length_ = -1;
  return Step::done;
}

/// The number of a header as clients write it: `kind`, up to nine digits, the end of the line, all there. What else there may be, and what
/// is wrong, is left to the general way; a line that has been looked at already too (R3).
std::optional<std::int64_t> RequestParser::take_plain_header(char kind) noexcept {
  constexpr std::ptrdiff_t kMostBytes = 10;
  const char* const line = buffer_.get() + at_;
  const char* const end = buffer_.get() + end_;
  if (scanned_ > at_ || line == end || *line != kind) return std::nullopt;
  const char* const stop = line + std::min(kMostBytes, end - line);
  const char* at = line + 1;
  std::int64_t value = 0;
  for (; at != stop; ++at) {
    const unsigned digit = static_cast<unsigned char>(*at) - unsigned{'0'};
    if (digit > 9) break;
    value = 10 * value + digit;
  }
  const std::ptrdiff_t length = at - line;
  if (end - at < 2 || *at != '\r' || length == 1 || (line[1] == '0' && length > 2)) return std::nullopt;
  if (static_cast<std::size_t>(length) > limits_.max_line_bytes) return std::nullopt;
  at_ = scanned_ = static_cast<std::size_t>(at - buffer_.get()) + 2;
  return value;
}

/// Looks for `last` in the line that starts at at_. A line that ends in '\r' has one byte more, which must have arrived as well.
RequestParser::Step RequestParser::find_line_end(char last, std::string_view too_long, std::size_t& line_end) {
  const std::size_t limit = std::min(end_, at_ + limits_.max_line_bytes + 1);
  scanned_ = std::max(scanned_, at_);
  const void* found = scanned_ < limit ? std::memchr(buffer_.get() + scanned_, last, limit - scanned_) : nullptr;
  if (found == nullptr) {
    scanned_ = std::max(scanned_, limit);
    return end_ - at_ > limits_.max_line_bytes ? fail(too_long) : Step::more;
  }
  line_end = static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.get());
  scanned_ = line_end;
  return last == '\r' && line_end + 1 == end_ ? Step::more : Step::done;
}

RequestParser::Step RequestParser::fail(std::string_view text) {
  error_ = text;
  return Step::failed;
}

void RequestParser::finish_request() {
  for (const Slice& slice : slices_) args_.emplace_back(buffer_.get() + begin_ + slice.offset, slice.length);
}

void RequestParser::reallocate(std::size_t capacity) {
  std::unique_ptr<char[]> buffer(new char[capacity]);  // uninitialised: the read fills it
  const std::size_t pending = end_ - begin_;
  if (pending != 0) std::memcpy(buffer.get(), buffer_.get() + begin_, pending);
  buffer_ = std::move(buffer);
  capacity_ = capacity;
  at_ -= begin_;
  scanned_ -= std::min(scanned_, begin_);
  end_ = pending;
  begin_ = 0;
}

void ReplyWriter::simple(std::string_view text) {
  out_ += '+';
  out_ += text;
  out_ += "\r\n";
}

void ReplyWriter::error(std::string_view text) {
  out_ += '-';
  const std::size_t start = out_.size();
  out_ += text;
  std::replace_if(
      out_.begin() + static_cast<std::ptrdiff_t>(start), out_.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
  out_ += "\r\n";
}

void ReplyWriter::integer(std::int64_t value) { header(':', value); }

void ReplyWriter::bulk(std::string_view bytes) {
  header('$', static_cast<std::int64_t>(bytes.size()));
  out_ += bytes;
  out_ += "\r\n";
}

void ReplyWriter::null_bulk() { out_ += "$-1\r\n"; }

void ReplyWriter::array(std::size_t count) { header('*', static_cast<std::int64_t>(count)); }

void ReplyWriter::null_array() { out_ += "*-1\r\n"; }

void ReplyWriter::header(char kind, std::int64_t value) {
  char line[24];
  line[0] = kind;
  char* end = std::to_chars(line + 1, line + sizeof line - 2, value).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out_.append(line, end);
}

}  // namespace kv
