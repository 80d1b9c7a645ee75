# %% [markdown]
# # 07 · Text in practice: exercises
#
# Run the first cell, then take the exercises in any order. *Verify*: write what the chapter derived. *Modify*:
# change it. *Investigate*: find out something that the chapter did not say. Each check tells you what it expected;
# when it is silent, you are done, and the cell below it plays with what you wrote.

# %%
import math

import numpy as np
import torch

from aigc import data, released, sample
from aigc.codecs.text import CharCodec, train_bpe
from aigc.models import ngram

model, vocab = released.load("shakespeare")  # the trained model that comes with the course: its tokens are letters
codec = CharCodec(vocab)


@torch.inference_mode()
def next_logits(text):
    """Of the letter after each letter of a text: (T, V), in nats."""
    return model(torch.tensor([codec.encode(text)]))[0]


# %% [markdown]
# ## 07.1 · verify · Temperature
#
# A language model gives each token $i$ of its vocabulary a logit $a_i$, which can be any number. Write
# `temper(logits, temperature)`, equation (7.1): $p_i = e^{a_i / T} / \sum_j e^{a_j / T}$.
#
# `logits`: (B, V) tensor, one row for each text of a batch. `temperature`: above 0. Returns (B, V); each row sums to
# one. Pencil first: two tokens have the logits 0 and $\ln 2$. What are their probabilities at $T = 1$, and at $T = 1/2$?


# %% nbgrader={"grade": false, "grade_id": "07-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def temper(logits, temperature):
    ### BEGIN SOLUTION
    return torch.softmax(logits / temperature, dim=-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "07-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_temper(temper):
    logits = torch.tensor([[1.0, 2.0, 5.0], [4.0, 2.0, 1.0]], dtype=torch.float64).log()
    one, half = temper(logits, 1.0), temper(logits, 0.5)
    assert half.shape == (2, 3), f"one probability for each text and token: (2, 3), not {tuple(half.shape)}"
    assert not torch.allclose(half.sum(0), logits.new_ones(3)), (
        "each text is a row, and each column sums to one: normalise over the vocabulary, the last axis"
    )
    assert not np.isclose(half.sum(), 1), "all texts together sum to one: every row needs a distribution of its own"
    assert not torch.allclose(half.sum(1), logits.new_full((2,), 2.0)), (
        "each row sums to 1 / T: divide the logits, before the softmax, not the probabilities after it"
    )
    assert torch.allclose(half.sum(1), logits.new_ones(2)), (
        "a row must sum to one: divide by the sum of its powers of e"
    )
    eighths = logits.new_tensor([1.0, 2.0, 5.0]) / 8
    assert torch.allclose(one[0], eighths), "the odds 1 : 2 : 5 at temperature 1 are 1/8, 2/8, 5/8: one softmax, once"
    assert not torch.allclose(half, one), "the temperature changed nothing: it must stand in the exponent, under a"
    assert half[0, 2] > one[0, 2], "below 1 a temperature must sharpen: divide by it, do not multiply"
    assert torch.allclose(half[0], logits.new_tensor([1.0, 4.0, 25.0]) / 30), "at 1/2 the odds 1 : 2 : 5 are squared"
    large = temper(torch.tensor([[1000.0, 999.0, 0.0]]), 0.5)
    assert large.isfinite().all(), "exp(2000) is no number in a computer: subtract the row's largest first"


check_temper(temper)

### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "after the softmax": (lambda a, t: a.softmax(-1) / t, "before the softmax"),
    "after the softmax, normalised": (lambda a, t: (p := a.softmax(-1) / t) / p.sum(-1, True), "in the exponent"),
    "multiplied": (lambda a, t: (a * t).softmax(-1), "do not multiply"),
    "over the texts": (lambda a, t: (a / t).softmax(0), "the last axis"),
    "over everything": (lambda a, t: (a / t).flatten().softmax(0).view(a.shape), "a distribution of its own"),
    "forgotten": (lambda a, t: a.softmax(-1), "changed nothing"),
    "softmax twice": (lambda a, t: (a.softmax(-1) / t).softmax(-1), "one softmax, once"),
    "not normalised": (lambda a, t: (a / t).exp(), "the sum of its powers"),
    "overflow": (lambda a, t: (e := (a / t).exp()) / e.sum(-1, True), "subtract the row's largest"),
}
### END HIDDEN TESTS

# %% tags=["nbval-ignore-output"]
logits = next_logits("HAMLET:\nTo be, or not to b")[-1:]
for temperature in (0.3, 1.0, 3.0):
    p = temper(logits, temperature)[0]
    choices = torch.exp(-(p * p.log()).nansum()).item()
    best = "  ".join(f"{vocab[i]!r} {p[i]:.3f}" for i in p.argsort(descending=True)[:4].tolist())
    print(f"T = {temperature}: {best}   as open as {choices:.1f} equal choices")

# %%
for temperature in (0.3, 1.0, 3.0):
    assert torch.allclose(temper(logits, temperature), sample.temper(logits, temperature))

