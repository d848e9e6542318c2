#include <weft/info.hpp>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "runtime/caller.hpp"
#include "runtime/symbols.hpp"

namespace weft::inline v0::detail {
namespace {

using Hold = std::lock_guard<base::SpinLock>;

}  // namespace

std::vector<std::string> Extras::name_texts() const {
  std::vector<std::string> made;
  for (const registry::Hook* hook = names.front(); hook != nullptr; hook = names.after(*hook)) {
    made.push_back(static_cast<const registry::Name*>(hook)->text());
  }
  return made;
}

std::optional<ProcessInfo> RuntimeCore::info(Pid pid) {
  ControlBlock* const block = pid ? slot_of(pid) : nullptr;
  if (block == nullptr) return std::nullopt;
  ProcessInfo made;
  made.mailbox_depth = depth(*block);
  const scheduler::Stack* parked_on = nullptr;
  std::unique_lock<base::SpinLock> hold(block->lock);
  if (!is_tenant(*block, pid) || block->life.load(std::memory_order_relaxed) != Life::alive) return std::nullopt;
  made.pid = pid;
  made.parent = block->parent;
  if (block->extras) {
    made.names = block->extras->name_texts();
    made.groups = block->extras->groups;
    made.label = block->extras->label;
  }
  for (registry::Hook* hook = block->links.front(); hook != nullptr; hook = block->links.after(*hook)) {
    made.links.push_back(link_peer(*hook, *block));
  }
  for (registry::Hook* hook = block->monitored_by.front(); hook != nullptr; hook = block->monitored_by.after(*hook)) {
    made.monitored_by.push_back(RefAccess::owner(monitor_of(*hook).down.ref));
  }
  block->refs.for_each([&](const RefEntry& entry) {
    if (entry.record != nullptr && !entry.replied) made.monitors.push_back(entry.record->down.ref);
  });
  if (const std::uint64_t call = block->call.open_number()) {
    made.monitors.push_back(RefAccess::monitor(block->pid, call, true));
  }
  made.shed = block->shed.load(std::memory_order_relaxed);
  made.trap_exit = block->trap_exit.load(std::memory_order_relaxed);
  made.priority = static_cast<Priority>(block->urgency.load(std::memory_order_relaxed));
  made.reductions = block->reductions.load(std::memory_order_relaxed);
  bool running = false;
  for (unsigned i = 0; i < scheduler.worker_count() && !running; ++i) running = scheduler.worker(i).current() == block;
  const Waiting waiting = block->waiting.load(std::memory_order_relaxed);
  if (running) {
    made.status = ProcessStatus::running;
  } else if (block->inbox.is_parked() || waiting == Waiting::blocking) {
    made.status = ProcessStatus::waiting;
    made.waiting_for = text_of(waiting);
  } else {
    made.status = block->started.load(std::memory_order_relaxed) ? ProcessStatus::runnable : ProcessStatus::starting;
  }
  if (const scheduler::Stack* stack = block->stack.load(std::memory_order_acquire)) {
    made.stack_bytes = stack->bytes;
    if (made.status == ProcessStatus::waiting && block->inbox.is_parked()) parked_on = stack;
  }
  hold.unlock();
  // A system call for each page: not under a lock. The process may run meanwhile, or end; a stack's header and its memory stay.
  if (parked_on != nullptr) made.stack_high_water = scheduler::high_water(*parked_on);
  return made;
}

std::vector<Pid> RuntimeCore::list() const {
  // One pass over the slots: each is looked at once, so none is listed twice, and whoever lives during the whole pass is met (PID-5).
  std::vector<Pid> pids;
  const std::size_t slots = processes.committed();
  for (std::size_t i = 0; i < slots; ++i) {
    ControlBlock& block = *processes.find(i);
    if (block.life.load(std::memory_order_acquire) == Life::dead) continue;
    const Hold hold(block.lock);
    if (block.life.load(std::memory_order_relaxed) != Life::dead) pids.push_back(block.pid);
  }
  return pids;
}

Stats RuntimeCore::stats() const {
  Stats made;
  made.finished = total(&Counters::finished);
  made.spawned = total(&Counters::spawned);
  made.live = made.spawned - made.finished;
  made.shed = made.dropped = total(&Counters::shed);
  made.messages_sent = total(&Counters::messages);
  made.exit_signals_sent = total(&Counters::exits);
  made.downs_sent = total(&Counters::downs);
  made.dead_letters = total(&Counters::dead_letters);
  made.active_links = total(&Counters::links);
  made.active_monitors = total(&Counters::monitors);
  made.active_timers = total(&Counters::timers);
  made.registered_names = names.size();
  auto& shared = const_cast<scheduler::Scheduler&>(scheduler);
  for (unsigned i = 0; i < shared.worker_count(); ++i) {
    made.steals += shared.worker(i).counters.steals.load(std::memory_order_relaxed);
    made.parks += shared.worker(i).counters.sleeps.load(std::memory_order_relaxed);
  }
  made.stacks_live = shared.stacks().stats().live;
  made.workers = shared.worker_count();
  made.uptime = Duration(scheduler::Scheduler::steady_ns() - started_ns_);
  return made;
}

// Names and groups are listed from the processes that have them: the table of groups cannot be walked while others look things up in it,
// and in that of names one may be met twice, or be missed, while entries move.
template <class Visit>
void RuntimeCore::for_each_extras(Visit visit) {
  const std::size_t slots = processes.committed();
  for (std::size_t i = 0; i < slots; ++i) {
    ControlBlock& block = *processes.find(i);
    if (block.life.load(std::memory_order_acquire) == Life::dead) continue;
    const Hold hold(block.lock);
    if (block.extras && block.life.load(std::memory_order_relaxed) != Life::dead) visit(*block.extras);
  }
}

std::vector<std::string> RuntimeCore::registered() {
  std::vector<std::string> made;
  for_each_extras([&](const Extras& extras) {
    for (std::string& name : extras.name_texts()) made.push_back(std::move(name));
  });
  return made;
}

std::map<std::string, std::size_t> RuntimeCore::group_sizes() {
  std::map<std::string, std::size_t> made;
  for_each_extras([&](const Extras& extras) {
    for (const std::string& group : extras.groups) ++made[group];
  });
  return made;
}

std::vector<std::string> RuntimeCore::group_names() {
  std::vector<std::string> made;
  for (const auto& [group, size] : group_sizes()) made.push_back(group);
  return made;
}

bool RuntimeCore::set_label(Pid pid, std::string label) {
  ControlBlock* const block = pid ? slot_of(pid) : nullptr;
  if (block == nullptr) return false;
  auto fresh = std::make_unique<Extras>();
  {
    const Hold hold(block->lock);
    if (!is_tenant(*block, pid) || block->life.load(std::memory_order_relaxed) != Life::alive) return false;
    if (!block->extras) block->extras = std::move(fresh);
    block->extras->label.swap(label);
  }
  census_changed();
  return true;
}

// --- the log ---------------------------------------------------------------------------------------------------------------------

void RuntimeCore::log(LogLevel level, std::string_view line) noexcept {
  if (!wants(level)) return;
  try {
    options.log(level, line);
  } catch (...) {
    // A sink's failure is its own (CPP-24).
  }
}

void RuntimeCore::note_spawn(Pid pid, const std::string& label) noexcept {
  if (!label.empty()) census_changed();
  if (!wants(LogLevel::debug)) return;
  try {
    log(LogLevel::debug, "spawned process " + pid.to_string() + (label.empty() ? "" : " (" + label + ")"));
  } catch (const std::bad_alloc&) {
    // The process starts without its line.
  }
}

void RuntimeCore::log_end(ControlBlock& self) noexcept {
  const Atom kind = self.reason.kind();
  const bool clean = kind == atoms::normal || kind == atoms::shutdown;
  const LogLevel level = clean ? LogLevel::info : kind == atoms::killed || kind == atoms::kill ? LogLevel::warn : LogLevel::error;
  if (!wants(level)) return;
  try {
    std::string line = "process " + self.pid.to_string();
    std::unique_ptr<scheduler::Backtrace> origin;
    {
      const Hold hold(self.lock);
      if (self.extras && !self.extras->label.empty()) line += " (" + self.extras->label + ")";
      if (self.extras) origin.swap(self.extras->origin);
    }
    line += " ended: " + self.reason.to_string();
    // Where an exception came from says nothing of a process that a signal ended while it was on its way.
    if (origin != nullptr && (kind == atoms::error || kind == atoms::nocatch)) line += stack_lines(*origin);
    log(level, line);
  } catch (const std::bad_alloc&) {
    // The end goes on without its line.
  }
}

}  // namespace weft::detail

namespace weft::inline v0 {
namespace {

detail::RuntimeCore& counted_core(const char* call) {
  detail::RuntimeCore& core = detail::core_here(call);
  if (detail::ControlBlock* self = detail::current_process()) detail::checkpoint(*self);
  return core;
}

}  // namespace

bool is_alive(Pid pid) { return counted_core("is_alive").is_alive(pid); }
std::optional<ProcessInfo> info(Pid pid) { return counted_core("info").info(pid); }
std::vector<Pid> list() { return counted_core("list").list(); }
Stats stats() { return counted_core("stats").stats(); }

}  // namespace weft
