# %% [markdown]
# # 06 · Sequence models of music
#
# *read 64 min · do 200 min · run 60 s*
#
# **What does a machine have to remember in order to go on with a melody?**
#
# Hum this: *mi mi sol la do do la, sol sol la sol.* It is how 茉莉花, the Jasmine Flower, begins, and whoever has
# heard it once goes on in the same way: by singing the line again. To do so you need none of the theory of music. You
# need to know what was sung four seconds ago.
#
# The introduction that this course follows ("the article") says that a model of music "considers the previous note
# and its intensity to predict the next". We build that model first, and measure what the previous note is worth;
# then, machine by machine, what the rest of the past is worth, and intensity with it.
#
# ## What you need
#
# Chapter 01 (bits, chains), chapter 03 (cross-entropy, the GPT), the chain rule of derivatives. No music is needed: a
# note has a pitch, a length and a loudness, and names are explained where they first stand.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import torch

from aigc import course, data, sample, show
from aigc.codecs import events, notes
from aigc.evaluate import music
from aigc.models import barvae, gpt, ngram, rnn
from aigc.score import HOLD, ONSET, REST, VELOCITY
from aigc.train import Recipe, train

device = course.start("06")
show.style()

# %% [markdown]
# ## What we will measure
#
# **Bits per note** on hymns that no machine has met: how surprised it is by each next note, by its pitch, its length
# and its loudness together. Fewer is better, and every machine of this chapter is asked the same.
#
# | machine | remembers |
# |:--|:--|
# | unigram | nothing |
# | repeat the last bar | one bar, by rote |
# | Markov chain | the last note, or two |
# | recurrent network | what it keeps of the whole past in 96 numbers |
# | LSTM | the same in two times 64, with gates |
# | the GPT of chapter 03 | every note of the last bars |
#
# *Predict 1.* From no memory at all to the best machine of this list: what share of the bits will be saved? And how
# much of it does the previous note alone save?

# %%
show.diagram(
    {
        "note": (0, 0),
        "memory": (1, 0, "model"),
        "next note": (3, 0, "model"),
        "hymn": (3, 1, "truth"),
    },
    [
        ("note", "memory", "enters"),
        ("memory", "next note", "pitch, length, loudness"),
        ("hymn", "next note", "bits"),
    ],
    alt="A note enters the memory; from the memory come the next note's pitch, length and loudness; a hymn tells how "
    "many bits they cost.",
)

# %% [markdown]
# ## 1 · From sound to numbers
#
# *How many numbers is a melody?* A second of sound, as our loudspeaker gets it, is 22,050 numbers. A score needs a
# handful for the same second, because it names what the player does and not what the air does. **Pitch** (音高) is a
# whole number, 60 for the C in the middle of a piano and one more for each key to the right, black or white; the
# **onset** and the **length** (时值) are counted in steps of a sixteenth; **velocity** (力度) is how fast the key
# goes down, 1 to 127, which we hear as loudness.
#
# Two formulas lead back to physics. Pitch $p$ vibrates at the frequency $f$, and a step lasts $s$ seconds at a tempo
# of $b$ beats a minute, four steps to the beat:
#
# $$f = 440\,\text{Hz} \cdot 2^{(p - 69)/12}, \qquad s = \frac{60}{4\,b} \tag{6.1}$$
#
# *Pencil: which pitch has twice the frequency of 60? How long is a step at 120 beats a minute?* This is `to_midi`,
# and pretty_midi's `note_number_to_hz`.

# %%
from pretty_midi import note_number_to_hz

middle_c, octave = note_number_to_hz(60), note_number_to_hz(72)
one = notes.to_midi(np.array([[0, 0, 1, 60, 80]]), tempo_bpm=120).get_end_time()
print(f"pitch 60: {middle_c:.2f} Hz, pitch 72: {octave:.2f} Hz; a step at 120: {one:.3f} s")
assert np.isclose(octave, 2 * middle_c) and np.isclose(one, 60 / (4 * 120))

# %% [markdown]
# Now a melody. The course's example is the first eight bars of the Jasmine Flower, a folk song of the Qing dynasty,
# typed as anybody can type one: a letter and an octave (C4 is pitch 60, "#" and "b" move by one key), and after a
# colon how many **beats** (拍), where it is not one; r is a rest, and four beats are a **bar** (小节), whose line |
# is for the eye only. **Bring your own**: in the same letters, or as the path of a MIDI file, best in C major or A
# minor; every section will use it. Press play.

# %% tags=["mine"]
MINE = None  # or "C4 D4 E4:1/2 F#4:1/2 r G4:2", or "folder/song.mid"

JASMINE = """E4 E4:1/2 G4:1/2 A4:1/2 C5:1/2 C5:1/2 A4:1/2 | G4 G4:1/2 A4:1/2 G4:2 |
    E4 E4:1/2 G4:1/2 A4:1/2 C5:1/2 C5:1/2 A4:1/2 | G4 G4:1/2 A4:1/2 G4:2 |
    G4 G4 G4 E4:1/2 G4:1/2 | A4 A4 G4:2 | E4 D4:1/2 E4:1/2 G4 E4:1/2 D4:1/2 | C4 C4:1/2 D4:1/2 C4:2"""

# %% tags=["mine"]
melody = JASMINE if MINE is None else MINE
tune = events.tune(melody)  # of a file with several voices, the first
if len(tune) < 12:
    raise ValueError(f"{len(tune)} notes are too few for what follows: give at least twelve")
show.staff(tune, alt="The melody as a score, in common time.")
course.audible(show.audio(tune, tempo_bpm=144))

# %% [markdown]
# A score is read from left to right; a note stands higher where it sounds higher. Its head is hollow where it is
# long, and beams bind short ones. To a machine we show one of these:
#
# - a **piano roll** (钢琴卷帘): for each step the pitch that sounds, as on the paper of a mechanical piano;
# - a **grid with holds**: for each step a pitch that *begins* there, or *hold*, or *rest*;
# - **events** (事件): for each note, its pitch, its length and its velocity.
#
# *Predict 2.* One of the three cannot be turned back into this melody. Which, and where does it fail?

# %% tags=["mine"]
grid = notes.to_grid(tune)
roll = music.sounding(grid)
same = np.append([[False] * 4], (roll[1:] == roll[:-1]) & (roll[1:] != REST), axis=0)
from_roll = notes.from_grid(np.where(same, HOLD, roll))  # the same pitch again goes on
from_grid, happened = notes.from_grid(grid), events.encode(tune)

show.roll(from_roll, alt="A piano roll: a block for each pitch, as long as it sounds.")
left = {"roll": from_roll, "grid": from_grid, "events": happened}
print(f"{len(tune)} notes; in the", ", ".join(f"{name} {len(kept)}" for name, kept in left.items()))
assert (from_grid[:, :4] == tune[:, :4]).all() and len(from_roll) <= len(tune)
assert (events.decode(happened)[:, :4] == tune[:, :4]).all()

# %% [markdown]
# *Answer 2.* The piano roll. It says *sol, sol* and *sol* held for two beats in the same way, and in the figure four
# *sol*, from the end of bar 4 on, are one block, five beats long: whoever forgets the **note-off** plays repeated notes
# as one. The grid cures that with one symbol more, the hold. It has no room for velocity; the events have room for
# everything.
#
# *How large is each, beside the sound?*

