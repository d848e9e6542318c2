// Recursive matrix multiplication: a coordinator and 20 workers. A worker cuts a large product into eight of half the size and computes
// a small one. The inputs never change, so all processes share them; the coordinator alone adds to the result.
#include <algorithm>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kWorkers = 20;
constexpr int kBlockElements = 16'384;  // products of larger blocks are cut

struct Matrix {
  explicit Matrix(int n) : side(n), values(static_cast<std::size_t>(n) * n) {}
  double& at(int row, int column) { return values[static_cast<std::size_t>(row) * side + column]; }
  double at(int row, int column) const { return values[static_cast<std::size_t>(row) * side + column]; }
  int side;
  std::vector<double> values;
};
using Input = std::shared_ptr<const Matrix>;

// The block of the left matrix at (row, inner) times the block of the right one at (inner, column), to be added at (row, column).
struct Task {
  int row, inner, column, side;
};
struct Stop {};
struct Pieces {
  weft::Pid worker;
  std::vector<Task> tasks;
};
struct Product {
  weft::Pid worker;
  Task task;
  Matrix block;
};

std::vector<Task> cut(const Task& task) {
  std::vector<Task> tasks;
  const int half = task.side / 2;
  for (const int row : {task.row, task.row + half}) {
    for (const int column : {task.column, task.column + half}) {
      for (const int inner : {task.inner, task.inner + half}) tasks.push_back({row, inner, column, half});
    }
  }
  return tasks;
}

Matrix multiply(const Matrix& left, const Matrix& right, const Task& task) {
  Matrix block(task.side);
  for (int i = 0; i < task.side; ++i) {
    for (int k = 0; k < task.side; ++k) {
      const double factor = left.at(task.row + i, task.inner + k);
      for (int j = 0; j < task.side; ++j) block.at(i, j) += factor * right.at(task.inner + k, task.column + j);
    }
  }
  return block;
}

void worker(Input left, Input right, int largest_block, weft::Pid home) {
  for (bool going = true; going;) {
    weft::receive(
        [&](Task task) {
          if (task.side * task.side > largest_block) {
            weft::send(home, Pieces{weft::self(), cut(task)});
          } else {
            weft::send(home, Product{weft::self(), task, multiply(*left, *right, task)});
          }
        },
        [&](Stop) { going = false; });
  }
}

class MatrixMultiplication : public Program {
 public:
  explicit MatrixMultiplication(Scale scale) : side_(4), result_(0) {
    while (2 * side_ <= scale.length(1'024, 3, 4)) side_ *= 2;  // so that blocks can be halved
    // A smaller problem has smaller blocks, or there would be nothing to cut.
    largest_block_ = std::max(4, kBlockElements / (1'024 / std::min(side_, 1'024)) / (1'024 / std::min(side_, 1'024)));
    Matrix left(side_), right(side_);
    for (int i = 0; i < side_; ++i) {
      for (int j = 0; j < side_; ++j) {
        left.at(i, j) = i;
        right.at(i, j) = j;
      }
    }
    left_ = std::make_shared<const Matrix>(std::move(left));
    right_ = std::make_shared<const Matrix>(std::move(right));
    result_ = Matrix(side_);
  }

  void run() override {
    std::vector<weft::Pid> idle;
    for (int i = 0; i < kWorkers; ++i) idle.push_back(weft::spawn_link(worker, left_, right_, largest_block_, weft::self()));

    std::vector<Task> tasks{{0, 0, 0, side_}};
    while (!tasks.empty() || idle.size() < kWorkers) {
      for (; !tasks.empty() && !idle.empty(); tasks.pop_back(), idle.pop_back()) weft::send(idle.back(), tasks.back());
      weft::receive(
          [&](Pieces pieces) {
            tasks.insert(tasks.end(), pieces.tasks.begin(), pieces.tasks.end());
            idle.push_back(pieces.worker);
          },
          [&](Product product) {
            add(product);
            idle.push_back(product.worker);
          });
    }
    for (const weft::Pid pid : idle) weft::send(pid, Stop{});
  }

  // Every partial sum is an integer below 2^53, so the result is exact in any order of addition.
  void check() const override {
    for (int i = 0; i < side_; ++i) {
      for (int j = 0; j < side_; ++j) require_equal("element of the product", result_.at(i, j), 1.0 * side_ * i * j);
    }
  }

 private:
  void add(const Product& product) {
    for (int i = 0; i < product.task.side; ++i) {
      for (int j = 0; j < product.task.side; ++j) result_.at(product.task.row + i, product.task.column + j) += product.block.at(i, j);
    }
  }
  int side_, largest_block_ = 0;
  Input left_, right_;
  Matrix result_;
};

const Registered<MatrixMultiplication> registered("matrix_multiplication", "1,024 by 1,024, 20 workers, blocks of at most 16,384 elements");

}  // namespace
}  // namespace savina