# %% [markdown]
# ## 07.2 · verify · The nucleus
#
# Write `nucleus(p, top_p)`, a line of equation (7.2): keep the fewest most probable tokens whose probabilities sum to
# **at least** `top_p`; all others get 0; what is kept is normalised again (Holtzman et al. 2020, arXiv:1904.09751).
#
# `p`: (V,) tensor, summing to one, in the order of the vocabulary. `top_p`: above 0, at most 1. Returns (V,), in the same
# order. Pencil first: which of 1/16, 1/2, 3/16, 1/4 stay at `top_p` 0.7, which at 0.75, and which at 0.8?


# %% nbgrader={"grade": false, "grade_id": "07-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nucleus(p, top_p):
    ### BEGIN SOLUTION
    ordered, order = p.sort(descending=True)
    before = ordered.cumsum(0) - ordered  # what the tokens before each one hold together
    kept = torch.zeros_like(p)
    kept[order] = torch.where(before < top_p, ordered, 0.0)
    return kept / kept.sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "07-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_nucleus(nucleus):
    p, equal = torch.tensor([1 / 16, 1 / 2, 3 / 16, 1 / 4]), torch.full((8,), 1 / 8)
    given = p.clone()
    most, exact, flat = nucleus(p, 0.7), nucleus(p, 0.75), nucleus(equal, 0.5)
    assert most.shape == (4,), f"a place for each token, with 0 where it was dropped: (4,), not {tuple(most.shape)}"
    assert torch.equal(p, given), "p itself was changed: the caller still needs it, so work on a copy"
    assert (flat > 0).any(), "of eight equal tokens none holds a half alone, but four do together: add them up"
    assert (flat > 0).sum() < 8, "eight equal tokens are all kept, and four hold a half: the threshold is for a sum"
    assert not torch.allclose(most, torch.tensor([2, 1, 0, 0]) / 3), "put each token back to its place: this is sorted"
    assert not (most[0] > 0 and most[3] == 0), "1/16 is kept and 1/4 is dropped: sort before you add up"
    assert np.isclose(most.nansum(), 1), "what is kept must sum to one: divide by what it holds together"
    assert most[3] > 0, "1/2 alone is less than 0.7: the token with which the sum gets there belongs to the nucleus"
    assert (exact > 0).sum() == 2, "1/2 and 1/4 hold 0.75, which is at least 0.75: a third token is too many"
    assert torch.allclose(most, torch.tensor([0, 2, 0, 1]) / 3), "1/2 and 1/4 stay, as 2/3 and 1/3"
    assert torch.allclose(nucleus(p, 0.1), torch.tensor([0.0, 1.0, 0.0, 0.0])), "the most probable token always stays"
    assert torch.allclose(nucleus(p, 1.0), p), "top_p = 1 must keep everything as it is"


check_nucleus(nucleus)


### BEGIN HIDDEN TESTS
def normalised(kept):
    return kept / kept.sum()


def by_order(p, keep, unsort=True):
    """Keep by a rule of (sorted p, cumulated sum)."""
    ordered, order = p.sort(descending=True)
    kept = torch.where(keep(ordered, ordered.cumsum(0)), ordered, 0.0)
    return kept[order.argsort()] if unsort else kept


MISCONCEPTIONS = {
    "without the token that crosses": (lambda p, t: normalised(by_order(p, lambda q, c: c <= t)), "gets there"),
    "one too many": (lambda p, t: normalised(by_order(p, lambda q, c: c - q <= t)), "too many"),
    "not normalised": (lambda p, t: by_order(p, lambda q, c: c - q < t), "divide by what it holds"),
    "single probabilities": (lambda p, t: normalised(torch.where(p >= t, p, 0.0)), "add them up"),
    "single, from the other end": (lambda p, t: normalised(torch.where(p >= 1 - t, p, 0.0)), "add them up"),
    "min-p": (lambda p, t: normalised(torch.where(p >= t * p.max(), p, 0.0)), "the threshold is for a sum"),
    "not sorted": (lambda p, t: normalised(torch.where(p.cumsum(0) - p < t, p, 0.0)), "sort before"),
    "left in order of size": (
        lambda p, t: normalised(by_order(p, lambda q, c: c - q < t, False)),
        "put each token back",
    ),
    "only what is kept": (lambda p, t: (k := by_order(p, lambda q, c: c - q < t))[k > 0] / k.sum(), "a place for each"),
}
### END HIDDEN TESTS

# %% tags=["nbval-ignore-output"]
line = "But, soft! what light through yonder window breaks?"
p = next_logits("ROMEO:\n" + line).softmax(-1)[-len(line) - 1 : -1]  # row t: what may stand at place t of the line
size = [int((nucleus(row, 0.9) > 0).sum()) for row in p]
print(line)
print("".join(str(min(n, 9)) for n in size), " letters in the nucleus of 0.9; 9 stands for 9 or more")

# %%
first = [n for n, before in zip(size, " " + line) if before == " "]  # of the words' first letters
later = [n for n, before, here in zip(size, " " + line, line) if before.isalpha() and here.isalpha()]
assert np.mean(first) > 2 * np.mean(later)  # where a word begins much is possible, inside it little
assert all(torch.allclose(nucleus(row, 0.9), sample.nucleus(row, 0.9)) for row in p)

