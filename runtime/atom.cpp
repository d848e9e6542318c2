#include <weft/atom.hpp>

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <unordered_map>

#include <weft/error.hpp>
#include "runtime/debugger.hpp"

namespace weft::inline v0 {
namespace {

constexpr std::size_t kMaxBytes = 255;
constexpr std::uint32_t kChunk = detail::kAtomsInChunk;
constexpr std::uint32_t kMaxAtoms = 1u << 20;

/// Texts by number, readable without the lock: a chunk is published once, and a text is written before its number is given out.
class AtomTable {
 public:
  AtomTable() {
    for (const char* text : {"normal", "shutdown", "kill", "killed", "noproc", "timeout", "noconnection", "error", "nocatch", "custom"}) {
      intern(text);
    }
    weft_atoms = chunks_.data();
  }

  std::uint32_t intern(std::string_view text) {
    const std::lock_guard<std::mutex> hold(mutex_);
    if (const auto found = ids_.find(text); found != ids_.end()) return found->second;
    if (count_ == kMaxAtoms) throw LimitExceeded("more than " + std::to_string(kMaxAtoms) + " atoms");
    auto& chunk = chunks_[count_ / kChunk];
    if (chunk.load(std::memory_order_relaxed) == nullptr) {
      // release pairs with the acquire in text(), for readers that got the atom without other synchronisation.
      chunk.store(new detail::AtomChunk, std::memory_order_release);
    }
    std::string& kept = (*chunk.load(std::memory_order_relaxed))[count_ % kChunk];
    kept = text;
    ids_.emplace(kept, count_);
    return count_++;
  }

  std::string_view text(std::uint32_t id) const noexcept {
    const auto* chunk = chunks_[id / kChunk].load(std::memory_order_acquire);
    return (*chunk)[id % kChunk];
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string_view, std::uint32_t> ids_;
  std::uint32_t count_ = 0;
  std::array<std::atomic<detail::AtomChunk*>, kMaxAtoms / kChunk> chunks_{};
};

// Never destroyed: atoms are used by destructors of static objects too (CPP-11).
AtomTable& table() {
  static AtomTable& only = *new AtomTable;
  return only;
}

}  // namespace

Atom::Atom(std::string_view text) {
  if (text.size() > kMaxBytes) {
    throw LimitExceeded("an atom of " + std::to_string(text.size()) + " bytes: the limit is " + std::to_string(kMaxBytes));
  }
  id_ = table().intern(text);
}

std::string_view Atom::text() const noexcept { return table().text(id_); }

}  // namespace weft
