// Datagrams and names, against the kernel's loopback and the system's own hosts file.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weft/net.hpp>
#include <weft/weft.hpp>

#include "tests/runtime/net_probes.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace weft::test {
namespace {

using net::Address;
using net::NetError;
using net::TcpListener;
using net::TcpStream;
using net::UdpSocket;

static_assert(Sendable<UdpSocket>);

struct Datagram {
  std::string text;
  std::size_t size_bytes;
  Address from;
};

Datagram receive_text(UdpSocket& socket, std::size_t room = 2000) {
  std::string text(room, '\0');
  const UdpSocket::Received got = socket.receive_from(std::as_writable_bytes(std::span(text)), kPatience);
  text.resize(std::min(room, got.size_bytes));
  return {text, got.size_bytes, got.from};
}

class NetUdp : public RuntimeTest {
 protected:
  /// In a process: returns once `pid` is suspended.
  void await_waiting(Pid pid) {
    for (;;) {
      const std::optional<ProcessInfo> info = rt.info(pid);
      ASSERT_TRUE(info) << "it ended instead of waiting";
      if (info->status == ProcessStatus::waiting) return;
      sleep_for(100us);
    }
  }
};
class NetResolve : public RuntimeTest {};

INSTANTIATE_TEST_SUITE_P(Workers, NetUdp, worker_counts());
INSTANTIATE_TEST_SUITE_P(Workers, NetResolve, worker_counts());

// --- Datagrams --------------------------------------------------------------------------------------------------------------------------

TEST_P(NetUdp, ADatagramArrivesWholeWithItsSender) {
  run([] {
    UdpSocket server = UdpSocket::bind(Address::loopback(0));
    const Address address = server.local_address();
    spawn([server = std::move(server)]() mutable {
      for (;;) {
        const Datagram got = receive_text(server);
        server.send_to(got.from, bytes(got.text + "!"), kPatience);
      }
    });
    UdpSocket client = UdpSocket::bind(Address::loopback(0));
    for (const std::string& text : {std::string("one"), std::string(), std::string(1500, 'x')}) {
      client.send_to(address, bytes(text), kPatience);
      const Datagram got = receive_text(client);
      EXPECT_EQ(got.text, text + "!");
      EXPECT_EQ(got.from, address);
    }
  });
}

TEST_P(NetUdp, WhatDoesNotFitIsLostAndTold) {
  run([] {
    UdpSocket socket = UdpSocket::bind(Address::loopback(0));
    socket.send_to(socket.local_address(), bytes("a long one"));
    socket.send_to(socket.local_address(), bytes("next"));
    const Datagram cut = receive_text(socket, 6);
    EXPECT_EQ(cut.text, "a long");
    EXPECT_EQ(cut.size_bytes, 10u);
    EXPECT_EQ(receive_text(socket, 6).text, "next");
  });
}

TEST_P(NetUdp, AConnectedSocketHearsItsPeerAloneAndItsRefusals) {
  run([] {
    UdpSocket socket = UdpSocket::bind(Address::loopback(0));
    EXPECT_EQ(net_error([&] { socket.send(bytes("to nobody")); }), EDESTADDRREQ);
    {
      UdpSocket peer = UdpSocket::bind(Address::loopback(0));
      UdpSocket stranger = UdpSocket::bind(Address::loopback(0));
      socket.connect(peer.local_address());
      stranger.send_to(socket.local_address(), bytes("from a stranger"));
      socket.send(bytes("hello"), kPatience);
      peer.send_to(receive_text(peer).from, bytes("from the peer"), kPatience);
      EXPECT_EQ(receive_text(socket).text, "from the peer");
    }
    socket.send(bytes("to a socket that is gone"));
    EXPECT_EQ(net_error([&] { receive_text(socket); }), ECONNREFUSED);
  });
}

TEST_P(NetUdp, ErrorsNameCallAndAddress) {
  run([] {
    UdpSocket socket = UdpSocket::bind(Address::loopback(0));
    const std::string here = socket.local_address().to_string();
    EXPECT_EQ(net_error([&] { UdpSocket::bind(socket.local_address()); }), EADDRINUSE);
    EXPECT_TRUE(mentions(text_of<NetError>([&] { UdpSocket::bind(socket.local_address()); }), here));
    const std::string large(70'000, 'x');
    EXPECT_EQ(net_error([&] { socket.send_to(Address::loopback(9), bytes(large)); }), EMSGSIZE);
    const std::string too_large = text_of<NetError>([&] { socket.send_to(Address::loopback(9), bytes(large)); });
    EXPECT_TRUE(mentions(too_large, "UdpSocket::send_to 127.0.0.1:9")) << too_large;
    std::array<std::byte, 1> buffer;
    const std::string late = text_of<TimedOut>([&] { socket.receive_from(buffer, 5ms); });
    EXPECT_TRUE(mentions(late, "UdpSocket::receive_from") && mentions(late, here) && mentions(late, "5 ms")) << late;
    EXPECT_THROW(socket.receive_from({}), BadArgument);
    EXPECT_THROW(socket.receive_from(buffer, -1ns), BadArgument);
    EXPECT_THROW(socket.receive_from(buffer, 0ns), TimedOut);
    socket.close();
    EXPECT_EQ(net_error([&] { socket.receive_from(buffer); }), EBADF);
    EXPECT_EQ(net_error([&] { socket.send_to(Address::loopback(9), buffer); }), EBADF);
    EXPECT_EQ(net_error([&] { static_cast<void>(socket.local_address()); }), EBADF);
  });
  UdpSocket socket = UdpSocket::bind(Address::loopback(0));
  std::array<std::byte, 1> buffer;
  EXPECT_THROW(socket.receive_from(buffer), NotInProcess);
  EXPECT_THROW(socket.send_to(Address::loopback(9), buffer), NotInProcess);
}

TEST_P(NetUdp, SocketsSharePortsOnRequest) {
  const UdpSocket first = UdpSocket::bind(Address::loopback(0), {.reuse_port = true});
  const UdpSocket second = UdpSocket::bind(first.local_address(), {.reuse_port = true});
  EXPECT_EQ(first.local_address(), second.local_address());
}

TEST_P(NetUdp, ClosingWakesTheReceiverAndKillingItFreesTheDescriptor) {
  run([this] {
    auto shared = std::make_shared<UdpSocket>(UdpSocket::bind(Address::loopback(0)));
    const Pid me = self();
    await_waiting(spawn([shared, me] { send(me, net_error([&] { receive_text(*shared); })); }));
    shared->close();
    EXPECT_EQ(await<int>(), EBADF);

    UdpSocket socket = UdpSocket::bind(Address::loopback(0));
    const int fd = socket.fd();
    const Monitored receiver = spawn_monitor([socket = std::move(socket)]() mutable { receive_text(socket); });
    await_waiting(receiver.pid);
    kill(receiver.pid);
    EXPECT_EQ(await<Down>().reason, ExitReason::killed);
    EXPECT_LT(::fcntl(fd, F_GETFD), 0);
  });
}

TEST_P(NetUdp, ManySendersReachOneReceiverThatKeepsUp) {
  constexpr int kSenders = 8;
  constexpr int kEach = 100;
  run([] {
    UdpSocket server = UdpSocket::bind(Address::loopback(0));
    const Address address = server.local_address();
    // Each waits for its answer before it sends again, so that no buffer overflows and nothing is lost on the loopback.
    for (int i = 0; i < kSenders; ++i) {
      spawn_monitor([address, i] {
        UdpSocket socket = UdpSocket::bind(Address::loopback(0));
        socket.connect(address);
        for (int n = 0; n < kEach; ++n) {
          const std::string text = std::to_string(i) + ":" + std::to_string(n);
          socket.send(bytes(text), kPatience);
          EXPECT_EQ(receive_text(socket).text, text);
        }
      });
    }
    for (int n = 0; n < kSenders * kEach; ++n) {
      const Datagram got = receive_text(server);
      server.send_to(got.from, bytes(got.text), kPatience);
    }
    for (int i = 0; i < kSenders; ++i) EXPECT_EQ(await<Down>().reason, ExitReason::normal);
  });
}

// --- Names ------------------------------------------------------------------------------------------------------------------------------

TEST_P(NetResolve, NumbersAndNamesOfTheHostsFileAreFound) {
  run([] {
    EXPECT_EQ(net::resolve("127.0.0.1", 80), std::vector<Address>{Address::loopback(80)});
    EXPECT_EQ(net::resolve("::1", 80), std::vector<Address>{Address::parse("::1", 80)});
    const std::vector<Address> found = net::resolve("localhost", 80);
    EXPECT_TRUE(contains(found, Address::loopback(80)) || contains(found, Address::parse("::1", 80)));
    for (const Address& address : found) EXPECT_EQ(address.port(), 80);
  });
}

TEST_P(NetResolve, FailuresNameTheHost) {
  run([] {
    const std::string text = text_of<net::ResolveError>([] { net::resolve("no..name", 80); });
    EXPECT_TRUE(mentions(text, "no..name")) << text;
    EXPECT_THROW(net::resolve("", 80), BadArgument);
    EXPECT_THROW(net::resolve(std::string_view("a\0b", 3), 80), BadArgument);
  });
  EXPECT_THROW(net::resolve("127.0.0.1", 80), NotInProcess);
}

TEST_P(NetResolve, ConnectTriesEachAddressOfAName) {
  run([] {
    // Where localhost means ::1 first, nobody listens there.
    TcpListener listener = TcpListener::listen(Address::loopback(0));
    const std::uint16_t port = listener.local_address().port();
    const TcpStream client = TcpStream::connect("localhost", port, kPatience);
    EXPECT_EQ(client.peer_address(), listener.local_address());
    const TcpStream server = listener.accept(kPatience);
    listener.close();
    EXPECT_EQ(net_error([&] { TcpStream::connect("localhost", port, kPatience); }), ECONNREFUSED);
  });
}

}  // namespace
}  // namespace weft::test
