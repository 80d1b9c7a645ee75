# %% [markdown]
# # 03 · Attention: exercises
#
# Run the first cell, then take the exercises in any order. *Verify*: write what the chapter derived. *Modify*: change
# it. *Investigate*: find out something that the chapter did not say. *Build*: assemble a thing whole. *Debug*: find, by
# measuring, what is wrong. *Challenge*: an open score. No function changes what it is given. Each check tells you what
# it expected; when it is silent, you are done, and the cell below it plays with what you wrote. A check takes lists,
# NumPy and torch, in single or double precision.

# %%
from math import log

import numpy as np
import torch
from scipy.optimize import minimize_scalar

from aigc import course, data, released
from aigc.codecs.text import CharCodec
from aigc.models import gpt, ngram

model, vocab = released.load("shakespeare")
codec = CharCodec(vocab)
unread = torch.tensor(codec.encode(data.shakespeare("validation")[:20_000]))

# %% [markdown]
# ## 03.1 · verify · 10 min · ●●○○○ · Attention
#
# *Chapter 03: [2 · A dictionary that is soft](../chapters/03_attention.ipynb#2-·-A-dictionary-that-is-soft)*
#
# Write equation (3.3) without a mask: `attention(q, k, v)`. The numbers of queries, of keys and of features differ on
# purpose. The dots stand for any number of axes in front, the same in all three: texts, heads. Scores may be large,
# some hundreds; the answer is finite nevertheless.
#
# `q`: (..., T, d); `k`: (..., S, d); `v`: (..., S, D). Returns (..., T, D). Pencil first: what does a query get that is
# equally like all keys?


# %% nbgrader={"grade": false, "grade_id": "03-1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention(q, k, v):
    ### BEGIN SOLUTION
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-1-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_attention(attention):
    def at(q, k, v):
        wanted = (*q.shape[:-1], v.shape[-1])
        words = f"an answer of D features for each query: {wanted}"
        got = course.numbers(course.attempt(attention, q, k, v), words)
        assert got.shape == wanted, f"{words}, not {got.shape}"
        return got

    q = torch.tensor([[2.0, -1, 0, 1], [1, 3, -2, 0]])
    k = torch.tensor([[1.0, 0, 2, -1], [0, 2, 1, 1], [3, -1, 0, 0]])
    v = torch.arange(15.0).view(3, 5) / 10
    got = at(q, k, v)
    assert not np.allclose(got.sum(-1), 1), "the softmax makes weights, before the values are mixed"
    w = at(q, k, torch.eye(3))  # with these values the answer is the weights themselves
    assert (w >= 0).all(), "a weight is never negative: scores become weights by the softmax"
    assert not np.allclose(w.sum(0), 1), "you normalised over the queries: each query shares over the keys"
    assert np.allclose(w.sum(1), 1, atol=1e-5), "the weights of one query must sum to one"
    score = np.log(np.maximum(w[0, 2], 1e-30) / np.maximum(w[0, 1], 1e-30))
    assert not np.isclose(score, 8, rtol=1e-3), "divide the scores by the root of d, or they stare"
    assert not np.isclose(score, 2, rtol=1e-3), "divide by the root of d, not by d itself"
    assert np.isclose(score, 4, rtol=1e-3), "query 0 scores 7 for key 2 and -1 for key 1: 8 / 2 apart, as d is 4"
    assert np.allclose(np.log(w[1] / w[1, 2]), [-1.5, 2, 0], atol=1e-3), "query 1 scores -3, 4 and 0, each over 2"
    assert np.allclose(got, w @ v.numpy(), atol=1e-5), "the answer is the values, mixed by the weights"
    assert np.allclose(at(0 * q, k, v), v.mean(0), atol=1e-5), (
        "a query that is like nothing gets the mean of the values"
    )
    assert np.allclose(at(q[:1], k[:1], v[:1]), v[:1], atol=1e-5), "one key alone gets all: the answer is its value"
    nine = at(torch.ones(1, 9), torch.tensor([[0.0], [1.0]]).expand(2, 9), torch.eye(2))
    apart = np.log(nine[0, 1] / nine[0, 0])
    assert np.isclose(apart, 3, rtol=1e-3), (
        f"with 9 features the root is 3, so scores 0 and 9 end 3 apart, not {apart:.3f}"
    )
    loud = at(400 * q, k, v)
    assert np.isfinite(loud).all(), (
        "scores in the hundreds: an exponential overflows, unless the largest of each row goes off first"
    )
    assert np.allclose(loud, v[[2, 1]], atol=1e-5), "scores in the hundreds: the most alike key gets all"
    generator = torch.Generator().manual_seed(0)
    for front in ((3,), (2, 3)):
        q, k, v = (torch.randn(*front, *size, generator=generator) for size in ((4, 2), (5, 2), (5, 6)))
        words = f"with {len(front)} axes in front, each text and head by itself: only the last two axes take part"
        try:
            got = at(q, k, v)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise AssertionError(f"{words}; this was a {type(error).__name__}: {error}") from error
        for here in np.ndindex(front):
            assert np.allclose(got[here], at(q[here], k[here], v[here]), atol=1e-5), words


check_attention(attention)


### BEGIN HIDDEN TESTS
def with_numpy(q, k, v):
    scores = np.asarray(q) @ np.swapaxes(np.asarray(k), -1, -2) / np.sqrt(q.shape[-1])
    loud = np.exp(scores - scores.max(-1, keepdims=True))
    return loud / loud.sum(-1, keepdims=True) @ np.asarray(v)


def overflowing(q, k, v):
    loud = (q @ k.mT / q.shape[-1] ** 0.5).exp()
    return loud / loud.sum(-1, keepdim=True) @ v


def by_key(q, k, v):
    k = torch.nn.functional.normalize(k, dim=-1) * k.norm(dim=-1).mean()
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v


MISCONCEPTIONS = {
    "softmax over the queries": (lambda q, k, v: (q @ k.mT / 2).softmax(-2) @ v, "over the keys"),
    "not divided": (lambda q, k, v: (q @ k.mT).softmax(-1) @ v, "or they stare"),
    "divided by d": (lambda q, k, v: (q @ k.mT / q.shape[-1]).softmax(-1) @ v, "not by d itself"),
    "no softmax": (lambda q, k, v: q @ k.mT / 2 @ v, "never negative"),
    "softmax of the answer": (lambda q, k, v: (q @ k.mT / 2 @ v).softmax(-1), "before the values"),
    "returns the weights": (lambda q, k, v: (q @ k.mT / 2).softmax(-1), "an answer of D features"),
    "root of the number of keys": (lambda q, k, v: (q @ k.mT / len(k) ** 0.5).softmax(-1) @ v, "8 / 2 apart"),
    "half of d": (lambda q, k, v: (q @ k.mT / (q.shape[-1] * 0.5)).softmax(-1) @ v, "the root is 3"),
    "always by two": (lambda q, k, v: (q @ k.mT / 2).softmax(-1) @ v, "the root is 3"),
    "axis 1": (lambda q, k, v: (q @ k.mT / q.shape[-1] ** 0.5).softmax(1) @ v, "axes in front"),
    "d from axis 1": (lambda q, k, v: (q @ k.mT / q.shape[1] ** 0.5).softmax(-1) @ v, "axes in front"),
    "all axes turned round": (
        lambda q, k, v: (q @ k.permute(*range(k.ndim)[::-1]) / q.shape[-1] ** 0.5).softmax(-1) @ v,
        "axes in front",
    ),
    "overflow": (overflowing, "overflows"),
    "keys of one length": (by_key, "8 / 2 apart"),
    "both of the chapter": (lambda q, k, v: (attention(q, k, v), q), "an answer of D features"),
    "nothing": (lambda q, k, v: None, "nothing came back"),
    "in place": (lambda q, k, v: attention(q.div_(q.shape[-1] ** 0.25), k, v), "nothing in place"),
    "shares of the scores": (
        lambda q, k, v: (q @ k.mT).abs() / (q @ k.mT).abs().sum(-1, keepdim=True).clamp(min=1e-9) @ v,
        "8 / 2 apart",
    ),
    "a word": (lambda q, k, v: "the duck", "an answer of D features"),
}
ALTERNATIVES = {
    "NumPy": with_numpy,
    "a list": lambda q, k, v: attention(q, k, v).tolist(),
    "double": lambda q, k, v: attention(q.double(), k.double(), v.double()),
    "torch's own": lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v),
    "letters for axes": lambda q, k, v: torch.einsum(
        "...ts,...sd->...td", (torch.einsum("...td,...sd->...ts", q, k) * q.shape[-1] ** -0.5).softmax(-1), v
    ),
}
### END HIDDEN TESTS

# %%
here = torch.randn(40, 32, generator=torch.Generator().manual_seed(0)).double()
print(f"each token alone, spread: {here.std(0).mean():.2f}")
for layer in range(1, 65):
    here = torch.as_tensor(attention(here, here, here))
    if layer & (layer - 1) == 0:
        print(f"after {layer:>2} times of attention and nothing else, spread: {here.std(0).mean():.2f}")
assert here.std(0).max() < 0.01

# %% [markdown]
# Mixing alone makes tokens alike: first those of a group, then all of them. This is one reason why a block adds to $x$
# instead of replacing it. (Halve the numbers at the beginning, and see how soon it is done.)

# %% [markdown]
# ## 03.2 · verify · 10 min · ●○○○○ · Who may see whom
#
# *Chapter 03: [3 · Scores, masks, places](../chapters/03_attention.ipynb#3-·-Scores,-masks,-places)*
#
# Write the mask: `hidden(T, context)`, **true** where the place of the row must **not** look at the place of the
# column. A place sees itself and those before it, `context` places in all, or as many as there are.
#
# `T`, `context`: whole numbers from 1. Returns (T, T) booleans.


# %% nbgrader={"grade": false, "grade_id": "03-2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def hidden(T, context):
    ### BEGIN SOLUTION
    ago = torch.arange(T)[:, None] - torch.arange(T)
    return (ago < 0) | (ago >= context)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-2-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_hidden(hidden):
    def at(T, context):
        words = f"a square of True and False, ({T}, {T}): compare, do not multiply"
        mask = course.numbers(course.attempt(hidden, T, context), words)
        assert mask.shape == (T, T), f"{words}; this has the shape {mask.shape}"
        assert mask.dtype == bool, f"{words}; this holds numbers"
        return mask

    mask = at(5, 5)
    assert mask.any(), "nothing is hidden, so each place sees its own answer"
    past, future = np.tril(np.ones((5, 5), bool), -1), np.triu(np.ones((5, 5), bool), 1)
    assert not (mask.diagonal().all() and mask[past].all()), "true means hidden here: you marked what may be seen"
    assert not mask[past].all(), "rows look and columns are looked at: you have hidden the past"
    assert not mask.diagonal().any(), "a place may see itself: it knows its own letter, not the next one"
    assert mask[future].all(), "one place looks one too far: the next letter is the answer that it has to predict"
    mask = at(5, 3)
    assert mask[4, 0], "a context of 3 ends: place 4 sees 4, 3 and 2, and no further"
    assert not mask[4, 2], "a context of 3 is the place itself and two before it"
    assert mask[4, 1], "a context of 3 counts the place itself: two before it, not three"
    for T, context in [(1, 1), (1, 4), (2, 1), (4, 2), (6, 6), (6, 9), (9, 4)]:
        for t, row in enumerate(at(T, context)):
            seen, most = np.flatnonzero(~row).tolist(), min(t + 1, context)
            words = f"T = {T}, context = {context}: place {t} sees"
            assert len(seen) == most, f"{words} {most} places, not {len(seen)}"
            assert seen[-1] == t, f"{words} itself and what is before it, not {seen}"
            assert seen[-1] - seen[0] + 1 == most, f"{words} places without a gap, not {seen}"


check_hidden(hidden)


### BEGIN HIDDEN TESTS
def ago(T):
    return torch.arange(T)[:, None] - torch.arange(T)


