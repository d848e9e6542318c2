// Producers and consumers on a bounded buffer. The buffer is a process that takes a request only when it can be met: a guarded receive
// leaves producers' items in the mailbox while the buffer is full, and consumers' requests while it is empty.
#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr std::size_t kCapacity = 50;
constexpr int kProducers = 40;
constexpr int kConsumers = 40;
constexpr int kCost = 25;

struct Put {
  int item;
};
struct Stored {};
struct Get {};
struct ProducerDone {};
using Items = std::vector<int>;
struct Fill {
  std::size_t highest;
};

// What making or using one item costs.
void process_item(int item) {
  Random random(static_cast<std::uint64_t>(item));
  double sum = 0;
  for (int i = 0; i < kCost * 100; ++i) sum += std::log(random.real() + 0.01);
  require(std::isfinite(sum), "the work on an item came to nothing");
}

void buffer(weft::Pid home) {
  std::deque<int> items;
  std::size_t highest = 0;
  int producers = kProducers;
  for (int consumers = kConsumers; consumers > 0;) {
    const bool has_room = items.size() < kCapacity;
    const bool can_answer = !items.empty() || producers == 0;
    weft::receive(weft::when([&](const weft::Call<Put>&) { return has_room; },
                             [&](weft::Call<Put> put) {
                               items.push_back(put.request.item);
                               highest = std::max(highest, items.size());
                               weft::reply(put.from, Stored{});
                             }),
                  weft::when([&](const weft::Call<Get>&) { return can_answer; },
                             [&](weft::Call<Get> get) {
                               std::optional<int> item;
                               if (items.empty()) {
                                 --consumers;  // nothing will come any more: the consumer ends
                               } else {
                                 item = items.front();
                                 items.pop_front();
                               }
                               weft::reply(get.from, item);
                             }),
                  [&](ProducerDone) { --producers; });
  }
  weft::send(home, Fill{highest});
}

void producer(int number, int items, weft::Pid buffer) {
  for (int i = 0; i < items; ++i) {
    const int item = number * items + i;
    process_item(item);
    weft::call<Stored>(buffer, Put{item}, weft::forever);
  }
  weft::send(buffer, ProducerDone{});
}

void consumer(weft::Pid buffer, weft::Pid home) {
  Items consumed;
  while (const auto item = weft::call<std::optional<int>>(buffer, Get{}, weft::forever)) {
    process_item(*item);
    consumed.push_back(*item);
  }
  weft::send(home, std::move(consumed));
}

class BoundedBuffer : public Program {
 public:
  explicit BoundedBuffer(Scale scale) : items_(scale.of(1'000)) {}

  void run() override {
    const weft::Pid pid = weft::spawn_link(buffer, weft::self());
    for (int i = 0; i < kProducers; ++i) weft::spawn_link(producer, i, items_, pid);
    for (int i = 0; i < kConsumers; ++i) weft::spawn_link(consumer, pid, weft::self());
    for (int i = 0; i < kConsumers; ++i) {
      const Items some = weft::receive<Items>();
      consumed_.insert(consumed_.end(), some.begin(), some.end());
    }
    highest_ = weft::receive<Fill>().highest;
  }

  void check() const override {
    Items all = consumed_;
    std::sort(all.begin(), all.end());
    require_equal("items consumed", static_cast<int>(all.size()), kProducers * items_);
    for (int i = 0; i < kProducers * items_; ++i) require_equal("item consumed once", all[i], i);
    require(highest_ >= 1 && highest_ <= kCapacity, "the buffer held more than its capacity");
  }

 private:
  int items_;
  Items consumed_;
  std::size_t highest_ = 0;
};

const Registered<BoundedBuffer> registered("bounded_buffer", "buffer of 50, 40 producers of 1,000 items each, 40 consumers, cost 25");

}  // namespace
}  // namespace savina
