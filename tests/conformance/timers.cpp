// SEMANTICS.md section 12, on a virtual clock.
#include <gmock/gmock.h>

#include <set>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::ElementsAre;

class Timers : public VirtualTimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Timers, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Timers, Tim1SendAfterDeliversTheMessageWhenDue) {
  run([&] {
    const TimePoint start = now();
    send_after(10ms, self(), Int{7});
    EXPECT_EQ(await<Int>().n, 7);
    EXPECT_GE(now() - start, 10ms);
  });
}

TEST_P(Timers, Tim1StartTimerDeliversATimeoutWithItsRef) {
  run([&] {
    const TimerRef other = start_timer(20ms, self(), Int{8});
    const TimerRef ref = start_timer(10ms, self(), Int{7});
    Timeout timeout = await<Timeout>();
    EXPECT_EQ(timeout.ref, ref);
    ASSERT_TRUE(timeout.message.is<Int>());
    EXPECT_EQ(timeout.message.take<Int>().n, 7);
    EXPECT_EQ(await<Timeout>().ref, other);
  });
}

TEST_P(Timers, Tim1EveryTimerHasItsOwnRef) {
  run([&] {
    std::set<TimerRef> refs;
    for (int i = 0; i < 1000; ++i) {
      const TimerRef ref = send_after(1s, self(), Int{i});
      EXPECT_TRUE(refs.insert(ref).second);
      if (i % 2 == 0) cancel_timer(ref);
    }
  });
}

TEST_P(Timers, Tim1ZeroDelayIsLegal) {
  run([&] {
    send_after(0ms, self(), Int{7});
    EXPECT_EQ(await<Int>().n, 7);
  });
}

TEST_P(Timers, Tim1ADeadlineMayBeAbsolute) {
  run([&] {
    const TimePoint due = now() + 10ms;
    send_after(due, self(), Int{7});
    start_timer(due, self(), Text{});
    await<Int>();
    EXPECT_GE(now(), due);
    await<Timeout>();
  });
}

TEST_P(Timers, Tim1AnAbsoluteDeadlineInThePastIsDueAtOnce) {
  run([&] {
    settle();
    send_after(now() - 1ms, self(), Int{7});
    EXPECT_EQ(await<Int>().n, 7);
  });
}

TEST_P(Timers, Tim2ATimerDiesWithItsDestination) {
  run([&] {
    const auto timers = rt.stats().active_timers;
    auto token = std::make_shared<int>();
    const Monitored target = spawn_monitor(receive_forever);
    const TimerRef ref = send_after(10ms, target.pid, Carrier{token});
    EXPECT_EQ(rt.stats().active_timers, timers + 1);
    kill(target.pid);
    await_down(target.ref);
    EXPECT_EQ(rt.stats().active_timers, timers);
    EXPECT_FALSE(read_timer(ref));
    EXPECT_EQ(token.use_count(), 1);
  });
}

TEST_P(Timers, Tim2ATimerOutlivesTheProcessThatStartedIt) {
  run([&] {
    const Pid test = self();
    const Monitored starter = spawn_monitor([test] { send_after(10ms, test, Int{7}); });
    await_down(starter.ref);
    EXPECT_EQ(await<Int>().n, 7);
  });
}

TEST_P(Timers, Tim2ATimerToADeadPidIsCancelledAtOnce) {
  run([&] {
    const Pid dead = dead_pid();
    const auto timers = rt.stats().active_timers;
    auto token = std::make_shared<int>();
    const TimerRef ref = send_after(10ms, dead, Carrier{token});
    EXPECT_FALSE(read_timer(ref));
    EXPECT_EQ(rt.stats().active_timers, timers);
    EXPECT_EQ(token.use_count(), 1);
  });
}

TEST_P(Timers, Tim2ANameIsResolvedAtExpiry) {
  run([&] {
    const Monitored first = spawn_monitor({.name = "clerk"}, receive_forever);
    send_after(10ms, "clerk", Int{7});
    kill(first.pid);
    await_down(first.ref);
    register_name("clerk");
    EXPECT_EQ(await<Int>().n, 7);
  });
}

TEST_P(Timers, Tim2ANameThatIsFreeAtExpiryDropsTheMessage) {
  run([&] {
    auto token = std::make_shared<int>();
    send_after(10ms, "nobody", Carrier{token});
    EXPECT_EQ(token.use_count(), 2);
    sleep_for(15ms);
    EXPECT_EQ(token.use_count(), 1);
  });
}

