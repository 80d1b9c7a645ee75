# %% [markdown]
# # 07 · Text in practice: exercises
#
# Run the first cell, then take the exercises in any order. *Verify*: write what the chapter derived. *Modify*: change
# it. *Investigate*: find out something that the chapter did not say. *Build*: put a whole thing together. *Debug*: find
# what is wrong by measuring. *Challenge*: an open score. No function changes what it is given. Each check tells you
# what it expected; when it is silent, you are done, and the cell below it plays with what you wrote.

# %%
import math
import time
from functools import cache
from itertools import combinations, product

import numpy as np
import torch

from aigc import course, data, released, sample
from aigc.codecs.text import CharCodec, train_bpe
from aigc.models import ngram

model, vocab = released.load("shakespeare")  # the trained model that comes with the course: its tokens are letters
codec = CharCodec(vocab)

# Of the letter after each letter of a text, (T, V), in nats:
next_logits = torch.inference_mode()(lambda text: model(torch.tensor([codec.encode(text)]))[0])


# %% [markdown]
# ## 07.1 · debug · 20 min · ●●○○○ · Eight texts that are one
#
# *Chapter 07: [5 · As Shakespeare would say it](../chapters/07_text.ipynb#5-·-As-Shakespeare-would-say-it)*
#
# `chorus(p, rng)` draws the next token for each text of a batch. Before it was used it was tested: 4,000 draws for one
# text, from the probabilities 1/2, 1/4, 1/4, gave each token as often as it should. Then somebody let it write eight
# texts and took the best. It was never better than one text alone.
#
# Measure what the test left out: draw often for **two** texts with these probabilities. How often do both get the same
# token in one call? Pencil first: how often should they? Then write `mended`. The function with the bug stands above it.
#
# `p`: (B, V) array of float64, each row sums to one up to rounding. `rng`: a NumPy generator, the only source of chance.
# Returns B tokens, whole numbers from 0 to V - 1: each row an independent draw from its own probabilities.

# %% nbgrader={"grade": false, "grade_id": "07-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def chorus(p, rng):
    u = rng.random()
    return np.array([np.searchsorted(row, u * row[-1], "right") for row in p.cumsum(1)])


