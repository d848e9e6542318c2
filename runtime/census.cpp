// The census: how many processes of each label and members of each group there are, now and whenever that changed (INF-6).
#include "runtime/census.hpp"

#include "runtime/core.hpp"

namespace weft::inline v0::detail {
namespace {

using Hold = std::lock_guard<base::SpinLock>;

}  // namespace

std::map<std::string, std::size_t> RuntimeCore::census() {
  std::map<std::string, std::size_t> made;
  const std::size_t slots = processes.committed();
  for (std::size_t i = 0; i < slots; ++i) {
    ControlBlock& block = *processes.find(i);
    if (block.life.load(std::memory_order_acquire) != Life::alive) continue;
    std::string label;
    {
      const Hold hold(block.lock);
      if (block.life.load(std::memory_order_relaxed) != Life::alive || !block.extras) continue;
      label = block.extras->label;
    }
    if (!label.empty()) ++made[label];
  }
  for (const auto& [group, size] : group_sizes()) made[group] += size;
  return made;
}

void RuntimeCore::census_changed() noexcept {
  if (!wants_census()) return;
  census_.generation.fetch_add(1, std::memory_order_seq_cst);  // N2
  if (!census_.busy.exchange(true, std::memory_order_seq_cst)) start_census_timer();
}

void RuntimeCore::start_census_timer() noexcept {
  scheduler::TimerWheel& wheel = scheduler.wheel_here();
  const bool outside = worker_local() == nullptr;
  (void)wheel.add(census_.timer, scheduler.now_ns() + options.census_interval.count());
  if (outside) scheduler.timer_added_from_outside();
}

void RuntimeCore::census_due() noexcept {
  // Off the workers: it visits every slot, and the sink may do what it likes.
  census_.run = [](scheduler::BlockingJob* job) { static_cast<CensusTask*>(job)->core->take_census(); };
  if (scheduler.blocking().submit(census_) != scheduler::BlockingPool::Submit::accepted) start_census_timer();
}

void RuntimeCore::take_census() noexcept {
  const std::uint64_t counted = census_.generation.load(std::memory_order_seq_cst);
  try {
    const std::map<std::string, std::size_t> found = census();
    if (wants(LogLevel::info)) {
      std::string line = "census:";
      for (const auto& [text, size] : found) line += " " + text + "=" + std::to_string(size);
      log(LogLevel::info, found.empty() ? "census: nobody" : line);
    }
    if (options.census) options.census(found);
  } catch (...) {
    // A sink's failure is its own (CPP-24); without memory there is no census this time.
  }
  census_.busy.store(false, std::memory_order_seq_cst);  // N2
  const bool missed = census_.generation.load(std::memory_order_seq_cst) != counted;
  if (missed && !census_.busy.exchange(true, std::memory_order_seq_cst)) start_census_timer();
}

}  // namespace weft::detail
