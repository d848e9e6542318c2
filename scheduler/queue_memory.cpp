#include "scheduler/queue_memory.hpp"

#include <new>

namespace weft::inline v0::scheduler {

// Weak: the tests put one that refuses in its place. Clang's ThreadSanitizer does not let a program replace operator new, and the
// paths without memory need its check most.
[[gnu::weak]] void* allocate_queue_memory(std::size_t bytes) noexcept { return ::operator new(bytes, std::nothrow); }

void free_queue_memory(void* memory) noexcept { ::operator delete(memory); }

}  // namespace weft::scheduler
