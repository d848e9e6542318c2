// Sockets and descriptors whose calls suspend the process, not its worker.
#pragma once

#include <weft/clock.hpp>
#include <weft/error.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What holds for every call below that takes a Duration:
//
// Effect:  tries first; suspends the calling process when the kernel has nothing yet. Interrupted system calls are repeated.
// Units:   the Duration counts from the call, on the runtime's clock. 0 tries once; forever waits without end.
// Threads: from a process only. It can be killed while it waits: its stack unwinds and releases what it owns, descriptors included.
// Errors:  NotInProcess outside a process; BadArgument for a negative Duration; TimedOut, whose text names the call, the peer and the
//          Duration; NetError, whose text names the call, the peer and the system's error. Nothing else but std::bad_alloc.
//
// A socket object has one owner and may be sent in a message. It may be *used* by several processes at a time if they see to its life
// (a std::shared_ptr in `unchecked`): one may read while another writes, and any may close(). Two that read, or two that write, or two
// that accept, are refused with NetError (EBUSY) as soon as both have to wait. Destroying or moving it under a call in progress is an
// error.

namespace weft::inline v0 {

namespace detail {

struct AddressAccess;

/// Owns a descriptor and closes it exactly once, after the last call that uses it has left.
///
/// N1  `state_` counts the calls inside, twice, plus kClosed. Nobody enters once kClosed is set, so the count reaches zero once.
/// N2  Whoever takes the count to zero with kClosed set closes. A number is therefore never closed under a system call, and none of
///     ours is ever made on a number that the kernel has given out again.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd), state_(fd < 0 ? kClosed : 0) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { close(); }

  /// Counts a call in and gives it the number; -1, and nothing counted, once closed.
  [[nodiscard]] int enter() const noexcept;
  void leave() const noexcept;
  /// Wakes those inside with an error; the last of them closes.
  void close() noexcept;
  [[nodiscard]] bool is_closed() const noexcept { return (state_.load(std::memory_order_relaxed) & kClosed) != 0; }
  [[nodiscard]] int fd() const noexcept { return is_closed() ? -1 : fd_; }

  /// The runtime whose poller has registered this very descriptor, or null; compared, never followed.
  std::atomic<const void*> known_to{nullptr};

 private:
  static constexpr std::uint32_t kClosed = 1;
  static constexpr std::uint32_t kUser = 2;

  int fd_;
  mutable std::atomic<std::uint32_t> state_;
};

}  // namespace detail

/// Sockets and descriptors whose calls suspend the process, not its worker. What holds for all of them stands in <weft/net.hpp>.
namespace net {

/// The system refused. code() is an errno; ECONNRESET, ECONNREFUSED, EPIPE, EADDRINUSE ... tell cases apart. EBADF: the object is closed,
/// perhaps by another process while this one waited.
class NetError : public Error {
 public:
  /// For weft itself.
  NetError(const std::string& text, int code) : Error(text), code_(code) {}
  [[nodiscard]] int code() const noexcept { return code_; }  ///< an errno, for example ECONNRESET

 private:
  int code_;
};

/// An IPv4 or IPv6 address and a port. A plain value.
class Address {
 public:
  static Address loopback(std::uint16_t port) noexcept;  ///< 127.0.0.1. Port 0 lets listen() choose.
  static Address any(std::uint16_t port) noexcept;       ///< 0.0.0.0: every IPv4 interface.

  /// `host` is numeric: "192.0.2.1" or "2001:db8::1". Names are not looked up. Throws BadArgument with the text that is no address.
  static Address parse(std::string_view host, std::uint16_t port);

  [[nodiscard]] std::uint16_t port() const noexcept;  ///< in the host's byte order
  [[nodiscard]] std::string to_string() const;        ///< "192.0.2.1:80", "[2001:db8::1]:80"
  friend bool operator==(const Address&, const Address&) noexcept = default;

 private:
  friend struct detail::AddressAccess;
  static constexpr std::size_t kMaxBytes = 28;  // Of a sockaddr_in6.

  Address() noexcept = default;

  alignas(8) std::array<std::byte, kMaxBytes> bytes_{};
  std::uint32_t size_bytes_ = 0;
};

/// A host's name has no address, or could not be looked up. code() is a EAI_ constant of <netdb.h>: EAI_NONAME, EAI_AGAIN ...
class ResolveError : public Error {
 public:
  ResolveError(const std::string& text, int code) : Error(text), code_(code) {}  ///< What went wrong, and the EAI_ constant.
  [[nodiscard]] int code() const noexcept { return code_; }                      ///< EAI_NONAME and the like.

