// Exits, links, monitors and aliases: how processes learn of each other's end.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <weft/atom.hpp>
#include <weft/exit_reason.hpp>
#include <weft/pid.hpp>
#include <weft/process.hpp>
#include <weft/ref.hpp>

namespace weft::inline v0 {

/// To a process that traps exits: `from` ended, or sent exit(Pid, reason).
struct Exit {
  Pid from;           ///< null where the signal came from a plain thread
  ExitReason reason;  ///< its own, or the one it sent
};

/// To the holder of a monitor: its target ended. Exactly one for each monitor that was not removed first (MON-2).
struct Down {
  MonitorRef ref;           ///< of the monitor that fired
  Pid pid;                  ///< of the target; null where a name was monitored that nobody had
  std::string name;         ///< where the monitor was by name (MON-4)
  ExitReason reason;        ///< the target's own, or noproc where it was dead already
  std::optional<Atom> tag;  ///< MonitorOptions::tag
};

/// Ends the calling process with `reason`, by an exception that the body may catch (EXR-2): ExitException. Errors: NotInProcess.
[[noreturn]] void exit(ExitReason reason);

/// Sends `pid` an exit signal, judged at once by the table EXR-6: it is dropped, becomes an Exit message, or ends the process at its
/// next call of the runtime; a parked process ends at once. No error if `pid` is dead (EXR-4). To oneself it is acted on before the
/// call returns (ORD-8). Errors: NotInProcess on a plain thread (use Runtime::exit); std::bad_alloc for the Exit message.
void exit(Pid pid, ExitReason reason);

/// exit(pid, ExitReason::kill): cannot be trapped; the process ends with `killed`.
void kill(Pid pid);

/// Links the caller and `pid`: when one ends abnormally, the other gets an exit signal. Idempotent; linking oneself does nothing.
///
/// Errors: NoSuchProcess if `pid` is dead and the caller does not trap exits; a caller that does receives Exit{pid, noproc} (LNK-3).
///         NotInProcess; ProcessExiting; std::bad_alloc.
void link(Pid pid);
/// Removes the link. After the return it has no effect on the caller any more; at most one Exit may wait already (LNK-5).
void unlink(Pid pid);

/// What demonitor() does besides removing the monitor.
struct DemonitorOptions {
  bool flush = false;  ///< remove a Down of this monitor that waits already
  bool info = false;   ///< answer whether the monitor was there (MON-6)
};

/// Asks for one Down when `pid` ends; at once, with `noproc`, if it is dead (MON-3). Each call makes a monitor of its own (MON-1).
/// Errors: NotInProcess; ProcessExiting; std::bad_alloc.
MonitorRef monitor(Pid pid, MonitorOptions options = {});
/// The same by name, resolved once, now; Down::name tells the name (MON-4).
MonitorRef monitor(std::string_view name, MonitorOptions options = {});
/// Removes a monitor: after the return no Down of it arrives; one may wait already, which `flush` removes.
/// Returns true; with `info` whether it was found, with `flush` too false if a Down had to be flushed (MON-6).
/// A reference of another process, or one that fired, changes nothing (MON-7).
bool demonitor(MonitorRef ref, DemonitorOptions options = {});

/// A second address of the caller, until it is switched off (ALI). Modes: explicit_unalias, reply; those of monitors are a BadArgument.
Alias make_alias(AliasMode mode);
/// Switches it off: later messages through it are dropped. False when it was off already, or is another process's (ALI-3).
bool unalias(Alias alias);

}  // namespace weft
