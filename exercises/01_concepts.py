# %% [markdown]
# # 01 · Concepts: exercises
#
# Run the first cell, then take the exercises in any order. *Verify*: write what the chapter derived. *Modify*: change
# it. *Investigate*: find out something that the chapter did not say. *Build*: put a whole thing together. *Debug*:
# measure what is wrong. *Challenge*: how far do you get? No function changes what it is given. Each check tells you
# what it expected; when it is silent, you are done, and the cell below it plays with what you wrote.

# %%
from collections import Counter
from itertools import product

import numpy as np

from aigc import course, data, show
from aigc.codecs.text import CharCodec
from aigc.models import ngram
from aigc.score import PITCH, VOICE

plays = data.shakespeare()
codec = CharCodec.train(plays)
text = np.array(codec.encode(plays))


# %% [markdown]
# ## 01.1 · verify · 10 min · ●○○○○ · Bits of a text
#
# *Chapter 01: [2 · What it is to learn a distribution](../chapters/01_concepts.ipynb#2-·-What-it-is-to-learn-a-distribution)*
#
# A model gave each symbol of a text a probability. Write `surprise(p)`, which returns two numbers. First the **bits per
# symbol**, equation (1.3). Then the **perplexity** (困惑度), 2 to the power of these bits: among how many equally
# probable symbols is a guess as hard as this model's?
#
# `p`: (N,) probabilities in (0, 1], one for each symbol of the text, N at least 1; the text may be very long, and the
# probabilities very small. Pencil first: what are both numbers for 1/2, 1/4, 1/8, 1/8? And for a fair die?

# %% nbgrader={"grade": false, "grade_id": "01-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def surprise(p):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_surprise(surprise):
    def at(p):
        words = "two numbers for the whole text, bits per symbol and perplexity: average over the symbols"
        return course.numbers(course.attempt(surprise, np.array(p, dtype=float)), words, (2,))

    bits, perplexity = at([1 / 2, 1 / 4, 1 / 8, 1 / 8])
    assert bits >= 0, "a surprise is never negative: the logarithm of a probability is, so change its sign"
    assert not np.isclose(bits, 2.25 * np.log(2)), "these are nats: use the logarithm to base 2"
    assert not np.isclose(bits, 9), "9 bits is the whole text: divide by its length to get bits per symbol"
    assert not np.isclose(bits, 2), "average the surprises, not the probabilities: the mean comes after the logarithm"
    assert not np.isclose(bits, 1.75), "no weights: in the mean over a text each symbol counts once, rare or not"
    assert not np.isclose(bits, 2**2.25), "the other way round: bits first, then the perplexity"
    assert np.isclose(bits, 2.25), f"(1 + 2 + 3 + 3) / 4 is 2.25 bits, not {bits}"
    assert perplexity > 1, f"a guess among {perplexity:.3f} symbols? Among fewer than one nobody can guess"
    assert not np.isclose(perplexity, np.exp(2.25)), "these are bits, so the perplexity is a power of 2, not of e"
    assert not np.isclose(perplexity, 5.5), "the mean of 1 / p is not meant: average the bits, then take the power"
    assert np.isclose(perplexity, 2**2.25), f"2 to the power 2.25 is {2**2.25:.4f}, not {perplexity}"
    assert np.allclose(at(np.ones(7)), [0, 1]), "certainty costs 0 bits, and it is a guess among one: (0, 1)"
    assert np.allclose(at([1 / 8]), [3, 8]), f"a text of one symbol of probability 1/8: (3, 8), not {at([1 / 8])}"
    assert np.allclose(at([1 / 6] * 10), [np.log2(6), 6]), f"ten throws of a die: log2 6 and 6, not {at([1 / 6] * 10)}"
    some = [0.9, 1.0, 0.3, 0.001, 0.2]
    assert np.allclose(at(some), at(some * 3)), "a text three times over is as surprising, per symbol, as once"
    assert np.allclose(at(some)[0], 2.8353, atol=1e-4), f"of {some}: 2.8353 bits, not {at(some)[0]}"
    long = at([1 / 2] * 5000)
    assert np.allclose(long, [1, 2]), (
        f"5000 tosses: (1, 2), not {long}. Their product is too small for a float: add logs"
    )
    rare = at([1e-300, 1e-30])
    assert np.isclose(rare[0], 548.118, rtol=1e-5), (
        f"1e-300 and 1e-30 are rare, not impossible: 548.118 bits, not {rare[0]}"
    )
    assert np.isclose(rare[1], 1e165, rtol=1e-6), f"and their perplexity is 1e165, not {rare[1]}"


check_surprise(surprise)

# %% tags=["raises-exception"]
for name, vocabulary in (("a coin", 2), ("a die", 6), ("the plays, all letters alike", len(codec.vocab))):
    bits, perplexity = surprise(np.full(100, 1 / vocabulary))
    print(f"{name}: {bits:.2f} bits, a guess among {perplexity:.1f}")
unread = codec.encode(data.shakespeare("validation")[:20_000])
for k in (0, 2, 4, 8):
    bits, perplexity = surprise(np.exp(ngram.fit([text], len(codec.vocab), k, alpha=0.1).log_prob(unread)))
    print(f"unread plays, order {k}: {bits:.2f} bits, a guess among {perplexity:.1f}")


# %% [markdown]
# ## 01.2 · verify · 10 min · ●○○○○ · A table, smoothed
#
# *Chapter 01: [2 · What it is to learn a distribution](../chapters/01_concepts.ipynb#2-·-What-it-is-to-learn-a-distribution)*
#
# Each row of `counts` says how often each of V symbols followed one context. Write equation (1.2): `smooth(counts,
# alpha)`.
#
# `counts`: an array (C, V) of whole numbers, some rows all zero. `alpha`: one number above 0. Returns (C, V); each
# row is a distribution.

