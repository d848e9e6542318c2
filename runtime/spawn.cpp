// Making processes.
#include <sched.h>

#include <new>

#include "runtime/core.hpp"

namespace weft::inline v0::detail {
namespace {

// Above this no gap is left for order (PID-3): uniqueness alone decides.
constexpr std::uint64_t kOrderedGenerations = std::uint64_t{1} << (Pid::kGenerationBits - 1);
constexpr std::uint64_t kLastGeneration = (std::uint64_t{1} << Pid::kGenerationBits) - 1;

scheduler::Urgency urgency_of(Priority priority) noexcept {
  return priority == Priority::high  ? scheduler::Urgency::high
         : priority == Priority::low ? scheduler::Urgency::low
                                     : scheduler::Urgency::normal;
}

}  // namespace

void check_process_name(std::string_view what, std::string_view name) {
  if (name.empty()) throw BadArgument("an empty " + std::string(what));
  if (name.size() > kMaxNameBytes) {
    throw LimitExceeded(std::string(what) + " \"" + std::string(name.substr(0, 32)) + "…\" has " + std::to_string(name.size()) +
                        " bytes, the limit is " + std::to_string(kMaxNameBytes));
  }
}

void drop_body(ControlBlock& block) noexcept {
  if (block.body_type == nullptr) return;
  void* const body = block.body();
  const BodyType& type = *std::exchange(block.body_type, nullptr);
  type.destroy(body);
  if (!ControlBlock::is_small(type)) ::operator delete(body, std::align_val_t(type.align));
}

void place_body(ControlBlock& block, const BodyType& type, void* body) {
  if (ControlBlock::is_small(type)) {
    type.move(block.body_space, body);
  } else {
    void* const space = ::operator new(type.bytes, std::align_val_t(type.align));
    try {
      type.move(space, body);
    } catch (...) {
      ::operator delete(space, std::align_val_t(type.align));
      throw;
    }
    ::new (static_cast<void*>(block.body_space)) void*(space);
  }
  block.body_type = &type;
}

ControlBlock* RuntimeCore::rent_slot() noexcept {
  if (!process_quota_.take()) return nullptr;
  for (;;) {
    ControlBlock* block = nullptr;
    if (WorkerLocal* local = worker_local()) {
      block = local->slots.take();
    } else {
      const std::lock_guard<base::SpinLock> hold(outside_lock_);
      block = outside_slots_.take();
    }
    // A slot whose tenants are used up is never let again: it is left out here, for good (PID-2).
    if (block == nullptr) process_quota_.give_back();
    if (block == nullptr || block->generation.load(std::memory_order_relaxed) < kLastGeneration) return block;
  }
}

void RuntimeCore::give_back(ControlBlock& self) noexcept {
  self.next_free = nullptr;
  if (WorkerLocal* local = worker_local()) {
    local->slots.give(&self);
  } else {
    const std::lock_guard<base::SpinLock> hold(outside_lock_);
    outside_slots_.give(&self);
  }
}

Pid RuntimeCore::spawn(SpawnRequest& request) {
  ControlBlock* parent = current_process();
  if (parent != nullptr && current_core() != this) parent = nullptr;
  static const SpawnOptions kDefaults;
  const SpawnOptions& wanted = request.options != nullptr ? *request.options : kDefaults;
  const bool linked = request.link || wanted.link;
  if (parent == nullptr && (linked || request.monitor != nullptr)) {
    throw NotInProcess("a linked or monitored spawn outside a process of this runtime");
  }
  if (refusing_spawns_.load(std::memory_order_relaxed)) throw LimitExceeded("the runtime is stopping: no process can be spawned");
  if (!wanted.name.empty()) check_process_name("name", wanted.name);
  for (const std::string& group : wanted.groups) check_process_name("group", group);
  if (wanted.stack_bytes > scheduler::StackPool::kMaxStackBytes) {
    throw BadArgument("a stack of " + std::to_string(wanted.stack_bytes) + " bytes: the limit is " +
                      std::to_string(scheduler::StackPool::kMaxStackBytes));
  }
  if (wanted.limit.capacity == 0) throw BadArgument("a mailbox of capacity 0");

  ControlBlock* const block = rent_slot();
  if (block == nullptr) {
    throw LimitExceeded("no more than " + std::to_string(options.max_processes) + " processes, or no memory for another");
  }
  ControlBlock& child = *block;
  try {
    if (!wanted.label.empty() || request.joinable || !wanted.name.empty() || !wanted.groups.empty()) {
      child.extras = std::make_unique<Extras>();
      child.extras->label = wanted.label;
    }
    if (request.joinable) {
      request.join = std::make_shared<JoinState>();
      request.join->core = this;
      child.extras->join = request.join;
    }
  } catch (...) {
    child.extras.reset();
    request.join.reset();
    process_quota_.give_back();
    give_back(child);
    throw;
  }

  // The order of pids as one spawner sees it (PID-3): the generation may skip, it never repeats.
  std::uint64_t generation = child.generation.load(std::memory_order_relaxed);
  const auto order_after = [&](std::uint64_t last) {
    if (last == 0) return;
    const Pid before = Pid::from_id(last);
    const std::uint64_t wanted_generation = before.generation() + (before.index() >= child.slot_index ? 1 : 0);
    if (wanted_generation > generation && wanted_generation < kOrderedGenerations) generation = wanted_generation;
  };
  Pid pid;
  if (parent != nullptr) {
    order_after(parent->last_child);
    pid = Pid::from_parts(child.slot_index, generation);
    parent->last_child = pid.id();
  } else {
    const std::lock_guard<base::SpinLock> hold(outside_lock_);
    order_after(outside_last_child_);
    pid = Pid::from_parts(child.slot_index, generation);
    outside_last_child_ = pid.id();
  }

  if (request.join != nullptr) request.join->pid = pid;
  const MailboxLimit& limit = wanted.limit.capacity != static_cast<std::size_t>(-1) ? wanted.limit : options.mailbox;
  child.stack = nullptr;
  child.exceptions = {};
  const std::size_t stack_bytes = wanted.stack_bytes != 0 ? wanted.stack_bytes : options.stack_bytes;
  child.wanted_stack_bytes = static_cast<std::uint32_t>(stack_bytes);
  child.urgency.store(urgency_of(wanted.priority), std::memory_order_relaxed);
  child.budget = fresh_slice();
  child.no_suspend = 0;
  child.doomed_slices = 0;
  child.unwound = false;
  child.orphan = false;
  child.told = false;
  child.hibernated = false;
  child.started.store(false, std::memory_order_relaxed);
  child.last_child = 0;
  child.reductions.store(0, std::memory_order_relaxed);
  child.held_stack.store(nullptr, std::memory_order_relaxed);
  child.saved.reset();
  child.room_used.store(generation << 32, std::memory_order_relaxed);
  child.shed.store(0, std::memory_order_relaxed);
  child.capacity.store(limit.capacity >= ControlBlock::kUnbounded ? ControlBlock::kUnbounded : static_cast<std::uint32_t>(limit.capacity),
                       std::memory_order_relaxed);
  child.overflow.store(limit.overflow, std::memory_order_relaxed);
  child.has_mailbox.store(wanted.mailbox, std::memory_order_relaxed);
  child.plain_mailbox.store(wanted.mailbox && !child.bounded(), std::memory_order_relaxed);
  child.trap_exit.store(wanted.trap_exit && wanted.mailbox, std::memory_order_relaxed);
  child.room_wanted.store(false, std::memory_order_relaxed);
  child.waiting.store(Waiting::nothing, std::memory_order_relaxed);
  {
    const std::lock_guard<base::SpinLock> hold(child.lock);
    child.pid = pid;
    child.parent = parent != nullptr ? parent->pid : Pid{};
    child.reason = ExitReason::normal;
    child.kick_pending = false;
    child.pinned = nullptr;
    child.replies_pending = false;
  }
  try {
    // Before anybody can address it, so that nothing can come in between (LIF-9).
    if (linked || request.monitor != nullptr) tie_child(*parent, child, linked, request.monitor, request.ref);
  } catch (...) {
    child.extras.reset();
    request.join.reset();
    process_quota_.give_back();
    give_back(child);
    throw;
  }
  {
    const std::lock_guard<base::SpinLock> hold(child.lock);
    child.generation.store(generation, std::memory_order_release);
    child.life.store(Life::alive, std::memory_order_release);
  }
  child.inbox.open();  // From here on it can be addressed (LIF-1).
  count(&Counters::spawned);

  // What can still fail undoes the process, which has not run. The body is moved in last: one that lost a race for its name is intact.
  try {
    if (!wanted.name.empty()) register_name(wanted.name, pid);
    for (const std::string& group : wanted.groups) join_group(group, pid);
    place_body(child, *request.type, request.body);
  } catch (...) {
    if (linked) unlink(*parent, pid);
    if (request.ref) (void)withdraw(*parent, RefAccess::number(request.ref));
    request.join.reset();
    {
      const std::lock_guard<base::SpinLock> hold(child.lock);
      child.life.store(Life::exiting, std::memory_order_release);
      if (child.extras) child.extras->join.reset();
    }
    die(child);
    count(&Counters::spawned, static_cast<std::uint64_t>(-1));  // No process was made.
    count(&Counters::finished, static_cast<std::uint64_t>(-1));
    give_back(child);
    one_less();
    throw;
  }
  if (notes_spawns_) note_spawn(pid, wanted.label);
  scheduler.ready(child);
  return pid;
}

Pid RuntimeCore::whereis_or_spawn(std::string_view name, SpawnRequest& request) {
  check_process_name("name", name);
  SpawnOptions named;
  named.name = std::string(name);
  request.options = &named;
  for (;;) {
    if (const std::optional<Pid> found = whereis(name); found && is_alive(*found)) return *found;
    try {
      return spawn(request);
    } catch (const NameTaken&) {
      // Somebody else was first, or the holder is dying: look again when others have run.
      base::explore_spin("whereis or spawn");
      if (ControlBlock* self = current_process()) {
        checkpoint(*self);
        scheduler::Worker::yield(*self);
      } else {
        sched_yield();
      }
    }
  }
}

Pid spawn_process(RuntimeCore* core, SpawnRequest& request) {
  if (core == nullptr) core = &core_here("spawn");
  if (current_process() != nullptr && current_core() == core) {
    (void)process_here("spawn");
  } else if (BlockingSection* section = blocking_section(); section != nullptr && section->core == core && !core->is_alive(section->pid)) {
    throw ProcessExiting("spawn() in an orphaned blocking section of process " + section->pid.to_string());
  }
  return core->spawn(request);
}

Pid whereis_or_spawn_process(RuntimeCore* core, std::string_view name, SpawnRequest& request) {
  if (core == nullptr) core = &core_here("whereis_or_spawn");
  if (current_process() != nullptr && current_core() == core) (void)process_here("whereis_or_spawn");
  return core->whereis_or_spawn(name, request);
}

}  // namespace weft::detail
