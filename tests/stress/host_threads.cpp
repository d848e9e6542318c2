// Plain threads start, use the runtime from outside and end, many at a time. Each is one sender whose messages arrive in order, its
// calls are answered, what it starts can be joined, and nothing of it stays when it is gone (CPP-13).
#include <thread>
#include <unordered_map>
#include <vector>

#include "tests/stress/scenarios.hpp"
#include "tests/stress/world.hpp"

namespace weft::stress {

namespace {

constexpr std::size_t kThreads = 8;
constexpr std::size_t kServers = 4;

struct FromThread {
  std::uint64_t thread, number;
  Tracked tracked{};
};
struct Question {
  std::uint64_t number;
};
struct Answer {
  std::uint64_t number;
};

void serve(Run& run) {
  std::unordered_map<std::uint64_t, std::uint64_t> heard;
  for (;;) {
    receive(
        [&](const FromThread& message) {
          std::uint64_t& last = heard[message.thread];
          run.require(message.number == last + 1, "message ", message.number, " of a thread came after ", last);
          last = message.number;
        },
        [](const Call<Question>& call) { reply(call.from, Answer{call.request.number}); });
  }
}

/// The life of one thread.
void visit(Run& run, Runtime& runtime, const std::vector<Pid>& servers, std::uint64_t id, Rng rng) {
  std::vector<std::uint64_t> sent(servers.size(), 0);
  for (std::uint64_t turn = 4 + rng.below(40); turn > 0; --turn) {
    const std::size_t server = rng.below(servers.size());
    switch (rng.below(8)) {
      case 0:
      case 1:
      case 2:
        for (std::uint64_t i = rng.below(30); i > 0; --i) runtime.send(servers[server], FromThread{id, ++sent[server]});
        break;
      case 3: {
        const std::uint64_t number = rng.next();
        const Run::Awaiting awaiting(run, "an answer to a thread");
        const Answer answer = runtime.call<Answer>(servers[server], Question{number}, run.patience());
        run.require(answer.number == number, "a thread got another's answer");
        break;
      }
      case 4: {
        const Run::Awaiting awaiting(run, "run() from a thread");
        const std::uint64_t echoed = runtime.run([&] { return call<Answer>(servers[server], Question{id}, run.patience()).number; });
        run.require(echoed == id, "run() gave another's result");
        break;
      }
      case 5: {
        JoinHandle handle = runtime.start([tracked = Tracked{}] { receive<int>(); });
        if (rng.one_in(2))
          runtime.kill(handle.pid());
        else
          runtime.exit(handle.pid(), ExitReason::shutdown);
        run.require(!runtime.is_alive(handle.pid()), "is_alive() after this thread's own exit signal");
        const Run::Awaiting awaiting(run, "a join from a thread");
        const auto reason = handle.join_for(run.patience());
        run.require(reason.has_value() && (*reason == ExitReason::killed || *reason == ExitReason::shutdown),
                    "a joined process ended wrongly");
        break;
      }
      case 6: {
        const TimerRef timer = runtime.send_after(1h, servers[server], FromThread{id, 0});
        run.require(runtime.cancel_timer(timer).has_value(), "a timer of an hour is gone");
        break;
      }
      default:
        (void)runtime.list();
        (void)runtime.stats();
        (void)runtime.info(servers[server]);
        break;
    }
    run.did();
  }
}

}  // namespace

void host_threads(Run& run) {
  World world(run);
  std::vector<Pid> servers;
  for (std::size_t i = 0; i < kServers; ++i) servers.push_back(world->spawn([&run] { serve(run); }));
  std::vector<std::thread> hosts;
  for (std::size_t i = 0; i < kThreads; ++i) {
    hosts.emplace_back([&, i] {
      Rng rng = run.rng(i);
      // One short-lived thread after the other.
      for (std::uint64_t id = i + 1; run.time_left(); id += kThreads) {
        std::thread([&, id, r = Rng(rng.next())] { visit(run, world.runtime(), servers, id, r); }).join();
      }
    });
  }
  for (std::thread& host : hosts) host.join();
  for (const Pid server : servers) world->kill(server);
  world.finish();
}

}  // namespace weft::stress
