%% Rows about processes: beginning and end, links, monitors, names, memory.
-module(bench_life).
-export([group/1, sky/3]).
-import(bench, [scaled/1, now_ns/0, warm/1, once/1, rows/2, resident_bytes/0, spawn_many/3]).

group("spawn_exit") -> spawn_exit("spawn_exit", fun(_) -> ok end);
group("spawn_exit_yield64") -> spawn_exit("spawn_exit_yield64", fun(N) when N band 63 =:= 0 -> erlang:yield(); (_) -> ok end);
group("spawn_message_back") ->
    N = scaled(500000),
    rows([{"spawn_message_back", "ns/process"}], [warm(fun() ->
        T0 = now_ns(),
        spawn_reply(N, self()),
        (now_ns() - T0) / N
    end)]);
group("skynet") ->
    Leaves = sky_leaves(10, scaled(1000000)),
    Sum = Leaves * (Leaves - 1) div 2,
    rows([{"skynet", "ns/actor"}], [warm(fun() ->
        T0 = now_ns(),
        sky(self(), 0, Leaves),
        receive {sum, Sum} -> ok end,
        (now_ns() - T0) / ((Leaves * 10 - 1) div 9)
    end)]);
group("link_kill") ->
    N = scaled(100000),
    rows([{"spawn_link_100k", "ns/process"}, {"link_kill_100k", "ns/process"}], warm(fun() ->
        Base = erlang:system_info(process_count),
        Me = self(),
        T0 = now_ns(),
        Parent = spawn(fun() -> [spawn_link(fun bench:park/0) || _ <- lists:seq(1, N)], Me ! ready, bench:park() end),
        receive ready -> ok end,
        T1 = now_ns(),
        exit(Parent, kill),
        wait_for_count(Base),
        [(T1 - T0) / N, (now_ns() - T1) / N]
    end));
group("monitors") ->
    N = scaled(100000),
    rows([{"monitor_setup_100k", "ns/monitor"}, {"monitor_exit_down_100k", "ns/DOWN"}], warm(fun() ->
        Pids = spawn_many(N, fun bench:park/0, []),
        T0 = now_ns(),
        [erlang:monitor(process, Pid) || Pid <- Pids],
        T1 = now_ns(),
        [Pid ! stop || Pid <- Pids],
        downs(N),
        [(T1 - T0) / N, (now_ns() - T1) / N]
    end));
group("crash_exit_respawn") ->
    N = scaled(100000),
    rows([{"crash_exit_respawn", "ns/crash"}], [warm(fun() ->
        process_flag(trap_exit, true),
        T0 = now_ns(),
        crash_many(N),
        (now_ns() - T0) / N
    end)]);
group("registry") ->
    N = 1000, Rounds = max(1, scaled(50)), Lookups = max(1, scaled(500)), Messages = scaled(2000000),
    Names = [list_to_atom("name_" ++ integer_to_list(I)) || I <- lists:seq(1, N)],
    rows([{"register", "ns/op"}, {"whereis", "ns/op"}, {"unregister", "ns/op"}, {"send_by_name", "ns/msg"}], warm(fun() ->
        Pids = spawn_many(N, fun bench:park/0, []),
        Named = lists:zip(Names, Pids),
        {Register, Unregister} = register_rounds(Rounds, Named, Names, 0, 0),
        lists:foreach(fun({Name, Pid}) -> register(Name, Pid) end, Named),
        T0 = now_ns(),
        lookup_rounds(Lookups, Names),
        T1 = now_ns(),
        [unregister(Name) || Name <- Names],
        [Pid ! stop || Pid <- Pids],
        Me = self(),
        Sink = spawn(fun() -> count(Messages), Me ! done end),
        register(peer_sink, Sink),
        T2 = now_ns(),
        send_named(Messages),
        receive done -> ok end,
        T3 = now_ns(),
        [Register / (Rounds * N), (T1 - T0) / (Lookups * N), Unregister / (Rounds * N), (T3 - T2) / Messages]
    end));
