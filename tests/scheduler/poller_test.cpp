#include "scheduler/poller.hpp"

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
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace weft::inline v0::scheduler {
namespace {

constexpr std::int64_t kForever = -1;
constexpr std::int64_t kOneMilli = 1'000'000;

/// Two connected ends, closed at the end of the test unless closed by it.
class Ends {
 public:
  static Ends pipe() {
    Ends ends;
    EXPECT_EQ(::pipe2(ends.fds_.data(), O_NONBLOCK | O_CLOEXEC), 0);
    return ends;
  }
  static Ends sockets() {
    Ends ends;
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.fds_.data()), 0);
    return ends;
  }
  Ends(Ends&& other) noexcept : fds_(std::exchange(other.fds_, {-1, -1})) {}
  Ends& operator=(Ends&&) = delete;
  ~Ends() {
    close(0);
    close(1);
  }
  int operator[](std::size_t i) const { return fds_[i]; }
  void close(std::size_t i) {
    if (fds_[i] >= 0) ::close(fds_[i]);
    fds_[i] = -1;
  }

 private:
  Ends() = default;
  std::array<int, 2> fds_{-1, -1};
};

void put(int fd) { ASSERT_EQ(::write(fd, "x", 1), 1); }

std::size_t drain(int fd) {
  std::array<char, 4096> bytes;
  std::size_t total = 0;
  for (ssize_t n; (n = ::read(fd, bytes.data(), bytes.size())) > 0;) total += static_cast<std::size_t>(n);
  return total;
}

void fill(int fd) {
  const std::array<char, 4096> bytes{};
  while (::write(fd, bytes.data(), bytes.size()) > 0) {
  }
  while (::write(fd, bytes.data(), 1) > 0) {
  }
  EXPECT_EQ(errno, EAGAIN);
}

/// What one poll() reports: token to readiness.
std::map<std::uint64_t, std::uint32_t> poll(Poller& poller, std::int64_t timeout_ns) {
  std::array<Poller::Event, 64> out;
  std::map<std::uint64_t, std::uint32_t> events;
  const std::size_t count = poller.poll(timeout_ns, out.data(), out.size());
  for (std::size_t i = 0; i < count; ++i) EXPECT_TRUE(events.emplace(out[i].token, out[i].ready).second);
  return events;
}

using Events = std::map<std::uint64_t, std::uint32_t>;

int open_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

/// Does any epoll set of this program hold `fd`? The kernel lists them.
bool is_registered(int fd) {
  for (int epoll_fd = 0; epoll_fd < 1024; ++epoll_fd) {
    std::ifstream lines("/proc/self/fdinfo/" + std::to_string(epoll_fd));
    std::string word;
    int number = -1;
    while (lines >> word) {
      if (word == "tfd:" && lines >> number && number == fd) return true;
    }
  }
  return false;
}

TEST(Poller, OpensNothingUntilSomethingIsArmed) {
  const int before = open_descriptors();
  {
    Poller poller;
    poller.interrupt();
    EXPECT_EQ(poll(poller, kForever), Events{});
    EXPECT_FALSE(poller.disarm(0, 1));
    std::array<Poller::Event, 2> woken;
    EXPECT_EQ(poller.forget(0, woken), 0u);
    EXPECT_EQ(open_descriptors(), before);
    Ends ends = Ends::pipe();
    ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 1), 0);
    EXPECT_GT(open_descriptors(), before);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(Poller, ReportsAWaiterOnceWhenItsDescriptorBecomesReadable) {
  Poller poller;
  Ends ends = Ends::pipe();
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 7), 0);
  EXPECT_TRUE(poller.active());
  EXPECT_EQ(poll(poller, 0), Events{});
  put(ends[1]);
  EXPECT_EQ(poll(poller, kForever), (Events{{7, Poller::kRead}}));
  EXPECT_FALSE(poller.active());
  put(ends[1]);
  EXPECT_EQ(poll(poller, 0), Events{});
  EXPECT_FALSE(poller.disarm(ends[0], 7));
}

TEST(Poller, ReadinessThatCameBeforeTheFirstArmIsReported) {
  Poller poller;
  Ends ends = Ends::pipe();
  put(ends[1]);
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 7), 0);
  EXPECT_EQ(poll(poller, kForever), (Events{{7, Poller::kRead}}));
}

