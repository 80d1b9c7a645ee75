# %% [markdown]
# # 03 · Attention: exercises
#
# Run the first cell, then take the exercises in any order. *Verify*: write what the chapter derived. *Modify*:
# change it. *Investigate*: find out something that the chapter did not say. Each check tells you what it expected;
# when it is silent, you are done, and the cell below it plays with what you wrote.

# %%
from math import log

import numpy as np
import torch

from aigc import data, released
from aigc.codecs.text import CharCodec
from aigc.models import gpt, ngram

model, vocab = released.load("shakespeare")
codec = CharCodec(vocab)
unread = torch.tensor(codec.encode(data.shakespeare("validation")[:20_000]))


# %% [markdown]
# ## 03.1 · verify · Attention
#
# Write equation (3.3) without a mask: `attention(q, k, v)`. The numbers of queries, of keys and of features differ on
# purpose.
#
# `q`: (T, d); `k`: (S, d); `v`: (S, D). Returns (T, D). Pencil first: what does a query get that is equally like all
# keys?

# %% nbgrader={"grade": false, "grade_id": "03-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention(q, k, v):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "03-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_attention(attention):
    q = torch.tensor([[2.0, -1, 0, 1], [1, 3, -2, 0]])
    k = torch.tensor([[1.0, 0, 2, -1], [0, 2, 1, 1], [3, -1, 0, 0]])
    v = torch.arange(15.0).view(3, 5) / 10
    got = attention(q, k, v)
    assert got.shape == (2, 5), f"an answer of D features for each query: (2, 5), not {tuple(got.shape)}"
    assert not torch.allclose(got.sum(-1), torch.ones(2)), "the softmax makes weights, before the values are mixed"
    w = attention(q, k, torch.eye(3))  # with these values the answer is the weights themselves
    assert (w >= 0).all(), "a weight is never negative: scores become weights by the softmax"
    assert not torch.allclose(w.sum(0), torch.ones(3)), (
        "you normalised over the queries: each query shares over the keys"
    )
    assert torch.allclose(w.sum(1), torch.ones(2)), "the weights of one query must sum to one"
    score = (w[0, 2] / w[0, 1]).log()
    assert not torch.isclose(score, torch.tensor(8.0)), "divide the scores by the root of d, or they stare"
    assert not torch.isclose(score, torch.tensor(2.0)), "divide by the root of d, not by d itself"
    assert torch.isclose(score, torch.tensor(4.0)), (
        "query 0 scores 7 for key 2 and -1 for key 1: 8 / 2 apart, as d is 4"
    )
    assert torch.allclose(attention(0 * q, k, v), v.mean(0).expand(2, 5)), "a query that is like nothing gets the mean"


check_attention(attention)

# %% tags=["raises-exception"]
here = torch.randn(40, 32, generator=torch.Generator().manual_seed(0))
print("each token alone, spread:", here.std(0).mean().item())
for layer in range(4):
    here = attention(here, here, here)
    print(f"after {layer + 1} times of attention and nothing else, spread: {here.std(0).mean().item():.3f}")
# mixing alone makes all tokens alike: this is one reason why a block adds to x instead of replacing it

# %% [markdown]
# ## 03.2 · verify · Who may see whom
#
# Write the mask: `hidden(T, context)`, **true** where the place of the row must **not** look at the place of the column.
# A place sees itself and those before it, `context` places in all.
#
# Returns (T, T) booleans.

# %% nbgrader={"grade": false, "grade_id": "03-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def hidden(T, context):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "03-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_hidden(hidden):
    mask = hidden(5, 5)
    assert mask.shape == (5, 5) and mask.dtype == torch.bool, "a square of True and False: compare, do not multiply"
    assert mask.any(), "nothing is hidden, so each place sees its own answer"
    past, future = torch.ones(5, 5).tril(-1).bool(), torch.ones(5, 5).triu(1).bool()
    assert not (mask.diagonal().all() and mask[past].all()), "true means hidden here: you marked what may be seen"
    assert not mask[past].all(), "rows look and columns are looked at: you have hidden the past"
    assert not mask.diagonal().any(), "a place may see itself: it knows its own letter, not the next one"
    assert mask[future].all(), "one place looks one too far: the next letter is the answer that it has to predict"
    mask = hidden(5, 3)
    assert mask[4, 0], "a context of 3 ends: place 4 sees 4, 3 and 2, and no further"
    assert not mask[4, 2], "a context of 3 is the place itself and two before it"
    assert mask[4, 1], "a context of 3 counts the place itself: two before it, not three"
    assert mask.sum() == 25 - 12, f"with 5 places and a context of 3, 12 looks are allowed, not {25 - int(mask.sum())}"


