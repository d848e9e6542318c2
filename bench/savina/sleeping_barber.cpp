// Sleeping barber: customers arrive at random at a waiting room with a number of chairs. Who finds none goes round the block and comes
// back; the barber takes them in the order they sat down and sleeps while there is nobody.
#include <algorithm>
#include <deque>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr std::size_t kChairs = 1'000;
constexpr int kArrivalCost = 1'000;
constexpr int kHaircutCost = 1'000;

struct Enter {
  weft::Pid customer;
};
struct RoomFull {};
struct NextCustomer {};
struct Haircut {
  int number;
};
struct Served {
  int haircut;
};
struct Close {};
struct RoomReport {
  std::size_t most_waiting;
};

void waiting_room(weft::Pid home) {
  std::deque<weft::Pid> chairs;
  RoomReport report{0};
  for (bool open = true; open;) {
    const bool occupied = !chairs.empty();
    weft::receive(
        [&](Enter enter) {
          if (chairs.size() == kChairs) {
            weft::send(enter.customer, RoomFull{});
          } else {
            chairs.push_back(enter.customer);
            report.most_waiting = std::max(report.most_waiting, chairs.size());
          }
        },
        // The barber's call waits in the mailbox, and the barber with it, until somebody sits here.
        weft::when([&](const weft::Call<NextCustomer>&) { return occupied; },
                   [&](weft::Call<NextCustomer> barber) {
                     weft::reply(barber.from, chairs.front());
                     chairs.pop_front();
                   }),
        [&](Close) { open = false; });
  }
  weft::send(home, report);
}

void barber(int haircuts, weft::Pid room) {
  Random random(1);
  for (int i = 0; i < haircuts; ++i) {
    const auto customer = weft::call<weft::Pid>(room, NextCustomer{}, weft::forever);
    burn(random.below(kHaircutCost) + 10);
    weft::send(customer, Haircut{i});
  }
}

void customer(weft::Pid room, weft::Pid home) {
  for (bool waiting = true; waiting;) {
    weft::send(room, Enter{weft::self()});
    weft::receive([](RoomFull) { weft::yield(); },
                  [&](Haircut haircut) {
                    weft::send(home, Served{haircut.number});
                    waiting = false;
                  });
  }
}

class SleepingBarber : public Program {
 public:
  explicit SleepingBarber(Scale scale) : customers_(scale.of(5'000)) {}

  void run() override {
    const weft::Pid room = weft::spawn_link(waiting_room, weft::self());
    weft::spawn_link(barber, customers_, room);
    Random random(2);
    for (int i = 0; i < customers_; ++i) {
      weft::spawn_link(customer, room, weft::self());
      burn(random.below(kArrivalCost) + 10);
      weft::checkpoint();
    }
    for (int i = 0; i < customers_; ++i) haircuts_.push_back(weft::receive<Served>().haircut);
    weft::send(room, Close{});
    most_waiting_ = weft::receive<RoomReport>().most_waiting;
  }

  void check() const override {
    std::vector<int> haircuts = haircuts_;
    std::sort(haircuts.begin(), haircuts.end());
    require_equal("haircuts", static_cast<int>(haircuts.size()), customers_);
    for (int i = 0; i < customers_; ++i) require_equal("haircut given to one customer", haircuts[i], i);
    require(most_waiting_ >= 1 && most_waiting_ <= kChairs, "more customers waited than there are chairs");
  }

 private:
  int customers_;
  std::vector<int> haircuts_;
  std::size_t most_waiting_ = 0;
};

const Registered<SleepingBarber> registered("sleeping_barber", "5,000 haircuts, 1,000 chairs, arrival 1,000, haircut 1,000");

}  // namespace
}  // namespace savina