# %%
seconds = notes.to_midi(tune, 110).get_end_time()
grid_size, roll_size, event_size = len(grid), len(roll) * 88, happened.size
print(f"sound {int(seconds * show.RATE):,} numbers; roll {roll_size:,}, grid {grid_size}, events {event_size}")
tokens = events.to_tokens(happened)
assert (events.from_tokens(tokens) == happened).all()
print("the first two events:", happened[:2].tolist(), "as tokens:", tokens[:6].tolist())

# %% [markdown]
# An event is three numbers, each from 0 on: pitch 0 is a rest and 1 the lowest pitch, length 0 is one step, and
# velocity is kept as a multiple of 4. As **tokens** they stand in one row, each part with its own numbers, so that a
# machine that was made for letters can read them. What is lost: a velocity of 81 becomes 80, triplets do not fit on a
# grid of sixteenths, and a singer who is late by a twentieth of a second is on time.
#
# What goes out is a MIDI file, and what comes in again is the same.

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "melody.mid")
    notes.to_midi(tune, tempo_bpm=110).write(str(file))
    again, size = notes.from_midi(file), file.stat().st_size
assert (events.encode(again) == happened).all()
print(f"a MIDI file of {size} bytes gives back every event")

# %% [markdown]
# From here on a melody is a row of events, a few dozen of them where the loudspeaker gets hundreds of thousands of
# numbers. It is enough to begin.
#
# ## 2 · One note after another
#
# *How far does the last note alone get you?* Our hymns are the melodies (the highest voice, the soprano) of Bach's
# chorales, all moved to C major or A minor, which live on the white keys, so that the same tune in two keys is the
# same tune; no tune stands on both sides of the line between those to learn from and those to be asked about. A hymn
# has some fifty notes.


# %%
hymns, unheard = (
    [torch.from_numpy(events.encode(piece.melody)) for piece in data.chorales(split)]
    for split in ("train", "validation")
)
print(f"{len(hymns)} hymns with {sum(map(len, hymns)):,} notes to learn from, {len(unheard)} to be asked about")


def bits(nats_of) -> np.ndarray:
    """Mean bits a note of pitch, length and velocity, on unheard hymns.

    nats_of: events (M, 3) -> (M - 1, 3).
    """
    cost = [np.asarray(nats_of(song)) for song in unheard]
    return np.concatenate(cost).mean(0) / math.log(2)


# %% [markdown]
# The first note of a hymn is given to every machine. Three of them only count. The **unigram** knows how often each
# pitch, length and velocity occurs. **Repeat the last bar** looks up what began sixteen steps before, which is a bar
# in nine hymns of ten, believes in it with a weight that suits the hymns best, and asks the unigram for the rest. The
# **Markov chain** of chapter 03 (Kneser-Ney) reads tokens. Five of them are what is known of the next note and the
# last one (for the pitch, also the length and velocity of the one before), eight are one note more.

# %%
counts = [np.bincount(torch.cat(hymns)[:, k], minlength=size) + 0.1 for k, size in enumerate(events.SIZES)]
unigram = np.stack([np.pad(n / n.sum(), (0, max(events.SIZES) - len(n))) for n in counts])  # (3, most values)


def repeat_bar(song: torch.Tensor, weight: float, bar: int = 16) -> np.ndarray:
    """Nats (M - 1, 3): with `weight` as one bar before, else by the unigram."""
    length = (song[:, 1] + 1).numpy()
    onset = length.cumsum() - length
    before = {int(at): event for at, event in zip(onset, song.numpy())}
    p = unigram[range(3), song.numpy()]
    for i, at in enumerate(onset):
        if at - bar in before:
            p[i] = weight * (before[at - bar] == song[i].numpy()) + (1 - weight) * p[i]
    return -np.log(p[1:])


def chain_cost(chain: ngram.KneserNey, song: torch.Tensor) -> np.ndarray:
    """Nats (M - 1, 3); before the first note stands the same note, as often as the chain wants."""
    row = place[events.to_tokens(song.numpy())]
    return -chain.log_prob(np.concatenate([row[:3]] * 3 + [row[3:]]))[-len(row) + 3 :].reshape(-1, 3)


# %%
every = torch.cat([*hymns, *unheard, torch.from_numpy(happened)])
used = np.unique(events.to_tokens(every.numpy()))
place = np.zeros(events.VOCABULARY, dtype=np.int64)  # of a token among those that occur
place[used] = np.arange(len(used))
rows = [place[events.to_tokens(song.numpy())] for song in hymns]
chains = {order: ngram.fit_kneser_ney(rows, len(used), order) for order in (5, 8)}

# %%
of_hymns = lambda w: np.concatenate([repeat_bar(song, w) for song in hymns]).sum(1).mean()
weight = min(np.arange(0.1, 1, 0.1), key=of_hymns)
table = {"unigram": bits(lambda song: -np.log(unigram[range(3), song.numpy()])[1:])}
table["repeat the last bar"] = bits(lambda song: repeat_bar(song, weight))
table["the last note"] = bits(lambda song: chain_cost(chains[5], song))
table["the last two"] = bits(lambda song: chain_cost(chains[8], song))


def tell(*names: str):
    print(f"{'bits a note':24} pitch length velocity  together")
    for name in names:
        print(f"{name:24}" + "".join(f"{part:6.2f}" for part in table[name]) + f"{table[name].sum():10.2f}")


tell(*table)
for worse, better in (("unigram", "the last note"), ("the last note", "the last two")):
    assert table[better].sum() < table[worse].sum() - 0.3

# %% [markdown]
# To repeat the last bar by rote is hardly better than to remember nothing: a hymn goes on, it does not go round. The
# last note helps much. This is how a chain of two notes sounds. Two are given, the others drawn (in orange); no
# sample of this chapter was selected.


# %%
def heard(drawn) -> np.ndarray:
    """Notes of drawn events (M, 3). A rest has no velocity and a note has one, whatever was drawn."""
    row = np.array(drawn)
    row[:, 2] = np.where(row[:, 0] == 0, 0, row[:, 2].clip(min=1))
    return events.decode(row)


