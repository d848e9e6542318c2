// What a runtime call does for its caller: finds the process, counts the call, meets a doom, suspends.
#pragma once

#include <cstdint>

#include "runtime/core.hpp"
#include "runtime/sim.hpp"

namespace weft::inline v0::detail {

inline constexpr std::uint32_t kSlice = 2000;  // runtime calls of one process before others run (DESIGN 3.9)
/// An exploration tries the end of a slice everywhere.
inline std::uint32_t fresh_slice() noexcept { return 1 + static_cast<std::uint32_t>(base::explore_choice("slice", 32, kSlice - 1)); }

/// What the calls below do when there is something to do.
RuntimeCore& core_outside_worker(const char* call);
ControlBlock& process_here_slowly(const char* call);
[[noreturn]] void meet_doom_now(ControlBlock& self);

/// The runtime a free function acts on. Throws NotInProcess, naming `call`, on a plain thread.
inline RuntimeCore& core_here(const char* call) {
  RuntimeCore* const core = current_core();
  return core != nullptr ? *core : core_outside_worker(call);
}

/// Whether a runtime call of `self` is one like most: nothing to meet, nothing that forbids it, and the slice goes on after it.
[[nodiscard]] inline bool may_call(const ControlBlock& self) noexcept {
  return self.life.load(std::memory_order_relaxed) == Life::alive && self.no_suspend == 0 && self.budget != 1;
}
/// The calling process, for calls that may suspend or that change it. Throws NotInProcess, ProcessExiting (CPP-2), or meets the doom.
inline ControlBlock& process_here(const char* call) {
  ControlBlock* const self = current_process();
  if (self == nullptr || !may_call(*self)) [[unlikely]]
    return process_here_slowly(call);
  --self->budget;
  return *self;
}
/// As process_here(), for calls that destructors may make: never throws for a doomed or exiting process.
ControlBlock& process_here_even_exiting(const char* call);

/// Counts one runtime call of `self`; at the end of its slice others run. A doom is met, unless the stack unwinds already.
void checkpoint(ControlBlock& self);
/// Throws ProcessUnwind if `self` is doomed; ProcessExiting if it is and a stack already unwinds. For calls that suspend.
inline void meet_doom(ControlBlock& self) {
  if (self.life.load(std::memory_order_relaxed) != Life::alive) [[unlikely]]
    meet_doom_now(self);
}

/// Suspends `self` until a message or a kick arrives or the time comes. Returns after something may have changed: look again.
void park(ControlBlock& self, std::int64_t deadline_ns, Waiting waiting);
/// For a process that parks, once its stack was left.
void park_left(void* self) noexcept;
inline void park_for_ever(ControlBlock& self, Waiting waiting) {
  if (base::exploring()) explored_suspension(*current_core(), self);
  self.waiting.store(waiting, std::memory_order_relaxed);
  self.budget = fresh_slice();
  scheduler::Worker::suspend(self, &park_left);
  self.waiting.store(Waiting::nothing, std::memory_order_relaxed);
}

}  // namespace weft::detail
