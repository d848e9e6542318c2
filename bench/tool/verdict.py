"""Held, missed or behind: what a figure is worth beside its budget and its peers."""

import dataclasses

from bench.tool.figures import advantage


@dataclasses.dataclass(frozen=True)
class Verdict:
    word: str  # held, missed, behind
    note: str = ""

    def __str__(self):
        return f"{self.word} ({self.note})" if self.note else self.word


@dataclasses.dataclass
class Cell:
    """A row on so many workers: what was measured, of weft and of its peers."""

    row: object
    workers: int
    figure: object  # None: weft has none
    peers: dict  # name -> figure, None where the peer failed
    kept_word: str = ""  # the verdict of when it was measured, which knew the noise of the peers

    @property
    def budget(self):
        return self.row.budget.get(self.workers)

    @property
    def best_peer(self):
        """(name, figure) of the best, or None."""
        known = [(name, figure) for name, figure in self.peers.items() if figure is not None]
        if not known:
            return None
        pick = min if self.row.better == "lower" else max
        return pick(known, key=lambda pair: pair[1].value)

    @property
    def ratio(self):
        """How many times better weft is than its best peer."""
        best = self.best_peer
        return advantage(self.figure.value, best[1].value, self.row.better) if best and self.figure else None

    @property
    def verdict(self):
        judged = judge(self.figure, self.row.better, self.budget, self.best_peer)
        if self.kept_word in ("", judged.word):
            return judged
        return Verdict(self.kept_word, self.best_peer[0] if self.kept_word == "behind" and self.best_peer else "")


def judge(figure, better, budget, best_peer):
    """Missed: over the budget. Behind: a peer is ahead by more than the noise. A budget is a line, so noise does not excuse a miss; it is said."""
    if figure is None:
        return Verdict("missed", "no figure")
    worse = (lambda a, b: a > b) if better == "lower" else (lambda a, b: a < b)
    ahead = best_peer is not None and worse(figure.value, best_peer[1].value)
    noise = ahead and figure.overlaps(best_peer[1])
    if budget is not None and worse(figure.value, budget):
        reached = not worse(figure.low if better == "lower" else figure.high, budget)
        notes = ["some round held it"] if figure.rounds > 1 and reached and not figure.estimated else []
        return Verdict("missed", ", ".join(notes + ([f"{best_peer[0]} ahead"] if ahead and not noise else [])))
    if ahead and noise:
        return Verdict("held", f"{best_peer[0]} ahead within the noise")
    return Verdict("behind", best_peer[0]) if ahead else Verdict("held")
