#include <weft/stream.hpp>

#include <algorithm>
#include <list>

#include <weft/error.hpp>

#include "runtime/caller.hpp"

namespace weft::inline v0 {

namespace detail {

/// Between a writer and a reader. `lock` guards everything; who waits is kicked after it is released.
struct StreamState {
  explicit StreamState(std::size_t capacity_bytes) : capacity(capacity_bytes) {}
  base::SpinLock lock;
  const std::size_t capacity;
  std::list<Chunk> chunks;
  std::size_t waiting_bytes = 0;
  bool writer_gone = false;
  bool reader_gone = false;
  struct Waiter {
    RuntimeCore* core = nullptr;
    Pid pid{};
  };
  Waiter writer;  // suspended in write()
  Waiter reader;  // suspended in read()
};

namespace {

using Hold = std::lock_guard<base::SpinLock>;

/// Under the stream's lock, so that the waiter, and with it its runtime, stays while it is kicked.
void wake(StreamState::Waiter& waiter) noexcept {
  if (waiter.core != nullptr) waiter.core->kick(waiter.pid);
  waiter = {};
}

/// The last thing an end does to a stream. May run on any thread.
void leave(StreamState& state, bool StreamState::*gone, StreamState::Waiter StreamState::*waiter) noexcept {
  std::list<Chunk> unread;
  const Hold hold(state.lock);
  state.*gone = true;
  if (state.reader_gone) {
    unread.swap(state.chunks);  // Freed after the lock: constructed before it.
    state.waiting_bytes = 0;
  }
  wake(state.*waiter);
}

/// Suspends the caller, which stands in `waiter`, until it is woken or the time comes.
void wait_in_stream(ControlBlock& self, StreamState& state, StreamState::Waiter StreamState::*waiter, std::int64_t deadline) {
  struct Leave {  // Also when killed: the runtime may be gone when the other end moves on.
    StreamState& state;
    StreamState::Waiter StreamState::*waiter;
    ~Leave() {
      const Hold hold(state.lock);
      (state.*waiter) = {};
    }
  } const leave_it{state, waiter};
  park(self, deadline, Waiting::stream);
  current_core()->drain(self);
  meet_doom(self);
}

}  // namespace
}  // namespace detail

using detail::ControlBlock;
using detail::current_core;
using Hold = std::lock_guard<base::SpinLock>;

StreamWriter::StreamWriter(std::shared_ptr<detail::StreamState> state) noexcept : state_(std::move(state)) {}
StreamWriter::StreamWriter(StreamWriter&&) noexcept = default;
StreamWriter& StreamWriter::operator=(StreamWriter&& other) noexcept {
  if (this != &other) {
    close();
    state_ = std::move(other.state_);
  }
  return *this;
}
StreamWriter::~StreamWriter() { close(); }

void StreamWriter::close() {
  if (!state_) return;
  detail::leave(*state_, &detail::StreamState::writer_gone, &detail::StreamState::reader);
  state_.reset();
}

StreamResult StreamWriter::write(std::span<const std::byte> bytes, Duration timeout) {
  ControlBlock& self = detail::process_here("StreamWriter::write");
  const std::int64_t deadline = current_core()->deadline_after(timeout, "StreamWriter::write");
  if (!state_) return StreamResult::closed;
  detail::StreamState& state = *state_;
  while (!bytes.empty()) {
    Chunk piece;
    bool full = false;
    {
      std::size_t room = 0;
      {
        const Hold hold(state.lock);
        if (state.reader_gone) return StreamResult::closed;
        room = state.capacity - state.waiting_bytes;
      }
      const std::size_t n = std::min(room, bytes.size());
      // All of it when that can ever fit, else as much as there is room for.
      full = n == 0 || (n < bytes.size() && bytes.size() <= state.capacity);
      if (!full) piece.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
      const Hold hold(state.lock);
      if (full) {
        // The reader may have made room since the look: it tells only a writer that it sees waiting.
        if (state.capacity - state.waiting_bytes != room || state.reader_gone) continue;
        state.writer = {current_core(), self.pid};
      } else {
        state.chunks.push_back(std::move(piece));
        state.waiting_bytes += n;
        bytes = bytes.subspan(n);
        detail::wake(state.reader);
      }
    }
    if (full) {
      if (deadline != detail::kNever && current_core()->scheduler.now_ns() >= deadline) {
        const Hold hold(state.lock);
        state.writer = {};
        return StreamResult::timed_out;
      }
      detail::wait_in_stream(self, state, &detail::StreamState::writer, deadline);
    }
  }
  const Hold hold(state.lock);
  return state.reader_gone ? StreamResult::closed : StreamResult::ok;
}

StreamReader::StreamReader(std::shared_ptr<detail::StreamState> state) noexcept : state_(std::move(state)) {}
StreamReader::StreamReader(StreamReader&&) noexcept = default;
StreamReader& StreamReader::operator=(StreamReader&& other) noexcept {
  if (this != &other) {
    if (state_) detail::leave(*state_, &detail::StreamState::reader_gone, &detail::StreamState::writer);
    state_ = std::move(other.state_);
  }
  return *this;
}
StreamReader::~StreamReader() {
  if (state_) detail::leave(*state_, &detail::StreamState::reader_gone, &detail::StreamState::writer);
}

std::optional<Chunk> StreamReader::read(Duration timeout) {
  ControlBlock& self = detail::process_here("StreamReader::read");
  const std::int64_t deadline = current_core()->deadline_after(timeout, "StreamReader::read");
  if (!state_) return std::nullopt;
  detail::StreamState& state = *state_;
  for (;;) {
    std::optional<Chunk> chunk;
    {
      const Hold hold(state.lock);
      if (!state.chunks.empty()) {
        chunk = std::move(state.chunks.front());
        state.chunks.pop_front();
        state.waiting_bytes -= chunk->size();
        detail::wake(state.writer);
      } else if (state.writer_gone) {
        return std::nullopt;
      } else {
        state.reader = {current_core(), self.pid};
      }
    }
    if (chunk) return chunk;
    if (deadline != detail::kNever && current_core()->scheduler.now_ns() >= deadline) {
      const Hold hold(state.lock);
      state.reader = {};
      return std::nullopt;
    }
    detail::wait_in_stream(self, state, &detail::StreamState::reader, deadline);
  }
}

bool StreamReader::at_end() const {
  if (!state_) return true;
  const Hold hold(state_->lock);
  return state_->chunks.empty() && state_->writer_gone;
}

std::pair<StreamWriter, StreamReader> stream(std::size_t capacity_bytes) {
  (void)detail::process_here("stream");
  if (capacity_bytes == 0) throw BadArgument("stream() with a capacity of zero bytes");
  auto state = std::make_shared<detail::StreamState>(capacity_bytes);
  return {StreamWriter(state), StreamReader(state)};
}

}  // namespace weft
