// A request and its answer, with unrelated messages waiting in the caller's mailbox.
#include "bench/harness.hpp"

namespace {

using namespace weft;
using namespace weft::bench;

struct Junk {
  std::size_t n;
};
struct Request {
  Pid from;
  std::size_t n;
};
struct Answer {
  std::size_t n;
};
struct Stop {};

void server() {
  for (bool running = true; running;) {
    receive([](Call<std::size_t> question) { reply(question.from, question.request); },
            [](Request question) { send(question.from, Answer{question.n}); }, [&](Stop) { running = false; });
  }
}

/// `ask(server, i)` gives the answer to i.
template <class Ask>
double calls(Runtime& runtime, std::size_t queued, std::size_t published, Ask ask) {
  const std::size_t n = scaled(published);
  return runtime.run([=] {
    for (std::size_t i = 0; i < queued; ++i) send(self(), Junk{i});
    const Pid answering = spawn(server);
    bool right = true;
    const Stopwatch watch;
    for (std::size_t i = 0; i < n; ++i) right &= ask(answering, i) == i;
    const double figure = watch.ns_per(n);
    send(answering, Stop{});
    expect(right, "an answer was not the one to its question");
    for (std::size_t i = 0; i < queued; ++i) expect(await<Junk>().n == i, "the unrelated messages are not as they were");
    return figure;
  });
}

/// weft's call: the reply is looked for among what came after the question.
std::size_t ask_by_reference(Pid answering, std::size_t n) { return call<std::size_t>(answering, n, kPatience); }

/// By hand, without a reference: the whole mailbox is looked through.
std::size_t ask_by_value(Pid answering, std::size_t n) {
  send(answering, Request{self(), n});
  return receive(when([n](const Answer& answer) { return answer.n == n; }, [](Answer answer) { return answer.n; }));
}

}  // namespace

int main(int argc, char** argv) {
  Suite suite;
  const auto add = [&](std::string name, std::size_t queued, std::size_t n, auto ask) {
    suite.add(std::move(name), "ns/call", [=](Runtime& runtime) { return calls(runtime, queued, n, ask); });
  };
  add("call_reply_queue0", 0, 500'000, ask_by_reference);
  add("call_reply_queue1000_ref", 1'000, 500'000, ask_by_reference);
  add("call_reply_queue100000_ref", 100'000, 500'000, ask_by_reference);
  add("call_reply_queue0_noref", 0, 500'000, ask_by_value);
  add("call_reply_queue1000_noref", 1'000, 50'000, ask_by_value);
  add("call_reply_queue100000_noref", 100'000, 500, ask_by_value);
  return suite.run(argc, argv);
}
