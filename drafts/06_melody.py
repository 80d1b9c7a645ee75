# %% [markdown]
# # 06 · Sequence models of music
#
# *read 0 min · do 0 min · run 0 s*
#
# **What does a machine have to remember in order to go on with a melody?**
#
# Hum this: *mi mi sol la do do la, sol sol la sol.* It is how 茉莉花, the Jasmine Flower, begins, and whoever has heard
# it once goes on in the same way: by singing the line again. To do so you need none of the theory of music. You
# need to know what was sung four seconds ago.
#
# The introduction that this course follows says that a model of music "considers the previous note and its intensity
# to predict the next". We build that model first, and measure what the previous note is worth; then, machine by
# machine, what the rest of the past is worth, and intensity with it.
#
# ## What you need
#
# Chapter 01 (bits, chains), chapter 03 (cross-entropy, the GPT), the chain rule of derivatives. No music is needed:
# a note has a pitch, a length and a loudness, and names are explained where they first stand. A heading with ◇ is for
# a second reading.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import torch

from aigc import course, data, sample, show
from aigc.codecs import events, notes
from aigc.models import barvae, gpt, ngram, rnn
from aigc.score import ONSET, PITCH, VELOCITY, VOICE
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
# | recurrent network | what it keeps of the whole past in 64 numbers |
# | LSTM | the same, with gates |
# | the GPT of chapter 03 | every note of the last bars |
#
# *Predict 1.* From no memory at all to the best machine of this list: what share of the bits will be saved? And how
# much of it does the previous note alone save?

# %%
show.diagram(
    {
        "note": (0, 0),
        "memory": (1, 0, "model"),
        "next note": (2, 0, "model"),
        "hymn": (2, 1, "truth"),
    },
    [("note", "memory", "enters"), ("memory", "next note", "pitch, length, loudness"), ("hymn", "next note", "bits")],
    alt="A note enters the memory; from the memory come the next note's pitch, length and loudness; a hymn tells how "
    "many bits they cost.",
)

# %% [markdown]
# ## 1 · From sound to numbers
#
# *How many numbers is a melody?* A second of sound, as a loudspeaker needs it, is 22,050 numbers. A score needs four
# or five for the same second. Everything in this chapter happens between the two, and nothing is lost by it but the
# singer: **pitch** (音高) is a whole number, 60 for the C in the middle of a piano and one more for each key to the
# right, black or white; the **onset** and the **length** (时值) are counted in steps of a sixteenth; **velocity**
# (力度) is how fast the key goes down, 1 to 127, which we hear as loudness.
#
# Two of these are not physics, and each has its formula. Pitch $p$ vibrates at the frequency $f$, and a step lasts
# $s$ seconds at a tempo of $b$ beats a minute, four steps to the beat:
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
# Now a melody. The course's example is the Jasmine Flower, a folk song of the Qing dynasty, typed as anybody can type
# one: a letter and an octave, and after a colon how many beats, where it is not one. **Bring your own**: in the same
# letters, or as the path of a MIDI file; the rest of the chapter will work on it.

# %% tags=["mine"]
MINE = None  # or "C4 D4 E4:1/2 F#4:1/2 r G4:2", or "folder/song.mid"

JASMINE = """E4 E4:1/2 G4:1/2 A4:1/2 C5:1/2 C5:1/2 A4:1/2 | G4 G4:1/2 A4:1/2 G4:2 |
    E4 E4:1/2 G4:1/2 A4:1/2 C5:1/2 C5:1/2 A4:1/2 | G4 G4:1/2 A4:1/2 G4:2 |
    G4 G4 G4 E4:1/2 G4:1/2 | A4 A4 G4:2 | E4 D4:1/2 E4:1/2 G4 E4:1/2 D4:1/2 | C4 C4:1/2 D4:1/2 C4:2"""

