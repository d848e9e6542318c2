// Trapezoidal: the integral of a function, its range cut into pieces for 100 processes. Few messages, and all processes do the same work.
#include <cmath>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kWorkers = 100;
constexpr double kLeft = 1;
constexpr double kRight = 5;

double f(double x) { return std::sin(x * x * x - 1) / (x + 1) * std::sqrt(1 + std::exp(std::sqrt(2 * x))); }

double integrate(double left, double width, int pieces) {
  double sum = 0;
  double at_left = f(left);
  for (int i = 0; i < pieces; ++i) {
    const double at_right = f(left + (i + 1) * width);
    sum += (at_left + at_right) / 2 * width;
    at_left = at_right;
  }
  return sum;
}

struct Work {
  double left, width;
  int pieces;
};
struct Area {
  double value;
};

class Trapezoidal : public Program {
 public:
  explicit Trapezoidal(Scale scale) : pieces_each_(scale.of(10'000'000 / kWorkers)) {}

  void run() override {
    const weft::Pid home = weft::self();
    const double width = (kRight - kLeft) / (kWorkers * pieces_each_);
    for (int i = 0; i < kWorkers; ++i) {
      const weft::Pid worker = weft::spawn_link([home] {
        const auto [left, width, pieces] = weft::receive<Work>();
        weft::send(home, Area{integrate(left, width, pieces)});
      });
      weft::send(worker, Work{kLeft + i * width * pieces_each_, width, pieces_each_});
    }
    for (int i = 0; i < kWorkers; ++i) area_ += weft::receive<Area>().value;
  }

  void check() const override {
    const int pieces = kWorkers * pieces_each_;
    require_close("integral", area_, integrate(kLeft, (kRight - kLeft) / pieces, pieces));
  }

 private:
  int pieces_each_;
  double area_ = 0;
};

const Registered<Trapezoidal> registered("trapezoidal", "10,000,000 pieces, 100 processes, from 1 to 5");

}  // namespace
}  // namespace savina
