#include "tools/kv/batch.hpp"

#include <algorithm>

namespace kv {

namespace {

constexpr std::size_t kKeptBytes = std::size_t{64} << 10;

template <class Container>
void clear_and_trim(Container& container) {
  container.clear();
  if (container.capacity() * sizeof(typename Container::value_type) > kKeptBytes) container.shrink_to_fit();
}

}  // namespace

void RequestBatch::add(const Command& command, Args args) {
  requests_.push_back({&command, args_.size(), args.size()});
  for (const std::string_view arg : args) {
    args_.push_back({bytes_.size(), arg.size()});
    bytes_ += arg;
  }
}

void RequestBatch::load(std::size_t index, std::vector<std::string_view>& args) const {
  const Request& request = requests_[index];
  args.assign(1, request.command->name);
  const std::string_view bytes = bytes_;
  for (std::size_t i = 0; i < request.args; ++i) {
    const Slice& slice = args_[request.first_arg + i];
    args.push_back(bytes.substr(slice.offset, slice.length));
  }
}

void RequestBatch::clear() {
  clear_and_trim(bytes_);
  clear_and_trim(args_);
  clear_and_trim(requests_);
}

std::string_view ReplyBatch::at(std::size_t number) const noexcept {
  const std::size_t index = number - first_;
  const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
  return std::string_view(bytes_).substr(begin, ends_[index] - begin);
}

void ReplyBatch::drop_before(std::size_t number) {
  const std::size_t count = number - first_;
  if (count == 0) return;
  const std::size_t bytes = ends_[count - 1];
  bytes_.erase(0, bytes);
  ends_.erase(ends_.begin(), ends_.begin() + static_cast<std::ptrdiff_t>(count));
  for (std::size_t& end : ends_) end -= bytes;
  first_ = number;
}

void ReplyBatch::clear() {
  clear_and_trim(bytes_);
  clear_and_trim(ends_);
  first_ = 0;
}

void execute(ShardWork& work, Keyspace& keyspace, Moment now, std::size_t budget_bytes) {
  const std::size_t before = work.replies.bytes();
  std::vector<std::string_view> args;
  while (!work.finished()) {
    const std::size_t index = work.replies.end();
    work.requests.load(index, args);
    ReplyWriter reply(work.replies.open_reply());
    (keyspace.*work.requests.command(index).on_shard)({args, now, reply});
    work.replies.finish_reply();
    if (work.replies.bytes() - before > budget_bytes) return;
  }
}

}  // namespace kv
