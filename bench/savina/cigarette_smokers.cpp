// Cigarette smokers: an arbiter lays out the ingredients for one smoker at random, who takes them, says so and smokes. The next round
// begins when the last one's ingredients are gone, while those who got theirs earlier still smoke.
#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kSmokers = 200;
constexpr int kLongestSmoke = 1'000;

struct Ingredients {
  int duration;
};
struct Taken {};
struct Stop {};
struct Smoked {
  int smoker;
  int times;
  int total;
};

void smoker(int number, weft::Pid arbiter) {
  Smoked smoked{number, 0, 0};
  for (bool going = true; going;) {
    weft::receive(
        [&](Ingredients ingredients) {
          weft::send(arbiter, Taken{});
          burn(ingredients.duration);
          ++smoked.times;
          smoked.total += ingredients.duration;
        },
        [&](Stop) { going = false; });
  }
  weft::send(arbiter, smoked);
}

class CigaretteSmokers : public Program {
 public:
  explicit CigaretteSmokers(Scale scale) : rounds_(scale.of(1'000)) {}

  void run() override {
    std::vector<weft::Pid> smokers;
    for (int i = 0; i < kSmokers; ++i) smokers.push_back(weft::spawn_link(smoker, i, weft::self()));
    Random random(kSeed);
    for (int i = 0; i < rounds_; ++i) {
      const int chosen = random.below(kSmokers);
      weft::send(smokers[chosen], Ingredients{random.below(kLongestSmoke) + 10});
      weft::receive<Taken>();
    }
    for (const weft::Pid pid : smokers) weft::send(pid, Stop{});
    for (int i = 0; i < kSmokers; ++i) smoked_.push_back(weft::receive<Smoked>());
  }

  void check() const override {
    std::vector<int> times(kSmokers), totals(kSmokers);
    Random random(kSeed);
    for (int i = 0; i < rounds_; ++i) {
      const int chosen = random.below(kSmokers);
      ++times[chosen];
      totals[chosen] += random.below(kLongestSmoke) + 10;
    }
    require_equal<std::size_t>("smokers", smoked_.size(), kSmokers);
    for (const Smoked& smoked : smoked_) {
      require_equal("rounds of a smoker", smoked.times, times[smoked.smoker]);
      require_equal("time that a smoker smoked", smoked.total, totals[smoked.smoker]);
    }
  }

 private:
  static constexpr std::uint64_t kSeed = 7;
  int rounds_;
  std::vector<Smoked> smoked_;
};

const Registered<CigaretteSmokers> registered("cigarette_smokers", "200 smokers, 1,000 rounds");

}  // namespace
}  // namespace savina