def mended(p, rng):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "07-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_mended(mended):
    def at(p, rng):
        p = np.array(p)
        got = course.numbers(course.attempt(mended, p, rng), "a token for each text")
        assert got.shape == (len(p),), f"a token for each text, ({len(p)},), not {got.shape}"
        assert (got == np.floor(got)).all(), f"tokens are whole numbers, not {got[:3]}"
        assert (got >= 0).all() and (got < p.shape[1]).all(), f"tokens are 0 to {p.shape[1] - 1}, not {set(got)}"
        return got.astype(int)

    dice = np.random.default_rng(1)
    assert at([[1.0]], dice).tolist() == [0], "one token alone is always drawn"
    sure = at([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dice).tolist()
    assert sure == [1, 0, 2], f"where a row is sure, nothing is left to chance: [1, 0, 2], not {sure}"
    few, many = [[0.5, 0.25, 0.25]] * 2, [[0.5, 0.25, 0.25]] * 1500
    again = [at(many, np.random.default_rng(seed)).tolist() for seed in (5, 5, 6)]
    assert again[0] == again[1], "the same seed has to give the same tokens: draw all chance from `rng`"
    assert len({*again[0]}) > 1, "1500 texts, and all got the same token: still one throw for the whole batch"
    assert again[0] != again[2], "another seed, the same tokens: draw all chance from `rng`, do not seed it yourself"
    assert at(many, dice).tolist() != at(many, dice).tolist(), "a second call must go on with `rng`, not begin anew"
    share = np.bincount(at(many, dice), minlength=3) / 1500
    assert np.allclose(share, [0.5, 0.25, 0.25], atol=0.06), f"shares of 1/2, 1/4, 1/4 were expected, not {share}"
    pairs = np.array([at(few, dice) for _ in range(800)])
    same = (pairs[:, 0] == pairs[:, 1]).mean()
    assert abs(same - 0.375) < 0.07, f"two texts agree in {same:.0%} of the calls: independent ones in 3/8"
    shares = np.bincount(pairs[:, 1], minlength=3) / 800
    assert np.allclose(shares, [0.5, 0.25, 0.25], atol=0.07), f"the second text has the shares {shares.round(2)}"
    zeros = [np.sum(at([[0.5, 0.25, 0.25]] * 100, dice) == 0) for _ in range(50)]
    assert np.std(zeros) > 3, "token 0 comes nearly equally often in each batch: chance was shared out, not drawn"
    assert np.std(zeros) < 8, "token 0 comes now too often, now too seldom: the rows still hang together"
    mixed = at([[0.9, 0.1, 0.0, 0.0], [0.0, 0.1, 0.2, 0.7]] * 1000, dice).reshape(1000, 2)
    assert set(mixed[:, 0]) <= {0, 1} and 0 not in mixed[:, 1], (
        "a token of probability 0 was drawn: each row is its own"
    )
    last = np.mean(mixed[:, 1] == 3)
    assert abs(last - 0.7) < 0.06, f"each row has its own probabilities: token 3 should have 0.7, and has {last:.2f}"
    apart = np.mean((mixed[:, 0] == 0) & (mixed[:, 1] == 3))
    assert abs(apart - 0.63) < 0.06, f"rows of different probabilities hang together: 0.9 x 0.7 is not {apart:.2f}"


check_mended(mended)


# %% tags=["raises-exception"]
def eight(draw, length=24):
    """Eight texts after one prompt, each token drawn by `draw`."""
    ids, rng = torch.tensor([codec.encode("JULIET:\nO ")] * 8), np.random.default_rng(3)
    for _ in range(length):
        with torch.inference_mode():
            p = model(ids)[:, -1].double().softmax(-1).numpy()
        ids = torch.cat([ids, torch.as_tensor(np.array(draw(p, rng))).long()[:, None]], 1)
    return [codec.decode(row[-length:]) for row in ids]


written = {draw.__name__: eight(draw) for draw in (chorus, mended)}
for name, texts in written.items():
    print(f"{name}: {len(set(texts))} different texts of eight, such as", *map(repr, texts[:2]))

# %% tags=["raises-exception"]
assert len(set(written["chorus"])) == 1 and len(set(written["mended"])) == 8


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# Each text of the first batch is a fair draw, and no test of one text alone finds anything. What was wrong stands
# *between* the texts. Whatever needs many draws (the best of n, a vote, an estimate with its error) gets one draw, many
# times.
#
# </details>

# %% [markdown]
# ## 07.2 · verify · 15 min · ●●○○○ · The nucleus
#
# *Chapter 07: [2 · One draw](../chapters/07_text.ipynb#2-·-One-draw)*
#
# Write `nucleus(p, top_p)`, a line of equation (7.2): keep the fewest most probable tokens whose probabilities sum to
# **at least** `top_p`; all others get 0; what is kept is normalised again (Holtzman et al. 2020, arXiv:1904.09751).
# Where equal tokens compete for the last place, any of them will do. At `top_p` 1 every token stays, whatever the
# rounded sums of a computer say.
#
# `p`: (V,) tensor, summing to one up to rounding, in the order of the vocabulary. `top_p`: above 0, at most 1. Returns
# (V,), in the same order. Pencil first: which of 1/16, 1/2, 3/16, 1/4 stay at `top_p` 0.7, which at 0.75, and which at
# 0.8?

# %% nbgrader={"grade": false, "grade_id": "07-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nucleus(p, top_p):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "07-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_nucleus(nucleus):
    def at(p, top_p):
        p = torch.as_tensor(p)
        got = course.numbers(course.attempt(nucleus, p, top_p), "a probability for each token")
        shape = tuple(p.shape)
        assert got.shape == shape, f"a place for each token, with 0 where it was dropped: {shape}, not {got.shape}"
        return got

    p = [1 / 16, 1 / 2, 3 / 16, 1 / 4]
    most, exact, flat = at(p, 0.7), at(p, 0.75), at([1 / 8] * 8, 0.5)
    assert (flat > 0).any(), "of eight equal tokens none holds a half alone, but four do together: add them up"
    assert (flat > 0).sum() < 8, "eight equal tokens are all kept, and four hold a half: the threshold is for a sum"
    assert not np.allclose(most, [2 / 3, 1 / 3, 0, 0]), "put each token back to its place: this is sorted"
    assert not (most[0] > 0 and most[3] == 0), "1/16 is kept and 1/4 is dropped: sort before you add up"
    assert np.isclose(np.nansum(most), 1), "what is kept must sum to one: divide by what it holds together"
    assert most[3] > 0, "1/2 alone is less than 0.7: the token with which the sum gets there belongs to the nucleus"
    assert (exact > 0).sum() == 2, "1/2 and 1/4 hold 0.75, which is at least 0.75: a third token is too many"
    assert np.allclose(most, [0, 2 / 3, 0, 1 / 3]), f"1/2 and 1/4 stay, as 2/3 and 1/3: not {most}"
    assert (flat > 0).sum() == 4, f"four of eight equal tokens hold a half, but {(flat > 0).sum()} were kept"
    assert np.allclose(at(p, 0.1), [0, 1, 0, 0]), "the most probable token always stays"
    assert np.allclose(at([1.0], 0.5), [1]) and np.allclose(at([0.0, 1.0, 0.0], 0.9), [0, 1, 0]), "sure is sure"
    assert np.allclose(at(p, 1.0), p), "top_p = 1 must keep everything as it is"
    dice = torch.Generator().manual_seed(0)
    for V in (2, 5, 60) * 8:
        q = (3 * torch.randn(V, generator=dice, dtype=torch.float64)).softmax(0)
        top_p = 0.05 + 0.9 * torch.rand((), generator=dice).item()
        got, q = at(q, top_p), q.numpy()
        kept = got > 0
        case = f"{V} tokens, top_p = {top_p:.3f}"
        assert kept.any() and q[kept].min() >= q[~kept].max(initial=0), f"{case}: a kept token is below a dropped one"
        held = q[kept].sum()
        assert held >= top_p, f"{case}: what is kept holds only {held:.3f}"
        assert held - q[kept].min() < top_p, f"{case}: {kept.sum()} tokens are kept, and fewer would do"
        assert np.allclose(got, q * kept / held), f"{case}: what is kept is divided by what it holds together"
    rows = (5 * torch.randn(97, 60, generator=dice)).softmax(1)  # rounded, many of them do not sum to 1
    fewest = min((at(row, 1.0) > 0).sum() for row in rows)
    assert fewest > 10, f"top_p = 1 must keep all 60, not {fewest}: what if the rounded sum never reaches 1?"
    assert fewest == 60, f"top_p = 1 must keep all 60, not {fewest}: what if the rounded sum reaches 1 too soon?"
    rare = torch.tensor([1.0, 1e-9, 1e-30, 1e-300], dtype=torch.float64)
    assert (at(rare, 1.0) > 0).all(), "top_p = 1 must keep all, even 1e-300: the rounded sum reaches 1 too soon"


check_nucleus(nucleus)

# %% tags=["raises-exception"]
line = "But, soft! what light through yonder window breaks?"
p = next_logits("ROMEO:\n" + line).softmax(-1)[-len(line) - 1 : -1]  # row t: what may stand at place t of the line
size = [int((torch.as_tensor(nucleus(row, 0.9)) > 0).sum()) for row in p]
print(line)
print("".join(str(min(n, 9)) for n in size), " letters in the nucleus of 0.9; 9 stands for 9 or more")

# %% tags=["raises-exception"]
first = [n for n, before in zip(size, " " + line) if before == " "]  # of the words' first letters
later = [n for n, before, here in zip(size, " " + line, line) if before.isalpha() and here.isalpha()]
assert np.mean(first) > 2 * np.mean(later)  # where a word begins much is possible, inside it little
assert all(np.allclose(nucleus(row, 0.9), sample.nucleus(row, 0.9), atol=1e-6) for row in p)


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# A fixed number of letters, as top-k keeps, would be too few at the first letter of a word and too many at its last.
#
# </details>

# %% [markdown]
# ## 07.3 · verify · 10 min · ●○○○○ · Perplexity per word
#
# *Chapter 07: [6 · Less than a minute of training](../chapters/07_text.ipynb#6-·-Less-than-a-minute-of-training)*
#
# Two models with different tokenizers cut the same text into different numbers of tokens, and the one with the shorter
# tokens has the easier guesses. Words are the same for both. Write `word_perplexity(nats, words)`: add up what the whole
# text costs, share it out over its words, and take the exponential.
#
# `nats`: (N,) array, the surprise $-\ln p$ of each token, from one token to many thousands. `words`: how many words the
# text has, 1 or more. Returns one number. Pencil first: a text of two words was cut into three tokens with the
# probabilities 1/2, 1/8 and 1/4.

# %% nbgrader={"grade": false, "grade_id": "07-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def word_perplexity(nats, words):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "07-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_word_perplexity(word_perplexity):
    def at(nats, words):
        far = f"{len(nats)} tokens are too many for a product: add their nats, and take one exponential at the end"
        try:
            with np.errstate(all="ignore"):
                got = course.numbers(course.attempt(word_perplexity, np.array(nats), words), "one number")
        except ArithmeticError:
            raise AssertionError(far) from None
        assert got.ndim == 0, f"one number for the whole text, not the shape {got.shape}: add up its tokens"
        assert np.isfinite(got) and (got > 0 or len(nats) < 100), far
        return float(got)

    got = at(np.log([2.0, 8.0, 4.0]), 2)
    assert not np.isclose(got, 2 ** (np.log(64) / 2)), "nats are powers of e, bits are powers of 2: these are nats"
    assert not np.isclose(got, 4), "this is the perplexity per token: share the sum out over the words"
    assert not np.isclose(got, 14 / 3) and not np.isclose(got, 7), "first add up, then take one exponential of it all"
    assert not np.isclose(got, 32), "the number of words divides the nats, so it belongs into the exponent"
    assert not np.isclose(got, 6), "tokens per word is an exponent too: 4 to the power 3/2, not 4 times 3/2"
    assert not np.isclose(got, np.log(8)), "these are nats per word: a perplexity is the exponential of them"
    assert got > 1, "below 1, as if more than sure: the surprises are positive already, so no minus"
    assert np.isclose(got, 8), f"1/2 x 1/8 x 1/4 is 1/64, for two words: the root of 64 is 8, not {got}"
    assert np.isclose(at(np.log([16.0, 4.0]), 2), 8), "cut into two tokens the same text must cost the same"
    assert np.isclose(at([0.7], 1), math.exp(0.7)), "one token, one word: the exponential of its surprise"
    assert np.isclose(at([0.0, 0.0], 3), 1), "who is sure of everything has the perplexity 1"
    got = at([0.5, 1.5, 0.25], 5)
    assert np.isclose(got, math.exp(0.45)), f"five words, 2.25 nats: e to the power 0.45, not {got}"
    got = at([2.0] * 3000, 750)
    assert np.isclose(got, math.exp(8)), f"3000 tokens of 2 nats, 750 words: e to the power 8, not {got}"
    got = at([350.0, 400.0, 0.1], 3)
    assert np.isclose(got, math.exp(750.1 / 3)), "750 nats in one text: e to this power is too large for a computer"
    got = at([0.001, 0.002] * 100_000, 100_000)
    assert np.isclose(got, math.exp(0.003)), f"200,000 tokens, nearly sure: e to the power 0.003, not {got}"


check_word_perplexity(word_perplexity)

# %% tags=["raises-exception"]
train, unread = data.shakespeare()[:1_000_000], data.shakespeare("validation")[:20_000]
pieces = train_bpe(train, 1000)  # byte pairs: any text can be cut into them, so no word is unknown
cut = {"letters": (codec.encode, len(vocab)), "byte pairs": (lambda text: pieces.encode(text).ids, 1000)}
per_token, per_word = [], []
for tokens, order in (("letters", 3), ("byte pairs", 2), ("letters", 5)):
    encode, V = cut[tokens]
    chain = ngram.fit_kneser_ney([np.array(encode(train))], V, order)
    nats = -chain.log_prob(np.array(encode(unread)))  # but for the first `order` tokens, which have no context
    per_token.append(np.exp(nats.mean()))
    per_word.append(float(word_perplexity(nats, len(unread.split()))))
    print(f"{tokens:<10} order {order}: {per_token[-1]:5.1f} per token, {per_word[-1]:6.0f} per word")
assert max(per_token[0], per_token[2]) < per_token[1] / 5 and per_word[2] < per_word[1] < per_word[0]

# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# Per token both chains of letters look far better than the byte pairs. Per word one of them is worse. (Byte pairs could
# spell the same text in other ways too; we counted only the tokenizer's own, so what they are charged is a little too
# much, never too little.)
#
# </details>

# %% [markdown]
# ## 07.4 · modify · 15 min · ●●○○○ · Do not say it again
#
# *Chapter 07: [3 · Right, or various](../chapters/07_text.ipynb#3-·-Right,-or-various)*
#
# Keskar et al. (2019, arXiv:1909.05858) divide the logits of all tokens that were already written by a penalty above 1.
# A negative logit grows when it is divided, and the token would be said *more* often. Libraries therefore do this:
# positive logits are divided by the penalty, negative ones multiplied. How often a token was written does not matter.
#
# Write `penalise(logits, ids, penalty)`. `logits`: (V,) tensor, which you leave as it is; some may be -inf, forbidden,
# and stay so. `ids`: list of the tokens written so far, which may be empty. `penalty`: 1 or more. Returns (V,). Pencil
# first: logits 3, -1, 0.5, -2, written so far 0, 1, 0, penalty 1.5. And predict: a softmax does not notice a number that
# is added to all logits; does the penalty notice?

# %% tags=["prediction"]
guess_07_4 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "07-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def penalise(logits, ids, penalty):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "07-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_penalise(penalise):
    def at(logits, ids, penalty):
        logits = torch.tensor(logits)
        got = course.numbers(course.attempt(penalise, logits, list(ids), penalty), "a logit for each token")
        assert got.shape == logits.shape, f"one logit for each token of the vocabulary: {tuple(logits.shape)}"
        return got

    logits = [3.0, -1.0, 0.5, -2.0]
    got = at(logits, [0, 1, 0], 1.5)
    assert np.isfinite(got).all(), "a penalty is no ban: a token that was written may come again"
    assert not (np.isclose(got.sum(), 1) and (got > 0).all()), "logits were asked for, and these are probabilities"
    assert np.isclose(got[2], 0.5) and np.isclose(got[3], -2), "tokens 2 and 3 were never written: leave them alone"
    assert not np.isclose(got[0], 3 / 1.5**2), "token 0 was written twice, and counts once: 3 / 1.5"
    assert not np.isclose(got[0], 1.5), "do not subtract: a penalty of 1 has to change nothing, so it is a factor"
    assert got[0] < 3, "token 0 became more probable: a positive logit is divided by the penalty"
    assert got[1] != -1, "token 1 was written, too, and stayed as it was: make a negative logit smaller, so multiply it"
    assert got[1] < -1, "token 1 became more probable: divided, a negative logit grows, so multiply it"
    assert np.allclose(got, [2.0, -1.5, 0.5, -2.0]), f"3 / 1.5 and -1 x 1.5, the rest as it was: not {got}"
    assert np.allclose(at(logits, [0, 1, 2, 3], 1.0), logits), "penalty 1 must change nothing"
    assert np.allclose(at(logits, [], 1.5), logits), "where nothing was written, nothing is penalised"
    got = at([0.5, -0.5, 0.0, 0.25, -0.25, 7.0], [4, 3, 2, 1, 0], 4.0)
    assert np.allclose(got, [0.125, -2, 0, 0.0625, -1, 7]), (
        f"small logits count, too, and penalties other than 1.5: by 4, 0.5 becomes 0.125 and -0.5 becomes -2, not {got}"
    )
    assert np.allclose(at([2.0], [0], 2.0), [1]), "a vocabulary of one token"
    got = at([800.0, -800.0, 800.0, -math.inf, -math.inf], [0, 1, 3], 1.25)
    assert not np.isnan(got).any(), (
        "logits of 800 and of -inf are logits: no exponentials, and infinity is not subtracted or multiplied by 0"
    )
    assert (got == [640, -1000, 800, -math.inf, -math.inf]).all(), f"800 / 1.25, -800 x 1.25, -inf stays: not {got}"
    dice = np.random.default_rng(0)
    for V in (3, 20) * 5:
        logits, ids, penalty = dice.normal(size=V) * 3, dice.integers(V, size=V).tolist(), 1 + 2 * dice.random()
        got, case = at(logits, ids, penalty), f"{V} tokens, penalty {penalty:.2f}"
        new = [i for i in range(V) if i not in ids]
        assert (got[new] == logits[new]).all(), f"{case}: a token that was never written has changed"
        ratio = np.log(np.abs(got[ids] / logits[ids]))
        assert np.allclose(ratio, -np.sign(logits[ids]) * np.log(penalty)), f"{case}: a written one has a wrong factor"


check_penalise(penalise)

# %% tags=["raises-exception"]
logits = torch.tensor([2.0, 1.0, 0.0])
for added in (-10.0, 0.0, 10.0):
    p = (logits + added).softmax(0)
    q = torch.as_tensor(penalise(logits + added, [0], 1.3)).softmax(0)
    print(f"all logits {added:+.0f}: token 0 had {p[0]:.3f}, and has {q[0]:.3f} after the penalty")
print(f"Does the penalty notice what is added? ; you said: {guess_07_4}")
q = [torch.as_tensor(penalise((logits + a).log_softmax(0), [0], 1.3)).softmax(0) for a in (-10.0, 0.0, 10.0)]
print(f"penalised as logarithms of probabilities: {q[0][0]:.3f}, {q[1][0]:.3f}, {q[2][0]:.3f}")
assert torch.allclose(q[0], q[1]) and torch.allclose(q[0], q[2])

# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# The same beliefs, three different penalties: how hard a token is hit depends on a number that means nothing. Logarithms
# of probabilities have no such number in them, and there the penalty is a power of the probability, $p^{1.3}$.
#
# </details>

# %% [markdown]
# ## 07.5 · modify · 15 min · ●●○○○ · Pad on the left
#
# *Chapter 07: [1 · The lines that everybody prints](../chapters/07_text.ipynb#1-·-The-lines-that-everybody-prints)*
#
# A batch is a rectangle, prompts are not. A model of language draws the next token from what it says at the **last**
# column, so there must stand the last token of every prompt. Write `pad_left(rows, pad)`.
#
# `rows`: list of one or more lists of tokens, each with at least one. `pad`: the token to fill up with; GPT-2 has none of
# its own and is given its end-of-text token, so `pad` may also stand *inside* a text, or begin it. Returns two (B, T)
# int64 tensors, T the longest row, the rows in their order: the tokens, and a mask with 1 for what was written and 0 for
# what was filled up. Pencil first: both tensors for the rows 5 0 7 0, 3 0 and 4, with `pad` 0.
#
# The cell below the check asks the course's small model, which takes no mask and so reads what was filled up. It prints how
# far its next letter is from that of the prompt alone: half the sum of the differences between the two distributions, 0
# where they are equal, 1 where they share nothing. Predict: how far on the left, and how far on the right?

# %% tags=["prediction"]
guess_07_5 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "07-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pad_left(rows, pad):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "07-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_pad_left(pad_left):
    def at(rows, pad):
        got = course.attempt(pad_left, [list(row) for row in rows], pad)
        assert isinstance(got, tuple | list) and len(got) == 2, "return two tensors: the tokens, and their mask"
        ids, mask = (course.numbers(one, "rows of one length, a rectangle") for one in got)
        shape = (len(rows), max(map(len, rows)))
        assert ids.shape[1:] != (min(map(len, rows)),) or len({*map(len, rows)}) == 1, (
            "the rows were cut to the shortest: fill the short ones up to the longest"
        )
        assert ids.shape == mask.shape == shape, f"{shape} each, not {ids.shape} and {mask.shape}"
        return ids.tolist(), mask.tolist()

    ids, mask = at([[5, 0, 7, 0], [3, 0], [4]], 0)
    assert ids[2] != [4, 0, 0, 0], "the last column must hold a token of every prompt: fill up on the left"
    assert ids[0] != [0, 7, 0, 5], "the tokens of a row stand in reverse: turn them back after filling up"
    assert ids == [[5, 0, 7, 0], [0, 0, 3, 0], [0, 0, 0, 4]], f"the tokens are not in place: {ids}"
    assert mask[2] != [1, 1, 1, 0], "the mask is 1 for what was written and 0 for what was filled up"
    assert mask[1] != [0, 0, 1, 0], "a text may hold the pad token itself: make the mask from the lengths"
    assert mask == [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]], f"the mask is {mask}"
    ids, mask = at([[4], [6, 5], [1, 2, 3]], 9)
    assert ids[0] != [1, 2, 3], "the short ones come first here, and stay first: keep the order of the rows"
    assert ids[0] == [9, 9, 4], f"fill up with `pad`, here 9: [9, 9, 4], not {ids[0]}"
    assert ids == [[9, 9, 4], [9, 6, 5], [1, 2, 3]], f"the tokens are not in place: {ids}"
    assert mask == [[0, 0, 1], [0, 1, 1], [1, 1, 1]], f"the mask of rows of 1, 2 and 3 tokens: not {mask}"
    ids, mask = at([[7, 7, 2], [7], [1, 2, 3, 4, 7]], 7)
    assert ids == [[7, 7, 7, 7, 2], [7, 7, 7, 7, 7], [1, 2, 3, 4, 7]], f"the tokens are not in place: {ids}"
    assert mask == [[0, 0, 1, 1, 1], [0, 0, 0, 0, 1], [1, 1, 1, 1, 1]], (
        f"a text may *begin* with the pad token, and may be nothing else: make the mask from the lengths, not {mask}"
    )
    assert at([[3, 1], [2, 2]], 0) == ([[3, 1], [2, 2]], [[1, 1], [1, 1]]), (
        "where all are equally long, nothing is added"
    )
    assert at([[8]], 0) == ([[8]], [[1]]), "one prompt of one token needs nothing"
    ids, mask = at([[1] * 40, [50_000]], 50_256)
    assert ids[1] == [50_256] * 39 + [50_000] and sum(mask[1]) == 1, "40 columns: 39 times `pad`, here 50256, and 50000"


