#pragma once

namespace weft::inline v0::scheduler {

/// While one lives, the queues get no memory on this thread.
class NoMemory {
 public:
  NoMemory() noexcept;
  NoMemory(const NoMemory&) = delete;
  NoMemory& operator=(const NoMemory&) = delete;
  ~NoMemory();
};

}  // namespace weft::scheduler
