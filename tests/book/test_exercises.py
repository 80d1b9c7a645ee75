"""Every sheet: derived from its solution, failing as a stub, passing when solved, and knowing the usual mistakes."""

import re
import shutil
from functools import cached_property
from pathlib import Path

import jupytext
import nbformat
import pytest
from jsonschema import ValidationError
from mutants import mutants
from nbgrader.preprocessors import CheckCellMetadata

from aigc import course
from tools import exercises, notebooks
from tools.notebooks import read, sources

SOLUTIONS = [path for path in sources([]) if path.parent.name == "solutions"]


class Sheet:
    """A solution's cells in order, run as far as each exercise needs."""

    def __init__(self, path: Path):
        self.path, self.cells, self.kinds = path, [], {}
        self.needed = []  # all but what plays with an answer, behind its check
        kind, checked = "", False
        for cell in read(path).cells:
            if found := notebooks.EXERCISE.search(cell.source.replace("NN", "99")):
                kind, checked = found[2], False
            if cell.cell_type == "code":
                grader = cell.metadata.get("nbgrader")
                self.needed += [len(self.cells)] if grader or not checked else []
                checked = checked or bool(grader and grader.grade)
                self.kinds[len(self.cells)] = kind
                self.cells.append(cell)
        self.checks = [i for i, cell in enumerate(self.cells) if cell.metadata.get("nbgrader", {}).get("grade")]
        self.names = {i: re.search(r"^check_(\w+)\((\w+)\)$", self.cells[i].source, re.MULTILINE) for i in self.checks}

    @cached_property
    def stubs(self) -> list[str]:
        return [cell.source for cell in exercises.derive(self.path).cells if cell.cell_type == "code"]


TEMPLATE = notebooks.ROOT / "solutions" / "_template.py"
SHEETS = {path.stem: Sheet(path) for path in [*SOLUTIONS, TEMPLATE]}
CHECKS = [(stem, i) for stem, sheet in SHEETS.items() for i in sheet.checks]
IDS = [f"{stem}-{SHEETS[stem].cells[i].metadata.nbgrader.grade_id}" for stem, i in CHECKS]


@pytest.fixture(scope="module")
def worlds():
    """The namespace of each sheet with all that it gives and that its solutions define."""
    made = {}
    for stem, sheet in SHEETS.items():
        world = {"__name__": "sheet"}
        for i in sheet.needed:
            exec(compile(sheet.cells[i].source, f"{stem}, code cell {i}", "exec"), world)  # a failing solution ends it
        made[stem] = world
    return made


def misconceptions(stem, i, world):
    catalogues = ("MISCONCEPTIONS", "ALTERNATIVES", "EQUIVALENT")
    own = {name: value for name, value in world.items() if name not in catalogues}  # those of other exercises
    exec(compile(SHEETS[stem].cells[i].source, f"{stem}, code cell {i}", "exec"), own)
    return own


def test_there_are_sheets_and_they_are_what_their_solutions_give(capsys):
    assert len(CHECKS) >= 7
    assert exercises.main(["--check"]) == 0, capsys.readouterr().out


@pytest.fixture(scope="module")
def derived(tmp_path_factory):
    """A folder with one short solution, and its sheet."""
    folder = tmp_path_factory.mktemp("derived")
    (folder / "solutions").mkdir()
    (folder / "solutions" / "09_tiny.py").write_text(TINY)
    with pytest.MonkeyPatch.context() as patch:
        for module in (exercises, notebooks):
            patch.setattr(module, "ROOT", folder)
        assert exercises.main([]) == 0
        assert exercises.main([]) == 0  # untouched: derived again
    return folder


@pytest.fixture
def desk(derived, tmp_path, monkeypatch):
    """A copy of that folder for each test."""
    shutil.copytree(derived, tmp_path, dirs_exist_ok=True)
    for module in (exercises, notebooks):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path / "exercises"


TINY = """# %% [markdown]
# # 09 · Tiny

# %% nbgrader={"grade": false, "grade_id": "09-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "09-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert double(2) == 4
"""  # noqa: E501


MORE = """
# %% [markdown]
# It came out so.

# %% [markdown]
# And of three? Predict.

# %% tags=["prediction"]
guess = "nothing yet"

# %%
print(double(3), guess)

# %% [markdown]
# Six.

# %% [markdown]
# ## 09.2 · A heading ends it
"""


