// Messages, exceptions, exit reasons and the calling process's identity cross the boundary between a program and its library (CPP-22).
#include <cstdlib>
#include <iostream>

#include "plugin.hpp"

namespace {

void check(bool holds, const char* sentence) {
  if (holds) return;
  std::cerr << "failed: " << sentence << '\n';
  std::exit(1);
}

weft::Down end_of(weft::Pid pid, const char* question) {
  weft::monitor(pid);
  weft::send(pid, plugin::Question{weft::self(), question});
  return weft::receive([](weft::Down down) { return down; });
}

void messages(weft::Runtime& runtime) {
  const weft::Pid answers = plugin::start(runtime);
  weft::send(answers, plugin::Question{weft::self(), "ab"});
  const std::string text = weft::receive([](plugin::Answer answer) { return answer.text; });
  check(text == "abab", "a message goes into the library and another comes back");

  weft::Message theirs = plugin::make_answer("made there");
  check(theirs.is<plugin::Answer>(), "the program knows the type of the library's message");
  check(theirs.type_name() == "plugin::Answer", "the type's name is the same");
  check(plugin::read_answer(weft::Message::of(plugin::Answer{"made here"})) == "made here", "the library knows the program's");
  weft::kill(answers);
}

void ends(weft::Runtime& runtime) {
  const weft::Down damaged = end_of(plugin::start(runtime), "?");
  const auto* damage = damaged.reason.get_if<plugin::Damage>();
  check(damage != nullptr && damage->level == 7, "the payload of the library's exit reason is readable");
  check(damaged.reason == weft::ExitReason::of(plugin::Damage{7}), "and equal to the program's own");

  const weft::Down refused = end_of(plugin::start(runtime), "!");
  check(refused.reason.type() == "plugin::Refused" && refused.reason.what() == "not today", "an exception becomes the exit reason");

  const weft::Pid dead = weft::spawn([] {});
  weft::monitor(dead);
  weft::receive(
      [](const weft::Down& down) { check(down.reason.is_normal() || down.reason == weft::ExitReason::noproc, "constants agree"); });
}

void exceptions() {
  try {
    plugin::refuse();
    check(false, "refuse() throws");
  } catch (const plugin::Refused& refused) {
    check(std::string_view(refused.what()) == "not today", "the library's exception is caught by its type");
  }
  plugin::take_name("taken");
  try {
    plugin::take_name("taken");
    check(false, "a name is taken once");
  } catch (const weft::NameTaken&) {
  }
  try {
    plugin::take_name("taken");
  } catch (const weft::Error&) {
    return;
  }
  check(false, "weft's exception is caught by its base");
}

void unwinding() {
  bool destroyed = false;
  const weft::Pid waiting = weft::spawn([&, self = weft::self()] { plugin::wait_for_ever(self, destroyed); });
  weft::receive([](const plugin::Answer&) {});
  weft::monitor(waiting);
  weft::kill(waiting);
  weft::receive([](const weft::Down& down) { check(down.reason == weft::ExitReason::killed, "a kill reaches into the library"); });
  check(destroyed, "frames of the library are unwound");
}

void one_weft() {
  check(plugin::who_am_i() == weft::self(), "a process is the same on both sides");
  weft::yield();
  check(plugin::who_am_i() == weft::self(), "also after it was switched");
  check(plugin::atom_number("shared atom") == weft::Atom("shared atom").id(), "there is one table of atoms");
  check(plugin::message_memory() == reinterpret_cast<const void*>(&weft::detail::allocate_envelope), "and one pool of messages");
}

}  // namespace

int main() {
  weft::Runtime runtime;
  const weft::Pid all = runtime.spawn([] {
    weft::receive([](weft::unchecked<weft::Runtime*> given) {
      messages(*given.value);
      ends(*given.value);
      exceptions();
      unwinding();
      one_weft();
      std::cout << "everything crosses the boundary\n";
    });
  });
  runtime.run([&] {
    weft::monitor(all);
    weft::send(all, weft::unchecked<weft::Runtime*>{&runtime});
    weft::receive([](const weft::Down& down) { check(down.reason.is_normal(), down.reason.to_string().c_str()); });
  });
}