# %% nbgrader={"grade": false, "grade_id": "01-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def smooth(counts, alpha):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_smooth(smooth):
    def at(counts, alpha):
        counts = np.array(counts)
        with np.errstate(all="ignore"):
            got = course.attempt(smooth, counts, alpha)
        return course.numbers(got, f"one probability for each count: numbers of the shape {counts.shape}", counts.shape)

    p = at([[3, 1, 0], [0, 0, 0]], 0.5)
    assert np.isfinite(p).all(), "0 / 0: a context that was never seen needs its alpha too, above and below"
    assert not np.allclose(p.sum(0), 1), "each context is a row: sum over the last axis, not over the contexts"
    assert not np.allclose(p.sum(), 1), "a distribution for each row, not one for the whole table"
    assert np.allclose(p.sum(1), 1), "a row must sum to one: alpha was added V times above, so add alpha V below"
    assert not np.isclose(p[0, 0], 4 / 7), "alpha is an argument: here it is 0.5, not 1"
    assert not np.isclose(p[0, 0] / p[0, 1], 3), "add alpha to every count, not to the zeros alone"
    assert p[0, 2] > 0, (
        "the third symbol never followed the first context, but it is not impossible: add alpha to it too"
    )
    assert np.allclose(p, [[3.5 / 5.5, 1.5 / 5.5, 0.5 / 5.5], [1 / 3] * 3]), "(3 + 0.5) / (4 + 0.5 * 3) is 3.5 / 5.5"
    p = at([[1, 0], [0, 0], [9, 7], [0, 2]], 0.25)
    assert np.allclose(p.sum(1), 1), f"four contexts, two symbols: add alpha once for each *symbol*; sums {p.sum(1)}"
    right = [[5 / 6, 1 / 6], [1 / 2, 1 / 2], [9.25 / 16.5, 7.25 / 16.5], [0.25 / 2.5, 2.25 / 2.5]]
    assert np.allclose(p, right), f"alpha 0.25, four contexts, two symbols: {np.round(right, 3)}, not {p.round(3)}"
    p = at([[4, 0, 0, 1, 0]], 2)
    assert np.allclose(p, [[6 / 15, 2 / 15, 2 / 15, 3 / 15, 2 / 15]]), f"one context, alpha 2: 6/15 and so on, not {p}"
    assert np.allclose(at([[5], [0]], 0.1), 1), "with one symbol only, it is certain: 1 in each row"
    p = at([[3, 1], [0, 0]], 1e-9)
    assert np.allclose(p, [[0.75, 0.25], [0.5, 0.5]]), f"hardly any smoothing: the counts speak, not {p}"
    p = at([[3, 1], [0, 8]], 1e9)
    assert np.allclose(p, 0.5, atol=1e-6), f"a huge alpha believes no count: all symbols alike, not {p}"
    dice = np.random.default_rng(0)
    for C, V, alpha in ((3, 3, 0.7), (2, 6, 0.05), (7, 4, 3.0)):
        counts = dice.integers(0, 4, (C, V)) * dice.integers(0, 2, (C, 1))
        for row, q in zip(counts, at(counts, alpha)):
            for n, chance in zip(row, q):
                right = (n + alpha) / (sum(row) + alpha * V)
                assert np.isclose(chance, right), f"{n} of {row} with alpha {alpha}: {right:.4f}, not {chance:.4f}"


check_smooth(smooth)


# %% [markdown]
# ## 01.3 · modify · 15 min · ●●○○○ · A temperature for the chain
#
# *Chapter 01: [6 · What introductions promise](../chapters/01_concepts.ipynb#6-·-What-introductions-promise)*
#
# Between the dice and the endless loop there is a dial. Write `temper(p, temperature)`: each probability to the
# power 1 / temperature, then normalised. Below 1 it sharpens, above 1 it flattens. It has to work for very cold
# temperatures, too: at 0.01 a probability is raised to the power 100. Then listen to Shakespeare at four temperatures.
#
# `p`: (V,), summing to one, with zeros where the chain has seen nothing. `temperature`: one number, 0.001 or more.
# Returns (V,), summing to one; what is impossible stays exactly 0, what is equally probable stays so.

# %% nbgrader={"grade": false, "grade_id": "01-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def temper(p, temperature):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_temper(temper):
    def at(p, temperature):
        with np.errstate(all="ignore"):
            got = course.attempt(temper, np.array(p, dtype=float), temperature)
        return course.numbers(got, f"one probability for each of the {len(p)} symbols", (len(p),))

    p = [0.6, 0.3, 0.1, 0.0]
    cold = at(p, 0.5)
    assert np.isfinite(cold).all(), "log 0 is -inf, and -inf less -inf is nan: what is impossible has to stay at 0"
    assert np.isclose(cold.sum(), 1), "the result must sum to one: divide by the sum of the powers"
    assert not np.allclose(cold, p), "to divide probabilities and normalise again changes nothing: take a power"
    assert cold[3] == 0, "what was impossible must stay impossible: 0 to any power is 0, and nothing is added"
    assert cold[0] > 0.6, "below 1 a temperature must sharpen: the power is 1 / temperature, not the temperature"
    assert np.isclose(cold[0] / cold[1], 4), "at 0.5 the odds 2 : 1 become 4 : 1: the power is 1 / 0.5"
    assert np.allclose(at(p, 1.0), p), "temperature 1 must change nothing"
    for temperature in (0.4, 0.7, 2.0, 3.0):
        got, odds = at(p, temperature), 2 ** (1 / temperature)
        assert got[0] > 0 and got[1] > 0, f"nothing but 0 or nan at {temperature}: {got}"
        assert np.isclose(got[0] / got[1], odds), (
            f"at {temperature} the odds 2 : 1 become 2 to the power {1 / temperature:.4g}, {odds:.3f} : 1, not "
            f"{got[0] / got[1]:.3f} : 1. 1 / temperature need not be a whole number"
        )
    frozen = at([1 / 2000] * 2000, 0.01)
    assert np.isfinite(frozen).all(), (
        "nan at 0.01: the 100th powers of small probabilities are too small for a float, so 0 / 0. By which number may "
        "you divide all of them first, since only their ratios matter?"
    )
    assert np.allclose(frozen, 1 / 2000), "2000 equally probable symbols stay equally probable, however cold it is"
    frozen = at([0.1, 0.4, 0.1, 0.4], 0.001)
    assert np.isfinite(frozen).all(), "nan at 0.001: large powers overflow. Divide by the *largest* probability first"
    assert np.allclose(frozen, [0, 0.5, 0, 0.5]), f"two favourites share what there is: not {frozen}"
    near = at([0.502, 0.498], 0.01)
    assert np.isclose(near[0], 0.6899, atol=1e-3), (
        f"at 0.01 a small difference counts much, but it is not all: 0.502 becomes 0.690, not {near[0]:.3f}"
    )
    near = at([0.5005, 0.4995], 0.002)
    assert np.isclose(near[0], 0.7311, atol=1e-3), f"at 0.002, too: 0.5005 becomes 0.731, not {near[0]:.3f}"
    hot = at([1.0 - 1e-300, 1e-300, 0.0], 100.0)
    assert hot[2] == 0, "hot or cold, what is impossible stays at exactly 0: add nothing to p"
    assert np.isclose(hot[1] / hot[0], 1e-3), (
        f"1e-300 is rare, not 0: at 100 its odds are 0.001, not {hot[1] / hot[0]:.3g}"
    )
    assert np.allclose(at([0, 0.3, 0.7], 1e6), [0, 0.5, 0.5], atol=1e-5), "very hot: all that is possible is alike"
    assert at([1.0], 0.3).tolist() == [1.0], "of one symbol it is certain at any temperature"
    assert np.allclose(at([0.0, 1.0, 0.0], 0.01), [0, 1, 0]), "what is certain stays certain"
    dice = np.random.default_rng(0)
    for temperature in (0.3, 1.7):
        p = dice.dirichlet(np.ones(6))
        assert np.allclose(at(at(p, temperature), 1 / temperature), p), (
            f"{temperature:.3g} and then {1 / temperature:.3g} must give back what was there, as powers do"
        )


