#include "tools/kv/keyspace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tools/kv/commands.hpp"

namespace kv {
namespace {

constexpr const char* kWrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
constexpr const char* kNoInteger = "-ERR value is not an integer or out of range\r\n";
constexpr const char* kSyntax = "-ERR syntax error\r\n";
constexpr const char* kNil = "$-1\r\n";
constexpr std::string_view kOk = "+OK\r\n";

std::string bulk(std::string_view bytes) { return "$" + std::to_string(bytes.size()) + "\r\n" + std::string(bytes) + "\r\n"; }

std::string integer(std::int64_t value) { return ":" + std::to_string(value) + "\r\n"; }

std::string array(std::initializer_list<std::string_view> elements) {
  std::string result = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string_view element : elements) result += bulk(element);
  return result;
}

class KeyspaceTest : public testing::Test {
 protected:
  /// Runs a request as one shard does; MGET and MSET with one key only.
  std::string run(std::vector<std::string_view> args) {
    const CheckedRequest request = check_request(args);
    std::string out;
    ReplyWriter reply(out);
    if (request.command == nullptr) {
      reply.error(request.error);
      return out;
    }
    args[0] = request.command->name;
    (keyspace.*request.command->on_shard)({args, now, reply});
    return out;
  }

  std::int64_t keys_with_expiry_left() {
    std::int64_t steps = 0;
    for (; keyspace.next_deadline(); ++steps) keyspace.expire_due(*keyspace.next_deadline(), 1);
    return steps;
  }

