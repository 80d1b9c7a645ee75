# %% [markdown]
# # 01 · Concepts: exercises
#
# Run the first cell, then take the exercises in any order. *Verify*: write what the chapter derived. *Modify*:
# change it. *Investigate*: find out something that the chapter did not say. Each check tells you what it expected;
# when it is silent, you are done, and the cell below it plays with what you wrote.

# %%
import numpy as np

from aigc import data
from aigc.codecs.text import CharCodec
from aigc.models import ngram
from aigc.score import PITCH, VOICE

plays = data.shakespeare()
codec = CharCodec.train(plays)
text = np.array(codec.encode(plays))


# %% [markdown]
# ## 01.1 · verify · Bits of a text
#
# A model gave each symbol of a text a probability. Write `bits(p)`: its surprise in **bits per symbol**, equation
# (1.3).
#
# `p`: (N,) probabilities in (0, 1]. Returns one number. Pencil first: what is the answer for 1/2, 1/4, 1/8, 1/8?

# %% nbgrader={"grade": false, "grade_id": "01-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bits(p):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_bits(bits):
    p = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8])
    got = bits(p)
    assert np.ndim(got) == 0, f"one number for the whole text, not the shape {np.shape(got)}: average over the symbols"
    assert got >= 0, "a surprise is never negative: the logarithm of a probability is, so change its sign"
    assert not np.isclose(got, 2.25 * np.log(2)), "these are nats: use the logarithm to base 2"
    assert not np.isclose(got, 9), "9 bits is the whole text: divide by its length to get bits per symbol"
    assert not np.isclose(got, 2), "average the surprises, not the probabilities: the mean comes after the logarithm"
    assert np.isclose(got, 2.25), f"(1 + 2 + 3 + 3) / 4 is 2.25, not {got}"
    assert np.isclose(bits(np.ones(7)), 0), "certainty costs nothing: seven symbols of probability 1 cost 0 bits"


check_bits(bits)


# %% [markdown]
# ## 01.2 · verify · A table, smoothed
#
# Each row of `counts` says how often each of V symbols followed one context. Write equation (1.2): `smooth(counts,
# alpha)`.
#
# `counts`: (C, V) whole numbers, some rows all zero. `alpha`: above 0. Returns (C, V); each row is a distribution.

# %% nbgrader={"grade": false, "grade_id": "01-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def smooth(counts, alpha):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_smooth(smooth):
    counts = np.array([[3, 1, 0], [0, 0, 0]])
    with np.errstate(all="ignore"):
        p = smooth(counts, 0.5)
    assert np.shape(p) == (2, 3), f"one chance for each count: (2, 3), not {np.shape(p)}"
    assert np.isfinite(p).all(), "0 / 0: a context that was never seen needs its alpha too, above and below"
    assert not np.allclose(p.sum(0), 1), "each context is a row: sum over the last axis, not over the contexts"
    assert np.allclose(p.sum(1), 1), "a row must sum to one: alpha was added V times above, so add alpha V below"
    assert not np.isclose(p[0, 0], 4 / 7), "alpha is an argument: here it is 0.5, not 1"
    assert not np.isclose(p[0, 0] / p[0, 1], 3), "add alpha to every count, not to the zeros alone"
    assert np.allclose(p, [[3.5 / 5.5, 1.5 / 5.5, 0.5 / 5.5], [1 / 3] * 3]), "(3 + 0.5) / (4 + 0.5 * 3) is 3.5 / 5.5"


check_smooth(smooth)


# %% [markdown]
# ## 01.3 · modify · A temperature for the chain
#
# Between the dice and the endless loop there is a dial. Write `temper(p, temperature)`: each probability to the
# power 1 / temperature, then normalised. Below 1 it sharpens, above 1 it flattens. Then listen to Shakespeare at
# 0.3, 1 and 3.
#
# `p`: (V,), summing to one, with zeros where the chain has seen nothing. `temperature`: above 0. Returns (V,).

# %% nbgrader={"grade": false, "grade_id": "01-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def temper(p, temperature):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_temper(temper):
    p = np.array([0.6, 0.3, 0.1, 0.0])
    with np.errstate(all="ignore"):
        cold = temper(p, 0.5)
    assert np.isfinite(cold).all(), "log 0 is -inf: take powers instead, so that what is impossible stays at 0"
    assert np.isclose(cold.sum(), 1), "the result must sum to one: divide by the sum of the powers"
    assert not np.allclose(cold, p), "to divide probabilities and normalise again changes nothing: take a power"
    assert cold[3] == 0, "what was impossible must stay impossible: 0 to any power is 0, and nothing is added"
    assert cold[0] > 0.6, "below 1 a temperature must sharpen: the power is 1 / temperature, not the temperature"
    assert np.isclose(cold[0] / cold[1], 4), "at 0.5 the odds 2 : 1 become 4 : 1: the power is 1 / 0.5"
    assert np.allclose(temper(p, 1.0), p), "temperature 1 must change nothing"


