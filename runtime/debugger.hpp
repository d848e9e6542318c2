// What tools/gdb/weft.py starts from, in a program that stands still and in a core file. Nothing in weft reads it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <string>

namespace weft::inline v0::detail {

class RuntimeCore;

inline constexpr std::size_t kAtomsInChunk = 1024;
using AtomChunk = std::array<std::string, kAtomsInChunk>;

void show_to_debugger(RuntimeCore& core) noexcept;
void hide_from_debugger(RuntimeCore& core) noexcept;

}  // namespace weft::detail

// Outside of any namespace, so that their names stay what they are.
extern "C" {
/// The newest runtime; the others follow by RuntimeCore::next_for_debugger. Changed under a lock, at the start and the end of one.
extern weft::detail::RuntimeCore* weft_runtimes;
/// The texts of atoms by number, in chunks. Set once.
extern const std::atomic<weft::detail::AtomChunk*>* weft_atoms;
}
