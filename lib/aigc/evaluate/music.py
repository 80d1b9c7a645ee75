"""Music in four voices: the rules of its craft, and how much of it was copied. Pieces are grids of codecs.notes."""

import math
from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

import numpy as np

from ..codecs.notes import check_grid
from ..score import HOLD, REST, read_key

PITCHES = 200  # so far above rest, hold and end that no transposition reaches these
END = np.array([[2]])  # is in no grid: a run stops at the end of a piece


def sounding(grid: np.ndarray) -> np.ndarray:
    """grid: (T, 4). Returns (T, 4) int16: the pitch that each voice sings at each step, REST where it is silent."""
    grid = check_grid(grid)
    begun = np.where(grid != HOLD, np.arange(len(grid))[:, None], -1)
    begun = np.maximum.accumulate(begun, axis=0)  # the step at which what sounds began
    return np.where(begun >= 0, np.take_along_axis(grid, begun.clip(min=0), axis=0), REST).astype(np.int16)


class Fault(NamedTuple):
    """How often a rule was broken. Over several pieces, add up both numbers before you divide."""

    count: int
    cases: int  # in which it could have been
    where: np.ndarray  # (T, 4) booleans: the voices that took part, at the step at which it happened

    @property
    def rate(self) -> float:
        """Per 100 cases, nan without any."""
        return 100 * self.count / self.cases if self.cases else math.nan


def faults(grid: np.ndarray, key: str | None = None) -> dict[str, Fault]:
    """What a teacher of harmony marks in four voices, each with its cases.

    parallels: two voices move at one step, the same way, uncrossed (the same one is above before and after, or
        neither), and their interval, octaves aside, is a fifth before and after, or an octave or unison before and
        after. Of moves that two voices make together: a fifth that is sung again is none.
    crossings: a voice below the next lower one. Of steps of two neighbours that both sing.
    spacing: soprano and alto, or alto and tenor, more than an octave apart. Likewise.
    leaps: of a tritone, of a seventh, or of more than an octave. Of moves of one voice.
    leading notes: the seventh note of the key in two voices or more. Of steps at which it sounds; for a key such as
        "F# minor" alone. Raises ValueError as `check_grid` does.
    """
    pitch = sounding(grid).astype(int)
    sings, moved = pitch != REST, np.zeros(pitch.shape, dtype=bool)
    step = np.diff(pitch, axis=0, prepend=pitch[:1])
    moved[1:] = sings[1:] & sings[:-1] & (step[1:] != 0)
    found = {}

    def mark(name: str, cases: np.ndarray, wrong: np.ndarray, *voices: int) -> None:
        """cases, wrong: (T,) booleans; voices: those of this case."""
        count, total, where = found.get(name, Fault(0, 0, np.zeros(pitch.shape, dtype=bool)))
        where[:, list(voices)] |= (cases & wrong)[:, None]
        found[name] = Fault(count + int((cases & wrong).sum()), total + int(cases.sum()), where)

    for high, low in combinations(range(pitch.shape[1]), 2):
        now = pitch[:, high] - pitch[:, low]  # negative where the voices have crossed
        was = now - step[:, high] + step[:, low]
        alike = (abs(was) % 12 == abs(now) % 12) & np.isin(abs(now) % 12, (0, 7))
        same_way = (step[:, high] * step[:, low] > 0) & (was * now >= 0)
        mark("parallels", moved[:, high] & moved[:, low], same_way & alike, high, low)
        if low == high + 1:
            both = sings[:, high] & sings[:, low]
            mark("crossings", both, now < 0, high, low)
            if high < 2:
                mark("spacing", both, now > 12, high, low)
    for voice in range(pitch.shape[1]):
        far = abs(step[:, voice])
        mark("leaps", moved[:, voice], np.isin(far, (6, 10, 11)) | (far > 12), voice)
    if key is not None:
        leading = sings & ((pitch - read_key(key)[0]) % 12 == 11)
        found["leading notes"] = Fault(
            int((leading.sum(1) > 1).sum()), int(leading.any(1).sum()), leading & (leading.sum(1) > 1)[:, None]
        )
    return found


