# %% [markdown]
# # 02 · Bayes' formula: exercises
#
# Run the first cell, then take the exercises in any order. *Verify*: write what the chapter derived. *Modify*:
# change it. *Investigate*: find out something that the chapter did not say. Each check tells you what it expected;
# when it is silent, you are done, and the cell below it plays with what you wrote.

# %%
import numpy as np
from scipy.special import logsumexp, softmax

from aigc import data
from aigc.codecs.text import CharCodec
from aigc.models import ngram


def black_and_white(split):
    images, digit = data.digits(split)
    return (images > 127).reshape(len(images), -1).astype(float), digit


ink, digit = black_and_white("train")
theta = np.array([(ink[digit == y].sum(0) + 0.5) / ((digit == y).sum() + 1) for y in range(10)])
images, answer = black_and_white("test")


# %% [markdown]
# ## 02.1 · verify · A posterior from counts
#
# Out of 1000 people who wrote to a theatre, 20 were poets and 980 were not. Of the 20 poets, 15 wrote in verse; of the
# 980 others, 49 did. Write `posterior(prior, likelihood)`, equation (2.1).
#
# `prior`: (X,), $p(x)$, summing to one. `likelihood`: (X,), $p(y \mid x)$ of the $y$ that was seen. Returns (X,).
# Pencil first: a letter in verse comes. How many such letters are there, and how many are by poets?

# %% nbgrader={"grade": false, "grade_id": "02-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def posterior(prior, likelihood):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_posterior(posterior):
    prior, likelihood = np.array([0.02, 0.98]), np.array([0.75, 0.05])
    p = posterior(prior, likelihood)
    assert np.shape(p) == (2,), f"one probability for each x: (2,), not {np.shape(p)}"
    assert not np.allclose(p, [0.015, 0.049]), "this is the joint probability: divide by the evidence, its sum over x"
    assert not np.allclose(p, [0.75 / 0.8, 0.05 / 0.8]), "poets are rare: the prior is forgotten"
    assert not np.allclose(p, prior), "the letter changes nothing in your answer: the likelihood is missing"
    assert np.isclose(p.sum(), 1), "the evidence is the sum of prior times likelihood, not of the likelihoods alone"
    assert not np.isclose(p[0], 0.77 / 1.8), "both must hold, a poet and verse: multiply, do not add"
    assert np.isclose(p[0], 15 / 64), "64 letters are in verse, 15 of them by poets: 15 / 64"
    three = posterior(np.array([0.5, 0.25, 0.25]), np.array([0.0, 0.1, 0.3]))
    assert np.allclose(three, [0, 0.25, 0.75]), "what cannot give this y has posterior 0; the others share the rest"


check_posterior(posterior)

# %% tags=["raises-exception"]
for poets in (0.001, 0.02, 0.2):
    p = posterior(np.array([poets, 1 - poets]), np.array([0.75, 0.05]))
    print(f"poets among all {poets:.1%}, among those who write in verse {p[0]:.1%}")


# %% [markdown]
# ## 02.2 · verify · Hundreds of factors
#
# Naive Bayes multiplies 784 factors. Write `log_posterior(log_prior, log_likelihood)`, equation (2.2), so that nothing
# is lost on the way.
#
# `log_prior`: (Y,). `log_likelihood`: (N, Y), one row a picture, in nats, often below -500. Returns (N, Y), nats.

# %% nbgrader={"grade": false, "grade_id": "02-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_posterior(log_prior, log_likelihood):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_log_posterior(log_posterior):
    log_prior = np.log([0.5, 0.25, 0.25])
    log_likelihood = np.log([[0.1, 0.2, 0.2], [0.9, 0.3, 0.6]])
    shift = np.array([[500], [3000]])  # another one for each picture
    with np.errstate(all="ignore"):
        near, far = log_posterior(log_prior, log_likelihood), log_posterior(log_prior, log_likelihood - shift)
    assert np.shape(near) == (2, 3), f"one number for each picture and digit: (2, 3), not {np.shape(near)}"
    assert (np.nan_to_num(near) <= 1e-12).all(), "a logarithm of a probability is never above 0: return logarithms"
    assert not np.allclose(np.exp(near).sum(0), 1), "each picture is a row: normalise over the digits, the last axis"
    assert np.allclose(np.exp(near).sum(1), 1), "each row must be a distribution: subtract the logarithm of its sum"
    assert not np.allclose(near[0], np.log([0.2, 0.4, 0.4])), "the prior of the first digit is higher: add log_prior"
    assert np.allclose(near[0], np.log([1 / 3, 1 / 3, 1 / 3])), "0.5 x 0.1 and 0.25 x 0.2 are equal, so each gets 1/3"
    assert np.isfinite(far).all(), "exp(-3000) is 0 in a computer: subtract the largest of each row before you take exp"
    assert np.allclose(near, far), "a factor common to all digits of a picture cancels: it must change nothing"