check_temper(temper)

# %% tags=["raises-exception"]
chain = ngram.fit([text], len(codec.vocab), 5)
for temperature in (0.01, 0.3, 1.0, 3.0):
    rng, ids = np.random.default_rng(0), codec.encode("\n\nROMEO:\nI ")
    for _ in range(150):
        p = temper(chain.probabilities(ids[-5:]), temperature)
        ids.append(rng.choice(len(p), p=p))
    print(f"--- {temperature} ---{codec.decode(ids)}\n")


# %% [markdown]
# ## 01.4 · modify · 15 min · ●●○○○ · Mix the orders, and beat the chapter
#
# *Chapter 01: [3 · Letters](../chapters/01_concepts.ipynb#3-·-Letters)*
#
# The chapter's chain of order 8 knows a lot and panics where a context is new. Let each order ask the one below it
# (MacKay & Peto 1995, doi:10.1017/S1351324900000218): what order $k-1$ says counts as much as `strength` observations.
#
# Write `mix(counts, lower, strength)`. `counts`: (V,) how often each symbol followed this context, maybe all zero.
# `lower`: (V,) what the lower order believes, summing to one. `strength`: one number above 0. Returns (V,), summing to
# one.

# %% nbgrader={"grade": false, "grade_id": "01-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mix(counts, lower, strength):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_mix(mix):
    def at(counts, lower, strength):
        with np.errstate(all="ignore"):
            got = course.attempt(mix, np.array(counts), np.array(lower), strength)
        return course.numbers(got, f"one probability for each of the {len(lower)} symbols", (len(lower),))

    lower, few = [0.5, 0.3, 0.2], [3, 1, 0]
    none, some, many = at([0, 0, 0], lower, 4.0), at(few, lower, 4.0), at([3_000_000, 1_000_000, 0], lower, 4.0)
    assert np.isfinite(none).all(), "0 / 0 where the context was never seen: the strength belongs below the line too"
    assert np.isclose(some.sum(), 1), "the result must sum to one: divide by the number of counts plus the strength"
    assert np.allclose(none, lower), "with no counts at all the lower order must speak alone"
    assert some[2] > 0, "the third symbol is new here, but the lower order knows it: mix even where there are counts"
    assert np.allclose(many, [0.75, 0.25, 0], atol=1e-4), "a million counts must outvote the lower order, always"
    assert np.allclose(some, [0.625, 0.275, 0.1]), (
        f"with strength 4 and 4 counts each side has half of the say: [0.625, 0.275, 0.1], not {some}"
    )
    weak = at(few, lower, 1.0)
    assert not np.allclose(weak, some), "the strength is an argument: at 1 the lower order counts less than at 4"
    assert np.allclose(weak, [0.7, 0.26, 0.04]), f"strength 1, 4 counts: a fifth is the lower order's, not {weak}"
    half = at(few, lower, 0.5)
    assert np.allclose(half, [3.25 / 4.5, 1.15 / 4.5, 0.1 / 4.5]), f"a strength of 0.5 is no whole number; not {half}"
    strong = at(few, lower, 1e9)
    assert np.allclose(strong, lower), f"a huge strength leaves the say to the lower order: {lower}, not {strong}"
    two = at([0, 7], [1.0, 0.0], 3)
    assert np.allclose(two, [0.3, 0.7]), f"(0, 7) against (1, 0) with strength 3: (0.3, 0.7), not {two}"
    assert np.allclose(at([5], [1.0], 2.0), 1), "with one symbol only, it is certain"
    rare = at([0, 0, 9], [1e-300, 0.0, 1.0], 1.0)
    assert np.isclose(rare[0], 1e-301, rtol=1e-6, atol=0) and rare[1] == 0, (
        "what the lower order holds for rare stays rare, not 0"
    )
    dice = np.random.default_rng(0)
    for V, strength in ((2, 0.3), (5, 2.5), (9, 20.0)):
        counts, lower = dice.integers(0, 4, V), dice.dirichlet(np.ones(V))
        for n, q, got in zip(counts, lower, at(counts, lower, strength)):
            right = (n + strength * q) / (sum(counts) + strength)
            assert np.isclose(got, right), (
                f"{n} of {sum(counts)}, {q:.3f} below, strength {strength}: {right:.4f}, not {got}"
            )


check_mix(mix)

# %% tags=["raises-exception"]
chains = [ngram.fit([text], len(codec.vocab), k) for k in range(9)]
unread = codec.encode(data.shakespeare("validation")[:1000])
costs = np.zeros((9, len(unread) - 8))
for i in range(8, len(unread)):
    p = np.full(len(codec.vocab), 1 / len(codec.vocab))
    for k, chain in enumerate(chains):
        p = mix(chain.counts_after(unread[i - k : i]), p, 4.0)
        costs[k, i - 8] = -np.log2(p[unread[i]])
smoothed = [ngram.Markov(m.vocab, m.order, 0.1, m.grams, m.counts) for m in chains]
alone = [-chain.log_prob(unread).mean() / np.log(2) for chain in smoothed]
for k, cost in enumerate(costs.mean(1)):
    print(f"order {k}: alone {alone[k]:.2f}, mixed {cost:.2f}")
assert costs.mean(1).min() < min(alone)


# %% [markdown]
# ## 01.5 · modify · 20 min · ●●○○○ · The longest copy
#
# *Chapter 01: [6 · What introductions promise](../chapters/01_concepts.ipynb#6-·-What-introductions-promise)*
#
# The chapter counted short runs that stand in the book. Show the offender: write `longest_copy(sample, source)`, the
# longest run of characters of the sample that stands, side by side, in the source.
#
# Both are texts, of any length. Returns a text, empty if no character of the sample stands in the source; if several
# are equally long, any one of them. Spaces, line breaks and capitals are characters like others. Keep in mind that
# `in` on four million characters takes a millisecond: ask only for runs that would be longer than the best so far.

