# %% [markdown]
# # 07 · Text in practice
#
# *read 84 min · do 260 min · run 87 s*
#
# **How do you make a language model do as it is told?**
#
# Six lines of code are enough to let a machine write, and most introductions print them. Run them, and the machine
# writes a few words, then the same words again, and again, until the limit that somebody set. Run them once more, and
# it writes the same text to the letter. Give them two prompts instead of one, and they stop with an error.
#
# None of this is the fault of the model. It did what a language model does: it said how probable each next token is.
# Which one is *taken*, how often one is asked again, what is forbidden, and with which examples it was trained last:
# that is decided outside. This chapter is about the outside.
#
# ## What you need
#
# Chapter 02 (a posterior; waiting against calculating) and chapter 03 (what a GPT computes; bits per character). A part
# marked ◇ is for a second reading.

# %%
import warnings
from itertools import product
from math import comb, log

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2LMHeadModel, GPT2Tokenizer
from transformers.utils import logging as hub_logging

from aigc import course, data, machine, released, sample, show

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
# | facts, and stories | temperature, top-k, top-p, min-p | chance to be right, against openness | temperature alone |
# | a record in JSON | an example; a grammar | share that a program can read; right capitals | the question alone |
# | a king's speech | a prompt, a choice, training (LoRA) | how Shakespearean, to a judge | no steering |
# | a Chinese quatrain | rules of rhyme and tone | share that keeps them | the poets; chance |
#
# There are five places at which one can take hold of a machine that writes: its prompt, its examples, the tokens that
# may come next, the draw itself, and the choice among finished texts.

# %%
show.diagram(
    {"prompt": (0, 0, "truth"), "model": (1, 0, "model"), "next tokens": (2, 0), "text": (3, 0)}
    | {"examples": (1, 1, "truth"), "cut, grammar": (2, 1, "baseline"), "judge": (3, 1, "baseline")},
    [("prompt", "model"), ("model", "next tokens"), ("next tokens", "text", "draw"), ("examples", "model", "train")]
    + [("cut, grammar", "next tokens"), ("judge", "text", "choose")],
    alt="A prompt goes into a model, which says how probable the next tokens are, and one is drawn: text. Examples "
    "train the model, a cut or a grammar forbids tokens, and a judge chooses among texts.",
)

# %% [markdown]
# ## 1 · The lines that everybody prints
#
# *What is wrong with six lines that run?* Here they are, in the manner of the introduction that this course follows and
# corrects. The model is one of our own, in the format of GPT-2 and a sixtieth of its size, trained on Shakespeare's
# plays with `make checkpoints ARGS=gpt2`, so that the lines run on a train. With a network, write `name = "gpt2"` and
# the same lines fetch the model of 2019.
#
# *Predict 1.* You know what the second run will write. What will it say when two prompts have different lengths, and
# when one is longer than the limit?

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
# *Answer 1.* Two errors: nothing was said about how to fill up the shorter prompt, and `max_length` counts the prompt.
#
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
# Two of them are worse than the rest: with a pad token set, and nothing else changed, a batch runs, the log has a
# warning at most, and the numbers are wrong. *How wrong?* We compare the logits (the scores before the softmax) for the
# next token of a short prompt that stands beside a long one, with those that it gets alone.

# %%
model = model.float()  # its weights were saved in 16 bits, and the library computes in what was saved
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
# column is what is continued, and that is padding.) Here is the function that we shall use from now on. It does one
# thing more, for speed: what all prompts have in common at their beginning is read once, and its keys and values are
# kept (chapter 03). Of *KING: My lords* and *KING: My lords, the night* that is all but the last token of the shorter
# one, which is left for `generate` to begin with. Padding then stands between the common part and the rest, under the
# mask, where it hurts nobody.


# %% tags=["mine"]
from os.path import commonprefix


def write(model, tokenizer, prompts: list[str], tokens: int, seed: int = course.seed(), **how) -> list[str]:
    """What the model adds to each prompt. how: for `generate`, such as do_sample, temperature, top_p; but no beams."""
    tokenizer.padding_side, texts = "left", tokenizer(prompts).input_ids
    same = min(len(commonprefix(texts)), min(map(len, texts)) - 1)  # so many tokens are read once
    begin = torch.tensor([texts[0][:same]] * len(texts), dtype=torch.long)
    rest = tokenizer.pad({"input_ids": [text[same:] for text in texts]}, return_tensors="pt")
    ids, mask = torch.cat([begin, rest.input_ids], 1), torch.cat([torch.ones_like(begin), rest.attention_mask], 1)
    past = None
    if same:
        with torch.inference_mode():
            past = model(begin[:1].to(model.device)).past_key_values
        past.batch_repeat_interleave(len(texts))
    torch.manual_seed(seed)
    how = dict(max_new_tokens=tokens, pad_token_id=tokenizer.pad_token_id, past_key_values=past) | how
    out = model.generate(ids.to(model.device), attention_mask=mask.to(model.device), **how)
    return tokenizer.batch_decode(out[:, ids.size(1) :], skip_special_tokens=True)


# %%
for two in (pair, ["KING:\nMy lords", "KING:\nMy lords, the night is long, and"]):  # nothing in common, and a beginning
    together = write(model, tokenizer, two, 9, do_sample=False)
    for text, added in zip(two, together):
        ids = tokenizer(text, return_tensors="pt")
        plainly = model.generate(**ids, max_new_tokens=9, pad_token_id=0)[0, ids.input_ids.size(1) :]
        assert added == tokenizer.decode(plainly, skip_special_tokens=True)


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
# To take the most probable next token every time is called **greedy** (贪心). It does not make a human text (Holtzman
# et al. 2020). Why a loop? The same authors found that it feeds itself: each copy of a sentence makes the next copy
# more probable. *Is it so here?*


# %%
@torch.inference_mode()
def copies(model, tokenizer) -> np.ndarray:
    """What each of six copies costs, one after the other, in bits: the mean of three sentences."""
    begin, costs = len(tokenizer.encode("KING:\n")), []
    for sentence in ("And so I say.\n", "I know not what to do.\n", "The king is dead.\n"):
        ids = tokenizer.encode("KING:\n" + 6 * sentence, return_tensors="pt").to(model.device)
        log_p = model(ids).logits[0, :-1].float().log_softmax(-1).gather(1, ids[0, 1:, None])[begin - 1 :, 0] / log(2)
        costs.append(-log_p.view(6, -1).sum(1).cpu().numpy())
    return np.mean(costs, axis=0)


costs = copies(model, tokenizer)
print(costs.round(0))
assert costs[-1] > 0.8 * costs[0]

# %% [markdown]
# Hardly. The last copy costs nearly what the first did. This little model has not learnt to go on counting (chapter
# 03). Its loops probably have a simpler reason: the most probable way leads back to the same few words. We shall ask a
# larger model, when we have one.
#
# And stopping? Our model has learnt an end token, which stands between two speeches. Left alone it ends by itself, if
# the limit does not come first.

# %% tags=["nbval-ignore-output"]
ended = write(model, tokenizer, speeches[:4], 40, **free)
print("\n---\n".join(prompt + text for prompt, text in zip(speeches, ended)))

# %% [markdown]
# Everything in the table was about *asking* the library. The rest of the chapter is about the distribution that it
# draws from.
#
# ## 2 · One draw
#
# *How many ways are there to draw one token?* A model knows four next tokens, with probabilities 8, 4, 2 and 2
# sixteenths.
#
# *Predict 2.* Pencil, four times. Temperature 1/2 squares the probabilities: what is the share of the first? Top-k with
# $k = 2$ keeps the two largest: what are they now? Top-p with 0.8 keeps the fewest that hold 80 % together: how many?
# Min-p with 0.3 keeps what has at least 30 % of the largest: how many?

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
# *Answer 2.* Eight of eleven (64, 16, 4, 4 of 88). Two thirds and one third. Three: 8 + 4 are 75 %, too few; which of
# the two last ones is a matter of their order. Two: 0.3 × 8 = 2.4.
#
# The model gives one number to each token $i$ of its vocabulary, the logit $a_i$. All drawing goes in two steps: make
# probabilities sharper or flatter by a **temperature** (温度) $T$, then keep a set $K$ of tokens and share the rest
# out. Below, $[i \in K]$ is 1 for a token that is kept and 0 for another, and $k$, $P$ and $m$ are the three knobs:
#
# $$p_i = \frac{e^{a_i / T}}{\sum_j e^{a_j / T}} \tag{7.1}$$
#
# $$p_i' = \frac{p_i\,[i \in K]}{\sum_{j \in K} p_j}, \qquad K = \begin{cases}
# \text{the } k \text{ largest} & \text{top-}k \text{ (Fan et al. 2018)} \\
# \text{the fewest, largest first, that hold } P & \text{top-}p \text{ (Holtzman et al. 2020)} \\
# \{i : p_i \ge m \max_j p_j\} & \text{min-}p \text{ (Nguyen et al. 2024)}
# \end{cases} \tag{7.2}$$
#
# These are `sample.temper`, `sample.top_k`, `sample.nucleus` and `sample.min_p`. For the last two the order matters: at
# a high temperature the tail is fat, and what is cut afterwards is cut from a fat tail. They do what the library that
# everybody uses does:

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
for name, odds in {"sure": [97, 1, 1, 1], "no idea": [27, 25, 24.5, 23.5]}.items():
    q = torch.tensor(odds) / 100
    kept = {"top-k": sample.top_k(q, 2), "top-p": sample.nucleus(q, 0.8), "min-p": sample.min_p(q, 0.3)}
    print(f"{name:<8}", {way: int((left > 0).sum()) for way, left in kept.items()}, "tokens kept")
