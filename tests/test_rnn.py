"""The recurrent network: its steps are torch's, the past alone counts, and its parts are one distribution."""

import math

import pytest
import torch
from torch import nn

from aigc.models import rnn
from aigc.models.rnn import RNN, Config, go_on, loss, nats
from aigc.train import Recipe, make_optimizers, train

SIZES = (2, 5, 3)
CELLS = ("plain", "lstm")


def network(cell="lstm", width=7, sizes=SIZES) -> RNN:
    torch.manual_seed(0)
    return RNN(Config(sizes, width, cell)).double()


def some(batch=2, length=5, sizes=SIZES, seed=1) -> torch.Tensor:
    dice = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randint(size, (batch, length), generator=dice) for size in sizes], -1)


@pytest.mark.parametrize("cell", CELLS)
def test_the_state_is_that_of_torch(cell):
    model, x = network(cell), torch.randn(2, 5, 7, dtype=torch.float64)
    theirs = (nn.LSTM if cell == "lstm" else nn.RNN)(7, 7, batch_first=True).double()
    order = (0, 1, 3, 2) if cell == "lstm" else (0,)  # theirs: in, keep, write, out
    sort = lambda weight: torch.cat([weight.chunk(len(order))[i] for i in order])
    theirs.load_state_dict(
        {
            "weight_ih_l0": sort(model.given.weight),
            "weight_hh_l0": sort(model.recur.weight),
            "bias_ih_l0": sort(model.given.bias),
            "bias_hh_l0": torch.zeros_like(model.given.bias),
        }
    )
    state, read = model.begin(2), []
    for now in model.given(x).unbind(1):
        state = model.step(now, state, model.recur)
        read.append(state[0])
    expected, last = theirs(x)
    torch.testing.assert_close(torch.stack(read, 1), expected)
    for ours, their in zip(state, last if cell == "lstm" else (last,)):
        torch.testing.assert_close(ours, their[0])


@pytest.mark.parametrize("cell", CELLS)
def test_the_past_cannot_see_the_future(cell):
    model, events = network(cell), some(length=7)
    changed = events.clone()
    changed[0, 4, 1] = (changed[0, 4, 1] + 1) % SIZES[1]
    moved = (model(events)[0] - model(changed)[0]).abs().amax(-1)
    assert moved[0, :4].max() == 0 and (moved[0, 4:] > 0).all() and moved[1].max() == 0


