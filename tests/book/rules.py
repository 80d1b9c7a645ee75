"""What every notebook of the course has to keep. A rule takes the .py and its notebook and returns what is wrong."""

import ast
import json
import re
from itertools import zip_longest
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tools.notebooks import (
    BUDGETS,
    EXERCISE,
    MOST_GIGABYTES,
    MOST_SECONDS,
    ROOT,
    TIMES,
    WIDGET,
    prose,
    read,
    times,
    words,
)

IGNORED = "nbval-ignore-output"
OPENING = ["What you need", "What we will measure"]
ENDING = ["Checkpoint", "Break it", "What we measured", "Limits", "Exercises", "References"]
WITHOUT_SHEET = ("00",)  # the first flight asks for nothing to hand in
KINDS = ("verify", "modify", "investigate", "build", "debug", "challenge")
HIDDEN = r"### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS"  # no reader sees it
IDENTIFIER = re.compile(r"doi:10\.\d{4,9}/\S+|arXiv:\d{4}\.\d{4,5}|ISBN[ :]?[\d-]{9,}[\dX]")
LINK = re.compile(r"""!?\[([^\]]*)\]\(\s*<?([^)>\s]+(?: [^)>"']+)?)>?(?:\s+["'][^)]*)?\)""")


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def pair_agrees(path: Path, notebook: NotebookNode) -> list[str]:
    """The cells of the .ipynb are those of the .py, and their ids are made of their contents."""
    advice = f"edit the .py, never the .ipynb, and run `make notebooks ONLY={path.stem[:2]}`"
    if path.parent.name == "exercises":
        advice = "if you answered in it, copy it into my/ first; then `make exercises`"
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
    """But for checks, which are folded."""
    read = [cell for cell in code(notebook) if not cell.metadata.get("nbgrader", {}).get("grade")]
    seen = [re.sub(HIDDEN, "", cell.source, flags=re.DOTALL).strip() for cell in read]
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
            if re.search(r"File (\x1b\[[\d;]*m|\s)*(/|[A-Z]:)", "\n".join(output.get("traceback", []))):
                wrong.append(f"code cell {i} stores a path of this machine")
    return [f"{what}; run `make notebooks` again" for what in wrong]


METADATA = ("kernelspec", "language_info")


def starts_and_closes(path: Path, notebook: NotebookNode) -> list[str]:
    """Opens with course.start and closes with course.summary."""
    number, cells, wrong = path.stem[:2], code(notebook), []
    if not cells or f'course.start("{number}")' not in cells[0].source:
        wrong.append(f'the first code cell must call course.start("{number}")')
    if not cells or "course.summary()" not in cells[-1].source:
        wrong.append("the last code cell must call course.summary()")
    return wrong


def follows_the_template(path: Path, notebook: NotebookNode) -> list[str]:
    """Title, times, question; opening, three to seven numbered sections, ending; ◇ on headings of the third level."""
    number, text, wrong = path.stem[:2], prose(notebook), []
    found = re.findall(r"^## (.+)$", text, re.MULTILINE)
    middle, cells = found[len(OPENING) : -len(ENDING)], parts(notebook)
    if not re.match(rf"# {number} · .+\n\n{TIMES.pattern}\n\n\*\*[^*]+\?\*\*\n\n", text):
        wrong.append(
            f"the first cell must begin '# {number} · Title', then the line '*read 0 min · do 0 min · run 0 s*', then "
            "the one question in bold, '**...?**', each with an empty line after it"
        )
    if found[: len(OPENING)] != OPENING or found[-len(ENDING) :] != ENDING:
        wrong.append(f"the headings must be {', '.join(OPENING)}, then the sections, then {', '.join(ENDING)}")
    elif not 3 <= len(middle) <= 7 or any(not name.startswith(f"{n + 1} · ") for n, name in enumerate(middle)):
        wrong.append(f"between {OPENING[-1]} and {ENDING[0]} come three to seven sections, '## 1 · Name', not {middle}")
    loose = [line for line in re.findall(r"^.*◇.*$", text, re.MULTILINE) if not line.startswith("### ◇ ")]
    if len(loose) > 1:  # one sentence of the opening explains it
        wrong.append(f"◇ marks a heading of the third level, '### ◇ Name', that may be skipped; not {loose[1]!r}")
    told = "".join(cell.source for cell in cells.get("Checkpoint", ()))
    if "?" not in told.partition("<details>")[0] or "<details>" not in told:
        wrong.append("the checkpoint asks a question, and its answer is folded: <details><summary>Answer</summary>")
    if [cell.cell_type for cell in cells.get("Break it", ())].count("code") < 1:
        wrong.append("nothing is broken in 'Break it': a cell has to do it")
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