group("mem_idle_100k" = Row) -> memory(Row, 100000, fun bench:park/0);
group("mem_idle_1m" = Row) -> memory(Row, 1000000, fun bench:park/0);
group("mem_idle_100k_hibernate" = Row) -> memory(Row, 100000, fun() -> erlang:hibernate(bench, park, []) end);
group("mem_idle_1m_hibernate" = Row) -> memory(Row, 1000000, fun() -> erlang:hibernate(bench, park, []) end);
group(_) -> false.

%% Processes that only count down; the last one reports.
spawn_exit(Row, Pause) ->
    N = scaled(1000000),
    rows([{Row, "ns/process"}], [warm(fun() ->
        Left = atomics:new(1, []),
        atomics:put(Left, 1, N),
        Me = self(),
        Body = fun() -> case atomics:sub_get(Left, 1, 1) of 0 -> Me ! done; _ -> ok end end,
        T0 = now_ns(),
        spawn_loop(N, Body, Pause),
        receive done -> ok end,
        (now_ns() - T0) / N
    end)]).
spawn_loop(0, _, _) -> ok;
spawn_loop(N, Body, Pause) -> spawn(Body), Pause(N), spawn_loop(N - 1, Body, Pause).

spawn_reply(0, _) -> ok;
spawn_reply(N, Me) -> spawn(fun() -> Me ! N end), receive N -> spawn_reply(N - 1, Me) end.

sky_leaves(Leaves, Most) when Leaves * 10 =< Most -> sky_leaves(Leaves * 10, Most);
sky_leaves(Leaves, _) -> Leaves.
sky(Parent, Number, 1) -> Parent ! {sum, Number};
sky(Parent, Number, Size) ->
    sky_spawn(10, self(), Number, Size div 10),
    Parent ! {sum, sky_sum(10, 0)}.
sky_spawn(0, _, _, _) -> ok;
sky_spawn(K, Me, Number, Sub) -> spawn(?MODULE, sky, [Me, Number, Sub]), sky_spawn(K - 1, Me, Number + Sub, Sub).
sky_sum(0, Sum) -> Sum;
sky_sum(K, Sum) -> receive {sum, Number} -> sky_sum(K - 1, Sum + Number) end.

wait_for_count(Base) ->
    case erlang:system_info(process_count) =< Base of
        true -> ok;
        false -> receive after 1 -> wait_for_count(Base) end
    end.
downs(0) -> ok;
downs(N) -> receive {'DOWN', _, process, _, _} -> downs(N - 1) end.

%% A linked worker fails at its first job; its parent meets the exit and starts the next. exit/1 and not error/1: the latter would also write a report.
crash_many(0) -> ok;
crash_many(N) ->
    Pid = spawn_link(fun() -> receive stop -> exit(crash) end end),
    Pid ! stop,
    receive {'EXIT', Pid, _} -> crash_many(N - 1) end.

register_rounds(0, _, _, Register, Unregister) -> {Register, Unregister};
register_rounds(K, Named, Names, Register, Unregister) ->
    T0 = now_ns(),
    lists:foreach(fun({Name, Pid}) -> register(Name, Pid) end, Named),
    T1 = now_ns(),
    lists:foreach(fun(Name) -> unregister(Name) end, Names),
    register_rounds(K - 1, Named, Names, Register + T1 - T0, Unregister + now_ns() - T1).
lookup_rounds(0, _) -> ok;
lookup_rounds(K, Names) -> lookups(Names), lookup_rounds(K - 1, Names).
lookups([]) -> ok;
lookups([Name | Rest]) -> whereis(Name), lookups(Rest).
count(0) -> ok;
count(N) -> receive I when is_integer(I) -> count(N - 1) end.
send_named(0) -> ok;
send_named(N) -> peer_sink ! N, send_named(N - 1).

memory(Row, Published, Body) ->
    N = scaled(Published),
    rows([{Row, "bytes/process"}], [once(fun() ->
        Before = resident_bytes(),
        Pids = spawn_many(N, Body, []),
        timer:sleep(300),
        After = resident_bytes(),
        N = length(Pids),
        (After - Before) / N
    end)]).
