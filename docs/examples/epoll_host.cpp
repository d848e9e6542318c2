// A server that owns its loop, with weft inside it.
//
// The main thread runs a plain epoll loop, as many servers have one. It watches four kinds of descriptors:
//
//   a listener and its connections   served by callbacks of this loop; each line goes to a process, which counts its letters
//   an eventfd                       the process's answers come back through it
//   Runtime::poll_fd()               what weft's own processes wait for: the loop drives them with Runtime::poll_once()
//
// So no thread but this one ever waits for a descriptor (RuntimeOptions::host_polls), and the processes are written as usual: a second
// port is served by a process for each connection. The program is its own client, and ends when all answers have come.
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <iostream>
#include <map>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <weft/net.hpp>
#include <weft/weft.hpp>

namespace {

int checked(int result, const char* call) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), call);
  return result;
}

/// The host's loop: one callback a descriptor, called while it is readable.
class Loop {
 public:
  Loop() : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() { ::close(epoll_); }

  void watch(int fd, std::function<void()> callback) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    checked(::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    callbacks_[fd] = std::move(callback);
  }
  void unwatch(int fd) {
    checked(::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr), "epoll_ctl");
    callbacks_.erase(fd);
  }

  void run() {
    while (!stopped_) {
      epoll_event events[16];
      const int count = ::epoll_wait(epoll_, events, 16, -1);
      if (count < 0 && errno != EINTR) checked(count, "epoll_wait");
      for (int i = 0; i < count; ++i) {
        const auto found = callbacks_.find(events[i].data.fd);
        if (found == callbacks_.end()) continue;  // Unwatched by a callback of this round.
        const std::function<void()> callback = found->second;
        callback();
      }
    }
  }
  void stop() { stopped_ = true; }

 private:
  int epoll_;
  bool stopped_ = false;
  std::map<int, std::function<void()>> callbacks_;
};

/// The way from processes, which run on weft's threads, into the loop: what to do there.
class Inbox {
 public:
  explicit Inbox(Loop& loop) : fd_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
    loop.watch(fd_, [this] { run_all(); });
  }
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;
  ~Inbox() { ::close(fd_); }

  void post(std::function<void()> task) {
    {
      const std::lock_guard hold(mutex_);
      tasks_.push_back(std::move(task));
    }
    ::eventfd_write(fd_, 1);
  }

 private:
  void run_all() {
    eventfd_t ignored = 0;
    ::eventfd_read(fd_, &ignored);
    std::deque<std::function<void()>> tasks;
    {
      const std::lock_guard hold(mutex_);
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
  }

  int fd_;
  std::mutex mutex_;
  std::deque<std::function<void()>> tasks_;
};

// --- What the processes do --------------------------------------------------------------------------------------------------------------

/// A line that came in over the host's own connection `number`.
struct Line {
  std::uint64_t number;
  std::string text;
};

using weft::net::TcpListener;
using weft::net::TcpStream;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

void echo(TcpStream stream) {
  std::array<std::byte, 4096> buffer;
  while (const std::size_t got = stream.read(buffer)) stream.write_all(std::span(buffer).first(got));
}

void serve(TcpListener listener) {
  for (;;) weft::spawn(echo, listener.accept());
}

std::string read_line(TcpStream& stream) {
  std::string line;
  for (char c = '\0'; c != '\n'; line += c) {
    if (stream.read(std::as_writable_bytes(std::span(&c, 1))) == 0) throw std::runtime_error("the server closed the connection");
  }
  return line;
}

/// Asks 100 times; each answer is what `expected` says of the question.
int ask(std::uint16_t port, const std::function<std::string(const std::string&)>& expected) {
  TcpStream stream = TcpStream::connect(weft::net::Address::loopback(port));
  int right = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string question = std::string(static_cast<std::size_t>(i), 'x') + "\n";
    stream.write_all(bytes(question));
    if (read_line(stream) == expected(question)) ++right;
  }
  return right;
}

// --- What the host does -----------------------------------------------------------------------------------------------------------------

/// The host's own listener and connections.
class LineServer {
 public:
  LineServer(Loop& loop, std::function<void(Line)> on_line)
      : loop_(loop), on_line_(std::move(on_line)), listener_(checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket")) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    checked(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
    checked(::listen(listener_, 100), "listen");
    socklen_t size = sizeof address;
    checked(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
    port_ = ntohs(address.sin_port);
    loop_.watch(listener_, [this] { accept_one(); });
  }
  LineServer(const LineServer&) = delete;
  LineServer& operator=(const LineServer&) = delete;
  ~LineServer() {
    ::close(listener_);
    for (const auto& [number, connection] : connections_) ::close(connection.fd);
  }

  [[nodiscard]] std::uint16_t port() const { return port_; }

  /// A connection may be gone when its answer comes: numbers, unlike descriptors, are not given out again.
  void answer(std::uint64_t number, const std::string& text) {
    const auto found = connections_.find(number);
    if (found != connections_.end()) ::send(found->second.fd, text.data(), text.size(), MSG_NOSIGNAL);  // Short, so it fits.
  }

 private:
  struct Connection {
    int fd;
    std::string begun;  // a line that is not complete
  };

  void accept_one() {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::uint64_t number = ++last_number_;
    connections_[number] = {fd, {}};
    loop_.watch(fd, [this, number] { read_some(number); });
  }

  void read_some(std::uint64_t number) {
    Connection& connection = connections_.at(number);
    char part[4096];
    const ssize_t got = ::read(connection.fd, part, sizeof part);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      loop_.unwatch(connection.fd);
      ::close(connection.fd);
      connections_.erase(number);
      return;
    }
    connection.begun.append(part, static_cast<std::size_t>(got));
    for (std::size_t end; (end = connection.begun.find('\n')) != std::string::npos; connection.begun.erase(0, end + 1)) {
      on_line_({number, connection.begun.substr(0, end)});
    }
  }

  Loop& loop_;
  std::function<void(Line)> on_line_;
  int listener_;
  std::uint16_t port_ = 0;
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, Connection> connections_;
};

}  // namespace

int main() {
  Loop loop;
  Inbox inbox(loop);
  weft::Runtime runtime(weft::RuntimeOptions{.host_polls = true});
  loop.watch(runtime.poll_fd(), [&runtime] { runtime.poll_once(); });

  // The host's port: a callback hands each line to a process; its answer is written by the loop again.
  LineServer* server = nullptr;
  const weft::Pid counter = runtime.spawn([&inbox, &server] {
    for (;;) {
      const Line line = weft::receive<Line>();
      inbox.post([&server, line] { server->answer(line.number, std::to_string(line.text.size()) + " letters\n"); });
    }
  });
  LineServer lines(loop, [&runtime, counter](Line line) { runtime.send(counter, std::move(line)); });
  server = &lines;

  // The port of weft's processes.
  TcpListener listener = TcpListener::listen(weft::net::Address::loopback(0));
  const std::uint16_t echo_port = listener.local_address().port();
  runtime.spawn(serve, std::move(listener));

  // The clients, processes too.
  int counted = 0;
  int echoed = 0;
  runtime.spawn([&, lines_port = lines.port()] {
    counted = ask(lines_port, [](const std::string& question) { return std::to_string(question.size() - 1) + " letters\n"; });
    echoed = ask(echo_port, [](const std::string& question) { return question; });
    inbox.post([&loop] { loop.stop(); });
  });
  loop.run();

  runtime.stop(std::chrono::seconds(5));  // The processes refer to what stands above.
  std::cout << counted << " of 100 lines counted, " << echoed << " of 100 echoed\n";
  return counted == 100 && echoed == 100 ? 0 : 1;
}
