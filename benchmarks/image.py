"""Which family draws the best digits after the same seconds? `python -m benchmarks.image --seconds 60 --out DIR`.

Each learns from the 4,000 digits for training for so many seconds, on the same threads, and draws 5,000 digits: the
article's GAN made right (benchmarks/dcgan.py, told no labels), and the course's GAN, VAE and flow by the recipes of the
shipped models, GAN and flow changed for a minute (FAMILIES). DIR receives NAME.npz of each: `images` uint8 (5000, 28,
28), `labels` (5000,), -1 where the model is not told one, `network_calls` per sample, `train_seconds`; and image.md,
one table with the precision that was used.
With --steps, what each change of the course's GAN and flow buys in the same seconds; nothing else may run meanwhile.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor, nn

from aigc import data, released
from aigc.codecs import images
from aigc.evaluate.image import frechet, judged, kernel_distance, nearest, precision_recall
from aigc.files import atomic
from aigc.machine import precision
from aigc.train import train
from benchmarks import dcgan
from benchmarks.text import code, row
from tools.recipes import digits, gan, vae

MANY, CLOUD, PART = 5000, 2000, 500  # samples; of them in precision and recall; drawn at once


@dataclass
class Run:
    networks: list[nn.Module]  # that are called to draw
    draw: Callable[[Tensor, Generator], Tensor]  # labels (B,) and dice to images (B, 1, 28, 28) in [-1, 1]
    told: bool  # are the labels asked for?
    steps: int  # of all that was trained
    seconds: float  # of training


def reference(seconds: float, seed: int) -> Run:
    x = images.encode(data.digits()[0])
    began = time.perf_counter()
    G, steps = dcgan.learn(x, seconds, seed)
    took = time.perf_counter() - began
    return Run([G], lambda labels, dice: G(torch.randn(len(labels), dcgan.NOISE, generator=dice)), False, steps, took)


def ours(made, seconds: float, seed: int, recipe=(), draw=(), weak=0.0, **options) -> Run:
    """Train the model of a module of tools.recipes. recipe, draw, options: changes of RECIPE, draw() and start().

    weak: the part of the seconds in which a second model learns without labels, for draw(away=...).
    """
    draw = dict(draw)

    def learnt(part: float, **options) -> tuple[nn.Module, int, float]:
        model, loss, _ = made.start(seed=seed, **options)
        limited = replace(made.RECIPE, **{"steps": None, "seconds": part * seconds, "seed": seed} | dict(recipe))
        began = time.perf_counter()
        history = train(model, loss, limited, progress=False)
        return model, len(history), time.perf_counter() - began

    model, steps, took = learnt(1 - weak, **options)
    networks = [model.G if made is gan else model]
    if weak:
        draw["away"], few, more = learnt(weak, **options | {"drop": 1.0})
        networks, steps, took = [model, draw["away"]], steps + few, took + more
    return Run(networks, lambda labels, dice: made.draw(model, labels, dice, **draw), True, steps, took)


FAMILIES = {
    "reference_gan": reference,
    "gan": partial(ours, gan, **gan.MINUTE),
    "vae": partial(ours, vae),
    "flow": partial(ours, digits, **digits.MINUTE),
}


@torch.inference_mode()
def drawn(run: Run, seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    """MANY digits as bytes, the labels asked for (-1: none), the network's calls a digit, the seconds for 1,000."""
    labels, dice, asked = torch.arange(MANY) % 10, Generator().manual_seed(seed), []
    count = lambda network, inputs, output: asked.append(len(output))
    hooks = [network.register_forward_hook(count) for network in run.networks]
    began = time.perf_counter()
    pictures = np.concatenate([images.decode(run.draw(part, dice)) for part in labels.split(PART)])
    took = (time.perf_counter() - began) * 1000 / MANY
    for hook in hooks:
        hook.remove()
    return pictures, labels.numpy() if run.told else np.full(MANY, -1), sum(asked) / MANY, took


@cache
def known(judge: nn.Module) -> tuple[np.ndarray, Tensor]:
    """The digits for training, and their features: the same for every row."""
    pictures = data.digits()[0]
    return pictures, judged(judge, pictures)[0]


def measures(judge: nn.Module, pictures: np.ndarray, labels: np.ndarray) -> dict:
    """Of these digits against those for training, in the features of our judge."""
    corpus, real = known(judge)
    fake, read = judged(judge, pictures)
    precise, recall = precision_recall(real[:CLOUD], fake[:CLOUD])
    apart = nearest(pictures[:CLOUD], corpus)[1]
    return {
        "fid": frechet(real, fake),
        "kid": kernel_distance(real, fake),
        "precision": precise,
        "recall": recall,
        "label_accuracy": float((read.numpy() == labels).mean()) if labels.min() >= 0 else None,
        "nearest_median": float(np.median(apart)),
        "nearest_least": float(apart.min()),
    }


