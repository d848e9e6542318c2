// What the options of sockets do, read back from the kernel.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <string>

#include <weft/net.hpp>
#include <weft/weft.hpp>

#include "tests/support/runtime_fixture.hpp"

namespace weft::test {
namespace {

using net::Address;
using net::Switch;
using net::TcpListener;
using net::TcpStream;
using net::UdpSocket;
using net::UnixListener;
using net::UnixStream;

int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t size_bytes = sizeof value;
  EXPECT_EQ(::getsockopt(fd, level, name, &value, &size_bytes), 0);
  return value;
}

/// Of a listening socket: how many connections the kernel completes ahead of accept(), less one.
unsigned backlog_of(int fd) {
  tcp_info info{};
  socklen_t size_bytes = sizeof info;
  EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size_bytes), 0);
  return info.tcpi_sacked;
}

bool closes_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

/// A name in the abstract namespace, so that no file is left.
std::string name_of_this_test() {
  const ::testing::TestInfo& test = *::testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(1, '\0') + "weft-" + std::to_string(::getpid()) + "-" + test.name();
  return name;
}

class NetOptions : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, NetOptions, worker_counts());

TEST_P(NetOptions, NodelayIsOffUntilItIsSwitchedOnAndCanBeSwitchedOff) {
  run([] {
    TcpListener listener = TcpListener::listen(Address::loopback(0));
    TcpStream client = TcpStream::connect(listener.local_address(), kPatience);
    TcpStream server = listener.accept(kPatience);
    for (TcpStream* end : {&client, &server}) {
      EXPECT_EQ(option_of(end->fd(), IPPROTO_TCP, TCP_NODELAY), 0);
      end->set_nodelay();
      EXPECT_NE(option_of(end->fd(), IPPROTO_TCP, TCP_NODELAY), 0);
      end->set_nodelay(Switch::off);
      EXPECT_EQ(option_of(end->fd(), IPPROTO_TCP, TCP_NODELAY), 0);
    }
    client.close();
    EXPECT_THROW(client.set_nodelay(), net::NetError);
  });
}

TEST_P(NetOptions, APortIsSharedOnlyOnRequestAndTakenAtOnceFromAnOwnerThatIsGone) {
  const TcpListener alone = TcpListener::listen(Address::loopback(0));
  EXPECT_EQ(option_of(alone.fd(), SOL_SOCKET, SO_REUSEPORT), 0);
  EXPECT_NE(option_of(alone.fd(), SOL_SOCKET, SO_REUSEADDR), 0);
  const TcpListener shared = TcpListener::listen(Address::loopback(0), {.reuse_port = true});
  EXPECT_NE(option_of(shared.fd(), SOL_SOCKET, SO_REUSEPORT), 0);
  const UdpSocket datagrams = UdpSocket::bind(Address::loopback(0));
  EXPECT_EQ(option_of(datagrams.fd(), SOL_SOCKET, SO_REUSEPORT), 0);
  const UdpSocket shared_datagrams = UdpSocket::bind(Address::loopback(0), {.reuse_port = true});
  EXPECT_NE(option_of(shared_datagrams.fd(), SOL_SOCKET, SO_REUSEPORT), 0);
}

TEST_P(NetOptions, TheBacklogIsTheOneAskedFor) {
  if (backlog_of(TcpListener::listen(Address::loopback(0), {.backlog = 7}).fd()) == 0)
    GTEST_SKIP() << "nobody tells: qemu-user knows no TCP_INFO";
  EXPECT_EQ(backlog_of(TcpListener::listen(Address::loopback(0), {.backlog = 7}).fd()), 7u);
  EXPECT_EQ(backlog_of(TcpListener::listen(Address::loopback(0), {.backlog = 0}).fd()), 0u);
  EXPECT_GT(backlog_of(TcpListener::listen(Address::loopback(0)).fd()), 7u);
  EXPECT_THROW(TcpListener::listen(Address::loopback(0), {.backlog = -1}), BadArgument);
  EXPECT_THROW(UnixListener::listen(name_of_this_test(), {.backlog = -1}), BadArgument);
}

TEST_P(NetOptions, AConnectToAFullUnixBacklogWaitsForRoom) {
  run([] {
    const std::string path = name_of_this_test();
    UnixListener listener = UnixListener::listen(path, {.backlog = 0});
    UnixStream first = UnixStream::connect(path, kPatience);
    EXPECT_THROW(UnixStream::connect(path, 1ms), TimedOut);
    const Pid waits = spawn_monitor([path, test = self()] { send(test, UnixStream::connect(path, kPatience)); }).pid;
    sleep_for(1ms);
    EXPECT_TRUE(is_alive(waits));
    listener.accept(kPatience);
    EXPECT_GE(await<UnixStream>().fd(), 0);
    EXPECT_TRUE(await<Down>().reason.is_normal());
  });
}

TEST_P(NetOptions, NoDescriptorIsInheritedByAProgramThatIsStarted) {
  run([] {
    TcpListener listener = TcpListener::listen(Address::loopback(0));
    const TcpStream client = TcpStream::connect(listener.local_address(), kPatience);
    const TcpStream server = listener.accept(kPatience);
    const UdpSocket datagrams = UdpSocket::bind(Address::loopback(0));
    for (const int fd : {listener.fd(), client.fd(), server.fd(), datagrams.fd(), Runtime::of_self()->poll_fd()})
      EXPECT_TRUE(closes_on_exec(fd));
  });
}

}  // namespace
}  // namespace weft::test
