"""One voice <-> events: for each note, or rest, its pitch, its length and its velocity. Also as one row of tokens, and
from a melody typed in letters."""

import re
from fractions import Fraction

import numpy as np
import torch

from ..score import ONSET, STEPS_PER_BEAT, VOICE, accent, semitones
from .notes import HIGH, LOW, check, from_midi

LONGEST = 64  # steps of an event: four bars of 4/4
LOUDEST = 31  # a velocity is kept as a multiple of 4, up to 124
SIZES = (2 + HIGH - LOW, LONGEST, LOUDEST + 1)  # values of each part: a rest or LOW .. HIGH; 1 .. LONGEST; 0 .. LOUDEST
VOCABULARY = sum(SIZES)
FIRST = np.cumsum([0, *SIZES[:-1]])  # the first token of each part
WORD = re.compile(r"(?:(r)|([A-G][#b]?)(\d))(?::(\d{1,4})(?:/([1-9]\d?))?)?")


def encode(notes: np.ndarray) -> np.ndarray:
    """notes: (N, 5) of one voice. Returns events (M, 3) int64: pitch, length and velocity, each from 0 on, see SIZES.

    Silence is an event too, of pitch 0 and velocity 0; one longer than LONGEST is several. Velocities are rounded to
    multiples of 4. Raises ValueError as `check` does, for several voices, and for a note that is too long, high or low.
    """
    notes = check(notes)
    if len(np.unique(notes[:, VOICE])) > 1:
        raise ValueError("events are of one voice: take notes[notes[:, VOICE] == 0], or another")
    rows, now = [], 0
    for _, onset, duration, pitch, velocity in notes.tolist():
        if duration > LONGEST or not LOW <= pitch <= HIGH:
            limits = f"at most {LONGEST} steps long, and its pitch in {LOW} .. {HIGH}"
            raise ValueError(f"a note must be {limits}, not {duration} and {pitch}: cut it, or transpose")
        rows += [(0, min(LONGEST, onset - start) - 1, 0) for start in range(now, onset, LONGEST)]
        rows.append((1 + pitch - LOW, duration - 1, min(LOUDEST, max(1, round(velocity / 4)))))
        now = onset + duration
    return np.array(rows, dtype=np.int64)


def decode(events: np.ndarray, voice: int = 0) -> np.ndarray:
    """events: (M, 3). Returns their notes (N, 5) int16, the first event at step 0; N = 0 where all are rests.

    `encode` gives the events back if none but the longest rests have a rest behind them, and a note is the last.
    Raises ValueError for events outside SIZES, for a note of velocity 0 or a rest of another, and as `check` does.
    """
    events = _checked(events)
    wrong = np.flatnonzero((events[:, 0] == 0) != (events[:, 2] == 0))
    if len(wrong):
        given = f"event {wrong[0]}, {events[wrong[0]].tolist()}"
        raise ValueError(f"{given}, is impossible: rests, and they alone, have velocity 0")
    length = events[:, 1] + 1
    onset = length.cumsum() - length
    notes = np.stack([np.full(len(events), voice), onset, length, events[:, 0] + LOW - 1, 4 * events[:, 2]], axis=1)
    notes = notes[events[:, 0] > 0]
    return check(notes) if len(notes) else notes.astype(np.int16)


def _checked(events: np.ndarray) -> np.ndarray:
    events = np.asarray(events)
    if events.ndim != 2 or events.shape[1] != 3 or events.dtype.kind not in "iu":
        raise ValueError(f"events must be (M, 3) integers, not {events.dtype} of shape {events.shape}")
    events = events.astype(np.int64)
    wrong = ((events < 0) | (events >= SIZES)).any(1)
    if wrong.any():
        limits = f"pitch, length and velocity lie in 0 .. {[size - 1 for size in SIZES]}"
        raise ValueError(f"event {np.flatnonzero(wrong)[0]}, {events[wrong][0].tolist()}, is impossible: {limits}")
    return events


