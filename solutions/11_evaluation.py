# %% [markdown]
# # 11 · Evaluation: exercises
#
# Run the first cell, then take the exercises in any order. No function changes what it is given. Each check tells you
# what it expected; when it is silent, you are done.


# %%
import math
from collections import Counter

import numpy as np
from sacrebleu.metrics import BLEU
from scipy import stats

from aigc import course, data
from aigc.evaluate.variety import distinct, longest_copy, self_bleu

plays = data.shakespeare("validation")  # two of them, for 11.6

# %% [markdown]
# ## 11.1 · verify · 15 min · ●●○○○ · BLEU of a whole text
#
# *Chapter 11: [2 · Against a reference](../chapters/11_evaluation.ipynb#2-·-Against-a-reference)*
#
# Write `bleu(candidates, references)`: (11.3) in percent, for two lists of sentences, whose words are parted by spaces.
# Counts are added up over all sentences before anything is divided; a run of words counts no more often than its
# reference has it. Where a precision is zero, or where there is no run of n words at all, BLEU is 0.


# %% nbgrader={"grade": false, "grade_id": "11-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bleu(candidates, references):
    ### BEGIN SOLUTION
    pairs = [(c.split(), r.split()) for c, r in zip(candidates, references)]
    c, r = sum(len(a) for a, _ in pairs), sum(len(b) for _, b in pairs)
    product = 1.0
    for n in range(1, 5):
        runs = lambda words, n=n: Counter(zip(*(words[i:] for i in range(n))))
        hits = sum((runs(a) & runs(b)).total() for a, b in pairs)
        product *= hits / max(1, sum(runs(a).total() for a, _ in pairs))
    return 100 * math.exp(min(0.0, 1 - r / c)) * product ** (1 / 4)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_bleu(bleu):
    def at(candidates, references):
        got = float(course.numbers(course.attempt(bleu, list(candidates), list(references)), "one number, BLEU", ()))
        return got, BLEU(tokenize="none", smooth_method="none").corpus_score(candidates, [references]).score

    short, right = at(["the sun sets behind red clouds"], ["the sun sets behind the red clouds"])
    assert not math.isclose(short, 0.5115, abs_tol=1e-3), "in percent: 51.15"
    assert not math.isclose(short, 60.43, abs_tol=0.01), (
        "the candidate is shorter than its reference: the price is missing"
    )
    assert not math.isclose(short, 71.39, abs_tol=0.01), "the price is for being short, not for being long: 1 - r/c"
    assert not math.isclose(short, 68.54, abs_tol=0.05), "each of the four has the weight 1/4, not 1/2, 1/4, 1/8, 1/16"
    assert math.isclose(short, right, abs_tol=1e-6), f"by hand it is {right:.2f}, not {short:.2f}"
    long, right = at(["one lone duck flies over water and past clouds"], ["one lone duck flies over water"])
    assert not math.isclose(long, right * math.exp(-abs(1 - 6 / 9)), rel_tol=1e-6), (
        "there is no price for being long: the precisions pay for it"
    )
    assert math.isclose(long, right, abs_tol=1e-6), f"a candidate that is too long: {right:.2f}, not {long:.2f}"
    again, right = at(["the the the the sun sets red"], ["the sun sets red over the sea"])
    assert math.isclose(again, right, abs_tol=1e-6), (
        f"a word counts no more often than the reference has it: {right:.2f}, not {again:.2f}"
    )
    both = ["the sun sets behind red clouds", "a lone duck flies over the autumn water"]
    theirs = ["the sun sets behind the red clouds", "one lone duck flies over the autumn water and the sky"]
    two, right = at(both, theirs)
    assert not math.isclose(two, np.mean([at([a], [b])[1] for a, b in zip(both, theirs)]), abs_tol=1e-6), (
        "add up the counts of all sentences first: this is the mean of the sentences' BLEU"
    )
    assert math.isclose(two, right, abs_tol=1e-6), f"two sentences together: {right:.2f}, not {two:.2f}"
    crossed, right = at(both, theirs[::-1])  # 0
    assert math.isclose(crossed, right, abs_tol=1e-6), "its *own* reference counts, not another sentence's"
    four, right = at(["red clouds over hills"], ["red clouds over hills"])
    assert math.isclose(four, right, abs_tol=1e-6), f"the same four words: 100, not {four:.2f}"
    assert at(["red clouds over hills"], ["blue sea and sky"])[0] == 0, "nothing in common: 0"
    assert at(["red clouds"], ["red clouds at sea"])[0] == 0, "no run of three words at all: 0"


check_bleu(bleu)


### BEGIN HIDDEN TESTS
def _bleu(price=lambda c, r: min(0.0, 1 - r / c), clip=True, weights=(1 / 4,) * 4, scale=100):
    def answer(candidates, references):
        pairs = [(c.split(), r.split()) for c, r in zip(candidates, references)]
        c, r = (sum(map(len, side)) for side in zip(*pairs))
        product = 1.0
        for n, weight in enumerate(weights, 1):
            runs = lambda words, n=n: Counter(zip(*(words[i:] for i in range(n))))
            hits = sum(
                (runs(a) & runs(b)).total() if clip else sum(m for g, m in runs(a).items() if g in runs(b))
                for a, b in pairs
            )
            product *= (hits / max(1, sum(runs(a).total() for a, _ in pairs))) ** weight
        return scale * math.exp(price(c, r)) * product

    return answer


