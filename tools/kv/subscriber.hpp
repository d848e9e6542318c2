// The processes behind a client that subscribes to channels.
//
// A client's own process waits in read(), so it cannot take what others publish. From its first SUBSCRIBE on it has two helpers:
//
//   connection ─── subscriber ─── writer
//
// The subscriber is a member of one group a channel, and the only one that decides what the client gets in which order. It never waits for
// the client: the writer does. So publishers are never held up, and what a client leaves unread is counted in one place.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weft/net.hpp>
#include <weft/weft.hpp>

#include "tools/kv/resp.hpp"

namespace kv {

/// The socket of a client: one process reads, one writes, any may close.
using SharedStream = std::shared_ptr<weft::net::TcpStream>;

/// What a client may leave unread of what others publish, before it is dropped; as redis-server's limit for such clients.
inline constexpr std::size_t kUnreadPublicationBytes = std::size_t{32} << 20;

// What the connection asks of its subscriber, one request at a time.

/// Answered with Pushed when the client's kernel has taken all of `bytes`.
struct Push {
  std::string bytes;
};
struct Pushed {};

/// Answered with the number of channels subscribed to, a std::size_t; the confirmations for the client are under way.
struct Subscribe {
  std::vector<std::string> channels;
};
/// Likewise. No channels: all.
struct Unsubscribe {
  std::vector<std::string> channels;
};
/// Likewise for all channels, but the client is told nothing.
struct LeaveChannels {};

/// Appends what tells a client that `channel` was subscribed to or left, and how many it subscribes to now.
void confirm_channel(ReplyWriter& reply, std::string_view kind, std::optional<std::string_view> channel, std::size_t count);

/// Starts the two helpers, linked to the calling process: when one of the three ends, so do the others.
[[nodiscard]] weft::Pid spawn_subscriber(SharedStream stream);

/// Sends `payload` to all that subscribe to `channel`; returns how many.
std::size_t publish(std::string_view channel, std::string_view payload);

}  // namespace kv
