// What an exploration of schedules sees of the library: points before shared accesses, and waits. In other builds all of it is nothing.
//
// In a build with WEFT_EXPLORE the threads of an explored program are lines of execution of one thread, and whoever reaches a point asks
// the Explorer who goes on (docs/decisions.md, "Schedule exploration"; scheduler/exploration.hpp). The threads of an ordinary runtime in
// such a build pass the same points, where a test may stop one of them (`at_point`).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

namespace weft::inline v0::base {

#if defined(WEFT_EXPLORE)
inline constexpr bool kExplore = true;
#else
inline constexpr bool kExplore = false;
#endif

/// What a thread of an explored program calls. Place names are literals: they are in the order hash and in reports.
class Explorer {
 public:
  static constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();

  Explorer() = default;
  Explorer(const Explorer&) = delete;
  Explorer& operator=(const Explorer&) = delete;
  virtual ~Explorer() = default;

  /// Anybody may go on from here.
  virtual void point(const char* place) noexcept = 0;
  /// As point(), for one that looks again and again: others come first.
  virtual void spin(const char* place) noexcept = 0;
  /// Goes on when `over(of)` is true; false: when the time came first.
  virtual bool wait(const char* place, bool (*over)(const void*), const void* of, std::int64_t deadline_ns) noexcept = 0;
  /// A number below `below`, which is not 0, and part of the schedule.
  virtual std::uint64_t choose(const char* place, std::uint64_t below) noexcept = 0;
  /// Virtual time: it passes when everybody waits.
  [[nodiscard]] virtual std::int64_t now_ns() noexcept = 0;
  /// Starts a thread; wait_for_end() of its number joins it.
  virtual std::size_t start(std::string name, std::function<void()> body) = 0;
  virtual void wait_for_end(std::size_t thread) noexcept = 0;
  /// Whether a fault was asked for that tests plant in weft itself, to see that it is found.
  [[nodiscard]] virtual bool is_planted(const char* fault) const noexcept = 0;
};

/// Says of a thread_local of weft that each explored thread has its own. An object at namespace scope; `address` finds it.
struct ThreadPart {
#if defined(WEFT_EXPLORE)
  ThreadPart(void* (*find)() noexcept, std::size_t size) noexcept : address(find), bytes(size), next(first) { first = this; }
  void* (*address)() noexcept;
  std::size_t bytes;
  ThreadPart* next;
  static inline constinit ThreadPart* first = nullptr;
#else
  constexpr ThreadPart(void* (*)() noexcept, std::size_t) noexcept {}
#endif
};

#if defined(WEFT_EXPLORE)

inline constinit thread_local Explorer* thread_explorer = nullptr;

/// Of the calling thread; null where nothing is explored. Never inlined: a process may be on another thread at its next call (CPP-5).
[[gnu::noinline]] inline Explorer*& explorer() noexcept {
  Explorer** address = &thread_explorer;
  asm volatile("" : "+r"(address));
  return *address;
}

inline bool exploring() noexcept { return explorer() != nullptr; }
/// While exploring() only.
inline std::int64_t explored_ns() noexcept { return explorer()->now_ns(); }
inline std::size_t explore_thread(std::string name, std::function<void()> body) {
  return explorer()->start(std::move(name), std::move(body));
}
inline void explore_join(std::size_t thread) noexcept { explorer()->wait_for_end(thread); }
/// What a thread that is not explored does at a point: nothing, or what a test says, such as to stand still there (tests/faults).
inline constinit std::atomic<void (*)(const char* place) noexcept> at_point{nullptr};

inline void explore_point(const char* place) noexcept {
  if (Explorer* const here = explorer()) return here->point(place);
  if (const auto act = at_point.load(std::memory_order_acquire)) act(place);
}
inline void explore_spin(const char* place) noexcept {
  if (Explorer* const here = explorer()) here->spin(place);
}
/// In an exploration: waits until `over()` is true, or the time comes, and tells which. Elsewhere true at once.
template <class Over>
bool explore_wait(const char* place, const Over& over, std::int64_t deadline_ns = Explorer::kForever) noexcept {
  Explorer* const here = explorer();
  if (here == nullptr) return true;
  return here->wait(
      place, [](const void* of) { return (*static_cast<const Over*>(of))(); }, &over, deadline_ns);
}
/// `otherwise` where nothing is explored.
inline std::uint64_t explore_choice(const char* place, std::uint64_t below, std::uint64_t otherwise) noexcept {
  Explorer* const here = explorer();
  return here != nullptr ? here->choose(place, below) : otherwise;
}
inline bool planted(const char* fault) noexcept {
  const Explorer* const here = explorer();
  return here != nullptr && here->is_planted(fault);
}

#else

constexpr bool exploring() noexcept { return false; }
constexpr std::int64_t explored_ns() noexcept { return 0; }
inline std::size_t explore_thread(const std::string&, const std::function<void()>&) { return 0; }
constexpr void explore_join(std::size_t) noexcept {}
constexpr void explore_point(const char*) noexcept {}
constexpr void explore_spin(const char*) noexcept {}
template <class Over>
constexpr bool explore_wait(const char*, const Over&, std::int64_t = Explorer::kForever) noexcept {
  return true;
}
constexpr std::uint64_t explore_choice(const char*, std::uint64_t, std::uint64_t otherwise) noexcept { return otherwise; }
constexpr bool planted(const char*) noexcept { return false; }

#endif

/// A std::mutex whose holder may reach a point. Explored threads share one thread of the system, which must not wait for itself.
class Mutex : public std::mutex {
 public:
  void lock() {
    explore_wait("mutex", [this] { return is_free(); });
    std::mutex::lock();
  }
  /// For an exploration, where nobody comes in between.
  [[nodiscard]] bool is_free() noexcept {
    if (!try_lock()) return false;
    unlock();
    return true;
  }
};

}  // namespace weft::base
