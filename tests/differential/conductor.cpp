#include "tests/differential/conductor.hpp"

#include <algorithm>
#include <chrono>
#include <ostream>
#include <utility>
#include <vector>

namespace weft::differential {
namespace {

/// To the witness.
struct Watch {
  std::string name;
  Pid pid;
};

RuntimeOptions options_for(const Conductor::Settings& settings) {
  RuntimeOptions options;
  options.workers = settings.workers;
  options.clock = Clock::virtual_time;
  return options;
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : between).append(word);
  return text;
}

/// A burst with an end in it that does not come last: whoever does not trap exits may be gone before the burst is over.
bool is_perilous(const Step& step) {
  return step.items.size() > 1 && std::any_of(step.items.begin(), step.items.end(), [&](const Words& words) {
           return (words[0] == "exit_to" && words.size() == 3 && words[1] != step.actor && words[2] != "normal") ||
                  (words[0].starts_with("spawn_link") && std::find(words.begin(), words.end(), "then") != words.end());
         });
}

}  // namespace

// --- the witness -----------------------------------------------------------------------------------------------------------------

Witness::Witness(Runtime& runtime) : runtime_(runtime), pid_(runtime.spawn([this] { run(); })) {}

void Witness::watch(const std::string& name, Pid puppet) { runtime_.send(pid_, Watch{name, puppet}); }

std::map<std::string, std::string> Witness::ended() {
  const std::lock_guard<std::mutex> hold(mutex_);
  return std::exchange(ended_, {});
}

void Witness::run() {
  std::map<MonitorRef, std::string> watched;
  for (;;) {
    receive([&](Watch watch) { watched[monitor(watch.pid)] = std::move(watch.name); },
            [&](const Down& down) {
              const std::lock_guard<std::mutex> hold(mutex_);
              ended_[watched[down.ref]] = text_of(down.reason);
              watched.erase(down.ref);
            });
  }
}

// --- one script ------------------------------------------------------------------------------------------------------------------

class Conductor::Performance {
 public:
  Performance(Conductor& conductor, const Script& script, std::ostream& out)
      : runtime_(conductor.runtime_), witness_(conductor.witness_), script_(script), out_(out) {
    stage_.loses_a_down = conductor.settings_.loses_a_down;
  }

  void run() {
    out_ << "script " << script_.name << '\n';
    for (const char* name : {"p1", "p2", "p3"}) {
      stage_.names.add(name, runtime_.spawn([&stage = stage_, name = std::string(name)] { puppet(stage, name); }));
    }
    greet();
    for (const Step& step : script_.steps) perform(step);
    out_ << "end\n";
    show(script_.steps.size() + 1);
    clear();
  }

 private:
  struct Player {
    Pid pid;
    bool alive = true;
    bool awaits = false;
    Queue queue;
    std::string shown;  // the last line about it
  };

  void perform(const Step& step) {
    out_ << step.number << ' ' << step.text;
    if (step.actor.empty()) {
      runtime_.advance(std::chrono::milliseconds(step.advance));
      runtime_.run_until_idle();
    } else if (const std::string why = why_skipped(step); !why.empty()) {
      out_ << " -> skipped " << why << '\n';
      return;
    } else {
      runtime_.send(players_.at(step.actor).pid, Command{&step});
      runtime_.run_until_idle();
    }
    const std::map<std::string, std::string> ended = witness_.ended();
    for (const auto& [name, reason] : ended) players_.at(name).alive = false;
    if (!step.actor.empty()) out_ << " -> " << outcome(step);
    out_ << '\n';
    for (auto& [name, player] : players_) {
      if (!player.alive || !player.awaits || name == step.actor) continue;
      if (const std::vector<Result> results = stage_.results_of(name); !results.empty()) {
        player.awaits = false;
        out_ << "  " << name << " got " << text_of_result(player, results.front()) << '\n';
      }
    }
    for (const auto& [name, reason] : ended) out_ << "  " << name << " ended " << reason << '\n';
    greet();
    if (script_.watched) show(step.number);
  }

  std::string why_skipped(const Step& step) const {
    const auto actor = players_.find(step.actor);
    if (actor == players_.end()) return "nobody";
    if (!actor->second.alive) return "dead";
    if (actor->second.awaits) return "busy";
    if (step.items[0] == Words{"take", "oldest"} && (!script_.watched || actor->second.queue.oldest_is_open())) return "open";
    if (is_perilous(step) && !runtime_.info(actor->second.pid)->trap_exit) return "open";
    return {};
  }

