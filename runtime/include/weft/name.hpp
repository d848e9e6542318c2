// Registered names and process groups.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weft/message.hpp>
#include <weft/pid.hpp>
#include <weft/process.hpp>
#include <weft/send.hpp>

namespace weft::inline v0 {

/// Longest name or group, in bytes.
inline constexpr std::size_t kMaxNameBytes = 255;

/// Gives `pid` the name until it ends or is unregistered; a process may have several (NAM-2). Atomic (NAM-1).
/// Errors: NameTaken, also for the same pid; NoSuchProcess for a dead or exiting process; BadArgument for an empty name; LimitExceeded
///         for one longer than kMaxNameBytes; NotInProcess on a plain thread (use Runtime::register_name).
void register_name(std::string name, Pid pid = self());
/// False for an unknown name. Does not affect the process (NAM-5).
bool unregister(std::string_view name);
/// Who has the name now. Nothing for an unknown one, and for one whose holder has ended (NAM-3).
std::optional<Pid> whereis(std::string_view name);
/// All names (NAM-7).
std::vector<std::string> registered();

/// Makes `pid` a member; members are a set, and empty groups do not exist (GRP-1, GRP-2). True if it is alive, also when it was a
/// member before; false for a dead process. Errors: BadArgument for an empty name; LimitExceeded for one too long.
bool join(std::string group, Pid pid = self());
/// False when it was no member.
bool leave(std::string_view group, Pid pid = self());
/// Who is in the group now, in no order; empty for an unknown one.
std::vector<Pid> members(std::string_view group);
/// All groups that have members.
std::vector<std::string> groups();
/// Kills each member; returns how many were alive when signalled (GRP-4).
std::size_t kill_group(std::string_view group);

namespace detail {
std::vector<Pid> members_of(RuntimeCore* core, std::string_view group);

template <Sendable M>
std::size_t broadcast(RuntimeCore* core, std::string_view group, const M& message) {
  std::size_t queued = 0;
  for (const Pid pid : members_of(core, group)) {
    if (post(core, pid, make_envelope<M>(message)) == SendResult::queued) ++queued;
  }
  return queued;
}
}  // namespace detail

/// Sends a copy of `message` to each member, the caller too if it is one; returns how many took it.
template <Sendable M>
std::size_t broadcast(std::string_view group, const M& message) {
  return detail::broadcast(nullptr, group, message);
}

}  // namespace weft
