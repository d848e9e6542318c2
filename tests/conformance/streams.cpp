// SEMANTICS.md section 16.
#include <gmock/gmock.h>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

std::vector<std::byte> bytes(std::string_view text) {
  const auto* first = reinterpret_cast<const std::byte*>(text.data());
  return {first, first + text.size()};
}

std::string text_of_chunk(const Chunk& chunk) { return {reinterpret_cast<const char*>(chunk.data()), chunk.size()}; }

/// All that comes until the end of the stream.
std::string read_all(StreamReader& reader) {
  std::string all;
  while (const std::optional<Chunk> chunk = reader.read()) all += text_of_chunk(*chunk);
  return all;
}

/// A body: takes one reader, then tells `to` all that came through it.
void relay_stream(Pid to) {
  StreamReader reader = receive<StreamReader>();
  send(to, Text{read_all(reader)});
}

class Streams : public VirtualTimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Streams, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Streams, Str1AReaderTravelsAsOneMessageInOrder) {
  run([&] {
    const Pid peer = spawn({.limit = {.capacity = 100}}, [test = self()] {
      receive<Go>();
      std::string kinds;
      for (int i = 0; i < 3; ++i) receive([&](Int) { kinds += 'i'; }, [&](StreamReader) { kinds += 's'; });
      send(test, Text{kinds});
    });
    auto ends = stream();
    send(peer, Int{1});
    EXPECT_EQ(send(peer, std::move(ends.second)), SendResult::queued);
    send(peer, Int{2});
    EXPECT_EQ(rt.info(peer).value().mailbox_depth, 3u);
    send(peer, Go{});
    EXPECT_EQ(await<Text>().text, "isi");
  });
}

TEST_P(Streams, Str1SendingAReaderToADeadProcessFailsTheWriter) {
  run([&] {
    auto ends = stream();
    EXPECT_EQ(send(dead_pid(), std::move(ends.second)), SendResult::no_process);
    EXPECT_EQ(ends.first.write(bytes("x")), StreamResult::closed);
  });
}

TEST_P(Streams, Str2ChunksArriveInOrderThenTheEnd) {
  run([&] {
    const Pid peer = spawn(relay_stream, self());
    auto ends = stream();
    send(peer, std::move(ends.second));
    std::string sent;
    for (int n = 0; n < 1000; ++n) {
      sent += std::to_string(n) + " ";
      ASSERT_EQ(ends.first.write(bytes(std::to_string(n) + " ")), StreamResult::ok);
    }
    ends.first.close();
    EXPECT_EQ(await<Text>().text, sent);
  });
}

TEST_P(Streams, Str2DroppingTheWriterIsTheEnd) {
  run([&] {
    auto ends = stream();
    {
      StreamWriter writer = std::move(ends.first);
      writer.write(bytes("last words"));
    }
    EXPECT_EQ(read_all(ends.second), "last words");
    EXPECT_FALSE(ends.second.read());
  });
}

TEST_P(Streams, Str2NothingCanBeWrittenAfterClose) {
  run([&] {
    auto ends = stream();
    ends.first.close();
    EXPECT_EQ(ends.first.write(bytes("x")), StreamResult::closed);
  });
}

TEST_P(Streams, Str2AReadMayTimeOutAndGoOn) {
  run([&] {
    auto ends = stream();
    const TimePoint start = now();
    EXPECT_FALSE(ends.second.read(5ms));
    EXPECT_GE(now() - start, 5ms);
    ends.first.write(bytes("late"));
    const std::optional<Chunk> chunk = ends.second.read(5ms);
    ASSERT_TRUE(chunk);
    EXPECT_EQ(text_of_chunk(*chunk), "late");
  });
}

TEST_P(Streams, Str3AStreamHoldsNoMoreThanItsCapacity) {
  run([&] {
    auto ends = stream(1024);
    const auto block = bytes(std::string(256, 'x'));
    std::size_t written = 0;
    while (written < 100 && ends.first.write(block, 0ms) == StreamResult::ok) ++written;
    EXPECT_GE(written, 1u);
    EXPECT_LE(written * block.size(), 1024u);
    const TimePoint start = now();
    EXPECT_EQ(ends.first.write(block, 5ms), StreamResult::timed_out);
    EXPECT_GE(now() - start, 5ms);
  });
}

