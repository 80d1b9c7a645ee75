"""Bach's chorales in four voices, from the corpus that the package music21 carries."""

import math
from dataclasses import dataclass
from importlib import metadata

import numpy as np

from ..files import cached
from ..score import DURATION, ONSET, PITCH, STEPS_PER_BEAT, VOICE, accent, read_key, spell

# Everything else is for training. `python -m tools.split` made these lists: no tune stands on two sides.
HELD_OUT = {
    "validation": (
        "bwv17.7 bwv187.7 bwv190.7 bwv266 bwv273 bwv275 bwv285 bwv291 bwv297 bwv301 bwv309 bwv319 bwv320 bwv326 "
        "bwv327 bwv33.6 bwv333 bwv345 bwv363 bwv379 bwv383 bwv386 bwv387 bwv389 bwv390 bwv400 bwv407 bwv411 "
        "bwv425 bwv426 bwv428 bwv429 bwv430 bwv56.5 bwv6.6 bwv60.5 bwv85.6"
    ),
    "test": (
        "bwv10.7 bwv110.7 bwv119.9 bwv120.6 bwv122.6 bwv127.5 bwv20.11 bwv20.7 bwv248.28 bwv248.33-3 bwv248.35-3 "
        "bwv311 bwv312 bwv314 bwv315 bwv316 bwv318 bwv328 bwv332 bwv336 bwv347 bwv348 bwv37.6 bwv381 bwv384 "
        "bwv397 bwv40.3 bwv40.6 bwv40.8 bwv405 bwv406 bwv422 bwv435 bwv437 bwv46.6 bwv64.2 bwv66.6"
    ),
}


@dataclass(frozen=True, eq=False)
class Chorale:
    """One piece. A beat is four steps; step 0 is the beginning of the first bar, which may be incomplete."""

    name: str  # its number in the catalogue of Bach's works, such as "bwv269"
    notes: np.ndarray  # (N, 5) int16, by voice and onset: VOICE 0 soprano .. 3 bass, ONSET, DURATION, PITCH, VELOCITY
    steps_per_bar: int  # 16 in 4/4, 12 in 3/4
    pickup: int  # steps of the incomplete first bar, 0 where it is complete
    key: str  # such as "G major" or "F# minor"
    fermatas: np.ndarray  # (F,) int16: onsets of the soprano's notes that bear one, where the lines of the hymn end

    @property
    def steps(self) -> int:
        """How long the piece is."""
        return int((self.notes[:, ONSET] + self.notes[:, DURATION]).max())

    @property
    def from_c(self) -> int:
        """How many semitones above C major or A minor the piece stands, -5 .. 6."""
        tonic, mode = read_key(self.key)
        return (tonic - {"major": 0, "minor": 9}[mode] + 5) % 12 - 5

    @property
    def home(self) -> str:
        """The key in which it ends: `key`, unless the bass ends on neither its tonic nor its fifth.

        Then it is that note's, of the same mode: signatures of Bach's time often leave out a flat, or a sharp.
        """
        tonic, mode = read_key(self.key)
        last = int(self.notes[self.notes[:, VOICE] == 3][-1, PITCH])
        if (last - tonic) % 12 in (0, 7):
            return self.key
        sharps = {"major": 0, "minor": -3}[mode] + (7 * tonic + 5) % 12 - 5
        return f"{spell(last, sharps)[0]} {mode}"

    @property
    def melody(self) -> np.ndarray:
        """The soprano's notes, (N, 5), moved to C major or A minor."""
        notes = self.notes[self.notes[:, VOICE] == 0].copy()
        notes[:, PITCH] -= self.from_c
        return notes


def chorales(split: str = "train") -> list[Chorale]:
    """The pieces of one split, about 80 / 10 / 10 per cent for train / validation / test; no tune is on two sides.

    Of the 368 scores in four parts we take those whose metre is 4/4 or 3/4 and regular from the first bar to the last.
    The ends of notes are rounded to the nearest sixteenth, halves up, and a note that has no length left (five in
    all, of thirty-seconds) is dropped, as are grace notes; tied notes are one. The scores say nothing about loudness:
    the velocity comes from `accent` and the fermatas. Parsed at the first call, for 40 seconds, and cached.
    Raises ValueError for another split.
    """
    if split not in ("train", *HELD_OUT):
        raise ValueError(f"no split {split!r} of the chorales: choose one of train, validation, test")
    side = {name: where for where, names in HELD_OUT.items() for name in names.split()}
    return [piece for piece in everything() if side.get(piece.name, "train") == split]


