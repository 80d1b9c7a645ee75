"""Notes -> grid -> ids and back, notes -> MIDI file -> notes, and what the codecs refuse."""

import struct
import time

import numpy as np
import pretty_midi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aigc.codecs import notes as codec
from aigc.codecs.notes import check, decode, encode, from_grid, from_midi, singable, to_grid, to_midi
from aigc.data import chorales
from aigc.score import HOLD, REST, accent

ONE = np.array([[0, 0, 4, 60, 80]])


@st.composite
def pieces(draw, low=0, high=127):
    """Any notes of the domain: voices may be missing, pitches repeat without a gap, rests stand anywhere."""
    rows = []
    for voice in draw(st.sets(st.integers(0, 3), min_size=1)):
        now = 0
        pitch = st.integers(low, high) if draw(st.booleans()) else st.sampled_from([low, high])
        for _ in range(draw(st.integers(1, 7))):
            now += draw(st.sampled_from([0, 0, 0, 1, 5]))
            duration = draw(st.integers(1, 19))
            rows.append((voice, now, duration, draw(pitch), draw(st.integers(1, 127))))
            now += duration
    return check(np.array(rows))


@st.composite
def grids(draw):
    cells = st.one_of(st.sampled_from([REST, HOLD, HOLD]), st.integers(codec.LOW, codec.HIGH))
    return np.array(draw(st.lists(st.tuples(*[cells] * 4), max_size=13)), dtype=np.int16).reshape(-1, 4)


@given(pieces(), st.integers(0, 5))
def test_grid_keeps_all_but_velocity(notes, more):
    steps = int((notes[:, 1] + notes[:, 2]).max()) + more
    grid = to_grid(notes, steps)
    assert grid.shape == (steps, 4) and grid.dtype == np.int16
    back = from_grid(grid, steps_per_bar=12, pickup=4)
    np.testing.assert_array_equal(back[:, :4], notes[:, :4])
    assert back[:, 4].tolist() == [accent(onset, 12, 4) for onset in notes[:, 1].tolist()]
    np.testing.assert_array_equal(to_grid(notes[::-1]), grid[: steps - more])  # in any order


def test_grid_by_hand():
    notes = [[0, 0, 3, 67, 9], [0, 3, 1, 67, 9], [3, 2, 2, 48, 9]]  # a repeated note begins again
    expected = [[67, -1, -1, -1], [HOLD, -1, -1, -1], [HOLD, -1, -1, 48], [67, -1, -1, HOLD], [-1, -1, -1, -1]]
    assert to_grid(np.array(notes), 5).tolist() == expected
    dangling = np.array([[HOLD, 60, REST, 40], [HOLD, REST, HOLD, HOLD], [62, HOLD, HOLD, REST]])
    assert from_grid(dangling)[:, :4].tolist() == [[0, 2, 1, 62], [1, 0, 1, 60], [3, 0, 2, 40]]
    assert from_grid(np.full((3, 4), REST)).shape == (0, 5)


@given(grids())
def test_ids_are_the_grid(grid):
    ids = encode(grid)
    assert ids.shape == (4 * len(grid),) and ids.dtype == np.int64
    assert not ids.size or 0 <= ids.min() <= ids.max() < codec.VOCABULARY
    back = decode(ids)
    np.testing.assert_array_equal(back, grid)
    assert back.dtype == np.int16


def test_order_and_values_of_ids():
    grid = np.array([[REST, HOLD, 30, 87], [60, REST, HOLD, 31]])
    assert encode(grid).tolist() == [0, 1, 2, 59, 32, 0, 1, 3] and codec.VOCABULARY == 60


@settings(max_examples=60, deadline=None)
@given(pieces(), st.one_of(st.sampled_from([4.0, 60, 80, 1000.0]), st.floats(4, 1000)))
def test_midi_file_keeps_everything(tmp_path_factory, notes, tempo):
    midi = to_midi(notes, tempo)
    np.testing.assert_array_equal(from_midi(midi), notes)
    path = tmp_path_factory.mktemp("midi") / "piece.mid"
    midi.write(str(path))
    back = from_midi(path)
    np.testing.assert_array_equal(back, notes)
    assert back.dtype == np.int16


def test_midi_lasts_as_long_as_its_tempo_says(tmp_path):
    notes = np.array([[0, 0, 4, 60, 80], [3, 4, 12, 48, 80]])
    for tempo in (60, 77, 120):
        to_midi(notes, tempo).write(str(tmp_path / "a.mid"))
        midi = pretty_midi.PrettyMIDI(str(tmp_path / "a.mid"))
        assert midi.get_end_time() == pytest.approx(4 * 60 / tempo, rel=1e-4)
        assert [i.name for i in midi.instruments] == ["soprano", "bass"]


