// SEMANTICS.md section 19, and the errors that API.md documents: each text names the pid, name or limit.
#include <gmock/gmock.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

using ::testing::HasSubstr;

class Errors : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, Errors, worker_counts(), ::testing::PrintToStringParamName());

template <class E>
inline constexpr bool is_documented = std::is_base_of_v<Error, E>&& std::is_base_of_v<std::runtime_error, E>;
static_assert(is_documented<NotInProcess> && is_documented<NameTaken> && is_documented<NoSuchProcess> && is_documented<TimedOut> &&
              is_documented<NoMailbox> && is_documented<ProcessExiting> && is_documented<LimitExceeded> && is_documented<BadArgument> &&
              is_documented<CallFailed> && is_documented<ProcessExited>);
static_assert(!std::is_base_of_v<std::exception, ExitException>, "a handler for std::exception must not swallow exit(R)");

/// Takes calls and answers none.
void never_reply() { receive_forever(); }

TEST_P(Errors, Err1OutsideAProcessThereIsNoSelf) {
  EXPECT_FALSE(self());
  EXPECT_EQ(Runtime::of_self(), nullptr);
}

TEST_P(Errors, Err1InAProcessSelfAndRuntimeAreKnown) {
  run([&] {
    EXPECT_TRUE(self());
    EXPECT_EQ(Runtime::of_self(), &rt);
  });
}

TEST_P(Errors, Err1ReceivingOutsideAProcessIsRefused) {
  EXPECT_THROW(receive<Int>(), NotInProcess);
  EXPECT_THROW(receive_for<Int>(0ms), NotInProcess);
  EXPECT_THROW(receive_any(), NotInProcess);
  EXPECT_THROW(receive_any_for(0ms), NotInProcess);
  EXPECT_THROW(receive([](Int) {}), NotInProcess);
}

TEST_P(Errors, Err1RelationsOutsideAProcessAreRefused) {
  const Pid other = rt.spawn(receive_forever);
  EXPECT_THROW(link(other), NotInProcess);
  EXPECT_THROW(unlink(other), NotInProcess);
  EXPECT_THROW(monitor(other), NotInProcess);
  EXPECT_THROW(monitor("nobody"), NotInProcess);
  EXPECT_THROW(demonitor(MonitorRef{}), NotInProcess);
  EXPECT_TRUE(rt.is_alive(other));
}

TEST_P(Errors, Err1FlagsOutsideAProcessAreRefused) {
  EXPECT_THROW(trap_exit(true), NotInProcess);
  EXPECT_THROW(set_priority(Priority::high), NotInProcess);
  EXPECT_THROW(set_label("nobody"), NotInProcess);
}

TEST_P(Errors, Err1EachCallThatNeedsAProcessSaysWhichItIs) {
  const Pid other = rt.spawn(receive_forever);
  const std::vector<std::pair<std::string, std::function<void()>>> calls = {
      {"spawn", [] { spawn(receive_forever); }},
      {"spawn", [] { spawn({.label = "child"}, receive_forever); }},
      {"spawn", [] { spawn_link(receive_forever); }},
      {"spawn", [] { spawn_monitor(receive_forever); }},
      {"whereis_or_spawn", [] { whereis_or_spawn("clerk", receive_forever); }},
      {"send", [other] { send(other, Int{7}); }},
      {"send", [] { send("clerk", Int{7}); }},
      {"send_wait", [other] { send_wait(other, Int{7}); }},
      {"broadcast", [] { broadcast("office", Int{7}); }},
      {"call", [other] { call<Int>(other, Int{7}); }},
      {"exit", [other] { exit(other, ExitReason::shutdown); }},
      {"exit", [] { exit(ExitReason::shutdown); }},
      {"kill", [other] { kill(other); }},
      {"register_name", [other] { register_name("clerk", other); }},
      {"unregister", [] { unregister("clerk"); }},
      {"whereis", [] { (void)whereis("clerk"); }},
      {"registered", [] { (void)registered(); }},
      {"join", [other] { join("office", other); }},
      {"leave", [other] { leave("office", other); }},
      {"members", [] { (void)members("office"); }},
      {"groups", [] { (void)groups(); }},
      {"kill_group", [] { kill_group("office"); }},
      {"send_after", [other] { send_after(1ms, other, Int{7}); }},
      {"cancel_timer", [] { cancel_timer(TimerRef{}); }},
      {"read_timer", [] { (void)read_timer(TimerRef{}); }},
      {"is_alive", [other] { (void)is_alive(other); }},
      {"info", [other] { (void)info(other); }},
      {"list", [] { (void)list(); }},
      {"stats", [] { (void)stats(); }},
      {"make_ref", [] { (void)make_ref(); }},
      {"make_alias", [] { (void)make_alias(AliasMode::reply); }},
      {"stream", [] { (void)stream(); }},
      {"yield", [] { yield(); }},
      {"checkpoint", [] { checkpoint(); }},
      {"sleep_for", [] { sleep_for(1ms); }},
      {"sleep_until", [] { sleep_until(now()); }},
      {"hibernate", [] { hibernate([] {}); }},
      {"blocking", [] { blocking([] {}); }},
  };
  for (const auto& [name, call_it] : calls) EXPECT_THAT(text_of<NotInProcess>(call_it), HasSubstr(name));
  EXPECT_TRUE(rt.is_alive(other));
  EXPECT_EQ(rt.stats().spawned, 1u);
}

