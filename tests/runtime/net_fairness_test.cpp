// Timers, mailboxes and descriptors: whichever of the three is saturated, the other two go on; and interruptions by signals do not show.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/time.h>

#include <array>
#include <atomic>
#include <string>
#include <utility>
#include <vector>

#include <weft/net.hpp>
#include <weft/weft.hpp>

#include "tests/support/runtime_fixture.hpp"

namespace weft::test {
namespace {

using net::Address;
using net::TcpListener;
using net::TcpStream;

struct Pair {
  TcpStream a;
  TcpStream b;
};

Pair connected() {
  TcpListener listener = TcpListener::listen(Address::loopback(0));
  TcpStream a = TcpStream::connect(listener.local_address(), kPatience);
  return {std::move(a), listener.accept(kPatience)};
}

struct Ball {
  Pid from;
};

// Each probe is a process that makes a number of steps and ends; each step waits for the thing it is about.

constexpr int kSteps = 10;

void step_by_timer() {
  for (int i = 0; i < kSteps; ++i) {
    send_after(100us, self(), Ball{});
    await<Ball>();
    sleep_for(100us);
  }
}

void step_by_message() {
  const Pid other = spawn_link([] {
    for (;;) {
      const Ball ball = receive<Ball>();
      send(ball.from, Ball{self()});
    }
  });
  for (int i = 0; i < kSteps; ++i) {
    send(other, Ball{self()});
    await<Ball>();
  }
  exit(other, ExitReason::kill);
  unlink(other);
}

void step_by_socket() {
  Pair pair = connected();
  spawn([stream = std::move(pair.b)]() mutable {
    std::array<std::byte, 16> buffer;
    while (const std::size_t n = stream.read(buffer, kPatience)) {
      sleep_for(10us);  // So that the other side really waits.
      stream.write_all(std::span(buffer).first(n), kPatience);
    }
  });
  std::array<std::byte, 1> byte{};
  for (int i = 0; i < kSteps; ++i) {
    pair.a.write_all(byte, kPatience);
    ASSERT_EQ(pair.a.read(byte, kPatience), 1u);
  }
}

class Fairness : public RuntimeTest {
 protected:
  /// Runs the three probes while processes of `load`, several for each worker, keep every worker busy.
  void expect_progress_under(void (*load)()) {
    run([this, load] {
      std::vector<Pid> saturating;
      for (unsigned i = 0; i < 4 * GetParam(); ++i) saturating.push_back(spawn(load));
      for (int round = 0; round < 2; ++round) {
        for (void (*probe)() : {&step_by_timer, &step_by_message, &step_by_socket}) spawn_monitor(probe);
        for (int i = 0; i < 3; ++i) EXPECT_EQ(await<Down>().reason, ExitReason::normal);
      }
      for (const Pid pid : saturating) {
        EXPECT_TRUE(rt.is_alive(pid));  // It was at it all the time.
        kill(pid);
      }
    });
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, Fairness, worker_counts());

TEST_P(Fairness, AllGoOnWhileMailboxesAreSaturated) {
  expect_progress_under([] {
    const Pid other = spawn_link([] {
      for (;;) {
        const Ball ball = receive<Ball>();
        send(ball.from, Ball{self()});
      }
    });
    for (int i = 0; i < 20; ++i) send(other, Ball{self()});
    for (;;) send(receive<Ball>().from, Ball{self()});
  });
}

TEST_P(Fairness, AllGoOnWhileTimersAreSaturated) {
  expect_progress_under([] {
    // Due at once, each and every time.
    for (int i = 0; i < 100; ++i) send_after(1ns, self(), Ball{});
    for (;;) {
      receive<Ball>();
      send_after(1ns, self(), Ball{});
    }
  });
}

TEST_P(Fairness, AllGoOnWhileSocketsAreSaturated) {
  expect_progress_under([] {
    Pair pair = connected();
    spawn_link([stream = std::move(pair.b)]() mutable {
      std::array<std::byte, 4096> buffer;
      while (stream.read(buffer) != 0) {
      }
    });
    const std::vector<std::byte> block(65536);
    for (;;) pair.a.write_all(block);
  });
}

TEST_P(Fairness, AllGoOnWhileOneProcessPerWorkerNeverSuspends) {
  expect_progress_under([] {
    for (;;) yield();
  });
}

// --- EINTR ------------------------------------------------------------------------------------------------------------------------------

std::atomic<int> interruptions{0};

TEST_P(Fairness, AStormOfSignalsIsNotSeenBySocketsAndTimers) {
  interruptions = 0;
  struct sigaction count {};
  struct sigaction before {};
  count.sa_handler = [](int) { interruptions.fetch_add(1, std::memory_order_relaxed); };
  ASSERT_EQ(::sigaction(SIGALRM, &count, &before), 0);  // Without SA_RESTART: system calls that wait return EINTR.
  const itimerval often{{0, 200}, {0, 200}};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &often, nullptr), 0);
  run([] {
    Pair pair = connected();
    std::string sent(4u << 20, '\0');
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>('a' + i * 2654435761u % 26);
    spawn_monitor([stream = std::move(pair.a), &sent]() mutable { stream.write_all(std::as_bytes(std::span(sent)), kPatience); });
    std::string got;
    std::array<char, 1000> part;
    while (const std::size_t n = pair.b.read(std::as_writable_bytes(std::span(part)), kPatience)) got.append(part.data(), n);
    EXPECT_TRUE(got == sent);
    step_by_timer();
    step_by_socket();
    EXPECT_EQ(await<Down>().reason, ExitReason::normal);
    while (interruptions.load() < 100) sleep_for(1ms);
  });
  const itimerval never{};
  ASSERT_EQ(::setitimer(ITIMER_REAL, &never, nullptr), 0);
  ASSERT_EQ(::sigaction(SIGALRM, &before, nullptr), 0);
}

}  // namespace
}  // namespace weft::test
