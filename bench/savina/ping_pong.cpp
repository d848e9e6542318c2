// Ping-pong: two processes send one message to and fro. What is measured is the way through the mailbox and the switch.
#include "bench/savina/savina.hpp"

namespace savina {
namespace {

struct Ping {
  weft::Pid from;
  int number;
};
struct Pong {
  int number;
};
struct Stop {};

void echo() {
  for (bool going = true; going;) {
    weft::receive([](Ping ping) { weft::send(ping.from, Pong{ping.number}); },  //
                  [&](Stop) { going = false; });
  }
}

class PingPong : public Program {
 public:
  explicit PingPong(Scale scale) : pings_(scale.of(40'000)) {}

  void run() override {
    const weft::Pid partner = weft::spawn_link(echo);
    for (int n = 0; n < pings_; ++n) {
      weft::send(partner, Ping{weft::self(), n});
      require_equal("number of a pong", weft::receive<Pong>().number, n);
      ++pongs_;
    }
    weft::send(partner, Stop{});
  }

  void check() const override { require_equal("pongs", pongs_, pings_); }

 private:
  int pings_;
  int pongs_ = 0;
};

const Registered<PingPong> registered("ping_pong", "40,000 pings");

}  // namespace
}  // namespace savina
