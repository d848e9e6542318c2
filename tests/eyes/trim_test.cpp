// The memory of stacks that nobody needs any more.
#include "runtime/core.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace weft::test {
namespace {

TEST(IdleStacks, GiveTheirPagesBackWhenNothingRuns) {
  constexpr std::size_t kKept = 1024;  // 64 MiB of stacks of 64 KiB: StackPoolOptions::trim_keep_bytes
  constexpr std::size_t kMany = 2 * kKept;
  Runtime rt(RuntimeOptions{.workers = 2});
  for (std::size_t i = 0; i < kMany; ++i) rt.spawn(receive_forever);
  rt.run_until_idle();
  scheduler::StackPool& stacks = rt.core().scheduler.stacks();
  EXPECT_GE(stacks.stats().live, kMany);
  rt.shutdown();
  ASSERT_TRUE(eventually([&] { return rt.stats().live == 0; }));
  EXPECT_TRUE(eventually([&] { return stacks.stats().idle <= kKept; }));
}

}  // namespace
}  // namespace weft::test
