// Messages of one or more senders to one receiver.
#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Sum {
  std::uint64_t value;
};

void receiver(Pid judge, std::size_t messages) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < messages; ++i) sum += receive<std::uint64_t>();
  send(judge, Sum{sum});
}

double fan_in(Runtime& runtime, std::size_t senders, std::size_t published_each) {
  const std::size_t each = scaled(published_each);
  const double figure = runtime.run([=] {
    const Pid sink = spawn(receiver, self(), senders * each);
    const Stopwatch watch;
    for (std::size_t k = 0; k < senders; ++k) {
      spawn([=] {
        for (std::uint64_t i = 0; i < each; ++i) send(sink, i);
      });
    }
    const std::uint64_t sum = await<Sum>().value;
    const double result = watch.millions_per_second(senders * each);
    expect(sum == senders * (each * (each - 1) / 2), "the messages do not add up");
    return result;
  });
  await_empty(runtime);
  return figure;
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("fan_in_8to1", "Mmsg/s", [](Runtime& runtime) { return fan_in(runtime, 8, 500'000); });
  suite.add("stream_1to1", "Mmsg/s", [](Runtime& runtime) { return fan_in(runtime, 1, 4'000'000); });
  return suite.run(argc, argv);
}