  Keyspace keyspace;
  Moment now{1'000'000};
};

TEST_F(KeyspaceTest, StringsAreSetAndGot) {
  EXPECT_EQ(run({"get", "k"}), kNil);
  EXPECT_EQ(run({"set", "k", "v"}), kOk);
  EXPECT_EQ(run({"get", "k"}), bulk("v"));
  EXPECT_EQ(run({"GETSET", "k", "w"}), bulk("v"));
  EXPECT_EQ(run({"getset", "other", "w"}), kNil);
  EXPECT_EQ(run({"append", "k", "xyz"}), integer(4));
  EXPECT_EQ(run({"append", "new", ""}), integer(0));
  EXPECT_EQ(run({"strlen", "k"}), integer(4));
  EXPECT_EQ(run({"strlen", "none"}), integer(0));
  EXPECT_EQ(run({"dbsize"}), integer(3));
  EXPECT_EQ(run({"set", "", std::string_view("\0\r\n", 3)}), kOk);
  EXPECT_EQ(run({"get", ""}), bulk(std::string_view("\0\r\n", 3)));
}

TEST_F(KeyspaceTest, SetObeysItsOptions) {
  EXPECT_EQ(run({"set", "k", "1", "xx"}), kNil);
  EXPECT_EQ(run({"set", "k", "1", "NX"}), kOk);
  EXPECT_EQ(run({"set", "k", "2", "nx"}), kNil);
  EXPECT_EQ(run({"set", "k", "2", "xx", "get"}), bulk("1"));
  EXPECT_EQ(run({"set", "k", "3", "nx", "get"}), bulk("2"));
  EXPECT_EQ(run({"get", "k"}), bulk("2"));
  EXPECT_EQ(run({"set", "k", "3", "ex", "10"}), kOk);
  EXPECT_EQ(run({"pttl", "k"}), integer(10'000));
  EXPECT_EQ(run({"set", "k", "4", "keepttl"}), kOk);
  EXPECT_EQ(run({"pttl", "k"}), integer(10'000));
  EXPECT_EQ(run({"set", "k", "4", "px", "7"}), kOk);
  EXPECT_EQ(run({"pttl", "k"}), integer(7));
  EXPECT_EQ(run({"set", "k", "5"}), kOk);
  EXPECT_EQ(run({"ttl", "k"}), integer(-1));
  EXPECT_EQ(run({"set", "k", "5", "nx", "xx"}), kSyntax);
  EXPECT_EQ(run({"set", "k", "5", "ex", "1", "px", "1"}), kSyntax);
  EXPECT_EQ(run({"set", "k", "5", "keepttl", "px", "1"}), kSyntax);
  EXPECT_EQ(run({"set", "k", "5", "ex"}), kSyntax);
  EXPECT_EQ(run({"set", "k", "5", "what"}), kSyntax);
  EXPECT_EQ(run({"set", "k", "5", "ex", "x"}), kNoInteger);
  for (const char* time : {"0", "-1", "9223372036854775807", "9223372036854775"}) {
    EXPECT_EQ(run({"set", "k", "6", "ex", time}), "-ERR invalid expire time in 'set' command\r\n");
  }
  EXPECT_EQ(run({"get", "k"}), bulk("5"));
}

TEST_F(KeyspaceTest, NumbersCountAndDoNotOverflow) {
  EXPECT_EQ(run({"incr", "n"}), integer(1));
  EXPECT_EQ(run({"decr", "n"}), integer(0));
  EXPECT_EQ(run({"decrby", "n", "5"}), integer(-5));
  EXPECT_EQ(run({"incrby", "n", "-5"}), integer(-10));
  EXPECT_EQ(run({"get", "n"}), bulk("-10"));
  EXPECT_EQ(run({"incrby", "n", "1.5"}), kNoInteger);
  EXPECT_EQ(run({"decrby", "n", "-9223372036854775808"}), "-ERR decrement would overflow\r\n");
  run({"set", "n", "9223372036854775807"});
  EXPECT_EQ(run({"incr", "n"}), "-ERR increment or decrement would overflow\r\n");
  run({"set", "n", "-9223372036854775808"});
  EXPECT_EQ(run({"decr", "n"}), "-ERR increment or decrement would overflow\r\n");
  for (const char* text : {"", "x", "1 ", "01", "9223372036854775808"}) {
    run({"set", "n", text});
    EXPECT_EQ(run({"incr", "n"}), kNoInteger) << text;
  }
}

TEST_F(KeyspaceTest, CountingKeepsTheTimeToLiveAndSettingEndsIt) {
  run({"set", "n", "1", "ex", "10"});
  run({"incr", "n"});
  run({"append", "n", "0"});
  EXPECT_EQ(run({"ttl", "n"}), integer(10));
  run({"getset", "n", "1"});
  EXPECT_EQ(run({"ttl", "n"}), integer(-1));
}

TEST_F(KeyspaceTest, ListsPushAndPopAtBothEnds) {
  EXPECT_EQ(run({"rpush", "l", "c", "d"}), integer(2));
  EXPECT_EQ(run({"lpush", "l", "b", "a"}), integer(4));
  EXPECT_EQ(run({"lrange", "l", "0", "-1"}), array({"a", "b", "c", "d"}));
  EXPECT_EQ(run({"llen", "l"}), integer(4));
  EXPECT_EQ(run({"lpop", "l"}), bulk("a"));
  EXPECT_EQ(run({"rpop", "l", "2"}), array({"d", "c"}));
  EXPECT_EQ(run({"lpop", "l", "0"}), array({}));
  EXPECT_EQ(run({"rpop", "l", "9223372036854775807"}), array({"b"}));
  EXPECT_EQ(run({"exists", "l"}), integer(0));
  EXPECT_EQ(run({"lpop", "l"}), kNil);
  EXPECT_EQ(run({"lpop", "l", "1"}), "*-1\r\n");
  EXPECT_EQ(run({"llen", "l"}), integer(0));
  for (const char* count : {"-1", "x", "9223372036854775808"}) {
    EXPECT_EQ(run({"lpop", "l", count}), "-ERR value is out of range, must be positive\r\n");
  }
  EXPECT_EQ(run({"rpop", "l", "1", "2"}), "-ERR wrong number of arguments for 'rpop' command\r\n");
}

TEST_F(KeyspaceTest, RangesAreCutToTheList) {
  run({"rpush", "l", "a", "b", "c"});
  EXPECT_EQ(run({"lrange", "l", "-2", "100"}), array({"b", "c"}));
  EXPECT_EQ(run({"lrange", "l", "-100", "0"}), array({"a"}));
  EXPECT_EQ(run({"lrange", "l", "2", "1"}), array({}));
  EXPECT_EQ(run({"lrange", "l", "3", "5"}), array({}));
  EXPECT_EQ(run({"lrange", "l", "0", "-4"}), array({}));
  EXPECT_EQ(run({"lrange", "l", "-9223372036854775808", "9223372036854775807"}), array({"a", "b", "c"}));
  EXPECT_EQ(run({"lrange", "none", "0", "-1"}), array({}));
  EXPECT_EQ(run({"lrange", "l", "a", "1"}), kNoInteger);
}

TEST_F(KeyspaceTest, HashesHoldFields) {
  EXPECT_EQ(run({"hset", "h", "a", "1", "b", "2", "a", "3"}), integer(2));
  EXPECT_EQ(run({"hset", "h", "a", "4", "c", "5"}), integer(1));
  EXPECT_EQ(run({"hget", "h", "a"}), bulk("4"));
  EXPECT_EQ(run({"hget", "h", "none"}), kNil);
  EXPECT_EQ(run({"hget", "none", "a"}), kNil);
  EXPECT_EQ(run({"hdel", "h", "a", "c", "none"}), integer(2));
  EXPECT_EQ(run({"hgetall", "h"}), array({"b", "2"}));
  EXPECT_EQ(run({"hdel", "h", "b"}), integer(1));
  EXPECT_EQ(run({"exists", "h"}), integer(0));
  EXPECT_EQ(run({"hgetall", "h"}), array({}));
  EXPECT_EQ(run({"hset", "h", "a"}), "-ERR wrong number of arguments for 'hset' command\r\n");
  EXPECT_EQ(run({"hset", "h", "a", "1", "b"}), "-ERR wrong number of arguments for 'hset' command\r\n");
}

TEST_F(KeyspaceTest, AWrongTypeIsToldAndChangesNothing) {
  run({"set", "s", "v"});
  run({"rpush", "l", "v"});
  run({"hset", "h", "f", "v"});
  const std::vector<std::vector<std::string_view>> requests = {{"get", "l"},
                                                               {"getset", "h", "x"},
                                                               {"append", "l", "x"},
                                                               {"strlen", "h"},
                                                               {"incr", "l"},
                                                               {"decrby", "h", "1"},
                                                               {"set", "l", "x", "get"},
                                                               {"lpush", "s", "x"},
                                                               {"rpush", "h", "x"},
                                                               {"lpop", "s"},
                                                               {"rpop", "h", "1"},
                                                               {"llen", "s"},
                                                               {"lrange", "h", "0", "1"},
                                                               {"hset", "s", "f", "x"},
                                                               {"hget", "l", "f"},
                                                               {"hdel", "s", "f"},
                                                               {"hgetall", "l"}};
  for (const auto& request : requests) EXPECT_EQ(run(request), kWrong) << request[0] << ' ' << request[1];
  EXPECT_EQ(run({"mget", "l"}), kNil);
  EXPECT_EQ(run({"get", "s"}), bulk("v"));
  EXPECT_EQ(run({"lrange", "l", "0", "-1"}), array({"v"}));
  EXPECT_EQ(run({"hgetall", "h"}), array({"f", "v"}));
  EXPECT_EQ(run({"set", "l", "now a string"}), kOk);
  EXPECT_EQ(run({"get", "l"}), bulk("now a string"));
}

TEST_F(KeyspaceTest, KeysAreCountedDeletedAndListed) {
  for (const char* key : {"one", "two", "three"}) run({"set", key, "v"});
  EXPECT_EQ(run({"exists", "one", "one", "none"}), integer(2));
  EXPECT_EQ(run({"keys", "o*"}), array({"one"}));
  EXPECT_EQ(run({"del", "one", "one", "none", "two"}), integer(2));
  EXPECT_EQ(run({"keys", "*"}), array({"three"}));
  EXPECT_EQ(run({"flushall", "later"}), kSyntax);
  EXPECT_EQ(run({"flushall", "async"}), kOk);
  EXPECT_EQ(run({"dbsize"}), integer(0));
}

TEST_F(KeyspaceTest, AKeyExpiresAtItsMomentForEveryCommand) {
  run({"rpush", "l", "v"});
  EXPECT_EQ(run({"expire", "l", "2"}), integer(1));
  EXPECT_EQ(run({"ttl", "l"}), integer(2));
  now += Moment(1499);
  EXPECT_EQ(run({"pttl", "l"}), integer(501));
  EXPECT_EQ(run({"ttl", "l"}), integer(1));
  now += Moment(2);
  EXPECT_EQ(run({"ttl", "l"}), integer(0));
  now += Moment(499);
  EXPECT_EQ(run({"keys", "*"}), array({}));
  EXPECT_EQ(run({"ttl", "l"}), integer(-2));
  EXPECT_EQ(run({"set", "l", "a string", "nx"}), kOk);
  EXPECT_EQ(run({"ttl", "l"}), integer(-1));

  run({"set", "s", "1", "px", "5"});
  now += Moment(5);
  EXPECT_EQ(run({"incr", "s"}), integer(1));
  EXPECT_EQ(run({"ttl", "s"}), integer(-1));

  run({"hset", "h", "f", "v"});
  run({"pexpire", "h", "5"});
  now += Moment(5);
  EXPECT_EQ(run({"set", "h", "v"}), kOk);
  EXPECT_EQ(run({"get", "h"}), bulk("v"));
}

TEST_F(KeyspaceTest, ExpireObeysItsOptions) {
  run({"set", "k", "v"});
  EXPECT_EQ(run({"expire", "none", "10"}), integer(0));
  EXPECT_EQ(run({"expire", "k", "10", "xx"}), integer(0));
  EXPECT_EQ(run({"expire", "k", "10", "gt"}), integer(0));
  EXPECT_EQ(run({"expire", "k", "10", "nx"}), integer(1));
  EXPECT_EQ(run({"expire", "k", "20", "nx"}), integer(0));
  EXPECT_EQ(run({"expire", "k", "5", "gt"}), integer(0));
  EXPECT_EQ(run({"expire", "k", "20", "GT", "XX"}), integer(1));
  EXPECT_EQ(run({"expire", "k", "30", "lt"}), integer(0));
  EXPECT_EQ(run({"pexpire", "k", "15", "lt"}), integer(1));
  EXPECT_EQ(run({"persist", "k"}), integer(1));
  EXPECT_EQ(run({"persist", "k"}), integer(0));
  EXPECT_EQ(run({"expire", "k", "x"}), kNoInteger);
  EXPECT_EQ(run({"expire", "k", "1", "ever"}), "-ERR Unsupported option ever\r\n");
  EXPECT_EQ(run({"expire", "k", "1", "gt", "lt"}), "-ERR GT and LT options at the same time are not compatible\r\n");
  EXPECT_EQ(run({"expire", "k", "1", "nx", "lt"}), "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
  EXPECT_EQ(run({"expire", "k", "9223372036854775807"}), "-ERR invalid expire time in 'expire' command\r\n");
  EXPECT_EQ(run({"pexpire", "k", "9223372036854775807"}), "-ERR invalid expire time in 'pexpire' command\r\n");
  EXPECT_EQ(run({"pexpire", "k", "-9223372036854775808"}), integer(1));
  EXPECT_EQ(run({"exists", "k"}), integer(0));
}

TEST_F(KeyspaceTest, DeadlinesComeInOrderAndStaleOnesEraseNothing) {
  EXPECT_FALSE(keyspace.next_deadline());
  run({"set", "late", "v", "px", "30"});
  run({"set", "early", "v", "px", "10"});
  run({"set", "changed", "v", "px", "5"});
  run({"pexpire", "changed", "20"});
  run({"set", "kept", "v", "px", "5"});
  run({"persist", "kept"});
  EXPECT_EQ(keyspace.next_deadline(), now + Moment(5));
  keyspace.expire_due(now + Moment(9), 100);
  EXPECT_EQ(keyspace.size(), 4U);
  EXPECT_EQ(keyspace.next_deadline(), now + Moment(10));
  keyspace.expire_due(now + Moment(20), 100);
  EXPECT_EQ(keyspace.size(), 2U);
  EXPECT_EQ(keyspace.next_deadline(), now + Moment(30));
  keyspace.expire_due(now + Moment(1000), 100);
  EXPECT_EQ(keyspace.size(), 1U);
  EXPECT_FALSE(keyspace.next_deadline());
}

TEST_F(KeyspaceTest, ExpiringDoesNoMoreStepsThanAllowed) {
  for (int i = 0; i < 10; ++i) run({"set", std::to_string(i), "v", "px", "5"});
  keyspace.expire_due(now + Moment(5), 4);
  EXPECT_EQ(keyspace.size(), 6U);
  EXPECT_EQ(keyspace.next_deadline(), now + Moment(5));
}

TEST_F(KeyspaceTest, SettingAnExpiryAgainAndAgainTakesNoMemory) {
  run({"set", "k", "v"});
  for (int i = 0; i < 10'000; ++i) run({"pexpire", "k", std::to_string(1000 + i)});
  EXPECT_LE(keys_with_expiry_left(), 70);
}

TEST_F(KeyspaceTest, DeletingAndFlushingForgetDeadlines) {
  for (int i = 0; i < 1000; ++i) {
    run({"set", "k", "v", "px", "5"});
    run({"del", "k"});
  }
  EXPECT_LE(keys_with_expiry_left(), 70);
  run({"set", "k", "v", "px", "5"});
  run({"flushall"});
  EXPECT_FALSE(keyspace.next_deadline());
}

TEST(KeyspaceLimit, AppendStopsAtTheLargestString) {
  Keyspace keyspace(10);
  std::string out;
  ReplyWriter reply(out);
  const std::string_view args[] = {"append", "k", "123456"};
  keyspace.append({args, Moment(0), reply});
  keyspace.append({args, Moment(0), reply});
  EXPECT_EQ(out, ":6\r\n-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
}

}  // namespace
}  // namespace kv
