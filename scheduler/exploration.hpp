// One run of a program under a schedule that a seed decides. Of builds with WEFT_EXPLORE.
#pragma once

#if defined(WEFT_EXPLORE)

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mailbox/base/explore.hpp"
#include "scheduler/context.hpp"

namespace weft::inline v0::scheduler {

struct ExplorationOptions {
  std::uint64_t seed = 1;
  bool by_priority = false;        // who goes on: the highest of random priorities, or anybody
  std::uint64_t max_steps = 0;     // points and waits until the run is given up
  std::uint64_t hurry_every = 0;   // time passes although somebody could go on, once in so many steps; 0: never
  std::uint64_t stall_every = 0;   // a thread stands still for a while, once in so many steps; 0: never
  std::size_t decisions_kept = 0;  // of the end of a run, for the report
  std::vector<std::string> planted;
};

struct ExplorationResult {
  bool failed = false;
  bool locks_free = false;  // of a failed run: nobody holds a lock, so that what it left can be looked at
  std::string what;
  std::uint64_t order_hash = 0;
  std::uint64_t steps = 0;
  std::vector<std::string> decisions;  // of a failed run: who went on where, oldest first
};

/// Threads as lines of execution of the calling thread, of which one runs at a time.
///
/// X1  A thread gives way only in point(), spin(), wait() and at its end; so between two of these nothing else happens.
/// X2  Who goes on, and what choose() gives, depends on the seed and on the places passed, on nothing else. order_hash is made of all of
///     these. Two runs with one hash passed the same places in the same order.
/// X3  What weft keeps in a thread_local is exchanged with the thread: base::ThreadPart.
/// X4  A run that fails is abandoned where it stands. Nothing of it is unwound or freed, since its threads may be in any state.
class Exploration final : public base::Explorer {
 public:
  /// The stacks of threads, kept for the runs to come.
  class Stacks;

  Exploration(const ExplorationOptions& options, Stacks& stacks);
  ~Exploration() override;

  /// Runs `body` as the first thread until all threads have ended, or something failed.
  ExplorationResult run(std::function<void()> body);

  /// Ends the run: it failed. From one of its threads.
  [[noreturn]] void fail(std::string what);
  /// The exploration of the calling thread, or null.
  static Exploration* here() noexcept { return static_cast<Exploration*>(base::explorer()); }

  void point(const char* place) noexcept override;
  void spin(const char* place) noexcept override;
  bool wait(const char* place, bool (*over)(const void*), const void* of, std::int64_t deadline_ns) noexcept override;
  std::uint64_t choose(const char* place, std::uint64_t below) noexcept override;
  [[nodiscard]] std::int64_t now_ns() noexcept override { return now_ns_; }
  std::size_t start(std::string name, std::function<void()> body) override;
  void wait_for_end(std::size_t thread) noexcept override;
  [[nodiscard]] bool is_planted(const char* fault) const noexcept override;

  /// The calling thread stands still for a while, unless nobody else can go on.
  void stall(const char* place) noexcept;
  /// For who calls code of the user's or may meet a point while it is not a step of the program: no points in there.
  void set_quiet(bool quiet) noexcept { quiet_ = quiet; }
  [[nodiscard]] std::uint64_t seed() const noexcept { return options_.seed; }

 private:
  static constexpr std::uint64_t kLongestStall = 400;                  // steps
  static constexpr std::int64_t kLatestHurry = std::int64_t{1} << 61;  // Time limits can be added to it.
  static constexpr std::uint64_t kMostInARow = 1000;  // steps of the highest priority, which may wait for a lower one in a loop

  struct Stack;
  struct Thread;
  struct Decision {
    const char* place = nullptr;
    std::size_t before = 0, after = 0;
    std::uint64_t step = 0;
  };

  [[noreturn]] static void thread_main() noexcept;
  [[noreturn]] void end_of_thread() noexcept;
  [[noreturn]] void leave_for_ever() noexcept;
  /// A step of the program: `current_` is at `place`, and somebody goes on, perhaps the same.
  void step(const char* place) noexcept;
  [[nodiscard]] Thread* pick() noexcept;
  [[nodiscard]] bool may_run(Thread& thread) noexcept;
  [[nodiscard]] bool is_over(Thread& thread) noexcept;
  /// Sets the time to the next at which a wait ends; false when there is none.
  bool pass_time() noexcept;
  void switch_to(Thread& next) noexcept;
  void enter(Thread& next) noexcept;
  void note(std::uint64_t number) noexcept { hash_ = (hash_ ^ number) * 0x100000001b3u; }
  void note(const char* place) noexcept;
  [[nodiscard]] std::uint64_t random() noexcept;
  [[nodiscard]] std::string places() const;
  void exchange_parts(Thread* leaves, Thread* enters) noexcept;

  const ExplorationOptions options_;
  Stacks& stacks_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<Thread*> runnable_;
  Thread* current_ = nullptr;  // null: the caller of run()
  Execution* left_ = nullptr;  // by the switch under way
  Execution caller_;
  bool quiet_ = false;
  std::int64_t now_ns_ = 1'000'000'000;
  std::uint64_t random_;
  std::uint64_t keep_going_ = 0;           // random strategy: who runs goes on with keep_going_ / 16
  std::vector<std::uint64_t> lowered_at_;  // steps at which the running thread falls behind all others
  std::uint64_t lowest_ = std::uint64_t{1} << 32;
  std::uint64_t steps_ = 0;
  std::uint64_t in_a_row_ = 0;  // of them, by the running thread
  std::uint64_t hash_ = 0xcbf29ce484222325u;
  std::vector<Decision> decisions_;  // a ring
  std::size_t decided_ = 0;
  ExplorationResult result_;
};

class Exploration::Stacks {
 public:
  Stacks();
  ~Stacks();
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;

 private:
  friend class Exploration;
  /// Throws std::bad_alloc.
  Stack* take();
  void give(Stack* stack) noexcept { free_.push_back(stack); }
  std::vector<Stack*> free_;  // has room for all that were made
  std::size_t made_ = 0;
};

}  // namespace weft::scheduler

#endif