TEST_P(Timers, Tim3CancellingAPendingTimerGivesWhatWasLeft) {
  run([&] {
    const TimerRef ref = send_after(10ms, self(), Int{7});
    sleep_for(4ms);
    const std::optional<Duration> left = cancel_timer(ref);
    ASSERT_TRUE(left);
    EXPECT_GE(*left, 5ms);  // 6 ms, give or take the resolution.
    EXPECT_LE(*left, 7ms);
    sleep_for(20ms);
    EXPECT_TRUE(mailbox_is_empty());
    EXPECT_FALSE(cancel_timer(ref));
  });
}

TEST_P(Timers, Tim3CancellingReleasesTheMessage) {
  run([&] {
    auto token = std::make_shared<int>();
    cancel_timer(send_after(10ms, self(), Carrier{token}));
    EXPECT_EQ(token.use_count(), 1);
  });
}

TEST_P(Timers, Tim3AFiredTimerCannotBeCancelledAndItsMessageStays) {
  run([&] {
    const TimerRef ref = start_timer(10ms, self(), Int{7});
    sleep_for(15ms);
    EXPECT_FALSE(cancel_timer(ref));
    const std::optional<Timeout> flushed = poll<Timeout>();
    ASSERT_TRUE(flushed);
    EXPECT_EQ(flushed->ref, ref);
  });
}

TEST_P(Timers, Tim3CancelAndMessageExcludeEachOther) {
  run([&] {
    const Pid test = self();
    constexpr int kRounds = 100;
    for (int i = 0; i < kRounds; ++i) {
      const TimerRef ref = start_timer(2ms, self(), Int{i});
      spawn([test, ref] {
        sleep_for(2ms);
        send(test, Answer<bool>{cancel_timer(ref).has_value()});
      });
      const bool cancelled = await<Answer<bool>>().value;
      settle();
      EXPECT_NE(poll<Timeout>().has_value(), cancelled);
    }
  });
}

TEST_P(Timers, Tim3AnUnknownRefIsNothing) {
  run([&] {
    EXPECT_FALSE(cancel_timer(TimerRef{}));
    EXPECT_FALSE(read_timer(TimerRef{}));
  });
}

TEST_P(Timers, Tim4ReadingATimerGivesWhatIsLeft) {
  run([&] {
    const TimerRef ref = send_after(10ms, self(), Int{7});
    sleep_for(4ms);
    const std::optional<Duration> left = read_timer(ref);
    ASSERT_TRUE(left);
    EXPECT_GE(*left, 5ms);
    EXPECT_LE(*left, 7ms);
    EXPECT_EQ(await<Int>().n, 7);
    EXPECT_FALSE(read_timer(ref));
  });
}

TEST_P(Timers, Tim4AnyProcessMayReadAndCancel) {
  run([&] {
    const Pid other = spawn(puppet);
    const TimerRef ref = send_after(10ms, self(), Int{7});
    EXPECT_TRUE(ask(other, [ref] { return read_timer(ref).has_value(); }));
    EXPECT_TRUE(ask(other, [ref] { return cancel_timer(ref).has_value(); }));
    sleep_for(20ms);
    EXPECT_FALSE(poll<Int>());
  });
}

TEST_P(Timers, Tim5ATimerIsNeverEarly) {
  JoinHandle waiter = rt.start([] {
    send_after(10ms, self(), Int{7});
    receive<Int>();
  });
  rt.run_until_idle();
  rt.advance(10ms - 1us);
  rt.run_until_idle();
  EXPECT_TRUE(rt.is_alive(waiter.pid()));
  rt.advance(2ms);
  rt.run_until_idle();
  EXPECT_FALSE(rt.is_alive(waiter.pid()));
}

TEST_P(Timers, Tim5ASleepIsNeverShort) {
  run([&] {
    const TimePoint start = now();
    sleep_for(7ms);
    EXPECT_GE(now() - start, 7ms);
    sleep_until(start + 20ms);
    EXPECT_GE(now() - start, 20ms);
  });
}

TEST_P(Timers, Tim5TimersFireInTheOrderOfTheirExpiry) {
  run([&] {
    send_after(30ms, self(), Int{3});
    send_after(10ms, self(), Int{1});
    send_after(20ms, self(), Int{2});
    sleep_for(40ms);
    EXPECT_THAT(queued_ints(), ElementsAre(1, 2, 3));
  });
}

