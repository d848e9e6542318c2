#include "tests/differential/puppet.hpp"

#include <chrono>
#include <stdexcept>
#include <utility>

namespace weft::differential {
namespace {

/// An operand that was never made.
struct Nobody {};

/// A unit of a script's time.
constexpr Duration kUnit = std::chrono::milliseconds(1);

/// The bodies of `then`.
void brief(const Words& words) {
  if (words[0] == "exit") exit(reason_of(words.at(1)));
  if (words[0] == "crash") throw std::runtime_error("crash");
  if (words[0] == "throw") throw 42;
  if (words[0] != "return") throw BadScript("no body '" + words[0] + "'");
}

template <class T>
T made(const std::optional<T>& operand) {
  if (!operand) throw Nobody{};
  return *operand;
}

AliasMode mode_of(const std::string& word) {
  if (word == "explicit_unalias") return AliasMode::explicit_unalias;
  if (word == "reply") return AliasMode::reply;
  if (word == "demonitor") return AliasMode::demonitor;
  if (word == "reply_demonitor") return AliasMode::reply_demonitor;
  throw BadScript("no mode '" + word + "'");
}

Duration units(const std::string& word) { return kUnit * std::stoi(word); }

class Puppet {
 public:
  Puppet(Stage& stage, const std::string& name) : stage_(stage), name_(name) {}

  /// Until `return`.
  void run() {
    while (!returned_) {
      const auto command = receive<Command>();
      if (command.step == nullptr) {
        look();
      } else {
        perform(*command.step);
      }
    }
  }

 private:
  using Verb = std::string (Puppet::*)(const Words&);
  static const std::map<std::string_view, Verb> kVerbs;

  void look() {
    if (stage_.loses_a_down.exchange(false)) stage_.loses_a_down = !receive_for<Down>(Duration::zero());
    std::vector<Seen> mailbox;
    receive(when([&](const Message& message) { return remember(message, mailbox), false; }, [](Message) {}),
            after(Duration::zero(), [] {}));
    stage_.show(name_, std::move(mailbox));
  }

  void remember(const Message& message, std::vector<Seen>& into) {
    if (auto seen = stage_.names.seen(message)) into.push_back(std::move(*seen));
  }

  void perform(const Step& step) {
    std::size_t number = 0;
    for (const Words& words : step.items) {
      id_ = std::to_string(step.number) + "." + std::to_string(++number);
      Result result;
      try {
        if (words[0] == "take") {
          take(words, result.taken);
        } else if (words[0] == "await") {
          await(words, result.taken);
        } else {
          const auto verb = kVerbs.find(words[0]);
          if (verb == kVerbs.end()) throw BadScript("no verb '" + words[0] + "'");
          result.text = (this->*verb->second)(words);
        }
        if (result.text.empty() && result.taken.empty()) result.text = "nothing";
      } catch (const Nobody&) {
        result.text = "nobody";
      } catch (const BadScript& error) {
        result.text = std::string("ERROR ") + error.what();
      } catch (const Error& error) {
        result.text = std::string("ERROR ") + error.what();
      } catch (const std::logic_error&) {  // at() and stoi()
        result.text = "ERROR bad operands";
      }
      if (returned_) return;
      stage_.report(name_, std::move(result));
      if (words[0] == "hibernate") hibernate([&stage = stage_, name = name_] { puppet(stage, name); });
    }
  }

  // --- receiving ---

  /// The test of a selector, the words from `first` on.
  auto selects(const Words& words, std::size_t first) {
    const std::string kind = words.at(first), key = words.at(first + 1);
    if (kind == "exit") made(stage_.names.pid(key));
    if (kind == "down") made(stage_.names.monitor(key));
    if (kind != "message" && kind != "exit" && kind != "down" && kind != "timer") throw BadScript("no selector '" + kind + "'");
    return [this, kind, key](const Message& message) {
      const auto seen = stage_.names.seen(message);
      return seen && seen->kind == kind && seen->key == key;
    };
  }

  void take(const Words& words, std::vector<Seen>& taken) {
    const auto keep = [&](Message message) { return remember(message, taken), true; };
    const auto nothing = after(Duration::zero(), [] { return false; });
    if (words.at(1) == "oldest") {
      receive(keep, nothing);
    } else if (words[1] == "all") {
      while (receive(keep, nothing)) continue;
    } else {
      receive(when(selects(words, 1), keep), nothing);
    }
  }

