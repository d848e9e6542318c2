// Dining philosophers: the forks between two plates are lent by an arbiter that hands out both or none, so nobody waits with one in hand.
// A fork is an object that exists once and travels with the messages: while a philosopher has it, nobody else can.
#include <array>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kPhilosophers = 20;

struct Fork {
  int meals = 0;
};
using ForkPtr = std::unique_ptr<Fork>;

struct Hungry {
  weft::Pid philosopher;
  int seat;
};
struct Forks {
  ForkPtr left, right;
};
struct Eaten {
  int seat;
  Forks forks;
};
struct Full {};

void philosopher(int seat, int meals, weft::Pid arbiter) {
  for (int i = 0; i < meals; ++i) {
    weft::send(arbiter, Hungry{weft::self(), seat});
    Forks forks = weft::receive<Forks>();
    ++forks.left->meals;
    ++forks.right->meals;
    weft::send(arbiter, Eaten{seat, std::move(forks)});
  }
  weft::send(arbiter, Full{});
}

class DiningPhilosophers : public Program {
 public:
  explicit DiningPhilosophers(Scale scale) : meals_(scale.of(10'000)) {
    for (ForkPtr& fork : table_) fork = std::make_unique<Fork>();
  }

  void run() override {
    for (int seat = 0; seat < kPhilosophers; ++seat) weft::spawn_link(philosopher, seat, meals_, weft::self());

    // Who cannot eat yet stays in the mailbox, and the oldest who can is served: no queue, and nobody is told to try again.
    const auto can_eat = [&](const Hungry& hungry) { return left(hungry.seat) && right(hungry.seat); };
    for (int hungry = kPhilosophers; hungry > 0;) {
      weft::receive(
          weft::when(can_eat,
                     [&](Hungry one) {
                       weft::send(one.philosopher, Forks{std::move(left(one.seat)), std::move(right(one.seat))});
                       ++served_;
                     }),
          [&](Eaten eaten) {
            left(eaten.seat) = std::move(eaten.forks.left);
            right(eaten.seat) = std::move(eaten.forks.right);
          },
          [&](Full) { --hungry; });
    }
  }

  void check() const override {
    require_equal("meals served", served_, kPhilosophers * meals_);
    for (const ForkPtr& fork : table_) {
      require(fork != nullptr, "a fork was not given back");
      require_equal("meals eaten with one fork", fork->meals, 2 * meals_);
    }
  }

 private:
  ForkPtr& left(int seat) { return table_[seat]; }
  ForkPtr& right(int seat) { return table_[(seat + 1) % kPhilosophers]; }

  int meals_;
  int served_ = 0;
  std::array<ForkPtr, kPhilosophers> table_;
};

const Registered<DiningPhilosophers> registered("dining_philosophers", "20 philosophers, 10,000 meals each");

}  // namespace
}  // namespace savina
