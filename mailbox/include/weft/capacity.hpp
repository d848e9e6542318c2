// How many user messages may wait in a process's mailbox, and what happens to the one too many.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::inline v0 {

/// What a full mailbox does with one more user message. Signals (exits, downs, replies to a call) are never shed (CAP-3).
enum class Overflow : std::uint8_t {
  shed_newest,  ///< the arriving message is destroyed; send() answers `shed` (CAP-2)
  shed_oldest,  ///< the oldest waiting user message is destroyed to make room, and send() answers `queued`; only
                ///< while all places belong to messages that are on their way in, or are being taken out just then, the new one is shed
  exit,         ///< the receiver ends with an error reason that names the limit; send() answers `shed`
};

/// The bound of one mailbox. Counts user messages, not bytes; by default there is none (CAP-1).
struct MailboxLimit {
  std::size_t capacity = static_cast<std::size_t>(-1);  ///< user messages; the default is no bound
  Overflow overflow = Overflow::shed_newest;            ///< what happens to the one too many
};

}  // namespace weft