  void await(const Words& words, std::vector<Seen>& taken) {
    const auto keep = [&](Message message) { remember(message, taken); };
    const Duration wait = words.size() > 4 ? units(words[4]) : forever;
    receive(when(selects(words, 1), keep), after(wait, [] {}));
  }

  // --- verbs: each gives its result ---

  std::string send(const Words& words) {
    const std::string& to = words.at(1);
    const Text text{name_, id_};
    if (to[0] == 'n') return weft::send(to, text) == SendResult::no_process ? "badarg" : "ok";
    if (to[0] == 'p') {
      weft::send(made(stage_.names.pid(to)), text);
    } else {
      weft::send(made(stage_.names.alias(to)), text);
    }
    return "ok";
  }

  std::string spawn(const Words& words) {
    const std::string& child = words.at(1);
    const bool monitors = words[0].ends_with("_monitor");
    const SpawnOptions options{.link = words[0].starts_with("spawn_link")};
    const std::size_t then = monitors ? 3 : 2;
    const Words body = words.size() > then ? Words(words.begin() + static_cast<std::ptrdiff_t>(then) + 1, words.end()) : Words{};
    const auto run = [&stage = stage_, child, body] {
      if (body.empty()) {
        puppet(stage, child);
      } else {
        brief(body);
      }
    };
    if (monitors) {
      const Monitored made = weft::spawn_monitor(options, run);
      stage_.names.add(words.at(2), made.ref);
      stage_.names.add(child, made.pid);
    } else {
      stage_.names.add(child, options.link ? weft::spawn_link(run) : weft::spawn(run));
    }
    return "ok";
  }

  std::string link(const Words& words) {
    try {
      weft::link(made(stage_.names.pid(words.at(1))));
    } catch (const NoSuchProcess&) {
      return "noproc";
    }
    return "ok";
  }

  std::string unlink(const Words& words) {
    weft::unlink(made(stage_.names.pid(words.at(1))));
    return "ok";
  }

  std::string alive(const Words& words) { return is_alive(made(stage_.names.pid(words.at(1)))) ? "true" : "false"; }

  std::string monitor(const Words& words) {
    MonitorOptions options;
    if (words.size() > 3) options.alias = mode_of(words.at(4));
    const std::string& target = words.at(2);
    const bool by_name = target[0] == 'n';
    // MON-5: Erlang makes nothing of a monitor of oneself, not the alias either; weft a monitor that never fires.
    const bool of_self = (by_name ? weft::whereis(target) : made(stage_.names.pid(target))) == self();
    if (of_self) options.alias.reset();
    const MonitorRef ref = by_name ? weft::monitor(target, options) : weft::monitor(*stage_.names.pid(target), options);
    if (of_self) stage_.remember_own(ref);
    stage_.names.add(words[1], ref);
    return "ok";
  }

  std::string demonitor(const Words& words) {
    DemonitorOptions options;
    for (std::size_t i = 2; i < words.size(); ++i) (words[i] == "flush" ? options.flush : options.info) = true;
    const MonitorRef ref = made(stage_.names.monitor(words.at(1)));
    const bool found = weft::demonitor(ref, options);
    return found && !(options.info && !options.flush && stage_.is_own(ref)) ? "true" : "false";
  }

  std::string alias(const Words& words) {
    stage_.names.add(words.at(1), make_alias(mode_of(words.at(2))));
    return "ok";
  }

  std::string unalias(const Words& words) { return weft::unalias(made(stage_.names.alias(words.at(1)))) ? "true" : "false"; }

  std::string exit(const Words& words) { weft::exit(reason_of(words.at(1))); }

  std::string exit_to(const Words& words) {
    weft::exit(made(stage_.names.pid(words.at(1))), reason_of(words.at(2)));
    return "ok";
  }

  std::string catch_exit(const Words& words) {
    try {
      weft::exit(reason_of(words.at(1)));
    } catch (const ExitException& exit) {
      return "caught " + text_of(exit.reason());
    }
  }

  std::string end_abruptly(const Words& words) {
    brief(words);
    returned_ = true;
    return {};
  }

