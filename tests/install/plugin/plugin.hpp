// What the program and the plugin share. Both are compiled with hidden visibility, so each has its own copy of what describes these types.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include <weft/weft.hpp>

#define PLUGIN_API [[gnu::visibility("default")]]

namespace plugin {

struct Question {
  weft::Pid from;
  std::string text;
};
struct Answer {
  std::string text;
};
struct Damage {
  int level;
  bool operator==(const Damage&) const = default;
};
class Refused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A process that answers questions: "?" makes it end with a Damage, "!" with an exception.
PLUGIN_API weft::Pid start(weft::Runtime& runtime);
PLUGIN_API weft::Message make_answer(std::string text);
/// The text of an Answer, empty for another message.
PLUGIN_API std::string read_answer(const weft::Message& message);
PLUGIN_API void refuse();
PLUGIN_API void take_name(const std::string& name);
/// Tells `reader` and waits for ever; sets `destroyed` when its frame is unwound.
PLUGIN_API void wait_for_ever(weft::Pid reader, bool& destroyed);

PLUGIN_API weft::Pid who_am_i();
PLUGIN_API std::uint32_t atom_number(std::string_view text);
PLUGIN_API const void* message_memory();
/// A runtime from start to end, for a program that does not know weft. 0 if all went well.
extern "C" PLUGIN_API int plugin_main();

}  // namespace plugin
