# %% [markdown]
# # 03 · Attention
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
# Chapter 01 (bits, chains, held-out plays), the scalar product of two vectors, and $e^{a+b} = e^a e^b$.
# Measured: 83 s on a plain laptop, 1.9 GB.

# %%
import re
from itertools import pairwise
from math import log, log2

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import gelu

from aigc import course, data, machine, released, sample, show
from aigc.codecs.text import CharCodec
from aigc.evaluate.text import nats_per_token
from aigc.models import gpt, ngram
from aigc.train import Recipe, train

device = course.start("03")
show.style()
rng = np.random.default_rng(course.seed())

# %% [markdown]
# ## What we will measure
#
# Bits per character on plays that nobody has read in training, as in chapter 01, and the same in one special place: at
# the **end of a line**. Chapter 01 found that Shakespeare's letters share information at a distance of a whole verse,
# and that no chain can keep it. Now we can ask who does.
#
# | machine | learns by | sees |
# |:--|:--|:--|
# | chain with $\alpha$ (chapter 01) | counting | a few letters |
# | Kneser-Ney | counting, as well as anybody knows how | a few letters |
# | our GPT | about twenty seconds of training, here | 64 letters |
# | the course's GPT | some minutes of training, shipped | 128 letters |
#
# *Predict before you run, on paper:*
#
# 1. *Four million letters counted in a second, or a network trained for twenty: which predicts unread plays better?*
# 2. *At which places on the page will the loser of question 1 win nevertheless?*
# 3. *We shall take away the mask, the positions, and all heads but one. Order them: which loss hurts most, which
#    least?*

# %%
play = data.shakespeare()
codec = CharCodec.train(play)
V = len(codec.vocab)
text = np.array(codec.encode(play))
unread = np.array(codec.encode(data.shakespeare("validation")[:60_000]))  # to choose by
test = np.array(codec.encode(data.shakespeare("test")[:40_000]))  # for the end
NEWLINE = codec.encode("\n")[0]
print(f"{len(text):,} letters to learn from; {V} different ones")

# %% [markdown]
# ### Counting, as well as it can be done
#
# A new method deserves the best of its rivals as a baseline. The chain of chapter 01 wasted what it knew: where it had
# seen a context three times it believed those three; where it had never seen it, it believed nothing, although it had
# met the last letters of that context a thousand times. Two ideas mend that.
#
# **Take a little from each count and ask the shorter context.** Let $c$ be a context, $s$ a symbol and $c'$ the
# context without its oldest symbol. From each count $n(cs)$ we take a discount $D$; all that was taken goes to what
# $c'$ believes (Chen & Goodman 1999):
#
# $$p(s \mid c) = \frac{n(cs) - D}{n(c)} + b(c)\, p(s \mid c'), \qquad
# b(c) = \frac{D \cdot \#\{s : n(cs) > 0\}}{n(c)} \tag{3.1}$$
#
# The first term stands only where $n(cs) > 0$; below the empty context stands the uniform distribution. How large is
# $D$? Words seen once stand for many that could have come. With $n_1$ grams seen once and $n_2$ seen twice,
# $D = n_1 / (n_1 + 2 n_2)$.
#
# **Ask the shorter context another question.** It is asked only where the longer one is in doubt, so it should not
# say how *often* $s$ occurs, but how *many different* symbols it can follow (Kneser & Ney 1995):
#
# $$n'(s) = \#\{v : n(vs) > 0\} \quad\text{in place of } n(s) \tag{3.2}$$
#
# Both are `ngram.fit_kneser_ney`. Pencil and *banana* again, with a full stop at both ends. The pairs are .b, ba, a.
# once each, an and na twice: $n_1 = 3$, $n_2 = 2$, so $D = 3/7$. The letter n occurs twice, but only ever after a:
# $n'(n) = 1$. The letter a follows b and n: $n'(a) = 2$; b and the stop follow one letter each. Of these counts three
# are 1 and one is 2, so below $D = 3/5$.
#
# *Which letters may follow b, of which we have seen only ba?*

# %%
letters = ".abn"
toy = ngram.fit_kneser_ney([[letters.index(c) for c in ".banana."]], vocab=4, order=1, discounts=1)
after_b = toy.probabilities([letters.index("b")])
print("after b, in 35ths:", dict(zip(letters, (35 * after_b).round(6).tolist())))
assert np.allclose(toy.discounts.ravel(), [3 / 5, 3 / 7])
assert np.allclose(35 * after_b, [3, 26, 3, 3]) and np.isclose(after_b.sum(), 1)

# %% [markdown]
# The letter n is twice as frequent as b in the book, yet after b it gets no more than b does: it has shown that it
# follows one letter only. (Chen & Goodman found it better to take three discounts: one for grams seen once, one for
# twice, one for more. From here on we do so too.)
#
# Now the ladder of chapter 01, twice.


