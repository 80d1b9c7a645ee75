# %% [markdown]
# # 00 · First flight
#
# **Can the laptop in front of you write a verse, draw a digit and sing a chorale, all by itself?**
#
# Not by asking a server: the network may be off. Not by looking something up: what follows is not in what they have
# read, and we shall check that. There are three files of a few megabytes, and a loop that throws dice.
#
# ## What you need
#
# Nothing but curiosity. Click into a cell and press Shift+Enter, or choose *Run > Run All Cells* and watch.
# Measured: 18 s on a plain laptop, 0.8 GB.

# %%
from importlib.util import find_spec

missing = [name for name in ("torch", "numpy", "matplotlib", "ipywidgets", "aigc") if not find_spec(name)]
assert not missing, f"{', '.join(missing)} not found in this Python: close JupyterLab and start it with `make lab`"

import time

import ipywidgets as widgets
import numpy as np
import torch

from aigc import course, data, released, sample, show
from aigc.codecs import images, notes
from aigc.codecs.text import CharCodec
from aigc.evaluate.image import label_accuracy, nearest
from aigc.evaluate.music import longest_copied_run
from aigc.evaluate.text import nats_per_token
from aigc.evaluate.variety import longest_copy
from aigc.models import choir

device = course.start("00")
show.style()

# %% [markdown]
# Is everything here? Three sets of data, three trained models. Whatever is missing names itself, and the remedy.

# %%
course.check()

# %% [markdown]
# ## What we will measure
#
# First we fly; the instruments come after. Each generator below was trained on two ordinary cores in a few minutes
# (the card beside each file in `data/checkpoints` says how). **Generation** (生成) is what it does with *one* kind of
# step, repeated.
#
# **Words.** The model has read 34 plays, letter by letter, and knows one thing: given the letters so far, how probable
# is each next letter? Draw one, append it, ask again. We give it a name and the beginning of a line.
#
# *Predict: after three hundred letters, will there be words? Lines? A second speaker?*

# %%
writer, vocab = released.load("shakespeare")
writer, codec = writer.to(device), CharCodec(vocab)


def write(prompt: str, length: int, temperature: float, seed: int = course.seed()):
    """Letters, one at a time, as they are drawn."""
    ids = torch.tensor([codec.encode(prompt)], device=device)
    dice = torch.Generator().manual_seed(seed)
    yield prompt
    for letter in sample.tokens(writer, ids, length, temperature, generator=dice):
        yield codec.decode(letter)


took = {}
began = time.perf_counter()
verse = show.stream(write("JULIET:\nThe sunset and the wild duck ", 300, temperature=0.7))
took["verse"] = time.perf_counter() - began

# %% [markdown]
# You have just watched a **language model** (语言模型) at work. It is a GPT (Vaswani et al. 2017 made the
# engine), the same kind of machine as the famous ones: GPT-3 (Brown et al. 2020) has 175 billion numbers inside
# and this one has two million. It was never told what a word is, nor
# that a speech is followed by another speaker.
#
# **A picture.** A different step: begin with noise on every pixel, like a television without a station; ask the model
# which way leads from a digit to this noise; go a little way back; ask again. Thirteen steps, two questions for each
# but the last.
#
# *Predict: will the two drawings of one digit be alike?*

# %%
painter, _ = released.load("digits")
painter = painter.to(device)


def draw(labels: list[int], guidance: float = 2.0, steps: int = 13, seed: int = course.seed()) -> np.ndarray:
    """One picture for each label, (B, 28, 28) bytes, all flowing at once."""
    dice = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(labels), 1, 28, 28, generator=dice).to(device)
    velocity = sample.guided(painter, torch.tensor(labels, device=device), guidance)
    return images.decode(sample.ode(velocity, noise, steps))


began = time.perf_counter()
pictures = draw([*range(10), *range(10)])
took["picture"] = time.perf_counter() - began
show.images(pictures, labels=[*range(10), *range(10)], alt="Twenty digits drawn by the model: two of each, 0 to 9.")

