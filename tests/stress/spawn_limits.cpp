// Runtimes with room for few processes, stacks and timers. At the limit spawn and timers are refused by an exception and nothing is
// half made; what ends makes room again, all of it.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/stress/scenarios.hpp"
#include "tests/stress/world.hpp"

namespace weft::stress {

namespace {

constexpr std::size_t kMostProcesses = 256;
constexpr std::size_t kTimerLimit = 64;
constexpr std::size_t kSpawners = 8;
constexpr std::size_t kTimerStarters = 2;

struct Round {
  Run& run;
  TimePoint until;
  std::atomic<std::uint64_t> refusals{0};
  std::atomic<std::int64_t> bodies{0};
  std::atomic<std::size_t> begun{0};
};

/// Every root has its stack before the first child can take one from it.
void begin(Round& round) {
  round.begun.fetch_add(1);
  while (round.begun.load() < kSpawners + kTimerStarters) yield();
}

/// Captured by a body, through a shared_ptr: there are at most as many as there may be processes, and one more for each spawner, who
/// makes it before the spawn is refused.
struct Token {
  explicit Token(Round& r) : round(r) {
    const std::int64_t bodies = round.bodies.fetch_add(1) + 1;
    round.run.require(bodies <= static_cast<std::int64_t>(kMostProcesses + kSpawners), bodies, " bodies where ", kMostProcesses,
                      " may live");
  }
  ~Token() { round.bodies.fetch_sub(1); }
  Token(const Token&) = delete;
  Token& operator=(const Token&) = delete;
  Round& round;
};

bool time_left(const Round& round) { return std::chrono::steady_clock::now() < round.until; }

/// Spawns until it is refused, then ends its children; each refused spawn has left no name behind.
void spawn_to_the_limit(Round& round, std::size_t index, Rng rng) {
  begin(round);
  Run& run = round.run;
  while (time_left(round)) {
    std::vector<Monitored> children;
    bool refused = false;
    while (!refused && children.size() < kMostProcesses) {
      const std::string name = "child-" + std::to_string(index) + "-" + std::to_string(children.size());
      try {
        children.push_back(
            spawn_monitor({.name = name, .groups = {"children"}}, [token = std::make_shared<Token>(round)] { receive<int>(); }));
      } catch (const LimitExceeded&) {
        refused = true;
        round.refusals.fetch_add(1, std::memory_order_relaxed);
        run.require(!whereis(name), "a refused spawn left its name");
      }
      run.did();
    }
    if (rng.one_in(2)) yield();
    for (const Monitored& child : children) kill(child.pid);
    const Run::Awaiting awaiting(run, "DOWNs at the limit of processes");
    for (std::size_t i = 0; i < children.size(); ++i) {
      const std::optional<Down> down = receive_for<Down>(run.patience());
      if (!run.require(down.has_value(), "no DOWN of a child at the limit")) return;
      // With fewer stacks than processes a child may end for want of one.
      const bool ended_as_told = down->reason == ExitReason::killed || down->reason.kind() == Atom("error");
      run.require(ended_as_told, "a child ended with ", down->reason.kind().text());
    }
  }
}

void start_timers_to_the_limit(Round& round, Rng rng) {
  begin(round);
  Run& run = round.run;
  while (time_left(round)) {
    std::vector<TimerRef> timers;
    try {
      for (;;) timers.push_back(send_after(1h, self(), Tracked{}));
    } catch (const LimitExceeded&) {
    }
    run.require(timers.size() <= kTimerLimit, timers.size(), " timers where ", kTimerLimit, " may be");
    for (const TimerRef timer : timers) run.require(cancel_timer(timer).has_value(), "a timer of an hour is gone");
    run.did(timers.size());
    if (rng.one_in(4)) yield();
  }
  run.require(!receive_for<Tracked>(Duration::zero()), "a cancelled timer fired");
}

/// All room is there again: the whole limit fits, and not one more.
void fill_exactly(Run& run) {
  std::vector<Pid> all;
  for (std::size_t i = 1; i < kMostProcesses; ++i) all.push_back(spawn([] { receive<int>(); }));
  bool refused = false;
  try {
    spawn([] {});
  } catch (const LimitExceeded&) {
    refused = true;
  }
  run.require(refused, "a process more than the limit was spawned");
  for (const Pid pid : all) kill(pid);
}

void meet_limits(Run& run, RuntimeOptions options, TimePoint until, std::uint64_t stream) {
  const bool stacks_suffice = options.max_stacks >= kMostProcesses;
  World world(run, std::move(options));
  Round round{run, until};
  std::vector<JoinHandle> bodies;
  for (std::size_t i = 0; i < kSpawners; ++i) {
    bodies.push_back(world->start([&round, i, rng = run.rng(stream + i)] { spawn_to_the_limit(round, i, rng); }));
  }
  for (std::size_t i = 0; i < kTimerStarters; ++i) {
    bodies.push_back(world->start([&round, rng = run.rng(stream + kSpawners + i)] { start_timers_to_the_limit(round, rng); }));
  }
  for (JoinHandle& body : bodies) {
    const ExitReason reason = body.join();
    run.require(reason.is_normal(), "a process at the limit ended with ", reason.kind().text(), " ", reason.what());
  }
  run.require(round.refusals.load() > 0, "the limit was never met");
  run.require(eventually(run, "the end of all children", [&] { return world->stats().live == 0; }), "children are left");
  // Where stacks are scarce, children end before the limit of processes is met.
  if (stacks_suffice) world->run([&run] { fill_exactly(run); });
  world.finish();
}

}  // namespace

void spawn_limits(Run& run) {
  const TimePoint half = run.started() + run.settings().duration / 2;
  meet_limits(run, {.max_processes = kMostProcesses, .max_timers = kTimerLimit}, half, 0);
  // Here a child may be spawned and find no stack when it first runs. Two workers: stacks that wait in the caches of workers count as
  // taken, so with many workers these alone could use up the limit.
  meet_limits(run, {.workers = 2, .max_processes = kMostProcesses, .max_stacks = kMostProcesses / 2, .max_timers = kTimerLimit},
              run.deadline(), 100);
}

}  // namespace weft::stress
