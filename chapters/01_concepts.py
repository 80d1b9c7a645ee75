# %% [markdown]
# # 01 · Concepts
#
# *read 60 min · do 230 min · run 33 s*
#
# **Can a machine make something new by counting?**
#
# In 1948 a mathematician wrote English without knowing what he would write. He opened a book, put down the first letter
# he saw, opened the book elsewhere, read until he met that letter, and put down the one after it. Then again from there
# (Shannon 1948). No meaning, no plan: a finger and a book. What came out was not English, and yet nobody would take it
# for French.
#
# That game is this chapter. We play it with Shakespeare's letters, with handwritten digits and with Bach's melodies,
# and by the end you will know what all generators have in common, and what this one can never do.
#
# ## What you need
#
# Python, NumPy arrays, and the rule $\log(ab) = \log a + \log b$. No earlier chapter.

# %%
import time
from bz2 import compress
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage, sparse

from aigc import course, data, show
from aigc.codecs.text import CharCodec
from aigc.models import ngram
from aigc.score import DURATION, PITCH, VOICE

course.start("01")
show.style()
rng = np.random.default_rng(course.seed())

# %% [markdown]
# ## What we will measure
#
# **Generative AI** (生成式人工智能) is a machine that has learnt a *distribution* and draws from it; AIGC, AI-generated
# content, is what it draws. A classifier answers "which digit is this?", $p(y \mid x)$. A generator has learnt what
# digits look like, $p(x)$, and draws one. Some generators can also say how probable each thing is, and these we can
# measure.
#
# So we shall not ask whether a sample is pretty. We ask how *surprised* a model is by real things that it has never
# seen. The **surprise** at something to which it gave the probability $p$ is $-\log_2 p$ **bits**: a fair coin costs
# one bit, a certainty none, and two things in a row cost the sum. Less is better.
#
# | made by | the unit | uniform | a simple baseline |
# |:--|:--|:--|:--|
# | letters of Shakespeare | bits per character | $\log_2 63$ | how often each letter occurs; the compressor bzip2 |
# | pixels of digits, black or white | bits per pixel | 1 | how often each pixel is ink |
# | notes of Bach's sopranos | bits per note | $\log_2 34$: 33 pitches, and the end | how often each pitch occurs |
#
# Introductions draw generation as three boxes in a row: collect data, train, generate. We need a fourth, which they
# leave out.

# %%
show.diagram(
    {"book": (0, 0, "truth"), "counts": (1, 0, "model"), "new text": (2, 0)}
    | {"unread book": (0, 1, "truth"), "bits": (1, 1, "baseline")},
    [("book", "counts", "count"), ("counts", "new text", "draw")]
    + [("counts", "bits"), ("unread book", "bits", "surprise")],
    alt="A book is counted, and from the counts new text is drawn; an unread book measures the counts, in bits.",
)

# %% [markdown]
# ## 1 · One word
#
# *Which words can a machine write that has read only one?* A library of one book; the book has one word: **banana**.
# Let a full stop mark both ends, and count which letter follows which, much as Markov did in 1913 with the vowels and
# consonants of 20,000 letters of Pushkin (Markov 2006).
#
# | after | comes | so we say |
# |:--|:--|:--|
# | . | b, once | b always |
# | b | a, once | a always |
# | n | a, twice | a always |
# | a | n twice, the stop once | n with 2/3, stop with 1/3 |
#
# Now walk through the table. From the stop we must go to b, then to a, and there we toss a coin of weight 2/3: *na*
# again, or stop. The machine can say **ba**, **bana**, **banana**, **bananana**, ... It has read one word and can write
# infinitely many.
#
# *Predict 1.* Which word is its favourite? And, by pencil, how probable is the only word that it has ever read?

# %%
letters = ".abn"
book = [letters.index(c) for c in ".banana."]
counts = np.zeros((4, 4), int)
for now, following in pairwise(book):
    counts[now, following] += 1
table = counts / counts.sum(1, keepdims=True)  # each row: a distribution over what comes next


def probability(word: str) -> float:
    ids = [letters.index(c) for c in f".{word}."]
    return np.prod([table[a, b] for a, b in pairwise(ids)])


for n in range(5):
    print(f"{'ba' + 'na' * n:<12}{probability('ba' + 'na' * n):.4f}")

# %% [markdown]
# *Answer 1.* The favourite is *ba*, a word that is in no book. *banana*, the whole of its education, gets
# $\frac23\cdot\frac23\cdot\frac13 = \frac4{27}$. Something was lost (the word) and something was gained (a rule: *na*
# may repeat). That exchange is called **generalisation**, and every generator in this course makes it.
#
# There is a hidden exactness in it. Ask how surprised the machine is by *banana*: $\log_2\frac{27}4$ bits. Ask how
# surprised it is, on average, by *its own* words. The two are equal:

# %%
words = ["ba" + "na" * n for n in range(400)]
p = np.array([probability(word) for word in words])
own = -(p * np.log2(p)).sum()
assert np.isclose(p.sum(), 1) and np.isclose(probability("banana"), 4 / 27)
assert np.isclose(own, -np.log2(probability("banana")))
print(f"by banana: {-np.log2(probability('banana')):.4f} bits; by a word of its own: {own:.4f} bits")

# %% [markdown]
# No accident. Both are sums over the same table of *how often each step is taken* times *what the step costs*. In
# *banana* the step a→n is taken twice and a→stop once. In the machine's words a→n is taken twice too, on average: it
# has copied the counts of the book, and the counts are all that the costs depend on. **A chain that was fitted by
# counting, to a book that ends where it began, finds its own writing on average exactly as surprising as the book.**
# Remember this when a model seems sure of itself: that it likes its own text says nothing about the text.

# %% [markdown]
# ## 2 · What it is to learn a distribution
#
# *Does a model know how good it is?* Let $x = x_1 x_2 \dots x_N$ be a text, a picture read row by row, or a melody;
# each $x_t$ is one of $V$ symbols. No assumption is needed to write
#
# $$p(x) = \prod_{t=1}^{N} p(x_t \mid x_1 \dots x_{t-1}) \tag{1.1}$$
#
# This is what `probability` multiplied for a word, above. The Markov chain of **order** $k$ keeps the context $c =
# x_{t-k} \dots x_{t-1}$ and estimates, with $n(cs)$ for "how often, in the training text, $s$ came after $c$" and a
# small $\alpha$ added to every count so that nothing is impossible,
#
# $$p(s \mid c) = \frac{n(cs) + \alpha}{n(c) + \alpha V} \tag{1.2}$$
#
# where $n(c) = \sum_s n(cs)$. This is `ngram.fit`. With $\alpha = 0.1$ the table of the toy becomes `smooth`:

# %%
smooth = (counts + 0.1) / (counts.sum(1, keepdims=True) + 0.1 * len(letters))  # (1.2), with alpha = 0.1
print(smooth.round(2))
assert np.allclose(smooth.sum(1), 1) and (smooth > 0).all()

