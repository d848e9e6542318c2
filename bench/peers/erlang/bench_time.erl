%% Rows about timers, waking and idleness.
-module(bench_time).
-export([group/1]).
-export([wake_nif_start/3, wake_nif_now/0]).
-import(bench, [scaled/1, now_ns/0, warm/1, once/1, rows/2, quantile/2, cpu_ns/0, spawn_many/3]).
-nifs([wake_nif_start/3, wake_nif_now/0]).

group("timers") ->
    N = scaled(1000000),
    rows([{"timer_start_1m", "ns/timer"}, {"timer_cancel_1m", "ns/timer"}], warm(fun() ->
        T0 = now_ns(),
        Timers = start_timers(N, self(), []),
        T1 = now_ns(),
        [erlang:cancel_timer(Timer) || Timer <- Timers],
        [(T1 - T0) / N, (now_ns() - T1) / N]
    end));
group("timer_pair") ->
    N = scaled(1000000),
    rows([{"timer_start_cancel_pair", "ns/timer"}], [warm(fun() ->
        T0 = now_ns(),
        start_cancel(N, self()),
        (now_ns() - T0) / N
    end)]);
group("sleeps") ->
    N = scaled(100000),
    rows([{"sleep100k_late_p50", "us"}, {"sleep100k_late_p99", "us"}, {"sleep100k_late_max", "us"}], once(fun() ->
        Late = atomics:new(N, []), Left = atomics:new(1, []),
        atomics:put(Left, 1, N),
        Me = self(),
        Base = now_ns() + 1500000000, % all are asleep before the first is due
        lists:foldl(fun(I, R0) ->
            R = rand:mwc59(R0),
            Due = Base + (1 + rand:mwc59_value32(R) rem 1000) * 1000000,
            spawn(fun() -> sleep_until(Due, I, Late, Left, Me) end),
            R
        end, rand:mwc59_seed(7), lists:seq(1, N)),
        receive done -> ok end,
        Values = [atomics:get(Late, I) / 1000 || I <- lists:seq(1, N)],
        [quantile(Values, 0.5), quantile(Values, 0.99), lists:max(Values)]
    end));
group("idle_cpu") ->
    rows([{"idle_cpu_100k", "% CPU"}], [once(fun() ->
        Pids = spawn_many(scaled(100000), fun bench:park/0, []),
        timer:sleep(500),
        C0 = cpu_ns(), T0 = now_ns(),
        timer:sleep(3000),
        Used = cpu_ns() - C0, Passed = now_ns() - T0,
        [Pid ! stop || Pid <- Pids],
        Used / Passed * 100
    end)]);
group("timer_wake") ->
    rows([{"timer_wake_1ms_p50", "us late"}, {"timer_wake_1ms_p99", "us late"}], once(fun() ->
        Late = [begin T0 = now_ns(), receive after 1 -> ok end, (now_ns() - T0 - 1000000) / 1000 end
                || _ <- lists:seq(1, max(100, scaled(500)))],
        [quantile(Late, 0.5), quantile(Late, 0.99)]
    end));
group("ext_wake_gap2ms") -> wake("ext_wake_gap2ms", 2000, max(100, scaled(500)));
group("ext_wake_gap100us") -> wake("ext_wake_gap100us", 100, max(1000, scaled(5000)));
group(_) -> false.

start_timers(0, _, Timers) -> Timers;
start_timers(N, Me, Timers) -> start_timers(N - 1, Me, [erlang:start_timer(60000 + (N band 16383), Me, t) | Timers]).
start_cancel(0, _) -> ok;
start_cancel(N, Me) -> erlang:cancel_timer(erlang:start_timer(60000 + (N band 16383), Me, t)), start_cancel(N - 1, Me).

sleep_until(Due, I, Late, Left, Main) ->
    Began = now_ns(),
    Ms = max(0, (Due - Began) div 1000000),
    receive after Ms -> ok end,
    atomics:put(Late, I, max(0, now_ns() - (Began + Ms * 1000000))),
    case atomics:sub_get(Left, 1, 1) of 0 -> Main ! done; _ -> ok end.

%% A thread of the operating system that sleeps, stamps the clock and sends; the lateness is what the process reads.
wake(Row, GapUs, Count) ->
    ok = erlang:load_nif(os:getenv("WEFT_BENCH_NIF"), 0),
    rows([{Row ++ "_p50", "us"}, {Row ++ "_p99", "us"}], once(fun() ->
        ok = wake_nif_start(self(), GapUs, Count),
        Late = collect(Count, []),
        [quantile(Late, 0.5), quantile(Late, 0.99)]
    end)).
collect(0, Late) -> Late;
collect(N, Late) -> receive {wake, Ns} -> collect(N - 1, [(wake_nif_now() - Ns) / 1000 | Late]) end.
wake_nif_start(_, _, _) -> erlang:nif_error(not_loaded).
wake_nif_now() -> erlang:nif_error(not_loaded).
