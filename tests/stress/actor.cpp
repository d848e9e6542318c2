#include "tests/stress/actor.hpp"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace weft::stress {

namespace {

constexpr std::size_t kMostRelations = 12;
constexpr std::size_t kNames = 16;

std::string name_of(std::uint64_t number) { return "name-" + std::to_string(number % kNames); }

bool is_poke_at(const ExitReason& reason, Pid target) {
  const Poke* poke = reason.get_if<Poke>();
  return poke != nullptr && poke->target == target;
}

}  // namespace

void Graph::require_dead(Pid pid) {
  run.require(!is_alive(pid), pid.to_string(), " is alive after its DOWN");
  run.require(!info(pid), pid.to_string(), " has info after its DOWN");
  run.require(send(pid, Wake{}) == SendResult::no_process, pid.to_string(), " takes messages after its DOWN");
}

Actor::Actor(Graph& graph, std::uint64_t number, bool traps) : state_(std::make_unique<State>(graph, graph.run.rng(number), traps)) {}

void Actor::operator()() {
  for (;;) {
    read_mail();
    act();
    state_->graph.run.did();
  }
}

Pid Actor::anybody() {
  auto& places = state_->graph.places;
  return places[state_->rng.below(places.size())].load(std::memory_order_relaxed);
}

void Actor::act() {
  const Pid peer = anybody();
  if (!peer || peer == self()) return wait_somehow();
  switch (state_->rng.below(10)) {
    case 0:
    case 1:
    case 2:
      for (std::uint64_t i = state_->rng.below(4) + 1; i > 0; --i) send_note(peer);
      return;
    case 3:
    case 4:
      return relate(peer);
    case 5:
      return ask(peer);
    case 6:
      return state_->rng.one_in(2) ? use_name(peer) : use_group();
    case 7:
      if (state_->rng.one_in(8)) end_somebody(peer);
      return;
    default:
      return wait_somehow();
  }
}

// --- mail ------------------------------------------------------------------------------------------------------------------------

void Actor::read_mail() {
  for (int i = 0; i < 32; ++i) {
    const bool more =
        receive([&](const Note& note) { return on_note(note), true; }, [&](const Down& down) { return on_down(down, true), true; },
                [&](const Exit& exit) { return on_exit(exit), true; },
                [&](const Call<Question>& call) {
                  if (!state_->rng.one_in(4)) reply(call.from, Answer{call.request.number});
                  return true;
                },
                [](Message) { return true; }, after(0s, [] { return false; }));
    if (!more) return;
  }
}

void Actor::on_note(const Note& note) {
  std::uint64_t& last = state_->heard[note.from];
  Run& run = state_->graph.run;
  run.require(note.number == last + 1, "note ", note.number, " of ", note.from.to_string(), " came after ", last);
  run.require(!state_->gone.contains(note.from), "a note of ", note.from.to_string(), " came after its DOWN");
  last = note.number;
}

void Actor::on_down(const Down& down, bool in_order) {
  const auto found = state_->monitors.find(down.ref);
  Run& run = state_->graph.run;
  if (!run.require(found != state_->monitors.end(), "a DOWN of ", down.pid.to_string(), " for a monitor that fired or was removed")) return;
  run.require(found->second == down.pid, "a DOWN of ", down.pid.to_string(), " for a monitor of ", found->second.to_string());
  state_->monitors.erase(found);
  if (in_order) state_->gone.insert(down.pid);
  state_->sent.erase(down.pid);
  state_->graph.require_dead(down.pid);
}

void Actor::on_exit(const Exit& exit) {
  if (is_poke_at(exit.reason, self())) return;
  // Younger ones are linked by us alone: then the Exit ends a link that we know of.
  if (exit.from < self()) return;
  state_->graph.run.require(state_->links.erase(exit.from) == 1, "an EXIT of ", exit.from.to_string(),
                            ", to which there is no link: ", exit.reason.kind().text());
}

// --- relations -------------------------------------------------------------------------------------------------------------------

void Actor::relate(Pid peer) {
  switch (state_->rng.below(5)) {
    case 0:
    case 1:
      return add_monitor(peer);
    case 2:
      return remove_monitor();
    case 3:
      return add_link(peer);
    default:
      return remove_link();
  }
}

void Actor::add_monitor(Pid peer) {
  if (state_->monitors.size() >= kMostRelations) return settle_debts();
  const MonitorRef ref = state_->rng.one_in(4) ? monitor(peer, {.alias = AliasMode::reply_demonitor}) : monitor(peer);
  state_->graph.run.require(state_->monitors.emplace(ref, peer).second, "a reference of a monitor came twice");
  state_->order.push_back(ref);
}

void Actor::remove_monitor() {
  if (state_->order.empty()) return;
  const MonitorRef ref = state_->order.front();
  state_->order.pop_front();
  if (!state_->monitors.contains(ref)) {
    state_->graph.run.require(!demonitor(ref, {.info = true}), "a monitor that fired was found");
    return;
  }
  switch (state_->rng.below(3)) {
    case 0:
      demonitor(ref, {.flush = true});
      state_->monitors.erase(ref);
      return;
    case 1:
      // Not found: its Down waits, and is owed still.
      if (demonitor(ref, {.info = true})) state_->monitors.erase(ref);
      return;
    default: {
      // One Down may wait already; after one look that found none there is none for ever.
      demonitor(ref);
      const bool waited =
          receive(when([&](const Down& down) { return down.ref == ref; }, [](Down) { return true; }), after(0s, [] { return false; }));
      (void)waited;
      state_->monitors.erase(ref);
    }
  }
}

