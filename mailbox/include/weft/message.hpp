// What may be sent, and how it travels: the concept Sendable, the type-erased Message, and the envelope under both.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <weft/version.hpp>

namespace weft::inline v0 {

class Message;

/// "I know": carries what Sendable refuses, for example a pointer whose target outlives every process that sees it.
template <class T>
struct unchecked {
  T value;  ///< moved with the message
};

namespace detail {

template <class T>
struct is_view : std::false_type {};
template <class C, class T>
struct is_view<std::basic_string_view<C, T>> : std::true_type {};
template <class T, std::size_t N>
struct is_view<std::span<T, N>> : std::true_type {};
template <class T>
struct is_view<std::reference_wrapper<T>> : std::true_type {};
template <class T>
inline constexpr bool is_raw_pointer = std::is_pointer_v<T> && !std::is_function_v<std::remove_pointer_t<T>>;

}  // namespace detail

/// A type that can be a message: it moves, its destructor does not throw (CPP-9), and it is not an obvious view into memory of the
/// sender. What a type hides inside (a pointer member, a lambda's reference capture) cannot be seen; weft::unchecked says "I know".
template <class M>
concept Sendable = std::is_object_v<M> && std::move_constructible<M> && std::is_nothrow_destructible_v<M> && !std::is_const_v<M> &&
                   !detail::is_view<M>::value && !detail::is_raw_pointer<M> && !std::is_array_v<M> && !std::same_as<M, Message>;

namespace detail {

/// What the runtime knows of a message's type. One object per type and library; two libraries' objects for one type are equal by
/// `hash` and type_info, so that a message crosses a library boundary also under hidden visibility (CPP-22).
struct MessageType {
  std::uint64_t hash;
  const std::type_info* info;
  void (*destroy)(void*) noexcept;  // null: nothing to do
  std::uint32_t offset;             // of the payload from the envelope's start
  std::uint32_t bytes;              // envelope and payload
  std::uint32_t align;              // of the whole
  std::uint8_t size_class;          // of the node pool (node_pool.cpp)
};

/// Sizes of pooled envelopes. What is larger, or aligned more strictly than the first, comes from the heap.
inline constexpr std::size_t kPooledBytes[] = {64, 128, 256};
inline constexpr std::uint8_t kHeapClass = 0xff;
constexpr std::uint8_t size_class_of(std::size_t bytes, std::size_t align) noexcept {
  if (align > kPooledBytes[0] || bytes > kPooledBytes[2]) return kHeapClass;
  return bytes <= kPooledBytes[0] ? 0 : bytes <= kPooledBytes[1] ? 1 : 2;
}

constexpr std::uint64_t fnv1a(std::string_view text) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

template <class T>
constexpr std::string_view spelled() noexcept {
  return __PRETTY_FUNCTION__;
}

/// What an envelope is, besides its type.
enum class EnvelopeKind : std::uint8_t {
  user,   // a user's message: may be shed
  exit,   // an Exit, for a receiver that traps exits; never shed (CAP-3)
  down,   // a Down; never shed
  reply,  // the answer to a call or request: seen only by whoever waits for that alias
  lost,   // the Down of a call or request: as a reply
  kick,   // no message: makes the receiver look again at what it waits for
};
/// Whether no receive sees it, only who waits for the answer to a call.
constexpr bool is_answer(EnvelopeKind kind) noexcept { return kind == EnvelopeKind::reply || kind == EnvelopeKind::lost; }
constexpr bool is_down(EnvelopeKind kind) noexcept { return kind == EnvelopeKind::down || kind == EnvelopeKind::lost; }

/// Header of everything that travels through an inbox; the payload follows at type->offset.
///
/// A field belongs to the sender until the push, to the inbox until the take, and to the receiver after.
struct Envelope {
  Envelope* next;  // whoever puts it into a list says of which
  union {
    std::uint64_t alias = 0;  // in flight: 0, or the number of the alias it was sent through (ALI-1)
    Envelope* prev;           // in the save queue
  };
  const MessageType* type = nullptr;  // null for a kick
  std::uint64_t stamp;                // in flight: generation of the pid it is meant for; in the save queue: order of reception
  EnvelopeKind kind = EnvelopeKind::user;
  std::uint8_t size_class = 0;  // of the node pool
  bool counted = false;         // holds a place of a bounded mailbox