check_pad_left(pad_left)

# %% tags=["raises-exception"]
prompts = ["KING HENRY:\nOnce more unto the brea", "JULIET:\nO Rome", "ROMEO:\nBut, so"]
alone = torch.stack([next_logits(text)[-1].softmax(-1) for text in prompts])
rows, newline = [codec.encode(text) for text in prompts], codec.encode("\n")[0]
left, mask = (torch.as_tensor(one).long() for one in pad_left(rows, newline))
right = torch.stack([row.roll(int(n)) for row, n in zip(left, mask.sum(1))])  # what was filled up goes to the end
with torch.inference_mode():
    distance = [(model(ids)[:, -1].softmax(-1) - alone).abs().sum(-1) / 2 for ids in (left, right)]
for text, a, b in zip(prompts, *distance):
    print(f"{text[-10:]!r:<14} filled up on the left {a:.3f}, on the right {b:.3f}")
print(f"left, and right ; you said: {guess_07_5}")

# %% tags=["raises-exception"]
assert max(distance[0][0], distance[1][0]) < 1e-4  # the longest needs no filling
assert (distance[0][1:] < distance[1][1:]).all()  # on the right the model is asked what follows empty lines
assert (distance[0][1:] > 0).all()  # on the left a little is left over: for that there is the mask

# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# What is left over goes when the attention is masked too: models of the transformers library take `attention_mask=mask`.
# GPT-2 also learnt its positions by number, so that each prompt must be counted from its own first token.
#
# </details>

# %% [markdown]
# ## 07.6 · modify · 30 min · ●●●○○ · Beam search
#
# *Chapter 07: [2 · One draw](../chapters/07_text.ipynb#2-·-One-draw)*
#
# Greedy decoding takes the most probable token each time and cannot go back. Beam search keeps `width` beginnings. At each
# of `length` steps it continues every one of them with every token, and of **all** these keeps the `width` with the
# largest $\ln p$ of the whole text so far. Write `beam(log_p, prefix, length, width)`.
#
# `log_p`: a function that takes a tuple of tokens and returns (V,), the logarithm of the probability of each next token;
# what is impossible has -inf. It is slow, so ask it only about what the beam keeps. `prefix`: the tuple to begin with,
# which may be empty; it costs nothing. `length`: 0 or more. `width`: 1 or more; as long as there are fewer texts, all are
# kept. Returns the best text as a tuple, prefix included, and its $\ln p$. Pencil first: in the tree of the check, follow a
# beam of width 2. `tree[(0, 1)]` holds what may follow token 0, then 1.
#
# After the check the trained model continues a line of *Macbeth*, which it has never read. A wider beam usually finds more
# probable texts. Predict: will it reach Shakespeare's own words, and how probable are they?

# %% tags=["prediction"]
guess_07_6 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "07-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def beam(log_p, prefix, length, width):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "07-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_beam(beam):
    asked = set()

    def at(log_p, prefix, length, width):
        def counted(text):
            asked.add(tuple(map(int, text)))
            return log_p(tuple(map(int, text)))

        asked.clear()
        got = course.attempt(beam, counted, prefix, length, width)
        assert isinstance(got, tuple | list) and len(got) == 2, "return the best text and its logarithm of p"
        text, score = course.numbers(got[0], "a text, as a tuple of tokens"), course.numbers(got[1], "one number, ln p")
        assert score.ndim == 0, f"one number, the ln p of the whole text, not the shape {score.shape}"
        whole = len(prefix) + length
        assert text.shape == (whole,), f"{len(prefix)} tokens of prefix and {length} steps: {whole}, not {text.shape}"
        return tuple(map(int, text)), float(score)

    tree = {(): [0.5, 0.3, 0.2], (0,): [0.4, 0.35, 0.25], (1,): [0.45, 0.3, 0.25], (2,): [0.9, 0.05, 0.05]}
    tree |= {(0, 0): [0.5, 0.3, 0.2], (0, 1): [0.05, 0.9, 0.05], (1, 0): [0.03, 0.02, 0.95]}
    log_p = lambda text: np.log(tree.get(text, [1 / 3] * 3))
    text, score = at(log_p, (), 3, 2)
    assert score <= 0, "probabilities of one text multiply: it is their logarithms that are added"
    assert not np.isclose(score, np.log(0.95)), "this is the last step alone: add it to the score so far"
    assert text != (0, 0, 0), "this is greedy: 0, 1 is second after two steps, stays in the beam, and wins"
    assert text != (1, 0, 2), "1, 0 is third after two steps (0.135): keep the best over all, not of each beginning"
    assert text == (0, 1, 1), f"0.5 x 0.35 x 0.9 is the best that a beam of 2 finds: (0, 1, 1), not {text}"
    assert np.isclose(score, np.log(0.1575)), "ln p of the whole text is ln(0.5 x 0.35 x 0.9), not shared out over it"
    assert at(log_p, (), 2, 9)[0] == (0, 0), "a beam as wide as the tree must find the largest product, 0.2"
    text, score = at(log_p, (0,), 2, 2)
    assert text == (0, 1, 1) and np.isclose(score, np.log(0.315)), "begin with the prefix, which costs nothing"
    assert at(log_p, (2, 1), 0, 3) == ((2, 1), 0), "no step: the prefix itself, which costs nothing"
    assert at(lambda text: np.log([1.0]), (), 3, 2) == ((0, 0, 0), 0), "where one token is all there is, ln p is 0"
    with np.errstate(divide="ignore"):
        sure = at(lambda text: np.log([0.0, 0.4, 0.6] if len(text) < 2 else [1.0, 0.0, 0.0]), (), 3, 4)
    assert sure[0] == (2, 2, 0) and np.isclose(sure[1], np.log(0.36)), f"-inf is a ln p, too: 0.6 x 0.6 x 1, not {sure}"

    @cache
    def forest(text):  # four tokens, of which another one is probable in each place
        p = np.random.default_rng(text).random(4) ** 2
        return np.log(p / p.sum())

    best = {
        228: ["00000", "02320", "22221", "12200", "12200", "00203"],
        457: ["13303", "10303", "33322", "33322", "13200", "13131"],
        446: ["13232", "01223", "13212", "00112", "12333", "12333"],
        351: ["00002", "31201", "12122", "03311", "01000", "01000"],
    }  # of each tree, for a beam of 1 to 6
    price = lambda text: sum(forest(text[:i])[text[i]] for i in range(1, len(text)))
    for seed, texts in best.items():
        whole = max(((seed, *rest) for rest in product(range(4), repeat=5)), key=price)
        for width, digits in enumerate(texts, 1):
            text, score = at(forest, (seed,), 5, width)
            right, case = (seed, *map(int, digits)), f"tree {seed}, {width} beginnings"
            others = [k for k, other in enumerate(texts, 1) if text == (seed, *map(int, other))]
            assert text == right or not others, (
                f"{case}: it finds what a beam of {others[0]} should find. Is yours exactly `width` wide, here {width}?"
            )
            most = 1 + 4 * width
            assert len(asked) <= most, (
                f"{case}: {len(asked)} beginnings were continued, and a beam has at most {most} in five steps: after "
                "each step drop all but `width`, and ask only about those"
            )
            assert text == right or text != whole, (
                f"{case}: the best of all, but its beginning should have been dropped"
            )
            assert text == right, f"{case}: the beam finds {right[1:]}, not {text[1:]}"
            assert np.isclose(score, price(right)), f"{case}: ln p is {price(right):.3f}, not {score:.3f}"
    long = at(lambda text: np.roll(np.log([0.28, 0.25, 0.24, 0.23]), len(text) % 4), (), 700, 2)
    assert long[0] == tuple(i % 4 for i in range(700)), "700 steps: a product of 700 is too small for a computer, 0"
    assert np.isclose(long[1], 700 * np.log(0.28)), f"700 times ln 0.28 is {700 * np.log(0.28):.1f}, not {long[1]:.1f}"


check_beam(beam)

