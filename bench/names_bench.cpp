// Registered names, and groups.
#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Stop {};
struct Sum {
  std::uint64_t value;
};

constexpr std::size_t kProcesses = 1'000;

std::vector<Pid> parked_processes() {
  std::vector<Pid> pids;
  for (std::size_t i = 0; i < kProcesses; ++i) pids.push_back(spawn([] { receive<Stop>(); }));
  return pids;
}

double send_by_name() {
  const std::size_t n = scaled(2'000'000);
  const Pid me = self();
  const Pid sink = spawn([me, n] {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += receive<std::uint64_t>();
    send(me, Sum{sum});
  });
  register_name("sink", sink);
  const Stopwatch watch;
  for (std::uint64_t i = 0; i < n; ++i) send("sink", i);
  const std::uint64_t sum = await<Sum>().value;
  const double figure = watch.ns_per(n);
  expect(sum == n * (n - 1) / 2, "the messages do not add up");
  return figure;
}

/// register, whereis, unregister, send_by_name.
std::vector<double> measure_names(Runtime& runtime) {
  const std::size_t rounds = scaled(50);
  const std::size_t lookups = scaled(500);
  auto figures = runtime.run([=] {
    const std::vector<Pid> pids = parked_processes();
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < kProcesses; ++i) texts.push_back("name_" + std::to_string(i));
    double registering = 0;
    double unregistering = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
      const Stopwatch first;
      for (std::size_t i = 0; i < kProcesses; ++i) register_name(texts[i], pids[i]);
      registering += first.ns();
      const Stopwatch second;
      for (const std::string& text : texts) expect(unregister(text), "a name was not registered");
      unregistering += second.ns();
    }
    for (std::size_t i = 0; i < kProcesses; ++i) register_name(texts[i], pids[i]);
    std::size_t found = 0;
    const Stopwatch third;
    for (std::size_t round = 0; round < lookups; ++round) {
      for (const std::string& text : texts) found += whereis(text).has_value() ? 1u : 0u;
    }
    const double looking = third.ns_per(lookups * kProcesses);
    expect(found == lookups * kProcesses, "a name was not found");
    for (const Pid pid : pids) send(pid, Stop{});
    const auto items = static_cast<double>(rounds * kProcesses);
    return std::vector{registering / items, looking, unregistering / items, send_by_name()};
  });
  await_empty(runtime);
  return figures;
}

/// group_join, group_members (for each member listed), group_leave.
std::vector<double> measure_groups(Runtime& runtime) {
  const std::size_t rounds = scaled(50);
  auto figures = runtime.run([=] {
    const std::vector<Pid> pids = parked_processes();
    double joining = 0;
    double listing = 0;
    double leaving = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
      const Stopwatch first;
      for (const Pid pid : pids) expect(join("group", pid), "a live process could not join");
      joining += first.ns();
      const Stopwatch second;
      expect(members("group").size() == kProcesses, "not everyone who joined is a member");
      listing += second.ns();
      const Stopwatch third;
      for (const Pid pid : pids) expect(leave("group", pid), "a member could not leave");
      leaving += third.ns();
    }
    for (const Pid pid : pids) send(pid, Stop{});
    const auto items = static_cast<double>(rounds * kProcesses);
    return std::vector{joining / items, listing / items, leaving / items};
  });
  await_empty(runtime);
  return figures;
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add({{"register", "ns/op"}, {"whereis", "ns/op"}, {"unregister", "ns/op"}, {"send_by_name", "ns/msg"}}, measure_names);
  suite.add({{"group_join_1000", "ns/op"}, {"group_members_1000", "ns/member"}, {"group_leave_1000", "ns/op"}}, measure_groups);
  return suite.run(argc, argv);
}