def _thrown_together(candidates, references):
    cut = lambda texts, n: sum((Counter(zip(*(t.split()[i:] for i in range(n)))) for t in texts), Counter())
    c, r = (sum(len(t.split()) for t in texts) for texts in (candidates, references))
    product = 1.0
    for n in range(1, 5):
        ours, theirs = cut(candidates, n), cut(references, n)
        product *= (ours & theirs).total() / max(1, ours.total())
    return 100 * math.exp(min(0.0, 1 - r / c)) * product ** (1 / 4)


MISCONCEPTIONS = {
    "a share": (_bleu(scale=1), "in percent"),
    "no price": (_bleu(price=lambda c, r: 0), "the price is missing"),
    "upside down": (_bleu(price=lambda c, r: max(0.0, r / c - 1)), "not for being long"),
    "price both ways": (_bleu(price=lambda c, r: -abs(1 - r / c)), "the precisions pay"),
    "a book's weights": (_bleu(weights=(1 / 2, 1 / 4, 1 / 8, 1 / 16)), "the weight 1/4"),
    "not clipped": (_bleu(clip=False), "no more often"),
    "any reference": (_thrown_together, "*own* reference"),
    "mean of sentences": (
        lambda candidates, references: np.mean([_bleu()([a], [b]) for a, b in zip(candidates, references)]),
        "add up the counts",
    ),
}
ALTERNATIVES = {
    "sacrebleu": lambda candidates, references: (
        BLEU(tokenize="none", smooth_method="none").corpus_score(candidates, [references]).score
    ),
}
### END HIDDEN TESTS


# %% [markdown]
# ## 11.2 · modify · 15 min · ●●○○○ · Bits a byte
#
# *Chapter 11: [1 · Surprise](../chapters/11_evaluation.ipynb#1-·-Surprise)*
#
# Two models with different tokens read the same text. Write `bits_a_byte(nats, text)`: `nats` is a list with the
# surprise of each token, in nats; `text` is the string that the tokens spell, and its bytes are those of UTF-8. Then a
# model of Chinese characters and one of bytes can be compared.


# %% nbgrader={"grade": false, "grade_id": "11-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bits_a_byte(nats, text):
    ### BEGIN SOLUTION
    return sum(nats) / math.log(2) / len(text.encode("utf-8"))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_bits_a_byte(bits_a_byte):
    def at(nats, text):
        return float(course.numbers(course.attempt(bits_a_byte, list(nats), text), "one number", ()))

    plain = at([math.log(2)] * 8, "abcd")
    assert not math.isclose(plain, 1.0), (
        "per token it would be 1 bit, but eight tokens spell four bytes: divide by these"
    )
    assert not math.isclose(plain, 2 * math.log(2)), "these are nats: a bit is log 2 nats"
    assert not math.isclose(plain, 2 * math.log(2) ** 2), "the other way: divide by log 2, a nat is more than a bit"
    assert not math.isclose(plain, 0.5), "upside down: bits for each byte, not bytes for each bit"
    assert math.isclose(plain, 2.0), f"eight bits for four bytes: 2, not {plain:.3f}"
    chinese = at([3.0, 1.0], "落霞")
    assert not math.isclose(chinese, 4 / math.log(2) / 2), "two characters, but six bytes: `text.encode`"
    assert math.isclose(chinese, 4 / math.log(2) / 6), f"4 nats for six bytes: 0.962, not {chinese:.3f}"
    uneven = at([0.5, 0.25, 4.0], "a b")
    assert math.isclose(uneven, 4.75 / math.log(2) / 3), f"surprises add up, whatever each is: 2.284, not {uneven:.3f}"


check_bits_a_byte(bits_a_byte)

### BEGIN HIDDEN TESTS
_bits = lambda nats, text: sum(nats) / math.log(2) / len(text.encode())
MISCONCEPTIONS = {
    "per token": (lambda nats, text: np.mean(nats) / math.log(2), "these"),
    "nats": (lambda nats, text: sum(nats) / len(text.encode()), "a bit is log 2"),
    "times log 2": (lambda nats, text: sum(nats) * math.log(2) / len(text.encode()), "the other way"),
    "upside down": (lambda nats, text: 1 / _bits(nats, text), "upside down"),
    "per character": (lambda nats, text: sum(nats) / math.log(2) / len(text), "six bytes"),
    "the largest": (lambda nats, text: len(nats) * max(nats) / math.log(2) / len(text.encode()), "nats for six bytes"),
}
ALTERNATIVES = {
    "NumPy": lambda nats, text: np.sum(nats) / np.log(2) / len(text.encode()),
    "base 2": lambda nats, text: -sum(math.log2(math.exp(-n)) for n in nats) / len(bytes(text, "utf-8")),
}
### END HIDDEN TESTS


