"""tools/bench from its flags to its files, on programs and peers that are scripts."""

import subprocess
import time
import unittest

from suite import WORKERS, Suite, row

BOTH = {"slow": "ping", "fast": "ping"}


class Verdicts(Suite):
    def verdicts(self, *words, **of_row):
        self.suite([row("ping", **of_row)], {"ping": [100, 90, 110]})
        results, printed = self.results("--rounds", 3, *words)
        found = {entry["verdict"] for entry in results["rows"]}
        self.assertEqual(len(found), 1)
        return found.pop(), printed

    def test_within_its_budget_and_before_its_peers_a_row_is_held(self):
        verdict, printed = self.verdicts("--peers", "slow", budget=120, peers=BOTH)
        self.assertEqual(verdict, "held")
        self.assertIn("4.00x", printed)

    def test_over_its_budget_a_row_is_missed_and_whether_some_round_held_it_is_said(self):
        self.assertEqual(self.verdicts(budget=80)[0], "missed")
        verdict, printed = self.verdicts(budget=95)
        self.assertEqual(verdict, "missed")
        self.assertIn("missed (some round held it)", printed)

    def test_a_budget_of_what_should_be_high_is_missed_from_below(self):
        self.assertEqual(self.verdicts(budget=120, better="higher")[0], "missed")
        self.assertEqual(self.verdicts(budget=95, better="higher")[0], "held")

    def test_a_peer_that_is_ahead_by_more_than_the_noise_leaves_a_row_behind(self):
        verdict, printed = self.verdicts("--peers", "slow,fast", budget=120, peers=BOTH)
        self.assertEqual(verdict, "behind")
        self.assertIn("behind (fast)", printed)
        self.assertIn("0.50x", printed)

    def test_a_peer_that_is_ahead_within_the_noise_does_not(self):
        self.suite([row("ping", peers={"fast": "ping"})], {"ping": [60, 45, 70]})
        results, printed = self.results("--rounds", 3, "--peers", "fast")
        self.assertEqual({entry["verdict"] for entry in results["rows"]}, {"held"})
        self.assertIn("held (fast ahead within the noise)", printed)


class Results(Suite):
    def test_the_file_has_the_fields_it_promises_and_no_other(self):
        self.suite([row("ping", budget=120, peers=BOTH), row("pong")], {"ping": [100, 90, 115], "pong": [7]})
        results, _ = self.results("--rounds", 3, "--peers", "slow,fast")
        self.assertEqual(set(results), {"machine", "rows"})
        for field in ("cpu", "cores", "compiler", "commit", "measured", "rounds"):
            self.assertIn(field, results["machine"])
        self.assertEqual(results["machine"]["peers"], {"slow": "1.2-slow", "fast": "1.2-fast"})
        self.assertEqual([(entry["row"], entry["workers"]) for entry in results["rows"]], [(name, n) for name in ("ping", "pong") for n in WORKERS])
        self.assertEqual(results["rows"][0], {"row": "ping", "workers": 1, "value": 100, "unit": "ns", "spread": 0.15, "budget": 120,
                                              "peers": {"slow": 400, "fast": 50}, "verdict": "behind"})
        self.assertEqual(results["rows"][-1], {"row": "pong", "workers": WORKERS[-1], "value": 7, "unit": "ns", "spread": 0, "budget": None,
                                               "peers": {}, "verdict": "held"})

    def test_the_spread_of_one_round_is_not_known(self):
        self.suite([row("ping")], {"ping": [100]})
        results, _ = self.results("--rounds", 1)
        self.assertIsNone(results["rows"][0]["spread"])

    def test_rows_of_one_piece_of_work_are_measured_together_and_named_as_the_peer_names_them(self):
        rows = [row("a", "work", peers={"slow": "first"}), row("b", "work", peers={"slow": "second"})]
        self.suite(rows, {"a": [1], "b": [2]}, groups={"pair": ["first", "second"]})
        results, _ = self.results("--rounds", 2, "--peers", "slow", "--scale", "0.25")
        self.assertEqual([entry["peers"] for entry in results["rows"]], [{"slow": 400}] * 2 * len(WORKERS))
        self.assertEqual(self.asked(), [("slow", "pair", str(n), "0.25") for _ in range(2) for n in WORKERS])

    def test_a_peer_is_asked_only_when_it_is_named(self):
        self.suite([row("ping", peers=BOTH)], {"ping": [1]})
        self.bench("--rounds", 1)
        self.assertEqual(self.asked(), [])

    def test_rounds_go_from_row_to_row_and_in_each_row_from_weft_to_its_peers(self):
        self.suite([row("x", peers={"slow": "x", "fast": "x"}), row("y", peers={"slow": "y"})], {"x": [1], "y": [1]})
        self.bench("--rounds", 2, "--peers", "slow,fast")
        one_round = [(peer, name, str(n)) for name, peers in (("x", ("slow", "fast")), ("y", ("slow",))) for n in WORKERS for peer in peers]
        self.assertEqual([entry[:3] for entry in self.asked()], one_round * 2)

    def test_a_ratio_is_that_of_each_round(self):
        ratio = {"row": "growth", "about": "", "subject": "Things", "workers": [1], "unit": "x", "better": "lower", "budget": {"1": 1.5},
                 "over": {"row": "long"}, "under": {"row": "short"}}
        self.suite([row("long"), row("short")], {"long": [20, 40, 80], "short": [10, 20, 20]}, [ratio])
        results, _ = self.results("--rounds", 3, "--filter", "^growth$")
        growth = [entry for entry in results["rows"] if entry["row"] == "growth"]
        self.assertEqual([(entry["value"], entry["spread"], entry["verdict"]) for entry in growth], [(2, 1, "missed")])

    def test_quick_leaves_slow_rows_out_and_only_full_has_all(self):
        self.suite([row("ping"), row("long", slow=True), row("suite", full=True)], {"ping": [1], "long": [1], "suite": [1]})
        modes = (["--quick"], [], ["--full", "--peers", "none"])
        names = [{entry["row"] for entry in self.results("--rounds", 1, *mode)[0]["rows"]} for mode in modes]
        self.assertEqual(names, [{"ping"}, {"ping", "long"}, {"ping", "long", "suite"}])

    def test_the_page_stands_alone_and_shows_every_row(self):
        self.suite([row("ping", budget=120, peers=BOTH), row("wake_p50"), row("wake_p99")], {"ping": [100], "wake_p50": [3], "wake_p99": [9]})
        page = self.folder / "page.html"
        self.bench("--rounds", 2, "--peers", "slow,fast", "--html", page)
        text = page.read_text()
        for words in ("<svg", "ping", "wake_p99", "Slow", "behind (fast)", "Latency"):
            self.assertIn(words, text)
        self.assertNotRegex(text, r"<(script|link|img)|https?:")

    def test_a_kept_file_is_shown_again_without_measuring(self):
        self.suite([row("ping", budget=80), row("wide", budget=80), row("near", peers={"fast": "near"})], {"ping": [100], "wide": [100, 140, 90], "near": [53, 54, 52]})
        self.results("--rounds", 3, "--peers", "fast")
        self.figures({})
        printed = self.bench("--from", self.folder / "results.json")
        self.assertRegex(printed, r"ping +1 +ns +100 +0% +80.0 +missed")
        # Some round was far above the median. That some was as far below is not known.
        self.assertRegex(printed, r"wide +1 +ns +100 +40% +80.0 +missed\n")
        # The noise of peers is not kept; the verdict that knew it is.
        self.assertRegex(printed, r"near +1 +ns +53.0 +2% +50.0 +0.94x +behind \(fast\)")

    def test_the_tables_can_be_had_as_markdown(self):
        self.suite([row("ping", budget=80, peers={"slow": "ping"}), row("pong", subject="Others")], {"ping": [100], "pong": [5]})
        file = self.folder / "results.md"
        self.bench("--rounds", 2, "--peers", "slow", "--markdown", file)
        text = file.read_text()
        self.assertIn("| row | workers | unit | weft | ± | slow | ratio | budget | verdict |\n| --- | ---: | --- |", text)
        self.assertIn("| ping | 1 | ns | 100 | 0% | 400 | 4.00x | 80.0 | missed |", text)
        self.assertIn("## Others\n\n| row | workers | unit | weft | ± | ratio | budget | verdict |", text)


