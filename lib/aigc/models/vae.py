"""A variational autoencoder: an image through a bottleneck of a few numbers, and back.

Kingma & Welling 2014, arXiv:1312.6114; told the label on both sides, as by Sohn et al. 2015 (NeurIPS 28).
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    labels: int = 10
    noise: int = 16  # numbers in z
    width: int = 32  # channels at half the size of the image; twice as many at a quarter
    hidden: int = 256

    def __post_init__(self):
        if min(self.labels, self.noise, self.width, self.hidden) < 1:
            raise ValueError(f"labels, noise, width and hidden must be at least 1: {self}")


class VAE(nn.Module):
    """For grey images of 28 x 28 pixels. Around what the decoder draws, each pixel is normal with one learnt spread."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        c, flat = config.width, 2 * config.width * 7 * 7
        self.embed = nn.Embedding(config.labels, config.hidden)
        self.told = nn.Embedding(config.labels, config.hidden)
        self.look = nn.Sequential(
            nn.Conv2d(1, c, 4, stride=2, padding=1), nn.SiLU(),  # 28 -> 14
            nn.Conv2d(c, 2 * c, 4, stride=2, padding=1), nn.SiLU(), nn.Flatten(),  # 14 -> 7
            nn.Linear(flat, config.hidden),
        )  # fmt: skip
        self.narrow = nn.Linear(config.hidden, 2 * config.noise)
        self.widen = nn.Linear(config.noise, config.hidden)
        self.draw = nn.Sequential(
            nn.Linear(config.hidden, flat), nn.Unflatten(1, (2 * c, 7, 7)), nn.SiLU(),
            nn.ConvTranspose2d(2 * c, c, 4, stride=2, padding=1), nn.SiLU(),  # 7 -> 14
            nn.ConvTranspose2d(c, 1, 4, stride=2, padding=1), nn.Tanh(),  # 14 -> 28
        )  # fmt: skip
        self.log_sigma = nn.Parameter(torch.tensor(-1.0))  # of the pixels, whose range is 2

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Which optimizer moves what: AdamW all."""
        return {"muon": [], "adamw": list(self.parameters())}

    def encode(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, 1, 28, 28); labels: (B,) int64. Returns the mean and the log variance of q(z | x, y), (B, noise)."""
        if x.shape[1:] != (1, 28, 28):
            raise ValueError(f"x must be (B, 1, 28, 28), not {tuple(x.shape)}")
        h = self.look(x.contiguous(memory_format=torch.channels_last))
        return self.narrow(F.silu(h + self.embed(labels))).chunk(2, dim=1)

    def decode(self, z: Tensor, labels: Tensor) -> Tensor:
        """z: (B, noise); labels: (B,) int64. Returns the middle of p(x | z, y), (B, 1, 28, 28) in [-1, 1]."""
        return self.draw(F.silu(self.widen(z) + self.told(labels)))

    forward = decode


def kl(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, exp(logvar)) || N(0, 1)) of each example, in nats (Kingma & Welling 2014, appendix B). Returns (B,)."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)


def reconstruction(x: Tensor, middle: Tensor, log_sigma: Tensor) -> Tensor:
    """log N(x; middle, sigma^2), summed over the pixels, in nats. x, middle: (B, ...). Returns (B,)."""
    surprise = 0.5 * ((x - middle) / log_sigma.exp()).square() + log_sigma + 0.5 * math.log(2 * math.pi)
    return -surprise.flatten(1).sum(1)


def elbo(model: VAE, x: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    """A lower bound of log p(x | y), in nats, estimated by one draw of z (Kingma & Welling 2014, eq. 10). Returns (B,).

    model: has encode, decode and log_sigma, as VAE has. x: what it encodes, (B, ...); labels: (B,) int64. It is a
    density over pixels, and may lie above zero.
    """
    mu, logvar = model.encode(x, labels)
    z = mu + (logvar / 2).exp() * torch.randn(mu.shape, generator=generator).to(mu.device)
    return reconstruction(x, model.decode(z, labels), model.log_sigma) - kl(mu, logvar)


def loss(model: VAE, x: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    """Minus the mean bound, in nats an image."""
    return -elbo(model, x, labels, generator).mean()
