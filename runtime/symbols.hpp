// Names for addresses in the program's code.
#pragma once

#include <string>
#include <vector>

#include "scheduler/backtrace.hpp"

namespace weft::inline v0::detail {

/// One text for each frame of `stack`, innermost first, inlined ones included: "f(int) at f.cpp:12", "f(int)", or an address, as far as
/// debug information, symbols and memory go. The frames below a process's body, and those of the
/// reading itself, are left out.
///
/// What is found is kept: a storm of crashes at one place pays for the search once. A search needs much stack, so it is made on a thread
/// of its own if the caller is a process. Errors: std::bad_alloc.
std::vector<std::string> symbolised(const scheduler::Backtrace& stack);

/// The same as lines, each begun by a newline and indented, to be appended to a report. Empty for an empty stack.
std::string stack_lines(const scheduler::Backtrace& stack);

}  // namespace weft::detail