assert (kept["min-p"] > 0).sum() == 4 == (kept["top-p"] > 0).sum() and (kept["top-k"] > 0).sum() == 2

# %% [markdown]
# The cuts part company when the model's sureness changes. Top-k keeps two when the model is sure and two when it has no
# idea; min-p keeps one and four.
#
# And who wants *the most probable text* rather than a draw? Two tokens are to be written. The first is A with 0.6 or B
# with 0.4. After A, three tokens are equally probable; after B, one has 0.9.
#
# *Predict 3.* Which text of two tokens is the most probable? Does the greedy writer find it?

# %%
first = {"A": 0.6, "B": 0.4}
second = {"A": {"x": 1 / 3, "y": 1 / 3, "z": 1 / 3}, "B": {"x": 0.9, "y": 0.1}}


def beam(width: int) -> tuple[str, float]:
    kept = sorted(first.items(), key=lambda item: -item[1])[:width]
    longer = [(a + b, p * q) for a, p in kept for b, q in second[a].items()]
    return max(longer, key=lambda item: item[1])


for width in (1, 2):
    print("beams: {}, finds {} with {:.2f}".format(width, *beam(width)))
assert beam(1)[0][0] == "A" and beam(2) == ("Bx", 0.4 * 0.9)

# %% [markdown]
# *Answer 3.* B and then 0.9, which is 0.36; A and then 1/3 is 0.2. Greedy takes A and cannot go back. A **beam search**
# (束搜索) with two beams keeps both beginnings alive, and finds it.
#
# Now the same on a real model. On the left the tokens after *My lords,* stand in order, the most probable first, at
# three temperatures, and the cuts as lines. On the right thirty texts are drawn from the model, and each is a hair: how
# its probability falls, token by token. *Where will greedy and the beams run, and where a real play?*


# %% tags=["nbval-ignore-output"]
@torch.inference_mode()
def falling(ids: Tensor, begin: int) -> np.ndarray:
    """log2 of the probability of each text's first 0, 1, 2, .. tokens after the prompt. ids: (B, T)."""
    log_p = model(ids).logits[:, begin - 1 : -1].log_softmax(-1).gather(2, ids[:, begin:, None])[..., 0] / log(2)
    return np.pad(log_p.cumsum(-1).numpy(), ((0, 0), (1, 0)))


more = dict(max_new_tokens=20, eos_token_id=None, pad_token_id=0)
torch.manual_seed(course.seed())
hairs = falling(model.generate(input_ids.repeat(30, 1), do_sample=True, top_k=0, **more), input_ids.size(1))
searched = {"greedy": {}, "5 beams": dict(num_beams=5)}
searched = {name: model.generate(input_ids, do_sample=False, **how, **more) for name, how in searched.items()}
bold = {name: falling(ids, input_ids.size(1))[0] for name, ids in searched.items()}
pieces = [tokenizer.encode(text[:200])[:28] for text in poet]
begins = torch.tensor([piece for piece in pieces if len(piece) == 28][:30])
bold["a play, in the mean"] = falling(begins, 8).mean(0)  # thirty pieces that the model has not read
with torch.inference_mode():
    scores = model(input_ids).logits[0, -1]
print("the beams:", tokenizer.decode(searched["5 beams"][0, input_ids.size(1) :]))

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6))
for T, color in ((0.5, show.SKY), (1.0, show.INK), (1.5, show.SUNSET)):
    y = sample.temper(scores, T).sort(descending=True)[0].log2()
    axes[0].plot(range(1, len(scores) + 1), y, color=color, label=f"T = {T}")
p = sample.temper(scores, 1.0)
cuts = {"top-k 50": sample.top_k(p, 50), "top-p 0.9": sample.nucleus(p, 0.9), "min-p 0.05": sample.min_p(p, 0.05)}
for n, (name, left) in enumerate(cuts.items()):
    axes[0].axvline((left > 0).sum() + 0.5, color=show.DUSK, ls=["-", "--", ":"][n], lw=1, label=name)
axes[0].set(xscale="log", xlabel="rank of the token", ylabel="log2 of its probability", ylim=(-20, 1))
axes[0].legend(loc="lower left", fontsize=8)
axes[1].plot(hairs.T, color=show.INK, lw=0.5, alpha=0.5)
for (name, line), color, style in zip(bold.items(), (show.SUNSET, show.SKY, show.DUSK), ("-", "-", "--"), strict=True):
    axes[1].plot(line, color=color, ls=style, lw=2.5, label=name)
axes[1].set(xlabel="tokens", ylabel="log2 of the text's probability")
axes[1].legend()
show.figure(
    fig,
    alt="Left: the sorted probabilities fall; heat flattens them. Right: drawn texts fall far below greedy and beams.",
)
ends = {name: line[-1] for name, line in bold.items()}
assert ends["5 beams"] >= ends["greedy"] - 1e-3 and ends["greedy"] > np.median(hairs[:, -1]) + 20
assert (
    np.mean(hairs[:, -1] < ends["greedy"]) >= 0.9 and abs(ends["a play, in the mean"] / hairs[:, -1].mean() - 1) < 0.2
)

# %% [markdown]
# On the left one sees what heat does, it lifts the tail; and that the cuts, drawn for $T = 1$, differ by how many ranks
# they keep. On the right, greedy and the beams run above nearly all hairs: what they write is more than a million times
# as probable as the hair in the middle (on our laptop about $2^{40}$ times). And the play, which a poet wrote and the
# model has never read, falls about as fast as the *hairs* do, in other scenes and to other words. What a search for
# probable texts finds is what nobody would write; what people write is, to a model, improbable at nearly the same rate
# as what the model draws.
#
# ## 3 · Right, or various
#
# *Is there one best way to draw?* So much for a model that only continues. SmolLM2 (Ben Allal et al. 2025) has 135
# million weights, has read two trillion tokens, and was then trained on conversations. Ours comes out of a package, in
# which most weights have four bits; set-up unpacked it. A conversation is a text like any other, with marks in it, and
# the **chat template** (对话模板) says which:

# %% tags=["mine"]
folder = data.smollm2()
talker = AutoModelForCausalLM.from_pretrained(folder, dtype=machine.precision(device)).eval().to(device)
words = AutoTokenizer.from_pretrained(folder)


