// SEMANTICS.md INF-6: the census that is told by itself.
#include <gmock/gmock.h>

#include <map>
#include <mutex>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

using Counted = std::map<std::string, std::size_t>;

class Census : public RuntimeTest {
 protected:
  Census() {
    options.clock = Clock::virtual_time;
    options.census = [this](const Counted& found) {
      const std::lock_guard lock(mutex_);
      told_.push_back(found);
    };
  }
  /// What was told since the last call.
  std::vector<Counted> told() {
    const std::lock_guard lock(mutex_);
    return std::exchange(told_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Counted> told_;  // under mutex_
};
INSTANTIATE_TEST_SUITE_P(Workers, Census, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Census, Inf6ACensusFollowsAChangeAfterTwoSeconds) {
  rt.spawn({.label = "clerk", .groups = {"office"}}, receive_forever);
  rt.advance(1999ms);
  EXPECT_THAT(told(), IsEmpty());
  rt.advance(1ms);
  EXPECT_THAT(told(), ElementsAre(UnorderedElementsAre(Pair("clerk", 1u), Pair("office", 1u))));
}

TEST_P(Census, Inf6QuietTimeTellsNothing) {
  rt.spawn({.label = "clerk"}, receive_forever);
  rt.advance(2s);
  EXPECT_THAT(told(), SizeIs(1));
  rt.advance(1h);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_P(Census, Inf6ManyChangesInTheIntervalAreOneCensus) {
  for (int i = 0; i < 20; ++i) {
    rt.spawn({.label = "clerk"}, receive_forever);
    rt.advance(90ms);
  }
  EXPECT_THAT(told(), IsEmpty());
  rt.advance(200ms);
  EXPECT_THAT(told(), ElementsAre(ElementsAre(Pair("clerk", 20u))));
  rt.advance(1h);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_P(Census, Inf6ASpawnAndAnExitThatCancelOutAreTold) {
  rt.spawn({.label = "clerk"}, receive_forever);
  rt.advance(2s);
  (void)told();
  rt.start({.label = "clerk"}, [] {}).join();
  rt.advance(2s);
  EXPECT_THAT(told(), ElementsAre(ElementsAre(Pair("clerk", 1u))));
}

TEST_P(Census, Inf6UnlabelledProcessesDoNotCount) {
  rt.start([] {}).join();
  rt.spawn(receive_forever);
  rt.advance(1h);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_P(Census, Inf6ALabelAMembershipAndTheirEndAreChanges) {
  const Pid clerk = rt.spawn(receive_forever);
  const auto census = [&] {
    rt.advance(2s);
    return told();
  };
  rt.set_label(clerk, "clerk");
  EXPECT_THAT(census(), ElementsAre(ElementsAre(Pair("clerk", 1u))));
  rt.join("office", clerk);
  EXPECT_THAT(census(), ElementsAre(UnorderedElementsAre(Pair("clerk", 1u), Pair("office", 1u))));
  rt.leave("office", clerk);
  EXPECT_THAT(census(), ElementsAre(ElementsAre(Pair("clerk", 1u))));
  rt.join("office", clerk);
  EXPECT_THAT(census(), SizeIs(1));
  rt.kill(clerk);
  EXPECT_THAT(census(), ElementsAre(IsEmpty()));
}

TEST_P(Census, Inf6TheIntervalCanBeChosen) {
  RuntimeOptions hourly = options;
  hourly.census_interval = 1h;
  rebuild(hourly);
  rt.spawn({.label = "clerk"}, receive_forever);
  rt.advance(59min);
  EXPECT_THAT(told(), IsEmpty());
  rt.advance(1min);
  EXPECT_THAT(told(), SizeIs(1));
  hourly.census_interval = 0s;
  EXPECT_THROW(Runtime{hourly}, BadArgument);
}

TEST_P(Census, Inf6WithoutASinkTheLogIsToldAtInfo) {
  for (const LogLevel level : {LogLevel::info, LogLevel::warn}) {
    LogBook book;
    RuntimeOptions logging = options;
    logging.census = nullptr;
    logging.log_level = level;
    logging.log = sink_into(book);
    Runtime runtime(logging);
    runtime.spawn({.label = "clerk", .groups = {"office"}}, receive_forever);
    runtime.advance(2s);
    if (level == LogLevel::info) {
      EXPECT_THAT(book.texts(LogLevel::info), ElementsAre("census: clerk=1 office=1"));
    } else {
      EXPECT_EQ(book.count(), 0u);
    }
  }
}

TEST_P(Census, Cpp24ASinkMayCallInAndThrow) {
  RuntimeOptions strange = options;
  int calls = 0;
  strange.census = [&](const Counted& found) {
    ++calls;
    if (found.contains("second")) return;
    rt.spawn({.label = "second"}, receive_forever);
    throw std::runtime_error("boom");
  };
  rebuild(strange);
  rt.spawn({.label = "first"}, receive_forever);
  rt.advance(2s);
  EXPECT_EQ(calls, 1);
  rt.advance(2s);
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace weft::test
