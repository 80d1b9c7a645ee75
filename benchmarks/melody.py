"""Sequence models on melodies, at equal seconds and equal parameters: bits a note, with the spread over five seeds.

    python -m benchmarks.melody --seconds 6 --out benchmarks/results

Soprano melodies of Bach's chorales in C, as in chapter 06; every machine predicts pitch, length and velocity of each
note but the first. Writes melody.json and melody.md; nothing else may run meanwhile.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from aigc import data
from aigc.codecs import events
from aigc.files import atomic
from aigc.machine import describe, device
from aigc.models import gpt, rnn
from aigc.train import Recipe, train

SEEDS = range(5)
FIRST = torch.from_numpy(events.FIRST)


def melodies(split: str) -> list[torch.Tensor]:
    """The soprano's events (M, 3) of each chorale, in C major or A minor."""
    return [torch.from_numpy(events.encode(piece.melody)) for piece in data.chorales(split)]


def recurrent(cell: str, width: int, keep: float = 3.0) -> tuple:
    config = rnn.Config(events.SIZES, width, cell, keep)
    return lambda: rnn.RNN(config), rnn.loss, lambda model, song: rnn.nats(model, song[None])[0].sum(-1)


def transformer(dropout: float = 0.0) -> tuple:
    config = gpt.Config(events.VOCABULARY, context=72, layers=2, heads=2, width=44, dropout=dropout)
    return lambda: gpt.GPT(config), lambda model, some: gpt.loss(model, (some + FIRST).flatten(1)), read


def read(model: gpt.GPT, song: torch.Tensor) -> torch.Tensor:
    row = (song + FIRST).flatten()[None]
    nats = F.cross_entropy(model(row[:, :-1])[0], row[0, 1:], reduction="none")
    return nats[2:].view(-1, 3).sum(-1)


# name: (the untrained model, its loss, its nats of each note), rate of AdamW. All have about 60,000 parameters.
MACHINES = {
    "plain network": (*recurrent("plain", 96), 0.02),
    "LSTM": (*recurrent("lstm", 64), 0.02),
    "LSTM, keep gate begins at sigma(1)": (*recurrent("lstm", 64, keep=1.0), 0.02),
    "GPT": (*transformer(), 0.02),
    "GPT, half the rate": (*transformer(), 0.01),
    "GPT, dropout 0.1": (*transformer(0.1), 0.02),
}


def measure(name: str, seconds: float, seed: int, known: list, asked: list) -> dict[str, float]:
    """Bits a note, the steps that were made in that time, and the parameters of one run."""
    start, loss, nats, rate = MACHINES[name]
    torch.manual_seed(seed)
    model = start()
    recipe = Recipe(seconds=seconds, lr=rate, muon_lr=0.02, seed=seed)
    steps = train(
        model, lambda model, _, dice: loss(model, events.windows(known, 16, 25, dice)), recipe, progress=False
    )
    with torch.inference_mode():
        cost = torch.cat([nats(model, song) for song in asked]).mean().item() / math.log(2)
    return {"bits": cost, "steps": len(steps), "parameters": sum(weight.numel() for weight in model.parameters())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    known, asked = melodies("train"), melodies("validation")
    measure("LSTM", 0.5, 0, known, asked)  # the first training of a process loads much
    results = {name: [measure(name, chosen.seconds, seed, known, asked) for seed in SEEDS] for name in MACHINES}
    lines = ["| machine | parameters | steps | bits a note | lowest and highest of five |", "|:--|--:|--:|--:|:--|"]
    for name, runs in results.items():
        bits = [run["bits"] for run in runs]
        steps = np.mean([run["steps"] for run in runs])
        spread = f"{min(bits):.2f} … {max(bits):.2f}"
        lines.append(f"| {name} | {runs[0]['parameters']:,} | {steps:.0f} | {np.mean(bits):.2f} | {spread} |")
    machine = describe(device())
    note = f"{chosen.seconds:g} s of training each, {len(asked)} melodies that none has heard. {machine}."
    whole = json.dumps(dict(machine=machine, seconds=chosen.seconds, runs=results), indent=1)
    for name, content in (("melody.json", whole), ("melody.md", "\n".join([note, "", *lines]))):
        with atomic(chosen.out / name) as partial:
            partial.write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
