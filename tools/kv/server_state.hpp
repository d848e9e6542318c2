// What all connections of a server share.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "tools/kv/options.hpp"

namespace kv {

/// Options, and counts. The counts are relaxed: INFO shows them, and the listener compares `clients` with the limit, which only it makes
/// grow; it may see a place given back a moment late.
struct ServerState {
  explicit ServerState(const Options& opts) : options(opts), settings(settings_of(opts)) {}

  const Options options;
  const Settings settings;
  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  std::atomic<std::uint64_t> clients{0};
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> commands{0};
};

/// One of the places that --max-clients limits: taken when made, given back when destroyed.
class ClientPlace {
 public:
  explicit ClientPlace(std::shared_ptr<ServerState> state) : state_(std::move(state)) {
    state_->clients.fetch_add(1, std::memory_order_relaxed);
  }
  ClientPlace(ClientPlace&&) noexcept = default;
  ClientPlace& operator=(ClientPlace&&) = delete;
  ~ClientPlace() {
    if (state_) state_->clients.fetch_sub(1, std::memory_order_relaxed);
  }

  [[nodiscard]] ServerState& state() const noexcept { return *state_; }

 private:
  std::shared_ptr<ServerState> state_;
};

}  // namespace kv