# %% nbgrader={"grade": false, "grade_id": "01-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def longest_copy(sample, source):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_longest_copy(longest_copy):
    def at(sample, source):
        got = course.attempt(longest_copy, sample, source)
        assert isinstance(got, str), f"return the run of letters itself, a text, not {got!r}"
        of = f"{sample!r} and {source!r}" if len(sample + source) < 90 else f"a sample of {len(sample)} letters"
        assert got in source, f"{got!r} is not in the source in one piece: its letters must stand side by side ({of})"
        assert got in sample, f"{got!r} is not in the sample in one piece: its letters must stand side by side ({of})"
        return got

    source = "the quality of mercy is not strained"
    got = at("a city of mercy, it is not so", source)
    assert got != "a", "a copy may begin anywhere in the sample, not only with its first letter"
    assert got.strip() != "of mercy", "compare letters, not words: a copied word may have lost its beginning"
    assert got != "ity of merc", "one letter is missing at the end: stop after the last letter that still fits"
    assert got != "ty of mercy", "its beginning is missing: it begins *before* the place where the copy 'it' breaks off"
    assert got == "ity of mercy", f"the longest copy is 'ity of mercy', not {got!r}"
    assert at("XYZ", source) == "", "nothing of XYZ is in the source: the longest copy is empty"
    assert at(source, source) == source, "a sample that is the source is one long copy"
    assert at("", source) == at("abc", "") == at("", "") == "", "where one of the two is empty, so is the copy"
    assert at("b of c", "x of y") == " of ", "spaces are characters, too: ' of ' has four"
    assert at("TO BE", "to be") == " ", "capitals are other characters: of 'TO BE' only the space stands in 'to be'"
    assert at("a.c*", "abc a.c* x") == "a.c*", "a dot and a star are characters like others, no patterns"
    got = at("bababc", "babc")
    assert got == "babc", (
        f"of 'bababc' the run 'babc' stands in 'babc', not only {got!r}: the next copy may begin *before* the place "
        "where the last one broke off"
    )
    assert at("abcxdefg", "abcdefg") == "defg", "no letter may be jumped over, neither in the sample nor in the source"
    assert at("abcdefg", "abcxdefg") == "defg", "no letter may be jumped over, neither in the sample nor in the source"
    dice = np.random.default_rng(0)
    for case in range(240):
        letters, longest = ("ab", 8) if case < 120 else ("abc \n", 14)
        sample, source = ("".join(dice.choice(list(letters), dice.integers(longest))) for _ in range(2))
        got = at(sample, source)
        longer = {sample[i : i + len(got) + 1] for i in range(len(sample) - len(got))}
        better = sorted(run for run in longer if run in source)
        assert not better, f"of {sample!r} the run {better[0]!r} stands in {source!r}, and is longer than {got!r}"
    source, copied = "".join(dice.choice(list("abc"), 900)), "".join(dice.choice(list("abc"), 40))
    source = source[:500] + copied + source[500:]
    got = at("d" + copied + "dabc", source)
    assert got == copied, f"40 letters of a long source were copied, not {len(got)}: frequent letters count too"


check_longest_copy(longest_copy)

# %% tags=["raises-exception"]
for k in (4, 6, 8):
    chain = ngram.fit([text], len(codec.vocab), k)
    sample = codec.decode(chain.sample(400, np.random.default_rng(0), codec.encode("\n\nROMEO:\nI ")))
    print(f"order {k}: {longest_copy(sample, plays)!r}")

# %% [markdown]
# ## 01.6 · investigate · 25 min · ●●●○○ · What is a leak worth?
#
# *Chapter 01: [5 · Notes](../chapters/01_concepts.ipynb#5-·-Notes)*
#
# Bach harmonised some tunes more than once. If we deal the melodies at random into training and test, a tune can
# stand on both sides, and the chain is examined on what it was taught. Write `without_leak(train, test, run)`: the
# melodies of `train` that share no run of `run` **steps** (intervals) with any melody of `test`, wherever in the two it
# stands.
#
# `train`, `test`: lists, maybe empty, of melodies; a melody is an array (N,) of pitches, N at least 1. `run`: 1 or
# more. A melody with fewer than `run` steps shares none. Returns a list: a part of `train`, in its order, as it was.
#
# Before you run the experiment below, predict: does the leak flatter all orders alike? Which order will look best with
# it, and which without?

# %% tags=["prediction"]
guess_01_6 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "01-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def without_leak(train, test, run):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_without_leak(without_leak):
    def at(train, test, run):
        """The names of the melodies that are left. train: {name: pitches}."""
        got = course.attempt(without_leak, [np.array(line) for line in train.values()], [*map(np.array, test)], run)
        names = {tuple(line): name for name, line in train.items()}
        try:
            left = [tuple(int(pitch) for pitch in line) for line in list(got)]
        except (TypeError, ValueError):
            raise AssertionError(f"return a list of melodies, each as it stands in `train`, not {got!r}") from None
        strange = [line for line in left if line not in names]
        assert not strange, f"return a part of `train`, not of the test, each melody with its pitches: not {strange[0]}"
        return [names[line] for line in left]

    tune = [67, 69, 71, 72, 71, 74, 72, 69, 71, 67, 66, 67, 64, 65, 67, 72]
    other = [60, 62, 64, 60, 62, 64, 65, 67, 65, 64, 62, 60, 59, 60, 62, 60]
    new = [72, 71, 69, 67, 65, 64, 62, 60, 72, 60, 72, 60, 72]
    train = {"other": other, "tune": tune, "higher": [p + 5 for p in tune], "begun": [60, 61, *tune[2:]]}
    left = at({**train, "eight notes": tune[:8] + other}, [tune, new], 10)
    assert "tune" not in left, "the tune itself is still there: drop what shares a run with the test"
    assert "other" in left, "everything is gone: common notes are no leak, common runs of `run` steps are"
    assert "begun" not in left, "a tune with another beginning is still there: compare runs, not whole melodies"
    assert "higher" not in left, "a tune sung higher is the same tune: compare steps, not pitches"
    assert "eight notes" in left, "eight notes in common make seven steps, fewer than a run of ten: keep that melody"
    assert left == ["other", "eight notes"], f"what is left stays in the order of `train`; not {left}"
    assert at(train, [new, tune], 10) == ["other"], "the tune may be any melody of the test, not only the first"
    sung = lambda steps: [int(pitch) for pitch in 67 + np.cumsum([0, *steps])]
    shared = [1, 3, 2, 4, 1, 1, 2, 3, 4, 2, 1, 4]
    for run, before, after in product((1, 2, 5, 10), (0, 2), (0, 3)):
        line = lambda step, shift, n, after=after: sung([step] * shift + shared[:n] + [step] * after)
        for n in (run - 1, run, run + 1):
            given = {"melody": line(-2, before, n), "free": sung([9] * 14)}
            left = at(given, [line(-1, 2 - before, n)], run)
            where = f"{before} other steps before it in one, {2 - before} in the other, {after} after it"
            assert "free" in left, "a melody that shares no step with the test stays"
            if n < run:
                assert "melody" in left, f"{n} steps in common are fewer than {run}: keep that melody ({where})"
            else:
                assert "melody" not in left, f"{n} steps in common are a run of {run}: drop that melody ({where})"
    mirrored = {"mirror": [140 - p for p in tune], "backwards": tune[::-1]}
    assert at(mirrored, [tune], 5) == [*mirrored], "a mirrored tune, or one from the end, has other steps: keep both"
    halves = [tune[:8], tune[8:]]
    assert at({"tune": [50, *tune[4:12], 50]}, halves, 5) == ["tune"], "a run ends where a melody of the test ends"
    given = {"a": sung([-2, 2, 1]), "b": sung([12, 2, 1]), "c": sung([2, 21])}
    assert at(given, [sung([2, 2, 1])], 3) == [*given], "2 is neither -2 nor the end of 12: compare numbers, not digits"
    low, high = sung([-2, 2, 1]), sung([12, 2, 1])
    assert at({"d": sung([2, 2, 1])}, [low, high], 3) == ["d"], (
        "2 is neither -2 nor the end of 12: compare numbers, not digits"
    )
    short = {"one note": [60], "two notes": [60, 62]}
    assert at(short, [[60], [60, 62]], 2) == [*short], "melodies with fewer than `run` steps share no run: keep them"
    assert at(train, [], 3) == [*train] and at({}, [tune], 3) == [], (
        "without test or training melodies nothing is shared"
    )
    twice = course.attempt(without_leak, [np.array(other), np.array(other)], [np.array(tune)], 10)
    assert len(list(twice)) == 2, "a melody that stands twice in `train` is left twice: only the test matters"


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
with_leak, without = table[:, 0], table[:, 2]
print("flattery by order:", (without - with_leak).round(2))
print(f"looks best: order {with_leak.argmin()} with, {without.argmin()} without; you said: {guess_01_6}")
assert (table[2:, 2] > table[2:, 1]).all()  # what goes is not the amount, it is the answers
assert with_leak.argmin() == 3 and without.argmin() == 2 and abs(table[:, 1] - with_leak).max() < 0.1
assert without[0] - with_leak[0] < 0.02 and 0.9 < without[5] - with_leak[5] < 1


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# What comes out: the leak flatters the long memories. At order 0 it is worth nothing, at order 5 almost a bit per
# note, because the longer the run, the more surely it is the tune itself. It is not the amount: as many melodies
# *with* the leak cost a few hundredths of a bit. And a leak does more harm than to make figures too good. It chooses
# the wrong model: order 3 looks best with it, order 2 is best without.
#
# </details>