# %%
def bits(chain, ids: np.ndarray) -> float:
    return -chain.log_prob(ids).mean() / log(2)


orders = range(3, 8)
additive = [bits(ngram.fit([text], V, k, alpha=0.1), unread[:40_000]) for k in orders]
chains = [ngram.fit_kneser_ney([text], V, k) for k in orders]
kneser_ney = [bits(chain, unread[:40_000]) for chain in chains]
best = int(np.argmin(kneser_ney))
counter = chains[best]
for k, a, b in zip(orders, additive, kneser_ney):
    print(f"order {k}: adding alpha {a:.2f}, Kneser-Ney {b:.2f}" + (" <- best" if k == counter.order else ""))
old = ngram.fit([text], V, orders[int(np.argmin(additive))], alpha=0.1)
assert all(b < a for a, b in zip(additive, kneser_ney))
assert additive[-1] - min(additive) > 0.3 and kneser_ney[-1] - min(kneser_ney) < 0.02  # no more panic
course.expect("03.kneser_ney_bits", bits(counter, test), baseline=bits(old, test))

# %% [markdown]
# At each order Kneser-Ney is better than adding $\alpha$, and its curve hardly turns up any more: where a context is
# too long to have been seen, the shorter one speaks for it. All of it took seconds. Remember this figure. It will be
# hard to beat.
#
# ### Where counting ends
#
# Why does the curve stop falling? Not because the letters further back say nothing. Take the contexts of the unread
# plays, and ask how many of them occur anywhere in the four million letters:


# %%
def met(k: int) -> float:
    known = np.sort(ngram.codes(text, V, k))  # beyond ten letters the code wraps round, which makes it a hash
    asked = ngram.codes(unread[:50_000], V, k)
    return np.mean(known[np.searchsorted(known, asked).clip(max=len(known) - 1)] == asked)


share = {k: met(k) for k in (4, 8, 16, 24)}
for k, value in share.items():
    print(f"{k:>2} letters: {value:6.1%} of the contexts were ever seen; {V**k:.0e} are possible")
assert all(b < a for a, b in pairwise(share.values())) and share[24] < 0.005 < 0.9 < share[4]

# %% [markdown]
# A table wants an entry for each context, and sixteen letters are enough to make almost every context new. A verse is
# forty-odd letters long; a name may have been said a hundred letters ago. More plays help little: there are more
# possible contexts than anybody will ever write. And here is the stranger, met by our best counter:

# %%
scene = "A stranger, my lord.\n\nZORLINDA:\nGood morrow, my lord.\n\nZORLINDA:\n"
cost_of = -counter.log_prob(codec.encode(scene)) / log(2)
begin = [found.start() - counter.order for found in re.finditer("ZORLINDA", scene)]
first, second = (cost_of[i : i + 8] for i in begin)
print("bits for Z O R L I N D A, first time: ", first.round(1))
print("bits for Z O R L I N D A, second time:", second.round(1))
assert (first == second).all()  # not nearly: exactly

# %% [markdown]
# Not a hundredth of a bit was learnt. It cannot be otherwise: a chain of order $k$ knows the last $k$ letters, and
# before both names they are the same. So this is what a longer context needs:
#
# - **no entry for each context**: what is learnt must be a *way of looking*, of a size that does not depend on how far
#   one looks;
# - to reach a place far back **without taking all that lies between**;
# - to choose the place by **what stands there**, since a name has no fixed distance;
# - and to be **trained by slopes**: a hard choice has none, so the choice must be soft.

# %% [markdown]
# ## A toy by hand
#
# A Python dictionary finds what it holds: `{"duck": "wings"}["duck"]`. Asked for "ducks" it raises an error. Let us
# make it kind. Keys and queries become vectors, and their scalar product says how alike they are. Each entry answers
# with its value, as loudly as its key is like the query. That is **attention** (注意力).
#
# Take three tokens of the verse that this course is named after: 霞 *sunset*, 鹜 *duck*, 飞 *fly*. When the third one
# is read, it asks: *who is it that flies?* Each token holds three vectors:
#
# | token | its query: what do I look for? | its key: what am I? | its value: what do I give? |
# |:--|:--|:--|:--|
# | 霞 sunset | nothing | in the sky | 7 of red |
# | 鹜 duck | what is in the sky? | in the sky, has wings | 7 of grey |
# | 飞 fly | what is in the sky, and has wings? | nothing | nothing |
#
# As numbers, with four features (sky, wings and two that are not used), keys $(1,0,0,0)$, $(1,1,0,0)$, $(0,0,0,0)$
# and queries $(0,0,0,0)$, $(2,0,0,0)$, $(2,2,0,0)$. Divide each product by 2, the root of the four features (why, we
# shall see). Then 飞 scores 1 for 霞, 2 for 鹜, 0 for itself. To be kind to pencils, let loudness be $2^\text{score}$:
# 2, 4 and 1. *So how much of 飞's attention goes to the duck, and what does 飞 carry away?*

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
# Four parts of seven go to the duck, two to the sunset, which is only in the sky: 落霞与孤鹜齐飞, *they fly together*.
# The token 飞 now holds two of red and four of grey. No rule of grammar was told; the answer followed from which
# vectors are alike, and vectors can be learnt.
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