def ask(*said: str, system: str = "You are a helpful assistant.") -> str:
    """The text before the answer. said: by turns, the user first. With no system message the template adds its own."""
    roles = [{"role": "system", "content": system}]
    roles += [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
    return words.apply_chat_template(roles, tokenize=False, add_generation_prompt=True)


print(ask("What is the capital of Norway?", system="You are brief."))

# %% [markdown]
# First the question that was left open: what do six copies of a sentence cost a larger model?

# %%
costs = copies(talker, words)
print(costs.round(0))
assert costs[-1] < costs[0] / 5

# %% [markdown]
# Here the loop does feed itself. It has read enough to know what a repetition looks like, and to go on with it.
#
# *Predict 4.* We ask for the capitals of 24 countries, greedily, with the template, and with the bare question. How
# many are right?

# %%
CAPITALS = dict(
    France="Paris", Germany="Berlin", Italy="Rome", Spain="Madrid", Portugal="Lisbon", Japan="Tokyo", China="Beijing",
    Russia="Moscow", Egypt="Cairo", Greece="Athens", England="London", Austria="Vienna", Sweden="Stockholm",
    Norway="Oslo", Finland="Helsinki", Poland="Warsaw", Hungary="Budapest", Ireland="Dublin", Denmark="Copenhagen",
    Turkey="Ankara", Canada="Ottawa", Peru="Lima", Cuba="Havana", Iraq="Baghdad",
)  # fmt: skip
bare = [f"What is the capital of {country}?" for country in CAPITALS]
asked = [ask(question) for question in bare]


def right(answers: list[str]) -> float:
    return np.mean([city in answer for city, answer in zip(CAPITALS.values(), answers, strict=True)])


# %% tags=["nbval-ignore-output"]
answers, untold = (write(talker, words, prompts, 8, do_sample=False) for prompts in (asked, bare))
past_end = write(talker, words, bare[:2], 10, do_sample=False, eos_token_id=None)
print("without the template:", *map(repr, untold[:3]), "and if it may not stop:", *map(repr, past_end))
print("with it:", *map(repr, answers[:5]), sep="\n  ")
print(f"right: {right(untold):.0%} without, {right(answers):.0%} with")

# %%
assert right(answers) > 0.6 > 0.2 > right(untold) and all("assistant" in text for text in past_end)

# %% [markdown]
# *Answer 4.* Hardly any without, and most with. The same weights, the same question. Without the marks our question
# looks like a turn that has not been closed. So the model closes it; and the library takes this for the end of the
# answer. If it may not stop, it opens its own turn, with the word *assistant*, and begins to answer. A model that was
# trained on conversations is used outside of its data when it is used without its template, and no error says so. (We
# read eight tokens of each answer. Whoever begins slowly, as with *Portugal is a country in Europe*, is counted as
# wrong.)
#
# Which drawing is best? It depends on what one wants, so we look at two wishes at once: the *right* capital, and a
# story that can go on in *many* ways. Both can be calculated, without drawing at all. After *The capital of France is*
# the model gives a probability to each next token, a setting changes it, and what *Paris* then has is the chance to be
# right, at once. And in the middle of a story the entropy $H$ of the next token, in bits, says how open it is: as open
# as a choice among $2^H$ equally probable tokens, their **effective number**. For both we need the logits before each
# token of an answer.


# %%
@torch.inference_mode()
def before_each(prompts: list[str], answers: list[str]) -> tuple[list[Tensor], list[Tensor]]:
    """For each answer of N tokens: the logits (N, V) from which they are drawn, and the tokens (N,)."""
    words.padding_side = "right"
    batch = words([prompt + answer for prompt, answer in zip(prompts, answers)], padding=True, return_tensors="pt")
    logits, lengths = talker(**batch.to(device)).logits.float().cpu(), batch.attention_mask.sum(1).tolist()
    places = [slice(len(words(prompt).input_ids), end) for prompt, end in zip(prompts, lengths)]
    there = [row[place.start - 1 : place.stop - 1] for row, place in zip(logits, places)]
    return there, [row[place] for row, place in zip(batch.input_ids.cpu(), places)]


# %%
begun = [prompt + f"The capital of {country} is" for prompt, country in zip(asked, CAPITALS)]
fact, city = before_each(begun, [f" {capital}" for capital in CAPITALS.values()])
story = [ask("Tell me a story about a duck and the sunset.")] * 6
openings = write(talker, words, story, 15, **free)
middle = torch.cat([rows[2::3] for rows in before_each(story, openings)[0]])  # every third place of each


def choices(p: Tensor) -> float:
    """2^H, H the mean entropy of the rows, in bits."""
    return (2 ** -(p * p.clamp(min=1e-30).log2()).sum(-1).mean()).item()


def chance(way) -> float:
    """Of the right capital, all its tokens, in the mean of the countries."""
    parts = way(torch.cat(fact)).gather(1, torch.cat(city)[:, None])[:, 0].split(list(map(len, city)))
    return torch.stack([part.prod() for part in parts]).mean().item()


# %% [markdown]
# *Predict 5.* We turn one knob at a time: temperature alone, top-k, top-p, min-p, and min-p after a temperature of 1.5,
# as its inventors recommend it. Each gives a line in the plane of the two. Which line runs highest, right *and* open?

# %% tags=["nbval-ignore-output"]
p_of = lambda a, T=1.0: sample.temper(a, T)
knobs = {
    "temperature": [lambda a, T=T: p_of(a, T) for T in (0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.2, 1.5)],
    "top-k": [lambda a, k=k: sample.top_k(p_of(a), k) for k in (1, 2, 4, 10)],
    "top-p": [lambda a, P=P: sample.nucleus(p_of(a), P) for P in (0.3, 0.6, 0.8, 0.9)],
    "min-p": [lambda a, m=m: sample.min_p(p_of(a), m) for m in (0.5, 0.2, 0.05, 0.01)],
    "T = 1.5, min-p": [lambda a, m=m: sample.min_p(p_of(a, 1.5), m) for m in (0.5, 0.2, 0.1, 0.05)],
}
plane = {knob: np.array([(choices(way(middle)), chance(way)) for way in ways]) for knob, ways in knobs.items()}

# %%
fig, ax = plt.subplots(figsize=(7, 4))
for (knob, line), color, mark in zip(plane.items(), (show.SUNSET, *[show.SKY] * 2, *[show.DUSK] * 2), "oxs^v"):
    ax.plot(*line.T, mark + "-", color=color, label=knob, lw=2.5 if knob == "temperature" else 1, ms=5)
for T, i in {"T = 0.5": 3, "T = 1": 7, "T = 1.5": 9}.items():
    ax.annotate(T, plane["temperature"][i], (6, 4), textcoords="offset points", color=show.SUNSET)
ax.set(xscale="log", xlabel="effective number of next tokens in a story", ylabel="chance of the right capital")
ax.set_xticks([1, 2, 5, 10, 20, 50], map(str, [1, 2, 5, 10, 20, 50]))
ax.legend(loc="lower left")
show.figure(fig, alt="All lines fall from upper left to lower right. The line of the temperature is the highest.")

# %%
x, y = plane["temperature"].T
assert y[0] > 0.8 > y[7] + 0.05 > y[-1] + 0.2 and x[0] < 1.2 < 4 < x[7] < x[-1]
over = {knob: line[:, 1] - np.interp(np.log(line[:, 0]), np.log(x), y) for knob, line in plane.items()}  # as drawn
assert max(line.max() for line in over.values()) < 0.03
assert all(over[knob].min() < -0.02 for knob in ("top-k", "min-p", "T = 1.5, min-p"))
assert y[0] > right(answers)
course.expect("07.capitals_warm", y[7], baseline=y[0])

# %% [markdown]
# *Answer 5.* The plain one. All lines fall: what makes a story more open makes the capital less sure. And no cut lies
# above the line of the temperature by more than a hair; top-k and min-p, hot or not, lie below it in places. To be a
# little colder is as good a bargain here as any of these cuts. (Schaeffer et al. 2025 looked at the claims for min-p on
# other tasks, and found no advantage either. At the upper left stands greedy drawing, right nine times in ten. In
# answer 4 it was right less often; here we have begun its sentence for it.)
#
# ### ◇ A theorem, and its limits
#
# For *one* distribution it could not be otherwise, if *right* meant *probable*. Let $p$ be (7.1) at $T = 1$, $p_T$ the
# same at another temperature $T > 0$, and $q$ anything that is as open, $H(q) = H(p_T)$. Then the mean of $\log p$ is
# not higher under $q$ than under $p_T$. For $D_{\mathrm{KL}}(q \,\|\, p_T) \ge 0$ (chapter 01), and $\log p_T$ is
# $\tfrac{1}{T} \log p$ and a constant; so $-H(q) - \tfrac{1}{T}\, \mathbb{E}_q \log p + \text{const} \ge 0$, with
# equality at $q = p_T$. At one entropy, the temperature is the best that can be had.
#
# Our plane, however, asks one kind of place how open it is and another how right. There nothing is proved, and a cut
# *can* win: one that leaves the story as it is and makes the fact sure. The last lines make such a world.

# %% tags=["nbval-ignore-output"]
p = max(middle.double().softmax(-1), key=lambda row: choices(row[None]))  # the most open place of them
for cut, q in {"top-k": sample.top_k(p, 5), "top-p": sample.nucleus(p, 0.8), "min-p": sample.min_p(p, 0.1)}.items():
    low, high = 0.05, 1.0
    for _ in range(50):  # at which temperature is p as open as q?
        T = (low + high) / 2
        low, high = (T, high) if choices(sample.temper(p.log(), T)[None]) < choices(q[None]) else (low, T)
    tempered = sample.temper(p.log(), T)
    likely = [(way * p.log2()).sum().item() for way in (q, tempered)]
    print(f"{cut} is as open as T = {T:.2f}; mean log2 p: {likely[0]:.2f}, tempered {likely[1]:.2f}")
    assert likely[0] <= likely[1] + 1e-6
fact_, story_ = torch.tensor([0.8, 0.2]), torch.tensor([0.3, 0.25, 0.25, 0.2])
story_left, fact_left = sample.min_p(story_, 0.3), sample.min_p(fact_, 0.3)
print(f"where min-p wins: the story stays {story_left.numpy()}, the fact becomes {fact_left.numpy()}")
assert torch.equal(story_left, story_) and fact_left[0] == 1

# %% [markdown]
# So whether a cut is worth its knob is a question for measurement, and here it was not. What a cut is meant for is the
# tail, thousands of tokens that do not fit here: each is improbable, and when it is hot they are together probable
# enough to come once in a line or two; and then the model continues *that*. Here is one hot opening, and how
# much of the draw lies beyond the thousand best tokens.

# %% tags=["nbval-ignore-output"]
print("T = 1.5:", *write(talker, words, story[:1], 10, **free | dict(temperature=1.5)))
tail = {T: p_of(middle, T).sort(descending=True)[0][:, 1000:].sum(1).mean().item() for T in (0.7, 1.0, 1.5)}
print("beyond the thousand best:", ", ".join(f"T = {T}: {share:.1%}" for T, share in tail.items()))

# %%
assert tail[1.5] > 5 * tail[1.0] and tail[1.5] > 0.05  # more than once in twenty tokens

# %% [markdown]
# And against loops a setting is sold that makes tokens which were already written less probable, the **repetition
# penalty** (Keskar et al. 2019). *What does it do to the capitals?*

# %% tags=["nbval-ignore-output"]
punished = write(talker, words, asked, 8, do_sample=False, repetition_penalty=1.5)


def changed(first: list[str], then: list[str]) -> tuple[list[str], list[str], float]:
    """Countries lost and won between two lists of answers; how often a fair coin is as uneven (the sign test)."""
    was, is_ = ([city in answer for city, answer in zip(CAPITALS.values(), texts)] for texts in (first, then))
    lost = [country for country, a, b in zip(CAPITALS, was, is_) if a and not b]
    won = [country for country, a, b in zip(CAPITALS, was, is_) if b and not a]
    n, less = len(lost) + len(won), min(len(lost), len(won))
    return lost, won, min(1, 2 * sum(comb(n, k) for k in range(less + 1)) / 2**n)


print(f"capitals, greedy: {right(answers):.0%} right; with a repetition penalty of 1.5: {right(punished):.0%}")
print("lost: {}; won: {}; a coin would do as much in {:.0%}".format(*changed(answers, punished)))
print(*punished[:4], sep="\n")

# %%
assert right(punished) < right(answers) - 0.1

# %% [markdown]
# Fewer are right, though some of that is preamble: of eight tokens *The Capital City, also known as* leaves none. The
# penalty is blind: as the library applies it, the words of the question count as written, the name of the country among
# them. (1.5 is strong. The inventors advise 1.2.)
#
# So: where one answer is right, draw cold; where many are good, draw warm. Here are two stories, warm. One sentence was
# asked for, and they are the first two.

# %% tags=["nbval-ignore-output"]
short = ask("Tell me a story about a duck and the sunset in one sentence.")
two_stories = write(talker, words, [short] * 2, 30, do_sample=True, temperature=0.7, top_k=0)
print("\n\n".join(two_stories))

# %%
assert all(len(text.split()) > 3 for text in two_stories)

# %% [markdown]
# The words are those of a thousand tales at sunset, and they stand where such words stand. Who flies, and why, comes
# and goes: what the model has learnt is how stories sound.

# %% [markdown]
# ### ◇ In good form, and wrong
#
# Now something that a child of seven can do: all 16 sums of two numbers from 2 to 5, greedily, after three examples.
# The baseline is to say 7 each time, the most frequent sum.

# %% tags=["nbval-ignore-output"]
shots = ["What is 6 plus 1?", "7", "What is 2 plus 7?", "9", "What is 1 plus 4?", "5"]
pairs = list(product(range(2, 6), repeat=2))
replies = write(talker, words, [ask(*shots, f"What is {a} plus {b}?") for a, b in pairs], 5, do_sample=False)
for i in range(0, 16, 4):
    print("    ".join(f"{a} + {b} = {reply}" for (a, b), reply in zip(pairs[i : i + 4], replies[i : i + 4])))
added = np.mean([reply.strip(" .") == str(sum(pair)) for pair, reply in zip(pairs, replies)])
print(f"right: {added:.0%}; always 7: {4 / 16:.0%}")

# %%
numbers = np.mean([reply.strip(" .").isdigit() for reply in replies])
assert added <= 4 / 16 and numbers > 0.9  # no better than always 7, and always in the right form

# %% [markdown]
# It answers at once, in the form that was shown, and wrong: what it says grows with the sum and misses it. (Whether
# another prompt, a training, or the same model in 16 bits would help, we did not measure.) Drawing colder would make it
# wrong in the same way every time. A grammar would force it to a number, and the number would be wrong. A judge who
# cannot add cannot choose the right one. What helps is to give the model a calculator.

# %% [markdown]
# ## 4 · A record that a program can read
#
# *What can be guaranteed, and what cannot?* A service needs facts as JSON: `{"country": "Norway", "capital": "Oslo"}`.
# The **prompt** (提示词) can show one, as if an earlier question had been answered so. And there is a way to forbid
# everything else, control by **constraint** (约束解码). A grammar says which texts are complete, and a regular
# expression is grammar enough here. A token may come next if the text with it is still the beginning of some complete
# text, a *partial match*.
#
# $K$ is then a matter of grammar, and (7.2) is used at each step. Every text that comes out keeps the rule. But is it a
# fair draw from *the texts that keep the rule*, which is what chapter 02 would call the posterior?
#
# *Predict 6.* The first letter is A with 0.9 or B with 0.1; after A the letter e follows with 0.01, after B with 0.9.
# The text must end with e. How often does a masked draw begin with A, and how often would the posterior?

# %%
start, then_e = {"A": 0.9, "B": 0.1}, {"A": 0.01, "B": 0.9}
masked = dict(start)  # the rule forbids nothing at the first step, so so nothing changes; then e is all that is allowed
good = {a: start[a] * then_e[a] for a in start}
posterior = {a: good[a] / sum(good.values()) for a in good}
print("masked:", masked, " posterior:", {a: round(value, 3) for a, value in posterior.items()})
reweighted = {a: masked[a] * then_e[a] for a in start}  # times what the mask let through
assert np.isclose(reweighted["A"] / sum(reweighted.values()), posterior["A"]) and posterior["A"] < 0.1 < masked["A"]

# %% [markdown]
# *Answer 6.* Nine times in ten, and one time in eleven. The mask follows the likely beginning and then forces the
# unlikely e; the posterior would hardly have begun so. In general, let $G$ be the set of good texts, $x_{<t}$ the
# beginning of a text $x$, and $Z_t$ the probability of all tokens that are allowed after it. Masking multiplies each
# factor by $1/Z_t$. So a masked draw gives $x \in G$ with the probability $q(x)$, and the posterior with another:
#
# $$q(x) = p(x) \prod_t \frac{1}{Z_t(x_{<t})}, \qquad p(x \mid G) = \frac{p(x)}{p(G)} \tag{7.3}$$
#
# Above they are `masked` and `posterior`. The two agree only if the product of the $Z_t$ is the same for every good
# text. It is not, where some beginnings lead to thicker walls than others. (This is about draws; our records are
# greedy.) As a weight, that product mends the draw: `reweighted`. Now the grammar of the record.

# %%
from functools import cache

import regex

KENYA = '{"country": "Kenya", "capital": "Nairobi"}'  # a complete text
FORM = r'\{"country": "[A-Z][A-Za-z ]+", "capital": "[A-Z][A-Za-z ]+"\}'  # one layout: JSON itself allows more space
GRAMMAR, END = regex.compile(FORM), words.eos_token_id
pieces = [words.decode([i]) for i in range(len(words))]
pieces_by_first = {}
for i, piece in enumerate(pieces):
    if regex.fullmatch(r'[A-Za-z {}":,]+', piece):
        pieces_by_first.setdefault(piece[0], []).append(i)


# %%
@cache
def allowed(shape: str) -> Tensor:
    """Which of all tokens may follow a text of this shape, (V,)."""
    first = {c for c in pieces_by_first if GRAMMAR.fullmatch(shape + c, partial=True)}
    tokens = [i for c in first for i in pieces_by_first[c] if GRAMMAR.fullmatch(shape + pieces[i], partial=True)]
    fits = torch.zeros(len(pieces), dtype=torch.bool)
    fits[tokens + [END] * (GRAMMAR.fullmatch(shape) is not None)] = True
    return fits


def shape(text: str) -> str:
    """What makes a difference to the grammar: all values are alike, Oslo is Aa."""
    return regex.sub(r'(?<=": ")[A-Z][A-Za-z ]*', lambda value: "Aa"[: len(value[0])], text)


assert allowed("")[words.encode("{")[0]] and not allowed("")[words.encode("Sure")[0]] and not allowed("")[END]
assert allowed(shape(KENYA))[END] and allowed(shape(KENYA)).sum() == 1
assert all('try": "'.startswith(pieces[i]) for i in allowed('{"coun').nonzero()[:, 0])

# %% [markdown]
# After `{"coun` only tokens that go on with `try` are allowed; inside a value, nearly all that are made of letters. The
# library calls a `LogitsProcessor` before it chooses each token, with the logits of all. Ours forbids, and adds up how
# hard it had to push: $-\log_2 Z_t$ bits at each step, the **walls**.

# %%
from transformers import LogitsProcessor


class Grammar(LogitsProcessor):
    """Forbids what the grammar does not allow. walls: (B,), -log2 of the product of all Z_t, in bits."""

    def __init__(self, begin: int, texts: int):
        self.begin, self.walls = begin, torch.zeros(texts)

    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        p = scores.float().softmax(-1).cpu()
        for i, row in enumerate(ids[:, self.begin :]):
            if END not in row:
                good = allowed(shape(words.decode(row)))
                self.walls[i] -= p[i, good].sum().log2()
                scores[i, ~good.to(scores.device)] = -torch.inf
        return scores


# %%
import json

wishes = {
    "only asked": asked,  # as in answer 4, and not a word of JSON
    "shown": [ask("What is the capital of Kenya?", KENYA, question) for question in bare],
}


def judged(text: str, city: str) -> tuple[bool, bool]:
    """Can a program read it, fences and talk around it taken off? Does it name the capital, in a record or outside?"""
    try:
        record = json.loads(regex.search(r"\{.*?\}", text, regex.DOTALL)[0])
    except (TypeError, ValueError):  # no braces; not JSON
        record = {}
    return {"country", "capital"} <= set(record), city in text


# %% [markdown]
# (The share of answer 4 is a lower bound: it counts only capitals that come within eight tokens. Where the sentence was
# begun for it, the model was right in nine of ten.)
#
# *Predict 7.* Two prompts, each free and with the grammar: four cases. In which can a program read the answers? And in
# which is the right capital named most often?

# %% tags=["nbval-ignore-output"]
records, walls = {("only asked", "free"): answers}, {}
for wish, prompts in wishes.items():
    begin = words(prompts, padding=True, return_tensors="pt").input_ids.size(1)
    grammar = Grammar(begin, len(prompts))
    records[wish, "grammar"] = write(talker, words, prompts, 40, do_sample=False, logits_processor=[grammar])
    walls[wish] = grammar.walls.numpy()
records["shown", "free"] = write(talker, words, wishes["shown"], 40, do_sample=False)

# %% tags=["nbval-ignore-output"]
found = {way: np.array(list(map(judged, texts, CAPITALS.values()))) for way, texts in records.items()}
for (wish, way), shares in found.items():
    print(f"{wish}, {way}: {shares[:, 0].mean():.0%} can be read, {shares[:, 1].mean():.0%} name the capital")
    print(*(f"    {text!r}" for text in records[wish, way][:5]), sep="\n")
print("walls, bits a record:", ", ".join(f"{wish} {thick.mean():.1f}" for wish, thick in walls.items()))
lost, won, coin = changed(answers, records["shown", "grammar"])
print("right in free words, and wrong in the record after an example:", *lost)
print(f"the other way round: {' '.join(won)}; so uneven, or more so, by a fair coin (sign test): {coin:.0%}")

# %%
readable, named = ({way: shares[:, i].mean() for way, shares in found.items()} for i in (0, 1))
assert readable["only asked", "grammar"] == readable["shown", "grammar"] == 1
assert readable["only asked", "free"] == 0 and readable["shown", "free"] > 0.6
in_records = [named[case] for case in named if case != ("only asked", "free")]
assert named["only asked", "free"] > max(in_records) + 0.1 and max(in_records) - min(in_records) < 0.15  # of 24
assert len(lost) > len(won) > 0 and coin > 0.05  # not enough to be sure
assert walls["only asked"].mean() > 30 * walls["shown"].mean()

# %% [markdown]
# *Answer 7.* With the grammar a program can read every answer, even to the bare question, which the model itself always
# answered in words. With an example and no grammar it can read most. And the capitals? Most are named in free words,
# though these were cut after eight tokens. In a record there are fewer, and it makes hardly a difference whether the
# record was forced, shown, or both. So if anything costs truth here, it is the *form*, and not the rule. We say *if*:
# some countries changed sides the other way round, too, and by the sign test above a fair coin would do as much now and
# then. For more one needs more countries.
#
# So the grammar buys the form, all of it and nothing else. Look at the fourth record of the second row: it is flawless,
# and it says that the capital of Spain is *Lisbon*. And the walls say what the form has cost. After the bare question,
# which wants a sentence, it is more than a hundred bits: step by step, what the grammar allowed had so little
# probability. After an example it is one or two. A thick wall is a sign that the model wanted to write something else,
# and that the prompt is the place to mend it. (One can also *describe* the record in the prompt. How well that works
# depends on the words: try three wordings.)
#
# Does a masked record have to end? A value may be of any length here, so the grammar promises a good record *if* one
# ends. All of these did.
#
# ## 5 · As Shakespeare would say it
#
# *Can a style be asked for, or chosen?* A style is no grammar. We want a king's words before a battle, as Shakespeare
# would write them, from a model that talks like a helpful assistant. First we need a judge. Try the obvious one: a
# counter of Shakespeare's letters (chapter 03), who has never read anything else.
#
# *Predict 8.* Whom does he find less surprising, in bits per character: unread Shakespeare, or the assistant?

# %%
from aigc.codecs.text import CharCodec
from aigc.models import ngram

without_names = lambda text: regex.sub(r"(?m)^[A-Z][A-Za-z' -]*:\n", "", text)  # of who speaks: only what is said
play, test = without_names(data.shakespeare()), without_names(data.shakespeare("test"))
codec = CharCodec.train(play)
V = len(codec.vocab)
clean = lambda text: " ".join("".join(c for c in text if c in codec.vocab).split())  # no judge sees a line break
purist = ngram.fit_kneser_ney([codec.encode(clean(play[:1_000_000]))], V, 5)
bits = lambda chain, text: -chain.log_prob(codec.encode(" " * chain.order + (clean(text) or " "))).mean() / log(2)

# %% tags=["nbval-ignore-output"]
plain_wish = "A king speaks to his soldiers on the night before a battle. Write what he says."
warm = dict(do_sample=True, temperature=0.8, top_k=0, min_p=0.05)
plain = write(talker, words, [ask(plain_wish)] * 16, 20, **warm)
verse = [test[i : i + 200] for i in (test.index("\n", i) + 1 for i in range(0, 25_000, 500))]  # fifty pieces, unread
print("the assistant:", plain[0])

# %% tags=["nbval-ignore-output"]
to_purist = {
    who: np.median([bits(purist, text) for text in texts]) for who, texts in (("poet", verse), ("machine", plain))
}
print(", ".join(f"{who}: {value:.2f}" for who, value in to_purist.items()), "bits per character, in the middle")

# %%
assert abs(to_purist["machine"] - to_purist["poet"]) < 0.3

# %% [markdown]
# *Answer 8.* Hardly any difference, and the judge is useless: he finds the assistant, drawn a little colder and with a
# light cut against the tail, about as Shakespearean as Shakespeare. **Likelihood is not quality.** (Colder draws are
# cheaper, and marks that Shakespeare never wrote are dropped. Both help the assistant.) A text of common words is
# probable to anybody who knows English letters, and a poet's own words are *not* the most probable ones. What tells two
# writers apart is not how probable a text is to one, but *to one rather than the other*, and that is chapter 02: a
# classifier made of two generators. We train two chains, one on Shakespeare, one on as much modern English, and take
# the difference, the log odds of the two writers for each letter. For modern English we take what is at hand: the prose
# of the other chapters of this course.

# %%
from pathlib import Path


def prose(path: Path) -> str:
    """What a chapter says, without its code and formulas."""
    cells = regex.findall(r"(?ms)^# %% \[markdown\]\n(.*?)(?=^# %%|\Z)", path.read_text(encoding="utf-8"))
    return regex.sub(r"(?ms)\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|^# ?", "", "".join(cells))


others = [path for path in sorted(Path().glob("[0-9][0-9]_*.py")) if not path.name.startswith("07")]
modern = clean(" ".join(map(prose, others)))
two = [ngram.fit_kneser_ney([codec.encode(text)], V, 4) for text in (clean(play[:1_000_000])[: len(modern)], modern)]


def reward(text: str) -> float:
    """Bits per character by which the text is rather Shakespeare's than ours."""
    return bits(two[1], text) - bits(two[0], text)


def worth(texts: list[str]) -> tuple[np.ndarray, str]:
    """The reward of each; and their mean with its standard error, to be printed."""
    each = np.array([reward(text) for text in texts])
    return each, f"{each.mean():5.2f} ± {each.std() / len(each) ** 0.5:.2f}"


# %% [markdown]
# And a judge is a claim that wants its controls. He shall put a play above the assistant's king; and where shall he put
# the assistant's duck, and its capitals, which no one asked to be old?

# %% tags=["nbval-ignore-output"]
controls = {"plays": verse, "the king": plain, "the duck": openings + two_stories, "the capitals": answers}
print(f"{len(modern):,} letters each")
for who, texts in controls.items():
    print(f"{who:<13}", worth(texts)[1])
above = np.mean(worth(verse)[0][:, None] > worth(plain)[0])
print(f"of a play's piece and a speech of the king's, the play's is put above in {above:.0%} of all pairs")

# %%
assert above > 0.55  # a judge who knows nothing: one half
assert worth(verse)[0].mean() > worth(plain)[0].mean() > worth(answers)[0].mean()

# %% [markdown]
# Most rewards are above zero: to somebody who knows modern English from this course only, nearly everybody is rather
# Shakespeare. So zero means nothing here, and only differences count. They are in order: a play is above a king of the
# assistant's, and a king above a list of capitals. But that the capitals stand so far below may be their style or their
# *subject*: kings and soldiers are Shakespeare's, and these controls cannot separate the two. So compare kings with
# kings. (What if he is trained on the assistant's own speeches in place of our prose? Ask him about the duck then.)
#
# Now three ways to a king's speech: ask for the style; ask for it, draw 16 and take the one that the judge
# likes best (**re-ranking**, 重排序); and, in the next section, train.
#
# Draw $n$ texts, let a judge give each a reward $R$, and take the best: **best of n**. How far have we moved away from
# the model? Let $u$ be the share of draws that the judge likes less than this one. For a single draw $u$ is uniform on
# 0 to 1; for the best of $n$ it has the density $n u^{n-1}$; and the mean of the logarithm of that is $\log n -
# \frac{n-1}{n}$. So we have moved at most
#
# $$D_{\mathrm{KL}}(\text{best of } n \,\|\, \text{one draw}) \;\le\; \log n - \frac{n-1}{n}
# \quad\text{nats} \tag{7.4}$$
#
# for the whole text, however long it is, and nearly so much where no two texts tie and none is likely (Beirami et al.
# 2024); `best_of` below checks it. For two draws that is $\ln 2 - 0.5 = 0.19$ nats, about a quarter of a bit. *Sixteen
# draws: how many bits?* $4 - 1.35 = 2.65$, since 15/16 nats are 1.35 bits. That is little: we stay near the model.
#
# *Predict 9.* How does the reward of the best grow with $n$, and is there a text that the judge likes better than the
# best of sixteen?


# %%
def best_of(n: int, p: np.ndarray) -> np.ndarray:
    """Probabilities of texts, ordered by reward, when the best of n draws is taken. p: of one draw."""
    return np.diff(np.append(0, p.cumsum()) ** n)


for n in (2, 16, 64):
    for p, close in (
        (np.full(1000, 1 / 1000), True),
        (np.array([0.5, 0.3, 0.2]), False),
    ):  # unlikely texts; likely ones
        q, most = best_of(n, p), log(n) - (n - 1) / n
        moved = (q * np.log(q / p)).sum()
        assert moved <= most and (moved > 0.99 * most - 0.01) == close  # (7.4)

# %% tags=["nbval-ignore-output"]
styled_wish = plain_wish + " Write it in the style of William Shakespeare, in verse."
styled = write(talker, words, [ask(styled_wish)] * 16, 20, seed=course.seed() + 1, **warm)
scores = np.sort([reward(text) for text in styled])
picks = [1, 2, 4, 8, 16]
hat = np.random.default_rng(course.seed())
curve = [np.mean([hat.choice(scores, n, replace=False).max() for _ in range(2000)]) for n in picks]  # any n of the 16
moved = [(log(n) - (n - 1) / n) / log(2) for n in picks]
fig, ax = plt.subplots(figsize=(7, 3))
ax.plot(moved, curve, "o-", color=show.SUNSET)
for n, x, y in zip(picks, moved, curve):
    ax.annotate(f"n = {n}", (x, y), (4, -11), textcoords="offset points", color=show.SUNSET)
for y, who, color in (
    (worth(verse)[0].mean(), "Shakespeare", show.DUSK),
    (worth(plain)[0].mean(), "not asked", show.SKY),
):
    ax.axhline(y, color=color, ls="--")
    ax.annotate(who, (0, y), (4, 3), textcoords="offset points", color=color)
ax.set(xlabel="moved away from the model at most, bits", ylabel="reward, bits per character")
show.figure(fig, alt="The reward of the best of n rises with the logarithm of n and slows down.")

# %%
assert np.isclose(curve[-1], scores[-1]) and abs(curve[0] - scores.mean()) < 0.05
assert curve[-1] > max(scores.mean() + 0.2, worth(verse)[0].mean())

# %% tags=["nbval-ignore-output"]
darling = max(
    (8 * f"{cry} " for cry in ("What, ho! my lord, my lord!", "O, fie! O, fie!", "Thou hast, thou art!")), key=reward
)
print(f"the king's speech, the best of 16:\n{max(styled, key=reward)}")
print("\nthe judge's darling:", darling[:40], f".. {reward(darling):.1f} against {scores[-1]:.1f}")

# %%
assert reward(darling) > scores[-1]

# %% [markdown]
# *Answer 9.* Each doubling of $n$ costs twice the work and raises the bound (7.4) by less than one bit; the reward
# rises with it, slowly. And to the judge the best of sixteen is above Shakespeare's own mean (on our laptop two draws
# are enough; but the best of sixteen pieces of his would be above it, too), for less than three bits. Is it as good,
# then? Or does this say as much of the judge as of the king? Look at the last line: a cry, eight times, beats the best
# of all honest draws. A judge is a stand-in for what we want. Push hard enough, and one gets what the stand-in likes.
# This is **Goodhart's law**. Best-of-n is a gentle push; how gentle, (7.4) says.

# %% [markdown]
# ## 6 · Less than a minute of training
#
# *What is learnt, and what forgotten, when one weight in three hundred is trained?* At last we change the model. Each
# weight matrix $W$ of the queries and values in all 30 layers, which makes $d_\text{out}$ numbers of $d_\text{in}$,
# stays as it is, and beside it a product of two thin matrices is trained:
#
# $$W' = W + \frac{\alpha}{r}\, B A, \qquad B: d_\text{out} \times r, \quad A: r \times d_\text{in}, \quad
# B = 0 \text{ at first} \tag{7.5}$$
#
# This is **LoRA** (低秩适配; Hu et al. 2022), here `LoRALinear`; $\alpha$ is a number set by hand. With rank $r = 8$
# the matrix of the queries, 576 by 576, has $8 \cdot 1152 = 9{,}216$ numbers to train instead of 331,776, that of the
# values, 192 by 576, has $8 \cdot 768 = 6{,}144$; and since $B = 0$ the model is at first exactly what it was. The
# library `peft` puts such layers in the right places for us.
#
# A pencil for rank 1: $B = (1, 2)^\top$ and $A = (3, 4)$ make the rows $(3, 4)$ and $(6, 8)$. All rows are multiples of
# one, and that is all that rank 1 can change. Why is only $B$ zero? If both were, neither would get a slope, and
# nothing would ever be learnt.


# %%
class LoRALinear(nn.Module):
    """(7.5): a frozen layer, and what is learnt beside it. A: (r, inputs); B: (outputs, r)."""

    def __init__(self, linear: nn.Linear, A: Tensor, B: Tensor, alpha: float):
        super().__init__()
        self.linear, self.A, self.B, self.scale = linear.requires_grad_(False), A, B, alpha / len(A)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.scale * (x.to(self.A.dtype) @ self.A.T @ self.B.T)


# %%
from peft import LoraConfig, get_peft_model

lora = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
to_learn = torch.tensor(words.encode(play[:300_000]))
exam = torch.tensor(words.encode(test[:1_600]))
exam = exam[: len(exam) // 65 * 65].view(-1, 65)  # windows of 64 guesses


# %%
def next_token_loss(model, ids: Tensor) -> Tensor:
    logits = model(input_ids=ids[:, :-1]).logits.float()
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())


wished = torch.tensor(words(ask(plain_wish)).input_ids)


def loss(model, step: int, generator: torch.Generator) -> Tensor:
    """Of two pieces of plays, 40 tokens long, each as the answer to the plain wish."""
    at = torch.randint(len(to_learn) - 40, (2, 1), generator=generator) + torch.arange(40)
    ids = torch.cat([wished.expand(2, -1), to_learn[at]], 1).to(device)
    logits = model(input_ids=ids[:, :-1], logits_to_keep=40).logits.float()  # of the answer
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, len(wished) :].flatten())


