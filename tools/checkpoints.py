"""Trains the released models from scratch: `python -m tools.checkpoints [NAME ...]`. A stopped run is resumed."""

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from safetensors import safe_open

from aigc import released
from aigc.files import atomic, cache_dir
from aigc.train import train

from . import recipes

CARD = """# {name}

- **Data**: {data}
- **Model**: {parameters:,} parameters, {kind}, stored in bfloat16.
- **Command**: `make checkpoints ARGS={name}`
- **Minutes**: {minutes:.1f} on two cores ({steps} steps)
- **Held out**: {figure}
- **Limits**: {limits}
- **Licence**: MIT, as the code that made it.
"""


def names() -> list[str]:
    """The models that have a recipe."""
    return sorted(module.name for module in iter_modules(recipes.__path__))


def make(name: str, folder: Path = released.FOLDER) -> Path:
    """Train the model of this name, or go on with it, and write it with its card. Returns its file or folder."""
    recipe = import_module(f"{recipes.__name__}.{name}")
    progress = cache_dir() / "training" / f"{name}.safetensors"
    model, loss, codec = recipe.start()
    train(model, loss, recipe.RECIPE, checkpoint=progress, every=100)
    with safe_open(progress, "pt") as file:
        minutes = float(file.metadata()["elapsed"]) / 60  # of all calls, where the run was stopped and resumed
    for weight in model.parameters():
        weight.data = weight.data.bfloat16().float()  # measure what is shipped
    target = released.save(name, model, codec, folder)
    card = CARD.format(
        name=name,
        data=recipe.DATA,
        parameters=sum(weight.numel() for weight in model.parameters()),
        kind=type(model).__name__,
        minutes=minutes,
        steps=recipe.RECIPE.steps,
        figure=recipe.measure(model),
        limits=recipe.LIMITS,
    )
    with atomic(folder / f"{name}.md") as partial:
        partial.write_text(card, encoding="utf-8")
    progress.unlink()
    return target


def main(chosen: list[str]) -> int:
    if "--help" in chosen:
        print(__doc__)
        return 0
    unknown = set(chosen) - set(names())
    if unknown:
        print(f"there is no model {' '.join(unknown)}: choose of {' '.join(names())}")
        return 1
    for name in chosen or names():
        target = make(name)
        print((released.FOLDER / f"{name}.md").read_text(encoding="utf-8"), flush=True)
        print(f"wrote {target}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
