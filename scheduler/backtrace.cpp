#include "scheduler/backtrace.hpp"

#include <unwind.h>

#include <new>

namespace weft::inline v0::scheduler {
namespace {

_Unwind_Reason_Code visit(_Unwind_Context* frame, void* into) {
  int exact = 0;
  const std::uintptr_t pc = _Unwind_GetIPInfo(frame, &exact);
  if (pc == 0) return _URC_END_OF_STACK;
  // A return address may lie behind the function's end, or on the next line. An interrupted frame's address is exact.
  static_cast<Backtrace*>(into)->add(exact != 0 ? pc : pc - 1);
  return static_cast<Backtrace*>(into)->cut ? _URC_END_OF_STACK : _URC_NO_REASON;
}

#if defined(__x86_64__)

struct Walk {
  Backtrace* into;
  bool across;  // the bridge was passed
};

_Unwind_Reason_Code visit_across(_Unwind_Context* frame, void* argument) {
  auto& walk = *static_cast<Walk*>(argument);
  if (walk.across) return visit(frame, walk.into);
  walk.across = _Unwind_GetRegionStart(frame) == reinterpret_cast<std::uintptr_t>(&weft_walk_from);
  return _URC_NO_REASON;
}

/// The type of an exception in flight, null if it is unknown. The layout is the one that libstdc++ and libc++abi share: the type is the
/// first of 80 bytes before the header that the unwinder knows. A rethrown exception_ptr has another layout, and a class that ends in 1.
const std::type_info* type_in_flight(_Unwind_Exception_Class language, const _Unwind_Exception* exception) noexcept {
  constexpr _Unwind_Exception_Class kGnu = 0x474e5543432b2b00, kClang = 0x434c4e47432b2b00;  // "GNUCC++\0", "CLNGC++\0"
  if (language != kGnu && language != kClang) return nullptr;
  return *reinterpret_cast<std::type_info* const*>(reinterpret_cast<const std::byte*>(exception) - 80);
}

#endif

}  // namespace

void read_own_stack(Backtrace& into) noexcept {
  into.size = 0;
  into.cut = false;
  _Unwind_Backtrace(&visit, &into);
}

#if defined(__x86_64__)

void read_stack(const Registers& registers, Backtrace& into) noexcept {
  into.size = 0;
  into.cut = false;
  Walk walk{&into, false};
  weft_walk_from(
      &registers, [](void* argument) { _Unwind_Backtrace(&visit_across, argument); }, &walk);
}

void ThrowWatch::call(void (*body)(void*), void* argument) { weft_call_watched(body, argument, this); }

extern "C" {

/// Of the frame of weft_call_watched(): looks, and never handles.
[[gnu::used, gnu::visibility("hidden")]] _Unwind_Reason_Code weft_watch_personality(int version, _Unwind_Action actions,
                                                                                    _Unwind_Exception_Class language,
                                                                                    _Unwind_Exception* exception, _Unwind_Context* frame) {
  if (version != 1 || (actions & _UA_SEARCH_PHASE) == 0) return _URC_CONTINUE_UNWIND;
  auto& watch = **reinterpret_cast<ThrowWatch**>(_Unwind_GetCFA(frame));
  const std::type_info* type = type_in_flight(language, exception);
  if (type != nullptr && watch.wants != nullptr && !watch.wants(*type)) return _URC_CONTINUE_UNWIND;
  if (watch.origin == nullptr) watch.origin.reset(new (std::nothrow) Backtrace);
  if (watch.origin != nullptr) read_own_stack(*watch.origin);
  return _URC_CONTINUE_UNWIND;
}

}  // extern "C"

#else

void read_stack(const Registers&, Backtrace& into) noexcept {
  into.size = 0;
  into.cut = false;
}

void ThrowWatch::call(void (*body)(void*), void* argument) { body(argument); }

#endif

}  // namespace weft::scheduler