 private:
  int code_;
};

/// The addresses of `host`, a name or a numeric address, in the order in which to try them, each with `port`; at least one.
///
/// Effect: asks the system (getaddrinfo: its files, its name servers) on a thread of the blocking pool; the process is suspended
/// meanwhile. Limits: how long it may take is the system's to say (resolv.conf), and a process that is killed meanwhile is unwound only
/// after it. Errors: NotInProcess; ResolveError, whose text names the host; BadArgument for an empty host and for a zero byte in it; as
/// blocking().
std::vector<Address> resolve(std::string_view host, std::uint16_t port);

/// Of an option.
enum class Switch : std::uint8_t { off, on };

/// A connected byte stream: what TcpStream and UnixStream share. Writing to a peer that is gone raises no signal.
class StreamSocket {
 public:
  /// Reads what is there, at least one byte and at most `buffer`, and returns how many bytes; 0 is the end of the stream.
  /// Errors: as above; BadArgument for an empty buffer; NetError ECONNRESET when the peer broke off.
  std::size_t read(std::span<std::byte> buffer, Duration timeout = forever);

  /// Writes all of `bytes`; returns when the kernel has taken the last. The timeout bounds the whole.
  /// Errors: as above; NetError EPIPE or ECONNRESET when the peer is gone. After any error, and when killed, an unknown part was written.
  void write_all(std::span<const std::byte> bytes, Duration timeout = forever);

  /// The same for several pieces in their order, with as few system calls as the kernel allows.
  void write_all(std::span<const std::span<const std::byte>> pieces, Duration timeout = forever);

  /// Tells the peer that nothing more will be written: it reads what is under way, then the end of the stream. Reading goes on.
  /// Any thread, does not wait. Errors: NetError; ENOTCONN when the connection is gone.
  void shutdown_write();

  /// Gives the descriptor back. A process inside read() or write_all() on another worker or suspended gets NetError EBADF.
  /// Any thread, does not wait. Closing twice does nothing.
  void close() noexcept { descriptor_.close(); }

  /// For options that have no call here; -1 once closed. It stays ours: do not close it, do not make it blocking.
  [[nodiscard]] int fd() const noexcept { return descriptor_.fd(); }

 protected:
  /// @cond
  explicit StreamSocket(detail::Descriptor descriptor) noexcept : descriptor_(std::move(descriptor)) {}
  StreamSocket(StreamSocket&&) noexcept = default;
  StreamSocket& operator=(StreamSocket&&) noexcept = default;
  ~StreamSocket() = default;

  detail::Descriptor descriptor_;
  /// @endcond
};

/// A socket that waits for connections: what TcpListener and UnixListener share.
class ListenSocket {
 public:
  /// Stops listening. A process inside accept() gets NetError EBADF. Any thread, does not wait. Closing twice does nothing.
  void close() noexcept { descriptor_.close(); }

  [[nodiscard]] int fd() const noexcept { return descriptor_.fd(); }  ///< -1 once closed; it stays ours.

 protected:
  /// @cond
  explicit ListenSocket(detail::Descriptor descriptor) noexcept : descriptor_(std::move(descriptor)) {}
  ListenSocket(ListenSocket&&) noexcept = default;
  ListenSocket& operator=(ListenSocket&&) noexcept = default;
  ~ListenSocket() = default;

  detail::Descriptor accept_next(Duration timeout);

  detail::Descriptor descriptor_;
  /// @endcond
};

/// A TCP connection.
class TcpStream : public StreamSocket {
 public:
  /// Errors: as above; NetError ECONNREFUSED when nobody listens, EHOSTUNREACH ...; TimedOut when the peer does not answer in time.
  static TcpStream connect(const Address& peer, Duration timeout = forever);

  /// Resolves `host` and tries its addresses one after the other. The timeout bounds the attempts to connect, together.
  /// Errors: as resolve(); else those of the attempt that failed last.
  static TcpStream connect(std::string_view host, std::uint16_t port, Duration timeout = forever);

  /// on: small writes leave at once (TCP_NODELAY). off, as the system starts: they may wait for each other. Any thread.
  void set_nodelay(Switch value = Switch::on);

  [[nodiscard]] Address local_address() const;  ///< Any thread. NetError once closed.
  [[nodiscard]] Address peer_address() const;   ///< Any thread. NetError once closed, or ENOTCONN when the connection is gone.

 private:
  friend class TcpListener;
  using StreamSocket::StreamSocket;
};

/// How a listener waits.
struct ListenOptions {
  int backlog = 511;        ///< Connections the kernel completes ahead of accept(); it may cut this to its own limit.
  bool reuse_port = false;  ///< TCP: several listeners share the port and the kernel spreads connections over them (SO_REUSEPORT).
};

/// Waits for TCP connections.
class TcpListener : public ListenSocket {
 public:
  /// A port whose last owner is gone is taken at once (SO_REUSEADDR). Any thread, does not wait.
  /// Errors: NetError EADDRINUSE, EACCES, EMFILE ...; BadArgument for a negative backlog.
  static TcpListener listen(const Address& local, ListenOptions options = {});