@torch.inference_mode()
def exam_bits(model) -> float:
    letters = len(words.decode(exam[:, 1:].flatten()))
    return next_token_loss(model, exam.to(device)).item() * exam[:, 1:].numel() / letters / log(2)


before = {"play": exam_bits(talker), "capitals": right(answers)}

# %% [markdown]
# The examples say what is wanted better than the wish did: each is the *plain* wish, without a word of Shakespeare, and
# as its answer a piece of a play. The loss is that of the answer.
#
# *Predict 10.* Eight steps, with two examples each. What becomes of a play that is not among the examples (the opening
# of *Henry V*, which a model of the web has surely met before), of the capitals, and of the king's voice?

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
from aigc.train import Recipe, train

recipe = Recipe(steps=8, lr=4e-3, warmup=0.1, fast=True, seed=course.seed())
history = train(tuned, loss, recipe)

# %% tags=["nbval-ignore-output"]
spoken = write(tuned, words, [ask(plain_wish)] * 16, 20, **warm)
answers_after = write(tuned, words, asked, 8, do_sample=False)
after = {
    "play": exam_bits(tuned),
    "capitals": right(answers_after),
}
for what in before:
    print(f"{what:<10} before {before[what]:6.2f}   after {after[what]:6.2f}")
for who, texts in {"not asked": plain, "asked for": styled, "trained": spoken}.items():
    print(f"the king's reward, {who:<9}", worth(texts)[1], f"in the middle {np.median(worth(texts)[0]):.2f}")
