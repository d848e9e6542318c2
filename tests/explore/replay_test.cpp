// The same seed is the same run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>
#include <string>

#include <weft/sim.hpp>
#include <weft/weft.hpp>

namespace {

struct Number {
  int value;
};

void two_senders(weft::Runtime& rt) {
  rt.run([] {
    const weft::Pid me = weft::self();
    for (int who = 0; who < 2; ++who) {
      weft::spawn([me, who] {
        for (int i = 0; i < 3; ++i) weft::send(me, Number{10 * who + i});
      });
    }
    int last[2] = {-1, -1};
    for (int i = 0; i < 6; ++i) {
      const int got = weft::receive<Number>().value;
      weft::sim::require(got % 10 == last[got / 10] + 1, "messages of one sender are in order");
      last[got / 10] = got % 10;
    }
  });
}

TEST(Explore, RunsASmallProgramUnderManySchedules) {
  const weft::sim::Report report = weft::sim::explore({.seeds = 500}, two_senders);
  EXPECT_EQ(report.runs, 500u);
  EXPECT_FALSE(report.failed);
}

TEST(Explore, TheSameSeedGivesTheSameOrder) {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto once = weft::sim::explore({.seeds = 1, .first_seed = seed}, two_senders);
    const auto again = weft::sim::explore({.seeds = 1, .first_seed = seed}, two_senders);
    EXPECT_EQ(once.order_hash, again.order_hash) << "seed " << seed;
    EXPECT_EQ(once.steps, again.steps);
    hashes.insert(once.order_hash);
  }
  EXPECT_GT(hashes.size(), 45u) << "seeds are different schedules";
}

/// The hash of 20 seeds as another process of this program counts it.
std::string hashes_in_another_process() {
  const std::string command = std::filesystem::read_symlink("/proc/self/exe").string() + " --gtest_filter=Explore.PrintsItsOrder";
  std::FILE* const output = popen(command.c_str(), "r");
  std::string hashes, line(256, 0);
  while (output != nullptr && std::fgets(line.data(), static_cast<int>(line.size()), output) != nullptr) {
    if (const std::string text = line.c_str(); text.starts_with("order ")) hashes += text;
  }
  if (output != nullptr) pclose(output);
  return hashes;
}

TEST(Explore, PrintsItsOrder) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto report = weft::sim::explore({.seeds = 1, .first_seed = seed, .workers = 3, .faults = {.stall = 0.01}}, two_senders);
    std::printf("order %llu %llx\n", static_cast<unsigned long long>(seed), static_cast<unsigned long long>(report.order_hash));
  }
}

TEST(Explore, AnotherProcessPassesTheSamePlacesInTheSameOrder) {
  const std::string once = hashes_in_another_process();
  EXPECT_EQ(std::count(once.begin(), once.end(), '\n'), 20) << once;
  EXPECT_EQ(once, hashes_in_another_process());
}

}  // namespace