# %% tags=["raises-exception"]
start, truth = "MACBETH:\nIs this a dagger which I s", "ee before me,\nThe"
begin, length = tuple(codec.encode(start)), len(truth)
log_p = cache(lambda ids: next_logits(codec.decode(ids))[-1].log_softmax(-1).tolist())
found = {width: beam(log_p, begin, length, width) for width in (1, 2, 5)}
for width, (ids, score) in found.items():
    print(f"beam {width}: {-score / length:.2f} nats a letter  {codec.decode(ids[len(begin) :])!r}")
ids = begin + tuple(codec.encode(truth))
cost = -sum(log_p(ids[:i])[ids[i]] for i in range(len(begin), len(ids)))
print(f"his own: {cost / length:.2f} nats a letter  {truth!r} ; you said: {guess_07_6}")

# %% tags=["raises-exception"]
assert "Is this a dagger which I s" + truth in data.shakespeare("validation")
assert "this a dagger" not in data.shakespeare()
assert -found[5][1] < -found[1][1] < cost  # wider is more probable here, and what he wrote is far less probable

# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# What people write is not what is most probable: a beam answers a question that nobody asked of a poet (Holtzman et al.
# 2020). Where there is one right answer, as in translation, it serves.
#
# </details>

# %% [markdown]
# ## 07.7 · investigate · 30 min · ●●●○○ · What is the best of n worth?
#
# *Chapter 07: [5 · As Shakespeare would say it](../chapters/07_text.ipynb#5-·-As-Shakespeare-would-say-it)*
#
# You drew N texts and measured the reward of each. What would the best of n draws have, on average? To choose n of them
# once is a lottery. Take *all* sets of n: each is a fair draw, so the mean of their bests is right on average. Sort the
# rewards, $r_{(1)} \le \dots \le r_{(N)}$. Of the $\binom{N}{n}$ sets, those in which $r_{(i)}$ is the best take it and
# $n - 1$ of the $i - 1$ before it. How many are they?
#
# Write `expected_best(rewards, n)`, the mean of the best over all sets of n. `rewards`: (N,) array, in any order, of any
# sign, some may be equal; N >= n >= 1. Returns one number. Pencil first: rewards 5, 0, 10, 1 and n = 2. Thousands of
# rewards have more sets than anybody can go through, and the counts are too large for floats; `math.comb(N, n)` is a whole
# number of any size, and two such can be divided.
#
# After the check the trained model writes 256 texts; the reward of a text is its $\ln p$ per letter, as the model sees it,
# in nats. Predict: by how much does the best grow from 1 draw to 2, from 16 to 32, and from 128 to 256? The last column
# is how far (7.4) lets the best of n be from one draw, at most: $\ln n - (n - 1) / n$ nats.

# %% tags=["prediction"]
guess_07_7 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "07-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_best(rewards, n):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "07-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_expected_best(expected_best):
    def at(rewards, n):
        with np.errstate(all="ignore"):
            got = course.numbers(course.attempt(expected_best, np.array(rewards, dtype=float), n), "one number")
        assert got.ndim == 0, f"one number, the mean over all sets of n, not the shape {got.shape}"
        return float(got)

    rewards = [5.0, 0.0, 10.0, 1.0]
    got = at(rewards, 2)
    assert not np.isclose(got, 7.5), (
        "the mean of the n largest takes for granted that the second is drawn with the first"
    )
    assert not np.isclose(got, 10), "the best of all N is drawn only by some of the sets of n"
    assert not np.isclose(got, 5), "the first n are one set of six: take the mean over all sets"
    assert not np.isclose(got, 98 / 16), "N ** n counts draws that are put back: a measured text is drawn once at most"
    assert not np.isclose(got, 7 / 6), "these are the worst of each set: the largest reward has the most sets"
    assert not np.isclose(got, 23 / 6), "the counts belong to sorted rewards: sort them first"
    assert not np.isclose(got, 4 + np.log(2)), (
        "log n, in (7.4), bounds how far the choice leads from one draw; it is not the reward that it gains"
    )
    assert np.isclose(got, 41 / 6), f"1 is the best of one pair, 5 of two, 10 of three: 41 / 6, not {got}"
    assert np.isclose(at(rewards, 1), 4), "the best of one is the mean of all"
    assert np.isclose(at(rewards, 4), 10), "the best of all four is the largest"
    assert np.isclose(at([-3.0], 1), -3), "one text, one draw: its own reward"
    assert np.isclose(at([2.0, 2.0, 2.0, 2.0], 3), 2), "four equal rewards: the best of three is the same"
    assert np.isclose(at([1.0, 1.0, 0.0, 0.0], 2), 5 / 6), (
        "1, 1, 0, 0: five of six pairs hold a 1, equal ones count each"
    )
    dice = np.random.default_rng(0)
    for N, n in ((3, 2), (5, 3), (6, 2), (7, 6), (8, 4)):
        rewards = dice.normal(size=N) * 10
        right, got = np.mean([max(some) for some in combinations(rewards, n)]), at(rewards, n)
        assert np.isclose(got, right), (
            f"the best of {n} of {N}: {right:.4f}, not {got:.4f}; are rewards below 0 welcome?"
        )
    for _ in range(3):  # the fastest of three counts, if this machine is busy
        begin = time.perf_counter()
        got = at(range(21), 10)
        took = time.perf_counter() - begin
        if took < 0.03:
            break
    assert np.isclose(got, 19), f"the best of 10 from 0 .. 20 is 19 on average, not {got}"
    assert took < 0.03, (
        f"right, and too slow: {took:.2f} s for 21 rewards. It goes through all {math.comb(21, 10):,} sets, and 2000 "
        "rewards have more than a number of 600 digits: count the sets of which each reward is the best"
    )
    try:
        large = at(range(1, 2001), 1000)
    except ArithmeticError:
        large = math.nan
    assert np.isfinite(large), "too large for floats: count with math.comb, and divide whole numbers"
    assert np.isclose(large, 1000 * 2001 / 1001), "the best of 1000 from 1 .. 2000 is 1000 x 2001 / 1001 on average"


check_expected_best(expected_best)

# %% tags=["raises-exception"]
prompt, length = torch.tensor([codec.encode("JULIET:\nO ")] * 256), 32
drawn = torch.stack(list(sample.tokens(model, prompt, length, generator=torch.Generator().manual_seed(0))), 1)
with torch.inference_mode():
    log_p = model(torch.cat([prompt, drawn], 1)[:, :-1]).log_softmax(-1)[:, -length:]
rewards = log_p.gather(-1, drawn[..., None]).double().mean((1, 2)).numpy()
best = {n: float(expected_best(rewards, n)) for n in range(1, 257)}
for n in (2**k for k in range(9)):
    gain = f"{best[n] - best[n // 2]:+.3f}" if n > 1 else "      "
    print(f"best of {n:>3}: {best[n]:.3f}  by doubling {gain}  at most {np.log(n) - (n - 1) / n:.2f} nats away")
print(f"from 1 to 2, 16 to 32, 128 to 256 ; you said: {guess_07_7}")
for name, i in (("the best", rewards.argmax()), ("the middle", rewards.argsort()[128])):
    print(f"{name:<10} {rewards[i]:.2f} {codec.decode(drawn[i])!r}")

# %% tags=["raises-exception"]
each = np.diff(list(best.values()))
assert (each > 0).all() and (np.diff(each) < 1e-12).all()  # every further draw helps, and less than the one before
good = (rewards > np.quantile(rewards, 0.9)).astype(float)  # 1 for the best tenth: passed, or not
for n in (1, 5, 20):
    pass_at_n = 1 - math.comb(256 - int(good.sum()), n) / math.comb(256, n)
    assert np.isclose(expected_best(good, n), pass_at_n)

# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# No further draw adds more than the one before: this holds for every list of rewards. What a *doubling* adds does not
# have to shrink: where rewards have a long tail upwards it grows. But trust the last lines least: the best of 256 out of
# 256 is one measured number, with nothing to take a mean of. And with rewards of 0 and 1 your estimate is the "pass@n" by
# which programs written by language models are judged (Chen et al. 2021, arXiv:2107.03374).
#
# </details>

# %% [markdown]
# ## 07.8 · investigate · 20 min · ●●○○○ · LoRA, merged
#
# *Chapter 07: [6 · Less than a minute of training](../chapters/07_text.ipynb#6-·-Less-than-a-minute-of-training)*
#
# LoRA (Hu et al. 2022, arXiv:2106.09685) leaves a matrix $W$ as it is and trains two thin ones beside it. Write
# `merge(W, A, B, alpha)`: the one matrix of equation (7.5), $W + \frac{\alpha}{r} B A$, and how many numbers were trained.
#
# `W`: (out, in) tensor, which you leave as it is. `A`: (r, in). `B`: (out, r), all of one dtype. `alpha`: a number above
# 0. Returns the (out, in) matrix and a whole number. Pencil first: for a square matrix of 576, as SmolLM2-135M has, and
# r = 8, which share of its weights is trained? At which r would LoRA train as many numbers as the matrix has?
#
# On paper merged and unmerged are equal. Weights are often stored as bfloat16, which has eight binary digits. Predict: what
# is left of an update a thousand times smaller than the weights, when it is merged and stored?

