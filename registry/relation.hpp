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

/// Intrusive list of hooks, a ring of which it knows the first. Guarded by the lock of the process it belongs to.
class HookList {
 public:
  HookList() = default;
  HookList(const HookList&) = delete;
  HookList& operator=(const HookList&) = delete;

  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  void push_back(Hook& hook) noexcept {
    if (first_ == nullptr) {
      first_ = hook.next = hook.prev = &hook;
      return;
    }
    hook.prev = first_->prev;
    hook.next = first_;
    first_->prev->next = &hook;
    first_->prev = &hook;
  }
  /// `hook` is one of this list's.
  void remove(Hook& hook) noexcept {
    if (first_ == &hook) first_ = hook.next == &hook ? nullptr : hook.next;
    hook.prev->next = hook.next;
    hook.next->prev = hook.prev;
    hook.next = hook.prev = nullptr;
  }
  [[nodiscard]] Hook* front() const noexcept { return first_; }
  /// The hook after `hook`, null at the end.
  [[nodiscard]] Hook* after(const Hook& hook) const noexcept { return hook.next == first_ ? nullptr : hook.next; }

 private:
  Hook* first_ = nullptr;
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
