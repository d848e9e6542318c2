#include "tests/faults/stop.hpp"

#include <sys/prctl.h>

#include <array>
#include <condition_variable>
#include <mutex>

#include "mailbox/base/explore.hpp"
#include "scheduler/worker.hpp"
#include "tests/support/runtime_fixture.hpp"

namespace weft::test {
namespace {

enum class Stage { off, armed, standing };

std::mutex mutex;
std::condition_variable changed;
Stage stage = Stage::off;  // All of these under the mutex.
std::string wanted_place;
Stop::Who wanted_thread = Stop::Who::a_worker;
int passes_left = 0;

std::atomic<bool> armed{false};  // So that a thread that passes when nothing is wanted takes no lock.
thread_local bool marked = false;

[[gnu::noinline]] bool is_marked() noexcept { return marked; }
[[gnu::noinline]] void set_marked(bool to) noexcept { marked = to; }

bool is_wanted() noexcept {
  switch (wanted_thread) {
    case Stop::Who::a_worker:
      return scheduler::Worker::here() != nullptr;
    case Stop::Who::a_marked_thread:
      return is_marked();
    case Stop::Who::a_watchdog:
      break;
  }
  std::array<char, 16> name{};
  prctl(PR_GET_NAME, name.data());
  return name.data() == std::string_view("weft-watchdog");
}

void pass(const char* place) noexcept {
  if (!armed.load(std::memory_order_acquire) || !is_wanted()) return;
  std::unique_lock<std::mutex> hold(mutex);
  if (stage != Stage::armed || wanted_place != place || passes_left-- > 0) return;
  stage = Stage::standing;
  set_marked(false);
  armed.store(false, std::memory_order_release);
  changed.notify_all();
  changed.wait(hold, [] { return stage == Stage::off; });
}

}  // namespace

Stop::Stop(std::string_view place, Who who, int passes) {
  const std::lock_guard<std::mutex> hold(mutex);
  stage = Stage::armed;
  wanted_place = place;
  wanted_thread = who;
  passes_left = passes;
  base::at_point.store(&pass, std::memory_order_release);
  armed.store(true, std::memory_order_release);
}

void Stop::mark() noexcept { set_marked(true); }

bool Stop::reached() {
  std::unique_lock<std::mutex> hold(mutex);
  return changed.wait_for(hold, kPatience, [] { return stage == Stage::standing; });
}

bool Stop::holds() {
  const std::lock_guard<std::mutex> hold(mutex);
  return stage == Stage::standing;
}

void Stop::let_go() {
  armed.store(false, std::memory_order_release);
  const std::lock_guard<std::mutex> hold(mutex);
  stage = Stage::off;
  changed.notify_all();
}

}  // namespace weft::test
