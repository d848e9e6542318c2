#include "tools/kv/resp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace kv {
namespace {

using namespace std::string_literals;

using Request = std::vector<std::string>;

struct Parsed {
  std::vector<Request> requests;
  std::string error;

  friend bool operator==(const Parsed&, const Parsed&) = default;
};

std::ostream& operator<<(std::ostream& out, const Parsed& parsed) {
  for (const Request& request : parsed.requests) {
    for (const std::string& arg : request) out << '[' << arg << ']';
    out << '\n';
  }
  return out << parsed.error;
}

void take_requests(RequestParser& parser, Parsed& parsed) {
  while (true) {
    const ParseStatus status = parser.next();
    if (status == ParseStatus::incomplete) return;
    if (status == ParseStatus::error) {
      parsed.error = parser.error();
      return;
    }
    parsed.requests.emplace_back(parser.args().begin(), parser.args().end());
  }
}

void feed(RequestParser& parser, std::string_view bytes, Parsed& parsed) {
  while (!bytes.empty()) {
    const std::span<char> space = parser.free_space();
    const std::size_t count = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), count);
    parser.commit(count);
    bytes.remove_prefix(count);
    take_requests(parser, parsed);
  }
}

Parsed parse(const std::vector<std::string_view>& pieces, ParserLimits limits = {}) {
  RequestParser parser(limits);
  Parsed parsed;
  for (const std::string_view piece : pieces) feed(parser, piece, parsed);
  return parsed;
}

std::string encode(const Request& request) {
  std::string bytes = "*" + std::to_string(request.size()) + "\r\n";
  for (const std::string& arg : request) bytes += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  return bytes;
}

struct Sample {
  std::string bytes;
  Parsed parsed;
};

std::vector<Sample> samples() {
  const std::string bad_count = "ERR Protocol error: invalid multibulk length";
  const std::string bad_length = "ERR Protocol error: invalid bulk length";
  const std::string bad_quotes = "ERR Protocol error: unbalanced quotes in request";
  return {
      {"*1\r\n$4\r\nPING\r\n", {{{"PING"}}, ""}},
      {"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", {{{"GET", ""}}, ""}},
      {"*2\r\n$4\r\nECHO\r\n$6\r\n\r\n*1\r\n\r\n", {{{"ECHO", "\r\n*1\r\n"}}, ""}},
      {"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\0b\r\n"s, {{{"SET", "k", "a\0b"s}}, ""}},
      {"*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\nc\r\n*1\r\n$1\r\nd\r\n", {{{"a"}, {"b"}, {"c"}, {"d"}}, ""}},
      {"*0\r\n*-1\r\n*-7\r\n\r\n\n  \r\nPING\r\n", {{{"PING"}}, ""}},
      {"PING\r\nPING\n  get  a\tb \r\n", {{{"PING"}, {"PING"}, {"get", "a", "b"}}, ""}},
      {"*1\r\n$4\r\nPINGxxPING\r\n", {{{"PING"}, {"PING"}}, ""}},
      {"a \"b c\" 'd e' f\"g\"\r\n", {{{"a", "b c", "d e", "fg"}}, ""}},
      {R"(a "\x41\xzz\n\r\t\b\a\\\"q" 'it\'s \n')"s + "\r\n", {{{"a", "Axzz\n\r\t\b\a\\\"q", "it's \\n"}}, ""}},
      {"\"\" ''\r\n", {{{"", ""}}, ""}},
      {"a \"b\r\nPING\r\n", {{}, bad_quotes}},
      {"a 'b\r\n", {{}, bad_quotes}},
      {"a \"b\"c\r\n", {{}, bad_quotes}},
      {"a \"b\\\r\n", {{}, bad_quotes}},
      {"PING\r\n*x\r\nPING\r\n", {{{"PING"}}, bad_count}},
      {"*\r\n", {{}, bad_count}},
      {"* 1\r\n", {{}, bad_count}},
      {"*+1\r\n", {{}, bad_count}},
      {"*01\r\n", {{}, bad_count}},
      {"*1048577\r\n", {{}, bad_count}},
      {"*99999999999999999999\r\n", {{}, bad_count}},
      {"*1\r\n$-1\r\n", {{}, bad_length}},
      {"*1\r\n$\r\n", {{}, bad_length}},
      {"*1\r\n$3x\r\n", {{}, bad_length}},
      {"*1\r\n$536870913\r\n", {{}, bad_length}},
      {"*1\r\n$01\r\na\r\n", {{}, bad_length}},
      {"*1\r\n$00000000001\r\na\r\n", {{}, bad_length}},
      {"*1\rx$1\rya\r\n", {{{"a"}}, ""}},
      {"*1\r\n:1\r\n", {{}, "ERR Protocol error: expected '$', got ':'"}},
      {"*2\r\n$1\r\na\r\n\r\n\r\n", {{}, "ERR Protocol error: expected '$', got '\r'"}},
      {"*2\r\n$3\r\nGET\r\n$5\r\nab", {{}, ""}},
      {"*2\r\n$3\r\nGET", {{}, ""}},
      {"PING", {{}, ""}},
  };
}