def test_midi_of_others_is_read_in_the_order_of_its_instruments(tmp_path):
    midi = pretty_midi.PrettyMIDI(resolution=96, initial_tempo=90)
    for name, pitch in (("Flute", 72), ("drums", 38), ("Cello", 48)):
        instrument = pretty_midi.Instrument(73, is_drum=name == "drums", name=name)
        step = 60 / 90 / 4
        instrument.notes = [pretty_midi.Note(70, pitch, 1.1 * step, 2.9 * step), pretty_midi.Note(70, 50, 3, 3.02)]
        midi.instruments.append(instrument)
    midi.write(str(tmp_path / "a.mid"))
    expected = [[0, 1, 2, 72, 70], [0, 18, 1, 50, 70], [1, 1, 2, 48, 70], [1, 18, 1, 50, 70]]
    assert from_midi(tmp_path / "a.mid").tolist() == expected


def test_every_chorale_passes_through_everything():
    for split in ("validation", "test"):
        for piece in chorales(split):
            grid = to_grid(piece.notes, piece.steps)
            np.testing.assert_array_equal(decode(encode(grid)), grid)
            np.testing.assert_array_equal(from_grid(grid)[:, :4], piece.notes[:, :4])
            assert singable(grid)
            for semitones in (-6, 6):  # the margin of the vocabulary
                assert len(encode(codec.transpose(grid, semitones))) == grid.size


def test_transposing_moves_pitches_alone():
    grid = np.array([[60, REST, HOLD, 40], [HOLD, 61, 62, REST]], dtype=np.int16)
    assert codec.transpose(grid, -5).tolist() == [[55, REST, HOLD, 35], [HOLD, 56, 57, REST]]
    np.testing.assert_array_equal(codec.transpose(codec.transpose(grid, 11), -11), grid)
    for semitones in (-41, 66, 70_000):
        with pytest.raises(ValueError, match="out of 0 .. 127"):
            codec.transpose(grid, semitones)
    assert singable(grid + 2 * (grid >= 0)) and not singable(codec.transpose(grid, 25))
    assert not singable(np.array([[60, 60, 60, 65]])) and singable(np.array([[60, 60, 60, 64]]))


def but(**changes):
    """The one note, with these values in it."""
    names = ("voice", "onset", "duration", "pitch", "velocity")
    return np.array([[changes.get(name, value) for name, value in zip(names, ONE[0].tolist(), strict=True)]])


@pytest.mark.parametrize(
    "notes, message",
    [
        (np.zeros((0, 5), dtype=int), "there are no notes"),
        (np.zeros((3, 4), dtype=int), "must be"),
        (ONE / 2, "integers"),
        (but(voice=4), "voice 4 of a note is outside 0 .. 3"),
        (but(onset=-1), "onset -1"),
        (but(duration=0), "duration 0"),
        (but(pitch=128), "pitch 128 of a note is outside 0 .. 127"),
        (but(pitch=-1), "pitch -1"),
        (but(velocity=0), "velocity 0"),
        (but(velocity=128), "velocity 128"),
        (but(onset=32_765), "ends at step 32769"),
        (np.array([[2, 0, 4, 60, 80], [2, 3, 4, 62, 80]]), "voice 2 \\(tenor\\) has two notes at once at step 3"),
    ],
)
def test_notes_outside_the_domain_are_refused(notes, message):
    for use in (check, to_grid, to_midi):
        with pytest.raises(ValueError, match=message):
            use(notes)


def test_grids_and_ids_outside_the_domain_are_refused():
    with pytest.raises(ValueError, match="after the 3 asked for"):
        to_grid(ONE, 3)
    with pytest.raises(ValueError, match="one column a voice"):
        from_grid(np.zeros((4, 3), dtype=int))
    with pytest.raises(ValueError, match="not -3 .. 60"):
        from_grid(np.array([[60, -3, 0, 0]]))
    with pytest.raises(ValueError, match="at most 32767 steps"):
        from_grid(np.full((32_768, 4), REST))
    with pytest.raises(ValueError, match="pitch 88 is not in the vocabulary, 30 .. 87"):
        encode(np.array([[88, REST, REST, REST]]))
    with pytest.raises(ValueError, match="incomplete"):
        decode(np.zeros(7, dtype=int))
    with pytest.raises(ValueError, match="0 .. 59, got 0 .. 60"):
        decode([0, 1, 2, 60])


@pytest.mark.parametrize("tempo", [0, -80, float("nan"), float("inf"), 3.9, 1001])
def test_tempi_that_midi_cannot_write_are_refused(tempo):
    with pytest.raises(ValueError, match="tempo_bpm must lie between 4 and 1000"):
        to_midi(ONE, tempo)


