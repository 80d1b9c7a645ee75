"""How fast does a small GPT learn, and how fast does it write? `python -m benchmarks.text --corpus FILE --json OUT`.

In one run, on the same threads: (a) a plain GPT-2-style decoder with AdamW, at nanoGPT's published settings for
Shakespeare's characters on a CPU, and (b) the course's model and recipe. Both learn from the first nine tenths of the
file. Validation loss is the mean over the whole last tenth, in nats per character, read in windows of 64 that do not
overlap, so each character is predicted from 0 to 63 others. Seconds are those of training; evaluation is left out.
Each processor is a row of its own, named after its vectors and the precision that the course chooses on it. Writes the
row into OUT, keeps the rows of others there, and writes a page of all beside it, OUT with the ending .md.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from aigc import sample
from aigc.codecs.text import CharCodec
from aigc.files import atomic
from aigc.machine import autocast, precision
from aigc.models import gpt
from aigc.train import Recipe, make_optimizers, train
from benchmarks.plain import Plain, PlainConfig

WINDOW = 64
ITERATIONS, BATCH, RATE, LEAST, WARMUP = 2000, 12, 1e-3, 1e-4, 100  # of the reference: nanoGPT, CPU settings
OURS = dict(layers=2, heads=2, width=128)
OUR_BATCH, STEPS = 16, 260
LENGTH = 512  # tokens to decode


class Corpus:
    """The file as characters: nine tenths to learn from, one to measure on."""

    def __init__(self, text: str):
        self.codec = CharCodec.train(text)
        ids = torch.tensor(self.codec.encode(text))
        self.learn, self.held_out = ids[: int(0.9 * len(ids))], ids[int(0.9 * len(ids)) :]
        if len(self.held_out) <= WINDOW:
            raise ValueError(f"the corpus has {len(ids)} characters: a tenth of it must hold more than {WINDOW}")

    def batch(self, size: int, generator: torch.Generator) -> Tensor:
        at = torch.randint(len(self.learn) - WINDOW, (size,), generator=generator)
        return self.learn[at[:, None] + torch.arange(WINDOW + 1)]

    @torch.inference_mode()
    def loss(self, model: nn.Module) -> float:
        """Mean nats per character of the last tenth, in float32."""
        windows = (len(self.held_out) - 1) // WINDOW
        asked = self.held_out[: windows * WINDOW].view(windows, WINDOW)
        answer = self.held_out[1 : windows * WINDOW + 1].view(windows, WINDOW)
        nats = sum(
            F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item()
            for x, y in zip(asked.split(128), answer.split(128))
        )
        return nats / answer.numel()


def ours(corpus: Corpus) -> gpt.GPT:
    return gpt.GPT(gpt.Config(len(corpus.codec.vocab), WINDOW, **OURS))


def recipe(seed: int, steps: int | None = STEPS, **changed) -> Recipe:
    return Recipe(**dict(dict(steps=steps, fast=True, lr=0.01, muon_lr=0.05, seed=seed), **changed))


def linear(spent: float) -> float:
    """The course's schedule: up in a fiftieth of the run, then down to zero. spent: of the run, in [0, 1)."""
    return (min(1.0, spent / 0.02) * (1 - spent)) or 1e-3


def cosine(spent: float) -> float:
    """nanoGPT's: up for 100 of 2,000 iterations, then half a cosine down to a tenth."""
    warm = WARMUP / ITERATIONS
    if spent < warm:
        return spent / warm
    return (LEAST + (1 + math.cos(math.pi * (spent - warm) / (1 - warm))) / 2 * (RATE - LEAST)) / RATE


