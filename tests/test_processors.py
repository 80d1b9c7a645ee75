"""Other processors, as far as this one can play them."""

import os
import subprocess
import sys

import nbformat
import pytest
import torch

from tools import processors

X86 = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


def ask(code: str, row: str, imports: str = "import torch; from aigc.machine import *") -> str:
    command = [sys.executable, "-c", f"{imports}; print({code})"]
    environment = processors.environment(row)
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(not X86, reason="only x86 processors can be told to do without their newer instructions")
def test_the_plain_laptop_has_no_unit_for_bfloat16_and_computes_in_float32():
    code = "torch.backends.cpu.get_cpu_capability(), torch.ops.mkldnn._is_mkldnn_bf16_supported(), precision()"
    assert ask(code, "laptop") == "AVX2 False torch.float32"


@pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() != "AVX512", reason="here is no newer instruction to do without"
)
def test_the_plain_laptop_computes_otherwise_than_this_machine_in_numpy_too():
    code = "numpy.exp(numpy.linspace(0, 3, 1001)).tobytes().hex()"
    assert ask(code, "laptop", "import numpy") != ask(code, "here", "import numpy")


def test_what_a_user_has_chosen_does_not_reach_the_rows(monkeypatch):
    for name in ("AIGC_PRECISION", "AIGC_SEED", "ATEN_CPU_CAPABILITY", "AIGC_DEVICE"):
        monkeypatch.setenv(name, "7")
    kept = processors.environment("here")
    assert kept["AIGC_TIMBRE"] == "plain"  # what is stored sounds alike everywhere
    assert kept["AIGC_DEVICE"] == "cpu" and not {"AIGC_PRECISION", "AIGC_SEED", "ATEN_CPU_CAPABILITY"} & set(kept)


def test_rows_are_what_their_names_say():
    assert ask("precision()", "bfloat16") == "torch.bfloat16"
    assert ask("torch.get_num_threads()", "thread") == "1"
    assert processors.ROWS["here"] == {}


def test_what_cannot_be_emulated_is_left_out_with_its_reason(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert "x86" in processors.cannot("server") and not processors.cannot("laptop")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "NEON")
    assert "x86" in processors.cannot("laptop") and "x86" in processors.cannot("server")
    monkeypatch.setattr(processors, "bfloat16_gain", lambda: 0.1)
    assert "slow" in processors.cannot("bfloat16") and not processors.cannot("here") + processors.cannot("thread")
    monkeypatch.setattr(processors, "bfloat16_gain", lambda: 0.5)
    assert not processors.cannot("bfloat16")


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Two chapters, of which the second prints what only this processor would."""
    for name, stored in (("01_same", "1\n"), ("02_other", "2\n")):
        (tmp_path / "chapters").mkdir(exist_ok=True)
        notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
        output = nbformat.v4.new_output("stream", text=stored)
        notebook.cells = [nbformat.v4.new_code_cell("print(1)", outputs=[output], execution_count=1)]
        nbformat.write(notebook, tmp_path / "chapters" / f"{name}.ipynb")
    monkeypatch.setattr(processors, "ROOT", tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def test_the_table_counts_what_passed_and_what_failed(course, capsys, monkeypatch):
    assert processors.main(["thread"]) == 1
    said = capsys.readouterr().out
    assert said.splitlines()[-1].startswith("| thread: ") and "| 1 | 1 |" in said and "mismatch 'stdout'" in said
    assert "threads: 1" in said
    monkeypatch.setattr(processors, "PROBE", "print('this machine')")  # asked above
    assert processors.main(["here", "01"]) == 0
    said = capsys.readouterr().out
    assert "| here: this machine |" in said and "| 1 | 0 |" in said and "seconds: 01 |" in said


def test_a_row_that_was_asked_for_and_cannot_be_run_is_a_failure(course, monkeypatch, capsys):
    monkeypatch.setattr(processors, "cannot", lambda row: "no such thing" if row == "laptop" else "")
    assert processors.main(["laptop", "01"]) == 1
    assert "| laptop: not run, no such thing |" in capsys.readouterr().out


def test_unknown_rows_and_numbers_are_refused(course, capsys):
    assert processors.main(["abacus"]) == 1 and "no row abacus: choose of here laptop" in capsys.readouterr().out
    assert processors.main(["7"]) == 1 and "ONLY=03" in capsys.readouterr().out
