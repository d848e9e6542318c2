// TCP on the loopback interface, both ends processes of the runtime.
#include <sys/socket.h>

#include <array>

#include <weft/net.hpp>

#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Done {
  bool right;
};

void echo(net::TcpStream peer) {
  peer.set_nodelay();
  std::array<std::byte, 4096> buffer;
  while (const std::size_t got = peer.read(buffer)) peer.write_all(std::span(buffer).first(got));
}

void read_exactly(net::TcpStream& stream, std::span<std::byte> buffer) {
  while (!buffer.empty()) {
    const std::size_t got = stream.read(buffer, kPatience);
    expect(got != 0, "the connection ended early");
    buffer = buffer.subspan(got);
  }
}

/// One connection, 64 bytes there and back. us for each round trip.
double round_trip(Runtime& runtime) {
  const std::size_t n = scaled(100'000);
  const double figure = runtime.run([=] {
    auto listener = net::TcpListener::listen(net::Address::loopback(0));
    const net::Address address = listener.local_address();
    spawn([](net::TcpListener server) { spawn(echo, server.accept(kPatience)); }, std::move(listener));
    auto stream = net::TcpStream::connect(address, kPatience);
    stream.set_nodelay();
    std::array<std::byte, 64> question{};
    std::array<std::byte, 64> answer{};
    bool right = true;
    const Stopwatch watch;
    for (std::size_t i = 0; i < n; ++i) {
      question[i % question.size()] = static_cast<std::byte>(i);
      stream.write_all(question);
      read_exactly(stream, answer);
      right &= answer == question;
    }
    const double result = watch.ns_per(n) / 1000;
    expect(right, "an echo was not what was sent");
    return result;
  });
  await_empty(runtime);
  return figure;
}

/// A close that leaves no port behind to wait out its time: a storm would soon have used them all.
void reset(net::TcpStream& stream) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  expect(::setsockopt(stream.fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0, "SO_LINGER was refused");
  stream.close();
}

/// Eight clients connect again and again; each connection has a process of its own, which sends one byte. us for each connection.
double accept_storm(Runtime& runtime) {
  constexpr std::size_t kClients = 8;
  constexpr auto kGreeting = std::byte{42};
  const std::size_t each = scaled(10'000 / kClients);
  const double figure = runtime.run([=] {
    const Pid me = self();
    auto listener = net::TcpListener::listen(net::Address::loopback(0));
    const net::Address address = listener.local_address();
    const Pid acceptor = spawn(
        [](net::TcpListener server) {
          for (;;) {
            spawn(
                [](net::TcpStream peer) {
                  peer.write_all(std::array{kGreeting});
                  std::array<std::byte, 1> end;
                  try {
                    (void)peer.read(end);
                  } catch (const net::NetError&) {  // The client's reset.
                  }
                },
                server.accept());
          }
        },
        std::move(listener));
    const Stopwatch watch;
    for (std::size_t k = 0; k < kClients; ++k) {
      spawn([=] {
        bool right = true;
        for (std::size_t i = 0; i < each; ++i) {
          auto stream = net::TcpStream::connect(address, kPatience);
          std::array<std::byte, 1> greeting{};
          read_exactly(stream, greeting);
          right &= greeting.front() == kGreeting;
          reset(stream);
        }
        send(me, Done{right});
      });
    }
    bool right = true;
    for (std::size_t k = 0; k < kClients; ++k) right &= await<Done>().right;
    const double result = watch.ns_per(kClients * each) / 1000;
    kill(acceptor);
    expect(right, "a greeting was not what was sent");
    return result;
  });
  await_empty(runtime);
  return figure;
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("tcp_echo", "us/roundtrip", round_trip);
  suite.add("tcp_accept_storm", "us/connection", accept_storm);
  return suite.run(argc, argv);
}