check_temper(temper)

# %% tags=["raises-exception"]
chain = ngram.fit([text], len(codec.vocab), 5)
for temperature in (0.3, 1.0, 3.0):
    rng, ids = np.random.default_rng(0), codec.encode("\n\nROMEO:\nI ")
    for _ in range(150):
        p = temper(chain.probabilities(ids[-5:]), temperature)
        ids.append(rng.choice(len(p), p=p))
    print(f"--- {temperature} ---{codec.decode(ids)}\n")


# %% [markdown]
# ## 01.4 · modify · Mix the orders, and beat the chapter
#
# The chapter's chain of order 8 knows a lot and panics where a context is new. Let each order ask the one below it
# (MacKay & Peto 1995, doi:10.1017/S1351324900000218): what order $k-1$ says counts as much as `strength` observations.
#
# Write `mix(counts, lower, strength)`. `counts`: (V,) how often each symbol followed this context, maybe all zero.
# `lower`: (V,) what the lower order believes, summing to one. Returns (V,), summing to one.

# %% nbgrader={"grade": false, "grade_id": "01-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mix(counts, lower, strength):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_mix(mix):
    lower, few = np.array([0.5, 0.3, 0.2]), np.array([3.0, 1.0, 0.0])
    with np.errstate(all="ignore"):
        none, some, many = mix(np.zeros(3), lower, 4.0), mix(few, lower, 4.0), mix(1e6 * few, lower, 4.0)
    assert np.isfinite(none).all(), "0 / 0 where the context was never seen: the strength belongs below the line too"
    assert np.isclose(some.sum(), 1), "the result must sum to one: divide by the number of counts plus the strength"
    assert np.allclose(none, lower), "with no counts at all the lower order must speak alone"
    assert some[2] > 0, "the third symbol is new here, but the lower order knows it: mix even where there are counts"
    assert np.allclose(many, [0.75, 0.25, 0], atol=1e-4), "a million counts must outvote the lower order, always"
    assert np.allclose(some, [0.625, 0.275, 0.1]), "with strength 4 and 4 counts each side has half of the say"


check_mix(mix)

# %% tags=["raises-exception"]
chains = [ngram.fit([text], len(codec.vocab), k) for k in range(9)]
unread = codec.encode(data.shakespeare("validation")[:2000])
costs = np.zeros((9, len(unread) - 8))
for i in range(8, len(unread)):
    p = np.full(len(codec.vocab), 1 / len(codec.vocab))
    for k, chain in enumerate(chains):
        p = mix(chain.counts_after(unread[i - k : i]), p, 4.0)
        costs[k, i - 8] = -np.log2(p[unread[i]])
alone = [-ngram.fit([text], len(codec.vocab), k, 0.1).log_prob(unread).mean() / np.log(2) for k in range(9)]
for k, cost in enumerate(costs.mean(1)):
    print(f"order {k}: alone {alone[k]:.2f}, mixed {cost:.2f}")
assert costs.mean(1).min() < min(alone)


# %% [markdown]
# ## 01.5 · modify · The longest copy
#
# The chapter counted short runs that stand in the book. Show the offender: write `longest_copy(sample, source)`, the
# longest run of characters of the sample that stands, side by side, in the source.
#
# Both are texts. Returns a text, empty if there is none. Keep in mind that `in` on four million characters takes a
# millisecond: try each beginning once, and only ask for runs that would be longer than the best so far.

# %% nbgrader={"grade": false, "grade_id": "01-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def longest_copy(sample, source):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_longest_copy(longest_copy):
    source = "the quality of mercy is not strained"
    got = longest_copy("a city of mercy, it is not so", source)
    assert isinstance(got, str), f"return the run of letters itself, not {got!r}"
    assert got in source, f"{got!r} is not in the source in one piece: its letters must stand side by side"
    assert got != "a", "a copy may begin anywhere in the sample, not only with its first letter"
    assert got.strip() != "of mercy", "compare letters, not words: a copied word may have lost its beginning"
    assert got != "ity of merc", "one letter is missing at the end: stop after the last letter that still fits"
    assert got == "ity of mercy", f"the longest copy is 'ity of mercy', not {got!r}"
    assert longest_copy("XYZ", source) == "", "nothing of XYZ is in the source: the longest copy is empty"
    assert longest_copy(source, source) == source, "a sample that is the source is one long copy"


check_longest_copy(longest_copy)

# %% tags=["raises-exception"]
for k in (4, 6, 8):
    chain = ngram.fit([text], len(codec.vocab), k)
    sample = codec.decode(chain.sample(500, np.random.default_rng(0), codec.encode("\n\nROMEO:\nI ")))
    print(f"order {k}: {longest_copy(sample, plays)!r}")