  void* payload() noexcept { return reinterpret_cast<std::byte*>(this) + type->offset; }
};

/// Memory for an envelope of `type`, from the calling thread's magazine. Throws std::bad_alloc. The payload is not constructed.
Envelope* allocate_envelope(const MessageType& type);
/// Gives the memory back; the payload is already destroyed (or was never made).
void free_envelope(Envelope* envelope) noexcept;
/// Destroys the payload, then gives the memory back. Messages nested in messages are destroyed one after the other, not one inside the
/// other, and no process may suspend meanwhile (CPP-7, CPP-9).
void destroy_envelope(Envelope* envelope) noexcept;
/// Whether a message's destructor runs on this thread.
bool destruction_under_way() noexcept;
/// After a destructor on this thread was left without returning (std::terminate): destruction starts afresh.
void forget_destruction() noexcept;
/// The runtime's, set once: where the calling process counts the reasons not to suspend; null outside a process.
using NoSuspendCounter = std::uint16_t* (*)() noexcept;
extern NoSuspendCounter no_suspend_counter;

template <class T>
void destroy_payload(void* payload) noexcept {
  static_cast<T*>(payload)->~T();
}

template <class T>
constexpr auto destroyer() noexcept -> void (*)(void*) noexcept {
  if constexpr (std::is_trivially_destructible_v<T>) {
    return nullptr;
  } else {
    return &destroy_payload<T>;
  }
}

constexpr std::uint32_t payload_offset(std::size_t align) noexcept {
  return static_cast<std::uint32_t>((sizeof(Envelope) + align - 1) / align * align);
}
/// The payload of an envelope that holds a T.
template <class T>
T* payload_of(Envelope& envelope) noexcept {
  return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(&envelope) + payload_offset(alignof(T)));
}

template <class T>
inline constexpr MessageType message_type{
    .hash = fnv1a(spelled<T>()),
    .info = &typeid(T),
    .destroy = destroyer<T>(),
    .offset = payload_offset(alignof(T)),
    .bytes = payload_offset(alignof(T)) + static_cast<std::uint32_t>(sizeof(T)),
    .align = static_cast<std::uint32_t>(alignof(T) > alignof(Envelope) ? alignof(T) : alignof(Envelope)),
    .size_class = size_class_of(payload_offset(alignof(T)) + sizeof(T), alignof(T)),
};

inline bool same_type(const MessageType& a, const MessageType& b) noexcept {
  return &a == &b || (a.hash == b.hash && a.bytes == b.bytes && *a.info == *b.info);
}

/// An envelope with `value` moved into it. If the move throws, the memory is given back and nothing was made.
template <class T, class... Args>
Envelope* make_envelope(Args&&... args) {
  Envelope* envelope = allocate_envelope(message_type<T>);
  if constexpr (std::is_nothrow_constructible_v<T, Args...>) {
    ::new (static_cast<void*>(payload_of<T>(*envelope))) T(std::forward<Args>(args)...);
  } else {
    try {
      ::new (static_cast<void*>(payload_of<T>(*envelope))) T(std::forward<Args>(args)...);
    } catch (...) {
      free_envelope(envelope);
      throw;
    }
  }
  return envelope;
}

struct EnvelopeDeleter {
  void operator()(Envelope* envelope) const noexcept { destroy_envelope(envelope); }
};
using EnvelopePtr = std::unique_ptr<Envelope, EnvelopeDeleter>;

/// The readable name of a type: "net::Ping". Cached by nobody; for logs and errors.
std::string_view type_name(const MessageType& type) noexcept;

}  // namespace detail

/// A message of any type: what receive_any() and the catch-all handler give. Move-only; may be kept, sent on, or outlive the runtime.
/// A moved-from or taken Message is empty: is<T>() is false, type_name() is empty.
class Message {
 public:
  Message() noexcept = default;
  /// A message that holds `value`, to be sent with send(Pid, Message) or kept.
  template <Sendable T>
  static Message of(T value) {
    return Message(detail::EnvelopePtr(detail::make_envelope<T>(std::move(value))));
  }
  /// For weft itself.
  explicit Message(detail::EnvelopePtr envelope) noexcept : envelope_(std::move(envelope)) {}

  /// Whether a T is inside: exactly T, not something that converts to it.
  template <class T>
  bool is() const noexcept {
    return envelope_ && detail::same_type(*envelope_->type, detail::message_type<T>);
  }
  /// @{
  /// The value, to look at or change in place; null when it is no T. Valid until the message is moved, taken or destroyed.
  template <class T>
  T* get_if() noexcept {
    return is<T>() ? detail::payload_of<T>(*envelope_) : nullptr;
  }
  template <class T>
  const T* get_if() const noexcept {
    return is<T>() ? detail::payload_of<const T>(*envelope_) : nullptr;
  }
  /// @}
  /// Moves the value out and leaves the message empty. Throws std::bad_cast, and changes nothing, when it holds another type.
  template <class T>
  T take() {
    T* value = get_if<T>();
    if (value == nullptr) throw std::bad_cast();
    const detail::EnvelopePtr gone = std::move(envelope_);
    return std::move(*value);
  }
  /// The demangled name of the type inside; empty for an empty message.
  std::string_view type_name() const noexcept { return envelope_ ? detail::type_name(*envelope_->type) : std::string_view(); }
  explicit operator bool() const noexcept { return envelope_ != nullptr; }

  /// For weft itself: the envelope, which leaves the message empty.
  detail::EnvelopePtr release() noexcept { return std::move(envelope_); }

 private:
  detail::EnvelopePtr envelope_;
};

}  // namespace weft