TEST(Poller, ReadinessThatCameBetweenTwoArmsIsLatched) {
  Poller poller;
  Ends ends = Ends::pipe();
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 1), 0);
  put(ends[1]);
  EXPECT_EQ(poll(poller, kForever).size(), 1u);
  drain(ends[0]);
  put(ends[1]);  // Nobody is armed: the edge is latched.
  EXPECT_EQ(poll(poller, 0), Events{});
  EXPECT_EQ(poller.arm(ends[0], Poller::kRead, 2), Poller::kReadyNow);
  EXPECT_FALSE(poller.active());
  drain(ends[0]);
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 3), 0);  // The latch is used up.
  EXPECT_EQ(poll(poller, 0), Events{});
  put(ends[1]);
  EXPECT_EQ(poll(poller, kForever), (Events{{3, Poller::kRead}}));
}

TEST(Poller, AReaderAndAWriterOfOneDescriptorAreWokenEachByItsOwnDirection) {
  Poller poller;
  Ends ends = Ends::sockets();
  fill(ends[0]);
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 1), 0);
  ASSERT_EQ(poller.arm(ends[0], Poller::kWrite, 2), 0);
  EXPECT_EQ(poll(poller, 0), Events{});
  put(ends[1]);
  EXPECT_EQ(poll(poller, kForever), (Events{{1, Poller::kRead}}));
  EXPECT_TRUE(poller.active());
  drain(ends[1]);
  EXPECT_EQ(poll(poller, kForever), (Events{{2, Poller::kWrite}}));
  EXPECT_FALSE(poller.active());
}

TEST(Poller, BothWaitersAreWokenWhenThePeerGoes) {
  Poller poller;
  Ends ends = Ends::sockets();
  fill(ends[0]);
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 1), 0);
  ASSERT_EQ(poller.arm(ends[0], Poller::kWrite, 2), 0);
  ends.close(1);
  EXPECT_EQ(poll(poller, kForever), (Events{{1, Poller::kRead}, {2, Poller::kWrite}}));
}

TEST(Poller, OneTokenArmedForBothDirectionsIsReportedOnce) {
  Poller poller;
  Ends ends = Ends::sockets();
  fill(ends[0]);
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead | Poller::kWrite, 5), 0);
  put(ends[1]);
  EXPECT_EQ(poll(poller, kForever), (Events{{5, Poller::kRead}}));
  EXPECT_FALSE(poller.active());
  drain(ends[1]);
  EXPECT_EQ(poll(poller, 0), Events{});
}

TEST(Poller, ADirectionHasOneWaiter) {
  Poller poller;
  Ends ends = Ends::sockets();
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 1), 0);
  EXPECT_EQ(poller.arm(ends[0], Poller::kRead, 2), EBUSY);
  EXPECT_FALSE(poller.disarm(ends[0], 2));
  EXPECT_TRUE(poller.disarm(ends[0], 1));
}

TEST(Poller, ADisarmedWaiterIsNotReported) {
  Poller poller;
  Ends ends = Ends::pipe();
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 1), 0);
  put(ends[1]);
  EXPECT_TRUE(poller.disarm(ends[0], 1));
  EXPECT_FALSE(poller.active());
  EXPECT_EQ(poll(poller, 0), Events{});
  EXPECT_EQ(poller.arm(ends[0], Poller::kRead, 2), Poller::kReadyNow);  // What came meanwhile is kept for the next.
}

TEST(Poller, ForgettingADescriptorHandsItsWaitersBack) {
  Poller poller;
  Ends ends = Ends::sockets();
  fill(ends[0]);
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 1), 0);
  ASSERT_EQ(poller.arm(ends[0], Poller::kWrite, 2), 0);
  std::array<Poller::Event, 2> woken;
  ASSERT_EQ(poller.forget(ends[0], woken), 2u);
  EXPECT_EQ(woken[0].token, 1u);
  EXPECT_EQ(woken[1].token, 2u);
  EXPECT_EQ(woken[0].ready, Poller::kClosed);
  EXPECT_FALSE(poller.active());
  EXPECT_FALSE(poller.disarm(ends[0], 1));
  put(ends[1]);
  EXPECT_EQ(poll(poller, 0), Events{});
}

