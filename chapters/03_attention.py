# %% [markdown]
# # 03 · Attention
#
# *read 80 min · do 240 min · run 75 s*
#
# **How can a machine use a word that it has met only once, a moment ago?**
#
# A stranger enters. *ZORLINDA*, says the page, then a line of hers, then a line of somebody else's. Then the page says
# *ZORL*, and you know how it goes on. You have met the name once in your life, half a minute ago, and that is enough.
#
# The counting machine of chapter 01 has read four million letters, and none of them helps. It has no entry for *ZORL*,
# and what stood on this very page ten words ago is gone: it looks back a handful of letters. A few more would not mend
# it, and neither would more books. It needs another kind of memory: not a table of what usually follows, but a way to
# **look it up** in what has just been read.
#
# ## What you need
#
# Chapter 01 (bits, chains, held-out plays), the softmax of chapter 02, the scalar product of two vectors, variances,
# and complex numbers as points of the plane. A part marked ◇ is for a second reading.

# %%
import re
from itertools import pairwise
from math import log, log2

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import gelu

from aigc import course, data, machine, released, show
from aigc.codecs.text import CharCodec
from aigc.models import gpt, ngram

device = course.start("03")
show.style()
rng = np.random.default_rng(course.seed())

# %% [markdown]
# ## What we will measure
#
# Bits per character on plays that nobody has read in training, as in chapter 01, and the same for one question that is
# asked at every letter: *does the line end here?* Chapter 01 found that Shakespeare's letters share information at a
# distance of a whole verse, and that no chain can keep it. Now we can ask who does.
#
# | machine | learns by | sees |
# |:--|:--|:--|
# | chain with $\alpha$ (chapter 01) | counting | a few letters |
# | Kneser-Ney | counting with more care | a few letters |
# | Kneser-Ney, and a counter that goes on | counting while it is read to | all that it was read |
# | our GPT | about twenty seconds of training, here | 64 letters |
# | the course's GPT | some minutes of training, shipped | 128 letters |
#
# The idea of the chapter is one picture: a dictionary in which a question fits every entry, and some entries better.

# %%
show.diagram(
    {"what I look for": (0, 0, "truth"), "what you are": (0, 1), "how alike": (1, 0.5, "model")}
    | {"what you give": (1, 1.5), "what I take": (2, 0.5)},
    [("what I look for", "how alike", "query"), ("what you are", "how alike", "key")]
    + [("how alike", "what I take", "weights"), ("what you give", "what I take", "value")],
    alt="A query and a key say how alike two places are; so much of the other place's value is taken.",
)

# %% tags=["mine"]
play = data.shakespeare()
codec = CharCodec.train(play)
V = len(codec.vocab)
text = np.array(codec.encode(play))


def pages(split: str, number: int) -> np.ndarray:
    """So many pages of 2,000 letters, evenly spread over the two plays of a split."""
    ids = np.array(codec.encode(data.shakespeare(split)))
    return np.concatenate([ids[i : i + 2000] for i in np.linspace(0, len(ids) - 2000, number).astype(int)])


unread, test = pages("validation", 10), pages("test", 16)  # to choose by; for the end
NEWLINE, COLON = codec.encode("\n:")
print(f"{len(text):,} letters to learn from; {V} different ones")

# %% [markdown]
# ## 1 · Two ways to count
#
# *How well can one predict by counting alone?* A new method deserves the best of its rivals as a baseline. The chain of
# chapter 01 wasted what it knew: where it had seen a context three times it believed those three; where it had never
# seen it, it believed nothing, although it had met the last letters of that context a thousand times. Kneser & Ney
# (1995) mend that with two ideas: take a little from each count and give it to the shorter context, and ask that one
# another question than how often. Whoever wants to come to attention soon may take the library's word for it, and go on
# with the ladder below.
#
# ### ◇ How they do it
#
# **Take a little from each count and ask the shorter context.** Let $c$ be a context, $s$ a symbol and $c'$ the context
# without its oldest symbol; $n(c)$ says how often $c$ was followed by anything, $n(cs)$ how often by $s$. From each
# count we take a discount $D$; all that was taken goes to what $c'$ believes (Chen & Goodman 1999):
#
# $$p(s \mid c) = \frac{n(cs) - D}{n(c)} + b(c)\, p(s \mid c'), \qquad
# b(c) = \frac{D \cdot \#\{s : n(cs) > 0\}}{n(c)} \tag{3.1}$$
#
# The first term stands only where $n(cs) > 0$. A context that was never seen says nothing, $p(s \mid c) = p(s \mid
# c')$, and below the empty one stands the uniform distribution. How large is $D$? Words seen once stand for many that
# could have come. With $n_1$ grams seen once and $n_2$ seen twice, $D = n_1 / (n_1 + 2 n_2)$.
#
# **Ask the shorter context another question.** It is asked only where the longer one is in doubt, so it should not say
# how *often* $s$ comes after $c$, but after how *many different* symbols $v$ the whole $cs$ can stand. In all orders
# but the highest,
#
# $$n'(cs) = \#\{v : n(vcs) > 0\} \quad\text{takes the place of } n(cs) \tag{3.2}$$
#
# and $\sum_s n'(cs)$ that of $n(c)$.
#
# Both are `ngram.fit_kneser_ney`. Pencil and *banana* again, with a full stop at both ends. The pairs are .b, ba, a.
# once each, an and na twice: $n_1 = 3$, $n_2 = 2$, so $D = 3/7$. The letter n occurs twice, but only ever after a:
# $n'(n) = 1$, where $c$ is empty. The letter a follows b and n: $n'(a) = 2$; b and the stop follow one letter each. Of
# these counts three are 1 and one is 2, so below $D = 3/5$.
#
# *Predict 1.* Which letters may follow b, of which we have seen only ba? And which of them does it prefer?

# %%
letters = ".abn"
toy = ngram.fit_kneser_ney([[letters.index(c) for c in ".banana."]], vocab=4, order=1, discounts=1)
after_b = toy.probabilities([letters.index("b")])
print("after b, in 35ths:", dict(zip(letters, (35 * after_b).round(6).tolist())))
assert np.allclose(toy.discounts.ravel(), [3 / 5, 3 / 7])
assert np.allclose(35 * after_b, [3, 26, 3, 3]) and np.isclose(after_b.sum(), 1)

# %% [markdown]
# *Answer 1.* All four, and a by far: $\frac47 + \frac37 \cdot \frac25 = \frac{26}{35}$, where $\frac25 = (2 -
# \frac35)/5 + \frac{12}{25} \cdot \frac14$ is what the empty context says of a. But n gets no more than b does, though
# it is twice as frequent in the book: it has shown that it follows one letter only. (Chen & Goodman found it better to
# take three discounts: one for grams seen once, one for twice, one for more. From here on we do so too.)
#
# ### The ladder, twice
#
# Chapter 01 gave a chain more and more letters to remember. We do it again, with both ways of counting.


# %%
def bits(chain, ids: np.ndarray) -> float:
    return -chain.log_prob(ids).mean() / log(2)


orders = 4, 6, 7
additive = [bits(ngram.fit([text], V, k, alpha=0.1), unread) for k in orders]
chains = [ngram.fit_kneser_ney([text], V, k) for k in orders]
kneser_ney = [bits(chain, unread) for chain in chains]
best = int(np.argmin(kneser_ney))
counter = chains[best]
for k, a, b in zip(orders, additive, kneser_ney):
    print(f"order {k}: adding alpha {a:.2f}, Kneser-Ney {b:.2f}" + (" <- best" if k == counter.order else ""))
old = ngram.fit([text], V, orders[int(np.argmin(additive))], alpha=0.1)
assert all(b < a for a, b in zip(additive, kneser_ney))
assert additive[-1] - min(additive) > 0.3 and kneser_ney[-1] - min(kneser_ney) < 0.02  # no more panic
course.expect("03.kneser_ney_bits", bits(counter, test), baseline=bits(old, test))

# %% [markdown]
# At each order Kneser-Ney is better than adding $\alpha = 0.1$, and its column of numbers hardly turns up any more (the
# ladder is climbed on the pages for choosing; the picture is of the pages of the test: the dot is this run, the bar
# where other machines fall, the tick the rival): where a context is too long to have been seen, the shorter one speaks
# for it. All of it took seconds.
#
# ### Where the table ends
#
# Why do the numbers stop falling? Not because the letters further back say nothing. Take the contexts of the unread
# plays, and ask how many of them occur anywhere in the four million letters:


# %%
def met(k: int, letters: int = len(text)) -> float:
    known = np.sort(ngram.codes(text[:letters], V, k))  # beyond ten letters the code wraps round, which makes it a hash
    asked = ngram.codes(unread, V, k)
    return np.mean(known[np.searchsorted(known, asked).clip(max=len(known) - 1)] == asked)


share = {k: met(k) for k in (4, 8, 16, 24)}
for k, value in share.items():
    print(f"{k:>2} letters: {value:6.1%} of the contexts were ever seen; {V**k:.0e} are possible")
