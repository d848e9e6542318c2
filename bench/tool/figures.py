"""A figure and its noise: what several rounds of the same measurement say together."""

import dataclasses
import statistics

# One round shows nothing of its noise. Until a second one is there, this much is assumed.
ASSUMED_NOISE = 0.10


@dataclasses.dataclass(frozen=True)
class Figure:
    value: float  # the median
    low: float
    high: float
    rounds: int
    estimated: bool = False  # low and high: only the spread was kept

    @property
    def spread(self):
        """The largest deviation from the median, as a part of it. None where nothing is known of it."""
        if self.rounds == 1:
            return None
        deviation = max(self.high - self.value, self.value - self.low)
        if deviation == 0:
            return 0.0
        return deviation / self.value if self.value else 1.0

    def overlaps(self, other):
        """Whether the difference of the two may be noise: some round of one was as good as some round of the other."""
        mine, theirs = _range(self), _range(other)
        return mine[0] <= theirs[1] and theirs[0] <= mine[1]


def figure_of(samples):
    return Figure(statistics.median(samples), min(samples), max(samples), len(samples)) if samples else None


def kept_figure(value, spread):
    """A figure of which only median and spread were kept."""
    if spread is None:
        return Figure(value, value, value, 1)
    return Figure(value, value * (1 - spread), value * (1 + spread), 2, True)


def _range(figure):
    if figure.rounds > 1:
        return figure.low, figure.high
    return figure.value * (1 - ASSUMED_NOISE), figure.value * (1 + ASSUMED_NOISE)


def advantage(mine, other, better):
    """How many times better `mine` is than `other`; below 1 it is worse. Infinite against a cost of nothing."""
    best, worst = (other, mine) if better == "lower" else (mine, other)
    if best == worst:
        return 1.0
    return best / worst if worst else float("inf")
