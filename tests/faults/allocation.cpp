#include "tests/faults/allocation.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace weft::test {
namespace {

constinit thread_local int until_refusal = 0;  // 0: nothing is refused; 1: everything is

// Never inlined: a process may be on another thread at its next call.
[[gnu::noinline]] bool refuses() noexcept {
  if (until_refusal == 0) return false;
  if (until_refusal == 1) return true;
  --until_refusal;
  return false;
}
[[gnu::noinline]] void refuse_from(int nth) noexcept { until_refusal = nth; }

void* allocate(std::size_t bytes, std::size_t align) noexcept {
  if (refuses()) return nullptr;
  const std::size_t whole = (bytes + align - 1) / align * align;
  return std::aligned_alloc(align, whole != 0 ? whole : align);
}

}  // namespace

NoAllocation::NoAllocation(int nth) noexcept { refuse_from(nth); }
NoAllocation::~NoAllocation() { refuse_from(0); }

}  // namespace weft::test

using weft::test::allocate;

// In place of the C++ library's; its others come down to these.
void* operator new(std::size_t bytes, std::align_val_t align) {
  void* const memory = allocate(bytes, static_cast<std::size_t>(align));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new(std::size_t bytes) { return operator new(bytes, std::align_val_t(alignof(std::max_align_t))); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