# %% [markdown]
# What we measure is the mean surprise at a text of $N$ symbols:
#
# $$\hat H(p) = -\frac1N \sum_{t} \log_2 p(x_t \mid c_t) \quad\text{bits per symbol} \tag{1.3}$$
#
# This is `bits`, below. And here is what *learning a distribution* means. Let $q$ be the truth that the texts come
# from. Over long texts (1.3) tends to the **cross-entropy** (交叉熵) $H(q, p)$, and that is a sum: the entropy $H(q)$
# of the truth, and the Kullback-Leibler divergence KL, the mean of the logarithm of $q / p$ for the symbol that comes,
# each given all that $q$ and $p$ look at of the past, over texts from $q$,
#
# $$H(q, p) = \underbrace{H(q)}_{\text{the world's own uncertainty}}
# + \underbrace{\mathrm{KL}(q \,\|\, p)}_{\text{our ignorance, never negative}} \tag{1.4}$$
#
# With a pencil: let $q$ be a coin that says heads in two cases of three, and $p$ a model that believes it fair. The
# coin itself costs $H(q) = 0.918$ bits a throw, the model pays 1, and KL is the difference, 0.082. The next cell says
# so.

# %%
coin, fair = np.array([2 / 3, 1 / 3]), np.array([1 / 2, 1 / 2])
own_bits, paid = -(coin * np.log2(coin)).sum(), -(coin * np.log2(fair)).sum()
print(f"H(q) = {own_bits:.3f}, cross-entropy {paid:.3f}, KL {(coin * np.log2(coin / fair)).sum():.3f}")
assert np.isclose(paid - own_bits, (coin * np.log2(coin / fair)).sum()) and round(own_bits, 3) == 0.918

# %% [markdown]
# *Predict 2.* A chain is fitted by counting to 400 symbols of a known truth. Is its surprise at these 400 below or
# above $H(q)$? And at new ones?
#
# In (1.4), no model gets below $H(q)$, and only $p = q$ reaches it. Training is the shrinking of the second term. But
# we never see $q$; we see samples, and samples flatter. For a model with $d$ free numbers that is fitted by counting to
# $N$ symbols, and could be the truth if its numbers were right (Akaike 1974),
#
# $$\text{on the training text: } H(q) - \frac{d}{2N\ln 2}
# \qquad \text{on new text: } H(q) + \frac{d}{2N\ln 2} \tag{1.5}$$
#
# on average, to leading order in $1/N$: **on its training text the model looks better than the truth, and on new text
# it is worse, by the same amount.** This half width is `theory`, below: each free number costs half a nat, 0.72 bits,
# for the whole text, so six numbers and 400 symbols make $6 \cdot 0.72 / 400 = 0.011$ bits a symbol. Can that be seen?
# In a world small enough for the truth to be known, three symbols with one row of chances each, we can watch it.

# %%
truth = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [0.3, 0.4, 0.3]])
still = np.linalg.matrix_power(truth, 200)[0]  # how often each symbol comes in the long run
entropy = -(still[:, None] * truth * np.log2(truth)).sum()  # H(q)
sizes, runs, d = [100, 200, 400, 800, 1600, 3200], 2000, 6  # d: three rows of two free numbers
walk = np.zeros((sizes[-1] + 1, runs), int)  # many texts at once
walk[0] = rng.choice(3, runs, p=still)
for t in range(sizes[-1]):
    walk[t + 1] = (rng.random(runs)[:, None] > truth[walk[t]].cumsum(1)[:, :2]).sum(1)

trained, new = [], []
for N in sizes:
    pairs = walk[:N] * 3 + walk[1 : N + 1]  # (N, runs)
    n = np.stack([np.bincount(column, minlength=9) for column in pairs.T]).reshape(runs, 3, 3) + 1e-3
    fitted = n / n.sum(2, keepdims=True)  # (1.2), alpha = 0.001
    trained.append(-(n * np.log2(fitted)).sum((1, 2)).mean() / N)
    new.append(-(still[:, None] * truth * np.log2(fitted)).sum((1, 2)).mean())  # (1.4), exact

# %%
fig, ax = plt.subplots(figsize=(7, 3.6))
fine = np.geomspace(sizes[0], sizes[-1])
ax.axhline(entropy, color=show.DUSK, ls="--", label="the truth, H(q)")
theory = d / 2 / fine / np.log(2)
ax.fill_between(fine, entropy - theory, entropy + theory, color=show.GOLD, alpha=0.3, lw=0, label="(1.5)")
ax.plot(sizes, new, "o-", color=show.SUNSET, label="on new text")
ax.plot(sizes, trained, "o-", color=show.INK, label="on the training text")
ax.set(xscale="log", xlabel="length of the training text, symbols", ylabel="bits per symbol")
ax.set_xticks(sizes, sizes, minor=False)
ax.minorticks_off()
ax.legend()
show.figure(fig, alt="A funnel: surprise at new text, from above, and at the training text, from below, close in on H.")
gaps = np.array([np.subtract(new, entropy), np.subtract(entropy, trained)]) * sizes * 2 * np.log(2) / d
print("gap above and below, in units of d / (2 N ln 2):", gaps[:, 1:4].mean(1).round(1))

# %% [markdown]
# *Answer 2.* Below, and above by about as much: a funnel, nearly symmetric, and where the text is long it fills the
# gold of (1.5). The truth is in the middle, and from inside the training text you see only the lower lip. Everything
# below is one quarrel: more context lowers the best figure that a chain could reach, and raises $d = V^k(V-1)$.

# %%
assert all(above > entropy > below for above, below in zip(new, trained, strict=True))
assert (abs(gaps[:, 1:4] - 1) < 0.4).all()  # (1.5)

# %% [markdown]
# The table of the models that you will hear named, by how they meet the product (1.1), or avoid it:
#
# | model | what it does about $p(x)$ | chapter |
# |:--|:--|:--|
# | Markov chain | forgets all but the last $k$ symbols, and counts | here |
# | transformer (Vaswani et al. 2017) | keeps a long past, and learns what to look at | 03 |
# | GAN (Goodfellow et al. 2014) | never writes $p(x)$ down: a forger trained against a detective | 04 |
# | VAE (Kingma & Welling 2014) | invents a hidden cause and bounds $p(x)$ from below | 05 |
# | diffusion (Ho et al. 2020) | learns to undo noise a little, a thousand times | 05 |


# %% [markdown]
# ## 3 · Letters
#
# *How many letters of the past should a counting machine look at: 1, 2, 4, 8?* The boxes of the diagram, as functions.
#
# **Collect.** Whole plays are held out, not random lines: a line of Macbeth must not have its answer on the other side.

# %%
play, unread, last = data.shakespeare(), data.shakespeare("validation"), data.shakespeare("test")
codec = CharCodec.train(play)
text, held_out, test = (np.array(codec.encode(part)) for part in (play, unread, last))
V = len(codec.vocab)
print(f"{V} characters; {len(text):,} to learn from, {len(held_out):,} to choose by, {len(test):,} for the end")

# %% [markdown]
# **Train.** A dictionary from each context to the counts of what follows. That is the whole of "training" here.


# %%
def train(text: str, k: int) -> dict[str, dict[str, int]]:
    counts = {}
    for i in range(len(text) - k):
        follows = counts.setdefault(text[i : i + k], {})
        follows[text[i + k]] = follows.get(text[i + k], 0) + 1
    return counts


def chance(counts: dict, context: str, symbol: str, alpha: float) -> float:
    n = counts.get(context, {})
    return (n.get(symbol, 0) + alpha) / (sum(n.values()) + alpha * V)  # (1.2)