check_hidden(hidden)

# %% tags=["raises-exception"]
for row in hidden(8, 5):
    print("".join(".#"[int(not h)] for h in row))


# %% [markdown]
# ## 03.3 · verify · The loss of the next letter
#
# A model read `ids` and gave `logits`, one distribution after each letter. Write `next_letter(logits, ids)`: the mean
# surprise in **bits** at each letter that came *next*. The last logits predict a letter that we do not have.
#
# `logits`: (B, T, V), natural logarithms up to a constant; `ids`: (B, T). Returns one number.

# %% nbgrader={"grade": false, "grade_id": "03-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def next_letter(logits, ids):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "03-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_next_letter(next_letter):
    ids = torch.tensor([[0, 1, 2, 3, 1], [2, 2, 4, 0, 3]])
    p = torch.full((2, 5, 5), 1 / 32)
    p[:, :, 0] = 7 / 8  # what it says without a reason
    for row, t in np.ndindex(2, 4):
        p[row, t] = torch.full((5,), 1 / 8).index_fill(0, ids[row, t + 1], 1 / 2)  # half for the truth: one bit
    got = torch.as_tensor(next_letter(p.log() + 3, ids))
    assert got.ndim == 0, f"one number for all letters, not the shape {tuple(got.shape)}"
    assert got > 0, "a surprise is positive: the logarithm of a probability is not"
    assert not torch.isclose(got, torch.tensor(log(2))), "these are nats: divide by the logarithm of 2"
    assert got < 7, "8 letters are predicted: take the mean over them, not the sum"
    log_p = p.log2()
    same, back = (-log_p.gather(2, ids[..., None]).mean(), -log_p[:, 1:].gather(2, ids[:, :-1, None]).mean())
    assert not torch.isclose(got, same), "this compares each letter with the prediction made after it was seen: shift"
    assert not torch.isclose(got, back), "shifted the wrong way: logits at t predict the letter at t + 1"
    assert torch.isclose(got, torch.tensor(1.0), atol=1e-4), (
        f"each letter that came next had 1/2: one bit, not {got:.3f}"
    )


check_next_letter(next_letter)

# %% tags=["raises-exception"]
with torch.inference_mode():
    page = unread[:2560].view(20, 128)
    print(f"the course's GPT: {next_letter(model(page), page):.2f} bits per character")
    print(f"the same, if one forgets to shift: {next_letter(model(page), page.roll(1, 1)):.2f}")


# %% [markdown]
# ## 03.4 · verify · Perplexity
#
# Papers report **perplexity** (困惑度): among how many equally probable symbols a guess would be as hard. Write
# `perplexity(bits)`.
#
# `bits`: (N,) the surprise at each symbol, in bits. Returns one number. Pencil first: a fair die.

# %% nbgrader={"grade": false, "grade_id": "03-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def perplexity(bits):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "03-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_perplexity(perplexity):
    die = perplexity(np.full(7, np.log2(6)))
    assert not np.isclose(die, np.exp(np.log2(6))), "the surprise is in bits, so the base is 2, not e"
    assert not np.isclose(die, 2 ** np.log(6)), "these are bits already: do not convert them to nats"
    assert die > 1, "a fair die is a guess among 6, not among 1/6: the surprise is positive, so is the exponent"
    assert die < 7, "7 throws are not harder to guess, each, than one: take the mean before the power"
    assert np.isclose(die, 6), f"a fair die has perplexity 6, not {die}"
    assert not np.isclose(perplexity(np.array([1.0, 3.0])), 5), "first the mean of the bits, then the power: 2 to the 2"
    assert np.isclose(perplexity(np.array([1.0, 3.0])), 4), "one bit and three bits: 2 to the power of 2 is 4"