void Actor::add_link(Pid peer) {
  // While the Exit of an earlier link may be on its way, a second link would let two come.
  if (peer < self() || state_->links.contains(peer) || state_->links.size() >= kMostRelations) return;
  try {
    link(peer);
    state_->links.insert(peer);
  } catch (const NoSuchProcess&) {
    state_->graph.run.require(!state_->traps, "link() to a dead process threw in one that traps exits");
  }
}

void Actor::remove_link() {
  if (state_->links.empty()) return;
  const Pid peer = *std::next(state_->links.begin(), static_cast<std::ptrdiff_t>(state_->rng.below(state_->links.size())));
  unlink(peer);
  state_->links.erase(peer);
  // The one that LNK-5 allows. A poke of that peer names us, and may stay.
  int found = 0;
  while (receive(when([&](const Exit& exit) { return exit.from == peer && !is_poke_at(exit.reason, self()); }, [](Exit) { return true; }),
                 after(0s, [] { return false; }))) {
    ++found;
  }
  state_->graph.run.require(found <= 1, found, " EXITs of one link");
}

/// A peer that is dead must have told us: waits for the DOWN of the oldest such one, and for the EXIT if we are linked and trap.
void Actor::settle_debts() {
  const auto owed =
      std::find_if(state_->monitors.begin(), state_->monitors.end(), [](const auto& entry) { return !is_alive(entry.second); });
  if (owed == state_->monitors.end()) return remove_monitor();
  Run& run = state_->graph.run;
  const MonitorRef ref = owed->first;
  const Pid peer = owed->second;
  const Run::Awaiting awaiting(run, "a DOWN");
  const std::optional<Down> down =
      receive(when([&](const Down& d) { return d.ref == ref; }, [](Down d) { return std::optional(std::move(d)); }),
              after(run.patience(), [] { return std::optional<Down>(); }));
  if (!run.require(down.has_value(), "no DOWN of ", peer.to_string(), ", which is dead")) return;
  on_down(*down, false);
  if (!state_->traps || !state_->links.contains(peer)) return;
  const Run::Awaiting awaiting_exit(run, "an EXIT");
  const bool told = receive(when([&](const Exit& e) { return e.from == peer && !is_poke_at(e.reason, self()); }, [](Exit) { return true; }),
                            after(run.patience(), [] { return false; }));
  run.require(told, "no EXIT of ", peer.to_string(), ", which is dead and was linked");
  state_->links.erase(peer);
}

// --- the rest --------------------------------------------------------------------------------------------------------------------

void Actor::send_note(Pid peer) { send(peer, Note{self(), ++state_->sent[peer]}); }

void Actor::ask(Pid peer) {
  const std::uint64_t number = ++state_->question;
  try {
    const Answer answer = call<Answer>(peer, Question{number}, std::chrono::microseconds(state_->rng.below(300)));
    state_->graph.run.require(answer.number == number, "question ", number, " got the answer to ", answer.number);
  } catch (const TimedOut&) {
  } catch (const CallFailed&) {
  }
}

void Actor::use_name(Pid peer) {
  const std::string name = name_of(state_->rng.next());
  switch (state_->rng.below(4)) {
    case 0:
      try {
        register_name(name);
      } catch (const NameTaken&) {
      }
      return;
    case 1:
      unregister(name);
      return;
    case 2:
      try {
        register_name(name, peer);
      } catch (const NameTaken&) {
      } catch (const NoSuchProcess&) {
      }
      return;
    default:
      if (const std::optional<Pid> holder = whereis(name)) {
        state_->graph.run.require(!state_->gone.contains(*holder), name, " leads to ", holder->to_string(), ", whose DOWN came");
      }
      send(name, Wake{});
  }
}

void Actor::use_group() {
  const std::string group = "group-" + std::to_string(state_->rng.below(4));
  switch (state_->rng.below(5)) {
    case 0:
    case 1:
      join(group);
      return;
    case 2:
      leave(group);
      return;
    case 3:
      broadcast(group, Wake{});
      return;
    default:
      for (const Pid member : members(group)) {
        state_->graph.run.require(!state_->gone.contains(member), member.to_string(), " is a member after its DOWN");
      }
  }
}

void Actor::end_somebody(Pid peer) {
  switch (state_->rng.below(7)) {
    case 0:
      return kill(peer);
    case 1:
    case 2:
      return exit(peer, ExitReason::of(Poke{peer}));
    case 3:
      exit(ExitReason::normal);
    case 4:
      exit(ExitReason::shutdown);
    case 5:
      throw std::runtime_error("an actor failed, as it was told to");
    default:
      exit(ExitReason::kill);
  }
}

void Actor::wait_somehow() {
  switch (state_->rng.below(9)) {
    case 0:
      return yield();
    case 7:
      if (!state_->traps) trap_exit(state_->rng.one_in(2));
      return;
    case 1:
      return sleep_for(std::chrono::microseconds(state_->rng.below(200)));
    case 2:
      if (state_->rng.one_in(8)) blocking([] {});
      return;
    case 3: {
      const TimerRef timer = send_after(std::chrono::microseconds(state_->rng.below(500)), self(), Wake{});
      if (state_->rng.one_in(2)) cancel_timer(timer);
      return;
    }
    case 4:
      // Younger than we, and linked: it is one of ours until its Exit comes or we unlink it.
      if (state_->links.size() < kMostRelations) {
        state_->links.insert(spawn_link({.label = "child"}, [tracked = Tracked{}] { sleep_for(100us); }));
      }
      return;
    case 5:
      return settle_debts();
    case 6:
      if (state_->rng.one_in(4)) sleep_deeply();
      return;
    default:
      receive([](const Wake&) {}, after(std::chrono::microseconds(state_->rng.below(200)), [] {}));
  }
}

void Actor::sleep_deeply() {
  send_after(100us, self(), Wake{});
  hibernate(std::move(*this));
}

}  // namespace weft::stress
