// A process of a script: it does what the conductor tells it, and nothing else.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "tests/differential/names.hpp"
#include "tests/differential/script.hpp"

namespace weft::differential {

/// What came of an item.
struct Result {
  std::string text;
  std::vector<Seen> taken;  // where it took messages, instead of a text
};

/// What the puppets of one script share with the conductor.
struct Stage {
  Names names;
  std::atomic<bool> loses_a_down = false;  // planted: the first DOWN that is looked at in a script disappears

  void report(const std::string& puppet, Result result);
  /// Monitors that processes hold on themselves.
  void remember_own(MonitorRef ref);
  bool is_own(MonitorRef ref);
  void show(const std::string& puppet, std::vector<Seen> mailbox);
  /// What was reported since the last call.
  std::vector<Result> results_of(const std::string& puppet);
  std::vector<Seen> mailbox_of(const std::string& puppet);

 private:
  std::mutex mutex_;
  std::map<std::string, std::vector<Result>> results_;
  std::map<std::string, std::vector<Seen>> mailboxes_;
  std::set<MonitorRef> own_;
};

/// From the conductor: do the step, or without one show the mailbox.
struct Command {
  const Step* step = nullptr;
};

/// The body. `stage` outlives the process.
void puppet(Stage& stage, const std::string& name);

}  // namespace weft::differential
