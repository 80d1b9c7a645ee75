"""Notes <-> a grid of steps <-> token ids, and notes <-> MIDI. A step is a sixteenth; there are four voices."""

from os import PathLike
from pathlib import Path

import numpy as np
import pretty_midi

from ..score import DURATION, HOLD, ONSET, REST, STEPS_PER_BEAT, VOICE, VOICES, accent, read_key, spell

LOW, HIGH = 30, 87  # the pitches of the vocabulary: those of the corpus, 36 .. 81, and six semitones on either side
VOCABULARY = 2 + HIGH - LOW + 1  # of ids: 0 rest, 1 hold, then LOW .. HIGH
GOES_ON = 1  # the id of a hold
PLAN = (28, 32, 32, 24, 768)  # values of each column of `plan`
RANGES = ((57, 81), (53, 74), (48, 69), (36, 64))  # what each voice sings in the corpus
PROGRAM = 52  # of General MIDI: a choir
LAST_STEP = np.iinfo(np.int16).max
LARGEST = 50_000  # bytes of a MIDI file, which take less than a second to read; a chorale has at most 7,000


def check(notes: np.ndarray) -> np.ndarray:
    """Notes as (N, 5) int16, sorted by voice and onset, with the columns of aigc.score; they may be in any order.

    Raises ValueError where there is none, or where one lies outside: voice 0 .. 3, onset >= 0, duration >= 1, pitch
    0 .. 127, velocity 1 .. 127, end <= 32767; and where a voice has two notes at once.
    """
    notes = np.asarray(notes)
    if notes.ndim != 2 or notes.shape[1] != 5 or notes.dtype.kind not in "iu":
        raise ValueError(f"notes must be (N, 5) integers, not {notes.dtype} of shape {notes.shape}")
    if len(notes) == 0:
        raise ValueError("there are no notes: give at least one")
    notes = notes[np.lexsort((notes[:, ONSET], notes[:, VOICE]))].astype(np.int64)
    limits = dict(voice=(0, 3), onset=(0, LAST_STEP), duration=(1, LAST_STEP), pitch=(0, 127), velocity=(1, 127))
    for column, (name, (low, high)) in enumerate(limits.items()):
        wrong = notes[(notes[:, column] < low) | (notes[:, column] > high), column]
        if len(wrong):
            raise ValueError(f"{name} {wrong[0]} of a note is outside {low} .. {high}")
    ends = notes[:, ONSET] + notes[:, DURATION]
    if ends.max() > LAST_STEP:
        raise ValueError(f"a note ends at step {ends.max()}, after the last possible one, {LAST_STEP}: cut the piece")
    overlap = (notes[1:, VOICE] == notes[:-1, VOICE]) & (notes[1:, ONSET] < ends[:-1])
    if overlap.any():
        voice, onset = notes[1:][overlap][0, [VOICE, ONSET]]
        where = f"voice {voice} ({VOICES[voice]}) has two notes at once at step {onset}"
        raise ValueError(f"{where}: give each voice one note at a time, and chords a voice for each note")
    return notes.astype(np.int16)


def to_grid(notes: np.ndarray, steps: int | None = None) -> np.ndarray:
    """notes: (N, 5). Returns (T, 4) int16, one column a voice: a pitch where a note begins, then HOLD; else REST.

    steps: T; without it, up to the last note's end. All but the velocities can be had back with `from_grid`.
    Raises ValueError as `check` does, and if a note ends after `steps`.
    """
    notes = check(notes)
    end = int((notes[:, ONSET].astype(int) + notes[:, DURATION]).max())
    if steps is not None and steps < end:
        raise ValueError(f"the last note ends at step {end}, after the {steps} asked for: leave steps out, or cut")
    grid = np.full((steps or end, len(VOICES)), REST, dtype=np.int16)
    for voice, onset, duration, pitch, _ in notes:
        grid[onset : onset + duration, voice] = HOLD
        grid[onset, voice] = pitch
    return grid