def adamw(model: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """nanoGPT's: matrices decay, vectors do not."""
    matrices = [w for w in model.parameters() if w.ndim >= 2]
    vectors = [w for w in model.parameters() if w.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return [torch.optim.AdamW([g for g in groups if g["params"]], lr=rate, betas=(0.9, 0.99))]


def loop(corpus, model, optimizers, schedule, batch, seed, fast=False, clip=0.0, steps=None, seconds=None, every=0):
    """A plain training loop, until `steps` or `seconds` are spent. Returns a list of (step, seconds, loss)."""
    highest = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    generator = torch.Generator().manual_seed(seed)
    curve, step, spent = [], 0, 0.0
    while (step / steps if steps else spent / seconds) < 1:
        started = time.perf_counter()
        rate = schedule(step / steps if steps else spent / seconds)
        for optimizer, rates in zip(optimizers, highest):
            for group, lr in zip(optimizer.param_groups, rates):
                group["lr"] = lr * rate
        with autocast(torch.device("cpu"), fast):
            loss = gpt.loss(model, corpus.batch(batch, generator))
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step, spent = step + 1, spent + time.perf_counter() - started
        if every and step % every == 0 and step != steps:
            curve.append((step, spent, corpus.loss(model)))
    return curve + [(step, spent, corpus.loss(model))]


def run_reference(corpus: Corpus, seed: int, iterations: int, every: int) -> list[tuple[int, float, float]]:
    torch.manual_seed(seed)
    model = Plain(PlainConfig(len(corpus.codec.vocab), WINDOW))
    return loop(corpus, model, adamw(model, RATE), cosine, BATCH, seed, clip=1.0, steps=iterations, every=every)


def run_ours(corpus: Corpus, seed: int, steps: int, every: int) -> list[tuple[int, float, float]]:
    """The course's model, trained by the course's own loop, `aigc.train.train`."""
    torch.manual_seed(seed)
    model, curve, paused, started = ours(corpus), [], 0.0, time.perf_counter()

    def loss(model, step, generator):
        nonlocal paused
        if step and step % every == 0:
            now = time.perf_counter()
            with torch.autocast("cpu", enabled=False):
                curve.append((step, now - started - paused, corpus.loss(model)))
            paused += time.perf_counter() - now
        return gpt.loss(model, corpus.batch(OUR_BATCH, generator))

    train(model, loss, recipe(seed, steps), progress=False)
    return curve + [(steps, time.perf_counter() - started - paused, corpus.loss(model))]


def ablations(corpus: Corpus, seconds: float, seed: int = 0) -> dict[str, float]:
    """Validation loss after the same seconds of training, with one thing at a time as in the reference."""
    kept = dict(schedule=linear, batch=OUR_BATCH, fast=True)
    other = "float32" if precision() is torch.bfloat16 else "bfloat16"
    plain = lambda layers: lambda: Plain(PlainConfig(len(corpus.codec.vocab), WINDOW, layers))
    muon = lambda rate: lambda model: make_optimizers(model, recipe(seed, lr=rate / 5, muon_lr=rate))
    normal = (lambda: ours(corpus), muon(0.05))
    changes = {
        "nothing changed": (*normal, {}),
        **{
            f"optimizer: AdamW, rate {rate}": (normal[0], lambda model, rate=rate: adamw(model, rate), {})
            for rate in (1e-3, 3e-3, 1e-2)
        },
        "schedule: 100/2000 up, cosine to a tenth": (*normal, dict(schedule=cosine)),
        "architecture: plain, 2 layers": (plain(2), normal[1], {}),
        "architecture: plain, 4 layers": (plain(4), normal[1], {}),
        f"precision: {other}": (*normal, {}),
        **{f"batch: {size}": (*normal, dict(batch=size)) for size in (BATCH, 32)},
        **{f"rate of Muon: {rate} (AdamW: a fifth)": (normal[0], muon(rate), {}) for rate in (0.02, 0.1)},
    }
    found = {}
    for name, (make, optimizers, changed) in changes.items():
        torch.manual_seed(seed)
        model = make()
        before = os.environ.get("AIGC_PRECISION", "")
        os.environ["AIGC_PRECISION"] = other if name.startswith("precision") else before
        found[name] = loop(corpus, model, optimizers(model), seed=seed, seconds=seconds, **(kept | changed))[-1][2]
        os.environ["AIGC_PRECISION"] = before  # empty decides as nothing does
        print(f"{name}: {found[name]:.4f}", flush=True)
    return found


def decoding(model: nn.Module, length: int, batches) -> dict:
    """Greedy, one text, cached and uncached; the largest difference of their logits; sampling in batches."""
    for weight in model.parameters():  # our model begins with zeros, which would agree whatever the cache did
        nn.init.normal_(weight, std=weight.size(-1) ** -0.5)
    model.eval()
    start = torch.zeros(1, 1, dtype=torch.int64)
    both, seconds = {}, {}
    with torch.inference_mode():
        for name in ("uncached", "cached", "uncached", "cached"):  # the first round warms up
            ids, cache, logits, began = start, gpt.Cache(), [], time.perf_counter()
            for _ in range(length):
                last = model(ids)[:, -1] if name == "uncached" else model(ids[:, -1:], cache=cache)[:, -1]
                logits.append(last)
                ids = torch.cat([ids, last.argmax(-1, keepdim=True)], dim=1)
            both[name], seconds[name] = torch.cat(logits), time.perf_counter() - began
    speed = {}
    for size in batches:
        began = time.perf_counter()
        for _ in sample.tokens(model, start.expand(size, 1), length, generator=torch.Generator().manual_seed(0)):
            pass
        speed[str(size)] = size * length / (time.perf_counter() - began)
    return {
        "tokens": length,
        "uncached_seconds": seconds["uncached"],
        "cached_seconds": seconds["cached"],
        "ratio": seconds["uncached"] / seconds["cached"],
        "largest_difference": (both["cached"] - both["uncached"]).abs().max().item(),
        "tokens_per_second_by_batch": speed,
    }


def first_at(curve: list, target: float) -> float | None:
    """Seconds at the first measurement at or below the target; None if there is none."""
    return next((seconds for _, seconds, loss in curve if loss <= target), None)


def measure(text: str, repeats=3, iterations=ITERATIONS, steps=STEPS, length=LENGTH, batches=(1, 8, 64)) -> dict:
    """Everything that the table shows. Each ablation gets the seconds that our runs took."""
    corpus, V = Corpus(text), len(set(text))
    run_reference(corpus, 0, 3, 3), run_ours(corpus, 0, 3, 3)  # imports and threads, at nobody's cost
    races = []
    for seed in range(repeats):
        reference = run_reference(corpus, seed, iterations, max(1, iterations // 4))
        mine = run_ours(corpus, seed, steps, max(1, steps // 6))
        _, took, target = reference[-1]
        reached = first_at(mine, target)
        races.append(
            {
                "reference": reference,
                "ours": mine,
                "seconds_to_reach": reached,
                "ratio": reached / took if reached else None,
            }
        )
        came = f"after {reached:.1f} s" if reached else "never"
        print(f"seed {seed}: {target:.4f}: the reference after {took:.1f} s, ours {came}", flush=True)
    ratios = [race["ratio"] or math.inf for race in races]
    spent = statistics.median(race["ours"][-1][1] for race in races)
    return {
        "machine": {"cores": os.cpu_count(), "threads": torch.get_num_threads()},
        "code": code(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "ours": {"steps": steps, "batch": OUR_BATCH},
        "corpus": {"characters": len(text), "vocabulary": V, "held_out": len(corpus.held_out)},
        "races": races,
        "median_ratio": statistics.median(ratios),
        "ablations": {"seconds": spent, "loss": ablations(corpus, spent)},
        "decoding": {
            "ours": decoding(gpt.GPT(gpt.Config(V, length, 4, 4, 128)), length, batches),
            "reference": decoding(Plain(PlainConfig(V, length)), length, batches),
        },
    }


def row() -> str:
    """The name of this processor's row: the vectors that torch uses, and the precision that the course chooses."""
    return f"{torch.backends.cpu.get_cpu_capability()} {str(precision()).removeprefix('torch.')}"


def code() -> str:
    """The commit that is measured, with -dirty behind it where files differ from it."""
    ask = ["git", "describe", "--always", "--dirty"]
    said = subprocess.run(ask, capture_output=True, text=True, cwd=Path(__file__).parent).stdout.strip()
    return f"commit {said or 'unknown'}"


def page(rows: dict[str, dict]) -> str:
    """All rows: first what they come to, then each with everything that was measured."""
    about = "`python -m benchmarks.text`: each row on a processor of its own, with a reference run of its own there."
    how = (
        "Writing, ours does more for each token: it turns and normalises queries and keys. It catches up because it "
        "keeps the past in place (the reference copies it at every token), turns many places at once, and makes one "
        "fused product of a single position."
    )
    lines = ["# Text: learning and writing", "", about, "", how]
    lines += ["", "| processor | reference, seconds | ours to its loss, seconds | median ratio |", "|:--|--:|--:|--:|"]
    middle = lambda values: f"{statistics.median(values):.1f}"
    for name, found in rows.items():
        reference = middle([race["reference"][-1][1] for race in found["races"]])
        ours = middle([race["seconds_to_reach"] or math.inf for race in found["races"]])
        lines.append(f"| {name} | {reference} | {ours} | {found['median_ratio']:.3f} |")
    return "\n".join(lines) + "\n" + "".join(f"\n## {name}\n\n{table(found)}" for name, found in rows.items())


def table(found: dict) -> str:
    versions, machine, corpus = found["versions"], found["machine"], found["corpus"]
    lines = [
        f"Measured with the code of {found['code']}. torch {versions['torch']}, {machine['threads']} threads. "
        f"Ours: {found['ours']['steps']} steps of {found['ours']['batch']} windows. "
        f"{corpus['characters']:,} characters, of which the last {corpus['held_out']:,} are held out; nats per "
        f"character over all of them, in windows of {WINDOW} that do not overlap.",
        "",
        "| seed | reference: loss | seconds | ours: loss | seconds | seconds to the reference's loss | ratio |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for seed, race in enumerate(found["races"]):
        (_, seconds, loss), (_, mine, our_loss) = race["reference"][-1], race["ours"][-1]
        reached = f"{race['seconds_to_reach']:.1f} | {race['ratio']:.3f}" if race["ratio"] else "not reached | -"
        lines.append(f"| {seed} | {loss:.4f} | {seconds:.1f} | {our_loss:.4f} | {mine:.1f} | {reached} |")
    lines += ["", f"Median ratio: {found['median_ratio']:.3f}.", ""]
    lines += [f"What bought it: loss after the same {found['ablations']['seconds']:.1f} s, one thing changed.", ""]
    lines += ["| changed | loss |", "|:--|--:|"]
    lines += [f"| {name} | {loss:.4f} |" for name, loss in found["ablations"]["loss"].items()]
    lines += ["", "Writing: 4 layers of width 128; the first two columns in seconds, the last three in tokens/s.", ""]
    lines += [f"| model | {LENGTH} tokens, uncached | cached | ratio | largest difference | batch 1 | 8 | 64 |"]
    lines += ["|:--|--:|--:|--:|--:|--:|--:|--:|"]
    for name, d in found["decoding"].items():
        speed = " | ".join(f"{s:,.0f}" for s in d["tokens_per_second_by_batch"].values())
        seconds = f"{d['uncached_seconds']:.2f} | {d['cached_seconds']:.2f} | {d['ratio']:.1f}"
        lines.append(f"| {name} | {seconds} | {d['largest_difference']:.1e} | {speed} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.text", description=__doc__.split("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True, help="a text file, UTF-8")
    parser.add_argument("--json", type=Path, required=True, help="where the numbers go; a table goes beside it")
    options = parser.parse_args(arguments)
    if not options.corpus.is_file():
        parser.error(f"there is no file {options.corpus}: give a text, such as all of Shakespeare in characters")
    if not options.json.parent.is_dir():
        parser.error(f"there is no folder {options.json.parent} to write to: make it first")
    try:
        found = measure(options.corpus.read_text(encoding="utf-8"))
    except ValueError as error:
        parser.error(str(error))
    rows = json.loads(options.json.read_text(encoding="utf-8")) if options.json.exists() else {}
    rows = dict(sorted((rows | {row(): found}).items()))
    for path, content in ((options.json, json.dumps(rows, indent=1)), (options.json.with_suffix(".md"), page(rows))):
        with atomic(path) as partial:
            partial.write_text(content, encoding="utf-8")
    print(page(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