# %% [markdown]
# A fixed number of letters, as top-k keeps, would be too few at the first letter of a word and too many at its last.
#
# ## 07.3 · verify · Perplexity per word
#
# Two models with different tokenizers cut the same text into different numbers of tokens, and the one with the shorter
# tokens has the easier guesses. Words are the same for both. Write `word_perplexity(nats, words)`: add up what the whole
# text costs, share it out over its words, and take the exponential.
#
# `nats`: (N,), the surprise $-\ln p$ of each token. `words`: how many words the text has. Returns one number. Pencil
# first: a text of two words was cut into three tokens with the probabilities 1/2, 1/8 and 1/4.


# %% nbgrader={"grade": false, "grade_id": "07-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def word_perplexity(nats, words):
    ### BEGIN SOLUTION
    return math.exp(np.sum(nats) / words)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "07-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_word_perplexity(word_perplexity):
    nats = np.log([2.0, 8.0, 4.0])
    got = word_perplexity(nats, 2)
    assert np.ndim(got) == 0, f"one number for the whole text, not the shape {np.shape(got)}: add up its tokens"
    assert not np.isclose(got, 2 ** (np.log(64) / 2)), "nats are powers of e, bits are powers of 2: these are nats"
    assert not np.isclose(got, 4), "this is the perplexity per token: share the sum out over the words"
    assert not np.isclose(got, 14 / 3) and not np.isclose(got, 7), "first add up, then take one exponential of it all"
    assert not np.isclose(got, 32), "the number of words divides the nats, so it belongs into the exponent"
    assert not np.isclose(got, 6), "tokens per word is an exponent too: 4 to the power 3/2, not 4 times 3/2"
    assert not np.isclose(got, np.log(8)), "these are nats per word: a perplexity is the exponential of them"
    assert got > 1, "below 1, as if more than sure: the surprises are positive already, so no minus"
    assert np.isclose(got, 8), f"1/2 x 1/8 x 1/4 is 1/64, for two words: the root of 64 is 8, not {got}"
    assert np.isclose(word_perplexity(np.log([16.0, 4.0]), 2), 8), (
        "cut into two tokens the same text must cost the same"
    )


check_word_perplexity(word_perplexity)

### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "wrong base": (lambda n, w: 2 ** (n.sum() / w), "these are nats"),
    "per token": (lambda n, w: np.exp(n.mean()), "per token"),
    "exponential of each token": (lambda n, w: np.exp(n).mean(), "one exponential"),
    "exponential of each token, per word": (lambda n, w: np.exp(n).sum() / w, "one exponential"),
    "divided after the exponential": (lambda n, w: np.exp(n.sum()) / w, "belongs into the exponent"),
    "times tokens per word": (lambda n, w: np.exp(n.mean()) * len(n) / w, "an exponent too"),
    "nats": (lambda n, w: n.sum() / w, "nats per word"),
    "sign": (lambda n, w: np.exp(-n.sum() / w), "no minus"),
    "not added up": (lambda n, w: np.exp(n / w), "add up its tokens"),
}
### END HIDDEN TESTS

# %%
train, unread = data.shakespeare()[:1_000_000], data.shakespeare("validation")[:20_000]
pieces = train_bpe(train, 1000)  # byte pairs: any text can be cut into them, so no word is unknown
cut = {"letters": (codec.encode, len(vocab)), "byte pairs": (lambda text: pieces.encode(text).ids, 1000)}
per_token, per_word = [], []
for tokens, order in (("letters", 3), ("byte pairs", 2), ("letters", 5)):
    encode, V = cut[tokens]
    chain = ngram.fit_kneser_ney([np.array(encode(train))], V, order)
    nats = -chain.log_prob(np.array(encode(unread)))  # but for the first `order` tokens, which have no context
    per_token.append(np.exp(nats.mean()))
    per_word.append(word_perplexity(nats, len(unread.split())))
    print(f"{tokens:<10} order {order}: {per_token[-1]:5.1f} per token, {per_word[-1]:6.0f} per word")
assert max(per_token[0], per_token[2]) < per_token[1] / 5 and per_word[2] < per_word[1] < per_word[0]

# %% [markdown]
# Per token both chains of letters look far better than the byte pairs. Per word one of them is worse. (Byte pairs could
# spell the same text in other ways too; we counted only the tokenizer's own, so what they are charged is a little too
# much, never too little.)
#
# ## 07.4 · modify · Do not say it again
#
# Keskar et al. (2019, arXiv:1909.05858) divide the logits of all tokens that were already written by a penalty above 1.
# A negative logit grows when it is divided, and the token would be said *more* often. Libraries therefore do this:
# positive logits are divided by the penalty, negative ones multiplied. How often a token was written does not matter.
#
# Write `penalise(logits, ids, penalty)`. `logits`: (V,) tensor, which you leave as it is. `ids`: list of the tokens
# written so far. `penalty`: 1 or more. Returns (V,). Pencil first: logits 3, -1, 0.5, -2, written so far 0, 1, 0,
# penalty 1.5. And predict: a softmax does not notice a number that is added to all logits; does the penalty notice?


