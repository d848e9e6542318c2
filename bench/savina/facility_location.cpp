// Online facility location: points arrive one at a time and are served by the nearest facility known in their part of the plane. When
// that has cost a part too much, it opens a facility of its own and splits into quarters. A part is a process down to a
// cut-off depth; below, a process keeps its part of the tree as data.
//
// A quarter gets all its points from its parent, in order, so the tree does not depend on who runs when.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr double kSide = 500;
constexpr double kFacilityCost = 1.4142135623730951 * kSide;
constexpr double kAlpha = 2;
constexpr int kCutoffDepth = 3;
constexpr int kQuarters = 4;

struct Point {
  double x, y;
};
using Points = std::vector<Point>;

struct Summary {
  long points = 0, facilities = 0;
  double cost = 0;
  Summary& operator+=(const Summary& other) {
    points += other.points;
    facilities += other.facilities;
    cost += other.cost;
    return *this;
  }
};

// A square of the plane, as long as it is not split.
class Part {
 public:
  Part(Point corner, double side, int depth, Points facilities)
      : corner_(corner), side_(side), depth_(depth), facilities_(std::move(facilities)) {}

  int depth() const { return depth_; }
  const Points& points() const { return points_; }
  Summary summary() const { return {static_cast<long>(points_.size()), 0, cost_}; }

  // True when the points cost too much by now: a facility was opened at their centre, and the part is to be split.
  [[nodiscard]] bool serve(Point point) {
    points_.push_back(point);
    double nearest = std::numeric_limits<double>::max();
    for (const Point& f : facilities_) nearest = std::min(nearest, std::hypot(f.x - point.x, f.y - point.y));
    cost_ += nearest;
    if (cost_ <= kAlpha * kFacilityCost) return false;
    Point centre{0, 0};
    for (const Point& p : points_) centre.x += p.x, centre.y += p.y;
    const auto count = static_cast<double>(points_.size());
    facilities_.push_back({centre.x / count, centre.y / count});
    return true;
  }
  int quarter_of(Point point) const { return (point.x >= corner_.x + side_ / 2 ? 1 : 0) + (point.y >= corner_.y + side_ / 2 ? 2 : 0); }
  Part quarter(int number) const {
    const double half = side_ / 2;
    return {{corner_.x + (number & 1) * half, corner_.y + (number >> 1) * half}, half, depth_ + 1, facilities_};
  }

 private:
  Point corner_;
  double side_;
  int depth_;
  Points facilities_;
  Points points_{};
  double cost_ = 0;
};

// A part and what it was split into, without processes.
class Tree {
 public:
  explicit Tree(Part part) : part_(std::move(part)) {}
  void add(Point point) {
    if (!quarters_.empty()) return quarters_[part_.quarter_of(point)].add(point);
    if (!part_.serve(point)) return;
    for (int i = 0; i < kQuarters; ++i) quarters_.emplace_back(part_.quarter(i));
    for (const Point& p : part_.points()) quarters_[part_.quarter_of(p)].add(p);
  }
  Summary summary() const {
    if (quarters_.empty()) return part_.summary();
    Summary sum{0, 1, 0};
    for (const Tree& quarter : quarters_) sum += quarter.summary();
    return sum;
  }

 private:
  Part part_;
  std::vector<Tree> quarters_{};
};

struct End {};

template <class F>
void for_each_point(F f) {
  bool more = true;
  while (more) {
    weft::receive([&](Point point) { f(point); },  //
                  [&](End) { more = false; });
  }
}

void serve_part(Part part, weft::Pid parent) {
  if (part.depth() >= kCutoffDepth) {
    Tree tree(std::move(part));
    for_each_point([&](Point point) { tree.add(point); });
    weft::send(parent, tree.summary());
    return;
  }
  std::vector<weft::Pid> quarters;
  for_each_point([&](Point point) {
    if (!quarters.empty()) {
      weft::send(quarters[part.quarter_of(point)], point);
    } else if (part.serve(point)) {
      for (int i = 0; i < kQuarters; ++i) quarters.push_back(weft::spawn_link(serve_part, part.quarter(i), weft::self()));
      for (const Point& p : part.points()) weft::send(quarters[part.quarter_of(p)], p);
    }
  });
  if (quarters.empty()) {
    weft::send(parent, part.summary());
    return;
  }
  for (const weft::Pid quarter : quarters) weft::send(quarter, End{});
  Summary sum{0, 1, 0};
  for (int i = 0; i < kQuarters; ++i) sum += weft::receive<Summary>();
  weft::send(parent, sum);
}

class FacilityLocation : public Program {
 public:
  explicit FacilityLocation(Scale scale) {
    Random random(123'456);
    for (int i = scale.of(100'000); i > 0; --i) {
      const double x = random.real() * kSide;
      points_.push_back({x, random.real() * kSide});
    }
  }

  void run() override {
    const weft::Pid plane = weft::spawn_link(serve_part, whole_plane(), weft::self());
    for (const Point& point : points_) weft::send(plane, point);
    weft::send(plane, End{});
    summary_ = weft::receive<Summary>();
  }

  void check() const override {
    Tree tree(whole_plane());
    for (const Point& point : points_) tree.add(point);
    const Summary expected = tree.summary();
    require_equal("points served", summary_.points, static_cast<long>(points_.size()));
    require_equal("facilities opened", summary_.facilities, expected.facilities);
    require_close("cost", summary_.cost, expected.cost);
  }

 private:
  // With one facility in the middle from the start.
  static Part whole_plane() { return {{0, 0}, kSide, 0, {{kSide / 2, kSide / 2}}}; }
  Points points_;
  Summary summary_;
};

const Registered<FacilityLocation> registered("facility_location", "100,000 points, side 500, alpha 2, cut-off depth 3, seed 123,456");

}  // namespace
}  // namespace savina
