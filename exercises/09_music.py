# %% [markdown]
# # 09 · Music in practice: exercises
#
# Run the first cell, then take the exercises in any order. No function changes what it is given. Each check tells you
# what it expected; when it is silent, you are done.

# %%
import itertools
import math

import numpy as np
import torch

from aigc import course

REST = -1  # where a voice is silent


# %% [markdown]
# ## 09.1 · verify · 15 min · ●●○○○ · Parallels of two voices
#
# *Chapter 09: [3 · Writing](../chapters/09_music.ipynb#3-·-Writing)*
#
# Write `parallels(high, low)`: how many parallel fifths, octaves and unisons two voices sing, by the convention of the
# chapter. `high` and `low` are (T,): the pitch that *sounds* at each step, so a held note stands there again and again, or
# `REST`. Both voices have to move from one step to the next, the same way; the interval, octaves aside, is 7 before and
# after, or 0; and the voice that is above before is not below after (to meet, or to part, is allowed). A rest in either
# voice, before or after, is no motion.

# %% nbgrader={"grade": false, "grade_id": "09-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def parallels(high, low):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "09-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_parallels(parallels):
    def ask(high, low):
        pair = np.array(high, dtype=np.int16), np.array(low, dtype=np.int16)
        return float(course.numbers(course.attempt(parallels, *pair), "one number", ()))

    assert ask([67, 67, 67], [60, 60, 60]) == 0, "a fifth that is held, or sung again, is no motion: both have to move"
    assert ask([67, 67], [60, 72]) == 0, "one voice moves alone: both have to move"
    assert ask([72, 79], [60, 55]) == 0, "from an octave to two, in opposite directions: that is contrary motion"
    assert ask([67, 69], [60, 62]) == 1, "from C and G to D and A: one pair of parallel fifths"
    assert ask([72, 74], [60, 62]) == 1, "octaves count too: their interval is 12, which is 0, octaves aside"
    assert ask([60, 62], [60, 62]) == 1, "unisons count too"
    assert ask([79, 81], [60, 62]) == 1, "a fifth and an octave apart is a fifth, octaves aside"
    assert ask([79, 74], [60, 55]) == 1, (
        "a fifth above an octave, then one: both are 7, octaves aside, and both go down"
    )
    assert ask([64, 65, 67], [60, 62, 64]) == 0, "thirds may move in parallel: 7 or 0 only"
    assert ask([67, 72], [60, 60 + 0 + 2]) == 0, "from a fifth to a tenth minus one: only if both are 7, or both 0"
    assert ask([67, 74], [60, 62]) == 0, "from a fifth to an octave: 7 before and 0 after is no parallel"
    assert ask([60, 62], [65, 67]) == 0, "two crossed voices a fourth apart: the distance is 5, though -5 is 7 below 12"
    assert ask([60, 62], [67, 69]) == 1, "voices that have crossed and stay so: the same one is above, so it counts"
    assert ask([60, 69], [53, 76]) == 0, "one voice overtakes the other: they are left out"
    assert ask([60, 74], [60, 62]) == 1, "from a unison to an octave counts: they meet, neither has overtaken"
    assert ask([67, REST, 69], [60, 61, 62]) == 0, "over a rest nobody moves"
    for high, low in (([50, 6, 8], [50, REST, 1]), ([50, REST, 1], [50, 6, 8])):
        assert ask(high, low) == 0, "a rest is no pitch of -1: 6 stands seven above it by chance"
    assert ask([60, 67, 69], [50, 60, 62]) == 1, "each step is held against the one before it, not against the first"
    long = [67, 69, 71, 72, 72, 71], [60, 62, 64, 65, 60, 59]
    got = ask(*long)
    assert got == 4, f"three fifths in a row, a step of one voice alone, and an octave: 4 in all, not {got}"
    assert ask([], []) == 0 and ask([67], [60]) == 0, "without two steps there is no motion: 0"


check_parallels(parallels)

# %% tags=["raises-exception"]
from aigc import data
from aigc.codecs import notes
from aigc.evaluate import music

voices = music.sounding(notes.to_grid(data.chorales("test")[0].notes))
mine = sum(parallels(voices[:, i], voices[:, j]) for i, j in itertools.combinations(range(4), 2))
print("in one of Bach's chorales you find", mine)
assert mine == music.faults(notes.to_grid(data.chorales("test")[0].notes))["parallels"].count

