// Bounded streams of bytes whose read end travels in a message.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <weft/clock.hpp>

namespace weft::inline v0 {

/// What became of a write.
enum class StreamResult : std::uint8_t { ok, timed_out, closed };
/// What one read gives: at least one byte.
using Chunk = std::vector<std::byte>;

namespace detail {
struct StreamState;
}

/// The end that writes. Move-only; used by one process at a time. Ends the stream when it is destroyed (STR-2).
class StreamWriter {
 public:
  /// For weft itself: use stream().
  explicit StreamWriter(std::shared_ptr<detail::StreamState> state) noexcept;
  /// @{
  /// Takes the end over; the other has none then. An end that is overwritten is destroyed.
  StreamWriter(StreamWriter&&) noexcept;
  StreamWriter& operator=(StreamWriter&&) noexcept;
  /// @}
  ~StreamWriter();

  /// Appends `bytes`, suspending the caller while the stream is full (STR-3); a write larger than the capacity goes in pieces.
  /// Returns ok; timed_out, and then a part may have been written if it went in pieces; closed when the reader is gone.
  /// Errors: NotInProcess; BadArgument for a negative duration.
  StreamResult write(std::span<const std::byte> bytes, Duration timeout = forever);
  /// The reader gets what was written, then the end.
  void close();

 private:
  std::shared_ptr<detail::StreamState> state_;
};

/// The end that reads: Sendable. Destroying it unread counts as the reader's death (STR-3).
class StreamReader {
 public:
  /// For weft itself: use stream().
  explicit StreamReader(std::shared_ptr<detail::StreamState> state) noexcept;
  /// @{
  /// Takes the end over; the other has none then. An end that is overwritten is destroyed.
  StreamReader(StreamReader&&) noexcept;
  StreamReader& operator=(StreamReader&&) noexcept;
  /// @}
  ~StreamReader();

  /// The next bytes, in order; suspends until there are some. Nothing at the end of the stream, or when the time is over: at_end() tells.
  /// Errors: NotInProcess; BadArgument for a negative duration.
  std::optional<Chunk> read(Duration timeout = forever);
  /// Whether everything was read and the writer is gone or closed: no read() will give bytes again. Does not wait.
  bool at_end() const;

 private:
  std::shared_ptr<detail::StreamState> state_;
};

/// A stream that holds at most `capacity_bytes` unread. Errors: NotInProcess; BadArgument for a capacity of zero.
std::pair<StreamWriter, StreamReader> stream(std::size_t capacity_bytes = std::size_t{256} * 1024);

}  // namespace weft
