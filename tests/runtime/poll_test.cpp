// A host program that drives the poller, and one that watches it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <weft/net.hpp>
#include <weft/weft.hpp>

#include "tests/runtime/net_probes.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace weft::test {
namespace {

using net::Address;
using net::Interest;
using net::Readiness;
using net::TcpListener;
using net::TcpStream;

bool is_readable(int fd, std::chrono::milliseconds patience) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, static_cast<int>(patience.count())) == 1;
}

/// In a process: `rounds` questions and answers over one connection.
void echo_rounds(int rounds) {
  TcpListener listener = TcpListener::listen(Address::loopback(0));
  const Address address = listener.local_address();
  spawn([listener = std::move(listener)]() mutable {
    TcpStream stream = listener.accept(kPatience);
    std::array<std::byte, 100> buffer;
    while (const std::size_t n = stream.read(buffer, kPatience)) stream.write_all(std::span(buffer).first(n), kPatience);
  });
  TcpStream stream = TcpStream::connect(address, kPatience);
  std::array<std::byte, 1> byte{};
  for (int i = 0; i < rounds; ++i) {
    stream.write_all(byte, kPatience);
    ASSERT_EQ(stream.read(byte, kPatience), 1u);
  }
}

class HostPolls : public RuntimeTest {
 protected:
  HostPolls() { options.host_polls = true; }

  JoinHandle wait_for(const Pipe& pipe) {
    return rt.start([fd = pipe.ends[0]] { EXPECT_EQ(net::wait_fd(fd, Interest::read, kPatience), Readiness::ready); });
  }
  void await_waiting(const JoinHandle& process) {
    ASSERT_TRUE(eventually([&] {
      const auto info = rt.info(process.pid());
      return info && info->status == ProcessStatus::waiting;
    }));
  }
};
class HostWatches : public RuntimeTest {};

INSTANTIATE_TEST_SUITE_P(Workers, HostPolls, worker_counts());
INSTANTIATE_TEST_SUITE_P(Workers, HostWatches, worker_counts());

TEST_P(HostPolls, OnlyPollOnceEndsAWaitAndPollFdSaysWhen) {
  const Pipe pipe;
  const int fd = rt.poll_fd();
  EXPECT_EQ(rt.poll_fd(), fd);
  JoinHandle process = wait_for(pipe);
  await_waiting(process);
  EXPECT_FALSE(is_readable(fd, 0ms));
  EXPECT_EQ(rt.poll_once(), 0u);
  pipe.write();
  EXPECT_TRUE(is_readable(fd, 30'000ms));
  run([] { sleep_for(20ms); });  // The workers look after timers meanwhile, and go to sleep: not one of them polls.
  EXPECT_EQ(rt.info(process.pid())->status, ProcessStatus::waiting);
  EXPECT_EQ(rt.poll_once(), 1u);
  EXPECT_TRUE(process.join().is_normal());
  EXPECT_FALSE(is_readable(fd, 0ms));
}

TEST_P(HostPolls, PollOnceWaitsForDescriptorsThatAreArmedMeanwhile) {
  const Pipe first;
  const Pipe second;
  JoinHandle process = rt.start([&] {
    EXPECT_EQ(net::wait_fd(first.ends[0], Interest::read, kPatience), Readiness::ready);
    second.write();
    EXPECT_EQ(net::wait_fd(second.ends[0], Interest::read, kPatience), Readiness::ready);
  });
  std::thread writer([&] {
    await_waiting(process);
    first.write();
  });
  while (!process.join_for(0ns)) rt.poll_once(1ms);
  writer.join();
  EXPECT_TRUE(process.join().is_normal());
}

TEST_P(HostPolls, PollOnceWaitsAlsoWhenNothingWasEverWaitedFor) {
  // A loop of the host must not turn in circles until the first process waits for a descriptor.
  int calls = 0;
  for (const auto end = std::chrono::steady_clock::now() + 100ms; std::chrono::steady_clock::now() < end; ++calls) rt.poll_once(10ms);
  EXPECT_LE(calls, 20);
}

TEST_P(HostPolls, PollOnceSeesTheFirstDescriptorThatIsArmedWhileItWaits) {
  const Pipe pipe;
  std::atomic<std::size_t> woken{0};
  std::thread host([&] { woken.store(rt.poll_once(kPatience)); });
  std::this_thread::sleep_for(20ms);  // It waits, most likely: nothing was armed so far.
  JoinHandle process = wait_for(pipe);
  await_waiting(process);
  pipe.write();
  host.join();
  EXPECT_EQ(woken.load(), 1u);
  EXPECT_TRUE(process.join().is_normal());
}

TEST_P(HostPolls, TimersAndMessagesNeedNoPolling) {
  const Pid echo = rt.spawn([] {
    for (;;) receive([](Call<int> call) { reply(call.from, call.request + 1); });
  });
  EXPECT_EQ(rt.call<int>(echo, 1, kPatience), 2);
  run([] { sleep_for(1ms); });
  const Pipe pipe;
  run([&pipe] { EXPECT_EQ(net::wait_fd(pipe.ends[0], Interest::read, 1ms), Readiness::timed_out); });
}

TEST_P(HostPolls, ALoopServesSockets) {
  JoinHandle process = rt.start([] { echo_rounds(300); });
  while (!process.join_for(0ns)) {
    if (is_readable(rt.poll_fd(), 1ms)) rt.poll_once();
  }
  EXPECT_TRUE(process.join().is_normal());
}

TEST_P(HostPolls, AKilledProcessIsNotWaitedFor) {
  const Pipe pipe;
  JoinHandle process = wait_for(pipe);
  await_waiting(process);
  rt.kill(process.pid());
  EXPECT_EQ(process.join(), ExitReason::killed);
  pipe.write();
  EXPECT_EQ(rt.poll_once(), 0u);
}

TEST_P(HostPolls, WrongCallsAreTold) {
  EXPECT_THROW(rt.poll_once(-1ns), BadArgument);
  run([this] { EXPECT_THROW(rt.poll_once(), BadArgument); });
}

TEST_P(HostPolls, NoDescriptorForThePollerIsAnError) {
#ifdef WEFT_TEST_UNDEFINED_SANITIZER
  GTEST_SKIP() << "UBSan opens a pipe to look at the vptr of each class it meets, and this test leaves it no descriptor";
#endif
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{0, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  EXPECT_THROW(rt.poll_fd(), LimitExceeded);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_GE(rt.poll_fd(), 0);
}

TEST_P(HostWatches, HelpingTheWorkersLosesNothing) {
  std::atomic<bool> done{false};
  std::thread host([&] {
    while (!done.load()) rt.poll_once(kPatience);  // It does not wait: workers do that.
  });
  run([] {
    for (int i = 0; i < 4; ++i) spawn_monitor([] { echo_rounds(500); });
    for (int i = 0; i < 4; ++i) EXPECT_EQ(await<Down>().reason, ExitReason::normal);
  });
  done.store(true);
  host.join();
}

TEST_P(HostWatches, AWorkerTakesOverWhenTheHostHasLooked) {
  for (int round = 0; round < 50; ++round) {
    const Pipe pipe;
    JoinHandle process = rt.start([fd = pipe.ends[0]] { EXPECT_EQ(net::wait_fd(fd, Interest::read, kPatience), Readiness::ready); });
    for (int i = 0; i < round; ++i) rt.poll_once();
    pipe.write();
    EXPECT_TRUE(process.join().is_normal());  // With nobody left who polls, it would time out.
  }
}

}  // namespace
}  // namespace weft::test
