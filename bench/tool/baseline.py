"""This run beside a kept one of the same machine."""

import dataclasses

from bench.tool import machine as machines
from bench.tool.errors import Refused
from bench.tool.figures import advantage, kept_figure
from bench.tool.table import show


@dataclasses.dataclass(frozen=True)
class Change:
    row: str
    workers: int
    before: object
    now: object
    factor: float  # how many times better; below 1 it is slower
    word: str  # faster, slower, same


def refuse_others(path, kept, here):
    """Figures of another machine, or of work of another size, say nothing about this code."""
    for field in machines.IDENTITY:
        if kept.get(field) != here[field]:
            raise Refused(f"--baseline {path} is of another machine: its {field} is {kept.get(field)!r}, here it is {here[field]!r}; "
                          "keep one of this machine by --json")
    if kept.get("scale") != here["scale"]:
        raise Refused(f"--baseline {path} is of work of another size: {kept.get('scale')} times the published one, here {here['scale']:g} times; "
                      "--scale sets it, --quick makes it small")


def compare(cells, kept_rows):
    """The rows that both have. What may be noise is called the same."""
    kept = {(row["row"], row["workers"]): row for row in kept_rows}
    changes = []
    for cell in cells:
        row = kept.get((cell.row.name, cell.workers))
        if row is None or row["value"] is None or cell.figure is None:
            continue
        before = kept_figure(row["value"], row["spread"])
        factor = advantage(cell.figure.value, before.value, cell.row.better)
        word = "same" if cell.figure.overlaps(before) else "faster" if factor > 1 else "slower"
        changes.append(Change(cell.row.name, cell.workers, before, cell.figure, factor, word))
    return changes


def report(changes, kept_machine, here):
    width = max([len(change.row) for change in changes], default=3)
    lines = [f"{'row':<{width}}  workers      before      ±         now      ±   times better"]
    for change in changes:
        spreads = ["?" if figure.spread is None else f"{figure.spread * 100:.0f}%" for figure in (change.before, change.now)]
        lines.append(f"{change.row:<{width}}  {change.workers:>7}  {show(change.before.value):>10}  {spreads[0]:>5}  {show(change.now.value):>10}  "
                     f"{spreads[1]:>5}   {change.factor:>8.2f}x  {change.word}")
    words = [change.word for change in changes]
    lines.append(f"{words.count('faster')} faster, {words.count('slower')} slower, {words.count('same')} the same within the noise; "
                 f"before: commit {kept_machine.get('commit')}, {kept_machine.get('measured')}, {kept_machine.get('compiler')}.")
    lines.append("The noise is that between the rounds of each run. A machine that became slower between the two runs is not in it: "
                 "when in doubt, measure the older commit again.")
    for field in ("kernel", "compiler"):
        if kept_machine.get(field) != here[field]:
            lines.append(f"Not the same {field}: before {kept_machine.get(field)}, now {here[field]}. The difference is in the figures.")
    return "\n".join(lines)
