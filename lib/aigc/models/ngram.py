"""Markov chains by counting: the next symbol depends on the last few.

Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x, section 3.

An n-gram is stored as one integer, its digits in base V, so that the continuations of a context lie side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Markov:
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
            raise ValueError(
                f"the corpus never continues the context {list(context)[len(context) - self.order :]}: "
                "fit with alpha > 0, or take a lower order"
            )
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


def fit(sequences: Sequence[Sequence[int]], vocab: int, order: int, alpha: float = 0.0) -> Markov:
    """Count the grams of each sequence; none crosses from one sequence to the next.

    sequences: one or more, each (N,) of ids in 0 .. vocab-1. Raises ValueError if a size is impossible, if alpha is
    negative or not finite, if no sequence is longer than the order, or if the corpus has only one symbol.
    """
    if vocab < 2:
        raise ValueError(f"with {vocab} symbol nothing can be predicted: vocab must be at least 2")
    if order < 0 or vocab ** (order + 1) >= 2**63:
        raise ValueError(f"order must be 0 or more, with vocab ** (order + 1) below 2 ** 63: {vocab} ** ({order} + 1)")
    if not 0 <= alpha < np.inf:
        raise ValueError(f"alpha must be zero or a positive finite number, not {alpha}")
    if np.ndim(sequences[0] if len(sequences) else []) != 1:
        raise ValueError("sequences must be a list of sequences of ids, be it of one: fit([ids], ...)")
    sequences = [_checked(ids, vocab) for ids in sequences]
    grams = [codes(ids, vocab, order + 1) for ids in sequences if len(ids) > order]
    if not grams:
        raise ValueError(f"the corpus has no sequence longer than the order, {order}: nothing can be counted")
    if len(np.unique(np.concatenate(sequences))) < 2:
        raise ValueError("the corpus has only one symbol, so there is nothing to predict: give at least two")
    return Markov(vocab, order, float(alpha), *np.unique(np.concatenate(grams), return_counts=True))


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
