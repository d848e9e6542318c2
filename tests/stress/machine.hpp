// What the kernel says about this program and its machine.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft::stress {

[[nodiscard]] std::size_t open_descriptors();
[[nodiscard]] std::size_t threads();
[[nodiscard]] std::uint64_t resident_bytes();
/// What can be used without pushing others out, also by the limit of this program's cgroup.
[[nodiscard]] std::uint64_t available_memory_bytes();

}  // namespace weft::stress
