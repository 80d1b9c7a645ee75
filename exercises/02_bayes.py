# %% [markdown]
# # 02 · Bayes' formula: exercises
#
# Run the cells before the first exercise, then take the exercises in any order. *Verify*: write what the chapter
# derived. *Modify*: change it. *Investigate*: find out something that the chapter did not say. *Build*: a whole
# machine, in steps. *Debug*: find a fault by measuring. *Challenge*: an open score. No function changes what it is
# given. Each check tells you what it expected; when it is silent, you are done, and the cell below it plays with what
# you wrote.

# %%
import json
import math
import re
from collections import Counter
from itertools import pairwise, product

import numpy as np
import torch
from scipy.special import log_softmax, logsumexp, softmax

from aigc import course, data
from aigc.codecs.text import CharCodec
from aigc.models import ngram


# %%
def black_and_white(split):
    images, digit = data.digits(split)
    return (images > 127).reshape(len(images), -1).astype(float), digit


ink, digit = black_and_white("train")
theta = np.array([(ink[digit == y].sum(0) + 0.5) / ((digit == y).sum() + 1) for y in range(10)])
images, answer = black_and_white("test")


# %%
def sentences(split):
    spoken = re.sub(r"^[^a-z\n]+:$", "", data.shakespeare(split), flags=re.MULTILINE).lower()
    parts = [re.findall(r"[a-z][a-z']*", part) for part in re.split(r"[.?!;:]|--|\n\n", spoken)]
    return [part for part in parts if part]


# %%
# what 02.10 needs: the chapter's typist, and what may be learnt from
LETTERS = "abcdefghijklmnopqrstuvwxyz"
read, single, double = sentences("train"), Counter(), Counter()
for part in read:
    single.update(part)
    double.update(pairwise([".", *part]))
rows = ["qwertyuiop", "asdfghjkl'", "zxcvbnm"]
place = {c: (x + 0.4 * y, y) for y, row in enumerate(rows) for x, c in enumerate(row)}
beside = {a: [b for b in sorted(place) if a != b and math.dist(place[a], place[b]) < 1.25] for a in place}


# %%
def typist(word, rng):
    if len(word) < 2 or rng.random() > 0.1:
        return word
    i, slip = rng.integers(len(word)), rng.choice(4, p=[0.5, 0.2, 0.15, 0.15])
    if slip == 0:
        return word[:i] + str(rng.choice(beside[word[i]])) + word[i + 1 :]
    if slip == 1:
        return word[:i] + word[i + 1 :]
    if slip == 2:
        return word[:i] + word[i] + word[i:]
    i = rng.integers(len(word) - 1)
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]


rng = np.random.default_rng(1)
copied = [(word, typist(word, rng)) for part in sentences("validation") for word in part]


# %%
def received(shape, what, function, *arguments):
    """For the checks: what a function returns, as numbers of this shape, without NumPy's warnings on the way."""
    with np.errstate(all="ignore"):
        return course.numbers(course.attempt(function, *arguments), what, shape)


def table(what, function, *arguments):
    """For the checks: a dictionary from texts to probabilities; or, in words, what was expected."""
    got = course.attempt(function, *arguments)
    assert isinstance(got, dict), f"return a dictionary, {what}; this was of the type {type(got).__name__}"
    assert all(isinstance(key, str) for key in got), f"the keys are texts: {what}"
    assert all(np.ndim(p) == 0 and not isinstance(p, str) for p in got.values()), f"the values are numbers: {what}"
    return {key: float(p) for key, p in got.items()}


# %% [markdown]
# ## 02.1 · verify · 10 min · ●○○○○ · A posterior from counts
#
# *Chapter 02: [1 · An apprentice](../chapters/02_bayes.ipynb#1-·-An-apprentice)*
#
# Out of 1000 people who wrote to a theatre, 20 were poets and 980 were not. Of the 20 poets, 15 wrote in verse; of the
# 980 others, 49 did. Write `posterior(prior, likelihood)`, equation (2.1).
#
# `prior`: (X,), $p(x)$, summing to one. `likelihood`: (X,), $p(y \mid x)$ of the $y$ that was seen, and at least one
# $x$ can have given it. X is 1 or more. Returns (X,), and leaves the two as they were.
# Pencil first: a letter in verse comes. How many such letters are there, and how many are by poets?

# %% nbgrader={"grade": false, "grade_id": "02-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def posterior(prior, likelihood):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_posterior(posterior):
    def at(prior, likelihood):
        return received((len(prior),), "one probability for each x", posterior, np.array(prior), np.array(likelihood))

    p = at([0.02, 0.98], [0.75, 0.05])
    assert np.isfinite(p).all(), f"finite numbers, not {p}"
    assert not np.allclose(p, [0.015, 0.049]), "this is the joint probability: divide by the evidence, its sum over x"
    assert not np.allclose(p, [0.75 / 0.8, 0.05 / 0.8]), "poets are rare: the prior is forgotten"
    assert not np.allclose(p, [0.02, 0.98]), "the letter changes nothing in your answer: the likelihood is missing"
    assert set(p) != {0, 1}, "a posterior is a distribution: it says how probable, not only which is the most probable"
    assert np.isclose(p.sum(), 1), "the evidence is the sum of prior times likelihood, not of the likelihoods alone"
    assert not np.isclose(p[0], 0.77 / 1.8), "both must hold, a poet and verse: multiply, do not add"
    e = np.exp([0.015, 0.049])
    assert not np.allclose(p, e / e.sum()), "these are probabilities already, no logarithms: divide, without an exp"
    assert np.isclose(p[0], 15 / 64), f"64 letters are in verse, 15 of them by poets: 15 / 64 = 0.234375, not {p[0]}"
    three = at([0.5, 0.25, 0.25], [0.0, 0.1, 0.3])
    assert np.allclose(three, [0, 0.25, 0.75]), (
        f"what cannot give this y has posterior 0; the others share the rest: [0, 0.25, 0.75], not {three}"
    )
    assert np.allclose(at([1.0], [0.3]), [1]), "only one x is possible: its posterior is 1"
    tiny = at([0.5, 0.5], [1e-300, 3e-300])
    assert np.allclose(tiny, [0.25, 0.75]), (
        f"likelihoods of 1e-300 and 3e-300: still 1 to 3, not {tiny}. Add nothing to the evidence, and round nothing"
    )
    dice = np.random.default_rng(1)
    for size in (2, 4, 7):
        prior, likelihood = dice.dirichlet(np.ones(size)), dice.random(size)
        evidence = math.fsum(prior * likelihood)
        wanted = [a * b / evidence for a, b in zip(prior, likelihood)]
        assert np.allclose(at(prior, likelihood), wanted), f"{size} values of x, each by (2.1): {np.round(wanted, 3)}"


check_posterior(posterior)

# %% tags=["raises-exception"]
for poets in (0.001, 0.02, 0.2):
    p = posterior(np.array([poets, 1 - poets]), np.array([0.75, 0.05]))
    print(f"poets among all {poets:.1%}, among those who write in verse {p[0]:.1%}")


