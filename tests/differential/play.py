"""Plays scripts on both sides, and compares."""
import dataclasses
import pathlib
import subprocess
import tempfile

MISSING = "(no trace)"


class Broken(Exception):
    """A runner cannot do its work; not a disagreement."""


@dataclasses.dataclass(frozen=True)
class Sides:
    """The two runners. `weft` is the command line up to the file."""

    weft: list
    erlang_directory: str

    def play(self, scripts, seconds_each=0.2):
        """{name: (trace on weft, trace on Erlang)}."""
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory)
            (path / "scripts").write_text("".join(script.text() for script in scripts))
            patience = 120 + seconds_each * len(scripts)
            erlang = ["erl", "-noshell", "-noinput", "+S", "1:1", "-pa", self.erlang_directory, "-run", "runner", "main", str(path / "scripts")]
            with open(path / "erlang", "w") as out:
                on_erlang = subprocess.Popen(erlang, stdout=out, stderr=subprocess.PIPE, text=True)
            try:
                on_weft = self.play_on_weft(scripts, path, patience)
                _, errors = on_erlang.communicate(timeout=patience)
            except subprocess.TimeoutExpired:
                raise Broken(f"Erlang did not end within {patience:.0f} s") from None
            finally:
                on_erlang.kill()
            if on_erlang.returncode != 0:
                raise Broken(f"erl ended with {on_erlang.returncode}: {errors}")
            on_erlang_all = traces((path / "erlang").read_text())
        return {script.name: (on_weft[script.name], on_erlang_all.get(script.name, MISSING)) for script in scripts}

    def play_on_weft(self, scripts, path, patience):
        """A crash or a hang is part of the trace of the script in which it came; the scripts after it are played by another process."""
        done, left = {}, list(scripts)
        while left:
            (path / "left").write_text("".join(script.text() for script in left))
            with open(path / "weft", "w") as out:
                weft = subprocess.Popen([*self.weft, str(path / "left")], stdout=out, stderr=subprocess.PIPE, text=True)
                try:
                    _, errors = weft.communicate(timeout=patience)
                except subprocess.TimeoutExpired:
                    weft.kill()
                    _, errors = weft.communicate()
                    errors = f"hangs: not done within {patience:.0f} s\n{errors}"
            if weft.returncode == 2:
                raise Broken(errors)
            here = traces((path / "weft").read_text())
            done.update(here)
            if weft.returncode == 0:
                break
            # Traces are written whole, so the first script without one is the culprit.
            culprit = next((script for script in left if script.name not in here), left[-1])
            done[culprit.name] = f"weft_differential ended with {weft.returncode}\n{errors}"
            left = left[left.index(culprit) + 1:]
        return {script.name: done.get(script.name, MISSING) for script in scripts}


def traces(text):
    """{name: trace}"""
    found = {}
    for trace in text.split("script ")[1:]:
        name, _, rest = trace.partition("\n")
        found[name] = rest
    return found


# --- making a disagreement small ---


def shrink(script, disagreeing, why_open, renumbered):
    """The smallest script that can be had by leaving out steps, then items of bursts, and that still disagrees. `disagreeing(candidates)`
    gives the first of them that does, or None: they are played together, since starting the runners costs more than playing."""

    def first(candidates):
        return disagreeing([candidate for candidate in candidates if why_open(candidate) is None])

    def without(at, count):
        return script.with_steps(script.steps[:at] + script.steps[at + count:])

    size = len(script.steps)
    while size >= 1:
        smaller = first([without(at, size) for at in range(0, len(script.steps), size)])
        if smaller is None:
            size //= 2
        else:
            script = smaller
            size = min(size, max(1, len(script.steps)))
    while True:
        smaller = first([*single_items(script), *(without(at, 1) for at in range(len(script.steps)))])
        if smaller is None:
            break
        script = smaller
    return first([renumbered(script)]) or script


def single_items(script):
    for at, step in enumerate(script.steps):
        if len(step.items) > 1:
            for item in range(len(step.items)):
                fewer = dataclasses.replace(step, items=step.items[:item] + step.items[item + 1:])
                yield script.with_steps(script.steps[:at] + (fewer,) + script.steps[at + 1:])
