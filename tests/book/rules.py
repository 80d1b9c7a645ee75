"""What every notebook of the course has to keep. A rule takes the .py and its notebook and returns what is wrong."""

import json
import re
from pathlib import Path

from nbformat import NotebookNode

from tools.notebooks import (
    BUDGETS,
    EXERCISE,
    MEASURED,
    MOST_GIGABYTES,
    MOST_SECONDS,
    ROOT,
    TIMES,
    WIDGET,
    read,
    stated,
    times,
    words,
)

IGNORED = "nbval-ignore-output"
OPENING = ["What you need", "What we will measure"]
ENDING = ["Checkpoint", "Break it", "What we measured", "Limits", "Exercises", "References"]
OLD_FORM = ("00", "01", "02", "03", "07")  # they keep the order of the first template until they are revised
OLD_HEADINGS = [*OPENING, "A toy by hand", "The mathematics", "The code", "The experiment", *ENDING]
KINDS = ("verify", "modify", "investigate", "build", "debug", "challenge")
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
    advice = f"edit the .py, never the .ipynb, and run `make notebooks ONLY={path.stem[:2]}`"
    if path.parent.name == "exercises":
        advice = "if you answered in it, copy it to another folder first; then `make exercises`"
    source = [(c.cell_type, c.source, c.metadata, c.id) for c in read(path).cells]
    stored = [(c.cell_type, c.source, c.metadata, c.id) for c in notebook.cells]
    if source == stored:
        return []
    both = zip(source, stored, strict=False)
    first = next((i for i, (a, b) in enumerate(both) if a != b), min(len(source), len(stored)))
    return [f"cell {first} is not that of {path.name}: {advice}"]


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


def keeps_the_old_form(path: Path, notebook: NotebookNode) -> list[str]:
    """Title, question, the headings of the first template in their order."""
    text = prose(notebook)
    found = [heading for heading in re.findall(r"^## (.+)$", text, re.MULTILINE) if heading in OLD_HEADINGS]
    wrong = []
    if not re.match(rf"# {path.stem[:2]} · .+\n\n\*\*.+\?\*\*\n", text):
        wrong.append(f"the first cell must begin '# {path.stem[:2]} · Title', then the one question in bold")
    if found != OLD_HEADINGS:
        missing = [heading for heading in OLD_HEADINGS if heading not in found]
        wrong.append(f"the headings must be {', '.join(OLD_HEADINGS)}, in this order; missing: {', '.join(missing)}")
    return wrong


def follows_the_template(path: Path, notebook: NotebookNode) -> list[str]:
    """Title, times, question; opening, three to six numbered sections, ending; ◇ on headings of the third level."""
    text, wrong = prose(notebook), []
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    middle = found[len(OPENING) : -len(ENDING)]
    if not re.match(rf"# {path.stem[:2]} · .+\n\n{TIMES.pattern}\n\n\*\*.+\?\*\*\n", text):
        wrong.append(
            f"the first cell must begin '# {path.stem[:2]} · Title', then the line of times, then the question in bold"
        )
    if found[: len(OPENING)] != OPENING or found[-len(ENDING) :] != ENDING:
        wrong.append(f"the headings must be {', '.join(OPENING)}, then the sections, then {', '.join(ENDING)}")
    elif not 3 <= len(middle) <= 6 or any(not name.startswith(f"{n + 1} · ") for n, name in enumerate(middle)):
        wrong.append(f"between {OPENING[-1]} and {ENDING[0]} stand three to six sections, '## 1 · Name', not {middle}")
    loose = [line for line in re.findall(r"^.*◇.*$", text, re.MULTILINE) if not line.startswith("### ◇ ")]
    if len(loose) > 1:  # one sentence of the opening explains it
        wrong.append(f"◇ marks a heading of the third level, '### ◇ Name', that may be skipped; not {loose[1]!r}")
    return wrong


def starts_and_closes(path: Path, notebook: NotebookNode) -> list[str]:
    """Opens with course.start and closes with course.summary."""
    number, cells, wrong = path.stem[:2], code(notebook), []
    if not cells or f'course.start("{number}")' not in cells[0].source:
        wrong.append(f'the first code cell must call course.start("{number}")')
    if not cells or "course.summary()" not in cells[-1].source:
        wrong.append("the last code cell must call course.summary()")
    return wrong


