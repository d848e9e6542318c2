#include "tools/kv/connection.hpp"

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weft/weft.hpp>

#include "tools/kv/commands.hpp"
#include "tools/kv/info.hpp"
#include "tools/kv/pipeline.hpp"
#include "tools/kv/resp.hpp"
#include "tools/kv/session.hpp"
#include "tools/kv/shard.hpp"
#include "tools/kv/subscriber.hpp"
#include "tools/kv/text.hpp"

namespace kv {

namespace {

constexpr std::size_t kUnusedReplyBytes = std::size_t{1} << 20;  // that a shard may be ahead of the others
constexpr auto kRestartTime = std::chrono::seconds(1);           // the longest that a shard is missing
constexpr std::string_view kShardLost = "ERR shard restarted, data lost";

class Connection {
 public:
  Connection(weft::net::TcpStream stream, ServerState& state, std::uint64_t id)
      : stream_(std::make_shared<weft::net::TcpStream>(std::move(stream))),
        state_(state),
        parser_(ParserLimits{.max_bulk_bytes = state.options.max_value_bytes}),
        session_(id, state.settings),
        pipeline_(state.options.shards) {
    for (std::size_t shard = 0; shard < pipeline_.shards(); ++shard) shard_names_.push_back(shard_name(shard));
  }

  /// Until the client leaves. A signal to exit ends the process at once while it waits for a request. While requests are under way the
  /// signal is a message, and the replies are written first.
  void run() {
    while (read()) {
      weft::trap_exit(true);
      const bool stays = answer_requests();
      write();
      if (!stays || weft::receive_for<weft::Exit>(weft::Duration::zero())) return;
      weft::trap_exit(false);
    }
  }

 private:
  using Pending = weft::Pending<ShardWork>;

  bool read() {
    const std::span<char> space = parser_.free_space();
    const std::size_t bytes = stream_->read(std::as_writable_bytes(space));
    parser_.commit(bytes);
    return bytes != 0;
  }

  /// Plans all complete requests that have been read, then answers them. False: the connection is to be closed.
  bool answer_requests() {
    ParseStatus status = ParseStatus::incomplete;
    std::uint64_t count = 0;
    while (!session_.closing() && (status = parser_.next()) == ParseStatus::request) {
      dispatch(parser_.args());
      ++count;
    }
    if (status == ParseStatus::error) add_error(parser_.error());
    settle();
    state_.commands.fetch_add(count, std::memory_order_relaxed);
    return !session_.closing() && status != ParseStatus::error;
  }

  void dispatch(Args args) {
    const auto [command, error] = check_request(args);
    if (command == nullptr) {
      add_error(error);
    } else if (session_.subscriptions() != 0 && !command->when_subscribed) {
      add_error(not_when_subscribed(*command, args));
    } else if (command->route == Route::session) {
      const Session::Handler handler = command->on_session;
      pipeline_.add_answered([&](ReplyWriter& reply) { (session_.*handler)(args, reply); });
      if (command->name == "reset" && session_.subscriptions() != 0) ask_subscriber(LeaveChannels{});
    } else if (command->route == Route::connection) {
      settle();
      run_here(command->name, args);
    } else {
      pipeline_.add(*command, args);
    }
  }

  void run_here(std::string_view name, Args args) {
    ReplyWriter reply(output_);
    if (name == "info") {
      reply.bulk(info_text(state_, count_keys(), args.subspan(1)));
    } else if (name == "debug") {
      debug(args, reply);
    } else if (name == "publish") {
      reply.integer(static_cast<std::int64_t>(publish(args[1], args[2])));
    } else {
      change_channels(name, std::vector<std::string>(args.begin() + 1, args.end()), reply);
    }
  }

  void change_channels(std::string_view command, std::vector<std::string> channels, ReplyWriter& reply) {
    const bool subscribes = command == "subscribe";
    if (subscribes && !subscriber_) {
      write();  // From here on it is the subscriber that writes.
      subscriber_ = spawn_subscriber(stream_);
    }
    if (subscriber_) {
      write();  // The subscriber's confirmations go behind what is answered.
      subscribes ? ask_subscriber(Subscribe{std::move(channels)}) : ask_subscriber(Unsubscribe{std::move(channels)});
    } else if (channels.empty()) {
      confirm_channel(reply, command, std::nullopt, 0);
    } else {
      for (const std::string& channel : channels) confirm_channel(reply, command, channel, 0);
    }
  }

  template <class Request>
  void ask_subscriber(Request request) {
    session_.set_subscriptions(weft::call<std::size_t>(*subscriber_, std::move(request), weft::forever));
  }