def test_midi_that_holds_no_voices_is_refused(tmp_path):
    path = tmp_path / "a.mid"
    with pytest.raises(FileNotFoundError):
        from_midi(path)
    to_midi(ONE).write(str(path))
    whole = path.read_bytes()
    for broken in (b"", b"no music", whole[:40], whole[:4] + whole[9:]):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="is not a MIDI file, or a damaged one"):
            from_midi(path)
    with pytest.raises(ValueError, match="no notes with a pitch in this MIDI, and 0 of drums"):
        from_midi(pretty_midi.PrettyMIDI())
    drums = to_midi(ONE)
    drums.instruments[0].is_drum = True
    with pytest.raises(ValueError, match="1 of drums"):
        from_midi(drums)
    band = to_midi(np.concatenate([ONE + [[voice, 0, 0, 0, 0]] for voice in range(4)]))
    band.instruments.append(pretty_midi.Instrument(0, name="piano"))
    band.instruments[-1].notes = list(band.instruments[0].notes)
    with pytest.raises(ValueError, match="has 5 instruments: keep at most 4"):
        from_midi(band)
    chord = to_midi(ONE)
    chord.instruments[0].notes.append(pretty_midi.Note(80, 64, 0, 0.5))
    with pytest.raises(ValueError, match="two notes at once"):
        from_midi(chord)


def chunk(kind: bytes, body: bytes, length: int | None = None) -> bytes:
    return kind + struct.pack(">I", len(body) if length is None else length) + body


def header(tracks: int = 1, ticks: int = 480) -> bytes:
    return chunk(b"MThd", struct.pack(">HHh", 1, tracks, ticks))


NOTE, END = b"\x00\x90\x3c\x50\x83\x60\x80\x3c\x00", b"\x00\xff\x2f\x00"
HOSTILE = {
    "nothing": (b"", "ends too early"),
    "text": (b"a letter to Mr Bach", "not a MIDI file"),
    "a header alone": (header(), "not a MIDI file"),
    "no track": (header(0), "not a MIDI file"),
    "tracks that never come": (header(65535) + chunk(b"MTrk", NOTE + END), "not a MIDI file"),
    "half a track": (header() + chunk(b"MTrk", NOTE, 2**31), "ends too early"),
    "no ticks in a beat": (header(ticks=0) + chunk(b"MTrk", NOTE + END), "not a MIDI file"),
    "a beat of no time": (header() + chunk(b"MTrk", b"\x00\xff\x51\x03\0\0\0" + NOTE + END), "not a MIDI file"),
    "a year of silence": (header() + chunk(b"MTrk", b"\xff\xff\xff\x7f" + NOTE[1:] + END), "largest tick"),
    "an hour of silence": (header() + chunk(b"MTrk", b"\x84\xaa\xc0\x00" + NOTE[1:] + END), "is outside"),
    "notes without end": (header() + chunk(b"MTrk", b"\x00\x90\x3c\x50" * 3 + END), "each note has an end"),
    "drums alone": (
        header() + chunk(b"MTrk", NOTE.replace(b"\x90", b"\x99").replace(b"\x80\x3c", b"\x89\x3c") + END),
        "1 of drums",
    ),
    "too much": (header() + chunk(b"MTrk", NOTE * 6_000 + END), "at most 50,000 bytes"),
    "as much as can be": (
        header() + chunk(b"MTrk", b"\x00\x90\x3c\x50\x01\x80\x3c\x00" * 6_000 + END),
        "two notes at once",
    ),
    "as many instruments": (
        header() + chunk(b"MTrk", b"".join(bytes([0, 0xC0, i % 128]) + NOTE for i in range(4000)) + END),
        "128 instruments",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_within_a_second(tmp_path, name):
    path, (content, words) = tmp_path / "a.mid", HOSTILE[name]
    path.write_bytes(content)

    def seconds():
        began = time.process_time()
        with pytest.raises(ValueError, match=words):
            from_midi(path)
        return time.process_time() - began

    assert any(seconds() < 1 for _ in range(3))  # best of three: what other tests left may be collected meanwhile


def test_no_file():
    with pytest.raises(FileNotFoundError):
        from_midi("no/such.mid")
    with pytest.raises(ValueError, match="is no file"):
        from_midi(".")


@settings(max_examples=100, deadline=2000)
@given(pieces(), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=5))
def test_damaged_files_are_read_or_refused(tmp_path_factory, notes, damage):
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    to_midi(notes).write(str(path))
    content = bytearray(path.read_bytes())
    for place, byte in damage:
        content[place % len(content)] = byte
    path.write_bytes(content)
    try:
        found = from_midi(path)
    except ValueError as error:
        assert len(str(error)) > 20
    else:
        np.testing.assert_array_equal(found, check(found))
