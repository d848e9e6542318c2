// The script language of the differential test: what both runners, runner.erl for Erlang and this program for weft, understand.
//
// A file holds scripts. Each starts with `script NAME watched` or `script NAME blind`, and ends with `end`. The lines between are its
// steps. A conductor has the steps done one after the other, and waits after each until nothing moves any more.
//
//   p2 link p1                       the process p2 links p1
//   p2 send p1 ; exit_to p3 boom     a burst: p2 does both, and nothing waits in between
//   advance 3                        three units of time pass
//
// Processes are p1, p2, p3, which exist from the start, and those that were spawned. mN, aN, tN, nN are monitors, aliases, timers and
// names. A step is skipped whose process is dead, waits in `await`, or was never made; an item, whose operands were never made. So any part
// of a script is a script. Skipped as `open` is what the rules leave open: `take oldest` where messages of several senders came in one
// step, and a burst that may end a process that does not trap exits before the burst is over.
//
//   send DEST                                   the message STEP.ITEM to pN, to the name nN, or through aN or the alias of mN
//   take oldest | all | SELECTOR                what is in the mailbox; never waits
//   await SELECTOR [for N]                      waits for it; SELECTOR: message pN | exit pN | down mN | timer tN
//   spawn pN | spawn_link pN | spawn_monitor pN mN | spawn_link_monitor pN mN
//                                               each may end with: then return | then exit REASON | then crash | then throw
//   link pN | unlink pN | alive pN
//   monitor mN pN|nN [alias explicit_unalias|demonitor|reply_demonitor]
//   demonitor mN [flush] [info]
//   alias aN explicit_unalias|reply | unalias aN|mN
//   exit REASON | exit_to pN REASON | catch_exit REASON | crash | throw | return
//   trap on|off | hibernate
//   register nN pN | unregister nN | whereis nN
//   after tN N pN|nN | timer tN N pN|nN         send_after and start_timer, N units of time ahead
//   cancel tN | read tN
//
// REASON is a word, or shutdown:N or custom:N. In a watched script every mailbox is looked at, without taking anything, after each step;
// in a blind one nothing is looked at before the end. NOTES.md says what is compared.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <vector>

namespace weft::differential {

using Words = std::vector<std::string>;

struct Step {
  std::size_t number = 0;  // from 1
  std::string text;
  std::string actor;     // empty: time passes
  unsigned advance = 0;  // by so many units
  std::vector<Words> items;
};

struct Script {
  std::string name;
  bool watched = false;
  std::vector<Step> steps;
};

/// A text that is no script; what() names the line.
class BadScript : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Verbs and operands are checked when they are played.
std::vector<Script> read_scripts(std::istream& in);

}  // namespace weft::differential