# %% [markdown]
# **Generate.** Shannon's finger: look up where we are, draw what comes next, move on.


# %%
def generate(counts: dict, context: str, length: int) -> str:
    out = context
    for _ in range(length):
        n = counts[out[len(out) - len(context) :]]
        out += rng.choice(list(n), p=np.array(list(n.values())) / sum(n.values()))
    return out


# %% [markdown]
# **Measure.** Equation (1.3). The library's chain is the same mathematics on sorted integers instead of dictionaries,
# so that four million letters take a fraction of a second; we hold the two together before we trust it.


# %%
def bits(model: ngram.Markov, ids: np.ndarray) -> float:
    return -model.log_prob(ids).mean() / np.log(2)  # (1.3)


few, quote = play[:20_000], unread[:200]
for k in range(4):
    by_hand = train(few, k)
    surprise = -np.mean([np.log2(chance(by_hand, quote[i - k : i], quote[i], 0.1)) for i in range(k, 200)])
    library = ngram.fit([codec.encode(few)], V, k, alpha=0.1)
    assert np.isclose(surprise, bits(library, codec.encode(quote)))
print(generate(train(play[:200_000], 3), "Now", 120))

# %% [markdown]
# Nine chains, from no memory to eight letters. A **gram** of order $k$ is a context of $k$ letters with the letter
# after it. To write, we let each walk with $\alpha = 0$, so that it never leaves what it has seen; to measure, $\alpha
# = 0.1$, so that nothing costs infinitely much. The samples are the first that came.
#
# *Predict 3.* Of the orders 0, 1, 2, 4 and 8: which is the first of whose words nine in ten are in the plays?

# %%
chains = [ngram.fit([text], V, k, alpha=0.1) for k in range(9)]
walkers = [ngram.Markov(m.vocab, m.order, 0.0, m.grams, m.counts) for m in chains]
start = np.array(codec.encode("\n\nROMEO:\nI "))
for k in (0, 1, 2, 4, 8):
    sample = codec.decode(walkers[k].sample(150, rng, start))
    print(f"--- order {k} ---\n{sample}\n")


def words_of(text: str) -> list[str]:
    return "".join(c if c.isalpha() else " " for c in text).lower().split()


vocabulary, spelt = set(words_of(play)), {}
for k in (0, 1, 2, 4, 8):
    longer = words_of(codec.decode(walkers[k].sample(8000, np.random.default_rng(course.seed()), start)))
    spelt[k] = np.mean([word in vocabulary for word in longer])
    print(f"order {k}: {spelt[k]:.0%} of the words are in the plays")
assert spelt[1] < spelt[2] < 0.7 < 0.85 < spelt[4] < spelt[8]

# %% [markdown]
# *Answer 3.* Order 4, or nearly. (Even order 0 has some: a short string is easily a word.) Read them aloud: order 0 has
# the right letters in the right amounts, order 1 mixes vowels and consonants, order 2 has the sound, order 8 has lines.
# Nobody told it what a word is.
#
# *Predict 4.* Does the ladder go up for ever? First on the training text, where more context can never hurt: the best
# predictions from $k+1$ letters include all those that use only $k$ of them, and counting finds the best ($\alpha =
# 0$). In the language of entropies: the surprise $H(X \mid C, C')$ at a letter $X$ of one who knows the context $C$ and
# one letter more, $C'$, is on average at most $H(X \mid C)$, that of one who knows $C$ alone. Then on two plays that no
# chain has read.


# %%
def bits_of_training(model: ngram.Markov) -> float:
    n, context = model.counts, model.grams // model.vocab
    total = np.bincount(np.unique(context, return_inverse=True)[1], n)
    return ((total * np.log2(total)).sum() - (n * np.log2(n)).sum()) / n.sum()  # (1.3) with alpha = 0, from the counts


flattery = [bits_of_training(model) for model in chains]
honest = [bits(model, held_out) for model in chains]
best = int(np.argmin(honest))
for k in range(9):
    print(f"order {k}: training {flattery[k]:.2f}, unread plays {honest[k]:.2f}" + (" <- best" if k == best else ""))
assert all(b < a for a, b in pairwise(flattery))
assert int(np.argmin(flattery)) == int(np.argmax(honest[1:])) + 1 == 8

# %% [markdown]
# *Answer 4.* The arrow marks the best. The two columns part as the lips of the funnel do (drawn at the end of section
# 5); but (1.5) gives no more than the direction here: plays are no chain, and at order 4 there are 977 million numbers
# to learn from 4.3 million letters, so $N$ is anything but large. The chain with the best training figure is the
# *worst* of all that have any memory. We choose the order on the validation plays, and open the test plays once.

# %%
final = bits(chains[best], test)
zipped = 8 * len(compress(last.encode())) / len(last)
alone = bits(chains[0], test)
assert final < zipped < alone < np.log2(V)
print(f"order {best}: {final:.2f}; bzip2: {zipped:.2f}; letters alone: {alone:.2f}; uniform: {np.log2(V):.2f}")
course.expect("01.text_bits", final, baseline=alone)

# %% [markdown]
# A table of letter counts predicts Shakespeare better than a well-made compressor, which had to begin these plays
# knowing nothing of the other thirty-four. The two are one trade: whoever predicts at $b$ bits per letter can write the
# text down in $b$ bits per letter, and the other way round. How far is there to go? Shannon (1951) let people guess
# letter by letter, with all they know, and put English between 0.6 and 1.3 bits. Chapter 03 has something to do.

# %% [markdown]
# ## 4 · Pixels
#
# *What is the past of a picture?* A picture has no "next letter", but a hand that fills it row by row has a past: the
# pixels above, and those to the left. Black or white is one bit. Three machines, all of them tables of counts:
#
# - the **ghost** knows *where*: for each digit and each of the 784 places, how often there is ink. It tosses each pixel
#   alone;
# - the **scribe** knows *how*: for each pattern of the $k$ nearest pixels already drawn, how often ink follows. It
#   knows neither the digit nor the place;
# - the **writer** knows a little of both: it looks at eight pixels, the digit, and the patch of $2\times2$ pixels it is
#   in. Where it has seen little it asks a small scribe, whose opinion counts as eight observations.


# %%
def black_and_white(split: str) -> tuple[np.ndarray, np.ndarray]:
    images, digit = data.digits(split)
    return (images > 127).astype(np.int64), digit


around = [(dy, dx) for dy in range(-3, 1) for dx in range(-3, 4) if (dy, dx) < (0, 0)]  # drawn already
around.sort(key=lambda o: (o[0] ** 2 + o[1] ** 2, o))  # the nearest first


def past(images: np.ndarray, k: int) -> np.ndarray:
    """The k nearest pixels of the past of each pixel, as one number. images, result: (B, 28, 28)."""
    padded, code = np.pad(images, ((0, 0), (3, 0), (3, 3))), np.zeros_like(images)
    for dy, dx in around[:k]:
        code = code * 2 + padded[:, 3 + dy : 31 + dy, 3 + dx : 31 + dx]
    return code


def tally(images: np.ndarray, index: tuple, shape: tuple) -> tuple[np.ndarray, np.ndarray]:
    """How often each cell of a table met ink, and how often it was met."""
    cell = np.ravel_multi_index(np.broadcast_arrays(*index, images)[:-1], shape)
    size = np.prod(shape)
    inked = np.bincount(cell[images == 1], minlength=size)
    return inked.reshape(shape), np.bincount(cell.ravel(), minlength=size).reshape(shape)


