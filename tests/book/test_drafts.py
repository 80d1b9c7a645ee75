"""What is begun lies in drafts/: told in its README, outside of the course, and not there on a release."""

import re
import subprocess
import sys
import tomllib

import pytest
import rules
from rules import ROOT

from tools import notebooks

DRAFTS = sorted(path for path in (ROOT / "drafts").iterdir() if path.name != "README.md")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def objections(names: list[str], readme: str, version: str) -> list[str]:
    """What is wrong with a folder of drafts that holds these names."""
    wrong = [f"{name} is not NN_slug.py, its .ipynb, or a folder NN_slug" for name in names if not NAME.match(name)]
    wrong += [f"{name} has no .py" for name in names if name.endswith(".ipynb") and name[:-6] + ".py" not in names]
    wrong += [f"{name} is not in drafts/README.md" for name in names if name.split(".")[0] not in readme]
    if names and "dev" not in version:
        wrong.append(f"version {version} is a release, and drafts/ still holds {', '.join(names)}")
    return wrong


NAME = re.compile(r"\d\d_[a-z_]+(\.py|\.ipynb)?$")


def test_every_draft_is_named_and_none_is_there_on_a_release():
    readme = (ROOT / "drafts" / "README.md").read_text(encoding="utf-8")
    assert objections([path.name for path in DRAFTS], readme, PROJECT["project"]["version"]) == []


@pytest.mark.parametrize(
    "names, version, says",
    [
        (["notes.txt"], "1.dev0", "is not NN_slug"),
        (["04_gan.ipynb"], "1.dev0", "has no .py"),
        (["05_vae.py"], "1.dev0", "not in drafts/README.md"),
        (["04_gan.py"], "1.0", "is a release"),
        (["04_gan.py", "04_gan.ipynb"], "1.dev0", None),
        ([], "1.0", None),
    ],
)
def test_what_is_wrong_with_drafts_is_seen(names, version, says):
    wrong = objections(names, "- `04_gan.py`: begun", version)
    assert wrong == [] if says is None else any(says in line for line in wrong)


def test_drafts_are_skipped_by_ruff_by_the_rules_and_by_nbval_and_absent_from_the_readmes(tmp_path):
    assert "drafts" not in rules.FOLDERS
    for name in ("README.md", "README.zh.md"):
        assert "drafts/" not in (ROOT / name).read_text(encoding="utf-8")
    for config in ("pyproject.toml",):
        (tmp_path / config).write_text((ROOT / config).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "drafts").mkdir()
    (tmp_path / "drafts" / "04_gan.py").write_text("import os, sys\nx = 1;y=2\n")
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "."]
    assert subprocess.run(ruff, cwd=tmp_path, capture_output=True).returncode == 0
    (tmp_path / "chapters").mkdir()
    (tmp_path / "chapters" / "04_gan.py").write_text("import os, sys\nx = 1;y=2\n")
    assert subprocess.run(ruff, cwd=tmp_path, capture_output=True).returncode == 1
    setup = (ROOT / "tools" / "setup.py").read_text(encoding="utf-8")
    assert "drafts" not in setup  # make test hands pytest the folders that it names


def test_a_draft_is_built_by_its_number_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    for folder in ("chapters", "drafts"):
        (tmp_path / folder).mkdir()
    (tmp_path / "chapters" / "03_a.py").touch(), (tmp_path / "drafts" / "04_b.py").touch()
    assert [path.name for path in notebooks.sources([])] == ["03_a.py"]
    assert [path.name for path in notebooks.sources(["04"])] == ["04_b.py"]
