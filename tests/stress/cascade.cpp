// A chain: each process spawns the next one linked to itself. One of them ends, and the exit runs to both ends of the chain, with its
// reason unchanged (EXR-7); a process that traps stops it. Rounds grow as in kill_storm.
#include <algorithm>
#include <atomic>
#include <vector>

#include "tests/stress/scenarios.hpp"
#include "tests/stress/world.hpp"

namespace weft::stress {

namespace {

constexpr std::size_t kLongestChain = 1'000'000;
constexpr std::size_t kShortestChain = 1'000;
constexpr std::size_t kBytesALink = 12 * 1024;

struct Chain {
  std::vector<Pid> links;             // index: the place in the chain; each process writes its own
  std::atomic<std::size_t> grown{0};  // how many exist
  Pid owner;
};
struct Grown {};
struct Snap {
  int kind;
};

void be_link(Chain& chain, std::size_t place) {
  const Tracked tracked;
  chain.links[place] = self();
  if (place + 1 < chain.links.size()) {
    spawn_link([&chain, place] { be_link(chain, place + 1); });
  } else {
    send(chain.owner, Grown{});
  }
  // The one that is told so ends, in one of the ways there are; all others end by the signal.
  switch (receive<Snap>().kind) {
    case 0:
      exit(ExitReason::kill);
    case 1:
      exit(ExitReason::of(7));
    default:
      throw std::runtime_error("snap");
  }
}

void run_chain(Run& run, std::size_t length, Rng rng) {
  Chain chain;
  chain.links.resize(length);
  chain.owner = self();
  trap_exit(true);
  // We trap at its head: the cascade ends in one Exit message.
  const Pid head = spawn_link([&chain] { be_link(chain, 0); });
  {
    const Run::Awaiting awaiting(run, "the end of the chain");
    if (!run.require(receive_for<Grown>(run.patience()).has_value(), "the chain did not grow to its end")) return;
  }
  const std::size_t victim = rng.below(length);
  std::vector<MonitorRef> watched;
  for (const std::size_t place : {std::size_t{0}, length / 2, length - 1, static_cast<std::size_t>(rng.below(length))}) {
    watched.push_back(monitor(chain.links[place]));
  }
  ExitReason expected;
  if (rng.one_in(2)) {
    kill(chain.links[victim]);
    expected = ExitReason::killed;
  } else {
    const int kind = static_cast<int>(rng.below(3));
    expected = kind == 0 ? ExitReason::kill : kind == 1 ? ExitReason::of(7) : ExitReason::error("std::runtime_error", "snap");
    send(chain.links[victim], Snap{kind});
  }
  const Run::Awaiting awaiting(run, "the cascade");
  for (std::size_t i = 0; i < watched.size(); ++i) {
    const std::optional<Down> down = receive_for<Down>(run.patience());
    if (!run.require(down.has_value(), "a link of the chain survived the death of its neighbour")) return;
    run.require(down->reason == expected, "a link ended with ", down->reason.kind().text(), ", the cascade began with ",
                expected.kind().text());
  }
  const std::optional<Exit> exit = receive_for<Exit>(run.patience());
  if (!run.require(exit.has_value(), "no EXIT from the head of the chain")) return;
  run.require(exit->from == head && exit->reason == expected, "an EXIT that is not the head's");
  run.require(!receive_any_for(Duration::zero()), "a message too many");
  // Watched were four; all must end. The runtime's own count tells: only we are left.
  while (stats().live > 1) sleep_for(100us);
  run.require(std::none_of(chain.links.begin(), chain.links.end(), [](Pid pid) { return is_alive(pid); }), "a link is alive");
  run.did(length);
}

}  // namespace

void cascade(Run& run) {
  World world(run);
  const std::size_t longest = run.fit_processes(kLongestChain, kBytesALink);
  Rng rng = run.rng(0);
  for (std::size_t length = std::min(kShortestChain, longest); run.time_left(); length = std::min(2 * length, longest)) {
    world->run([&] { run_chain(run, length, Rng(rng.next())); });
    run.round_ended(length);
  }
  world.finish();
}

}  // namespace weft::stress
