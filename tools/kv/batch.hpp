// What travels between a connection and a shard: many requests in one message, and their replies in the one that comes back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/kv/commands.hpp"
#include "tools/kv/keyspace.hpp"
#include "tools/kv/resp.hpp"

namespace kv {

/// Requests, laid out flat: adding one to a batch whose buffers are warm allocates nothing.
class RequestBatch {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return requests_.size(); }

  /// Copies `args`, which come behind the command's name.
  void add(const Command& command, Args args);

  [[nodiscard]] const Command& command(std::size_t index) const noexcept { return *requests_[index].command; }
  /// Puts the arguments of request `index`, its name first, into `args`. They live as long as the batch stays where it is.
  void load(std::size_t index, std::vector<std::string_view>& args) const;

  /// Keeps the buffers, unless they are large.
  void clear();

 private:
  struct Slice {
    std::size_t offset;
    std::size_t length;
  };
  struct Request {
    const Command* command;  // in the table of commands
    std::size_t first_arg;
    std::size_t args;
  };

  std::string bytes_;
  std::vector<Slice> args_;
  std::vector<Request> requests_;
};

/// Replies in the order of their requests, numbered from 0 on. Those that have been used are dropped; the others keep their numbers.
class ReplyBatch {
 public:
  /// The first reply will have the number `first`.
  explicit ReplyBatch(std::size_t first = 0) noexcept : first_(first) {}

  /// The number that the next reply will have.
  [[nodiscard]] std::size_t end() const noexcept { return first_ + ends_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_.size(); }
  [[nodiscard]] std::string_view at(std::size_t number) const noexcept;

  /// Where the next reply is to be appended; then finish_reply() makes it one.
  [[nodiscard]] std::string& open_reply() noexcept { return bytes_; }
  void finish_reply() { ends_.push_back(bytes_.size()); }

  void drop_before(std::size_t number);
  void clear();

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;  // of reply first_, first_ + 1, …
  std::size_t first_;
};

/// The message: sent to the shard, and sent back with as many more replies as fit into the budget. Requests before replies.end() are done.
struct ShardWork {
  RequestBatch requests;
  ReplyBatch replies;

  [[nodiscard]] bool finished() const noexcept { return replies.end() >= requests.size(); }
};

/// Runs the requests that are not done, at least one and until their replies exceed `budget_bytes`: what a client makes the server hold
/// follows what it reads, not what it asks.
void execute(ShardWork& work, Keyspace& keyspace, Moment now, std::size_t budget_bytes);

}  // namespace kv
