"""The measures of music, on cases that can be checked by hand, against music21, and on Bach."""

import numpy as np
import pytest
from music21 import note, voiceLeading

from aigc.codecs.notes import to_grid, transpose
from aigc.data import chorales
from aigc.data.chorales import everything
from aigc.evaluate.music import cadence, faults, longest_copied_run, rates, sounding
from aigc.score import HOLD, REST


@pytest.fixture(scope="module")
def bach():
    return {split: [to_grid(p.notes, p.steps) for p in chorales(split)] for split in ("train", "validation")}


def pair(high, low):
    """Soprano and bass alone."""
    return np.array([[h, REST, REST, b] for h, b in zip(high, low, strict=True)])


def test_sounding_repeats_what_is_held():
    grid = np.array([[HOLD, 60, REST, 40], [62, HOLD, HOLD, HOLD], [HOLD, REST, 50, HOLD]])
    assert sounding(grid).tolist() == [[REST, 60, REST, 40], [62, 60, REST, 40], [62, REST, 50, 40]]


@pytest.mark.parametrize(
    "high, low, rate",
    [
        ([67, 69], [60, 62], 100),  # fifths
        ([67, 69], [48, 50], 100),  # a fifth and an octave, twice
        ([72, 74, 72], [60, 62, 60], 100),  # octaves
        ([60, 62], [60, 62], 100),  # unisons
        ([67, 69, 71], [60, 62, 62], 100),  # the third step moves one voice alone
        ([67, 67], [60, 60], np.nan),  # the same fifth again is no move
        ([67, 55], [60, 72], 0),  # a fifth either side of a crossing, in contrary motion
        ([60, 62], [67, 69], 100),  # fifths of voices that have crossed
        ([60, 62], [65, 67], 0),  # crossed fourths, of which 7 is the complement
        ([60, 69], [53, 76], 0),  # one voice overtakes the other
        ([60, 74], [60, 62], 100),  # from a unison to an octave
        ([64, 65, 67], [60, 62, 64], 0),  # thirds
        ([67, 69], [60, 53], 0),  # a fifth, then a tenth
        ([67, 69, 72], [60, 62, 64], 50),
        ([67, HOLD, 69], [60, HOLD, 62], 100),
        ([67, REST, 69], [60, 61, 62], np.nan),
    ],
)
def test_parallels_by_hand(high, low, rate):
    assert faults(pair(high, low))["parallels"].rate == pytest.approx(rate, nan_ok=True)


def test_parallels_agree_with_music21():
    rng = np.random.default_rng(0)
    white = np.array([48, 50, 52, 53, 55, 57, 60, 62, 64, 65, 67, 69, 72])  # without b, which makes a fifth diminished
    found = 0
    for _ in range(2000):
        low, high = np.sort(rng.choice(white, (2, 2)), axis=1).T  # high above low before and after
        if low[0] == low[1] or high[0] == high[1] or (high == low).any():
            continue
        quartet = voiceLeading.VoiceLeadingQuartet(*(note.Note(int(p)) for p in (*high, *low)))
        perfect = quartet.parallelFifth() or quartet.parallelOctave()
        expected = perfect and quartet.similarMotion()  # it counts a fifteenth that closes to an octave, we do not
        assert faults(pair(high, low))["parallels"].rate == 100 * expected
        found += expected
    assert found > 10


def test_crossings_and_spacing_by_hand():
    grid = np.array([[60, 64, 55, 40], [HOLD, 59, 55, 56], [REST, 50, 52, REST], [60, 60, 60, 60], [80, 60, 47, 30]])
    found = faults(grid)
    assert found["crossings"][:2] == (3, 13)  # of 3 pairs that both sing, 3, 1, 3 and 3
    assert np.argwhere(found["crossings"].where).tolist() == [[0, 0], [0, 1], [1, 2], [1, 3], [2, 1], [2, 2]]
    assert found["spacing"][:2] == (2, 9)  # soprano over alto, alto over tenor; how far the bass lies below is free
    assert np.argwhere(found["spacing"].where).tolist() == [[4, 0], [4, 1], [4, 2]]
    silent = faults(np.full((5, 4), REST), "C major")
    assert all(np.isnan(fault.rate) and not fault.where.any() for fault in silent.values()) and len(silent) == 5


def test_leaps_by_hand():
    line = [60, HOLD, 66, 66, 73, 63, 52, 65, 53, REST, 60]  # 6, none, 7, 10, 11, 13, 12 semitones, and after a rest
    found = faults(pair(line, [REST] * len(line)))["leaps"]
    assert found[:2] == (4, 6) and np.flatnonzero(found.where[:, 0]).tolist() == [2, 5, 6, 7]
    assert not found.where[:, 1:].any()


def test_leading_notes_by_hand():
    grid = np.array([[66, 54, 47, 42], [HOLD, 55, 47, 42], [67, 55, 47, 43], [65, 53, 50, 41]])
    found = faults(grid, "G major")["leading notes"]
    assert found[:2] == (2, 2) and found.where.sum(1).tolist() == [3, 2, 0, 0]
    assert faults(grid, "F# minor")["leading notes"][:2] == (1, 1)  # E#, which is the F of the last chord, three times
    assert "leading notes" not in faults(grid)


