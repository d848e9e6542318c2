#include "scheduler/exploration.hpp"

#if defined(WEFT_EXPLORE)

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "mailbox/base/assert.hpp"

namespace weft::inline v0::scheduler {

// --- stacks ----------------------------------------------------------------------------------------------------------------------

struct Exploration::Stack {
  std::byte* memory = nullptr;  // its lowest page is the guard
  static constexpr std::size_t kBytes = std::size_t{1} << 20;
  static constexpr std::size_t kGuardBytes = 4096;
  [[nodiscard]] std::byte* limit() const noexcept { return memory + kGuardBytes; }
  [[nodiscard]] std::byte* top() const noexcept { return memory + kBytes; }
};

Exploration::Stacks::Stacks() = default;

Exploration::Stacks::~Stacks() {
  for (Stack* stack : free_) {
    ::munmap(stack->memory, Stack::kBytes);
    delete stack;
  }
}

Exploration::Stack* Exploration::Stacks::take() {
  if (!free_.empty()) {
    Stack* const stack = free_.back();
    free_.pop_back();
    return stack;
  }
  free_.reserve(made_ + 1);
  auto stack = std::make_unique<Stack>();
  void* const memory =
      ::mmap(nullptr, Stack::kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  ::mprotect(memory, Stack::kGuardBytes, PROT_NONE);
  stack->memory = static_cast<std::byte*>(memory);
  ++made_;
  return stack.release();
}

// --- threads ---------------------------------------------------------------------------------------------------------------------

struct Exploration::Thread {
  std::size_t number = 0;
  std::string name;
  std::function<void()> body;
  Stack* stack = nullptr;
  Execution execution;
  std::vector<std::byte> parts;  // its values of the thread-locals, while it does not run
  const char* place = "start";
  bool (*over)(const void*) = nullptr;  // null: it does not wait
  const void* of = nullptr;
  std::int64_t deadline_ns = kForever;
  bool time_came = false;
  bool ended = false;
  std::uint64_t priority = 0;
  std::uint64_t stalled_until = 0;  // a step
};

namespace {

std::size_t bytes_of_parts() noexcept {
  std::size_t sum = 0;
  for (base::ThreadPart* part = base::ThreadPart::first; part != nullptr; part = part->next) sum += part->bytes;
  return sum;
}

}  // namespace

Exploration::Exploration(const ExplorationOptions& options, Stacks& stacks)
    : options_(options), stacks_(stacks), random_(options.seed * 0x9E3779B97F4A7C15u + 1), decisions_(options.decisions_kept) {
  constexpr std::array<std::uint64_t, 4> kKeepGoing{0, 8, 12, 15};
  keep_going_ = kKeepGoing[random() % kKeepGoing.size()];
  // How long a run is nobody knows beforehand: from some hundred to some ten thousand steps, each size as likely.
  const std::uint64_t length = std::uint64_t{1} << (7 + random() % 8);
  for (std::uint64_t i = random() % 6; i > 0; --i) lowered_at_.push_back(random() % length);
  adopt_thread(caller_);
}

Exploration::~Exploration() = default;

// Threads of a failed run are left as they are: neither their stacks nor what lies on them may be used again.
ExplorationResult Exploration::run(std::function<void()> body) {
  WEFT_ASSERT(base::explorer() == nullptr, "an exploration is not started inside another");
  base::explorer() = this;
  start("host", std::move(body));
  enter(*threads_.front());
  base::explorer() = nullptr;
  result_.order_hash = hash_;
  result_.steps = steps_;
  if (result_.failed) {
    const std::size_t kept = std::min(decided_, decisions_.size());
    for (std::size_t i = decided_ - kept; i < decided_; ++i) {
      const Decision& one = decisions_[i % decisions_.size()];
      result_.decisions.push_back("step " + std::to_string(one.step) + ": " + threads_[one.before]->name + " at \"" + one.place + "\"" +
                                  (one.before == one.after ? "" : ", then " + threads_[one.after]->name));
    }
    for (auto& thread : threads_) (void)thread.release();
  }
  return std::move(result_);
}

std::size_t Exploration::start(std::string name, std::function<void()> body) {
  auto made = std::make_unique<Thread>();
  Thread& thread = *made;
  thread.number = threads_.size();
  thread.name = std::move(name);
  thread.body = std::move(body);
  thread.stack = stacks_.take();
  forget_frames(thread.stack->limit(), Stack::kBytes - Stack::kGuardBytes);  // Of the thread that left it, or of what was mapped there.
  thread.parts.resize(bytes_of_parts());
  thread.priority = (std::uint64_t{1} << 40) + random() % (std::uint64_t{1} << 40);
  // A word of zeros where a caller's return address would be: unwinders stop there.
  std::byte* const entry = thread.stack->top() - 64;
  std::memset(entry, 0, 64);
  thread.execution.stack_pointer = entry + (sizeof(void*) == 8 ? 56 : 0);
#if defined(__aarch64__)
  thread.execution.stack_pointer = entry;
#endif
  thread.execution.resume_at = reinterpret_cast<void*>(&thread_main);
  thread.execution.adopt_stack(thread.stack->limit(), thread.stack->top(), nullptr);
  threads_.push_back(std::move(made));
  if (current_ != nullptr) point("start thread");
  return thread.number;
}

void Exploration::thread_main() noexcept {
  Exploration& all = *here();
  Thread& self = *all.current_;
  arrived_from(self.execution, *all.left_);
  try {
    self.body();
    self.body = nullptr;
  } catch (const std::exception& error) {
    all.fail("thread " + self.name + " ended with an exception: " + error.what());
  } catch (...) {
    all.fail("thread " + self.name + " ended with an exception");
  }
  here()->end_of_thread();
}

void Exploration::end_of_thread() noexcept {
  Thread& self = *current_;
  self.ended = true;
  self.place = "end";
  // Nobody takes it before the switch below is done.
  stacks_.give(self.stack);
  note("end");
  if (std::all_of(threads_.begin(), threads_.end(), [](const auto& thread) { return thread->ended; })) leave_for_ever();
  Thread* const next = pick();
  switch_to(*next);
  __builtin_unreachable();
}

void Exploration::wait_for_end(std::size_t thread) noexcept {
  const Thread* const joined = threads_[thread].get();
  wait(
      "join thread", [](const void* of) { return static_cast<const Thread*>(of)->ended; }, joined, kForever);
}

// --- the schedule ----------------------------------------------------------------------------------------------------------------

void Exploration::note(const char* place) noexcept {
  for (; *place != 0; ++place) note(static_cast<std::uint64_t>(static_cast<unsigned char>(*place)));
}

std::uint64_t Exploration::random() noexcept {
  // splitmix64
  std::uint64_t mixed = random_ += 0x9E3779B97F4A7C15u;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
  return mixed ^ (mixed >> 31);
}

std::uint64_t Exploration::choose(const char* place, std::uint64_t below) noexcept {
  if (quiet_ || current_ == nullptr) return 0;
  const std::uint64_t chosen = random() % below;
  note(place);
  note(chosen);
  return chosen;
}

bool Exploration::is_planted(const char* fault) const noexcept {
  return std::find(options_.planted.begin(), options_.planted.end(), fault) != options_.planted.end();
}

void Exploration::point(const char* place) noexcept {
  if (quiet_ || current_ == nullptr) return;
  step(place);
}

void Exploration::spin(const char* place) noexcept {
  if (quiet_ || current_ == nullptr) return;
  current_->priority = --lowest_;
  step(place);
}

bool Exploration::wait(const char* place, bool (*over)(const void*), const void* of, std::int64_t deadline_ns) noexcept {
  if (quiet_ || current_ == nullptr) return over(of);
  Thread& self = *current_;
  self.over = over;
  self.of = of;
  self.deadline_ns = deadline_ns;
  self.time_came = false;
  step(place);
  self.over = nullptr;
  return !self.time_came;
}

bool Exploration::is_over(Thread& thread) noexcept {
  if (thread.over == nullptr) return true;
  quiet_ = true;  // What a wait looks at may have points of its own.
  const bool over = thread.over(thread.of);
  quiet_ = false;
  return over;
}

void Exploration::stall(const char* place) noexcept {
  if (quiet_ || current_ == nullptr) return;
  current_->stalled_until = steps_ + 2 + random() % kLongestStall;
  step(place);
}

bool Exploration::may_run(Thread& thread) noexcept {
  if (thread.ended) return false;
  if (thread.over == nullptr) return thread.stalled_until <= steps_;
  if (thread.over(thread.of)) {
    thread.time_came = false;
    return thread.stalled_until <= steps_;
  }
  thread.time_came = thread.deadline_ns <= now_ns_;
  return thread.time_came;
}

bool Exploration::pass_time() noexcept {
  std::int64_t next = kForever;
  for (const auto& thread : threads_) {
    if (!thread->ended && thread->over != nullptr && thread->deadline_ns > now_ns_) next = std::min(next, thread->deadline_ns);
  }
  if (next == kForever) return false;
  now_ns_ = next;
  return true;
}

Exploration::Thread* Exploration::pick() noexcept {
  quiet_ = true;  // As in is_over().
  for (;;) {
    runnable_.clear();
    bool stalled = false;
    for (const auto& thread : threads_) {
      if (may_run(*thread)) {
        runnable_.push_back(thread.get());
      } else {
        stalled = stalled || (!thread->ended && thread->stalled_until > steps_);
      }
    }
    if (!runnable_.empty()) break;
    if (stalled) {
      for (const auto& thread : threads_) thread->stalled_until = 0;
    } else if (!pass_time()) {
      quiet_ = false;
      result_.locks_free = std::none_of(threads_.begin(), threads_.end(), [](const auto& thread) {
        return !thread->ended && (std::strcmp(thread->place, "lock") == 0 || std::strcmp(thread->place, "mutex") == 0);
      });
      fail("everybody waits, and no time limit ends it:" + places());
    }
  }
  quiet_ = false;
  if (options_.by_priority)
    return *std::max_element(runnable_.begin(), runnable_.end(), [](auto* a, auto* b) { return a->priority < b->priority; });
  return runnable_[random() % runnable_.size()];
}

void Exploration::step(const char* place) noexcept {
  Thread& self = *current_;
  self.place = place;
  ++steps_;
  if (steps_ > options_.max_steps) fail("more than " + std::to_string(options_.max_steps) + " steps:" + places());
  if (options_.by_priority &&
      (++in_a_row_ == kMostInARow || std::find(lowered_at_.begin(), lowered_at_.end(), steps_) != lowered_at_.end())) {
    self.priority = --lowest_;
  }
  if (options_.stall_every != 0 && random() % options_.stall_every == 0) self.stalled_until = steps_ + 1 + random() % kLongestStall;
  if (options_.hurry_every != 0 && random() % options_.hurry_every == 0) {
    // A millisecond to a day; in a long run the centuries add up.
    now_ns_ = std::max(now_ns_, std::min(now_ns_ + (std::int64_t{1} << (20 + random() % 28)), kLatestHurry));
  }
  const bool goes_on = !options_.by_priority && random() % 16 < keep_going_ && self.stalled_until <= steps_ && is_over(self);
  Thread* const next = goes_on ? &self : pick();
  note(place);
  note(next->number);
  if (!decisions_.empty()) decisions_[decided_ % decisions_.size()] = {place, self.number, next->number, steps_};
  ++decided_;
  if (next != &self) switch_to(*next);
}

// --- switching -------------------------------------------------------------------------------------------------------------------

void Exploration::exchange_parts(Thread* leaves, Thread* enters) noexcept {
  std::size_t at = 0;
  for (base::ThreadPart* part = base::ThreadPart::first; part != nullptr; part = part->next) {
    void* const mine = part->address();
    if (leaves != nullptr) std::memcpy(leaves->parts.data() + at, mine, part->bytes);
    if (enters != nullptr) {
      std::memcpy(mine, enters->parts.data() + at, part->bytes);
    } else {
      std::memset(mine, 0, part->bytes);
    }
    at += part->bytes;
  }
}

[[gnu::noinline]] void Exploration::switch_to(Thread& next) noexcept {
  Thread& self = *current_;
  in_a_row_ = 0;
  exchange_parts(&self, &next);
  current_ = &next;
  left_ = &self.execution;
  jump(self.execution, next.execution, thread_exception_state(), self.ended);
  Exploration& all = *here();
  arrived_from(all.current_->execution, *all.left_);
}

[[gnu::noinline]] void Exploration::enter(Thread& next) noexcept {
  exchange_parts(nullptr, &next);
  current_ = &next;
  left_ = &caller_;
  jump(caller_, next.execution, thread_exception_state(), false);
  arrived_from(caller_, *left_);
}

[[gnu::noinline]] void Exploration::leave_for_ever() noexcept {
  Thread& self = *current_;
  exchange_parts(&self, nullptr);
  current_ = nullptr;
  left_ = &self.execution;
  jump(self.execution, caller_, thread_exception_state(), true);
  __builtin_unreachable();
}

// --- the end ---------------------------------------------------------------------------------------------------------------------

std::string Exploration::places() const {
  std::string text;
  for (const auto& thread : threads_) {
    if (!thread->ended) text += "\n  " + thread->name + (thread->over != nullptr ? " waits at \"" : " is at \"") + thread->place + "\"";
  }
  return text;
}

void Exploration::fail(std::string what) {
  result_.failed = true;
  result_.what = std::move(what);
  leave_for_ever();
}

}  // namespace weft::scheduler

#endif
