"""The three kinds of plots of the page: bars of a row, what more workers bring, percentiles of latency."""

from bench.tool import svg
from bench.tool.table import show, show_spread

WIDTH = 440
FAR_OFF = 6  # a bar this many times as long as the shortest of weft, its budget and the best peer is cut


def style_of(name):
    """Each contestant has its own colour throughout the page."""
    return f"c-{name}"


def _title_of(name, titles):
    return "weft" if name == "weft" else titles[name]


def _of(cell):
    """(name, figure) of all that have one, weft first."""
    return [("weft", cell.figure)] * (cell.figure is not None) + [(name, figure) for name, figure in cell.peers.items() if figure is not None]


def bars(cells, titles):
    """A row: for each number of workers a bar for each contestant, the range of its rounds, and the budget."""
    left, right, height = 118, 74, 15
    values = [figure.value for cell in cells for _, figure in _of(cell)]
    budgets = [cell.budget for cell in cells if cell.budget is not None]
    if not values:
        return ""
    # One peer that is far off must not press all others to nothing.
    nearest = sorted(values)[: max(2, len(values) // 2)] if cells[0].row.better == "lower" else values
    end = min(max(values + budgets), max(nearest + budgets) * FAR_OFF) or 1
    scale = svg.Scale(0, end, left, WIDTH - right)
    pieces, y = [], 4
    for cell in cells:
        pieces.append(svg.text(0, y + 11, f"{cell.workers} worker{'s' if cell.workers > 1 else ''}", style="strong"))
        pieces.append(svg.text(WIDTH, y + 11, str(cell.verdict), "end", f"v-{cell.verdict.word}"))
        y += 18
        top = y
        for name, figure in _of(cell):
            cut = figure.value > end
            pieces.append(svg.text(left - 6, y + 11, _title_of(name, titles), "end", "strong" if name == "weft" else ""))
            pieces.append(svg.rect(left, y + 1, scale(min(figure.value, end)) - left, height - 3, style_of(name),
                                   f"{_title_of(name, titles)}: {show(figure.value)} {cell.row.unit}, ± {show_spread(figure)}"))
            reach = min(figure.value, end)
            if figure.rounds > 1 and figure.high > figure.low and not cut:
                reach = min(figure.high, end)
                pieces.append(svg.line(scale(figure.low), y + 7, scale(reach), y + 7, "whisker"))
            pieces.append(svg.text(scale(reach) + 6, y + 11, ("» " if cut else "") + show(figure.value),
                                   style="strong" if name == "weft" else ""))
            y += height
        if cell.figure is None:
            pieces.append(svg.text(left, y + 11, "weft failed", style="v-missed"))
            y += height
        if cell.budget is not None:
            pieces.append(svg.line(scale(min(cell.budget, end)), top - 2, scale(min(cell.budget, end)), y + 1, "budget"))
        y += 8
    return svg.drawing(WIDTH, y, pieces, f"{cells[0].row.about}, bars")


def scaling(cells, titles):
    """Throughput over workers, in units of weft's on one worker. None for rows that are no throughput, or have one number of workers only."""
    if len(cells) < 2 or cells[0].figure is None or not cells[0].figure.value:
        return None
    row, base = cells[0].row, cells[0].figure.value
    lines = {}
    for cell in cells:
        for name, figure in _of(cell):
            if figure.value:
                lines.setdefault(name, []).append((cell.workers, base / figure.value if row.better == "lower" else figure.value / base))
    lines = {name: points for name, points in lines.items() if len(points) > 1}
    if "weft" not in lines:
        return None
    left, bottom, height = 34, 26, 170
    right = 16 + max(len(_title_of(name, titles)) for name in lines) * svg.CHARACTER
    across = svg.Scale(1, max(cell.workers for cell in cells), left + 6, WIDTH - right)
    up = svg.Scale(0, max(value for points in lines.values() for _, value in points) * 1.05, height - bottom, 8)
    pieces = []
    for tick in up.ticks():
        pieces.append(svg.line(left, up(tick), WIDTH - right, up(tick), "grid"))
        pieces.append(svg.text(left - 4, up(tick) + 4, svg.short(round(tick, 6)), "end"))
    for workers in sorted({cell.workers for cell in cells}):
        pieces.append(svg.line(across(workers), 8, across(workers), height - bottom, "grid"))
        pieces.append(svg.text(across(workers), height - 8, str(workers), "middle"))
    ends = []
    for name, points in reversed(lines.items()):  # weft is drawn last, on top
        drawn = [(across(workers), up(value)) for workers, value in points]
        pieces.append(svg.path(drawn, f"curve {style_of(name)}"))
        for (x, y), (workers, value) in zip(drawn, points):
            pieces.append(svg.circle(x, y, 3, style_of(name), f"{_title_of(name, titles)}: {value:.2f} on {workers}"))
        ends.append((drawn[-1][1], name))
    last = None
    for y, name in sorted(ends):
        y = y if last is None else max(y, last + 13)  # Labels do not cover each other.
        last = y
        pieces.append(svg.text(WIDTH - right + 8, y + 4, _title_of(name, titles), style="strong" if name == "weft" else ""))
    return svg.drawing(WIDTH, max(height, (last or 0) + 8), pieces, f"{row.about}, throughput over workers")


def percentiles(family, titles):
    """family: percentile -> cell, of one row and one number of workers. From p50 over p99 to the largest, on a logarithmic axis."""
    points = {}
    for percentile, cell in family.items():
        for name, figure in _of(cell):
            if figure.value > 0:
                points.setdefault(name, []).append((percentile, figure.value))
    if not points:
        return None
    left, top, height = 118, 8, 20
    values = [value for found in points.values() for _, value in found]
    across = svg.Scale(min(values), max(values), left + 4, WIDTH - 44, logarithmic=True)
    bottom = top + height * len(points)
    pieces = []
    for tick in across.ticks():
        pieces.append(svg.line(across(tick), top, across(tick), bottom, "grid"))
        pieces.append(svg.text(across(tick), bottom + 14, svg.short(tick), "middle"))
    y = top + height / 2
    for name, found in points.items():
        pieces.append(svg.text(left - 6, y + 4, _title_of(name, titles), "end", "strong" if name == "weft" else ""))
        pieces.append(svg.line(across(found[0][1]), y, across(found[-1][1]), y, f"range {style_of(name)}"))
        for index, (percentile, value) in enumerate(found):
            pieces.append(svg.circle(across(value), y, 5 if index == 0 else 3.5, style_of(name),
                                     f"{_title_of(name, titles)}: {percentile} {show(value)}"))
        pieces.append(svg.text(across(max(value for _, value in found)) + 9, y + 4, show(found[-1][1])))
        y += height
    unit = next(iter(family.values())).row.unit
    pieces.append(svg.text(WIDTH, bottom + 28, f"{unit}: {', '.join(family)}", "end"))
    return svg.drawing(WIDTH, bottom + 34, pieces, "percentiles")
