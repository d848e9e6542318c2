// Messages to a full mailbox: what a refused one costs its sender, and an accepted one that drives out the oldest.
#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Stop {};

constexpr std::size_t kCapacity = 1'000;

/// The receiver waits for something else; all but the first kCapacity messages are one too many.
double overload(Runtime& runtime, Overflow overflow) {
  const std::size_t n = scaled(4'000'000, 2 * kCapacity);
  return runtime.run([=, &runtime] {
    const Monitored receiver = spawn_monitor(SpawnOptions{.limit = {.capacity = kCapacity, .overflow = overflow}},
                                             [] { receive(when([](const Exit&) { return false; }, [](Exit) {})); });
    std::size_t queued = 0;
    const Stopwatch watch;
    for (std::uint64_t i = 0; i < n; ++i) queued += send(receiver.pid, i) == SendResult::queued ? 1u : 0u;
    const double figure = watch.ns_per(n);
    const auto info = runtime.info(receiver.pid);
    expect(info && info->shed == n - kCapacity, "not every message too many was shed and counted");
    expect(info->mailbox_depth == kCapacity, "the mailbox does not hold as many messages as it may");
    expect(queued == (overflow == Overflow::shed_oldest ? n : kCapacity), "a sender was told the wrong result");
    kill(receiver.pid);
    await<Down>();
    return figure;
  });
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("shed_newest", "ns/msg", [](Runtime& runtime) { return overload(runtime, Overflow::shed_newest); });
  suite.add("shed_oldest", "ns/msg", [](Runtime& runtime) { return overload(runtime, Overflow::shed_oldest); });
  return suite.run(argc, argv);
}
