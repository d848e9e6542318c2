// Plain threads beside the runtime: they send, spawn and call.
#include <atomic>
#include <thread>

#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Stop {};

/// `threads` plain threads to one process.
double host_send(Runtime& runtime, std::size_t threads) {
  const std::size_t each = scaled(2'000'000 / threads);
  const JoinHandle sink = runtime.start([messages = threads * each, each, threads] {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < messages; ++i) sum += receive<std::uint64_t>();
    if (sum != threads * (each * (each - 1) / 2)) exit(ExitReason::error("WrongResult", "the messages do not add up"));
  });
  const Stopwatch watch;
  std::vector<std::thread> senders;
  for (std::size_t k = 0; k < threads; ++k) {
    senders.emplace_back([&runtime, pid = sink.pid(), each] {
      for (std::uint64_t i = 0; i < each; ++i) runtime.send(pid, i);
    });
  }
  for (std::thread& sender : senders) sender.join();
  const auto end = JoinHandle(sink).join_for(kPatience);
  const double figure = watch.millions_per_second(threads * each);
  expect(end.has_value(), "the receiver did not get all messages");
  expect(end->is_normal(), "the messages do not add up");
  return figure;
}

double host_spawn(Runtime& runtime) {
  const std::size_t n = scaled(200'000);
  std::atomic<std::size_t> left{n};
  const Stopwatch watch;
  for (std::size_t i = 0; i < n; ++i) {
    runtime.spawn([&left] {
      if (left.fetch_sub(1) == 1) left.notify_one();
    });
  }
  for (std::size_t now = left.load(); now != 0; now = left.load()) left.wait(now);
  const double figure = watch.ns_per(n);
  await_empty(runtime);
  return figure;
}

double host_call(Runtime& runtime) {
  const std::size_t n = scaled(50'000);
  const Pid server = runtime.spawn([] {
    for (bool running = true; running;) {
      receive([](Call<std::size_t> question) { reply(question.from, question.request); }, [&](Stop) { running = false; });
    }
  });
  std::size_t sum = 0;
  const Stopwatch watch;
  for (std::size_t i = 0; i < n; ++i) sum += runtime.call<std::size_t>(server, i, kPatience);
  const double figure = watch.ns_per(n);
  runtime.send(server, Stop{});
  expect(sum == n * (n - 1) / 2, "the replies do not add up");
  await_empty(runtime);
  return figure;
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("host_send_1", "Mmsg/s", [](Runtime& runtime) { return host_send(runtime, 1); });
  suite.add("host_send_4", "Mmsg/s", [](Runtime& runtime) { return host_send(runtime, 4); });
  suite.add("host_spawn", "ns/process", host_spawn);
  suite.add("host_call", "ns/call", host_call);
  return suite.run(argc, argv);
}
