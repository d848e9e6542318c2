%% Plays scripts on Erlang, and prints what happened, as weft_differential does on weft. The language is in script.hpp.
%%
%% usage: erl -noshell -run runner main FILE
%%
%% A conductor has each step done by its process, and then waits until nothing moves: every process has answered is_process_alive/1, which
%% is a signal like others, and waits in a receive, twice in a row. Units of time are milliseconds of the real clock, several at first; a
%% script in which a step came too late for them is played again with longer ones. So no result depends on how fast the machine is.
-module(runner).
-export([main/1]).

-define(AT_ONCE, 16).        % scripts
-define(FIRST_UNIT_MS, 16).
-define(PATIENCE_S, 30).

%% What the conductor knows of one process. queue: [{Seen, Section}], where Seen is {Kind, Key, Sender, Text}, as in queue.hpp.
-record(player, {pid, monitor, alive = true, awaits = false, due = none, queue = [], shown = ""}).
-record(state, {
    unit, watched, out = [],
    names,                % "p1" => pid, "m1", "a1", "t1" => reference; slot => what this script's registered names start with
    players = #{},
    results = #{},        % "p1" => [Result], those not told yet, latest first
    now = 0, epoch = 0,   % in units; of unit 0, in milliseconds
    dues = [],            % in units: when timers fire and waits end
    late = false
}).

main([File]) ->
    logger:set_primary_config(level, none),  % Crashes are part of the scripts.
    process_flag(trap_exit, true),           % Those of the conductors are not.
    %% Who has to wait for its code to be loaded looks like one that waits for a message.
    ok = code:ensure_modules_loaded([runner_puppet, runner_queue, lists, maps, string, unicode_util]),
    case file:read_file(File) of
        {ok, Bytes} ->
            Scripts = read(string:split(Bytes, "\n", all)),
            Self = self(),
            Left = lists:foldl(fun(Slot, Rest) -> start(Self, Slot, Rest) end, Scripts, lists:seq(1, ?AT_ONCE)),
            [file:write(standard_io, Trace) || {_, Trace} <- lists:sort(collect(length(Scripts), Left, []))],
            halt(0);
        {error, Why} ->
            io:format(standard_error, "runner: cannot read ~s: ~s~n", [File, file:format_error(Why)]),
            halt(2)
    end.

read(Lines) -> read(Lines, none, 1, []).

read([], none, _, Scripts) -> lists:reverse(Scripts);
read([<<>> | Lines], Script, N, Scripts) -> read(Lines, Script, N, Scripts);
read([<<"#", _/binary>> | Lines], Script, N, Scripts) -> read(Lines, Script, N, Scripts);
read([<<"script ", Head/binary>> | Lines], none, N, Scripts) ->
    [Name, Mode] = string:lexemes(binary_to_list(Head), " "),
    read(Lines, {N, Name, Mode =:= "watched", []}, N + 1, Scripts);
read([<<"end">> | Lines], {Id, Name, Watched, Steps}, N, Scripts) ->
    read(Lines, none, N, [{Id, Name, Watched, lists:reverse(Steps)} | Scripts]);
read([Line | Lines], {Id, Name, Watched, Steps}, N, Scripts) ->
    Text = binary_to_list(Line),
    [Actor | Words] = string:lexemes(Text, " "),
    read(Lines, {Id, Name, Watched, [{length(Steps) + 1, Text, Actor, items(Words)} | Steps]}, N, Scripts).

items(Words) ->
    case lists:splitwith(fun(Word) -> Word =/= ";" end, Words) of
        {Item, []} -> [Item];
        {Item, [_ | Rest]} -> [Item | items(Rest)]
    end.

%% A process for each script, so that nothing is left of one in the next.
start(_, _, []) -> [];
start(Main, Slot, [Script | Rest]) ->
    spawn_link(fun() -> Main ! {played, Slot, element(1, Script), play(Script, Slot, ?FIRST_UNIT_MS)} end),
    Rest.

collect(0, _, Traces) -> Traces;
collect(Missing, Left, Traces) ->
    receive
        {played, Slot, Id, Trace} -> collect(Missing - 1, start(self(), Slot, Left), [{Id, Trace} | Traces]);
        {'EXIT', _, normal} -> collect(Missing, Left, Traces);
        {'EXIT', _, Reason} -> io:format(standard_error, "runner: ~p~n", [Reason]), halt(1)
    end.

%% --- one script ---

