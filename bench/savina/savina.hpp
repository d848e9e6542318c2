// What the Savina programs share: how one is registered, scaled, run and checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <weft/weft.hpp>

namespace savina {

/// Which part of the published amount of work a run does; 1 is all of it.
class Scale {
 public:
  /// Errors: std::invalid_argument unless the factor is a number above 0.
  explicit Scale(double factor);
  /// For a parameter that the work is proportional to: the published value times the factor, but not below `least`.
  int of(int published, int least = 1) const { return length(published, 1, least); }
  /// For a parameter whose `power`th power the work grows with.
  int length(int published, double power, int least) const;
  double factor() const noexcept { return factor_; }

 private:
  double factor_;
};

/// One run of one benchmark. The constructor, which takes a Scale, prepares the input; only run() is timed.
class Program {
 public:
  virtual ~Program() = default;
  /// The body of the first process. Others are started linked to it, so that the failure of one ends all and the run.
  virtual void run() = 0;
  /// Outside any process, once run() and every process have ended. Errors: WrongResult.
  virtual void check() const = 0;
};

/// Runs `program` as a process until it and all that it started have ended, and then checks nothing but that.
/// Errors: what ended the process; WrongResult when processes are left that nobody will end.
void run(weft::Runtime& runtime, Program& program);

struct Entry {
  std::string_view name;        // as in savina_<name>
  std::string_view parameters;  // as published, at scale 1
  std::unique_ptr<Program> (*make)(Scale scale);
};

/// Every program that is linked in, by name.
const std::vector<Entry>& programs();

namespace detail {
bool enter(const Entry& entry);
}

/// A namespace-scope object of this type makes P known.
template <class P>
struct Registered {
  Registered(std::string_view name, std::string_view parameters) {
    detail::enter({name, parameters, [](Scale scale) -> std::unique_ptr<Program> { return std::make_unique<P>(scale); }});
  }
};

class WrongResult : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline void require(bool holds, const std::string& otherwise) {
  if (!holds) throw WrongResult(otherwise);
}

template <class T>
void require_equal(std::string_view what, const T& got, const std::type_identity_t<T>& expected) {
  if (got == expected) return;
  std::ostringstream text;
  text << what << ": got " << got << ", expected " << expected;
  throw WrongResult(text.str());
}

/// For sums of floating-point numbers, which depend on the order of addition.
void require_close(std::string_view what, double got, double expected, double relative_error = 1e-9);

/// A small generator (splitmix64): the same sequence for the same seed everywhere, and cheap to give to each process.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// From 0 to n - 1.
  int below(int n) { return static_cast<int>(next() % static_cast<std::uint64_t>(n)); }
  /// In [0, 1).
  double real() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

/// Keeps the processor busy for `steps` random numbers, where a benchmark only pretends to work.
void burn(int steps);

}  // namespace savina
