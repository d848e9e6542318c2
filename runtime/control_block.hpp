// One process: what the four layers keep of it, in one slot of the process table.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <weft/exit_reason.hpp>
#include <weft/message.hpp>
#include <weft/pid.hpp>
#include <weft/process.hpp>
#include <weft/ref.hpp>

#include "mailbox/base/cache_line.hpp"
#include "mailbox/base/spin_lock.hpp"
#include "mailbox/inbox.hpp"
#include "mailbox/save_queue.hpp"
#include "registry/relation.hpp"
#include "scheduler/backtrace.hpp"
#include "scheduler/fiber.hpp"
#include "scheduler/timer_wheel.hpp"

namespace weft::inline v0::detail {

struct MonitorRecord;

/// Where a process stands in its life (LIF-2). Written under the process's lock.
enum class Life : std::uint8_t {
  dead,  // no tenant
  alive,
  doomed,   // a terminating signal was received: the reason is fixed, the body has not met it yet
  exiting,  // the stack unwinds, or the exit sequence runs
};

inline constexpr std::uint32_t kProcessTimer = 1;  // TimerNode::tag of a wait's deadline
inline constexpr std::uint32_t kMessageTimer = 2;  // of a TimerRecord
inline constexpr std::uint32_t kCensusTimer = 3;   // of the CensusTask

/// What a suspended process waits for; for observers.
enum class Waiting : std::uint8_t { nothing, message, sleep, call, join, blocking, descriptor, room, stream, hibernated };
/// "message", "sleep" and so on; empty for nothing.
[[nodiscard]] std::string_view text_of(Waiting waiting) noexcept;

/// An active alias or a monitor held, by its number (MON-1, ALI-1).
struct RefEntry {
  std::uint64_t number = 0;
  MonitorRecord* record = nullptr;  // null: an alias alone, or withdrawn
  AliasMode mode = AliasMode::explicit_unalias;
  bool alias_active = false;
  bool for_call = false;  // of a call: only its reply comes through the alias
  bool replied = false;   // a message ended it: the owner withdraws the monitor when it next looks (RuntimeCore::withdraw_replied)
  [[nodiscard]] bool in_use() const noexcept { return record != nullptr || alias_active || replied; }
};

/// References of one process by growing number. Entries are changed by the owner under its lock and read by others under it. `replied` is
/// the owner's; where senders sort a shared queue it is under the lock too.
class RefTable {
 public:
  /// Throws std::bad_alloc.
  void add(const RefEntry& entry);
  /// Entries whose monitor a message ended, to be withdrawn by the owner. Needs no memory.
  void add_replied(std::uint64_t number) noexcept { lists_->replied.push_back(number); }
  /// Zero: there is none.
  [[nodiscard]] std::uint64_t take_replied() noexcept;
  [[nodiscard]] RefEntry* find(std::uint64_t number) noexcept;
  /// `entry` is one of ours, and of no use any more.
  void fell_out_of_use(const RefEntry& entry) noexcept;
  /// The youngest entry, null when there is none; and its removal, when all are to go.
  [[nodiscard]] RefEntry* youngest() noexcept { return lists_ == nullptr || lists_->entries.empty() ? nullptr : &lists_->entries.back(); }
  void drop_youngest() noexcept { lists_->entries.pop_back(); }
  /// Whether clear() would find nothing, neither entries nor much memory.
  [[nodiscard]] bool is_clear() const noexcept {
    return lists_ == nullptr || (lists_->entries.empty() && lists_->replied.empty() && lists_->entries.capacity() <= kKept);
  }
  void clear() noexcept;
  template <class Visit>
  void for_each(Visit visit) const {
    if (lists_ == nullptr) return;
    for (const RefEntry& entry : lists_->entries) {
      if (entry.in_use()) visit(entry);
    }
  }

