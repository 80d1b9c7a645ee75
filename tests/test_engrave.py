"""What stands on the page: names, bars, ties and colours, read from the MusicXML that verovio is given."""

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import verovio
from music21 import converter
from PIL import Image

from aigc.data import chorales
from aigc.engrave import LOOK, engrave, musicxml
from aigc.score import semitones, spell

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
        (dict(key="G# major"), "a tonic and a mode"),
        (dict(key=None), "a tonic and a mode"),
        (dict(pickup=-1), "an upbeat fewer"),
        (dict(steps_per_bar=14), "16 steps or 12"),
        (dict(pickup=16), "an upbeat fewer"),
    ],
)
def test_bad_pages(arguments, words):
    with pytest.raises(ValueError, match=words):
        engrave(FOUR, **arguments)


def test_names_by_hand():
    scale = lambda start, sharps: " ".join(spell(start + i, sharps)[0] for i in range(12))
    assert scale(60, 0) == "C C# D D# E F F# G G# A Bb B"
    assert scale(60, -4) == "C Db D Eb E F Gb G Ab A Bb B"
    assert [spell(p, 0) for p in (59, 60, 0, 11)] == [("B", 3), ("C", 4), ("C", -1), ("B", -1)]
    assert spell(60, 7) == ("B#", 3) and spell(59, -6) == ("Cb", 4)  # the octave is that of the letter


def test_names_have_their_pitch():
    natural = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11)))
    for sharps in range(-7, 8):
        scale = set()
        for pitch in range(128):
            name, octave = spell(pitch, sharps)
            assert 12 * (octave + 1) + natural[name[0]] + name.count("#") - name.count("b") == pitch
            if (7 * pitch - sharps + 1) % 12 < 7:  # seven neighbours on the line of fifths
                scale.add(name)
        assert {name[0] for name in scale} == set("ABCDEFG") and len(scale) == 7  # each letter once


def test_a_score_in_flats_with_long_notes_and_voices_that_end_early(page):
    rows_ = [[1, 4, 44, 63, 80], [2, 0, 8, 58, 80], [2, 8, 4, 56, 80]]  # an Eb over three bars, above Bb and Ab
    engrave(np.array(rows_), "Eb major", marked=[2], color="#123456")
    upper, lower = ([list(bar.iter("note")) for bar in part.iter("measure")] for part in page().findall("part"))
    name = lambda note: "".join(note.findtext(f"pitch/{part}", "0") for part in ("step", "alter", "octave"))
    sung = [note for bar in upper for note in bar if note.find("pitch") is not None]
    assert {name(note) for note in sung} == {"E-14"} and page().findtext(".//fifths") == "-3"
    ties = [tied.get("type") for note in sung for tied in note.iter("tied")]
    assert ties[0] == "start" and ties[-1] == "stop" and ties.count("start") == ties.count("stop") == len(sung) - 1
    assert [name(note) for note in lower[0][:2]] == ["B-13", "A-13"] and lower[0][2].find("rest") is not None
    assert [note.get("color") for note in lower[0][:2]] == ["#000000", "#123456"]
    assert all(note.find("rest") is not None for bar in lower[1:] for note in bar) and len(lower) == 3
    assert [change.text for change in page().iter("clef-octave-change")] == ["-1"]  # the tenor's
    assert page().find("part").findall("measure")[-1].findtext("barline/bar-style") == "light-heavy"


def test_the_longest_chorale_is_on_the_page_to_its_last_bar(monkeypatch):
    piece = max(chorales("validation"), key=lambda piece: piece.steps)
    image = Image.open(io.BytesIO(engrave(piece.notes, piece.key, piece.steps_per_bar, piece.pickup)))
    half = engrave(piece.notes[piece.notes[:, 1] + piece.notes[:, 2] <= piece.steps // 2], piece.key)
    assert image.height > 1.4 * Image.open(io.BytesIO(half)).height
    monkeypatch.setitem(LOOK, "pageHeight", 1000)
    with pytest.raises(ValueError, match=r"^33 bars do not fit on one page: cut the piece"):
        engrave(piece.notes, piece.key, piece.steps_per_bar, piece.pickup)


@pytest.mark.parametrize("pitch", [0, 1, 5, 11, 12, 127])
def test_the_ends_of_the_range_are_written_as_they_are(page, pitch):
    engrave(np.array([[3, 0, 4, pitch, 80]]), "C# major")
    note = next(page().iter("pitch"))
    natural = dict(zip("CDEFGAB", (0, 2, 4, 5, 7, 9, 11)))
    assert (
        12 * (int(note.findtext("octave")) + 1) + natural[note.findtext("step")] + int(note.findtext("alter", "0"))
        == pitch
    )


def test_a_note_between_beats_shows_the_next_one_and_the_last_bar_is_filled(page):
    engrave(np.array([[0, 1, 6, 60, 80], [0, 10, 4, 62, 80], [0, 18, 8, 64, 80]]))
    first, second = rows(page())
    assert first[:3] == [("r", 1, ()), ("C04", 3, ("start",)), ("C04", 3, ("stop",))]
    assert ("D04", 4, ()) in first  # an eighth late and a beat long: as everybody writes it
    assert second[1:3] == [("E04", 2, ("start",)), ("E04", 6, ("stop",))] and sum(n for _, n, _ in second) == 16


def test_a_name_and_its_semitones_are_one_thing():
    assert [semitones(name) for name in ("C", "F#", "Bb", "Cb", "B#", "F##")] == [0, 6, 10, -1, 12, 7]
    for sharps in range(-7, 8):
        for pitch in range(128):
            name, octave = spell(pitch, sharps)
            assert 12 * (octave + 1) + semitones(name) == pitch


@pytest.mark.parametrize("number", range(0, 37, 6))
def test_a_score_leaves_as_musicxml_that_music21_reads_back_equal(number):
    piece = chorales("validation")[number]
    score = converter.parseData(
        musicxml(piece.notes, piece.home, piece.steps_per_bar, piece.pickup).decode(), format="musicxml"
    )
    assert len(score.parts) == 4
    back = [
        (voice, *(int(4 * length) for length in (note.offset, note.quarterLength)), note.pitch.midi)
        for voice, part in enumerate(score.parts)
        for note in part.stripTies().flatten().notes
    ]
    assert back == [tuple(row[:4]) for row in piece.notes.tolist()]
