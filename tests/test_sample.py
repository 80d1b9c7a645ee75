"""Drawing tokens: temperature, nucleus, and sequences whose distribution is known."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aigc.models.gpt import GPT, Config
from aigc.sample import min_p, nucleus, temper, tokens, top_k

LOGITS = torch.tensor([[2.0, 1.0, 0.0, 2.0, -1.0]]).double()


def test_temperature_is_a_power_of_the_probabilities():
    p = LOGITS.softmax(-1)
    for temperature in (0.3, 1.0, 2.5):
        power = p ** (1 / temperature)
        assert torch.allclose(temper(LOGITS, temperature), power / power.sum())


def test_temperature_zero_is_greedy_and_takes_the_first_of_equals():
    assert temper(LOGITS, 0.0).tolist() == [[1, 0, 0, 0, 0]]
    assert temper(LOGITS, 1e-8).tolist() == [[0.5, 0, 0, 0.5, 0]]  # the limit shares; a greedy reader has to choose


@pytest.mark.parametrize("wrong", [-0.1, math.inf, math.nan])
def test_other_temperatures_are_refused(wrong):
    with pytest.raises(ValueError, match="temperature must be zero or a positive"):
        temper(LOGITS, wrong)


def test_nucleus_keeps_the_fewest_that_suffice():
    p = torch.tensor([0.1, 0.4, 0.2, 0.3]).double()
    assert nucleus(p, 0.4).tolist() == [0, 1, 0, 0]
    assert torch.allclose(nucleus(p, 0.41), torch.tensor([0, 4, 0, 3]).double() / 7)
    assert torch.allclose(nucleus(p, 0.95), p) and torch.allclose(nucleus(p, 1.0), p)
    many = torch.full((100_000,), 1e-5)  # whose sum, added one by one, comes to 1 too soon or never
    assert nucleus(many, 1.0) is many
    for wrong in (0.0, 1.1, math.nan):
        with pytest.raises(ValueError, match="top_p"):
            nucleus(p, wrong)


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=11), st.floats(0.01, 1))
def test_nucleus_is_minimal_for_any_distribution(weights, top_p):
    p = torch.tensor(weights).double()
    p = p / p.sum()
    kept = nucleus(p, top_p)
    assert kept.sum().item() == pytest.approx(1)
    inside = p[kept > 0]
    assert inside.sum() >= top_p - 1e-9 and inside.sum() - inside.min() < top_p + 1e-9
    assert (kept == 0).sum() == 0 or inside.min() >= p[kept == 0].max()


def test_top_k_keeps_k_and_the_first_of_equals():
    p = torch.tensor([[0.1, 0.3, 0.2, 0.3, 0.1], [0.9, 0.0, 0.1, 0.0, 0.0]]).double()
    assert top_k(p, 1).tolist() == [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]]  # greedy
    assert torch.allclose(top_k(p, 3), torch.tensor([[0, 3, 2, 3, 0], [7.2, 0, 0.8, 0, 0]]).double() / 8)
    assert torch.allclose(top_k(p, 5), p) and torch.allclose(top_k(p, 9), p)
    with pytest.raises(ValueError, match="top_k must be at least 1, not 0"):
        top_k(p, 0)


def test_min_p_keeps_a_share_of_the_largest():
    p = torch.tensor([[0.5, 0.25, 0.2, 0.05], [0.28, 0.24, 0.24, 0.24]]).double()
    kept = min_p(p, 0.5)
    assert torch.allclose(kept[0], torch.tensor([2.0, 1, 0, 0]).double() / 3)
    assert torch.allclose(kept[1], p[1])  # where the model hesitates, more is kept
    assert torch.allclose(min_p(p, 0), p) and min_p(p, 1)[0].tolist() == [1, 0, 0, 0]
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="min_p"):
            min_p(p, wrong)


@pytest.mark.parametrize("setting", [0.03, 0.3, 0.7])
def test_filters_are_those_of_transformers(setting):
    from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    logits = 3 * torch.randn(11, 101, generator=torch.Generator().manual_seed(0)).double()
    p, k = logits.softmax(-1), int(100 * setting)
    for mine, theirs in (
        (top_k(p, k), TopKLogitsWarper(k)),
        (nucleus(p, setting), TopPLogitsWarper(setting)),
        (min_p(p, setting), MinPLogitsWarper(setting)),
    ):
        assert torch.allclose(mine, theirs(None, logits).softmax(-1))


def make(vocab=7, side=()):
    torch.manual_seed(0)
    model = GPT(Config(vocab, context=4, layers=2, heads=1, width=14, side=side)).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.5)
    return model


def draw(model, prompt, length, **options):
    return torch.stack(list(tokens(model, prompt, length, **options)), dim=1)


def test_greedy_sequence_is_that_of_full_recomputation():
    model, prompt = make(), torch.tensor([[1, 2, 3], [4, 5, 6]])
    drawn, ids = draw(model, prompt, 11, temperature=0), prompt
    with torch.no_grad():
        for _ in range(11):
            ids = torch.cat([ids, model(ids)[:, -1].argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(drawn, ids[:, 3:])


def test_each_token_is_drawn_with_what_is_known_of_it():
    model, prompt = make(side=(3, 5)), torch.tensor([[1, 2, 3], [4, 5, 6]])
    place = torch.arange(2 * 13).view(2, 13)  # rows that differ
    side = torch.stack([place % 3, place % 5], dim=-1)
    drawn, ids = draw(model, prompt, 11, temperature=0, side=side), prompt
    with torch.no_grad():
        for _ in range(11):
            ids = torch.cat([ids, model(ids, side[:, : ids.size(1)])[:, -1].argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(drawn, ids[:, 3:])


def test_samples_follow_the_model():
    model, prompt = make(), torch.tensor([[1, 2]]).expand(20_000, 2)
    g = torch.Generator().manual_seed(0)
    drawn = draw(model, prompt, 1, temperature=0.7, generator=g)
    with torch.no_grad():
        p = temper(model(prompt[:1])[0, -1], 0.7)
    seen = drawn[:, 0].bincount(minlength=7) / 20_000
    assert (seen - p).abs().max() < 4 * (p * (1 - p) / 20_000).sqrt().max()


def test_same_generator_same_tokens_and_they_come_one_by_one():
    model, prompt = make(), torch.tensor([[0]])
    a, b, c = (draw(model, prompt, 30, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)
    stream = tokens(model, prompt, 10**9)  # more than memory could hold
    assert next(stream).shape == (1,)


def test_a_row_that_stops_repeats_its_stop_and_all_stopped_ends():
    model, prompt = make(), torch.arange(5)[:, None]
    free = draw(model, prompt, 90, generator=torch.Generator().manual_seed(3))
    stop = next(t for t in range(7) if (free == t).any(1).all())  # a token that each row draws some time
    first = [row.tolist().index(stop) for row in free]
    stopped = draw(model, prompt, 90, generator=torch.Generator().manual_seed(3), stop=stop)
    assert stopped.shape == (5, max(first) + 1) and len(set(first)) > 1
    for row, whole, end in zip(stopped, free, first):
        assert torch.equal(row[: end + 1], whole[: end + 1]) and (row[end:] == stop).all()


def test_keep_is_asked_before_each_draw_and_may_not_refuse_everything():
    model, prompt = make(), torch.tensor([[0], [1], [2]])
    even = torch.tensor([1.0, 0, 1, 0, 1, 0, 1])
    drawn = draw(model, prompt, 13, keep=lambda p: p * even)
    assert drawn.shape == (3, 13) and (drawn % 2 == 0).all()
    greedy = draw(model, prompt, 13, keep=lambda p: top_k(p, 1))
    assert torch.equal(greedy, draw(model, prompt, 13, temperature=0))
    with pytest.raises(ValueError, match="without any token to draw"):
        draw(model, prompt, 2, keep=lambda p: p * 0)


@pytest.mark.parametrize(
    "options, says",
    [
        (dict(prompt=torch.zeros(1, 0, dtype=torch.int64)), "at least one token"),
        (dict(prompt=torch.zeros(3, dtype=torch.int64)), "at least one token"),
        (dict(prompt=torch.tensor([[0.0]])), "int64"),
        (dict(prompt=torch.tensor([[2, 7]])), "0 .. 6, not 2 .. 7"),
        (dict(prompt=torch.tensor([[-1]])), "0 .. 6"),
        (dict(side=torch.zeros(1, 4, 2, dtype=torch.int64)), r"side must be \(1, 5, K\)"),
        (dict(length=0), "length"),
        (dict(temperature=-1), "temperature"),
        (dict(top_p=0), "top_p"),
        (dict(stop=7), r"stop must be one of the tokens 0 .. 6, not 7"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_drawn(options, says):
    with pytest.raises(ValueError, match=says):
        tokens(**{"model": make(), "prompt": torch.tensor([[0]]), "length": 5, **options})
