"""What every notebook of the course has to keep. A rule takes the .py and its notebook and returns what is wrong."""

import json
import re
from pathlib import Path

from nbformat import NotebookNode

from tools.notebooks import BUDGETS, MEASURED, MOST_GIGABYTES, MOST_SECONDS, ROOT, WIDGET, read, stated

IGNORED = "nbval-ignore-output"
HEADINGS = [
    "What you need", "What we will measure", "A toy by hand", "The mathematics", "The code", "The experiment",
    "Checkpoint", "Break it", "What we measured", "Limits", "Exercises", "References",
]  # fmt: skip
HIDDEN = r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS"  # no reader sees it
IDENTIFIER = re.compile(r"doi:10\.\d{4,9}/\S+|arXiv:\d{4}\.\d{4,5}|ISBN[ :]?[\d-]{9,}[\dX]")
LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]+)\)")


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def pair_agrees(path: Path, notebook: NotebookNode) -> list[str]:
    """The cells of the .ipynb are those of the .py, and their ids are made of their contents."""
    sheet = path.parent.name == "exercises"
    again = "make exercises" if sheet else f"make notebooks ONLY={path.stem[:2]}"
    source = [(c.cell_type, c.source, c.metadata, c.id) for c in read(path).cells]
    stored = [(c.cell_type, c.source, c.metadata, c.id) for c in notebook.cells]
    if source == stored:
        return []
    both = zip(source, stored, strict=False)
    first = next((i for i, (a, b) in enumerate(both) if a != b), min(len(source), len(stored)))
    return [f"cell {first} is not that of {path.name}: edit the .py, never the .ipynb, and run `{again}`"]


def every_cell_was_run(path: Path, notebook: NotebookNode) -> list[str]:
    """In order, from the top: a cell that was not run is not compared by nbval either."""
    counts = [cell.execution_count for cell in code(notebook)]
    if counts == list(range(1, len(counts) + 1)):
        return []
    first = next(i for i, count in enumerate(counts) if count != i + 1)
    return [f"code cell {first} has execution count {counts[first]}, not {first + 1}: run `make notebooks` again"]


def is_small(path: Path, notebook: NotebookNode) -> list[str]:
    size = len(json.dumps(notebook, ensure_ascii=False, indent=1).encode()) / 1000
    return [f"{size:.0f} kB of the 600 kB allowed: smaller figures, shorter sound"] if size > 600 else []


def most_outputs_are_compared(path: Path, notebook: NotebookNode) -> list[str]:
    ignored = sum(IGNORED in tags(cell) for cell in code(notebook))
    too_many = ignored > len(code(notebook)) / 2
    return [f"{ignored} of {len(code(notebook))} code cells ignore their output: assert what must hold"] * too_many


def cells_are_short(path: Path, notebook: NotebookNode) -> list[str]:
    seen = [re.sub(HIDDEN, "", cell.source, flags=re.DOTALL).strip() for cell in code(notebook)]
    longest = max((len(source.splitlines()) for source in seen), default=0)
    return [f"a code cell of {longest} lines: 25 at most, one idea a cell"] if longest > 25 else []


def stores_nothing_that_varies(path: Path, notebook: NotebookNode) -> list[str]:
    """No timings, no widget state, no warnings, and no errors but those that a stub must raise."""
    wrong = [f"metadata {key!r} differs by machine" for key in notebook.metadata if key not in METADATA]
    for i, cell in enumerate(code(notebook)):
        for output in cell.outputs:
            if WIDGET in output.get("data", {}):
                wrong.append(f"code cell {i} stores a widget, which shows as an error later")
            if output.output_type == "stream" and output.name == "stderr":
                wrong.append(f"code cell {i} stores a warning: {output.text[:60]!r}")
            if output.output_type == "error" and "raises-exception" not in tags(cell):
                wrong.append(f"code cell {i} stores an error: {output.ename}")
    return [f"{what}; run `make notebooks` again" for what in wrong]


METADATA = ("kernelspec", "language_info")


