// Filter bank: a signal goes to eight channels, each a pipeline of two delays, two filters with long windows and a sampler between
// them; an integrator adds the channels up again. Streams of numbers through chains of processes, of which the filters have nearly
// all the work.
#include <algorithm>
#include <array>
#include <cmath>
#include <deque>

#include "bench/savina/savina.hpp"

namespace savina {
namespace {

constexpr int kChannels = 8;

struct Sample {
  int channel;
  double value;
};
struct Channel {
  int number;
  int samples;  // in all
  int columns;  // of the windows
};
using Window = std::vector<double>;

double signal(int t) { return std::sin(0.37 * t) + 0.5 * std::cos(0.011 * t); }
Window analysis(int channel, int columns) {
  Window window(columns);
  for (int i = 0; i < columns; ++i) window[i] = std::cos(0.01 * (channel + 1) * i) / columns;
  return window;
}
Window synthesis(int channel, int columns) {
  Window window(columns);
  for (int i = 0; i < columns; ++i) window[i] = std::sin(0.01 * (channel + 1) * (i + 1));
  return window;
}

double dot(const double* a, const double* b, int n) {
  std::array<double, 4> sums{};  // a single one would wait for each addition
  int i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int k = 0; k < 4; ++k) sums[k] += a[i + k] * b[i + k];
  }
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return sums[0] + sums[1] + sums[2] + sums[3];
}

// A stage takes each sample of its channel in turn, applies f(t, value) and sends the result on.
template <class F>
void stage(const Channel& channel, weft::Pid next, F f) {
  for (int t = 0; t < channel.samples; ++t) {
    weft::send(next, Sample{channel.number, f(t, weft::receive<Sample>().value)});
  }
}

void delay(Channel channel, weft::Pid next) {
  std::vector<double> past(channel.columns - 1);
  stage(channel, next, [&](int t, double value) { return std::exchange(past[t % past.size()], value); });
}

void filter(Channel channel, Window window, weft::Pid next) {
  // Newest sample first, as in the window. The history is written from its end downwards, and moved up when it reaches the start.
  std::vector<double> history(4 * channel.columns);
  std::size_t newest = history.size() - channel.columns;
  stage(channel, next, [&](int, double value) {
    if (newest == 0) {
      newest = history.size() - channel.columns;
      std::copy_n(history.begin(), channel.columns, history.begin() + static_cast<std::ptrdiff_t>(newest));
    }
    history[--newest] = value;
    return dot(history.data() + newest, window.data(), channel.columns);
  });
}

// Lets one sample in `columns` through and replaces the others by 0.
void sampler(Channel channel, weft::Pid next) {
  stage(channel, next, [&](int t, double value) { return t % channel.columns == 0 ? value : 0; });
}

class FilterBank : public Program {
 public:
  explicit FilterBank(Scale scale) : columns_(scale.length(16'384, 2, 16)), samples_(scale.length(2'048, 2, 16) + 2 * columns_) {}

  void run() override {
    std::vector<weft::Pid> first;
    for (int c = 0; c < kChannels; ++c) {
      const Channel channel{c, samples_, columns_};
      weft::Pid next = weft::spawn_link(filter, channel, synthesis(c, columns_), weft::self());
      next = weft::spawn_link(delay, channel, next);
      next = weft::spawn_link(sampler, channel, next);
      next = weft::spawn_link(filter, channel, analysis(c, columns_), next);
      first.push_back(weft::spawn_link(delay, channel, next));
    }
    for (int t = 0; t < samples_; ++t) {
      for (int c = 0; c < kChannels; ++c) weft::send(first[c], Sample{c, signal(t)});
    }

    std::array<std::deque<double>, kChannels> ahead;
    while (static_cast<int>(output_.size()) < samples_) {
      const Sample sample = weft::receive<Sample>();
      ahead[sample.channel].push_back(sample.value);
      if (!std::all_of(ahead.begin(), ahead.end(), [](const auto& values) { return !values.empty(); })) continue;
      double sum = 0;
      for (auto& values : ahead) {
        sum += values.front();
        values.pop_front();
      }
      output_.push_back(sum);
    }
  }

  void check() const override {
    // Of the first filter's results only those count that the sampler lets through.
    std::vector<double> expected(samples_);
    for (int c = 0; c < kChannels; ++c) {
      const Window first = analysis(c, columns_), second = synthesis(c, columns_);
      const int lag = columns_ - 1;
      for (int sampled = 0; sampled < samples_; sampled += columns_) {
        double value = 0;
        for (int i = 0; i < columns_ && sampled - lag - i >= 0; ++i) value += first[i] * signal(sampled - lag - i);
        for (int i = 0; i < columns_ && sampled + lag + i < samples_; ++i) expected[sampled + lag + i] += value * second[i];
      }
    }
    require_equal("samples of the output", static_cast<int>(output_.size()), samples_);
    double largest = 0;
    for (int t = 0; t < samples_; ++t) {
      require_close("sample of the output", output_[t], expected[t]);
      largest = std::max(largest, std::abs(output_[t]));
    }
    require(largest > 1e-6, "the output is silent");
  }

 private:
  int columns_, samples_;
  std::vector<double> output_;
};

const Registered<FilterBank> registered("filter_bank", "8 channels, 16,384 columns, 34,816 samples");

}  // namespace
}  // namespace savina
