// References: values that name one monitor, alias, timer or request for the life of the runtime.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

#include <weft/pid.hpp>

namespace weft::inline v0 {

namespace detail {
struct RefAccess;
}

/// A unique value: who made it, and its number among all that process made. Comparable, copyable, Sendable.
class Ref {
 public:
  constexpr Ref() noexcept = default;
  constexpr explicit operator bool() const noexcept { return number_ != 0; }
  friend constexpr auto operator<=>(const Ref&, const Ref&) noexcept = default;

 private:
  friend struct detail::RefAccess;
  std::uint64_t owner_ = 0;
  std::uint64_t number_ = 0;  // unique for the owner, and its receive marker (RCV-11)
};

/// A second address of a process, which it can switch off (ALI). See make_alias() and MonitorOptions::alias.
class Alias {
 public:
  constexpr Alias() noexcept = default;
  constexpr explicit operator bool() const noexcept { return number_ != 0; }
  friend constexpr auto operator<=>(const Alias&, const Alias&) noexcept = default;

 private:
  friend struct detail::RefAccess;
  std::uint64_t owner_ = 0;
  std::uint64_t number_ = 0;
};

/// One monitor: what monitor() returns and Down carries.
class MonitorRef {
 public:
  constexpr MonitorRef() noexcept = default;
  constexpr explicit operator bool() const noexcept { return number_ != 0; }
  /// The alias asked for with MonitorOptions::alias; a null Alias when none was.
  constexpr Alias alias() const noexcept;
  /// The same reference, for receive_since().
  constexpr operator Ref() const noexcept;
  friend constexpr auto operator<=>(const MonitorRef&, const MonitorRef&) noexcept = default;

 private:
  friend struct detail::RefAccess;
  friend struct std::hash<MonitorRef>;
  static constexpr std::uint64_t kHasAlias = std::uint64_t{1} << 63;
  constexpr std::uint64_t number() const noexcept { return number_ & ~kHasAlias; }
  std::uint64_t owner_ = 0;
  std::uint64_t number_ = 0;  // with kHasAlias
};

/// One timer: what send_after() and its relatives return.
class TimerRef {
 public:
  constexpr TimerRef() noexcept = default;
  constexpr explicit operator bool() const noexcept { return number_ != 0; }
  /// The same reference, to compare and to keep with others.
  constexpr operator Ref() const noexcept;
  friend constexpr auto operator<=>(const TimerRef&, const TimerRef&) noexcept = default;

 private:
  friend struct detail::RefAccess;
  friend struct std::hash<TimerRef>;
  std::uint64_t slot_ = 0;
  std::uint64_t number_ = 0;
};

namespace detail {

/// For weft itself: makes and opens references.
struct RefAccess {
  static constexpr Ref ref(std::uint64_t owner, std::uint64_t number) noexcept {
    Ref made;
    made.owner_ = owner;
    made.number_ = number;
    return made;
  }
  static constexpr Alias alias(Pid owner, std::uint64_t number) noexcept {
    Alias made;
    made.owner_ = owner.id();
    made.number_ = number;
    return made;
  }
  static constexpr MonitorRef monitor(Pid owner, std::uint64_t number, bool has_alias) noexcept {
    MonitorRef made;
    made.owner_ = owner.id();
    made.number_ = number | (has_alias ? MonitorRef::kHasAlias : 0);
    return made;
  }
  static constexpr TimerRef timer(std::uint64_t slot, std::uint64_t number) noexcept {
    TimerRef made;
    made.slot_ = slot;
    made.number_ = number;
    return made;
  }
  static constexpr std::uint64_t owner(const Ref& ref) noexcept { return ref.owner_; }
  static constexpr std::uint64_t number(const Ref& ref) noexcept { return ref.number_; }
  static constexpr Pid owner(const Alias& alias) noexcept { return Pid::from_id(alias.owner_); }
  static constexpr std::uint64_t number(const Alias& alias) noexcept { return alias.number_; }
  static constexpr Pid owner(const MonitorRef& ref) noexcept { return Pid::from_id(ref.owner_); }
  static constexpr std::uint64_t number(const MonitorRef& ref) noexcept { return ref.number(); }
  static constexpr std::uint64_t slot(const TimerRef& ref) noexcept { return ref.slot_; }
  static constexpr std::uint64_t number(const TimerRef& ref) noexcept { return ref.number_; }
};

}  // namespace detail

constexpr Alias MonitorRef::alias() const noexcept {
  return (number_ & kHasAlias) != 0 ? detail::RefAccess::alias(Pid::from_id(owner_), number()) : Alias{};
}
constexpr MonitorRef::operator Ref() const noexcept { return detail::RefAccess::ref(owner_, number()); }
constexpr TimerRef::operator Ref() const noexcept { return detail::RefAccess::ref(slot_, number_); }

}  // namespace weft

/// @cond
template <>
struct std::hash<weft::MonitorRef> {
  std::size_t operator()(const weft::MonitorRef& ref) const noexcept {
    return static_cast<std::size_t>((ref.owner_ ^ (ref.number_ << 20)) * 0x9E3779B97F4A7C15u);
  }
};
template <>
struct std::hash<weft::TimerRef> {
  std::size_t operator()(const weft::TimerRef& ref) const noexcept {
    return static_cast<std::size_t>((ref.slot_ ^ (ref.number_ << 20)) * 0x9E3779B97F4A7C15u);
  }
};
/// @endcond
