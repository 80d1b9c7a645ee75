"""What stands on the page: names, bars, ties and colours, read from the MusicXML that verovio is given."""

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import verovio
from PIL import Image

from aigc.data import chorales
from aigc.engrave import engrave
from aigc.score import spell

FOUR = np.array([[0, 0, 4, 61, 80], [0, 4, 14, 62, 80], [0, 20, 2, 64, 80], [0, 22, 10, 66, 80]])


@pytest.fixture
def page(monkeypatch):
    """The last score that was engraved, as a tree."""
    seen = []
    load = verovio.toolkit.loadData
    monkeypatch.setattr(verovio.toolkit, "loadData", lambda kit, text: (seen.append(text), load(kit, text))[1])
    return lambda: ET.fromstring(seen[-1])


def rows(tree):
    """For each bar, its notes as (name or r, steps, ties)."""
    found = []
    for measure in tree.iter("measure"):
        step = int(tree.find(".//divisions").text) / 4
        bar = []
        for note in measure.iter("note"):
            pitch = note.find("pitch")
            name = "r" if pitch is None else "".join(pitch.findtext(part, "0") for part in ("step", "alter", "octave"))
            ties = tuple(tied.get("type") for tied in note.iter("tied"))
            bar.append((name, int(note.findtext("duration")) / step, ties))
        found.append(bar)
    return found


def test_bars_ties_and_rests(page):
    png = engrave(FOUR, "D major")
    first, second = rows(page())
    assert first == [("C14", 4, ()), ("D04", 12, ("start",))]
    assert second[:3] == [("D04", 2, ("stop",)), ("r", 2, ()), ("E04", 2, ())]
    assert [name for name, _, _ in second[3:]] == ["F14"] * 2 and sum(steps for _, steps, _ in second[3:]) == 10
    assert page().findtext(".//fifths") == "2" and page().findtext(".//beats") == "4"
    assert Image.open(io.BytesIO(png)).width == 1400


def test_an_upbeat_is_short(page):
    engrave(FOUR, "B minor", steps_per_bar=12, pickup=4)
    assert [sum(steps for _, steps, _ in bar) for bar in rows(page())] == [4, 12, 12, 12]
    assert [bar.get("number") for bar in page().iter("measure")] == ["0", "1", "2", "3"]


def test_marked_notes_have_the_colour(page):
    engrave(FOUR, marked=[1, 3], color="#123456")
    colours = {}
    for note in page().iter("note"):
        if note.find("pitch") is not None:
            colours.setdefault(note.get("color"), []).append(note.findtext("pitch/step"))
    assert set(colours["#123456"]) == {"D", "F"} and set(colours["#000000"]) == {"D", "E"} - {"D"} | {"D"} - {"D"} | {
        "C",
        "E",
    }
    assert engrave(FOUR, marked=[False, True, False, True], color="#123456") == engrave(
        FOUR, marked=[1, 3], color="#123456"
    )


def test_the_same_notes_give_the_same_bytes(page):
    piece = chorales("validation")[0]
    first = engrave(piece.notes, piece.key, piece.steps_per_bar, piece.pickup)
    assert first == engrave(piece.notes[::-1], piece.key, piece.steps_per_bar, piece.pickup)
    assert len(page().findall("part")) == 4
    assert [clef.text for clef in page().iter("sign")] == ["G", "G", "G", "F"]
    dark = np.asarray(Image.open(io.BytesIO(first)).convert("L"))
    assert dark.max() == 255 and 0.01 < (dark < 128).mean() < 0.2


@pytest.mark.parametrize(
    "arguments, words",
    [
        (dict(key="H dur"), "a tonic and a mode"),
        (dict(key="C"), "a tonic and a mode"),
        (dict(key="C lydic"), "a tonic and a mode"),
        (dict(steps_per_bar=14), "16 steps or 12"),
        (dict(pickup=16), "an upbeat fewer"),
    ],
)
def test_bad_pages(arguments, words):
    with pytest.raises(ValueError, match=words):
        engrave(FOUR, **arguments)


def test_names_by_hand():
    scale = lambda start, sharps: " ".join(spell(start + i, sharps)[:-1] for i in range(12))
    assert scale(60, 0) == "C C# D Eb E F F# G G# A Bb B"
    assert scale(60, -4) == "C Db D Eb E F Gb G Ab A Bb Cb"
    assert [spell(p, 0) for p in (59, 60, 71, 72, 21, 108)] == ["B3", "C4", "B4", "C5", "A0", "C8"]
    assert spell(60, 7) == "B#3" and spell(59, -6) == "Cb4"  # the octave is that of the letter


def test_names_have_their_pitch():
    natural = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11)))
    for sharps in range(-7, 8):
        names = [spell(pitch, sharps) for pitch in range(21, 109)]
        for pitch, name in zip(range(21, 109), names):
            assert 12 * (int(name[-1]) + 1) + natural[name[0]] + name.count("#") - name.count("b") == pitch
        scale = {
            name[:-1]
            for name in names
            if (7 * (natural[name[0]] + name.count("#") - name.count("b")) - sharps + 1) % 12 < 7
        }
        assert {name[0] for name in scale} == set("ABCDEFG") and len(scale) == 7  # each letter once
