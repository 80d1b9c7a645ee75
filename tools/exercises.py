"""Derives exercises/ from solutions/ with nbgrader's own preprocessors: `python -m tools.exercises [NN ...]`.

A sheet into which somebody wrote an answer is left as it is. With --check nothing is written or executed: it fails if a
sheet is not what its solution gives.
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


def answers(notebook: nbformat.NotebookNode) -> dict[str, str]:
    """The answer cells of a sheet, by their ids."""
    graders = [(cell.metadata.get("nbgrader", {}), cell.source) for cell in notebook.cells]
    return {grader["grade_id"]: source.strip() for grader, source in graders if grader.get("solution")}


def edited(target: Path, sheet: nbformat.NotebookNode) -> list[str]:
    """The ids of answers on disk, in the .py or the .ipynb of a sheet, that are not the stubs of this sheet."""
    stubs, there = answers(sheet), [path for path in (target, target.with_suffix(".ipynb")) if path.exists()]
    found = {key for path in there for key, source in answers(jupytext.read(path)).items() if source != stubs.get(key)}
    return sorted(found)


def as_source(notebook: nbformat.NotebookNode) -> str:
    copy = nbformat.from_dict(notebook)
    copy.metadata = nbformat.from_dict({"jupytext": SOURCE_METADATA})
    return jupytext.writes(copy, FORMAT)


def main(arguments: list[str]) -> int:
    check, chosen = "--check" in arguments, [word for word in arguments if word != "--check"]
    stale, kept = [], 0
    solutions = [path for path in sources(chosen) if path.parent.name == "solutions"]
    if not solutions:
        print(f"no sheet has the number {' '.join(chosen)}: give it with two digits, as in ONLY=03")
        return 1
    for solution in solutions:
        target = ROOT / "exercises" / solution.name
        sheet = derive(solution)
        text = as_source(sheet)
        if check:
            if not target.exists() or target.read_text(encoding="utf-8") != text:
                stale.append(target.name)
            continue
        if found := edited(target, sheet):
            kept += 1
            print(
                f"exercises/{target.stem} was left as it is: somebody answered {', '.join(found)} in it. To have the "
                "new sheet, move your copy (.ipynb and .py) to another folder and run this again."
            )
            continue
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
        notebook = read(target)
        execute(notebook, target.parent)  # a stub that does not raise where it should stops here
        write(notebook, target.with_suffix(".ipynb"))
        print(f"exercises/{target.name}")
    if stale:
        print(f"not what solutions/ gives: {' '.join(stale)}. Copy what you answered there; then `make exercises`.")
    return int(bool(stale or kept))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