TEST(Poller, ANumberUsedAgainAfterForgetIsANewDescriptor) {
  Poller poller;
  std::array<Poller::Event, 2> woken;
  for (std::uint64_t round = 1; round <= 100; ++round) {
    Ends ends = Ends::pipe();
    ASSERT_EQ(poller.arm(ends[0], Poller::kRead, round), 0);
    EXPECT_EQ(poll(poller, 0), Events{});
    put(ends[1]);
    if (round % 2 == 0) {
      EXPECT_EQ(poll(poller, kForever), (Events{{round, Poller::kRead}}));
    }
    poller.forget(ends[0], woken);
  }
  EXPECT_FALSE(poller.active());
}

TEST(Poller, ANumberClosedBehindOurBackIsFoundOutByARecheck) {
  Poller poller;
  Ends first = Ends::pipe();
  ASSERT_EQ(poller.arm(first[0], Poller::kRead, 1), 0);
  EXPECT_TRUE(poller.disarm(first[0], 1));
  Ends second = Ends::pipe();
  // The registration dies with the first pipe; its entry does not know.
  ASSERT_EQ(::dup3(second[0], first[0], O_CLOEXEC), first[0]);
  ASSERT_EQ(poller.arm(first[0], Poller::kRead | Poller::kRecheck, 2), 0);
  EXPECT_EQ(poll(poller, 0), Events{});
  put(second[1]);
  EXPECT_EQ(poll(poller, kForever), (Events{{2, Poller::kRead}}));
}

TEST(Poller, AnEventOfAFormerFileUnderTheSameNumberIsDropped) {
  Poller poller;
  Ends first = Ends::pipe();
  const int alive = ::fcntl(first[0], F_DUPFD_CLOEXEC, 0);  // Keeps the old registration in the kernel.
  ASSERT_EQ(poller.arm(first[0], Poller::kRead, 1), 0);
  EXPECT_TRUE(poller.disarm(first[0], 1));
  Ends second = Ends::pipe();
  ASSERT_EQ(::dup3(second[0], first[0], O_CLOEXEC), first[0]);
  ASSERT_EQ(poller.arm(first[0], Poller::kRead | Poller::kRecheck, 2), 0);
  put(first[1]);
  EXPECT_EQ(poll(poller, 0), Events{});
  put(second[1]);
  EXPECT_EQ(poll(poller, kForever), (Events{{2, Poller::kRead}}));
  ::close(alive);
}

TEST(Poller, ATransientWaitLooksAtTheFileEachTime) {
  Poller poller;
  Ends ends = Ends::pipe();
  put(ends[1]);
  for (std::uint64_t round = 1; round <= 3; ++round) {  // Never drained: an edge alone would tell once.
    ASSERT_EQ(poller.arm(ends[0], Poller::kRead | Poller::kTransient, round), 0);
    EXPECT_EQ(poll(poller, kForever), (Events{{round, Poller::kRead}}));
  }
  drain(ends[0]);
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead | Poller::kTransient, 9), 0);
  EXPECT_EQ(poll(poller, 0), Events{});
  EXPECT_TRUE(poller.disarm(ends[0], 9));
}

TEST(Poller, ATransientRegistrationEndsWithItsLastWaiter) {
  Poller poller;
  Ends ends = Ends::pipe();
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead | Poller::kTransient, 1), 0);
  EXPECT_TRUE(is_registered(ends[0]));
  EXPECT_TRUE(poller.disarm(ends[0], 1));
  EXPECT_FALSE(is_registered(ends[0]));
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead | Poller::kTransient, 2), 0);
  put(ends[1]);
  EXPECT_EQ(poll(poller, kForever), (Events{{2, Poller::kRead}}));
  EXPECT_FALSE(is_registered(ends[0]));
}

TEST(Poller, ATransientWaiterLeavesALastingRegistrationAlone) {
  Poller poller;
  Ends ends = Ends::sockets();
  fill(ends[0]);
  ASSERT_EQ(poller.arm(ends[0], Poller::kWrite, 1), 0);
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead | Poller::kTransient, 2), 0);
  EXPECT_TRUE(poller.disarm(ends[0], 2));
  drain(ends[1]);
  EXPECT_EQ(poll(poller, kForever), (Events{{1, Poller::kWrite}}));
  put(ends[1]);
  EXPECT_EQ(poll(poller, 0), Events{});
  EXPECT_EQ(poller.arm(ends[0], Poller::kRead, 3), Poller::kReadyNow);
}

