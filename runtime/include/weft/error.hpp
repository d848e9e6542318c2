// What a wrong call throws. Every text names the pid, name or limit it is about.
#pragma once

#include <stdexcept>

namespace weft::inline v0 {

/// Base of all errors below; catch it to catch them all.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The call needs a process, and the caller is a plain thread, or inside blocking(), where nothing may suspend.
class NotInProcess : public Error {
 public:
  using Error::Error;
};
/// The name is registered already (NAM-1).
class NameTaken : public Error {
 public:
  using Error::Error;
};
/// The process is dead, or never was (LNK-3, NAM-1).
class NoSuchProcess : public Error {
 public:
  using Error::Error;
};
/// The deadline passed first.
class TimedOut : public Error {
 public:
  using Error::Error;
};
/// receive() in a process that was spawned without a mailbox (MBX-1).
class NoMailbox : public Error {
 public:
  using Error::Error;
};
/// The process is unwinding, and the call could suspend it or tie it to others (CPP-2).
class ProcessExiting : public Error {
 public:
  using Error::Error;
};
/// A limit of the runtime or of the system is reached: processes, stacks, timers, length of a name.
class LimitExceeded : public Error {
 public:
  using Error::Error;
};
/// An argument that no state could make right: a negative duration, an empty name.
class BadArgument : public Error {
 public:
  using Error::Error;
};

}  // namespace weft
