"""What strict comparison catches, in the way that `make test` calls it, and what it cannot."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from rules import ROOT


@pytest.fixture
def folder():
    """A folder below the root, where pytest finds the course's configuration, and which git does not see."""
    parent = ROOT / ".pytest_cache"
    parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as path:
        yield Path(path)


def nbval(folder, *cells):
    """The outcome of nbval on a notebook of these cells: (source, stored output, was run)."""
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    for source, stored, was_run in cells:
        outputs = [nbformat.v4.new_output("stream", text=stored)] if stored else []
        notebook.cells.append(
            nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=1 if was_run else None)
        )
    nbformat.write(notebook, folder / "planted.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval", str(folder / "planted.ipynb")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


PLANTED = [  # a cell, what is stored as its output, and what nbval says of the two
    ("print('loss', 0.1234)", "loss 0.1235\n", "mismatch 'stdout'"),
    ("print('3 s, 0.5')", "4 s, 0.6\n", "mismatch 'stdout'"),
    ("print('loss', 1.2)", "", "Unexpected output"),
    ("1 / 0", "", "ZeroDivisionError"),
]


def test_each_planted_output_is_caught_and_the_remedy_is_named(folder):
    outcome = nbval(folder, *[(source, stored, True) for source, stored, _ in PLANTED])
    assert outcome.returncode == 1 and "make notebooks" in outcome.stdout, outcome.stdout
    of_cells = re.split(r"^_+ .*::Cell \d+ _+$", outcome.stdout, flags=re.MULTILINE)[1:]
    for (source, _, says), said in zip(PLANTED, of_cells, strict=True):
        assert source in said and says in said, said


def test_true_outputs_pass_whatever_the_address_the_seconds_and_the_sound(folder):
    cells = [
        ("print(0.5)", "0.5\n", True),
        ("print('took 1.5 s at 0x7f00aa11bb22')", "took 2.7 s at 0x7f55cc33dd44\n", True),
        ("print('<audio src=\"data:audio/mpeg;base64,AAAA\">')", '<audio src="data:audio/mpeg;base64,BBBB">\n', True),
    ]
    outcome = nbval(folder, *cells)
    assert outcome.returncode == 0, outcome.stdout


def test_a_cell_that_was_not_run_slips_through_which_is_why_a_rule_refuses_it(folder):
    assert nbval(folder, ("print('loss', 0.1234)", "", False)).returncode == 0
