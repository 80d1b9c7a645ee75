# %% [markdown]
# # 07 · Text in practice
#
# **How do you make a language model do as it is told?**
#
# Ten lines of code are enough to let a machine write, and most introductions print them. Run them, and the machine
# writes a few words, then the same words again, and again, until the limit that somebody set. Run them once more, and
# it writes the same text to the letter. Give them two prompts instead of one, and they stop with an error.
#
# None of this is the fault of the model. It did what a language model does: it said how probable each next token is.
# Which one is *taken*, how often one is asked again, what is forbidden, and with which examples it was trained last:
# that is decided outside. This chapter is about the outside.
#
# ## What you need
#
# Chapter 02 (a posterior; waiting against calculating) and chapter 03 (what a GPT computes; bits per character).
# Measured: 87 s on a plain laptop, 2.1 GB.

# %%
import json
import warnings
from itertools import product
from math import log, log2

import matplotlib.pyplot as plt
import numpy as np
import regex
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel, GPT2Tokenizer
from transformers.utils import logging as hub_logging

from aigc import course, data, machine, released, sample, show
from aigc.codecs.text import CharCodec
from aigc.evaluate.verse import alternates, level, rhyme, rhymes
from aigc.models import gpt, ngram
from aigc.train import Recipe, train

device = course.start("07")
show.style()
hub_logging.disable_progress_bar()
warnings.filterwarnings("ignore", "`is_gradient_checkpointing`")  # a name that peft still uses

# %% [markdown]
# ## What we will measure
#
# | we ask the model for | we steer by | we measure | the baseline |
# |:--|:--|:--|:--|
# | a speech | drawing | repetition | the poet |
# | facts, and stories | temperature, top-k, top-p, min-p, beams | right answers against variety | greedy |
# | a record in JSON | an example; a grammar | share that a program can read | a description |
# | a king's speech | a prompt, a choice, training (LoRA) | how Shakespearean, to a judge | no steering |
# | a Chinese quatrain | rules of rhyme and tone | share that keeps them | the poets; chance |
#
# *Predict before you run, on paper:*
#
# 1. *Which setting gives more right answers to "What is the capital of ...?": greedy, or a temperature of 1? And which
#    gives more variety in stories? Is there one that is best at both?*
# 2. *A grammar leaves the model no way to write a record that a program cannot read. Do its facts become better,
#    worse, or neither?*
# 3. *We teach the model Shakespeare for less than a minute by changing less than one weight in a hundred. What will it
#    forget?*

# %% [markdown]
# ## A toy by hand
#
# A model knows four next tokens, with probabilities 8, 4, 2 and 2 sixteenths. *Pencil, four times:*
#
# - *Temperature 1/2 squares the probabilities: 64, 16, 4, 4. What is the share of the first?* 64 of 88, 8/11.
# - *Top-k with k = 2 keeps the two largest.* 8 and 4: two thirds, one third.
# - *Top-p with p = 0.8 keeps the fewest that hold 80 % together.* 8 + 4 = 12 sixteenths are 75 %, too few. So three
#   are kept: 8, 4, 2 of 14. Which of the two last ones, is a matter of their order.
# - *Min-p with 0.3 keeps what has at least 30 % of the largest.* 0.3 × 8 = 2.4: two are kept.

# %%
p = torch.tensor([8.0, 4, 2, 2]) / 16
ways = {
    "T = 1/2": sample.temper(p.log(), 0.5),
    "top-k, 2": sample.top_k(p, 2),
    "top-p, 0.8": sample.nucleus(p, 0.8),
    "min-p, 0.3": sample.min_p(p, 0.3),
}
pencil = {"T = 1/2": [8, 2, 0.5, 0.5], "top-k, 2": [2, 1, 0, 0], "top-p, 0.8": [8, 4, 2, 0], "min-p, 0.3": [2, 1, 0, 0]}
for name, way in ways.items():
    print(f"{name:<12}", way.numpy().round(3))
    assert torch.allclose(way, torch.tensor(pencil[name]) / sum(pencil[name]))

# %% [markdown]
# Here top-k and min-p agree. They part company when the model's sureness changes. Top-k keeps two when the model is
# sure and two when it has no idea; min-p keeps one and four.

# %%
for name, odds in {"sure": [97, 1, 1, 1], "no idea": [25, 25, 25, 25]}.items():
    q = torch.tensor(odds) / 100
    kept = {"top-k": sample.top_k(q, 2), "top-p": sample.nucleus(q, 0.8), "min-p": sample.min_p(q, 0.3)}
    print(f"{name:<8}", {way: int((left > 0).sum()) for way, left in kept.items()}, "tokens kept")
assert (kept["min-p"] > 0).sum() == 4 == (kept["top-p"] > 0).sum() and (kept["top-k"] > 0).sum() == 2

# %% [markdown]
# And a second toy, for those who want *the most probable text* rather than a draw. Two tokens are to be
# written. The first is A with 0.6 or B with 0.4. After A, three tokens are equally probable; after B, one has
# 0.9. *Which text of two tokens is the most probable? Does the greedy writer find it?* A and then 1/3 is 0.2;
# B and then 0.9 is 0.36. Greedy takes A and cannot go back. A **beam search** (束搜索) with two beams keeps both
# beginnings alive, and finds it.

# %%
first = {"A": 0.6, "B": 0.4}
second = {"A": {"x": 1 / 3, "y": 1 / 3, "z": 1 / 3}, "B": {"x": 0.9, "y": 0.1}}


def beam(width: int) -> tuple[str, float]:
    kept = sorted(first.items(), key=lambda item: -item[1])[:width]
    longer = [(a + b, p * q) for a, p in kept for b, q in second[a].items()]
    return max(longer, key=lambda item: item[1])


print("greedy:", beam(1), " two beams:", beam(2))
assert beam(1)[0][0] == "A" and beam(2) == ("Bx", 0.4 * 0.9)

