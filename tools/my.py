"""A learner's own sheets: `python -m tools.my [NN ...]` puts a copy of each sheet of exercises/ into my/.

A copy that somebody has written into is never changed. Where the course's sheet has changed since, the new one is put
beside it as NN_slug.updated.ipynb, with the answers, predictions and cells of the old one in their places.
With --check the sheets in my/ are run, and each exercise is told: passed, not begun, or the hint of its check.
"""

import hashlib
import re
import sys
from itertools import count

import nbformat
from nbformat import NotebookNode

from . import notebooks
from .exercises import derived, takes_answer, told
from .notebooks import EXERCISE, Client, prose, read, write
from .processors import environment

LIMIT = 120  # seconds for one cell


def key(cell: NotebookNode) -> str:
    """What a cell keeps from one version of its sheet to the next."""
    return cell.metadata.get("nbgrader", {}).get("grade_id") or cell.id


def said(cell: NotebookNode) -> str:
    return hashlib.sha256(cell.source.strip().encode()).hexdigest()[:12]


def stored(stem: str) -> NotebookNode | None:
    """The notebook in exercises/, in which somebody may have answered; None where it cannot be read."""
    try:
        return nbformat.read(notebooks.ROOT / "exercises" / f"{stem}.ipynb", 4)
    except (OSError, ValueError, nbformat.ValidationError):
        return None


def course_sheet(stem: str) -> NotebookNode:
    """The course's sheet, without outputs, and with what it says kept in its metadata."""
    sheet = stored(stem)
    if sheet is None or told(sheet) != derived().get(stem):  # somebody has written into it
        sheet = read(notebooks.ROOT / "exercises" / f"{stem}.py")
    for cell in sheet.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    sheet.metadata["aigc"] = {"sheet": told(sheet), "cells": {key(cell): said(cell) for cell in sheet.cells}}
    return sheet


def origin(mine: NotebookNode) -> dict:
    return mine.metadata.get("aigc") or {"sheet": None, "cells": {}}


def written(mine: NotebookNode) -> list[NotebookNode]:
    """The cells into which somebody has written since the copy was made."""
    return [cell for cell in mine.cells if changed(cell, origin(mine)["cells"])]


def changed(cell: NotebookNode, known: dict[str, str]) -> bool:
    return bool(cell.source.strip()) and known.get(key(cell)) != said(cell)


def carried(mine: NotebookNode, sheet: NotebookNode) -> NotebookNode:
    """The new sheet with what was written into the old one.

    Answers and predictions come into their places, and so does what was changed in a cell that the course left as it
    was; every other cell that somebody wrote follows the one that it stood behind.
    """
    places = {key(cell): cell for cell in sheet.cells}
    known, before, follow = origin(mine)["cells"], None, {}
    for cell in mine.cells:
        name, new = key(cell), places.get(key(cell))
        if changed(cell, known) and new is not None and (takes_answer(cell) or known.get(name) == said(new)):
            new.source = cell.source
        elif changed(cell, known) and (new is None or said(new) != said(cell)):
            own = nbformat.from_dict(cell)
            own.metadata, own.id = nbformat.from_dict({}), f"own-{len(follow)}-{said(cell)}"
            follow.setdefault(before, []).append(own)
        before = name if new is not None else before
    cells = list(follow.get(None, []))
    for cell in sheet.cells:
        cells += [cell, *follow.get(key(cell), [])]
    sheet.cells = cells
    return sheet


def fetch(stem: str) -> str:
    """Make the copy, or offer an update of it. Returns what was done, in words; empty where nothing had to be."""
    folder = notebooks.ROOT / "my"
    target, sheet = folder / f"{stem}.ipynb", course_sheet(stem)
    if not target.exists():
        folder.mkdir(exist_ok=True)
        there = stored(stem)
        touched = there is not None and told(there) != origin(sheet)["sheet"]
        write(carried(there, sheet) if touched else sheet, target)
        return f"my/{target.name}"
    try:
        mine = nbformat.read(target, 4)
        mine_written = written(mine)
    except Exception:
        return f"my/{target.name} cannot be read, and was left as it is. Move it away to have a new one."
    if origin(mine)["sheet"] == origin(sheet)["sheet"]:
        return ""
    if not mine_written:
        write(sheet, target)
        return f"my/{target.name}: nothing was written into it, and the course has a new one"
    for number in count(1):
        beside = folder / f"{stem}.updated{'' if number == 1 else number}.ipynb"
        if not beside.exists():
            write(carried(mine, sheet), beside)
            return f"my/{beside.name}: the course has changed this sheet; your answers are in it. Yours stays as it is."
        try:
            if origin(nbformat.read(beside, 4))["sheet"] == origin(sheet)["sheet"]:
                return ""  # it was offered before
        except Exception:  # damaged: perhaps somebody's work
            continue


def examine(stem: str) -> list[tuple[str, str, str]]:
    """(number, title, outcome) of each check of a learner's sheet, which is run with the checks of the course."""
    mine = nbformat.read(notebooks.ROOT / "my" / f"{stem}.ipynb", 4)
    sheet = course_sheet(stem)
    ours = {key(cell): cell for cell in sheet.cells if cell.metadata.get("nbgrader", {}).get("grade")}
    for cell in mine.cells:
        if key(cell) in ours:
            cell.source = ours[key(cell)].source
    client = Client(
        mine, timeout=LIMIT, interrupt_on_timeout=True, allow_errors=True, kernel_name="python3",
        resources={"metadata": {"path": str(notebooks.ROOT / "my")}},
    )  # fmt: skip
    client.execute(env=environment("here"))
    titles = {found[1]: found[5] for found in EXERCISE.finditer(prose(sheet))}
    outcomes = {key(cell): outcome(cell) for cell in mine.cells if key(cell) in ours}
    rows = []
    for name in ours:
        chapter, number, *step = name.removesuffix("-check").split("-")
        title = titles.get(f"{chapter}.{number}", "")
        rows.append((" ".join([f"{chapter}.{number}", *step]), title, outcomes.get(name, "its check was removed")))
    return rows


def outcome(check: NotebookNode) -> str:
    errors = [output for output in check.outputs if output.output_type == "error"]
    if not errors:
        return "passed"
    name, text = errors[0].ename, re.sub(r"\s+", " ", errors[0].evalue).strip()
    if name == "NotImplementedError":
        return "not begun"
    return text if name == "AssertionError" and text else f"{name} in your own code: {text}"


def chosen(words: list[str]) -> list[str]:
    """The stems of the sheets with these numbers; of all, if none is given."""
    stems = sorted(path.stem for path in (notebooks.ROOT / "exercises").glob("[0-9]*.ipynb"))
    return [stem for stem in stems if not words or stem.split("_")[0] in words]


def main(arguments: list[str]) -> int:
    if "--help" in arguments:
        print(__doc__)
        return 0
    check, words = "--check" in arguments, [word for word in arguments if word != "--check"]
    stems = chosen(words)
    if not stems:
        print(f"no sheet has the number {' '.join(words)}: give it with two digits, as in ONLY=03")
        return 1
    for stem in stems:
        if done := fetch(stem):
            print(done, flush=True)
        if check:
            rows = examine(stem)
            for number, title, said_of_it in rows:
                print(f"{number:8} {title}: {said_of_it}")
            passed = sum(said_of_it == "passed" for *_, said_of_it in rows)
            print(f"my/{stem}.ipynb: {passed} of {len(rows)} checks pass\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