# %% [markdown]
# ## 11.3 · investigate · 25 min · ●●●○○ · The size of a FID
#
# *Chapter 11: [3 · Of a distribution](../chapters/11_evaluation.ipynb#3-·-Of-a-distribution)*
#
# To first order a FID of $N$ pictures is too high by a constant over $N$. Write `at_infinity(sizes, fids)`: `sizes`
# (S,) are the numbers of pictures, `fids` (R, S) the FIDs of R runs of one machine, and the answer is one number, for
# infinitely many pictures and the typical run. Draw the line by least squares.
#
# Predict: a machine has 60 with 200 pictures, 36 with 500 and 28 with 1,000. Another has 26, with 10,000. Which one is
# nearer to the real?

# %% tags=["prediction"]
guess_11_3 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "11-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def at_infinity(sizes, fids):
    ### BEGIN SOLUTION
    slope, height = np.polyfit(1 / sizes, fids.mean(0), 1)
    return height
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_at_infinity(at_infinity):
    def at(sizes, fids):
        got = course.attempt(at_infinity, np.array(sizes, dtype=float), np.array(fids, dtype=float))
        return float(course.numbers(got, "one number, a FID", ()))

    sizes, one = [200, 500, 1000], [60, 36, 28]  # 20 + 8000 / N
    got = at(sizes, [one])
    assert got != 28, "this is the FID of a thousand: a part of its bias is still in it"
    assert not math.isclose(got, np.mean(one)), "a mean over sizes has the bias of all of them"
    assert not math.isclose(got, np.polyfit(sizes, one, 1)[1]), "the line runs over 1/N: against N it bends"
    assert not math.isclose(got, np.polyfit(np.array(sizes) ** -0.5, one, 1)[1]), "over 1/N, not over its root"
    assert not math.isclose(got, 8000), "this is how steep the line is; we ask for its height at 1/N = 0"
    assert math.isclose(got, 20, rel_tol=1e-6), f"20 + 8000/N has all three, so 20, not {got:.2f}"
    got = at(sizes, [one, [70, 46, 38], [89, 65, 57]])
    assert not math.isclose(got, 20, rel_tol=1e-6), "the best of three runs is what luck made of it: take them all"
    assert math.isclose(got, 33, rel_tol=1e-6) or math.isclose(got, 30, rel_tol=1e-6), (
        f"three runs with the heights 20, 30 and 49: typical is 33, their mean, or 30, their median, not {got:.2f}"
    )
    sizes, rough = [200, 400, 800, 1600], [61, 38, 33, 24]
    got, right = at(sizes, [rough]), np.polyfit(1 / np.array(sizes), rough, 1)[1]
    two = rough[-1] - (rough[0] - rough[-1]) / (1 / 200 - 1 / 1600) / 1600
    assert not math.isclose(got, two, rel_tol=1e-6), "a line through the first and the last leaves out what is between"
    assert math.isclose(got, right, rel_tol=1e-6), f"by least squares {right:.2f}, not {got:.2f}"


check_at_infinity(at_infinity)

### BEGIN HIDDEN TESTS
_line = lambda x, y: np.polyfit(x, y, 1)
MISCONCEPTIONS = {
    "different sizes": (lambda sizes, fids: fids.mean(0)[-1], "FID of a thousand"),
    "mean of all": (lambda sizes, fids: fids.mean(), "a mean over sizes"),
    "against N": (lambda sizes, fids: _line(sizes, fids.mean(0))[1], "against N it bends"),
    "root of N": (lambda sizes, fids: _line(sizes**-0.5, fids.mean(0))[1], "not over its root"),
    "slope": (lambda sizes, fids: _line(1 / sizes, fids.mean(0))[0], "how steep"),
    "the best seed": (lambda sizes, fids: _line(1 / sizes, fids.min(0))[1], "what luck made"),
    "the worst seed": (lambda sizes, fids: _line(1 / sizes, fids.max(0))[1], "typical is 33"),
    "two points": (
        lambda sizes, fids: _line(1 / sizes[[0, -1]], fids.mean(0)[[0, -1]])[1],
        "what is between",
    ),
}
EQUIVALENT = {
    "slope, height = np.polyfit(2 / sizes, fids.mean(0), 1)": "the line is half as steep, and as high at 0",
}
ALTERNATIVES = {
    "normal equations": lambda sizes, fids: np.linalg.lstsq(
        np.stack([np.ones(len(sizes)), 1 / sizes], 1), fids.mean(0), rcond=None
    )[0][0],
    "the median run": lambda sizes, fids: np.median([_line(1 / sizes, run)[1] for run in fids]),
    "SciPy": lambda sizes, fids: stats.linregress(1 / sizes, fids.mean(0)).intercept,
}
### END HIDDEN TESTS

# %%
print("your prediction:", guess_11_3)

# %% [markdown]
# Most probably the first, although its numbers are higher: at infinity it has 20. With a bias like the first one's, the
# other would have 25.2. To come down to 20 its bias would have to be seven and a half times as large; one size cannot
# exclude that, so measure it with a second one. FIDs of different numbers of pictures are never to be compared as they
# stand.


# %% [markdown]
# ## 11.4 · build · 40 min · ●●●○○ · A ranking with intervals
#
# *Chapter 11: [5 · People](../chapters/11_evaluation.ipynb#5-·-People)*
#
# Build Bradley and Terry's ranking in three steps. `wins[i, j]` counts how often i was preferred to j.
#
# First `strengths(wins)`: the maximum of the likelihood of (11.8), (K,), with mean 0, right to four digits. A simple
# way: let $e^{s_i}$ be $w_i / \sum_j n_{ij} / (e^{s_i} + e^{s_j})$, where $w_i$ are the wins of i and $n_{ij}$ the
# games of the two, again and again, until nothing moves. Whichever way one parts the machines into two groups, each
# group has won against the other at least once.


