#include "plugin.hpp"

#include <utility>

namespace plugin {

weft::Pid start(weft::Runtime& runtime) {
  return runtime.spawn([] {
    for (;;) {
      weft::receive([](const Question& question) {
        if (question.text == "?") weft::exit(weft::ExitReason::of(Damage{7}));
        if (question.text == "!") refuse();
        weft::send(question.from, Answer{question.text + question.text});
      });
    }
  });
}

weft::Message make_answer(std::string text) { return weft::Message::of(Answer{std::move(text)}); }

std::string read_answer(const weft::Message& message) {
  const Answer* answer = message.get_if<Answer>();
  return answer == nullptr ? std::string() : answer->text;
}

void refuse() { throw Refused("not today"); }

void take_name(const std::string& name) { weft::register_name(name, weft::self()); }

void wait_for_ever(weft::Pid reader, bool& destroyed) {
  struct Marker {
    bool& flag;
    ~Marker() { flag = true; }
  };
  const Marker marker{destroyed};
  weft::send(reader, Answer{"waiting"});
  weft::receive([](Answer) {});
}

weft::Pid who_am_i() { return weft::self(); }
std::uint32_t atom_number(std::string_view text) { return weft::Atom(text).id(); }
const void* message_memory() { return reinterpret_cast<const void*>(&weft::detail::allocate_envelope); }

int plugin_main() {
  weft::Runtime runtime;
  const weft::Pid answers = start(runtime);
  int result = 1;
  runtime.run([&] {
    weft::send(answers, Question{weft::self(), "ab"});
    weft::receive([&](const Answer& answer) { result = answer.text == "abab" ? 0 : 2; });
  });
  return result;
}

}  // namespace plugin
