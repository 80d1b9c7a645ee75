# %% [markdown]
# # 11 · Evaluation: how to know whether a generator is good
#
# *read 83 min · do 195 min · run 79 s*
#
# **How do you know whether a generator is good?**
#
# Here are three machines that write English. The *parrot* recites lines of the plays that it was given. The *mixer*
# takes a real page and shuffles its words. The *stammerer* has one good line, and says it again and again. None of them
# generates anything, and you would not read a second page of any of them.
#
# Yet each of them is better than an honest generator by some number that papers print. The parrot's samples are
# perfect; they are Shakespeare's. The mixer has exactly the words of the real text, in exactly their shares, and copies
# no line. And nothing is less surprising than the stammerer's next sentence. A measure is a question, and each of these
# three knows the answer to one question by heart.
#
# The article that this course follows ends its evaluation with one sentence: use human judgement, BLEU, ROUGE and
# crowds. It does not say what any of them measures, or how sure one may be of the result. This chapter does. In each
# section there is a world whose truth we know, because we made it, and a measure that we let loose on it: what does it
# see, what does it not see, and how wide is its interval?
#
# ## What you need
#
# Chapter 01: cross-entropy. Chapter 03: nats and tokens. Chapter 08: FID, precision and recall, met there in one table,
# and taken apart here. Chapter 09: Wilson's interval of a share. From statistics: a mean, a standard deviation, and
# that a 95 % interval is one that holds the truth in 95 of 100 repetitions.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats

from aigc import course, data, released, show

device = course.start("11")
show.style()
rng, dice = np.random.default_rng(course.seed()), torch.Generator().manual_seed(course.seed())

# %% [markdown]
# ## What we will measure
#
# | question | measure | the truth that we know |
# |:--|:--|:--|
# | how surprised is it? | perplexity, bits per byte | the entropy rate of a chain that we wrote down |
# | is it near a reference? | BLEU, ROUGE, a cosine | which of two sentences means the same |
# | is it distributed as the real? | FID, KID, precision, recall, density, coverage | six diseases that we made |
# | is it various, is it new? | distinct-n, self-BLEU, Vendi, the longest copy | the three machines above |
# | what do people say? | agreement, a ranking, a crowd | people whom we simulated |
# | what does a model say? | its verdict, both ways round | which answer is right |
#
# And beside each distance stands a *floor*: what the same measure says of real data against other real data. Without it
# a distance means nothing.

# %%
show.diagram(
    {
        "truth": (0, 1, "truth"),
        "generator": (0, 0, "model"),
        "real data": (1, 1, "truth"),
        "samples": (1, 0, "model"),
        "measure": (2, 0.5, "baseline"),
        "number": (3, 0.5),
        "interval": (4, 0.5),
    },
    [
        ("truth", "real data"),
        ("generator", "samples"),
        ("real data", "measure"),
        ("samples", "measure"),
        ("measure", "number"),
        ("number", "interval", "again"),
    ],
    alt="A measure sees only real data and samples, never the truth or the generator; it gives a number, and to do it "
    "again gives an interval.",
)

# %% [markdown]
# ## 1 · Surprise
#
# *How surprised should the best possible model be?* Not *not at all*: a coin surprises whoever knows all about it. Take
# a text over five letters that comes in spells, long stretches of one mood. In a dull spell there is `a` after `a`, and
# with the probability 0.05 the spell ends. In a wild one any of `bcde` follows, all alike, and this too ends with the
# probability 0.05. Both last for 20 letters on average, so half of all letters are `a`.
#
# *Pencil: how surprised is one who knows these rules?* Surprise is $-\log p$. In a dull spell it is $-\log 0.95 = 0.05$
# nats for another `a`, and $-\log(0.05/4) = 4.38$ for a change; on average 0.27. In a wild one each letter has the
# probability $0.95/4$: about 1.44, or 3.00 for an `a`; on average 1.52. Half of the time each: 0.89 nats a letter. This
# is the **entropy rate** (熵率). No model can do better in the long run.
#
# The measure is the mean surprise of a model $q$ over $N$ letters, and its exponential is the **perplexity** (困惑度),
# as if each letter had been drawn from so many equally probable ones:
#
# $$\mathrm{PPL} = \exp\Big(-\frac1N \sum_{t=1}^{N} \log q(x_t \mid x_{<t})\Big) \tag{11.1}$$
#
# The mean in it is `evaluate.text.nats_per_token`. For the chain $2.44$: of five letters it needs no more than two and
# a half.
#
# *Predict 1.* We let the chain write 2,000 letters, and compute from them the mean and the usual 95 % interval, mean ±
# 1.96 standard errors. In how many of a hundred repetitions will the interval hold the truth?

# %%
P = np.full((5, 5), 0.95 / 4)  # P[i, j]: of letter j after letter i
P[0], P[1:, 0] = [0.95] + [0.05 / 4] * 4, 0.05
shares = np.array([0.5] + [0.125] * 4)
assert np.allclose(P.sum(1), 1) and np.allclose(shares @ P, shares)  # they stay as they are
rate = -(shares[:, None] * P * np.log(P)).sum()


def write(length: int, many: int) -> np.ndarray:
    """`many` texts of the chain, (many, length)."""
    x, limits = np.empty((many, length), int), P.cumsum(1)
    x[:, 0] = rng.choice(5, many, p=shares)
    for t in range(1, length):
        x[:, t] = (rng.random((many, 1)) > limits[x[:, t - 1], :-1]).sum(1)
    return x


texts = write(2001, 400)
surprise = -np.log(P[texts[:, :-1], texts[:, 1:]])  # (400, 2000), of one who knows the chain
print("".join("abcde"[i] for i in write(72, 1)[0]))
print(f"entropy rate {rate:.3f} nats, perplexity {np.exp(rate):.2f} of 5")
assert abs(surprise.mean() - rate) < 0.02

# %%
from aigc.evaluate.text import nats_per_token


class Chain(torch.nn.Module):
    def forward(self, ids, side=None):  # the library's models may be told more beside the ids
        return torch.tensor(np.log(P))[ids]  # logits (B, T, 5)


by_library = nats_per_token(Chain(), torch.tensor(texts[0]), window=64)
assert math.isclose(by_library, surprise[0].mean(), rel_tol=1e-9)  # (11.1) is the library's


def reach(values: np.ndarray, level: float = 0.95) -> np.ndarray:
    """How far Student's interval of the mean of independent numbers reaches, along the last axis."""
    n = values.shape[-1]
    return stats.t.ppf((1 + level) / 2, n - 1) * values.std(-1, ddof=1) / math.sqrt(n)


def covers(values: np.ndarray, truth: float) -> float:
    """In which share of the rows the interval of a row's mean holds the truth."""
    return (abs(values.mean(1) - truth) < reach(values)).mean()


naive, in_pieces = covers(surprise, rate), covers(surprise.reshape(400, 20, 100).mean(2), rate)

# %% tags=["nbval-ignore-output"]
print(f"letter by letter: {naive:.0%} of the intervals hold the truth;  in 20 pieces: {in_pieces:.0%}")

# %%
course.expect("11.naive_cover", naive, baseline=0.95)
assert in_pieces > 0.88

# %% [markdown]
# *Answer 1.* Not in ninety-five; in fewer than half. The formula for the standard error counts 2,000 independent
# letters. But surprises come in spells: of a hundred letters in one wild spell, the second to the hundredth tell little
# that is new. All text is like that, and so are pictures by one prompt and marks by one person. The remedy is simple,
# and nearly enough, nine intervals of ten or more: cut what belongs together into pieces that are long compared with a
# spell (here 20 pieces of 100 letters), and take each piece's mean as *one* number. We shall need it again for people.
#
# Now a trick that lowers no surprise and changes the number. Read the same text two letters at a time.


# %%
pairs = surprise[:, 0::2] + surprise[:, 1::2]  # of a pair, by the chain rule: the sum
by_letter, by_pair = np.exp(surprise.mean()), np.exp(pairs.mean())
print(f"perplexity: {by_letter:.2f} a letter, {by_pair:.2f} a pair")
assert math.isclose(by_pair, by_letter**2)  # it is squared, and the model is the same

# %% [markdown]
# A perplexity without its unit says nothing, and the unit is whatever the tokenizer made. Three models of this course
# read the same page of a play that two of them have never seen: one by letters, one by 1,001 pieces of words, and
# SmolLM2 by 49,152 pieces. Divide by bytes, which all texts have.
#
# *Predict 2.* Which of the three has the highest perplexity a token? And which is the best model?

# %% tags=["nbval-ignore-output"]
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel, GPT2Tokenizer, logging

from aigc.codecs.text import CharCodec

logging.set_verbosity_error()
logging.disable_progress_bar()
author, alphabet = released.load("shakespeare")
small = GPT2LMHeadModel.from_pretrained(released.path("gpt2"), dtype=torch.float32)
pieces = GPT2Tokenizer.from_pretrained(released.path("gpt2"))
talker = AutoModelForCausalLM.from_pretrained(data.smollm2(), dtype=torch.float32).to(device)
tokenizer = AutoTokenizer.from_pretrained(data.smollm2())
readers = {  # a model, how it cuts a text into tokens, and how many it sees at once
    "letters": (author, CharCodec(alphabet).encode, author.config.context),
    "1,001 pieces": (
        lambda ids, side: small(ids).logits, lambda text: pieces.encode(text.replace("\n\n", pieces.eos_token)), 128,
    ),
    "SmolLM2": (lambda ids, side: talker(ids.to(device)).logits.cpu(), tokenizer.encode, 256),
}  # fmt: skip


# %% tags=["nbval-ignore-output"]
def read_by(name: str, text: str) -> tuple[float, float]:
    """Perplexity a token, and bits a byte. The first token, which nothing comes before, counts as the others do."""
    model, encode, window = readers[name]
    ids = torch.tensor(encode(text))
    nats = nats_per_token(model, ids, window)
    return math.exp(nats), nats * len(ids) / math.log(2) / len(text.encode())


