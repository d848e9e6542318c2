"""Measuring, interleaved: in each round each group of rows is measured for weft and then for each peer in turn.

Whatever changes on the machine while it is being measured so falls on all alike, and shows in the spread instead of in one row.
"""

import dataclasses
import time

from bench.tool import machine
from bench.tool.errors import Failed
from bench.tool.figures import figure_of
from bench.tool.verdict import Cell


@dataclasses.dataclass
class Plan:
    groups: list
    ratios: list
    contestants: list  # weft first
    rounds: int
    timeout: float  # seconds for one contestant and one group
    limit: float | None = None  # seconds for all of it


@dataclasses.dataclass
class Outcome:
    cells: list
    notes: list  # what has no figure and why, one line each
    rounds: int  # those that were completed


def worker_counts():
    every = len(machine.cores())
    return sorted({1, min(2, every), every})


def _count(workers):
    return "1 worker" if workers == 1 else f"{workers} workers"


class Rounds:
    def __init__(self, plan, progress):
        self.plan = plan
        self.progress = progress
        self.samples = {}  # (contestant, row, workers) -> one value for each round
        self.failures = {}  # (contestant, group, workers) -> why
        self.completed = 0
        self.started = time.monotonic()

    def run(self):
        stopped = ""
        try:
            for number in range(self.plan.rounds):
                if not self._round(number):
                    if number == 0:
                        stopped = f"the {self.plan.limit:.0f} s were over before the first round was: what was not reached is left out"
                    break
                self.completed += 1
        except KeyboardInterrupt:
            stopped = "interrupted: this is what was measured until then"
        self.progress.end()
        return Outcome(self._cells(), ([stopped] if stopped else []) + self._notes(), max(self.completed, 1))

    def _steps(self):
        for group in self.plan.groups:
            for workers in worker_counts():
                part = group.on(workers)
                if part is None:
                    continue
                for contestant in self.plan.contestants:
                    if contestant.has(part, workers) and (contestant.name, group.name, workers) not in self.failures:
                        yield part, workers, contestant

    def _round(self, number):
        """False if the time was over before its end."""
        for contestant in self.plan.contestants:
            contestant.new_round()
        steps = list(self._steps())
        for index, (group, workers, contestant) in enumerate(steps):
            if self._is_over(number, index):
                return False
            self.progress.step(number, self.plan.rounds, index, len(steps), f"{group.name}, {_count(workers)}: {contestant.name}")
            self._measure(group, workers, contestant)
        return True

    def _is_over(self, number, index):
        """A round is not begun if it would not end in time, going by those before; the first one is cut."""
        if self.plan.limit is None:
            return False
        gone = time.monotonic() - self.started
        if number > 0 and index == 0 and gone * (number + 1) / number > self.plan.limit:
            return True
        return gone > self.plan.limit

    def _measure(self, group, workers, contestant):
        try:
            timeout = self.plan.timeout
            if self.plan.limit is not None:
                timeout = max(5, min(timeout, self.plan.limit - (time.monotonic() - self.started)))
            for row, value in contestant.measure(group, workers, timeout).items():
                self.samples.setdefault((contestant.name, row, workers), []).append(value)
        except Failed as failure:
            # What fails once is not tried again, and its other rounds do not count: they may be wrong too.
            self.failures[contestant.name, group.name, workers] = str(failure)
            for row in group.rows:
                self.samples.pop((contestant.name, row.name, workers), None)

    def _notes(self):
        return [f"{contestant}: no figure for {group} on {_count(workers)}: {why}" for (contestant, group, workers), why in self.failures.items()]

    def _cells(self):
        cells = []
        ratios = list(self.plan.ratios)
        for group in self.plan.groups:
            for row in group.rows:
                for workers in worker_counts():
                    part = group.on(workers)
                    if part is None or row not in part.rows:
                        continue
                    cells.append(self._cell(row, group, workers))
                for ratio in [r for r in ratios if r.under.row == row.name]:
                    cells += [self._ratio(ratio, workers) for workers in ratio.workers if workers in worker_counts()]
        # A row that the time did not reach is left out; one that failed is shown without a figure.
        return [cell for cell in cells if cell is not None]

    def _figure(self, contestant, row, workers):
        return figure_of(self.samples.get((contestant, row, workers), []))

    def _cell(self, row, group, workers):
        figure = self._figure("weft", row.name, workers)
        if figure is None and ("weft", group.name, workers) not in self.failures:
            return None
        peers = {c.name: self._figure(c.name, row.name, workers) for c in self.plan.contestants[1:] if c.name in row.peers}
        return Cell(row, workers, figure, peers)

    def _ratio(self, ratio, workers):
        """Divided round by round, so that what changed between rounds does not count."""
        def of(contestant):
            over, under = (self.samples.get((contestant, side.row, side.workers or workers), []) for side in (ratio.over, ratio.under))
            return figure_of([a / b for a, b in zip(over, under) if b])

        figure = of("weft")
        if figure is None:
            return None
        peers = {c.name: of(c.name) for c in self.plan.contestants[1:]}
        return Cell(ratio.row, workers, figure, {name: found for name, found in peers.items() if found is not None})