def from_grid(grid: np.ndarray, steps_per_bar: int = 16, pickup: int = 0) -> np.ndarray:
    """grid: (T, 4). Returns its notes (N, 5) int16 by voice and onset; velocities are the accents of the metre.

    A HOLD with no note before it is a rest. N = 0 for a silent grid. Raises ValueError as `check_grid` does.
    """
    grid, rows = check_grid(grid), []
    for voice, column in enumerate(grid.T):
        breaks = np.append(np.flatnonzero(column != HOLD), len(column))
        for onset, end in zip(breaks, breaks[1:], strict=False):
            if column[onset] != REST:
                rows.append((voice, onset, end - onset, column[onset], accent(int(onset), steps_per_bar, pickup)))
    return np.array(rows, dtype=np.int16).reshape(-1, 5)


def check_grid(grid: np.ndarray) -> np.ndarray:
    """The grid as an array. Raises ValueError unless it is (T, 4) integers, T <= 32767: REST, HOLD or 0 .. 127."""
    grid = np.asarray(grid)
    if grid.ndim != 2 or grid.shape[1] != len(VOICES) or grid.dtype.kind not in "iu":
        raise ValueError(f"a grid must be (T, 4) integers, one column a voice, not {grid.dtype} of shape {grid.shape}")
    if len(grid) > LAST_STEP:
        raise ValueError(f"a grid has at most {LAST_STEP} steps, not {len(grid)}: cut the piece")
    if grid.size and (grid.min() < HOLD or grid.max() > 127):
        raise ValueError(
            f"a grid holds {REST} (rest), {HOLD} (hold) and pitches 0 .. 127, not {grid.min()} .. {grid.max()}; "
            "ids become a grid with decode"
        )
    return grid


def encode(grid: np.ndarray) -> np.ndarray:
    """grid: (T, 4). Returns ids (T * 4,) int64 in 0 .. VOCABULARY-1: soprano, alto, tenor, bass of each step in turn.

    Raises ValueError for a pitch outside LOW .. HIGH.
    """
    ids = check_grid(grid).astype(np.int64).ravel()
    pitches = ids[ids >= 0]
    wrong = pitches[(pitches < LOW) | (pitches > HIGH)]
    if len(wrong):
        raise ValueError(f"pitch {wrong[0]} is not in the vocabulary, {LOW} .. {HIGH}: transpose the grid")
    return np.where(ids == REST, 0, np.where(ids == HOLD, GOES_ON, ids - LOW + 2))


def decode(ids: np.ndarray) -> np.ndarray:
    """ids: (T * 4,). Returns the grid (T, 4) int16. Raises ValueError for others or for an incomplete last step."""
    ids = np.asarray(ids, dtype=np.int64)
    if ids.ndim != 1 or len(ids) % len(VOICES):
        raise ValueError(f"ids must be a row, four for each step, not of shape {ids.shape}: cut the incomplete step")
    if ids.size and (ids.min() < 0 or ids.max() >= VOCABULARY):
        raise ValueError(f"ids must lie in 0 .. {VOCABULARY - 1}, got {ids.min()} .. {ids.max()}")
    grid = np.where(ids == 0, REST, np.where(ids == GOES_ON, HOLD, ids - 2 + LOW))
    return grid.reshape(-1, len(VOICES)).astype(np.int16)


def chords(grid: np.ndarray) -> np.ndarray:
    """grid: (T, 4). Returns (T, 4) int64: what each voice sings, and whether it begins.

    The id of `encode` where a note begins, or 0 for a rest; where a note goes on, its id + VOCABULARY. So a chord tells
    all that sounds, which a row of ids with holds does not. `unchords` gives the grid back. Raises ValueError as
    `encode` does.
    """
    ids = encode(grid).reshape(-1, len(VOICES))
    began = np.maximum.accumulate(np.where(ids != GOES_ON, np.arange(len(ids))[:, None], 0), axis=0)
    sung = np.take_along_axis(ids, began, axis=0)
    return np.where(ids == GOES_ON, VOCABULARY + np.where(sung == GOES_ON, 0, sung), ids)  # nothing to hold: silence


