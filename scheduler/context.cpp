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

namespace weft::inline v0::scheduler {

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
