#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "mailbox/base/cache_line.hpp"

namespace weft::inline v0::scheduler {

/// How to chain items through a pointer they carry, for those that find no place in the queue proper.
struct RunNextLink {
  void* (*get)(const void* item) noexcept;
  void (*set)(void* item, void* next) noexcept;
};

/// For items that are `T*` and have a member `T* run_next`, as in RunQueue.
template <class T>
[[nodiscard]] constexpr RunNextLink run_next_link() noexcept {
  return {[](const void* item) noexcept -> void* { return static_cast<const T*>(item)->run_next; },
          [](void* item, void* next) noexcept { static_cast<T*>(item)->run_next = static_cast<T*>(next); }};
}

/// The way in for work made runnable outside the workers: any thread pushes, any worker takes.
///
/// J1  pending_ is raised before an item goes in and lowered after it came out, so it is never below the number of items inside.
///     empty() is false from before an item can be found until it has been taken.
/// J2  push() loses nothing: what moodycamel's fixed memory, 4,096 items, has no place for is chained through the items themselves,
///     under a spin lock.
/// J3  Nobody starves. pop_bulk() starts now with the chain, now with the queue, and there each time with the next producer: who keeps
///     one of these full delays the others by one call in each round. moodycamel's own order favours the newest producer for ever.
///
/// pending_  anyone        state_ and what it points to: see the source        run_next of an item: whoever holds the lock
///
/// With the idle protocol (IdleSet): a pusher raises pending_, queues, fences and looks for a sleeper; a worker announces its sleep,
/// fences and looks at empty(). One of the two sees the other, and by J1 it does not matter that moodycamel shows the item later
/// than the count: a worker that sees the count does not sleep, and finds the item within the rest of that push(). Counting after
/// queueing would strand work: A queues and loses its core, a worker takes A's item (count -1), B queues and counts (0), and the
/// worker sleeps on B's item.
///
/// Order holds only among one thread's pushes, which is enough for making processes runnable and for nothing else.
class InjectionQueue {
 public:
  /// Throws std::bad_alloc. `link` serves every item ever pushed.
  explicit InjectionQueue(RunNextLink link);
  InjectionQueue(const InjectionQueue&) = delete;
  InjectionQueue& operator=(const InjectionQueue&) = delete;
  ~InjectionQueue();

  /// Any thread. Never fails. The caller then asks IdleSet::should_notify().
  void push(void* item) noexcept;

  /// Any thread. Takes up to `max` items and returns how many. May return 0 while a push is under way although empty() was false.
  [[nodiscard]] std::size_t pop_bulk(void** out, std::size_t max) noexcept;

  /// Any thread; a plain load. As the last look before sleeping it belongs after IdleSet::announce_sleep().
  [[nodiscard]] bool empty() const noexcept { return pending_.load(std::memory_order_relaxed) == 0; }

  /// Any thread. Never less than what could be taken now (J1).
  [[nodiscard]] std::size_t approximate_size() const noexcept { return pending_.load(std::memory_order_relaxed); }

 private:
  struct State;

  const std::unique_ptr<State> state_;
  alignas(base::kCacheLine) std::atomic<std::size_t> pending_{0};
};

}  // namespace weft::scheduler
