#include "registry/names.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace weft::inline v0::registry {
namespace {

const Pid kOne = Pid::from_parts(1, 1), kTwo = Pid::from_parts(2, 1);
const HashKey kKey{0x0123456789ABCDEFu, 0xFEDCBA9876543210u};

/// What the table needs of a process: its lock, and its list.
struct Owner {
  explicit Owner(Pid its) : pid(its) {}
  bool add(Names& names, std::string_view name) {
    for (;;) {
      Names::Added added;
      {
        const std::lock_guard<base::SpinLock> hold(lock);
        added = names.add(name, pid, list);
      }
      if (added != Names::Added::no_room) return added == Names::Added::yes;
      names.make_room(name);
      ++rooms;
    }
  }
  bool remove(Names& names, std::string_view name) {
    const Names::Entry found = names.entry(name);
    return found && found.pid == pid && remove(names, found);
  }
  bool remove(Names& names, const Names::Entry& entry) {
    const std::lock_guard<base::SpinLock> hold(lock);
    return names.remove(entry, list);
  }
  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> made;
    for (const Hook* hook = list.front(); hook != nullptr; hook = list.after(*hook)) made.push_back(static_cast<const Name*>(hook)->text());
    return made;
  }

  const Pid pid;
  base::SpinLock lock;
  HookList list;
  int rooms = 0;  // how often there was no room
};

/// `count` texts whose hashes under kKey agree in their `low_bits` lowest bits: of one shard, and near each other in it.
std::vector<std::string> neighbours(std::size_t count, unsigned low_bits) {
  std::vector<std::string> made;
  for (int i = 0; made.size() < count; ++i) {
    std::string text = "neighbour " + std::to_string(i);
    if (hash_of(text, kKey) % (1u << low_bits) == 0) made.push_back(std::move(text));
  }
  return made;
}

TEST(Names, Nam1ANameIsTakenOnce) {
  Names names;
  Owner one(kOne), two(kTwo);
  EXPECT_TRUE(one.add(names, "clerk"));
  EXPECT_FALSE(two.add(names, "clerk"));
  EXPECT_FALSE(one.add(names, "clerk"));
  EXPECT_EQ(names.find("clerk"), kOne);
  EXPECT_TRUE(two.list.empty());
}

TEST(Names, Nam6RemovalComparesTheOwner) {
  Names names;
  Owner one(kOne), two(kTwo);
  ASSERT_TRUE(one.add(names, "clerk"));
  const Names::Entry old = names.entry("clerk");
  ASSERT_TRUE(one.remove(names, "clerk"));
  ASSERT_TRUE(two.add(names, "clerk"));
  EXPECT_FALSE(one.remove(names, old));
  EXPECT_EQ(names.find("clerk"), kTwo);
  EXPECT_TRUE(two.remove(names, "clerk"));
  EXPECT_FALSE(names.find("clerk"));
  EXPECT_EQ(names.size(), 0u);
}

TEST(Names, ARemovalThatComesLateDoesNotTouchTheSameNameOfTheSameProcess) {
  Names names;
  Owner one(kOne);
  ASSERT_TRUE(one.add(names, "clerk"));
  const Names::Entry old = names.entry("clerk");
  ASSERT_TRUE(one.remove(names, "clerk"));
  ASSERT_TRUE(one.add(names, "clerk"));
  EXPECT_FALSE(one.remove(names, old));
  EXPECT_EQ(names.find("clerk"), kOne);
}

TEST(Names, AFailedAdditionChangesNothing) {
  Names names(kKey);
  Owner one(kOne);
  EXPECT_EQ(names.add("clerk", kOne, one.list), Names::Added::no_room);
  EXPECT_EQ(names.size(), 0u);
  EXPECT_TRUE(one.list.empty());
  EXPECT_FALSE(names.find("clerk"));
}

