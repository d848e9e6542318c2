#include "tests/eyes/places.hpp"

namespace weft::test {

// What follows a call keeps the compiler from making it a jump, after which the caller would not be on the stack.
#define WEFT_TEST_NOT_LAST asm volatile("" ::: "memory")

void eyes_waits_here() {
  receive<Pong>();
  WEFT_TEST_NOT_LAST;
}

void eyes_throws_here(int depth) {
  if (depth == 0) throw std::runtime_error("boom");
  eyes_throws_here(depth - 1);
  WEFT_TEST_NOT_LAST;
}

void eyes_throws_through_noexcept() noexcept {
  eyes_throws_here(1);
  WEFT_TEST_NOT_LAST;
}

void eyes_spins_here(const std::atomic<bool>& go) {
  while (!go.load(std::memory_order_relaxed)) {
  }
  WEFT_TEST_NOT_LAST;
}

}  // namespace weft::test
