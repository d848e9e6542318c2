// Boost.Fiber's side of the comparison. Usage: fiber_peer GROUP THREADS; exit status 3: no such group here.
#include <thread>

#include "fibers.hpp"

namespace fibers = boost::fibers;

namespace {

// In rows about time and idleness an idle scheduler sleeps; in all others it spins, its default, which carries more messages.
bool idle_schedulers_sleep(const std::string& group) {
  return group == "idle_cpu" || group == "sleeps" || group == "timer_wake" || group.starts_with("ext_wake");
}

fibers::mutex mutex;
fibers::condition_variable_any ended;
bool over = false;

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string group = argv[1];
  const int threads = std::atoi(argv[2]);
  const bool sleep = idle_schedulers_sleep(group);
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) {
    others.emplace_back([=] {
      fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(threads, sleep);
      std::unique_lock<fibers::mutex> lock(mutex);
      ended.wait(lock, [] { return over; });
    });
  }
  // work_stealing looks for a victim other than itself for ever when it is alone; one thread keeps the default, round_robin.
  if (threads > 1) fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(threads, sleep);
  bool known = false;
  // The body is a fiber that can be stolen, like those it starts.
  fibers::fiber(fibers::launch::post, std::allocator_arg, fibers::fixedsize_stack{256 * 1024}, [&] {
    known = run_messages(group) || run_life(group) || run_timing(group);
  }).join();
  {
    std::unique_lock<fibers::mutex> lock(mutex);
    over = true;
    ended.notify_all();
  }
  for (std::thread& other : others) other.join();
  return known ? 0 : harness::kNoSuchGroup;
}