  void add_error(std::string_view text) {
    pipeline_.add_answered([text](ReplyWriter& reply) { reply.error(text); });
  }

  /// Answers what is planned, in output_. What is ready is written before the shards do more: a client that does not read its replies
  /// stops its own requests.
  void settle() {
    if (pipeline_.empty()) return;
    make_round();
    while (!pipeline_.drain(output_)) {
      write();
      make_round();
    }
  }

  /// One message to each shard that has something to do, then their answers, which come while the others still work.
  void make_round() {
    pending_.resize(pipeline_.shards());
    for (std::size_t shard = 0; shard < pipeline_.shards(); ++shard) {
      if (!pipeline_.wants_round(shard, kUnusedReplyBytes)) continue;
      if (const std::optional<weft::Pid> pid = find_shard(shard)) {
        pending_[shard].emplace(weft::request<ShardWork>(*pid, pipeline_.take_work(shard)));
      } else {
        pipeline_.fail(shard, kShardLost);
      }
    }
    for (std::size_t shard = 0; shard < pipeline_.shards(); ++shard) {
      if (!pending_[shard]) continue;
      try {
        pipeline_.put_back(shard, pending_[shard]->wait(weft::forever));
      } catch (const weft::CallFailed&) {
        pipeline_.fail(shard, kShardLost);
      }
      pending_[shard].reset();
    }
  }

  /// The shard's process; waits a little while there is none, because its supervisor is about to start one.
  [[nodiscard]] std::optional<weft::Pid> find_shard(std::size_t shard) const {
    const auto deadline = weft::now() + kRestartTime;
    while (true) {
      const std::optional<weft::Pid> pid = weft::whereis(shard_names_[shard]);
      if (pid || weft::now() >= deadline) return pid;
      weft::sleep_for(std::chrono::milliseconds(1));
    }
  }

  [[nodiscard]] std::int64_t count_keys() {
    const std::string_view name = "dbsize";
    std::string answered_before = std::exchange(output_, std::string());
    pipeline_.add(*find_command(name), Args(&name, 1));
    settle();
    const std::string reply = std::exchange(output_, std::move(answered_before));
    return parse_integer(std::string_view(reply).substr(1, reply.size() - 3)).value_or(0);
  }

  /// DEBUG CRASH-SHARD n: ends the process of that shard, for trying out what its clients see.
  void debug(Args args, ReplyWriter& reply) {
    const std::optional<std::int64_t> index = args.size() == 3 ? parse_integer(args[2]) : std::nullopt;
    if (!equals_ignoring_case(args[1], "crash-shard") || !index) return reply.error(kSyntaxError);
    if (*index < 0 || static_cast<std::size_t>(*index) >= pipeline_.shards()) return reply.error("ERR no such shard");
    if (const std::optional<weft::Pid> pid = find_shard(static_cast<std::size_t>(*index))) {
      const weft::MonitorRef ref = weft::monitor(*pid);
      weft::exit(*pid, weft::ExitReason::of(weft::Atom("crash")));
      // Its name is free when this has come: the client's next request finds the shard's successor.
      weft::receive(weft::when([ref](const weft::Down& down) { return down.ref == ref; }, [](weft::Down) {}));
    }
    reply.simple("OK");
  }

  /// Returns when the client's kernel has taken all: a client that does not read stops its own requests.
  void write() {
    if (output_.empty()) return;
    if (subscriber_) {
      (void)weft::call<Pushed>(*subscriber_, Push{std::exchange(output_, std::string())}, weft::forever);
      return;
    }
    stream_->write_all(std::as_bytes(std::span(output_)));
    output_.clear();
    if (output_.capacity() > kUnusedReplyBytes) output_.shrink_to_fit();
  }

  SharedStream stream_;
  ServerState& state_;
  RequestParser parser_;
  Session session_;
  Pipeline pipeline_;
  std::vector<std::string> shard_names_;
  std::vector<std::optional<Pending>> pending_;
  std::string output_;
  std::optional<weft::Pid> subscriber_;  // writes for us from the first SUBSCRIBE on
};

}  // namespace

void serve_client(weft::net::TcpStream stream, ClientPlace place, std::uint64_t id) {
  try {
    Connection(std::move(stream), place.state(), id).run();
  } catch (const weft::net::NetError&) {
    // The client broke the connection off.
  } catch (const weft::CallFailed&) {
    // So did it with our subscriber; or it left too much unread.
  }
}

}  // namespace kv
