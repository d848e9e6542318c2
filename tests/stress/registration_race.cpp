// Many processes register few names, unregister them, die holding them, and look for them. Who has a name must be alone in having it.
#include <array>
#include <atomic>
#include <string>
#include <thread>

#include "tests/stress/scenarios.hpp"
#include "tests/stress/world.hpp"

namespace weft::stress {

namespace {

constexpr std::size_t kWantedNames = 4;
constexpr std::size_t kContenders = 16;

struct Board {
  explicit Board(Run& r) : run(r) {}
  Run& run;
  std::array<std::atomic<int>, kWantedNames> holders{};
  std::array<std::atomic<int>, kWantedNames> servers{};
};

std::string wanted_name(std::size_t index) { return "wanted-" + std::to_string(index); }

/// Between a register_name() that succeeded and the release of that name: at most one exists for each name.
class Holding {
 public:
  Holding(Board& board, std::size_t name) : count_(board.holders[name]) {
    board.run.require(count_.fetch_add(1) == 0, wanted_name(name), " has two holders");
  }
  // Runs while the body unwinds, which is before the name is released (LIF-5).
  ~Holding() { count_.fetch_sub(1); }
  Holding(const Holding&) = delete;
  Holding& operator=(const Holding&) = delete;

 private:
  std::atomic<int>& count_;
};

void contend(Board& board, Rng rng) {
  const Tracked tracked;
  const std::size_t name = rng.below(kWantedNames);
  for (std::uint64_t turn = rng.below(20) + 1; turn > 0; --turn) {
    board.run.did();
    try {
      register_name(wanted_name(name));
    } catch (const NameTaken&) {
      send(wanted_name(name), Tracked{});
      if (rng.one_in(4)) yield();
      continue;
    }
    {
      const Holding holding(board, name);
      board.run.require(whereis(wanted_name(name)) == self(), wanted_name(name), " does not lead to its holder");
      if (rng.one_in(3)) yield();
      switch (rng.below(6)) {
        case 0:
          return;  // The name goes with us.
        case 1:
          exit(ExitReason::shutdown);
        case 2:
          kill(self());
          return;
        default:
          break;
      }
    }
    board.run.require(unregister(wanted_name(name)), wanted_name(name), " was taken from its holder");
  }
}

/// Spawns a contender, and when it is gone requires that its name is not its any more.
void supply(Board& board, Rng rng) {
  while (board.run.time_left()) {
    const std::size_t name = rng.below(kWantedNames);
    const Monitored child = spawn_monitor([&board, r = Rng(rng.next())] { contend(board, r); });
    if (rng.one_in(4)) kill(child.pid);
    const Run::Awaiting awaiting(board.run, "a contender's DOWN");
    if (!board.run.require(receive_for<Down>(board.run.patience()).has_value(), "no DOWN of a contender")) return;
    for (std::size_t i = 0; i < kWantedNames; ++i) {
      board.run.require(whereis(wanted_name(i)) != child.pid, wanted_name(i), " leads to a process whose DOWN came");
    }
    // LIF-11: of all who ask at once one body runs, and everybody gets its pid.
    const Pid server = whereis_or_spawn("server-" + std::to_string(name), [&board, name] {
      board.run.require(board.servers[name].fetch_add(1) == 0, "two servers of one name run");
      receive_for<Tracked>(1ms);
      board.servers[name].fetch_sub(1);
      unregister("server-" + std::to_string(name));
    });
    send(server, Tracked{});
  }
}

}  // namespace

void registration_race(Run& run) {
  World world(run);
  Board board(run);
  for (std::size_t i = 0; i < kContenders; ++i) world->spawn([&board, rng = run.rng(i)] { supply(board, rng); });
  // A thread takes names away from outside, and gives them to processes that may be dying.
  Rng rng = run.rng(kContenders);
  while (run.time_left()) {
    const std::string name = "outside-" + std::to_string(rng.below(2));
    const Pid pid = world->spawn([r = Rng(rng.next())]() mutable { sleep_for(std::chrono::microseconds(r.below(100))); });
    try {
      world->register_name(name, pid);
      run.require(!world->unregister(name) || !world->whereis(name), name, " was unregistered and is there");
    } catch (const NoSuchProcess&) {
    }
    run.did();
  }
  world.finish();
}

}  // namespace weft::stress
