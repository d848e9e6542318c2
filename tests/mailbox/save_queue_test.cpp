#include "mailbox/save_queue.hpp"

#include <gtest/gtest.h>

#include <array>

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

}  // namespace
}  // namespace weft::mailbox
