// What would end the whole program, caught on a process's stack: std::terminate and stack overflow.
#pragma once

namespace weft::inline v0::detail {

class RuntimeCore;

/// Installs, once, a terminate handler: an exception that escapes a noexcept function on a process's stack ends that process, not the
/// program. On any other stack the handler that was there before runs.
void contain_terminate() noexcept;

/// Installs, for as long as any runtime asks for it, a SIGSEGV handler that names the process whose stack overflowed, then lets the
/// program die of the signal. Other faults go to the handler that was there before.
void report_overflow(RuntimeCore& core);
void forget_overflow(RuntimeCore& core) noexcept;
/// Gives the calling thread the alternate stack on which handlers run.
void prepare_alternate_stack_here() noexcept;

}  // namespace weft::detail
