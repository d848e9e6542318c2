"""What tools/bench refuses, and how it compares with a kept run."""

import json
import unittest

from suite import Suite, row


class BadArguments(Suite):
    def setUp(self):
        super().setUp()
        self.suite([row("ping")], {"ping": [100]})

    def refused(self, *words):
        printed = self.bench(*words, status=2)
        self.assertRegex(printed, "^tools/bench: ")
        self.assertEqual(len(printed.splitlines()), 1, printed)
        return printed

    def test_an_unknown_flag_is_named(self):
        self.assertIn("--fast", self.refused("--fast"))

    def test_a_shortened_flag_is_not_guessed(self):
        self.assertIn("--qui", self.refused("--qui"))

    def test_an_unknown_peer_is_named_with_those_there_are(self):
        self.assertIn("no peer 'rust'; there are: slow, fast, broken", self.refused("--peers", "slow,rust"))
        self.assertIn("no peer is named", self.refused("--peers", ","))

    def test_numbers_are_checked(self):
        self.assertIn("--rounds: '0' is not a whole number of at least 1", self.refused("--rounds", 0))
        self.assertIn("--rounds: 'many'", self.refused("--rounds", "many"))
        self.assertIn("--scale: '-1' is not a number", self.refused("--scale=-1"))
        self.assertIn("--scale: 'nan'", self.refused("--scale", "nan"))
        self.assertIn("--timeout: '0'", self.refused("--timeout", 0))

    def test_a_filter_that_is_no_expression_or_matches_nothing_is_refused(self):
        self.assertIn("'(' is not a regular expression", self.refused("--filter", "("))
        self.assertIn("no row of this mode matches 'absent'", self.refused("--filter", "absent"))

    def test_flags_that_exclude_each_other_are_refused(self):
        self.assertIn("not allowed with", self.refused("--quick", "--full"))
        self.assertIn("--instructions and --list do not go together", self.refused("--instructions", "--list"))

    def test_files_and_folders_that_are_not_there_are_named_before_anything_is_measured(self):
        self.assertIn("--json /nowhere/at/all.json: no such folder", self.refused("--json", "/nowhere/at/all.json"))
        self.assertIn("--baseline /nowhere.json", self.refused("--baseline", "/nowhere.json"))
        self.assertIn("--from", self.refused("--from", self.folder / "figures.json"))
        self.assertIn("--programs", self.refused("--programs", "/nowhere"))
        self.assertIn("--rows /nowhere.json", self.refused("--rows", "/nowhere.json"))
        self.assertFalse((self.folder / "calls").exists())

    def test_help_names_every_flag(self):
        printed = self.bench("--help")
        for flag in ("--quick", "--full", "--filter", "--peers", "--baseline", "--json", "--html", "--instructions", "--growth"):
            self.assertIn(flag, printed)


class Baseline(Suite):
    def kept(self, values):
        self.suite([row("ping"), row("high", better="higher")], {"ping": values, "high": values})
        self.results("--rounds", 3)
        return self.folder / "results.json"

    def change(self, file, **fields):
        results = json.loads(file.read_text())
        results["machine"] |= fields
        file.write_text(json.dumps(results))

    def test_what_changed_by_more_than_the_noise_is_said_and_slower_is_an_exit_status(self):
        file = self.kept([100, 95, 105])
        self.figures({"ping": [150, 145, 155], "high": [150, 145, 155]})
        printed = self.bench("--rounds", 3, "--baseline", file, status=1)
        self.assertRegex(printed, r"ping +1 +100 +5% +150 +3% +0.67x  slower")
        self.assertRegex(printed, r"high +1 +100 +5% +150 +3% +1.50x  faster")

    def test_what_changed_within_the_noise_is_the_same(self):
        file = self.kept([100, 90, 110])
        self.figures({"ping": [108, 99, 117], "high": [108, 99, 117]})
        printed = self.bench("--rounds", 3, "--baseline", file)
        self.assertRegex(printed, r"0 faster, 0 slower, \d+ the same within the noise")
        self.assertIn("A machine that became slower between the two runs is not in it", printed)

    def test_another_machine_is_refused_and_named_before_anything_is_measured(self):
        file = self.kept([100])
        for field, value in (("cpu", "A Faster Processor"), ("cores", 640), ("memory_gib", 1)):
            with self.subTest(field):
                fresh = self.kept([100])
                self.figures({"ping": [100], "high": [100]})
                self.change(fresh, **{field: value})
                printed = self.bench("--baseline", file, status=2)
                self.assertIn(f"is of another machine: its {field} is {value!r}", printed)
                self.assertFalse((self.folder / "calls").exists())

    def test_work_of_another_size_is_refused(self):
        file = self.kept([100])
        self.assertIn("work of another size: 1 times the published one, here 0.5 times", self.bench("--baseline", file, "--scale", 0.5, status=2))

    def test_another_compiler_is_said(self):
        file = self.kept([100, 100, 100])
        self.change(file, compiler="c++ 1.0")
        self.assertIn("Not the same compiler: before c++ 1.0", self.bench("--rounds", 2, "--baseline", file))


if __name__ == "__main__":
    unittest.main()
