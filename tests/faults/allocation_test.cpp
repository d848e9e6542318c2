// Memory that is refused at the nth allocation of a call: that call alone fails, whichever n it is, and leaves nothing behind.
#include <array>
#include <functional>
#include <new>
#include <string>

#include "tests/faults/allocation.hpp"
#include "tests/faults/newcomers.hpp"

namespace weft::test {
namespace {

struct Large {
  std::array<char, 5'000> content{};
};

struct Call {
  const char* name;
  std::function<void()> make;  // in a process; once it succeeded it is not made again
};
void PrintTo(const Call& call, std::ostream* out) { *out << call.name; }

constexpr int kMost = 200;  // allocations of one call

class NthAllocation : public ::testing::TestWithParam<Call> {};

TEST_P(NthAllocation, IsRefusedAndOnlyThatCallFails) {
  Runtime rt({.workers = 2});
  rt.run([] {
    int nth = 1;
    for (bool done = false; !done && nth < kMost; ++nth) {
      try {
        const NoAllocation refusal(nth);
        GetParam().make();
        done = true;
      } catch (const std::bad_alloc&) {
      } catch (const LimitExceeded&) {  // As a table that cannot grow says it.
      }
    }
    EXPECT_LT(nth, kMost);
    RecordProperty("allocations", nth - 2);
  });
  expect_others_go_on(rt);
  EXPECT_TRUE(rt.stop(kPatience).survivors.empty());
  const Stats left = rt.stats();
  EXPECT_EQ(left.spawned, left.finished);
  EXPECT_EQ(left.active_links, 0u);
  EXPECT_EQ(left.active_monitors, 0u);
  EXPECT_EQ(left.active_timers, 0u);
  EXPECT_TRUE(rt.registered().empty());
  EXPECT_TRUE(rt.groups().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Calls, NthAllocation,
    ::testing::Values(Call{"spawn", [] { spawn([] {}); }},
                      Call{"spawn_with_everything",
                           [] {
                             (void)spawn_monitor(SpawnOptions{.name = "a name too long for any small buffer",
                                                              .label = "a label too long for any small buffer",
                                                              .groups = {"a group too long for any small buffer", "another"},
                                                              .link = true},
                                                 [large = Large{}] { (void)large; });
                           }},
                      Call{"send", [] { send(self(), Large{}); }}, Call{"send_text", [] { send(self(), std::string(1000, 'x')); }},
                      Call{"send_after", [] { send_after(1h, self(), Large{}); }},
                      Call{"send_every", [] { send_every(1h, self(), Large{}); }},
                      Call{"register_name", [] { register_name("a name too long for any small buffer"); }},
                      Call{"join", [] { join("a group too long for any small buffer"); }},
                      Call{"monitor", [] { (void)monitor("nobody has this name, which is long"); }},
                      Call{"whereis_or_spawn", [] { (void)whereis_or_spawn("a name too long for any small buffer", [] {}); }},
                      Call{"list", [] { (void)Runtime::of_self()->list(); }}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace weft::test
