#include <weft/pid.hpp>

namespace weft::inline v0 {

std::string Pid::to_string() const { return "<0." + std::to_string(index()) + "." + std::to_string(generation()) + ">"; }

}  // namespace weft
