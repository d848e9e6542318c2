// The path of a message to an inbox, and what a full one does.
#include <weft/send.hpp>

#include "runtime/caller.hpp"
#include "runtime/sim.hpp"

namespace weft::inline v0::detail {

// --- bounded mailboxes -----------------------------------------------------------------------------------------------------------

namespace {

constexpr std::uint32_t room_tag(std::uint64_t generation) noexcept { return static_cast<std::uint32_t>(generation); }
constexpr std::uint32_t room_count(std::uint64_t used) noexcept { return static_cast<std::uint32_t>(used); }
constexpr std::uint32_t room_tag_of(std::uint64_t used) noexcept { return static_cast<std::uint32_t>(used >> 32); }

}  // namespace

RuntimeCore::Room RuntimeCore::take_room(ControlBlock& block, Pid to) noexcept {
  const std::uint32_t capacity = block.capacity.load(std::memory_order_relaxed);
  base::explore_point("take room");
  std::uint64_t used = block.room_used.load(std::memory_order_relaxed);
  // The place is taken before the push and given back on consumption, so the mailbox is bounded at all times (CAP-7). relaxed: the
  // count guards a number, not data; the push publishes the message.
  for (;;) {
    if (room_tag_of(used) != room_tag(to.generation())) return Room::gone;
    if (room_count(used) >= capacity || (base::exploring() && explored_shed(block))) break;
    base::explore_point("take room: exchange");
    if (block.room_used.compare_exchange_weak(used, used + 1, std::memory_order_relaxed)) return Room::taken;
  }
  return block.overflow.load(std::memory_order_relaxed) == Overflow::exit ? Room::overflowed : Room::full;
}

bool RuntimeCore::give_room(ControlBlock& block, std::uint64_t generation) noexcept {
  // seq_cst, both here and in post_waiting: a waiter raises room_wanted and then reads the count; we lower the count and then read
  // room_wanted. One of the two sees the other.
  std::uint64_t used = block.room_used.load(std::memory_order_relaxed);
  do {
    base::explore_point("free room");
    if (room_tag_of(used) != room_tag(generation)) return false;
  } while (!block.room_used.compare_exchange_weak(used, used - 1, std::memory_order_seq_cst, std::memory_order_relaxed));
  base::explore_point("free room: wanted");
  return block.room_wanted.load(std::memory_order_seq_cst);
}

void RuntimeCore::tell_room_waiters(ControlBlock& block) noexcept {
  std::vector<Pid> waiters;
  {
    const std::lock_guard<base::SpinLock> hold(block.lock);
    block.room_wanted.store(false, std::memory_order_relaxed);
    if (block.extras) waiters.swap(block.extras->room_waiters);
  }
  for (const Pid waiter : waiters) kick(waiter);
}

namespace {

/// Shed the oldest: under the receiver's lock the sender does the receiver's work (drain) and takes the oldest user message out.
Envelope* evict_oldest(ControlBlock& block) noexcept {
  for (Envelope* at = block.saved.front(); at != nullptr; at = at->next) {
    if (at->kind == EnvelopeKind::user && at->counted && at != block.pinned) {
      block.saved.remove(*at);
      return at;
    }
  }
  return nullptr;
}

}  // namespace

// --- sending ---------------------------------------------------------------------------------------------------------------------

SendResult RuntimeCore::post(Pid to, Envelope* envelope, std::string_view name) noexcept {
  scheduler::Worker* const worker = scheduler::Worker::here();
  if (worker != nullptr && &worker->scheduler() == &scheduler && worker->current() != nullptr) {
    return post_from(*worker, to, envelope, name);
  }
  return post_specially(to, envelope, name);
}

// The common case in one piece, without a call: to an unbounded mailbox, from a process.
inline SendResult RuntimeCore::post_from(scheduler::Worker& worker, Pid to, Envelope* envelope, std::string_view name) noexcept {
  ControlBlock* const block = slot_of(to);
  base::explore_point("send");
  // acquire pairs with the release in spawn(): the fields of the tenant are those that go with this generation.
  if (block == nullptr || block->generation.load(std::memory_order_acquire) != to.generation() ||
      !block->plain_mailbox.load(std::memory_order_relaxed)) [[unlikely]] {
    return post_specially(to, envelope, name);
  }
  envelope->stamp = to.generation();
  add(local_of(worker).counters.messages);
  const mailbox::Inbox::Push pushed = block->inbox.push(*envelope);
  if (pushed == mailbox::Inbox::Push::queued) return SendResult::queued;
  if (pushed == mailbox::Inbox::Push::woke) {
    worker.ready(*block);
    return SendResult::queued;
  }
  dead_letter(DeadLetterReason::no_process, to, name, *envelope);
  return SendResult::no_process;
}

[[gnu::noinline]] SendResult RuntimeCore::post_specially(Pid to, Envelope* envelope, std::string_view name) noexcept {
  ControlBlock* const block = slot_of(to);
  base::explore_point("send");
  // acquire: as above.
  if (block == nullptr || block->generation.load(std::memory_order_acquire) != to.generation()) {
    dead_letter(DeadLetterReason::no_process, to, name, *envelope);
    return SendResult::no_process;
  }
  envelope->stamp = to.generation();
  if (envelope->kind == EnvelopeKind::user) {
    if (!block->has_mailbox.load(std::memory_order_relaxed)) {
      dead_letter(DeadLetterReason::no_process, to, name, *envelope);
      return SendResult::no_process;
    }
    if (block->bounded()) return post_bounded(*block, to, envelope, name);
  }
  return push_message(*block, to, envelope, name);
}

SendResult RuntimeCore::post_bounded(ControlBlock& block, Pid to, Envelope* envelope, std::string_view name) noexcept {
  Envelope* evicted = nullptr;
  Envelope* dropped = nullptr;
  bool wake = false;
  Room room = take_room(block, to);
  if (room == Room::full && block.shares_queue()) {
    const std::lock_guard<base::SpinLock> hold(block.lock);
    if (is_tenant(block, to)) {
      room = take_room(block, to);
      if (room == Room::full) {
        dropped = sort_in(block, Locked::already);
        evicted = evict_oldest(block);
        // What we took out of the inbox would have woken the receiver, or kept it from sleeping.
        wake = kick_locked(block);
        if (evicted != nullptr) room = Room::taken;  // Its place passes to the new one.
      }
    }
  }
  if (wake) scheduler.ready(block);
  discard_dropped(dropped, block);
  if (room == Room::gone) {
    dead_letter(DeadLetterReason::no_process, to, name, *envelope);
    return SendResult::no_process;
  }
  if (room != Room::taken) {
    block.shed.fetch_add(1, std::memory_order_relaxed);
    count(&Counters::shed);
    if (room == Room::overflowed) overflow_ends(block, to);
    dead_letter(DeadLetterReason::shed, to, name, *envelope);
    return SendResult::shed;
  }
  if (evicted != nullptr) {
    block.shed.fetch_add(1, std::memory_order_relaxed);
    count(&Counters::shed);
    dead_letter(DeadLetterReason::shed, to, name, *evicted);
  }
  envelope->counted = true;
  return push_message(block, to, envelope, name);
}

SendResult RuntimeCore::push_message(ControlBlock& block, Pid to, Envelope* envelope, std::string_view name) noexcept {
  count(&Counters::messages);
  switch (block.inbox.push(*envelope)) {
    case mailbox::Inbox::Push::queued:
      return SendResult::queued;
    case mailbox::Inbox::Push::woke:
      scheduler.ready(block);
      return SendResult::queued;
    case mailbox::Inbox::Push::closed:
      break;
  }
  dead_letter(DeadLetterReason::no_process, to, name, *envelope);
  return SendResult::no_process;
}

void RuntimeCore::overflow_ends(ControlBlock& block, Pid to) noexcept {
  bool wake = false;
  try {
    const ExitReason reason =
        ExitReason::error("weft::LimitExceeded",
                          "the mailbox of process " + to.to_string() + " is full: " + std::to_string(block.capacity.load()) + " messages");
    const std::lock_guard<base::SpinLock> hold(block.lock);
    if (is_tenant(block, to)) wake = doom(block, reason);
  } catch (const std::bad_alloc&) {
    const std::lock_guard<base::SpinLock> hold(block.lock);
    if (is_tenant(block, to)) wake = doom(block, ExitReason::killed);
  }
  if (wake) scheduler.ready(block);
}

SendResult RuntimeCore::post_by_name(std::string_view name, Envelope* envelope) noexcept {
  const std::optional<Pid> to = whereis(name);
  if (!to) {
    dead_letter(DeadLetterReason::no_process, Pid{}, name, *envelope);
    return SendResult::no_process;
  }
  return post(*to, envelope, name);
}

SendResult RuntimeCore::post_to_alias(const Alias& alias, Envelope* envelope) noexcept {
  envelope->alias = RefAccess::number(alias);
  return post(RefAccess::owner(alias), envelope);
}

SendResult RuntimeCore::post_to(const Destination& destination, Envelope* envelope) noexcept {
  switch (destination.kind()) {
    case Destination::Kind::pid:
      return post(destination.pid(), envelope);
    case Destination::Kind::name:
      return post_by_name(destination.name(), envelope);
    case Destination::Kind::alias:
      return post_to_alias(destination.alias(), envelope);
  }
  return SendResult::no_process;
}

bool RuntimeCore::push_signal(Pid to, Envelope& envelope) noexcept {
  ControlBlock* const block = slot_of(to);
  if (block == nullptr || block->generation.load(std::memory_order_acquire) != to.generation()) return false;
  envelope.stamp = to.generation();
  switch (block->inbox.push(envelope)) {
    case mailbox::Inbox::Push::queued:
      return true;
    case mailbox::Inbox::Push::woke:
      scheduler.ready(*block);
      return true;
    case mailbox::Inbox::Push::closed:
      return false;
  }
  return false;
}

void RuntimeCore::dead_letter(DeadLetterReason reason, Pid to, std::string_view name, Envelope& envelope) noexcept {
  if (envelope.kind == EnvelopeKind::user || envelope.kind == EnvelopeKind::reply) {
    count(&Counters::dead_letters);
    if (options.dead_letters) {
      try {
        options.dead_letters(DeadLetter{reason, to, name, type_name(*envelope.type)});
      } catch (...) {
        // A sink's failure is its own (CPP-24).
      }
    }
  }
  destroy_message(envelope);
}

void RuntimeCore::destroy_message(Envelope& envelope) noexcept { destroy_envelope(&envelope); }

// --- the public calls ------------------------------------------------------------------------------------------------------------

namespace {

/// Destructors send, and must not throw. So a doom is met by other calls first; a send throws only to a process that swallowed the token,
/// or that does nothing but send for some slices (docs/decisions.md). Null: the message is dropped.
RuntimeCore* doomed_sender(ControlBlock& self, RuntimeCore* core, bool slice_ended) {
  // The stack of an orphan, unwound after its death was told: what it sends would arrive after its DOWN (ORD-3, BLK-4).
  const bool body_is_gone = self.body_type == nullptr;
  if (self.life.load(std::memory_order_relaxed) == Life::dead && !body_is_gone) return nullptr;
  if (std::uncaught_exceptions() != 0 || body_is_gone) return core;
  if (slice_ended) ++self.doomed_slices;
  constexpr std::uint8_t kPatience = 4;
  // Inside a handler, the one that swallows, or one that cleans up and throws again: its own destructors may send.
  const bool in_handler = scheduler::thread_exception_state()->caught != nullptr;
  if ((self.unwound && !in_handler) || self.doomed_slices > kPatience) {
    self.unwound = true;
    throw ProcessUnwind{};
  }
  return core;
}

/// What a send from here may do. Null: it is dropped, because the caller is the orphaned section of a dead process (BLK-4).
RuntimeCore* sending_core(RuntimeCore* core, const char* call) {
  if (ControlBlock* self = current_process()) {
    if (core == nullptr) core = current_core();
    const bool slice_ended = --self->budget == 0;
    if (slice_ended) [[unlikely]] {
      self->budget = fresh_slice();
      self->reductions.store(self->reductions.load(std::memory_order_relaxed) + kSlice, std::memory_order_relaxed);
      if (self->no_suspend == 0) scheduler::Worker::end_slice(*self);
    }
    if (self->life.load(std::memory_order_relaxed) != Life::alive) [[unlikely]]
      return doomed_sender(*self, core, slice_ended);
    return core;
  }
  if (BlockingSection* section = blocking_section()) {
    if (core == nullptr) core = section->core;
    if (core == section->core && !core->is_alive(section->pid)) return nullptr;
    return core;
  }
  if (core != nullptr) return core;
  // A message's destructor may send, wherever it runs; on a plain thread there is nobody it could send to.
  if (current_core() == nullptr && destruction_under_way()) return nullptr;
  return &core_here(call);
}

template <class Post>
[[gnu::noinline]] SendResult send_from_here(RuntimeCore* core, Envelope* envelope, Post post) {
  EnvelopePtr mine(envelope);
  RuntimeCore* const through = sending_core(core, "send");
  if (through == nullptr) return SendResult::no_process;
  return post(*through, mine.release());
}

[[gnu::noinline]] SendResult post_specially(RuntimeCore* core, Pid to, Envelope* envelope) {
  return send_from_here(core, envelope, [&](RuntimeCore& through, Envelope* mine) { return through.post(to, mine); });
}

}  // namespace

SendResult post(RuntimeCore* core, Pid to, Envelope* envelope) {
  if (scheduler::Worker* const worker = scheduler::Worker::here()) {
    auto* const self = static_cast<ControlBlock*>(worker->current());
    RuntimeCore& mine = local_of(*worker).core;
    // A process in the middle of its slice, which nobody wants to end, sends within its own runtime.
    if (self != nullptr && (core == nullptr || core == &mine) && self->budget != 1 &&
        self->life.load(std::memory_order_relaxed) == Life::alive) [[likely]] {
      --self->budget;
      return mine.post_from(*worker, to, envelope);
    }
  }
  return post_specially(core, to, envelope);
}
SendResult post(RuntimeCore* core, std::string_view name, Envelope* envelope) {
  return send_from_here(core, envelope, [&](RuntimeCore& through, Envelope* mine) { return through.post_by_name(name, mine); });
}
SendResult post(RuntimeCore* core, const Alias& alias, Envelope* envelope) {
  envelope->alias = RefAccess::number(alias);
  return post(core, RefAccess::owner(alias), envelope);
}

SendResult post_waiting(Pid to, Envelope* envelope, Duration timeout) {
  EnvelopePtr mine(envelope);
  ControlBlock& self = process_here("send_wait");
  RuntimeCore& core = *current_core();
  const std::int64_t deadline = core.deadline_after(timeout, "send_wait");
  ControlBlock* const block = core.slot_of(to);
  while (block != nullptr && core.is_alive(to) && block->bounded() && block->has_mailbox.load(std::memory_order_relaxed)) {
    if (core.take_room(*block, to) == RuntimeCore::Room::taken) {
      mine->counted = true;
      mine->stamp = to.generation();
      return core.push_message(*block, to, mine.release(), {});
    }
    if (deadline != kNever && core.scheduler.now_ns() >= deadline) {
      throw TimedOut("send_wait() to process " + to.to_string() + ": its mailbox of " +
                     std::to_string(block->capacity.load(std::memory_order_relaxed)) + " messages stayed full for " +
                     std::to_string(timeout.count()) + " ns");
    }
    auto fresh = std::make_unique<Extras>();  // Before the lock, in case it is needed.
    struct Leave {                            // However the wait ends: who was not woken takes itself off the list.
      ControlBlock& block;
      Pid self;
      ~Leave() {
        const std::lock_guard<base::SpinLock> hold(block.lock);
        if (block.extras) std::erase(block.extras->room_waiters, self);
      }
    } const leave{*block, self.pid};
    bool registered = false;
    {
      const std::lock_guard<base::SpinLock> hold(block->lock);
      if (RuntimeCore::is_tenant(*block, to)) {
        if (!block->extras) block->extras = std::move(fresh);
        block->extras->room_waiters.push_back(self.pid);
        block->room_wanted.store(true, std::memory_order_seq_cst);
        registered = true;
      }
    }
    base::explore_point("wait for room");
    const bool full = room_count(block->room_used.load(std::memory_order_seq_cst)) >= block->capacity.load(std::memory_order_relaxed);
    if (registered && full) {
      park(self, deadline, Waiting::room);
      core.drain(self);
      meet_doom(self);
    }
  }
  if (block != nullptr && block->bounded() && !core.is_alive(to)) {
    core.dead_letter(DeadLetterReason::no_process, to, {}, *mine.release());
    return SendResult::no_process;
  }
  return core.post(to, mine.release());
}

}  // namespace weft::detail

namespace weft::inline v0 {
namespace {

detail::Envelope* opened(Message message, const char* call) {
  detail::EnvelopePtr envelope = message.release();
  if (!envelope) throw BadArgument(std::string(call) + "() of an empty Message");
  envelope->kind = detail::EnvelopeKind::user;  // An Exit or Down that is passed on is a message like any other.
  envelope->counted = false;
  envelope->alias = 0;
  return envelope.release();
}

}  // namespace

SendResult send(Pid to, Message message) { return detail::post(nullptr, to, opened(std::move(message), "send")); }
SendResult send(std::string_view name, Message message) { return detail::post(nullptr, name, opened(std::move(message), "send")); }

std::string Destination::to_string() const {
  switch (kind_) {
    case Kind::pid:
      return pid_.to_string();
    case Kind::name:
      return "\"" + name_ + "\"";
    case Kind::alias:
      return "an alias of " + detail::RefAccess::owner(alias_).to_string();
  }
  return {};
}

}  // namespace weft
