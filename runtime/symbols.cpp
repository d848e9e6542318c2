#include "runtime/symbols.hpp"

#include <dlfcn.h>
#ifdef WEFT_WITH_LIBBACKTRACE
#include <backtrace.h>
#endif

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <mutex>
#include <string_view>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "mailbox/base/demangle.hpp"
#include "runtime/caller.hpp"

namespace weft::inline v0::detail {
namespace {

std::string readable(const char* name) {
  std::string made = base::demangled(name);
  // A part that the compiler moved away is still that function: "f() [clone .cold]".
  if (const std::size_t clone = made.find(" [clone "); clone != std::string::npos) made.erase(clone);
  return made;
}

std::string as_number(std::uintptr_t pc) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(pc));
  return text;
}

/// From the table of exported symbols, which is all that the dynamic linker knows.
std::string from_linker(std::uintptr_t pc) {
  Dl_info found{};
  if (dladdr(reinterpret_cast<void*>(pc), &found) == 0) return as_number(pc);
  if (found.dli_sname != nullptr) return readable(found.dli_sname);
  const std::string_view file = found.dli_fname != nullptr ? found.dli_fname : "";
  const auto offset = pc - reinterpret_cast<std::uintptr_t>(found.dli_fbase);
  return std::string(file.substr(file.rfind('/') + 1)) + " + " + as_number(offset);
}

#ifdef WEFT_WITH_LIBBACKTRACE

// Called from C, which knows no exceptions: what a callback cannot do for want of memory is left out.
struct Found {
  std::vector<std::string> frames;
  std::string symbol;
};

int add_frame(void* into, std::uintptr_t, const char* file, int line, const char* function) {
  auto& found = *static_cast<Found*>(into);
  try {
    if (function == nullptr && file == nullptr) return 0;
    std::string text = function != nullptr ? readable(function) : "??";  // Some tables have lines only.
    if (file != nullptr) text += std::string(" at ") + file + ":" + std::to_string(line);
    found.frames.push_back(std::move(text));
  } catch (const std::bad_alloc&) {
  }
  return 0;
}

void set_symbol(void* into, std::uintptr_t, const char* name, std::uintptr_t, std::uintptr_t) {
  try {
    if (name != nullptr) static_cast<Found*>(into)->symbol = readable(name);
  } catch (const std::bad_alloc&) {
  }
}

void ignore(void*, const char*, int) {}

std::vector<std::string> search(std::uintptr_t pc) {
  // Made once and never freed: the library offers no way. The file must be named while it can be found.
  static backtrace_state* const state = backtrace_create_state(nullptr, 1, &ignore, nullptr);
  Found found;
  if (state != nullptr) {
    backtrace_pcinfo(state, pc, &add_frame, &ignore, &found);
    backtrace_syminfo(state, pc, &set_symbol, &ignore, &found);
  }
  if (found.frames.empty()) return {found.symbol.empty() ? from_linker(pc) : found.symbol};
  // Debug information of the least level has functions without their parameters; the symbol of the outermost frame has both.
  std::string& outermost = found.frames.back();
  const std::size_t place = outermost.find(" at ");
  if (!found.symbol.empty() && place != std::string::npos) outermost = found.symbol + outermost.substr(place);
  return std::move(found.frames);
}

#else

std::vector<std::string> search(std::uintptr_t pc) { return {from_linker(pc)}; }

#endif

/// What was found, for the program: debug information is the program's too. Bounded; a program has few places at which stacks are read.
class Known {
 public:
  bool has(std::uintptr_t pc) {
    const std::lock_guard<std::mutex> hold(mutex_);
    return frames_.contains(pc);
  }
  std::vector<std::string> frames_at(std::uintptr_t pc) {
    const std::lock_guard<std::mutex> hold(mutex_);
    if (const auto found = frames_.find(pc); found != frames_.end()) return found->second;
    std::vector<std::string> made = search(pc);
    constexpr std::size_t kMost = 16'384;
    if (frames_.size() < kMost) frames_.emplace(pc, made);
    return made;
  }
  static Known& of_program() {
    static Known& known = *new Known;  // Processes of a runtime that is a static object end late.
    return known;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<std::uintptr_t, std::vector<std::string>> frames_;  // under mutex_
};

/// Makes all of `stack` known.
void search_on_own_thread(const scheduler::Backtrace& stack) {
  try {
    std::thread([&] {
      try {
        for (std::size_t i = 0; i < stack.size; ++i) (void)Known::of_program().frames_at(stack.pcs[i]);
      } catch (const std::bad_alloc&) {
        // The caller prints what is known.
      }
    }).join();
  } catch (const std::system_error&) {
    // No thread to be had: as above.
  }
}

bool names_any(std::string_view frame, std::initializer_list<std::string_view> functions) noexcept {
  return std::any_of(functions.begin(), functions.end(), [&](std::string_view name) { return frame.find(name) != frame.npos; });
}

/// Leaves what a reader asks for: neither the base that every process has, nor the way from where the process stands to the switch, to
/// the search for a handler, or to the reading of the stack. Compilers inline parts of those ways, so they are known by their ends.
void trim(std::vector<std::string>& frames) {
  const auto base = std::find_if(frames.begin(), frames.end(), [](const std::string& frame) {
    return names_any(frame, {"weft_call_watched", "RuntimeCore::run(", "Worker::fiber_main", "weft_fiber_"});
  });
  frames.erase(base, frames.end());
  // How weft calls a body: its template, and the standard library's between that and the user's function.
  while (
      !frames.empty() &&
      names_any(frames.back(), {"detail::Body<", "weft/process.hpp:", "weft/runtime.hpp:", "/bits/invoke.h:", "/functional:", "/tuple:"})) {
    frames.pop_back();
  }
  const auto last_of_way = std::find_if(frames.rbegin(), frames.rend(), [](const std::string& frame) {
    return names_any(frame, {"detail::park(", "Worker::suspend(", "RuntimeCore::read_stack(", "RuntimeCore::end_in_terminate(",
                             "__cxa_throw", "__cxa_rethrow", "std::rethrow_exception("});
  });
  frames.erase(frames.begin(), last_of_way.base());
}

}  // namespace

std::vector<std::string> symbolised(const scheduler::Backtrace& stack) {
  Known& known = Known::of_program();
  const auto all_known = [&] {
    for (std::size_t i = 0; i < stack.size; ++i) {
      if (!known.has(stack.pcs[i])) return false;
    }
    return true;
  };
  const bool little_stack = current_process() != nullptr;
  if (little_stack && !all_known()) search_on_own_thread(stack);
  std::vector<std::string> made;
  for (std::size_t i = 0; i < stack.size; ++i) {
    if (little_stack && !known.has(stack.pcs[i])) {
      made.push_back(as_number(stack.pcs[i]));
      continue;
    }
    for (std::string& frame : known.frames_at(stack.pcs[i])) made.push_back(std::move(frame));
  }
  trim(made);
  if (stack.cut) made.emplace_back("...");
  return made;
}

std::string stack_lines(const scheduler::Backtrace& stack) {
  std::string made;
  std::size_t number = 0;
  for (const std::string& frame : symbolised(stack)) made += "\n    #" + std::to_string(number++) + " " + frame;
  return made;
}

}  // namespace weft::detail
