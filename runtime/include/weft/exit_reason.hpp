// Why a process ended.
#pragma once

#include <atomic>
#include <compare>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>

#include <weft/atom.hpp>
#include <weft/message.hpp>

namespace weft::inline v0 {

namespace detail {

/// What an ExitReason shares. Immutable but for the count.
struct ReasonData {
  constexpr explicit ReasonData(Atom k) noexcept : kind(k) {}
  virtual constexpr ~ReasonData() = default;
  ReasonData(const ReasonData&) = delete;
  ReasonData& operator=(const ReasonData&) = delete;
  virtual const MessageType* payload_type() const noexcept { return nullptr; }
  virtual const void* payload() const noexcept { return nullptr; }
  virtual bool same_payload(const ReasonData& other) const { return other.payload_type() == nullptr; }

  Atom kind;
  std::string type;  // of the exception, for an error
  std::string text;
  bool immortal = false;  // a constant: not counted, so that a storm of them contends for nothing
  mutable std::atomic<std::uint32_t> references{1};
};

template <class T>
struct ReasonWith final : ReasonData {
  ReasonWith(Atom k, T v) : ReasonData(k), value(std::move(v)) {}
  const MessageType* payload_type() const noexcept override { return &message_type<T>; }
  const void* payload() const noexcept override { return &value; }
  bool same_payload(const ReasonData& other) const override {
    if (other.payload_type() == nullptr || !same_type(*other.payload_type(), message_type<T>)) return false;
    if constexpr (std::equality_comparable<T>) {
      return value == *static_cast<const T*>(other.payload());
    } else {
      return this == &other;
    }
  }
  T value;
};

}  // namespace detail

/// Why a process ended (EXR-1): a kind, and what belongs to it. Cheap to copy, compared by value, safe to share between threads.
///
/// Equal are two reasons of one kind with equal texts and payloads; payloads without == are equal to themselves only.
class ExitReason {
 public:
  static const ExitReason normal;        ///< the body returned; ignored by links
  static const ExitReason shutdown;      ///< asked to end; clean for the log, abnormal for links
  static const ExitReason kill;          ///< as a signal: ends its receiver, trapping or not, with `killed`
  static const ExitReason killed;        ///< what a kill ends with; trappable when it comes through a link
  static const ExitReason noproc;        ///< there was no such process
  static const ExitReason timeout;       ///< for a user's own protocols
  static const ExitReason noconnection;  ///< for a user's own protocols

  /// Normal.
  ExitReason() noexcept;
  /// What an uncaught exception becomes: kind `error`, its demangled type, its text (EXR-3).
  static ExitReason error(std::string type, std::string what);
  /// Kind `shutdown` with a payload: clean for supervisors and the log, abnormal for links (EXR-8).
  static ExitReason shutdown_with(Sendable auto value) { return with(detail::atoms::shutdown, std::move(value)); }
  /// Kind `custom` with a payload.
  static ExitReason of(Sendable auto value) { return with(detail::atoms::custom, std::move(value)); }
  /// A reason that is just its kind.
  static ExitReason of(Atom kind);
  /// For weft itself: kind `nocatch`, an uncaught throw of something that is no std::exception.
  static ExitReason uncaught(std::string type);

  /// Its kind: "normal", "error", "custom", or the atom it was made of.
  Atom kind() const noexcept { return data_->kind; }
  /// Whether the kind is normal.
  bool is_normal() const noexcept { return data_->kind == detail::atoms::normal; }
  /// The text of an error; empty for other kinds. Lives as long as this reason or a copy of it.
  std::string_view what() const noexcept;
  /// The demangled type of an error; empty for other kinds.
  std::string_view type() const noexcept { return data_->type; }
  /// "killed", or "error std::runtime_error: out of cheese".
  std::string to_string() const;
  /// The payload, if there is one and it is a T. Lives as long as this reason or a copy of it.
  template <class T>
  const T* get_if() const noexcept {
    const detail::MessageType* type = data_->payload_type();
    return type != nullptr && detail::same_type(*type, detail::message_type<T>) ? static_cast<const T*>(data_->payload()) : nullptr;
  }
  friend bool operator==(const ExitReason& a, const ExitReason& b);

  /// @{
  /// Shares what belongs to the reason; copies nothing of it.
  ExitReason(const ExitReason& other) noexcept : data_(other.data_) { retain(); }
  ExitReason(ExitReason&& other) noexcept : data_(std::exchange(other.data_, normal_data())) {}
  ExitReason& operator=(const ExitReason& other) noexcept {
    if (data_ != other.data_) {
      other.retain();
      release();
      data_ = other.data_;
    }
    return *this;
  }
  ExitReason& operator=(ExitReason&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  /// @}
  ~ExitReason() { release(); }

 private:
  explicit constexpr ExitReason(const detail::ReasonData* data) noexcept : data_(data) {}
  template <class T>
  static ExitReason with(Atom kind, T value) {
    return ExitReason(new detail::ReasonWith<T>(kind, std::move(value)));
  }
  static const detail::ReasonData* normal_data() noexcept;
  void retain() const noexcept {
    if (!data_->immortal) data_->references.fetch_add(1, std::memory_order_relaxed);
  }
  void release() noexcept {
    // acq_rel: the last owner sees all that the others did with the payload before they let go.
    if (!data_->immortal && data_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete data_;
  }

  const detail::ReasonData* data_;
};

/// A process that traps exits receives this in place of an exit signal (EXR-6).
struct Exit;

/// What weft::exit(ExitReason) throws: catchable, and no std::exception, so that a handler for those does not swallow it (EXR-2).
class ExitException {
 public:
  /// For weft itself: use weft::exit().
  explicit ExitException(ExitReason reason) noexcept : reason_(std::move(reason)) {}
  /// What the process ends with unless this is caught.
  const ExitReason& reason() const noexcept { return reason_; }

 private:
  ExitReason reason_;
};

}  // namespace weft
