"""Derives exercises/ from solutions/ with nbgrader's own preprocessors: `python -m tools.exercises [NN ...]`.

With --check nothing is written or executed: it fails if a sheet is not what its solution gives.
"""

import sys
from pathlib import Path

import jupytext
import nbformat
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions, LockCells
from traitlets.config import Config

from .notebooks import ROOT, execute, read, sources, write

CONFIG = Config()
CONFIG.ClearSolutions.code_stub = {"python": 'raise NotImplementedError("your turn")'}
FORMAT = {"extension": ".py", "format_name": "percent"}
SOURCE_METADATA = {"cell_metadata_filter": "tags,nbgrader,-all", "notebook_metadata_filter": "-all"}


def derive(solution: Path) -> nbformat.NotebookNode:
    """The sheet of a solution: answers replaced by stubs, hidden tests gone, checks locked. Not executed."""
    notebook = read(solution)
    for preprocessor in (ClearSolutions, LockCells, ClearHiddenTests):
        notebook, _ = preprocessor(config=CONFIG).preprocess(notebook, {})
    notebook.metadata.pop("celltoolbar", None)
    waiting = False  # a check raises until its answer is there, and so does what plays with the answer
    for cell in notebook.cells:
        cell.source = cell.source.rstrip()
        if cell.cell_type == "markdown":
            waiting = False
        grader = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and (waiting or grader.get("grade")):
            waiting = True
            cell.metadata["tags"] = ["raises-exception"]
    return notebook


def as_source(notebook: nbformat.NotebookNode) -> str:
    copy = nbformat.from_dict(notebook)
    copy.metadata = nbformat.from_dict({"jupytext": SOURCE_METADATA})
    return jupytext.writes(copy, FORMAT)


def main(arguments: list[str]) -> int:
    check, chosen = "--check" in arguments, [word for word in arguments if word != "--check"]
    stale = []
    for solution in (path for path in sources(chosen) if path.parent.name == "solutions"):
        target = ROOT / "exercises" / solution.name
        text = as_source(derive(solution))
        if check:
            if not target.exists() or target.read_text(encoding="utf-8") != text:
                stale.append(target.name)
            continue
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
        notebook = read(target)
        execute(notebook, target.parent)  # a stub that does not raise where it should stops here
        write(notebook, target.with_suffix(".ipynb"))
        print(f"exercises/{target.name}")
    if stale:
        print(f"not what solutions/ gives: {' '.join(stale)}. Run `make exercises`; sheets are never edited by hand.")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
