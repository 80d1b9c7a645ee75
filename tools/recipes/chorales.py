"""A GPT that sings in four voices, on a grid of sixteenths."""

import math

import numpy as np
import torch

from aigc import data
from aigc.codecs import notes
from aigc.evaluate.text import nats_per_token
from aigc.models import gpt
from aigc.train import Recipe

from . import SEED

DATA = (
    "282 four-part chorales of Bach, from the corpus of the package music21, in all keys in which they can be "
    "sung; 37 are held out for choosing, 37 for the figure below, and no tune stands on two sides."
)
LIMITS = (
    "Four voices on a grid of sixteenths, in 4/4 or 3/4. It has neither text nor form: it wanders from phrase to "
    "phrase, and breaks rules of voice leading oftener than Bach. Loudness is the metre's, not the model's."
)
RECIPE = Recipe(steps=1400, fast=True, lr=0.004, muon_lr=0.02, ema=0.99)
WINDOW, BATCH = 256, 16


def known(piece) -> torch.Tensor:
    """What the model is told of each token before it is drawn."""
    return torch.from_numpy(notes.side(piece.steps, steps_per_bar=piece.steps_per_bar, pickup=piece.pickup))


def start():
    # Every piece in every key in which each voice can still sing it: the same music, seven times as much of it.
    corpus = []
    for piece in data.chorales():
        grid = notes.to_grid(piece.notes, piece.steps)
        for semitones in range(-6, 7):
            moved = notes.transpose(grid, semitones)
            if semitones == 0 or notes.singable(moved):
                corpus.append((torch.from_numpy(notes.encode(moved)), known(piece)))
    torch.manual_seed(SEED)
    config = gpt.Config(notes.VOCABULARY, context=WINDOW, layers=4, heads=3, width=192, side=(4, 16), dropout=0.1)
    weights = torch.tensor([len(ids) for ids, _ in corpus], dtype=torch.float32)

    def loss(model, step, generator):
        chosen = torch.multinomial(weights, BATCH, replacement=True, generator=generator).tolist()
        rows, sides = [], []
        for piece in chosen:
            ids, side = corpus[piece]
            at = 4 * int(torch.randint((len(ids) - WINDOW) // 4, (1,), generator=generator))
            rows.append(ids[at : at + WINDOW + 1])
            sides.append(side[at + 1 : at + WINDOW + 1])
        return gpt.loss(model, torch.stack(rows), torch.stack(sides))

    return gpt.GPT(config), loss, ""


def measure(model) -> str:
    nats = []
    for piece in data.chorales("test"):
        ids = torch.from_numpy(notes.encode(notes.to_grid(piece.notes, piece.steps)))
        nats.append((nats_per_token(model, ids, WINDOW, known(piece)), len(ids)))
    bits = np.average([n for n, _ in nats], weights=[length for _, length in nats]) / math.log(2)
    uniform = math.log2(notes.VOCABULARY)
    return f"{bits:.3f} bits per voice and step on {len(nats)} chorales held out (uniform: {uniform:.2f})"
