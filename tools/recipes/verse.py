"""A GPT that writes Chinese quatrains, character by character. Its data need npm and a network once."""

import math
from functools import cache

import numpy as np
import torch

from aigc import data, sample
from aigc.codecs.text import CharCodec
from aigc.evaluate.verse import alternates, rhymes
from aigc.models import gpt
from aigc.train import Recipe

from . import SEED

DATA = (
    "Quatrains of five characters a line (五言绝句, and halves of 五言律诗) from Tang and Song, in traditional "
    "characters, from the npm package chinese-poetry 2.0.1; two poems of 100 are held out for choosing, two for "
    "the figure below."
)
LIMITS = (
    "It writes the words of the genre in lines of five, and no poem that means anything for longer than a line. "
    "Whoever trains it again needs npm and a network once. The poets' contempt and wars are in it too. Of the "
    "quatrains held out, 31 share 15 characters or more with one that it has read: variants of one poem."
)
RECIPE = Recipe(steps=2000, fast=True, lr=0.004, muon_lr=0.02, ema=0.99)
BATCH = 96


@cache
def codec() -> CharCodec:
    return CharCodec.train("".join(["\n", *data.verse()]))


def rows(split: str) -> torch.Tensor:
    """(N, 22): each quatrain between two line breaks."""
    return torch.tensor([codec().encode(f"\n{poem}\n") for poem in data.verse(split)])


def start():
    poems = rows("train")
    torch.manual_seed(SEED)
    model = gpt.GPT(gpt.Config(vocab=len(codec().vocab), context=21, layers=3, heads=3, width=192, dropout=0.1))

    def loss(model, step, generator):
        return gpt.loss(model, poems[torch.randint(len(poems), (BATCH,), generator=generator)])

    return model, loss, codec().vocab


@torch.inference_mode()
def measure(model) -> str:
    test = rows("test")
    bits = np.average([gpt.loss(model, b).item() for b in test.split(100)], weights=[len(b) for b in test.split(100)])
    begin = torch.full((1000, 1), codec().encode("\n")[0])
    drawn = torch.stack(list(sample.tokens(model, begin, 20, generator=torch.Generator().manual_seed(SEED))), dim=1)
    written = [text for text in map(codec().decode, drawn.tolist()) if "\n" not in text]
    both = (written, data.verse("test"))
    rhyme, poets_rhyme = (np.mean([rhymes(text) for text in texts]) for texts in both)
    tones, poets_tones = (np.mean([alternates(text) for text in texts]) for texts in both)
    return (
        f"{bits / math.log(2):.2f} bits per character of {len(test)} quatrains held out (uniform: "
        f"{math.log2(len(codec().vocab)):.2f}); of 1,000 drawn ones {rhyme:.0%} rhyme (poets: {poets_rhyme:.0%}), and "
        f"{tones:.0%} of the lines have different tones at the second and the fourth place (poets: {poets_tones:.0%})"
    )
