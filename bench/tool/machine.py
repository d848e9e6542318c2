"""Which machine, compiler and commit figures belong to."""

import datetime
import os
import pathlib
import platform
import re
import subprocess

# Two results are of the same machine if these agree. The rest is told beside them.
IDENTITY = ("cpu", "cores", "memory_gib", "system")


def cores():
    """Those that this program may use, in order."""
    return sorted(os.sched_getaffinity(0))


def describe(build, peers, scale, root):
    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(cores()),
        "memory_gib": round(int(_field("/proc/meminfo", "MemTotal").split()[0]) / 2**20),
        "system": f"{platform.system()} {platform.machine()}",
        "kernel": platform.release(),
        "compiler": _compiler(build),
        "commit": _commit(root),
        "measured": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "scale": scale,
        "load": round(os.getloadavg()[0], 1),  # what others did when measuring began
        "peers": peers,
    }


def one_line(machine):
    peers = ", ".join(f"{name} {version}" for name, version in machine.get("peers", {}).items())
    rounds = machine.get("rounds")
    return (f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['kernel']}; {machine['compiler']}; "
            f"commit {machine['commit']}; {machine['measured']}" + (f"; {rounds} rounds" if rounds else "")
            + (f"; work times {machine['scale']:g}" if machine["scale"] != 1 else "") + (f"; {peers}" if peers else ""))


def warnings(machine):
    """What makes the figures worth less than they look."""
    said = []
    if machine["scale"] != 1:
        said.append(f"The work is {machine['scale']:g} times the published one: budgets are for the published size, so this is a first look.")
    if machine.get("load", 0) > machine["cores"] / 2:
        said.append(f"The load of the machine was {machine['load']:g} when measuring began: others used its {machine['cores']} cores. "
                    "Peers and rounds were measured in turn, so all had their share of it, but the times are too long and the spreads wide.")
    return said


def _field(file, name):
    try:
        found = re.search(rf"^{name}\s*:\s*(.+)$", pathlib.Path(file).read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found.group(1).strip() if found else ""


def _output(*command, **options):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _compiler(build):
    """That of the build tree, by its own words."""
    try:
        cache = (build / "CMakeCache.txt").read_text()
    except OSError:
        return "unknown"
    found = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.+)$", cache, re.MULTILINE)
    said = _output(found.group(1), "--version") if found else ""
    return said.splitlines()[0] if said else "unknown"


def _commit(root):
    commit = _output("git", "rev-parse", "--short=10", "HEAD", cwd=root)
    if not commit:
        return "unknown"
    return commit + ("+changes" if _output("git", "status", "--porcelain", "--untracked-files=no", cwd=root) else "")
