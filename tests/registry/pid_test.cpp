#include <weft/pid.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <unordered_set>

namespace weft::inline v0::registry {
namespace {

TEST(Pid, HashSpreadsTenantsOfOneSlot) {
  std::unordered_set<std::size_t> hashes;
  for (std::uint64_t g = 1; g <= 1'000; ++g) hashes.insert(std::hash<Pid>{}(Pid::from_parts(7, g)));
  EXPECT_EQ(hashes.size(), 1'000u);
}

TEST(Pid, TextNamesSlotAndGeneration) { EXPECT_EQ(Pid::from_parts(107, 3).to_string(), "<0.107.3>"); }

}  // namespace
}  // namespace weft::registry
