// One process of the random graph.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <weft/weft.hpp>

#include "tests/stress/run.hpp"

namespace weft::stress {

/// What all processes of the graph share.
struct Graph {
  Graph(Run& r, std::size_t size) : run(r), places(size) {}

  /// A dead pid stays dead, and after its DOWN nothing leads to it (LIF-6).
  void require_dead(Pid pid);

  Run& run;
  std::vector<std::atomic<Pid>> places;
};

/// A message with a number: the numbers from one sender to one receiver have no gap and no step back (ORD-1).
struct Note {
  Pid from;
  std::uint64_t number;
  Tracked tracked{};
};
struct Question {
  std::uint64_t number;
  Tracked tracked{};
};
struct Answer {
  std::uint64_t number;
  Tracked tracked{};
};
struct Wake {
  Tracked tracked{};
};

/// The reason of an exit signal that one actor sent another. It names its target, so that the target can tell it from an exit that
/// came over a link.
struct Poke {
  Pid target;
  friend bool operator==(const Poke&, const Poke&) = default;
};

/// The body of a process of the graph. Requires, for itself:
///   - Notes of each sender arrive in order and none is missing; none arrives after the DOWN of its sender was the oldest message;
///   - exactly one DOWN comes for each monitor, none for one that was removed with flush or found removed;
///   - of links that only this side makes and removes: an EXIT comes only while linked, and comes when the peer has died;
///   - a call is answered with its own answer.
/// Only the older of two processes links and unlinks them, so that it knows at every moment whether a link exists.
class Actor {
 public:
  Actor(Graph& graph, std::uint64_t number, bool traps);
  void operator()();

 private:
  struct State {
    State(Graph& g, Rng r, bool t) : graph(g), rng(r), traps(t) {}
    Graph& graph;
    Rng rng;
    const bool traps;  // at all times; else now and then
    std::unordered_map<Pid, std::uint64_t> sent, heard;
    std::unordered_map<MonitorRef, Pid> monitors;  // each owes one Down, which may be on its way
    std::unordered_set<Pid> links;                 // to younger processes
    std::unordered_set<Pid> gone;                  // whose Down was taken in order
    std::deque<MonitorRef> order;                  // monitors that may be removed, oldest first
    std::uint64_t question = 0;
  };

  Pid anybody();
  void act();
  void read_mail();
  void on_note(const Note& note);
  void on_down(const Down& down, bool in_order);
  void on_exit(const Exit& exit);
  void relate(Pid peer);
  void add_monitor(Pid peer);
  void remove_monitor();
  void add_link(Pid peer);
  void remove_link();
  void send_note(Pid peer);
  void ask(Pid peer);
  void use_name(Pid peer);
  void use_group();
  void end_somebody(Pid peer);
  void wait_somehow();
  void settle_debts();
  [[noreturn]] void sleep_deeply();

  // On the heap: hibernate() moves it from body to body.
  std::unique_ptr<State> state_;
  Tracked tracked_;
};

}  // namespace weft::stress
