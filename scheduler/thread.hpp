#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "mailbox/base/explore.hpp"

namespace weft::inline v0::scheduler {

/// A thread of the system, or, where schedules are explored, one of the exploration. Joined before it is destroyed.
class Thread {
 public:
  Thread() = default;
  /// Throws std::system_error. `name` is for the reports of an exploration.
  template <class Body>
  Thread(std::string name, Body body) {
    if (base::exploring()) {
      explored_ = base::explore_thread(std::move(name), std::move(body));
      is_explored_ = true;
    } else {
      thread_ = std::thread(std::move(body));
    }
  }

  [[nodiscard]] bool joinable() const noexcept { return is_explored_ || thread_.joinable(); }
  void join() {
    if (is_explored_) {
      base::explore_join(explored_);
      is_explored_ = false;
    } else {
      thread_.join();
    }
  }

 private:
  std::thread thread_;
  std::size_t explored_ = 0;
  bool is_explored_ = false;
};

}  // namespace weft::scheduler