# %% [markdown]
# ## 01.7 · investigate · 15 min · ●●○○○ · Does sharpening amplify a bias?
#
# *Chapter 01: [6 · What introductions promise](../chapters/01_concepts.ipynb#6-·-What-introductions-promise)*
#
# Many systems write at a temperature below 1, because it reads better. Suppose that a model says *he* with a share
# of 0.75 and *she* with 0.25. At which temperature does the share of *he* become 0.9?
#
# Write `temperature_for(share, wanted)`. Both are numbers between 0 and 1, on the same side of 1/2, be they close to
# the end, as 1e-9 is. Returns one number above 0, exact but for rounding. Pencil first: 0.75 is 3 : 1, and 0.9 is 9 :
# 1. A power of two probabilities is a power of their odds.

# %% nbgrader={"grade": false, "grade_id": "01-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def temperature_for(share, wanted):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_temperature_for(temperature_for):
    def at(share, wanted):
        with np.errstate(all="ignore"):
            got = course.attempt(temperature_for, share, wanted)
        return float(course.numbers(got, "one number, the temperature", ()))

    t = at(0.75, 0.9)
    assert not np.isclose(t, 0.75 / 0.9), "a temperature works on odds, not on shares: 0.75 is 3 : 1 and 0.9 is 9 : 1"
    assert not np.isclose(t, np.log(0.75) / np.log(0.9)), "take the logarithm of the odds p / (1 - p), not of the share"
    assert not np.isclose(t, 3 / 9), "odds are raised to a power, so compare their logarithms, not the odds themselves"
    assert t < 1, "a majority grows when the temperature is below 1: is your fraction upside down?"
    assert t > 0, f"a temperature is above 0, not {t}"
    assert np.isclose(t, 0.5), f"3 : 1 becomes 9 : 1 by squaring, which is temperature 1 / 2, not {t}"
    assert np.isclose(at(0.9, 0.75), 2), (
        f"and back: temperature 2 takes the square root of the odds, not {at(0.9, 0.75)}"
    )
    for share, wanted, right in ((0.25, 0.1, 0.5), (0.1, 0.25, 2)):
        t = at(share, wanted)
        assert np.isclose(t, right), (
            f"a minority of {share} becomes {wanted} at the temperature at which {1 - share} becomes {1 - wanted}, "
            f"{right}, not {t}"
        )
    assert np.isclose(at(0.8, 0.8), 1), "what stays as it is, stays so at temperature 1"
    pairs = [
        (0.6, 0.99),
        (0.97, 0.55),
        (0.03, 0.2),
        (0.2, 0.03),
        (0.501, 0.999),
        (0.999, 0.501),
        (0.4, 1e-9),
        (1e-9, 0.4),
    ]
    pairs += [(1e-12, 1e-3), (1e-3, 1e-12), (1 - 1e-6, 0.7), (0.7, 1 - 1e-6)]
    for share, wanted in pairs:
        t = at(share, wanted)
        words = f"from {share} to {wanted}: a finite temperature above 0, not {t}"
        assert np.isfinite(t) and t > 0, words
        grown = (1 / share - 1) ** (1 / t)  # the odds against it, at this temperature
        assert np.isclose(grown, 1 / wanted - 1, rtol=1e-4, atol=0), (
            f"at {t:.4g} a share of {share} is {1 / (1 + grown):.4g}, not {wanted}"
        )


check_temperature_for(temperature_for)

# %% tags=["raises-exception"]
for wanted in (0.6, 0.9, 0.99):
    print(f"a share of 0.75 becomes {wanted} at temperature {temperature_for(0.75, wanted):.2f}")


# %% [markdown]
# ## 01.8 · build · 40 min · ●●●○○ · A tune that keeps rules
#
# *Chapter 01: [5 · Notes](../chapters/01_concepts.ipynb#5-·-Notes)*
#
# The chapter's singer has no home, and nobody can tell it a rule. Build one that can be told: it proposes only what the
# rules allow, it says when it is stuck, and, in the last step, it looks ahead so that it never is.
#
# First `restrict(p, allowed)`: the distribution `p` (V,), when only the symbols may be drawn for which `allowed`
# (V,), of True and False, says yes. Returns (V,), summing to one, in which the allowed symbols keep their ratios. If
# nothing is left that has a probability above 0, raise a ValueError.

