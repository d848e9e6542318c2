// All-pairs shortest path: Floyd and Warshall's algorithm on blocks of the distance matrix, a process for each. In step k a block needs
// its part of row k and of column k; the blocks that own them send them along their column and row. Blocks run ahead of each
// other, and what comes early waits in the mailbox until the guard asks for its step.
#include <algorithm>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kBlocks = 6;  // along each side
constexpr int kMaxWeight = 100;

using Distances = std::vector<int>;
using Pids = std::shared_ptr<const std::vector<weft::Pid>>;

struct Start {
  Pids blocks;
};
struct RowPart {
  int step;
  Distances values;
};
struct ColumnPart {
  int step;
  Distances values;
};
struct Result {
  int row, column;
  Distances values;
};

template <class Part>
Distances part_of_step(int step) {
  return weft::receive(weft::when([=](const Part& part) { return part.step == step; }, [](Part part) { return std::move(part.values); }));
}

void block(int row, int column, int side, Distances distances, weft::Pid home) {
  const Pids blocks = weft::receive<Start>().blocks;
  for (int step = 0; step < kBlocks * side; ++step) {
    const int owner = step / side, line = step % side;
    // To itself too: then taking the parts is the same for owners and others.
    if (row == owner) {
      const Distances part(distances.begin() + line * side, distances.begin() + (line + 1) * side);
      for (int r = 0; r < kBlocks; ++r) weft::send((*blocks)[r * kBlocks + column], RowPart{step, part});
    }
    if (column == owner) {
      Distances part(side);
      for (int i = 0; i < side; ++i) part[i] = distances[i * side + line];
      for (int c = 0; c < kBlocks; ++c) weft::send((*blocks)[row * kBlocks + c], ColumnPart{step, part});
    }
    const Distances to = part_of_step<RowPart>(step);
    const Distances from = part_of_step<ColumnPart>(step);
    for (int i = 0; i < side; ++i) {
      for (int j = 0; j < side; ++j) distances[i * side + j] = std::min(distances[i * side + j], from[i] + to[j]);
    }
  }
  weft::send(home, Result{row, column, std::move(distances)});
}

class AllPairsShortestPath : public Program {
 public:
  explicit AllPairsShortestPath(Scale scale) : side_(scale.length(50, 3, 2)), nodes_(kBlocks * side_), weights_(nodes_ * nodes_) {
    Random random(nodes_);
    for (int i = 0; i < nodes_; ++i) {
      for (int j = i + 1; j < nodes_; ++j) weights_[i * nodes_ + j] = weights_[j * nodes_ + i] = random.below(kMaxWeight) + 1;
    }
  }

  void run() override {
    std::vector<weft::Pid> pids;
    for (int r = 0; r < kBlocks; ++r) {
      for (int c = 0; c < kBlocks; ++c) pids.push_back(weft::spawn_link(block, r, c, side_, cut(r, c), weft::self()));
    }
    const Pids blocks = std::make_shared<const std::vector<weft::Pid>>(std::move(pids));
    for (const weft::Pid pid : *blocks) weft::send(pid, Start{blocks});
    shortest_.resize(weights_.size());
    for (int i = 0; i < kBlocks * kBlocks; ++i) {
      const Result result = weft::receive<Result>();
      for (int line = 0; line < side_; ++line) {
        std::copy_n(result.values.begin() + line * side_, side_,
                    shortest_.begin() + (result.row * side_ + line) * nodes_ + result.column * side_);
      }
    }
  }

  void check() const override {
    Distances expected = weights_;
    for (int k = 0; k < nodes_; ++k) {
      for (int i = 0; i < nodes_; ++i) {
        for (int j = 0; j < nodes_; ++j) {
          expected[i * nodes_ + j] = std::min(expected[i * nodes_ + j], expected[i * nodes_ + k] + expected[k * nodes_ + j]);
        }
      }
    }
    require(shortest_ == expected, "the distances are not those of the sequential algorithm");
  }

 private:
  Distances cut(int row, int column) const {
    Distances values;
    for (int line = 0; line < side_; ++line) {
      const auto begin = weights_.begin() + (row * side_ + line) * nodes_ + column * side_;
      values.insert(values.end(), begin, begin + side_);
    }
    return values;
  }
  int side_, nodes_;
  Distances weights_, shortest_;
};

const Registered<AllPairsShortestPath> registered("all_pairs_shortest_path", "300 nodes, blocks of 50 by 50, weights to 100");

}  // namespace
}  // namespace savina