check_perplexity(perplexity)

# %% tags=["raises-exception"]
with torch.inference_mode():
    log_p = model(page[:, :-1]).log_softmax(-1).gather(2, page[:, 1:, None])
print(f"the course's GPT guesses among {perplexity(-log_p.numpy().ravel() / log(2)):.1f} letters, of {len(vocab)}")


# %% [markdown]
# ## 03.5 · verify · Heads
#
# Cut the features of each token into heads: `split(x, heads)`. The first C / heads features belong to head 0, the next
# to head 1, and so on.
#
# `x`: (B, T, C). Returns (B, heads, T, C / heads). Beware: a `view` of the right shape can hold the wrong numbers.

# %% nbgrader={"grade": false, "grade_id": "03-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split(x, heads):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "03-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_split(split):
    b, t, c = torch.meshgrid(torch.arange(2), torch.arange(5), torch.arange(6), indexing="ij")
    x = 100 * b + 10 * t + c  # each number tells its batch, its place, its feature
    got = split(x, 3)
    assert got.ndim == 4, f"the heads are not separated: four axes (B, heads, T, C / heads), not {tuple(got.shape)}"
    assert got.shape != (2, 5, 3, 2), "the heads stand behind the places: exchange axes 1 and 2, or @ mixes heads"
    assert got.shape == (2, 3, 5, 2), f"(B, heads, T, C / heads) is (2, 3, 5, 2), not {tuple(got.shape)}"
    assert (got[1] // 100 == 1).all(), "numbers of one text went to another"
    assert (got[0, :, 4] // 10 == 4).all(), "features of different places were mixed: view as (B, T, heads, d) first"
    assert not (got[0, 0, 0] == torch.tensor([0, 3])).all(), "head 0 has features 0 and 1, not every third one"
    assert got[0, :, 0].tolist() == [[0, 1], [2, 3], [4, 5]], (
        f"heads in their order: [0, 1], .., not {got[0, :, 0].tolist()}"
    )


check_split(split)

# %% tags=["raises-exception"]
norm = lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:])
page = unread[None, :128]
with torch.inference_mode():
    qkv = model.blocks[0].attention.query_key_value(norm(norm(model.embed(page))))
q, k, _ = qkv.chunk(3, -1)  # each (1, T, C)
apart = split(q, 3) @ split(k, 3).transpose(-1, -2)  # (1, heads, T, T)
together = q @ k.transpose(-1, -2)
assert torch.allclose(
    apart.sum(1), together, atol=1e-3
)  # one product of all features is the sum of the heads' products
letters = [repr(c) for c in codec.decode(page[0].tolist())]
for t in (60, 80, 100):
    likes = [letters[int(scores[t, : t + 1].argmax())] for scores in (*apart[0], together[0])]
    print(f"{letters[t]} is most like, for the heads: {', '.join(likes[:3])}; for all features at once: {likes[3]}")


# %% [markdown]
# ## 03.6 · modify · Turn by the place
#
# The chapter turned pairs as complex numbers. Do it with cosine and sine: `turned(x, place)`. Feature $j$ and feature
# $j + d/2$ are a pair $(a, b)$; its angle is place $\cdot\, 10000^{-j/(d/2)}$ radians; it becomes
# $(a \cos - b \sin,\; a \sin + b \cos)$.
#
# `x`: (T, d), d even; `place`: (T,). Returns (T, d).