# %% tags=["mine"]
melody = JASMINE if MINE is None else MINE
tune = notes.from_midi(melody) if melody.endswith((".mid", ".midi")) else events.typed(melody)
tune = tune[tune[:, VOICE] == tune[0, VOICE]]  # of a file with several voices, the first
tune[:, VOICE], tune[:, ONSET] = 0, tune[:, ONSET] - tune[:, ONSET].min() // 16 * 16  # from its first bar on
show.staff(tune, alt="The melody as a score, in common time.")
show.audio(tune, tempo_bpm=100)

# %% [markdown]
# A score is read from left to right; a note stands higher where it sounds higher. Its head is hollow where it is long,
# and beams bind short ones. To a machine we show one of these:
#
# - a **piano roll** (钢琴卷帘): for each step the pitch that sounds, as on the paper of a mechanical piano;
# - a **grid with holds**: for each step a pitch that *begins* there, or *hold*, or *rest*;
# - **events** (事件): for each note, its pitch, its length and its velocity.
#
# *Predict 2.* One of the three cannot be turned back into this melody. Which, and where does it fail?

# %% tags=["mine"]
grid = notes.to_grid(tune)[:, 0]
sounds = grid[np.maximum.accumulate(np.where(grid == notes.HOLD, 0, np.arange(len(grid))))]  # the piano roll
happened = events.encode(tune)

changes = 1 + np.flatnonzero(np.diff(sounds))  # where the roll shows that something begins
in_roll = int((sounds[np.append(0, changes)] != notes.REST).sum())
back = notes.from_grid(np.stack([grid] + [np.full_like(grid, notes.REST)] * 3, axis=1))
print(f"{len(tune)} notes. The piano roll shows {in_roll}, the grid {len(back)}, the events {len(events.decode(happened))}")
assert (back[:, :4] == tune[:, :4]).all() and in_roll <= len(tune)
assert (events.decode(happened)[:, :4] == tune[:, :4]).all()

# %% [markdown]
# *Answer 2.* The piano roll. It says *sol, sol* and *sol* held for two beats in the same way; whoever forgets the
# **note-off** plays repeated notes as one. The grid cures that with one symbol more, the hold. It has no room for
# velocity; the events have room for everything.
#
# How large is each? And what of the sound itself?

# %%
seconds = notes.to_midi(tune, 100).get_end_time()
grid_size, roll_size, event_size = len(grid), len(grid) * 88, happened.size
print(f"sound {int(seconds * show.RATE):,} numbers, roll {roll_size:,}, grid {grid_size}, events {event_size}")
tokens = events.to_tokens(happened)
assert (events.from_tokens(tokens) == happened).all()
print("the first two events:", happened[:2].tolist(), "as tokens:", tokens[:6].tolist())

# %% [markdown]
# An event is three numbers, each from 0 on: pitch 0 is a rest and 1 the lowest pitch, length 0 is one step, and
# velocity is kept as a multiple of 4. As **tokens** they stand in one row, each part with its own numbers, so that a
# machine that was made for letters can read them. What is lost: a velocity of 81 becomes 80, triplets do not fit on a
# grid of sixteenths, and a singer who is late by a tenth of a second is on time.
#
# What goes out is a MIDI file, and what comes in again is the same. In the loudspeaker it must neither be silent nor
# be cut off at the top:

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "melody.mid")
    notes.to_midi(tune, tempo_bpm=100).write(str(file))
    again, size = notes.from_midi(file), file.stat().st_size
assert (events.encode(again) == happened).all()
samples = notes.to_midi(tune, 100).synthesize(show.RATE)
samples /= np.abs(samples).max() / show.PEAK
loud = np.sqrt(np.mean(samples**2))
assert 0.02 < loud < 0.5 and np.abs(samples).max() < 1
print("a MIDI file gives back every event; the sound is neither silent nor cut off")

# %% [markdown]
# From here on a melody is a row of events, some thirty of them where the loudspeaker gets hundreds of thousands of
# numbers. It is enough to begin.