TEST_P(Timers, Tim5TimersFireInOrderWhenTheClockLeaps) {
  const auto heard = std::make_shared<std::vector<int>>();
  JoinHandle waiter = rt.start([heard] {
    send_after(30ms, self(), Int{3});
    send_after(10ms, self(), Int{1});
    send_after(20ms, self(), Int{2});
    for (int i = 0; i < 3; ++i) heard->push_back(receive<Int>().n);
  });
  rt.run_until_idle();
  rt.advance(1h);
  rt.run_until_idle();
  EXPECT_TRUE(waiter.join().is_normal());
  EXPECT_THAT(*heard, ElementsAre(1, 2, 3));
}

TEST_P(Timers, Tim6HugeDelaysWork) {
  for (const int exponent : {31, 32, 33}) {
    const Duration delay = std::chrono::milliseconds(std::int64_t{1} << exponent);
    JoinHandle waiter = rt.start([delay] {
      send_after(delay, self(), Int{7});
      receive<Int>();
    });
    rt.run_until_idle();
    rt.advance(delay - 1ms);
    rt.run_until_idle();
    EXPECT_TRUE(rt.is_alive(waiter.pid())) << "2^" << exponent << " ms";
    rt.advance(3ms);
    rt.run_until_idle();
    EXPECT_FALSE(rt.is_alive(waiter.pid())) << "2^" << exponent << " ms";
  }
}

TEST_P(Timers, Tim6ADelayBeyondTheClockMeansForever) {
  run([&] {
    const TimerRef ref = send_after(forever, self(), Int{7});
    sleep_for(1s);
    EXPECT_FALSE(poll<Int>());
    EXPECT_TRUE(cancel_timer(ref));
  });
}

TEST_P(Timers, Tim6ANegativeDelayIsRefused) {
  run([&] {
    const auto timers = rt.stats().active_timers;
    EXPECT_THROW(send_after(-1ns, self(), Int{}), BadArgument);
    EXPECT_THROW(start_timer(-1ns, self(), Int{}), BadArgument);
    EXPECT_THROW(send_every(-1ns, self(), Int{}), BadArgument);
    EXPECT_EQ(rt.stats().active_timers, timers);
  });
}

TEST_P(Timers, Tim7TensOfThousandsMayBeDueTogether) {
  run([&] {
    constexpr int kTimers = 20'000;
    const TimePoint due = now() + 10ms;
    for (int i = 0; i < kTimers; ++i) send_after(10ms, self(), Int{i});
    std::vector<bool> heard(kTimers, false);
    for (int i = 0; i < kTimers; ++i) heard[static_cast<std::size_t>(await<Int>().n)] = true;
    EXPECT_EQ(std::count(heard.begin(), heard.end(), true), kTimers);
    EXPECT_GE(now(), due);
  });
}

TEST_P(Timers, Tim7AProcessMayDieWithThousandsOfTimers) {
  run([&] {
    const auto timers = rt.stats().active_timers;
    const Monitored target = spawn_monitor([] {
      for (int i = 0; i < 20'000; ++i) send_after(1h, self(), Int{i});
    });
    EXPECT_TRUE(await_down(target.ref).reason.is_normal());
    EXPECT_EQ(rt.stats().active_timers, timers);
  });
}

TEST_P(Timers, Tim8AFullMailboxShedsATimersMessage) {
  run([&] {
    const Pid reader = spawn({.trap_exit = true, .limit = {.capacity = 1}}, read_ints_on_exit, self());
    const auto dropped = rt.stats().dropped;
    send(reader, Int{1});
    send_after(1ms, reader, Int{2});
    sleep_for(5ms);
    EXPECT_EQ(rt.stats().dropped, dropped + 1);
    EXPECT_THAT(ints_of(reader), ElementsAre(1));
  });
}

TEST_P(Timers, SendEveryRepeatsUntilItIsCancelled) {
  run([&] {
    const TimePoint start = now();
    const TimerRef ref = send_every(10ms, self(), Int{7});
    for (int tick = 1; tick <= 3; ++tick) {
      await<Int>();
      EXPECT_GE(now() - start, tick * 10ms);
    }
    EXPECT_TRUE(cancel_timer(ref));
    while (poll<Int>()) {
    }
    sleep_for(50ms);
    EXPECT_FALSE(poll<Int>());
  });
}

TEST_P(Timers, SendEveryDiesWithItsDestination) {
  run([&] {
    const auto timers = rt.stats().active_timers;
    const Pid target = spawn(receive_forever);
    send_every(1ms, target, Int{7});
    sleep_for(5ms);
    kill_and_wait(target);
    EXPECT_EQ(rt.stats().active_timers, timers);
  });
}

}  // namespace
}  // namespace weft::test
