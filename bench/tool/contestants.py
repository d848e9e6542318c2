"""Who is measured: weft's own programs, and the peers' drivers. Each yields the figures of a group of rows on so many workers."""

import json
import os
import re
import signal
import subprocess

from bench.tool import machine
from bench.tool.errors import Failed

NO_SUCH_GROUP = 3


def run(command, workers, scale, timeout):
    """(exit status, what it printed, its last words). It and all that it started end with the timeout."""
    usable = machine.cores()[:workers]
    environment = dict(os.environ, WEFT_BENCH_SCALE=f"{scale:g}")
    program = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                               env=environment, start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, usable))
    try:
        printed, complaint = program.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end after {timeout:.0f} s") from None
    finally:
        try:
            os.killpg(program.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        program.wait()
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    return program.returncode, printed, lines[-1][:200] if lines else ""


def _why(status, last_words):
    how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    return f"{how}: {last_words}" if last_words else how


class Weft:
    """The benchmark programs of a build. They take their workers' cores themselves, so they are given all."""

    name = "weft"
    title = "weft"

    def __init__(self, build, scale):
        self.build = build
        self.scale = scale

    def has(self, group, workers):
        return True

    def new_round(self):
        pass

    def measure(self, group, workers, timeout):
        """The second of two repetitions, as the peers do it: the first has grown what is kept for reuse."""
        names = {f"{row.benchmark}/workers:{workers}": row for row in group.rows}
        pattern = "|".join(re.escape(row.benchmark) for row in group.rows)
        command = [self.build / group.program, f"--benchmark_filter=^({pattern})/workers:{workers}$", "--benchmark_format=json",
                   f"--benchmark_repetitions={1 if group.once else 2}"]
        if not command[0].exists():
            raise Failed(f"{command[0]} is not built")
        status, printed, last_words = run(command, len(machine.cores()), self.scale, timeout)
        try:
            runs = json.loads(printed)["benchmarks"]
        except (ValueError, KeyError):
            raise Failed(_why(status, last_words)) from None
        figures = {}
        for entry in sorted((e for e in runs if e.get("run_type") == "iteration"), key=lambda e: e.get("repetition_index", 0)):
            if entry.get("error_occurred"):
                raise Failed(entry.get("error_message") or "an error without a message")
            row = names.get(entry.get("run_name", entry["name"]))
            if row and "value" in entry:
                figures[row.name] = entry["value"]
        if status != 0:
            raise Failed(_why(status, last_words))
        missing = [row.benchmark for row in group.rows if row.name not in figures]
        if missing:
            raise Failed(f"{group.program} has no figure for {', '.join(missing)} on {workers} workers")
        return figures


class Peer:
    """Another library's driver, built and run by the script that the catalogue names."""

    def __init__(self, name, catalogue, folder, scale):
        self.name = name
        self.title = catalogue.peers[name]
        self.catalogue = catalogue
        self.folder = folder / name
        self.scale = scale
        self.printed = {}  # (group of the driver, workers) -> row -> value, of this round

    def build(self):
        self._script("build", capture=False)

    def version(self):
        try:
            return self._script("version", capture=True).strip()
        except Failed:
            return "unknown"  # Figures without a version are better than none.

    def _script(self, action, capture):
        command = [str(self.catalogue.driver), action, self.name, str(self.folder)]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE if capture else 2, text=True, check=False)
        except OSError as error:
            raise Failed(f"{self.catalogue.driver}: {error}") from None
        if done.returncode != 0:
            raise Failed(f"`{' '.join(command)}` ended with status {done.returncode}")
        return done.stdout or ""

    def has(self, group, workers):
        return any(self.name in row.peers for row in group.rows)

    def new_round(self):
        self.printed = {}

    def measure(self, group, workers, timeout):
        wanted = {row.name: row.peers[self.name] for row in group.rows if self.name in row.peers}
        figures = {}
        for name, peer_row in wanted.items():
            printed = self._ask(self.catalogue.driver_group(peer_row), workers, timeout)
            if peer_row not in printed:
                raise Failed(f"its driver printed no row {peer_row!r}")
            figures[name] = printed[peer_row]
        return figures

    def _ask(self, driver_group, workers, timeout):
        """Two groups of ours may need the same work of the peer: it is done once in a round."""
        key = (driver_group, workers)
        if key not in self.printed:
            command = [self.catalogue.driver, "run", self.name, self.folder, driver_group, workers]
            status, text, last_words = run(command, workers, self.scale, timeout)
            if status == NO_SUCH_GROUP:
                raise Failed(f"its driver has no group {driver_group!r}")
            if status != 0:
                raise Failed(_why(status, last_words))
            self.printed[key] = _rows(text)
        return self.printed[key]


def _rows(text):
    rows = {}
    for line in text.splitlines():
        fields = line.split("\t")
        try:
            row, value, _unit = fields
            rows[row] = float(value)
        except ValueError:
            raise Failed(f"its driver printed {line[:100]!r} in place of row, value and unit") from None
    return rows