# %% nbgrader={"grade": false, "grade_id": "11-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def strengths(wins):
    ### BEGIN SOLUTION
    games = wins + wins.T
    power = np.ones(len(wins))
    for _ in range(5000):
        expected = games / (power[:, None] + power[None, :])
        fresh = wins.sum(1) / expected.sum(1)
        power = fresh / np.exp(np.log(fresh).mean())
    return np.log(power)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_strengths(strengths):
    def at(wins):
        wins = np.array(wins, dtype=float)
        return course.numbers(course.attempt(strengths, wins.copy()), "strengths, (K,)", (len(wins),))

    two = at([[0, 30], [10, 0]])
    assert not np.allclose(two, [0.75, 0.25], atol=1e-3), "these are shares: take logits"
    assert not np.allclose(two, [-math.log(3) / 2, math.log(3) / 2], atol=1e-4), "upside down: row i are the wins of i"
    assert abs(two.mean()) < 1e-4, "with mean 0: only differences count"
    assert np.allclose(two, [math.log(3) / 2, -math.log(3) / 2], atol=1e-4), f"30 to 10: log 3 apart, not {two}"
    wins = [[0, 9, 18, 3], [6, 0, 20, 40], [2, 25, 0, 11], [2, 10, 9, 0]]
    right = np.array([0.96044, 0.08731, -0.16580, -0.88195])
    got = at(wins)
    assert np.allclose(got, right, atol=2e-3) or not np.allclose(got, right, atol=0.4), (
        "near, and not there: go on until nothing moves (and do not compare an array with itself)"
    )
    assert np.allclose(got, right, atol=2e-3), f"of four who met unequally often: {right.round(3)}, not {got.round(3)}"


check_strengths(strengths)


### BEGIN HIDDEN TESTS
from aigc.evaluate.human import bradley_terry  # noqa: E402


def _ranked(rounds=5000, flip=False, centre=True, share=False):
    def answer(wins):
        wins = wins.T if flip else wins
        games, power = wins + wins.T, np.ones(len(wins))
        if share:
            s = np.log(wins.sum(1) / wins.sum(0))
            return s - s.mean()
        for _ in range(rounds):
            expected = games / (power[:, None] + power[None, :])
            power = wins.sum(1) / expected.sum(1)
        s = np.log(power / power.sum())
        return s - s.mean() if centre else s

    return answer


MISCONCEPTIONS = {
    "shares": (lambda wins: np.exp(_ranked()(wins)) / np.exp(_ranked()(wins)).sum(), "take logits"),
    "upside down": (_ranked(flip=True), "upside down"),
    "not centred": (_ranked(centre=False), "with mean 0"),
    "two rounds": (_ranked(rounds=2), "nothing moves"),
    "share of games": (_ranked(share=True), "log 3 apart"),
}
EQUIVALENT = {
    "for _ in range(5001):": "it stood still long before",
    "for _ in range(4999):": "it stood still long before",
    "fresh = wins.mean(1) / expected.sum(1)": "a factor that all have falls out in the next line",
    "power = fresh / np.exp(np.log2(fresh).mean())": "the mean comes to 0 all the same, only later",
    "fresh = wins.sum(1) / expected.sum(0)": "who met whom is symmetric",
    "fresh = wins.sum(1) / expected.mean(1)": "a factor that all have falls out in the next line",
}
ALTERNATIVES = {
    "the library": lambda wins: bradley_terry(wins)[0],
    "many rounds": _ranked(),
}
### END HIDDEN TESTS


# %% [markdown]
# Then `apart(wins, strengths, i, j)`: the 95 % interval, (low, high), of the difference of two strengths. The
# likelihood is curved by $n_{ij}\,p_{ij}(1 - p_{ij})$ for each pair, where $p_{ij}$ is (11.8): the matrix $H$ has their
# sums over each row on its diagonal, and their negatives beside it. Its rows add up to 0, since only differences count,
# so it has no inverse; `np.linalg.pinv` gives the covariance $C$ of what can be known. The variance of the difference
# is $C_{ii} + C_{jj} - 2 C_{ij}$.