def follows_the_template(path: Path, notebook: NotebookNode) -> list[str]:
    """Title, question, headings in their order; opens with course.start and closes with course.summary."""
    number, text, cells = path.stem[:2], prose(notebook), code(notebook)
    found = [heading for heading in re.findall(r"^## (.+)$", text, re.MULTILINE) if heading in HEADINGS]
    wrong = []
    if not re.match(rf"# {number} · .+\n\n\*\*.+\?\*\*\n", text):
        wrong.append(f"the first cell must begin '# {number} · Title', then the one question in bold")
    if found != HEADINGS:
        missing = [heading for heading in HEADINGS if heading not in found]
        wrong.append(
            f"the headings must be {', '.join(HEADINGS)}, in this order; missing: {', '.join(missing) or 'none'}"
        )
    if not cells or f'course.start("{number}")' not in cells[0].source:
        wrong.append(f'the first code cell must call course.start("{number}")')
    if not cells or "course.summary()" not in cells[-1].source:
        wrong.append("the last code cell must call course.summary()")
    return wrong


def states_its_budget(path: Path, notebook: NotebookNode) -> list[str]:
    known = json.loads(BUDGETS.read_text()).get(path.stem)
    said = [match[0] for match in MEASURED.finditer(notebook.cells[0].source)]
    if not known or said != [stated(known)]:
        line = "'Measured: 0 s on a plain laptop, 0 GB.'"
        return [f"the first cell must say what {BUDGETS.name} knows, {known}: write {line}, then `make notebooks`"]
    over = known["laptop"] > MOST_SECONDS or known["gigabytes"] > MOST_GIGABYTES
    return [f"{known} is over {MOST_SECONDS} s or {MOST_GIGABYTES} GB: make the chapter smaller"] if over else []


def images_have_alt_text(path: Path, notebook: NotebookNode) -> list[str]:
    wrong = [f"{m[0]} has no alt text" for m in LINK.finditer(prose(notebook)) if m[0][0] == "!" and not m[1].strip()]
    wrong += [f"{tag} has no alt text" for tag in re.findall(r"<img(?![^>]*\balt=.[^\"'])[^>]*>", prose(notebook))]
    for i, cell in enumerate(code(notebook)):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}) and not output.metadata.get("image/png", {}).get("alt"):
                wrong.append(f"a figure of code cell {i} has no alt text: show it with show.figure(fig, alt=...)")
    return wrong


def links_resolve(path: Path, notebook: NotebookNode) -> list[str]:
    """Of links inside the course: the file exists, and so does the heading after a #."""
    anchors = {heading.strip().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", prose(notebook), re.MULTILINE)}
    wrong = []
    for target in [match[2] for match in LINK.finditer(prose(notebook))]:
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        if file and not (path.parent / file).exists():
            wrong.append(f"the link {target} leads to no file")
        if not file and anchor not in anchors:
            wrong.append(f"the link {target} leads to no heading of this notebook")
    return wrong


def citations_can_be_found(path: Path, notebook: NotebookNode) -> list[str]:
    """Every entry under References has a DOI, an arXiv id or an ISBN, and is cited by its first author above."""
    body, _, references = prose(notebook).partition("\n## References\n")
    entries = [" ".join(entry.split()) for entry in re.split(r"^- ", references, flags=re.MULTILINE)[1:]]
    wrong = [f"no DOI, arXiv id or ISBN in: {entry[:70]}" for entry in entries if not IDENTIFIER.search(entry)]
    authors = [entry.split(",")[0].split(" ")[-1] for entry in entries]
    wrong += [f"{name} stands under References, but is not cited" for name in authors if name not in body]
    return wrong + (["there is no entry under References"] if not entries else [])


EVERYWHERE = [
    pair_agrees, every_cell_was_run, is_small, cells_are_short, stores_nothing_that_varies, links_resolve,
]  # fmt: skip
IN_CHAPTERS = EVERYWHERE + [
    most_outputs_are_compared, follows_the_template, states_its_budget, images_have_alt_text, citations_can_be_found,
]  # fmt: skip
FOLDERS = {"chapters": IN_CHAPTERS, "solutions": EVERYWHERE, "exercises": EVERYWHERE}
NOTEBOOKS = sorted(
    path for folder in FOLDERS for path in (ROOT / folder).glob("[0-9]*.*") if path.suffix in (".py", ".ipynb")
)
