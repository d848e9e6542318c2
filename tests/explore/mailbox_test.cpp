// The word of a mailbox between senders and an owner that sleeps and ends: I1 to I3 of mailbox/inbox.hpp.
#include <array>
#include <atomic>

#include "mailbox/inbox.hpp"
#include "mailbox/save_queue.hpp"
#include "tests/explore/find.hpp"

namespace weft::test {
namespace {

using detail::Envelope;
using mailbox::Inbox;

struct Numbered : Envelope {
  Numbered() noexcept { stamp = 0; }
  int sender = 0;
  int number = 0;
};

constexpr int kSenders = 2, kEach = 3;

/// As an owner takes what came into its save queue.
Envelope* take(Inbox& inbox) {
  if (!inbox.has_mail()) return nullptr;
  mailbox::SaveQueue queue;
  const Inbox::Taken taken = inbox.take_newest_first();
  const mailbox::SaveQueue::Arrived arrived = queue.number_ordinary(taken, 0);
  sim::require(arrived.rest == nullptr, "all are ordinary");
  queue.append(arrived, taken);
  return queue.release();
}

/// Senders push, and wake whom they must; the owner takes until it has all. A wake-up that nobody owes is one too many, a lost one leaves
/// everybody waiting.
void push_against_park() {
  Inbox inbox;
  inbox.open();
  std::atomic<int> wakes{0};
  std::array<std::array<Numbered, kEach>, kSenders> nodes;
  const auto send = [&](int sender) {
    for (int i = 0; i < kEach; ++i) {
      Numbered& node = nodes[static_cast<std::size_t>(sender)][static_cast<std::size_t>(i)];
      node.sender = sender;
      node.number = i;
      const Inbox::Push pushed = inbox.push(node);
      sim::require(pushed != Inbox::Push::closed, "the owner is there");
      if (pushed == Inbox::Push::woke) sim::require(wakes.fetch_add(1) == 0, "one sender wakes the owner (I2)");
    }
  };
  sim::Thread first("first sender", [&] { send(0); });
  sim::Thread second("second sender", [&] { send(1); });
  std::array<int, kSenders> next{};
  for (int left = kSenders * kEach; left > 0;) {
    Envelope* at = take(inbox);
    if (at == nullptr && inbox.try_park()) {
      base::explore_wait("asleep", [&] { return wakes.load() != 0; });
      wakes.store(0);
      at = take(inbox);
      sim::require(at != nullptr, "who is woken has mail");
    }
    for (; at != nullptr; at = at->next, --left) {
      const auto& node = static_cast<Numbered&>(*at);
      sim::require(node.number == next[static_cast<std::size_t>(node.sender)]++, "one sender's messages in order, each once");
    }
  }
}

TEST(ExploreMailbox, NoWakeUpIsLostAndNoneIsTwice) { sim::explore({.seeds = 20'000}, push_against_park); }

TEST(ExploreMailbox, APlantedLookBeforeParkIsFound) {
  const sim::Report found = find({.seeds = 2'000, .planted = {"inbox: park by look and store"}}, "", push_against_park);
  EXPECT_LE(found.runs, 500u);
}

TEST(ExploreMailbox, WhatIsPushedAgainstTheEndIsTakenOrRefused) {
  sim::explore({.seeds = 20'000}, [] {
    Inbox inbox;
    inbox.open();
    std::array<Numbered, 4> nodes;
    int accepted = 0;
    sim::Thread sender("sender", [&] {
      for (Numbered& node : nodes) accepted += inbox.push(node) == Inbox::Push::closed ? 0 : 1;
    });
    int taken = 0;
    for (Envelope* at = inbox.take_all(); at != nullptr; at = at->next) ++taken;
    for (Envelope* at = inbox.close(); at != nullptr; at = at->next) ++taken;
    sender.join();
    sim::require(taken == accepted, "each node has one owner (I3)");
  });
}

TEST(ExploreMailbox, WhatASenderEvictsOnBehalfOfTheOwnerIsTakenOnce) {
  sim::explore({.seeds = 20'000}, [] {
    Inbox inbox;
    inbox.open();
    Numbered node;
    int taken = 0;
    sim::Thread sender("sender", [&] { (void)inbox.push(node); });
    sim::Thread thief("evicting sender", [&] {
      for (Envelope* at = inbox.take_all_for_owner(); at != nullptr; at = at->next) ++taken;
    });
    (void)inbox.try_park();
    sender.join();
    thief.join();
    for (Envelope* at = inbox.take_all_for_owner(); at != nullptr; at = at->next) ++taken;
    sim::require(taken == 1, "the node was taken once");
  });
}

}  // namespace
}  // namespace weft::test
