// Seeing into a runtime: processes, statistics, log, dead letters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weft/clock.hpp>
#include <weft/exit_reason.hpp>
#include <weft/pid.hpp>
#include <weft/process.hpp>
#include <weft/ref.hpp>

namespace weft::inline v0 {

enum class ProcessStatus : std::uint8_t { starting, runnable, running, waiting, exiting };

/// One process at one moment (INF-1).
struct ProcessInfo {
  Pid pid, parent;
  ProcessStatus status = ProcessStatus::starting;
  std::string waiting_for;  ///< "message", "sleep", "call", "descriptor" …; empty unless it waits
  std::vector<std::string> names, groups;
  std::string label;
  std::vector<Pid> links;
  std::vector<Pid> monitored_by;     ///< the watchers, one entry per monitor
  std::vector<MonitorRef> monitors;  ///< the monitors it holds
  std::size_t mailbox_depth = 0;     ///< everything received and not yet consumed (CAP-4)
  std::uint64_t shed = 0;            ///< messages its mailbox refused
  bool trap_exit = false;
  Priority priority = Priority::normal;
  std::size_t stack_bytes = 0;       ///< 0 while it has no stack
  std::size_t stack_high_water = 0;  ///< deepest use of that stack; only while it waits, else 0
  std::uint64_t reductions = 0;      ///< runtime calls so far, counted when a slice ends
};

/// Counters since the runtime started. Each is exact at rest; a sample taken while processes run may be torn between counters.
struct Stats {
  std::uint64_t spawned = 0, finished = 0, live = 0;
  std::uint64_t dropped = 0;  ///< user messages refused by full mailboxes
  std::uint64_t shed = 0;     ///< the same
  std::uint64_t messages_sent = 0;
  std::uint64_t exit_signals_sent = 0;
  std::uint64_t downs_sent = 0;
  std::uint64_t dead_letters = 0;  ///< messages to nobody: dead process, unknown name, alias off, or shed
  std::uint64_t active_links = 0, active_monitors = 0, active_timers = 0;
  std::uint64_t registered_names = 0;
  std::uint64_t steals = 0, parks = 0;  ///< processes stolen by workers; times a worker went to sleep
  std::uint64_t stacks_live = 0;
  unsigned workers = 0;
  Duration uptime{};
};

/// Why a message reached nobody.
enum class DeadLetterReason : std::uint8_t { no_process, shed, alias_off };

struct DeadLetter {
  DeadLetterReason reason;
  Pid to;                      ///< null for an unknown name
  std::string_view name;       ///< where it was sent by name
  std::string_view type_name;  ///< of the message
};
/// Called on the sender's or the receiver's thread, with no lock held. What it throws is swallowed and counted as a log failure.
using DeadLetterSink = std::function<void(const DeadLetter&)>;

enum class LogLevel : std::uint8_t { off, error, warn, info, debug };
/// One line without a newline. Called by the process or thread it is about, with no lock held; what it throws is swallowed (CPP-24).
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// In the order of the caller's signals (ORD-9): after exit(P, kill) P is not alive, though its code may run to its next call.
bool is_alive(Pid pid);
/// Nothing for a process that is dead, or has received a terminating signal.
std::optional<ProcessInfo> info(Pid pid);
/// Every process alive during the whole call, none twice (PID-5); those that are exiting too.
std::vector<Pid> list();
Stats stats();

}  // namespace weft