# %% [markdown]
# ## The mathematics
#
# ### One formula
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
# ### Where Bayes is, and where it is not
#
# The introduction that this course follows and corrects ("the article") says that
# $P(x \mid y) = P(y \mid x) P(x) / P(y)$ "is computed by self-attention". Chapter 02 takes this sentence apart. A
# language model computes $p(x_t \mid x_{<t})$ directly, with no $P(y \mid x)$ and no $P(y)$; and what adds up to one in
# (3.3) are the weights of *places*, not the probabilities of texts.
#
# What is true is smaller. Imagine a game: somebody chooses one of the places $1 \dots t$, each as probable as the
# others, takes its key, and adds Gaussian noise of variance $\sqrt d$; we receive the sum as $q$. Which place was it?
# **If all keys have the same length**,
#
# $$P(i \mid q) = \frac{P(q \mid i)\, P(i)}{P(q)} = w_{ti}, \qquad P(q \mid i) \propto
# e^{-|q - k_i|^2 / 2\sqrt d} \tag{3.4}$$
#
# for $|q - k_i|^2 = |q|^2 - 2\, q \cdot k_i + |k_i|^2$, and only the middle term depends on $i$. So a row of attention
# has the *form* of a posterior over places. With keys of different lengths it fits only a prior that prefers the long
# ones, (2.6).

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
# The form is not the thing. Nobody plays this game in a network: chapter 02 tests the rows of the course's GPT, whose
# keys do have one length, and finds that its queries were not drawn near a key by chance. They are *aimed*. A row of
# weights is a soft choice of what to read.
#
# ### Why divide by $\sqrt d$
#
# A scalar product is a sum of $d$ products. If the features are independent, with mean 0 and variance 1, each product
# has variance 1, and variances of independent terms add up:
#
# $$\mathrm{Var}(q \cdot k) = \sum_{j=1}^{d} \mathrm{Var}(q_j k_j) = d \tag{3.5}$$
#
# So scores grow like $\sqrt d$ for no reason but the number of features, and (3.3) takes their exponential. *Predict:
# a place looks at 64 others with random keys of 256 features. How much of its attention gets the loudest of them?*

# %%
print("  d   variance/d   the loudest of 64: divided, not divided   slope: divided, not divided")
rows = {}
for d in (4, 16, 64, 256):
    q, k = torch.randn(2, 1000, 64, d, generator=generator)
    product = (q[:, :1] * k).sum(-1)  # (1000, 64): one query, 64 keys
    found = []
    for scores in (product / d**0.5, product):
        w = scores.softmax(-1)
        found += [w.amax(-1).mean().item(), (w * (1 - w)).sum(-1).mean().item()]  # dw/dscore = w (1 - w)
    rows[d] = (product.var().item() / d, *found)
    print(f"{d:>3}   {rows[d][0]:10.2f}   {found[0]:26.2f}, {found[2]:11.2f}   {found[1]:14.2f}, {found[3]:11.2f}")
assert all(abs(row[0] - 1) < 0.05 for row in rows.values())  # (3.5)
assert rows[256][1] < 0.2 and rows[256][3] > 0.8  # a glance around, and a stare
assert rows[256][4] < 0.4 * rows[256][2] and abs(rows[256][2] - rows[16][2]) < 0.05

# %% [markdown]
# The slope is how much the weights answer when a score moves; training needs it. Undivided, a new network with many
# features stares at one place, chosen by chance, and most of the slope is gone: it can hardly learn that it looks at
# the wrong one. Divided, it looks around, whatever $d$ is.
#
# ### Mask
#
# The mask goes *before* the softmax. Afterwards is too late: setting weights to zero leaves the sum below the fraction,
# and in it the future. Change the third token, and look at the first two rows:

# %%
changed = key.clone()
changed[2] = torch.tensor([5.0, 5, 0, 0])
after = [(query @ keys.T / 2).softmax(-1) * seen for keys in (key, changed)]
before = [attend(query, keys, value, ~seen.bool())[1] for keys in (key, changed)]
print("masked after the softmax, row of the duck: ", after[0][1].numpy().round(3), "->", after[1][1].numpy().round(3))
print("masked before the softmax, row of the duck:", before[0][1].numpy().round(3), "->", before[1][1].numpy().round(3))
assert torch.equal(before[0][:2], before[1][:2]) and not torch.allclose(after[0][:2], after[1][:2])