# %% [markdown]
# ## 01.6 · investigate · What is a leak worth?
#
# Bach harmonised some tunes more than once. If we deal the melodies at random into training and test, a tune can
# stand on both sides, and the chain is examined on what it was taught. Write `without_leak(train, test, run)`: the
# melodies of `train` that share no run of `run` **steps** (intervals) with any melody of `test`.
#
# `train`, `test`: lists of (N,) pitches. Returns a part of the list `train`, in its order. Before you run the
# experiment below, predict: does the leak flatter all orders alike? Which order will look best with it, and which
# without?

# %% nbgrader={"grade": false, "grade_id": "01-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def without_leak(train, test, run):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_without_leak(without_leak):
    tune = np.array([67, 69, 71, 72, 71, 74, 72, 69, 71, 67, 66, 67, 64, 65, 67, 72])
    other = np.array([60, 62, 64, 60, 62, 64, 65, 67, 65, 64, 62, 60, 59, 60, 62, 60])
    new = np.array([72, 71, 69, 67, 65, 64, 62, 60, 72, 60, 72, 60, 72])
    train = [other, tune, tune + 5, np.append([60, 61], tune[2:]), np.append(tune[:8], other)]
    kept = without_leak(train, [tune.copy(), new], 10)
    left = [i for i, line in enumerate(train) if any(line is melody for melody in kept)]
    assert len(kept) == len(left), "clean the training list, not the test: return a part of `train`"
    assert 1 not in left, "the tune itself is still there: drop what shares a run with the test"
    assert 0 in left, "everything is gone: common notes are no leak, common runs of `run` steps are"
    assert 3 not in left, "a tune with another beginning is still there: compare runs, not whole melodies"
    assert 2 not in left, "a tune sung higher is the same tune: compare steps, not pitches"
    assert left == [0, 4], "eight notes in common make seven steps, fewer than a run of ten: keep that melody"


check_without_leak(without_leak)


# %% tags=["raises-exception"]
def bits_of_melodies(train, test, k):
    ended = lambda line: np.pad(np.diff(line, prepend=67) + 16, (k, 1), constant_values=33)
    chain = ngram.fit([ended(line) for line in train], 34, k, alpha=0.1)
    return -np.concatenate([chain.log_prob(ended(line)) for line in test]).mean() / np.log(2)


pieces = [piece for split in ("train", "validation", "test") for piece in data.chorales(split)]
voices = [piece.notes[piece.notes[:, VOICE] == 0, PITCH].astype(int) for piece in pieces]
order = np.random.default_rng(0).permutation(len(voices))
test, train = [voices[i] for i in order[:35]], [voices[i] for i in order[35:]]
clean = without_leak(train, test, 12)
print(f"{len(train)} melodies to learn from, {len(clean)} without the leak")
fewer = train[: len(clean)]  # as many as clean, but with the leak: is it only that there is less to learn from?
table = np.array([[bits_of_melodies(lines, test, k) for lines in (train, fewer, clean)] for k in range(6)])
for k, row in enumerate(table):
    print(f"order {k}: with the leak {row[0]:.2f}, with fewer melodies {row[1]:.2f}, without the leak {row[2]:.2f}")
print("looks best:", table.argmin(0))
assert (table[2:, 2] > table[2:, 1]).all()  # what goes is not the amount, it is the answers


# %% [markdown]
# ## 01.7 · investigate · Does sharpening amplify a bias?
#
# Many systems write at a temperature below 1, because it reads better. Suppose that a model says *he* with a share
# of 0.75 and *she* with 0.25. At which temperature does the share of *he* become 0.9?
#
# Write `temperature_for(share, wanted)` for any two shares on the same side of 1/2. Pencil first: 0.75 is
# 3 : 1, and 0.9 is 9 : 1. A power of two probabilities is a power of their odds.

# %% nbgrader={"grade": false, "grade_id": "01-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def temperature_for(share, wanted):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_temperature_for(temperature_for):
    t = temperature_for(0.75, 0.9)
    assert not np.isclose(t, 0.75 / 0.9), "a temperature works on odds, not on shares: 0.75 is 3 : 1 and 0.9 is 9 : 1"
    assert not np.isclose(t, np.log(0.75) / np.log(0.9)), "take the logarithm of the odds p / (1 - p), not of the share"
    assert not np.isclose(t, 3 / 9), "odds are raised to a power, so compare their logarithms, not the odds themselves"
    assert t < 1, "a majority grows when the temperature is below 1: is your fraction upside down?"
    assert np.isclose(t, 0.5), f"3 : 1 becomes 9 : 1 by squaring, which is temperature 1 / 2, not {t}"
    assert np.isclose(temperature_for(0.9, 0.75), 2), "and back: temperature 2 takes the square root of the odds"


check_temperature_for(temperature_for)

# %% tags=["raises-exception"]
for wanted in (0.6, 0.9, 0.99):
    print(f"a share of 0.75 becomes {wanted} at temperature {temperature_for(0.75, wanted):.2f}")
