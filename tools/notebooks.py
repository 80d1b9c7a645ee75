"""Executes the .py of chapters and solutions and writes their .ipynb: `python -m tools.notebooks [NN ...]`.

They run as on a plain laptop (tools.processors), whatever machine builds them, if it can do so. But for the line that
names the machine, nothing that differs from run to run is stored: no timings, no widget state, no random cell ids. A
notebook that fails leaves the old file as it was.
"""

import hashlib
import json
import os
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import jupytext
import nbformat
import torch
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from aigc.files import atomic
from aigc.machine import precision

from . import picture
from .processors import ROOT, cannot, environment

BUDGETS = ROOT / "data" / "budgets.json"
TIMES = re.compile(r"\*read \d+ min · do \d+ min · run \d+ s\*")  # under the title of a chapter
EXERCISE = re.compile(
    r"^(?:- |## )(\d\d\.\d+) · (\w+) · (\d+) min · (?=[●○]{5} )(●+○*) · (.+)$", re.MULTILINE
)  # number, kind, minutes, difficulty, title
WORDS, LINES = 150, 15  # of prose and of code that somebody reads in a minute, in a second language
MOST_SECONDS, MOST_GIGABYTES = 90, 3.0
WIDGET = "application/vnd.jupyter.widget-view+json"
KEPT = {"tags", "nbgrader", "jupyter"}  # of a cell's metadata


def sources(chosen: list[str]) -> list[Path]:
    """The .py of all chapters and solutions; or of those whose number was given, and then of the drafts too."""
    folders = ["chapters", "chapters/zh", "solutions"] + ["drafts"] * bool(chosen)
    found = sorted(p for folder in folders for p in (ROOT / folder).glob("[0-9]*.py"))
    return [path for path in found if not chosen or path.stem.split("_")[0] in chosen]


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook of a .py: cells whose ids are made of their contents, and metadata that fit every machine."""
    notebook = jupytext.read(path)
    seen = {}
    for cell in notebook.cells:
        content = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        seen[content] = seen.get(content, 0) + 1
        cell.id = content if seen[content] == 1 else f"{content}-{seen[content]}"
        cell.metadata = nbformat.from_dict({key: value for key, value in cell.metadata.items() if key in KEPT})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


class Client(NotebookClient):
    def handle_comm_msg(self, outs, msg, cell_index):
        """Widgets stay in the kernel: a stored page has none, and nbclient 0.11 can wait for ever for their answers."""


def execute(notebook: nbformat.NotebookNode, folder: Path, row: str = "here", **more: str) -> None:
    """Fill in the outputs, as on the processor of this row, with more variables. Raises CellExecutionError."""
    client = Client(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=environment(row) | more)
    notebook.metadata.pop("widgets", None)
    notebook.metadata.language_info = {"name": "python"}  # its version is the machine's
    for cell in notebook.cells:
        if cell.cell_type == "code":  # a widget without its state is an error message
            cell.outputs = [output for output in cell.outputs if WIDGET not in output.get("data", {})]
        for output in cell.get("outputs", []):
            if output.output_type == "error":  # where the course lies on this machine is nobody's business
                output.traceback = [line.replace(f"{ROOT}{os.sep}", "") for line in output.traceback]


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    nbformat.validate(notebook)
    with atomic(path) as partial:
        partial.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")


def peak() -> float | None:
    """GB of memory that the largest child of this process took; None where the system does not tell, as Windows."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1e9 if sys.platform == "darwin" else 1e6  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / unit


def measured(notebook: nbformat.NotebookNode, folder: Path, row: str) -> tuple[nbformat.NotebookNode, dict]:
    """The executed notebook, and its seconds and GB. Call it in a process of its own."""
    started = time.perf_counter()
    execute(notebook, folder, row)
    found = {"seconds": time.perf_counter() - started, "gigabytes": peak()}
    return notebook, {name: value for name, value in found.items() if value is not None}


