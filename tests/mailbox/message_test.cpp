#include <weft/message.hpp>

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "mailbox/base/sanitizer.hpp"

namespace weft::inline v0 {
namespace {

struct Counted {
  explicit Counted(int& c) : alive(&c) { ++*alive; }
  Counted(Counted&& other) noexcept : alive(other.alive) { ++*alive; }
  ~Counted() { --*alive; }
  int* alive;
};

TEST(Message, KnowsItsTypeAndNoOther) {
  Message message = Message::of(std::string("text"));
  EXPECT_TRUE(message.is<std::string>());
  EXPECT_FALSE(message.is<int>());
  EXPECT_EQ(message.get_if<int>(), nullptr);
  EXPECT_NE(message.type_name().find("string"), std::string_view::npos);
}

TEST(Message, NamesTypesAsUsersWriteThemWithoutTheVersion) {
  EXPECT_EQ(Message::of(unchecked<int>{1}).type_name(), "weft::unchecked<int>");
  EXPECT_EQ(Message::of(unchecked<unchecked<int>>{{1}}).type_name(), "weft::unchecked<weft::unchecked<int> >");
}

TEST(Message, TakeMovesTheValueOutAndLeavesItEmpty) {
  Message message = Message::of(std::make_unique<int>(7));
  EXPECT_THROW(message.take<int>(), std::bad_cast);
  EXPECT_EQ(*message.take<std::unique_ptr<int>>(), 7);
  EXPECT_FALSE(message);
  EXPECT_TRUE(message.type_name().empty());
}

TEST(Message, DestroysWhatItHoldsOnce) {
  int alive = 0;
  {
    Message message = Message::of(Counted(alive));
    EXPECT_EQ(alive, 1);
    Message moved = std::move(message);
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

struct ThrowsOnMove {
  ThrowsOnMove() = default;
  ThrowsOnMove(ThrowsOnMove&&) { throw std::runtime_error("no"); }
};

TEST(Message, AThrowingMoveMakesNoMessageAndLeaksNothing) {
  ThrowsOnMove value;
  EXPECT_THROW(detail::make_envelope<ThrowsOnMove>(std::move(value)), std::runtime_error);
}

struct alignas(128) Wide {
  std::array<std::byte, 128> bytes{};
};
struct Large {
  std::array<std::byte, 100'000> bytes{};
};

TEST(Message, AlignmentAndSizeAreKept) {
  Message wide = Message::of(Wide{});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(wide.get_if<Wide>()) % 128, 0u);
  EXPECT_TRUE(Message::of(Large{}).is<Large>());
}

struct Nest {
  Message inner;
};

TEST(Message, Cpp9MessagesNestedAHundredThousandDeepAreDestroyedOneAfterTheOther) {
  Message message = Message::of(1);
  for (int i = 0; i < 100'000; ++i) message = Message::of(Nest{std::move(message)});
}

TEST(Message, MemoryMayBeFreedOnAnotherThreadThanItCameFrom) {
  std::vector<Message> messages;
  for (int round = 0; round < 20; ++round) {
    std::thread maker([&] {
      for (int i = 0; i < 1'000; ++i) messages.push_back(Message::of(i));
    });
    maker.join();
    std::thread([gone = std::move(messages)]() mutable { gone.clear(); }).join();
    messages.clear();
  }
}

// Each of these threads frees fewer than fill a batch, and makes none: what it was left with must not end with it.
TEST(Message, MemoryFreedByAThreadThatMakesNoMessagesIsUsedAgain) {
  if (base::kSanitizedMemory) GTEST_SKIP() << "every message is an allocation of its own here";
  constexpr int kRounds = 200, kMessages = 100;
  std::unordered_set<const void*> places;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Message> messages;
    for (int i = 0; i < kMessages; ++i) {
      messages.push_back(Message::of(i));
      places.insert(messages.back().get_if<int>());
    }
    std::thread([gone = std::move(messages)]() mutable { gone.clear(); }).join();
  }
  EXPECT_LT(places.size(), 20u * kMessages);
}

}  // namespace
}  // namespace weft
