"""gdb_test.py GDB WEFT_PY DEBUGGEE: weft.py on a program that stands still, and on its core file."""

import os
import re
import resource
import subprocess
import sys
import tempfile
import unittest

GDB = sys.argv[1]
SCRIPT, DEBUGGEE = (os.path.abspath(path) for path in sys.argv[2:4])
FUNCTIONS = r"(?s)#\d .*debuggee_waits_here.*debuggee_waits_here.*debuggee_waits_here"

COMMANDS = [
    "info weft", "weft bt waiter", "weft bt spinner", "weft bt hibernated", "weft mailbox waiter", "weft mailbox sleeper",
    "weft enter waiter", "bt", "weft leave", "bt 3", "print pid", "print message", "print reason", "print named", "weft bt <0.99999.1>",
]


def gdb(before, commands):
    """What gdb says to each command. One that fails does not stop the others."""
    arguments = [GDB, "-q", "-nx", "-batch", "-ex", "set pagination off", "-ex", "set confirm off", "-ex", "set debuginfod enabled off",
                 "-ex", "source " + SCRIPT]
    script = []
    for command in commands:
        script += ["echo \\n=== %s\\n" % command, command]
    with tempfile.NamedTemporaryFile("w", suffix=".gdb") as batch:
        # Python survives a command's error; a sourced script does not.
        batch.write("python\nimport gdb\nfor c in %r:\n  try:\n    gdb.execute(c)\n  except gdb.error as e:\n    print(e)\nend\n" % (script,))
        batch.flush()
        done = subprocess.run(arguments + before + ["-ex", "source " + batch.name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=300, check=False)
    said = dict(re.findall(r"(?s)\n=== ([^\n]*)\n(.*?)(?=\n=== |\Z)", done.stdout))
    missing = [c for c in commands if c not in said]
    if missing:
        raise RuntimeError("gdb did not answer %s:\n%s" % (missing, done.stdout))
    return said


class Shared:
    """The same for a program and for its core files."""

    said = {}

    def test_info_lists_every_process_with_what_it_does(self):
        listing = self.said["info weft"]
        self.assertRegex(listing, r"4 processes, 2 workers")
        self.assertRegex(listing, r"<0\.\d+\.\d+> waiting for message, mailbox 2, label one who waits, name waiter")
        self.assertRegex(listing, r"waiting for sleep, mailbox 0, label sleeper")
        self.assertRegex(listing, r"waiting for hibernated, mailbox 0, label hibernated")
        self.assertRegex(listing, r"running on worker [01], mailbox 0, label spinner")

    def test_bt_shows_where_a_process_waits(self):
        self.assertRegex(self.said["weft bt waiter"], FUNCTIONS)
        self.assertIn("debuggee.cpp:", self.said["weft bt waiter"])
        self.assertNotIn("corrupt", self.said["weft bt waiter"])

    def test_bt_ends_at_the_base_of_the_process(self):
        self.assertRegex(self.said["weft bt waiter"].strip().splitlines()[-1], r"weft_fiber_entry")

    def test_bt_shows_where_a_process_runs(self):
        self.assertIn("debuggee_spins_here", self.said["weft bt spinner"])

    def test_bt_says_that_there_is_no_stack(self):
        self.assertIn("It has no stack.", self.said["weft bt hibernated"])

    def test_bt_says_that_there_is_no_process(self):
        self.assertIn("No process <0.99999.1> lives.", self.said["weft bt <0.99999.1>"])

    def test_mailbox_shows_messages_oldest_first_with_their_values(self):
        self.assertRegex(self.said["weft mailbox waiter"], r"(?s)has 2 messages.*Parcel \{weight = 7, .*Uppsala.*Parcel \{weight = 8, .*Lund")
        self.assertIn("has 0 messages", self.said["weft mailbox sleeper"])

    def test_a_process_can_be_entered_and_left(self):
        self.assertRegex(self.said["bt"], r"(?s)debuggee_is_ready.*debuggee_waits_here.*weft_fiber_entry")
        self.assertNotIn("corrupt", self.said["bt"])
        self.assertRegex(self.said["bt 3"], r"(?s)debuggee_is_ready.*main")

    def test_values_print_as_what_they_mean(self):
        self.assertRegex(self.said["print pid"], r"<0\.\d+\.\d+>")
        self.assertRegex(self.said["print message"], r"Parcel \{weight = 9, .*Visby")
        self.assertIn("error std::runtime_error: boom", self.said["print reason"])
        self.assertIn("out_of_parcels", self.said["print named"])


class LiveProgram(Shared, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.said = gdb(["-ex", "break debuggee_is_ready", "-ex", "run", DEBUGGEE], COMMANDS + ["continue"])

    def test_the_program_goes_on_as_if_nothing_had_been(self):
        self.assertIn("exited normally", self.said["continue"])


class CoreThatGdbMade(Shared, unittest.TestCase):
    """gdb leaves memory out that has guard markers of the kernel in it, hence the guards of the older kind."""

    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            core = os.path.join(folder, "core")
            gdb(["-ex", "break debuggee_is_ready", "-ex", "run mprotect", DEBUGGEE], ["generate-core-file " + core])
            cls.said = gdb([DEBUGGEE, core], COMMANDS)


class CoreThatTheKernelMade(Shared, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open("/proc/sys/kernel/core_pattern") as pattern:
            if "/" in pattern.read():
                raise unittest.SkipTest("this system puts core files elsewhere")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([DEBUGGEE, "abort"], cwd=folder, check=False, stderr=subprocess.DEVNULL,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, [resource.getrlimit(resource.RLIMIT_CORE)[1]] * 2))
            cores = os.listdir(folder)
            if not cores:
                raise unittest.SkipTest("this system writes no core files")
            # It ended in abort(), where the values to print are not in sight.
            cls.said = gdb([DEBUGGEE, os.path.join(folder, cores[0])], [c for c in COMMANDS if not c.startswith("print")])

    test_values_print_as_what_they_mean = None

    def test_a_process_can_be_entered_and_left(self):
        self.assertRegex(self.said["bt"], r"(?s)#1 .*debuggee_waits_here.*weft_fiber_entry")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
