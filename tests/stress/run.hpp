// One scenario while it runs: how long, from which seed, what it counted, what it found broken.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <weft/weft.hpp>

#include "tests/stress/rng.hpp"

namespace weft::stress {

using namespace std::chrono_literals;

#if defined(__SANITIZE_THREAD__)
#define WEFT_STRESS_UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_STRESS_UNDER_TSAN 1
#endif
#endif
#ifdef WEFT_STRESS_UNDER_TSAN
inline constexpr bool kUnderTsan = true;
#else
inline constexpr bool kUnderTsan = false;
#endif
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kUnderAsan = true;
#else
inline constexpr bool kUnderAsan = false;
#endif
inline constexpr bool kSanitized = kUnderTsan || kUnderAsan;

struct Settings {
  std::uint64_t seed = 1;
  Duration duration = 10s;
  unsigned workers = 0;                  // 0: the runtime's default
  Duration patience = Duration::zero();  // how long something may stay unanswered; 0: ample for this build
};

/// What a scenario is given, and what the progress line shows of it. Threads: any may call anything.
class Run {
 public:
  Run(std::string_view scenario, const Settings& settings);

  const Settings& settings() const noexcept { return settings_; }
  Rng rng(std::uint64_t stream) const noexcept { return Rng(settings_.seed, stream); }

  bool time_left() const noexcept { return now_steady() < deadline_; }
  TimePoint started() const noexcept { return started_; }
  TimePoint deadline() const noexcept { return deadline_; }
  Duration patience() const noexcept { return settings_.patience; }

  /// `wanted`, or what fits: into half the memory that is available at `bytes_each`, into the fibers that ThreadSanitizer has room for.
  std::size_t fit_processes(std::size_t wanted, std::size_t bytes_each) const;

  void did(std::uint64_t operations = 1) noexcept { operations_.fetch_add(operations, std::memory_order_relaxed); }
  std::uint64_t operations() const noexcept { return operations_.load(std::memory_order_relaxed); }
  std::uint64_t checks() const noexcept { return checks_.load(std::memory_order_relaxed); }

  /// An invariant: if it does not hold, the run has failed, and `parts` say how.
  template <class... Parts>
  bool require(bool held, const Parts&... parts) {
    checks_.fetch_add(1, std::memory_order_relaxed);
    if (held) return true;
    std::ostringstream text;
    (text << ... << parts);
    report(text.str());
    return false;
  }
  std::vector<std::string> violations() const;

  /// While one lives, its maker waits for an answer that must come. The progress line shows the age of the oldest.
  class Awaiting {
   public:
    Awaiting(Run& run, const char* what) noexcept;
    ~Awaiting();
    Awaiting(const Awaiting&) = delete;
    Awaiting& operator=(const Awaiting&) = delete;

   private:
    std::atomic<std::int64_t>* since_ = nullptr;
  };
  struct Unanswered {
    Duration age{};
    const char* what = "";
  };
  Unanswered oldest_unanswered() const noexcept;

  /// The runtime at work, so that progress can be shown and a hang described.
  void watch(Runtime* runtime);
  Stats stats_of_watched() const;
  void dump_watched(std::ostream& out) const;

  /// A round of work on `size` processes or messages left nothing behind; from here its memory is compared with that of the others.
  void round_ended(std::size_t size);
  /// Requires that the memory of the rounds of the largest size did not grow.
  void require_flat_memory();

 private:
  struct Slot {
    std::atomic<std::int64_t> since{0};  // 0: free
    std::atomic<const char*> what{""};
  };
  struct Sample {
    std::size_t size;
    std::uint64_t bytes;
  };
  static TimePoint now_steady() noexcept { return std::chrono::steady_clock::now(); }
  void report(const std::string& text);

  const std::string scenario_;
  Settings settings_;
  const TimePoint started_, deadline_;
  alignas(64) std::atomic<std::uint64_t> operations_{0};
  alignas(64) std::atomic<std::uint64_t> checks_{0};
  alignas(64) std::atomic<std::uint32_t> next_slot_{0};
  std::array<Slot, 1024> slots_;
  mutable std::mutex mutex_;  // what is below
  std::uint64_t violation_count_ = 0;
  std::vector<std::string> violations_;
  Runtime* watched_ = nullptr;
  std::vector<Sample> samples_;
};

/// Put into messages and captured by bodies: how many exist is known, and at the end of a run it must be none.
class Tracked {
 public:
  Tracked() noexcept { live_.fetch_add(1, std::memory_order_relaxed); }
  Tracked(const Tracked&) noexcept : Tracked() {}
  Tracked& operator=(const Tracked&) noexcept = default;
  ~Tracked() { live_.fetch_sub(1, std::memory_order_relaxed); }
  static std::int64_t live() noexcept { return live_.load(std::memory_order_relaxed); }

 private:
  static std::atomic<std::int64_t> live_;
};

}  // namespace weft::stress