unread = data.shakespeare("test")[:700]
read = {name: read_by(name, unread) for name in readers}
for name, (perplexity, bits_a_byte) in read.items():
    print(f"{name:<14} perplexity {perplexity:6.1f} a token, {bits_a_byte:.2f} bits a byte")

# %%
by_token, by_byte = (sorted(read, key=lambda name: read[name][part]) for part in (0, 1))
assert by_token == ["letters", "1,001 pieces", "SmolLM2"] and by_byte[0] == "SmolLM2"

# %% [markdown]
# *Answer 2.* SmolLM2 is the worst by perplexity and the best by bytes. (And who knows what it has read: *Henry V* is
# all over the web, so for SmolLM2 this page is no test at all. A perplexity also asks whether the text was held out.)
#
# ### Good marks and bad works, by construction
#
# Is a model with little surprise a good generator? Theis et al. (2016) take two models apart by hand. The first writes
# as the true chain does in one of a hundred texts; in the others it rolls dice. A text $x$ of 500 letters has, under
# it, *at least* the probability $0.01\,p(x)$:
#
# $$-\log q(x) \le -\log p(x) + \log 100 \tag{11.2}$$
#
# The second has 20 real texts by heart and recites one of them, and to be safe it keeps a probability of a millionth
# for dice. (`mixture` and `parrot`, below, are both.)
#
# *Predict 3.* How much more surprised than the truth is each of them, in nats a letter? And of which would you take the
# samples?

# %%
by_heart, unseen = write(500, 20), write(500, 200)
log_p = lambda x: np.log(shares[x[:, 0]]) + np.log(P[x[:, :-1], x[:, 1:]]).sum(1)
by_chance = lambda x: np.full(len(x), x.shape[1] * np.log(1 / 5))


def mixture(x):
    return np.logaddexp(np.log(0.01) + log_p(x), np.log(0.99) + by_chance(x))


def parrot(x):
    known = (x[:, None] == by_heart).all(2).any(1)
    return np.where(known, np.log((1 - 1e-6) / 20), np.log(1e-6) + by_chance(x))


cost = {name: -q(unseen).mean() / 500 for name, q in (("truth", log_p), ("mixture", mixture), ("parrot", parrot))}
for name, nats in cost.items():
    print(f"{name:<8} {nats:.3f} nats a letter")
assert cost["mixture"] - cost["truth"] <= math.log(100) / 500 + 1e-9  # (11.2)
assert cost["parrot"] > cost["truth"] + 0.6 and np.isin(parrot(by_heart), np.log((1 - 1e-6) / 20)).all()

# %% [markdown]
# *Answer 3.* The mixture costs 0.009 nats a letter more than the truth, and 99 of a hundred of its texts are noise. The
# parrot is a disaster by its marks, and all of its texts are real, but for one in a million. So surprise does not see
# what a single sample looks like, and a look at samples does not see what is missing. (Mind what made it possible: a
# bound *per text*, divided by many letters.)
#
# ## 2 · Against a reference
#
# *If there is a right answer, can one count how near a text is to it?* That is what BLEU and ROUGE do. The first was
# invented for translations, the second for summaries, and both count words.
#
# A reference: *the sun sets behind the red clouds*. A candidate: *the sun sets behind red clouds*. Of its six words all
# stand in the reference; of its five pairs four; of its four triples two; of its three runs of four, one. **BLEU**
# (Papineni et al. 2002) is the geometric mean of these four precisions. Four sure words in a row would be perfect, so
# there is a price for being short. With $c$ words in the candidate, $r$ in the reference and precisions $p_n$:
#
# $$\mathrm{BLEU} = \exp\big(\min(0,\, 1 - r/c)\big)\, \Big(\prod_{n=1}^{4} p_n\Big)^{1/4} \tag{11.3}$$
#
# *Pencil:* $e^{1 - 7/6} = 0.8465$, and $(1 \cdot 4/5 \cdot 2/4 \cdot 1/3)^{1/4} = 0.6043$. Together 0.5115, which
# everybody writes as 51.2. Two details: a word counts no more often than the reference has it, or *the the the the*
# would be excellent; and for many sentences one adds up the counts first, and divides once. In code, `bleu`.


# %%
from collections import Counter


def bleu(candidates: list[str], references: list[str]) -> float:
    pairs = [(c.split(), r.split()) for c, r in zip(candidates, references, strict=True)]
    c, r = (sum(map(len, side)) for side in zip(*pairs))
    precisions = []
    for n in range(1, 5):
        grams = lambda words, n=n: Counter(zip(*(words[i:] for i in range(n))))
        hits = sum((grams(a) & grams(b)).total() for a, b in pairs)  # no more often than the reference has it
        precisions.append(hits / max(1, sum(grams(a).total() for a, _ in pairs)))
    return 100 * math.exp(min(0, 1 - r / c)) * math.prod(precisions) ** (1 / 4)  # (11.3)


from sacrebleu.metrics import BLEU

plain = BLEU(tokenize="none", smooth_method="none")
two = ["the sun sets behind red clouds", "a lone duck flies over the autumn water"]
their = ["the sun sets behind the red clouds", "one lone duck flies over the autumn water and the sky"]
print(f"{bleu(two[:1], their[:1]):.1f}, both sentences {bleu(two, their):.1f}")
for many in (1, 2):
    assert math.isclose(bleu(two[:many], their[:many]), plain.corpus_score(two[:many], [their[:many]]).score)
half = [1.0, 4 / 5, 2 / 4, 1 / 3]
by_book = 100 * math.exp(1 - 7 / 6) * math.prod(p**0.5 ** (n + 1) for n, p in enumerate(half))
print(f"with the exponents 1/2, 1/4, ...: {by_book:.1f}")

# %% [markdown]
# Equal to the digit. (The last line is a well-known book's BLEU, which weighs the four by $1/2^n$: Zhang et al. 2023,
# section 10.7. It is another measure by the same name. A BLEU is quoted with its program and its settings, which
# sacrebleu calls the *signature*; Post 2018.)
#
# **ROUGE**, Lin's measure of summaries, asks the other way round, how much *of the reference* is there. ROUGE-1 and
# ROUGE-2 count words and pairs. ROUGE-L (Lin & Och 2004) takes the longest common **subsequence**: words in the same
# order, *with gaps*. It is no substring. Our candidate has all its six words in the right order, so its longest common
# subsequence is six; its longest common substring, four. With recall $R$ and precision $\pi$ of these six, $F =
# 2R\pi/(R + \pi)$:


# %%
from rouge_score import rouge_scorer


def subsequence(a: list[str], b: list[str]) -> int:
    best = np.zeros((len(a) + 1, len(b) + 1), int)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            best[i + 1, j + 1] = best[i, j] + 1 if x == y else max(best[i, j + 1], best[i + 1, j])
    return best[-1, -1]


a, b = two[0].split(), their[0].split()
six = subsequence(a, b)
F = 2 * (six / 7) * (six / 6) / (six / 7 + six / 6)
theirs = rouge_scorer.RougeScorer(["rougeL"]).score(their[0], two[0])["rougeL"]
assert six == 6 and math.isclose(F, theirs.fmeasure)
print(f"ROUGE-L: {F:.3f}, from {six} words in order")

# %% [markdown]
# ### What is a word, in Chinese?
#
# Both count words, and Chinese is written without spaces. So somebody has to cut it. sacrebleu knows several ways:
# `13a`, its default, cuts at spaces and at English punctuation, `intl` at the punctuation of all scripts; `zh` takes
# each Chinese character for a word, and `char` each character of whatever script. rouge-score has one way for English,
# and takes another `tokenizer` if you hand it one.
#
# *Predict 4.* A line of Wang Bo's preface, and the same line with three characters changed: which BLEU does each way of
# cutting give? And what is the ROUGE of the line with itself?

# %%
original, changed = "王勃在675年写下落霞与孤鹜齐飞，秋水共长天一色。", "王勃在676年写下晚霞与孤鹜同飞，秋水共长天一色。"
cut = {
    way: BLEU(tokenize=way, effective_order=True).sentence_score(changed, [original]).score
    for way in ("13a", "intl", "char", "zh")
}
itself = rouge_scorer.RougeScorer(["rouge1"]).score("落霞与孤鹜齐飞", "落霞与孤鹜齐飞")["rouge1"].fmeasure
print("BLEU:", ", ".join(f"{way} {score:.1f}" for way, score in cut.items()))
print(f"ROUGE of a line with itself: {itself:.0f}")
assert cut["13a"] < 1 < cut["intl"] < cut["zh"] < cut["char"] and itself == 0

# %% [markdown]
# *Answer 4.* From 0 to the sixties, for the same two lines. `13a`, the default, was made for English: to it a line is
# one word, which is wrong. To `intl` it is four, two clauses and two marks, and that its score lies near that of `zh`
# is an accident of how sacrebleu smooths a precision of zero. `zh` cuts Chinese into characters and leaves numbers
# whole, `char` cuts these too, and earns a higher score by it: two of three digits are right. And rouge-score's own way
# keeps nothing but `a` to `z` and digits, so that a Chinese line has no words at all, and *no agreement with itself*.
# No error, no warning: a zero in a table.
#
# ### Sentences that mean the opposite
#
# Now the question that all this is for: does a higher score mean that it says the same? Fifteen sentences, each with a
# paraphrase that shares few words with it and a sentence that shares nearly all, and says the opposite. We wrote them
# to be hard, so these shares are no average over the world, and the intervals speak only of sentences that are made as
# these were. Beside BLEU, chrF (which counts runs of letters; Popović 2015) and ROUGE-L stands the cosine of two
# vectors, which a network makes of sentences: all-MiniLM-L6-v2 (Wang et al. 2020), trained in the manner of Reimers &
# Gurevych (2019) on a billion pairs of sentences that belong together. It counts no words at all.
#
# *Predict 5.* How many of the fifteen does BLEU get right, and how many does MiniLM?

