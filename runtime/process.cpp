// What a process does with itself.
#include <weft/process.hpp>

#include "runtime/caller.hpp"

namespace weft::inline v0 {

using detail::ControlBlock;
using detail::current_core;
using detail::process_here;

Pid self() {
  if (const ControlBlock* process = detail::current_process()) return process->pid;
  if (const detail::BlockingSection* section = detail::blocking_section()) return section->pid;
  return Pid{};
}

std::optional<Pid> parent() {
  const Pid found = process_here("parent").parent;
  return found ? std::optional<Pid>(found) : std::nullopt;
}

TimePoint now() {
  if (detail::RuntimeCore* core = current_core()) return TimePoint(Duration(core->scheduler.now_ns()));
  if (const detail::BlockingSection* section = detail::blocking_section()) return TimePoint(Duration(section->core->scheduler.now_ns()));
  return TimePoint(Duration(scheduler::Scheduler::steady_ns()));
}

void yield() {
  ControlBlock& self = process_here("yield");
  self.budget = detail::fresh_slice();
  base::explore_spin("yield");
  scheduler::Worker::yield(self);
  detail::meet_doom(self);
}

void checkpoint() { (void)process_here("checkpoint"); }

namespace {

void sleep_to(ControlBlock& self, std::int64_t deadline) {
  while (current_core()->scheduler.now_ns() < deadline) {
    detail::park(self, deadline, detail::Waiting::sleep);
    current_core()->drain(self);
    detail::meet_doom(self);
  }
}

}  // namespace

void sleep_for(Duration d) {
  ControlBlock& self = process_here("sleep_for");
  sleep_to(self, current_core()->deadline_after(d, "sleep_for"));
}

void sleep_until(TimePoint t) {
  ControlBlock& self = process_here("sleep_until");
  sleep_to(self, current_core()->deadline_at(t));
}

Priority set_priority(Priority priority) {
  ControlBlock& self = process_here("set_priority");
  const auto old = static_cast<Priority>(self.urgency.load(std::memory_order_relaxed));
  self.urgency.store(static_cast<scheduler::Urgency>(priority), std::memory_order_relaxed);
  return old;
}

bool trap_exit(bool on) {
  ControlBlock& self = process_here("trap_exit");
  if (on && !self.has_mailbox.load(std::memory_order_relaxed)) {
    throw NoMailbox("trap_exit(true) in process " + self.pid.to_string() + ", which has no mailbox for the messages");
  }
  bool old = false;
  {
    const std::lock_guard<base::SpinLock> hold(self.lock);
    old = self.trap_exit.exchange(on, std::memory_order_relaxed);
  }
  detail::meet_doom(self);
  return old;
}

void set_label(std::string label) {
  ControlBlock& self = process_here("set_label");
  current_core()->set_label(self.pid, std::move(label));
}

}  // namespace weft
