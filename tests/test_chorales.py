"""The chorales: what is in them, what their velocities mean, and that no tune is on two sides of the split."""

from collections import Counter
from importlib import metadata
from itertools import combinations

import numpy as np
import pytest
from music21 import converter, corpus, expressions, meter, note, stream

from aigc.data import chorales
from aigc.data.chorales import HELD_OUT, Chorale, _parse, _piece, everything, tune_marks
from aigc.files import cache_dir
from aigc.score import DURATION, ONSET, PITCH, VELOCITY, VOICE, accent
from tools.split import propose_split

SPLITS = ("train", "validation", "test")
# How many pieces each split has in the corpus that the lock installs; a newer corpus may have more or fewer.
COUNTS = {"train": 282, "validation": 37, "test": 37}


@pytest.fixture(scope="module")
def pieces():
    return {split: chorales(split) for split in SPLITS}


def test_splits_are_fixed_and_disjoint(pieces):
    names = {split: [piece.name for piece in pieces[split]] for split in SPLITS}
    assert {split: len(set(n)) for split, n in names.items()} == COUNTS
    assert all(not set(names[a]) & set(names[b]) for a, b in combinations(SPLITS, 2))
    assert " ".join(sorted(names["test"])) == HELD_OUT["test"]
    assert sum(len(piece.notes) for piece in everything()) == 82_243
    with pytest.raises(ValueError, match="no split 'dev' of the chorales: choose one of train, validation, test"):
        chorales("dev")


def test_published_lists_are_what_the_rule_gives():
    assert propose_split(everything()) == HELD_OUT


def longest_shared(melody, others):
    """The longest run of intervals in common: by growing n until no n-gram is shared."""
    grams = lambda s, n: {tuple(s[i : i + n]) for i in range(len(s) - n + 1)}
    n = 0
    while any(grams(melody, n + 1) & grams(other, n + 1) for other in others):
        n += 1
    return n


def intervals(piece):
    pitch = piece.notes[piece.notes[:, VOICE] == 0][:, PITCH].astype(int)
    return [step for step in np.diff(pitch).tolist() if step]


def test_no_tune_is_on_two_sides(pieces):
    for a, b in combinations(SPLITS, 2):
        seen = set().union(*(tune_marks(piece) for piece in pieces[a]))
        assert not any(tune_marks(piece) & seen for piece in pieces[b])
    train = [intervals(piece) for piece in pieces["train"]]
    held = [intervals(piece) for piece in pieces["test"]]
    shared = np.array([longest_shared(melody, train) for melody in held])
    # Chance: a melody read backwards has the same intervals in another order, and nobody composed it.
    chance = np.array([longest_shared(melody[::-1], train) for melody in held])
    inside = np.array([longest_shared(m, train[:i] + train[i + 1 :]) for i, m in enumerate(train[::8])])
    assert shared.max() <= 12 and shared.mean() < chance.mean() + 2
    assert inside.max() > 25  # the same measure finds the variants that stand together in the training split


def test_tune_marks_know_neither_key_nor_rhythm(pieces):
    piece = pieces["test"][0]
    notes = piece.notes.copy()
    notes[:, PITCH] += 5
    notes[:, [ONSET, DURATION]] *= 2
    moved = type(piece)(piece.name, notes, piece.steps_per_bar, piece.pickup, piece.key, piece.fermatas)
    assert len(tune_marks(piece) & tune_marks(moved)) >= 13 and not tune_marks(piece) & tune_marks(pieces["train"][0])


def test_every_piece_is_four_voices_with_one_note_at_a_time():
    ranges = ((57, 81), (53, 74), (48, 69), (36, 64))
    for piece in everything():
        notes = piece.notes.astype(int)
        assert notes.shape[1] == 5 and piece.notes.dtype == np.int16
        assert piece.steps_per_bar in (12, 16) and piece.pickup in (0, 4, 8)
        assert piece.key.split()[1] in ("major", "minor") and piece.key[0] in "ABCDEFG"
        assert (notes[:, ONSET] >= 0).all() and (notes[:, DURATION] >= 1).all()
        assert piece.steps == (notes[:, ONSET] + notes[:, DURATION]).max() < 800
        for voice, (low, high) in enumerate(ranges):
            of = notes[notes[:, VOICE] == voice]
            assert len(of) > 10 and (of[1:, ONSET] >= of[:-1, ONSET] + of[:-1, DURATION]).all()
            assert low <= of[:, PITCH].min() <= of[:, PITCH].max() <= high
        sopranos = notes[notes[:, VOICE] == 0]
        assert np.isin(piece.fermatas, sopranos[:, ONSET]).all()


def test_velocities_are_the_accents_and_softer_under_fermatas():
    held = Counter()
    for piece in everything():
        for voice, onset, _, _, velocity in piece.notes.tolist():
            plain = accent(onset, piece.steps_per_bar, piece.pickup)
            assert velocity in (plain, plain - 12) and 52 <= velocity <= 96
            if voice == 0:
                assert (velocity < plain) == (onset in piece.fermatas)
            held[velocity < plain] += 1
    assert 0.05 < held[True] / held.total() < 0.15
    assert len({tuple(piece.notes[:, VELOCITY]) for piece in everything()}) > 300