# %% [markdown]
# ## 09.2 · verify · 15 min · ●●○○○ · Nats per token, nats per beat
#
# *Chapter 09: [2 · Learning](../chapters/09_music.ipynb#2-·-Learning)*
#
# Two models read the same piece, one on a grid of sixteenths, one on a grid of eighths. Nats *per token* cannot be
# compared: the second has half as many tokens. Write `per_beat(costs, steps_per_beat)`: nats per voice and beat, one
# number for the whole piece. `costs` is (T, V): what each voice costs at each of T steps; the last beat may be incomplete,
# and then counts as the part of a beat that it is.
#
# Predict: a model on sixteenths needs 0.40 nats per token, another one on eighths 0.60. Which predicts the piece better?

# %% tags=["prediction"]
guess_09_2 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "09-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def per_beat(costs, steps_per_beat):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "09-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_per_beat(per_beat):
    ask = lambda costs, steps: float(course.numbers(course.attempt(per_beat, costs, steps), "one number", ()))
    costs = np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0] * 3])
    got = ask(costs, 2)  # three beats, three voices, 12 nats in all
    assert not math.isclose(got, 12 / 18), "this is per token, which depends on the grid: how many make a beat?"
    assert not math.isclose(got, 12 / 18 / 2), "a beat holds more than a step, so it costs more"
    assert not math.isclose(got, 4.0), "per voice: the voices of a chord are not one token"
    assert not math.isclose(got, 2.0), (
        "per voice: the voices of a chord are not one token, and a beat has several steps"
    )
    assert not math.isclose(got, 12.0), "this is the whole piece: how many beats has it, how many voices?"
    assert not math.isclose(got, 12 / 6), "per voice: the voices of a chord are not one token"
    assert math.isclose(got, 12 / 9), f"12 nats over three beats and three voices: {12 / 9:.4f}, not {got}"
    got = ask(costs[:5], 2)
    assert math.isclose(got, 12 / 7.5), f"five steps are two beats and a half: {12 / 7.5:.4f}, not {got}"
    fine = costs.repeat(2, axis=0) / 2
    assert math.isclose(ask(fine, 4), 12 / 9), "the same piece on a finer grid, where each step costs half: the same"
    assert math.isclose(ask(np.ones((3, 1), dtype=int), 4), 4.0), "one voice, one nat a step, four steps: 4"


check_per_beat(per_beat)

# %% tags=["raises-exception"]
sixteenths, eighths = per_beat(np.full((16, 4), 0.40), 4), per_beat(np.full((8, 4), 0.60), 2)
print(f"sixteenths {sixteenths:.2f} nats per voice and beat, eighths {eighths:.2f}; you said: {guess_09_2}")
assert eighths < sixteenths


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# The one on eighths, it seems, by a quarter. And yet it may only have had less to predict: on eighths a sixteenth note
# does not exist. What a grid cannot write costs nothing, so even nats per beat compare only what both can write.
#
# </details>

# %% [markdown]
# ## 09.3 · debug · 20 min · ●●○○○ · A division that leaks
#
# *Chapter 09: [1 · The corpus](../chapters/09_music.ipynb#1-·-The-corpus)*
#
# `divide` makes more of a small corpus by transposing, and then takes a tenth away to ask about. A model trained with it
# is wonderful in the test, and on new hymns it is not. Find out by measuring: how many of the melodies that are asked
# about stand, in some key, among those to learn from? Then write `mended`: the same arguments, two lists again. Both are
# to be in all keys; a tenth of the *pieces* is asked about, rounded down, and at least one. Pieces are drawn by `rng`.

