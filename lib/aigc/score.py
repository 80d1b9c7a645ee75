"""What music in voices is counted in, whatever the corpus: columns, grid, voices, steps, metre, accent, names."""

import math
import re

VOICE, ONSET, DURATION, PITCH, VELOCITY = range(5)  # the columns of a piece's notes
STEPS_PER_BEAT = 4  # a step is a sixteenth
REST, HOLD = -1, -2  # in a grid: the voice is silent, or goes on with its note; everything else is a pitch that begins
VOICES = ("soprano", "alto", "tenor", "bass")
NATURAL = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11)))  # semitones above C


def accent(onset: int, steps_per_bar: int = 16, pickup: int = 0, fermata: bool = False) -> int:
    """The velocity of a note from where it begins in its bar, between 52 and 96.

    96 on the first beat, 88 in the middle of a bar of 4/4 and on the other beats of 3/4, 80 on the other beats of 4/4,
    and 8 less for each halving that follows. A note under a fermata ends a line of the hymn and is 12 softer.
    """
    place, even = (onset - pickup) % steps_per_bar, steps_per_bar & -steps_per_bar  # 16 of 16, 4 of 12
    halvings = 0 if place == 0 else int(math.log2(even / math.gcd(place, even))) + (even < steps_per_bar)
    return 96 - 8 * halvings - 12 * fermata


def semitones(name: str) -> int:
    """How far a name is above C, such as 6 for F# and -1 for Cb: a capital letter with any number of # or b."""
    return NATURAL[name[0]] + name.count("#") - name.count("b")


def read_key(key: str) -> tuple[int, str]:
    """The tonic of a key, in semitones above C, 0 .. 11, and its mode: (6, "minor") of "F# minor".

    Raises ValueError for what is no such key.
    """
    found = re.fullmatch(r"([A-G][#b]*) (major|minor)", key) if isinstance(key, str) else None
    if not found:
        raise ValueError(f'a key is a tonic and a mode, such as "F# minor" or "Bb major", not {key!r}')
    return semitones(found[1]) % 12, found[2]


def spell(pitch: int, sharps: int) -> tuple[str, int]:
    """Name and octave of a pitch in a key with so many sharps, negative for flats: 61 is C# 4 in D major, Db 4 in Ab.

    Names lie on a line of fifths, ... Bb F C G D ...; we take the twelve from two fifths below the major's keynote to
    nine above it, among which are the leading notes of the minor. In the corpus one note in 300 has another name.
    """
    fifths = (7 * pitch - sharps + 2) % 12 + sharps - 2  # 0 is C, 1 G, 6 F#, -1 F
    sign = (fifths + 1) // 7
    return "FCGDAEB"[(fifths + 1) % 7] + ("#" * sign if sign > 0 else "b" * -sign), (pitch - sign) // 12 - 1
