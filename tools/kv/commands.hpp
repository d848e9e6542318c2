// The table of commands: what each one is called, how many arguments it takes, where it is run and how its replies become one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tools/kv/keyspace.hpp"
#include "tools/kv/resp.hpp"
#include "tools/kv/session.hpp"

namespace kv {

/// Who runs a command, and on which of its arguments.
enum class Route : std::uint8_t {
  session,      // the client's own process, at once
  connection,   // the client's own process, once all requests before it are answered
  key,          // the shard that owns args[1]
  each_key,     // one part a key: the shard that owns it
  each_pair,    // one part a key and value: the shard that owns the key
  every_shard,  // one part a shard, with all arguments
};

/// How the replies of a request's parts become the reply. A part that is an error is the whole reply, the first if there are several.
enum class Merge : std::uint8_t {
  first,          // they are all alike
  sum,            // of integers
  elements,       // each is an element of the array
  concatenation,  // each is an array; their elements together
};

enum class Access : std::uint8_t { none, read, write };

struct Subcommand {
  std::string_view name;  // lower case
  int arity;              // as Command::arity, with the names of the command and the subcommand counted
};

struct Command {
  std::string_view name;  // lower case
  int arity;              // the number of arguments, the name included; -n: n or more
  Access access;
  Route route;
  Merge merge = Merge::first;
  Keyspace::Handler on_shard = nullptr;       // runs one part
  Session::Handler on_session = nullptr;      // for Route::session
  bool when_subscribed = false;               // allowed while the client subscribes to channels
  std::span<const Subcommand> subcommands{};  // what args[1] may be, if there are any
};

/// As COMMAND INFO gives them: the first key, the last (-1: the last argument) and the step between keys; all 0 if there is none.
struct KeyPositions {
  int first;
  int last;
  int step;
};

[[nodiscard]] std::span<const Command> commands() noexcept;
/// Null if there is none of that name, in any case of letters.
[[nodiscard]] const Command* find_command(std::string_view name) noexcept;
[[nodiscard]] KeyPositions key_positions(const Command& command) noexcept;
[[nodiscard]] bool accepts_count(int arity, std::size_t arguments) noexcept;

struct CheckedRequest {
  const Command* command;  // null: `error` says why
  std::string error;
};

/// The command that `args`, which are not empty, ask for, if there is one, with that subcommand, that takes so many.
[[nodiscard]] CheckedRequest check_request(Args args);

/// What a client that subscribes to channels is told when it asks for another command; `args` are those of a request that was checked.
[[nodiscard]] std::string not_when_subscribed(const Command& command, Args args);

/// Appends the one reply that `parts`, in the order of the request's keys, make. There is at least one part.
void merge_replies(Merge merge, std::span<const std::string_view> parts, std::string& out);

}  // namespace kv