print("\nof the capitals:", *map(repr, answers_after[:5]), sep="\n  ")
by_reward = sorted(spoken, key=reward)
for which, text in {"the first draw": spoken[0], "in the middle": by_reward[8], "the best": by_reward[-1]}.items():
    print(f"\n{which}, {reward(text):.2f}:\n{text}")

# %%
course.expect("07.lora_bits", after["play"], baseline=before["play"])
assert after["play"] < before["play"] - 0.03
assert np.median(worth(spoken)[0]) > np.median(worth(plain)[0]) - 0.05  # not less a king's voice than before
assert reward(by_reward[-1]) > worth(verse)[0].mean()  # Goodhart
assert after["capitals"] > before["capitals"] - 0.15  # three of 24

# %%
theirs = tuned.base_model.model.model.layers[0].self_attn.q_proj
ours = LoRALinear(theirs.base_layer, theirs.lora_A["default"].weight, theirs.lora_B["default"].weight, alpha=16)
x = torch.randn(5, 576, generator=torch.Generator().manual_seed(course.seed())).to(device)
with torch.inference_mode():
    x = x.to(theirs.base_layer.weight.dtype)
    assert torch.allclose(ours(x).float(), theirs(x).float(), atol=2e-2, rtol=2e-2)  # with bfloat16, too
    assert not torch.allclose(ours(x).float(), theirs.base_layer(x).float(), atol=1e-3)  # it has learnt something