  /// The next connection. While the system is out of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM) it pauses and tries again
  /// until the timeout; connections that broke before they were taken are passed over.
  TcpStream accept(Duration timeout = forever);

  [[nodiscard]] Address local_address() const;  ///< With the port that was chosen for 0. Any thread. NetError once closed.

 private:
  using ListenSocket::ListenSocket;
};

/// A connection through a socket of the file system.
class UnixStream : public StreamSocket {
 public:
  /// `path` as for UnixListener. While the listener's backlog is full it tries again until the timeout.
  /// Errors: as above; NetError ENOENT, ECONNREFUSED; BadArgument for a path too long.
  static UnixStream connect(std::string_view path, Duration timeout = forever);

 private:
  friend class UnixListener;
  using StreamSocket::StreamSocket;
};

/// Waits for connections through a socket of the file system.
class UnixListener : public ListenSocket {
 public:
  /// Makes a socket file at `path`, at most 107 bytes; a `path` that begins with a zero byte is a name in the abstract namespace, without a
  /// file. An existing file is left alone, and so is ours at close(): removing it is the caller's. Any thread, does not wait.
  /// Errors: NetError EADDRINUSE (the file exists), EACCES, ENOENT ...; BadArgument for a path empty or too long, and for a negative
  /// backlog.
  static UnixListener listen(std::string_view path, ListenOptions options = {});

  UnixStream accept(Duration timeout = forever);  ///< As TcpListener::accept().

 private:
  using ListenSocket::ListenSocket;
};

/// Of UdpSocket::bind().
struct UdpOptions {
  bool reuse_port = false;  ///< Several sockets share the port and the kernel spreads senders over them (SO_REUSEPORT).
};

/// Datagrams: each is sent and received whole, at most once, in any order. One process may receive while another sends, any may close().
class UdpSocket {
 public:
  /// A datagram that came.
  struct Received {
    std::size_t size_bytes;  ///< Of the datagram. Larger than the buffer: what did not fit is lost.
    Address from;            ///< Who sent it.
  };

  /// Port 0 lets the system choose. Any thread, does not wait. Errors: NetError EADDRINUSE, EACCES, EMFILE ...
  static UdpSocket bind(const Address& local, UdpOptions options = {});

  /// From now on send() goes to `peer`, nobody else's datagrams are received, and the peer's refusals are heard: calls may fail with
  /// ECONNREFUSED. Any thread, does not wait. Errors: NetError.
  void connect(const Address& peer);

  /// Waits for a datagram, which may have 0 bytes, and writes it to `buffer`.
  /// Errors: as above; BadArgument for an empty buffer; NetError.
  Received receive_from(std::span<std::byte> buffer, Duration timeout = forever);

  /// Sends one datagram; waits while the kernel's buffer is full. That it arrives is not promised.
  /// Errors: as above; NetError EMSGSIZE when it is too large, ENETUNREACH ...
  void send_to(const Address& peer, std::span<const std::byte> bytes, Duration timeout = forever);
  void send(std::span<const std::byte> bytes, Duration timeout = forever);  ///< To the peer of connect(); NetError EDESTADDRREQ without.

  /// As StreamSocket::close().
  void close() noexcept { descriptor_.close(); }

  /// For options that have no call here, broadcast and multicast among them; -1 once closed. It stays ours.
  [[nodiscard]] int fd() const noexcept { return descriptor_.fd(); }
  [[nodiscard]] Address local_address() const;  ///< With the port that was chosen for 0. Any thread. NetError once closed.

 private:
  explicit UdpSocket(detail::Descriptor descriptor) noexcept : descriptor_(std::move(descriptor)) {}
  void send_one(const Address* peer, std::span<const std::byte> bytes, Duration timeout);

  detail::Descriptor descriptor_;
};

/// What wait_fd() waits for.
enum class Interest : std::uint8_t { read, write };
/// How its wait ended.
enum class [[nodiscard]] Readiness : std::uint8_t{ready, timed_out};

/// Suspends until a descriptor of someone else's, of a library say, is ready: an operation of that kind would not block, or would fail at
/// once (end of file, hang-up, error). Regular files are always ready. One process per direction; nothing is kept after the call.
///
/// Order:   looks at the descriptor first, so readiness that is there already ends the wait.
/// Errors:  NotInProcess; BadArgument for a negative Duration; NetError EBADF for a number that is not open, EBUSY when another
///          process waits for the same direction. The Duration running out is an ordinary outcome.
/// Limits:  the kernel does not tell of a close(): who closes a descriptor that may be waited for calls forget_fd() before.
Readiness wait_fd(int fd, Interest interest, Duration timeout = forever);

/// Processes of the calling process's runtime that wait_fd() for `fd` get NetError EBADF. Call it just before close().
void forget_fd(int fd) noexcept;

}  // namespace net
}  // namespace weft