def walk(chain: ngram.KneserNey, start: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """The start and `count` events more, (M, 3); each token is drawn from the part whose turn it is."""
    row = place[events.to_tokens(np.concatenate([start[:1], start]))].tolist()
    part = np.searchsorted(events.FIRST, used, "right") - 1
    for i in range(3 * count):
        p = chain.probabilities(row) * (part == i % 3)
        row.append(rng.choice(len(used), p=p / p.sum()))
    return events.from_tokens(used[row[3:]])


GIVEN = 2
walked = heard(walk(chains[8], happened[:GIVEN], 16, np.random.default_rng(course.seed())))
show.staff(walked, marked=range(GIVEN, len(walked)), alt="A melody by a Markov chain, after two given notes.")
course.audible(show.audio(walked, tempo_bpm=132))

# %% [markdown]
# It leaps where nobody could sing, loses the beat, and goes nowhere. Whoever knows two notes knows neither where in
# the bar he is nor that a line is about to end.
#
# ### A memory by hand
#
# A chain that remembers more notes needs to have seen more combinations than there are. Chapter 03 let the machine
# look at all of them. The music models of nearly thirty years did something else: they kept a **state** (状态), a
# list of $C$ numbers $h_t$, and let each note change it. This is a **recurrent network** (循环神经网络, RNN; Elman
# 1990):
#
# $$h_t = \tanh(W x_t + b + U h_{t-1}) \tag{6.2}$$
#
# $x_t$ is the note, turned into $C$ numbers by a table that is learnt; $W$, $U$ and $b$ are learnt too, and are the
# same at each note. From $h_t$ the next note is predicted. The code is `rnn.plain`.
#
# *Pencil: let $C = 1$ and $U = 1/2$, and let a note push $h$ to a small value at once, with silence after it. What is
# left of it after 4 notes? After 16? (Near zero, tanh does nothing.)*

# %%
half = torch.nn.Linear(1, 1, bias=False).double()
half.weight.data.fill_(0.5)
state, left = (torch.zeros(1, 1).double(),), []
for t in range(17):
    state = rnn.plain(torch.tensor([[1e-4 if t == 0 else 0.0]]).double(), state, half)
    left.append(state[0].item() / 1e-4)
print("left after 4 notes: 1 in", round(1 / left[4]), "  after 16: 1 in", round(1 / left[16]))
assert np.allclose(left, 0.5 ** np.arange(17), rtol=1e-3)

# %% [markdown]
# One in sixteen, then one in 65,536. Learning suffers in the same way, because it runs along the same path backwards.
# How much does the state at time $T$ change if we change the state at time $t$? By the chain rule, a product with one
# factor for each note between, the latest first (the **Jacobians**, 雅可比矩阵):
#
# $$\frac{\partial h_T}{\partial h_t} = \prod_{k=T}^{t+1} \operatorname{diag}(1 - h_k^2)\, U \tag{6.3}$$
#
# This is `between`. A loss at $T$ reaches the notes at $t$ through this product alone, so where it is nearly zero
# nothing is learnt from them (Bengio et al. 1994), and where it is huge one step of learning is thrown anywhere. Let
# us watch it: an untrained network reads the tune, with the matrix $U$ scaled down, left alone (an orthogonal one,
# which keeps all lengths), and scaled up.
#
# *Predict 3.* The factor is 1/2, 1 or 2 a note at most. After 24 notes, what will have become of each?


# %%
def between(model: rnn.RNN, states: list, t: int, T: int) -> torch.Tensor:
    """dh_T / dh_t of a plain network as the product (6.3), (C, C). states: h of each time, (C,)."""
    product = torch.eye(len(states[0]))
    for k in range(t + 1, T + 1):
        product = torch.diag(1 - states[k] ** 2) @ model.recur.weight @ product
    return product


def read(scale: float) -> tuple[rnn.RNN, list]:
    """An untrained plain network and its states after each of the last notes of the tune."""
    torch.manual_seed(course.seed())
    model = rnn.RNN(rnn.Config(events.SIZES, 64, "plain"))
    model.recur.weight.data *= scale
    h, _ = model(torch.from_numpy(happened)[None])
    return model, list(h[0].detach())


# %%
T = len(happened) - 1
deep = min(24, T)
reach = {}
for scale in (0.5, 1.0, 2.0):
    model, states = read(scale)
    reach[scale] = [
        torch.linalg.matrix_norm(between(model, states, t, T), 2).item() for t in range(T, T - deep - 1, -1)
    ]
    with torch.enable_grad():  # the same by the machinery that trains
        h = states[T - 5].clone().requires_grad_()
        state = (h[None],)
        for note in happened[T - 4 :]:
            _, state = model(torch.from_numpy(note)[None, None], state)
        slope = torch.stack([torch.autograd.grad(y, h, retain_graph=True)[0] for y in state[0][0]])
    assert torch.allclose(slope, between(model, states, T - 5, T), atol=1e-5)
assert reach[0.5][-1] < 0.5**deep < reach[1.0][-1] < 1 < reach[2.0][-1]

# %%
fig, ax = plt.subplots()
for marker, (scale, line) in zip("v.^", reach.items()):
    ax.semilogy(line, marker=marker, ms=5, label=f"U times {scale:g}")
ax.axhline(1, color=show.INK, lw=0.8, ls=":")
ax.set(xlabel="notes between t and T", ylabel="norm of dh_T / dh_t")
ax.legend()
show.figure(
    fig,
    alt="On a logarithmic scale the norm falls in a straight line for U times 0.5, slowly for U itself, "
    "and rises for U times 2.",
)

# %% [markdown]
# *Answer 3.* Halved, it vanishes faster than $2^{-24}$, for the slope of tanh takes its share. Left alone it fades
# all the same. Doubled, it grows, though less than $2^{24}$: where states are driven to the ends of tanh its slope is
# nearly 0. A scale between, at which the past neither fades nor explodes, would have to be right for every note to
# come.
#
# For slopes that are too large there is a crude remedy, **clipping** (梯度裁剪; Pascanu et al. 2013): if the gradient
# $g$ of all parameters is longer than a limit $m$, walk in its direction as far as $m$ allows.
#
# $$g \leftarrow g \cdot \min(1,\; m / |g|) \tag{6.4}$$
#
# This is `clip_grad_norm_` of torch. Let a plain network learn hymns by nothing but descent, in long steps, with and
# without a limit of 1.
#
# *Predict 4.* What does a step that is far too long do to a network of tanhs: does it diverge, or fall asleep?


# %%
def descent(limit: float, steps: int = 120, rate: float = 3.0) -> tuple[list, float]:
    """The loss of each step, in bits a note, and the share of states at an end of tanh when all is over."""
    (model, _), losses = read(1.0), []
    for step in range(steps):
        some = events.windows(hymns, 32, 33, torch.Generator().manual_seed(1000 * course.seed() + step))
        model.zero_grad()
        loss = rnn.loss(model, some)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), limit)
        with torch.no_grad():
            for weight in model.parameters():
                weight -= rate * weight.grad
        losses.append(loss.item() / math.log(2))
    return losses, (model(some)[0].abs() > 0.99).float().mean().item()


falls = {name: descent(limit) for name, limit in (("no limit", math.inf), ("limit 1", 1.0))}

# %% tags=["nbval-ignore-output"]
fig, ax = plt.subplots()
for color, (name, (losses, _)) in zip((show.SKY, show.SUNSET), falls.items()):
    ax.semilogy(losses, color=color, label=name)
ax.set(xlabel="step", ylabel="bits a note, in training")
ax.set_yticks([3, 5, 10, 20, 40], [3, 5, 10, 20, 40])
ax.minorticks_off()
ax.legend()
show.figure(fig, alt="With a limit the loss falls further than without one.")
asleep = {name: share for name, (_, share) in falls.items()}
ended = {name: float(np.mean(losses[-20:])) for name, (losses, _) in falls.items()}
assert ended["limit 1"] < ended["no limit"] - 0.3 and asleep["limit 1"] < 0.6 < asleep["no limit"]
print("states beyond 0.99:", ", ".join(f"{share:.0%} with {name}" for name, share in asleep.items()))

# %% [markdown]
# *Answer 4.* It falls asleep. A step that is too long drives the states to the ends of tanh, where (6.3) is nearly
# zero: the network still predicts from what it has just read, and hardly learns any more from what lies further back.
# The loss alone looks like that of a network that learns slowly; the states tell, most of which stand at 1 or -1.
# With a limit the same long steps do less harm.
#
# The optimizers of this course (Adam, Muon) make steps whose length hardly depends on that of the gradient, which is
# why we never clip elsewhere. So what does a plain network reach with them?


# %% tags=["nbval-ignore-output"]
def learn(model: rnn.RNN, songs: list, steps: int, length: int = 24) -> rnn.RNN:
    """Train on windows of the songs; the model itself is returned."""
    loss = lambda model, step, dice: rnn.loss(model, events.windows(songs, 16, length + 1, dice))
    train(model, loss, Recipe(steps=steps, lr=0.02, muon_lr=0.02, seed=course.seed()), progress=False)
    return model


