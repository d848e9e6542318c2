#include "scheduler/worker.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <utility>

#include "mailbox/base/assert.hpp"
#include "mailbox/base/explore.hpp"
#include "mailbox/base/spin_wait.hpp"
#include "scheduler/scheduler.hpp"

extern "C" {
__attribute__((used)) thread_local weft::scheduler::Worker* weft_this_worker = nullptr;

// Called by assembly only, which link-time optimisation does not see.
[[noreturn, gnu::used]] void weft_fiber_main() noexcept { weft::scheduler::Worker::fiber_main(); }
}

namespace weft::inline v0::scheduler {

static_assert(offsetof(Execution, stack_pointer) == 0 && offsetof(Execution, resume_at) == 8, "jump() knows these places");

namespace {

[[maybe_unused]] const base::ThreadPart worker_part([]() noexcept -> void* { return &weft_this_worker; }, sizeof weft_this_worker);

/// The owner alone writes these: no locked operation.
void count(std::atomic<std::uint64_t>& counter) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

Worker::Worker(Scheduler& scheduler, unsigned index)
    : wheel(scheduler.now_ns()),
      scheduler_(scheduler),
      index_(index),
      random_(0x9E3779B97F4A7C15u * (index + 1)),
      stacks_(scheduler.stacks_) {}

Worker::~Worker() = default;

// --- switching -------------------------------------------------------------------------------------------------------------------

inline void Worker::leave(Execution& from, Fiber* next, AfterLeave then, void* left, bool last) noexcept {
  after_leave_ = then;
  left_ = left;
  current_.store(next, std::memory_order_release);  // Observers see the fiber made.
  count(counters.switches);
  jump(from, next != nullptr ? static_cast<Execution&>(*next) : idle_, exceptions_, last);
}

inline void Worker::finish_switch() noexcept {
  if (after_leave_ != nullptr) {
    const AfterLeave then = after_leave_;
    after_leave_ = nullptr;
    then(left_);
  }
}

inline Fiber* Worker::pick_now() noexcept {
  if (mixed_) [[unlikely]]
    return pick_mixed();
  if (lifo_budget_ == 0) [[unlikely]] {
    put_lifo_last();
  } else if (Fiber* fiber = lifo_.take()) {
    --lifo_budget_;
    return fiber;
  }
  lifo_budget_ = kLifoBudget;
  if (Fiber* fiber = queue_.pop()) return fiber;
  return lifo_.take();
}

inline Fiber* Worker::pick() noexcept {
  if (is_due(++tick_) || base::explore_choice("pick: housekeep", 16, 1) == 0) [[unlikely]]
    return nullptr;  // The thread's own stack looks after timers, descriptors, injected work.
  return pick_now();
}

[[gnu::noinline]] void Worker::suspend(Fiber& self, AfterLeave then) noexcept {
  Worker* worker = here();
  Fiber* next = worker->pick();
  if (next != nullptr && !next->has_stack() && !worker->equip(*next)) {
    worker->unequipped_ = next;
    next = nullptr;
  }
  worker->leave(self, next, then, &self, false);
  arrived(self);
  here()->finish_switch();
}

void Worker::yield(Fiber& self) noexcept {
  Worker* worker = here();
  if (worker->lifo_.empty() && worker->queue_.size() == 0 && worker->high_.size() == 0 && worker->low_.size() == 0) {
    // Alone: only timers, descriptors and injected work could want the core, and those are looked at in turn.
    if (!worker->is_due(worker->tick_ + 1)) {
      ++worker->tick_;
      return;
    }
  }
  suspend(self, [](void* left) noexcept { here()->ready_last(*static_cast<Fiber*>(left)); });
}

void Worker::end_slice(Fiber& self) noexcept {
  here()->attention_.store(true, std::memory_order_relaxed);
  yield(self);
}

void Worker::give_back(Stack& stack) noexcept {
  if constexpr (base::kThreadSanitizer) {
    // Frames that are left for ever stay on the tool's own call stack of this context, which is bounded: a new one in time.
    if (++stack.tool_uses == 0) {
      destroy_tool_fiber(stack.tsan_fiber);
      stack.tsan_fiber = make_tool_fiber();
    }
  }
  stacks_.give(&stack);
}

[[gnu::noinline]] void Worker::leave_for_ever(Stack& stack, Fiber* next) noexcept {
  Worker* worker = here();
  if (next != nullptr && !next->has_stack() && !worker->equip(*next)) {
    worker->unequipped_ = next;
    next = nullptr;
  }
  worker->leave(
      worker->graveyard_, next, [](void* left) noexcept { here()->give_back(*static_cast<Stack*>(left)); }, &stack, true);
  __builtin_unreachable();
}

void Worker::abandon_stack(Stack& stack) noexcept {
  Worker* worker = here();
  *worker->exceptions_ = ExceptionState{};
  forget_frames(stack.limit(), static_cast<std::size_t>(stack.base + stack.bytes - stack.limit()));
  leave_for_ever(stack, worker->pick());
}

bool Worker::equip(Fiber& fiber) noexcept {
  Stack* stack = stacks_.take(fiber.wanted_stack_bytes);
  if (stack == nullptr) return false;
  fiber.stack.store(stack, std::memory_order_release);  // Who looks on sees the header.
  prepare(fiber, stack->top());
  fiber.adopt_stack(stack->limit(), stack->top(), stack->tsan_fiber);
  return true;
}

[[gnu::noinline]] void Worker::fiber_main() noexcept {
  Worker* worker = here();
  arrived(*worker->current());
  worker->finish_switch();
  Stack* const stack = here()->current()->stack.load(std::memory_order_relaxed);
  for (;;) {
    worker = here();
    worker->scheduler_.host_.run(*worker->current());
    worker = here();
    *worker->exceptions_ = ExceptionState{};
    // The next process, if it is new too, goes on right here: no switch, and a warm stack.
    Fiber* next = worker->pick();
    if (next == nullptr || next->has_stack() || next->wanted_stack_bytes > StackPool::kMinStackBytes || stack->direct) {
      leave_for_ever(*stack, next);
    }
    next->stack.store(stack, std::memory_order_release);
    next->exceptions = ExceptionState{};
    next->adopt_stack(stack->limit(), stack->top(), stack->tsan_fiber);
    worker->current_.store(next, std::memory_order_release);
    count(worker->counters.switches);
  }
}

void Worker::run_from_idle(Fiber& fiber) noexcept {
  if (std::exchange(left_over_, false) && (!queue_.empty() || !high_.empty() || !low_.empty())) scheduler_.notify();
  if (!fiber.has_stack() && !equip(fiber)) {
    scheduler_.host_.refuse(fiber);
    return;
  }
  leave(idle_, &fiber, nullptr, nullptr, false);
  arrived(idle_);
  finish_switch();
  if (unequipped_ != nullptr) scheduler_.host_.refuse(*std::exchange(unequipped_, nullptr));
}

// --- the run queues --------------------------------------------------------------------------------------------------------------

RunQueue<Fiber>& Worker::queue_for(Fiber& fiber) noexcept {
  const Urgency urgency = fiber.urgency.load(std::memory_order_relaxed);
  if (urgency == Urgency::normal) [[likely]]
    return queue_;
  mixed_ = true;
  return urgency == Urgency::high ? high_ : low_;
}

void Worker::ready_urgent(Fiber& fiber) noexcept {
  queue_for(fiber).push(&fiber);
  scheduler_.notify();
}

void Worker::ready_displaced(Fiber& fiber) noexcept {
  queue_.push(&fiber);
  scheduler_.notify();
}

void Worker::ready_from_idle(Fiber& fiber) noexcept {
  queue_for(fiber).push(&fiber);
  left_over_ = true;
}

void Worker::ready_last(Fiber& fiber) noexcept {
  queue_for(fiber).push(&fiber);
  scheduler_.notify();
}

// Behind all that is queued, not behind one of it: two that wake each other in turn, and spawn, would outrun what they spawn, and nothing
// would stop the queue from growing.
void Worker::put_lifo_last() noexcept {
  if (queue_.empty()) return;
  if (Fiber* fiber = lifo_.take()) ready_displaced(*fiber);
}

// High goes first, but every kHighRun-th turn is the others'; of those, every kLowEvery-th is low's. So each class has its turn within a
// bounded number, whatever the others do (FLG-3).
Fiber* Worker::pick_mixed() noexcept {
  const bool for_others = ++mixed_turn_ % kHighRun == 0;
  if (!for_others) {
    if (Fiber* fiber = high_.pop()) return fiber;
  }
  if (++low_turn_ % kLowEvery == 0) {
    if (Fiber* fiber = low_.pop()) return fiber;
  }
  if (lifo_budget_ == 0) {
    put_lifo_last();
  } else if (Fiber* fiber = lifo_.take()) {
    --lifo_budget_;
    return fiber;
  }
  lifo_budget_ = kLifoBudget;
  if (Fiber* fiber = queue_.pop()) return fiber;
  if (Fiber* fiber = lifo_.take()) return fiber;
  if (Fiber* fiber = high_.pop()) return fiber;
  if (Fiber* fiber = low_.pop()) return fiber;
  mixed_ = false;
  return nullptr;
}

Fiber* Worker::find() noexcept {
  Fiber* fiber = pick_now();
  return fiber != nullptr ? fiber : take_injected();
}

Fiber* Worker::take_injected() noexcept {
  if (scheduler_.injected_.empty()) return nullptr;
  constexpr std::size_t kMost = 32;
  std::array<void*, kMost> taken;
  const std::size_t share = scheduler_.injected_.approximate_size() / scheduler_.workers_.size() + 1;
  const std::size_t n = scheduler_.injected_.pop_bulk(taken.data(), std::min(share, kMost));
  if (n == 0) return nullptr;
  for (std::size_t i = 1; i < n; ++i) {
    auto* fiber = static_cast<Fiber*>(taken[i]);
    queue_for(*fiber).push(fiber);
  }
  if (n > 1) scheduler_.notify();
  return static_cast<Fiber*>(taken[0]);
}

Fiber* Worker::steal() noexcept {
  const std::size_t n = scheduler_.workers_.size();
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const std::uint64_t first_victim = base::explore_choice("steal from", n, random_);
  for (std::size_t i = 0; i < n; ++i) {
    Worker& victim = *scheduler_.workers_[(first_victim + i) % n];
    if (&victim == this) continue;
    Fiber* first = nullptr;
    std::size_t moved = 0;
    if (!victim.high_.empty()) moved = victim.high_.steal_half_into(high_, &first);
    if (first == nullptr && !victim.queue_.empty()) moved = victim.queue_.steal_half_into(queue_, &first);
    if (first == nullptr && !victim.low_.empty()) moved = victim.low_.steal_half_into(low_, &first);
    if (first != nullptr) {
      if (first->urgency.load(std::memory_order_relaxed) != Urgency::normal) mixed_ = true;
      counters.steals.store(counters.steals.load(std::memory_order_relaxed) + moved, std::memory_order_relaxed);
      return first;
    }
  }
  return nullptr;
}

// --- the loop --------------------------------------------------------------------------------------------------------------------

void Worker::loop() noexcept {
  weft_this_worker = this;
  if (!base::exploring()) {
    prctl(PR_SET_NAME, ("weft-" + std::to_string(index_)).c_str());
    // The kernel would let a sleep last 50 us longer, to end it together with others: who waits for a timer waits for this thread. Threads
    // that a process starts have it from here.
    prctl(PR_SET_TIMERSLACK, 1ul);
  }
  thread_id_.store(gettid(), std::memory_order_relaxed);
  exceptions_ = thread_exception_state();
  adopt_thread(idle_);
  scheduler_.host_.worker_started();
  for (;;) {
    housekeep();
    Fiber* fiber = find();
    if (fiber == nullptr) fiber = search();
    if (fiber != nullptr) {
      run_from_idle(*fiber);
      continue;
    }
    if (scheduler_.stopping_.load(std::memory_order_acquire)) break;
    sleep();
  }
  weft_this_worker = nullptr;
}

Fiber* Worker::search() noexcept {
  // With one worker there is nobody to steal from, and spinning would take the core from whoever is about to give us work.
  const bool alone = scheduler_.workers_.size() == 1;
  constexpr int kRounds = 40;  // Steps of some 0.5 us: about 20 us before the thread sleeps, the price of one wake-up.
  const int rounds = alone ? 1 : base::exploring() ? 2 : kRounds;
  scheduler_.idle_.begin_search(index_);
  Fiber* fiber = nullptr;
  for (int round = 0; round < rounds && fiber == nullptr; ++round) {
    fiber = take_injected();
    if (fiber == nullptr) fiber = steal();
    if (fiber != nullptr) break;
    if (scheduler_.stopping_.load(std::memory_order_relaxed)) break;
    if (!alone) {
      // Who writes to a socket is often answered soon, and to be woken from sleep takes ten times as long as a look.
      constexpr int kLookEvery = 2;
      if (round % kLookEvery == 0 && scheduler_.poller_.active() && !base::exploring() && lead_poller(0)) fiber = pick_now();
      if (fiber != nullptr) break;
      base::explore_spin("search");
      for (int i = 0; i < 32 && !base::exploring(); ++i) base::cpu_relax();
    }
  }
  if (fiber != nullptr) {
    if (scheduler_.idle_.end_search(index_)) scheduler_.notify_if_work();
    return fiber;
  }
  return nullptr;
}

std::int64_t Worker::sleep_deadline() const noexcept {
  if (scheduler_.options_.clock != Clock::steady) return Parker::kForever;
  const auto next = [](const TimerWheel& timers) {
    const std::int64_t deadline = timers.next_deadline();
    if (deadline == TimerWheel::kNever || !timers.firing.load(std::memory_order_relaxed)) return deadline;
    // Somebody else fires timers of this wheel, and calls a user's code for that: what is due has to wait for it, but not by spinning.
    constexpr std::int64_t kMilli = 1'000'000;
    return std::max(deadline, Scheduler::steady_ns() + kMilli);
  };
  const std::int64_t mine = next(wheel);
  return index_ == 0 ? std::min(mine, next(scheduler_.outside_wheel_)) : mine;
}

bool Worker::lead_poller(std::int64_t timeout_ns) noexcept {
  if (scheduler_.options_.host_polls) return false;
  const bool looks = timeout_ns == 0;
  // One leader at a time, and nobody else polls: an interrupt() meant for the leader must not be answered by another.
  // seq_cst: pairs with wake(), which leaves the token first and looks for a leader after.
  // A look is soon over, and who looked may then run something for long: who goes to sleep leads after it. Unless the thread that looks
  // stands still: then nobody must wait for it.
  constexpr int kPatience = 200;
  int leader = kNoLeader;
  for (int tries = 0;
       !scheduler_.poll_leader_.compare_exchange_strong(leader, looks ? kLooks : static_cast<int>(index_), std::memory_order_seq_cst);
       leader = kNoLeader) {
    if (looks || leader != kLooks || ++tries == kPatience) return false;
    base::cpu_relax();
  }
  base::explore_point("lead poller");
  scheduler_.poll_descriptors(!looks && parker_.take_token() ? 0 : timeout_ns);
  base::explore_point("lead poller: give up");
  scheduler_.poll_leader_.store(kNoLeader, std::memory_order_seq_cst);
  return true;
}

void Worker::sleep() noexcept {
  scheduler_.idle_.announce_sleep(index_);  // Its fence is the other half of IdleSet::should_notify() and timer_added_from_outside().
  const std::int64_t deadline = sleep_deadline();
  const bool own_work = !lifo_.empty() || queue_.size() != 0 || high_.size() != 0 || low_.size() != 0;
  base::explore_point("sleep: last look");
  const bool work = !base::planted("worker: sleep without a last look") && scheduler_.work_anywhere();
  if (!own_work && !work && !scheduler_.stopping_.load(std::memory_order_acquire)) {
    scheduler_.worker_sleeps();
    count(counters.sleeps);
    bool led = false;
    if (scheduler_.poller_.active() && !base::exploring()) {
      const std::int64_t wait = deadline == Parker::kForever ? -1 : std::max<std::int64_t>(0, deadline - Scheduler::steady_ns());
      led = lead_poller(wait);
    }
    if (!led) (void)parker_.park(deadline);
  }
  const bool claimed = !scheduler_.idle_.cancel_sleep(index_);
  scheduler_.worker_woke();
  if (!claimed) return;
  // The waker's searching count is ours now.
  Fiber* fiber = find();
  if (fiber == nullptr) fiber = steal();
  if (scheduler_.idle_.end_search(index_)) scheduler_.notify_if_work();
  if (fiber != nullptr) run_from_idle(*fiber);
}

void Worker::housekeep() noexcept {
  attention_.store(false, std::memory_order_relaxed);
  if (scheduler_.options_.clock == Clock::steady) {
    const bool outside = index_ == 0 && scheduler_.outside_wheel_.next_deadline() != TimerWheel::kNever;
    if (outside || wheel.next_deadline() != TimerWheel::kNever) {
      const std::int64_t now = Scheduler::steady_ns();
      if (wheel.next_deadline() <= now) scheduler_.fire_due(wheel, now);
      if (outside && scheduler_.outside_wheel_.next_deadline() <= now) scheduler_.fire_due(scheduler_.outside_wheel_, now);
    }
  }
  constexpr std::uint32_t kPollEvery = 4;  // A look is a system call; that many housekeepings share one.
  if (scheduler_.poller_.active() && !base::exploring() && ++polls_ % kPollEvery == 0) (void)lead_poller(0);
  if (!scheduler_.injected_.empty()) {
    if (Fiber* fiber = take_injected()) ready_from_idle(*fiber);
  }
}

}  // namespace weft::scheduler