TEST(RequestParser, FindsRequestsAndErrorsWhereverTwoCutsFall) {
  for (const Sample& sample : samples()) {
    const std::string_view bytes = sample.bytes;
    ASSERT_EQ(parse({bytes}), sample.parsed) << bytes;
    for (std::size_t first = 0; first <= bytes.size(); ++first) {
      for (std::size_t second = first; second <= bytes.size(); ++second) {
        const std::vector<std::string_view> pieces = {bytes.substr(0, first), bytes.substr(first, second - first), bytes.substr(second)};
        ASSERT_EQ(parse(pieces), sample.parsed) << bytes << " cut at " << first << " and " << second;
      }
    }
  }
}

TEST(RequestParser, FindsRequestsInBytesThatArriveOneByOne) {
  std::string bytes;
  Parsed expected;
  for (const Sample& sample : samples()) {
    if (!sample.parsed.error.empty() || sample.bytes.back() != '\n') continue;
    bytes += sample.bytes;
    expected.requests.insert(expected.requests.end(), sample.parsed.requests.begin(), sample.parsed.requests.end());
  }
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < bytes.size(); ++i) pieces.push_back(std::string_view(bytes).substr(i, 1));
  EXPECT_EQ(parse(pieces), expected);
}

TEST(RequestParser, FindsLargeAndSmallRequestsInReadsOfAnySize) {
  std::mt19937 random(1);  // NOLINT(cert-msc51-cpp): the same test each time
  Parsed expected;
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    const std::size_t length = i % 50 == 49 ? 300'000 : random() % 200;
    expected.requests.push_back({"SET", std::to_string(i), std::string(length, static_cast<char>('a' + i % 26))});
    bytes += encode(expected.requests.back());
  }
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string_view> pieces;
    for (std::string_view rest = bytes; !rest.empty(); rest.remove_prefix(pieces.back().size())) {
      pieces.push_back(rest.substr(0, 1 + random() % 20'000));
    }
    ASSERT_EQ(parse(pieces), expected);
  }
}

TEST(RequestParser, SurvivesRandomBytes) {
  std::mt19937 random(2);  // NOLINT(cert-msc51-cpp)
  constexpr std::string_view kAlphabet = "*$123456789-0\r\n\r\n\r\n\"'\\x ab\0";
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (std::size_t length = random() % 60; length > 0; --length) bytes += kAlphabet[random() % kAlphabet.size()];
    const Parsed whole = parse({bytes});
    const std::size_t cut = bytes.empty() ? 0 : random() % bytes.size();
    ASSERT_EQ(parse({std::string_view(bytes).substr(0, cut), std::string_view(bytes).substr(cut)}), whole) << bytes;
  }
}

TEST(RequestParser, AllocatesNothingForWhatIsOnlyAnnounced) {
  RequestParser parser;
  Parsed parsed;
  feed(parser, "*1048576\r\n$536870912\r\n", parsed);
  EXPECT_EQ(parsed, Parsed{});
  (void)parser.free_space();
  EXPECT_LE(parser.capacity_bytes(), 64U << 10);
}