# %% tags=["mine"]
MINE = None  # or a list of (sentence, its paraphrase, its opposite), or of paths: (picture, one like it, one unlike it)
PAIRS = """
The museum was full of visitors. | Crowds filled the galleries. | The museum was empty of visitors.
Take the pills with food. | Eat something when you swallow these tablets. | Do not take the pills with food.
She agreed to sell the house. | She said yes to selling her home. | She refused to sell the house.
The bridge is safe for heavy trucks. | Big lorries can cross without danger. | The bridge is unsafe for heavy trucks.
He always arrives before nine. | You find him here by nine every day. | He never arrives before nine.
Prices rose sharply last spring. | Spring brought much higher prices. | Prices fell sharply last spring.
The goalkeeper saved the last shot. | The final attempt was stopped. | The goalkeeper missed the last shot.
All passengers survived. | Nobody on board died. | No passengers survived.
The water in this river is clean. | Nothing pollutes this stream. | The water in this river is dirty.
The court found him guilty. | The judges decided that he had done it. | The court found him innocent.
You can pay with cash here. | This shop accepts coins and notes. | You cannot pay with cash here.
The train was late. | It came after its time. | The train was early.
My grandmother likes spicy food. | Hot dishes please my granny. | My grandmother hates spicy food.
The battery lasts longer than a day. | Once charged, it works for over 24 hours. | The battery lasts less than a day.
Turn left at the second crossing. | Go left where the next but one street crosses. | Turn right at the second crossing.
"""

# %% tags=["mine"]
from pathlib import Path

from PIL import Image
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF
from transformers import AutoModel, AutoTokenizer

mini_tokenizer, mini = AutoTokenizer.from_pretrained(data.minilm()), AutoModel.from_pretrained(data.minilm())


@torch.inference_mode()
def vectors(sentences: list[str]) -> torch.Tensor:
    """(N, 384): the mean over each sentence's tokens, not over its padding, scaled to length 1."""
    batch = mini_tokenizer(sentences, padding=True, truncation=True, return_tensors="pt")
    hidden, mask = mini(**batch).last_hidden_state, batch.attention_mask[:, :, None]
    return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)


# %% tags=["mine"]
cosine = lambda a, b: float(torch.dot(*vectors([a, b])))
sentence_bleu, chrf, rouge = BLEU(effective_order=True), CHRF(), rouge_scorer.RougeScorer(["rougeL"])
MEASURES = {
    "BLEU": lambda reference, text: sentence_bleu.sentence_score(text, [reference]).score,
    "chrF": lambda reference, text: chrf.sentence_score(text, [reference]).score,
    "ROUGE-L": lambda reference, text: 100 * rouge.score(reference, text)["rougeL"].fmeasure,
    "MiniLM": lambda reference, text: 100 * cosine(reference, text),
}


