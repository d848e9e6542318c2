#include <weft/receive.hpp>

#include <algorithm>

#include "mailbox/base/spin_wait.hpp"
#include "runtime/caller.hpp"

namespace weft::inline v0::detail {

// --- references ------------------------------------------------------------------------------------------------------------------

void RefTable::add(const RefEntry& entry) {
  if (lists_ == nullptr) lists_ = std::make_unique<Lists>();
  // Room for each entry to be replied to, so that add_replied() needs none.
  if (lists_->replied.capacity() <= lists_->entries.size()) lists_->replied.reserve(std::max<std::size_t>(4, 2 * lists_->entries.size()));
  lists_->entries.push_back(entry);
}

std::uint64_t RefTable::take_replied() noexcept {
  if (lists_ == nullptr || lists_->replied.empty()) return 0;
  const std::uint64_t number = lists_->replied.back();
  lists_->replied.pop_back();
  return number;
}

RefEntry* RefTable::find(std::uint64_t number) noexcept {
  if (lists_ == nullptr || lists_->entries.empty()) return nullptr;
  std::vector<RefEntry>& entries = lists_->entries;
  if (entries.back().number == number) return &entries.back();  // The one of a call under way.
  const auto at =
      std::lower_bound(entries.begin(), entries.end(), number, [](const RefEntry& entry, std::uint64_t n) { return entry.number < n; });
  return at != entries.end() && at->number == number && at->in_use() ? &*at : nullptr;
}

void RefTable::fell_out_of_use(const RefEntry& entry) noexcept {
  std::vector<RefEntry>& entries = lists_->entries;
  if (&entry == &entries.back()) {
    entries.pop_back();
    while (!entries.empty() && !entries.back().in_use()) {
      entries.pop_back();
      --lists_->unused;
    }
    return;
  }
  // Removal from the middle leaves a hole; half holes are squeezed out, so that a storm of DOWNs costs each a constant.
  if (++lists_->unused > 16 && lists_->unused > entries.size() / 2) {
    std::erase_if(entries, [](const RefEntry& one) { return !one.in_use(); });
    lists_->unused = 0;
  }
}

void RefTable::clear() noexcept {
  if (lists_ == nullptr) return;
  if (lists_->entries.capacity() > kKept) {
    lists_.reset();
  } else {
    lists_->entries.clear();
    lists_->replied.clear();
    lists_->unused = 0;
  }
}

// --- from the inbox to the save queue --------------------------------------------------------------------------------------------

namespace {

// `sorting` is odd in between, for depth().
void begin_sorting(ControlBlock& block) noexcept {
  // relaxed, and before the take: that is a release.
  block.sorting.store(block.sorting.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}
void end_sorting(ControlBlock& block) noexcept {
  // release, and after the sizes: pairs with the acquire in depth().
  block.sorting.store(block.sorting.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

}  // namespace

[[gnu::noinline]] void RuntimeCore::drain_plain(ControlBlock& self) noexcept {
  begin_sorting(self);
  const mailbox::Inbox::Taken taken = self.inbox.take_newest_first();
  if (taken.newest->next == nullptr && mailbox::is_ordinary(*taken.newest, self.pid.generation())) {
    self.saved.append(*taken.newest);
    return end_sorting(self);
  }
  const mailbox::SaveQueue::Arrived arrived = self.saved.number_ordinary(taken, self.pid.generation());
  if (arrived.rest != nullptr) [[unlikely]]
    return finish_drain(self, arrived);
  self.saved.append(arrived, taken);
  end_sorting(self);
}

[[gnu::noinline]] void RuntimeCore::finish_drain(ControlBlock& self, mailbox::SaveQueue::Arrived arrived) noexcept {
  RuntimeCore& core = *current_core();
  Envelope* rest = mailbox::SaveQueue::unnumbered(arrived, self.pid.generation());
  Envelope* const behind = rest->next;
  if (core.take_as_answer(self, *rest)) {
    if (behind == nullptr) return end_sorting(self);
    rest = behind;
  }
  Envelope* const dropped = core.sort_chain(self, rest, Locked::no);
  end_sorting(self);
  core.after_drain(self, dropped, self.replies_pending);
}

Envelope* RuntimeCore::sort_in(ControlBlock& block, Locked locked) noexcept {
  begin_sorting(block);
  Envelope* const arrived = locked == Locked::no ? block.inbox.take_all() : block.inbox.take_all_for_owner();
  Envelope* const dropped = sort_chain(block, arrived, locked);
  end_sorting(block);
  return dropped;
}

Envelope* RuntimeCore::sort_chain(ControlBlock& block, Envelope* arrived, Locked locked) noexcept {
  Envelope* dropped = nullptr;
  Envelope* next = nullptr;
  const std::uint64_t generation = block.pid.generation();
  for (Envelope* envelope = arrived; envelope != nullptr; envelope = next) {
    next = envelope->next;
    if (mailbox::is_ordinary(*envelope, generation)) [[likely]] {
      block.saved.append(*envelope);
      continue;
    }
    if (locked == Locked::no && take_as_answer(block, *envelope)) continue;
    if (locked == Locked::no) block.lock.lock();
    const bool wanted = receive_special(block, *envelope);
    if (locked == Locked::no) block.lock.unlock();
    if (wanted) {
      block.saved.append(*envelope);
    } else if (envelope->kind != EnvelopeKind::kick) {
      envelope->next = dropped;
      dropped = envelope;
    }
  }
  return dropped;
}

std::size_t RuntimeCore::depth(const ControlBlock& block) noexcept {
  // Messages that are on their way from the inbox to the save queue are in neither count: look again. The owner's part of that calls no
  // code of the user's, so this ends, as soon as the owner has a core.
  for (base::SpinWait wait;; wait.once()) {
    const std::uint32_t before = block.sorting.load(std::memory_order_acquire);
    const std::size_t answers = block.call.has_answer() ? 1 : 0;
    const std::size_t depth = block.inbox.count() + block.saved.size() + answers;
    std::atomic_thread_fence(std::memory_order_acquire);
    if (before % 2 == 0 && block.sorting.load(std::memory_order_relaxed) == before) return depth;
  }
}

// Under the lock. Whether the envelope enters the message queue.
bool RuntimeCore::receive_special(ControlBlock& block, Envelope& envelope) noexcept {
  if (envelope.kind == EnvelopeKind::kick) {
    block.kick_pending = false;
    return false;
  }
  if (envelope.stamp != block.pid.generation()) return false;  // For a predecessor in the slot (I5).
  if (is_down(envelope.kind)) {
    RefEntry* entry = block.refs.find(RefAccess::number(reinterpret_cast<MonitorRecord&>(envelope).down.ref));
    if (entry == nullptr || entry->record == nullptr || entry->replied) {
      if (entry != nullptr && entry->replied) entry->record = nullptr;  // Ended by its reply; the record is this envelope.
      return false;                                                     // MON-6: no DOWN after demonitor.
    }
    entry->record = nullptr;
    const bool for_call = entry->for_call;
    if (entry->mode == AliasMode::demonitor || entry->mode == AliasMode::reply_demonitor) entry->alias_active = false;
    if (!entry->in_use()) block.refs.fell_out_of_use(*entry);
    return for_call || block.has_mailbox.load(std::memory_order_relaxed);  // MBX-2
  }
  if (envelope.alias != 0) {
    RefEntry* entry = block.refs.find(envelope.alias);
    if (entry == nullptr || !entry->alias_active) return false;  // ALI-1
    if (entry->for_call && envelope.kind != EnvelopeKind::reply) return false;
    if (entry->mode == AliasMode::reply || entry->mode == AliasMode::reply_demonitor) {
      entry->alias_active = false;
      if (entry->record != nullptr && entry->mode == AliasMode::reply_demonitor) {
        entry->replied = true;
        block.refs.add_replied(entry->number);
        block.replies_pending = true;
      } else if (!entry->in_use()) {
        block.refs.fell_out_of_use(*entry);
      }
    }
  }
  return true;
}

bool RuntimeCore::drain_specially(ControlBlock& self) noexcept {
  const bool shared = self.shares_queue();
  base::explore_point("drain: is there mail");
  const bool anything = self.inbox.has_mail();
  if (!anything && !shared) return false;
  Envelope* dropped = nullptr;
  bool replies = false;
  if (shared) {
    const std::lock_guard<base::SpinLock> hold(self.lock);
    if (anything) dropped = sort_in(self, Locked::already);
    replies = self.replies_pending;
  } else {
    dropped = sort_in(self, Locked::no);
    replies = self.replies_pending;
  }
  after_drain(self, dropped, replies);
  return anything;
}

void RuntimeCore::after_drain(ControlBlock& self, Envelope* dropped, bool replies) noexcept {
  if (replies) withdraw_replied(self);
  for (Envelope* at = dropped; at != nullptr; at = at->next) report_dropped(self, *at);
  discard_dropped(dropped, self);
}

void RuntimeCore::report_dropped(ControlBlock& self, Envelope& envelope) noexcept {
  if (envelope.alias == 0 || is_down(envelope.kind) || envelope.stamp != self.pid.generation()) return;
  count(&Counters::dead_letters);
  if (!options.dead_letters) return;
  try {
    options.dead_letters(DeadLetter{DeadLetterReason::alias_off, self.pid, {}, type_name(*envelope.type)});
  } catch (...) {
    // A sink's failure is its own (CPP-24).
  }
}

void RuntimeCore::withdraw_replied(ControlBlock& self) noexcept {
  for (;;) {
    std::uint64_t number = 0;
    {
      std::unique_lock<base::SpinLock> hold(self.lock, std::defer_lock);
      if (self.shares_queue()) hold.lock();  // As in withdraw().
      number = self.refs.take_replied();
      if (number == 0) {
        self.replies_pending = false;
        return;
      }
    }
    (void)withdraw(self, number);
  }
}

void RuntimeCore::left_mailbox(ControlBlock& block, Envelope& envelope) noexcept {
  if (envelope.counted) {
    envelope.counted = false;
    free_room(block, block.pid.generation());
  }
}

void RuntimeCore::discard_dropped(Envelope* chain, ControlBlock& block) noexcept {
  while (chain != nullptr) {
    Envelope& envelope = *chain;
    chain = chain->next;
    // Its stamp still is that of the tenant whose place it took: perhaps a predecessor's.
    if (envelope.counted) free_room(block, envelope.stamp);
    destroy_message(envelope);
  }
}

void RuntimeCore::discard(Envelope* chain) noexcept {
  while (chain != nullptr) {
    Envelope& envelope = *chain;
    chain = chain->next;
    if (envelope.kind != EnvelopeKind::kick) destroy_message(envelope);  // A kick is part of a control block.
  }
}

// --- one receive -----------------------------------------------------------------------------------------------------------------

namespace {

[[noreturn, gnu::noinline]] void refuse_without_mailbox(const ControlBlock& self, const char* call) {
  throw NoMailbox(std::string(call) + "() in process " + self.pid.to_string() + ", which was spawned without a mailbox");
}

}  // namespace

Reception::Reception(const char* call, std::uint64_t since) : looked_at_(since) {
  ControlBlock* const self = current_process();
  if (self == nullptr || !may_call(*self) || !self->plain_mailbox.load(std::memory_order_relaxed)) [[unlikely]]
    begin_specially(call);
  else {
    --self->budget;
    self_ = self;
  }
}

[[gnu::noinline]] void Reception::begin_specially(const char* call) {
  self_ = &process_here(call);
  if (!self_->has_mailbox.load(std::memory_order_relaxed)) refuse_without_mailbox(*self_, call);
  shared_ = self_->shares_queue();
  simple_ = !shared_;
}

Reception::Reception(const char* call, Duration timeout, std::uint64_t since) : Reception(call, since) {
  timed_ = true;
  simple_ = false;
  look_once_ = timeout == Duration::zero();
  if (!look_once_) deadline_ns_ = current_core()->deadline_after(timeout, call);
}

[[gnu::noinline]] void Reception::unpin() noexcept {
  const std::lock_guard<base::SpinLock> hold(self_->lock);
  self_->pinned = nullptr;
}

inline void Reception::meet_doom() {
  if (self_->life.load(std::memory_order_relaxed) == Life::alive) [[likely]]
    return;
  if (shared_) unpin();
  meet_doom_now(*self_);
}

inline Envelope* Reception::look_further() noexcept {
  // `at_` was looked at and left: it is in the queue still, for nobody but us takes from it, and evictors leave a pinned one alone.
  return look_from(at_ != nullptr ? at_->next : looked_at_ == 0 ? self_->saved.front() : self_->saved.first_after(looked_at_));
}

inline Envelope* Reception::look_from(Envelope* candidate) noexcept {
  while (candidate != nullptr && is_answer(candidate->kind)) candidate = candidate->next;
  if (candidate != nullptr) {
    at_ = candidate;
    looked_at_ = candidate->stamp;
  }
  return candidate;
}

[[gnu::noinline]] Envelope* Reception::look_further_shared() noexcept {
  const std::lock_guard<base::SpinLock> hold(self_->lock);
  Envelope* const candidate = look_further();
  if (candidate != nullptr) self_->pinned = candidate;
  return candidate;
}

inline Envelope* Reception::look() noexcept {
  if (shared_) [[unlikely]]
    return look_further_shared();
  return look_further();
}

Envelope* Reception::next() {
  if (at_ == nullptr && simple_ && looked_at_ == 0) [[likely]] {
    if (Envelope* candidate = look_from(self_->saved.front())) return candidate;
    return first_arrived();
  }
  return look_again();
}

[[gnu::noinline]] Envelope* Reception::look_again() {
  // A predicate may have taken in what came (demonitor, unalias), a terminating signal with it.
  if (at_ != nullptr) meet_doom();
  if (Envelope* candidate = look()) return candidate;
  return next_arrived();
}

// The common receive, in fewest steps: waits as long as it takes, and has looked at nothing. What it does, next_arrived() says.
[[gnu::noinline]] Envelope* Reception::first_arrived() {
  for (;;) {
    RuntimeCore::drain(*self_);
    meet_doom();
    if (Envelope* candidate = look_from(self_->saved.front())) return candidate;
    park_for_ever(*self_, Waiting::message);
  }
}

[[gnu::noinline]] Envelope* Reception::next_arrived() {
  // Where the queue is shared, a sender may drain for us, just before or while we do or sleep: look in any case.
  bool more = RuntimeCore::drain(*self_) || shared_;
  for (;;) {
    // A terminating signal that came before one of these messages is met first (ORD-7). In any case: with its kick taken in, by a predicate
    // or a sender, nothing would wake us any more.
    meet_doom();
    if (more) {
      if (Envelope* candidate = look()) return candidate;
      more = RuntimeCore::drain(*self_);
      if (more) continue;
    }
    if (timed_ || shared_) [[unlikely]] {
      if (!wait()) return nullptr;
    } else {
      park_for_ever(*self_, Waiting::message);
    }
    RuntimeCore::drain(*self_);
    more = true;
  }
}

void Reception::take(Envelope& envelope) {
  at_ = nullptr;
  if (shared_) [[unlikely]]
    return take_shared(envelope);
  self_->saved.remove(envelope);
  if (envelope.counted) [[unlikely]]
    return current_core()->left_mailbox(*self_, envelope);
}

[[gnu::noinline]] void Reception::take_shared(Envelope& envelope) {
  bool waited_for = false;
  {
    const std::lock_guard<base::SpinLock> hold(self_->lock);
    self_->saved.remove(envelope);
    self_->pinned = nullptr;
    // With its place, so that a sender which finds nothing to evict finds room.
    if (std::exchange(envelope.counted, false)) waited_for = RuntimeCore::give_room(*self_, self_->pid.generation());
  }
  if (waited_for) current_core()->tell_room_waiters(*self_);
}

[[gnu::noinline]] bool Reception::wait() {
  if (shared_) [[unlikely]] {
    unpin();
    at_ = nullptr;  // It may be evicted while we sleep. looked_at_ remembers the place.
  }
  if (look_once_) return false;
  const std::int64_t deadline_ns = timed_ ? deadline_ns_ : kNever;
  if (deadline_ns != kNever && current_core()->scheduler.now_ns() >= deadline_ns) return false;
  park(*self_, deadline_ns, Waiting::message);
  return true;
}

Reception::Guard::Guard(Reception& reception) noexcept : reception_(reception) { ++reception_.self_->no_suspend; }
Reception::Guard::~Guard() {
  --reception_.self_->no_suspend;
  if (threw_ && reception_.shared_) reception_.unpin();
}

std::uint64_t number_to_receive_since(Ref ref) {
  ControlBlock& self = process_here("receive_since");
  if (RefAccess::owner(ref) != self.pid.id()) {
    throw BadArgument("receive_since() with a reference that process " + self.pid.to_string() + " did not make");
  }
  return RefAccess::number(ref);
}

}  // namespace weft::detail

namespace weft::inline v0 {

Message receive_any() {
  return receive([](Message message) { return message; });
}

std::optional<Message> receive_any_for(Duration d) {
  return receive([](Message message) { return std::optional<Message>(std::move(message)); },
                 after(d, [] { return std::optional<Message>(); }));
}

}  // namespace weft