def parts(notebook: NotebookNode) -> dict[str, list[NotebookNode]]:
    """The cells under each heading of the second level; a cell with such headings in it is split."""
    found, at = {"": []}, ""
    for cell in notebook.cells:
        pieces = re.split(r"^## (.+)$", cell.source, flags=re.MULTILINE) if cell.cell_type == "markdown" else [None]
        for i, piece in enumerate(pieces):
            if piece is None:
                found[at].append(cell)
            elif i % 2:
                at = piece
                found[at] = []
            elif piece.strip():
                found[at].append(NotebookNode(cell_type="markdown", source=piece.strip(), metadata={}))
    return found


def sections_are_cycles(path: Path, notebook: NotebookNode) -> list[str]:
    """Each asks before it computes, asserts something, and ends with what follows; equations name their code."""
    wrong = []
    for name, cells in parts(notebook).items():
        if not re.match(r"\d · ", name):
            continue
        kinds = [cell.cell_type for cell in cells]
        first = kinds.index("code") if "code" in kinds else len(kinds)
        if not any("?" in cell.source for cell in cells[:first]):
            wrong.append(f"section {name!r} does not ask anything before its first cell")
        if not any(re.search(r"^\s*(assert |course\.expect)", c.source, re.MULTILINE) for c in cells[first:]):
            wrong.append(f"section {name!r} asserts nothing")
        if "code" in kinds and kinds[-1] == "code":
            wrong.append(f"section {name!r} ends with a cell: say what came out and what follows")
    tagged = [
        found
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for found in re.findall(r"\\tag\{([^}]*)\}(.*?)(?=\\tag|\Z)", cell.source, re.DOTALL)
    ]
    for n, (tag, after) in enumerate(tagged):
        if tag not in (f"{path.stem[:2]}.{n + 1}", f"{int(path.stem[:2])}.{n + 1}"):
            wrong.append(f"equation {tag} is number {n + 1}: tag it {int(path.stem[:2])}.{n + 1}")
        if "`" not in after:
            wrong.append(f"equation {tag} does not name its function in the text below it")
    return wrong


def something_runs_soon(path: Path, notebook: NotebookNode) -> list[str]:
    """No more than 400 words between two cells that run."""
    wrong, waiting, told = [], 0, 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            waiting = 0
            continue
        waiting += words(cell.source.partition("\n## Limits")[0])
        if waiting > 400 and told < waiting:
            wrong.append(f"{waiting} words before something runs, near {cell.source[:40]!r}: 400 at most")
        told = waiting
    return wrong


def predictions_are_answered(path: Path, notebook: NotebookNode) -> list[str]:
    """Each is numbered, asked before a cell that runs, and answered by its number after it."""
    marks = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            marks.append(("code", 0))
        else:
            marks += [
                (kind, int(n)) for kind, n in re.findall(r"^\*(Predict|Answer) (\d+)\.\*", cell.source, re.MULTILINE)
            ]
    asked = [n for kind, n in marks if kind == "Predict"]
    wrong = []
    if not asked or asked != list(range(1, len(asked) + 1)):
        wrong.append(
            f"predictions are numbered '*Predict 1.*' and so on, at the beginning of a paragraph; found {asked}"
        )
    for n in asked:
        after = marks[marks.index(("Predict", n)) :]
        if ("Answer", n) not in after or ("code", 0) not in after[: after.index(("Answer", n))]:
            wrong.append(f"prediction {n} is not answered, '*Answer {n}.*', after a cell that shows it")
    return wrong


def has_its_diagram_its_showpiece_and_a_place_for_the_reader(path: Path, notebook: NotebookNode) -> list[str]:
    """One diagram of the idea; `MINE = None` once; one finished thing, with a comment on what is odd about it."""
    wrong, cells = [], notebook.cells
    if sum("show.diagram(" in cell.source for cell in code(notebook)) != 1:
        wrong.append("one cell shows the idea of the chapter with show.diagram")
    places = [cell for cell in code(notebook) if re.search(r"^MINE = None\b", cell.source, re.MULTILINE)]
    if len(places) != 1 or "mine" not in tags(places[0]):
        wrong.append("one cell, with the tag mine, has the line `MINE = None` for what the reader brings")
    shown = [i for i, cell in enumerate(cells) if "showpiece" in tags(cell)]
    if len(shown) != 1 or "odd" not in "".join(c.source for c in cells[shown[0] + 1 :][:1]):
        wrong.append("one cell has the tag showpiece, and the text after it says what is odd about what it made")
    return wrong


