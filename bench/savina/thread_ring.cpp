// Thread ring: a token goes round a ring of processes. One message is under way at a time, and each hop wakes another process.
#include "bench/savina/savina.hpp"

namespace savina {
namespace {

struct Next {
  weft::Pid pid;
};
struct Token {
  int hops_left;
};
struct Landed {
  int at;
};
struct Stop {};
struct Passed {
  int times;
};

void member(int number, weft::Pid home) {
  const weft::Pid next = weft::receive<Next>().pid;
  int passed = 0;
  for (bool going = true; going;) {
    weft::receive(
        [&](Token token) {
          if (token.hops_left == 0) {
            weft::send(home, Landed{number});
          } else {
            weft::send(next, Token{token.hops_left - 1});
            ++passed;
          }
        },
        [&](Stop) { going = false; });
  }
  weft::send(home, Passed{passed});
}

class ThreadRing : public Program {
 public:
  explicit ThreadRing(Scale scale) : hops_(scale.of(100'000)) {}

  void run() override {
    std::vector<weft::Pid> ring;
    for (int i = 0; i < kMembers; ++i) ring.push_back(weft::spawn_link(member, i, weft::self()));
    for (int i = 0; i < kMembers; ++i) weft::send(ring[i], Next{ring[(i + 1) % kMembers]});

    weft::send(ring[0], Token{hops_});
    landed_at_ = weft::receive<Landed>().at;

    for (const weft::Pid pid : ring) weft::send(pid, Stop{});
    for (int i = 0; i < kMembers; ++i) passed_ += weft::receive<Passed>().times;
  }

  void check() const override {
    require_equal("member where the token landed", landed_at_, hops_ % kMembers);
    require_equal("hops", passed_, hops_);
  }

 private:
  static constexpr int kMembers = 100;
  int hops_;
  int landed_at_ = -1;
  int passed_ = 0;
};

const Registered<ThreadRing> registered("thread_ring", "100 processes, 100,000 hops");

}  // namespace
}  // namespace savina
