"""Markov chains by counting: the next symbol depends on the last few.

`fit` adds a constant to each count (Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x, section 3);
`fit_kneser_ney` asks shorter and shorter contexts (Chen & Goodman 1999, doi:10.1006/csla.1999.0128).

An n-gram is stored as one integer, its digits in base V, so that the continuations of a context lie side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


class _Chain:
    """What every chain can do that gives `probabilities` of the next symbol from the last `order`."""

    vocab: int
    order: int

    def sample(
        self, length: int, rng: np.random.Generator, prompt: Sequence[int] = (), stop: int | None = None
    ) -> np.ndarray:
        """Draw up to `length` symbols after the prompt, (N,) int64; less only if `stop` was drawn, which ends it.

        prompt: at least `order` ids. Raises ValueError as `probabilities` does.
        """
        if length < 1:
            raise ValueError(f"length must be at least 1, not {length}")
        ids = _checked(prompt, self.vocab).tolist()
        begin = len(ids)
        for _ in range(length):
            p = self.probabilities(ids[max(0, len(ids) - self.order) :])
            ids.append(int(np.searchsorted(p.cumsum(), rng.random(), "right").clip(max=np.flatnonzero(p)[-1])))
            if ids[-1] == stop:
                break
        return np.array(ids[begin:], np.int64)


@dataclass(frozen=True)
class Markov(_Chain):
    """p(s | context) = (n(context, s) + alpha) / (n(context) + alpha V); a context is the last `order` symbols."""

    vocab: int  # V
    order: int
    alpha: float  # what is added to each count: 0 believes the corpus alone, infinity would believe nothing
    grams: np.ndarray  # (G,) int64, sorted: the grams of order + 1 symbols that occur
    counts: np.ndarray  # (G,) int64: how often

    def counts_after(self, context: Sequence[int]) -> np.ndarray:
        """How often each symbol followed, (V,) int64. context: at least `order` ids, of which the last count.

        Raises ValueError if the context is too short or holds other ids.
        """
        context = _checked(context, self.vocab)
        if len(context) < self.order:
            raise ValueError(f"order {self.order} needs a context of {self.order} symbols, not {len(context)}")
        code = 0
        for symbol in context[len(context) - self.order :].tolist():
            code = code * self.vocab + symbol
        start, stop = np.searchsorted(self.grams, [code * self.vocab, (code + 1) * self.vocab])
        n = np.zeros(self.vocab, np.int64)
        n[self.grams[start:stop] - code * self.vocab] = self.counts[start:stop]
        return n

    def probabilities(self, context: Sequence[int]) -> np.ndarray:
        """Of each possible next symbol, (V,) float64. context: at least `order` ids, of which the last count.

        Raises ValueError as `counts_after` does, and if the context was never seen and alpha is 0.
        """
        p = self.counts_after(context) + self.alpha
        if not p.any():
            last = list(context)[len(context) - self.order :]
            raise ValueError(f"the corpus never continues the context {last}: fit with alpha > 0, or a lower order")
        return p / p.sum()

    def log_prob(self, ids: Sequence[int]) -> np.ndarray:
        """Of each symbol given those before it, in nats. ids: (N,). Returns (N - order,): the first have no context.

        A gram that was never seen has -inf where alpha is 0. Raises ValueError if N <= order or an id is out of range.
        """
        ids = _checked(ids, self.vocab)
        if len(ids) <= self.order:
            raise ValueError(f"order {self.order} predicts from symbol {self.order + 1} on: {len(ids)} are too few")
        wanted = codes(ids, self.vocab, self.order + 1)
        place = np.searchsorted(self.grams, wanted).clip(max=len(self.grams) - 1)
        seen = np.where(self.grams[place] == wanted, self.counts[place], 0)
        contexts = self.grams // self.vocab  # sorted too
        before = np.concatenate([[0], self.counts.cumsum()])
        context = wanted // self.vocab
        total = before[np.searchsorted(contexts, context, "right")] - before[np.searchsorted(contexts, context)]
        mass = total + self.alpha * self.vocab
        with np.errstate(divide="ignore"):  # log 0 is -inf, and is meant
            return np.log(seen + self.alpha) - np.log(np.where(mass > 0, mass, 1))


@dataclass(frozen=True)
class KneserNey(_Chain):
    """p(s | c) = (n(cs) - D) / n(c) + back(c) p(s | c without its first symbol), and below order 0 stands 1 / V.

    D is small, and is taken from each count; back(c) is all that the context c lost by it. The highest order counts how
    often a gram occurs; the lower ones, which speak where it saw little, how many different symbols stood before it.
    """

    vocab: int  # V
    order: int
    discounts: np.ndarray  # (order + 1, M) float64: D for the counts 1, 2, .. M and more, from order 0 on
    grams: tuple[np.ndarray, ...]  # of each order from 0 on, (G,) int64, sorted: the grams that occur
    shares: tuple[np.ndarray, ...]  # (G,) float64: (n(cs) - D) / n(c)
    contexts: tuple[np.ndarray, ...]  # (C,) int64, sorted
    back: tuple[np.ndarray, ...]  # (C,) float64

    def probabilities(self, context: Sequence[int]) -> np.ndarray:
        """Of each possible next symbol, (V,) float64, none of them 0. context: at least `order` ids; the last count.

        Raises ValueError if the context is too short or holds other ids.
        """
        context = _checked(context, self.vocab)
        if len(context) < self.order:
            raise ValueError(f"order {self.order} needs a context of {self.order} symbols, not {len(context)}")
        same = np.tile(context[len(context) - self.order :], (self.vocab, 1))
        return self._of_last(np.column_stack([same, np.arange(self.vocab)]))

    def log_prob(self, ids: Sequence[int]) -> np.ndarray:
        """Of each symbol given those before it, in nats. ids: (N,). Returns (N - order,): the first have no context.

        Raises ValueError if N <= order or an id is out of range.
        """
        ids = _checked(ids, self.vocab)
        if len(ids) <= self.order:
            raise ValueError(f"order {self.order} predicts from symbol {self.order + 1} on: {len(ids)} are too few")
        return np.log(self._of_last(np.lib.stride_tricks.sliding_window_view(ids, self.order + 1)))

    def _of_last(self, runs: np.ndarray) -> np.ndarray:
        """p of the last symbol of each run given those before it. runs: (N, order + 1)."""
        p, code = np.full(len(runs), 1 / self.vocab), np.zeros(len(runs), np.int64)
        for n in range(self.order + 1):
            code = code + runs[:, self.order - n] * self.vocab**n  # one symbol further back
            share = _look_up(self.grams[n], self.shares[n], code, default=0.0)
            p = share + _look_up(self.contexts[n], self.back[n], code // self.vocab, default=1.0) * p
        return p


def fit(sequences: Sequence[Sequence[int]], vocab: int, order: int, alpha: float = 0.0) -> Markov:
    """Count the grams of each sequence; none crosses from one sequence to the next.

    sequences: one or more, each (N,) of ids in 0 .. vocab-1. Raises ValueError if a size is impossible, if alpha is
    negative or not finite, if no sequence is longer than the order, or if the corpus has only one symbol.
    """
    if not 0 <= alpha < np.inf:
        raise ValueError(f"alpha must be zero or a positive finite number, not {alpha}")
    grams = _all_grams(sequences, vocab, order)
    return Markov(vocab, order, float(alpha), *np.unique(grams, return_counts=True))


def fit_kneser_ney(sequences: Sequence[Sequence[int]], vocab: int, order: int, discounts: int = 3) -> KneserNey:
    """Interpolated Kneser-Ney; with three discounts an order, for counts of 1, 2 and more, the modified one.

    The discounts are estimated from how many grams have a count of 1, 2, 3 and 4 (Chen & Goodman 1999, section 3),
    j / 2 where too few have. discounts=1: one for all counts, as Kneser & Ney 1995, doi:10.1109/ICASSP.1995.479394.
    sequences and errors: as in `fit`; also ValueError for other discounts than 1 or 3.
    """
    if discounts not in (1, 3):
        raise ValueError(f"discounts must be 1 or 3, not {discounts}")
    grams, n = np.unique(_all_grams(sequences, vocab, order), return_counts=True)
    levels = [(grams, n)]
    for size in range(order, 0, -1):  # of the grams of the next level; each is met once for each symbol before it
        levels.append(np.unique(grams % vocab**size, return_counts=True))
        first = [codes(np.asarray(ids[:size]), vocab, size) for ids in sequences if len(ids) > size]  # none before it
        grams = np.unique(np.concatenate([levels[-1][0], *first]))
    D = np.stack([_discounts(n, discounts) for _, n in reversed(levels)])
    parts = [_shares(*level, vocab, d) for level, d in zip(reversed(levels), D)]
    return KneserNey(vocab, order, D, *zip(*parts))


def _discounts(n: np.ndarray, how_many: int) -> np.ndarray:
    """For the counts 1 .. how_many, (how_many,), each between 0 and the count. n: (G,) counts."""
    of = np.bincount(n.clip(max=5), minlength=6)  # of[j]: how many grams were counted j times
    j = np.arange(1, how_many + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = j - (j + 1) * (of[1] / (of[1] + 2 * of[2])) * of[j + 1] / of[j]
    return np.where((estimate > 0) & (estimate < j), estimate, j / 2)


def _shares(grams: np.ndarray, n: np.ndarray, vocab: int, D: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of one order: the grams, (n(cs) - D) / n(c) for each, their contexts, and what each context lost."""
    contexts, place = np.unique(grams // vocab, return_inverse=True)
    d = D[n.clip(max=len(D)) - 1]
    total = np.bincount(place, n)
    return grams, (n - d) / total[place], contexts, np.bincount(place, d) / total


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray, default: float) -> np.ndarray:
    place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], default)


