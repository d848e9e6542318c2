#include "tests/scheduler/no_memory.hpp"

#include <cstddef>
#include <new>

#include "scheduler/queue_memory.hpp"

namespace weft::inline v0::scheduler {
namespace {

thread_local int refusals = 0;

}  // namespace

NoMemory::NoMemory() noexcept { ++refusals; }
NoMemory::~NoMemory() { --refusals; }

// Takes the place of the library's, which is weak.
void* allocate_queue_memory(std::size_t bytes) noexcept { return refusals != 0 ? nullptr : ::operator new(bytes, std::nothrow); }

}  // namespace weft::scheduler
