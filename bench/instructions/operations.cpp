// Single operations of weft, for callgrind to count. To be run by count.py:
//
//   weft_operations --list                one line for each row: name and the smaller of its two sizes
//   weft_operations --compiler            what it was built with
//   weft_operations <row> <n> <n>...      does the row's operation n times, for each n, on one worker, and has callgrind dump after each
//
// Only what runs between counting on and counting off is counted, and only on the thread that switched it on: the worker. The host
// thread, the start of the runtime and an idle worker's search for work, which depends on the time, stay out of the figures.
#include <valgrind/callgrind.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <weft/weft.hpp>

namespace {

using namespace std::chrono_literals;
using namespace weft;

/// While it lives the worker's instructions are counted.
class Counting {
 public:
  Counting() { CALLGRIND_TOGGLE_COLLECT; }
  ~Counting() { CALLGRIND_TOGGLE_COLLECT; }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
};

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "weft_operations: %s\n", what);
  std::abort();
}

struct Ping {
  Pid from;
  std::size_t n;
};
struct Done {
  std::size_t sum;
};
struct Stop {};

std::size_t sum_below(std::size_t n) { return n * (n - 1) / 2; }

// --- Each of these runs as a process. ------------------------------------------------------------------------------------------------

void spawn_exit(std::size_t n) {
  std::size_t left = n;
  const Pid spawner = self();
  {
    const Counting counting;
    for (std::size_t i = 0; i < n; ++i) {
      spawn([&left, spawner] {
        if (--left == 0) send(spawner, Done{});
      });
    }
    receive<Done>();
  }
  expect(left == 0, "the processes did not each count once");
}

void spawn_message_back(std::size_t n) {
  const Pid me = self();
  std::size_t sum = 0;
  {
    const Counting counting;
    for (std::size_t i = 0; i < n; ++i) {
      spawn([me, i] { send(me, i); });
      sum += receive<std::size_t>();
    }
  }
  expect(sum == sum_below(n), "the messages of the children do not add up");
}

void spawn_monitor_exit(std::size_t n) {
  std::size_t right = 0;
  {
    const Counting counting;
    for (std::size_t i = 0; i < n; ++i) {
      const Monitored child = spawn_monitor([] {});
      right += receive<Down>().ref == child.ref ? 1u : 0u;
    }
  }
  expect(right == n, "a Down is not the child's");
}

void echo() {
  for (bool running = true; running;) {
    receive([](Ping ping) { send(ping.from, ping.n); }, [](Call<std::size_t> question) { reply(question.from, question.request); },
            [&](Stop) { running = false; });
  }
}

void ping_pong(std::size_t n) {
  const Pid peer = spawn(echo);
  std::size_t sum = 0;
  {
    const Counting counting;
    for (std::size_t i = 0; i < n; ++i) {
      send(peer, Ping{self(), i});
      sum += receive<std::size_t>();
    }
  }
  send(peer, Stop{});
  expect(sum == sum_below(n), "the answers do not add up");
}

void call_reply(std::size_t n) {
  const Pid peer = spawn(echo);
  std::size_t sum = 0;
  {
    const Counting counting;
    for (std::size_t i = 0; i < n; ++i) sum += call<std::size_t>(peer, i, 1h);
  }
  send(peer, Stop{});
  expect(sum == sum_below(n), "the replies do not add up");
}

void ring(std::size_t n) {
  constexpr std::size_t kMembers = 503;
  const auto member = [](Pid next) {
    for (bool running = true; running;) {
      receive([&](std::size_t token) { send(next, token + 1); }, [&](Stop) { running = false; });
    }
  };
  // This process is the last member.
  std::vector<Pid> members{self()};
  while (members.size() < kMembers) members.push_back(spawn(member, members.back()));
  const std::size_t rounds = n / kMembers + 1;
  std::size_t token = 0;
  {
    const Counting counting;
    for (std::size_t round = 0; round < rounds; ++round) {
      send(members.back(), token + 1);
      token = receive<std::size_t>();
    }
  }
  for (std::size_t i = 1; i < kMembers; ++i) send(members[i], Stop{});
  expect(token == rounds * kMembers, "the token missed a member");
}

void fan_in(std::size_t n, std::size_t senders) {
  const Pid me = self();
  const std::size_t each = n / senders;
  const Pid sink = spawn([me, messages = each * senders] {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < messages; ++i) sum += receive<std::size_t>();
    send(me, Done{sum});
  });
  std::size_t sum = 0;
  {
    const Counting counting;
    for (std::size_t k = 0; k < senders; ++k) {
      spawn([sink, each] {
        for (std::size_t i = 0; i < each; ++i) send(sink, i);
      });
    }
    sum = receive<Done>().sum;
  }
  expect(sum == senders * sum_below(each), "the messages do not add up");
}

