// Links and monitors as what they are between two slots: a record that hangs on both.
#pragma once

#include <cstddef>
#include <mutex>

#include "mailbox/base/spin_lock.hpp"

namespace weft::inline v0::registry {

/// A record's place in one process's list. Guarded by that process's lock.
struct Hook {
  Hook* next = nullptr;  // null exactly while it is in no list
  Hook* prev = nullptr;
  [[nodiscard]] bool is_linked() const noexcept { return next != nullptr; }
};

/// Intrusive list of hooks. Guarded by the lock of the process it belongs to.
class HookList {
 public:
  HookList() noexcept { reset(); }
  HookList(const HookList&) = delete;
  HookList& operator=(const HookList&) = delete;

  [[nodiscard]] bool empty() const noexcept { return head_.next == &head_; }
  void push_back(Hook& hook) noexcept {
    hook.prev = head_.prev;
    hook.next = &head_;
    head_.prev->next = &hook;
    head_.prev = &hook;
  }
  static void remove(Hook& hook) noexcept {
    hook.prev->next = hook.next;
    hook.next->prev = hook.prev;
    hook.next = hook.prev = nullptr;
  }
  [[nodiscard]] Hook* front() const noexcept { return empty() ? nullptr : head_.next; }
  /// The hook after `hook`, null at the end.
  [[nodiscard]] Hook* after(const Hook& hook) const noexcept { return hook.next == &head_ ? nullptr : hook.next; }
  void reset() noexcept { head_.next = head_.prev = &head_; }

 private:
  Hook head_;
};

/// Holds the locks of two processes, in the order of their addresses, so that two callers never wait for each other. The two may be
/// the same process.
class LockPair {
 public:
  LockPair(base::SpinLock& a, base::SpinLock& b) noexcept : low_(&a < &b ? a : b), high_(&a < &b ? b : a) {
    low_.lock();
    if (&low_ != &high_) high_.lock();
  }
  ~LockPair() {
    if (&low_ != &high_) high_.unlock();
    low_.unlock();
  }
  LockPair(const LockPair&) = delete;
  LockPair& operator=(const LockPair&) = delete;

 private:
  base::SpinLock& low_;
  base::SpinLock& high_;
};

}  // namespace weft::registry
