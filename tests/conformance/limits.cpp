// What running out of something does: it fails that call or that process alone. And what a stack overflow says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mailbox/base/sanitizer.hpp"
#include "tests/conformance/probes.hpp"
#include "tests/conformance/puppet.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace weft::test {
namespace {

using namespace std::chrono_literals;

class Limits : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Limits, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Limits, WhereNoStackCanBeHadThatProcessAloneEndsWithAnError) {
  RuntimeOptions few = options;
  few.max_stacks = 200;
  rebuild(few);
  run([&] {
    std::vector<Pid> waiting;
    bool refused = false;
    for (int i = 0; i < 2'000 && !refused; ++i) {
      const Monitored child = spawn_monitor([test = self()] {
        send(test, Go{});
        receive_forever();
      });
      receive([&](Go) { waiting.push_back(child.pid); },
              [&](const Down& down) {
                refused = true;
                EXPECT_EQ(down.pid, child.pid);
                EXPECT_EQ(down.reason.type(), "weft::LimitExceeded");
                EXPECT_THAT(std::string(down.reason.what()), testing::HasSubstr("200"));
              });
    }
    EXPECT_TRUE(refused);
    EXPECT_GE(waiting.size(), 199u) << "this process has the first of the 200";
    EXPECT_LE(waiting.size(), 199u + 64u * options.workers) << "each worker may have as many in stock";
    for (const Pid pid : waiting) kill_and_wait(pid);
    const Monitored after = spawn_monitor([] {});  // There is room again.
    EXPECT_TRUE(await_down(after.ref).reason.is_normal());
  });
}

TEST_P(Limits, EveryGuardModeRunsProcesses) {
  for (const StackGuard guard : {StackGuard::automatic, StackGuard::mprotect, StackGuard::canary}) {
    RuntimeOptions guarded = options;
    guarded.stack_guard = guard;
    rebuild(guarded);
    run([&] {
      for (int i = 0; i < 100; ++i) {
        const Monitored child = spawn_monitor([] { yield(); });
        EXPECT_TRUE(await_down(child.ref).reason.is_normal());
      }
    });
  }
}

TEST_P(Limits, Cpp19ALargerStackIsGivenWhereItIsAskedFor) {
  run([&] {
    const Monitored deep = spawn_monitor({.stack_bytes = std::size_t{1} << 20}, [] {
      volatile char room[700 * 1024];
      room[0] = 1;
      room[sizeof room - 1] = 1;
      yield();
    });
    EXPECT_TRUE(await_down(deep.ref).reason.is_normal());
    EXPECT_THROW(spawn({.stack_bytes = std::size_t{1} << 40}, [] {}), BadArgument);
  });
}

TEST_P(Limits, TimersBeyondTheirLimitFailThatCallAlone) {
  RuntimeOptions few = options;
  few.max_timers = 10;
  rebuild(few);
  run([&] {
    std::vector<TimerRef> timers;
    for (int i = 0; i < 10; ++i) timers.push_back(send_after(1h, self(), Go{}));
    EXPECT_THROW(send_after(1h, self(), Go{}), LimitExceeded);
    EXPECT_TRUE(cancel_timer(timers.back()));
    timers.back() = send_after(1h, self(), Go{});
    for (const TimerRef& timer : timers) EXPECT_TRUE(cancel_timer(timer));
  });
}

TEST_P(Limits, ThatCannotBeAreRefusedWithTheirName) {
  const std::vector<std::pair<std::string, void (*)(RuntimeOptions&)>> changes{
      {"workers is 100000", [](RuntimeOptions& o) { o.workers = 100'000; }},
      {"max_processes is 0", [](RuntimeOptions& o) { o.max_processes = 0; }},
      {"max_stacks is 0", [](RuntimeOptions& o) { o.max_stacks = 0; }},
      {"max_timers is 0", [](RuntimeOptions& o) { o.max_timers = 0; }},
      {"stack_bytes is 1099511627776", [](RuntimeOptions& o) { o.stack_bytes = std::size_t{1} << 40; }},
      {"mailbox of capacity 0", [](RuntimeOptions& o) { o.mailbox.capacity = 0; }},
      {"blocking_threads is 0", [](RuntimeOptions& o) { o.blocking_threads = 0; }},
      {"watchdog", [](RuntimeOptions& o) { o.watchdog = -1s; }},
      {"census_interval", [](RuntimeOptions& o) { o.census_interval = 0s; }},
      {"stack_signal is -1", [](RuntimeOptions& o) { o.stack_signal = -1; }},
  };
  for (const auto& [name, change] : changes) {
    RuntimeOptions wrong;
    change(wrong);
    EXPECT_THAT(text_of<BadArgument>([&] { const Runtime refused(wrong); }), testing::HasSubstr(name));
  }
}

[[gnu::noinline]] int descend(int depth) {
  volatile char frame[1024];
  frame[0] = static_cast<char>(depth);
  return depth > 1'000'000 ? 0 : descend(depth + 1) + frame[0];
}

TEST(LimitsDeathTest, Cpp19AStackOverflowEndsTheProgramWithAMessageThatNamesTheProcess) {
  if (base::kSanitizedMemory) GTEST_SKIP() << "the sanitizers have a SIGSEGV handler of their own to speak first";
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(
      {
        RuntimeOptions options;
        options.workers = 1;
        options.overflow_handler = true;
        Runtime rt(options);
        rt.run({.label = "deep diver"}, [] { (void)descend(0); });
      },
      "stack overflow in process <0\\.[0-9]+\\.[0-9]+> \\(deep diver\\): its stack has 65536 bytes");
}

}  // namespace
}  // namespace weft::test
