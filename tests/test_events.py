"""One voice <-> events <-> tokens, events <-> a MIDI file, and melodies that are typed."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aigc.codecs.events import (
    FIRST,
    LONGEST,
    SIZES,
    VOCABULARY,
    decode,
    encode,
    from_tokens,
    to_tokens,
    tune,
    typed,
    windows,
)
from aigc.codecs.notes import from_midi, to_midi
from aigc.data import chorales


@st.composite
def melodies(draw):
    """Events of the domain: no rest at the end, and none after one but the longest."""
    rows = []
    for _ in range(draw(st.integers(1, 9))):
        silence = draw(st.sampled_from([0, 0, 1, 3, LONGEST, LONGEST + 7]))
        rows += [(0, min(LONGEST, silence - gone) - 1, 0) for gone in range(0, silence, LONGEST)]
        rows.append((draw(st.integers(1, SIZES[0] - 1)), draw(st.integers(0, LONGEST - 1)), draw(st.integers(1, 31))))
    return np.array(rows)


@given(melodies(), st.integers(0, 3))
def test_events_are_the_notes(events, voice):
    notes = decode(events, voice)
    assert notes.dtype == np.int16 and (notes[:, 0] == voice).all()
    np.testing.assert_array_equal(encode(notes), events)
    np.testing.assert_array_equal(encode(notes[::-1]), events)


@settings(max_examples=60, deadline=None)
@given(melodies(), st.one_of(st.sampled_from([4.0, 60, 80, 1000.0]), st.floats(4, 1000)))
def test_a_midi_file_keeps_every_event(tmp_path_factory, events, tempo):
    path = tmp_path_factory.mktemp("midi") / "melody.mid"
    to_midi(decode(events), tempo).write(str(path))
    np.testing.assert_array_equal(encode(from_midi(path)), events)


@given(melodies())
def test_tokens_are_the_events(events):
    tokens = to_tokens(events)
    assert tokens.shape == (3 * len(events),) and 0 <= tokens.min() <= tokens.max() < VOCABULARY
    np.testing.assert_array_equal(from_tokens(tokens), events)
    assert (np.searchsorted(FIRST, tokens, "right") - 1 == np.tile([0, 1, 2], len(events))).all()


def test_by_hand():
    notes = [[1, 2, 3, 60, 96], [1, 5, 1, 30, 1], [1, 6 + LONGEST + 2, 2, 87, 127]]
    expected = [[0, 1, 0], [31, 2, 24], [1, 0, 1], [0, LONGEST - 1, 0], [0, 1, 0], [58, 1, 31]]
    assert encode(np.array(notes)).tolist() == expected and SIZES[0] == 59
    assert decode(np.array([[0, 3, 0]])).shape == (0, 5)
    assert to_tokens(np.array([[31, 2, 24]])).tolist() == [31, 59 + 2, 59 + 64 + 24]


def test_every_voice_of_every_chorale_is_kept():
    for piece in chorales("validation") + chorales("test"):
        for voice in range(4):
            notes = piece.notes[piece.notes[:, 0] == voice]
            np.testing.assert_array_equal(decode(encode(notes), voice), notes)


@pytest.mark.parametrize(
    "notes, words",
    [
        ([[0, 0, 4, 60, 80], [1, 4, 4, 60, 80]], "events are of one voice"),
        ([[0, 0, LONGEST + 1, 60, 80]], "at most 64 steps long"),
        ([[0, 0, 4, 88, 80]], "pitch in 30 .. 87, not 4 and 88"),
        (np.zeros((0, 5), dtype=int), "no notes"),
    ],
)
def test_notes_that_are_no_events(notes, words):
    with pytest.raises(ValueError, match=words):
        encode(np.array(notes))


@pytest.mark.parametrize("event", [[59, 0, 1], [1, 64, 1], [1, 0, 32], [-1, 0, 0], [5, 3, 0], [0, 3, 7]])
def test_events_that_are_no_notes(event):
    with pytest.raises(ValueError, match="event 1, .* is impossible"):
        decode(np.array([[1, 0, 1], event]))
    with pytest.raises(ValueError, match=r"\(M, 3\) integers"):
        decode(np.array(event))


@pytest.mark.parametrize("tokens", [[1, 2, 3], [1, 60], [1, 60, 124, 1], [60, 1, 124], [1, 60, 155]])
def test_tokens_out_of_turn(tokens):
    with pytest.raises(ValueError, match="tokens come in threes"):
        from_tokens(np.array(tokens))


def test_typed_by_hand():
    notes = typed("C4 F#5:1/2 | r:3/2 Bb3:1/4 B#3 Cb4:4", pickup=4)
    expected = [[0, 0, 4, 60], [0, 4, 2, 78], [0, 12, 1, 58], [0, 13, 4, 60], [0, 17, 16, 59]]
    assert notes[:, :4].tolist() == expected
    assert notes[:3, 4].tolist() == [80, 96, 88]  # the upbeat, the first beat, the middle of the bar


@pytest.mark.parametrize(
    "text, word",
    [
        ("C4 H4", "word 2 of the melody, 'H4'"),
        ("c4", "'c4'"),
        ("C4:1/3", "'C4:1/3'"),
        ("C4:0", "'C4:0'"),
        ("C4:1/0", "'C4:1/0'"),
        ("C4 | D4:", "word 2 of the melody, 'D4:'"),
        ("C", "'C'"),
        ("C4,D4", "'C4,D4'"),
        ("E4:1.5", "'E4:1.5'"),
        ("60 62", "'60'"),
        ("C4:99999999999999999999", "'C4:9999"),
        ("C4:1/300", "'C4:1/300'"),
    ],
)
def test_a_wrong_word_is_named(text, word):
    with pytest.raises(ValueError, match=word) as error:
        typed(text)
    assert "C4 F#5:1/2 Bb3:3/4 r:2" in str(error.value)


def test_a_melody_without_notes():
    for text in ("", "r:2", "|"):
        with pytest.raises(ValueError, match="no notes"):
            typed(text)
    with pytest.raises(ValueError, match="cut the piece"):
        typed("C4:8000 D4:8000")
    with pytest.raises(ValueError, match="pitch 131 of a note"):
        typed("B9")


def test_windows_come_from_every_place_and_cross_no_border():
    songs = [torch.arange(n * 3).view(n, 3) + 100 * n for n in (2, 3, 5)]
    drawn = windows(songs, 4000, 3, torch.Generator().manual_seed(0))
    assert drawn.shape == (4000, 3, 3)
    found, count = drawn.unique(dim=0, return_counts=True)
    assert found.tolist() == [songs[1].tolist(), *(songs[2][i : i + 3].tolist() for i in range(3))]
    assert (count / 4000 - 1 / 4).abs().max() < 4 * (3 / 16 / 4000) ** 0.5
    with pytest.raises(ValueError, match="no song has 6 events"):
        windows(songs, 1, 6, torch.Generator())
    first, again = (windows(songs, 5, 2, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    with pytest.raises(ValueError, match="no windows, 0"):
        windows(songs, 0, 2, torch.Generator())


def test_every_letter_has_its_pitch_and_every_metre_its_accents():
    notes = typed("C4 D4 E4 F4 G4 A4 B4", steps_per_bar=12)
    assert notes[:, 3].tolist() == [60, 62, 64, 65, 67, 69, 71] and notes[:, 4].tolist() == [96, 88, 88] * 2 + [96]


def test_velocities_go_to_the_nearest_multiple_of_four():
    velocities = [1, 97, 99, 127]
    rows = encode(np.array([[0, i, 1, 60, velocity] for i, velocity in enumerate(velocities)]))
    assert rows[:, 2].tolist() == [1, 24, 25, 31]


def test_other_integers_are_events_and_floats_are_not():
    events = np.array([[5, 3, 7]], dtype=np.uint16)
    assert decode(events)[0].tolist() == [0, 0, 4, 34, 28] and to_tokens(events).dtype == np.int64
    with pytest.raises(TypeError):
        from_tokens(np.array([1.9, 60.7, 124.2]))
    with pytest.raises(ValueError, match="event 0"):
        to_tokens(np.array([[59, 0, 1]]))


def test_a_tune_is_typed_or_the_first_voice_of_a_file(tmp_path):
    assert (tune("r:9 C4 D4:1/2") == [[0, 4, 4, 60, 80], [0, 8, 2, 62, 88]]).all()  # two whole bars are left out
    two = np.array([[2, 20, 4, 55, 80], [2, 24, 8, 57, 80], [3, 0, 32, 40, 80]])
    to_midi(two).write(str(tmp_path / "two.mid"))
    assert tune(str(tmp_path / "two.mid")).tolist() == [[0, 4, 4, 55, 80], [0, 8, 8, 57, 80]]
    with pytest.raises(ValueError, match="word 1 of the melody, 'two'"):
        tune("two")
    with pytest.raises(FileNotFoundError):
        tune("two.mid")
