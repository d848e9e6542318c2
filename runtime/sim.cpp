#include <weft/sim.hpp>

#include "runtime/sim.hpp"

#if defined(WEFT_EXPLORE)

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <optional>
#include <typeinfo>

#include "mailbox/base/demangle.hpp"
#include "runtime/core.hpp"
#include "scheduler/exploration.hpp"

namespace weft::inline v0::detail {
namespace {

using scheduler::Exploration;

/// Of the run under way on this thread.
struct Run {
  struct Victim {
    RuntimeCore* core;
    Pid pid;
  };
  sim::Faults faults;
  std::vector<Victim> victims;  // chosen, not killed yet
  RuntimeCore* killing_in = nullptr;
  Runtime* runtime = nullptr;  // that the body was given, while it runs
  bool over = false;
};

thread_local Run* run_here = nullptr;

/// Whether an occasion for a fault is used.
bool happens(const char* place, double chance) noexcept {
  constexpr std::uint64_t kParts = 1'000'000;
  return chance > 0 && static_cast<double>(base::explorer()->choose(place, kParts)) < chance * static_cast<double>(kParts);
}

std::uint64_t every(double chance) noexcept {
  constexpr double kLeast = 1e-12;
  return chance > 0 ? static_cast<std::uint64_t>(1 / std::max(chance, kLeast) + 0.5) : 0;
}

/// A thread of its own kills, so that a kill comes at any moment after it was decided.
void kill_victims(Run& state) {
  for (;;) {
    base::explore_wait("kill", [&state] { return state.over || !state.victims.empty(); });
    if (state.victims.empty()) return;
    const Run::Victim victim = state.victims.back();
    state.victims.pop_back();
    state.killing_in = victim.core;
    victim.core->exit_signal(Pid{}, victim.pid, ExitReason::kill);
    state.killing_in = nullptr;
  }
}

// --- a crash names its seed ------------------------------------------------------------------------------------------------------

thread_local std::uint64_t seed_under_way = 0;

/// Says which seed it was when weft, or the program, aborts or crashes in the middle of a run; then the program ends by the signal.
class CrashNotes {
 public:
  CrashNotes() noexcept {
    struct sigaction note {};
    note.sa_handler = [](int number) {
      std::array<char, 96> line{};
      const int length = std::snprintf(line.data(), line.size(), "weft: signal %d in an exploration; WEFT_EXPLORE_SEED=%llu\n", number,
                                       static_cast<unsigned long long>(seed_under_way));
      (void)!::write(STDERR_FILENO, line.data(), static_cast<std::size_t>(length));
    };
    note.sa_flags = static_cast<int>(SA_RESETHAND | SA_ONSTACK);
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &note, &before_[i]);
  }
  ~CrashNotes() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }
  CrashNotes(const CrashNotes&) = delete;
  CrashNotes& operator=(const CrashNotes&) = delete;

 private:
  static constexpr std::array<int, 4> kSignals{SIGABRT, SIGSEGV, SIGBUS, SIGILL};
  std::array<struct sigaction, 4> before_{};
};

// --- the runs --------------------------------------------------------------------------------------------------------------------

void check(const sim::Options& options) {
  if (current_process() != nullptr || blocking_section() != nullptr) throw Error("explore() called by a process");
  if (base::exploring()) throw Error("explore() called inside an exploration");
  const sim::Faults& faults = options.faults;
  for (const double chance : {faults.kill, faults.shed, faults.delay, faults.stall, faults.hurry}) {
    if (!(chance >= 0 && chance <= 1)) throw BadArgument("explore() with a chance of " + std::to_string(chance));
  }
  if (options.seeds == 0) throw BadArgument("explore() with no seed");
  if (options.workers == 0 || options.workers > scheduler::IdleSet::kMaxWorkers) {
    throw BadArgument("explore() with " + std::to_string(options.workers) + " workers, allowed are 1 to " +
                      std::to_string(scheduler::IdleSet::kMaxWorkers));
  }
}

