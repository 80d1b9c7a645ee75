"""The README, the workflows, .ci/run and the Makefile tell the same commands."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools import bands, checkpoints, exercises, notebooks, processors
from tools.setup import COMMANDS

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
READMES = ["README.md", "README.zh.md"]
DOCUMENTS = [*READMES, "CONTRIBUTING.md"]
TARGET = re.compile(r"\bmake ([a-z]+)")
SCRIPT = re.compile(r"tools[/\\]setup\.py ([a-z]+)")
EVERYONE = ["lab", "test"]  # the two commands that every reader is given, on every system


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def code(markdown):
    """What stands in code, in a line or in a block: prose may say `make` something else."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", markdown, re.DOTALL))


def targets():
    [line] = re.findall(r"^([a-z ]+):\n\t@\$\(PYTHON\) tools/setup\.py \$@", text("Makefile"), re.MULTILINE)
    return line.split()


def steps(workflow):
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def test_notebooks_are_built_where_a_system_does_not_tell_the_memory(monkeypatch):
    assert notebooks.peak() >= 0
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows, which has no such module
    assert notebooks.peak() is None


@pytest.mark.parametrize("tool", [exercises, checkpoints, notebooks, bands, processors], ids=lambda tool: tool.__name__)
def test_every_tool_tells_what_it_is_for(tool, capsys):
    assert tool.main(["--help"]) == 0
    assert capsys.readouterr().out.strip() == tool.__doc__.strip()


def test_every_target_is_a_command_and_is_phony():
    assert targets() == list(COMMANDS)
    [phony] = re.findall(r"^\.PHONY: (.*)$", text("Makefile"), re.MULTILINE)
    assert phony.split() == ["help", *COMMANDS]


def make(*arguments):
    """What make prints, as if no other make had started these tests."""
    if not shutil.which("make"):
        pytest.skip("no make here; python tools/setup.py stands in for it")
    environment = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "ARGS"}}
    outcome = subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return outcome.stdout


def test_make_alone_prints_each_target_on_one_line():
    lines = make().splitlines()
    assert [line.split()[0] for line in lines] == list(COMMANDS)
    assert max(map(len, lines)) <= 120


def test_make_hands_its_arguments_on():
    shown = make("-n", "notebooks", "ONLY=03", "ARGS=--no-browser --port=8899")
    assert shown.strip().endswith("tools/setup.py notebooks 03 --no-browser --port=8899")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_name_only_commands_that_exist(name):
    named = set(TARGET.findall(code(text(name)))) | set(SCRIPT.findall(text(name)))
    assert named, f"{name} names no command at all"
    assert named <= set(COMMANDS), f"{name} names what no target does: {sorted(named - set(COMMANDS))}"


@pytest.mark.parametrize("name", READMES)
def test_readmes_have_a_table_of_all_targets_and_the_lines_for_windows(name):
    rows = re.findall(r"^\|\s*`make ([a-z]+)", text(name), re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS), f"the table in {name} has to have one row `| `make X` | ... |` a target"
    for command in EVERYONE:
        assert f"python tools/setup.py {command}" in text(name), f"{name} owes Windows without make this line"


def test_both_readmes_tell_the_same_commands():
    english, chinese = (sorted(set(TARGET.findall(code(text(name))))) for name in READMES)
    assert english == chinese


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_what_the_readme_says(workflow):
    lines = [step["run"] for step in steps(workflow) if "run" in step]
    for line in lines:
        match = TARGET.match(line) or re.fullmatch(r"python tools/setup\.py ([a-z]+)", line)
        assert match and match[1] in COMMANDS, f"{workflow.name} runs `{line}`, which no reader is told to type"
        spelled = re.match(r"(?:make|python tools/setup\.py) [a-z]+", line)[0]
        assert spelled in text("README.md"), f"the README does not say `{spelled}`, which {workflow.name} runs"
    assert any(re.match(r"make test|python tools/setup\.py test", line) for line in lines)


def test_continuous_integration_runs_make_test_and_then_the_plain_laptop():
    assert re.search(r"^make test\b.*\nmake processors ARGS=laptop\b", text(".ci/run"), re.MULTILINE)
    assert "make processors" in [step.get("run") for step in steps(ROOT / ".github/workflows/newest.yml")]
    assert "set -e" in text(".ci/run"), ".ci/run has to fail where make test fails"


def test_the_workflows_cover_what_the_course_promises():
    read = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in WORKFLOWS}
    matrix = read["test"]["jobs"]["cpu"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.11", "3.13"]
    assert read["gpu"]["jobs"]["cuda"]["env"]["AIGC_DEVICE"] == "cuda"
    assert "make lock ARGS=--upgrade" in [step.get("run") for step in steps(ROOT / ".github/workflows/newest.yml")]
    assert all(any("cache" in str(step) for step in steps(path)) for path in WORKFLOWS)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_of_others_are_pinned_by_commit_and_say_their_version(workflow):
    used = [line for line in workflow.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert len(used) >= 3
    for line in used:
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", line), f"a tag can be moved: {line.strip()}"


def test_the_lock_has_no_addresses_and_pins_every_dependency_by_version_and_by_content():
    lock = text("requirements.lock")
    assert "://" not in lock
    entries = re.findall(r"^([a-z0-9-]+)==\S+.*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", lock, re.MULTILINE)
    pinned = {name for name, _ in entries}
    assert len(entries) == len(re.findall("==", re.sub(";.*", "", lock))) > 100
    listed = re.findall(r'"([a-z0-9_-]+)[>=]=[0-9.]+"', text("pyproject.toml").partition("[build-system]")[0])
    assert len(listed) > 20
    assert {name.replace("_", "-") for name in listed} <= pinned