# %% nbgrader={"grade": false, "grade_id": "01-8", "locked": false, "schema_version": 3, "solution": true, "task": false}
def restrict(p, allowed):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-8-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_restrict(restrict):
    def at(p, allowed):
        with np.errstate(all="ignore"):
            got = course.attempt(restrict, np.array(p, dtype=float), np.array(allowed, dtype=bool))
        return course.numbers(got, f"one probability for each of all {len(p)} symbols", (len(p),))

    got = at([0.4, 0.1, 0.2, 0.3], [True, False, True, False])
    assert got[1] == got[3] == 0, f"what is not allowed gets 0, exactly: not {got}"
    assert np.isclose(got.sum(), 1), f"what is left must sum to one, not to {got.sum():.3f}: normalise again"
    assert np.isclose(got[0] / got[2], 2), "0.4 and 0.2 stay 2 : 1: the rules do not change what is preferred"
    assert np.allclose(got, [2 / 3, 0, 1 / 3, 0]), f"(2/3, 0, 1/3, 0), not {got}"
    assert np.allclose(at([0.5, 0.2, 0.3], [True] * 3), [0.5, 0.2, 0.3]), "where all is allowed, nothing changes"
    assert np.allclose(at([0.0, 0.4, 0.6], [True, True, False]), [0, 1, 0]), "what the chain does not know stays at 0"
    got = at([1e-300, 3e-300, 1.0], [True, True, False])
    assert np.allclose(got, [0.25, 0.75, 0]), (
        f"what is left may be rare: 1e-300 and 3e-300 become 1/4 and 3/4, not {got}"
    )
    assert at([1.0], [True]) == 1, "of one symbol that is allowed it is certain"
    for p, allowed, why in (
        ([0.4, 0.6], [False, False], "nothing is allowed"),
        ([0.0, 1.0], [True, False], "only a symbol of probability 0 is allowed"),
    ):
        words = f"{why}: raise a ValueError, so that it can be noticed"
        try:
            got = restrict(np.array(p), np.array(allowed))
        except ValueError:
            continue
        except Exception as error:
            raise AssertionError(f"{words}; this was a {type(error).__name__}") from error
        raise AssertionError(f"{words}; instead {got} came back")


check_restrict(restrict)


# %% [markdown]
# Then `walk(speak, rules, start, length, rng)`, which draws symbol after symbol. `speak(line)` gives the
# probabilities (V,) of what comes after the list `line`. `rules` is a list, maybe empty, of functions: `rule(line,
# symbol)` is True if the rule allows this symbol, 0 to V-1, after this line; a symbol needs the consent of all. Begin
# with the symbols of the list `start`, add `length` of them, drawn with the generator `rng`, and stop early where
# `restrict` is stuck. Returns the line as a list, `start` included, and whether it got stuck: True or False.

# %% nbgrader={"grade": false, "grade_id": "01-8-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def walk(speak, rules, start, length, rng):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-8-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_walk(walk):
    def at(speak, rules, start, length, rng=0):
        rng = np.random.default_rng(rng) if rng == 0 else rng
        got = course.attempt(walk, lambda line: np.array(speak(list(line)), dtype=float), rules, start, length, rng)
        words = f"return the line and whether it got stuck, not {got!r}"
        assert isinstance(got, (tuple, list)) and len(got) == 2, words
        assert isinstance(got[1], (bool, np.bool_)), f"stuck is True or False, not {got[1]!r}"
        line = course.numbers(got[0], "the line is a list of symbols", (getattr(got[0], "__len__", int)(),))
        return [int(symbol) for symbol in line], bool(got[1])

    alike = lambda line: [0.25] * 4
    assert at(alike, [], [2, 1], 0) == ([2, 1], False), "of length 0: the start, as it was given, and not stuck"
    line, stuck = at(alike, [], [2, 1], 30)
    assert line[:2] == [2, 1], f"the line begins with its start, [2, 1], not {line[:2]}"
    assert len(line) == 32, f"30 symbols after a start of 2: a line of 32, not of {len(line)}"
    assert not stuck, "without rules nothing can be stuck"
    assert set(line) == {0, 1, 2, 3}, f"all four symbols are equally probable, but only {sorted(set(line))} were drawn"
    other = lambda line, symbol: symbol != line[-1]
    line, stuck = at(alike, [other], [0], 60)
    assert not stuck and len(line) == 61, "three of four symbols are allowed at each place: nothing is stuck here"
    assert all(a != b for a, b in zip(line, line[1:])), f"the rule forbids to repeat a symbol, at every place: {line}"
    rising = lambda line, symbol: symbol >= line[-1]
    line, stuck = at(alike, [other, rising], [0], 60)
    assert line == sorted(set(line)), f"all rules hold together, here: always higher; not {line}"
    assert stuck, "above 3 there is nothing higher: it is stuck there, and should say so"
    assert line[-1] == 3, "stuck only where nothing at all is allowed, and the line ends there"
    new = lambda line, symbol: symbol not in line
    line, stuck = at(alike, [new], [1], 3)
    assert sorted(line) == [0, 1, 2, 3], f"a rule sees the whole line, the start too: each symbol once, not {line}"
    long = at(alike, [rising, other], [0, 1, 2, 3], 2)
    assert long == ([0, 1, 2, 3], True), (
        f"a start of four, and nothing may follow it: stuck, however long the line is already; not {long}"
    )
    assert not stuck, "all that was asked for was written: to have nothing left afterwards is not to be stuck"
    assert at(lambda line: [0.0, 1.0], [lambda line, symbol: symbol == 0], [1], 5) == ([1], True), (
        "what the rule allows has probability 0: stuck at once, the line is the start"
    )
    count = lambda line: np.eye(5)[sum(line) % 5]
    assert at(count, [], [1, 2], 3)[0] == [1, 2, 3, 1, 2], (
        "`speak` has to be asked again for each symbol, with all the line"
    )
    rare = lambda line: [0.5, 0.1, 0.4]
    line, _ = at(rare, [lambda line, symbol: symbol > 0], [0], 1500)
    share = np.mean(np.array(line[1:]) == 2)
    assert abs(share - 0.8) < 0.05, f"of 0.1 and 0.4 the second is drawn in 80%, by `restrict`, not in {share:.0%}"
    rng = np.random.default_rng(3)
    first, second = (at(alike, [], [0], 20, rng) for _ in range(2))
    assert first != second, "two walks in a row with the same generator differ: draw with the `rng` that is given"


check_walk(walk)


# %% [markdown]
# A rule for the end, "the last note is G", comes too late: where G is out of reach, the walk is stuck one note
# before. Who wants to come home must know on the way from where home can still be reached. Write `homeward(moves,
# home, length)`. `moves` (V, V), of True and False: whether symbol b may follow symbol a is `moves[a, b]`. Returns
# (length + 1, V) of True and False: in row r, column a, whether a walk that stands at a can be at `home` after
# *exactly* r more symbols. No need to try walks: row r + 1 follows from row r.

