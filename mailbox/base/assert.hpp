// WEFT_ASSERT: our own broken invariants, in release builds too.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace weft::inline v0::base {

[[noreturn]] inline void assertion_failed(const char* condition, const char* sentence, const char* file, int line) noexcept {
  std::fprintf(stderr, "weft: broken invariant at %s:%d: %s (%s)\n", file, line, sentence, condition);
  std::abort();
}

}  // namespace weft::base

/// Ends the program when `condition` is false. Only for invariants of weft itself: no call of a user, however wrong, may reach one.
#define WEFT_ASSERT(condition, sentence)                                        \
  do {                                                                          \
    if (!(condition)) [[unlikely]]                                              \
      ::weft::base::assertion_failed(#condition, sentence, __FILE__, __LINE__); \
  } while (false)
