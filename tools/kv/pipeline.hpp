// The requests of one client that are under way: split over the shards, and put together again in the order in which they came.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "tools/kv/batch.hpp"
#include "tools/kv/commands.hpp"

namespace kv {

/// A plan for the requests of one read. The owner adds requests, then makes rounds: it takes the work of each shard that wants_round(),
/// has the shard do some of it, puts it back, and drains the replies; until drain() says that all is answered.
///
/// P1  A request has one part or more. Part `number` of a lane is answered by reply `number` of that lane; a lane is a shard, or the
///     connection itself, whose replies are there from the start.
/// P2  The parts of a lane are in the order of their requests: what one client sends to one key happens in the order of sending.
/// P3  Each round brings the oldest unanswered request nearer to its answer, since the lanes that it waits for take part (wants_round).
class Pipeline {
 public:
  explicit Pipeline(std::size_t shards);

  [[nodiscard]] bool empty() const noexcept { return requests_.empty(); }
  [[nodiscard]] std::size_t shards() const noexcept { return lanes_.size() - 1; }

  /// Adds a request for the shards, whose arguments have been checked.
  void add(const Command& command, Args args);

  /// Adds a request that is answered at once, with the one reply that f(ReplyWriter&) writes.
  template <class F>
  void add_answered(F&& f) {
    Lane& own = lanes_.back();
    ReplyWriter reply(own.work.replies.open_reply());
    f(reply);
    own.work.replies.finish_reply();
    add_request(Merge::first);
    add_part(lanes_.size() - 1);
  }

  /// Whether the shard has something to do now. A lane that is ahead waits while its replies, unused, exceed `budget_bytes`.
  [[nodiscard]] bool wants_round(std::size_t shard, std::size_t budget_bytes) const noexcept;
  [[nodiscard]] ShardWork take_work(std::size_t shard) noexcept { return std::move(lanes_[shard].work); }
  void put_back(std::size_t shard, ShardWork work) noexcept { lanes_[shard].work = std::move(work); }

  /// The work that was taken is lost: `error` answers each part of it that had not been drained.
  void fail(std::size_t shard, std::string_view error);

  /// Appends the replies of the requests that are answered, up to the first that is not. True if all are: then the pipeline is empty.
  [[nodiscard]] bool drain(std::string& out);

 private:
  struct Lane {
    ShardWork work;
    std::size_t parts = 0;    // planned
    std::size_t drained = 0;  // of these
  };
  struct Part {
    std::size_t lane;
    std::size_t number;
  };
  struct Request {
    Merge merge;
    std::size_t parts_end;  // in parts_; it begins where the request before it ends
  };

  void add_request(Merge merge) { requests_.push_back({merge, parts_.size()}); }
  void add_part(std::size_t lane) {
    parts_.push_back({lane, lanes_[lane].parts++});
    requests_.back().parts_end = parts_.size();
  }
  void add_to_shard(std::size_t shard, const Command& command, Args args);
  [[nodiscard]] bool is_answered(const Part& part) const noexcept { return part.number < lanes_[part.lane].work.replies.end(); }
  void clear();

  std::vector<Lane> lanes_;  // one a shard, and the connection's own
  std::vector<Request> requests_;
  std::vector<Part> parts_;
  std::size_t answered_ = 0;        // requests
  std::size_t answered_parts_ = 0;  // their parts
  std::vector<std::string_view> merging_;
};

}  // namespace kv
