// Scenarios that must fail: they show that a broken invariant and a hang are found.
#include <thread>

#include "tests/stress/scenarios.hpp"
#include "tests/stress/world.hpp"

namespace weft::stress {

void planted_violation(Run& run) {
  World world(run);
  // A process that stays is what finish() must find; it is given up on at once.
  const Pid stays = world->spawn([] { receive_any(); });
  run.require(!world->is_alive(stays), "a process stayed, as planted");
  world.finish_at_once();
}

void planted_hang(Run& run) {
  World world(run);
  world->run([&run] {
    const Run::Awaiting awaiting(run, "a message that nobody sends");
    receive_any();
  });
}

}  // namespace weft::stress