@pytest.mark.parametrize("cell", CELLS)
def test_reading_can_be_interrupted(cell):
    model, events = network(cell), some(length=7)
    whole, end = model(events)
    first, state = model(events[:, :3])
    second, other = model(events[:, 3:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    for a, b in zip(end, other):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("cell", CELLS)
def test_the_parts_are_one_distribution(cell):
    """exp(-nats), summed over all events that could come next, is 1; and no part sees itself or a later one."""
    model, past = network(cell), some(batch=1, length=3)
    every = torch.cartesian_prod(*(torch.arange(size) for size in SIZES))  # (30, 3)
    ahead = torch.cat([past.expand(len(every), -1, -1), every[:, None]], 1)
    cost = nats(model, ahead)[:, -1]  # (30, 3)
    assert cost.sum(-1).neg().exp().sum().item() == pytest.approx(1, abs=1e-12)
    table = cost.view(*SIZES, 3)
    assert (table[..., 0] - table[:, :1, :1, 0]).abs().max() < 1e-12
    assert (table[..., 1] - table[:, :, :1, 1]).abs().max() < 1e-12
    assert table[..., 1].std(0).max() > 1e-4 and table[..., 2].std(1).max() > 1e-4  # they do see those before
    assert loss(model, ahead).item() == pytest.approx(nats(model, ahead).sum(-1).mean().item())


def test_gates_by_hand():
    scores = torch.tensor([0.0, -math.log(3), math.log(3), 0.5])
    enter, keep, out, write = rnn.gates(scores)
    assert [round(float(x), 6) for x in (enter, keep, out)] == [0.5, 0.25, 0.75]
    assert write.item() == pytest.approx(math.tanh(0.5))
    h, c = rnn.lstm(scores[None], (torch.zeros(1, 1), torch.tensor([[2.0]])), nn.Linear(1, 4, bias=False))
    assert c.item() == pytest.approx(0.25 * 2 + 0.5 * math.tanh(0.5))
    assert h.item() == pytest.approx(0.75 * math.tanh(c.item()))


def test_an_open_lstm_keeps_for_ever():
    """With all of the past kept and nothing let in, dc_T / dc_0 is the identity, at any distance."""
    recur = nn.Linear(3, 12, bias=False)
    nn.init.zeros_(recur.weight)
    start = torch.randn(1, 3, requires_grad=True)
    state = (torch.zeros(1, 3), start)
    for _ in range(200):
        state = rnn.lstm(torch.tensor([[-50.0] * 3 + [50.0] * 3 + [0.0] * 6]), state, recur)
    (slope,) = torch.autograd.grad(state[1].sum(), start)
    torch.testing.assert_close(slope, torch.ones(1, 3))


@pytest.mark.parametrize("cell", CELLS)
def test_going_on_is_reading_on(cell):
    model, events = network(cell), some(length=3)
    best = lambda logits: logits.argmax(-1)
    drawn = go_on(model, events, 4, best)
    assert drawn.shape == (2, 4, 3)
    told = events
    for place in range(4):  # without a state
        h, parts = model(told)[0][:, -1], []
        for _ in SIZES:
            parts.append(best(model.logits(h, parts)))
        assert (torch.stack(parts, -1) == drawn[:, place]).all()
        told = torch.cat([told, drawn[:, place : place + 1]], 1)
    with pytest.raises(ValueError, match="T >= 1"):
        go_on(model, events[:, :0], 4, best)
    with pytest.raises(ValueError, match="at least 1, not 0"):
        go_on(model, events, 0, best)
    with pytest.raises(ValueError, match=r"\(B, T, 3\)"):
        loss(model, events[..., :2])


def test_what_was_drawn_is_distributed_as_the_model_says():
    model, events = network(), some(batch=1, length=2).expand(20_000, -1, -1)
    dice = torch.Generator().manual_seed(0)
    draw = lambda logits: torch.multinomial(logits.softmax(-1), 1, generator=dice)[:, 0]
    drawn = go_on(model, events, 1, draw)[:, 0]
    every = torch.cartesian_prod(*(torch.arange(size) for size in SIZES))
    expected = nats(model, torch.cat([events[:30], every[:, None]], 1))[:, -1].sum(-1).neg().exp()
    count = torch.bincount((drawn * torch.tensor([15, 3, 1])).sum(-1), minlength=30) / len(drawn)
    assert (count - expected).abs().max() < 4 * (expected * (1 - expected) / len(drawn)).sqrt().max()


@pytest.mark.parametrize("cell", CELLS)
def test_it_learns_what_can_be_learnt(cell):
    """Pitches go round in a circle, the first part says which way, so that alone is uncertain: log 2."""

    def circle(dice):
        turn = torch.randint(2, (32, 12), generator=dice)
        return torch.stack([turn, (turn * 2 - 1).cumsum(1) % 5], -1)

    torch.manual_seed(0)
    model, recipe = RNN(Config((2, 5), 16, cell)), Recipe(steps=200, lr=0.01, muon_lr=0.02)
    train(model, lambda model, step, dice: loss(model, circle(dice)), recipe, progress=False)
    turn, pitch = nats(model, circle(torch.Generator().manual_seed(1))).mean((0, 1)).tolist()
    assert math.log(2) - 0.01 < turn < math.log(2) + 0.05 and pitch < 0.1 < math.log(5)


def test_bad_sizes():
    for config in (dict(sizes=()), dict(sizes=(3, 0)), dict(sizes=(3,), width=0)):
        with pytest.raises(ValueError, match="at least 1"):
            Config(**config)
    with pytest.raises(ValueError, match="lstm or plain, not 'gru'"):
        Config((3,), cell="gru")


def test_every_parameter_has_one_optimizer():
    assert len(make_optimizers(network(), Recipe(steps=1, muon_lr=0.01))) == 2


def test_what_it_begins_with():
    model = RNN(Config(SIZES, 7, keep=2.5))
    assert torch.equal(model.given.bias[7:14], torch.full((7,), 2.5)) and model.given.bias[:7].abs().max() < 1
    for block in model.recur.weight.chunk(4):  # each keeps lengths
        torch.testing.assert_close(block @ block.T, torch.eye(7))
    assert [weight is model.recur.weight for weight in model.groups()["muon"]] == [True]
    assert Config([2, 3]).sizes == (2, 3)
