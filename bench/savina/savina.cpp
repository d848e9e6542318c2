#include "bench/savina/savina.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace savina {
namespace {

std::vector<Entry>& entries() {
  static std::vector<Entry> all;  // made by the first registration, whichever file's that is
  return all;
}

}  // namespace

Scale::Scale(double factor) : factor_(factor) {
  if (!(factor > 0) || !std::isfinite(factor)) throw std::invalid_argument("the scale must be a number above 0");
}

int Scale::length(int published, double power, int least) const {
  const double scaled = std::round(published * std::pow(factor_, 1 / power));
  if (scaled > std::numeric_limits<int>::max()) throw std::invalid_argument("the scale is too large");
  return std::max(least, static_cast<int>(scaled));
}

void run(weft::Runtime& runtime, Program& program) {
  runtime.run([&] { program.run(); });
  runtime.run_until_idle();
  const std::size_t left = runtime.list().size();
  if (left != 0) throw WrongResult(std::to_string(left) + " processes are left and wait for something that nobody will send");
}

const std::vector<Entry>& programs() { return entries(); }

bool detail::enter(const Entry& entry) {
  auto& all = entries();
  all.insert(std::upper_bound(all.begin(), all.end(), entry, [](const Entry& a, const Entry& b) { return a.name < b.name; }), entry);
  return true;
}

void require_close(std::string_view what, double got, double expected, double relative_error) {
  // Written so that a NaN fails.
  if (std::abs(got - expected) <= relative_error * std::max(1.0, std::abs(expected))) return;
  std::ostringstream text;
  text.precision(17);
  text << what << ": got " << got << ", expected about " << expected;
  throw WrongResult(text.str());
}

void burn(int steps) {
  Random random(1);
  std::uint64_t sum = 0;
  for (int i = 0; i < steps; ++i) sum += random.next();
  [[maybe_unused]] const volatile std::uint64_t kept = sum;  // or the loop is optimised away
}

}  // namespace savina