@torch.inference_mode()
def cost(model: rnn.RNN, song: torch.Tensor) -> np.ndarray:
    return rnn.nats(model, song[None])[0].numpy()


torch.manual_seed(course.seed())
elman = learn(rnn.RNN(rnn.Config(events.SIZES, 96, "plain")), hymns, 300)
table["plain network"] = bits(lambda song: cost(elman, song))
tell("the last note", "the last two", "plain network")

# %%
assert table["plain network"].sum() < table["the last two"].sum() - 0.3


# %%
def choose(temperature: float, seed: int = course.seed()):
    """A function that draws from logits (B, V), with dice of its own."""
    dice = torch.Generator().manual_seed(seed)
    return lambda logits: torch.multinomial(sample.temper(logits, temperature), 1, generator=dice)[:, 0]


begin = torch.from_numpy(happened[:GIVEN])[None]
sung = heard(np.concatenate([happened[:GIVEN], rnn.go_on(elman, begin, 18, choose(0.8))[0].numpy()]))
show.staff(sung, marked=range(GIVEN, len(sung)), alt="A melody by the plain recurrent network, after two given notes.")
course.audible(show.audio(sung, tempo_bpm=132))

# %% [markdown]
# Much better than two notes, in bits and on paper. But does it *remember*, or has it learnt what usually comes? A
# game tells the two apart. A motif of two notes is played, then so many others, at random; then a signal, and the
# machine has to play the motif. There is nothing to learn but to keep two notes, and to keep the others out.
#
# *Predict 5.* With four others between, and with sixteen: does the plain network still know the motif?

# %% tags=["nbval-ignore-output"]
OTHERS, SILENCE, SIGNAL = 5, 5, 6  # five pitches 0 .. 4, and two signs more


def game(gap: int, many: int, dice: torch.Generator) -> torch.Tensor:
    """Events (many, gap + 7, 1) of one part: silence, motif, silence, others, signal, motif."""
    motif, others = (torch.randint(OTHERS, (many, n), generator=dice) for n in (2, gap))
    sign = lambda which: torch.full((many, 1), which)
    return torch.cat([sign(SILENCE), motif, sign(SILENCE), others, sign(SIGNAL), motif], 1)[..., None]


def play(config: rnn.Config, gap: int, steps: int = 300) -> tuple[rnn.RNN, float]:
    """A network that has learnt the game, and how many bits a note of the motif still costs it."""
    torch.manual_seed(course.seed())
    model = rnn.RNN(config)
    loss = lambda model, step, dice: rnn.nats(model, game(gap, 32, dice))[:, -2:].mean()
    train(model, loss, Recipe(steps=steps, lr=0.03, muon_lr=0.05, seed=course.seed()), progress=False)
    with torch.no_grad():
        left = rnn.nats(model, game(gap, 500, torch.Generator()))[:, -2:]
    return model, left.mean().item() / math.log(2)


chance = math.log2(OTHERS)
gaps = (4, 16)
forgot = [play(rnn.Config((7,), 32, "plain"), gap)[1] for gap in gaps]
print(f"chance {chance:.2f} bits;", ", ".join(f"{gap} others: {value:.2f}" for gap, value in zip(gaps, forgot)))

# %%
assert forgot[0] < 0.3 and forgot[-1] > 0.5 * chance

# %% [markdown]
# *Answer 5.* Four others are no matter; with sixteen it is lost. In (6.3) every factor has the same $U$: what keeps
# one note also lets the next one in, and the slope fades. What is needed is a memory that can be *told* when to keep.
#
# ## 3 · Gates
#
# *What would a memory look like whose slope is 1 by construction?* It would add, and not multiply: $c_t = c_{t-1} +$
# something new. Then $\partial c_T / \partial c_t = 1$ over any distance. But what is only added to is never emptied,
# and takes everything in. So let each be decided, note by note, by a number between 0 and 1, a **gate** (门): how
# much is kept, $f_t$; how much is let in, $i_t$; how much is shown, $o_t$. This is the **LSTM** (长短期记忆;
# Hochreiter & Schmidhuber 1997; the gate $f$ is from Gers et al. 2000):
#
# $$c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh c_t \tag{6.5}$$
#
# Each of $i, f, o$ is $\sigma(W x_t + U h_{t-1} + b)$ with matrices of its own, where $\sigma(a) = 1 / (1 + e^{-a})$;
# $g$ is the same with tanh, and $\odot$ multiplies number by number. This is `rnn.lstm`. Along the memory the slope
# is now
#
# $$\frac{\partial c_T}{\partial c_t} = \operatorname{diag}\Bigl(\prod_{k=t+1}^{T} f_k\Bigr)
# \quad\text{(if } i, f, g \text{ are held)} \tag{6.6}$$
#
# which is `kept`. *Pencil: a gate that begins at $f = \sigma(1)$ keeps 73 % a step; one at $\sigma(3)$ keeps 95 %.
# What is left after sixteen steps?* Most libraries begin at $\sigma(0)$ or $\sigma(1)$.


# %%
def kept(score: float, steps: int) -> float:
    """What a gate with this score keeps after so many steps (6.6)."""
    return (1 / (1 + math.exp(-score))) ** steps


for score in (0, 1, 3):
    print(f"score {score}: {kept(score, 1):.2f} a step, {kept(score, 16):.5f} after 16")
recur = torch.nn.Linear(1, 4, bias=False)  # the same by the machine, with gates that are held
torch.nn.init.zeros_(recur.weight)
first = torch.ones(1, 1, requires_grad=True)
state = (torch.zeros(1, 1), first)
for _ in range(16):
    state = rnn.lstm(torch.tensor([[-50.0, 3.0, 0.0, 0.0]]), state, recur)
assert np.isclose(torch.autograd.grad(state[1], first)[0].item(), kept(3, 16), atol=1e-6)

# %% [markdown]
# *Predict 6.* The game with sixteen others, once more: the plain network, an LSTM that begins at $\sigma(1)$, one
# that begins at $\sigma(3)$. Which of them will play the motif?

# %% tags=["nbval-ignore-output"]
players = {score: play(rnn.Config((7,), 32, "lstm", keep=score), 16) for score in (1.0, 3.0)}
print(f"chance {chance:.2f} bits, plain network {forgot[-1]:.2f}")
for score, (_, value) in players.items():
    print(f"LSTM that begins at sigma({score:g}): {value:.2f}")

# %%
assert 3 * players[3.0][1] < min(players[1.0][1], forgot[-1])
course.expect("06.game_bits", players[3.0][1], baseline=forgot[-1])

# %% [markdown]
# *Answer 6.* Gates alone are not enough. The LSTM that begins at $\sigma(1)$ learns it badly or not at all, for 0.7 %
# of a slope is next to nothing to learn from; the one that begins by keeping learns the game. (Gers et al. 2000, who
# introduced this gate, began with it open; Jozefowicz et al. 2015 saw how much that matters. How far open depends on
# how far back one wants to learn.)
#
# Now we can open the gates and read. The memory has 32 numbers. We take the eight that keep best while the others
# pass, and look at how far their gates stand open at each moment of the game, on average over games.
#
# *Predict 7.* When will the gate that lets in stand open, and when shut?


