// Concurrent sorted list: many clients insert into, search and measure one sorted linked list, which one process owns.
// Long operations on the one hot process, so that the clients' calls queue up behind each other.
#include <algorithm>
#include <forward_list>
#include <iterator>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kClients = 20;
constexpr int kInsertPercent = 10;
constexpr int kSizePercent = 1;

struct Insert {
  int value;
};
struct Contains {
  int value;
};
struct Size {};
struct Close {};
using Values = std::vector<int>;

class SortedList {
 public:
  void insert(int value) {
    values_.insert_after(last_below(value), value);
    ++size_;
  }
  bool contains(int value) {
    const auto at = std::next(last_below(value));
    return at != values_.end() && *at == value;
  }
  int size() const { return size_; }
  Values take() { return {values_.begin(), values_.end()}; }

 private:
  std::forward_list<int>::iterator last_below(int value) {
    auto before = values_.before_begin();
    for (auto at = values_.begin(); at != values_.end() && *at < value; ++at) before = at;
    return before;
  }
  std::forward_list<int> values_;
  int size_ = 0;
};

void list() {
  SortedList list;
  for (bool open = true; open;) {
    weft::receive(
        [&](weft::Call<Insert> call) {
          list.insert(call.request.value);
          weft::reply(call.from, list.size());
        },
        [&](weft::Call<Contains> call) { weft::reply(call.from, list.contains(call.request.value)); },
        [&](weft::Call<Size> call) { weft::reply(call.from, list.size()); },
        [&](weft::Call<Close> call) {
          weft::reply(call.from, list.take());
          open = false;
        });
  }
}

// Sends `home` the values that it inserted.
void client(int number, int requests, weft::Pid list, weft::Pid home) {
  Random random(static_cast<std::uint64_t>(number) + 1);
  Values inserted;
  int size_seen = 0;
  for (int i = 0; i < requests; ++i) {
    const int dice = random.below(100);
    if (dice < kInsertPercent) {
      inserted.push_back(random.below(1 << 30) * 2);  // even: odd numbers are never in the list
      size_seen = weft::call<int>(list, Insert{inserted.back()}, weft::forever);
    } else if (dice < kInsertPercent + kSizePercent) {
      const int size = weft::call<int>(list, Size{}, weft::forever);
      require(size >= size_seen && size >= static_cast<int>(inserted.size()), "the list has shrunk");
      size_seen = size;
    } else {
      const bool known = !inserted.empty() && i % 2 == 0;
      const int value = known ? inserted[random.below(static_cast<int>(inserted.size()))] : random.below(1 << 30) * 2 + 1;
      require_equal("whether a value is in the list", weft::call<bool>(list, Contains{value}, weft::forever), known);
    }
  }
  weft::send(home, std::move(inserted));
}

class ConcurrentSortedList : public Program {
 public:
  explicit ConcurrentSortedList(Scale scale) : requests_(scale.length(8'000, 2, 100)) {}

  void run() override {
    const weft::Pid pid = weft::spawn_link(list);
    for (int i = 0; i < kClients; ++i) weft::spawn_link(client, i, requests_, pid, weft::self());
    for (int i = 0; i < kClients; ++i) {
      const Values inserted = weft::receive<Values>();
      inserted_.insert(inserted_.end(), inserted.begin(), inserted.end());
    }
    listed_ = weft::call<Values>(pid, Close{}, weft::forever);
  }

  void check() const override {
    Values expected = inserted_;
    std::sort(expected.begin(), expected.end());
    require(!expected.empty() && listed_ == expected, "the list is not what the clients inserted, in order");
  }

 private:
  int requests_;
  Values inserted_, listed_;
};

const Registered<ConcurrentSortedList> registered("concurrent_sorted_list", "20 clients, 8,000 requests each, 10 % inserts, 1 % sizes");

}  // namespace
}  // namespace savina