TEST_P(Errors, Err2NoMailboxNamesThePid) {
  run([&] {
    const Pid child = spawn({.mailbox = false}, [test = self()] { send(test, Text{text_of<NoMailbox>([] { receive<Int>(); })}); });
    EXPECT_THAT(await<Text>().text, HasSubstr(child.to_string()));
  });
}

TEST_P(Errors, Err2ProcessExitingNamesThePid) {
  run([&] {
    const Pid child = spawn([test = self()] {
      const AtEnd report{[test] { send(test, Text{text_of<ProcessExiting>([] { receive<Int>(); })}); }};
      send(test, Go{});
      receive_forever();
    });
    await<Go>();
    kill(child);
    EXPECT_THAT(await<Text>().text, HasSubstr(child.to_string()));
  });
}

TEST_P(Errors, Err2ANegativeDurationIsABadArgumentAndTakesNothing) {
  run([&] {
    send(self(), Int{7});
    EXPECT_THROW(receive_for<Int>(-1ns), BadArgument);
    EXPECT_THROW(receive_any_for(-1ns), BadArgument);
    EXPECT_THROW(receive([](Int) {}, after(-1ns, [] {})), BadArgument);
    EXPECT_THROW(sleep_for(-1ns), BadArgument);
    EXPECT_THROW(call<Int>(spawn(never_reply), Int{}, -1ns), BadArgument);
    EXPECT_EQ(poll<Int>().value().n, 7);
  });
}

TEST_P(Errors, Err2AnEmptyNameIsABadArgument) {
  run([&] { EXPECT_THROW(register_name(""), BadArgument); });
}

TEST_P(Errors, Err3NameTakenNamesTheName) {
  run([&] {
    register_name("clerk");
    EXPECT_THAT(text_of<NameTaken>([] { register_name("clerk", spawn(receive_forever)); }), HasSubstr("clerk"));
    EXPECT_THAT(text_of<NameTaken>([] { spawn({.name = "clerk"}, receive_forever); }), HasSubstr("clerk"));
  });
}

TEST_P(Errors, Err3NoSuchProcessNamesThePid) {
  run([&] {
    const Pid dead = dead_pid();
    EXPECT_THAT(text_of<NoSuchProcess>([=] { register_name("ghost", dead); }), HasSubstr(dead.to_string()));
    EXPECT_THAT(text_of<NoSuchProcess>([=] { link(dead); }), HasSubstr(dead.to_string()));
  });
}

TEST_P(Errors, Err3ATimedOutCallNamesWhomItCalled) {
  run([&] {
    const Pid silent = spawn({.name = "silent"}, never_reply);
    EXPECT_THAT(text_of<TimedOut>([=] { call<Int>(silent, Int{}, 1ms); }), HasSubstr(silent.to_string()));
    EXPECT_THAT(text_of<TimedOut>([=] { call<Int>("silent", Int{}, 1ms); }), HasSubstr("silent"));
  });
}

TEST_P(Errors, Err3APlainThreadsCallTimesOutToo) {
  const Pid silent = rt.spawn(never_reply);
  EXPECT_THAT(text_of<TimedOut>([&] { rt.call<Int>(silent, Int{}, 1ms); }), HasSubstr(silent.to_string()));
}

