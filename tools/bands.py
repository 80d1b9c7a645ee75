"""Measures the bands of `course.expect` over seeds and processors: `python -m tools.bands [NN ...]`.

A chapter runs with eight seeds, one thread each; with the first seed also as on each other processor of
tools.processors, and on the GPU where there is one. What was measured is kept in data/bands.json with the band that
follows from it. The words of a band (quantity, unit, causes) are written there by hand.
"""

import json
import math
import os
import re
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch
from scipy.stats import t as student

from aigc.course import BANDS
from aigc.files import atomic
from aigc.machine import precision

from .notebooks import execute, read, sources
from .processors import ROWS, cannot

SEEDS = range(8)
LEVEL = 0.99  # of the interval in which one more run falls
TOLERANCE = 0.002  # of the value: what an unknown processor may add, even where those that we know agree


def band(measured: dict[str, list[float]], unit: str = "") -> tuple[str, float, float]:
    """The kind of a band and the lowest and highest value that passes. measured: values by row; "thread" has the seeds.

    exact: no seed moves it. The band reaches as far beyond the processors as they lie apart, at least by TOLERANCE.
    drawn: a prediction interval for one more seed (mean and deviation of the seeds, Student's t), at LEVEL, widened
    to hold what each processor gave.
    """
    seeds, every = measured["thread"], [value for values in measured.values() for value in values]
    low, high = min(every), max(every)
    least = TOLERANCE * max(abs(low), abs(high))
    if len(set(seeds)) == 1:
        kind, margin = "exact", max(high - low, least)
        low, high = low - margin, high + margin
    else:
        n, mean = len(seeds), sum(seeds) / len(seeds)
        deviation = math.sqrt(sum((value - mean) ** 2 for value in seeds) / (n - 1))
        reach = student.ppf((1 + LEVEL) / 2, n - 1) * deviation * math.sqrt(1 + 1 / n)
        kind, low, high = "drawn", min(mean - reach, low - least), max(mean + reach, high + least)
    if unit.startswith("of "):  # a share
        low, high = max(0.0, low), min(1.0, high)
    return kind, float(f"{low:.4g}"), float(f"{high:.4g}")


def record(path: Path, row: str, more: dict[str, str]) -> dict[str, list[float]]:
    """What a chapter measures on a row's processor: by key, the value and its baseline, to four digits."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "record"
        file.touch()
        execute(read(path), path.parent, row, **more, AIGC_RECORD=str(file))
        lines = [json.loads(line) for line in file.read_text().splitlines()]
    print(f"{path.stem}: {row} {more.get('AIGC_SEED', '')}", flush=True)
    short = lambda value: None if value is None else float(f"{value:.4g}")
    return {line["key"]: [short(line["value"]), short(line["baseline"])] for line in lines}


def runs() -> list[tuple[str, dict[str, str]]]:
    """The row and more variables of each run that one chapter needs. One thread each, but for the last, "here"."""
    first, decided = {"AIGC_SEED": str(SEEDS[0])}, {"AIGC_PRECISION": str(precision()).removeprefix("torch.")}
    found = [("thread", decided | {"AIGC_SEED": str(seed)}) for seed in SEEDS]
    found += [(row, first | {"OMP_NUM_THREADS": "1"}) for row in ROWS if row not in ("thread", "here")]
    return [(row, more) for row, more in found if not cannot(row)] + [("here", first | decided)]


def main(chosen: list[str]) -> int:
    if "--help" in chosen:
        print(__doc__)
        return 0
    paths = [path for path in sources(chosen) if path.parent.name in ("chapters", "drafts")]
    if not paths:
        print(f"no chapter has the number {' '.join(chosen)}: give it with two digits, as in ONLY=03")
        return 1
    for path in paths:
        todo = runs()
        workers = min(4, os.cpu_count() or 1)  # each takes up to 3 GB
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parallel = [pool.submit(record, path, *run) for run in todo[:-1]]
            results = [future.result() for future in parallel]
        results.append(record(path, *todo[-1]))
        if torch.cuda.is_available():
            todo.append(("cuda", {"AIGC_SEED": str(SEEDS[0]), "AIGC_DEVICE": "cuda"}))
            results.append(record(path, "here", todo[-1][1]))
        bands = json.loads(BANDS.read_text(encoding="utf-8")) if BANDS.exists() else {}
        old = {key: bands.pop(key) for key in list(bands) if key[:2] == path.stem[:2]}
        for key in results[0]:
            words = {part: old.get(key, {}).get(part, "") for part in ("quantity", "unit", "causes")}
            measured: dict[str, list[float]] = {}
            for (row, _), result in zip(todo, results, strict=True):
                measured.setdefault(row, []).append(result[key][0])
            measured = old.get(key, {}).get("measured", {}) | measured  # rows that this machine has not stay
            baselines = [result[key][1] for result in results if result[key][1] is not None]
            kind, low, high = band(measured, words["unit"])
            bands[key] = {**words, "kind": kind, "low": low, "high": high}
            bands[key]["baseline"] = [min(baselines), max(baselines)] if baselines else []
            bands[key]["measured"] = measured
            missing = "" if words["causes"] else "; write its quantity, unit and causes"
            print(f"{key}: {kind}, {low:g} to {high:g}, baseline {bands[key]['baseline']}{missing}", flush=True)
        with atomic(BANDS) as partial:
            partial.write_text(written(bands), encoding="utf-8")
    return 0


def written(bands: dict) -> str:
    """The JSON of the bands, with each list of numbers on one line."""
    text = json.dumps(dict(sorted(bands.items())), indent=1, ensure_ascii=False)
    return re.sub(r"\[[^\[\]{}\"]*\]", lambda match: " ".join(match[0].split()), text) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
