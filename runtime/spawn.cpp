// Making processes.
#include <sched.h>

#include <new>

#include "runtime/caller.hpp"

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

/// The pid of the next tenant of `child`, for a spawner whose last child was `last_child`. The order of pids as one spawner sees it
/// (PID-3): the generation may skip, it never repeats.
[[gnu::always_inline]] inline Pid next_pid(const ControlBlock& child, std::uint64_t& last_child) noexcept {
  std::uint64_t generation = child.generation.load(std::memory_order_relaxed);
  if (last_child != 0) {
    const Pid before = Pid::from_id(last_child);
    const std::uint64_t wanted = before.generation() + (before.index() >= child.slot_index ? 1 : 0);
    if (wanted > generation && wanted < kOrderedGenerations) generation = wanted;
  }
  const Pid pid = Pid::from_parts(child.slot_index, generation);
  last_child = pid.id();
  return pid;
}

/// What a spawner chooses, defaults applied.
struct Choice {
  std::size_t stack_bytes;
  MailboxLimit limit;
  scheduler::Urgency urgency = scheduler::Urgency::normal;
  bool mailbox = true;
  bool trap_exit = false;
};

/// Everything of a new tenant that is nobody else's business before it can be addressed.
[[gnu::always_inline]] inline void set_up(ControlBlock& child, Pid pid, const Choice& choice) noexcept {
  child.stack.store(nullptr, std::memory_order_relaxed);
  child.exceptions = {};
  child.wanted_stack_bytes = static_cast<std::uint32_t>(choice.stack_bytes);
  child.urgency.store(choice.urgency, std::memory_order_relaxed);
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
  child.saved.reset();
  child.room_used.store(pid.generation() << 32, std::memory_order_relaxed);
  child.shed.store(0, std::memory_order_relaxed);
  const bool bounded = choice.limit.capacity < ControlBlock::kUnbounded;
  child.capacity.store(bounded ? static_cast<std::uint32_t>(choice.limit.capacity) : ControlBlock::kUnbounded, std::memory_order_relaxed);
  child.overflow.store(choice.limit.overflow, std::memory_order_relaxed);
  child.has_mailbox.store(choice.mailbox, std::memory_order_relaxed);
  child.plain_mailbox.store(choice.mailbox && !bounded, std::memory_order_relaxed);
  child.trap_exit.store(choice.trap_exit && choice.mailbox, std::memory_order_relaxed);
  child.room_wanted.store(false, std::memory_order_relaxed);
  child.waiting.store(Waiting::nothing, std::memory_order_relaxed);
}

/// Under child.lock.
[[gnu::always_inline]] inline void set_identity(ControlBlock& child, Pid pid, Pid parent) noexcept {
  child.pid = pid;
  child.parent = parent;
  child.kick_pending = false;
  child.pinned = nullptr;
  child.replies_pending = false;
}

/// Under child.lock. From here on the process can be addressed (LIF-1). The inbox first: who finds the pid (list() does, under the lock)
/// sends it signals, and a closed inbox would lose them.
[[gnu::always_inline]] inline void set_alive(ControlBlock& child, Pid pid) noexcept {
  child.inbox.open();
  child.generation.store(pid.generation(), std::memory_order_release);
  child.life.store(Life::alive, std::memory_order_release);
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
  if (type.destroy != nullptr) type.destroy(body);
  if (!ControlBlock::is_small(type)) ::operator delete(body, std::align_val_t(type.align));
}

[[gnu::noinline]] void* move_to_heap(const BodyType& type, void* body) {
  void* const space = ::operator new(type.bytes, std::align_val_t(type.align));
  try {
    type.move(space, body);
  } catch (...) {
    ::operator delete(space, std::align_val_t(type.align));
    throw;
  }
  return space;
}

void place_body(ControlBlock& block, const BodyType& type, void* body) {
  if (ControlBlock::is_small(type)) {
    type.move(block.body_space, body);
  } else {
    ::new (static_cast<void*>(block.body_space)) void*(move_to_heap(type, body));
  }
  block.body_type = &type;
}

namespace {

[[noreturn]] void refuse_while_stopping() { throw LimitExceeded("the runtime is stopping: no process can be spawned"); }

/// The body's move was in a blocking section when its process was killed (BLK-4).
[[noreturn]] void refuse_dead(Pid parent) { throw ProcessExiting("spawn() by process " + parent.to_string() + ", which is dead"); }

[[noreturn]] void refuse_slot(std::size_t limit) {
  throw LimitExceeded("no more than " + std::to_string(limit) + " processes, or no memory for another");
}

}  // namespace