half = met(16, len(text) // 2)
print(f"16 letters, with half of the plays: {half:.1%}")
assert 0.4 < half / share[16] < 0.8
assert all(b < a for a, b in pairwise(share.values())) and share[24] < 0.005 < 0.9 < share[4]

# %% [markdown]
# A table wants an entry for each context, and sixteen letters are enough to make almost every context new. A verse is
# forty-odd letters long; a name may have been said a hundred letters ago. Twice as many plays help by half as much
# again, and from next to nothing. And here is the stranger, met by our best counter. *What does her name cost the
# second time?*

# %%
scene = "A stranger, my lord.\n\nZORLINDA:\nGood morrow, my lord.\n\nKING:\nHear her, my lord.\n\nZORLINDA:\n"
of_scene = np.array(codec.encode(scene))
cost_of = np.append(np.full(counter.order, log2(V)), -counter.log_prob(of_scene) / log(2))
begin = [found.start() for found in re.finditer("ZORLINDA", scene)]
first, second = (cost_of[i : i + 8] for i in begin)
print("bits for Z O R L I N D A, first time: ", first.round(1))
print("bits for Z O R L I N D A, second time:", second.round(1))
assert (first == second).all()  # an identity: the last letters are the same

# %% [markdown]
# Not a hundredth of a bit was learnt. It cannot be otherwise: a chain of order $k$ knows the last $k$ letters, and
# before both names they are the same. The table was *frozen* before the reading began.
#
# ### A counter that goes on
#
# So let it go on counting. A second table starts empty and grows while the text is read, and predicts before it counts:
# let $n(cs)$ now be how often $s$ followed $c$ *on these pages*, and $m(c)$ how many different symbols did. Then $p(s
# \mid c) = \big(n(cs) + m(c)\,p(s \mid c')\big) / \big(n(c) + m(c)\big)$ (Witten & Bell 1991; compressors of the kind
# of PPM, Cleary & Witten 1984, escape to shorter contexts in much the same way). Where these pages say nothing, it asks
# somebody else: `base`.

# %%
from collections import Counter, defaultdict


def counting_on(ids: list[int], order: int, base: np.ndarray, asked: np.ndarray, least: int = 0) -> np.ndarray:
    """Probabilities of the symbols asked, (N, A), by what followed earlier in ids, (N,). base: (N, A), and asked.

    least: letters of the shortest context that may speak; what it has not seen is left to base."""
    follows, found = defaultdict(Counter), base.copy()
    for t, symbol in enumerate(ids):
        contexts = [tuple(ids[t - n : t]) for n in range(least, min(order, t) + 1)]  # the shortest first
        for seen in (follows[context] for context in contexts):
            n, kinds = seen.total(), len(seen)
            if n:
                found[t] = [(seen[s] + kinds * p) / (n + kinds) for s, p in zip(asked[t], found[t])]
        for context in contexts:
            follows[context][symbol] += 1
    return found


# %% [markdown]
# And the frozen table, asked in the same form. Beside the letter that came we ask each machine for the new line, which
# we shall need.


# %%
def frozen(chain, ids: np.ndarray) -> np.ndarray:
    """By a table: probabilities of each of ids, and of a new line in its place, (N, 2)."""
    windows = np.lib.stride_tricks.sliding_window_view(ids, chain.order + 1).copy()
    windows[:, -1] = NEWLINE
    both = [np.exp(chain.log_prob(line)) for line in (ids, windows.ravel())]
    both = np.stack([both[0], both[1][:: chain.order + 1]], 1)
    return np.concatenate([np.full((chain.order, 2), 1 / V), both])  # the first few: unknown


# %% [markdown]
# How shall the two tables speak together? *Trusted*: wherever these pages know a context, they speak, and the frozen
# table is only the base. *From five on*: the same, but only contexts of five letters may speak. *Side by side*: both
# are asked everywhere, and the second table has a fixed `say`, chosen on the validation plays.
#
# *Predict 2.* Her name, the second time: what does it cost in each of the three ways? And what do whole plays cost?


# %%
def two_tables(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The frozen table and the one that goes on, each (N, 2) as `frozen`."""
    asked = np.stack([ids, np.full(len(ids), NEWLINE)], 1)
    return frozen(counter, ids), counting_on(ids.tolist(), 5, np.full(asked.shape, 1 / V), asked)


def trusted(ids: np.ndarray, least: int) -> np.ndarray:
    return counting_on(ids.tolist(), 5, frozen(counter, ids)[:, :1], ids[:, None], least)


cost_bits = lambda p: -np.log2(p[:, 0])
heard = lambda tables, say: (1 - say) * tables[0] + say * tables[1]
tables = {name: two_tables(ids) for name, ids in (("unread", unread), ("test", test), ("scene", of_scene))}
say = min((0.05, 0.1, 0.15, 0.2, 0.3), key=lambda say: cost_bits(heard(tables["unread"], say)).mean())

# %%
ways = {"frozen": (tables["scene"][0], tables["test"][0]), "going on, alone": (tables["scene"][1], tables["test"][1])}
ways |= {"trusted": (trusted(of_scene, 0), trusted(test, 0)), "from five on": (trusted(of_scene, 5), trusted(test, 5))}
ways["side by side"] = heard(tables["scene"], say), heard(tables["test"], say)
print(f"side by side, the second table has {say} of the say")
print("                  her name, first   second     test plays")
named, on_plays = {}, {}  # bits a letter: of her name, the second time; of the test pages
for name, (on_scene, on_test) in ways.items():
    first, named[name] = (cost_bits(on_scene)[i : i + 8].mean() for i in begin)
    on_plays[name] = cost_bits(on_test).mean()
    print(f"{name:<23}{first:10.1f}{named[name]:9.1f}{on_plays[name]:15.2f}")
assert named["trusted"] < 0.5 < named["from five on"] < named["side by side"] < named["frozen"] / 2
assert on_plays["side by side"] < on_plays["from five on"] < on_plays["frozen"] < on_plays["trusted"] - 0.5

# %% [markdown]
# *Answer 2.* Trusted, next to nothing; from five on, one bit a letter; side by side, two or more. (Seen once, a context
# has half of the say.) For whole plays it is the other way round. Trusted, the second table drowns the first: after a
# page it has seen *some* letters after every short context, so it speaks everywhere, and is no better than alone.
#
# **So a counter can use a word that it met once.** This answers the question of the chapter, a first time. But it has
# two weak sides. *When* to trust what was seen once is decided by a rule that somebody has to choose, and no rule that
# we tried is best both for this name and for the plays. And it looks for the same letters, exactly. So we still want to
# find a place by **what stands there**, alike being enough, and to learn from other texts **when** to look; hence to be
# **trained by slopes**: a hard choice has none, so the choice must be soft.
#
# ## 2 · A dictionary that is soft
#
# *What would a dictionary be that finds what is nearly there?* Python's finds what it holds: `{"duck":
# "wings"}["duck"]`. Asked for "ducks" it raises an error. Let us make it kind. Keys and queries become vectors, and
# their scalar product says how alike they are. Each entry answers with its value, as loudly as its key is like the
# query. That is **attention** (注意力).
#
# Take three tokens of the verse that this course is named after: 霞 *sunset*, 鹜 *duck*, 飞 *fly*. The third one asks:
# *who is it that flies?* Each token holds three vectors:
#
# | token | its query: what do I look for? | its key: what am I? | its value: what do I give? |
# |:--|:--|:--|:--|
# | 霞 sunset | nothing | in the sky | 7 of red |
# | 鹜 duck | what is in the sky? | in the sky, has wings | 7 of grey |
# | 飞 fly | what is in the sky, and has wings? | nothing | nothing |
#
# As numbers, with four features (sky, wings and two that are not used), keys $(1,0,0,0)$, $(1,1,0,0)$, $(0,0,0,0)$ and
# queries $(0,0,0,0)$, $(2,0,0,0)$, $(2,2,0,0)$. Divide each product by 2, the root of the four features (why, we shall
# see). Then 飞 scores 1 for 霞, 2 for 鹜, 0 for itself (which is not silence: $2^0 = 1$). To be kind to pencils, let
# loudness be $2^\text{score}$.
#
# *Predict 3.* How much of 飞's attention goes to the duck, and what does 飞 carry away? Pencil.

# %%
ln2 = log(2)  # a query times ln 2 turns e^score into 2^score
query = torch.tensor([[0.0, 0, 0, 0], [2, 0, 0, 0], [2, 2, 0, 0]]) * ln2
key = torch.tensor([[1.0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
value = torch.tensor([[7.0, 0], [0, 7], [0, 0]])  # red, grey

loudness = (query @ key.T / 2).exp()
weights = loudness / loudness.sum(1, keepdim=True)
print("loudness of each token for each query:\n", loudness.round(decimals=4).numpy())
print("fly looks:", [f"{w * 7:.0f}/7" for w in weights[2].tolist()], "and takes", (weights @ value)[2].tolist())
assert torch.allclose(weights[2], torch.tensor([2.0, 4, 1]) / 7)
assert torch.allclose((weights @ value)[2], torch.tensor([2.0, 4]))

# %% [markdown]
# *Answer 3.* The loudnesses are 2, 4 and 1. Four parts of seven go to the duck, two to the sunset, which is only in the
# sky: 落霞与孤鹜齐飞, *they fly together*. The token 飞 now holds two of red and four of grey. No rule of grammar was
# told; the answer followed from which vectors are alike, and vectors can be learnt.
#
# One thing is wrong. When 鹜 was read, 飞 was not yet there; a machine that writes from left to right must not look to
# the right. Each token may see itself and its past, and what it may not see has no loudness at all:

# %%
seen = torch.ones(3, 3).tril()  # row: who looks; column: at whom
loudness = (query @ key.T / 2).exp() * seen
weights = loudness / loudness.sum(1, keepdim=True)
print(weights.numpy().round(3))
assert torch.allclose(weights, torch.tensor([[1, 0, 0], [1 / 2, 1 / 2, 0], [2 / 7, 4 / 7, 1 / 7]]))

# %% [markdown]
# Check it with a pencil: the first token has no choice; the second finds sunset and duck equally much in the sky.
#
# Let $q_t, k_t, v_t$ be the query, key and value of place $t$, with $d$ features each. All three come from the same
# vector $x_t$ by three learnt matrices, which is the *self* in **self-attention** (自注意力):
#
# $$y_t = \sum_{i \le t} w_{ti}\, v_i, \qquad w_{ti} = \frac{\exp(q_t \cdot k_i / \sqrt d)}
# {\sum_{j \le t} \exp(q_t \cdot k_j / \sqrt d)} \tag{3.3}$$
#
# (Bahdanau et al. 2015 looked from one sentence into another; Vaswani et al. 2017 built everything from it.) This is
# `attend`, for any number of leading axes. Where `hidden` is true, a place may not be seen: its score becomes
# $-\infty$, whose exponential is nothing.


# %%
def attend(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
    """q, k: (..., T, d); v: (..., T, D); hidden: (T, T). Returns y (..., T, D) and the weights (..., T, T)."""
    scores = q @ k.transpose(-1, -2) / q.size(-1) ** 0.5
    look = scores.masked_fill(hidden, -torch.inf).softmax(-1)  # each row: where one place looks
    return look @ v, look  # (3.3)


y, look = attend(query, key, value, ~seen.bool())
assert torch.allclose(look, weights) and torch.allclose(y[2], torch.tensor([2.0, 4]))

# %% [markdown]
# ### ◇ Where Bayes is, and where it is not
#
# The introduction that this course follows and corrects ("the article") says that Bayes' formula "is computed by
# self-attention". Chapter 02 takes this sentence apart. A language model computes $p(x_t \mid x_{<t})$ directly; and
# what adds up to one in (3.3) are the weights of *places*, not the probabilities of texts. What is true is smaller.
# Somebody chooses one of the places $1 \dots t$, each as probable as the others, takes its key, and adds Gaussian noise
# of variance $\sqrt d$; we receive the sum as $q$. Which place was it? In this game, if all keys have the same length,
#
# $$P(i \mid q) = \frac{P(q \mid i)\, P(i)}{P(q)} = w_{ti}, \qquad P(q \mid i) \propto
# e^{-|q - k_i|^2 / 2\sqrt d} \tag{3.4}$$
#
# for $|q - k_i|^2 = |q|^2 - 2\, q \cdot k_i + |k_i|^2$, and only the middle term depends on $i$. So a row of attention
# has the *form* of a posterior over places, an identity that `posterior` repeats below. Whether a network plays such a
# game is another question, and chapter 02 finds that the rows of ours do not fit it.

# %%
d, places = 16, 7
generator = torch.Generator().manual_seed(course.seed())
k = torch.nn.functional.normalize(torch.randn(places, d, generator=generator), dim=-1) * d**0.5
q = torch.randn(1, d, generator=generator)
likelihood = torch.distributions.Normal(k, d**0.25).log_prob(q).sum(-1).exp()  # variance sqrt(d)
posterior = likelihood * (1 / places) / (likelihood * (1 / places)).sum()
_, look = attend(q, k, k, torch.zeros(1, places, dtype=torch.bool))
assert torch.allclose(posterior, look[0], atol=1e-5)
uneven = k * torch.linspace(0.5, 1.5, places)[:, None]  # the same directions, other lengths
_, look = attend(q, uneven, uneven, torch.zeros(1, places, dtype=torch.bool))
likelihood = torch.distributions.Normal(uneven, d**0.25).log_prob(q).sum(-1).exp()
assert not torch.allclose(likelihood / likelihood.sum(), look[0], atol=1e-2)
print("keys of one length: attention equals the posterior; of different lengths: it does not")

# %% [markdown]
# A row of weights is a soft choice of what to read. Three things about it look like details, and none is.
#
# ## 3 · Scores, masks, places
#
# *What goes wrong if one divides by nothing, masks too late, or forgets where one stands?* First the division. A scalar
# product is a sum of $d$ products. If the features are independent, with mean 0 and variance 1, each product has
# variance 1, and variances of independent terms add up:
#
# $$\mathrm{Var}(q \cdot k) = \sum_{j=1}^{d} \mathrm{Var}(q_j k_j) = d \tag{3.5}$$
#
# So the numbers that `product` holds grow like $\sqrt d$ for no reason but the number of features, and (3.3) takes
# their exponential.
#
# *Predict 4.* A place looks at 64 others with random keys of 256 features, and nobody has learnt anything yet. How much
# of its attention gets the loudest of them, divided and not divided?

# %%
print("  d   variance/d   the loudest of 64: divided, not divided   rows that are stuck: divided, not divided")
rows = {}
for d in (4, 16, 64, 256):
    q, k = torch.randn(2, 1000, 64, d, generator=generator)
    product = (q[:, :1] * k).sum(-1)  # (1000, 64): one query, 64 keys
    rows[d] = [product.var().item() / d]
    for scores in (product / d**0.5, product):
        w = scores.softmax(-1)
        slope = (w * (1 - w)).sum(-1)  # how the weights answer when a score moves: dw/dscore = w (1 - w)
        rows[d] += [w.amax(-1).mean().item(), (slope < 0.01).double().mean().item()]
    print(
        "{:>3}   {:10.2f}   {:26.2f}, {:11.2f}   {:29.0%}, {:11.0%}".format(d, *(rows[d][i] for i in (0, 1, 3, 2, 4)))
    )
assert all(abs(row[0] - 1) < 0.05 for row in rows.values())  # (3.5)
assert rows[256][1] < 0.2 and rows[256][3] > 0.8  # a glance around, and a stare
assert rows[256][2] == 0 and rows[256][4] > 0.3

# %% [markdown]
# *Answer 4.* A tenth, or nearly all. Undivided, a new network with many features stares at one place, chosen by chance.
# The slope $w(1-w)$ says how the weights answer when a score moves, and training needs it. In two rows of five hardly
# anything is left of it (we call a row stuck whose slopes sum to less than 0.01): there it can hardly learn that it
# looks at the wrong place. Divided, no row is stuck, whatever $d$ is. (In the *mean* the undivided rows answer more to
# a change of $q \cdot k$, since the division itself makes that slope smaller; it is the stuck ones that hurt.)
#
# ### The mask
#
# It goes *before* the softmax. Afterwards is too late: setting weights to zero leaves the sum below the fraction, and
# in it the future. Change the third token, and look at the first two rows:

# %%
changed = key.clone()
changed[2] = torch.tensor([5.0, 5, 0, 0])
after = [(query @ keys.T / 2).softmax(-1) * seen for keys in (key, changed)]
before = [attend(query, keys, value, ~seen.bool())[1] for keys in (key, changed)]
print("masked after the softmax, row of the duck: ", after[0][1].numpy().round(3), "->", after[1][1].numpy().round(3))
print("masked before the softmax, row of the duck:", before[0][1].numpy().round(3), "->", before[1][1].numpy().round(3))
assert torch.equal(before[0][:2], before[1][:2]) and not torch.allclose(after[0][:2], after[1][:2])

# %% [markdown]
# ### The place
#
# In (3.3) nothing says *where* a place is. Shuffle the past, keys and values together, and the sum is the same sum:
# attention sees a bag. To the full stop after them, *A dog bites a man* and *a man bites a dog* are then one thing, if
# there is one layer.

# %%
q, k, v = torch.randn(3, 13, 16, generator=generator)
shuffled = torch.cat([torch.randperm(12, generator=generator), torch.tensor([12])])
nothing = torch.zeros(1, 13, dtype=torch.bool)
same = [attend(q[-1:], k[order], v[order], nothing)[0] for order in (torch.arange(13), shuffled)]
assert torch.allclose(*same, atol=1e-6)
print("shuffled past, same answer:", torch.allclose(*same, atol=1e-6))

# %% [markdown]
# The remedy here is to **turn** (Su et al. 2021). Take the features in pairs, each pair a point in the plane, or a
# complex number $z$. At place $m$ multiply it by $e^{\mathrm i m\theta}$, a turn by the angle $m\theta$. A scalar
# product of two turned pairs knows only how much *further* one was turned than the other:
#
# $$\langle e^{\mathrm i m\theta} q,\; e^{\mathrm i n\theta} k \rangle
# = \mathrm{Re}\left(q\,\bar k\, e^{\mathrm i (m-n)\theta}\right) \tag{3.6}$$
#
# (Now $q$ and $k$ are *one* pair of features each. With $q = k = 1$ and $\theta$ a quarter turn: places 3 and 2 turn
# them to $-\mathrm i$ and $-1$, whose product is 0; so do places 7 and 6; places 7 and 5 give $-1$.) Here $\bar k$ is
# $k$ mirrored at the real axis, and $\mathrm{Re}$ takes the real part: for two points of the plane that is their scalar
# product. Distance, then, not place: what was learnt about *three letters back* holds everywhere on the page. Each pair
# has its own speed $\theta_j$, from one radian a letter down to a few ten-thousandths, like the hands of a clock. This
# is `gpt.rotate`; here with complex numbers, there with sines and cosines.


# %%
def turn(x: Tensor, place: Tensor) -> Tensor:
    """x: (..., T, d), feature j paired with j + d / 2; place: (T,)."""
    half = x.size(-1) // 2
    theta = 10_000.0 ** -(torch.arange(half, device=x.device) / half)
    z = torch.complex(x[..., :half].float(), x[..., half:].float())
    z = z * torch.polar(torch.ones_like(theta), place[:, None] * theta)  # e^(i m theta)
    return torch.cat([z.real, z.imag], -1).to(x.dtype)


place = torch.arange(13)
theirs = gpt.rotate(q[None, None], gpt.turns(place, gpt.frequencies(q.size(-1))))
assert torch.allclose(turn(q[None, None], place), theirs, atol=1e-5)
assert torch.allclose(turn(q, place).norm(dim=-1), q.norm(dim=-1))  # a turn keeps lengths
product = lambda m, n: (turn(q[:1], torch.tensor([m])) * turn(k[:1], torch.tensor([n]))).sum().item()
assert abs(product(9, 4) - product(109, 104)) < 1e-3 and abs(product(9, 4) - product(9, 5)) > 1e-2
print("five letters apart, at place 9 and at place 109: the same product")

# %% [markdown]
# A row of weights can now ask for *what* and for *how far*. The rest of the machine is built of such rows.
#
# ## 4 · The whole machine
#
# *How few lines is a GPT?* **Heads** (多头). One row of weights gives one mixture. A letter may want to know the letter
# before *and* where the line began; so the $C$ features of a token are cut into $H$ heads of $d = C/H$, each with its
# own queries, keys and values, its own rows of weights, at the same cost. Their answers are laid side by side and mixed
# by a matrix $W_o$.
#
# **Normalisation** (归一化). Layers add to one another, and sums grow. So each layer reads its input shifted to mean 0
# and scaled to variance 1, $\mathrm{norm}(x)$, and *adds* what it has to say to the untouched $x$ (Xiong et al. 2020).
# Queries and keys are normalised once more, a variant of what Henry et al. (2020) do, who give them the length one and
# learn the factor: here each has length $\sqrt d$, so that $|q \cdot k| / \sqrt d \le \sqrt d$. However long we train,
# no score can leave this range.
#
# **A block** lets tokens speak to one another, and then each think for itself, in a wider layer (gelu is a smooth
# version of $\max(0, x)$):
#
# $$x \leftarrow x + W_o\,\mathrm{heads}\big(\mathrm{norm}(x)\big), \qquad
# x \leftarrow x + W_2\,\mathrm{gelu}\big(W_1\,\mathrm{norm}(x)\big) \tag{3.7}$$
#
# Some blocks on top of one another, a table of vectors for the letters below them, a matrix that turns each vector into
# $V$ scores above, the **logits**, which a softmax turns into probabilities, and a norm after the table and before that
# matrix: that is a **GPT**, and training it means to make the next letter less surprising, at all places of the text at
# once:
#
# $$L = -\frac1T \sum_{t=1}^{T} \log p(x_{t+1} \mid x_1 \dots x_t) \tag{3.8}$$
#
# This is `gpt.loss`. The mask is what makes it honest: one reading of $T$ letters asks $T$ questions, and place $t$
# must not see its own answer at $t+1$.
#
# Here is (3.7), line by line: `read`. It takes weights under the library's names, so that any GPT of the course can be
# read by it, and hands out what each head looked at. Its last three arguments are for breaking it.


# %%
def read(w: dict, ids: Tensor, config, causal=True, turned=True, without=()) -> tuple[Tensor, list[Tensor]]:
    """Logits (B, T, V) and, for each layer, where each head looks: (B, heads, T, T). ids: (B, T)."""
    place = torch.arange(ids.size(1), device=ids.device)
    ago = place[:, None] - place  # how far back each place is, seen from each
    hidden = (ago < 0) | (ago >= config.context) if causal else torch.zeros_like(ago, dtype=torch.bool)
    x, looks = gpt.norm(w["embed.weight"][ids]), []
    for layer in range(config.layers):
        of = {
            name: w[f"blocks.{layer}.{name}.weight"].T
            for name in ("attention.query_key_value", "attention.output", "up", "down")
        }
        qkv = gpt.norm(x) @ of["attention.query_key_value"]  # (B, T, 3 C)
        q, k, v = qkv.view(*ids.shape, 3, config.heads, -1).permute(2, 0, 3, 1, 4)  # each (B, heads, T, d)
        q, k = gpt.norm(q), gpt.norm(k)
        if turned:
            q, k = turn(q, place), turn(k, place)
        y, look = attend(q, k, v, hidden)  # (3.3)
        mute = torch.tensor([(layer, head) in without for head in range(config.heads)], device=ids.device)
        y = y.masked_fill(mute[:, None, None], 0)
        x = x + y.transpose(1, 2).flatten(2) @ of["attention.output"]  # (3.7)
        x = x + gelu(gpt.norm(x) @ of["up"]) @ of["down"]
        looks.append(look)
    return (gpt.norm(x) @ w["head.weight"].T).float(), looks


# %% [markdown]
# Is it the library's model? Same weights, same letters: the same logits, to rounding, for the GPT that the course
# ships.

# %%
writer, vocab = released.load("shakespeare")
assert vocab == codec.vocab
ids = torch.tensor(test[:256]).view(2, 128)
with torch.inference_mode():
    ours, looks = read(writer.state_dict(), ids, writer.config)
    theirs = writer(ids)
parameters = sum(weight.numel() for weight in writer.parameters())
print(f"{parameters:,} weights, {writer.config.layers} layers of {writer.config.heads} heads: the same logits")
assert torch.allclose(ours, theirs, atol=1e-3) and (ours.argmax(-1) == theirs.argmax(-1)).all()
assert all(torch.allclose(look.sum(-1), torch.ones(())) for look in looks)

# %% [markdown]
# Is the mask right? Do not trust the formula: **disturb** it. Change the letter at one place and see which outputs
# move. Do so at each place: a matrix of causes and effects. Then the same without the mask.
#
# *Predict 5.* Which cells of the two squares will be empty? And how small must a number be to count as nothing?


# %%
def felt(length: int, **broken) -> np.ndarray:
    """(length, length): how much the logits at each place (row) move when the letter at a place (column) is changed."""
    ids = torch.tensor(test[:length]).repeat(length + 1, 1)
    here = torch.arange(length)
    ids[here, here] = (ids[here, here] + 1) % V  # copy i differs at place i; the last copy is untouched
    with torch.inference_mode():
        logits = read(writer.state_dict(), ids, writer.config, **broken)[0]
    return (logits[:-1] - logits[-1]).abs().amax(-1).T.numpy()


masked, bare = felt(32), felt(32, causal=False)
fig, axes = plt.subplots(1, 2, figsize=(7, 3.4), sharey=True)
for ax, matrix, title in zip(axes, (masked, bare), ("with the mask", "without the mask")):
    ax.imshow(np.where(matrix == 0, np.nan, np.log10(matrix + 1e-9)), cmap="cividis", vmin=-3, vmax=1.5)
    ax.set(title=title, xlabel="place of the changed letter")
axes[0].set_ylabel("place whose prediction moves")
show.figure(fig, alt="With the mask only the lower triangle is filled; without it the whole square is.")
assert (np.triu(masked, 1) == 0).all() and (masked[np.tril_indices(32)] > 0).all()
assert (bare > 0).all()

# %% [markdown]
# *Answer 5.* Those above the diagonal, with the mask, and they are not small: **zero**, in every one of the cells above
# the diagonal, and no zero on it or below. With the mask the past cannot feel the future, and each place can feel all
# of its past. Without it, everything feels everything.
#
# ## 5 · Twenty seconds of reading
#
# *Four million letters counted in a second, or a network trained for twenty: which predicts better?* Our own GPT has
# two layers, four heads, 64 letters of context. It starts as the uniform distribution, and reads windows from random
# places of the plays, each once. We keep a list of what it read, so that a counter can be given the same.

# %%
torch.manual_seed(course.seed())
student = gpt.GPT(gpt.Config(vocab=V, context=64, layers=2, heads=4, width=96)).to(device)
letters_of = torch.tensor(text)
windows = []


def loss(model: torch.nn.Module, step: int, generator: torch.Generator) -> Tensor:
    at = torch.randint(len(text) - 64, (16,), generator=generator)[:, None] + torch.arange(65)
    windows.append(at)
    return gpt.loss(model, letters_of[at].to(device))  # (3.8)


# %% tags=["nbval-ignore-output"]
from aigc.train import Recipe, train

recipe = Recipe(steps=280, fast=True, lr=0.006, muon_lr=0.03, seed=course.seed())
history = train(student, loss, recipe)

# %%
assert abs(history[0] - log(V)) < 1e-2  # it began with no opinion
assert np.mean(history[-50:]) < 0.55 * history[0]

# %% [markdown]
# To measure, each letter of the unread plays is predicted from at least 32 (64 for the course's model) letters before
# it: windows overlap by half. The library's `nats_per_token` gives the mean; we want the cost of *each* letter, to see
# where it arises, and beside it how much each machine believes that the line ends here.


# %% tags=["mine"]
def believed(model: torch.nn.Module, ids: np.ndarray) -> np.ndarray:
    """Probabilities of each of ids, and of a new line in its place, (N, 2). model: from (B, T) to logits (B, T, V)."""
    ids, window, device = torch.tensor(ids), model.config.context, next(model.parameters()).device
    out, half, last = torch.full((len(ids), 2), 1 / V), window // 2, len(ids) - 2
    for start in torch.arange(0, max(1, last + 1 - half), half).split(64):
        at = (start[:, None] + torch.arange(window)).clamp(max=last)
        with torch.inference_mode(), machine.autocast(device):
            p = model(ids[at].to(device)).cpu().softmax(-1)
        both = torch.stack([p.gather(2, ids[at + 1][..., None])[..., 0], p[..., NEWLINE]], -1)
        for begin, row in zip(start.tolist(), both):
            skip = half if begin else 0
            out[begin + skip + 1 : begin + window + 1] = row[skip : last + 1 - begin]
    return out.double().numpy()


# %%
from aigc.evaluate.text import nats_per_token

with machine.autocast(device):
    mean = nats_per_token(student, torch.tensor(test[:6401]).to(device), 64) / log(2)
young = believed(student, test)
assert abs(cost_bits(young)[1:6401].mean() - mean) < 1e-2
course.expect("03.gpt_bits", cost_bits(young).mean(), baseline=bits(counter, test))

# %% [markdown]
# Now the counters: the best frozen one; one that was given exactly the windows that the GPT has read, no more; and the
# best one side by side with the table that goes on. *Does the line end here?* is asked at each place where it is a
# question, and not after a colon or another new line. The bits of that question are $-\log_2 p$ where the line ended
# and $-\log_2(1 - p)$ where it did not.
#
# *Predict 6.* Four of the six you have seen above: adding $\alpha$, Kneser-Ney after all letters and counting on, and
# our GPT. Where do Kneser-Ney after the *same* letters and the course's GPT go? And who is best at *does the line end*?

# %%
runs = letters_of[torch.cat(windows)].numpy()  # (windows, 65)
fair = ngram.fit_kneser_ney(list(runs), V, 5)
said = {
    "adding alpha": frozen(old, test),
    "Kneser-Ney, the same letters": frozen(fair, test),
    "our GPT": young,
    "Kneser-Ney, all letters": tables["test"][0],
    "the course's GPT": believed(writer.to(device), test),
    "Kneser-Ney, counting on": heard(tables["test"], say),
}
ended = test == NEWLINE
asked = ~np.isin(np.roll(test, 1), (NEWLINE, COLON))  # after these two it is no question
asked[:8] = False


def line_ends(p: np.ndarray, where: np.ndarray) -> float:
    """Bits of the question whether the line ends, a place."""
    return -np.log2(np.where(ended, p[:, 1], 1 - p[:, 1]))[where].mean()


# %% [markdown]
# For the second question there is a control: two counters that know nothing but the last two letters, and one of them
# also how many letters the line has so far.


# %%
def of_line(ids: np.ndarray) -> np.ndarray:
    """How many letters of the line stand before each place, up to 63."""
    places = np.arange(len(ids))
    begin = np.maximum.accumulate(np.where(np.roll(ids, 1) == NEWLINE, places, 0))
    return (places - begin).clip(max=63)


def by_length(ids: np.ndarray, length: bool) -> np.ndarray:
    """Probability of a new line, from the last two letters, and the length of the line if asked."""
    keys = lambda ids: (np.roll(ids, 2) * V + np.roll(ids, 1)) * 64 + of_line(ids) * length
    size = 64 * V * V
    n, ends = np.bincount(keys(text), minlength=size), np.bincount(keys(text)[text == NEWLINE], minlength=size)
    return ((ends + 0.03) / (n + 1))[keys(ids)]


told = {
    name: np.stack([np.ones(len(test)), by_length(test, on)], 1) for name, on in (("", False), (", and length", True))
}

# %% tags=["nbval-ignore-output"]
C = {name: cost_bits(p).mean() for name, p in said.items()}
ends = {name: line_ends(p, asked) for name, p in said.items()}
print("bits                           a letter   does the line end?")
for name in said:
    print(f"{name:<30}{C[name]:9.2f}{ends[name]:19.3f}")
ends |= {f"two letters{name}": line_ends(p, asked) for name, p in told.items()}
for name in ("two letters", "two letters, and length"):
    print(f"{name:<39}{ends[name]:19.3f}")

# %% tags=["nbval-ignore-output"]
by_page = lambda p: cost_bits(p).reshape(16, -1).mean(1)
apart = {name: by_page(p) - by_page(said["the course's GPT"]) for name, p in said.items()}
off = {name: gap.std(ddof=1) / 16**0.5 for name, gap in apart.items()}  # the standard error, page by page
for name in ("Kneser-Ney, all letters", "Kneser-Ney, counting on"):
    first, last = apart[name][:8].mean(), apart[name][8:].mean()
    print(f"{name}, above the course's GPT: {apart[name].mean():.3f} ± {off[name]:.3f}", end="; ")
    print(f"on the first eight pages {first:.3f}, on the last eight {last:.3f}")
assert max(C["Kneser-Ney, the same letters"], C["Kneser-Ney, all letters"]) < C["our GPT"]
assert apart["Kneser-Ney, all letters"].mean() > 2 * off["Kneser-Ney, all letters"]
assert abs(apart["Kneser-Ney, counting on"].mean()) < 2 * off["Kneser-Ney, counting on"]
assert ends["the course's GPT"] < ends["two letters, and length"] < 0.8 * ends["two letters"]
assert max(ends["our GPT"], ends["the course's GPT"]) < min(ends[name] for name in said if "GPT" not in name)
course.expect("03.counting_on", C["Kneser-Ney, counting on"], baseline=C["Kneser-Ney, all letters"])

# %% [markdown]
# *Answer 6.* An honest table. **Counting wins the first round**, on the same letters too: a counter needs to see a
# thing once, a network creeps towards it by small steps. Given minutes instead of seconds, attention passes the frozen
# table. On these 32,000 letters the counter that goes on is level with it in the mean, within two standard errors. It
# begins behind, and gains as it is read to: how the two stand depends on how long the test is.
#
# But look at the last column. *Does the line end here?* There our twenty-second network already leaves every counter of
# the last few letters behind, and to go on counting helps nothing. They know that a line may end after a comma; they do
# not know how long it has been. A counter of two letters that is *told* the length leaps ahead of them. Our GPT does
# nearly as well, and was told nothing; the course's GPT does better. Where exactly do the others have their strength?

# %%
page = codec.decode(test.tolist())
of_word = np.zeros(len(page), int)  # how many letters of its word are known
for t, letter in enumerate(page[:-1]):
    of_word[t + 1] = of_word[t] + 1 if letter.isalpha() or letter == "'" else 0
speakers = np.zeros(len(page), bool)
for found in re.finditer(r"^[A-Z][A-Z' -]+:$", page, flags=re.MULTILINE):
    speakers[found.start() : found.end()] = True
of_course = cost_bits(said["the course's GPT"])
saved, saved_frozen = (cost_bits(said[f"Kneser-Ney, {name}"]) - of_course for name in ("counting on", "all letters"))
print(
    f"bits the GPT saves: {saved[speakers].mean():.2f} in speakers' names, {saved[~speakers].mean():.2f} elsewhere;",
    f"against the frozen table {saved_frozen[speakers].mean():.2f} in the names",
)
assert saved[speakers].mean() < 1.5 * saved_frozen[speakers].mean() < 0  # the frozen one is ahead in them, too
assert saved[speakers].mean() < -1 < 0.04 < saved[~speakers].mean()

# %%
after_space = ~speakers & np.isin(np.roll(test, 1), codec.encode(" "))
edges = [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50]
along = [saved[~speakers & (of_line(test) >= a) & (of_line(test) < b)].mean() for a, b in pairwise(edges)]
within = [saved[after_space].mean(), *(saved[~speakers & (of_word == n)].mean() for n in range(1, 9))]
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for ax, x, y, width in ((axes[0], np.array(edges[:-1]) + 2.5, along, 4), (axes[1], np.arange(9), within, 0.8)):
    ax.bar(x, y, width, color=[show.SUNSET if bits > 0 else show.SKY for bits in y])
    ax.axhline(0, color=show.INK, lw=0.8)
axes[0].set(xlabel="letters of the line so far", ylabel="bits a letter that the GPT saves")
axes[1].set(xlabel="letters of the word so far")
show.figure(fig, alt="The GPT saves most where a line is very long or begins, and at the beginning of words.")
assert max(along[2:]) == max(along[7:]) and within[0] > max(within[4:]) and within[0] > 0.05

# %% [markdown]
# In the names of speakers the counter that goes on is far ahead. About a third of this the frozen table knows, too; the
# rest is a list of who is on the stage. Everywhere else the GPT wins on average, most where a line is old enough to
# end, then where it begins, and at the beginning of a word, where more than spelling decides; inside a word there is
# little to win. (Whether it is *attention* that wins, these bars do not tell: no network without a long view stands
# beside.) When experts have different strengths, ask both: $p = w\,p_\text{GPT} + (1 - w)\,p_\text{count}$, with $w$
# chosen on the validation plays.

# %%
of_gpt, of_counts = believed(writer, unread[:12_000]), heard(tables["unread"], say)[:12_000]
both = lambda w, a, b: cost_bits(w * a + (1 - w) * b).mean()
weight = min(np.arange(0, 1.01, 0.1), key=lambda w: both(w, of_gpt, of_counts))
together = both(weight, said["the course's GPT"], said["Kneser-Ney, counting on"])
print(f"attention is given {weight:.1f} of the say: together {together:.2f} bits a letter")
assert together < min(C.values()) - 0.05 and 0.3 < weight < 0.8
course.expect("03.together_bits", together, baseline=C["Kneser-Ney, counting on"])

# %% [markdown]
# Neither knows all that the other knows. Counting was not defeated; it was completed.
#
# How fast does each learn? The same in one picture: bits against letters read.

# %%
sizes = [len(runs) // n for n in (64, 16, 4, 1)]
count = [bits(ngram.fit_kneser_ney(list(runs[:n]), V, 5), test) for n in sizes]
taken = 64 * 16 * np.arange(1, len(history) + 1)
smooth = np.convolve(history, np.ones(25) / 25, "valid") / log(2)
fig, ax = plt.subplots(figsize=(7, 3.6))
ax.plot([64 * n for n in sizes] + [len(text)], count + [C["Kneser-Ney, all letters"]], "o-", color=show.SKY)
ax.plot(taken[24:], smooth, color=show.SUNSET)
ax.plot(taken[-1], C["our GPT"], "o", color=show.SUNSET)
ax.plot(1400 * 32 * 128, C["the course's GPT"], "*", ms=14, color=show.SUNSET)  # steps, windows, letters
ax.plot(len(text), C["Kneser-Ney, counting on"], "s", color=show.SKY)
ax.set(xscale="log", xlabel="letters read", ylabel="bits per character", ylim=(1.6, 4.5))
ax.annotate("counting (Kneser-Ney)", (1.2e4, 2.3), color=show.SKY)
ax.annotate("counting on", (4e6, 1.85), color=show.SKY, ha="right")
ax.annotate("our GPT", (1.5e5, 3.2), color=show.SUNSET)
ax.annotate("the course's GPT", (7e6, 1.65), color=show.SUNSET, ha="right")
show.figure(
    fig,
    alt="Counting starts low and falls slowly; our GPT starts high and falls fast; the two lowest are level.",
)

# %% [markdown]
# (The line is the loss in training, which is fair here, because each window is read once. Dots, square and star are
# unread plays. The star is a larger network, and it has read some letters twice or more and some not at all.) Counting
# takes what it gets at once. The network has to learn first how to look. Only the larger one, which has read much more,
# lies below every frozen table, and level with the table that goes on.
#
# Now read what they write, each in its first attempt.

# %% tags=["nbval-ignore-output"]
from aigc import sample

prompt = "\n\nROMEO:\nI "
ids = torch.tensor([codec.encode(prompt)], device=device)
dice = torch.Generator().manual_seed(course.seed())
written = {"Kneser-Ney": codec.decode(counter.sample(300, rng, codec.encode(prompt)))}
for name, model in (("our GPT", student), ("the course's GPT", writer)):
    written[name] = codec.decode(torch.cat(list(sample.tokens(model, ids, 300, generator=dice))).tolist())
for name, words in written.items():
    print(f"--- {name} ---{prompt}{words}\n")


# %% tags=["nbval-ignore-output"]
def known(words: str) -> float:
    return np.mean([word in dictionary for word in re.findall("[A-Za-z']+", words)[:-1]])


dictionary = set(re.findall("[A-Za-z']+", play))
spelt_well = {name: known(words) for name, words in written.items()}
print(", ".join(f"{name}: {share:.0%} are words" for name, share in spelt_well.items()))
assert 0.2 < spelt_well["our GPT"] < 0.8 < min(spelt_well["Kneser-Ney"], spelt_well["the course's GPT"])
assert all("\n" in words for words in written.values())

# %% [markdown]
# The counter and the course's GPT spell; ours does not yet. In these samples the counter's lines have any length, and
# the course's GPT keeps the shape of a page. Who in it measures the line?
#
# ## 6 · What a head looks at
#
# *Can one see where a network keeps the length of a line?* The course's GPT has fifteen heads. Whoever counts the
# length of the line should look at line breaks. How much of its attention does each head give them, compared with their
# share of the text?

# %%
writer, config = writer.cpu(), writer.config
at = torch.arange(0, len(test), 1000)[:, None] + torch.arange(128)
ids, following = torch.tensor(test)[at], torch.tensor(test)[at + 1]


def consider(**broken) -> tuple[Tensor, list[Tensor]]:
    with torch.inference_mode(), machine.autocast(torch.device("cpu")):
        return read(writer.state_dict(), ids, config, **broken)


logits, looks = consider()
heads = [(layer, head) for layer in range(config.layers) for head in range(config.heads)]
breaks = (ids == NEWLINE)[:, None].float()  # (B, 1, T)
to_breaks = {(n, h): (looks[n][:, h, 64:].float() * breaks).sum(-1).mean().item() for n, h in heads}
verse = max(to_breaks, key=to_breaks.get)
for layer in range(config.layers):
    print(f"layer {layer}: " + "  ".join(f"{to_breaks[layer, h]:.2f}" for h in range(config.heads)))
print(f"the share of line breaks in the text: {breaks.mean():.2f}; the head with most: {verse}")
assert to_breaks[verse] > 5 * breaks.mean() and sorted(to_breaks.values())[-2] < 0.6 * to_breaks[verse]

# %% [markdown]
# One head stands out. Here is what it does while a line is being read: each row is a letter that looks, each column a
# letter that is looked at.

# %%
start = next(i for i in range(64, 128) if ids[3, i] == NEWLINE) - 50
rows = slice(start, start + 64)
names = [repr(c)[1:-1] for c in codec.decode(ids[3, rows].tolist())]
fig, ax = plt.subplots(figsize=(7, 7))
ax.imshow(looks[verse[0]][3, verse[1], rows, rows].float(), cmap="Oranges", vmax=0.5)
ax.set_xticks(range(64), names, fontsize=7)
ax.set_yticks(range(64), names, fontsize=7)
ax.set(xlabel="is looked at", ylabel="looks")
show.figure(fig, alt="An attention map: a dark stripe under each line break, fainter ones where words begin.")

# %% [markdown]
# Vertical stripes under the line breaks: many letters of a line look back at where it began, and the stripe fades.
# Since positions are turned, the product can tell *how far* away the break is. Is the head a ruler? Its weight on the
# breaks that it can see, by the length of the line:

# %%
age = np.stack([of_line(row) for row in ids.numpy()])[:, 64:] + 1  # of the letter that is to come
at_break = (looks[verse[0]][:, verse[1], 64:].float() * breaks).sum(-1).numpy()
fading = [at_break[(age >= a) & (age < a + 10)].mean() for a in range(0, 50, 10)]
print("weight on line breaks, 0-9, 10-19, .. letters on:", np.round(fading, 2))
assert max(fading[:3]) > 2 * fading[4]

# %% [markdown]
# The fading may be the very signal: where little weight is left on the break, the line is long.
#
# But a map is a hypothesis, not a proof: that a model looks at something does not mean that its answer depends on it
# (Jain & Wallace 2019). So **cut the head out** and measure. The cost of a letter has two parts, exactly: the bits of
# the question *does the line end here*, which is asked at the same places as before, and where it did not end, the bits
# of which other letter it was.
#
# *Predict 7.* Each head is silenced in turn. For the head with the stripes, by how many per cent will each of the two
# parts rise?


# %%
def price(logits: Tensor) -> tuple[float, float]:
    """Bits a place: for the question whether the line ends; for the letter, if it does not."""
    log_p, end = logits[:, 64:].double().log_softmax(-1), following[:, 64:] == NEWLINE
    total = -log_p.gather(2, following[:, 64:, None])[..., 0] / log(2)
    p = log_p[..., NEWLINE].exp()
    question = -torch.where(end, p, 1 - p).log2()
    asked = ~torch.isin(ids[:, 64:], torch.tensor([NEWLINE, COLON]))  # as before
    return question[asked].mean().item(), (total - question)[asked].mean().item()


whole = np.array(price(logits))
rise = {head: np.array(price(consider(without=(head,))[0])) / whole - 1 for head in heads}

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7, 3.6))
for head, (of_ends, of_letters) in rise.items():
    ax.plot(100 * of_letters, 100 * of_ends, "o", color=show.SUNSET if head == verse else show.INK)
x, y = 100 * rise[verse][::-1]
ax.annotate("the head that looks at line breaks", (x + 0.4, y), color=show.SUNSET, va="center")
ax.set(xlabel="rise of the bits for letters, %", ylabel="rise of the bits for line ends, %", title="one head silenced")
show.figure(fig, alt="One dot is at the top left: it costs line ends far more, in per cent, than letters.")
print(f"silenced, it costs {rise[verse][0]:.0%} more for line ends, and {rise[verse][1]:.1%} more for letters")
count_ends = (following[:, 64:] == NEWLINE).sum().item()
print("in bits a place: {:.3f} and {:.3f}".format(*rise[verse] * whole), f"({count_ends} line ends)")
ratio = {head: of_ends / max(of_letters, 0.005) for head, (of_ends, of_letters) in rise.items()}
assert max(ratio, key=ratio.get) == verse and rise[verse][0] > 0.2 > 0.04 > rise[verse][1]

# %% [markdown]
# *Answer 7.* On these pages, which have few line ends, the bits for line ends rise by a third or more, those for
# letters by one or two in a hundred. In bits it is the other way round, since letters cost fifty times as much: the
# head is needed *out of proportion* at line ends, and not only there. The experiment agrees with the map. One other
# head costs line ends nearly as much, and more of the letters; with so few line ends the order of the two is not sure.
# (Some dots lie below zero: to silence these heads helps.) In chapter 01 the verse was a hump in a curve that no chain
# could keep. Here a good part of it has an address, or two.
#
# ## 7 · The stranger's name, and a page of your own
#
# *Does a network learn to look up a name?* In its purest form: a text is one made-up word, said again and again. Each
# text has a word of its own, drawn from 16 letters by dice, so counting other texts teaches nothing: that leaves
# $\log_2 16 = 4$ bits a letter. But from the second time on, whoever can look back knows everything. We train one small
# GPT with one layer and one with two, and let the counters try.
#
# *Predict 8.* Who will know the word the second time: a table of other texts, a counter that goes on, one layer, two?

# %%
REFRAIN = 32


def refrains(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """n texts (n, REFRAIN + 1), each a random word of 4 to 10 of 16 letters, said again and again; and the lengths."""
    length = torch.randint(4, 11, (n, 1), generator=generator)
    word = torch.randint(16, (n, 10), generator=generator)
    return word.gather(1, torch.arange(REFRAIN + 1).expand(n, -1) % length), length


def learn(layers: int) -> gpt.GPT:
    torch.manual_seed(course.seed())
    model = gpt.GPT(gpt.Config(vocab=16, context=REFRAIN, layers=layers, heads=2, width=64)).to(device)
    listen = lambda model, step, generator: gpt.loss(model, refrains(32, generator)[0].to(device))
    train(model, listen, Recipe(steps=200, fast=True, lr=0.008, muon_lr=0.04, seed=course.seed()))
    return model


# %% tags=["nbval-ignore-output"]
pupils = {layers: learn(layers).cpu() for layers in (1, 2)}

# %%
songs, length = refrains(500, torch.Generator().manual_seed(99))
table = ngram.fit_kneser_ney(list(refrains(5000, torch.Generator().manual_seed(98))[0].numpy()), 16, 3)
again = (torch.arange(1, REFRAIN + 1) >= length + 2).numpy()  # the second time, from its third letter on
spelt = [np.bincount(song[:P], minlength=16) / P for song, P in zip(songs.numpy(), length[:, 0].tolist())]
known_letters = [-np.log2(p[song[1:]]) for p, song in zip(spelt, songs.numpy())]
on = [
    -np.log2(counting_on(song, 3, np.full((len(song), 1), 1 / 16), [[s] for s in song])[1:, 0])
    for song in songs.tolist()
]
of_word_only = np.array(known_letters)[again].mean()
of_table = np.array([np.append(np.full(2, 4), -table.log_prob(song) / log(2)) for song in songs.numpy()])
repeated = {"a table of other texts": of_table[again].mean()}
repeated |= {"the word's letters": of_word_only, "counting on": np.array(on)[again].mean()}
for layers, pupil in pupils.items():
    with torch.inference_mode():
        p = pupil(songs[:, :-1]).log_softmax(-1).gather(2, songs[:, 1:, None])[..., 0]
    repeated[layers] = (-p[again] / log(2)).mean().item()

# %% tags=["nbval-ignore-output"]
for name, value in repeated.items():
    print(f"{f'a GPT of layers: {name}' if isinstance(name, int) else name:<24}{value:5.2f} bits a letter")

# %%
assert repeated["counting on"] < repeated[2] < 0.7 and abs(repeated[1] - repeated["the word's letters"]) < 0.2
assert repeated["a table of other texts"] > 4
course.expect("03.refrain_two_layers", repeated[2], baseline=repeated[1])

# %% [markdown]
# *Answer 8.* The counter that goes on, with a tenth of a bit, and nobody has trained it. The table of other texts is
# worse than a die of 16 sides: it believes the words of others. The pupil with one layer pays as much as somebody who
# knows *which* letters the word has, and how often, and nothing of their order. The pupil with two layers pays a
# quarter of a bit.
#
# How? To know what comes *next* one has to find the place where the same letter stood before, and then look one
# further. That takes two looks. In the first layer each letter takes note of who stood before it; in the second, a
# letter looks for the place whose note says its own name. Such a pair of heads is an **induction head** (Olsson et al.
# 2022). If our pupil has found it, then a head of its first layer looks one letter back; in a word of length $P$ its
# second layer looks $P - 1$ letters back, or one or more whole words further, $2P - 1$, $3P - 1$, whatever $P$ is; and
# without the first of the two most of the skill is gone, while the other head of the first layer is needed less.

# %%
with torch.inference_mode():
    _, looks = read(pupils[2].state_dict(), songs[:, :-1], pupils[2].config)
ago = torch.arange(REFRAIN)[:, None] - torch.arange(REFRAIN)
after_same = ((ago + 1) % length[..., None] == 0) & (ago > 0)  # (B, T, T): stands after an earlier copy of my letter
to_successor = [(look * after_same[:, None])[:, :, 20:].sum(-1).mean((0, 2)) for look in looks]
inducer = int(to_successor[1].argmax())
fig, axes = plt.subplots(1, 3, figsize=(9, 3.6), sharey=True)
for ax, P in zip(axes, (4, 6, 9)):
    ax.imshow(looks[1][int((length[:, 0] == P).nonzero()[0]), inducer], cmap="Oranges", vmax=1)
    ax.set(title=f"a word of {P} letters", xlabel="is looked at")
axes[0].set_ylabel("looks")
show.figure(fig, alt="Three maps with diagonal stripes, at other distances from the main diagonal for each word.")
assert to_successor[1].max() > 0.4 > 0.2 > to_successor[0].max()

# %% tags=["nbval-ignore-output"]
to_previous = looks[0].diagonal(-1, 2, 3)[..., 20:].mean((0, 2))  # of each head of the first layer
writes_notes = int(to_previous.argmax())
without = {}
for head in (0, 1):
    with torch.inference_mode():
        left, _ = read(pupils[2].state_dict(), songs[:, :-1], pupils[2].config, without=((0, head),))
    cost_of = -left.log_softmax(-1).gather(2, songs[:, 1:, None])[..., 0]
    without[head] = cost_of[torch.tensor(again)].mean().item() / log(2)
even = (after_same / torch.arange(1, REFRAIN + 1)[:, None])[:, 20:].sum(-1).mean()
print("second layer, to the successor:", *(f"{share:.0%}" for share in to_successor[1]), f"by chance {even:.0%}")
print("first layer, one letter back:  ", *(f"{share:.0%}" for share in to_previous))
print("bits a letter without this head of the first layer:", *(f"{bits_:.1f}" for bits_ in without.values()))

# %%
assert to_previous[writes_notes] > 0.25  # a head that looks at all alike gives 3 to 5 %
assert without[writes_notes] > 2 * repeated[2] and without[writes_notes] > without[1 - writes_notes]

# %% [markdown]
# The stripes move with the word. Count along the last row: with 4 letters the strongest is 7 back ($2 \cdot 4 - 1$, it
# skips the nearest copy), with 9 letters 8 back. Nobody wrote down a distance: it is found anew in each text, by what
# stands there. And the head that takes the notes is needed. This is the look-up of the counter that goes on, learnt
# from nothing, by slopes.
#
# Does the course's GPT, trained on plays, have it? We introduce a hundred strangers to it. Each speaks, is answered,
# and speaks again, as is usual in these plays. The control: the same second name, where *another* stranger spoke first.

# %% tags=["nbval-ignore-output"]
order = re.findall(r"^([A-Z][A-Z' -]+):$", play, flags=re.MULTILINE)
returns = np.mean([a == b for a, b in zip(order, order[2:])])
syllables = ["".join(pair) for pair in zip(rng.choice(list("BDFGKLMNPRSTVZ"), 300), rng.choice(list("AEIOU"), 300))]
strangers = ["".join(syllables[3 * i : 3 * i + 3]) + "N" for i in range(100)]


@torch.inference_mode()
def second_name(before: list[str]) -> np.ndarray:
    """Bits a letter of each stranger's name, where those of the list have spoken before."""
    scenes = [f"\n\n{a}:\nI come, my lord.\n\nKING:\nSpeak, my lord.\n\n{b}:" for a, b in zip(before, strangers)]
    ids = torch.tensor([codec.encode(scene) for scene in scenes])
    p = writer(ids[:, :-1]).log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
    return -p[:, -8:-1].mean(1).numpy() / log(2)


others = second_name(strangers[1:] + strangers[:1])
gains = others - second_name(strangers)
error = gains.std(ddof=1) / len(gains) ** 0.5
print(f"{returns:.0%} of the speeches are of the one who spoke the last but one")
print(f"saved at each letter of a name that was met: {gains.mean():.3f} of {others.mean():.1f} bits, ± {error:.3f}")

# %%
assert returns > 0.5 and abs(gains.mean()) < 0.05

# %% [markdown]
# It saves next to nothing: one or two hundredths of the seven bits or so that a letter of such a name costs. That is
# more than chance, and of no use. It has the layers for the skill, and has not learnt it. Why? The names of 34 plays
# are few, and each is said many times, so it pays to know them by heart. (That is our conjecture; what we measured is
# that the skill is as good as absent.) **What an architecture makes possible and what training makes of it are two
# things.** In larger models, trained on more varied text, Olsson et al. do find it.
#
# Bring a page of your own, with a name of your own in it, and see which letters surprise the course's GPT.

# %% tags=["mine"]
writer, vocab = released.load("shakespeare")
MINE = None  # or "ANNA:\nGood morrow, Bob.\n\nBOB:\nGood Anna, ": a page in the letters of the plays

# %% tags=["mine", "showpiece", "nbval-ignore-output"]
from html import escape

from IPython.display import HTML, display

own = scene + codec.decode(test[:600].tolist()) if MINE is None else MINE
own = "\n\n" + own
each = -np.log2(believed(writer.cpu(), np.array(codec.encode(own)))[:, 0])[2:]
shade = lambda bits: f"rgba(230, 97, 0, {min(1, bits / 8):.2f})"  # white: no surprise; the darkest: eight bits and more
marked = "".join(f'<span style="background:{shade(b)}">{escape(c)}</span>' for c, b in zip(own[2:], each))
display(HTML(f'<pre style="line-height:1.5; color:#000; background:#fff; white-space:pre-wrap">{marked}</pre>'))
assert len(each) == len(own) - 2 and (each >= 0).all()
print(f"{each.mean():.2f} bits a letter")

# %% [markdown]
# The page as the course's GPT reads it: the darker a letter, the more it was surprised. Names and the first letters of
# words are dark, and the rest of a known word is light.
#
# *Odd:* ZORLINDA is dark the second time, too. Whoever hears the page read knows her name from then on; this reader of
# 34 plays does not.

# %% [markdown]
# ## Checkpoint
#
# *We double the context of our GPT, from 64 letters to 128. What happens to the number of its weights? To the number of
# scores that one head computes on one window? And what would a table of counts need for the same step?*
#
# <details><summary>Answer</summary>
#
# The weights stay the same: positions are turned, not stored. The matrix of scores is $T \times T$, so there are four
# times as many for a window twice as long (twice as many for each letter). A table of counts would need up to $63^{64}$
# times as many entries, and, what is worse, a text that visits them. The next cell checks the first statement.
#
# </details>

# %%
size = lambda context: sum(w.numel() for w in gpt.GPT(gpt.Config(V, context, 2, 4, 128)).parameters())
assert size(64) == size(128)

# %% [markdown]
# ## Break it
#
# Four small networks on the plays (two layers of width 64): one whole, one without positions, one with a single head,
# one without the mask.
#
# *Predict 9.* Order them: whose absence hurts most, whose least?


# %%
class Broken(gpt.GPT):
    """The library's GPT, read by our own function, with parts missing."""

    def __init__(self, heads: int = 4, causal: bool = True, turned: bool = True):
        super().__init__(gpt.Config(vocab=V, context=64, layers=2, heads=heads, width=64))
        self.causal, self.turned = causal, turned

    def forward(self, ids: Tensor, side: None = None) -> Tensor:
        return read(dict(self.named_parameters()), ids, self.config, self.causal, self.turned)[0]


variants = {
    "whole": {},
    "no positions": {"turned": False},
    "one head": {"heads": 1},
    "no mask": {"causal": False},
}

# %% tags=["nbval-ignore-output"]
patients, claimed = {}, {}
for name, parts in variants.items():
    torch.manual_seed(course.seed())
    patients[name] = Broken(**parts).to(device)
    recipe = Recipe(steps=120, fast=True, lr=0.006, muon_lr=0.03, seed=course.seed())
    claimed[name] = np.mean(train(patients[name], loss, recipe)[-20:]) / log(2)

# %% [markdown]
# How do we examine a network without a mask? Its loss was measured with the answers on the table. An honest question is
# the *last* place of a window: there is no future to be seen. The same question goes to two small tables, of pairs and
# of triples of letters.

# %% tags=["nbval-ignore-output"]
places = torch.randint(len(unread) - 64, (700, 1), generator=torch.Generator().manual_seed(7))
exam = torch.tensor(unread)[places + torch.arange(65)]
honest = {}
for name, patient in patients.items():
    with torch.inference_mode(), machine.autocast(device):
        last = patient(exam[:, :-1].to(device))[:, -1].cpu().log_softmax(-1)
    honest[name] = -last.gather(1, exam[:, -1:]).mean().item() / log(2)
    print(f"{name:<14}bits per character, honestly {honest[name]:.2f}; by its training loss {claimed[name]:.2f}")
for name, order in (("pairs", 1), ("triples", 2)):
    small = ngram.fit_kneser_ney([text], V, order)
    honest[name] = -small.log_prob(exam[:, -order - 1 :].flatten().numpy())[:: order + 1].mean() / log(2)
    print(f"a table of {name:<11}{honest[name]:17.2f}")

# %%
assert claimed["no mask"] < C["the course's GPT"] / 2 and honest["no mask"] > log2(V) - 0.5  # a leak
assert honest["one head"] < honest["whole"] + 0.1 < honest["no positions"] < honest["no mask"] - 1
assert honest["triples"] < min(honest["one head"], honest["whole"]) < honest["pairs"]

# %% [markdown]
# *Answer 9.* By far the mask, then the positions; the single head costs nothing here.
#
# **No mask**: within seconds the training loss falls to less than half of what the course's GPT reached in minutes. A
# miracle in the loss is a leak until the contrary is proved. Asked honestly, this network is the worst of all, worse
# than knowing nothing ($\log_2 63 = 5.98$ bits): it has learnt to copy the next letter from where it stands, and at the
# last place there is none. Let it write, where nothing stands ahead:

# %% tags=["nbval-ignore-output"]
dice = torch.Generator().manual_seed(course.seed())
for name in ("whole", "no mask"):
    ids = torch.tensor([codec.encode(prompt)])
    for _ in range(120):
        with torch.inference_mode():
            logits = patients[name](ids[:, -64:].to(device))[:, -1].cpu()
        ids = torch.cat([ids, torch.multinomial(sample.temper(logits, 1.0), 1, generator=dice)], 1)
    print(f"--- {name} ---{codec.decode(ids[0])}\n")

# %% [markdown]
# **No positions**: worse, but not lost. How can it know order at all? Perhaps the mask tells: place $t$ sees $t$
# letters, so a later layer can guess where it stands from how many letters the first has mixed (Haviv et al. 2022
# conjecture this). With one layer it is a bag: shuffle the past, and the last prediction does not move, as the next
# cell shows.
#
# **One head**: no harm that we could see. But mind the tables: after these few seconds all four networks predict worse
# than triples of letters do. Perhaps they need no second place to look at, as long as they do not use the last two
# letters well. Nothing is shown about networks that do. (Of trained ones, Michel et al. 2019 found that many heads can
# be removed.)

# %%
torch.manual_seed(0)
flat = gpt.GPT(gpt.Config(vocab=V, context=64, layers=1, heads=4, width=64))
for weight in flat.parameters():  # not trained, and not zero
    torch.nn.init.normal_(weight, std=weight.size(-1) ** -0.5)
order = torch.cat([torch.randperm(63), torch.tensor([63])])
with torch.inference_mode():
    moves = {
        turned: (
            read(flat.state_dict(), exam[:9, :64], flat.config, turned=turned)[0][:, -1]
            - read(flat.state_dict(), exam[:9, order], flat.config, turned=turned)[0][:, -1]
        )
        .abs()
        .max()
        .item()
        for turned in (True, False)
    }
assert moves[False] < 1e-4 < 1e-2 < moves[True]
print("one layer, shuffled past: the last prediction", "moves" if moves[True] > 1e-2 else "stays", "with positions,")
print("and", "stays" if moves[False] < 1e-4 else "moves", "without them")

# %% [markdown]
# What changes nothing when it alone is left out was not needed, alone; that is all that leaving out can tell.
#
# ## What we measured
#
# The answer to the question: by looking it up, and there are two ways. A counter that goes on finds the same letters
# again, exactly, from the first sight on, and nobody has to train it; somebody has to say when to trust it. Attention
# is a dictionary that is soft enough to be trained and is written anew in each text. It has to learn how to look, and
# may not learn it, as with the stranger's name; what it buys here is what no counter of the last few letters has: how
# long this line is.

# %% tags=["nbval-ignore-output"]
course.summary()

# %% [markdown]
# ## Limits
#
# - The plays are one author's, the letters are 63, and the time was short. That the counter loses in the end is known
#   for large models; where the lines cross depends on data, size and training; we have shown one network below the
#   frozen table, and none below the one that goes on.
# - The first letters of each window of the test have less context than the rest; for the frozen table it is six letters
#   of thirty-two thousand. Where two of the sixteen pages are glued together, both read on from a wrong page. And the
#   course's GPT was trained on the plays less 3 % of their letters, which an earlier reader dropped.
# - The head that looks at line breaks was found in one trained model. Another training may give the task to two heads,
#   or to another layer.
# - The counter that goes on is a simple one: its say is fixed, and its tables are mixed by two plain rules. Compressors
#   that learn whom to trust, letter by letter, do better, and are half-way to a network.
# - (3.4) is an identity about the form of one row of weights. It does not say that the model *believes* anything.
#
# ## Exercises
#
# In `exercises/03_attention.ipynb`, of which `make lab` puts a copy into `my/`:
#
# - 03.1 · verify · 10 min · ●●○○○ · Attention
# - 03.2 · verify · 10 min · ●○○○○ · Who may see whom
# - 03.3 · verify · 15 min · ●●○○○ · The loss of the next letter
# - 03.4 · debug · 20 min · ●●●○○ · Right, until the window is full
# - 03.5 · verify · 10 min · ●●○○○ · Heads
# - 03.6 · modify · 15 min · ●●●○○ · Turn by the place
# - 03.7 · modify · 10 min · ●●○○○ · How many can stand before it
# - 03.8 · investigate · 25 min · ●●●○○ · Is the model too sure of itself?
# - 03.9 · investigate · 20 min · ●●●○○ · How far back does the model look?
# - 03.10 · build · 45 min · ●●●●○ · A block, whole
# - 03.11 · challenge · 60 min · ●●●●● · The memory that it did not learn
#
# ## References
#
# - Bahdanau, D., Cho, K. & Bengio, Y. (2015). Neural machine translation by jointly learning to align and translate.
#   arXiv:1409.0473
# - Chen, S. F. & Goodman, J. (1999). An empirical study of smoothing techniques for language modeling.
#   doi:10.1006/csla.1999.0128
# - Cleary, J. G. & Witten, I. H. (1984). Data compression using adaptive coding and partial string matching.
#   doi:10.1109/TCOM.1984.1096090
# - Haviv, A. et al. (2022). Transformer language models without positional encodings still learn positional
#   information. arXiv:2203.16634
# - Henry, A. et al. (2020). Query-key normalization for transformers. doi:10.18653/v1/2020.findings-emnlp.379
# - Jain, S. & Wallace, B. C. (2019). Attention is not explanation. arXiv:1902.10186
# - Kneser, R. & Ney, H. (1995). Improved backing-off for m-gram language modeling. doi:10.1109/ICASSP.1995.479394
# - Michel, P., Levy, O. & Neubig, G. (2019). Are sixteen heads really better than one? arXiv:1905.10650
# - Olsson, C. et al. (2022). In-context learning and induction heads. arXiv:2209.11895
# - Su, J. et al. (2021). RoFormer: enhanced transformer with rotary position embedding. arXiv:2104.09864
# - Vaswani, A. et al. (2017). Attention is all you need. arXiv:1706.03762
# - Witten, I. H. & Bell, T. C. (1991). The zero-frequency problem: estimating the probabilities of novel events in
#   adaptive text compression. doi:10.1109/18.87000
# - Xiong, R. et al. (2020). On layer normalization in the transformer architecture. arXiv:2002.04745
