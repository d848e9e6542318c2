#include "scheduler/context.hpp"

#include <pthread.h>

// The base frame of every fiber: return address undefined, so that unwinders, gdb and backtrace() stop here.
#if defined(__x86_64__)
asm(R"(
.text
.p2align 4
.globl weft_fiber_entry
.type weft_fiber_entry,@function
weft_fiber_entry:
  .cfi_startproc
  .cfi_undefined rip
  endbr64
  xorl %ebp, %ebp
  call weft_fiber_main@PLT
  ud2
  .cfi_endproc
.size weft_fiber_entry,.-weft_fiber_entry
)");
#else
asm(R"(
.text
.p2align 4
.globl weft_fiber_entry
.type weft_fiber_entry,%function
weft_fiber_entry:
  .cfi_startproc
  .cfi_undefined x30
  hint #36
  mov x29, xzr
  mov x30, xzr
  bl weft_fiber_main
  brk #1
  .cfi_endproc
.size weft_fiber_entry,.-weft_fiber_entry
)");
#endif

#if defined(__x86_64__)

// A bridge to another stack. %rbx holds the Registers; the rules below say: the caller's stack pointer is the word at 8(%rbx), its
// instruction pointer the one at 0(%rbx), and so on. Nothing on the other stack is touched. A signal frame, since the instruction
// pointer is one to go on at and no return address.
asm(R"(
.text
.p2align 4
.globl weft_walk_from
.hidden weft_walk_from
.type weft_walk_from,@function
weft_walk_from:
  .cfi_startproc
  .cfi_signal_frame
  endbr64
  pushq %rbx
  movq %rdi, %rbx
  movq %rdx, %rdi
  .cfi_remember_state
  .cfi_escape 0x0f, 3, 0x73, 8, 0x06   # CFA: the word at %rbx + 8
  .cfi_escape 0x10, 16, 2, 0x73, 0     # rip is at %rbx + 0
  .cfi_escape 0x10, 6, 2, 0x73, 16     # rbp
  .cfi_escape 0x10, 3, 2, 0x73, 24     # rbx
  .cfi_escape 0x10, 12, 2, 0x73, 32    # r12
  .cfi_escape 0x10, 13, 2, 0x73, 40    # r13
  .cfi_escape 0x10, 14, 2, 0x73, 48    # r14
  .cfi_escape 0x10, 15, 2, 0x73, 56    # r15
  call *%rsi
  .cfi_restore_state
  .cfi_def_cfa_offset 16
  popq %rbx
  .cfi_def_cfa_offset 8
  ret
  .cfi_endproc
.size weft_walk_from,.-weft_walk_from
)");

// A frame whose personality sees each exception that is about to leave `body`. The watch lies where the stack pointer is at the call.
asm(R"(
.text
.p2align 4
.globl weft_call_watched
.hidden weft_call_watched
.type weft_call_watched,@function
weft_call_watched:
  .cfi_startproc
  .cfi_personality 0x1b, weft_watch_personality
  endbr64
  pushq %rdx
  .cfi_adjust_cfa_offset 8
  movq %rdi, %rax
  movq %rsi, %rdi
  call *%rax
  popq %rdx
  .cfi_adjust_cfa_offset -8
  ret
  .cfi_endproc
.size weft_call_watched,.-weft_call_watched
)");

extern "C" {
// Bounds of the section that jump() fills; the linker makes them.
extern const std::int32_t __start_weft_switches[] __attribute__((visibility("hidden")));
extern const std::int32_t __stop_weft_switches[] __attribute__((visibility("hidden")));
}

#endif

namespace weft::inline v0::scheduler {

#if defined(__x86_64__)

bool in_switch(std::uintptr_t pc) noexcept {
  // Pairs of distances, each from its own place: the first byte of a switch, and the first after it.
  const auto target = [](const std::int32_t* at) { return reinterpret_cast<std::uintptr_t>(at) + static_cast<std::intptr_t>(*at); };
  for (const std::int32_t* at = __start_weft_switches; at != __stop_weft_switches; at += 2) {
    if (pc >= target(at) && pc < target(at + 1)) return true;
  }
  return false;
}

#else
bool in_switch(std::uintptr_t) noexcept { return true; }
#endif

void adopt_thread([[maybe_unused]] Execution& execution) noexcept {
#if defined(WEFT_ADDRESS_SANITIZER)
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    void* bottom = nullptr;
    std::size_t bytes = 0;
    pthread_attr_getstack(&attributes, &bottom, &bytes);
    execution.stack_bottom = bottom;
    execution.stack_bytes = bytes;
    pthread_attr_destroy(&attributes);
  }
#endif
#if defined(WEFT_THREAD_SANITIZER)
  execution.tool_fiber = __tsan_get_current_fiber();
#endif
}

}  // namespace weft::scheduler
