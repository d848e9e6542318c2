#pragma once

#include <atomic>
#include <stdexcept>

#include "tests/conformance/probes.hpp"

namespace weft::test {

// With external linkage and never inlined, so that their names are in stacks.
[[gnu::noinline]] void eyes_waits_here();
[[gnu::noinline]] void eyes_throws_here(int depth);
[[gnu::noinline]] void eyes_throws_through_noexcept() noexcept;
[[gnu::noinline]] void eyes_spins_here(const std::atomic<bool>& go);

}  // namespace weft::test
