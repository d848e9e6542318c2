#include "tests/faults/refusals.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <ctime>

namespace weft::test {
namespace {

/// Which calls are refused, counted over all threads.
class Quota {
 public:
  void refuse(int let_through, int every) {
    calls_.store(-let_through);
    refused_.store(0);
    every_.store(every);
  }
  void allow() { every_.store(0); }
  [[nodiscard]] bool refuses() noexcept {
    const int every = every_.load();
    if (every == 0) return false;
    const int call = calls_.fetch_add(1);
    if (call < 0 || call % every != 0) return false;
    refused_.fetch_add(1);
    return true;
  }
  [[nodiscard]] int refused() const { return refused_.load(); }

 private:
  std::atomic<int> every_{0};
  std::atomic<int> calls_{0};
  std::atomic<int> refused_{0};
};

constinit Quota threads;
constinit Quota mappings;
constinit std::atomic<std::int64_t> hand_set_ns{0};  // 0: nobody set it
constinit std::atomic<std::uint64_t> clock_looks{0};

template <class F>
F next(const char* name) noexcept {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

std::int64_t steady_ns() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

NoThreads::NoThreads(int let_through, int every) { threads.refuse(let_through, every); }
NoThreads::~NoThreads() { threads.allow(); }
int NoThreads::refused() const { return threads.refused(); }

NoMappings::NoMappings(int every) { mappings.refuse(0, every); }
NoMappings::~NoMappings() { mappings.allow(); }
int NoMappings::refused() const { return mappings.refused(); }

HandSetClock::HandSetClock() { hand_set_ns.store(steady_ns()); }
HandSetClock::~HandSetClock() { hand_set_ns.store(0); }
void HandSetClock::advance(std::int64_t nanoseconds) { hand_set_ns.fetch_add(nanoseconds); }
std::uint64_t HandSetClock::looks() const { return clock_looks.load(); }

}  // namespace weft::test

// These take the places of the C library's, for the C++ library too.
extern "C" {

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) noexcept {
  static const auto real = weft::test::next<decltype(&pthread_create)>("pthread_create");
  return weft::test::threads.refuses() ? EAGAIN : real(thread, attributes, body, argument);
}

void* mmap(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset) noexcept {
  static const auto real = weft::test::next<decltype(&mmap)>("mmap");
  if (!weft::test::mappings.refuses()) return real(address, bytes, protection, flags, file, offset);
  errno = ENOMEM;
  return MAP_FAILED;
}

int mprotect(void* address, std::size_t bytes, int protection) noexcept {
  static const auto real = weft::test::next<decltype(&mprotect)>("mprotect");
  if (!weft::test::mappings.refuses()) return real(address, bytes, protection);
  errno = ENOMEM;
  return -1;
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static const auto real = weft::test::next<decltype(&clock_gettime)>("clock_gettime");
  const std::int64_t set = clock == CLOCK_MONOTONIC ? weft::test::hand_set_ns.load() : 0;
  if (set == 0) return real(clock, time);
  weft::test::clock_looks.fetch_add(1);
  *time = {set / 1'000'000'000, set % 1'000'000'000};
  return 0;
}

}  // extern "C"
