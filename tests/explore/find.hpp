#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include <weft/sim.hpp>
#include <weft/weft.hpp>

namespace weft::test {

/// For a program with a planted fault: some seed of `options` finds it, says `what`, and finds it again in the same order.
template <class Body>
sim::Report find(sim::Options options, std::string_view what, Body body) {
  const sim::Report found = sim::try_explore(options, body);
  EXPECT_TRUE(found.failed) << "none of " << found.runs << " seeds finds it";
  if (!found.failed) return found;
  EXPECT_NE(found.what.find(what), std::string::npos) << found.what;
  options.first_seed = found.seed;
  options.seeds = 1;
  const sim::Report again = sim::try_explore(options, body);
  EXPECT_TRUE(again.failed);
  EXPECT_EQ(again.what, found.what);
  EXPECT_EQ(again.order_hash, found.order_hash);
  EXPECT_EQ(again.decisions, found.decisions);
  ::testing::Test::RecordProperty("seeds_until_found", std::to_string(found.runs));
  return found;
}

}  // namespace weft::test
