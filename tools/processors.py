"""Runs every notebook, strictly compared, as other processors would: `python -m tools.processors [ROW ...] [NN ...]`.

A row is a set of environment variables that makes the libraries compute as on another machine. The times are true where
the row is the machine itself, and a guess elsewhere: an emulated laptop has this machine's clock and caches, and where
the whole course is run, two of its notebooks at a time share them.
"""

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch

from aigc.machine import bfloat16_gain

ROOT = Path(__file__).resolve().parents[1]
LAPTOP = {  # no unit for bfloat16, and vectors of 256 bits: in torch, oneDNN, MKL, OpenBLAS and NumPy
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
}
ROWS = {
    "here": {},
    "laptop": LAPTOP,
    "server": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},  # vectors of 512 bits, no unit for bfloat16
    "bfloat16": {"AIGC_PRECISION": "bfloat16"},
    "thread": {"OMP_NUM_THREADS": "1"},
}
PROBE = "import torch; from aigc.machine import describe; print(describe(torch.device('cpu')))"


def cannot(row: str) -> str:
    """Why a row cannot be run on this machine; empty if it can."""
    vectors = torch.backends.cpu.get_cpu_capability()
    if row == "laptop" and vectors not in ("AVX2", "AVX512") or row == "server" and vectors != "AVX512":
        return "only x86 processors with newer instructions can be told to do without them"
    if row == "bfloat16" and bfloat16_gain() < 0.3:
        return "bfloat16 is so slow here that a chapter would take half an hour"
    return ""


def environment(row: str) -> dict[str, str]:
    """This process's environment with the variables of a row, and without what its user had chosen."""
    chosen = {"AIGC_PRECISION", "AIGC_SEED", "AIGC_RECORD", *LAPTOP} - {"OPENBLAS_CORETYPE"}
    kept = {name: value for name, value in os.environ.items() if name not in chosen}
    return kept | {"AIGC_DEVICE": "cpu", "AIGC_TIMBRE": "plain", "OMP_NUM_THREADS": "2"} | ROWS[row]


def run(row: str, paths: list, **more: str) -> tuple[int, int, float]:
    """Cells passed, cells failed, and seconds of these notebooks; what failed is printed. more: variables."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider", *map(str, paths)]
    outcome = subprocess.run(command, cwd=ROOT, env=environment(row) | more, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    counted = {
        word: int(n)
        for n, word in re.findall(r"(\d+) (passed|failed|error)", (outcome.stdout.splitlines() or [""])[-1])
    }
    failed = counted.get("failed", 0) + counted.get("error", 0)
    if outcome.returncode or failed:
        print(f"{row}: {' '.join(path.name for path in paths)}\n{outcome.stdout}{outcome.stderr}", flush=True)
    return counted.get("passed", 0), failed or int(bool(outcome.returncode)), seconds


def main(arguments: list[str]) -> int:
    if "--help" in arguments:
        print(__doc__)
        return 0
    chosen = [word for word in arguments if word.isdigit()]
    rows = [word for word in arguments if not word.isdigit()] or list(ROWS)
    if unknown := set(rows) - set(ROWS):
        print(f"there is no row {' '.join(sorted(unknown))}: choose of {' '.join(ROWS)}")
        return 1
    found = {folder: sorted((ROOT / folder).glob("[0-9]*.ipynb")) for folder in ("chapters", "exercises", "solutions")}
    if chosen:
        found["chapters"] += sorted((ROOT / "drafts").glob("[0-9]*.ipynb"))
        found = {name: [path for path in paths if path.stem[:2] in chosen] for name, paths in found.items()}
    groups = {path.stem[:2]: [path] for path in found["chapters"]}
    groups |= {"sheets": found["exercises"] + found["solutions"]} if found["exercises"] else {}
    if not groups:
        print(f"no notebook has the number {' '.join(chosen)}: give it with two digits, as in ONLY=03")
        return 1
    table, broken = ["| row | passed | failed | seconds: " + " | ".join(groups) + " |"], False
    table.append("|:--|--:|--:|" + "--:|" * len(groups))
    for row in rows:
        if reason := cannot(row):
            broken |= row in arguments  # asked for by name
            table.append(f"| {row}: not run, {reason} |")
            continue
        probe = subprocess.run([sys.executable, "-c", PROBE], env=environment(row), capture_output=True, text=True)
        if probe.returncode:
            print(f"{row}: {probe.stderr}")
            return 1
        print(f"{row}: {probe.stdout.strip()}", flush=True)
        alone = bool(chosen) or row == "here"
        more = {} if alone else {"OMP_WAIT_POLICY": "passive"}  # threads that spin take the other notebook's core
        with ThreadPoolExecutor(1 if alone else 2) as pool:  # the sheets, last of all and the longest, begin
            outcomes = [*pool.map(partial(run, row, **more), reversed(groups.values()))][::-1]
        passed, failed, seconds = map(list, zip(*outcomes))
        broken |= sum(failed) > 0
        times = " | ".join(f"{s:.0f}" for s in seconds)
        table.append(
            f"| {row}: {probe.stdout.strip().removeprefix('Machine: ')} | {sum(passed)} | {sum(failed)} | {times} |"
        )
    print("\n".join(table))
    return int(broken)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
