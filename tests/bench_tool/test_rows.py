"""bench/rows.json says what there is: its rows are in the programs, and each peer's source prints the rows that it is asked for.

WEFT_BENCH_PROGRAMS: the build tree of the programs. Without it their names are looked for in their sources.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from suite import ROOT

ROWS = json.loads((ROOT / "bench/rows.json").read_text())
SOURCES = {"erlang": "erlang/*.erl", "go": "go/*.go", "tokio": "tokio/src/*.rs", "tokio_processes": "tokio/src/*.rs", "caf": "caf/*.cpp",
           "boost_fiber": "boost_fiber/*.cpp"}


def source_of(peer):
    return "".join(path.read_text() for path in sorted((ROOT / "bench/peers").glob(SOURCES[peer])))


class Rows(unittest.TestCase):
    def test_each_row_is_told_once_and_fully(self):
        names = [row["row"] for row in ROWS["rows"] + ROWS["ratios"]]
        self.assertEqual(len(names), len(set(names)))
        for row in ROWS["rows"]:
            self.assertIn(row["better"], ("lower", "higher"), row["row"])
            self.assertIn(row["workers"], ("all", "2 and all"), row["row"])
            self.assertEqual(row["better"] == "higher", row["unit"].endswith("/s"), row["row"])
            self.assertLessEqual(set(row.get("budget", {})), {"1", "2"}, row["row"])
        for ratio in ROWS["ratios"]:
            self.assertLessEqual({ratio["over"]["row"], ratio["under"]["row"]}, set(names))

    @unittest.skipUnless("WEFT_BENCH_PROGRAMS" in os.environ, "needs the built programs")
    def test_the_rows_are_those_of_the_programs_and_none_is_missing(self):
        build = pathlib.Path(os.environ["WEFT_BENCH_PROGRAMS"])
        in_programs = set()
        # Growth has a table of its own.
        sources = [source.stem for source in (ROOT / "bench").glob("*_bench.cpp") if source.stem != "growth_bench"]
        programs = [f"bench/{stem}" for stem in sources] + ["bench/savina/savina_bench"]
        for program in programs:
            listed = subprocess.run([build / program, "--benchmark_list_tests"], capture_output=True, text=True, check=True).stdout
            in_programs |= {(program, line.rsplit("/workers:", 1)[0]) for line in listed.split()}
        rows = {(row["program"], row["benchmark"]) for row in ROWS["rows"]}
        # A row that needs two workers is not listed on one core.
        optional = {(row["program"], row["benchmark"]) for row in ROWS["rows"] if row["workers"] != "all"}
        self.assertEqual(in_programs - rows, set())
        self.assertEqual(rows - in_programs - optional, set())

    def test_each_peers_source_has_the_rows_and_groups_that_it_is_asked_for(self):
        groups = {row: group for group, rows in ROWS["driver_groups"].items() for row in rows}
        for peer in ROWS["peers"]:
            source = source_of(peer)
            for name in sorted({row["peers"][peer] for row in ROWS["rows"] if peer in row["peers"]}):
                with self.subTest(peer=peer, row=name):
                    # Percentiles are printed under the name before them.
                    stem = re.sub(r"_(p50|p99|max)$", "", name)
                    self.assertTrue(f'"{name}"' in source or f'"{stem}"' in source or f'"{stem}_"' in source, f"{peer} prints no {name}")
                    self.assertIn(f'"{groups.get(name, name)}"', source)

    def test_a_peer_has_only_rows_that_the_catalogue_knows(self):
        for row in ROWS["rows"]:
            self.assertLessEqual(set(row["peers"]), set(ROWS["peers"]), row["row"])

    def test_the_tables_of_the_documentation_are_those_of_the_kept_results(self):
        with tempfile.TemporaryDirectory() as folder:
            shown = pathlib.Path(folder) / "results.md"
            command = [sys.executable, ROOT / "tools/bench", "--from", ROOT / "bench/baselines/results.json", "--markdown", shown]
            subprocess.run(command, check=True, capture_output=True)
            self.assertEqual((ROOT / "docs/performance/results.md").read_text(), shown.read_text())

    def test_the_driver_knows_each_peer_and_its_packages_are_a_group_of_their_own(self):
        driver = (ROOT / "bench" / ROWS["driver"]).read_text()
        packages = (ROOT / "tools/install_dependencies").read_text()
        for peer in ROWS["peers"]:
            self.assertIn(peer, driver)
            self.assertIn(f"[peer_{peer.removesuffix('_processes')}]=", packages)


if __name__ == "__main__":
    unittest.main()