def to_tokens(events: np.ndarray) -> np.ndarray:
    """events: (M, 3). Returns (3 M,) int64 in 0 .. VOCABULARY-1: of each event pitch, length, velocity, in turn.

    Raises ValueError for events outside SIZES.
    """
    return (_checked(events) + FIRST).ravel()


def from_tokens(tokens: np.ndarray) -> np.ndarray:
    """The events (M, 3) of `to_tokens`. Raises ValueError where a token does not stand in its part's place."""
    tokens = np.asarray(tokens).astype(np.int64, casting="same_kind")
    events = tokens[: len(tokens) // 3 * 3].reshape(-1, 3) - FIRST
    if len(tokens) % 3 or ((events < 0) | (events >= SIZES)).any():
        raise ValueError("tokens come in threes, pitch, length and velocity: draw from the part whose turn it is")
    return events


def windows(
    songs: list[torch.Tensor], size: int, length: int, generator: torch.Generator, beyond: int = 0
) -> torch.Tensor:
    """(size, length, K): runs of events from songs, each (M, K); every place of every song is equally probable.

    A song shorter than `length` gives none. beyond: how far a run may begin before a song or end behind it; such a run
    is moved inside, so that first and last events, which stand in few runs, come oftener. Raises ValueError where all
    songs are too short, and for size or length < 1.
    """
    long = [song for song in songs if len(song) >= length]
    if not long or min(size, length) < 1:
        raise ValueError(f"no song has {length} events, or there are no windows, {size}: take some, or shorter ones")
    rooms = torch.tensor([len(song) - length + 1.0 for song in long])
    chosen = torch.multinomial(rooms, size, replacement=True, generator=generator).tolist()
    rooms = [len(long[i]) - length for i in chosen]
    starts = [int(torch.randint(room + 1 + 2 * beyond, (1,), generator=generator)) - beyond for room in rooms]
    starts = [min(max(start, 0), room) for start, room in zip(starts, rooms)]
    return torch.stack([long[i][start : start + length] for i, start in zip(chosen, starts)])


def typed(text: str, steps_per_bar: int = 16, pickup: int = 0) -> np.ndarray:
    """The notes (N, 5) of a melody such as "E4 G4:1/2 F#4:3/2 r Bb4:2": names with octaves, and lengths in beats.

    C4 is the middle C, r a rest, its length a beat where none is given; bar lines | are for the eye. Velocities are
    the accents of the metre. Raises ValueError, naming the word, for what is none of these or no multiple of a
    sixteenth, and as `check` does.
    """
    rows, now = [], 0
    for place, word in enumerate(text.replace("|", " ").split(), 1):
        found = WORD.fullmatch(word)
        length = Fraction(int(found[4] or 1), int(found[5] or 1)) * STEPS_PER_BEAT if found else Fraction(0)
        if length < 1 or length.denominator > 1:
            how = "a capital letter with an octave, or r for a rest, and after a colon how many beats"
            raise ValueError(f"word {place} of the melody, {word!r}: write {how}, in quarters: C4 F#5:1/2 Bb3:3/4 r:2")
        if not found[1]:
            pitch = 12 * (int(found[3]) + 1) + semitones(found[2])
            rows.append((0, now, int(length), pitch, accent(now, steps_per_bar, pickup)))
        now += int(length)
    return check(np.array(rows, dtype=np.int64).reshape(-1, 5))


def tune(given: str) -> np.ndarray:
    """The notes (N, 5) of one voice, of a melody that is `typed` or of a MIDI file, given as its path: its first voice.

    The voice becomes 0, and whole bars of 4/4 without a note before it are left out. Raises what `typed` or
    `notes.from_midi` raises.
    """
    notes = from_midi(given) if given.endswith((".mid", ".midi")) else typed(given)
    notes = notes[notes[:, VOICE] == notes[0, VOICE]]
    notes[:, VOICE], notes[:, ONSET] = 0, notes[:, ONSET] - notes[:, ONSET].min() // 16 * 16
    return notes
