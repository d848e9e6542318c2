// Exit signals, links and monitors. Each is received by its target when the call that sends it returns (control_block.hpp, C3).
#include <weft/signal.hpp>

#include "runtime/caller.hpp"

namespace weft::inline v0::detail {
namespace {

using Hold = std::lock_guard<base::SpinLock>;

/// Memory for a whole record; the envelope's type is set to the payload's after.
template <class Record>
constexpr MessageType record_type{.hash = 0,
                                  .info = &typeid(Record),
                                  .destroy = nullptr,
                                  .offset = 0,
                                  .bytes = sizeof(Record),
                                  .align = alignof(Record),
                                  .size_class = size_class_of(sizeof(Record), alignof(Record))};

/// Throws std::bad_alloc.
LinkRecord* make_link_record() {
  Envelope* memory = allocate_envelope(record_type<LinkRecord>);
  const std::uint8_t size_class = memory->size_class;
  auto* record = ::new (static_cast<void*>(memory)) LinkRecord{};
  record->envelope.type = &message_type<Exit>;
  record->envelope.kind = EnvelopeKind::exit;
  record->envelope.size_class = size_class;
  return record;
}

LinkRecord& link_record(registry::Hook& hook) noexcept {
  auto* half = reinterpret_cast<LinkRecord::Half*>(reinterpret_cast<std::byte*>(&hook) - offsetof(LinkRecord::Half, hook));
  // Which half it is: the first one's distance to the record is fixed, and the halves' pids differ (no process links itself).
  auto* first = reinterpret_cast<LinkRecord*>(reinterpret_cast<std::byte*>(half) - offsetof(LinkRecord, half));
  auto* second = reinterpret_cast<LinkRecord*>(reinterpret_cast<std::byte*>(half - 1) - offsetof(LinkRecord, half));
  return half->is_second ? *second : *first;
}

MonitorRecord& monitor_record(registry::Hook& hook) noexcept {
  return *reinterpret_cast<MonitorRecord*>(reinterpret_cast<std::byte*>(&hook) - offsetof(MonitorRecord, hook));
}

LinkRecord::Half& other_half(LinkRecord& record, const ControlBlock& self) noexcept {
  return record.half[record.half[0].pid == self.pid ? 1 : 0];
}

/// From the lists of both, under the locks of both.
void unhook(LinkRecord& record, ControlBlock& self, ControlBlock& other) noexcept {
  const int mine = record.half[0].pid == self.pid ? 0 : 1;
  self.links.remove(record.half[mine].hook);
  other.links.remove(record.half[1 - mine].hook);
}

}  // namespace

MonitorRecord* make_monitor_record() {
  Envelope* memory = allocate_envelope(record_type<MonitorRecord>);
  const std::uint8_t size_class = memory->size_class;
  auto* record = ::new (static_cast<void*>(memory)) MonitorRecord{};
  record->envelope.type = &message_type<Down>;
  record->envelope.kind = EnvelopeKind::down;
  record->envelope.size_class = size_class;
  return record;
}

Pid RuntimeCore::link_peer(registry::Hook& hook, const ControlBlock& self) noexcept { return other_half(link_record(hook), self).pid; }
MonitorRecord& RuntimeCore::monitor_of(registry::Hook& hook) noexcept { return monitor_record(hook); }

// --- exit signals ----------------------------------------------------------------------------------------------------------------

void RuntimeCore::exit_signal(Pid from, Pid to, const ExitReason& reason) {
  count(&Counters::exits);
  ControlBlock* const block = slot_of(to);
  if (block == nullptr || !to) return;
  base::explore_point("exit signal");
  EnvelopePtr message;  // Made before the lock, if it may be needed: traps are rare, so not for others.
  if (block->trap_exit.load(std::memory_order_relaxed)) message.reset(make_envelope<Exit>(Exit{from, reason}));
  bool wake = false;
  const bool is_kill = reason.kind() == atoms::kill && reason == ExitReason::kill;
  for (;;) {
    const Hold hold(block->lock);
    if (!is_tenant(*block, to) && !base::planted("exit signal: to any tenant")) return;
    const bool traps = block->trap_exit.load(std::memory_order_relaxed);
    if (is_kill) {
      wake = doom(*block, ExitReason::killed);
    } else if (traps) {
      if (!message) {
        // It began to trap between our look and the lock. Allocating is not for under a spin lock, but this is one in a million.
        message.reset(make_envelope<Exit>(Exit{from, reason}));
      }
      if (block->life.load(std::memory_order_relaxed) != Life::alive) return;
      message->kind = EnvelopeKind::exit;
      message->stamp = to.generation();
      switch (block->inbox.push(*message)) {
        case mailbox::Inbox::Push::woke:
          wake = true;
          [[fallthrough]];
        case mailbox::Inbox::Push::queued:
          (void)message.release();
          break;
        case mailbox::Inbox::Push::closed:
          break;
      }
    } else if (!reason.is_normal() || from == to) {
      wake = doom(*block, reason);
    }
    break;
  }
  if (wake) scheduler.ready(*block);
}

// What an exit signal from a link does to `survivor`, under its lock (EXR-6, rows "link, active").
RuntimeCore::Told RuntimeCore::link_exit(ControlBlock& survivor, const ExitReason& reason) noexcept {
  if (survivor.life.load(std::memory_order_relaxed) != Life::alive) return Told::nothing;
  if (survivor.trap_exit.load(std::memory_order_relaxed)) return Told::message;
  if (reason.is_normal()) return Told::nothing;
  return doom(survivor, reason) ? Told::wake : Told::nothing;
}

// --- links -----------------------------------------------------------------------------------------------------------------------

// Under both locks. A pair has at most one link (LNK-1); both lists are walked in step, so the shorter one decides the cost.
LinkRecord* RuntimeCore::find_link(ControlBlock& a, ControlBlock& b) noexcept {
  registry::Hook* of_a = a.links.front();
  registry::Hook* of_b = b.links.front();
  while (of_a != nullptr && of_b != nullptr) {
    LinkRecord& ra = link_record(*of_a);
    if (other_half(ra, a).pid == b.pid) return &ra;
    LinkRecord& rb = link_record(*of_b);
    if (other_half(rb, b).pid == a.pid) return &rb;
    of_a = a.links.after(*of_a);
    of_b = b.links.after(*of_b);
  }
  return nullptr;
}

void RuntimeCore::link(ControlBlock& self, Pid to) {
  if (to == self.pid) return;  // LNK-2
  ControlBlock* const block = slot_of(to);
  LinkRecord* record = make_link_record();
  bool missing = block == nullptr || !to;
  if (!missing) {
    const registry::LockPair hold(self.lock, block->lock);
    if (!is_tenant(*block, to)) {
      missing = true;
    } else if (find_link(self, *block) == nullptr) {
      record->half[0].pid = self.pid;
      record->half[1].pid = to;
      record->half[1].is_second = true;
      // Ending, but still in the table: `noproc` follows as an exit signal, and like every other one when the names are free (LIF-6).
      record->half[1].too_late = block->life.load(std::memory_order_relaxed) != Life::alive;
      self.links.push_back(record->half[0].hook);
      block->links.push_back(record->half[1].hook);
      record = nullptr;
      count(&Counters::links);
    }
  }
  if (missing && self.trap_exit.load(std::memory_order_relaxed)) {
    record->exit = Exit{to, ExitReason::noproc};
    if (push_signal(self.pid, record->envelope)) record = nullptr;
    missing = false;
  }
  if (record != nullptr) destroy_envelope(&record->envelope);
  if (missing) throw NoSuchProcess("link(): there is no process " + to.to_string());
}

void RuntimeCore::unlink(ControlBlock& self, Pid to) noexcept {
  ControlBlock* const block = slot_of(to);
  if (block == nullptr || to == self.pid) return;
  LinkRecord* record = nullptr;
  {
    const registry::LockPair hold(self.lock, block->lock);
    // Also when `to` died and its links are being told: the record hangs on both lists until then, and after it we are told nothing.
    if (block->pid != to) return;
    record = find_link(self, *block);
    if (record == nullptr) return;
    unhook(*record, self, *block);
  }
  count(&Counters::links, static_cast<std::uint64_t>(-1));
  destroy_envelope(&record->envelope);
}

// LIF-5, step 7. One link at a time, so that no lock is held for long, however many there are (LNK-10).
void RuntimeCore::tell_links(ControlBlock& self) noexcept {
  for (;;) {
    Pid peer;
    {
      const Hold hold(self.lock);
      registry::Hook* hook = self.links.front();
      if (hook == nullptr) return;
      peer = other_half(link_record(*hook), self).pid;
    }
    ControlBlock& other = *slot_of(peer);
    LinkRecord* record = nullptr;
    Told told = Told::nothing;
    bool wake = false;
    {
      const registry::LockPair hold(self.lock, other.lock);
      registry::Hook* hook = self.links.front();
      const bool looks_again = !base::planted("links: told without a second look");
      if (looks_again && (hook == nullptr || other_half(link_record(*hook), self).pid != peer)) continue;  // Unlinked meanwhile.
      record = &link_record(*hook);
      unhook(*record, self, other);
      const bool too_late = record->half[record->half[0].pid == self.pid ? 0 : 1].too_late;
      const ExitReason& reason = too_late ? ExitReason::noproc : self.reason;
      told = link_exit(other, reason);
      if (told == Told::message) {
        record->exit = Exit{self.pid, reason};
        record->envelope.stamp = peer.generation();
        switch (other.inbox.push(record->envelope)) {
          case mailbox::Inbox::Push::woke:
            wake = true;
            [[fallthrough]];
          case mailbox::Inbox::Push::queued:
            record = nullptr;
            break;
          case mailbox::Inbox::Push::closed:
            break;
        }
      }
    }
    count(&Counters::links, static_cast<std::uint64_t>(-1));
    count(&Counters::exits);
    if (wake || told == Told::wake) scheduler.ready(other);
    if (record != nullptr) destroy_envelope(&record->envelope);
  }
}

// --- monitors --------------------------------------------------------------------------------------------------------------------

void RuntimeCore::tie_child(ControlBlock& parent, ControlBlock& child, bool linked, const MonitorOptions* monitored, MonitorRef& ref) {
  LinkRecord* link = nullptr;
  MonitorRecord* record = nullptr;
  try {
    if (linked) link = make_link_record();
    if (monitored != nullptr) record = make_monitor_record();
    const registry::LockPair hold(parent.lock, child.lock);
    if (record != nullptr) {
      const std::uint64_t number = parent.saved.next_number();
      RefEntry entry{.number = number, .record = record};
      if (monitored->alias) {
        entry.mode = *monitored->alias;
        entry.alias_active = true;
      }
      parent.refs.add(entry);
      ref = RefAccess::monitor(parent.pid, number, monitored->alias.has_value());
      record->down.ref = ref;
      record->down.pid = child.pid;
      record->down.tag = monitored->tag;
      child.monitored_by.push_back(record->hook);
    }
    if (link != nullptr) {
      link->half[0].pid = parent.pid;
      link->half[1].pid = child.pid;
      link->half[1].is_second = true;
      parent.links.push_back(link->half[0].hook);
      child.links.push_back(link->half[1].hook);
    }
  } catch (...) {
    if (link != nullptr) destroy_envelope(&link->envelope);
    if (record != nullptr) destroy_envelope(&record->envelope);
    throw;
  }
  if (link != nullptr) count(&Counters::links);
  if (record != nullptr) count(&Counters::monitors);
}

MonitorRef RuntimeCore::monitor(ControlBlock& self, Pid to, std::string_view name, const MonitorOptions& options, bool for_call) {
  MonitorRecord* const record = make_monitor_record();
  ControlBlock* const block = to ? slot_of(to) : nullptr;
  MonitorRef ref;
  bool down = true;
  try {
    if (!name.empty()) record->down.name = name;
    record->down.pid = to;
    record->down.tag = options.tag;
    const registry::LockPair hold(self.lock, block != nullptr ? block->lock : self.lock);
    const std::uint64_t number = self.saved.next_number();
    ref = RefAccess::monitor(self.pid, number, options.alias.has_value());
    record->down.ref = ref;
    RefEntry entry{.number = number, .record = record, .for_call = for_call};
    if (for_call) record->envelope.kind = EnvelopeKind::lost;
    if (options.alias) {
      entry.mode = *options.alias;
      entry.alias_active = true;
    }
    self.refs.add(entry);
    if (block != nullptr && is_tenant(*block, to)) {
      // MON-11: one that is ending answers noproc, not its reason; but when it is dead, as others are told, so that whoever has the Down
      // finds its names free (LIF-6).
      record->too_late = block->life.load(std::memory_order_relaxed) != Life::alive;
      block->monitored_by.push_back(record->hook);
      down = false;
    }
  } catch (...) {
    destroy_envelope(&record->envelope);
    throw;
  }
  count(&Counters::monitors);
  if (down) {
    record->down.reason = ExitReason::noproc;
    count(&Counters::monitors, static_cast<std::uint64_t>(-1));
    if (!push_signal(self.pid, record->envelope)) destroy_envelope(&record->envelope);
  }
  return ref;
}

bool RuntimeCore::withdraw(ControlBlock& self, std::uint64_t number) noexcept {
  ControlBlock* block = &self;
  {
    // Nobody but us changes the table, except senders that sort a shared queue.
    std::unique_lock<base::SpinLock> hold(self.lock, std::defer_lock);
    if (self.shares_queue()) hold.lock();
    RefEntry* entry = self.refs.find(number);
    if (entry == nullptr) return false;
    if (entry->record != nullptr && entry->record->down.pid) {
      if (ControlBlock* target = slot_of(entry->record->down.pid)) block = target;
    }
  }
  MonitorRecord* record = nullptr;
  bool was_there = false;
  {
    const registry::LockPair hold(self.lock, block->lock);
    RefEntry* entry = self.refs.find(number);
    if (entry == nullptr) return false;
    record = std::exchange(entry->record, nullptr);
    was_there = record != nullptr;
    entry->replied = false;
    if (was_there && entry->mode != AliasMode::explicit_unalias && entry->mode != AliasMode::reply) entry->alias_active = false;
    if (!entry->in_use()) self.refs.fell_out_of_use(*entry);
    if (record != nullptr && record->hook.is_linked()) {
      block->monitored_by.remove(record->hook);
    } else {
      record = nullptr;  // Fired: it is in our inbox, or on the way, and will be dropped there (receive_special).
    }
  }
  if (record != nullptr) {
    count(&Counters::monitors, static_cast<std::uint64_t>(-1));
    destroy_envelope(&record->envelope);
  }
  return was_there;
}

bool RuntimeCore::demonitor(ControlBlock& self, const MonitorRef& ref, const DemonitorOptions& options) {
  if (RefAccess::owner(ref) != self.pid) return !options.info || options.flush;  // MON-7; nothing had to be flushed (MON-6).
  drain(self);  // So that a Down that is here already counts as received (MON-6).
  const bool found = withdraw(self, RefAccess::number(ref));
  bool flushed = false;
  // Not inside a predicate: the Down that is looked at there must stay where it is.
  if (!found && options.flush && self.no_suspend == 0) flushed = take_down(self, RefAccess::number(ref));
  if (!options.info) return true;
  return options.flush ? !flushed : found;
}

bool RuntimeCore::take_down(ControlBlock& self, std::uint64_t number) noexcept {
  Envelope* found = nullptr;
  {
    const Hold hold(self.lock);
    for (Envelope* at = self.saved.first_after(number); at != nullptr; at = at->next) {
      if (is_down(at->kind) && RefAccess::number(reinterpret_cast<MonitorRecord*>(at)->down.ref) == number) {
        found = at;
        self.saved.remove(*at);
        break;
      }
    }
  }
  if (found != nullptr) destroy_message(*found);
  return found != nullptr;
}

// LIF-5, step 8, the monitors the dying process held (MON-8).
void RuntimeCore::withdraw_monitors(ControlBlock& self) noexcept {
  if (self.call.is_open()) withdraw_call(self);
  if (Envelope* const answer = self.call.take()) self.saved.append(*answer);  // To go with what else was not read.
  for (;;) {
    std::uint64_t number = 0;
    {
      const Hold hold(self.lock);
      const RefEntry* entry = self.refs.youngest();
      if (entry == nullptr) break;
      number = entry->number;
      if (entry->record == nullptr) {
        self.refs.drop_youngest();
        continue;
      }
    }
    (void)withdraw(self, number);
    const Hold hold(self.lock);
    if (self.refs.find(number) != nullptr) self.refs.drop_youngest();  // Its alias alone was left.
  }
  const Hold hold(self.lock);
  self.refs.clear();
  self.replies_pending = false;
}

// LIF-5, step 8, those who watch it.
void RuntimeCore::tell_watchers(ControlBlock& self) noexcept {
  for (;;) {
    MonitorRecord* record = nullptr;
    {
      const Hold hold(self.lock);
      registry::Hook* hook = self.monitored_by.front();
      if (hook == nullptr) return;
      self.monitored_by.remove(*hook);
      record = &monitor_record(*hook);
    }
    // Ours alone now: a watcher that demonitors meanwhile finds the hook off and leaves the record to its inbox.
    record->down.reason = record->too_late ? ExitReason::noproc : self.reason;
    count(&Counters::monitors, static_cast<std::uint64_t>(-1));
    count(&Counters::downs);
    if (!push_signal(RefAccess::owner(record->down.ref), record->envelope)) destroy_envelope(&record->envelope);
  }
}

}  // namespace weft::detail

