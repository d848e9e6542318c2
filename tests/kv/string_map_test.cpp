#include "tools/kv/string_map.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <string_view>

#include "tools/kv/hash.hpp"

namespace kv {
namespace {

TEST(StringMap, AgreesWithStdMapAfterEachOfManyRandomSteps) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same test each time
  StringMap<int> table;
  std::map<std::string, int> model;
  for (int step = 0; step < 200'000; ++step) {
    // The number of keys in use grows and shrinks, so that the table does as well.
    const std::string key = std::to_string(random() % (step / 20'000 % 2 == 0 ? 3000 : 30));
    if (random() % 2 == 0) {
      const auto [node, made] = table.find_or_insert(key);
      const auto [at, inserted] = model.try_emplace(key);
      ASSERT_EQ(made, inserted);
      ASSERT_EQ(node->value, at->second);
      node->value = at->second = step;
    } else {
      ASSERT_EQ(table.erase(key), model.erase(key) == 1);
    }
    ASSERT_EQ(table.size(), model.size());
    const auto* node = table.find(key);
    ASSERT_EQ(node != nullptr, model.contains(key));
    if (step % 10'000 == 0) {
      std::map<std::string, int> content;
      table.for_each([&](const auto& each) { content.emplace(each.key, each.value); });
      ASSERT_EQ(content, model);
    }
  }
  for (const auto& [key, value] : model) ASSERT_EQ(table.find(key)->value, value);
  table.clear();
  EXPECT_EQ(table.find("1"), nullptr);
  EXPECT_FALSE(table.erase("1"));
}

TEST(StringMap, ErasesByTheKeyInTheNode) {
  StringMap<int> table;
  auto* node = table.find_or_insert("a key that is longer than a small string").first;
  EXPECT_TRUE(table.erase(node->key));
  EXPECT_TRUE(table.empty());
}

TEST(HashKey, TakesInEachByteOfTheKeyAndNoneBehindIt) {
  const std::string text = "abcdefghijklmnopqrstuvwxyz";
  for (std::size_t size = 0; size <= 20; ++size) {
    const std::string_view key = std::string_view(text).substr(0, size);
    const std::string followed = std::string(key) + "\xff\xff";
    ASSERT_EQ(hash_key(key), hash_key(std::string_view(followed).substr(0, size))) << size;
    for (std::size_t place = 0; place < size; ++place) {
      std::string other(key);
      other[place] = '\0';
      ASSERT_NE(hash_key(key), hash_key(other)) << size << " at " << place;
    }
  }
}

TEST(ShardOf, SpreadsKeysEvenlyAndKeepsToItsChoice) {
  for (const std::size_t shards : {1U, 2U, 3U, 8U, 1000U}) {
    std::vector<int> keys(shards);
    for (int i = 0; i < 20'000; ++i) {
      const std::string key = "key:" + std::to_string(i);
      const std::size_t shard = shard_of(key, shards);
      ASSERT_LT(shard, shards);
      ASSERT_EQ(shard, shard_of(key, shards));
      ++keys[shard];
    }
    if (shards <= 8) {
      for (const int count : keys) EXPECT_NEAR(count, 20'000.0 / static_cast<double>(shards), 1000);
    }
  }
}

}  // namespace
}  // namespace kv
