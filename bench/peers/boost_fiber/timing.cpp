// Rows about sleeping, waking and idleness. There is no timer object to start and cancel.
#include <thread>

#include "fibers.hpp"

using namespace harness;

namespace {

void sleeps() {
  const int n = scaled(100'000);
  auto late = std::make_shared<Values>(n);
  auto done = gate(n);
  Random random(7);
  const auto base = std::chrono::steady_clock::now() + std::chrono::milliseconds(1500);  // all are asleep before the first is due
  for (int i = 0; i < n; ++i) {
    const auto due = base + std::chrono::milliseconds(1 + (random() >> 20) % 1000);
    go([=] {
      boost::this_fiber::sleep_until(due);
      (*late)[i] = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - due).count();
      done->hit();
    });
    if (i % 256 == 255) boost::this_fiber::yield();
  }
  done->wait();
  report("sleep100k_late_p50", "us", quantile(*late, .5));
  report("sleep100k_late_p99", "us", quantile(*late, .99));
  report("sleep100k_late_max", "us", quantile(*late, 1));
}

// Ends the program: the fibers are still parked.
void idle_cpu() {
  const int n = scaled(100'000);
  std::vector<Mailbox<int>> boxes;
  for (int i = 1; i <= n; ++i) {
    boxes.push_back(mailbox<int>(2));
    go([box = boxes.back()] {
      int message;
      box->pop(message);
    });
    if (i % 256 == 0) boost::this_fiber::yield();
  }
  boost::this_fiber::sleep_for(std::chrono::milliseconds(500));
  const double used = cpu_ns();
  const auto start = now_ns();
  boost::this_fiber::sleep_for(std::chrono::seconds(3));
  report("idle_cpu_100k", "% CPU", (cpu_ns() - used) / static_cast<double>(now_ns() - start) * 100);
  _exit(0);
}

void timer_wake() {
  Values late;
  for (int i = 0; i < std::max(100, scaled(500)); ++i) {
    const auto start = now_ns();
    boost::this_fiber::sleep_for(std::chrono::milliseconds(1));
    late.push_back(static_cast<double>(now_ns() - start - 1'000'000) / 1000);
  }
  report("timer_wake_1ms_p50", "us late", quantile(late, .5));
  report("timer_wake_1ms_p99", "us late", quantile(late, .99));
}

// A plain thread sleeps, stamps the clock and sends.
void external_wake(const std::string& row, std::chrono::microseconds gap, int count) {
  auto box = mailbox<std::int64_t>(64);
  std::thread sender([=] {
    for (int i = 0; i < count; ++i) {
      std::this_thread::sleep_for(gap);
      box->push(now_ns());
    }
  });
  Values late;
  for (int i = 0; i < count; ++i) {
    const std::int64_t sent = box->value_pop();
    late.push_back(static_cast<double>(now_ns() - sent) / 1000);
  }
  sender.join();
  report(row + "_p50", "us", quantile(late, .5));
  report(row + "_p99", "us", quantile(late, .99));
}

}  // namespace

bool run_timing(const std::string& group) {
  if (group == "sleeps") {
    sleeps();
  } else if (group == "idle_cpu") {
    idle_cpu();
  } else if (group == "timer_wake") {
    timer_wake();
  } else if (group == "ext_wake_gap2ms") {
    external_wake(group, std::chrono::milliseconds(2), std::max(100, scaled(500)));
  } else if (group == "ext_wake_gap100us") {
    external_wake(group, std::chrono::microseconds(100), std::max(1000, scaled(5000)));
  } else {
    return false;
  }
  return true;
}
