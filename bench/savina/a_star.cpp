// A-star: 20 workers look for the shortest way through a three-dimensional grid with random gaps. The coordinator keeps the open nodes and
// the best known distances; a worker explores up to 1,024 nodes from the one it got, best first, and sends back all it has reached.
//
// Workers do not see each other's finds, so some nodes are explored twice; a later, shorter way to a node corrects an earlier one. The
// search ends when no open node could still lead to a shorter way: what is found is a shortest one, whoever found it.
#include <algorithm>
#include <array>
#include <limits>
#include <queue>
#include <unordered_map>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kWorkers = 20;
constexpr int kThreshold = 1'024;
constexpr int kStraight = 10;  // cost of a step along one axis
constexpr int kDiagonal = 14;  // along two
constexpr int kFar = std::numeric_limits<int>::max();

class Grid {
 public:
  // From each node lead some of the six steps that go forward along one or two axes.
  Grid(int side, std::uint64_t seed) : side_(side), steps_(side * side * side) {
    Random random(seed);
    for (std::uint8_t& steps : steps_) steps = static_cast<std::uint8_t>(random.below(64));
  }
  int size() const { return static_cast<int>(steps_.size()); }
  int origin() const { return 0; }
  int target() const {
    const int at = side_ * 8 / 10;
    return (at * side_ + at) * side_ + at;
  }
  // The cost of the way from `node` to the target is at least this, and kFar if there is none for sure.
  int at_least(int node) const {
    const auto from = place(node), to = place(target());
    int missing = 0;
    for (int axis = 0; axis < 3; ++axis) {
      if (from[axis] > to[axis]) return kFar;
      missing += to[axis] - from[axis];
    }
    return missing * kDiagonal / 2;
  }
  template <class F>  // f(neighbour, cost)
  void for_neighbours(int node, F f) const {
    static constexpr std::array<std::array<int, 3>, 6> kSteps{{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 1, 0}, {1, 0, 1}, {0, 1, 1}}};
    const auto from = place(node);
    for (int i = 0; i < 6; ++i) {
      if ((steps_[node] >> i & 1) == 0) continue;
      const std::array to{from[0] + kSteps[i][0], from[1] + kSteps[i][1], from[2] + kSteps[i][2]};
      if (*std::max_element(to.begin(), to.end()) == side_) continue;
      f((to[0] * side_ + to[1]) * side_ + to[2], i < 3 ? kStraight : kDiagonal);
    }
  }

 private:
  std::array<int, 3> place(int node) const { return {node / side_ / side_, node / side_ % side_, node % side_}; }
  int side_;
  std::vector<std::uint8_t> steps_;  // a bit for each possible step
};
using GridPtr = std::shared_ptr<const Grid>;

// The open node that may lead to the shortest way comes first.
struct Open {
  int estimate, distance, node;
  bool operator>(const Open& other) const { return estimate > other.estimate; }
};
using OpenNodes = std::priority_queue<Open, std::vector<Open>, std::greater<>>;

struct Explore {
  int node, distance;
  int bound;  // ways as long as this are of no use
};
struct Reached {
  int node, distance;
  bool open;  // not explored further
};
struct Explored {
  weft::Pid worker;
  std::vector<Reached> nodes;
};
struct Stop {};

std::vector<Reached> search(const Grid& grid, Explore task, int most_nodes) {
  struct Found {
    int distance;
    bool open;
  };
  std::unordered_map<int, Found> found{{task.node, {task.distance, true}}};
  OpenNodes open;
  open.push({grid.at_least(task.node), task.distance, task.node});
  for (int explored = 0; explored < most_nodes && !open.empty();) {
    const Open next = open.top();
    open.pop();
    Found& here = found.at(next.node);
    if (!here.open || next.distance > here.distance) continue;  // reached on a shorter way meanwhile
    here.open = false;
    ++explored;
    grid.for_neighbours(next.node, [&](int neighbour, int cost) {
      const int rest = grid.at_least(neighbour), distance = next.distance + cost;
      if (rest == kFar || distance + rest >= task.bound) return;
      const auto [known, is_new] = found.try_emplace(neighbour, Found{distance, true});
      if (!is_new && known->second.distance <= distance) return;
      known->second = {distance, true};
      open.push({distance + rest, distance, neighbour});
    });
  }
  std::vector<Reached> result;
  for (const auto& [node, way] : found) result.push_back({node, way.distance, way.open});
  return result;
}

void worker(GridPtr grid, weft::Pid home) {
  for (bool going = true; going;) {
    weft::receive(
        [&](Explore task) {
          weft::send(home, Explored{weft::self(), search(*grid, task, kThreshold)});
        },  //
        [&](Stop) { going = false; });
  }
}

class AStar : public Program {
 public:
  explicit AStar(Scale scale) : side_(scale.length(30, 3, 5)) {
    // The first grid whose target can be reached.
    for (std::uint64_t seed = 123'456; expected_ == kFar; ++seed) {
      grid_ = std::make_shared<const Grid>(side_, seed);
      expected_ = sequentially();
    }
  }

  void run() override {
    std::vector<weft::Pid> idle;
    for (int i = 0; i < kWorkers; ++i) idle.push_back(weft::spawn_link(worker, grid_, weft::self()));

    std::vector<int> best(grid_->size(), kFar);
    int& shortest = best[grid_->target()];
    OpenNodes open;
    best[grid_->origin()] = 0;
    open.push({grid_->at_least(grid_->origin()), 0, grid_->origin()});
    while (true) {
      while (!open.empty() && !idle.empty()) {
        const Open next = open.top();
        open.pop();
        if (next.estimate >= shortest || next.distance > best[next.node]) continue;
        weft::send(idle.back(), Explore{next.node, next.distance, shortest});
        idle.pop_back();
      }
      if (idle.size() == kWorkers) break;
      const Explored explored = weft::receive<Explored>();
      idle.push_back(explored.worker);
      for (const Reached& reached : explored.nodes) {
        // A node that is being explored is reported again, at the distance it had.
        if (reached.distance >= best[reached.node]) continue;
        best[reached.node] = reached.distance;
        if (reached.open) open.push({reached.distance + grid_->at_least(reached.node), reached.distance, reached.node});
      }
    }
    for (const weft::Pid pid : idle) weft::send(pid, Stop{});
    shortest_ = shortest;
  }

  void check() const override { require_equal("length of the shortest way", shortest_, expected_); }

 private:
  // Dijkstra's algorithm, which is A-star without the estimates.
  int sequentially() const {
    std::vector<int> best(grid_->size(), kFar);
    OpenNodes open;
    best[grid_->origin()] = 0;
    open.push({0, 0, grid_->origin()});
    while (!open.empty()) {
      const Open next = open.top();
      open.pop();
      if (next.distance > best[next.node]) continue;
      grid_->for_neighbours(next.node, [&](int neighbour, int cost) {
        if (next.distance + cost >= best[neighbour]) return;
        best[neighbour] = next.distance + cost;
        open.push({best[neighbour], best[neighbour], neighbour});
      });
    }
    return best[grid_->target()];
  }
  int side_;
  GridPtr grid_;
  int expected_ = kFar;
  int shortest_ = 0;
};

const Registered<AStar> registered("a_star", "grid of 30 by 30 by 30, 20 workers, 1,024 nodes a task");

}  // namespace
}  // namespace savina
