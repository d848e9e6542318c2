#include "tools/kv/text.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>

namespace kv {
namespace {

using namespace std::string_literals;

TEST(ParseInteger, TakesTheOneFormThatRedisTakes) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("-1"), -1);
  EXPECT_EQ(parse_integer("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_integer("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  for (const char* text :
       {"", "-", "+1", " 1", "1 ", "01", "-0", "-01", "1.0", "0x1", "9223372036854775808", "-9223372036854775809", "a"}) {
    EXPECT_EQ(parse_integer(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_integer("1\0"s), std::nullopt);
}

TEST(GlobMatches, FollowsRedis) {
  const auto matches = [](std::string_view pattern, std::string_view text) { return glob_matches(pattern, text); };
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("a*c", "abbc"));
  EXPECT_TRUE(matches("*a*b*", "xxaxxbxx"));
  EXPECT_FALSE(matches("*a*b*", "xxbxxaxx"));
  EXPECT_TRUE(matches("a?c", "abc"));
  EXPECT_FALSE(matches("a?c", "ac"));
  EXPECT_TRUE(matches("[a-c]x", "bx"));
  EXPECT_TRUE(matches("[c-a]x", "bx"));
  EXPECT_FALSE(matches("[^a-c]x", "bx"));
  EXPECT_TRUE(matches("[\\]]", "]"));
  EXPECT_TRUE(matches("[ab", "b"));
  EXPECT_FALSE(matches("[", "["));
  EXPECT_TRUE(matches("[^", "x"));
  EXPECT_TRUE(matches("\\*", "*"));
  EXPECT_FALSE(matches("\\*", "x"));
  EXPECT_TRUE(matches("a\\", "a\\"));
  EXPECT_TRUE(matches("a*\0*"s, "ab\0c"s));
}

TEST(GlobMatches, TakesNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "a*";
  const auto started = std::chrono::steady_clock::now();
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(5000, 'a')));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(5));
}

TEST(Quotable, EndsAtAZeroByteAndAfter128Bytes) {
  EXPECT_EQ(quotable("ab\0c"s), "ab");
  EXPECT_EQ(quotable(std::string(200, 'a')).size(), 128U);
}

}  // namespace
}  // namespace kv
