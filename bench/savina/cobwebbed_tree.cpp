// Unbalanced cobwebbed tree: a random tree in which each node is a process. It grows from the root, then a wave of orders runs down, each
// node does its share of work, and the totals run up again. Half of the nodes are urgent: they have a high priority, and a parent
// sends to them first.
//
// Which node gets how many descendants depends on seeds alone, so the same tree can be walked by a function.
#include <algorithm>
#include <array>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kChildren = 10;
constexpr int kAverageWork = 500;
constexpr int kWorkSpread = 100;  // standard deviation
constexpr int kUrgentPercent = 50;

struct Totals {
  long nodes = 0, work = 0, urgent = 0;
  int height = 0;
  bool operator==(const Totals&) const = default;
  void add_child(const Totals& child) {
    nodes += child.nodes;
    work += child.work;
    urgent += child.urgent;
    height = std::max(height, child.height + 1);
  }
};

// What a node is before it has a process.
struct Seedling {
  std::uint64_t seed;
  int descendants;
  bool urgent;
};

struct Node {
  explicit Node(const Seedling& seedling) {
    Random random(seedling.seed);
    // The sum of four uniform numbers has a deviation of 1/sqrt(3) and is close enough to a normal distribution.
    double deviation = -2;
    for (int i = 0; i < 4; ++i) deviation += random.real();
    work = kAverageWork + static_cast<int>(deviation * kWorkSpread * 1.732);
    totals = {1, work, seedling.urgent ? 1 : 0, 0};
    if (seedling.descendants < kChildren) return;
    // A node has ten children or none. They share the rest unevenly: each takes up to half of what is left.
    std::array<int, kChildren> shares{};
    int left = seedling.descendants - kChildren;
    for (int& share : shares) left -= share = random.below(left / 2 + 1);
    shares.back() += left;
    for (const int share : shares) children.push_back({random.next(), share, random.below(100) < kUrgentPercent});
    std::stable_partition(children.begin(), children.end(), [](const Seedling& child) { return child.urgent; });
  }
  int work;
  Totals totals;  // of this node alone
  std::vector<Seedling> children;
};

struct Grown {
  weft::Pid node;
};
struct Traverse {};

void grow(Seedling seedling, weft::Pid parent) {
  const Node node(seedling);
  std::vector<weft::Pid> children;
  for (const Seedling& child : node.children) {
    const auto priority = child.urgent ? weft::Priority::high : weft::Priority::normal;
    children.push_back(weft::spawn_link({.priority = priority}, grow, child, weft::self()));
  }
  for (std::size_t i = 0; i < children.size(); ++i) weft::receive<Grown>();
  weft::send(parent, Grown{weft::self()});

  weft::receive<Traverse>();
  for (const weft::Pid child : children) weft::send(child, Traverse{});
  burn(node.work);
  Totals totals = node.totals;
  for (std::size_t i = 0; i < children.size(); ++i) totals.add_child(weft::receive<Totals>());
  weft::send(parent, totals);
}

Totals walk(const Seedling& seedling) {
  const Node node(seedling);
  Totals totals = node.totals;
  for (const Seedling& child : node.children) totals.add_child(walk(child));
  return totals;
}

class CobwebbedTree : public Program {
 public:
  explicit CobwebbedTree(Scale scale) : root_{123'456, scale.of(200'000, kChildren + 1) - 1, false} {}

  void run() override {
    weft::spawn_link(grow, root_, weft::self());
    weft::send(weft::receive<Grown>().node, Traverse{});
    totals_ = weft::receive<Totals>();
  }

  void check() const override {
    const Totals expected = walk(root_);
    require_equal("work done", totals_.work, expected.work);
    require(totals_ == expected, "the tree of processes has another shape than the tree of the function");
  }

 private:
  Seedling root_;
  Totals totals_;
};

const Registered<CobwebbedTree> registered("cobwebbed_tree", "up to 200,000 nodes, 10 children or none, work 500 +- 100, 50 % urgent");

}  // namespace
}  // namespace savina
