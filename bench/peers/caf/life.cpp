// Rows about actors: beginning and end, links, monitors, names, memory.
#include <atomic>
#include <thread>

#include "actors.hpp"

using namespace caf;
using namespace harness;

namespace {

// Actors that only count down; the last one reports.
Values spawn_exit() {
  return run_in_actor([](event_based_actor* self, Finish finish) {
    const int n = scaled(1'000'000);
    auto left = std::make_shared<std::atomic<int>>(n);
    const auto start = now_ns();
    for (int i = 0; i < n; ++i) {
      self->spawn([=](event_based_actor*) {
        if (left->fetch_sub(1) == 1) finish({ns_per_item(start, n)});
      });
    }
  });
}

// The same; an actor steps back by going on in a message to itself.
Values spawn_exit_yield64() {
  return run_in_actor([](event_based_actor* self, Finish finish) {
    const int n = scaled(1'000'000);
    auto left = std::make_shared<std::atomic<int>>(n);
    const auto start = now_ns();
    auto batch = [=](int from) {
      const int to = std::min(from + 64, n);
      for (int i = from; i < to; ++i) {
        self->spawn([=](event_based_actor*) {
          if (left->fetch_sub(1) == 1) finish({ns_per_item(start, n)});
        });
      }
      if (to < n) {
        self->send(self, to);
      } else {
        self->quit();
      }
    };
    self->become([=](int from) { batch(from); });
    batch(0);
  });
}

Values spawn_message_back() {
  return run_in_actor([](event_based_actor* self, Finish finish) {
    const int n = scaled(500'000);
    const auto start = now_ns();
    auto next = [=](int i) { self->spawn([i, to = actor{self}](event_based_actor* child) { child->send(to, i); }); };
    self->become([=](int i) {
      if (i + 1 < n) {
        next(i + 1);
      } else {
        finish({ns_per_item(start, n)});
        self->quit();
      }
    });
    next(0);
  });
}

behavior sky(event_based_actor* self, const actor& parent, std::int64_t number, std::int64_t size) {
  if (size == 1) {
    self->send(parent, number);
    return {};
  }
  const std::int64_t sub = size / 10;
  for (std::int64_t i = 0; i < 10; ++i) self->spawn(sky, actor{self}, number + i * sub, sub);
  auto sum = std::make_shared<std::int64_t>(0);
  auto left = std::make_shared<int>(10);
  return {[=](std::int64_t x) {
    *sum += x;
    if (--*left == 0) {
      self->send(parent, *sum);
      self->quit();
    }
  }};
}

Values skynet() {
  return run_in_actor([](event_based_actor* self, Finish finish) {
    const std::int64_t leaves = skynet_leaves();
    const auto start = now_ns();
    self->become([=](std::int64_t sum) {
      if (sum != leaves * (leaves - 1) / 2) std::abort();
      finish({ns_per_item(start, static_cast<double>((leaves * 10 - 1) / 9))});
      self->quit();
    });
    self->spawn(sky, actor{self}, std::int64_t{0}, leaves);
  });
}

// Part of each child's behaviour, destroyed with it: the last one finishes.
class Token {
 public:
  Token(std::shared_ptr<std::atomic<int>> left, std::function<void()> finish) : left_(std::move(left)), finish_(std::move(finish)) {}
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;
  ~Token() {
    if (left_->fetch_sub(1) == 1) finish_();
  }

 private:
  std::shared_ptr<std::atomic<int>> left_;
  std::function<void()> finish_;
};

Values link_kill() {
  return run_in_actor([](event_based_actor* self, Finish finish) {
    const int n = scaled(100'000);
    auto left = std::make_shared<std::atomic<int>>(n);
    auto killed_at = std::make_shared<std::int64_t>(0);
    auto setup = std::make_shared<double>(0);
    std::function<void()> all_gone = [=] { finish({*setup, ns_per_item(*killed_at, n)}); };
    self->spawn([=](event_based_actor* parent) -> behavior {
      const auto start = now_ns();
      // An idle actor that nobody refers to is reclaimed at once: the handles are kept.
      auto children = std::make_shared<std::vector<actor>>();
      for (int i = 0; i < n; ++i) {
        children->push_back(parent->spawn<linked>([=](event_based_actor*) -> behavior {
          auto token = std::make_shared<Token>(left, all_gone);
          return {[token](int) {}};
        }));
      }
      *setup = ns_per_item(start, n);
      parent->delayed_send(parent, std::chrono::milliseconds(300), 0);  // by then the children wait
      return {[=](int) {
        *killed_at = now_ns();
        (void)children;
        parent->quit(exit_reason::kill);
      }};
    });
  });
}

Values monitors() {
  return run_in_actor([](event_based_actor* self, Finish finish) {
    const int n = scaled(100'000);
    auto all = std::make_shared<std::vector<actor>>();
    for (int i = 0; i < n; ++i) all->push_back(self->spawn(parked));
    auto left = std::make_shared<int>(n);
    auto setup = std::make_shared<double>(0);
    auto stopped_at = std::make_shared<std::int64_t>(0);
    self->set_down_handler([=](down_msg&) {
      if (--*left != 0) return;
      finish({*setup, ns_per_item(*stopped_at, n)});
      self->quit();
    });
    // The handle keeps this actor while it waits: nobody else refers to it then.
    self->become([=, kept = actor{self}](int) {
      const auto start = now_ns();
      for (auto& one : *all) self->monitor(one);
      *setup = ns_per_item(start, n);
      *stopped_at = now_ns();
      for (auto& one : *all) self->send(one, 0);
      all->clear();
    });
    self->delayed_send(self, std::chrono::milliseconds(300), 0);  // by then all wait
  });
}

Values registry() {
  return run_in_actor([](event_based_actor* self, Finish finish) {
    const int n = 1000, rounds = scaled(50), lookups = scaled(500), messages = scaled(2'000'000);
    auto& names_of = self->system().registry();
    std::vector<atom_value> names;
    std::vector<actor> all;
    for (int i = 0; i < n; ++i) {
      names.push_back(atom_from_string("name_" + std::to_string(i)));
      all.push_back(self->spawn(parked));
    }
    double put = 0, erase = 0;
    for (int round = 0; round < rounds; ++round) {
      const auto start = now_ns();
      for (int i = 0; i < n; ++i) names_of.put(names[i], all[i]);
      put += ns_per_item(start, static_cast<double>(n) * rounds);
      const auto middle = now_ns();
      for (auto name : names) names_of.erase(name);
      erase += ns_per_item(middle, static_cast<double>(n) * rounds);
    }
    for (int i = 0; i < n; ++i) names_of.put(names[i], all[i]);
    const auto start = now_ns();
    long found = 0;
    for (int round = 0; round < lookups; ++round) {
      for (auto name : names) found += bool(names_of.get<strong_actor_ptr>(name));
    }
    if (found != static_cast<long>(lookups) * n) std::abort();
    const double get = ns_per_item(start, static_cast<double>(n) * lookups);
    for (auto name : names) names_of.erase(name);
    for (auto& one : all) self->send(one, 0);
    const auto sink_name = atom("peer_sink");
    auto sent_at = std::make_shared<std::int64_t>(0);
    std::function<void()> received = [=] { finish({put, get, erase, ns_per_item(*sent_at, messages)}); };
    names_of.put(sink_name, self->spawn(counter, long{messages}, received));
    *sent_at = now_ns();
    for (int i = 0; i < messages; ++i) self->send(actor_cast<actor>(names_of.get<strong_actor_ptr>(sink_name)), i);
    names_of.erase(sink_name);
  });
}

// Ends the program: the actors still wait.
void memory(const std::string& row, int n) {
  actor_system system{config()};
  const double before = resident_bytes();
  std::vector<actor> all;
  all.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) all.push_back(system.spawn(parked));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  report(row, "bytes/process", (resident_bytes() - before) / n);
  _exit(0);
}

}  // namespace

bool run_life(const std::string& group) {
  if (group == "spawn_exit") {
    report(group, "ns/process", spawn_exit().front());
  } else if (group == "spawn_exit_yield64") {
    report(group, "ns/process", spawn_exit_yield64().front());
  } else if (group == "spawn_message_back") {
    report(group, "ns/process", spawn_message_back().front());
  } else if (group == "skynet") {
    report(group, "ns/actor", skynet().front());
  } else if (group == "link_kill") {
    const Values values = link_kill();
    report("spawn_link_100k", "ns/process", values[0]);
    report("link_kill_100k", "ns/process", values[1]);
  } else if (group == "monitors") {
    const Values values = monitors();
    report("monitor_setup_100k", "ns/monitor", values[0]);
    report("monitor_exit_down_100k", "ns/DOWN", values[1]);
  } else if (group == "registry") {
    const Values values = registry();
    report("register", "ns/op", values[0]);
    report("whereis", "ns/op", values[1]);
    report("unregister", "ns/op", values[2]);
    report("send_by_name", "ns/msg", values[3]);
  } else if (group == "mem_idle_100k") {
    memory(group, scaled(100'000));
  } else if (group == "mem_idle_1m") {
    memory(group, scaled(1'000'000));
  } else {
    return false;
  }
  return true;
}
