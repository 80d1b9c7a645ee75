"""A variational autoencoder for bars of a melody: steps of a grid through a few numbers, and back.

Kingma & Welling 2014, arXiv:1312.6114, with a decoder that hears what it has written, as that of Bowman et al. 2016
(doi:10.18653/v1/K16-1002) for sentences and of Roberts et al. 2018 (arXiv:1803.05428) for melodies.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    vocab: int  # V, of what may stand at a step: rest, hold and the pitches
    steps: int = 16  # T, of a bar
    noise: int = 12  # numbers in z
    width: int = 64

    def __post_init__(self):
        if min(self.vocab, self.steps, self.noise, self.width) < 1:
            raise ValueError(f"vocab, steps, noise and width must be at least 1: {self}")


class BarVAE(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        C, T = config.width, config.steps
        self.see = nn.Sequential(nn.Embedding(config.vocab, 16), nn.Flatten(1))
        self.look = nn.Linear(16 * T, 4 * C)
        self.narrow = nn.Linear(4 * C, 2 * config.noise)
        self.before = nn.Embedding(config.vocab + 1, C)  # of the step before; the last for the first step, with none
        self.place = nn.Parameter(0.1 * torch.randn(T, C))
        self.lift = nn.Linear(config.noise, C)
        self.write = nn.LSTM(C, C, batch_first=True)
        self.head = nn.Linear(C, config.vocab)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Which optimizer moves what: Muon the inner matrices, AdamW all else."""
        inner = [self.look.weight, self.lift.weight, self.write.weight_ih_l0, self.write.weight_hh_l0]
        return {"muon": inner, "adamw": [p for p in self.parameters() if all(p is not matrix for matrix in inner)]}

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, T) int64. Returns the mean and the log variance of q(z | x), each (B, noise)."""
        self._check(x)
        return self.narrow(F.silu(self.look(self.see(x)))).chunk(2, -1)

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        """Logits of each step given z and the steps before it. z: (B, noise); x: (B, T) int64. Returns (B, T, V)."""
        self._check(x)
        past = F.pad(x[:, :-1], (1, 0), value=self.config.vocab)
        return self.head(self.write(self.before(past) + self.place + self.lift(z)[:, None])[0])

    forward = decode

    def _check(self, x: Tensor) -> None:
        if x.shape[1:] != (self.config.steps,):
            raise ValueError(f"x must be (B, {self.config.steps}), not {tuple(x.shape)}")


def terms(model: BarVAE, x: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """The two parts of the bound, in nats: log p(x | z) by one draw of z, (B,), and the KL of each number, (B, noise).

    x: (B, T) int64. The bound of log p(x) is the first minus the sum of the second (Kingma & Welling 2014, eq. 10).
    """
    mu, logvar = model.encode(x)
    z = mu + (logvar / 2).exp() * torch.randn(mu.shape, generator=generator).to(mu.device)
    surprise = F.cross_entropy(model.decode(z, x).transpose(1, 2), x, reduction="none").sum(1)
    return -surprise, (mu.square() + logvar.exp() - 1 - logvar) / 2


def loss(model: BarVAE, x: Tensor, generator: Generator, free: float = 0.0) -> Tensor:
    """Minus the mean bound, in nats a bar, in which each number of z may cost `free` nats for nothing.

    The mean KL of a number counts at least `free` (Kingma et al. 2016, arXiv:1606.04934, eq. 15), so that nothing is
    gained by telling less. With free = 0 it is the bound itself.
    """
    told, kl = terms(model, x, generator)
    return kl.mean(0).clamp(min=free).sum() - told.mean()


@torch.inference_mode()
def draw(model: BarVAE, z: Tensor, choose: Callable[[Tensor], Tensor]) -> Tensor:
    """Bars for z (B, noise), step after step. choose: maps logits (B, V) to the drawn (B,). Returns (B, T) int64."""
    x = torch.zeros(len(z), model.config.steps, dtype=torch.int64, device=z.device)
    for t in range(model.config.steps):
        x[:, t] = choose(model.decode(z, x)[:, t])
    return x
