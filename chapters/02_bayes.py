# %% [markdown]
# # 02 · Bayes' formula
#
# *read 79 min · do 245 min · run 81 s*
#
# **When a machine makes what you asked for, does it have to compute Bayes' formula?**
#
# Ask a language model for a line that *begins* with "O my", and it writes on. Ask it for a line that *ends* with
# "night", and it can only write line after line and hope. One of the two wishes needs a formula, and one does not.
#
# Introductions to generative AI like to print the formula, $p(x \mid y) = p(y \mid x)\,p(x)/p(y)$, and the one that
# this course follows and corrects (we shall call it *the article*) adds that it "is computed by self-attention". If
# that is so, a trained language model must make use of a prior, a likelihood and an evidence. We shall open a real one
# and look.
#
# This is no chapter against the formula. Four machines in it do nothing else. One writes verse from its last word to
# its first. One reads digits, though it has only learnt to *draw* them. One corrects a bad typist, and one pulls noise
# towards a wish. What these four have in common, and the language model does not have, is the answer to the question.
#
# ## What you need
#
# Chapter 01: counting, chains, bits. The softmax, $e^{a_i} / \sum_j e^{a_j}$; the derivative of a logarithm. A part
# marked ◇ is for a second reading.

# %%
import re
from collections import Counter
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

from aigc import course, data, show
from aigc.codecs.text import CharCodec
from aigc.models import ngram

course.start("02")
show.style()
rng = np.random.default_rng(course.seed())

# %% [markdown]
# ## What we will measure
#
# | machine | what it is given | what we measure | the baseline |
# |:--|:--|:--|:--|
# | a trained GPT | a prompt | how far its attention is from an honest posterior | what an honest one must show |
# | a chain of letters | the end of a line | its lines, beside those of a chain trained backwards | to wait |
# | naive Bayes | a picture, or half of one | bits of surprise at the true digit | $\log_2 10$: not to look at all |
# | a spelling corrector | a page with slips | share of wrong words | the page as typed; each half alone |
# | a guided sampler | noise and a wish | distance to the true posterior | true draws of the same number |
#
# All of them but the first are one picture. Somebody means $x$; a machine makes a result $y$ of it, and we know how.
# Then we stand at the other end: we see $y$, and ask what was meant.

# %%
show.diagram(
    {"what was meant": (0, 0), "machine": (1, 0, "model"), "result": (2, 0, "truth")}
    | {"belief": (0, 1), "formula": (1, 1, "model"), "how often it is meant": (2, 1, "baseline")},
    [("what was meant", "machine"), ("machine", "result", "forwards"), ("machine", "formula"), ("result", "formula")]
    + [("how often it is meant", "formula"), ("formula", "belief", "backwards")],
    alt="A machine leads from what was meant to a result; the formula takes the machine, the result and how often each "
    "thing is meant, and leads back to a belief about what was meant.",
)

# %% [markdown]
# ## 1 · An apprentice
#
# *How does one get from a page back to what its author meant?* An author writes *then* or *than*. Out of 100 times he
# means *then* 90 times. A printer's apprentice sets the type, and one time in ten he takes the wrong one of the two.
#
# *Predict 1.* The apprentice is right nine times in ten. The page says *than*. How probable is it that the author meant
# *than*? Fill in the last two columns, with a pencil; then run.
#
# | the author meant | times | the page says *then* | the page says *than* |
# |:--|--:|--:|--:|
# | then | 90 | ? | ? |
# | than | 10 | ? | ? |
#
# There are two ways to *generate* what the author meant. We can wait: let many authors write, let the apprentice set,
# and keep only those pages on which *than* stands. Or we can calculate. Let $x$ be what we want and $y$ what we have.
# The table holds the joint probability $p(x, y)$, which can be read by rows or by columns: $p(y \mid x)\,p(x) = p(x, y)
# = p(x \mid y)\,p(y)$. Divide by $p(y)$, where it is not zero, and this is the formula of Bayes (贝叶斯公式; after
# Bayes 1763):
#
# $$p(x \mid y) = \frac{p(y \mid x)\; p(x)}{p(y)}, \qquad p(y) = \sum_{x'} p(y \mid x')\; p(x') \tag{2.1}$$
#
# **posterior** (后验) = **likelihood** (似然) × **prior** (先验) / **evidence** (证据). This is `posterior`.


# %% tags=["mine"]
def posterior(prior: np.ndarray, likelihood: np.ndarray) -> np.ndarray:
    """p(x | y) for each x. prior: p(x), (X,). likelihood: p(y | x) of the y that was seen, (X,)."""
    joint = prior * likelihood
    return joint / joint.sum()


meant = rng.random(200_000) < 0.1  # True: than
page = meant ^ (rng.random(200_000) < 0.1)
waited = meant[page].mean()  # of those who set "than", who meant it?
formula = posterior(np.array([0.9, 0.1]), np.array([0.1, 0.9]))
assert np.allclose(formula, [1 / 2, 1 / 2]) and abs(waited - formula[1]) < 0.02
print(
    f"meant 'than': by waiting {waited:.2f}, by the formula {formula[1]:.2f}; pages thrown away: {1 - page.mean():.0%}"
)

# %% [markdown]
# *Answer 1.* One half. The rows are 81, 9 and 1, 9. Cover the column that did not happen: in the other one there are 18
# pages, and 9 of them were meant so. The reliable apprentice and the rare word cancel exactly.
#
# Both ways are right. Waiting throws most pages away, and had the page been a whole play, we should wait for ever: no
# second author writes the same play with the same slips. The formula waits for nobody. Keep in mind what it needed: how
# *often each meaning is meant*, and how *a meaning becomes a page*. The question went the other way.
#
# With hundreds of factors one works with logarithms. Let $\ell_x$ be the logarithm of the numerator:
#
# $$\log p(x \mid y) = \ell_x - \log \sum_{x'} e^{\ell_{x'}}, \qquad \ell_x = \log p(y \mid x) + \log p(x) \tag{2.2}$$
#
# which is `log_posterior`: a softmax of $\ell$.

# %%
from scipy.special import logsumexp


def log_posterior(log_prior: np.ndarray, log_likelihood: np.ndarray) -> np.ndarray:
    """(2.2). log_prior: (X,); log_likelihood: (..., X). Returns (..., X), nats."""
    joint = log_likelihood + log_prior
    return joint - logsumexp(joint, axis=-1, keepdims=True)


assert np.allclose(np.exp(log_posterior(np.log([0.9, 0.1]), np.log([0.1, 0.9]))), formula)

# %% [markdown]
# So (2.1) *turns a machine round*. Who has $p(y \mid x)$ and wants $p(x \mid y)$ needs it. Who has $p(x \mid y)$
# already has nothing to turn. Which of the two is a language model?
#
# ## 2 · A prompt needs no formula
#
# *What does a language model compute, when a prompt is given?* A text $x = x_1 \dots x_T$ shall follow a prompt $y$. By
# the definition of conditional probability, and no more,
#
# $$p(x \mid y) = \prod_{t=1}^{T} p(x_t \mid y, x_1 \dots x_{t-1}) \tag{2.3}$$
#
# Each factor is exactly what the network puts out: one softmax over the alphabet. The prompt only stands where the past
# stands anyway. Nothing is turned round, and no $p(y)$ occurs, the sum over all that could have led to $y$. We take the
# model of chapter 00 that writes verse, and let (2.3), which is `continuations`, run over *every* text of three
# letters.
#
# *Predict 2.* There are 250,047 such texts. How near to 1 is the sum of their probabilities? And if we destroy the
# network's attention?

# %%
import torch
from torch import Tensor, nn

from aigc import released
from aigc.models import gpt

model, vocab = released.load("shakespeare")
codec, V = CharCodec(vocab), len(vocab)


# %%
@torch.inference_mode()
def continuations(model: nn.Module, prompt: str, length: int) -> Tensor:
    """log p(x | prompt) of each text x of this length, (V ** length,), by (2.3); the last letter changes fastest."""
    texts, log_p = torch.tensor([codec.encode(prompt)]), torch.zeros(1, dtype=torch.float64)
    for _ in range(length):
        following = model(texts)[:, -1].double().log_softmax(-1)  # (B, V)
        log_p = (log_p[:, None] + following).flatten()
        texts = torch.cat([texts.repeat_interleave(V, 0), torch.arange(V).repeat(len(texts))[:, None]], 1)
    return log_p