# %% tags=["prediction"]
guess_07_8 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "07-8", "locked": false, "schema_version": 3, "solution": true, "task": false}
def merge(W, A, B, alpha):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "07-8-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_merge(merge):
    def at(W, A, B, alpha):
        got = course.attempt(merge, W.clone(), A.clone(), B.clone(), alpha)
        assert isinstance(got, tuple | list) and len(got) == 2, (
            "return two things: the matrix, and how many were trained"
        )
        matrix, trained = course.numbers(got[0], "a matrix"), course.numbers(got[1], "how many numbers were trained")
        assert trained.ndim == 0, f"one whole number, of the two matrices together, not the shape {trained.shape}"
        assert matrix.shape == W.shape, f"the merged matrix has the shape of W, {tuple(W.shape)}, not {matrix.shape}"
        return matrix, float(trained)

    W, A = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    B = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    matrix = at(W, A, B, 6.0)[0]
    added, right = matrix - W.numpy(), 3 * (B @ A).numpy()
    assert not np.allclose(matrix, right), "this is only what is added: W is missing"
    assert not np.allclose(added, 2 * right), "alpha is divided by r, here 2"
    assert not np.allclose(added, right / 3), "alpha is missing: here it makes what is added three times as large"
    assert not np.allclose(added, 3 * A @ B), "the input meets A first, so A stands on the right: B A, not A B"
    assert not np.allclose(added, right.T), "this is transposed: out are the rows, in are the columns"
    assert not np.allclose(added, 2**0.5 * right), "divide by r itself, here 2, and not by its root"
    assert np.allclose(added, right), f"6 / 2 times B A should have been added, {right.tolist()}, not {added.tolist()}"
    dice = torch.Generator().manual_seed(0)
    for out, inner, r, alpha in ((5, 3, 2, 6.0), (2, 7, 1, 16), (4, 4, 3, 5), (6, 2, 4, 0.5)):
        W, A, B = (torch.randn(n, m, generator=dice).double() for n, m in ((out, inner), (r, inner), (out, r)))
        matrix, trained = at(W, A, B, alpha)
        case = f"{out} outputs, {inner} inputs, r = {r}, alpha = {alpha}"
        x = torch.randn(3, inner, generator=dice).double()
        beside = (x @ W.T + (x @ A.T) @ B.T * (alpha / r)).numpy()
        assert np.allclose(x.numpy() @ matrix.T, beside), (
            f"{case}: merged is not what W and the two beside it compute. r is the thin side: the rows of A, not the "
            "inputs or outputs; and alpha / r need not be whole"
        )
        assert trained not in (out * inner, out * inner + r * (out + inner)), (
            f"{case}: W is frozen: count only what is trained, A and B"
        )
        right = r * (out + inner)
        assert trained == right, (
            f"{case}: A has {r} x {inner} numbers and B {out} x {r}: {right} together, not {trained}"
        )
        assert (at(W, A, 0 * B, alpha)[0] == W.numpy()).all(), (
            f"{case}: B is zero at first, and then nothing is changed"
        )


check_merge(merge)

# %% tags=["raises-exception"]
rng = np.random.default_rng(0)
W, A, B = (torch.from_numpy(rng.normal(size=shape)) for shape in ((576, 576), (8, 576), (576, 8)))
W = W.bfloat16().double()  # as it came
_, trained = merge(W, A, B, 8.0)
print(f"trained {trained:,} of {W.numel():,} numbers, {trained / W.numel():.1%}")
for size in (1e-1, 1e-2, 1e-3):
    update = torch.as_tensor(merge(torch.zeros_like(W), A, B, 8.0)[0])
    small = B * size * W.norm() / update.norm()  # so that the update is `size` times as large as W
    merged = torch.as_tensor(merge(W, A, small, 8.0)[0])
    stored = merged.bfloat16().double()
    same = (stored == W).double().mean()
    error = (stored - merged).norm() / (merged - W).norm()
    print(f"update {size:.1%} of W: {same:.0%} of the weights did not move, error {error:.0%} of the update")
print(f"What is left of the smallest? ; you said: {guess_07_8}")
x = torch.from_numpy(rng.normal(size=(4, 576)))
assert torch.allclose(x @ merged.T, x @ W.T + (x @ A.T) @ small.T)  # here alpha / r is 1
assert same > 0.5 and error > 0.5  # of the smallest update more than half is lost


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# So keep A and B beside W, or merge into numbers with more digits: what was trained in small steps can be lost in one
# rounding.
#
# </details>

# %% [markdown]
# ## 07.9 · build · 45 min · ●●●●○ · A writer that keeps rules
#
# *Chapter 07: [4 · A record that a program can read](../chapters/07_text.ipynb#4-·-A-record-that-a-program-can-read)*
#
# How does one make a model keep rules that it has never heard of? You build the whole outside, in three steps: which
# tokens may come, how probable they then are, and the loop that writes. Two rules are kept in every text, whatever the
# model wants. **No run of n tokens comes twice**, prompt included. And the text **ends with an end mark** after at most
# `length` tokens, without being cut.
#
# First `fresh(ids, V, n)`: the tokens that may come next by the first rule. `ids`: list of all tokens so far, which may be
# empty. `V`: size of the vocabulary. `n`: 1 or more. Returns (V,), a tensor of truth values: False for each token with
# which the last n tokens would be a run that `ids` has already. Pencil first: after 1 2 3 1 2, what is forbidden for n = 3,
# for n = 2, for n = 1?

# %% nbgrader={"grade": false, "grade_id": "07-9", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fresh(ids, V, n):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "07-9-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_fresh(fresh):
    def at(ids, V, n):
        got = course.numbers(course.attempt(fresh, list(ids), V, n), "a truth value for each token")
        assert got.shape == (V,), f"a truth value for each of the {V} tokens, not {got.shape}"
        assert set(got.tolist()) <= {0, 1}, f"truth values, not {set(got.tolist())}"
        return {i for i in range(V) if not got[i]}

    got = at([1, 2, 3, 1, 2], 5, 3)
    assert got != {0, 1, 2, 4}, "the other way round: False for what is forbidden, True for what may come"
    assert got != {1, 2, 3}, "a token may come again: what must not come twice is the run of n = 3 tokens"
    assert got != set(), "1 2 was followed by 3, and 1 2 stands at the end again: with 3 the run 1 2 3 comes twice"
    assert got == {3}, f"after 1 2 3 1 2, of runs of three only 1 2 3 would come twice: forbidden is 3, not {got}"
    got = at([1, 2, 3, 1, 2], 5, 2)
    assert got == {3}, f"after 1 2 3 1 2, for n = 2, the run 2 3 would come twice: forbidden is 3, not {got}"
    got = at([1, 2, 3, 1, 2], 5, 1)
    assert got == {1, 2, 3}, f"n = 1 forbids each token that was written, and these are 1, 2, 3; not {got}"
    for n in (1, 2, 3, 9):
        assert at([], 4, n) == set(), "where nothing was written, nothing is forbidden"
    assert at([2], 4, 2) == at([2, 2], 4, 3) == set(), "no run of n tokens was written yet, so none can come twice"
    got = at([2, 2], 4, 2), at([2, 2, 2], 4, 3)
    assert got == ({2}, {2}), (
        f"after 2 2 with n = 2, and after 2 2 2 with n = 3, another 2 would bring a run twice: the two may overlap. "
        f"Forbidden is 2, not {got[0]} and {got[1]}"
    )
    long = [2, 0, 3, 1, 1, 0, 3, 2, 2, 1, 0, 3, 3, 0, 1, 2, 0, 2, 1, 3, 1, 0, 3]
    for n, right in ((1, {0, 1, 2, 3}), (2, {0, 1, 2, 3}), (3, {1, 2, 3}), (4, {2, 3}), (5, set()), (6, set())):
        got = at(long, 6, n)
        got_all = f"{got or 'nothing'}, and should be {right or 'nothing'}"
        assert got == right, f"n = {n}, a text of 23 tokens: forbidden is {got_all}: look at *every* earlier place"
    assert at([7, 5, 7, 6, 7], 9, 2) == {5, 6}, "7 was followed by 5 and by 6: both are forbidden after 7"