TEST_P(Streams, Str3AWriterThatOutrunsItsReaderWaits) {
  run([&] {
    spawn([test = self()] {
      auto ends = stream(1024);
      send(test, std::move(ends.second));
      for (int n = 0; n < 256; ++n) ends.first.write(bytes(std::string(256, static_cast<char>('a' + n % 26))));
      send(test, Pong{});
    });
    StreamReader reader = await<StreamReader>();
    settle();
    EXPECT_FALSE(poll<Pong>());
    const std::string all = read_all(reader);
    await<Pong>();
    ASSERT_EQ(all.size(), 256u * 256u);
    for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], static_cast<char>('a' + (i / 256) % 26)) << "at " << i;
  });
}

TEST_P(Streams, Str3AWriteMayBeLargerThanTheStream) {
  run([&] {
    const Pid peer = spawn(relay_stream, self());
    auto ends = stream(1024);
    send(peer, std::move(ends.second));
    const std::string large(100'000, 'x');
    EXPECT_EQ(ends.first.write(bytes(large)), StreamResult::ok);
    ends.first.close();
    EXPECT_EQ(await<Text>().text, large);
  });
}

TEST_P(Streams, Str3AWaitingWriterCanBeKilled) {
  run([&] {
    const Monitored writer = spawn_monitor([test = self()] {
      auto ends = stream(16);
      send(test, std::move(ends.second));
      for (;;) ends.first.write(bytes("0123456789abcdef"));
    });
    StreamReader reader = await<StreamReader>();
    settle();
    kill(writer.pid);
    EXPECT_EQ(await_down(writer.ref).reason, ExitReason::killed);
    read_all(reader);  // Ends, because the writer did.
  });
}

TEST_P(Streams, Str3AWaitingReaderCanBeKilled) {
  run([&] {
    auto ends = stream();
    const Monitored reader = spawn_monitor(relay_stream, self());
    send(reader.pid, std::move(ends.second));
    settle();
    kill(reader.pid);
    EXPECT_EQ(await_down(reader.ref).reason, ExitReason::killed);
  });
}

TEST_P(Streams, Str3TheReadersDeathFailsAWaitingWriter) {
  run([&] {
    const Pid reader = spawn([] {
      const StreamReader held = receive<StreamReader>();
      receive_forever();
    });
    spawn([test = self(), reader] {
      auto ends = stream(16);
      send(reader, std::move(ends.second));
      StreamResult result = StreamResult::ok;
      while (result == StreamResult::ok) result = ends.first.write(bytes("0123456789abcdef"));
      send(test, Answer<StreamResult>{result});
    });
    settle();
    EXPECT_FALSE(poll<Answer<StreamResult>>());
    kill(reader);
    EXPECT_EQ(await<Answer<StreamResult>>().value, StreamResult::closed);
  });
}

TEST_P(Streams, Str3TheWritersDeathEndsTheStreamAfterWhatItWrote) {
  run([&] {
    const Pid writer = spawn([test = self()] {
      auto ends = stream();
      send(test, std::move(ends.second));
      ends.first.write(bytes("last words"));
      receive_forever();
    });
    StreamReader reader = await<StreamReader>();
    settle();
    kill(writer);
    EXPECT_EQ(read_all(reader), "last words");
  });
}

TEST_P(Streams, Str3AReaderLeftInADeadMailboxFailsTheWriter) {
  run([&] {
    auto ends = stream();
    const Pid peer = spawn(puppet);
    send(peer, std::move(ends.second));
    EXPECT_EQ(ends.first.write(bytes("x")), StreamResult::ok);
    kill_and_wait(peer);
    StreamResult result = StreamResult::ok;  // Unread messages go after DOWN (LIF-5); the stream may still be whole here.
    while (result == StreamResult::ok) result = ends.first.write(bytes("x"));
    EXPECT_EQ(result, StreamResult::closed);
  });
}

}  // namespace
}  // namespace weft::test
