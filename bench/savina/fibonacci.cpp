// Fibonacci: the naive recursion with a process for each call. Nothing but starting processes, one message back from each, and ending.
#include "bench/savina/savina.hpp"

namespace savina {
namespace {

struct Value {
  long number;
};

void fibonacci(int n, weft::Pid parent) {
  if (n <= 2) {
    weft::send(parent, Value{1});
    return;
  }
  weft::spawn_link(fibonacci, n - 1, weft::self());
  weft::spawn_link(fibonacci, n - 2, weft::self());
  const long first = weft::receive<Value>().number;
  weft::send(parent, Value{first + weft::receive<Value>().number});
}

class Fibonacci : public Program {
 public:
  // The number of processes grows 1.618-fold with each step of n.
  explicit Fibonacci(Scale scale) {
    for (double smaller = 1; smaller > scale.factor() * 1.3 && n_ > 3; smaller /= 1.618) --n_;
    for (double larger = 1; larger * 1.618 < scale.factor() * 1.3; larger *= 1.618) ++n_;
  }

  void run() override {
    weft::spawn_link(fibonacci, n_, weft::self());
    value_ = weft::receive<Value>().number;
  }

  void check() const override {
    long previous = 0, expected = 1;
    for (int i = 1; i < n_; ++i) previous = std::exchange(expected, expected + previous);
    require_equal("Fibonacci number", value_, expected);
  }

 private:
  int n_ = 25;
  long value_ = 0;
};

const Registered<Fibonacci> registered("fibonacci", "the 25th number: 150,049 processes");

}  // namespace
}  // namespace savina
