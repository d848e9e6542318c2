// weft::net against the kernel's loopback: both ends are processes unless a test says otherwise.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weft/net.hpp>
#include <weft/weft.hpp>

#include "tests/runtime/net_probes.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace weft::test {
namespace {

using net::Address;
using net::Interest;
using net::ListenOptions;
using net::NetError;
using net::Readiness;
using net::StreamSocket;
using net::TcpListener;
using net::TcpStream;
using net::UnixListener;
using net::UnixStream;

static_assert(Sendable<TcpStream> && Sendable<TcpListener> && Sendable<UnixStream> && Sendable<UnixListener> && Sendable<Address>);

void write_text(StreamSocket& stream, std::string_view text) { stream.write_all(bytes(text), kPatience); }

/// Reads until `size` bytes have come or the stream ends.
std::string read_text(StreamSocket& stream, std::size_t size) {
  std::string text(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const std::size_t n = stream.read(std::as_writable_bytes(std::span(text)).subspan(got), kPatience);
    if (n == 0) break;
    got += n;
  }
  text.resize(got);
  return text;
}

std::string read_to_end(StreamSocket& stream) {
  std::string all;
  std::array<char, 4096> part;
  while (const std::size_t n = stream.read(std::as_writable_bytes(std::span(part)), kPatience)) all.append(part.data(), n);
  return all;
}

/// Bytes that tell where they are: they repeat after a prime number of them, and no buffer has that size.
std::string pattern(std::size_t size) {
  constexpr std::size_t kPeriod = 65'521;
  std::string text(std::min(size, kPeriod), '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i * 2654435761u % 26);
  text.reserve(size);
  while (text.size() < size) text.append(text, 0, std::min(kPeriod, size - text.size()));
  return text;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for (int fd = 0; fd < 4096; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

/// A folder of its own for socket files.
class Folder {
 public:
  Folder() { EXPECT_NE(::mkdtemp(path_.data()), nullptr); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    ::unlink(file().c_str());
    ::rmdir(path_.c_str());
  }
  [[nodiscard]] std::string file() const { return path_ + "/s"; }

 private:
  std::string path_ = ::testing::TempDir() + "weft_net_XXXXXX";
};

class Net : public RuntimeTest {
 protected:
  struct Pair {
    TcpStream client;
    TcpStream server;
  };

  /// In a process.
  static Pair connected() {
    TcpListener listener = TcpListener::listen(Address::loopback(0));
    TcpStream client = TcpStream::connect(listener.local_address(), kPatience);
    return {std::move(client), listener.accept(kPatience)};
  }

  /// In a process: returns once `pid` is suspended.
  void await_waiting(Pid pid) {
    for (;;) {
      const std::optional<ProcessInfo> info = rt.info(pid);
      ASSERT_TRUE(info) << "it ended instead of waiting";
      if (info->status == ProcessStatus::waiting) return;
      sleep_for(100us);
    }
  }

  /// In a process: has the poller open what it keeps open, and counts.
  static std::size_t descriptors_in_use() {
    {
      const Pipe pipe;
      EXPECT_EQ(net::wait_fd(pipe.ends[0], Interest::read, 1ms), Readiness::timed_out);
    }
    return open_descriptors();
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, Net, worker_counts());

// --- Addresses --------------------------------------------------------------------------------------------------------------------------

TEST(NetAddress, PrintsAndParsesBothFamilies) {
  EXPECT_EQ(Address::loopback(80).to_string(), "127.0.0.1:80");
  EXPECT_EQ(Address::any(0).to_string(), "0.0.0.0:0");
  EXPECT_EQ(Address::parse("192.0.2.1", 65535).to_string(), "192.0.2.1:65535");
  EXPECT_EQ(Address::parse("2001:db8:0::1", 7).to_string(), "[2001:db8::1]:7");
  EXPECT_EQ(Address::parse("::1", 7).port(), 7);
  EXPECT_EQ(Address::parse("127.0.0.1", 80), Address::loopback(80));
  EXPECT_NE(Address::parse("127.0.0.1", 81), Address::loopback(80));
}

TEST(NetAddress, RefusesWhatIsNotNumericAndSaysWhat) {
  using namespace std::string_view_literals;
  EXPECT_TRUE(mentions(text_of<BadArgument>([] { Address::parse("localhost", 1); }), "localhost"));
  EXPECT_THROW(Address::parse("", 1), BadArgument);
  EXPECT_THROW(Address::parse("127.0.0.1\0.evil"sv, 1), BadArgument);
  EXPECT_THROW(Address::parse("1.2.3", 1), BadArgument);
}

// --- Streams ----------------------------------------------------------------------------------------------------------------------------

TEST_P(Net, EchoesWhatAClientWrites) {
  run([] {
    TcpListener listener = TcpListener::listen(Address::loopback(0));
    const Address address = listener.local_address();
    spawn([listener = std::move(listener)]() mutable {
      TcpStream stream = listener.accept();
      std::array<std::byte, 100> buffer;
      while (const std::size_t n = stream.read(buffer)) stream.write_all(std::span(buffer).first(n));
    });
    TcpStream stream = TcpStream::connect(address);
    stream.set_nodelay();
    for (int i = 0; i < 200; ++i) {
      const std::string text = "message " + std::to_string(i);
      write_text(stream, text);
      ASSERT_EQ(read_text(stream, text.size()), text);
    }
  });
}

TEST_P(Net, KnowsTheAddressesOfBothEnds) {
  run([] {
    const Pair pair = connected();
    EXPECT_EQ(pair.client.peer_address(), pair.server.local_address());
    EXPECT_EQ(pair.client.local_address(), pair.server.peer_address());
  });
}

TEST_P(Net, AWriteLargerThanEveryBufferArrivesWholeAndInOrder) {
  run([] {
    Pair pair = connected();
    const std::string sent = pattern(8u << 20);
    spawn([stream = std::move(pair.client), sent]() mutable { write_text(stream, sent); });
    EXPECT_TRUE(read_to_end(pair.server) == sent);
  });
}

TEST_P(Net, AVectoredWriteKeepsTheOrderOfItsPieces) {
  run([] {
    Pair pair = connected();
    const std::string whole = pattern(3u << 20);
    std::vector<std::span<const std::byte>> pieces;
    std::size_t size = 0;
    for (std::size_t at = 0; at < whole.size(); at += size) {
      size = std::min(whole.size() - at, pieces.size() * 37 % 50'000);  // The first is empty, and so are others.
      pieces.push_back(bytes(std::string_view(whole).substr(at, size)));
    }
    EXPECT_GT(pieces.size(), 64u);
    spawn([stream = std::move(pair.client), &pieces]() mutable { stream.write_all(pieces, kPatience); });
    EXPECT_TRUE(read_to_end(pair.server) == whole);
  });
}

TEST_P(Net, AStreamTravelsInAMessage) {
  run([] {
    Pair pair = connected();
    const Pid other = spawn([] {
      auto stream = await<TcpStream>();
      write_text(stream, "from the other");
    });
    send(other, std::move(pair.server));
    EXPECT_EQ(read_to_end(pair.client), "from the other");
    EXPECT_EQ(net_error([&] { pair.server.shutdown_write(); }), EBADF);
  });
}

TEST_P(Net, HalfCloseEndsOneDirectionOnly) {
  run([] {
    Pair pair = connected();
    write_text(pair.client, "question");
    pair.client.shutdown_write();
    EXPECT_EQ(read_to_end(pair.server), "question");
    write_text(pair.server, "answer");
    pair.server.close();
    EXPECT_EQ(read_to_end(pair.client), "answer");
    EXPECT_TRUE(net_error([&] { write_text(pair.client, "too late"); }) == EPIPE);
  });
}

TEST_P(Net, TwoProcessesReadAndWriteOneSocketAtTheSameTime) {
  run([] {
    Pair pair = connected();
    const std::string there = pattern(2u << 20);
    const std::string back(2u << 20, 'b');
    auto shared = std::make_shared<TcpStream>(std::move(pair.client));
    const Pid me = self();
    spawn([box = unchecked<std::shared_ptr<TcpStream>>{shared}, &there] {
      write_text(*box.value, there);
      box.value->shutdown_write();
    });
    spawn([box = unchecked<std::shared_ptr<TcpStream>>{shared}, me] { send(me, read_to_end(*box.value)); });
    shared.reset();
    spawn([stream = std::make_shared<TcpStream>(std::move(pair.server)), me, &back] {
      // Neither side may wait for the other to finish: both directions are larger than what the kernel holds.
      spawn([stream, me] { send(me, std::make_pair(std::string("there"), read_to_end(*stream))); });
      write_text(*stream, back);
      stream->shutdown_write();
    });
    EXPECT_TRUE((await<std::pair<std::string, std::string>>().second == there));
    EXPECT_TRUE(await<std::string>() == back);
  });
}

TEST_P(Net, ASecondReaderOfOneSocketIsRefused) {
  run([this] {
    Pair pair = connected();
    auto shared = std::make_shared<TcpStream>(std::move(pair.client));
    const Pid reader = spawn([shared] { read_text(*shared, 1); });
    await_waiting(reader);
    EXPECT_EQ(net_error([&] { read_text(*shared, 1); }), EBUSY);
    write_text(pair.server, "x");
  });
}

TEST_P(Net, AnEmptyReadIsAWrongCallAndAnEmptyWriteIsNothing) {
  run([] {
    Pair pair = connected();
    EXPECT_THROW(pair.client.read({}), BadArgument);
    pair.client.write_all(std::span<const std::byte>{});
    pair.client.write_all(std::span<const std::span<const std::byte>>{});
    pair.client.close();
    EXPECT_EQ(read_to_end(pair.server), "");
  });
}

// --- Deadlines --------------------------------------------------------------------------------------------------------------------------

TEST_P(Net, AReadTimesOutAndNamesCallPeerAndDeadline) {
  run([] {
    Pair pair = connected();
    std::array<std::byte, 1> buffer;
    const TimePoint start = now();
    const std::string text = text_of<TimedOut>([&] { pair.client.read(buffer, 20ms); });
    EXPECT_GE(now() - start, 20ms);
    EXPECT_TRUE(mentions(text, "TcpStream::read")) << text;
    EXPECT_TRUE(mentions(text, pair.client.peer_address().to_string())) << text;
    EXPECT_TRUE(mentions(text, "20 ms")) << text;
    write_text(pair.server, "x");  // The stream is as good as before.
    EXPECT_EQ(read_text(pair.client, 1), "x");
  });
}

TEST_P(Net, AZeroTimeoutTriesOnce) {
  run([] {
    TcpListener listener = TcpListener::listen(Address::loopback(0));
    EXPECT_THROW(listener.accept(0ns), TimedOut);
    TcpStream client = TcpStream::connect(listener.local_address());
    TcpStream server = listener.accept(kPatience);
    std::array<std::byte, 1> buffer;
    EXPECT_THROW(server.read(buffer, 0ns), TimedOut);
    client.write_all(bytes("x"), 0ns);
    EXPECT_EQ(net::wait_fd(server.fd(), Interest::read, kPatience), Readiness::ready);
    EXPECT_EQ(server.read(buffer, 0ns), 1u);
  });
}

TEST_P(Net, TheDeadlineOfAWriteBoundsTheWhole) {
  run([] {
    Pair pair = connected();
    const std::string much = pattern(64u << 20);
    EXPECT_THROW(pair.client.write_all(bytes(much), 20ms), TimedOut);
  });
}

TEST_P(Net, AConnectThatIsNotAnsweredTimesOut) {
  run([] {
    ListenOptions few;
    few.backlog = 0;
    const TcpListener listener = TcpListener::listen(Address::loopback(0), few);
    std::vector<TcpStream> queued;
    const std::string text = text_of<TimedOut>([&] {
      for (int i = 0; i < 16; ++i) queued.push_back(TcpStream::connect(listener.local_address(), 50ms));
    });
    EXPECT_TRUE(mentions(text, "TcpStream::connect to " + listener.local_address().to_string())) << text;
  });
}

TEST_P(Net, ANegativeTimeoutIsAWrongCall) {
  run([] {
    Pair pair = connected();
    std::array<std::byte, 1> buffer;
    EXPECT_THROW(pair.client.read(buffer, -1ns), BadArgument);
    EXPECT_THROW(pair.client.write_all(bytes("x"), -1ns), BadArgument);
    EXPECT_THROW(TcpStream::connect(pair.client.peer_address(), -1ns), BadArgument);
    EXPECT_THROW(static_cast<void>(net::wait_fd(0, Interest::read, -1ns)), BadArgument);
    pair.client.close();
    EXPECT_EQ(read_to_end(pair.server), "");
  });
}

TEST_P(Net, CallsThatWaitBelongInAProcess) {
  std::optional<TcpStream> stream = run([] { return std::optional(connected().client); });
  std::array<std::byte, 1> buffer;
  EXPECT_TRUE(mentions(text_of<NotInProcess>([&] { stream->read(buffer); }), "read"));
  EXPECT_THROW(stream->write_all(bytes("x")), NotInProcess);
  EXPECT_THROW(TcpStream::connect(Address::loopback(1)), NotInProcess);
  EXPECT_THROW(static_cast<void>(net::wait_fd(0, Interest::read)), NotInProcess);
  TcpListener listener = TcpListener::listen(Address::loopback(0));  // Does not wait.
  EXPECT_NE(listener.local_address().port(), 0);
  EXPECT_THROW(listener.accept(), NotInProcess);
}

// --- Peers that fail --------------------------------------------------------------------------------------------------------------------

TEST_P(Net, ARefusedConnectionSaysByWhom) {
  run([] {
    Address nobody = Address::loopback(0);
    {
      const TcpListener listener = TcpListener::listen(Address::loopback(0));
      nobody = listener.local_address();
    }
    EXPECT_EQ(net_error([&] { TcpStream::connect(nobody, kPatience); }), ECONNREFUSED);
    EXPECT_TRUE(mentions(text_of<NetError>([&] { TcpStream::connect(nobody, kPatience); }), nobody.to_string()));
  });
}

TEST_P(Net, AResetIsAnErrorForReaderAndWriterAndNoSignal) {
  run([this] {
    Pair pair = connected();
    auto shared = std::make_shared<TcpStream>(std::move(pair.client));
    const Pid me = self();
    const Pid reader = spawn([shared, me] { send(me, net_error([&] { read_text(*shared, 1); })); });
    await_waiting(reader);
    const linger hard{1, 0};
    ASSERT_EQ(::setsockopt(pair.server.fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    pair.server.close();
    EXPECT_EQ(await<int>(), ECONNRESET);
    EXPECT_EQ(net_error([&] { write_text(*shared, "x"); }), EPIPE);
  });
}

TEST_P(Net, AWriterThatWaitsIsWokenWhenThePeerGoes) {
  run([this] {
    Pair pair = connected();
    const Pid me = self();
    const Pid writer = spawn([stream = std::move(pair.client), me]() mutable {
      const std::string much = pattern(64u << 20);
      send(me, net_error([&] { write_text(stream, much); }));
    });
    await_waiting(writer);
    pair.server.close();  // With unread bytes: a reset.
    const int code = await<int>();
    EXPECT_TRUE(code == ECONNRESET || code == EPIPE) << code;
  });
}

TEST_P(Net, AcceptOutlivesASystemOutOfDescriptors) {
#ifdef WEFT_TEST_UNDEFINED_SANITIZER
  GTEST_SKIP() << "UBSan opens a pipe to look at the vptr of each class it meets, and this test leaves it no descriptor";
#endif
  run([] {
    descriptors_in_use();
    TcpListener listener = TcpListener::listen(Address::loopback(0));
    TcpStream client = TcpStream::connect(listener.local_address(), kPatience);
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlimit none{0, limit.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const std::string text = text_of<TimedOut>([&] { listener.accept(30ms); });
    const int refused = net_error([&] { TcpStream::connect(listener.local_address(), 0ns); });
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_TRUE(mentions(text, "Too many open files")) << text;
    EXPECT_EQ(refused, EMFILE);
    TcpStream server = listener.accept(kPatience);
    write_text(server, "x");
    EXPECT_EQ(read_text(client, 1), "x");
  });
}

TEST_P(Net, ConnectionsOpenedAndDroppedHalfWayLeaveNothing) {
  constexpr int kConnections = 300;
  run([this] {
    const std::size_t before = descriptors_in_use();
    {
      TcpListener listener = TcpListener::listen(Address::loopback(0));
      const Address address = listener.local_address();
      std::vector<MonitorRef> handlers;
      for (int i = 0; i < kConnections; ++i) {
        std::optional<TcpStream> client = TcpStream::connect(address, kPatience);
        const Monitored handler = spawn_monitor([stream = listener.accept(kPatience)]() mutable { read_text(stream, 1000); });
        if (i % 3 == 0) write_text(*client, "half of a requ");
        if (i % 3 == 1) await_waiting(handler.pid);
        const linger hard{1, 0};
        if (i % 2 == 0) {
          ASSERT_EQ(::setsockopt(client->fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
        }
        client.reset();
      }
      for (int i = 0; i < kConnections; ++i) await<Down>();
    }
    EXPECT_EQ(open_descriptors(), before);
  });
}

// --- Kill and close while waiting -------------------------------------------------------------------------------------------------------

TEST_P(Net, KillingAProcessThatReadsFreesItsDescriptorOnce) {
  run([this] {
    const std::size_t before = descriptors_in_use();
    {
      Pair pair = connected();
      const Monitored reader = spawn_monitor([stream = std::move(pair.server)]() mutable { read_text(stream, 1); });
      await_waiting(reader.pid);
      kill(reader.pid);
      EXPECT_EQ(await<Down>().reason, ExitReason::killed);
      EXPECT_EQ(open_descriptors(), before + 1);  // The client's end alone.
      // A second close would hit whoever has the number now.
      const Pipe pipe;
      EXPECT_EQ(read_to_end(pair.client), "");
      EXPECT_GE(::fcntl(pipe.ends[0], F_GETFD), 0);
      EXPECT_GE(::fcntl(pipe.ends[1], F_GETFD), 0);
    }
    EXPECT_EQ(open_descriptors(), before);
  });
}

TEST_P(Net, KillingFreesTheDescriptorsOfEveryKindOfWait) {
  run([this] {
    const std::size_t before = descriptors_in_use();
    const auto dies_waiting = [this](auto body) {
      const Monitored waiter = spawn_monitor(std::move(body));
      await_waiting(waiter.pid);
      kill(waiter.pid);
      EXPECT_EQ(await<Down>().reason, ExitReason::killed);
    };
    {
      TcpListener listener = TcpListener::listen(Address::loopback(0));
      dies_waiting([listener = std::move(listener)]() mutable { listener.accept(); });
      Pair pair = connected();
      dies_waiting([stream = std::move(pair.client)]() mutable {
        for (;;) write_text(stream, "to a peer that does not read");
      });
      const Pipe pipe;
      dies_waiting([fd = pipe.ends[0]] { static_cast<void>(net::wait_fd(fd, Interest::read)); });
      EXPECT_EQ(net::wait_fd(pipe.ends[0], Interest::read, 1ms), Readiness::timed_out);  // Nobody holds the direction.
    }
    EXPECT_EQ(open_descriptors(), before);
  });
}

TEST_P(Net, AProcessWhoseSocketIsAlwaysReadyCanBeKilled) {
  run([] {
    Pair pair = connected();
    const Monitored writer = spawn_monitor([stream = std::move(pair.client)]() mutable {
      for (;;) write_text(stream, "x");
    });
    spawn([stream = std::move(pair.server)]() mutable { read_to_end(stream); });
    kill(writer.pid);
    EXPECT_EQ(await<Down>().reason, ExitReason::killed);
  });
}

TEST_P(Net, ASocketClosedByAnotherProcessWakesThoseWhoWait) {
  run([this] {
    Pair pair = connected();
    const Pid me = self();
    auto stream = std::make_shared<TcpStream>(std::move(pair.client));
    auto listener = std::make_shared<TcpListener>(TcpListener::listen(Address::loopback(0)));
    await_waiting(spawn([stream, me] { send(me, net_error([&] { read_text(*stream, 1); })); }));
    await_waiting(spawn([stream, me] { send(me, net_error([&] { write_text(*stream, pattern(64u << 20)); })); }));
    await_waiting(spawn([listener, me] { send(me, net_error([&] { listener->accept(); })); }));
    stream->close();
    listener->close();
    listener->close();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(await<int>(), EBADF);
    EXPECT_EQ(net_error([&] { read_text(*stream, 1); }), EBADF);
    EXPECT_EQ(stream->fd(), -1);
  });
}

TEST_P(Net, ClosingRacesWithReadingAndWritingAndNumbersAreUsedAgain) {
  run([] {
    const std::size_t before = descriptors_in_use();
    for (int round = 0; round < 100; ++round) {
      Pair pair = connected();
      auto stream = std::make_shared<TcpStream>(std::move(pair.client));
      spawn_monitor([stream] { EXPECT_EQ(net_error([&] { read_text(*stream, 1); }), EBADF); });
      spawn_monitor([stream] {
        EXPECT_EQ(net_error([&] {
                    for (;;) write_text(*stream, "x");
                  }),
                  EBADF);
      });
      spawn([in = std::move(pair.server)]() mutable { read_to_end(in); });
      if (round % 2 == 0) sleep_for(100us);
      stream->close();
      stream.reset();
      for (int i = 0; i < 2; ++i) EXPECT_EQ(await<Down>().reason, ExitReason::normal);
    }
    for (int i = 0; i < 3000 && open_descriptors() != before; ++i) sleep_for(1ms);
    EXPECT_EQ(open_descriptors(), before);
  });
}

// --- Listeners and Unix sockets ---------------------------------------------------------------------------------------------------------

TEST_P(Net, APortIsTakenByOneListenerUnlessShared) {
  const TcpListener first = TcpListener::listen(Address::loopback(0));
  EXPECT_EQ(net_error([&] { TcpListener::listen(first.local_address()); }), EADDRINUSE);
  EXPECT_TRUE(mentions(text_of<NetError>([&] { TcpListener::listen(first.local_address()); }), first.local_address().to_string()));
  ListenOptions shared;
  shared.reuse_port = true;
  const TcpListener second = TcpListener::listen(Address::loopback(0), shared);
  const TcpListener third = TcpListener::listen(second.local_address(), shared);
  EXPECT_EQ(second.local_address(), third.local_address());
}

TEST_P(Net, UnixSocketsEchoByPathAndByAbstractName) {
  const Folder folder;
  std::string abstract = folder.file();
  abstract[0] = '\0';
  for (const std::string& path : {folder.file(), abstract}) {
    run([&path] {
      UnixListener listener = UnixListener::listen(path);
      EXPECT_EQ(net_error([&] { UnixListener::listen(path); }), EADDRINUSE);
      spawn([listener = std::move(listener)]() mutable {
        UnixStream stream = listener.accept();
        write_text(stream, read_to_end(stream));
      });
      UnixStream stream = UnixStream::connect(path, kPatience);
      const std::string text = pattern(100'000);
      write_text(stream, text);
      stream.shutdown_write();
      EXPECT_TRUE(read_to_end(stream) == text);
    });
  }
}

TEST_P(Net, UnixErrorsNameThePath) {
  const Folder folder;
  run([&folder] {
    EXPECT_EQ(net_error([&] { UnixStream::connect(folder.file()); }), ENOENT);
    EXPECT_TRUE(mentions(text_of<NetError>([&] { UnixStream::connect(folder.file()); }), folder.file()));
    EXPECT_THROW(UnixListener::listen(std::string(108, 'x')), BadArgument);
    EXPECT_THROW(UnixListener::listen(""), BadArgument);
    ListenOptions few;
    few.backlog = 0;
    const UnixListener listener = UnixListener::listen(folder.file(), few);
    std::vector<UnixStream> queued;
    const std::string text = text_of<TimedOut>([&] {
      for (int i = 0; i < 16; ++i) queued.push_back(UnixStream::connect(folder.file(), 30ms));
    });
    EXPECT_TRUE(mentions(text, "UnixStream::connect to " + folder.file())) << text;
  });
}

// --- Descriptors of others --------------------------------------------------------------------------------------------------------------

TEST_P(Net, WaitFdTellsWhatIsReadyAndWaitsForTheRest) {
  run([this] {
    const Pipe pipe;
    const int in = pipe.ends[0];
    EXPECT_EQ(net::wait_fd(in, Interest::read, 0ns), Readiness::timed_out);
    EXPECT_EQ(net::wait_fd(in, Interest::read, 5ms), Readiness::timed_out);
    EXPECT_EQ(net::wait_fd(pipe.ends[1], Interest::write, 0ns), Readiness::ready);
    const Pid me = self();
    const Pid waiter = spawn([in, me] { send(me, net::wait_fd(in, Interest::read, kPatience) == Readiness::ready); });
    await_waiting(waiter);
    ASSERT_EQ(::write(pipe.ends[1], "x", 1), 1);
    EXPECT_TRUE(await<bool>());
    EXPECT_EQ(net::wait_fd(in, Interest::read), Readiness::ready);  // Still unread, still ready.
  });
}

TEST_P(Net, WaitFdServesAReaderAndAWriterOfOneDescriptor) {
  run([this] {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    std::array<char, 4096> block{};
    while (::write(ends[0], block.data(), block.size()) > 0) {
    }
    const Pid me = self();
    struct Readable {};
    struct Writable {};
    const Pid reader = spawn([fd = ends[0], me] {
      EXPECT_EQ(net::wait_fd(fd, Interest::read, kPatience), Readiness::ready);
      send(me, Readable{});
    });
    const Pid writer = spawn([fd = ends[0], me] {
      EXPECT_EQ(net::wait_fd(fd, Interest::write, kPatience), Readiness::ready);
      send(me, Writable{});
    });
    await_waiting(reader);
    await_waiting(writer);
    ASSERT_EQ(::write(ends[1], "x", 1), 1);
    await<Readable>();
    while (::read(ends[1], block.data(), block.size()) > 0) {
    }
    await<Writable>();
    for (const int fd : ends) ::close(fd);
  });
}

TEST_P(Net, WaitFdOfAFileIsReadyAndOfNothingAnError) {
  run([] {
    std::string path = ::testing::TempDir() + "weft_file_XXXXXX";
    const int fd = ::mkstemp(path.data());
    ASSERT_GE(fd, 0);
    ::unlink(path.c_str());
    EXPECT_EQ(net::wait_fd(fd, Interest::read), Readiness::ready);
    ::close(fd);
    EXPECT_EQ(net_error([&] { static_cast<void>(net::wait_fd(fd, Interest::read)); }), EBADF);
    EXPECT_EQ(net_error([] { static_cast<void>(net::wait_fd(-1, Interest::read, 1ms)); }), EBADF);
  });
}

TEST_P(Net, ForgetFdWakesThoseWhoWaitForIt) {
  run([this] {
    const Pipe pipe;
    const Pid me = self();
    const Pid waiter =
        spawn([fd = pipe.ends[0], me] { send(me, net_error([&] { static_cast<void>(net::wait_fd(fd, Interest::read)); })); });
    await_waiting(waiter);
    net::forget_fd(pipe.ends[0]);
    EXPECT_EQ(await<int>(), EBADF);
  });
}

}  // namespace
}  // namespace weft::test