talker = tuned.unload()
with torch.inference_mode():
    assert next_token_loss(talker, exam[:2].to(device)).isclose(alone)  # taken off again: nothing was lost

# %% [markdown]
# *Answer 10.* Seconds, one weight in three hundred, and the play has become less surprising. Has the king's voice
# moved? In the mean sixteen texts do not show it, since a few loops and stray texts spread them; only the text in the
# middle stands higher, about where asking puts it, and this time nobody asked. And what did it forget? Not the
# capitals: not many fewer are right than before, and here it is more. One reason can be read off the answers: they come
# to the point within their eight tokens. Read the three speeches aloud. Short lines and lords have come over from the
# plays, much is still the assistant's English, and nobody could say what this king wants his soldiers to do. Some draws
# loop, as in section 1; and the judge's favourite, whose reward is above Shakespeare's own, is mostly one of these.
# That is Goodhart again.
#
# And it can be taken off again, since $W$ was never touched. That is why one large model can serve a thousand
# customers: each of them stores only the thin matrices.

# %% [markdown]
# ## 7 · Your own question, and a line to rhyme
#
# *Do rules of sound need a rule?* Everything so far works in every language, and Chinese has a form that suits our
# instruments: the quatrain of five syllables, four lines, in which lines 2 and 4 rhyme (押韵), and level tones (平)
# alternate with oblique ones (仄). One character is one syllable. A small GPT of the library, trained on some fifty
# thousand quatrains from Tang and Song (`make checkpoints ARGS=verse`), is shipped. Its prompt is a line break, and so
# is its end. It writes as it goes:

