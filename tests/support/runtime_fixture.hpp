#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <weft/weft.hpp>

namespace weft {

inline void PrintTo(const Pid& pid, std::ostream* out) { *out << pid.to_string(); }
inline void PrintTo(const ExitReason& reason, std::ostream* out) { *out << reason.kind().text() << " '" << reason.what() << "'"; }

}  // namespace weft

namespace weft::test {

using namespace std::chrono_literals;

/// How long a test waits for what must come. A loaded machine under a sanitizer stays far below it.
inline constexpr Duration kPatience = 30s;

/// One worker (everything interleaves on one thread), two (stealing), and more than there are cores (preemption by the kernel).
inline auto worker_counts() { return ::testing::Values(1u, 2u, 4u * std::max(1u, std::thread::hardware_concurrency())); }

/// For a plain thread, and only where no event exists to wait for: looks until `holds()` is true or patience ends.
template <class Predicate>
bool eventually(Predicate holds) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(100us);
  }
  return true;
}

/// Enough processes for recursion or quadratic work to show. ThreadSanitizer has room for about 8,000 fibers in all.
#if defined(__SANITIZE_THREAD__)
#define WEFT_TEST_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_TEST_UNDER_TSAN 1
#endif
#endif
#ifdef WEFT_TEST_UNDER_TSAN
inline constexpr int kManyProcesses = 1'000;
#else
inline constexpr int kManyProcesses = 10'000;
#endif

/// A body that stays, takes every message and ends only by a signal.
inline void receive_forever() {
  for (;;) receive_any();
}

/// In a process: the next T. Throws where a bare receive<T>() would hang the test.
template <class T>
T await() {
  std::optional<T> message = receive_for<T>(kPatience);
  if (!message) throw std::runtime_error("the awaited message never came");
  return std::move(*message);
}

/// In a process: a T that is in the mailbox already.
template <class T>
std::optional<T> poll() {
  return receive_for<T>(Duration::zero());
}

/// In a process: is nothing at all in the mailbox?
inline bool mailbox_is_empty() { return !receive_any_for(Duration::zero()); }

template <class T>
bool contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

/// A runtime per test and worker count; the test ends by proving that the runtime holds nothing any more.
///
/// A derived fixture changes `options` in its constructor; a single test calls rebuild() first thing.
class RuntimeTest : public ::testing::TestWithParam<unsigned> {
 protected:
  RuntimeTest() { options.workers = GetParam(); }
  ~RuntimeTest() override {}  // `rt` is destroyed in TearDown().

  void SetUp() override { build(); }

  void TearDown() override {
    if (!built_) return;
    expect_nothing_left();
    demolish();
  }

  /// Runs `body` as a process; gives back its result and rethrows what ended it.
  template <class F>
  auto run(F body) {
    return rt.run(std::move(body));
  }

  /// Replaces the runtime by one made from `changed`; no process of the old one may be in use.
  void rebuild(RuntimeOptions changed) {
    expect_nothing_left();
    demolish();
    options = std::move(changed);
    build();
  }

  RuntimeOptions options;
  union {
    Runtime rt;  // Built in SetUp(), so that a derived constructor may still change `options`.
  };

 private:
  void build() {
    std::construct_at(std::addressof(rt), options);
    built_ = true;
  }

  void demolish() {
    built_ = false;
    std::destroy_at(std::addressof(rt));
  }

  void expect_nothing_left() {
    rt.shutdown();  // Who traps exits and was left waiting would sit out the deadline of stop().
    EXPECT_TRUE(rt.stop(kPatience).survivors.empty());
    const Stats left = rt.stats();
    EXPECT_EQ(left.live, 0u);
    EXPECT_EQ(left.spawned, left.finished);
    EXPECT_EQ(left.active_links, 0u);
    EXPECT_EQ(left.active_monitors, 0u);
    EXPECT_EQ(left.active_timers, 0u);
  }

  bool built_ = false;
};

/// The same on a virtual clock. Time moves only while run() drives it, and only when every process is parked.
class VirtualTimeTest : public RuntimeTest {
 protected:
  static constexpr Duration kTick = 1ms;

  VirtualTimeTest() { options.clock = Clock::virtual_time; }

  /// Runs `body` as a process and moves the clock whenever nothing can run. Throws if `body` ends abnormally or never ends.
  template <class F>
  auto run(F body) {
    using Result = std::invoke_result_t<F>;
    if constexpr (std::is_void_v<Result>) {
      drive(rt.start(std::move(body)));
    } else {
      std::optional<Result> result;
      drive(rt.start([&result, body = std::move(body)]() mutable { result.emplace(body()); }));
      return Result(std::move(*result));
    }
  }

  /// In the body of run(): returns once every other process has parked or ended, hence once everything sent has had its effect.
  static void settle() { sleep_for(kTick); }

 private:
  void drive(JoinHandle body) {
    constexpr int kSmallTurns = 5'000;  // Ample for bodies that settle() often; after them the clock leaps past every kPatience.
    for (int turn = 0; turn < kSmallTurns + 10; ++turn) {
      rt.run_until_idle();
      if (!rt.is_alive(body.pid())) {
        const ExitReason reason = body.join();
        if (reason.is_normal()) return;
        throw std::runtime_error("the body ended with " + std::string(reason.kind().text()) + ": " + std::string(reason.what()));
      }
      rt.advance(turn < kSmallTurns ? kTick : kPatience);
    }
    rt.kill(body.pid());
    body.join();
    throw std::runtime_error("the body waits for something that never comes");
  }
};

}  // namespace weft::test
