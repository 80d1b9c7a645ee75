"""One loop for every model: budget, progress, moving average, checkpoints, one process or many, one loss or two.

Each step draws its batch and its noise from a generator that depends on the seed, the process and the number of the
step alone. A run of so many steps that was stopped and resumed therefore takes the same ones as one that was not.
"""

import copy
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Generator, Tensor, nn
from tqdm.auto import tqdm

from .files import atomic
from .machine import autocast
from .muon import Muon

BAR = "{percentage:3.0f}%|{bar}| {elapsed}, {remaining} left{postfix}"
Turn = tuple[nn.Module, Tensor]  # a part of the model, and the loss from which it alone learns
Loss = Callable[[nn.Module, int, Generator], Tensor | Iterator[Turn]]


@dataclass(frozen=True)
class Recipe:
    """How to train. The run ends after `steps` steps or `seconds` seconds, whichever comes first."""

    steps: int | None = None
    seconds: float | None = None
    lr: float = 0.003  # the highest, of AdamW
    momentum: float = 0.9  # of AdamW: how much of the last direction stays at each step
    muon_lr: float | None = None  # the highest, of Muon (Jordan et al. 2024) for the matrices that model.groups() names
    warmup: float = 0.02  # the part of the run in which the rate rises; afterwards it falls to zero in a straight line
    ema: float = 0.0  # how much of the average stays at each step; 0 keeps no average
    fast: bool = False  # matrix products in the precision that this machine is fastest at; weights stay in float32
    seed: int = 0

    def __post_init__(self):
        if self.steps is None and self.seconds is None:
            raise ValueError("a run needs an end: give Recipe steps, seconds or both")
        if self.steps is not None and self.steps < 1 or self.seconds is not None and not self.seconds > 0:
            raise ValueError(f"steps must be at least 1 and seconds positive, not {self.steps} and {self.seconds}")
        if not self.lr > 0 or self.muon_lr is not None and not self.muon_lr > 0:
            raise ValueError(f"the rates must be positive, not {self.lr} and {self.muon_lr}")
        if not (0 <= self.ema < 1 and 0 <= self.momentum < 1 and 0 < self.warmup <= 1):
            raise ValueError(
                f"ema and momentum must lie in [0, 1), warmup in (0, 1]: {self.ema}, {self.momentum}, {self.warmup}"
            )


