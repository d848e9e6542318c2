// From one process to the next and nothing else: processes that yield in turn.
#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Done {
  std::size_t yields;
};

/// So many processes for each worker. The figure is what one worker needs from one process to the next.
double yielding(Runtime& runtime, std::size_t for_each_worker) {
  const std::size_t workers = runtime.stats().workers;
  const std::size_t processes = for_each_worker * workers;
  const std::size_t each = scaled(5'000'000 / processes);
  const double figure = runtime.run([=] {
    const Pid me = self();
    const Stopwatch watch;
    for (std::size_t i = 0; i < processes; ++i) {
      spawn([=] {
        std::size_t yields = 0;
        for (; yields < each; ++yields) yield();
        send(me, Done{yields});
      });
    }
    std::size_t yields = 0;
    for (std::size_t i = 0; i < processes; ++i) yields += await<Done>().yields;
    const double result = watch.ns_per(for_each_worker * each);
    expect(yields == processes * each, "a process did not yield as often as it should");
    return result;
  });
  await_empty(runtime);
  return figure;
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("switch_yield_2", "ns/switch", [](Runtime& runtime) { return yielding(runtime, 2); });
  suite.add("switch_yield_1000", "ns/switch", [](Runtime& runtime) { return yielding(runtime, 1'000); });
  return suite.run(argc, argv);
}