def tree(cell: NotebookNode) -> ast.Module:
    """The code of a cell, without the lines that only IPython understands."""
    return ast.parse("\n".join("" if re.match(r"\s*[%!]", line) else line for line in cell.source.splitlines()))


def asserts(cell: NotebookNode) -> bool:
    """Whether a cell asserts something when it runs: by assert, by a function assert_..., or by course.expect."""
    todo = list(tree(cell).body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            continue  # which only runs when it is called
        called = node.func if isinstance(node, ast.Call) else None
        name = getattr(called, "attr", getattr(called, "id", ""))
        says = isinstance(node, ast.Assert) and any(isinstance(part, ast.Name) for part in ast.walk(node.test))
        if says or name.startswith("assert_") or name == "expect":
            return True
        todo += ast.iter_child_nodes(node)
    return False


def sections_are_cycles(path: Path, notebook: NotebookNode) -> list[str]:
    """Each asks before it computes, asserts something, and ends with what follows."""
    wrong = []
    for name, cells in parts(notebook).items():
        if not re.match(r"\d · ", name):
            continue
        kinds = [cell.cell_type for cell in cells]
        first = kinds.index("code") if "code" in kinds else len(kinds)
        if not any(re.search(r"\*[^*]+\?\*", cell.source) for cell in cells[:first]):
            wrong.append(f"section {name!r} does not ask anything, '*...?*', before its first cell")
        if not any(asserts(cell) for cell in cells if cell.cell_type == "code"):
            wrong.append(f"section {name!r} asserts nothing when it runs, or nothing about a name")
        if "code" in kinds and kinds[-1] == "code":
            wrong.append(f"section {name!r} ends with a cell: say what came out and what follows")
    return wrong


def equations_name_their_code(path: Path, notebook: NotebookNode) -> list[str]:
    """They are numbered in order, and a function that the chapter has or uses is named in the same text."""
    names, tagged, wrong = set(), [], []
    for cell in code(notebook):
        for node in ast.walk(tree(cell)):
            names |= {getattr(node, part, None) for part in ("name", "id", "attr")}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            said = {name.split("(")[0].split(".")[-1] for name in re.findall(r"`([^`\n]+)`", cell.source)}
            tagged += [(tag, said) for tag in re.findall(r"\\tag\{([^}]*)\}", cell.source)]
            if "$$" in cell.source and "\\tag" not in cell.source:
                wrong.append(f"an equation has no number: \\tag{{...}} in {cell.source[:40]!r}")
    for n, (tag, said) in enumerate(tagged):
        if tag not in (f"{path.stem[:2]}.{n + 1}", f"{int(path.stem[:2])}.{n + 1}"):
            wrong.append(f"equation {tag} is number {n + 1}: tag it {int(path.stem[:2])}.{n + 1}")
        if not said & names:
            wrong.append(f"equation {tag} does not name its function, as `module.function`, in the same text")
    return wrong


def something_runs_soon(path: Path, notebook: NotebookNode) -> list[str]:
    """No more than 400 words between two cells that run."""
    wrong, waiting = [], 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if waiting > 400:
                wrong.append(f"{waiting} words stand before the cell {cell.source[:40]!r}: 400 at most")
            waiting = 0
        else:
            waiting += words(cell.source)
    return wrong


def predictions_are_answered(path: Path, notebook: NotebookNode) -> list[str]:
    """Each is numbered, asked before a cell that shows it, and answered once, by its number, after that cell."""
    marks = []
    for name, cells in parts(notebook).items():
        marks.append(("part", name))
        for cell in cells:
            if cell.cell_type == "code":
                opening = "course.start(" in cell.source or "show.diagram(" in cell.source  # which answer nothing
                marks += [] if opening else [("code", 0)]
            else:
                found = re.findall(r"^\*(Predict|Answer) (\d+)\.\*", cell.source, re.MULTILINE)
                marks += [(kind, int(n)) for kind, n in found]
    wrong = []
    asked, answered = ([n for kind, n in marks if kind == wanted] for wanted in ("Predict", "Answer"))
    if not asked or asked != list(range(1, len(asked) + 1)):
        wrong.append(f"predictions are numbered '*Predict 1.*' and so on, each at the beginning of a line; not {asked}")
    if sorted(answered) != sorted(asked):
        wrong.append(f"the predictions {asked} are answered each once, '*Answer 1.*' at the beginning of a line")
        return wrong
    for n in asked:
        end = marks.index(("Answer", n))
        begin = max(i for i, (kind, _) in enumerate(marks[:end]) if kind == "part" or (kind, _) == ("Predict", n))
        if ("Predict", n) not in marks[:end] or ("code", 0) not in marks[begin:end]:
            wrong.append(f"the answer to prediction {n} does not follow a cell of its section that shows it")
    return wrong


def has_a_diagram_and_something_to_show(path: Path, notebook: NotebookNode) -> list[str]:
    """One diagram of the idea; one finished thing, with a comment on what is odd about it."""
    wrong, cells = [], notebook.cells
    if sum("show.diagram(" in cell.source for cell in code(notebook)) != 1:
        wrong.append("one cell shows the idea of the chapter with show.diagram")
    shown = [i for i, cell in enumerate(cells) if "showpiece" in tags(cell)]
    after = next((c.source for c in cells[shown[0] :] if c.cell_type == "markdown"), "") if shown else ""
    odd = re.search(r"^\*Odd:\*(.*?)(\n\n|\Z)", after, re.MULTILINE | re.DOTALL)
    if len(shown) != 1 or not odd or words(odd[1]) < 8:
        wrong.append("one cell has the tag showpiece, and the text after it says in a sentence: '*Odd:* ...'")
    return wrong


def has_a_place_for_the_reader(path: Path, notebook: NotebookNode) -> list[str]:
    """`MINE = None` in one cell, and its users: all with the tag `mine`."""
    wrong, places, users = [], [], 0
    for i, cell in enumerate(code(notebook)):
        uses = [node.ctx for node in ast.walk(tree(cell)) if isinstance(node, ast.Name) and node.id == "MINE"]
        stores, loads = (any(isinstance(use, kind) for use in uses) for kind in (ast.Store, ast.Load))
        places += [i] * stores
        users += loads
        if stores and not re.search(r"^MINE = None( *#.*)?$", cell.source, re.MULTILINE):
            wrong.append("the reader's line is exactly `MINE = None`, with a comment that says what else it may be")
        if (stores or loads) and "mine" not in tags(cell):
            wrong.append(f"code cell {i} has to do with MINE, but not the tag mine")
    if len(places) != 1 or not users:
        wrong.append("one cell has the line `MINE = None` for what the reader brings, and another uses it")
    return wrong


def lists_its_exercises(path: Path, notebook: NotebookNode) -> list[str]:
    """By number, with kind, minutes and difficulty; every kind occurs; the sheet has the same."""
    number, text = path.stem[:2], prose(notebook)
    if number in WITHOUT_SHEET:
        return [f"{number} has no sheet: do not number its exercises"] * bool(EXERCISE.search(text))
    listed, form = EXERCISE.findall(text), f"'- {number}.1 · verify · 10 min · ●○○○○ · text'"
    wrong = [
        f"{line!r} is not of the form {form}"
        for line in re.findall(rf"^- {number}\.\d.*$", text, re.MULTILINE)
        if not EXERCISE.match(line)
    ]
    if [n for n, *_ in listed] != [f"{number}.{n + 1}" for n in range(len(listed))]:
        wrong.append(f"exercises are listed in order, as {form}")
    if missing := set(KINDS) - {kind for _, kind, *_ in listed}:
        wrong.append(f"there is no exercise of the kind {', '.join(sorted(missing))}")
    sheet = path.parent.parent / "solutions" / path.name
    if not sheet.exists():
        return wrong + [f"there is no solutions/{path.name}"]
    there = [found[:4] for found in EXERCISE.findall(prose(read(sheet)))]
    differ = [a or b for a, b in zip_longest((found[:4] for found in listed), there) if a != b]
    return wrong + [f"not as in solutions/{path.name}: {' · '.join(first)}" for first in differ[:1]]


def sheet_has_every_kind(path: Path, notebook: NotebookNode) -> list[str]:
    """Every kind, with minutes and difficulty; an answer and a check for each; what is built takes 20 to 40 lines."""
    form = f"'## {path.stem[:2]}.n · kind · 10 min · ●○○○○ · Title'"
    wrong, kinds = [], {}
    for name, cells in list(parts(notebook).items())[1:]:
        match = EXERCISE.match(f"## {name}")
        if not match or match[1][:2] != path.stem[:2]:
            wrong.append(f"'## {name}' is not of the form {form}")
            continue
        cells = [cell for cell in cells if cell.cell_type == "code"]
        graders = [cell.metadata.get("nbgrader", {}) for cell in cells]
        answers, checks = (sum(bool(g.get(part)) for g in graders) for part in ("solution", "grade"))
        if not answers == checks >= 1:
            wrong.append(f"{match[1]} has {answers} answers and {checks} checks: one check for each answer")
        kinds[match[2]] = cells
        sources = "\n".join(cell.source for cell in cells)
        solved = "\n".join(re.findall(r"### BEGIN SOLUTION\n(.*?)### END", sources, re.DOTALL)).splitlines()
        lines = len([line for line in solved if line.strip() and not line.strip().startswith("#")])
        if match[2] == "build" and (not 20 <= lines <= 40 or checks < 2):
            wrong.append(f"{match[1]} takes 20 to 40 lines in two or more checked steps, not {lines} in {checks}")
        if match[2] == "debug" and sources.partition("### BEGIN SOLUTION")[0].count("def ") < 2:
            wrong.append(f"{match[1]}: the function with the bug stands above the one to write, in the same cell")
    if missing := set(KINDS) - set(kinds):
        wrong.append(f"there is no exercise of the kind {', '.join(sorted(missing))}")
    return wrong


def too_large(known: dict) -> list[str]:
    over = known["laptop"] > MOST_SECONDS or known["gigabytes"] > MOST_GIGABYTES
    return [f"{known} is over {MOST_SECONDS} s or {MOST_GIGABYTES} GB: make the chapter smaller"] if over else []


def states_its_times(path: Path, notebook: NotebookNode) -> list[str]:
    """The line under the title is what was measured, or follows from the text."""
    known = json.loads(BUDGETS.read_text()).get(path.stem)
    said = TIMES.search(notebook.cells[0].source)
    right = known and times(notebook, known)
    if not known or not said or said[0] != right:
        return [f"the line under the title must be {right or 'measured'}: `make notebooks` writes it"]
    return too_large(known)


def images_have_alt_text(path: Path, notebook: NotebookNode) -> list[str]:
    wrong = [f"{m[0]} has no alt text" for m in LINK.finditer(prose(notebook)) if m[0][0] == "!" and not m[1].strip()]
    wrong += [
        f"{tag} has no alt text" for tag in re.findall(r"""<img(?![^>]*\salt=["']\s*[^"'\s])[^>]*>""", prose(notebook))
    ]
    for i, cell in enumerate(code(notebook)):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}) and not output.metadata.get("image/png", {}).get("alt"):
                wrong.append(f"a figure of code cell {i} has no alt text: show it with show.figure(fig, alt=...)")
    return wrong


