// A fixed number of places, each held by one process at a time. Every process does random things to whoever holds a random place; a
// keeper, which nobody else knows, fills a place again when its process has died. See actor.hpp for what each one does and requires.
#include <algorithm>
#include <thread>
#include <unordered_map>

#include "tests/stress/actor.hpp"
#include "tests/stress/scenarios.hpp"
#include "tests/stress/world.hpp"

namespace weft::stress {

namespace {

struct Stop {};

constexpr std::size_t kPlaces = 48;

void keep(Graph& graph) {
  trap_exit(true);
  std::unordered_map<MonitorRef, std::size_t> place_of;
  std::uint64_t born = 0;
  const auto fill = [&](std::size_t place) {
    const bool traps = ++born % 2 == 0;
    const SpawnOptions options{.label = "actor", .groups = {"all"}, .trap_exit = traps};
    const Monitored actor = spawn_monitor(options, Actor(graph, born, traps));
    place_of.emplace(actor.ref, place);
    graph.places[place].store(actor.pid, std::memory_order_relaxed);
  };
  for (std::size_t place = 0; place < graph.places.size(); ++place) fill(place);
  bool stopping = false;
  while (!place_of.empty()) {
    receive(
        [&](Down down) {
          const auto found = place_of.find(down.ref);
          if (!graph.run.require(found != place_of.end(), "the keeper was told twice of the end of ", down.pid.to_string())) return;
          const std::size_t place = found->second;
          place_of.erase(found);
          graph.require_dead(down.pid);
          if (!stopping) fill(place);
        },
        [&](Stop) {
          stopping = true;
          for (const auto& place : graph.places) kill(place.load(std::memory_order_relaxed));
        },
        [](Exit) {});
  }
}

}  // namespace

void graph(Run& run) {
  World world(run);
  Graph graph(run, kPlaces);
  const JoinHandle keeper = world->start([&graph] { keep(graph); });
  while (run.time_left()) std::this_thread::sleep_for(std::min<Duration>(10ms, run.deadline() - std::chrono::steady_clock::now()));
  world->send(keeper.pid(), Stop{});
  // What an actor spawned is no concern of the keeper; it ends with its parent, or here.
  run.require(eventually(run, "the keeper's end", [&] { return !world->is_alive(keeper.pid()); }), "the keeper did not end");
  world->shutdown();
  world.finish();
}

}  // namespace weft::stress
