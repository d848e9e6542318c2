// Every Savina program, small, with one worker, two, and more than most machines have cores.
#include <gmock/gmock.h>

#include <limits>
#include <ostream>
#include <tuple>

#include "bench/savina/savina.hpp"

namespace savina {

void PrintTo(const Entry& entry, std::ostream* out) { *out << entry.name; }

namespace {

// The least that some programs can do is more. Small, because a sanitizer makes it many times slower.
constexpr double kScale = 0.002;

std::string name_of(const Entry& entry) { return std::string(entry.name); }

class Savina : public ::testing::TestWithParam<std::tuple<Entry, unsigned>> {};

TEST_P(Savina, EndsWithTheRightResultAndNoProcessLeft) {
  const auto& [entry, workers] = GetParam();
  weft::Runtime runtime({.workers = workers});
  const std::unique_ptr<Program> program = entry.make(Scale(kScale));
  run(runtime, *program);
  program->check();
  EXPECT_EQ(runtime.stats().active_links, 0u);
}

INSTANTIATE_TEST_SUITE_P(Programs, Savina, ::testing::Combine(::testing::ValuesIn(programs()), ::testing::Values(1u, 2u, 8u)),
                         [](const auto& info) { return name_of(std::get<0>(info.param)) + "_" + std::to_string(std::get<1>(info.param)); });

TEST(SavinaSuite, HasTheThirtyPrograms) { EXPECT_EQ(programs().size(), 30u); }

// A check that accepts anything would prove nothing: a program that was never run must fail its own.
class SavinaCheck : public ::testing::TestWithParam<Entry> {};

TEST_P(SavinaCheck, RefusesAProgramThatDidNothing) { EXPECT_THROW(GetParam().make(Scale(kScale))->check(), WrongResult); }

INSTANTIATE_TEST_SUITE_P(Programs, SavinaCheck, ::testing::ValuesIn(programs()), [](const auto& info) { return name_of(info.param); });

TEST(SavinaScale, RefusesWhatIsNoPositiveNumber) {
  EXPECT_THROW(Scale{0}, std::invalid_argument);
  EXPECT_THROW(Scale{-1}, std::invalid_argument);
  EXPECT_THROW(Scale{std::numeric_limits<double>::quiet_NaN()}, std::invalid_argument);
  EXPECT_THROW(Scale(1e9).of(10'000), std::invalid_argument);
}

TEST(SavinaScale, KeepsTheWorkInProportion) {
  EXPECT_EQ(Scale(1).of(40'000), 40'000);
  EXPECT_EQ(Scale(0.5).of(40'000), 20'000);
  EXPECT_EQ(Scale(0.125).length(1'000, 3, 1), 500);
  EXPECT_EQ(Scale(0.0001).of(100, 7), 7);
}

struct NeverAnswered : Program {
  void run() override {
    weft::spawn([] { weft::receive<int>(); });
  }
  void check() const override {}
};

TEST(SavinaRun, ReportsProcessesThatAreLeft) {
  weft::Runtime runtime({.workers = 2});
  NeverAnswered program;
  EXPECT_THROW(run(runtime, program), WrongResult);
}

struct FailingChild : Program {
  void run() override {
    weft::spawn_link([] { throw std::runtime_error("broken"); });
    weft::receive<int>();
  }
  void check() const override {}
};

TEST(SavinaRun, EndsWhenAChildFails) {
  weft::Runtime runtime({.workers = 2});
  FailingChild program;
  EXPECT_THAT([&] { run(runtime, program); }, ::testing::ThrowsMessage<weft::ProcessExited>(::testing::HasSubstr("broken")));
}

}  // namespace
}  // namespace savina
