%% A mailbox as it is compared: what queue.hpp describes, for Erlang. Entries are {Seen, Section}, Seen is {Kind, Key, Sender, Text}.
-module(runner_queue).
-export([look/3, take/2, oldest_is_open/1, canonical/1]).

look(Now, Queue, Section) ->
    Old = [Seen || {Seen, _} <- Queue],
    case lists:prefix(Old, Now) of
        true -> {Queue ++ [{Seen, Section} || Seen <- lists:nthtail(length(Old), Now)], ""};
        false -> {[{Seen, Section} || Seen <- Now], " DISORDER"}
    end.

take(Taken, Queue) ->
    {Removed, Rest} = lists:mapfoldl(fun(Seen, Left) ->
        case lists:keytake(Seen, 1, Left) of
            {value, Entry, Others} -> {Entry, Others};
            false -> {{Seen, not_seen_before}, Left}  % An atom: later than every number.
        end
    end, Queue, Taken),
    {canonical(Removed), Rest}.

oldest_is_open([]) -> false;
oldest_is_open([{{_, _, Sender, _}, Section} | _] = Queue) ->
    First = [Seen || {Seen, In} <- Queue, In =:= Section],
    Farewells = lists:takewhile(fun is_farewell/1, First),
    lists:any(fun({_, _, Other, _}) -> Other =/= Sender end, First)
        orelse (length(Farewells) > 1 andalso lists:keymember(down, 1, Farewells)).

is_farewell({Kind, _, _, _}) -> Kind =:= exit orelse Kind =:= down.

canonical(Entries) ->
    Sections = lists:usort([Section || {_, Section} <- Entries]),
    lists:append(lists:join(" ", [Text || Section <- Sections, Text <- canonical_section([Seen || {Seen, In} <- Entries, In =:= Section])])).

canonical_section(Seen) ->
    Senders = lists:usort([Sender || {_, _, Sender, _} <- Seen]),
    [Text || Sender <- Senders, {_, _, _, Text} <- farewells_sorted([One || {_, _, From, _} = One <- Seen, From =:= Sender])].

farewells_sorted([]) -> [];
farewells_sorted(Seen) ->
    case lists:splitwith(fun is_farewell/1, Seen) of
        {[], [Message | Rest]} -> [Message | farewells_sorted(Rest)];
        {Farewells, Rest} ->
            {Exits, Downs} = lists:partition(fun({Kind, _, _, _}) -> Kind =:= exit end, Farewells),
            Exits ++ lists:keysort(4, Downs) ++ farewells_sorted(Rest)
    end.
