#include "mailbox/save_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

namespace weft::inline v0::mailbox {
namespace {

TEST(SaveQueue, RemovalFromTheMiddleLeavesTheOrderOfTheOthers) {
  SaveQueue queue;
  std::array<Envelope, 4> nodes;
  for (Envelope& node : nodes) queue.append(node);
  queue.remove(nodes[1]);
  queue.remove(nodes[3]);
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.front(), &nodes[0]);
  EXPECT_EQ(queue.front()->next, &nodes[2]);
  EXPECT_EQ(queue.back(), &nodes[2]);
  EXPECT_EQ(nodes[2].next, nullptr);
}

TEST(SaveQueue, Rcv11AMarkerSeparatesOlderFromYounger) {
  SaveQueue queue;
  std::array<Envelope, 4> nodes;
  queue.append(nodes[0]);
  queue.append(nodes[1]);
  const std::uint64_t marker = queue.next_number();
  EXPECT_EQ(queue.first_after(marker), nullptr);
  queue.append(nodes[2]);
  queue.append(nodes[3]);
  EXPECT_EQ(queue.first_after(marker), &nodes[2]);
  queue.remove(nodes[2]);
  EXPECT_EQ(queue.first_after(marker), &nodes[3]);
  EXPECT_EQ(queue.first_after(0), &nodes[0]);
}

TEST(SaveQueue, ReleaseGivesEverythingInOrder) {
  SaveQueue queue;
  std::array<Envelope, 2> nodes;
  for (Envelope& node : nodes) queue.append(node);
  EXPECT_EQ(queue.release(), &nodes[0]);
  EXPECT_EQ(nodes[0].next, &nodes[1]);
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.front(), nullptr);
}

/// The nodes, pushed in turn and taken at once.
template <std::size_t N>
Inbox::Taken arrive(std::array<Envelope, N>& nodes, std::uint64_t generation) {
  Inbox inbox;
  inbox.open();
  for (Envelope& node : nodes) {
    node.stamp = generation;
    EXPECT_EQ(inbox.push(node), Inbox::Push::queued);
  }
  return inbox.take_newest_first();
}

TEST(SaveQueue, Rcv1WhatArrivesAtOnceIsAppendedInTheOrderItWasSent) {
  SaveQueue queue;
  Envelope before;
  queue.append(before);
  std::array<Envelope, 3> nodes;
  const Inbox::Taken taken = arrive(nodes, 7);
  EXPECT_EQ(taken.count, 3u);
  const SaveQueue::Arrived arrived = queue.number_ordinary(taken, 7);
  ASSERT_EQ(arrived.rest, nullptr);
  queue.append(arrived, taken);
  Envelope after;
  queue.append(after);

  EXPECT_EQ(queue.size(), 5u);
  const std::array<Envelope*, 5> expected{&before, &nodes[0], &nodes[1], &nodes[2], &after};
  Envelope* at = queue.front();
  Envelope* previous = nullptr;
  for (Envelope* want : expected) {
    ASSERT_EQ(at, want);
    EXPECT_EQ(at->prev, previous);
    if (previous != nullptr) {
      EXPECT_GT(at->stamp, previous->stamp);  // S1
    }
    previous = at;
    at = at->next;
  }
  EXPECT_EQ(at, nullptr);
  EXPECT_EQ(queue.back(), &after);
}

TEST(SaveQueue, WhatIsNotOrdinaryLeavesAllThatArrivedAsItCame) {
  for (std::size_t special = 0; special < 3; ++special) {
    SaveQueue queue;
    std::array<Envelope, 3> nodes;
    const Inbox::Taken taken = arrive(nodes, 7);
    nodes[special].alias = 5;
    const SaveQueue::Arrived arrived = queue.number_ordinary(taken, 7);
    EXPECT_EQ(arrived.rest, &nodes[special]);
    Envelope* at = SaveQueue::unnumbered(arrived, 7);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      ASSERT_EQ(at, &nodes[i]);
      EXPECT_EQ(at->stamp, 7u);
      EXPECT_EQ(at->alias, i == special ? 5u : 0u);
      at = at->next;
    }
    EXPECT_EQ(at, nullptr);
    EXPECT_EQ(queue.size(), 0u);
  }
}

TEST(SaveQueue, AMessageForAPredecessorIsNotOrdinary) {
  SaveQueue queue;
  std::array<Envelope, 2> nodes;
  const Inbox::Taken taken = arrive(nodes, 7);
  EXPECT_EQ(queue.number_ordinary(taken, 8).rest, &nodes[1]);
}

TEST(SaveQueue, MoreThanAnInboxCountsAreNotNumberedInOnePass) {
  SaveQueue queue;
  Inbox inbox;
  inbox.open();
  std::vector<Envelope> nodes(Inbox::kMany + 2);
  for (Envelope& node : nodes) ASSERT_EQ(inbox.push(node), Inbox::Push::queued);
  const SaveQueue::Arrived arrived = queue.number_ordinary(inbox.take_newest_first(), 0);
  ASSERT_EQ(arrived.rest, &nodes.back());
  Envelope* at = SaveQueue::unnumbered(arrived, 0);
  for (Envelope& node : nodes) {
    ASSERT_EQ(at, &node);
    at = at->next;
  }
  EXPECT_EQ(at, nullptr);
}

}  // namespace
}  // namespace weft::mailbox
