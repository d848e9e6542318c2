#pragma once

namespace weft::test {

/// The calling thread's `nth` allocation from here on, and each one after it, is refused until this goes.
class NoAllocation {
 public:
  explicit NoAllocation(int nth) noexcept;
  ~NoAllocation();
  NoAllocation(const NoAllocation&) = delete;
  NoAllocation& operator=(const NoAllocation&) = delete;
};

}  // namespace weft::test