// --- the public calls ------------------------------------------------------------------------------------------------------------

namespace weft::inline v0 {

using detail::ControlBlock;
using detail::current_core;
using detail::process_here;
using detail::process_here_even_exiting;
using detail::RefAccess;

namespace {

void signal_exit(const char* call, Pid pid, const ExitReason& reason) {
  detail::RuntimeCore& core = detail::core_here(call);
  ControlBlock* self = detail::current_process();
  core.exit_signal(weft::self(), pid, reason);
  if (self != nullptr) detail::checkpoint(*self);  // To oneself it is acted on before the return (ORD-8).
}

}  // namespace

void exit(Pid pid, ExitReason reason) { signal_exit("exit", pid, reason); }
void kill(Pid pid) { signal_exit("kill", pid, ExitReason::kill); }

void link(Pid pid) {
  ControlBlock& self = process_here("link");
  current_core()->link(self, pid);
  detail::meet_doom(self);
}

void unlink(Pid pid) {
  // A message's destructor outside any process has nothing to unlink (CPP-2); the same for demonitor().
  if (detail::current_process() == nullptr && detail::destruction_under_way()) return;
  ControlBlock& self = process_here_even_exiting("unlink");
  current_core()->unlink(self, pid);
}

MonitorRef monitor(Pid pid, MonitorOptions options) {
  ControlBlock& self = process_here("monitor");
  return current_core()->monitor(self, pid, {}, options);
}

MonitorRef monitor(std::string_view name, MonitorOptions options) {
  ControlBlock& self = process_here("monitor");
  const std::optional<Pid> pid = current_core()->whereis(name);
  return current_core()->monitor(self, pid.value_or(Pid{}), name, options);
}

bool demonitor(MonitorRef ref, DemonitorOptions options) {
  if (detail::current_process() == nullptr && detail::destruction_under_way()) return !options.info;
  ControlBlock& self = process_here_even_exiting("demonitor");
  return current_core()->demonitor(self, ref, options);
}

Alias make_alias(AliasMode mode) {
  ControlBlock& self = process_here("make_alias");
  if (mode != AliasMode::explicit_unalias && mode != AliasMode::reply) {
    throw BadArgument("make_alias() with a mode that belongs to monitors: give it to monitor()");
  }
  const std::lock_guard<base::SpinLock> hold(self.lock);
  const std::uint64_t number = self.saved.next_number();
  self.refs.add({.number = number, .mode = mode, .alias_active = true});
  return RefAccess::alias(self.pid, number);
}

bool unalias(Alias alias) {
  ControlBlock& self = process_here_even_exiting("unalias");
  if (RefAccess::owner(alias) != self.pid) return false;
  current_core()->drain(self);  // What came before this call came through an alias that was on.
  const std::lock_guard<base::SpinLock> hold(self.lock);
  detail::RefEntry* entry = self.refs.find(RefAccess::number(alias));
  if (entry == nullptr || !entry->alias_active) return false;
  entry->alias_active = false;
  if (!entry->in_use()) self.refs.fell_out_of_use(*entry);
  return true;
}

Ref make_ref() {
  ControlBlock& self = process_here("make_ref");
  current_core()->drain(self);  // So that what is here already is older than the reference (RCV-11).
  const std::lock_guard<base::SpinLock> hold(self.lock);
  return RefAccess::ref(self.pid.id(), self.saved.next_number());
}

}  // namespace weft
