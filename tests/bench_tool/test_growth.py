"""Growth: the points of a program become one table, a plot of each kind and a file of figures."""

import json
import unittest
from xml.etree import ElementTree

from suite import ROOT, Suite


class Growth(Suite):
    def setUp(self):
        super().setUp()
        (self.folder / "bench").mkdir()
        (self.folder / "program").rename(self.folder / "bench/growth_bench")

    def grow(self, points, status=0):
        rows = {f"growth_{name}/workers:1": values for name, values in points.items()}
        (self.folder / "bench/figures.json").write_text(json.dumps(rows | {"growth_spawn_beside_processes_100/workers:2": ["not asked for"]}))
        return self.bench("--growth", self.folder / "plots", "--rounds", 3, status=status)

    def test_each_curve_is_a_line_of_the_table_and_of_the_file(self):
        printed = self.grow({"timer_beside_timers_100": [50, 55, 45], "timer_beside_timers_1000": [60], "spawn_beside_processes_100": [500]})
        self.assertRegex(printed, r"timer beside timers +50.0 ±10% +60.0 ±0%")
        kept = json.loads((self.folder / "plots/growth.json").read_text())
        self.assertEqual(kept["machine"]["rounds"], 3)
        self.assertEqual(kept["curves"][0], {"curve": "timer beside timers", "axis": "timers", "unit": "ns",
                                             "points": [[100, 50, 0.1], [1000, 60, 0]]})
        for axis in ("timers", "processes"):
            ElementTree.parse(self.folder / f"plots/{axis}.svg")

    def test_a_point_that_fails_is_left_out_and_the_reason_is_said(self):
        printed = self.grow({"timer_beside_timers_100": [50], "timer_beside_timers_1000": ["too few"]}, status=1)
        self.assertRegex(printed, r"timer beside timers +50.0 ±0%")
        self.assertIn("no figure for growth_timer_beside_timers_1000: too few", printed)

    def test_the_program_has_the_points_that_the_tool_looks_for(self):
        source = (ROOT / "bench/growth_bench.cpp").read_text()
        for curve in ("spawn_beside_processes", "round_trip_among_processes", "call_beside_messages", "link_beside_links", "name_beside_names",
                      "timer_beside_timers"):
            self.assertIn(f'add("{curve}"', source)


if __name__ == "__main__":
    unittest.main()
