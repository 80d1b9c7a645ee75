"""The GPT: what a position may know, what the cache may not change, and what rotation promises."""

import pytest
import torch
from torch import nn

from aigc import attention
from aigc.models.gpt import GPT, Cache, Config, Memory, frequencies, loss, rotate, turns

VOCAB, CONTEXT, T = 11, 5, 13


def make(side=(), context=CONTEXT, dropout=0.0):
    torch.manual_seed(0)
    model = GPT(Config(VOCAB, context, layers=2, heads=3, width=42, side=side, dropout=dropout)).double().eval()
    for weight in model.parameters():  # the zeros of the beginning would hide every mistake
        torch.nn.init.normal_(weight, std=weight.size(-1) ** -0.5)
    return model


@pytest.fixture
def ids():
    return torch.randint(VOCAB, (2, T), generator=torch.Generator().manual_seed(1))


def test_position_sees_itself_and_the_past_and_nothing_of_the_future(ids):
    model, changed = make(context=T), ids.clone()
    changed[0, 5] = (ids[0, 5] + 1) % VOCAB
    with torch.no_grad():
        difference = (model(ids) - model(changed)).abs().amax(-1)
    assert difference[0, :5].max() == 0 and (difference[0, 5:] > 0).all()
    assert difference[1].max() == 0  # and nothing of its neighbours in the batch


def test_context_limits_how_far_each_layer_looks_back(ids):
    model, changed = make(), ids.clone()
    changed[:, 0] = (ids[:, 0] + 1) % VOCAB
    with torch.no_grad():
        difference = (model(ids) - model(changed)).abs().amax(-1)
    reach = 2 * (CONTEXT - 1)  # two layers, each of them CONTEXT - 1 places back
    assert (difference[:, : reach + 1] > 0).all() and difference[:, reach + 1 :].max() == 0


@pytest.mark.parametrize("pieces", [[13], [1] * 13, [2, 3, 1, 7], [7, 5, 1]])
def test_decoding_with_a_cache_equals_full_recomputation_at_any_length(ids, pieces):
    model, side = make(side=(4, 7)), torch.stack([torch.arange(T) % 4, torch.arange(T) % 7], -1).expand(2, T, 2)
    cache, out, at = Cache(), [], 0
    with torch.no_grad():
        for n in pieces:
            out.append(model(ids[:, at : at + n], side[:, at : at + n], cache))
            at += n
        whole = model(ids, side)
    assert torch.allclose(torch.cat(out, 1), whole, atol=1e-5)  # logits come in float32
    assert cache.position == T and len(cache.layers) == 2


def test_memory_of_a_long_text_stays_small_and_moves_seldom():
    memory, rooms = Memory(keep=CONTEXT - 1), set()
    for place in range(100):
        seen = memory.add(torch.full((2, 3, 1, 1, 7), float(place)))
        assert seen[0, 0, 0, :, 0].tolist() == list(range(max(0, place - CONTEXT + 1), place + 1))
        rooms.add(memory.room.data_ptr())
        assert memory.room.size(3) <= 2 * CONTEXT
    assert len(rooms) < 100 / (CONTEXT - 1)


def test_rotation_keeps_lengths_and_makes_products_depend_on_the_distance_alone():
    g = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 1, 1, 1, 14, generator=g).double().unbind(0)
    at = lambda x, place: rotate(x, turns(torch.tensor([place]), frequencies(14)))
    product = lambda m, n: (at(q, m) * at(k, n)).sum().item()
    assert at(q, 17).norm().item() == pytest.approx(q.norm().item())
    assert product(3, 1) == pytest.approx(product(103, 101), abs=1e-4)
    assert abs(product(3, 1) - product(3, 2)) > 0.01
    assert torch.equal(at(q, 0), q)
    a, b = q[..., 2], q[..., 9]  # a pair, the third of seven
    angle = torch.tensor(5 * 10_000 ** (-2 / 7)).double()
    assert at(q, 5)[..., 2].item() == pytest.approx((a * angle.cos() - b * angle.sin()).item(), abs=1e-6)
    assert at(q, 5)[..., 9].item() == pytest.approx((a * angle.sin() + b * angle.cos()).item(), abs=1e-6)


