"""Notes as a page of music: music21 decides on ties and beams, verovio engraves, resvg paints. All of it offline."""

from pathlib import Path

import matplotlib
import numpy as np
import resvg_py
import verovio

from .codecs.notes import check
from .score import DURATION, ONSET, STEPS_PER_BEAT, VOICE, spell

CLEFS = ("G",), ("G",), ("G", -1), ("F",)  # of soprano .. bass; the tenor's is an octave lower
LOOK = dict(xmlIdSeed=1, header="none", footer="none", svgViewBox=True, scale=40, pageWidth=1750)
LOOK |= dict(adjustPageHeight=True, pageHeight=60_000)  # one page, as high as it has to be
LOOK |= {f"pageMargin{side}": 20 for side in ("Left", "Right", "Top", "Bottom")}
FONT = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSerif-Italic.ttf")  # of the numbers, the same everywhere
PIXELS = 1400  # of the page's width, twice of what it is shown


def musicxml(
    notes: np.ndarray, key: str = "C major", steps_per_bar: int = 16, pickup: int = 0, marked=(), color: str = "#D55E00"
) -> bytes:
    """The notes as a score in MusicXML, which other programs read, with a staff for each voice that sings.

    notes: (N, 5), the columns of aigc.score, in 4/4 or 3/4. key: such as "F# minor", for the signature and the names.
    marked: which of them, in the order of `check`, stand in `color`: indices, or (N,) booleans.
    Raises ValueError as `check` does, and for another key or metre.
    """
    from music21 import clef, exceptions21, meter, note, stream, tie
    from music21 import key as keys  # a second to import
    from music21.musicxml.m21ToXml import GeneralObjectExporter

    notes = check(notes)
    if steps_per_bar not in (12, 16) or not 0 <= pickup < steps_per_bar:
        raise ValueError(f"a bar has 16 steps or 12, and an upbeat fewer, not {steps_per_bar} and {pickup}")
    try:
        tonic, mode = key.split()
        signature = keys.Key(tonic.replace("b", "-"), mode)
        if abs(signature.sharps) > 7:
            raise ValueError("it would need more than seven signs")
    except (AttributeError, ValueError, exceptions21.Music21Exception) as error:
        raise ValueError(f'a key is a tonic and a mode, such as "F# minor" or "Bb major", not {key!r}') from error
    colors = np.full(len(notes), "#000000")
    colors[list(marked)] = color
    final = int((notes[:, ONSET].astype(int) + notes[:, DURATION]).max())
    lines = [0, *range(pickup or steps_per_bar, final, steps_per_bar)]  # where bars begin
    short = final - lines[-1] == steps_per_bar - pickup  # the last bar and the upbeat may make a whole one
    lines.append(final if short else lines[-1] + (pickup if pickup and len(lines) == 1 else steps_per_bar))
    score = stream.Score()
    for voice in np.unique(notes[:, VOICE]):
        bars = [stream.Measure(i + (not pickup)) for i in range(len(lines) - 1)]
        time = meter.TimeSignature(f"{steps_per_bar // STEPS_PER_BEAT}/4")
        bars[0].append([clef.clefFromString(*CLEFS[voice]), signature, time])
        bars[0].paddingLeft = (steps_per_bar - pickup) / STEPS_PER_BEAT if pickup else 0.0
        of, now = notes[:, VOICE] == voice, 0
        rows = zip([*notes[of].tolist(), (voice, lines[-1], 0, 0, 0)], [*colors[of], ""])
        for (_, onset, duration, pitch, _), ink in rows:
            for start, end, sound in ((now, onset, None), (onset, onset + duration, pitch)):  # a rest, and the note
                at = start
                while at < end:
                    i = int(np.searchsorted(lines, at, "right")) - 1
                    stop, off = min(end, lines[i + 1]), (at - pickup) % STEPS_PER_BEAT
                    if off and (off % 2 or stop - at > STEPS_PER_BEAT):  # from between beats to the next one, then on
                        stop = min(stop, at + STEPS_PER_BEAT - off)
                    sign = note.Rest()
                    if sound is not None:
                        name, octave = spell(sound, signature.sharps)
                        sign = note.Note(name.replace("b", "-"), octave=octave)
                        sign.style.color = ink
                        if (at, stop) != (start, end):
                            sign.tie = tie.Tie("start" if at == start else "stop" if stop == end else "continue")
                    sign.quarterLength = (stop - at) / STEPS_PER_BEAT
                    bars[i].append(sign)
                    at = stop
            now = onset + duration
        bars[-1].rightBarline = "final"
        score.insert(0, stream.Part(bars))
    return GeneralObjectExporter(score).parse()


def engrave(
    notes: np.ndarray, key: str = "C major", steps_per_bar: int = 16, pickup: int = 0, marked=(), color: str = "#D55E00"
) -> bytes:
    """A PNG of that score. Arguments: as of `musicxml`. The same notes give the same bytes.

    Raises ValueError as `musicxml` does, and for more bars than one page can hold.
    """
    score = musicxml(notes, key, steps_per_bar, pickup, marked, color).decode()
    page = verovio.toolkit()
    page.setOptions(LOOK)
    page.loadData(score)
    if page.getPageCount() != 1:
        bars = score.count("<measure ") // score.count("<part ")  # each part has them all
        raise ValueError(f"{bars} bars do not fit on one page: cut the piece")
    font = dict(skip_system_fonts=True, font_files=[str(FONT)], serif_family="DejaVu Serif")
    return bytes(resvg_py.svg_to_bytes(svg_string=page.renderToSVG(1), width=PIXELS, background="white", **font))