# %% [markdown]
# How much past should the scribe have? The same question as for letters, and we answer it in the same way.

# %%
ink, digit = black_and_white("train")
other, other_digit = black_and_white("validation")


def cost(chance: np.ndarray, images: np.ndarray) -> np.ndarray:
    return -np.log2(np.where(images == 1, chance, 1 - chance))  # bits of each pixel


pasts, scribe_flattery, scribe_honest = [0, 1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22], [], []
for k in pasts:
    n, of = tally(ink, (past(ink, k),), (2**k,))
    fitted = n[of > 0] / of[of > 0]
    both = np.stack([fitted, 1 - fitted])
    entropies = -(both * np.log2(both, where=both > 0, out=np.zeros_like(both))).sum(0)
    scribe_flattery.append((of[of > 0] * entropies).sum() / ink.size)
    scribe_honest.append(cost(((n + 0.5) / (of + 1))[past(other, k)], other).mean())  # (1.2), alpha = 1/2
K = pasts[int(np.argmin(scribe_honest))]
print(f"with {K} pixels of the past: {min(scribe_honest):.3f} bits per pixel")

# %% [markdown]
# Now the three machines. Each is a function from pictures to chances of ink. If the chance of a pixel looked at later
# pixels, the product of all chances would be no probability. So we try to catch them: we flip one pixel, and no chance
# at or before it may move.

