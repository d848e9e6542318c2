// Reading stacks: the return addresses of a thread's own stack, of a fiber that does not run, or of an exception's origin.
// The last two on x86-64 alone; elsewhere they are empty.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <typeinfo>

#include "scheduler/context.hpp"

namespace weft::inline v0::scheduler {

/// Where a stack stands, innermost first. Each address lies inside the instruction of its frame, so that it names the call's own line.
struct Backtrace {
  static constexpr std::size_t kMost = 48;
  std::array<std::uintptr_t, kMost> pcs;
  std::size_t size = 0;
  bool cut = false;  // there are more

  void add(std::uintptr_t pc) noexcept {
    if (size == kMost) {
      cut = true;
    } else {
      pcs[size++] = pc;
    }
  }
};

/// The stack of the caller. Allocates nothing.
[[gnu::noinline]] void read_own_stack(Backtrace& into) noexcept;

/// The stack that `registers` belong to. It is read where it is, so whoever runs on it must stand still for as long as this takes:
/// the caller holds the fiber (F1), or has stopped the thread. Allocates nothing and takes no lock, once it ran for the first time.
void read_stack(const Registers& registers, Backtrace& into) noexcept;

/// Watches a call for exceptions that leave it.
///
/// The unwinder looks for a handler before it unwinds. That search asks the frame of weft_call_watched() too, by its personality; only
/// then no frame further in wants the exception, and all of them are still there. So what leaves costs one look at the stack, and what
/// does not leave, or is never thrown, nothing. An exception that was caught and thrown again shows where it was thrown last.
struct ThrowWatch {
  /// Whether an exception of that type is worth the look. Called while it is in flight.
  bool (*wants)(const std::type_info& type) noexcept = nullptr;
  std::unique_ptr<Backtrace> origin;  // null: nothing left, or no memory

  /// Calls `body(argument)`, and lets pass what it throws.
  void call(void (*body)(void*), void* argument);
};

}  // namespace weft::scheduler