# %% nbgrader={"grade": false, "grade_id": "03-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def turned(x, place):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "03-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_turned(turned):
    x = torch.tensor([[1.0, 1, 1, 0, 0, 0]])  # three pairs, each (1, 0)
    at = lambda m, x=x: turned(x, torch.tensor([m]))
    assert at(2).shape == (1, 6), f"the shape of x stays as it is: (1, 6), not {tuple(at(2).shape)}"
    y = torch.tensor([[3.0, -1, 2, 1, 0, 4]])
    length = at(5, y).norm()
    assert torch.isclose(length, y.norm(), rtol=1e-4), "a turn keeps lengths: multiply by cos and sin, add no position"
    assert torch.allclose(at(0, y), y), "at place 0 the angle is 0 and nothing turns"
    c, s = torch.tensor(2.0).cos(), torch.tensor(2.0).sin()
    assert at(2, torch.eye(6)[:1])[0, 1] == 0, "the pairs are j and j + d / 2, not neighbours"
    assert not torch.isclose(at(90)[0, 0], torch.tensor(0.0), atol=1e-3), "angles are in radians, not in degrees"
    assert not torch.isclose(at(2)[0, 1], c), "each pair has its own speed: the second turns slower than the first"
    assert torch.isclose(at(2)[0, 3], s, atol=1e-5), "pair 0 at place 2 turns forward by 2 radians: b becomes a sin"
    slow = torch.tensor(2 * 10_000 ** (-1 / 3))
    assert torch.isclose(at(2)[0, 4], slow.sin(), atol=1e-5), "the speed of pair j is 10000 to the power -j / (d / 2)"
    theirs = gpt.rotate(y[None, None], gpt.turns(torch.tensor([7]), gpt.frequencies(6)))[0, 0]
    assert torch.allclose(at(7, y), theirs, atol=1e-5), "not gpt.rotate"


check_turned(turned)

# %% tags=["raises-exception"]
ones = torch.ones(60, 64) / 64**0.5  # the same vector at sixty places
product = (turned(ones, torch.arange(60)) @ turned(ones[:1], torch.tensor([0])).T)[:, 0]
for far in (0, 1, 2, 5, 10, 20, 50):
    print(f"{far:>2} places apart: {product[far]:+.2f} " + "=" * int(40 * product[far].clamp(min=0)))


# %% [markdown]
# ## 03.7 · modify · How many can stand before it
#
# Kneser & Ney's question, equation (3.2): write `variety(ids, vocab)`, for each symbol the number of **different**
# symbols that stand directly before it somewhere in the text.
#
# `ids`: (N,) whole numbers. Returns (vocab,) whole numbers.

# %% nbgrader={"grade": false, "grade_id": "03-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def variety(ids, vocab):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "03-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_variety(variety):
    ids = np.array([0, 2, 1, 3, 1, 3, 1, 1, 0])  # .bananaa. in the letters .abnc
    got = np.asarray(variety(ids, 5))
    assert got.shape == (5,), f"one number for each symbol of the vocabulary, 5, not the shape {got.shape}"
    assert not np.array_equal(got, [2, 4, 1, 2, 0]), "this is how often each symbol occurs: count different neighbours"
    assert not np.array_equal(got, [1, 4, 1, 2, 0]), "n stands after a twice: count that a once, not twice"
    assert got[0] == 1, "a stop stands at both ends: nothing stands before the first, and the text is no ring"
    assert got[1] == 3, f"before a stand b, n and a itself: 3, not {got[1]}"
    assert np.array_equal(got, [1, 3, 1, 1, 0]), f"[1, 3, 1, 1, 0] was expected, not {got.tolist()}"
    other = np.asarray(variety(np.array([0, 1, 0, 2, 0, 3]), 4))
    assert other[0] == 2, "look at what stands before, not after"


check_variety(variety)

# %% tags=["raises-exception"]
text = np.array(codec.encode(data.shakespeare()))
often, many = np.bincount(text, minlength=len(vocab)) / len(text), variety(text, len(vocab))
share = many / many.sum() / often
for place in [*np.argsort(share)[:4], *np.argsort(share)[-4:]]:
    print(f"{vocab[place]!r}: in Kneser-Ney's base {share[place]:.2f} times as probable as by frequency")


# %% [markdown]
# ## 03.8 · investigate · Is the model too sure of itself?
#
# A model may rank letters well and still be too sure, or too timid. Divide its logits by a temperature and see which one
# predicts best: 1 means that it knows how much it knows. Write `calibrate(logits, ids)`: the temperature with the
# smallest mean surprise, to within two per cent. Search between 1/4 and 4.
#
# `logits`: (N, V); `ids`: (N,) what came. Returns one number.

