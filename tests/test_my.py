"""A learner's own sheets: copied once, never written over, updated beside, and told how far they are."""

import json
import shutil

import nbformat
import pytest

from tools import exercises, my, notebooks, setup

SOLUTION = """# %% [markdown]
# # 09 · Tiny: exercises

# %%
numbers = [1, 2, 3]

# %% [markdown]
# ## 09.1 · verify · 10 min · ●○○○○ · Twice
#
# Write `double(x)`.


# %% nbgrader={"grade": false, "grade_id": "09-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "09-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_double(double):
    assert double(2) == 4, "twice 2 is 4"


check_double(double)

# %%
print([double(x) for x in numbers])

# %% [markdown]
# All of them are even.

# %% [markdown]
# ## 09.2 · modify · 10 min · ●○○○○ · Thrice
#
# Write `triple(x)`.

# %% tags=["prediction"]
guess = "nothing yet"


# %% nbgrader={"grade": false, "grade_id": "09-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def triple(x):
    ### BEGIN SOLUTION
    return 3 * x
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "09-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_triple(triple):
    assert triple(2) == 6, "thrice 2 is 6"


check_triple(triple)
"""  # noqa: E501


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with one short sheet: to execute it takes longer than most of these tests."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "solutions").mkdir()
    (folder / "solutions" / "09_tiny.py").write_text(SOLUTION, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for module in (exercises, notebooks):
            patch.setattr(module, "ROOT", folder)
        assert exercises.main([]) == 0
    return folder


@pytest.fixture
def course(tiny, tmp_path, monkeypatch):
    """Its copy, to work in."""
    shutil.copytree(tiny, tmp_path, dirs_exist_ok=True)
    for module in (exercises, notebooks, setup):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    return tmp_path


def update(course, old="Write `triple(x)`.", new="Write `triple(x)`: three times x."):
    """The course changes its sheet."""
    path = course / "solutions" / "09_tiny.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:  # that it executes sheets is seen in `tiny`
        patch.setattr(exercises, "execute", lambda notebook, folder: None)
        assert exercises.main([]) == 0


def sheet(course, name="09_tiny"):
    return nbformat.read(course / "my" / f"{name}.ipynb", 4)


def cell(notebook, name):
    return next(one for one in notebook.cells if my.key(one) == name)


def work(course, change, folder="my"):
    path = course / folder / "09_tiny.ipynb"
    notebook = nbformat.read(path, 4)
    change(notebook)
    nbformat.write(notebook, path)
    return path.read_bytes()


def answer(notebook):
    cell(notebook, "09-1").source = "def double(x):\n    return x + x"


def guess(notebook):
    next(one for one in notebook.cells if one.source.startswith("guess")).source = 'guess = "a third"'


def note(notebook):
    place = notebook.cells.index(cell(notebook, "09-1"))
    notebook.cells.insert(place, nbformat.v4.new_markdown_cell("I tried 2 ** x first."))


def play(notebook):
    next(one for one in notebook.cells if one.source.startswith("print")).source = "print(double(21))"


def check(notebook):
    cell(notebook, "09-1-check").source += "\n# my own case\nassert double(3) == 6"


WORK = [answer, guess, note, play, check]


def test_a_copy_is_made_once_and_says_nothing_but_the_sheet(course, capsys):
    assert my.main([]) == 0 and "my/09_tiny.ipynb" in capsys.readouterr().out
    made = sheet(course)
    assert exercises.told(made) == exercises.derived()["09_tiny"]
    assert all(not one.outputs and one.execution_count is None for one in made.cells if one.cell_type == "code")
    before = (course / "my" / "09_tiny.ipynb").read_bytes()
    assert my.main([]) == 0 and capsys.readouterr().out == ""
    assert (course / "my" / "09_tiny.ipynb").read_bytes() == before


def test_an_unwritten_copy_follows_the_course_and_one_that_was_only_run_counts_as_unwritten(course, capsys):
    my.main([])
    work(course, lambda notebook: notebook.cells[1].outputs.append(nbformat.v4.new_output("stream", text="ran")))
    update(course)
    assert my.main([]) == 0 and "nothing was written into it" in capsys.readouterr().out
    assert "three times x" in "".join(one.source for one in sheet(course).cells)
    assert [path.name for path in (course / "my").iterdir()] == ["09_tiny.ipynb"]


@pytest.mark.parametrize("change", WORK)
def test_what_was_written_stays_and_is_carried_into_the_new_sheet_beside_it(course, capsys, change):
    my.main([])
    mine = work(course, change)
    update(course)
    capsys.readouterr()
    assert my.main([]) == 0
    assert "my/09_tiny.updated.ipynb: the course has changed this sheet" in capsys.readouterr().out
    assert (course / "my" / "09_tiny.ipynb").read_bytes() == mine
    old, new = sheet(course), sheet(course, "09_tiny.updated")
    assert "three times x" in "".join(one.source for one in new.cells)
    typed = [one.source for one in my.written(old)]
    assert len(typed) == 1 and typed[0] in [one.source for one in new.cells]
    assert len(new.cells) == len(old.cells)  # nothing twice
    assert exercises.told(new) != origin_of(new)
    assert my.main([]) == 0 and capsys.readouterr().out == ""  # offered once


def origin_of(notebook):
    return my.origin(notebook)["sheet"]


def test_a_note_stands_where_it_stood_even_if_the_cell_above_it_has_changed(course):
    my.main([])
    work(course, note)
    update(course, "Write `double(x)`.", "Write `double(x)`, the double.")
    my.main([])
    sources = [one.source for one in sheet(course, "09_tiny.updated").cells]
    assert sources.index("numbers = [1, 2, 3]") < sources.index("I tried 2 ** x first.") < len(sources) - 1


def test_where_the_course_changed_the_same_cell_both_versions_are_there(course):
    my.main([])
    work(course, play)
    update(course, "print([double(x) for x in numbers])", "print([double(x) for x in numbers if x])")
    my.main([])
    sources = [one.source for one in sheet(course, "09_tiny.updated").cells]
    assert "print(double(21))" in sources and "print([double(x) for x in numbers if x])" in sources


def test_an_answer_to_an_exercise_that_is_gone_is_kept(course):
    my.main([])
    work(course, lambda notebook: setattr(cell(notebook, "09-2"), "source", "def triple(x):\n    return x + x + x"))
    path = course / "solutions" / "09_tiny.py"
    path.write_text(path.read_text(encoding="utf-8").replace('"09-2"', '"09-3"'), encoding="utf-8")
    update(course)
    my.main([])
    assert "def triple(x):\n    return x + x + x" in [one.source for one in sheet(course, "09_tiny.updated").cells]


def test_a_second_update_does_not_touch_the_first(course, capsys):
    my.main([])
    first = work(course, answer)
    update(course)
    my.main([])
    path = course / "my" / "09_tiny.updated.ipynb"
    notebook = nbformat.read(path, 4)
    cell(notebook, "09-2").source = "def triple(x):\n    return 3 * x  # written into the update"
    nbformat.write(notebook, path)
    second = path.read_bytes()
    update(course, "three times x.", "three times x, and no more.")
    assert my.main([]) == 0 and "my/09_tiny.updated2.ipynb" in capsys.readouterr().out
    assert (course / "my" / "09_tiny.ipynb").read_bytes() == first and path.read_bytes() == second


def test_a_copy_that_somebody_made_by_hand_is_carried_too(course):
    (course / "my").mkdir()
    notebook = nbformat.read(course / "exercises" / "09_tiny.ipynb", 4)
    answer(notebook)
    nbformat.write(notebook, course / "my" / "09_tiny.ipynb")
    my.main([])
    assert cell(sheet(course, "09_tiny.updated"), "09-1").source.endswith("return x + x")


def test_what_was_written_into_the_courses_own_sheet_is_in_the_copy_and_stays_there(course):
    there = work(course, answer, "exercises")
    my.main([])
    assert cell(sheet(course), "09-1").source.endswith("return x + x")
    assert (course / "exercises" / "09_tiny.ipynb").read_bytes() == there
    assert exercises.main([]) == 1
    assert (course / "exercises" / "09_tiny.ipynb").read_bytes() == there


def test_a_damaged_file_is_left_as_it_is(course, capsys):
    my.main([])
    (course / "my" / "09_tiny.ipynb").write_text("{")
    capsys.readouterr()
    assert my.main([]) == 0 and "cannot be read, and was left as it is" in capsys.readouterr().out
    assert (course / "my" / "09_tiny.ipynb").read_text() == "{"
    (course / "exercises" / "09_tiny.ipynb").write_text("")
    (course / "my" / "09_tiny.ipynb").unlink()
    my.main([])
    assert exercises.told(sheet(course)) == exercises.derived()["09_tiny"]


COMMANDS = {
    "lab": lambda: setup.sheets(),
    "check": lambda: my.main(["--check"]),
    "exercises": lambda: exercises.main([]),
    "exercises --check": lambda: exercises.main(["--check"]),
    "notebooks": lambda: notebooks.main([]),
    "clean": lambda: setup.clean(),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_of_ours_changes_what_a_learner_wrote(course, monkeypatch, command):
    monkeypatch.setattr(notebooks, "BUDGETS", course / "budgets.json")
    (course / "budgets.json").write_text("{}")
    monkeypatch.setattr(setup, "run", lambda arguments: my.main(arguments[3:]))
    my.main([])
    mine = [work(course, change) for change in WORK][-1]
    (course / "my" / "own.py").write_text("kept = True")
    update(course)
    there = work(course, answer, "exercises")
    COMMANDS[command]()
    assert (course / "my" / "09_tiny.ipynb").read_bytes() == mine
    assert (course / "my" / "own.py").read_text() == "kept = True"
    assert (course / "exercises" / "09_tiny.ipynb").read_bytes() == there


def test_lab_looks_at_the_sheets_once_for_each_state_of_them(course, monkeypatch):
    calls = []
    monkeypatch.setattr(setup, "run", lambda arguments: calls.append(arguments[1:]) or my.main(arguments[3:]))
    setup.sheets()
    setup.sheets()
    assert calls == [["-m", "tools.my"]]
    update(course)
    setup.sheets()
    assert len(calls) == 2
    (course / "my" / "09_tiny.ipynb").unlink()  # moved away, to have a new one
    setup.sheets()
    assert len(calls) == 3 and (course / "my" / "09_tiny.ipynb").exists()


def test_check_tells_each_exercise_and_trusts_only_the_checks_of_the_course(course, capsys):
    my.main([])
    wrong = "def double(x):\n    return x * x * x"
    work(course, lambda notebook: setattr(cell(notebook, "09-1"), "source", wrong))
    work(course, lambda notebook: setattr(cell(notebook, "09-1-check"), "source", "pass"))
    capsys.readouterr()
    assert my.main(["--check", "09"]) == 0
    told = capsys.readouterr().out
    assert "09.1     Twice: twice 2 is 4\n09.2     Thrice: not begun\n" in told and "0 of 2 checks pass" in told
    work(course, answer)
    work(course, lambda notebook: setattr(cell(notebook, "09-2"), "source", "def triple(x):\n    return y"))
    work(course, lambda notebook: notebook.cells.remove(cell(notebook, "09-1-check")))
    my.main(["--check", "09"])
    told = capsys.readouterr().out
    assert "Twice: its check was removed" in told
    assert "Thrice: NameError in your own code: name 'y' is not defined" in told


def test_check_says_when_all_is_right_and_does_not_write_into_the_sheet(course, capsys):
    my.main([])
    work(course, answer)
    mine = work(course, lambda notebook: setattr(cell(notebook, "09-2"), "source", "def triple(x):\n    return 3 * x"))
    assert my.main(["--check"]) == 0 and "2 of 2 checks pass" in capsys.readouterr().out
    assert (course / "my" / "09_tiny.ipynb").read_bytes() == mine


def test_an_unknown_number_is_not_passed_over_in_silence(course, capsys):
    assert my.main(["--check", "1"]) == 1
    assert "no sheet has the number 1: give it with two digits" in capsys.readouterr().out


def test_checks_and_conclusions_are_folded_and_questions_are_not(course):
    my.main([])
    made = sheet(course)
    assert cell(made, "09-1-check").metadata.jupyter == {"source_hidden": True}
    assert "jupyter" not in cell(made, "09-1").metadata
    texts = [one.source for one in made.cells if one.cell_type == "markdown"]
    assert [text.startswith("<details>") for text in texts] == [False, False, True, False]
    assert json.loads((course / "exercises" / "09_tiny.ipynb").read_text())  # and it is a notebook still
