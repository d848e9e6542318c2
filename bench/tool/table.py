"""The table: rows, weft, each peer, ratio, budget, verdict."""

import math


def show(value):
    """Three digits."""
    if value is None:
        return "-"
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    value = float(f"{value:.3g}") if abs(value) < 1000 else value
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def show_spread(figure):
    if figure is None:
        return "-"
    return "?" if figure.spread is None else f"{figure.spread * 100:.0f}%"


def lines_of(cells, peers):
    """A list of columns for each line, the head first."""
    lines = [["row", "workers", "unit", "weft", "±", *peers, "ratio", "budget", "verdict"]]
    for cell in cells:
        of_peers = [show(cell.peers[name].value) if cell.peers.get(name) else "failed" if name in cell.peers else "" for name in peers]
        weft = show(cell.figure.value) if cell.figure else "failed"
        ratio = "" if cell.ratio is None else f"{cell.ratio:.2f}x"
        budget = "" if cell.budget is None else show(cell.budget)
        lines.append([cell.row.name, str(cell.workers), cell.row.unit, weft, show_spread(cell.figure), *of_peers, ratio, budget, str(cell.verdict)])
    return lines


LEFT = {"row", "unit", "verdict"}


def text(cells, peers):
    lines = lines_of(cells, peers)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    aligned = [str.ljust if head in LEFT else str.rjust for head in lines[0]]
    return "\n".join("  ".join(align(word, width) for align, word, width in zip(aligned, line, widths)).rstrip() for line in lines)


def markdown_table(head, lines, left):
    rule = ["---" if word in left else "---:" for word in head]
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, rule, *lines])


def markdown(origin, cells, peers, notes):
    """A page: a table for each subject, without the peers that have no row in it."""
    parts = ["# Results", origin + ".", summary(cells).replace("\n", " "), *(f"- {note}" for note in notes)]
    for subject in dict.fromkeys(cell.row.subject for cell in cells):
        of_subject = [cell for cell in cells if cell.row.subject == subject]
        head, *lines = lines_of(of_subject, [name for name in peers if any(name in cell.peers for cell in of_subject)])
        parts += [f"## {subject}", markdown_table(head, lines, LEFT)]
    return "\n\n".join(parts) + "\n"


def summary(cells):
    words = [cell.verdict.word for cell in cells]
    counts = ", ".join(f"{words.count(word)} {word}" for word in ("held", "missed", "behind"))
    return (f"{len(cells)} rows: {counts}.\n"
            "weft: the median of the rounds; ±: the largest deviation from it (? one round: 10 % are assumed). ratio: times better than the best "
            "peer.\n"
            "missed: over the budget. behind: a peer is ahead, and no round of weft was as good as any of that peer.")