check_fresh(fresh)


# %% [markdown]
# Then `narrowed(logits, may, top_p)`: how probable the tokens are that may come. Forbid first, and cut to the nucleus of
# what is left (`sample.nucleus` is there for you): the other way round nothing might be left. Also how thick the wall was,
# in bits: $-\log_2 Z$ of (7.3), where $Z$ is the share that the allowed tokens have of the model's own probability, before
# the nucleus.
#
# `logits`: (V,) tensor, in nats; a forbidden one may be larger than all others by a thousand. `may`: (V,) tensor of truth
# values, at least one True. `top_p`: above 0, at most 1. Returns (V,) probabilities, 0 for what is forbidden or cut, and
# one number.

# %% nbgrader={"grade": false, "grade_id": "07-9-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def narrowed(logits, may, top_p):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "07-9-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_narrowed(narrowed):
    def at(logits, may, top_p):
        logits, may = torch.tensor(logits), torch.tensor(may)
        got = course.attempt(narrowed, logits, may, top_p)
        assert isinstance(got, tuple | list) and len(got) == 2, "return two things: probabilities, and the wall in bits"
        p, bits = (
            course.numbers(got[0], "a probability for each token"),
            course.numbers(got[1], "one number, the wall in bits"),
        )
        assert p.shape == logits.shape, f"a probability for each token, {tuple(logits.shape)}, not {p.shape}"
        assert bits.ndim == 0, f"one number, the wall in bits, not the shape {bits.shape}"
        return p, float(bits)

    logits = np.log([1.0, 2.0, 5.0, 8.0]).tolist()  # 1, 2, 5 and 8 sixteenths
    p, bits = at(logits, [True, True, True, False], 1.0)
    assert np.isfinite(p).all(), f"no number came out, {p}: a forbidden logit is -inf, and its probability is 0"
    assert p[3] == 0, f"token 3 is forbidden, and has still {p[3]:.3g}"
    assert np.isclose(p.sum(), 1), f"the allowed tokens share everything: they sum to 1, not to {p.sum():.3f}"
    assert np.allclose(p, [1 / 8, 2 / 8, 5 / 8, 0]), f"1/8, 2/8 and 5/8 of what is allowed, not {p}"
    assert not np.isclose(bits, 0.5), "this is Z itself, the share: the wall is -log2 of it"
    assert not np.isclose(bits, math.log(2)), "in bits: the logarithm has the base 2"
    assert not np.isclose(bits, -1), "sign: the share is below 1, and a wall is never below zero"
    assert np.isclose(bits, 1), f"half of the probability was allowed: one bit, not {bits}"
    p, bits = at(logits, [True, True, True, False], 0.4)
    assert np.isfinite(p).all() and (p > 0).any(), "token 3 has a half alone, but is forbidden: forbid first, cut then"
    assert np.allclose(p, [0, 0, 1, 0]), f"5/8 of what is allowed is more than 0.4: token 2 alone stays, not {p}"
    assert np.isclose(bits, 1), f"the wall is what was forbidden, without what the nucleus cuts: 1 bit, not {bits}"
    p, bits = at(logits, [True, False, True, True], 0.9)
    assert np.allclose(p, [0, 0, 5 / 13, 8 / 13]), f"5 and 8 of 14 hold 0.9: 5/13 and 8/13, not {p}"
    assert np.isclose(bits, math.log2(16 / 14)), f"14 of 16 are allowed: log2(16/14) = 0.193 bits, not {bits:.3f}"
    p, bits = at(logits, [True] * 4, 1.0)
    assert np.allclose(p, np.array([1, 2, 5, 8]) / 16) and abs(bits) < 1e-6, "where all is allowed there is no wall"
    p, bits = at([2.5], [True], 0.3)
    assert np.allclose(p, [1]) and abs(bits) < 1e-6, "one token alone, allowed, is sure and costs nothing"
    p, bits = at([-800.0, 800.0, -800.0, -801.0], [True, False, True, False], 1.0)
    assert np.allclose(p, [0.5, 0, 0.5, 0]), (
        f"allowed at -800, forbidden at 800: the two allowed have 1/2 each, not {p}. Forbid logits, not probabilities"
    )
    right = (1600 - math.log(2)) / math.log(2)
    assert np.isclose(bits, right), f"a wall of {right:.1f} bits, not {bits}: e to the power -1600 is 0 in a computer"
    moved = at([x + 900 for x in logits], [False, True, True, False], 1.0)
    assert np.allclose(moved[0], [0, 2 / 7, 5 / 7, 0], atol=1e-3) and abs(moved[1] - math.log2(16 / 7)) < 1e-3, (
        f"a number added to all logits changes nothing: 2/7, 5/7 and log2(16/7) = 1.193 bits, not {moved}"
    )
    p, bits = at([0.0, -math.inf, 1.0], [False, True, True], 0.8)
    assert np.allclose(p, [0, 0, 1]), f"what the model itself holds for impossible, -inf, stays so: not {p}"


check_narrowed(narrowed)


# %% [markdown]
# At last the loop, `compose(ask, prompt, end, length, n, top_p, rng)`. For each token: ask the model; the tokens that may
# come are the fresh ones *and always* the end mark, so that a way out is left; at the last of `length` places it is the end
# mark alone. Draw from what `narrowed` says. With the end mark the text is over.
#
# `ask`: a function from the list of all tokens so far, prompt included, to (V,) logits; it is slow, so ask once for each
# token. `prompt`: a list of tokens, which may hold the end mark. `length`: 1 or more. `rng`: a NumPy generator, the only
# source of chance. Returns what was written, a list without the prompt, and the walls of all its tokens together, in bits.

# %% nbgrader={"grade": false, "grade_id": "07-9-c", "locked": false, "schema_version": 3, "solution": true, "task": false}
def compose(ask, prompt, end, length, n, top_p, rng):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "07-9-c-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_compose(compose):
    asked = []

    def at(odds, prompt, end, length, n, top_p, rng):
        def ask(ids):
            asked.append(list(map(int, ids)))
            return torch.tensor(odds(asked[-1]), dtype=torch.float64).log()

        asked.clear()
        got = course.attempt(compose, ask, list(prompt), end, length, n, top_p, rng)
        assert isinstance(got, tuple | list) and len(got) == 2, "return two things: what was written, and its walls"
        text, bits = course.numbers(got[0], "a list of tokens"), course.numbers(got[1], "one number, the walls in bits")
        assert text.ndim == 1 and bits.ndim == 0, "a list of tokens, and one number: the walls of all of them together"
        text = text.astype(int).tolist()
        assert text[: len(prompt)] != prompt or len(text) <= length, "the prompt is not written: leave it away"
        assert len(text) <= length, f"at most {length} tokens, not {len(text)}"
        assert text, "nothing was written: at least the end mark has to come"
        assert text[-1] == end, f"the last token is the end mark, here {end}, whatever the model wants: not {text}"
        assert text.count(end) == 1, f"with the end mark the text is over: {text}"
        assert len(asked) == len(text), f"{len(text)} tokens were written, and the model was asked {len(asked)} times"
        right = [list(prompt) + text[:i] for i in range(len(text))]
        assert asked == right, (
            "the model has to see all tokens so far, the prompt and what was written: no more, no less"
        )
        return text, float(bits)

    dice = lambda seed=0: np.random.default_rng(seed)
    even = lambda ids: [1 / 4, 1 / 4, 1 / 4, 1 / 4]
    text, bits = at(even, [0], 3, 1, 2, 1.0, dice())
    assert text == [3], f"one place, and it is the last: the end mark alone, [3], not {text}"
    assert np.isclose(bits, 2), f"the end mark had 1/4, and everything else was forbidden: 2 bits, not {bits}"
    text, bits = at(lambda ids: [1e-9, 1e-9, 1e-9, 1], [0], 3, 9, 2, 1.0, dice())
    assert text == [3] and abs(bits) < 1e-3, f"the model is sure of the end: [3], and no wall; not {text}, {bits} bits"
    text, bits = at(even, [3, 0, 1, 2, 3], 3, 9, 1, 1.0, dice())
    assert text == [3], f"all tokens were said in the prompt, and n is 1: only the end mark is left, not {text}"
    assert np.isclose(bits, 2), f"three of four tokens were forbidden: 2 bits, not {bits}"
    chain = [[0.1, 0.6, 0.2, 0.1], [0.2, 0.1, 0.6, 0.1], [0.6, 0.2, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]]
    circle = lambda ids: chain[ids[-1]]  # it wants to go 0 1 2 0 1 2 ... for ever
    text, bits = at(circle, [0], 3, 5, 9, 1e-6, dice())
    assert text == [1, 2, 0, 1, 3], f"the most probable token each time, and the end mark at the last place: not {text}"
    assert np.isclose(bits, math.log2(10)), f"one wall, as the end mark had 1/10: {math.log2(10):.2f} bits, not {bits}"
    text, bits = at(circle, [0], 3, 7, 2, 1e-6, dice())
    assert text[:4] != [1, 2, 0, 1], "0 1 has come twice, and n is 2: the prompt belongs to the text, and begins with 0"
    assert text == [1, 2, 0, 2, 1, 0, 3], f"of the fresh tokens the most probable, 1 2 0 2 1 0 3, not {text}"
    right = 3 * math.log2(2.5) + math.log2(10)  # three times 0.4 was allowed, and at the end 0.1
    assert np.isclose(bits, right), f"the walls of all tokens, added up, are {right:.3f} bits, not {bits:.3f}"
    cases = ((1, 9), (2, 30), (3, 12), (2, 4), (4, 2))
    for seed, (n, length) in enumerate(cases * 4):
        text, _ = at(circle, [2, 0], 3, length, n, (1.0, 0.8)[seed % 2], dice(seed))
        whole = [2, 0, *text[:-1]]
        runs = [tuple(whole[i : i + n]) for i in range(len(whole) - n + 1)]
        assert len(runs) == len({*runs}), f"n is {n}, and a run of {n} tokens came twice in {whole}"
    first, again = ([at(circle, [0], 3, 30, 4, 1.0, dice(seed)) for seed in range(8)] for _ in range(2))
    assert first == again, "the same seed has to give the same text: draw all chance from `rng`"
    assert any(one != first[0] for one in first), "other seeds, the same text: draw each token, from `rng`"
    one = dice(5)
    texts = [at(lambda ids: [0.5, 0.2, 0.3], [0], 2, 3, 3, 1.0, one)[0] for _ in range(800)]
    assert len(set(map(tuple, texts[:20]))) > 1, (
        "one `rng`, twenty texts, all equal: go on with `rng`, do not seed it anew"
    )
    share = np.bincount([text[0] for text in texts], minlength=3) / 800
    assert np.allclose(share, [0.5, 0.2, 0.3], atol=0.09), f"first tokens of 0.5, 0.2, 0.3 were expected, not {share}"
    both = np.mean([text[:2] == [0, 1] for text in texts])
    assert abs(both - 0.1) < 0.06, f"0 and then 1 has 0.5 x 0.2, but came in {both:.0%}: draw each token anew"


