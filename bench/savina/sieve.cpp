// Sieve of Eratosthenes: a chain of filters, each with up to 1,000 primes, that grows while the numbers stream through. A number that
// no filter could divide is a prime and belongs to the last of them; when that is full, it starts the next.
#include <iterator>
#include <optional>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr std::size_t kPrimesPerFilter = 1'000;

struct Candidate {
  int number;
};
struct End {
  std::vector<int> primes;  // of the filters passed
};

void filter(int first_prime, weft::Pid home) {
  std::vector<int> primes{first_prime};
  std::optional<weft::Pid> next;
  const auto sift = [&](Candidate candidate) {
    for (const int prime : primes) {
      if (candidate.number % prime == 0) return;
    }
    if (next) {
      weft::send(*next, candidate);
    } else if (primes.size() < kPrimesPerFilter) {
      primes.push_back(candidate.number);
    } else {
      next = weft::spawn_link(filter, candidate.number, home);
    }
  };
  for (bool more = true; more;) {
    weft::receive(sift, [&](End end) {
      end.primes.insert(end.primes.end(), primes.begin(), primes.end());
      weft::send(next.value_or(home), std::move(end));
      more = false;
    });
  }
}

class Sieve : public Program {
 public:
  explicit Sieve(Scale scale) : limit_(scale.of(100'000, 10)) {}

  void run() override {
    const weft::Pid first = weft::spawn_link(filter, 2, weft::self());
    for (int number = 3; number < limit_; number += 2) weft::send(first, Candidate{number});
    weft::send(first, End{});
    primes_ = weft::receive<End>().primes;
  }

  void check() const override {
    std::vector<bool> composite(limit_);
    std::vector<int> expected;
    for (int n = 2; n < limit_; ++n) {
      if (composite[n]) continue;
      expected.push_back(n);
      for (int multiple = 2 * n; multiple < limit_; multiple += n) composite[multiple] = true;
    }
    require(primes_ == expected, "the filters did not keep exactly the primes");
  }

 private:
  int limit_;
  std::vector<int> primes_;
};

const Registered<Sieve> registered("sieve", "numbers below 100,000, 1,000 primes a process");

}  // namespace
}  // namespace savina
