// Which weft these headers belong to, and the check that the library linked with them is the same kind.
#pragma once

#include <version>

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0

/// 100 for 0.1.0, 10203 for 1.2.3: to be compared by #if.
#define WEFT_VERSION (WEFT_VERSION_MAJOR * 10000 + WEFT_VERSION_MINOR * 100 + WEFT_VERSION_PATCH)

#define WEFT_DETAIL_QUOTE(text) #text
#define WEFT_DETAIL_DOTTED(major, minor, patch) WEFT_DETAIL_QUOTE(major) "." WEFT_DETAIL_QUOTE(minor) "." WEFT_DETAIL_QUOTE(patch)
/// "0.1.0"
#define WEFT_VERSION_STRING WEFT_DETAIL_DOTTED(WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR, WEFT_VERSION_PATCH)

// What programs and library must have in common besides: the sanitizers that know stacks, for the library announces each switch to
// them, the layout of the standard library's types, and whether schedules can be explored, which is in inline functions.
#if defined(__SANITIZE_ADDRESS__)
#define WEFT_DETAIL_SANITIZER address_sanitizer
#elif defined(__SANITIZE_THREAD__)
#define WEFT_DETAIL_SANITIZER thread_sanitizer
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEFT_DETAIL_SANITIZER address_sanitizer
#elif __has_feature(thread_sanitizer)
#define WEFT_DETAIL_SANITIZER thread_sanitizer
#endif
#endif
#if !defined(WEFT_DETAIL_SANITIZER)
#define WEFT_DETAIL_SANITIZER no_sanitizer
#endif

#if defined(_GLIBCXX_USE_CXX11_ABI) && !_GLIBCXX_USE_CXX11_ABI
#error "weft needs the strings of C++11: _GLIBCXX_USE_CXX11_ABI is 0"
#endif
#if defined(_LIBCPP_VERSION)
#define WEFT_DETAIL_STANDARD_LIBRARY libcxx
#elif defined(_GLIBCXX_DEBUG)
#define WEFT_DETAIL_STANDARD_LIBRARY libstdcxx_in_debug_mode
#else
#define WEFT_DETAIL_STANDARD_LIBRARY libstdcxx
#endif

#if defined(WEFT_EXPLORE)
#define WEFT_DETAIL_PURPOSE _to_explore_schedules
#else
#define WEFT_DETAIL_PURPOSE
#endif

#define WEFT_DETAIL_PASTE(major, minor, sanitizer, library, purpose) \
  these_headers_need_weft_##major##_##minor##_built_with_##sanitizer##_and_##library##purpose
#define WEFT_DETAIL_EXPAND(major, minor, sanitizer, library, purpose) WEFT_DETAIL_PASTE(major, minor, sanitizer, library, purpose)
#define WEFT_DETAIL_REQUIREMENT \
  WEFT_DETAIL_EXPAND(WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR, WEFT_DETAIL_SANITIZER, WEFT_DETAIL_STANDARD_LIBRARY, WEFT_DETAIL_PURPOSE)

namespace weft::inline v0 {

/// The version of the library in use, which for a shared one may be a later patch than that of the headers. "0.1.0"
const char* library_version() noexcept;

namespace detail {

/// The library defines the one whose name describes it. Whoever includes other headers, or has other options, asks for a name that is
/// not there: the linker prints it, or the loader, for a shared library that was exchanged.
extern const char WEFT_DETAIL_REQUIREMENT;
[[gnu::used]] inline const char* const requirement = &WEFT_DETAIL_REQUIREMENT;

}  // namespace detail

}  // namespace weft
