// One message that goes round a ring of 503 processes.
#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

constexpr std::int64_t kMembers = 503;

struct Next {
  Pid pid;
};

/// Hands the token on, one less each time. Zero is the end; below it the token goes round once more to end every member.
void member(Pid judge) {
  const Pid next = receive<Next>().pid;
  for (;;) {
    const auto token = receive<std::int64_t>();
    if (token == 0) send(judge, self());
    if (token > -kMembers + 1) send(next, token - 1);
    if (token <= 0) return;
  }
}

double ring(Runtime& runtime) {
  const auto hops = static_cast<std::int64_t>(scaled(3'000'000));
  const double figure = runtime.run([=] {
    std::vector<Pid> members;
    for (std::int64_t i = 0; i < kMembers; ++i) members.push_back(spawn(member, self()));
    for (std::size_t i = 0; i < members.size(); ++i) send(members[i], Next{members[(i + 1) % members.size()]});
    const Stopwatch watch;
    send(members.front(), hops);
    const Pid last = await<Pid>();
    const double result = watch.ns_per(static_cast<std::size_t>(hops));
    expect(last == members[static_cast<std::size_t>(hops % kMembers)], "the token ended at the wrong member");
    return result;
  });
  await_empty(runtime);
  return figure;
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  suite.add("thread_ring_503", "ns/hop", ring);
  return suite.run(argc, argv);
}