# %% nbgrader={"grade": false, "grade_id": "11-4-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def apart(wins, strengths, i, j):
    ### BEGIN SOLUTION
    games = wins + wins.T
    chance = 1 / (1 + np.exp(strengths[None, :] - strengths[:, None]))
    bend = games * chance * (1 - chance)
    covariance = np.linalg.pinv(np.diag(bend.sum(1)) - bend)
    variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
    middle, reach = strengths[i] - strengths[j], 1.96 * math.sqrt(variance)
    return middle - reach, middle + reach
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11-4-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_apart(apart):
    def at(wins, s, i, j):
        wins, s = np.array(wins, dtype=float), np.array(s)
        return course.numbers(course.attempt(apart, wins.copy(), s.copy(), i, j), "two numbers, low and high", (2,))

    half = math.log(3) / 2
    low, high = at([[0, 30], [10, 0]], [half, -half], 0, 1)
    assert not math.isclose(low, high, abs_tol=1e-6), "no width: C_ij is below 0 here, and twice of it is *taken away*"
    assert low < high, "low first, then high"
    assert math.isclose((low + high) / 2, 2 * half, rel_tol=1e-6), f"around the difference, {2 * half:.3f}"
    variance = ((high - low) / 2 / 1.96) ** 2
    assert not math.isclose(variance, (2 / 15) ** 2, rel_tol=1e-3), "the root of the variance, and then 1.96 of it"
    assert not math.isclose(variance * 1.96**2, 2 / 15, rel_tol=1e-3), "one standard deviation: 95 % reaches 1.96 far"
    assert not math.isclose(variance, 1 / 15, rel_tol=1e-3), "the two hang together: mind the covariance, with its sign"
    assert math.isclose(variance, 2 / 15, rel_tol=1e-3), f"of two: 1/30 + 1/10, not {variance:.4f}"
    wins = [[0, 9, 18, 3], [6, 0, 20, 40], [2, 25, 0, 11], [2, 10, 9, 0]]
    s = [0.96044, 0.08731, -0.16580, -0.88195]
    low, high = at(wins, s, 1, 2)
    assert math.isclose(low, -0.2392, abs_tol=5e-3) and math.isclose(high, 0.7454, abs_tol=5e-3), (
        f"of four: from {-0.2392:.3f} to {0.7454:.3f}, so nobody knows; not {low:.3f} to {high:.3f}"
    )


check_apart(apart)


### BEGIN HIDDEN TESTS
def _pinned(H):
    C = np.zeros_like(H)
    C[1:, 1:] = np.linalg.inv(H[1:, 1:])  # the first strength held at 0
    return C


def _interval(cross=-2.0, root=True, z=1.96, bend=lambda p: p * (1 - p), inverse=np.linalg.pinv):
    def answer(wins, s, i, j):
        p = 1 / (1 + np.exp(s[None, :] - s[:, None]))
        H = -(wins + wins.T) * bend(p)
        np.fill_diagonal(H, 0)
        np.fill_diagonal(H, -H.sum(1))
        C = inverse(H)
        variance = C[i, i] + C[j, j] + cross * C[i, j]
        reach = z * (math.sqrt(max(0.0, variance)) if root else variance)
        return s[i] - s[j] - reach, s[i] - s[j] + reach

    return answer


MISCONCEPTIONS = {
    "high first": (lambda *given: _interval()(*given)[::-1], "low first"),
    "no covariance": (_interval(cross=0.0), "mind the covariance"),
    "plus": (_interval(cross=2.0), "*taken away*"),
    "no root": (_interval(root=False), "the root of the variance"),
    "one deviation": (_interval(z=1.0), "1.96 far"),
    "around zero": (lambda wins, s, i, j: _interval()(wins, s - s, i, j), "around the difference"),
    "as for equals": (_interval(bend=lambda p: 0.25), "1/30 + 1/10"),
}
EQUIVALENT = {
    "chance = 1 / (1 + np.exp(strengths[:, None] - strengths[None, :]))": "p (1 - p) is the same for both of a pair",
    "covariance = np.linalg.pinv(np.diag(bend.sum(0)) - bend)": "the matrix is symmetric",
}
ALTERNATIVES = {
    "one pinned": _interval(inverse=_pinned),
    "with ones": _interval(inverse=lambda H: np.linalg.inv(H + 1)),
}
### END HIDDEN TESTS


# %% [markdown]
# Last, `undecided(wins)`: a list of all pairs (i, j), i < j, in order, of which 95 % cannot tell who is better.


# %% nbgrader={"grade": false, "grade_id": "11-4-c", "locked": false, "schema_version": 3, "solution": true, "task": false}
def undecided(wins):
    ### BEGIN SOLUTION
    s = strengths(wins)
    found = []
    for i in range(len(wins)):
        for j in range(i + 1, len(wins)):
            low, high = apart(wins, s, i, j)
            if low < 0 < high:
                found.append((i, j))
    return found
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11-4-c-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_undecided(undecided):
    def at(wins):
        got = course.attempt(undecided, np.array(wins, dtype=float))
        pairs = isinstance(got, (list, tuple)) and all(np.shape(pair) == (2,) for pair in got)
        assert pairs, "a list of pairs (i, j)"
        return [(int(i), int(j)) for i, j in got]

    wins = [[0, 9, 5, 9], [21, 0, 13, 20], [25, 17, 0, 20], [21, 10, 10, 0]]
    got = at(wins)
    assert sorted(got) != [(0, 1), (0, 2), (0, 3), (2, 3)], "these are the pairs that *are* decided"
    assert not {(2, 1), (3, 1)} & set(got), "i < j: each pair once"
    assert (0, 3) not in got, (
        "two intervals may overlap, and the difference be sure: use the interval of the difference"
    )
    assert got == [(1, 2), (1, 3)], f"of four machines nobody knows about (1, 2) and (1, 3), in this order, not {got}"
    assert at([[0, 30], [10, 0]]) == [], "30 to 10 is decided"
    assert at([[0, 21], [19, 0]]) == [(0, 1)], "21 to 19 is not"


