"""A conditional VAE that draws digits through a bottleneck of a few numbers."""

import torch
from torch import Generator, Tensor

from aigc import data
from aigc.codecs import images
from aigc.models import vae
from aigc.train import Recipe

from . import SEED, digits

DATA, LIMITS = digits.DATA, digits.LIMITS  # the same
RECIPE = Recipe(steps=6000, fast=True, lr=2e-3, ema=0.998)
BATCH = 64


def start(seed: int = SEED):
    x, labels = data.digits()
    x, labels = images.encode(x), torch.tensor(labels)
    torch.manual_seed(seed)
    model = vae.VAE(vae.Config())

    def loss(model, step, generator):
        at = torch.randint(len(x), (BATCH,), generator=generator)
        return vae.loss(model, x[at], labels[at], generator)

    return model, loss, ""


@torch.inference_mode()
def draw(model, labels: Tensor, dice: Generator) -> Tensor:
    return model(torch.randn(len(labels), model.config.noise, generator=dice), labels)


def measure(model) -> str:
    return digits.read_right(draw, model)
