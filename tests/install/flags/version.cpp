#include <string_view>

#include <weft/version.hpp>

static_assert(std::string_view(WEFT_VERSION_STRING) == PACKAGE_VERSION);
static_assert(WEFT_VERSION == WEFT_VERSION_MAJOR * 10000 + WEFT_VERSION_MINOR * 100 + WEFT_VERSION_PATCH);

int main() { return std::string_view(weft::library_version()) == WEFT_VERSION_STRING ? 0 : 1; }
