"""How much a generator's works differ from each other, and how much of them was copied."""

from collections.abc import Sequence

import numpy as np


def distinct(tokens: Sequence, n: int) -> float:
    """The number of different n-grams over that of all, in (0, 1]: "distinct-n" (Li et al. 2016, arXiv:1510.03055).

    They divide by the number of tokens. It falls with the length of a text, whoever wrote it: compare equal lengths.
    Raises ValueError where there is no n-gram.
    """
    if n < 1 or len(tokens) < n:
        raise ValueError(f"{len(tokens)} tokens have no {n}-gram")
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return len(set(grams)) / len(grams)


def self_bleu(texts: Sequence[str], tokenize: str = "13a") -> float:
    """The mean BLEU of each text with all others as its references, 0 .. 100 (Zhu et al. 2018, arXiv:1802.01886).

    High where a generator repeats itself. tokenize: sacrebleu's, such as "zh". A text of fewer than four words is
    judged by the n-grams that it has. Raises ValueError for fewer than two texts.
    """
    if len(texts) < 2:
        raise ValueError(f"self-BLEU compares texts with each other; {len(texts)} is too few")
    from sacrebleu.metrics import BLEU  # here: chapter 00 asks for copies only, and need not wait for it

    bleu = BLEU(effective_order=True, tokenize=tokenize)
    others = lambda i: [text for j, text in enumerate(texts) if j != i]
    return float(np.mean([bleu.sentence_score(text, others(i)).score for i, text in enumerate(texts)]))


def vendi(similarity: np.ndarray) -> float:
    """How many works that are altogether unlike would be as various (Friedman & Dieng 2023, arXiv:2210.02410).

    similarity: (N, N), symmetric, positive semidefinite, with ones on its diagonal. The exponential of the entropy of
    the eigenvalues of similarity / N: 1 where all are alike, N where none is like another.
    Raises ValueError for another matrix.
    """
    K = np.asarray(similarity, dtype=float)
    if K.ndim != 2 or K.shape[0] != K.shape[1] or not np.allclose(K, K.T) or not np.allclose(np.diag(K), 1):
        raise ValueError(f"similarity must be symmetric with ones on its diagonal, this one has the shape {K.shape}")
    weights = np.linalg.eigvalsh(K / len(K))
    if weights.min() < -1e-6:
        raise ValueError(f"similarity has an eigenvalue below 0, {weights.min():.2g}: it is no product of features")
    weights = weights[weights > 1e-12]
    return float(np.exp(-(weights * np.log(weights)).sum()))


def longest_copy(text: str, corpus: str) -> str:
    """The longest piece of the text that stands in the corpus, letter by letter; the first of several.

    Takes about 0.3 ms for each letter of the text and million letters of the corpus.
    """
    best = ""
    for start in range(len(text)):
        while start + len(best) < len(text) and text[start : start + len(best) + 1] in corpus:
            best = text[start : start + len(best) + 1]
    return best