# %% [markdown]
# ## The mathematics
#
# ### Drawing
#
# The model gives one number to each token $i$ of its vocabulary, the logit $a_i$. All drawing goes in two
# steps: make probabilities sharper or flatter by a **temperature** (温度) $T$, then keep a set $K$ of tokens
# and share the rest out:
#
# $$p_i = \frac{e^{a_i / T}}{\sum_j e^{a_j / T}} \tag{7.1}$$
#
# $$p_i' = \frac{p_i\,[i \in K]}{\sum_{j \in K} p_j}, \qquad K = \begin{cases}
# \text{the } k \text{ largest} & \text{top-}k \text{ (Fan et al. 2018)} \\
# \text{the fewest that hold } P & \text{top-}p \text{ (Holtzman et al. 2020)} \\
# \{i : p_i \ge m \max_j p_j\} & \text{min-}p \text{ (Nguyen et al. 2024)}
# \end{cases} \tag{7.2}$$
#
# These are `sample.temper`, `sample.top_k`, `sample.nucleus` and `sample.min_p`. The order matters: at a high
# temperature the tail is fat, and what is cut afterwards is cut from a fat tail.
#
# ### Forbidding
#
# A **constraint** says which tokens may come next: $K$ is then a matter of grammar, and (7.2) is used at each step.
# Every text that comes out keeps the rule. But is it a fair draw from *the texts that keep the rule*, which is what
# chapter 02 would call the posterior? Let $G$ be the set of good texts and $Z_t$ the probability of all allowed tokens
# at step $t$. Masking multiplies each factor by $1/Z_t$, so
#
# $$q(x) = p(x) \prod_t \frac{1}{Z_t(x_{<t})}, \qquad p(x \mid G) = \frac{p(x)}{p(G)} \tag{7.3}$$
#
# for each $x \in G$. The two agree only if the product of the $Z_t$ is the same for every good text. It is not,
# whenever an innocent beginning leads to a place where little is allowed. *Toy: the first letter is A with 0.9 or B
# with 0.1; after A the letter e follows with 0.01, after B with 0.9. The text must end with e. How often does it
# begin with A?*

# %%
start, then_e = {"A": 0.9, "B": 0.1}, {"A": 0.01, "B": 0.9}
masked = dict(start)  # the rule forbids nothing at the first step, so Z_1 = 1, and then e is all that is allowed
good = {a: start[a] * then_e[a] for a in start}
posterior = {a: good[a] / sum(good.values()) for a in good}
print("masked:", masked, " posterior:", {a: round(value, 3) for a, value in posterior.items()})
reweighted = {a: masked[a] * then_e[a] for a in start}  # times the product of Z_t: (7.3) the other way round
assert np.isclose(reweighted["A"] / sum(reweighted.values()), posterior["A"]) and posterior["A"] < 0.1 < masked["A"]

# %% [markdown]
# The mask walks into the alley and then breaks the wall; the posterior would not have gone there. The product of all
# $Z_t$ tells how thick the walls were, and as a weight it mends the draw. We shall look at it.
#
# ### Choosing
#
# Draw $n$ texts, let a judge give each a reward $r$, and take the best: **best of n**. If a single draw is at most $r$
# with probability $F(r)$, the best of $n$ is so with $F(r)^n$. How far have we moved away from the model? At most
#
# $$D_{\mathrm{KL}}(\text{best of } n \,\|\, \text{one draw}) \;\le\; \log n - \frac{n-1}{n}
# \quad\text{nats} \tag{7.4}$$
#
# for the whole text, however long it is, with equality when no two texts tie and none is likely (Beirami et al. 2024).
# *Sixteen draws: how many bits?* $4 - 1.35 = 2.65$. That is little: the prior is kept, and so is its good sense.
#
# ### Training a little
#
# Each weight matrix $W$ ($m$ rows, $n$ columns) stays as it is, and beside it a product of two thin matrices is
# trained:
#
# $$W' = W + \frac{\alpha}{r}\, B A, \qquad B: m \times r, \quad A: r \times n, \quad B = 0 \text{ at first} \tag{7.5}$$
#
# This is **LoRA** (低秩适配; Hu et al. 2022). With rank $r = 8$ and $m = n = 576$ there are $r(m+n) = 9{,}216$ numbers
# to train instead of 331,776, and since $B = 0$ the model is at first exactly what it was.
#
# ## The code
#
# Our four functions are a few lines each. Do they do what the library that everybody uses does? On random logits, of
# which a few are large:

# %%
from transformers import MinPLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

logits = 3 * torch.randn(7, 101, generator=torch.Generator().manual_seed(course.seed()))
p = sample.temper(logits, 1.0)
for mine, theirs in (
    (sample.top_k(p, 13), TopKLogitsWarper(13)),
    (sample.nucleus(p, 0.7), TopPLogitsWarper(0.7)),
    (sample.min_p(p, 0.1), MinPLogitsWarper(0.1)),
):
    assert torch.allclose(mine, theirs(None, logits).softmax(-1), atol=1e-6)


def best_of(n: int) -> np.ndarray:
    """Probabilities of 1000 equally probable texts, ordered by reward, when the best of n draws is taken."""
    return np.diff((np.arange(1001) / 1000) ** n)


for n in (2, 16, 64):
    q = best_of(n)
    assert abs((q * np.log(q * 1000)).sum() - (log(n) - (n - 1) / n)) < 0.01 * log(n)  # (7.4)
print("same tokens kept as transformers keeps; best of 16:", f"{(log(16) - 15 / 16) / log(2):.2f} bits from the model")

# %% [markdown]
# ## The experiment
#
# ### 1 · The lines that everybody prints
#
# Here they are, in the article's manner. The model is one of our own, in the format of GPT-2 and of a sixtieth of its
# size, trained on Shakespeare's plays with `make checkpoints ARGS=gpt2`, so that the lines run on a train. With a
# network, write `name = "gpt2"` and the same lines fetch the model of 2019.

# %% tags=["nbval-ignore-output"]
name = released.path("gpt2")  # or, with a network, "gpt2"

tokenizer = GPT2Tokenizer.from_pretrained(name)
model = GPT2LMHeadModel.from_pretrained(name)
input_ids = tokenizer.encode("KING:\nMy lords,", return_tensors="pt")
output = model.generate(input_ids, max_length=100, num_return_sequences=1)
print(tokenizer.decode(output[0], skip_special_tokens=True))

# %% [markdown]
# It runs, and the library has no complaint. Now ask again, ask with two prompts, and ask with a long one.

