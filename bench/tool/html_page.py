"""A page that stands alone: what was measured where, plots of each row, scaling, latencies, and the table."""

import html
import re

from bench.tool import machine as machines
from bench.tool import plots, table

COLOURS = {  # on a light ground, on a dark one
    "weft": ("#0b6bcb", "#4da3ff"), "erlang": ("#a2224b", "#e0708f"), "go": ("#00839b", "#4fc3d9"), "tokio": ("#c25a1a", "#f0965c"),
    "tokio_processes": ("#8a6a1f", "#d0ac5c"), "caf": ("#6a4fb0", "#a993e0"), "boost_fiber": ("#4d7c3a", "#8fc07a"),
}
OTHERS = [("#777777", "#aaaaaa"), ("#995577", "#cc88aa"), ("#557799", "#88aacc")]

STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1c2330; --faint: #667085; --line: #e3e7ee; --card: #f8f9fb; --good: #1a7f46;
  --bad: #b3261e; --warn: #9a6400; }
@media (prefers-color-scheme: dark) { :root { --ground: #12161d; --ink: #e6e9ef; --faint: #98a2b3; --line: #2b323d; --card: #1a2029;
  --good: #5fc98b; --bad: #ff8a80; --warn: #e9b44c; } }
body { margin: 0 auto; max-width: 1440px; padding: 24px; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 36px 0 10px; border-bottom: 1px solid var(--line); padding-bottom: 4px; }
h3 { font-size: 14px; margin: 0; }
p, li { max-width: 90ch; }
.faint { color: var(--faint); font-size: 13px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(400px, 100%), 1fr)); gap: 14px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; }
.counts { display: flex; gap: 14px; flex-wrap: wrap; margin: 16px 0; }
.counts div { border: 1px solid var(--line); border-radius: 8px; padding: 8px 18px; background: var(--card); }
.counts b { font-size: 24px; display: block; line-height: 1.2; }
nav a { margin-right: 14px; }
a { color: inherit; }
svg { width: 100%; height: auto; display: block; margin-top: 8px; font: 12px system-ui, sans-serif; }
svg text { fill: var(--faint); }
svg text.strong { fill: var(--ink); font-weight: 600; }
.grid { stroke: var(--line); }
.whisker { stroke: var(--ink); stroke-opacity: .55; stroke-width: 1.5; }
.budget { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 3 3; }
.curve { fill: none !important; stroke-width: 2; }
.range { stroke-width: 3; stroke-opacity: .45; }
.v-held, svg text.v-held { color: var(--good); fill: var(--good); }
.v-missed, svg text.v-missed { color: var(--bad); fill: var(--bad); }
.v-behind, svg text.v-behind { color: var(--warn); fill: var(--warn); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
td, th { padding: 3px 10px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
.words { text-align: left; }
tbody tr:hover { background: var(--card); }
thead th { position: sticky; top: 0; background: var(--ground); }
.swatch { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin: 0 5px 0 14px; vertical-align: -1px; }
"""


def page(machine, cells, titles, notes):
    subjects = {}
    for cell in cells:
        subjects.setdefault(cell.row.subject, {}).setdefault(cell.row.name, []).append(cell)
    sections = [_section(subject, _bar_cards(rows, titles)) for subject, rows in subjects.items()]
    rows = {name: found for subject in subjects.values() for name, found in subject.items()}
    sections.append(_section("More workers", _scaling_cards(rows, titles),
                             "Throughput on more workers, in units of weft's on one: higher is faster, steeper scales better."))
    sections.append(_section("Latency", _latency_cards(rows, titles), "From the median over the 99th percentile to the largest, where it was taken; "
                             "on a logarithmic axis, in the row's unit."))
    sections.append(_section("All figures", [], inside=_table(cells, list(titles))))
    shown = [(title, section) for title, section in zip([*subjects, "More workers", "Latency", "All figures"], sections) if section]
    links = "".join(f'<a href="#{_id(title)}">{html.escape(title)}</a>' for title, _ in shown)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>weft: benchmarks</title>
<style>{STYLE}{_colours(titles)}</style></head><body>
<h1>weft beside its peers</h1>
<p class="faint">{html.escape(machines.one_line(machine))}</p>
{_counts(cells)}
<p>Each figure is the median of the rounds; the thin line in a bar is the range of the rounds, the dashed line the budget, » a bar that is cut.
A row is <span class="v-missed">missed</span> over its budget, <span class="v-behind">behind</span> where a peer is ahead by more than the noise, else
<span class="v-held">held</span>.</p>
{_notes(notes)}
<p class="faint">{_legend(titles)}</p>
<nav>{links}</nav>
{"".join(section for _, section in shown)}
</body></html>
"""


def _id(title):
    return re.sub(r"\W+", "-", title.lower()).strip("-")


def _colours(titles):
    names = ["weft", *titles]
    unknown = [name for name in names if name not in COLOURS]
    pairs = {name: COLOURS.get(name) or OTHERS[unknown.index(name) % len(OTHERS)] for name in names}

    def rules_on(ground):
        return "".join(f".c-{name} {{ fill: {pair[ground]}; stroke: {pair[ground]}; background: {pair[ground]}; }} " for name, pair in pairs.items())

    return f"{rules_on(0)}\n@media (prefers-color-scheme: dark) {{ {rules_on(1)} }}\nrect[class^=c-] {{ stroke: none; }}"


def _legend(titles):
    return "".join(f'<span class="swatch c-{name}"></span>{html.escape(title)}' for name, title in {"weft": "weft", **titles}.items())


def _counts(cells):
    words = [cell.verdict.word for cell in cells]
    ahead = sum(1 for cell in cells if cell.ratio is not None and cell.ratio >= 1)
    beside = sum(1 for cell in cells if cell.ratio is not None)
    tiles = [f'<div><b class="v-{word}">{words.count(word)}</b>{word}</div>' for word in ("held", "missed", "behind")]
    if beside:
        tiles.append(f"<div><b>{ahead} of {beside}</b>ahead of every peer</div>")
    return f'<div class="counts">{"".join(tiles)}</div>'


def _notes(notes):
    return f'<ul class="faint">{"".join(f"<li>{html.escape(note)}</li>" for note in notes)}</ul>' if notes else ""


def _section(title, cards, about="", inside=""):
    if not cards and not inside:
        return ""
    told = f'<p class="faint">{html.escape(about)}</p>' if about else ""
    return f'<h2 id="{_id(title)}">{html.escape(title)}</h2>{told}{inside}<div class="cards">{"".join(cards)}</div>'


def _card(head, about, plot):
    return f'<div class="card"><h3>{html.escape(head)}</h3><div class="faint">{html.escape(about)}</div>{plot}</div>'


def _bar_cards(rows, titles):
    return [_card(name, f"{found[0].row.about}; {found[0].row.unit}, {found[0].row.better} is better", plots.bars(found, titles))
            for name, found in rows.items()]


PERCENTILE = re.compile(r"_(p50|p99|max)$")


def _scaling_cards(rows, titles):
    """Of rows that are throughputs or costs of an operation."""
    cards = []
    for name, found in rows.items():
        if PERCENTILE.search(name) or found[0].row.subject == "Memory and idleness" or found[0].row.unit == "x":
            continue
        plot = plots.scaling(found, titles)
        if plot:
            cards.append(_card(name, found[0].row.about, plot))
    return cards


def _latency_cards(rows, titles):
    families = {}
    for name, found in rows.items():
        match = PERCENTILE.search(name)
        for cell in found if match else []:
            if cell.figure is not None:
                families.setdefault((name[: match.start()], cell.workers), {})[match.group(1)] = cell
    cards = []
    for (name, workers), family in families.items():
        plot = plots.percentiles(family, titles)
        if plot:
            about = re.sub(r", (median|99th percentile)$|, the latest$", "", next(iter(family.values())).row.about)
            cards.append(_card(f"{name}, {workers} worker{'s' if workers > 1 else ''}", about, plot))
    return cards


def _table(cells, peers):
    head, *lines = table.lines_of(cells, peers)
    styles = ["words" if word in table.LEFT else "" for word in head]
    top = "".join(f'<th class="{style}">{html.escape(word)}</th>' for style, word in zip(styles, head))
    body = ""
    for cell, line in zip(cells, lines):
        columns = [f'<td class="{style}{f" v-{cell.verdict.word}" if index == len(line) - 1 else ""}">{html.escape(word)}</td>'
                   for index, (style, word) in enumerate(zip(styles, line))]
        body += f"<tr>{''.join(columns)}</tr>"
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
