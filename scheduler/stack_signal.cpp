#include "scheduler/stack_signal.hpp"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

#include "scheduler/stack_pool.hpp"

namespace weft::inline v0::scheduler {
namespace {

enum Phase : std::uint32_t { kIdle, kAsked, kClaimed, kStopped };
constexpr std::uint32_t kPhaseMask = 3, kNextNumber = 4;

std::atomic<std::uint32_t> request{kIdle};  // number and phase (G2)
// What is asked, written before kAsked by the observer; and the answer, before kStopped by the handler.
std::atomic<pid_t> asked_thread{0};
std::atomic<const Stack*> asked_stack{nullptr};
std::atomic<std::uint64_t> asked_owner{0};
Registers answer;
std::atomic<bool> answer_is_good{false};

std::mutex one_observer;
std::mutex installing;
int installed_number = 0;  // these three under `installing`
unsigned shares = 0;
struct sigaction action_before;

void futex_wait(std::uint32_t value, const timespec* patience) noexcept {
  syscall(SYS_futex, &request, FUTEX_WAIT_PRIVATE, value, patience, nullptr, 0);
}
void futex_wake() noexcept { syscall(SYS_futex, &request, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0); }

#if defined(__x86_64__)
Registers interrupted(const ucontext_t& context) noexcept {
  const auto& saved = context.uc_mcontext.gregs;
  const auto get = [&](int which) { return static_cast<std::uintptr_t>(saved[which]); };
  return {get(REG_RIP), get(REG_RSP), get(REG_RBP), get(REG_RBX), get(REG_R12), get(REG_R13), get(REG_R14), get(REG_R15)};
}
#else
Registers interrupted(const ucontext_t&) noexcept { return {}; }
#endif

void pass_on(int number, siginfo_t* info, void* context) noexcept {
  if ((action_before.sa_flags & SA_SIGINFO) != 0) {
    if (action_before.sa_sigaction != nullptr) action_before.sa_sigaction(number, info, context);
  } else if (action_before.sa_handler != SIG_DFL && action_before.sa_handler != SIG_IGN) {
    action_before.sa_handler(number);
  }
}

// Async-signal-safe (G1).
void on_signal(int number, siginfo_t* info, void* context) {
  const int kept_errno = errno;
  if (info->si_code != SI_QUEUE || info->si_value.sival_ptr != &request) {
    pass_on(number, info, context);
    errno = kept_errno;
    return;
  }
  // acquire pairs with the release that asked: what is asked is visible.
  std::uint32_t seen = request.load(std::memory_order_acquire);
  const bool for_us = (seen & kPhaseMask) == kAsked && asked_thread.load(std::memory_order_relaxed) == gettid();
  if (!for_us || !request.compare_exchange_strong(seen, seen - kAsked + kClaimed, std::memory_order_acq_rel)) {
    errno = kept_errno;  // Nobody waits for it any more.
    return;
  }
  const std::uint32_t number_of_it = seen - kAsked;
  answer = interrupted(*static_cast<const ucontext_t*>(context));
  const Stack& stack = *asked_stack.load(std::memory_order_relaxed);
  const auto limit = reinterpret_cast<std::uintptr_t>(stack.limit());
  const auto top = reinterpret_cast<std::uintptr_t>(stack.base + stack.bytes);
  const bool on_it = answer.rsp >= limit && answer.rsp < top && !in_switch(answer.rip);
  answer_is_good.store(on_it && stack.owner.load(std::memory_order_relaxed) == asked_owner.load(std::memory_order_relaxed),
                       std::memory_order_relaxed);
  // release: the answer, and all that this thread wrote to its stack, is visible to the observer.
  request.store(number_of_it + kStopped, std::memory_order_release);
  futex_wake();
  while (request.load(std::memory_order_acquire) == number_of_it + kStopped) futex_wait(number_of_it + kStopped, nullptr);
  errno = kept_errno;
}

/// Waits until the handler answered. False: it did not claim the request in time, and cannot any more.
bool wait_for_answer(std::uint32_t number, std::chrono::milliseconds patience) noexcept {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    std::uint32_t seen = request.load(std::memory_order_acquire);
    if (seen == number + kStopped) return true;
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left > 0 || seen == number + kClaimed) {
      const timespec rest{0, left > 0 && left < 10'000'000 ? static_cast<long>(left) : 10'000'000};
      futex_wait(seen, &rest);
    } else if (request.compare_exchange_strong(seen, number + kIdle, std::memory_order_acq_rel)) {
      return false;
    }
  }
}

}  // namespace

StackSignal::StackSignal(int number) noexcept : state_(State::none) {
  if (number == 0) return;
  const std::lock_guard<std::mutex> hold(installing);
  if (shares == 0) {
    struct sigaction action {};
    action.sa_sigaction = &on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, &action_before) != 0) {
      state_ = State::refused;
      return;
    }
    installed_number = number;
  } else if (number != installed_number) {
    state_ = State::other_number;
    return;
  }
  ++shares;
  state_ = State::installed;
}

StackSignal::~StackSignal() {
  if (state_ != State::installed) return;
  const std::lock_guard<std::mutex> hold(installing);
  if (--shares != 0) return;
  sigaction(installed_number, &action_before, nullptr);
  installed_number = 0;
}

bool StackSignal::read(pid_t thread, const Stack& stack, std::uint64_t owner, std::chrono::milliseconds patience,
                       Backtrace& into) noexcept {
  const std::lock_guard<std::mutex> hold(one_observer);
  int signal_number = 0;
  {
    const std::lock_guard<std::mutex> hold_handler(installing);
    signal_number = installed_number;
  }
  if (signal_number == 0 || thread == 0 || thread == gettid()) return false;
  // The unwinder initialises itself, and the linker binds its names, at the first use: not while a thread stands still (G3).
  read_own_stack(into);
  read_stack(Registers{}, into);

  const std::uint32_t number = (request.load(std::memory_order_relaxed) & ~kPhaseMask) + kNextNumber;
  asked_thread.store(thread, std::memory_order_relaxed);
  asked_stack.store(&stack, std::memory_order_relaxed);
  asked_owner.store(owner, std::memory_order_relaxed);
  // release pairs with the acquire in the handler.
  request.store(number + kAsked, std::memory_order_release);
  siginfo_t marked{};
  marked.si_signo = signal_number;
  marked.si_code = SI_QUEUE;
  marked.si_pid = getpid();
  marked.si_uid = getuid();
  marked.si_value.sival_ptr = &request;
  if (syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, signal_number, &marked) != 0) {
    request.store(number + kIdle, std::memory_order_relaxed);  // No thread got the signal.
    return false;
  }
  if (!wait_for_answer(number, patience)) return false;
  const bool good = answer_is_good.load(std::memory_order_relaxed);
  if (good) read_stack(answer, into);
  // release: the handler's thread, and whoever asks next, come after our reading.
  request.store(number + kIdle, std::memory_order_release);
  futex_wake();
  return good;
}

}  // namespace weft::scheduler
