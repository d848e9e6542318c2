// What processes cost that do nothing: memory in each state, processor time when all are parked. Each figure is taken in a child process.
//
// Memory is what the program's resident memory grew by, over the number of processes. The room for their pids is there before, and one
// process, so that what the first of all touches of the program's code is not counted.
#include <atomic>
#include <thread>

#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Stop {};
struct Question {};

using Counter = std::atomic<std::size_t>;
constexpr std::size_t kAtOnce = 100;

void await_count(const Counter& counter, std::size_t value) {
  if (counter.load() >= value) return;
  const Stopwatch since;
  while (counter.load() < value) {
    expect(since.ns() < std::chrono::duration<double, std::nano>(kPatience).count(), "not every process came as far as it must");
    std::this_thread::sleep_for(100us);
  }
}

void poll_until(const Counter& counter, std::size_t value) {
  await_count(counter, value);
  std::this_thread::sleep_for(300ms);  // From the last count to the parked process it is a few calls.
}

/// `start()` gives the pid of a process that comes to rest after it has counted itself. There is one more of them than `n`.
template <class Start>
double resident_each(std::size_t n, const Counter& resting, Start start) {
  std::vector<Pid> pids(n);
  start();
  poll_until(resting, 1);
  const double before = resident_bytes();
  for (std::size_t i = 0; i < n; ++i) {
    // A few at a time: what those need that wait for a worker is not what processes at rest cost.
    await_count(resting, i < kAtOnce ? 0 : i - kAtOnce);
    pids[i] = start();
  }
  poll_until(resting, n + 1);
  return (resident_bytes() - before) / static_cast<double>(n);
}

/// Ran, and waits in receive with its stack.
double parked(Runtime& runtime, std::size_t published) {
  const std::size_t n = scaled(published);
  need_memory(n, 5000);
  Counter resting{0};
  const double figure = resident_each(n, resting, [&] {
    return runtime.spawn([&resting] {
      ++resting;
      receive<Stop>();
    });
  });
  expect(runtime.stats().live == n + 1, "not every process is parked");
  return figure;
}

/// Spawned while every worker is held by a process that computes: none has run.
double not_run(Runtime& runtime, std::size_t published) {
  const std::size_t n = scaled(published);
  need_memory(n, 1000);
  const unsigned workers = runtime.stats().workers;
  Counter holding{0};
  std::atomic<bool> release{false};
  std::atomic<bool> one_ran{false};
  for (unsigned i = 0; i < workers; ++i) {
    runtime.spawn([&] {
      ++holding;
      while (!release.load(std::memory_order_relaxed)) {
      }
    });
  }
  poll_until(holding, workers);
  std::vector<Pid> pids(n);
  const double before = resident_bytes();
  for (Pid& pid : pids) pid = runtime.spawn([&one_ran] { one_ran.store(true, std::memory_order_relaxed); });
  const double figure = (resident_bytes() - before) / static_cast<double>(n);
  expect(!one_ran.load(), "a process ran that should not have");
  release.store(true);
  await_empty(runtime);
  return figure;
}

/// Ran, and hibernates: it has no stack until a message comes.
double hibernated(Runtime& runtime, std::size_t published) {
  const std::size_t n = scaled(published);
  need_memory(n, 1000);
  Counter resting{0};
  const double figure = resident_each(n, resting, [&] {
    return runtime.spawn([&resting] {
      ++resting;
      hibernate([] { receive<Stop>(); });
    });
  });
  expect(runtime.stats().live == n + 1, "not every process hibernates");
  return figure;
}

/// A server that hibernates whenever it has answered a message. Counts its answers.
void serve(Counter& answered) {
  receive([&](Question) { ++answered; });
  hibernate([&answered] { serve(answered); });
}

/// Servers that have answered once, and are idle.
double servers(Runtime& runtime, std::size_t published) {
  const std::size_t n = scaled(published);
  need_memory(n, 1000);
  Counter answered{0};
  const double figure = resident_each(n, answered, [&] {
    const Pid pid = runtime.spawn([&answered] { serve(answered); });
    runtime.send(pid, Question{});
    return pid;
  });
  expect(answered.load() == n + 1 && runtime.stats().live == n + 1, "not every server is idle");
  return figure;
}

/// Ten million servers that wait for their first message, and how long it takes until they are there. Yields GiB and s.
std::vector<double> many_servers(Runtime& runtime) {
  const std::size_t n = scaled(10'000'000);
  need_memory(n, 1000);
  Counter resting{0};
  Counter answered{0};
  const double before = resident_bytes();
  const Stopwatch watch;
  runtime.spawn([&, n] {
    for (std::size_t i = 0; i < n; ++i) {
      spawn([&resting, &answered] {
        ++resting;
        hibernate([&answered] { serve(answered); });
      });
    }
  });
  poll_until(resting, n);
  const double seconds = watch.ns() / 1e9 - 0.3;  // poll_until() waits so long at its end.
  const double memory = resident_bytes() - before;
  expect(runtime.stats().live == n, "not every server is idle");
  return {memory / (1 << 30), seconds};
}

double idle_cpu(Runtime& runtime) {
  const std::size_t n = scaled(100'000);
  Counter resting{0};
  for (std::size_t i = 0; i < n; ++i) {
    runtime.spawn([&resting] {
      ++resting;
      receive<Stop>();
    });
  }
  poll_until(resting, n);
  std::this_thread::sleep_for(700ms);
  const Stopwatch watch;
  const double before = cpu_ns();
  std::this_thread::sleep_for(3s);
  return (cpu_ns() - before) / watch.ns() * 100;
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  const auto add = [&](const std::string& row, std::size_t n, double (*measure)(Runtime&, std::size_t)) {
    suite.add(
        row, "bytes/process", [=](Runtime& runtime) { return measure(runtime, n); }, Where::own_process);
  };
  add("mem_idle_100k", 100'000, parked);
  add("mem_idle_1m", 1'000'000, parked);
  add("mem_not_run_100k", 100'000, not_run);
  add("mem_not_run_1m", 1'000'000, not_run);
  add("mem_idle_100k_hibernate", 100'000, hibernated);
  add("mem_idle_1m_hibernate", 1'000'000, hibernated);
  add("mem_server_100k", 100'000, servers);
  add("mem_server_1m", 1'000'000, servers);
  suite.add({{"server_10m_memory", "GiB"}, {"server_10m_create", "s"}}, many_servers, Where::own_process);
  suite.add("idle_cpu_100k", "% CPU", idle_cpu, Where::own_process);
  return suite.run(argc, argv);
}
