#include "tools/kv/subscriber.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kv {
namespace {

using weft::net::Address;
using weft::net::TcpListener;
using weft::net::TcpStream;

constexpr auto kPatience = std::chrono::seconds(30);
constexpr std::string_view kAnsweredOk = "+OK\r\n";

std::string confirmed(std::string_view kind, std::optional<std::string_view> channel, std::size_t count) {
  std::string text;
  ReplyWriter reply(text);
  confirm_channel(reply, kind, channel, count);
  return text;
}

std::string published(std::string_view channel, std::string_view payload) {
  std::string text;
  ReplyWriter reply(text);
  reply.array(3);
  for (const std::string_view part : {std::string_view("message"), channel, payload}) reply.bulk(part);
  return text;
}

/// Both ends of a client's connection.
struct Ends {
  Ends() {
    TcpListener listener = TcpListener::listen(Address::loopback(0));
    client.emplace(TcpStream::connect(listener.local_address(), kPatience));
    server = std::make_shared<TcpStream>(listener.accept(kPatience));
  }

  /// What the client reads is `expected`, and not a byte of another kind before it.
  void expect(const std::string& expected) {
    std::string text(expected.size(), '\0');
    for (std::size_t got = 0; got < text.size();) {
      const std::size_t bytes = client->read(std::as_writable_bytes(std::span(text)).subspan(got), kPatience);
      ASSERT_NE(bytes, 0u) << "the connection ended after: " << text.substr(0, got);
      got += bytes;
    }
    EXPECT_EQ(text, expected);
  }

