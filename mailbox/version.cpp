#include <weft/version.hpp>

namespace weft::inline v0 {

const char* library_version() noexcept { return WEFT_VERSION_STRING; }

const char detail::WEFT_DETAIL_REQUIREMENT = 0;

}  // namespace weft
