#include "scheduler/poller.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <limits>
#include <mutex>
#include <new>

#include "mailbox/base/assert.hpp"

namespace weft::inline v0::scheduler {

namespace {

constexpr std::uint8_t kBoth = static_cast<std::uint8_t>(Poller::kRead | Poller::kWrite);
constexpr std::uint64_t kWakeData = ~std::uint64_t{0};  // No descriptor: fd 0xffffffff is negative.
constexpr std::size_t kBatch = 64;

constexpr std::uint64_t event_data(std::uint32_t generation, int fd) {
  return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
}

std::uint32_t epoll_events(std::uint8_t mask) {
  std::uint32_t events = EPOLLET;
  if ((mask & Poller::kRead) != 0) events |= EPOLLIN | EPOLLRDHUP;
  if ((mask & Poller::kWrite) != 0) events |= EPOLLOUT;
  return events;
}

std::uint32_t ready_of(std::uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) return kBoth;  // Either direction will meet the error when it tries.
  std::uint32_t ready = 0;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI)) != 0) ready |= Poller::kRead;
  if ((events & EPOLLOUT) != 0) ready |= Poller::kWrite;
  return ready;
}

struct Place {
  std::size_t chunk;
  std::size_t offset;
};

Place place_of(int fd, std::size_t first_chunk) {
  const auto number = static_cast<std::size_t>(fd);
  const std::size_t scale = std::bit_floor(number / first_chunk + 1);  // Of its chunk; the smaller ones hold scale - 1 first chunks.
  return {static_cast<std::size_t>(std::countr_zero(scale)), number - first_chunk * (scale - 1)};
}

int wait_millis(int epoll_fd, epoll_event* events, int capacity, std::int64_t timeout_ns) {
  std::int64_t millis = -1;
  if (timeout_ns >= 0) {
    millis = timeout_ns / 1'000'000 + (timeout_ns % 1'000'000 != 0 ? 1 : 0);
    millis = std::min<std::int64_t>(millis, std::numeric_limits<int>::max());
  }
  return ::epoll_wait(epoll_fd, events, capacity, static_cast<int>(millis));
}

}  // namespace

Poller::~Poller() {
  const int epoll_fd = epoll_fd_.load(std::memory_order_relaxed);  // Whoever destroys us is ordered after all users.
  if (epoll_fd >= 0) {
    ::close(epoll_fd);
    ::close(wake_fd_);
  }
  for (auto& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
}

int Poller::arm(int fd, std::uint32_t interest, std::uint64_t token) noexcept {
  const auto want = static_cast<std::uint8_t>(interest & kBoth);
  WEFT_ASSERT(want != 0, "arm() is told a direction");
  if (fd < 0) return EBADF;
  if (const int error = open(); error != 0) return error;
  Entry* entry = find_entry(fd);
  if (entry == nullptr) {
    // Asked first, so that a wrong number does not make the megabytes of entries that lead up to it.
    if (::fcntl(fd, F_GETFD) < 0) return errno;
    entry = make_entry(fd);
    if (entry == nullptr) return ENOMEM;
  }

  std::lock_guard lock(entry->lock);
  if ((entry->armed & want) != 0) return EBUSY;
  const bool transient = (interest & kTransient) != 0;
  const bool recheck = transient || (interest & kRecheck) != 0 || entry->transient;
  if (!recheck && (entry->latched & want) != 0) {
    entry->latched &= static_cast<std::uint8_t>(~want);
    return kReadyNow;
  }
  const auto mask = static_cast<std::uint8_t>(entry->mask | entry->armed | want);
  if (recheck || mask != entry->mask) {
    // Directions are added when first asked for: many files report each drained byte as an edge for writing, which nobody may want.
    const int error = enroll(*entry, fd, mask);
    if (error == EPERM) return kReadyNow;
    if (error != 0) return error;
    entry->transient = entry->transient && transient;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if ((want & (1u << i)) != 0) entry->token[i] = token;
  }
  entry->armed |= want;
  count_armed(want);
  return 0;
}

bool Poller::disarm(int fd, std::uint64_t token) noexcept {
  Entry* entry = find_entry(fd);
  if (entry == nullptr) return false;
  std::lock_guard lock(entry->lock);
  std::uint8_t mine = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    if (entry->token[i] == token) mine |= static_cast<std::uint8_t>(1u << i);
  }
  mine &= entry->armed;
  if (mine == 0) return false;
  entry->armed &= static_cast<std::uint8_t>(~mine);
  count_disarmed(mine);
  if (entry->transient && entry->armed == 0) withdraw(*entry, fd);
  return true;
}