def _all_grams(sequences: Sequence[Sequence[int]], vocab: int, order: int) -> np.ndarray:
    """The grams of order + 1 symbols of all sequences, with repetition. Raises ValueError as `fit` says."""
    if vocab < 2:
        raise ValueError(f"with {vocab} symbol nothing can be predicted: vocab must be at least 2")
    if order < 0 or vocab ** (order + 1) >= 2**63:
        raise ValueError(f"order must be 0 or more, with vocab ** (order + 1) below 2 ** 63: {vocab} ** ({order} + 1)")
    if np.ndim(sequences[0] if len(sequences) else []) != 1:
        raise ValueError("sequences must be a list of sequences of ids, be it of one: fit([ids], ...)")
    sequences = [_checked(ids, vocab) for ids in sequences]
    grams = [codes(ids, vocab, order + 1) for ids in sequences if len(ids) > order]
    if not grams:
        raise ValueError(f"the corpus has no sequence longer than the order, {order}: nothing can be counted")
    if len(np.unique(np.concatenate(sequences))) < 2:
        raise ValueError("the corpus has only one symbol, so there is nothing to predict: give at least two")
    return np.concatenate(grams)


def codes(ids: np.ndarray, vocab: int, n: int) -> np.ndarray:
    """Each run of n symbols as one number in base V. ids: (N,). Returns (N - n + 1,) int64."""
    code = np.zeros(len(ids) - n + 1, np.int64)
    for i in range(n):
        code = code * vocab + ids[i : len(ids) - n + 1 + i]
    return code


def _checked(ids: Sequence[int], vocab: int) -> np.ndarray:
    array = np.asarray(ids)
    if array.size == 0:
        return np.zeros(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"ids must be a sequence of integers, not {array.dtype} of shape {array.shape}")
    if array.min() < 0 or array.max() >= vocab:
        raise ValueError(f"ids must lie in 0 .. {vocab - 1}, got {array.min()} .. {array.max()}")
    return array.astype(np.int64)
