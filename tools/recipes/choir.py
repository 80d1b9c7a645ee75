"""A choir that sings chorales in four voices, on a grid of sixteenths."""

import math

import numpy as np
import torch

from aigc import data
from aigc.codecs import events, notes
from aigc.models import choir
from aigc.train import Recipe

from . import SEED

DATA = (
    "282 four-part chorales of Bach, from the corpus of the package music21, in all keys in which they can be "
    "sung; 37 are held out for choosing, 37 for the figure below, and no tune stands on two sides."
)
LIMITS = (
    "Four voices on a grid of sixteenths, in 4/4 or 3/4. It is told where it is in the bar, when a line of the hymn "
    "ends and when the piece does, and in which key. It has neither text nor form, and breaks rules of voice leading "
    "oftener than Bach. Loudness is the metre's, not the model's."
)
RECIPE = Recipe(steps=2500, fast=True, lr=0.008, muon_lr=0.02)
WINDOW, BATCH = 64, 16


def start():
    # Every piece in every key in which each voice can still sing it: the same music, seven times as much of it.
    corpus = [torch.from_numpy(rows) for piece in data.chorales() for rows in notes.in_all_keys(piece)]
    torch.manual_seed(SEED)
    config = choir.Config(notes.VOCABULARY, context=WINDOW, hidden=192, side=notes.PLAN, dropout=0.15)
    loss = lambda model, step, dice: choir.loss(model, events.windows(corpus, BATCH, WINDOW + 1, dice, WINDOW // 2))
    return choir.Choir(config), loss, ""


@torch.inference_mode()
def measure(model) -> str:
    pieces = [torch.from_numpy(notes.rows(piece)) for piece in data.chorales("test")]
    nats = torch.cat([choir.nats(model, rows[None])[0] for rows in pieces]).mean().item()
    bits, uniform = nats / math.log(2), np.log2(notes.VOCABULARY)
    return f"{bits:.3f} bits per voice and step on {len(pieces)} chorales held out (uniform: {uniform:.2f})"