std::size_t Poller::forget(int fd, std::array<Event, 2>& out) noexcept {
  Entry* entry = find_entry(fd);
  if (entry == nullptr) return 0;
  std::lock_guard lock(entry->lock);
  const std::size_t count = take_waiters(*entry, entry->armed, kClosed, out.data());
  if (entry->mask != 0) withdraw(*entry, fd);
  return count;
}

std::size_t Poller::poll(std::int64_t timeout_ns, Event* out, std::size_t max) noexcept {
  WEFT_ASSERT(max >= 2, "one descriptor can wake two waiters");
  // seq_cst: with the load of interrupted_ below, the other half of interrupt()'s store and load. An interrupt() that finds the poller not
  // yet open writes to no descriptor; this poll(), which finds it open, must then see the flag.
  const int epoll_fd = epoll_fd_.load(std::memory_order_seq_cst);
  if (epoll_fd < 0 || !leader_.try_lock()) return 0;
  std::lock_guard lead(leader_, std::adopt_lock);

  // acq_rel: reads what the interrupter wrote before its exchange.
  if (interrupted_.load(std::memory_order_seq_cst) && interrupted_.exchange(false, std::memory_order_acq_rel)) timeout_ns = 0;

  std::array<epoll_event, kBatch> events;
  const int capacity = static_cast<int>(std::min(kBatch, max / 2));
  int got = -1;
  if (has_pwait2_) {
    timespec limit{};
    if (timeout_ns > 0) {
      limit.tv_sec = static_cast<time_t>(timeout_ns / 1'000'000'000);
      limit.tv_nsec = static_cast<long>(timeout_ns % 1'000'000'000);
    }
    got = ::epoll_pwait2(epoll_fd, events.data(), capacity, timeout_ns < 0 ? nullptr : &limit, nullptr);
    if (got < 0 && (errno == ENOSYS || errno == EPERM)) has_pwait2_ = false;  // An older kernel, or a sandbox that does not know it.
  }
  if (!has_pwait2_) got = wait_millis(epoll_fd, events.data(), capacity, timeout_ns);

  std::size_t count = 0;
  for (int i = 0; i < got; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const std::uint64_t data = event.data.u64;
    if (data == kWakeData) {
      // acq_rel, as above. An interrupter that found the flag set did not write: this return is its answer, so its writes must be seen.
      interrupted_.exchange(false, std::memory_order_acq_rel);
    } else {
      count += deliver(data, ready_of(event.events), out + count);
    }
  }
  return count;
}

void Poller::interrupt() noexcept {
  // seq_cst: see poll(). Its release half hands the caller's writes to the poll() that clears the flag.
  if (interrupted_.exchange(true, std::memory_order_seq_cst)) return;
  if (epoll_fd_.load(std::memory_order_seq_cst) < 0) return;
  const std::uint64_t one = 1;
  // Edge-triggered: every write is an edge and nobody reads, so the counter only grows, far too slowly to ever be full.
  while (::write(wake_fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

// Tells the kernel, under a new generation. EPOLL_CTL_MOD and _ADD both look at the file and report again what is ready, so nothing that an
// event of the old generation would have told, and nothing latched, is lost.
int Poller::enroll(Entry& entry, int fd, std::uint8_t mask) noexcept {
  const std::uint32_t generation = entry.generation + 1;
  epoll_event event{};
  event.events = epoll_events(mask);
  event.data.u64 = event_data(generation, fd);
  const int epoll_fd = epoll_fd_.load(std::memory_order_relaxed);  // open() has run on this thread.
  int operation = entry.mask != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  int error = ::epoll_ctl(epoll_fd, operation, fd, &event) == 0 ? 0 : errno;
  if (error == ENOENT || error == EEXIST) {
    // The number means another file than the entry knew: closed without forget(), or closed under a duplicate that lives on.
    if (error == ENOENT) entry.mask = 0;
    operation = error == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    error = ::epoll_ctl(epoll_fd, operation, fd, &event) == 0 ? 0 : errno;
  }
  if (error != 0) return error;
  if (operation == EPOLL_CTL_ADD) entry.transient = true;  // Until a waiter that means to stay.
  entry.generation = generation;
  entry.mask = mask;
  entry.latched = 0;
  return 0;
}

void Poller::withdraw(Entry& entry, int fd) noexcept {
  epoll_event ignored{};
  // An error means that the file is gone already, and its registration with it.
  ::epoll_ctl(epoll_fd_.load(std::memory_order_relaxed), EPOLL_CTL_DEL, fd, &ignored);
  ++entry.generation;
  entry.mask = 0;
  entry.latched = 0;
  entry.transient = false;
}

std::size_t Poller::take_waiters(Entry& entry, std::uint8_t directions, std::uint32_t ready, Event* out) noexcept {
  std::size_t count = 0;
  if (directions == kBoth && entry.token[0] == entry.token[1]) {
    out[count++] = {entry.token[0], ready};
  } else {
    if ((directions & kRead) != 0) out[count++] = {entry.token[0], ready & (kRead | kClosed)};
    if ((directions & kWrite) != 0) out[count++] = {entry.token[1], ready & (kWrite | kClosed)};
  }
  entry.armed &= static_cast<std::uint8_t>(~directions);
  count_disarmed(directions);
  return count;
}

std::size_t Poller::deliver(std::uint64_t data, std::uint32_t ready, Event* out) noexcept {
  const int fd = static_cast<int>(static_cast<std::uint32_t>(data));
  Entry* entry = find_entry(fd);
  WEFT_ASSERT(entry != nullptr, "the kernel reports only descriptors that have an entry");
  std::lock_guard lock(entry->lock);
  if (entry->mask == 0 || data != event_data(entry->generation, fd)) return 0;  // P2
  auto woken = static_cast<std::uint8_t>(ready & entry->armed);
  entry->latched |= static_cast<std::uint8_t>(ready & ~std::uint32_t{woken});
  if (woken == 0) return 0;
  // One token armed for both directions is one waiter: whichever direction comes first takes it out whole.
  if (entry->armed == kBoth && entry->token[0] == entry->token[1]) woken = kBoth;
  const std::size_t count = take_waiters(*entry, woken, ready, out);
  if (entry->transient && entry->armed == 0) withdraw(*entry, fd);
  return count;
}

int Poller::open() noexcept {
  // acquire pairs with the store below: wake_fd_ is set.
  if (epoll_fd_.load(std::memory_order_acquire) >= 0) return 0;
  std::lock_guard lock(growth_);
  if (epoll_fd_.load(std::memory_order_relaxed) >= 0) return 0;
  const int epoll_fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return errno;
  const int wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = kWakeData;
  if (wake_fd < 0 || ::epoll_ctl(epoll_fd, EPOLL_CTL_ADD, wake_fd, &event) != 0) {
    const int error = errno;
    if (wake_fd >= 0) ::close(wake_fd);
    ::close(epoll_fd);
    return error;
  }
  wake_fd_ = wake_fd;
  // seq_cst: between interrupt()'s exchange and load on one side, and poll()'s two loads on the other.
  epoll_fd_.store(epoll_fd, std::memory_order_seq_cst);
  return 0;
}

int Poller::descriptor() noexcept {
  const int error = open();
  return error != 0 ? -error : epoll_fd_.load(std::memory_order_relaxed);
}

Poller::Entry* Poller::find_entry(int fd) const noexcept {
  if (fd < 0) return nullptr;
  const Place place = place_of(fd, kFirstChunk);
  // acquire pairs with the release in make_entry(): the entries are built.
  Entry* chunk = chunks_[place.chunk].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : chunk + place.offset;
}

Poller::Entry* Poller::make_entry(int fd) noexcept {
  const Place place = place_of(fd, kFirstChunk);
  std::lock_guard lock(growth_);
  Entry* chunk = chunks_[place.chunk].load(std::memory_order_relaxed);
  if (chunk == nullptr) {
    chunk = new (std::nothrow) Entry[kFirstChunk << place.chunk];
    if (chunk == nullptr) return nullptr;
    // release pairs with the acquire in find_entry().
    chunks_[place.chunk].store(chunk, std::memory_order_release);
  }
  return chunk + place.offset;
}

void Poller::count_armed(std::uint8_t directions) noexcept { armed_.fetch_add(std::popcount(directions), std::memory_order_relaxed); }

void Poller::count_disarmed(std::uint8_t directions) noexcept { armed_.fetch_sub(std::popcount(directions), std::memory_order_relaxed); }

}  // namespace weft::scheduler
