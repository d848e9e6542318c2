// Plays scripts on weft and writes their traces.
#pragma once

#include <iosfwd>
#include <map>
#include <mutex>
#include <string>

#include <weft/weft.hpp>

#include "tests/differential/puppet.hpp"
#include "tests/differential/queue.hpp"
#include "tests/differential/script.hpp"

namespace weft::differential {

/// How the puppets end. A process of its own, because only processes can monitor.
class Witness {
 public:
  explicit Witness(Runtime& runtime);
  Pid pid() const noexcept { return pid_; }
  void watch(const std::string& name, Pid puppet);
  /// Reasons of those whose end was seen since the last call.
  std::map<std::string, std::string> ended();

 private:
  void run();

  Runtime& runtime_;
  std::mutex mutex_;
  std::map<std::string, std::string> ended_;
  Pid pid_;
};

class Conductor {
 public:
  struct Settings {
    unsigned workers = 0;
    bool loses_a_down = false;
  };
  explicit Conductor(const Settings& settings);
  /// The trace of one script; afterwards nothing of it is left.
  void play(const Script& script, std::ostream& out);

 private:
  class Performance;

  const Settings settings_;
  Runtime runtime_;
  Witness witness_;
};

}  // namespace weft::differential
