#include "tests/differential/names.hpp"

#include <string_view>

namespace weft::differential {
namespace {

using Hold = std::lock_guard<std::mutex>;

template <class Map>
std::optional<typename Map::mapped_type> find(const Map& map, const typename Map::key_type& key) {
  const auto at = map.find(key);
  return at == map.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace

ExitReason reason_of(const std::string& word) {
  static const std::map<std::string_view, ExitReason> known = {
      {"normal", ExitReason::normal}, {"shutdown", ExitReason::shutdown}, {"kill", ExitReason::kill},
      {"killed", ExitReason::killed}, {"noproc", ExitReason::noproc},     {"timeout", ExitReason::timeout},
  };
  if (const auto at = known.find(word); at != known.end()) return at->second;
  if (const auto colon = word.find(':'); colon != std::string::npos) {
    const int value = std::stoi(word.substr(colon + 1));
    return word.substr(0, colon) == "shutdown" ? ExitReason::shutdown_with(value) : ExitReason::of(value);
  }
  return ExitReason::of(Atom(word));
}

std::string text_of(const ExitReason& reason) {
  std::string text(reason.kind().text());
  if (const int* value = reason.get_if<int>()) text.append(":").append(std::to_string(*value));
  return text;
}

void Names::add(const std::string& name, Pid pid) {
  const Hold hold(mutex_);
  pids_[name] = pid;
  pid_names_[pid] = name;
}

void Names::add(const std::string& name, MonitorRef ref) {
  const Hold hold(mutex_);
  monitors_[name] = ref;
  monitor_names_[ref] = name;
}

void Names::add(const std::string& name, Alias alias) {
  const Hold hold(mutex_);
  aliases_[name] = alias;
}

void Names::add(const std::string& name, TimerRef ref) {
  const Hold hold(mutex_);
  timers_[name] = ref;
}

void Names::forget(const std::string& pid_name) {
  const Hold hold(mutex_);
  const auto at = pids_.find(pid_name);
  if (at == pids_.end()) return;
  pid_names_.erase(at->second);
  pids_.erase(at);
}

std::optional<Pid> Names::pid(const std::string& name) const {
  const Hold hold(mutex_);
  return find(pids_, name);
}

std::optional<MonitorRef> Names::monitor(const std::string& name) const {
  const Hold hold(mutex_);
  return find(monitors_, name);
}

std::optional<Alias> Names::alias(const std::string& name) const {
  const Hold hold(mutex_);
  if (name.front() == 'a') return find(aliases_, name);
  const auto monitor = find(monitors_, name);
  return monitor ? std::optional(monitor->alias()) : std::nullopt;
}

std::optional<TimerRef> Names::timer(const std::string& name) const {
  const Hold hold(mutex_);
  return find(timers_, name);
}

std::map<std::string, Pid> Names::pids() const {
  const Hold hold(mutex_);
  return pids_;
}

std::map<std::string, TimerRef> Names::timers() const {
  const Hold hold(mutex_);
  return timers_;
}

std::string Names::name_of(Pid pid) const {
  const Hold hold(mutex_);
  return find(pid_names_, pid).value_or("p?");
}

std::optional<Seen> Names::seen(const Message& message) const {
  if (const auto* text = message.get_if<Text>()) return Seen{"message", text->from, text->from, text->from + ":" + text->id};
  if (const auto* exit = message.get_if<Exit>()) {
    const std::string from = name_of(exit->from);
    return Seen{"exit", from, from, "EXIT(" + from + "," + text_of(exit->reason) + ")"};
  }
  if (const auto* down = message.get_if<Down>()) {
    const std::string object = down->name.empty() ? name_of(down->pid) : down->name;
    const Hold hold(mutex_);
    const std::string ref = find(monitor_names_, down->ref).value_or("m?");
    return Seen{"down", ref, object, "DOWN(" + ref + "," + object + "," + text_of(down->reason) + ")"};
  }
  if (const auto* timer = message.get_if<TimerText>()) return Seen{"timer", timer->timer, timer->timer, "timer(" + timer->timer + ")"};
  if (const auto* timeout = message.get_if<Timeout>()) {
    const auto* inside = timeout->message.get_if<TimerText>();
    if (inside == nullptr) return std::nullopt;
    return Seen{"timer", inside->timer, inside->timer, "timeout(" + inside->timer + ")"};
  }
  return std::nullopt;
}

}  // namespace weft::differential