# %% [markdown]
# These are the first twenty, not the best twenty; the course never shows a chosen sample without saying so. The two
# of a kind began with different noise, and became different hands.
#
# **A melody, with three others under it.** The engine that wrote the verse again, but what it reads is a row of chords:
# 282 chorales by Bach, on a grid of sixteenths, in four voices from soprano to bass. It is told the key, the bar, and
# where a line shall end; the rest is probability and dice. You can hear the result: press play.

# %%
singer, _ = released.load("choir")
singer = singer.to(device)


def sing(bars: int, temperature: float = 0.8, top_p: float = 0.95, seed: int = course.seed()) -> np.ndarray:
    """Notes (N, 5) of so many bars in G major, in four voices, after an upbeat; a line has two bars."""
    plan = notes.plan(16 * bars, "G major", pickup=4, fermatas=range(28, 16 * bars, 32))
    nothing = torch.full((1, len(plan), 4), sample.FREE)  # nothing is given
    dice = torch.Generator().manual_seed(seed)
    take = sample.chorale(singer, nothing, torch.from_numpy(plan), temperature, top_p, generator=dice)
    return notes.from_grid(notes.unchords(take.chords[0].numpy()), pickup=4)


began = time.perf_counter()
chorale = sing(bars=8)
took["chorale"] = time.perf_counter() - began
show.roll(chorale, pickup=4, alt="Eight bars as bars of colour: four voices move together, each in its own range.")
show.audio(chorale, tempo_bpm=80)

