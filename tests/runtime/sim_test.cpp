#include <weft/sim.hpp>

#include <gtest/gtest.h>

#include <string>

namespace weft {
namespace {

TEST(Sim, WithoutTheBuildForItExploringSaysWhatItNeeds) {
  try {
    sim::explore({.seeds = 1}, [](Runtime&) {});
    FAIL() << "it did not throw";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("WEFT_EXPLORE"), std::string::npos) << error.what();
  }
  EXPECT_THROW(sim::require(true, ""), Error);
  EXPECT_THROW((void)sim::choose(2), Error);
  EXPECT_THROW(sim::Thread("a thread", [] {}), Error);
}

TEST(Sim, AReportSaysWhatFailedAndHowToRunItAgain) {
  sim::Report report;
  report.runs = 12;
  report.steps = 3456;
  EXPECT_EQ(report.to_string(), "12 schedules, 3456 steps, no failure");
  report.failed = true;
  report.seed = 12;
  report.what = "not met: there is a leader";
  report.order_hash = 0xabc;
  report.decisions = {"step 1: host at \"send\""};
  EXPECT_EQ(report.to_string(),
            "schedule 12, seed 12, fails: not met: there is a leader\n"
            "  step 1: host at \"send\"\n"
            "order hash 0000000000000abc. To run it again: WEFT_EXPLORE_SEED=12");
}

}  // namespace
}  // namespace weft