def unchords(chords: np.ndarray) -> np.ndarray:
    """chords: (T, 4). Returns their grid (T, 4) int16. Raises ValueError unless they lie in 0 .. 2 VOCABULARY - 1."""
    chords = np.asarray(chords)
    if chords.ndim != 2 or chords.size and not 0 <= chords.min() <= chords.max() < 2 * VOCABULARY:
        raise ValueError(f"chords must be (T, 4) in 0 .. {2 * VOCABULARY - 1}, not of shape {chords.shape}, or others")
    return decode(np.where(chords >= VOCABULARY, GOES_ON, chords).ravel())


def plan(steps: int, key: str, *, steps_per_bar: int = 16, pickup: int = 0, fermatas=()) -> np.ndarray:
    """What is known of every step before it is drawn, (steps, 5) int64 below PLAN, for `models.choir`.

    Its place in the bar (those of 3/4 from 16 on); how many steps until a fermata begins; how many beats are left, both
    at most 31; the key: the tonic's semitones above C, and 12 more for minor; and both of these in one, key * 32 +
    beats, from which it is easier to learn how a piece in this key ends. fermatas: the steps at which they begin;
    without any, one on the last beat. Raises ValueError for another key, and for a bar of neither 12 nor 16.
    """
    if steps_per_bar not in (12, 16):
        raise ValueError(f"a bar has 16 steps or 12, not {steps_per_bar}")
    tonic, mode = read_key(key)
    number = tonic + {"major": 0, "minor": 12}[mode]
    at = np.arange(steps)
    place = (at - pickup) % steps_per_bar + (16 if steps_per_bar == 12 else 0)
    ends = np.append(np.sort(fermatas), np.inf) if len(fermatas) else np.array([steps - STEPS_PER_BEAT, np.inf])
    wait = (ends[np.searchsorted(ends, at)] - at).clip(max=31)
    left = ((steps - 1 - at) // STEPS_PER_BEAT).clip(max=31)
    return np.stack([place, wait, left, np.full(steps, number), 32 * number + left], axis=1).astype(np.int64)


def rows(piece, semitones: int = 0) -> np.ndarray:
    """What `models.choir` reads of a piece, transposed: (T + 1, 9) int64, of each step `chords` and `plan`.

    piece: as a `data.Chorale`, with notes, steps, home, steps_per_bar, pickup, fermatas. Row 0: silence.
    """
    return _rows(piece, transpose(to_grid(piece.notes, piece.steps), semitones), semitones)


def in_all_keys(piece) -> list[np.ndarray]:
    """`rows` of the piece as it is, and in every other key in which each voice can still sing it."""
    grid = to_grid(piece.notes, piece.steps)
    moved = {up: transpose(grid, up) for up in range(-6, 7)}
    return [_rows(piece, there, up) for up, there in moved.items() if up == 0 or singable(there)]


def _rows(piece, grid: np.ndarray, up: int) -> np.ndarray:
    """grid: the piece's, higher by `up` semitones."""
    tonic, mode = read_key(piece.home)
    told = dict(steps_per_bar=piece.steps_per_bar, pickup=piece.pickup, fermatas=piece.fermatas)
    known = plan(piece.steps, f"{spell(tonic + up, 0)[0]} {mode}", **told)
    return np.pad(np.concatenate([chords(grid), known], axis=1), ((1, 0), (0, 0)))


def transpose(grid: np.ndarray, semitones: int) -> np.ndarray:
    """The grid, higher by so many semitones. Raises ValueError if a pitch leaves 0 .. 127."""
    grid = check_grid(grid)
    sung = grid >= 0
    moved = np.where(sung, grid.astype(np.int64) + semitones, grid)
    if ((moved[sung] < 0) | (moved[sung] > 127)).any():
        raise ValueError(f"{semitones} semitones move a pitch out of 0 .. 127: transpose by less")
    return moved.astype(np.int16)


def singable(grid: np.ndarray) -> bool:
    """Whether every voice stays in the range that it has in the corpus, RANGES."""
    grid = check_grid(grid)
    low, high = np.array(RANGES).T
    return bool(((grid < 0) | (grid >= low) & (grid <= high)).all())


def to_midi(notes: np.ndarray, tempo_bpm: float = 80.0) -> pretty_midi.PrettyMIDI:
    """notes: (N, 5). Returns one instrument for each of the four voices, named after it; `.write(path)` makes a file.

    tempo_bpm: beats a minute, 4 .. 1000. Raises ValueError for another tempo, and as `check` does.
    """
    if not 4 <= tempo_bpm <= 1000:  # MIDI can write no slower one; nan is refused too
        raise ValueError(f"tempo_bpm must lie between 4 and 1000 beats a minute, not {tempo_bpm}")
    seconds = 60 / tempo_bpm / STEPS_PER_BEAT
    midi = pretty_midi.PrettyMIDI(resolution=480, initial_tempo=tempo_bpm)  # 120 ticks a step: nothing is rounded
    midi.instruments = [pretty_midi.Instrument(PROGRAM, name=name) for name in VOICES]
    for voice, onset, duration, pitch, velocity in check(notes).tolist():
        note = pretty_midi.Note(velocity, pitch, onset * seconds, (onset + duration) * seconds)
        midi.instruments[voice].notes.append(note)
    return midi


def from_midi(midi: pretty_midi.PrettyMIDI | str | PathLike) -> np.ndarray:
    """The notes (N, 5) of a MIDI file, or of what `to_midi` returns: what `to_midi` was given, at any tempo.

    Instruments named soprano, alto, tenor and bass are these voices; without these names, at most four instruments are
    voices in their order. Onsets and ends are rounded to the nearest step, and a note has at least one. Drums are left
    out. Raises FileNotFoundError, and ValueError for a file that is not MIDI or larger than LARGEST, for more
    instruments, for no notes, and for notes that `check` refuses.
    """
    if not isinstance(midi, pretty_midi.PrettyMIDI):
        midi = _read(midi)
    played = [instrument for instrument in midi.instruments if instrument.notes and not instrument.is_drum]
    if not played:
        drums = sum(len(instrument.notes) for instrument in midi.instruments)
        how = "give one with a melody, in which each note has an end"
        raise ValueError(f"there are no notes with a pitch in this MIDI, and {drums} of drums: {how}")
    voices = {name: voice for voice, name in enumerate(VOICES)}
    if not all(instrument.name.lower() in voices for instrument in played):
        if len(played) > len(VOICES):
            raise ValueError(f"this MIDI has {len(played)} instruments: keep at most {len(VOICES)}, one for each voice")
        voices = {}
    rows, ticks = [], midi.resolution / STEPS_PER_BEAT
    for i, instrument in enumerate(played):
        for note in instrument.notes:
            onset, end = (round(midi.time_to_tick(time) / ticks) for time in (note.start, note.end))
            rows.append((voices.get(instrument.name.lower(), i), onset, max(1, end - onset), note.pitch, note.velocity))
    try:
        return check(np.array(rows))
    except ValueError as error:
        raise ValueError(f"{error} (in sixteenths, to which this MIDI was rounded)") from error


def _read(path: str | PathLike) -> pretty_midi.PrettyMIDI:
    size = Path(path).stat().st_size
    if not Path(path).is_file() or size > LARGEST:
        raise ValueError(f"{path} is no file of at most {LARGEST:,} bytes, but has {size:,}: give one piece, as .mid")
    try:
        return pretty_midi.PrettyMIDI(str(path))
    except Exception as error:  # whatever the parser trips over in broken bytes
        why = str(error) or "it ends too early"
        raise ValueError(f"{path} is not a MIDI file, or a damaged one ({why}): give a standard .mid file") from error