std::optional<std::uint64_t> number_from_environment(const char* name) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = text + std::strlen(text);
  const auto [stopped, error] = std::from_chars(text, end, number);
  if (error != std::errc() || stopped != end) throw BadArgument(std::string(name) + " is \"" + text + "\", which is no number");
  return number;
}

scheduler::ExplorationOptions options_of_run(const sim::Options& options, std::uint64_t seed) {
  scheduler::ExplorationOptions made;
  made.seed = seed;
  made.by_priority = options.strategy == sim::Strategy::priority || (options.strategy == sim::Strategy::mixed && seed % 2 == 0);
  made.max_steps = options.max_steps;
  made.hurry_every = every(options.faults.hurry);
  made.stall_every = every(options.faults.stall);
  made.decisions_kept = options.decisions_kept;
  made.planted = options.planted;
  return made;
}

[[noreturn]] void fail_by_exception(Exploration& exploration) {
  try {
    throw;
  } catch (const std::exception& error) {
    exploration.fail(base::demangled(typeid(error).name()) + ": " + error.what());
  } catch (...) {
    exploration.fail("an exception that is no std::exception");
  }
}

/// Who is left in a run that stands still.
std::string processes_of(Runtime& runtime) {
  std::string text;
  for (const Pid pid : runtime.list()) {
    const std::optional<ProcessInfo> one = runtime.info(pid);
    if (!one) continue;
    text += "\n  process " + pid.to_string();
    if (!one->label.empty()) text += " \"" + one->label + "\"";
    for (const std::string& name : one->names) text += " named \"" + name + "\"";
    if (!one->waiting_for.empty()) text += " waits for " + one->waiting_for;
    if (one->mailbox_depth != 0) text += ", messages in its mailbox: " + std::to_string(one->mailbox_depth);
  }
  return text;
}

scheduler::ExplorationResult run_once(const sim::Options& options, std::uint64_t seed, Exploration::Stacks& stacks,
                                      const std::function<void()>& body) {
  Exploration exploration(options_of_run(options, seed), stacks);
  auto* const state = new Run;  // A failed run leaves it behind.
  state->faults = options.faults;
  run_here = state;
  seed_under_way = seed;
  auto result = exploration.run([&] {
    std::optional<scheduler::Thread> killer;
    if (state->faults.kill > 0) killer.emplace("killer", [state] { kill_victims(*state); });
    try {
      body();
    } catch (...) {
      fail_by_exception(exploration);
    }
    state->over = true;
    if (killer) killer->join();
  });
  run_here = nullptr;
  if (!result.failed) delete state;
  if (result.locks_free && state->runtime != nullptr) result.what += processes_of(*state->runtime);
  return result;
}

}  // namespace

void explored_suspension(RuntimeCore& core, ControlBlock& self) noexcept {
  Run* const state = run_here;
  if (state == nullptr || state->faults.kill <= 0) return;
  const bool may = state->faults.may_kill ? state->faults.may_kill(self.pid) : static_cast<bool>(self.parent);
  if (may && happens("fault: kill", state->faults.kill)) state->victims.push_back({&core, self.pid});
}

bool explored_shed(ControlBlock& block) noexcept {
  Run* const state = run_here;
  if (state == nullptr) return false;
  if (happens("fault: delay", state->faults.delay)) Exploration::here()->stall("delayed");
  return block.overflow.load(std::memory_order_relaxed) == Overflow::shed_newest && happens("fault: shed", state->faults.shed);
}

void explored_end(RuntimeCore& core) noexcept {
  Run* const state = run_here;
  if (state == nullptr) return;
  std::erase_if(state->victims, [&core](const Run::Victim& victim) { return victim.core == &core; });
  base::explore_wait("until nobody is killed", [&] { return state->killing_in != &core; });
}