# %% tags=["nbval-ignore-output"]
print(", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items()), f"; together {sum(took.values()):.1f} s")

# %% [markdown]
# That was the flight. Now, is any of it *good*? Each needs a number, a baseline that costs nothing, and a band: the
# range in which the number falls on other machines.
#
# | made | we ask | a machine that has learnt nothing |
# |:--|:--|:--|
# | verse | how surprised is it by a play that it never read? in bits per letter | every letter equally likely |
# | digit | how often does the picture look like the digit that was asked for? | one in ten |
# | chorale | how surprised is it by chorales never heard? in bits per voice and step | every note equally likely |
#
# ## A toy by hand
#
# One step of the writer, with three letters in place of sixty-three. After *th* the model believes: **e** with 0.6,
# **a** with 0.3, **o** with 0.1. The dial that you are about to turn is called **temperature** (温度): take each
# probability to the power $1/T$ and make them sum to one again.
#
# *Pencil: what are the three at $T = 1/2$, where the power is 2? And where do they go as $T$ falls to 0, or grows
# without end?*

# %%
belief = np.array([0.6, 0.3, 0.1])
for T in (0.5, 1.0, 2.0):
    power = belief ** (1 / T)
    print(f"T = {T}:", "  ".join(f"{letter} {p:.3f}" for letter, p in zip("eao", power / power.sum(), strict=True)))

# %% [markdown]
# At $T = 1/2$: 0.36, 0.09 and 0.01, divided by their sum 0.46. The favourite gains. Towards 0 it takes everything, and
# towards infinity all three become equal: from a machine that always says the same to one that knows nothing.
#
# ## The mathematics
#
# Three equations, and each is one function of a few lines that you can open. A text, or a melody, is a sequence of
# tokens $x_1, x_2, \dots$; the model gives the probability of each one after those before it, and the whole is their
# product. The dial changes the step (Ackley et al. 1985), with $z_i$ for the model's score of token $i$, its **logit**:
#
# $$p(x) = \prod_t p(x_t \mid x_1 \dots x_{t-1}), \qquad
# p_T(i) = \frac{e^{z_i / T}}{\sum_j e^{z_j / T}} \tag{0.1}$$
#
# This is `sample.tokens` and `sample.temper`. A picture $x$ is a digit at time $t = 0$ and noise at $t = 1$. The
# model has learnt the **velocity** $v$ (速度) from the one to the other, and we run time backwards, from 1 to 0, so
# that each step takes away a little of $v$ (Lipman et al. 2023, who count time the other way round):
#
# $$\frac{dx}{dt} = v(x, t) \tag{0.2}$$
#
# This is `sample.ode`. And to be told *which* digit, it multiplies the difference that the label makes by the
# **guidance** $w$ (引导): 0 ignores the label, 1 is what was learnt, more exaggerates (Ho & Salimans 2022, whose $w$ is
# ours minus 1). With $v(x, t)$ for the velocity without a label,
#
# $$v_w = v(x, t) + w\,\bigl(v(x, t \mid \text{label}) - v(x, t)\bigr) \tag{0.3}$$
#
# This is `sample.guided`. Chapters 02 to 06 derive all of it.

# %%
z = torch.tensor(np.log(belief))  # logits are logarithms, up to a constant
for T in (0.5, 1.0, 2.0):
    power = belief ** (1 / T)
    assert np.allclose(sample.temper(z, T), power / power.sum())  # the toy is (0.1)
assert sample.temper(z, 0).tolist() == [1, 0, 0]

# %% [markdown]
# ## The code
#
# There is no trick behind `write`. Here is the whole generator again, naive and slow, without memory of earlier steps.
# At temperature 0 nothing is left to chance, so the two must agree letter by letter.

# %%
prompt = "To be, or "
ids = codec.encode(prompt)
with torch.no_grad():
    for _ in range(60):
        logits = writer(torch.tensor([ids], device=device))[0, -1]  # scores of all 63 letters that could come next
        ids.append(int(logits.argmax()))  # temperature 0: always the favourite
print(codec.decode(ids))
assert codec.decode(ids) == "".join(write(prompt, 60, temperature=0))
assert "".join(write(prompt, 60, temperature=0, seed=1)) == "".join(write(prompt, 60, temperature=0, seed=2))

# %% [markdown]
# ## The experiment
#
# Now play. (The sliders live in JupyterLab; a printed page cannot show them.) Move *temperature* and read: where does
# it become nonsense, and where does it begin to repeat itself? Everyone finds a place they like, between the two.

# %% tags=["nbval-ignore-output"]
slider = dict(continuous_update=False)  # wait until the mouse lets go


def play_words(temperature, seed):
    print("".join(write("ROMEO:\nIs this the ", 200, temperature, seed)))


_ = widgets.interact(
    play_words,
    temperature=widgets.FloatSlider(0.7, min=0, max=2, step=0.1, **slider),
    seed=widgets.IntSlider(1, min=0, max=20, **slider),
)

# %% [markdown]
# Which digit, and how much exaggeration? At guidance 0 the model does not listen to you at all.


# %% tags=["nbval-ignore-output"]
def play_picture(digit, guidance, seed):
    show.images(draw([digit] * 8, guidance, seed=seed), alt=f"Eight drawings of the digit {digit}.")


_ = widgets.interact(
    play_picture,
    digit=widgets.IntSlider(8, min=0, max=9, **slider),
    guidance=widgets.FloatSlider(2, min=0, max=8, step=0.5, **slider),
    seed=widgets.IntSlider(1, min=0, max=20, **slider),
)
# %% [markdown]
# And the tempo of the chorale. The model knows nothing of it: it wrote steps, not seconds.

# %% tags=["nbval-ignore-output"]
_ = widgets.interact(
    lambda tempo: show.audio(chorale, tempo_bpm=tempo),
    tempo=widgets.IntSlider(80, min=40, max=200, step=10, description="tempo", **slider),
)
# %% [markdown]
# Three sliders, and each is one number in the equations above: $T$ in (0.1), $w$ in (0.3), and a tempo that is in none.
# Now the numbers that we promised. The verse and the chorale: a piece that the model has never met, read to it aloud.

# %%
unread = torch.tensor(codec.encode(data.shakespeare("test")[:20_000]), device=device)
text_bits = nats_per_token(writer, unread, writer.config.context) / np.log(2)
course.expect("00.text_bits", text_bits, baseline=np.log2(len(vocab)))

some = np.random.default_rng(course.seed()).choice(data.chorales("test"), 5, replace=False)
pieces = [torch.from_numpy(notes.rows(piece)).to(device) for piece in some]
with torch.inference_mode():
    nats = torch.cat([choir.nats(singer, rows[None])[0] for rows in pieces]).mean().item()
course.expect("00.chorale_bits", nats / np.log(2), baseline=np.log2(notes.VOCABULARY))

# %% [markdown]
# For the digits, a simple judge: of the 4,000 digits that the painter learnt from, which one is nearest to the drawing,
# pixel by pixel, and is it the digit that was asked for? A copier would please this judge, so the next cell looks for
# copies. And the judge itself errs, so we let it judge real digits too. *Predict: who does better, people or painter?*

# %%
asked = np.arange(50) % 10
right = label_accuracy(draw(asked.tolist(), seed=course.seed() + 1), asked, *data.digits())
real = label_accuracy(*data.digits("test"), *data.digits())
print(f"the digit asked for: {right:.0%} of the drawn ones, {real:.1%} of real ones that no one trained on")
assert right > real > 0.9

# %% [markdown]
# The painter does better than people: with guidance 2 it draws *more typical* digits than people write, and a judge
# that asks for the nearest neighbour loves the typical. A number above the truth's own is a warning, not a triumph.
#
# And is it *new*? We look for the longest run that each has in common with what its model was trained on. *Predict: how
# many letters in a row of the verse stand in the plays?* A common phrase is no theft, so there will be some.

# %%
copied = len(longest_copy(verse, data.shakespeare()))
_, distance = nearest(pictures, data.digits()[0])
_, apart = nearest(data.digits("test")[0], data.digits()[0])
corpus = [notes.to_grid(piece.notes) for piece in data.chorales()]
steps = longest_copied_run(notes.to_grid(chorale), corpus, transposed=True)
print(f"verse: {copied} letters in a row stand in the plays, of {len(verse)}")
print(f"digits: {np.median(distance):.0f} grey levels from the nearest, real ones {np.median(apart):.0f}")
print(f"chorale: {steps} steps in a row stand in a chorale, in some key, of {notes.to_grid(chorale).shape[0]}")
assert copied < 40 and steps < 48 and distance.min() > 0.25 * np.median(apart)
assert 0.8 < np.median(distance) / np.median(apart) < 1.25

# %% [markdown]
# A few words of the verse, a few beats of the chorale; and a drawing is as far from the nearest training image as a
# digit by a new hand is. They have learnt from the data; they do not replay them. (It is not always so: chapter 01
# builds a machine that copies, and chapter 14 finds copies in large ones.)
#
# ## Checkpoint
#
# *You set the temperature to 0 and move the seed. What changes in the verse? And in the chorale, if you did the same
# there?*
#
# <details><summary>Answer</summary>
#
# Nothing, in either. At temperature 0 the favourite takes everything and no dice are thrown, so the seed has nothing to
# decide. All the variety of these machines is the dice's; all the sense is the probabilities'.
#
# </details>
#
# ## Break it
#
# A generator should fail loudly and say what it wants. We ask for what cannot be: letters that it never saw, a
# temperature below zero, an eleventh digit, a tempo of nothing.

# %%
impossible = {
    "a couplet in Chinese": lambda: list(write("落霞与孤鹜齐飞", 10, 0.7)),
    "a temperature of -1": lambda: list(write("To be", 10, -1)),
    "the digit 11": lambda: draw([11]),
    "a tempo of 0": lambda: show.audio(chorale, tempo_bpm=0),
}
refused = 0
for wish, ask in impossible.items():
    try:
        ask()
    except ValueError as error:
        refused += 1
        print(f"{wish}: {error}\n")
assert refused == len(impossible)

# %% [markdown]
# The quiet failures are worse. Nothing below is refused. *Predict: how many of fifty drawings will be right when
# guidance is 0? And what will the writer say at temperature 0, if we let it go on for long?*

# %%
deaf = label_accuracy(draw(asked.tolist(), guidance=0.0, seed=course.seed() + 1), asked, *data.digits())
stuck = "".join(write("JULIET:\n", 600, temperature=0))
feverish = "".join(write("JULIET:\n", 120, temperature=2))
assert deaf < 0.4 < right
course.expect("00.digits_deaf", deaf, baseline=right)
print("temperature 0:", stuck[:300], "\n\ntemperature 2:", feverish, sep="\n")

# %% [markdown]
# Without guidance the painter draws what it likes: about one in ten is right, by luck. At temperature 0 the writer
# spells perfectly and falls into a rut; chapter 01 proves that it must in the end repeat itself, and why so soon is
# another question. At 2 it has forgotten how to spell. The samples in between, the ones that look like magic, are a
# matter of one number, set by hand. Count words:


# %%
def words(text: str) -> list[str]:
    return "".join(c if c.isalpha() else " " for c in text).lower().split()


known = set(words(data.shakespeare()))
for T, text in (("0", stuck), ("0.7", verse), ("2", feverish)):
    said = words(text)
    print(f"T = {T}: {np.isin(said, list(known)).mean():.0%} are words; {len(set(said))} different ones in {len(said)}")
assert np.isin(words(stuck), list(known)).all()
assert len(set(words(stuck))) / len(words(stuck)) < 0.3 < 0.5 < len(set(words(verse))) / len(words(verse))
assert np.isin(words(feverish), list(known)).mean() < 0.8 < np.isin(words(verse), list(known)).mean()

# %% [markdown]
# ## What we measured

# %% tags=["nbval-ignore-output"]
course.summary()

# %% [markdown]
# The answer to the question: yes, within limits that we can state. What these machines have learnt is in the column
# *yours*; what is left to learn is the rest of the course.
#
# ## Limits
#
# - The writer spells, and means nothing. That its lines sound like verse is an impression; no cell here measures it.
# - The painter knows 28 by 28 pixels of ten digits. It has no idea of a number.
# - The singer is told where the piece ends, and comes home in only some two pieces of three. It breaks rules of voice
#   leading that Bach keeps; chapter 09 counts how often, and forbids it.
# - All three repeat what their data were: one language, one playwright, the digits of one country, one man's harmony.
#
# ## The map
#
# | chapter | what you have at the end |
# |:--|:--|
# | 00 first flight | this |
# | [01 concepts](01_concepts.ipynb) | the smallest generator of each kind; what "learning a distribution" means |
# | 02 Bayes' formula | where it truly works: a noisy channel, naive Bayes, guidance |
# | 03 attention | from counting to self-attention to the writer above |
# | 04 GAN theory | a forger and a detective, and how they fail |
# | 05 VAE and diffusion | the painter above, understood in one dimension |
# | 06 sequence models of music | notes, RNN, LSTM |
# | 07 to 09 | text, images and music in practice, with the singer above |
# | 10 the couplet | 落霞与孤鹜齐飞，秋水共长天一色: words to picture to melody |
# | 11 to 13 | evaluation; quality and speed; applications |
# | 14 and 15 | responsibility; systems and outlook |
#
# Chapters without a link are being written.
#
# ## Exercises
#
# Here there are none to hand in, only three to try with the sliders:
#
# - 00.1 verify: find two seeds that give the same verse at some temperature. Which temperatures can it be?
# - 00.2 modify: change the key in `sing` to `"G minor"`, and listen whether it stays minor, to the last chord.
# - 00.3 investigate: raise the guidance to 8. What do you gain, and what has become of the variety?
#
# ## References
#
# - Ackley, D. H., Hinton, G. E. & Sejnowski, T. J. (1985). A learning algorithm for Boltzmann machines.
#   doi:10.1207/s15516709cog0901_7
# - Brown, T. B. et al. (2020). Language models are few-shot learners. arXiv:2005.14165
# - Ho, J. & Salimans, T. (2022). Classifier-free diffusion guidance. arXiv:2207.12598
# - Lipman, Y. et al. (2023). Flow matching for generative modeling. arXiv:2210.02747
# - Vaswani, A. et al. (2017). Attention is all you need. arXiv:1706.03762
