// Radix sort: a pipeline with one process for each bit. A stage lets numbers without its bit through at once and those with it after
// them, so behind the last stage they are in order. Long queues between neighbours that all work at the same time.
#include <algorithm>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kBits = 60;

struct Number {
  std::uint64_t value;
};
struct End {};

void stage(int bit, weft::Pid next) {
  std::vector<std::uint64_t> held;
  for (bool more = true; more;) {
    weft::receive(
        [&](Number number) {
          if ((number.value >> bit & 1) == 0) {
            weft::send(next, number);
          } else {
            held.push_back(number.value);
          }
        },
        [&](End) { more = false; });
  }
  for (const std::uint64_t value : held) weft::send(next, Number{value});
  weft::send(next, End{});
}

class RadixSort : public Program {
 public:
  explicit RadixSort(Scale scale) {
    Random random(2'048);
    for (int i = scale.of(100'000); i > 0; --i) input_.push_back(random.next() >> (64 - kBits));
  }

  void run() override {
    weft::Pid first = weft::self();
    for (int bit = kBits - 1; bit >= 0; --bit) first = weft::spawn_link(stage, bit, first);
    for (const std::uint64_t value : input_) weft::send(first, Number{value});
    weft::send(first, End{});
    for (bool more = true; more;) {
      weft::receive([&](Number number) { sorted_.push_back(number.value); },  //
                    [&](End) { more = false; });
    }
  }

  void check() const override {
    std::vector<std::uint64_t> expected = input_;
    std::sort(expected.begin(), expected.end());
    require(sorted_ == expected, "what left the last stage is not the input in order");
  }

 private:
  std::vector<std::uint64_t> input_, sorted_;
};

const Registered<RadixSort> registered("radix_sort", "100,000 numbers below 2^60, seed 2,048");

}  // namespace
}  // namespace savina
