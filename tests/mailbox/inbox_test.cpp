#include "mailbox/inbox.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

namespace weft::inline v0::mailbox {
namespace {

using detail::MessageType;

struct Numbered : Envelope {
  int sender = 0;
  int number = 0;
};

TEST(Inbox, ClosedUntilItIsOpened) {
  Inbox inbox;
  Envelope node;
  EXPECT_EQ(inbox.push(node), Inbox::Push::closed);
  inbox.open();
  EXPECT_EQ(inbox.push(node), Inbox::Push::queued);
}

TEST(Inbox, GivesTheOldestFirst) {
  Inbox inbox;
  inbox.open();
  std::array<Envelope, 3> nodes;
  for (Envelope& node : nodes) ASSERT_EQ(inbox.push(node), Inbox::Push::queued);
  EXPECT_EQ(inbox.count(), 3u);
  Envelope* at = inbox.take_all();
  for (Envelope& node : nodes) {
    EXPECT_EQ(at, &node);
    at = at->next;
  }
  EXPECT_EQ(at, nullptr);
  EXPECT_EQ(inbox.take_all(), nullptr);
  EXPECT_EQ(inbox.count(), 0u);
}

TEST(Inbox, I2OnlyThePushThatReplacesTheSleepWakes) {
  Inbox inbox;
  inbox.open();
  ASSERT_TRUE(inbox.try_park());
  Envelope first, second;
  EXPECT_EQ(inbox.push(first), Inbox::Push::woke);
  EXPECT_EQ(inbox.push(second), Inbox::Push::queued);
}

TEST(Inbox, AnOwnerWithMailDoesNotFallAsleep) {
  Inbox inbox;
  inbox.open();
  Envelope node;
  ASSERT_EQ(inbox.push(node), Inbox::Push::queued);
  EXPECT_FALSE(inbox.try_park());
}

TEST(Inbox, TakingForASleepingOwnerLeavesItAsleep) {
  Inbox inbox;
  inbox.open();
  ASSERT_TRUE(inbox.try_park());
  EXPECT_EQ(inbox.take_all_for_owner(), nullptr);
  EXPECT_TRUE(inbox.is_parked());
  Envelope node;
  EXPECT_EQ(inbox.push(node), Inbox::Push::woke);
  EXPECT_EQ(inbox.take_all_for_owner(), &node);
}

TEST(Inbox, CloseGivesWhatWasQueuedAndRefusesTheRest) {
  Inbox inbox;
  inbox.open();
  Envelope before, after;
  ASSERT_EQ(inbox.push(before), Inbox::Push::queued);
  EXPECT_EQ(inbox.close(), &before);
  EXPECT_EQ(inbox.push(after), Inbox::Push::closed);
}

TEST(Inbox, AKickIsNoMessageToCount) {
  Inbox inbox;
  inbox.open();
  Envelope kick;
  kick.kind = EnvelopeKind::kick;
  ASSERT_EQ(inbox.push_kick(kick), Inbox::Push::queued);
  EXPECT_EQ(inbox.count(), 0u);
  EXPECT_TRUE(inbox.has_mail());
}

// The owner sleeps and is woken through the word alone; a lost wake-up would leave the test waiting for ever.
TEST(Inbox, ManySendersOneOwnerLosesNothingAndKeepsEachSendersOrder) {
  constexpr int kSenders = 4, kEach = 20'000;
  Inbox inbox;
  inbox.open();
  std::atomic<int> wakes{0};
  std::vector<std::vector<Numbered>> nodes(kSenders, std::vector<Numbered>(kEach));
  std::vector<std::thread> senders;
  for (int s = 0; s < kSenders; ++s) {
    senders.emplace_back([&, s] {
      for (int i = 0; i < kEach; ++i) {
        Numbered& node = nodes[static_cast<std::size_t>(s)][static_cast<std::size_t>(i)];
        node.sender = s;
        node.number = i;
        if (inbox.push(node) == Inbox::Push::woke) {
          wakes.fetch_add(1, std::memory_order_release);
          wakes.notify_one();
        }
      }
    });
  }
  std::array<int, kSenders> next{};
  int seen_wakes = 0;
  for (int received = 0; received < kSenders * kEach;) {
    for (Envelope* at = inbox.take_all(); at != nullptr; at = at->next, ++received) {
      auto& node = static_cast<Numbered&>(*at);
      ASSERT_EQ(node.number, next[static_cast<std::size_t>(node.sender)]++);
    }
    if (received < kSenders * kEach && inbox.try_park()) {
      wakes.wait(seen_wakes, std::memory_order_acquire);
      ++seen_wakes;
    }
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(wakes.load(), seen_wakes);
}

}  // namespace
}  // namespace weft::mailbox