# %%
@torch.no_grad()
def opened(model: rnn.RNN, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How far the gates in and keep are open at each time. x: (B, T, K). Returns two of (B, T, C)."""
    state, rows = model.begin(len(x)), []
    for now in model.given(sum(embed(part) for embed, part in zip(model.embed, x.unbind(-1)))).unbind(1):
        rows.append(rnn.gates(now + model.recur(state[0]))[:2])
        state = model.step(now, state, model.recur)
    return tuple(torch.stack(part, 1) for part in zip(*rows))


enter, keep = opened(players[3.0][0], game(16, 200, torch.Generator().manual_seed(course.seed())))
best = keep[:, 4:20].mean((0, 1)).topk(8).indices
enter, keep = (gate[..., best].mean((0, 2)) for gate in (enter, keep))

# %%
fig, ax = plt.subplots()
ax.plot(keep, color=show.WATER, marker="o", ms=4, label="keep")
ax.plot(enter, color=show.SUNSET, marker="s", ms=4, label="in")
signs = ["-", "A", "B", "-", *"................", "!", "A", "B"]
ax.set_xticks(range(len(signs)), signs)
ax.set(xlabel="motif A B, silence (-), others (.), signal (!), motif", ylabel="open", ylim=(0, 1.05))
ax.legend(loc="center right")
show.figure(
    fig, alt="The gate keep stands open all the time. The gate in is open at the motif and closes step by step."
)
motif, others = float(enter[1:3].mean()), float(enter[4:20].mean())
assert motif > others + 0.1 and float(keep[4:20].min()) > 0.97

# %% [markdown]
# *Answer 7.* It stands open at the motif and just after it, and closes while the first others pass, though never
# quite. (That the gate keep stands at more than 97 % is how we chose these eight.) Nobody told it that a motif is
# worth keeping: it follows from which notes it was asked for.
#
# And hymns? There nobody asks for two notes after sixteen.
#
# *Predict 8.* By how much is the LSTM better than the plain network there: by half a bit a note, or by less?

# %% tags=["nbval-ignore-output"]
torch.manual_seed(course.seed())
lstm = learn(rnn.RNN(rnn.Config(events.SIZES, 64)), hymns, 300)
table["LSTM"] = bits(lambda song: cost(lstm, song))
tell("the last two", "plain network", "LSTM")

# %%
course.expect("06.lstm_bits", table["LSTM"].sum(), baseline=table["the last two"].sum())

# %% [markdown]
# And how far back does each remember? As chapter 03 did, we disturb: we exchange one note of the past for a note of
# another hymn, and see how much of the belief in the next pitch moves, from 0, nothing, to 1, all of it.


# %%
@torch.no_grad()
def moved(belief, back: int) -> float:
    """How far the belief in the next pitch moves if the note `back` notes ago is exchanged: total variation, 0 .. 1.

    belief: events (B, T, 3) -> probabilities (B, V).
    """
    dice = torch.Generator().manual_seed(1)
    some = torch.cat([events.windows([song], 8, 33, dice) for song in unheard if len(song) > 32])
    other = some.clone()
    other[:, -back] = some[torch.randperm(len(some), generator=dice), -back]
    return ((belief(some) - belief(other)).abs().sum(-1) / 2).mean().item()


# %%
believes = lambda model: lambda x: model.logits(model(x)[0][:, -1], []).softmax(-1)
far = (1, 2, 3, 4, 6, 8, 12, 16, 24)
memory = {name: [moved(believes(model), n) for n in far] for name, model in (("plain", elman), ("LSTM", lstm))}
fig, ax = plt.subplots()
for marker, (name, line) in zip("os", memory.items()):
    ax.loglog(far, line, marker=marker, label=name)
ax.set(xlabel="notes ago", ylabel="belief that moves", ylim=(1e-4, 1))
ax.set_xticks(far, far)
ax.minorticks_off()
ax.legend()
show.figure(fig, alt="Both lines fall with the distance.")
longer = memory["LSTM"][6] / memory["plain"][6]
assert far[6] == 12 and longer > 2

# %%
sung = heard(np.concatenate([happened[:GIVEN], rnn.go_on(lstm, begin, 18, choose(0.8))[0].numpy()]))
show.staff(sung, marked=range(GIVEN, len(sung)), alt="A melody by the LSTM, after two given notes.")
course.audible(show.audio(sung, tempo_bpm=132))

# %% [markdown]
# *Answer 8.* By less. The lines say why: both know the last three notes best, and a note twelve notes back still
# moves the LSTM, and the plain network hardly. It is a small gain; perhaps hymns ask for little of what lies so far
# back. (The melody above is one sample, and judges nothing; the bits are of all unheard hymns.)
#
# ## 4 · Pitch, time and loudness
#
# *A note has three parts. In which order does one draw them?* Suppose that long notes are loud and short notes soft,
# and both kinds are equally frequent. A machine that draws each part by itself, each with the right frequency, draws
# long soft notes too. *Pencil: how many bits does it pay for a note, and how many would be enough?* Two, and one. The
# chain rule has the remedy, with each part drawn in the light of those before it:
#
# $$p(\text{pitch}, \text{length}, \text{velocity} \mid \text{past}) = p(\text{pitch} \mid \text{past})\;
# p(\text{length} \mid \text{pitch}, \text{past})\; p(\text{velocity} \mid \text{length}, \text{pitch}, \text{past})
# \tag{6.7}$$
#
# This is `RNN.logits`, whose second argument is what has been drawn already. The order is ours: any of the six is
# right, because each is exact.

# %% tags=["nbval-ignore-output"]
dice = torch.Generator().manual_seed(course.seed())
toy = torch.randint(2, (64, 24, 1), generator=dice).expand(-1, -1, 2)
torch.manual_seed(course.seed())
pair = learn(rnn.RNN(rnn.Config((2, 2), 16)), list(toy), 100, length=12)
long, loud = (rnn.nats(pair, toy).mean((0, 1)) / math.log(2)).tolist()
print(f"long or short: {long:.1f} bit; then, loud or soft: {loud:.1f} bits")

# %%
assert long > 0.8 and loud < 0.1

# %% [markdown]
# ### Intensity, used and taken away
#
# Scores of chorales say nothing about loudness. The **velocities of this corpus are made by rule** (`score.accent`):
# in 4/4 it is 96 on the first beat of a bar, 88 in its middle, 80 on the other beats, less between them, and 12 less
# under a fermata (延长号), the sign for the end of a line. Nobody played them. So what can they be worth?
#
# We train the same LSTM four times: with velocity, and with each velocity set to the same value; and both once more
# with the place in the bar told before each note. We count only the bits of **pitch and length**.
#
# *Predict 9.* Velocity is a rule, without any taste. Are pitch and length predicted better with it? And if the place
# in the bar is told as well?


# %%
def silenced(song: torch.Tensor) -> torch.Tensor:
    """The song with every velocity the same."""
    return torch.cat([song[..., :-1], torch.zeros_like(song[..., -1:])], -1)


def placed(song: torch.Tensor, piece) -> torch.Tensor:
    """The song with one part more, the first: in which step of its bar each event begins. (M, 4)."""
    onset = (song[:, 1] + 1).cumsum(0) - song[:, 1] - 1
    return torch.cat([((onset - piece.pickup) % piece.steps_per_bar)[:, None], song], 1)


def worth(change, sizes: tuple) -> float:
    """Bits of pitch and length a note, for an LSTM that has learnt and is asked changed songs."""
    torch.manual_seed(course.seed())
    songs = [change(*pair) for pair in zip(hymns, data.chorales())]
    model = learn(rnn.RNN(rnn.Config(sizes, 64)), songs, 150)
    asked = [cost(model, change(*pair)) for pair in zip(unheard, data.chorales("validation"))]
    return np.concatenate(asked)[:, -3:-1].sum(1).mean() / math.log(2)


# %%
told = (16, *events.SIZES)  # with the place in the bar
score = {
    "velocity": worth(lambda song, piece: song, events.SIZES),
    "neither": worth(lambda song, piece: silenced(song), events.SIZES),
    "place and velocity": worth(placed, told),
    "place": worth(lambda song, piece: silenced(placed(song, piece)), told),
}

# %% tags=["nbval-ignore-output"]
for name in ("neither", "velocity", "place", "place and velocity"):
    print(f"{name:20}{score[name]:6.2f} bits a note for pitch and length")

# %%
course.expect("06.velocity_bits", score["neither"] - score["velocity"], baseline=0.0)
assert score["place"] - score["place and velocity"] > 0.03

# %% [markdown]
# *Answer 9.* Yes, and by much. It carries the **metre**: a note of 96 begins a bar, so the machine need not count. To
# tell the place in the bar does a part of this with most seeds, and nothing with some: the place is one thing more to
# learn, and all four learn for fewer steps than the LSTM above. Even then velocity adds something, with every seed that
# we tried; the fermata is in it as well, which says: here a line ends. So the article is right that intensity helps to
# predict the next note, and for a reason that it does not name: here it is the trace of what the machine was
# not told.
#
# Can you *hear* it? A tone whose amplitude is $r$ times as large has a level that is $20 \log_{10} r$ decibels
# higher. In the laboratory an ear notices 1.5 dB if the tone is soft, and 0.5 if it is loud (Jesteadt et al. 1977).


# %%
from aigc.score import accent


def decibels(louder: int, softer: int) -> float:
    """How much louder the first velocity sounds than the second, measured in the sound of two notes."""
    two = np.array([[0, 0, 8, 60, louder], [0, 16, 8, 60, softer]])
    samples = notes.to_midi(two, tempo_bpm=60).synthesize(show.RATE)
    first, second = samples[: 4 * show.RATE], samples[4 * show.RATE :]  # sixteen steps are four seconds
    return 10 * math.log10((first**2).sum() / (second**2).sum())


first, middle, beat, between_beats = (accent(step) for step in (0, 8, 4, 2))
for name, softer in (("the middle", middle), ("another beat", beat), ("between beats", between_beats)):
    print(f"first beat against {name:14} {decibels(first, softer):.1f} dB")
assert decibels(first, middle) < 1 < decibels(first, beat) < decibels(first, between_beats)

# %%
flat = sung.copy()
flat[:, VELOCITY] = 80
flat[:, ONSET] += sung[11, ONSET] // 16 * 16 + 32
course.audible(show.audio(np.concatenate([sung[:10], flat[:10]]), tempo_bpm=132))

# %% [markdown]
# Twice the beginning of the same melody, first with its velocities, then without. The first beat and the middle of a
# bar differ by about as little as an ear can notice under the best of conditions; to the machine they are two numbers
# like any others. The rest can be heard, if one listens for it.
#
# ## 5 · A space of bars
#
# *What lies half way between two melodies?* Half way between two notes lies a pitch; but the mean of two tunes, step
# by step, is no tune. What is needed is a space in which each point is a melody. The **variational autoencoder**
# (变分自编码器, VAE; Kingma & Welling 2014, chapter 05) makes one; Roberts et al. (2018) made one of melodies. An
# encoder turns a bar $x$ of sixteen steps into a normal distribution $q(z \mid x)$ over twelve numbers; a decoder
# writes the bar again from a $z$ that is drawn from it, step by step, each step in the light of $z$ and of those
# before. What is learnt is a lower bound of $\log p(x)$, with $\mathbb{E}$ for the mean over $z$ and $\mathrm{KL}$
# for how far $q$ lies from the standard normal distribution $\mathcal{N}$, both in nats (of 1.44 bits):
#
# $$\log p(x) \ge \mathbb{E}_{q(z|x)} \log p(x \mid z) - \mathrm{KL}\bigl(q(z \mid x)\,\|\,
# \mathcal{N}(0, I)\bigr) \tag{6.8}$$
#
# These are the two that `barvae.terms` returns: how well the bar is told, and what each number of $z$ costs. *Pencil:
# if $z$ says nothing, what is the KL at best? And who writes the bar then?* Zero, and the decoder alone, which hears
# what it has written: it is a language model of bars, and a good one.
#
# *Predict 10.* Trained on the bound, will this VAE say anything in $z$?


# %%
def ids_of(song: np.ndarray, steps: int) -> np.ndarray:
    """One voice as ids (steps,): 0 rest, 1 hold, then pitches; as notes.encode numbers them."""
    return notes.encode(notes.to_grid(song, steps)).reshape(-1, 4)[:, 0]


def bars_of(pieces: list, songs: list) -> torch.Tensor:
    """Every whole bar of 4/4 that does not begin within a note, (N, 16)."""
    found = []
    for piece, song in zip(pieces, songs):
        row = ids_of(events.decode(song.numpy()), piece.steps)
        starts = range(piece.pickup, piece.steps - 15, 16) if piece.steps_per_bar == 16 else ()
        found += [row[at : at + 16] for at in starts if row[at] != 1]
    return torch.from_numpy(np.stack(found))


known_bars, new_bars = bars_of(data.chorales(), hymns), bars_of(data.chorales("validation"), unheard)
print(f"{len(known_bars)} bars to learn from, {len(new_bars)} to be asked about")


# %%
def space(free: float) -> barvae.BarVAE:
    """A VAE of bars in which each number of z may cost `free` nats for nothing."""
    torch.manual_seed(course.seed())
    model = barvae.BarVAE(barvae.Config(notes.VOCABULARY))
    some = lambda dice: known_bars[torch.randint(len(known_bars), (64,), generator=dice)]
    loss = lambda model, step, dice: barvae.loss(model, some(dice), dice, free)
    train(model, loss, Recipe(steps=250, lr=0.02, muon_lr=0.03, seed=course.seed()), progress=False)
    return model


# %%
favourite = lambda logits: logits.argmax(-1)


@torch.no_grad()
def judged(model: barvae.BarVAE) -> dict[str, float]:
    told, kl = barvae.terms(model, new_bars, torch.Generator().manual_seed(course.seed()))
    again = barvae.draw(model, model.encode(new_bars)[0], favourite)
    note = new_bars > 1
    return dict(
        told=told.mean().item(),
        KL=kl.sum(1).mean().item(),
        again=(again == new_bars)[note].float().mean().item(),
    )


# %% tags=["nbval-ignore-output"]
spaces = {free: space(free) for free in (0.0, 1.0)}
found = {free: judged(model) for free, model in spaces.items()}
for free, said in found.items():
    bound = said["told"] - said["KL"]
    print(
        f"free {free:g}: told {said['told']:.1f}, KL {said['KL']:.2f}, bound {bound:.1f} nats a bar; "
        f"{said['again']:.0%} of notes again"
    )

# %%
assert found[0.0]["KL"] < 0.5 and found[0.0]["told"] - found[0.0]["KL"] > found[1.0]["told"] - found[1.0]["KL"]
course.expect("06.again", found[1.0]["again"], baseline=found[0.0]["again"])

# %% [markdown]
# *Answer 10.* Next to nothing. This is **posterior collapse** (后验坍缩; Bowman et al. 2016): $q(z \mid x)$ is the
# same for every bar, and what comes back for any bar is the bar that is written most easily. Look at the bound before
# you say that training has failed: the collapsed machine has the *better* one. By its bound it is the better model of
# bars, and it is no space of bars. Whoever reports the bound alone will not see it; look at the KL.
#
# The cure is to ask for something else. With **free nats** (Kingma et al. 2016) each of the twelve numbers may cost
# one nat, on average over the bars, before it counts, so that nothing is saved by saying less. With
# $\overline{\mathrm{KL}}_j$ for that average,
#
# $$\max\; \mathbb{E}\,\log p(x \mid z) - \sum_{j=1}^{12} \max(1,\; \overline{\mathrm{KL}}_j) \tag{6.9}$$
#
# This is `barvae.loss` with `free=1`. It is paid for with a worse bound, and buys a space. So let us walk in it: from
# the first two bars of the tune to two bars of a hymn that it has not met, in a straight line, two bars at each stop.


# %%
def of_bars(ids: torch.Tensor) -> np.ndarray:
    """Notes of bars (N, 16), one after another."""
    column = ids.flatten().numpy()
    four = np.stack([column] + [np.zeros_like(column)] * 3, axis=1)  # the other voices rest
    return notes.from_grid(notes.decode(four.ravel()))


length = max(32, int(tune[-1, ONSET] + tune[-1, 2]))
here, there = torch.from_numpy(ids_of(tune, length)[:32]).view(2, 16), new_bars[4:6]
ends = [spaces[1.0].encode(bar)[0].detach() for bar in (here, there)]
stops = torch.linspace(0, 1, 4)
line = [barvae.draw(spaces[1.0], (1 - t) * ends[0] + t * ends[1], favourite) for t in stops]

# %%
path, before = of_bars(torch.cat([here, *line, there])), len(of_bars(here))
made = range(before, len(path) - len(of_bars(there)))
show.staff(path, marked=made, alt="Two bars of the tune, two at each of four stops in orange, two bars of the hymn.")
course.audible(show.audio(path, tempo_bpm=220))

# %% tags=["nbval-ignore-output"]
changed = [(a != b).sum().item() for a, b in zip(line, line[1:])]
right = [int(((end == bar) & (bar > 1)).sum()) for end, bar in ((line[0], here), (line[-1], there))]
print(f"steps that change from stop to stop: {changed} of 32")
for name, count, bar in zip(("first", "last"), right, (here, there)):
    print(f"notes that the {name} stop has right: {count} of {int((bar > 1).sum())}")

# %%
assert max(changed) < 24 and min(right) > 1

# %% [markdown]
# In black the two bars as they are, in orange the stops between. Each stop differs from its neighbours in a few
# steps, and that is what a space is for. It is no perfect one: of new bars of hymns, twelve numbers that were learnt
# in seconds give back about two notes in three, and of the Jasmine Flower, which is like no hymn, fewer.
#
# ## 6 · The same machine as for words
#
# *Does music need a machine of its own?* The GPT of chapter 03 reads tokens. Ours stand in a row already: pitch,
# length, velocity, pitch, and so on. Let $x_t$ be a token now; the chain rule is what it does anyway:
#
# $$p(x) = \prod_t p(x_t \mid x_1 \dots x_{t-1}) \tag{6.10}$$
#
# This is `gpt.loss`, of which not a line is changed. It gets as many parameters as the LSTM, and about as many
# seconds.
#
# *Predict 11.* Which of the two will have fewer bits a note?


# %%
def token_cost(model: gpt.GPT, song: torch.Tensor) -> np.ndarray:
    """Nats (M - 1, 3) of a song."""
    row = torch.from_numpy(events.to_tokens(song.numpy()))[None]
    with torch.inference_mode():
        nats = torch.nn.functional.cross_entropy(model(row[:, :-1])[0], row[0, 1:], reduction="none")
    return nats[2:].view(-1, 3).numpy()


def write(songs, steps: int) -> gpt.GPT:
    """A GPT that has learnt from songs(dice), (B, T, 3), as tokens."""
    torch.manual_seed(course.seed())
    model = gpt.GPT(gpt.Config(events.VOCABULARY, context=72, layers=2, heads=2, width=44))
    first = torch.from_numpy(events.FIRST)
    loss = lambda model, step, dice: gpt.loss(model, (songs(dice) + first).flatten(1))
    train(model, loss, Recipe(steps=steps, lr=0.02, muon_lr=0.02, seed=course.seed()), progress=False)
    return model


writer = write(lambda dice: events.windows(hymns, 16, 25, dice), 200)
size = lambda model: sum(weight.numel() for weight in model.parameters())
print(f"parameters: plain {size(elman):,}, LSTM {size(lstm):,}, GPT {size(writer):,}")
assert 0.9 < size(writer) / size(lstm) < 1.1

# %% tags=["nbval-ignore-output"]
table["GPT"] = bits(lambda song: token_cost(writer, song))
tell(*table)

# %%
saved = {name: table["unigram"].sum() - row.sum() for name, row in table.items()}
assert abs(saved["GPT"] - saved["LSTM"]) < 0.4
third = 1 - table["LSTM"][:2].sum() / table["unigram"][:2].sum()
assert 0.25 < third < 0.45
assert saved["LSTM"] > 0.45 * table["unigram"].sum() and saved["the last note"] > 0.5 * saved["LSTM"]

# %% [markdown]
# *Answer 1.* The best machines save half of the bits, and the last note alone saves more than half of these: the
# article's model is a good beginning. (Half of what is saved is velocity, which follows a rule, as section 4 tells.
# Of pitch and length together the best save a third.)
#
# *Answer 11.* On the clock and with five seeds they are alike (`benchmarks/melody.py`; the table is in
# `benchmarks/results`). Here, with fewer steps than the LSTM, the GPT is a little behind. So is the look back worth
# nothing? Think of what was asked. Many hymns do repeat a line, but a window of 25 notes seldom holds it twice: there
# was little to look for. Let us ask for what you did when you hummed: **a line is sung, and sung again**. Each
# machine learns from lines of eleven notes that are sung twice, one after the other.
#
# *Predict 12.* How many bits a note does the second time cost each of them, if the first costs four?


# %%
LINE = 11


def twice(songs: list, size: int, dice: torch.Generator, notes_in: int = LINE) -> torch.Tensor:
    """Lines of so many notes, each sung twice, (size, 2 n, 3)."""
    line = events.windows(songs, size, notes_in, dice)
    return torch.cat([line, line], 1)


torch.manual_seed(course.seed())
keeper = rnn.RNN(rnn.Config(events.SIZES, 64))
loss = lambda model, step, dice: rnn.loss(model, twice(hymns, 16, dice))
train(keeper, loss, Recipe(steps=200, lr=0.02, muon_lr=0.02, seed=course.seed()), progress=False)
finder = write(lambda dice: twice(hymns, 16, dice), 300)


# %% tags=["nbval-ignore-output"]
def paid(of, line: int) -> tuple[float, float]:
    """Bits a note the first time and, from its third note on, the second time. of: song -> nats (M - 1, 3)."""
    asked = twice(unheard, 200, torch.Generator().manual_seed(course.seed()), line)
    bits = np.stack([of(song).sum(1) for song in asked]) / math.log(2)
    return bits[:, : line - 1].mean(), bits[:, line + 1 :].mean()


singers = {"LSTM": lambda song: cost(keeper, song), "GPT": lambda song: token_cost(finder, song)}
again = {name: paid(of, LINE) for name, of in singers.items()}
for name, (first, second) in again.items():
    print(f"{name:4}: {first:.1f} bits a note the first time, {second:.1f} the second time")

# %%
course.expect("06.again_bits", again["GPT"][1], baseline=again["LSTM"][1])

# %% [markdown]
# *Answer 12.* The LSTM pays nearly the same again: eleven notes with three parts each do not fit, in the time that it
# had, into a state that every note changes. The GPT pays next to nothing. It has learnt no line by heart, since these
# are hymns that it never met; it looks at what was sung. So this is what a machine has to remember in order to go on
# with a melody: where it is, for which a small state is enough, *and* what was sung, for which the state did not do
# in the time that it had.
#
# Let it hear the line that this chapter began with, and the first two notes of it once more. What follows is its own.


# %%
def go_on(model: gpt.GPT, start: np.ndarray, count: int, temperature: float, seed: int = course.seed()) -> np.ndarray:
    """The start and `count` events more, (M, 3); each token is drawn from the part whose turn it is."""
    part = torch.from_numpy(np.repeat([0, 1, 2], events.SIZES))
    turns = iter([part == i % 3 for i in range(3 * count)])
    row = torch.from_numpy(events.to_tokens(start))[None]
    dice, only = torch.Generator().manual_seed(seed), lambda p: p * next(turns)
    drawn = sample.tokens(model, row, 3 * count, temperature, generator=dice, keep=only)
    return events.from_tokens(np.append(row[0], torch.cat(list(drawn))))


# %% tags=["showpiece"]
begun = np.concatenate([happened[:LINE], happened[:2]])
piece = go_on(finder, begun, 2 * LINE - 2, temperature=0.5)
show.staff(heard(piece), marked=range(13, len(heard(piece))), alt="The line, and what the GPT makes of it.")
course.audible(show.audio(heard(piece), tempo_bpm=132))

# %%
came_back = (piece[LINE + 2 : 2 * LINE, 0] == happened[2:LINE, 0]).sum()  # pitches, of nine that it had to find
assert came_back >= 7 or melody != JASMINE

# %% [markdown]
# *Odd:* the GPT has never met a Chinese song, nor a whole song without the fourth and seventh notes of the scale, and
# yet it sings this one: not because it knows how such melodies go, but because it looks at what was sung. That the
# line has eleven notes, like those that it learnt from, is no accident: see *Break it*.
#
# ## Checkpoint
#
# *A friend has trained an LSTM on songs, in windows of 64 notes. Its bits are good. The chorus comes back in every
# song after 200 notes, and never in what the machine writes. Which three things do you ask about, in which order?*
#
# <details><summary>Answer</summary>
#
# The window first: nothing teaches a machine what lies further back than what it is shown at once. Then the gate that
# keeps: at which score did it begin, and what is left of a slope after 200 steps (6.6)? Even $\sigma(3)$ keeps less
# than a ten-thousandth of it. Then measure how far back it remembers, by disturbance, as in section 3. If all this is
# right and the chorus is long, it will not fit into the state: let it look back.
#
# </details>
#
# ## Break it
#
# Did the GPT learn to *search* for the line, as one might think? It was only ever shown lines of eleven notes. Let us
# sing it lines of seven, twice, and change nothing else.
#
# *Predict 13.* What will the second time cost each of the two, in bits a note?

# %% tags=["nbval-ignore-output"]
short = {name: paid(of, 7) for name, of in singers.items()}
for name, (first, second) in short.items():
    print(f"{name:4}: {first:.1f} bits a note the first time, {second:.1f} the second time")

# %%
assert short["GPT"][1] > table["unigram"].sum() > short["GPT"][0]

# %% [markdown]
# *Answer 13.* More than the unigram, who knows nothing: the GPT is certain, and wrong. It seems to have learnt not to
# search but to look eleven notes back, because that was all it ever needed. To find a line of any length it has to
# compare what stands there, and that is learnt too if it is asked for, only later (Olsson et al. 2022 watched it in
# language models; exercise 06.8 lets you do so). A figure as good as the one in section 6 does not say *what* was
# learnt. To know it, ask what the figure did not.
#
# ## What we measured

# %% tags=["nbval-ignore-output"]
course.summary()

# %% [markdown]
# ## Limits
#
# One voice, hymns of three centuries, all in one signature, on a grid of sixteenths; chapter 09 takes four voices.
# The networks that we compared learnt for seconds and have some sixty thousand parameters: which is ahead says little
# about large ones. The velocities follow a rule, and what intensity is worth was measured with this rule; a pianist's
# would tell more, and other things. A plain network with another start or with longer training can learn longer gaps
# than ours (Le et al. 2015: rectified units, with an identity for $U$). Bits measure surprise, and not whether a
# melody is good: chapter 11 asks people.
#
# ## Exercises
#
# - 06.1 · verify · 10 min · ●○○○○ · steps, ticks and seconds
# - 06.2 · verify · 15 min · ●●○○○ · notes from a column of the grid
# - 06.3 · modify · 15 min · ●●○○○ · bits a note, over songs of different length
# - 06.4 · investigate · 15 min · ●●○○○ · how long does a gate keep?
# - 06.5 · build · 45 min · ●●●●○ · an LSTM that reads song after song and goes on
# - 06.6 · debug · 20 min · ●●●○○ · a singer that cheats
# - 06.7 · investigate · 20 min · ●●●○○ · collapsed or not?
# - 06.8 · challenge · 60 min · ●●●●● · a line of any length
#
# ## References
#
# - Bengio, Y., Simard, P. and Frasconi, P. (1994). Learning long-term dependencies with gradient descent is
#   difficult. doi:10.1109/72.279181
# - Bowman, S. et al. (2016). Generating sentences from a continuous space. doi:10.18653/v1/K16-1002
# - Elman, J. (1990). Finding structure in time. doi:10.1207/s15516709cog1402_1
# - Gers, F., Schmidhuber, J. and Cummins, F. (2000). Learning to forget: continual prediction with LSTM.
#   doi:10.1162/089976600300015015
# - Hochreiter, S. and Schmidhuber, J. (1997). Long short-term memory. doi:10.1162/neco.1997.9.8.1735
# - Jesteadt, W., Wier, C. and Green, D. (1977). Intensity discrimination as a function of frequency and sensation
#   level. doi:10.1121/1.381278
# - Jozefowicz, R., Zaremba, W. and Sutskever, I. (2015). An empirical exploration of recurrent network architectures.
#   Proceedings of Machine Learning Research 37, ISBN 9781510810587
# - Kingma, D. P. and Welling, M. (2014). Auto-encoding variational Bayes. arXiv:1312.6114
# - Kingma, D. P. et al. (2016). Improved variational inference with inverse autoregressive flow. arXiv:1606.04934
# - Le, Q., Jaitly, N. and Hinton, G. (2015). A simple way to initialize recurrent networks of rectified linear units.
#   arXiv:1504.00941
# - Olsson, C. et al. (2022). In-context learning and induction heads. arXiv:2209.11895
# - Pascanu, R., Mikolov, T. and Bengio, Y. (2013). On the difficulty of training recurrent neural networks.
#   arXiv:1211.5063
# - Roberts, A. et al. (2018). A hierarchical latent vector model for learning long-term structure in music.
#   arXiv:1803.05428