check_log_posterior(log_posterior)

# %% tags=["raises-exception"]
likelihood = images @ np.log(theta).T + (1 - images) @ np.log(1 - theta).T
belief = log_posterior(np.log(np.full(10, 0.1)), likelihood)
print(f"the smallest log-likelihood of all: {likelihood.min():.0f}; right: {np.mean(belief.argmax(1) == answer):.0%}")


# %% [markdown]
# ## 02.3 · modify · What cannot be seen
#
# A drop of coffee has fallen on the picture. Write `log_likelihood(theta, image, visible)`: the logarithm of the chance
# of the *visible* pixels, for each digit, equation (2.9) without the factors that we do not know.
#
# `theta`: (Y, P), chances of ink. `image`: (P,) of 1 and 0, but `nan` where the coffee is. `visible`: (P,), True
# where the pixel can be seen. Returns (Y,), nats.

# %% nbgrader={"grade": false, "grade_id": "02-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_likelihood(theta, image, visible):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_log_likelihood(log_likelihood):
    chance = np.array([[0.9, 0.5, 0.2, 0.6], [0.1, 0.5, 0.7, 0.6], [0.3, 0.2, 0.4, 0.8]])
    picture, visible = np.array([1, np.nan, 0, np.nan]), np.array([True, False, True, False])
    got = log_likelihood(chance, picture, visible)
    assert np.shape(got) == (3,), f"one number for each digit: (3,), not {np.shape(got)}"
    assert np.isfinite(got).all(), "a hidden pixel is nan: choose the visible ones before you calculate"
    assert (got <= 0).all(), "a logarithm of a probability is never above 0"
    white = np.log([0.9 * 0.5 * 0.8 * 0.4, 0.1 * 0.5 * 0.3 * 0.4, 0.3 * 0.8 * 0.6 * 0.2])
    assert not np.allclose(got, white), "you took the hidden pixels for white paper: leave their factors out"
    assert not np.allclose(got, np.log([0.9, 0.1, 0.3])), (
        "white pixels are evidence too: 1 - theta where there is no ink"
    )
    assert not np.allclose(got, np.log([0.9 * 0.8, 0.1 * 0.3, 0.3 * 0.6]) / 2), "a sum of logarithms, not their mean"
    half = np.log([0.9 * 0.8, 0.1 * 0.3, 0.3 * 0.6]) + 2 * np.log(0.5)
    assert not np.allclose(got, half), (
        "an unknown pixel is no coin: summed over ink and paper, its factor is 1, not 1/2"
    )
    assert np.allclose(got, np.log([0.9 * 0.8, 0.1 * 0.3, 0.3 * 0.6])), "0.9 x 0.8 for the first digit"


check_log_likelihood(log_likelihood)

# %% tags=["raises-exception"]
rng = np.random.default_rng(0)
for part in (1.0, 0.3, 0.1, 0.03, 0.01):
    right = []
    for picture, y in zip(images, answer):
        visible = rng.random(784) < part
        right.append(log_likelihood(theta, np.where(visible, picture, np.nan), visible).argmax() == y)
    print(f"{part:>4.0%} of the pixels seen: {np.mean(right):.0%} read rightly")


# %% [markdown]
# ## 02.4 · modify · The channel, the right way round
#
# A typist copied three words many times; `pairs[w, s]` counts how often she was given word $w$ and typed $s$. Now she
# types another book, in which the words are *not* as frequent as in the copying test. Write `correct(pairs, prior, s)`:
# the number of the word that was most probably meant when $s$ stands on the page.
#
# `pairs`: (W, W) counts, each row with at least one. `prior`: (W,), how often each word is *meant* in the book. `s`:
# the number of the word typed. Returns one number.

# %% nbgrader={"grade": false, "grade_id": "02-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def correct(pairs, prior, s):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_correct(correct):
    pairs = np.array([[80, 20, 0], [300, 600, 100], [0, 30, 70]])
    prior, flat = np.array([0.5, 0.1, 0.4]), np.full(3, 1 / 3)
    assert np.ndim(correct(pairs, prior, 0)) == 0, "return the number of one word, not a distribution"
    assert correct(pairs, prior, 0) != 1, "the test had ten times as many of word 1, the book has not: use p(s | w)"
    assert correct(pairs, flat, 2) != 1, "the counts still hold the prior of the test: divide each row by its sum first"
    assert correct(pairs, flat, 2) != 0, "word 0 never becomes word 2: the channel is missing"
    assert correct(pairs, prior, 1) != 1, "0.6 x 0.1 is less than 0.3 x 0.4: the prior of the book must count"
    assert correct(pairs, prior, 1) != 0, "the channel reversed: what s becomes is a row, what becomes s is a column"
    assert correct(pairs, prior, 1) == 2, "0.2 x 0.5, 0.6 x 0.1 and 0.3 x 0.4: the last is the largest"
    rare = np.array([0.001, 0.001, 0.998])
    assert correct(pairs, rare, 0) == 0, "word 2 never becomes word 0, however frequent it is"


