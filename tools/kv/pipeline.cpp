#include "tools/kv/pipeline.hpp"

#include <algorithm>

#include "tools/kv/hash.hpp"

namespace kv {

Pipeline::Pipeline(std::size_t shards) : lanes_(shards + 1) {}

void Pipeline::add(const Command& command, Args args) {
  add_request(command.merge);
  switch (command.route) {
    case Route::key:
      return add_to_shard(shard_of(args[1], shards()), command, args.subspan(1));
    case Route::each_key:
      for (std::size_t i = 1; i < args.size(); ++i) add_to_shard(shard_of(args[i], shards()), command, args.subspan(i, 1));
      return;
    case Route::each_pair:
      for (std::size_t i = 1; i < args.size(); i += 2) add_to_shard(shard_of(args[i], shards()), command, args.subspan(i, 2));
      return;
    case Route::every_shard:
      for (std::size_t shard = 0; shard < shards(); ++shard) add_to_shard(shard, command, args.subspan(1));
      return;
    case Route::session:
    case Route::connection:
      break;
  }
}

void Pipeline::add_to_shard(std::size_t shard, const Command& command, Args args) {
  lanes_[shard].work.requests.add(command, args);
  add_part(shard);
}

bool Pipeline::wants_round(std::size_t shard, std::size_t budget_bytes) const noexcept {
  const Lane& lane = lanes_[shard];
  if (lane.work.finished()) return false;
  if (lane.work.replies.bytes() <= budget_bytes) return true;
  const auto begin = parts_.begin() + static_cast<std::ptrdiff_t>(answered_parts_);
  const auto end = parts_.begin() + static_cast<std::ptrdiff_t>(requests_[answered_].parts_end);
  return std::any_of(begin, end, [&](const Part& part) { return part.lane == shard && !is_answered(part); });
}

void Pipeline::fail(std::size_t shard, std::string_view error) {
  Lane& lane = lanes_[shard];
  lane.work = ShardWork{{}, ReplyBatch(lane.drained)};
  ReplyBatch& replies = lane.work.replies;
  while (replies.end() < lane.parts) {
    ReplyWriter(replies.open_reply()).error(error);
    replies.finish_reply();
  }
}

bool Pipeline::drain(std::string& out) {
  for (; answered_ < requests_.size(); ++answered_) {
    const Request& request = requests_[answered_];
    const auto begin = parts_.begin() + static_cast<std::ptrdiff_t>(answered_parts_);
    const auto end = parts_.begin() + static_cast<std::ptrdiff_t>(request.parts_end);
    if (!std::all_of(begin, end, [this](const Part& part) { return is_answered(part); })) break;
    merging_.clear();
    for (auto part = begin; part != end; ++part) {
      merging_.push_back(lanes_[part->lane].work.replies.at(part->number));
      lanes_[part->lane].drained = part->number + 1;
    }
    merge_replies(request.merge, merging_, out);
    answered_parts_ = request.parts_end;
  }
  if (answered_ == requests_.size()) {
    clear();
    return true;
  }
  for (Lane& lane : lanes_) lane.work.replies.drop_before(lane.drained);
  return false;
}

void Pipeline::clear() {
  for (Lane& lane : lanes_) {
    lane.work.requests.clear();
    lane.work.replies.clear();
    lane.parts = lane.drained = 0;
  }
  requests_.clear();
  parts_.clear();
  answered_ = answered_parts_ = 0;
}

}  // namespace kv
