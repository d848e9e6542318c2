// Starting processes, and their end.
#include <atomic>

#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Done {};

/// n processes that count down and end; the last one reports. `wave`: how many are spawned between two yields of the spawner; 0: never.
double spawn_exit(Runtime& runtime, std::size_t wave) {
  const std::size_t n = scaled(1'000'000);
  return runtime.run([=] {
    std::atomic<std::size_t> left{n};
    const Pid spawner = self();
    const Stopwatch watch;
    for (std::size_t i = 1; i <= n; ++i) {
      spawn([&left, spawner] {
        if (left.fetch_sub(1, std::memory_order_relaxed) == 1) send(spawner, Done{});
      });
      if (wave != 0 && i % wave == 0) yield();
    }
    await<Done>();
    const double figure = watch.ns_per(n);
    expect(left.load() == 0, "the processes did not each count once");
    return figure;
  });
}

/// One at a time: spawn, the child sends a message back and ends.
double spawn_message_back(Runtime& runtime) {
  const std::size_t n = scaled(500'000);
  return runtime.run([=] {
    const Pid me = self();
    std::size_t sum = 0;
    const Stopwatch watch;
    for (std::size_t i = 0; i < n; ++i) {
      spawn([me, i] { send(me, i); });
      sum += await<std::size_t>();
    }
    const double figure = watch.ns_per(n);
    expect(sum == n * (n - 1) / 2, "the messages of the children do not add up");
    return figure;
  });
}

/// One at a time: spawned with a link, the child's end comes as an Exit.
double spawn_link_exit(Runtime& runtime) {
  const std::size_t n = scaled(300'000);
  return runtime.run(SpawnOptions{.trap_exit = true}, [=] {
    const Stopwatch watch;
    for (std::size_t i = 0; i < n; ++i) {
      const Pid child = spawn_link([] {});
      const Exit end = await<Exit>();
      expect(end.from == child && end.reason.is_normal(), "the Exit is not the child's");
    }
    return watch.ns_per(n);
  });
}

/// One at a time: spawned with a monitor, the child's end comes as a Down.
double spawn_monitor_exit(Runtime& runtime) {
  const std::size_t n = scaled(300'000);
  return runtime.run([=] {
    const Stopwatch watch;
    for (std::size_t i = 0; i < n; ++i) {
      const Monitored child = spawn_monitor([] {});
      expect(await<Down>().ref == child.ref, "the Down is not the child's");
    }
    return watch.ns_per(n);
  });
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("spawn_exit", "ns/process", [](Runtime& runtime) { return spawn_exit(runtime, 0); });
  suite.add("spawn_exit_yield64", "ns/process", [](Runtime& runtime) { return spawn_exit(runtime, 64); });
  suite.add("spawn_message_back", "ns/process", spawn_message_back);
  suite.add("spawn_link_exit", "ns/process", spawn_link_exit);
  suite.add("spawn_monitor_exit", "ns/process", spawn_monitor_exit);
  return suite.run(argc, argv);
}
