#pragma once

#include <cstddef>

namespace weft::inline v0::scheduler {

/// Memory for a queue that can go on without it: null when there is none.
[[nodiscard]] void* allocate_queue_memory(std::size_t bytes) noexcept;

void free_queue_memory(void* memory) noexcept;

}  // namespace weft::scheduler
