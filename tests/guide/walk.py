"""walk.py --page PAGE (--install BUILD --cxx COMPILER | --program FILE)

Does in an empty folder what the page tells its reader: writes the page's files, types its commands into one shell, and compares what they
print with what the page shows. --install: against weft installed from BUILD, in a home of its own. --program: the page's program is there
already, its build commands are left out. The page's port 7000 is replaced by a free one.
"""
import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from guide_pages import blocks_of, files_of, without_pids

PAGE_PORT = "7000"
MARK = "@@block "


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def steps_of(blocks, with_build):
    """Each block of commands, with the output that is promised after it or None."""
    steps = []
    for block, after in zip(blocks, [*blocks[1:], None]):
        if "walk" in block.words and (with_build or "build" not in block.words):
            steps.append((block, after.text if after is not None and "output" in after.words else None))
    return steps


def run_shell(script, folder, home, cxx, timeout):
    environment = {**os.environ, "HOME": str(home), "CXX": cxx, "CMAKE_GENERATOR": "Ninja"}
    environment.pop("CMAKE_PREFIX_PATH", None)
    shell = subprocess.Popen(["bash", "-e"], cwd=folder, env=environment, start_new_session=True, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        return shell.communicate(script, timeout=timeout)[0], shell.returncode
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        return shell.communicate()[0], "a time-out"
    finally:
        try:
            os.killpg(shell.pid, signal.SIGKILL)  # What the page's commands left running.
        except ProcessLookupError:
            pass


def walk(page, home, build, cxx, program):
    folder = home / "empty"
    folder.mkdir()
    blocks = blocks_of(page)
    for name, parts in files_of(blocks).items():
        (folder / name).write_text("".join(part.text for part in parts))
    if build:
        subprocess.run(["cmake", "--install", build, "--prefix", str(home / "weft")], check=True, stdout=subprocess.DEVNULL)
    else:
        (folder / "build").mkdir()
        shutil.copy(program, folder / "build" / page.stem)

    port = free_port()
    steps = steps_of(blocks, with_build=build is not None)
    script = "".join(f"echo '{MARK}{i}'\n{block.text}" for i, (block, _) in enumerate(steps)).replace(PAGE_PORT, port)
    printed, code = run_shell(script, folder, home, cxx, timeout=500 if build else 100)
    print(printed)
    for log in folder.glob("*.log"):
        print(f"--- {log.name} ---\n{log.read_text()}")
    if code != 0:
        sys.exit(f"{page.name}: the walk ended with {code}")
    outputs = printed.split(MARK)[1:]
    if len(outputs) != len(steps):
        sys.exit(f"{page.name}: {len(outputs)} of {len(steps)} blocks were run")
    for (block, promised), output in zip(steps, outputs):
        got = without_pids(output.partition("\n")[2])
        if promised is not None and got != without_pids(promised.replace(PAGE_PORT, port)):
            sys.exit(f"{block.where} printed:\n{got}--- the page promises ---\n{promised}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--install")
    parser.add_argument("--cxx", default="g++")
    parser.add_argument("--program")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        walk(arguments.page, Path(scratch), arguments.install, arguments.cxx, arguments.program)


main()