# %% tags=["mine"]
def wilson(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, of which we saw so many hits."""
    return tuple(stats.binomtest(int(hits), of).proportion_ci(method="wilson"))


triples = [tuple(map(str.strip, row.split("|"))) for row in PAIRS.strip().splitlines()] if MINE is None else MINE
if not triples or any(isinstance(row, str) or len(row) != 3 for row in triples):
    raise ValueError(f"MINE holds rows of three, (one, one like it, one unlike it), not {str(MINE)[:80]}")
pictures = Path(triples[0][0]).suffix.lower() in (".png", ".jpg", ".jpeg")
if pictures:  # all of them, or none of them
    grey = lambda path, size: np.asarray(Image.open(path).convert("L").resize((size, size))) / 255
    alike = lambda size: lambda a, b: 100 - 100 * np.sqrt(np.mean((grey(a, size) - grey(b, size)) ** 2))
    MEASURES = {"64 x 64": alike(64), "8 x 8": alike(8)}  # as in the next section: what do the features see?

# %% tags=["mine"]
prefers_same, right, means = {}, {}, {}
print(f"{'':<9}{'same':>6}{'opposite':>10}{'right':>8}   95 % interval")
for name, measure in MEASURES.items():
    scores = np.array([[measure(said, same), measure(said, opposite)] for said, same, opposite in triples])
    prefers_same[name] = scores[:, 0] > scores[:, 1]
    right[name], means[name] = prefers_same[name].sum(), scores.mean(0)
    low, high = wilson(right[name], len(triples))
    same, opposite = means[name]
    print(f"{name:<9}{same:6.0f}{opposite:10.0f}{right[name]:4} of {len(triples):<4}{low:4.0%} to {high:.0%}")
    assert -100.1 <= means[name].min() <= means[name].max() <= 100.1  # a percentage, or a cosine

# %% tags=["nbval-ignore-output", "mine"]
if not pictures:
    shuffled = [" ".join(rng.permutation(said.rstrip(".").split())) for said, _, _ in triples]
    salad = {n: np.mean([m(t[0], s) for t, s in zip(triples, shuffled)]) for n, m in MEASURES.items()}
    print("the sentence, shuffled:", ", ".join(f"{name} {score:.0f}" for name, score in salad.items()))

# %% tags=["mine"]
if MINE is None:
    assert right["BLEU"] == right["chrF"] == right["ROUGE-L"] == 0 and right["MiniLM"] <= 3
    assert salad["BLEU"] < 40 and salad["MiniLM"] > 80

# %% [markdown]
# *Answer 5.* None, and as good as none. BLEU, chrF and ROUGE-L give the opposite several times the marks of the
# paraphrase, for *not* is one word, and a paraphrase is built of others. MiniLM knows that a paraphrase is near, and it
# still finds the opposite nearer: perhaps since a sentence and its denial stand in the same places. And it is fooled in
# a way of its own. Shuffle the words of a sentence, and its vector hardly moves, where BLEU falls at once.
#
# So: a score against a reference may show, roughly, whether two versions of *one* system differ, on many texts. It does
# not say that a text is right. Put your own fifteen into `MINE`, above: sentences, or pictures. Of two pictures we
# compare the grey values, at 64 × 64 places and at 8 × 8.
#
# ## 3 · Of a distribution
#
# *Which measure sees which disease?* A generator of pictures has no reference to be near to: it should be *distributed*
# as the real ones. We make six sick generators from real digits, so that we know exactly what is wrong with each:
#
# - **dropped**: no fours and no sevens;
# - **copied**: the digits of the real set itself, which the others never show;
# - **few**: a hundred digits, ten times each; which hundred matters, so we make six such machines and take the mean;
# - **blurred**; **noisy**;
# - **wrong mix**: every second digit is a zero or a one.
#
# And a **healthy** one: real digits that are not in the real set.

# %%
from torchvision.transforms.functional import gaussian_blur

digits, labels = data.digits()
order = rng.permutation(len(digits))
real, rest = order[:2000], order[2000:]  # indices; `rest` is never shown as real
some = lambda where, many: rng.choice(where, many, replace=len(where) < many)
without = rest[~np.isin(labels[rest], (4, 7))]
simple = rest[np.isin(labels[rest], (0, 1))]
thousand = digits[some(rest, 1000)]
blur = gaussian_blur(torch.tensor(thousand)[:, None].float(), 5, 1.1)[:, 0].round().byte().numpy()
noise = (thousand + rng.normal(0, 30, thousand.shape)).clip(0, 255).astype(np.uint8)
sick = {
    "dropped": digits[some(without, 1000)],
    "copied": digits[some(real, 1000)],
    "few": digits[np.repeat(some(rest, 100), 10)],
    "blurred": blur,
    "noisy": noise,
    "wrong mix": digits[np.concatenate([some(simple, 500), some(rest, 500)])],
}
assert all(len(ill) == 1000 for ill in sick.values()) and not np.isin(real, rest).any()

# %% [markdown]
# Chapter 08 used four measures in the features of a small judge; here they are again, with two more and a detector of
# copies. Let each real digit have a *ball*, with the distance to its fifth real neighbour as its radius (Kynkäänniemi
# et al. 2019, who take the third; Naeem et al. 2020, the fifth):
#
# - **FID** (Heusel et al. 2017) $= |\mu_1 - \mu_2|^2 + \mathrm{tr}(C_1 + C_2 - 2(C_1 C_2)^{1/2})$, of the means and
#   covariances of the two clouds;
# - **KID** (Bińkowski et al. 2018), with a kernel $(x \cdot y/d + 1)^3$ for $d$ features: its mean over pairs of reals,
#   plus its mean over pairs of fakes, minus twice its mean over pairs of one real and one fake; without bias, if the
#   samples are independent;
# - **precision**: the fakes that lie in some real ball; **recall**: the reals that lie in some ball *of the fakes*;
# - **density**: in how many real balls a fake lies, over five; **coverage**: the real balls that hold a fake:
#
# $$\mathrm{coverage} = \frac1N \sum_{i=1}^{N} \mathbb 1\big[\exists j:\; |y_j - x_i| \le r_i\big] \tag{11.4}$$
#
# with reals $x_i$, their radii $r_i$ and fakes $y_j$. It is `evaluate.image.density_coverage`. *Pencil: the reals are
# 0, 1, 2, 3 on a line, and $r = 1$ (one neighbour). The only fake is at 1.4. Which balls hold it? Those of 1 and 2: two
# of four, so the coverage is 1/2; and the fake lies in a ball, so the precision is 1.*

# %%
from aigc.evaluate.image import density_coverage, frechet, judged, kernel_distance, nearest, precision_recall

points, fake = torch.tensor([[0.0], [1], [2], [3]]), torch.tensor([[1.4], [1.4]])  # two, for a ball needs a neighbour
assert density_coverage(points, fake, k=1)[1] == 0.5 and precision_recall(points, fake, k=1)[0] == 1
judge = released.load("judge")[0].to(device)
features = lambda images: judged(judge, images)[0]
cloud = features(digits)


def measures(fakes: np.ndarray, inside: torch.Tensor) -> dict[str, float]:
    """Of a thousand pictures and their features, against the 2,000 real digits."""
    precision, recall = precision_recall(cloud[real], inside)
    density, coverage = density_coverage(cloud[real], inside)
    copies = (nearest(fakes, digits[real])[1] < 8).mean()  # grey levels
    return {
        "FID": frechet(cloud[real], inside), "KID": kernel_distance(cloud[real], inside), "precision": precision,
        "recall": recall, "density": density, "coverage": coverage, "copies": copies,
    }  # fmt: skip


# %%
healthy = [measures(digits[at], cloud[at]) for at in (some(rest, 1000) for _ in range(6))]
floor = {name: np.mean([one[name] for one in healthy]) for name in healthy[0]}

# %% [markdown]
# A difference counts if it is larger than any between six healthy thousands, by half or more, since these share some of
# their digits: 0.08 for shares, 0.12 for density, 30 for FID and 1,200 for KID, on this judge's scale. Of precision we
# ask 0.2, because a blurred digit loses anything from nothing to 0.12 of it, as the draw falls. A `-` is *worse than
# healthy*, a `+` is **better than real digits**, an empty box is not seen.
#
# *Predict 6.* Which disease does FID not see? And which one looks *better* than real digits?

# %%
LEAST = {"FID": 30, "KID": 1200, "precision": 0.2, "recall": 0.08, "density": 0.12, "coverage": 0.08, "copies": 0.08}
spread = {name: np.ptp([one[name] for one in healthy]) for name in floor}
assert all(1.4 * spread[name] < LEAST[name] for name in floor)  # nothing healthy would be called sick
diagnosis = {disease: measures(images, features(images)) for disease, images in sick.items()}
hundreds = [np.repeat(some(rest, 100), 10) for _ in range(5)]
six = [diagnosis["few"], *(measures(digits[at], cloud[at]) for at in hundreds)]
diagnosis["few"] = {name: np.mean([one[name] for one in six]) for name in LEAST}
table = dict.fromkeys(diagnosis, "")
for disease, symptoms in diagnosis.items():
    for name, least in LEAST.items():
        change = (symptoms[name] - floor[name]) * (-1 if name in ("FID", "KID", "copies") else 1)
        table[disease] += "-" if change < -least else "+" if change > least else "."

# %% tags=["showpiece"]
fig, axes = plt.subplots(len(sick), 1, figsize=(7, 4.6))
for ax, (disease, marks) in zip(axes, table.items()):
    ax.imshow(255 - np.concatenate([*sick[disease][:4]], 1), cmap="gray", vmin=0, vmax=255, extent=(0, 4, 0, 1))
    for place, mark in enumerate(marks):
        color = {"-": show.SUNSET, "+": show.WATER, ".": "none"}[mark]
        ax.add_patch(plt.Rectangle((4.3 + place, 0.1), 0.9, 0.8, fc=color, ec="0.7"))
        ax.text(4.75 + place, 0.47, mark.replace("-", "−").replace(".", ""), ha="center", va="center", color="white")
    ax.set(xlim=(-2.1, 11.3), ylim=(0, 1), aspect="equal")
    ax.text(-0.2, 0.5, disease, ha="right", va="center")
    ax.axis("off")
for place, name in enumerate(LEAST):
    axes[0].text(4.75 + place, 1.15, name, ha="left", va="bottom", rotation=40, fontsize=9)
show.figure(
    fig,
    alt="Six sick generators, four digits of each, and seven measures: which is worse than for real digits, which "
    "better, which does not see it. FID and coverage see five of six, only the last column sees the copies.",
)

# %% [markdown]
# *Odd:* the second row. It is the only one without a fault that FID could see, and it has two signs of *better*.

# %% tags=["nbval-ignore-output"]
print(f"FID: healthy {floor['FID']:.1f}, copied {diagnosis['copied']['FID']:.1f}")

# %%
assert table == {
    "dropped": "--.-.-.",
    "copied": "....++-",
    "few": "--.-.-.",
    "blurred": "--.---.",
    "noisy": "------.",
    "wrong mix": "--...-.",
}
assert diagnosis["copied"]["FID"] < min(one["FID"] for one in healthy)

# %% [markdown]
# *Answer 6.* FID does not see the copies; it even falls: nothing is nearer to the real than the real. Density and
# coverage call them better than real digits that were not copied. Only the last column sees them, and it looks at
# nothing but the nearest neighbour.
#
# Read the table by columns. *Precision* surely sees one disease of six: a blurred digit is still where digits are, or
# nearly. *Recall* does not see a wrong mix, because every kind is still there. *Coverage* and FID see the same five. So
# what is the use of the others? They narrow it down: density down, the pictures are strange; recall down and density
# not, something is missing. One number says that something is wrong, and several, roughly what. (A missing kind and too
# few different pictures have the same row. And KID has the same column as FID: its use is another, below.)
#
# ### FID has a size
#
# Real digits have a FID above 0 against other real ones, and the fewer there are, the further above (chapter 08 broke
# it so at its end). Covariances of few points are too large in some directions and too small in others, and FID squares
# both. How far above? To first order the bias is a constant over $N$. So measure at several sizes, draw a line through
# FID against $1/N$, and read off its height at $1/N = 0$ (Chong & Forsyth 2020): `evaluate.image.frechet_unlimited`.
# (It takes away the bias of the few fakes; that of the 2,000 reals stays, about half of what two thousand against two
# thousand have. And the line needs many more points than features.)

# %%
from aigc.evaluate.image import frechet_unlimited

sizes = [100, 150, 200, 300, 500, 1000, 2000]
biased = [np.mean([frechet(cloud[real], cloud[some(rest, N)]) for _ in range(20)]) for N in sizes]
unlimited = frechet_unlimited(cloud[real], cloud[rest], sizes[2:] * 5, dice)
fig, ax = plt.subplots()
ax.plot([1 / N for N in sizes], biased, "o-", color=show.WATER, label="real against real")
ax.plot(0, unlimited, "D", color=show.DUSK, label="extrapolated")
ax.set(xlabel="1 / number of digits", ylabel="FID", ylim=(0, None))
ax.legend()
show.figure(
    fig,
    alt="FID of real digits against other real ones grows with one over their number; at infinitely many it is small.",
)

# %% tags=["nbval-ignore-output"]
print(f"FID of real digits: {biased[2]:.0f} of 200, {biased[-1]:.0f} of 2,000, {unlimited:.0f} of infinitely many")

# %%
course.expect("11.fid_200", biased[2], baseline=biased[-1])
assert all(a > b for a, b in zip(biased[1:], biased[2:])) and abs(unlimited) < biased[-1]

# %% [markdown]
# Never compare FIDs of different numbers of pictures: nothing is better about two thousand of these digits than about
# two hundred, and their FID is several times smaller. The published FID has 2,048 features, ours 64. What would 512
# pictures say there? A covariance of 512 points has 511 directions; of the other 1,537 it knows nothing. With $A$ and
# $B$ the centred clouds over $\sqrt{N-1}$, the trace of $(C_1 C_2)^{1/2}$ is the sum of the singular values of $A
# B^\top$, a small matrix, so that we need not compute in 2,048 dimensions at all. Three fakes, against a standard
# Gaussian: the same; one that is moved by 0.1 in each direction; and one whose deviations are 0.9. The true distance of
# both others is $2048 \cdot 0.1^2 = 20.5$:


# %%
def frechet_of_few(real, fake):
    A, B = ((x - x.mean(0)) / math.sqrt(len(x) - 1) for x in (real, fake))
    root = np.linalg.svd(A @ B.T, compute_uv=False).sum()
    return ((real.mean(0) - fake.mean(0)) ** 2).sum() + (A**2).sum() + (B**2).sum() - 2 * root


little = rng.normal(size=(2, 90, 7))
assert math.isclose(frechet_of_few(*little), frechet(*torch.tensor(little)), rel_tol=1e-6)
gauss = lambda shift=0.0: rng.normal(shift, 1, (512, 2048))
fakes = {"the same": gauss, "moved by 0.1": lambda: gauss(0.1), "narrower by 0.1": lambda: 0.9 * gauss()}
few = {name: [frechet_of_few(gauss(), draw()) for _ in range(5)] for name, draw in fakes.items()}
for name, values in few.items():
    print(f"{name:<16} {min(values):.0f} to {max(values):.0f}, in five draws")
assert min(few["the same"]) > 50 * 20.5 and max(few["the same"]) < min(few["moved by 0.1"])
assert max(few["narrower by 0.1"]) < min(few["the same"])  # further from the truth, and a better FID

# %% [markdown]
# The floor is a hundred times higher than what was to be found. The moved cloud stands above it by about its true 20.5,
# so one might subtract the floor. But the narrower one, which is as far from the truth, has a *lower* floor: its FID is
# better than that of no difference at all. Each machine has a floor of its own, which nobody knows. FID of 512 points
# in 2,048 such dimensions means nothing. (Real features use fewer directions than they have numbers, so that their
# floor is lower; nobody knows how much, before it is measured.)
#
# ### What the features decide
#
# A distance between clouds sees what the features see. Take, in place of the judge, the pictures themselves, made
# small: 7 × 7 grey values. *Which disease is worse now, blurred or the wrong mix?*

# %%
tiny = lambda images: torch.tensor(images.reshape(-1, 7, 4, 7, 4).mean((2, 4)).reshape(-1, 49))
worse = {}
for name, view in (("judge", features), ("7 x 7", tiny)):
    those = view(digits[real])
    base = np.mean([frechet(those, view(digits[some(rest, 1000)])) for _ in range(3)])
    for disease in ("blurred", "wrong mix"):
        worse[name, disease] = frechet(those, view(sick[disease])) / base
        print(f"{name:<6} {disease:<10} {worse[name, disease]:3.0f} floors")
assert worse["judge", "blurred"] > worse["judge", "wrong mix"]
assert worse["7 x 7", "blurred"] < worse["7 x 7", "wrong mix"]
# %% [markdown]
# Through the judge the blur is worse; through 49 grey values it is the wrong mix, since each of them is a mean of
# sixteen pixels already. Neither is wrong. The published FID looks through Inception, a network that learnt to tell a
# thousand kinds of photographs apart, and it is used for faces, for digits and for X-rays.
#
# ## 4 · Variety and copying
#
# *Does it always say the same, and did it say it first?* Back to the three machines of the beginning. All of them, and
# an honest model (the small GPT of chapter 03), write a page of Shakespeare, thirty lines. Five pages of a play that
# neither the parrot nor the model has seen are the floor, and they show how far it moves from page to page.
#
# - **distinct-2** (Li et al. 2016): of all pairs of words, the share that is different (they themselves divide by the
#   number of words);
# - **self-BLEU** (Zhu et al. 2018): the BLEU of each line with all others as its references;
# - the **Vendi score** (Friedman & Dieng 2023): how many lines that are altogether unlike would be as various. With the
#   eigenvalues $\lambda_i$ of $K/N$, where $K$ holds the similarities of $N$ lines (here the cosines of MiniLM's
#   vectors) and has ones on its diagonal,
#
# $$\mathrm{Vendi} = \exp\Big(-\sum_i \lambda_i \log \lambda_i\Big) \tag{11.5}$$
# which is `evaluate.variety.vendi`. *Pencil: six lines, two kinds, three times each. $K/6$ has the eigenvalues 1/2, 1/2
# and zeros, and the score is 2*;
#
# - the **longest copy**: the most letters in a row that stand in the training plays;
# - **surprise**, in bits a byte (here a letter), to a reader: SmolLM2. (It may have read *Henry V* before, and the
#   other plays, too.) These two look at the first 250 letters of a page, the others at all its lines, or at 150 words.
#
# *Predict 7.* Which page has the highest share of different pairs of words: a real one?

# %%
from aigc import sample
from aigc.codecs.text import CharCodec
from aigc.evaluate.variety import distinct, longest_copy, self_bleu, vendi

kinds = np.repeat([0, 1], 3)
assert math.isclose(vendi((kinds[:, None] == kinds).astype(float)), 2)  # as by hand
plays, unheard = data.shakespeare(), data.shakespeare("test")
lines = lambda text: [line for line in text.splitlines() if len(line.split()) > 3]
known, unknown, codec = lines(plays), lines(unheard), CharCodec(alphabet)
typed = sample.tokens(author, torch.tensor([codec.encode("\n\n")]), 2000, temperature=0.9, generator=dice)
bag = rng.permutation(" ".join(unknown[150:180]).split())
held_out = [unknown[at : at + 30] for at in range(0, 150, 30)]
machines = {
    "model": lines(codec.decode([int(letter) for letter in typed]))[:30],
    "parrot": [known[i] for i in rng.choice(len(known), 30, replace=False)],
    "mixer": [" ".join(part) for part in np.array_split(bag, 30)],
    "stammerer": [known[int(rng.integers(len(known)))]] * 30,
}
assert min(map(len, machines.values())) == 30


# %% tags=["nbval-ignore-output"]
def look(verses: list[str]) -> dict[str, float]:
    start, v = "\n".join(verses)[:250], vectors(verses)
    return {
        "surprise": read_by("SmolLM2", start)[1], "distinct-2": distinct(" ".join(verses).split()[:150], 2),
        "self-BLEU": self_bleu(verses), "Vendi": vendi((v @ v.T).double().fill_diagonal_(1).numpy()),
        "copy": len(longest_copy(start, plays)),
    }  # fmt: skip


floors = [look(verses) for verses in held_out]
low, high = ({name: way(one[name] for one in floors) for name in floors[0]} for way in (min, max))
seen = {name: look(verses) for name, verses in machines.items()}
print(f"{'':<16}{'surprise':>9}{'distinct-2':>12}{'self-BLEU':>11}{'Vendi':>7}{'longest copy':>14}")
for name, row in {"held out, least": low, "held out, most": high, **seen}.items():
    print(f"{name:<16}" + "{:9.2f}{:12.2f}{:11.1f}{:7.1f}{:14}".format(*row.values()))

# %%
for name in ("model", "parrot", "mixer"):  # various, like a real page; the parrot's copy and the mixer's surprise show
    assert seen[name]["distinct-2"] > 0.9 and seen[name]["self-BLEU"] < high["self-BLEU"] + 5
    assert seen[name]["Vendi"] > low["Vendi"] - 5
same = seen["stammerer"]
assert same["Vendi"] < 1.01 and same["self-BLEU"] > 99.9 and same["distinct-2"] < 0.2
assert seen["parrot"]["copy"] > 35 > max(high["copy"], seen["model"]["copy"], seen["mixer"]["copy"])
assert same["surprise"] < low["surprise"] - 0.5
assert seen["mixer"]["surprise"] > max(high["surprise"], seen["model"]["surprise"], seen["parrot"]["surprise"])

# %% [markdown]
# *Answer 7.* One cannot tell: nearly all pairs are different on every page but the stammerer's, and by each of the
# three the parrot and the mixer are about as various as Shakespeare. Three measures of variety agree, and all three see
# one liar of three, the stammerer. The parrot is caught by the longest copy alone: a page that nobody has copied shares
# fifteen or twenty letters with other plays, and the parrot's page shares whole lines, as the stammerer's does. The
# mixer is caught by surprise alone. (The honest model may be more surprising than Shakespeare, too, and so may the
# parrot, whose lines do not belong together; but by less.) And mind the stammerer's surprise: it is the *lowest* of
# all. By surprise alone the stammerer would win, by variety the parrot is as good as any, and by novelty so is the
# mixer.
#
# That is the method of this chapter. Before you trust a measure, build somebody who cheats it; and put beside it a
# measure that this one cannot cheat.
#
# ## 5 · People
#
# *How many people have to be asked?* More than one thinks, and it can be computed before the first is asked. The surest
# question is the smallest: two works side by side, *which is better?* Marks from 1 to 5 mean something else to
# everybody; a choice between two does not. Mix the order, hide who made what, never choose the examples. An interval
# for a share is *Wilson's* (chapter 09), which holds near 0 and 1, where mean ± 1.96 standard errors does not.
#
# Say that machine A is truly preferred in 60 of a hundred pairs. With $n$ judgements the share that we find has a
# standard deviation of about $\sqrt{p(1-p)/n}$. To tell $p$ from a coin in 80 of a hundred such studies, with a test at
# 5 %, needs about
#
# $$n = \left(\frac{1.96 \cdot 0.5 + 0.84 \sqrt{p(1-p)}}{p - 0.5}\right)^2 \tag{11.6}$$
#
# where 1.96 is for the 5 % of the test, and 0.84 for the 80 studies of a hundred. *Pencil: for $p = 0.6$, $(0.98 +
# 0.41)^2/0.01$, which is 194.* For 0.55 it is nearly 800. In code, `judgements`.
#
# *Predict 8.* A study with 30 judgements, and $p = 0.6$: how often does it find that A is better?


# %%
def judgements(p: float) -> float:
    return ((1.96 * 0.5 + 0.8416 * math.sqrt(p * (1 - p))) / (p - 0.5)) ** 2  # (11.6)


def power(p: float, n: int, studies: int = 4000) -> float:
    """In which share of the studies Wilson's interval excludes one half, on the right side."""
    low = np.array([wilson(k, n)[0] for k in range(n + 1)])
    return float((low[rng.binomial(n, p, studies)] > 0.5).mean())


for p in (0.6, 0.7):
    n = round(judgements(p))
    enough, thirty = power(p, n), power(p, 30)
    print(f"{p:.0%} prefer A: ask {n}, found in {enough:.0%} of the studies; ask 30: {thirty:.0%}")
    assert abs(enough - 0.8) < 0.05 and thirty < 0.65
print("chapter 09's blind listening, eight clips of ten named rightly: {:.0%} to {:.0%}".format(*wilson(8, 10)))
assert wilson(8, 10)[0] < 0.5

# %% [markdown]
# *Answer 8.* In fewer than one study of five. The other four studies report *no significant difference*, which is then
# read as *no difference*. Chapter 09's listening test is such a study, of one person: whoever names eight of its ten
# clips rightly cannot yet say that he hears who wrote them.
#
# ### Twelve people are not 240 judgements
#
# Twelve people give twenty judgements each. They differ in taste: one leans to A throughout, another to B. (The
# leanings are normal, with a deviation of 1 in logits: one person in six chooses A in more than 73 of a hundred pairs,
# and one in six in fewer than 27.)
#
# *Predict 9.* As in section 1: how often does the interval of 240 independent judgements hold the true share?

# %%
studies = 2000
taste = rng.normal(0, 1, (studies, 12))  # in logits; the true share is one half, by symmetry
leanings = rng.binomial(20, 1 / (1 + np.exp(-taste))) / 20  # of each person
pooled = np.array([wilson(k, 240) for k in range(241)])
low, high = pooled[(20 * leanings).sum(1).round().astype(int)].T
by_judgement = ((low <= 0.5) & (0.5 <= high)).mean()
by_person = covers(leanings, 0.5)

# %% tags=["nbval-ignore-output"]
print(f"240 judgements: {by_judgement:.0%} of the intervals hold the truth;  12 people: {by_person:.0%}")

# %%
course.expect("11.people_cover", by_judgement, baseline=0.95)
assert abs(by_person - 0.95) < 3 * math.sqrt(0.95 * 0.05 / studies)  # within the error of 2,000 studies

# %% [markdown]
# *Answer 9.* In two of three. It is the same fault, and the same remedy: one number a person, and Student's interval
# over twelve of them covers at its rate. So what counts is how many people you ask. (That holds for *these* texts. If
# all judge the same twenty, the texts are a sample, too, and both have to be drawn again.)
#
# ### Do they agree, and who is right?
#
# Agreement (一致性) has to be told from chance. Two people who mark one text in twenty as bad, each at random, agree on
# nine in ten. **Krippendorff's alpha** (Hayes & Krippendorff 2007) compares the disagreement $D_o$ that is observed
# within items with that $D_e$ of all marks, whoever gave them to whatever:
#
# $$\alpha = 1 - \frac{D_o}{D_e} \tag{11.7}$$
#
# It is `evaluate.human.alpha`. *Pencil: ten texts, two people; the first finds text 1 bad, the second text 2, and both
# find eight good. They agree on 8 of 10. Of all 20 marks 2 are bad, so that two marks taken at random differ with the
# probability $2 \cdot 2 \cdot 18/(20 \cdot 19) = 0.189$; observed, 0.2. So $\alpha = 1 - 0.2/0.189 < 0$: no better than
# chance.*
#
# And a crowd (众包) has people who do not read, and some who click the wrong way round, by mistake or for fun. A vote
# counts them all alike. Dawid & Skene (1979) ask instead: if we knew the truth, we could count how often each worker
# errs, and of what kind; and if we knew that, we could weigh their votes, by Bayes' formula (chapter 02). Neither is
# known, so begin with the votes and take turns: `evaluate.human.dawid_skene`.
#
# *Predict 10.* Seven workers: three are right in 90, 85 and 80 of a hundred, three toss coins, and one is wrong in 90.
# How many of 300 labels does the vote get right, and how many this?

# %%
from aigc.evaluate.human import alpha, bradley_terry, dawid_skene

two_people = np.eye(10)[:2]
assert (two_people[0] == two_people[1]).mean() == 0.8
assert math.isclose(alpha(two_people), 1 - 0.2 / (72 / 380))  # as by hand
truth = rng.integers(2, size=300)
honest = rng.random((300, 7)) < [0.9, 0.85, 0.8, 0.5, 0.5, 0.5, 0.1]
answers = np.where(honest, truth[:, None], 1 - truth[:, None])  # (items, workers)
belief, confusion = dawid_skene(answers, classes=2)
vote, weighed = ((answers.mean(1) > 0.5) == truth).mean(), (belief.argmax(1) == truth).mean()
print(f"agreement of the seven: alpha {alpha(answers.T):.2f}")
print(f"right: by votes {vote:.0%}, by Dawid and Skene {weighed:.0%}")
hits = confusion.diagonal(axis1=1, axis2=2).mean(1)  # of each worker's table, truth by answer
print("how often each is right, as found without the truth:", hits.round(2).tolist())
assert 0.6 < vote < 0.82 and weighed > vote + 0.05 and confusion[6, 0, 0] < 0.3

# %% [markdown]
# *Answer 10.* The seven hardly agree, alpha is near zero, and the vote errs on a quarter or so; the other finds out,
# without one true label, who reads, who sleeps and who lies (whoever *knew* how often each is right could be right in
# 96 of a hundred on average), and *uses the liar*: somebody who is wrong nine times of ten says as much as one who is
# right nine times of ten. It assumes that workers err independently of each other, given the truth, and it cannot do
# wonders: where most of a crowd errs in the same way, that is the truth to it (a test of the library shows it).
#
# ### A ranking with intervals
#
# Four machines, and people who compared two of them at a time. Bradley & Terry (1952) give each a strength $s$, so that
#
# $$P(i \text{ beats } j) = \frac{1}{1 + e^{-(s_i - s_j)}} \tag{11.8}$$
#
# and take the strengths that make all the choices most probable: `evaluate.human.bradley_terry`. The same formula ranks
# players of chess, in one of their federations' ways, and chatbots on public boards. The curvature of the likelihood
# gives the interval.

# %%
strength = np.array([0.8, 0.1, -0.1, -0.8])
beats = lambda s: 1 / (1 + np.exp(s[None, :] - s[:, None]))  # (11.8), of each pair
upper = np.triu(rng.binomial(40, beats(strength)), 1)
wins = upper + np.tril(40 - upper.T, -1)  # forty judgements of each pair
ranked, covariance = bradley_terry(wins)
expected = (wins + wins.T) * beats(ranked)
assert np.allclose(expected.sum(1) - expected.diagonal(), wins.sum(1))  # the maximum: won as often as expected
width = 1.96 * np.sqrt(np.diag(covariance))
fig, ax = plt.subplots(figsize=(6.4, 2.4))
ax.errorbar(ranked, range(4), xerr=width, fmt="o", color=show.SUNSET, label="found, 95 %")
ax.plot(strength, range(4), "D", mfc="none", color=show.DUSK, label="true")
ax.set(yticks=range(4), yticklabels=["A", "B", "C", "D"], xlabel="strength, logits", ylim=(3.5, -0.5))
ax.legend(loc="lower right")
show.figure(
    fig,
    alt="Four machines with intervals, and their true strengths as open diamonds: A first, D last, B and C overlap.",
)


# %%
def lead(i: int, j: int) -> tuple[float, float]:
    """By how much i is before j, and how far the interval of that reaches."""
    return ranked[i] - ranked[j], 1.96 * math.sqrt(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])


