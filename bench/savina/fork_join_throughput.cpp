// Fork-join throughput: one process feeds many, a message each in turn, and waits until all have worked off theirs.
#include <cmath>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

struct Work {
  double angle;
};
struct Finish {};
struct Report {
  int worker;
  int messages;
  double sum;
};

double compute(double angle) {
  const double sine = std::sin(angle);
  return sine * sine;
}

void worker(int number, weft::Pid home) {
  Report report{number, 0, 0};
  for (bool going = true; going;) {
    weft::receive(
        [&](Work work) {
          ++report.messages;
          report.sum += compute(work.angle);
        },
        [&](Finish) { going = false; });
  }
  weft::send(home, report);
}

class ForkJoinThroughput : public Program {
 public:
  explicit ForkJoinThroughput(Scale scale) : messages_(scale.of(10'000)) {}

  void run() override {
    std::vector<weft::Pid> workers;
    for (int w = 0; w < kWorkers; ++w) workers.push_back(weft::spawn_link(worker, w, weft::self()));
    for (int m = 0; m < messages_; ++m) {
      for (int w = 0; w < kWorkers; ++w) weft::send(workers[w], Work{angle(w, m)});
    }
    for (const weft::Pid pid : workers) weft::send(pid, Finish{});
    for (int w = 0; w < kWorkers; ++w) reports_.push_back(weft::receive<Report>());
  }

  void check() const override {
    require_equal<std::size_t>("reports", reports_.size(), kWorkers);
    for (const Report& report : reports_) {
      require_equal("messages of a worker", report.messages, messages_);
      double expected = 0;
      for (int m = 0; m < messages_; ++m) expected += compute(angle(report.worker, m));
      require_equal("sum of a worker", report.sum, expected);  // the same order of addition: the mailbox is first in, first out
    }
  }

 private:
  static constexpr int kWorkers = 60;
  static double angle(int worker, int message) { return 37.2 + worker + 0.1 * message; }
  int messages_;
  std::vector<Report> reports_;
};

const Registered<ForkJoinThroughput> registered("fork_join_throughput", "60 processes, 10,000 messages each");

}  // namespace
}  // namespace savina
