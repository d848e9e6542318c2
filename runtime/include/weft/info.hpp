// Seeing into a runtime: processes, statistics, log, dead letters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
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

/// `starting` has not run yet; `exiting` ends, and has left the tables or is about to.
enum class ProcessStatus : std::uint8_t { starting, runnable, running, waiting, exiting };

/// One process at one moment (INF-1).
struct ProcessInfo {
  Pid pid;     ///< of the process
  Pid parent;  ///< who spawned it; null for one that a plain thread spawned
  /// At the moment of asking.
  ProcessStatus status = ProcessStatus::starting;
  std::string waiting_for;           ///< "message", "sleep", "call", "descriptor" …; empty unless it waits
  std::vector<std::string> names;    ///< registered for it
  std::vector<std::string> groups;   ///< of which it is a member
  std::string label;                 ///< SpawnOptions::label, or the last set_label()
  std::vector<Pid> links;            ///< whom it is linked to
  std::vector<Pid> monitored_by;     ///< the watchers, one entry per monitor
  std::vector<MonitorRef> monitors;  ///< the monitors it holds
  std::size_t mailbox_depth = 0;     ///< everything received and not yet consumed (CAP-4)
  std::uint64_t shed = 0;            ///< messages its mailbox refused
  bool trap_exit = false;            ///< exit signals become messages
  /// As last set; it holds from the next time the process becomes runnable.
  Priority priority = Priority::normal;
  std::size_t stack_bytes = 0;       ///< 0 while it has no stack
  std::size_t stack_high_water = 0;  ///< deepest use of that stack, also by processes before; only while it waits, else 0
  std::uint64_t reductions = 0;      ///< runtime calls so far, counted when a slice ends
};

/// Counters since the runtime started. Each is exact at rest; a sample taken while processes run may be torn between counters.
struct Stats {
  std::uint64_t spawned = 0;            ///< processes ever started
  std::uint64_t finished = 0;           ///< processes that are gone
  std::uint64_t live = 0;               ///< at rest, spawned - finished
  std::uint64_t dropped = 0;            ///< user messages refused by full mailboxes
  std::uint64_t shed = 0;               ///< the same
  std::uint64_t messages_sent = 0;      ///< messages and replies that entered a mailbox
  std::uint64_t exit_signals_sent = 0;  ///< by links and by exit()
  std::uint64_t downs_sent = 0;         ///< to the holders of monitors
  std::uint64_t dead_letters = 0;       ///< messages to nobody: dead process, unknown name, alias off, or shed
  std::uint64_t active_links = 0;       ///< a pair that is linked counts once
  std::uint64_t active_monitors = 0;    ///< neither removed nor fired
  std::uint64_t active_timers = 0;      ///< of send_after() and its relatives
  std::uint64_t registered_names = 0;   ///< now
  std::uint64_t steals = 0;             ///< processes that a worker took from another
  std::uint64_t parks = 0;              ///< times a worker went to sleep
  std::uint64_t stacks_live = 0;        ///< stacks in the hands of processes
  unsigned workers = 0;                 ///< threads that run processes
  Duration uptime{};                    ///< since the constructor of the runtime
};

/// Why a message reached nobody.
enum class DeadLetterReason : std::uint8_t { no_process, shed, alias_off };

/// One of them. The views hold for the call of the sink alone.
struct DeadLetter {
  DeadLetterReason reason;     ///< what became of it
  Pid to;                      ///< null for an unknown name
  std::string_view name;       ///< where it was sent by name
  std::string_view type_name;  ///< of the message
};
/// Called on the sender's or the receiver's thread, with no lock held. What it throws is swallowed and counted as a log failure.
using DeadLetterSink = std::function<void(const DeadLetter&)>;

/// How much is logged: each level includes those before it.
enum class LogLevel : std::uint8_t { off, error, warn, info, debug };
/// One report: a line, and where a stack belongs to it, one more line for each frame, indented. No newline at the end. Called by the
/// process or thread it is about, with no lock held; what it throws is swallowed (CPP-24).
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// Processes by label and members by group. What it throws is swallowed (CPP-24).
using CensusSink = std::function<void(const std::map<std::string, std::size_t>&)>;

/// Whether a dump shows stacks. Each costs its process one wake-up that brings nothing.
enum class DumpStacks : std::uint8_t { no, yes };

/// In the order of the caller's signals (ORD-9): after exit(P, kill) P is not alive, though its code may run to its next call.
bool is_alive(Pid pid);
/// Nothing for a process that is dead, or has received a terminating signal.
std::optional<ProcessInfo> info(Pid pid);
/// Every process alive during the whole call, none twice (PID-5); those that are exiting too.
std::vector<Pid> list();
/// The counters of the caller's runtime, as Runtime::stats().
Stats stats();

}  // namespace weft
