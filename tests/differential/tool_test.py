#!/usr/bin/env python3
"""Tests of what tools/differential is made of, without weft and without Erlang."""
import pathlib
import stat
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import generate  # noqa: E402
import play  # noqa: E402
import script as scripts  # noqa: E402


def script_of(*lines):
    return scripts.read("\n".join(["script 1 watched", *lines, "end"]))[0]


class Scripts(unittest.TestCase):
    def test_what_is_generated_is_a_script_with_one_outcome(self):
        for number in range(300):
            made = generate.generate(5, number)
            self.assertEqual(scripts.read(made.text()), [made])
            self.assertIsNone(scripts.why_open(made))

    def test_the_same_seed_gives_the_same_script_and_another_one_another(self):
        self.assertEqual(generate.generate(5, 7), generate.generate(5, 7))
        self.assertNotEqual(generate.generate(5, 7), generate.generate(6, 7))

    def test_each_action_is_generated(self):
        verbs = {item[0] for number in range(300) for step in generate.generate(5, number).steps if step.actor != "advance" for item in step.items}
        self.assertEqual(len(verbs), 29)

    def test_bad_texts_are_refused_with_their_line(self):
        for text, line in [("p1 send p2", 1), ("script a loud", 1), ("script a blind\np1 sing\nend", 2), ("script a blind\np1 send p2 ;\nend", 2),
                           ("script a blind\nadvance soon\nend", 2), ("script a blind\nn1 send p2\nend", 2), ("script a blind\nscript b blind", 2)]:
            with self.assertRaisesRegex(scripts.BadScript, f"line {line}: "):
                scripts.read(text)
        with self.assertRaisesRegex(scripts.BadScript, "no 'end'"):
            scripts.read("script a blind")

    def test_bursts_with_more_than_one_outcome_are_named(self):
        for burst in ["p1 exit_to p2 boom ; link p2", "p1 exit_to p2 boom ; exit_to p3 bang", "p1 exit_to p2 boom ; whereis n1",
                      "p1 exit_to p2 boom ; alive p3", "p1 exit boom ; send p2", "p1 spawn p4 then crash ; monitor m1 p4",
                      "p1 monitor m1 p2 ; demonitor m1 info", "p1 send p2 ; take all", "p1 send a1 ; unalias a1",
                      "p1 spawn_link p4 then crash ; trap off"]:
            self.assertIsNotNone(scripts.why_open(script_of(burst)), burst)
        for burst in ["p1 send p2 ; exit_to p2 kill ; alive p2 ; monitor m1 p2", "p1 link p2 ; unlink p2 ; link p2", "p1 send p2 ; exit boom"]:
            self.assertIsNone(scripts.why_open(script_of(burst)), burst)

    def test_two_timers_for_one_moment_are_open(self):
        self.assertIsNotNone(scripts.why_open(script_of("p1 after t1 3 p2", "advance 1", "p1 await message p2 for 2")))
        self.assertIsNone(scripts.why_open(script_of("p1 after t1 3 p2", "advance 2", "p1 await message p2 for 2")))

    def test_renumbering_keeps_the_first_processes_and_closes_gaps(self):
        renumbered = scripts.renumbered(script_of("p9 monitor m7 p3 alias demonitor", "p3 send m7 ; spawn p12"))
        self.assertEqual([step.text() for step in renumbered.steps], ["p4 monitor m1 p3 alias demonitor", "p3 send m1 ; spawn p5"])


class Playing(unittest.TestCase):
    # Stands in for weft_differential: a script that sends to p1 ends it, one that sends to p2 hangs it.
    RUNNER = """#!/usr/bin/env python3
import os, sys, time
sys.path.insert(0, {here!r})
import script
for one in script.read(open(sys.argv[1]).read()):
    text = one.text()
    if "send p1" in text: os.abort()
    if "send p2" in text: time.sleep(600)
    print(f"script {{one.name}}\\nend", flush=True)
"""

    def play(self, *texts, patience=60):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory)
            runner = path / "runner"
            runner.write_text(self.RUNNER.format(here=str(pathlib.Path(__file__).resolve().parent)))
            runner.chmod(runner.stat().st_mode | stat.S_IXUSR)
            wanted = [scripts.Script(str(i), "blind", script_of(text).steps) for i, text in enumerate(texts)]
            return play.Sides([str(runner)], directory).play_on_weft(wanted, path, patience)

    def test_a_crash_belongs_to_the_script_in_which_it_came(self):
        outcome = self.play("p1 send p3", "p1 send p1", "p1 send p3")
        self.assertEqual((outcome["0"], outcome["2"]), ("end\n", "end\n"))
        self.assertIn("ended with -6", outcome["1"])

    def test_a_hang_belongs_to_the_script_in_which_it_came(self):
        outcome = self.play("p1 send p3", "p1 send p2", patience=5)
        self.assertEqual(outcome["0"], "end\n")
        self.assertIn("hangs", outcome["1"])

    def test_shrinking_leaves_what_is_needed(self):
        big = script_of(*["p1 send p2"] * 9, "p3 link p7 ; send p3 ; unlink p2", *["advance 1"] * 8, "p9 trap on", "p1 crash")

        def disagreeing(candidates):
            needed = (" link p", "trap on")
            return next((one for one in candidates if all(words in one.text() for words in needed) and "p3" in one.text()), None)

        small = play.shrink(big, disagreeing, scripts.why_open, scripts.renumbered)
        self.assertEqual([step.text() for step in small.steps], ["p3 link p4", "p5 trap on"])


if __name__ == "__main__":
    unittest.main()
