"""What a notebook needs to be a chapter: a seed and a device, bands for its numbers, and the closing table."""

import ctypes
import io
import json
import os
import random
import threading
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile
import torch
from IPython import get_ipython
from IPython.display import Audio, Markdown, display

from . import data, released, show
from .machine import describe, device

BANDS = Path(__file__).parents[2] / "data" / "bands.json"

_rows: list[tuple[str, str, str, str]] = []  # of the closing table: quantity, baseline, yours, band
PATIENCE = 20.0  # seconds that a learner's function may take for one of a check's cases
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


def audible(player: Audio) -> Audio:
    """The player, if what it plays is neither silent nor cut off at the top, and begins within 50 ms; else
    AssertionError."""
    samples, rate = soundfile.read(io.BytesIO(player.data))
    assert np.sqrt(np.mean(samples**2)) > 0.02, "this is silence, or nearly"
    assert np.abs(samples).max() < 0.99, "this is too loud: its peaks are cut off"
    assert np.abs(samples[: rate // 20]).max() > 0.01, "this begins too late"
    return player


def attempt(function: Callable, *arguments):
    """What a learner's function returns for these arguments, as a check of a sheet asks it.

    Raises AssertionError, in words, where nothing came back, an argument was changed, or PATIENCE was too short; what
    the function itself raises passes through.
    """
    name = f"`{getattr(function, '__name__', 'the function')}`"
    before, expired = _content(arguments), []
    here, lock = threading.get_ident(), threading.Lock()

    def interrupt():
        with lock:
            expired.append(True)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(here), ctypes.py_object(_TooLong))

    clock = threading.Timer(PATIENCE, interrupt)
    clock.daemon = True
    clock.start()
    try:
        answer = function(*arguments)
        with lock:  # from here on it is too late to interrupt
            clock.cancel()
        if expired:
            raise _TooLong
    except _TooLong:
        raise AssertionError(
            f"{name} was stopped after {PATIENCE:g} s. This is a small case: does a loop never end, or does "
            "it try far more than it has to?"
        ) from None
    finally:
        clock.cancel()
    assert answer is not None, f"nothing came back: {name} has to `return` its answer, whatever it was given"
    assert _content(arguments) == before, f"{name} changed what it was given: work on a copy, nothing in place"
    return answer


def numbers(answer, words: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """A learner's answer of any kind (tensor, array, list of these, number) as an array of float64, or of booleans.

    words: what was expected. Raises AssertionError, with these words, where the answer is no numbers or, if a shape is
    given, has another one.
    """
    kind = type(answer).__name__
    try:
        if isinstance(answer, (list, tuple)) and any(isinstance(part, torch.Tensor) for part in answer):
            answer = [numbers(part, words) for part in answer]
        array = np.asarray(answer.detach().cpu() if isinstance(answer, torch.Tensor) else answer)
        array = array if array.dtype.kind == "b" else array.astype(float) if array.dtype.kind in "iuf" else None
    except (TypeError, ValueError, RuntimeError):
        array = None
    assert array is not None, f"{words}: return numbers; this was of the type {kind}"
    assert shape is None or array.shape == shape, f"{words}: the shape {shape}, not {array.shape}"
    return array


def hints(check: Callable) -> Callable:
    """A check of a sheet whose error shows its words and the lines of the learner's own code that failed.

    Of the check itself IPython would show the lines around, and these are the hints for other mistakes.
    """

    @wraps(check)
    def checked(answer):
        try:
            check(answer)
        except Exception as error:
            lines = error.__traceback__
            while lines and lines.tb_frame.f_code.co_filename in (__file__, check.__code__.co_filename):
                lines = lines.tb_next
            error._render_traceback_ = partial(_rendered, error, lines)  # IPython asks for it
            raise

    return checked


def _rendered(error: Exception, lines: TracebackType | None) -> list[str]:
    if lines is None:
        return [f"{type(error).__name__}: {error}"]
    return get_ipython().InteractiveTB.structured_traceback(type(error), error, lines)


class _TooLong(BaseException):
    """Raised from outside in a function that takes too long; no `except Exception` of its own catches it."""


def _content(value):
    """What can be compared of data: a copy of arrays, tensors and collections of them; of all else, which it is."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes() if value.dtype != object else tuple(value.ravel())
    if isinstance(value, torch.Tensor):
        bare = value.detach().cpu()
        return value.requires_grad, _content((bare.float() if bare.dtype == torch.bfloat16 else bare).numpy())
    if isinstance(value, dict):
        return dict, tuple((key, _content(one)) for key, one in value.items())
    if isinstance(value, (list, tuple, set)):
        return type(value), tuple(map(_content, value))
    return value if isinstance(value, (str, bytes, int, float, complex)) else id(value)