check_undecided(undecided)


### BEGIN HIDDEN TESTS
def _pairs(keep):
    def answer(wins):
        s, C = bradley_terry(wins)
        return [(i, j) for i in range(len(wins)) for j in range(len(wins)) if keep(s, C, i, j)]

    return answer


_sure = lambda s, C, i, j: abs(s[i] - s[j]) > 1.96 * math.sqrt(C[i, i] + C[j, j] - 2 * C[i, j])
MISCONCEPTIONS = {
    "decided": (_pairs(lambda s, C, i, j: i < j and _sure(s, C, i, j)), "*are* decided"),
    "twice": (_pairs(lambda s, C, i, j: i != j and not _sure(s, C, i, j)), "each pair once"),
    "overlap": (
        _pairs(lambda s, C, i, j: i < j and abs(s[i] - s[j]) < 1.96 * (C[i, i] ** 0.5 + C[j, j] ** 0.5)),
        "may overlap",
    ),
    "neighbours": (_pairs(lambda s, C, i, j: j == i + 1 and not _sure(s, C, i, j)), "nobody knows"),
    "a number": (lambda wins: len(_pairs(lambda s, C, i, j: i < j and not _sure(s, C, i, j))(wins)), "list of pairs"),
}
ALTERNATIVES = {"by the library": _pairs(lambda s, C, i, j: i < j and not _sure(s, C, i, j))}
EQUIVALENT = {
    "for j in range(i + 0, len(wins)):": "of a machine and itself the interval is from 0 to 0, and so not below 0",
}
### END HIDDEN TESTS


# %% [markdown]
# ## 11.5 · debug · 25 min · ●●●○○ · An interval over correlated judgements
#
# *Chapter 11: [5 · People](../chapters/11_evaluation.ipynb#5-·-People)*
#
# `confident` gives a 95 % interval of the share of choices for A. Its input has a row for each person and a column for
# each pair that was judged, 1 for A. Simulate people who differ in taste, measure how often the interval holds the
# truth, find out why, and write `mended`: (low, high), by Student's t over what is independent.


# %% nbgrader={"grade": false, "grade_id": "11-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def confident(choices):
    share, n = choices.mean(), choices.size
    reach = 1.96 * math.sqrt(share * (1 - share) / n)
    return share - reach, share + reach


def mended(choices):
    ### BEGIN SOLUTION
    people = np.mean(choices, axis=1)
    reach = stats.t.ppf(0.975, len(people) - 1) * people.std(ddof=1) / math.sqrt(len(people))
    return people.mean() - reach, people.mean() + reach
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_mended(mended):
    choices = np.array([[1, 1, 1, 0, 1], [1, 0, 0, 0, 0], [1, 1, 0, 0, 0]])
    people = choices.mean(1)  # 0.8, 0.2, 0.4

    def reach(values, quantile, ddof=1):
        return quantile * np.std(values, ddof=ddof) / math.sqrt(len(values))

    low, high = course.numbers(course.attempt(mended, choices.copy()), "two numbers, low and high", (2,))
    assert low < high, "low first, then high"
    assert math.isclose((low + high) / 2, 7 / 15), "the middle is the share of all choices, here 7/15"
    got = (high - low) / 2
    t = stats.t.ppf(0.975, 2)
    assert not math.isclose(got, 1.96 * math.sqrt(7 / 15 * 8 / 15 / 15), rel_tol=1e-6), (
        "this still counts fifteen independent judgements"
    )
    assert not math.isclose(got, reach(choices.mean(0), stats.t.ppf(0.975, 4)), rel_tol=1e-4), (
        "a row is a person: these are the means of the columns"
    )
    assert not math.isclose(got, reach(people, 1.96), rel_tol=1e-3), "three people are few: Student's t, not 1.96"
    assert not math.isclose(got, reach(people, t, 0), rel_tol=1e-3), "the deviation of a sample divides by n - 1"
    assert not math.isclose(got, t * people.std(ddof=1), rel_tol=1e-3), (
        "of the *mean*: divide by the root of the number of people"
    )
    assert not math.isclose(got, reach(people, stats.t.ppf(0.95, 2)), rel_tol=1e-3), (
        "95 % in the middle leaves 2.5 % on each side"
    )
    assert math.isclose(got, reach(people, t), rel_tol=1e-6), f"it reaches {reach(people, t):.4f} far, not {got:.4f}"
    more = np.array([[1, 1, 0, 1], [0, 0, 0, 1], [1, 1, 1, 1], [0, 1, 0, 0], [1, 0, 1, 1], [0, 0, 0, 0]])
    low, high = course.numbers(course.attempt(mended, more.copy()), "two numbers, low and high", (2,))
    right = reach(more.mean(1), stats.t.ppf(0.975, 5))
    assert math.isclose((high - low) / 2, right, rel_tol=1e-6), (
        f"of six people it reaches {right:.4f} far, not {(high - low) / 2:.4f}: count them"
    )


check_mended(mended)


### BEGIN HIDDEN TESTS
def _over(axis=1, ddof=1, q=0.975, student=True, root=True):
    def answer(choices):
        people = choices.mean(axis)
        quantile = stats.t.ppf(q, len(people) - 1) if student else 1.96
        reach = quantile * people.std(ddof=ddof) / (math.sqrt(len(people)) if root else 1)
        return people.mean() - reach, people.mean() + reach

    return answer


