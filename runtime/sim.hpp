// What an exploration does inside the runtime: faults on request. Only where base::exploring().
#pragma once

#include "runtime/control_block.hpp"

namespace weft::inline v0::detail {

class RuntimeCore;

/// `self` is about to suspend.
void explored_suspension(RuntimeCore& core, ControlBlock& self) noexcept;
/// A message to the bounded mailbox of `block`: true when it is to be shed, because it may be.
[[nodiscard]] bool explored_shed(ControlBlock& block) noexcept;
/// All processes of `core` are gone: nobody kills any of them from here on.
void explored_end(RuntimeCore& core) noexcept;

}  // namespace weft::detail
