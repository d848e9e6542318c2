// What the names of a script stand for: pN, mN, aN, tN.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include <weft/weft.hpp>

#include "tests/differential/queue.hpp"

namespace weft::differential {

/// The message of `send`.
struct Text {
  std::string from;
  std::string id;
};
/// The message of `after` and `timer`.
struct TimerText {
  std::string timer;
};

ExitReason reason_of(const std::string& word);
std::string text_of(const ExitReason& reason);

/// Threads: any. In a step only its process adds, but others that wake up may look.
class Names {
 public:
  void add(const std::string& name, Pid pid);
  void add(const std::string& name, MonitorRef ref);
  void add(const std::string& name, Alias alias);
  void add(const std::string& name, TimerRef ref);
  void forget(const std::string& pid_name);

  std::optional<Pid> pid(const std::string& name) const;
  std::optional<MonitorRef> monitor(const std::string& name) const;
  /// Of an alias, or of a monitor: a null Alias where it was made without.
  std::optional<Alias> alias(const std::string& name) const;
  std::optional<TimerRef> timer(const std::string& name) const;
  std::map<std::string, Pid> pids() const;
  std::map<std::string, TimerRef> timers() const;

  std::string name_of(Pid pid) const;
  /// Nothing for what is no message of a script.
  std::optional<Seen> seen(const Message& message) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Pid> pids_;
  std::map<std::string, MonitorRef> monitors_;
  std::map<std::string, Alias> aliases_;
  std::map<std::string, TimerRef> timers_;
  std::map<Pid, std::string> pid_names_;
  std::map<MonitorRef, std::string> monitor_names_;
};

}  // namespace weft::differential
