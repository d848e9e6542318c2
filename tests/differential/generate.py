"""Random scripts. Same seed and number, same script."""
import copy
import random

import script as scripts

REASONS = ["normal", "shutdown", "kill", "killed", "noproc", "boom", "bang", "shutdown:1", "custom:7"]
SIGNAL_REASONS = REASONS + ["boom", "kill", "normal"]

# How often each action is chosen. A script takes one of the profiles, so that some have many of a kind.
COMMON = {"send": 8, "take": 6, "trap": 5, "spawn": 5, "exit_to": 5, "end": 2, "alive": 2, "catch_exit": 1, "hibernate": 1, "await": 2}
PROFILES = [
    {"link": 12, "unlink": 7},
    {"monitor": 12, "demonitor": 8},
    {"monitor": 8, "demonitor": 6, "alias": 6, "unalias": 5, "send": 10},
    {"register": 10, "unregister": 5, "whereis": 5, "monitor": 5, "send": 10, "timer": 3, "advance": 3},
    {"timer": 10, "cancel": 5, "read": 4, "advance": 10, "await": 6},
    {"link": 6, "unlink": 3, "monitor": 6, "demonitor": 4, "alias": 3, "unalias": 2, "register": 4, "unregister": 2, "whereis": 2, "timer": 4,
     "cancel": 2, "read": 1, "advance": 4},
]


