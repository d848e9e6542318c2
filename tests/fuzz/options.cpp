// The server's command line: an input is one argument a line. What is accepted is within its bounds, what is refused says why.
#include <string>
#include <variant>
#include <vector>

#include "tests/fuzz/fuzz.hpp"
#include "tools/kv/options.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using weft::fuzz::require;
  std::string_view text = weft::fuzz::as_text(data, size);
  std::vector<std::string> arguments{"weft_kv"};
  while (!text.empty()) arguments.emplace_back(weft::fuzz::take_line(text));
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  const auto parsed = kv::parse_options(static_cast<int>(pointers.size()), pointers.data());
  if (const auto* usage = std::get_if<kv::Usage>(&parsed)) {
    require(!usage->text.empty() && (usage->exit_code == 0 || usage->exit_code == 2), "a refusal has a text and an exit code");
    return 0;
  }
  const auto& options = std::get<kv::Options>(parsed);
  require(!options.bind.empty(), "there is an address to listen on");
  require(options.max_clients >= 1 && options.max_value_bytes >= 1 && options.max_value_bytes <= (std::size_t{512} << 20),
          "accepted options are within their bounds");
  (void)kv::settings_of(options);
  return 0;
}