check_compose(compose)


# %% tags=["raises-exception"]
def ask(ids):
    return next_logits(codec.decode(ids[-100:]))[-1]


prompt, stop = codec.encode("KING:\nMy lord"), codec.encode("!")[0]
spoken = {}
for top_p, n in ((1e-6, 99), (1e-6, 6), (0.9, 6)):
    text, walls = compose(ask, prompt, stop, 50, n, top_p, np.random.default_rng(1))
    spoken[top_p, n] = codec.decode(text)
    print(f"top_p {top_p:g}, no run of {n:>2} twice: {walls:5.1f} bits of walls  {spoken[top_p, n]!r}")


# %% tags=["raises-exception"]
def runs(text, n):
    return [text[i : i + n] for i in range(len(text) - n + 1)]


for (_, n), text in spoken.items():
    assert text.endswith("!") and text.count("!") == 1 and len(text) <= 50
    whole = runs("KING:\nMy lord" + text[:-1], n)
    assert len(whole) == len(set(whole))


# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# Both rules are kept, and no text was thrown away. The bits tell what that cost: few where the model would have gone this
# way by itself, many where the last place came and it wanted to go on. The end mark stands there, in the middle of a word
# if it must. A rule about the *form* of an end is not a rule about its sense.
#
# </details>

# %% [markdown]
# ## 07.10 · challenge · 60 min · ●●●●● · Many words, and all of them words
#
# *Chapter 07: [3 · Right, or various](../chapters/07_text.ipynb#3-·-Right,-or-various)*
#
# A hot model writes words that do not exist; a cold one writes the same ones again. Can both be had? Thirty-two texts are
# drawn. The score: of every 100 words that they have, how many are *different* words that stand in the plays which the model
# has read. A word that is misspelt does not count, and one that was said before, in whichever text, does not count again.
#
# Write `rule(p, ids)`, which changes the probabilities before each draw. `p`: (B, V) tensor, what the model says of the next
# letter of each text. `ids`: (B, T) tensor, all letters of each text so far, prompt included (`codec.decode` turns a row
# into text). Returns (B, V). You may sharpen, flatten, cut, forbid, and look up words in `data.shakespeare()`. The check
# asks only for what any rule has to keep: distributions; nothing that the model holds for impossible; no chance of its own,
# for the draw has all of it; and a token of which the model is sure, even if your rule forbids it.

# %% nbgrader={"grade": false, "grade_id": "07-10", "locked": false, "schema_version": 3, "solution": true, "task": false}
def rule(p, ids):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "07-10-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"] jupyter={"source_hidden": true}
# Run this cell: it checks your answer.
@course.hints
def check_rule(rule):
    V, dice = len(vocab), torch.Generator().manual_seed(0)

    def at(p, texts):
        ids = torch.tensor([codec.encode(text) for text in texts])
        got = course.numbers(course.attempt(rule, p.clone(), ids), "probabilities, (B, V)")
        assert got.shape == p.shape, f"probabilities for each text and each letter, {tuple(p.shape)}, not {got.shape}"
        assert np.isfinite(got).all(), "nan or inf came out: was everything forbidden, and then divided by a sum of 0?"
        assert (got >= 0).all(), "a probability is never below zero: these look like logits, or their logarithms"
        sums = got.sum(1)
        assert np.allclose(sums, 1, atol=1e-4), f"each row sums to one, not to {sums[0]:.3f}: share out what is kept"
        assert (got[p.numpy() == 0] == 0).all(), "a letter of probability 0 has become possible"
        return got

    begun = ["ROMEO:\nBut, soft! what lig", "HAMLET:\nTo be, or not to b", "FOOL:\nThe rain it raineth ev"]
    texts = [text[-24:].rjust(24, "\n") for text in begun]
    for sharp in (1.0, 4.0, 30.0):
        p = (sharp * torch.randn(3, V, generator=dice)).softmax(1)
        first, second = at(p, texts), at(p, texts)
        assert np.array_equal(first, second), "the same question, another answer: a rule throws no dice of its own"
    p[:, ::2] = 0
    at(p / p.sum(1, keepdim=True), texts)
    for text in ("\n", "A", texts[0], "KING:\nxqzzk", "To be, or not to be, that is the question. " * 3):
        got = at(torch.eye(V), [text] * V)
        assert np.allclose(got, np.eye(V)), (
            f"after {text[-12:]!r} the model is sure of a letter, and your rule takes it away: where it forbids everything "
            "that is possible, let p pass"
        )
        at(torch.full((1, V), 1 / V), [text])


check_rule(rule)


# %% tags=["raises-exception"]
def words(text):
    return "".join(c if c.isalpha() else " " for c in text.lower()).split()


read = set(words(data.shakespeare()))


def score(rule, texts=32, length=50):
    """Of 100 words written, how many are different words of the plays."""
    ids = [torch.tensor([codec.encode("HAMLET:\n")] * texts)]
    keep = lambda p: torch.as_tensor(rule(p, torch.cat(ids, 1))).float()
    for letters in sample.tokens(model, ids[0], length, generator=torch.Generator().manual_seed(0), keep=keep):
        ids.append(letters[:, None])
    written = [codec.decode(row) for row in torch.cat(ids[1:], 1)]
    said = [word for text in written for word in words(text)[:-1]]  # the last one may be cut
    return 100 * len(read & set(said)) / max(len(said), 1), written[0]


hot = lambda p, ids: sample.min_p(p**0.75 / (p**0.75).sum(1, keepdim=True), 0.1)
ways = {"greedy": lambda p, ids: sample.top_k(p, 1), "the model": lambda p, ids: p, "ours": hot, "yours": rule}
reached = {name: score(way) for name, way in ways.items()}
for name, (points, text) in reached.items():
    print(f"{name:<10} {points:5.1f} of 100  {text!r}")

# %% tags=["raises-exception"]
assert all(0 <= points <= 100 for points, _ in reached.values())
assert reached["greedy"][0] < 5 < reached["the model"][0]  # greedy writes one text, 32 times

# %% [markdown]
# <details><summary>What came out: open it when the check is silent</summary>
#
# Is a text with a high score a good text? Read yours. The score knows spelling and a little of variety, and a rule that
# pushes on it gets just these (section 5: Goodhart).
#
# </details>
