// A sender yields, sleeps and blocks between its sends, so that other workers take it; it addresses one receiver by pid, by name and
// through an alias. All arrive in the order sent (ORD-1, ORD-2), and the sender's EXIT and DOWN after all of them (ORD-3).
#include <unordered_map>
#include <vector>

#include "tests/stress/scenarios.hpp"
#include "tests/stress/world.hpp"

namespace weft::stress {

namespace {

constexpr std::size_t kReceivers = 4;
constexpr std::size_t kSendersEach = 6;
constexpr std::uint64_t kMessages = 400;

struct Numbered {
  Pid from;
  std::uint64_t number;
  bool last;
  Tracked tracked{};
};

void send_in_order(Pid to, const std::string& name, Alias alias, Rng rng) {
  for (std::uint64_t number = 1; number <= kMessages; ++number) {
    const Numbered message{self(), number, number == kMessages};
    switch (rng.below(3)) {
      case 0:
        send(to, message);
        break;
      case 1:
        send(name, message);
        break;
      default:
        send(alias, message);
    }
    switch (rng.below(24)) {
      case 0:
        sleep_for(std::chrono::microseconds(rng.below(50)));
        break;
      case 1:
        if (rng.one_in(4)) blocking([] {});
        break;
      case 2:
      case 3:
      case 4:
        yield();
        break;
      default:
        break;
    }
  }
  if (rng.one_in(2)) exit(ExitReason::shutdown);
}

void receive_in_order(Run& run, std::size_t index, Rng rng) {
  trap_exit(true);
  const std::string name = "receiver-" + std::to_string(index);
  register_name(name);
  while (run.time_left()) {
    const Alias alias = make_alias(AliasMode::explicit_unalias);
    std::unordered_map<Pid, std::uint64_t> heard;
    for (std::size_t i = 0; i < kSendersEach; ++i) {
      // Linked: the EXIT is ordered as the DOWN is.
      const Pid sender = spawn_link([to = self(), name, alias, r = Rng(rng.next())] { send_in_order(to, name, alias, r); });
      monitor(sender);
      heard.emplace(sender, 0);
    }
    const Run::Awaiting awaiting(run, "a sender's messages");
    for (std::size_t ends = 0; ends < 2 * kSendersEach;) {
      const auto on_end = [&](Pid pid) {
        run.require(heard[pid] == kMessages, "the end of ", pid.to_string(), " came after message ", heard[pid], " of ", kMessages);
        ++ends;
        return true;
      };
      const bool came = receive(
          [&](const Numbered& message) {
            std::uint64_t& last = heard[message.from];
            run.require(message.number == last + 1, "message ", message.number, " of ", message.from.to_string(), " came after ", last);
            last = message.number;
            run.did();
            return true;
          },
          [&](const Down& down) { return on_end(down.pid); }, [&](const Exit& exit) { return on_end(exit.from); },
          after(run.patience(), [] { return false; }));
      if (!run.require(came, "senders' messages or ends did not come")) return;
    }
    run.require(unalias(alias), "an alias went off by itself");
  }
}

}  // namespace

void stolen_sender(Run& run) {
  World world(run);
  std::vector<JoinHandle> receivers;
  for (std::size_t i = 0; i < kReceivers; ++i) {
    receivers.push_back(world->start([&run, i, rng = run.rng(i)] { receive_in_order(run, i, rng); }));
  }
  for (JoinHandle& receiver : receivers) {
    const ExitReason reason = receiver.join();
    run.require(reason.is_normal(), "a receiver ended with ", reason.kind().text(), " ", reason.what());
  }
  world.finish();
}

}  // namespace weft::stress
