# %% [markdown]
# # NN · Title
#
# *read 0 min · do 0 min · run 0 s*
#
# **The one question that this chapter answers?**
#
# Open with the question or with a failure: something concrete that the reader can see go wrong. `make notebooks` writes
# the line above. A heading with ◇ is for a second reading.
#
# ## What you need
#
# What to know before, and from which chapter.

# %%
import numpy as np

from aigc import course, show

device = course.start("NN")
show.style()

# %% [markdown]
# ## What we will measure
#
# The quantity, its unit, the baseline. The first prediction may stand here, the others in their sections: each is asked
# before the cell that shows it, and answered after it.
#
# *Predict 1.* In a hundred throws of a fair coin, how long is the longest run?
#
# One diagram shows the idea of the whole chapter; it has to be understood in grey, too.

# %%
show.diagram(
    {"coin": (0, 0, "truth"), "throws": (1, 0), "model": (2, 0, "model")},
    [("coin", "throws", "100 times"), ("throws", "model", "counts")],
    alt="A coin gives throws, and the throws give a model by counting.",
)

# %% [markdown]
# ## 1 · A first section, which asks one thing
#
# Three to seven sections, each a small cycle. It opens with a question. *How probable is a run of $n$ heads?*
# A toy that pencil and paper can solve comes first, then the one equation that the section needs. Each symbol is
# defined where it first stands: $p$ is the probability of heads.
#
# $$P_n = p^n \tag{NN.1}$$
#
# This is `run`, below. No more than 400 words before something runs.


# %%
def run(p: float, n: int) -> float:
    return p**n  # the code is the equation


assert run(0.5, 3) == 1 / 8  # as by hand

# %% [markdown]
# What came out, and what follows from it: the next section begins where this one ends.
#
# ## 2 · The experiment of the second section
#
# Data, baseline, samples that were not selected. *How long is the longest run in a hundred throws?*

# %%
throws = np.random.default_rng(course.seed()).integers(2, size=100)
longest = max(len(part) for part in "".join(map(str, throws)).split("0"))
print("the longest run of heads:", longest)

# %% tags=["nbval-ignore-output"]
# What depends on the machine has this tag, and the next cell asserts what must hold on every one.
print("".join("TH"[throw] for throw in throws))

# %%
assert 2 < longest < 20

# %% [markdown]
# *Answer 1.* Longer than most people think: about the logarithm of a hundred to the base 2. A number that the chapter
# concludes from is banded: `course.expect("NN.key", value, baseline=...)`.
#
# ### ◇ A detail for a second reading
#
# It may be skipped.
#
# ## 3 · Your own
#
# In each chapter the reader brings something, here throws of a coin. `None` takes the course's example. *Is yours
# fair?* The cells that use it, and those with what they need, have the tag `mine`: a test runs them alone, after the
# first cell of the chapter, with other inputs. So nothing in them may need what the chapter trains.

# %% tags=["mine"]
MINE = None  # or [1, 0, 0, 1]: your own throws

# %% tags=["mine", "showpiece"]
own = [1, 1, 1, 0] if MINE is None else MINE
share = sum(own) / len(own)
assert 0 <= share <= 1  # holds for any input
print("".join("TH"[throw] for throw in own))

# %% [markdown]
# The cell with the tag `showpiece` makes the one finished thing that a reader would show to somebody.
#
# *Odd:* it begins with three heads, and whoever invents throws of a coin hardly ever dares to.
#
# ## Checkpoint
#
# *A question that needs what was just learnt?*
#
# <details><summary>Answer</summary>
#
# The answer, with its reason.
#
# </details>
#
# ## Break it
#
# Remove or exaggerate one thing on purpose. Predict, run, interpret.

# %%
assert run(1.0, 1000) == 1.0  # a coin with two heads

# %% [markdown]
# ## What we measured

# %% tags=["nbval-ignore-output"]
course.summary()

# %% [markdown]
# ## Limits
#
# What was not shown, what was only measured once, where it fails; and who looked further (Author, year).
#
# ## Exercises
#
# - NN.1 · verify · 10 min · ●○○○○ · write what the chapter derived
# - NN.2 · modify · 15 min · ●●○○○ · change it
# - NN.3 · investigate · 20 min · ●●●○○ · find out what the chapter did not say
# - NN.4 · build · 40 min · ●●●○○ · 20 to 40 lines in checked steps
# - NN.5 · debug · 20 min · ●●●○○ · one bug, found by measuring
# - NN.6 · challenge · 60 min · ●●●●● · an open score against our band
#
# ## References
#
# - Author, A. (year). Title. doi:10.1000/1 or arXiv:0000.00000