TEST(Poller, ALastingWaiterTakesOverATransientRegistration) {
  Poller poller;
  Ends ends = Ends::sockets();
  fill(ends[0]);
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead | Poller::kTransient, 1), 0);
  ASSERT_EQ(poller.arm(ends[0], Poller::kWrite, 2), 0);
  put(ends[1]);
  EXPECT_EQ(poll(poller, kForever), (Events{{1, Poller::kRead}}));
  drain(ends[1]);
  EXPECT_EQ(poll(poller, kForever), (Events{{2, Poller::kWrite}}));
}

TEST(Poller, ARegularFileIsAlwaysReady) {
  Poller poller;
  std::string path = ::testing::TempDir() + "weft_poller_XXXXXX";
  const int fd = ::mkstemp(path.data());
  ASSERT_GE(fd, 0);
  ::unlink(path.c_str());
  EXPECT_EQ(poller.arm(fd, Poller::kRead, 1), Poller::kReadyNow);
  EXPECT_EQ(poller.arm(fd, Poller::kWrite | Poller::kTransient, 2), Poller::kReadyNow);
  EXPECT_FALSE(poller.active());
  ::close(fd);
}

TEST(Poller, AnErrorOfTheKernelIsReturnedAndNothingIsArmed) {
  Poller poller;
  EXPECT_EQ(poller.arm(-1, Poller::kRead, 1), EBADF);
  EXPECT_EQ(poller.arm(1'000'000, Poller::kRead, 1), EBADF);
  EXPECT_FALSE(poller.active());
}

TEST(Poller, WithoutAFreeDescriptorArmFailsAndSucceedsLater) {
  Poller poller;
  Ends ends = Ends::pipe();
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{static_cast<rlim_t>(0), limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const int error = poller.arm(ends[0], Poller::kRead, 1);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(error, EMFILE);
  EXPECT_FALSE(poller.active());
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 1), 0);
  put(ends[1]);
  EXPECT_EQ(poll(poller, kForever), (Events{{1, Poller::kRead}}));
}

TEST(Poller, AFullAnswerLeavesTheRestForTheNextPoll) {
  Poller poller;
  std::vector<Ends> all;
  for (std::uint64_t i = 0; i < 10; ++i) {
    all.push_back(Ends::pipe());
    ASSERT_EQ(poller.arm(all.back()[0], Poller::kRead, i), 0);
    put(all.back()[1]);
  }
  std::array<Poller::Event, 2> out;
  std::map<std::uint64_t, int> seen;
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(poller.poll(0, out.data(), out.size()), 1u);
    ++seen[out[0].token];
  }
  EXPECT_EQ(seen.size(), 10u);
}

TEST(Poller, AWaitEndsAfterItsTimeout) {
  Poller poller;
  Ends ends = Ends::pipe();
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 1), 0);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(poll(poller, kOneMilli), Events{});
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::nanoseconds(kOneMilli));
}

TEST(Poller, AnInterruptEndsThePollInProgressOrTheNextOne) {
  Poller poller;
  Ends ends = Ends::pipe();
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 1), 0);
  poller.interrupt();
  poller.interrupt();
  EXPECT_EQ(poll(poller, kForever), Events{});
  std::thread other([&] { poller.interrupt(); });
  EXPECT_EQ(poll(poller, kForever), Events{});
  other.join();
}

TEST(Poller, EveryInterruptIsAnsweredAndShowsWhatWasWrittenBeforeIt) {
  Poller poller;
  Ends ends = Ends::pipe();
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 1), 0);
  constexpr int kRounds = 2000;
  constexpr int kInterrupters = 3;
  std::array<std::atomic<int>, kInterrupters> asked{}, answered{};
  std::vector<std::thread> interrupters;
  for (std::size_t i = 0; i < kInterrupters; ++i) {
    interrupters.emplace_back([&, i] {
      for (int round = 1; round <= kRounds; ++round) {
        asked[i].store(round, std::memory_order_relaxed);  // Ordered by interrupt() alone.
        poller.interrupt();
        while (answered[i].load(std::memory_order_acquire) < round) std::this_thread::yield();
      }
    });
  }
  for (bool done = false; !done;) {
    poll(poller, kForever);  // A lost interrupt hangs here.
    done = true;
    for (std::size_t i = 0; i < kInterrupters; ++i) {
      const int round = asked[i].load(std::memory_order_relaxed);
      answered[i].store(round, std::memory_order_release);
      done = done && round == kRounds;
    }
  }
  for (std::thread& interrupter : interrupters) interrupter.join();
}

