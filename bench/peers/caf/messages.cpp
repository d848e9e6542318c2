// Rows about messages between actors.
#include <atomic>

#include "actors.hpp"

using namespace caf;
using namespace harness;

namespace {

using PingAtom = atom_constant<atom("ping")>;
using PongAtom = atom_constant<atom("pong")>;
using StartAtom = atom_constant<atom("start")>;
using StopAtom = atom_constant<atom("stop")>;

void ping(event_based_actor* self, int n, std::function<void()> finish) {
  auto pong = self->spawn([](event_based_actor* me) -> behavior {
    return {[me](int x, const actor& from) {
      if (x < 0) {
        me->quit();
      } else {
        me->send(from, x);
      }
    }};
  });
  auto left = std::make_shared<int>(n);
  self->become([=](int) {
    const bool last = --*left == 0;
    self->send(pong, last ? -1 : 1, actor{self});
    if (last) {
      finish();
      self->quit();
    }
  });
  self->send(pong, 1, actor{self});
}

Values ping_pong() {
  return run_in_actor([](event_based_actor* self, Finish finish) {
    const int n = scaled(1'000'000);
    const auto start = now_ns();
    ping(self, n, [=] { finish({ns_per_item(start, n)}); });
  });
}

Values pairs() {
  return run_in_actor([](event_based_actor* self, Finish finish) {
    const int count = 100, n = scaled(20'000);
    auto left = std::make_shared<std::atomic<int>>(count);
    const auto start = now_ns();
    for (int i = 0; i < count; ++i) {
      self->spawn([=](event_based_actor* one) {
        ping(one, n, [=] {
          if (left->fetch_sub(1) == 1) finish({ns_per_item(start, static_cast<double>(count) * n)});
        });
      });
    }
  });
}

Values thread_ring() {
  return run_in_actor([](event_based_actor* self, Finish finish) {
    const int hops = scaled(3'000'000), members = 503;
    auto start = std::make_shared<std::int64_t>(0);
    auto member = [=](event_based_actor* me, std::shared_ptr<actor> next) -> behavior {
      return {[=](int k) {
        if (k == 0) finish({ns_per_item(*start, hops)});
        if (k > -members) me->send(*next, k - 1);
        if (k <= 0) {
          *next = nullptr;  // the ring of references would keep all members
          me->quit();
        }
      }};
    };
    auto last = std::make_shared<actor>();
    actor first = self->spawn(member, last), made = first;
    for (int i = 1; i < members; ++i) made = self->spawn(member, std::make_shared<actor>(made));
    *last = made;
    *start = now_ns();
    self->send(first, hops);
  });
}

Values fan_in(int senders, int n) {
  return run_in_actor([=](event_based_actor* self, Finish finish) {
    auto start = std::make_shared<std::int64_t>(0);
    const double all = static_cast<double>(senders) * n;
    auto sink = self->spawn(counter, static_cast<long>(all), std::function<void()>([=] { finish({millions_per_second(*start, all)}); }));
    *start = now_ns();
    for (int k = 0; k < senders; ++k) {
      self->spawn([=](event_based_actor* me) {
        for (int i = 0; i < n; ++i) me->send(sink, i);
      });
    }
  });
}

struct BigState {
  int left;
  Random random;
  std::shared_ptr<std::vector<actor>> all;
};

// Each pings a random other and serves pings while it waits.
behavior big_actor(event_based_actor* self, int id, int n, std::shared_ptr<std::vector<actor>> all, std::function<void()> finish) {
  auto state = std::make_shared<BigState>(BigState{n, Random(static_cast<std::uint64_t>(id) + 1), std::move(all)});
  auto next = [=] {
    const int to = (id + 1 + static_cast<int>((state->random() >> 32) % 63)) & 63;
    self->send((*state->all)[to], PingAtom::value, id);
  };
  return {[=](PingAtom, int from) { self->send((*state->all)[from], PongAtom::value); },
          [=](PongAtom) {
            if (--state->left == 0) {
              finish();
            } else {
              next();
            }
          },
          [=](StartAtom) { next(); },
          [=](StopAtom) {
            state->all.reset();
            self->quit();
          }};
}

Values big() {
  return run_in_actor([](event_based_actor* self, Finish finish) {
    const int actors = 64, n = scaled(20'000);
    auto all = std::make_shared<std::vector<actor>>();
    auto left = std::make_shared<std::atomic<int>>(actors);
    const auto start = now_ns();
    std::function<void()> finish_one = [=] {
      if (left->fetch_sub(1) != 1) return;
      finish({millions_per_second(start, 2.0 * actors * n)});
      for (auto& one : *all) anon_send(one, StopAtom::value);
    };
    for (int i = 0; i < actors; ++i) all->push_back(self->spawn(big_actor, i, n, all, finish_one));
    for (auto& one : *all) self->send(one, StartAtom::value);  // all are there before any begins
  });
}

Values fork_join() {
  return run_in_actor([](event_based_actor* self, Finish finish) {
    const int actors = 60, n = scaled(100'000);
    auto left = std::make_shared<std::atomic<int>>(actors);
    auto start = std::make_shared<std::int64_t>(0);
    std::function<void()> finish_one = [=] {
      if (left->fetch_sub(1) == 1) finish({millions_per_second(*start, static_cast<double>(actors) * n)});
    };
    std::vector<actor> all;
    for (int i = 0; i < actors; ++i) all.push_back(self->spawn(counter, long{n}, finish_one));
    *start = now_ns();
    for (int i = 0; i < n; ++i) {
      for (auto& one : all) self->send(one, i);
    }
  });
}

}  // namespace

bool run_messages(const std::string& group) {
  if (group == "ping_pong") {
    report(group, "ns/roundtrip", ping_pong().front());
  } else if (group == "ping_pong_100_pairs") {
    report(group, "ns/roundtrip", pairs().front());
  } else if (group == "thread_ring_503") {
    report(group, "ns/hop", thread_ring().front());
  } else if (group == "fan_in_8to1") {
    report(group, "Mmsg/s", fan_in(8, scaled(500'000)).front());
  } else if (group == "stream_1to1") {
    report(group, "Mmsg/s", fan_in(1, scaled(4'000'000)).front());
  } else if (group == "big_64") {
    report(group, "Mmsg/s", big().front());
  } else if (group == "fork_join_60") {
    report(group, "Mmsg/s", fork_join().front());
  } else {
    return false;
  }
  return true;
}