 private:
  struct Lists {
    std::vector<RefEntry> entries;  // the last one is in use
    std::vector<std::uint64_t> replied;
    std::size_t unused = 0;
  };
  static constexpr std::size_t kKept = 16;  // entries whose memory the next tenant may have
  std::unique_ptr<Lists> lists_;            // made at the first entry; most processes have none
};

/// A call or request that waits for its answer. Most processes have one at a time, which has its place here; those made meanwhile, and
/// those of processes with another than a plain mailbox, are entries of the RefTable.
///
/// The owner's, and used without its lock; observers read the state.
class CallSlot {
 public:
  [[nodiscard]] bool is_free() const noexcept { return state() == 0; }
  /// Whether no answer came yet: monitor and alias are there.
  [[nodiscard]] bool is_open() const noexcept { return static_cast<std::int64_t>(state()) > 0; }
  [[nodiscard]] bool has_answer() const noexcept { return static_cast<std::int64_t>(state()) < 0; }
  /// For observers: the number while it is open, else 0.
  [[nodiscard]] std::uint64_t open_number() const noexcept {
    const std::uint64_t now = state();
    return (now & kAnswered) == 0 ? now : 0;
  }
  /// Of the call's monitor and alias; 0 where the slot is free.
  [[nodiscard]] std::uint64_t number() const noexcept { return state() & ~kAnswered; }
  /// While it is open.
  [[nodiscard]] MonitorRecord& record() const noexcept { return *record_; }

  void open(std::uint64_t number, MonitorRecord& record) noexcept {
    record_ = &record;
    state_.store(number, std::memory_order_relaxed);
  }
  /// Monitor and alias have ended.
  void put_answer(Envelope& answer) noexcept {
    answer_ = &answer;
    state_.store(state() | kAnswered, std::memory_order_relaxed);
  }
  /// Frees the slot, of which the monitor has ended. The answer, null if there is none.
  Envelope* take() noexcept {
    Envelope* const answer = has_answer() ? answer_ : nullptr;
    state_.store(0, std::memory_order_relaxed);
    return answer;
  }

 private:
  static constexpr std::uint64_t kAnswered = std::uint64_t{1} << 63;
  [[nodiscard]] std::uint64_t state() const noexcept { return state_.load(std::memory_order_relaxed); }

  std::atomic<std::uint64_t> state_{0};  // the number, with kAnswered; 0: free
  union {
    MonitorRecord* record_ = nullptr;
    Envelope* answer_;  // a Reply or a Down
  };
};

/// What few processes have. Made at need; guarded by the process's lock.
struct Extras {
  [[nodiscard]] std::vector<std::string> name_texts() const;
  registry::HookList names;  // of registry::Name
  std::vector<std::string> groups;
  std::string label;
  std::shared_ptr<JoinState> join;
  std::vector<Pid> room_waiters;                   // senders that wait for a place in the mailbox
  std::unique_ptr<scheduler::Backtrace> origin{};  // where the exception that ends it was thrown, for the log
};

/// A process, or a free slot.
///
/// C1  A pid names the tenant whose generation it carries; `generation` is raised at the time of death (LIF-5, step 6), so one
///     comparison tells dead from alive. Memory is type-stable: a late look is always at some ControlBlock.
/// C2  `lock` guards `life` and `reason` (writing), `trap_exit`, `kick_pending` (setting), the lists of relations, `extras` and `refs`.
///     It is held for a few instructions and never while user code runs. Order of locks: two slots by address, then a timer wheel.
/// C3  A signal is received (EXR-6 judged, the reason fixed) by its sender, under the receiver's lock, when it is sent. What a sender
///     did to a process earlier is therefore visible in what it does later, which is ORD-1 for signals (docs/decisions.md).
/// C4  A kick makes a suspended process look again at whatever it waits for. `kick_pending` is set under the lock by the kicker, who
///     then pushes `kick`, and cleared by the owner when it takes the kick: the node is in one queue at most, and no kick is lost.
///
/// who touches what: the first line as said there; everything else the tenant itself, where nothing else is said.
struct alignas(base::kCacheLine) ControlBlock : scheduler::Fiber {
  bool unwound = false;                                               // ProcessUnwind was thrown at least once
  bool orphan = false;                                                // died with a blocking section under way
  bool told = false;                                                  // die_told() ran
  std::atomic<std::int64_t> wakes_at{scheduler::TimerWheel::kNever};  // when wake_timer fires; kNever: perhaps it does not

