// A mailbox as it is compared: in the order of reception, as far as that is promised.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace weft::differential {

/// A message that somebody saw.
struct Seen {
  std::string kind;    // message, exit, down, timer: the word of a selector
  std::string key;     // pN, mN or tN: the operand of a selector
  std::string sender;  // messages of one sender keep their order (ORD-1); each timer counts as a sender of its own (ORD-5)
  std::string text;

  friend bool operator==(const Seen& a, const Seen& b) { return a.text == b.text; }
};

/// What the conductor knows of a mailbox. Messages that arrived between the same two looks are one section: across senders their order is
/// open, so they are shown sender by sender. Of what one dying process sends, the EXIT is shown first (LIF-8), then the DOWNs, sorted.
class Queue {
 public:
  /// What is in the mailbox now. False when what was there before is no longer in its order, or gone.
  [[nodiscard]] bool look(const std::vector<Seen>& now, std::size_t section);
  /// Messages that were taken; gives their text.
  std::string take(const std::vector<Seen>& taken);
  /// Whether the rules leave open which message is the oldest.
  bool oldest_is_open() const;
  std::string text() const;

 private:
  struct Entry {
    Seen seen;
    std::size_t section;
  };
  static std::string canonical(std::vector<Entry> entries);

  std::vector<Entry> entries_;
};

}  // namespace weft::differential
