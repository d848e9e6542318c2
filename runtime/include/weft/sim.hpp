// Runs a program under many schedules, each decided by a seed, until one makes it fail. Needs a weft built with WEFT_EXPLORE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <weft/error.hpp>
#include <weft/pid.hpp>
#include <weft/runtime.hpp>

namespace weft::inline v0::sim {

/// How the next thread is chosen at each point.
enum class Strategy : std::uint8_t {
  mixed,     ///< by turns: odd seeds `random`, even ones `priority`
  random,    ///< anybody; how often the one that runs goes on is drawn for each seed
  priority,  ///< threads have random priorities, and the one that runs falls behind all others at a few random moments
};

/// What goes wrong besides. Chances are per occasion, 0 to 1.
struct Faults {
  double kill = 0;                      ///< a process that suspends is killed, soon
  std::function<bool(Pid)> may_kill{};  ///< whom; without one, everybody who has a parent. Calls nothing of weft.
  double shed = 0;                      ///< a mailbox that sheds the newest counts as full
  double delay = 0;                     ///< a message to a bounded mailbox is long under way
  double stall = 0;                     ///< a thread stands still, at a point; one in a whole number of them
  double hurry = 0;                     ///< at a point, one in a whole number, a millisecond to a day passes although processes could go on
};

/// What to explore, and how.
struct Options {
  std::uint64_t seeds = 1000;           ///< how many schedules
  std::uint64_t first_seed = 1;         ///< the others follow it
  unsigned workers = 2;                 ///< of the Runtime that the body gets; not 0, so that a seed means the same on every machine
  Strategy strategy = Strategy::mixed;  ///< how the next thread is chosen
  Faults faults{};                      ///< what goes wrong besides
  std::uint64_t max_steps = 1'000'000;  ///< a run that takes more has failed
  std::size_t decisions_kept = 30;      ///< in the report
  RuntimeOptions runtime{};             ///< of that Runtime, but for `workers`; its clock is virtual in any case
  std::vector<std::string> planted{};   ///< for weft's own tests
};

/// What came of it.
struct Report {
  std::uint64_t runs = 0;              ///< schedules that were run
  std::uint64_t steps = 0;             ///< of all runs: points that were passed
  std::uint64_t order_hash = 0;        ///< of the last run. Equal hashes: the same places in the same order.
  bool failed = false;                 ///< the last run did
  std::uint64_t seed = 0;              ///< of the last run, the one that failed
  std::string what;                    ///< the exception, the deadlock, the limit
  std::vector<std::string> decisions;  ///< the last ones before the failure: who was where, who went on
  /// All of it, and how to run it again.
  std::string to_string() const;
};

/// A schedule was found under which the program fails.
class Failed : public Error {
 public:
  /// For weft itself.
  explicit Failed(Report report) : Error(report.to_string()), report_(std::move(report)) {}
  const Report& report() const noexcept { return report_; }  ///< What explore() would have returned.

 private:
  Report report_;
};

}  // namespace weft::sim

namespace weft::inline v0::detail {
/// @{
/// try_explore() of a body with a Runtime, and of one without.
sim::Report explore_program(const sim::Options& options, const std::function<void(Runtime&)>& body);
sim::Report explore_threads(const sim::Options& options, const std::function<void()>& body);
/// @}
}  // namespace weft::detail

namespace weft::inline v0::sim {

/// Runs `body` once for each seed: `body(runtime)` with a fresh Runtime, `body()` without one. It is called on a plain thread, to start
/// processes and to wait for them.
///
/// Everything is real but the threads: one runs at a time, and at each of weft's points the seed decides who goes on. Time is virtual, and
/// passes when everybody waits. A run fails when `body` throws, when require() is not met, when everybody waits for ever, and after
/// `max_steps`; the first that fails is the last. The same seed gives the same run, in another process too, if the program takes nothing
/// from outside: no real time, no randomness but choose(), no order of addresses.
///
/// Not seen: threads that the program starts itself (use sim::Thread), descriptors. A mutex of the program's that is held over a call of
/// weft hangs, and so does a loop that never calls weft. Of `runtime`, Clock::virtual_time still means that only advance() moves the clock.
/// A failed run is left as it stands: its memory is not freed. What the body makes, runtimes and threads above all, it also ends: nothing
/// of it may be kept outside. Environment: WEFT_EXPLORE_SEED, a number, is the only seed that is run. WEFT_EXPLORE_TIMES, a number: so many
/// times the seeds, for a night. Errors: Error in a weft that was built without WEFT_EXPLORE, in a process, and inside another exploration;
/// BadArgument for chances that are none, no seeds, no workers or more than a Runtime may have, and numbers of the environment that are
/// none.
template <class F>
Report try_explore(const Options& options, F body) {
  if constexpr (std::is_invocable_v<F&, Runtime&>) {
    return detail::explore_program(options, std::move(body));
  } else {
    return detail::explore_threads(options, std::move(body));
  }
}

/// As try_explore(). Errors: Failed, too.
template <class F>
Report explore(const Options& options, F body) {
  Report report = try_explore(options, std::move(body));
  if (report.failed) throw Failed(std::move(report));
  return report;
}

/// Ends the run as failed, with `text`, unless `holds`. From any process or thread of an explored program; elsewhere it throws Error.
void require(bool holds, std::string_view text);

/// A number below `below` that belongs to the seed. Elsewhere than in an explored program it throws Error, as for a `below` of 0.
std::uint64_t choose(std::uint64_t below);

/// A plain thread of an explored program, which may call Runtime's members. Joined by its destructor at the latest.
class Thread {
 public:
  /// Errors: Error elsewhere than in an explored program.
  Thread(std::string name, std::function<void()> body);
  ~Thread() { join(); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  /// Waits for its end. Does nothing in another run than its own.
  void join() noexcept;

 private:
  std::size_t number_;
  std::uint64_t run_;  // whose thread it is
};

}  // namespace weft::sim