# %% [markdown]
# ### Position
#
# In (3.3) nothing says *where* a place is. Shuffle the past, keys and values together, and the sum is the same sum:
# attention sees a bag. *A dog bites a man* and *a man bites a dog* are then one thing.

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
# Distance, then, not place: what was learnt about *three letters back* holds everywhere on the page. Each pair has its
# own speed $\theta_j$, from one radian a letter down to a ten-thousandth, like the hands of a clock. This is
# `gpt.rotate`; here with complex numbers, there with sines and cosines.


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
# ### Heads, lengths, layers
#
# **Heads** (多头). One row of weights gives one mixture. A letter may want to know the letter before *and* where the
# line began; so the $C$ features of a token are cut into $H$ heads of $d = C/H$, each with its own queries, keys and
# values, its own rows of weights, at the same cost. Their answers are laid side by side and mixed by a matrix $W_o$.
#
# **Normalisation** (归一化). Layers add to one another, and sums grow. So each layer reads its input shifted to mean 0
# and scaled to variance 1, $\mathrm{norm}(x)$, and *adds* what it has to say to the untouched $x$ (Xiong et al. 2020).
# Queries and keys are normalised once more (Henry et al. 2020): each has length $\sqrt d$, so that
# $|q \cdot k| / \sqrt d \le \sqrt d$. However long we train, no score can leave this range. (And all keys
# have one length, which is the condition of (3.4).)
#
# **A block** lets tokens speak to one another, and then each think for itself, in a wider layer:
#
# $$x \leftarrow x + W_o\,\mathrm{heads}\big(\mathrm{norm}(x)\big), \qquad
# x \leftarrow x + W_2\,\mathrm{gelu}\big(W_1\,\mathrm{norm}(x)\big) \tag{3.7}$$
#
# Some blocks on top of one another, a table of vectors for the letters below them, a matrix that turns each vector into
# $V$ scores above: that is a **GPT**, and training it means to make the next letter less surprising, at all places of
# the text at once:
#
# $$L = -\frac1T \sum_{t=1}^{T} \log p(x_{t+1} \mid x_1 \dots x_t) \tag{3.8}$$
#
# This is `gpt.loss`. The mask is what makes it honest: one reading of $T$ letters asks $T$ questions, and place $t$
# must not see its own answer at $t+1$.

# %% [markdown]
# ## The code
#
# Equation (3.7), line by line. The function takes weights under the library's names, so that any GPT of the course can
# be read by it, and hands out what each head looked at. Its last three arguments are for breaking it.


# %%
def read(w: dict, ids: Tensor, config, causal=True, turned=True, without=()) -> tuple[Tensor, list[Tensor]]:
    """Logits (B, T, V) and, for each layer, where each head looks: (B, heads, T, T). ids: (B, T)."""
    place = torch.arange(ids.size(1), device=ids.device)
    ago = place[:, None] - place  # how far back each place is, seen from each
    hidden = (ago < 0) | (ago >= config.context) if causal else torch.zeros_like(ago, dtype=torch.bool)
    x, looks = gpt.norm(w["embed.weight"][ids]), []
    for layer in range(config.layers):
        of = {name: w[f"blocks.{layer}.{name}.weight"].T for name in PARTS}
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


PARTS = ("attention.query_key_value", "attention.output", "up", "down")

# %% [markdown]
# Is it the library's model? Same weights, same letters: the same logits, to rounding, for the GPT that
# the course ships.

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
# Not small: **zero**, in every one of the cells above the diagonal, and no zero on it or below. With the mask the past
# cannot feel the future, and each place can feel all of its past. Without it, everything feels everything.

# %% [markdown]
# ## The experiment
#
# ### Twenty seconds of reading
#
# Our own GPT: two layers, four heads, 64 letters of context. It starts as the uniform distribution, and reads windows
# from random places of the plays, each once. We keep a list of what it read, so that a counter can be given the same.

# %%
torch.manual_seed(course.seed())
student = gpt.GPT(gpt.Config(vocab=V, context=64, layers=2, heads=4, width=128)).to(device)
letters_of = torch.tensor(text)
windows = []


def loss(model: torch.nn.Module, step: int, generator: torch.Generator) -> Tensor:
    at = torch.randint(len(text) - 64, (24,), generator=generator)[:, None] + torch.arange(65)
    windows.append(at)
    return gpt.loss(model, letters_of[at].to(device))  # (3.8)


# %% tags=["nbval-ignore-output"]
recipe = Recipe(steps=430, fast=True, lr=0.006, muon_lr=0.03, seed=course.seed())
history = train(student, loss, recipe)

# %%
assert abs(history[0] - log(V)) < 1e-2  # it began with no opinion
assert np.mean(history[-50:]) < 0.55 * history[0]

