"""Proposes which chorales to hold out, so that no tune stands on two sides: `python -m tools.split`."""

import re
from importlib import import_module

import numpy as np

chorales = import_module("aigc.data.chorales")  # the package holds the function under this name


def propose_split(pieces: list[chorales.Chorale]) -> dict[str, str]:
    """The names of validation and test.

    Pieces belong together if they share a title in music21's list, or a catalogue number up to its hyphen, or any run
    in `tune_marks`. The groups, shuffled, go to validation and then to the test until each has a tenth of the pieces;
    groups of more than four are for training.
    """
    from music21.corpus.chorales import ChoraleListRKBWV

    titles = {f"bwv{number}": re.sub(r"\W", "", e["title"]).lower() for number, e in ChoraleListRKBWV().byBWV.items()}
    group, first = list(range(len(pieces))), {}
    for i, piece in enumerate(pieces):
        for mark in {piece.name.split("-")[0], titles.get(piece.name, i), *chorales.tune_marks(piece)}:
            one, other = group[i], group[first.setdefault(mark, i)]
            group = [min(one, other) if g in (one, other) else g for g in group]  # in whatever order marks come
    groups = [[p.name for p, g in zip(pieces, group, strict=True) if g == one] for one in sorted(set(group))]
    lists: dict[str, list[str]] = {name: [] for name in chorales.HELD_OUT}
    for i in np.random.default_rng(0).permutation(len(groups)):
        open_list = next((names for names in lists.values() if len(names) < len(pieces) / 10), None)
        if open_list is not None and len(groups[i]) <= 4:
            open_list += groups[i]
    return {split: " ".join(sorted(names)) for split, names in lists.items()}


if __name__ == "__main__":
    for split, names in propose_split(chorales.everything()).items():
        print(f"{split}: {names}")
