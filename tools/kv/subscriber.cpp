#include "tools/kv/subscriber.hpp"

#include <chrono>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "tools/kv/connection.hpp"
#include "tools/kv/hash.hpp"

namespace kv {

namespace {

/// One publication, written down once for all who get it.
struct Publication {
  std::string channel;
  std::string wire;
};

/// Nobody changes a publication, so processes may share it.
using Published = std::shared_ptr<const Publication>;

struct Batch {
  std::string bytes;
};
struct BatchWritten {};
struct GiveUp {};

constexpr auto kLastWrites = std::chrono::seconds(5);  // once the connection has ended

/// Names of groups are short; a channel may be as long as a value. Long ones that agree in beginning and hash share a group: subscribers
/// look at the channel itself.
std::string group_of(std::string_view channel) {
  constexpr std::size_t kKeptBytes = 200;
  if (channel.size() <= kKeptBytes) return std::string("channel:").append(channel);
  return std::string("channels:").append(channel.substr(0, kKeptBytes)).append(std::to_string(hash_key(channel)));
}

void write_batches(const SharedStream& stream, weft::Pid subscriber) {
  try {
    while (true) {
      const Batch batch = weft::receive<Batch>();
      stream->write_all(std::as_bytes(std::span(batch.bytes)));
      weft::send(subscriber, BatchWritten{});
    }
  } catch (const weft::net::NetError&) {
    weft::exit(weft::ExitReason::shutdown);  // The client broke the connection off: the links tell the others.
  }
}

class Subscriber {
 public:
  Subscriber(const SharedStream& stream, weft::Pid connection)
      : connection_(connection), writer_(weft::spawn_link(weft::SpawnOptions{.label = "writer"}, write_batches, stream, weft::self())) {}

  /// Until the connection has ended and all that is queued by then is written, or until the client is lost.
  void run() {
    while (!stopping_ || writing_) {
      weft::receive(
          [this](const Published& published) { deliver(*published); }, [this](BatchWritten) { batch_written(); },
          [this](weft::Call<Push> call) { push(std::move(call)); }, [this](weft::Call<Subscribe> call) { subscribe(std::move(call)); },
          [this](weft::Call<Unsubscribe> call) { unsubscribe(std::move(call)); },
          [this](weft::Call<LeaveChannels> call) { leave_channels(call.from); }, [this](const weft::Exit& exit) { learn_of(exit); },
          [](GiveUp) { weft::exit(weft::ExitReason::shutdown); }, [](weft::Message) {});
    }
    weft::exit(weft::ExitReason::shutdown);  // A normal end would leave the writer alone.
  }

 private:
  void deliver(const Publication& publication) {
    // One may be on its way when its channel is left; after the confirmation the client must not see it.
    if (stopping_ || !channels_.contains(publication.channel)) return;
    queue_ += publication.wire;
    write_next();
    if (queue_.size() > kUnreadPublicationBytes) weft::exit(weft::ExitReason::of(weft::Atom("unread")));
  }

  void push(weft::Call<Push> call) {
    queue_ += call.request.bytes;
    queued_push_ = call.from;
    write_next();
  }

  void subscribe(weft::Call<Subscribe> call) {
    for (std::string& channel : call.request.channels) {
      const auto [place, added] = channels_.insert(std::move(channel));
      if (added) weft::join(group_of(*place));
      confirm("subscribe", *place);
    }
    write_next();
    weft::reply(call.from, channels_.size());
  }

  void unsubscribe(weft::Call<Unsubscribe> call) {
    std::vector<std::string>& channels = call.request.channels;
    if (channels.empty()) channels.assign(channels_.begin(), channels_.end());
    if (channels.empty()) confirm("unsubscribe", std::nullopt);
    for (const std::string& channel : channels) {
      leave(channel);
      confirm("unsubscribe", channel);
    }
    write_next();
    weft::reply(call.from, channels_.size());
  }

  void leave_channels(const weft::From& from) {
    while (!channels_.empty()) leave(*channels_.begin());
    weft::reply(from, std::size_t{0});
  }

  void leave(const std::string& channel) {
    if (channels_.contains(channel)) weft::leave(group_of(channel));
    channels_.erase(std::string(channel));  // `channel` may be the one in the set.
  }

  void confirm(std::string_view kind, std::optional<std::string_view> channel) {
    ReplyWriter reply(queue_);
    confirm_channel(reply, kind, channel, channels_.size());
  }

  void write_next() {
    if (writing_ || queue_.empty()) return;
    writing_ = true;
    written_push_ = std::exchange(queued_push_, std::nullopt);
    weft::send(writer_, Batch{std::exchange(queue_, std::string())});
  }

  void batch_written() {
    writing_ = false;
    if (written_push_) weft::reply(*std::exchange(written_push_, std::nullopt), Pushed{});
    write_next();
  }

  /// A server that stops sends its signal to us too; what counts is the end of the connection, which may have replies to write.
  void learn_of(const weft::Exit& exit) {
    if (exit.from == connection_ && (exit.reason.is_normal() || exit.reason == weft::ExitReason::shutdown)) {
      stopping_ = true;
      weft::send_after(kLastWrites, weft::self(), GiveUp{});
    } else if (exit.from == connection_ || exit.from == writer_) {
      weft::exit(weft::ExitReason::shutdown);
    }
  }

  weft::Pid connection_;
  weft::Pid writer_;
  std::set<std::string> channels_;
  std::string queue_;  // not yet with the writer
  std::optional<weft::From> queued_push_;
  std::optional<weft::From> written_push_;
  bool writing_ = false;
  bool stopping_ = false;
};

}  // namespace

void confirm_channel(ReplyWriter& reply, std::string_view kind, std::optional<std::string_view> channel, std::size_t count) {
  reply.array(3);
  reply.bulk(kind);
  channel ? reply.bulk(*channel) : reply.null_bulk();
  reply.integer(static_cast<std::int64_t>(count));
}

weft::Pid spawn_subscriber(SharedStream stream) {
  const weft::SpawnOptions options{.label = "subscriber", .groups = {kConnections}, .trap_exit = true};
  return weft::spawn_link(
      options, [](const SharedStream& shared, weft::Pid connection) { Subscriber(shared, connection).run(); }, std::move(stream),
      weft::self());
}

std::size_t publish(std::string_view channel, std::string_view payload) {
  const std::string group = group_of(channel);
  if (weft::members(group).empty()) return 0;
  auto publication = std::make_shared<Publication>();
  publication->channel = channel;
  ReplyWriter message(publication->wire);
  message.array(3);
  message.bulk("message");
  message.bulk(channel);
  message.bulk(payload);
  return weft::broadcast(group, Published(std::move(publication)));
}

}  // namespace kv
