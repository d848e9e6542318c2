// Stacks of living processes, and the whole runtime as text.
#include <ostream>

#include "runtime/caller.hpp"
#include "runtime/symbols.hpp"
#include "scheduler/stack_signal.hpp"

namespace weft::inline v0::detail {
namespace {

using Hold = std::lock_guard<base::SpinLock>;

// A worker that was found running is stopped within microseconds, unless its thread waits for a core, or blocks the signal.
constexpr std::chrono::milliseconds kPatience{100};

}  // namespace

std::string_view text_of(Waiting waiting) noexcept {
  switch (waiting) {
    case Waiting::nothing:
      return "";
    case Waiting::message:
      return "message";
    case Waiting::sleep:
      return "sleep";
    case Waiting::call:
      return "call";
    case Waiting::join:
      return "join";
    case Waiting::blocking:
      return "blocking";
    case Waiting::descriptor:
      return "descriptor";
    case Waiting::room:
      return "room";
    case Waiting::stream:
      return "stream";
    case Waiting::hibernated:
      return "message (hibernated)";
  }
  return "";
}

namespace {

std::string_view text_of(ProcessStatus status) noexcept {
  switch (status) {
    case ProcessStatus::starting:
      return "starting";
    case ProcessStatus::runnable:
      return "runnable";
    case ProcessStatus::running:
      return "running";
    case ProcessStatus::waiting:
      return "waiting";
    case ProcessStatus::exiting:
      return "exiting";
  }
  return "";
}

}  // namespace

// A parked process is held by taking the right to wake it (Inbox, I2): kicked, and made runnable only when its stack was read. Nobody
// else can run it meanwhile, so it neither moves nor dies; what others push is queued, and a kick of theirs finds ours pending. It pays
// one wake-up that finds nothing new, which every wait knows (runtime/NOTES.md, "Waiting, and the kick").
bool RuntimeCore::take_parked(ControlBlock& block, Pid pid) noexcept {
  const Hold hold(block.lock);
  if (!is_tenant(block, pid) || !block.inbox.is_parked()) return false;
  if (!block.has_stack()) return false;  // Hibernated: not worth a wake-up.
  return kick_locked(block);
}

RuntimeCore::StackSeen RuntimeCore::read_stack(Pid pid, scheduler::Backtrace& into) noexcept {
  into.size = 0;
  ControlBlock* const block = pid ? slot_of(pid) : nullptr;
  if (block == nullptr) return {};
  if (block == current_process()) {
    scheduler::read_own_stack(into);
    return {.read = true};
  }
  scheduler.hold_fiber();
  const bool mine = take_parked(*block, pid);
  // Only now is it sure that it has one: it may have run since, and hibernated.
  const bool has_stack = mine && block->has_stack();
  if (has_stack) scheduler::read_stack(scheduler::left_registers(*block), into);
  if (mine) scheduler.ready(*block);
  scheduler.let_fiber_go();
  if (mine) return {.read = has_stack};
  for (unsigned i = 0; i < scheduler.worker_count(); ++i) {
    if (scheduler.worker(i).current() == block) return {.read = read_running_stack(*block, pid, i, into), .worker = static_cast<int>(i)};
  }
  return {};
}

bool RuntimeCore::read_running_stack(ControlBlock& block, Pid pid, unsigned worker, scheduler::Backtrace& into) noexcept {
  if (options.stack_signal == 0) return false;
  // The header outlives the stack's use, and names the process that has it.
  const scheduler::Stack* const stack = block.stack.load(std::memory_order_acquire);
  if (stack == nullptr) return false;
  return scheduler::StackSignal::read(scheduler.worker(worker).thread_id(), *stack, pid.id(), kPatience, into);
}

std::vector<std::string> RuntimeCore::backtrace(Pid pid) {
  scheduler::Backtrace stack;
  return read_stack(pid, stack).read ? symbolised(stack) : std::vector<std::string>{};
}

void RuntimeCore::dump_one(std::ostream& out, Pid pid, DumpStacks stacks) {
  const std::optional<ProcessInfo> one = info(pid);
  out << pid.to_string() << ' ';
  if (one) {
    out << text_of(one->status);
    if (!one->waiting_for.empty()) out << " for " << one->waiting_for;
  } else {
    out << "exiting";
  }
  scheduler::Backtrace stack;
  const StackSeen seen = stacks == DumpStacks::yes ? read_stack(pid, stack) : StackSeen{};
  if (seen.worker >= 0) out << " on worker " << seen.worker;
  if (one) {
    if (!one->label.empty()) out << " label=" << one->label;
    for (const std::string& name : one->names) out << " name=" << name;
    for (const std::string& group : one->groups) out << " group=" << group;
    out << " mailbox=" << one->mailbox_depth << " links=" << one->links.size() << " monitors=" << one->monitors.size()
        << " monitored_by=" << one->monitored_by.size();
    if (one->stack_bytes != 0) out << " stack=" << one->stack_high_water << '/' << one->stack_bytes;
  }
  if (seen.read) out << stack_lines(stack);
  out << '\n';
}

void RuntimeCore::dump(std::ostream& out, DumpStacks stacks) {
  const Stats now = stats();
  out << "weft: " << now.live << " processes on " << now.workers << " workers, " << now.spawned << " spawned, " << now.messages_sent
      << " messages sent, " << now.shed << " shed, " << now.dead_letters << " dead letters\n";
  for (const Pid pid : list()) dump_one(out, pid, stacks);
}

}  // namespace weft::detail