def told_by(path: Path) -> str:
    """The text of a document or a notebook."""
    return prose(nbformat.read(path, 4)) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """What a link into this text can have behind its #."""
    return {heading.strip().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def links_resolve(path: Path, notebook: NotebookNode) -> list[str]:
    """Of links inside the course: the file exists, and so does the heading after a #."""
    wrong = []
    for target in [match[2] for match in LINK.finditer(prose(notebook))]:
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        if file and not (path.parent / file).exists():
            wrong.append(f"the link {target} leads to no file")
        elif anchor and anchor not in anchors(told_by(path.parent / file) if file else prose(notebook)):
            wrong.append(f"the link {target} leads to no heading")
    wrong += [f"write the target of {m} beside it" for m in re.findall(r"\[[^\]]+\]\[[^\]]*\]", prose(notebook))]
    return wrong


def citations_can_be_found(path: Path, notebook: NotebookNode) -> list[str]:
    """Every entry under References has a DOI, an arXiv id or an ISBN, and is cited by its first author above."""
    body, _, references = prose(notebook).partition("\n## References\n")
    entries = [" ".join(entry.split()) for entry in re.split(r"^- ", references, flags=re.MULTILINE)[1:]]
    wrong = [f"no DOI, arXiv id or ISBN in: {entry[:70]}" for entry in entries if not IDENTIFIER.search(entry)]
    authors = [entry.split(",")[0].split(" ")[-1] for entry in entries]
    unread = [name for name in authors if not re.search(rf"\b{re.escape(name)}\b", body)]
    wrong += [f"{name} stands under References, but is not cited" for name in unread]
    return wrong + (["there is no entry under References"] if not entries else [])


EVERYWHERE = [
    pair_agrees, every_cell_was_run, is_small, cells_are_short, stores_nothing_that_varies, links_resolve,
]  # fmt: skip
IN_CHAPTERS = EVERYWHERE + [
    most_outputs_are_compared, starts_and_closes, images_have_alt_text, citations_can_be_found, follows_the_template,
    states_its_times, sections_are_cycles, equations_name_their_code, something_runs_soon, predictions_are_answered,
    has_a_diagram_and_something_to_show, has_a_place_for_the_reader, lists_its_exercises,
]  # fmt: skip


def rules_of(path: Path) -> list:
    """What a notebook has to keep, by its folder."""
    if path.parent.name == "chapters":
        return IN_CHAPTERS
    return EVERYWHERE + ([] if path.parent.name == "exercises" else [sheet_has_every_kind])


FOLDERS = ("chapters", "solutions", "exercises")  # not drafts, where a chapter may break every rule
NOTEBOOKS = sorted(
    path for folder in FOLDERS for path in (ROOT / folder).glob("[0-9]*.*") if path.suffix in (".py", ".ipynb")
)
