#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/conformance/puppet.hpp"

namespace weft::test {

/// Stops threads, not processes: for code that must be caught in the act.
class Gate {
 public:
  void open() noexcept {
    open_.store(true, std::memory_order_release);  // Pairs with pass(): what the opener did is seen by who went through.
    open_.notify_all();
  }
  void pass() const noexcept { open_.wait(false, std::memory_order_acquire); }

 private:
  std::atomic<bool> open_{false};
};

/// Calls `act` when it goes out of scope.
template <class F>
struct AtEnd {
  F act;
  ~AtEnd() { act(); }
};
template <class F>
AtEnd(F) -> AtEnd<F>;

/// Carries a share of `token`, so that the token's other owner sees when this message is destroyed.
struct Carrier {
  std::shared_ptr<int> token;
};

/// Out of line, so that the compiler does not see what it does to its callers.
[[gnu::noinline]] inline void fail(const char* text) { throw std::runtime_error(text); }
[[gnu::noinline]] inline void promise_not_to_fail() noexcept { fail("promise broken"); }

/// A message that acts when it is destroyed.
struct OnDestruction {
  std::function<void()> act;
  explicit OnDestruction(std::function<void()> f) : act(std::move(f)) {}
  OnDestruction(OnDestruction&& other) noexcept : act(std::exchange(other.act, nullptr)) {}
  ~OnDestruction() {
    if (act) act();
  }
};

template <class E, class F>
bool throws(F act) {
  try {
    act();
  } catch (const E&) {
    return true;
  } catch (...) {
    return false;
  }
  return false;
}

/// The text of the E that `act` throws.
template <class E, class F>
std::string text_of(F act) {
  try {
    act();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "the expected error was not thrown";
  return {};
}

/// In a process: takes the Ints that are in the mailbox already.
inline std::vector<int> queued_ints() {
  std::vector<int> found;
  while (const std::optional<Int> next = poll<Int>()) found.push_back(next->n);
  return found;
}

/// Spawn with trap_exit: leaves its mailbox alone until an exit signal, which no limit sheds, comes; then tells `to` which Ints it had.
inline void read_ints_on_exit(Pid to) {
  receive<Exit>();
  send(to, Answer<std::vector<int>>{queued_ints()});
}

/// The Ints that a process of read_ints_on_exit() has, which ends it.
inline std::vector<int> ints_of(Pid reader) {
  exit(reader, ExitReason::shutdown);
  return await<Answer<std::vector<int>>>().value;
}

/// A killed process that stands still inside a destructor, holding its worker, until this object goes. For plain threads.
class HeldInDestructor {
 public:
  HeldInDestructor(Runtime& rt, SpawnOptions options)
      : process_(rt.start(std::move(options), [gates = gates_] {
          const AtEnd hold{[&] {
            gates->unwinding.open();
            gates->leave.pass();
          }};
          gates->started.open();
          receive_forever();
        })) {
    gates_->started.pass();
    rt.kill(pid());
    gates_->unwinding.pass();
  }
  ~HeldInDestructor() {
    gates_->leave.open();
    process_.join();
  }
  HeldInDestructor(const HeldInDestructor&) = delete;
  HeldInDestructor& operator=(const HeldInDestructor&) = delete;

  Pid pid() const { return process_.pid(); }

 private:
  struct Gates {
    Gate started, unwinding, leave;
  };
  std::shared_ptr<Gates> gates_ = std::make_shared<Gates>();
  JoinHandle process_;
};

/// What a log sink was told.
class LogBook {
 public:
  void add(LogLevel level, std::string_view text) {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(level, text);
  }
  std::size_t count(LogLevel level) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count_if(lines_.begin(), lines_.end(), [&](const auto& line) { return line.first == level; }));
  }
  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return lines_.size();
  }
  std::vector<std::string> texts(LogLevel level) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const auto& [of, text] : lines_) {
      if (of == level) found.push_back(text);
    }
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<LogLevel, std::string>> lines_;  // Guarded by mutex_.
};

/// A sink that writes into `book`, which must outlive the runtime.
inline LogSink sink_into(LogBook& book) {
  return [&book](LogLevel level, std::string_view text) { book.add(level, text); };
}

}  // namespace weft::test
