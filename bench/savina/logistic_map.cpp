// Logistic map: series x' = r x (1 - x), each kept by one process and computed by another. The orders for all further terms wait in the
// mailbox while a series waits for one result; call() does not look at what came before it, so the wait costs the same however
// many there are. A plain receive<Computed>() here would walk past all of them, 25,000 times.
#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kSeries = 10;
constexpr double kStartRate = 3.46;
constexpr double kRateStep = 0.0025;

double rate_of(int series) { return kStartRate + series * kRateStep; }
double start_of(int series) { return 0.05 * (series + 1); }
double next_term(double term, double rate) { return rate * term * (1 - term); }

struct NextTerm {};
struct GetTerm {};
struct Compute {
  double term;
};
struct Stop {};
struct Term {
  int series;
  double value;
};

void computer(double rate) {
  for (bool going = true; going;) {
    weft::receive([&](weft::Call<Compute> call) { weft::reply(call.from, next_term(call.request.term, rate)); },  //
                  [&](Stop) { going = false; });
  }
}

void series(int number, weft::Pid computer, weft::Pid home) {
  double term = start_of(number);
  for (bool going = true; going;) {
    weft::receive([&](NextTerm) { term = weft::call<double>(computer, Compute{term}, weft::forever); },  //
                  [&](GetTerm) { going = false; });
  }
  weft::send(computer, Stop{});
  weft::send(home, Term{number, term});
}

class LogisticMap : public Program {
 public:
  explicit LogisticMap(Scale scale) : terms_(scale.of(25'000)) {}

  void run() override {
    std::vector<weft::Pid> all;
    for (int i = 0; i < kSeries; ++i) {
      all.push_back(weft::spawn_link(series, i, weft::spawn_link(computer, rate_of(i)), weft::self()));
    }
    for (int t = 0; t < terms_; ++t) {
      for (const weft::Pid pid : all) weft::send(pid, NextTerm{});
    }
    for (const weft::Pid pid : all) weft::send(pid, GetTerm{});
    for (int i = 0; i < kSeries; ++i) results_.push_back(weft::receive<Term>());
  }

  void check() const override {
    require_equal<std::size_t>("series", results_.size(), kSeries);
    for (const Term& result : results_) {
      double term = start_of(result.series);
      for (int t = 0; t < terms_; ++t) term = next_term(term, rate_of(result.series));
      require_equal("last term of a series", result.value, term);
    }
  }

 private:
  int terms_;
  std::vector<Term> results_;
};

const Registered<LogisticMap> registered("logistic_map", "10 series of 25,000 terms, rates from 3.46 in steps of 0.0025");

}  // namespace
}  // namespace savina
