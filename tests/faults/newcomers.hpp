#pragma once

#include <stdexcept>
#include <vector>

#include "tests/support/runtime_fixture.hpp"

namespace weft::test {

inline void expect_nothing_left(Runtime& rt) {
  EXPECT_TRUE(rt.stop(kPatience).survivors.empty());
  const Stats left = rt.stats();
  EXPECT_EQ(left.live, 0u);
  EXPECT_EQ(left.spawned, left.finished);
  EXPECT_EQ(left.active_links, 0u);
  EXPECT_EQ(left.active_monitors, 0u);
  EXPECT_EQ(left.active_timers, 0u);
}

/// Newcomers that nobody who stands still has anything of: they come and go as if nothing were wrong.
inline void expect_others_go_on(Runtime& rt) {
  struct Ball {
    int bounces;
  };
  std::vector<JoinHandle> pairs;
  for (int i = 0; i < 6; ++i) {
    pairs.push_back(rt.start([] {
      const Pid me = self();
      for (int round = 0; round < 20; ++round) {
        const Monitored child = spawn_monitor([me] { send(me, Ball{await<Ball>().bounces + 1}); });
        send(child.pid, Ball{round});
        if (await<Ball>().bounces != round + 1) throw std::runtime_error("another's ball");
        (void)await<Down>();
      }
    }));
  }
  for (JoinHandle& pair : pairs) {
    const std::optional<ExitReason> reason = pair.join_for(kPatience);
    ASSERT_TRUE(reason.has_value()) << "others wait for the worker that stands still";
    EXPECT_EQ(*reason, ExitReason::normal) << reason->to_string();
  }
}

}  // namespace weft::test