def test_checks_and_what_came_out_are_folded_and_questions_are_not(tmp_path):
    (tmp_path / "09_tiny.py").write_text(TINY + MORE)
    cells = exercises.derive(tmp_path / "09_tiny.py").cells
    folded = [cell.source for cell in cells if cell.source.startswith("<details>")]
    assert [text.splitlines()[2] for text in folded] == ["It came out so.", "Six."]
    hidden = [cell.source for cell in cells if cell.metadata.get("jupyter", {}).get("source_hidden")]
    assert hidden == ["assert double(2) == 4"]
    raising = [cell.source for cell in cells if "raises-exception" in cell.metadata.get("tags", [])]
    assert raising == ["assert double(2) == 4", "print(double(3), guess)"]


def answer(notebook):
    notebook.cells[1].source = "def double(x):\n    return x + x"


def answer_in_a_new_cell(notebook):
    notebook.cells.insert(2, nbformat.v4.new_code_cell("def double(x): return x + x  # my answer"))


def take_a_note(notebook):
    notebook.cells.append(nbformat.v4.new_markdown_cell("My answer was wrong at first."))


def add_to_the_check(notebook):
    notebook.cells[2].source += "\nprint(double(3))"


def answer_without_metadata(notebook):
    answer(notebook)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})


@pytest.mark.parametrize("work", [answer, answer_in_a_new_cell, take_a_note, add_to_the_check, answer_without_metadata])
@pytest.mark.parametrize("suffix", [".py", ".ipynb"])
def test_what_a_learner_has_written_is_not_overwritten(desk, capsys, suffix, work):
    paths = [desk / "09_tiny.py", desk / "09_tiny.ipynb", desk / "derived.json"]
    sheet = desk / f"09_tiny{suffix}"
    notebook = jupytext.read(sheet)
    work(notebook)
    jupytext.write(notebook, sheet, fmt="py:percent" if suffix == ".py" else "ipynb")
    before = [path.read_bytes() for path in paths]
    capsys.readouterr()
    assert exercises.main([]) == 1
    assert [path.read_bytes() for path in paths] == before
    assert f"09_tiny was left as it is: somebody has written into 09_tiny{suffix}." in capsys.readouterr().out


def test_a_damaged_sheet_may_be_work_and_a_sheet_that_was_only_run_is_not(desk, capsys):
    sheet = desk / "09_tiny.ipynb"
    notebook = nbformat.read(sheet, 4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="run")]
    notebook.cells.append(nbformat.v4.new_code_cell(""))
    nbformat.write(notebook, sheet)
    assert exercises.main([]) == 0 and "run" not in sheet.read_text()
    sheet.write_text("")
    assert exercises.main([]) == 1 and "09_tiny.ipynb" in capsys.readouterr().out and sheet.read_text() == ""


def test_a_sheet_whose_solution_changed_elsewhere_is_derived_again(desk):
    solution = desk.parent / "solutions" / "09_tiny.py"
    changed = solution.read_text().replace("# # 09 · Tiny", "# # 09 · Small").replace("== 4", "== 4.0")
    solution.write_text(changed.replace("double", "twice"))  # the stub that the learner sees, too
    assert exercises.main([]) == 0
    assert "09 · Small" in (desk / "09_tiny.py").read_text() and "4.0" in (desk / "09_tiny.ipynb").read_text()
    assert "def twice" in (desk / "09_tiny.py").read_text()


def test_an_unknown_number_is_not_passed_over_in_silence(desk, capsys):
    assert exercises.main(["1"]) == 1
    assert "no sheet has the number 1: give it with two digits" in capsys.readouterr().out


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_sheet_tells_no_answer_and_is_numbered(path):
    notebook = exercises.derive(path)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "BEGIN" not in text and "MISCONCEPTIONS" not in text
    assert text.count("NotImplementedError") == len(SHEETS[path.stem].checks)
    number = path.stem[:2]
    titles = re.findall(rf"^## ({number}\.\d+) · .+\n\n(.*)$", text, re.MULTILINE)
    assert [title for title, _ in titles] == [f"{number}.{n + 1}" for n in range(len(titles))]
    link = rf"\*Chapter {number}: \[.+\]\(\.\./chapters/{path.stem}\.ipynb#.+\)\*"
    assert all(re.fullmatch(link, first) for _, first in titles), "the line under a title links to a section"


@pytest.mark.parametrize("stem, i", CHECKS, ids=IDS)
def test_check_fails_on_the_stub_and_passes_on_the_solution(stem, i, worlds):
    sheet, world = SHEETS[stem], dict(worlds[stem])
    name = sheet.names[i]
    assert name and name[1] == name[2], "a check cell ends with check_NAME(NAME)"
    first, *_ = sheet.cells[i].source.splitlines()  # all that is seen of it, folded
    assert first == "# Run this cell: it checks your answer."
    check, solution = world[f"check_{name[1]}"], world[name[1]]
    check(solution)
    exec(sheet.stubs[i - 1], world)
    assert world[name[1]] is not solution
    with pytest.raises(NotImplementedError) as raised:
        check(world[name[1]])
    assert hasattr(raised.value, "_render_traceback_"), "@course.hints belongs above the check"


