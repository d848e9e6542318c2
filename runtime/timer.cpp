// Timers with a message. The protocol is at TimerRecord (core.hpp): whoever finds it armed, under its lock, and makes it free owns it.
#include <weft/timer.hpp>

#include <algorithm>

#include "runtime/caller.hpp"

namespace weft::inline v0::detail {

using Hold = std::lock_guard<base::SpinLock>;

void RuntimeCore::refuse_duration(Duration d, const char* call) {
  throw BadArgument(std::string(call) + "() with a negative duration of " + std::to_string(d.count()) + " ns");
}

std::int64_t RuntimeCore::deadline_at(TimePoint t) const noexcept {
  const std::int64_t at = std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
  return std::max<std::int64_t>(at, 0);
}

TimerRecord* RuntimeCore::rent_timer() noexcept {
  if (!timer_quota_.take()) return nullptr;
  TimerRecord* record = nullptr;
  if (WorkerLocal* local = worker_local()) {
    record = local->timer_slots.take();
  } else {
    const Hold hold(outside_lock_);
    record = outside_timer_slots_.take();
  }
  if (record == nullptr) timer_quota_.give_back();
  return record;
}

void RuntimeCore::timer_ended() noexcept {
  count(&Counters::timers, static_cast<std::uint64_t>(-1));
  timer_quota_.give_back();
}

void RuntimeCore::give_timer_back(TimerRecord& record) noexcept {
  if (WorkerLocal* local = worker_local()) {
    local->timer_slots.give(&record);
  } else {
    const Hold hold(outside_lock_);
    outside_timer_slots_.give(&record);
  }
}

TimerRef RuntimeCore::start_timer(std::int64_t deadline_ns, std::int64_t period_ns, const Destination& destination, Envelope* message,
                                  Envelope* (*clone)(Envelope*), bool as_timeout) {
  EnvelopePtr mine(message);
  TimerRecord* const rented = rent_timer();
  if (rented == nullptr) throw LimitExceeded("no more than " + std::to_string(options.max_timers) + " timers, or no memory for another");
  TimerRecord& record = *rented;
  count(&Counters::timers);
  TimerRef ref;
  bool pending = true;
  try {
    record.destination = destination;
    const Hold hold(record.lock);
    ref = RefAccess::timer(record.slot_index, ++record.number);
    if (as_timeout) mine.reset(make_envelope<Timeout>(Timeout{ref, Message(std::move(mine))}));
    record.deadline_ns = deadline_ns;
    record.period_ns = period_ns;
    record.clone = clone;
    record.cancelled = false;
    record.wheel = &scheduler.wheel_here();
    record.node.tag = kMessageTimer;
    if (destination.kind() != Destination::Kind::name) {
      // It ends with its process (TIM-2): on its list while that lives, and not at all if it is dead, or past the step of its end that
      // looks at the list.
      const Pid to = record.target();
      ControlBlock* const block = slot_of(to);
      pending = false;
      if (block != nullptr && to) {
        const Hold target(block->lock);
        if (is_tenant(*block, to) && block->life.load(std::memory_order_relaxed) != Life::exiting) {
          block->timers.push_back(record.hook);
          pending = true;
        }
      }
    }
    if (pending) {
      record.message = mine.release();
      record.state = TimerRecord::State::armed;
      record.wheel->add(record.node, deadline_ns);
    }
  } catch (...) {
    timer_ended();
    give_timer_back(record);
    throw;
  }
  if (!pending) {
    timer_ended();
    give_timer_back(record);
  } else if (worker_local() == nullptr) {
    scheduler.timer_added_from_outside();
  }
  return ref;
}

// Under the record's lock, when it is no longer in its wheel: off the destination's list, and free. The message is the caller's.
Envelope* RuntimeCore::disarm(TimerRecord& record) noexcept {
  record.state = TimerRecord::State::free;
  if (const Pid to = record.target()) {
    ControlBlock& target = *slot_of(to);
    const Hold hold(target.lock);
    if (record.hook.is_linked()) target.timers.remove(record.hook);
  }
  return std::exchange(record.message, nullptr);
}

void RuntimeCore::fire_one(TimerRecord& record) noexcept {
  // The node is in no wheel, so cancel_timer() leaves the end to us: the record stays as it is while no lock is held.
  Envelope* original = nullptr;
  bool periodic = false;
  {
    const Hold hold(record.lock);
    if (record.state != TimerRecord::State::armed) return;
    periodic = record.period_ns != 0 && !record.cancelled;
    original = record.message;
  }
  if (periodic) {
    Envelope* copy = nullptr;
    Destination to = Pid{};
    try {
      to = record.destination;
      copy = record.clone(original);
    } catch (...) {
      // No memory for this one, or the copy threw: the next period tries again.
    }
    bool goes_on = false;
    {
      const Hold hold(record.lock);
      goes_on = !record.cancelled;
      if (goes_on) {
        // The next multiple of the period: what passed unserved is skipped. Before the copy is sent, so that whoever receives it can
        // cancel the timer; what was due until now has fired.
        const std::int64_t late = std::max<std::int64_t>(scheduler.now_ns() - record.deadline_ns, 0);
        record.deadline_ns += (late / record.period_ns + 1) * record.period_ns;
        record.wheel->add(record.node, record.deadline_ns);
      }
    }
    if (copy != nullptr && goes_on) post_to(to, copy);
    if (goes_on) return;
    if (copy != nullptr) destroy_message(*copy);
  }
  Envelope* message = nullptr;
  bool cancelled = false;
  {
    const Hold hold(record.lock);
    cancelled = record.cancelled;
    // First: once it is off the destination's list that process may end, and then no timer of its is counted.
    if (!cancelled) timer_ended();
    message = disarm(record);
  }
  base::explore_point("timer disarmed");
  if (cancelled) {
    destroy_message(*message);
  } else {
    post_to(record.destination, message);
  }
  give_timer_back(record);
}

std::optional<Duration> RuntimeCore::cancel_timer(const TimerRef& ref) noexcept {
  TimerRecord* const record = timers.find(RefAccess::slot(ref));
  if (record == nullptr || !ref) return std::nullopt;
  Envelope* message = nullptr;
  std::int64_t left = 0;
  {
    const Hold hold(record->lock);
    if (record->number != RefAccess::number(ref) || record->state != TimerRecord::State::armed || record->cancelled) return std::nullopt;
    left = std::max<std::int64_t>(record->deadline_ns - scheduler.now_ns(), 0);
    if (!record->wheel->cancel(record->node)) {
      if (record->period_ns == 0) return std::nullopt;  // Its firing is under way.
      record->cancelled = true;                         // The firing under way will send nothing, and ends it.
      timer_ended();
      return Duration(left);
    }
    message = disarm(*record);
  }
  timer_ended();
  destroy_message(*message);
  give_timer_back(*record);
  return Duration(left);
}

std::optional<Duration> RuntimeCore::read_timer(const TimerRef& ref) noexcept {
  TimerRecord* const record = timers.find(RefAccess::slot(ref));
  if (record == nullptr || !ref) return std::nullopt;
  const Hold hold(record->lock);
  if (record->number != RefAccess::number(ref) || record->state != TimerRecord::State::armed || record->cancelled) return std::nullopt;
  return Duration(std::max<std::int64_t>(record->deadline_ns - scheduler.now_ns(), 0));
}

void RuntimeCore::cancel_timers_of(ControlBlock& self) noexcept {
  for (;;) {
    TimerRecord* record = nullptr;
    {
      const Hold hold(self.lock);
      registry::Hook* hook = self.timers.front();
      if (hook == nullptr) return;
      self.timers.remove(*hook);
      record = reinterpret_cast<TimerRecord*>(reinterpret_cast<std::byte*>(hook) - offsetof(TimerRecord, hook));
    }
    Envelope* message = nullptr;
    {
      // Between the two locks it may have fired or been cancelled, and even been let again: then it is somebody else's.
      const Hold hold(record->lock);
      if (record->state != TimerRecord::State::armed || record->target() != self.pid || record->hook.is_linked()) {
        continue;
      }
      if (!record->wheel->cancel(record->node)) {
        if (!std::exchange(record->cancelled, true)) timer_ended();
        continue;
      }
      message = disarm(*record);
    }
    timer_ended();
    destroy_message(*message);
    give_timer_back(*record);
  }
}

// --- the public calls ------------------------------------------------------------------------------------------------------------

TimerRef start_timer(RuntimeCore* core, const TimerRequest& request, const Destination& to, Envelope* message) {
  EnvelopePtr mine(message);
  if (ControlBlock* self = current_process(); self != nullptr && (core == nullptr || core == current_core())) {
    (void)process_here("send_after");
    (void)self;
  }
  if (core == nullptr) core = &core_here("send_after");
  if (request.clone != nullptr && request.period == Duration::zero()) throw BadArgument("send_every() with a period of zero");
  const std::int64_t deadline = request.relative ? core->deadline_after(request.in, "send_after") : core->deadline_at(request.at);
  return core->start_timer(deadline, request.period.count(), to, mine.release(), request.clone, request.as_timeout);
}

std::optional<Duration> cancel_timer(RuntimeCore* core, TimerRef ref) {
  if (core == nullptr) core = &core_here("cancel_timer");
  return core->cancel_timer(ref);
}

std::optional<Duration> read_timer(RuntimeCore* core, TimerRef ref) {
  if (core == nullptr) core = &core_here("read_timer");
  return core->read_timer(ref);
}

}  // namespace weft::detail

namespace weft::inline v0 {

std::optional<Duration> cancel_timer(TimerRef ref) { return detail::cancel_timer(nullptr, ref); }
std::optional<Duration> read_timer(TimerRef ref) { return detail::read_timer(nullptr, ref); }
void cancel_timer_async(TimerRef ref) { send(self(), TimerCancelled{ref, cancel_timer(ref)}); }
void read_timer_async(TimerRef ref) { send(self(), TimerRead{ref, read_timer(ref)}); }

}  // namespace weft