def held_out() -> tuple[np.ndarray, np.ndarray]:
    """The 1,000 digits from which nobody learns."""
    parts = [data.digits(split) for split in ("validation", "test")]
    return tuple(np.concatenate(part) for part in zip(*parts))


def table(rows: dict[str, dict]) -> str:
    """One line a row, and the ratio of its FID to that of the reference."""
    lines = ["| | FID | of the reference's | KID | precision | recall | label accuracy | nearest: median | least |"]
    lines[0] += " calls | steps | trained, s | 1,000 samples, s |"
    lines += ["|:--|" + "--:|" * 12]
    for name, f in rows.items():
        right = "-" if f["label_accuracy"] is None else f"{f['label_accuracy']:.3f}"
        of = f"1/{rows['reference_gan']['fid'] / f['fid']:.1f}" if "reference_gan" in rows else "-"
        cost = " | ".join(str(f.get(key, "-")) for key in ("calls", "steps", "train_seconds", "sample_seconds"))
        lines.append(
            f"| {name} | {f['fid']:.1f} | {of} | {f['kid']:.0f} | {f['precision']:.3f} | {f['recall']:.3f} | {right} | "
            f"{f['nearest_median']:.1f} | {f['nearest_least']:.1f} | {cost} |"
        )
    return "\n".join(lines) + "\n"


def measured(judge: nn.Module, run: Run, seed: int) -> tuple[np.ndarray, np.ndarray, dict]:
    pictures, labels, calls, took = drawn(run, seed)
    cost = {"calls": calls, "steps": run.steps, "train_seconds": round(run.seconds, 1)}
    return pictures, labels, measures(judge, pictures, labels) | cost | {"sample_seconds": round(took, 2)}


def compare(seconds: float, seed: int, out: Path) -> dict[str, dict]:
    judge, _ = released.load("judge")
    rows = {"held-out digits (1,000)": measures(judge, *held_out())}
    for name, make in FAMILIES.items():
        pictures, labels, rows[name] = measured(judge, run := make(seconds, seed), seed)
        with atomic(out / f"{name}.npz") as unfinished, open(unfinished, "wb") as file:
            np.savez_compressed(
                file, images=pictures, labels=labels, network_calls=rows[name]["calls"], train_seconds=run.seconds
            )
        print(name, {key: round(value, 3) for key, value in rows[name].items() if value is not None}, flush=True)
    return rows


def steps(seconds: float, seed: int) -> dict[str, dict]:
    """The same seconds for each change, one after the other and added up."""
    judge, _ = released.load("judge")
    rows = {"reference_gan": measured(judge, reference(seconds, seed), seed)[2]}
    for family, made in (("gan", gan), ("flow", digits)):
        options = {}
        for name, change in made.LADDER.items():
            both = {part: options.get(part, {}) | change.get(part, {}) for part in ("recipe", "draw")}
            options = options | change | both
            run = ours(made, seconds, seed, **options)
            rows[f"{family}: {name}"] = measured(judge, run, seed)[2]
            print(name, rows[f"{family}: {name}"], flush=True)
    return rows


def page(rows: dict[str, dict], seconds: float, seed: int) -> str:
    about = (
        f"Measured with the code of {code()} on {row()}, {torch.get_num_threads()} threads, {seconds:g} s of training "
        f"each, seed {seed}, in {str(precision()).removeprefix('torch.')}. FID, KID, precision and recall are those of "
        f"the 64 features of our judge, not of Inception's; against 4,000 digits for training, {CLOUD} of each for "
        "precision and recall with k = 5. Nearest: distance to the nearest digit for training, in grey levels."
    )
    return f"# Images: the same seconds for each\n\n{about}\n\n{table(rows)}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.image", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="of training, for each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="the folder for samples and table; made if missing")
    parser.add_argument("--steps", action="store_true", help="what each change buys, in place of the families")
    options = parser.parse_args(arguments)
    if not options.seconds > 0:
        parser.error(f"--seconds must be positive, not {options.seconds:g}")
    options.out.mkdir(parents=True, exist_ok=True)
    name = "image_steps" if options.steps else "image"
    found = (
        steps(options.seconds, options.seed) if options.steps else compare(options.seconds, options.seed, options.out)
    )
    text = page(found, options.seconds, options.seed)
    for path, content in ((f"{name}.json", json.dumps(found, indent=1)), (f"{name}.md", text)):
        with atomic(options.out / path) as unfinished:
            unfinished.write_text(content, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
