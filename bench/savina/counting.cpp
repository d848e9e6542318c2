// Counting: one process floods another with messages, then asks how many came. What is measured is the one-way stream.
#include "bench/savina/savina.hpp"

namespace savina {
namespace {

struct Increment {};
struct Retrieve {};

void counter() {
  int count = 0;
  for (bool going = true; going;) {
    weft::receive([&](Increment) { ++count; },
                  [&](weft::Call<Retrieve> asked) {
                    weft::reply(asked.from, count);
                    going = false;
                  });
  }
}

class Counting : public Program {
 public:
  explicit Counting(Scale scale) : messages_(scale.of(1'000'000)) {}

  void run() override {
    const weft::Pid pid = weft::spawn_link(counter);
    for (int n = 0; n < messages_; ++n) weft::send(pid, Increment{});
    // Sent last by the same process, so it arrives last: the count is complete.
    counted_ = weft::call<int>(pid, Retrieve{}, weft::forever);
  }

  void check() const override { require_equal("messages counted", counted_, messages_); }

 private:
  int messages_;
  int counted_ = -1;
};

const Registered<Counting> registered("counting", "1,000,000 messages");

}  // namespace
}  // namespace savina
