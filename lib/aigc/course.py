"""What a notebook needs to be a chapter: a seed and a device, bands for its numbers, and the closing table."""

import json
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from IPython.display import Markdown, display

from . import data, released, show
from .machine import describe, device

BANDS = Path(__file__).parents[2] / "data" / "bands.json"

_rows: list[tuple[str, str, str, str]] = []  # of the closing table: quantity, baseline, yours, band
_seed = 0  # of the chapter that was started last


def start(chapter: str, seed: int = 0) -> torch.device:
    """Seed every source of randomness, empty the closing table, say what the machine is, and return the device.

    $AIGC_SEED replaces the seed: with it the course measures its own bands.
    """
    global _seed
    _seed = int(os.environ.get("AIGC_SEED", seed))
    random.seed(_seed)
    np.random.seed(_seed)
    torch.manual_seed(_seed)
    _rows.clear()
    chosen = device()
    print(f"Chapter {chapter} is ready.\n{describe(chosen)}")
    return chosen


def seed() -> int:
    """The chapter's seed, for a torch or NumPy generator of your own."""
    return _seed


def check() -> None:
    """Print, for each part of the set-up, that it is there, or what is missing and what to do. Downloads nothing."""
    for load in data.OFFLINE:
        _ready(f"data: {load.__name__}", load, "\n  Close JupyterLab and start it with `make lab`.")
    for name in _ready("index of models", released.index) or ():
        _ready(f"model: {name}", partial(released.path, name))


def _ready(name: str, load: Callable, advice: str = ""):
    try:
        found = load()
        print(f"{name}, ready")
        return found
    except (OSError, ValueError, ImportError) as error:
        print(f"{name}, MISSING. {error}{advice}")


def expect(key: str, value: float, baseline: float | None = None) -> None:
    """Compare a measured value with the band in which it falls on other machines and with other seeds.

    A reader sees a picture: the band as a bar, the baseline as a tick, the value as a dot. Its plain text, which nbval
    compares, does not depend on the value inside the band; outside, it says how far, and what usually causes it.
    baseline: what the value has to be compared with, in the same unit.
    Raises KeyError if no band was measured for this key, and ValueError if one of the two is not a finite number.
    """
    value, baseline = float(value), None if baseline is None else float(baseline)
    record = os.environ.get("AIGC_RECORD")
    if record:
        with open(record, "a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, "value": value, "baseline": baseline}) + "\n")
        return
    bands = json.loads(BANDS.read_text(encoding="utf-8"))
    if key not in bands:
        raise KeyError(f"no band for {key!r} in {BANDS.name}: `make bands` measures it")
    band = bands[key]
    low, high, unit = band["low"], band["high"], band["unit"]
    inside = f"{low:.4g} to {high:.4g} {unit}".strip()
    for number in (value, 0.0 if baseline is None else baseline):
        if not np.isfinite(number):
            raise ValueError(f"{key}: {number} is no measurement. {band['causes']}")
    _rows.append((band["quantity"], "" if baseline is None else f"{baseline:.4g}", f"{value:.4g}", inside))
    outside = not low <= value <= high
    text = f"{key}: inside the band, {inside}"
    if outside:
        distance, side = (low - value, "below") if value < low else (value - high, "above")
        text = f"{key}: {value:.4g} is {distance:.2g} {side} the band, {inside}. {band['causes']}"
    show.band(f"{band['quantity']}, {unit}".strip(", "), low, high, value, baseline, text=text)
    if outside:
        print(text)  # the picture has no room for the causes


def summary() -> None:
    """The closing table: each quantity with its baseline, the value of this run, and its band."""
    lines = ["| quantity | baseline | yours | band |", "|:--|--:|--:|:--|"]
    lines += ["| " + " | ".join(row) + " |" for row in _rows]
    display(Markdown("\n".join(lines)))