AD, BC = lead(0, 3), lead(1, 2)
print("A before D by {:.2f} ± {:.2f}, B before C by {:.2f} ± {:.2f}".format(*AD, *BC))
assert AD[0] > AD[1] and BC[1] > 2 * (strength[1] - strength[2])

# %% [markdown]
# A is before D. B and C differ by 0.2 in truth, and 240 judgements know their difference only to about twice that much,
# either way. Undecided is not equal. A ranking without intervals would put one of them before the other. (The interval
# counts independent judgements. If few people gave them all, draw whole people again, as above.)
#
# ### Your turn: fifteen blind choices
#
# Which of two sentences says the same as the first? Press A or B, fifteen times; nobody tells you which is which. Your
# choices go into the file `judgements.csv` beside this notebook, and the cell after this one reads it. Until you have
# judged, and on a printed page, somebody simulated stands in for you, who is right nine times of ten. (`MINE` may bring
# samples of your own: two summaries, two translations, two pictures, whatever you can judge.)

# %% tags=["mine"]
import base64
import csv
import html

import ipywidgets as widgets
from IPython.display import display

FILE, mixed = Path("judgements.csv"), np.random.default_rng(11)
first_is_same = mixed.random(len(triples)) < 0.5  # whether A is the one that says the same
stored = np.where(mixed.random(len(triples)) < 0.9, first_is_same, ~first_is_same)  # simulated
choices: list[str] = []
prompt, buttons = widgets.HTML(), [widgets.Button(description=letter) for letter in "AB"]


