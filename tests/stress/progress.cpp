#include "tests/stress/progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "tests/stress/machine.hpp"

namespace weft::stress {

Progress::Progress(Run& run, std::string_view scenario)
    : run_(run), scenario_(scenario), on_terminal_(::isatty(STDOUT_FILENO) == 1), thread_([this] { work(); }) {}

Progress::~Progress() {
  {
    const std::lock_guard hold(mutex_);
    end_ = true;
  }
  ended_.notify_one();
  thread_.join();
  if (on_terminal_) std::printf("\r\033[K");
}

void Progress::work() {
  const auto every = on_terminal_ ? std::chrono::milliseconds(250) : std::chrono::milliseconds(2000);
  std::uint64_t operations = 0;
  TimePoint last = run_.started();
  std::unique_lock hold(mutex_);
  while (!ended_.wait_for(hold, every, [&] { return end_; })) {
    const TimePoint now = std::chrono::steady_clock::now();
    const std::uint64_t done = run_.operations();
    const double seconds = std::chrono::duration<double>(now - last).count();
    print_line(std::chrono::duration<double>(now - run_.started()).count(), static_cast<double>(done - operations) / seconds);
    operations = done;
    last = now;
    const Run::Unanswered oldest = run_.oldest_unanswered();
    if (oldest.age > run_.patience() || now > run_.deadline() + run_.patience()) give_up(oldest);
  }
}

void Progress::print_line(double seconds, double rate) {
  const Run::Unanswered oldest = run_.oldest_unanswered();
  std::printf("%s%-18s %5.1f s %12llu operations %10.0f/s %8llu live %6llu MB  oldest unanswered %.1f ms %s%s",
              on_terminal_ ? "\r\033[K" : "", scenario_.c_str(), seconds, static_cast<unsigned long long>(run_.operations()), rate,
              static_cast<unsigned long long>(run_.stats_of_watched().live), static_cast<unsigned long long>(resident_bytes() >> 20),
              std::chrono::duration<double, std::milli>(oldest.age).count(), oldest.what, on_terminal_ ? "" : "\n");
  std::fflush(stdout);
}

void Progress::give_up(const Run::Unanswered& oldest) {
  std::cerr << "\n" << scenario_ << " hangs: " << (*oldest.what != '\0' ? oldest.what : "its end") << " did not come. Its processes:\n";
  run_.dump_watched(std::cerr);
  std::cout << "FAILED " << scenario_ << ": hung, seed " << run_.settings().seed << std::endl;
  // No destructor can end a program that hangs.
  std::_Exit(1);
}

}  // namespace weft::stress
