"""Every notebook keeps the rules; and each rule objects to a copy that was broken on purpose."""

import nbformat
import pytest
import rules
from rules import ROOT

from tools.notebooks import read

SOURCES = [path for path in rules.NOTEBOOKS if path.suffix == ".py"]
CASES = [(path, rule) for path in SOURCES for rule in rules.FOLDERS[path.parent.name]]


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
    (rules.follows_the_template, edit("## The mathematics", "## Mathematics"), "The mathematics"),
    (rules.follows_the_template, edit("# 01 · ", "# "), "first cell"),
    (rules.follows_the_template, no_start, "course.start"),
    (rules.follows_the_template, no_summary, "course.summary"),
    (rules.states_its_budget, edit("Measured: ", "Measured: 9"), "must say"),
    (rules.states_its_budget, edit("Measured: ", "About "), "must say"),
    (rules.images_have_alt_text, drop_alt, "alt text"),
    (rules.images_have_alt_text, edit("## Limits", "![](a.png)"), "alt text"),
    (rules.images_have_alt_text, edit("## Limits", "<img src='a.png'>"), "alt text"),
    (rules.links_resolve, edit("## Limits", "[there](nowhere.ipynb)"), "no file"),
    (rules.links_resolve, edit("## Limits", "[there](#nowhere)"), "no heading"),
    (rules.citations_can_be_found, edit("doi:", ""), "no DOI"),
    (rules.citations_can_be_found, edit("## References\n", "## References\n\n- Unread. arXiv:9999.99999\n"), "cited"),
    (rules.citations_can_be_found, edit("## References", "## Reading"), "no entry"),
]  # fmt: skip


@pytest.mark.parametrize(
    "rule, damage, says", BROKEN, ids=[f"{rule.__name__}-{i}" for i, (rule, _, _) in enumerate(BROKEN)]
)
def test_rule_objects_to_a_broken_copy(rule, damage, says):
    path = ROOT / "chapters" / "01_concepts.py"
    notebook = nbformat.read(path.with_suffix(".ipynb"), 4)
    assert rule(path, notebook) == []
    damage(notebook)
    wrong = rule(path, notebook)
    assert wrong and any(says in line for line in wrong), wrong


def test_every_rule_is_broken_once():
    assert {rule for rule, _, _ in BROKEN} == set(rules.IN_CHAPTERS)


def test_ids_and_metadata_are_the_same_in_every_build():
    first, second = (read(ROOT / "chapters" / "01_concepts.py") for _ in range(2))
    assert first == second and len({cell.id for cell in first.cells}) == len(first.cells) > 20
