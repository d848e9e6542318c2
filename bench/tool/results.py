"""The file of results: {"machine": ..., "rows": [...]}, as written by --json and read by --baseline and --from."""

import json
import pathlib

from bench.tool.errors import Refused
from bench.tool.figures import kept_figure
from bench.tool.verdict import Cell


def rounded(value):
    """Five digits: more are noise, and make the files hard to read."""
    return None if value is None else float(f"{value:.5g}")


def to_json(machine, cells):
    rows = [{
        "row": cell.row.name,
        "workers": cell.workers,
        "value": rounded(cell.figure.value) if cell.figure else None,
        "unit": cell.row.unit,
        "spread": rounded(cell.figure.spread) if cell.figure else None,
        "budget": cell.budget,
        "peers": {name: rounded(figure.value) if figure else None for name, figure in cell.peers.items()},
        "verdict": cell.verdict.word,
    } for cell in cells]
    return {"machine": machine, "rows": rows}


def text_of(results):
    """One row a line, so that two files can be compared by eye."""
    rows = ",\n".join("    " + json.dumps(row) for row in results["rows"])
    return f'{{\n  "machine": {json.dumps(results["machine"])},\n  "rows": [\n{rows}\n  ]\n}}\n'


def write(path, text):
    try:
        pathlib.Path(path).write_text(text)
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror}") from None


def read(path, flag):
    try:
        results = json.loads(pathlib.Path(path).read_text())
        for row in results["rows"]:
            row["row"], row["workers"], row["value"], row["spread"], row["peers"], row["verdict"]  # noqa: B018
        results["machine"]["cpu"]
    except OSError as error:
        raise Refused(f"{flag} {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"{flag} {path}: not a file that --json wrote ({type(error).__name__}: {error})") from None
    return results


def cells_of(results, catalogue):
    """The cells of a file. Of the peers only the medians were kept, so their noise is not known."""
    known = {row.name: row for row in catalogue.rows} | {ratio.row.name: ratio.row for ratio in catalogue.ratios}
    cells = []
    for entry in results["rows"]:
        if entry["row"] not in known:
            continue
        figure = None if entry["value"] is None else kept_figure(entry["value"], entry["spread"])
        peers = {name: None if value is None else kept_figure(value, None) for name, value in entry["peers"].items()}
        cells.append(Cell(known[entry["row"]], entry["workers"], figure, peers, entry["verdict"]))
    return cells