# %%
assert torch.equal(model.generate(input_ids, max_length=100), output)  # the same, however often we ask
faults = {
    "two prompts": lambda: tokenizer(["KING:\nMy lords,", "FOOL:\n"], padding=True, return_tensors="pt"),
    "a long prompt": lambda: model.generate(input_ids.repeat(1, 20), max_length=100),
}
for fault, attempt in faults.items():
    try:
        attempt()
        raise AssertionError(f"{fault}: accepted")
    except ValueError as error:
        print(f"{fault}: {str(error).split('. ')[0]}")

# %% [markdown]
# There are six faults, and each has its own remedy.
#
# | the fault | what happens | the remedy |
# |:--|:--|:--|
# | nothing says how to draw | always the same, soon in a loop | `do_sample=True`, a temperature, a cut |
# | no seed | once it draws, no run can be repeated | a seed before each call |
# | no pad token | two prompts of different length are refused | GPT-2 has none: use its end token |
# | padding on the right, by default | the model continues the padding | `padding_side="left"` |
# | no attention mask | the padding is read as text | hand the whole `batch` over |
# | `max_length` counts the prompt | a long prompt is refused | `max_new_tokens` |
#
# Two of them are silent: with a pad token set, and nothing else changed, a batch runs and gives wrong numbers. *How
# wrong?* We compare the logits for the next token of a short prompt that stands beside a long one, with those that it
# gets alone.

# %%
tokenizer.pad_token = tokenizer.eos_token
pair = ["FOOL:\n", "KING:\nMy lords, the night is long, and we are few; yet shall we stand."]


@torch.inference_mode()
def next_logits(side: str, mask: bool) -> Tensor:
    """Of what follows the first of the pair, (V,); as `generate` would compute it."""
    tokenizer.padding_side = side
    batch = tokenizer(pair, padding=True, return_tensors="pt")
    seen = batch.attention_mask if mask else torch.ones_like(batch.attention_mask)
    place = (seen.cumsum(-1) - 1).clamp(min=0)
    return model(batch.input_ids, attention_mask=seen, position_ids=place).logits[0, -1]


with torch.inference_mode():
    truth = model(tokenizer.encode(pair[0], return_tensors="pt")).logits[0, -1]
for side, mask in product(("right", "left"), (False, True)):
    off = (next_logits(side, mask) - truth).abs().max()
    print(
        f"padding on the {side:<5} {'with' if mask else 'without':<7} mask: wrong by",
        "nothing" if off < 1e-3 else "much",
    )
    assert (off < 1e-3) == (side == "left" and mask) and (off < 1e-3 or off > 0.5)

# %% [markdown]
# Only one of the four is right. (With `generate`, padding on the right is wrong even with the mask, since the last
# column is what is continued, and that is padding.) Here is the function that we shall use from now on:


# %%
def write(model, tokenizer, prompts: list[str], tokens: int, seed: int = course.seed(), **how) -> list[str]:
    """What the model adds to each prompt. how: for `generate`, such as do_sample, temperature, top_p."""
    tokenizer.padding_side = "left"
    batch = tokenizer(prompts, padding=True, return_tensors="pt").to(model.device)  # ids and attention mask
    torch.manual_seed(seed)
    out = model.generate(**batch, max_new_tokens=tokens, pad_token_id=tokenizer.pad_token_id, **how)
    return tokenizer.batch_decode(out[:, batch.input_ids.size(1) :], skip_special_tokens=True)


# %% tags=["nbval-ignore-output"]
free = dict(do_sample=True, temperature=1.0, top_k=0)  # top_k=0: the library would cut at 50 without being asked
speeches = [f"{who}:\n{word}" for who in ("KING", "FOOL", "ROMEO", "FIRST LORD") for word in ("My", "I", "The", "What")]
greedy = write(model, tokenizer, speeches, 50, do_sample=False, eos_token_id=None)  # None: do not stop early
drawn = write(model, tokenizer, speeches, 50, eos_token_id=None, **free)


def repeated(texts: list[str], n: int = 4) -> float:
    """Share of runs of n words that were already said in the same text."""
    again = [len(runs) - len(set(runs)) for text in texts if (runs := list(zip(*(text.split()[i:] for i in range(n)))))]
    total = [max(0, len(text.split()) - n + 1) for text in texts]
    return sum(again) / sum(total)


poet = data.shakespeare("test").split("\n\n")
poet = [" ".join(poet[i : i + 3]) for i in range(0, 300, 3)]
said_again = {"greedy": repeated(greedy), "drawn": repeated(drawn), "the poet": repeated(poet)}
print("runs of four words said before:", ", ".join(f"{who} {share:.1%}" for who, share in said_again.items()))

# %%
assert repeated(greedy) > 0.1 > 0.02 > max(repeated(drawn), repeated(poet))

# %% [markdown]
# The most probable next word, taken every time, is not what makes a probable text, and surely not a human one
# (Holtzman et al. 2020, who found that in larger models each repetition makes the next one more probable).
#
# And stopping? Our model has learnt an end token, which stands between two speeches. Left alone it ends by itself.

# %% tags=["nbval-ignore-output"]
ended = write(model, tokenizer, speeches[:4], 40, **free)
print("\n---\n".join(prompt + text for prompt, text in zip(speeches, ended)))

# %% [markdown]
# ### 2 · A model that can be asked
#
# So much for a model that only continues. SmolLM2 (Ben Allal et al. 2025) has 135 million weights, has read two
# trillion tokens, and was then trained on conversations. Ours comes out of a package, in which each weight has four
# bits; set-up unpacked it. A conversation is a text like any other, with marks in it, and the **chat template** (对话
# 模板) says which:

# %%
folder = data.smollm2()
talker = AutoModelForCausalLM.from_pretrained(folder, dtype=machine.precision(device)).eval().to(device)
words = AutoTokenizer.from_pretrained(folder)


def ask(question: str, system: str = "You are a helpful assistant.") -> str:
    """The text that stands before the answer. Without a system message the template adds a longer one of its own."""
    roles = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    return words.apply_chat_template(roles, tokenize=False, add_generation_prompt=True)


print(ask("What is the capital of Norway?", system="You are brief."))

# %% [markdown]
# *What does the model do with the bare question, without these marks?* We ask for 16 capitals, greedily, with the
# template and without.

