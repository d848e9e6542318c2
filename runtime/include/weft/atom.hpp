// Interned names.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace weft::inline v0 {

/// A name compared in one instruction. Equal texts give equal atoms, in every runtime and library of the program.
///
/// Atoms are never freed: make them from names in the program, not from data. Threads: any; making one takes a lock, text() none.
/// Errors: LimitExceeded for a text of more than 255 bytes (as in Erlang) or for more than 1,048,576 atoms.
class Atom {
 public:
  /// The atom of `text`; made if there is none yet.
  explicit Atom(std::string_view text);
  /// Lives as long as the program.
  std::string_view text() const noexcept;

  friend constexpr bool operator==(const Atom&, const Atom&) noexcept = default;
  /// Some total order, the same while the program runs; not the order of the texts.
  friend constexpr auto operator<=>(const Atom&, const Atom&) noexcept = default;

  /// @{
  /// For weft itself.
  static constexpr Atom from_id(std::uint32_t id) noexcept { return Atom(id, 0); }
  constexpr std::uint32_t id() const noexcept { return id_; }
  /// @}

 private:
  constexpr Atom(std::uint32_t id, int) noexcept : id_(id) {}
  std::uint32_t id_ = 0;
};

inline namespace literals {
/// `"ping"_atom` is Atom("ping").
inline Atom operator""_atom(const char* text, std::size_t length) { return Atom(std::string_view(text, length)); }
}  // namespace literals

namespace detail::atoms {
// Interned before all others, in this order (atom.cpp).
inline constexpr Atom normal = Atom::from_id(0), shutdown = Atom::from_id(1), kill = Atom::from_id(2), killed = Atom::from_id(3),
                      noproc = Atom::from_id(4), timeout = Atom::from_id(5), noconnection = Atom::from_id(6), error = Atom::from_id(7),
                      nocatch = Atom::from_id(8), custom = Atom::from_id(9);
}  // namespace detail::atoms

}  // namespace weft

/// @cond
template <>
struct std::hash<weft::Atom> {
  std::size_t operator()(weft::Atom atom) const noexcept { return static_cast<std::size_t>(atom.id()) * 0x9E3779B97F4A7C15u; }
};
/// @endcond
