// A tree of processes: ten children each, a million leaves, sums go up as messages.
#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

void node(Pid parent, std::uint64_t number, std::uint64_t leaves) {
  if (leaves == 1) {
    send(parent, number);
    return;
  }
  const std::uint64_t below = leaves / 10;
  for (std::uint64_t i = 0; i < 10; ++i) spawn(node, self(), number + i * below, below);
  std::uint64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += receive<std::uint64_t>();
  send(parent, sum);
}

double skynet(Runtime& runtime) {
  std::uint64_t leaves = 10;
  while (leaves * 10 <= scaled(1'000'000)) leaves *= 10;
  std::size_t processes = 0;
  for (std::uint64_t level = 1; level <= leaves; level *= 10) processes += level;
  return runtime.run([=] {
    const Stopwatch watch;
    spawn(node, self(), std::uint64_t{0}, leaves);
    const auto sum = await<std::uint64_t>();
    const double figure = watch.ns_per(processes);
    expect(sum == leaves * (leaves - 1) / 2, "the sum of the leaves is wrong");
    return figure;
  });
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("skynet", "ns/actor", skynet);
  return suite.run(argc, argv);
}