# %%
CAPITALS = dict(
    France="Paris", Germany="Berlin", Italy="Rome", Spain="Madrid", Portugal="Lisbon", Japan="Tokyo", China="Beijing",
    Russia="Moscow", Egypt="Cairo", Greece="Athens", England="London", Austria="Vienna", Sweden="Stockholm",
    Norway="Oslo", Finland="Helsinki", Poland="Warsaw",
)  # fmt: skip
bare = [f"What is the capital of {country}?" for country in CAPITALS]
asked = [ask(question) for question in bare]


def right(answers: list[str]) -> float:
    return np.mean([city in answer for city, answer in zip(CAPITALS.values(), answers, strict=True)])


# %% tags=["nbval-ignore-output"]
answers, untold = (write(talker, words, prompts, 8, do_sample=False) for prompts in (asked, bare))
print("without the template:", *map(repr, untold[:3]), "\nwith it:", *map(repr, answers[:5]), sep="\n  ")
print(f"right: {right(untold):.0%} without, {right(answers):.0%} with")

# %%
assert right(answers) > 0.6 > 0.2 > right(untold)

# %% [markdown]
# The same weights, the same question. Without the marks the model does not know that it is its turn, and says next to
# nothing; with them it answers. A model that was trained on conversations is used outside of its data when it is used
# without its template, and no error says so.

# %% [markdown]
# ### 3 · Right, or various
#
# Which drawing is best? It depends on what one wants, so we measure two things with each setting: how many capitals
# are right, and how different eight openings of one story are. **Variety** is the share of different ones among all
# pairs of neighbouring words in the eight (Li et al. 2016). *Where in the plane of the two will greedy stand? Where
# a temperature of 1.5? Is there a setting in the upper right corner?*

# %%
story = [ask("Tell me a story about a duck and the sunset.")] * 8


def variety(texts: list[str]) -> float:
    """Different pairs of neighbouring words, of all pairs."""
    pairs = [pair for text in texts for pair in zip(text.split(), text.split()[1:])]
    return len(set(pairs)) / len(pairs)


settings = {
    "greedy": dict(do_sample=False),
    "2 beams": dict(do_sample=False, num_beams=2),
    "greedy, repetition 1.5": dict(do_sample=False, repetition_penalty=1.5),
    "T = 0.6": free | dict(temperature=0.6),
    "T = 1": free,
    "T = 1.5": free | dict(temperature=1.5),
    "top-p 0.8": free | dict(top_p=0.8),
    "T = 1.5, min-p 0.2": free | dict(temperature=1.5, min_p=0.2),
}