MISCONCEPTIONS = {
    "itself hidden": (lambda T, c: (ago(T) <= 0) | (ago(T) >= c), "may see itself"),
    "off by one": (lambda T, c: (ago(T) < -1) | (ago(T) >= c), "one too far"),
    "transposed": (lambda T, c: (ago(T) > 0) | (ago(T) <= -c), "rows look"),
    "inverted": (lambda T, c: (ago(T) >= 0) & (ago(T) < c), "true means hidden"),
    "no end": (lambda T, c: ago(T) < 0, "a context of 3 ends"),
    "context without itself": (lambda T, c: (ago(T) < 0) | (ago(T) > c), "counts the place itself"),
    "one less": (lambda T, c: (ago(T) < 0) | (ago(T) >= c - 1), "itself and two before"),
    "numbers": (lambda T, c: torch.ones(T, T).triu(1), "True and False"),
    "nothing hidden": (lambda T, c: torch.zeros(T, T, dtype=torch.bool), "nothing is hidden"),
    "three at most": (lambda T, c: (ago(T) < 0) | (ago(T) >= min(c, 5)), "sees 6 places, not 5"),
    "blocks": (lambda T, c: (ago(T) < 0) | (torch.arange(T) // c != torch.arange(T)[:, None] // c), "itself and two"),
    "blocks of five": (lambda T, c: hidden(T, c) if T == 5 else hidden(T, max(c, 2)), "sees 1 places, not 2"),
    "a gap": (
        lambda T, c: (
            hidden(T, c) if T < 9 else (hidden(T, c) | (ago(T) == 1) & (torch.arange(T)[:, None] > 3)) & (ago(T) != c)
        ),
        "without a gap",
    ),
    "one row": (lambda T, c: (ago(T) < 0)[-1], "a square"),
    "nothing": (lambda T, c: None, "nothing came back"),
    "a word": (lambda T, c: "lower triangle", "a square"),
}
ALTERNATIVES = {
    "NumPy": lambda T, c: ~(np.tri(T, dtype=bool) & ~np.tri(T, k=-c, dtype=bool)),
    "lists": lambda T, c: [[not 0 <= t - s < c for s in range(T)] for t in range(T)],
    "two triangles": lambda T, c: torch.ones(T, T).triu(1).bool() | torch.ones(T, T).tril(-c).bool(),
}
### END HIDDEN TESTS

# %%
for row in hidden(8, 5):
    print("".join(".#"[int(not h)] for h in row))

# %% [markdown]
# ## 03.3 · verify · 15 min · ●●○○○ · The loss of the next letter
#
# *Chapter 03: [4 · The whole machine](../chapters/03_attention.ipynb#4-·-The-whole-machine)*
#
# A model read `ids` and gave `logits`, one distribution after each letter. Write `next_letter(logits, ids)`: the mean
# surprise in **bits** over all letters that came *next*, in all texts, each counting once. The last logits predict a
# letter that we do not have.
#
# `logits`: (B, T, V), natural logarithms up to a constant, which may be in the hundreds; `ids`: (B, T), T at least 2.
# Returns one number.


# %% nbgrader={"grade": false, "grade_id": "03-3", "locked": false, "schema_version": 3, "solution": true, "task": false}
def next_letter(logits, ids):
    ### BEGIN SOLUTION
    log_p = logits[:, :-1].log_softmax(-1)
    return -log_p.gather(2, ids[:, 1:, None]).mean() / log(2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-3-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_next_letter(next_letter):
    def at(logits, ids):
        got = course.numbers(course.attempt(next_letter, logits, ids), "one number for all letters of all texts")
        assert got.ndim == 0, f"one number for all letters of all texts, not the shape {got.shape}"
        assert not np.isnan(got), "this is not a number: an exponential has overflowed; stay among logarithms"
        return float(got)

    def foretold(ids, bits, V):  # logits that leave the next letter this many bits, and say 0 once more at the end
        p = torch.full((*ids.shape, V), 1 / 8 / (V - 1))
        p[:, :, 0] = 7 / 8
        for row, t in np.ndindex(*bits.shape):
            rest = torch.full((V,), (1 - 2.0 ** -bits[row, t]) / (V - 1))
            p[row, t] = rest.index_fill(0, ids[row, t + 1], 2.0 ** -bits[row, t])
        return p.log()

    ids = torch.tensor([[0, 1, 2, 3, 1], [2, 2, 4, 0, 3]])
    bits = np.array([[1, 2, 3, 4], [1, 1, 6, 6]])  # in all 24 for 8 letters
    log_p = foretold(ids, bits, 7)
    got = at(log_p + 3, ids)
    each = lambda log_p, ids: -(log_p.gather(2, ids[..., None]) / log(2)).mean().item()
    is_like = lambda other: np.isclose(got, other, rtol=1e-4)
    assert got > 0, "a surprise is positive: the logarithm of a probability is not"
    assert not is_like(3 * log(2)), "these are nats: divide by the logarithm of 2"
    assert not is_like(24), "8 letters are predicted: take the mean over them, not the sum"
    assert not is_like(each(log_p, ids)), "this compares each letter with the prediction made after it was seen: shift"
    back = each(log_p[:, 1:], ids[:, :-1])
    assert not is_like(back), "shifted the wrong way: logits at t predict the letter at t + 1"
    line = each(log_p.flatten(0, 1)[None, :-1], ids.flatten()[None, 1:])
    assert not is_like(line), "this reads all texts as one: the first letter of a text does not follow another text"
    ring = each(log_p, ids.roll(-1, 1))
    assert not is_like(ring), "the last logits predict a letter that we do not have: the text is no ring"
    assert not is_like(-np.log2((2.0**-bits).mean())), "first the logarithms, then the mean: average the surprises"
    assert not (is_like(2.5) or is_like(2)), "this is the first text alone, or a median: the mean of all is meant"
    assert not is_like(5), "5 is the mean over the last letters only: each place of a text asks a question"
    assert not is_like(24 / 10), "8 letters are predicted, not 10: each text has one fewer than it has letters"
    assert is_like(3), f"24 bits for 8 letters: 3 bits a letter, not {got:.3f}"
    ids, bits = torch.tensor([[1, 0], [0, 1], [2, 2]]), np.array([[5], [1], [3.0]])
    got = at(foretold(ids, bits, 3), ids)
    assert is_like(3), f"three texts of two letters, 5, 1 and 3 bits: 3 on average, not {got:.3f}"
    ids, bits = torch.tensor([[3, 0, 1, 1, 2, 0]]), np.array([[0.5, 2, 2, 9, 0.25]])
    got = at(foretold(ids, bits, 4), ids)
    assert is_like(2.75), f"one text, 0.5, 2, 2, 9 and 0.25 bits: 2.75 on average, not {got:.3f}"
    far = torch.zeros(2, 2, 3)
    far[0, 0, 1] = -800
    got = at(far + 700, torch.tensor([[0, 1], [2, 2]]))
    assert np.isfinite(got), "a letter 800 nats below the others costs much, not infinitely much: stay among logarithms"
    right = (800 / log(2) + 1 + np.log2(3)) / 2
    assert is_like(right), (
        f"one letter 800 nats below two others, and one of three equal ones: {right:.1f} bits, not {got:.1f}"
    )


check_next_letter(next_letter)


### BEGIN HIDDEN TESTS
def nll(logits, ids, axis=-1):
    return -logits.log_softmax(axis).gather(2, ids[..., None])[..., 0] / log(2)


ahead = lambda l, i: nll(l[:, :-1], i[:, 1:])  # (B, T - 1) bits


def with_numpy(logits, ids):
    l = np.asarray(logits, dtype=float)
    l = l - l.max(-1, keepdims=True)
    l = l - np.log(np.exp(l).sum(-1, keepdims=True))
    return -np.mean([l[b, t, ids[b, t + 1]] for b, t in np.ndindex(l.shape[0], l.shape[1] - 1)]) / np.log(2)


MISCONCEPTIONS = {
    "not shifted": (lambda l, i: nll(l, i).mean(), "after it was seen"),
    "shifted the wrong way": (lambda l, i: nll(l[:, 1:], i[:, :-1]).mean(), "the wrong way"),
    "nats": (lambda l, i: ahead(l, i).mean() * log(2), "nats"),
    "sum": (lambda l, i: ahead(l, i).sum(), "not the sum"),
    "sign": (lambda l, i: -ahead(l, i).mean(), "positive"),
    "softmax over time": (lambda l, i: nll(l[:, :-1], i[:, 1:], 1).mean(), "3 bits a letter"),
    "softmax over texts": (lambda l, i: nll(l[:, :-1], i[:, 1:], 0).mean(), "3 bits a letter"),
    "one for each text": (lambda l, i: ahead(l, i).mean(1), "one number"),
    "one for each place": (lambda l, i: ahead(l, i).mean(0), "one number"),
    "log of the mean": (lambda l, i: -(2 ** -ahead(l, i)).mean().log2(), "then the mean"),
    "the first text": (lambda l, i: ahead(l, i)[0].mean(), "the mean of all"),
    "the median": (lambda l, i: ahead(l, i).median(), "the mean of all"),
    "NumPy's median": (lambda l, i: np.median(ahead(l, i)), "the mean of all"),
    "the last letter": (lambda l, i: ahead(l, i)[:, -1].mean(), "the last letters only"),
    "one text of all": (
        lambda l, i: nll(l.flatten(0, 1)[None, :-1], i.flatten()[None, 1:]).mean(),
        "does not follow another text",
    ),
    "a ring": (lambda l, i: nll(l, i.roll(-1, 1)).mean(), "no ring"),
    "over all letters": (lambda l, i: ahead(l, i).sum() / i.numel(), "not 10"),
    "the last text": (lambda l, i: ahead(l, i)[-1].mean(), "3 bits a letter"),
    "mean of medians": (lambda l, i: ahead(l, i).median(1).values.mean(), "3 bits a letter"),
    "logits as they are": (lambda l, i: -l[:, :-1].gather(2, i[:, 1:, None]).mean() / log(2), "positive"),
    "log of a softmax": (lambda l, i: -l[:, :-1].softmax(-1).gather(2, i[:, 1:, None]).log2().mean(), "infinitely"),
    "exponentials": (
        lambda l, i: -(l.exp() / l.exp().sum(-1, keepdim=True))[:, :-1].gather(2, i[:, 1:, None]).log2().mean(),
        "overflowed",
    ),
    "at most 20 bits": (lambda l, i: ahead(l, i).clamp(max=20).mean(), "800 nats below two"),
    "nothing": (lambda l, i: None, "nothing came back"),
    "in place": (lambda l, i: ahead(l.sub_(l.amax(-1, keepdim=True)), i).mean(), "nothing in place"),
}
ALTERNATIVES = {
    "cross entropy": lambda l, i: (
        torch.nn.functional.cross_entropy(l[:, :-1].flatten(0, 1), i[:, 1:].flatten()) / log(2)
    ),
    "double": lambda l, i: ahead(l.double(), i).mean(),
    "a Python number": lambda l, i: ahead(l, i).mean().item(),
    "NumPy": with_numpy,
    "mean of means": lambda l, i: ahead(l, i).mean(1).mean(),
}
### END HIDDEN TESTS

# %%
with torch.inference_mode():
    page = unread[:2560].view(20, 128)
    print(f"the course's GPT: {next_letter(model(page), page):.2f} bits per character")
    print(f"the same, if one forgets to shift: {next_letter(model(page), page.roll(1, 1)):.2f}")

# %% [markdown]
# ## 03.4 · debug · 20 min · ●●●○○ · Right, until the window is full
#
# *Chapter 03: [3 · Scores, masks, places](../chapters/03_attention.ipynb#3-·-Scores,-masks,-places)*
#
# A machine that writes does not compute its whole past anew for each letter. It **keeps** the keys and the values
# (键值缓存, *KV cache*), already turned by their places, and forgets those that no context reaches any more. `stream`
# does so for one head: place t sees the last `context` places, itself included. It was tested on short pages, and is
# right there. On long ones the letters become worse and worse.
#
# Measure. By (3.6) an answer depends on *distances* only, and on nothing that lies further back than the context. So
# the last answer of a page is the same if the page begins just `context` places before its end. Is it, in `stream`, for
# pages of 1, 2, 3, .. places? From which length on is it not? What happens there? Then write `mended`.
#
# `q`, `k`: (T, d), d even; `v`: (T, D); `context`: from 1. Returns (T, D).


# %%
def turn(x, place):
    """x: (d,), turned as it has to be at this place, a whole number."""
    return gpt.rotate(x[None], gpt.turns(torch.tensor([place]), gpt.frequencies(len(x))))[0]


def asked(query, kept):
    """(3.3) for one query. kept: pairs of a key and a value, those that it may see."""
    keys, values = map(torch.stack, zip(*kept))
    return (keys @ query / len(query) ** 0.5).softmax(0) @ values


# %% nbgrader={"grade": false, "grade_id": "03-4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stream(q, k, v, context):
    kept, answers = [], []
    for query, key, value in zip(q, k, v):
        place = len(kept)
        kept = [*kept, (turn(key, place), value)][-context:]
        answers.append(asked(turn(query, place), kept))
    return torch.stack(answers)


def mended(q, k, v, context):
    ### BEGIN SOLUTION
    kept, answers = [], []
    for place, (query, key, value) in enumerate(zip(q, k, v)):
        kept = [*kept, (turn(key, place), value)][-context:]
        answers.append(asked(turn(query, place), kept))
    return torch.stack(answers)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-4-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_mended(mended):
    def at(q, k, v, context):
        got = course.numbers(course.attempt(mended, q, k, v, context), f"an answer for each place: {tuple(v.shape)}")
        assert got.shape == v.shape, f"an answer for each place: {tuple(v.shape)}, not {got.shape}"
        return got

    def wrong(got, q, k, v, context):  # how far off the answers are at each place, by (3.3) for that place alone
        off = []
        for t in range(len(q)):
            begin, places = max(0, t + 1 - context), torch.arange(t + 1)
            keys = gpt.rotate(k[: t + 1], gpt.turns(places, gpt.frequencies(k.shape[1])))[begin:]
            query = gpt.rotate(q[t : t + 1], gpt.turns(places[-1:], gpt.frequencies(k.shape[1])))
            right = torch.nn.functional.scaled_dot_product_attention(query, keys, v[begin : t + 1])[0]
            off.append(np.abs(got[t] - right.numpy()).max())
        return np.array(off)

    generator = torch.Generator().manual_seed(0)
    draw = lambda T, d, D: [torch.randn(T, size, generator=generator) * 2 for size in (d, d, D)]
    for T, d, D, context in [(1, 2, 1, 1), (4, 4, 3, 4), (14, 8, 3, 5), (12, 2, 1, 3), (9, 6, 4, 1), (90, 4, 2, 8)]:
        q, k, v = draw(T, d, D)
        off = wrong(at(q, k, v, context), q, k, v, context)
        bad = np.flatnonzero(~(off < 1e-3)).tolist()
        words = f"T = {T}, context = {context}: "
        assert not (bad and bad[0] == 0), words + "place 0 sees itself only, so its answer is its value"
        assert not (bad and bad[0] < context), (
            words + f"place {bad[:1]} is wrong, where nothing has to be forgotten yet; `stream` is right there"
        )
        assert bad[:1] != [context], (
            words
            + f"place {context}, the first that has to forget, is wrong: does it see the last {context}, and as far "
            "away as they are?"
        )
        assert not bad, (
            words + f"right up to place {bad[0] - 1}, wrong at {len(bad)} after it: how far is each key away?"
        )


check_mended(mended)


### BEGIN HIDDEN TESTS
def _stream(at=lambda t, n, c: t, key_at=None, cut=lambda kept, c: kept[-c:]):
    """Answers with other places: at(t, how many are kept, context), of the query and of the key; and another cut."""

    def answer(q, k, v, context):
        kept, answers = [], []
        for t, (query, key, value) in enumerate(zip(q, k, v)):
            here = at(t, len(kept), context)
            there = here if key_at is None else key_at(t, len(kept), context)
            kept = cut([*kept, (turn(key, there), value)], context)
            answers.append(asked(turn(query, here), kept))
        return torch.stack(answers)

    return answer


def later(q, k, v, context):  # keeps the keys as they are, and turns them when they are asked
    answers = []
    for t in range(len(q)):
        begin = max(0, t + 1 - context)
        pairs = [(turn(k[s], s - begin), v[s]) for s in range(begin, t + 1)]
        answers.append(asked(turn(q[t], t - begin), pairs))
    return answers


def turned_values(q, k, v, context):
    wide = torch.stack([turn(torch.cat([x, x]), t)[: len(x)] for t, x in enumerate(v)])
    return mended(q, k, wide, context)


MISCONCEPTIONS = {
    "unchanged": (stream, "how far is each key away"),
    "wraps round": (_stream(lambda t, n, c: t % c), "the first that has to forget"),
    "nothing forgotten": (_stream(cut=lambda kept, c: kept), "the first that has to forget"),
    "one too many": (_stream(cut=lambda kept, c: kept[-c - 1 :]), "the first that has to forget"),
    "forgets all when full": (_stream(cut=lambda kept, c: kept if len(kept) <= c else kept[-1:]), "has to forget"),
    "keeps the oldest": (_stream(cut=lambda kept, c: kept[:c]), "has to forget"),
    "no places": (_stream(lambda t, n, c: 0), "nothing has to be forgotten yet"),
    "only queries": (_stream(key_at=lambda t, n, c: 0), "nothing has to be forgotten yet"),
    "only keys": (_stream(lambda t, n, c: 0, lambda t, n, c: t), "nothing has to be forgotten yet"),
    "backwards": (_stream(lambda t, n, c: -t), "nothing has to be forgotten yet"),
    "key one on": (_stream(key_at=lambda t, n, c: t + 1), "nothing has to be forgotten yet"),
    "the end of the window": (_stream(lambda t, n, c: min(t, c - 1)), "the first that has to forget"),
    "two windows": (_stream(lambda t, n, c: min(t, 2 * c)), "how far is each key away"),
    "turned values": (turned_values, "nothing has to be forgotten yet"),
    "query as far as kept": (_stream(lambda t, n, c: min(t, c), lambda t, n, c: t), "how far is each key away"),
    "the last answer": (lambda q, k, v, c: mended(q, k, v, c)[-1], "an answer for each place"),
    "nothing": (lambda q, k, v, c: None, "nothing came back"),
    "zeros": (lambda q, k, v, c: torch.zeros_like(v), "its answer is its value"),
}
ALTERNATIVES = {
    "turned when asked": later,
    "counted from one": _stream(lambda t, n, c: t + 1),
    "from where the page begins": lambda q, k, v, c: [
        stream(*(x[max(0, t + 1 - c) : t + 1] for x in (q, k, v)), c)[-1] for t in range(len(q))
    ],
    "double": lambda q, k, v, c: mended(q.double(), k.double(), v.double(), c),
    "at once": lambda q, k, v, c: torch.nn.functional.scaled_dot_product_attention(
        *(gpt.rotate(x, gpt.turns(torch.arange(len(x)), gpt.frequencies(x.shape[1]))) for x in (q, k)),
        v,
        attn_mask=~hidden(len(q), c),
    ),
}
### END HIDDEN TESTS

# %%
q, k, v = torch.randn(3, 40, 16, generator=torch.Generator().manual_seed(1))
for name, program in (("stream", stream), ("mended", mended)):
    cut = [program(*(x[max(0, t - 7) : t + 1] for x in (q, k, v)), 8)[-1] for t in range(40)]  # the page begins late
    moved = (torch.as_tensor(program(q, k, v, 8)) - torch.stack([torch.as_tensor(last) for last in cut])).norm(dim=1)
    print(
        f"{name}: the answer moves, if the page begins 8 places before it, at",
        "".join(".#"[int(m > 1e-3)] for m in moved),
    )

# %% [markdown]
# ## 03.5 · verify · 10 min · ●●○○○ · Heads
#
# *Chapter 03: [4 · The whole machine](../chapters/03_attention.ipynb#4-·-The-whole-machine)*
#
# Cut the features of each token into heads: `split(x, heads)`. The first C / heads features belong to head 0, the next
# to head 1, and so on.
#
# `x`: (B, T, C); `heads` divides C. Returns (B, heads, T, C / heads). Beware: a `view` of the right shape can hold the
# wrong numbers.


# %% nbgrader={"grade": false, "grade_id": "03-5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split(x, heads):
    ### BEGIN SOLUTION
    B, T, C = x.shape
    return x.reshape(B, T, heads, C // heads).transpose(1, 2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-5-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_split(split):
    def at(B, T, C, heads):
        b, t, c = torch.meshgrid(torch.arange(B), torch.arange(T), torch.arange(C), indexing="ij")
        x = 100 * b + 10 * t + c  # each number tells its batch, its place, its feature
        got = course.numbers(course.attempt(split, x, heads), "four axes (B, heads, T, C / heads)")
        words = f"the heads are not separated: four axes (B, heads, T, C / heads), not {got.shape}"
        assert got.ndim == 4, words
        exchanged = (B, T, heads, C // heads)
        wanted = (B, heads, T, C // heads)
        assert got.shape != exchanged or T == heads, (
            "the heads stand behind the places: exchange axes 1 and 2, or @ mixes heads"
        )
        assert got.shape == wanted, f"(B, heads, T, C / heads) is {wanted}, not {got.shape}"
        return got

    got = at(2, 5, 6, 3)
    assert (got[1] // 100 == 1).all(), "numbers of one text went to another"
    assert (got[0, :, 4] // 10 == 4).all(), "features of different places were mixed: separate the last axis first"
    assert got[0, 0, 0].tolist() != [0, 3], "head 0 has features 0 and 1, not every third one"
    heads = got[0, :, 0].tolist()
    assert heads == [[0, 1], [2, 3], [4, 5]], f"heads in their order: [0, 1], .., not {heads}"
    for B, T, C, heads in [(1, 1, 1, 1), (1, 1, 4, 2), (3, 2, 4, 1), (2, 4, 6, 6), (2, 3, 9, 3), (1, 7, 8, 2)]:
        got = at(B, T, C, heads)
        for b, h, t, c in np.ndindex(got.shape):
            right = 100 * b + 10 * t + h * (C // heads) + c
            assert got[b, h, t, c] == right, (
                f"(B, T, C) = {(B, T, C)}, {heads} heads: text {b}, head {h}, place {t} has {got[b, h, t, c]:g} as its "
                f"feature {c}, not {right} (text, place, feature)"
            )


check_split(split)

### BEGIN HIDDEN TESTS
MISCONCEPTIONS = {
    "view alone": (lambda x, h: x.view(x.shape[0], h, x.shape[1], -1), "were mixed"),
    "not exchanged": (lambda x, h: x.view(*x.shape[:2], h, -1), "behind the places"),
    "every third": (lambda x, h: x.view(*x.shape[:2], -1, h).permute(0, 3, 1, 2), "every third"),
    "not separated": (lambda x, h: x.transpose(1, 2), "not separated"),
    "backwards": (lambda x, h: x.view(*x.shape[:2], h, -1).transpose(1, 2).flip(1), "heads in their order"),
    "heads first": (lambda x, h: x.view(*x.shape[:2], h, -1).permute(2, 0, 1, 3), "is (2, 3, 5, 2), not"),
    "features before places": (lambda x, h: x.view(*x.shape[:2], h, -1).permute(0, 2, 3, 1), "is (2, 3, 5, 2), not"),
    "texts mixed": (
        lambda x, h: x.transpose(0, 1).reshape(*x.shape[:2], h, -1).transpose(1, 2),
        "went to another",
    ),
    "two a head": (lambda x, h: split(x, x.shape[-1] // 2 if x.shape[-1] > 1 else 1), "is (3, 1, 2, 4), not"),
    "three heads": (lambda x, h: split(x, 3 if x.shape[-1] % 3 == 0 else h), "is (2, 6, 4, 1), not"),
    "wrong where T is C / heads": (
        lambda x, h: split(x, h).mT if x.shape[1] * h == x.shape[2] else split(x, h),
        "(text, place, feature)",
    ),
    "features backwards": (lambda x, h: split(x, h).flip(-1), "heads in their order"),
    "nothing": (lambda x, h: None, "nothing came back"),
    "in place": (lambda x, h: split(x.mul_(2), h), "nothing in place"),
    "a list of pieces of unequal size": (lambda x, h: [x[0], x[:, 0]], "four axes"),
}
ALTERNATIVES = {
    "NumPy": lambda x, h: np.stack(np.split(np.asarray(x), h, axis=2), 1),
    "chunks": lambda x, h: torch.stack(x.chunk(h, -1), 1),
    "a list": lambda x, h: split(x, h).tolist(),
    "unflatten": lambda x, h: x.unflatten(-1, (h, -1)).permute(0, 2, 1, 3),
    "double": lambda x, h: split(x.double(), h),
}
### END HIDDEN TESTS

# %%
norm = lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:])
page = unread[None, :128]
with torch.inference_mode():
    qkv = model.blocks[0].attention.query_key_value(norm(norm(model.embed(page))))
q, k, _ = qkv.chunk(3, -1)  # each (1, T, C)
apart = split(q, 3) @ split(k, 3).transpose(-1, -2)  # (1, heads, T, T)
together = q @ k.transpose(-1, -2)
assert torch.allclose(apart.sum(1), together, atol=1e-3)  # one product of all features: the sum of the heads' products
letters = [repr(c) for c in codec.decode(page[0].tolist())]
for t in (60, 80, 100):
    likes = [letters[int(scores[t, : t + 1].argmax())] for scores in (*apart[0], together[0])]
    print(f"{letters[t]} is most like, for the heads: {', '.join(likes[:3])}; for all features at once: {likes[3]}")

# %% [markdown]
# ## 03.6 · modify · 15 min · ●●●○○ · Turn by the place
#
# *Chapter 03: [3 · Scores, masks, places](../chapters/03_attention.ipynb#3-·-Scores,-masks,-places)*
#
# The chapter turned pairs as complex numbers. Do it with cosine and sine: `turned(x, place)`. Feature $j$ and feature
# $j + d/2$ are a pair $(a, b)$; its angle is place $\cdot\, 10000^{-j/(d/2)}$ radians, each row by its own place; it
# becomes $(a \cos - b \sin,\; a \sin + b \cos)$. The dots stand for any number of axes in front, such as texts and
# heads, which are all turned alike.
#
# `x`: (..., T, d), d even; `place`: (T,) whole numbers, in any order. Returns (..., T, d).


# %% nbgrader={"grade": false, "grade_id": "03-6", "locked": false, "schema_version": 3, "solution": true, "task": false}
def turned(x, place):
    ### BEGIN SOLUTION
    half = x.shape[-1] // 2
    angle = place[:, None] * 10_000.0 ** -(torch.arange(half) / half)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-6-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_turned(turned):
    def several(x, place):
        words = f"the shape of x stays as it is: {tuple(x.shape)}"
        got = course.numbers(course.attempt(turned, x, torch.tensor(place)), words)
        assert got.shape == x.shape, f"{words}, not {got.shape}"
        return got

    x = torch.tensor([[1.0, 1, 1, 0, 0, 0]])  # three pairs, each (1, 0)
    at = lambda m, x=x: several(x, [m])[0]
    like = lambda a, b: np.allclose(a, b, atol=1e-4)
    y = torch.tensor([[3.0, -1, 2, 1, 0, 4]])
    length = np.linalg.norm(at(5, y))
    assert like(length, y.norm()), "a turn keeps lengths: multiply by cos and sin, add no position"
    assert like(at(0, y), y), "at place 0 the angle is 0 and nothing turns"
    c, s = np.cos(2), np.sin(2)
    assert like(at(2, torch.eye(6)[:1])[1], 0), "the pairs are j and j + d / 2, not neighbours"
    assert not like(at(90)[0], 0), "angles are in radians, not in degrees"
    assert not like(at(2)[1], c), "each pair has its own speed: the second turns slower than the first"
    assert like(at(2)[3], s), "pair 0 at place 2 turns forward by 2 radians: b becomes a sin"
    slow = 2 * 10_000 ** (-1 / 3)
    assert like(at(2)[4], np.sin(slow)), "the speed of pair j is 10000 to the power -j / (d / 2)"
    generator, theirs = torch.Generator().manual_seed(0), 0
    right = lambda x, m: gpt.rotate(x, gpt.turns(torch.tensor(m), gpt.frequencies(x.shape[-1]))).numpy()
    assert like(at(7, y), right(y, [7])), f"at place 7: {right(y, [7]).round(2)}, not {at(7, y).round(2)}"
    for place, d in [([1], 2), ([0, 1, 2, 3], 4), ([7, 3, 3, 0, 40], 6), ([20_000, 2], 8)]:
        x = torch.randn(len(place), d, generator=generator)
        got, theirs = several(x, place), right(x, place)
        assert not np.allclose(got[1:], right(x, place[:1] * len(place))[1:], atol=5e-3) or len(place) < 2, (
            f"places {place}: each row is turned by its own place, not all by that of the first"
        )
        assert not np.allclose(got, right(x, list(range(len(place)))), atol=5e-3) or place[0] < 2, (
            f"places {place}: turn by the place that is given, not by the row's number"
        )
        apart = np.abs(got - theirs).max(1).round(3).tolist()
        assert np.allclose(got, theirs, atol=5e-3), f"{d} features at the places {place}: off by {apart}"
    x = torch.randn(2, 3, 5, 4, generator=generator)
    try:
        got, words = several(x, [4, 0, 9, 1, 2]), "texts and heads in front, (2, 3, 5, 4): each is turned by itself"
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise AssertionError(f"with axes in front, (2, 3, 5, 4), this was a {type(error).__name__}: {error}") from error
    assert like(got, right(x, [4, 0, 9, 1, 2])), words


check_turned(turned)


### BEGIN HIDDEN TESTS
def turn_by(angle, x, sign=1):
    a, b = x.chunk(2, -1)
    return torch.cat([a * angle.cos() - sign * b * angle.sin(), sign * a * angle.sin() + b * angle.cos()], -1)


def speeds(x, base=10_000.0):
    return base ** -(torch.arange(x.shape[-1] // 2) / (x.shape[-1] // 2))


def neighbours(x, place):
    pairs = x.view(len(x), -1, 2).transpose(1, 2).flatten(1)
    return turn_by(place[:, None] * speeds(x), pairs).view(len(x), 2, -1).transpose(1, 2).flatten(1)


def added(x, place):
    angle = place[:, None] * speeds(x)
    return x + torch.cat([angle.cos(), angle.sin()], -1)


def complex_numbers(x, place):
    x = np.asarray(x, dtype=float)
    half = x.shape[-1] // 2
    z = x[..., :half] + 1j * x[..., half:]
    z = z * np.exp(1j * np.asarray(place)[:, None] * 10_000.0 ** -(np.arange(half) / half))
    return np.concatenate([z.real, z.imag], -1)


MISCONCEPTIONS = {
    "added": (added, "add no position"),
    "one speed": (lambda x, m: turn_by(m[:, None] * torch.ones(x.shape[-1] // 2), x), "its own speed"),
    "neighbours": (neighbours, "not neighbours"),
    "degrees": (lambda x, m: turn_by(torch.deg2rad(m[:, None] * speeds(x)), x), "not in degrees"),
    "backward": (lambda x, m: turn_by(m[:, None] * speeds(x), x, -1), "turns forward"),
    "counts from one": (lambda x, m: turn_by((m[:, None] + 1) * speeds(x), x), "at place 0"),
    "speed by d": (lambda x, m: turn_by(m[:, None] * speeds(x) ** 0.5, x), "the speed of pair j"),
    "one angle for all rows": (lambda x, m: turn_by(m[0] * speeds(x), x), "by its own place"),
    "the row's number": (
        lambda x, m: turn_by((torch.arange(len(m)) if len(m) > 1 else m)[:, None] * speeds(x), x),
        "not by the row's number",
    ),
    "sorted": (lambda x, m: turn_by(m.sort().values[:, None] * speeds(x), x), "at the places"),
    "another base": (lambda x, m: turn_by(m[:, None] * speeds(x, 10_002.0), x), "at the places"),
    "at most a thousand": (lambda x, m: turn_by(m.clamp(max=1000)[:, None] * speeds(x), x), "at the places"),
    "mirrored": (lambda x, m: torch.cat([x[..., :3], -x[..., 3:]], -1) if m[0] == 7 else turned(x, m), "at place 7"),
    "the first axis": (
        lambda x, m: turned(x, m) if x.ndim == 2 else turned(x.transpose(0, 2), m[:2]).transpose(0, 2),
        "texts and heads in front",
    ),
    "two axes only": (lambda x, m: neighbours(x, m) if x.ndim > 2 else turned(x, m), "axes in front"),
    "one half": (lambda x, m: turned(x, m)[..., : x.shape[-1] // 2], "the shape of x"),
    "nothing": (lambda x, m: None, "nothing came back"),
    "in place": (lambda x, m: turned(x.mul_(1.0 + 1e-3), m), "nothing in place"),
}
ALTERNATIVES = {
    "NumPy, complex": complex_numbers,
    "double": lambda x, m: turn_by(m[:, None].double() * speeds(x.double(), torch.tensor(1e4).double()), x.double()),
    "the library's": lambda x, m: gpt.rotate(x, gpt.turns(m, gpt.frequencies(x.shape[-1]))),
    "exp of log": lambda x, m: turn_by(
        m[:, None] * torch.exp(-log(10_000) * torch.arange(x.shape[-1] // 2) * 2 / x.shape[-1]), x
    ),
    "a list": lambda x, m: turned(x, m).tolist(),
}
### END HIDDEN TESTS

# %%
ones = torch.ones(60, 64) / 64**0.5  # the same vector at sixty places
product = (turned(ones, torch.arange(60)) @ turned(ones[:1], torch.tensor([0])).T)[:, 0]
for far in (0, 1, 2, 5, 10, 20, 50):
    print(f"{far:>2} places apart: {product[far]:+.2f} " + "=" * int(40 * product[far].clamp(min=0)))

# %% [markdown]
# ## 03.7 · modify · 10 min · ●●○○○ · How many can stand before it
#
# *Chapter 03: [1 · Two ways to count](../chapters/03_attention.ipynb#1-·-Two-ways-to-count)*
#
# Kneser & Ney's question, equation (3.2): write `variety(ids, vocab)`, for each symbol of the vocabulary the number of
# **different** symbols that stand directly before it somewhere in the text; itself counts too. What does not occur, or
# has nothing before it, gets 0.
#
# `ids`: (N,) whole numbers in 0 .. vocab - 1; N may be 0. Returns (vocab,) whole numbers.


# %% nbgrader={"grade": false, "grade_id": "03-7", "locked": false, "schema_version": 3, "solution": true, "task": false}
def variety(ids, vocab):
    ### BEGIN SOLUTION
    met = np.zeros((vocab, vocab), bool)
    met[ids[:-1], ids[1:]] = True
    return met.sum(axis=0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-7-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_variety(variety):
    def at(ids, vocab):
        words = f"one number for each symbol of the vocabulary, {vocab}"
        got = course.numbers(course.attempt(variety, np.array(ids, dtype=int), vocab), words)
        assert got.shape == (vocab,), f"{words}, not the shape {got.shape}"
        return got.astype(float).tolist()

    ids = [0, 2, 1, 3, 1, 3, 1, 1, 0]  # .bananaa. in the letters .abnc
    got = at(ids, 5)
    assert got != [2, 4, 1, 2, 0], "this is how often each symbol occurs: count different neighbours"
    assert got != [1, 4, 1, 2, 0], "n stands after a twice: count that a once, not twice"
    assert got != [1, 0, 0, 0, 0] and max(got) > 1, "how many, not whether: before a stand three different ones"
    assert got[0] == 1, "a stop stands at both ends: nothing stands before the first, and the text is no ring"
    assert got[1] == 3, f"before a stand b, n and a itself: 3, not {got[1]:g}"
    assert got == [1, 3, 1, 1, 0], f"[1, 3, 1, 1, 0] was expected, not {got}"
    assert at([0, 1, 0, 2, 0, 3], 4)[0] == 2, "look at what stands before, not after"
    assert at([1], 3) == [0, 0, 0], "a text of one symbol: nothing stands before it"
    assert at([], 3) == [0, 0, 0], "an empty text: nothing stands before anything"
    assert at([1, 1, 1, 1], 2) == [0, 1], "in aaaa only a stands before a: 1"
    dice = np.random.default_rng(0)
    for n, vocab in [(2, 2), (12, 3), (40, 7), (300, 40), (400, 30)]:
        ids = dice.integers(vocab, size=n).tolist()
        got, before = at(ids, vocab), [[] for _ in range(vocab)]
        for i in range(1, n):
            before[ids[i]].append(ids[i - 1])
        for s in range(vocab):
            right = len(set(before[s]))
            assert got[s] == right, (
                f"{n} symbols of {vocab}: before {s} stand {before[s]}, {right} of them different, not {got[s]:g}"
            )


check_variety(variety)


### BEGIN HIDDEN TESTS
def sets(pairs, vocab):
    return np.array([len({a for a, b in pairs if b == s}) for s in range(vocab)])


def pairs(x):
    return list(zip(x[:-1], x[1:]))


def by_code(base):
    def answer(ids, vocab):
        codes = np.unique(ids[:-1] * (base or vocab) + ids[1:])
        return np.bincount(codes % (base or vocab), minlength=vocab)[:vocab]

    return answer


MISCONCEPTIONS = {
    "frequency": (lambda x, V: np.bincount(x, minlength=V), "how often each symbol occurs"),
    "pairs with repetition": (lambda x, V: np.bincount(x[1:], minlength=V), "not twice"),
    "after": (lambda x, V: sets(list(zip(x[1:], x[:-1])), V), "not after"),
    "a ring": (lambda x, V: sets([*pairs(x), (4, x[0])], V), "no ring"),
    "without itself": (lambda x, V: sets([(a, b) for a, b in pairs(x) if a != b], V), "a itself"),
    "only what occurs": (lambda x, V: sets(pairs(x), V)[np.unique(x)], "of the vocabulary"),
    "whether": (lambda x, V: (sets(pairs(x), V) > 0).astype(int), "not whether"),
    "true or false": (lambda x, V: sets(pairs(x), V) > 0, "not whether"),
    "somewhere before": (
        lambda x, V: [len(set(x[: max(np.flatnonzero(x == s), default=0)])) for s in range(V)],
        "no ring",
    ),
    "shares": (lambda x, V: sets(pairs(x), V) / max(sets(pairs(x), V).sum(), 1), "not whether"),
    "one of an empty text": (
        lambda x, V: sets(pairs(x), V) + (len(x) == 1) * (np.arange(V) == x[:1].sum()),
        "text of one",
    ),
    "a code to the base 10": (by_code(10), "of them different"),
    "digits of a code": (lambda x, V: sets(pairs(np.minimum(x, 29)), V), "of them different"),
    "both sides": (lambda x, V: sets([*pairs(x), *pairs(x[::-1])], V), "no ring"),
    "the table": (lambda x, V: np.zeros((V, V)), "of the vocabulary"),
    "ones where nothing": (lambda x, V: np.maximum(sets(pairs(x), V), len(x) == 0), "an empty text"),
    "nothing": (lambda x, V: None, "nothing came back"),
    "in place": (lambda x, V: sets(pairs(x[::-1]), V) if x.sort() else sets(pairs(x), V), "nothing in place"),
}
ALTERNATIVES = {
    "sets": lambda x, V: sets(pairs(x), V),
    "codes": by_code(None),
    "a list of floats": lambda x, V: [float(n) for n in sets(pairs(x), V)],
    "torch": lambda x, V: torch.bincount(
        torch.tensor(sorted({(int(a), int(b)) for a, b in pairs(x)}), dtype=torch.int64).reshape(-1, 2)[:, 1],
        minlength=V,
    ),
}
### END HIDDEN TESTS

# %%
text = np.array(codec.encode(data.shakespeare()))
often, many = np.bincount(text, minlength=len(vocab)) / len(text), variety(text, len(vocab))
share = many / many.sum() / often
for place in [*np.argsort(share)[:4], *np.argsort(share)[-4:]]:
    print(f"{vocab[place]!r}: in Kneser-Ney's base {share[place]:.2f} times as probable as by frequency")

# %% [markdown]
# ## 03.8 · investigate · 25 min · ●●●○○ · Is the model too sure of itself?
#
# *Chapter 03: [5 · Twenty seconds of reading](../chapters/03_attention.ipynb#5-·-Twenty-seconds-of-reading)*
#
# A model may rank letters well and still be too sure, or too timid. Divide its logits by a temperature and see which
# one predicts best: 1 means that it knows how much it knows; above 1, it was too sure. Write `calibrate(logits, ids)`:
# the temperature between 1/4 and 4 with the smallest mean surprise, at most **one per cent** off. Where the best of all
# lies outside of this range, the nearer end is meant. Any method is right that is fine enough. (As a function of the
# temperature the mean surprise falls to one lowest point and then rises; five temperatures do not tell where it is.)
#
# `logits`: (N, V), in nats up to a constant for each row, which may be in the hundreds; `ids`: (N,) what came, N at
# least 1. Returns one number.
#
# Predict: what is it for the course's GPT, and for a chain that adds alpha to its counts (chapter 01)?

# %% tags=["prediction"]
guess_03_8 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "03-8", "locked": false, "schema_version": 3, "solution": true, "task": false}
def calibrate(logits, ids):
    ### BEGIN SOLUTION
    def surprise(temperature):
        return torch.nn.functional.cross_entropy(logits.double() / temperature, ids).item()

    return minimize_scalar(surprise, bounds=(1 / 4, 4), method="bounded").x
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-8-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_calibrate(calibrate):
    def at(logits, ids):
        got = course.numbers(course.attempt(calibrate, logits, ids), "one number, the temperature")
        assert got.ndim == 0, f"one number, the temperature, not the shape {got.shape}"
        assert np.isfinite(got), "this is not a number: an exponential has overflowed; stay among logarithms"
        return float(got)

    def rises(logits, ids, t):  # does the surprise rise at this temperature, if it gets a little warmer?
        there = [torch.nn.functional.cross_entropy(logits.double() / warm, ids) for warm in (t, 1.0001 * t)]
        return there[1] > there[0]

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1500, 7, generator=generator)
    came = {
        t: torch.multinomial((logits / t).softmax(-1), 1, generator=generator)[:, 0] for t in (0.4, 0.75, 1, 1.4, 2.5)
    }
    calm, sure, timid = (at(logits * scale, came[1]) for scale in (1, 2, 0.5))
    same = "the answer is the same for calm and for sure models: "
    assert not calm == sure == timid == 1, same + "a constant is cancelled after the softmax; divide the logits before"
    assert not calm == sure == timid, same + "only the surprise at what came tells them apart"
    assert 0.3 < calm < 3.5, "at the ends of the range the surprise is largest: look for the smallest"
    assert at(logits, came[1]) != at(logits, came[2.5]), (
        "the same logits, but other letters came: the answer looks at ids"
    )
    assert abs(sure - 2) < 0.3 or abs(sure - 0.5) > 0.1, "divide by the temperature, as in sampling; do not multiply"
    cases = [(logits, came[t], f"letters drawn at {t}, so the best is near it") for t in came]
    cases += [(logits * scale, came[1], f"logits {scale} times too large") for scale in (2, 0.5, 3.7, 0.26, 1.13)]
    cases += [(logits[:30, :2] * 1.5, came[1][:30] % 2, "thirty letters, of two")]
    cases += [(logits * scale, came[1], f"logits {scale} times too large") for scale in (9, 0.05)]
    cases += [(logits[:1], logits[:1].argmax(-1), "one letter, the most probable")]
    cases += [(logits[:1], logits[:1].argmin(-1), "one letter, the least probable")]
    shift = torch.tensor([800.0, -800, 0]).repeat(500)[:, None]
    cases += [(1.3 * logits + shift, came[1], "constants of 800 added to the rows")]
    for l, ids, words in cases:
        got = at(l, ids)
        assert 0.2499 < got < 4.001, f"{words}: {got:.4f} is not between 1/4 and 4"
        warmer = f"{words}: the best is more than one per cent above your {got:.4f}; there the surprise is smaller"
        colder = f"{words}: the best is more than one per cent below your {got:.4f}; there the surprise is smaller"
        assert 1.01 * got > 4 or rises(l, ids, 1.01 * got), warmer
        assert got / 1.01 < 1 / 4 or not rises(l, ids, got / 1.01), colder


check_calibrate(calibrate)


### BEGIN HIDDEN TESTS
small, fine = np.geomspace(1 / 4, 4, 41), np.geomspace(1 / 4, 4, 281)  # small: of measures that are wrong anyway


def search(measure, grid=fine):
    return lambda logits, ids: float(grid[np.argmin([measure(logits, ids, t) for t in grid])])


surprise = lambda log_p, ids: -log_p.gather(1, ids[:, None]).mean().item()
normal = lambda p: p / p.sum(-1, keepdim=True)
well = lambda l, i, t: surprise((l / t).log_softmax(-1), i)


def search_from_one(log_p):
    """Keeps 1 unless another temperature is better by more than rounding."""
    better = lambda l, i, t: round(surprise(log_p(l, t), i), 4) + 1e-6 * abs(log(t))
    return search(better, small)


def balanced(logits, ids):
    """Where the mean entropy of what is said equals the mean surprise: there the slope is 0."""
    low, high = 1 / 4, 4
    while high / low > 1.001:
        log_p = (logits.double() / (middle := (low * high) ** 0.5)).log_softmax(-1)
        sure = -(log_p.exp() * log_p).sum(-1).mean() < surprise(log_p, ids)
        low, high = (middle, high) if sure else (low, middle)
    return low


def ternary(logits, ids):
    low, high = 1 / 4, 4
    while high - low > 1e-4:
        a, b = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, b) if well(logits.double(), ids, a) < well(logits.double(), ids, b) else (a, high)
    return torch.tensor((low + high) / 2)


MISCONCEPTIONS = {
    "after the softmax": (lambda l, i: search_from_one(lambda l, t: normal(l.softmax(-1) / t).log())(l, i), "before"),
    "entropy": (
        search(lambda l, i, t: -((l / t).softmax(-1) * (l / t).log_softmax(-1)).sum(-1).mean().item(), small),
        "at what came",
    ),
    "largest surprise": (search(lambda l, i, t: -well(l, i, t), small), "look for the smallest"),
    "accuracy": (search(lambda l, i, t: -((l / t).argmax(-1) == i).float().mean().item(), small), "at what came"),
    "multiplied": (search(lambda l, i, t: well(l, i, 1 / t)), "do not multiply"),
    "root": (lambda l, i: ternary(l, i) ** 0.5, "more than one per cent"),
    "five temperatures": (search(well, np.geomspace(1 / 4, 4, 5)), "more than one per cent"),
    "a coarse grid": (search(well, np.geomspace(1 / 4, 4, 61)), "more than one per cent"),
    "one digit": (lambda l, i: round(float(ternary(l, i)), 1), "more than one per cent"),
    "even steps": (search(well, np.arange(0.25, 4, 0.05)), "more than one per cent"),
    "the spread of the logits": (lambda l, i: l.std(), "looks at ids"),
    "the scale of the logits": (lambda l, i: (l - l.mean(-1, keepdim=True)).pow(2).mean().sqrt(), "looks at ids"),
    "squared error": (
        search(lambda l, i, t: ((l / t).softmax(-1) - torch.eye(l.shape[1])[i]).pow(2).sum().item(), small),
        "more than one per cent",
    ),
    "at most 3": (lambda l, i: min(float(ternary(l, i)), 3), "above your"),
    "from a half": (lambda l, i: max(float(ternary(l, i)), 0.5), "below your"),
    "without an end": (search(well, np.geomspace(1 / 40, 40, 600)), "not between 1/4 and 4"),
    "inside only": (search(well, np.geomspace(0.3, 3.5, 281)), "one per cent"),
    "exponentials": (
        search(lambda l, i, t: surprise(normal((l / t).exp()).log(), i), small),
        "more than one per cent",
    ),
    "the first hundred": (lambda l, i: ternary(l[:100], i[:100]), "more than one per cent"),
    "the surprise itself": (lambda l, i: well(l, i, ternary(l, i)), "more than one per cent"),
    "all temperatures": (lambda l, i: small, "one number"),
    "nothing": (lambda l, i: None, "nothing came back"),
    "in place": (lambda l, i: ternary(l.div_(1.0001), i), "nothing in place"),
}
ALTERNATIVES = {
    "a fine grid": search(well),
    "finest": search(well, np.geomspace(1 / 4, 4, 400)),
    "equal entropy": balanced,
    "thirds": ternary,
    "NumPy": lambda l, i: np.float32(ternary(l, i)),
}
### END HIDDEN TESTS

# %%
text = np.array(codec.encode(data.shakespeare()))
chain = ngram.fit([text], len(vocab), 5, alpha=0.1)
with torch.inference_mode():
    said = model(unread[:12_800].view(100, 128))[:, 64:-1].flatten(0, 1)
came = unread[:12_800].view(100, 128)[:, 65:].flatten()
believed = np.stack([chain.probabilities(unread[i - 5 : i].numpy()) for i in range(5, 4000)])
warmth = {
    "the course's GPT": calibrate(said, came),
    "a chain with alpha": calibrate(torch.tensor(believed).log().float(), unread[5:4000]),
}
for name, temperature in warmth.items():
    print(f"{name}: temperature {temperature:.2f} ; you said: {guess_03_8}")
assert 1 < warmth["the course's GPT"] < 1.2 and warmth["a chain with alpha"] < 0.87

# %% [markdown]
# The GPT is a little too sure: it was trained on other plays, and these surprise it more than it expects. The chain
# errs on the other side: it is too timid. Perhaps that is alpha, which gives something to letters that never come; try
# another one. A model that is well **calibrated** (校准) has temperature 1.

# %% [markdown]
# ## 03.9 · investigate · 20 min · ●●●○○ · How far back does the model look?
#
# *Chapter 03: [6 · What a head looks at](../chapters/03_attention.ipynb#6-·-What-a-head-looks-at)*
#
# An architecture that *can* look back 128 letters need not do so. Leave the model the last `keep` letters of each text,
# and put another text's letters before them. Where more of the true past stops helping, it has stopped looking.
#
# Write `transplant(ids, keep)`: the last `keep` letters of each row stay; all before them come from the *next* row,
# from the same places (the last row takes from the first). The texts that were given stay as they are.
#
# `ids`: (B, T) whole numbers; `keep`: 0 .. T. Returns (B, T) whole numbers.
#
# Predict: how many of the 128 letters have to be true, until it predicts nearly as well as from all of them?

# %% tags=["prediction"]
guess_03_9 = "nothing yet"  # your prediction, in words or numbers, before you run on


# %% nbgrader={"grade": false, "grade_id": "03-9", "locked": false, "schema_version": 3, "solution": true, "task": false}
def transplant(ids, keep):
    ### BEGIN SOLUTION
    T = ids.shape[1]
    return torch.cat([ids.roll(-1, 0)[:, : T - keep], ids[:, T - keep :]], 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-9-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_transplant(transplant):
    def at(ids, keep):
        words = f"the texts keep their length: {tuple(ids.shape)}"
        got = course.numbers(course.attempt(transplant, ids, keep), words)
        assert got.shape == ids.shape, f"{words}, not {got.shape}, where {keep} letters are kept"
        return got

    ids = torch.arange(15).view(3, 5)
    was, got = ids.numpy(), at(ids, 2)
    assert not np.array_equal(got[:, :2], was[:, :2]), "the beginning stayed: keep the end, before what is predicted"
    assert np.array_equal(got[:, 3:], was[:, 3:]), "the last two letters must stay"
    assert not np.array_equal(got[:, 2], was[:, 2]), "three letters stayed: keep is 2"
    own = np.array_equal(np.sort(got[0, :3]), was[0, :3])
    assert not own, "a text's own letters are still there: take another row's"
    assert not np.array_equal(np.sort(got[0, :3]), was[1, 2:]), (
        "the next row's letters, but its last ones: the same places"
    )
    assert np.array_equal(got[0, :3], was[1, :3]), "the letters come from the next row, from the same places"
    assert np.array_equal(got[2, :3], was[0, :3]), "the last row takes from the first"
    assert np.array_equal(at(ids, 0), np.roll(was, -1, 0)), "nothing is kept at 0; beware that [-0:] is everything"
    assert np.array_equal(at(ids, 5), was), "all is kept at T"
    dice = torch.Generator().manual_seed(0)
    for B, T in [(1, 1), (1, 4), (2, 1), (4, 3), (5, 9), (7, 2)]:
        ids = torch.randint(63, (B, T), generator=dice)
        for keep in range(T + 1):
            got = at(ids, keep)
            for b, t in np.ndindex(B, T):
                right = int(ids[b, t] if t >= T - keep else ids[(b + 1) % B, t])
                words = f"{B} texts of {T} letters, {keep} kept: text {b} has {got[b, t]:g} at place {t}"
                assert got[b, t] == right, f"{words}, not {right}"


check_transplant(transplant)


### BEGIN HIDDEN TESTS
def from_the_end(ids, keep):
    out = ids.roll(-1, 0)
    out[:, -keep:] = ids[:, -keep:]
    return out


def in_place(ids, keep):
    ids[:, : ids.shape[1] - keep] = ids.roll(-1, 0)[:, : ids.shape[1] - keep]
    return ids


def transplanted(ids, keep, shift=-1, axis=0):
    cut = ids.shape[1] - keep
    return torch.cat([ids.roll(shift, axis)[:, :cut], ids[:, cut:]], 1)


def without_the_last(ids, keep):
    out = transplanted(ids, keep)
    out[-1] = ids[-1]
    return out


def other_places(ids, keep):
    return torch.cat([ids.roll(-1, 0)[:, keep:], ids[:, ids.shape[1] - keep :]], 1)


MISCONCEPTIONS = {
    "minus zero": (from_the_end, "[-0:]"),
    "in place": (in_place, "nothing in place"),
    "keeps the beginning": (lambda i, k: torch.cat([i[:, :k], i.roll(-1, 0)[:, k:]], 1), "the beginning stayed"),
    "one too many": (lambda i, k: transplanted(i, min(k + 1, i.shape[1])), "keep is 2"),
    "one too few": (lambda i, k: transplanted(i, max(k - 1, 0)), "the last two letters"),
    "shuffles its own": (
        lambda i, k: torch.cat([i[:, : i.shape[1] - k].flip(1), i[:, i.shape[1] - k :]], 1),
        "another row",
    ),
    "row before": (lambda i, k: transplanted(i, k, 1), "from the next row"),
    "cuts off": (lambda i, k: i[:, i.shape[1] - k :], "keep their length"),
    "the last row stays": (without_the_last, "the last row takes from the first"),
    "always the first": (
        lambda i, k: torch.cat([i[:1].expand_as(i)[:, : i.shape[1] - k], i[:, i.shape[1] - k :]], 1),
        "own letters",
    ),
    "other places": (other_places, "the same places"),
    "moved along": (lambda i, k: transplanted(i, k, 1, 1), "from the next row"),
    "keeps two": (
        lambda i, k: transplanted(i, k if k in (0, 5) else 2) if i.shape[1] > 2 else transplanted(i, k),
        "1 kept",
    ),
    "three texts": (lambda i, k: torch.cat([transplanted(i[:3], k), i[3:]]), "kept: text"),
    "nothing": (lambda i, k: None, "nothing came back"),
    "nothing at 0": (lambda i, k: i if k == 0 else transplanted(i, k), "nothing is kept at 0"),
    "shares": (lambda i, k: transplanted(i, k) / 63, "the last two letters"),
}
ALTERNATIVES = {
    "NumPy": lambda i, k: np.where(np.arange(i.shape[1]) >= i.shape[1] - k, i, np.roll(i, -1, 0)),
    "lists": lambda i, k: [
        [*i[(b + 1) % len(i), : i.shape[1] - k].tolist(), *i[b, i.shape[1] - k :].tolist()] for b in range(len(i))
    ],
    "where": lambda i, k: torch.where(torch.arange(i.shape[1]) < i.shape[1] - k, i.roll(-1, 0), i),
    "doubles": lambda i, k: transplanted(i.double(), k),
}
### END HIDDEN TESTS

# %%
plays = torch.tensor(codec.encode(data.shakespeare("validation")))
rows = plays[torch.linspace(0, len(plays) - 129, 600).long()[:, None] + torch.arange(129)]  # from both plays
costs = {}
print("you said:", guess_03_9)
for keep in (4, 8, 32, 127):
    with torch.inference_mode():
        log_p = torch.cat([model(part)[:, -1] for part in transplant(rows[:, :-1], keep).split(100)]).log_softmax(-1)
    costs[keep] = -log_p.gather(1, rows[:, -1:])[:, 0] / log(2)
for keep, bits in list(costs.items())[:-1]:
    more = bits - costs[127]  # place by place: the letters are the same
    print(f"the last {keep:>2} letters are true: {more.mean():.2f} ± {more.std() / len(rows) ** 0.5:.2f} bits dearer")
assert costs[4].mean() > costs[8].mean() > costs[127].mean() + 0.1

# %% [markdown]
# The first few letters give most of it, and yet it does not stop there: from eight true letters to all 128 it saves a
# quarter of a bit more, and what lies more than 32 letters back, most of a verse, is worth a few hundredths. Eighty
# places would not have shown it: the ± of so few is as large as what they look for. The chapter found a head that looks
# for the last line break, which is one of the things that lie so far back.

# %% [markdown]
# ## 03.10 · build · 45 min · ●●●●○ · A block, whole
#
# *Chapter 03: [4 · The whole machine](../chapters/03_attention.ipynb#4-·-The-whole-machine)*
#
# Build a block of the course's GPT, equation (3.7), in three steps; of ready-made things take only `gpt.norm`,
# `gpt.rotate`, `gpt.turns`, `gpt.frequencies`, and from torch the softmax and the gelu (the exact one). `w` is a
# dictionary of four matrices, each (out, in) as torch keeps them, so that it is applied as `x @ W.T`:
# `query_key_value` (3 C, C), `output` (C, C), `up` (4 C, C), `down` (C, 4 C).
#
# First `project(x, w, heads)`. It reads norm(x). `query_key_value` gives C features of queries, then C of keys, then C
# of values; each of the three is cut into heads as in 03.5. Queries and keys are normalised once more, head by head,
# and then turned by their places 0 .. T - 1. Values are not.
#
# `x`: (B, T, C), C / heads even. Returns three tensors q, k, v, each (B, heads, T, C / heads).


# %% nbgrader={"grade": false, "grade_id": "03-10", "locked": false, "schema_version": 3, "solution": true, "task": false}
def project(x, w, heads):
    ### BEGIN SOLUTION
    B, T, C = x.shape
    d = C // heads
    turn = gpt.turns(torch.arange(T), gpt.frequencies(d))
    qkv = gpt.norm(x) @ w["query_key_value"].T
    apart = []
    for part in qkv.chunk(3, -1):
        apart.append(part.reshape(B, T, heads, d).transpose(1, 2))
    q, k, v = apart
    q = gpt.rotate(gpt.norm(q), turn)
    k = gpt.rotate(gpt.norm(k), turn)
    return q, k, v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-10-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_project(project):
    def at(x, matrix, heads):
        B, T, C = x.shape
        wanted = (3, B, heads, T, C // heads)
        words = f"three tensors q, k, v, each {wanted[1:]}: (B, heads, T, C / heads)"
        answer = course.attempt(project, x, {"query_key_value": matrix}, heads)
        assert not isinstance(answer, (str, dict)) and np.ndim(answer) != 0 or isinstance(answer, tuple), words
        assert len(answer) == 3, f"{words}; these are {len(answer)}"
        parts = [course.numbers(part, words) for part in answer]
        shapes = [part.shape for part in parts]
        assert all(shape == wanted[1:] for shape in shapes), f"{words}; these are {shapes}"
        return parts

    def library(x, matrix, heads):  # the keys and values of the library's own layer, which it leaves in a memory
        T, C = x.shape[1:]
        layer, memory = gpt.Attention(gpt.Config(1, 99, heads=heads, width=C)), gpt.Memory(99)
        layer.query_key_value.weight = torch.nn.Parameter(matrix)
        with torch.no_grad():
            layer(gpt.norm(x), gpt.turns(torch.arange(T), gpt.frequencies(C // heads)), memory)
        return memory.room[:, :, :, :T].numpy()

    like = lambda a, b: np.allclose(a, b, atol=1e-4)
    generator = torch.Generator().manual_seed(0)
    for B, T, C, heads in [(2, 5, 12, 3), (1, 1, 4, 1), (3, 4, 8, 1), (2, 7, 16, 4), (1, 130, 8, 2)]:
        x, matrix = torch.randn(B, T, C, generator=generator) + 1, torch.randn(3 * C, C, generator=generator)
        (q, k, v), words = at(x, matrix, heads), f"(B, T, C) = {(B, T, C)}, {heads} heads: "
        far = at(10 * x - 3, matrix, heads)
        assert np.allclose(far[2], v, atol=0.02), (
            words + "an x ten times as large, and moved, asks the same, as norm(x) is read"
        )
        keys, values = library(x, matrix, heads)
        queries = library(x, matrix.roll(C, 0), heads)[0]
        assert not (like(v[:, :, 0], values[:, :, 0]) and not like(v, values)), words + "values are not turned"
        assert not like(np.sort(v, None), np.sort(values, None)) or like(v, values), (
            words + "the right values in wrong places: separate the heads as in 03.5"
        )
        assert like(v, values), words + "v is wrong: the last C features of the three times C, cut into heads"
        for name, part, right in (("q", q, queries), ("k", k, keys)):
            assert np.allclose((part**2).mean(-1), 1, atol=0.01), (
                words + f"{name} is normalised once more, each head by itself"
            )
            assert not like(part, keys if name == "q" else queries) or like(part, right), (
                words + "queries first, then keys"
            )
            assert like(part[:, :, 0], right[:, :, 0]), (
                words + f"{name} is wrong at place 0 already, where nothing turns"
            )
            assert like(part, right), words + f"{name} is right at place 0: turn each place by its own number"


check_project(project)


### BEGIN HIDDEN TESTS
def _project(cut=None, order=(0, 1, 2), first=gpt.norm, inner=gpt.norm, places=torch.arange, turned=(1, 1, 0), again=1):
    def answer(x, w, heads):
        B, T, C = x.shape
        turn = gpt.turns(places(T), gpt.frequencies(C // heads))
        parts = (first(x) @ w["query_key_value"].T).chunk(3, -1)
        parts = [(cut or split)(parts[i], heads) for i in order]
        if again:
            parts[:2] = [inner(part) for part in parts[:2]]
        return tuple(gpt.rotate(part, turn) if on else part for part, on in zip(parts, turned))

    return answer


def before_the_cut(x, w, heads):
    turn = gpt.turns(torch.arange(x.shape[1]), gpt.frequencies(x.shape[2] // heads))
    q, k, v = (gpt.norm(x) @ w["query_key_value"].T).chunk(3, -1)
    q, k, v = (split(part, heads) for part in (gpt.norm(q), gpt.norm(k), v))
    return gpt.rotate(q, turn), gpt.rotate(k, turn), v


MISCONCEPTIONS = {
    "reads x": (_project(first=lambda x: x), "norm(x) is read"),
    "values turned": (_project(turned=(1, 1, 1)), "values are not turned"),
    "view alone": (_project(cut=lambda x, h: x.reshape(x.shape[0], h, x.shape[1], -1)), "in wrong places"),
    "every third": (_project(cut=lambda x, h: x.unflatten(-1, (-1, h)).permute(0, 3, 1, 2)), "in wrong places"),
    "keys first": (_project(order=(1, 0, 2)), "queries first"),
    "values first": (_project(order=(1, 2, 0)), "v is wrong"),
    "not again": (_project(again=0), "normalised once more"),
    "before the cut": (before_the_cut, "each head by itself"),
    "nobody turned": (_project(turned=(0, 0, 0)), "by its own number"),
    "only queries": (_project(turned=(1, 0, 0)), "k is right at place 0"),
    "counted from one": (_project(places=lambda T: torch.arange(T) + 1), "where nothing turns"),
    "all at one place": (_project(places=lambda T: torch.zeros(T)), "q is right at place 0"),
    "backwards": (_project(places=lambda T: -torch.arange(T)), "q is right at place 0"),
    "at most 128": (_project(places=lambda T: torch.arange(T).clamp(max=127)), "q is right at place 0"),
    "not cut": (lambda x, w, h: (gpt.norm(x) @ w["query_key_value"].T).chunk(3, -1), "three tensors"),
    "one tensor": (lambda x, w, h: gpt.norm(x) @ w["query_key_value"].T, "three tensors"),
    "a number": (lambda x, w, h: 3.0, "three tensors"),
    "nothing": (lambda x, w, h: None, "nothing came back"),
}
ALTERNATIVES = {
    "another way": _project(),
    "in one tensor": lambda x, w, h: torch.stack(_project()(x, w, h)),
    "NumPy": lambda x, w, h: [np.asarray(part, dtype=float) for part in _project()(x, w, h)],
}
### END HIDDEN TESTS


# %% [markdown]
# Then `exchange(q, k, v, context)`: tokens speak to one another. In each head, each place sees itself and those before
# it, `context` in all, as in 03.2, and takes their values as in (3.3). The answers of the heads are laid side by side
# again: head 0 gives the first features, and so on.
#
# `q`, `k`, `v`: (B, heads, T, d); `context`: from 1. Returns (B, T, heads * d).


# %% nbgrader={"grade": false, "grade_id": "03-10-b", "locked": false, "schema_version": 3, "solution": true, "task": false}
def exchange(q, k, v, context):
    ### BEGIN SOLUTION
    B, heads, T, d = q.shape
    place = torch.arange(T)
    ago = place[:, None] - place
    unseen = (ago < 0) | (ago >= context)
    scores = q @ k.mT / d**0.5
    look = scores.masked_fill(unseen, -torch.inf).softmax(-1)
    return (look @ v).transpose(1, 2).reshape(B, T, heads * d)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-10-b-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_exchange(exchange):
    def at(q, k, v, context):
        B, heads, T, d = q.shape
        words = f"heads side by side again, (B, T, heads * d): {(B, T, heads * d)}"
        got = course.numbers(course.attempt(exchange, q, k, v, context), words)
        assert got.shape == (B, T, heads * d), f"{words}, not {got.shape}"
        assert np.isfinite(got).all(), (
            "not a number: does a place see nothing at all, or did an exponential overflow? "
            "Hide before the softmax, not behind it"
        )
        return got

    generator = torch.Generator().manual_seed(0)
    for B, heads, T, d, context in [
        (2, 3, 5, 4, 5),
        (1, 1, 1, 2, 1),
        (2, 2, 6, 3, 2),
        (1, 4, 4, 9, 1),
        (3, 1, 9, 1, 20),
    ]:
        q, k, v = 2 * torch.randn(3, B, heads, T, d, generator=generator)
        got, words = at(q, k, v, context), f"(B, heads, T, d) = {(B, heads, T, d)}, context {context}: "
        own = torch.zeros(B, T, heads, d) + torch.arange(heads)[:, None]
        laid = at(q, k, own.transpose(1, 2), context)
        assert np.allclose(laid, own.flatten(2), atol=1e-4), (
            words + "head 0 gives the first features of each place, and so on"
        )
        for t in range(T):
            there = torch.arange(T) == t
            moved = at(q, k + 3.0 * there[:, None], v + there[:, None], context)
            felt = np.abs(moved - got).max((0, 2)) > 1e-4
            assert not felt[:t].any(), (
                words + f"place {t} was changed, and places before it felt it: the future is seen"
            )
            assert not felt[t + context :].any(), words + f"place {t} was changed, and felt {context} places later"
            assert felt[t], words + f"a place sees itself, place {t} too"
        for t in range(T):
            alone = slice(max(0, t + 1 - context), t + 1)
            right = torch.nn.functional.scaled_dot_product_attention(q[:, :, [t]], k[:, :, alone], v[:, :, alone])
            off = np.abs(got[:, t] - right.flatten(1).numpy()).max()
            assert off < 1e-4, (
                words + f"place {t} is off by {off:.2g}: scores over the root of d, and a mask before the softmax"
            )
    loud = at(400 * torch.ones(1, 1, 3, 4), torch.ones(1, 1, 3, 4), torch.ones(1, 1, 3, 4), 3)
    assert np.allclose(loud, 1), "scores of 800, all equal: the mean of equal values is that value"
    low = torch.tensor([-20.0, 20, 20])[:, None].expand(1, 2, 3, 1)
    far = at(torch.full((1, 2, 3, 1), 20.0), low, torch.tensor([1.0, 2, 4])[:, None].expand(1, 2, 3, 1), 2)
    assert np.allclose(far[0, :, 0], [1, 2, 3]), (
        f"scores of -400 for what is seen and 400 for what is not: [1, 2, 3], not {far[0, :, 0]}. What is hidden has the "
        "score -inf, not only a low one"
    )


check_exchange(exchange)


### BEGIN HIDDEN TESTS
def _exchange(scale=lambda q: q.shape[-1] ** 0.5, mask=hidden, join=lambda y: y.transpose(1, 2).flatten(2)):
    def answer(q, k, v, context):
        scores = q @ k.mT / scale(q)
        return join(scores.masked_fill(mask(q.shape[2], context), -torch.inf).softmax(-1) @ v)

    return answer


def masked_after(q, k, v, context):
    look = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).masked_fill(hidden(q.shape[2], context), 0)
    return (look @ v).transpose(1, 2).flatten(2)


def masked_after_and_shared(q, k, v, context):
    look = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1).masked_fill(hidden(q.shape[2], context), 0)
    return (look / look.sum(-1, keepdim=True) @ v).transpose(1, 2).flatten(2)


def exponentials(q, k, v, context):
    look = (q @ k.mT / q.shape[-1] ** 0.5).exp() * ~hidden(q.shape[2], context)
    return (look / look.sum(-1, keepdim=True) @ v).transpose(1, 2).flatten(2)


MISCONCEPTIONS = {
    "no mask": (_exchange(mask=lambda T, c: torch.zeros(T, T).bool()), "the future is seen"),
    "no end": (_exchange(mask=lambda T, c: hidden(T, T)), "places later"),
    "masked after": (masked_after, "first features of each place"),
    "zero for hidden": (
        lambda q, k, v, c: (
            (((q @ k.mT / q.shape[-1] ** 0.5) * ~hidden(q.shape[2], c)).softmax(-1) @ v).transpose(1, 2).flatten(2)
        ),
        "the future is seen",
    ),
    "itself hidden": (_exchange(mask=lambda T, c: hidden(T, c) | torch.eye(T).bool()), "see nothing at all"),
    "transposed": (_exchange(mask=lambda T, c: hidden(T, c).T), "the future is seen"),
    "one too far": (_exchange(mask=lambda T, c: hidden(T, c + 1)), "places later"),
    "not divided": (_exchange(lambda q: 1), "over the root of d"),
    "divided by d": (_exchange(lambda q: q.shape[-1]), "over the root of d"),
    "by the root of C": (_exchange(lambda q: (q.shape[1] * q.shape[-1]) ** 0.5), "over the root of d"),
    "not exchanged back": (
        _exchange(join=lambda y: y.reshape(y.shape[0], y.shape[2], -1)),
        "first features of each place",
    ),
    "heads added": (_exchange(join=lambda y: y.sum(1)), "side by side"),
    "features interleaved": (_exchange(join=lambda y: y.permute(0, 2, 3, 1).flatten(2)), "first features"),
    "still apart": (_exchange(join=lambda y: y), "side by side"),
    "overflow": (exponentials, "overflow"),
    "masked after, shared anew": (masked_after_and_shared, "before the softmax"),
    "a low score": (
        lambda q, k, v, c: (
            ((q @ k.mT / q.shape[-1] ** 0.5).masked_fill(hidden(q.shape[2], c), -100).softmax(-1) @ v)
            .transpose(1, 2)
            .flatten(2)
        ),
        "not only a low one",
    ),
    "nothing": (lambda q, k, v, c: None, "nothing came back"),
    "in place": (lambda q, k, v, c: _exchange()(q.mul_(1), k.add_(1), v, c), "nothing in place"),
}
ALTERNATIVES = {
    "torch's own": lambda q, k, v, c: (
        torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=~hidden(q.shape[2], c))
        .transpose(1, 2)
        .flatten(2)
    ),
    "by 03.1": lambda q, k, v, c: torch.stack(
        [
            attention(q[:, :, [t]], *(x[:, :, max(0, t + 1 - c) : t + 1] for x in (k, v))).flatten(1)
            for t in range(q.shape[2])
        ],
        1,
    ),
    "NumPy": lambda q, k, v, c: _exchange()(q, k, v, c).numpy().astype(float),
}
### END HIDDEN TESTS


# %% [markdown]
# Last `block(x, w, heads, context)`, with both of these: what the heads answer goes through `output` and is **added**
# to x; then each token thinks for itself: norm, `up`, gelu, `down`, and this is added too.
#
# `x`: (B, T, C). Returns (B, T, C).


# %% nbgrader={"grade": false, "grade_id": "03-10-c", "locked": false, "schema_version": 3, "solution": true, "task": false}
def block(x, w, heads, context):
    ### BEGIN SOLUTION
    q, k, v = project(x, w, heads)
    heard = exchange(q, k, v, context)
    x = x + heard @ w["output"].T
    wide = torch.nn.functional.gelu(gpt.norm(x) @ w["up"].T)
    return x + wide @ w["down"].T
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-10-c-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_block(block):
    def at(x, w, heads, context):
        words = f"a block keeps the shape of x, {tuple(x.shape)}"
        got = course.numbers(course.attempt(block, x, w, heads, context), words)
        assert got.shape == x.shape, f"{words}, not {got.shape}"
        return got

    def library(x, w, heads, context):
        theirs = gpt.Block(gpt.Config(1, context, heads=heads, width=x.shape[2]))
        for layer, name in [(theirs.attention.query_key_value, "query_key_value"), (theirs.attention.output, "output")]:
            layer.weight = torch.nn.Parameter(w[name])
        theirs.up.weight, theirs.down.weight = torch.nn.Parameter(w["up"]), torch.nn.Parameter(w["down"])
        with torch.no_grad():
            return theirs.eval()(x, gpt.turns(torch.arange(x.shape[1]), gpt.frequencies(x.shape[2] // heads))).numpy()

    like = lambda a, b: np.allclose(a, b, atol=2e-4)
    generator = torch.Generator().manual_seed(0)
    for B, T, C, heads, context in [(2, 5, 12, 3, 5), (1, 1, 4, 1, 1), (2, 9, 8, 2, 3), (1, 6, 24, 4, 20)]:
        sizes = {"query_key_value": (3 * C, C), "output": (C, C), "up": (4 * C, C), "down": (C, 4 * C)}
        w = {name: torch.randn(size, generator=generator) / size[1] ** 0.5 for name, size in sizes.items()}
        x, words = (
            3 * torch.randn(B, T, C, generator=generator),
            f"(B, T, C) = {(B, T, C)}, {heads} heads, context {context}: ",
        )
        but = lambda *names, w=w: {name: 0 * part if name in names else part for name, part in w.items()}
        quiet, deaf, mute = but("output", "down"), but("output"), but("down")
        assert like(at(x, quiet, heads, context), x), (
            words + "where output and down are zero, nothing is added: what comes out is x itself"
        )
        assert like(at(x, mute, heads, context), library(x, mute, heads, context)), (
            words + "where only down is zero, x + output of what the heads answer is left; yours is something else"
        )
        alone = at(x, deaf, heads, context)
        assert like(at(x + 9, deaf, heads, context) - 9, alone), (
            words + "where output is zero, an x moved by 9 thinks the same, as the two layers read norm(x), too"
        )
        assert like(alone, library(x, deaf, heads, context)), (
            words
            + "where only output is zero, each token thinks: norm, up, the exact gelu, down; yours does something else"
        )
        got = at(x, w, heads, context)
        assert like(got, library(x, w, heads, context)), (
            words + "both parts are right alone; together: the second reads the x to which the first has added"
        )


check_block(block)


### BEGIN HIDDEN TESTS
def _heard(x, w, heads, context):
    return exchange(*project(x, w, heads), context) @ w["output"].T


def _block(think=lambda x, w: torch.nn.functional.gelu(gpt.norm(x) @ w["up"].T) @ w["down"].T, heard=_heard):
    def answer(x, w, heads, context):
        x = x + heard(x, w, heads, context)
        return x + think(x, w)

    return answer


think = lambda x, w, bend=torch.nn.functional.gelu, norm=gpt.norm: bend(norm(x) @ w["up"].T) @ w["down"].T
MISCONCEPTIONS = {
    "nothing kept": (lambda x, w, h, c: think(_heard(x, w, h, c), w), "x itself"),
    "first not added": (lambda x, w, h, c: _heard(x, w, h, c) + think(_heard(x, w, h, c), w), "x itself"),
    "side by side": (lambda x, w, h, c: x + _heard(x, w, h, c) + think(x, w), "together"),
    "thinks first": (lambda x, w, h, c: _block(lambda x, w: 0)(x + think(x, w), w, h, c), "together"),
    "relu": (_block(lambda x, w: think(x, w, torch.relu)), "the exact gelu"),
    "the other gelu": (
        _block(lambda x, w: think(x, w, lambda x: torch.nn.functional.gelu(x, approximate="tanh"))),
        "the exact gelu",
    ),
    "not bent": (_block(lambda x, w: think(x, w, lambda x: x)), "the exact gelu"),
    "second without norm": (_block(lambda x, w: think(x, w, norm=lambda x: x)), "thinks the same"),
    "no output": (_block(heard=lambda x, w, h, c: exchange(*project(x, w, h), c)), "x itself"),
    "output as it lies": (
        _block(heard=lambda x, w, h, c: exchange(*project(x, w, h), c) @ w["output"]),
        "of what the heads answer",
    ),
    "norm twice": (_block(heard=lambda x, w, h, c: _heard(gpt.norm(x), w, h, 2 * c)), "of what the heads answer"),
    "norm behind": (lambda x, w, h, c: gpt.norm(_block()(x, w, h, c)), "x itself"),
    "all is seen": (_block(heard=lambda x, w, h, c: _heard(x, w, h, 99)), "of what the heads answer"),
    "one head": (_block(heard=lambda x, w, h, c: _heard(x, w, 1, c)), "of what the heads answer"),
    "from the first x": (
        lambda x, w, h, c: x + think(x + _heard(x, w, h, c), w),
        "of what the heads answer",
    ),
    "nothing": (lambda x, w, h, c: None, "nothing came back"),
    "in place": (lambda x, w, h, c: x.add_(_heard(x, w, h, c)) + think(x, w), "nothing in place"),
}
ALTERNATIVES = {
    "another way": _block(),
    "layer norm of torch": _block(
        lambda x, w: think(x, w, norm=lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:]))
    ),
    "NumPy": lambda x, w, h, c: np.asarray(_block()(x, w, h, c), dtype=float),
}
### END HIDDEN TESTS

# %%
weights, page = model.state_dict(), unread[:1280].view(10, 128)
name_of = {"query_key_value": "attention.query_key_value", "output": "attention.output", "up": "up", "down": "down"}


def read(ids, without=None):
    """Logits of the course's GPT, of your blocks; one of them may be left out."""
    x = gpt.norm(weights["embed.weight"][ids])
    for n in range(5):
        if n != without:
            x = block(x, {mine: weights[f"blocks.{n}.{theirs}.weight"] for mine, theirs in name_of.items()}, 3, 128)
    return gpt.norm(x) @ weights["head.weight"].T


with torch.inference_mode():
    whole = read(page)
    assert torch.allclose(whole, model(page), atol=1e-2)  # the same logits, to rounding
    bits = {}
    for without in (None, 0, 1, 2, 3, 4):
        log_p = read(page, without)[:, 64:-1].log_softmax(-1).gather(2, page[:, 65:, None])
        bits[without] = -log_p.mean().item() / log(2)
        print(f"without block {without}: {bits[without]:.1f} bits per character")
assert bits[None] < min(bits[n] for n in range(1, 5)) and max(bits.values()) == bits[0]

# %% [markdown]
# Your blocks are the course's GPT. Without its first block it is lost: the later ones were trained to read what that
# one adds. Without one of the others it is worse, but it still speaks: each of them adds to what the others said.

# %% [markdown]
# ## 03.11 · challenge · 60 min · ●●●●● · The memory that it did not learn
#
# *Chapter 03: [7 · The stranger's name, and a page of your own](../chapters/03_attention.ipynb#7-·-The-stranger's-name,-and-a-page-of-your-own)*
#
# The chapter found that the course's GPT does not learn a name that it meets on the page. Give it that memory. In the
# page below the speakers of an unread play bear names that nobody has read before. Write `remember(logits, ids)`:
# better probabilities of each letter, from what the GPT says and from what has stood on the page **so far**, all of it,
# also what lies further back than 128 letters. (A cache is one way: Grave et al. 2017, arXiv:1612.04426.) Nothing is
# trained beforehand. Ours, `simple`, stands above the function to write: it is there to be beaten.
#
# `logits`: (N, V), in nats, what the GPT says before each letter came; `ids`: (N,) the letters that came. Returns
# (N, V) probabilities: row t from `logits[: t + 1]` and `ids[:t]` alone. For logits within ±50 no letter is impossible.
# The score is bits per letter, the less the better; the GPT alone has more than two. The check asks only for what any
# answer has to keep.

# %%
play = data.shakespeare("validation")[:8000]
speakers = [
    "SIR TOBY BELCH",
    "SIR ANDREW",
    "DUKE ORSINO",
    "MALVOLIO",
    "VALENTINE",
    "OLIVIA",
    "VIOLA",
    "MARIA",
    "CAPTAIN",
]
strangers = ["ZORLINDA", "GURBEKON", "DUFAZIM", "TANUKEB", "VOGUMIR", "FISODEN", "KEZURAL", "PRAVOTI", "LIMUGAS"]
for speaker, stranger in zip(speakers, strangers, strict=True):
    play = play.replace(f"{speaker}:", f"{stranger}:")
ids = torch.tensor(codec.encode(play))
windows = torch.arange(0, 6400, 64)[:, None] + torch.arange(128)
with torch.inference_mode():
    said = model(ids[windows])[:, 63:-1].flatten(0, 1)  # (6400, V), each from at least 64 letters
came = ids[64 : 64 + len(said)]


# %% nbgrader={"grade": false, "grade_id": "03-11", "locked": false, "schema_version": 3, "solution": true, "task": false}
def simple(logits, ids, n=5, trust=0.3):
    """Ours: what came after the last n letters, when these stood there before, comes again with this probability."""
    p, ids, came = torch.as_tensor(logits).double().softmax(-1).numpy(), [int(i) for i in ids], {}
    for t, letter in enumerate(ids):
        end = tuple(ids[max(0, t - n) : t])
        if end in came:
            p[t] *= 1 - trust
            p[t, came[end]] += trust
        came[end] = letter
    return torch.from_numpy(p)


def remember(logits, ids):
    ### BEGIN SOLUTION
    for n in range(4, 11):  # the longer ones have the last word
        logits = simple(logits, ids, n, 0.1).log()
    return logits.exp()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "03-11-check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Run this cell: it checks your answer.
@course.hints
def check_remember(remember):
    def at(logits, ids):
        words = f"a probability of each letter at each place: {tuple(logits.shape)}"
        got = course.numbers(course.attempt(remember, logits, ids), words)
        assert got.shape == logits.shape, f"{words}, not {got.shape}"
        assert np.isfinite(got).all(), "some of these are no finite numbers"
        assert (got >= 0).all(), "a probability is never negative; are these logarithms?"
        off = np.abs(got.sum(1) - 1).max()
        assert off < 1e-4, f"each row is a distribution; one of them adds up to {1 + off:.4f} or {1 - off:.4f}"
        return got

    generator = torch.Generator().manual_seed(0)
    for N, V in [(1, 2), (1, 9), (2, 3), (50, 4), (80, 9)]:
        logits = 2 * torch.randn(N, V, generator=generator)
        word = torch.randint(V, (7,), generator=generator)
        ids = word.repeat(12)[:N]  # the same word again and again
        got = at(logits, ids)
        assert (got > 0).all(), "a letter is held to be impossible: should it come, the surprise is infinite"
        for t in sorted({0, 1, N // 2, N - 2, N - 1} & set(range(N))):
            for new in {(int(ids[t]) + 1) % V, (int(ids[t]) + 2) % V}:
                other = torch.cat([ids[:t], torch.full((1,), new), ids[t + 1 :].flip(0)])
                moved = np.abs(at(logits, other)[: t + 1] - got[: t + 1]).max(1)
                assert moved[t] < 1e-6, f"N = {N}: row {t} knows which letter comes at place {t}: that is its answer"
                assert moved.max() < 1e-6, (
                    f"N = {N}: letters from place {t} on were changed, and an earlier row has moved"
                )
            later = logits.clone()
            later[t + 1 :] += torch.randn(N - t - 1, V, generator=generator)
            moved = np.abs(at(later, ids)[: t + 1] - got[: t + 1]).max()
            assert moved < 1e-6, f"N = {N}: rows up to {t} look at what the GPT says later"
    at(800 * torch.randn(5, 4, generator=generator), torch.tensor([0, 1, 2, 3, 0]))


check_remember(remember)


### BEGIN HIDDEN TESTS
def _said(logits):
    return logits.double().softmax(-1)


def _counted(ids, V, after=0):
    """Shares of the letters before each place, or, with after = 1, of those up to it."""
    came = torch.nn.functional.one_hot(ids, V).double()
    n = torch.arange(len(ids))[:, None] + after
    return (came.cumsum(0) - (1 - after) * came + 1 / V) / (n + 1)


def _mixed(logits, other, weight=0.2):
    return (1 - weight) * _said(logits) + weight * other


def _exponentials(logits, ids):
    return logits.exp() / logits.exp().sum(-1, keepdim=True)


MISCONCEPTIONS = {
    "peeks": (lambda l, i: _mixed(l, _counted(i, l.shape[1], 1)), "that is its answer"),
    "knows the answer": (lambda l, i: _mixed(l, torch.eye(l.shape[1])[i]), "that is its answer"),
    "counts the whole page": (lambda l, i: _mixed(l, _counted(i, l.shape[1], 1)[-1]), "that is its answer"),
    "the letter after next": (
        lambda l, i: _mixed(l, torch.eye(l.shape[1])[torch.cat([i[1:], i[:1] * 0])]),
        "an earlier row has moved",
    ),
    "the mean of the logits": (lambda l, i: _mixed(l, _said(l).mean(0)), "says later"),
    "the next row": (lambda l, i: _mixed(l, _said(l.roll(-1, 0))), "says later"),
    "logarithms": (lambda l, i: _said(l).log(), "never negative"),
    "added": (lambda l, i: _said(l) + 0.2 * _counted(i, l.shape[1]), "is a distribution"),
    "logits": (lambda l, i: l, "never negative"),
    "the letter alone": (lambda l, i: _said(l).gather(1, i[:, None])[:, 0], "of each letter"),
    "without the first": (lambda l, i: _said(l)[1:], "of each letter"),
    "sure": (lambda l, i: torch.eye(l.shape[1])[l.argmax(-1)], "impossible"),
    "the most probable": (lambda l, i: l.argmax(-1), "of each letter"),
    "overflow": (_exponentials, "no finite numbers"),
    "nothing": (lambda l, i: None, "nothing came back"),
    "in place": (lambda l, i: _said(l.mul_(0.9)), "nothing in place"),
}
ALTERNATIVES = {
    "the GPT alone": lambda l, i: _said(l),
    "ours": simple,
    "single precision": lambda l, i: l.softmax(-1),
    "letters so far": lambda l, i: _mixed(l, _counted(i, l.shape[1])),
    "lists": lambda l, i: _said(l / 1.1).tolist(),
}
### END HIDDEN TESTS


# %%
answers = {"the GPT alone": said.softmax(-1), "ours": simple(said, came), "yours": remember(said, came)}
for name, p in answers.items():
    print(f"{name}: {-np.log2(course.numbers(p, '(N, V)')[np.arange(len(came)), came]).mean():.2f} bits per letter")
