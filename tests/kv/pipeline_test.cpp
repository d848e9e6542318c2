#include "tools/kv/pipeline.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tools/kv/hash.hpp"

namespace kv {
namespace {

/// Shards that live in the test, and a client's pipeline over them.
class PipelineTest : public testing::Test {
 protected:
  static constexpr std::size_t kShards = 3;

  void add(std::vector<std::string_view> args) { pipeline.add(*check_request(args).command, args); }

  void add_answered(std::string_view text) {
    pipeline.add_answered([&](ReplyWriter& reply) { reply.simple(text); });
  }

  /// One round; the number of shards that took part.
  int make_round(std::size_t budget_bytes = 1000) {
    int shards = 0;
    for (std::size_t shard = 0; shard < kShards; ++shard) {
      if (!pipeline.wants_round(shard, budget_bytes)) continue;
      ShardWork work = pipeline.take_work(shard);
      execute(work, keyspaces[shard], Moment(0), budget_bytes);
      pipeline.put_back(shard, std::move(work));
      ++shards;
    }
    return shards;
  }

  /// All replies.
  std::string settle(std::size_t budget_bytes = 1000) {
    std::string out;
    while (!pipeline.drain(out)) {
      EXPECT_GT(make_round(budget_bytes), 0) << "no progress";
    }
    EXPECT_TRUE(pipeline.empty());
    return out;
  }

  /// A key that belongs to `shard`.
  static std::string key_of(std::size_t shard) {
    for (int i = 0;; ++i) {
      std::string key = "key" + std::to_string(i);
      if (shard_of(key, kShards) == shard) return key;
    }
  }

  Pipeline pipeline{kShards};
  Keyspace keyspaces[kShards];
};

TEST_F(PipelineTest, GivesRepliesInTheOrderOfRequests) {
  for (const char* key : {"a", "b", "c", "d", "e"}) add({"set", key, key});
  add_answered("LOCAL");
  add({"mget", "e", "none", "a"});
  add({"mset", "a", "1", "b", "2", "f", "3"});
  add({"exists", "a", "b", "f", "g", "a"});
  add({"dbsize"});
  add({"del", "a", "f", "g"});
  add({"dbsize"});
  add({"flushall"});
  add({"keys", "*"});
  EXPECT_EQ(settle(),
            "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+LOCAL\r\n*3\r\n$1\r\ne\r\n$-1\r\n$1\r\na\r\n+OK\r\n:4\r\n:6\r\n:2\r\n:4\r\n+OK\r\n*0\r\n");
}

TEST_F(PipelineTest, SendsEachShardOneBatchOfAllItsRequests) {
  for (int i = 0; i < 100; ++i) add({"incr", "n" + std::to_string(i)});
  EXPECT_EQ(make_round(), static_cast<int>(kShards));
  std::string out;
  EXPECT_TRUE(pipeline.drain(out));
  EXPECT_EQ(out.size(), 100 * std::string_view(":1\r\n").size());
  EXPECT_EQ(make_round(), 0);
}

TEST_F(PipelineTest, NeedsNoRoundForWhatIsAnsweredAtOnce) {
  add_answered("PONG");
  EXPECT_EQ(make_round(), 0);
  EXPECT_EQ(settle(), "+PONG\r\n");
}

TEST_F(PipelineTest, AnswersTheRequestsOfALostShardWithAnErrorAndTheOthersRight) {
  const std::string lost = key_of(0);
  const std::string kept = key_of(1);
  add({"set", kept, "v"});
  add({"set", lost, "v"});
  add({"mget", kept, lost});
  add({"get", kept});
  add({"dbsize"});
  std::string out;
  (void)pipeline.take_work(0);
  pipeline.fail(0, "ERR lost");
  make_round();
  EXPECT_TRUE(pipeline.drain(out));
  EXPECT_EQ(out, "+OK\r\n-ERR lost\r\n-ERR lost\r\n$1\r\nv\r\n-ERR lost\r\n");
  add({"set", lost, "v"});
  EXPECT_EQ(settle(), "+OK\r\n");
}

TEST_F(PipelineTest, KeepsTheRepliesThatWereWrittenBeforeTheShardWasLost) {
  const std::string key = key_of(0);
  const std::string value(50, 'v');
  add({"set", key, value});
  for (int i = 0; i < 4; ++i) add({"get", key});
  make_round(10);
  std::string out;
  EXPECT_FALSE(pipeline.drain(out));
  EXPECT_EQ(out, "+OK\r\n$50\r\n" + value + "\r\n");
  out.clear();
  (void)pipeline.take_work(0);
  pipeline.fail(0, "ERR lost");
  EXPECT_TRUE(pipeline.drain(out));
  EXPECT_EQ(out, "-ERR lost\r\n-ERR lost\r\n-ERR lost\r\n");
}

TEST_F(PipelineTest, HoldsNoMoreRepliesThanItsBudgetAllows) {
  const std::string value(100, 'v');
  for (std::size_t shard = 0; shard < kShards; ++shard) {
    add({"set", key_of(shard), value});
    (void)settle();
  }
  // The first shard is slow to answer the oldest request: the others get ahead, but not far.
  for (int i = 0; i < 50; ++i) add({"get", key_of(0)});
  for (int i = 0; i < 1000; ++i) add({"get", key_of(1)});
  std::string out;
  std::size_t largest = 0;
  std::size_t total = 0;
  while (!pipeline.drain(out)) {
    largest = std::max(largest, out.size());
    total += out.size();
    out.clear();
    ASSERT_GT(make_round(200), 0);
  }
  total += out.size();
  EXPECT_EQ(total, 1050 * (100 + std::string_view("$100\r\n\r\n").size()));
  EXPECT_LE(largest, 2000U);
}

TEST_F(PipelineTest, AnyBudgetGivesTheSameReplies) {
  for (const std::size_t budget : {0U, 1U, 30U, 100'000U}) {
    std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same requests each time
    std::string replies;
    for (Keyspace& keyspace : keyspaces) keyspace = Keyspace();
    for (int batch = 0; batch < 50; ++batch) {
      for (int i = 0; i < 20; ++i) {
        const std::string a = "k" + std::to_string(random() % 10);
        const std::string b = "k" + std::to_string(random() % 10);
        switch (random() % 6) {
          case 0:
            add({"append", a, b});
            break;
          case 1:
            add({"mset", a, b, b, a});
            break;
          case 2:
            add({"del", a, b});
            break;
          case 3:
            add({"dbsize"});
            break;
          case 4:
            add_answered("PONG");
            break;
          default:
            add({"mget", a, b, a});
            break;
        }
      }
      replies += settle(budget);
    }
    static std::string first_replies;
    if (first_replies.empty()) first_replies = replies;
    EXPECT_EQ(replies, first_replies) << budget;
  }
}

}  // namespace
}  // namespace kv