# %%
side = 14  # patches of 2 x 2 in a row
patch = (np.arange(28)[:, None] // 2) * side + np.arange(28) // 2  # (28, 28)
place = np.arange(784).reshape(28, 28)
n, of = tally(ink, (digit[:, None, None], place), (10, 784))
where = (n + 0.5) / (of + 1)
n, of = tally(ink, (past(ink, K),), (2**K,))
how = (n + 0.5) / (of + 1)
n, of = tally(ink, (past(ink, 8),), (2**8,))
advice = 8 * (n + 0.5) / (of + 1)
n, of = tally(ink, (digit[:, None, None], patch, past(ink, 8)), (10, side**2, 2**8))
where_and_how = (n + advice) / (of + 8)

machines = {
    "ghost": lambda images, digit: where[digit][:, place],
    "scribe": lambda images, digit: how[past(images, K)],
    "writer": lambda images, digit: where_and_how[digit[:, None, None], patch, past(images, 8)],
}
changed = other[:50].copy()
changed[:, 14, 10] = 1 - changed[:, 14, 10]
for machine in machines.values():
    moved = machine(changed, other_digit[:50]) != machine(other[:50], other_digit[:50])
    assert not moved.reshape(50, 784)[:, : 14 * 28 + 11].any()  # nothing at or before the changed pixel
print("three machines, and none has looked ahead")

# %%
final_ink, final_digit = black_and_white("test")
p = ink.mean()
baseline = cost(np.full(final_ink.shape, p), final_ink).mean()
costs = {name: cost(m(final_ink, final_digit), final_ink).mean() for name, m in machines.items()}
print(f"uniform 1.000, amount of ink alone {baseline:.3f}")
print(", ".join(f"{name} {value:.3f}" for name, value in costs.items()), "bits per pixel")
gift = np.log2(10) / 784  # bits per pixel, for being told the digit
assert costs["writer"] + gift < costs["scribe"] < costs["ghost"] < baseline < 1
course.expect("01.writer_bits", costs["writer"], baseline=costs["ghost"])

# %% [markdown]
# By this measure the scribe, who has never heard of digits, is far ahead of the ghost, who was told which digit it is.
# (To be told is a gift of $\log_2 10$ bits a picture, $0.004$ a pixel. It changes nothing in the order.) Hold on to
# that order.
#
# *Predict 5.* What will each of the three draw?


# %%
def draw(machine, digit: np.ndarray) -> np.ndarray:
    images = np.zeros((len(digit), 28, 28), np.int64)
    for y, x in np.ndindex(28, 28):
        images[:, y, x] = rng.random(len(digit)) < machine(images, digit)[:, y, x]
    return images


asked = np.arange(100) % 10
drawn = {name: draw(machine, asked) for name, machine in machines.items()}
real = np.stack([final_ink[final_digit == c] for c in range(10)], 1).reshape(-1, 28, 28)[:100]  # 0 1 2 ... 9 0 1 ...
rows = np.concatenate([real[:10]] + [pictures[:10] for pictures in drawn.values()])
alt = "Digits 0 to 9 by people; by the ghost, specks; by the scribe, strokes of no digit; by the writer, half legible."
names = [name if i == 0 else "" for name in ("people", *drawn) for i in range(10)]
show.images((1 - rows).astype(np.uint8) * 255, columns=10, labels=names, alt=alt)

# %% [markdown]
# *Answer 5.* The first ten that came. The ghost draws digits made of dust. The scribe draws strokes that mean nothing,
# specks, and now and then a tower of noise. By eye one may prefer the ghost; by bits, the scribe. Two crude judges make
# the quarrel exact: is the drawing *one piece* of ink, and does the most similar of the 4,000 training images bear the
# digit that was asked for?

# %%
known = ink.reshape(len(ink), -1).astype(np.float32)


def judge(pictures: np.ndarray) -> tuple[float, float]:
    pieces = [ndimage.label(picture, np.ones((3, 3)))[1] for picture in pictures]
    flat = pictures.reshape(len(pictures), -1).astype(np.float32)
    distance = known.sum(1) - 2 * flat @ known.T  # pixels that differ, up to a constant
    return np.mean(np.array(pieces) == 1), np.mean(digit[distance.argmin(1)] == asked)


verdict = {name: judge(pictures) for name, pictures in {"people": real, **drawn}.items()}
for name, (whole, right) in verdict.items():
    print(f"{name:<8}in one piece {whole:.2f}, the digit asked for {right:.2f}")
assert verdict["ghost"][1] > verdict["scribe"][1] + 0.4 and verdict["ghost"][0] < 0.05 < verdict["scribe"][0]
course.expect("01.ghost_named", verdict["ghost"][1], baseline=verdict["writer"][1])

# %% [markdown]
# The scribe was never told the digit, so the second judge is unkind to it. The fair pair is ghost and writer, who were
# both told: by bits the writer is far ahead, and it is named rightly less often. So likelihood and looks can disagree,
# and it is no bug. Here is the strongest form of it (after Theis et al. 2016). Build a **liar**: with probability
# $0.99$ it prints snow, each pixel a fair coin; once in a hundred times it lets the writer draw. Since
# $p_\text{liar}(x) \ge \frac{1}{100}\, p_\text{writer}(x)$ for every picture, the liar is surprised by at most $\log_2
# 100 \approx 6.6$ bits more than the writer. Not per pixel: *per picture*, which has 784.

# %%
each = {name: cost(m(final_ink, final_digit), final_ink).sum((1, 2)) for name, m in machines.items()}  # bits a picture
liar = -np.logaddexp2(np.log2(0.01) - each["writer"], np.log2(0.99) - 784)
assert (liar <= each["writer"] + np.log2(100) + 1e-9).all() and liar.mean() / 784 + gift < each["scribe"].mean() / 784
print(", ".join(f"{name} {b.mean() / 784:.3f}" for name, b in {**each, "liar": liar}.items()), "bits per pixel")

# %% [markdown]
# A machine that prints noise 99 times in 100 beats both the ghost and the scribe. Bits per pixel measure whether a
# model *leaves room* for what is real; they hardly notice what else it makes. This is why chapter 11 needs more than
# one ruler.
#
# *Predict 6.* Which single picture does the scribe find the most probable of all?

# %%
blank = np.zeros((1, 28, 28), np.int64)
whole_bits = cost(how[past(final_ink, K)], final_ink).sum((1, 2))
blank_bits = cost(how[past(blank, K)], blank).sum()
first_drop = -np.log2(how[0])  # ink where all of the past is blank
assert (past(blank, K) == 0).all() and blank_bits < first_drop < whole_bits.min()
assert ink.sum((1, 2)).min() > 0  # no empty page among the data
print(f"the empty page {blank_bits:.1f} bits, one page in {2**blank_bits:.0f}; a first drop of ink {first_drop:.1f}")
print(f"real digits from {whole_bits.min():.1f} bits on, on average {whole_bits.mean():.1f}")
print(f"so the empty page is 2^{whole_bits.mean() - blank_bits:.0f} times as probable as a typical digit")

# %% [markdown]
# *Answer 6.* It is the empty page, and no other picture comes near. The proof: any other has a first drop of ink. All
# the past of that drop is blank, and there ink alone costs more bits than the *whole* empty page. Yet the empty page is
# not even in the data. No paradox: there is one empty page, and there are astronomically many scrawls. Each is less
# probable; all together they take the rest. To generate is to *draw from* a distribution; to ask for its maximum is
# another thing. We shall see that the same is true of words.

# %% [markdown]
# ## 5 · Notes
#
# *Does a tune have an alphabet?* A soprano line from one of Bach's chorales is a string of pitches, and everything
# above works again. But what is a symbol? We may write the **pitch** of each note, or the **step** from the note before
# (the first counts from the G above middle C). Either can be turned into the other without loss, so their bits per note
# may be compared.
#
# *Predict 7.* Which alphabet predicts better, the one that says where the voice is, or the one that only says how it
# moves?

# %%
G = 67  # MIDI
REACH = 16  # semitones: no soprano here leaps further, and none begins further from G


def sopranos(split: str, column: int) -> list[np.ndarray]:
    return [piece.notes[piece.notes[:, VOICE] == 0, column].astype(np.int64) for piece in data.chorales(split)]


def ended(sequence: np.ndarray, k: int, end: int) -> np.ndarray:
    return np.pad(sequence, (k, 1), constant_values=end)  # a mark at the end, and k before the beginning


alphabets = {
    "pitches": lambda line: line - G + REACH,
    "steps": lambda line: np.diff(line, prepend=G) + REACH,
}
END, NOTES = 2 * REACH + 1, 2 * REACH + 2
voices = sopranos("train", PITCH)
print(len(voices), "melodies,", sum(map(len, voices)), "notes")


# %%
def melody_chain(name: str, k: int, alpha: float = 0.1) -> ngram.Markov:
    return ngram.fit([ended(alphabets[name](line), k, END) for line in voices], NOTES, k, alpha)


def bits_of_melodies(model: ngram.Markov, name: str, lines: list[np.ndarray]) -> float:
    surprise = np.concatenate([model.log_prob(ended(alphabets[name](line), model.order, END)) for line in lines])
    return -surprise.mean() / np.log(2)


songs = sopranos("validation", PITCH)
melody = {name: [bits_of_melodies(melody_chain(name, k), name, songs) for k in range(7)] for name in alphabets}
for name, values in melody.items():
    print(f"{name:<8}" + "  ".join(f"{k}: {value:.2f}" for k, value in enumerate(values)))
order = int(np.argmin(melody["steps"]))
singer = melody_chain("steps", order)
note_bits = bits_of_melodies(singer, "steps", sopranos("test", PITCH))
alone = bits_of_melodies(melody_chain("pitches", 0), "pitches", sopranos("test", PITCH))
assert melody["steps"][2] < melody["pitches"][3] and min(melody["steps"]) < min(melody["pitches"])
assert all(p < s for s, p in zip(melody["steps"][:2], melody["pitches"][1:3], strict=True))
assert note_bits < alone < np.log2(NOTES)
course.expect("01.music_bits", note_bits, baseline=alone)

# %%
best_of = {name: melody_chain(name, int(np.argmin(melody[name]))) for name in alphabets}
by_song = {name: np.array([bits_of_melodies(best_of[name], name, [song]) for song in songs]) for name in alphabets}
gap = by_song["pitches"] - by_song["steps"]  # song by song
print(f"the best of each: steps save {gap.mean():.2f} ± {gap.std(ddof=1) / len(songs) ** 0.5:.2f} bits a note")
assert abs(gap.mean()) < 3 * gap.std(ddof=1) / len(songs) ** 0.5

# %% [markdown]
# *Answer 7.* Compare fairly: $k$ steps tell of $k+1$ notes, so they stand against a chain of $k+1$ pitches. With one or
# two notes of the past, the pitches win: it helps to know where one is. With three, the steps do, and the best chain of
# all is one of steps, though by no more than chance may give: the number after the ± is the standard error over the
# songs. A tune sung higher is the same tune, and with steps the chain need not learn it again in every key. What is
# built in before training, here what may be forgotten, is an **inductive bias** (归纳偏置). It needs no data, but it
# has a price. One tune may not show it; twenty will.

# %%
lengths = np.unique(np.concatenate(sopranos("train", DURATION)))
rhythms = [np.searchsorted(lengths, line) for line in sopranos("train", DURATION)]
drummer = ngram.fit([ended(line, 3, len(lengths)) for line in rhythms], len(lengths) + 1, 3)
free = ngram.fit([ended(alphabets["steps"](line), order, END) for line in voices], NOTES, order)  # alpha = 0


def sing(length: int = 300) -> np.ndarray:
    steps = free.sample(length, rng, [END] * order, stop=END)
    pitch = G + np.cumsum(steps[steps != END] - REACH)
    beat = []
    while len(beat) < len(pitch):  # as many bars of rhythm as it takes
        beat += [i for i in drummer.sample(300, rng, [len(lengths)] * 3, stop=len(lengths)) if i < len(lengths)]
    duration = lengths[beat[: len(pitch)]]
    columns = np.zeros_like(pitch), np.cumsum(duration) - duration, duration, pitch, np.full_like(pitch, 80)
    return np.stack(columns, 1).astype(np.int16)


tunes = [sing() for _ in range(20)]
show.roll(tunes[0], alt="A generated melody on a piano roll: mostly steps to the neighbouring note, some leaps.")
show.audio(tunes[0])


# %%
def levels(lines: list[np.ndarray], axis, title: str) -> None:
    for line in lines:
        axis.plot(np.linspace(0, 1, len(line)), line - line[-1], lw=0.8, color=show.INK, alpha=0.6)
    axis.set(title=title, xlabel="from the first note to the last")


fig, axes = plt.subplots(1, 2, figsize=(7, 3.2), sharey=True)
levels(voices[:20], axes[0], "Bach")
levels([tune[:, PITCH] for tune in tunes], axes[1], "the chain")
axes[0].set_ylabel("semitones above the last note")
show.figure(fig, alt="Twenty melodies by Bach and twenty by the chain, laid upon their last notes.")


# %%
def melodies(name: str, chain: ngram.Markov) -> list[np.ndarray]:
    """Pitches of 300 tunes, of which those are kept that are as long as Bach's."""
    ids = [chain.sample(300, rng, [END] * chain.order, stop=END) for _ in range(300)]
    lines = [line[line != END] - REACH + G for line in ids]
    if name == "steps":
        lines = [G + np.cumsum(line - G) for line in lines]
    return [line for line in lines if 22 <= len(line) <= 132]


assert (min(map(len, voices)), max(map(len, voices))) == (22, 132)
k = int(np.argmin(melody["pitches"]))
of_pitches = ngram.fit([ended(alphabets["pitches"](line), k, END) for line in voices], NOTES, k)
made = {"Bach": voices, "chain of steps": melodies("steps", free), "chain of pitches": melodies("pitches", of_pitches)}
away = {name: np.mean([abs(line[-1] - line[0]) for line in lines]) for name, lines in made.items()}
small = {name: np.mean(np.abs(np.concatenate([*map(np.diff, lines)])) <= 2) for name, lines in made.items()}
for name in made:
    print(f"{name:<18}last note {away[name]:.1f} semitones from the first, {small[name]:.0%} small steps")
assert away["chain of steps"] > 1.5 * away["chain of pitches"] and away["chain of steps"] > 1.5 * away["Bach"]
assert min(small.values()) > 0.8 and abs(small["Bach"] - small["chain of steps"]) < 0.03

# %% [markdown]
# Twenty tunes of each, the first that came, laid upon their last notes. The chain moves like Bach, mostly by small
# steps (two semitones at most), and it has no home: on average its first note is farther from its last, and this holds
# among tunes that are as long as Bach's. His end not far from where they began; the chain, which knows only how it
# moves, wanders off as a random walk does. (One melody alone would not tell you: many a walk ends where it began.) Is
# it the short memory? No: a chain of *pitches*, as forgetful as this one, stays near home. What the alphabet of steps
# may forget, it does forget: that is the price.
#
# ### One curve, three arts

# %%
fig, axes = plt.subplots(1, 3, figsize=(9, 3.2))
axes[0].plot(range(9), flattery, "o-", color=show.INK, label="training")
axes[0].plot(range(9), honest, "o-", color=show.SUNSET, label="unseen")
axes[0].set(title="Shakespeare", xlabel="characters of the past", ylabel="bits per character")
axes[1].plot(pasts, scribe_flattery, "o-", color=show.INK)
axes[1].plot(pasts, scribe_honest, "o-", color=show.SUNSET)
axes[1].set(title="digits", xlabel="pixels of the past", ylabel="bits per pixel", ylim=(0.13, 0.19))
steps_flattery = [bits_of_training(melody_chain("steps", k)) for k in range(7)]
axes[2].plot(range(7), steps_flattery, "o-", color=show.INK)
axes[2].plot(range(7), melody["steps"], "o-", color=show.SUNSET)
axes[2].set(title="Bach's sopranos", xlabel="steps of the past", ylabel="bits per note")
axes[0].legend()
show.figure(
    fig, alt="Three panels, one shape: with more context the training curve falls; the unseen falls, turns and climbs."
)
for curve in (honest, scribe_honest, melody["steps"]):
    assert 0 < int(np.argmin(curve)) < len(curve) - 1  # the best is neither the least past nor the most

# %% [markdown]
# Three arts, one curve. More past is more knowledge *and* more numbers to learn from the same data. Of machines that
# are smoothed so simply, the best is neither the blindest nor the one with the longest memory, and only data that it
# never saw can say which it is. (The digits turn last and least, so that the turn is hardly to be seen: one more pixel
# only doubles the table, one more letter makes it 63 times as long. And at first the unseen digits are a little
# *easier* than those of the training: a table so small flatters nobody, and these happen to be plainer.)

# %% [markdown]
# ## 6 · What introductions promise
#
# *Which of the promises can be measured?* Introductions to AIGC list what it is good for (speed, scale, diversity) and
# what it is bad at (quality, bias, copying, cost). We have a generator on the table. Let us not list; let us measure.
#
# **Speed.** A practised typist makes about 40 words of five letters a minute.

# %% tags=["nbval-ignore-output"]
began = time.perf_counter()
essay = codec.decode(walkers[5].sample(100_000, rng, start))
pace = len(essay) / (time.perf_counter() - began)
print(f"{pace:,.0f} characters per second, {pace / (40 * 5 / 60):,.0f} typists")

# %%
assert pace > 100 * 40 * 5 / 60  # any machine: more than a hundred typists

# %% [markdown]
# **Diversity, and how to lose it.** Nothing that the chain draws need ever have been written before. But turn the dice
# off, and let it always say its favourite letter:
#
# *Predict 8.* How long does it take until it repeats itself for ever?


# %%
def favourite(model: ngram.Markov, ids: list[int], limit: int = 2000) -> tuple[list[int], int]:
    """Greedy text until a context returns, and where that context stood first."""
    met, ids = {}, list(ids)
    while (context := tuple(ids[len(ids) - model.order :])) not in met and len(ids) < limit:
        met[context] = len(ids)
        ids.append(int(model.probabilities(context).argmax()))
    return ids, met[context]


for k in (2, 4, 6):
    ids, begin = favourite(walkers[k], start[-k:])
    print(f"order {k}: {codec.decode(ids[k:])!r}\n    ... and for ever {codec.decode(ids[begin:])!r}")

# %% [markdown]
# *Answer 8.* Not long; and it *must* loop. The next letter, and with it the next context, is a function $g$ of the
# context alone, and there are only $V^k$ contexts. By the pigeonhole principle one of them comes back, and from there
# all is repetition:
#
# $$c_{t+1} = g(c_t) \;\Rightarrow\; c_i = c_j \text{ for some } i < j \le V^k + 1 \tag{1.6}$$
#
# This is `favourite`. No training helps: the theorem does not ask what the model has learnt, and a GPT, which uses a
# bounded past, is such a chain too. But the bound is astronomical. That the loop comes after so few letters is
# measured, not proved, and so it is for large models, which show the same disease (Holtzman et al. 2020). Always the
# most probable letter: that does not give a typical text, as the most probable page was no typical digit.
#
# **Copying.** How much of what a chain writes is, letter for letter, in the book? We take every run of 16 letters. A
# fair comparison is not zero: two plays that nobody copied share turns of phrase with the other thirty-four.
#
# *Predict 9.* Which order quotes more than an author who copied nobody?

# %%
RUN = 16
book = np.sort(ngram.codes(text, V, RUN))  # 63 ** 16 wraps round in 64 bits, which makes the code a hash


def quoted(ids: np.ndarray) -> float:
    runs = ngram.codes(ids, V, RUN)
    return np.mean(book[np.searchsorted(book, runs).clip(max=len(book) - 1)] == runs)


found = {k: quoted(walkers[k].sample(8000, rng, start)) for k in (2, 4, 5, 6, 7, 8)}
honesty = quoted(held_out)
for k, share in found.items():
    print(f"order {k}: {share:.1%}")
print(f"two plays that nobody copied: {honesty:.1%}")
assert found[2] < found[4] < honesty < found[7] < found[8] and found[8] > 3 * honesty
course.expect("01.copied", found[8], baseline=honesty)

# %% [markdown]
# *Answer 9.* Orders 2 to 4 quote less than an honest author, and orders 7 and 8 more. Here 5 is below the line and 6
# above it; but 8,000 letters are few, and with another seed these two may change sides. Order 8, the model with the
# best training figure of all, quotes several times as much. Large models copy too, sometimes a text that stood in a
# single document (Carlini et al. 2021; chapter 14).
#
# **Cost.** What does memory take? A number to name each gram, a number to count it.

# %%
for k in (2, 4, 6, 8):
    size = chains[k].grams.nbytes + chains[k].counts.nbytes
    print(f"order {k}: {len(chains[k].grams):>9,} grams, {size / len(play):5.2f} bytes for each byte of the book")
assert chains[8].grams.nbytes + chains[8].counts.nbytes > 5 * len(play)

# %% [markdown]
# As stored here, the longer memories are larger than the book that they were made from: it would be cheaper to keep the
# book.
#
# **Bias.** The usual word for a model that repeats the slant of its data. Shakespeare's plays speak of men more often
# than of women; count the pronouns in the plays, and in the essay of 100,000 letters that we timed above.


# %%
def share_of_men(text: str) -> tuple[float, int]:
    words = [word.strip("',-.:;?!").lower() for word in text.split()]
    men, women = (sum(word in group for word in words) for group in (("he", "him", "his"), ("she", "her", "hers")))
    return men / (men + women), men + women


(data_share, _), (model_share, n) = share_of_men(play), share_of_men(essay)
print(f"he, him, his among the pronouns: plays {data_share:.0%}, machine {model_share:.0%}")
assert abs(model_share - data_share) < 4 * np.sqrt(data_share * (1 - data_share) / n)  # four standard errors

# %% [markdown]
# It is no accident either. A chain fitted by counting visits every run of up to $k+1$ letters as often, in the long
# run, as its book does, except at the ends of the text: the *banana* argument again. With a memory as long as the word,
# it is as biased as its data. It can be more so: a machine that always takes the more frequent pronoun never says
# *she*.
#
# **Quality.** It forgets, and that can be proved. Take two letters at a distance $r$, and ask how many bits the first
# tells about the second: their **mutual information** (互信息),
#
# $$I_r = \sum_{a, b} p_r(a, b) \log_2 \frac{p_r(a, b)}{p(a)\,p(b)} \tag{1.7}$$
#
# with $p_r(a, b)$ for how often $a$ is followed by $b$ at that distance. This is `mutual_information`. For the chain,
# we compute it exactly, by multiplying the chance of each step; for the plays, we count.


# %%
def mutual_information(joint: np.ndarray) -> float:
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)  # as if they had nothing to do with each other
    seen = joint > 0
    return (joint[seen] * np.log2(joint[seen] / apart[seen])).sum()


