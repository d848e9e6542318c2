// Rows about fibers: beginning and end, memory. There are no pids, links, monitors or names to compare.
#include "fibers.hpp"

using namespace harness;

namespace {

// Fibers that only count down; the last one opens the gate. The spawner steps back after 64: nothing preempts it, and without that all
// stacks would be there at once, so the row without a pause is not measured.
double spawn_exit() {
  const int n = scaled(1'000'000);
  auto done = gate(n);
  const auto start = now_ns();
  for (int i = 1; i <= n; ++i) {
    go([done] { done->hit(); });
    if (i % 64 == 0) boost::this_fiber::yield();
  }
  done->wait();
  return ns_per_item(start, n);
}

double spawn_reply() {
  const int n = scaled(500'000);
  auto box = mailbox<int>(2);
  const auto start = now_ns();
  for (int i = 0; i < n; ++i) {
    go([=] { box->push(i); });
    if (box->value_pop() != i) std::abort();
  }
  return ns_per_item(start, n);
}

// The child runs at once and its parent can be stolen, as in Boost's own example; with launch::post all leaves would be alive at once.
void skynet(const Mailbox<std::int64_t>& parent, std::int64_t number, std::int64_t size) {
  if (size == 1) {
    parent->push(number);
    return;
  }
  auto box = mailbox<std::int64_t>(16);
  const std::int64_t sub = size / 10;
  for (std::int64_t i = 0; i < 10; ++i) start(boost::fibers::launch::dispatch, [=] { skynet(box, number + i * sub, sub); });
  std::int64_t sum = 0;
  for (int i = 0; i < 10; ++i) sum += box->value_pop();
  parent->push(sum);
}

double skynet() {
  const std::int64_t leaves = skynet_leaves();
  auto box = mailbox<std::int64_t>(2);
  const auto start = now_ns();
  go([=] { skynet(box, 0, leaves); });
  if (box->value_pop() != leaves * (leaves - 1) / 2) std::abort();
  return ns_per_item(start, static_cast<double>((leaves * 10 - 1) / 9));
}

// Ends the program: the fibers are still parked.
void memory(const std::string& row, int n) {
  const double before = resident_bytes();
  std::vector<Mailbox<int>> boxes;
  boxes.reserve(static_cast<std::size_t>(n));
  for (int i = 1; i <= n; ++i) {
    boxes.push_back(mailbox<int>(2));  // the smallest there is
    go([box = boxes.back()] {
      int message;
      box->pop(message);
    });
    if (i % 256 == 0) boost::this_fiber::yield();
  }
  boost::this_fiber::sleep_for(std::chrono::milliseconds(500));
  report(row, "bytes/process", (resident_bytes() - before) / n);
  _exit(0);
}

}  // namespace

bool run_life(const std::string& group) {
  if (group == "spawn_exit_yield64") {
    report(group, "ns/process", warm(spawn_exit));
  } else if (group == "spawn_message_back") {
    report(group, "ns/process", warm(spawn_reply));
  } else if (group == "skynet") {
    report(group, "ns/actor", warm([] { return skynet(); }));
  } else if (group == "mem_idle_100k") {
    memory(group, scaled(100'000));
  } else if (group == "mem_idle_1m") {
    memory(group, scaled(1'000'000));
  } else {
    return false;
  }
  return true;
}
