// SEMANTICS.md section 25, CPP-7 to CPP-10: what is destroyed when, and what its destructor may do.
#include <functional>
#include <thread>

#include "tests/conformance/probes.hpp"

namespace weft::test {
namespace {

class CppDestruction : public RuntimeTest {};
INSTANTIATE_TEST_SUITE_P(Workers, CppDestruction, worker_counts(), ::testing::PrintToStringParamName());

/// A body that leaves what it gets in its mailbox.
void ignore_all() { receive<Never>(); }

struct Counted {
  Counted() { ++living; }
  Counted(Counted&&) noexcept { ++living; }
  ~Counted() { --living; }
  inline static std::atomic<int> living{0};
};

TEST_P(CppDestruction, Cpp8NothingIsLostOrLeakedWhenBothEndsDie) {
  run([&] {
    for (int round = 0; round < 30; ++round) {
      const Monitored receiver = spawn_monitor([] {
        for (;;) receive<Counted>();
      });
      std::vector<Monitored> senders;
      for (int i = 0; i < 6; ++i) {
        senders.push_back(spawn_monitor([to = receiver.pid] {
          for (;;) send(to, Counted{});
        }));
      }
      for (int i = 0; i < 3; ++i) kill(senders[static_cast<std::size_t>(i)].pid);
      kill(receiver.pid);
      for (const Monitored& sender : senders) kill(sender.pid);
      await_down(receiver.ref);
      for (const Monitored& sender : senders) await_down(sender.ref);
    }
  });
  rt.stop(kPatience);
  EXPECT_EQ(Counted::living, 0);
}

TEST_P(CppDestruction, Cpp9ALongMailboxIsDestroyedWithoutRecursion) {
  JoinHandle hoarder = rt.start([] {
    for (int i = 0; i < 200'000; ++i) send(self(), Counted{});
  });
  hoarder.join();
  EXPECT_EQ(Counted::living, 0);
}

struct Nest {
  Message inner;
};

/// In a process: packs a message into a message, `depth` times over.
void send_nested(int depth) {
  send(self(), Counted{});
  for (int i = 0; i < depth; ++i) send(self(), Nest{receive_any()});
}

TEST_P(CppDestruction, Cpp18DeeplyNestedMessagesAreDestroyedWithoutRecursion) {
  constexpr int kDepth = 100'000;
  rt.start([] {
      send_nested(kDepth);
      receive_any();        // Dropped here,
      send_nested(kDepth);  // and in the mailbox of a dead process.
    }).join();
  EXPECT_EQ(Counted::living, 0);
}

/// Its destructor sends a successor to `to`, for `left` generations.
struct Heir {
  Pid to;
  std::shared_ptr<std::atomic<int>> deaths;
  int left;

  Heir(Pid receiver, std::shared_ptr<std::atomic<int>> counter, int generations)
      : to(receiver), deaths(std::move(counter)), left(generations) {}
  Heir(Heir&&) noexcept = default;
  ~Heir() {
    if (!deaths) return;  // Moved from.
    ++*deaths;
    if (left > 0) send(to, Heir(to, deaths, left - 1));
  }
};

TEST_P(CppDestruction, Cpp9AnUnreadMessagesDestructorMaySend) {
  run([&] {
    const auto deaths = std::make_shared<std::atomic<int>>(0);
    JoinHandle victim = rt.start(ignore_all);
    for (int i = 0; i < 10; ++i) send(victim.pid(), Heir(self(), deaths, 1));
    kill(victim.pid());
    victim.join();
    for (int i = 0; i < 10; ++i) await<Heir>();
    EXPECT_EQ(*deaths, 20);
  });
}

TEST_P(CppDestruction, Cpp9AnUndeliverableMessagesDestructorMaySendToTheDeadAgain) {
  run([&] {
    const auto deaths = std::make_shared<std::atomic<int>>(0);
    const Pid dead = dead_pid();
    send(dead, Heir(dead, deaths, 10));
    EXPECT_EQ(*deaths, 11);
  });
}

TEST_P(CppDestruction, Cpp9AMessageMaySendToItsOwnDyingReceiver) {
  const auto deaths = std::make_shared<std::atomic<int>>(0);
  JoinHandle victim = rt.start([deaths] { send(self(), Heir(self(), deaths, 5)); });
  victim.join();
  EXPECT_EQ(*deaths, 6);
}

TEST_P(CppDestruction, Cpp7ReceivingInsideAMessagesDestructorIsRefused) {
  run([&] {
    const auto refused = std::make_shared<std::atomic<bool>>(false);
    JoinHandle victim = rt.start(ignore_all);
    send(victim.pid(), OnDestruction([refused] { *refused = throws<Error>([] { receive<Int>(); }); }));
    kill(victim.pid());
    victim.join();
    EXPECT_TRUE(*refused);
  });
}

TEST_P(CppDestruction, Cpp10WhatAProcessHeldIsGoneWhenDownComes) {
  run([&] {
    for (int round = 0; round < 100; ++round) {
      auto token = std::make_shared<int>();
      const Monitored child = spawn_monitor([token, test = self()] {
        const Carrier local{token};
        send(test, Go{});
        receive_forever();
      });
      await<Go>();
      kill(child.pid);
      await_down(child.ref);
      ASSERT_EQ(token.use_count(), 1);
    }
  });
}

TEST_P(CppDestruction, Cpp10TheStackGoesBeforeTheCaptures) {
  run([&] {
    const auto order = std::make_shared<std::string>();
    const Monitored child = spawn_monitor([captured = OnDestruction([order] { *order += "captures "; }), order, test = self()] {
      const AtEnd local{[&] { *order += "stack "; }};
      send(test, Go{});
      receive_forever();
    });
    await<Go>();
    kill(child.pid);
    await_down(child.ref);
    EXPECT_EQ(*order, "stack captures ");
  });
}

TEST_P(CppDestruction, Cpp10AProcessThatNeverRanStillReleasesItsCaptures) {
  run([&] {
    auto token = std::make_shared<int>();
    std::vector<Monitored> children;
    for (int i = 0; i < 50; ++i) {
      children.push_back(spawn_monitor([token] { receive_forever(); }));
      kill(children.back().pid);
    }
    for (const Monitored& child : children) EXPECT_EQ(await_down(child.ref).reason, ExitReason::killed);
    EXPECT_EQ(token.use_count(), 1);
  });
}

TEST_P(CppDestruction, Cpp13HostThreadsMaySendToTheDying) {
  for (int round = 0; round < 20; ++round) {
    JoinHandle receiver = rt.start(receive_forever);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([this, to = receiver.pid()] {
        while (rt.send(to, Counted{}) == SendResult::queued) {
        }
      });
    }
    rt.kill(receiver.pid());
    for (std::thread& thread : threads) thread.join();
    receiver.join();
  }
  rt.stop(kPatience);
  EXPECT_EQ(Counted::living, 0);
}

}  // namespace
}  // namespace weft::test
