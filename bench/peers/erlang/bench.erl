%% Erlang's side of the comparison. Usage: erl ... -run bench main GROUP SCHEDULERS
%% Prints `row <TAB> value <TAB> unit` for each row of the group; exit status 3: there is no such group here.
-module(bench).
-export([main/1]).
-export([scaled/1, now_ns/0, warm/1, once/1, rows/2, quantile/2, resident_bytes/0, cpu_ns/0, park/0, spawn_many/3]).

main([Group, _Schedulers]) ->
    Known = lists:any(fun(Module) -> Module:group(Group) end, [bench_messages, bench_life, bench_time]),
    erlang:halt(case Known of true -> 0; false -> 3 end, [{flush, true}]).

%% The published size, times WEFT_BENCH_SCALE.
scaled(N) ->
    case os:getenv("WEFT_BENCH_SCALE") of
        false -> N;
        Text -> max(1, round(N * number(Text)))
    end.
number(Text) ->
    case string:to_float(Text) of
        {error, no_float} -> list_to_integer(Text);
        {Number, _} -> Number
    end.

now_ns() -> erlang:monotonic_time(nanosecond).

%% Each measurement runs in a fresh process, with a fresh heap.
once(Body) ->
    {Pid, Ref} = spawn_monitor(fun() -> exit({result, Body()}) end),
    receive
        {'DOWN', Ref, process, Pid, {result, Value}} -> Value;
        {'DOWN', Ref, process, Pid, Reason} -> io:format(standard_error, "~p~n", [Reason]), halt(1)
    end.

%% The second of two: the first has filled the allocators' carriers.
warm(Body) -> once(Body), once(Body).

rows(Names, Values) ->
    lists:foreach(fun({{Row, Unit}, Value}) -> io:format("~s\t~s\t~s~n", [Row, float_to_list(Value * 1.0, [{scientific, 8}]), Unit]) end, lists:zip(Names, Values)),
    true.

quantile(Values, Q) ->
    Sorted = lists:sort(Values),
    lists:nth(min(length(Sorted), trunc(Q * length(Sorted)) + 1), Sorted).

resident_bytes() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:split(Text, " ", all),
    binary_to_integer(Pages) * 4096.

%% Time that the program's threads spent on a processor.
cpu_ns() ->
    lists:sum([thread_ns(File) || File <- filelib:wildcard("/proc/self/task/*/schedstat")]).
thread_ns(File) ->
    {ok, Text} = file:read_file(File),
    [Ns | _] = string:split(Text, " "),
    binary_to_integer(Ns).

park() -> receive stop -> ok end.

spawn_many(0, _, Pids) -> Pids;
spawn_many(N, Body, Pids) -> spawn_many(N - 1, Body, [spawn(Body) | Pids]).
