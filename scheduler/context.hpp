// The switch between stacks. The one file that knows the machine's registers and the sanitizers' fibers.
#pragma once

#include <cxxabi.h>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "mailbox/base/sanitizer.hpp"

#if defined(WEFT_THREAD_SANITIZER) || defined(WEFT_ADDRESS_SANITIZER)
#error "set by this file"
#endif
#if defined(__SANITIZE_THREAD__)
#define WEFT_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_THREAD_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_ADDRESS_SANITIZER 1
#endif
#endif

#if defined(WEFT_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(WEFT_THREAD_SANITIZER)
#include <sanitizer/tsan_interface.h>
#endif

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "weft's stack switch is written for x86-64 and AArch64"
#endif

namespace __cxxabiv1 {
struct __cxa_eh_globals;
}

namespace weft::inline v0::scheduler {

/// The C++ runtime's record of one thread: which exceptions are being handled, how many are in flight. It travels with the process,
/// or a process that waits inside a catch block would rethrow another's exception (CPP-4).
struct ExceptionState {
  void* caught = nullptr;
  unsigned int uncaught = 0;
};

inline ExceptionState* thread_exception_state() noexcept {
  // The layout is the Itanium C++ ABI's, section 2.2.2.
  return reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals());
}

/// A line of execution that is not running: its stack pointer and where it goes on, and what else must change with the stack.
struct Execution {
  void* stack_pointer = nullptr;
  void* resume_at = nullptr;
  ExceptionState exceptions;
#if defined(WEFT_ADDRESS_SANITIZER) || defined(WEFT_THREAD_SANITIZER)
  const void* stack_bottom = nullptr;
  std::size_t stack_bytes = 0;
  void* fake_stack = nullptr;
  void* tool_fiber = nullptr;
#endif

  /// Tells the sanitizers which stack this runs on from now on.
  void adopt_stack([[maybe_unused]] const std::byte* bottom, [[maybe_unused]] const std::byte* top, [[maybe_unused]] void* tool) noexcept {
#if defined(WEFT_ADDRESS_SANITIZER) || defined(WEFT_THREAD_SANITIZER)
    stack_bottom = bottom;
    stack_bytes = static_cast<std::size_t>(top - bottom);
    fake_stack = nullptr;
    tool_fiber = tool;
#endif
  }
};

/// Where an execution goes on, and the registers that a called function preserves: all that unwinding its stack starts from. x86-64's;
/// on other processors stacks are not read (backtrace.hpp), and nobody looks at these.
struct Registers {
  std::uintptr_t rip = 0, rsp = 0, rbp = 0, rbx = 0, r12 = 0, r13 = 0, r14 = 0, r15 = 0;
};

/// Of an execution that was left by jump(). The frame it was left in has saved the other registers itself: jump() clobbers them all.
inline Registers left_registers(const Execution& left) noexcept {
  const auto saved = reinterpret_cast<std::uintptr_t>(left.stack_pointer);
  constexpr std::uintptr_t kPushed = 8, kRedZone = 128;
  Registers made;
  made.rip = reinterpret_cast<std::uintptr_t>(left.resume_at);
  made.rsp = saved + kPushed + kRedZone;
  made.rbp = *reinterpret_cast<const std::uintptr_t*>(saved);
  return made;
}

/// Whether `pc` lies inside a switch, where the stack cannot be unwound; where none can be read, always. Async-signal-safe.
[[nodiscard]] bool in_switch(std::uintptr_t pc) noexcept;

extern "C" void weft_fiber_entry();
/// Calls `walk(argument)`. To an unwinder the caller of this function is not its caller but what `from` describes.
extern "C" void weft_walk_from(const Registers* from, void (*walk)(void*), void* argument);
/// Calls `body(argument)`. `watch` is a ThrowWatch: backtrace.hpp.
extern "C" void weft_call_watched(void (*body)(void*), void* argument, void* watch);
extern "C" [[noreturn]] void weft_fiber_main() noexcept;

/// Makes `execution` start weft_fiber_main() on an empty stack whose highest address is `top`.
inline void prepare(Execution& execution, void* top) noexcept {
  const auto aligned = reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t{15};
  execution.stack_pointer = reinterpret_cast<void*>(aligned);
  execution.resume_at = reinterpret_cast<void*>(&weft_fiber_entry);
  execution.exceptions = ExceptionState{};
}

// Registers that only wider variants of the processors have.
#if defined(__AVX512F__)
#define WEFT_CLOBBER_WIDE                                                                                                                  \
  , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", \
      "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#elif defined(__ARM_FEATURE_SVE)
#define WEFT_CLOBBER_WIDE , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", "p14", "p15"
#else
#define WEFT_CLOBBER_WIDE
#endif

