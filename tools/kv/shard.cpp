#include "tools/kv/shard.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <unordered_map>

#include "tools/kv/batch.hpp"
#include "tools/kv/keyspace.hpp"

namespace kv {

namespace {

constexpr std::size_t kReplyBudgetBytes = std::size_t{1} << 20;
constexpr std::size_t kExpirySteps = 1000;  // at once; requests go first

struct ExpiryDue {};

Moment current_moment() { return std::chrono::duration_cast<Moment>(weft::now().time_since_epoch()); }

/// One shard. Requests arrive as calls; a key that expires is erased by a timer, if no request meets it before.
class Shard {
 public:
  explicit Shard(std::size_t max_string_bytes) : keyspace_(max_string_bytes) {}

  [[noreturn]] void run() {
    while (true) {
      weft::receive([this](weft::Call<ShardWork> call) { serve(std::move(call)); }, [this](ExpiryDue) { expire(); },
                    [](weft::Message) {});  // What nobody expects must not wait in the mailbox for ever.
    }
  }

 private:
  void serve(weft::Call<ShardWork> call) {
    execute(call.request, keyspace_, current_moment(), kReplyBudgetBytes);
    weft::reply(call.from, std::move(call.request));
    arm_timer();
  }

  void expire() {
    timer_.reset();
    keyspace_.expire_due(current_moment(), kExpirySteps);
    arm_timer();
  }

  void arm_timer() {
    const std::optional<Moment> deadline = keyspace_.next_deadline();
    if (!deadline || (timer_ && timer_->when <= *deadline)) return;
    if (timer_) weft::cancel_timer(timer_->ref);
    const Moment wait = std::max(*deadline - current_moment(), Moment::zero());
    timer_ = Timer{weft::send_after(wait, weft::self(), ExpiryDue{}), *deadline};
  }

  struct Timer {
    weft::TimerRef ref;
    Moment when;
  };

  Keyspace keyspace_;
  std::optional<Timer> timer_;
};

}  // namespace

std::string shard_name(std::size_t index) { return "shard." + std::to_string(index); }

void supervise_shards(ShardOptions options, weft::Pid starter) {
  std::unordered_map<weft::Pid, std::size_t> shards;
  const auto start = [&](std::size_t index) {
    const std::string name = shard_name(index);
    const auto body = [bytes = options.max_string_bytes] { Shard(bytes).run(); };
    shards.emplace(weft::spawn_link(weft::SpawnOptions{.name = name, .label = name}, body), index);
  };
  for (std::size_t index = 0; index < options.shards; ++index) start(index);
  weft::send(starter, ShardsReady{});
  while (true) {
    const weft::Exit exit = weft::receive<weft::Exit>();
    const auto shard = shards.find(exit.from);
    if (shard == shards.end()) weft::exit(exit.reason);
    const std::size_t index = shard->second;
    shards.erase(shard);
    start(index);  // The name is free: it was released before the exit signal left.
  }
}

}  // namespace kv
