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
