// Everything but <weft/net.hpp>.
#pragma once

#include <weft/atom.hpp>
#include <weft/blocking.hpp>
#include <weft/call.hpp>
#include <weft/capacity.hpp>
#include <weft/clock.hpp>
#include <weft/error.hpp>
#include <weft/exit_reason.hpp>
#include <weft/info.hpp>
#include <weft/message.hpp>
#include <weft/name.hpp>
#include <weft/pid.hpp>
#include <weft/process.hpp>
#include <weft/receive.hpp>
#include <weft/ref.hpp>
#include <weft/runtime.hpp>
#include <weft/send.hpp>
#include <weft/signal.hpp>
#include <weft/stream.hpp>
#include <weft/timer.hpp>

/// Processes that share nothing, with mailboxes, links and monitors. The free functions act on the calling process and its runtime; the
/// members of Runtime of the same names work from any thread.
///
/// Each call of a process counts against its time slice of 2,000 calls, whether it waits or not, and the call that ends a slice lets others
/// run first. So a process may go on on another thread after any call but self(), now(), unlink(), demonitor(), unalias() and the
/// synchronous cancel_timer() and read_timer(): hold no std::mutex and no address of a thread_local over one.
///
/// Numbers in brackets, such as (LIF-9), are the rules that the tests in tests/conformance cite.
namespace weft::inline v0 {}
