// N-queens: a coordinator and 20 workers count the ways to place n queens. A worker that gets a board with few queens sends back the
// boards with one more, and one that gets a fuller board counts its solutions itself. The coordinator hands out the newest board
// first, which keeps its stack short.
#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kWorkers = 20;
constexpr std::size_t kSplitBelow = 4;                                                              // queens
constexpr std::array<long, 16> kSolutions{1,   0,   0,     2,      10,     4,       40,        92,  //
                                          352, 724, 2'680, 14'200, 73'712, 365'596, 2'279'184, 14'772'512};

struct Board {
  std::vector<int> columns;  // of the queen in each row so far
};
struct Stop {};
struct Explored {
  weft::Pid worker;
  long solutions = 0;
  std::vector<Board> further{};
};

bool is_free(const Board& board, int column) {
  const int row = static_cast<int>(board.columns.size());
  for (int r = 0; r < row; ++r) {
    const int other = board.columns[r];
    if (other == column || other - column == row - r || column - other == row - r) return false;
  }
  return true;
}

long count_solutions(Board& board, int n) {
  if (static_cast<int>(board.columns.size()) == n) return 1;
  long count = 0;
  for (int column = 0; column < n; ++column) {
    if (!is_free(board, column)) continue;
    board.columns.push_back(column);
    count += count_solutions(board, n);
    board.columns.pop_back();
  }
  return count;
}

Explored explore(Board board, int n) {
  Explored result{weft::self()};
  if (board.columns.size() >= kSplitBelow) {
    result.solutions = count_solutions(board, n);
    return result;
  }
  for (int column = 0; column < n; ++column) {
    if (!is_free(board, column)) continue;
    result.further.push_back(board);
    result.further.back().columns.push_back(column);
  }
  return result;
}

void worker(int n, weft::Pid home) {
  for (bool going = true; going;) {
    weft::receive([&](Board board) { weft::send(home, explore(std::move(board), n)); },  //
                  [&](Stop) { going = false; });
  }
}

class NQueens : public Program {
 public:
  // The work grows about 5.5-fold with each queen.
  explicit NQueens(Scale scale)
      : n_(std::clamp(12 + static_cast<int>(std::lround(std::log(scale.factor()) / std::log(5.5))), 5,
                      static_cast<int>(kSolutions.size()))) {}

  void run() override {
    std::vector<weft::Pid> idle;
    for (int i = 0; i < kWorkers; ++i) idle.push_back(weft::spawn_link(worker, n_, weft::self()));

    std::vector<Board> boards(1);
    while (!boards.empty() || idle.size() < kWorkers) {
      while (!boards.empty() && !idle.empty()) {
        weft::send(idle.back(), std::move(boards.back()));
        boards.pop_back();
        idle.pop_back();
      }
      Explored explored = weft::receive<Explored>();
      solutions_ += explored.solutions;
      std::move(explored.further.begin(), explored.further.end(), std::back_inserter(boards));
      idle.push_back(explored.worker);
    }
    for (const weft::Pid pid : idle) weft::send(pid, Stop{});
  }

  void check() const override { require_equal("solutions", solutions_, kSolutions[n_ - 1]); }

 private:
  int n_;
  long solutions_ = 0;
};

const Registered<NQueens> registered("n_queens", "12 queens, 20 workers, sequential from 4 queens on");

}  // namespace
}  // namespace savina