TEST_P(Errors, Err3CallFailedCarriesTheReasonAndNamesWhomItCalled) {
  run([&] {
    const Pid dead = dead_pid();
    const auto reason_of = [](const auto& to) {
      try {
        call<Int>(to, Int{});
      } catch (const CallFailed& error) {
        return error.reason();
      }
      return ExitReason::normal;
    };
    EXPECT_EQ(reason_of(dead), ExitReason::noproc);
    EXPECT_EQ(reason_of("nobody"), ExitReason::noproc);
    EXPECT_EQ(reason_of(spawn([] {
                receive_any();
                exit(ExitReason::shutdown);
              })),
              ExitReason::shutdown);
    EXPECT_THAT(text_of<CallFailed>([=] { call<Int>(dead, Int{}); }), HasSubstr(dead.to_string()));
    EXPECT_THAT(text_of<CallFailed>([] { call<Int>("nobody", Int{}); }), HasSubstr("nobody"));
  });
}

TEST_P(Errors, Err3ACallToOneselfFailsAtOnce) {
  run([&] {
    register_name("me");
    EXPECT_THROW(call<Int>(self(), Int{}, forever), CallFailed);
    EXPECT_THROW(call<Int>("me", Int{}, forever), CallFailed);
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(Errors, LimitExceededNamesTheLimitAndFailsThatSpawnAlone) {
  RuntimeOptions few = options;
  few.max_processes = 37;
  rebuild(few);
  run([&] {
    std::vector<Pid> living;
    std::string text;
    while (text.empty() && living.size() < 38) {
      try {
        living.push_back(spawn(puppet));
      } catch (const LimitExceeded& error) {
        text = error.what();
      }
    }
    EXPECT_THAT(text, HasSubstr("37"));
    ASSERT_EQ(living.size(), 36u);  // And this process.
    EXPECT_EQ(ask(living.front(), [] { return 7; }), 7);
    EXPECT_EQ(rt.stats().live, 37u);
    kill_and_wait(living.front());
    while (throws<LimitExceeded>([] { spawn(receive_forever); })) yield();  // The slot is free at the latest when its memory is.
  });
}

TEST_P(Errors, LimitExceededForANameThatIsTooLongNamesTheLimitAndFailsThatCallAlone) {
  run([&] {
    const std::string longest(kMaxNameBytes, 'x');
    const std::string longer = longest + 'x';
    const auto spawned = rt.stats().spawned;
    EXPECT_THAT(text_of<LimitExceeded>([&] { register_name(longer); }), HasSubstr(std::to_string(kMaxNameBytes)));
    EXPECT_THROW(join(longer), LimitExceeded);
    EXPECT_THROW(spawn({.name = longer}, receive_forever), LimitExceeded);
    EXPECT_THROW(spawn({.groups = {longest, longer}}, receive_forever), LimitExceeded);
    EXPECT_THROW(whereis_or_spawn(longer, receive_forever), LimitExceeded);
    EXPECT_EQ(rt.stats().spawned, spawned);
    EXPECT_TRUE(members(longest).empty());
    EXPECT_EQ(send(longer, Int{7}), SendResult::no_process);
    EXPECT_FALSE(whereis(longer));
    register_name(longest);
    EXPECT_EQ(whereis(longest), self());
    EXPECT_TRUE(join(longest));
  });
}

TEST_P(Errors, Inf7AHandleThatWasMovedFromWaitsForNobody) {
  JoinHandle handle = rt.start([] {});
  JoinHandle other = std::move(handle);
  EXPECT_FALSE(handle.pid());
  EXPECT_THROW(handle.join(), BadArgument);
  EXPECT_THROW(handle.join_for(0ms), BadArgument);
  run([&] { EXPECT_THROW(handle.join(), BadArgument); });
  EXPECT_TRUE(other.join().is_normal());
}

TEST_P(Errors, Err5AnUncaughtErrorEndsTheProcessWithItsText) {
  run([&] {
    const Monitored child = spawn_monitor([] { register_name(""); });
    const ExitReason reason = await_down(child.ref).reason;
    EXPECT_EQ(reason.kind(), Atom("error"));
    EXPECT_FALSE(reason.what().empty());
  });
}

TEST_P(Errors, Err5AnErrorIsCaughtLikeAnyException) {
  run([&] {
    EXPECT_THROW(register_name(""), Error);
    EXPECT_THROW(register_name(""), std::runtime_error);
    EXPECT_EQ(ask(spawn(puppet), [] { return 7; }), 7);
  });
}

}  // namespace
}  // namespace weft::test
