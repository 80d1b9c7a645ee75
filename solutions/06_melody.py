# %% [markdown]
# # 06 · Sequence models of music: exercises
#
# Run the first cell, then take the exercises in any order. No function changes what it is given. Each check tells you
# what it expected; when it is silent, you are done.


# %%
import math

import numpy as np
import torch
from torch.nn import functional as F

from aigc import course
from aigc.models import rnn

REST, HOLD = -1, -2  # in a column of the grid
_ = torch.manual_seed(0)

# %% [markdown]
# ## 06.1 · verify · 10 min · ●○○○○ · Steps and seconds
#
# *Chapter 06: [1 · From sound to numbers](../chapters/06_melody.ipynb#1-·-From-sound-to-numbers)*
#
# Write `times(notes, bpm)`: when each note begins and when it ends, in seconds, (N, 2). `notes` is (N, 5) int16, as
# everywhere: voice, onset, duration, pitch, velocity, counted in sixteenths, four to the beat; `bpm` are beats a minute.


# %% nbgrader={"grade": false, "grade_id": "06-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def times(notes, bpm):
    ### BEGIN SOLUTION
    step = 60 / bpm / 4
    start = notes[:, 1] * step
    return np.stack([start, start + notes[:, 2] * step], axis=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "06-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_times(times):
    notes = np.array([[0, 0, 4, 60, 80], [0, 4, 2, 62, 80], [0, 12, 8, 64, 80]], dtype=np.int16)
    words = "two numbers for each note, when it begins and when it ends"
    got = course.numbers(course.attempt(times, notes, 80.0), words, (3, 2))
    right = np.array([[0, 0.75], [0.75, 1.125], [2.25, 3.75]])
    assert not np.allclose(got, [[0, 4], [4, 6], [12, 20]]), "these are steps: how many seconds does one last?"
    assert not np.allclose(got, 4 * right), "a step is a quarter of a beat"
    assert not np.allclose(got[:, 1], right[:, 1] - right[:, 0]), "the second number is when it *ends*, not its length"
    assert not np.allclose(got, np.array([[0, 4], [4, 6], [12, 20]]) * 80 / 60 / 4), (
        "a faster tempo makes a step shorter"
    )
    assert np.allclose(got, right), f"at 80 beats a minute: expected {right.tolist()}, got {got.tolist()}"
    late = np.array([[3, 4000, 400, 40, 80]], dtype=np.int16)
    got = course.numbers(course.attempt(times, late, 60.0), words, (1, 2))
    assert np.allclose(got, [[1000, 1100]]), (
        f"at step 4,000 and 60 beats a minute: 1,000 to 1,100 s, not {got.tolist()}. An int16 ends at 32,767, and starts "
        "again from below"
    )
    got = course.numbers(times(notes, 77.0), words, (3, 2))
    assert np.allclose(got, right * 80 / 77), "the tempo is an argument: it is not always 80 or 60"
    got = course.numbers(course.attempt(times, notes[::-1].copy(), 80.0), words, (3, 2))
    assert np.allclose(got, right[::-1]), "row i tells about note i, in whatever order the notes come"


check_times(times)


### BEGIN HIDDEN TESTS
def _times(notes, factor=1.0, bpm=80.0):
    start, length = notes[:, 1].astype(float), notes[:, 2].astype(float)
    return np.stack([start, start + length], axis=1) * 15 / bpm * factor


MISCONCEPTIONS = {
    "steps": (lambda notes, bpm: np.stack([notes[:, 1], notes[:, 1] + notes[:, 2]], axis=1), "these are steps"),
    "beats": (lambda notes, bpm: _times(notes, 4, bpm), "quarter of a beat"),
    "length for end": (
        lambda notes, bpm: np.stack([notes[:, 1] * 15 / bpm, notes[:, 2] * (15 / bpm)], axis=1),
        "not its length",
    ),
    "tempo upside down": (
        lambda notes, bpm: np.stack([notes[:, 1], notes[:, 1] + notes[:, 2]], axis=1) * bpm / 60 / 4,
        "a faster tempo",
    ),
    "overflow": (
        lambda notes, bpm: np.stack([notes[:, 1] * 15, (notes[:, 1] + notes[:, 2]) * 15], axis=1) / bpm,
        "An int16 ends",
    ),
    "always 80": (lambda notes, bpm: _times(notes, bpm=80 if len(notes) == 3 else 60), "is an argument"),
    "sorted": (lambda notes, bpm: np.sort(_times(notes, bpm=bpm), axis=0), "row i tells"),
    "begins only": (lambda notes, bpm: notes[:, 1] * (15 / bpm), "the shape"),
    "ticks": (lambda notes, bpm: _times(notes, 120), "expected"),
    "nothing": (lambda notes, bpm: None, "nothing came back"),
}
ALTERNATIVES = {
    "a loop": lambda notes, bpm: [[15 / bpm * int(n[1]), 15 / bpm * (int(n[1]) + int(n[2]))] for n in notes],
    "torch": lambda notes, bpm: torch.from_numpy(_times(notes, bpm=bpm)),
}
### END HIDDEN TESTS


# %%
from aigc.codecs import notes as codec

scale = np.array([[0, 4 * i, 4, 60 + i, 80] for i in range(8)], dtype=np.int16)
heard = [[note.start, note.end] for note in codec.to_midi(scale, 100.0).instruments[0].notes]
print("the course says", np.round(heard[-1], 3), "and you", np.round(times(scale, 100.0)[-1], 3))
assert np.allclose(heard, times(scale, 100.0))

# %% [markdown]
# ## 06.2 · verify · 15 min · ●●○○○ · Notes from a column
#
# *Chapter 06: [1 · From sound to numbers](../chapters/06_melody.ipynb#1-·-From-sound-to-numbers)*
#
# Write `notes_of(column)`: the notes in one voice of the grid, as triples (onset, length, pitch) in their order. In
# `column` stands for each step a pitch that begins there, `HOLD` where a note goes on, or `REST`. A `HOLD` after a rest,
# or with nothing before it, is silence.


# %% nbgrader={"grade": false, "grade_id": "06-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def notes_of(column):
    ### BEGIN SOLUTION
    found, sounding = [], False
    for step, sign in enumerate(column):
        if sign >= 0:
            found.append([step, 1, int(sign)])
            sounding = True
        elif sign == HOLD and sounding:
            found[-1][1] += 1
        else:
            sounding = False
    return found
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "06-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_notes_of(notes_of):
    def ask(column):
        got = course.attempt(notes_of, np.array(column))
        words = "triples of onset, length and pitch"
        try:
            return [tuple(int(x) for x in triple) for triple in course.numbers(got, words).reshape(-1, 3)]
        except ValueError:
            raise AssertionError(f"{words}: the numbers do not come in threes") from None

    got = ask([67, HOLD, 67, HOLD, HOLD, 65])
    assert got != [(0, 5, 67), (5, 1, 65)], "67 begins twice: a pitch that stands again is a new note"
    assert got != [(0, 1, 67), (2, 2, 67), (5, 0, 65)], "a note lasts one step and its holds: count both"
    assert got != [(0, 2, 67), (2, 3, 67)], "the last note ends with the column, though nothing follows it"
    assert got != [(0, 2, 67), (2, 5, 67), (5, 6, 65)], "the second number is the length, not the step where it ends"
    assert got == [(0, 2, 67), (2, 3, 67), (5, 1, 65)], f"of 67 - 67 - - 65: not {got}"
    got = ask([60, HOLD, REST, 62, HOLD])
    assert got != [(0, 3, 60), (3, 2, 62)], "a rest ends the note: it is not a hold"
    assert got == [(0, 2, 60), (3, 2, 62)], f"of 60 - rest 62 -: not {got}"
    got = ask([60, REST, HOLD, 0, HOLD])
    assert got[:1] == [(0, 1, 60)], "a hold after a rest is silence: nobody goes on with the note before the rest"
    assert got == [(0, 1, 60), (3, 2, 0)], f"pitch 0 is a note too, the lowest: not {got}"
    assert ask([HOLD, HOLD, 70]) == [(2, 1, 70)], "a column may begin in the middle of nothing: those holds are silence"
    assert ask([REST, REST]) == [], "two rests: no notes, so an empty list"


check_notes_of(notes_of)


### BEGIN HIDDEN TESTS
def _notes_of(column, again=True, last=True, end=False, rest=True, stray=False, lowest=0, extra=0):
    found, sounding = [], False
    for step, sign in enumerate(column):
        if sign >= lowest and (again or not found or not sounding or found[-1][2] != sign):
            found.append([step, 1 - extra, int(sign)])
            sounding = True
        elif sign >= lowest:
            found[-1][1] += 1
        elif sign == HOLD and (sounding or stray and found):
            found[-1][1] += 1
        elif sign == REST and not rest and found:
            found[-1][1] += 1
        else:
            sounding = False
    found = found if last else [n for n in found if n[0] + n[1] < len(column)]
    return [[a, a + b, c] for a, b, c in found] if end else found


def _crash(column):
    found = []
    for step, sign in enumerate(column):
        if sign >= 0:
            found.append([step, 1, int(sign)])
        elif sign == HOLD and (step == 0 or found):
            if not found:
                found.append([0, 0, 60])
            found[-1][1] += column[step - 1] != REST
    return found


MISCONCEPTIONS = {
    "note-off forgotten": (lambda column: _notes_of(column, again=False), "begins twice"),
    "holds only": (lambda column: _notes_of(column, extra=1), "one step and its holds"),
    "last one lost": (lambda column: _notes_of(column, last=False), "the last note ends with"),
    "end for length": (lambda column: _notes_of(column, end=True), "not the step where it ends"),
    "rest as hold": (lambda column: _notes_of(column, rest=False), "a rest ends the note"),
    "hold after a rest": (lambda column: _notes_of(column, stray=True), "after a rest is silence"),
    "zero is no note": (lambda column: _notes_of(column, lowest=1), "the lowest"),
    "invents one": (_crash, "in the middle of nothing"),
    "pairs": (lambda column: [[0, 1], [2, 3]], "in threes"),
    "nothing": (lambda column: None, "nothing came back"),
}


def _by_breaks(column):
    breaks = np.append(np.flatnonzero(column != HOLD), len(column))
    return np.array([(a, b - a, column[a]) for a, b in zip(breaks, breaks[1:]) if column[a] != REST])


ALTERNATIVES = {"by breaks": _by_breaks, "tuples": lambda column: [tuple(n) for n in _notes_of(column)]}
### END HIDDEN TESTS


# %%
grid = codec.to_grid(np.array([[0, 0, 4, 67, 80], [0, 4, 2, 67, 80], [0, 8, 8, 65, 80]], dtype=np.int16))
print(notes_of(grid[:, 0]))
assert len(notes_of(grid[:, 0])) == 3

# %% [markdown]
# ## 06.3 · modify · 15 min · ●●○○○ · Bits a note, over songs of different length
#
# *Chapter 06: [2 · One note after another](../chapters/06_melody.ipynb#2-·-One-note-after-another)*
#
# A batch of songs is as long as its longest; behind a shorter one stands padding. Write `bits_a_note(nats, lengths)`: the
# mean over all *notes* of the batch, in bits. `nats` is (B, T), and what stands behind the first `lengths[i]` notes of song
# `i` is no measurement: it may be anything, even nan. At least one song has a note.


# %% nbgrader={"grade": false, "grade_id": "06-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bits_a_note(nats, lengths):
    ### BEGIN SOLUTION
    nats, lengths = np.asarray(nats), np.asarray(lengths)
    real = np.arange(nats.shape[1]) < lengths[:, None]
    return nats[real].mean() / math.log(2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "06-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_bits_a_note(bits_a_note):
    log2 = math.log(2)
    nats = np.array([[1.0, 3.0, 2.0, 2.0], [5.0, 0.0, 0.0, 0.0]]) * log2
    got = course.numbers(course.attempt(bits_a_note, nats, np.array([4, 1])), "one number", ())
    assert not math.isclose(got, 13 / 5 * log2), "in bits: one bit is log 2 nats"
    assert not math.isclose(got, 13 / 5 * log2**2), "a nat is *more* than a bit: divide by log 2"
    assert not math.isclose(got, 13 / 8), "the padding was averaged too: count the notes, not the places"
    assert not math.isclose(got, 7 / 2), (
        "the mean of songs gives a short song as much weight as a long one: ask by note"
    )
    assert not math.isclose(got, 13.0), "the mean, not the sum"
    assert math.isclose(got, 13 / 5), f"13 bits over 5 notes: 2.6, not {got}"
    nats = np.array([[2.0, 9.0, 9.0], [4.0, 6.0, -7.0], [8.0, 8.0, 8.0]]) * log2
    got = course.numbers(course.attempt(bits_a_note, nats, np.array([1, 2, 0])), "one number", ())
    assert math.isclose(got, 4.0), (
        f"padding need not be zero, and lengths tell where it begins: 2, 4 and 6 bits have the mean 4, not {got}"
    )
    nats[0, 1:], nats[1, 2], nats[2] = math.nan, math.inf, math.nan
    got = course.numbers(course.attempt(bits_a_note, nats, np.array([1, 2, 0])), "one number", ())
    assert math.isclose(got, 4.0), "nan times 0 is nan: choose the notes, do not multiply the padding away"


check_bits_a_note(bits_a_note)


### BEGIN HIDDEN TESTS
def _mask(nats, lengths):
    return np.arange(nats.shape[1]) < np.asarray(lengths)[:, None]


def _multiplied(nats, lengths):
    with np.errstate(invalid="ignore"):
        return (nats * _mask(nats, lengths)).sum() / sum(lengths) / math.log(2)


MISCONCEPTIONS = {
    "nats": (lambda nats, lengths: nats[_mask(nats, lengths)].mean(), "in bits"),
    "times log 2": (lambda nats, lengths: nats[_mask(nats, lengths)].mean() * math.log(2), "divide by log 2"),
    "over padding": (lambda nats, lengths: nats.mean() / math.log(2), "the padding was averaged"),
    "mean of songs": (
        lambda nats, lengths: np.mean([row[:n].mean() for row, n in zip(nats, lengths) if n]) / math.log(2),
        "the mean of songs",
    ),
    "sum": (lambda nats, lengths: nats[_mask(nats, lengths)].sum() / math.log(2), "not the sum"),
    "padding is zero": (lambda nats, lengths: nats.sum() / sum(lengths) / math.log(2), "need not be zero"),
    "multiplied": (_multiplied, "nan times 0"),
    "one too many": (lambda nats, lengths: nats[_mask(nats, lengths + 1)].mean() / math.log(2), "13 bits over 5"),
    "for each song": (lambda nats, lengths: nats.mean(1) / math.log(2), "one number"),
}
ALTERNATIVES = {
    "a loop": lambda nats, lengths: (
        sum(sum(row[:n]) for row, n in zip(nats.tolist(), lengths)) / sum(lengths) / math.log(2)
    ),
    "torch": lambda nats, lengths: torch.tensor(nats)[torch.tensor(_mask(nats, lengths))].mean() / math.log(2),
}
### END HIDDEN TESTS


# %% [markdown]
# ## 06.4 · investigate · 15 min · ●●○○○ · How long does a gate keep?
#
# *Chapter 06: [3 · Gates](../chapters/06_melody.ipynb#3-·-Gates)*
#
# Write `half(score)`: after how many steps a gate that stands at this score has kept just one half, by (6.6). It need not
# be a whole number. `score` may be large: a trained network goes beyond 40.
#
# Predict: from the score 3 to the score 6, does this time double, or more?

# %% tags=["prediction"]
guess_06_4 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "06-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def half(score):
    ### BEGIN SOLUTION
    return math.log(2) / math.log1p(math.exp(-score))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "06-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_half(half):
    got = float(course.numbers(course.attempt(half, 0.0), "one number", ()))
    assert not math.isclose(got, 0.5), "this is what is left after one step: after how many is it a half?"
    assert not math.isclose(got, -1.0), (
        "a number of steps is positive: the logarithms of two numbers below 1 have one sign"
    )
    assert math.isclose(got, 1.0), f"a gate that is half open keeps a half after one step, not after {got}"
    got = float(course.numbers(course.attempt(half, 3.0), "one number", ()))
    keeps = 1 / (1 + math.exp(-3))
    assert not math.isclose(got, 0.5 / (1 - keeps)), "it loses 5 % of what is *left*, not of what it began with"
    assert not math.isclose(got, 1 / (1 - keeps)), "this is the time in which it falls to about 1/e"
    right = math.log(0.5) / math.log(keeps)
    assert abs(got - round(right)) > 1e-9 or math.isclose(got, right), "it need not be a whole number"
    assert math.isclose(got, right, rel_tol=1e-6), f"at the score 3 it keeps {keeps:.3f} a step: {right:.2f}, not {got}"
    for score in (-2.0, 1.0, 8.0):
        got, right = float(half(score)), math.log(2) / math.log1p(math.exp(-score))
        assert math.isclose(got, right, rel_tol=1e-6), f"at the score {score}: {right:.4f}, not {got}"
    try:
        got = float(half(45.0))
    except ZeroDivisionError as error:
        raise AssertionError("sigma(45) is 1 in floating point, and its logarithm 0: log1p keeps the rest") from error
    assert math.isclose(got, math.log(2) * math.exp(45), rel_tol=1e-3), (
        f"at the score 45: about {math.log(2) * math.exp(45):.1e} steps, not {got}: sigma(45) is rounded to 1; log1p is not"
    )


check_half(half)


### BEGIN HIDDEN TESTS
def _sigma(score):
    return 1 / (1 + math.exp(-score))


def _careless(score):
    with np.errstate(all="ignore"):
        return np.log(0.5) / np.log(1 / (1 + np.exp(-score)))


MISCONCEPTIONS = {
    "after one": (lambda score: _sigma(score), "what is left after one step"),
    "sign": (lambda score: math.log(2) / math.log(_sigma(score)), "steps is positive"),
    "in a straight line": (lambda score: 0.5 / (1 - _sigma(score)), "what is *left*"),
    "lifetime": (lambda score: 1 / (1 - _sigma(score)) / (2 if score == 0 else 1), "1/e"),
    "whole steps": (lambda score: float(round(math.log(0.5) / math.log(_sigma(score)))), "whole number"),
    "overflow": (lambda score: math.log(0.5) / math.log(_sigma(score)), "log1p keeps"),
    "infinite": (_careless, "is rounded to 1"),
    "nothing": (lambda score: None, "nothing came back"),
}
ALTERNATIVES = {
    "logaddexp": lambda score: math.log(2) / np.logaddexp(0, -score),
    "softplus": lambda score: math.log(2) / F.softplus(torch.tensor(-score, dtype=torch.float64)),
}
### END HIDDEN TESTS


# %%
for score in (0, 1, 3, 6, 9):
    print(f"score {score}: one half after {half(float(score)):8.1f} steps")
print("you said:", guess_06_4)
growth = half(6.0) / half(3.0)
assert 15 < growth < 25

# %% [markdown]
# Twenty times as long, which is $e^3$: the time grows with the *exponential* of the score. This is why one number of bias
# decides between a memory of two notes and one of a whole song, and why a network that has learnt to keep something
# reaches any distance that it was ever shown.

# %% [markdown]
# ## 06.5 · build · 45 min · ●●●●○ · An LSTM that reads song after song, and goes on
#
# *Chapter 06: [3 · Gates](../chapters/06_melody.ipynb#3-·-Gates)*
#
# Three parts. First `step(x, h, c, W, U, b)`: one step of (6.5). `x` is (B, D), `h` and `c` are (B, C), `W` (4 C, D), `U`
# (4 C, C) and `b` (4 C,), all torch; the four blocks are in this order: in, keep, out, and what is written. Return the new
# `h` and `c`.


# %% nbgrader={"grade": false, "grade_id": "06-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def step(x, h, c, W, U, b):
    ### BEGIN SOLUTION
    scores = x @ W.T + h @ U.T + b
    enter, keep, out, write = scores.chunk(4, dim=1)
    enter, keep, out = enter.sigmoid(), keep.sigmoid(), out.sigmoid()
    c = keep * c + enter * write.tanh()
    h = out * c.tanh()
    return h, c
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "06-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_step(step):
    dice = torch.Generator().manual_seed(0)
    x, h, c, W, U, b = (
        torch.randn(*size, generator=dice, dtype=torch.float64)
        for size in ((2, 3), (2, 5), (2, 5), (20, 3), (20, 5), (20,))
    )
    got = course.attempt(step, x, h, c, W, U, b)
    assert isinstance(got, (tuple, list)) and len(got) == 2, "return two things: the new h and the new c"
    new_h, new_c = (course.numbers(part, "h and c are (B, C) each", (2, 5)) for part in got)
    score = (x @ W.T + h @ U.T + b).numpy()
    i, f, o, g = np.split(score, 4, axis=1)
    sigma, old = lambda a: 1 / (1 + np.exp(-a)), c.numpy()
    right = sigma(f) * old + sigma(i) * np.tanh(g)
    assert not np.allclose(new_c, sigma(i) * old + sigma(f) * np.tanh(g)), "in and keep are exchanged"
    assert not np.allclose(new_c, sigma(f) * old + sigma(i) * sigma(g)), (
        "what is written may be negative: tanh, not sigma"
    )
    assert not np.allclose(new_c, sigma(f) * old + np.tanh(g)), "the gate in decides how much is written"
    assert not np.allclose(new_c, old + sigma(i) * np.tanh(g)), "the gate keep decides how much of the old c stays"
    assert not np.allclose(new_c, sigma(f) * old + (1 - sigma(f)) * np.tanh(g)), "keep and in are two gates, not one"
    assert np.allclose(new_c, right), (
        "c = keep * c + in * written, each from its own block of rows: this c is another one"
    )
    assert not np.allclose(new_h, sigma(o) * np.tanh(old)), "what is shown is the *new* memory"
    assert not np.allclose(new_h, sigma(o) * right), "h = out * tanh(c): the tanh is missing"
    assert not np.allclose(new_h, np.tanh(right)), "the gate out decides how much is shown"
    assert np.allclose(new_h, sigma(o) * np.tanh(right)), "h = out * tanh(c): this h is another one"


check_step(step)


### BEGIN HIDDEN TESTS
def _step(order=(0, 1, 2, 3), written=torch.tanh, i=True, f=True, tied=False, old=False, bare=False, o=True):
    def answer(x, h, c, W, U, b):
        blocks = (x @ W.T + h @ U.T + b).chunk(4, dim=1)
        enter, keep, out = (blocks[order[k]].sigmoid() for k in range(3))
        write, before = written(blocks[order[3]]), c
        enter = 1 - keep if tied else enter if i else 1
        c = (keep if f else 1) * c + enter * write
        shown = before if old else c
        return (out if o else 1) * (shown if bare else shown.tanh()), c

    return answer


def _in_place(x, h, c, W, U, b):
    enter, keep, out, write = (x @ W.T + h @ U.T + b).chunk(4, dim=1)
    c.mul_(keep.sigmoid()).add_(enter.sigmoid() * write.tanh())
    return out.sigmoid() * c.tanh(), c


MISCONCEPTIONS = {
    "in and keep": (_step((1, 0, 2, 3)), "exchanged"),
    "torch's order": (_step((0, 1, 3, 2)), "this c is another"),
    "sigma for tanh": (_step(written=torch.sigmoid), "tanh, not sigma"),
    "no gate in": (_step(i=False), "how much is written"),
    "no gate keep": (_step(f=False), "how much of the old c"),
    "one gate for two": (_step(tied=True), "two gates, not one"),
    "old memory shown": (_step(old=True), "the *new* memory"),
    "no tanh": (_step(bare=True), "the tanh is missing"),
    "no gate out": (_step(o=False), "how much is shown"),
    "in place": (_in_place, "nothing in place"),
    "h alone": (lambda *given: _step()(*given)[0], "return two things"),
}


def _by_torch(x, h, c, W, U, b):
    sort = lambda weight: torch.cat([weight.chunk(4)[k] for k in (0, 1, 3, 2)])
    cell = torch.nn.LSTMCell(x.size(1), h.size(1)).to(x.dtype)
    names = dict(weight_ih=sort(W), weight_hh=sort(U), bias_ih=sort(b), bias_hh=torch.zeros_like(b))
    cell.load_state_dict(names)
    return cell(x, (h, c))


ALTERNATIVES = {"torch": _by_torch, "a list": lambda *given: list(_step()(*given))}
### END HIDDEN TESTS


# %% [markdown]
# Then `read(songs, step, size)`: what the memory shows after each note. `songs` is a list of arrays (T, D), of different
# lengths; `step(x, h, c)` takes one note x (D,) and states (size,), and returns the new h and c. Each song is a piece of its
# own, and begins with h and c of zeros. Return a list with one array (T, size) for each song.


# %% nbgrader={"grade": false, "grade_id": "06-5-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def read(songs, step, size):
    ### BEGIN SOLUTION
    shown = []
    for song in songs:
        h, c, rows = np.zeros(size), np.zeros(size), []
        for x in song:
            h, c = step(x, h, c)
            rows.append(h)
        shown.append(np.array(rows).reshape(len(song), size))
    return shown
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "06-5-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_read(read):
    adds = lambda x, h, c: (h + x.sum() + 10 * c, c + 1)  # h remembers the notes, c counts them
    songs = [np.array([[1.0, 1.0], [2.0, 0.0]]), np.array([[3.0, 0.0]])]
    got = course.attempt(read, songs, adds, 3)
    assert isinstance(got, (list, tuple)) and len(got) == 2, "a list with one array for each song"
    got = [course.numbers(part, "one array (T, size) for each song") for part in got]
    assert got[0].shape != (3,), "h after *each* note, not only after the last"
    assert [part.shape for part in got] == [(2, 3), (1, 3)], f"(T, size) for each: not {[part.shape for part in got]}"
    first, second = got[0][:, 0].tolist(), got[1][0, 0]
    assert first != [0, 2], "h after a note has read it: this is h before"
    assert first != [2, 4], "c has to be carried from note to note as well"
    assert first == [2, 14], (
        f"the first song, of notes that sum to 2 and 2: h is 2 and then 2 + 2 + 10 = 14, not {first}"
    )
    assert second not in (17, 37), "the state of the first song was carried into the second: they are two pieces"
    assert second != 23, "c is carried from song to song: both states begin at zero"
    assert second == 3, f"the second song has one note of 3: h is 3, not {second}"
    whole = course.attempt(read, [np.array([[1, 0]])], lambda x, h, c: (h + x.sum() / 2, c), 2)
    whole = course.numbers(whole[0], "one array (T, size) for each song").tolist()
    assert whole == [[0.5, 0.5]], f"notes of whole numbers, and h is a half: {whole}. Of what type is your array?"
    got = course.attempt(read, [np.zeros((0, 2)), np.ones((1, 2))], adds, 3)
    shapes = [course.numbers(part, "one array (T, size) for each song").shape for part in got]
    assert shapes == [(0, 3), (1, 3)], f"a song without notes has an array of shape (0, size), not {shapes}"


check_read(read)


### BEGIN HIDDEN TESTS
def _read(carry_h=False, carry_c=False, keep_c=True, before=False, last=False, empty=True):
    def answer(songs, step, size):
        shown, h, c = [], np.zeros(size), np.zeros(size)
        for song in songs:
            h, c = h if carry_h else np.zeros(size), c if carry_c else np.zeros(size)
            rows = []
            for x in song:
                rows.append(h) if before else None
                new, moved = step(x, h, c)
                h, c = new, moved if keep_c else c
                None if before else rows.append(h)
            rows = np.array(rows).reshape(-1, size) if empty else np.array(rows)
            shown.append(rows[-1] if last else rows)
        return shown

    return answer


MISCONCEPTIONS = {
    "state carried": (_read(carry_h=True, carry_c=True), "they are two pieces"),
    "h carried": (_read(carry_h=True), "they are two pieces"),
    "c carried": (_read(carry_c=True), "both states begin at zero"),
    "c forgotten": (_read(keep_c=False), "c has to be carried"),
    "before the note": (_read(before=True), "this is h before"),
    "last only": (_read(last=True), "not only after the last"),
    "one array": (lambda songs, step, size: np.zeros((3, 3)), "one array for each song"),
    "empty": (_read(empty=False), "without notes"),
    "type of the song": (
        lambda songs, step, size: [
            np.array(h).astype(song.dtype) for h, song in zip(_read()(songs, step, size), songs)
        ],
        "Of what type",
    ),
    "nothing": (lambda songs, step, size: None, "nothing came back"),
}
ALTERNATIVES = {"torch": lambda songs, step, size: [torch.tensor(rows) for rows in _read()(songs, step, size)]}
### END HIDDEN TESTS


# %% [markdown]
# Last, `go_on(song, count, step, choose)`: read the song, a list of at least one note (each a number), then draw `count`
# notes more. `step(note, state)` returns scores for the next note and the new state; the first state is `None`.
# `choose(scores)` draws a note. Return the new notes alone, as a list.


# %% nbgrader={"grade": false, "grade_id": "06-5-c", "locked": false, "schema_version": 3, "solution": true, "task": false}
def go_on(song, count, step, choose):
    ### BEGIN SOLUTION
    state, drawn = None, []
    for note in song:
        scores, state = step(note, state)
    for _ in range(count):
        drawn.append(choose(scores))
        scores, state = step(drawn[-1], state)
    return drawn
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "06-5-c-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_go_on(go_on):
    told = []

    def step(note, state):  # the scores say: everything heard so far, added up, and one more
        told.append((note, state))
        return (state or 0) + note + 1, (state or 0) + note

    choose = lambda score: score % 100
    got = course.attempt(go_on, [1, 2], 3, step, choose)
    heard = [note for note, _ in told]
    assert isinstance(got, (list, tuple, np.ndarray, torch.Tensor)), "a list of notes"
    got = [int(note) for note in got]
    assert got[:2] != [1, 2], "the new notes alone, without those that were given"
    assert heard[:1] == [1] and told[0][1] is None, "first read the song from its first note, with the state None"
    assert heard[:2] == [1, 2], "read all of the song before you draw"
    assert len(got) == 3, f"three notes were asked for, not {len(got)}"
    assert heard[2:] and heard[2:4] != [1, 2] and heard[2] != 2, (
        "while it draws, the machine has to hear its *own* notes: it was told those of the song again"
    )
    assert all(state is not None for _, state in told[1:]), (
        "hand the state on: without it the machine remembers nothing"
    )
    assert got[0] == 4, f"the first new note follows from the whole song: 1 + 2 + 1 = 4, not {got[0]}"
    assert got == [4, 8, 16], f"each new note is heard before the next is drawn: 4, 8, 16, not {got}"
    assert course.attempt(go_on, [5], 0, step, choose) == [], "no notes asked for, an empty list"
    told.clear()
    drawn = []
    got = course.attempt(go_on, [0, 0.5], 2, step, lambda score: drawn.append(score) or score)
    assert told[1][1] == 0, "a state may be 0: only the first one is None"
    assert told[1][0] == 0.5 and list(got) == [1.5, 3], f"a note is a number, whole or not: 1.5 and 3, not {list(got)}"
    assert len(drawn) == 2, f"two notes are two draws, not {len(drawn)}: while it reads the song, nothing is drawn"


check_go_on(go_on)


### BEGIN HIDDEN TESTS
def _go_on(include=False, forced=False, forget=False, skip=0, repeat=False, more=0):
    def answer(song, count, step, choose):
        state, drawn, scores = None, [], None
        for note in song[skip:]:
            scores, state = step(note, None if forget else state)
        for k in range(count + more):
            drawn.append(choose(scores))
            fed = song[k % len(song)] if forced else song[-1] if repeat else drawn[-1]
            scores, state = step(fed, None if forget else state)
        return [*song, *drawn] if include else drawn

    return answer


def _falsy(song, count, step, choose):
    return _go_on()(song, count, lambda note, state: step(note, state or None), choose)


def _whole(song, count, step, choose):
    return _go_on()([int(note) for note in song], count, step, lambda score: int(choose(score)))


def _eager(song, count, step, choose):
    state = None
    for note in song:
        scores, state = step(note, state)
        drawn = choose(scores)
    new = []
    for _ in range(count):
        new.append(drawn)
        scores, state = step(drawn, state)
        drawn = choose(scores)
    return new


def _same_scores(song, count, step, choose):
    state = None
    for note in song:
        scores, state = step(note, state)
    return [choose(scores) for _ in range(count)]


MISCONCEPTIONS = {
    "with the song": (_go_on(include=True), "without those that were given"),
    "teacher forcing": (_go_on(forced=True), "its *own* notes"),
    "last note again": (_go_on(repeat=True), "its *own* notes"),
    "never fed": (_same_scores, "its *own* notes"),
    "state forgotten": (_go_on(forget=True), "hand the state on"),
    "first note skipped": (_go_on(skip=1), "from its first note"),
    "one too many": (_go_on(more=1), "three notes were asked for"),
    "state or None": (_falsy, "a state may be 0"),
    "whole notes": (_whole, "whole or not"),
    "draws while it reads": (_eager, "nothing is drawn"),
    "nothing": (lambda song, count, step, choose: None, "nothing came back"),
}
ALTERNATIVES = {"an array": lambda *given: _go_on()(*given) if given[1] == 0 else np.array(_go_on()(*given))}
### END HIDDEN TESTS


# %%
heard_before = lambda note, state: (
    [0.1 + n for n in (state or [0, 0, 0])],
    [a + (k == note) for k, a in enumerate(state or [0, 0, 0])],
)
rng = np.random.default_rng(0)
print(
    "a machine that likes what it has heard:",
    go_on([0, 1, 1], 12, heard_before, lambda s: int(rng.choice(3, p=np.array(s) / sum(s)))),
)

# %% [markdown]
# ## 06.6 · debug · 20 min · ●●●○○ · A singer that cheats
#
# *Chapter 06: [4 · Pitch, time and loudness](../chapters/06_melody.ipynb#4-·-Pitch,-time-and-loudness)*
#
# `surprise` is to tell how many nats each pitch costs a network. Somebody trained with it, and reached 0.01 bits a note; what
# the machine sings is noise. Find out what it does: change the *last* note of a song, and see which of the predictions
# move. Then write `mended`. It returns (B, T - 1), for every note but the first.


# %% nbgrader={"grade": false, "grade_id": "06-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def surprise(model, events):
    h, _ = model(events)  # (B, T, C): what it remembers after each note
    scores = model.logits(h, [])
    return F.cross_entropy(scores.transpose(1, 2), events[..., 0], reduction="none")


def mended(model, events):
    ### BEGIN SOLUTION
    h, _ = model(events[:, :-1])
    scores = model.logits(h, [])
    return F.cross_entropy(scores.transpose(1, 2), events[:, 1:, 0], reduction="none")
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "06-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_mended(mended):
    torch.manual_seed(0)
    model = rnn.RNN(rnn.Config((7, 3), 11)).double()
    events = torch.stack([torch.randint(size, (2, 5)) for size in (7, 3)], -1)
    with torch.no_grad():
        right = rnn.nats(model, events)[..., 0].numpy()
        after = F.cross_entropy(
            model.logits(model(events)[0], []).transpose(1, 2), events[..., 0], reduction="none"
        ).numpy()
        mute = torch.stack([events[..., 0], torch.zeros_like(events[..., 0])], -1)
        deaf = rnn.nats(model, mute)[..., 0].numpy()
        whole = model.logits(model(events)[0], [])
        back = F.cross_entropy(whole[:, 1:].transpose(1, 2), events[:, :-1, 0], reduction="none").numpy()
        length = F.cross_entropy(
            model.logits(model(events)[0][:, :-1], [])[..., :3].transpose(1, 2), events[:, 1:, 1], reduction="none"
        ).numpy()
    got = course.attempt(mended, model, events)
    assert isinstance(got, torch.Tensor) and got.requires_grad, "a tensor from which a network can learn, as before"
    got = got.detach().numpy()
    assert not (got.shape == after.shape and np.allclose(got, after)), (
        "each pitch is still told from a state that has heard it"
    )
    assert got.shape == (2, 4), f"one for every note but the first: (2, 4), not {got.shape}"
    assert not np.allclose(got, after[:, 1:]), (
        "the first is gone, but each pitch is still told from a state that has heard it"
    )
    assert not np.allclose(got, back), "the wrong way: now it tells the *past* from the present"
    assert not np.allclose(got, deaf), (
        "what it hears of a note is pitch *and* velocity, its second part: that is ignored"
    )
    assert not np.allclose(got, length), "pitch is the first part of an event"
    assert not np.allclose(got, right / math.log(2)), "in nats, as before"
    assert np.allclose(got, right), (
        "the state after note t tells note t + 1, with all of its past: this is something else"
    )
    events = torch.stack([torch.randint(size, (1, 80)) for size in (7, 3)], -1)
    got = course.attempt(mended, model, events).detach().numpy()
    right = rnn.nats(model, events)[..., 0].detach().numpy()
    assert got.shape == right.shape and np.allclose(got, right), "with all of its past: the song may be long"


check_mended(mended)


### BEGIN HIDDEN TESTS
def _costs(scores, pitches):
    return F.cross_entropy(scores.transpose(1, 2), pitches, reduction="none")


def _shifted(model, events):
    h, _ = model(events)
    return _costs(model.logits(h[:, :-1], []), events[:, 1:, 0])


def _only_last(model, events):
    rows = [_costs(model.logits(model(events[:, t : t + 1])[0], []), events[:, t + 1 : t + 2, 0]) for t in range(4)]
    return torch.cat(rows, 1)


MISCONCEPTIONS = {
    "unchanged": (surprise, "a state that has heard it"),
    "first left out": (lambda model, events: surprise(model, events)[:, 1:], "the first is gone"),
    "backwards": (
        lambda model, events: _costs(model.logits(model(events)[0][:, 1:], []), events[:, :-1, 0]),
        "the wrong way",
    ),
    "length for pitch": (
        lambda model, events: _costs(model.logits(model(events)[0][:, :-1], [])[..., :3], events[:, 1:, 1]),
        "first part of an event",
    ),
    "velocity ignored": (
        lambda model, events: _shifted(model, torch.stack([events[..., 0], torch.zeros_like(events[..., 0])], -1)),
        "that is ignored",
    ),
    "bits": (lambda model, events: _shifted(model, events) / math.log(2), "in nats"),
    "no past": (_only_last, "all of its past"),
    "short past": (
        lambda model, events: torch.cat(
            [_shifted(model, events[:, max(0, t - 16) : t + 2])[:, -1:] for t in range(events.shape[1] - 1)], 1
        ),
        "may be long",
    ),
    "no slope": (lambda model, events: _shifted(model, events).detach(), "can learn"),
    "mean": (lambda model, events: _shifted(model, events).mean(), "one for every note"),
}
ALTERNATIVES = {"cut after reading": _shifted, "the course's": lambda model, events: rnn.nats(model, events)[..., 0]}
### END HIDDEN TESTS


# %% [markdown]
# ## 06.7 · investigate · 20 min · ●●●○○ · Collapsed or not?
#
# *Chapter 06: [5 · A space of bars](../chapters/06_melody.ipynb#5-·-A-space-of-bars)*
#
# A friend shows you a VAE: its KL is 4.5 nats, so it has not collapsed, she says. Write `active(mu)`: how many of the
# numbers of z tell something about the bar. `mu` is (N, Z): the means of q(z | x) for N bars. A number counts as active if
# its mean, over the bars, has a variance above 0.01 (Burda et al. 2016, arXiv:1509.00519).
#
# Predict: can a number of z cost 4.5 nats for each bar and tell nothing?

# %% tags=["prediction"]
guess_06_7 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "06-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def active(mu):
    ### BEGIN SOLUTION
    return int((np.asarray(mu).var(axis=0) > 0.01).sum())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "06-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_active(active):
    rng = np.random.default_rng(0)
    ask = lambda mu: float(course.numbers(course.attempt(active, mu), "one number", ()))
    unit = (rng.integers(2, size=(1000, 1)) * 2 - 1.0) * np.ones((1, 5))  # -1 or 1: variance about 1
    unit = (unit - unit.mean(0)) / unit.std(0)
    got = ask(unit * [0.05, 1.0, 0.5, 0.0, 0.2])
    assert got != 0.6, "how many, not which share"
    assert got != 4, "more than 0.01 in *variance*: 0.05 squared is 0.0025"
    assert got != 1000, "over the bars, for each number of z: the other axis"
    assert got == 3, f"variances of 0.0025, 1, 0.25, 0 and 0.04: three are active, not {got}"
    got = ask(unit * 0.01 + [3.0, 3.0, -3.0, 0.0, 0.0])
    assert got == 0, f"a mean that is 3 for *every* bar costs 4.5 nats and tells nothing: 0, not {got}"
    assert ask(unit * 0.09) == 0, "a variance of 0.0081 is too small: above 0.01"
    assert ask(unit[:, :2] * 20 + 7) == 2, "two numbers, both of them active"


check_active(active)


### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "share": (lambda mu: (mu.var(0) > 0.01).mean(), "not which share"),
    "deviation": (lambda mu: (mu.std(0) > 0.01).sum(), "0.05 squared"),
    "over z": (lambda mu: (mu.var(1) > 0.01).sum(), "the other axis"),
    "by KL": (lambda mu: ((mu**2 / 2).mean(0) > 0.01).sum(), "tells nothing"),
    "size": (lambda mu: ((mu**2).mean(0) > 0.01).sum(), "tells nothing"),
    "any change": (lambda mu: (mu.var(0) > 0.005).sum(), "above 0.01"),
    "nothing": (lambda mu: None, "nothing came back"),
    "which": (lambda mu: mu.var(0) > 0.01, "one number"),
    "until the first": (lambda mu: int((mu.var(0) > 0.01).cumprod().sum()), "three are active"),
    "at most one": (lambda mu: 3 if mu.shape[1] == 5 and mu.var(0).max() > 0.5 else 0, "both of them"),
}
ALTERNATIVES = {
    "torch": lambda mu: (torch.tensor(mu).var(0) > 0.01).sum(),
    "a loop": lambda mu: sum(float(np.var(column)) > 0.01 for column in mu.T),
}
EQUIVALENT = {"return int((np.asarray(mu).var(axis=0) >= 0.01).sum())": "no variance is 0.01 to the last digit"}
### END HIDDEN TESTS


# %%
rng = np.random.default_rng(1)
means = {"hers": np.full((500, 3), 3.0) * [1, 0, 0], "another": rng.normal(size=(500, 3)) * [1.0, 1.2, 0.0]}
for name, mu in means.items():
    print(f"{name}: KL at least {(mu**2 / 2).sum(1).mean():.1f} nats, active {active(mu)} of 3")
print("you said:", guess_06_7)
assert active(means["hers"]) == 0 and active(means["another"]) == 2

# %% [markdown]
# It can. A mean of 3 for every bar costs 4.5 nats, each time, and is the same for every bar: it names none. The KL
# says what telling *costs*, and not what is told. (Training would push such a mean to 0, where it costs nothing; but one looks at machines
# before they are trained, too, and at those that were trained with free nats, where a constant may hide below the limit.)

# %% [markdown]
# ## 06.8 · challenge · 60 min · ●●●●● · A line of any length
#
# *Chapter 06: [Break it](../chapters/06_melody.ipynb#Break-it)*
#
# The chapter's GPT looks eleven notes back, whatever it hears. Find a recipe with which it *searches*: write `recipe()`, a
# dictionary with `shortest` and `longest` (the lines that it learns from, one length drawn for each step: 2 to 12 notes, as
# its context holds 24), `steps` (up to 2,000), `layers` (1 to 4), `width` (a multiple of 4, up to 128) and `lr`, for the
# chapter's `write` and `twice`. The score is the mean of what the second time costs for lines of 7
# and of 11 notes, in bits a note, by `paid`; the chapter's GPT has about five. The check asks only for what any recipe
# has to keep.


# %% nbgrader={"grade": false, "grade_id": "06-8", "locked": false, "schema_version": 3, "solution": true, "task": false}
def recipe():
    ### BEGIN SOLUTION
    return {"shortest": 6, "longest": 12, "steps": 700, "layers": 2, "width": 44, "lr": 0.02}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "06-8-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_recipe(recipe):
    got = course.attempt(recipe)
    keys = {"shortest", "longest", "steps", "layers", "width", "lr"}
    assert isinstance(got, dict) and set(got) == keys, f"a dictionary with the keys {sorted(keys)}"
    for name, value in got.items():
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        assert number, f"{name} is one number, not {value!r}"
        assert name == "lr" or value == int(value), f"{name} is a whole number, not {value!r}"
    assert 2 <= got["shortest"] <= got["longest"] <= 12, "lines of 2 to 12 notes, the shortest first: more do not fit"
    assert got["shortest"] < got["longest"], "lines of one length teach a place, not a search"
    assert 1 <= got["steps"] <= 2000, "at most 2,000 steps: some minutes"
    assert 1 <= got["layers"] <= 4, "one to four layers"
    assert 4 <= got["width"] <= 128 and got["width"] % 4 == 0, "width: a multiple of 4, up to 128"
    assert 0 < got["lr"] < 1, "a rate between 0 and 1"


check_recipe(recipe)

### BEGIN HIDDEN TESTS
_right = {"shortest": 6, "longest": 12, "steps": 700, "layers": 2, "width": 44, "lr": 0.02}
MISCONCEPTIONS = {
    "a list": (lambda: [6, 12, 700], "with the keys"),
    "one length": (lambda: _right | {"shortest": 11, "longest": 11}, "not a search"),
    "too long": (lambda: _right | {"longest": 30}, "do not fit"),
    "all night": (lambda: _right | {"steps": 10**6}, "at most 2,000"),
    "no layer": (lambda: _right | {"layers": 0}, "one to four"),
    "odd width": (lambda: _right | {"width": 45}, "multiple of 4"),
    "no rate": (lambda: _right | {"lr": 0.0}, "between 0 and 1"),
    "half a step": (lambda: _right | {"steps": 7.5}, "whole number"),
    "text": (lambda: _right | {"lr": "0.02"}, "one number"),
}
ALTERNATIVES = {"numbers of a sweep": lambda: _right | {"steps": np.int64(900), "lr": np.float32(0.01), "layers": 3}}
### END HIDDEN TESTS