check_correct(correct)

# %% tags=["raises-exception"]
pairs = np.array([[80, 20, 0], [300, 600, 100], [0, 30, 70]])
for prior in ([0.1, 0.8, 0.1], [0.5, 0.1, 0.4], [0.05, 0.05, 0.9]):
    print("prior", prior, " typed 0, 1, 2  meant", [correct(pairs, np.array(prior), s) for s in range(3)])


# %% [markdown]
# ## 02.5 · modify · Turn a chain round
#
# `table[a, b]` says how probable letter $b$ is after letter $a$, and `often[a]` how often $a$ occurs. Write
# `turn(table, often)`: how probable letter $a$ is *before* letter $b$, equation (2.8) for order 1.
#
# `table`: (V, V), rows summing to one. `often`: (V,), summing to one. Returns (V, V), of which row $b$ is a
# distribution over what stood before $b$.

# %% nbgrader={"grade": false, "grade_id": "02-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def turn(table, often):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_turn(turn):
    table, often = np.array([[0.2, 0.8, 0.0], [0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]), np.array([0.5, 0.4, 0.1])
    back = turn(table, often)
    assert np.shape(back) == (3, 3), f"one chance for each pair of letters: (3, 3), not {np.shape(back)}"
    assert not np.allclose(back, table.T), (
        "a transposed table is not yet a distribution: it lacks the prior and the evidence"
    )
    assert not np.allclose(back, (table / table.sum(0)).T), (
        "frequent letters stand before anything more often: the prior"
    )
    assert not np.allclose(back.sum(0), 1) or np.allclose(back.sum(1), 1), (
        "the answer is upside down: row b is about what stood before b"
    )
    assert np.allclose(back.sum(1), 1), "each row must sum to one: divide by how often b comes next"
    assert np.allclose(back[1], [0.8, 0.2, 0]), "before letter 1: 0.5 x 0.8 against 0.4 x 0.25, which is 4 : 1"
    long_run = np.linalg.matrix_power(table, 500)[0]
    assert np.allclose(turn(turn(table, long_run), long_run), table), "turned twice, a chain must be what it was"


check_turn(turn)

# %% tags=["raises-exception"]
play = data.shakespeare()
codec = CharCodec.train(play)
text, V = np.array(codec.encode(play)), len(codec.vocab)
counts = np.bincount(text[:-1] * V + text[1:], minlength=V * V).reshape(V, V)
back = turn(counts / counts.sum(1, keepdims=True), counts.sum(1) / counts.sum())
for letter in "qhx\n":
    before, following = (row[codec.encode(letter)[0]].argsort()[::-1][:3] for row in (back, counts))
    print(
        f"{letter!r:<5} before it: {[codec.decode([i]) for i in before]}, after it: {[codec.decode([i]) for i in following]}"
    )
reverse = ngram.fit([text[::-1]], V, 1)
assert np.allclose(back[codec.encode("q")[0]], reverse.probabilities(codec.encode("q")))


# %% [markdown]
# ## 02.6 · investigate · Where does the weight belong?
#
# Prior: $x$ is Gaussian with mean 0 and variance 1. A thermometer says $y = 2$, with Gaussian noise of variance 1. Then
# $\nabla \log p(x) = -x$, and $\nabla \log p(y \mid x) = 2 - x$.
#
# Write `guided(score, pull, weight)`: the score that a guided sampler follows, (2.12) with the weight in front of the
# classifier's pull, as in (2.13). Before you run the cell after it, find with a pencil the mean and the variance of the
# Gaussian with this score, for weights 0, 1 and 3.
#
# `score`, `pull`: (N,). `weight`: 0 or more. Returns (N,).

# %% nbgrader={"grade": false, "grade_id": "02-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def guided(score, pull, weight):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_guided(guided):
    x = np.array([-1.0, 0.0, 0.5, 2.0])
    score, pull = -x, 2 - x
    assert np.shape(guided(score, pull, 1.0)) == (4,), "one number for each x"
    three = guided(score, pull, 3.0)
    assert not np.allclose(three, 3 * score + pull), "the weight belongs to the classifier, not to the score"
    assert not np.allclose(three, 3 * (score + pull)), "weight 3 is not the posterior cooled: leave the score alone"
    assert np.allclose(guided(score, pull, 0.0), score), "weight 0 must leave the generator as it is"
    one = guided(score, pull, 1.0)
    assert not np.allclose(one, score - pull), "the pull leads to where y is more probable: add it, do not subtract it"
    assert not np.allclose(one, pull), "at weight 1 the score must still be there: this is no mixture of the two"
    assert np.allclose(one, score + pull), "weight 1 must be Bayes' formula: the sum of the two"
    assert np.allclose(three, score + 3 * pull), "three times the pull, once the score"


check_guided(guided)

# %% tags=["raises-exception"]
rng = np.random.default_rng(0)
for weight in (0.0, 1.0, 3.0):
    x, h = rng.normal(size=50_000), 0.01
    for _ in range(2000):  # Langevin: a step along the score, and noise (Song et al. 2021)
        x = x + h * guided(-x, 2 - x, weight) + np.sqrt(2 * h) * rng.normal(size=len(x))
    mean, variance = 2 * weight / (1 + weight), 1 / (1 + weight)
    print(f"weight {weight:.0f}: mean {x.mean():.2f}, pencil {mean:.2f}; variance {x.var():.2f}, pencil {variance:.2f}")
    assert abs(x.mean() - mean) < 0.02 and abs(x.var() - variance) < 0.02


# %% [markdown]
# Here the noise level does not change, and weight 3 gives exactly $p(x)\,p(y \mid x)^3$: as if three thermometers had
# said the same. In the chapter's sampler the noise level falls from 1 to 0 on the way, and there weight 2 met no such
# target. Sharpening is Bayes' formula for evidence that nobody has given.
#
# ## 02.7 · investigate · What would attention have to believe?
#
# By (2.6) a row of attention is the posterior of somebody who believed beforehand that some positions are more
# probable. Write `implied_prior(keys)`: what he believed.
#
# `keys`: (S, d). Returns (S,), summing to one. Predict: with keys of Gaussian numbers, $d = 64$ and 100 positions, how
# many positions does he believe in?

# %% nbgrader={"grade": false, "grade_id": "02-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def implied_prior(keys):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "02-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_implied_prior(implied_prior):
    keys = np.eye(9)[:3]
    keys[1], keys[2] = 3 * keys[1], 1  # lengths 1, 3 and 3; d = 9
    p = implied_prior(keys)
    assert np.shape(p) == (3,), f"one number for each position: (3,), not {np.shape(p)}"
    assert np.isclose(p.sum(), 1), "a prior sums to one: normalise over the positions"
    assert np.isclose(p[1], p[2]), "only the length of a key counts: keys 1 and 2 both have length 3"
    assert not np.isclose(p[0], p[1]), "a flat prior makes the two equal only for keys of one length"
    assert p[1] > p[0], "attention prefers long keys, and the prior has to explain it: mind the sign"
    ratio = np.log(p[1] / p[0])
    assert not np.isclose(ratio, 2 / 6), "the square of the length, not the length"
    assert not np.isclose(ratio, 8 / 2), "the variance of the clouds is the root of d, here 3: divide by it too"
    assert not np.isclose(ratio, 8 / 3), "the exponent of a Gaussian has twice its variance below: the 2 is missing"
    assert not np.isclose(ratio, 8 / 18), "the variance of the clouds is the root of d, not d itself"
    assert np.isclose(ratio, 8 / 6), f"(9 - 1) / (2 x 3) is 1.333, not {ratio:.3f}"
    q = np.linspace(-1, 1, 9)
    near = softmax(np.log(p) - ((q - keys) ** 2).sum(1) / 6)
    assert np.allclose(near, softmax(keys @ q / 3)), "with this prior the posterior must be the row of attention"


check_implied_prior(implied_prior)

# %% tags=["raises-exception"]
rng = np.random.default_rng(0)
for spread in (0.0, 0.05, 0.1, 0.2, 0.5):
    keys = rng.normal(size=(100, 64))
    keys *= np.sqrt(64) * (1 + spread * rng.normal(size=(100, 1))) / np.linalg.norm(keys, axis=1, keepdims=True)
    p = implied_prior(keys)
    print(f"lengths differ by {spread:.0%}: he believes in {np.exp(-(p * np.log(p)).sum()):.0f} of 100 positions")
p = implied_prior(rng.normal(size=(100, 64)))
print(f"Gaussian keys: he believes in {np.exp(-(p * np.log(p)).sum()):.0f} of 100 positions")

# %% [markdown]
# The number of positions is the exponential of the prior's entropy, in nats. A network that lets the lengths of its
# keys differ as much as Gaussian numbers do (by about 9% at $d = 64$) is still near a flat prior. Where lengths differ
# by a fifth, he has given up most of the positions before he has seen any query; where they differ by a half, he is
# nearly sure where to look. That is one more reason not to read the rows as beliefs.
