// A fiber with one buffered channel as its mailbox.
#pragma once

#include <atomic>
#include <boost/fiber/all.hpp>
#include <memory>
#include <string>
#include <utility>

#include "../common/harness.hpp"

template <class T>
using Channel = boost::fibers::buffered_channel<T>;
template <class T>
using Mailbox = std::shared_ptr<Channel<T>>;
template <class T>
Mailbox<T> mailbox(std::size_t capacity) {
  return std::make_shared<Channel<T>>(capacity);
}

/// Linked with -z now: the dynamic linker's lazy symbol resolution does not fit on a stack this small.
inline constexpr std::size_t kStackBytes = 8192;

template <class Body>
void start(boost::fibers::launch policy, Body&& body) {
  boost::fibers::fiber(policy, std::allocator_arg, boost::fibers::fixedsize_stack{kStackBytes}, std::forward<Body>(body)).detach();
}
template <class Body>
void go(Body&& body) {
  start(boost::fibers::launch::post, std::forward<Body>(body));
}

/// Opens when `count` fibers have hit it.
class Gate {
 public:
  explicit Gate(long count) : left_(count) {}
  void hit() {
    if (left_.fetch_sub(1) != 1) return;
    std::unique_lock<boost::fibers::mutex> lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  void wait() {
    std::unique_lock<boost::fibers::mutex> lock(mutex_);
    opened_.wait(lock, [&] { return open_; });
  }

 private:
  std::atomic<long> left_;
  boost::fibers::mutex mutex_;
  boost::fibers::condition_variable opened_;
  bool open_ = false;
};
inline std::shared_ptr<Gate> gate(long count) { return std::make_shared<Gate>(count); }

// Each measures the rows of `group`, or returns false if it has no such group.
bool run_messages(const std::string& group);
bool run_life(const std::string& group);
bool run_timing(const std::string& group);
