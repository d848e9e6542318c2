// A request that carries its sender, and the answer: one pair, and many at once.
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
struct Done {
  bool right;
};

void echo() {
  for (bool running = true; running;) {
    receive([](Ping ping) { send(ping.from, Pong{ping.n}); }, [&](Stop) { running = false; });
  }
}

/// True if each answer was the one to its question.
bool round_trips(Pid peer, std::size_t n) {
  bool right = true;
  for (std::size_t i = 0; i < n; ++i) {
    send(peer, Ping{self(), i});
    right &= receive<Pong>().n == i;
  }
  return right;
}

double one_pair(Runtime& runtime) {
  const std::size_t n = scaled(1'000'000);
  return runtime.run([=] {
    const Pid peer = spawn(echo);
    const Stopwatch watch;
    const bool right = round_trips(peer, n);
    const double figure = watch.ns_per(n);
    send(peer, Stop{});
    expect(right, "an answer was not the one to its question");
    return figure;
  });
}

/// The time of all pairs over the round trips of all pairs.
double many_pairs(Runtime& runtime, std::size_t pairs) {
  const std::size_t each = scaled(2'000'000 / pairs, 2);
  const double figure = runtime.run([=] {
    const Pid me = self();
    const Stopwatch watch;
    for (std::size_t i = 0; i < pairs; ++i) {
      spawn([=] {
        const Pid peer = spawn(echo);
        const bool right = round_trips(peer, each);
        send(peer, Stop{});
        send(me, Done{right});
      });
    }
    bool right = true;
    for (std::size_t i = 0; i < pairs; ++i) right &= await<Done>().right;
    const double result = watch.ns_per(pairs * each);
    expect(right, "an answer was not the one to its question");
    return result;
  });
  await_empty(runtime);
  return figure;
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("ping_pong", "ns/roundtrip", one_pair);
  suite.add("ping_pong_100_pairs", "ns/roundtrip", [](Runtime& runtime) { return many_pairs(runtime, 100); });
  suite.add("ping_pong_10000_pairs", "ns/roundtrip", [](Runtime& runtime) { return many_pairs(runtime, 10'000); });
  return suite.run(argc, argv);
}
