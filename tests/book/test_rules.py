"""Every notebook keeps the rules; and each rule objects to a copy that was broken on purpose."""

import copy
import json

import nbformat
import pytest
import rules
from rules import ROOT

from tools import notebooks
from tools.notebooks import read

SOURCES = [path for path in rules.NOTEBOOKS if path.suffix == ".py"]
CASES = [(path, rule) for path in SOURCES for rule in rules.rules_of(path)]


def test_every_source_has_its_notebook_and_every_notebook_its_source():
    stems = {
        suffix: {path.with_suffix("") for path in rules.NOTEBOOKS if path.suffix == suffix}
        for suffix in (".py", ".ipynb")
    }
    assert len(stems[".py"]) >= 3
    odd = stems[".py"] ^ stems[".ipynb"]
    assert not odd, (
        f"only one of .py and .ipynb is there: {sorted(map(str, odd))}; run `make notebooks` or `make exercises`"
    )


@pytest.mark.parametrize("path, rule", CASES, ids=[f"{p.parent.name}/{p.stem}-{r.__name__}" for p, r in CASES])
def test_notebook_keeps_the_rule(path, rule):
    wrong = rule(path, nbformat.read(path.with_suffix(".ipynb"), 4))
    assert not wrong, f"{path.relative_to(ROOT).with_suffix('.ipynb')}: " + "; ".join(wrong)


def edit(old, new):
    """Replace text in the first markdown cell that has it."""

    def change(notebook):
        cell = next(cell for cell in notebook.cells if cell.cell_type == "markdown" and old in cell.source)
        cell.source = cell.source.replace(old, new, 1)

    return change


def add_cell(notebook, source="1 + 1", **parts):
    notebook.cells.append(nbformat.v4.new_code_cell(source, **parts))


def add_output(data=None, **parts):
    def change(notebook):
        rules.code(notebook)[1].outputs.append(
            nbformat.v4.new_output(data=data, **parts) if data else nbformat.v4.new_output(**parts)
        )

    return change


def ignore_all(notebook):
    for cell in rules.code(notebook):
        cell.metadata["tags"] = [rules.IGNORED]


def forget_a_count(notebook):
    rules.code(notebook)[3].execution_count = None


def swap_counts(notebook):
    first, second = rules.code(notebook)[:2]
    first.execution_count, second.execution_count = second.execution_count, first.execution_count


def drop_alt(notebook):
    outputs = [o for cell in rules.code(notebook) for o in cell.outputs if "image/png" in o.get("data", {})]
    outputs[0].metadata = nbformat.from_dict({})


def change_a_cell(notebook):
    rules.code(notebook)[2].source += "\n# changed"


def change_an_id(notebook):
    notebook.cells[0].id = "random"


def change_a_tag(notebook):
    rules.code(notebook)[2].metadata["tags"] = ["new"]


def no_start(notebook):
    rules.code(notebook)[0].source = "pass"


def no_summary(notebook):
    rules.code(notebook)[-1].source = "pass"


