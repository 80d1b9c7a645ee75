# %% [markdown]
# # NN · Title: exercises
#
# Run the first cell, then take the exercises in any order. Each check tells you what it expected; when it is silent, you
# are done.

# %%
import numpy as np

from aigc import course

# %% [markdown]
# ## NN.1 · verify · 10 min · ●○○○○ · A run of heads
#
# Write equation (NN.1): `run(p, n)`, the probability of `n` heads in a row.


# %% nbgrader={"grade": false, "grade_id": "NN-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def run(p, n):
    ### BEGIN SOLUTION
    return p**n
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "NN-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_run(run):
    got = course.attempt(run, 0.5, 3)
    assert got != 1.5, "the throws are independent: multiply, do not add"
    assert got != 0.875, "this is the probability of at least one tail"
    assert got == 1 / 8, f"half of half of a half is 1/8, not {got}"


check_run(run)

### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "sum": (lambda p, n: p * n, "multiply, do not add"),
    "complement": (lambda p, n: 1 - p**n, "at least one tail"),
    "n is ignored": (lambda p, n: p, "half of half"),
}
### END HIDDEN TESTS


# %% [markdown]
# ## NN.2 · modify · 15 min · ●●○○○ · An unfair coin
#
# Change `run` to `streak(throws)`: the longest run of ones in a list.


# %% nbgrader={"grade": false, "grade_id": "NN-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def streak(throws):
    ### BEGIN SOLUTION
    return max(len(part) for part in "".join(map(str, throws)).split("0"))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "NN-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_streak(streak):
    got = course.attempt(streak, [1, 1, 0, 1])
    assert got != 3, "ones that are apart are no run"
    assert streak([0, 0, 0, 1]) != 3, "only ones count"
    assert got != 1, "the longest, not the last"
    assert got == 2 and streak([0, 0, 0, 1]) == 1 and streak([0]) == 0


check_streak(streak)

### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "all ones": (sum, "are no run"),
    "zeros": (lambda throws: max(map(len, "".join(map(str, throws)).split("1"))), "only ones"),
    "the last": (lambda throws: len("".join(map(str, throws)).split("0")[-1]), "not the last"),
}
### END HIDDEN TESTS


# %% [markdown]
# ## NN.3 · investigate · 20 min · ●●●○○ · How long is the longest?
#
# How long is the longest run in `n` throws, on average? Write `average(n, trials)` by trying.


# %% nbgrader={"grade": false, "grade_id": "NN-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def average(n, trials):
    ### BEGIN SOLUTION
    dice = np.random.default_rng(0)
    rows = ("".join(map(str, dice.integers(2, size=n))) for _ in range(trials))
    return np.mean([max(map(len, row.split("0"))) for row in rows])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "NN-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_average(average):
    got = course.attempt(average, 100, 400)
    assert np.ndim(got) == 0, "one number: the mean over the trials"
    assert got > 3, "this is the mean length of a run: take the longest of each trial"
    assert got < 9, "this grows with the trials: the mean of the longest ones, not the longest of all"
    assert abs(got - 6) < 0.6, f"about the logarithm of 100 to the base 2, less a half; not {got}"


check_average(average)

### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "every trial": (lambda n, trials: np.ones(trials), "one number"),
    "mean run": (lambda n, trials: 2.0, "the longest of each trial"),
    "longest of all": (lambda n, trials: 15.0, "not the longest of all"),
}
### END HIDDEN TESTS


# %% [markdown]
# ## NN.4 · build · 40 min · ●●●○○ · A forger of throws
#
# Build, in two steps, a forger who has learnt from throws how often heads follows heads.
#
# First `learn(throws)`: a table (2, 2) of how often each follows each, as probabilities, with one added to each count.


# %% nbgrader={"grade": false, "grade_id": "NN-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def learn(throws):
    ### BEGIN SOLUTION
    counts = np.ones((2, 2))
    for before, after in zip(throws, throws[1:]):
        counts[before, after] += 1
    totals = counts.sum(1, keepdims=True)
    table = counts / totals
    for row in table:
        if not np.isclose(row.sum(), 1):
            raise ValueError("a row of the table is no distribution")
    return table
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "NN-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_learn(learn):
    table = course.attempt(learn, [1, 1, 1, 0])
    assert np.shape(table) == (2, 2), "a row for what came before, a column for what follows"
    assert np.allclose(np.sum(table, 1), 1), "each row is a distribution: divide by the sum of the row"
    assert not np.allclose(table[1], [1 / 3, 2 / 3]), "add one to each count"
    assert np.allclose(table, [[1 / 2, 1 / 2], [2 / 5, 3 / 5]])