TEST(Poller, OnlyOneThreadLeads) {
  Poller poller;
  Ends ends = Ends::pipe();
  ASSERT_EQ(poller.arm(ends[0], Poller::kRead, 1), 0);
  std::atomic<bool> stop{false};
  std::atomic<unsigned> attempts{0};
  std::thread leader([&] {
    while (!stop.load(std::memory_order_acquire)) {
      attempts.fetch_add(1, std::memory_order_release);
      poll(poller, kForever);
    }
  });
  // Until the leader is in, our own polls look at the descriptors; then they return at once although their timeout is long.
  auto start = std::chrono::steady_clock::now();
  unsigned before = 0;
  do {
    // It is turned away while we look: let it try again in between. Or it is in already.
    for (int i = 0; i < 1000 && attempts.load(std::memory_order_acquire) == before; ++i) std::this_thread::yield();
    before = attempts.load(std::memory_order_acquire);
    start = std::chrono::steady_clock::now();
    poll(poller, 5 * kOneMilli);
  } while (std::chrono::steady_clock::now() - start >= std::chrono::nanoseconds(5 * kOneMilli));
  stop.store(true, std::memory_order_release);
  poller.interrupt();
  leader.join();
}

// Each armed token is answered exactly once: by its own disarm(), by forget(), or by a report.
TEST(Poller, ArmDisarmForgetAndPollRaceWithoutLosingOrDoublingAWaiter) {
  constexpr int kUsers = 2;
  constexpr std::uint64_t kRounds = 3000;
  Poller poller;
  std::vector<std::atomic<int>> reports(kUsers * 2 * (kRounds + 1));
  std::atomic<bool> stop{false};
  std::thread leader([&] {
    std::array<Poller::Event, 8> out;
    while (!stop.load(std::memory_order_acquire)) {
      const std::size_t count = poller.poll(kOneMilli, out.data(), out.size());
      for (std::size_t i = 0; i < count; ++i) reports[out[i].token].fetch_add(1, std::memory_order_release);
    }
  });
  std::vector<std::thread> users;
  for (std::uint64_t user = 0; user < kUsers; ++user) {
    users.emplace_back([&, user] {
      std::uint64_t random = user * 7919 + 1;
      auto next = [&random] { return (random = random * 6364136223846793005u + 1442695040888963407u) >> 33; };
      auto expect_report = [&](std::uint64_t token) {
        while (reports[token].load(std::memory_order_acquire) == 0) std::this_thread::yield();
      };
      std::optional<Ends> ends(Ends::sockets());
      for (std::uint64_t round = 1; round <= kRounds; ++round) {
        const std::uint64_t reader = (user * (kRounds + 1) + round) * 2;
        const std::uint32_t flags = next() % 4 == 0 ? Poller::kTransient : 0;
        drain((*ends)[0]);
        const int armed = poller.arm((*ends)[0], Poller::kRead | flags, reader);
        ASSERT_TRUE(armed == 0 || armed == Poller::kReadyNow);
        const std::uint64_t writer = reader + 1;
        const int also = poller.arm((*ends)[0], Poller::kWrite | Poller::kRecheck, writer);  // Writable at once.
        ASSERT_EQ(also, 0);
        if (next() % 2 == 0) put((*ends)[1]);
        const std::uint64_t way = next() % 8;
        if (way == 0) {  // Closed under its waiters, and the number used again.
          std::array<Poller::Event, 2> woken;
          const std::size_t count = poller.forget((*ends)[0], woken);
          for (std::size_t i = 0; i < count; ++i) reports[woken[i].token].fetch_add(1, std::memory_order_release);
          if (armed == 0) expect_report(reader);
          expect_report(writer);
          ends.reset();
          ends.emplace(Ends::sockets());
          continue;
        }
        if (way == 1 && armed == 0) put((*ends)[1]);
        if (armed == 0 && (way == 1 || !poller.disarm((*ends)[0], reader))) expect_report(reader);
        if (way == 2 || !poller.disarm((*ends)[0], writer)) expect_report(writer);
      }
      std::array<Poller::Event, 2> woken;
      EXPECT_EQ(poller.forget((*ends)[0], woken), 0u);
    });
  }
  for (std::thread& user : users) user.join();
  stop.store(true, std::memory_order_release);
  leader.join();
  for (const auto& count : reports) ASSERT_LE(count.load(), 1);
  EXPECT_FALSE(poller.active());
}

}  // namespace
}  // namespace weft::scheduler
