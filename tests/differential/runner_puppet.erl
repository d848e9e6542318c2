%% A process of a script: it does what the conductor tells it, and nothing else. What it makes it tells the conductor with each result.
-module(runner_puppet).
-export([run/2, name_of/2, script_name/1, reason_text/1]).

run(Name, Conductor) ->
    receive
        {perform, Number, Items, Names, Clock} -> perform(Items, 1, Number, Name, Conductor, Names, Clock)
    end.

perform([], _, _, Name, Conductor, _, _) -> run(Name, Conductor);
perform([["return"] | _], _, _, _, _, _, _) -> ok;
perform([Item | Items], I, Number, Name, Conductor, Names, Clock) ->
    Id = integer_to_list(Number) ++ "." ++ integer_to_list(I),
    Result = case [Word || Word <- needs(Item), not is_map_key(Word, Names)] of
        [] -> do(Item, {Name, Id, Conductor, Clock}, Names);
        _ -> "nobody"
    end,
    {Text, Made} = case Result of
        {made, Bindings} -> {"ok", Bindings};
        _ -> {Result, #{}}
    end,
    Conductor ! {result, Name, Text, Made},
    case Item of
        ["hibernate"] -> erlang:hibernate(?MODULE, run, [Name, Conductor]);
        _ -> perform(Items, I + 1, Number, Name, Conductor, maps:merge(Names, Made), Clock)
    end.

%% The operands that must have been made.
needs(["spawn" ++ _ | _]) -> [];
needs(["alias" | _]) -> [];
needs(["monitor", _, To | _]) -> unless_name(To);
needs(["register", _, Pid]) -> [Pid];
needs([V, _, _, To]) when V =:= "after"; V =:= "timer" -> unless_name(To);
needs([V, Kind, Key | _]) when V =:= "take" orelse V =:= "await", Kind =:= "exit" orelse Kind =:= "down" -> [Key];
needs([V | _]) when V =:= "take"; V =:= "await"; V =:= "exit"; V =:= "catch_exit"; V =:= "trap"; V =:= "unregister"; V =:= "whereis" -> [];
needs([_, To | _]) -> unless_name(To);
needs(_) -> [].

unless_name("n" ++ _) -> [];
unless_name(Name) -> [Name].

do(["send", "n" ++ _ = To], {Name, Id, _, _}, Names) -> or_badarg(fun() -> erlang_name(To, Names) ! {message, Name, Id} end);
do(["send", To], {Name, Id, _, _}, Names) -> maps:get(To, Names) ! {message, Name, Id}, "ok";
do(["take", "oldest"], _, _) -> {taken, receive M -> [M] after 0 -> [] end};
do(["take", "all"], _, _) -> {taken, take_all()};
do(["take" | Selector], _, Names) -> {taken, selective(Selector, Names, 0)};
do(["await", Kind, Key], _, Names) -> {taken, selective([Kind, Key], Names, infinity)};
do(["await", Kind, Key, "for", N], {_, _, _, Clock}, Names) ->
    {taken, selective([Kind, Key], Names, max(0, Clock(list_to_integer(N)) - erlang:monotonic_time(millisecond)))};
do(["spawn", Child | Then], Context, _) -> {made, #{Child => spawn(body(Child, Then, Context))}};
do(["spawn_link", Child | Then], Context, _) -> {made, #{Child => spawn_link(body(Child, Then, Context))}};
do(["spawn_monitor", Child, Monitor | Then], Context, _) ->
    {Pid, Ref} = spawn_monitor(body(Child, Then, Context)),
    {made, #{Child => Pid, Monitor => Ref}};
do(["spawn_link_monitor", Child, Monitor | Then], Context, _) ->
    {Pid, Ref} = spawn_opt(body(Child, Then, Context), [link, monitor]),
    {made, #{Child => Pid, Monitor => Ref}};
do(["link", To], _, Names) -> try link(maps:get(To, Names)) of true -> "ok" catch error:noproc -> "noproc" end;
do(["unlink", To], _, Names) -> unlink(maps:get(To, Names)), "ok";
do(["alive", To], _, Names) -> atom_to_list(is_process_alive(maps:get(To, Names)));
do(["monitor", Monitor, To | Options], _, Names) ->
    Target = case To of "n" ++ _ -> erlang_name(To, Names); _ -> maps:get(To, Names) end,
    {made, #{Monitor => erlang:monitor(process, Target, [{alias, list_to_atom(Mode)} || ["alias", Mode] <- [Options]])}};
do(["demonitor", Monitor, "flush", "info"], _, Names) ->
    %% MON-6: weft answers false where a DOWN had to be flushed, as documented; Erlang also where there was neither a monitor nor a DOWN.
    Ref = maps:get(Monitor, Names),
    {messages, Messages} = process_info(self(), messages),
    Waits = lists:any(fun({'DOWN', R, process, _, _}) -> R =:= Ref; (_) -> false end, Messages),
    atom_to_list(erlang:demonitor(Ref, [flush, info]) orelse not Waits);
do(["demonitor", Monitor | Options], _, Names) ->
    atom_to_list(erlang:demonitor(maps:get(Monitor, Names), [list_to_atom(Option) || Option <- Options]));
do(["alias", Alias, Mode], _, _) -> {made, #{Alias => erlang:alias([list_to_atom(Mode)])}};
do(["unalias", Alias], _, Names) -> atom_to_list(erlang:unalias(maps:get(Alias, Names)));
do(["exit", Reason], _, _) -> exit(reason(Reason));
do(["exit_to", To, Reason], _, Names) -> exit(maps:get(To, Names), reason(Reason)), "ok";
do(["catch_exit", Reason], _, _) -> try exit(reason(Reason)) catch exit:Caught -> lists:flatten(["caught ", reason_text(Caught)]) end;
do(["crash"], _, _) -> erlang:error(crash);
do(["throw"], _, _) -> throw(42);
do(["trap", Flag], _, _) -> case process_flag(trap_exit, Flag =:= "on") of true -> "on"; false -> "off" end;
do(["hibernate"], _, _) -> "ok";
do(["register", To, Pid], _, Names) -> or_badarg(fun() -> register(erlang_name(To, Names), maps:get(Pid, Names)) end);
do(["unregister", To], _, Names) -> or_badarg(fun() -> unregister(erlang_name(To, Names)) end);
do(["whereis", To], _, Names) ->
    case whereis(erlang_name(To, Names)) of
        undefined -> "nothing";
        Pid -> name_of(Pid, Names)
    end;
do([Verb, Timer, N, To], {_, _, _, Clock}, Names) when Verb =:= "after"; Verb =:= "timer" ->
    Target = case To of "n" ++ _ -> erlang_name(To, Names); _ -> maps:get(To, Names) end,
    At = Clock(list_to_integer(N)),
    Start = case Verb of "after" -> fun erlang:send_after/4; "timer" -> fun erlang:start_timer/4 end,
    {made, #{Timer => Start(At, Target, {timer, Timer}, [{abs, true}])}};
do(["cancel", Timer], _, Names) -> pending(erlang:cancel_timer(maps:get(Timer, Names)));
do(["read", Timer], _, Names) -> pending(erlang:read_timer(maps:get(Timer, Names)));
do(Item, _, _) -> "ERROR no verb '" ++ hd(Item) ++ "'".

pending(false) -> "false";
pending(_) -> "pending".

or_badarg(Call) -> try Call() of _ -> "ok" catch error:badarg -> "badarg" end.

%% Names are the node's, so each script that is played at the same time has its own.
erlang_name(Name, #{slot := Slot}) -> list_to_atom("differential_" ++ integer_to_list(Slot) ++ "_" ++ Name).
script_name(Atom) -> lists:last(string:lexemes(atom_to_list(Atom), "_")).

body(Child, [], {_, _, Conductor, _}) -> fun() -> run(Child, Conductor) end;
body(_, ["then", "return"], _) -> fun() -> ok end;
body(_, ["then", "exit", Reason], _) -> fun() -> exit(reason(Reason)) end;
body(_, ["then", "crash"], _) -> fun() -> erlang:error(crash) end;
body(_, ["then", "throw"], _) -> fun() -> throw(42) end.

reason(Word) ->
    case string:split(Word, ":") of
        [Kind, N] -> {list_to_atom(Kind), list_to_integer(N)};
        [Kind] -> list_to_atom(Kind)
    end.

take_all() -> receive M -> [M | take_all()] after 0 -> [] end.

selective(["message", From], _, Wait) -> receive {message, From, _} = M -> [M] after Wait -> [] end;
selective(["exit", From], Names, Wait) ->
    Pid = maps:get(From, Names),
    receive {'EXIT', Pid, _} = M -> [M] after Wait -> [] end;
selective(["down", Monitor], Names, Wait) ->
    Ref = maps:get(Monitor, Names),
    receive {'DOWN', Ref, process, _, _} = M -> [M] after Wait -> [] end;
selective(["timer", Timer], _, Wait) ->
    receive
        {timer, Timer} = M -> [M];
        {timeout, _, {timer, Timer}} = M -> [M]
    after Wait -> []
    end.

%% --- names and reasons as the traces have them ---

name_of(Value, Names) ->
    case [Name || {Name, V} <- maps:to_list(Names), V =:= Value] of
        [Name | _] -> Name;
        [] -> if is_pid(Value) -> "p?"; true -> "m?" end
    end.

reason_text(Reason) when is_atom(Reason) -> atom_to_list(Reason);
reason_text({Kind, N}) when is_integer(N) -> [atom_to_list(Kind), ":", integer_to_list(N)];
reason_text({{nocatch, _}, _}) -> "nocatch";
reason_text({_, Stack}) when is_list(Stack) -> "error".
