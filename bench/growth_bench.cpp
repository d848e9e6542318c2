// How the cost of one operation grows with what is there already: processes, queued messages, links, names, timers.
//
// A row growth_<what>_<N> is the cost of one operation beside N others. Each is taken in a child process, where nothing else is.
#include <atomic>

#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Stop {};
struct Junk {};
struct Ping {
  Pid from;
  std::size_t n;
};
struct Pong {
  std::size_t n;
};

/// n processes that wait for a message, and have run.
std::vector<Pid> parked(std::size_t n) {
  need_memory(n, 6000);
  std::vector<Pid> pids;
  pids.reserve(n);
  const Pid me = self();
  for (std::size_t i = 0; i < n; ++i) {
    pids.push_back(spawn([me, n, i] {
      if (i + 1 == n) send(me, Junk{});
      receive<Stop>();
    }));
    if (i % 1'024 == 0) yield();  // They come to rest one after the other: the queue of those that have not run stays short.
  }
  await<Junk>();
  return pids;
}

void echo() {
  for (bool running = true; running;) {
    receive([](Ping ping) { send(ping.from, Pong{ping.n}); }, [&](Call<std::size_t> question) { reply(question.from, question.request); },
            [&](Stop) { running = false; });
  }
}

/// ns for each of `published` turns of `operation(i)`, which must yield true.
template <class Operation>
double each(std::size_t published, Operation operation) {
  const std::size_t n = scaled(published);
  bool right = true;
  for (std::size_t i = 0; i < n / 10; ++i) right &= operation(i);  // What is kept for reuse has grown.
  const Stopwatch watch;
  for (std::size_t i = 0; i < n; ++i) right &= operation(i);
  const double figure = watch.ns_per(n);
  expect(right, "an operation came to a wrong result");
  return figure;
}

double spawn_beside_processes(std::size_t n) {
  const std::vector<Pid> others = parked(n);
  const Pid me = self();
  return each(200'000, [me](std::size_t i) {
    spawn([me, i] { send(me, Pong{i}); });
    return receive<Pong>().n == i;
  });
}

double round_trip_beside_processes(std::size_t n) {
  const std::vector<Pid> others = parked(n);
  const Pid peer = spawn(echo);
  return each(500'000, [peer](std::size_t i) {
    send(peer, Ping{self(), i});
    return receive<Pong>().n == i;
  });
}

/// The round trips of all those processes in turn: each is met with cold caches.
double round_trip_among_processes(std::size_t n) {
  need_memory(n, 6000);
  std::vector<Pid> peers(n);
  for (Pid& peer : peers) {
    peer = spawn(echo);
    send(peer, Ping{self(), 0});
    receive<Pong>();  // It has its stack from now on.
  }
  return each(500'000, [&](std::size_t i) {
    send(peers[i * 7'919 % n], Ping{self(), i});
    return receive<Pong>().n == i;
  });
}

double call_beside_messages(std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) send(self(), Junk{});
  const Pid peer = spawn(echo);
  return each(200'000, [peer](std::size_t i) { return call<std::size_t>(peer, i, kPatience) == i; });
}

double receive_by_value_beside_messages(std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) send(self(), Junk{});
  const Pid peer = spawn(echo);
  return each(20 + 20'000'000 / (n + 100), [peer](std::size_t i) {
    send(peer, Ping{self(), i});
    return receive(when([i](const Pong& pong) { return pong.n == i; }, [](Pong pong) { return pong.n; })) == i;
  });
}

double link_beside_links(std::size_t n) {
  for (const Pid other : parked(n)) link(other);
  const Pid one_more = spawn([] { receive<Stop>(); });
  return each(200'000, [one_more](std::size_t) {
    link(one_more);
    unlink(one_more);
    return true;
  });
}

double name_beside_names(std::size_t n) {
  const std::vector<Pid> others = parked(n);
  for (std::size_t i = 0; i < n; ++i) register_name("name_" + std::to_string(i), others[i]);
  const Pid me = self();
  return each(200'000, [me](std::size_t) {
    register_name("one more", me);
    return whereis("one more") == me && unregister("one more");
  });
}

double timer_beside_timers(std::size_t n) {
  const auto far_away = [](std::size_t i) { return 600s + std::chrono::milliseconds(i * 7'919 % 3'600'000); };
  for (std::size_t i = 0; i < n; ++i) start_timer(far_away(i), self(), Junk{});
  return each(200'000, [&](std::size_t i) { return cancel_timer(start_timer(far_away(i), self(), Pong{i})).has_value(); });
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  const auto add = [&](const std::string& what, double (*measure)(std::size_t)) {
    for (const std::size_t n : {100, 1'000, 10'000, 100'000, 1'000'000}) {
      suite.add(
          "growth_" + what + '_' + std::to_string(n), "ns", [=](Runtime& runtime) { return runtime.run([=] { return measure(n); }); },
          Where::own_process);
    }
  };
  add("spawn_beside_processes", spawn_beside_processes);
  add("round_trip_beside_processes", round_trip_beside_processes);
  add("round_trip_among_processes", round_trip_among_processes);
  add("call_beside_messages", call_beside_messages);
  add("receive_by_value_beside_messages", receive_by_value_beside_messages);
  add("link_beside_links", link_beside_links);
  add("name_beside_names", name_beside_names);
  add("timer_beside_timers", timer_beside_timers);
  return suite.run(argc, argv);
}
