// Bitonic sort: Batcher's network as a pipeline, a process for each of its columns of comparators. Numbers stream through one at a time;
// a column keeps those whose partner is still to come.
#include <algorithm>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

struct Number {
  std::uint64_t value;
};

// Compares the numbers at positions i and i + distance. The smaller one goes first where bit `up_bit` of the position is 0.
void column(int count, int up_bit, int distance, weft::Pid next) {
  std::vector<std::uint64_t> kept(distance);
  for (int block = 0; block < count; block += 2 * distance) {
    const bool up = (block & up_bit) == 0;
    for (std::uint64_t& first : kept) first = weft::receive<Number>().value;
    for (std::uint64_t& first : kept) {
      std::uint64_t second = weft::receive<Number>().value;
      if ((first > second) == up) std::swap(first, second);
      weft::send(next, Number{first});
      first = second;
    }
    for (const std::uint64_t second : kept) weft::send(next, Number{second});
  }
}

class BitonicSort : public Program {
 public:
  explicit BitonicSort(Scale scale) : count_(2) {
    while (2 * count_ <= scale.of(4'096)) count_ *= 2;  // the network is made for powers of two
    Random random(2'048);
    for (int i = 0; i < count_; ++i) input_.push_back(random.next() >> 4);
  }

  void run() override {
    weft::Pid first = weft::self();
    // From the last column to the first: each needs to know the next.
    for (int up_bit = count_; up_bit >= 2; up_bit /= 2) {
      for (int distance = 1; distance < up_bit; distance *= 2) first = weft::spawn_link(column, count_, up_bit, distance, first);
    }
    for (const std::uint64_t value : input_) weft::send(first, Number{value});
    for (int i = 0; i < count_; ++i) sorted_.push_back(weft::receive<Number>().value);
  }

  void check() const override {
    std::vector<std::uint64_t> expected = input_;
    std::sort(expected.begin(), expected.end());
    require(sorted_ == expected, "what left the last column is not the input in order");
  }

 private:
  int count_;
  std::vector<std::uint64_t> input_, sorted_;
};

const Registered<BitonicSort> registered("bitonic_sort", "4,096 numbers below 2^60, seed 2,048");

}  // namespace
}  // namespace savina