def tune_marks(piece: Chorale, run: int = 13) -> set[tuple[int, ...]]:
    """Every run of `run` intervals, in semitones, of the soprano: of all its notes, and of its notes on the beats.

    Repeated notes count once. Two harmonisations of a tune, in any key, share some of them; two tunes hardly ever do.
    """
    onset, pitch = piece.notes[piece.notes[:, VOICE] == 0][:, [ONSET, PITCH]].T
    beats = np.searchsorted(onset, np.arange(0, piece.steps, STEPS_PER_BEAT), side="right") - 1
    marks = set()
    for melody in (pitch, pitch[beats.clip(min=0)]):
        steps = np.diff(melody.astype(int))
        steps = steps[steps != 0].tolist()
        marks |= {tuple(steps[i : i + run]) for i in range(len(steps) - run + 1)}
    return marks


def everything() -> list[Chorale]:
    """The pieces of all three splits."""
    arrays = cached(f"chorales-1-music21-{metadata.version('music21')}.npz", _parse)
    ends, fermata_ends = arrays["notes_in"].cumsum(), arrays["fermatas_in"].cumsum()
    notes, fermatas = np.split(arrays["notes"], ends[:-1]), np.split(arrays["fermatas"], fermata_ends[:-1])
    facts = zip(
        arrays["names"], notes, arrays["steps_per_bar"], arrays["pickup"], arrays["keys"], fermatas, strict=True
    )
    return [Chorale(str(name), n, int(bar), int(pickup), str(key), f) for name, n, bar, pickup, key, f in facts]


def _parse() -> dict[str, np.ndarray]:
    from music21 import converter, corpus  # a second to import

    paths = [path for path in corpus.getComposer("bach") if path.suffix in (".mxl", ".xml")]  # others are copies
    # Neither reads nor leaves a pickle in the temporary folder of the system.
    scores = ((path.stem, converter.parse(path, forceSource=True, storePickle=False)) for path in paths)
    pieces = [piece for name, score in scores if (piece := _piece(name, score))]
    return {
        "names": np.array([p.name for p in pieces]),
        "keys": np.array([p.key for p in pieces]),
        "steps_per_bar": np.array([p.steps_per_bar for p in pieces]),
        "pickup": np.array([p.pickup for p in pieces]),
        "notes_in": np.array([len(p.notes) for p in pieces]),
        "fermatas_in": np.array([len(p.fermatas) for p in pieces]),
        "notes": np.concatenate([p.notes for p in pieces]),
        "fermatas": np.concatenate([p.fermatas for p in pieces]),
    }


def _piece(name: str, score) -> Chorale | None:
    """What we keep of a music21 score, or None where it is not in four parts or its metre is not regular."""
    from music21 import key, meter

    if len(score.parts) != 4:
        return None
    metres = {sign.ratioString for sign in score.parts[0][meter.TimeSignature]}
    if len(metres) != 1 or not metres <= {"4/4", "3/4"}:
        return None
    steps_per_bar = {"4/4": 16, "3/4": 12}[metres.pop()]
    bars = score.parts[0].getElementsByClass("Measure")
    pickup = _step(steps_per_bar / STEPS_PER_BEAT - bars[0].paddingLeft) % steps_per_bar
    whole = [_step(bar.offset) for bar in bars if _step(bar.duration.quarterLength) == steps_per_bar]
    if any((start - pickup) % steps_per_bar for start in whole):
        return None
    rows, fermatas = [], set()
    for voice, part in enumerate(score.parts):
        for note in part.stripTies().flatten().notes:
            onset, end = _step(note.offset), _step(note.offset + note.quarterLength)
            if end == onset:
                continue
            held = any("Fermata" in mark.classes for mark in note.expressions)
            if held and voice == 0:
                fermatas.add(onset)
            rows.append((voice, onset, end - onset, note.pitch.midi, accent(onset, steps_per_bar, pickup, held)))
    signature = score.parts[0][key.KeySignature].first()
    tonic = signature if isinstance(signature, key.Key) else score.analyze("key")
    label = f"{tonic.tonic.name.upper().replace('-', 'b')} {tonic.mode}"
    notes = np.array(sorted(rows), dtype=np.int16)
    return Chorale(name, notes, steps_per_bar, pickup, label, np.array(sorted(fermatas), dtype=np.int16))


def _step(beats: float) -> int:
    return math.floor(beats * STEPS_PER_BEAT + 0.5)
