#include "tests/faults/mill.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

#include <weft/net.hpp>

#include "tests/support/runtime_fixture.hpp"

namespace weft::test {
namespace {

struct Token {
  int number = 0;
};
struct From {
  Pid pid;
};

void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

/// A child with both ties, which plays ping-pong and ends.
void ping_pong() {
  const Pid me = self();
  const Monitored child = spawn_monitor(SpawnOptions{.link = true}, [me] {
    for (int i = 0; i < 5; ++i) {
      send(me, Token{receive<Token>().number + 1});
    }
  });
  for (int i = 0; i < 5; ++i) {
    send(child.pid, Token{i});
    require(receive<Token>().number == i + 1, "an answer is the question's");
  }
  require(receive<Down>().reason == ExitReason::normal, "a child ends normally");
}

/// More at once than a ring holds at first.
void crowd() {
  constexpr int kCrowd = 300;
  const Pid me = self();
  for (int i = 0; i < kCrowd; ++i) {
    spawn([me, i] { send(me, Token{i}); });
  }
  int sum = 0;
  for (int i = 0; i < kCrowd; ++i) sum += receive<Token>().number;
  require(sum == kCrowd * (kCrowd - 1) / 2, "each of a crowd reports once");
}

void kill_somebody() {
  const Monitored victim = spawn_monitor(SpawnOptions{.name = "victim", .groups = {"victims"}}, [] { receive_forever(); });
  require(whereis("victim") == victim.pid, "a name is there when spawn() returns");
  exit(victim.pid, ExitReason::kill);
  require(receive<Down>().reason == ExitReason::killed, "a kill is told");
  require(!whereis("victim") && members("victims").empty(), "names and groups end before the Down comes");
}

/// A reader with one place, whose writers wait; and one that sheds the oldest, whose last message is the newest.
void bounded() {
  const Pid me = self();
  const Pid reader = spawn(SpawnOptions{.limit = {.capacity = 1}}, [me] {
    int sum = 0;
    for (int i = 0; i < 6; ++i) sum += receive<Token>().number;
    send(me, Token{sum});
  });
  for (int writer = 0; writer < 2; ++writer) {
    spawn([reader] {
      for (int i = 1; i <= 3; ++i) send_wait(reader, Token{i});
    });
  }
  require(receive<Token>().number == 12, "all that was let in is read");
  const Pid newest = spawn(SpawnOptions{.limit = {.capacity = 2, .overflow = Overflow::shed_oldest}}, [me] {
    while (receive<Token>().number != 50) {
    }
    send(me, Token{50});
  });
  for (int i = 1; i <= 50; ++i) send(newest, Token{i});
  require(receive<Token>().number == 50, "the newest message is not shed");
}

void timers() {
  const TimerRef late = send_after(1h, self(), Token{1});
  send_after(100us, self(), Token{2});
  require(receive<Token>().number == 2, "a timer fires");
  require(cancel_timer(late).has_value(), "an hour has not passed");
  require(!receive_for<Token>(200us), "a cancelled timer does not fire, nor one twice");
}

/// A section whose caller is killed meanwhile: it ends at once for all others, its stack when the section returns.
void orphan() {
  const Pid me = self();
  const Monitored caller = spawn_monitor([me] {
    blocking([me] {
      send(me, From{self()});
      std::this_thread::sleep_for(200us);
    });
    receive_forever();
  });
  receive<From>();
  exit(caller.pid, ExitReason::kill);
  require(receive<Down>().reason == ExitReason::killed, "a kill reaches a process in a section");
  require(blocking([] { return 7; }) == 7, "a section gives its result");
}

void pipe_of_bytes() {
  struct Pipe {
    Pipe() { require(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC) == 0, "there is a pipe"); }
    ~Pipe() {
      for (const int end : ends) ::close(end);
    }
    std::array<int, 2> ends{};
  };
  const Pipe pipe;
  (void)spawn_monitor([fd = pipe.ends[1]] {
    sleep_for(100us);
    require(::write(fd, "x", 1) == 1, "a byte is written");
  });
  require(net::wait_fd(pipe.ends[0], net::Interest::read, kPatience) == net::Readiness::ready, "a byte is told of");
  require(receive<Down>().reason == ExitReason::normal, "the writer ends normally");
}

}  // namespace

Mill::Mill(Runtime& rt) : rt_(rt) {
  for (void (*round)() : {&ping_pong, &crowd, &kill_somebody, &bounded, &timers, &orphan, &pipe_of_bytes}) add(round);
  stations_.push_back(rt.start([this] {
    for (int expected = 0; !stopping_.load(); ++expected) {
      const std::optional<Token> next = receive_for<Token>(1ms);
      if (!next) --expected;
      if (next) require(next->number == expected, "what a plain thread sends comes in order");
    }
  }));
  host_ = std::thread([this, to = stations_.back().pid()] {
    for (int i = 0; !stopping_.load(); ++i) {
      rt_.send(to, Token{i});
      std::this_thread::sleep_for(50us);
    }
  });
}

Mill::~Mill() {
  stop_host();
  for (JoinHandle& station : stations_) station.join();
}

void Mill::add(void (*round)()) {
  stations_.push_back(rt_.start([this, round] {
    while (!stopping_.load()) {
      round();
      rounds_.fetch_add(1);
      sleep_for(200us);
    }
  }));
}

void Mill::finish() {
  stopping_.store(true);
  for (JoinHandle& station : stations_) {
    const std::optional<ExitReason> reason = station.join_for(kPatience);
    ASSERT_TRUE(reason.has_value()) << "a station waits for what does not come";
    EXPECT_EQ(*reason, ExitReason::normal) << reason->to_string();
  }
}

void Mill::stop_host() {
  stopping_.store(true);
  if (host_.joinable()) host_.join();
}

}  // namespace weft::test