TEST(RequestParser, TakesMemoryInProportionToWhatHasArrivedAndGivesItBack) {
  RequestParser parser;
  Parsed parsed;
  feed(parser, "*1\r\n$8000000\r\n", parsed);
  std::size_t arrived = 0;
  const std::string piece(100'000, 'x');
  while (arrived < 8'000'000) {
    feed(parser, piece, parsed);
    arrived += piece.size();
    EXPECT_LE(parser.capacity_bytes(), 3 * arrived + (128U << 10));
  }
  feed(parser, "\r\n", parsed);
  ASSERT_EQ(parsed.requests.size(), 1U);
  EXPECT_EQ(parsed.requests[0][0].size(), 8'000'000U);
  (void)parser.free_space();
  EXPECT_LE(parser.capacity_bytes(), 64U << 10);
}

TEST(RequestParser, RefusesWhatIsOverALimitAndTakesWhatIsAtIt) {
  const ParserLimits limits{.max_bulk_bytes = 10, .max_arguments = 3, .max_line_bytes = 20, .max_request_bytes = 50};
  const std::string ten(10, 'a');
  EXPECT_EQ(parse({encode({ten})}, limits), (Parsed{{{ten}}, ""}));
  EXPECT_EQ(parse({encode({ten + "a"})}, limits).error, "ERR Protocol error: invalid bulk length");
  EXPECT_EQ(parse({encode({"a", "b", "c"})}, limits), (Parsed{{{"a", "b", "c"}}, ""}));
  EXPECT_EQ(parse({encode({"a", "b", "c", "d"})}, limits).error, "ERR Protocol error: invalid multibulk length");
  EXPECT_EQ(parse({encode({ten, ten, ten})}, limits).error, "ERR Protocol error: too big request");
  EXPECT_EQ(parse({std::string(20, 'a') + "\n"}, limits), (Parsed{{{std::string(20, 'a')}}, ""}));
  EXPECT_EQ(parse({std::string(21, 'a') + "\n"}, limits).error, "ERR Protocol error: too big inline request");
  EXPECT_EQ(parse({std::string(21, 'a')}, limits).error, "ERR Protocol error: too big inline request");
  const ParserLimits short_lines{.max_line_bytes = 2};
  EXPECT_EQ(parse({encode({"abc"})}, short_lines), (Parsed{{{"abc"}}, ""}));
  EXPECT_EQ(parse({encode({ten})}, short_lines).error, "ERR Protocol error: too big bulk count string");
  EXPECT_EQ(parse({"*10\r\n"}, short_lines).error, "ERR Protocol error: too big mbulk count string");
  EXPECT_EQ(parse({"*" + std::string(20, '1')}, limits).error, "ERR Protocol error: too big mbulk count string");
  EXPECT_EQ(parse({"*1\r\n$" + std::string(20, '1')}, limits).error, "ERR Protocol error: too big bulk count string");
}

TEST(RequestParser, GivesTheSameErrorForEver) {
  RequestParser parser;
  Parsed parsed;
  feed(parser, "*x\r\nPING\r\n", parsed);
  feed(parser, "PING\r\n", parsed);
  EXPECT_TRUE(parsed.requests.empty());
  EXPECT_EQ(parser.next(), ParseStatus::error);
  EXPECT_EQ(parser.error(), "ERR Protocol error: invalid multibulk length");
}

TEST(ReplyWriter, WritesEachKindOfReply) {
  std::string out;
  ReplyWriter reply(out);
  reply.simple("OK");
  reply.error("ERR a\r\nb");
  reply.integer(-42);
  reply.bulk("a\r\nb");
  reply.bulk("");
  reply.null_bulk();
  reply.array(2);
  reply.null_array();
  EXPECT_EQ(out, "+OK\r\n-ERR a  b\r\n:-42\r\n$4\r\na\r\nb\r\n$0\r\n\r\n$-1\r\n*2\r\n*-1\r\n");
}

}  // namespace
}  // namespace kv
