// What processes that compute do to one that exchanges messages: the time of its round trips beside them.
#include <atomic>

#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Ping {
  Pid from;
  std::size_t n;
};
struct Pong {
  std::size_t n;
};
struct Stop {};

void echo() {
  for (bool running = true; running;) {
    receive([](Ping ping) { send(ping.from, Pong{ping.n}); }, [&](Stop) { running = false; });
  }
}

/// Yields us: p50, p99 of n round trips of one pair.
std::vector<double> round_trips(std::size_t n) {
  std::vector<double> times;
  times.reserve(n);
  const Pid peer = spawn(echo);
  for (std::size_t i = 0; i < n; ++i) {
    const Stopwatch watch;
    send(peer, Ping{self(), i});
    expect(receive<Pong>().n == i, "an answer was not the one to its question");
    times.push_back(watch.ns() / 1000);
  }
  send(peer, Stop{});
  return {quantile(times, 0.5), quantile(times, 0.99)};
}

/// Beside processes that compute in small steps, and call checkpoint() after each: four for each worker.
std::vector<double> beside_computing(Runtime& runtime) {
  const std::size_t n = scaled(10'000);
  const unsigned spinners = 4 * runtime.stats().workers;
  std::atomic<bool> done{false};
  auto figures = runtime.run([&] {
    for (unsigned i = 0; i < spinners; ++i) {
      spawn([&done] {
        while (!done.load(std::memory_order_relaxed)) checkpoint();
      });
    }
    auto result = round_trips(n);
    done.store(true);
    return result;
  });
  await_empty(runtime);
  return figures;
}

/// Beside one process that never calls the runtime and so keeps a worker to itself.
std::vector<double> beside_stuck(Runtime& runtime) {
  const std::size_t n = scaled(100'000);
  std::atomic<bool> spinning{false};
  std::atomic<bool> done{false};
  runtime.spawn([&] {
    spinning.store(true);
    while (!done.load(std::memory_order_relaxed)) {
    }
  });
  auto figures = runtime.run([&] {
    while (!spinning.load()) yield();
    auto result = round_trips(n);
    done.store(true);
    return result;
  });
  await_empty(runtime);
  return figures;
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add({{"fair_beside_computing_p50", "us"}, {"fair_beside_computing_p99", "us"}}, beside_computing);
  suite.add({{"fair_beside_stuck_p50", "us"}, {"fair_beside_stuck_p99", "us"}}, beside_stuck, Where::shared_process, 2);
  return suite.run(argc, argv);
}
