#include "scheduler/backtrace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

namespace weft::inline v0::scheduler {
namespace {

// An address inside a function tells that it is on a stack. What follows a marker's call keeps the compiler from making it a jump.
#define WEFT_TEST_NO_TAIL_CALL asm volatile("" ::: "memory")

bool holds(const Backtrace& stack, std::uintptr_t begin, std::uintptr_t end) {
  return std::any_of(stack.pcs.begin(), stack.pcs.begin() + static_cast<std::ptrdiff_t>(stack.size),
                     [&](std::uintptr_t pc) { return pc >= begin && pc < end; });
}

/// Whether a frame of `function` is on the stack; functions in this file are shorter than that.
template <class F>
bool shows(const Backtrace& stack, F* function) {
  const auto begin = reinterpret_cast<std::uintptr_t>(function);
  return holds(stack, begin, begin + 1024);
}

[[gnu::noinline, gnu::section("weft_test_deep")]] void deep(int levels, void (*at_end)(void*), void* argument) {
  if (levels == 0) {
    at_end(argument);
  } else {
    deep(levels - 1, at_end, argument);
  }
  WEFT_TEST_NO_TAIL_CALL;
}

TEST(Backtrace, ShowsTheCallersOfAThreadsOwnStack) {
  Backtrace stack;
  deep(
      5, [](void* into) { read_own_stack(*static_cast<Backtrace*>(into)); }, &stack);
  EXPECT_TRUE(shows(stack, &deep));
  EXPECT_FALSE(stack.cut);
}

TEST(Backtrace, SaysThatItWasCut) {
  Backtrace stack;
  deep(
      200, [](void* into) { read_own_stack(*static_cast<Backtrace*>(into)); }, &stack);
  EXPECT_EQ(stack.size, Backtrace::kMost);
  EXPECT_TRUE(stack.cut);
}

#if defined(__x86_64__)  // Other processors read no stack but the reader's own.

TEST(Backtrace, ReadsAStackThatAnotherExecutionLeft) {
  // The registers of a frame of deep(), taken while it stands: what is read is that frame's callers, whoever reads.
  struct Found {
    Backtrace own, other;
  } found;
  deep(
      3,
      [](void* argument) {
        auto& seen = *static_cast<Found*>(argument);
        Registers here;
        asm volatile(
            "leaq 0(%%rip), %%rax\n\tmovq %%rax, 0(%0)\n\tmovq %%rsp, 8(%0)\n\tmovq %%rbp, 16(%0)\n\tmovq %%rbx, 24(%0)\n\t"
            "movq %%r12, 32(%0)\n\tmovq %%r13, 40(%0)\n\tmovq %%r14, 48(%0)\n\tmovq %%r15, 56(%0)"
            :
            : "r"(&here)
            : "rax", "memory");
        read_stack(here, seen.other);
        read_own_stack(seen.own);
      },
      &found);
  EXPECT_TRUE(shows(found.other, &deep));
  // The same frames from the lambda's caller outwards; the lambda's own differs in the line.
  ASSERT_GT(found.other.size, 2u);
  const std::vector<std::uintptr_t> outer(found.other.pcs.begin() + 1,
                                          found.other.pcs.begin() + static_cast<std::ptrdiff_t>(found.other.size));
  EXPECT_NE(
      std::search(found.own.pcs.begin(), found.own.pcs.begin() + static_cast<std::ptrdiff_t>(found.own.size), outer.begin(), outer.end()),
      found.own.pcs.begin() + static_cast<std::ptrdiff_t>(found.own.size));
}

[[gnu::noinline, gnu::section("weft_test_thrower")]] void thrower(void* type) {
  if (*static_cast<int*>(type) == 0) throw std::runtime_error("boom");
  if (*static_cast<int*>(type) == 1) throw 1;
  WEFT_TEST_NO_TAIL_CALL;
}

[[gnu::noinline, gnu::section("weft_test_through")]] void through(void* type) {
  const std::vector<int> in_the_way(3);
  thrower(type);
  WEFT_TEST_NO_TAIL_CALL;
}

TEST(ThrowWatch, SeesWhereAnExceptionThatLeavesWasThrown) {
  ThrowWatch watch;
  int type = 0;
  EXPECT_THROW(watch.call(&through, &type), std::runtime_error);
  ASSERT_NE(watch.origin, nullptr);
  EXPECT_TRUE(shows(*watch.origin, &thrower));
  EXPECT_TRUE(shows(*watch.origin, &through));
}

TEST(ThrowWatch, DoesNotLookAtWhatIsCaughtInside) {
  ThrowWatch watch;
  int type = 0;
  watch.call(
      [](void* argument) {
        try {
          through(argument);
        } catch (const std::runtime_error&) {
        }
      },
      &type);
  EXPECT_EQ(watch.origin, nullptr);
}

TEST(ThrowWatch, LeavesOutTypesThatAreNotWanted) {
  ThrowWatch watch;
  watch.wants = [](const std::type_info& type) noexcept { return type != typeid(int); };
  int type = 1;
  EXPECT_THROW(watch.call(&through, &type), int);
  EXPECT_EQ(watch.origin, nullptr);
  type = 0;
  EXPECT_THROW(watch.call(&through, &type), std::runtime_error);
  EXPECT_NE(watch.origin, nullptr);
}

TEST(ThrowWatch, LooksWhenAnExceptionPointerIsThrownAgain) {
  ThrowWatch watch;
  watch.wants = [](const std::type_info&) noexcept { return true; };
  std::exception_ptr kept = std::make_exception_ptr(std::runtime_error("kept"));
  EXPECT_THROW(watch.call([](void* error) { std::rethrow_exception(*static_cast<std::exception_ptr*>(error)); }, &kept),
               std::runtime_error);
  EXPECT_NE(watch.origin, nullptr);
}

#endif

}  // namespace
}  // namespace weft::scheduler
