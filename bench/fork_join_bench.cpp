// One sender, sixty receivers in turn.
#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

constexpr std::size_t kReceivers = 60;

struct Sum {
  std::uint64_t value;
};

double fork_join(Runtime& runtime) {
  const std::size_t each = scaled(100'000);
  return runtime.run([=] {
    const Pid me = self();
    std::vector<Pid> receivers;
    for (std::size_t i = 0; i < kReceivers; ++i) {
      receivers.push_back(spawn([=] {
        std::uint64_t sum = 0;
        for (std::size_t k = 0; k < each; ++k) sum += receive<std::uint64_t>();
        send(me, Sum{sum});
      }));
    }
    const Stopwatch watch;
    for (std::uint64_t k = 0; k < each; ++k) {
      for (const Pid pid : receivers) send(pid, k);
    }
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kReceivers; ++i) sum += await<Sum>().value;
    const double figure = watch.millions_per_second(kReceivers * each);
    expect(sum == kReceivers * (each * (each - 1) / 2), "the messages do not add up");
    return figure;
  });
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("fork_join_60", "Mmsg/s", fork_join);
  return suite.run(argc, argv);
}
