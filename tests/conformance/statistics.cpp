// What is counted, and what is told of messages that reach nobody. SEMANTICS.md section 17.
#include <gmock/gmock.h>

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::ElementsAre;

/// A dead letter that was kept.
struct Letter {
  DeadLetterReason reason;
  Pid to;
  std::string name, type_name;
  friend bool operator==(const Letter&, const Letter&) = default;
};

void PrintTo(const Letter& letter, std::ostream* out) {
  *out << static_cast<int>(letter.reason) << " to " << letter.to.to_string() << " '" << letter.name << "': " << letter.type_name;
}

class Statistics : public VirtualTimeTest {
 protected:
  Statistics() {
    options.dead_letters = [this](const DeadLetter& letter) {
      const std::lock_guard hold(mutex_);
      letters_.push_back({letter.reason, letter.to, std::string(letter.name), std::string(letter.type_name)});
    };
  }

  std::vector<Letter> letters() {
    const std::lock_guard hold(mutex_);
    return letters_;
  }

 private:
  std::mutex mutex_;
  std::vector<Letter> letters_;  // Under mutex_.
};
INSTANTIATE_TEST_SUITE_P(Workers, Statistics, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Statistics, ADeadLetterSaysToWhomItWasSentAndThatNobodyIsThere) {
  run([&] {
    const Pid dead = dead_pid();
    send(dead, Text{"late"});
    send("nobody", Int{7});
    EXPECT_THAT(letters(), ElementsAre(Letter{DeadLetterReason::no_process, dead, "", "weft::test::Text"},
                                       Letter{DeadLetterReason::no_process, Pid{}, "nobody", "weft::test::Int"}));
  });
}

TEST_P(Statistics, ADeadLetterSaysThatAFullMailboxShedIt) {
  run([&] {
    const Pid full = spawn({.name = "full", .limit = {.capacity = 1}}, [] { receive<Never>(); });
    for (int n = 0; n < 2; ++n) send(full, Int{n});
    send("full", Text{"too much"});
    EXPECT_THAT(letters(), ElementsAre(Letter{DeadLetterReason::shed, full, "", "weft::test::Int"},
                                       Letter{DeadLetterReason::shed, full, "full", "weft::test::Text"}));
    EXPECT_EQ(rt.info(full).value().shed, 2u);
  });
}

TEST_P(Statistics, ADeadLetterSaysThatItsAliasWasOff) {
  run([&] {
    const Alias alias = make_alias(AliasMode::explicit_unalias);
    unalias(alias);
    send(spawn(puppet), Job{[alias] { send(alias, Text{"late"}); }});
    settle();
    EXPECT_TRUE(mailbox_is_empty());
    EXPECT_THAT(letters(), ElementsAre(Letter{DeadLetterReason::alias_off, self(), "", "weft::test::Text"}));
  });
}

TEST_P(Statistics, Inf8EachCounterCountsItsOwn) {
  run([&] {
    trap_exit(true);
    const Pid dead = dead_pid();
    const Pid full = spawn({.limit = {.capacity = 1}}, [] { receive<Never>(); });
    const Pid taker = spawn(receive_forever);
    settle();
    const Stats before = rt.stats();
    for (int n = 0; n < 5; ++n) send(taker, Int{n});
    for (int n = 0; n < 3; ++n) send(full, Int{n});  // One is taken.
    for (int n = 0; n < 4; ++n) send(dead, Int{n});
    register_name("clerk");
    monitor(taker);
    link(taker);
    exit(taker, ExitReason::shutdown);
    await<Exit>();
    await<Down>();
    settle();
    const Stats after = rt.stats();
    EXPECT_EQ(after.messages_sent - before.messages_sent, 6u);
    EXPECT_EQ(after.shed - before.shed, 2u);
    EXPECT_EQ(after.dropped - before.dropped, 2u);
    EXPECT_EQ(after.dead_letters - before.dead_letters, 2u + 4u);
    EXPECT_EQ(after.exit_signals_sent - before.exit_signals_sent, 2u) << "one by exit(), one by the link";
    EXPECT_EQ(after.downs_sent - before.downs_sent, 1u);
    EXPECT_EQ(after.registered_names - before.registered_names, 1u);
    EXPECT_EQ(after.finished - before.finished, 1u);
    EXPECT_EQ(after.live, before.live - 1);
    EXPECT_EQ(after.workers, GetParam());
  });
}

TEST_P(Statistics, Inf8UptimeCountsFromTheConstructorOfTheRuntime) {
  const auto before = std::chrono::steady_clock::now();
  Runtime young(options);
  const Duration first = young.stats().uptime;
  EXPECT_GE(young.stats().uptime, first);
  EXPECT_GE(first, Duration::zero());
  EXPECT_LE(first, std::chrono::steady_clock::now() - before);
}

TEST_P(Statistics, Inf1ReductionsGrowWithTheCallsOfAProcess) {
  run([&] {
    EXPECT_LT(rt.info(self()).value().reductions, 2'000u);
    for (int i = 0; i < 10'000; ++i) checkpoint();
    const std::uint64_t counted = rt.info(self()).value().reductions;
    EXPECT_GE(counted, 8'000u);
    EXPECT_LE(counted, 12'000u);
  });
}

TEST_P(Statistics, Tim4TheAsynchronousFormsAnswerWithAMessage) {
  run([&] {
    const TimerRef ref = send_after(100ms, self(), Go{});
    read_timer_async(ref);
    const TimerRead read = await<TimerRead>();
    EXPECT_EQ(read.ref, ref);
    EXPECT_EQ(read.left, 100ms) << "time stands still while somebody runs";
    cancel_timer_async(ref);
    const TimerCancelled cancelled = await<TimerCancelled>();
    EXPECT_EQ(cancelled.ref, ref);
    EXPECT_TRUE(cancelled.left);
    cancel_timer_async(ref);
    EXPECT_FALSE(await<TimerCancelled>().left);
    read_timer_async(ref);
    EXPECT_FALSE(await<TimerRead>().left);
    sleep_for(200ms);
    EXPECT_TRUE(mailbox_is_empty());
  });
}

}  // namespace
}  // namespace weft::test