@pytest.mark.parametrize("metre, steps", [("4/4", 16), ("3/4", 12), ("3/2", 24)])
def test_accents_are_those_of_music21(metre, steps):
    bar = stream.Measure()
    bar.timeSignature = meter.TimeSignature(metre)
    bar.repeatAppend(note.Note(quarterLength=0.25), steps)
    for step, sixteenth in enumerate(bar.notes):
        assert accent(step + 4, steps, pickup=4) == 96 + 8 * np.log2(sixteenth.beatStrength)


def test_accents_by_hand():
    assert [accent(i) for i in range(9)] == [96, 64, 72, 64, 80, 64, 72, 64, 88]
    assert [accent(i, 12) for i in range(13)] == [96, 72, 80, 72, 88, 72, 80, 72, 88, 72, 80, 72, 96]
    assert accent(4, pickup=4, fermata=True) == 84


def four_parts(*parts):
    score = stream.Score()
    for notes in parts:
        part = converter.parse("tinynotation: " + notes)
        score.insert(0, stream.Part(part[stream.Measure]))
    return score


def test_ties_are_one_note_and_short_ends_are_rounded():
    plain = "4/4 C4 C4 C4 C4"
    score = four_parts("4/4 g4 a4~ a4 b8 c'16 d'32 e'32", plain, plain, plain)
    list(score.parts[0].recurse().notes)[4].expressions.append(expressions.Fermata())
    piece = _piece("made", score)
    soprano = piece.notes[piece.notes[:, VOICE] == 0]
    assert soprano[:, [ONSET, DURATION, PITCH]].tolist() == [
        [0, 4, 67],
        [4, 8, 69],
        [12, 2, 71],
        [14, 1, 72],
        [15, 1, 74],
    ]
    assert soprano[:, VELOCITY].tolist() == [96, 80, 80, 60, 64] and piece.fermatas.tolist() == [14]
    assert (piece.steps, piece.steps_per_bar, piece.pickup) == (16, 16, 0)


def test_scores_of_another_kind_are_left_out():
    bar = "4/4 c4 d4 e4 f4"
    assert _piece("three", four_parts(bar, bar, bar)) is None
    assert _piece("five eight", four_parts(*["5/8 c8 d8 e8 f8 g8"] * 4)) is None
    assert _piece("change", four_parts(*["4/4 c4 d4 e4 f4 3/4 g4 f4 e4"] * 4)) is None


def test_cache_agrees_with_a_fresh_parse():
    for name in ("bwv269", "bwv66.6", "bwv140.7"):
        fresh = _piece(name, converter.parse(corpus.getWork(f"bach/{name}"), forceSource=True, storePickle=False))
        kept = next(piece for piece in everything() if piece.name == name)
        np.testing.assert_array_equal(fresh.notes, kept.notes)
        assert (fresh.key, fresh.pickup, fresh.fermatas.tolist()) == (kept.key, kept.pickup, kept.fermatas.tolist())


def test_damaged_cache_is_made_again(tmp_path, monkeypatch):
    name = f"chorales-1-music21-{metadata.version('music21')}.npz"
    before = everything()
    whole = (cache_dir() / name).read_bytes()
    monkeypatch.setenv("AIGC_CACHE", str(tmp_path))
    few = [path for path in corpus.getComposer("bach") if path.stem in ("bwv269", "bwv66.6")]
    monkeypatch.setattr(corpus, "getComposer", lambda name: few)
    for damage in (b"", whole[: len(whole) // 2], b"\0" * len(whole)):
        (tmp_path / name).write_bytes(damage)
        again = everything()
        assert [piece.name for piece in again] == ["bwv269", "bwv66.6"]
        np.testing.assert_array_equal(again[0].notes, next(p for p in before if p.name == "bwv269").notes)
        assert [path.name for path in tmp_path.iterdir()] == [name]  # nothing half-written is left
    assert _parse()["notes"].tolist() == np.concatenate([piece.notes for piece in again]).tolist()


def test_parsing_leaves_nothing_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = corpus.getWork("bach/bwv269")
    piece = _piece("bwv269", converter.parse(path, forceSource=True, storePickle=False))
    assert len(piece.notes) == 225 and not [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.parametrize(
    "key, semitones",
    [
        ("C major", 0),
        ("A minor", 0),
        ("D major", 2),
        ("F# minor", -3),
        ("F# major", 6),
        ("Bb major", -2),
        ("Eb minor", 6),
    ],
)
def test_how_far_a_key_is_from_c(key, semitones):
    assert Chorale("x", np.zeros((1, 5), dtype=np.int16), 16, 0, key, np.zeros(0)).from_c == semitones


def test_a_melody_is_the_soprano_in_c():
    piece = next(piece for piece in chorales("validation") if piece.from_c)
    before, soprano = piece.notes.copy(), piece.notes[piece.notes[:, VOICE] == 0]
    assert (piece.melody[:, PITCH] == soprano[:, PITCH] - piece.from_c).all() and (piece.notes == before).all()
    others = [VOICE, ONSET, DURATION, VELOCITY]
    assert (piece.melody[:, others] == soprano[:, others]).all()


def test_in_c_most_notes_are_white():
    shares = []
    for piece in chorales("validation"):
        shares.append(np.isin((piece.notes[:, 3] - piece.from_c) % 12, (0, 2, 4, 5, 7, 9, 11)).mean())
    assert np.mean(shares) > 0.9 and min(shares) > 0.7
