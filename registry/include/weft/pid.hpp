// The address of a process.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace weft::inline v0 {

/// Address of a process: an opaque value of 8 bytes, valid to hold for ever, never dereferenced (PID-1).
///
/// Inside: which slot of the process table, and which of the slot's tenants. No pair is ever used twice (PID-2): a slot whose tenants
/// are all used up is retired. Pids one process spawns grow (PID-3). A pid means something in the runtime that gave it, nowhere else.
class Pid {
 public:
  static constexpr int kIndexBits = 24;       ///< of the slot: at most 2^24 processes at a time
  static constexpr int kGenerationBits = 40;  ///< of the tenant

  constexpr Pid() noexcept = default;
  constexpr explicit operator bool() const noexcept { return id_ != 0; }
  /// "<0.INDEX.GENERATION>"
  std::string to_string() const;

  friend constexpr auto operator<=>(const Pid&, const Pid&) noexcept = default;

  /// @{
  /// For weft itself.
  static constexpr Pid from_parts(std::uint32_t index, std::uint64_t generation) noexcept {
    return Pid((generation << kIndexBits) | index);
  }
  static constexpr Pid from_id(std::uint64_t id) noexcept { return Pid(id); }
  constexpr std::uint32_t index() const noexcept { return static_cast<std::uint32_t>(id_ & ((1u << kIndexBits) - 1)); }
  constexpr std::uint64_t generation() const noexcept { return id_ >> kIndexBits; }
  constexpr std::uint64_t id() const noexcept { return id_; }
  /// @}

 private:
  constexpr explicit Pid(std::uint64_t id) noexcept : id_(id) {}
  std::uint64_t id_ = 0;
};
static_assert(sizeof(Pid) == 8);

}  // namespace weft

/// @cond
template <>
struct std::hash<weft::Pid> {
  std::size_t operator()(weft::Pid pid) const noexcept {
    // The index alone would put all tenants of a slot into one bucket; the multiplier spreads both parts.
    return static_cast<std::size_t>(pid.id() * 0x9E3779B97F4A7C15u) ^ static_cast<std::size_t>(pid.id() >> 32);
  }
};
/// @endcond
