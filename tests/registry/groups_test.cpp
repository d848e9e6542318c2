#include "registry/groups.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace weft::inline v0::registry {
namespace {

const Pid kAnn = Pid::from_parts(1, 1), kBob = Pid::from_parts(2, 1);

TEST(Groups, Grp1MembersAreASetInTheOrderOfJoining) {
  Groups groups;
  EXPECT_TRUE(groups.add("office", kBob));
  EXPECT_TRUE(groups.add("office", kAnn));
  EXPECT_FALSE(groups.add("office", kBob));
  EXPECT_EQ(groups.members("office"), (std::vector<Pid>{kBob, kAnn}));
  EXPECT_FALSE(groups.remove("office", Pid::from_parts(3, 1)));
  EXPECT_TRUE(groups.remove("office", kBob));
  EXPECT_EQ(groups.members("office"), std::vector<Pid>{kAnn});
  EXPECT_TRUE(groups.remove("office", kAnn));
  EXPECT_TRUE(groups.members("office").empty());
}

TEST(Groups, HolesOfManyLeaversAreSqueezedOut) {
  Groups groups;
  for (std::uint32_t i = 1; i <= 1'000; ++i) ASSERT_TRUE(groups.add("crowd", Pid::from_parts(i, 1)));
  for (std::uint32_t i = 1; i <= 1'000; ++i) {
    if (i % 10 == 0) continue;
    ASSERT_TRUE(groups.remove("crowd", Pid::from_parts(i, 1)));
  }
  const std::vector<Pid> left = groups.members("crowd");
  ASSERT_EQ(left.size(), 100u);
  for (std::size_t i = 0; i < left.size(); ++i) EXPECT_EQ(left[i], Pid::from_parts(static_cast<std::uint32_t>(10 * (i + 1)), 1));
}

}  // namespace
}  // namespace weft::registry
