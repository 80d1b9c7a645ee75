"""The trained models that come with the course, in data/checkpoints, and what is needed to use them."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from .data.fetch import atomic
from .models.gpt import GPT, GPTConfig
from .models.unet import UNet, UNetConfig

FOLDER = Path(__file__).parents[2] / "data" / "checkpoints"
VERSION = "1"  # of the format; a change of the models' code that old weights do not survive makes a new one
FAMILIES = {"gpt": (GPT, GPTConfig), "unet": (UNet, UNetConfig)}


def save(name: str, model: nn.Module, vocab: str = "", folder: Path = FOLDER) -> Path:
    """Write FOLDER/NAME.safetensors in bfloat16, which halves it, and its sha256 into the folder's index.json."""
    family = next(family for family, (kind, _) in FAMILIES.items() if isinstance(model, kind))
    metadata = {"version": VERSION, "family": family, "config": json.dumps(asdict(model.config)), "vocab": vocab}
    path, index = folder / f"{name}.safetensors", folder / "index.json"
    with atomic(path) as partial:
        weights = {key: w.detach().to("cpu", torch.bfloat16).contiguous() for key, w in model.state_dict().items()}
        save_file(weights, partial, metadata)
    known = json.loads(index.read_text()) if index.exists() else {}
    known[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    with atomic(index) as partial:
        partial.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    return path


def load(name: str, folder: Path = FOLDER) -> tuple[nn.Module, str]:
    """The released model of this name, on the CPU, in float32, ready to sample; and its characters, if it writes text.

    Raises FileNotFoundError for another name, and ValueError for a file that is damaged or of another version.
    """
    path, index = folder / f"{name}.safetensors", folder / "index.json"
    known = json.loads(index.read_text()) if index.exists() else {}
    if name not in known or not path.exists():
        raise FileNotFoundError(f"there is no {path.name} in {folder.name}/: the models there are {', '.join(known)}")
    restore = (
        f"Get it back with `git checkout {path.parent.parent.name}/{folder.name}`, or make it with `make checkpoints`."
    )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            weights = {key: file.get_tensor(key).float() for key in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path.name} is damaged ({error}). {restore}") from error
    if metadata.get("version") != VERSION:
        raise ValueError(f"{path.name} has version {metadata.get('version')}, this code reads {VERSION}. {restore}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != known[name]:
        raise ValueError(f"{path.name} is damaged: its bytes are not those that index.json knows. {restore}")
    kind, configure = FAMILIES[metadata["family"]]
    model = kind(configure(**json.loads(metadata["config"])))
    model.load_state_dict(weights)
    return model.eval(), metadata["vocab"]
