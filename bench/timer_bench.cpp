// Timers: what starting and cancelling costs, and how late they are.
#include <atomic>

#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Tick {};
struct Done {};

Duration far_away(std::size_t i) { return 60s + std::chrono::milliseconds(i % 16'384); }

/// All are started, then all are cancelled.
std::vector<double> start_then_cancel(Runtime& runtime) {
  const std::size_t n = scaled(1'000'000);
  return runtime.run([=] {
    std::vector<TimerRef> timers(n);
    const Stopwatch starting;
    for (std::size_t i = 0; i < n; ++i) timers[i] = start_timer(far_away(i), self(), Tick{});
    const double start_figure = starting.ns_per(n);
    std::size_t pending = 0;
    const Stopwatch cancelling;
    for (const TimerRef timer : timers) pending += cancel_timer(timer).has_value() ? 1u : 0u;
    const double cancel_figure = cancelling.ns_per(n);
    expect(pending == n, "a timer was not pending");
    return std::vector{start_figure, cancel_figure};
  });
}

double start_cancel_pair(Runtime& runtime) {
  const std::size_t n = scaled(1'000'000);
  return runtime.run([=] {
    std::size_t pending = 0;
    const Stopwatch watch;
    for (std::size_t i = 0; i < n; ++i) pending += cancel_timer(start_timer(far_away(i), self(), Tick{})).has_value() ? 1u : 0u;
    const double figure = watch.ns_per(n);
    expect(pending == n, "a timer was not pending");
    return figure;
  });
}

double microseconds_since(TimePoint due) {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - due).count();
}

/// 100,000 processes sleep, each until its moment on a grid of 1 ms within one second: about 100 fall due together.
std::vector<double> many_sleepers(Runtime& runtime) {
  const std::size_t n = scaled(100'000);
  return runtime.run([=] {
    std::vector<double> late(n);
    std::atomic<std::size_t> left{n};
    Random random(7);
    const Pid me = self();
    const TimePoint base = std::chrono::steady_clock::now() + 1500ms;  // All are asleep by then.
    for (std::size_t i = 0; i < n; ++i) {
      const TimePoint due = base + std::chrono::milliseconds(1 + (random() >> 20) % 1000);
      spawn([&late, &left, me, i, due] {
        sleep_until(due);
        late[i] = microseconds_since(due);
        if (left.fetch_sub(1) == 1) send(me, Done{});
      });
    }
    expect(std::chrono::steady_clock::now() < base, "the sleepers were not all asleep in time");
    await<Done>();
    expect(quantile(late, 0) >= 0, "a sleeper woke early");
    return std::vector{quantile(late, 0.5), quantile(late, 0.99), quantile(late, 1)};
  });
}

/// One process that sleeps for 1 ms, again and again, on an otherwise idle runtime.
std::vector<double> one_sleeper(Runtime& runtime) {
  const std::size_t n = scaled(500, 50);
  return runtime.run([=] {
    std::vector<double> late;
    for (std::size_t i = 0; i < n; ++i) {
      const TimePoint due = std::chrono::steady_clock::now() + 1ms;
      sleep_for(1ms);
      late.push_back(microseconds_since(due));
    }
    expect(quantile(late, 0) >= 0, "the sleeper woke early");
    return std::vector{quantile(late, 0.5), quantile(late, 0.99)};
  });
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add({{"timer_start_1m", "ns/timer"}, {"timer_cancel_1m", "ns/timer"}}, start_then_cancel);
  suite.add("timer_start_cancel_pair", "ns/timer", start_cancel_pair);
  suite.add({{"sleep100k_late_p50", "us"}, {"sleep100k_late_p99", "us"}, {"sleep100k_late_max", "us"}}, many_sleepers);
  suite.add({{"timer_wake_1ms_p50", "us late"}, {"timer_wake_1ms_p99", "us late"}}, one_sleeper);
  return suite.run(argc, argv);
}