  // --- what senders read and write: one line ---
  alignas(base::kCacheLine) std::atomic<std::uint64_t> generation{1};  // never 0, which is that of Pid{}
  mailbox::Inbox inbox;
  std::atomic<std::uint64_t> room_used{0};  // bounded mailboxes: low 32 bits of the generation, then user messages waiting
  std::atomic<std::uint32_t> capacity{kUnbounded};
  std::atomic<Overflow> overflow{Overflow::shed_newest};
  std::atomic<Life> life{Life::dead};
  std::atomic<bool> has_mailbox{true};
  std::atomic<bool> plain_mailbox{true};  // it has a mailbox, and that is unbounded
  std::atomic<bool> room_wanted{false};   // somebody waits in extras->room_waiters
  base::SpinLock lock;
  bool kick_pending = false;
  std::atomic<bool> trap_exit{false};
  std::atomic<bool> started{false};                // the body began
  bool replies_pending = false;                    // some RefEntry is `replied`; with a shared queue guarded by lock
  std::uint16_t wake_worker = kNoWorker;           // in whose wheel wake_timer was put last; here for want of room
  std::uint32_t slot_index = 0;                    // constant
  std::atomic<std::uint32_t> descriptor_event{0};  // what the poller reported to a wait under way
  union {
    Envelope* pinned = nullptr;     // a shared queue: under a predicate just now, not to be evicted; guarded by lock
    std::atomic<int>* orphan_wait;  // after death: blocking.cpp
    ControlBlock* next_free;        // in a free slot: the slot table's
  };
  std::atomic<std::uint64_t> shed{0};

  // --- the tenant's own ---
  [[no_unique_address]] mailbox::SaveQueue saved;
  std::atomic<std::uint32_t> sorting{0};  // odd while messages are between inbox and save queue (RuntimeCore::depth)
  std::uint32_t budget = 0;               // runtime calls until the slice ends
  std::uint16_t no_suspend = 0;           // inside a predicate or a message's destructor (CPP-7)
  std::uint8_t doomed_slices = 0;         // slices ended by sends since the doom (send.cpp)
  std::atomic<Waiting> waiting{Waiting::nothing};
  std::uint64_t last_child = 0;              // PID-3
  std::atomic<std::uint64_t> reductions{0};  // for observers
  Pid pid;                                   // the tenant's, also after its death
  Pid parent;
  ExitReason reason;  // fixed once life is past alive; normal before, and in a free slot
  const BodyType* body_type = nullptr;

  // --- relations ---
  registry::HookList links;
  registry::HookList monitored_by;
  registry::HookList timers;  // whose destination this process is
  RefTable refs;
  std::unique_ptr<Extras> extras;
  CallSlot call;

  scheduler::TimerNode wake_timer;  // of a wait's deadline; see park()
  [[no_unique_address]] Envelope kick;
  bool hibernated = false;   // suspended without a stack: only a message wakes the next body
  std::uint32_t unborn = 0;  // slot index + 1 of the child whose body it is moving in; of that child, the one that it interrupted
  static constexpr std::size_t kBodyBytes = 40;
  alignas(void*) std::byte body_space[kBodyBytes];  // the body, or a pointer to it on the heap if it is larger

  static constexpr std::uint32_t kUnbounded = UINT32_MAX;
  static constexpr std::uint16_t kNoWorker = UINT16_MAX;

  ControlBlock() noexcept {
    kick.kind = EnvelopeKind::kick;
    wake_timer.tag = kProcessTimer;
  }
  ~ControlBlock() = default;
  ControlBlock(const ControlBlock&) = delete;
  ControlBlock& operator=(const ControlBlock&) = delete;

  /// Whether a body of that type lies in `body_space`.
  [[nodiscard]] static bool is_small(const BodyType& type) noexcept { return type.bytes <= kBodyBytes && type.align <= alignof(void*); }
  [[nodiscard]] void* body() noexcept {
    return is_small(*body_type) ? static_cast<void*>(body_space) : *reinterpret_cast<void**>(body_space);
  }
  [[nodiscard]] bool bounded() const noexcept { return capacity.load(std::memory_order_relaxed) != kUnbounded; }
  /// Under the lock: whether its end has more to do than to tell those who watch it.
  [[nodiscard]] bool has_ties() const noexcept {
    return extras != nullptr || !links.empty() || !timers.empty() || !refs.is_clear() || !call.is_free();
  }
  /// Bounded with shed_oldest: senders evict from the save queue, so it is shared under the lock (send.cpp).
  [[nodiscard]] bool shares_queue() const noexcept {
    return bounded() && overflow.load(std::memory_order_relaxed) == Overflow::shed_oldest;
  }
};

// What a process costs that never ran or hibernates. Tools keep more in a Fiber.
static_assert(base::kSanitizedMemory || base::kCacheLine != 64 || sizeof(ControlBlock) == 384);

}  // namespace weft::detail
