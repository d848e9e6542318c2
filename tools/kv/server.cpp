#include "tools/kv/server.hpp"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <iostream>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <weft/net.hpp>
#include <weft/weft.hpp>

#include "tools/kv/connection.hpp"
#include "tools/kv/server_state.hpp"
#include "tools/kv/shard.hpp"

namespace kv {

namespace {

constexpr auto kStopTime = std::chrono::seconds(5);           // for connections to write their replies
constexpr auto kAcceptPause = std::chrono::milliseconds(20);  // when descriptors or memory have run out
constexpr auto kRefusalTime = std::chrono::milliseconds(100);

struct StopRequested {};

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

class SignalDescriptor {
 public:
  SignalDescriptor() : fd_(make()) {
    if (fd_ < 0) throw std::runtime_error(std::string("signalfd: ") + std::strerror(errno));
  }
  SignalDescriptor(const SignalDescriptor&) = delete;
  SignalDescriptor& operator=(const SignalDescriptor&) = delete;
  ~SignalDescriptor() { ::close(fd_); }

  void wait() const { (void)weft::net::wait_fd(fd_, weft::net::Interest::read); }

 private:
  static int make() {
    const sigset_t signals = stop_signals();
    return ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  }

  int fd_;
};

void wait_for_signal(std::unique_ptr<const SignalDescriptor> descriptor, weft::Pid root) {
  descriptor->wait();
  weft::send(root, StopRequested{});
}

void refuse(weft::net::TcpStream stream) {
  static constexpr std::string_view kText = "-ERR max number of clients reached\r\n";
  try {
    stream.write_all(std::as_bytes(std::span(kText)), kRefusalTime);
  } catch (const weft::Error&) {
    // It is refused in any case.
  }
}

void accept_clients(weft::net::TcpListener listener, std::shared_ptr<ServerState> state) {
  const weft::SpawnOptions options{.label = "connection", .groups = {kConnections}};
  while (true) {
    try {
      weft::net::TcpStream stream = listener.accept();
      const std::uint64_t id = state->connections.fetch_add(1, std::memory_order_relaxed) + 1;
      ClientPlace place(state);
      if (state->clients.load(std::memory_order_relaxed) > state->options.max_clients) {
        refuse(std::move(stream));
        continue;
      }
      stream.set_nodelay();
      weft::spawn(options, serve_client, std::move(stream), std::move(place), id);
    } catch (const std::exception&) {
      weft::sleep_for(kAcceptPause);
    }
  }
}

void stop_and_await(weft::Pid child) {
  weft::exit(child, weft::ExitReason::shutdown);
  weft::receive(weft::when([child](const weft::Exit& exit) { return exit.from == child; }, [](weft::Exit) {}));
}

/// Connections that wait for a request end at once, the others when they have written their replies, or at the deadline.
void stop_connections() {
  const weft::TimePoint deadline = weft::now() + kStopTime;
  std::unordered_set<weft::Pid> running;
  for (const weft::Pid pid : weft::members(kConnections)) {
    weft::monitor(pid);
    weft::exit(pid, weft::ExitReason::shutdown);
    running.insert(pid);
  }
  while (!running.empty() && weft::now() < deadline) {
    if (const auto down = weft::receive_for<weft::Down>(deadline - weft::now())) running.erase(down->pid);
  }
  for (const weft::Pid pid : running) weft::kill(pid);
}

}  // namespace

void block_stop_signals() {
  const sigset_t signals = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

int serve(Options options) {
  using weft::SpawnOptions;
  weft::trap_exit(true);
  const weft::Pid root = weft::self();
  auto listener = weft::net::TcpListener::listen(weft::net::Address::parse(options.bind, options.port));
  const std::string address = listener.local_address().to_string();
  options.port = listener.local_address().port();
  const auto state = std::make_shared<ServerState>(options);

  const SpawnOptions supervisor_options{.name = "supervisor", .label = "supervisor", .trap_exit = true};
  const ShardOptions shard_options{options.shards, options.max_value_bytes};
  const weft::Pid supervisor = weft::spawn_link(supervisor_options, supervise_shards, shard_options, root);
  weft::receive<ShardsReady>();
  const weft::Pid acceptor =
      weft::spawn_link(SpawnOptions{.name = "listener", .label = "listener"}, accept_clients, std::move(listener), state);
  weft::spawn_link(SpawnOptions{.label = "signals"}, wait_for_signal, std::make_unique<const SignalDescriptor>(), root);
  std::cout << "weft-kv ready on " << address << std::endl;

  const bool asked = weft::receive([](StopRequested) { return true; }, [](weft::Exit) { return false; });
  if (!asked) {
    std::cerr << "weft-kv: a part of the server failed\n";
    return 1;
  }
  stop_and_await(acceptor);
  stop_connections();
  stop_and_await(supervisor);
  return 0;
}

}  // namespace kv