IMAGE = {"image/png": "aGVsbG8="}
BROKEN = [
    (rules.pair_agrees, change_a_cell, "edit the .py"),
    (rules.pair_agrees, change_an_id, "edit the .py"),
    (rules.pair_agrees, change_a_tag, "edit the .py"),
    (rules.pair_agrees, lambda notebook: notebook.cells.pop(), "edit the .py"),
    (rules.every_cell_was_run, forget_a_count, "make notebooks"),
    (rules.every_cell_was_run, swap_counts, "make notebooks"),
    (rules.is_small, add_output({"text/plain": "x" * 600_000}, output_type="display_data"), "600 kB"),
    (rules.most_outputs_are_compared, ignore_all, "assert what must hold"),
    (rules.cells_are_short, lambda notebook: add_cell(notebook, "x = 1\n" * 26), "25 at most"),
    (rules.stores_nothing_that_varies, lambda notebook: notebook.metadata.update(widgets={}), "widgets"),
    (rules.stores_nothing_that_varies, add_output({rules.WIDGET: {}}, output_type="display_data"), "widget"),
    (rules.stores_nothing_that_varies, add_output(output_type="stream", name="stderr", text="Beware"), "Beware"),
    (rules.stores_nothing_that_varies, add_output(output_type="error", ename="KeyError"), "KeyError"),
    (
        rules.stores_nothing_that_varies,
        add_output(output_type="error", ename="KeyError", traceback=["File \x1b[32m/home/x.py:3"]),
        "a path",
    ),
    (rules.starts_and_closes, no_start, "course.start"),
    (rules.starts_and_closes, no_summary, "course.summary"),
    (rules.images_have_alt_text, drop_alt, "alt text"),
    (rules.images_have_alt_text, edit("## Limits", "![](a.png)"), "alt text"),
    (rules.images_have_alt_text, edit("## Limits", "<img src='a.png'>"), "alt text"),
    (rules.links_resolve, edit("## Limits", "[there](nowhere.ipynb)"), "no file"),
    (rules.links_resolve, edit("## Limits", "[there](#nowhere)"), "no heading"),
    (rules.links_resolve, edit("## Limits", '[there](nowhere.ipynb "title")'), "no file"),
    (rules.links_resolve, edit("## Limits", "[there](<no where.ipynb>)"), "no file"),
    (rules.links_resolve, edit("## Limits", "[there](00_first_flight.ipynb#nowhere)"), "no heading"),
    (rules.links_resolve, edit("## Limits", "[there](../README.md#no-such)"), "no heading"),
    (rules.links_resolve, edit("## Limits", "[there][below]"), "beside it"),
    (rules.images_have_alt_text, edit("## Limits", '![](a.png "title")'), "alt text"),
    (rules.images_have_alt_text, edit("## Limits", '<img src=a.png alt=" ">'), "alt text"),
    (rules.images_have_alt_text, edit("## Limits", '<img src="a.png" data-alt="x">'), "alt text"),
    (rules.citations_can_be_found, edit("doi:", ""), "no DOI"),
    (rules.citations_can_be_found, edit("## References\n", "## References\n\n- Unread. arXiv:9999.99999\n"), "cited"),
    (rules.citations_can_be_found, edit("## References", "## Reading"), "no entry"),
]  # fmt: skip


