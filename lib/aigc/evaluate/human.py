"""What people's judgements say: whether they agree, who wins, and whom of a crowd to believe.

crowd-kit 1.4.2 has the last two as well. `dawid_skene` gives what it gives; its BradleyTerry stops after two rounds of
its iteration, far from the maximum, because it compares its scores with themselves.
"""

from collections.abc import Callable

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]


def nominal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """0 for the same value and 1 for any other: labels without an order."""
    return (a != b).astype(float)


def interval(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The squared difference: marks whose distances mean something."""
    return (a - b) ** 2


def alpha(marks: np.ndarray, distance: Distance = nominal) -> float:
    """Krippendorff's alpha, the agreement of raters beyond chance: 1 for full agreement, about 0 for chance.

    marks: (raters, items), nan where a rater gave none; distance: between values. One minus the disagreement within
    items over that of all marks, whoever gave them to whatever (Krippendorff 2011, "Computing Krippendorff's
    alpha-reliability"). Raises ValueError where no item has two marks, or where all marks are the same: then chance
    agrees too.
    """
    marks = np.asarray(marks, dtype=float)
    if marks.ndim != 2:
        raise ValueError(f"marks must be (raters, items), not of shape {marks.shape}")
    values = np.unique(marks[~np.isnan(marks)])
    counts = (marks[:, :, None] == values).sum(0).astype(float)  # (items, values)
    counts = counts[counts.sum(1) >= 2]  # one mark alone agrees with nothing
    if not len(counts):
        raise ValueError("no item has marks of two raters: nothing can agree")
    apart = distance(values[:, None], values[None, :])
    pairs = np.einsum("iv,iw,i->vw", counts, counts, 1 / (counts.sum(1) - 1))
    pairs -= np.diag((counts / (counts.sum(1, keepdims=True) - 1)).sum(0))  # of a mark with itself
    total = counts.sum(0)
    by_chance = (np.outer(total, total) * apart).sum() / (total.sum() - 1)
    if by_chance == 0:
        raise ValueError("all marks are the same: agreement cannot be told from chance")
    return float(1 - (pairs * apart).sum() / by_chance)


def bradley_terry(wins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The strengths that make the comparisons most probable, and their covariance: sigmoid(s_i - s_j) that i wins.

    wins: (K, K) counts, wins[i, j] of i over j (Bradley & Terry 1952, doi:10.1093/biomet/39.3-4.324). Returns
    strengths (K,), in logits, with mean 0, and their covariance (K, K) from the curvature of the likelihood: a
    difference of two has the variance C_ii + C_jj - 2 C_ij. A tie is half a win for each.
    Raises ValueError for other shapes, and where the players fall into two groups of which one never lost to the
    other: then no finite strength is the best (Ford 1957).
    """
    wins = np.asarray(wins, dtype=float)
    if wins.ndim != 2 or wins.shape[0] != wins.shape[1] or wins.shape[0] < 2 or (wins < 0).any():
        raise ValueError(f"wins must be (K, K) counts, K >= 2, not of shape {wins.shape}")
    wins = wins - np.diag(np.diag(wins))
    parts, _ = connected_components(wins > 0, connection="strong")
    if parts > 1:
        raise ValueError(
            f"the comparisons fall into {parts} groups, between which one side won all or none was compared: the "
            "strengths have no finite maximum. Compare more, or add half a win to each side"
        )
    games, strength = wins + wins.T, np.zeros(len(wins))
    everyone = np.ones_like(wins) / len(wins)  # makes the curvature regular: only differences count
    for _ in range(100):
        chance = expit(strength[:, None] - strength[None, :])
        slope = (wins - games * chance).sum(1)
        bend = games * chance * chance.T
        curvature = np.diag(bend.sum(1)) - bend
        step = np.linalg.solve(curvature + everyone, slope)
        strength += step / max(1.0, abs(step).max())  # Newton, never by more than one logit
        if abs(step).max() < 1e-10:
            break
    return strength - strength.mean(), np.linalg.inv(curvature + everyone) - everyone


def dawid_skene(labels: np.ndarray, classes: int, rounds: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Whom of a crowd to believe, by expectation and maximisation (Dawid & Skene 1979, doi:10.2307/2346806).

    labels: (items, workers) integers below `classes`, -1 where there is none. Begins with the shares of the votes.
    Returns the probability of each class (items, classes), and each worker's confusion (workers, classes, classes): of
    what is c, the share that this worker calls k. It finds a maximum near the majority: where most workers lie in the
    same way, it believes them. Raises ValueError for other labels, and for an item without any.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer) or labels.max() >= classes or labels.min() < -1:
        raise ValueError(f"labels must be (items, workers) integers from -1 to {classes - 1}")
    said = (labels[:, :, None] == np.arange(classes)).astype(float)  # (items, workers, classes)
    if not said.any(axis=(1, 2)).all():
        raise ValueError("each item needs at least one label")
    belief = said.sum(1) / said.sum((1, 2))[:, None]
    for _ in range(rounds):
        confusion = np.einsum("ic,iwk->wck", belief, said).clip(1e-10)
        confusion /= confusion.sum(2, keepdims=True)
        score = np.log(belief.mean(0).clip(1e-10)) + np.einsum("iwk,wck->ic", said, np.log(confusion))
        belief = np.exp(score - score.max(1, keepdims=True))
        belief /= belief.sum(1, keepdims=True)
    return belief, confusion
