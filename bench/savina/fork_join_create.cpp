// Fork-join create: many short-lived processes. Each gets one message, computes a little, answers and ends.
#include <cmath>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

struct Work {
  double angle;
};
struct Done {
  double value;
};

double compute(double angle) {
  const double sine = std::sin(angle);
  return sine * sine;
}

class ForkJoinCreate : public Program {
 public:
  explicit ForkJoinCreate(Scale scale) : children_(scale.of(40'000)) {}

  void run() override {
    const weft::Pid home = weft::self();
    for (int i = 0; i < children_; ++i) {
      const weft::Pid child = weft::spawn_link([home] { weft::send(home, Done{compute(weft::receive<Work>().angle)}); });
      weft::send(child, Work{angle(i)});
    }
    for (int i = 0; i < children_; ++i) sum_ += weft::receive<Done>().value;
  }

  void check() const override {
    double expected = 0;
    for (int i = 0; i < children_; ++i) expected += compute(angle(i));
    require_close("sum of the children's results", sum_, expected);
  }

 private:
  static double angle(int child) { return 37.2 + child; }
  int children_;
  double sum_ = 0;
};

const Registered<ForkJoinCreate> registered("fork_join_create", "40,000 processes");

}  // namespace
}  // namespace savina
