// Compiled with full debug information in every build (runtime/CMakeLists.txt): a debugger learns from this file how a runtime and all its
// parts are laid out, also where the rest of the library has names and lines only.
#include "runtime/debugger.hpp"

#include <mutex>

#include "runtime/core.hpp"

extern "C" {
weft::detail::RuntimeCore* weft_runtimes = nullptr;
const std::atomic<weft::detail::AtomChunk*>* weft_atoms = nullptr;
}

namespace weft::inline v0::detail {
namespace {

// A type that is only pointed at would be described as incomplete.
static_assert(sizeof(*weft_atoms) == sizeof(void*) && sizeof(AtomChunk) == kAtomsInChunk * sizeof(std::string));

std::mutex changing;  // weft_runtimes, and the links that hang on it

}  // namespace

void show_to_debugger(RuntimeCore& core) noexcept {
  const std::lock_guard<std::mutex> hold(changing);
  core.next_for_debugger = weft_runtimes;
  weft_runtimes = &core;
}

void hide_from_debugger(RuntimeCore& core) noexcept {
  const std::lock_guard<std::mutex> hold(changing);
  RuntimeCore** link = &weft_runtimes;
  while (*link != nullptr && *link != &core) link = &(*link)->next_for_debugger;
  if (*link != nullptr) *link = core.next_for_debugger;
}

}  // namespace weft::detail
