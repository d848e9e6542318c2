#include "tests/differential/script.hpp"

#include <istream>
#include <sstream>

namespace weft::differential {
namespace {

[[noreturn]] void refuse(std::size_t line, const std::string& why) { throw BadScript("line " + std::to_string(line) + ": " + why); }

Step read_step(const std::string& text, std::size_t line) {
  Step step;
  step.text = text;
  std::istringstream words(text);
  words >> step.actor;
  if (step.actor == "advance") {
    step.actor.clear();
    if (!(words >> step.advance)) refuse(line, "advance needs a number");
    return step;
  }
  step.items.emplace_back();
  for (std::string word; words >> word;) {
    if (word == ";") {
      step.items.emplace_back();
    } else {
      step.items.back().push_back(word);
    }
  }
  for (const Words& item : step.items) {
    if (item.empty()) refuse(line, "nothing to do in '" + text + "'");
  }
  return step;
}

}  // namespace

std::vector<Script> read_scripts(std::istream& in) {
  std::vector<Script> scripts;
  bool inside = false;
  std::size_t line = 0;
  for (std::string text; std::getline(in, text);) {
    ++line;
    if (text.empty() || text.front() == '#') continue;
    std::istringstream words(text);
    std::string first, name, mode;
    words >> first >> name >> mode;
    if (first == "script") {
      if (inside || (mode != "watched" && mode != "blind")) refuse(line, "expected 'script NAME watched|blind' after an 'end'");
      scripts.push_back({.name = name, .watched = mode == "watched", .steps = {}});
      inside = true;
    } else if (!inside) {
      refuse(line, "'" + text + "' is in no script");
    } else if (first == "end") {
      inside = false;
    } else {
      scripts.back().steps.push_back(read_step(text, line));
      scripts.back().steps.back().number = scripts.back().steps.size();
    }
  }
  if (inside) refuse(line, "the last script has no 'end'");
  return scripts;
}

}  // namespace weft::differential
