"""What is measured: the rows of bench/rows.json, and which of them a command asks for."""

import dataclasses
import json
import pathlib
import re

from bench.tool.errors import Refused

MODES = ("quick", "usual", "full")


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure, and what it is held against."""

    name: str
    about: str
    subject: str
    unit: str
    better: str
    budget: dict  # workers -> value
    program: str = ""
    benchmark: str = ""
    group: str = ""
    least_workers: int = 1
    peers: dict = dataclasses.field(default_factory=dict)  # peer -> its row
    once: bool = False
    slow: bool = False
    full: bool = False

    def wanted_in(self, mode):
        if mode == "full":
            return True
        return not self.full and (mode == "usual" or not self.slow)


@dataclasses.dataclass(frozen=True)
class Side:
    """One half of a ratio: a row, on so many workers or on those of the ratio."""

    row: str
    workers: int | None


@dataclasses.dataclass(frozen=True)
class Ratio:
    """A row made of two others: `over` divided by `under`."""

    row: Row
    workers: tuple
    over: Side
    under: Side


@dataclasses.dataclass(frozen=True)
class Group:
    """Rows that one piece of work yields."""

    name: str
    program: str
    rows: tuple

    @property
    def once(self):
        return all(row.once for row in self.rows)

    def on(self, workers):
        """Without the rows that need more workers; None if none is left."""
        rows = tuple(row for row in self.rows if row.least_workers <= workers)
        return Group(self.name, self.program, rows) if rows else None


class Catalogue:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        try:
            text = json.loads(self.path.read_text())
        except (OSError, ValueError) as error:
            raise Refused(f"--rows {path}: {error}") from None
        self.driver = self.path.parent / text["driver"]
        self.peers = text["peers"]  # name -> title
        self.driver_groups = {row: group for group, rows in text["driver_groups"].items() for row in rows}
        self.rows = [_row(entry) for entry in text["rows"]]
        self.ratios = [_ratio(entry) for entry in text["ratios"]]

    def select(self, mode, pattern):
        """(groups, ratios) of a mode whose names match. A ratio needs both its rows, so they are measured with it."""
        chosen = {row.name for row in self.rows if row.wanted_in(mode) and pattern.search(row.name)}
        ratios = [ratio for ratio in self.ratios if pattern.search(ratio.row.name)]
        needed = {side.row for ratio in ratios for side in (ratio.over, ratio.under)}
        if not chosen and not ratios:
            raise Refused(f"--filter: no row of this mode matches {pattern.pattern!r}; --list shows all rows")
        return _groups([row for row in self.rows if row.name in chosen | needed]), ratios

    def driver_group(self, peer_row):
        return self.driver_groups.get(peer_row, peer_row)

    def pick_peers(self, text):
        """The peers of --peers, in their own order."""
        if text in ("all", "none"):
            return list(self.peers) if text == "all" else []
        names = [name for name in re.split(r"[,\s]+", text) if name]
        for name in names:
            if name not in self.peers:
                raise Refused(f"--peers: no peer {name!r}; there are: {', '.join(self.peers)}, or all, or none")
        if not names:
            raise Refused(f"--peers: no peer is named; there are: {', '.join(self.peers)}, or all, or none")
        return [name for name in self.peers if name in names]


def _budget(entry):
    return {int(workers): value for workers, value in entry.get("budget", {}).items()}


def _row(entry):
    least = 2 if entry["workers"] == "2 and all" else 1
    return Row(entry["row"], entry["about"], entry["subject"], entry["unit"], entry["better"], _budget(entry), entry["program"], entry["benchmark"],
               entry["group"], least, entry["peers"], entry.get("once", False), entry.get("slow", False), entry.get("full", False))


def _ratio(entry):
    row = Row(entry["row"], entry["about"], entry["subject"], entry["unit"], entry["better"], _budget(entry))
    over, under = (Side(entry[side]["row"], entry[side].get("workers")) for side in ("over", "under"))
    return Ratio(row, tuple(entry["workers"]), over, under)


def _groups(rows):
    found = {}
    for row in rows:
        found.setdefault((row.program, row.group), []).append(row)
    return [Group(group, program, tuple(members)) for (program, group), members in found.items()]
