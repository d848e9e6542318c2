// Quicksort: a process splits its numbers at a pivot, gives each side to a child and joins what comes back. Small lists are sorted in
// place. The lists travel as messages, which moves them: no number is copied to be sent.
#include <algorithm>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr std::size_t kSequentialBelow = 2'048;

// std::sort calls itself up to 22 deep for that many numbers. Under AddressSanitizer each call takes 4 KiB, more than a stack of the
// default size has.
const weft::SpawnOptions kDeepStack{.link = true, .stack_bytes = 256 * 1024};

using Numbers = std::vector<std::int64_t>;

enum class Side { left, right, whole };
struct Sorted {
  Side side;
  Numbers numbers;
};

void sort(Numbers numbers, Side side, weft::Pid parent) {
  if (numbers.size() < kSequentialBelow) {
    std::sort(numbers.begin(), numbers.end());
    weft::send(parent, Sorted{side, std::move(numbers)});
    return;
  }
  const std::int64_t pivot = numbers[numbers.size() / 2];
  const auto equal = std::partition(numbers.begin(), numbers.end(), [=](std::int64_t n) { return n < pivot; });
  const auto above = std::partition(equal, numbers.end(), [=](std::int64_t n) { return n == pivot; });
  const auto equals = static_cast<std::size_t>(above - equal);
  weft::spawn(kDeepStack, sort, Numbers(above, numbers.end()), Side::right, weft::self());
  numbers.erase(equal, numbers.end());
  weft::spawn(kDeepStack, sort, std::move(numbers), Side::left, weft::self());

  Numbers result, right;
  for (int i = 0; i < 2; ++i) {
    weft::receive([&](Sorted sorted) { (sorted.side == Side::left ? result : right) = std::move(sorted.numbers); });
  }
  result.insert(result.end(), equals, pivot);
  result.insert(result.end(), right.begin(), right.end());
  weft::send(parent, Sorted{side, std::move(result)});
}

class Quicksort : public Program {
 public:
  explicit Quicksort(Scale scale) {
    Random random(1'024);
    for (int i = scale.of(1'000'000); i > 0; --i) input_.push_back(static_cast<std::int64_t>(random.next() >> 4));
  }

  void run() override {
    weft::spawn(kDeepStack, sort, input_, Side::whole, weft::self());
    sorted_ = weft::receive<Sorted>().numbers;
  }

  void check() const override {
    Numbers expected = input_;
    std::sort(expected.begin(), expected.end());
    require(sorted_ == expected, "the result is not the input in order");
  }

 private:
  Numbers input_, sorted_;
};

const Registered<Quicksort> registered("quicksort", "1,000,000 numbers below 2^60, sequential below 2,048, seed 1,024");

}  // namespace
}  // namespace savina