# %% nbgrader={"grade": false, "grade_id": "01-8-c", "locked": false, "schema_version": 3, "solution": true, "task": false}
def homeward(moves, home, length):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-8-c-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_homeward(homeward):
    def at(moves, home, length):
        moves = np.array(moves, dtype=bool)
        shape = (length + 1, len(moves))
        got = course.attempt(homeward, moves, home, length)
        got = course.numbers(got, f"a row for each number of symbols from 0 to {length}: the shape {shape}", shape)
        assert np.isin(got, (0, 1)).all(), f"True or False, not how many ways there are: {got}"
        return got.astype(bool).tolist()

    T, F = True, False
    got = at([[F, T, F], [F, F, T], [F, F, T]], 2, 3)  # 0 to 1 to 2, and there it may stay
    assert got[0] == [F, F, T], f"with no symbol to come, only home is home: [False, False, True], not {got[0]}"
    assert got[1] != [F, F, F], "one symbol from home is symbol 1: from it home may follow"
    assert got[1] == [F, T, T], f"`moves[a, b]`: b follows a. To 2 one comes from 1 and from 2 itself, not {got[1]}"
    assert got[2:] == [[T, T, T]] * 2, f"in two and in three symbols 2 is reached from everywhere, not {got[2:]}"
    got = at([[F, T], [T, F]], 0, 4)  # to and fro
    assert got == [[T, F], [F, T]] * 2 + [[T, F]], (
        f"to and fro: *exactly* r symbols, so home is odd, away is even; {got}"
    )
    got = at([[T, F], [T, F]], 1, 2)
    assert got == [[F, T], [F, F], [F, F]], (
        f"nothing leads to 1, so it is home only for who stands there already; {got}"
    )
    assert at([[F]], 0, 2) == [[T], [F], [F]], "one symbol that may not be repeated: home at once or never"
    assert at([[T, T], [T, T]], 1, 0) == [[F, T]], "length 0: one row"
    lost = [r for r, row in enumerate(at([[T, T], [T, T]], 1, 70)) if r and row != [T, T]]
    assert not lost, (
        f"two symbols, and each may follow each: home is reached in {lost[0]}, too. There are more walks than a whole "
        "number of the machine holds: ask whether there is one, do not count them"
    )
    dice = np.random.default_rng(0)
    for V, length in ((2, 4), (3, 4), (4, 3), (5, 2)) * 3:
        moves, home = dice.random((V, V)) < 0.4, int(dice.integers(V))
        for r, row in enumerate(at(moves, home, length)):
            walks = [w for w in product(range(V), repeat=r + 1) if all(moves[a, b] for a, b in zip(w, w[1:]))]
            for a in range(V):
                ways = [w for w in walks if w[0] == a and w[-1] == home]
                assert row[a] == bool(ways), (
                    f"from {a} to {home} in {r}: {ways[0] if ways else 'no walk'}, not {row[a]}"
                )


check_homeward(homeward)

# %% tags=["raises-exception"]
LOW, HOME, NOTES, LEAP = 60, 7, 24, 4  # middle C; G above it; notes in all; semitones
tunes = [p.notes[p.notes[:, VOICE] == 0, PITCH].astype(int) - LOW for p in data.chorales("train")]
singer = ngram.fit([tune for tune in tunes if 0 <= tune.min() and tune.max() < 22], 22, 2, alpha=0.1)
distance = abs(np.subtract.outer(range(22), range(22)))
moves = (0 < distance) & (distance <= LEAP)
ahead = homeward(moves, HOME, NOTES)
small = lambda line, symbol: moves[line[-1], symbol]
late = lambda line, symbol: len(line) + 1 < NOTES or symbol == HOME
early = lambda line, symbol: ahead[NOTES - len(line) - 1, symbol]
rng = np.random.default_rng(0)
for name, rules in (("a rule for the last note", [small, late]), ("looking ahead", [small, early])):
    walks = [walk(singer.probabilities, rules, [7, 9], NOTES - 2, rng) for _ in range(100)]
    print(f"{name}: {sum(stuck for _, stuck in walks)} of {len(walks)} tunes got stuck")
    if early not in rules:
        assert 35 < sum(stuck for _, stuck in walks) < 65
assert not any(stuck for _, stuck in walks)
pitch = np.array(walks[0][0]) + LOW
beat = np.where(np.arange(NOTES) % 8 == 7, 8, 4)  # every eighth note is long
zeros = np.zeros(NOTES, int)
song = np.stack([zeros, beat.cumsum() - beat, beat, pitch, zeros + 80], 1).astype(np.int16)
show.roll(song, alt="A generated melody that begins on the G above middle C and comes back to it with its last note.")
show.audio(song)

# %% tags=["raises-exception"]
# The same sampler writes letters, by the rule of an old game: no e. This chain adds nothing to its counts, so it may
# run into a place where every word that it knows goes on with an e.
letters = ngram.fit([text], len(codec.vocab), 5)
no_e = lambda line, symbol: codec.vocab[symbol] not in "eE"
for seed in range(3):
    ids, stuck = walk(letters.probabilities, [no_e], codec.encode("\n\nROMAN:\nI "), 120, np.random.default_rng(seed))
    print(repr(codec.decode(ids)), "... stuck" if stuck else "")


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# What comes out: a rule for the last note alone loses about half of the tunes, and who looks ahead loses none. But
# these are not the tunes that one would get by letting the chain sing until a tune happens to keep the rules. There a
# road on which few tunes come home is taken rarely. Here the sampler enters it as gladly as before, and is then led
# home by the few ways that are left: to forbid step by step is not the same as to wait for the right tune. (With all
# the letters of a memory of five, looking ahead would need a table of contexts, not of symbols, and so the texts do
# get stuck.)
#
# </details>

# %% [markdown]
# ## 01.9 · debug · 20 min · ●●●○○ · Too good
#
# *Chapter 01: [2 · What it is to learn a distribution](../chapters/01_concepts.ipynb#2-·-What-it-is-to-learn-a-distribution)*
#
# `reader` is a chain that learns while it reads: each symbol is predicted from what followed the same `k` symbols
# before, as in (1.2), and counted. It returns the bits per symbol, (1.3), of `ids`, a list of more than `k` numbers
# from 0 to V-1; the first `k` are not predicted. Of the first thousand letters of Shakespeare it says, with `alpha`
# 0.1 and any memory from 2 to 8, that they cost about 2.7 bits each: after a thousand letters it is almost as good as
# the chapter's chains that have read four million.
#
# Is that too good? Measure: which bits per symbol does it find for 400 tosses of a *fair coin*, for `k` from 0 to 8?
# What does (1.4) say about that? Then write `mended`. The function with the bug stands above it.

# %% nbgrader={"grade": false, "grade_id": "01-9", "locked": false, "schema_version": 3, "solution": true, "task": false}
def reader(ids, V, k, alpha):
    counts, spent = {}, 0.0
    for i in range(k, len(ids)):
        followed = counts.setdefault(tuple(ids[i - k : i]), [alpha] * V)
        followed[ids[i]] += 1
        spent -= np.log2(followed[ids[i]] / sum(followed))
    return spent / (len(ids) - k)