class Failures(Suite):
    def test_a_peer_that_fails_has_no_figure_and_the_reason_is_said(self):
        every = {name: "ping" for name in ("slow", "broken", "mute", "other")}
        self.suite([row("ping", peers=every)], {"ping": [100]})
        results, printed = self.results("--rounds", 2, "--peers", "all")
        self.assertEqual(results["rows"][0]["peers"], {"slow": 400, "mute": None, "other": None})
        self.assertIn("broken is left out", printed)
        self.assertIn("mute: no figure for ping on 1 worker: exit status 7: out of memory", printed)
        self.assertIn("other: no figure for ping on 1 worker: its driver printed 'all went well'", printed)
        # What failed is not tried again.
        self.assertEqual(sum(1 for entry in self.asked() if entry[0] == "mute"), len(WORKERS))

    def test_a_peer_that_hangs_is_ended(self):
        self.suite([row("ping", peers={"hung": "ping", "slow": "ping"})], {"ping": [100]})
        results, printed = self.results("--rounds", 1, "--peers", "hung,slow", "--timeout", 5)
        self.assertEqual(results["rows"][0]["peers"], {"slow": 400, "hung": None})
        self.assertIn("hung: no figure for ping on 1 worker: no end after 5 s", printed)

    def test_who_is_interrupted_shows_what_was_measured_and_leaves_nothing_running(self):
        self.suite([row("ping"), row("hangs", peers={"hung": "hangs"})], {"ping": [100], "hangs": [1]})
        bench = self.start("--rounds", 1, "--peers", "hung")
        asked = self.folder / "asked"
        while bench.poll() is None and not asked.exists():
            time.sleep(0.01)
        bench.terminate()
        printed, _ = bench.communicate(timeout=60)
        self.assertRegex(printed, r"ping +1 +ns +100")
        self.assertIn("interrupted", printed)
        self.assertEqual(subprocess.run(["pgrep", "-f", f"{self.folder}/peer run"], check=False, capture_output=True).stdout, b"")

    def test_a_group_that_the_driver_does_not_know_is_said(self):
        self.suite([row("ping", peers={"slow": "absent"})], {"ping": [100]})
        self.assertIn("its driver has no group 'absent'", self.bench("--rounds", 1, "--peers", "slow"))

    def test_a_wrong_result_of_weft_is_no_figure_and_the_exit_status_says_so(self):
        self.suite([row("ping", peers={"slow": "ping"}), row("pong")], {"ping": [100, "a message was lost"], "pong": [5]})
        results, printed = self.results("--rounds", 2, "--peers", "slow", status=1)
        self.assertEqual((results["rows"][0]["value"], results["rows"][0]["verdict"]), (None, "missed"))
        self.assertEqual(results["rows"][-1]["value"], 5)
        self.assertIn("weft: no figure for ping on 1 worker: a message was lost", printed)

    def test_a_program_of_weft_that_dies_is_no_figure_either(self):
        self.suite([row("ping")], {"ping": ["die"]})
        self.assertIn("killed by signal 11", self.results("--rounds", 1, status=1)[1])


if __name__ == "__main__":
    unittest.main()
