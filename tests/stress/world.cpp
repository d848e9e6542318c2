#include "tests/stress/world.hpp"

#include <thread>
#include <utility>

#include "tests/stress/machine.hpp"

namespace weft::stress {

namespace {

constexpr unsigned kStacksAtHand = 128;  // of one worker, at most

RuntimeOptions with_workers(RuntimeOptions options, unsigned workers) {
  if (options.workers == 0) options.workers = workers;
  return options;
}

}  // namespace

World::World(Run& run, RuntimeOptions options)
    : run_(run),
      descriptors_before_(open_descriptors()),
      threads_before_(threads()),
      runtime_(std::make_unique<Runtime>(with_workers(std::move(options), run.settings().workers))) {
  run_.watch(runtime_.get());
}

World::~World() {
  if (runtime_) destroy();
}

void World::destroy() {
  run_.watch(nullptr);
  runtime_.reset();
}

void World::finish() {
  run_.require(eventually(run_, "the end of all processes", [&] { return runtime_->stats().live == 0; }), runtime_->stats().live,
               " processes did not end");
  if (runtime_->stats().live == 0) require_empty();
  finish_at_once();
}

void World::require_empty() {
  run_.require(runtime_->list().empty(), "list() names ", runtime_->list().size(), " processes after the last has ended");
  run_.require(runtime_->census().empty(), "the census is not empty after the last process");
  run_.require(runtime_->registered().empty(), runtime_->registered().size(), " names outlive their processes");
  run_.require(runtime_->groups().empty(), runtime_->groups().size(), " groups outlive their members");
  const Stats left = runtime_->stats();
  run_.require(left.spawned == left.finished, left.spawned, " processes spawned, ", left.finished, " finished");
  run_.require(left.registered_names == 0, left.registered_names, " names counted after the last process");
  run_.require(left.active_links == 0, left.active_links, " links left");
  run_.require(left.active_monitors == 0, left.active_monitors, " monitors left");
  run_.require(left.active_timers == 0, left.active_timers, " timers left");
  // Workers keep some stacks at hand, which count as live; that these come back is asserted by the pool when the runtime ends.
  const std::uint64_t at_hand = std::uint64_t{kStacksAtHand} * left.workers;
  run_.require(left.stacks_live <= at_hand, left.stacks_live, " stacks left, ", at_hand, " may be at hand");
}

void World::finish_at_once() {
  destroy();
  run_.require(Tracked::live() == 0, Tracked::live(), " messages or bodies outlive the runtime");
  run_.require(eventually(run_, "the last thread", [&] { return threads() <= threads_before_; }), threads(),
               " threads, before the runtime ", threads_before_);
  const std::size_t descriptors = open_descriptors();
  run_.require(descriptors == descriptors_before_, descriptors, " descriptors open, before the runtime ", descriptors_before_);
}

}  // namespace weft::stress