MISCONCEPTIONS = {
    "unchanged": (confident, "still counts"),
    "columns": (_over(axis=0), "a row is a person"),
    "normal": (_over(student=False), "Student"),
    "divided by n": (_over(ddof=0), "n - 1"),
    "of one person": (_over(root=False), "of the *mean*"),
    "one side": (_over(q=0.95), "on each side"),
    "three people": (
        lambda choices: tuple(
            choices.mean() + way * stats.t.ppf(0.975, 2) * choices.mean(1).std(ddof=1) / math.sqrt(3) for way in (-1, 1)
        ),
        "count them",
    ),
    "the other way round": (lambda choices: _over()(choices)[::-1], "low first"),
}
ALTERNATIVES = {
    "SciPy": lambda choices: stats.t.interval(
        0.95, len(choices) - 1, loc=choices.mean(), scale=stats.sem(choices.mean(1))
    ),
}
### END HIDDEN TESTS


# %% [markdown]
# ## 11.6 · challenge · 60 min · ●●●●○ · A page that cheats
#
# *Chapter 11: [4 · Variety and copying](../chapters/11_evaluation.ipynb#4-·-Variety-and-copying)*
#
# Write `cheat(corpus)`, where `corpus` is the text of two plays, `plays` of the first cell: a list of thirty lines that say nothing, and at which
# no measure takes offence. Each line has at least four words, and two words that stand side by side in a line stand so
# somewhere in the corpus, too, perhaps over the end of a line. distinct-2 of the first 150 words is above 0.95,
# self-BLEU of the lines below 15, no line is one of the corpus, and the longest copy of the page, its lines joined by
# line ends, has fewer than 25 letters. Real pages keep all of that.
#
# The score is open: put your page into the chapter's `machines`. Its real pages have a surprise of about 1.8 to 2.1
# bits a letter; how far down can you bring a page of nonsense?


# %% nbgrader={"grade": false, "grade_id": "11-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cheat(corpus):
    ### BEGIN SOLUTION
    random = np.random.default_rng(0)
    follows = {}
    words = corpus.split()
    for a, b in zip(words, words[1:]):
        follows.setdefault(a, []).append(b)
    page = []
    while len(page) < 30:
        line = [words[random.integers(len(words) - 1)]]
        while len(line) < 7 and line[-1] in follows:
            line.append(follows[line[-1]][random.integers(len(follows[line[-1]]))])
        if len(line) == 7 and len(longest_copy(" ".join(line), corpus)) < 20:
            page.append(" ".join(line))
    return page
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_cheat(cheat):
    page = course.attempt(cheat, plays)
    assert isinstance(page, (list, tuple)) and all(isinstance(line, str) for line in page), "a list of lines, strings"
    assert len(page) == 30, f"thirty lines, not {len(page)}"
    cut = [line.split() for line in page]
    assert min(map(len, cut)) >= 4, "each line has at least four words"
    words = plays.split()
    known, lines = set(zip(words, words[1:])), {" ".join(line.split()) for line in plays.splitlines()}
    odd = [" ".join(pair) for line in cut for pair in zip(line, line[1:]) if pair not in known]
    assert not odd, f"a pair of words that stands nowhere in the plays: {odd[0]!r}"
    variety = distinct(" ".join(page).split()[:150], 2)
    assert variety > 0.95, f"the same pairs come again: distinct-2 of {variety:.2f}, real pages have more than 0.95"
    alike = self_bleu(list(page))
    assert alike < 15, f"the lines are like each other: self-BLEU of {alike:.1f}, real pages have less than 15"
    whole = [line for line in map(" ".join, cut) if line in lines]
    assert not whole, f"copied, a whole line: {whole[0]!r}"
    copied = longest_copy("\n".join(page), plays)
    assert len(copied) < 25, f"copied, {len(copied)} letters: {copied!r}; a real page shares fewer than 25"


check_cheat(cheat)

### BEGIN HIDDEN TESTS
_long = lambda corpus: [line for line in corpus.splitlines() if len(line.split()) > 5]


def _walked(seed, length=5):
    def answer(corpus):
        random, words, page = np.random.default_rng(seed), corpus.split(), []
        where = {}
        for at, word in enumerate(words[:-1]):
            where.setdefault(word, []).append(at)
        while len(page) < 30:
            at = int(random.integers(len(words) - 1))
            line = [words[at]]
            for _ in range(length):
                line.append(words[random.choice(where.get(line[-1], [at])) + 1])
            pairs = all(b in {words[i + 1] for i in where.get(a, [])} for a, b in zip(line, line[1:]))
            if pairs and len(longest_copy(" ".join(line), corpus)) < 18:
                page.append(" ".join(line))
        return page

    return answer