def test_a_cache_knows_the_turns_of_every_place():
    cache, frequency = Cache(), frequencies(14)
    for T in (3, 1, 1, 64, 1, 200, 1):
        expected = turns(torch.arange(cache.position, cache.position + T), frequency)
        for a, b in zip(cache.turn(T, frequency), expected, strict=True):
            assert torch.equal(a, b)
        cache.position += T


def test_the_turns_are_computed_once_for_all_layers_and_many_places(ids, monkeypatch):
    calls, turned = [], attention.turns
    spy = lambda place, frequency: calls.append(len(place)) or turned(place, frequency)
    monkeypatch.setattr(attention, "turns", spy)
    model, cache = make(), Cache()
    with torch.no_grad():
        model(ids)
        for t in range(T):
            model(ids[:, t : t + 1], cache=cache)
    assert len(calls) == 2 and calls[1] > T


def test_muon_moves_the_blocks_and_adamw_the_two_ends():
    groups = make(side=(4, 7)).groups()
    assert len(groups["muon"]) == 2 * 4 and all(weight.ndim == 2 for weight in groups["muon"])
    assert [tuple(weight.shape) for weight in groups["adamw"]] == [(VOCAB, 42), (4, 42), (7, 42), (VOCAB, 42)]


def test_new_model_is_the_uniform_distribution(ids):
    model = GPT(Config(VOCAB, CONTEXT, layers=2, heads=3, width=42))
    assert loss(model, ids).item() == pytest.approx(torch.tensor(VOCAB).log().item())


def test_loss_predicts_the_next_token(ids):
    model = make(context=T)
    log_p = model(ids[:, :-1]).log_softmax(-1)
    by_hand = [log_p[b, t, ids[b, t + 1]].item() for b in range(2) for t in range(T - 1)]
    assert loss(model, ids).item() == pytest.approx(-sum(by_hand) / len(by_hand))


def test_side_information_is_needed_and_used(ids):
    model, side = make(side=(4,)), torch.zeros(2, T, 1, dtype=torch.int64)
    other = side.clone()
    other[:, 7] = 3
    with torch.no_grad():
        difference = (model(ids, side) - model(ids, other)).abs().amax(-1)
    assert difference[:, :7].max() == 0 and (difference[:, 7] > 0).all()
    with pytest.raises(ValueError, match="side must have the shape"):
        model(ids)
    with pytest.raises(ValueError, match="side must have the shape"):
        make()(ids, side)


def test_dropout_acts_in_training_alone(ids):
    model = make(dropout=0.5)
    assert torch.equal(model(ids), model(ids))
    assert not torch.equal(model.train()(ids), model(ids))
    weights = model.blocks[0].attention
    weights.dropout, model.blocks[0].dropout, model.blocks[1].dropout = nn.Dropout(1.0), nn.Identity(), nn.Identity()
    x, turn = torch.randn(2, 1, 42).double(), turns(torch.arange(1), model.frequency)
    assert weights(x, turn).abs().max() == 0 < weights.eval()(x, turn).abs().max()  # for a single position too


def test_a_cache_of_another_model_or_batch_is_refused(ids):
    torch.manual_seed(0)
    small = GPT(Config(VOCAB, CONTEXT, layers=1, heads=3, width=42)).double()
    cache = Cache()
    with torch.no_grad():
        small(ids, cache=cache)
        with pytest.raises(ValueError, match="zip"):
            make()(ids, cache=cache)
        with pytest.raises(RuntimeError, match="shape"):
            small(ids[:1], cache=cache)


@pytest.mark.parametrize("asked", ["bfloat16", "float32"])
def test_under_autocast_the_sums_are_in_the_fast_precision(ids, asked):
    seen = []
    model = make().float()
    model.blocks[0].register_forward_pre_hook(lambda module, given: seen.append(given[0].dtype))
    with torch.autocast("cpu", torch.bfloat16, enabled=asked == "bfloat16"):
        assert model(ids).dtype == torch.float32
    assert seen == [torch.bfloat16 if asked == "bfloat16" else torch.float32]


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(vocab=0), "at least 1"),
        (dict(width=40, heads=3), "even multiple"),
        (dict(width=9, heads=3), "even multiple"),
        (dict(dropout=1.0), "dropout"),
        (dict(side=(0,)), "at least 1"),
    ],
)
def test_impossible_sizes_are_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        Config(**{"vocab": 5, "context": 3, "width": 12, "heads": 3, **wrong})
