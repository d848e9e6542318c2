#include "runtime/terminate.hpp"

#include <cxxabi.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>

#include "runtime/core.hpp"

namespace weft::inline v0::detail {
namespace {

// --- std::terminate --------------------------------------------------------------------------------------------------------------

std::terminate_handler handler_before = nullptr;

[[noreturn]] void on_terminate() {
  if (ControlBlock* self = current_process()) {
    // Unwinding is over for this stack: its frames cannot be left, so they are abandoned, and what they hold leaks. The process ends.
    scheduler::Stack& stack = *self->stack.load(std::memory_order_relaxed);  // Read first: the slot may have another tenant after.
    current_core()->end_in_terminate(*self);
    scheduler::Worker::abandon_stack(stack);
  }
  if (handler_before != nullptr) handler_before();
  std::abort();
}

// --- stack overflow --------------------------------------------------------------------------------------------------------------

constexpr std::size_t kMostCores = 64;
constexpr std::size_t kAlternateBytes = std::size_t{64} * 1024;
std::array<std::atomic<RuntimeCore*>, kMostCores> watched{};
std::mutex watched_mutex;
unsigned watched_count = 0;
struct sigaction action_before;

void put(const char* text) noexcept {
  const ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
  (void)written;
}

void put_number(std::uint64_t n) noexcept {
  char digits[24];
  char* at = digits + sizeof digits;
  *--at = 0;
  do {
    *--at = static_cast<char>('0' + n % 10);
    n /= 10;
  } while (n != 0);
  put(at);
}

// Async-signal-safe: StackPool::find() takes no lock, and the label is read only if its lock is free.
void on_fault(int number, siginfo_t* info, void* context) {
  for (auto& slot : watched) {
    RuntimeCore* core = slot.load(std::memory_order_acquire);
    if (core == nullptr) continue;
    const scheduler::Stack* stack = core->scheduler.stacks().find(info->si_addr);
    if (stack == nullptr || !stack->in_guard(info->si_addr)) continue;
    const Pid pid = Pid::from_id(stack->owner.load(std::memory_order_relaxed));
    put("weft: stack overflow in process <0.");
    put_number(pid.index());
    put(".");
    put_number(pid.generation());
    put(">");
    if (ControlBlock* block = core->slot_of(pid); block != nullptr && block->lock.try_lock()) {
      if (block->extras && !block->extras->label.empty()) {
        put(" (");
        put(block->extras->label.c_str());
        put(")");
      }
      block->lock.unlock();
    }
    put(": its stack has ");
    put_number(stack->bytes);
    put(" bytes (SpawnOptions::stack_bytes)\n");
    signal(SIGSEGV, SIG_DFL);  // The faulting instruction runs again and ends the program with a core.
    return;
  }
  if ((action_before.sa_flags & SA_SIGINFO) != 0 && action_before.sa_sigaction != nullptr) {
    action_before.sa_sigaction(number, info, context);
  } else if (action_before.sa_handler != SIG_DFL && action_before.sa_handler != SIG_IGN) {
    action_before.sa_handler(number);
  } else {
    signal(SIGSEGV, SIG_DFL);
  }
}

/// A thread's alternate stack, given back when the thread ends.
struct AlternateStack {
  void* memory = MAP_FAILED;
  void set_up() noexcept {
    if (memory != MAP_FAILED) return;
    memory = mmap(nullptr, kAlternateBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    stack_t wanted{};
    wanted.ss_sp = memory;
    wanted.ss_size = kAlternateBytes;
    sigaltstack(&wanted, nullptr);
  }
  ~AlternateStack() {
    if (memory == MAP_FAILED) return;
    stack_t off{};
    off.ss_flags = SS_DISABLE;
    sigaltstack(&off, nullptr);
    munmap(memory, kAlternateBytes);
  }
};

}  // namespace

void contain_terminate() noexcept {
  static std::once_flag once;
  std::call_once(once, [] { handler_before = std::set_terminate(&on_terminate); });
}

void report_overflow(RuntimeCore& core) {
  const std::lock_guard<std::mutex> hold(watched_mutex);
  for (auto& slot : watched) {
    if (slot.load(std::memory_order_relaxed) != nullptr) continue;
    slot.store(&core, std::memory_order_release);
    if (watched_count++ == 0) {
      struct sigaction action {};
      action.sa_sigaction = &on_fault;
      action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
      sigemptyset(&action.sa_mask);
      sigaction(SIGSEGV, &action, &action_before);
    }
    return;
  }
  throw LimitExceeded("RuntimeOptions::overflow_handler: more than " + std::to_string(kMostCores) + " runtimes at once");
}

void forget_overflow(RuntimeCore& core) noexcept {
  const std::lock_guard<std::mutex> hold(watched_mutex);
  for (auto& slot : watched) {
    if (slot.load(std::memory_order_relaxed) != &core) continue;
    slot.store(nullptr, std::memory_order_release);
    if (--watched_count == 0) sigaction(SIGSEGV, &action_before, nullptr);
    return;
  }
}

void prepare_alternate_stack_here() noexcept {
  static thread_local AlternateStack alternate;
  alternate.set_up();
}

void RuntimeCore::worker_started() noexcept {
  if (options.overflow_handler || options.stack_signal != 0) prepare_alternate_stack_here();
}

void RuntimeCore::end_in_terminate(ControlBlock& self) noexcept {
  self.no_suspend = 0;
  forget_destruction();
  if (self.life.load(std::memory_order_relaxed) == Life::dead) {
    // In the middle of its end, in a destructor of one of its messages, or on the stack of an orphan.
    while (scheduler::thread_exception_state()->caught != nullptr) abi::__cxa_end_catch();
    undo_spawns_of(self);
    if (!self.told) die_told(self);
    finish(self);
    return;
  }
  // The frames are all still there, from the function that nothing may leave inwards.
  std::unique_ptr<scheduler::Backtrace> stack(watches_throws_ ? new (std::nothrow) scheduler::Backtrace : nullptr);
  if (stack != nullptr) scheduler::read_own_stack(*stack);
  keep_origin(self, std::move(stack));
  try {
    ExitReason reason = ExitReason::error("std::terminate", "called with no exception");
    if (std::current_exception() != nullptr) {
      const ExitReason inner = current_exception_reason();
      reason = ExitReason::error(std::string(inner.type()), "escaped a noexcept function: " + std::string(inner.what()));
    }
    fix_reason(self, reason);
    if (wants(LogLevel::error)) log(LogLevel::error, "process " + self.pid.to_string() + " met std::terminate: its stack is not unwound");
  } catch (...) {
    fix_reason(self, ExitReason::killed);
  }
  undo_spawns_of(self);
  // The exceptions this stack was handling end with it.
  while (scheduler::thread_exception_state()->caught != nullptr) abi::__cxa_end_catch();
  finish(self);
}

}  // namespace weft::detail
