// Stacks in the log: of crashes, and of processes that hold their worker.
#include <gmock/gmock.h>
#include <signal.h>

#include "tests/eyes/places.hpp"

namespace weft::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Reports : public RuntimeTest {
 protected:
  /// The reports of `level` from a runtime in which `body` ran.
  template <class F>
  std::vector<std::string> reports(LogLevel level, F body) {
    LogBook book;
    {
      RuntimeOptions logging = options;
      logging.log_level = level;
      logging.log = sink_into(book);
      Runtime runtime(logging);
      body(runtime);
    }
    return book.texts(level);
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, Reports, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Reports, ACrashShowsWhereItsExceptionWasThrown) {
  const std::vector<std::string> all =
      reports(LogLevel::error, [](Runtime& runtime) { runtime.start({.label = "clumsy"}, [] { eyes_throws_here(2); }).join(); });
  ASSERT_EQ(all.size(), 1u);
  EXPECT_THAT(all[0], HasSubstr("(clumsy) ended: error std::runtime_error: boom\n    #0 weft::test::eyes_throws_here(int) at "));
  EXPECT_THAT(all[0], Not(HasSubstr("RuntimeCore::run")));
}

TEST_P(Reports, AnExceptionThatWasCaughtAndThrownAgainShowsWhereItWasThrownLast) {
  const std::vector<std::string> all = reports(LogLevel::error, [](Runtime& runtime) {
    runtime
        .start([] {
          try {
            eyes_throws_here(0);
          } catch (const std::runtime_error&) {
            throw;
          }
        })
        .join();
  });
  ASSERT_EQ(all.size(), 1u);
  EXPECT_THAT(all[0], HasSubstr("#0 "));
  EXPECT_THAT(all[0], HasSubstr("reports_test.cpp:"));
  EXPECT_THAT(all[0], Not(HasSubstr("eyes_throws_here")));
}

TEST_P(Reports, AnExceptionThatMetANoexceptFunctionShowsThatFunction) {
  const std::vector<std::string> all =
      reports(LogLevel::error, [](Runtime& runtime) { runtime.start([] { eyes_throws_through_noexcept(); }).join(); });
  ASSERT_EQ(all.size(), 2u);
  EXPECT_THAT(all[1], HasSubstr("eyes_throws_through_noexcept"));
}

TEST_P(Reports, EndsThatAreNoCrashesShowNoStack) {
  const std::vector<std::string> all = reports(LogLevel::error, [](Runtime& runtime) {
    runtime.start([] { exit(ExitReason::error("deliberate", "")); }).join();
    JoinHandle idle = runtime.start([] { hibernate([] { exit(ExitReason::error("deliberate", "")); }); });
    runtime.send(idle.pid(), Pong{});
    idle.join();
  });
  ASSERT_EQ(all.size(), 2u);
  for (const std::string& report : all) EXPECT_THAT(report, Not(HasSubstr("\n")));
}

TEST_P(Reports, StacksCanBeLeftOut) {
  options.log_stacks = false;
  const std::vector<std::string> all =
      reports(LogLevel::error, [](Runtime& runtime) { runtime.start([] { eyes_throws_here(2); }).join(); });
  ASSERT_EQ(all.size(), 1u);
  EXPECT_THAT(all[0], Not(HasSubstr("\n")));
}

TEST_P(Reports, AProcessThatHoldsItsWorkerIsReportedWithItsStack) {
  options.watchdog = 20ms;
#ifndef WEFT_TEST_UNDER_TSAN
  options.stack_signal = SIGURG;
#endif
  std::atomic<bool> go{false};
  LogBook book;
  RuntimeOptions logging = options;
  logging.log_level = LogLevel::warn;
  logging.log = sink_into(book);
  Runtime runtime(logging);
  JoinHandle busy = runtime.start({.label = "greedy"}, [&go] { eyes_spins_here(go); });
  EXPECT_TRUE(eventually([&] { return book.count(LogLevel::warn) != 0; }));
  go.store(true);
  busy.join();
  const std::string report = book.texts(LogLevel::warn).at(0);
  EXPECT_THAT(report, HasSubstr("process " + busy.pid().to_string() + " (greedy) has held worker "));
#ifndef WEFT_TEST_UNDER_TSAN
  EXPECT_THAT(report, HasSubstr("eyes_spins_here"));
#endif
}

}  // namespace
}  // namespace weft::test