# %% nbgrader={"grade": false, "grade_id": "09-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def divide(melodies, shifts, rng):
    moved = [melody + shift for melody in melodies for shift in shifts]
    order = rng.permutation(len(moved))
    asked = max(1, len(moved) // 10)
    return [moved[i] for i in order[asked:]], [moved[i] for i in order[:asked]]


def mended(melodies, shifts, rng):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "09-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_mended(mended):
    rng = np.random.default_rng(0)
    melodies = [rng.integers(55, 80, rng.integers(5, 9)) for _ in range(27)]
    shape = lambda melody: tuple(np.diff(melody).tolist())
    known = {shape(melody): melody for melody in melodies}
    shifts = [-2, 0, 3]

    def ask(melodies, shifts, seed):
        dice = np.random.default_rng(seed)
        got = course.attempt(lambda m, s: mended(m, s, dice), melodies, shifts)
        assert isinstance(got, (tuple, list)) and len(got) == 2, "two lists: to learn from, and to be asked about"
        return [[np.asarray(melody) for melody in part] for part in got]

    learn, asked = ask(melodies[:23], shifts, 1)
    known_here = {shape(melody) for melody in melodies[:23]}
    sides = [{shape(melody) for melody in part} for part in (learn, asked)]
    assert not sides[0] & sides[1], (
        f"{len(sides[0] & sides[1])} melodies are asked about that stand among those to learn from, in another key"
    )
    assert sides[0] | sides[1] == known_here, "every piece stands on one of the two sides, none is lost or made up"
    assert len(sides[1]) != 21, "a tenth is asked about, and the rest is to learn from"
    assert len(sides[1]) == 2, f"a tenth of 23 pieces, rounded down, is 2, not {len(sides[1])}"
    for name, part in (("to learn from", learn), ("asked about", asked)):
        keys = {shape(melody): set() for melody in part}
        for melody in part:
            keys[shape(melody)].add(int(melody[0] - known[shape(melody)][0]))
        assert all(found == set(shifts) for found in keys.values()), f"those {name} are to be in all keys, each once"
        assert len(part) == len(keys) * len(shifts), f"those {name} are to be in all keys, each once"
    others = {frozenset(shape(melody) for melody in ask(melodies, shifts, seed)[1]) for seed in range(6)}
    assert len(others) > 3, "which pieces are asked about is for the dice `rng` to decide"
    again = [frozenset(shape(melody) for melody in ask(melodies, shifts, 4)[1]) for _ in range(2)]
    assert again[0] == again[1], "all chance comes from `rng`: the same dice, the same division"
    for count in (20, 27):
        got = len(ask(melodies[:count], shifts, 0)[1])
        assert got == 6, f"a tenth of {count} pieces, rounded down, is 2, in three keys: 6, not {got}"
    assert len(ask(melodies[:4], shifts, 0)[1]) == 3, "at least one piece is asked about, in all keys"


check_mended(mended)

# %% tags=["raises-exception"]
tunes = [np.diff(piece.notes[piece.notes[:, 0] == 0, 3].astype(int)).cumsum() + 60 for piece in data.chorales("test")]
for function in (divide, mended):
    learn, asked = function(tunes, range(-3, 4), np.random.default_rng(0))
    seen = {tuple(np.diff(tune)) for tune in learn}
    print(
        f"{function.__name__}: {np.mean([tuple(np.diff(tune)) in seen for tune in asked]):.0%} of those asked are known"
    )


# %% [markdown]
# ## 09.4 · modify · 15 min · ●●○○○ · A wall before the nucleus
#
# *Chapter 09: [3 · Writing](../chapters/09_music.ipynb#3-·-Writing)*
#
# Write `behind(logits, allowed, temperature, top_p)`: the probabilities from which a voice is drawn behind a wall. Of
# `logits` (V,), divided by the temperature, take the probabilities; take out what is not `allowed` (V,) booleans; make
# the rest sum to one; *then* keep the fewest most probable ids that hold at least `top_p` together, and make these sum to
# one. No two are equally probable. Logits may be large, and the largest may be one that is forbidden.

# %% nbgrader={"grade": false, "grade_id": "09-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def behind(logits, allowed, temperature, top_p):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "09-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_behind(behind):
    def ask(p, allowed, temperature=1.0, top_p=1.0):
        with np.errstate(all="ignore"):
            got = course.attempt(behind, np.log(np.array(p)), np.array(allowed, dtype=bool), temperature, top_p)
        return course.numbers(got, "a probability for each id", (len(p),))

    p, wall = [0.5, 0.26, 0.14, 0.1], [0, 1, 1, 1]
    got = ask(p, wall)
    assert got[0] == 0, "what the wall forbids has probability 0"
    assert not np.allclose(got[1:], p[1:]), "what is left has to sum to one again"
    assert np.allclose(got, [0, 0.52, 0.28, 0.2]), f"0.26, 0.14 and 0.10 of 0.5: [0, 0.52, 0.28, 0.2], not {got}"
    got = ask(p, wall, top_p=0.75)
    assert np.isfinite(got).all() and not np.allclose(got, [0, 1, 0, 0]), (
        "the nucleus was taken before the wall: it held the forbidden 0.5, and too little was left"
    )
    assert not np.allclose(got, [0, 0.52, 0.28, 0.2]), "top_p: 0.52 and 0.28 hold 0.75 together, so the last one goes"
    assert not np.allclose(got, [0, 0.52, 0.28, 0]), "after the nucleus, too, the rest has to sum to one"
    assert np.allclose(got, [0, 0.65, 0.35, 0]), f"0.52 and 0.28 of 0.8: [0, 0.65, 0.35, 0], not {got}"
    got = ask(p, wall, temperature=0.5)
    square = np.array([0, 0.26**2, 0.14**2, 0.1**2])
    assert not np.allclose(got, [0, 0.52, 0.28, 0.2]), "the temperature divides the logits"
    assert np.allclose(got, square / square.sum()), f"at temperature 1/2 probabilities are squared: not {got}"
    got = ask(p, wall, temperature=2.0, top_p=0.7)
    root = np.sqrt([0.26, 0.14])
    assert np.allclose(got, [0, *(root / root.sum()), 0]), (
        "first the temperature, then the wall, then the nucleus: at 2, of 0.42, 0.31 and 0.26 two hold 0.7"
    )
    assert np.allclose(ask([0.1, 0.2, 0.3, 0.4], [1, 1, 0, 1], top_p=0.6), [0, 1 / 3, 0, 2 / 3]), (
        "in any order of the ids"
    )
    with np.errstate(all="ignore"):
        got = course.attempt(behind, np.array([1700.0, 801.0, 800.0]), np.array([False, True, True]), 1.0, 1.0)
    got = course.numbers(got, "a probability for each id", (3,))
    assert np.allclose(got, [0, math.e / (1 + math.e), 1 / (1 + math.e)]), (
        "logits may be large: exp(1700) is infinite, and what is forbidden must not set the scale"
    )


check_behind(behind)

# %% tags=["raises-exception"]
z = np.log([0.5, 0.26, 0.14, 0.1])
print("behind the wall:", behind(z, np.array([False, True, True, True]), 1.0, 0.75).round(3))


# %% [markdown]
# ## 09.5 · build · 45 min · ●●●●○ · A particle filter in three steps
#
# *Chapter 09: [4 · Your melody](../chapters/09_music.ipynb#4-·-Your-melody)*
#
# First `shares(log_weights)`: of N trials, the share of each, (N,), which sum to one; and how many trials these shares are
# worth, $1 / \sum_i p_i^2$, which is N if all are alike and 1 if one has everything. A weight is a product of many
# probabilities, so it comes as a logarithm, and may be as small as -1,000 or, where a trial is impossible, `-inf`. At
# least one trial is possible.

# %% nbgrader={"grade": false, "grade_id": "09-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def shares(log_weights):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "09-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_shares(shares):
    def ask(log_weights):
        with np.errstate(all="ignore"):
            got = course.attempt(shares, np.array(log_weights, dtype=float))
        assert isinstance(got, (tuple, list)) and len(got) == 2, "two things: the shares, and what they are worth"
        p = course.numbers(got[0], "a share for each trial", (len(log_weights),))
        return p, float(course.numbers(got[1], "what they are worth is one number", ()))

    p, worth = ask([math.log(1), math.log(3)])
    assert not np.allclose(p, [0, 1.0986], atol=1e-3), "these are logarithms of weights: exp first"
    assert not np.allclose(p, [1, 3]), "shares sum to one"
    assert not np.allclose(p, [1 / 3, 1]), "shares sum to one: divide by the sum of the weights"
    assert np.allclose(p, [0.25, 0.75]), f"weights of 1 and 3 are shares of 1/4 and 3/4, not {p}"
    assert not math.isclose(worth, 0.625), "one over the sum of the squares"
    assert not math.isclose(worth, 1.0), "the sum of the *squares*: the shares themselves sum to one"
    assert not math.isclose(worth, 1 / 10), "of the shares, not of the weights"
    assert math.isclose(worth, 1.6), f"1 / (1/16 + 9/16) is 1.6 trials, not {worth}"
    p, worth = ask([-1000.0, -1000.0, -1001.0])
    right = np.array([1, 1, 1 / math.e]) / (2 + 1 / math.e)
    assert np.isfinite(p).all() and np.allclose(p, right), (
        "exp(-1000) is 0 in floating point: take the largest away first"
    )
    p, worth = ask([900.0, -math.inf, 900.0])
    assert np.allclose(p, [0.5, 0, 0.5]) and math.isclose(worth, 2), (
        "an impossible trial has the share 0, the others 1/2"
    )


check_shares(shares)


# %% [markdown]
# Then `children(p, u)`: which trials live on. To throw dice for each place would lose good trials by chance. Instead the
# shares are laid on a line from 0 to 1, one after another, and N needles, $1/N$ apart, are put on it, the first at
# $u / N$, where `u` is one number in [0, 1). Return, for each needle in turn, which trial it hits, (N,) whole numbers. So
# a trial with the share $p$ has either $Np$ rounded down or $Np$ rounded up children.

# %% nbgrader={"grade": false, "grade_id": "09-5-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def children(p, u):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "09-5-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_children(children):
    def ask(p, u):
        got = course.numbers(course.attempt(children, np.array(p), u), "which trial each needle hits", (len(p),))
        assert (got == np.round(got)).all() and (0 <= got).all() and (got < len(p)).all(), (
            f"each needle hits one of the trials 0 .. {len(p) - 1}: not {got.tolist()}"
        )
        return got.astype(int).tolist()

    got = ask([0.5, 0.25, 0.25, 0.0], 0.5)
    assert got != [0, 1, 2, 3], "who has more of the line is hit by more needles: lay the shares one after another"
    assert got == [0, 0, 1, 2], f"needles at 1/8, 3/8, 5/8 and 7/8 hit the trials 0, 0, 1 and 2, not {got}"
    assert ask([0.0, 1.0, 0.0], 0.0) == [1, 1, 1], "a trial without a share has no children, not even by a needle at 0"
    got = ask([0.3, 0.3, 0.4], 0.0)
    assert got != ask([0.3, 0.3, 0.4], 0.9), "u moves all needles: the first one stands at u / N"
    assert got == [0, 1, 2] and ask([0.3, 0.3, 0.4], 0.95) == [1, 2, 2], (
        "with u = 0 needles at 0, 1/3 and 2/3; with u = 0.95 at 0.317, 0.65 and 0.983"
    )
    p = np.random.default_rng(0).dirichlet(np.ones(200))
    for u in (0.0, 0.37, 0.999999):
        got = np.bincount(ask(p, u), minlength=200)
        assert (abs(got - 200 * p) < 1 + 1e-9).all(), "a trial has N p children, rounded down or up"
    tenths = np.full(10, 0.1)
    assert ask(tenths, 0.999999999999) == list(range(10)), (
        "ten tenths sum to a little less than one: the last needle hits 9"
    )


check_children(children)


# %% [markdown]
# Last, `follow(tune, states, step, shares, children, rng)`: sing under a tune. `states` is a list of N trials. For each note
# of the tune, the trials go on in turn: `step(state, note, rng)` returns its new state and the logarithm of the probability that
# it gave to the note. Multiply the weights (add their logarithms). Whenever the trials are worth less than half of N after
# a note, the last one too, let `children` choose, with `u = rng.random()`, who lives on, and give all of them the same weight again. Return
# the states, and the logarithm of the probability of the whole tune: each time that trials are chosen, and at the end, the
# mean of their weights counts as a factor.

# %% nbgrader={"grade": false, "grade_id": "09-5-c", "locked": false, "schema_version": 3, "solution": true, "task": false}
def follow(tune, states, step, shares, children, rng):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "09-5-c-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_follow(follow):
    def worth_of(log_weights):
        w = np.exp(log_weights - np.max(log_weights))
        p = w / w.sum()
        return p, 1 / (p**2).sum()

    def needles(p, u):
        ends = np.cumsum(p)
        ends[-1] = 1
        return np.searchsorted(ends, (np.arange(len(p)) + u) / len(p), side="right")

    def ask(tune, states, step, seed=0, worth=worth_of, needle=needles):
        dice = np.random.default_rng(seed)
        got = course.attempt(lambda t, s: follow(t, s, step, worth, needle, dice), tune, states)
        assert isinstance(got, (tuple, list)) and len(got) == 2, "two things: the states, and the logarithm of p(tune)"
        return list(got[0]), float(course.numbers(got[1], "log p of the tune is one number", ()))

    known = lambda state, note, rng: (state + [note], math.log(0.5 if state[0] == "a" else 0.25))
    got, log_p = ask([1, 2], [["a"], ["b"]], known)
    assert [len(state) for state in got] == [3, 3], "every trial hears every note of the tune, in turn"
    assert got == [["a", 1, 2], ["b", 1, 2]], (
        "weights of 1/4 and 1/16 are worth 1.5 trials of 2, which is not less than half: nobody dies yet"
    )
    assert not math.isclose(log_p, math.log(5 / 16)), "the *mean* of the weights, not their sum"
    assert not math.isclose(log_p, math.log(0.375)), "a weight is a product over all notes: add the logarithms"
    assert math.isclose(log_p, math.log(5 / 32)), (
        f"the mean of 1/4 and 1/16 is 5/32: {math.log(5 / 32):.3f}, not {log_p}"
    )
    sharp = lambda state, note, rng: (state + [note], 0.0 if state[0] == "a" else -50.0)
    seen = []
    spy = lambda p, u: seen.append((np.array(p), u)) or needles(p, u)
    got, log_p = ask([5, 6, 7], [["a"], ["b"], ["c"]], sharp, needle=spy)
    assert [state[0] for state in got] == ["a"] * 3, (
        "worth one trial of three: the others have to die, and `a` has children"
    )
    assert len(seen) == 1, (
        f"after the first choice all are alike, so there is one choice in all, not {len(seen)}: are the weights equal again?"
    )
    assert 0 <= seen[0][1] < 1 and seen[0][0].shape == (3,), "children(p, rng.random()): the shares, and one number"
    assert math.isclose(log_p, math.log(1 / 3), abs_tol=1e-9), (
        f"a third of the trials can sing this tune: log p is log(1/3), not {log_p}. Each choice leaves a factor behind"
    )
    got, _ = ask([5], [["a"], ["a"], ["b"], ["b"]], sharp)
    assert [state[0] for state in got] == ["a", "a", "b", "b"], "worth two of four is half, and not *less* than half"
    got, _ = ask([5], [["a"], ["b"], ["c"]], sharp)
    assert [state[0] for state in got] == ["a"] * 3, "after the last note, too, trials worth one of three have to die"
    marks = lambda state, note, rng: (state + [rng.integers(10**6)], 0.0 if state[0] == "a" else -50.0)
    got, _ = ask([1, 2], [["a"], ["b"], ["c"]], marks)
    assert len({state[1] for state in got}) == 1 and len({state[2] for state in got}) == 3, (
        "children share the past of their parent, and go on each by itself"
    )
    # Two chords, a tune of four notes, all by summing up.
    prior, tell = np.array([0.7, 0.3]), np.array([[0.9, 0.1], [0.2, 0.8]])

    def chord(state, note, rng):
        new = int(rng.random() < (prior[1] if state == -1 else 0.8 if state == 1 else 0.2))
        return new, math.log(tell[new, note])

    move, tune = np.array([[0.8, 0.2], [0.2, 0.8]]), [1, 1, 0, 1, 1, 1]
    forward = prior * tell[:, tune[0]]
    for note in tune[1:]:
        forward = (forward @ move) * tell[:, note]
    got, log_p = ask(tune, [-1] * 2000, chord)
    assert abs(log_p - math.log(forward.sum())) < 0.15, (
        f"p(tune) can be summed up here: log p is {math.log(forward.sum()):.3f}, and yours {log_p:.3f}"
    )
    assert np.isfinite(ask([0] * 400, [["b"]] * 3, lambda s, n, r: (s, -5.0))[1]), (
        "400 notes of e^-5 each are 0 in floating point: keep the logarithm"
    )
    assert math.isclose(ask([], [["a"], ["b"]], known)[1], 0.0, abs_tol=1e-12), (
        "an empty tune has probability 1, log p is 0"
    )


check_follow(follow)

# %% tags=["raises-exception"]
tell = np.array([[0.9, 0.1], [0.2, 0.8]])  # of two chords: the probability of each of two notes


def chord(state, note, rng):
    """A chord stays with 0.8; it tells its note."""
    new = int(rng.random() < 0.8) if state == 1 else int(rng.random() < 0.2)
    return new, math.log(tell[new, note])


for trials in (2, 20, 2000):
    found = [
        follow([1, 1, 0, 1] * 5, [0] * trials, chord, shares, children, np.random.default_rng(i))[1] for i in range(5)
    ]
    print(
        f"{trials:5} trials: log p of the tune {np.mean(found):.2f}, in five runs between {min(found):.2f} and {max(found):.2f}"
    )

# %% [markdown]
# ## 09.6 · investigate · 20 min · ●●●○○ · The best of sixty-four is not typical
#
# *Chapter 09: [3 · Writing](../chapters/09_music.ipynb#3-·-Writing)*
#
# Somebody draws `n` pieces, shows the one with the fewest faults, and says nothing of the others. Write
# `expected_best(faults, n)`: how many faults such a piece has on average, if it is the best of `n` different pieces, drawn
# at random from N whose faults are given, (N,), 1 <= n <= N. Exactly, not by dice, and for thousands of pieces, too.
#
# Predict: faults are spread like a bell around 10, with a spread of 3. How many has the best of 64, about?

# %% tags=["prediction"]
guess_09_6 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "09-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_best(faults, n):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "09-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_expected_best(expected_best):
    ask = lambda faults, n: float(course.numbers(course.attempt(expected_best, np.array(faults), n), "one number", ()))
    faults = [5, 1, 9, 2]
    assert math.isclose(ask(faults, 1), 4.25), "the best of one is any of them: their mean, 4.25"
    got = ask(faults, 4)
    assert got != 9, "the best has the *fewest* faults"
    assert got == 1, f"the best of all four is the one with 1 fault, not {got}"
    got = ask(faults, 2)
    pairs = [min(pair) for pair in itertools.combinations(faults, 2)]
    assert not math.isclose(got, np.mean([min(a, b) for a in faults for b in faults])), "of n *different* ones"
    assert not math.isclose(got, np.mean([max(pair) for pair in itertools.combinations(faults, 2)])), "the *fewest*"
    assert not math.isclose(got, 3.5), "the pairs are to be drawn at random, not those that stand side by side"
    assert math.isclose(got, np.mean(pairs)), (
        f"of all six pairs the better ones have {np.mean(pairs):.3f} on average, not {got}"
    )
    many = np.random.default_rng(0).integers(0, 30, 9)
    for n in (2, 3, 5, 8):
        right = np.mean([min(some) for some in itertools.combinations(many.tolist(), n)])
        got = ask(many, n)
        assert math.isclose(got, right, rel_tol=1e-9), f"of nine, the best of {n}: exactly {right:.4f}, not {got}"
    got = ask(np.arange(1000.0), 64)
    assert math.isclose(got, 1001 / 65 - 1, rel_tol=1e-6), (
        f"the best of 64 of the numbers 0 .. 999: {1001 / 65 - 1:.3f}, not {got}; there are too many choices to try them all"
    )
    got = ask([1, 3, 3, 3], 2)
    assert math.isclose(got, 2), f"pieces with equally many faults are still different ones: 2, not {got}"
    with np.errstate(all="ignore"):
        got = ask(np.arange(3000.0), 1500)
    assert math.isclose(got, 3001 / 1501 - 1, rel_tol=1e-6), (
        f"1500 of 3000 can be chosen in more ways than a float can hold: {3001 / 1501 - 1:.4f}, not {got}"
    )


check_expected_best(expected_best)

# %% tags=["raises-exception"]
bell = 10 + 3 * np.random.default_rng(0).normal(size=5000)
for n in (1, 4, 16, 64):
    print(f"the best of {n:2}: {expected_best(bell, n):.1f} faults")
print("you said:", guess_09_6)
assert 2 < expected_best(bell, 64) < 4

# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# A third of what is typical. Whoever shows a chosen sample shows the chooser. It is no sin to choose; it is one not to
# say of how many, and by what.
#
# </details>

# %% [markdown]
# ## 09.7 · investigate · 20 min · ●●●○○ · What teacher forcing forgets
#
# *Chapter 09: [4 · Your melody](../chapters/09_music.ipynb#4-·-Your-melody)*
#
# Under the first note of a tune, one of K chords has to be chosen. `chord` (K,) are their probabilities, given this note;
# `after` (K, M) tells for each chord how probable each of M notes is as the *next* one of the tune. Write
# `chosen(chord, after, note)`: two of (K,), first the probability with which teacher forcing draws each chord, then its
# probability for somebody who knows that `note` comes next.
#
# Predict: a chord of probability 0.01, and the only one after which the next note can come. How often is it chosen, by
# either?

# %% tags=["prediction"]
guess_09_7 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "09-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def chosen(chord, after, note):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "09-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_chosen(chosen):
    def ask(chord, after, note):
        got = course.attempt(chosen, np.array(chord), np.array(after), note)
        assert isinstance(got, (tuple, list, np.ndarray)) and len(got) == 2, "two things: forced, and led"
        return [course.numbers(part, "a probability for each chord", (len(chord),)) for part in got]

    chord, after = [0.6, 0.3, 0.1], [[0.1, 0.5, 0.4], [0.4, 0.4, 0.2], [0.8, 0.1, 0.1]]
    forced, led = ask(chord, after, 0)
    joint = np.array([0.06, 0.12, 0.08])
    assert not np.allclose(forced, joint / joint.sum()), "teacher forcing does not know what comes next"
    assert np.allclose(forced, chord), f"forced, chords are drawn by this note alone: {chord}, not {forced}"
    assert not np.allclose(led, joint), "probabilities of the chords have to sum to one: divide by p(note)"
    assert not np.allclose(led, np.array([0.1, 0.4, 0.8]) / 1.3), "how probable the chord was at first counts, too"
    assert not np.allclose(led, np.array(chord) * after[0] / np.dot(chord, after[0])), "a column of `after`, not a row"
    assert np.allclose(led, joint / joint.sum()), f"by Bayes' formula {joint / joint.sum()}, not {led}"
    _, led = ask([0.5, 0.5], [[0.2, 0.8], [0.6, 0.4]], 1)
    assert np.allclose(led, [2 / 3, 1 / 3]), f"two chords, the second note: 2/3 and 1/3, not {led}"
    _, led = ask([0.99, 0.01], [[0.0, 1.0], [1.0, 0.0]], 0)
    assert np.allclose(led, [0, 1]), "where only one chord leads to the note, it has to be this one"


check_chosen(chosen)

# %% tags=["raises-exception"]
forced, led = chosen(np.array([0.99, 0.01]), np.array([[0.0, 1.0], [1.0, 0.0]]), 0)
print(f"the rare chord: forced {forced[1]:.0%}, led {led[1]:.0%}; you said: {guess_09_7}")
assert led[1] == 1


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# Forced, 99 of 100 choirs walk into a wall that they could have seen. The particle filter finds the rare chord only if
# one of its trials has drawn it: with 24 trials, in one case of five. That is why more trials are better, and why no
# number of them is always enough.
#
# </details>

# %% [markdown]
# ## 09.8 · challenge · 60 min · ●●●●● · A hymn for the examiner
#
# *Chapter 09: [4 · Your melody](../chapters/09_music.ipynb#4-·-Your-melody)*
#
# Harmonise the hymn below as the examiner likes it. Write `settings()`: a dictionary with `trials` (1 to 64), `temperature`
# (0.1 to 2), `top_p` (0.1 to 1), `tries` (1 to 8: so many settings are written, and the one with the fewest faults is
# kept) and `forbid`, a list of what the wall forbids beside parallels: `"crossings"`, `"spacing"`, both or none. The score
# is the number of all faults by `music.faults`, and where two answers have equally many, the nats per voice and step; in
# the chapter's band the led settings need about a third of a nat. The check asks only for what any answer has to keep.

# %% nbgrader={"grade": false, "grade_id": "09-8", "locked": false, "schema_version": 3, "solution": true, "task": false}
def settings():
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "09-8-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_settings(settings):
    got = course.attempt(settings)
    keys = {"trials", "temperature", "top_p", "tries", "forbid"}
    assert isinstance(got, dict) and set(got) == keys, f"a dictionary with the keys {sorted(keys)}"
    for name, low, high in (("trials", 1, 64), ("tries", 1, 8), ("temperature", 0.1, 2), ("top_p", 0.1, 1)):
        value = got[name]
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        assert number, f"{name} is one number, not {value!r}"
        assert name[0:2] != "tr" or value == int(value), f"{name} is a whole number, not {value!r}"
        assert low <= value <= high, f"{name} lies between {low} and {high}: it is {value!r}"
    forbid = got["forbid"]
    assert isinstance(forbid, (list, tuple, set)) and set(forbid) <= {"crossings", "spacing"}, (
        "forbid is a list of rules, crossings and spacing (parallels are always forbidden)"
    )


check_settings(settings)

# %% tags=["raises-exception"]
from aigc import released, sample

hymn, model = data.chorales("test")[7], released.load("choir")[0]
V, chosen_settings = notes.VOCABULARY, settings()


def wall(before, now, voice):
    """What is forbidden, in ids: higher ones are higher pitches; 0 is a rest, and 1, a hold, is always free."""
    free = sample.no_parallels(before, now, voice)
    if 0 in now and voice:
        sings = lambda chord: (chord % V)[:, None]
        pitch, above, below = torch.arange(V), [v for v in now if v < voice], [v for v in now if v > voice]
        if "crossings" in chosen_settings["forbid"]:
            for other in above + below:
                there = sings(now[other])
                right = pitch <= there if other < voice else pitch >= there
                free &= right | (pitch < 2) | (there < 2)
        if "spacing" in chosen_settings["forbid"] and voice in (1, 2) and voice - 1 in now:
            there = sings(now[voice - 1])
            free &= (there - pitch <= 12) | (pitch < 2) | (there < 2)
    return free


# %% tags=["raises-exception"]
given = torch.full((chosen_settings["trials"], hymn.steps, 4), sample.FREE)
given[:, :, 0] = torch.from_numpy(notes.encode(notes.to_grid(hymn.notes, hymn.steps))).view(-1, 4)[:, 0]
side = torch.from_numpy(notes.rows(hymn)[1:, 4:])
heat = {name: chosen_settings[name] for name in ("temperature", "top_p")}
takes = []
for seed in range(chosen_settings["tries"]):
    dice = torch.Generator().manual_seed(seed)
    take = sample.chorale(model, given, side, wall=wall, particles=True, generator=dice, **heat)
    grid = notes.unchords(take.chords[0].numpy())
    found = {name: fault.count for name, fault in music.faults(grid, hymn.home).items()}
    takes.append((sum(found.values()), (take.drawn + take.given)[0].sum().item() / grid.size, found))
best = min(takes, key=lambda one: one[:2])

# %% tags=["raises-exception"]
theirs = {name: fault.count for name, fault in music.faults(notes.to_grid(hymn.notes), hymn.home).items()}
print(f"Bach: {sum(theirs.values())} faults {theirs}")
print(f"yours, the best of {len(takes)}: {best[0]} faults {best[2]}, {best[1]:.3f} nats per voice and step")

# %% tags=["raises-exception"]
assert best[2]["parallels"] == 0