# %% [markdown]
# ## 02.2 · verify · 15 min · ●●○○○ · Hundreds of factors
#
# *Chapter 02: [5 · Digits, read by a machine that can only draw](../chapters/02_bayes.ipynb#5-·-Digits,-read-by-a-machine-that-can-only-draw)*
#
# Naive Bayes multiplies 784 factors. Write `log_posterior(log_prior, log_likelihood)`, equation (2.2), so that nothing
# is lost on the way: where the logarithm of a posterior is -800, the answer is -800.
#
# `log_prior`: (Y,); it may hold `-inf`, for a digit that never comes. `log_likelihood`: (N, Y), finite, one row a
# picture, in nats, often below -500; N may be 0. Returns (N, Y), nats.

# %% nbgrader={"grade": false, "grade_id": "02-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_posterior(log_prior, log_likelihood):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_log_posterior(log_posterior):
    def at(log_prior, log_likelihood):
        given = np.array(log_likelihood, dtype=float)
        return received(given.shape, "one number for each picture and digit", log_posterior, np.array(log_prior), given)

    log_prior = np.log([0.5, 0.25, 0.25])
    log_likelihood = np.log([[0.1, 0.2, 0.2], [0.9, 0.3, 0.6]])
    near = at(log_prior, log_likelihood)
    assert (np.nan_to_num(near) <= 1e-6).all(), "a logarithm of a probability is never above 0: return logarithms"
    assert not np.allclose(np.exp(near).sum(0), 1), "each picture is a row: normalise over the digits, the last axis"
    assert np.allclose(np.exp(near).sum(1), 1), "each row must be a distribution: subtract the logarithm of its sum"
    assert not np.allclose(near[0], np.log([0.2, 0.4, 0.4])), "the prior of the first digit is higher: add log_prior"
    assert np.allclose(near[0], np.log([1 / 3, 1 / 3, 1 / 3])), "0.5 x 0.1 and 0.25 x 0.2 are equal, so each gets 1/3"
    shift = np.array([[500], [3000]])  # another one for each picture
    down, up = at(log_prior, log_likelihood - shift), at(log_prior, log_likelihood + shift)
    assert np.isfinite(down).all(), (
        f"exp(-3000) is 0 in a computer, which is where this row lies: subtract the largest of each row; not {down[1]}"
    )
    assert np.isfinite(up).all(), "exp(3000) is inf in a computer: subtract the largest of each row before any exp"
    assert np.allclose(near, down) and np.allclose(near, up), (
        "a factor common to all digits of a picture cancels: it must change nothing"
    )
    gap = [[0.0, -800.0, -1600.0], [-1600.0, 0.0, -800.0]]
    got = at(np.log([1 / 3, 1 / 3, 1 / 3]), gap)
    assert np.isfinite(got).all(), (
        f"the answer is {gap[0]}, not {got[0]}. A probability of exp(-800) is 0 in a computer, its logarithm is lost: "
        "never go to probabilities and back; (2.2) subtracts one number from each row of logarithms"
    )
    assert np.allclose(got, gap), f"the answer is {gap[0]}, not {got[0]}: nothing is cut off and nothing is added"
    never = at([np.log(0.5), np.log(0.5), -np.inf], [[-900.0, -900.0, -5.0]])
    assert np.allclose(never, [[np.log(0.5), np.log(0.5), -np.inf]]), (
        f"a digit that never comes, with a prior of log 0 = -inf, stays at -inf; the others share the rest: not {never}"
    )
    dice = np.random.default_rng(1)
    for n, y in ((1, 1), (1, 3), (4, 4), (5, 10), (0, 3)):
        prior, likelihood = np.log(dice.dirichlet(np.ones(y))), -1000 * dice.random((n, y))
        joint = [[a + b for a, b in zip(prior, row)] for row in likelihood]
        wanted = [[a - max(r) - math.log(math.fsum(math.exp(b - max(r)) for b in r)) for a in r] for r in joint]
        assert np.allclose(at(prior, likelihood), np.reshape(wanted, (n, y))), (
            f"{n} pictures, {y} digits: the prior of a digit belongs to its column, and each row is for itself"
        )


check_log_posterior(log_posterior)

# %% tags=["raises-exception"]
likelihood = images @ np.log(theta).T + (1 - images) @ np.log(1 - theta).T
belief = log_posterior(np.log(np.full(10, 0.1)), likelihood)
print(f"the smallest log-likelihood of all: {likelihood.min():.0f}; right: {np.mean(belief.argmax(1) == answer):.0%}")
print(f"the smallest log-posterior: {belief.min():.0f}, of a digit that is not quite impossible")


# %% [markdown]
# ## 02.3 · modify · 15 min · ●●○○○ · What cannot be seen
#
# *Chapter 02: [5 · Digits, read by a machine that can only draw](../chapters/02_bayes.ipynb#5-·-Digits,-read-by-a-machine-that-can-only-draw)*
#
# A drop of coffee has fallen on the picture. Write `log_likelihood(theta, image, visible)`: the logarithm of the chance
# of the *visible* pixels, for each digit, equation (2.9) without the factors that we do not know.
#
# `theta`: (Y, P), chances of ink, above 0 and below 1. `image`: (P,) of 1 and 0, but `nan` where the coffee is.
# `visible`: (P,), True where the pixel can be seen; there may be hundreds of them, or none, and then there is no
# factor. Returns (Y,), nats.

# %% nbgrader={"grade": false, "grade_id": "02-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_likelihood(theta, image, visible):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_log_likelihood(log_likelihood):
    def at(theta, image, visible):
        given = np.array(theta), np.array(image), np.array(visible)
        return received((len(theta),), "one number for each digit", log_likelihood, *given)

    chance = np.array([[0.9, 0.5, 0.2, 0.6], [0.1, 0.5, 0.7, 0.6], [0.3, 0.2, 0.4, 0.8]])
    got = at(chance, [1, np.nan, 0, np.nan], [True, False, True, False])
    assert np.isfinite(got).all(), "a hidden pixel is nan: choose the visible ones before you calculate"
    assert (got <= 0).all(), "a logarithm of a probability is never above 0"
    right = np.log([0.9 * 0.8, 0.1 * 0.3, 0.3 * 0.6])
    white = np.log([0.9 * 0.5 * 0.8 * 0.4, 0.1 * 0.5 * 0.3 * 0.4, 0.3 * 0.8 * 0.6 * 0.2])
    assert not np.allclose(got, white), "you took the hidden pixels for white paper: leave their factors out"
    assert not np.allclose(got, np.log([0.9, 0.1, 0.3])), (
        "white pixels are evidence too: 1 - theta where there is no ink"
    )
    assert not np.allclose(got, right / 2), "a sum of logarithms, not their mean"
    assert not np.allclose(got, right + 2 * np.log(0.5)), (
        "an unknown pixel is no coin: summed over ink and paper, its factor is 1, not 1/2"
    )
    assert not np.allclose(got, np.log([0.1 * 0.2, 0.9 * 0.7, 0.7 * 0.4])), "theta is the chance of *ink*, which is 1"
    assert not np.allclose(got, np.exp(right)), "this is the chance itself: its logarithm is asked for"
    assert not np.allclose(got, right / np.log(2)), "in nats, not in bits: the natural logarithm"
    assert np.allclose(got, right), (
        f"0.9 x 0.8 for the first digit, whose logarithm is {right[0]:.4f}, not {got[0]:.4f}"
    )
    none = at(chance, [np.nan] * 4, [False] * 4)
    assert np.allclose(none, 0), f"nothing can be seen: a product without factors is 1, its logarithm 0, not {none}"
    every = at(chance[:2], [1, 1, 0, 0], [True] * 4)
    wanted = np.log([0.9 * 0.5 * 0.8 * 0.4, 0.1 * 0.5 * 0.3 * 0.4])
    assert np.allclose(every, wanted), f"two digits, and all four pixels seen: {np.round(wanted, 3)}, not {every}"
    rare = at([[1e-12], [0.5], [1 - 1e-9]], [1.0], [True])
    assert np.allclose(rare, np.log([1e-12, 0.5, 1])), (
        f"a chance of 1e-12 is small, but it is given: {np.log(1e-12):.2f}, not {rare[0]:.2f}. Cut nothing off"
    )
    dice = np.random.default_rng(1)
    for digits, pixels in ((2, 5), (3, 30), (10, 784), (1, 3000)):
        theta = dice.uniform(0.01, 0.99, (digits, pixels))
        visible = dice.random(pixels) < 0.7
        image = np.where(visible, dice.random(pixels) < 0.4, np.nan)
        got = at(theta, image, visible)
        assert np.isfinite(got).all(), (
            f"{visible.sum()} visible pixels: their product is 0 in a computer, before you take its logarithm. Add up "
            "the logarithms of the factors"
        )
        wanted = [sum(math.log(t if x == 1 else 1 - t) for t, x in zip(row, image) if x == x) for row in theta]
        assert np.allclose(got, wanted), (
            f"{digits} digits, {visible.sum()} of {pixels} pixels seen: each with its own theta; {wanted[0]:.3f} for "
            f"the first digit, not {got[0]:.3f}"
        )


