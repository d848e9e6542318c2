// Receivers with small mailboxes get a hundred times what they hold. What is refused is counted exactly, the bound holds at every
// moment, order stays, and no signal is ever shed (CAP-2, CAP-3, CAP-7).
#include <atomic>
#include <unordered_map>
#include <vector>

#include "tests/stress/scenarios.hpp"
#include "tests/stress/world.hpp"

namespace weft::stress {

namespace {

constexpr std::size_t kCapacity = 32;
constexpr std::size_t kSenders = 8;
constexpr std::uint64_t kFlood = 100 * kCapacity / kSenders;  // of each sender in a round

struct Drop {
  Pid from;
  std::uint64_t number;
  Tracked tracked{};
};
struct Report {
  std::uint64_t queued = 0, shed = 0;
};

void flood(Pid to, Pid answer_to, bool wait, Rng rng) {
  Report report;
  for (std::uint64_t number = 1; number <= kFlood; ++number) {
    const SendResult result = wait && rng.one_in(8) ? send_wait(to, Drop{self(), number}) : send(to, Drop{self(), number});
    ++(result == SendResult::shed ? report.shed : report.queued);
    if (rng.one_in(64)) yield();
  }
  send(answer_to, report);
}

/// Receives a flood of linked and watched senders; requires what its overflow promises.
void drown(Run& run, Overflow overflow, Rng rng) {
  trap_exit(true);
  while (run.time_left()) {
    // The reports go elsewhere: here they could be shed.
    const Pid gatherer = self();
    const Pid receiver =
        spawn({.trap_exit = true, .limit = {kCapacity, overflow}}, [&run, overflow, gatherer, r = Rng(rng.next())]() mutable {
          std::vector<Pid> senders;
          for (std::size_t i = 0; i < kSenders; ++i) {
            const bool wait = overflow == Overflow::shed_newest;
            senders.push_back(spawn_link([to = self(), gatherer, wait, s = Rng(r.next())] { flood(to, gatherer, wait, s); }));
            monitor(senders.back());
          }
          std::unordered_map<Pid, std::uint64_t> heard;
          std::uint64_t received = 0;
          std::size_t signals = 0;
          const Run::Awaiting awaiting(run, "signals to a full mailbox");
          while (signals < 2 * kSenders) {
            const bool came = receive(
                [&](const Drop& drop) {
                  std::uint64_t& last = heard[drop.from];
                  run.require(drop.number > last, "message ", drop.number, " came after ", last);
                  last = drop.number;
                  ++received;
                  return true;
                },
                [&](const Exit&) { return ++signals, true; }, [&](const Down&) { return ++signals, true; },
                after(run.patience(), [] { return false; }));
            if (!run.require(came, signals, " of ", 2 * kSenders, " signals came to a full mailbox")) break;
            // A mailbox may hold its capacity of user messages and, above it, the signals that are still to come.
            if (r.one_in(256)) {
              const std::size_t depth = info(self()).value().mailbox_depth;
              run.require(depth <= kCapacity + 2 * kSenders - signals, depth, " in a mailbox for ", kCapacity);
            }
            if (r.one_in(16)) yield();
          }
          const std::uint64_t refused = info(self()).value().shed;
          send(gatherer, Report{received, refused});
        });
    const MonitorRef ref = monitor(receiver);
    Report sent, taken;
    bool down = false;
    // The receiver's report is the last one: it comes after the ends of all senders, which come after theirs.
    for (std::size_t reports = 0; reports < kSenders + 1; ++reports) {
      const std::optional<Report> report = receive_for<Report>(run.patience());
      if (!run.require(report.has_value(), "a report of an overload is missing")) return;
      if (reports == kSenders) {
        taken = *report;
      } else {
        sent.queued += report->queued;
        sent.shed += report->shed;
      }
    }
    down =
        receive(when([&](const Down& d) { return d.ref == ref; }, [](Down) { return true; }), after(run.patience(), [] { return false; }));
    run.require(down, "no DOWN of a receiver");
    const std::uint64_t all = kSenders * kFlood;
    run.require(sent.queued + sent.shed == all, "of ", all, " sends ", sent.queued + sent.shed, " were counted");
    if (overflow == Overflow::shed_newest) {
      run.require(taken.queued == sent.queued, sent.queued, " were queued and ", taken.queued, " received");
      run.require(taken.shed == sent.shed, sent.shed, " were refused and ", taken.shed, " counted by the mailbox");
    } else {
      run.require(sent.shed == 0, "a mailbox that sheds its oldest message refused ", sent.shed);
      run.require(taken.queued + taken.shed == all, taken.queued, " received and ", taken.shed, " shed are not ", all);
    }
    run.did(all);
  }
}

/// A mailbox that ends its process: the one message too many does, the reason names the limit, and everybody is told.
void burst(Run& run, Rng rng) {
  while (run.time_left()) {
    const Monitored receiver = spawn_monitor({.limit = {kCapacity, Overflow::exit}}, [] { receive<Report>(); });
    for (std::size_t i = 0; i < 2; ++i) {
      spawn([to = receiver.pid, r = Rng(rng.next())]() mutable {
        for (std::size_t n = 0; n < kCapacity; ++n) {
          send(to, Drop{self(), n});
          if (r.one_in(16)) yield();
        }
      });
    }
    const Run::Awaiting awaiting(run, "the end of a full mailbox");
    const std::optional<Down> down = receive_for<Down>(run.patience());
    if (!run.require(down.has_value(), "a process whose mailbox is over its limit did not end")) return;
    run.require(down->reason.what().find(std::to_string(kCapacity)) != std::string_view::npos, "the reason '", down->reason.what(),
                "' does not name the limit");
    run.did(2 * kCapacity);
  }
}

}  // namespace

void overload(Run& run) {
  World world(run);
  std::vector<JoinHandle> bodies;
  bodies.push_back(world->start([&run, rng = run.rng(0)] { drown(run, Overflow::shed_newest, rng); }));
  bodies.push_back(world->start([&run, rng = run.rng(1)] { drown(run, Overflow::shed_oldest, rng); }));
  bodies.push_back(world->start([&run, rng = run.rng(2)] { burst(run, rng); }));
  for (JoinHandle& body : bodies) {
    const ExitReason reason = body.join();
    run.require(reason.is_normal(), "the scenario's process ended with ", reason.kind().text(), " ", reason.what());
  }
  world.finish();
}

}  // namespace weft::stress