# %% [markdown]
# To measure, each letter of the unread plays is predicted from at least 32 (64 for the course's model) letters before
# it: windows overlap by half. The library's `nats_per_token` gives the mean; we want the cost of *each* letter, to see
# where it arises.


# %%
def cost(model: torch.nn.Module, ids: np.ndarray) -> np.ndarray:
    """Bits of each of ids[1:]. model: from (B, T) to logits (B, T, V)."""
    ids, window = torch.tensor(ids), model.config.context
    out, half = torch.zeros(len(ids) - 1), window // 2
    for start in torch.arange(0, len(out) - half, half).split(64):
        at = (start[:, None] + torch.arange(window)).clamp(max=len(out) - 1)
        with torch.inference_mode(), machine.autocast(device):
            logits = model(ids[at].to(device)).cpu()
        bits = -logits.log_softmax(-1).gather(2, ids[at + 1][..., None])[..., 0] / log(2)
        for begin, row in zip(start.tolist(), bits):
            skip = half if begin else 0
            out[begin + skip : begin + window] = row[skip : len(out) - begin]
    return out.numpy()


young = cost(student, test)
with machine.autocast(device):
    mean = nats_per_token(student, torch.tensor(test).to(device), 64) / log(2)
assert abs(young.mean() - mean) < 1e-2
course.expect("03.gpt_bits", young.mean(), baseline=bits(counter, test))

# %% [markdown]
# Now the counters: the best one, and one that was given exactly the windows that the GPT has read, no more.

# %% tags=["nbval-ignore-output"]
runs = letters_of[torch.cat(windows)].numpy()  # (windows, 65)
fair = ngram.fit_kneser_ney(list(runs), V, 5)
grown = cost(writer.to(device), test)
line = test[1:] == NEWLINE  # where a line ends


def chain_cost(chain, ids: np.ndarray) -> np.ndarray:
    return np.append(np.full(chain.order - 1, log2(V)), -chain.log_prob(ids) / log(2))  # the first few: unknown


costs = {
    "adding alpha": chain_cost(old, test),
    "Kneser-Ney, the same letters": chain_cost(fair, test),
    "our GPT": young,
    "Kneser-Ney, all letters": chain_cost(counter, test),
    "the course's GPT": grown,
}
print("bits per character       everywhere   at the end of a line")
for name, c in costs.items():
    print(f"{name:<30}{c.mean():5.2f}{c[line].mean():23.1f}")

# %%
C = {name: c.mean() for name, c in costs.items()}
ends = {name: c[line].mean() for name, c in costs.items()}
assert max(C["Kneser-Ney, the same letters"], C["Kneser-Ney, all letters"]) < C["our GPT"]  # question 1
assert C["the course's GPT"] < C["Kneser-Ney, all letters"] - 0.05  # but it stops, and attention goes on
assert ends["our GPT"] < min(ends[name] for name in C if "GPT" not in name) - 0.1  # question 2

# %% [markdown]
# An honest table. **Counting wins the first round**, on the same letters too: a counter needs to see a thing once, a
# network creeps towards it by small steps. Given minutes instead of seconds, attention passes the best that counting
# can do. (The counter cannot use the minutes: it has finished.)
#
# But look at the last column. Where a line ends, our twenty-second network already leaves *every* counter behind. The
# counters know that a line may end after a comma; they do not know how long it has been. Where exactly does each of the
# two have its strength?

# %%
page = codec.decode(test[1:].tolist())
inside, n = [], 0
for letter in page:  # how many letters of its word stand before it; -1: no letter
    n = n + 1 if letter.isalpha() or letter == "'" else 0
    inside.append(n - 1)
inside = np.array(inside)
groups = {"end of a line": line, "space, comma, ...": (inside < 0) & ~line}
groups |= {f"letter {i + 1} of a word": inside == i for i in range(6)} | {"later letters": inside > 5}
gain = {name: (costs["Kneser-Ney, all letters"] - grown)[of].mean() for name, of in groups.items()}
fig, ax = plt.subplots(figsize=(7, 3.2))
ax.barh(list(gain), list(gain.values()), color=[show.SUNSET if g > 0 else show.SKY for g in gain.values()])
ax.axvline(0, color=show.INK, lw=0.8)
ax.set(xlabel="bits that attention saves against counting (below 0: it loses)")
ax.invert_yaxis()
show.figure(fig, alt="Attention saves most at line ends, something at word beginnings, and loses in long words.")
assert max(gain, key=gain.get) == "end of a line" and gain["letter 1 of a word"] > 0.1 > 0 > gain["later letters"]

# %% [markdown]
# Late in a long word counting is better: spelling is a matter of the last few letters, and a table has them all. At
# the beginning of a word, where more than spelling decides, attention is better; and at the end of a line far better.
# When two experts have different strengths, ask both: let $p = w\,p_\text{GPT} + (1 - w)\,p_\text{count}$. The weight
# $w$ is chosen on the validation plays:

