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

from aigc import course

# %% [markdown]
# ## 11.1 · verify · 15 min · ●●○○○ · BLEU of a whole text
#
# *Chapter 11: [2 · Against a reference](../chapters/11_evaluation.ipynb#2-·-Against-a-reference)*
#
# Write `bleu(candidates, references)`: (11.3) in percent, for two lists of sentences, whose words are parted by spaces.
# Counts are added up over all sentences before anything is divided; a run of words counts no more often than its
# reference has it. Where a precision is zero, so is BLEU.


# %% nbgrader={"grade": false, "grade_id": "11-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bleu(candidates, references):
    ### BEGIN SOLUTION
    pairs = [(c.split(), r.split()) for c, r in zip(candidates, references)]
    c, r = sum(len(a) for a, _ in pairs), sum(len(b) for _, b in pairs)
    product = 1.0
    for n in range(1, 5):
        runs = lambda words: Counter(zip(*(words[i:] for i in range(n))))
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
    assert not math.isclose(short, 60.43, abs_tol=0.01), "the candidate is shorter than its reference: the price is missing"
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
    assert at(["red clouds"], ["blue sea and sky"])[0] == 0, "nothing in common: 0"


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


MISCONCEPTIONS = {
    "a share": (_bleu(scale=1), "in percent"),
    "no price": (_bleu(price=lambda c, r: 0), "the price is missing"),
    "upside down": (_bleu(price=lambda c, r: max(0.0, r / c - 1)), "not for being long"),
    "price both ways": (_bleu(price=lambda c, r: -abs(1 - r / c)), "the precisions pay"),
    "a book's weights": (_bleu(weights=(1 / 2, 1 / 4, 1 / 8, 1 / 16)), "the weight 1/4"),
    "not clipped": (_bleu(clip=False), "no more often"),
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
    assert not math.isclose(got, 1.96 * math.sqrt(7 / 15 * 8 / 15 / 15), rel_tol=1e-6), "this still counts fifteen independent judgements"
    assert not math.isclose(got, reach(choices.mean(0), stats.t.ppf(0.975, 4)), rel_tol=1e-4), (
        "a row is a person: these are the means of the columns"
    )
    assert not math.isclose(got, reach(people, 1.96), rel_tol=1e-3), "three people are few: Student's t, not 1.96"
    assert not math.isclose(got, reach(people, t, 0), rel_tol=1e-3), "the deviation of a sample divides by n - 1"
    assert not math.isclose(got, t * people.std(ddof=1), rel_tol=1e-3), "of the *mean*: divide by the root of the number of people"
    assert not math.isclose(got, reach(people, stats.t.ppf(0.95, 2)), rel_tol=1e-3), "95 % in the middle leaves 2.5 % on each side"
    assert math.isclose(got, reach(people, t), rel_tol=1e-6), f"it reaches {reach(people, t):.4f} far, not {got:.4f}"


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
    "the other way round": (lambda choices: _over()(choices)[::-1], "low first"),
}
ALTERNATIVES = {
    "SciPy": lambda choices: stats.t.interval(
        0.95, len(choices) - 1, loc=choices.mean(), scale=stats.sem(choices.mean(1))
    ),
}
### END HIDDEN TESTS