def memory(k: int, distances: int) -> list[float]:
    model = ngram.fit([np.concatenate([text, text[:k]])], V, k)  # the text as a ring: every context goes on
    contexts, here = np.unique(model.grams // V, return_inverse=True)
    there = np.searchsorted(contexts, model.grams % V**k)
    n = np.bincount(here, model.counts)
    step = sparse.csr_array((model.counts / n[here], (there, here)))
    last = sparse.csr_array((np.ones(len(contexts)), (contexts % V, np.arange(len(contexts)))))
    joint, out = (last * (n / n.sum())).T.toarray(), []  # (contexts, V): where we are, and what letter it was
    for _ in range(distances):
        joint = step @ joint
        out.append(mutual_information(last @ joint))
    return out


# %%
distances = np.array([*range(1, 9), 10, 13, 16, 20, 24, 28, *range(31, 62, 3), 66, 80, 100, 120])
joint = [np.bincount(text[:-r] * V + text[r:], minlength=V * V).reshape(V, V) / (len(text) - r) for r in distances]
floor = (V - 1) ** 2 / (2 * len(text) * np.log(2))  # roughly what counting shows where letters share nothing
plays = [mutual_information(j) for j in joint]
recall = {k: memory(k, 40) for k in (1, 2, 4)}
fig, ax = plt.subplots(figsize=(7, 4))
for k, width in ((1, 1), (2, 2), (4, 3)):
    ax.plot(range(1, 41), recall[k], color=show.SUNSET, lw=width, label=f"chain of order {k}")
ax.plot(distances, plays, "--", color=show.DUSK, lw=2, label="Shakespeare")
ax.axhspan(1e-5, floor, color=show.GOLD, alpha=0.3, lw=0, label="noise of counting")
ax.set(xscale="log", yscale="log", xlim=(1, 120), ylim=(1e-5, 2), xlabel="distance, characters", ylabel="bits shared")
ax.legend()
show.figure(
    fig, alt="The chains' memory falls off a cliff; Shakespeare's falls slowly and rises in a hump near forty letters."
)

# %% [markdown]
# On log axes an exponential bends down and falls off a cliff. This happens to every chain that can go from any state to
# any other and has no fixed period: in the long run each step multiplies what is left of the past by about the same
# factor below one (Lin & Tegmark 2017, who also measure that texts forget more slowly). A longer memory lifts the
# beginning of the curve; it does not keep the cliff away, and far out it may even share less, since each chain has its
# own factor. Up to distance $k$ the chain of order $k$ agrees with the plays exactly, except at the ends of the text,
# because there it is made of their counts. Beyond, it guesses.
#
# And look at the plays: between thirty and sixty letters the curve turns and *rises*. What is that hump?

# %%
for k in (1, 2, 4):
    assert np.allclose(recall[k][:k], plays[:k], rtol=1e-3)  # exact, except at the ends of the text
    assert recall[k][39] < 0.1 * floor
hump = int(distances[np.argmax(np.where((distances > 28) & (distances < 80), plays, 0))])
lines = [len(line) + 1 for line in play.split("\n") if line]
usual = int(np.median([n for n in lines if n > 25]))
print(f"the hump stands at a distance of about {hump}; the usual line has {usual} characters")
assert abs(hump - usual) <= 6 and plays[list(distances).index(hump)] > 3 * floor

# %% [markdown]
# It is the line. Ten syllables fill a line of verse, and the edition wraps its prose at about the same width, so a line
# break and the capital after it announce the next, forty-odd letters on. If that is the cause, the hump must vanish
# when we write the plays without line breaks and capitals:

# %%
plain = np.array(codec.encode(play.replace("\n", " ").lower()))
pairs = np.bincount(plain[:-hump] * V + plain[hump:], minlength=V * V).reshape(V, V) / (len(plain) - hump)
left = mutual_information(pairs) / plays[list(distances).index(hump)]
assert left < 0.2
print(f"without line breaks and capitals {left:.0%} of it is left")

# %% [markdown]
# By counting alone we have found the line of the page, and it is exactly what no short chain can keep: to end a line in
# time one must know when it began.

# %% [markdown]
# ## 7 · Your own
#
# *How much of its own past does your writing need?* Give the chain a text file of yours, as long as possible: letters,
# a diary, code. It keeps a tenth for itself, chooses the order by it, and writes in your manner. Without a file it
# takes the two plays that we kept for choosing, *Macbeth* and *Twelfth Night*, to be yours.

# %% tags=["mine"]
MINE = None  # or open("my.txt", encoding="utf-8").read(): any text of some thousand letters

# %% tags=["mine", "showpiece"]
yours = data.shakespeare("validation") if MINE is None else MINE
cut = len(yours) * 9 // 10
spelling = CharCodec.train(yours)
old, new = (np.array(spelling.encode(part)) for part in (yours[:cut], yours[cut:]))
ladder = {k: ngram.fit([old], len(spelling.vocab), k, alpha=0.1) for k in range(7)}
costs_of = {k: -model.log_prob(new).mean() / np.log(2) for k, model in ladder.items()}
chosen = min(costs_of, key=costs_of.get)
ring = yours[:cut] + yours[:chosen]  # the end is followed by the beginning, so that it never gets stuck
walker = ngram.fit([np.array(spelling.encode(ring))], len(spelling.vocab), chosen)
print(f"{len(yours):,} letters; the best memory is {chosen} letters, {costs_of[chosen]:.2f} bits each\n")
said = spelling.decode(walker.sample(300, np.random.default_rng(course.seed()), old[:chosen]))
print(said)
assert all(said[i : i + chosen + 1] in ring for i in range(len(said) - chosen))  # it never leaves what it has read

# %% [markdown]
# *Odd:* every four letters in a row stand in the plays, the cell has checked it, and yet *abhorruptuosits* stands in
# none. The names of the speakers are spelt without a fault: after a line in capitals has begun, nearly all is decided.
# That a clown has the last word is luck.
#
# ## Checkpoint
#
# *A museum wants to generate digits in historical handwriting. One candidate scores 0.12 bits per pixel on unseen
# digits, another 0.20. Can you say which one draws better digits? And which one should compress the museum's scans?*
#
# <details><summary>Answer</summary>
#
# The first should compress: bits per pixel are the size of the compressed file, but for a bit or two (Shannon 1948),
# and the test is fair because the digits were unseen. Which one draws better cannot be said. The first may be a liar
# that prints snow 99 times in 100; the price for that is below 0.01 bits per pixel. The second may be a ghost. Look at
# unselected samples, judge them with a ruler that sees whole digits, and check that none is a copy of the training
# data.
#
# </details>

# %% [markdown]
# ## Break it
#
# Smoothing looked like a detail. Take it away: $\alpha = 0$ in (1.2), the chain of the best order, the unread plays.

# %%
bare = walkers[best].log_prob(held_out)
unheard = np.isneginf(bare)
print(f"grams that no training play contains: {unheard.mean():.2%}")
print("bits per character:", bits(walkers[best], held_out))
first = int(np.flatnonzero(unheard)[0])
print("the first of them:", repr(codec.decode(held_out[first : first + best + 1])))
assert 0 < unheard.mean() < 0.1 and bits(walkers[best], held_out) == np.inf

# %% [markdown]
# A few grams in a hundred were new, and *one* would have been enough. A model that says "impossible" and is wrong once
# is infinitely wrong, for ever, and no later success can pay for it. The opposite mistake is quieter:

# %%
trust = {alpha: bits(ngram.fit([text], V, best, alpha), held_out) for alpha in (0.001, 0.1, 10.0, 1e6)}
print("  ".join(f"alpha {alpha:g}: {value:.2f}" for alpha, value in trust.items()))
assert min(trust, key=trust.get) == 0.1 and np.isclose(trust[1e6], np.log2(V), atol=0.5)

# %% [markdown]
# Believe nothing, and you are back at the uniform baseline. Doubt is a quantity, and it can be measured: by the unread
# plays.
#
# ## What we measured

# %% tags=["nbval-ignore-output"]
course.summary()

# %% [markdown]
# The answer to the question: yes. By counting, a machine made words, strokes and tunes, and of what the best chain of
# letters wrote, less stands word for word in the plays than of an author who copied nobody. That chain remembers *four*
# letters. What it keeps are short habits. What it cannot keep is everything that takes a plan: the line, the digit, the
# home of a tune. The rest of the course is about machines that can.
#
# ## Limits
#
# - The nearest-neighbour judge sees pixels, not shapes, and takes its opinion from the data that the machines learnt
#   from.
# - Adding $\alpha$ to every count is the simplest smoothing, and a poor one for long contexts. Mixing the orders
#   (MacKay & Peto 1995) makes a longer memory pay; exercise 01.4 does it and beats the chapter.
# - We chose the orders on the validation data and $\alpha$ by hand; the number of bits for Shannon's English is for 27
#   symbols, ours for 63, so the two are neighbours, not rivals.
# - The pronouns are three words a side, counted without reading. That is a measurement of words, not of people.
# - (1.5) holds for large $N$; at the left end of the funnel it is already bent.
#
# ## Exercises
#
# In `exercises/01_concepts.ipynb`, of which `make lab` puts a copy into `my/`:
#
# - 01.1 · verify · 10 min · ●○○○○ · Bits of a text
# - 01.2 · verify · 10 min · ●○○○○ · A table, smoothed
# - 01.3 · modify · 15 min · ●●○○○ · A temperature for the chain
# - 01.4 · modify · 15 min · ●●○○○ · Mix the orders, and beat the chapter
# - 01.5 · modify · 20 min · ●●○○○ · The longest copy
# - 01.6 · investigate · 25 min · ●●●○○ · What is a leak worth?
# - 01.7 · investigate · 15 min · ●●○○○ · Does sharpening amplify a bias?
# - 01.8 · build · 40 min · ●●●○○ · A tune that keeps rules
# - 01.9 · debug · 20 min · ●●●○○ · Too good
# - 01.10 · challenge · 60 min · ●●●●● · A small memory
#
# ## References
#
# - Akaike, H. (1974). A new look at the statistical model identification. doi:10.1109/TAC.1974.1100705
# - Carlini, N. et al. (2021). Extracting training data from large language models. arXiv:2012.07805
# - Goodfellow, I. et al. (2014). Generative adversarial nets. arXiv:1406.2661
# - Ho, J., Jain, A. & Abbeel, P. (2020). Denoising diffusion probabilistic models. arXiv:2006.11239
# - Holtzman, A. et al. (2020). The curious case of neural text degeneration. arXiv:1904.09751
# - Kingma, D. P. & Welling, M. (2014). Auto-encoding variational Bayes. arXiv:1312.6114
# - Lin, H. W. & Tegmark, M. (2017). Critical behavior in physics and probabilistic formal languages.
#   doi:10.3390/e19070299, arXiv:1606.06737
# - MacKay, D. J. C. & Peto, L. C. B. (1995). A hierarchical Dirichlet language model. doi:10.1017/S1351324900000218
# - Markov, A. A. (2006, a lecture of 1913). An example of statistical investigation of the text *Eugene Onegin*
#   concerning the connection of samples in chains. doi:10.1017/S0269889706001074
# - Shannon, C. E. (1948). A mathematical theory of communication. doi:10.1002/j.1538-7305.1948.tb01338.x
# - Shannon, C. E. (1951). Prediction and entropy of printed English. doi:10.1002/j.1538-7305.1951.tb01366.x
# - Theis, L., van den Oord, A. & Bethge, M. (2016). A note on the evaluation of generative models. arXiv:1511.01844
# - Vaswani, A. et al. (2017). Attention is all you need. arXiv:1706.03762