def test_faults_stand_where_they_are_and_in_all_pairs():
    grid = np.array([[67, 60, 55, 48], [69, 62, 57, 50]])  # alto and tenor alone are a fourth apart
    found = faults(grid)["parallels"]
    assert found[:2] == (5, 6) and found.rate == pytest.approx(100 * 5 / 6)
    assert found.where.tolist() == [[False] * 4, [True] * 4]
    with pytest.raises(ValueError, match="a grid must be"):
        faults(np.zeros((3, 5), dtype=int))


def test_cadences_by_hand():
    grid = np.array([[62, 59, 55, 43], [60, 60, 52, 48], [60, 57, 53, 41], [60, 55, 52, 48], [62, 59, 50, 43]])
    assert [cadence(grid, step, "C major") for step in range(5)] == ["V", "V-I", "other", "IV-I", "V"]
    assert cadence(grid, 3, "A minor") == cadence(np.array([[60, 57, 53, REST]]), 0, "F major") == "other"
    assert cadence(np.array([[60, 57, 53, 41]]), 0, "F major") == "I"
    held = np.array([[62, 59, 55, 43], [60, 60, 52, 48], [HOLD, HOLD, HOLD, HOLD], [HOLD, 55, HOLD, HOLD]])
    assert cadence(held, 3, "C major") == "V-I"
    assert cadence(held, 3, "C minor") == "V-I"  # a Picardy third is one of the thirds


def rate(pieces, name):
    """Over all pieces together."""
    return rates(pieces, ["C major"] * len(pieces))[name]


def test_rates_weigh_pieces_by_their_cases():
    few, many = pair([67, 69], [60, 62]), pair([64, 65, 67, 69, 71], [60, 62, 64, 65, 67])
    assert rates([few, many], ["C major", "F# minor"])["parallels"] == pytest.approx(100 / 5)
    assert np.isnan(rates([few], ["C major"])["leading notes"]) and rates([], []) == {}
    with pytest.raises(ValueError, match="a key is a tonic and a mode.*not 'H major'"):
        rates([few], ["H major"])
    with pytest.raises(ValueError):
        rates([few, many], ["C major"])


def test_bach_keeps_the_rules_that_chance_breaks(bach):
    # Chance: the same voices, each begun at another place.
    shifted = [np.stack([np.roll(sounding(g)[:, v], 16 * v) for v in range(4)], 1) for g in bach["validation"]]
    assert rate(bach["validation"], "parallels") < 0.5 < 3 < rate(shifted, "parallels")
    assert rate(bach["validation"], "crossings") < 1.5 < 3 < rate(shifted, "crossings")
    assert rate(bach["validation"], "spacing") < 2.2 and rate(bach["validation"], "leaps") < 2.2


def test_the_parallels_of_bach_are_as_many_as_were_ever_counted():
    """By this convention, in the 356 chorales: 66 of 67,087 joint moves, 45 fifths; 86 % of the pieces have none."""
    found = [faults(to_grid(p.notes, p.steps))["parallels"] for p in everything()]
    assert (sum(f.count for f in found), sum(f.cases for f in found)) == (66, 67087)
    assert sum(f.count == 0 for f in found) == round(0.86 * 356)


def test_copies_are_found_at_their_length():
    rng = np.random.default_rng(0)
    corpus = [rng.integers(40, 80, (n, 4)).astype(np.int16) for n in (31, 53, 17)]
    song = rng.integers(80, 85, (40, 4)).astype(np.int16)
    song[11:24] = corpus[1][20:33]
    song[30:39, 2] = corpus[2][:9, 2]
    assert longest_copied_run(song, corpus) == 13
    assert longest_copied_run(song[24:], corpus) == 0
    assert longest_copied_run(song[24:], corpus, voice=2) == 9
    assert longest_copied_run(song[24:], corpus, voice=1) == 0
    higher = transpose(song, 7)
    assert longest_copied_run(higher, corpus) < 3 and longest_copied_run(higher, corpus, transposed=True) == 13
    one_voice_higher = song + np.array([0, 3, 0, 0], dtype=np.int16)
    assert longest_copied_run(one_voice_higher, corpus, transposed=True) < 3


def test_a_run_ends_with_its_piece():
    a, b = np.full((3, 4), 60), np.full((4, 4), 60)
    assert longest_copied_run(np.full((9, 4), 60), [a, b]) == 4
    assert longest_copied_run(a, []) == 0 and longest_copied_run(np.full((0, 4), 60), [a]) == 0
    silent = np.full((5, 4), REST)
    assert longest_copied_run(silent, [b], transposed=True) == 0
    assert longest_copied_run(np.array([[36, 36, 36, 36]]), [silent[:1]], transposed=True) == 0


def test_training_pieces_are_copies_of_themselves_and_held_out_ones_are_not(bach):
    train, held = bach["train"], bach["validation"][:5]
    assert longest_copied_run(train[7], train) == len(train[7])
    assert longest_copied_run(transpose(train[7], 2), train, voice=0, transposed=True) == len(train[7])
    assert max(longest_copied_run(grid, train) for grid in held) < 48  # three bars


def test_what_is_no_voice_is_refused():
    for voice in (4, -1, "soprano"):
        with pytest.raises(ValueError, match="voice must be 0 .. 3, or None"):
            longest_copied_run(np.full((3, 4), 60), [], voice=voice)
