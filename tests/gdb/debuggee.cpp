// What gdb_test.py looks at: a program with a process in every state, which stops in debuggee_is_ready().
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include <weft/weft.hpp>

using namespace std::chrono_literals;

struct Parcel {
  int weight;
  std::string to;
};
struct Never {};

std::atomic<bool> spinning{false};
std::atomic<bool> over{false};

// What follows a call keeps the compiler from making it a jump, after which the caller would not be on the stack.
#define DEBUGGEE_NOT_LAST asm volatile("" ::: "memory")

[[gnu::noinline]] void debuggee_waits_here(int depth) {
  if (depth > 0) {
    debuggee_waits_here(depth - 1);
  } else {
    weft::receive([](Never) {});
  }
  DEBUGGEE_NOT_LAST;
}

[[gnu::noinline]] void debuggee_spins_here() {
  spinning.store(true);
  while (!over.load(std::memory_order_relaxed)) {
  }
}

[[gnu::noinline]] void debuggee_is_ready(const weft::Pid& pid, const weft::Message& message, const weft::ExitReason& reason,
                                         const weft::ExitReason& named) {
  asm volatile("" : : "r"(&pid), "r"(&message), "r"(&reason), "r"(&named) : "memory");
}

/// With the argument "mprotect" guards are of that kind; with "abort" it ends by a signal that leaves a core.
int main(int count, char** arguments) {
  const std::string_view wanted = count > 1 ? arguments[1] : "";
  weft::Runtime rt({.workers = 2, .stack_guard = wanted == "mprotect" ? weft::StackGuard::mprotect : weft::StackGuard::automatic});
  const weft::Pid waiter = rt.spawn({.name = "waiter", .label = "one who waits"}, [] { debuggee_waits_here(2); });
  rt.spawn({.label = "sleeper"}, [] { weft::sleep_for(1h); });
  rt.spawn({.label = "hibernated"}, [] { weft::hibernate([] { weft::receive_any(); }); });
  rt.run_until_idle();
  rt.send(waiter, Parcel{7, "Uppsala"});
  rt.run_until_idle();  // It has seen the first one, and not the one after.
  rt.send(waiter, Parcel{8, "Lund"});
  rt.run_until_idle();
  rt.spawn({.label = "spinner"}, debuggee_spins_here);
  while (!spinning.load()) std::this_thread::yield();
  debuggee_is_ready(waiter, weft::Message::of(Parcel{9, "Visby"}), weft::ExitReason::error("std::runtime_error", "boom"),
                    weft::ExitReason::of(weft::Atom("out_of_parcels")));
  if (wanted == "abort") std::abort();
  over.store(true);
}