def lists_its_exercises(path: Path, notebook: NotebookNode) -> list[str]:
    """By number, with kind, minutes and difficulty; every kind occurs; the sheet has the same, if it is there."""
    listed = EXERCISE.findall(prose(notebook))
    wrong = []
    if [number for number, *_ in listed] != [f"{path.stem[:2]}.{n + 1}" for n in range(len(listed))]:
        wrong.append(f"exercises are listed in order, as '- {path.stem[:2]}.1 · verify · 10 min · ●○○○○ · text'")
    missing = set(KINDS) - {kind for _, kind, *_ in listed}
    if missing:
        wrong.append(f"there is no exercise of the kind {', '.join(sorted(missing))}")
    sheet = ROOT / "solutions" / path.name
    if sheet.exists() and [e[:4] for e in listed] != [e[:4] for e in EXERCISE.findall(prose(read(sheet)))]:
        wrong.append(f"number, kind, minutes or difficulty of an exercise is not as in solutions/{path.name}")
    return wrong


def sheet_has_every_kind(path: Path, notebook: NotebookNode) -> list[str]:
    """Minutes and difficulty for each; every kind; what is built takes 20 to 40 lines, in steps that are checked."""
    headings = [line for line in re.findall(r"^## .+$", prose(notebook), re.MULTILINE)]
    wrong = [
        f"{line!r} is not '## NN.n · kind · 10 min · ●○○○○ · Title'" for line in headings if not EXERCISE.match(line)
    ]
    exercises = {name: cells for name, cells in parts(notebook).items() if EXERCISE.match(f"## {name}")}
    kinds = {name.split(" · ")[1]: cells for name, cells in exercises.items()}
    if missing := set(KINDS) - set(kinds):
        wrong.append(f"there is no exercise of the kind {', '.join(sorted(missing))}")
    built = [cell for cell in kinds.get("build", ()) if cell.cell_type == "code"]
    answer = "\n".join(re.findall(r"### BEGIN SOLUTION\n(.*?)### END", "\n".join(c.source for c in built), re.DOTALL))
    lines = len([line for line in answer.splitlines() if line.strip()])
    steps = sum(bool(cell.metadata.get("nbgrader", {}).get("grade")) for cell in built)
    if built and (not 20 <= lines <= 40 or steps < 2):
        wrong.append(f"what is built takes 20 to 40 lines in at least two checked steps, not {lines} in {steps}")
    return wrong


def states_its_times(path: Path, notebook: NotebookNode) -> list[str]:
    """The line under the title is what was measured, or follows from the text."""
    known = json.loads(BUDGETS.read_text()).get(path.stem)
    said = TIMES.search(notebook.cells[0].source)
    right = known and times(notebook, known)
    if not known or not said or said[0] != right:
        return [f"the line under the title must be {right or 'measured'}: `make notebooks` writes it"]
    over = known["laptop"] > MOST_SECONDS or known["gigabytes"] > MOST_GIGABYTES
    return [f"{known} is over {MOST_SECONDS} s or {MOST_GIGABYTES} GB: make the chapter smaller"] if over else []


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
    most_outputs_are_compared, starts_and_closes, images_have_alt_text, citations_can_be_found,
]  # fmt: skip
IN_OLD_CHAPTERS = IN_CHAPTERS + [keeps_the_old_form, states_its_budget]
IN_NEW_CHAPTERS = IN_CHAPTERS + [
    follows_the_template, states_its_times, sections_are_cycles, something_runs_soon, predictions_are_answered,
    has_its_diagram_its_showpiece_and_a_place_for_the_reader, lists_its_exercises,
]  # fmt: skip


def rules_of(path: Path) -> list:
    """What a notebook has to keep: by its folder, and by its form."""
    old = path.stem[:2] in OLD_FORM
    if path.parent.name == "chapters":
        return IN_OLD_CHAPTERS if old else IN_NEW_CHAPTERS
    return EVERYWHERE + ([] if old or path.parent.name == "exercises" else [sheet_has_every_kind])


FOLDERS = ("chapters", "solutions", "exercises")  # not drafts, where a chapter may break every rule
NOTEBOOKS = sorted(
    path for folder in FOLDERS for path in (ROOT / folder).glob("[0-9]*.*") if path.suffix in (".py", ".ipynb")
)