# %% nbgrader={"grade": false, "grade_id": "07-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def penalise(logits, ids, penalty):
    ### BEGIN SOLUTION
    written = torch.zeros_like(logits, dtype=torch.bool)
    written[ids] = True
    return torch.where(written, torch.where(logits > 0, logits / penalty, logits * penalty), logits)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "07-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_penalise(penalise):
    logits = torch.tensor([3.0, -1.0, 0.5, -2.0])
    given = logits.clone()
    got = penalise(logits, [0, 1, 0], 1.5)
    assert got.shape == (4,), f"one logit for each token of the vocabulary: (4,), not {tuple(got.shape)}"
    assert torch.equal(logits, given), "the logits that came in were changed: work on a copy"
    assert got.isfinite().all(), "a penalty is no ban: a token that was written may come again"
    assert np.isclose(got[2], 0.5) and np.isclose(got[3], -2), "tokens 2 and 3 were never written: leave them alone"
    assert not np.isclose(got[0], 3 / 1.5**2), "token 0 was written twice, and counts once: 3 / 1.5"
    assert not np.isclose(got[0], 1.5), "do not subtract: a penalty of 1 has to change nothing, so it is a factor"
    assert got[0] < 3, "token 0 became more probable: a positive logit is divided by the penalty"
    assert got[1] < -1, "token 1 became more probable: divided, a negative logit grows, so multiply it"
    assert torch.allclose(got, torch.tensor([2.0, -1.5, 0.5, -2.0])), "3 / 1.5 and -1 x 1.5, the rest as it was"
    assert torch.equal(penalise(logits, [0, 1, 2, 3], 1.0), given), "penalty 1 must change nothing"
    assert torch.equal(penalise(logits, [], 1.5), given), "where nothing was written, nothing is penalised"


check_penalise(penalise)


### BEGIN HIDDEN TESTS
def changed(logits, places, new):
    out = logits.clone()
    for i in places:
        out[i] = new(out[i])
    return out


def in_place(logits, ids, penalty):
    for i in set(ids):
        logits[i] = logits[i] / penalty if logits[i] > 0 else logits[i] * penalty
    return logits


MISCONCEPTIONS = {
    "always divided": (lambda a, ids, r: changed(a, set(ids), lambda x: x / r), "a negative logit grows"),
    "always multiplied": (lambda a, ids, r: changed(a, set(ids), lambda x: x * r), "is divided by the penalty"),
    "once for each time": (lambda a, ids, r: changed(a, ids, lambda x: x / r if x > 0 else x * r), "counts once"),
    "subtracted": (lambda a, ids, r: changed(a, set(ids), lambda x: x - r), "do not subtract"),
    "all tokens": (lambda a, ids, r: torch.where(a > 0, a / r, a * r), "never written"),
    "forbidden": (lambda a, ids, r: changed(a, set(ids), lambda x: -torch.inf), "no ban"),
    "in place": (in_place, "work on a copy"),
}
### END HIDDEN TESTS

# %%
logits = torch.tensor([2.0, 1.0, 0.0])
for added in (-10.0, 0.0, 10.0):
    p = (logits + added).softmax(0)
    q = penalise(logits + added, [0], 1.3).softmax(0)
    print(f"all logits {added:+.0f}: token 0 had {p[0]:.3f}, and has {q[0]:.3f} after the penalty")
q = torch.stack([penalise((logits + added).log_softmax(0), [0], 1.3).softmax(0) for added in (-10.0, 0.0, 10.0)])
print(f"penalised as logarithms of probabilities: {q[0, 0]:.3f}, {q[1, 0]:.3f}, {q[2, 0]:.3f}")
assert torch.allclose(q[0], q[1]) and torch.allclose(q[0], q[2])

# %% [markdown]
# The same beliefs, three different penalties: how hard a token is hit depends on a number that means nothing. Logarithms
# of probabilities have no such number in them, and there the penalty is a power of the probability, $p^{1.3}$.
#
# ## 07.5 · modify · Pad on the left
#
# A batch is a rectangle, prompts are not. A model of language draws the next token from what it says at the **last**
# column, so there must stand the last token of every prompt. Write `pad_left(rows, pad)`.
#
# `rows`: list of lists of tokens, each with at least one. `pad`: the token to fill up with; GPT-2 has none of its own and
# is given its end-of-text token, so `pad` may also stand *inside* a text. Returns two (B, T) int64 tensors, T the longest
# row: the tokens, and a mask with 1 for what was written and 0 for what was filled up. Pencil first: both tensors for the
# rows 5 0 7 0, 3 0 and 4, with `pad` 0.
#
# The cell below the check asks the course's small model, which takes no mask and so reads what was filled up. It prints how
# far its next letter is from that of the prompt alone: half the sum of the differences between the two distributions, 0
# where they are equal, 1 where they share nothing. Predict: how far on the left, and how far on the right?


# %% nbgrader={"grade": false, "grade_id": "07-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pad_left(rows, pad):
    ### BEGIN SOLUTION
    T = max(len(row) for row in rows)
    ids = torch.tensor([[pad] * (T - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (T - len(row)) + [1] * len(row) for row in rows])
    return ids, mask
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "07-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_pad_left(pad_left):
    rows = [[5, 0, 7, 0], [3, 0], [4]]
    got = pad_left(rows, 0)
    assert isinstance(got, tuple | list) and len(got) == 2, "return two tensors: the tokens, and their mask"
    ids, mask = (torch.as_tensor(x).long() for x in got)
    assert ids.shape[1:] != (1,), "the rows were cut to the shortest: fill the short ones up to the longest"
    assert ids.shape == mask.shape == (3, 4), f"(3, 4) each, not {tuple(ids.shape)} and {tuple(mask.shape)}"
    assert ids[2].tolist() != [4, 0, 0, 0], "the last column must hold a token of every prompt: fill up on the left"
    assert ids[0].tolist() != [0, 7, 0, 5], "the tokens of a row stand in reverse: turn them back after filling up"
    assert ids.tolist() == [[5, 0, 7, 0], [0, 0, 3, 0], [0, 0, 0, 4]], f"the tokens are not in place: {ids.tolist()}"
    assert mask[2].tolist() != [1, 1, 1, 0], "the mask is 1 for what was written and 0 for what was filled up"
    assert mask[1].tolist() != [0, 0, 1, 0], "a text may hold the pad token itself: make the mask from the lengths"
    assert mask.tolist() == [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]], f"the mask is {mask.tolist()}"
    assert torch.as_tensor(pad_left(rows, 9)[0])[2].tolist() == [9, 9, 9, 4], "fill up with `pad`, here 9"


