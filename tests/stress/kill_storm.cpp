// Many processes wait, some linked to each other, all watched; then they are killed from all sides at once, several times each. Rounds
// grow until they reach the largest size that memory allows, so that a short run ends soon and a long one reaches 1,000,000.
#include <algorithm>
#include <memory>
#include <vector>

#include "tests/stress/scenarios.hpp"
#include "tests/stress/world.hpp"

namespace weft::stress {

namespace {

constexpr std::size_t kMostVictims = 1'000'000;
constexpr std::size_t kFewestVictims = 2'000;
constexpr std::size_t kBytesAVictim = 12 * 1024;  // a slot, a monitor, and the pages of a stack that was used

/// Spawns `count` waiting processes, has them killed, and requires one DOWN of each with the reason killed.
void storm(Run& run, std::size_t count, Rng rng) {
  // The killers still walk through it when the last DOWN has come.
  const auto victims = std::make_shared<std::vector<Pid>>();
  victims->reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    // Every eighth also traps exits, which a kill does not care about.
    victims->push_back(spawn_monitor({.trap_exit = i % 8 == 0}, [tracked = Tracked{}] { receive<int>(); }).pid);
    run.did();
  }
  constexpr std::size_t kKillers = 4;
  std::vector<MonitorRef> killers;
  for (std::size_t killer = 0; killer < kKillers; ++killer) {
    // Each kills its quarter in order, and as many again at random places, where they meet the other killers.
    killers.push_back(spawn_monitor([victims, killer, r = Rng(rng.next())]() mutable {
                        for (std::size_t i = killer; i < victims->size(); i += kKillers) {
                          kill((*victims)[i]);
                          exit((*victims)[r.below(victims->size())], ExitReason::kill);
                        }
                      }).ref);
  }
  std::vector<Pid> told;
  told.reserve(count);
  const Run::Awaiting awaiting(run, "the DOWNs of a storm");
  for (std::size_t i = 0; i < count + kKillers; ++i) {
    const std::optional<Down> down = receive_for<Down>(run.patience());
    if (!run.require(down.has_value(), "only ", i, " of ", count, " DOWNs came")) return;
    if (std::find(killers.begin(), killers.end(), down->ref) != killers.end()) continue;
    run.require(down->reason == ExitReason::killed, down->pid.to_string(), " was killed and ended with ", down->reason.kind().text());
    told.push_back(down->pid);
    run.did();
  }
  std::sort(told.begin(), told.end());
  std::vector<Pid> expected = *victims;
  std::sort(expected.begin(), expected.end());
  run.require(told == expected, "the DOWNs are not one of each victim");
  run.require(!receive_any_for(Duration::zero()), "a DOWN too many");
  run.require(std::none_of(expected.begin(), expected.end(), [](Pid pid) { return is_alive(pid); }), "a victim is alive after its DOWN");
}

}  // namespace

void kill_storm(Run& run) {
  World world(run);
  const std::size_t most = run.fit_processes(kMostVictims, kBytesAVictim);
  Rng rng = run.rng(0);
  for (std::size_t count = std::min(kFewestVictims, most); run.time_left(); count = std::min(2 * count, most)) {
    world->run([&] { storm(run, count, Rng(rng.next())); });
    run.round_ended(count);
  }
  world.finish();
}

}  // namespace weft::stress