# %%
writer_choice, other_choice = cost(writer, unread[:20_000]), chain_cost(counter, unread[:20_000])


def mixed(a: np.ndarray, b: np.ndarray, weight: float) -> np.ndarray:
    return -np.log2(weight * 2.0**-a + (1 - weight) * 2.0**-b)


weight = min(np.arange(0, 1.01, 0.1), key=lambda w: mixed(writer_choice, other_choice, w).mean())
both = mixed(grown, costs["Kneser-Ney, all letters"], weight)
print(f"attention is given {weight:.1f} of the say")
assert both.mean() < min(C.values()) - 0.02 and 0.4 < weight < 0.9
course.expect("03.together_bits", both.mean(), baseline=C["the course's GPT"])

# %% [markdown]
# Neither knows all that the other knows. Counting was not defeated; it was completed.
#
# How fast does each learn? The same in one picture: bits against letters read.

# %%
sizes = [len(runs) // n for n in (64, 16, 4, 1)]
count = [bits(ngram.fit_kneser_ney(list(runs[:n]), V, 5), test) for n in sizes]
taken = 64 * 24 * np.arange(1, len(history) + 1)
smooth = np.convolve(history, np.ones(25) / 25, "valid") / log(2)
fig, ax = plt.subplots(figsize=(7, 3.6))
ax.plot([64 * n for n in sizes] + [len(text)], count + [C["Kneser-Ney, all letters"]], "o-", color=show.SKY)
ax.plot(taken[24:], smooth, color=show.SUNSET)
ax.plot(taken[-1], C["our GPT"], "o", color=show.SUNSET)
ax.plot(1400 * 32 * 128, C["the course's GPT"], "*", ms=14, color=show.SUNSET)  # steps, windows, letters
ax.set(xscale="log", xlabel="letters read", ylabel="bits per character", ylim=(1.6, 4.5))
ax.annotate("counting (Kneser-Ney)", (1.2e4, 2.3), color=show.SKY)
ax.annotate("our GPT", (1.5e5, 3.2), color=show.SUNSET)
ax.annotate("the course's GPT", (7e6, 1.7), color=show.SUNSET, ha="right")
show.figure(
    fig,
    alt="Counting starts low and falls slowly; our GPT starts high and falls fast; the course's is lowest.",
)

# %% [markdown]
# (The line is the loss in training, which is fair here, because each window is read once. The dots and the star are
# unread plays.) Counting takes what it gets at once. The network has to learn first how to look, and that investment
# pays later. Which of the two is better depends on how much one can read.
#
# Now read what they write, each in its first attempt.

# %% tags=["nbval-ignore-output"]
prompt = "\n\nROMEO:\nI "
ids = torch.tensor([codec.encode(prompt)], device=device)
dice = torch.Generator().manual_seed(course.seed())
said = {"Kneser-Ney": codec.decode(counter.sample(400, rng, codec.encode(prompt)))}
for name, model in (("our GPT", student), ("the course's GPT", writer)):
    said[name] = codec.decode(torch.cat(list(sample.tokens(model, ids, 400, generator=dice))).tolist())
for name, words in said.items():
    print(f"--- {name} ---{prompt}{words}\n")


# %%
def known(words: str) -> float:
    return np.mean([word in dictionary for word in re.findall("[A-Za-z']+", words)[:-1]])


dictionary = set(re.findall("[A-Za-z']+", play))
assert all(known(words) > 0.55 for words in said.values())  # more than half are words
assert all("\n" in words for words in said.values())

# %% [markdown]
# ### What a head looks at
#
# Attention can be looked at, and that is its charm. The course's GPT has fifteen heads. One hypothesis suggests itself
# from the figure above: somewhere in there, someone must be counting the length of the line. Whoever does should look
# at line breaks. How much of its attention does each head give them, compared with their share of the text?

# %%
writer, config = writer.cpu(), writer.config
at = torch.arange(0, 40 * 128, 128)[:, None] + torch.arange(128)
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
# One head stands out. Here is what it does while a line is being read: each row is a letter that looks, each column
# a letter that is looked at.

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
# Vertical stripes under the line breaks: many letters of a line look back at where it began. (Fainter stripes stand
# under the first letters of words.) Since positions are turned, the product can tell *how far* away the break is. The
# head could be a ruler.
#
# But a map is a hypothesis, not a proof: that a model looks at something does not mean that its answer depends on it
# (Jain & Wallace 2019). So **cut the head out** and measure. For each head in turn: what does its silence cost at the
# ends of lines, and what everywhere else?


# %%
def price(logits: Tensor) -> tuple[float, float]:
    c = -logits.log_softmax(-1).gather(2, following[..., None])[..., 0] / log(2)
    c, end = c[:, 64:], following[:, 64:] == NEWLINE
    return c[end].mean().item(), c[~end].mean().item()


whole = price(logits)
rise = {head: np.subtract(price(consider(without=(head,))[0]), whole) for head in heads}
fig, ax = plt.subplots(figsize=(7, 3.6))
for head, (at_ends, elsewhere) in rise.items():
    ax.plot(elsewhere, at_ends, "o", color=show.SUNSET if head == verse else show.INK)
ax.axline((0, 0), slope=1, color=show.DUSK, ls="--", lw=1)
ax.annotate("the head that looks at line breaks", (rise[verse][1] + 0.006, rise[verse][0]), color=show.SUNSET)
ax.set(xlabel="rise elsewhere, bits", ylabel="rise at line ends, bits", title="each dot: one head silenced")
show.figure(fig, alt="Several dots lie above the diagonal; the one at the left edge costs nothing but line ends.")
assert max(rise, key=lambda head: rise[head][0] / max(rise[head][1], 0.01)) == verse
print(f"silenced, it costs {rise[verse][0]:.2f} bits at the end of a line, and {rise[verse][1]:.2f} elsewhere")
assert rise[verse][0] > 10 * rise[verse][1]

# %% [markdown]
# The experiment agrees with the map. Other heads are needed at line ends too, but the model needs them everywhere; this
# one it needs there and hardly anywhere else. In chapter 01 the verse was a hump in a curve that no chain could keep.
# Here much of it has an address.
#
# ### The stranger's name
#
# We still owe an answer to the question at the top. In its purest form: a text is one made-up word, said again and
# again. Each text has a word of its own, drawn from 16 letters by dice, so counting other texts teaches nothing: that
# leaves $\log_2 16 = 4$ bits a letter. But from the second time on, whoever can look back knows everything. We
# train one small GPT with one layer and one with two, and fit a table of counts too.

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
counted = np.mean([bits(table, song) for song in songs.numpy()])
again = torch.arange(1, REFRAIN + 1) >= length + 2  # the second time, from its third letter on
repeated = {}
for layers, pupil in pupils.items():
    with torch.inference_mode():
        p = pupil(songs[:, :-1]).log_softmax(-1).gather(2, songs[:, 1:, None])[..., 0]
    repeated[layers] = (-p[again] / log(2)).mean().item()
assert repeated[2] < 0.7 < 1.5 < repeated[1] < log2(7) < 4 < counted
course.expect("03.refrain_two_layers", repeated[2], baseline=repeated[1])

# %% [markdown]
# The table does not even reach the 4 bits of a die: it believes the words of other texts. The pupil with two layers
# can do it; the pupil with one cannot. One layer finds out *which* letters the word has: that alone would leave
# $\log_2 7$ bits for a word of seven different letters, and it does a little better. But to know what comes *next* one
# has to find the place where the same letter stood before, and then look one further. That takes two looks. In the
# first layer each letter takes note of who stood before it; in the second, a letter looks for the place whose note says
# its own name. Such a pair of heads is an **induction head** (Olsson et al. 2022). If our pupil has found it, then in a
# word of length $P$ its second layer looks $P - 1$ letters back, or $2P - 1$, and so on, whatever $P$ is.

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
assert to_successor[1][inducer] > 0.4 > 0.2 > to_successor[0].max()

# %% [markdown]
# The stripes move with the word. Nobody wrote down a distance: the distance is found anew in each text, by what stands
# there. This is the machine for a word met only once.
#
# Does the course's GPT, trained on plays, have it? We introduce a hundred strangers to it, each twice.

# %%
syllables = ["".join(pair) for pair in zip(rng.choice(list("BDFGKLMNPRSTVZ"), 300), rng.choice(list("AEIOU"), 300))]
strangers = ["".join(syllables[3 * i : 3 * i + 3]) + "N" for i in range(100)]
scenes = [f"\n\nKING:\nSpeak, my lord.\n\n{name}:\nI come, my lord.\n\n{name}:" for name in strangers]
ids = torch.tensor([codec.encode(scene) for scene in scenes])
with torch.inference_mode():
    p = writer(ids[:, :-1]).log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
early, late = (scenes[0].index(strangers[0]) - 1, scenes[0].rindex(strangers[0]) - 1)
saved = (p[:, late : late + 7] - p[:, early : early + 7]).mean().item() / log(2)
print(f"bits saved at each letter of a name met before: {saved:.1f}; by the pupil, about {4 - repeated[2]:.0f} of 4")
assert abs(saved) < 0.5

# %% [markdown]
# It saves next to nothing. It has the layers for it, but did not learn the skill. Why? The names of 34 plays are few,
# and each is said many times, so it pays to know them by heart; little in a batch of verse asks for the other skill.
# (That is our conjecture; what we measured is that the skill is absent.) **What an architecture makes possible and what
# training makes of it are two things.** In larger models, trained on more varied text, Olsson et al. do find it.

# %% [markdown]
# ## Checkpoint
#
# *We double the context of our GPT, from 64 letters to 128. What happens to the number of its weights? To the work of
# one attention layer on one window? And what would a table of counts need for the same step?*
#
# <details><summary>Answer</summary>
#
# The weights stay the same: positions are turned, not stored. The matrix of scores is $T \times T$, so the work for
# it becomes four times as much for a window twice as long (twice as much for each letter). A table of counts would need
# up to $63^{64}$ times as many entries, and, what is worse, a text that visits them. The next cell checks the first
# statement.
#
# </details>

# %%
size = lambda context: sum(w.numel() for w in gpt.GPT(gpt.Config(V, context, 2, 4, 128)).parameters())
assert size(64) == size(128)

# %% [markdown]
# ## Break it
#
# Four small networks on the plays (two layers of width 64): one whole, one without positions, one with a single head,
# one without the mask. *Your order of question 3, please: what hurts most?*


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
    recipe = Recipe(steps=130, fast=True, lr=0.006, muon_lr=0.03, seed=course.seed())
    claimed[name] = np.mean(train(patients[name], loss, recipe)[-20:]) / log(2)

# %% [markdown]
# How do we examine a network without a mask? Its loss was measured with the answers on the table. An honest question
# is the *last* place of a window: there is no future to be seen.

# %% tags=["nbval-ignore-output"]
at = torch.randint(len(unread) - 64, (1000, 1), generator=torch.Generator().manual_seed(7)) + torch.arange(65)
exam = torch.tensor(unread)[at]
honest = {}
for name, patient in patients.items():
    with torch.inference_mode(), machine.autocast(device):
        last = patient(exam[:, :-1].to(device))[:, -1].cpu().log_softmax(-1)
    honest[name] = -last.gather(1, exam[:, -1:]).mean().item() / log(2)
    print(f"{name:<14}bits per character, honestly {honest[name]:.2f}; by its training loss {claimed[name]:.2f}")

# %%
assert claimed["no mask"] < C["the course's GPT"] / 3 and honest["no mask"] > log2(V)  # a leak
assert honest["one head"] < honest["whole"] + 0.1 < honest["no positions"] < honest["no mask"] - 1
course.expect("03.no_mask", honest["no mask"], baseline=log2(V))

# %% [markdown]
# **No mask**: within seconds the training loss falls to less than a third of what the course's GPT reached in minutes.
# A miracle in the loss is a leak until the contrary is proved. Asked honestly, this network is the worst of all, worse
# than knowing nothing ($\log_2 63$ bits): it has learnt to copy the next letter from where it stands, and at the last
# place there is none. Let it write, where nothing stands ahead:

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
# **One head**: no harm at this size and in this time. We expected harm, and report none; others have found that many
# heads of trained models can be removed (Michel et al. 2019). Do not believe that a part is necessary because every
# model has it. Remove it and measure.

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
# ## What we measured

# %% tags=["nbval-ignore-output"]
course.summary()

# %% [markdown]
# The answer to the question: by looking it up. Attention is a dictionary that is soft enough to be trained and is
# written anew in each text. What it costs is the learning of how to look; what it buys is everything that lies further
# back than one can count: the length of the verse, the beginning of the word, and, if the data ask for it, a stranger's
# name.
#
# ## Limits
#
# - The plays are one author's, the letters are 63, and the time was short. That the counter loses in the end is known
#   for large models; where the lines cross depends on data, size and training, and we have shown one crossing.
# - The first letters of each window of the test have less context than the rest; for the counters it is six letters of
#   forty thousand.
# - The head that looks at line breaks was found in one trained model. Another training may give the task to two heads,
#   or to another layer.
# - One head was as good as four for small networks and a short training. This says nothing about large ones.
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
# - Haviv, A. et al. (2022). Transformer language models without positional encodings still learn positional
#   information. arXiv:2203.16634
# - Henry, A. et al. (2020). Query-key normalization for transformers. doi:10.18653/v1/2020.findings-emnlp.379
# - Jain, S. & Wallace, B. C. (2019). Attention is not explanation. arXiv:1902.10186
# - Kneser, R. & Ney, H. (1995). Improved backing-off for m-gram language modeling. doi:10.1109/ICASSP.1995.479394
# - Michel, P., Levy, O. & Neubig, G. (2019). Are sixteen heads really better than one? arXiv:1905.10650
# - Olsson, C. et al. (2022). In-context learning and induction heads. arXiv:2209.11895
# - Su, J. et al. (2021). RoFormer: enhanced transformer with rotary position embedding. arXiv:2104.09864
# - Vaswani, A. et al. (2017). Attention is all you need. arXiv:1706.03762
# - Xiong, R. et al. (2020). On layer normalization in the transformer architecture. arXiv:2002.04745