check_learn(learn)

### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "one row": (lambda throws: np.array([0.5, 0.5]), "a row for what came before"),
    "columns": (lambda throws: np.array([[0.5, 0.4], [0.5, 0.6]]), "sum of the row"),
    "no smoothing": (lambda throws: np.array([[0.5, 0.5], [1 / 3, 2 / 3]]), "add one"),
}
### END HIDDEN TESTS


# %% nbgrader={"grade": false, "grade_id": "NN-4-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def forge(table, n, seed):
    ### BEGIN SOLUTION
    dice = np.random.default_rng(seed)
    throws = [int(dice.integers(2))]
    while len(throws) < n:
        chance = table[throws[-1]][1]
        if dice.random() < chance:
            throws.append(1)
        else:
            throws.append(0)
    if len(throws) != n:
        raise ValueError("n must be at least 1")
    return throws
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "NN-4-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_forge(forge):
    always = np.array([[0.0, 1.0], [0.0, 1.0]])
    got = course.attempt(forge, always, 50, 0)
    assert len(got) == 50, f"50 throws were asked for, not {len(got)}"
    assert set(got[1:]) != {0}, "the column is what follows: 1 stands for heads"
    assert set(got[1:]) == {1}, "draw each throw from the row of the one before it"


check_forge(forge)

### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "one more": (lambda table, n, seed: [1] * (n + 1), "asked for"),
    "the wrong column": (lambda table, n, seed: [0] * n, "the column is what follows"),
    "no table": (lambda table, n, seed: [0, 1] * (n // 2), "from the row"),
}
### END HIDDEN TESTS


# %% [markdown]
# ## NN.5 · debug · 20 min · ●●●○○ · A judge who errs
#
# `judge` should give the share of heads after heads. On fair throws it gives 1/4. Measure where it errs, and write
# `mended`. The function with the bug stands above the one to write, in the same cell.


# %% nbgrader={"grade": false, "grade_id": "NN-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def judge(throws):
    pairs = list(zip(throws, throws[1:]))
    return sum(a == b == 1 for a, b in pairs) / len(pairs)


def mended(throws):
    ### BEGIN SOLUTION
    after = [b for a, b in zip(throws, throws[1:]) if a == 1]
    return sum(after) / len(after)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "NN-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_mended(mended):
    got = course.attempt(mended, [1, 1, 0, 1, 0, 0])
    assert got != 1 / 5, "this is still the share of all pairs: divide by those that begin with heads"
    assert got != 1 / 2, "this is the share of heads: look at what follows heads"
    assert got != 2 / 3, "this is the share of tails after heads"
    assert np.isclose(got, 1 / 3), f"of three throws after heads one is heads, not {got}"


check_mended(mended)

### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "unchanged": (judge, "still the share of all pairs"),
    "heads": (lambda throws: sum(throws) / len(throws), "what follows heads"),
    "tails": (lambda throws: 2 / 3, "tails after heads"),
}
### END HIDDEN TESTS


# %% [markdown]
# ## NN.6 · challenge · 60 min · ●●●●● · Fool the judge
#
# Write `human(n)`: throws that nobody takes for a machine's. The score is open: print it, and hold it against the band in
# the chapter. The check asks only for what any answer has to keep.


# %% nbgrader={"grade": false, "grade_id": "NN-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def human(n):
    ### BEGIN SOLUTION
    return [1, 0, 1, 1, 0][: n % 5] + [1, 0, 1, 1, 0] * (n // 5)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "NN-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_human(human):
    got = course.attempt(human, 40)
    assert len(got) == 40, "as many throws as were asked for"
    assert set(got) <= {0, 1}, "throws are 0 and 1"
    assert 10 < sum(got) < 30, "heads and tails both occur often"


check_human(human)

### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "one": (lambda n: [1], "as many throws"),
    "letters": (lambda n: ["H"] * n, "0 and 1"),
    "all heads": (lambda n: [1] * n, "both occur"),
}
### END HIDDEN TESTS