TEST(Names, TextsOfAllLengthsAreToldApart) {
  Names names;
  Owner one(kOne), two(kTwo);
  // Texts of one byte each, and so many of them: each is the beginning of all that follow.
  for (const char byte : {'x', '\0'}) {
    Owner& owner = byte == 'x' ? one : two;
    for (std::size_t length = 1; length <= Names::kLongest; ++length) ASSERT_TRUE(owner.add(names, std::string(length, byte))) << length;
  }
  EXPECT_EQ(names.size(), 2 * Names::kLongest);
  for (std::size_t length = 1; length <= Names::kLongest; ++length) {
    EXPECT_EQ(names.find(std::string(length, 'x')), kOne) << length;
    EXPECT_EQ(names.find(std::string(length, '\0')), kTwo) << length;
    std::string other(length, 'x');
    other.back() = 'y';
    EXPECT_FALSE(names.find(other)) << length;
    other.back() = '\0';
    if (length > 1) {
      EXPECT_FALSE(names.find(other)) << length;
    }
  }
  const std::vector<std::string> texts = one.texts();
  ASSERT_EQ(texts.size(), Names::kLongest);
  for (std::size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(texts[i], std::string(i + 1, 'x'));
}

TEST(Names, WhatCanBeNoNameIsNotFound) {
  Names names;
  EXPECT_FALSE(names.find(""));
  EXPECT_FALSE(names.find({}));
  EXPECT_FALSE(names.find(std::string(Names::kLongest + 1, 'x')));
  EXPECT_FALSE(names.find(std::string(100'000, 'x')));
}

TEST(Names, TextsOfOneHashAreToldApart) {
  // Among 300,000 texts about ten pairs share their 32 bits.
  std::unordered_map<std::uint32_t, std::string> by_hash;
  std::vector<std::pair<std::string, std::string>> pairs;
  for (int i = 0; i < 300'000; ++i) {
    const std::string text = "name " + std::to_string(i);
    const auto [at, fresh] = by_hash.emplace(hash_of(text, kKey), text);
    if (!fresh) pairs.emplace_back(at->second, text);
  }
  ASSERT_FALSE(pairs.empty());
  Names names(kKey);
  Owner one(kOne), two(kTwo);
  for (const auto& [a, b] : pairs) {
    ASSERT_TRUE(one.add(names, a));
    EXPECT_FALSE(names.find(b));
    ASSERT_TRUE(two.add(names, b));
    EXPECT_EQ(names.find(a), kOne);
    EXPECT_EQ(names.find(b), kTwo);
    ASSERT_TRUE(one.remove(names, a));
    EXPECT_FALSE(names.find(a));
    EXPECT_EQ(names.find(b), kTwo);
  }
}

TEST(Names, NeighboursStayFoundWhicheverIsRemoved) {
  const std::vector<std::string> texts = neighbours(24, 8);
  for (std::size_t gone = 0; gone < texts.size(); ++gone) {
    Names names(kKey);
    Owner one(kOne);
    for (const std::string& text : texts) ASSERT_TRUE(one.add(names, text));
    // From the middle outwards, round the whole array.
    for (std::size_t step = 0; step < texts.size(); ++step) {
      ASSERT_TRUE(one.remove(names, texts[(gone + 7 * step) % texts.size()]));
      for (std::size_t i = 0; i < texts.size(); ++i) {
        const bool removed = (i + texts.size() - gone) * 7 % texts.size() <= step;  // 7 * 7 = 1 modulo 24
        EXPECT_EQ(names.find(texts[i]).has_value(), !removed);
      }
    }
    EXPECT_TRUE(one.list.empty());
  }
}

TEST(Names, AProcessKeepsItsNamesInTheOrderOfRegistration) {
  constexpr int kMany = 10'000;
  Names names;
  Owner one(kOne), two(kTwo);
  std::vector<std::string> kept;
  for (int i = 0; i < kMany; ++i) {
    const std::string text = "name " + std::to_string(i);
    ASSERT_TRUE((i % 2 == 0 ? one : two).add(names, text));
    if (i % 2 == 0 && i % 3 != 0) kept.push_back(text);
  }
  for (int i = 0; i < kMany; i += 6) ASSERT_TRUE(one.remove(names, "name " + std::to_string(i)));
  EXPECT_EQ(one.texts(), kept);
  for (const std::string& text : kept) ASSERT_EQ(names.find(text), kOne);
  EXPECT_EQ(names.size(), kept.size() + kMany / 2);
  while (!one.list.empty()) names.remove_front(one.list);
  for (const std::string& text : kept) ASSERT_FALSE(names.find(text));
  EXPECT_EQ(names.size(), std::size_t{kMany / 2});
  EXPECT_EQ(names.find("name 1"), kTwo);
}

// N1: what comes and goes needs no more memory than was needed at once.
TEST(Names, NamesThatComeAndGoNeedNoMoreMemory) {
  Names names(kKey);
  Owner one(kOne);
  constexpr int kAtATime = 7;  // With one more as many as a shard's first array takes, so that it never grows, wherever they fall.
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_TRUE(one.add(names, "passing " + std::to_string(i)));
    if (i >= kAtATime) names.remove_front(one.list);
  }
  EXPECT_LE(one.rooms, 16) << "once for each shard";
}

TEST(Names, AKeyDecidesWhichTextsFallTogether) {
  const HashKey other{kKey.first + 1, kKey.second};
  const std::vector<std::string> texts = neighbours(1'000, 10);
  std::set<std::uint32_t> shards, hashes;
  for (const std::string& text : texts) {
    shards.insert(hash_of(text, other) % 1'024);
    hashes.insert(hash_of(text, kKey));
  }
  EXPECT_GT(shards.size(), 500u) << "chosen to fall together under one key, they must not under another";
  EXPECT_GT(hashes.size(), 995u);
}

TEST(Names, TextsThatDifferByOneBitSpreadOverAllPlaces) {
  for (const std::size_t length : {1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 255}) {
    std::vector<int> places(64);
    int made = 0;
    for (int first = 0; first < 256; ++first) {
      for (int last = 0; last < (length == 1 ? 1 : 64); ++last) {
        std::string text(length, 'a');
        text.back() = static_cast<char>(last);
        text.front() = static_cast<char>(first);
        ++places[hash_of(text, kKey) % places.size()];
        ++made;
      }
    }
    const int expected = made / static_cast<int>(places.size());
    EXPECT_LT(*std::max_element(places.begin(), places.end()), 2 * expected + 12) << length << " bytes";
  }
}

TEST(Names, OfManyThreadsOneGetsTheName) {
  for (int round = 0; round < 100; ++round) {
    Names names;
    std::atomic<int> winners{0};
    std::vector<std::thread> threads;
    for (std::uint32_t t = 1; t <= 4; ++t) {
      threads.emplace_back([&, t] {
        Owner owner(Pid::from_parts(t, 1));
        winners += owner.add(names, "contested") ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(winners, 1);
  }
}

// The memory of what one thread takes off is used again by another: a tool that watches memory must see it come and go.
TEST(Names, MemoryOfANameGoesFromThreadToThread) {
  constexpr int kRounds = 200, kBatch = 50;
  Names names;
  Owner one(kOne);
  std::atomic<int> turn{0};  // Relaxed, so that the table and the owner's lock alone order the two.
  const auto take_turns = [&](int mine, auto act) {
    for (int round = 0; round < kRounds; ++round) {
      while (turn.load(std::memory_order_relaxed) != 2 * round + mine) std::this_thread::yield();
      for (int i = 0; i < kBatch; ++i) EXPECT_TRUE(act("name " + std::to_string(i)));
      turn.store(2 * round + mine + 1, std::memory_order_relaxed);
    }
  };
  std::thread remover([&] { take_turns(1, [&](const std::string& name) { return one.remove(names, name); }); });
  take_turns(0, [&](const std::string& name) { return one.add(names, name); });
  remover.join();
  EXPECT_EQ(names.size(), 0u);
}

// N2: each name has processes of its own, so a pid says whose name was read; later registrations have later generations.
TEST(Names, AReaderNeverSeesAnothersPidWhileNodesAreUsedAgain) {
  constexpr std::uint64_t kRounds = 1'000;
  const std::vector<std::string> texts = neighbours(6, 8);  // In one shard, of one size class: they get each other's nodes.
  Names names(kKey);
  std::atomic<int> writers{2};
  const auto write = [&](std::size_t first) {
    for (std::uint64_t round = 1; round <= kRounds; ++round) {
      for (std::size_t i = first; i < texts.size(); i += 2) {
        Owner owner(Pid::from_parts(static_cast<std::uint32_t>(i + 1), round));
        EXPECT_TRUE(owner.add(names, texts[i]));
        if (i < 2) std::this_thread::yield();
        names.remove_front(owner.list);
      }
    }
    --writers;
  };
  std::thread one([&] { write(0); }), two([&] { write(1); });
  std::vector<std::uint64_t> youngest(texts.size());
  for (std::size_t i = 0; writers != 0; i = (i + 1) % texts.size()) {
    const std::optional<Pid> found = names.find(texts[i]);
    if (!found) continue;
    ASSERT_EQ(found->index(), i + 1);
    ASSERT_GE(found->generation(), youngest[i]);
    youngest[i] = found->generation();
  }
  one.join();
  two.join();
  EXPECT_EQ(names.size(), 0u);
}

// N3: and whoever comes and goes beside it.
TEST(Names, ANameThatStaysIsAlwaysFoundWhileItsNeighboursMove) {
  constexpr int kRounds = 5'000;
  const std::vector<std::string> texts = neighbours(12, 8);
  Names names(kKey);
  Owner stays(kOne);
  std::atomic<bool> over{false};
  std::thread writer([&] {
    Owner passing(kTwo);
    for (int round = 0; round < kRounds; ++round) {
      for (std::size_t i = 0; i < texts.size(); i += 2) EXPECT_TRUE(passing.add(names, texts[i]));
      if (round == 0) {
        for (std::size_t i = 1; i < texts.size(); i += 2) EXPECT_TRUE(stays.add(names, texts[i]));
      }
      while (!passing.list.empty()) names.remove_front(passing.list);
    }
    over = true;
  });
  while (names.find(texts[11]) != kOne) std::this_thread::yield();
  while (!over) {
    for (std::size_t i = 1; i < texts.size(); i += 2) ASSERT_EQ(names.find(texts[i]), kOne);
  }
  writer.join();
}

TEST(Names, ANameThatStaysIsFoundWhileTheTableGrows) {
  for (int round = 0; round < 5; ++round) {
    Names names;
    Owner stays(kOne);
    ASSERT_TRUE(stays.add(names, "stays"));
    std::atomic<bool> over{false};
    std::thread writer([&] {
      Owner many(kTwo);
      for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(many.add(names, "name " + std::to_string(i)));
      for (int i = 0; i < 10'000; ++i) EXPECT_EQ(names.find("name " + std::to_string(i)), kTwo);
      while (!many.list.empty()) names.remove_front(many.list);
      over = true;
    });
    while (!over) {
      ASSERT_EQ(names.find("stays"), kOne);
      ASSERT_FALSE(names.find("never"));
    }
    writer.join();
    EXPECT_EQ(names.size(), 1u);
  }
}

}  // namespace
}  // namespace weft::registry
