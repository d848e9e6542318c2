// CAF's side of the comparison. Usage: caf_peer GROUP THREADS; exit status 3: no such group here.
#include <future>

#include "actors.hpp"

using namespace caf;

namespace {
std::size_t threads = 1;
}

actor_system_config& config() {
  static actor_system_config made;
  made.set("scheduler.max-threads", threads);
  return made;
}

harness::Values run_in_actor(std::function<void(event_based_actor*, Finish)> body, int times) {
  actor_system system{config()};
  harness::Values values;
  for (int i = 0; i < times; ++i) {
    auto finished = std::make_shared<std::promise<harness::Values>>();
    auto result = finished->get_future();
    system.spawn([&](event_based_actor* self) { body(self, [=](harness::Values v) { finished->set_value(std::move(v)); }); });
    values = result.get();
    system.await_all_actors_done();
  }
  return values;
}

behavior parked(event_based_actor* self) {
  return {[=](int) { self->quit(); }};
}

behavior counter(event_based_actor* self, long n, std::function<void()> finish) {
  auto left = std::make_shared<long>(n);
  return {[=](int) {
    if (--*left == 0) {
      finish();
      self->quit();
    }
  }};
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  threads = static_cast<std::size_t>(std::atoi(argv[2]));
  const std::string group = argv[1];
  return run_messages(group) || run_life(group) || run_timing(group) ? 0 : harness::kNoSuchGroup;
}