/// To a process that is awake already: the receiver is runnable while a burst is sent, and empties its mailbox uncounted.
void send_to_running(std::size_t n) {
  constexpr std::size_t kBurst = 64;
  const Pid me = self();
  const std::size_t bursts = n / kBurst;
  const Pid sink = spawn([me, messages = bursts * (kBurst + 1)] {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < messages; ++i) {
      sum += receive<std::size_t>();
      if ((i + 1) % (kBurst + 1) == 0) send(me, Done{sum});
    }
  });
  std::size_t sum = 0;
  for (std::size_t burst = 0; burst < bursts; ++burst) {
    send(sink, std::size_t{0});
    {
      const Counting counting;
      for (std::size_t i = 0; i < kBurst; ++i) send(sink, i);
    }
    sum = receive<Done>().sum;
  }
  expect(sum == bursts * sum_below(kBurst), "the messages do not add up");
}

void timer_pair(std::size_t n) {
  std::size_t pending = 0;
  {
    const Counting counting;
    for (std::size_t i = 0; i < n; ++i) {
      const TimerRef timer = start_timer(60s + std::chrono::milliseconds(i % 16384), self(), Done{});
      pending += cancel_timer(timer).has_value() ? 1u : 0u;
    }
  }
  expect(pending == n, "a timer was not pending");
}

/// n names, and a process for each.
struct Named {
  explicit Named(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      names.push_back("name_" + std::to_string(i));
      pids.push_back(spawn([] { receive<Stop>(); }));
    }
  }
  ~Named() {
    for (const Pid pid : pids) send(pid, Stop{});
  }
  Named(const Named&) = delete;
  Named& operator=(const Named&) = delete;

  void register_all() const {
    for (std::size_t i = 0; i < names.size(); ++i) register_name(names[i], pids[i]);
  }
  void unregister_all() const {
    std::size_t found = 0;
    for (const std::string& name : names) found += unregister(name) ? 1u : 0u;
    expect(found == names.size(), "a name was not registered");
  }

  std::vector<std::string> names;
  std::vector<Pid> pids;
};

void register_names(std::size_t n) {
  const Named named(n);
  {
    const Counting counting;
    named.register_all();
  }
  named.unregister_all();
}

void unregister_names(std::size_t n) {
  const Named named(n);
  named.register_all();
  const Counting counting;
  named.unregister_all();
}

void find_names(std::size_t n) {
  const Named named(100);
  named.register_all();
  std::size_t found = 0;
  {
    const Counting counting;
    for (std::size_t i = 0; i < n; ++i) found += whereis(named.names[i % named.names.size()]).has_value() ? 1u : 0u;
  }
  expect(found == n, "a name was not registered");
}

struct Operation {
  const char* row;
  std::size_t size;
  void (*run)(std::size_t n);
};
constexpr std::array kOperations = {
    Operation{"spawn_exit", 2'000, spawn_exit},
    Operation{"spawn_message_back", 1'000, spawn_message_back},
    Operation{"spawn_monitor_exit", 1'000, spawn_monitor_exit},
    Operation{"ping_pong", 1'000, ping_pong},
    Operation{"thread_ring_503", 503 * 4, ring},
    Operation{"fan_in_8to1", 4'000, [](std::size_t n) { fan_in(n, 8); }},
    Operation{"stream_1to1", 4'000, [](std::size_t n) { fan_in(n, 1); }},
    Operation{"send_to_running", 2'048, send_to_running},
    Operation{"call_reply_queue0", 1'000, call_reply},
    Operation{"timer_start_cancel_pair", 2'000, timer_pair},
    Operation{"register", 1'000, register_names},
    Operation{"unregister", 1'000, unregister_names},
    Operation{"whereis", 2'000, find_names},
};

/// Calls `run(n)` in a process of its own.
void perform(Runtime& runtime, const Operation& operation, std::size_t n) {
  runtime.run([&] { operation.run(n); });
  while (runtime.stats().live != 0) std::this_thread::yield();
}

int measure(const char* row, int count, char** sizes) {
  for (const Operation& operation : kOperations) {
    if (std::strcmp(operation.row, row) != 0) continue;
    Runtime runtime({.workers = 1, .watchdog = 0s});
    for (int i = 0; i < count; ++i) {
      std::size_t n = 0;
      const std::string_view text(sizes[i]);
      if (std::from_chars(text.data(), text.data() + text.size(), n).ptr != text.data() + text.size() || n == 0) return 2;
      perform(runtime, operation, n);
      CALLGRIND_DUMP_STATS_AT(sizes[i]);
    }
    return 0;
  }
  std::fprintf(stderr, "weft_operations: no row '%s'; see --list\n", row);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const Operation& operation : kOperations) std::printf("%s %zu\n", operation.row, operation.size);
    return 0;
  }
  if (argc == 2 && std::strcmp(argv[1], "--compiler") == 0) {
#ifdef __clang__
    std::puts("clang++ " __clang_version__);
#else
    std::puts("g++ " __VERSION__);
#endif
    return 0;
  }
  if (argc < 3) {
    std::fputs("usage: weft_operations --list | --compiler | <row> <n>...\n", stderr);
    return 2;
  }
  return measure(argv[1], argc - 2, argv + 2);
}