def train(
    model: nn.Module,
    loss: Loss,
    recipe: Recipe,
    checkpoint: Path | None = None,
    every: int = 200,
    progress: bool = True,
) -> list:
    """Train `model` in place, on the device it is on; at the end it holds the moving average, if there is one.

    loss: called with the model, the number of the step and a CPU generator from which it draws all its randomness. It
    returns a scalar; or, where parts of the model play against each other, it yields (part, scalar) for one after the
    other, and each part has learnt from its scalar when the next is computed. checkpoint: a file, written every `every`
    steps and at the end; if it exists, the run goes on from there. With several processes each has a loss of its own,
    and all take the step of the mean gradient. Returns the loss of each step of this call, a tuple if parts have turns.
    Raises ValueError if the checkpoint is damaged or of another run, FloatingPointError when a loss is not finite.
    """
    accelerator = Accelerator(device_placement=False)
    device, several = next(model.parameters()).device, accelerator.num_processes > 1
    optimizers = make_optimizers(model, recipe)
    highest = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    average = copy.deepcopy(model).requires_grad_(False) if recipe.ema else None
    step, elapsed, history = 0, 0.0, []
    if checkpoint is not None and Path(checkpoint).exists():
        step, elapsed = load_checkpoint(checkpoint, recipe, model, average, optimizers)
    for tensor in (*model.parameters(), *model.buffers()) if several else ():  # all begin where the first one does
        tensor.data = broadcast(tensor.data)
    model.train()
    seed = recipe.seed + 7919 * accelerator.process_index
    show = progress and accelerator.is_local_main_process
    bar = tqdm(total=100, disable=not show, mininterval=0.5, bar_format=BAR)
    last = time.perf_counter()

    def spent() -> float:  # the part of the budget, which is one for all processes
        mine = max(step / recipe.steps if recipe.steps else 0.0, elapsed / recipe.seconds if recipe.seconds else 0.0)
        return accelerator.gather(torch.tensor(mine, device=device)).max().item() if several else mine

    # torch.manual_seed also queues a seed, with its traceback, for every kind of GPU that is not there
    seeding = torch.default_generator.manual_seed if device.type == "cpu" else torch.manual_seed
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        while (fraction := spent()) < 1:
            rate = min(1.0, fraction / recipe.warmup) * (1 - fraction) or 1e-3
            for optimizer, rates in zip(optimizers, highest):
                for group, lr in zip(optimizer.param_groups, rates):
                    group["lr"] = lr * rate
            generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
            seeding(seed * 1_000_003 + step)  # for dropout
            values = []
            for part, value in _turns(model, loss, step, generator, partial(autocast, device, recipe.fast)):
                if not value.isfinite():
                    raise FloatingPointError(f"the loss is {value.item()} at step {step}: lower the learning rate")
                learners = [weight for weight in part.parameters() if weight.requires_grad]
                model.zero_grad(set_to_none=True)  # the other parts have no gradient, and the optimizers pass over them
                value.backward(inputs=learners or None)
                if all(weight.grad is None for weight in learners):
                    raise ValueError(f"nothing that {type(part).__name__} could learn changes its loss")
                for weight in learners if several else ():
                    mine = torch.zeros_like(weight) if weight.grad is None else weight.grad
                    weight.grad = accelerator.reduce(mine, "mean")
                for optimizer in optimizers:
                    optimizer.step()
                values.append(value.item())
            history.append(values[0] if part is model and len(values) == 1 else tuple(values))
            step += 1
            if average is not None:
                keep = min(recipe.ema, step / (step + 10))  # at first, forget the random start sooner
                for kind in ("parameters", "buffers"):  # of which each is listed once, whatever shares it
                    for a, b in zip(getattr(average, kind)(), getattr(model, kind)()):
                        a.lerp_(b.detach(), 1 - keep) if a.is_floating_point() else a.copy_(b)
            now = time.perf_counter()
            elapsed, last = elapsed + now - last, now
            shown = [sum(history[-50:]) / len(history[-50:])] if isinstance(history[-1], float) else values
            bar.set_postfix(step=step, loss=" ".join(f"{value:.3f}" for value in shown), refresh=False)
            bar.update(min(100, 100 * fraction) - bar.n)
            if checkpoint is not None and step % every == 0 and accelerator.is_main_process:
                save_checkpoint(checkpoint, recipe, step, elapsed, model, average, optimizers)
    model.zero_grad(set_to_none=True)
    bar.update(100 - bar.n)
    bar.close()
    if history and checkpoint is not None and accelerator.is_main_process:
        save_checkpoint(checkpoint, recipe, step, elapsed, model, average, optimizers)
    if average is not None:
        model.load_state_dict(average.state_dict())
    model.eval()
    return history


def _turns(model: nn.Module, loss: Loss, step: int, generator: Generator, context: Callable) -> Iterator[Turn]:
    """The turns of one step; a loss that returns a scalar has one. Each is computed in a context of its own."""
    with context():
        found = loss(model, step, generator)
        turns = found if isinstance(found, Iterator) else iter([(model, found)])
        turn = next(turns, "nothing")
    while turn is not None:
        part, value = turn if isinstance(turn, tuple) and len(turn) == 2 else (None, turn)
        if not any(part is module for module in model.modules()) or not isinstance(value, Tensor) or value.ndim:
            raise ValueError(f"a loss returns a scalar, or yields (part of the model, scalar), not {repr(value)[:100]}")
        yield part, value
        with context():
            turn = next(turns, None)


def make_optimizers(model: nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """AdamW for everything; or, where the recipe has a rate for Muon, each for what the model's groups() give it.

    Raises ValueError if the model has no groups, or if they do not hold each of its parameters exactly once.
    """
    betas = float(recipe.momentum), 0.99
    adamw = lambda weights: torch.optim.AdamW(weights, lr=recipe.lr, betas=betas, weight_decay=0.0)
    if recipe.muon_lr is None:
        return [adamw(model.parameters())]
    if not hasattr(model, "groups"):
        raise ValueError(f"{type(model).__name__} has no groups(), which name what Muon moves: leave muon_lr out")
    groups = model.groups()
    if sorted(map(id, groups["muon"] + groups["adamw"])) != sorted(map(id, model.parameters())):
        raise ValueError(f"the groups of {type(model).__name__} must hold each of its parameters once")
    return [Muon(groups["muon"], lr=recipe.muon_lr), adamw(groups["adamw"])]


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
    if (other := metadata.get("recipe")) != json.dumps(asdict(recipe)):
        raise ValueError(
            f"the checkpoint {path} is of another recipe, {other}: train with that one, or delete the file"
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