@pytest.mark.parametrize(
    "rule, damage, says", BROKEN, ids=[f"{rule.__name__}-{i}" for i, (rule, _, _) in enumerate(BROKEN)]
)
def test_rule_objects_to_a_broken_copy(rule, damage, says):
    path = ROOT / "chapters" / "07_text.py"
    notebook = nbformat.read(path.with_suffix(".ipynb"), 4)
    assert rule(path, notebook) == []
    damage(notebook)
    wrong = rule(path, notebook)
    assert wrong and any(says in line for line in wrong), wrong


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The path and the notebook of a chapter that is the template itself, built as `make notebooks` builds one."""
    folder = tmp_path_factory.mktemp("book") / "chapters"
    folder.mkdir()
    path = folder / "99_template.py"
    (folder.parent / "solutions").mkdir()
    for kind in ("chapters", "solutions"):
        source = (ROOT / kind / "_template.py").read_text(encoding="utf-8").replace("NN", "99")
        (folder.parent / kind / path.name).write_text(source, encoding="utf-8")
    notebook = read(path)
    notebooks.execute(notebook, folder)
    with pytest.MonkeyPatch.context() as patch:
        for module in (rules, notebooks):
            patch.setattr(module, "BUDGETS", folder / "budgets.json")
        notebooks.budget(path, notebook, {"laptop": 7, "gigabytes": 0.3})
        yield path, notebook


@pytest.mark.parametrize("rule", rules.IN_CHAPTERS, ids=lambda rule: rule.__name__)
def test_the_template_keeps_every_rule_for_a_chapter(template, rule):
    assert rules.rules_of(template[0]) == rules.IN_CHAPTERS
    assert rule(*template) == []


def test_the_builder_writes_the_times_under_the_title(template):
    path, notebook = template
    line = notebooks.times(notebook, json.loads(notebooks.BUDGETS.read_text())[path.stem])
    assert line.endswith(" min · do 165 min · run 7 s*") and f"\n# {line}\n" in path.read_text(encoding="utf-8")
    notebooks.budget(path, notebook, {"laptop": 7})  # where a system does not tell the memory, it stays
    assert json.loads(notebooks.BUDGETS.read_text())[path.stem]["gigabytes"] == 0.3


def test_minutes_to_read_follow_from_words_and_lines_and_those_to_do_from_the_exercises():
    prose = "word " * 400 + "落霞" * 25 + "\n- 99.1 · verify · 7 min · ●○○○○ ·\n\n## References\n" + "word " * 900
    cells = [nbformat.v4.new_markdown_cell(prose), nbformat.v4.new_code_cell("x = 1\n" * 30)]
    said = notebooks.times(nbformat.v4.new_notebook(cells=cells), {"laptop": 9})
    assert said == "*read 5 min · do 0 min · run 9 s*"  # 452 words, 30 lines; an exercise has a title
    cells[0].source = prose.replace("●○○○○ ·", "●○○○○ · write")
    said = notebooks.times(nbformat.v4.new_notebook(cells=cells), {"laptop": 9})
    assert said == "*read 5 min · do 7 min · run 9 s*"


def change(old, new):
    """Replace text in the first cell that has it."""

    def apply(notebook):
        cell = next(cell for cell in notebook.cells if old in cell.source)
        cell.source = cell.source.replace(old, new, 1)

    return apply


def lose_a_tag(name):
    def apply(notebook):
        cell = next(cell for cell in rules.code(notebook) if name in rules.tags(cell))
        cell.metadata["tags"] = [tag for tag in rules.tags(cell) if tag != name]

    return apply


def answer_too_soon(notebook):
    cell = next(cell for cell in notebook.cells if "*Predict 1.*" in cell.source)
    cell.source += "\n\n*Answer 1.* Seven."


def answer_only_too_soon(notebook):
    answer_too_soon(notebook)
    change("*Answer 1.* Longer", "Longer")(notebook)


def end_with_a_cell(notebook):
    place = next(i for i, cell in enumerate(notebook.cells) if "What came out" in cell.source)
    notebook.cells[place].source = "## 2 " + notebook.cells[place].source.split("## 2 ")[1]


def drop_cells(word):
    def apply(notebook):
        notebook.cells = [cell for cell in notebook.cells if word not in cell.source]

    return apply


def ignore_mine(notebook):
    for cell in rules.code(notebook):
        cell.source = cell.source.replace("if MINE is None else MINE", "")


FORM, CYCLE, EQUATION = rules.follows_the_template, rules.sections_are_cycles, rules.equations_name_their_code
PREDICT, SHOW, MINE = (
    rules.predictions_are_answered,
    rules.has_a_diagram_and_something_to_show,
    rules.has_a_place_for_the_reader,
)
IN_TEMPLATE = [
    (FORM, change("# 99 · ", "# "), "first cell"),
    (FORM, change("*read", "read"), "first cell"),
    (FORM, change("answers?**", "answers.**"), "first cell"),
    (FORM, change("## What you need", "## Before"), "headings must be"),
    (FORM, change("## Limits", "## Bounds"), "headings must be"),
    (FORM, change("## 3 · Your own", "## Your own"), "three to seven"),
    (FORM, change("## 3 · Your own", "### 3 · Your own"), "three to seven"),
    (FORM, change("## 3 · Your own", "## 4 · Your own"), "three to seven"),
    (FORM, change("It may be skipped.", "◇ It may be skipped."), "◇ marks"),
    (FORM, change("<details>", ""), "is folded"),
    (FORM, drop_cells("two heads"), "nothing is broken"),
    (rules.states_its_times, change("*read ", "*read 9"), "must be *read"),
    (rules.states_its_times, change("run 7 s", "run 8 s"), "run 7 s"),
    (rules.states_its_times, change("· 60 min ·", "· 55 min ·"), "do 160 min"),
    (CYCLE, change("*How probable is a run of $n$ heads?*", "Why? How?"), "does not ask"),
    (CYCLE, change("assert run(0.5, 3) == 1 / 8", "print(run(0.5, 3))"), "asserts nothing"),
    (CYCLE, change("assert run(0.5, 3) == 1 / 8", "assert True"), "asserts nothing"),
    (CYCLE, change("assert run(0.5, 3) == 1 / 8", "def never():\n    assert run(0.5, 3)"), "asserts nothing"),
    (CYCLE, end_with_a_cell, "ends with a cell"),
    (EQUATION, change("tag{99.1}", "tag{99.2}"), "is number 1"),
    (EQUATION, change("\\tag{99.1}", ""), "has no number"),
    (EQUATION, change("This is `run`, below.", ""), "does not name"),
    (EQUATION, change("This is `run`, below.", "This is `walk`."), "does not name"),
    (rules.something_runs_soon, change("Three to seven sections", "word " * 400), "400 at most"),
    (PREDICT, change("*Predict 1.*", "Guess."), "numbered"),
    (PREDICT, change("*Predict 1.*", "*Predict 2.*"), "numbered"),
    (PREDICT, change("*Answer 1.*", "Well."), "each once"),
    (PREDICT, change("*Answer 1.*", "*Answer 1.* Yes.\n\n*Answer 1.*"), "each once"),
    (PREDICT, answer_too_soon, "each once"),
    (PREDICT, answer_only_too_soon, "does not follow"),
    (SHOW, change("show.diagram(", "print("), "show.diagram"),
    (SHOW, lose_a_tag("showpiece"), "showpiece"),
    (SHOW, change("*Odd:*", "Odd:"), "showpiece"),
    (SHOW, change("*Odd:* it", "*Odd:* nothing.\n\nIt"), "showpiece"),
    (MINE, change("MINE = None", "YOURS = None"), "uses it"),
    (MINE, change("MINE = None", "MINE = None or [1]"), "exactly"),
    (MINE, lose_a_tag("mine"), "not the tag mine"),
    (MINE, ignore_mine, "another uses it"),
    (rules.lists_its_exercises, change("- 99.2 ·", "- 99.3 ·"), "in order"),
    (rules.lists_its_exercises, change("· build · 40 min ·", "· make · 40 min ·"), "of the kind build"),
    (rules.lists_its_exercises, change("●●●●●", "●●●●"), "is not of the form"),
    (rules.lists_its_exercises, change("· verify · 10 min", "· verify · 11 min"), "99.1 · verify · 11"),
]  # fmt: skip


def test_assertions_of_libraries_and_bands_count():
    for source in (
        "torch.testing.assert_close(a, b)",
        "course.expect('99.x', 1)",
        "for x in y:\n    assert x",
        "%time\nassert x",
    ):
        assert rules.asserts(nbformat.v4.new_code_cell(source))
    assert not rules.asserts(nbformat.v4.new_code_cell("f = lambda x: assert_close(x)\nprint('assert x')"))


def test_formulas_and_links_are_no_words_to_read():
    assert notebooks.words("one $x + y = z$ two\n$$a\n= b$$ [three](four/five.ipynb) <summary>six</summary>") == 4


@pytest.mark.parametrize(
    "rule, damage, says", IN_TEMPLATE, ids=[f"{rule.__name__}-{i}" for i, (rule, _, _) in enumerate(IN_TEMPLATE)]
)
def test_rule_for_chapters_objects_to_a_broken_copy(template, rule, damage, says):
    path, notebook = template[0], copy.deepcopy(template[1])
    damage(notebook)
    wrong = rule(path, notebook)
    assert wrong and any(says in line for line in wrong), wrong


@pytest.fixture(scope="module")
def sheet(template):
    path = template[0].parent.parent / "solutions" / template[0].name
    return path, read(path)


def test_the_template_of_a_sheet_keeps_its_rule(sheet):
    assert rules.sheet_has_every_kind in rules.rules_of(sheet[0])
    assert rules.sheet_has_every_kind not in rules.rules_of(ROOT / "exercises" / "03_attention.py")
    assert rules.sheet_has_every_kind(*sheet) == []


@pytest.mark.parametrize(
    "damage, says",
    [
        (change("· debug · 20 min · ●●●○○ ·", "· debug ·"), "is not of the form"),
        (change("· debug · 20 min", "· modify · 20 min"), "of the kind debug"),
        (change("●○○○○", "○●○○○"), "is not of the form"),
        (change("## 99.1 ·", "## 98.1 ·"), "is not of the form"),
        (
            change("    counts = np.ones((2, 2))\n", "    counts = np.ones((2, 2))\n" + "    x = 1\n" * 30),
            "20 to 40 lines",
        ),
        (change("    if len(throws) != n:\n        raise ValueError", "    # " + "\n    # " * 9), "20 to 40 lines"),
        (change("def judge(throws)", "# judge(throws)"), "the function with the bug"),
        (drop_cells("check_forge"), "2 answers and 1 checks"),
        (drop_cells("def human"), "0 answers and 1 checks"),
    ],
)
def test_a_new_sheet_that_lacks_something_is_refused(sheet, damage, says):
    path, notebook = sheet[0], copy.deepcopy(sheet[1])
    damage(notebook)
    wrong = rules.sheet_has_every_kind(path, notebook)
    assert wrong and any(says in line for line in wrong), wrong


def test_every_rule_is_broken_once():
    assert {rule for rule, _, _ in BROKEN + IN_TEMPLATE} == set(rules.IN_CHAPTERS)


def test_ids_and_metadata_are_the_same_in_every_build():
    first, second = (read(ROOT / "chapters" / "01_concepts.py") for _ in range(2))
    assert first == second and len({cell.id for cell in first.cells}) == len(first.cells) > 20