def mended(ids, V, k, alpha):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-9-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_mended(mended):
    def at(ids, V, k, alpha):
        with np.errstate(all="ignore"):
            got = course.attempt(mended, [int(s) for s in ids], V, k, alpha)
        return float(course.numbers(got, "one number, the bits per symbol", ()))

    coins = np.random.default_rng(0).integers(0, 2, 400)
    for k in (0, 4, 8):
        got = at(coins, 2, k, 0.5)
        assert got > 0.99, (
            f"{got:.3f} bits for each toss of a fair coin, with k = {k}. Nobody can predict it at less than 1 bit: "
            "what does the reader know about a symbol at the moment when it predicts it?"
        )
        assert got < 3, f"{got:.1f} bits are not the mean of the symbols that were predicted"
    assert at([1, 0, 1, 1, 0, 1, 0, 1] * 20, 2, 2, 0.5) < 0.8, (
        "0 is always followed by 1 here, and nothing is learnt of it"
    )
    for k in (0, 1, 2):
        for before in product(range(2), repeat=k):
            total = sum(2 ** -(4 * at([*before, *word], 2, k, 0.7)) for word in product(range(2), repeat=4))
            assert total < 1.0001, (
                f"all texts of four symbols together have the probability {total:.3f}, more than 1 (k = {k})"
            )
            assert total > 0.9999, (
                f"all texts of four symbols together have the probability {total:.3f}, less than 1 (k = {k})"
            )
    got = at([0, 0], 2, 0, 1.0)
    assert np.isclose(got, (1 + np.log2(3 / 2)) / 2), (
        f"0 0, alpha 1: the chances are 1/2 and then 2/3: 0.792 bits, not {got:.3f}"
    )
    got = at([0, 0, 1], 2, 0, 1.0)
    assert np.isclose(got, np.log2(12) / 3), (
        f"0 0 1, alpha 1: 1/2, 2/3, 1/4, so log2(12) / 3 = 1.195 bits, not {got:.3f}"
    )
    got = at([0, 1, 0, 1], 3, 1, 0.5)
    assert np.isclose(got, np.log2(3 * 3 * 2.5 / 1.5) / 3), (
        f"0 1 0 1 of three symbols, k = 1: 1.302 bits, not {got:.3f}"
    )
    got = at([2, 2, 1, 2, 2, 1, 2, 2, 0], 4, 2, 0.25)
    assert np.isclose(got, 1.60, atol=0.2), f"memory of two, four symbols: about 1.6 bits, not {got:.3f}"
    got = at([1], 5, 0, 0.3)
    assert np.isclose(got, np.log2(5)), f"of a first symbol nothing is known: log2 5, not {got:.3f}"


check_mended(mended)

# %% tags=["raises-exception"]
coins = np.random.default_rng(1).integers(0, 2, 400).tolist()
for name, ids, V in (("400 coins", coins, 2), ("1000 letters", text[:1000].tolist(), len(codec.vocab))):
    print(f"{name:<14}" + "".join(f"k = {k}".rjust(8) for k in range(0, 9, 2)))
    for which in (reader, mended):
        print(f"  {which.__name__:<12}" + "".join(f"{which(ids, V, k, 0.1):8.2f}" for k in range(0, 9, 2)))
assert reader(coins, 2, 8, 0.1) < 0.36 and all(mended(coins, 2, k, 0.1) > 1 for k in range(9))
assert min(mended(text[:1000].tolist(), len(codec.vocab), k, 0.1) for k in range(2, 9)) > 5


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# What comes out: with the bug the coins cost less and less the longer the memory is, down to a third of a bit, and no
# model gets below $H(q)$, which is 1. A context that is new has a single count, that of the answer. A reader who is
# honest about coins pays more than 1 bit while it learns, most with a long memory, in which there is most to learn. And
# with the memories above a thousand letters of Shakespeare cost it five bits each, or six, not 2.7. A program that is tried on data whose
# entropy is known cannot hide this.
#
# </details>

# %% [markdown]
# ## 01.10 · challenge · 60 min · ●●●●● · A small memory
#
# *Chapter 01: [6 · What introductions promise](../chapters/01_concepts.ipynb#6-·-What-introductions-promise)*
#
# The chapter's longer memories were larger than their book. How well can one predict with only 3000 numbers? Write
# `remember(text, budget)`: a dictionary with at most `budget` entries, from a **gram** (a text of 1 to 9 characters)
# to a number above 0, say how often it stood in `text`. You choose which grams are worth an entry.
#
# Below, `score` reads unread plays with this dictionary: `memory["the"]` says how often e followed th; and if
# `memory["th"]` is larger than all that is known to follow th, the rest goes to the shorter context, by *your* `mix`
# from 01.4. The score is open: bits per character at 3000 entries, less is better. The check asks only for what any
# answer has to keep.

# %% nbgrader={"grade": false, "grade_id": "01-10", "locked": false, "schema_version": 3, "solution": true, "task": false}
def remember(text, budget):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "01-10-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_remember(remember):
    def at(text, budget):
        memory = course.attempt(remember, text, budget)
        assert isinstance(memory, dict), f"return a dictionary from grams to numbers, not {type(memory).__name__}"
        assert len(memory) <= budget, f"{len(memory)} entries are more than the budget of {budget}"
        for gram, n in memory.items():
            assert isinstance(gram, str), f"a gram is a text, not {gram!r}"
            assert 1 <= len(gram) <= 9, f"a gram has 1 to 9 characters, not {len(gram)}: {gram!r}"
            n = course.numbers(n, f"to {gram!r} belongs one number", ())
            assert 0 < n < np.inf, f"to {gram!r} belongs a finite number above 0, not {n}"
        strange = set("".join(memory)) - set(text)
        assert not strange, f"{sorted(strange)} never stood in the text: nothing can be remembered of it"
        return memory

    song = "row row row your boat gently down the stream " * 3
    assert at(song, 30), "the dictionary is empty: there is a budget of 30 entries"
    assert at(song, 5) and len(at("a", 3)) == 1, "a small budget, and a text of one letter, have their memory as well"
    other = at("01101001 10010110 " * 8, 12)
    assert other != at(song, 12), "another text, another memory: the text is an argument"
    assert len(at(song, 60)) > len(at(song, 8)), "with a larger budget more is remembered: the budget is an argument"


check_remember(remember)


# %% tags=["raises-exception"]
def score(memory, unread, strength=4.0):
    """Bits per character of the text `unread`."""
    V, after, spent = len(codec.vocab), {}, 0.0
    for gram, n in memory.items():
        after.setdefault(gram[:-1], np.zeros(V))[codec.place[gram[-1]]] += n
    rest = {context: max(0.0, memory.get(context, 0) - counts.sum()) for context, counts in after.items()}
    for i, character in enumerate(unread):
        p = np.full(V, 1 / V)
        for k in range(min(i, 8) + 1):
            if (context := unread[i - k : i]) in after:
                p = mix(after[context], p, strength + rest[context])
        spent -= np.log2(p[codec.place[character]])
    return spent / len(unread)


# %% tags=["raises-exception"]
library, unread = plays[:300_000], data.shakespeare("validation")[:4000]
ours = dict(Counter(library[i : i + n] for n in range(1, 5) for i in range(len(library))).most_common(3000))
yours = remember(library, 3000)
print(f"ours, the most frequent grams of 1 to 4 characters: {score(ours, unread):.2f} bits per character")
print(f"yours, {len(yours)} entries: {score(yours, unread):.2f}; the longest of them: {max(yours, key=len)!r}")
