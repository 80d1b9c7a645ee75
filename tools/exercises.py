"""Derives exercises/ from solutions/ with nbgrader's own preprocessors: `python -m tools.exercises [NN ...]`.

A sheet into which somebody has written anything is left as it is: derived.json, beside the sheets, remembers what each
told when it was derived. With --check nothing is written or executed: it fails if a sheet is not what its solution
gives.
"""

import hashlib
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import jupytext
import nbformat
from nbgrader.preprocessors import ClearHiddenTests, ClearSolutions, LockCells
from traitlets.config import Config

from aigc.files import atomic

from .notebooks import KEPT, ROOT, execute, read, sources, write

CONFIG = Config()
CONFIG.ClearSolutions.code_stub = {"python": 'raise NotImplementedError("your turn")'}
FORMAT = {"extension": ".py", "format_name": "percent"}
SOURCE_METADATA = {"cell_metadata_filter": ",".join([*sorted(KEPT), "-all"]), "notebook_metadata_filter": "-all"}
FOLD = "<details><summary>What came out: open it when the check is silent</summary>\n\n{}\n\n</details>"


def derive(solution: Path) -> nbformat.NotebookNode:
    """The sheet of a solution: answers replaced by stubs, hidden tests gone, checks locked and folded. Not executed.

    Folded are conclusions, too: texts that are no heading and that neither an answer nor a prediction follows.
    """
    notebook = read(solution)
    for preprocessor in (ClearSolutions, LockCells, ClearHiddenTests):
        notebook, _ = preprocessor(config=CONFIG).preprocess(notebook, {})
    notebook.metadata.pop("celltoolbar", None)
    waiting = False  # a check raises until its answer is there, and so does what plays with the answer
    for cell in notebook.cells:
        cell.source = cell.source.rstrip()
        if cell.cell_type == "markdown" and cell.source.startswith("#"):
            waiting = False
        grader = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and not takes_answer(cell) and (waiting or grader.get("grade")):
            waiting = True
            cell.metadata["tags"] = ["raises-exception"]
        if grader.get("grade"):
            cell.metadata["jupyter"] = {"source_hidden": True}
    for cell, following in zip(notebook.cells, [*notebook.cells[1:], nbformat.v4.new_markdown_cell()]):
        conclusion = cell.cell_type == "markdown" and not cell.source.startswith("#")
        if conclusion and not takes_answer(following):
            cell.source = FOLD.format(cell.source)
    return notebook


def takes_answer(cell: nbformat.NotebookNode) -> bool:
    """Whether a learner writes into this cell: an answer, or a prediction."""
    return cell.metadata.get("nbgrader", {}).get("solution", False) or "prediction" in cell.metadata.get("tags", [])


def told(notebook: nbformat.NotebookNode) -> str:
    """A hash of what the cells of a sheet say. Outputs, metadata and empty cells do not count."""
    said = [(cell.cell_type, cell.source.strip()) for cell in notebook.cells if cell.source.strip()]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def derived() -> dict[str, str]:
    """What each sheet told when it was written last."""
    path = ROOT / "exercises" / "derived.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def touched(target: Path, ours: set[str | None]) -> list[str]:
    """The files of a sheet on disk that tell none of what is ours: what was written last, and what would be now."""
    found = []
    for path in (target, target.with_suffix(".ipynb")):
        try:
            if path.exists() and told(jupytext.read(path)) not in ours:
                found.append(path.name)
        except Exception:  # no notebook any more, and perhaps somebody's work all the same
            found.append(path.name)
    return found


def as_source(notebook: nbformat.NotebookNode) -> str:
    copy = nbformat.from_dict(notebook)
    copy.metadata = nbformat.from_dict({"jupytext": SOURCE_METADATA})
    return jupytext.writes(copy, FORMAT)


def main(arguments: list[str]) -> int:
    if "--help" in arguments:
        print(__doc__)
        return 0
    check, chosen = "--check" in arguments, [word for word in arguments if word != "--check"]
    stale, kept, known = [], 0, derived()
    solutions = [path for path in sources(chosen) if path.parent.name == "solutions"]
    if not solutions:
        print(f"no sheet has the number {' '.join(chosen)}: give it with two digits, as in ONLY=03")
        return 1
    for solution in solutions:
        target = ROOT / "exercises" / solution.name
        sheet = derive(solution)
        text, now = as_source(sheet), told(sheet)
        if check:
            here = target.read_text(encoding="utf-8") if target.exists() else ""
            if here != text or known.get(target.stem) != now:
                stale.append(target.name)
            continue
        if found := touched(target, {now, known.get(target.stem)}):
            kept += 1
            print(
                f"exercises/{target.stem} was left as it is: somebody has written into {' and '.join(found)}. To have "
                "the new sheet, move your copy (.ipynb and .py) into the folder my/ and run this again."
            )
            continue
        target.parent.mkdir(exist_ok=True)
        with TemporaryDirectory() as folder:
            unfinished = Path(folder) / target.name
            unfinished.write_text(text, encoding="utf-8", newline="\n")
            notebook = read(unfinished)
        execute(notebook, target.parent)  # a stub that should raise and does not stops here
        target.write_text(text, encoding="utf-8", newline="\n")
        write(notebook, target.with_suffix(".ipynb"))
        known[target.stem] = now
        with atomic(target.parent / "derived.json") as partial:
            partial.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")
        print(f"exercises/{target.name}")
    if stale:
        print(f"not what solutions/ gives: {' '.join(stale)}. Copy what you answered there; then `make exercises`.")
    return int(bool(stale or kept))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
