"""A small suite of fake programs and peers in a folder of its own, and tools/bench run on it."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAKE = pathlib.Path(__file__).resolve().parent / "fake"
sys.path.insert(0, str(ROOT))

from bench.tool.rounds import worker_counts  # noqa: E402

WORKERS = worker_counts()


def row(name, group=None, better="lower", budget=None, peers=None, **more):
    budgets = {} if budget is None else {"budget": {str(workers): budget for workers in WORKERS}}
    return {"row": name, "about": f"what {name} is", "subject": "Things", "program": "program", "benchmark": name, "group": group or name,
            "workers": "all", "unit": "ns", "better": better, "peers": {} if peers is None else peers} | budgets | more


class Suite(unittest.TestCase):
    """A test says which rows there are and which figures the programs give."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        shutil.copy(FAKE / "peer", self.folder / "peer")
        program = self.folder / "program"
        # This very interpreter, without its site packages: it is started often.
        program.write_text((FAKE / "program").read_text().replace("#!/usr/bin/env python3", f"#!{sys.executable} -IS"))
        program.chmod(0o755)

    def suite(self, rows, figures, ratios=(), groups=None):
        """figures: row -> values, of one run after the other, the same on all numbers of workers."""
        catalogue = {"driver": "peer", "peers": {name: name.title() for name in ("slow", "fast", "broken", "mute", "hung", "other")},
                     "driver_groups": groups or {}, "rows": rows, "ratios": list(ratios)}
        (self.folder / "rows.json").write_text(json.dumps(catalogue))
        self.figures(figures)

    def figures(self, figures):
        by_workers = {f"{name}/workers:{workers}": values for name, values in figures.items() for workers in WORKERS}
        (self.folder / "figures.json").write_text(json.dumps(by_workers))
        shutil.rmtree(self.folder / "calls", ignore_errors=True)

    def start(self, *words):
        """tools/bench, running; both its streams are one."""
        command = [sys.executable, "-S", ROOT / "tools/bench", "--rows", self.folder / "rows.json", "--programs", self.folder, *words]
        environment = {name: value for name, value in os.environ.items() if name != "WEFT_BENCH_SCALE"}
        return subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)

    def bench(self, *words, status=0):
        """What it printed, after the exit status is as told."""
        program = self.start(*words)
        printed, _ = program.communicate()
        self.assertEqual(program.returncode, status, printed)
        return printed

    def results(self, *words, status=0):
        """(the file of --json, what was printed)"""
        file = self.folder / "results.json"
        printed = self.bench(*words, "--json", file, status=status)
        return json.loads(file.read_text()), printed

    def asked(self):
        """The questions to the peers' driver: (peer, group, workers, scale)."""
        file = self.folder / "asked"
        return [tuple(line.split()) for line in file.read_text().splitlines()] if file.exists() else []
