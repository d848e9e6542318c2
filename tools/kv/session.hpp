// One client's own state, and the commands that concern nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tools/kv/resp.hpp"

namespace kv {

/// What CONFIG GET shows: names and values.
using Settings = std::vector<std::pair<std::string, std::string>>;

/// Each command writes exactly one reply. args[0] is its name, and the number of arguments has been checked, also where args[1] names a
/// subcommand.
class Session {
 public:
  using Handler = void (Session::*)(Args, ReplyWriter&);

  /// `settings` outlives the session.
  Session(std::uint64_t id, const Settings& settings) noexcept : id_(id), settings_(settings) {}

  /// The client has asked to be left: nothing behind that request counts.
  [[nodiscard]] bool closing() const noexcept { return closing_; }

  /// Channels that the client subscribes to. While there are any, only a few commands are allowed, and PING answers otherwise.
  [[nodiscard]] std::size_t subscriptions() const noexcept { return subscriptions_; }
  void set_subscriptions(std::size_t count) noexcept { subscriptions_ = count; }

  void ping(Args, ReplyWriter&);
  void echo(Args, ReplyWriter&);
  void select(Args, ReplyWriter&);
  void client(Args, ReplyWriter&);
  void config(Args, ReplyWriter&);
  void command(Args, ReplyWriter&);
  void reset(Args, ReplyWriter&);
  void quit(Args, ReplyWriter&);

 private:
  std::uint64_t id_;
  const Settings& settings_;
  std::string name_;
  std::size_t subscriptions_ = 0;
  bool closing_ = false;
};

}  // namespace kv
