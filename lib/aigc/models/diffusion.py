"""Diffusion: data dissolve in normal noise, x_t = a x0 + b eps, and a network is asked what was there before.

Ho et al. 2020, arXiv:2006.11239; Song et al. 2021, arXiv:2011.13456. The network is handed in. `flow` is the straight
path for examples with labels.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn


class Mix(NamedTuple):
    """How much of the data and of the noise is in x_t, and how fast both change with t. All have the shape of t."""

    a: Tensor
    b: Tensor
    da: Tensor
    db: Tensor


Path = Callable[[Tensor], Mix]


def straight(t: Tensor) -> Mix:
    """From data to noise in a straight line (Liu et al. 2023, arXiv:2209.03003, eq. 1, turned round). t in [0, 1]."""
    one = torch.ones_like(t)
    return Mix(1 - t, t, -one, one)


def ddpm(t: Tensor) -> Mix:
    """The thousand steps of Ho et al. 2020, made infinitely many (Song et al. 2021, appendix C). t in [0, 1].

    a^2 is their alpha bar, and a^2 + b^2 = 1. The rate beta rises from 0.1 to 20. db is infinite at t = 0.
    """
    beta, log_a = 0.1 + 19.9 * t, -(0.1 * t + 19.9 * t.square() / 2) / 2
    a, b = log_a.exp(), (-(2 * log_a).expm1()).sqrt()
    return Mix(a, b, -beta * a / 2, beta * a.square() / (2 * b))


def noised(x0: Tensor, eps: Tensor, t: Tensor, path: Path) -> Tensor:
    """x_t = a x0 + b eps (Ho et al. 2020, eq. 4). x0, eps: (B, ...); t: (B,). Returns (B, ...)."""
    a, b, *_ = mix(path, t, x0)
    return a * x0 + b * eps


class Readings(NamedTuple):
    """Four ways to say the same about x_t, each (B, ...)."""

    clean: Tensor  # x0, or what is believed of it
    noise: Tensor  # eps
    score: Tensor  # the slope of log p(x_t), -eps / b
    velocity: Tensor  # dx_t/dt along the path, da x0 + db eps


def readings(path: Path, x: Tensor, t: Tensor, **one: Tensor) -> Readings:
    """All four readings of x_t, of one of them by its name: readings(path, x, t, noise=network(x, t)).velocity.

    x: (B, ...); t: (B,), where a > 0 and b > 0. Of conditional means, these are conditional means too, for all four
    are linear in each other. Raises ValueError unless exactly one is given, of the shape of x.
    """
    if len(one) != 1 or not {*one} <= {*Readings._fields} or any(value.shape != x.shape for value in one.values()):
        raise ValueError(f"give exactly one of {Readings._fields}, of the shape {tuple(x.shape)}, not {list(one)}")
    [(name, value)] = one.items()
    a, b, da, db = mix(path, t, x)
    if name == "clean":
        clean = value
    elif name == "velocity":  # solve a x0 + b eps = x and da x0 + db eps = velocity
        clean = (db * x - b * value) / (a * db - b * da)
    else:
        clean = (x - b * (value if name == "noise" else -b * value)) / a
    return _readings(clean, (x - a * clean) / b, b, da, db)


def _readings(clean: Tensor, noise: Tensor, b: Tensor, da: Tensor, db: Tensor) -> Readings:
    return Readings(clean, noise, -noise / b, da * clean + db * noise)


def mix(path: Path, t: Tensor, x: Tensor) -> Mix:
    """The path at t, to be multiplied with x. t: (B,); x: (B, ...). Raises ValueError for another number of times."""
    if t.shape != x.shape[:1]:
        raise ValueError(f"{len(x)} examples need a time each, t: ({len(x)},), not {tuple(t.shape)}")
    return Mix(*(part.view(-1, *[1] * (x.ndim - 1)) for part in path(t)))


def loss(model: nn.Module, x0: Tensor, generator: Generator, path: Path, reading: str) -> Tensor:
    """Mean squared error of one reading of x_t, at times drawn evenly in [0, 1] (Ho et al. 2020, eq. 14, for "noise").

    model: called with x_t and t. x0: (B, ...), of a size about 1. reading: a field of Readings. Returns a scalar.
    Raises ValueError for another reading.
    """
    if reading not in Readings._fields:
        raise ValueError(f"reading is one of {Readings._fields}, not {reading!r}")
    eps = torch.randn(x0.shape, generator=generator).to(x0)
    t = torch.rand(len(x0), generator=generator).clamp(min=1e-4).to(x0)  # at 0 there is no noise to speak of
    a, b, da, db = mix(path, t, x0)
    target = getattr(_readings(x0, eps, b, da, db), reading)
    return (model(a * x0 + b * eps, t) - target).square().mean()


class Mixture:
    """Round normal clouds: data of which all that a network has to learn can be calculated.

    means: (K, D); std: one number >= 0 or (K,); weights: (K,), which sum to one, or None: equal ones.

    With std = 0 it is a finite set of points, and `clean` the best denoiser that somebody can be who has seen nothing
    else. Raises ValueError for other shapes, weights or deviations.
    """

    def __init__(self, means: Tensor, std: Tensor | float, weights: Tensor | None = None):
        k = len(means)
        self.means, self.variance = means, torch.as_tensor(std).to(means).expand(k).square()
        self.weights = means.new_full((k,), 1 / k) if weights is None else weights.to(means)
        fits = means.ndim == 2 and k and self.weights.shape == (k,) and bool((torch.as_tensor(std) >= 0).all())
        if not fits or (self.weights < 0).any() or abs(self.weights.sum() - 1) > 1e-5:
            given = f"{tuple(means.shape)}, {std}, {weights}"
            raise ValueError(f"means must be (K, D), std at least 0, and the K weights sum to one: {given}")

    def draw(self, n: int, generator: Generator) -> Tensor:
        """n points, (n, D), by a generator of the CPU."""
        k = torch.multinomial(self.weights.cpu(), n, replacement=True, generator=generator).to(self.means.device)
        eps = torch.randn(n, self.means.size(1), generator=generator).to(self.means)
        return self.means[k] + self.variance[k].sqrt()[:, None] * eps

    def log_density(self, x: Tensor, t: Tensor, path: Path) -> Tensor:
        """log p(x_t), in nats. x: (B, D); t: (B,). Returns (B,). Differentiable in x."""
        return self._terms(x, t, path)[0].logsumexp(1)

    def clean(self, x: Tensor, t: Tensor, path: Path) -> Tensor:
        """E[x0 | x_t]: the mean of the clouds' answers, by how probable each is to have been the one. (B, D)."""
        terms, a, spread = self._terms(x, t, path)
        share = terms.softmax(1)  # Bayes' formula: p(k | x_t)
        pull = a * self.variance / spread  # (B, K): how far a cloud's answer goes with x
        return (share * (1 - a * pull)) @ self.means + (share * pull).sum(1, keepdim=True) * x

    def _terms(self, x: Tensor, t: Tensor, path: Path) -> tuple[Tensor, Tensor, Tensor]:
        a, b, *_ = mix(path, t, x)  # (B, 1)
        spread = a.square() * self.variance + b.square()  # (B, K): the variance of each cloud at t
        away = x.square().sum(1, keepdim=True) - 2 * a * (x @ self.means.T) + a.square() * self.means.square().sum(1)
        constant = (2 * torch.pi * spread).log() * x.size(1)
        return self.weights.log() - (away.clamp(min=0) / spread + constant) / 2, a, spread
