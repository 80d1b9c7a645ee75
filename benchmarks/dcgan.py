"""The reference of the benchmark of images: the article's GAN, made right as little as possible.

Its generator, cut to 28 x 28, in the form of DCGAN (Radford et al. 2016, arXiv:1511.06434), with a detective of that
kind, which the article leaves out. Written for the comparison alone; the course teaches `aigc.models.gan`.
"""

import time

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import softplus

NOISE, BATCH, RATE, BETAS = 100, 64, 2e-4, (0.5, 0.999)


def forger() -> nn.Module:
    """Noise (B, 100) to images (B, 1, 28, 28) in [-1, 1]."""
    return nn.Sequential(
        nn.Linear(NOISE, 64 * 7 * 7), nn.Unflatten(1, (64, 7, 7)), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(),  # 7 -> 14
        nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU(),  # 14 -> 28
        nn.Conv2d(16, 1, 3, padding=1), nn.Tanh(),
    )  # fmt: skip


def detective() -> nn.Module:
    """Images (B, 1, 28, 28) to logits (B, 1)."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.BatchNorm2d(32), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 1),
    )  # fmt: skip


def learn(x: Tensor, seconds: float, seed: int) -> tuple[nn.Module, int]:
    """Train for so many seconds on the images x; returns the forger, ready to draw, and the steps that it took."""
    torch.manual_seed(seed)
    dice, G, D = Generator().manual_seed(seed), forger(), detective()
    for_G, for_D = (torch.optim.Adam(part.parameters(), RATE, BETAS) for part in (G, D))
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        real = x[torch.randint(len(x), (BATCH,), generator=dice)]
        fake = G(torch.randn(BATCH, NOISE, generator=dice))
        for_D.zero_grad()
        (softplus(-D(real)).mean() + softplus(D(fake.detach())).mean()).backward()
        for_D.step()
        for_G.zero_grad()
        softplus(-D(fake)).mean().backward()
        for_G.step()
        steps += 1
    return G.eval(), steps