class Generator:
    """Keeps a rough idea of who lives, so that most steps do something. It may be wrong: then a step is skipped."""

    def __init__(self, seed, number):
        self.random = random.Random(f"{seed}/{number}")
        self.alive = [f"p{i + 1}" for i in range(scripts.PROCESSES_AT_START)]
        self.dead = []
        self.trapping, self.waiting, self.links = set(), set(), set()
        self.made = {"m": [], "a": [], "t": []}
        self.now = 0
        self.dues = set()
        self.weights = dict(COMMON)
        for action, weight in self.random.choice(PROFILES).items():
            self.weights[action] = self.weights.get(action, 0) + weight

    def script(self, name):
        mode = self.random.choice(["watched", "watched", "watched", "blind"])
        steps = []
        for actor in list(self.alive):
            if self.random.random() < 0.4:
                steps.append(scripts.Step(actor, (("trap", "on"),)))
                self.note(steps[-1])
        length = self.random.choice([6, 10, 16, 24, 36])
        while len(steps) < length and self.alive:
            before = copy.deepcopy((self.alive, self.dead, self.made, self.dues))
            step = self.step()
            # What is left open is not played: another step in its place. (Dues are kept apart by due().)
            if step is not None and scripts.why_burst_open(step) is None:
                steps.append(step)
                self.note(step)
            else:
                self.alive, self.dead, self.made, self.dues = before
        return scripts.Script(name, mode, tuple(steps))

    def step(self):
        free = [process for process in self.alive if process not in self.waiting]
        actor = self.random.choice(free if free and self.random.random() < 0.95 else self.alive)
        count = self.random.choice([2, 2, 3, 4, 6]) if self.random.random() < 0.2 else 1
        items = []
        while len(items) < count:
            action = self.random.choices(list(self.weights), list(self.weights.values()))[0]
            item = getattr(self, "do_" + action)(actor)
            if action == "advance":
                return scripts.Step("advance", (item,)) if not items else None
            if not item:
                return None
            items.append(tuple(str(word) for word in item))
        return scripts.Step(actor, tuple(items))

    def note(self, step):
        if step.actor == "advance":
            self.now += int(step.items[0][0])
            self.waiting.clear()
            return
        actor = step.actor
        for item in step.items:
            verb, target = item[0], item[1] if len(item) > 1 else None
            if verb == "trap":
                (self.trapping.add if target == "on" else self.trapping.discard)(actor)
            elif verb == "await":
                self.waiting.add(actor)
            elif verb == "send":
                self.waiting.discard(target)
            elif verb in ("link", "spawn_link", "spawn_link_monitor") and "then" not in item and target in self.alive:
                self.links.add(frozenset((actor, target)))
            elif verb == "unlink":
                self.links.discard(frozenset((actor, target)))
            elif verb.startswith("spawn_link") and "then" in item and actor not in self.trapping and item[-1] not in ("return", "normal"):
                self.ends(actor, "normal" if item[-1] == "normal" else "boom")
            elif verb == "exit_to" and (item[2] == "kill" or (target not in self.trapping and (item[2] != "normal" or target == actor))):
                self.ends(target, item[2])
            elif verb in scripts.ENDS_ITS_PROCESS:
                self.ends(actor, "normal" if verb == "return" else item[-1])

    def ends(self, process, reason):
        if process not in self.alive:
            return
        self.alive.remove(process)
        self.dead.append(process)
        for other in [name for pair in self.links if process in pair for name in pair - {process}]:
            if reason != "normal" and other not in self.trapping:
                self.ends(other, reason)

    # --- operands ---

    def process(self, dead=0.12):
        if self.dead and self.random.random() < dead:
            return self.random.choice(self.dead)
        return self.random.choice(self.alive)

    def name(self):
        return self.random.choice(["n1", "n1", "n2"])

    def old(self, kind):
        """A reference made before; rather a late one."""
        made = self.made[kind]
        return self.random.choice(made[-4:]) if made else None

    def new(self, kind):
        self.made[kind].append(f"{kind}{len(self.made[kind]) + 1}")
        return self.made[kind][-1]

    def due(self):
        free = [units for units in range(1, 12) if self.now + units not in self.dues]
        if not free:
            return None
        units = self.random.choice(free[:6])
        self.dues.add(self.now + units)
        return units

    def selector(self):
        kinds = [("message", self.process()), ("exit", self.process(0.5))]
        kinds += [(word, self.old(kind)) for word, kind in (("down", "m"), ("timer", "t")) if self.made[kind]]
        return self.random.choice(kinds)

    # --- actions: the words of an item, or None where it makes no sense now ---

    def do_send(self, _):
        kind = self.random.choice(["p", "p", "n", "a", "m"])
        if kind == "p":
            return "send", self.process()
        return ("send", self.name()) if kind == "n" and "register" in self.weights else self.made.get(kind) and ("send", self.old(kind))

    def do_take(self, _):
        return self.random.choice([("take", "oldest"), ("take", "oldest"), ("take", "all"), ("take", *self.selector())])

    def do_await(self, _):
        if self.random.random() < 0.5:
            units = self.due()
            return units and ("await", *self.selector(), "for", units)
        return ("await", *self.selector())

    def do_trap(self, _):
        return "trap", self.random.choice(["on", "on", "off"])

    def do_spawn(self, _):
        verb = self.random.choice(["spawn", "spawn_link", "spawn_link", "spawn_monitor", "spawn_link_monitor"])
        child = f"p{len(self.alive) + len(self.dead) + 1}"
        words = [verb, child] + ([self.new("m")] if verb.endswith("_monitor") else [])
        if len(self.alive) > 7 or self.random.random() < 0.3:
            self.dead.append(child)
            return words + ["then"] + self.random.choice([["return"], ["crash"], ["throw"], ["exit", self.random.choice(REASONS)]])
        self.alive.append(child)
        return words

    def do_exit_to(self, actor):
        target = actor if self.random.random() < 0.1 else self.process()
        return "exit_to", target, self.random.choice(SIGNAL_REASONS)

    def do_end(self, _):
        return self.random.choice([("exit", self.random.choice(REASONS)), ("exit", "boom"), ("crash",), ("throw",), ("return",)])

    def do_alive(self, _):
        return "alive", self.process(0.3)

    def do_catch_exit(self, _):
        return "catch_exit", self.random.choice(REASONS)

    def do_hibernate(self, _):
        return ("hibernate",)

    def do_link(self, _):
        return "link", self.process()

    def do_unlink(self, _):
        return "unlink", self.process()

    def do_monitor(self, _):
        target = self.name() if "register" in self.weights and self.random.random() < 0.4 else self.process(0.2)
        alias = self.random.choice([[], ["alias", self.random.choice(["explicit_unalias", "demonitor", "reply_demonitor"])]])
        return ["monitor", self.new("m"), target] + alias

    def do_demonitor(self, _):
        monitor = self.old("m")
        return monitor and ["demonitor", monitor] + self.random.choice([[], ["flush"], ["info"], ["flush", "info"]])

    def do_alias(self, _):
        return "alias", self.new("a"), self.random.choice(["explicit_unalias", "reply"])

    def do_unalias(self, _):
        alias = self.old(self.random.choice("am"))
        return alias and ("unalias", alias)

    def do_register(self, _):
        return "register", self.name(), self.process()

    def do_unregister(self, _):
        return "unregister", self.name()

    def do_whereis(self, _):
        return "whereis", self.name()

    def do_timer(self, _):
        units = self.due()
        target = self.name() if "register" in self.weights and self.random.random() < 0.4 else self.process()
        return units and (self.random.choice(["after", "timer"]), self.new("t"), units, target)

    def do_cancel(self, _):
        return self.old("t") and ("cancel", self.old("t"))

    def do_read(self, _):
        return self.old("t") and ("read", self.old("t"))

    def do_advance(self, _):
        return (str(self.random.choice([1, 1, 2, 3, 5])),)


def generate(seed, number):
    return Generator(seed, number).script(str(number))