sim::Report explore_threads(const sim::Options& options, const std::function<void()>& body) {
  check(options);
  std::uint64_t first = options.first_seed;
  std::uint64_t seeds = options.seeds;
  if (const auto only = number_from_environment("WEFT_EXPLORE_SEED")) {
    first = *only;
    seeds = 1;
  } else if (const auto times = number_from_environment("WEFT_EXPLORE_TIMES"); times && *times != 0) {
    seeds = *times > UINT64_MAX / seeds ? UINT64_MAX : seeds * *times;
  }
  const CrashNotes notes;
  Exploration::Stacks stacks;
  sim::Report report;
  for (std::uint64_t seed = first; seed - first < seeds && !report.failed; ++seed) {
    scheduler::ExplorationResult result = run_once(options, seed, stacks, body);
    ++report.runs;
    report.steps += result.steps;
    report.order_hash = result.order_hash;
    report.seed = seed;
    report.failed = result.failed;
    report.what = std::move(result.what);
    report.decisions = std::move(result.decisions);
  }
  return report;
}

sim::Report explore_program(const sim::Options& options, const std::function<void(Runtime&)>& body) {
  RuntimeOptions wanted = options.runtime;
  wanted.workers = options.workers;
  return explore_threads(options, [&] {
    Runtime runtime(wanted);
    run_here->runtime = &runtime;
    try {
      body(runtime);
    } catch (...) {
      fail_by_exception(*Exploration::here());
    }
    run_here->runtime = nullptr;
  });
}

}  // namespace weft::detail

namespace weft::inline v0::sim {
namespace {

scheduler::Exploration& exploration_here(const char* call) {
  if (scheduler::Exploration* const here = scheduler::Exploration::here()) return *here;
  throw Error("sim::" + std::string(call) + " outside an explored program");
}

}  // namespace

void require(bool holds, std::string_view text) {
  scheduler::Exploration& here = exploration_here("require()");
  if (!holds) here.fail("not met: " + std::string(text));
}

std::uint64_t choose(std::uint64_t below) {
  if (below == 0) throw BadArgument("sim::choose(0)");
  return exploration_here("choose()").choose("choose", below);
}

Thread::Thread(std::string name, std::function<void()> body)
    : number_(exploration_here("Thread").start(std::move(name), std::move(body))), run_(scheduler::Exploration::here()->seed()) {}

void Thread::join() noexcept {
  const scheduler::Exploration* const here = scheduler::Exploration::here();
  if (here != nullptr && here->seed() == run_) base::explore_join(number_);
}

}  // namespace weft::sim

#else

namespace weft::inline v0 {
namespace {

[[noreturn]] void refuse(const char* call) {
  throw Error("sim::" + std::string(call) + ": this weft was built without WEFT_EXPLORE, which exploring schedules needs");
}

}  // namespace

void detail::explored_suspension(RuntimeCore&, ControlBlock&) noexcept {}
bool detail::explored_shed(ControlBlock&) noexcept { return false; }
void detail::explored_end(RuntimeCore&) noexcept {}
sim::Report detail::explore_program(const sim::Options&, const std::function<void(Runtime&)>&) { refuse("explore()"); }
sim::Report detail::explore_threads(const sim::Options&, const std::function<void()>&) { refuse("explore()"); }

void sim::require(bool, std::string_view) { refuse("require()"); }
std::uint64_t sim::choose(std::uint64_t) { refuse("choose()"); }
sim::Thread::Thread(std::string, std::function<void()>) : number_(0), run_(0) { refuse("Thread"); }
void sim::Thread::join() noexcept { (void)number_, (void)run_; }

}  // namespace weft

#endif

namespace weft::inline v0::sim {

std::string Report::to_string() const {
  if (!failed) return std::to_string(runs) + " schedules, " + std::to_string(steps) + " steps, no failure";
  std::string text = "schedule " + std::to_string(runs) + ", seed " + std::to_string(seed) + ", fails: " + what + "\n";
  for (const std::string& decision : decisions) text += "  " + decision + "\n";
  std::string hash(16, '0');
  for (std::size_t i = 0; i < 16; ++i) hash[15 - i] = "0123456789abcdef"[order_hash >> (4 * i) & 15];
  return text + "order hash " + hash + ". To run it again: WEFT_EXPLORE_SEED=" + std::to_string(seed);
}

}  // namespace weft::sim