def spell(i: int, length: int = 3) -> str:
    return codec.decode([i // V**n % V for n in reversed(range(length))])


log_p = continuations(model, "O my ", 3)
print(f"{len(log_p):,} texts; the five most probable:", [spell(i) for i in log_p.topk(5).indices.tolist()])
assert abs(log_p.exp().sum() - 1) < 1e-9

# %% [markdown]
# Now destroy it. In a layer of this network each position offers a list of numbers, its *value*, and takes a weighted
# mean of the values up to it. These weights are its *row*; they come from its *query* and the *keys* of the others
# (section 3), and a layer makes several such means side by side, in *heads*. In one copy of the network, *level*, each
# row of each layer shall look at all earlier positions alike, whatever is asked and whatever is there. For comparison,
# a second copy, *silent*, keeps its attention, and loses the other half of each layer, the little networks that work at
# every position by themselves.
#
# *Predict 3.* Which copy is worse on an unread play? And when both are trained again for forty steps?


# %%
class Level(nn.Module):
    """Attention with its queries and keys ignored: the mean of the values so far."""

    def __init__(self, attention: gpt.Attention):
        super().__init__()
        self.values, self.output = attention.query_key_value, attention.output

    def forward(self, x: Tensor, turn: tuple, memory: None) -> Tensor:
        v = self.values(x).chunk(3, -1)[2]
        mean = v.cumsum(1) / torch.arange(1, x.size(1) + 1)[:, None]
        return self.output(mean)


class Silent(nn.Module):
    """In place of a block's last step: adds nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros(*x.shape[:-1], model.config.width)


level, silent = (released.load("shakespeare")[0] for _ in range(2))
for block in level.blocks:
    block.attention = Level(block.attention)
for block in silent.blocks:
    block.down = Silent()

# %% [markdown]
# And a third copy as a control, *alone*: each position reads only its own value. It cannot know more than the letter
# that it stands on.


# %%
class Alone(Level):
    """Attention to nobody else."""

    def forward(self, x: Tensor, turn: tuple, memory: None) -> Tensor:
        return self.output(self.values(x).chunk(3, -1)[2])


alone = released.load("shakespeare")[0]
for block in alone.blocks:
    block.attention = Alone(block.attention)
networks = {"whole": released.load("shakespeare")[0], "level": level, "silent": silent, "alone": alone}

# %%
book = torch.tensor(codec.encode(data.shakespeare()[:1_000_000]))
unread = torch.tensor(codec.encode(data.shakespeare("test")[:16_400])).view(16, -1)[:, :129]


def again(network: nn.Module, steps: int = 40) -> nn.Module:
    """Train it on, in place: Adam, with a rate that rises, then falls to zero."""
    adam, draw = torch.optim.AdamW(network.parameters()), torch.Generator().manual_seed(course.seed())
    rate = torch.optim.lr_scheduler.OneCycleLR(adam, 2e-3, steps)
    for _ in range(steps):
        at = torch.randint(len(book) - 128, (8, 1), generator=draw)
        adam.zero_grad()
        gpt.loss(network, book[at + torch.arange(129)]).backward()
        adam.step()
        rate.step()
    return network.eval()


@torch.inference_mode()
def bits(network: nn.Module) -> float:
    return gpt.loss(network, unread).item() / np.log(2)


# %% tags=["nbval-ignore-output"]
pairs_alone = ngram.fit([book.numpy()], V, 1, alpha=0.1)  # chapter 01: the letter before, and nothing else
pair_bits = -np.mean([pairs_alone.log_prob(page.numpy()) for page in unread]) / np.log(2)
cut = {name: bits(network) for name, network in networks.items()}
for name, network in (("level", level), ("silent", silent)):
    log_p = continuations(network, "O my ", 3)
    print(f"{name}, the most probable:", [spell(i) for i in log_p.topk(5).indices.tolist()])
    print(f"{'':<6} the sum of all: {log_p.exp().sum():.9f}")
    assert abs(log_p.exp().sum() - 1) < 1e-9  # an identity
trained = {name: bits(again(network)) for name, network in networks.items()}

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots(figsize=(7, 2.4))
for shift, values, color, label in ((0.2, cut, show.SKY, "before"), (-0.2, trained, show.SUNSET, "after forty steps")):
    bars = ax.barh(np.arange(4) + shift, values.values(), 0.4, color=color, label=label)
    ax.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
ax.axvline(pair_bits, color=show.DUSK, ls="--", label="a table of pairs")
ax.set(yticks=range(4), yticklabels=networks, xlabel="bits a letter, of an unread play", xlim=(0, 7.5))
ax.legend(loc="upper right", fontsize=8)
show.figure(fig, alt="Cut: level and silent cost most. Trained again: level and alone stand at a table of pairs.")

# %%
assert min(cut["level"], cut["silent"]) > cut["whole"] + 2 and abs(cut["level"] - cut["silent"]) < 1
assert abs(cut["alone"] - pair_bits) < 0.2 and cut["alone"] < cut["level"] - 1
assert trained["level"] > trained["silent"] + 0.2 and abs(trained["whole"] - cut["whole"]) < 0.2
assert max(abs(trained[name] - pair_bits) for name in ("level", "alone")) < 0.2

# %% [markdown]
# *Answer 2.* One, to nine digits, in the whole network (a cell above asserts it) and in both copies. Each softmax sums
# to one over its own 63 letters, and a product of such sums is one, whatever stands before the softmax. It is an
# **identity**: a check that can only fail where the code is wrong, and that tells us nothing of attention. That is the
# point. To be coherent costs nothing, and no evidence is needed for it.
#
# *Answer 3.* Freshly cut, both lose about three bits (which of them loses more depends on the page), and so it would be
# wrong to conclude anything from one cut. (If we had destroyed the attention alone, we should have believed that
# everything is in it.) And it matters *how* one cuts: the copy that reads only its own letter loses half as much, and
# is at once where a table of *pairs* is. Trained again for forty steps, the level copy comes to where the pairs are,
# and stays near the one that sees nobody else: in forty steps, to look back at all positions alike has brought it less
# than two tenths of a bit (what more steps would bring, we did not measure). The silent copy gets further, though it is
# far from whole. (The same forty steps move the whole network, which needed none, by less than 0.2 bits; here they make
# it worse.) So what attention does here, and its cut takes away, is to weigh positions *unequally*; how much of this is
# a choice by what is there, and how much mere nearness, these copies do not tell. No $p(y)$ is needed for either.
#
# But be careful with the opposite slogan, "language models have nothing to do with Bayes". Suppose that texts have a
# hidden cause: somebody draws one of two coins, each as often as the other, which show heads with the chances 0.8 and
# 0.3, and tosses it six times. We only count, as in chapter 01, what followed what: (2.3), no formula. Beside it, a
# statistician who knows the two coins infers which one it is by (2.1) and predicts the next toss.

# %%
coins = np.array([0.8, 0.3])
tosses = (rng.random((400_000, 6)) < rng.choice(coins, 400_000)[:, None]).astype(int)
print(" past    counted  Bayes")
for past in ([], [1], [1, 1], [0, 1], [1, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0]):
    same = (tosses[:, : len(past)] == past).all(1)
    counted = tosses[same, len(past)].mean()  # p(x_t | x_1 .. x_t-1): look at what followed
    belief = posterior(np.array([0.5, 0.5]), np.prod(np.where(np.array(past)[:, None] == 1, coins, 1 - coins), 0))
    print(f" {''.join(map(str, past)):<7} {counted:.3f}    {belief @ coins:.3f}")
    assert abs(counted - belief @ coins) < 5 * 0.5 / np.sqrt(same.sum())

# %% [markdown]
# They agree but for chance, and they must: the statistician says *the* right $p(x_t \mid x_1 \dots x_{t-1})$ of this
# world, and the counter tends to it. The counter has never heard of coins, and yet it "becomes convinced" after a few
# heads. A good enough predictor behaves as if it inferred hidden causes, and for large models that is a fruitful way to
# look at them (Xie et al. 2022). But that is a theorem about the *whole* predictor and its training. It says what comes
# out, not how, and least of all in which row.
#
# ## 3 · A row of attention is a posterior of what?
#
# *Is there a world in which attention computes (2.1)?* Inside the network, each position has a **query** $q$, and all
# positions up to it have **keys** $k_j$, vectors with $d$ numbers each. A row of self-attention (自注意力; Vaswani et
# al. 2017) says how much the position takes from position $j$:
#
# $$w_j = \frac{e^{\,q \cdot k_j / \sqrt d}}{\sum_i e^{\,q \cdot k_i / \sqrt d}} \tag{2.4}$$
#
# This is `attend`. It is a softmax, and so is (2.2). Did the introductions mean that? Let us be as kind as we can, and
# play a game. Someone chooses a position $j$ with the chance $\pi_j$, and a query falls near its key: to each of the
# $d$ numbers of the key, Gaussian noise of variance $\sqrt d$ is added (that variance, because it makes the two
# formulas look alike). Which position was it? ($\propto$ means: equal, up to a factor that is the same for all $j$.)
#
# $$p(j \mid q) \propto \pi_j\, e^{-|q - k_j|^2 / 2\sqrt d}
# \;\propto\; \exp\!\Big(\frac{q \cdot k_j}{\sqrt d} + \log \pi_j - \frac{|k_j|^2}{2\sqrt d}\Big) \tag{2.5}$$
#
# This is `which`: we multiplied the square out, and $|q|^2$ cancels, because it is the same for all $j$.
#
# *Predict 4.* Two positions, equally probable, with the keys $(1, 0)$ and $(4, 3)$. A query falls *exactly* on the
# first key. Where does attention look? Who would you say it was?


# %%
def attend(q: Tensor, k: Tensor) -> Tensor:
    """(2.4). q: (T, d); k: (S, d). Returns (T, S); each row sums to one."""
    return (q @ k.mT * q.size(-1) ** -0.5).softmax(-1)


def which(q: Tensor, k: Tensor, log_prior: Tensor | float = 0.0) -> Tensor:
    """(2.5). As attend; log_prior: (S,), up to a constant."""
    return (log_prior - (q[:, None] - k).square().sum(-1) / (2 * q.size(-1) ** 0.5)).softmax(-1)


q, k = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [4.0, 3.0]])
row, truth = attend(q, k)[0], which(q, k)[0]
print("attention row:", row.numpy().round(2), " posterior:", truth.numpy().round(2))
assert row[1] > 0.85 and truth[0] > 0.99

# %% [markdown]
# *Answer 4.* The posterior is sure that it was the first: the query lies on it. Attention looks at the second: its key
# is five times as long, and a product grows with length. Neither is at fault. Attention was never meant to guess where
# a query came from.
#
# When do the two agree? Two softmaxes are equal exactly when their exponents differ by a constant. Compare (2.5), which
# is `which`, with (2.4):
#
# $$w_j = p(j \mid q) \text{ for all } j \quad\Longleftrightarrow\quad
# \pi_j \propto e^{\,|k_j|^2 / 2\sqrt d} \tag{2.6}$$
#
# With a prior that prefers no position this means, in this game: **exactly when all keys have the same length.**
# Otherwise the row is the posterior of somebody who believed *beforehand*, before any query came, that long keys are
# exponentially more probable. And even then it is a posterior over *positions in the prompt*, not over texts that might
# follow it.

# %%
q, k = (torch.randn(size, 5, dtype=torch.float64) for size in (3, 7))
needed = k.square().sum(-1) / (2 * 5**0.5)  # (2.6): the only log prior with which the two agree
assert torch.allclose(attend(q, k), which(q, k, needed)) and not torch.allclose(attend(q, k), which(q, k))
k = 3 * nn.functional.normalize(k, dim=-1)  # all of one length
assert torch.allclose(attend(q, k), which(q, k))

# %% [markdown]
# Now to our model, which has a surprise in store. Like several recent ones it normalises its queries and keys, so that
# no row becomes sharp by mere length: all have the length $\sqrt d$. (Henry et al. 2020 give them the length one and
# learn a factor in the place of $1/\sqrt d$.) By (2.6) its rows then *are* posteriors, of the Gaussian game. First we
# collect queries and keys, make sure that our `attend` is what the network does, and compare. *Can the second
# comparison fail?*

# %%
seen = []


def spy(module: gpt.Attention, given: tuple, result: Tensor) -> None:
    x, turn, _ = given
    q, k, v = module.query_key_value(x).unflatten(-1, (3, module.heads, -1)).permute(2, 0, 3, 1, 4)
    seen.append((gpt.rotate(gpt.norm(q), turn), gpt.rotate(gpt.norm(k), turn), v, module, result))


hooks = [block.attention.register_forward_hook(spy) for block in model.blocks]
with torch.inference_mode():
    model(unread[:1, :128])
for hook in hooks:
    hook.remove()

for q, k, v, module, result in seen:  # (1, heads, T, d)
    rows = torch.zeros(1, module.heads, 128, 128)
    for head in range(module.heads):
        for t in range(128):
            one, past = q[0, head, t : t + 1], k[0, head, : t + 1]
            rows[0, head, t, : t + 1] = attend(one, past)
            assert torch.allclose(attend(one, past), which(one, past), atol=1e-4)  # an identity: (2.6)
    mine = module.output((rows @ v).transpose(1, 2).flatten(2))
    assert torch.allclose(mine, result, atol=1e-4)  # (2.4) is what the library computes
print(f"{len(seen)} layers, {module.heads} heads, 128 rows each: attention = posterior of (2.5) with a flat prior")

# %% [markdown]
# It cannot, as long as the keys have one length: it is the algebra of (2.6) again, on 1,920 rows. So the rows have the
# *form* of posteriors. Are they beliefs about anything? That can be tested. Somebody draws a position $j$ with the
# chance $\pi_j$, and then a query, in whatever way. An honest player sees the query and states his posterior. Averaged
# over many games, his beliefs are the prior again ($\mathbb E_q$ is the mean over queries):
#
# $$\mathbb E_q \big[ p(j \mid q) \big] = \sum_q p(q)\, \frac{p(q \mid j)\, \pi_j}{p(q)} = \pi_j \tag{2.7}$$
#
# So with a flat prior over the $t$ positions up to a place, the last eight of them get $8/t$ of the belief on average:
# that is `honest`. We ask how much the rows of the network give to their last eight, `believed`, and as a control let a
# player who *does* play the Gaussian game with the keys of each head take the same test. In our network $d = 64$.

# %%
places = range(16, 128)
honest = np.array([8 / (t + 1) for t in places])
dice = torch.Generator().manual_seed(course.seed())
believed, passed = [], []
every_head = [(q[0, head], k[0, head]) for q, k, *_ in seen for head in range(3)]  # each (T, d)
for q, k in every_head:
    believed.append([attend(q[t : t + 1], k[: t + 1])[0, -8:].sum() for t in places])
    drawn = [k[int(torch.randint(t + 1, (1,), generator=dice))] for t in places]
    noisy = torch.stack(drawn) + 64**0.25 * torch.randn(len(drawn), 64, generator=dice)
    passed.append([which(noisy[i : i + 1], k[: t + 1])[0, -8:].sum() for i, t in enumerate(places)])
believed, passed = np.array(believed), np.array(passed)  # (heads, places)
off = (passed - honest).mean(1) / ((passed - honest).std(1) / len(places) ** 0.5)
print(f"players of the game: within {np.abs(off).max():.1f} standard errors of an honest belief")
assert np.abs(off).max() < 4 and believed.mean(1).min() > 2 * honest.mean()

# %%
fig, ax = plt.subplots(figsize=(7, 2.6))
at = np.arange(len(believed))
ax.bar(at - 0.2, passed.mean(1), 0.4, color=show.SKY, label="a player of the game")
ax.bar(at + 0.2, believed.mean(1), 0.4, color=show.SUNSET, label="the head")
ax.axhline(honest.mean(), color=show.DUSK, ls="--", label="honest")
ax.set(xlabel="head", ylabel="belief in the last eight", ylim=(0, 1.35), xticks=at)
ax.legend(ncols=3, loc="upper left")
show.figure(fig, alt="Fifteen heads: the players' bars end at the honest line, the bars of the heads are far higher.")

# %% [markdown]
# The players pass, all within chance, and not one head does: each gives what is near far more than a flat prior can. So
# its rows have the right form and the wrong average. A row of attention is a soft choice of what to read, and the
# article's sentence, read as it stands, does not hold:
#
# - no $p(y \mid x)$, $p(x)$ or $p(y)$ is needed for $p(x \mid y)$ to be coherent (section 2);
# - a row of attention equals (2.1) with a flat prior only under a condition, and then it speaks of positions, not of
#   texts;
# - no game with a flat prior, whatever its noise, plausibly produces the queries of this network, if we may take them
#   for independent draws. (With *another* prior, one that prefers what is near, one game is always left: take the
#   queries as they come, and draw the position from the row itself. Then any row of numbers is an honest posterior, and
#   that explains nothing, for no network could fail.)
#
# Read kindly, "the prompt acts on the answer through attention", it is true: attention is the only part of such a
# network that looks back.
#
# ### ◇ Is it the length?
#
# Only in this game, whose noise is the same in all directions. In general, let queries near position $j$ have the
# density $h(q)\, e^{\,q \cdot k_j / \sqrt d} / Z_j$, with any $h$ for which the **normaliser** $Z_j$, which makes the
# whole of it one, is finite. Then $\pi_j \propto Z_j$ takes the place of (2.6), and a flat prior asks for equal
# normalisers. The Gaussian game has $Z_j \propto e^{|k_j|^2 / 2\sqrt d}$, so equal lengths. In the game below a query
# is one of four points on a line, and the normalisers are equal for keys of three lengths, since only the first number
# of a key matters, and its sign does not.

# %%
points, ends = torch.tensor([[-2.0, 0], [-1, 0], [1, 0], [2, 0]]), torch.tensor([[1.0, 0], [1, 5], [-1, 2]])
for third in (-1.0, -2.0):  # the first number of the third key
    ends[2, 0] = third
    game = (points @ ends.T / 2**0.5).exp()
    Z = game.sum(0)  # the normalisers
    same = torch.allclose(attend(points, ends), game / Z / (game / Z).sum(1, keepdim=True))
    print("normalisers:", Z.numpy().round(2), " the row is the posterior:", same)
    assert same == torch.allclose(Z, Z[0])

# %% [markdown]
# So a flat prior asks for equal normalisers. In the Gaussian game they come with equal lengths; in this one they do
# not.
#
# ## 4 · Your own rhymes, from the last word to the first
#
# *How do you ask for an ending?* **End this line with *night*.** For a model that writes from left to right this wish
# stands at the wrong end. A chain of order $k$ knows $p(s \mid c)$, which letter $s$ follows a context $c$ of $k$
# letters. We want the letter $c_0$ that *precedes* $k$ others, $s_1 \dots s_k$. That is turning a model round:
#
# $$p(c_0 \mid s_1 \dots s_k) \;\propto\;
# \underbrace{p(s_k \mid c_0\, s_1 \dots s_{k-1})}_{\text{the chain, forwards}} \;
# \underbrace{p(c_0\, s_1 \dots s_{k-1})}_{\text{how often that context comes}} \tag{2.8}$$
#
# This is `before`. The chains stay as they are. There is one for each order up to five, for an ending of your own may
# have letters that never stood together: then `before` looks at fewer.

# %% tags=["mine"]
play = data.shakespeare()
codec = CharCodec.train(play)
V, text = len(codec.vocab), np.array(codec.encode(play))
chains = [ngram.fit([text], V, order) for order in range(6)]


def before(future: list[int]) -> np.ndarray:
    """What letter stood before these? (V,), by (2.8), in as high an order as has seen it."""
    for k in range(min(5, len(future)), 0, -1):
        after = [chains[k].counts_after([c, *future[: k - 1]]) for c in range(V)]
        prior = np.array([n.sum() for n in after], float)  # of each context, up to a constant
        likelihood = np.array([n[future[k - 1]] / max(1, n.sum()) for n in after])  # the chain, forwards
        if (prior * likelihood).any():
            return posterior(prior, likelihood)
    raise ValueError(f"no play has the letter {codec.decode(future[:1])!r}: take another ending")


# %%
backwards = ngram.fit([text[::-1]], V, 5)  # trained on the plays, read from right to left
for i in range(1, len(text) - 5, len(text) // 300):
    future = text[i : i + 5].tolist()
    assert np.allclose(before(future), backwards.probabilities(future[::-1]))

# %% [markdown]
# An identity again, and worth its cell: at 300 places of the plays, a chain that was *trained* backwards gives the same
# rows. Bayes' formula gave them to us without training. Now the lines. `MINE` is for endings of your own, two or more,
# with their commas and stops; the lines rhyme if yours do. Their length is a second wish, and for that one we wait: of
# twenty lines for each end the one is kept whose length is nearest to forty letters.
#
# *Predict 5.* The chain may also write forwards, and we wait for a line that ends with "night,". How many of a hundred
# lines?

# %% tags=["mine"]
MINE = None  # or ["moon,", "cheese.", "soon,", "please!"]: how your lines shall end


# %% tags=["mine", "showpiece"]
def line_ending(end: str, dice: np.random.Generator) -> str:
    """A line of verse, written from its end to its beginning."""
    ids = codec.encode(end + "\n")
    while ids[0] != codec.encode("\n")[0] and len(ids) < 80:  # until the line before it ends
        ids.insert(0, int(dice.choice(V, p=before(ids[:5]))))
    return codec.decode(ids).strip("\n")


ends = ["night,", "heart,", "light,", "part."] if MINE is None else [end.strip() for end in MINE]
dice = np.random.default_rng(course.seed())
twenty = [[line_ending(end, dice) for _ in range(20)] for end in ends]
lines = [min(drawn, key=lambda line: abs(len(line) - 40)) for drawn in twenty]
print("\n".join(lines))
assert all(line.endswith(end) for line, end in zip(lines, ends, strict=True))

# %% [markdown]
# *Odd:* each six letters have stood together in a play, up to an end that was set before anything else; and yet no line
# says anything. It was written by somebody who walks backwards and sees five letters.

# %%
waiting = codec.decode(chains[5].sample(60_000, rng, codec.encode("\n\nROMEO:\n"))).split("\n")
hits = sum(line.endswith("night,") for line in waiting)
print(f"forwards: of {len(waiting):,} lines that the chain wrote by itself, {hits} end with 'night,'")
assert hits < len(waiting) / 100

# %% [markdown]
# Do both ways draw from the same distribution? For a line that ends so, $p(\text{line} \mid \text{end})$ is
# $p(\text{line}) / p(\text{end})$ forwards, and backwards a product of `before`. The two are one identity of counts;
# five lines check the code.

# %%
often = lambda ids: chains[5].counts_after(ids).sum()
for _ in range(5):  # p(line | its end) is p(line) / p(end)
    ids = codec.encode("\n" + line_ending("night,", rng))  # up to the comma, of which (2.8) sees "night"
    ids = ids[:-1]
    forwards = np.log(often(ids[:5])) + chains[5].log_prob(ids).sum() - np.log(often(ids[-5:]))
    back = sum(np.log(before(ids[i + 1 : i + 6])[ids[i]]) for i in range(len(ids) - 5))
    assert np.isclose(forwards, back)

# %% [markdown]
# *Answer 5.* Hardly any: of a hundred none, most of the time. Both ways draw from the *same* distribution, the lines of
# the chain that end so, and one of the two wastes nearly all that it makes.
#
# For chains the sum behind (2.8) has 63 terms. For a GPT, whose context is everything, the same wish needs a sum over
# all texts. Nobody can pay for that; one trains the model for the wish. Bavarian et al. (2022) cut a document in three
# and move the middle piece to its end; then what stands before *and* what stands behind the gap is a prompt like any
# other.

# %% [markdown]
# ## 5 · Digits, read by a machine that can only draw
#
# *What can be read by one who has only learnt to draw?* Careful, the letters change sides in this section only: $x$ is
# now the picture, which we *have*, and $y$ the digit, which we *want*, as everybody writes it for a reader. Chapter 01
# had a *ghost*: for each digit $y$ and each pixel $i$ it knows how often there is ink, $\theta_{y,i}$, and draws every
# pixel alone. Given the digit, the chance of a picture $x$ of black and white pixels is a product,
#
# $$p(x \mid y) = \prod_i \theta_{y,i}^{\,x_i}\, (1 - \theta_{y,i})^{1 - x_i} \tag{2.9}$$
#
# This is `log_likelihood`. It draws. Turned round by (2.2) it *reads*, and then it is called **naive Bayes**
# (朴素贝叶斯); naive, for it thinks that pixels, once the digit is known, have nothing to do with one another. It was
# never trained to tell digits apart.
#
# *Predict 6.* How many of ten digits does it read rightly?


# %%
def black_and_white(split: str) -> tuple[np.ndarray, np.ndarray]:
    images, digit = data.digits(split)
    return (images > 127).reshape(len(images), -1).astype(float), digit


def log_likelihood(theta: np.ndarray, images: np.ndarray, visible: np.ndarray | float = 1.0) -> np.ndarray:
    """(2.9), nats. theta: (Y, 784); images: (N, 784); visible: (784,) of 1 and 0. Returns (N, Y)."""
    return (visible * images) @ np.log(theta).T + (visible * (1 - images)) @ np.log(1 - theta).T


ink, digit = black_and_white("train")
theta = np.array([(ink[digit == y].sum(0) + 0.5) / ((digit == y).sum() + 1) for y in range(10)])
flat = np.log(np.full(10, 0.1))
images, answer = black_and_white("test")
belief = log_posterior(flat, log_likelihood(theta, images))
right = np.mean(belief.argmax(1) == answer)
print(f"read rightly: {right:.0%}")
drawn = rng.random((30, 784)) < theta[np.arange(30) % 10]
alt = "Three rows of the digits 0 to 9 as a cloud of dots: the places are right, the strokes are missing."
show.images((255 * (1 - drawn.reshape(-1, 28, 28))).astype(np.uint8), columns=10, alt=alt)
assert right > 0.7

# %% [markdown]
# *Answer 6.* About eight. It draws with dust, and yet it reads most digits. Turned round, a poor painter makes a
# passable reader: to tell digits apart one need not draw any of them well.
#
# But a posterior is more than its favourite. It says *how sure* it is, and that can be measured, in bits of surprise at
# the true digit. Whoever does not look at the picture at all pays $\log_2 10$ bits.
#
# *Predict 7.* What does naive Bayes pay?


# %%
def surprise(log_belief: np.ndarray, digit: np.ndarray) -> float:
    return -log_belief[np.arange(len(digit)), digit].mean() / np.log(2)


each = -belief[np.arange(len(answer)), answer] / np.log(2)
print(f"on average it is {np.exp(belief.max(1)).mean():.0%} sure of its favourite, and right in {right:.0%}")
worse = np.mean(each > np.log2(10))
print(f"bits of surprise at the true digit, of {len(each)}: {each.mean():.2f} ± {each.std() / len(each) ** 0.5:.2f}")
print(f"in the middle {np.median(each):.2f}; without looking {np.log2(10):.2f}, and more than that for {worse:.0%}")
assert surprise(belief, answer) > np.log2(10)
course.expect("02.digit_bits", surprise(belief, answer), baseline=np.log2(10))

# %% [markdown]
# *Answer 7.* More than somebody who does not look at all, in the mean: half of the digits cost it nothing, and one in
# six costs more than not looking, some of them very much. The formula is a theorem; what went in was not true. Pixels
# side by side belong to one stroke and tell the same story, and naive Bayes takes them for independent witnesses, so
# that what they say is counted many times over. Its favourite is often right all the same, since a ranking survives
# what a probability does not (Domingos & Pazzani 1997). The repair is one number. Let $n$ pixels be worth only one
# witness:
#
# $$p_\beta(y \mid x) \;\propto\; p(y)\; p(x \mid y)^{\beta}, \qquad \beta = 1/n \tag{2.10}$$
#
# We choose `beta` on the validation digits. It is a fitted number and pays for all faults of the model; read $1/\beta$
# as a picture, not as a count. *How many pixels are worth one?*

# %%
other, other_digit = black_and_white("validation")
betas = [1.0, 0.5, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02]
costs = [surprise(log_posterior(flat, b * log_likelihood(theta, other)), other_digit) for b in betas]
beta = betas[int(np.argmin(costs))]
humble = log_posterior(flat, beta * log_likelihood(theta, images))
print(f"beta = {beta}: about {1 / beta:.0f} pixels are worth one; surprise {surprise(humble, answer):.2f} bits,")
print(
    f"{np.exp(humble.max(1)).mean():.0%} sure of its favourite, and right in {np.mean(humble.argmax(1) == answer):.0%}"
)
assert (humble.argmax(1) == belief.argmax(1)).all() and surprise(humble, answer) < np.log2(10) / 2
assert abs(np.exp(humble.max(1)).mean() - right) < 0.1 < np.exp(belief.max(1)).mean() - right
course.expect("02.digit_bits_humble", surprise(humble, answer), baseline=np.log2(10))

# %% [markdown]
# The same favourites and the same errors (with a flat prior, a power changes no order), but its sureness is now near
# its rightness, and a little too modest. This is the second thing to remember about (2.1), after *it turns a model
# round*: **a posterior is as true as its likelihood.**
#
# ### ◇ Half a picture, and another town
#
# Why build a reader of a painter at all? A network trained to read may well do better. But whoever knows how $x$ comes
# about can leave out what he does not see. Cover the lower half of a picture, and (2.9) loses the covered factors,
# nothing else. Then draw a digit from the posterior, and let the ghost complete it: half a picture was the prompt. How
# surprised is it by the true digit, when it sees the upper half only?

# %%
visible = (np.arange(784) < 14 * 28).astype(float)
upper = log_likelihood(theta, images, visible)
halves = {
    "does not look": surprise(np.tile(flat, (len(answer), 1)), answer),
    "trusts all witnesses": surprise(log_posterior(flat, upper), answer),
    "beta": surprise(log_posterior(flat, beta * upper), answer),
}
for name, value in halves.items():
    print(f"{name:<22}{value:.2f} bits at the true digit")
of_half = log_posterior(flat, beta * upper)
sure, good = np.exp(of_half.max(1)).mean(), np.mean(of_half.argmax(1) == answer)
print(f"with beta it is {sure:.0%} sure of its favourite, and right in {good:.0%}")
assert sure < good - 0.1  # too modest: beta was chosen on whole pictures
assert halves["beta"] < halves["does not look"] < halves["trusts all witnesses"]

# %%
chosen = np.array([np.flatnonzero(answer == y)[0] for y in range(10)])
p = np.exp(log_posterior(flat, beta * upper[chosen]))  # (10, Y)
rows = [images[chosen], np.where(visible, images[chosen], 0.5)]
for _ in range(3):
    guess = [rng.choice(10, p=row) for row in p]
    rows.append(np.where(visible, images[chosen], rng.random((10, 784)) < theta[guess]))
    print("guessed:", *guess)
alt = "Ten digits; their upper halves; and three rows of completions by dust, about half of them of another digit."
show.images((255 * (1 - np.concatenate(rows).reshape(-1, 28, 28))).astype(np.uint8), columns=10, alt=alt)

# %% [markdown]
# From the top: the digit, what the machine saw, and three draws. The upper half leaves doubt, so the draws differ, and
# many of them are of another digit: a posterior is a distribution, not an answer. They differ more often than they
# should, for $\beta$ was chosen on *whole* pictures and is too modest here.
#
# The prior is a separate part, and can be exchanged without training. (A trained reader can be told of another prior,
# too: divide by the one that it was trained with, and multiply.) At a post office, 64 of 100 digits on the envelopes
# are a 9. It needs the same $\theta$ and another $p(y)$.

# %%
post = np.full(10, 0.04)
post[9] = 0.64
errors = {}
for name, log_prior in (("flat", flat), ("of the post office", np.log(post))):
    named = log_posterior(log_prior, beta * upper).argmax(1)
    errors[name] = post @ [np.mean(named[answer == y] != y) for y in range(10)]  # each digit as often as there
    print(f"upper halves, prior {name}: {errors[name]:.0%} of the digits are read wrongly")
print(f"who always says 9, without looking: {1 - post[9]:.0%}")
assert errors["of the post office"] < min(errors["flat"], 1 - post[9]) - 0.05

# %% [markdown]
# Another prior, fewer errors, and nothing was trained again, since the two factors of (2.1) were kept apart. A page of
# slips will need that, too.

# %% [markdown]
# ## 6 · The noisy channel
#
# *Who mended the page: the one who knows fingers, or the one who knows English?* Shannon's theory of communication
# begins with a message, a channel that spoils it, and a receiver who wants the message back (Shannon 1948). A bad
# typist is such a channel (Kernighan et al. 1990, on a newswire). Let $w_1 \dots w_n$ be the words that were meant,
# $s_1 \dots s_n$ what stands on the page:
#
# $$\hat w = \arg\max_{w}\; \prod_i \underbrace{p(s_i \mid w_i)}_{\text{the channel}}\;
# \underbrace{p(w_i \mid w_{i-1})}_{\text{the language}} \tag{2.11}$$
#
# Here $\arg\max_w$ is the $w$ for which the product is largest, and $w_0$ is a full stop, which begins every sentence.
# The evidence $p(s)$ is the same for all $w$ and may be left out when we only want the best. This is `restore`. First
# the language: words of 34 plays, counted, and the two test plays for the end.


# %%
def sentences(split: str) -> list[list[str]]:
    spoken = re.sub(r"^[^a-z\n]+:$", "", data.shakespeare(split), flags=re.MULTILINE).lower()
    parts = [re.findall(r"[a-z][a-z']*", part) for part in re.split(r"[.?!;:]|--|\n\n", spoken)]
    return [part for part in parts if part]


read, practice, unread = sentences("train"), sentences("validation"), sentences("test")[::3]  # every third sentence
single = Counter(word for part in read for word in part)
double = Counter(pair for part in read for pair in pairwise([".", *part]))
followed, kinds = Counter(), Counter()  # how often a word is followed, and by how many different words
for (first, _), n in double.items():
    followed[first] += n
    kinds[first] += 1
total = sum(single.values())
new = np.mean([word not in single for part in practice for word in part])  # of 100 words of a play, how many are new?
print(f"{len(single):,} different words in {total:,}; new to the machine in another play: {new:.1%}")

# %% [markdown]
# New words are a trap. A corrector that believes only in its dictionary "corrects" every name. So each word gets its
# share of the counts, and a new word gets a small share of what letters in rare words look like, by a chain of order 3.
# The pairs ask the single words where they have seen little, as in exercise 01.4, and the more different words have
# followed, the more they ask (Witten & Bell 1991): after a word that was followed ten times, by four different words,
# the single words have five parts of fifteen to say.

# %%
letters = "abcdefghijklmnopqrstuvwxyz'"
marked = lambda word: [0, 0, 0, *(letters.index(c) + 1 for c in word), 0]
rare = ngram.fit([marked(word) for word, n in single.items() if n == 1], 28, 3, alpha=0.1)
memory = {}


def alone(word: str) -> float:
    """p(w), for any string of letters."""
    if word not in memory:
        spelt = np.exp(rare.log_prob(marked(word)).sum())
        memory[word] = (1 - new) * single[word] / total + new * spelt
    return memory[word]


def after(word: str, first: str) -> float:
    """p(w | the word before); "." begins a sentence."""
    more = kinds[first] + 1  # one more than Witten & Bell: a word that was never followed asks `alone`
    return (double[first, word] + more * alone(word)) / (followed[first] + more)


# %% [markdown]
# Now the typist. In one word of ten her fingers slip: they touch a neighbouring key, miss a key, strike twice, or swap
# two letters. (The program of Kernighan et al. knew four kinds as well: a letter too many, too few, another, or two
# swapped. Ours are narrower: her letter too many is always a double, and her wrong letter lies beside the right one.)
# The channel will be told these kinds, and that there is at most one slip a word; how often each comes, and which key
# is struck for which, it has to count. (She can do worse than a reader expects: *hand* typed without its *h* is a word
# too.)

# %%
keys = {c: (x + 0.4 * y, y) for y, row in enumerate(["qwertyuiop", "asdfghjkl'", "zxcvbnm"]) for x, c in enumerate(row)}
near = {a: [b for b in letters if a != b and np.hypot(*np.subtract(keys[a], keys[b])) < 1.25] for a in letters}


def typist(word: str) -> str:
    if len(word) < 2 or rng.random() > 0.1:
        return word
    i, slip = rng.integers(len(word)), rng.choice(4, p=[0.5, 0.2, 0.15, 0.15])
    if slip == 0:
        return word[:i] + rng.choice(near[word[i]]) + word[i + 1 :]
    if slip == 1:
        return word[:i] + word[i + 1 :]
    if slip == 2:
        return word[:i] + word[i] + word[i:]
    i = rng.integers(len(word) - 1)
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]


page = [[typist(word) for word in part] for part in unread]
pairs = [(word, typist(word)) for part in practice for word in part]  # two plays, with what was meant
print(" ".join(next(part for part in page if len(part) > 12)))

# %% [markdown]
# From the pairs we count the channel. One slip may have several causes (*al* for *all* lost its second or its third
# letter), so `causes` lists for a typed word all the words, real or not, that one slip turns into it, and how.


# %%
def causes(s: str):
    """Of a typed word: (the word meant, the kind of slip, the key meant, the key struck)."""
    for i in range(len(s) + 1):
        for c in letters:
            yield s[:i] + c + s[i:], "miss", c, ""
            if i < len(s) and c != s[i]:
                yield s[:i] + c + s[i + 1 :], "touch", c, s[i]
        if i + 1 < len(s):
            if s[i] == s[i + 1]:
                yield s[:i] + s[i + 1 :], "twice", s[i], s[i]
            else:
                yield s[:i] + s[i + 1] + s[i] + s[i + 2 :], "swap", "", ""


slips, touched, meant_key = Counter(), Counter(), Counter()
for word, s in pairs:
    how = [cause[1:] for cause in causes(s) if cause[0] == word][:1] if word != s else [("none", "", "")]
    for kind, a, b in how:
        slips[kind] += 1
        if kind == "touch":
            touched[a, b] += 1
            meant_key[a] += 1
print({kind: f"{n / len(pairs):.1%}" for kind, n in slips.most_common()})

# %%
found = {}


def candidates(s: str) -> dict[str, float]:
    """p(s | w) of each w that may have been meant: s itself, and the known words one slip away."""
    if s not in found:
        chances = Counter({s: slips["none"] / len(pairs)})
        for word, kind, a, b in causes(s):
            if word in single:
                places = len(word) - (kind == "swap")  # where the slip may have happened
                key = (touched[a, b] + 0.1) / (meant_key[a] + 0.1 * 26) if kind == "touch" else 1
                chances[word] += slips[kind] / len(pairs) / places * key
        found[s] = dict(chances)
    return found[s]


def restore(typed: list[str], score) -> list[str]:
    """The best words, (2.11), by dynamic programming. score(word, the word before, s): to be added up."""
    paths = {".": (0.0, [])}  # for each last word, the best way to it
    for s in typed:
        paths = {
            w: max((sum_ + score(w, v, s), [*words, w]) for v, (sum_, words) in paths.items()) for w in candidates(s)
        }
    return max(paths.values())[1]


# %% [markdown]
# One word, before the machine does thousands: *thaf*, after the word *fire*. If *that* was meant, a key was touched
# instead of another, which happens in about one word of twenty; the word has four places; and of the slips on *t* about
# one in four strikes *f*. So the channel gives about $1/20 \cdot 1/4 \cdot 1/4 \approx 0.003$. How probable is it that
# the fingers make *thaf* of each candidate, and how probable is the candidate after *fire*? The product decides.

# %%
for word in sorted(candidates("thaf"), key=lambda w: -candidates("thaf")[w] * after(w, "fire"))[:5]:
    fingers, english = candidates("thaf")[word], after(word, "fire")
    print(f"{word:<8} the channel {fingers:.5f}   the language {english:.7f}   the product {fingers * english:.1e}")
assert max(candidates("thaf"), key=lambda w: candidates("thaf")[w] * after(w, "fire")) == "that"

# %% [markdown]
# Five machines. The *channel alone* thinks all the words of its dictionary equally probable, as a simple spelling
# checker does. The *language alone* chooses among the same candidates, by what people write, and does not ask how rare
# slips are. *Both* multiply, word by word or with the word before. And there is a machine without Bayes: it looks up in
# the pairs what this typed word mostly meant, $p(w \mid s)$, counted directly.
#
# *Predict 8.* Put the five in order, from the fewest wrong words to the most. Can one of them do harm?

# %%
log = lambda p: np.log(p) if p > 0 else -1e9
scores = {
    "channel alone": lambda w, v, s: log(candidates(s)[w] * (w in single)),
    "language alone": lambda w, v, s: log(after(w, v)),
    "both, word by word": lambda w, v, s: log(candidates(s)[w] * alone(w)),
    "both": lambda w, v, s: log(candidates(s)[w] * after(w, v)),
}
direct = {
    s: word for (word, s), _ in sorted(Counter(pairs).items(), key=lambda item: item[1])
}  # the most frequent last
restored = {"as typed": page, "looked up": [[direct.get(s, s) for s in part] for part in page]}
restored |= {name: [restore(part, score) for part in page] for name, score in scores.items()}
flatten = lambda parts: np.array([word for part in parts for word in part])
truth, typed = flatten(unread), flatten(page)
wrong = {}
for name, parts in restored.items():
    bad, slipped = flatten(parts) != truth, typed != truth
    wrong[name] = bad.mean()
    mended, spoilt = 1 - bad[slipped].mean(), bad[~slipped].mean()
    print(f"{name:<20}wrong {bad.mean():6.1%}   slips mended {mended:4.0%}   good words spoilt {spoilt:5.1%}")

# %%
from itertools import product

few = "to be or".split()
value = lambda words: sum(scores["both"](w, v, s) for v, w, s in zip([".", *words], words, few))
assert restore(few, scores["both"]) == list(max(product(*map(candidates, few)), key=value))  # (2.11), all paths
order = ["both", "both, word by word", "channel alone", "looked up", "as typed", "language alone"]
assert order == sorted(order, key=wrong.get) and wrong["both"] < wrong["channel alone"] / 1.5
known = set(pairs)
assert np.mean([pair in known for pair in zip(truth[slipped], typed[slipped])]) < 0.5  # most slips are new
course.expect("02.spell_both", wrong["both"], baseline=wrong["channel alone"])
for i in [i for i in range(len(page)) if page[i] != unread[i] and len(page[i]) > 7][:5]:
    print("\ntyped:   ", " ".join(page[i]), "\nrestored:", " ".join(restored["both"][i]))

# %% [markdown]
# *Answer 8.* Both with the word before, both word by word, the channel alone, the look-up; and last the language model
# alone, which does *harm*: it mends most slips, and finds a more usual neighbour for many a good word, so that more is
# wrong than before. The channel alone helps. Together they leave far fewer errors than either. The language knows what
# is worth saying, the channel knows what is worth suspecting.
#
# There is a price, and it has a face. *Henry V* opens with a cry for a muse:

# %%
muse = restore("o for a muse of fire".split(), scores["both"])
print(" ".join(muse))
channel = candidates("muse")["muse"] / candidates("muse")["mouse"]
language = after("mouse", "a") / after("muse", "a") * after("of", "mouse") / after("of", "muse")
print(f"the channel: {channel:.0f} to 1 for the muse; 'a ... of': {language:.0f} to 1 for the mouse")
assert muse[3] == "mouse" and language > channel

# %% [markdown]
# And the machine that looks up $p(w \mid s)$ directly saw the same pairs as the channel and mends least of all: most
# slips are new, and a slip that was never seen cannot be looked up. The channel has seen its *keys*. The comparison is
# not quite fair, for the channel was told the four kinds of slip, and that they may fall anywhere; a direct machine
# that looks at keys would do better than this one, and so would one with more pairs. (Who has counted a channel can
# make pairs without end, by spoiling clean text with it, and train a reader on them. Then Bayes' formula has gone into
# the training.) Still, this is the practical reason to turn a model round, where pairs are as few as here. The channel
# is simple and needs few. The language is hard, but for it there is plenty of text that *nobody ever mistyped*. Each
# half is learnt where it is cheap, and (2.1) puts them together.

# %% [markdown]
# ## 7 · A wish, pulled through noise
#
# *Can a wish be added to a machine that draws everything?* Many generators of images turn noise into pictures, a little
# at a time (chapter 05). Let $t$ say how much noise there is, from 0, the picture, to 1, noise alone; $p_t(x)$ is the
# density of pictures with that much noise in them, and $\nabla_x$ the derivative by $x$, one number for each pixel.
# Where does a wish $y$ enter? Take the logarithm of (2.1) and differentiate by $x$. The evidence does not depend on
# $x$; its derivative is zero:
#
# $$\nabla_x \log p_t(x \mid y) = \underbrace{\nabla_x \log p_t(x)}_{\text{the generator's score}}
# + \underbrace{\nabla_x \log p_t(y \mid x)}_{\text{a classifier's pull}} \tag{2.12}$$
#
# The hard part of Bayes' formula has vanished. This holds for every noise level $t$, if *both* are taken at that level,
# and it is the idea of **classifier guidance** (Song et al. 2021; Dhariwal & Nichol 2021). In one dimension we can know
# all of it exactly. The world has three bumps; the wish is *outer*, one of the two at the sides. The two halves of
# (2.12) are `score` and, from a classifier that knows noise of every level, `pull`: the slope of
# $\log\,(\text{outer bumps} / \text{all bumps})$. The last lines compare it with automatic differentiation, and both
# halves with (2.12).

# %%
exact = lambda *numbers: torch.tensor(numbers, dtype=torch.float64)
share, centre, width = exact(0.35, 0.5, 0.15), exact(-1.8, 0.2, 2.2), exact(0.5, 0.7, 0.5)
outer, every = [0, 2], [0, 1, 2]
torch.set_num_threads(1)  # the arrays are so small that a second core would only wait for the first


def bumps(x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """log of each bump at noise level t, up to a constant, and its derivative by x. x: (B,). Returns (3, B) twice."""
    variance, away = ((1 - t) * width[:, None]) ** 2 + t**2, x - (1 - t) * centre[:, None]
    return share[:, None].log() - variance.log() / 2 - away**2 / (2 * variance), -away / variance


def score(x: Tensor, t: Tensor, of: list[int]) -> Tensor:
    """The derivative by x of log p_t, in a world of these bumps alone. (B,)"""
    height, rise = bumps(x, t)
    return (height[of].softmax(0) * rise[of]).sum(0)


# %%
def classifier(x: Tensor, t: Tensor) -> Tensor:
    """log p_t(outer | x): what a classifier says that was trained on noise of this level. (B,)"""
    height, _ = bumps(x, t)
    return height[outer].logsumexp(0) - height.logsumexp(0)


def pull(x: Tensor, t: Tensor) -> Tensor:
    """The derivative by x of `classifier`. (B,)"""
    height, rise = bumps(x, t)
    weight = -height.softmax(0)
    weight[outer] += height[outer].softmax(0)
    return (weight * rise).sum(0)


x = torch.linspace(-4, 4, 41, dtype=torch.float64, requires_grad=True)
for t in exact(0.05, 0.5, 0.95):
    assert torch.allclose(torch.autograd.grad(classifier(x, t).sum(), x)[0], pull(x, t))
    assert torch.allclose(score(x, t, every) + pull(x, t), score(x, t, outer))  # (2.12)

# %% [markdown]
# What is the truth? The posterior $p(x_0 \mid \text{outer})$ is known: the two outer bumps, 7 : 3. To say how far a
# sample is from it, sort the sample and compare it with the quantiles of the truth, one by one; the mean difference is
# the **Wasserstein distance**, in units of $x$. True draws of the same number have a distance too, by chance: that is
# the baseline.

# %%
N = 10_000
grid = torch.linspace(-6, 6, 24_001, dtype=torch.float64)
zero = exact(0.0)[0]


def quantiles(density: Tensor) -> Tensor:
    total = density.cumsum(0) / density.sum()
    return grid[torch.searchsorted(total, (torch.arange(N, dtype=torch.float64) + 0.5) / N)]


def distance(x: Tensor, target: Tensor) -> float:
    return (x.sort()[0] - target).abs().mean().item()


everything, wish = bumps(grid, zero)[0].exp().sum(0), classifier(grid, zero).exp()
target = quantiles(everything * wish)  # (2.1): prior times likelihood
sharp = quantiles(everything * wish**2)  # the same with the likelihood squared
generator = torch.Generator().manual_seed(course.seed())


# %%
def draw() -> Tensor:
    """N true draws from the posterior."""
    bump = torch.multinomial(share * exact(1, 0, 1), N, True, generator=generator)
    return centre[bump] + width[bump] * torch.randn(N, dtype=torch.float64, generator=generator)


chance = float(np.mean([distance(draw(), target) for _ in range(20)]))
without = distance(quantiles(everything), target)
print(f"distance to the posterior: true draws {chance:.3f}; the world without the wish {without:.2f}")

# %% [markdown]
# The path from data to noise is a straight line, $x_t = (1-t)\,x_0 + t\,\varepsilon$, as in the library (Lipman et al.
# 2023); $x_0$ is the picture, $\varepsilon$ Gaussian noise. A generator follows the velocity $v = \mathbb
# E[\varepsilon - x_0 \mid x_t]$, the mean direction of the lines through $x_t$, from $t = 1$ to $0$; here $\mathbb
# E[\,\cdot \mid x_t]$ is the mean over all pairs of picture and noise that meet in $x_t$. Score and velocity say the
# same, in three lines. (Take the first one on trust, or from chapter 05: it holds for a single $x_0$, where the score
# is the slope of a Gaussian of width $t$, and so for their average, too. The third follows from the first two.)
#
# $$\begin{aligned} \nabla_x \log p_t &= -\,\mathbb E[\varepsilon \mid x_t] / t \\
# x_t &= (1-t)\,\mathbb E[x_0 \mid x_t] + t\,\mathbb E[\varepsilon \mid x_t] \\
# v &= \mathbb E[\varepsilon \mid x_t] - \mathbb E[x_0 \mid x_t] = -\,(x_t + t\,\nabla_x \log p_t) / (1-t)
# \end{aligned}$$
#
# Put in (2.12), with a weight $w$ in front of the pull:
#
# $$v_w(x, t) = v(x, t) - w\, \frac{t}{1-t}\, \nabla_x \log p_t(y \mid x) \tag{2.13}$$
#
# This is `guided`.
#
# Four samplers: without a wish, $w = 1$, $w = 2$; and a shortcut that is tempting when there is a good classifier for
# *clean* pictures only: ask it about the best guess of the clean picture, $\hat x_0 = \mathbb E[x_0 \mid x_t] = x -
# t\,v$. (Chung et al. 2023 build on such an approximation.)
#
# *Predict 9.* Which of them meet the posterior? And does $w = 2$ meet the one whose likelihood is squared? (*On the
# right*, in what is printed, is the share of the sample that lies right of the middle bump's centre.)

# %%
from aigc import sample


def guided(weight: float, aware: bool = True):
    """(2.13): a velocity for sample.ode, which gives one time to all."""

    def velocity(x: Tensor, t: Tensor) -> Tensor:
        t = t[0].double().clamp(max=1 - 1e-4)  # at t = 1 it is a limit
        plain = lambda x: -(x + t * score(x, t, every)) / (1 - t)
        if aware:
            return plain(x) - weight * t / (1 - t) * pull(x, t)
        clean = lambda x: classifier(x - t * plain(x), zero)
        return plain(x) - weight * t / (1 - t) * (clean(x + 1e-4) - clean(x - 1e-4)) / 2e-4

    return velocity


noise = torch.randn(5 * N, dtype=torch.float64, generator=generator)
ways = {"no wish": guided(0.0), "w = 1": guided(1.0), "w = 2": guided(2.0), "w = 1, clean": guided(1.0, aware=False)}
made = {name: sample.ode(velocity, noise, 50) for name, velocity in ways.items()}
mean = lambda x, goal: float(np.mean([distance(part, goal) for part in x.split(N)]))  # of five samples
far = {name: mean(x, target) for name, x in made.items()}
for name, x in made.items():
    right, other = (x > centre[1]).double().mean(), mean(x, sharp)
    print(f"{name:<14}to the posterior {far[name]:.3f}, likelihood squared {other:.3f}, on the right {right:.2f}")

# %%
right = {name: (x > centre[1]).double().mean().item() for name, x in {"w = 2": made["w = 2"], "squared": sharp}.items()}
print("on the right, weight 2 and the likelihood squared:", {name: round(value, 2) for name, value in right.items()})
course.expect("02.guided_2", far["w = 2"], baseline=chance)
assert far["w = 1"] < 3 * chance < far["w = 2"] / 4 and far["w = 2"] < far["w = 1, clean"]
assert far["w = 2"] > mean(made["w = 2"], sharp) > 2 * distance(target, sharp) > 8 * chance  # nearer to it, and far
for side, right in ((-1, False), (1, True)):  # w = 2: narrower, and pushed outwards
    bump = made["w = 2"][(made["w = 2"] > centre[1]) == right]
    assert bump.std() < 0.9 * width[0] and side * (bump.mean() - centre[2 if right else 0]) > 0.1
assert (made["w = 1, clean"] > centre[1]).double().mean() < 0.03
world = (everything * grid).sum() / everything.sum()  # the mean of the world: the first guess, for every point
late = torch.full_like(noise[:1000], 0.999)
free = ways["no wish"](noise[:1000], late)
push = {name: free - ways[name](noise[:1000], late) for name in ("w = 1", "w = 1, clean")}
print("pushed at the beginning, in the mean:", {name: round(by.mean().item(), 2) for name, by in push.items()})
assert world < centre[1] and push["w = 1, clean"].max() < 20 * push["w = 1"].min() < 0

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 3), sharex=True, sharey=True)
density = everything * wish
for ax, (name, x) in zip(axes, list(made.items())[1:], strict=True):
    ax.hist(x.numpy(), np.linspace(-4, 4, 81), density=True, color=show.SUNSET, label="guided")
    ax.plot(grid, everything / everything.sum() / (grid[1] - grid[0]), color=show.SKY, label="no wish")
    ax.plot(grid, density / density.sum() / (grid[1] - grid[0]), "--", color=show.DUSK, label="posterior")
    if name == "w = 2":
        squared = density * wish
        ax.plot(grid, squared / squared.sum() / (grid[1] - grid[0]), ":", color=show.INK, label="likelihood squared")
        ax.legend()
    ax.set(title=name, xlim=(-4, 4), ylim=(0, 1.8), xlabel="$x_0$")
axes[0].set_ylabel("density")
axes[0].legend()
show.figure(
    fig, alt="Weight 1 fills the posterior's two bumps; weight 2 is too narrow; the clean classifier loses a bump."
)

# %% [markdown]
# *Answer 9.* Only $w = 1$: there (2.13) is the velocity of the posterior itself. With weight 1 the histogram fills the
# dashed line. With weight 2 the bumps are narrower, pushed outwards, and in another proportion. What the squared
# likelihood gives (dotted) is nearer to that than the posterior is, and it is not met either. The shortcut loses nearly
# the whole right bump and pushes the left one far out. At the beginning, where all is noise, the best guess of the
# clean picture is the same for all points, the mean of the world, a little to the left of the middle bump's centre.
# There the true classifier says *left* to everybody, too, but softly, since it knows that the guess is a guess. The
# clean one is asked about a single point deep inside the middle bump, and pushes more than twenty times as hard
# (asserted above).
#
# ### ◇ What is left is the solver
#
# A random sample cannot be nearer than chance allows. But in one dimension the flow keeps the order of points, so we
# may send the *quantiles* of the noise through it. What is left then is the error of the solver alone, and it should
# fall by about four when the steps are doubled, for Heun's method is of the second order.

# %%
even = torch.special.ndtri((torch.arange(N, dtype=torch.float64) + 0.5) / N)
error = {steps: distance(sample.ode(guided(1.0), even, steps), target) for steps in (8, 16, 32, 64)}
stuck = {steps: distance(sample.ode(guided(2.0), even, steps), target) for steps in (8, 16, 32, 64)}
for steps in error:
    print(f"{steps:>3} steps: w = 1 {error[steps]:.4f}, w = 2 {stuck[steps]:.4f}")
course.expect("02.guided_1", error[32], baseline=stuck[32])  # no chance in either: what is left is the solver's error
assert all(3 < error[s] / error[2 * s] < 5 for s in (8, 16, 32))
assert error[64] < chance / 10 and abs(stuck[64] / stuck[32] - 1) < 0.01

# %% [markdown]
# At $w = 1$ the distance falls as it should, down to the step of our grid: **the guided sampler hits the posterior of
# Bayes' formula**, as (2.12) promised. At $w = 2$ it goes to something else, and stays there.
#
# ### Why the weight is not a power
#
# Dhariwal & Nichol explain the weight as a power of the likelihood, and at *one* noise level they are right (exercise
# 02.6). But for the whole way one would like $p_t(x)\,p_t(y \mid x)^2$ to be what noise makes of $p_0(x)\,p_0(y \mid
# x)^2$, and it is not. To add noise is to average, and the average of squares is not the square of the average.
# (Bradley & Nakkiran 2024 show by examples, for guidance without a classifier, that one does not get the power.) The
# shortcut fails for a like reason: what a classifier says of an average is not the average of what it says.
#
# Why do people use weights of 2, 5 or 8 then? Partly because real scores and classifiers are imperfect, and with a
# weight of 1 the wish is followed too weakly (so Dhariwal & Nichol found); partly because they want pictures that are
# *more* typical of the wish than the truth is. The first is a repair, the second a choice of taste, and a good one
# sometimes. It is no longer Bayes' formula.

# %% [markdown]
# ## Checkpoint
#
# *A company has a model that continues support chats, $p(\text{answer} \mid \text{question})$, trained on a million
# chats. It also has a classifier that says how polite an answer is. Someone proposes to "use Bayes' formula to get
# answers to questions", and someone else "to get polite answers". Who needs it?*
#
# <details><summary>Answer</summary>
#
# The first has nothing to turn round: the model faces the right way, and the prompt does it. The second has
# $p(\text{answer} \mid \text{question})$ as a prior and $p(\text{polite} \mid \text{answer})$ as a likelihood, and
# wants the answer *given* that it is polite: this is (2.1). He may draw many answers and keep the polite ones
# (waiting), weigh them, or guide each step, and then the classifier must know what to say about an answer that is only
# half written: the noise-aware classifier of (2.12), in words.
#
# </details>
#
# ## Break it
#
# The logarithms in (2.2) looked like a detail too. Take them away: multiply the 784 factors of (2.9) in the number
# format that networks use, 32 bits. *How does the machine fail, and does it tell you?*

# %%
factors = np.where(images[:, None] == 1, theta, 1 - theta).astype(np.float32)  # (N, 10, 784)
product = factors.prod(-1)
lost = (product == 0).all(1)
print(f"pictures for which all ten digits have probability 0: {lost.mean():.0%}")
with np.errstate(invalid="ignore"):
    broken = posterior(0.1, product[lost][0])
print("a posterior of one of them:", broken[:3], "...")
largest = product.argmax(1)
print(f"read rightly: {np.mean(largest == answer):.0%}; the answer is 0 for {np.mean(largest == 0):.0%}")
assert np.isnan(broken).all() and lost.mean() > 0.8 and np.mean(largest == 0) > 0.8 and np.mean(largest == answer) < 0.3

# %% [markdown]
# The smallest number in 32 bits is about $10^{-45}$; most real digits have a probability far below. All ten products
# become zero, and 0/0 is no number; NumPy warns (we have silenced it in the cell), and goes on with *nan*. Worse is the
# version without the division, which does not even warn: the largest of ten zeros is the first, and the machine reads a
# 0 on nearly every envelope. In logarithms a product is a sum, and `logsumexp` subtracts the largest before it ever
# takes an exponential.
#
# ## What we measured
#
# The answer to the question: no, not when the machine was trained to do what you ask. It has learnt $p(x \mid y)$ the
# right way round; for a language model the chain rule is enough. Bayes' formula comes in when a model faces the wrong
# way: trained to draw and asked to read, trained to slip and asked to mend, trained forwards and asked for an ending,
# trained for everything and asked for something. One can then wait, or train another model. Who will do neither turns
# the model round by (2.1), and that is exact, as far as the prior and the likelihood are true.

# %% tags=["nbval-ignore-output"]
course.summary()

# %% [markdown]
# ## Limits
#
# - Our test of the rows excludes games with a flat prior. One network was tested, with keys of one length and on 128
#   letters of one page; in a network without this normalisation the Gaussian game has no flat prior that fits, by
#   (2.6).
# - That the whole network behaves *as if* it inferred causes is another matter, and we showed it for a table of counts
#   only.
# - $\beta$ is a plaster. It repairs the sureness of naive Bayes, not its drawings; a model that knows strokes would
#   repair both.
# - The typist is a program, and our channel knows how she was made: four kinds of slip, one a word at most. Real slips
#   have causes (sounds, haste, habit) that ours have not. Words that are new *and* mistyped stay wrong, and word pairs
#   see no further than one word.
# - In one dimension the classifier of noisy points is known. For pictures it must be trained, and its errors enter
#   (2.12) with its gradient, which nobody trained.
#
# ## Exercises
#
# In `exercises/02_bayes.ipynb`, of which `make lab` puts a copy into `my/`:
#
# - 02.1 · verify · 10 min · ●○○○○ · A posterior from counts
# - 02.2 · verify · 15 min · ●●○○○ · Hundreds of factors
# - 02.3 · modify · 15 min · ●●○○○ · What cannot be seen
# - 02.4 · modify · 15 min · ●●○○○ · The channel, the right way round
# - 02.5 · modify · 15 min · ●●○○○ · Turn a chain round
# - 02.6 · investigate · 25 min · ●●●○○ · Where does the weight belong?
# - 02.7 · investigate · 25 min · ●●●○○ · What would attention have to believe?
# - 02.8 · build · 45 min · ●●●●○ · A corrector, whole
# - 02.9 · debug · 20 min · ●●●○○ · Sure too soon
# - 02.10 · challenge · 60 min · ●●●●● · Mend more
#
# ## References
#
# - Bayes, T. (1763). An essay towards solving a problem in the doctrine of chances. doi:10.1098/rstl.1763.0053
# - Bavarian, M. et al. (2022). Efficient training of language models to fill in the middle. arXiv:2207.14255
# - Bradley, A. & Nakkiran, P. (2024). Classifier-free guidance is a predictor-corrector. arXiv:2408.09000
# - Chung, H. et al. (2023). Diffusion posterior sampling for general noisy inverse problems. arXiv:2209.14687
# - Dhariwal, P. & Nichol, A. (2021). Diffusion models beat GANs on image synthesis. arXiv:2105.05233
# - Domingos, P. & Pazzani, M. (1997). On the optimality of the simple Bayesian classifier under zero-one loss.
#   doi:10.1023/A:1007413511361
# - Henry, A. et al. (2020). Query-key normalization for transformers. doi:10.18653/v1/2020.findings-emnlp.379
# - Kernighan, M. D., Church, K. W. & Gale, W. A. (1990). A spelling correction program based on a noisy channel model.
#   doi:10.3115/997939.997975
# - Lipman, Y. et al. (2023). Flow matching for generative modeling. arXiv:2210.02747
# - Shannon, C. E. (1948). A mathematical theory of communication. doi:10.1002/j.1538-7305.1948.tb01338.x
# - Song, Y. et al. (2021). Score-based generative modeling through stochastic differential equations. arXiv:2011.13456
# - Vaswani, A. et al. (2017). Attention is all you need. arXiv:1706.03762
# - Witten, I. H. & Bell, T. C. (1991). The zero-frequency problem: estimating the probabilities of novel events in
#   adaptive text compression. doi:10.1109/18.87000
# - Xie, S. M. et al. (2022). An explanation of in-context learning as implicit Bayesian inference. arXiv:2111.02080
