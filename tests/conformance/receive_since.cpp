// SEMANTICS RCV-11: receive_since() and make_ref().

#include <stdexcept>

#include "tests/conformance/puppet.hpp"

namespace weft::test {
namespace {

using ReceiveSince = RuntimeTest;
INSTANTIATE_TEST_SUITE_P(Workers, ReceiveSince, worker_counts(), ::testing::PrintToStringParamName());

constexpr int kBacklog = 1'000;

struct Reply {
  Ref ref;
  int n;
};

void fill_mailbox() {
  for (int n = 0; n < kBacklog; ++n) send(self(), Int{n});
}

void expect_whole_backlog() {
  for (int n = 0; n < kBacklog; ++n) ASSERT_EQ(receive_any().take<Int>().n, n);
  EXPECT_TRUE(mailbox_is_empty());
}

/// Refuses every backlog message it is shown, and counts them.
auto counting(int& looks) {
  return when(
      [&looks](const Int&) {
        ++looks;
        return false;
      },
      [](Int) { return -1; });
}

auto reply_to(Ref ref) {
  return when([ref](const Reply& reply) { return reply.ref == ref; }, [](Reply reply) { return reply.n; });
}

/// Has `server` send a Reply that carries `ref`.
void request_reply(Pid server, Ref ref, int n) {
  tell(server, [client = self(), ref, n] { send(client, Reply{ref, n}); });
}

TEST_P(ReceiveSince, Rcv11RefsAreUnique) {
  run([&] {
    const Ref first = make_ref();
    const Ref second = make_ref();
    EXPECT_NE(first, second);
    EXPECT_EQ(first, Ref{first});
  });
}

TEST_P(ReceiveSince, Rcv11WhatIsOlderThanTheRefIsNotLookedAt) {
  run([&] {
    const Pid server = spawn(puppet);
    fill_mailbox();
    int looks = 0;
    for (int n = 0; n < 20; ++n) {
      const Ref ref = make_ref();
      request_reply(server, ref, n);
      EXPECT_EQ(receive_since(ref, reply_to(ref), counting(looks)), n);
    }
    EXPECT_EQ(looks, 0);
    expect_whole_backlog();
  });
}

TEST_P(ReceiveSince, Rcv11AZeroTimeoutDoesNotLookEither) {
  run([&] {
    fill_mailbox();
    const Ref ref = make_ref();
    int looks = 0;
    EXPECT_EQ(receive_since(ref, reply_to(ref), counting(looks), after(Duration::zero(), [] { return 7; })), 7);
    EXPECT_EQ(looks, 0);
    expect_whole_backlog();
  });
}

TEST_P(ReceiveSince, Rcv11ManyRefsMayBeOutstandingAndNested) {
  constexpr int kOutstanding = 20;
  run([&] {
    const Pid server = spawn(puppet);
    fill_mailbox();
    std::vector<Ref> refs;
    for (int n = 0; n < kOutstanding; ++n) refs.push_back(make_ref());
    for (int n = 0; n < kOutstanding; ++n) request_reply(server, refs[n], n);
    int looks = 0;
    for (int n = kOutstanding - 1; n >= 0; --n) EXPECT_EQ(receive_since(refs[n], reply_to(refs[n]), counting(looks)), n);
    EXPECT_EQ(looks, 0);
    expect_whole_backlog();
  });
}

TEST_P(ReceiveSince, Rcv11TheRefSurvivesAnExceptionAndAnOrdinaryReceive) {
  run([&] {
    const Pid server = spawn(puppet);
    fill_mailbox();
    const Ref ref = make_ref();
    request_reply(server, ref, 7);
    const auto throws = when([](const Reply&) -> bool { throw std::logic_error("no"); }, [](Reply) { return -1; });
    EXPECT_THROW(receive_since(ref, throws), std::logic_error);
    EXPECT_EQ(receive<Int>().n, 0);
    int looks = 0;
    EXPECT_EQ(receive_since(ref, reply_to(ref), counting(looks)), 7);
    EXPECT_EQ(looks, 0);
    for (int n = 1; n < kBacklog; ++n) ASSERT_EQ(receive_any().take<Int>().n, n);
  });
}

TEST_P(ReceiveSince, Rcv11TheRefSurvivesTheEndOfWhatWasOlder) {
  run([&] {
    const Pid server = spawn(puppet);
    fill_mailbox();
    const Ref ref = make_ref();
    expect_whole_backlog();
    request_reply(server, ref, 7);
    EXPECT_EQ(receive_since(ref, reply_to(ref)), 7);
  });
}

TEST_P(ReceiveSince, Rcv11YoungerMessagesAreFoundInTheirOrder) {
  run([&] {
    send(self(), Int{1});
    const Ref ref = make_ref();
    send(self(), Int{2});
    send(self(), Int{3});
    EXPECT_EQ(receive_since(ref, [](Int message) { return message.n; }), 2);
    EXPECT_EQ(receive_any().take<Int>().n, 1);
    EXPECT_EQ(receive_any().take<Int>().n, 3);
  });
}

}  // namespace
}  // namespace weft::test
