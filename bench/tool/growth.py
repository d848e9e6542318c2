"""How cost grows: one operation beside 100 to 1,000,000 processes, queued messages, links, names, timers. A table, and a plot of each kind."""

import json
import pathlib
import re
import subprocess

from bench.tool import svg
from bench.tool.catalogue import Group, Row
from bench.tool.contestants import Weft
from bench.tool.errors import Failed, Refused
from bench.tool.figures import figure_of
from bench.tool.machine import one_line, warnings
from bench.tool.results import rounded, write
from bench.tool.table import markdown_table, show, show_spread

ABOUT = ("What one operation costs on one worker, in ns, beside so many others of its kind; ± the largest deviation of a round from the median. "
         "In the plots both axes are logarithmic: what does not grow is level.")
PROGRAM = "bench/growth_bench"
POINT = re.compile(r"growth_(\w+?)_(beside|among)_([a-z]+)_(\d+)/workers:1$")
COLOURS = ("#0b6bcb", "#c25a1a", "#4d7c3a")
STYLE = """text { font: 12px system-ui, sans-serif; fill: #667085; } text.strong { fill: #1c2330; font-weight: 600; }
.grid { stroke: #e3e7ee; } .curve { fill: none; stroke-width: 2; } .ground { fill: #fff; }"""
WIDTH, HEIGHT = 720, 340


def points_of(tree):
    """(curve, axis, size) of each row of the program, on one worker."""
    try:
        listed = subprocess.run([tree / PROGRAM, "--benchmark_list_tests"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Refused(f"{tree / PROGRAM} cannot be run: {error}") from None
    found = []
    for line in listed.split():
        match = POINT.match(line)
        if match:
            what, where, axis, size = match.groups()
            found.append((f"{what.replace('_', ' ')} {where} {axis}", axis, int(size), line.partition("/")[0]))
    return found


def run(tree, folder, rounds, scale, timeout, machine, progress):
    """The exit status. Rounds go from point to point, as in the comparison with peers."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    points = points_of(tree)
    weft, samples, failures = Weft(tree, scale), {}, {}
    interrupted = []
    try:
        for number in range(rounds):
            for index, (curve, _, size, name) in enumerate(points):
                if name in failures:
                    continue
                progress.step(number, rounds, index, len(points), f"{curve}, {size:,}")
                try:
                    row = Row(name, "", "", "ns", "lower", {}, PROGRAM, name, name, once=True)
                    samples.setdefault(name, []).append(weft.measure(Group(name, PROGRAM, (row,)), 1, timeout)[name])
                except Failed as failure:
                    failures[name] = str(failure)
                    samples.pop(name, None)
    except KeyboardInterrupt:
        interrupted.append("Interrupted: this is what was measured until then; ? is a single round.")
        samples = {name: values for name, values in samples.items() if values}
    progress.end()

    curves = {}
    for curve, axis, size, name in points:
        if name in samples:
            curves.setdefault(axis, {}).setdefault(curve, []).append((size, figure_of(samples[name])))
    notes = warnings(machine) + interrupted + [f"no figure for {name}: {why}" for name, why in failures.items()]
    lines = lines_of(curves)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        print("  ".join([line[0].ljust(widths[0]), *(word.rjust(width) for word, width in zip(line[1:], widths[1:]))]))
    for note in notes:
        print(f"note: {note}")
    for axis, of_axis in curves.items():
        write(folder / f"{axis}.svg", plot(axis, of_axis))
    write(folder / "growth.json", text_of(machine, curves))
    pictures = [f"![ns over {axis}]({axis}.svg)" for axis in curves]
    parts = ["# Growth", one_line(machine) + ".", *(f"- {note}" for note in notes), ABOUT, markdown_table(lines[0], lines[1:], lines[0][:1])]
    parts += pictures
    write(folder / "growth.md", "\n\n".join(parts) + "\n")
    return 1 if failures or not curves else 0


def text_of(machine, curves):
    """Of each point: size, median, spread."""
    entries = []
    for axis, of_axis in curves.items():
        for curve, points in of_axis.items():
            kept = [[size, rounded(figure.value), rounded(figure.spread)] for size, figure in points]
            entries.append({"curve": curve, "axis": axis, "unit": "ns", "points": kept})
    rows = ",\n".join("    " + json.dumps(entry) for entry in entries)
    return f'{{\n  "machine": {json.dumps(machine)},\n  "curves": [\n{rows}\n  ]\n}}\n'


def lines_of(curves):
    """The head, then a line for each curve."""
    sizes = sorted({size for of_axis in curves.values() for points in of_axis.values() for size, _ in points})
    lines = [["ns", *(f"{size:,}" for size in sizes)]]
    for of_axis in curves.values():
        for curve, points in of_axis.items():
            found = dict(points)
            lines.append([curve, *(f"{show(found[size].value)} ±{show_spread(found[size])}" if size in found else "failed" for size in sizes)])
    return lines


def plot(axis, curves):
    """Both axes logarithmic: what does not grow is level, what grows in proportion rises by one line with each step to the right."""
    left, right, top, bottom = 56, 210, 14, 40
    sizes = [size for points in curves.values() for size, _ in points]
    values = [max(figure.value, 0.1) for points in curves.values() for _, figure in points]
    across = svg.Scale(min(sizes), max(sizes), left, WIDTH - right, logarithmic=True)
    up = svg.Scale(min(values), max(values), HEIGHT - bottom, top, logarithmic=True)
    pieces = [f"<style>{STYLE}</style>", f'<rect width="{WIDTH}" height="{HEIGHT}" class="ground"/>']
    for tick in across.ticks():
        pieces.append(svg.line(across(tick), top, across(tick), HEIGHT - bottom, "grid"))
        pieces.append(svg.text(across(tick), HEIGHT - bottom + 16, svg.short(tick), "middle"))
    for tick in up.ticks():
        pieces.append(svg.line(left, up(tick), WIDTH - right, up(tick), "grid"))
        pieces.append(svg.text(left - 6, up(tick) + 4, svg.short(tick), "end"))
    pieces.append(svg.text((left + WIDTH - right) / 2, HEIGHT - 6, f"{axis} that are there", "middle"))
    pieces.append(svg.text(8, top + 4, "ns"))
    last = None
    for (curve, points), colour in sorted(zip(curves.items(), COLOURS), key=lambda pair: up(pair[0][1][-1][1].value)):
        drawn = [(across(size), up(max(figure.value, 0.1))) for size, figure in points]
        pieces.append(svg.path(drawn, "curve").replace("/>", f' stroke="{colour}"/>'))
        for (x, y), (size, figure) in zip(drawn, points):
            pieces.append(svg.circle(x, y, 3.5, "", f"{curve} {size:,}: {show(figure.value)} ns").replace(' class=""', f' fill="{colour}"'))
        last = drawn[-1][1] if last is None else max(drawn[-1][1], last + 15)
        pieces.append(svg.text(WIDTH - right + 8, last + 4, curve.rsplit(" ", 2)[0] if len(curves) == 1 else curve, style="strong"))
    drawing = svg.drawing(WIDTH, HEIGHT, pieces, f"ns over {axis}")
    return drawing.replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" ') + "\n"
