#include "tests/differential/queue.hpp"

#include <algorithm>
#include <cstdint>

namespace weft::differential {
namespace {

constexpr std::size_t kNotSeenBefore = SIZE_MAX;

bool is_farewell(const Seen& seen) { return seen.kind == "exit" || seen.kind == "down"; }

bool goes_first(const Seen& a, const Seen& b) {
  if (a.kind != b.kind) return a.kind == "exit";
  return a.kind == "down" && a.text < b.text;
}

}  // namespace

bool Queue::look(const std::vector<Seen>& now, std::size_t section) {
  const bool in_order =
      now.size() >= entries_.size() &&
      std::equal(entries_.begin(), entries_.end(), now.begin(), [](const Entry& entry, const Seen& seen) { return entry.seen == seen; });
  const std::size_t known = in_order ? entries_.size() : 0;
  entries_.resize(known);
  for (std::size_t i = known; i < now.size(); ++i) entries_.push_back({now[i], section});
  return in_order;
}

std::string Queue::take(const std::vector<Seen>& taken) {
  std::vector<Entry> removed;
  for (const Seen& seen : taken) {
    const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.seen == seen; });
    removed.push_back({seen, at == entries_.end() ? kNotSeenBefore : at->section});
    if (at != entries_.end()) entries_.erase(at);
  }
  return canonical(std::move(removed));
}

bool Queue::oldest_is_open() const {
  std::size_t farewells = 0;  // with which the first section starts
  bool has_down = false;
  bool only_farewells = true;
  for (const Entry& entry : entries_) {
    if (entry.section != entries_.front().section) break;
    if (entry.seen.sender != entries_.front().seen.sender) return true;
    only_farewells = only_farewells && is_farewell(entry.seen);
    if (!only_farewells) continue;
    ++farewells;
    has_down = has_down || entry.seen.kind == "down";
  }
  return farewells > 1 && has_down;
}

std::string Queue::text() const { return canonical(entries_); }

std::string Queue::canonical(std::vector<Entry> entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.section != b.section ? a.section < b.section : a.seen.sender < b.seen.sender;
  });
  for (auto at = entries.begin(); at != entries.end();) {
    const auto ends = std::find_if(at, entries.end(), [&](const Entry& entry) {
      return entry.section != at->section || entry.seen.sender != at->seen.sender || !is_farewell(entry.seen);
    });
    std::stable_sort(at, ends, [](const Entry& a, const Entry& b) { return goes_first(a.seen, b.seen); });
    at = ends == at ? at + 1 : ends;
  }
  std::string text;
  for (const Entry& entry : entries) text.append(text.empty() ? "" : " ").append(entry.seen.text);
  return text;
}

}  // namespace weft::differential
