// A runtime with everything under way is stopped at a random moment, in each of the ways there are. It ends in time, every join handle
// completes, nothing is left, and round after round takes the same memory.
#include <thread>
#include <utility>
#include <vector>

#include "tests/stress/scenarios.hpp"
#include "tests/stress/world.hpp"

namespace weft::stress {

namespace {

constexpr std::size_t kRoots = 8;
// Who gets no core for a while would pile up without a bound, and rounds would not be of one size.
constexpr std::size_t kMostWaiting = 16, kMostTimers = 1'000;

struct Parcel {
  std::vector<int> content = std::vector<int>(40, 1);
  Tracked tracked{};
};

/// Breeds, links, sends, waits and blocks until it is ended; goes on doing so while it is being ended.
void bustle(Rng rng, int depth) {
  const Tracked tracked;
  if (rng.one_in(3)) trap_exit(true);
  std::vector<Pid> children;
  for (;;) {
    try {
      switch (rng.below(9)) {
        case 0:
          if (depth < 3 && children.size() < 3) {
            children.push_back(spawn_link([r = Rng(rng.next()), depth] { bustle(r, depth + 1); }));
          }
          break;
        case 1:
          for (const Pid child : children) send(child, Parcel{});
          break;
        case 2:
          send_after(std::chrono::microseconds(rng.below(2'000)), self(), Parcel{});
          break;
        case 3:
          send_every(1ms, self(), Parcel{});
          break;
        case 4:
          blocking([] { std::this_thread::sleep_for(50us); });
          break;
        case 5:
          sleep_for(std::chrono::microseconds(rng.below(500)));
          break;
        case 6:
          join("bustle");
          broadcast("bustle", Parcel{});
          break;
        case 7:
          if (rng.one_in(4) && !children.empty()) (void)call<int>(children.back(), 1, 100us);
          break;
        default:
          // A stack that unwinds late: its destructor sends, when the runtime is ending as well.
          struct Farewell {
            ~Farewell() { broadcast("bustle", Parcel{}); }
          } const farewell;
          for (int i = 0; i < 64 && receive_any_for(Duration::zero()); ++i) continue;
      }
    } catch (const Error&) {
      // A shutting down runtime refuses spawns; a call fails or times out.
      yield();
    }
  }
}

void run_round(Run& run, Rng rng) {
  RuntimeOptions options;
  options.mailbox.capacity = kMostWaiting;
  options.max_timers = kMostTimers;
  World world(run, std::move(options));
  std::vector<JoinHandle> roots;
  for (std::size_t i = 0; i < kRoots; ++i) {
    roots.push_back(world->start([r = Rng(rng.next())] { bustle(r, 0); }));
  }
  std::this_thread::sleep_for(std::chrono::microseconds(rng.below(5'000)));
  const Run::Awaiting awaiting(run, "the end of a runtime");
  switch (rng.below(4)) {
    case 0: {
      const StopReport report = world->stop(std::chrono::milliseconds(rng.below(20)));
      // Under load a process may not get to run before the second deadline; then the destructor waits for it.
      run.did(report.survivors.size());
      break;
    }
    case 1:
      world->shutdown();
      break;
    case 2: {
      // Two at once.
      std::thread other([&world] { world->shutdown(); });
      (void)world->stop(1ms);
      other.join();
      break;
    }
    default:
      break;
  }
  world.finish_at_once();
  for (JoinHandle& root : roots) {
    const std::optional<ExitReason> reason = root.join_for(Duration::zero());
    run.require(reason.has_value(), "a join handle is not complete when the runtime is gone");
    if (reason) run.require(!reason->is_normal(), "a process that never returns ended as normal");
    run.did();
  }
}

}  // namespace

void shutdown_any_time(Run& run) {
  Rng rng = run.rng(0);
  while (run.time_left()) {
    run_round(run, Rng(rng.next()));
    run.round_ended(kRoots);
  }
}

}  // namespace weft::stress
