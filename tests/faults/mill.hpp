// A program that is always at work and comes by every place of the scheduler and the runtime.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include <weft/weft.hpp>

namespace weft::test {

/// Stations that spawn, send, link, watch, kill, name, set timers, block and read a pipe, one round after the other, each checking that
/// its round brought what it must. Between rounds they sleep a moment, so that workers go to sleep and are woken.
class Mill {
 public:
  explicit Mill(Runtime& rt);
  /// Ends the stations after the round that they are in, if finish() did not.
  ~Mill();
  Mill(const Mill&) = delete;
  Mill& operator=(const Mill&) = delete;

  /// Waits until every station ended its round and is gone; rounds that went wrong make the test fail.
  void finish();
  /// For a runtime that is being ended: the host thread stops calling it.
  void stop_host();
  [[nodiscard]] std::uint64_t rounds() const noexcept { return rounds_.load(); }

 private:
  void add(void (*round)());

  Runtime& rt_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> rounds_{0};
  std::vector<JoinHandle> stations_;
  std::thread host_;
};

}  // namespace weft::test
