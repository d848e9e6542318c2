#!/usr/bin/env python3
"""Counts weft's instructions per operation, and holds them.

  bench/instructions/count.py [--program FILE] [--rows PATTERN] [--update] [--json FILE]

Each row of weft_operations is run under callgrind on one worker with two sizes; the difference of the two counts, divided by the
difference of the sizes, is the figure. It does not depend on who else uses the machine, so a small limit can be held: 3 % above the figure
that is kept in bench/baselines/instructions.json. The exit code is 1 when a row is over its limit.

--update   keep the figures just counted. Figures are kept for each compiler version; those of another one are not compared.
--rows     only the rows whose name matches the regular expression.
--program  weft_operations; by default that of the release preset, which must be built: a build with other flags has other figures.
--json     write the table to FILE as well.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASELINE = ROOT / "bench/baselines/instructions.json"
PROGRAM = ROOT / "build/release/bench/instructions/weft_operations"
LARGER = 3  # the second size in units of the first
TOLERANCE = 1.03


def fail(text):
    sys.exit(f"count.py: {text}")


def ask(program, question):
    return subprocess.run([program, question], check=True, capture_output=True, text=True).stdout.strip()


def totals(folder):
    """The counts of the dumps in the order in which they were made."""
    counts = []
    for number in range(1, 100):
        dump = folder / f"dump.{number}"
        if not dump.exists():
            return counts
        counts.append(int(re.search(r"^totals: (\d+)", dump.read_text(), re.MULTILINE).group(1)))


def count(program, row, size):
    """Instructions per operation. The first run, uncounted, grows whatever is kept for reuse."""
    sizes = [LARGER * size, size, LARGER * size]
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "-q", "--tool=callgrind", "--collect-atstart=no", f"--callgrind-out-file={folder}/dump", str(program), row]
        done = subprocess.run(command + [str(s) for s in sizes], capture_output=True, text=True)
        counts = totals(pathlib.Path(folder))
        if done.returncode != 0 or len(counts) != len(sizes):
            fail(f"{row} failed (exit code {done.returncode}, {len(counts)} dumps)\n{done.stdout}{done.stderr}")
    return (counts[2] - counts[1]) / (sizes[2] - sizes[1])


def judge(figure, kept, budget):
    """(limit, verdict)"""
    if kept is None:
        return None, "not kept"
    limit = kept * TOLERANCE
    if figure > limit:
        return limit, "OVER"
    return limit, "over budget" if budget and figure > budget else "held"


def show(value):
    return "-" if value is None else f"{value:,.1f}"


def table(rows):
    print(f"{'row':<26}{'instructions/op':>16}{'kept':>10}{'limit':>10}{'budget':>9}  verdict")
    for row in rows:
        print(f"{row['row']:<26}{show(row['instructions']):>16}{show(row['kept']):>10}{show(row['limit']):>10}{show(row['budget']):>9}  {row['verdict']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM)
    parser.add_argument("--rows", type=re.compile, default=re.compile(""))
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    if not arguments.program.exists():
        fail(f"{arguments.program} is not built: cmake --build build/release --target weft_operations")
    if shutil.which("valgrind") is None:
        fail("valgrind is not installed: tools/install_dependencies bench")

    baseline = json.loads(BASELINE.read_text())
    compiler = ask(arguments.program, "--compiler")
    kept = baseline["compilers"].get(compiler, {})
    rows = []
    for line in ask(arguments.program, "--list").splitlines():
        row, size = line.split()
        if not arguments.rows.search(row):
            continue
        figure = round(count(arguments.program, row, int(size)), 1)
        if arguments.update:
            kept[row] = figure
        limit, verdict = judge(figure, kept.get(row), baseline["budgets"].get(row))
        rows.append({"row": row, "instructions": figure, "kept": kept.get(row), "limit": limit and round(limit, 1),
                     "budget": baseline["budgets"].get(row), "verdict": verdict})
    if not rows:
        fail(f"no row matches {arguments.rows.pattern!r}")
    if arguments.update:
        baseline["compilers"][compiler] = kept
        BASELINE.write_text(json.dumps(baseline, indent=2) + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps({"compiler": compiler, "rows": rows}, indent=2) + "\n")

    table(rows)
    if not kept:
        print(f"no figures are kept for {compiler}, only for {', '.join(baseline['compilers']) or 'no compiler'}: nothing was compared")
    over = [row["row"] for row in rows if row["verdict"] == "OVER"]
    if over:
        print(f"over the limit of 3 % above the kept figure: {', '.join(over)}. If that is meant: --update")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
