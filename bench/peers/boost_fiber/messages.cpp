// Rows about messages between fibers.
#include "fibers.hpp"

using namespace harness;

namespace {

constexpr std::size_t kCapacity = 1024;  // where throughput is measured

void pair(int n, const std::shared_ptr<Gate>& done) {
  auto ping = mailbox<int>(2), pong = mailbox<int>(2);
  go([=] {
    for (int i = 0; i < n; ++i) pong->push(ping->value_pop());
  });
  go([=] {
    for (int i = 0; i < n; ++i) {
      ping->push(i);
      pong->value_pop();
    }
    done->hit();
  });
}

double pairs(int count, int n) {
  auto done = gate(count);
  for (int i = 0; i < count; ++i) pair(n, done);
  done->wait();
  return count * static_cast<double>(n);
}

double thread_ring() {
  const int hops = scaled(3'000'000), members = 503;
  std::vector<Mailbox<int>> boxes;
  for (int i = 0; i < members; ++i) boxes.push_back(mailbox<int>(2));
  auto done = gate(1), gone = gate(members);
  for (int i = 0; i < members; ++i) {
    go([=, in = boxes[i], out = boxes[(i + 1) % members]] {
      for (;;) {
        const int k = in->value_pop();
        if (k == 0) done->hit();
        if (k > -members) out->push(k - 1);
        if (k <= 0) break;
      }
      gone->hit();
    });
  }
  const auto start = now_ns();
  boxes[0]->push(hops);
  done->wait();
  const double value = ns_per_item(start, hops);
  gone->wait();
  return value;
}

double fan_in(int senders, int n) {
  auto box = mailbox<int>(kCapacity);
  auto done = gate(1);
  go([=] {
    for (long i = 0; i < long{senders} * n; ++i) box->value_pop();
    done->hit();
  });
  const auto start = now_ns();
  for (int k = 0; k < senders; ++k) {
    go([=] {
      for (int i = 0; i < n; ++i) box->push(i);
    });
  }
  done->wait();
  return millions_per_second(start, static_cast<double>(senders) * n);
}

struct BigMessage {
  bool ping;
  int from;
};

// Each pings a random other and serves pings while it waits.
double big() {
  const int actors = 64, n = scaled(20'000);
  auto boxes = std::make_shared<std::vector<Mailbox<BigMessage>>>();
  for (int i = 0; i < actors; ++i) boxes->push_back(mailbox<BigMessage>(256));
  auto done = gate(actors), gone = gate(actors);
  const auto start = now_ns();
  for (int id = 0; id < actors; ++id) {
    go([=] {
      Random random(static_cast<std::uint64_t>(id) + 1);
      auto& box = *(*boxes)[id];
      for (int i = 0; i < n; ++i) {
        const int to = (id + 1 + static_cast<int>((random() >> 32) % 63)) & 63;
        (*boxes)[to]->push({true, id});
        for (BigMessage m = box.value_pop(); m.ping; m = box.value_pop()) (*boxes)[m.from]->push({false, id});
      }
      done->hit();
      for (BigMessage m = box.value_pop(); m.from >= 0; m = box.value_pop()) (*boxes)[m.from]->push({false, id});
      gone->hit();
    });
  }
  done->wait();
  const double value = millions_per_second(start, 2.0 * actors * n);
  for (auto& box : *boxes) box->push({true, -1});
  gone->wait();
  return value;
}

double fork_join() {
  const int actors = 60, n = scaled(100'000);
  auto done = gate(actors);
  std::vector<Mailbox<int>> boxes;
  for (int i = 0; i < actors; ++i) {
    boxes.push_back(mailbox<int>(kCapacity));
    go([=, box = boxes.back()] {
      for (int k = 0; k < n; ++k) box->value_pop();
      done->hit();
    });
  }
  const auto start = now_ns();
  for (int i = 0; i < n; ++i) {
    for (auto& box : boxes) box->push(i);
  }
  done->wait();
  return millions_per_second(start, static_cast<double>(actors) * n);
}

}  // namespace

bool run_messages(const std::string& group) {
  if (group == "ping_pong") {
    report(group, "ns/roundtrip", warm([] {
             const auto start = now_ns();
             const double round_trips = pairs(1, scaled(1'000'000));
             return ns_per_item(start, round_trips);
           }));
  } else if (group == "ping_pong_100_pairs") {
    report(group, "ns/roundtrip", warm([] {
             const auto start = now_ns();
             const double round_trips = pairs(100, scaled(20'000));
             return ns_per_item(start, round_trips);
           }));
  } else if (group == "thread_ring_503") {
    report(group, "ns/hop", warm(thread_ring));
  } else if (group == "fan_in_8to1") {
    report(group, "Mmsg/s", warm([] { return fan_in(8, scaled(500'000)); }));
  } else if (group == "stream_1to1") {
    report(group, "Mmsg/s", warm([] { return fan_in(1, scaled(4'000'000)); }));
  } else if (group == "big_64") {
    report(group, "Mmsg/s", warm(big));
  } else if (group == "fork_join_60") {
    report(group, "Mmsg/s", warm(fork_join));
  } else {
    return false;
  }
  return true;
}
