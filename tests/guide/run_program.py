"""run_program.py PROGRAM [EXPECTED]: runs it; its exit code must be 0 and its output the file's, any pid standing for any other."""
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from guide_pages import without_pids

ran = subprocess.run([sys.argv[1]], stdout=subprocess.PIPE, text=True, timeout=100, check=False)
print(ran.stdout, end="")
if ran.returncode != 0:
    sys.exit(f"exit code {ran.returncode}")
if len(sys.argv) > 2 and without_pids(ran.stdout) != without_pids(Path(sys.argv[2]).read_text()):
    sys.exit(f"--- the guide promises ---\n{Path(sys.argv[2]).read_text()}")
