"""The VAE of bars: its bound is one, nothing of the future leaks, and free nats are what the paper says."""

import math

import pytest
import torch

from aigc.models import barvae
from aigc.models.barvae import BarVAE, Config, draw, loss, terms
from aigc.train import Recipe, train


def network(**sizes) -> BarVAE:
    torch.manual_seed(0)
    return BarVAE(Config(**{"vocab": 3, "steps": 4, "noise": 2, "width": 5} | sizes)).double()


def every(vocab=3, steps=4) -> torch.Tensor:
    return torch.cartesian_prod(*[torch.arange(vocab)] * steps)


def test_the_decoder_is_a_distribution_over_bars():
    model, x = network(), every()
    z = torch.tensor([[0.3, -1.2]], dtype=torch.float64).expand(len(x), -1)
    log_p = model.decode(z, x).log_softmax(-1).gather(-1, x[..., None]).sum((1, 2))
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-12)
    other = model.decode(z + 1, x).log_softmax(-1).gather(-1, x[..., None]).sum((1, 2))
    assert (log_p - other).abs().max() > 0.01  # it listens to z


def test_a_step_sees_z_and_the_past_alone():
    model, x = network(), every()[40:41]
    changed = x.clone()
    changed[0, 2] = (x[0, 2] + 1) % 3
    moved = (model.decode(z := torch.zeros(1, 2).double(), x) - model.decode(z, changed)).abs().amax(-1)[0]
    assert moved[:3].max() == 0 and moved[3] > 0


def test_the_bound_is_below_the_evidence():
    """log p(x) by quadrature over z, against the mean of the bound over many draws."""
    model, dice = network(noise=1), torch.Generator().manual_seed(0)
    grid = torch.linspace(-6, 6, 601, dtype=torch.float64)[:, None]
    prior = torch.exp(-(grid[:, 0] ** 2) / 2) / math.sqrt(2 * math.pi) * 0.02
    for x in every()[::17]:
        row = x[None].expand(len(grid), -1)
        p = model.decode(grid, row).log_softmax(-1).gather(-1, row[..., None]).sum((1, 2)).exp()
        evidence = (p * prior).sum().log().item()
        told, kl = terms(model, x[None].expand(4000, -1), dice)
        bound = (told - kl.sum(1)).mean().item()
        mu, logvar = model.encode(x[None])
        gap = 0.02 * _gap(grid[:, 0], p * prior / 0.02 / math.exp(evidence), mu, logvar)
        assert bound == pytest.approx(evidence - gap, abs=0.01) and gap >= 0


def _gap(grid, posterior, mu, logvar):
    """KL(q(z | x) || p(z | x)), but for the width of the grid."""
    q = torch.exp(-((grid - mu[0]) ** 2) / (2 * logvar[0].exp())) / (2 * math.pi * logvar[0].exp()).sqrt()
    return (q * (q / posterior).clamp(min=1e-300).log()).nan_to_num().sum().item()


def test_kl_by_hand():
    model = network()
    for weight in model.narrow.parameters():
        torch.nn.init.zeros_(weight)
    model.narrow.bias.data = torch.tensor([0.0, 2.0, 0.0, math.log(4)]).double()
    _, kl = terms(model, every()[:1], torch.Generator().manual_seed(0))
    assert kl[0].tolist() == pytest.approx([0, (4 + 4 - 1 - math.log(4)) / 2])


def test_free_nats_by_hand():
    model, x = network(), every()
    dice = lambda: torch.Generator().manual_seed(3)
    told, kl = terms(model, x, dice())
    small, large = kl.mean(0).sort().values.tolist()
    assert loss(model, x, dice()).item() == pytest.approx(small + large - told.mean().item())
    between = (small + large) / 2
    assert loss(model, x, dice(), free=between).item() == pytest.approx(between + large - told.mean().item())
    assert loss(model, x, dice(), free=9.0).item() == pytest.approx(18 - told.mean().item())


def test_drawing_is_what_the_decoder_says():
    model = network()
    z = torch.tensor([[0.3, -1.2], [2.0, 1.0]], dtype=torch.float64)
    best = draw(model, z, lambda logits: logits.argmax(-1))
    assert best.shape == (2, 4) and (model.decode(z, best).argmax(-1) == best).all()
    dice = torch.Generator().manual_seed(0)
    many = draw(model, z[:1].expand(20_000, -1), lambda l: torch.multinomial(l.softmax(-1), 1, generator=dice)[:, 0])
    p = model.decode(z[:1].expand(81, -1), every()).log_softmax(-1).gather(-1, every()[..., None]).sum((1, 2)).exp()
    share = torch.bincount((many * torch.tensor([27, 9, 3, 1])).sum(1), minlength=81) / len(many)
    assert (share - p).abs().max() < 4 * (p * (1 - p) / len(many)).sqrt().max()


def test_it_collapses_and_free_nats_cure_it():
    """Bars that are one note held: a decoder that hears the past needs z for the first step alone, and saves it."""
    first = torch.arange(6)
    x = first[:, None].expand(-1, 4).repeat(8, 1)
    told = {}
    for free in (0.0, 1.0):
        torch.manual_seed(0)
        model, recipe = BarVAE(Config(6, 4, 2, 16)), Recipe(steps=250, lr=0.02)
        train(model, lambda model, step, dice, free=free: loss(model, x, dice, free), recipe, progress=False)
        told[free] = terms(model, x, torch.Generator().manual_seed(1))[1].sum(1).mean().item()
    assert told[0.0] < 0.3 < 1.5 < told[1.0]


def test_bad_sizes():
    with pytest.raises(ValueError, match="at least 1"):
        barvae.Config(0)
    with pytest.raises(ValueError, match=r"x must be \(B, 4\), not \(2, 5\)"):
        network().encode(torch.zeros(2, 5, dtype=torch.int64))
