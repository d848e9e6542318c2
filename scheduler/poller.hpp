// The epoll set that idle workers lead.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "mailbox/base/cache_line.hpp"
#include "mailbox/base/spin_lock.hpp"

namespace weft::inline v0::scheduler {

/// Reports when descriptors become ready. It has no thread: whoever is idle calls poll().
///
/// A descriptor is registered once, edge-triggered, and stays so until forget(); a wait for it costs no system call. What the kernel
/// reports while nobody waits is latched. One entry per descriptor number holds what is known of it:
///
/// P1  Every edge the kernel reports for the entry's present generation ends in exactly one place: at the waiter armed for that
///     direction, or in `latched`. Both happen under the entry's lock, so an edge cannot fall between a failed read and arm().
/// P2  Each registration, re-check and forget() takes a new generation, which travels in the kernel's event. An event of an older
///     one is dropped: its file may be gone, and if it is not, EPOLL_CTL_MOD and _ADD look at the file again and report anew.
/// P3  A waiter leaves its entry once: by poll(), by disarm() or by forget(). Only the one that took it out reports it.
/// P4  What an entry says is trusted only by a caller who knows that its file is the same as at its last arm(). All others pass
///     kRecheck: a number closed without forget() and given out again by the kernel is then found out, not waited for in vain.
///
/// entries      any thread, under the entry's lock, also across epoll_ctl: the only contenders are the leader and the one or two
///              users of that very descriptor, and none of them holds another lock.
/// chunks_      written once per chunk under `growth_`, read by all; entries live until the Poller does, whatever their number means.
/// leader_      held by the one thread inside poll(); protects `has_pwait2_`.
/// armed_       a count for active(); no decision about an entry rests on it.
class Poller {
 public:
  static constexpr std::uint32_t kRead = 1;
  static constexpr std::uint32_t kWrite = 2;
  /// To arm(), beside the direction: this may be another file than the one that last had this number (P4).
  static constexpr std::uint32_t kRecheck = 4;
  /// To arm(): implies kRecheck; the registration ends with its last waiter. For descriptors of which no close will be told.
  static constexpr std::uint32_t kTransient = 8;
  /// In Event::ready: forget() took the descriptor away.
  static constexpr std::uint32_t kClosed = 16;

  /// From arm(): ready as far as is known, nothing armed. An edge was latched, or the kernel does not poll this kind of file (EPERM:
  /// regular files), which is therefore always ready.
  static constexpr int kReadyNow = -1;

  struct Event {
    std::uint64_t token;
    std::uint32_t ready;  ///< kRead | kWrite as far as armed for, or kClosed.
  };

  Poller() noexcept = default;  ///< Opens nothing; the first arm() does.
  ~Poller();                    ///< Nobody may be in any call.
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// Asks for one report of `token` when `fd` is ready for one of the directions in `interest`, or broken.
  ///
  /// Returns: 0: armed. kReadyNow: not armed, go on. Otherwise an errno, nothing armed: of opening the poller (EMFILE ...), of
  ///          epoll_ctl (EBADF, ENOSPC ...), ENOMEM, or EBUSY: someone is armed for that direction. Two tokens may be armed for one
  ///          descriptor, one for each direction.
  /// Order:   without kRecheck and kTransient, call it only after the descriptor answered EAGAIN: edges tell of changes alone.
  ///          With them it looks at the file itself, so no such answer is needed. A report may be stale: try, and arm again.
  /// Threads: any.
  [[nodiscard]] int arm(int fd, std::uint32_t interest, std::uint64_t token) noexcept;

  /// Takes `token` back. True: it will not be reported. False: it was reported, or another thread is about to report it.
  bool disarm(int fd, std::uint64_t token) noexcept;

  /// Ends the registration of `fd`; call it before close(). Writes those who waited to `out` as kClosed and returns their number: the
  /// caller wakes them. Without it a close is noticed by nobody, and a later arm() of the same number needs kRecheck (P4).
  std::size_t forget(int fd, std::array<Event, 2>& out) noexcept;

  /// Waits until a descriptor is ready, interrupt() is called or `timeout_ns` have passed (0: looks only; negative: no limit), and
  /// returns how many events it wrote to `out`. `max` is at least 2: one descriptor can wake two.
  /// Returns 0 at once when another thread is in poll(), and when nothing was ever armed; early, at times, with 0.
  std::size_t poll(std::int64_t timeout_ns, Event* out, std::size_t max) noexcept;

  /// Makes the poll() in progress return, or else the next one. What the caller wrote before is visible after that poll(). Several calls
  /// may be answered by one return. Any thread; a system call only when no earlier call is still unanswered.
  void interrupt() noexcept;

  /// The epoll descriptor itself, which is readable while poll() would return at once; opened at need. -errno when there is none to be had.
  [[nodiscard]] int descriptor() noexcept;

  /// Someone is armed. A hint: exact once all calls have returned.
  bool active() const noexcept { return armed_.load(std::memory_order_relaxed) > 0; }

 private:
  struct alignas(base::kCacheLine) Entry {
    base::SpinLock lock;
    std::uint8_t mask = 0;     // Directions known to the kernel; 0: not registered.
    std::uint8_t armed = 0;    // Directions with a waiter.
    std::uint8_t latched = 0;  // Directions with an edge that found no waiter.
    bool transient = false;
    std::uint32_t generation = 0;
    std::array<std::uint64_t, 2> token{};  // Of the reader, of the writer.
  };

  // Chunk k holds kFirstChunk << k entries, so 22 pointers reach every descriptor and a small program pays for 1024.
  static constexpr std::size_t kFirstChunk = 1024;
  static constexpr std::size_t kChunks = 22;

  int open() noexcept;
  Entry* find_entry(int fd) const noexcept;
  Entry* make_entry(int fd) noexcept;
  int enroll(Entry& entry, int fd, std::uint8_t mask) noexcept;
  void withdraw(Entry& entry, int fd) noexcept;
  std::size_t take_waiters(Entry& entry, std::uint8_t directions, std::uint32_t ready, Event* out) noexcept;
  std::size_t deliver(std::uint64_t data, std::uint32_t ready, Event* out) noexcept;
  void count_armed(std::uint8_t directions) noexcept;
  void count_disarmed(std::uint8_t directions) noexcept;

  std::atomic<int> epoll_fd_{-1};
  int wake_fd_ = -1;  // Written before epoll_fd_ is published, constant afterwards.
  base::SpinLock growth_;
  std::array<std::atomic<Entry*>, kChunks> chunks_{};

  alignas(base::kCacheLine) base::SpinLock leader_;
  bool has_pwait2_ = true;
  alignas(base::kCacheLine) std::atomic<bool> interrupted_{false};
  alignas(base::kCacheLine) std::atomic<std::int64_t> armed_{0};
};

}  // namespace weft::scheduler
