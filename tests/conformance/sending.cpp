// SEMANTICS section 4.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "tests/conformance/puppet.hpp"

namespace weft::test {
namespace {

using Sending = RuntimeTest;
INSTANTIATE_TEST_SUITE_P(Workers, Sending, worker_counts(), ::testing::PrintToStringParamName());

TEST_P(Sending, Snd1SendingToTheDeadIsSilent) {
  run([&] {
    const Pid dead = dead_pid();
    for (int i = 0; i < 100; ++i) EXPECT_NO_THROW(send(dead, Int{i}));
  });
}

TEST_P(Sending, Snd1SendingNeverWaitsForTheReceiver) {
  run([&] {
    const Pid deaf = spawn([] { receive<Never>(); });
    for (int i = 0; i < 10'000; ++i) ASSERT_EQ(send(deaf, Int{i}), SendResult::queued);
    EXPECT_EQ(rt.info(deaf)->mailbox_depth, 10'000u);
  });
}

TEST_P(Sending, Snd2TheResultTellsQueuedShedAndNoProcess) {
  run([&] {
    const Pid small = spawn(SpawnOptions{.limit = {.capacity = 2}}, [] { receive<Never>(); });
    EXPECT_EQ(send(small, Int{1}), SendResult::queued);
    EXPECT_EQ(send(small, Int{2}), SendResult::queued);
    EXPECT_EQ(send(small, Int{3}), SendResult::shed);
    kill_and_wait(small);
    EXPECT_EQ(send(small, Int{4}), SendResult::no_process);
  });
}

TEST_P(Sending, Snd3AnUnknownNameIsNoError) {
  run([&] {
    EXPECT_EQ(send("nobody", Int{1}), SendResult::no_process);
    EXPECT_EQ(send(Atom("nobody"), Int{1}), SendResult::no_process);
  });
  EXPECT_EQ(rt.send("nobody", Int{1}), SendResult::no_process);
}

TEST_P(Sending, Snd4ANameIsResolvedWhenSending) {
  run([&] {
    const Pid first = spawn(puppet);
    const Pid second = spawn(puppet);
    register_name("service", first);
    EXPECT_EQ(send("service", Int{1}), SendResult::queued);
    unregister("service");
    register_name("service", second);
    EXPECT_EQ(send(Atom("service"), Int{2}), SendResult::queued);

    const auto take_all = [] {
      std::vector<int> numbers;
      while (auto message = poll<Int>()) numbers.push_back(message->n);
      return numbers;
    };
    EXPECT_EQ(ask(first, take_all), std::vector{1});
    EXPECT_EQ(ask(second, take_all), std::vector{2});
  });
}

TEST_P(Sending, Snd5ASenderKilledWhileSendingHasSentWholeMessagesOnly) {
  run([&] {
    const Pid receiver = self();
    for (int round = 0; round < 50; ++round) {
      const Monitored sender = spawn_monitor([receiver] {
        for (int i = 0;; ++i) send(receiver, std::make_unique<int>(i));
      });
      EXPECT_EQ(*await<std::unique_ptr<int>>(), 0);
      kill(sender.pid);
      bool down = false;
      for (int expected = 1; !down;) {
        receive([&](std::unique_ptr<int> number) { EXPECT_EQ(*number, expected++); }, [&](Down) { down = true; });
      }
      EXPECT_TRUE(mailbox_is_empty());
    }
  });
}

TEST_P(Sending, Snd6AMessageIsMovedNotCopied) {
  run([&] {
    auto owned = std::make_unique<int>(42);
    const int* const address = owned.get();
    send(self(), std::move(owned));
    const auto received = await<std::unique_ptr<int>>();
    EXPECT_EQ(received.get(), address);
    EXPECT_EQ(*received, 42);
  });
}

struct HasThrowingDestructor {
  ~HasThrowingDestructor() noexcept(false) {}
};
static_assert(Sendable<int> && Sendable<std::string> && Sendable<std::unique_ptr<int>> && Sendable<void (*)()>);
static_assert(!Sendable<int*> && !Sendable<const char*> && !Sendable<int&> && !Sendable<std::string_view> && !Sendable<std::span<int>>);
static_assert(!Sendable<HasThrowingDestructor>);
static_assert(Sendable<unchecked<int*>> && Sendable<unchecked<std::string_view>>);

// Its destructor calls the runtime, so one that runs under a lock of the runtime would never return.
class Boomerang {
 public:
  Boomerang(Runtime& rt, Pid home) : rt_(&rt), home_(home) {}
  Boomerang(Boomerang&& other) noexcept : rt_(other.rt_), home_(std::exchange(other.home_, Pid{})) {}
  ~Boomerang() {
    if (!home_) return;
    rt_->send(home_, Go{});
    rt_->is_alive(home_);
    rt_->whereis("nobody");
  }

 private:
  Runtime* rt_;
  Pid home_;
};

TEST_P(Sending, Snd7AMessageToTheDeadIsDestroyedBeforeSendReturns) {
  run([&] {
    send(dead_pid(), Boomerang(rt, self()));
    EXPECT_TRUE(poll<Go>());
    send("nobody", Boomerang(rt, self()));
    EXPECT_TRUE(poll<Go>());
  });
}

TEST_P(Sending, Snd7AShedMessageIsDestroyed) {
  run([&] {
    const Pid full = spawn(SpawnOptions{.limit = {.capacity = 1}}, [] { receive<Never>(); });
    send(full, Int{1});
    EXPECT_EQ(send(full, Boomerang(rt, self())), SendResult::shed);
    await<Go>();
  });
}

TEST_P(Sending, Snd7AMessageToADeadAliasIsDestroyed) {
  run([&] {
    const Alias alias = make_alias(AliasMode::explicit_unalias);
    unalias(alias);
    send(alias, Boomerang(rt, self()));
    await<Go>();
  });
}

TEST_P(Sending, Snd7UnreadMessagesAreDestroyedWhenTheirReceiverDies) {
  run([&] {
    const Pid reader = spawn([] { receive<Never>(); });
    for (int i = 0; i < 100; ++i) send(reader, Boomerang(rt, self()));
    kill(reader);
    for (int i = 0; i < 100; ++i) await<Go>();
  });
}

}  // namespace
}  // namespace weft::test
