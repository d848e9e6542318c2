#include "tools/kv/commands.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/kv/options.hpp"

namespace kv {
namespace {

std::string error_of(std::vector<std::string_view> args) {
  const CheckedRequest request = check_request(args);
  EXPECT_EQ(request.command == nullptr, !request.error.empty());
  return request.error;
}

std::string merged(Merge merge, std::vector<std::string_view> parts) {
  std::string out;
  merge_replies(merge, parts, out);
  return out;
}

class SessionTest : public testing::Test {
 protected:
  std::string run(std::vector<std::string_view> args) {
    const CheckedRequest request = check_request(args);
    std::string out;
    ReplyWriter reply(out);
    if (request.command == nullptr) {
      reply.error(request.error);
    } else {
      (session.*request.command->on_session)(args, reply);
    }
    return out;
  }

  const Settings settings = settings_of(Options{});
  Session session{7, settings};
};

TEST(Commands, EachHasALowerCaseNameOfItsOwnAndAHandlerForItsRoute) {
  std::set<std::string_view> names;
  for (const Command& command : commands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    EXPECT_EQ(find_command(command.name), &command);
    EXPECT_EQ(command.on_session != nullptr, command.route == Route::session) << command.name;
    EXPECT_EQ(command.on_shard == nullptr, command.route == Route::session || command.route == Route::connection) << command.name;
    EXPECT_NE(command.arity, 0);
  }
}

TEST(Commands, AreFoundInAnyCase) {
  EXPECT_EQ(find_command("GET"), find_command("get"));
  EXPECT_EQ(find_command("gEt")->name, "get");
  EXPECT_EQ(find_command(""), nullptr);
  EXPECT_EQ(find_command("ge"), nullptr);
  EXPECT_EQ(find_command(std::string(1000, 'g')), nullptr);
}

TEST(Commands, AFewAreAllowedToAClientThatSubscribes) {
  std::set<std::string_view> allowed;
  for (const Command& command : commands()) {
    if (command.when_subscribed) allowed.insert(command.name);
  }
  EXPECT_EQ(allowed, (std::set<std::string_view>{"ping", "quit", "reset", "subscribe", "unsubscribe"}));
  EXPECT_EQ(not_when_subscribed(*find_command("get"), {}),
            "ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context");
  const std::vector<std::string_view> set_name{"CLIENT", "SetName", "x"};
  EXPECT_EQ(not_when_subscribed(*find_command("client"), set_name).substr(0, 37), "ERR Can't execute 'client|setname': o");
}

TEST(Commands, ASubcommandIsPartOfTheName) {
  EXPECT_EQ(error_of({"client", "SETNAME", "x"}), "");
  EXPECT_EQ(error_of({"client"}), "ERR wrong number of arguments for 'client' command");
  EXPECT_EQ(error_of({"client", "SetName"}), "ERR wrong number of arguments for 'client|setname' command");
  EXPECT_EQ(error_of({"Config", "get"}), "ERR wrong number of arguments for 'config|get' command");
  EXPECT_EQ(error_of({"command"}), "");
  EXPECT_EQ(error_of({"command", "count", "x"}), "ERR wrong number of arguments for 'command|count' command");
  EXPECT_EQ(error_of({"client", "Foo"}), "ERR unknown subcommand 'Foo'. Try CLIENT HELP.");
}

TEST_F(SessionTest, PingAnswersASubscriberWithAnArray) {
  session.set_subscriptions(2);
  EXPECT_EQ(run({"ping"}), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  EXPECT_EQ(run({"ping", "x"}), "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
  session.set_subscriptions(0);
  EXPECT_EQ(run({"ping"}), "+PONG\r\n");
}

TEST(Commands, TakeTheirNumberOfArguments) {
  EXPECT_EQ(error_of({"get", "k"}), "");
  EXPECT_EQ(error_of({"GET"}), "ERR wrong number of arguments for 'get' command");
  EXPECT_EQ(error_of({"get", "k", "l"}), "ERR wrong number of arguments for 'get' command");
  EXPECT_EQ(error_of({"del", "a", "b", "c"}), "");
  EXPECT_EQ(error_of({"mset", "a", "1", "b"}), "ERR wrong number of arguments for 'mset' command");
  EXPECT_EQ(error_of({"mset", "a", "1", "b", "2"}), "");
}

TEST(Commands, UnknownOnesAreQuotedAsRedisDoes) {
  EXPECT_EQ(error_of({"foo"}), "ERR unknown command 'foo', with args beginning with: ");
  EXPECT_EQ(error_of({"FOO", "a", ""}), "ERR unknown command 'FOO', with args beginning with: 'a' '' ");
  const std::string longest(200, 'x');
  EXPECT_EQ(error_of({longest, longest, "a"}),
            "ERR unknown command '" + std::string(128, 'x') + "', with args beginning with: '" + std::string(128, 'x') + "' ");
}

TEST(Commands, TellWhereTheirKeysAre) {
  const auto positions = [](std::string_view name) {
    const KeyPositions keys = key_positions(*find_command(name));
    return std::vector<int>{keys.first, keys.last, keys.step};
  };
  EXPECT_EQ(positions("get"), (std::vector<int>{1, 1, 1}));
  EXPECT_EQ(positions("mget"), (std::vector<int>{1, -1, 1}));
  EXPECT_EQ(positions("mset"), (std::vector<int>{1, -1, 2}));
  EXPECT_EQ(positions("dbsize"), (std::vector<int>{0, 0, 0}));
  EXPECT_EQ(positions("ping"), (std::vector<int>{0, 0, 0}));
}

TEST(MergeReplies, MakesOneReplyOfAllParts) {
  EXPECT_EQ(merged(Merge::first, {"+OK\r\n", "+OK\r\n"}), "+OK\r\n");
  EXPECT_EQ(merged(Merge::sum, {":1\r\n", ":0\r\n", ":41\r\n"}), ":42\r\n");
  EXPECT_EQ(merged(Merge::elements, {"$1\r\na\r\n", "$-1\r\n"}), "*2\r\n$1\r\na\r\n$-1\r\n");
  EXPECT_EQ(merged(Merge::concatenation, {"*1\r\n$1\r\na\r\n", "*0\r\n", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"}),
            "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
}

TEST(MergeReplies, OfWhichOneIsAnErrorAreThatError) {
  for (const Merge merge : {Merge::first, Merge::sum, Merge::elements, Merge::concatenation}) {
    EXPECT_EQ(merged(merge, {":1\r\n", "-ERR a\r\n", "-ERR b\r\n"}), "-ERR a\r\n");
  }
}

TEST_F(SessionTest, AnswersWhatConcernsOneClient) {
  EXPECT_EQ(run({"ping"}), "+PONG\r\n");
  EXPECT_EQ(run({"PING", "a"}), "$1\r\na\r\n");
  EXPECT_EQ(run({"ping", "a", "b"}), "-ERR wrong number of arguments for 'ping' command\r\n");
  EXPECT_EQ(run({"echo", ""}), "$0\r\n\r\n");
  EXPECT_EQ(run({"select", "0"}), "+OK\r\n");
  EXPECT_EQ(run({"select", "1"}), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(run({"select", "x"}), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(run({"client", "id"}), ":7\r\n");
  EXPECT_EQ(run({"client", "setinfo", "lib-name", "x"}), "+OK\r\n");
  EXPECT_EQ(run({"client", "kill", "all"}), "-ERR unknown subcommand 'kill'. Try CLIENT HELP.\r\n");
  EXPECT_FALSE(session.closing());
  EXPECT_EQ(run({"quit"}), "+OK\r\n");
  EXPECT_TRUE(session.closing());
}

TEST_F(SessionTest, KeepsTheClientsNameUntilReset) {
  EXPECT_EQ(run({"client", "getname"}), "$-1\r\n");
  EXPECT_EQ(run({"CLIENT", "SETNAME", "me"}), "+OK\r\n");
  EXPECT_EQ(run({"client", "setname", "a b"}), "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
  EXPECT_EQ(run({"client", "getname"}), "$2\r\nme\r\n");
  EXPECT_EQ(run({"reset"}), "+RESET\r\n");
  EXPECT_EQ(run({"client", "getname"}), "$-1\r\n");
}

TEST_F(SessionTest, ShowsSettingsByPattern) {
  EXPECT_EQ(run({"config", "get", "save"}), "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
  EXPECT_EQ(run({"config", "get", "APPEND*", "none", "appendonly"}), "*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n");
  EXPECT_EQ(run({"config", "get", "none"}), "*0\r\n");
  EXPECT_EQ(run({"config", "get"}), "-ERR wrong number of arguments for 'config|get' command\r\n");
  EXPECT_EQ(run({"config"}), "-ERR wrong number of arguments for 'config' command\r\n");
}

TEST_F(SessionTest, DescribesTheTableOfCommands) {
  EXPECT_EQ(run({"command", "count"}), ":" + std::to_string(commands().size()) + "\r\n");
  EXPECT_EQ(run({"command", "info", "GET", "none"}),
            "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n*0\r\n*0\r\n*0\r\n*0\r\n*-1\r\n");
  EXPECT_EQ(run({"command"}), run({"command", "info"}));
  EXPECT_EQ(run({"command", "docs"}), "-ERR unknown subcommand 'docs'. Try COMMAND HELP.\r\n");
}

TEST(ParseOptions, ReadsEachOptionInBothForms) {
  const char* arguments[] = {"weft_kv",    "--port",        "0", "--bind=127.0.0.2", "--workers", "3",
                             "--shards=4", "--max-clients", "5", "--max-value=6"};
  const auto parsed = parse_options(static_cast<int>(std::size(arguments)), arguments);
  const auto& options = std::get<Options>(parsed);
  EXPECT_EQ(options.port, 0);
  EXPECT_EQ(options.bind, "127.0.0.2");
  EXPECT_EQ(options.workers, 3U);
  EXPECT_EQ(options.shards, 4U);
  EXPECT_EQ(options.max_clients, 5U);
  EXPECT_EQ(options.max_value_bytes, 6U);
}

TEST(ParseOptions, TellsWhatIsWrong) {
  const std::pair<const char*, const char*> mistakes[] = {
      {"--port=65536", "--port takes a number from 0 to 65535, not '65536'"},
      {"--port=-1", "--port takes a number from 0 to 65535, not '-1'"},
      {"--port=x", "--port takes a number from 0 to 65535, not 'x'"},
      {"--port", "--port takes a value"},
      {"--shards=0", "--shards takes a number from 1 to 1024, not '0'"},
      {"--unknown=1", "there is no option '--unknown'"},
      {"stray", "there is no option 'stray'"},
      {"--bind=", "--bind takes a value"},
  };
  for (const auto& [bad, text] : mistakes) {
    const char* arguments[] = {"weft_kv", bad};
    const auto parsed = parse_options(2, arguments);
    ASSERT_TRUE(std::holds_alternative<Usage>(parsed)) << bad;
    const auto& usage = std::get<Usage>(parsed);
    EXPECT_EQ(usage.exit_code, 2);
    EXPECT_EQ(usage.text.substr(0, usage.text.find('\n')), std::string("weft_kv: ") + text);
  }
  const char* arguments[] = {"weft_kv", "--help"};
  EXPECT_EQ(std::get<Usage>(parse_options(2, arguments)).exit_code, 0);
}

}  // namespace
}  // namespace kv
