// Rows about delayed messages, waking and idleness. CAF 0.17 has no timer that an actor could cancel.
#include <atomic>
#include <thread>

#include "actors.hpp"

using namespace caf;
using namespace harness;

namespace {

Values sleeps() {
  return run_in_actor(
      [](event_based_actor* self, Finish finish) {
        const int n = scaled(100'000);
        auto late = std::make_shared<Values>(n);
        auto left = std::make_shared<std::atomic<int>>(n);
        Random random(7);
        const auto base = now_ns() + 1'500'000'000;  // all wait before the first is due
        for (int i = 0; i < n; ++i) {
          const auto due = base + static_cast<std::int64_t>(1 + (random() >> 20) % 1000) * 1'000'000;
          self->spawn([=](event_based_actor* sleeper) -> behavior {
            sleeper->delayed_send(sleeper, std::chrono::nanoseconds(std::max<std::int64_t>(0, due - now_ns())), 0);
            return {[=](int) {
              (*late)[i] = static_cast<double>(now_ns() - due) / 1000;
              if (left->fetch_sub(1) == 1) finish({quantile(*late, .5), quantile(*late, .99), quantile(*late, 1)});
              sleeper->quit();
            }};
          });
        }
      },
      1);
}

// Ends the program: the actors still wait.
void idle_cpu() {
  actor_system system{config()};
  std::vector<actor> all;
  const int n = scaled(100'000);
  for (int i = 0; i < n; ++i) all.push_back(system.spawn(parked));
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  const double used = cpu_ns();
  const auto start = now_ns();
  std::this_thread::sleep_for(std::chrono::seconds(3));
  report("idle_cpu_100k", "% CPU", (cpu_ns() - used) / static_cast<double>(now_ns() - start) * 100);
  _exit(0);
}

Values timer_wake() {
  return run_in_actor(
      [](event_based_actor* self, Finish finish) {
        const std::size_t count = static_cast<std::size_t>(std::max(100, scaled(500)));
        auto late = std::make_shared<Values>();
        auto start = std::make_shared<std::int64_t>(0);
        auto next = [=] {
          *start = now_ns();
          self->delayed_send(self, std::chrono::milliseconds(1), 0);
        };
        self->become([=](int) {
          late->push_back(static_cast<double>(now_ns() - *start - 1'000'000) / 1000);
          if (late->size() < count) {
            next();
          } else {
            finish({quantile(*late, .5), quantile(*late, .99)});
            self->quit();
          }
        });
        next();
      },
      1);
}

// A plain thread sleeps, stamps the clock and sends.
Values external_wake(std::chrono::microseconds gap, int count) {
  std::thread sender;
  Values values = run_in_actor(
      [=, &sender](event_based_actor* self, Finish finish) {
        auto late = std::make_shared<Values>();
        self->become([=](std::int64_t sent) {
          late->push_back(static_cast<double>(now_ns() - sent) / 1000);
          if (static_cast<int>(late->size()) < count) return;
          finish({quantile(*late, .5), quantile(*late, .99)});
          self->quit();
        });
        sender = std::thread([=, to = actor{self}] {
          for (int i = 0; i < count; ++i) {
            std::this_thread::sleep_for(gap);
            anon_send(to, now_ns());
          }
        });
      },
      1);
  sender.join();
  return values;
}

void report_percentiles(const std::string& row, const char* unit, const Values& values) {
  report(row + "_p50", unit, values[0]);
  report(row + "_p99", unit, values[1]);
}

}  // namespace

bool run_timing(const std::string& group) {
  if (group == "sleeps") {
    const Values values = sleeps();
    report_percentiles("sleep100k_late", "us", values);
    report("sleep100k_late_max", "us", values[2]);
  } else if (group == "idle_cpu") {
    idle_cpu();
  } else if (group == "timer_wake") {
    report_percentiles("timer_wake_1ms", "us late", timer_wake());
  } else if (group == "ext_wake_gap2ms") {
    report_percentiles(group, "us", external_wake(std::chrono::milliseconds(2), std::max(100, scaled(500))));
  } else if (group == "ext_wake_gap100us") {
    report_percentiles(group, "us", external_wake(std::chrono::microseconds(100), std::max(1000, scaled(5000))));
  } else {
    return false;
  }
  return true;
}