  std::string trap(const Words& words) { return trap_exit(words.at(1) == "on") ? "on" : "off"; }

  std::string hibernate_after_this(const Words&) { return "ok"; }

  std::string register_as(const Words& words) {
    const Pid pid = made(stage_.names.pid(words.at(2)));
    // NAM-2: Erlang gives a process one name, weft several.
    if (const auto about = info(pid); about && !about->names.empty()) return "badarg";
    try {
      register_name(words[1], pid);
    } catch (const NameTaken&) {
      return "badarg";
    } catch (const NoSuchProcess&) {
      return "badarg";
    }
    return "ok";
  }

  std::string unregister(const Words& words) { return weft::unregister(words.at(1)) ? "ok" : "badarg"; }

  std::string whereis(const Words& words) {
    const auto pid = weft::whereis(words.at(1));
    return pid ? stage_.names.name_of(*pid) : "nothing";
  }

  std::string timer(const Words& words) {
    const std::string& to = words.at(3);
    const Destination destination = to[0] == 'n' ? Destination(to) : Destination(made(stage_.names.pid(to)));
    const Duration in = units(words[2]);
    const TimerText text{words[1]};
    stage_.names.add(words[1], words[0] == "after" ? send_after(in, destination, text) : start_timer(in, destination, text));
    return "ok";
  }

  std::string cancel(const Words& words) { return cancel_timer(made(stage_.names.timer(words.at(1)))) ? "pending" : "false"; }
  std::string read(const Words& words) { return read_timer(made(stage_.names.timer(words.at(1)))) ? "pending" : "false"; }

  Stage& stage_;
  const std::string name_;
  std::string id_;  // of the item: what `send` sends
  bool returned_ = false;
};

const std::map<std::string_view, Puppet::Verb> Puppet::kVerbs = {
    {"send", &Puppet::send},
    {"spawn", &Puppet::spawn},
    {"spawn_link", &Puppet::spawn},
    {"spawn_monitor", &Puppet::spawn},
    {"spawn_link_monitor", &Puppet::spawn},
    {"link", &Puppet::link},
    {"unlink", &Puppet::unlink},
    {"alive", &Puppet::alive},
    {"monitor", &Puppet::monitor},
    {"demonitor", &Puppet::demonitor},
    {"alias", &Puppet::alias},
    {"unalias", &Puppet::unalias},
    {"exit", &Puppet::exit},
    {"exit_to", &Puppet::exit_to},
    {"catch_exit", &Puppet::catch_exit},
    {"crash", &Puppet::end_abruptly},
    {"throw", &Puppet::end_abruptly},
    {"return", &Puppet::end_abruptly},
    {"trap", &Puppet::trap},
    {"hibernate", &Puppet::hibernate_after_this},
    {"register", &Puppet::register_as},
    {"unregister", &Puppet::unregister},
    {"whereis", &Puppet::whereis},
    {"after", &Puppet::timer},
    {"timer", &Puppet::timer},
    {"cancel", &Puppet::cancel},
    {"read", &Puppet::read},
};

}  // namespace

void Stage::report(const std::string& puppet, Result result) {
  const std::lock_guard<std::mutex> hold(mutex_);
  results_[puppet].push_back(std::move(result));
}

void Stage::show(const std::string& puppet, std::vector<Seen> mailbox) {
  const std::lock_guard<std::mutex> hold(mutex_);
  mailboxes_[puppet] = std::move(mailbox);
}

void Stage::remember_own(MonitorRef ref) {
  const std::lock_guard<std::mutex> hold(mutex_);
  own_.insert(ref);
}

bool Stage::is_own(MonitorRef ref) {
  const std::lock_guard<std::mutex> hold(mutex_);
  return own_.contains(ref);
}

std::vector<Result> Stage::results_of(const std::string& puppet) {
  const std::lock_guard<std::mutex> hold(mutex_);
  return std::exchange(results_[puppet], {});
}

std::vector<Seen> Stage::mailbox_of(const std::string& puppet) {
  const std::lock_guard<std::mutex> hold(mutex_);
  return std::exchange(mailboxes_[puppet], {});
}

void puppet(Stage& stage, const std::string& name) { Puppet(stage, name).run(); }

}  // namespace weft::differential
