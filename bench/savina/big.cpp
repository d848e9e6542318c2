// Big: all to all. Each process pings a random other and, while it waits for the pong, answers whoever pings it.
#include "bench/savina/savina.hpp"

namespace savina {
namespace {

using Peers = std::shared_ptr<const std::vector<weft::Pid>>;

struct Start {
  Peers peers;
};
struct Ping {
  weft::Pid from;
};
struct Pong {
  int from;
};
struct Finished {};
struct Stop {};
struct Answered {
  int pings;
};

void member(int number, int pings, weft::Pid home) {
  Random random(static_cast<std::uint64_t>(number));
  const Peers peers = weft::receive<Start>().peers;
  const int others = static_cast<int>(peers->size()) - 1;
  int answered = 0;
  const auto answer = [&](Ping ping) {
    weft::send(ping.from, Pong{number});
    ++answered;
  };

  for (int i = 0; i < pings; ++i) {
    const int other = (number + 1 + random.below(others)) % (others + 1);
    weft::send((*peers)[other], Ping{weft::self()});
    for (bool waiting = true; waiting;) {
      weft::receive(answer, [&](Pong pong) {
        require_equal("sender of a pong", pong.from, other);
        waiting = false;
      });
    }
  }

  weft::send(home, Finished{});
  for (bool going = true; going;) weft::receive(answer, [&](Stop) { going = false; });
  weft::send(home, Answered{answered});
}

class Big : public Program {
 public:
  explicit Big(Scale scale) : pings_(scale.of(20'000)) {}

  void run() override {
    std::vector<weft::Pid> members;
    for (int i = 0; i < kMembers; ++i) members.push_back(weft::spawn_link(member, i, pings_, weft::self()));
    const Peers peers = std::make_shared<const std::vector<weft::Pid>>(std::move(members));
    for (const weft::Pid pid : *peers) weft::send(pid, Start{peers});

    // Nobody may stop before all have their pongs: a ping to one that has stopped would wait for ever.
    for (int i = 0; i < kMembers; ++i) weft::receive<Finished>();
    for (const weft::Pid pid : *peers) weft::send(pid, Stop{});
    for (int i = 0; i < kMembers; ++i) answered_ += weft::receive<Answered>().pings;
  }

  void check() const override { require_equal("pings answered", answered_, kMembers * pings_); }

 private:
  static constexpr int kMembers = 120;
  int pings_;
  int answered_ = 0;
};

const Registered<Big> registered("big", "120 processes, 20,000 pings each");

}  // namespace
}  // namespace savina
