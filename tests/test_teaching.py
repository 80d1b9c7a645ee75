"""docs/teaching.md, by its own command lines: two learners, exact marks, nothing hidden in what they get back."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_server.services.contents.largefilemanager import LargeFileManager

from tools import exercises, my, notebooks, teach

ROOT = notebooks.ROOT
PAGE = (ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
STEM = "04_gan"


def answers(notebook):
    return [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")]


def hand_in(folder, learner, right):
    """The released sheet; the first `right` answers are the solution's, and one check was made easy."""
    sheet = nbformat.read(folder / "release" / STEM / f"{STEM}.ipynb", 4)
    solved = answers(notebooks.read(ROOT / "solutions" / f"{STEM}.py"))
    for cell, solution in list(zip(answers(sheet), solved, strict=True))[:right]:
        cell.source = solution.source
    next(cell for cell in sheet.cells if my.key(cell).endswith("7-check")).source = "pass"
    archive = folder / "downloaded" / STEM / "archive"
    archive.mkdir(parents=True, exist_ok=True)
    nbformat.write(sheet, archive / f"{learner}_{STEM}.ipynb")


@pytest.mark.skipif(os.name == "nt", reason="the page's lines are those of a POSIX shell")
def test_an_instructor_follows_the_page_as_it_stands(tmp_path):
    place = tmp_path / "course"  # as the course's folder, beside which the class comes to lie
    place.mkdir()
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    made, released, marked = BLOCKS
    assert re.fullmatch(r"make class ARGS=\S+\n", made) and f"generate_assignment {STEM}" in released
    assert teach.main([str(place / made.split("=")[1].strip())]) == 0
    lines = released.replace("source .venv/bin/activate", f"export PATH={Path(sys.executable).parent}:$PATH")
    run = lambda text, folder: subprocess.run(
        ["bash", "-e", "-c", text], cwd=folder, env=environment, capture_output=True, text=True
    )
    outcome = run(lines, place)
    assert outcome.returncode == 0, outcome.stderr[-2000:]
    folder = tmp_path / "class"
    given = nbformat.read(folder / "release" / STEM / f"{STEM}.ipynb", 4)
    sheet = exercises.derive(ROOT / "solutions" / f"{STEM}.py")
    assert [cell.source.rstrip() for cell in given.cells] == [cell.source for cell in sheet.cells]
    assert [cell.metadata.get("jupyter") for cell in given.cells] == [c.metadata.get("jupyter") for c in sheet.cells]
    points = len(answers(sheet))
    hand_in(folder, "ada", points)
    hand_in(folder, "bo", 4)
    outcome = run(marked, folder)
    assert outcome.returncode == 0, outcome.stderr[-2000:]
    with open(folder / "grades.csv", encoding="utf-8") as file:
        rows = {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)}
    assert rows == {"ada": (points, points), "bo": (4, points)}
    for learner in rows:
        page = (folder / "feedback" / learner / STEM / f"{STEM}.html").read_text(encoding="utf-8")
        assert "HIDDEN" not in page and "MISCONCEPTIONS" not in page and "ALTERNATIVES" not in page
        assert ("your turn" in page) == (learner == "bo")


def test_a_class_is_brought_up_to_date_and_nothing_else_is_touched(tmp_path, capsys):
    assert teach.main([str(tmp_path / "class")]) == 0
    config, own = tmp_path / "class" / "nbgrader_config.py", tmp_path / "class" / "source" / "own.txt"
    config.write_text("mine = True")
    own.write_text("kept")
    shutil.rmtree(tmp_path / "class" / "source" / STEM)
    assert teach.main([str(tmp_path / "class")]) == 0
    assert config.read_text() == "mine = True" and own.read_text() == "kept"
    assert (tmp_path / "class" / "source" / STEM / f"{STEM}.ipynb").exists()
    capsys.readouterr()
    assert teach.main([]) == 1 and "name one folder" in capsys.readouterr().out
    assert teach.main([str(ROOT / "class")]) == 1 and "outside it" in capsys.readouterr().out
    assert not (ROOT / "class").exists()


def test_the_page_names_exercises_that_exist():
    there = {found[1] for path in (ROOT / "solutions").glob("[0-9]*.py") for found in numbers(path)}
    named = set(re.findall(r"\b\d\d\.\d+\b", PAGE))
    assert named and named <= there, named - there


def numbers(path):
    return notebooks.EXERCISE.finditer(notebooks.prose(notebooks.read(path)))


def test_nbgraders_buttons_are_where_one_teaches_only():
    page = json.loads((ROOT / "tools" / "lab" / "labconfig" / "page_config.json").read_text(encoding="utf-8"))
    installed = Path(sys.prefix, "share", "jupyter", "labextensions").glob("**/package.json")
    names = {json.loads(path.read_text(encoding="utf-8"))["name"] for path in installed if "static" not in path.parts}
    assert [name for name in names if "nbgrader" in name] == list(page["disabledExtensions"])


def test_the_file_browser_shows_a_chapter_once():
    known = json.loads((ROOT / "tools" / "lab" / "jupyter_lab_config.json").read_text(encoding="utf-8"))
    manager = LargeFileManager(root_dir=str(ROOT), **known["ContentsManager"])
    names = {item["name"] for item in manager.get("chapters")["content"]}
    assert "00_first_flight.ipynb" in names and not any(name.startswith("0") and name.endswith(".py") for name in names)
    assert manager.get("chapters/00_first_flight.py")["content"].startswith("# %%")  # still there for who asks for it
