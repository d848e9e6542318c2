#pragma once

#include <sched.h>

#include "mailbox/base/explore.hpp"

namespace weft::inline v0::base {

/// Tells the core that this is a busy wait: about 12 ns on the machine of docs/decisions.md.
inline void cpu_relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  // `yield` does nothing on most of these cores. `isb` refills the pipeline, which takes about as long as a pause elsewhere.
  asm volatile("isb" ::: "memory");
#endif
}

/// A bounded busy wait that turns into giving up the core, so that a lock holder which lost its core gets it back.
class SpinWait {
 public:
  void once() noexcept {
    if (exploring()) return explore_spin("spin");
    if (++rounds_ < kSpins) {
      cpu_relax();
    } else {
      sched_yield();
    }
  }

 private:
  static constexpr int kSpins = 64;
  int rounds_ = 0;
};

}  // namespace weft::base