check_pad_left(pad_left)


### BEGIN HIDDEN TESTS
def padded(rows, pad):
    T = max(map(len, rows))
    return torch.tensor([[pad] * (T - len(row)) + row for row in rows])


def true_mask(rows, pad):
    return padded([[1] * len(row) for row in rows], 0)


def on_the_right(rows, pad):
    T = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (T - len(row)) for row in rows])
    return ids, torch.tensor([[1] * len(row) + [0] * (T - len(row)) for row in rows])


def to_the_shortest(rows, pad):
    ids = torch.tensor([row[-min(map(len, rows)) :] for row in rows])
    return ids, torch.ones_like(ids)


MISCONCEPTIONS = {
    "on the right": (on_the_right, "on the left"),
    "on the right, then turned round": (lambda r, p: tuple(x.flip(1) for x in on_the_right(r, p)), "in reverse"),
    "mask upside down": (lambda r, p: (padded(r, p), 1 - true_mask(r, p)), "0 for what was filled up"),
    "mask from the tokens": (lambda r, p: (padded(r, p), padded(r, p) != p), "from the lengths"),
    "cut to the shortest": (to_the_shortest, "cut to the shortest"),
    "always with zeros": (lambda r, p: (padded(r, 0), true_mask(r, p)), "fill up with `pad`"),
    "no mask": (lambda r, p: padded(r, p), "return two tensors"),
}
### END HIDDEN TESTS

# %% tags=["nbval-ignore-output"]
prompts = ["KING HENRY:\nOnce more unto the brea", "JULIET:\nO Rome", "ROMEO:\nBut, so"]
alone = torch.stack([next_logits(text)[-1].softmax(-1) for text in prompts])
rows, newline = [codec.encode(text) for text in prompts], codec.encode("\n")[0]
left, mask = pad_left(rows, newline)
right = torch.stack([row.roll(int(n)) for row, n in zip(left, mask.sum(1))])  # what was filled up goes to the end
with torch.inference_mode():
    distance = [(model(ids)[:, -1].softmax(-1) - alone).abs().sum(-1) / 2 for ids in (left, right)]
for text, a, b in zip(prompts, *distance):
    print(f"{text[-10:]!r:<14} filled up on the left {a:.3f}, on the right {b:.3f}")

# %%
assert max(distance[0][0], distance[1][0]) < 1e-4  # the longest needs no filling
assert (distance[0][1:] < distance[1][1:]).all()  # on the right the model is asked what follows empty lines
assert (distance[0][1:] > 0).all()  # on the left a little is left over: for that there is the mask

# %% [markdown]
# What is left over goes when the attention is masked too: models of the transformers library take `attention_mask=mask`.
# GPT-2 also learnt its positions by number, so that each prompt must be counted from its own first token.
#
# ## 07.6 · modify · Beam search
#
# Greedy decoding takes the most probable token each time and cannot go back. Beam search keeps `width` beginnings. At each
# of `length` steps it continues every one of them with every token, and of **all** these keeps the `width` with the
# largest $\ln p$ of the whole text so far. Write `beam(log_p, prefix, length, width)`.
#
# `log_p`: a function that takes a tuple of tokens and returns (V,), the logarithm of the probability of each next token.
# `prefix`: the tuple to begin with; it costs nothing. Returns the best text as a tuple, prefix included, and its $\ln p$.
# Pencil first: in the tree of the check, follow a beam of width 2. `tree[(0, 1)]` holds what may follow token 0, then 1.
#
# After the check the trained model continues a line of *Macbeth*, which it has never read. A wider beam usually finds more
# probable texts. Predict: will it reach Shakespeare's own words, and how probable are they?


