"""One loop for every model: budget, progress, moving average, checkpoints, one process or many.

Each step draws its batch and its noise from a generator that depends on the seed, the process and the number of the
step alone. A run that was stopped and resumed therefore takes the same steps as one that was not.
"""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Generator, Tensor, nn
from tqdm.auto import tqdm

from .data.fetch import atomic
from .machine import autocast
from .muon import Muon

BAR = "{percentage:3.0f}%|{bar}| {elapsed}, {remaining} left{postfix}"
Loss = Callable[[nn.Module, int, Generator], Tensor]


@dataclass(frozen=True)
class Recipe:
    """How to train. The run ends after `steps` steps or `seconds` seconds, whichever comes first."""

    steps: int | None = None
    seconds: float | None = None
    optimizer: str = "muon"  # for matrices (Jordan et al. 2024, arXiv:2502.16982), with AdamW for the rest; or "adamw"
    lr: float = 0.02  # the highest, of Muon
    adamw_lr: float = 0.003  # the highest, of AdamW
    weight_decay: float = 0.0
    warmup: float = 0.02  # the part of the run in which the rate rises; afterwards it falls to zero in a straight line
    ema: float = 0.0  # how much of the average stays at each step; 0 keeps no average
    fast: bool = False  # matrix products in the precision that this machine is fastest at; weights stay in float32
    seed: int = 0

    def __post_init__(self):
        if self.steps is None and self.seconds is None:
            raise ValueError("a run needs an end: give Recipe steps, seconds or both")
        if self.steps is not None and self.steps < 1 or self.seconds is not None and not self.seconds > 0:
            raise ValueError(f"steps must be at least 1 and seconds positive, not {self.steps} and {self.seconds}")
        if self.optimizer not in ("muon", "adamw"):
            raise ValueError(f"optimizer must be 'muon' or 'adamw', not {self.optimizer!r}")
        if not 0 <= self.ema < 1 or not 0 < self.warmup <= 1:
            raise ValueError(f"ema must lie in [0, 1) and warmup in (0, 1], not {self.ema} and {self.warmup}")


def train(
    model: nn.Module,
    loss: Loss,
    recipe: Recipe,
    checkpoint: Path | None = None,
    every: int = 200,
    progress: bool = True,
) -> list[float]:
    """Train `model` in place, on the device it is on; at the end it holds the moving average, if there is one.

    loss: called with the model, the number of the step and a CPU generator from which it draws all its randomness; it
    returns a scalar. checkpoint: a file, written every `every` steps and at the end; if it exists, the run goes on from
    there. Returns the loss at every step of this call. Raises ValueError if the checkpoint is damaged or belongs to
    another run, and FloatingPointError as soon as the loss is not finite.
    """
    accelerator = Accelerator(device_placement=False)
    device = next(model.parameters()).device
    optimizers = make_optimizers(model, recipe)
    highest = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    average = copy.deepcopy(model).requires_grad_(False) if recipe.ema else None
    step, elapsed, history = 0, 0.0, []
    if checkpoint is not None and Path(checkpoint).exists():
        step, elapsed = load_checkpoint(checkpoint, recipe, model, average, optimizers)
    wrapped = accelerator.prepare_model(model)
    model.train()
    seed = recipe.seed + 7919 * accelerator.process_index
    show = progress and accelerator.is_local_main_process
    bar = tqdm(total=100, disable=not show, mininterval=0.5, bar_format=BAR)
    last = time.perf_counter()

    def fraction() -> float:  # of the budget that is spent
        return max(step / recipe.steps if recipe.steps else 0.0, elapsed / recipe.seconds if recipe.seconds else 0.0)

    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        while accelerator.gather(torch.tensor(fraction(), device=device)).max() < 1:
            rate = min(1.0, fraction() / recipe.warmup) * (1 - fraction()) or 1e-3
            for optimizer, rates in zip(optimizers, highest):
                for group, lr in zip(optimizer.param_groups, rates):
                    group["lr"] = lr * rate
            generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
            torch.manual_seed(seed * 1_000_003 + step)  # for dropout
            with autocast(device, recipe.fast):
                value = loss(wrapped, step, generator)
            if not value.isfinite():
                raise FloatingPointError(f"the loss is {value.item()} at step {step}: lower the learning rate")
            accelerator.backward(value)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            step += 1
            if average is not None:
                keep = min(recipe.ema, step / (step + 10))  # at first, forget the random start sooner
                for a, b in zip(average.state_dict().values(), model.state_dict().values()):
                    a.lerp_(b, 1 - keep) if a.is_floating_point() else a.copy_(b)
            history.append(value.item())
            now = time.perf_counter()
            elapsed, last = elapsed + now - last, now
            bar.set_postfix(step=step, loss=f"{sum(history[-50:]) / len(history[-50:]):.3f}", refresh=False)
            bar.update(min(100, 100 * fraction()) - bar.n)
            if checkpoint is not None and (step % every == 0 or fraction() >= 1) and accelerator.is_main_process:
                save_checkpoint(checkpoint, recipe, step, elapsed, model, average, optimizers)
    bar.close()
    if average is not None:
        model.load_state_dict(average.state_dict())
    model.eval()
    return history


def make_optimizers(model: nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the network; AdamW for embeddings, the head, convolutions and vectors."""
    inside = [
        p for name, p in model.named_parameters() if p.ndim == 2 and not name.startswith(("embed", "side", "head"))
    ]
    if recipe.optimizer == "adamw":
        inside = []
    chosen = {id(p) for p in inside}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    optimizers: list[torch.optim.Optimizer] = []
    if inside:
        optimizers.append(Muon(inside, lr=recipe.lr, weight_decay=recipe.weight_decay))
    if rest:
        optimizers.append(
            torch.optim.AdamW(rest, lr=recipe.adamw_lr, betas=(0.9, 0.99), weight_decay=recipe.weight_decay)
        )
    return optimizers


def save_checkpoint(path, recipe, step, elapsed, model, average, optimizers) -> None:
    tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    for i, optimizer in enumerate(optimizers):
        for j, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{j}.{k}": v for k, v in state.items()}
    metadata = {"recipe": json.dumps(asdict(recipe)), "step": str(step), "elapsed": repr(elapsed)}
    with atomic(Path(path)) as partial:
        save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, partial, metadata)


def load_checkpoint(path, recipe, model, average, optimizers) -> tuple[int, float]:
    try:
        with safe_open(path, "pt") as file:
            metadata, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"the checkpoint {path} is damaged ({error}): delete it to begin again") from error
    if metadata.get("recipe") != json.dumps(asdict(recipe)):
        raise ValueError(
            f"the checkpoint {path} was written with another recipe, {metadata.get('recipe')}: "
            "train with that one, or delete the file to begin again"
        )

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

    try:
        model.load_state_dict(part("model."))
        if average is not None:
            average.load_state_dict(part("average."))
    except RuntimeError as error:
        raise ValueError(f"the checkpoint {path} is of another model: {error}. Delete it to begin again") from error
    for i, optimizer in enumerate(optimizers):
        whole = optimizer.state_dict()
        for name, tensor in part(f"optimizer.{i}.").items():
            j, key = name.split(".", 1)
            whole["state"].setdefault(int(j), {})[key] = tensor
        optimizer.load_state_dict(whole)
    return int(metadata["step"]), float(metadata["elapsed"])
