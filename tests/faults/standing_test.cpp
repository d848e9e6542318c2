// A worker that stands still, at each place where that could matter. The kernel does this to a thread whenever it likes.
#include <cctype>
#include <string>
#include <thread>

#include "tests/faults/mill.hpp"
#include "tests/faults/newcomers.hpp"
#include "tests/faults/stop.hpp"

namespace weft::test {
namespace {

constexpr unsigned kWorkers = 3;

struct Place {
  const char* name;
  int passes = 0;
};
void PrintTo(const Place& place, std::ostream* out) { *out << place.name << " after " << place.passes; }

class StandingAt : public ::testing::TestWithParam<Place> {};

TEST_P(StandingAt, HoldsNobodyElseUpAndLosesNothing) {
  Runtime rt({.workers = kWorkers});
  Mill mill(rt);
  Stop stop(GetParam().name, Stop::Who::a_worker, GetParam().passes);
  ASSERT_TRUE(stop.reached()) << "no worker comes by";
  expect_others_go_on(rt);
  EXPECT_TRUE(stop.holds());
  stop.let_go();
  mill.finish();
  mill.stop_host();
  expect_nothing_left(rt);
}

TEST_P(StandingAt, HoldsTheEndOfTheRuntimeUpNoLonger) {
  Runtime rt({.workers = kWorkers});
  Mill mill(rt);
  Stop stop(GetParam().name, Stop::Who::a_worker, GetParam().passes);
  ASSERT_TRUE(stop.reached()) << "no worker comes by";
  std::thread end([&] {  // Whom it kills may be locked by the thread that stands still.
    rt.shutdown();
    mill.stop_host();
  });
  EXPECT_TRUE(stop.holds());
  stop.let_go();
  end.join();
  expect_nothing_left(rt);
}

// Each place of the workers' own code that the mill passes; some of them later too, when caches are full and queues have wrapped.
INSTANTIATE_TEST_SUITE_P(Places, StandingAt,
                         ::testing::Values(
                             // between a push and the wake-up that it asks for
                             Place{"push"}, Place{"push: exchange"}, Place{"push: exchange", 1000}, Place{"last-in slot: put"},
                             Place{"last-in slot: put", 1000}, Place{"append"}, Place{"append", 1000}, Place{"should notify"},
                             Place{"claim sleeper"}, Place{"claim sleeper: bit"}, Place{"wake"}, Place{"unpark"},
                             // holding work
                             Place{"send"}, Place{"send", 1000}, Place{"pop"}, Place{"pop: claim"}, Place{"last-in slot: take"},
                             Place{"grow: head"}, Place{"grow: ring"}, Place{"take injected"}, Place{"take injected: count"},
                             // stealing
                             Place{"begin search"}, Place{"steal"}, Place{"steal: tail"}, Place{"steal: ring"}, Place{"steal: claim"},
                             Place{"end search"},
                             // going to sleep, sleeping, waking
                             Place{"announce sleep: bit"}, Place{"announce sleep: count"}, Place{"sleep: last look"}, Place{"park worker"},
                             Place{"park worker: take token"}, Place{"cancel sleep"}, Place{"park process"}, Place{"park process", 1000},
                             // leading the poller
                             Place{"lead poller"}, Place{"descriptors are ready"}, Place{"lead poller: give up"},
                             // a spawn that nobody has seen yet, an end that some have
                             Place{"open"}, Place{"open", 1000}, Place{"close"}, Place{"name released"}, Place{"release group"},
                             Place{"one less"}, Place{"exit signal"}, Place{"whereis"},
                             // a mailbox and its places
                             Place{"take all"}, Place{"take all: exchange"}, Place{"take all for owner"},
                             Place{"take all for owner: exchange"}, Place{"take room"}, Place{"take room: exchange"}, Place{"free room"},
                             Place{"free room: wanted"}, Place{"wait for room"}, Place{"blocking: orphan suspends"}),
                         [](const auto& info) {
                           std::string name(info.param.name);
                           for (char& letter : name) {
                             if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
                           }
                           return name + (info.param.passes == 0 ? "" : "_" + std::to_string(info.param.passes));
                         });

}  // namespace
}  // namespace weft::test