# %% nbgrader={"grade": false, "grade_id": "07-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def beam(log_p, prefix, length, width):
    ### BEGIN SOLUTION
    kept = [(tuple(prefix), 0.0)]
    for _ in range(length):
        longer = [(text + (i,), score + s) for text, score in kept for i, s in enumerate(log_p(text))]
        kept = sorted(longer, key=lambda one: -one[1])[:width]
    return kept[0]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "07-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_beam(beam):
    tree = {(): [0.5, 0.3, 0.2], (0,): [0.4, 0.35, 0.25], (1,): [0.45, 0.3, 0.25], (2,): [0.9, 0.05, 0.05]}
    tree |= {(0, 0): [0.5, 0.3, 0.2], (0, 1): [0.05, 0.9, 0.05], (1, 0): [0.03, 0.02, 0.95]}
    log_p = lambda text: np.log(tree.get(tuple(text), [1 / 3] * 3))
    got = beam(log_p, (), 3, 2)
    assert isinstance(got, tuple | list) and len(got) == 2, "return the best text and its logarithm of p"
    text, score = tuple(int(i) for i in got[0]), float(got[1])
    assert len(text) == 3, f"three steps write three tokens, not {len(text)}"
    assert score <= 0, "probabilities of one text multiply: it is their logarithms that are added"
    assert not np.isclose(score, np.log(0.95)), "this is the last step alone: add it to the score so far"
    assert text != (0, 0, 0), "this is greedy: 0, 1 is second after two steps, stays in the beam, and wins"
    assert text != (1, 0, 2), "1, 0 is third after two steps (0.135): keep the best over all, not of each beginning"
    assert text == (0, 1, 1), f"0.5 x 0.35 x 0.9 is the best that a beam of 2 finds: (0, 1, 1), not {text}"
    assert np.isclose(score, np.log(0.1575)), "ln p of the whole text is ln(0.5 x 0.35 x 0.9), not shared out over it"
    assert tuple(beam(log_p, (), 2, 9)[0]) == (0, 0), "a beam as wide as the tree must find the largest product, 0.2"
    text, score = beam(log_p, (0,), 2, 2)
    assert tuple(text) == (0, 1, 1) and np.isclose(score, np.log(0.315)), "begin with the prefix, which costs nothing"


check_beam(beam)


### BEGIN HIDDEN TESTS
def search(log_p, prefix, length, width, score=lambda past, s: past + s, keep=None):
    kept = [(tuple(prefix), 0.0)]
    for _ in range(length):
        grown = [[(text + (i,), score(past, s)) for i, s in enumerate(log_p(text))] for text, past in kept]
        best = sorted(sum(grown, []), key=lambda one: -one[1])
        kept = [max(some, key=lambda one: one[1]) for some in grown] if keep and len(kept) == width else best[:width]
    return max(kept, key=lambda one: one[1])


def ranked_by_sums(log_p, prefix, length, width):
    text, _ = search(log_p, prefix, length, width, lambda past, s: past + np.exp(s))
    return text, sum(log_p(text[:i])[text[i]] for i in range(len(prefix), len(text)))


def shared_out(log_p, prefix, length, width):
    text, score = search(log_p, prefix, length, width)
    return text, score / length


MISCONCEPTIONS = {
    "greedy": (lambda f, x, n, w: search(f, x, n, 1), "this is greedy"),
    "probabilities added": (lambda f, x, n, w: search(f, x, n, w, lambda a, s: a + np.exp(s)), "logarithms that are"),
    "ranked by added probabilities": (ranked_by_sums, "the largest product"),
    "the best of each beginning": (lambda f, x, n, w: search(f, x, n, w, keep="each"), "keep the best over all"),
    "score so far forgotten": (lambda f, x, n, w: search(f, x, n, w, lambda a, s: s), "score so far"),
    "mean over the tokens": (shared_out, "not shared out"),
    "prefix forgotten": (lambda f, x, n, w: search(f, (), n, w), "begin with the prefix"),
    "text alone": (lambda f, x, n, w: search(f, x, n, w)[0], "return the best text and"),
}
### END HIDDEN TESTS

# %% tags=["nbval-ignore-output"]
start, truth = "MACBETH:\nIs this a dagger which I s", "ee before me,\nThe handle"
begin, length = tuple(codec.encode(start)), len(truth)
log_p = lambda ids: next_logits(codec.decode(ids))[-1].log_softmax(-1).tolist()
found = {width: beam(log_p, begin, length, width) for width in (1, 3, 9)}
for width, (ids, score) in found.items():
    print(f"beam {width}: {-score / length:.2f} nats a letter  {codec.decode(ids[len(begin) :])!r}")
ids = begin + tuple(codec.encode(truth))
cost = -sum(log_p(ids[:i])[ids[i]] for i in range(len(begin), len(ids)))
print(f"his own: {cost / length:.2f} nats a letter  {truth!r}")

# %%
assert "Is this a dagger which I s" + truth in data.shakespeare("validation")
assert "this a dagger" not in data.shakespeare()
assert -found[9][1] < -found[1][1] < cost  # wider is more probable here, and what he wrote is far less probable

# %% [markdown]
# What people write is not what is most probable: a beam answers a question that nobody asked of a poet (Holtzman et al.
# 2020). Where there is one right answer, as in translation, it serves.
#
# ## 07.7 · investigate · What is the best of n worth?
#
# You drew N texts and measured the reward of each. What would the best of n draws have, on average? To choose n of them
# once is a lottery. Take *all* sets of n: each is a fair draw, so the mean of their bests is right on average. Sort the
# rewards, $r_{(1)} \le \dots \le r_{(N)}$. Of the $\binom{N}{n}$ sets, those in which $r_{(i)}$ is the best take it and
# $n - 1$ of the $i - 1$ before it. How many are they?
#
# Write `expected_best(rewards, n)`, the mean of the best over all sets of n. `rewards`: (N,), in any order, N >= n >= 1.
# Returns one number. Pencil first: rewards 5, 0, 10, 1 and n = 2. For thousands of rewards the counts are too large for
# floats; `math.comb(N, n)` is a whole number of any size, and two such can be divided.
#
# After the check the trained model writes 256 texts; the reward of a text is its $\ln p$ per letter, as the model sees it,
# in nats. Predict: by how much does the best grow from 1 draw to 2, from 16 to 32, and from 128 to 256? The last column
# is how far (7.4) lets the best of n be from one draw, at most: $\ln n - (n - 1) / n$ nats.


