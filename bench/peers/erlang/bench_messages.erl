%% Rows about messages between processes.
-module(bench_messages).
-export([group/1]).
-import(bench, [scaled/1, now_ns/0, warm/1, rows/2]).

group("ping_pong") ->
    N = scaled(1000000),
    rows([{"ping_pong", "ns/roundtrip"}], [warm(fun() ->
        Pong = spawn(fun() -> pong() end),
        T0 = now_ns(),
        ping(N, Pong, self()),
        T = now_ns() - T0,
        Pong ! stop,
        T / N
    end)]);
group("ping_pong_100_pairs") ->
    Pairs = 100, N = scaled(20000),
    rows([{"ping_pong_100_pairs", "ns/roundtrip"}], [warm(fun() ->
        Me = self(),
        T0 = now_ns(),
        [spawn(fun() ->
             Pong = spawn(fun() -> pong() end),
             ping(N, Pong, self()),
             Pong ! stop,
             Me ! done
         end) || _ <- lists:seq(1, Pairs)],
        [receive done -> ok end || _ <- lists:seq(1, Pairs)],
        (now_ns() - T0) / (Pairs * N)
    end)]);
group("thread_ring_503") ->
    Hops = scaled(3000000),
    rows([{"thread_ring_503", "ns/hop"}], [warm(fun() ->
        Me = self(),
        First = lists:foldl(fun(_, Next) -> spawn(fun() -> ring(Next, Me) end) end, Me, lists:seq(1, 502)),
        T0 = now_ns(),
        First ! Hops,
        ring_end(First), % this process is the 503rd member
        (now_ns() - T0) / Hops
    end)]);
group("fan_in_8to1") -> fan_in("fan_in_8to1", 8, scaled(500000), []);
group("fan_in_8to1_offheap") -> fan_in("fan_in_8to1_offheap", 8, scaled(500000), [{message_queue_data, off_heap}]);
group("stream_1to1") -> fan_in("stream_1to1", 1, scaled(4000000), []);
group("stream_1to1_offheap") -> fan_in("stream_1to1_offheap", 1, scaled(4000000), [{message_queue_data, off_heap}]);
group("big_64") ->
    Actors = 64, N = scaled(20000),
    rows([{"big_64", "Mmsg/s"}], [warm(fun() ->
        Me = self(),
        Pids = [spawn(fun() -> big_start(I, N, Me) end) || I <- lists:seq(0, Actors - 1)],
        All = list_to_tuple(Pids),
        T0 = now_ns(),
        [Pid ! {start, All} || Pid <- Pids],
        [receive done -> ok end || _ <- Pids],
        T = now_ns() - T0,
        [Pid ! stop || Pid <- Pids],
        Actors * N * 2 * 1000 / T
    end)]);
group("fork_join_60") ->
    Actors = 60, N = scaled(100000),
    rows([{"fork_join_60", "Mmsg/s"}], [warm(fun() ->
        Me = self(),
        Pids = [spawn(fun() -> joined(N, Me) end) || _ <- lists:seq(1, Actors)],
        T0 = now_ns(),
        fork(N, Pids),
        [receive done -> ok end || _ <- Pids],
        Actors * N * 1000 / (now_ns() - T0)
    end)]);
group("call_reply_queue0") -> calls("call_reply_queue0", 0);
group("call_reply_queue1000_ref") -> calls("call_reply_queue1000_ref", 1000);
group("call_reply_queue100000_ref") -> calls("call_reply_queue100000_ref", 100000);
group(_) -> false.

pong() -> receive {N, From} -> From ! N, pong(); stop -> ok end.
ping(0, _, _) -> ok;
ping(N, Pong, Me) -> Pong ! {N, Me}, receive N -> ping(N - 1, Pong, Me) end.

ring(Next, Last) ->
    receive
        stop -> Next ! stop;
        0 -> Last ! stop, ring(Next, Last);
        N -> Next ! N - 1, ring(Next, Last)
    end.
ring_end(First) ->
    receive
        stop -> First ! stop, receive stop -> ok end;
        0 -> First ! stop, receive stop -> ok end;
        N -> First ! N - 1, ring_end(First)
    end.

fan_in(Row, Senders, N, Options) ->
    rows([{Row, "Mmsg/s"}], [warm(fun() ->
        Me = self(), Total = Senders * N,
        Sink = spawn_opt(fun() -> count(Total), Me ! done end, Options),
        T0 = now_ns(),
        [spawn(fun() -> blast(N, Sink) end) || _ <- lists:seq(1, Senders)],
        receive done -> ok end,
        Total * 1000 / (now_ns() - T0)
    end)]).
count(0) -> ok;
count(N) -> receive I when is_integer(I) -> count(N - 1) end.
blast(0, _) -> ok;
blast(N, Pid) -> Pid ! N, blast(N - 1, Pid).

%% Each pings a random other and serves pings while it waits.
big_start(Id, N, Main) ->
    receive {start, All} -> big(Id, N, Main, All, rand:mwc59_seed(Id + 1)) end.
big(_, 0, Main, _, _) -> Main ! done, big_serve();
big(Id, N, Main, All, R0) ->
    R = rand:mwc59(R0),
    To = (Id + 1 + (rand:mwc59_value32(R) rem 63)) band 63,
    element(To + 1, All) ! {ping, self()},
    big_wait(Id, N, Main, All, R).
big_wait(Id, N, Main, All, R) ->
    receive
        {ping, From} -> From ! pong, big_wait(Id, N, Main, All, R);
        pong -> big(Id, N - 1, Main, All, R)
    end.
big_serve() -> receive {ping, From} -> From ! pong, big_serve(); stop -> ok end.

joined(0, Main) -> Main ! done;
joined(N, Main) -> receive {msg, _} -> joined(N - 1, Main) end.
fork(0, _) -> ok;
fork(N, Pids) -> [Pid ! {msg, N} || Pid <- Pids], fork(N - 1, Pids).

calls(Row, Unrelated) ->
    N = scaled(500000),
    rows([{Row, "ns/call"}], [warm(fun() ->
        Server = spawn(fun serve/0),
        [self() ! {unrelated, I} || I <- lists:seq(1, Unrelated)],
        T0 = now_ns(),
        call_many(N, Server),
        T = now_ns() - T0,
        Server ! stop,
        T / N
    end)]).
call_many(0, _) -> ok;
call_many(N, Server) -> call(Server, N), call_many(N - 1, Server).
serve() -> receive {call, From, Ref, X} -> From ! {reply, Ref, X}, serve(); stop -> ok end.
%% A fresh reference, so that the compiler lets the receive begin behind the older messages.
call(Server, X) ->
    Ref = make_ref(),
    Server ! {call, self(), Ref, X},
    receive {reply, Ref, Result} -> Result end.