play({_, Name, Watched, Steps} = Script, Slot, Unit) ->
    Started = [{P, spawn(runner_puppet, run, [P, self()])} || P <- ["p1", "p2", "p3"]],
    Begun = greet(say(#state{unit = Unit, watched = Watched, names = maps:from_list([{slot, Slot} | Started])}, ["script ", Name, "\n"])),
    {Verdict, Last} = case steps(Steps, Begun) of
        {in_time, Played} -> in_time(show(say(Played, "end\n"), length(Steps) + 1));
        Late -> Late
    end,
    clear(Last),
    case Verdict of
        in_time -> lists:reverse(Last#state.out);
        late -> play(Script, Slot, 2 * Unit)
    end.

clear(#state{names = Names}) ->
    [exit(Pid, kill) || Pid <- maps:values(Names), is_pid(Pid)],
    [erlang:cancel_timer(Timer) || {"t" ++ _, Timer} <- maps:to_list(Names)],
    [until(fun() -> not is_process_alive(Pid) end) || Pid <- maps:values(Names), is_pid(Pid)],
    forget_messages().  % Results of this time are none of the next.

forget_messages() -> receive _ -> forget_messages() after 0 -> ok end.

until(Holds) -> Holds() orelse begin erlang:yield(), until(Holds) end.

steps([], S) -> {in_time, S};
steps([Step | Steps], S) ->
    case in_time(step(Step, S)) of
        {in_time, Done} -> steps(Steps, Done);
        Late -> Late
    end.

%% Whether all along nothing has come yet that was due later.
in_time(#state{late = true} = S) -> {late, S};
in_time(#state{now = Now, dues = Dues} = S) ->
    Clock = erlang:monotonic_time(millisecond),
    case lists:any(fun(Due) -> Due > Now andalso Clock >= moment(Due, S) end, Dues) of
        true -> {late, S};
        false -> {in_time, S}
    end.

%% What is due comes in the middle between two units.
moment(Due, #state{epoch = Epoch, unit = Unit}) -> Epoch + Due * Unit - Unit div 2.

step({Number, Text, "advance", [[N]]}, S) ->
    After = pass(S, S#state.now + list_to_integer(N)),
    finish(Number, none, say(S#state{out = []}, [integer_to_list(Number), " ", Text]), After, S);
step({Number, Text, Actor, Items}, S) ->
    Line = say(S#state{out = []}, [integer_to_list(Number), " ", Text, " -> "]),
    case why_skipped(Actor, Items, S) of
        "" ->
            Timers = [list_to_integer(D) || [V, _, D | _] <- Items, V =:= "after" orelse V =:= "timer"],
            Waits = [list_to_integer(D) || ["await", _, _, "for", D] <- Items],
            Timed = add_dues(Timers ++ Waits, S),
            (maps:get(Actor, S#state.players))#player.pid ! {perform, Number, Items, Timed#state.names, clock(Timed)},
            finish(Number, {Actor, Items, Waits}, Line, settle(Timed), S);
        Why ->
            say(S, [lists:reverse(Line#state.out), "skipped ", Why, "\n"])
    end.

add_dues([], S) -> S;
add_dues(Due, #state{now = Now, dues = Dues, unit = Unit} = S) ->
    Epoch = case [D || D <- Dues, D > Now] of
        [] -> erlang:monotonic_time(millisecond) - Now * Unit;  % Nothing waits for the old one.
        _ -> S#state.epoch
    end,
    S#state{epoch = Epoch, dues = [Now + D || D <- Due] ++ Dues}.

%% For the puppet: when, on the real clock, is so many units ahead?
clock(#state{now = Now} = S) -> fun(Units) -> moment(Now + Units, S) end.

%% Until then: sleeps past each moment at which something is due, and waits for what comes of it before the next. Where nothing is due no time
%% passes.
pass(#state{now = Now, dues = Dues, epoch = Epoch, unit = Unit} = S, Then) ->
    case lists:sort([Due || Due <- Dues, Due > Now, Due =< Then]) of
        [] -> settle(S#state{now = Then});
        [Due | _] ->
            receive after max(0, Epoch + Due * Unit - erlang:monotonic_time(millisecond)) -> ok end,
            {Verdict, Passed} = in_time(settle(S#state{now = Due})),
            pass(Passed#state{late = Verdict =:= late}, Then)
    end.

finish(Number, Acted, Line, After, Before) ->
    Died = [{Name, Reason} || {Name, {ended, Reason}} <- maps:to_list(maps:map(fun(_, P) -> P#player.alive end, After#state.players)),
                              (maps:get(Name, Before#state.players))#player.alive =:= true],
    {Outcome, Told} = case Acted of none -> {"", After}; _ -> outcome(Acted, After) end,
    Woken = lists:foldl(fun woken/2, say(Told, [lists:reverse(Line#state.out), Outcome, "\n"]), lists:sort(maps:keys(Told#state.players))),
    TellEnd = fun({Name, Reason}, S) -> say(S, ["  ", Name, " ended ", runner_puppet:reason_text(Reason), "\n"]) end,
    Ended = lists:foldl(TellEnd, Woken, lists:sort(Died)),
    Greeted = greet(Ended),
    case Greeted#state.watched of
        true -> show(Greeted, Number);
        false -> Greeted
    end.

why_skipped(Actor, Items, S) ->
    case S#state.players of
        #{Actor := #player{alive = true, awaits = true}} -> "busy";
        #{Actor := #player{alive = true, pid = Pid, queue = Queue}} ->
            {trap_exit, Traps} = process_info(Pid, trap_exit),
            Oldest = hd(Items) =:= ["take", "oldest"] andalso (not S#state.watched orelse runner_queue:oldest_is_open(Queue)),
            case Oldest orelse (is_perilous(Actor, Items) andalso not Traps) of
                true -> "open";
                false -> ""
            end;
        #{Actor := _} -> "dead";
        _ -> "nobody"
    end.

%% A burst with an end in it that does not come last: whoever does not trap exits may be gone before the burst is over.
is_perilous(_, [_]) -> false;
is_perilous(Actor, Items) ->
    lists:any(fun(["exit_to", To, Reason]) -> To =/= Actor andalso Reason =/= "normal";
                 (["spawn_link" ++ _ | Words]) -> lists:member("then", Words);
                 (_) -> false
              end, Items).

%% Of a process that ended in the step, what came of the last item is not told: it may have ended before it could say so.
outcome({Actor, Items, Waits}, S) ->
    Results = lists:reverse(maps:get(Actor, S#state.results, [])),
    Cleared = S#state{results = maps:remove(Actor, S#state.results)},
    Player = maps:get(Actor, S#state.players),
    case Player#player.alive of
        true ->
            {Texts, Told} = told(Actor, Results, Cleared),
            case length(Results) < length(Items) of
                true ->
                    Until = case Waits of [] -> none; [D] -> S#state.now + D end,
                    {lists:join(" ; ", Texts ++ ["waits"]), update(Actor, Told, fun(P) -> P#player{awaits = true, due = Until} end)};
                false ->
                    {lists:join(" ; ", Texts), Told}
            end;
        _ ->
            {Texts, Told} = told(Actor, lists:sublist(Results, length(Items) - 1), Cleared),
            Names = case lists:last(Items) of
                ["spawn" ++ _, Child | _] -> maps:remove(Child, Told#state.names);
                _ -> Told#state.names
            end,
            {lists:join(" ; ", Texts ++ ["died"]), Told#state{names = Names}}
    end.

woken(Name, S) ->
    case {maps:get(Name, S#state.players), maps:get(Name, S#state.results, [])} of
        {#player{alive = true, awaits = true}, [Result]} ->
            {[Text], Told} = told(Name, [Result], S#state{results = maps:remove(Name, S#state.results)}),
            say(update(Name, Told, fun(P) -> P#player{awaits = false, due = none} end), ["  ", Name, " got ", Text, "\n"]);
        _ -> S
    end.

told(Name, Results, S) ->
    lists:mapfoldl(fun({taken, []}, Acc) -> {"nothing", Acc};
                      ({taken, Messages}, Acc) ->
                          #player{queue = Queue} = maps:get(Name, Acc#state.players),
                          {Text, Rest} = runner_queue:take([seen(M, Acc) || M <- Messages], Queue),
                          {Text, update(Name, Acc, fun(P) -> P#player{queue = Rest} end)};
                      (Text, Acc) -> {Text, Acc}
                   end, S, Results).

update(Name, #state{players = Players} = S, How) -> S#state{players = maps:update_with(Name, How, Players)}.
say(S, Text) -> S#state{out = [Text | S#state.out]}.

%% Monitors those who are new. Who was born and ended in one step left no reason.
greet(S) ->
    New = lists:sort([{Name, Pid} || {"p" ++ _ = Name, Pid} <- maps:to_list(S#state.names), not is_map_key(Name, S#state.players)]),
    lists:foldl(fun({Name, Pid}, Acc) ->
        case is_process_alive(Pid) of
            true ->
                Player = #player{pid = Pid, monitor = monitor(process, Pid)},
                Acc#state{players = (Acc#state.players)#{Name => Player}};
            false ->
                say(Acc#state{players = (Acc#state.players)#{Name => #player{pid = Pid, alive = {ended, gone}}}}, ["  ", Name, " gone\n"])
        end
    end, S, New).

%% --- waiting until nothing moves ---

settle(S) ->
    put(patience_ends, erlang:monotonic_time(second) + ?PATIENCE_S),
    settle(S, 2).

settle(S, 0) -> S;
settle(S, Rounds) ->
    erlang:monotonic_time(second) < get(patience_ends) orelse error({does_not_settle, lists:flatten(lists:reverse(S#state.out))}),
    Heard = hear(S),
    {Next, Quiet} = maps:fold(fun settle_one/3, {Heard, true}, Heard#state.names),
    case Quiet of
        true -> settle(Next, Rounds - 1);
        false -> erlang:yield(), settle(Next, 2)
    end.

settle_one("p" ++ _ = Name, Pid, {S, Quiet}) ->
    Player = maps:get(Name, S#state.players, new),
    case is_process_alive(Pid) of
        true ->
            Waits = process_info(Pid, status) =:= {status, waiting} andalso (Player =:= new orelse not is_overdue(Name, Player, S)),
            {S, Quiet andalso Waits};
        false when Player =/= new, Player#player.alive =:= true ->
            Monitor = Player#player.monitor,
            receive {'DOWN', Monitor, process, Pid, Reason} -> {update(Name, S, fun(P) -> P#player{alive = {ended, Reason}} end), false} end;
        false ->
            {S, Quiet}
    end;
settle_one("t" ++ _, Timer, {S, Quiet}) ->
    %% One that is due by now has fired when it cannot be read any more.
    case erlang:read_timer(Timer) of
        false -> {S, Quiet};
        Left -> {S, Quiet andalso erlang:monotonic_time(millisecond) + Left >= S#state.epoch + S#state.now * S#state.unit}
    end;
settle_one(_, _, Acc) -> Acc.

%% Whether its `await ... for` should have given up.
is_overdue(Name, #player{awaits = true, due = Due}, S) when is_integer(Due), Due =< S#state.now -> not is_map_key(Name, S#state.results);
is_overdue(_, _, _) -> false.

hear(S) ->
    receive
        {result, Name, Result, Made} ->
            Results = maps:update_with(Name, fun(Before) -> [Result | Before] end, [Result], S#state.results),
            hear(S#state{results = Results, names = maps:merge(S#state.names, Made)})
    after 0 -> S
    end.

%% --- what is shown of a process ---

%% A line about everybody of whom something has changed since the last.
show(S, Section) -> lists:foldl(fun(Name, Acc) -> show_one(Name, Section, Acc) end, S, lists:sort(maps:keys(S#state.players))).

show_one(Name, Section, S) ->
    case maps:get(Name, S#state.players) of
        #player{alive = true} = Player ->
            {Queue, Order} = case Player#player.awaits of
                true -> {Player#player.queue, ""};
                false ->
                    {messages, Messages} = process_info(Player#player.pid, messages),
                    runner_queue:look([seen(M, S) || M <- Messages], Player#player.queue, Section)
            end,
            Line = lists:flatten([state_text(Player#player.pid, S), mail(runner_queue:canonical(Queue)), Order]),
            Told = case Line =:= Player#player.shown of
                true -> S;
                false -> say(S, ["  ", Name, ":", Line, "\n"])
            end,
            update(Name, Told, fun(P) -> P#player{queue = Queue, shown = Line} end);
        _ -> S
    end.

state_text(Pid, S) ->
    [{trap_exit, Traps}, {links, Links}, {monitored_by, Watchers}, {registered_name, Registered}] =
        process_info(Pid, [trap_exit, links, monitored_by, registered_name]),
    Names = fun(Pids) -> lists:sort([runner_puppet:name_of(P, S#state.names) || P <- Pids, P =/= Pid, P =/= self()]) end,
    [[" trap" || Traps], list(" links=", Names(Links)), list(" watched=", Names(Watchers)),
     list(" name=", [runner_puppet:script_name(Registered) || Registered =/= []])].

list(_, []) -> "";
list(Title, Values) -> [Title, lists:join(",", Values)].

mail("") -> "";
mail(Text) -> [" mail=[", Text, "]"].

seen({message, From, Id}, _) -> {message, From, From, From ++ ":" ++ Id};
seen({timer, Timer}, _) -> {timer, Timer, Timer, "timer(" ++ Timer ++ ")"};
seen({timeout, _, {timer, Timer}}, _) -> {timer, Timer, Timer, "timeout(" ++ Timer ++ ")"};
seen({'EXIT', Pid, Reason}, S) ->
    From = runner_puppet:name_of(Pid, S#state.names),
    {exit, From, From, lists:flatten(["EXIT(", From, ",", runner_puppet:reason_text(Reason), ")"])};
seen({'DOWN', Ref, process, Object, Reason}, S) ->
    Of = case Object of {Name, _} -> runner_puppet:script_name(Name); _ -> runner_puppet:name_of(Object, S#state.names) end,
    Monitor = runner_puppet:name_of(Ref, S#state.names),
    {down, Monitor, Of, lists:flatten(["DOWN(", Monitor, ",", Of, ",", runner_puppet:reason_text(Reason), ")"])}.