def seen_as(one: str) -> str:
    if not pictures:
        return html.escape(one)
    return f"<img width=120 src='data:image;base64,{base64.b64encode(Path(one).read_bytes()).decode()}'>"


# %% tags=["nbval-ignore-output", "mine"]
def ask():
    said, *two = map(seen_as, triples[len(choices)])
    a, b = two if first_is_same[len(choices)] else two[::-1]
    prompt.value = f"{len(choices) + 1} of {len(triples)}. <i>{said}</i><br>A: {a}<br>B: {b}"


def chosen(button):
    if len(choices) < len(triples):
        choices.append(button.description)
    if len(choices) < len(triples):
        return ask()
    with FILE.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["first", "choice"], *zip((said for said, *_ in triples), choices)])
    prompt.value = f"Written to {FILE}. Run the next cell."


for button in buttons:
    button.on_click(chosen)
ask()
display(widgets.VBox([prompt, widgets.HBox(buttons)]))

# %% [markdown]
# Does a measure agree with *you*? Say both of you choose between A and B. **Cohen's kappa** (Cohen 1960) is the
# agreement $p_o$ beyond $p_e$, the agreement of two who choose A as often as each of you does, but at random:
#
# $$\kappa = \frac{p_o - p_e}{1 - p_e} \tag{11.9}$$
#
# It is `kappa`, below. Its interval comes from the **bootstrap** (自助法): draw fifteen of the fifteen items again and
# again, with replacement, and see how much the result moves.


# %% tags=["mine"]
def kappa(mine: np.ndarray, theirs: np.ndarray) -> float:
    """mine, theirs: (N,) booleans. 1 where both choose alike throughout, even if it is always A."""
    p_o, a, b = (mine == theirs).mean(), mine.mean(), theirs.mean()
    p_e = a * b + (1 - a) * (1 - b)
    return 1.0 if p_e == 1 else (p_o - p_e) / (1 - p_e)  # (11.9)


people = stored
if FILE.exists():
    rows = list(csv.DictReader(FILE.open(encoding="utf-8", newline="")))
    if [row["first"] for row in rows] == [said for said, *_ in triples]:  # judged the same works, not others
        people = np.array([row["choice"] == "A" for row in rows])
print("judged by", "somebody simulated" if people is stored else "you")
agreement, again = {}, mixed.integers(len(triples), size=(1000, len(triples)))
for name in MEASURES:
    says_first = np.where(prefers_same[name], first_is_same, ~first_is_same)
    low, high = np.quantile([kappa(people[at], says_first[at]) for at in again], (0.025, 0.975))
    agreement[name] = kappa(people, says_first)
    print(f"{name:<8} kappa {agreement[name]:5.2f}   95 %: {low:5.2f} to {high:5.2f}")
assert all(-1 <= value <= 1 for value in agreement.values()) and kappa(people, people) == 1

# %% tags=["mine"]
if MINE is None and people is stored:
    assert max(agreement.values()) < 0  # each of them chooses rather what a person does not

# %% [markdown]
# With the simulated person all four are *below* zero, and it had to be so: these sentences were written to fool, and on
# them a coin does better, and the opposite of BLEU best. Yours are above, when you have judged. A measure has no
# agreement with people as such; it has one on the texts on which it was tried. (And you had seen the pairs before, in
# section 2. A real study shows nobody where they come from.)
#
# ## 6 · A model as judge
#
# *Why not ask a language model?* It never sleeps, costs little, and the largest models agree with people about as often
# as people agree with each other (Zheng et al. 2023). But a judge who prefers whoever speaks first is no judge. We give
# SmolLM2 sixteen questions with a right and a wrong answer, each in both orders, and read how much more probable it
# finds *A* than *B* as its next word.
#
# *Predict 11.* In how many of the 32 cases does it say A?