@pytest.mark.parametrize("stem, i", CHECKS, ids=IDS)
def test_check_meets_every_catalogued_mistake_with_its_own_hint(stem, i, worlds):
    world = misconceptions(stem, i, worlds[stem])
    check, wrong = world[f"check_{SHEETS[stem].names[i][1]}"], world["MISCONCEPTIONS"]
    assert len(wrong) >= 3 and len({hint for _, hint in wrong.values()}) >= 3
    for mistake, (function, hint) in wrong.items():
        with pytest.raises(AssertionError, match=re.escape(hint)):
            check(function)
            pytest.fail(f"{mistake!r} passes the check")


@pytest.mark.parametrize("stem, i", CHECKS, ids=IDS)
def test_check_accepts_every_other_right_answer(stem, i, worlds):
    world = misconceptions(stem, i, worlds[stem])
    check = world[f"check_{SHEETS[stem].names[i][1]}"]
    for function in world.get("ALTERNATIVES", {}).values():
        check(function)


SHUT = [(stem, i) for stem, i in CHECKS if SHEETS[stem].kinds[i] != "challenge" and stem != TEMPLATE.stem]


@pytest.mark.parametrize("stem, i", SHUT, ids=[IDS[CHECKS.index(pair)] for pair in SHUT])
def test_check_refuses_every_small_change_of_its_solution(stem, i, worlds, monkeypatch):
    """Or it stands in EQUIVALENT, by its line, with the reason why it is right. A challenge is open."""
    own, name = misconceptions(stem, i, worlds[stem]), SHEETS[stem].names[i][1]
    monkeypatch.setattr(course, "PATIENCE", 2.0)  # of a changed one; the solution has the usual time on a busy machine
    check, passed = own[f"check_{name}"], set()
    for line, source in mutants(SHEETS[stem].cells[i - 1].source).items():
        world = dict(worlds[stem])
        exec(compile(source, f"{stem}, a change of {name}", "exec"), world)
        answer = world[name]
        try:
            course.attempt(lambda answer: check(answer) or True, answer)  # a check that does not use it may never end
            passed.add(line)
        except Exception:  # of the check or of the changed solution itself: the learner sees that it is wrong
            continue
    known = own.get("EQUIVALENT", {})
    assert all(len(reason) >= 10 for reason in known.values())
    assert passed - set(known) == set(), "these changes pass the check"
    assert set(known) - passed == set(), "these are no changes any more, or they are refused"


def test_mutants_change_constants_comparisons_axes_signs_and_the_order_of_log_and_sum():
    found = mutants("""
def f(x, axis):
    ### BEGIN SOLUTION
    y = -np.log(x).sum(axis=1) / 2
    if x[0] <= 3 and not axis:
        return x[:, 1:].log().mean()
    return y
    ### END SOLUTION
""")
    assert {
        "y = np.log(x).sum(axis=1) / 2",
        "y = -np.log(x.sum(axis=1)) / 2",
        "y = -np.log(x).sum(axis=0) / 2",
        "y = -np.log(x).mean(axis=1) / 2",
        "y = -np.log(x).sum(axis=1) * 2",
        "y = 2 / -np.log(x).sum(axis=1)",
        "y = -np.log(x).sum(axis=1) / 3",
        "if x[0] < 3 and (not axis):",
        "if x[0] >= 3 and (not axis):",
        "if x[0] <= 4 and (not axis):",
        "if x[0] <= 3 or not axis:",
        "if x[0] <= 3 and axis:",
        "return x[:, 2:].log().mean()",
        "return x[:, 1:].mean().log()",
    } <= set(found)
    assert all("return y" in source for source in found.values())
    assert len({*found.values()}) == len(found)


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_nbgrader_finds_the_sheet_in_order(path):
    CheckCellMetadata().preprocess(exercises.derive(path), {})


def test_nbgrader_would_find_an_identity_given_twice():
    sheet = exercises.derive(SOLUTIONS[0])
    next(cell for cell in sheet.cells if cell.metadata.get("nbgrader")).metadata.nbgrader.grade_id = "01-2"
    with pytest.raises(ValidationError):
        CheckCellMetadata().preprocess(sheet, {})
