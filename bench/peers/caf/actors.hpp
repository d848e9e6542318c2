// Dynamically typed, event-based actors of CAF 0.17.
#pragma once

#include <caf/all.hpp>
#include <functional>
#include <memory>
#include <string>

#include "../common/harness.hpp"

using Finish = std::function<void(harness::Values)>;

/// Runs `body` in an actor on a worker, as often as said, each time until it finishes and no actor is left. The last time counts.
harness::Values run_in_actor(std::function<void(caf::event_based_actor*, Finish)> body, int times = 2);

/// A system for actors that are still there at the end.
caf::actor_system_config& config();

// Each measures the rows of `group`, or returns false if it has no such group.
bool run_messages(const std::string& group);
bool run_life(const std::string& group);
bool run_timing(const std::string& group);

/// Waits for one message and ends.
caf::behavior parked(caf::event_based_actor* self);
/// Finishes after `n` messages.
caf::behavior counter(caf::event_based_actor* self, long n, std::function<void()> finish);