# %% nbgrader={"grade": false, "grade_id": "07-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def expected_best(rewards, n):
    ### BEGIN SOLUTION
    N = len(rewards)
    sets = math.comb(N, n)
    share = [math.comb(i, n - 1) / sets for i in range(N)]
    return float(np.dot(share, np.sort(rewards)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "07-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_expected_best(expected_best):
    rewards = np.array([5.0, 0.0, 10.0, 1.0])
    with np.errstate(all="ignore"):
        got, large = expected_best(rewards, 2), expected_best(np.arange(1, 2001), 1000)
    assert np.ndim(got) == 0, f"one number, the mean over all sets of n, not the shape {np.shape(got)}"
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
    assert np.isclose(expected_best(rewards, 1), 4), "the best of one is the mean of all"
    assert np.isclose(expected_best(rewards, 4), 10), "the best of all four is the largest"
    assert np.isfinite(large), "too large for floats: count with math.comb, and divide whole numbers"
    assert np.isclose(large, 1000 * 2001 / 1001), "the best of 1000 from 1 .. 2000 is 1000 x 2001 / 1001 on average"


check_expected_best(expected_best)


### BEGIN HIDDEN TESTS
def weighted(order, weight):
    def function(rewards, n):
        N = len(rewards)
        return float(sum(weight(i, N, n) * r for i, r in enumerate(order(rewards))))

    return function


chance = lambda i, N, n: math.comb(i, n - 1) / math.comb(N, n)


def in_floats(rewards, n):
    factorial = lambda k: np.exp(np.log(np.arange(1.0, k + 1)).sum())
    comb = lambda a, b: factorial(a) / factorial(b) / factorial(a - b) if a >= b else 0.0
    return weighted(np.sort, lambda i, N, n: comb(i, n - 1) / comb(N, n))(rewards, n)


MISCONCEPTIONS = {
    "mean of the n largest": (lambda r, n: np.sort(r)[-n:].mean(), "takes for granted"),
    "the largest of all": (lambda r, n: r.max(), "only by some"),
    "best of the first n": (lambda r, n: r[:n].max(), "one set of six"),
    "put back": (weighted(np.sort, lambda i, N, n: ((i + 1) / N) ** n - (i / N) ** n), "put back"),
    "sorted the wrong way": (weighted(lambda r: np.sort(r)[::-1], chance), "the worst of each set"),
    "not sorted": (weighted(lambda r: r, chance), "sort them first"),
    "mean plus log n": (lambda r, n: r.mean() + np.log(n), "not the reward"),
    "floats": (in_floats, "too large for floats"),
}
### END HIDDEN TESTS

# %% tags=["nbval-ignore-output"]
prompt, length = torch.tensor([codec.encode("JULIET:\nO ")] * 256), 32
drawn = torch.stack(list(sample.tokens(model, prompt, length, generator=torch.Generator().manual_seed(0))), 1)
with torch.inference_mode():
    log_p = model(torch.cat([prompt, drawn], 1)[:, :-1]).log_softmax(-1)[:, -length:]
rewards = log_p.gather(-1, drawn[..., None]).double().mean((1, 2)).numpy()
best = {n: expected_best(rewards, n) for n in range(1, 257)}
for n in (2**k for k in range(9)):
    gain = f"{best[n] - best[n // 2]:+.3f}" if n > 1 else "      "
    print(f"best of {n:>3}: {best[n]:.3f}  by doubling {gain}  at most {np.log(n) - (n - 1) / n:.2f} nats away")
for name, i in (("the best", rewards.argmax()), ("the middle", rewards.argsort()[128])):
    print(f"{name:<10} {rewards[i]:.2f} {codec.decode(drawn[i])!r}")

# %%
each = np.diff(list(best.values()))
assert (each > 0).all() and (np.diff(each) < 1e-12).all()  # every further draw helps, and less than the one before
good = (rewards > np.quantile(rewards, 0.9)).astype(float)  # 1 for the best tenth: passed, or not
for n in (1, 5, 20):
    pass_at_n = 1 - math.comb(256 - int(good.sum()), n) / math.comb(256, n)
    assert np.isclose(expected_best(good, n), pass_at_n)

# %% [markdown]
# No further draw adds more than the one before: this holds for every list of rewards. What a *doubling* adds does not
# have to shrink: where rewards have a long tail upwards it grows. But trust the last lines least: the best of 256 out of
# 256 is one measured number, with nothing to take a mean of. And with rewards of 0 and 1 your estimate is the "pass@n" by
# which programs written by language models are judged (Chen et al. 2021, arXiv:2107.03374).
#
# ## 07.8 · investigate · LoRA, merged
#
# LoRA (Hu et al. 2022, arXiv:2106.09685) leaves a matrix $W$ as it is and trains two thin ones beside it. Write
# `merge(W, A, B, alpha)`: the one matrix of equation (7.5), $W + \frac{\alpha}{r} B A$, and how many numbers were trained.
#
# `W`: (out, in) tensor, which you leave as it is. `A`: (r, in). `B`: (out, r). `alpha`: above 0. Returns the (out, in)
# matrix and a whole number. Pencil first: for a square matrix of 576, as SmolLM2-135M has, and r = 8, which share of its
# weights is trained? At which r would LoRA train as many numbers as the matrix has?
#
# On paper merged and unmerged are equal. Weights are often stored as bfloat16, which has eight binary digits. Predict: what
# is left of an update a thousand times smaller than the weights, when it is merged and stored?


# %% nbgrader={"grade": false, "grade_id": "07-8", "locked": false, "schema_version": 3, "solution": true, "task": false}
def merge(W, A, B, alpha):
    ### BEGIN SOLUTION
    r = A.shape[0]
    return W + alpha / r * B @ A, A.numel() + B.numel()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "07-8-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_merge(merge):
    W, A = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    B, given = torch.tensor([[2.0, 1.0], [0.0, 3.0]]), W.clone()
    got = merge(W, A, B, 6.0)
    assert isinstance(got, tuple | list) and len(got) == 2, "return two things: the matrix, and how many were trained"
    added = got[0] - given
    assert torch.equal(W, given), "W itself was changed: with the frozen matrix gone, nobody can take this off again"
    assert not torch.allclose(got[0], 3 * B @ A), "this is only what is added: W is missing"
    assert not torch.allclose(added, 6 * B @ A), "alpha is divided by r, here 2"
    assert not torch.allclose(added, 3 * A @ B), "the input meets A first, so A stands on the right: B A, not A B"
    assert not torch.allclose(added, 3 * (B @ A).T), "this is transposed: out are the rows, in are the columns"
    assert torch.allclose(added, 3 * B @ A), "6 / 2 times B A should have been added"
    make = torch.Generator().manual_seed(0)
    W, A, B, x = (torch.randn(n, m, generator=make).double() for n, m in ((5, 3), (2, 3), (5, 2), (7, 3)))
    merged, trained = merge(W, A, B, 6.0)
    beside = x @ W.T + 3 * (x @ A.T) @ B.T
    assert torch.allclose(x @ merged.T, beside), "r is the thin side: the rows of A, here 2, not the inputs or outputs"
    assert trained not in (15, 31), "W is frozen: count only what is trained, A and B"
    assert trained == 16, f"A has 2 x 3 numbers and B has 5 x 2: 16 together, not {trained}"
    assert torch.equal(merge(W, A, 0 * B, 6.0)[0], W), "B starts at zero, so that at first nothing is changed"


check_merge(merge)


### BEGIN HIDDEN TESTS
def in_place(W, A, B, alpha):
    W += alpha / len(A) * B @ A
    return W, A.numel() + B.numel()


both = lambda A, B: A.numel() + B.numel()

MISCONCEPTIONS = {
    "not divided by r": (lambda W, A, B, a: (W + a * B @ A, both(A, B)), "divided by r"),
    "the wrong order": (lambda W, A, B, a: (W + a / len(A) * A @ B, both(A, B)), "not A B"),
    "transposed": (lambda W, A, B, a: (W + a / len(A) * A.T @ B.T, both(A, B)), "this is transposed"),
    "without W": (lambda W, A, B, a: (a / len(A) * B @ A, both(A, B)), "W is missing"),
    "r is the inputs": (lambda W, A, B, a: (W + a / A.shape[1] * B @ A, both(A, B)), "the thin side"),
    "r is the outputs": (lambda W, A, B, a: (W + a / len(B) * B @ A, both(A, B)), "the thin side"),
    "counts W": (lambda W, A, B, a: (W + a / len(A) * B @ A, W.numel() + both(A, B)), "W is frozen"),
    "counts the merged": (lambda W, A, B, a: (W + a / len(A) * B @ A, W.numel()), "W is frozen"),
    "in place": (in_place, "nobody can take this off"),
    "the matrix alone": (lambda W, A, B, a: W + a / len(A) * B @ A, "return two things"),
}
### END HIDDEN TESTS

# %%
rng = np.random.default_rng(0)
W, A, B = (torch.from_numpy(rng.normal(size=shape)) for shape in ((576, 576), (8, 576), (576, 8)))
W = W.bfloat16().double()  # as it came
_, trained = merge(W, A, B, 8.0)
print(f"trained {trained:,} of {W.numel():,} numbers, {trained / W.numel():.1%}")
for size in (1e-1, 1e-2, 1e-3):
    update = merge(torch.zeros_like(W), A, B, 8.0)[0]
    small = B * size * W.norm() / update.norm()  # so that the update is `size` times as large as W
    merged = merge(W, A, small, 8.0)[0]
    stored = merged.bfloat16().double()
    same = (stored == W).double().mean()
    error = (stored - merged).norm() / (merged - W).norm()
    print(f"update {size:.1%} of W: {same:.0%} of the weights did not move, error {error:.0%} of the update")
x = torch.from_numpy(rng.normal(size=(4, 576)))
assert torch.allclose(x @ merged.T, x @ W.T + (x @ A.T) @ small.T)  # here alpha / r is 1
assert same > 0.5 and error > 0.5  # of the smallest update more than half is lost

# %% [markdown]
# So keep A and B beside W, or merge into numbers with more digits: what was trained in small steps can be lost in one
# rounding.
