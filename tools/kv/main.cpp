// weft_kv: a server that speaks Redis's protocol. See server.hpp for its processes.
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <exception>
#include <iostream>
#include <variant>

#include <weft/weft.hpp>

#include "tools/kv/options.hpp"
#include "tools/kv/server.hpp"

namespace {

constexpr rlim_t kOtherDescriptors = 64;

/// As many descriptors as the clients may need, if the hard limit allows it. If not, accepting pauses when they run out.
void raise_descriptor_limit(std::size_t clients) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = std::min<rlim_t>(clients + kOtherDescriptors, limit.rlim_max);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  auto parsed = kv::parse_options(argc, argv);
  if (const auto* usage = std::get_if<kv::Usage>(&parsed)) {
    (usage->exit_code == 0 ? std::cout : std::cerr) << usage->text;
    return usage->exit_code;
  }
  auto& options = std::get<kv::Options>(parsed);
  raise_descriptor_limit(options.max_clients);
  ::signal(SIGPIPE, SIG_IGN);
  kv::block_stop_signals();  // before the runtime starts its threads
  try {
    weft::Runtime runtime(weft::RuntimeOptions{.workers = options.workers});
    if (options.shards == 0) options.shards = runtime.stats().workers;  // What affinity and quota grant, not what the machine has.
    return runtime.run([&] { return kv::serve(options); });
  } catch (const std::exception& error) {
    std::cerr << "weft-kv: " << error.what() << '\n';
    return 1;
  }
}
