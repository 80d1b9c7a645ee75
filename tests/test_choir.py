"""The choir: its chain rule, what it may see, and that what is sung follows it, with walls and with a given voice."""

from itertools import product

import numpy as np
import pytest
import torch

from aigc import data, sample
from aigc.attention import Cache
from aigc.codecs import notes
from aigc.evaluate.music import faults
from aigc.models import choir

V, ORDER = 7, (0, 3, 1, 2)


def make(order=ORDER, side=(3,), vocab=V, context=4, seed=0, std=0.5, **more) -> choir.Choir:
    torch.manual_seed(seed)
    model = choir.Choir(choir.Config(vocab, context, 2, 2, 12, 10, side, order, **more)).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=std)
    return model


def some(length=9, batch=2, vocab=V, voices=4, seed=1) -> torch.Tensor:
    """Rows that can be: a note that goes on is the note before."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, vocab, (batch, length, voices), generator=generator)
    chords = [torch.where(ids[:, 0] == 1, vocab, ids[:, 0])]
    for now in ids[:, 1:].unbind(1):
        chords.append(torch.where(now == 1, vocab + chords[-1] % vocab, now))
    known = torch.randint(0, 3, (batch, length, 1), generator=generator)
    return torch.cat([torch.stack(chords, 1), known], -1)


@torch.no_grad()
def test_a_voice_sees_the_past_and_the_voices_before_it():
    model, rows = make(), some()
    before = choir.nats(model, rows)
    for place, voice in enumerate(ORDER):
        changed = rows.clone()
        changed[:, 5, voice] = (rows[:, 5, voice] % V + 3) % V  # another note that begins
        moved = (choir.nats(model, changed) - before).abs() > 1e-6
        assert not moved[:, :4].any()  # of the chord at 5 the costs are in row 4
        for other in ORDER[:place]:
            assert not moved[:, 4, other].any()
        for other in ORDER[place:]:
            assert moved[:, 4, other].all()
        assert moved[:, 5].all()


@torch.no_grad()
def test_what_is_known_is_of_the_chord_to_be_predicted():
    model, rows = make(), some()
    changed = rows.clone()
    changed[:, 5, 4] = (rows[:, 5, 4] + 1) % 3
    moved = (choir.nats(model, changed) - choir.nats(model, rows)).abs() > 1e-6
    assert not moved[:, :4].any() and moved[:, 4].all()


@torch.no_grad()
def test_the_chords_are_one_distribution():
    """The probabilities of all chords that can follow sum to one, in any order of the voices."""
    for order in ((0, 1, 2), (2, 0, 1)):
        model = make(order, vocab=4).double()
        rows = some(3, 1, 4, 3).repeat(4**3, 1, 1)
        ids = torch.tensor(list(product(range(4), repeat=3)))
        rows[:, 2, :3] = torch.where(ids == 1, 4 + rows[:, 1, :3] % 4, ids)
        nats = choir.nats(model, rows)
        assert torch.exp(-nats[:, 1].sum(-1)).sum().item() == pytest.approx(1, abs=1e-6)  # float32 at the heads
        assert nats.std() > 0.01


@torch.no_grad()
def test_reading_step_by_step_is_reading_at_once():
    model, rows = make(context=3), some(12)
    chords, side = rows[:, :-1, :4], rows[:, 1:, 4:]
    whole, cache = model(chords, side), Cache()
    parts = [model(chords[:, t : t + 1], side[:, t : t + 1], cache) for t in range(11)]
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


def test_a_new_choir_knows_nothing_and_every_parameter_has_one_optimizer():
    model = choir.Choir(choir.Config(V, 4, side=(3,), order=ORDER))
    assert choir.loss(model, some()).item() == pytest.approx(np.log(V), abs=1e-5)
    groups = model.groups()
    assert sorted(map(id, groups["muon"] + groups["adamw"])) == sorted(map(id, model.parameters()))
    assert all(weight.ndim == 2 for weight in groups["muon"])


def test_it_learns_what_one_voice_owes_to_another():
    """The bass sings what the soprano sings, at random, so it costs nothing as soon as the soprano is told."""
    torch.manual_seed(0)
    model = choir.Choir(choir.Config(V, 4, 1, 2, 12, 10, (), (0, 1)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for step in range(150):
        line = torch.randint(2, V, (16, 6, 1), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        choir.loss(model, line.repeat(1, 1, 2)).backward()
        optimizer.step()
    soprano, bass = choir.nats(model, line.repeat(1, 1, 2)).mean((0, 1)).tolist()
    assert bass < 0.1 and soprano == pytest.approx(np.log(V - 2), abs=0.2)


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(width=10, heads=3), "even multiple"),
        (dict(order=(0, 2)), "each voice once"),
        (dict(order=()), "each voice once"),
        (dict(side=(3, 0)), "at least 1"),
        (dict(dropout=1.0), "dropout"),
    ],
)
def test_impossible_sizes_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        choir.Config(V, 4, **wrong)
    assert choir.Config(V, 4, side=[3], order=[1, 0]).order == (1, 0)


def test_other_shapes_are_refused():
    rows = some()
    with pytest.raises(ValueError, match=r"must be \(\(2, 9, 4\), \(2, 9, 1\)\), not \(2, 9, 3\) and \(2, 9, 1\)"):
        make()(rows[..., :3], rows[..., 4:])
    with pytest.raises(ValueError, match="must be"):
        make()(rows[..., :4], rows[:, 1:, 4:])


def free(batch, length, voices=4) -> torch.Tensor:
    return torch.full((batch, length, voices), sample.FREE)


def with_silence(chords: torch.Tensor, side: torch.Tensor) -> torch.Tensor:
    """Rows of what was sung, as `nats` reads them."""
    rows = torch.cat([chords, side.expand(len(chords), -1, -1)], -1)
    return torch.cat([torch.zeros_like(rows[:, :1]), rows], 1)


def test_what_is_sung_costs_what_the_model_says_and_can_be_given_again():
    model, side = make(), some()[0, :, 4:]
    take = sample.chorale(model, free(3, 9), side, generator=torch.Generator().manual_seed(0))
    cost = choir.nats(model, with_silence(take.chords, side)).sum(1)
    assert torch.allclose(take.drawn, cost, atol=1e-4) and not take.given.any() and not take.cut.any()
    ids = torch.where(take.chords >= V, 1, take.chords)
    again = sample.chorale(model, ids, side)
    assert torch.equal(again.chords, take.chords) and torch.allclose(again.given, cost, atol=1e-4)
    assert not again.drawn.any()
    half = ids.clone()
    half[:, 4:, 1:] = sample.FREE
    more = sample.chorale(model, half, side, generator=torch.Generator().manual_seed(1))
    assert torch.equal(torch.where(more.chords >= V, 1, more.chords)[half >= 0], ids[half >= 0])
    assert torch.allclose(more.given + more.drawn, choir.nats(model, with_silence(more.chords, side)).sum(1), atol=1e-4)
    assert not more.drawn[:, 0].any() and more.drawn[:, 1:].all() and more.given.all()


def test_chords_follow_the_model():
    model, side = make((0, 1), (), 4), torch.zeros(1, 0, dtype=torch.int64)
    take = sample.chorale(model, free(40_000, 1, 2), side, generator=torch.Generator().manual_seed(0))
    ids = torch.where(take.chords[:, 0] >= 4, 1, take.chords[:, 0])
    counted = torch.bincount(ids[:, 0] * 4 + ids[:, 1], minlength=16) / 40_000
    every = torch.tensor(list(product(range(4), repeat=2)))
    rows = torch.stack([torch.zeros_like(every), torch.where(every == 1, 4, every)], 1)
    exact = torch.exp(-choir.nats(model, rows).sum((1, 2)))
    assert (counted - exact).abs().max() < 0.01
    both = torch.stack([torch.zeros(9, 1), torch.ones(9, 1)]).long()
    told = make()
    apart = [sample.chorale(told, free(1, 9), one, temperature=0).chords for one in both]
    assert torch.equal(sample.chorale(told, free(2, 9), both, temperature=0).chords, torch.cat(apart))
    assert not torch.equal(*apart)
    cold = sample.chorale(model, free(5, 1, 2), side, temperature=0)
    assert len(torch.unique(cold.chords, dim=0)) == 1


@torch.no_grad()
def test_particles_know_what_comes_later():
    """The lower voice in step 0, where the upper one of step 1 is given: its posterior, by summing everything."""
    every = torch.tensor([[[2, a], [3, b]] for a, b in product(range(4), repeat=2)])
    chords = [torch.where(every[:, 0] == 1, 4, every[:, 0])]
    chords.append(torch.where(every[:, 1] == 1, 4 + chords[0] % 4, every[:, 1]))
    rows = torch.cat([torch.zeros(16, 1, 2, dtype=torch.int64), torch.stack(chords, 1)], 1)
    for seed in range(100):  # until one to which it makes a difference, and not by a case that is hardly ever drawn
        model = make((0, 1), (), 4, std=0.6, seed=seed)
        p = torch.exp(-choir.nats(model, rows))
        prior = p[::4, 0, 1]
        posterior = p.prod(-1).prod(-1).view(4, 4).sum(1)
        posterior /= posterior.sum()
        if (posterior - prior).abs().max() > 0.15 and (posterior / prior).max() < 5:
            break
    given, shares = free(4000, 2, 2), []
    given[:, :, 0] = torch.tensor([2, 3])
    for particles in (True, False):
        dice = torch.Generator().manual_seed(0)
        take = sample.chorale(model, given, torch.zeros(2, 0, dtype=torch.int64), particles=particles, generator=dice)
        ids = torch.where(take.chords[:, 0, 1] >= 4, 1, take.chords[:, 0, 1])
        shares.append(torch.bincount(ids, minlength=4) / 4000)
    assert (shares[0] - posterior).abs().max() < 0.05 < (shares[1] - posterior).abs().max()
    assert (shares[1] - prior).abs().max() < 0.03


def test_behind_the_wall_there_are_no_parallels_and_the_cut_is_counted():
    torch.manual_seed(0)
    model = choir.Choir(choir.Config(notes.VOCABULARY, 8, 1, 2, 12, 10, notes.PLAN)).eval()  # every chord alike
    side = torch.from_numpy(notes.plan(40, "C major"))
    grids = {}
    for wall in (None, sample.no_parallels):
        take = sample.chorale(model, free(100, 40), side, wall=wall, generator=torch.Generator().manual_seed(0))
        grids[wall] = [faults(notes.unchords(chords))["parallels"] for chords in take.chords.numpy()]
    free_ones, walled = (sum(found.count for found in grids[wall]) for wall in (None, sample.no_parallels))
    assert free_ones > 50 and walled == 0 and sum(found.cases for found in grids[sample.no_parallels]) > 20_000
    assert 0 < take.cut.sum(-1).min() and torch.allclose(
        take.drawn.sum(-1), torch.full((100,), 160 * np.log(60)).float(), rtol=1e-4
    )
    even = lambda before, now, voice: (torch.arange(60) % 2 == 0).expand(len(before), -1)
    take = sample.chorale(model, free(3, 5), side[:5], wall=even)
    assert (take.chords % 2 == 0).all() and torch.allclose(take.cut, torch.full((3, 4), 5 * np.log(2)).float())


def test_the_wall_forbids_what_the_measure_counts_and_nothing_else():
    rng = np.random.default_rng(0)
    V, forbidden = notes.VOCABULARY, 0
    for _ in range(40):
        grid = rng.integers(55, 68, (2, 4))
        before, after = (torch.from_numpy(notes.encode(row[None])) for row in grid)
        voices = rng.permutation(4)
        now = {int(v): after[[v]] for v in voices[:-1]}
        last = int(voices[-1])
        allowed = sample.no_parallels(before[None], now, last)[0]
        assert allowed[:2].all()  # a rest and a hold
        for id_ in range(2, V):
            tried = grid.copy()
            tried[1, last] = id_ - 2 + notes.LOW
            alone = tried.copy()
            alone[:, last] = -1
            parallel = faults(tried)["parallels"].count > faults(alone)["parallels"].count
            assert allowed[id_] == (not parallel)
            forbidden += parallel
    assert forbidden > 20


def test_bad_questions_are_refused():
    model, side = make(), some()[0, :, 4:]
    ask = lambda given=None, side=side, **more: sample.chorale(
        model, free(2, 9) if given is None else given, side, **more
    )
    for wrong, says in (
        (dict(given=free(2, 9, 3)), "given must be"),
        (dict(given=free(2, 0)), "given must be"),
        (dict(given=free(2, 9) + V + 1), "given must be"),
        (dict(given=free(2, 9) - 1), "given must be"),
        (dict(side=side[:5]), r"side must be \(2, 9, 1\), not \(5, 1\)"),
        (dict(side=side.repeat(3, 1, 1)), r"side must be \(2, 9, 1\), not \(3, 9, 1\)"),
        (dict(temperature=-1), "temperature"),
        (dict(top_p=0), "top_p"),
        (dict(wall=lambda before, now, voice: torch.zeros(2, V, dtype=torch.bool)), "left voice 0 nothing at step 0"),
    ):
        with pytest.raises(ValueError, match=says):
            ask(**wrong)
    unlike = free(2, 9)
    unlike[0, 0, 0] = 2
    with pytest.raises(ValueError, match="trials of one piece"):
        ask(unlike, particles=True)


def test_pieces_become_rows_and_come_back():
    for piece in data.chorales("validation"):
        rows, grid = notes.rows(piece), notes.to_grid(piece.notes, piece.steps)
        assert rows.shape == (piece.steps + 1, 9) and not rows[0].any()
        assert (notes.unchords(rows[1:, :4]) == grid).all()
        assert (rows[1:, 4:] < notes.PLAN).all() and (rows[1:, 4:] >= 0).all()
        assert np.flatnonzero(rows[1:, 5] == 0).tolist() == piece.fermatas.tolist()
        assert rows[-1, 6] == 0 and (np.diff(rows[1:, 6]) <= 0).all()
    keys = notes.in_all_keys(piece)
    assert sum((rows[:, :4] == notes.rows(piece)[:, :4]).all() for rows in keys) == 1 < len(keys) < 13
    for rows in keys:
        moved = notes.unchords(rows[1:, :4]).astype(int)
        up = (moved - grid)[grid >= 0]
        assert (up == up[0]).all() and (rows[1:, 7] // 12 == notes.rows(piece)[1:, 7] // 12).all()
        assert ((rows[1:, 7] - notes.rows(piece)[1:, 7]) % 12 == up[0] % 12).all()


def test_chords_by_hand():
    grid = np.array([[60, -2, -1, 40], [-2, 60, -2, -2], [60, -2, 50, -1], [-2, -2, -2, 41]])
    V, id_ = notes.VOCABULARY, lambda pitch: pitch - notes.LOW + 2
    expected = [
        [id_(60), V, 0, id_(40)],
        [V + id_(60), id_(60), V, V + id_(40)],
        [id_(60), V + id_(60), id_(50), 0],
        [V + id_(60), V + id_(60), V + id_(50), id_(41)],
    ]
    assert notes.chords(grid).tolist() == expected and (notes.unchords(notes.chords(grid)) == grid).all()
    assert notes.chords(grid[:0]).shape == (0, 4)
    for wrong in (np.full((3, 4), 2 * V), np.full((3, 4), -1), np.zeros(4, dtype=int)):
        with pytest.raises(ValueError, match="chords must be"):
            notes.unchords(wrong)


def test_the_plan_by_hand():
    known = notes.plan(20, "F# minor", steps_per_bar=12, pickup=4, fermatas=[13, 2])
    assert known[:6, 0].tolist() == [24, 25, 26, 27, 16, 17] and known[:5, 1].tolist() == [2, 1, 0, 10, 9]
    assert known[13:16, 1].tolist() == [0, 31, 31] and known[:5, 2].tolist() == [4, 4, 4, 4, 3]
    assert known[:, 3].tolist() == [18] * 20 and (known[:, 4] == 18 * 32 + known[:, 2]).all()
    assert notes.plan(9, "Cb major")[:, 1].tolist() == [5, 4, 3, 2, 1, 0, 31, 31, 31]  # the last beat, unless told
    assert notes.plan(300, "C major").max(0).tolist() == [15, 31, 31, 0, 31]
    for wrong in ("H major", "C", "C dorian", "", None):
        with pytest.raises(ValueError, match="a key is a tonic and a mode"):
            notes.plan(4, wrong)
    with pytest.raises(ValueError, match="16 steps or 12, not 8"):
        notes.plan(4, "C major", steps_per_bar=8)


def test_the_key_at_home_is_that_of_the_last_bass_note():
    home = {piece.name: (piece.key, piece.home) for piece in data.chorales("train")}
    other = {pair for pair in home.values() if pair[0] != pair[1]}
    assert {("D minor", "G minor"), ("G minor", "C minor")} <= other and len(home) > 250
    assert sum(key != at_home for key, at_home in home.values()) < 0.2 * len(home)
    for piece in data.chorales("train"):
        tonic = notes.plan(1, piece.home)[0, 3] % 12
        last = piece.notes[piece.notes[:, 0] == 3][-1, 3]
        assert (last - tonic) % 12 in (0, 7) and piece.home.split()[1] == piece.key.split()[1]


def test_meetings_by_hand():
    """A voice on 67 while another goes from 60 to 62: a fifth, two up. Ids are pitches - 28."""
    ask = lambda mine, theirs, now: divmod(int(choir.meetings(*map(torch.tensor, (mine, theirs, now)), 60)), 27)
    assert ask(39, 32, 34) == (7, 14) and ask(60 + 39, 60 + 32, 34) == (7, 14)  # that they had held it is no matter
    assert ask(32, 39, 37) == (5, 10) and ask(39, 32, 32) == (7, 12)  # from below it is a fourth; sung again
    assert ask(39, 32, 60 + 32) == (7, 25) and ask(39, 32, 0) == (7, 26) and ask(0, 32, 34) == (12, 14)
    assert ask(39, 0, 34) == (12, 26) and ask(39, 32, 59) == (7, 24)


def test_windows_that_are_moved_inside_show_the_ends_as_often_as_the_rest():
    from aigc.codecs import events

    song, dice = torch.arange(40)[:, None], torch.Generator().manual_seed(0)
    seen = [torch.bincount(events.windows([song], 4000, 10, dice, more).flatten(), minlength=40) for more in (0, 5)]
    assert seen[0][0] < 0.15 * seen[0][20] and 0.4 < seen[1][[0, -1]].min() / seen[1][20] < 2.5
