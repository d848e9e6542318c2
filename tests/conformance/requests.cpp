// SEMANTICS ALI-5 and RCV-11 for request() and Pending.

#include "tests/conformance/puppet.hpp"

namespace weft::test {
namespace {

using Requests = RuntimeTest;
using RequestsInVirtualTime = VirtualTimeTest;
INSTANTIATE_TEST_SUITE_P(Workers, Requests, worker_counts(), ::testing::PrintToStringParamName());
INSTANTIATE_TEST_SUITE_P(Workers, RequestsInVirtualTime, worker_counts(), ::testing::PrintToStringParamName());

void double_numbers() {
  for (;;) receive([](Call<Int> request) { reply(request.from, Int{2 * request.request.n}); });
}

TEST_P(Requests, Ali5RepliesFindTheirRequestsInAnyOrder) {
  run([&] {
    const Pid server = spawn(double_numbers);
    std::vector<Pending<Int>> pending;
    for (int n = 0; n < 20; ++n) pending.push_back(request<Int>(server, Int{n}));
    for (int n = 19; n >= 0; --n) EXPECT_EQ(pending[n].wait(kPatience).n, 2 * n);
    EXPECT_TRUE(mailbox_is_empty());
  });
}

TEST_P(RequestsInVirtualTime, Ali5AnAbandonedRequestLeavesNothingBehind) {
  run([&] {
    const Pid server = spawn([] {
      const auto request = receive<Call<Int>>();
      receive<Go>();
      reply(request.from, Int{2});
      receive_forever();
    });
    auto pending = request<Int>(server, Int{1});
    pending.abandon();
    send(server, Go{});
    settle();
    EXPECT_TRUE(mailbox_is_empty());
    EXPECT_TRUE(rt.info(server)->monitored_by.empty());
  });
}

TEST_P(RequestsInVirtualTime, Ali5ADeadServerFailsTheRequestAndLeavesNoDown) {
  run([&] {
    const Pid server = spawn([] {
      receive<Call<Int>>();
      exit(ExitReason::of(5));
    });
    auto pending = request<Int>(server, Int{1});
    try {
      pending.wait(kPatience);
      ADD_FAILURE() << "there was nobody to answer";
    } catch (const CallFailed& failed) {
      EXPECT_EQ(failed.reason(), ExitReason::of(5));
    }
    settle();
    EXPECT_TRUE(mailbox_is_empty());
  });
}

}  // namespace
}  // namespace weft::test