check_log_likelihood(log_likelihood)

# %% tags=["raises-exception"]
rng = np.random.default_rng(0)
for part in (1.0, 0.3, 0.1, 0.03, 0.01):
    right = []
    for picture, y in zip(images, answer):
        visible = rng.random(784) < part
        right.append(np.argmax(log_likelihood(theta, np.where(visible, picture, np.nan), visible)) == y)
    print(f"{part:>4.0%} of the pixels seen: {np.mean(right):.0%} read rightly")


# %% [markdown]
# ## 02.4 · modify · 15 min · ●●○○○ · The channel, the right way round
#
# *Chapter 02: [6 · The noisy channel](../chapters/02_bayes.ipynb#6-·-The-noisy-channel)*
#
# A typist copied some words many times; `pairs[w, s]` counts how often she was given word $w$ and typed $s$. Now she
# types another book, in which the words are *not* as frequent as in the copying test. Write `correct(pairs, prior, s)`:
# the number of the word that was most probably meant when $s$ stands on the page.
#
# `pairs`: (W, W) counts, each row with at least one. `prior`: (W,), how often each word is *meant* in the book, as a
# share or as a count. `s`: the number of the word typed; some word of the book can have become it. Returns one whole
# number; of words that are equally probable, any one.

# %% nbgrader={"grade": false, "grade_id": "02-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def correct(pairs, prior, s):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_correct(correct):
    def at(pairs, prior, s):
        got = float(received((), "return the number of one word", correct, np.array(pairs), np.array(prior), s))
        assert got in range(len(pairs)), f"the number of a word is whole, from 0 to {len(pairs) - 1}: not {got}"
        return int(got)

    pairs = [[80, 20, 0], [300, 600, 100], [0, 30, 70]]
    prior, flat = [0.5, 0.1, 0.4], [1 / 3] * 3
    assert at([[3]], [1.0], 0) == 0, "a language of one word: it was word 0"
    assert at(pairs, prior, 0) != 1, "the test had ten times as many of word 1, the book has not: use p(s | w)"
    assert at(pairs, prior, 0) != 2, "word 2 never became word 0: which is the word that became it *most* probably?"
    assert at(pairs, flat, 2) != 1, "the counts still hold the prior of the test: divide each row by its sum first"
    assert at(pairs, flat, 2) != 0, "word 0 never becomes word 2: the channel is missing"
    assert at([[9, 1], [80, 20]], [0.5, 0.5], 0) == 0, (
        "of 10 times word 0, 9 became word 0; of 100 times word 1, 80: divide each row by its *own* sum"
    )
    assert at([[1, 99], [60, 40]], [0.9, 0.1], 0) == 1, (
        "0.01 x 0.9 is less than 0.6 x 0.1: both must hold, so multiply channel and prior, each once"
    )
    assert at(pairs, prior, 1) != 1, "0.6 x 0.1 is less than 0.3 x 0.4: the prior of the book must count"
    assert at(pairs, prior, 1) != 0, "the channel reversed: what s becomes is a row, what becomes s is a column"
    assert at(pairs, [0.001, 0.001, 0.998], 0) == 0, "word 2 never becomes word 0, however frequent it is"
    assert at(pairs, [5, 1, 4], 1) == 2, "the prior as counts, 5 : 1 : 4, decides as the same prior in shares"
    assert at([[1, 1], [1, 1]], [0.5, 0.5], 1) in (0, 1), "two words are equally probable: either is right"
    tiny = at([[1, 999_999], [0, 5]], [1e-300, 1.0], 0)
    assert tiny == 0, "word 0 is very rare, but only word 0 can become word 0: do not add anything to the counts"
    dice = np.random.default_rng(1)
    for size in (2, 3, 4, 6) * 3:
        pairs, prior = dice.integers(1, 100, (size, size)), dice.dirichlet(np.ones(size))
        for s in range(size):
            value = [prior[w] * pairs[w, s] / sum(pairs[w]) for w in range(size)]
            got = at(pairs, prior, s)
            assert math.isclose(value[got], max(value)), (
                f"{size} words, and word {s} typed: word {int(np.argmax(value))} is more probable than word {got}"
            )


check_correct(correct)

# %% tags=["raises-exception"]
pairs = np.array([[80, 20, 0], [300, 600, 100], [0, 30, 70]])
for prior in ([0.1, 0.8, 0.1], [0.5, 0.1, 0.4], [0.05, 0.05, 0.9]):
    print("prior", prior, " typed 0, 1, 2  meant", [int(correct(pairs, np.array(prior), s)) for s in range(3)])


# %% [markdown]
# ## 02.5 · modify · 15 min · ●●○○○ · Turn a chain round
#
# *Chapter 02: [4 · Your own rhymes, from the last word to the first](../chapters/02_bayes.ipynb#4-·-Your-own-rhymes,-from-the-last-word-to-the-first)*
#
# `table[a, b]` says how probable letter $b$ is after letter $a$, and `often[a]` how often $a$ occurs. Write
# `turn(table, often)`: how probable letter $a$ is *before* letter $b$, equation (2.8) for order 1.
#
# `table`: (V, V), rows summing to one. `often`: (V,), summing to one. Each letter comes after some other, so that no
# evidence is zero. Returns (V, V), of which row $b$ is a distribution over what stood before $b$.

