// Random numbers that a seed repeats, the same with every standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::stress {

/// SplitMix64: small enough for every process to own one, and two that differ in `stream` alone have nothing in common.
class Rng {
 public:
  explicit Rng(std::uint64_t seed, std::uint64_t stream = 0) noexcept : state_(seed ^ (stream * 0xD1B54A32D192ED03u)) { (void)next(); }

  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  /// 0 to `bound` - 1; `bound` is not 0.
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }
  bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

}  // namespace weft::stress
