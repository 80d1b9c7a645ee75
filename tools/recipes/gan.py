"""A conditional GAN that draws digits in one step."""

import torch
from torch import Generator, Tensor

from aigc import data
from aigc.codecs import images
from aigc.models import gan
from aigc.train import Recipe

from . import SEED, digits

DATA, LIMITS = digits.DATA, digits.LIMITS  # the same
RECIPE = Recipe(steps=3200, fast=True, lr=4e-3, momentum=0.0, ema=0.998)
BATCH, EVERY = 64, 4  # R1 is charged in every fourth step, four times

# Where a minute is all there is (benchmarks/image.py), nothing is learnt by heart, against which a shift protects.
MINUTE = dict(most=0, draw=dict(wide=0.92))

# What each change buys, one after the other (benchmarks/image.py); the last but one is what is shipped.
LADDER = {
    "told the label": dict(penalty=0.0, most=0, statistic=False, recipe=dict(ema=0.0, lr=1e-3)),
    "R1": dict(penalty=1.0),
    "moving average": dict(recipe=dict(ema=0.998)),
    "four times the rate": dict(recipe=dict(lr=4e-3)),
    "minibatch statistic": dict(statistic=True),
    "shifted by a pixel": dict(most=1),
    "narrower noise": dict(draw=MINUTE["draw"]),
}


def start(seed: int = SEED, penalty: float = 1.0, most: int = 1, statistic: bool = True):
    """penalty: the weight of R1; most: pixels by which all that D sees is shifted; statistic: of the batch, for D."""
    x, labels = data.digits()
    x, labels = images.encode(x), torch.tensor(labels)
    torch.manual_seed(seed)
    model = gan.GAN(gan.Config((1, 28, 28), noise=64, width=32, labels=10, statistic=statistic))
    change = (lambda x, generator: images.shifted(x, most, generator)) if most else None

    def loss(model, step, generator):
        at = torch.randint(len(x), (BATCH,), generator=generator)
        gamma = 0 if step % EVERY else EVERY * penalty
        return gan.loss(model, x[at], generator, gamma=gamma, labels=labels[at], change=change)

    return model, loss, ""


def draw(model, labels: Tensor, dice: Generator, wide: float = 1.0) -> Tensor:
    return model.draw(len(labels), dice, labels, wide)


def measure(model) -> str:
    return digits.read_right(draw, model)
