// How processes learn of each other's end: links, monitors, and a worker that crashes and is started again.
#include <atomic>
#include <stdexcept>

#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Stop {};
struct Ready {};

/// Suspends the caller until `holds()`. Looks every 100 us: where it ends a measurement, that is the error.
template <class Predicate>
void poll_until(Predicate holds) {
  const Stopwatch since;
  while (!holds()) {
    expect(since.ns() < std::chrono::duration<double, std::nano>(kPatience).count(), "what must come to pass did not");
    sleep_for(100us);
  }
}

/// Counts itself and waits for a Stop.
void park(std::atomic<std::size_t>& started) {
  started.fetch_add(1, std::memory_order_relaxed);
  receive<Stop>();
}

/// A parent links n children that park; then it is killed, and they end with it. Yields ns a child for each.
std::vector<double> link_and_kill(Runtime& runtime) {
  const std::size_t n = scaled(100'000);
  return runtime.run([&] {
    const Pid me = self();
    const std::uint64_t before = runtime.stats().live;
    std::atomic<std::size_t> started{0};
    const Stopwatch linking;
    const Pid parent = spawn([&started, me, n] {
      for (std::size_t i = 0; i < n; ++i) spawn_link([&started] { park(started); });
      send(me, Ready{});
      receive<Stop>();
    });
    await<Ready>();
    const double link_figure = linking.ns_per(n);
    poll_until([&] { return started.load(std::memory_order_relaxed) == n; });
    sleep_for(50ms);  // The last to start are parked by then.
    const Stopwatch killing;
    kill(parent);
    poll_until([&] { return runtime.stats().live <= before; });
    return std::vector{link_figure, killing.ns_per(n)};
  });
}

/// n parked processes are monitored, then told to stop. Yields ns a monitor and ns a Down.
std::vector<double> monitor_and_stop(Runtime& runtime) {
  const std::size_t n = scaled(100'000);
  return runtime.run([=] {
    std::atomic<std::size_t> started{0};
    std::vector<Pid> pids;
    for (std::size_t i = 0; i < n; ++i) pids.push_back(spawn([&started] { park(started); }));
    poll_until([&] { return started.load(std::memory_order_relaxed) == n; });
    const Stopwatch monitoring;
    for (const Pid pid : pids) monitor(pid);
    const double monitor_figure = monitoring.ns_per(n);
    const Stopwatch stopping;
    for (const Pid pid : pids) send(pid, Stop{});
    std::size_t normal = 0;
    for (std::size_t i = 0; i < n; ++i) normal += await<Down>().reason.is_normal() ? 1u : 0u;
    const double down_figure = stopping.ns_per(n);
    expect(normal == n, "a process did not end normally");
    return std::vector{monitor_figure, down_figure};
  });
}

/// n processes, each linked to the one before; the first is killed and the exit runs down the chain.
double cascade(Runtime& runtime) {
  const std::size_t n = scaled(100'000);
  return runtime.run([&] {
    const std::uint64_t before = runtime.stats().live;
    std::atomic<std::size_t> started{0};
    Pid first = spawn([&started] { park(started); });
    Pid last = first;
    for (std::size_t i = 1; i < n; ++i) {
      last = spawn([&started, last] {
        link(last);
        park(started);
      });
    }
    const MonitorRef end = monitor(last);
    poll_until([&] { return started.load(std::memory_order_relaxed) == n; });
    sleep_for(50ms);  // The last to start are parked by then.
    const Stopwatch watch;
    kill(first);
    expect(await<Down>().ref == end, "the Down is not that of the last in the chain");
    const double figure = watch.ns_per(n);
    poll_until([&] { return runtime.stats().live <= before; });
    return figure;
  });
}

/// A supervisor in its smallest form: the worker throws at its first job, the Exit comes, another one is started.
double crash_and_respawn(Runtime& runtime) {
  const std::size_t n = scaled(100'000);
  return runtime.run(SpawnOptions{.trap_exit = true}, [=] {
    const auto worker = [] {
      receive<Stop>();
      throw std::runtime_error("a fault");
    };
    Pid child = spawn_link(worker);
    std::size_t seen = 0;
    const Stopwatch watch;
    for (std::size_t i = 0; i < n; ++i) {
      send(child, Stop{});
      const Exit end = await<Exit>();
      seen += end.from == child && end.reason.what() == "a fault" ? 1u : 0u;
      child = spawn_link(worker);
    }
    const double figure = watch.ns_per(n);
    kill(child);
    await<Exit>();
    expect(seen == n, "an Exit was not that of the worker's fault");
    return figure;
  });
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add({{"spawn_link_100k", "ns/process"}, {"link_kill_100k", "ns/process"}}, link_and_kill);
  suite.add({{"monitor_setup_100k", "ns/monitor"}, {"monitor_exit_down_100k", "ns/DOWN"}}, monitor_and_stop);
  suite.add("exit_cascade_100k", "ns/process", cascade);
  suite.add("crash_exit_respawn", "ns/crash", crash_and_respawn);
  return suite.run(argc, argv);
}