def rates(grids: list[np.ndarray], keys: list[str]) -> dict[str, float]:
    """`faults` of several pieces together, per 100 cases; nan without any. Raises ValueError as `faults` does."""
    found = [faults(grid, key) for grid, key in zip(grids, keys, strict=True)]
    names = found[0] if found else ()
    sums = {name: [sum(getattr(one[name], part) for one in found) for part in ("count", "cases")] for name in names}
    return {name: 100 * count / cases if cases else math.nan for name, (count, cases) in sums.items()}


def cadence(grid: np.ndarray, step: int, key: str) -> str:
    """How a line ends that ends on the chord at this step: by the bass, and what it moved from.

    "V-I" and "IV-I": to the tonic from the fifth or the fourth note of the key; "I": to it from elsewhere; "V": on the
    fifth note; "other". All but the last two need a triad of the tonic, with or without its fifth, as the chord.
    """
    sung = sounding(grid)
    pitch, silent = (sung.astype(int) - read_key(key)[0]) % 12, sung == REST
    bass = pitch[: step + 1, 3]
    if silent[step].any():
        return "other"
    if bass[-1] == 0 and set(pitch[step]) <= {0, 3, 4, 7}:
        before = bass[~silent[: step + 1, 3] & (bass != bass[-1])]
        return {7: "V-I", 5: "IV-I"}.get(int(before[-1]), "I") if len(before) else "I"
    return "V" if bass[-1] == 7 else "other"


def longest_copied_run(
    grid: np.ndarray, corpus: Iterable[np.ndarray], voice: int | None = None, transposed: bool = False
) -> int:
    """The most steps in a row that the grid has in common with any grid of the corpus.

    voice: 0 .. 3 compares this voice alone; None, all four at once. transposed: whether a copy in another key counts.
    Takes 0.02 s for 200 steps against the training chorales, and ten times that where transposed.
    Raises ValueError for another voice.
    """
    if voice not in (None, 0, 1, 2, 3):
        raise ValueError(f"voice must be 0 .. 3, or None for all four, not {voice!r}")
    columns = slice(None) if voice is None else slice(voice, voice + 1)
    song, pages = _sheet(grid, columns), [_sheet(piece, columns) for piece in corpus]
    book = np.concatenate([part for page in pages for part in (page, END.repeat(page.shape[1], 1))] or [song[:0]])
    (steps, tops), (line, book_tops) = (_coded(sheet, transposed) for sheet in (song, book))
    longest = 0
    # Of the run that ends at each step of the book: its length, how far it is transposed, and how many of its last
    # steps would fit any transposition, for nothing begins there.
    run, shift, silent = np.zeros(len(line) + 1, int), np.full(len(line) + 1, ANY), np.zeros(len(line) + 1, int)
    for step, top in zip(steps, tops):
        now = np.full(len(line), ANY) if top == ANY else book_tops - top
        same = (now == shift[:-1]) | (now == ANY) | (shift[:-1] == ANY)
        found = line == step
        run[1:] = np.where(found, np.where(same, run[:-1], silent[:-1]) + 1, 0)
        shift[1:] = np.where(found, np.where((now == ANY) & same, shift[:-1], now), ANY)
        silent[1:] = np.where(found & (now == ANY), silent[:-1] + 1, 0)
        longest = max(longest, int(run.max()))
    return longest


ANY = 10_000  # a shift that fits every other


def _coded(sheet: np.ndarray, transposed: bool) -> tuple[np.ndarray, np.ndarray]:
    """One number a step and, where a copy in another key counts, the step's highest pitch, or ANY where none begins."""
    pitched = sheet >= PITCHES
    tops = np.where(pitched, sheet, 0).max(1, initial=0)
    if not transposed:
        return sheet @ 512 ** np.arange(sheet.shape[1]), np.full(len(sheet), ANY)
    below = np.where(pitched, PITCHES + tops[:, None] - sheet, sheet)  # from the top, whatever the key
    return below @ 512 ** np.arange(sheet.shape[1]), np.where(pitched.any(1), tops, ANY)


def _sheet(grid: np.ndarray, columns: slice) -> np.ndarray:
    grid = check_grid(grid)[:, columns].astype(np.int64)
    return np.where(grid >= 0, grid + PITCHES, np.where(grid == REST, 0, 1))
