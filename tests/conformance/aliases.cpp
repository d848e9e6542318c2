// SEMANTICS section 9; requests have their own file.

#include "tests/conformance/puppet.hpp"

namespace weft::test {
namespace {

using Aliases = RuntimeTest;
using AliasesInVirtualTime = VirtualTimeTest;
INSTANTIATE_TEST_SUITE_P(Workers, Aliases, worker_counts(), ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Workers, AliasesInVirtualTime, worker_counts(), ::testing::PrintToStringParamName());

/// Has another process send through `alias`, and waits until it has.
void have_sent(Pid sender, Alias alias, int n) {
  ask(sender, [=] { send(alias, Int{n}); });
}

void expect_numbers(std::vector<int> numbers) {
  for (const int n : numbers) {
    const auto message = poll<Int>();
    ASSERT_TRUE(message);
    EXPECT_EQ(message->n, n);
  }
  EXPECT_TRUE(mailbox_is_empty());
}

TEST_P(Aliases, Ali1AnActiveAliasReachesItsOwnerAndAnInactiveOneNobody) {
  run([&] {
    const Pid sender = spawn(puppet);
    const Alias alias = make_alias(AliasMode::explicit_unalias);
    EXPECT_NE(alias, make_alias(AliasMode::explicit_unalias));
    have_sent(sender, alias, 1);
    EXPECT_TRUE(unalias(alias));
    have_sent(sender, alias, 2);
    expect_numbers({1});  // Queued while the alias was active.
  });
}

TEST_P(Aliases, Ali1AnAliasEndsWithItsOwner) {
  run([&] {
    const Pid owner = spawn(puppet);
    const Alias alias = ask(owner, [] { return make_alias(AliasMode::explicit_unalias); });
    kill_and_wait(owner);
    std::vector<Pid> successors;
    for (int i = 0; i < 100; ++i) successors.push_back(spawn(puppet));
    EXPECT_NO_THROW(send(alias, Int{1}));
    for (const Pid successor : successors) EXPECT_TRUE(ask(successor, mailbox_is_empty));
  });
}

TEST_P(Aliases, Ali2ExplicitUnaliasStaysUntilUnalias) {
  run([&] {
    const Pid sender = spawn(puppet);
    const Alias alias = make_alias(AliasMode::explicit_unalias);
    for (int n = 1; n <= 3; ++n) have_sent(sender, alias, n);
    expect_numbers({1, 2, 3});
    EXPECT_TRUE(unalias(alias));
    EXPECT_FALSE(unalias(alias));
  });
}

TEST_P(Aliases, Ali2ReplyTakesOneMessage) {
  run([&] {
    const Pid sender = spawn(puppet);
    const Alias alias = make_alias(AliasMode::reply);
    have_sent(sender, alias, 1);
    have_sent(sender, alias, 2);
    expect_numbers({1});
    EXPECT_FALSE(unalias(alias));
  });
}

TEST_P(AliasesInVirtualTime, Ali2ReplyTakesOneOfManyRacingMessages) {
  run([&] {
    for (int round = 0; round < 100; ++round) {
      const Alias alias = make_alias(AliasMode::reply);
      for (int i = 0; i < 8; ++i) spawn([alias, i] { send(alias, Int{i}); });
      settle();
      EXPECT_TRUE(poll<Int>());
      EXPECT_TRUE(mailbox_is_empty());
    }
  });
}

TEST_P(Aliases, Ali2AnExplicitMonitorAliasOutlivesDown) {
  run([&] {
    const Pid sender = spawn(puppet);
    const Pid target = spawn(receive_forever);
    const MonitorRef ref = monitor(target, {.alias = AliasMode::explicit_unalias});
    have_sent(sender, ref.alias(), 1);
    kill(target);
    await_down(ref);
    have_sent(sender, ref.alias(), 2);
    expect_numbers({1, 2});
    EXPECT_TRUE(unalias(ref.alias()));
    have_sent(sender, ref.alias(), 3);
    expect_numbers({});
  });
}

TEST_P(Aliases, Ali2ADemonitorAliasEndsWithDemonitor) {
  run([&] {
    const Pid sender = spawn(puppet);
    const MonitorRef ref = monitor(spawn(receive_forever), {.alias = AliasMode::demonitor});
    have_sent(sender, ref.alias(), 1);
    have_sent(sender, ref.alias(), 2);
    demonitor(ref);
    have_sent(sender, ref.alias(), 3);
    expect_numbers({1, 2});
  });
}

TEST_P(Aliases, Ali2ADemonitorAliasEndsWithDown) {
  run([&] {
    const Pid sender = spawn(puppet);
    const Pid target = spawn(receive_forever);
    const MonitorRef ref = monitor(target, {.alias = AliasMode::demonitor});
    kill(target);
    await_down(ref);
    have_sent(sender, ref.alias(), 1);
    expect_numbers({});
  });
}

TEST_P(AliasesInVirtualTime, Ali2TheFirstReplyEndsAReplyDemonitorAliasAndItsMonitor) {
  run([&] {
    const Pid sender = spawn(puppet);
    const Pid target = spawn(receive_forever);
    const MonitorRef ref = monitor(target, {.alias = AliasMode::reply_demonitor});
    have_sent(sender, ref.alias(), 1);
    have_sent(sender, ref.alias(), 2);
    settle();
    EXPECT_TRUE(rt.info(target)->monitored_by.empty());
    kill(target);
    settle();
    expect_numbers({1});
  });
}

TEST_P(Aliases, Ali3OnlyTheOwnerEndsAnAlias) {
  run([&] {
    const Pid stranger = spawn(puppet);
    const Alias alias = make_alias(AliasMode::explicit_unalias);
    EXPECT_FALSE(ask(stranger, [alias] { return unalias(alias); }));
    have_sent(stranger, alias, 1);
    expect_numbers({1});
  });
}

TEST_P(Aliases, Ali4DemonitorEndsAReplyDemonitorAlias) {
  run([&] {
    const Pid sender = spawn(puppet);
    const MonitorRef ref = monitor(spawn(receive_forever), {.alias = AliasMode::reply_demonitor});
    demonitor(ref);
    have_sent(sender, ref.alias(), 1);
    expect_numbers({});
  });
}

TEST_P(AliasesInVirtualTime, Ali4NothingLeaksWhenDemonitorRacesWithReplyAndEnd) {
  run([&] {
    for (int round = 0; round < 200; ++round) {
      const Pid target = spawn([] {
        const Alias answer_to = receive<Alias>();
        send(answer_to, Int{1});
      });
      const MonitorRef ref = monitor(target, {.alias = AliasMode::reply_demonitor});
      send(target, ref.alias());
      for (int i = 0; i < round % 4; ++i) yield();
      demonitor(ref, {.flush = true});
      poll<Int>();  // Queued before demonitor, or not at all.
      settle();
      EXPECT_TRUE(mailbox_is_empty());
    }
  });
}

TEST_P(AliasesInVirtualTime, Ali5ALateReplyVanishes) {
  run([&] {
    const Pid server = spawn([] {
      const auto request = receive<Call<Int>>();
      receive<Go>();
      reply(request.from, Int{2});
      receive_forever();
    });
    EXPECT_THROW((call<Int>(server, Int{1}, 5ms)), TimedOut);
    send(server, Go{});
    settle();
    EXPECT_TRUE(mailbox_is_empty());
    EXPECT_TRUE(rt.info(server)->monitored_by.empty());
    kill(server);
    settle();
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(Aliases, Ali5ASecondReplyVanishes) {
  run([&] {
    const Pid server = spawn([] {
      for (;;) {
        const auto request = receive<Call<Int>>();
        reply(request.from, Int{request.request.n});
        reply(request.from, Int{-1});
      }
    });
    for (int n = 0; n < 100; ++n) EXPECT_EQ((call<Int>(server, Int{n}).n), n);
    EXPECT_TRUE(mailbox_is_empty());
  });
}

}  // namespace
}  // namespace weft::test
