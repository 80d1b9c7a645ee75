"""A variational autoencoder: its two terms against closed forms, and the bound against evidence that is known."""

import math

import pytest
import torch

from aigc.models import vae
from aigc.models.vae import VAE, Config

SMALL = Config(labels=3, noise=2, width=3, hidden=5)


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def test_kl_is_that_of_torch_and_zero_for_the_prior():
    mu, logvar = torch.randn(2, 5, 3, generator=dice()).double()
    q, p = torch.distributions.Normal(mu, (logvar / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    assert torch.allclose(vae.kl(mu, logvar), torch.distributions.kl_divergence(q, p).sum(1))
    assert vae.kl(torch.zeros(1, 4), torch.zeros(1, 4)).item() == 0


def test_reconstruction_is_the_log_density_of_all_pixels():
    x, middle = torch.randn(2, 3, 1, 5, 7, generator=dice()).double()
    expected = torch.distributions.Normal(middle, 0.25).log_prob(x).sum((1, 2, 3))
    assert torch.allclose(vae.reconstruction(x, middle, torch.tensor(0.25).double().log()), expected)


class Line(torch.nn.Module):
    """x = z + noise of spread s, one pixel and one number; its evidence is N(0, 1 + s^2), its posterior is known."""

    def __init__(self, s, off=0.0):
        super().__init__()
        self.log_sigma, self.s2, self.off = torch.tensor(s).double().log(), s * s, off

    def encode(self, x, labels):
        mu = x[:, 0, 0] / (1 + self.s2) + self.off
        return mu, torch.full_like(mu, math.log(self.s2 / (1 + self.s2)))

    def decode(self, z, labels):
        return z[:, None, None]


@pytest.mark.parametrize("off", [0.0, 0.3])
def test_the_bound_lies_below_the_evidence_by_the_kl_of_the_posteriors(off):
    s, x = 0.5, torch.full((200_000, 1, 1, 1), 0.7).double()
    found = vae.elbo(Line(s, off), x, None, dice())
    evidence = torch.distributions.Normal(0.0, math.sqrt(1 + s * s)).log_prob(torch.tensor(0.7)).item()
    gap = off**2 / (2 * s * s / (1 + s * s))  # KL of two normals of one spread
    assert evidence - found.mean().item() == pytest.approx(gap, abs=4 * found.std().item() / math.sqrt(len(x)))
    assert vae.loss(Line(s, off), x, None, dice()).item() == pytest.approx(-found.mean().item())


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return VAE(SMALL).double()


def test_each_side_is_told_the_label_of_its_own_image(model):
    x, y = torch.rand(2, 1, 28, 28).double() * 2 - 1, torch.tensor([0, 1])
    mu, logvar = model.encode(x, y)
    assert mu.shape == logvar.shape == (2, 2)
    z = torch.randn(2, 2).double()
    out = model(z, y)
    assert out.shape == x.shape and out.abs().max() <= 1 and torch.equal(out, model.decode(z, y))
    other = torch.tensor([0, 2])
    for before, after in ((mu, model.encode(x, other)[0]), (out, model(z, other))):
        assert torch.allclose(before[0], after[0]) and not torch.allclose(before[1], after[1])


def test_what_is_drawn_to_encode_passes_its_gradient_on(model):
    vae.loss(model, torch.rand(4, 1, 28, 28).double(), torch.arange(4) % 3, dice()).backward()
    assert all(weight.grad.abs().max() > 0 for weight in model.parameters())
    groups = model.groups()
    assert sorted(map(id, groups["muon"] + groups["adamw"])) == sorted(map(id, model.parameters()))


def test_impossible_ones_are_refused(model):
    for wrong in ("labels", "noise", "width", "hidden"):
        with pytest.raises(ValueError, match="at least 1"):
            Config(**{wrong: 0})
    with pytest.raises(ValueError, match="28, 28"):
        model.encode(torch.zeros(2, 1, 14, 14).double(), torch.tensor([0, 1]))


def test_gradients_are_those_of_finite_differences():
    """Through the dice, too: the same draws at both ends of a difference."""
    torch.manual_seed(1)
    model, x, y = VAE(SMALL).double(), torch.rand(3, 1, 28, 28).double() * 2 - 1, torch.arange(3)
    vae.loss(model, x, y, dice()).backward()
    for weight in (model.log_sigma, model.narrow.bias, model.widen.weight):
        flat, found = weight.data.view(-1), []
        for place in range(min(4, flat.numel())):
            ends = []
            for step in (1e-5, -2e-5):
                flat[place] += step
                ends.append(vae.loss(model, x, y, dice()).item())
            flat[place] += 1e-5
            found.append((ends[0] - ends[1]) / 2e-5)
        assert torch.tensor(found).double().allclose(weight.grad.view(-1)[:4], rtol=1e-4, atol=1e-4)
