// Concurrent dictionary: many clients read and write one table. The table is data of one process, and access to it is a call.
//
// To make every answer checkable, a key is written by one client only, key modulo kClients, and values tell which key they belong to.
#include <unordered_map>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kClients = 20;
constexpr int kWritePercent = 10;

using Table = std::unordered_map<int, long>;

struct Read {
  int key;
};
struct Write {
  int key;
  long value;
};
struct Close {};
struct ClientDone {
  Table written;
  int reads_of_written;
};

void dictionary(Table table) {
  for (bool open = true; open;) {
    weft::receive([&](weft::Call<Read> call) { weft::reply(call.from, table.at(call.request.key)); },
                  [&](weft::Call<Write> call) {
                    table[call.request.key] = call.request.value;
                    weft::reply(call.from, call.request.value);
                  },
                  [&](weft::Call<Close> call) {
                    weft::reply(call.from, std::move(table));
                    open = false;
                  });
  }
}

void client(int number, int requests, int keys, weft::Pid dictionary, weft::Pid home) {
  Random random(static_cast<std::uint64_t>(number) + 1);
  Table written;
  int reads_of_written = 0;
  for (int i = 0; i < requests; ++i) {
    if (random.below(100) < kWritePercent) {
      const int key = random.below(keys / kClients) * kClients + number;
      const long value = key + static_cast<long>(keys) * (i + 1);
      weft::call<long>(dictionary, Write{key, value}, weft::forever);
      written[key] = value;
    } else {
      // Every other read goes to a key of this client's own, where what it must get is known exactly.
      int key = random.below(keys);
      if (i % 2 == 0 && !written.empty()) key = written.begin()->first;
      const long value = weft::call<long>(dictionary, Read{key}, weft::forever);
      require_equal("key that a value belongs to", value % keys, key);
      if (const auto mine = written.find(key); mine != written.end()) {
        require_equal("value that this client wrote last", value, mine->second);
        ++reads_of_written;
      }
    }
  }
  weft::send(home, ClientDone{std::move(written), reads_of_written});
}

class ConcurrentDictionary : public Program {
 public:
  explicit ConcurrentDictionary(Scale scale) : requests_(scale.of(10'000, 100)), keys_(scale.of(524'287, kClients)) {
    for (int key = 0; key < keys_; ++key) expected_.emplace(key, key);
    initial_ = expected_;
  }

  void run() override {
    const weft::Pid table = weft::spawn_link(dictionary, std::move(initial_));
    for (int i = 0; i < kClients; ++i) weft::spawn_link(client, i, requests_, keys_, table, weft::self());
    for (int i = 0; i < kClients; ++i) {
      ClientDone done = weft::receive<ClientDone>();
      for (const auto& [key, value] : done.written) expected_[key] = value;
      reads_of_written_ += done.reads_of_written;
    }
    result_ = weft::call<Table>(table, Close{}, weft::forever);
  }

  void check() const override {
    require(result_ == expected_, "the table does not hold what the clients wrote");
    require(reads_of_written_ > 0, "no client read what it had written");
  }

 private:
  int requests_, keys_;
  int reads_of_written_ = 0;
  Table initial_, expected_, result_;
};

const Registered<ConcurrentDictionary> registered("concurrent_dictionary", "20 clients, 10,000 requests each, 10 % writes, 524,287 keys");

}  // namespace
}  // namespace savina