/// Leaves `from` and goes on where `to` was left. Returns when somebody switches to `from`, perhaps on another thread: nothing that
/// belongs to a thread may be held over the call.
///
/// Inline, with every register clobbered: the compiler saves exactly what is live, and no return address is left behind for the
/// return predictor to miss (measured: docs/decisions.md, "the switch"). The floating-point environment (MXCSR and the x87 control word;
/// FPCR and FPSR) is not saved: it belongs to the worker thread. The frame pointer cannot be clobbered, so it is pushed, on x86-64 after
/// a step over the red zone below the stack pointer; AArch64 has no red zone.
/// The compiler does not know of that, so unwind tables are wrong between the labels 0 and 2: section weft_switches lists those places.
[[gnu::always_inline]] inline void jump(Execution& from, Execution& to, ExceptionState* thread_exceptions, bool last) noexcept {
  from.exceptions = *thread_exceptions;
  *thread_exceptions = to.exceptions;
#if defined(WEFT_ADDRESS_SANITIZER)
  __sanitizer_start_switch_fiber(last ? nullptr : &from.fake_stack, to.stack_bottom, to.stack_bytes);
#endif
#if defined(WEFT_THREAD_SANITIZER)
  __tsan_switch_to_fiber(to.tool_fiber, 0);
#endif
  (void)last;
  Execution* leave = &from;
  Execution* enter = &to;
#if defined(__x86_64__)
  asm volatile(
      "0:\n\t"
      "subq $128, %%rsp\n\t"
      "pushq %%rbp\n\t"
      "leaq 1f(%%rip), %%rax\n\t"
      "movq %%rsp, 0(%0)\n\t"
      "movq %%rax, 8(%0)\n\t"
      "movq 0(%1), %%rsp\n\t"
      "jmpq *8(%1)\n\t"
      ".p2align 4\n"
      "1:\n\t"
      "endbr64\n\t"
      "popq %%rbp\n\t"
      "addq $128, %%rsp\n"
      "2:\n\t"
      ".pushsection weft_switches, \"a\", @progbits\n\t"
      ".long 0b - ., 2b - .\n\t"
      ".popsection\n\t"
      : "+D"(leave), "+S"(enter)
      :
      : "rax", "rcx", "rdx", "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
        "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc" WEFT_CLOBBER_WIDE);
#else
  register Execution* leaving asm("x0") = leave;
  register Execution* entering asm("x1") = enter;
  // Hint 36 is `bti j`, where a branch by register may arrive; older processors ignore it.
  asm volatile(
      "stp x29, x30, [sp, #-16]!\n\t"
      "mov x2, sp\n\t"
      "adr x3, 1f\n\t"
      "stp x2, x3, [%0]\n\t"
      "ldp x2, x3, [%1]\n\t"
      "mov sp, x2\n\t"
      "br x3\n\t"
      "1:\n\t"
      "hint #36\n\t"
      "ldp x29, x30, [sp], #16\n\t"
      : "+r"(leaving), "+r"(entering)
      :
      : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21",
        "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11",
        "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30",
        "v31", "memory", "cc" WEFT_CLOBBER_WIDE);
#endif
}

/// First thing on the stack that was switched to.
[[gnu::always_inline]] inline void arrived([[maybe_unused]] Execution& here) noexcept {
#if defined(WEFT_ADDRESS_SANITIZER)
  __sanitizer_finish_switch_fiber(here.fake_stack, nullptr, nullptr);
#endif
}

/// As arrived(), where nobody noted which stack `left` was on when it was left: now it is known.
[[gnu::always_inline]] inline void arrived_from([[maybe_unused]] Execution& here, [[maybe_unused]] Execution& left) noexcept {
#if defined(WEFT_ADDRESS_SANITIZER)
  __sanitizer_finish_switch_fiber(here.fake_stack, &left.stack_bottom, &left.stack_bytes);
#endif
}

/// For a stack whose frames are left without unwinding: the address sanitizer must forget them before the stack is used again.
inline void forget_frames([[maybe_unused]] const void* bottom, [[maybe_unused]] std::size_t bytes) noexcept {
#if defined(WEFT_ADDRESS_SANITIZER)
  __asan_unpoison_memory_region(bottom, bytes);
#endif
}

/// A thread sanitizer context, one per stack: creating one is far too slow to do per process.
inline void* make_tool_fiber() noexcept {
#if defined(WEFT_THREAD_SANITIZER)
  return __tsan_create_fiber(0);
#else
  return nullptr;
#endif
}
inline void destroy_tool_fiber([[maybe_unused]] void* fiber) noexcept {
#if defined(WEFT_THREAD_SANITIZER)
  if (fiber == nullptr) return;
  // The sanitizer crashes when a fiber ends that never did anything, as that of a stack which nobody had: up to LLVM 21 it reads a field
  // that only the first event sets (llvm-project, #171766). This is one.
  static std::atomic<unsigned> events{0};
  void* const here = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(fiber, __tsan_switch_to_fiber_no_sync);
  events.fetch_add(1, std::memory_order_relaxed);
  __tsan_switch_to_fiber(here, __tsan_switch_to_fiber_no_sync);
  __tsan_destroy_fiber(fiber);
#endif
}

/// The thread's own execution, on the thread's own stack.
void adopt_thread(Execution& execution) noexcept;

}  // namespace weft::scheduler
