// Stops one thread by a signal, for as long as its stack is read. Only for who asked for it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>

#include "scheduler/backtrace.hpp"

namespace weft::inline v0::scheduler {

struct Stack;

/// The handler of the one signal that the program lends weft for this. Runtimes share it; the last one restores what was there before.
///
/// G1  The handler does nothing but publish the registers that it interrupted, and wait. All reading is done by the thread that asked.
/// G2  The word `request` has a number and a phase. Whoever replaces a phase goes on: the observer idle -> asked and stopped -> idle; the
///     handler asked -> claimed -> stopped; the observer, out of patience, asked -> idle. So a signal that arrives late, or a handler
///     that stands still before it claims, meets another number and returns.
/// G3  The observer reads while the phase is `stopped`: it takes no lock that the stopped thread could hold, and allocates nothing.
class StackSignal {
 public:
  enum class State : std::uint8_t { none, installed, other_number, refused };

  /// Takes a share in the handler for signal `number`; 0 takes none. other_number: the program's runtimes use another one already.
  explicit StackSignal(int number) noexcept;
  ~StackSignal();
  StackSignal(const StackSignal&) = delete;
  StackSignal& operator=(const StackSignal&) = delete;

  [[nodiscard]] State state() const noexcept { return state_; }

  /// Reads the stack of thread `thread` of this program, if it runs on `stack` for `owner`. False: it does not, or it did not meet the
  /// signal in time, or there is no handler. Not to be called from a handler.
  [[nodiscard]] static bool read(pid_t thread, const Stack& stack, std::uint64_t owner, std::chrono::milliseconds patience,
                                 Backtrace& into) noexcept;

 private:
  State state_;
};

}  // namespace weft::scheduler
