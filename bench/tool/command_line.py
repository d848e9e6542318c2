"""tools/bench: the flags, and what happens in which order."""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys

from bench.tool import baseline, growth, html_page, machine, results, table
from bench.tool.catalogue import Catalogue
from bench.tool.contestants import Peer, Weft
from bench.tool.errors import Failed, Refused
from bench.tool.progress import Progress
from bench.tool.rounds import Plan, Rounds

ROOT = pathlib.Path(__file__).resolve().parents[2]

HELP = """Measures weft beside its peers, on this machine, and prints one table.

  tools/bench                          every row of weft, at the published size
  tools/bench --quick --peers erlang   two minutes, a tenth of the work: a first look
  tools/bench --full                   every row, Savina too, beside every peer: more than an hour
  tools/bench --filter 'ping_pong|ring' --peers all --html page.html

In each round each row is measured for weft and for each peer in turn. A figure is the median of the rounds, its spread the largest
deviation from that. docs/performance.md says what the rows are and what came of them."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Refused(f"{message}; --help shows the flags")


def pattern(text):
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular expression: {error}") from None


def at_least(least, kind):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not value >= least or value == float("inf"):
            raise argparse.ArgumentTypeError(f"{text!r} is not a {'whole ' if kind is int else ''}number of at least {least:g}")
        return value
    return parse


def parser():
    made = Parser(prog="tools/bench", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    mode = made.add_mutually_exclusive_group()
    mode.add_argument("--quick", action="store_true", help="a tenth of the work, no slow rows, as many rounds (at most 3) as fit two minutes")
    mode.add_argument("--full", action="store_true", help="every row and every peer, 5 rounds")
    made.add_argument("--filter", type=pattern, default=pattern(""), metavar="REGEX", help="only the rows whose name matches")
    made.add_argument("--peers", metavar="NAMES", help="erlang,go,tokio,tokio_processes,caf,boost_fiber; or all, or none (the default but "
                      "for --full). What a peer needs is installed and built only when it is named")
    made.add_argument("--rounds", type=at_least(1, int), metavar="N", help="3 unless --full")
    made.add_argument("--scale", type=at_least(1e-6, float), metavar="F", help="do F times the published work: 1 unless --quick")
    made.add_argument("--timeout", type=at_least(1, float), default=300, metavar="SECONDS", help="for one contestant and one piece of work: 300")
    made.add_argument("--json", metavar="FILE", help="write the results to FILE")
    made.add_argument("--html", metavar="FILE", help="write a page with plots to FILE")
    made.add_argument("--markdown", metavar="FILE", help="write the tables to FILE, as Markdown")
    made.add_argument("--baseline", metavar="FILE", help="compare with the results in FILE, of this machine; the exit status is 1 if a row is slower")
    made.add_argument("--from", dest="kept", metavar="FILE", help="measure nothing: show the results in FILE")
    made.add_argument("--growth", metavar="DIR", help="measure how cost grows with the number of processes, messages, timers...: plots in DIR")
    made.add_argument("--instructions", action="store_true", help="hold the instructions per operation to the kept figures; nothing else is done")
    made.add_argument("--list", action="store_true", help="show the rows and measure nothing")
    made.add_argument("--programs", type=lambda text: pathlib.Path(text).resolve(), metavar="DIR",
                      help="measure the programs of this build tree, as they are; else the "
                      "release preset is built first")
    made.add_argument("--rows", type=pathlib.Path, default=ROOT / "bench/rows.json", metavar="FILE", help="what to measure: bench/rows.json")
    return made


def check_together(arguments):
    alone = [flag for flag, given in (("--instructions", arguments.instructions), ("--list", arguments.list), ("--growth", arguments.growth),
                                      ("--from", arguments.kept)) if given]
    if len(alone) > 1:
        raise Refused(f"{alone[0]} and {alone[1]} do not go together")
    for flag, path in (("--json", arguments.json), ("--html", arguments.html), ("--markdown", arguments.markdown)):
        # Said before an hour of measuring, not after it.
        if path and not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            raise Refused(f"{flag} {path}: no such folder")
    if arguments.programs and not arguments.programs.is_dir():
        raise Refused(f"--programs {arguments.programs}: no such folder")


def build(target):
    """The release preset with the benchmarks. Returns the build tree."""
    tree = ROOT / "build/release"
    configure = ["cmake", "--preset", "release", "-DWEFT_BUILD_BENCH=ON"]
    if not (tree / "CMakeCache.txt").exists():
        configure.append("-DWEFT_BUILD_TESTS=OFF")
    for command in ([ROOT / "tools/install_dependencies", "build", "bench"], configure,
                    ["cmake", "--build", "--preset", "release", "--parallel", str(len(machine.cores())), "--target", target]):
        # The table alone goes to the standard output.
        if subprocess.run([str(word) for word in command], cwd=ROOT, stdout=2, check=False).returncode != 0:
            raise Refused(f"building the benchmarks failed at `{' '.join(str(word) for word in command)}`")
    return tree


def ready_peers(names, catalogue, folder, scale, notes):
    """Those that could be built, and their versions."""
    peers, versions = [], {}
    for name in names:
        peer = Peer(name, catalogue, folder, scale)
        print(f"preparing {peer.title}", file=sys.stderr)
        try:
            peer.build()
            versions[name] = peer.version()
            peers.append(peer)
        except Failed as failure:
            notes.append(f"{name} is left out: {failure}")
    return peers, versions


def measure(arguments, catalogue):
    mode = "quick" if arguments.quick else "full" if arguments.full else "usual"
    scale = arguments.scale or (0.1 if arguments.quick else 1)
    groups, ratios = catalogue.select(mode, arguments.filter)
    names = catalogue.pick_peers(arguments.peers or ("all" if arguments.full else "none"))
    kept = results.read(arguments.baseline, "--baseline") if arguments.baseline else None
    if kept:
        baseline.refuse_others(arguments.baseline, kept["machine"], machine.describe(pathlib.Path(), {}, scale, ROOT))

    tree = arguments.programs or build("bench/all")
    notes = []
    peers, versions = ready_peers(names, catalogue, tree / "peers", scale, notes)
    plan = Plan(groups, ratios, [Weft(tree, scale), *peers], arguments.rounds or (5 if arguments.full else 3), arguments.timeout,
                115 if arguments.quick else None)
    here = machine.describe(tree, versions, scale, ROOT)  # before measuring: what is built now is what is measured
    outcome = Rounds(plan, Progress()).run()
    here["rounds"] = outcome.rounds
    show(arguments, here, outcome.cells, [peer.name for peer in peers], notes + outcome.notes, catalogue)

    slower = False
    if kept:
        changes = baseline.compare(outcome.cells, kept["rows"])
        print("\n" + baseline.report(changes, kept["machine"], here))
        slower = any(change.word == "slower" for change in changes)
    failed = any(cell.figure is None for cell in outcome.cells) or not outcome.cells
    return 1 if failed or slower else 0


def show(arguments, here, cells, peers, notes, catalogue):
    print(machine.one_line(here) + "\n")
    print(table.text(cells, peers))
    print("\n" + table.summary(cells))
    notes = machine.warnings(here) + notes
    for note in notes:
        print(f"note: {note}")
    if arguments.json:
        results.write(arguments.json, results.text_of(results.to_json(here, cells)))
    if arguments.html:
        results.write(arguments.html, html_page.page(here, cells, {name: catalogue.peers[name] for name in peers}, notes))
    if arguments.markdown:
        results.write(arguments.markdown, table.markdown(machine.one_line(here), cells, peers, notes))


def show_kept(arguments, catalogue):
    kept = results.read(arguments.kept, "--from")
    cells = [cell for cell in results.cells_of(kept, catalogue) if arguments.filter.search(cell.row.name)]
    if not cells:
        raise Refused(f"--filter: no row of {arguments.kept} matches {arguments.filter.pattern!r}")
    names = {name for cell in cells for name in cell.peers}
    show(arguments, kept["machine"], cells, [name for name in catalogue.peers if name in names], [], catalogue)
    return 0


def list_rows(arguments, catalogue):
    groups, ratios = catalogue.select("full", arguments.filter)
    for row in [row for group in groups for row in group.rows] + [ratio.row for ratio in ratios]:
        print(f"{row.name:<34} {row.unit:<14} {row.about}" + (f"; peers: {', '.join(row.peers)}" if row.peers else ""))
    return 0


def measure_growth(arguments):
    tree = arguments.programs or build("growth_bench")
    scale, rounds = arguments.scale or 1, arguments.rounds or 3
    here = machine.describe(tree, {}, scale, ROOT) | {"rounds": rounds}
    print(machine.one_line(here) + "\n", flush=True)
    return growth.run(tree, arguments.growth, rounds, scale, arguments.timeout, here, Progress())


def count_instructions(arguments):
    tree = arguments.programs or build("weft_operations")
    command = [sys.executable, str(ROOT / "bench/instructions/count.py"), "--program", str(tree / "bench/instructions/weft_operations"),
               "--rows", arguments.filter.pattern]
    return subprocess.run(command + (["--json", arguments.json] if arguments.json else []), check=False).returncode


def main(words):
    """0: done. 1: a row has no figure, is slower than the baseline or over its count of instructions. 2: a bad command."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # What is being measured ends too, and what was measured is shown.
    try:
        arguments = parser().parse_args(words)
        check_together(arguments)
        if arguments.instructions:
            return count_instructions(arguments)
        if arguments.growth:
            return measure_growth(arguments)
        catalogue = Catalogue(arguments.rows)
        if arguments.list:
            return list_rows(arguments, catalogue)
        if arguments.kept:
            return show_kept(arguments, catalogue)
        return measure(arguments, catalogue)
    except Refused as refused:
        print(f"tools/bench: {refused}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("tools/bench: interrupted", file=sys.stderr)
        return 130
