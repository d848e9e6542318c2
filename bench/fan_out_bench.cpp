// One sender, many receivers: each addressed in turn, and all of a group at once.
#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Sum {
  std::uint64_t value;
};

constexpr const char* kGroup = "receivers";

/// `send_round(pids, i)` sends i to every receiver.
template <class SendRound>
double fan_out(Runtime& runtime, std::size_t receivers, std::size_t published_rounds, SendRound send_round) {
  const std::size_t rounds = scaled(published_rounds);
  const double figure = runtime.run([=] {
    const Pid me = self();
    std::vector<Pid> pids;
    for (std::size_t i = 0; i < receivers; ++i) {
      pids.push_back(spawn(SpawnOptions{.groups = {kGroup}}, [=] {
        std::uint64_t sum = 0;
        for (std::size_t k = 0; k < rounds; ++k) sum += receive<std::uint64_t>();
        send(me, Sum{sum});
      }));
    }
    const Stopwatch watch;
    for (std::uint64_t i = 0; i < rounds; ++i) send_round(pids, i);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < receivers; ++i) sum += await<Sum>().value;
    const double result = watch.millions_per_second(receivers * rounds);
    expect(sum == receivers * (rounds * (rounds - 1) / 2), "the messages do not add up");
    return result;
  });
  await_empty(runtime);
  return figure;
}

void send_to_each(const std::vector<Pid>& pids, std::uint64_t message) {
  for (const Pid pid : pids) send(pid, message);
}

void send_to_group(const std::vector<Pid>& pids, std::uint64_t message) {
  expect(broadcast(kGroup, message) == pids.size(), "a broadcast did not reach every member");
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  const auto add = [&](std::string row, std::size_t receivers, std::size_t rounds, auto send_round) {
    suite.add(std::move(row), "Mmsg/s", [=](Runtime& runtime) { return fan_out(runtime, receivers, rounds, send_round); });
  };
  add("fan_out_1to8", 8, 500'000, send_to_each);
  add("fan_out_1to1000", 1'000, 4'000, send_to_each);
  add("broadcast_8", 8, 500'000, send_to_group);
  add("broadcast_1000", 1'000, 4'000, send_to_group);
  return suite.run(argc, argv);
}
