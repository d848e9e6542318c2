// Registered names and groups: maps from text to processes, sharded, off the send path by pid.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weft/pid.hpp>

namespace weft::inline v0::registry {

/// Name to process. Says nothing of liveness: the runtime adds a name only under the process's lock, while it lives, and removes all
/// of a process's names before its death is told (NAM-3).
class Names {
 public:
  Names();
  ~Names();
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;

  /// False when the name is taken (NAM-1). Throws std::bad_alloc.
  [[nodiscard]] bool add(std::string_view name, Pid pid);
  [[nodiscard]] std::optional<Pid> find(std::string_view name) const;
  /// Removes the name if it still is `pid`'s (NAM-6).
  bool remove(std::string_view name, Pid pid) noexcept;
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  struct Map;
  std::unique_ptr<Map> map_;
};

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
