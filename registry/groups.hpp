// Process groups: from text to sets of processes, off the send path by pid.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include <weft/pid.hpp>

namespace weft::inline v0::registry {

/// Group to set of processes (GRP-2). Empty groups do not exist (GRP-1).
class Groups {
 public:
  Groups();
  ~Groups();
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;

  /// False when it is a member already. Throws std::bad_alloc.
  bool add(std::string_view group, Pid pid);
  /// False when it was no member.
  bool remove(std::string_view group, Pid pid) noexcept;
  /// In the order of joining.
  [[nodiscard]] std::vector<Pid> members(std::string_view group) const;

 private:
  struct Map;
  std::unique_ptr<Map> map_;
};

}  // namespace weft::registry
