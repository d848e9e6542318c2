#include <weft/name.hpp>

#include <algorithm>

#include "runtime/caller.hpp"

namespace weft::inline v0::detail {

using Hold = std::lock_guard<base::SpinLock>;

static_assert(kMaxNameBytes <= registry::Names::kLongest);

void RuntimeCore::register_name(std::string_view name, Pid pid) {
  switch (try_register(name, pid)) {
    case Registered::yes:
      return;
    case Registered::no_process:
      throw NoSuchProcess("register_name(\"" + std::string(name) + "\"): there is no process " + pid.to_string());
    case Registered::taken:
      throw NameTaken("the name \"" + std::string(name) + "\" is taken");
  }
}

Registered RuntimeCore::try_register(std::string_view name, Pid pid) {
  check_process_name("name", name);
  ControlBlock* const block = pid ? slot_of(pid) : nullptr;
  if (block == nullptr) return Registered::no_process;
  std::unique_ptr<Extras> fresh;
  for (;;) {
    bool has_extras = true;
    registry::Names::Added added = registry::Names::Added::no_room;
    {
      // Under the process's lock, so that it cannot die between the look and the entry; its exit sequence takes names off after (NAM-3).
      const Hold hold(block->lock);
      if (!is_tenant(*block, pid) || block->life.load(std::memory_order_relaxed) != Life::alive) return Registered::no_process;
      if (!block->extras) block->extras = std::move(fresh);
      has_extras = block->extras != nullptr;
      if (has_extras) added = names.add(name, pid, block->extras->names);
    }
    if (added == registry::Names::Added::yes) return Registered::yes;
    if (added == registry::Names::Added::taken) return Registered::taken;
    // Memory is got without the locks, and only where it is needed.
    if (has_extras) {
      names.make_room(name);
    } else {
      fresh = std::make_unique<Extras>();
    }
  }
}

bool RuntimeCore::unregister(std::string_view name) noexcept {
  base::explore_point("unregister");
  const registry::Names::Entry found = names.entry(name);
  if (!found) return false;
  ControlBlock& owner = *slot_of(found.pid);
  const Hold hold(owner.lock);  // The table and the process's own list change together.
  return owner.extras && names.remove(found, owner.extras->names);
}

std::optional<Pid> RuntimeCore::whereis(std::string_view name) const {
  base::explore_point("whereis");
  return names.find(name);
}

void RuntimeCore::release_names(ControlBlock& self) noexcept {
  for (;;) {
    {
      // For each name anew, so that nobody waits long for a process that has many. Nobody adds one any more.
      const Hold hold(self.lock);
      if (!self.extras || self.extras->names.empty()) return;
      names.remove_front(self.extras->names);
    }
    base::explore_point("name released");
  }
}

bool RuntimeCore::join_group(std::string_view group, Pid pid) {
  check_process_name("group", group);
  ControlBlock* const block = pid ? slot_of(pid) : nullptr;
  if (block == nullptr) return false;
  std::string kept(group);
  auto fresh = std::make_unique<Extras>();
  bool joined = false;
  {
    const Hold hold(block->lock);
    if (!is_tenant(*block, pid) || block->life.load(std::memory_order_relaxed) != Life::alive) return false;
    if (!block->extras) block->extras = std::move(fresh);
    std::vector<std::string>& mine = block->extras->groups;
    if (mine.size() == mine.capacity()) mine.reserve(std::max<std::size_t>(2, 2 * mine.size()));
    joined = groups.add(kept, pid);
    if (joined) mine.push_back(std::move(kept));
  }
  if (joined) census_changed();
  return true;
}

bool RuntimeCore::leave_group(std::string_view group, Pid pid) noexcept {
  ControlBlock* const block = pid ? slot_of(pid) : nullptr;
  if (block == nullptr) return false;
  {
    const Hold hold(block->lock);
    if (!groups.remove(group, pid)) return false;
    if (block->extras && block->pid == pid) std::erase(block->extras->groups, group);
  }
  census_changed();
  return true;
}

void RuntimeCore::release_groups(ControlBlock& self) noexcept {
  std::vector<std::string> mine;
  {
    const Hold hold(self.lock);
    if (!self.extras) return;
    mine.swap(self.extras->groups);
  }
  for (const std::string& group : mine) {
    base::explore_point("release group");
    groups.remove(group, self.pid);
  }
  if (!mine.empty()) census_changed();
}

std::size_t RuntimeCore::kill_group(std::string_view group) {
  std::size_t killed = 0;
  for (const Pid pid : groups.members(group)) {
    ControlBlock& block = *slot_of(pid);
    bool wake = false;
    {
      const Hold hold(block.lock);
      if (!is_tenant(block, pid) || block.life.load(std::memory_order_relaxed) != Life::alive) continue;
      wake = doom(block, ExitReason::killed);
    }
    ++killed;
    if (wake) scheduler.ready(block);
  }
  count(&Counters::exits, killed);
  if (wants(LogLevel::info)) log(LogLevel::info, "killed group \"" + std::string(group) + "\": " + std::to_string(killed) + " processes");
  return killed;
}

std::vector<Pid> members_of(RuntimeCore* core, std::string_view group) {
  if (core == nullptr) core = &core_here("broadcast");
  return core->groups.members(group);
}

}  // namespace weft::detail

namespace weft::inline v0 {
namespace {

[[gnu::noinline]] detail::RuntimeCore& counted_core_slowly(const char* call) {
  detail::RuntimeCore& core = detail::core_here(call);
  if (detail::ControlBlock* self = detail::current_process()) detail::checkpoint(*self);
  return core;
}

/// The calling process's runtime, or that of its blocking section, and one call counted.
[[gnu::always_inline]] inline detail::RuntimeCore& counted_core(const char* call) {
  scheduler::Worker* const worker = scheduler::Worker::here();
  detail::ControlBlock* const self = worker == nullptr ? nullptr : static_cast<detail::ControlBlock*>(worker->current());
  if (self == nullptr || !detail::may_call(*self)) [[unlikely]]
    return counted_core_slowly(call);
  --self->budget;
  return detail::local_of(*worker).core;
}

}  // namespace

void register_name(std::string name, Pid pid) {
  detail::process_here("register_name");
  detail::current_core()->register_name(name, pid);
}
bool unregister(std::string_view name) { return counted_core("unregister").unregister(name); }
std::optional<Pid> whereis(std::string_view name) { return counted_core("whereis").whereis(name); }
std::vector<std::string> registered() { return counted_core("registered").registered(); }
bool join(std::string group, Pid pid) { return counted_core("join").join_group(group, pid); }
bool leave(std::string_view group, Pid pid) { return counted_core("leave").leave_group(group, pid); }
std::vector<Pid> members(std::string_view group) { return counted_core("members").groups.members(group); }
std::vector<std::string> groups() { return counted_core("groups").group_names(); }
std::size_t kill_group(std::string_view group) {
  const std::size_t killed = counted_core("kill_group").kill_group(group);
  if (detail::ControlBlock* self = detail::current_process()) detail::checkpoint(*self);
  return killed;
}

}  // namespace weft