MISCONCEPTIONS = {
    "the parrot": (lambda corpus: _long(corpus)[40:70], "copied"),
    "short lines": (
        lambda corpus: sorted(
            {line for line in corpus.splitlines() if len(line) < 22 and len(line.split()) > 3},
            key=lambda line: line[::-1],
        )[::9][:30],
        "a whole line",
    ),
    "the mixer": (
        lambda corpus: [
            " ".join(part)
            for part in np.array_split(np.random.default_rng(0).permutation(" ".join(_long(corpus)[:30]).split()), 30)
        ],
        "stands nowhere",
    ),
    "the stammerer": (lambda corpus: [_walked(0)(corpus)[0]] * 30, "the same pairs"),
    "a text": (lambda corpus: "\n".join(_walked(0)(corpus)), "a list of lines"),
    "too short": (lambda corpus: _walked(0, length=2)(corpus), "at least four words"),
    "one line": (lambda corpus: _walked(0)(corpus)[:1], "thirty lines"),
}
ALTERNATIVES = {"another walk": _walked(1), "long lines": _walked(6, length=8)}
### END HIDDEN TESTS


# %% [markdown]
# ## 11.7 · verify · 15 min · ●●○○○ · Agreement beyond chance
#
# *Chapter 11: [5 · People](../chapters/11_evaluation.ipynb#5-·-People)*
#
# Write (11.9) for any number of categories: `kappa(a, b)`, where `a` and `b` are the marks that two people gave to the
# same N works, (N,), whole numbers. How often each of the two gives a mark is counted from that person's own marks.
# Nobody asks for two people who both give one and the same mark throughout.


# %% nbgrader={"grade": false, "grade_id": "11-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def kappa(a, b):
    ### BEGIN SOLUTION
    observed = np.mean(a == b)
    chance = sum(np.mean(a == mark) * np.mean(b == mark) for mark in np.unique(a))
    return (observed - chance) / (1 - chance)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_kappa(kappa):
    def at(a, b):
        return float(course.numbers(course.attempt(kappa, np.array(a), np.array(b)), "one number, kappa", ()))

    a, b = [1, 1, 2, 2, 2, 2, 3, 3, 3, 3], [1, 2, 2, 2, 2, 2, 3, 3, 2, 2]  # they agree on 7
    got, chance = at(a, b), 0.2 * 0.1 + 0.4 * 0.7 + 0.4 * 0.2
    assert not math.isclose(got, 0.7), "this is how often they agree; much of it is chance"
    assert not math.isclose(got, 0.7 - chance), "divided by how much is left to agree on: 1 - p_e"
    assert not math.isclose(got, (0.7 - chance) / chance), "divided by 1 - p_e, not by p_e"
    assert not math.isclose(got, (0.7 - 1 / 3) / (2 / 3)), "they do not give all marks equally often: count"
    both = 0.15**2 + 0.55**2 + 0.3**2
    assert not math.isclose(got, (0.7 - both) / (1 - both)), (
        "each has habits of their own: do not throw their marks together"
    )
    assert math.isclose(got, (0.7 - chance) / (1 - chance)), f"(0.7 - 0.38) / 0.62 is 0.516, not {got:.3f}"
    assert math.isclose(at([0, 1, 0, 1], [0, 1, 0, 1]), 1), "who always agree, though they need not, have 1"
    opposite = at([0, 1, 0, 1], [1, 0, 1, 0])
    assert opposite != 0, "less than chance is below 0"
    assert math.isclose(opposite, -1), f"who never agree, with half of either mark: -1, not {opposite:.3f}"
    assert math.isclose(at([-1, 12, 7, 7], [-1, 12, 12, 7]), 7 / 11), "any whole number may be a mark"
    rare = at([1] + [0] * 19, [0] * 19 + [1])
    assert math.isclose(rare, -1 / 19), f"nine in ten alike, and yet below chance: -0.053, not {rare:.3f}"


check_kappa(kappa)


### BEGIN HIDDEN TESTS
def _beyond(chance, scale=lambda p_o, p_e: (p_o - p_e) / (1 - p_e)):
    return lambda a, b: scale(np.mean(a == b), chance(a, b))


_shares = lambda a, marks: np.array([np.mean(a == mark) for mark in marks])
_own = lambda a, b: _shares(a, set(a.tolist())) @ _shares(b, set(a.tolist()))
_pooled = lambda a, b: (_shares(np.r_[a, b], np.unique(np.r_[a, b])) ** 2).sum()
MISCONCEPTIONS = {
    "accuracy": (lambda a, b: np.mean(a == b), "how often they agree"),
    "not divided": (_beyond(_own, lambda p_o, p_e: p_o - p_e), "left to agree on"),
    "by p_e": (_beyond(_own, lambda p_o, p_e: (p_o - p_e) / p_e), "not by p_e"),
    "all alike": (_beyond(lambda a, b: 1 / len(np.unique(np.r_[a, b]))), "equally often"),
    "Scott's pi": (_beyond(_pooled), "habits"),
    "never below 0": (_beyond(_own, lambda p_o, p_e: max(0.0, (p_o - p_e) / (1 - p_e))), "below 0"),
}
ALTERNATIVES = {
    "by a table": lambda a, b: _by_table(
        np.array([[np.sum((a == i) & (b == j)) for j in np.union1d(a, b)] for i in np.union1d(a, b)])
    ),
    "set": _beyond(_own),
}


def _by_table(table):
    p = table / table.sum()
    chance = p.sum(1) @ p.sum(0)
    return (np.trace(p) - chance) / (1 - chance)


### END HIDDEN TESTS
