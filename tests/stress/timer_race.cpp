// Timers of microseconds, cancelled by their maker, by others and by the death of their destination, while they fire. A timer whose
// cancel found it pending never delivers; every other one delivers exactly once (TIM-3).
#include <algorithm>
#include <atomic>
#include <vector>

#include "tests/stress/scenarios.hpp"
#include "tests/stress/world.hpp"

namespace weft::stress {

namespace {

constexpr std::size_t kProcesses = 12;
constexpr std::uint64_t kBatch = 64;

struct Tick {
  std::uint64_t round, number;
  Tracked tracked{};
};
struct CancelThese {
  std::vector<TimerRef> timers;
  Pid answer_to;
};
struct Cancelled {
  std::vector<bool> pending;
};

/// Cancels what it is asked to, on another worker if there is one.
void cancel_for_others() {
  for (;;) {
    CancelThese request = receive<CancelThese>();
    std::vector<bool> pending;
    for (const TimerRef timer : request.timers) pending.push_back(cancel_timer(timer).has_value());
    send(request.answer_to, Cancelled{std::move(pending)});
  }
}

void race(Run& run, Pid helper, Rng rng) {
  for (std::uint64_t round = 0; run.time_left(); ++round) {
    std::vector<TimerRef> timers;
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      timers.push_back(send_after(std::chrono::microseconds(rng.below(150)), self(), Tick{round, i}));
    }
    send(helper, CancelThese{timers, self()});
    std::vector<int> cancelled(kBatch, 0);
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      if (rng.one_in(3)) yield();
      if (rng.one_in(2)) cancelled[i] += cancel_timer(timers[i]).has_value() ? 1 : 0;
    }
    const Run::Awaiting awaiting(run, "timers");
    const std::optional<Cancelled> theirs = receive_for<Cancelled>(run.patience());
    if (!run.require(theirs.has_value(), "the helper did not answer")) return;
    for (std::uint64_t i = 0; i < kBatch; ++i) cancelled[i] += theirs->pending[i] ? 1 : 0;
    // All are fired or cancelled now; what fired is in the mailbox, or a moment away from it.
    std::vector<int> fired(kBatch, 0);
    for (auto left = std::count(cancelled.begin(), cancelled.end(), 0); left > 0; --left) {
      const std::optional<Tick> tick = receive_for<Tick>(run.patience());
      if (!run.require(tick.has_value(), "a timer neither fired nor was cancelled")) return;
      run.require(tick->round == round, "a tick of round ", tick->round, " in round ", round);
      ++fired[tick->number];
    }
    run.require(!receive_for<Tick>(Duration::zero()), "a tick too many");
    for (std::uint64_t i = 0; i < kBatch; ++i) {
      run.require(cancelled[i] + fired[i] == 1, "a timer was cancelled ", cancelled[i], " times and fired ", fired[i], " times");
      run.require(!read_timer(timers[i]), "a timer that is over can be read");
    }
    run.did(kBatch);
  }
}

/// Timers end with their destination, a periodic one too; those to a name stay until they fire (TIM-2).
void die_under_timers(Run& run, Rng rng) {
  while (run.time_left()) {
    const Monitored victim = spawn_monitor([] { receive<int>(); });
    std::vector<TimerRef> timers;
    for (int i = 0; i < 16; ++i) timers.push_back(send_after(std::chrono::microseconds(rng.below(300)), victim.pid, Tick{0, 0}));
    timers.push_back(send_every(std::chrono::microseconds(20 + rng.below(50)), victim.pid, Tick{0, 0}));
    for (int i = 0; i < 4; ++i) send_after(std::chrono::microseconds(rng.below(300)), "nobody", Tick{0, 0});
    if (rng.one_in(2)) sleep_for(std::chrono::microseconds(rng.below(300)));
    kill(victim.pid);
    const Run::Awaiting awaiting(run, "the DOWN of a timers' destination");
    if (!run.require(receive_for<Down>(run.patience()).has_value(), "no DOWN of a timers' destination")) return;
    for (const TimerRef timer : timers) run.require(!cancel_timer(timer), "a timer outlives its destination");
    run.did(timers.size());
  }
}

}  // namespace

void timer_race(Run& run) {
  World world(run);
  const Pid helper = world->spawn(cancel_for_others);
  std::vector<JoinHandle> racers;
  for (std::size_t i = 0; i < kProcesses; ++i) {
    racers.push_back(world->start([&run, helper, rng = run.rng(i)] { race(run, helper, rng); }));
  }
  racers.push_back(world->start([&run, rng = run.rng(kProcesses)] { die_under_timers(run, rng); }));
  for (JoinHandle& racer : racers) racer.join();
  world->kill(helper);
  run.require(eventually(run, "the last timer", [&] { return world->stats().active_timers == 0; }), "timers are left");
  world.finish();
}

}  // namespace weft::stress
