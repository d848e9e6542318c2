// Which sanitizer this build has, as constants, so that no other file asks the preprocessor.
#pragma once

#include "mailbox/base/explore.hpp"

namespace weft::inline v0::base {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kAddressSanitizer = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool kAddressSanitizer = true;
#else
inline constexpr bool kAddressSanitizer = false;
#endif
#else
inline constexpr bool kAddressSanitizer = false;
#endif

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif
#else
inline constexpr bool kThreadSanitizer = false;
#endif

/// Pools step aside for the system's allocator in these builds, so that the tools see every allocation and every free; and where schedules
/// are explored, since the threads of an explored program share what belongs to a thread.
inline constexpr bool kSanitizedMemory = kAddressSanitizer || kThreadSanitizer || kExplore;

}  // namespace weft::base
