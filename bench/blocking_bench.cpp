// Sections that run on the pool for blocking calls.
#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Done {
  std::size_t sum;
};

/// `processes` at once, each makes one call after the other. ns for each call.
double offload(Runtime& runtime, std::size_t processes, std::size_t published) {
  const std::size_t each = scaled(published / processes);
  const double figure = runtime.run([=] {
    const Pid me = self();
    const Stopwatch watch;
    for (std::size_t i = 0; i < processes; ++i) {
      spawn([=] {
        std::size_t sum = 0;
        for (std::size_t k = 0; k < each; ++k) sum += blocking([k] { return k; });
        send(me, Done{sum});
      });
    }
    std::size_t sum = 0;
    for (std::size_t i = 0; i < processes; ++i) sum += await<Done>().sum;
    const double result = watch.ns_per(processes * each);
    expect(sum == processes * (each * (each - 1) / 2), "the results of the sections do not add up");
    return result;
  });
  await_empty(runtime);
  return figure;
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("blocking_1", "ns/call", [](Runtime& runtime) { return offload(runtime, 1, 50'000); });
  suite.add("blocking_64", "ns/call", [](Runtime& runtime) { return offload(runtime, 64, 200'000); });
  return suite.run(argc, argv);
}