[[gnu::always_inline]] inline ControlBlock& RuntimeCore::rent_slot(WorkerLocal* local) {
  if (!process_quota_.take()) [[unlikely]]
    refuse_slot(options.max_processes);
  for (;;) {
    ControlBlock* block = nullptr;
    if (local != nullptr) [[likely]] {
      block = local->slots.take();
    } else {
      const std::lock_guard<base::SpinLock> hold(outside_lock_);
      block = outside_slots_.take();
    }
    if (block == nullptr) [[unlikely]] {
      process_quota_.give_back();
      refuse_slot(options.max_processes);
    }
    // A slot whose tenants are used up is never let again: it is left out here, for good (PID-2).
    if (block->generation.load(std::memory_order_relaxed) < kLastGeneration) [[likely]]
      return *block;
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

[[gnu::noinline]] Pid RuntimeCore::spawn_plain(ControlBlock& parent, WorkerLocal& local, const BodyType& type, void* body) {
  if (refusing_spawns_.load(std::memory_order_relaxed)) [[unlikely]]
    refuse_while_stopping();
  ControlBlock& child = rent_slot(&local);
  child.unborn = std::exchange(parent.unborn, child.slot_index + 1);
  try {
    // First, and the pid after: it may fail, spawn others, which come before this one then, or suspend.
    place_body(child, type, body);
    parent.unborn = std::exchange(child.unborn, 0);
    if (parent.life.load(std::memory_order_relaxed) == Life::dead) refuse_dead(parent.pid);
  } catch (...) {
    if (child.slot_index + 1 == parent.unborn) parent.unborn = std::exchange(child.unborn, 0);
    give_up(child);
    throw;
  }
  const Pid pid = next_pid(child, parent.last_child);
  set_up(child, pid, Choice{.stack_bytes = options.stack_bytes, .limit = options.mailbox});
  {
    const std::lock_guard<base::SpinLock> hold(child.lock);
    set_identity(child, pid, parent.pid);
    set_alive(child, pid);
  }
  // Only now: the body's move may have been on another worker for a while.
  scheduler::Worker& worker = *scheduler::Worker::here();
  add(local_of(worker).counters.spawned);
  worker.ready(child);
  return pid;
}

Pid RuntimeCore::spawn_tied(ControlBlock& parent, SpawnRequest& request) {
  if (refusing_spawns_.load(std::memory_order_relaxed)) [[unlikely]]
    refuse_while_stopping();
  ControlBlock& child = rent_slot(worker_local());
  Pid pid;
  child.unborn = std::exchange(parent.unborn, child.slot_index + 1);
  try {
    place_body(child, *request.type, request.body);
    parent.unborn = std::exchange(child.unborn, 0);
    if (parent.life.load(std::memory_order_relaxed) == Life::dead) refuse_dead(parent.pid);
    pid = next_pid(child, parent.last_child);
    set_up(child, pid, Choice{.stack_bytes = options.stack_bytes, .limit = options.mailbox});
    {
      const std::lock_guard<base::SpinLock> hold(child.lock);
      set_identity(child, pid, parent.pid);
    }
    // Before anybody can address it, so that nothing can come in between (LIF-9).
    tie_child(parent, child, request.link, request.monitor, request.ref);
  } catch (...) {
    if (child.slot_index + 1 == parent.unborn) parent.unborn = std::exchange(child.unborn, 0);
    give_up(child);
    throw;
  }
  {
    const std::lock_guard<base::SpinLock> hold(child.lock);
    set_alive(child, pid);
  }
  // Only now: the body's move may have been on another worker for a while.
  scheduler::Worker& worker = *scheduler::Worker::here();
  add(local_of(worker).counters.spawned);
  worker.ready(child);
  return pid;
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
  if (parent != nullptr && request.options == nullptr && !request.joinable && !notes_spawns_) return spawn_tied(*parent, request);
  if (refusing_spawns_.load(std::memory_order_relaxed)) refuse_while_stopping();
  if (parent == nullptr) base::explore_point("spawn: not refused");
  if (!wanted.name.empty()) check_process_name("name", wanted.name);
  for (const std::string& group : wanted.groups) check_process_name("group", group);
  if (wanted.stack_bytes > scheduler::StackPool::kMaxStackBytes) {
    throw BadArgument("a stack of " + std::to_string(wanted.stack_bytes) + " bytes: the limit is " +
                      std::to_string(scheduler::StackPool::kMaxStackBytes));
  }
  if (wanted.limit.capacity == 0) throw BadArgument("a mailbox of capacity 0");

  ControlBlock& child = rent_slot(worker_local());
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

  Pid pid;
  if (parent != nullptr) {
    pid = next_pid(child, parent->last_child);
  } else {
    const std::lock_guard<base::SpinLock> hold(outside_lock_);
    pid = next_pid(child, outside_last_child_);
  }
  if (request.join != nullptr) request.join->pid = pid;
  set_up(child, pid,
         Choice{.stack_bytes = wanted.stack_bytes != 0 ? wanted.stack_bytes : options.stack_bytes,
                .limit = wanted.limit.capacity != static_cast<std::size_t>(-1) ? wanted.limit : options.mailbox,
                .urgency = urgency_of(wanted.priority),
                .mailbox = wanted.mailbox,
                .trap_exit = wanted.trap_exit});
  {
    const std::lock_guard<base::SpinLock> hold(child.lock);
    set_identity(child, pid, parent != nullptr ? parent->pid : Pid{});
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
    set_alive(child, pid);
  }

  // What can still fail undoes the process, which has not run. The body is moved in last: one that lost a race for its name is intact.
  if (parent != nullptr) child.unborn = std::exchange(parent->unborn, child.slot_index + 1);
  try {
    // Who was killed already is spawned all the same, as if the kill had come a moment later, and ends without name and groups.
    if (!wanted.name.empty() && try_register(wanted.name, pid) == Registered::taken)
      throw NameTaken("the name \"" + wanted.name + "\" is taken");
    for (const std::string& group : wanted.groups) join_group(group, pid);
    place_body(child, *request.type, request.body);
    if (parent != nullptr && parent->life.load(std::memory_order_relaxed) == Life::dead) refuse_dead(parent->pid);
    // Last, and before it can run: a process that was counted and then undone would make live() too small for a moment.
    if (parent == nullptr) count_outside_spawn();
  } catch (...) {
    drop_body(child);
    if (parent != nullptr) parent->unborn = std::exchange(child.unborn, 0);
    if (linked) unlink(*parent, pid);
    if (request.ref) (void)withdraw(*parent, RefAccess::number(request.ref));
    request.join.reset();
    undo_spawn(child);
    throw;
  }
  if (parent != nullptr) {
    parent->unborn = std::exchange(child.unborn, 0);
    count(&Counters::spawned);
  }
  if (notes_spawns_) note_spawn(pid, wanted.label);
  scheduler.ready(child);
  return pid;
}

void RuntimeCore::count_outside_spawn() {
  // seq_cst on both sides: stop() raises the refusal and then reads outside_counts_. No code of a user runs in between.
  outside_counts_.fetch_add(1, std::memory_order_seq_cst);
  const bool refused = refusing_spawns_.load(std::memory_order_seq_cst);
  base::explore_point("spawn: count");
  if (!refused) count(&Counters::spawned);
  outside_counts_.fetch_sub(1, std::memory_order_seq_cst);
  if (refused) refuse_while_stopping();
}

void RuntimeCore::give_up(ControlBlock& child) noexcept {
  drop_body(child);
  process_quota_.give_back();
  give_back(child);
}

void RuntimeCore::undo_spawn(ControlBlock& child) noexcept {
  {
    const std::lock_guard<base::SpinLock> hold(child.lock);
    child.life.store(Life::exiting, std::memory_order_release);
    if (child.extras) child.extras->join.reset();
  }
  die(child, Counted::no);
  give_back(child);
}

void RuntimeCore::undo_spawns_of(ControlBlock& parent) noexcept {
  while (parent.unborn != 0) {
    ControlBlock& child = *processes.find(parent.unborn - 1);
    parent.unborn = std::exchange(child.unborn, 0);
    if (child.life.load(std::memory_order_relaxed) == Life::dead) {
      give_up(child);
      continue;
    }
    unlink(parent, child.pid);
    undo_spawn(child);
  }
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

namespace {

[[gnu::noinline]] Pid spawn_plain_specially(const BodyType& type, void* body) {
  SpawnRequest request{.type = &type, .body = body};
  return spawn_process(nullptr, request);
}

}  // namespace

Pid spawn_plain_process(const BodyType& type, void* body) {
  // Outside a process, in one that ends or whose slice does, and where somebody wants to know of it: as any other.
  scheduler::Worker* const worker = scheduler::Worker::here();
  if (worker == nullptr) [[unlikely]]
    return spawn_plain_specially(type, body);
  auto* const self = static_cast<ControlBlock*>(worker->current());
  WorkerLocal& local = local_of(*worker);
  if (self == nullptr || !may_call(*self) || local.core.notes_spawns()) [[unlikely]]
    return spawn_plain_specially(type, body);
  --self->budget;
  return local.core.spawn_plain(*self, local, type, body);
}

Pid whereis_or_spawn_process(RuntimeCore* core, std::string_view name, SpawnRequest& request) {
  if (core == nullptr) core = &core_here("whereis_or_spawn");
  if (current_process() != nullptr && current_core() == core) (void)process_here("whereis_or_spawn");
  return core->whereis_or_spawn(name, request);
}

}  // namespace weft::detail
