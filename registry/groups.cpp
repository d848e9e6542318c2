#include "registry/groups.hpp"

#include <tbb/concurrent_hash_map.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace weft::inline v0::registry {
namespace {

/// Lets a string_view find a std::string key without making one.
struct TextHash {
  using is_transparent = void;
  static std::size_t hash(std::string_view text) noexcept { return std::hash<std::string_view>{}(text); }
  static bool equal(std::string_view a, std::string_view b) noexcept { return a == b; }
};

/// Not TBB's own allocator: its memory goes from thread to thread unseen by sanitizers, which then report races between a group that is
/// gone and the next one in its place, and miss what is used after it was freed.
template <class Value>
using TextTable = tbb::concurrent_hash_map<std::string, Value, TextHash, std::allocator<std::pair<const std::string, Value>>>;

}  // namespace

struct Groups::Map {
  /// Members in the order of joining, and where each stands: removal leaves a hole, and half holes are squeezed out.
  struct Group {
    std::vector<Pid> order;
    std::unordered_map<Pid, std::size_t> place;
  };
  using Table = TextTable<Group>;
  Table table;
};

Groups::Groups() : map_(std::make_unique<Map>()) {}
Groups::~Groups() = default;

bool Groups::add(std::string_view group, Pid pid) {
  Map::Table::accessor found;
  try {
    map_->table.insert(found, std::string(group));
  } catch (...) {
    // TBB's table grows after it took the entry in, and keeps it when that fails.
    found.release();
    if (map_->table.find(found, group) && found->second.place.empty()) map_->table.erase(found);
    throw;
  }
  Map::Group& g = found->second;
  try {
    if (!g.place.emplace(pid, g.order.size()).second) return false;
    g.order.push_back(pid);
  } catch (...) {
    g.place.erase(pid);  // Only its own half-made entry: a member already there returned above.
    if (g.place.empty()) map_->table.erase(found);
    throw;
  }
  return true;
}

bool Groups::remove(std::string_view group, Pid pid) noexcept {
  Map::Table::accessor found;
  if (!map_->table.find(found, group)) return false;
  Map::Group& g = found->second;
  const auto at = g.place.find(pid);
  if (at == g.place.end()) return false;
  g.order[at->second] = Pid{};
  g.place.erase(at);
  if (g.place.empty()) {
    map_->table.erase(found);
  } else if (g.order.size() > 2 * g.place.size() + 8) {
    std::erase(g.order, Pid{});
    for (std::size_t i = 0; i < g.order.size(); ++i) g.place.find(g.order[i])->second = i;
  }
  return true;
}

std::vector<Pid> Groups::members(std::string_view group) const {
  Map::Table::const_accessor found;
  std::vector<Pid> pids;
  if (!map_->table.find(found, group)) return pids;
  pids.reserve(found->second.place.size());
  for (const Pid pid : found->second.order) {
    if (pid) pids.push_back(pid);
  }
  return pids;
}

}  // namespace weft::registry
