// All to all: each of 64 processes asks a random other one and waits for the answer, while it answers the questions of others.
#include <memory>

#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

constexpr std::size_t kProcesses = 64;

struct Start {
  std::shared_ptr<const std::vector<Pid>> all;
};
struct Ping {
  Pid from;
};
struct Pong {};
struct Stop {};
struct Done {
  std::uint64_t answered;
};

void member(Pid judge, std::size_t id, std::size_t pings) {
  const auto all = receive<Start>().all;
  Random random(id + 1);
  std::uint64_t answered = 0;
  const auto answer = [&](Ping ping) {
    ++answered;
    send(ping.from, Pong{});
  };
  for (std::size_t i = 0; i < pings; ++i) {
    const std::size_t other = (id + 1 + (random() >> 32) % (kProcesses - 1)) % kProcesses;
    send((*all)[other], Ping{self()});
    for (bool waiting = true; waiting;) receive(answer, [&](Pong) { waiting = false; });
  }
  send(judge, Done{});
  for (bool running = true; running;) receive(answer, [&](Stop) { running = false; });
  send(judge, Done{answered});
}

double big(Runtime& runtime) {
  const std::size_t pings = scaled(20'000);
  return runtime.run([=] {
    auto all = std::make_shared<std::vector<Pid>>();
    for (std::size_t id = 0; id < kProcesses; ++id) all->push_back(spawn(member, self(), id, pings));
    const Stopwatch watch;
    for (const Pid pid : *all) send(pid, Start{all});
    for (std::size_t i = 0; i < kProcesses; ++i) await<Done>();
    const double figure = watch.millions_per_second(2 * kProcesses * pings);
    for (const Pid pid : *all) send(pid, Stop{});
    std::uint64_t answered = 0;
    for (std::size_t i = 0; i < kProcesses; ++i) answered += await<Done>().answered;
    expect(answered == kProcesses * pings, "not every question was answered once");
    return figure;
  });
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("big_64", "Mmsg/s", big);
  return suite.run(argc, argv);
}