# %% nbgrader={"grade": false, "grade_id": "02-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def turn(table, often):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_turn(turn):
    def at(table, often):
        return received(np.shape(table), "one chance for each pair of letters", turn, np.array(table), np.array(often))

    table, often = np.array([[0.2, 0.8, 0.0], [0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]), np.array([0.5, 0.4, 0.1])
    back = at(table, often)
    assert not np.allclose(back, table.T), (
        "a transposed table is not yet a distribution: it lacks the prior and the evidence"
    )
    assert not np.allclose(back, (table / table.sum(0)).T), (
        "frequent letters stand before anything more often: the prior"
    )
    assert not np.allclose(back, (table.T * often) / often[:, None]), (
        "the evidence of b is how often b comes *after a letter*, a sum over a; `often` of b is something else here"
    )
    assert not np.allclose(back.sum(0), 1) or np.allclose(back.sum(1), 1), (
        "the answer is upside down: row b is about what stood before b"
    )
    assert np.allclose(back.sum(1), 1), "each row must sum to one: divide by how often b comes next"
    assert np.allclose(back[1], [0.8, 0.2, 0]), (
        f"before letter 1: 0.5 x 0.8 against 0.4 x 0.25, which is 4 : 1; not {back[1]}"
    )
    assert np.allclose(at([[1.0]], [1.0]), [[1]]), "an alphabet of one letter: it stood before itself"
    rare = at([[0.5, 0.5], [1.0, 0.0]], [1e-300, 1 - 1e-300])
    assert np.allclose(rare, [[0, 1], [1, 0]]), (
        f"letter 0 is as rare as 1e-300, but only letter 0 comes before letter 1: {[1, 0]}, not {rare[1]}. Add nothing"
    )
    long_run = np.linalg.matrix_power(table, 500)[0]
    again = at(at(table, long_run), long_run)
    assert np.allclose(again, table), "turned twice, a chain in its long run must be what it was"
    dice = np.random.default_rng(1)
    for size in (2, 4, 9):
        table, often = dice.dirichlet(np.ones(size), size), dice.dirichlet(np.ones(size))
        pairs = [[often[a] * table[a, b] for a in range(size)] for b in range(size)]  # p(a, b), row b
        wanted = [[p / math.fsum(row) for p in row] for row in pairs]
        assert np.allclose(at(table, often), wanted), f"{size} letters: row b is p(a, b) for each a, by its own sum"


check_turn(turn)

# %% tags=["raises-exception"]
play = data.shakespeare()
codec = CharCodec.train(play)
text, V = np.array(codec.encode(play)), len(codec.vocab)
counts = np.bincount(text[:-1] * V + text[1:], minlength=V * V).reshape(V, V)
back = np.asarray(turn(counts / counts.sum(1, keepdims=True), counts.sum(1) / counts.sum()))
for letter in "qhx\n":
    before, following = (row[codec.encode(letter)[0]].argsort()[::-1][:3] for row in (back, counts))
    before, following = ([codec.decode([i]) for i in ids] for ids in (before, following))
    print(f"{letter!r:<5} before it: {before}, after it: {following}")
reverse = ngram.fit([text[::-1]], V, 1)
assert np.allclose(back[codec.encode("q")[0]], reverse.probabilities(codec.encode("q")))

# %% [markdown]
# ## 02.6 · investigate · 25 min · ●●●○○ · Where does the weight belong?
#
# *Chapter 02: [7 · A wish, pulled through noise](../chapters/02_bayes.ipynb#7-·-A-wish,-pulled-through-noise)*
#
# Prior: $x$ is Gaussian with mean 0 and variance 1. A thermometer says $y = 2$, with Gaussian noise of variance 1. Then
# $\nabla \log p(x) = -x$, and $\nabla \log p(y \mid x) = 2 - x$.
#
# Write `guided(score, pull, weight)`: the score that a guided sampler follows, (2.12) with the weight in front of the
# classifier's pull, as in (2.13). Predict, with a pencil: which mean and which variance has the Gaussian with this
# score, for the weights 0, 1 and 3?
#
# `score`, `pull`: (N,), of any length. `weight`: a number, 0 or more. Returns (N,).

# %% tags=["prediction"]
guess_02_6 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "02-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def guided(score, pull, weight):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_guided(guided):
    def at(score, pull, weight):
        score, pull = np.array(score, dtype=float), np.array(pull, dtype=float)
        return received(score.shape, "one number for each x", guided, score, pull, weight)

    x = np.array([-1.0, 0.0, 0.5, 2.0])
    score, pull = -x, 2 - x
    three = at(score, pull, 3.0)
    assert not np.allclose(three, 3 * score + pull), "the weight belongs to the classifier, not to the score"
    assert not np.allclose(three, 3 * (score + pull)), "weight 3 is not the posterior cooled: leave the score alone"
    assert not np.allclose(three, score + 9 * pull), "weight 3 pulls three times as hard, not nine times"
    assert not np.allclose(three, score + pull / 3), "a larger weight pulls harder: multiply, do not divide"
    zero = at(score, pull, 0.0)
    assert np.allclose(zero, score), f"weight 0 must leave the generator as it is: {score}, not {zero}"
    one = at(score, pull, 1.0)
    assert not np.allclose(one, score - pull), "the pull leads to where y is more probable: add it, do not subtract it"
    assert not np.allclose(one, pull), "at weight 1 the score must still be there: this is no mixture of the two"
    assert np.allclose(one, score + pull), "weight 1 must be Bayes' formula: the sum of the two"
    assert np.allclose(three, score + 3 * pull), (
        f"three times the pull, once the score: {score + 3 * pull}, not {three}"
    )
    half = at(score, pull, 0.5)
    assert np.allclose(half, score + pull / 2), f"weights need not be whole: at 0.5 half the pull, not {half}"
    assert np.allclose(at([4.0], [-1.0], 2), [2]), "one x, and a weight that is a whole number: 4 - 2 x 1 = 2"
    assert at([], [], 1.0).size == 0, "no x, no number"
    dice = np.random.default_rng(1)
    for n, weight in ((3, 0.1), (5, 7.5), (50, 800.0)):
        score, pull = dice.normal(size=(2, n))
        wanted = [s + weight * g for s, g in zip(score, pull)]
        assert np.allclose(at(score, pull, weight), wanted), (
            f"any scores and pulls, weight {weight}: for the first, {score[0]:.3f} and {pull[0]:.3f}, {wanted[0]:.3f}"
        )


check_guided(guided)

# %% tags=["raises-exception"]
rng = np.random.default_rng(0)
found = {}
for weight in (0.0, 1.0, 3.0):
    x, h = rng.normal(size=50_000), 0.01
    for _ in range(800):  # Langevin: a step along the score, and noise (Song et al. 2021)
        x = x + h * np.asarray(guided(-x, 2 - x, weight)) + np.sqrt(2 * h) * rng.normal(size=len(x))
    found[weight] = x.mean(), x.var()
    print(f"weight {weight:.0f}: mean {round(x.mean(), 2) + 0.0:.2f}, variance {x.var():.2f}")
print(f"you said: {guess_02_6}")

# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# The score is $-x + w(2 - x) = -(1 + w)\,(x - 2w/(1 + w))$: a Gaussian with the mean $2w/(1 + w)$ and the variance
# $1/(1 + w)$. Here the noise level does not change, and weight 3 gives exactly $p(x)\,p(y \mid x)^3$: as if three
# thermometers had said the same. In the chapter's sampler the noise level falls from 1 to 0 on the way, and there
# weight 2 met no such target. Sharpening is Bayes' formula for evidence that nobody has given.
#
# </details>

# %% tags=["raises-exception"]
for weight, (mean, variance) in found.items():
    assert abs(mean - 2 * weight / (1 + weight)) < 0.02 and abs(variance - 1 / (1 + weight)) < 0.02

# %% [markdown]
# ## 02.7 · investigate · 25 min · ●●●○○ · What would attention have to believe?
#
# *Chapter 02: [3 · A row of attention is a posterior of what?](../chapters/02_bayes.ipynb#3-·-A-row-of-attention-is-a-posterior-of-what?)*
#
# By (2.6) a row of attention is the posterior of somebody who believed beforehand that some positions are more
# probable. Write `implied_prior(keys)`: what he believed.
#
# `keys`: (S, d), with S and d 1 or more, and of any length. Returns (S,), summing to one. Predict: with keys of
# Gaussian numbers, $d = 64$ and 100 positions, in how many positions does he believe? (The number is the exponential of
# the prior's entropy, in nats.)

# %% tags=["prediction"]
guess_02_7 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "02-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def implied_prior(keys):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_implied_prior(implied_prior):
    def at(keys):
        return received((len(keys),), "one number for each position", implied_prior, np.array(keys))

    keys = np.eye(9)[:3]
    keys[1], keys[2] = 3 * keys[1], 1  # lengths 1, 3 and 3; d = 9
    p = at(keys)
    assert (p > 0).all(), f"this is a prior, not its logarithm, and no position here is impossible: not {p}"
    assert np.isclose(p.sum(), 1), "a prior sums to one: normalise over the positions"
    assert np.isclose(p[1], p[2]), "only the length of a key counts: keys 1 and 2 both have length 3"
    assert not np.isclose(p[0], p[1]), "a flat prior makes the two equal only for keys of one length"
    assert p[1] > p[0], "attention prefers long keys, and the prior has to explain it: mind the sign"
    ratio = np.log(p[1] / p[0])
    assert not np.isclose(ratio, np.log(9)), "(2.6) has an exponential: the prior is not proportional to the square"
    assert not np.isclose(ratio, 2 / 6), "the square of the length, not the length"
    assert not np.isclose(ratio, 8 / 2), "the variance of the clouds is the root of d, here 3: divide by it too"
    assert not np.isclose(ratio, 8 / 3), "the exponent of a Gaussian has twice its variance below: the 2 is missing"
    assert not np.isclose(ratio, 8 / 18), "the variance of the clouds is the root of d, not d itself"
    assert np.isclose(ratio, 8 / 6, rtol=1e-4), f"(9 - 1) / (2 x 3) is 1.333, not {ratio:.3f}"
    q = np.linspace(-1, 1, 9)
    near = softmax(np.log(p) - ((q - keys) ** 2).sum(1) / 6)
    assert np.allclose(near, softmax(keys @ q / 3)), "with this prior the posterior must be the row of attention"
    assert np.allclose(at([[5.0, -2.0]]), [1]), "one position: he believes in it"
    short = at([[1.0], [2.0]])
    assert np.isclose(short[1] / short[0], np.exp(1.5), rtol=1e-4), (
        f"keys with d = 1, of the lengths 1 and 2: 1 to exp((4 - 1) / 2), not 1 to {short[1] / short[0]:.3f}"
    )
    long = at(100 * keys)
    assert np.isfinite(long).all() and np.allclose(long, [0, 0.5, 0.5]), (
        f"keys a hundred times as long: exp(15 000) is inf in a computer; expected [0, 0.5, 0.5], not {long}"
    )
    dice = np.random.default_rng(1)
    for positions, d in ((2, 4), (5, 16), (16, 16), (30, 5)):
        keys, q = dice.normal(size=(positions, d)), dice.normal(size=d)
        fits = np.log(at(keys)) - ((q - keys) ** 2).sum(1) / (2 * d**0.5)
        assert np.allclose(softmax(fits), softmax(keys @ q / d**0.5), rtol=1e-4), (
            f"{positions} positions, d = {d}: (2.5) with your prior must be the row of attention, (2.4)"
        )


check_implied_prior(implied_prior)

# %% tags=["raises-exception"]
rng = np.random.default_rng(0)
for spread in (0.0, 0.05, 0.1, 0.2, 0.5):
    keys = rng.normal(size=(100, 64))
    keys *= np.sqrt(64) * (1 + spread * rng.normal(size=(100, 1))) / np.linalg.norm(keys, axis=1, keepdims=True)
    p = np.asarray(implied_prior(keys))
    print(f"lengths differ by {spread:.0%}: he believes in {np.exp(-(p * np.log(p)).sum()):.0f} of 100 positions")
gaussian = rng.normal(size=(100, 64))
p, length = np.asarray(implied_prior(gaussian)), np.linalg.norm(gaussian, axis=1)
print(f"the lengths of Gaussian keys differ by {length.std() / length.mean():.0%}")
print(f"Gaussian keys: in {np.exp(-(p * np.log(p)).sum()):.0f} of 100 positions; you said: {guess_02_7}")


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# A network that lets the lengths of its keys differ no more than those of Gaussian numbers do (at $d = 64$) is still
# near a flat prior. Where lengths differ by a fifth, he has given up most of the positions before he has seen any
# query; where they differ by a half, he is nearly sure where to look. That is one more reason not to read the rows as
# beliefs.
#
# </details>

# %% [markdown]
# ## 02.8 · build · 45 min · ●●●●○ · A corrector, whole
#
# *Chapter 02: [6 · The noisy channel](../chapters/02_bayes.ipynb#6-·-The-noisy-channel)*
#
# A text nobody mistyped, a model of slips, and Bayes' formula: build a spelling corrector from nothing, in four steps.
#
# The prior first. Write `learn(text)`: of each word in the text its share of all words, as a dictionary. A word is a
# run of the letters a to z; capitals are made small before, and every other sign ends a word. A text without words
# gives an empty dictionary.

# %% nbgrader={"grade": false, "grade_id": "02-8", "locked": false, "schema_version": 3, "solution": true, "task": false}
def learn(text):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-8-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_learn(learn):
    at = lambda text: table("from each word to its share", learn, text)
    got = at("one two two two")
    assert got.keys() != set("one tw"), "these are letters: cut the text into words"
    assert got.keys() == {"one", "two"}, f"two different words, one and two: not {sorted(got)}"
    assert got != {"one": 1, "two": 3}, "these are counts: a share is a count divided by the number of words"
    assert not math.isclose(got["two"], 1.5), "divide by the number of *all* words, not of the different ones"
    assert not math.isclose(got["two"], 0.5), "how often a word comes counts: two comes three times as often as one"
    assert math.isclose(got["two"], 0.75) and math.isclose(got["one"], 0.25), f"1/4 and 3/4, not {got}"
    got = at("The end. THE END?")
    assert "The" not in got and "THE" not in got, "The and the are the same word: make capitals small"
    assert got.keys() == {"the", "end"}, f"signs do not belong to words: the, end; not {sorted(got)}"
    got = at("well-known:don't\n\nwell  x2y")
    wanted = {"well": 2 / 7, "known": 1 / 7, "don": 1 / 7, "t": 1 / 7, "x": 1 / 7, "y": 1 / 7}
    assert got.keys() == wanted.keys(), f"every other sign ends a word, be it - : ' 2 or a new line: not {sorted(got)}"
    assert all(math.isclose(got[word], p) for word, p in wanted.items()), (
        f"well is two of seven words, not {got['well']}"
    )
    got = at("Café, 诗 poet")
    assert got.keys() == {"caf", "poet"}, f"letters are those from a to z: é and 诗 end a word; not {sorted(got)}"
    assert at("") == at("12, 3!") == {}, "no word in the text: an empty dictionary"


check_learn(learn)


# %% [markdown]
# The channel. Our typist types a word as it was meant with the probability $1 - r$. Otherwise she makes one slip, of
# one of four kinds, each as probable as the others:
#
# - *drop*: one of its letters is left out;
# - *insert*: some letter is typed at one of the n + 1 places before, between and behind its n letters;
# - *replace*: one letter is typed as another one of the alphabet;
# - *swap*: two neighbours change places.
#
# Within a kind, all its slips are equally probable. Where a kind has no slip (nothing to swap in a word of one letter)
# the word comes out right. Several slips may give the same string, or even the word itself: add them up.
#
# Write `slips(word, letters, rate)`: of each string that may be typed, $p(\text{typed} \mid \text{word})$. `word` may
# be empty; `letters` is the alphabet, a text in which no letter comes twice and which has all letters of `word`; `rate`
# is $r$, above 0 and below 1.

# %% nbgrader={"grade": false, "grade_id": "02-8-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def slips(word, letters, rate):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-8-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_slips(slips):
    at = lambda *given: Counter(table("from each string to its probability", slips, *given))
    got = at("ab", "abc", 0.4)  # each kind has 0.1
    assert abs(got["a"] + got["b"] - 0.1) < 1e-9, f"drop: a and b, with 0.1 together, not {got['a'] + got['b']:.4f}"
    assert abs(got["ba"] - 0.1) < 1e-9, f"swap: ba, with 0.1, not {got['ba']:.4f}. Is each kind as probable?"
    once = sum(got[s] for s in ("aa", "bb", "ac", "cb"))
    assert got["aa"] > 0 and got["bb"] > 0, "replace: any letter by any *other* letter of the alphabet, also one it has"
    assert abs(got["ab"] - 0.6) < 1e-9, f"ab itself: only if there is no slip, 0.6, not {got['ab']:.4f}"
    assert abs(once - 0.1) < 1e-9 and abs(got["cb"] - 0.025) < 1e-9, f"replace: 4 slips, 0.1 together, not {once:.4f}"
    assert got["abc"] > 0 and got["cab"] > 0, "insert: before the first letter and behind the last one, too"
    assert not math.isclose(got["aab"], 0.1 / 9), (
        "insert: aab can come about in two ways, a before a and a behind it: add"
    )
    assert math.isclose(got["aab"], 0.2 / 9), (
        f"insert: 3 places, 3 letters, and two ways to aab: {0.2 / 9}, not {got['aab']}"
    )
    assert math.isclose(got["acb"], 0.1 / 9), (
        f"insert: 3 places, 3 letters, one way to acb: {0.1 / 9}, not {got['acb']}"
    )
    total = sum(got.values())
    assert math.isclose(total, 1), f"she types something: the probabilities sum to 1, not to {total:.4f}"
    got = at("all", "al", 0.2)
    assert math.isclose(got["al"], 0.1 / 3), "al has lost its second l or its third letter: two slips, so two of three"
    assert math.isclose(got["all"], 0.8 + 0.05 / 2), (
        f"to swap the two l changes nothing: all with 0.825, not {got['all']}"
    )
    one = at("a", "abc", 0.4)
    assert math.isclose(one["a"], 0.7), f"one letter: nothing to swap, so its 0.1 goes to a itself: 0.7, not {one['a']}"
    assert math.isclose(one[""], 0.1), f"one letter, dropped: the empty string, with 0.1, not {one['']}"
    none = at("", "ab", 0.4)
    wanted = {"": 0.9, "a": 0.05, "b": 0.05}
    assert all(math.isclose(none[s], p) for s, p in wanted.items()), (
        f"an empty word, only to insert: {wanted}, not {none}"
    )
    assert math.isclose(at("aa", "a", 0.4)["aa"], 0.8), "an alphabet of one letter: nothing to replace it by"
    for word, letters, rate in (("cabbage", "abcdefgh", 0.1), ("edcba", "abcdef", 0.9), ("abcabc", "cab", 0.03)):
        got, n, m = at(word, letters, rate), len(word), len(letters)
        total, swapped = sum(got.values()), word[:2] + word[3] + word[2] + word[4:]
        behind = word[:-1] + next(c for c in letters if c not in word[-2:])
        assert math.isclose(total, 1), f"{word}, rate {rate}: the probabilities sum to 1, not to {total:.4f}"
        values = [got[word[1:]] * n, got[behind] * n * (m - 1), got[word + word[-1]] * (n + 1) * m / 2]
        values += [got[swapped] * (n - 1)] * (swapped != word)
        assert np.allclose(values, rate / 4), (
            f"{word}, {m} letters, rate {rate}: each slip with (rate / 4) / (its number)"
        )


check_slips(slips)


# %% [markdown]
# Now Bayes' formula. Write `meant(typed, prior, letters, rate)`: of each word of the prior that can have become `typed`
# by at most one slip, $p(\text{word} \mid \text{typed})$, as a dictionary. Where no word can, it is empty. `prior`: a
# dictionary as `learn` gives it; all its numbers are above 0. It may hold 20,000 words, and to try the typist on each
# of them takes many seconds. Which ones have a chance? (A letter that was dropped can be inserted again.)

# %% nbgrader={"grade": false, "grade_id": "02-8-c", "locked": false, "schema_version": 3, "solution": true, "task": false}
def meant(typed, prior, letters, rate):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-8-c-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_meant(meant):
    at = lambda *given: Counter(table("from each word to its probability", meant, *given))
    letters = "aehnt"
    prior = {"the": 0.6, "then": 0.25, "than": 0.1, "hat": 0.05}
    near = {word: slips(word, letters, 0.2)["then"] for word in ("the", "then", "than")}
    joint = {word: prior[word] * p for word, p in near.items()}
    backward = {word: prior[word] * slips("then", letters, 0.2).get(word, 0) for word in near}
    got = at("then", prior, letters, 0.2)
    like = lambda other: all(math.isclose(got[word], other[word] / sum(other.values()), rel_tol=1e-6) for word in other)
    assert set(got) != {"then"}, "then is a word, but it may be a slip of the or than: those are meant sometimes, too"
    assert got["then"] > 0, "most words are typed right: the typed word itself may be meant"
    strange = {word for word in got if got[word]} - set(near)
    assert not strange, f"only words of the prior, and only those that one slip turns into then: not {sorted(strange)}"
    assert not all(math.isclose(got[word], p) for word, p in joint.items()), "these are joint: divide by the evidence"
    assert math.isclose(sum(got.values()), 1), f"a posterior sums to 1 over the words, not to {sum(got.values()):.4f}"
    assert not like(near), "the channel alone: each word is as probable as the others, but the prior says they are not"
    assert not like({word: prior[word] for word in near}), (
        "the prior alone: a slip is rare, and the channel says how rare"
    )
    assert not like(backward), "the channel the wrong way round: p(typed | word) is what the *word* may become"
    assert like(joint), f"prior times channel, by the evidence: then with {joint['then'] / sum(joint.values()):.4f}"
    assert not any(at("ttt", prior, letters, 0.2).values()), "ttt is more than one slip away from every word: empty"
    assert at("", {"the": 1.0}, letters, 0.2) == {}, "an empty string, and no word that short: empty"
    for typed, word in (("te", "the"), ("tthe", "the"), ("teh", "the"), ("tha", "the"), ("the", "the")):
        assert math.isclose(at(typed, {"the": 1.0}, letters, 0.2)[word], 1), f"{typed}: only the can have become it"
    few, many = (at("than", {"than": 0.001, "then": 0.999}, letters, rate) for rate in (0.001, 0.9))
    assert few["than"] > 0.5 > many["than"], (
        "the rate counts: who seldom slips meant the rare word, who often slips did not"
    )
    tiny = at("tha", {"than": 1e-290, "the": 3e-290}, letters, 0.2)
    assert math.isclose(sum(tiny.values()), 1), f"rare words, but one was meant: sum 1, not {sum(tiny.values())}"
    dice = np.random.default_rng(1)
    for _ in range(10):
        words = {"".join(dice.choice(list("abc"), dice.integers(1, 4))) for _ in range(12)}
        prior = dict(zip(sorted(words), dice.dirichlet(np.ones(len(words)))))
        for typed in ("ab", "cab", "abca"):
            joint = {word: p * slips(word, "abc", 0.3).get(typed, 0) for word, p in prior.items()}
            total, got = sum(joint.values()), at(typed, prior, "abc", 0.3)
            assert all(math.isclose(got[word] * total, p, abs_tol=1e-12) for word, p in joint.items()), (
                f"{typed}, of the words {sorted(words)}: each word that can have become it, by (2.1)"
            )


check_meant(meant)


# %% [markdown]
# Last, the decision. Write `mend(page, prior, letters, rate)`: `page` is a list of typed words; return a list with the
# most probable word for each. A word that the machine cannot explain stays as it is.

# %% nbgrader={"grade": false, "grade_id": "02-8-d", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mend(page, prior, letters, rate):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-8-d-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_mend(mend):
    def at(page, *given):
        got = course.attempt(mend, list(page), *given)
        assert isinstance(got, (list, tuple)), f"return a list of words, not something of the type {type(got).__name__}"
        assert len(got) == len(page), f"{len(page)} words were typed, so {len(page)} come back, not {len(got)}"
        assert all(isinstance(word, str) for word in got), f"each is a word, without its probability: not {got}"
        return list(got)

    prior = {"the": 0.949, "tea": 0.03, "hat": 0.02, "tha": 0.001}
    letters, page = "abcdefghijklmnopqrstuvwxyz", ["teh", "tea", "xyzzy", "hhat"]
    got = at(page, prior, letters, 0.1)
    assert got[2] == "xyzzy", f"no word explains xyzzy: it stays as it is, and is not {got[2]}"
    assert got != page, "nothing was mended"
    assert got[0] == "the", f"teh: the, with its letters swapped, not {got[0]}"
    assert got[1] != "the", (
        "tea: the is frequent, but a slip to just this word is rare: the largest *posterior* decides"
    )
    assert got[1] == "tea", f"the typed word may be meant, and tea is a word: tea, not {got[1]}"
    assert got == ["the", "tea", "xyzzy", "hat"], f"the most probable word for each: the tea xyzzy hat, not {got}"
    assert at(["tha"], prior, letters, 0.01) == ["tha"], "she hardly ever slips: tha is rare, but she meant it"
    assert at(["tha"], prior, letters, 0.9) == ["the"], "she slips nearly always: tha is a word, but she meant the"
    assert at([], prior, letters, 0.1) == [], "no words typed: an empty list"
    assert at(["teh", "teh"], prior, letters, 0.1) == ["the", "the"], "a word that comes twice is mended twice"
    assert at(["ba"], {"ab": 0.5, "b": 0.5}, "ab", 0.4) == ["ab"], "another alphabet and other words: ba is ab, swapped"


check_mend(mend)

# %% tags=["raises-exception"]
words = learn(data.shakespeare())
page = "teh king is ded and hsi borther weras the crwon".split()
print(" ".join(mend(page, words, LETTERS, 0.1)))
for typed in ("ded", "hsi", "king"):
    best = sorted(meant(typed, words, LETTERS, 0.1).items(), key=lambda item: -item[1])[:3]
    print(f"{typed}:", ", ".join(f"{word} {p:.1%}" for word, p in best))


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# The machine knows single words only, and which keys lie side by side it does not know. That is where 02.10 begins.
#
# </details>

# %% [markdown]
# ## 02.9 · debug · 20 min · ●●●○○ · Sure too soon
#
# *Chapter 02: [2 · A prompt needs no formula](../chapters/02_bayes.ipynb#2-·-A-prompt-needs-no-formula)*
#
# Somebody draws one of three coins and tosses it. `listener` hears one toss after the other and updates what it
# believes: its posterior so far is its next prior. Its favourite is the right coin nearly as often as anybody's could
# be. Yet who bets with it loses.
#
# Measure: `calibration(listener, n)` goes through all possible games of `n` tosses, each as often as it comes, and
# says how sure a listener is of its favourite, on average, and how often its favourite is right. A posterior is as sure
# as it is right. From which `n` on are the two apart? What happens for the first time there? Then write
# `mended(prior, heads, tosses)`.
#
# `prior`: (C,), above 0, summing to one. `heads`: (C,), the chance of heads of each coin, from 0.05 to 0.95. `tosses`:
# a list of 1 (heads) and 0, from none to a hundred. Returns the posterior after all tosses, (C,).

# %%
def calibration(listener, n, prior=(0.5, 0.3, 0.2), heads=(0.8, 0.5, 0.3)):
    """How sure a listener is of its favourite after n tosses, on average, and how often it is right."""
    prior, heads, sure, right = np.array(prior), np.array(heads), 0.0, 0.0
    for tosses in product((0, 1), repeat=n):
        joint = prior * chance(heads, tosses)
        belief = np.asarray(listener(prior, heads, list(tosses)))
        sure += joint.sum() * belief.max()
        right += joint[belief.argmax()]
    return sure, right


def chance(heads, tosses):
    return heads ** sum(tosses) * (1 - heads) ** (len(tosses) - sum(tosses))


# %% nbgrader={"grade": false, "grade_id": "02-9", "locked": false, "schema_version": 3, "solution": true, "task": false}
def listener(prior, heads, tosses):
    belief, heard = np.array(prior), []
    for toss in tosses:
        heard.append(toss)
        joint = belief * chance(heads, heard)
        belief = joint / joint.sum()
    return belief


def mended(prior, heads, tosses):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-9-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_mended(mended):
    def at(prior, heads, tosses):
        given = np.array(prior), np.array(heads), list(tosses)
        return received((len(prior),), "one probability for each coin", mended, *given)

    prior, heads = [0.5, 0.3, 0.2], [0.8, 0.5, 0.3]
    assert np.allclose(at(prior, heads, []), prior), "no toss yet: the belief is still the prior"
    one = at(prior, heads, [1])
    assert np.isclose(one.sum(), 1), f"a posterior sums to one, not to {one.sum():.4f}: divide by the evidence"
    assert not np.allclose(one, np.array([0.1, 0.15, 0.14]) / 0.39), "1 is heads, 0 is tails"
    assert np.allclose(one, np.array([0.40, 0.15, 0.06]) / 0.61), f"one toss, heads: 0.40 : 0.15 : 0.06, not {one}"
    for n in (2, 6):
        sure, right = calibration(at, n, prior, heads)
        both = f"after {n} tosses your listener is {sure:.1%} sure of its favourite, and right in {right:.1%}"
        assert sure < right + 1e-9, f"{both}: too sure. Is any toss counted more than once?"
        assert sure > right - 1e-9, f"{both}: too modest. Does each toss count as much as it should?"
    forth, back = at(prior, heads, [1, 1, 0]), at(prior, heads, [0, 1, 1])
    assert np.allclose(forth, back), f"the same tosses in another order tell the same: {forth} and {back}"
    assert np.allclose(at(prior, heads, [1, 0]), np.array([0.08, 0.075, 0.042]) / 0.197), (
        "heads, then tails: every toss counts, once; 0.5 x 0.8 x 0.2 for the first coin, and so on"
    )
    assert np.allclose(at([1.0], [0.5], [1, 0, 1]), [1]), "one coin alone: it was that coin"
    dice = np.random.default_rng(1)
    for coins, n in ((2, 3), (4, 10), (3, 100), (5, 100)):
        prior, heads = dice.dirichlet(np.ones(coins)), dice.uniform(0.05, 0.95, coins)
        tosses = dice.integers(0, 2, n).tolist()
        value = [math.log(p) + sum(math.log(h if toss else 1 - h) for toss in tosses) for p, h in zip(prior, heads)]
        got, wanted = at(prior, heads, tosses), softmax(value)
        assert np.allclose(got, wanted), f"{coins} coins, {n} tosses: {np.round(wanted, 4)}, not {np.round(got, 4)}"


check_mended(mended)

# %% tags=["raises-exception"]
print("tosses   with the bug        mended")
for n in (1, 2, 4, 8):
    cells = ["{:4.0%} sure, {:4.0%} right".format(*calibration(heard, n)) for heard in (listener, mended)]
    print(f"{n:>6}", *cells, sep="   ")


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# The favourite is right a little less often than it could be; the sureness is far off. It is the fault of naive Bayes
# in section 4, for another reason: there the witnesses repeated one another, here the judge hears each of them again
# and again. In section 4 a power $\beta$ was the best repair at hand. Here a power would be the wrong one, for the
# cause can be removed.
#
# </details>

# %% [markdown]
# ## 02.10 · challenge · 60 min · ●●●●● · Mend more
#
# *Chapter 02: [6 · The noisy channel](../chapters/02_bayes.ipynb#6-·-The-noisy-channel)*
#
# Write `restore(typed)`: a sentence as it was typed, a list of words; return the words that were meant, as many. You
# have what the chapter's machines had: 34 plays without a slip (`read`, a list of sentences; `single` and `double`
# count their words and their pairs of words, where "." begins a sentence); two plays in `copied`, of (word, typed
# word); and `beside`, the neighbours of each key. The typist is the chapter's: a slip in a word of ten, neighbouring
# keys, at most one slip a word. Learn what you like from these, and from nothing else; the cell of the check opens the
# play by which you are scored.
#
# The score is the share of the slips that the page is better by: 0 is the page as typed, 1 is a page without an error,
# and a good word spoilt counts as much as a slip mended. Where could more be known? In the word before and the word
# behind; in which key was struck; in words that no play holds. (A word is of the letters a to z and apostrophes.) The
# check asks only for what any answer has to keep.

# %% nbgrader={"grade": false, "grade_id": "02-10", "locked": false, "schema_version": 3, "solution": true, "task": false}
def restore(typed):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-10-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
unread = sentences("test")[1::2][:200]  # the chapter took the others
rng = np.random.default_rng(2)
typed_page = [[typist(word, rng) for word in part] for part in unread]


def score(restore, first=None):
    """By which share of its slips the page is better; of all words, those wrong afterwards; and those wrong before."""
    before = after = words = 0
    for meant_words, typed_words in list(zip(unread, typed_page))[:first]:
        got = course.attempt(restore, list(typed_words))
        assert isinstance(got, (list, tuple)), f"return a list of words, not something of the type {type(got).__name__}"
        assert len(got) == len(typed_words), f"{len(typed_words)} words were typed, and {len(got)} came back"
        assert all(isinstance(word, str) for word in got), f"each is a word, a text: not {got}"
        before += sum(a != b for a, b in zip(meant_words, typed_words))
        after += sum(a != b for a, b in zip(meant_words, got))
        words += len(got)
    return 1 - after / before, after / words, before / words


@course.hints
def check_restore(restore):
    assert course.attempt(restore, []) in ([], ()), "no words typed: an empty list"
    one = course.attempt(restore, ["a"])
    assert isinstance(one, (list, tuple)) and len(one) == 1, f"a sentence of one word, typed or mended: not {one}"
    gain, after, before = score(restore, 14)
    again = [list(course.attempt(restore, list(typed_page[0]))) for _ in range(2)]
    assert again[0] == again[1], (
        "the same sentence twice, and two answers: a corrector does not throw dice, or throws them with a fixed seed"
    )
    assert gain != 0, "the page is as bad as it was typed: mend something"
    assert gain > 0, f"it spoils more than it mends: {after:.1%} of the words are wrong now, {before:.1%} were"


check_restore(restore)

# %% tags=["raises-exception"]
index = {}  # ours is a rule of thumb: an unknown word is the most frequent known one that agrees but for one letter
shorter = lambda word: {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}
for word in sorted(single, key=single.get):
    index |= dict.fromkeys(shorter(word), word)
known = lambda s: max((index[part] for part in shorter(s) if part in index), key=single.get, default=s)
ours = lambda typed: [s if s in single else known(s) for s in typed]
for name, (gain, after, before) in {"ours": score(ours), "yours": score(restore)}.items():
    print(f"{name:<6} score {gain:6.1%}; words wrong {after:.1%}, as typed {before:.1%}")
band = json.loads(course.BANDS.read_text(encoding="utf-8"))["02.spell_both"]
print(f"the chapter's last machine, on other sentences: words wrong {band['low']:.1%} to {band['high']:.1%}")
