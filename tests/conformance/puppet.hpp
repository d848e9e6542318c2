#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "tests/support/runtime_fixture.hpp"

namespace weft::test {

struct Int {
  int n;
};
struct Text {
  std::string text;
};
struct Ping {
  Pid from;
};
struct Pong {};
struct Go {};
struct Never {};  // Nobody sends one.

struct Job {
  std::function<void()> act;
};
template <class R>
struct Answer {
  R value;
};

/// A body that does what it is told and leaves every other message in its mailbox.
inline void puppet() {
  for (;;) receive<Job>().act();
}

/// Has the puppet do `job` sometime.
template <class F>
void tell(Pid puppet_pid, F job) {
  send(puppet_pid, Job{std::move(job)});
}

/// Has the puppet do `job` and waits for its result.
template <class F>
auto ask(Pid puppet_pid, F job) {
  using Result = std::invoke_result_t<F&>;
  const Pid asker = self();
  if constexpr (std::is_void_v<Result>) {
    tell(puppet_pid, [asker, job]() mutable {
      job();
      send(asker, Answer<std::monostate>{});
    });
    await<Answer<std::monostate>>();
  } else {
    tell(puppet_pid, [asker, job]() mutable { send(asker, Answer<Result>{job()}); });
    return await<Answer<Result>>().value;
  }
}

/// The DOWN for `ref`; others stay where they are.
inline Down await_down(MonitorRef ref) {
  return receive(when([ref](const Down& down) { return down.ref == ref; }, [](Down down) { return down; }),
                 after(kPatience, []() -> Down { throw std::runtime_error("the awaited DOWN never came"); }));
}

/// Ends `victim` and returns once its DOWN has come.
inline void kill_and_wait(Pid victim) {
  const MonitorRef ref = monitor(victim);
  kill(victim);
  await_down(ref);
}

/// A pid whose process is gone for certain.
inline Pid dead_pid() {
  const Monitored child = spawn_monitor([] {});
  await_down(child.ref);
  return child.pid;
}

}  // namespace weft::test