# %%
QUESTIONS = """
What is the capital of France? | Paris | London
How many legs has a spider? | eight | six
Which planet is closest to the sun? | Mercury | Saturn
What do bees make? | honey | milk
Which is larger, the sun or the moon? | the sun | the moon
Who wrote Romeo and Juliet? | Shakespeare | Newton
What is frozen water called? | ice | steam
In which country is Tokyo? | Japan | Brazil
What colour is a ripe banana? | yellow | blue
How many days has a week? | seven | nine
Which animal barks? | a dog | a cat
What is 2 + 2? | 4 | 7
What do you use to cut paper? | scissors | a spoon
Where do fish live? | in water | in trees
Which month comes after March? | April | July
What is the opposite of hot? | cold | loud
"""

# %%
exam = [tuple(map(str.strip, row.split("|"))) for row in QUESTIONS.strip().splitlines()]
tokenizer.padding_side = "left"
A, B = (tokenizer.encode(letter)[0] for letter in "AB")
said_by_user = lambda text: [{"role": "user", "content": text}]
chat = lambda text: tokenizer.apply_chat_template(said_by_user(text), tokenize=False, add_generation_prompt=True)


@torch.inference_mode()
def prefers_first(cases: list[tuple[str, str, str]]) -> np.ndarray:
    """log p(A) - log p(B) of SmolLM2's verdict on (question, first answer, second answer)."""
    asked = [chat(f"Question: {q}\nA: {a}\nB: {b}\nWhich answer is right? Say A or B.") for q, a, b in cases]
    batch = tokenizer(asked, return_tensors="pt", padding=True).to(device)
    places = (batch.attention_mask.cumsum(1) - 1).clamp(min=0)
    logits = talker(**batch, position_ids=places, logits_to_keep=1).logits[:, -1].cpu()
    return (logits[:, A] - logits[:, B]).numpy()


# %% tags=["nbval-ignore-output"]
right_first = prefers_first(exam)
wrong_first = prefers_first([(q, no, yes) for q, yes, no in exam])
says_A = np.concatenate([right_first > 0, wrong_first > 0]).mean()
ways = {"the right one is A": right_first > 0, "it is B": wrong_first < 0, "both orders": right_first > wrong_first}
print(f"says A: {says_A:.0%}, ± {reach(((right_first > 0) + (wrong_first > 0)) / 2.0):.0%} over the questions")
for way, found in ways.items():
    print(f"right, {way:<19} {found.mean():4.0%},  {{:.0%}} to {{:.0%}}".format(*wilson(found.sum(), len(exam))))

# %%
course.expect("11.says_A", says_A, baseline=0.5)
A_right, B_right, both = (found.mean() for found in ways.values())
assert A_right > 0.8 > 0.3 > B_right and wilson(ways["both orders"].sum(), len(exam))[0] < 0.5

# %% [markdown]
# *Answer 11.* In nearly all of them. With the right one first it looks like a master, with the right one second like a
# fool. Ask both ways round and take the difference, and what it likes about a letter is gone. What remains is no better
# than a coin, as far as sixteen questions can tell.
#
# Length: the same answers, one of them in a long sentence that adds nothing. Many large judges like long answers, to
# different degrees (Zheng et al. 2023).
#
# *Predict 12.* And which does SmolLM2 like, the long answer or the short one?

# %% tags=["nbval-ignore-output"]
LONG = "It is well known, and everybody will agree, that the answer is "
fair = lambda cases: prefers_first(cases) - prefers_first([(q, b, a) for q, a, b in cases])  # both orders
long_right = (fair([(q, LONG + yes, no) for q, yes, no in exam]) > 0).mean()
long_wrong = (fair([(q, yes, LONG + no) for q, yes, no in exam]) > 0).mean()
print(f"right, if the right answer is long: {long_right:.0%};  if the wrong one is: {long_wrong:.0%}")

# %%
from torch.nn.utils.rnn import pad_sequence


@torch.inference_mode()
def surprises(answers: list[tuple[str, str]]) -> list[np.ndarray]:
    """For each (question, answer) -log p of each token of the answer."""
    asked, told = zip(*((tokenizer.encode(chat(q)), tokenizer.encode(answer)) for q, answer in answers))
    rows = [torch.tensor(q + answer) for q, answer in zip(asked, told)]
    logits = talker(pad_sequence(rows, batch_first=True).to(device)).logits.cpu()  # what is behind changes nothing
    return [
        -row[len(q) - 1 : len(q) + len(answer) - 1].log_softmax(-1).gather(1, torch.tensor(answer)[:, None]).numpy()
        for row, q, answer in zip(logits, asked, told)
    ]


both_answers = [(q, answer) for q, *two in exam for answer in two]  # right, wrong, right, wrong, ...
short = surprises(both_answers)
long = surprises([(q, LONG + answer) for q, answer in both_answers])
by = {}
for way in (np.sum, np.mean):
    brief, padded = (np.array([way(one) for one in costs]) for costs in (short, long))
    (yes, no), (long_yes, long_no) = brief.reshape(-1, 2).T, padded.reshape(-1, 2).T
    by[way.__name__] = [(yes < no).mean(), (long_yes < no).mean(), (yes < long_no).mean()]

# %% tags=["nbval-ignore-output"]
print(f"{'right':<26}both short   long right   long wrong")
for way, shares_right in by.items():
    print(f"by the {way:<5} of surprise  " + "".join(f"{share:13.0%}" for share in shares_right))
print("the first of these: {:.0%} to {:.0%}".format(*wilson(round(by["sum"][0] * len(exam)), len(exam))))

# %%
assert long_right < 0.2 and long_wrong > 0.8  # whichever answer is short wins
assert by["sum"][0] > 0.6 and by["sum"][1] < 0.2 and by["sum"][2] > 0.8
assert by["mean"][1] > 0.8 and by["mean"][2] < 0.4

# %% [markdown]
# *Answer 12.* The short one wins, right or wrong: here the bias is the other way than in large judges, which is worth
# remembering. You cannot correct a bias that you have not measured on *your* judge. It helps to ask differently: not
# for a verdict, but how surprised the model is by each answer. By the sum of its surprise it finds four of five: so it
# seems to *know* more than its verdicts show, though sixteen questions do not settle it. But a sum likes short answers,
# for each word costs something, and a mean likes long ones, whose easy words dilute the hard one; both are as blind as
# before. A mean over bytes would have the fault of any mean. One may take from it how surprising the answer is without
# its question; we have not tried it.
#
# So a model as judge is an instrument like the others: swap, pad, and measure it where the truth is known, before you
# let it judge where it is not.
#
# ## 7 · The scoreboard
#
# *Which differences between the machines of this course are real?* Six of the seven machines that earlier chapters
# ship, once through one table: two models of Shakespeare, three that draw digits, one that sings. (The seventh writes
# Chinese verse, and has no rival here.) The intervals are made of what is independent: pages, batches of forty digits,
# whole chorales. Five questions are asked of one table, and at 5 % each, one of them would be answered with *real* by
# luck in a quarter of such tables, were nothing real. So each has to be sure of 99 in a hundred (Bonferroni's
# correction: 0.05/5). What all batches share, the 2,000 real digits, no interval shows.
#
# *Predict 13.* Five comparisons: letters against pieces of words (bits a byte); GAN against VAE, GAN against flow (how
# many are read as what was asked for); GAN against flow (KID); the choir against Bach (parallels: two voices that move
# together in fifths or octaves, which a teacher of harmony forbids). Which are real?

# %%
from aigc.codecs import images, notes
from aigc.evaluate.music import faults

starts = np.linspace(0, len(unheard) - 500, 8).astype(int)
excerpts = [unheard[i : i + 500] for i in starts]
bits = {name: np.array([read_by(name, text)[1] for text in excerpts]) for name in ("letters", "1,001 pieces")}
apart = bits["1,001 pieces"] - bits["letters"]  # page by page: hard pages are hard for both

# %%
wanted = torch.randint(10, (320,), generator=dice)  # drawn, and not the same number of each: see below
forger, squeezer, painter = (released.load(name)[0].to(device) for name in ("gan", "vae", "digits"))
field = sample.guided(painter, wanted.to(device), 1.4, (0.3, 0.9))  # chapter 08's guidance, and when
with torch.no_grad():
    z = torch.randn(320, squeezer.config.noise, generator=dice).to(device)
    static = torch.randn(320, 1, 28, 28, generator=dice).to(device)
    drawn = {
        "GAN": images.decode(forger.draw(320, dice, wanted.to(device)).cpu()),
        "VAE": images.decode(squeezer.decode(z, wanted.to(device)).cpu()),
        "flow": images.decode(sample.ode(field, static, 8).cpu()),
        "unseen digits": data.digits("test")[0][:320],
    }
kid, as_asked = {}, {}
for name, batch in drawn.items():
    of_batch, named = judged(judge, batch)
    kid[name] = np.array([kernel_distance(cloud[real], part) for part in of_batch.split(40)])
    asked = torch.tensor(data.digits("test")[1][:320]) if name == "unseen digits" else wanted
    as_asked[name] = (named == asked).numpy()

# %%
singer = released.load("choir")[0].to(device)
threads = torch.get_num_threads()
torch.set_num_threads(1)  # thousands of small products
plan = torch.from_numpy(notes.plan(128, "G major", pickup=4, fermatas=range(28, 128, 32)))
nothing = torch.full((24, 128, 4), sample.FREE)
take = sample.chorale(singer, nothing, plan, 0.9, 0.97, generator=torch.Generator().manual_seed(course.seed()))
torch.set_num_threads(threads)
sung = [notes.unchords(chords) for chords in take.chords.numpy()]
bach = [notes.to_grid(piece.notes, piece.steps) for piece in data.chorales("test")[:24]]
parallels = {name: [faults(grid)["parallels"] for grid in grids] for name, grids in (("choir", sung), ("Bach", bach))}


def rate_of(found) -> tuple[float, float, float]:
    """Parallels in 100 joint moves, and the 99 % interval of a bootstrap over whole pieces."""
    count, cases = np.array([[fault.count, fault.cases] for fault in found]).T
    per_hundred = lambda count, cases: 100 * count.sum() / cases.sum()
    how = dict(paired=True, vectorized=False, n_resamples=1999, method="percentile", confidence_level=0.99, rng=rng)
    again = stats.bootstrap((count, cases), per_hundred, **how)
    return per_hundred(count, cases), *again.confidence_interval