  std::optional<TcpStream> client;
  SharedStream server;
};

std::size_t ask_to_subscribe(weft::Pid subscriber, std::vector<std::string> channels) {
  return weft::call<std::size_t>(subscriber, Subscribe{std::move(channels)}, kPatience);
}

std::size_t ask_to_unsubscribe(weft::Pid subscriber, std::vector<std::string> channels) {
  return weft::call<std::size_t>(subscriber, Unsubscribe{std::move(channels)}, kPatience);
}

weft::ExitReason reason_of(weft::MonitorRef ref) {
  return weft::receive(weft::when([ref](const weft::Down& down) { return down.ref == ref; }, [](weft::Down down) { return down.reason; }),
                       weft::after(kPatience, [] { return weft::ExitReason::timeout; }));
}

/// `body` as a connection's process, which traps exits so that it lives to tell of its subscriber's end.
void run(const std::function<void()>& body) {
  weft::Runtime rt;
  rt.run(weft::SpawnOptions{.trap_exit = true}, [&] { body(); });
}

TEST(Subscriber, ConfirmsEachChannelAndCountsEachOnce) {
  run([] {
    Ends ends;
    const weft::Pid subscriber = spawn_subscriber(ends.server);
    EXPECT_EQ(ask_to_subscribe(subscriber, {"a", "b", "a"}), 2u);
    ends.expect(confirmed("subscribe", "a", 1) + confirmed("subscribe", "b", 2) + confirmed("subscribe", "a", 2));
    EXPECT_EQ(ask_to_unsubscribe(subscriber, {"a", "never"}), 1u);
    ends.expect(confirmed("unsubscribe", "a", 1) + confirmed("unsubscribe", "never", 1));
    EXPECT_EQ(ask_to_unsubscribe(subscriber, {}), 0u);
    ends.expect(confirmed("unsubscribe", "b", 0));
    EXPECT_EQ(ask_to_unsubscribe(subscriber, {}), 0u);
    ends.expect(confirmed("unsubscribe", std::nullopt, 0));
  });
}

TEST(Subscriber, GetsWhatIsPublishedOnItsChannelsAndNothingElse) {
  run([] {
    Ends ends;
    const weft::Pid subscriber = spawn_subscriber(ends.server);
    const std::string one(300, 'x');  // Longer than a group's name may be.
    ask_to_subscribe(subscriber, {"news", one});
    ends.expect(confirmed("subscribe", "news", 1) + confirmed("subscribe", one, 2));
    EXPECT_EQ(publish("new", "no"), 0u);
    EXPECT_EQ(publish(one + "y", "no"), 0u);
    EXPECT_EQ(publish("news", "first"), 1u);
    EXPECT_EQ(publish(one, ""), 1u);
    ends.expect(published("news", "first") + published(one, ""));
    ask_to_unsubscribe(subscriber, {"news"});
    EXPECT_EQ(publish("news", "late"), 0u);
    ends.expect(confirmed("unsubscribe", "news", 1));
  });
}

TEST(Subscriber, WritesRepliesInTheirPlaceAmongPublications) {
  run([] {
    Ends ends;
    const weft::Pid subscriber = spawn_subscriber(ends.server);
    ask_to_subscribe(subscriber, {"news"});
    publish("news", "before");
    weft::call<Pushed>(subscriber, Push{std::string(kAnsweredOk)}, kPatience);
    publish("news", "after");
    ends.expect(confirmed("subscribe", "news", 1) + published("news", "before") + std::string(kAnsweredOk) + published("news", "after"));
  });
}

TEST(Subscriber, LeavesAllChannelsWithoutAWordWhenTheConnectionIsReset) {
  run([] {
    Ends ends;
    const weft::Pid subscriber = spawn_subscriber(ends.server);
    ask_to_subscribe(subscriber, {"a", "b"});
    EXPECT_EQ(weft::call<std::size_t>(subscriber, LeaveChannels{}, kPatience), 0u);
    EXPECT_EQ(publish("a", "no") + publish("b", "no"), 0u);
    weft::call<Pushed>(subscriber, Push{std::string(kAnsweredOk)}, kPatience);
    ends.expect(confirmed("subscribe", "a", 1) + confirmed("subscribe", "b", 2) + std::string(kAnsweredOk));
  });
}

TEST(Subscriber, OfAClientThatReadsNothingIsDroppedAndHoldsNoPublisherUp) {
  run([] {
    Ends ends;
    const weft::Pid subscriber = spawn_subscriber(ends.server);
    const weft::MonitorRef ref = weft::monitor(subscriber);
    ask_to_subscribe(subscriber, {"news"});
    const std::string large(1 << 20, 'x');
    std::size_t sent = 0;
    for (; publish("news", large) != 0; ++sent) weft::yield();  // Ends only because it is dropped.
    EXPECT_GE(sent << 20, kUnreadPublicationBytes);
    EXPECT_EQ(reason_of(ref), weft::ExitReason::of(weft::Atom("unread")));
  });
}

TEST(Subscriber, WritesWhatIsQueuedWhenItsConnectionEnds) {
  run([] {
    Ends ends;
    const weft::Monitored connection = weft::spawn_monitor([stream = ends.server] {
      const weft::Pid subscriber = spawn_subscriber(stream);
      ask_to_subscribe(subscriber, {"news"});
      publish("news", std::string(100'000, 'x'));
    });
    EXPECT_TRUE(reason_of(connection.ref).is_normal());
    ends.server.reset();
    ends.expect(confirmed("subscribe", "news", 1) + published("news", std::string(100'000, 'x')));
    std::byte more{};
    EXPECT_EQ(ends.client->read(std::span(&more, 1), kPatience), 0u) << "nobody holds the connection any more";
  });
}

TEST(Subscriber, EndsWithAClientThatBreaksOff) {
  run([] {
    Ends ends;
    const weft::Pid subscriber = spawn_subscriber(ends.server);
    const weft::MonitorRef ref = weft::monitor(subscriber);
    ask_to_subscribe(subscriber, {"news"});
    ends.client->close();
    while (publish("news", "x") != 0) weft::yield();
    EXPECT_EQ(reason_of(ref), weft::ExitReason::shutdown);
  });
}

}  // namespace
}  // namespace kv
