// Successive over-relaxation: a grid in which each inner point is a process and exchanges its value with four neighbours in each of 100
// iterations. Points are red and black like the fields of a chessboard: red ones step first, with the black ones' last values.
// There is no barrier: a point goes on when its neighbours' values are there, and early ones wait for their turn.
#include <array>
#include <optional>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kIterations = 100;
constexpr double kOmega = 1.25;

double relax(double old, const std::array<double, 4>& around) {
  return kOmega / 4 * (around[0] + around[1] + around[2] + around[3]) + (1 - kOmega) * old;
}

// On one side of a point: another point, or the rim of the grid with its fixed value.
struct Neighbour {
  std::optional<weft::Pid> pid;
  double value = 0;
};
using Neighbours = std::array<Neighbour, 4>;  // above, below, left, right
int opposite(int side) { return side ^ 1; }

struct Value {
  int age;   // how often it was relaxed
  int side;  // where the receiver has the sender
  double value;
};
struct Result {
  int index;
  double value;
};

void point(int index, bool red, double value, weft::Pid home) {
  const auto neighbours = weft::receive<Neighbours>();
  const auto tell = [&](int age) {
    for (int side = 0; side < 4; ++side) {
      if (neighbours[side].pid) weft::send(*neighbours[side].pid, Value{age, opposite(side), value});
    }
  };
  if (!red) tell(0);
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    const int age = red ? iteration : iteration + 1;  // of the values that this step needs
    std::array<double, 4> around;
    for (int side = 0; side < 4; ++side) {
      around[side] = !neighbours[side].pid
                         ? neighbours[side].value
                         : weft::receive(weft::when([=](const Value& other) { return other.age == age && other.side == side; },
                                                    [](Value other) { return other.value; }));
    }
    value = relax(value, around);
    // Nobody waits for the last values of black points.
    if (red || iteration + 1 < kIterations) tell(iteration + 1);
  }
  weft::send(home, Result{index, value});
}

class OverRelaxation : public Program {
 public:
  explicit OverRelaxation(Scale scale) : size_(scale.length(20, 2, 4)), grid_(size_ * size_) {
    Random random(10'101'010);
    for (double& value : grid_) value = random.real() * 1e-6;
  }

  void run() override {
    std::vector<std::optional<weft::Pid>> pids(grid_.size());
    for_inner([&](int at) { pids[at] = weft::spawn_link(point, at, is_red(at), grid_[at], weft::self()); });
    for_inner([&](int at) {
      Neighbours neighbours;
      for (int side = 0; side < 4; ++side) neighbours[side] = {pids[at + step(side)], grid_[at + step(side)]};
      weft::send(*pids[at], neighbours);
    });
    relaxed_ = grid_;
    for_inner([&](int) {
      const Result result = weft::receive<Result>();
      relaxed_[result.index] = result.value;
    });
  }

  void check() const override {
    std::vector<double> expected = grid_;
    for (int half = 0; half < 2 * kIterations; ++half) {
      for_inner([&](int at) {
        if (is_red(at) != (half % 2 == 0)) return;
        expected[at] =
            relax(expected[at], {expected[at + step(0)], expected[at + step(1)], expected[at + step(2)], expected[at + step(3)]});
      });
    }
    require(relaxed_ != grid_ && relaxed_ == expected, "the grid differs from the one of the sequential computation");
  }

 private:
  template <class F>
  void for_inner(F f) const {
    for (int row = 1; row + 1 < size_; ++row) {
      for (int column = 1; column + 1 < size_; ++column) f(row * size_ + column);
    }
  }
  bool is_red(int at) const { return (at / size_ + at % size_) % 2 == 0; }
  int step(int side) const { return std::array{-size_, size_, -1, 1}[side]; }

  int size_;
  std::vector<double> grid_, relaxed_;
};

const Registered<OverRelaxation> registered("over_relaxation", "grid of 20 by 20, 100 iterations, omega 1.25, seed 10,101,010");

}  // namespace
}  // namespace savina
