"""Scripts as data: reading, writing, renumbering, and which of them have one outcome only. The language is in script.hpp."""
import dataclasses
import re

ENDS_ITS_PROCESS = {"exit", "crash", "throw", "return"}
AFTER_A_PERIL = {"send", "exit_to", "alive", "monitor", "demonitor", "spawn", "spawn_link", "spawn_monitor", "spawn_link_monitor", "alias", "unalias", "catch_exit"}
PROCESSES_AT_START = 3


class BadScript(Exception):
    """A text that is no script."""


@dataclasses.dataclass(frozen=True)
class Step:
    """`items` is a tuple of tuples of words; the actor "advance" has the units as its only item."""

    actor: str
    items: tuple

    def text(self):
        return self.actor + " " + " ; ".join(" ".join(item) for item in self.items)


@dataclasses.dataclass(frozen=True)
class Script:
    name: str
    mode: str
    steps: tuple

    def text(self):
        return "".join(f"{line}\n" for line in [f"script {self.name} {self.mode}", *(step.text() for step in self.steps), "end"])

    def with_steps(self, steps):
        return dataclasses.replace(self, steps=tuple(steps))


def read(text):
    scripts, steps, head = [], [], None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] == "script":
            if head or len(words) != 3 or words[2] not in ("watched", "blind"):
                raise BadScript(f"line {number}: expected 'script NAME watched|blind' after an 'end'")
            head, steps = words[1:], []
        elif head is None:
            raise BadScript(f"line {number}: '{line}' is in no script")
        elif words == ["end"]:
            scripts.append(Script(head[0], head[1], tuple(steps)))
            head = None
        else:
            items = tuple(tuple(item.split()) for item in " ".join(words[1:]).split(" ; "))
            if not all(items):
                raise BadScript(f"line {number}: nothing to do in '{line}'")
            check_words(words[0], items, number)
            steps.append(Step(words[0], items))
    if head:
        raise BadScript("the last script has no 'end'")
    return scripts


_REASON = r"([a-z]+|shutdown:\d+|custom:\d+)"
_SELECTOR = r"(message p\d+|exit p\d+|down m\d+|timer t\d+)"
_THEN = rf"( then (return|crash|throw|exit {_REASON}))?"
_ITEM = re.compile("|".join([
    r"send [pnam]\d+", rf"take (oldest|all|{_SELECTOR})", rf"await {_SELECTOR}( for \d+)?",
    rf"spawn p\d+{_THEN}", rf"spawn_link p\d+{_THEN}", rf"spawn(_link)?_monitor p\d+ m\d+{_THEN}",
    r"(link|unlink|alive) p\d+", r"monitor m\d+ [pn]\d+( alias (explicit_unalias|demonitor|reply_demonitor))?",
    r"demonitor m\d+( flush)?( info)?", r"alias a\d+ (explicit_unalias|reply)", r"unalias [am]\d+",
    rf"exit {_REASON}", rf"exit_to p\d+ {_REASON}", rf"catch_exit {_REASON}", "crash|throw|return|hibernate", "trap (on|off)",
    r"register n\d+ p\d+", r"(unregister|whereis) n\d+", r"(after|timer) t\d+ [1-9]\d* [pn]\d+", r"(cancel|read) t\d+",
]))


def check_words(actor, items, line):
    if actor == "advance":
        if len(items) != 1 or len(items[0]) != 1 or not items[0][0].isdigit():
            raise BadScript(f"line {line}: advance needs a number")
        return
    if not re.fullmatch(r"p\d+", actor):
        raise BadScript(f"line {line}: no process '{actor}'")
    for item in items:
        if not _ITEM.fullmatch(" ".join(item)):
            raise BadScript(f"line {line}: not an action: '{' '.join(item)}'")


# --- what the rules leave open ---


def why_open(script):
    """Why the script may have more than one outcome, or None. The runners see to the rest: they skip what is open while it is played."""
    now, dues = 0, set()
    for step in script.steps:
        if step.actor == "advance":
            now += int(step.items[0][0])
            continue
        for item in step.items:
            due = None
            if item[0] in ("after", "timer"):
                due = now + int(item[2])
            elif item[0] == "await" and "for" in item:
                due = now + int(item[4])
            if due in dues:
                return f"two timers are due at once (ORD-5, TIM-5): {step.text()}"
            if due is not None:
                dues.add(due)
        why = why_burst_open(step)
        if why:
            return f"{why}: {step.text()}"
    return None


def why_burst_open(step):
    """A burst goes out in order (ORD-1), but what comes of it elsewhere comes at any time."""
    if len(step.items) == 1:
        return None
    victim = None  # of exit_to; whoever is linked may end too
    brief, monitors, used = set(), set(), set()
    for position, item in enumerate(step.items):
        verb, last = item[0], position + 1 == len(step.items)
        to_self = verb == "exit_to" and item[1] == step.actor
        if verb == "take":
            return "what has arrived in a burst is open (ORD-4)"
        if not last and (verb in ENDS_ITS_PROCESS or verb in ("hibernate", "await") or to_self):
            return "what ends or suspends the process is not last"
        if verb == "trap" and brief:
            return "whether a child's end comes before is open (EXR-9)"
        if brief.intersection(item[1:]):
            return "when a child ends that runs by itself is open"
        if victim is not None:
            if verb in ENDS_ITS_PROCESS or to_self or verb in ("hibernate", "await") or verb not in AFTER_A_PERIL:
                return "who has ended already is open (NAM-4, LNK-5)"
            if verb == "send" and item[1][0] not in "pa":
                return "names and aliases of monitors go when somebody has ended (NAM-4, ALI-2)"
            if verb in ("alive", "monitor") and item[-1] != victim and victim not in item[1:]:
                return "who has ended already is open"
            if verb == "exit_to" and item[1] != victim and item[2] != "normal":
                return "of two ends that meet in a third process the first wins (LIF-4)"
        if verb == "demonitor" and (item[1] in monitors or victim) and tuple(item[2:]) != ("flush",):
            return "whether a DOWN has come already is open (MON-6)"
        if verb in ("send", "unalias") and item[1] in monitors:
            return "whether a DOWN switches the alias off first is open (ORD-4, ALI-2)"
        if verb in ("unalias", "demonitor") and item[1] in used:
            return "whether the message has come already is open (ALI-1)"
        if verb == "exit_to" and not to_self and item[2] != "normal":
            victim = item[1]
        if verb.startswith("spawn") and "then" in item:
            brief.add(item[1])
        if verb == "monitor" or verb.endswith("_monitor"):
            monitors.add(item[1 if verb == "monitor" else 2])
        if verb == "send":
            used.add(item[1])
    return None


# --- renumbering ---


def renumbered(script):
    """The same script with the names that it uses, in the order in which they come."""
    new, counts = {}, {}
    for number in range(1, PROCESSES_AT_START + 1):
        new[f"p{number}"] = f"p{number}"
    counts["p"] = PROCESSES_AT_START

    def rename(word):
        if not re.fullmatch(r"[pmatn]\d+", word):
            return word
        if word not in new:
            counts[word[0]] = counts.get(word[0], 0) + 1
            new[word] = f"{word[0]}{counts[word[0]]}"
        return new[word]

    return script.with_steps(
        Step(rename(step.actor), tuple(tuple(rename(word) for word in item) for item in step.items)) for step in script.steps)
