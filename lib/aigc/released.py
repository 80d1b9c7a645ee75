"""The trained models that come with the course, in data/checkpoints, and what is needed to use them.

A model of ours is one file; one in the format of transformers is a folder. index.json, which `make checkpoints` writes,
names them all with the sha256 of each file.
"""

import copy
import hashlib
import json
import shutil
import tempfile
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from .files import atomic

FOLDER = Path(__file__).parents[2] / "data" / "checkpoints"
VERSION = "1"  # of the format; a change of the models' code that old weights do not survive makes a new one
RESTORE = "Get it back with `git checkout data/checkpoints`, or make it with `make checkpoints`."


def index(folder: Path = FOLDER) -> dict[str, dict[str, str]]:
    """The released models: for each name, its files and their sha256.

    Raises FileNotFoundError where there is no index.json, and ValueError where it is damaged.
    """
    try:
        return json.loads((folder / "index.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"there is no index.json in {folder}. {RESTORE}") from error
    except ValueError as error:
        raise ValueError(f"index.json in {folder} is damaged ({error}). {RESTORE}") from error


def path(name: str, folder: Path = FOLDER) -> Path:
    """The file of the released model of this name, or its folder for `from_pretrained`, with no byte damaged.

    Raises FileNotFoundError for another name or a missing file, and ValueError for a damaged one.
    """
    known = index(folder)
    if name not in known:
        raise FileNotFoundError(f"there is no model {name!r} in {folder}: the models there are {', '.join(known)}")
    for file, sha256 in known[name].items():
        if not (folder / file).exists():
            raise FileNotFoundError(f"{file}, which index.json names, is not in {folder}. {RESTORE}")
        if hashlib.sha256((folder / file).read_bytes()).hexdigest() != sha256:
            raise ValueError(f"{file} is damaged: its bytes are not those that index.json knows. {RESTORE}")
    [top] = {Path(file).parts[0] for file in known[name]}
    return folder / top


def load(name: str, folder: Path = FOLDER) -> tuple[nn.Module, str]:
    """The released model of this name, on the CPU, in float32, ready to sample; and its characters, if it writes text.

    Its family names the module in aigc.models and, in any case of letters, the network's class there.
    Raises what `path` raises, and ValueError for a file of another version or a model in the format of transformers.
    """
    file = path(name, folder)
    if file.is_dir():
        raise ValueError(f"{name} has the format of transformers: from_pretrained(released.path({name!r})) loads it")
    try:
        with safe_open(file, "pt") as tensors:
            metadata = tensors.metadata() or {}
            weights = {key: tensors.get_tensor(key) for key in tensors.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file.name} is damaged ({error}). {RESTORE}") from error
    if metadata.get("version") != VERSION:
        raise ValueError(f"{file.name} has version {metadata.get('version')}, this code reads {VERSION}. {RESTORE}")
    module = import_module(f"aigc.models.{metadata['family']}")
    network = {name.lower(): part for name, part in vars(module).items()}[metadata["family"]]
    model = network(module.Config(**json.loads(metadata["config"])))
    model.load_state_dict(weights)
    return model.eval(), metadata["vocab"]


def save(name: str, model: nn.Module, codec="", folder: Path = FOLDER) -> Path:
    """Write the model in bfloat16, which halves it, and its files' sha256 into the folder's index.json.

    codec: the characters of a model of ours that writes text; for a model of transformers, which becomes a folder, its
    tokenizer. Returns the file or the folder. Raises ValueError for a model of no family.
    """
    family = type(model).__name__.lower()
    if type(model).__module__ == f"aigc.models.{family}":
        target = folder / f"{name}.safetensors"
        weights = {key: w.detach().cpu().contiguous() for key, w in model.state_dict().items()}
        weights = {key: w.bfloat16() if w.is_floating_point() else w for key, w in weights.items()}
        metadata = {"version": VERSION, "family": family, "config": json.dumps(asdict(model.config)), "vocab": codec}
        with atomic(target) as partial:
            save_file(weights, partial, metadata)
    elif hasattr(model, "save_pretrained") and hasattr(codec, "save_pretrained"):
        target = folder / name
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as partial:
            whole = Path(partial, name)
            copy.deepcopy(model).to(torch.bfloat16).save_pretrained(whole)
            codec.save_pretrained(whole)
            shutil.rmtree(target, ignore_errors=True)
            whole.rename(target)
    else:
        raise ValueError(f"{type(model).__name__} is of no family in aigc.models, nor of transformers with a tokenizer")
    files = [target] if target.is_file() else sorted(target.iterdir())
    sums = {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    with atomic(folder / "index.json") as partial:
        known = index(folder) if (folder / "index.json").exists() else {}
        partial.write_text(json.dumps(dict(sorted((known | {name: sums}).items())), indent=1) + "\n", encoding="utf-8")
    return target
