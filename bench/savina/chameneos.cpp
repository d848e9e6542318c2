// Chameneos: creatures of three colours meet in pairs at a mall, and both change to the colour that neither has, or keep one they share.
// Many processes contend for one, and it only makes them known to each other: the pair settles the meeting between themselves.
#include <optional>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

// A colour is 0, 1 or 2, and the colour after a meeting is -(a + b) modulo 3. So the sum of all colours modulo 3 never changes, which is
// what the check rests on.
constexpr int kColours = 3;
int complement(int a, int b) { return (2 * kColours - a - b) % kColours; }

struct Meet {
  weft::Pid creature;
  int colour;
};
struct Change {
  int colour;
};
struct Closed {};
struct Tally {
  int meetings;
  int colour;
};

void creature(int colour, weft::Pid mall) {
  int meetings = 0;
  for (bool open = true; open;) {
    weft::send(mall, Meet{weft::self(), colour});
    weft::receive(
        // The mall passes on the one who came second; the first decides for both.
        [&](Meet other) {
          colour = complement(colour, other.colour);
          weft::send(other.creature, Change{colour});
          ++meetings;
        },
        [&](Change change) {
          colour = change.colour;
          ++meetings;
        },
        [&](Closed) { open = false; });
  }
  weft::send(mall, Tally{meetings, colour});
}

class Chameneos : public Program {
 public:
  explicit Chameneos(Scale scale) : meetings_(scale.of(200'000)) {}

  void run() override {
    for (int i = 0; i < kCreatures; ++i) weft::spawn_link(creature, i % kColours, weft::self());

    std::optional<weft::Pid> waiting;
    for (int left = meetings_; left > 0;) {
      const Meet guest = weft::receive<Meet>();
      if (!waiting) {
        waiting = guest.creature;
      } else {
        weft::send(*waiting, guest);
        waiting.reset();
        --left;
      }
    }
    for (int i = 0; i < kCreatures; ++i) weft::send(weft::receive<Meet>().creature, Closed{});
    for (int i = 0; i < kCreatures; ++i) {
      const Tally tally = weft::receive<Tally>();
      met_ += tally.meetings;
      colours_ += tally.colour;
    }
  }

  void check() const override {
    require_equal("meetings of all creatures", met_, 2 * meetings_);
    int expected = 0;
    for (int i = 0; i < kCreatures; ++i) expected += i % kColours;
    require_equal("sum of the colours modulo 3", colours_ % kColours, expected % kColours);
  }

 private:
  static constexpr int kCreatures = 100;
  int meetings_;
  int met_ = 0;
  int colours_ = 0;
};

const Registered<Chameneos> registered("chameneos", "100 creatures, 200,000 meetings");

}  // namespace
}  // namespace savina