  // Of a process that ended in the step, what came of the last item is not told: it may have ended before it could say so.
  std::string outcome(const Step& step) {
    Player& actor = players_.at(step.actor);
    std::vector<Result> results = stage_.results_of(step.actor);
    if (!actor.alive) {
      results.resize(std::min(results.size(), step.items.size() - 1));
      if (const Words& last = step.items.back(); last[0].starts_with("spawn") && last.size() > 1) stage_.names.forget(last[1]);
    }
    std::vector<std::string> texts;
    for (const Result& result : results) texts.push_back(text_of_result(actor, result));
    if (!actor.alive) {
      texts.emplace_back("died");
    } else if (results.size() < step.items.size()) {
      actor.awaits = true;
      texts.emplace_back("waits");
    }
    return joined(texts, " ; ");
  }

  static std::string text_of_result(Player& player, const Result& result) {
    return result.taken.empty() ? result.text : player.queue.take(result.taken);
  }

  // Has those watched who are new. Who was born and ended in one step left no reason with the witness.
  void greet() {
    bool anybody = false;
    for (const auto& [name, pid] : stage_.names.pids()) {
      if (!players_.emplace(name, Player{.pid = pid, .alive = true, .awaits = false, .queue = {}, .shown = {}}).second) continue;
      witness_.watch(name, pid);
      anybody = true;
    }
    if (!anybody) return;
    runtime_.run_until_idle();
    for (const auto& [name, reason] : witness_.ended()) {
      players_.at(name).alive = false;
      out_ << "  " << name << " gone\n";
    }
  }

  // A line about everybody of whom something has changed since the last.
  void show(std::size_t section) {
    for (const auto& [name, player] : players_) {
      if (player.alive && !player.awaits) runtime_.send(player.pid, Command{});
    }
    runtime_.run_until_idle();
    for (auto& [name, player] : players_) {
      if (!player.alive) continue;
      bool in_order = true;
      if (!player.awaits) in_order = player.queue.look(stage_.mailbox_of(name), section);
      std::string line = state(player) + (in_order ? "" : " DISORDER");
      if (line == player.shown) continue;
      out_ << "  " << name << ':' << line << '\n';
      player.shown = std::move(line);
    }
  }

  std::string state(const Player& player) const {
    const ProcessInfo info = runtime_.info(player.pid).value();
    std::string text;
    const auto add = [&](const char* title, std::vector<std::string> values, const char* between) {
      std::sort(values.begin(), values.end());
      if (!values.empty()) text.append(" ").append(title).append(joined(values, between));
    };
    if (info.trap_exit) text += " trap";
    add("links=", names_of(info.links, player.pid), ",");
    add("watched=", names_of(info.monitored_by, player.pid), ",");
    add("name=", info.names, ",");
    if (const std::string mail = player.queue.text(); !mail.empty()) text.append(" mail=[").append(mail).append("]");
    return text;
  }

  // Without the witness, and without itself: Erlang makes no monitor of oneself (MON-5).
  std::vector<std::string> names_of(const std::vector<Pid>& pids, Pid self) const {
    std::vector<std::string> names;
    for (const Pid pid : pids) {
      if (pid != self && pid != witness_.pid()) names.push_back(stage_.names.name_of(pid));
    }
    return names;
  }

  void clear() {
    for (const Pid pid : runtime_.list()) {
      if (pid != witness_.pid()) runtime_.kill(pid);
    }
    for (const auto& [name, timer] : stage_.names.timers()) runtime_.cancel_timer(timer);
    runtime_.run_until_idle();
    witness_.ended();
    const Stats left = runtime_.stats();
    const std::size_t names = runtime_.registered().size();
    if (left.live == 1 && left.active_links + left.active_monitors + left.active_timers + names == 0) return;
    out_ << "LEFT processes=" << left.live - 1 << " links=" << left.active_links << " monitors=" << left.active_monitors
         << " timers=" << left.active_timers << " names=" << names << '\n';
  }

  Runtime& runtime_;
  Witness& witness_;
  const Script& script_;
  std::ostream& out_;
  Stage stage_;
  std::map<std::string, Player> players_;
};

Conductor::Conductor(const Settings& settings) : settings_(settings), runtime_(options_for(settings)), witness_(runtime_) {}

void Conductor::play(const Script& script, std::ostream& out) { Performance(*this, script, out).run(); }

}  // namespace weft::differential