def apart(path: Path, row: str) -> tuple[nbformat.NotebookNode, dict]:
    """`measured`, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own:
        return own.submit(measured, read(path), path.parent, row).result()


def prose(notebook: nbformat.NotebookNode) -> str:
    """All its text, one cell after another."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def words(text: str) -> int:
    """How many words of prose somebody reads in it: no formulas, tags or targets of links; 字 counts as one."""
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]*\$|<[^>\n]+>|\]\([^)\s]*\)", " ", text, flags=re.DOTALL)
    return len(re.findall(r"[A-Za-z][\w'’-]*|[\u4e00-\u9fff]", text))


def times(notebook: nbformat.NotebookNode, budget: dict) -> str:
    """The line under a title: minutes to read the chapter, minutes to do its exercises, seconds to run it."""
    text = prose(notebook).partition("\n## References")[0]
    lines = sum(len(cell.source.splitlines()) for cell in notebook.cells if cell.cell_type == "code")
    do = sum(int(minutes) for _, _, minutes, _, _ in EXERCISE.findall(text))
    return f"*read {round(words(text) / WORDS + lines / LINES)} min · do {do} min · run {budget['laptop']} s*"


def budget(path: Path, notebook: nbformat.NotebookNode, fresh: dict) -> None:
    """Write what a chapter takes into its head, its .py and budgets.json, if it changed by more than noise."""
    known = json.loads(BUDGETS.read_text()) if BUDGETS.exists() else {}
    old = known.get(path.stem, {"laptop": 0, "gigabytes": 0})
    fresh = {"gigabytes": old["gigabytes"]} | fresh
    if fresh["laptop"] > MOST_SECONDS or fresh["gigabytes"] > MOST_GIGABYTES:
        raise ValueError(
            f"{path.name} took {fresh['laptop']} s and {fresh['gigabytes']} GB; "
            f"a chapter has {MOST_SECONDS} s and {MOST_GIGABYTES:.0f} GB: make it smaller"
        )
    noise = {"laptop": max(3, 0.2 * fresh["laptop"]), "bfloat16": max(3, 0.2 * fresh["laptop"]), "gigabytes": 0.2}
    if any(abs(value - old.get(name, 0)) > noise[name] for name, value in fresh.items()):
        known[path.stem] = old = fresh
        with atomic(BUDGETS) as partial:
            partial.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    text = path.read_text(encoding="utf-8")
    said = TIMES.sub(times(notebook, old), text, count=1)
    if said != text:
        with atomic(path) as partial:
            partial.write_text(said, encoding="utf-8")
        for cell, fresh_cell in zip(notebook.cells, read(path).cells, strict=True):
            cell.source, cell.id = fresh_cell.source, fresh_cell.id


def main(chosen: list[str]) -> int:
    if "--help" in chosen:
        print(__doc__)
        return 0
    paths = sources(chosen)
    if not paths:
        print(f"no chapter has the number {' '.join(chosen)}: give it with two digits, as in ONLY=03")
        return 1
    failed = []
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    for path in paths:
        try:
            row = "here" if cannot("laptop") else "laptop"
            notebook, took = apart(path, row)
            if path.parent.name not in ("solutions", "drafts"):
                for _ in range(2):  # a busy machine makes a chapter slower, never faster: the least of three counts
                    if took["seconds"] > MOST_SECONDS:
                        took = min(took, apart(path, row)[1], key=lambda found: found["seconds"])
                fresh = {"laptop": round(took["seconds"])}
                if "gigabytes" in took:
                    fresh["gigabytes"] = round(took["gigabytes"], 1)
                if precision() is torch.bfloat16:
                    fresh["bfloat16"] = round(apart(path, "here")[1]["seconds"])
                budget(path, notebook, fresh)
            write(notebook, path.with_suffix(".ipynb"))
            if path == ROOT / "chapters" / "00_first_flight.py":
                picture.main()
            print(f"{path.relative_to(ROOT)}: " + ", ".join(f"{k} {v:.1f}" for k, v in took.items()), flush=True)
        except (CellExecutionError, ValueError) as error:
            failed.append(path.name)
            print(f"{path.relative_to(ROOT)} failed; its .ipynb is as it was.\n{error}", flush=True)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