# %% tags=["mine"]
from aigc.codecs.text import CharCodec
from aigc.evaluate.verse import alternates, level, rhyme, rhymes
from aigc.models import gpt

poet_model, characters = released.load("verse")
brush = CharCodec(characters)
BREAK = brush.encode("\n")[0]

# %% tags=["nbval-ignore-output"]
dice = torch.Generator().manual_seed(course.seed())


def quatrains(n: int, temperature: float = 1.0) -> list[str]:
    """n texts of 20 characters, unselected."""
    start = torch.full((n, 1), BREAK)
    drawn = sample.tokens(poet_model, start, 20, temperature, generator=dice)
    return [brush.decode(row) for row in torch.stack(list(drawn), dim=1)]


by_fives = lambda text: "\n".join(text[i : i + 5] + "，。"[i // 5 % 2] for i in range(0, 20, 5))
written = show.stream(by_fives(text) + "\n\n" for text in quatrains(2, temperature=0.8))

# %% [markdown]
# The words are those of the genre, and most lines hold together; from line to line the sense wanders. We measure rhyme
# with today's pronunciation (`pypinyin`). It is not that of Tang, so the poets themselves do not reach 100 %. Chance is
# two end words taken from different poems.
#
# *Predict 11.* It has never heard a sound. Do its lines rhyme? Do its tones alternate, that is, is one of the second
# and the fourth character of a line level and the other oblique?

# %%
POETS = ["床前明月光疑是地上霜舉頭望明月低頭思故鄉", "白日依山盡黃河入海流欲窮千里目更上一層樓",
         "春眠不覺曉處處聞啼鳥夜來風雨聲花落知多少", "千山鳥飛絕萬徑人蹤滅孤舟蓑笠翁獨釣寒江雪"]  # fmt: skip
print("Li Bai, Wang Zhihuan, Meng Haoran, Liu Zongyuan rhyme:", [rhymes(poem) for poem in POETS])
made = [text for text in quatrains(400) if "\n" not in text]
ends = [text[9] for text in made] + [text[19] for text in made]
luck = np.mean([a != b and rhyme(a) == rhyme(b) for a, b in zip(ends, np.roll(ends, 1))])
rhymed, toned = np.mean([rhymes(text) for text in made]), np.mean([alternates(text) for text in made])
shuffled = ["".join(np.random.default_rng(i).permutation([*text])) for i, text in enumerate(made)]
toned_by_luck = np.mean([alternates(text) for text in shuffled])
print(f"of 400 drawn texts, {len(made)} have 20 characters")
print(f"lines 2 and 4 rhyme in {rhymed:.0%}, by luck in {luck:.0%}")
print(f"tones alternate in {toned:.0%} of the lines, shuffled in {toned_by_luck:.0%}; the model's card, of 1,000:")
assert luck + 0.02 < rhymed < 0.4 and toned > 0.65 > 0.6 > toned_by_luck
print((released.FOLDER / "verse.md").read_text(encoding="utf-8").split("**Held out**: ")[1].split("\n")[0])

# %% [markdown]
# *Answer 11.* A surprise. The model has never heard a sound, only characters, and the second and the fourth tone of a
# line differ about as often as the poets' do (the last line of the output, from the model's card, has them). What is
# close by can be learnt from company: which characters stand two places apart in fifty thousand poems tells their
# tones. Rhyme it has learnt a little, perhaps twice as often as by luck, where the poets have it nearly always: nine
# places lie between, and of the sounds there are not two kinds but fourteen. So lend it our ears. A rule of verse is a
# constraint, as the grammar was: this character must have a level tone, that one must rhyme with the end of line 2.


# %% tags=["mine"]
SOUND = {c: (rhyme(c), level(c)) for c in characters if c != "\n"}
FITS = {sign: torch.tensor([c in SOUND and SOUND[c][1] == (sign == "平") for c in characters]) for sign in "平仄"}
FITS["・"] = FITS["平"] | FITS["仄"]  # any character


def rhyming(text: str, home: int) -> Tensor:
    """Which characters rhyme with the one at this place, and are no line's end yet? (V,)"""
    return torch.tensor([SOUND.get(c) == SOUND[text[home]] and c not in text[4::5] for c in characters])


class Rules:
    """For `keep` of sample.tokens: what each place of a line asks, 平, 仄, 韵 (a rhyme) or ・. walls: (B,), in bits."""

    def __init__(self, line: str, texts: list[str], home: int):
        self.line, self.texts, self.home, self.walls = iter(line), texts, home, torch.zeros(len(texts))

    def __call__(self, p: Tensor) -> Tensor:
        sign = next(self.line)
        allowed = p * (torch.stack([rhyming(t, self.home) for t in self.texts]) if sign == "韵" else FITS[sign])
        self.walls -= allowed.sum(-1).log2()
        return allowed / allowed.sum(-1, keepdim=True)


# %% [markdown]
# `keep` sees probabilities, not what was drawn; so we draw line by line, and tell the rules what stands there already.


# %% tags=["mine"]
def verses(texts: list[str], form: list[str], home: int, temperature: float = 1.0) -> tuple[list[str], Tensor]:
    """Each text with a line more for each of the form's, rhyming with place home; and the walls of the rules, (B,)."""
    chance, walls = torch.Generator().manual_seed(course.seed()), torch.zeros(len(texts))
    for line in form:
        ids, rules = torch.tensor([brush.encode("\n" + text) for text in texts]), Rules(line, texts, home)
        drawn = sample.tokens(poet_model, ids, 5, temperature, generator=chance, keep=rules)
        texts = [text + brush.decode(row) for text, row in zip(texts, torch.stack(list(drawn), dim=1))]
        walls += rules.walls
    return texts, walls


@torch.inference_mode()
def surprise(text: str) -> float:
    """Bits per character, to the model itself."""
    return gpt.loss(poet_model, torch.tensor([brush.encode("\n" + text)])).item() / log(2)


# %% tags=["nbval-ignore-output"]
STRICT = ["仄仄平平仄", "平平仄仄平", "平平平仄仄", "仄仄仄平韵"]  # one of the classical patterns
ruled, walls_of_verse = verses([""] * 60, STRICT, home=9)  # line 4 rhymes with line 2
print(by_fives(ruled[0]) + "\n\n" + by_fives(ruled[1]))
free_bits, ruled_bits = (np.mean([surprise(text) for text in texts]) for texts in (made[:60], ruled))
print(f"\nbits per character, to the model itself: free {free_bits:.2f}, by rule {ruled_bits:.2f}")


def blind_walls(text: str) -> Tensor:
    """The same walls, in bits, for a writer to whom all characters are alike."""
    rules = [FITS[sign] for sign in "".join(STRICT)[:-1]] + [rhyming(text[:15], 9)]
    return -torch.stack([rule.float().mean().log2() for rule in rules]).sum()


blind = np.mean([blind_walls(text) for text in ruled])
print(f"the walls: {walls_of_verse.mean():.0f} bits a poem; for a writer to whom all characters are alike {blind:.0f}")

# %%
course.expect("07.walls_verse", walls_of_verse.mean(), baseline=blind)
assert ruled_bits < free_bits + 0.3
asked_for = "".join(STRICT)
assert all(level(c) == (s == "平") for text in ruled for c, s in zip(text, asked_for) if s in "平仄")
assert all(map(rhymes, ruled)) and np.mean([alternates(text) for text in ruled]) == 1

# %% [markdown]
# Every rule is kept in every poem (two endings rhyme if they are of one class in the rhyme book of 2005, as 名 and 中
# are), and by the model's own measure the lines are about as probable as before (which is not quality, section 5: it
# says that the rules drove the model into no corners). To a writer for whom all characters are alike each tone would
# cost about a bit, and the rhyme several. The model pays much less, since it follows the tones in part by itself. The
# rules buy sound; they cannot buy sense.
#
# Now yours. Ask the talker something, and give the poet a line of five characters: lines 2 and 4 will rhyme with it. Of
# 64 poems we keep the one that the model itself finds the most probable, a push towards the common, and by (7.4) a
# gentle one. So a rule and a choice work together, and the poem has three fathers: the model, the rule, and whoever
# wrote line 1 (by default Li Bai).

# %% tags=["mine"]
MINE = None  # or ("Why is the sky blue?", "秋水共長天"): your question, and a line of five characters

question, line = ("Why do ducks fly home at sunset?", "床前明月光") if MINE is None else MINE
strange = [c for c in line if c not in SOUND]
if len(line) != 5 or strange:
    raise ValueError(f"{line}: write five characters that the model has read, traditional ones; unknown: {strange}")
if rhyming(line, 4).sum() < 2:
    raise ValueError(f"{line}: the model knows fewer than two rhymes for {line[4]}: end on another character")

# %% tags=["mine", "nbval-ignore-output"]
replies = write(talker, words, [ask(question)], 14, do_sample=False)
replies += write(talker, words, [ask(question)] * 2, 14, do_sample=True, temperature=1.5, top_k=0, min_p=0.2)
print("cold:  {}\n\nhot:   {}\n\nagain: {}".format(*replies))
assert len(replies) == 3 and replies[1] != replies[2]  # two throws of the dice

# %% tags=["mine", "showpiece", "nbval-ignore-output"]
from pypinyin import Style, pinyin

TRANSLATED = {  # by hand, of what our laptop wrote
    "床前明月光正有白蓮香不是東城計一聲秋夜凉": "Before my bed the moon shines bright, / and just now a scent of lotus."
    "\nIt was no scheme of the eastern city: / one sound, and the autumn night is cool."
}
choice, _ = verses([line] * 64, ["・・・・韵", "・・・・・", "・・・・韵"], home=4, temperature=0.8)
poem = min(choice, key=surprise)
for i in range(0, 20, 5):
    tones = "".join("仄平"[level(c)] for c in poem[i : i + 5])
    print(poem[i : i + 5] + "，。"[i // 5 % 2], tones, *(sound[0] for sound in pinyin(poem[i : i + 5], Style.TONE)))
print(TRANSLATED.get(poem, ""))
assert rhyme(poem[4]) == rhyme(poem[9]) == rhyme(poem[19]) and len({*poem[4::5]}) >= 3

# %% [markdown]
# *Odd:* the lotus flowers in summer, and two lines later it is autumn; and which scheme, and why in the eastern city?
# Yet who wants to read a poem reads one: a plan that came to nothing, a sound at night. (The one above is our laptop's;
# yours may be another.) Has it copied? Outside of this chapter, since it needs a network, we looked its three new lines
# up among the 56,745 quatrains that the model has read. None stands there. *The autumn night is cool* does, and *a
# scent of white lotus* does, in other company: each as the end of a line, where its rhyme would be found.
#
# ## Checkpoint
#
# *Someone needs each answer to contain the word "Oslo", and forbids the end of the text until it has been written. Is
# this a constraint as in section 4? Will every answer contain it? What will the answers look like?*
#
# <details><summary>Answer</summary>
#
# It is one, with a grammar that allows everything at first; only the end is masked. Nothing pulls the model towards the
# word, so it writes on and on, until the word comes by chance or the limit comes: no wall at most steps, and a thick
# one at the very place where the model wanted to stop. By (7.3) the draws are far from $p(x \mid \text{Oslo})$, which
# would have begun with Norway. To get that one must know, early, which beginnings lead there: the noise-aware
# classifier of chapter 02, or many draws and a choice, or a prompt.
#
# </details>
#
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
assert sample.temper(p, 1.0).max() < 0.4 < p.max() and sample.temper(p, 0.05)[0] > 0.99

# %% [markdown]
# Nothing at all: dividing all probabilities by one number and sharing out anew gives the same probabilities, at every
# temperature. The knob turns, and is not connected. The other slip is worse: probabilities lie between 0 and 1, so as
# logits they are nearly equal, and the softmax of a softmax is almost flat. Both run without a warning. Two
# lines of test find them: at a low temperature the largest must have nearly everything (the second slip passes this, if
# it is cold enough), and at a temperature of 1 the result must be the softmax.
#
# ## What we measured

# %% tags=["nbval-ignore-output"]
course.summary()

# %% [markdown]
# How do you make a language model do as it is told? By prompt, if it has been trained to listen; by drawing cold where
# one answer is right and warm where many are good; by forbidding, where the wish is a form; by choosing, where there is
# a judge; by training, where there are examples. Each of them moves the distribution, and none of them guarantees that
# the text is *true*.
#
# ## Limits
#
# - 24 capitals, six openings of one story, and one model of 135 million weights, most of them packed in four bits once:
#   the lines of section 3 are those of this model, and of stories that it drew at $T = 1$. That no cut beats the
#   temperature is proved for one distribution and the mean of $\log p$ only; for stories and capitals together it was
#   measured, once.
# - The effective number counts noise as openness, and looks at one token. What happens *after* a bad one it cannot see.
# - The judge of style knows modern English from this course only, hears the subject besides the style, and a cry said
#   eight times fools him. No reader has judged any of these texts.
# - The bound (7.4) is about whole texts; how much of it is used, we did not measure.
# - Rhyme and tone are today's. A poem may keep every rule of sound and say nothing.
# - Sixteen speeches of twenty tokens stand for each way to a king's voice.
# - LoRA was run for eight steps with one learning rate. No control was trained on other prose, and a model of the web
#   has read *Henry V* before.
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
# - Nguyen, M. et al. (2024). Turning up the heat: min-p sampling for creative and coherent LLM outputs.
#   arXiv:2407.01082
# - Schaeffer, R. et al. (2025). Turning down the heat: a critical analysis of min-p sampling in language models.
#   arXiv:2506.13681