# %% nbgrader={"grade": false, "grade_id": "03-8", "locked": false, "schema_version": 3, "solution": true, "task": false}
def calibrate(logits, ids):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "03-8-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_calibrate(calibrate):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 7, generator=generator)
    ids = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]  # the truth: temperature 1
    calm, sure, timid = (float(calibrate(logits * scale, ids)) for scale in (1, 2, 0.5))
    same = "the answer is the same for calm and for sure models: "
    assert not calm == sure == timid == 1, (
        same + "a constant is cancelled after the softmax, so divide the logits before"
    )
    assert not calm == sure == timid, same + "only the surprise at what came tells them apart"
    assert 0.3 < calm < 3.5, "at the ends of the range the surprise is largest: look for the smallest"
    assert abs(sure - 2) < 0.2 or abs(sure - 0.5) > 0.1, "divide by the temperature, as in sampling; do not multiply"
    assert abs(calm - 1) < 0.06, f"letters drawn from the logits themselves need temperature 1, not {calm:.2f}"
    assert abs(sure - 2) < 0.12 and abs(timid - 0.5) < 0.03, "logits twice too large need 2, half as large 1/2"


check_calibrate(calibrate)

# %% tags=["raises-exception"]
chain = ngram.fit([text], len(vocab), 5, alpha=0.1)
with torch.inference_mode():
    said = model(unread[:12_800].view(100, 128))[:, 64:-1].flatten(0, 1)
came = unread[:12_800].view(100, 128)[:, 65:].flatten()
believed = (
    torch.tensor(np.stack([chain.probabilities(unread[i - 5 : i].numpy()) for i in range(5, 4000)])).log().float()
)
print(f"the course's GPT:     temperature {calibrate(said, came):.2f}")
print(f"a chain with alpha:   temperature {calibrate(believed, unread[5:4000]):.2f}")


# %% [markdown]
# ## 03.9 · investigate · How far back does the model look?
#
# An architecture that *can* look back 128 letters need not do so. Leave the model the last `keep` letters of each text,
# and put another text's letters before them. Where more of the true past stops helping, it has stopped looking.
#
# Write `transplant(ids, keep)`: the last `keep` letters of each row stay; all before them come from the *next* row, from
# the same places (the last row takes from the first).
#
# `ids`: (B, T); `keep`: 0 .. T. Returns a new (B, T).

# %% nbgrader={"grade": false, "grade_id": "03-9", "locked": false, "schema_version": 3, "solution": true, "task": false}
def transplant(ids, keep):
    raise NotImplementedError("your turn")


# %% nbgrader={"grade": true, "grade_id": "03-9-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} tags=["raises-exception"]
def check_transplant(transplant):
    ids = torch.arange(15).view(3, 5)
    before = ids.clone()
    got = transplant(ids, 2)
    assert torch.equal(ids, before), "the texts themselves were changed: work on a copy"
    assert got.shape == (3, 5), f"the texts keep their length: (3, 5), not {tuple(got.shape)}"
    assert not torch.equal(got[:, :2], ids[:, :2]), (
        "the beginning stayed: keep the end, it stands before what is predicted"
    )
    assert torch.equal(got[:, 3:], ids[:, 3:]), "the last two letters must stay"
    assert not torch.equal(got[:, 2], ids[:, 2]), "three letters stayed: keep is 2"
    assert not torch.equal(got[0, :3].sort()[0], ids[0, :3]), "a text's own letters are still there: take another row's"
    assert torch.equal(got[0, :3], ids[1, :3]), "the letters come from the next row, from the same places"
    assert torch.equal(transplant(ids, 0), ids.roll(-1, 0)), "nothing is kept at 0; beware that [-0:] is everything"
    assert torch.equal(transplant(ids, 5), ids), "all is kept at T"


check_transplant(transplant)

# %% tags=["raises-exception"]
rows, costs = unread[: 100 * 129].view(100, 129), {}
for keep in (0, 2, 4, 8, 16, 32, 64, 127):
    with torch.inference_mode():
        log_p = model(transplant(rows[:, :-1], keep))[:, -1].log_softmax(-1)
    costs[keep] = -log_p.gather(1, rows[:, -1:]).mean().item() / log(2)
    print(f"the last {keep:>3} letters are true: {costs[keep]:.1f} bits")
assert costs[0] > costs[2] > costs[4] > costs[127]
