// Precise pi: 20 workers compute terms of the series of Bailey, Borwein and Plouffe to thousands of digits, one term a message; the
// coordinator adds them up. The check computes the same digits by Machin's formula.
#include <algorithm>
#include <cmath>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kWorkers = 20;

// A number at least 0 with a fixed count of 32-bit limbs behind the point; limb 0 is before it. Divisions round towards 0, and two limbs
// more than the digits need take up all the errors of a sum.
class Fixed {
 public:
  explicit Fixed(int digits) : limbs_(static_cast<std::size_t>(digits * std::log2(10.0) / 32) + 4) {}
  // value * 2^-shift / divisor; the value is a power of two, not above 16.
  Fixed(int digits, std::uint32_t value, int shift, std::uint32_t divisor) : Fixed(digits) {
    while (value > 1) value /= 2, --shift;
    const int limb = shift <= 0 ? 0 : (shift + 31) / 32;
    if (limb < static_cast<int>(limbs_.size())) limbs_[limb] = 1u << (limb * 32 - shift);
    *this /= divisor;
  }
  int bits() const { return static_cast<int>(limbs_.size() - 1) * 32; }
  bool is_zero() const {
    for (const std::uint32_t limb : limbs_) {
      if (limb != 0) return false;
    }
    return true;
  }
  Fixed& operator/=(std::uint32_t divisor) {
    std::uint64_t rest = 0;
    for (std::uint32_t& limb : limbs_) {
      const std::uint64_t part = rest << 32 | limb;
      limb = static_cast<std::uint32_t>(part / divisor);
      rest = part % divisor;
    }
    return *this;
  }
  Fixed& operator+=(const Fixed& other) {
    std::uint64_t carry = 0;
    for (std::size_t i = limbs_.size(); i-- > 0;) {
      carry += std::uint64_t{limbs_[i]} + other.limbs_[i];
      limbs_[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    return *this;
  }
  // `other` must not be larger.
  Fixed& operator-=(const Fixed& other) {
    std::int64_t borrow = 0;
    for (std::size_t i = limbs_.size(); i-- > 0;) {
      borrow += std::int64_t{limbs_[i]} - other.limbs_[i];
      limbs_[i] = static_cast<std::uint32_t>(borrow);
      borrow >>= 32;
    }
    return *this;
  }
  std::string to_string(int digits) const {
    std::string text = std::to_string(limbs_[0]) + '.';
    for (Fixed rest = *this; digits > 0; --digits) {
      rest.limbs_[0] = 0;
      std::uint64_t carry = 0;
      for (std::size_t i = rest.limbs_.size(); i-- > 0;) {
        carry += std::uint64_t{rest.limbs_[i]} * 10;
        rest.limbs_[i] = static_cast<std::uint32_t>(carry);
        carry >>= 32;
      }
      text += static_cast<char>('0' + rest.limbs_[0]);
    }
    return text;
  }

 private:
  std::vector<std::uint32_t> limbs_;
};

Fixed term(int digits, int k) {
  const auto n = static_cast<std::uint32_t>(8 * k);
  Fixed sum(digits, 4, 4 * k, n + 1);
  sum -= Fixed(digits, 2, 4 * k, n + 4);
  sum -= Fixed(digits, 1, 4 * k, n + 5);
  sum -= Fixed(digits, 1, 4 * k, n + 6);
  return sum;
}

Fixed arc_cotangent(int digits, std::uint32_t x) {
  Fixed power(digits, 1, 0, x), sum = power;
  for (std::uint32_t n = 3; !power.is_zero(); n += 2) {
    power /= x * x;
    Fixed part = power;
    part /= n;
    n % 4 == 3 ? sum -= part : sum += part;
  }
  return sum;
}

struct Work {
  int k;
};
struct Stop {};
struct Done {
  weft::Pid worker;
  Fixed term;
};

void worker(int digits, weft::Pid home) {
  for (bool going = true; going;) {
    weft::receive(
        [&](Work work) {
          weft::send(home, Done{weft::self(), term(digits, work.k)});
        },  //
        [&](Stop) { going = false; });
  }
}

class PrecisePi : public Program {
 public:
  explicit PrecisePi(Scale scale) : digits_(scale.length(5'000, 2, 50)), pi_(digits_) {}

  void run() override {
    const int terms = pi_.bits() / 4;  // the next one is 0 in all limbs
    int next = 0;
    for (; next < kWorkers; ++next) weft::send(weft::spawn_link(worker, digits_, weft::self()), Work{next});
    for (int done = 0; done < std::max(terms, kWorkers); ++done) {
      const Done result = weft::receive<Done>();
      pi_ += result.term;
      if (next < terms) {
        weft::send(result.worker, Work{next++});
      } else {
        weft::send(result.worker, Stop{});
      }
    }
  }

  void check() const override {
    Fixed expected(digits_);
    for (int i = 0; i < 16; ++i) expected += arc_cotangent(digits_, 5);
    for (int i = 0; i < 4; ++i) expected -= arc_cotangent(digits_, 239);
    require_equal("pi", pi_.to_string(digits_), expected.to_string(digits_));
    require(pi_.to_string(digits_).starts_with("3.14159265358979323846264338327950288419716939937510"), "these are not the digits of pi");
  }

 private:
  int digits_;
  Fixed pi_;
};

const Registered<PrecisePi> registered("precise_pi", "5,000 digits, 20 workers");

}  // namespace
}  // namespace savina