# %% tags=["nbval-ignore-output"]
plane = {}
for name, how in settings.items():
    times = len(story) if how["do_sample"] else 1  # without chance all eight are the same
    texts = write(talker, words, asked + story[:times], 8, **how)  # together: one step for all of them
    said, told = texts[: len(asked)], texts[len(asked) :] * (len(story) // times)
    plane[name] = (variety(told), right(said))
    print(f"{name:<24} variety {plane[name][0]:.2f}   right {plane[name][1]:.0%}   {told[0][:60]!r}")

# %%
fig, ax = plt.subplots(figsize=(7, 4))
for name, (x, y) in plane.items():
    ax.plot(x, y, "o", color=show.SUNSET if settings[name]["do_sample"] else show.SKY)
    side, *shift = {"T = 0.6": ("right", -7, -4), "top-p 0.8": ("left", 5, -14)}.get(name, ("left", 5, 4))
    ax.annotate(name, (x, y), shift, textcoords="offset points", fontsize=9, ha=side)  # three lie close together
ax.set(xlabel="variety of eight stories", ylabel="capitals that are right", xlim=(0, 1.2), ylim=(0, 1))
alt = "Greedy and beams: right and all alike. High temperature: various and wrong. The others lie on a line between."
show.figure(fig, alt=alt)

# %%
X, Y = ({name: point[i] for name, point in plane.items()} for i in (0, 1))
assert X["greedy"] < 0.2 < X["T = 0.6"] < X["T = 1"] < X["T = 1.5"]
assert Y["greedy"] > Y["T = 1"] + 0.1 and Y["T = 0.6"] > Y["T = 1.5"] + 0.1 and Y["T = 1"] >= Y["T = 1.5"]
assert Y["T = 1.5, min-p 0.2"] > Y["T = 1.5"] and Y["2 beams"] >= Y["greedy"] >= Y["greedy, repetition 1.5"]
drawing = [name for name, how in settings.items() if how["do_sample"]]
assert np.corrcoef([X[name] for name in drawing], [Y[name] for name in drawing])[0, 1] < -0.5  # near one line

# %% [markdown]
# There is no point in the upper right corner. (Who leaves nothing to chance tells one story eight times, so that no
# more than one in eight of its pairs of words is new.) Variety is bought with errors, and all that draw lie near *one*
# line: to be a little colder is as good a bargain here as any cut. What a cut saves us from is the far end. A
# temperature of 1.5 alone is noise; with min-p it is as sensible as an uncut temperature of 1. The tail of the
# distribution is what is wrong with heat: thousands of tokens, each improbable, are together probable enough to be
# drawn once in a few words, and after one such word the model continues *that*.
#
# Two settings in blue are sold as cures. Beams find more probable texts, and here also more right answers; they are as
# uniform as greedy. The **repetition penalty** (Keskar et al. 2019) divides the logits of tokens already written. It is
# blind: the question is written too, so the very name that an answer needs is punished with the rest.
#
# So: one right answer exists, draw cold; many good answers exist, draw hot and cut. It is not a matter of taste.

# %% [markdown]
# ### 4 · A record that a program can read
#
# A service needs facts as JSON: `{"country": "Norway", "capital": "Oslo", "continent": "Europe"}`. There are
# two ways to say so in the **prompt** (提示词): describe what is wanted, or show one, as if an earlier question
# had been answered so. And there is a way to forbid everything else, control by **constraint** (约束解码). A
# grammar says which texts are complete, and a regular expression is grammar enough here. A token may come
# next if the text with it is still the beginning of some complete text, a *partial match*.

# %%
FORM = r'\{"country": "[A-Z][A-Za-z ]{2,20}", "capital": "[A-Z][A-Za-z ]{2,20}", "continent": "[A-Z][A-Za-z ]{2,15}"\}'
GRAMMAR = regex.compile(FORM)
pieces = [words.decode([i]) for i in range(len(words))]
END = words.eos_token_id


def allowed(text: str, token: int) -> bool:
    """May this token follow the text?"""
    if token == END:
        return GRAMMAR.fullmatch(text) is not None
    return bool(pieces[token]) and GRAMMAR.fullmatch(text + pieces[token], partial=True) is not None


assert allowed("", words.encode("{")[0]) and not allowed("", words.encode("Sure")[0]) and not allowed("", END)
assert allowed('{"country": "Norway", "capital": "Oslo", "continent": "Europe"}', END)

# %% [markdown]
# Which of 49,152 tokens are allowed? We ask from the most probable on, and stop at the first 20 that are, or when the
# 2,000 most probable are through. For greedy writing this changes nothing. We write greedily, and add up how much
# probability was allowed at each step, the $Z_t$ of (7.3).


# %%
@torch.inference_mode()
def write_record(prompt: str, most: int = 60) -> tuple[str, float]:
    """The record, and -log2 of the product of the allowed shares: how thick the walls were, in bits."""
    ids = words(prompt, return_tensors="pt").input_ids.to(device)
    text, cache, thick = "", None, 0.0
    for _ in range(most):
        out = talker(ids, past_key_values=cache, use_cache=True)
        p, order = out.logits[0, -1].float().softmax(-1).topk(2000)
        good = [i for i, token in enumerate(order.tolist()) if allowed(text, token)][:20]
        thick -= log2(p[good].sum())
        token = int(order[good[0]])
        if token == END:
            break
        text, ids, cache = text + pieces[token], torch.tensor([[token]], device=device), out.past_key_values
    return text, thick


# %%
def described(country: str) -> list[dict]:
    return [{"role": "user", "content": f"Describe {country} as JSON with the keys country, capital and continent."}]


def shown(country: str) -> list[dict]:
    kenya = '{"country": "Kenya", "capital": "Nairobi", "continent": "Africa"}'
    said = [("user", "Kenya as JSON, please."), ("assistant", kenya), ("user", f"{country} as JSON, please.")]
    return [{"role": role, "content": content} for role, content in said]


def judged(texts: list[str]) -> tuple[float, float]:
    """Share that a program can read, and share that is right too."""
    readable = [GRAMMAR.fullmatch(text.strip()) is not None for text in texts]
    true = [ok and json.loads(text)["capital"] == CAPITALS[c] for ok, text, c in zip(readable, texts, CAPITALS)]
    return np.mean(readable), np.mean(true)


records, walls = {}, {}
for wish in (described, shown):
    chats = map(wish, list(CAPITALS)[:2])
    prompts = [words.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
    records[wish.__name__, "free"] = write(talker, words, prompts, 28, do_sample=False)
    records[wish.__name__, "grammar"], walls[wish.__name__] = zip(*map(write_record, prompts))

# %% tags=["nbval-ignore-output"]
found = {way: judged(texts) for way, texts in records.items()}
for (prompt, way), (readable, true) in found.items():
    print(f"{prompt:<10} {way:<8} readable {readable:4.0%}, right too {true:4.0%}   {records[prompt, way][1][:66]!r}")
for prompt, bits_ in walls.items():
    print(f"walls, {prompt}: {np.mean(bits_):.0f} bits a record")

# %%
assert found["described", "grammar"][0] == found["shown", "grammar"][0] == 1
assert found["described", "free"][0] == 0 and found["shown", "free"][0] == 1
assert found["described", "grammar"][1] < found["shown", "grammar"][1] and min(walls["described"]) > 5 * max(
    walls["shown"]
)
course.expect("07.walls_described", np.mean(walls["described"]), baseline=np.mean(walls["shown"]))

# %% [markdown]
# One example does what a description does not: the model copies its form, every time. The grammar guarantees the form
# whatever the prompt is, and behind a bad prompt it guarantees nothing else: it forces keys and quotation marks on a
# model that was about to write something different, and what comes to stand between them is less often right. A record
# that can be read is not a record that is true, and it looks more trustworthy than it is.
#
# The walls of (7.3) tell the two cases apart without knowing any capital. Tens of bits mean that the mask wrote the
# text; a bit or so, that the model would have written it anyway. So: show an example first, and let the grammar catch
# the rest.

# %% [markdown]
# ### 5 · As Shakespeare would say it
#
# A style is no grammar. We want a king's words before a battle, as Shakespeare would write them, from a model that
# talks like a helpful assistant. First we need a judge. *Try the obvious one: how surprised is a counter of
# Shakespeare's letters (chapter 03), in bits per character? He has never read anything else.*

# %% tags=["nbval-ignore-output"]
play = data.shakespeare()
codec = CharCodec.train(play)
V = len(codec.vocab)
clean = lambda text: "".join(c for c in text if c in codec.vocab)
purist = ngram.fit_kneser_ney([codec.encode(play)], V, 5)
plain_wish = "A king speaks to his soldiers on the night before a battle. Write what he says."
warm = dict(do_sample=True, temperature=0.8, top_k=0, top_p=0.95)
plain = write(talker, words, [ask(plain_wish)] * 32, 24, **warm)
bits = lambda chain, text: -chain.log_prob(codec.encode("\n" * chain.order + clean(text))).mean() / log(2)
test = data.shakespeare("test")
verse = [test[i : i + 200] for i in range(0, 25_000, 500)]  # fifty pieces of unread plays
print("the assistant:", plain[0])

# %% tags=["nbval-ignore-output"]
to_purist = {
    who: np.median([bits(purist, text) for text in texts]) for who, texts in (("poet", verse), ("machine", plain))
}
print(", ".join(f"{who}: {value:.2f}" for who, value in to_purist.items()), "bits per character, in the middle")

# %%
assert abs(to_purist["machine"] - to_purist["poet"]) < 0.3

# %% [markdown]
# The judge is useless: he finds the assistant as Shakespearean as Shakespeare. **Likelihood is not quality.** A text
# of common words is probable to anybody who knows English letters, and a poet's own words are *not* the most probable
# ones. What tells two writers apart is not how probable a text is to one, but *to one rather than the other*, and that
# is chapter 02: a classifier made of two generators. We train two small chains, one on Shakespeare, one on as much text
# by the assistant, and take the difference, a posterior log odds for each letter.

# %%
lesson, unseen = plain[:20], plain[20:]
modern = clean("\n".join(lesson))
old_text = data.shakespeare("validation")[: len(modern)]
two = [ngram.fit_kneser_ney([codec.encode(text)], V, 3) for text in (old_text, modern)]


def reward(text: str) -> float:
    """Bits per character by which the text is rather Shakespeare's than the assistant's."""
    return bits(two[1], text) - bits(two[0], text)


told_apart = np.mean([reward(text) > 0 for text in verse]), np.mean([reward(text) < 0 for text in unseen])
assert min(told_apart) > 0.7  # of the unread plays, and of the assistant's new texts

# %% [markdown]
# A judge trained on a few pages tells them apart. Now three ways to be steered by it: ask for the style; ask for it,
# draw 16 and take the best (**re-ranking**, 重排序); and, below, train. *How much does the best of many gain over one?*

# %% tags=["nbval-ignore-output"]
styled_wish = plain_wish + " Write it in the style of William Shakespeare, in verse."
styled = write(talker, words, [ask(styled_wish)] * 16, 24, seed=course.seed() + 1, **warm)
scores = np.sort([reward(text) for text in styled])
N = len(scores)
picks = [1, 2, 4, 8, 16]
curve = [sum(scores[i - 1] * ((i / N) ** n - ((i - 1) / N) ** n) for i in range(1, N + 1)) for n in picks]  # F^n
fig, ax = plt.subplots(figsize=(7, 3))
ax.plot([(log(n) - (n - 1) / n) / log(2) for n in picks], curve, "o-", color=show.SUNSET)
for y, who, color in (
    (np.mean([reward(t) for t in verse]), "Shakespeare", show.DUSK),
    (np.mean([reward(t) for t in unseen]), "not asked", show.SKY),
):
    ax.axhline(y, color=color, ls="--")
    ax.annotate(who, (0, y), (4, 3), textcoords="offset points", color=color)
ax.set(xlabel="moved away from the model at most, bits", ylabel="reward, bits per character")
show.figure(fig, alt="The reward of the best of n rises with the logarithm of n and slows down.")

# %%
assert all(np.diff(curve) > 0) and curve[-1] - curve[-2] < curve[1] - curve[0]  # ever more, and ever less so
course.expect("07.reward_gain", curve[-1] - curve[0], baseline=0)

# %% tags=["nbval-ignore-output"]
darling = "\n".join(["What, ho! my lord, my lord!"] * 8)
print("the best of 16:", max(styled, key=reward))
print("\nthe judge's darling:", f"{reward(darling):.1f} against {curve[-1]:.1f}")

# %%
assert reward(darling) > curve[-1]

# %% [markdown]
# Each doubling of $n$ costs twice the work and moves at most one bit further; the gain shrinks. And look at the last
# line: *What, ho! my lord* eight times beats the best of all honest draws. A judge is a stand-in for what we want. Push
# hard enough, and one gets what the stand-in likes. This is **Goodhart's law**, and best-of-n is a gentle push, which
# is why it mostly survives it.

# %% [markdown]
# ### 6 · Less than a minute of training
#
# At last we change the model. LoRA (7.5) puts thin matrices beside the queries and values of all 30 layers and trains
# them, on plays. Everything else is frozen. We measure on an unread play, in bits per character, which different
# tokenizers share.

# %%
lora = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
T = 64
to_learn = torch.tensor(words.encode(play[:1_500_000]))
exam = torch.tensor(words.encode(test[:2_000]))
exam = exam[: len(exam) // (T + 1) * (T + 1)].view(-1, T + 1)


def next_token_loss(model, ids: Tensor) -> Tensor:
    logits = model(input_ids=ids[:, :-1]).logits.float()
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


def loss(model, step: int, generator: torch.Generator) -> Tensor:
    at = torch.randint(len(to_learn) - T, (3, 1), generator=generator) + torch.arange(T + 1)
    return next_token_loss(model, to_learn[at].to(device))


@torch.inference_mode()
def exam_bits(model) -> float:
    letters = len(words.decode(exam[:, 1:].flatten()))
    return next_token_loss(model, exam.to(device)).item() * exam[:, 1:].numel() / letters / log(2)


before = {"play": exam_bits(talker), "capitals": right(answers), "reward": np.mean([reward(text) for text in unseen])}

# %% tags=["nbval-ignore-output"]
tuned = get_peft_model(talker, lora)
for weight in tuned.parameters():
    if weight.requires_grad:
        weight.data = weight.data.float()  # where the rest is in bfloat16, small steps would be lost
trained, whole = tuned.get_nb_trainable_parameters()
print(f"{trained:,} of {whole:,} weights are trained: {trained / whole:.2%}")
with torch.inference_mode(), tuned.disable_adapter():
    alone = next_token_loss(tuned, exam[:2].to(device))
with torch.inference_mode():
    assert next_token_loss(tuned, exam[:2].to(device)).isclose(alone)  # B = 0: still the model that it was
recipe = Recipe(steps=10, lr=3e-3, warmup=0.1, fast=True, seed=course.seed())
history = train(tuned, loss, recipe)

# %% tags=["nbval-ignore-output"]
spoken = write(tuned, words, [ask(plain_wish)] * 12, 20, **warm)  # not asked for any style
after = {
    "play": exam_bits(tuned),
    "capitals": right(write(tuned, words, asked, 8, do_sample=False)),
    "reward": np.mean([reward(text) for text in spoken]),
}
for what in before:
    print(f"{what:<10} before {before[what]:6.2f}   after {after[what]:6.2f}")
print("\nfirst draw:", spoken[0])

# %%
course.expect("07.lora_bits", after["play"], baseline=before["play"])
assert after["play"] < before["play"] - 0.05 and after["reward"] > before["reward"]
assert abs(after["capitals"] - before["capitals"]) <= 0.25  # four of sixteen
with torch.inference_mode(), tuned.disable_adapter():
    assert next_token_loss(tuned, exam[:2].to(device)).isclose(alone)  # nothing was lost: they can be taken off

# %% [markdown]
# Less than a minute, less than one weight in a hundred, and the unread play has become much less surprising. The voice
# follows more slowly: to the judge the answers to our *plain* question are a little more Shakespeare's, and to the ear
# the first draw might still be the assistant's. And what did it forget (question 3)? Not the capitals; about as many
# of them are right as before.
#
# ### 7 · Five words a line: 五言绝句
#
# Everything so far works in every language, and Chinese has a form that suits our instruments: the quatrain of five
# syllables, four lines, in which lines 2 and 4 rhyme (押韵), and level tones (平) alternate with oblique ones (仄). One
# character is one syllable. A small GPT of the library, trained on some fifty thousand quatrains from Tang and Song
# (`make checkpoints ARGS=verse`), is shipped. Its prompt is a line break, and so is its end. It writes as it goes:

# %% tags=["nbval-ignore-output"]
poet_model, characters = released.load("verse")
brush = CharCodec(characters)
BREAK = brush.encode("\n")[0]
dice = torch.Generator().manual_seed(course.seed())


def quatrains(n: int, keep=None, temperature: float = 1.0) -> list[str]:
    """n texts of 20 characters, unselected."""
    start = torch.full((n, 1), BREAK)
    drawn = sample.tokens(poet_model, start, 20, temperature, generator=dice, keep=keep)
    return [brush.decode(row) for row in torch.stack(list(drawn), dim=1)]


lines = lambda text: "\n".join(text[i : i + 5] + "，。"[i // 5 % 2] for i in range(0, 20, 5))
written = show.stream(lines(text) + "\n\n" for text in quatrains(2, temperature=0.8))

# %% [markdown]
# The words are those of the genre, and most lines hold together; from line to line the sense wanders. *Do the lines
# rhyme?* We measure with today's pronunciation (`pypinyin`). It is not that of Tang, so the poets themselves do
# not reach 100 %. Chance is two end words taken from different poems.

# %%
POETS = ["床前明月光疑是地上霜舉頭望明月低頭思故鄉", "白日依山盡黃河入海流欲窮千里目更上一層樓",
         "春眠不覺曉處處聞啼鳥夜來風雨聲花落知多少", "千山鳥飛絕萬徑人蹤滅孤舟蓑笠翁獨釣寒江雪"]  # fmt: skip
print("Li Bai, Wang Zhihuan, Meng Haoran, Liu Zongyuan rhyme:", [rhymes(poem) for poem in POETS])
made = [text for text in quatrains(300) if "\n" not in text]
ends = [text[9] for text in made] + [text[19] for text in made]
luck = np.mean([a != b and rhyme(a) == rhyme(b) for a, b in zip(ends, np.roll(ends, 1))])
print(f"of 300 drawn texts, {len(made)} have 20 characters")
rhymed, toned = np.mean([rhymes(text) for text in made]), np.mean([alternates(text) for text in made])
print(
    f"lines 2 and 4 rhyme in {rhymed:.0%} of them, by luck in {luck:.0%}; tones alternate in {toned:.0%} of the lines"
)
assert luck < rhymed < 0.4 and toned > 0.65
print((released.FOLDER / "verse.md").read_text(encoding="utf-8").split("**Held out**: ")[1].split("\n")[0])

# %% [markdown]
# A surprise. The model has never heard a sound, only characters, and the second and the fourth tone of a line differ
# nearly as often as the poets' do. What is close by can be learnt from company: which characters stand two places
# apart in fifty thousand poems tells their tones. Rhyme it has hardly learnt: ten places lie between, and of the
# sounds there are not two kinds but dozens. So lend it our ears. A rule of verse is a constraint: this character must
# have a level tone, the last one must rhyme. The pattern below is one of the classical ones.

# %%
LEVEL = torch.tensor([c != "\n" and level(c) for c in characters])
REAL = torch.tensor([c != "\n" for c in characters])
ROWS = {c: rhyme(c) for c in characters if c != "\n"}
PATTERN = "仄仄平平仄" "平平仄仄平" "平平平仄仄" "仄仄仄平平"  # fmt: skip


class Rules:
    """For `keep` of sample.tokens: tones by the pattern, line 4 rhyming with line 2. Adds up the walls, in bits."""

    def __init__(self, n: int):
        self.place, self.second, self.walls = 0, [None] * n, torch.zeros(n)

    def __call__(self, p: Tensor) -> Tensor:
        good = (REAL & (LEVEL == (PATTERN[self.place] == "平"))).repeat(len(p), 1)
        if self.place == 19:
            good &= torch.tensor([[ROWS.get(c) == ROWS[s] and c != s for c in characters] for s in self.second])
        allowed = p * good
        self.walls -= allowed.sum(-1).log2()
        self.place += 1
        return allowed / allowed.sum(-1, keepdim=True)


# %% [markdown]
# `keep` sees probabilities, not what was drawn; so we draw line by line, and tell the rules the second line's end.


# %%
def by_rule(n: int) -> tuple[list[str], Tensor]:
    rules, ids = Rules(n), torch.full((n, 1), BREAK)
    for length in (10, 10):
        drawn = torch.stack(list(sample.tokens(poet_model, ids, length, generator=dice, keep=rules)), dim=1)
        ids = torch.cat([ids, drawn], dim=1)
        rules.second = [brush.decode([row[-1]]) for row in drawn]
    return [brush.decode(row[1:]) for row in ids], rules.walls


@torch.inference_mode()
def surprise(texts: list[str]) -> float:
    ids = torch.tensor([brush.encode("\n" + text) for text in texts])
    return gpt.loss(poet_model, ids).item() / log(2)


# %% tags=["nbval-ignore-output"]
ruled, walls = by_rule(200)
print(lines(ruled[0]) + "\n\n" + lines(ruled[1]))
print(f"\nbits per character, to the model itself: free {surprise(made):.2f}, by rule {surprise(ruled):.2f}")
print(f"the walls: {walls.mean():.0f} bits a poem")

# %%
assert surprise(ruled) < surprise(made) + 0.2 and 7 < walls.mean() < 14
assert all(map(rhymes, ruled)) and np.mean([alternates(text) for text in ruled]) == 1

# %% [markdown]
# Every rule is kept in every poem, and by the model's own measure the lines are as natural as before. If the model
# cared nothing for tones, each of the 20 places would cost one bit; it pays about half of that, for half of the way
# it goes by itself. The rules buy sound; sense they cannot buy.
#
# ### 8 · What it cannot do
#
# Most capitals, a record in JSON, a king in verse. Now something that a child of seven can do: all 16
# sums of two numbers from 2 to 5, greedily, after three examples. *How many are right?* The baseline is to say 7 each
# time, the most frequent sum.

# %% tags=["nbval-ignore-output"]
shots = [("user", "What is 6 plus 1?"), ("assistant", "7"), ("user", "What is 2 plus 7?"), ("assistant", "9")]
shots += [("user", "What is 1 plus 4?"), ("assistant", "5"), ("user", "What is {} plus {}?")]
pairs = list(product(range(2, 6), repeat=2))
chats = [[{"role": role, "content": text.format(*pair)} for role, text in shots] for pair in pairs]
prompts = [words.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
with tuned.disable_adapter():
    replies = write(tuned, words, prompts, 5, do_sample=False)
print("  ".join(f"{a} + {b} = {reply}" for (a, b), reply in zip(pairs[::5], replies[::5])))
added = np.mean([reply.strip(" .") == str(sum(pair)) for pair, reply in zip(pairs, replies)])
print(f"right: {added:.0%}; always 7: {4 / 16:.0%}")

# %%
numbers = np.mean([reply.strip(" .").isdigit() for reply in replies])
assert added < 0.5 < 0.9 < numbers  # mostly wrong, and always in the right form

# %% [markdown]
# It answers at once, in the form that was shown, without a sign of doubt, and wrong. The capitals stood in what it
# read, thousands of times; the sums stood there too, but a sum is not a thing to be remembered, and a model of this
# size has not found the rule. Drawing colder makes it wrong the same way every time; a grammar makes it a wrong number
# of the right form; a judge who cannot add cannot choose. Larger models can add, and stumble over products; they are
# given a calculator. The manner of an answer tells nothing about its truth.

# %% [markdown]
# ## Checkpoint
#
# *Someone needs each answer to contain the word "Oslo", and forbids the end of the text until it has been written. Is
# this a constraint as in section 4? Will every answer contain it? What will the answers look like?*
#
# <details><summary>Answer</summary>
#
# It is one, with a grammar that allows everything at first; only the end is masked. Nothing pulls the model towards the
# word, so it writes on and on, until the word comes by chance or the limit comes: a thin wall at each step, at the very
# place where the model wanted to stop. By (7.3) the draws are far from $p(x \mid \text{Oslo})$, which would have begun
# with Norway. To get that one must know, early, which beginnings lead there: the noise-aware classifier of chapter 02,
# or many draws and a choice, or a prompt.
#
# </details>

# %% [markdown]
# ## Break it
#
# A common slip in code that draws: the temperature is applied *after* the softmax, to probabilities. *What does a
# temperature of 0.1 do then?*

# %%
logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
p = logits.softmax(-1)
after_softmax = (p / 0.1) / (p / 0.1).sum()
print("proper:        ", sample.temper(logits, 0.1).numpy().round(3))
print("after softmax: ", after_softmax.numpy().round(3))
print("probabilities taken for logits, T = 1:", sample.temper(p, 1.0).numpy().round(3))
assert torch.allclose(after_softmax, p) and sample.temper(logits, 0.1)[0] > 0.99
assert sample.temper(p, 1.0).max() < 0.4 < p.max()

# %% [markdown]
# Nothing at all: dividing all probabilities by one number and sharing out anew gives the same probabilities, at every
# temperature. The knob turns, and is not connected. The other slip is worse: probabilities lie between 0 and 1, so as
# logits they are nearly equal, and the softmax of a softmax is almost flat. Both run without a warning. A test of one
# line finds them: at a low temperature the largest must have nearly everything.
#
# ## What we measured

# %% tags=["nbval-ignore-output"]
course.summary()

# %% [markdown]
# How do you make a language model do as it is told? By prompt, if it has been trained to listen; by drawing cold where
# one answer is right and hot where many are good; by forbidding, where the wish is a form; by choosing, where there is
# a judge; by training, where there are examples. Each of them moves the distribution, and each leaves the question
# whether the text is *true* where it was.
#
# ## Limits
#
# - 16 capitals, 8 stories and one model of 135 million weights, each packed in four bits once: the curve of variety
#   against errors is that of this model. Larger ones lie higher; that there is a curve is common to all.
# - Variety by pairs of words counts noise as variety. It needs the other axis beside it, always.
# - The judge of style is made of a few pages, and *What, ho!* fools him. No reader has judged any of these texts.
# - The bound (7.4) is about whole texts; how much of it is used, we did not measure.
# - Rhyme and tone are today's. A poem may keep every rule of sound and say nothing.
# - LoRA was run for ten steps with one learning rate and one seed a run.
#
# ## Exercises
#
# In `exercises/07_text.ipynb`, of which `make lab` puts a copy into `my/`:
#
# - 07.1 · debug · 20 min · ●●○○○ · Eight texts that are one
# - 07.2 · verify · 15 min · ●●○○○ · The nucleus
# - 07.3 · verify · 10 min · ●○○○○ · Perplexity per word
# - 07.4 · modify · 15 min · ●●○○○ · Do not say it again
# - 07.5 · modify · 15 min · ●●○○○ · Pad on the left
# - 07.6 · modify · 30 min · ●●●○○ · Beam search
# - 07.7 · investigate · 30 min · ●●●○○ · What is the best of n worth?
# - 07.8 · investigate · 20 min · ●●○○○ · LoRA, merged
# - 07.9 · build · 45 min · ●●●●○ · A writer that keeps rules
# - 07.10 · challenge · 60 min · ●●●●● · Many words, and all of them words
#
# ## References
#
# - Beirami, A. et al. (2024). Theoretical guarantees on the best-of-n alignment policy. arXiv:2401.01879
# - Ben Allal, L. et al. (2025). SmolLM2: when smol goes big. arXiv:2502.02737
# - Fan, A., Lewis, M. & Dauphin, Y. (2018). Hierarchical neural story generation. doi:10.18653/v1/P18-1082
# - Holtzman, A. et al. (2020). The curious case of neural text degeneration. arXiv:1904.09751
# - Hu, E. J. et al. (2022). LoRA: low-rank adaptation of large language models. arXiv:2106.09685
# - Keskar, N. S. et al. (2019). CTRL: a conditional transformer language model for controllable generation.
#   arXiv:1909.05858
# - Li, J. et al. (2016). A diversity-promoting objective function for neural conversation models.
#   doi:10.18653/v1/N16-1014
# - Nguyen, M. et al. (2024). Turning up the heat: min-p sampling for creative and coherent LLM outputs.
#   arXiv:2407.01082
