// Shows how a run is getting on, and ends the program when it hangs.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/stress/run.hpp"

namespace weft::stress {

/// A thread that prints a line now and then while it lives. When something stays unanswered for longer than the run's patience, or the
/// run lasts that much longer than it should, it prints what every process does and ends the program with exit code 1.
class Progress {
 public:
  Progress(Run& run, std::string_view scenario);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void work();
  void print_line(double seconds, double rate);
  [[noreturn]] void give_up(const Run::Unanswered& oldest);

  Run& run_;
  const std::string scenario_;
  const bool on_terminal_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::thread thread_;
};

}  // namespace weft::stress