# %% tags=["nbval-ignore-output"]
print(f"{'bits a byte':<22}" + "   ".join(f"{name} {values.mean():.2f}" for name, values in bits.items()))
print(f"{'':<22}pieces - letters, page by page: {apart.mean():.2f} ± {reach(apart, 0.99):.2f} (99 %)")
print(f"{'':<15}{'KID':>8}{'±':>7}{'read as asked':>16}")
for name, values in kid.items():
    share, (low, high) = as_asked[name].mean(), wilson(as_asked[name].sum(), 320)
    print(f"{name:<15}{values.mean():8.0f}{reach(values):7.0f}   {share:6.1%}, {low:.1%} to {high:.1%}")
rates = {name: rate_of(found) for name, found in parallels.items()}
for name, (middle, low, high) in rates.items():
    print(f"parallels, {name:<6} {middle:.2f} in 100 moves, {low:.2f} to {high:.2f} (99 %)")


# %% tags=["nbval-ignore-output"]
def luck(a: str, b: str) -> float:
    """How probable so large a difference is if the two are equal: of the digits that one of them alone draws as asked,
    each should have half (McNemar's test, exact)."""
    alone = (as_asked[a] & ~as_asked[b]).sum(), (as_asked[b] & ~as_asked[a]).sum()
    return stats.binomtest(int(alone[0]), int(sum(alone))).pvalue if sum(alone) else 1.0


nearer = kid["GAN"] - kid["flow"]  # batch by batch: both drew the same labels
print(f"labels: GAN or VAE p = {luck('GAN', 'VAE'):.1g}, GAN or flow p = {luck('GAN', 'flow'):.1g}")
print(f"KID, GAN - flow: {nearer.mean():.0f} ± {reach(nearer, 0.99):.0f} (99 %)")

# %%
assert apart.mean() > reach(apart, 0.99)  # the letters are better than the pieces
assert luck("GAN", "VAE") < 0.01  # the GAN draws what was asked for, the VAE less often
assert luck("GAN", "flow") > 0.01 and abs(nearer.mean()) < reach(nearer, 0.99)  # of these two nobody knows
assert rates["choir"][1] > rates["Bach"][2]  # the choir sings parallels, Bach hardly any

# %% [markdown]
# *Answer 13.* Three of five. The small GPT by letters is better than the one by pieces, and eight pages, five of them
# of *Henry V*, are enough to say so, for we compared page by page: hard pages are hard for both, and so the difference
# is known better than either number. The VAE draws less often what it was asked for than the GAN. The choir sings more
# parallels than Bach, on the one plan that it was given. Whether two machines are read differently often as what was
# asked for is *McNemar's* question (1947), since both drew the same labels: it looks only at those which one of them
# alone got right, and asks whether a coin would have shared them out so. But between GAN and flow our 320 digits cannot
# tell, neither by the labels nor by the distance, though chapter 08's table printed different numbers for them. This is
# what a table of means hides.
#
# ### ◇ Better than real
#
# Let us ask the GAN for four of each digit in every forty, which looks fair. *What can go wrong?*

# %% tags=["nbval-ignore-output"]
even = torch.arange(320) % 10
with torch.no_grad():
    even_cloud = judged(judge, images.decode(forger.draw(320, dice, even.to(device)).cpu()))[0]
evenly = np.array([kernel_distance(cloud[real], part) for part in even_cloud.split(40)])
tens = np.stack([some(rest[labels[rest] == kind], 24).reshape(6, 4) for kind in range(10)], 1).reshape(6, 40)
truly = np.array([kernel_distance(cloud[real], cloud[at]) for at in tens])
print(f"KID of real digits, four of each: {truly.mean():.0f} ± {reach(truly):.0f}")
print(f"KID of the GAN, four of each: {evenly.mean():.0f} ± {reach(evenly):.0f}")

# %%
assert evenly.mean() + reach(evenly) < 0 and truly.mean() + reach(truly) < 0  # a distance below zero, and no luck

# %% [markdown]
# A distance that is less than nothing, and the interval is narrow. KID has no bias *if the samples are independent*,
# and four of each in every forty are not: they are more evenly spread than forty independent ones are on average. Real
# digits have the same fault when they are chosen so. No interval saves a number from the way in which its samples were
# drawn.
#
# ## Checkpoint
#
# *A paper has a table. Its model has a FID of 12.1 and the best rival 12.9, each of 5,000 pictures, "by the best of
# five seeds". Fifty judgements of people, by five friends, prefer it in 60 %. Its perplexity, with a new tokenizer, is
# lower by a tenth. What do you ask?*
#
# <details><summary>Answer</summary>
#
# What is FID of real pictures against real ones, of 5,000 and 5,000? How far do five seeds of *one* model lie apart?
# The rival's number: is it the best of five, too? Of five friends we have five numbers, and not fifty; and 30 of 50
# would not be significant even if they were independent. A perplexity of other tokens has another unit: bits a byte,
# please. And the longest copy, since nothing of this would see it.
#
# </details>
#
# ## Break it
#
# Take the healthy generator of section 3, real digits, and pretend to train it: ten runs, ten seeds, a hundred pictures
# each. Then we quote the best. To see more than one such story, all this thirty times.
#
# *Predict 14.* How far is the best from the mean, in standard deviations?

# %%
runs = [kernel_distance(cloud[real[:500]], cloud[some(rest, 100)]) for _ in range(300)]
best = np.reshape(runs, (30, 10)).min(1).mean()  # of ten, thirty times over
luckier = (np.mean(runs) - best) / np.std(runs)
print(f"the best of ten runs has {best:.0f} and is {luckier:.1f} standard deviations better than the mean")
print(f"skewness of the runs: {stats.skew(runs):.1f}")
assert stats.skew(runs) > 0 > best
assert 0.9 < luckier < 1.7

# %% [markdown]
# *Answer 14.* About one; of ten independent *normal* numbers it would be 1.5, but KIDs have their long tail on the
# other side, of the large ones. Ten runs, no progress, and a record: a KID below zero.
#
# ## What we measured

# %% tags=["nbval-ignore-output"]
course.summary()

# %% [markdown]
# ## Limits
#
# All our worlds are small: digits of 28 × 28, a judge of 64 features, a language model of 135 million numbers, people
# who are simulated. What we have shown is what a measure *can* miss, not how often it does so in practice. Of the
# measures that are learnt from human judgements (COMET for translation, reward models for chat) there is none here:
# their weights are too large for this course, and the questions of section 6 are the questions to ask them. The fifteen
# sentences were written to fool. And a test of significance says whether a difference is real, never whether it
# matters.
#
# ## Exercises
#
# - 11.1 · verify · 15 min · ●●○○○ · BLEU of a whole text
# - 11.2 · modify · 15 min · ●●○○○ · bits a byte
# - 11.3 · investigate · 25 min · ●●●○○ · the size of a FID
# - 11.4 · build · 40 min · ●●●○○ · a ranking with intervals
# - 11.5 · debug · 25 min · ●●●○○ · an interval over correlated judgements
# - 11.6 · challenge · 60 min · ●●●●○ · a page that cheats
# - 11.7 · verify · 15 min · ●●○○○ · agreement beyond chance
#
# ## References
#
# - Bińkowski, M. et al. (2018). Demystifying MMD GANs. arXiv:1801.01401
# - Bradley, R. A. & Terry, M. E. (1952). Rank analysis of incomplete block designs. doi:10.1093/biomet/39.3-4.324
# - Chong, M. J. & Forsyth, D. (2020). Effectively unbiased FID and Inception score and where to find them.
#   arXiv:1911.07023
# - Cohen, J. (1960). A coefficient of agreement for nominal scales. doi:10.1177/001316446002000104
# - Dawid, A. P. & Skene, A. M. (1979). Maximum likelihood estimation of observer error-rates using the EM algorithm.
#   doi:10.2307/2346806
# - Friedman, D. & Dieng, A. B. (2023). The Vendi score. arXiv:2210.02410
# - Hayes, A. F. & Krippendorff, K. (2007). Answering the call for a standard reliability measure for coding data.
#   doi:10.1080/19312450709336664
# - Heusel, M. et al. (2017). GANs trained by a two time-scale update rule converge to a local Nash equilibrium.
#   arXiv:1706.08500
# - Kynkäänniemi, T. et al. (2019). Improved precision and recall metric for assessing generative models.
#   arXiv:1904.06991
# - Li, J. et al. (2016). A diversity-promoting objective function for neural conversation models. arXiv:1510.03055
# - Lin, C.-Y. & Och, F. J. (2004). Automatic evaluation of machine translation quality using longest common subsequence
#   and skip-bigram statistics. doi:10.3115/1218955.1219032
# - McNemar, Q. (1947). Note on the sampling error of the difference between correlated proportions or percentages.
#   doi:10.1007/BF02295996
# - Naeem, M. F. et al. (2020). Reliable fidelity and diversity metrics for generative models. arXiv:2002.09797
# - Papineni, K. et al. (2002). BLEU: a method for automatic evaluation of machine translation.
#   doi:10.3115/1073083.1073135
# - Popović, M. (2015). chrF: character n-gram F-score for automatic MT evaluation. doi:10.18653/v1/W15-3049
# - Post, M. (2018). A call for clarity in reporting BLEU scores. arXiv:1804.08771
# - Reimers, N. & Gurevych, I. (2019). Sentence-BERT. arXiv:1908.10084
# - Theis, L. et al. (2016). A note on the evaluation of generative models. arXiv:1511.01844
# - Wang, W. et al. (2020). MiniLM: deep self-attention distillation for task-agnostic compression of pre-trained
#   transformers. arXiv:2002.10957
# - Zhang, A. et al. (2023). Dive into deep learning. arXiv:2106.11342
# - Zheng, L. et al. (2023). Judging LLM-as-a-judge with MT-Bench and chatbot arena. arXiv:2306.05685
# - Zhu, Y. et al. (2018). Texygen: a benchmarking platform for text generation models. arXiv:1802.01886
