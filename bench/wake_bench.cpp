// How long it takes until a parked process reads what a plain thread sends, on a runtime that has nothing else to do.
#include <thread>

#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

using Instant = std::chrono::steady_clock::time_point;

/// The thread sleeps for `gap`, looks at the clock and sends what it shows. Yields us: p50, p99.
std::vector<double> wakes(Runtime& runtime, Duration gap, std::size_t published) {
  const std::size_t n = scaled(published, 100);
  std::vector<double> latencies;
  const JoinHandle receiver = runtime.start([&latencies, n] {
    for (std::size_t i = 0; i < n; ++i) {
      const auto sent = receive<Instant>();
      latencies.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - sent).count());
    }
  });
  std::thread sender([&runtime, pid = receiver.pid(), gap, n] {
    for (std::size_t i = 0; i < n; ++i) {
      std::this_thread::sleep_for(gap);
      runtime.send(pid, std::chrono::steady_clock::now());
    }
  });
  sender.join();
  await_end(receiver);
  expect(latencies.size() == n, "not every message was read");
  return {quantile(latencies, 0.5), quantile(latencies, 0.99)};
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add({{"ext_wake_gap2ms_p50", "us"}, {"ext_wake_gap2ms_p99", "us"}}, [](Runtime& runtime) { return wakes(runtime, 2ms, 500); });
  suite.add({{"ext_wake_gap100us_p50", "us"}, {"ext_wake_gap100us_p99", "us"}},
            [](Runtime& runtime) { return wakes(runtime, 100us, 5'000); });
  return suite.run(argc, argv);
}
