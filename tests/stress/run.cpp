#include "tests/stress/run.hpp"

#include <malloc.h>

#include <algorithm>
#include <iostream>

#include "tests/stress/machine.hpp"

namespace weft::stress {

namespace {

constexpr std::size_t kViolationsKept = 20;
constexpr std::size_t kFibersUnderTsan = 2'000;

Settings with_patience(Settings settings) {
  if (settings.patience == Duration::zero()) settings.patience = kSanitized ? 180s : 60s;
  return settings;
}

std::uint64_t heap_bytes_in_use() {
  const struct mallinfo2 heap = ::mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

}  // namespace

std::atomic<std::int64_t> Tracked::live_{0};

Run::Run(std::string_view scenario, const Settings& settings)
    : scenario_(scenario), settings_(with_patience(settings)), started_(now_steady()), deadline_(started_ + settings.duration) {}

std::size_t Run::fit_processes(std::size_t wanted, std::size_t bytes_each) const {
  if (kUnderTsan) return std::min(wanted, kFibersUnderTsan);
  if (kUnderAsan) bytes_each *= 8;
  return std::clamp<std::size_t>(available_memory_bytes() / 2 / bytes_each, 16, wanted);
}

void Run::report(const std::string& text) {
  const std::lock_guard hold(mutex_);
  if (++violation_count_ > kViolationsKept) return;
  violations_.push_back(text);
  std::cerr << "\nBROKEN INVARIANT in " << scenario_ << " (seed " << settings_.seed << "): " << text << std::endl;
}

std::vector<std::string> Run::violations() const {
  const std::lock_guard hold(mutex_);
  return violations_;
}

Run::Awaiting::Awaiting(Run& run, const char* what) noexcept {
  const std::int64_t now = now_steady().time_since_epoch().count();
  // A few tries: with every slot taken the rest is not shown, which changes no verdict.
  for (int i = 0; i < 8; ++i) {
    Slot& slot = run.slots_[run.next_slot_.fetch_add(1, std::memory_order_relaxed) % run.slots_.size()];
    std::int64_t free = 0;
    if (!slot.since.compare_exchange_strong(free, now, std::memory_order_relaxed)) continue;
    slot.what.store(what, std::memory_order_relaxed);
    since_ = &slot.since;
    return;
  }
}

Run::Awaiting::~Awaiting() {
  if (since_ != nullptr) since_->store(0, std::memory_order_relaxed);
}

Run::Unanswered Run::oldest_unanswered() const noexcept {
  std::int64_t oldest = 0;
  const char* what = "";
  for (const Slot& slot : slots_) {
    const std::int64_t since = slot.since.load(std::memory_order_relaxed);
    if (since == 0 || (oldest != 0 && since >= oldest)) continue;
    oldest = since;
    what = slot.what.load(std::memory_order_relaxed);
  }
  if (oldest == 0) return {};
  return {now_steady().time_since_epoch() - std::chrono::steady_clock::duration(oldest), what};
}

void Run::watch(Runtime* runtime) {
  const std::lock_guard hold(mutex_);
  watched_ = runtime;
}

Stats Run::stats_of_watched() const {
  const std::lock_guard hold(mutex_);
  return watched_ == nullptr ? Stats{} : watched_->stats();
}

void Run::dump_watched(std::ostream& out) const {
  const std::lock_guard hold(mutex_);
  if (watched_ != nullptr) watched_->dump(out);
}

void Run::round_ended(std::size_t size) {
  const std::uint64_t bytes = heap_bytes_in_use();
  const std::lock_guard hold(mutex_);
  samples_.push_back({size, bytes});
}

void Run::require_flat_memory() {
  // A sanitizer's allocator does not answer mallinfo2, and finds leaks better than this.
  if (kSanitized) return;
  std::vector<std::uint64_t> bytes;
  {
    const std::lock_guard hold(mutex_);
    std::size_t largest = 0;
    for (const Sample& sample : samples_) largest = std::max(largest, sample.size);
    for (const Sample& sample : samples_) {
      if (sample.size == largest) bytes.push_back(sample.bytes);
    }
  }
  constexpr std::size_t kFewest = 12;
  if (bytes.size() < kFewest) return;
  // The first rounds fill pools that keep what they have, up to the most that was ever in use at once. The least of a few rounds at
  // either end leaves out what one of them had under way.
  const auto least = [&](std::size_t from, std::size_t to) {
    return *std::min_element(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.begin() + static_cast<std::ptrdiff_t>(to));
  };
  const std::uint64_t before = least(bytes.size() / 3, bytes.size() / 3 + 4);
  const std::uint64_t after = least(bytes.size() - 4, bytes.size());
  constexpr std::uint64_t kTolerated = std::uint64_t{1} << 20;
  require(after <= before + before / 4 + kTolerated, "memory grew from ", before, " to ", after, " bytes over ", bytes.size(),
          " rounds of one size");
}

}  // namespace weft::stress
